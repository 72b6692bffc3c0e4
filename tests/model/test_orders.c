/* The same life of a meter, told in different ways: in one file, in pieces, by reports in any
 * order, before the meter was registered, with the fitting recorded last; with settlings and kills
 * between.  Verdicts, consumption, checks and flags follow from the readings alone (rules-bills
 * B13), so all must say the same, however wild the readings are.
 *
 * NILO_SECONDS says for how long (default 10). */
#include "tests/check.h"
#include "tests/client/coap.h"
#include "tests/client/http.h"
#include "tests/client/report.h"
#include "tests/nilod.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOW "2026-03-10T00:00:00Z"
#define NOW_S 1773100800
#define HOURS 960
#define BASE_S (NOW_S - HOURS * 3600)
#define TWICE UINT64_C(1920) /* 2 × HOURS: beyond the life as often as within */
#define WAYS 5
#define PIECE_MOST 48

static struct nilod n = { .clock = NOW,
                          .extra = { "--settle-every", "3600", "--endpoint-rate", "1000000" } };
static struct client c;
static struct probe radio;

/* ---- a life ---- */

struct life {
    int64_t litres[HOURS]; /* −1: no reading */
    int64_t start_l;
    bool net;
};

/* What it was about to show, changed for an hour or for good. */
static int64_t disturb(struct check_random *r, int64_t *shown, int64_t use_l)
{
    switch (check_below(r, 7)) {
    case 0:
        return *shown + check_between(r, 1, 5000); /* a peak */
    case 1:
        return *shown - check_between(r, 1, 5000) > 0 ? *shown - check_between(r, 1, 4000) : *shown;
    case 2:
        *shown = check_between(r, 0, 9000); /* another register from now on */
        return *shown;
    case 3:
        *shown += check_between(r, 1, 30000); /* too fast for the pipe */
        return *shown;
    case 4:
        *shown -= use_l + check_between(r, 0, 300);
        *shown = *shown < 0 ? 0 : *shown;
        return *shown;
    case 5:
        *shown += use_l;
        return -1;
    default:
        return -1;
    }
}

static void life_make(struct check_random *r, struct life *l)
{
    uint64_t one_in = 8 + check_below(r, 200);
    int64_t shown = check_between(r, 0, 50000), day_l = check_between(r, 0, 60);
    int leak_h = (int)check_below(r, TWICE), stuck_h = (int)check_below(r, TWICE);

    l->start_l = shown;
    l->net = check_below(r, 4) == 0;
    for (int h = 0; h < HOURS; h++) {
        int64_t use_l = h % 24 > 6 ? day_l : 0;

        use_l += h >= leak_h ? 30 : 0;
        if (h >= stuck_h)
            use_l = 0;
        shown += use_l;
        l->litres[h] = check_below(r, one_in) ? shown : disturb(r, &shown, use_l);
    }
}

/* ---- telling it ---- */

struct piece {
    int first, count; /* hours, all with readings */
};

/* Whole or cut anywhere, some twice, in any order. */
static size_t pieces_make(struct check_random *r, const struct life *l, struct piece *out)
{
    size_t count = 0;

    for (int h = 0; h < HOURS;) {
        int most = 1 + (int)check_below(r, PIECE_MOST), end = h;

        while (end < HOURS && end - h < most && l->litres[end] >= 0)
            end++;
        if (end > h)
            out[count++] = (struct piece){ h, end - h };
        if (end > h && check_below(r, 10) == 0) { /* again, in part */
            out[count] = out[count - 1];
            out[count].first += out[count].count / 2;
            out[count].count -= out[count].count / 2;
            count++;
        }
        h = end > h ? end : h + 1;
    }
    check_shuffle(r, out, count, sizeof *out);
    return count;
}

static void post(const char *path, const char *type, const char *body)
{
    char fields[80];
    struct answer a;

    snprintf(fields, sizeof fields, "Content-Type: %s\r\n", type);
    http_post(&c, path, fields, body, &a);
    if (a.status / 100 != 2)
        fail_msg("POST %s: %d %s", path, a.status, a.body);
    answer_done(&a);
}

static char *rows_put(char *at, const char *serial, const struct life *l, struct piece p)
{
    for (int h = p.first; h < p.first + p.count; h++) {
        char time[24];

        report_time(BASE_S + (int64_t)h * 3600, time);
        if (l->litres[h] >= 0)
            at += sprintf(at, "%s,%s,%lld\n", serial, time, (long long)l->litres[h]);
    }
    return at;
}

static void tell_file(const char *serial, const struct life *l, struct piece p)
{
    static char text[HOURS * 60];
    char *at = text + sprintf(text, "serial,time,index_l\n");

    (void)rows_put(at, serial, l, p);
    post("/v1/import/readings", "text/csv", text);
}

static void tell_report(const char *serial, const struct life *l, struct piece p)
{
    static struct message m;
    int64_t newest_first[PIECE_MOST];
    uint8_t bytes[600];
    struct heard h;
    struct report r = { .meter = serial,
                        .channel = l->net ? 2 : 0,
                        .at = (uint32_t)(BASE_S + (p.first + p.count - 1) * 3600),
                        .step_s = 3600,
                        .litres = newest_first,
                        .count = (size_t)p.count };

    for (int i = 0; i < p.count; i++)
        newest_first[i] = l->litres[p.first + p.count - 1 - i];
    message_begin(&m, PROBE_CON, PROBE_POST, radio.next_mid++, span_of("O", 1));
    message_path(&m, "r");
    message_payload(&m, span_of(bytes, report_put(&r, bytes, sizeof bytes)));
    probe_ask(&radio, &m, &h);
    if (h.code != PROBE_CODE(2, 4))
        fail_msg("a report was answered %u.%02u", h.code >> 5, h.code & 31u);
}

static void register_meter(const char *serial, const struct life *l)
{
    char body[160];

    snprintf(body, sizeof body, "{\"serial\":\"%s\",\"dn\":15,\"q3\":2.5,\"register\":\"%s\"}",
             serial, l->net ? "net" : "forward");
    post("/v1/meters", "application/json", body);
}

static void fit(const char *serial, const struct life *l)
{
    char body[200], from[24];

    snprintf(body, sizeof body, "{\"point\":\"AT-%s\",\"use_class\":\"residential\"}", serial);
    post("/v1/points", "application/json", body);
    report_time(BASE_S - 3600, from);
    snprintf(body, sizeof body,
             "{\"point\":\"AT-%s\",\"serial\":\"%s\",\"from\":\"%s\",\"start_index_l\":%lld}",
             serial, serial, from, (long long)l->start_l);
    post("/v1/fittings", "application/json", body);
}

static void settle(void)
{
    post("/v1/settle", "application/json", "{}");
}

static void start(void)
{
    char port[8];

    n.http_port = n.coap_port = 0; /* others may have taken those of before */
    nilod_start(&n);
    client_open(&c, n.http_host, n.http_port, n.token);
    snprintf(port, sizeof port, "%d", n.coap_port);
    probe_open(&radio, n.coap_host, port, NULL);
    radio.next_mid = (uint16_t)time(NULL);
}

static void perhaps_settle_or_kill(struct check_random *r)
{
    uint64_t what = check_below(r, 60);

    if (what < 4)
        settle();
    if (what != 10)
        return;
    client_close(&c);
    probe_close(&radio);
    nilod_kill(&n);
    start();
}

static void tell(struct check_random *r, int way, const char *serial, const struct life *l)
{
    static struct piece pieces[3 * HOURS];
    size_t count = pieces_make(r, l, pieces);
    bool late = way == 3; /* the meter itself is told last */

    if (!late)
        register_meter(serial, l);
    if (!late && way != 4)
        fit(serial, l);
    if (way == 0)
        tell_file(serial, l, (struct piece){ 0, HOURS });
    for (size_t i = 0; i < count && way != 0; i++) {
        if (way == 1 || (way == 4 && i % 2))
            tell_file(serial, l, pieces[i]);
        else
            tell_report(serial, l, pieces[i]);
        perhaps_settle_or_kill(r);
    }
    if (late)
        register_meter(serial, l);
    if (late || way == 4)
        fit(serial, l);
}

/* ---- what is said of it ---- */

/* The answer's text with the way's digit behind `name` made one for all. */
static char *said(const char *path, const char *name)
{
    struct answer a;
    char *text;

    http_get(&c, path, "application/x-ndjson", &a);
    if (a.status != 200 || !a.whole)
        fail_msg("GET %s: %d %s", path, a.status, a.body);
    text = strdup(a.body);
    answer_done(&a);
    for (char *at = text; (at = strstr(at, name)); at++)
        at[strlen(name)] = '#';
    return text;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Flags without what follows from arrival: id, when it was raised, and those that were taken back.
 */
static char *flags_said(const char *serial)
{
    static const char *const arrival[] = { "id",      "raised_at", "serial",    "point",
                                           "text_en", "text_zh",   "confidence" };
    char path[100], *lines[100], *all;
    size_t count = 0, len = 1;
    struct answer a;

    snprintf(path, sizeof path, "/v1/flags?serial=%s", serial);
    http_get(&c, path, "application/x-ndjson", &a);
    assert_int_equal(a.status, 200);
    for (char *line = strtok(a.body, "\n"); line && count < 100; line = strtok(NULL, "\n")) {
        json_t *flag = json_loads(line, 0, NULL);
        const char *state = json_string_value(json_object_get(flag, "state"));

        for (size_t i = 0; i < sizeof arrival / sizeof arrival[0]; i++)
            json_object_del(flag, arrival[i]);
        if (state && strcmp(state, "withdrawn") != 0) {
            lines[count] = json_dumps(flag, JSON_SORT_KEYS | JSON_COMPACT);
            len += strlen(lines[count++]) + 1;
        }
        json_decref(flag);
    }
    answer_done(&a);
    qsort(lines, count, sizeof *lines, by_text);
    all = (char *)calloc(1, len);
    assert_non_null(all);
    for (size_t i = 0, at = 0; i < count; i++) {
        at += (size_t)snprintf(all + at, len - at, "%s\n", lines[i]);
        free(lines[i]);
    }
    return all;
}

static size_t compared, told_flags;

/* Both texts the same; else the first line that differs. */
static void same(const char *what, int way, char *first, char *other)
{
    size_t at = 0, line = 0;

    while (first[at] && first[at] == other[at]) {
        line = first[at] == '\n' ? at + 1 : line;
        compared += first[at] == '\n';
        at++;
    }
    if (first[at] != other[at])
        fail_msg("%s, told in one file:\n%.300s\ntold in way %d:\n%.300s", what, first + line, way,
                 other + line);
    free(other);
}

static void compare(struct check_random *r, const char *name)
{
    char paths[4][200], from[24], to[24], serial[40];
    int64_t begin_s = BASE_S + 3600 * check_between(r, 0, HOURS - 100);
    static const char *const forms[] = {
        "/v1/meters/%s%d/readings?from=%s&to=%s",
        "/v1/points/AT-%s%d/consumption?from=%s&to=%s",
        "/v1/points/AT-%s%d/consumption?from=%s&to=%s&step=day",
        "/v1/points/AT-%s%d/consumption?from=%s&to=%s&step=hour",
    };
    char *first[4], *first_flags = NULL;

    for (int way = 0; way < WAYS; way++) {
        char *flags;

        for (int i = 0; i < 4; i++) {
            bool all = i == 0 || i == 2;
            char *text;

            report_time(all ? BASE_S - 3600 : begin_s, from);
            report_time(all ? NOW_S : begin_s + INT64_C(90) * 3600, to);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(paths[i], sizeof paths[i], forms[i], name, way, from, to);
#pragma GCC diagnostic pop
            text = said(paths[i], name);
            if (way == 0)
                first[i] = text;
            else
                same(paths[i], way, first[i], text);
        }
        snprintf(serial, sizeof serial, "%s%d", name, way);
        flags = flags_said(serial);
        if (way == 0)
            first_flags = flags;
        else
            same("flags", way, first_flags, flags);
    }
    for (const char *line = first_flags; (line = strchr(line, '\n')); line++)
        told_flags++;
    for (int i = 0; i < 4; i++)
        free(first[i]);
    free(first_flags);
}

static void a_life_says_the_same_however_it_was_told(void **state)
{
    struct check_random r = check_random_begin();
    const char *seconds = getenv("NILO_SECONDS");
    time_t until = time(NULL) + (seconds ? atoi(seconds) : 10);
    unsigned lives = 0;

    (void)state;
    start();
    for (; time(NULL) < until; lives++) {
        struct life life;
        char name[24], serial[40];

        life_make(&r, &life);
        snprintf(name, sizeof name, "LIFE%u-", lives);
        for (int way = 0; way < WAYS; way++) {
            snprintf(serial, sizeof serial, "%s%d", name, way);
            tell(&r, way, serial, &life);
        }
        settle();
        compare(&r, name);
    }
    print_message("%u lives in %d ways: %zu lines the same, %zu flags\n", lives, WAYS, compared,
                  told_flags);
    client_close(&c);
    probe_close(&radio);
    nilod_stop(&n);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_life_says_the_same_however_it_was_told),
};

int main(int argc, char **argv)
{
    return check_run(tests, argc, argv);
}
