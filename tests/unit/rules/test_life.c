/* A meter's life by the state table (rules-fleet T, L, V7): the table written out anew from the rules, stories of what stands against
 * an event, and random lives against a plain model that begins anew for every question. */
#include "proto/base/text.h"
#include "server/fleet/life.h"
#include "tests/check.h"
#include "tests/plain_life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct verify_rules china;
static struct zone zone; /* eight hours ahead of UTC */

static const struct span none;

/* ---- meters and events ---- */

static int32_t day(const char *text)
{
    int64_t n;

    assert_ok(text_date(span_text(text), &n));
    return (int32_t)n;
}

static struct life_meter meter_of(int32_t dn_mm, int64_t q3_lph, const char *verified_on)
{
    return (struct life_meter){ .serial = "M1",
                                .verify = { .rules = &china,
                                            .dn_mm = dn_mm,
                                            .q3_lph = q3_lph,
                                            .row_verified_on =
                                                verified_on ? day(verified_on) : NO_DAY },
                                .zone = &zone };
}

static struct life_meter household(const char *verified_on)
{
    return meter_of(15, 2500, verified_on); /* limited, six years */
}

static struct life_meter bulk(const char *verified_on)
{
    return meter_of(80, 63000, verified_on); /* periodic, two years */
}

static struct life_meter being(struct life_meter m, enum life_state imported)
{
    m.imported = imported;
    return m;
}

static enum life_kind kind_of(const char *name)
{
    enum life_kind kind;

    if (!event_read(span_text(name), &kind))
        fail_msg("no event %s", name);
    return kind;
}

static enum life_state state_of(const char *name)
{
    enum life_state state = LIFE_NONE;

    if (strcmp(name, "-") != 0 && !life_state_read(span_text(name), &state))
        fail_msg("no state %s", name);
    return state;
}

static const char *say(enum life_state s)
{
    return s == LIFE_NONE ? "-" : life_state_name(s);
}

/* With every text, so that only what a test takes away is missing. `at`: "2026-03-01", its noon, or a time. */
static struct life_event event(const char *name, const char *at)
{
    struct life_event e = { .kind = (uint8_t)kind_of(name),
                            .verified_on = NO_DAY,
                            .valid_until = NO_DAY };

    assert_ok(text_time(span_text(at), &zone, &e.at_s));
    if (strlen(at) == 10)
        e.at_s += INT64_C(43200);
    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        e.text[i] = span_text("told");
    e.text[EVENT_DEPOT] = e.text[EVENT_REASON] = none;
    if (e.kind == EVENT_INSTALL)
        e.point = 7;
    if (e.kind == EVENT_INSTALL || e.kind == EVENT_REMOVE)
        e.flags |= EVENT_HAS_INDEX;
    return e;
}

struct story {
    struct life_meter meter;
    struct life_event events[32];
    size_t count;
    struct life_warnings warnings;
    struct life_refusal why;
};

static struct story story_of(struct life_meter m)
{
    return (struct story){ .meter = m };
}

static void put(struct story *s, struct life_event e)
{
    size_t place = life_place(s->events, s->count, &e);

    e.arrival = (uint32_t)s->count + 1;
    memmove(&s->events[place + 1], &s->events[place], (s->count - place) * sizeof e);
    s->events[place] = e;
    s->count++;
}

static enum err judge(struct story *s, const struct life_event *e)
{
    memset(&s->warnings, 0xff, sizeof s->warnings);
    memset(&s->why, 0, sizeof s->why);
    return life_judge(&s->meter, s->events, s->count, e, &s->warnings, &s->why);
}

static void takes_event(struct story *s, struct life_event e)
{
    if (judge(s, &e))
        fail_msg("%s: expected it to be taken, found: %s", event_name((enum life_kind)e.kind),
                 s->why.text);
    put(s, e);
}

static void takes(struct story *s, const char *name, const char *at)
{
    takes_event(s, event(name, at));
}

static void refuses_event(struct story *s, struct life_event e, const char *says)
{
    assert_err(ERR_CONFLICT, judge(s, &e));
    if (!strstr(s->why.text, says))
        fail_msg("%s: expected \"%s\", found \"%s\"", event_name((enum life_kind)e.kind), says,
                 s->why.text);
}

static void refuses(struct story *s, const char *name, const char *at, const char *says)
{
    refuses_event(s, event(name, at), says);
}

static struct life now_of(const struct story *s)
{
    struct life l;

    life_fold(&s->meter, s->events, s->count, INT64_MAX, INT64_MAX, &l);
    return l;
}

static void is(const struct story *s, const char *state)
{
    assert_string_equal(say(now_of(s).state), state);
}

/* ---- T: the table, from the rules' page ---- */

static const char *const all_states[] = { "-",         "ordered",  "received", "verified",
                                          "rejected",  "in-stock", "issued",   "running",
                                          "suspended", "faulty",   "removed",  "at-lab",
                                          "retired",   "scrapped", "lost" };
#define STATES_COUNT (sizeof all_states / sizeof all_states[0])

/* Every name of the states from which an event is allowed stands in a refusal, "no recorded life" for the dash. */
static void names_all(const char *text, const char *states)
{
    for (size_t i = 0; i < STATES_COUNT; i++) {
        const char *name = i ? all_states[i] : "no recorded life";

        if (plain_word(states, all_states[i]) && !strstr(text, name))
            fail_msg("expected %s in: %s", name, text);
    }
}

static void meets(const struct plain_line *line, const char *from)
{
    struct story s = story_of(being(bulk("2026-01-10"), state_of(from)));
    struct life_event e = event(line->event, "2026-03-01");
    bool allowed = plain_word(line->from, from), same = strcmp(line->to, "(unchanged)") == 0;

    if (!allowed) {
        refuses_event(&s, e, strcmp(from, "-") ? from : "no recorded life");
        assert_string_equal(s.why.field, "event");
        assert_non_null(strstr(s.why.text, line->event));
        names_all(s.why.text, line->from);
        return;
    }
    if (judge(&s, &e))
        fail_msg("%s from %s: %s", line->event, from, s.why.text);
    put(&s, e);
    if (strcmp(line->to, "(whence)") != 0)
        assert_string_equal(say(now_of(&s).state), same ? from : line->to);
}

static void every_event_is_taken_from_its_states_and_refused_from_all_others(void **state)
{
    (void)state;
    assert_int_equal(STATES_COUNT, LIFE_STATES);
    for (size_t i = 0; i < EVENT_KINDS; i++)
        for (size_t k = 0; k < STATES_COUNT; k++)
            meets(&plain_page[i], all_states[k]);
}

static void states_and_events_have_the_names_of_the_page(void **state)
{
    enum life_state s;
    enum life_kind k;

    (void)state;
    for (size_t i = 0; i < EVENT_KINDS; i++)
        assert_string_equal(event_name(kind_of(plain_page[i].event)), plain_page[i].event);
    for (size_t i = 1; i < STATES_COUNT; i++)
        assert_string_equal(life_state_name(state_of(all_states[i])), all_states[i]);
    assert_null(life_state_name(LIFE_NONE));
    assert_false(life_state_read(none, &s));
    assert_false(life_state_read(span_text("Running"), &s));
    assert_false(event_read(none, &k));
    assert_false(event_read(span_text("transfer"), &k));
}

/* ---- T: facts ---- */

static const char *const text_facts[EVENT_TEXTS] = {
    [EVENT_DOCUMENT] = "document",
    [EVENT_NOTE] = "note",
    [EVENT_CREW] = "crew",
    [EVENT_CERTIFICATE] = "certificate",
};

static void take_away(struct life_event *e, const char *fact)
{
    if (strcmp(fact, "point") == 0)
        e->point = 0;
    if (strcmp(fact, "index_l") == 0)
        e->flags &= (uint8_t)~EVENT_HAS_INDEX;
    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        if (text_facts[i] && strcmp(fact, text_facts[i]) == 0)
            e->text[i] = span_text("");
}

static const char *const all_facts[] = { "document",    "note",  "crew",
                                         "certificate", "point", "index_l" };

static void lacks(struct story *s, struct life_event e, bool overrule, const char *field)
{
    enum err err = life_facts(&s->meter, s->events, s->count, &e, overrule, &s->why);

    if (!field) {
        if (err)
            fail_msg("%s: %s", event_name((enum life_kind)e.kind), s->why.text);
        return;
    }
    assert_err(ERR_INVALID, err);
    assert_string_equal(s->why.field, field);
    assert_non_null(strstr(s->why.text, field));
}

static void a_missing_fact_is_named_and_what_is_not_needed_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < EVENT_KINDS; i++) {
        for (size_t k = 0; k < STATES_COUNT; k++) {
            struct story s = story_of(being(bulk("2026-01-10"), state_of(all_states[k])));
            struct life_event e = event(plain_page[i].event, "2026-03-01");

            lacks(&s, e, false, NULL);
            for (size_t f = 0; f < sizeof all_facts / sizeof all_facts[0]; f++) {
                struct life_event without = e;
                bool needed =
                    plain_word(plain_page[i].facts, all_facts[f]) ||
                    (strcmp(plain_page[i].facts, "note-from-faulty") == 0 &&
                     strcmp(all_facts[f], "note") == 0 && strcmp(all_states[k], "faulty") == 0);

                take_away(&without, all_facts[f]);
                lacks(&s, without, false, needed ? all_facts[f] : NULL);
            }
        }
        assert_int_equal(event_needs_result(kind_of(plain_page[i].event)),
                         plain_word(plain_page[i].facts, "result"));
        assert_int_equal(event_needs_index(kind_of(plain_page[i].event)),
                         plain_word(plain_page[i].facts, "index_l"));
        assert_int_equal(event_needs_point(kind_of(plain_page[i].event)),
                         plain_word(plain_page[i].facts, "point"));
    }
}

static struct life_event bare(const char *name, const char *at)
{
    struct life_event e = event(name, at);

    for (size_t f = 0; f < sizeof all_facts / sizeof all_facts[0]; f++)
        take_away(&e, all_facts[f]);
    return e;
}

static void all_missing_facts_are_named_at_once(void **state)
{
    struct story s = story_of(being(bulk("2026-01-10"), LIFE_ISSUED));

    (void)state;
    lacks(&s, bare("install", "2026-03-01"), false, "point, index_l");
    lacks(&s, bare("install", "2026-03-01"), true, "point, index_l, note");
    lacks(&s, bare("issue", "2026-03-01"), false, "document, crew");
    lacks(&s, bare("remove", "2026-03-01"), true, "index_l, note");
    lacks(&s, event("remove", "2026-03-01"), true, NULL);
    lacks(&s, bare("lose", "2026-03-01"), true, "note"); /* once */
}

static void a_verification_is_not_of_tomorrow_nor_over_before_it_began(void **state)
{
    struct story s = story_of(being(bulk(NULL), LIFE_RECEIVED));
    struct life_event e = event("verify", "2026-03-31T16:30:00Z"); /* 1 April of the utility */

    (void)state;
    e.verified_on = day("2026-04-01");
    lacks(&s, e, false, NULL);
    e.verified_on = day("2026-04-02");
    lacks(&s, e, false, "verified_on");
    assert_non_null(strstr(s.why.text, "2026-04-02"));
    assert_non_null(strstr(s.why.text, "2026-04-01"));
    e.verified_on = NO_DAY;
    e.valid_until = day("2026-03-31");
    lacks(&s, e, false, "valid_until");
    e.valid_until = day("2026-04-01");
    lacks(&s, e, false, NULL);
    e.verified_on = day("2026-03-01");
    e.valid_until = day("2026-02-28");
    lacks(&s, e, false, "valid_until");
    e.text[EVENT_CERTIFICATE] = none;
    lacks(&s, e, false, "certificate");
    assert_non_null(strstr(s.why.text, "valid_until"));
}

/* ---- L2, L3: order and time ---- */

static void an_event_is_judged_at_its_own_time(void **state)
{
    struct story s = story_of(household(NULL));

    (void)state;
    takes(&s, "receive", "2026-03-01T14:00:00");
    refuses(&s, "verify", "2026-02-27T10:00:00", "no recorded life, expected received or at-lab");
    takes(&s, "verify", "2026-03-01T14:00:00"); /* of one second: behind */
    is(&s, "verified");
    refuses(&s, "receive", "2026-03-02",
            "found the state verified, expected ordered or no recorded life");
}

static void a_late_paper_that_fits_is_taken_at_its_own_date(void **state)
{
    struct story s = story_of(being(household("2024-05-10"), LIFE_ISSUED));
    struct life l;

    (void)state;
    takes(&s, "install", "2025-06-01");
    takes(&s, "fault", "2026-02-10");
    takes(&s, "suspend", "2025-12-15");
    is(&s, "faulty");
    life_fold(&s.meter, s.events, s.count, event("suspend", "2025-12-20").at_s, INT64_MAX, &l);
    assert_int_equal(l.state, LIFE_SUSPENDED);
    assert_int_equal(l.since_s, event("suspend", "2025-12-15").at_s);
    life_fold(&s.meter, s.events, s.count, event("suspend", "2025-12-15").at_s - 1, INT64_MAX, &l);
    assert_int_equal(l.state, LIFE_RUNNING);
}

static void an_event_that_makes_a_later_one_wrong_is_refused_with_its_name(void **state)
{
    struct story s = story_of(being(household("2024-05-10"), LIFE_ISSUED));

    (void)state;
    takes(&s, "install", "2025-06-01");
    takes(&s, "suspend", "2025-12-15");
    refuses(&s, "remove", "2025-10-01", "suspend at 2025-12-15T04:00:00Z");
    assert_non_null(strstr(s.why.text, "removed"));
    assert_string_equal(s.why.field, "at");
    refuses(&s, "suspend", "2025-10-01",
            "suspend at 2025-12-15T04:00:00Z: found the state suspended");
    takes(&s, "inspect", "2025-10-01");
}

/* resume needs a note from faulty: one without it would become one. */
static void a_later_event_that_would_lack_a_fact_counts_too(void **state)
{
    struct story s = story_of(being(household("2024-05-10"), LIFE_RUNNING));
    struct life_event resume = event("resume", "2025-12-20");

    (void)state;
    resume.text[EVENT_NOTE] = none;
    takes(&s, "suspend", "2025-12-01");
    takes_event(&s, resume);
    refuses(&s, "fault", "2025-12-10", "resume at 2025-12-20T04:00:00Z: note: found nothing");
    s.events[1].text[EVENT_NOTE] = span_text("mended");
    takes(&s, "fault", "2025-12-10");
}

/* A period that was shortened afterwards makes the installation of then wrong; what comes later is judged by itself. */
static void what_was_wrong_before_is_no_reason_against_a_new_event(void **state)
{
    struct story s = story_of(household(NULL));

    (void)state;
    takes(&s, "receive", "2020-01-02");
    takes(&s, "verify", "2020-01-03");
    takes(&s, "stock", "2020-01-04");
    takes(&s, "issue", "2022-02-01");
    takes(&s, "install", "2022-02-02");
    s.meter.verify.life_months = 12;
    takes(&s, "inspect", "2022-03-01");
    takes(&s, "inspect", "2020-01-02"); /* before them */
    takes(&s, "suspend", "2022-04-01");
    refuses(&s, "return", "2022-02-01T13:00:00", "install at 2022-02-02T04:00:00Z");
}

/* ---- L6: a date for those that go out ---- */

static void what_goes_out_is_in_date_on_that_day_of_the_utility(void **state)
{
    struct story s = story_of(being(household("2020-02-10"), LIFE_IN_STOCK));

    (void)state;
    refuses(&s, "issue", "2026-02-11T00:00:00", "2026-02-10");
    refuses(&s, "issue", "2026-02-10T16:00:00Z", "expected a day not before 2026-02-11");
    takes(&s, "issue", "2026-02-10T15:59:59Z");
    refuses(&s, "install", "2026-02-10T16:00:00Z", "2026-02-10");
    takes(&s, "install", "2026-02-10T23:59:59");
}

static void what_was_never_verified_goes_out_only_from_an_unknown_life(void **state)
{
    struct story s = story_of(being(household(NULL), LIFE_IN_STOCK));

    (void)state;
    refuses(&s, "issue", "2026-02-11", "verified");
    s = story_of(being(household(NULL), LIFE_ISSUED));
    refuses(&s, "install", "2026-02-11", "verified");
    s = story_of(household(NULL));
    takes(&s, "install", "2026-02-11");
    assert_true(s.warnings.unverified);
    assert_int_equal(s.warnings.legal_due, NO_DAY);
    s = story_of(household("2020-02-10"));
    refuses(&s, "install", "2026-02-11", "2026-02-10"); /* verified, but out of date */
    refuses(&s, "install", "2020-02-09", "verified");   /* of the day or earlier */
    takes(&s, "install", "2020-02-10");
    assert_false(s.warnings.unverified);
}

static void a_renewal_that_was_recorded_late_counts_from_its_own_day(void **state)
{
    struct story s = story_of(being(bulk("2024-01-10"), LIFE_AT_LAB));
    struct life_event verify = event("verify", "2026-02-20");

    (void)state;
    verify.verified_on = day("2026-02-18");
    takes_event(&s, verify);
    takes(&s, "stock", "2026-02-21");
    takes(&s, "issue", "2026-02-22");
    assert_int_equal(s.warnings.legal_due, day("2028-02-18"));
    refuses(&s, "install", "2028-02-19", "2028-02-18");
}

static void a_verification_told_late_is_held_against_what_went_out_since(void **state)
{
    struct story s = story_of(being(bulk("2026-01-10"), LIFE_AT_LAB));
    struct life_event verify = event("verify", "2026-02-20");

    (void)state;
    takes(&s, "stock", "2026-03-01");
    takes(&s, "issue", "2026-06-01");
    verify.valid_until = day("2026-05-31");
    refuses_event(&s, verify, "issue at 2026-06-01T04:00:00Z: found legal_due 2026-05-31");
    verify.valid_until = day("2026-06-01");
    takes_event(&s, verify);
}

/* ---- V10 ---- */

static void an_issue_with_less_than_a_year_left_warns(void **state)
{
    static const struct {
        const char *verified_on, *at;
        bool warns;
    } expected[] = {
        { "2020-09-15", "2026-03-02", true }, { "2021-03-02", "2026-03-02", false },
        { "2021-03-01", "2026-03-02", true }, { "2019-02-28", "2024-02-29", false },
        { "2019-02-27", "2024-02-29", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct story s = story_of(being(household(expected[i].verified_on), LIFE_IN_STOCK));

        takes(&s, "issue", expected[i].at);
        assert_int_equal(s.warnings.under_a_year, expected[i].warns);
        takes(&s, "install", expected[i].at);
        assert_false(s.warnings.under_a_year);
    }
}

/* ---- L9, V7: the limited class ---- */

static void a_limited_meter_that_was_fitted_never_goes_back_to_the_store(void **state)
{
    struct story s = story_of(being(household("2024-08-10"), LIFE_ISSUED));

    (void)state;
    takes(&s, "install", "2024-09-01");
    takes(&s, "remove", "2026-01-08");
    takes(&s, "to-lab", "2026-01-09");
    takes(&s, "inspect", "2026-01-10");
    refuses(&s, "verify", "2026-01-11", "limited");
    refuses(&s, "stock", "2026-01-11", "limited");
    refuses(&s, "stock", "2030-08-11", "2030-08-10");
    assert_non_null(strstr(s.why.text, "limited"));
    takes(&s, "retire", "2026-01-12");
}

static void the_laboratory_gives_back_what_is_in_date(void **state)
{
    struct story s = story_of(being(household("2024-08-10"), LIFE_IN_STOCK));

    (void)state;
    takes(&s, "to-lab", "2026-01-09");
    refuses(&s, "verify", "2026-01-10", "limited"); /* a second one */
    refuses(&s, "stock", "2030-08-11", "2030-08-10");
    takes(&s, "stock", "2030-08-10");
    s = story_of(being(household(NULL), LIFE_AT_LAB));
    refuses(&s, "stock", "2026-01-10", "verified");
    takes(&s, "verify", "2026-01-10");
    s = story_of(being(bulk("2024-01-10"), LIFE_RUNNING));
    takes(&s, "remove", "2026-01-02");
    takes(&s, "to-lab", "2026-01-03");
    refuses(&s, "stock", "2026-01-11", "2026-01-10");
    takes(&s, "stock", "2026-01-10");
    s = story_of(being(household(NULL), LIFE_VERIFIED));
    takes(&s, "stock", "2026-01-10"); /* only from the laboratory a date is asked for */
}

static void whoever_came_with_a_state_that_follows_fitting_was_fitted(void **state)
{
    static const enum life_state fitted[] = { LIFE_RUNNING, LIFE_SUSPENDED, LIFE_FAULTY,
                                              LIFE_REMOVED };

    (void)state;
    for (size_t i = 0; i < sizeof fitted / sizeof fitted[0]; i++) {
        struct story s = story_of(being(household("2024-08-10"), fitted[i]));

        if (fitted[i] != LIFE_REMOVED)
            takes(&s, "remove", "2025-01-01");
        takes(&s, "to-lab", "2025-01-02");
        refuses(&s, "stock", "2025-01-03", "limited");
    }
}

static void the_periodic_class_is_renewed_and_used_again(void **state)
{
    struct story s = story_of(being(bulk("2024-03-01"), LIFE_ISSUED));
    struct legal legal;

    (void)state;
    takes(&s, "install", "2024-03-20");
    takes(&s, "remove", "2026-02-16");
    takes(&s, "to-lab", "2026-02-17");
    takes(&s, "verify", "2026-02-24");
    takes(&s, "stock", "2026-02-25");
    takes(&s, "issue", "2026-02-26");
    takes(&s, "install", "2026-02-27");
    life_legal(&s.meter, s.events, s.count, INT32_MAX, INT64_MAX, &legal);
    assert_int_equal(legal.first_verified_on, day("2024-03-01"));
    assert_int_equal(legal.verified_on, day("2026-02-24"));
    assert_int_equal(legal.due, day("2028-02-24"));
    life_legal(&s.meter, s.events, s.count, day("2026-02-23"), INT64_MAX, &legal);
    assert_int_equal(legal.due, day("2026-03-01"));
    life_legal(&s.meter, s.events, s.count, day("2024-02-29"), INT64_MAX, &legal);
    assert_int_equal(legal.due, NO_DAY);
}

/* ---- L11: lost and found ---- */

static void found_it_is_where_it_was_lost_from_but_not_at_its_place(void **state)
{
    static const char *const from[] = { "received", "verified", "rejected",  "in-stock",
                                        "issued",   "running",  "suspended", "faulty",
                                        "removed",  "at-lab",   "retired" };

    (void)state;
    for (size_t i = 0; i < sizeof from / sizeof from[0]; i++) {
        struct story s = story_of(being(household("2024-08-10"), state_of(from[i])));

        takes(&s, "lose", "2025-01-01");
        is(&s, "lost");
        assert_int_equal(now_of(&s).point, 0);
        takes(&s, "find", "2025-02-01");
        is(&s, life_is_fitted(state_of(from[i])) ? "removed" : from[i]);
        refuses(&s, "find", "2025-03-01", "expected lost");
    }
}

static void what_was_issued_goes_back_to_its_crew_when_found(void **state)
{
    struct story s = story_of(being(household("2024-08-10"), LIFE_IN_STOCK));
    struct life_event issue = event("issue", "2025-01-01");

    (void)state;
    issue.text[EVENT_CREW] = span_text("crew-3");
    takes_event(&s, issue);
    assert_true(span_equal(now_of(&s).crew, span_text("crew-3")));
    takes(&s, "lose", "2025-01-02");
    assert_int_equal(now_of(&s).crew.len, 0);
    takes(&s, "find", "2025-01-03");
    assert_true(span_equal(now_of(&s).crew, span_text("crew-3")));
    takes(&s, "return", "2025-01-04");
    assert_int_equal(now_of(&s).crew.len, 0);
}

/* It may have been at a customer's: it comes back by way of the laboratory. */
static void one_that_came_as_lost_is_found_as_taken_off(void **state)
{
    struct story s = story_of(being(household("2024-08-10"), LIFE_LOST));

    (void)state;
    takes(&s, "find", "2025-01-03");
    is(&s, "removed");
    takes(&s, "to-lab", "2025-01-04");
    refuses(&s, "stock", "2025-01-05", "limited");
}

/* ---- L13, T3: fittings ---- */

static struct life_event told(const char *name, const char *at, uint32_t point, int64_t index_ml)
{
    struct life_event e = event(name, at);

    e.flags |= EVENT_IMPORTED | EVENT_HAS_INDEX;
    e.point = point;
    e.index_ml = index_ml;
    return e;
}

static void a_told_fitting_makes_the_meter_running_and_removed_whatever_its_state(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LIFE_STATES; i++) {
        struct story s = story_of(being(household(NULL), (enum life_state)i));

        takes_event(&s, told("install", "2024-01-01", 5, 10));
        is(&s, "running");
        assert_int_equal(now_of(&s).point, 5);
        assert_int_equal(now_of(&s).start_ml, 10);
        takes_event(&s, told("remove", "2025-01-01", 0, 20));
        is(&s, "removed");
        assert_int_equal(now_of(&s).point, 0);
        assert_true(now_of(&s).ever_fitted);
    }
}

static void told_events_are_no_reason_against_a_new_one(void **state)
{
    struct story s = story_of(being(household("2023-01-01"), LIFE_RECEIVED));

    (void)state;
    put(&s, told("install", "2024-01-01", 5, 10));
    takes(&s, "reject", "2023-06-01");
    is(&s, "running");
    takes(&s, "suspend", "2024-02-01");
}

static void fittings_follow_from_events(void **state)
{
    struct story s = story_of(being(bulk("2024-01-01"), LIFE_ISSUED));
    struct life_event install = event("install", "2024-02-01"), lose = event("lose", "2025-05-01");
    struct life_event off = event("remove", "2024-08-01");
    struct fitting f[4];
    struct span reasons[4];

    (void)state;
    install.text[EVENT_REASON] = span_text("why it came");
    takes_event(&s, install);
    off.index_ml = 900;
    off.text[EVENT_REASON] = span_text("periodic");
    takes(&s, "suspend", "2024-03-01");
    takes_event(&s, off);
    put(&s, told("install", "2025-01-01", 9, 50));
    s.events[s.count - 1].text[EVENT_REASON] = span_text("from a file");
    lose.flags |= EVENT_HAS_INDEX;
    lose.index_ml = 70;
    takes_event(&s, lose);
    put(&s, told("install", "2025-06-01", 10, 71));
    assert_int_equal(life_fittings(s.events, s.count, 3, f, reasons, 4), 3);
    assert_int_equal(f[0].meter, 3);
    assert_int_equal(f[0].point, 7);
    assert_int_equal(f[0].from_s, install.at_s);
    assert_int_equal(f[0].to_s, off.at_s);
    assert_true(f[0].has_end && f[0].end_ml == 900);
    assert_true(span_equal(reasons[0], span_text("periodic")));
    assert_int_equal(f[1].point, 9);
    assert_int_equal(f[1].to_s, lose.at_s);
    assert_true(f[1].has_end && f[1].end_ml == 70 && f[1].start_ml == 50);
    assert_true(span_equal(reasons[1], span_text("from a file")));
    assert_int_equal(f[2].to_s, FITTING_OPEN);
    assert_false(f[2].has_end);
    assert_int_equal(life_fittings(s.events, s.count, 3, f, NULL, 1),
                     3); /* no farther than its room */
    assert_int_equal(f[1].point, 9);
}

/* ---- what is known when ---- */

static void an_event_is_not_known_before_it_was_recorded(void **state)
{
    struct story s = story_of(being(bulk("2024-01-01"), LIFE_AT_LAB));
    struct life_event verify = event("verify", "2026-01-01");
    struct legal legal;
    struct life l;

    (void)state;
    verify.recorded_s = verify.at_s + 1000;
    put(&s, verify);
    life_fold(&s.meter, s.events, s.count, INT64_MAX, verify.at_s + 999, &l);
    assert_int_equal(l.state, LIFE_AT_LAB);
    life_legal(&s.meter, s.events, s.count, INT32_MAX, verify.at_s + 999, &legal);
    assert_int_equal(legal.verified_on, day("2024-01-01"));
    life_fold(&s.meter, s.events, s.count, INT64_MAX, verify.at_s + 1000, &l);
    assert_int_equal(l.state, LIFE_VERIFIED);
    life_legal(&s.meter, s.events, s.count, INT32_MAX, verify.at_s + 1000, &legal);
    assert_int_equal(legal.verified_on, day("2026-01-01"));
}

static void
of_verifications_of_one_day_the_certificate_of_the_last_counts_for_the_periodic(void **state)
{
    struct story s = story_of(bulk("2026-01-01"));
    struct life_event verify = event("verify", "2026-01-01");
    struct legal legal;

    (void)state;
    verify.valid_until = day("2026-12-31");
    put(&s, verify);
    life_legal(&s.meter, s.events, s.count, INT32_MAX, INT64_MAX, &legal);
    assert_int_equal(legal.due, day("2026-12-31"));
    assert_int_equal(legal.basis, DUE_CERTIFICATE);
    verify.valid_until = NO_DAY;
    put(&s, verify);
    life_legal(&s.meter, s.events, s.count, INT32_MAX, INT64_MAX, &legal);
    assert_int_equal(legal.due, day("2028-01-01"));
}

/* ---- random lives against a plain model ---- */

#define MOST 40

static struct plain_meter plain_of(const struct life_meter *m)
{
    return (struct plain_meter){ .limited = m->verify.dn_mm <= 25,
                                 .life_months = m->verify.life_months,
                                 .row_verified_on = m->verify.row_verified_on,
                                 .imported = say(m->imported) };
}

static int32_t civil(int64_t at_s)
{
    return (int32_t)zone_day_number(&zone, at_s);
}

static struct life_event random_event(struct check_random *r)
{
    static const char *const likely[] = { "receive", "verify", "stock", "issue",
                                          "install", "remove", "to-lab" };
    const char *name = check_below(r, 2) ? likely[check_below(r, 7)]
                                         : plain_page[check_below(r, EVENT_KINDS)].event;
    struct life_event e = event(name, "2020-01-01");

    e.at_s += check_between(r, 0, 80) * 30 * 86400 + check_between(r, 0, 2) * 6 * 3600;
    e.point = e.kind == EVENT_INSTALL ? (uint32_t)check_between(r, 1, 3) : 0;
    if (e.kind == EVENT_RESUME && check_below(r, 2))
        e.text[EVENT_NOTE] = none;
    if (e.kind == EVENT_VERIFY && check_below(r, 3) == 0)
        e.verified_on = civil(e.at_s) - (int32_t)check_below(r, 40);
    if (e.kind == EVENT_VERIFY && check_below(r, 4) == 0)
        e.valid_until = civil(e.at_s) + (int32_t)check_below(r, 900);
    return e;
}

static void same_fittings(const struct story *s, const struct plain_meter *m,
                          const struct life *now)
{
    struct fitting f[MOST], g[MOST];
    size_t count = life_fittings(s->events, s->count, 1, f, NULL, MOST);

    assert_int_equal(count, plain_fittings(m, s->events, s->count, 1, g, MOST));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(f[i].point, g[i].point);
        assert_int_equal(f[i].from_s, g[i].from_s);
        assert_int_equal(f[i].to_s, g[i].to_s);
        assert_true(i + 1 == count || f[i].to_s <= f[i + 1].from_s);
    }
    assert_int_equal(count && f[count - 1].to_s == FITTING_OPEN ? f[count - 1].point : 0,
                     now->point);
}

static void agrees_with_plain(const struct story *s)
{
    struct plain_meter m = plain_of(&s->meter);
    struct life_refusal why;
    struct life l;

    for (size_t i = 0; i < s->count; i++)
        assert_int_equal(
            life_verdict(&s->meter, s->events, s->count, i, &why),
            s->events[i].flags & EVENT_IMPORTED ? 0 : plain_verdict(&m, s->events, s->count, i));
    for (size_t i = 0; i <= s->count; i++) {
        struct plain_life p = plain_before(&m, s->events, i);

        if (i < s->count && i && s->events[i].at_s == s->events[i - 1].at_s)
            continue;
        life_fold(&s->meter, s->events, s->count, i ? s->events[i - 1].at_s : INT64_MIN, INT64_MAX,
                  &l);
        assert_string_equal(say(l.state), p.state);
        assert_int_equal(l.point, p.point);
    }
    same_fittings(s, &m, &l);
}

static void random_life(struct check_random *r, unsigned *taken, unsigned *refused)
{
    struct life_meter m = check_below(r, 2) ? household(NULL) : bulk(NULL);
    struct story s;

    if (check_below(r, 3) == 0)
        m.imported = (enum life_state)check_below(r, LIFE_STATES);
    if (check_below(r, 3) == 0)
        m.verify.row_verified_on = day("2019-06-01") + (int32_t)check_below(r, 1000);
    s = story_of(m);
    for (unsigned tries = 0; tries < 150 && s.count < 30; tries++) {
        struct life_event e = random_event(r);
        struct plain_meter plain;
        bool fine;

        if (check_below(r, 40) == 0)
            s.meter.verify.life_months = (int32_t)check_below(r, 30);
        if (check_below(r, 20) == 0 && (e.kind == EVENT_INSTALL || e.kind == EVENT_REMOVE)) {
            e.flags |= EVENT_IMPORTED;
            put(&s, e);
            continue;
        }
        plain = plain_of(&s.meter);
        fine = judge(&s, &e) == ERR_OK;
        if (fine != plain_takes(&plain, s.events, s.count, &e))
            fail_msg("%s: the model %s it; %s", event_name((enum life_kind)e.kind),
                     fine ? "refuses" : "takes", s.why.text);
        *(fine ? taken : refused) += 1;
        if (fine)
            put(&s, e);
    }
    agrees_with_plain(&s);
}

static void a_random_life_is_judged_as_by_a_model_that_begins_anew(void **state)
{
    struct check_random r = check_random_begin();
    unsigned taken = 0, refused = 0;

    (void)state;
    for (unsigned i = 0; i < 400; i++)
        random_life(&r, &taken, &refused);
    assert_true(taken > 1000 && refused > 1000);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_and_events_have_the_names_of_the_page),
        cmocka_unit_test(every_event_is_taken_from_its_states_and_refused_from_all_others),
        cmocka_unit_test(a_missing_fact_is_named_and_what_is_not_needed_is_not),
        cmocka_unit_test(all_missing_facts_are_named_at_once),
        cmocka_unit_test(a_verification_is_not_of_tomorrow_nor_over_before_it_began),
        cmocka_unit_test(an_event_is_judged_at_its_own_time),
        cmocka_unit_test(a_late_paper_that_fits_is_taken_at_its_own_date),
        cmocka_unit_test(an_event_that_makes_a_later_one_wrong_is_refused_with_its_name),
        cmocka_unit_test(a_later_event_that_would_lack_a_fact_counts_too),
        cmocka_unit_test(what_was_wrong_before_is_no_reason_against_a_new_event),
        cmocka_unit_test(what_goes_out_is_in_date_on_that_day_of_the_utility),
        cmocka_unit_test(what_was_never_verified_goes_out_only_from_an_unknown_life),
        cmocka_unit_test(a_renewal_that_was_recorded_late_counts_from_its_own_day),
        cmocka_unit_test(a_verification_told_late_is_held_against_what_went_out_since),
        cmocka_unit_test(an_issue_with_less_than_a_year_left_warns),
        cmocka_unit_test(a_limited_meter_that_was_fitted_never_goes_back_to_the_store),
        cmocka_unit_test(the_laboratory_gives_back_what_is_in_date),
        cmocka_unit_test(whoever_came_with_a_state_that_follows_fitting_was_fitted),
        cmocka_unit_test(the_periodic_class_is_renewed_and_used_again),
        cmocka_unit_test(found_it_is_where_it_was_lost_from_but_not_at_its_place),
        cmocka_unit_test(what_was_issued_goes_back_to_its_crew_when_found),
        cmocka_unit_test(one_that_came_as_lost_is_found_as_taken_off),
        cmocka_unit_test(a_told_fitting_makes_the_meter_running_and_removed_whatever_its_state),
        cmocka_unit_test(told_events_are_no_reason_against_a_new_one),
        cmocka_unit_test(fittings_follow_from_events),
        cmocka_unit_test(an_event_is_not_known_before_it_was_recorded),
        cmocka_unit_test(
            of_verifications_of_one_day_the_certificate_of_the_last_counts_for_the_periodic),
        cmocka_unit_test(a_random_life_is_judged_as_by_a_model_that_begins_anew),
    };

    verify_rules_builtin(&china);
    zone_fixed(&zone, "test", 8 * 3600);
    return check_run(tests, argc, argv);
}
