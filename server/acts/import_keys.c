/* A file of keys: each is sealed and put into the ledger inside one act, in memory and on its way to
 * decoders only when that is committed.  Whatever is told of a row, its key is not. */
#include "proto/base/hex.h"
#include "server/acts/import.h"
#include "server/acts/keyfile_xml.h"
#include "server/acts/quarantine.h"
#include "server/acts/register.h"
#include "server/lore.h"
#include "storage/secret.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEYS_SERIAL, KEYS_KIND, KEYS_HEX, KEYS_FROM };

const struct list list_keyfile = {
    .kind = LIST_COUNT,
    .plural = "keys",
    .columns = 4,
    .column = {
        [KEYS_SERIAL] = { "serial", COLUMN_SERIAL, NEED_KEY },
        [KEYS_KIND] = { "kind", COLUMN_TEXT, NEED_KEY },
        [KEYS_HEX] = { "key_hex", COLUMN_TEXT, NEED_MUST },
        [KEYS_FROM] = { "valid_from", COLUMN_TIME, NEED_MAY },
    },
};

#define NOTED_ONE_BY_ONE                                                                           \
    1000u /* as of the register's rows: with more the audit tells the file alone */
#define LOOKS_LIKE_A_KEY 24 /* hexadecimal digits in a row, in a column that holds something else */
#define RING_AT_ONCE 4096u  /* keys that the ring takes before others may decode again */
#define OF_A_METER                                                                                 \
    64u /* keys of one kind: a life's; each row looks at all of them, and so does each frame */

static const struct {
    const char *name, *expected;
    size_t least, most; /* bytes */
} kinds[] = {
    [KEY_PSK] = { "psk", "2 to 128 hexadecimal digits in pairs", 1, KEYRING_KEY_MAX },
    [KEY_OMS] = { "oms", "32 hexadecimal digits in pairs, or 16 (DES, PRIOS)", 8, 16 },
    [KEY_OSCORE] = { "oscore", "32 to 64 hexadecimal digits in pairs", 16, 32 },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

const char *key_kind_name(uint8_t kind)
{
    return kind && kind < KINDS ? kinds[kind].name : "unknown";
}

struct key_row {
    uint32_t meter;
    uint8_t kind;
    bool dated; /* the file says from when */
    int64_t from_s;
    struct span serial; /* as the file has it */
    size_t len;
    uint8_t key[KEYRING_KEY_MAX];
};

/* What the ring is told after the commit. */
struct new_key {
    uint32_t meter;
    uint8_t kind, len;
    int64_t from_s;
    uint8_t key[KEYRING_KEY_MAX];
};

struct keys {
    struct import *import;
    const struct store_key *store_key;
    struct act act;
    struct new_key *fresh; /* in memory for secrets */
    size_t count, cap;
    json_t *digits; /* of makers' files; NULL until one is asked */
};

/* ---- refusals ---- */

/* As keys are printed on paper and in other programs. */
static bool between_digits(uint8_t c)
{
    return c && strchr(" \t:-._,xX", c);
}

/* Columns get mixed up: whatever may be a key is not shown, wherever it stands. */
static struct span shown(struct span found)
{
    size_t digits = 0;

    for (size_t i = 0; i < found.len; i++) {
        if (hex_digit(found.at[i]) >= 0)
            digits++;
        else if (!between_digits(found.at[i]))
            digits = 0;
        if (digits == LOOKS_LIKE_A_KEY)
            return span_text("something that may be a key, and is not shown");
    }
    return found;
}

static enum err refuse_cell(struct import_refusal *why, enum err err, unsigned column,
                            struct span found, const char *expected)
{
    return row_refuse(why, err, &list_keyfile.column[column],
                      found.len ? shown(found) : span_text("nothing"), "%s", expected);
}

/* The column's name is written in the file as well. */
static struct import_refusal fault_told(const struct import_refusal *f, const char *found)
{
    struct span column = shown(span_text(f->column));
    struct import_refusal told;

    import_refusal_fill(&told, f->line, column.at == (const uint8_t *)f->column ? f->column : "",
                        span_text(found), f->expected);
    return told;
}

/* A fault in the row's form: what was found may be the key itself, unless it stands in another
 * column or counts cells. */
static bool keys_fault(void *arg, const struct import_refusal *fault)
{
    struct keys *k = (struct keys *)arg;
    bool other = strstr(fault->found, " cells") != NULL;
    struct import_refusal told;

    for (unsigned i = 0; i < list_keyfile.columns; i++)
        other = other || (i != KEYS_HEX && !strcmp(fault->column, list_keyfile.column[i].name));
    told = fault_told(fault, other ? (const char *)shown(span_text(fault->found)).at
                                   : "something that is not shown");
    k->import->report->rows++;
    return import_refuse(k->import, &told);
}

/* A file without a header has a row of keys there. */
static void refuse_header(struct keys *k, const struct import_refusal *header)
{
    struct import_refusal told =
        fault_told(header, (const char *)shown(span_text(header->found)).at);

    import_refuse(k->import, &told);
}

/* ---- cells ---- */

static enum err take_serial(struct keys *k, struct span cell, struct key_row *out,
                            struct import_refusal *why)
{
    out->serial = cell;
    out->meter = text_is_serial(cell) ? registry_find(k->import->app->registry, cell) : 0;
    return out->meter ? ERR_OK
                      : refuse_cell(why, cell.len ? ERR_NOT_FOUND : ERR_INVALID, KEYS_SERIAL, cell,
                                    "the serial or radio name of a meter that is registered");
}

static enum err take_kind(struct span cell, struct key_row *out, struct import_refusal *why)
{
    for (unsigned i = 1; i < KINDS; i++) {
        if (span_equal(cell, span_text(kinds[i].name))) {
            out->kind = (uint8_t)i;
            return ERR_OK;
        }
    }
    return refuse_cell(why, ERR_INVALID, KEYS_KIND, cell, "psk, oms or oscore");
}

static enum err take_key(struct span cell, struct key_row *out, struct import_refusal *why)
{
    char found[64];
    enum err err = hex_read(cell, out->key, sizeof out->key, &out->len);

    if (!err && out->len >= kinds[out->kind].least && out->len <= kinds[out->kind].most &&
        (out->kind != KEY_OMS || out->len % 8 == 0))
        return ERR_OK;
    snprintf(found, sizeof found, "%zu characters%s", cell.len,
             err == ERR_FULL ? ""
             : err           ? ", not all of them such pairs"
                             : "");
    return refuse_cell(why, ERR_INVALID, KEYS_HEX, cell.len ? span_text(found) : cell,
                       kinds[out->kind].expected);
}

static enum err take_from(struct keys *k, struct span cell, struct key_row *out,
                          struct import_refusal *why)
{
    uint8_t bytes[64];
    struct wr w = wr_of(bytes, sizeof bytes);
    enum err err;

    out->dated = cell.len != 0;
    if (!out->dated)
        return ERR_OK;
    err = cell_read(&list_keyfile.column[KEYS_FROM], cell, k->import->zone, &w, NULL);
    if (!err)
        err = text_time(wr_span(&w), NULL, &out->from_s);
    return err ? refuse_cell(why, ERR_INVALID, KEYS_FROM, cell,
                             cell_expected(&list_keyfile.column[KEYS_FROM]))
               : ERR_OK;
}

static enum err row_take(struct keys *k, const struct rowfile_row *row, struct key_row *out,
                         struct import_refusal *why)
{
    enum err err;

    if ((err = take_serial(k, row->cells[KEYS_SERIAL], out, why)) ||
        (err = take_kind(row->cells[KEYS_KIND], out, why)) ||
        (err = take_key(row->cells[KEYS_HEX], out, why)))
        return err;
    return take_from(k, row->cells[KEYS_FROM], out, why);
}

/* ---- what is known ---- */

struct known {
    const struct store_key *store_key;
    const struct key_row *row;
    unsigned count;               /* keys of this kind */
    bool equal;                   /* and this very key */
    bool same_place;              /* one from that instant */
    bool same_equal;              /* and it is this one */
    char print[FINGERPRINT_SIZE]; /* of the one from that instant */
    enum err err;
};

static bool known_one(void *arg, const struct sealed_key *s)
{
    struct known *n = (struct known *)arg;
    uint8_t place[SEALED_PLACE_SIZE], key[KEYRING_KEY_MAX];
    size_t len = 0;
    bool equal;

    if (s->kind != n->row->kind)
        return true;
    n->count++;
    if (n->row->dated && s->from_s != n->row->from_s)
        return true; /* whether it is another one does not matter */
    sealed_place(s, place);
    n->err = store_key_unseal(n->store_key, span_of(place, sizeof place), s->sealed, key,
                              sizeof key, &len);
    if (n->err)
        return false;
    equal = span_equal(span_of(key, len), span_of(n->row->key, n->row->len));
    n->equal = n->equal || equal;
    if (s->from_s == n->row->from_s) {
        n->same_place = true;
        n->same_equal = equal;
        store_key_fingerprint(n->store_key, s->kind, span_of(key, len), n->print);
    }
    secret_wipe(key, sizeof key);
    return true;
}

static enum err known_keys(struct keys *k, const struct key_row *row, struct known *out)
{
    enum err err;

    *out = (struct known){ .store_key = k->store_key, .row = row };
    err = ledger_keys(&k->act.txn, row->meter, known_one, out);
    return out->err ? out->err : err;
}

/* A key without a date holds since ever where the meter has none of its kind, else from now on; one that is known stays what it
 * is. */
static enum err place_find(struct keys *k, struct key_row *row, bool *out_same,
                           struct import_refusal *why)
{
    struct known known;
    enum err err;

    if (!row->dated)
        row->from_s = k->import->now_s;
    if ((err = known_keys(k, row, &known)))
        return err;
    if (!row->dated && !known.count)
        row->from_s = LEDGER_ALWAYS;
    *out_same = row->dated ? known.same_equal : known.equal;
    if (*out_same)
        return ERR_OK;
    if (known.count >= OF_A_METER)
        return row_refuse(why, ERR_CONFLICT, &list_keyfile.column[KEYS_HEX],
                          span_text("one more key"), "at most %u keys of a kind for one meter",
                          OF_A_METER);
    if (!known.same_place)
        return ERR_OK;
    return row_refuse(why, ERR_EXISTS, &list_keyfile.column[KEYS_HEX], span_text("another key"),
                      "the key with the fingerprint %s, as %.*s has it from that time on, or "
                      "another valid_from",
                      known.print, (int)row->serial.len, (const char *)row->serial.at);
}

/* ---- putting ---- */

static enum err fresh_add(struct keys *k, const struct key_row *row)
{
    struct new_key *n;

    if (k->count == k->cap) {
        size_t cap = k->cap ? k->cap * 2 : 64;
        struct new_key *more =
            (struct new_key *)(k->fresh ? secret_grow(k->fresh, k->cap * sizeof *more,
                                                      cap * sizeof *more)
                                        : secret_new(cap * sizeof *more));

        if (!more)
            return ERR_NO_MEMORY;
        k->fresh = more;
        k->cap = cap;
    }
    n = &k->fresh[k->count++];
    *n = (struct new_key){
        .meter = row->meter, .kind = row->kind, .len = (uint8_t)row->len, .from_s = row->from_s
    };
    memcpy(n->key, row->key, row->len);
    return ERR_OK;
}

static void note_key(struct keys *k, const struct key_row *row)
{
    char told[160], from[TEXT_TIME_SIZE] = "", print[FINGERPRINT_SIZE];
    struct ledger_row meter;
    struct span serial = row->serial;

    if (row->from_s != LEDGER_ALWAYS)
        text_put_time(from, row->from_s);
    store_key_fingerprint(k->store_key, row->kind, span_of(row->key, row->len), print);
    snprintf(told, sizeof told, "{\"kind\":\"%s\",\"valid_from\":%s%s%s,\"fingerprint\":\"%s\"}",
             key_kind_name(row->kind), *from ? "\"" : "", *from ? from : "null", *from ? "\"" : "",
             print);
    if (ledger_by_id(&k->act.txn, LIST_METER, row->meter, INT64_MAX, &meter))
        serial = meter.cells[CELL_METER_serial];
    act_note(&k->act, "keys.add", serial, span_of(NULL, 0), span_text(told), span_of(NULL, 0));
}

static enum err key_put(struct keys *k, const struct key_row *row)
{
    uint8_t place[SEALED_PLACE_SIZE], sealed[KEYRING_KEY_MAX + SEALED_MORE];
    struct sealed_key s = { .meter = row->meter, .kind = row->kind, .from_s = row->from_s };
    enum err err;

    sealed_place(&s, place);
    err = store_key_seal(k->store_key, span_of(place, sizeof place), span_of(row->key, row->len),
                         sealed);
    if (err)
        return err;
    s.sealed = span_of(sealed, row->len + SEALED_MORE);
    act_put_key(&k->act, &s);
    if (k->import->report->written < NOTED_ONE_BY_ONE)
        note_key(k, row);
    return k->act.txn.err ? k->act.txn.err : fresh_add(k, row);
}

static bool keys_row(void *arg, const struct rowfile_row *cells)
{
    struct keys *k = (struct keys *)arg;
    struct import_report *report = k->import->report;
    struct key_row row = { 0 };
    struct import_refusal why;
    bool same = false;
    enum err err;

    if (import_stopped(k->import))
        return false;
    report->rows++;
    if (!(err = row_take(k, cells, &row, &why)) && !(err = place_find(k, &row, &same, &why)) &&
        !same)
        err = key_put(k, &row);
    secret_wipe(&row, sizeof row);
    if (row_refused(err)) {
        why.line = cells->line;
        return import_refuse(k->import, &why);
    }
    if (err) {
        k->import->err = err;
        return false;
    }
    *(same ? &report->unchanged : &report->written) += 1;
    return true;
}

/* ---- files ---- */

/* Such files name meters by the eight digits alone, where the register may have what the radio calls
 * them in full: digits → meter, 0 where two have them. Made for the first name that is not found. */
static bool digits_note(void *arg, const struct ledger_row *row)
{
    json_t *digits = (json_t *)arg;
    struct span names[] = { radio_digits(row->cells[CELL_METER_serial]),
                            radio_digits(row->cells[CELL_METER_radio_id]) };

    for (int i = 0; i < 2; i++) {
        const json_t *other;

        if (!names[i].len)
            continue;
        other = json_object_getn(digits, (const char *)names[i].at, names[i].len);
        json_object_setn_new(
            digits, (const char *)names[i].at, names[i].len,
            json_integer(other && json_integer_value(other) != row->id ? 0 : row->id));
    }
    return true;
}

static uint32_t meter_of_digits(struct keys *k, struct span name)
{
    uint8_t room[RADIO_NAME_MAX];
    struct span form = registry_radio_form(name, room);

    if (!k->digits && (k->digits = json_object()) &&
        ledger_each_by_id(&k->act.txn, LIST_METER, 1, digits_note, k->digits))
        return 0; /* the transaction knows */
    return (uint32_t)json_integer_value(
        json_object_getn(k->digits, (const char *)form.at, form.len));
}

/* The names in turn: the first that is registered, else the first that is a meter's digits. */
static bool xml_meter(void *arg, const struct keyfile_meter *m)
{
    struct keys *k = (struct keys *)arg;
    struct rowfile_row row = { .line = m->line };
    struct ledger_row meter;
    char serial[SERIAL_MAX + 1];
    uint32_t id = 0;

    row.cells[KEYS_SERIAL] = m->names[0].len ? m->names[0] : m->names[1];
    row.cells[KEYS_KIND] = span_text(kinds[KEY_OMS].name);
    row.cells[KEYS_HEX] = m->key_hex;
    for (int i = 0; i < 2 && !id; i++)
        if (text_is_serial(m->names[i]))
            id = registry_find(k->import->app->registry, m->names[i]);
    for (int i = 0; i < 2 && !id; i++)
        if (text_is_serial(m->names[i]))
            id = meter_of_digits(k, m->names[i]);
    if (id && ledger_by_id(&k->act.txn, LIST_METER, id, INT64_MAX, &meter)) {
        struct span known = meter.cells[CELL_METER_serial];

        snprintf(serial, sizeof serial, "%.*s", (int)known.len, (const char *)known.at);
        row.cells[KEYS_SERIAL] = span_text(serial);
    }
    return keys_row(arg, &row);
}

static enum err file_read(struct keys *k, struct span text)
{
    static const struct rowfile_calls calls = { keys_row, keys_fault };
    bool xml = keyfile_is_xml(text);
    struct import_refusal fault;
    enum err err = xml ? keyfile_xml_read(text, xml_meter, k, &fault)
                       : rowfile_read(text, &list_keyfile, &calls, k, &fault);

    if (err == ERR_INVALID) {
        if (xml)
            import_refuse(k->import, &fault);
        else
            refuse_header(k, &fault);
        return ERR_INVALID; /* whatever follows is not known: also with keep_going nothing is written */
    }
    return err ? err : import_verdict(k->import);
}

/* ---- the act ---- */

static void note_file(struct keys *k)
{
    const struct import_report *r = k->import->report;
    char told[128];

    snprintf(told, sizeof told,
             "{\"rows\":%llu,\"written\":%llu,\"unchanged\":%llu,\"refused\":%llu}",
             (unsigned long long)r->rows, (unsigned long long)r->written,
             (unsigned long long)r->unchanged, (unsigned long long)r->refused);
    act_note(&k->act, "keys.import", span_of(NULL, 0), span_of(NULL, 0), span_text(told),
             span_of(NULL, 0));
}

static enum err ring_learns(struct keys *k)
{
    struct app *app = k->import->app;
    enum err err = ERR_OK;

    for (size_t done = 0; done < k->count && !err; done += RING_AT_ONCE) {
        registry_write_lock(app->registry);
        for (size_t i = done; i < k->count && i < done + RING_AT_ONCE && !err; i++) {
            const struct new_key *n = &k->fresh[i];

            err = keyring_put(app->keyring, n->meter, (enum key_kind)n->kind, n->from_s,
                              span_of(n->key, n->len));
        }
        registry_write_unlock(app->registry);
    }
    return err;
}

static enum err frames_go_on(struct keys *k)
{
    uint32_t *meters = (uint32_t *)malloc((k->count + 1) * sizeof *meters);
    enum err err;

    if (!meters)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < k->count; i++)
        meters[i] = k->fresh[i].meter;
    err = quarantine_release_meters(k->import->app, meters, k->count);
    free(meters);
    return err;
}

static enum err commit(struct keys *k)
{
    enum err err;

    if (k->import->options->dry_run || k->import->report->written == 0) {
        act_abort(&k->act);
        return ERR_OK;
    }
    note_file(k);
    if ((err = act_end(&k->act)))
        return err;
    /* They are in the ledger: what fails from here on is made good by the next start or retry. */
    if ((err = ring_learns(k)) || (err = frames_go_on(k)))
        fprintf(stderr, "nilod: keys were imported, but frames that wait for them: the store %s\n",
                err_text(err));
    return ERR_OK;
}

enum err import_keys(struct import *i, struct span text)
{
    struct keys k = { .import = i };
    enum err err = lore_store_key(i->app, &k.store_key, NULL);

    if (err)
        return err;
    k.act = act_begin(i->app->ledger, i->caller->who, i->now_s, journal_end(i->app->journal));
    if (!(err = k.act.txn.err))
        err = file_read(&k, text);
    if (err)
        act_abort(&k.act);
    else
        err = commit(&k);
    if (err)
        i->report->written = 0;
    json_decref(k.digits);
    secret_free(k.fresh, k.cap * sizeof *k.fresh);
    return err;
}
