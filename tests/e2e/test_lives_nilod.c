/* Lives of meters under many hands: clients that send at the same moment, back-dated events, exchanges and told fittings on few meters
 * and few places, kills in between.  What a real nilod answered must be what a plain model (tests/plain_life.h) says when it takes the
 * same acts in some order (rules-fleet R7), and what it shows must be that order's lives. */
#include "proto/base/text.h"
#include "tests/check.h"
#include "tests/client/http.h"
#include "tests/nilod.h"
#include "tests/plain_life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METERS 6
#define POINTS 3
#define CLIENTS 3
#define ROUNDS 300
#define KILL_EVERY 60
#define HOUR_S INT64_C(3600)
#define NOW "2026-03-02T01:00:00Z"
#define NOW_S INT64_C(1772413200)
#define SPAN_H (60 * 24) /* events lie in these hours before now */

static struct nilod n = { .clock = NOW };
static struct client clients[CLIENTS];
static struct check_random chance;

/* ---- the model: some meters, and what one act does to them ---- */

static const struct {
    const char *facts;
    bool limited;
    const char *verified_on, *state;
} meters[METERS] = {
    { "\"dn\":15,\"q3\":2.5", true, "2025-06-10", "issued" },
    { "\"dn\":15,\"q3\":2.5", true, "2020-02-10", "in-stock" }, /* runs out on the way */
    { "\"dn\":15,\"q3\":2.5", true, NULL, NULL },
    { "\"dn\":80,\"q3\":63", false, "2024-02-10", "issued" }, /* likewise */
    { "\"dn\":80,\"q3\":63", false, "2025-06-10", "in-stock" },
    { "\"dn\":80,\"q3\":63", false, NULL, "received" },
};

struct city {
    struct plain_meter meter[METERS];
    struct life_event event[METERS][PLAIN_EVENTS_MOST];
    size_t count[METERS];
};

enum wish_kind { WISH_EVENT, WISH_EXCHANGE, WISH_FITTING };

struct wish {
    enum wish_kind kind;
    unsigned meter, newer;   /* of an exchange: the old one and the new one */
    struct life_event event; /* of a fitting its install, of an exchange the remove */
    int64_t to_s;            /* of a fitting; FITTING_OPEN */
    char path[64], body[400], key[24];
    int status;
    char *said;
};

static size_t fittings_of(const struct city *c, unsigned m, struct fitting out[PLAIN_EVENTS_MOST])
{
    return plain_fittings(&c->meter[m], c->event[m], c->count[m], m, out, PLAIN_EVENTS_MOST);
}

static bool against(const struct fitting *a, const struct fitting *b)
{
    return (a->from_s < b->to_s && b->from_s < a->to_s) ||
           (a->from_s == b->from_s && a->to_s == b->to_s);
}

static bool place_is_free(const struct city *c, const struct fitting *f)
{
    static struct fitting others[PLAIN_EVENTS_MOST];

    for (unsigned m = 0; m < METERS; m++) {
        size_t count = m == f->meter ? 0 : fittings_of(c, m, others);

        for (size_t i = 0; i < count; i++)
            if (others[i].point == f->point && against(f, &others[i]))
                return false;
    }
    return true;
}

static bool is_in(const struct fitting *f, const struct fitting *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (f->point == all[i].point && f->from_s == all[i].from_s && f->to_s == all[i].to_s)
            return true;
    return false;
}

static void put(struct city *c, unsigned m, const struct life_event *e)
{
    size_t place = plain_place(c->event[m], c->count[m], e->at_s);

    assert_true(c->count[m] < PLAIN_EVENTS_MOST);
    memmove(&c->event[m][place + 1], &c->event[m][place], (c->count[m] - place) * sizeof *e);
    c->event[m][place] = *e;
    c->count[m]++;
}

/* Each returns false where it is refused; the city may be half changed then. */
static bool event_happens(struct city *c, unsigned m, const struct life_event *e)
{
    static struct fitting before[PLAIN_EVENTS_MOST], after[PLAIN_EVENTS_MOST];
    size_t before_count, after_count;

    if (!plain_takes(&c->meter[m], c->event[m], c->count[m], e))
        return false;
    before_count = fittings_of(c, m, before);
    put(c, m, e);
    after_count = fittings_of(c, m, after);
    for (size_t i = 0; i < after_count; i++)
        if (!is_in(&after[i], before, before_count) && !place_is_free(c, &after[i]))
            return false;
    return true;
}

static bool exchange_happens(struct city *c, const struct wish *w)
{
    size_t place = plain_place(c->event[w->meter], c->count[w->meter], w->event.at_s);
    struct plain_life was = plain_before(&c->meter[w->meter], c->event[w->meter], place);
    struct life_event install = w->event;

    install.kind = EVENT_INSTALL;
    return plain_is_fitted(was.state) && was.point == w->event.point &&
           event_happens(c, w->meter, &w->event) && event_happens(c, w->newer, &install);
}

static int verdict_of(const struct city *c, unsigned m, size_t i)
{
    return c->event[m][i].flags & EVENT_IMPORTED
               ? 0
               : plain_verdict(&c->meter[m], c->event[m], c->count[m], i);
}

/* Nothing that was recorded becomes worse, and the meter's other fittings stay as they are. Told instants are nobody else's. */
static bool fitting_is_told(struct city *c, const struct wish *w)
{
    static struct fitting known[PLAIN_EVENTS_MOST], all[PLAIN_EVENTS_MOST];
    static struct city before;
    struct life_event off = w->event;
    unsigned m = w->meter, added = w->to_s == FITTING_OPEN ? 1 : 2;
    struct fitting f = { m, w->event.point, w->event.at_s, w->to_s, 0, 0, false };
    size_t known_count = fittings_of(c, m, known), count;

    for (size_t i = 0; i < known_count; i++)
        if (against(&f, &known[i]))
            return false;
    if (!place_is_free(c, &f))
        return false;
    before = *c;
    put(c, m, &w->event);
    off.kind = EVENT_REMOVE;
    off.at_s = w->to_s;
    if (added == 2)
        put(c, m, &off);
    for (size_t i = 0, k = 0; i < before.count[m]; i++, k++) {
        while (c->event[m][k].at_s == f.from_s || c->event[m][k].at_s == f.to_s)
            k++;
        if (verdict_of(c, m, k) > verdict_of(&before, m, i))
            return false;
    }
    count = fittings_of(c, m, all);
    if (count != known_count + 1 || !is_in(&f, all, count))
        return false;
    for (size_t i = 0; i < known_count; i++)
        if (!is_in(&known[i], all, count))
            return false;
    return true;
}

static bool happens(struct city *c, const struct wish *w)
{
    static struct city then;
    bool fine;

    then = *c;
    fine = w->kind == WISH_EVENT      ? event_happens(&then, w->meter, &w->event)
           : w->kind == WISH_EXCHANGE ? exchange_happens(&then, w)
                                      : fitting_is_told(&then, w);
    if (fine)
        *c = then;
    return fine;
}

/* ---- wishes ---- */

static void time_text(char out[TEXT_TIME_SIZE], int64_t at_s)
{
    text_put_time(out, at_s);
}

/* An index rises with time, so that readings stand against nothing here. */
static long index_at(int64_t at_s)
{
    return (long)((at_s - NOW_S) / 60 + INT64_C(60) * (SPAN_H + 24));
}

static struct life_event event_at(enum life_kind kind, int64_t at_s, uint32_t point)
{
    struct life_event e = { .kind = (uint8_t)kind,
                            .at_s = at_s,
                            .point = point,
                            .verified_on = NO_DAY,
                            .valid_until = NO_DAY };

    e.text[EVENT_NOTE] = span_text("told");
    return e;
}

static int64_t some_hour(const struct city *c, unsigned m)
{
    int64_t last_s = c->count[m] ? c->event[m][c->count[m] - 1].at_s : NOW_S - SPAN_H * HOUR_S;
    int64_t next_s = last_s - last_s % HOUR_S + check_between(&chance, 1, 24) * HOUR_S;

    if (check_below(&chance, 3) && next_s <= NOW_S)
        return next_s;
    return NOW_S - check_between(&chance, 0, SPAN_H) * HOUR_S;
}

/* Mostly one that the table allows after all that the meter went through. */
static enum life_kind some_kind(const struct city *c, unsigned m)
{
    struct plain_life now = plain_before(&c->meter[m], c->event[m], c->count[m]);
    enum life_kind kind;
    bool dead_end;
    unsigned tries = check_below(&chance, 4) ? 100 : 1;

    do {
        kind = (enum life_kind)check_below(&chance, EVENT_KINDS);
        dead_end = kind == EVENT_SCRAP || kind == EVENT_RETIRE || kind == EVENT_REJECT;
        if (dead_end && check_below(&chance, 10))
            kind = EVENT_LOSE; /* from which they come back */
    } while (--tries && !plain_word(plain_page[kind].from, now.state));
    return kind;
}

static void wish_event(struct wish *w, const struct city *c)
{
    enum life_kind kind = some_kind(c, w->meter);
    char at[TEXT_TIME_SIZE], where[64] = "";

    w->kind = WISH_EVENT;
    w->event = event_at(kind, some_hour(c, w->meter),
                        kind == EVENT_INSTALL ? (uint32_t)check_between(&chance, 1, POINTS) : 0);
    time_text(at, w->event.at_s);
    if (w->event.point)
        snprintf(where, sizeof where, "\"point\":\"P%u\",", (unsigned)w->event.point);
    snprintf(w->path, sizeof w->path, "/v1/meters/L%u/events", w->meter);
    snprintf(
        w->body, sizeof w->body,
        "{\"event\":\"%s\",\"at\":\"%s\",%s%s%ld%s\"document\":\"D\",\"note\":\"N\",\"crew\":\"c\","
        "\"certificate\":\"C\",\"result\":\"pass\"}",
        plain_page[kind].event, at, where,
        kind == EVENT_LOSE ? "\"batch\":\"" : "\"index_l\":", index_at(w->event.at_s),
        kind == EVENT_LOSE ? "\"," : ",");
}

static void wish_exchange(struct wish *w, const struct city *c)
{
    char at[TEXT_TIME_SIZE];
    struct plain_life was;
    size_t place;

    w->kind = WISH_EXCHANGE;
    do
        w->newer = (unsigned)check_below(&chance, METERS);
    while (w->newer == w->meter);
    w->event = event_at(EVENT_REMOVE, some_hour(c, w->meter), 0);
    place = plain_place(c->event[w->meter], c->count[w->meter], w->event.at_s);
    was = plain_before(&c->meter[w->meter], c->event[w->meter], place);
    w->event.point = was.point ? was.point : 1;
    time_text(at, w->event.at_s);
    snprintf(w->path, sizeof w->path, "/v1/exchanges");
    snprintf(w->body, sizeof w->body,
             "{\"point\":\"P%u\",\"at\":\"%s\",\"old_serial\":\"L%u\",\"old_index_l\":%ld,"
             "\"new_serial\":\"L%u\",\"new_index_l\":%ld,\"reason\":\"periodic\"}",
             (unsigned)w->event.point, at, w->meter, index_at(w->event.at_s), w->newer,
             index_at(w->event.at_s));
}

static void wish_fitting(struct wish *w)
{
    static int64_t own; /* seconds that no event and no other fitting has */
    char from[TEXT_TIME_SIZE], to[TEXT_TIME_SIZE], ended[80] = "";

    w->kind = WISH_FITTING;
    own = own % 1800 + 2;
    w->event = event_at(EVENT_INSTALL, NOW_S - check_between(&chance, 1, SPAN_H) * HOUR_S + own,
                        (uint32_t)check_between(&chance, 1, POINTS));
    w->event.flags = EVENT_IMPORTED;
    w->to_s = w->event.at_s + check_between(&chance, 1, 100) * HOUR_S + 1;
    if (w->to_s > NOW_S || check_below(&chance, 8) == 0)
        w->to_s = FITTING_OPEN;
    time_text(from, w->event.at_s);
    if (w->to_s != FITTING_OPEN) {
        time_text(to, w->to_s);
        snprintf(ended, sizeof ended, ",\"to\":\"%s\",\"end_index_l\":%ld", to, index_at(w->to_s));
    }
    snprintf(w->path, sizeof w->path, "/v1/fittings");
    snprintf(w->body, sizeof w->body,
             "{\"point\":\"P%u\",\"serial\":\"L%u\",\"from\":\"%s\",\"start_index_l\":%ld%s}",
             (unsigned)w->event.point, w->meter, from, index_at(w->event.at_s), ended);
}

static void some_wish(struct wish *w, const struct city *c, unsigned favourite)
{
    static unsigned number;
    uint64_t what = check_below(&chance, 10);

    memset(w, 0, sizeof *w);
    w->meter = check_below(&chance, 2) ? favourite : (unsigned)check_below(&chance, METERS);
    snprintf(w->key, sizeof w->key, "wish-%u", ++number);
    if (what < 7)
        wish_event(w, c);
    else if (what < 9)
        wish_exchange(w, c);
    else
        wish_fitting(w);
}

/* ---- asking nilod ---- */

static void connect_all(void)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        client_open(&clients[i], n.http_host, n.http_port, n.token);
}

static void part_all(void)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        client_close(&clients[i]);
}

static void ask(struct client *c, const struct wish *w)
{
    char fields[96];

    snprintf(fields, sizeof fields, "Content-Type: application/json\r\nIdempotency-Key: %s\r\n",
             w->key);
    client_ask(c, "POST", w->path, fields, w->body, strlen(w->body));
}

static void hear(struct client *c, struct wish *w)
{
    struct answer a;

    client_answer(c, "POST", &a);
    w->status = a.status;
    free(w->said);
    w->said = strdup(a.body);
    answer_done(&a);
    if (w->status != 201 && w->status != 409)
        fail_msg("%s %s: expected 201 or 409, heard %d %s", w->path, w->body, w->status, w->said);
}

static json_t *get(const char *path)
{
    struct answer a;
    json_t *json;

    http_get(&clients[0], path, NULL, &a);
    if (a.status != 200)
        fail_msg("%s: heard %d %s", path, a.status, a.body);
    json = answer_json(&a);
    answer_done(&a);
    return json;
}

static void tell(const char *path, const char *body)
{
    struct answer a;

    http_post(&clients[0], path, NULL, body, &a);
    if (a.status != 201)
        fail_msg("%s %s: heard %d %s", path, body, a.status, a.body);
    answer_done(&a);
}

static const char *text_of(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));

    return text ? text : "-";
}

/* ---- what nilod shows against the model ---- */

static bool row_is(const struct city *c, unsigned m, size_t i, const json_t *row)
{
    const struct life_event *e = &c->event[m][i];
    struct plain_life then = plain_before(&c->meter[m], c->event[m], i + 1);
    char at[TEXT_TIME_SIZE], point[8] = "-";

    time_text(at, e->at_s);
    if (e->kind == EVENT_INSTALL)
        snprintf(point, sizeof point, "P%u", (unsigned)e->point);
    return strcmp(text_of(row, "event"), plain_page[e->kind].event) == 0 &&
           strcmp(text_of(row, "at"), at) == 0 && strcmp(text_of(row, "state"), then.state) == 0 &&
           (e->kind != EVENT_INSTALL || strcmp(text_of(row, "point"), point) == 0);
}

static bool history_is(const struct city *c, unsigned m)
{
    char path[64];
    json_t *page, *rows;
    bool same;

    snprintf(path, sizeof path, "/v1/meters/L%u/history", m);
    page = get(path);
    rows = json_object_get(page, "rows");
    same = json_array_size(rows) == c->count[m];
    for (size_t i = 0; same && i < c->count[m]; i++)
        same = row_is(c, m, i, json_array_get(rows, i));
    json_decref(page);
    return same;
}

static void fitting_row(const struct fitting *f, char out[128])
{
    char from[TEXT_TIME_SIZE], to[TEXT_TIME_SIZE] = "-";

    time_text(from, f->from_s);
    if (f->to_s != FITTING_OPEN)
        time_text(to, f->to_s);
    snprintf(out, 128, "L%u at P%u from %s to %s", (unsigned)f->meter, (unsigned)f->point, from,
             to);
}

static int by_begin(const void *a, const void *b)
{
    const struct fitting *x = (const struct fitting *)a, *y = (const struct fitting *)b;

    if (x->from_s != y->from_s)
        return x->from_s < y->from_s ? -1 : 1;
    return x->to_s < y->to_s ? -1 : x->to_s > y->to_s;
}

static void fittings_are(const char *path, struct fitting *expected, size_t count)
{
    json_t *page = get(path), *rows = json_object_get(page, "rows");
    char row[128], shown[128];

    qsort(expected, count, sizeof *expected, by_begin);
    if (json_array_size(rows) != count)
        fail_msg("%s: expected %zu fittings, found %zu", path, count, json_array_size(rows));
    for (size_t i = 0; i < count; i++) {
        const json_t *r = json_array_get(rows, i);

        fitting_row(&expected[i], row);
        snprintf(shown, sizeof shown, "%s at %s from %s to %s", text_of(r, "serial"),
                 text_of(r, "point"), text_of(r, "from"), text_of(r, "to"));
        assert_string_equal(shown, row);
    }
    json_decref(page);
}

static void meter_is(const struct city *c, unsigned m)
{
    struct plain_life now = plain_before(&c->meter[m], c->event[m], c->count[m]);
    struct fitting f[PLAIN_EVENTS_MOST];
    char path[64], point[16] = "-";
    json_t *shown;

    if (!history_is(c, m))
        fail_msg("the history of L%u is another", m);
    snprintf(path, sizeof path, "/v1/meters/L%u", m);
    shown = get(path);
    if (now.point)
        snprintf(point, sizeof point, "P%u", (unsigned)now.point);
    assert_string_equal(text_of(shown, "state"), now.state);
    assert_string_equal(text_of(shown, "point"), point);
    json_decref(shown);
    snprintf(path, sizeof path, "/v1/fittings?serial=L%u", m);
    fittings_are(path, f, fittings_of(c, m, f));
}

static void point_is(const struct city *c, uint32_t p)
{
    static struct fitting at_point[METERS * PLAIN_EVENTS_MOST], f[PLAIN_EVENTS_MOST];
    size_t count = 0;
    char path[64], there[8] = "-";
    json_t *shown;

    for (unsigned m = 0; m < METERS; m++) {
        size_t all = fittings_of(c, m, f);

        for (size_t i = 0; i < all; i++)
            if (f[i].point == p)
                at_point[count++] = f[i];
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++)
            assert_false(against(&at_point[i], &at_point[k]));
        if (at_point[i].to_s == FITTING_OPEN)
            snprintf(there, sizeof there, "L%u", (unsigned)at_point[i].meter);
    }
    snprintf(path, sizeof path, "/v1/fittings?point=P%u", (unsigned)p);
    fittings_are(path, at_point, count);
    snprintf(path, sizeof path, "/v1/points/P%u", (unsigned)p);
    shown = get(path);
    assert_string_equal(text_of(shown, "serial"), there);
    json_decref(shown);
}

static void everything_is(const struct city *c)
{
    json_t *verdict;

    for (unsigned m = 0; m < METERS; m++)
        meter_is(c, m);
    for (uint32_t p = 1; p <= POINTS; p++)
        point_is(c, p);
    verdict = get("/v1/audit/verify");
    if (!json_is_true(json_object_get(verdict, "sound")))
        fail_msg("the audit does not verify: %s", json_dumps(verdict, 0));
    json_decref(verdict);
}

/* ---- some order explains it ---- */

static bool explains(const struct city *c, const struct wish *wishes, const unsigned order[CLIENTS],
                     struct city *out)
{
    *out = *c;
    for (unsigned i = 0; i < CLIENTS; i++)
        if (happens(out, &wishes[order[i]]) != (wishes[order[i]].status == 201))
            return false;
    for (unsigned i = 0; i < CLIENTS; i++)
        if (!history_is(out, wishes[i].meter) ||
            (wishes[i].kind == WISH_EXCHANGE && !history_is(out, wishes[i].newer)))
            return false;
    return true;
}

static void some_order_explains(struct city *c, const struct wish *wishes)
{
    static const unsigned orders[6][CLIENTS] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                                 { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    static struct city then;

    for (unsigned i = 0; i < 6; i++) {
        if (!explains(c, wishes, orders[i], &then))
            continue;
        *c = then;
        return;
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        fprintf(stderr, "%s %s\n  %d %s\n", wishes[i].path, wishes[i].body, wishes[i].status,
                wishes[i].said);
    fail_msg("no order of these three explains their answers and histories");
}

/* ---- the tests ---- */

static void city_begin(struct city *c)
{
    char body[160];
    int64_t day;

    memset(c, 0, sizeof *c);
    for (unsigned p = 1; p <= POINTS; p++) {
        snprintf(body, sizeof body, "{\"point\":\"P%u\",\"use_class\":\"residential\"}", p);
        tell("/v1/points", body);
    }
    for (unsigned m = 0; m < METERS; m++) {
        size_t len =
            (size_t)snprintf(body, sizeof body, "{\"serial\":\"L%u\",%s", m, meters[m].facts);

        c->meter[m] = (struct plain_meter){ .limited = meters[m].limited,
                                            .row_verified_on = NO_DAY,
                                            .imported = meters[m].state ? meters[m].state : "-" };
        if (meters[m].verified_on) {
            assert_ok(text_date(span_text(meters[m].verified_on), &day));
            c->meter[m].row_verified_on = (int32_t)day;
            len += (size_t)snprintf(body + len, sizeof body - len, ",\"verified_on\":\"%s\"",
                                    meters[m].verified_on);
        }
        if (meters[m].state)
            len += (size_t)snprintf(body + len, sizeof body - len, ",\"state\":\"%s\"",
                                    meters[m].state);
        snprintf(body + len, sizeof body - len, "}");
        tell("/v1/meters", body);
    }
}

/* Answers of acts that were taken come again, byte by byte. */
static void same_answers(struct wish *wishes, unsigned count)
{
    char *said;

    for (unsigned i = 0; i < count; i++) {
        if (wishes[i].status != 201)
            continue;
        said = strdup(wishes[i].said);
        ask(&clients[0], &wishes[i]);
        hear(&clients[0], &wishes[i]);
        assert_int_equal(wishes[i].status, 201);
        assert_string_equal(wishes[i].said, said);
        free(said);
    }
}

static void restart(void)
{
    part_all();
    nilod_kill(&n);
    nilod_start(&n);
    connect_all();
}

/* Some of them may have been taken before the kill: asked again under their keys, all are answered as in one order of the three. */
static void round_with_a_kill(struct wish *wishes)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        ask(&clients[i], &wishes[i]);
    restart();
    for (unsigned i = 0; i < CLIENTS; i++) {
        ask(&clients[i], &wishes[i]);
        hear(&clients[i], &wishes[i]);
    }
}

static void a_round(struct wish *wishes, struct city *c, bool kill_it)
{
    unsigned favourite = (unsigned)check_below(&chance, METERS);

    for (unsigned i = 0; i < CLIENTS; i++)
        some_wish(&wishes[i], c, favourite);
    if (kill_it) {
        round_with_a_kill(wishes);
    } else {
        for (unsigned i = 0; i < CLIENTS; i++)
            ask(&clients[i], &wishes[i]);
        for (unsigned i = 0; i < CLIENTS; i++)
            hear(&clients[i], &wishes[i]);
    }
    some_order_explains(c, wishes);
}

static void many_hands_make_no_history_inconsistent(void **state)
{
    static struct wish wishes[ROUNDS * CLIENTS];
    static struct city c;
    unsigned taken = 0;

    (void)state;
    chance = check_random_begin();
    city_begin(&c);
    for (unsigned i = 0; i < ROUNDS; i++)
        a_round(&wishes[(size_t)i * CLIENTS], &c, i % KILL_EVERY == KILL_EVERY / 2);
    everything_is(&c);
    restart();
    everything_is(&c);
    same_answers(wishes, ROUNDS * CLIENTS);
    everything_is(&c);
    for (unsigned i = 0; i < ROUNDS * CLIENTS; i++) {
        taken += wishes[i].status == 201;
        free(wishes[i].said);
    }
    assert_in_range(taken, ROUNDS / 3,
                    ROUNDS * CLIENTS - ROUNDS / 3); /* neither all nor next to none */
}

/* Whoever is first wins; the other hears which meter is there, and may not have it by another word. */
static void of_two_crews_with_one_exchange_the_second_is_told(void **state)
{
    static const char body[] =
        "{\"point\":\"X\",\"at\":\"" NOW "\",\"old_serial\":\"X-OLD\",\"old_index_l\":70,"
        "\"new_serial\":\"X-NEW\",\"new_index_l\":1,\"reason\":\"periodic\"}";
    struct wish w[2];
    json_t *page;

    (void)state;
    tell("/v1/points", "{\"point\":\"X\",\"use_class\":\"residential\"}");
    tell("/v1/meters",
         "{\"serial\":\"X-OLD\",\"dn\":15,\"q3\":2.5,\"verified_on\":\"2022-01-01\"}");
    tell("/v1/meters", "{\"serial\":\"X-NEW\",\"dn\":15,\"q3\":2.5,\"verified_on\":\"2026-01-01\","
                       "\"state\":\"issued\"}");
    tell("/v1/meters/X-OLD/events",
         "{\"event\":\"install\",\"at\":\"2026-01-01T00:00:00Z\",\"point\":\"X\",\"index_l\":0}");
    memset(w, 0, sizeof w);
    for (unsigned i = 0; i < 2; i++) {
        snprintf(w[i].path, sizeof w[i].path, "/v1/exchanges");
        snprintf(w[i].body, sizeof w[i].body, "%s", body);
        snprintf(w[i].key, sizeof w[i].key, "crew-%u", i);
        ask(&clients[i], &w[i]);
    }
    for (unsigned i = 0; i < 2; i++)
        hear(&clients[i], &w[i]);
    assert_int_equal(w[0].status + w[1].status, 201 + 409);
    assert_non_null(strstr(w[w[0].status == 201].said, "X-OLD"));
    assert_non_null(strstr(w[w[0].status == 201].said, "X-NEW"));
    restart();
    same_answers(w, 2);
    page = get("/v1/fittings?point=X");
    assert_int_equal(json_array_size(json_object_get(page, "rows")), 2);
    json_decref(page);
    free(w[0].said);
    free(w[1].said);
}

static void restart_with(const char *rules)
{
    n.extra[0] = rules ? "--verification-rules" : NULL;
    n.extra[1] = rules;
    restart();
}

static void is_due(const char *serial, const char *expected)
{
    char path[96];
    json_t *meter, *page;

    snprintf(path, sizeof path, "/v1/meters/%s", serial);
    meter = get(path);
    assert_string_equal(text_of(meter, "legal_due"), expected);
    json_decref(meter);
    snprintf(path, sizeof path, "/v1/verifications/due?where=store&dn=97&from=%s&to=%s", expected,
             expected);
    page = get(path);
    assert_int_equal(json_array_size(json_object_get(page, "rows")), 1);
    json_decref(page);
}

/* What is shown and what is found by date move together, there and back. */
static void another_country_is_another_table(void **state)
{
    static const char table[] =
        "name elsewhere\nsource a neighbour\nperiodic 5 years dn > 50\nlimited 12 years\n";
    char path[600];

    (void)state;
    tell("/v1/meters", "{\"serial\":\"C1\",\"dn\":97,\"q3\":63,\"verified_on\":\"2025-01-31\","
                       "\"state\":\"in-stock\"}");
    is_due("C1", "2027-01-31");
    snprintf(path, sizeof path, "%s/country.rules", check_folder());
    check_write(path, span_text(table));
    restart_with(path);
    is_due("C1", "2030-01-31");
    restart_with(NULL);
    is_due("C1", "2027-01-31");
}

static void nilod_does_not_start_on_a_wrong_table(void **state)
{
    const char *folder = check_folder();
    char path[600], store[600], said[600];

    (void)state;
    snprintf(path, sizeof path, "%s/wrong.rules", folder);
    snprintf(store, sizeof store, "%s/no-store", folder);
    check_write(path, span_text("name a\nsource b\nlimited 6 yaers\n"));
    assert_int_equal(nilod_run(said, sizeof said, "--store", store, "--verification-rules", path),
                     1);
    assert_non_null(strstr(said, "line 3: found \"yaers\", expected years or months"));
    snprintf(path, sizeof path, "%s/none.rules", folder);
    assert_int_equal(nilod_run(said, sizeof said, "--store", store, "--verification-rules", path),
                     1);
    assert_non_null(strstr(said, "cannot be read"));
}

static void read_at(const char *serial, const char *at, long index_l)
{
    char body[160];
    struct answer a;

    snprintf(body, sizeof body, "serial,time,index_l\n%s,%s,%ld\n", serial, at, index_l);
    http_post(&clients[0], "/v1/import/readings", "Content-Type: text/csv\r\n", body, &a);
    if (a.status / 100 != 2)
        fail_msg("heard %d %s", a.status, a.body);
    answer_done(&a);
}

static void closes_with(const char *serial, json_int_t index_l)
{
    char path[64];
    json_t *page, *row;

    snprintf(path, sizeof path, "/v1/fittings?serial=%s", serial);
    page = get(path);
    row = json_array_get(json_object_get(page, "rows"), 0);
    assert_string_equal(text_of(row, "to"), "2026-02-10T00:00:00Z");
    assert_int_equal(json_integer_value(json_object_get(row, "end_index_l")), index_l);
    json_decref(page);
}

/* The crew's paper of its installation comes after the loss: the fitting ends with the last reading, or as it began. */
static void lost_before_the_paper_came_it_leaves_with_its_last_reading(void **state)
{
    static const char *const serials[] = { "LOST-1", "LOST-2" };
    char path[64], body[160];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        snprintf(body, sizeof body, "{\"point\":\"%s\",\"use_class\":\"residential\"}", serials[i]);
        tell("/v1/points", body);
        snprintf(body, sizeof body,
                 "{\"serial\":\"%s\",\"dn\":15,\"q3\":2.5,\"verified_on\":\"2025-06-10\",\"state\":"
                 "\"issued\"}",
                 serials[i]);
        tell("/v1/meters", body);
        snprintf(path, sizeof path, "/v1/meters/%s/events", serials[i]);
        tell(path,
             "{\"event\":\"lose\",\"at\":\"2026-02-10T00:00:00Z\",\"note\":\"not in the van\"}");
        if (i == 0)
            read_at(serials[i], "2026-02-08T00:00:00Z", 71);
        snprintf(body, sizeof body,
                 "{\"event\":\"install\",\"at\":\"2026-02-05T00:00:00Z\",\"point\":\"%s\",\"index_"
                 "l\":5}",
                 serials[i]);
        tell(path, body);
    }
    closes_with("LOST-1", 71);
    closes_with("LOST-2", 5);
    restart();
    closes_with("LOST-1", 71);
    tell("/v1/meters/LOST-1/events", "{\"event\":\"find\",\"note\":\"at the police\"}");
}

static int begin(void **state)
{
    (void)state;
    nilod_start(&n);
    connect_all();
    return 0;
}

static int end(void **state)
{
    (void)state;
    part_all();
    nilod_stop(&n);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_two_crews_with_one_exchange_the_second_is_told),
        cmocka_unit_test(lost_before_the_paper_came_it_leaves_with_its_last_reading),
        cmocka_unit_test(another_country_is_another_table),
        cmocka_unit_test(nilod_does_not_start_on_a_wrong_table),
        cmocka_unit_test(many_hands_make_no_history_inconsistent),
    };

    check_begin(argc, argv);
    return cmocka_run_group_tests(tests, begin, end);
}
