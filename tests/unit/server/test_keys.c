/* Keys that come in by file, and the frames that wait for them, against a whole store with its threads.
 * The telegrams are our own golden ones. */
#include "proto/base/hex.h"
#include "proto/oms.h"
#include "server/acts/act.h"
#include "server/acts/keyfile_xml.h"
#include "server/app_open.h"
#include "server/lore.h"
#include "server/readings.h"
#include "server/registers.h"
#include "server/settler.h"
#include "storage/secret.h"
#include "storage/store.h"
#include "storage/store_key.h"
#include "tests/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW 1795608000 /* 2026-11-25T12:00:00Z */
#define KEY_A "000102030405060708090a0b0c0d0e0f"
#define KEY_B "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
#define GOLDEN_KEY "0a1b2c3d4e5f60718293a4b5c6d7e8f9"

static struct app app;
static const char *folder;
static struct import_report report;
static struct refusal refusal;
static const struct caller root = { .role = ROLE_ADMIN, .who = "root" };

static void start(void)
{
    struct app_options o = {
        .dir = folder, .tz = "Asia/Shanghai", .retention_days = 90, .settle_every_s = 3600
    };
    struct refusal r = { 0 };

    memset(&app, 0, sizeof app);
    clock_virtual(&app.clock, NOW);
    if (app_open_store(&app, &o, &r) || app_start(&app, &o, &r))
        fail_msg("%s", r.text);
}

static void stop(void)
{
    app_stop(&app);
    app_close_store(&app);
    import_report_done(&report);
}

static int begin(void **state)
{
    (void)state;
    folder = check_folder();
    start();
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_ok(ledger_check(app.ledger, NULL));
    stop();
    return 0;
}

static enum err import_with(const char *list, const char *text, struct import_options o)
{
    char path[512];
    int fd;
    enum err err;

    snprintf(path, sizeof path, "%s/../file", folder);
    check_write(path, span_text(text));
    fd = open(path, O_RDONLY);
    unlink(path);
    assert_true(fd >= 0);
    import_report_done(&report);
    err = act_import(&app, &root, span_text(list), fd, &o, &report, &refusal);
    close(fd);
    return err;
}

static enum err import(const char *list, const char *text)
{
    return import_with(list, text, (struct import_options){ 0 });
}

static void meters(void)
{
    assert_ok(import("meters", "serial,dn,q3,radio_id\nM1,15,2.5,NIL-20260001-1B-07\nM2,15,2.5,\n"
                               "M3,15,2.5,0000000161832b12\n"));
}

static void assert_counts(unsigned rows, unsigned written, unsigned unchanged, unsigned refused)
{
    assert_int_equal(rows, report.rows);
    assert_int_equal(written, report.written);
    assert_int_equal(unchanged, report.unchanged);
    assert_int_equal(refused, report.refused);
}

static uint64_t acts(void)
{
    struct txn t = ledger_read(app.ledger);
    uint64_t number = ledger_end(&t);

    assert_ok(txn_end(&t));
    return number;
}

/* The key that is tried first for a frame of that instant. */
static void assert_key(const char *name, enum key_kind kind, int64_t at_s, const char *hex)
{
    struct span found[LORE_KEYS];
    uint8_t key[64];
    size_t len;

    assert_ok(hex_read(span_text(hex), key, sizeof key, &len));
    registry_read_lock(app.registry);
    assert_true(app.lore.keys(app.lore.arg, app.lore.meter(app.lore.arg, span_text(name)), kind,
                              at_s, found) > 0);
    assert_true(span_equal(found[0], span_of(key, len)));
    registry_read_unlock(app.registry);
}

/* ---- files ---- */

static void a_key_without_a_date_holds_since_ever_and_the_next_from_now_on(void **state)
{
    (void)state;
    meters();
    assert_ok(import("keys", "serial,kind,key_hex\nM1,oms," KEY_A "\n"));
    assert_counts(1, 1, 0, 0);
    assert_key("M1", KEY_OMS, 5, KEY_A);
    assert_ok(import("keys", "serial,kind,key_hex\nM1,oms," KEY_B "\n"));
    assert_key("M1", KEY_OMS, NOW - 1, KEY_A);
    assert_key("M1", KEY_OMS, NOW, KEY_B);
    stop();
    start();
    assert_key("M1", KEY_OMS, NOW - 1, KEY_A);
    assert_key("M1", KEY_OMS, NOW, KEY_B);
}

static void the_same_file_twice_changes_nothing(void **state)
{
    static const char file[] = "kind,key_hex,serial,valid_from\noms," KEY_A ",M1,\n"
                               "oms," KEY_B ",M1,2026-03-01 08:00\npsk,41,M2,\n"
                               "oscore," KEY_A KEY_B ",M3,\n";
    uint64_t before;

    (void)state;
    meters();
    assert_ok(import("keys", file));
    assert_counts(4, 4, 0, 0);
    assert_key("M1", KEY_OMS, 1772323200, KEY_B); /* 08:00 in Shanghai is 00:00Z */
    assert_key("M1", KEY_OMS, 1772323199, KEY_A);
    before = acts();
    assert_ok(import("keys", file));
    assert_counts(4, 0, 4, 0);
    assert_int_equal(acts(), before);
}

static void a_meter_may_be_named_as_its_radio_does(void **state)
{
    (void)state;
    meters();
    assert_ok(import("keys",
                     "{\"serial\":\"nil-20260001-1b-07\",\"kind\":\"oms\",\"key_hex\":\"" KEY_A
                     "\"}\n{\"serial\":\"0000000161832B12\",\"kind\":\"psk\",\"key_hex\":"
                     "\"" KEY_B "\"}\n"));
    assert_key("M1", KEY_OMS, NOW, KEY_A);
    assert_key("M3", KEY_PSK, NOW, KEY_B);
}

static void assert_nothing_shown(void)
{
    for (size_t i = 0; i < report.refusal_count; i++) {
        const struct import_refusal *r = &report.refusals[i];

        if (strstr(r->found, "010203") || strstr(r->column, "010203") ||
            strstr(r->expected, "010203") || strstr(r->found, "f1f2f3"))
            fail_msg("line %d shows a key: %s %s %s", (int)r->line, r->column, r->found,
                     r->expected);
    }
}

static void a_refused_row_undoes_the_file_and_no_refusal_shows_a_key(void **state)
{
    static const char file[] = "serial,kind,key_hex,valid_from\nM1,oms," KEY_A ",\n"
                               "M9,oms," KEY_A ",\nM1,OMS," KEY_A ",\nM1,oms," KEY_A "00,\n"
                               "M1,oms,zz0102030405060708090a0b0c0d0e0f,\nM1,oscore,0001,\n"
                               "M1,psk,,\n" KEY_A ",oms," KEY_A ",\nM1," KEY_A ",oms,\n"
                               "M1,oms," KEY_A "," KEY_A "\nM1,oms," KEY_A "\n"
                               "M1,oms,\"" KEY_A "\"x,\n";
    struct import_options keep = { .keep_going = true };

    (void)state;
    meters();
    assert_err(ERR_INVALID, import("keys", file));
    assert_int_equal(report.written, 0);
    assert_int_equal(report.refused, 11);
    assert_int_equal(report.refusals[0].line, 3);
    assert_string_equal(report.refusals[0].column, "serial");
    assert_string_equal(report.refusals[1].column, "kind");
    assert_string_equal(report.refusals[2].column, "key_hex");
    assert_nothing_shown();
    assert_int_equal(keyring_count(app.keyring), 0);
    assert_ok(import_with("keys", file, keep));
    assert_int_equal(report.written, 1);
    assert_key("M1", KEY_OMS, NOW, KEY_A);
    assert_err(ERR_INVALID, import("keys", "M1,oms," KEY_A "\n"));
    assert_nothing_shown();
    assert_err(ERR_INVALID, import("keys", "{\"serial\":\"M1\",\"" KEY_A "\":\"" KEY_B "\"}\n"));
    assert_nothing_shown();
}

/* As certificates, C programs and people write them. */
static void a_key_in_the_wrong_column_is_not_shown_however_it_is_written(void **state)
{
    static const char *const written[] = { "00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f",
                                           "00010203-04050607-08090a0b-0c0d0e0f",
                                           "0x00 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a "
                                           "0x0b 0x0c 0x0d 0x0e 0x0f" };

    (void)state;
    meters();
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        char file[200];

        snprintf(file, sizeof file, "serial,kind,key_hex\nM1,%s,oms\n", written[i]);
        assert_err(ERR_INVALID, import("keys", file));
        assert_string_equal(report.refusals[0].column, "kind");
        assert_null(strstr(report.refusals[0].found, "04"));
    }
}

static void another_key_at_the_same_place_is_refused(void **state)
{
    (void)state;
    meters();
    assert_ok(
        import("keys", "serial,kind,key_hex,valid_from\nM1,oms," KEY_A ",2026-01-01T00:00Z\n"));
    assert_err(ERR_INVALID, import("keys", "serial,kind,key_hex,valid_from\nM1,oms," KEY_B
                                           ",2026-01-01T00:00Z\n"));
    assert_string_equal(report.refusals[0].column, "key_hex");
    assert_string_equal(report.refusals[0].found, "another key");
    assert_key("M1", KEY_OMS, NOW, KEY_A);
}

/* Each row is held against all that its meter has: a file of a million for one would not end. */
static void a_meter_has_a_lifes_keys_and_no_more(void **state)
{
    static char text[8192];
    size_t len = (size_t)snprintf(text, sizeof text, "serial,kind,key_hex,valid_from\n");

    (void)state;
    meters();
    for (unsigned i = 0; i < 65; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "M1,psk,%04x,%u-01-01T00:00:00Z\n",
                                i + 1, 2090 - i);
    assert_ok(import_with("keys", text, (struct import_options){ .keep_going = true }));
    assert_counts(65, 64, 0, 1);
    assert_non_null(strstr(report.refusals[0].expected, "at most 64 keys"));
    assert_ok(import_with("keys", text, (struct import_options){ .keep_going = true }));
    assert_counts(65, 0, 64, 1);
    assert_ok(import("keys", "serial,kind,key_hex\nM1,oms," KEY_A "\n"));
}

static void a_dry_run_writes_nothing(void **state)
{
    struct import_options dry = { .dry_run = true };
    uint64_t before;

    (void)state;
    meters();
    before = acts();
    assert_ok(import_with("keys", "serial,kind,key_hex\nM1,oms," KEY_A "\n", dry));
    assert_counts(1, 1, 0, 0);
    assert_int_equal(acts(), before);
    assert_int_equal(keyring_count(app.keyring), 0);
}

static bool audit_holds_no_key(void *arg, const struct audit_record *r)
{
    bool *told = (bool *)arg;
    struct span all[] = { r->what, r->subject, r->before, r->after, r->why };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].len && (memmem(all[i].at, all[i].len, KEY_A, 32) ||
                           memmem(all[i].at, all[i].len, "\x01\x02\x03\x04", 4)))
            fail_msg("the audit holds a key");
    *told = *told || (span_equal(r->what, span_text("keys.add")) &&
                      span_equal(r->subject, span_text("M1")) &&
                      memmem(r->after.at, r->after.len, "\"fingerprint\":\"", 15));
    return true;
}

static void the_audit_tells_of_a_key_and_the_file_holds_it_sealed(void **state)
{
    uint8_t key[16];
    size_t len;
    struct span file;
    bool told = false;
    char path[512];
    struct txn t;

    (void)state;
    meters();
    assert_ok(import("keys", "serial,kind,key_hex\nM1,oms," KEY_A "\n"));
    t = ledger_read(app.ledger);
    assert_ok(ledger_audit(&t, 1, audit_holds_no_key, &told));
    assert_ok(txn_end(&t));
    assert_true(told);
    assert_ok(hex_read(span_text(KEY_A), key, sizeof key, &len));
    snprintf(path, sizeof path, "%s/ledger.mdb", folder);
    file = check_read(path);
    assert_null(memmem(file.at, file.len, key, sizeof key));
    assert_null(memmem(file.at, file.len, KEY_A, 32));
    free((void *)file.at);
}

/* ---- makers' files ---- */

#define XML_HEAD                                                                                   \
    "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<MetersInOrder orderid=\"7\">\n"

static void a_makers_xml_gives_keys_by_either_of_its_names(void **state)
{
    (void)state;
    meters();
    assert_ok(import("keys", XML_HEAD "<Meter><MeterNo>M2</MeterNo><SerialNo>999</SerialNo><Other>"
                                      "<DEK>not this</DEK></Other><DEK>\n " KEY_A "</DEK></Meter>\n"
                                      "<Meter><SerialNo>NIL-20260001-1B-07</SerialNo><DEK>" KEY_B
                                      "</DEK></Meter></MetersInOrder>\n"));
    assert_counts(2, 2, 0, 0);
    assert_key("M2", KEY_OMS, NOW, KEY_A);
    assert_key("M1", KEY_OMS, NOW, KEY_B);
}

static void a_makers_xml_may_know_the_digits_alone(void **state)
{
    (void)state;
    meters();
    assert_ok(import("meters", "serial,dn,q3,radio_id\nKAM-11111111,15,2.5,\nK2,15,2.5,"
                               "KAM-22222222\nK3,15,2.5,ELV-22222222\n"));
    assert_ok(import("keys",
                     XML_HEAD "<Meter><SerialNo>20260001</SerialNo><DEK>" KEY_A
                              "</DEK></Meter><Meter><SerialNo>11111111</SerialNo><DEK>" KEY_B
                              "</DEK></Meter></MetersInOrder>"));
    assert_key("M1", KEY_OMS, NOW, KEY_A);
    assert_key("KAM-11111111", KEY_OMS, NOW, KEY_B);
    assert_err(ERR_INVALID,
               import("keys", XML_HEAD "<Meter><SerialNo>22222222</SerialNo><DEK>" KEY_A
                                       "</DEK></Meter></MetersInOrder>"));
    assert_string_equal(report.refusals[0].found, "22222222");
}

static void an_xml_that_is_no_such_file_is_refused_where_it_goes_wrong(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "<Meters/>", "MetersInOrder" },
        { "<a:EncryptedData xmlns:a=\"x\"/>", "deciphered" },
        { "<!DOCTYPE x [<!ENTITY a \"b\">]><MetersInOrder>&a;</MetersInOrder>", "entities" },
        { XML_HEAD "<Meter>", "well-formed" },
        { XML_HEAD "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>", "16 levels" },
    };

    (void)state;
    meters();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_err(ERR_INVALID, import_with("keys", cases[i].text,
                                            (struct import_options){ .keep_going = true }));
        assert_int_equal(report.refused, 1);
        if (!strstr(report.refusals[0].expected, cases[i].expected))
            fail_msg("%s: %s", cases[i].text, report.refusals[0].expected);
    }
    assert_err(ERR_INVALID,
               import("keys", XML_HEAD "<Meter><SerialNo>M1</SerialNo><DEK>" KEY_A
                                       "</DEK></Meter>\n<Meter></Meter></MetersInOrder>"));
    assert_int_equal(report.refusals[0].line, 4);
    assert_int_equal(keyring_count(app.keyring), 0);
}

static bool ignore(void *arg, const struct keyfile_meter *m)
{
    (void)arg, (void)m;
    return true;
}

static void an_xml_cut_off_anywhere_is_refused(void **state)
{
    static const char text[] = XML_HEAD "<Meter><SerialNo>M1</SerialNo><DEK>00</DEK></Meter>"
                                        "</MetersInOrder>";
    struct import_refusal why;

    (void)state;
    for (size_t len = 0; len + 1 < sizeof text; len++) {
        struct span cut = check_guarded(span_of(text, len));

        assert_err(ERR_INVALID, keyfile_xml_read(cut, ignore, NULL, &why));
        check_unguard(cut.at, cut.len);
    }
    assert_ok(keyfile_xml_read(span_text(text), ignore, NULL, &why));
}

/* ---- lore ---- */

static void a_handshake_gets_the_key_that_holds(void **state)
{
    uint8_t key[64];
    size_t len = 0;
    uint32_t meter;

    (void)state;
    meters();
    assert_ok(import("keys", "serial,kind,key_hex,valid_from\nM1,psk,41,\nM1,psk,4242,"
                             "2026-11-26T00:00Z\nM2,oms," KEY_A ",\n"));
    assert_true(lore_psk(&app, span_text("nil-20260001-1b-07"), 0, NOW, key, &len, &meter));
    assert_int_equal(meter, registry_find(app.registry, span_text("M1")));
    assert_true(span_equal(span_of(key, len), span_text("A")));
    assert_true(lore_psk(&app, span_text("M1"), 0, NOW + 86400, key, &len, &meter));
    assert_true(span_equal(span_of(key, len), span_text("BB")));
    assert_false(lore_psk(&app, span_text("M2"), 0, NOW, key, &len, &meter));
    assert_false(lore_psk(&app, span_text("M9"), 0, NOW, key, &len, &meter));
}

static void another_store_key_stops_the_start_with_a_sentence(void **state)
{
    struct app_options o = { .dir = folder, .tz = "Asia/Shanghai" };
    struct refusal r = { 0 };
    char path[512];

    (void)state;
    meters();
    assert_ok(import("keys", "serial,kind,key_hex\nM1,oms," KEY_A "\n"));
    stop();
    snprintf(path, sizeof path, "%s/../other", folder);
    check_write(path, span_text("0123456789abcdef0123456789abcdef"));
    o.store_key_file = path;
    memset(&app, 0, sizeof app);
    assert_err(ERR_FORBIDDEN, app_open_store(&app, &o, &r));
    assert_non_null(strstr(r.text, "--store-key-file"));
    app_close_store(&app);
    unlink(path);
    start();
    assert_key("M1", KEY_OMS, NOW, KEY_A);
}

static void a_copy_has_the_store_key_where_it_lay_in_the_store(void **state)
{
    char copy[512], elsewhere[512], path[600];
    struct store_keys keys;
    struct refusal r = { 0 };
    struct stat st;

    (void)state;
    meters();
    assert_ok(import("keys", "serial,kind,key_hex\nM1,oms," KEY_A "\nM2,psk,41\n"));
    stop();
    snprintf(copy, sizeof copy, "%s", check_folder());
    if (store_backup(folder, copy, &r))
        fail_msg("%s", r.text);
    snprintf(path, sizeof path, "%s/store.key", copy);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_ok(store_keys_check(copy, NULL, &keys, &r));
    assert_true(keys.at_hand);
    assert_int_equal(keys.count, 2);
    snprintf(elsewhere, sizeof elsewhere, "%s/key", check_folder());
    assert_int_equal(rename(path, elsewhere), 0);
    assert_ok(store_keys_check(copy, NULL, &keys, &r));
    assert_false(keys.at_hand);
    assert_int_equal(keys.count, 2);
    assert_ok(store_keys_check(copy, elsewhere, &keys, &r));
    assert_true(keys.at_hand);
    check_write(path, span_text("0123456789abcdef0123456789abcdef"));
    assert_err(ERR_FORBIDDEN, store_keys_check(copy, NULL, &keys, &r));
    start();
}

/* ---- frames that wait ---- */

static struct span golden(const char *name)
{
    static uint8_t bytes[512];
    char path[512];
    struct span text;
    size_t len;

    snprintf(path, sizeof path, "%s/tests/golden/oms/%s.hex", NILO_SOURCE_DIR, name);
    text = check_read(path);
    assert_ok(hex_read(text, bytes, sizeof bytes, &len));
    free((void *)text.at);
    return span_of(bytes, len);
}

/* As the gateway does it; what stands against it. */
static enum err send(const char *name, int64_t arrival_s)
{
    struct arrival a = { .dialect = &dialect_oms,
                         .transport = TRANSPORT_COAP,
                         .arrival_s = arrival_s,
                         .bytes = golden(name) };
    struct judged judged;
    struct refusal r = { 0 };
    struct intake *k;

    registry_read_lock(app.registry);
    if (ingest_judge_lkd(app.ingest, &a, readings_scratch(), &judged, &r))
        fail_msg("%s: %s", name, r.text);
    registry_read_unlock(app.registry);
    assert_ok(intake_new(&k));
    assert_ok(intake_add(k, &judged.record));
    assert_ok(ingest_submit_wait(app.ingest, k));
    intake_free(k);
    return judged.why;
}

static size_t reading_count(void)
{
    struct meter_facts m;
    struct rows rows = { 0 };
    struct txn t = ledger_read(app.ledger);
    size_t count;

    assert_ok(meter_facts_by_serial(&t, span_text("M1"), &m));
    assert_ok(txn_end(&t));
    assert_ok(readings_load(&app, &m, CHANNEL_FORWARD, 0, INT64_MAX, &rows));
    count = rows.count;
    rows_done(&rows);
    return count;
}

struct tally {
    unsigned count[ERR_COUNT], all;
};

static bool tally_one(void *arg, const struct waiting *w)
{
    struct tally *t = (struct tally *)arg;

    t->count[w->why]++;
    t->all++;
    return true;
}

static struct tally waiting(void)
{
    struct tally t = { .all = 0 };

    assert_ok(settler_settle(app.settler));
    assert_ok(quarantine_each(app.quarantine, span_of(NULL, 0), 0, tally_one, &t));
    return t;
}

static void what_is_missing_first_is_the_meter_then_its_key(void **state)
{
    struct tally t;
    uint64_t released;

    (void)state;
    assert_err(ERR_UNKNOWN, send("mode-7", NOW - 100));
    t = waiting();
    assert_int_equal(t.count[ERR_UNKNOWN], 1);
    meters();
    t = waiting();
    assert_int_equal(t.all, 1);
    assert_int_equal(t.count[ERR_NO_KEY], 1);
    assert_ok(import("keys", "serial,kind,key_hex\nM1,oms," KEY_A "\n"));
    t = waiting();
    assert_int_equal(t.all, 1);
    assert_int_equal(t.count[ERR_WRONG_KEY], 1);
    assert_ok(quarantine_release(&app, span_of(NULL, 0), &released));
    assert_int_equal(released, 0);
    assert_int_equal(reading_count(), 0);
    assert_ok(import("keys", "serial,kind,key_hex\nM1,oms," GOLDEN_KEY "\n"));
    assert_int_equal(reading_count(), 1); /* at once, not only when it is settled */
    assert_int_equal(waiting().all, 0);
    assert_int_equal(reading_count(), 1);
}

/* What a kill leaves between a key's commit and its frames' release. */
static void a_start_releases_what_waits_for_a_key_that_is_there(void **state)
{
    uint8_t place[SEALED_PLACE_SIZE], key[16], sealed[16 + SEALED_MORE];
    struct sealed_key k = { .kind = KEY_OMS, .from_s = LEDGER_ALWAYS };
    struct act a;
    size_t len;

    (void)state;
    meters();
    assert_err(ERR_NO_KEY, send("mode-7", NOW - 100));
    assert_int_equal(waiting().count[ERR_NO_KEY], 1);
    k.meter = registry_find(app.registry, span_text("M1"));
    sealed_place(&k, place);
    assert_ok(hex_read(span_text(GOLDEN_KEY), key, sizeof key, &len));
    assert_ok(
        store_key_seal(app.store_key, span_of(place, sizeof place), span_of(key, len), sealed));
    k.sealed = span_of(sealed, sizeof sealed);
    a = act_begin(app.ledger, "test", NOW, 0);
    act_put_key(&a, &k);
    assert_ok(act_end(&a));
    stop();
    start();
    assert_int_equal(waiting().all, 0);
    assert_int_equal(reading_count(), 1);
}

/* The counter of mode 7: 4711, then 4712. */
static void a_frame_played_back_is_put_aside_and_stays_there(void **state)
{
    struct tally t;
    uint64_t released;

    (void)state;
    meters();
    assert_ok(import("keys", "serial,kind,key_hex\nM1,oms," GOLDEN_KEY "\n"));
    assert_ok(send("mode-7", NOW - 3000));
    assert_ok(send("mode-7-by-adapter", NOW - 2000));
    assert_int_equal(reading_count(), 2);
    assert_ok(send("mode-7", NOW - 1000));            /* played back */
    assert_ok(send("mode-7-by-adapter", NOW - 1000)); /* heard twice */
    assert_int_equal(reading_count(), 2);
    t = waiting();
    assert_int_equal(t.all, 1);
    assert_int_equal(t.count[ERR_REPLAYED], 1);
    assert_int_equal(reading_count(), 2);
    assert_ok(send("mode-7", NOW - 500));
    assert_int_equal(reading_count(), 2); /* against what is settled by now */
    assert_int_equal(waiting().count[ERR_REPLAYED], 2);
    assert_ok(quarantine_release(&app, span_of(NULL, 0), &released));
    assert_int_equal(released, 0);
    assert_int_equal(reading_count(), 2);
}

static void under_a_new_key_a_counter_begins_anew(void **state)
{
    (void)state;
    meters();
    assert_ok(import("keys", "serial,kind,key_hex\nM1,oms," GOLDEN_KEY "\n"));
    assert_ok(send("mode-7-by-adapter", NOW - 3000)); /* 4712 */
    assert_ok(import("keys", "serial,kind,key_hex,valid_from\nM1,oms," GOLDEN_KEY
                             ",2026-11-25T11:20:00Z\n"));
    assert_ok(send("mode-7", NOW - 1000)); /* 4711 */
    assert_int_equal(reading_count(), 2);
    assert_int_equal(waiting().all, 0);
    assert_int_equal(reading_count(), 2);
    assert_ok(send("mode-7-by-adapter", NOW - 500));
    assert_ok(send("mode-7", NOW - 400));
    assert_int_equal(waiting().count[ERR_REPLAYED], 1);
}

/* The day of the new key must not let in what was recorded under the old one. */
static void an_old_telegram_is_no_report_because_a_new_key_came(void **state)
{
    (void)state;
    meters();
    assert_ok(import("keys", "serial,kind,key_hex\nM1,oms," GOLDEN_KEY "\n"));
    assert_ok(send("mode-7-by-adapter", NOW - 3000)); /* 4712 */
    assert_ok(
        import("keys", "serial,kind,key_hex,valid_from\nM1,oms," KEY_B ",2026-11-25T11:20:00Z\n"));
    assert_ok(send("mode-7", NOW - 1000)); /* 4711 */
    assert_int_equal(waiting().count[ERR_REPLAYED], 1);
    assert_int_equal(reading_count(), 1);
}

/* Frames that waited arrive in the journal behind later ones. */
static void what_waited_for_its_key_is_no_replay(void **state)
{
    (void)state;
    meters();
    assert_err(ERR_NO_KEY, send("mode-7", NOW - 3000));
    assert_int_equal(waiting().all, 1);
    assert_ok(import_with("keys", "serial,kind,key_hex\nM2,oms," GOLDEN_KEY "\n",
                          (struct import_options){ 0 }));
    assert_err(ERR_NO_KEY, send("mode-7-by-adapter", NOW - 2000));
    assert_int_equal(waiting().all, 2);
    assert_ok(import("keys", "serial,kind,key_hex\nM1,oms," GOLDEN_KEY "\n"));
    assert_int_equal(waiting().all, 0);
    assert_int_equal(reading_count(), 2);
}

#define KEYS_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        KEYS_TEST(a_key_without_a_date_holds_since_ever_and_the_next_from_now_on),
        KEYS_TEST(the_same_file_twice_changes_nothing),
        KEYS_TEST(a_meter_may_be_named_as_its_radio_does),
        KEYS_TEST(a_refused_row_undoes_the_file_and_no_refusal_shows_a_key),
        KEYS_TEST(a_key_in_the_wrong_column_is_not_shown_however_it_is_written),
        KEYS_TEST(another_key_at_the_same_place_is_refused),
        KEYS_TEST(a_meter_has_a_lifes_keys_and_no_more),
        KEYS_TEST(a_dry_run_writes_nothing),
        KEYS_TEST(the_audit_tells_of_a_key_and_the_file_holds_it_sealed),
        KEYS_TEST(a_makers_xml_gives_keys_by_either_of_its_names),
        KEYS_TEST(a_makers_xml_may_know_the_digits_alone),
        KEYS_TEST(an_xml_that_is_no_such_file_is_refused_where_it_goes_wrong),
        cmocka_unit_test(an_xml_cut_off_anywhere_is_refused),
        KEYS_TEST(a_handshake_gets_the_key_that_holds),
        KEYS_TEST(another_store_key_stops_the_start_with_a_sentence),
        KEYS_TEST(a_copy_has_the_store_key_where_it_lay_in_the_store),
        KEYS_TEST(what_is_missing_first_is_the_meter_then_its_key),
        KEYS_TEST(a_start_releases_what_waits_for_a_key_that_is_there),
        KEYS_TEST(a_frame_played_back_is_put_aside_and_stays_there),
        KEYS_TEST(under_a_new_key_a_counter_begins_anew),
        KEYS_TEST(an_old_telegram_is_no_report_because_a_new_key_came),
        KEYS_TEST(what_waited_for_its_key_is_no_replay),
    };

    return check_run(tests, argc, argv);
}
