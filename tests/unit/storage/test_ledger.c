/* The ledger through its header: versions by effective time, the audit's chain, tokens, imports. */
#include "storage/ledger.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIST_A 3
#define LIST_B 5

static struct ledger *opened(const char *folder)
{
    struct ledger *l = NULL;
    struct refusal r = { 0 };

    assert_err(ERR_OK, ledger_open(folder, DB_CREATE, &l, &r));
    return l;
}

static void put_at(struct act *a, unsigned list, const char *key, int64_t since_s, const char *cell,
                   uint32_t *out_id, bool *out_new)
{
    struct span cells[3] = { span_text(key), span_text(""), span_text(cell) };

    act_put_row(a, list, span_text(key), since_s, cells, 3, out_id, out_new);
}

static uint32_t put(struct ledger *l, unsigned list, const char *key, int64_t since_s,
                    const char *cell)
{
    struct act a = act_begin(l, "root", 1000, 42);
    uint32_t id = 0;

    put_at(&a, list, key, since_s, cell, &id, NULL);
    assert_ok(act_end(&a));
    return id;
}

static void assert_cell(struct ledger *l, const char *key, int64_t as_of_s, const char *expected)
{
    struct txn t = ledger_read(l);
    struct ledger_row row;
    bool found = ledger_find(&t, LIST_A, span_text(key), as_of_s, &row);

    assert_int_equal(expected != NULL, found);
    if (found)
        assert_memory_equal(expected, row.cells[2].at, row.cells[2].len);
    if (found)
        assert_int_equal(strlen(expected), row.cells[2].len);
    assert_ok(txn_end(&t));
}

static void ids_are_dense_within_their_list(void **state)
{
    struct ledger *l = opened(check_folder());

    (void)state;
    assert_int_equal(1, put(l, LIST_A, "a", LEDGER_ALWAYS, "1"));
    assert_int_equal(1, put(l, LIST_B, "a", LEDGER_ALWAYS, "1"));
    assert_int_equal(2, put(l, LIST_A, "b", LEDGER_ALWAYS, "1"));
    assert_int_equal(1, put(l, LIST_A, "a", 50, "2"));
    assert_int_equal(3, put(l, LIST_A, "c", LEDGER_ALWAYS, "1"));
    ledger_close(l);
}

static void a_row_is_what_it_was_at_each_instant(void **state)
{
    struct ledger *l = opened(check_folder());

    (void)state;
    put(l, LIST_A, "a", LEDGER_ALWAYS, "first");
    put(l, LIST_A, "a", 100, "second");
    put(l, LIST_A, "a", 300, "fourth");
    put(l, LIST_A, "a", 200, "third"); /* told late, and dated between the others */
    assert_cell(l, "a", INT64_MIN, "first");
    assert_cell(l, "a", 99, "first");
    assert_cell(l, "a", 100, "second");
    assert_cell(l, "a", 199, "second");
    assert_cell(l, "a", 200, "third");
    assert_cell(l, "a", 299, "third");
    assert_cell(l, "a", 300, "fourth");
    assert_cell(l, "a", INT64_MAX, "fourth");
    put(l, LIST_A, "a", 300, "corrected");
    assert_cell(l, "a", 299, "third");
    assert_cell(l, "a", 300, "corrected");
    ledger_close(l);
}

/* The last told of each instant, in a plain list. */
static void any_history_reads_as_the_last_told_of_each_instant(void **state)
{
    struct check_random random = check_random_begin();
    struct ledger *l = opened(check_folder());
    int told[64];
    char text[16];

    (void)state;
    memset(told, -1, sizeof told);
    for (int n = 0; n < 300; n++) {
        int64_t since = (int64_t)check_below(&random, 64);
        int value = (int)check_below(&random, 4);
        int holds = -1;

        for (int at = 0; at <= since; at++)
            if (told[at] >= 0)
                holds = told[at];
        snprintf(text, sizeof text, "v%d", value);
        put(l, LIST_A, "a", since, text);
        if (value != holds) /* equal to what holds then: no version */
            told[since] = value;
        for (int as_of = 0, now = -1; as_of < 64; as_of += 7) {
            for (int at = 0; at <= as_of; at++)
                if (told[at] >= 0)
                    now = told[at];
            snprintf(text, sizeof text, "v%d", now);
            assert_cell(l, "a", as_of, now < 0 ? NULL : text);
        }
    }
    assert_ok(ledger_check(l, NULL));
    ledger_close(l);
}

static void a_row_that_begins_later_is_not_there_before(void **state)
{
    struct ledger *l = opened(check_folder());

    (void)state;
    put(l, LIST_A, "a", 100, "x");
    assert_cell(l, "a", 99, NULL);
    assert_cell(l, "a", 100, "x");
    assert_cell(l, "b", INT64_MAX, NULL);
    ledger_close(l);
}

static void equal_cells_take_no_number_and_leave_no_record(void **state)
{
    struct ledger *l = opened(check_folder());
    struct act a;
    struct txn t;
    bool written = true;
    uint64_t end;

    (void)state;
    put(l, LIST_A, "a", LEDGER_ALWAYS, "1");
    t = ledger_read(l);
    end = ledger_end(&t);
    assert_ok(txn_end(&t));
    a = act_begin(l, "root", 1001, 43);
    put_at(&a, LIST_A, "a", 500, "1", NULL, &written);
    assert_false(written);
    assert_ok(act_end(&a));
    t = ledger_read(l);
    assert_int_equal(end, ledger_end(&t));
    assert_ok(txn_end(&t));
    ledger_close(l);
}

static void an_aborted_act_changes_nothing(void **state)
{
    struct ledger *l = opened(check_folder());
    struct act a = act_begin(l, "root", 1000, 42);
    struct txn t;

    (void)state;
    put_at(&a, LIST_A, "a", LEDGER_ALWAYS, "1", NULL, NULL);
    act_abort(&a);
    assert_cell(l, "a", INT64_MAX, NULL);
    t = ledger_read(l);
    assert_int_equal(0, ledger_end(&t));
    assert_ok(txn_end(&t));
    assert_int_equal(1, put(l, LIST_A, "b", LEDGER_ALWAYS, "1"));
    ledger_close(l);
}

static void a_walk_goes_in_order_of_keys_and_stays_in_its_list(void **state)
{
    static const char *const keys[] = { "b", "a", "ab", "B", "c" };
    static const char *const ordered[] = { "B", "a", "ab", "b", "c" };
    struct ledger *l = opened(check_folder());
    struct ledger_walk w;
    struct ledger_row row;
    struct txn t;

    (void)state;
    put(l, LIST_A - 1, "z", LEDGER_ALWAYS, "1");
    put(l, LIST_A + 1, "0", LEDGER_ALWAYS, "1");
    for (size_t i = 0; i < 5; i++)
        put(l, LIST_A, keys[i], LEDGER_ALWAYS, "1");
    for (size_t after = 0; after <= 5; after++) {
        t = ledger_read(l);
        w = ledger_walk(&t, LIST_A, after ? span_text(ordered[after - 1]) : span_of(NULL, 0),
                        INT64_MAX);
        for (size_t i = after; i < 5; i++) {
            assert_true(ledger_walk_next(&w, &row));
            assert_true(span_equal(w.key, span_text(ordered[i])));
            assert_true(span_equal(row.cells[0], span_text(ordered[i])));
        }
        assert_false(ledger_walk_next(&w, &row));
        ledger_walk_done(&w);
        assert_ok(txn_end(&t));
    }
    ledger_close(l);
}

static void keys_of_several_texts_do_not_run_together(void **state)
{
    struct ledger *l = opened(check_folder());
    struct span ab_c = span_of("ab\0c\0", 5), a_bc = span_of("a\0bc\0", 5);
    struct act a = act_begin(l, "root", 1000, 42);
    struct ledger_walk w;
    struct ledger_row row;
    struct txn t;
    uint32_t one = 0, two = 0;

    (void)state;
    act_put_row(&a, LIST_A, ab_c, LEDGER_ALWAYS, &ab_c, 1, &one, NULL);
    act_put_row(&a, LIST_A, a_bc, LEDGER_ALWAYS, &a_bc, 1, &two, NULL);
    assert_ok(act_end(&a));
    assert_int_not_equal(one, two);
    t = ledger_read(l);
    assert_true(ledger_find(&t, LIST_A, ab_c, INT64_MAX, &row));
    assert_int_equal(one, row.id);
    w = ledger_walk(&t, LIST_A, a_bc, INT64_MAX);
    assert_true(ledger_walk_next(&w, &row));
    assert_true(span_equal(w.key, ab_c));
    assert_false(ledger_walk_next(&w, &row));
    ledger_walk_done(&w);
    assert_ok(txn_end(&t));
    ledger_close(l);
}

/* ---- fittings and places ---- */

static void assert_fitting(const struct fitting *expected, const struct fitting *given)
{
    assert_int_equal(expected->meter, given->meter);
    assert_int_equal(expected->point, given->point);
    assert_int_equal(expected->from_s, given->from_s);
    assert_int_equal(expected->to_s, given->to_s);
    assert_int_equal(expected->start_ml, given->start_ml);
    assert_int_equal(expected->has_end, given->has_end);
    assert_int_equal(expected->end_ml, given->end_ml);
}

static void fittings_come_back_by_meter_and_by_point_in_order_of_time(void **state)
{
    static const struct fitting put_these[] = {
        { .meter = 1, .point = 7, .from_s = 300, .to_s = FITTING_OPEN, .start_ml = 5 },
        { .meter = 1,
          .point = 8,
          .from_s = -100,
          .to_s = 200,
          .start_ml = -3,
          .end_ml = 90,
          .has_end = true },
        { .meter = 2,
          .point = 7,
          .from_s = 0,
          .to_s = 300,
          .start_ml = INT64_MAX,
          .end_ml = INT64_MIN,
          .has_end = true },
    };
    struct ledger *l = opened(check_folder());
    struct act a = act_begin(l, "root", 1000, 42);
    struct fitting out[4];
    struct txn t;
    size_t count;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        act_put_fitting(&a, &put_these[i]);
    assert_ok(act_end(&a));
    t = ledger_read(l);
    assert_ok(ledger_fittings_of_meter(&t, 1, out, 4, &count));
    assert_int_equal(2, count);
    assert_fitting(&put_these[1], &out[0]);
    assert_fitting(&put_these[0], &out[1]);
    assert_ok(ledger_fittings_of_point(&t, 7, out, 1, &count));
    assert_int_equal(2, count);
    assert_fitting(&put_these[2], &out[0]);
    assert_ok(ledger_fittings_of_point(&t, 9, out, 1, &count));
    assert_int_equal(0, count);
    assert_ok(txn_end(&t));
    assert_ok(ledger_check(l, NULL));
    ledger_close(l);
}

/* Begun at a point's place, a walk has that point and those behind it. */
static void walk_goes_on_behind(struct txn *t, const uint32_t walked[3], size_t i)
{
    struct points_walk w = ledger_points_walk(t, false, span_text("R"));
    uint8_t place[64];
    size_t len;

    for (size_t n = 0; n <= i; n++)
        assert_true(points_next(&w));
    len = w.place.len;
    assert_in_range(len, 1, sizeof place);
    memcpy(place, w.place.at, len);
    points_done(&w);
    w = ledger_points_walk(t, false, span_text("R"));
    points_from(&w, span_of(place, len));
    for (size_t n = i; n < 3; n++) {
        assert_true(points_next(&w));
        assert_int_equal(walked[n], w.point);
    }
    assert_false(points_next(&w));
    points_done(&w);
}

static void a_point_stands_on_one_route_and_leaves_it_when_moved(void **state)
{
    struct ledger *l = opened(check_folder());
    struct act a = act_begin(l, "root", 1000, 42);
    static const uint32_t walked[] = { 2, 1, 3 };
    struct span none = span_of(NULL, 0);
    struct points_walk w;
    uint32_t out[4];
    struct txn t;
    size_t count;

    (void)state;
    act_place_point(&a, 1, span_text("P1"), span_text("R"), 20, span_text("Z"));
    act_place_point(&a, 2, span_text("P2"), span_text("R"), 10, span_text("Z"));
    act_place_point(&a, 3, span_text("P3"), span_text("R"), UINT32_MAX, none);
    act_place_point(&a, 4, span_text("P4"), span_text("RR"), 1, span_text("Z"));
    assert_ok(act_end(&a));
    t = ledger_read(l);
    assert_ok(ledger_points_on(&t, false, span_text("R"), 0, out, 4, &count));
    assert_int_equal(3, count);
    assert_int_equal(2, out[0]);
    assert_int_equal(1, out[1]);
    assert_int_equal(3, out[2]);
    assert_ok(ledger_points_on(&t, false, span_text("R"), 1, out, 1, &count));
    assert_int_equal(1, count);
    assert_int_equal(1, out[0]);
    assert_ok(ledger_points_on(&t, true, span_text("Z"), 0, out, 4, &count));
    assert_int_equal(3, count);
    w = ledger_points_walk(&t, false, span_text("R"));
    for (count = 0; points_next(&w); count++)
        assert_int_equal(walked[count], w.point);
    assert_int_equal(3, count);
    points_done(&w);
    for (size_t i = 0; i < 3; i++)
        walk_goes_on_behind(&t, walked, i);
    assert_ok(txn_end(&t));
    a = act_begin(l, "root", 1001, 42);
    act_place_point(&a, 1, span_text("P1"), none, UINT32_MAX, none);
    assert_ok(act_end(&a));
    t = ledger_read(l);
    assert_ok(ledger_points_on(&t, false, span_text("R"), 0, out, 4, &count));
    assert_int_equal(2, count);
    assert_ok(ledger_points_on(&t, true, span_text("Z"), 0, out, 4, &count));
    assert_int_equal(2, count);
    assert_ok(txn_end(&t));
    ledger_close(l);
}

/* ---- tokens, answers, imports, flags ---- */

static bool file_holds(const char *folder, struct span text)
{
    char path[512];
    struct span file;
    bool found;

    snprintf(path, sizeof path, "%s/ledger.mdb", folder);
    file = check_read(path);
    found = memmem(file.at, file.len, text.at, text.len) != NULL;
    free((void *)(uintptr_t)file.at);
    return found;
}

static void a_token_opens_until_it_expires_and_is_kept_only_as_a_hash(void **state)
{
    const char *folder = check_folder();
    struct ledger *l = opened(folder);
    struct act a = act_begin(l, "root", 1000, 42);
    struct token_facts facts;
    char token[48], wrong[48];
    struct txn t;

    (void)state;
    act_token_create(&a, ROLE_BILLING, "revenue", "north", 2000, token);
    assert_ok(act_end(&a));
    assert_int_equal(43, strlen(token));
    memcpy(wrong, token, sizeof wrong);
    wrong[42] = wrong[42] == 'A' ? 'B' : 'A';
    t = ledger_read(l);
    assert_ok(ledger_token(&t, span_text(token), 1999, &facts));
    assert_int_equal(ROLE_BILLING, facts.role);
    assert_string_equal("revenue", facts.name);
    assert_string_equal("north", facts.org);
    assert_err(ERR_UNAUTHORIZED, ledger_token(&t, span_text(token), 2000, &facts));
    assert_err(ERR_UNAUTHORIZED, ledger_token(&t, span_text(wrong), 1500, &facts));
    assert_err(ERR_UNAUTHORIZED, ledger_token(&t, span_text(""), 1500, &facts));
    assert_ok(txn_end(&t));
    ledger_close(l);
    assert_true(file_holds(folder, span_text("revenue")));
    assert_false(file_holds(folder, span_text(token)));
}

static void an_answer_comes_back_byte_by_byte_for_its_caller_alone(void **state)
{
    struct ledger *l = opened(check_folder());
    struct act a = act_begin(l, "root", 1000, 42);
    uint8_t request[32] = { 1, 2, 3 }, kept[32];
    struct span body;
    unsigned status;
    struct txn t;

    (void)state;
    act_answer(&a, span_text("ann"), span_text("k1"), request, 201, span_text("{\"x\":1}"));
    assert_ok(act_end(&a));
    t = ledger_read(l);
    assert_true(ledger_answered(&t, span_text("ann"), span_text("k1"), kept, &status, &body));
    assert_memory_equal(request, kept, 32);
    assert_int_equal(201, status);
    assert_true(span_equal(body, span_text("{\"x\":1}")));
    assert_false(ledger_answered(&t, span_text("bob"), span_text("k1"), kept, &status, &body));
    assert_false(ledger_answered(&t, span_text("an"), span_text("nk1"), kept, &status, &body));
    assert_int_equal(0, ledger_end(&t));
    assert_ok(txn_end(&t));
    ledger_close(l);
}

static void an_import_counts_once_it_is_complete(void **state)
{
    struct ledger *l = opened(check_folder());
    struct act a = act_begin(l, "root", 1000, 42);
    uint32_t one = 0, two = 0;
    struct txn t;

    (void)state;
    act_import_begin(&a, &one);
    assert_ok(act_end(&a));
    a = act_begin(l, "root", 1001, 43);
    act_import_begin(&a, &two);
    assert_ok(act_end(&a));
    assert_int_equal(one + 1, two);
    a = act_begin(l, "root", 1002, 44);
    act_import_complete(&a, one, 7);
    assert_ok(act_end(&a));
    t = ledger_read(l);
    assert_true(ledger_import_complete(&t, one));
    assert_false(ledger_import_complete(&t, two));
    assert_false(ledger_import_complete(&t, 99));
    assert_ok(txn_end(&t));
    ledger_close(l);
}

static void a_flags_birth_never_changes_and_its_decision_does(void **state)
{
    struct ledger *l = opened(check_folder());
    struct act a = act_begin(l, "root", 1000, 42);
    struct span id = span_text("00000007-leak-60000000"), facts;
    struct flag_decision d = { .state = 2, .at_s = 5, .who = "ann", .note = "a fountain" }, out;
    struct scan s;
    struct txn t;

    (void)state;
    act_flag_born(&a, id, span_text("facts"));
    act_flag_born(&a, id, span_text("others"));
    act_flag_born(&a, span_text("00000008-leak-60000000"), span_text("x"));
    act_flag_decide(&a, id, &d);
    assert_ok(act_end(&a));
    t = ledger_read(l);
    assert_true(ledger_flag_born(&t, id, &facts));
    assert_true(span_equal(facts, span_text("facts")));
    assert_true(ledger_flag_decision(&t, id, &out));
    assert_int_equal(2, out.state);
    assert_string_equal("a fountain", out.note);
    s = ledger_flags_of(&t, 7);
    assert_true(scan_next(&s));
    assert_true(span_equal(s.key, id));
    scan_done(&s);
    assert_ok(txn_end(&t));
    ledger_close(l);
}

/* ---- the audit ---- */

struct gathered {
    size_t count;
    char text[8][256];
};

static bool gather(void *arg, const struct audit_record *r)
{
    struct gathered *g = (struct gathered *)arg;

    snprintf(g->text[g->count++], 256, "%llu.%u %.*s %.*s %.*s -> %.*s",
             (unsigned long long)r->number, (unsigned)r->part, (int)r->who.len, r->who.at,
             (int)r->what.len, r->what.at, (int)r->before.len, r->before.at, (int)r->after.len,
             r->after.at);
    return g->count < 8;
}

static void each_act_tells_who_what_before_and_after(void **state)
{
    struct ledger *l = opened(check_folder());
    struct gathered g = { 0 };
    struct txn t;

    (void)state;
    put(l, LIST_A, "a", LEDGER_ALWAYS, "1\"");
    put(l, LIST_A, "a", 100, "2");
    t = ledger_read(l);
    assert_ok(ledger_audit(&t, 1, gather, &g));
    assert_int_equal(2, g.count);
    assert_string_equal("1.1 root row.add  -> {\"0\":\"a\",\"2\":\"1\\\"\"}", g.text[0]);
    assert_string_equal("2.1 root row.change {\"2\":\"1\\\"\"} -> {\"2\":\"2\"}", g.text[1]);
    g.count = 0;
    assert_ok(ledger_audit(&t, 2, gather, &g));
    assert_int_equal(1, g.count);
    assert_ok(txn_end(&t));
    ledger_close(l);
}

/* Takes a record of the audit out, or changes it, as one would with a tool of one's own. */
#define AUDIT_TABLE 12
static const struct table raw_tables[] = {
    { "keys", 0 },
    { "history", 0 },
    { "fittings-by-meter", 0 },
    { "fittings-by-point", 0 },
    { "points-on-route", 0 },
    { "points-in-zone", 0 },
    { "places", 0 },
    { "imports", 0 },
    { "tokens", 0 },
    { "answers", 0 },
    { "flags", 0 },
    { "decisions", 0 },
    { "audit", 0 },
};

static void tamper(const char *folder, uint64_t number, uint32_t part, const char *value)
{
    const struct db_layout layout = {
        .what = "ledger", .version = 1, .tables = raw_tables, .count = 13
    };
    struct db *db = NULL;
    char path[512];
    struct txn t;
    struct key k;

    snprintf(path, sizeof path, "%s/ledger.mdb", folder);
    assert_ok(db_open(path, &layout, 0, &db, NULL));
    key_clear(&k);
    key_u64(&k, number);
    key_u32(&k, part);
    t = txn_begin(db, TXN_WRITE);
    if (value)
        txn_put(&t, AUDIT_TABLE, key_span(&k), span_text(value));
    else
        txn_del(&t, AUDIT_TABLE, key_span(&k));
    assert_ok(txn_end(&t));
    db_close(db);
}

static void assert_chain(const char *folder, bool holds)
{
    struct ledger *l = opened(folder);
    struct refusal r = { 0 };
    enum err err = ledger_check(l, &r);

    assert_int_equal(holds, err == ERR_OK);
    if (!holds)
        assert_string_not_equal("", r.text);
    ledger_close(l);
}

static const char *three_acts(void)
{
    const char *folder = check_folder();
    struct ledger *l = opened(folder);

    for (int i = 0; i < 3; i++)
        put(l, LIST_A, "a", i, i == 0 ? "x" : i == 1 ? "y" : "z");
    ledger_close(l);
    assert_chain(folder, true);
    return folder;
}

static void assert_fault(const char *folder, enum audit_fault fault, uint64_t number)
{
    struct ledger *l = opened(folder);
    struct audit_verdict v;

    assert_ok(ledger_audit_verify(l, 0, NULL, NULL, &v));
    assert_int_equal(fault, v.fault);
    assert_int_equal(number, v.number);
    assert_int_equal(fault != AUDIT_SOUND, v.text[0] != 0);
    assert_true(v.records >= v.acts);
    ledger_close(l);
}

static void a_record_that_was_changed_put_in_or_taken_out_breaks_the_chain(void **state)
{
    static const struct {
        uint64_t number;
        uint32_t part;
        const char *value;
        enum audit_fault fault;
        uint64_t told;
    } faults[] = {
        { 2, 1, "\x04read\0\0\0\0", AUDIT_CHANGED, 2 },
        { 2, 1, NULL, AUDIT_TAKEN_OUT, 2 },
        { 2, UINT32_MAX, NULL, AUDIT_TAKEN_OUT, 2 },
        { 1, 0, NULL, AUDIT_TAKEN_OUT, 1 },
        { 3, UINT32_MAX, NULL, AUDIT_CUT_OFF, 3 },
        { 3, 2, "\x04read\0\0\0\0", AUDIT_PUT_IN, 3 },
        { 1, UINT32_MAX, "short", AUDIT_CHANGED, 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        const char *folder = three_acts();

        tamper(folder, faults[i].number, faults[i].part, faults[i].value);
        assert_chain(folder, false);
        assert_fault(folder, faults[i].fault, faults[i].told);
    }
}

static void take_act(const char *folder, uint64_t number)
{
    tamper(folder, number, 0, NULL);
    tamper(folder, number, 1, NULL);
    tamper(folder, number, UINT32_MAX, NULL);
    assert_chain(folder, false);
}

static void an_act_that_was_taken_out_or_cut_off_at_the_end_is_missed(void **state)
{
    const char *folder = three_acts();

    (void)state;
    assert_fault(folder, AUDIT_SOUND, 0);
    take_act(folder, 3);
    assert_fault(folder, AUDIT_CUT_OFF, 3);
    folder = three_acts();
    take_act(folder, 2);
    assert_fault(folder, AUDIT_TAKEN_OUT, 2);
}

/* Who may write the file can make a whole new chain; a link that was noted elsewhere tells. */
static void a_noted_link_tells_whether_the_audit_was_made_anew(void **state)
{
    struct ledger *l = opened(three_acts());
    struct audit_verdict noted, v;
    uint8_t other[AUDIT_LINK] = { 0 };

    (void)state;
    assert_ok(ledger_audit_verify(l, 0, NULL, NULL, &noted));
    assert_int_equal(3, noted.end);
    put(l, LIST_A, "a", 9, "w");
    assert_ok(ledger_audit_verify(l, noted.end, noted.link, NULL, &v));
    assert_int_equal(AUDIT_SOUND, v.fault);
    assert_int_equal(4, v.acts);
    assert_ok(ledger_audit_verify(l, noted.end, other, NULL, &v));
    assert_int_equal(AUDIT_ANOTHER, v.fault);
    assert_ok(ledger_audit_verify(l, 5, other, NULL, &v));
    assert_int_equal(AUDIT_CUT_OFF, v.fault);
    ledger_close(l);
}

static void a_process_that_dies_in_an_act_leaves_nothing_of_it(void **state)
{
    const char *folder = check_folder();
    struct ledger *l = opened(folder);
    pid_t child;
    int status;

    (void)state;
    put(l, LIST_A, "before", LEDGER_ALWAYS, "1");
    ledger_close(l);
    if ((child = fork()) == 0) {
        struct ledger *own = NULL;
        struct act a;

        if (ledger_open(folder, 0, &own, NULL))
            _exit(2);
        a = act_begin(own, "root", 1000, 42);
        put_at(&a, LIST_A, "during", LEDGER_ALWAYS, "1", NULL, NULL);
        _exit(a.txn.err ? 2 : 0);
    }
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_int_equal(0, status);
    l = opened(folder);
    assert_cell(l, "before", INT64_MAX, "1");
    assert_cell(l, "during", INT64_MAX, NULL);
    assert_ok(ledger_check(l, NULL));
    ledger_close(l);
}

/* ---- commands ---- */

struct commands_seen {
    struct command_row rows[64];
    size_t count;
};

static bool see_command(void *arg, const struct command_row *row)
{
    struct commands_seen *s = (struct commands_seen *)arg;

    s->rows[s->count++] = *row;
    return true;
}

static void fill_text(struct check_random *r, char *out, size_t cap)
{
    size_t len = check_below(r, cap);

    for (size_t i = 0; i < len; i++)
        out[i] = (char)check_between(r, 'a', 'z');
    out[len] = 0;
}

static struct command_row any_command(struct check_random *r, uint32_t meter)
{
    struct command_row row = { .meter = meter };

    row.what = (uint8_t)check_below(r, 7);
    row.state = (uint8_t)check_below(r, COMMAND_STATES);
    row.flags = (uint8_t)check_below(r, 16);
    row.result = (uint8_t)check_random(r);
    row.tries = (uint8_t)check_random(r);
    row.value = (int64_t)check_random(r);
    row.until = (int64_t)(check_random(r) >> 1);
    row.expires_s = (uint32_t)check_random(r);
    row.queued_s = (uint32_t)check_random(r);
    row.approved_s = (uint32_t)check_random(r);
    row.sent_s = (uint32_t)check_random(r);
    row.delivered_s = (uint32_t)check_random(r);
    row.ended_s = (uint32_t)check_random(r);
    row.retry_s = (uint32_t)check_random(r);
    row.attempts = (uint32_t)check_random(r);
    fill_text(r, row.asked_by, sizeof row.asked_by);
    fill_text(r, row.approved_by, sizeof row.approved_by);
    fill_text(r, row.why, sizeof row.why);
    return row;
}

static void commands_come_back_by_meter_in_order_and_the_living_once_more(void **state)
{
    struct ledger *l = opened(check_folder());
    struct check_random r = check_random_begin();
    static struct command_row kept[64];
    static struct commands_seen seen;
    bool live[64];
    struct refusal why = { 0 };
    size_t living = 0, of_one = 0;
    struct act a;
    struct txn t;

    (void)state;
    for (uint32_t i = 0; i < 64; i++) {
        kept[i] = any_command(&r, 1 + (uint32_t)check_below(&r, 3));
        a = act_begin(l, "root", 1000, 42);
        act_command_new(&a, &kept[i]);
        assert_ok(act_end(&a));
        assert_int_equal(kept[i].id, i + 1);
    }
    for (uint32_t i = 0; i < 64; i++) {
        struct command_row other = any_command(&r, kept[i].meter);

        other.id = kept[i].id;
        kept[i] = other;
        live[i] = check_below(&r, 2);
        living += live[i];
        of_one += kept[i].meter == 1;
        a = act_begin(l, "root", 1000, 42);
        act_command_put(&a, &kept[i], "command.sent", live[i]);
        assert_ok(act_end(&a));
    }
    t = ledger_read(l);
    assert_ok(ledger_commands_of(&t, 1, 0, see_command, &seen));
    assert_int_equal(seen.count, of_one);
    for (size_t i = 0; i < seen.count; i++) {
        assert_memory_equal(&seen.rows[i], &kept[seen.rows[i].id - 1], sizeof kept[0]);
        assert_true(i == 0 || seen.rows[i].id > seen.rows[i - 1].id);
    }
    seen.count = 0;
    assert_ok(ledger_commands_live(&t, see_command, &seen));
    assert_int_equal(seen.count, living);
    for (size_t i = 0; i < seen.count; i++)
        assert_true(live[seen.rows[i].id - 1]);
    assert_ok(txn_end(&t));
    assert_ok(ledger_check(l, &why));
    ledger_close(l);
}

/* ---- lives ---- */

#define LIFE_MOST 300

/* A plain list of events in their order, and the ledger's, walked side by side. */
struct told {
    struct life_event at[LIFE_MOST];
    size_t count, seen;
    bool differ;
};

static bool same_event(const struct life_event *a, const struct life_event *b)
{
    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        if (!span_equal(a->text[i], b->text[i]))
            return false;
    return a->kind == b->kind && a->flags == b->flags && a->arrival == b->arrival &&
           a->at_s == b->at_s && a->recorded_s == b->recorded_s && a->act == b->act &&
           a->point == b->point && a->index_ml == b->index_ml && a->verified_on == b->verified_on &&
           a->valid_until == b->valid_until;
}

static bool see_event(void *arg, const struct life_event *e)
{
    struct told *t = (struct told *)arg;

    t->differ = t->differ || t->seen >= t->count || !same_event(&t->at[t->seen], e);
    t->seen++;
    return true;
}

static void model_put(struct told *t, const struct life_event *e)
{
    size_t i = 0;

    while (i < t->count &&
           (t->at[i].at_s < e->at_s || (t->at[i].at_s == e->at_s && t->at[i].arrival < e->arrival)))
        i++;
    if (i == t->count || t->at[i].at_s != e->at_s || t->at[i].arrival != e->arrival)
        memmove(&t->at[i + 1], &t->at[i], (t->count++ - i) * sizeof t->at[0]);
    t->at[i] = *e;
}

static struct life_event any_event(struct check_random *r, const char *letters)
{
    struct life_event e = { .kind = (uint8_t)check_below(r, EVENT_KINDS),
                            .flags = (uint8_t)check_below(r, 32),
                            .at_s = check_between(r, 1000, 1060),
                            .verified_on = NO_DAY,
                            .valid_until = NO_DAY,
                            .act = check_below(r, 4) ? 0 : check_random(r),
                            .recorded_s = check_below(r, 3) ? check_between(r, 1, 5000) : 0 };

    if (check_below(r, 20) == 0)
        e.at_s = check_below(r, 2) ? LEDGER_ALWAYS : INT64_MAX;
    if (e.flags & EVENT_HAS_INDEX)
        e.index_ml = check_between(r, -5, 1000000000);
    if (e.kind == EVENT_INSTALL)
        e.point = (uint32_t)check_random(r);
    if (e.kind == EVENT_VERIFY && check_below(r, 2))
        e.verified_on = (int32_t)check_between(r, -400, 20000);
    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        if (check_below(r, 4) == 0)
            e.text[i] = span_of(letters, check_below(r, check_below(r, 8) ? 12 : 1024) + 1);
    return e;
}

static void any_life_reads_as_the_plain_list_of_its_events(void **state)
{
    struct check_random r = check_random_begin();
    struct ledger *l = opened(check_folder());
    struct told *told = (struct told *)calloc(3, sizeof *told);
    struct refusal why = { 0 };
    char letters[1025];
    struct txn t;

    (void)state;
    memset(letters, 'e', sizeof letters);
    for (unsigned i = 0; i < 400; i++) {
        struct act a = act_begin(l, "root", 1000 + i, 0);
        uint32_t m = (uint32_t)check_below(&r, 3);
        struct life_event e = any_event(&r, letters);

        if (told[m].count && check_below(&r, 4) == 0) { /* another in its place */
            const struct life_event *old = &told[m].at[check_below(&r, told[m].count)];

            e.at_s = old->at_s;
            e.arrival = old->arrival;
        }
        act_put_event(&a, m + 1, &e);
        act_note(&a, "told", span_text("m"), span_text(""), span_text(""), span_text(""));
        assert_ok(act_end(&a));
        model_put(&told[m], &e);
    }
    t = ledger_read(l);
    for (uint32_t m = 0; m < 3; m++) {
        told[m].seen = 0;
        assert_ok(ledger_events(&t, m + 1, see_event, &told[m]));
        assert_false(told[m].differ);
        assert_int_equal(told[m].count, told[m].seen);
    }
    assert_ok(txn_end(&t));
    if (ledger_check(l, &why))
        fail_msg("%s", why.text);
    ledger_close(l);
    free(told);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_dense_within_their_list),
        cmocka_unit_test(a_row_is_what_it_was_at_each_instant),
        cmocka_unit_test(any_history_reads_as_the_last_told_of_each_instant),
        cmocka_unit_test(a_row_that_begins_later_is_not_there_before),
        cmocka_unit_test(equal_cells_take_no_number_and_leave_no_record),
        cmocka_unit_test(an_aborted_act_changes_nothing),
        cmocka_unit_test(a_walk_goes_in_order_of_keys_and_stays_in_its_list),
        cmocka_unit_test(keys_of_several_texts_do_not_run_together),
        cmocka_unit_test(fittings_come_back_by_meter_and_by_point_in_order_of_time),
        cmocka_unit_test(a_point_stands_on_one_route_and_leaves_it_when_moved),
        cmocka_unit_test(a_token_opens_until_it_expires_and_is_kept_only_as_a_hash),
        cmocka_unit_test(an_answer_comes_back_byte_by_byte_for_its_caller_alone),
        cmocka_unit_test(an_import_counts_once_it_is_complete),
        cmocka_unit_test(a_flags_birth_never_changes_and_its_decision_does),
        cmocka_unit_test(commands_come_back_by_meter_in_order_and_the_living_once_more),
        cmocka_unit_test(each_act_tells_who_what_before_and_after),
        cmocka_unit_test(a_record_that_was_changed_put_in_or_taken_out_breaks_the_chain),
        cmocka_unit_test(an_act_that_was_taken_out_or_cut_off_at_the_end_is_missed),
        cmocka_unit_test(a_noted_link_tells_whether_the_audit_was_made_anew),
        cmocka_unit_test(any_life_reads_as_the_plain_list_of_its_events),
        cmocka_unit_test(a_process_that_dies_in_an_act_leaves_nothing_of_it),
    };

    return check_run(tests, argc, argv);
}
