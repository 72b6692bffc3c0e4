/* What is stamped ahead of the clock: every list says what the meters themselves say, at every instant. */
#include "tests/check.h"
#include "tests/client/http.h"
#include "tests/nilod.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW "2026-03-02T15:55:00Z" /* five minutes before midnight in Shanghai */

static struct nilod n = { .clock = NOW };
static struct client admin;

static void tell(const char *path, const char *body, int expected)
{
    struct answer a;

    http_post(&admin, path, NULL, body, &a);
    if (a.status != expected)
        fail_msg("%s %s: expected %d, heard %d %s", path, body, expected, a.status, a.body);
    answer_done(&a);
}

static json_t *rows(const char *path)
{
    struct answer a;
    json_t *page, *found;

    http_get(&admin, path, NULL, &a);
    if (a.status != 200)
        fail_msg("%s: heard %d %s", path, a.status, a.body);
    page = answer_json(&a);
    found = json_incref(json_object_get(page, "rows"));
    json_decref(page);
    answer_done(&a);
    return found;
}

static void begin(void)
{
    nilod_start(&n);
    client_open(&admin, n.http_host, n.http_port, n.token);
}

static void end(void)
{
    client_close(&admin);
    nilod_stop(&n);
}

static void clock_is(const char *now)
{
    char body[64];

    snprintf(body, sizeof body, "{\"now\":\"%s\"}", now);
    tell("/v1/clock", body, 200);
}

static void event(const char *serial, const char *facts)
{
    char path[64], body[256];

    snprintf(path, sizeof path, "/v1/meters/%s/events", serial);
    snprintf(body, sizeof body, "{%s}", facts);
    tell(path, body, 201);
}

/* ---- lists against the meters' own answers ---- */

static const char *text_of(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));

    return text ? text : "";
}

static bool one_of(const char *word, const char *words)
{
    const char *at = *word ? strstr(words, word) : NULL;

    return at != NULL;
}

#define FITTED "running suspended faulty"
#define STORE "verified in-stock issued"
#define STOCK "received verified rejected in-stock issued removed at-lab retired"

/* The civil day of the clock, which each test knows. */
static const char *today;

static bool is_in_state(const json_t *m, const char *what)
{
    return strcmp(text_of(m, "state"), what) == 0;
}

static bool is_with_crew(const json_t *m, const char *what)
{
    return strcmp(text_of(m, "crew"), what) == 0;
}

static bool is_in_depot(const json_t *m, const char *what)
{
    return one_of(text_of(m, "state"), STOCK) && !is_in_state(m, "issued") &&
           strcmp(text_of(m, "depot"), what) == 0;
}

static bool is_due(const json_t *m, const char *what)
{
    return one_of(text_of(m, "state"), what) && *text_of(m, "legal_due");
}

static bool is_overdue(const json_t *m, const char *what)
{
    (void)what;
    return one_of(text_of(m, "state"), FITTED) && strcmp(text_of(m, "legal_due"), today) < 0;
}

static void list_is(const char *path, bool (*belongs)(const json_t *m, const char *what),
                    const char *what)
{
    json_t *all = rows("/v1/meters?limit=1000"), *listed = rows(path), *m, *l;
    size_t i, k, count = 0;

    json_array_foreach(all, i, m)
    {
        bool there = false;

        json_array_foreach(listed, k, l) there =
            there || strcmp(text_of(l, "serial"), text_of(m, "serial")) == 0;
        if (there != belongs(m, what))
            fail_msg("%s: %s, which is %s and due %s, %s", path, text_of(m, "serial"),
                     text_of(m, "state"), text_of(m, "legal_due"),
                     there ? "stands there" : "is missing");
        count += there;
    }
    assert_int_equal(count, json_array_size(listed));
    json_decref(listed);
    json_decref(all);
}

static void stock_is_counted(void)
{
    json_t *all = rows("/v1/meters?limit=1000"), *piles = rows("/v1/stock"), *m, *p;
    json_int_t held = 0, counted = 0;
    size_t i;

    json_array_foreach(all, i, m) held += one_of(text_of(m, "state"), STOCK);
    json_array_foreach(piles, i, p)
    {
        json_int_t here = 0;
        size_t k;

        json_array_foreach(all, k, m)
        {
            const char *holder = is_in_state(m, "issued") ? "crew" : "depot";

            here += is_in_state(m, text_of(p, "state")) &&
                    strcmp(text_of(m, holder), text_of(p, "holder")) == 0;
        }
        if (here != json_integer_value(json_object_get(p, "meters")))
            fail_msg("%s of %s: %d are counted as %s", text_of(p, "state"), text_of(p, "holder"),
                     (int)here, json_dumps(p, 0));
        counted += here;
    }
    assert_int_equal(held, counted);
    json_decref(piles);
    json_decref(all);
}

static void lists_agree(void)
{
    static const char *const states[] = { "received", "verified", "in-stock",  "issued",
                                          "running",  "removed",  "suspended", "lost" };
    char path[128];

    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        snprintf(path, sizeof path, "/v1/meters?limit=1000&state=%s", states[i]);
        list_is(path, is_in_state, states[i]);
    }
    list_is("/v1/meters?limit=1000&crew=red", is_with_crew, "red");
    list_is("/v1/meters?limit=1000&depot=north", is_in_depot, "north");
    list_is("/v1/verifications/due?from=1970-01-01&to=2100-01-01&limit=1000", is_due, FITTED);
    list_is("/v1/verifications/due?from=1970-01-01&to=2100-01-01&where=store&limit=1000", is_due,
            STORE);
    list_is("/v1/verifications/overdue?limit=1000", is_overdue, "");
    stock_is_counted();
}

/* ---- a town ---- */

static void town(void)
{
    static const char *const meters[] = {
        "\"A1\",\"state\":\"in-stock\",\"verified_on\":\"2024-01-01\"",
        "\"A2\",\"state\":\"in-stock\",\"verified_on\":\"2025-01-01\"",
        "\"A3\",\"state\":\"issued\",\"verified_on\":\"2025-06-01\"",
        "\"A4\",\"state\":\"received\"",
        "\"A5\",\"verified_on\":\"2020-03-01\"",
        "\"A6\",\"verified_on\":\"2020-03-02\"",
        "\"A7\",\"verified_on\":\"2026-03-03\"", /* tomorrow */
        "\"A8\"",
        "\"A9\",\"state\":\"in-stock\",\"verified_on\":\"2026-03-03\"",
    };
    char body[192];

    for (size_t i = 0; i < sizeof meters / sizeof meters[0]; i++) {
        snprintf(body, sizeof body, "{\"serial\":%s,\"dn\":15,\"q3\":2.5,\"depot\":\"north\"}",
                 meters[i]);
        tell("/v1/meters", body, 201);
        snprintf(body, sizeof body, "{\"point\":\"P%zu\"}", i + 1);
        tell("/v1/points", body, 201);
    }
    event("A5",
          "\"event\":\"install\",\"point\":\"P5\",\"index_l\":0,\"at\":\"2024-01-01T00:00:00Z\"");
    event("A6",
          "\"event\":\"install\",\"point\":\"P6\",\"index_l\":0,\"at\":\"2024-01-01T00:00:00Z\"");
    event("A8",
          "\"event\":\"install\",\"point\":\"P8\",\"index_l\":0,\"at\":\"2024-01-01T00:00:00Z\"");
}

#define AT(time) ",\"at\":\"2026-03-02T" time "Z\""

static void much_is_stamped_ahead(void)
{
    event("A1", "\"event\":\"issue\",\"crew\":\"red\",\"document\":\"D\"" AT("15:57:00"));
    event("A1", "\"event\":\"install\",\"point\":\"P1\",\"index_l\":0" AT("15:58:00"));
    event("A1", "\"event\":\"suspend\",\"document\":\"D\"" AT("16:05:00"));
    event("A2", "\"event\":\"lose\",\"note\":\"gone\"" AT("16:01:00"));
    event("A3", "\"event\":\"install\",\"point\":\"P3\",\"index_l\":0" AT("16:00:00"));
    event("A4", "\"event\":\"verify\",\"certificate\":\"C\"" AT("16:02:00"));
    event("A5", "\"event\":\"remove\",\"index_l\":9" AT("15:57:00"));
    event("A6", "\"event\":\"remove\",\"index_l\":9" AT("16:03:00"));
}

static void the_clock_goes_on(void)
{
    static const char *const times[] = {
        "15:56:59", "15:57:00", "15:59:30", "15:59:59", "16:00:00",
        "16:00:01", "16:02:00", "16:04:59", "16:05:00", "17:00:00"
    };
    char now[32];

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        snprintf(now, sizeof now, "2026-03-02T%sZ", times[i]);
        clock_is(now);
        today = strcmp(times[i], "16") < 0 ? "2026-03-02" : "2026-03-03";
        lists_agree();
    }
}

static void lists_say_what_meters_say_while_the_clock_goes_on(void **state)
{
    (void)state;
    n = (struct nilod){ .clock = NOW };
    today = "2026-03-02";
    begin();
    town();
    lists_agree();
    much_is_stamped_ahead();
    lists_agree();
    the_clock_goes_on();
    end();
}

static void a_later_start_finds_what_came_due_and_an_earlier_one_what_is_ahead_again(void **state)
{
    (void)state;
    n = (struct nilod){ .clock = NOW };
    today = "2026-03-02";
    begin();
    town();
    much_is_stamped_ahead();
    client_close(&admin);
    nilod_kill(&n);
    n.clock = "2026-03-02T16:01:30Z";
    today = "2026-03-03";
    begin();
    lists_agree();
    clock_is("2026-03-02T16:04:00Z");
    lists_agree();
    end();
    n.clock = NOW;
    today = "2026-03-02";
    begin();
    lists_agree();
    the_clock_goes_on();
    end();
}

static void another_event_before_its_time_moves_the_meter_once(void **state)
{
    (void)state;
    n = (struct nilod){ .clock = NOW };
    today = "2026-03-02";
    begin();
    town();
    event("A1", "\"event\":\"issue\",\"crew\":\"red\",\"document\":\"D\"" AT("16:00:00"));
    tell("/v1/meters/A1", "{\"life_months\":30}", 200);
    lists_agree();
    event("A1", "\"event\":\"return\",\"document\":\"D\"" AT("16:01:00"));
    lists_agree();
    clock_is("2026-03-02T16:00:30Z");
    today = "2026-03-03";
    /* The time has come, and the next to write is an act on the meter itself. */
    tell("/v1/meters/A1", "{\"life_months\":40}", 200);
    event("A2", "\"event\":\"lose\",\"note\":\"gone\"");
    lists_agree();
    clock_is("2026-03-02T16:01:00Z");
    event("A1", "\"event\":\"lose\",\"note\":\"gone\"");
    lists_agree();
    end();
}

/* ---- the flag ---- */

static json_t *overdue_of(const char *serial)
{
    char path[96];
    json_t *found;

    tell("/v1/settle", "{}", 200);
    snprintf(path, sizeof path, "/v1/flags?kind=overdue&state=open&serial=%s", serial);
    found = rows(path);
    return found;
}

static void is_flagged(const char *serial, bool flagged)
{
    json_t *found = overdue_of(serial), *f;
    bool any = false;
    size_t i;

    json_array_foreach(found, i, f) any = any || strcmp(text_of(f, "serial"), serial) == 0;
    if (any != flagged)
        fail_msg("%s: the flag overdue is %s", serial, any ? "open" : "not open");
    json_decref(found);
}

static void is_to_be_changed(const char *serial, bool there)
{
    json_t *found = rows("/v1/replacements"), *r;
    bool any = false;
    size_t i;

    json_array_foreach(found, i, r) any = any || strcmp(text_of(r, "serial"), serial) == 0;
    if (any != there)
        fail_msg("%s: %s the list of replacements", serial, any ? "is on" : "is not on");
    json_decref(found);
}

/* Neither an act nor a fold comes between: the list is made anew because the meter moved. */
static void the_list_of_replacements_knows_the_hour(void **state)
{
    (void)state;
    n = (struct nilod){ .clock = NOW };
    begin();
    town();
    is_to_be_changed("A5", true);
    event("A5", "\"event\":\"remove\",\"index_l\":9" AT("15:57:00"));
    is_to_be_changed("A5", true);
    clock_is("2026-03-02T15:57:00Z");
    is_to_be_changed("A5", false);
    end();
}

static void the_flag_overdue_ends_when_the_meter_is_taken_off(void **state)
{
    (void)state;
    n = (struct nilod){ .clock = NOW };
    begin();
    town();
    clock_is(NOW);
    is_flagged("A5", true);
    event("A5", "\"event\":\"remove\",\"index_l\":9" AT("15:57:00"));
    is_flagged("A5", true);
    clock_is("2026-03-02T15:56:59Z");
    is_flagged("A5", true);
    clock_is("2026-03-02T15:57:00Z");
    /* A list moves the meter; what is killed before it is judged, the next start judges. */
    json_decref(rows("/v1/meters?state=removed"));
    client_close(&admin);
    nilod_kill(&n);
    n.clock = "2026-03-02T15:57:00Z";
    begin();
    is_flagged("A5", false);
    end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_say_what_meters_say_while_the_clock_goes_on),
        cmocka_unit_test(a_later_start_finds_what_came_due_and_an_earlier_one_what_is_ahead_again),
        cmocka_unit_test(another_event_before_its_time_moves_the_meter_once),
        cmocka_unit_test(the_list_of_replacements_knows_the_hour),
        cmocka_unit_test(the_flag_overdue_ends_when_the_meter_is_taken_off),
    };

    check_begin(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
