#include "server/billing/dials.h"

#include "server/billing/agree.h"

#include <stdlib.h>

#define DAY_S 86400
#define HELD_S (35 * DAY_S)
#define START_S (2 * DAY_S) /* a transmitter heard so soon was put on with the meter */
#define SET_S DAY_S         /* a re-base is reported on the same day */
#define END_S (2 * DAY_S)
#define JUMP_S (2 * DAY_S) /* what rises within so much more than this is no use */
#define SLIPS_MOST 2
#define TURNS_MOST 1000 /* of the dial, that a transmitter counts through */
#define CALM_STEPS 4    /* rules-bills B12: what three more bear out stays */

/* The transmitter's own register, and where the dial stands against it. */
struct scale {
    const struct meter_facts *meter;
    const struct fitting *fitting;
    struct meter_limits limits;
    struct rows rows; /* the transmitter's */
    struct register_line line;
    /* dial = base + counted, as far as is known */
    bool known;
    int64_t base_ml;
    enum dial_offset from;
    bool unproven; /* follows from the start index alone */
    const struct dial_told *told;
    size_t told_count, told_next;
    size_t rebased_next; /* steps before it were looked at for re-bases */
};

/* Where counted lies between two steps. */
struct between {
    const struct step *before, *after; /* NULL: none */
};

static int64_t wrapped(const struct meter_facts *m, int64_t ml)
{
    if (m->modulus_ml <= 0)
        return ml;
    ml %= m->modulus_ml;
    return ml < 0 ? ml + m->modulus_ml : ml;
}

static int64_t sum(int64_t a, int64_t b)
{
    return volume_clamped((__int128)a + b);
}

static int64_t differ(const struct scale *s, int64_t a_ml, int64_t b_ml)
{
    return dial_difference(s->meter, wrapped(s->meter, a_ml), wrapped(s->meter, b_ml));
}

/* ---- the transmitter among itself ---- */

/* Whether a transmitter can count so far at all: the first value is believed, and must not be rubbish. It may have some digits more than the dial. */
static bool is_counted(const struct meter_facts *m, int64_t ml)
{
    int64_t turn = m->modulus_ml > 0 ? m->modulus_ml : INT64_MAX;

    return ml >= (m->form == REGISTER_NET ? -turn : 0) && ml / TURNS_MOST < turn;
}

static enum err take_rows(struct scale *s, const struct rows *all)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < all->count && !err; i++) {
        const struct row *row = &all->at[i];

        if ((row->attr & ATTR_SOURCE) == SOURCE_REMOTE && !(row->attr & ATTR_FUTURE) &&
            is_counted(s->meter, row->value) && row->time_s >= s->fitting->from_s &&
            row->time_s <= s->fitting->to_s)
            err = rows_push(&s->rows, *row);
    }
    return err;
}

/* Whether somebody was at the meter, and read its dial or told how both stand, between two values or within a day after. */
static bool was_visited(const struct scale *s, const struct rows *all, int64_t from_s, int64_t to_s)
{
    for (size_t i = 0; i < s->told_count; i++)
        if (s->told[i].at_s >= from_s && s->told[i].at_s <= to_s + SET_S)
            return true;
    for (size_t i = 0; i < all->count && all->at[i].time_s <= to_s + SET_S; i++)
        if (all->at[i].time_s >= from_s && (all->at[i].attr & ATTR_SOURCE) != SOURCE_REMOTE)
            return true;
    return false;
}

/* A transmitter that was put to nothing under somebody's eyes: two values tell what otherwise takes five (rules-bills B12). */
static bool begins_anew(const struct scale *s, const struct rows *all, size_t i)
{
    const struct row *before = &s->rows.at[i - 1], *row = &s->rows.at[i];
    const struct row *next = i + 1 < s->rows.count ? row + 1 : NULL;

    return row->value >= 0 && row->value <= SHEET_TOLERANCE_ML &&
           differ(s, before->value, row->value) < -SHEET_TOLERANCE_ML &&
           (!next || (next->value >= row->value &&
                      differ(s, before->value, next->value) < -SHEET_TOLERANCE_ML)) &&
           was_visited(s, all, before->time_s, row->time_s);
}

/* Rows [begin, end) as one stretch behind those that are there. */
static enum err add_stretch(struct scale *s, size_t begin, size_t end)
{
    struct rows rows = { s->rows.at + begin, end - begin, end - begin };
    struct fitting own = *s->fitting;
    struct register_line stretch = { 0 };
    struct step *steps;
    int64_t counted = s->line.count ? s->line.steps[s->line.count - 1].counted_ml : 0;
    enum err err;

    own.from_s = rows.at[0].time_s;
    own.start_ml = rows.at[0].value;
    own.to_s = FITTING_OPEN;
    own.has_end = false;
    if ((err = register_line_make(s->meter, &own, &rows, &stretch)))
        return err;
    steps = (struct step *)realloc(s->line.steps, (s->line.count + stretch.count) * sizeof *steps);
    if (!steps) {
        register_line_done(&stretch);
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < stretch.count; i++) {
        stretch.steps[i].counted_ml = sum(stretch.steps[i].counted_ml, counted);
        stretch.steps[i].rebased |= i == 0 && begin > 0;
    }
    memcpy(steps + s->line.count, stretch.steps, stretch.count * sizeof *steps);
    s->line.steps = steps;
    s->line.count += stretch.count;
    register_line_done(&stretch);
    return ERR_OK;
}

static enum err scale_make(struct scale *s, const struct rows *all)
{
    size_t begin = 0;
    enum err err = take_rows(s, all);

    for (size_t i = 1; i <= s->rows.count && !err; i++) {
        if (i < s->rows.count && !begins_anew(s, all, i))
            continue;
        err = add_stretch(s, begin, i);
        begin = i;
    }
    return err;
}

static void scale_done(struct scale *s)
{
    rows_done(&s->rows);
    register_line_done(&s->line);
}

/* The last step at or before an instant: a place, or `count` for none. */
static size_t step_at(const struct register_line *line, int64_t at_s)
{
    size_t low = 0, high = line->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (line->steps[mid].at_s <= at_s)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? low - 1 : line->count;
}

static struct between between_of(const struct register_line *line, int64_t at_s)
{
    size_t i = step_at(line, at_s), next = i == line->count ? 0 : i + 1;
    struct between b = { 0 };

    if (i < line->count && at_s - line->steps[i].at_s <= HELD_S)
        b.before = &line->steps[i];
    if (b.before && b.before->at_s == at_s)
        b.after = b.before;
    else if (next < line->count && line->steps[next].at_s - at_s <= HELD_S)
        b.after = &line->steps[next];
    return b;
}

/* ---- the offset ---- */

static void set_base(struct scale *s, int64_t base_ml, enum dial_offset from)
{
    s->known = true;
    s->base_ml = base_ml;
    s->from = from;
    s->unproven = from == DIAL_OFFSET_START;
}

static bool goes_on_from_start(const struct scale *s)
{
    const struct fitting *f = s->fitting;
    struct mark start = { f->from_s, f->start_ml };
    struct mark first = { s->line.steps[0].at_s, s->line.steps[0].dial_ml };
    int64_t apart = differ(s, f->start_ml, first.value);

    return (apart <= SHEET_TOLERANCE_ML && apart >= -SHEET_TOLERANCE_ML) ||
           marks_agree(&s->limits, &start, &first, NULL);
}

static void begin(struct scale *s)
{
    const struct step *first = &s->line.steps[0];

    if (goes_on_from_start(s))
        set_base(s, first->dial_ml, DIAL_OFFSET_NONE);
    else if (first->at_s - s->fitting->from_s <= START_S)
        set_base(s, s->fitting->start_ml, DIAL_OFFSET_START);
}

/* Of the values around an instant the one in whose stretch the transmitter stood at counted_ml. */
static const struct step *stretch_of(const struct scale *s, const struct dial_told *t)
{
    size_t i = step_at(&s->line, t->at_s), next = i == s->line.count ? 0 : i + 1;
    const struct step *before = i < s->line.count ? &s->line.steps[i] : NULL;
    const struct step *after = next < s->line.count ? &s->line.steps[next] : NULL;
    int64_t to_before, to_after;

    if (!before || !after || !after->rebased)
        return before ? before : after;
    to_before = differ(s, before->dial_ml, t->counted_ml);
    to_after = differ(s, after->dial_ml, t->counted_ml);
    return (to_before < 0 ? -to_before : to_before) <= (to_after < 0 ? -to_after : to_after)
               ? before
               : after;
}

static void take_told(struct scale *s, const struct dial_told *t)
{
    struct between b = between_of(&s->line, t->at_s);
    const struct step *near = t->has_counted ? stretch_of(s, t) : b.before ? b.before : b.after;
    int64_t counted_ml;

    if (!near)
        return;
    counted_ml = near->counted_ml;
    if (t->has_counted)
        counted_ml = sum(counted_ml, differ(s, near->dial_ml, t->counted_ml));
    set_base(s, sum(t->dial_ml, -counted_ml), DIAL_OFFSET_TOLD);
}

/* Facts up to an instant. */
static void tell_until(struct scale *s, int64_t at_s)
{
    for (; s->told_next < s->told_count && s->told[s->told_next].at_s <= at_s; s->told_next++)
        if (s->told[s->told_next].at_s >= s->fitting->from_s)
            take_told(s, &s->told[s->told_next]);
    for (; s->rebased_next < s->line.count && s->line.steps[s->rebased_next].at_s <= at_s;
         s->rebased_next++)
        if (s->line.steps[s->rebased_next].rebased && s->known)
            s->from = DIAL_OFFSET_REBASE;
}

/* ---- one dial read ---- */

struct reader {
    struct scale *scale;
    struct dial_checks *out;
    struct mark good;        /* the dial read before that agreed, or the start index */
    int64_t good_counted_ml; /* as counted then */
    struct mark slip;        /* the last one that fitted nothing before */
    int64_t slip_counted_ml;
    unsigned slips; /* in a row, each following the one before */
};

static int64_t distance(int64_t ml)
{
    return ml < 0 ? -ml : ml;
}

/* Whether a dial can have gone from one read to the other, each rounded by up to 1 m3. */
static bool dial_follows(const struct scale *s, const struct mark *from, const struct mark *to)
{
    int64_t rise = differ(s, from->value, to->value);
    __int128 most = s->limits.rate * (to->at_s - from->at_s) / 144 + s->limits.pulse;

    return rise <= volume_clamped(most + SHEET_TOLERANCE_ML) &&
           rise >=
               (s->limits.net ? -volume_clamped(most + SHEET_TOLERANCE_ML) : -SHEET_TOLERANCE_ML);
}

/* A read that fitted nothing before is borne out by one that rose since as the transmitter did, or by two more that could have risen so: then what came before was the slip. */
static bool is_borne_out(const struct reader *r, const struct mark *dial, int64_t counted_ml)
{
    const struct scale *s = r->scale;
    int64_t use = counted_ml - r->slip_counted_ml;
    int64_t apart = differ(s, r->slip.value, dial->value) - use;

    return r->slips && dial_follows(s, &r->slip, dial) &&
           (r->slips >= SLIPS_MOST || distance(apart) <= sheet_tolerance_ml(s->meter, use));
}

static bool is_misread(struct reader *r, const struct mark *dial, int64_t counted_ml)
{
    const struct scale *s = r->scale;
    bool follows = dial_follows(s, &r->good, dial);

    if (follows || is_borne_out(r, dial, counted_ml)) {
        if (!follows)
            r->good = r->slip;
        r->slips = 0;
        return false;
    }
    r->slips = r->slips && dial_follows(s, &r->slip, dial) ? r->slips + 1 : 1;
    r->slip = *dial;
    r->slip_counted_ml = counted_ml;
    return true;
}

/* How far a dial lies from what base and the values around it allow. */
static int64_t off_by(const struct scale *s, int64_t base_ml, const struct between *b,
                      int64_t dial_ml)
{
    int64_t least = differ(s, dial_ml, sum(base_ml, b->before->counted_ml));
    int64_t most = differ(s, dial_ml, sum(base_ml, b->after->counted_ml));

    if (least > most) { /* a register that went back */
        int64_t spare = least;

        least = most;
        most = spare;
    }
    return least > 0 ? -least : most < 0 ? -most : 0;
}

/* Whether the transmitter began anew while, or within a day before, somebody read the dial. */
static bool at_rebase(const struct scale *s, const struct between *b, int64_t at_s)
{
    const struct step *first = s->line.steps;

    if (b->after->rebased && b->after != b->before)
        return true;
    for (const struct step *step = b->before; step > first && at_s - step->at_s <= SET_S; step--)
        if (step->rebased)
            return true;
    return false;
}

/* What the next readings in order of time cannot turn: four behind that all take part, or a month. */
static bool is_calm(const struct scale *s, const struct step *after)
{
    const struct step *steps = s->line.steps;
    size_t i = (size_t)(after - steps), from, rows = 0;

    if (s->line.steps[s->line.count - 1].at_s > after->at_s + HELD_S)
        return true;
    if (i + CALM_STEPS >= s->line.count)
        return false;
    for (from = s->rows.count; from > 0 && s->rows.at[from - 1].time_s >= after->at_s; from--)
        rows += s->rows.at[from - 1].time_s <= steps[i + CALM_STEPS - 1].at_s;
    return rows == CALM_STEPS;
}

/* Whether the transmitter began anew between two dial reads, or rose within two days by what the dial was off. */
static bool is_turned(const struct scale *s, int64_t from_s, int64_t to_s, int64_t off_ml)
{
    size_t i = step_at(&s->line, from_s);

    for (i = i == s->line.count ? 0 : i; i + 1 < s->line.count && s->line.steps[i].at_s < to_s;
         i++) {
        const struct step *a = &s->line.steps[i], *b = &s->line.steps[i + 1];

        if (b->rebased || (off_ml > 0 && b->at_s - a->at_s <= JUMP_S &&
                           sum(b->counted_ml, -a->counted_ml) > off_ml / 10 * 9))
            return true;
    }
    for (size_t n = 0; n < s->told_count; n++)
        if (s->told[n].at_s > from_s && s->told[n].at_s <= to_s)
            return true;
    return false;
}

static void agree(struct reader *r, const struct dial_check *c, const struct between *b)
{
    r->good = (struct mark){ c->at_s, c->dial_ml };
    r->good_counted_ml = b->before->counted_ml;
}

static void judge(struct reader *r, struct dial_check *c, const struct between *b)
{
    struct scale *s = r->scale;
    int64_t raw_base = s->line.steps[0].dial_ml, use = b->before->counted_ml - r->good_counted_ml;
    bool sets = at_rebase(s, b, c->at_s);

    c->tolerance_ml = sheet_tolerance_ml(s->meter, use);
    c->agreed_s = r->good.at_s;
    c->off_ml = s->known ? off_by(s, s->base_ml, b, c->dial_ml) : 0;
    if ((!s->known || (s->unproven && distance(c->off_ml) > c->tolerance_ml)) &&
        distance(off_by(s, raw_base, b, c->dial_ml)) <= c->tolerance_ml) {
        set_base(s, raw_base, DIAL_OFFSET_NONE);
        c->off_ml = off_by(s, raw_base, b, c->dial_ml);
    } else if (!s->known) {
        set_base(s, sum(c->dial_ml, -b->before->counted_ml), DIAL_OFFSET_READ);
        sets = true;
    } else if (sets && c->off_ml) {
        set_base(s, sum(s->base_ml, c->off_ml), DIAL_OFFSET_READ);
    }
    c->verdict = sets ? DIAL_SETS : distance(c->off_ml) > c->tolerance_ml ? DIAL_OFF : DIAL_AGREES;
    s->unproven = s->unproven && c->verdict == DIAL_OFF;
    c->counted_ml = b->before->dial_ml;
    c->counted_at_s = b->before->at_s;
    c->offset = s->from;
    c->offset_ml = differ(s, b->before->dial_ml, sum(s->base_ml, b->before->counted_ml));
    if (c->verdict != DIAL_OFF)
        agree(r, c, b);
}

static enum err push(struct dial_checks *out, const struct dial_check *c)
{
    if (out->count == out->cap) {
        size_t cap = out->cap ? out->cap * 2 : 16;
        struct dial_check *at = (struct dial_check *)realloc(out->at, cap * sizeof *at);

        if (!at)
            return ERR_NO_MEMORY;
        out->at = at;
        out->cap = cap;
    }
    out->at[out->count++] = *c;
    if (!c->settled)
        out->open_s = c->at_s;
    return ERR_OK;
}

/* The one before that was held against the transmitter. */
static const struct dial_check *judged_before(const struct dial_checks *c)
{
    for (size_t i = c->count; i-- > 0;)
        if (c->at[i].verdict != DIAL_OPEN && c->at[i].verdict != DIAL_MISREAD)
            return &c->at[i];
    return NULL;
}

static enum err read_dial(struct reader *r, struct dial_check *c, bool is_end)
{
    struct scale *s = r->scale;
    struct mark dial = { c->at_s, c->dial_ml };
    struct between b = between_of(&s->line, c->at_s);
    const struct dial_check *before = judged_before(r->out);

    if (is_end && b.before && c->at_s - b.before->at_s <= END_S)
        b.after = b.after ? b.after : b.before; /* what flowed since is within the tolerance */
    tell_until(s, c->at_s);
    c->settled = is_end || !b.before;
    if (b.before && b.after && is_misread(r, &dial, b.before->counted_ml)) {
        c->verdict = DIAL_MISREAD;
        c->settled = is_end || is_calm(s, b.after);
    } else if (b.before && b.after) {
        if (before)
            c->turned = is_turned(s, before->at_s, c->at_s, before->off_ml);
        judge(r, c, &b);
        c->settled = is_end || is_calm(s, b.after);
    }
    return push(r->out, c);
}

/* ---- all of them ---- */

/* What was read up to an instant. */
static enum err read_until(struct scale *s, const struct rows *rows, int64_t until_s,
                           struct dial_checks *out)
{
    const struct fitting *f = s->fitting;
    struct reader r = { .scale = s, .out = out, .good = { f->from_s, f->start_ml } };
    enum err err = ERR_OK;

    for (size_t i = 0; i < rows->count && rows->at[i].time_s <= until_s && !err; i++) {
        const struct row *row = &rows->at[i];
        struct dial_check c = { .at_s = row->time_s,
                                .dial_ml = row->value,
                                .source = (enum source)(row->attr & ATTR_SOURCE) };

        if (c.source != SOURCE_REMOTE && !(row->attr & ATTR_FUTURE) && c.at_s >= f->from_s &&
            c.at_s <= f->to_s)
            err = read_dial(&r, &c, false);
    }
    if (!err && f->to_s != FITTING_OPEN && f->has_end && f->to_s <= until_s) {
        struct dial_check c = { .at_s = f->to_s, .dial_ml = f->end_ml, .source = SOURCE_MANUAL };

        err = read_dial(&r, &c, true);
    }
    return err;
}

static struct scale scale_of(const struct meter_facts *m, const struct fitting *f,
                             const struct dial_told *told, size_t told_count)
{
    return (struct scale){ .meter = m,
                           .fitting = f,
                           .limits = meter_limits_of(m),
                           .told = told,
                           .told_count = told_count };
}

enum err dials_check(const struct meter_facts *m, const struct fitting *f, const struct rows *rows,
                     const struct dial_told *told, size_t told_count, struct dial_checks *out)
{
    struct scale s = scale_of(m, f, told, told_count);
    enum err err = scale_make(&s, rows);

    *out = (struct dial_checks){ 0 };
    if (!err && s.line.count) {
        begin(&s);
        err = read_until(&s, rows, INT64_MAX, out);
    }
    scale_done(&s);
    return err;
}

void dial_checks_done(struct dial_checks *c)
{
    free(c->at);
    *c = (struct dial_checks){ 0 };
}

const struct dial_check *dial_check_at(const struct dial_checks *c, int64_t at_s)
{
    for (size_t i = c->count; i-- > 0;)
        if (c->at[i].at_s == at_s)
            return &c->at[i];
    return NULL;
}

enum err dials_expect(const struct meter_facts *m, const struct fitting *f, const struct rows *rows,
                      const struct dial_told *told, size_t told_count, int64_t at_s,
                      bool *out_known, struct dial_expected *out)
{
    struct scale s = scale_of(m, f, told, told_count);
    struct dial_checks checks = { 0 };
    enum err err = scale_make(&s, rows);

    *out_known = false;
    if (!err && s.line.count) {
        size_t i = step_at(&s.line, at_s);
        const struct step *step = &s.line.steps[i == s.line.count ? 0 : i];

        begin(&s);
        err = read_until(&s, rows, at_s, &checks);
        tell_until(&s, at_s);
        *out_known = !err && s.known;
        *out = (struct dial_expected){
            .at_s = step->at_s,
            .dial_ml = wrapped(m, sum(s.base_ml, step->counted_ml)),
            .counted_ml = step->dial_ml,
            .offset_ml = differ(&s, step->dial_ml, sum(s.base_ml, step->counted_ml)),
            .offset = s.from,
        };
    }
    dial_checks_done(&checks);
    scale_done(&s);
    return err;
}

/* ---- episodes ---- */

struct telling {
    const struct dial_checks *checks;
    struct dial_episode *out, now;
    size_t count, most;
    bool open;
};

static void end_episode(struct telling *t, int64_t at_s)
{
    t->now.ended = true;
    t->now.cleared_s = at_s;
    if (t->count < t->most)
        t->out[t->count] = t->now;
    t->count++;
    t->open = false;
}

static void take_check(struct telling *t, size_t i)
{
    const struct dial_check *c = &t->checks->at[i];

    if (c->verdict == DIAL_OFF && !t->open) {
        t->open = true;
        t->now = (struct dial_episode){ .onset_s = c->at_s };
    }
    if (c->verdict == DIAL_OFF) {
        t->now.reads++;
        t->now.last = i;
    } else if (t->open && (c->verdict == DIAL_AGREES || c->verdict == DIAL_SETS)) {
        if (t->now.reads == 1 && !c->turned && c->verdict == DIAL_AGREES)
            t->open = false;
        else
            end_episode(t, c->at_s);
    }
}

size_t dial_episodes(const struct dial_checks *c, const struct dial_told *told, size_t told_count,
                     struct dial_episode *out, size_t most)
{
    struct telling t = { .checks = c, .out = out, .most = most };
    size_t next = 0;

    for (size_t i = 0; i <= c->count; i++) {
        int64_t until_s = i < c->count ? c->at[i].at_s : INT64_MAX;

        for (; next < told_count && told[next].at_s <= until_s; next++)
            if (t.open && told[next].at_s > t.now.onset_s)
                end_episode(&t, told[next].at_s);
        if (i < c->count)
            take_check(&t, i);
    }
    if (t.open && t.count < most)
        out[t.count] = t.now;
    return t.count + t.open;
}
