/* Whether one more event may come into a life: its facts, the state table, the calendar, and what stands behind it. */
#include "proto/base/text.h"
#include "server/fleet/life_priv.h"

#include <assert.h>

static const char *const text_names[EVENT_TEXTS] = {
    [EVENT_DOCUMENT] = "document", [EVENT_NOTE] = "note",   [EVENT_CREW] = "crew",
    [EVENT_REASON] = "reason",     [EVENT_DEPOT] = "depot", [EVENT_CERTIFICATE] = "certificate",
    [EVENT_PHOTO] = "photo",       [EVENT_SEAL] = "seal",   [EVENT_ORDER_ID] = "order",
    [EVENT_BATCH] = "batch",
};

/* Room for a sentence in `out`, which is never left without its end. */
static struct wr sentence(char *out, size_t cap)
{
    memset(out, 0, cap);
    return wr_of(out, cap - 1);
}

static void say_day(struct wr *w, int32_t day)
{
    char text[11];

    text_put_date(text, day);
    wr_text(w, text);
}

static void say_event(struct wr *w, const struct life_event *e)
{
    char at[TEXT_TIME_SIZE];

    text_put_time(at, e->at_s);
    wr_format(w, "%s at %s", event_name((enum life_kind)e->kind), at);
}

/* ---- facts ---- */

static unsigned texts_missing(const struct life_event *e, unsigned needed)
{
    unsigned missing = 0;

    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        if (needed >> i & 1 && !e->text[i].len)
            missing |= 1u << i;
    return missing;
}

static void say_missing(struct wr *w, const char *name)
{
    if (wr_len(w))
        wr_text(w, ", ");
    wr_text(w, name);
}

/* The names of all that is missing, in the order of the rules' table. */
static void name_missing(struct wr *w, const struct life_event *e, unsigned texts)
{
    enum life_kind kind = (enum life_kind)e->kind;

    if (event_needs_point(kind) && !e->point)
        say_missing(w, "point");
    if (event_needs_index(kind) && !(e->flags & EVENT_HAS_INDEX))
        say_missing(w, "index_l");
    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        if (texts >> i & 1)
            say_missing(w, text_names[i]);
}

static const char *day_impossible(const struct life_meter *m, const struct life_event *e,
                                  struct wr *w)
{
    int32_t day = event_day(m, e), on = event_verified_on(m, e);
    bool late = on > day;

    if (e->kind != EVENT_VERIFY || (!late && (e->valid_until == NO_DAY || e->valid_until >= on)))
        return NULL;
    if (wr_len(w))
        wr_text(w, "; ");
    wr_text(w, late ? "verified_on: found " : "valid_until: found ");
    say_day(w, late ? on : e->valid_until);
    wr_text(w, late ? ", expected a day not after that of the event, "
                    : ", expected a day not before that of the verification, ");
    say_day(w, late ? day : on);
    return late ? "verified_on" : "valid_until";
}

enum err life_facts(const struct life_meter *m, const struct life_event *events, size_t count,
                    const struct life_event *e, bool overrule, struct life_refusal *why)
{
    struct wr names = sentence(why->fields, sizeof why->fields);
    struct wr text = sentence(why->text, sizeof why->text);
    const char *impossible;
    unsigned needed;
    struct life was;

    life_fold(m, events, count, e->at_s, INT64_MAX, &was);
    needed = event_needs((enum life_kind)e->kind, was.state) | (overrule ? 1u << EVENT_NOTE : 0);
    name_missing(&names, e, texts_missing(e, needed));
    if (wr_len(&names))
        wr_format(&text, "%s: found nothing, expected %s", why->fields,
                  memchr(why->fields, ',', wr_len(&names)) ? "all of them" : "a value");
    impossible = day_impossible(m, e, &text);
    why->field = wr_len(&names) ? why->fields : impossible;
    return why->field ? ERR_INVALID : ERR_OK;
}

/* ---- one event at its place ---- */

/* "found …, expected …" of a date that is not known or lies before the event's day; false: it is in date. */
static bool say_out_of_date(const struct legal *legal, int32_t day, struct wr *w)
{
    if (legal->due != NO_DAY && legal->due >= day)
        return false;
    if (legal->due == NO_DAY) {
        wr_text(w, "found no verification, expected it to be verified on ");
        say_day(w, day);
        wr_text(w, " or earlier");
    } else {
        wr_text(w, "found legal_due ");
        say_day(w, legal->due);
        wr_text(w, ", expected a day not before ");
        say_day(w, day);
    }
    return true;
}

static bool never_verified(const struct life_view *v)
{
    struct legal legal;

    view_legal(v, INT32_MAX, INT64_MAX, &legal);
    return legal.verified_on == NO_DAY;
}

/* L6. */
static bool say_not_to_be_used(const struct life_view *v, const struct life *was,
                               const struct life_event *e, int32_t day, struct wr *w)
{
    struct legal legal;

    view_legal(v, day, INT64_MAX, &legal);
    if (e->kind == EVENT_INSTALL && was->state == LIFE_NONE && legal.verified_on == NO_DAY &&
        never_verified(v))
        return false;
    return say_out_of_date(&legal, day, w);
}

/* L9. */
static bool say_not_to_stock(const struct life_view *v, const struct life *was, int32_t day,
                             struct wr *w)
{
    struct legal legal;
    bool said;

    view_legal(v, day, INT64_MAX, &legal);
    said = say_out_of_date(&legal, day, w);
    if (legal.regime != REGIME_LIMITED || !was->ever_fitted)
        return said;
    wr_text(
        w, said
               ? "; it is of the limited class and was fitted"
               : "found a meter of the limited class that was fitted, expected one that never was");
    return true;
}

/* V7. */
static bool say_not_again(const struct life_view *v, const struct life *was, struct wr *w)
{
    struct legal legal;

    view_legal(v, INT32_MAX, INT64_MAX, &legal);
    if (legal.regime != REGIME_LIMITED || (!was->ever_verified && !was->ever_fitted))
        return false;
    wr_format(w,
              "found a meter of the limited class that was %s before, expected its only "
              "verification, before its first fitting",
              !was->ever_fitted    ? "verified"
              : was->ever_verified ? "verified and fitted"
                                   : "fitted");
    return true;
}

static bool say_wrong_state(const struct life *was, enum life_kind kind, struct wr *w)
{
    if (event_from(kind) >> was->state & 1)
        return false;
    if (was->state == LIFE_NONE)
        wr_text(w, "found no recorded life, expected ");
    else
        wr_format(w, "found the state %s, expected ", life_state_name(was->state));
    life_states_say(event_from(kind), w);
    return true;
}

static bool say_lacking(const struct life_event *e, enum life_state at, struct wr *w)
{
    unsigned missing = texts_missing(e, event_needs((enum life_kind)e->kind, at));
    char names[120];
    struct wr n = sentence(names, sizeof names);

    if (!missing)
        return false;
    name_missing(&n, e, missing);
    wr_format(w, "%s: found nothing, expected a value from the state %s", names,
              life_state_name(at) ? life_state_name(at) : "of no recorded life");
    return true;
}

/* Says what stands against `e` where `was` holds. */
static enum life_verdict say_wrong(const struct life_view *v, const struct life *was,
                                   const struct life_event *e, struct wr *w)
{
    enum life_kind kind = (enum life_kind)e->kind;
    bool wrong = false;

    if (say_wrong_state(was, kind, w) || say_lacking(e, was->state, w))
        return LIFE_AGAINST_TABLE;
    if (kind == EVENT_ISSUE || kind == EVENT_INSTALL)
        wrong = say_not_to_be_used(v, was, e, event_day(v->meter, e), w);
    else if (kind == EVENT_STOCK && was->state == LIFE_AT_LAB)
        wrong = say_not_to_stock(v, was, event_day(v->meter, e), w);
    else if (kind == EVENT_VERIFY)
        wrong = say_not_again(v, was, w);
    return wrong ? LIFE_AGAINST_RULES : LIFE_RIGHT;
}

/* ---- a whole life ---- */

static void warnings_of(const struct life_view *with, const struct life *was,
                        const struct life_event *e, struct life_warnings *out)
{
    int32_t day = event_day(with->meter, e);
    struct legal legal;

    view_legal(with, day, INT64_MAX, &legal);
    *out = (struct life_warnings){ .legal_due = legal.due };
    out->unverified =
        e->kind == EVENT_INSTALL && was->state == LIFE_NONE && legal.verified_on == NO_DAY;
    out->under_a_year =
        e->kind == EVENT_ISSUE && legal.due != NO_DAY && legal.due < day_months_later(day, 12);
}

/* The first event behind the new one that becomes wrong by it, or more so; NULL: there is none. `why` says what stands against it. */
static const struct life_event *later_wrong(const struct life_view *with, const struct life *was,
                                            struct wr *why)
{
    struct life_view without = *with;
    struct life a = *was, b = *was;
    char ignored[640];

    without.extra = NULL;
    life_step(&b, with->extra);
    for (size_t i = with->place; i < with->count; i++) {
        const struct life_event *e = &with->events[i];
        struct wr then = *why, before = sentence(ignored, sizeof ignored);

        if (!(e->flags & EVENT_IMPORTED) &&
            say_wrong(with, &b, e, &then) > say_wrong(&without, &a, e, &before)) {
            *why = then;
            return e;
        }
        life_step(&a, e);
        life_step(&b, e);
    }
    return NULL;
}

/* "event: install at … is not allowed: found …, expected …" */
static void say_not_allowed(const struct life_event *e, const char *reasons, struct wr *w)
{
    wr_text(w, "event: ");
    say_event(w, e);
    wr_format(w, " is not allowed: %s", reasons);
}

enum err life_judge(const struct life_meter *m, const struct life_event *events, size_t count,
                    const struct life_event *e, struct life_warnings *warnings,
                    struct life_refusal *why)
{
    struct life_view with = { m, events, count, e, life_place(events, count, e) };
    struct wr text = sentence(why->text, sizeof why->text), reason;
    char reasons[400];
    const struct life_event *later;
    struct life was;

    assert(e->kind < EVENT_KINDS);
    why->field = "event";
    life_begin(&was, m);
    for (size_t i = 0; i < with.place; i++)
        life_step(&was, &events[i]);
    warnings_of(&with, &was, e, warnings);
    if (e->flags & EVENT_IMPORTED)
        return ERR_OK;
    reason = sentence(reasons, sizeof reasons);
    if (say_wrong(&with, &was, e, &reason)) {
        say_not_allowed(e, reasons, &text);
        return ERR_CONFLICT;
    }
    if (!(later = later_wrong(&with, &was, &reason)))
        return ERR_OK;
    why->field = "at";
    wr_text(&text, "at: ");
    say_event(&text, e);
    wr_text(&text, " would make a later event wrong, ");
    say_event(&text, later);
    wr_format(&text, ": %s", reasons);
    return ERR_CONFLICT;
}

enum life_verdict life_verdict(const struct life_meter *m, const struct life_event *events,
                               size_t count, size_t place, struct life_refusal *why)
{
    const struct life_view v = { .meter = m, .events = events, .count = count };
    struct wr text = sentence(why->text, sizeof why->text), reason;
    enum life_verdict verdict;
    char reasons[400];
    struct life was;

    why->field = "event";
    if (events[place].flags & EVENT_IMPORTED)
        return LIFE_RIGHT;
    life_begin(&was, m);
    for (size_t i = 0; i < place; i++)
        life_step(&was, &events[i]);
    reason = sentence(reasons, sizeof reasons);
    verdict = say_wrong(&v, &was, &events[place], &reason);
    if (verdict != LIFE_RIGHT)
        say_not_allowed(&events[place], reasons, &text);
    return verdict;
}
