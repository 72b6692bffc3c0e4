/* The state table as data, and what follows from events taken as they are. */
#include "server/fleet/life.h"

#include "server/fleet/life_priv.h"

/* ---- the table ---- */

enum { LIFE_SAME = LIFE_STATES, LIFE_WHENCE }; /* beside the states in the table's column `to` */
enum { POINT = 1, INDEX = 2, RESULT = 4 };

struct table_line {
    const char *name;
    unsigned from;  /* set of states */
    unsigned to;    /* enum life_state, LIFE_SAME or LIFE_WHENCE */
    unsigned needs; /* POINT, … */
    unsigned texts; /* set of enum event_text */
    unsigned more_from, more_texts;
};

#define ANY (LIFE_BIT(LIFE_STATES) - 1)
#define S(state) LIFE_BIT(LIFE_##state)
#define X(text) (1u << EVENT_##text)
#define LIFE_EVENT(kind, name_, from_, to_, texts_, needs_)                                        \
    [EVENT_##kind].name = (name_), [EVENT_##kind].from = (from_), [EVENT_##kind].to = LIFE_##to_,  \
    [EVENT_##kind].texts = (texts_), [EVENT_##kind].needs = (needs_),
#define LIFE_NEEDS(kind, from_, texts_)                                                            \
    [EVENT_##kind].more_from = (from_), [EVENT_##kind].more_texts = (texts_),

static const struct table_line table[EVENT_KINDS] = {
#include "server/fleet/life.def"
};

static const char *const states[LIFE_STATES] = {
    [LIFE_ORDERED] = "ordered",   [LIFE_RECEIVED] = "received",   [LIFE_VERIFIED] = "verified",
    [LIFE_REJECTED] = "rejected", [LIFE_IN_STOCK] = "in-stock",   [LIFE_ISSUED] = "issued",
    [LIFE_RUNNING] = "running",   [LIFE_SUSPENDED] = "suspended", [LIFE_FAULTY] = "faulty",
    [LIFE_REMOVED] = "removed",   [LIFE_AT_LAB] = "at-lab",       [LIFE_RETIRED] = "retired",
    [LIFE_SCRAPPED] = "scrapped", [LIFE_LOST] = "lost",
};

const char *life_state_name(enum life_state s)
{
    return s < LIFE_STATES ? states[s] : NULL;
}

bool life_state_read(struct span name, enum life_state *out)
{
    for (unsigned i = LIFE_NONE + 1; i < LIFE_STATES; i++) {
        if (!span_equal(name, span_text(states[i])))
            continue;
        *out = (enum life_state)i;
        return true;
    }
    return false;
}

const char *event_name(enum life_kind k)
{
    return table[k].name;
}

bool event_read(struct span name, enum life_kind *out)
{
    for (unsigned i = 0; i < EVENT_KINDS; i++) {
        if (!span_equal(name, span_text(table[i].name)))
            continue;
        *out = (enum life_kind)i;
        return true;
    }
    return false;
}

unsigned event_from(enum life_kind k)
{
    return table[k].from;
}

unsigned event_needs(enum life_kind k, enum life_state at)
{
    return table[k].texts | (table[k].more_from >> at & 1 ? table[k].more_texts : 0);
}

bool event_needs_index(enum life_kind k)
{
    return table[k].needs & INDEX;
}

bool event_needs_point(enum life_kind k)
{
    return table[k].needs & POINT;
}

bool event_needs_result(enum life_kind k)
{
    return table[k].needs & RESULT;
}

/* The one without a name comes last. */
void life_states_say(unsigned set, struct wr *out)
{
    unsigned left = 0;

    for (unsigned i = 0; i < LIFE_STATES; i++)
        left += set >> i & 1;
    for (unsigned i = 1; i <= LIFE_STATES; i++) {
        enum life_state s = (enum life_state)(i % LIFE_STATES);

        if (!(set >> s & 1))
            continue;
        wr_text(out, s == LIFE_NONE ? "no recorded life" : states[s]);
        left--;
        if (left)
            wr_text(out, left == 1 ? " or " : ", ");
    }
}

/* ---- taken as they are ---- */

void life_begin(struct life *l, const struct life_meter *m)
{
    *l = (struct life){ .state = m->imported, .since_s = INT64_MIN };
    /* Nobody is removed who was not fitted. */
    l->ever_fitted = life_is_fitted(m->imported) || m->imported == LIFE_REMOVED;
    l->ever_verified = m->verify.row_verified_on != NO_DAY;
}

/* Of one that was lost before anything was told of it nobody knows whence: it may have been fitted. */
static void find(struct life *l)
{
    if (l->state != LIFE_LOST)
        return;
    if (l->lost_from == LIFE_NONE)
        l->ever_fitted = true;
    l->state =
        l->lost_from == LIFE_NONE || life_is_fitted(l->lost_from) ? LIFE_REMOVED : l->lost_from;
    if (l->state == LIFE_ISSUED)
        l->crew = l->lost_crew;
    l->lost_crew = span_of(NULL, 0);
}

static void lose(struct life *l)
{
    if (l->state == LIFE_LOST)
        return;
    l->lost_from = l->state;
    l->lost_crew = l->crew;
    l->state = LIFE_LOST;
}

static void fit(struct life *l, const struct life_event *e)
{
    l->ever_fitted = true;
    l->point = e->point;
    l->fitted_s = e->at_s;
    l->start_ml = e->index_ml;
}

void life_step(struct life *l, const struct life_event *e)
{
    unsigned to = table[e->kind].to;

    if (to == LIFE_WHENCE)
        find(l);
    else if (to == LIFE_LOST)
        lose(l);
    else if (to != LIFE_SAME)
        l->state = (enum life_state)to;
    if (to != LIFE_SAME)
        l->since_s = e->at_s;
    if (e->kind == EVENT_INSTALL)
        fit(l, e);
    if (e->kind == EVENT_VERIFY)
        l->ever_verified = true;
    if (e->kind == EVENT_ISSUE)
        l->crew = e->text[EVENT_CREW];
    if (e->text[EVENT_DEPOT].len)
        l->depot = e->text[EVENT_DEPOT];
    if (!life_is_fitted(l->state))
        l->point = 0;
    if (l->state != LIFE_ISSUED)
        l->crew = span_of(NULL, 0);
    if (l->state == LIFE_REMOVED)
        l->ever_fitted = true;
}

void life_fold(const struct life_meter *m, const struct life_event *events, size_t count,
               int64_t at_s, int64_t known_s, struct life *out)
{
    life_begin(out, m);
    for (size_t i = 0; i < count && events[i].at_s <= at_s; i++)
        if (events[i].recorded_s <= known_s)
            life_step(out, &events[i]);
}

size_t life_place(const struct life_event *events, size_t count, const struct life_event *e)
{
    size_t place = count;

    while (place && events[place - 1].at_s > e->at_s)
        place--;
    return place;
}

/* ---- fittings ---- */

struct fitting_list {
    struct fitting *at;
    struct span *reasons;
    size_t count, cap;
};

static void fitting_begin(struct fitting_list *f, const struct life_event *e, uint32_t meter)
{
    if (f->count < f->cap) {
        f->at[f->count] = (struct fitting){ .meter = meter,
                                            .point = e->point,
                                            .from_s = e->at_s,
                                            .to_s = FITTING_OPEN,
                                            .start_ml = e->index_ml };
        if (f->reasons)
            f->reasons[f->count] =
                e->flags & EVENT_IMPORTED ? e->text[EVENT_REASON] : span_of(NULL, 0);
    }
    f->count++;
}

static void fitting_end(struct fitting_list *f, const struct life_event *e)
{
    bool told = e->kind == EVENT_REMOVE || e->kind == EVENT_LOSE;
    struct fitting *last;

    if (f->count > f->cap)
        return;
    last = &f->at[f->count - 1];
    last->to_s = e->at_s;
    last->has_end = told && e->flags & EVENT_HAS_INDEX;
    last->end_ml = last->has_end ? e->index_ml : 0;
    if (f->reasons && told && e->text[EVENT_REASON].len)
        f->reasons[f->count - 1] = e->text[EVENT_REASON];
}

size_t life_fittings(const struct life_event *events, size_t count, uint32_t meter,
                     struct fitting *fittings, struct span *reasons, size_t cap)
{
    struct fitting_list f = { .at = fittings, .reasons = reasons, .cap = cap };
    struct life now = { .state = LIFE_NONE };
    bool open = false;

    for (size_t i = 0; i < count; i++) {
        const struct life_event *e = &events[i];

        life_step(&now, e);
        if (open && (e->kind == EVENT_INSTALL || !life_is_fitted(now.state))) {
            fitting_end(&f, e);
            open = false;
        }
        if (e->kind == EVENT_INSTALL) {
            fitting_begin(&f, e, meter);
            open = true;
        }
    }
    return f.count;
}

/* ---- verifications ---- */

int32_t event_day(const struct life_meter *m, const struct life_event *e)
{
    return (int32_t)zone_day_number(m->zone, e->at_s);
}

int32_t event_verified_on(const struct life_meter *m, const struct life_event *e)
{
    return e->verified_on == NO_DAY ? event_day(m, e) : e->verified_on;
}

/* Of several on one day the first is the first, and the last the latest; the row's came before all. */
void view_legal(const struct life_view *v, int32_t day, int64_t known_s, struct legal *out)
{
    const struct life_meter *m = v->meter;
    int32_t first = NO_DAY, first_until = NO_DAY, latest, latest_until = NO_DAY;

    if (m->verify.row_verified_on <= day)
        first = m->verify.row_verified_on;
    latest = first;
    for (size_t i = 0; i < view_count(v); i++) {
        const struct life_event *e = view_at(v, i);
        int32_t on;

        if (e->kind != EVENT_VERIFY || e->recorded_s > known_s ||
            (on = event_verified_on(m, e)) > day)
            continue;
        if (first == NO_DAY || on < first) {
            first = on;
            first_until = e->valid_until;
        }
        if (latest == NO_DAY || on >= latest) {
            latest = on;
            latest_until = e->valid_until;
        }
    }
    legal_of(&m->verify, first, first_until, latest, latest_until, out);
}

void life_legal(const struct life_meter *m, const struct life_event *events, size_t count,
                int32_t day, int64_t known_s, struct legal *out)
{
    const struct life_view v = { .meter = m, .events = events, .count = count };

    view_legal(&v, day, known_s, out);
}
