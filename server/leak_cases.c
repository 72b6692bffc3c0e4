#include "server/leak_cases.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY_S 86400

static const char *const state_names[CASE_STATES] = { "open", "closed", "none" };

const char *leak_case_state_name(enum leak_case_state s)
{
    return state_names[s];
}

bool leak_case_state_read(struct span name, enum leak_case_state *out)
{
    for (int s = 0; s < CASE_STATES; s++)
        if (span_equal(name, span_text(state_names[s]))) {
            *out = (enum leak_case_state)s;
            return true;
        }
    return false;
}

/* ---- groups ---- */

static int64_t flowed_ml(int64_t mlpd, int64_t seconds)
{
    return seconds > 0 ? (int64_t)((__int128)mlpd * seconds / DAY_S) : 0;
}

/* The leak's flow while a burst lasts. */
static int64_t beneath_mlpd(const struct leak_case *c, const struct case_part *burst)
{
    int64_t most = 0;

    for (size_t i = 0; i < c->count; i++) {
        const struct case_part *p = &c->part[i];

        if (!p->burst && !p->none && p->onset_s < burst->ended_s && p->ended_s > burst->onset_s &&
            p->lost_mlpd > most)
            most = p->lost_mlpd;
    }
    return most;
}

static int64_t above(int64_t mlpd, int64_t beneath)
{
    return mlpd > beneath ? mlpd - beneath : 0;
}

/* Until when earlier flags of the same kind have counted. */
static int64_t counted_until(const struct leak_case *c, const struct case_part *p)
{
    int64_t until_s = p->onset_s;

    for (const struct case_part *e = c->part; e < p; e++)
        if (e->burst == p->burst && !e->none && e->ended_s > until_s)
            until_s = e->ended_s;
    return until_s;
}

static void add_part(struct leak_case *c, const struct case_part *p)
{
    int64_t beneath = p->burst ? beneath_mlpd(c, p) : 0, from_s = counted_until(c, p);
    int64_t lost = 0, seconds = p->counted_s - p->onset_s;

    if (p->counted_s > from_s) {
        lost = (int64_t)((__int128)p->counted_ml * (p->counted_s - from_s) / seconds) -
               flowed_ml(beneath, p->counted_s - from_s);
        lost = lost < 0 ? 0 : lost;
        from_s = p->counted_s;
    }
    lost += flowed_ml(above(p->lost_mlpd, beneath), p->ended_s - from_s);
    c->lost_ml += lost;
    /* The interval of what flows a day holds for what has flowed. */
    c->low_ml += p->lost_mlpd > 0 ? (int64_t)((double)lost * (double)above(p->low_mlpd, beneath) /
                                              (double)(above(p->lost_mlpd, beneath) + 1))
                                  : 0;
    c->high_ml += p->lost_mlpd > 0 ? (int64_t)((double)lost * (double)above(p->high_mlpd, beneath) /
                                               (double)(above(p->lost_mlpd, beneath) + 1))
                                   : 0;
}

static void reckon(struct leak_case *c)
{
    bool real = false, open = false;
    int64_t flow = 0, last_s = INT64_MIN;

    c->onset_s = c->part[0].onset_s;
    c->told_s = c->part[0].told_s;
    c->ended_s = INT64_MIN;
    for (size_t i = 0; i < c->count; i++) {
        const struct case_part *p = &c->part[i];

        if (p->told_s < c->told_s)
            c->told_s = p->told_s;
        if (p->ended_s > c->ended_s)
            c->ended_s = p->ended_s;
        if (p->none)
            continue;
        real = true;
        open = open || !p->ended;
        if (!p->ended || p->ended_s > last_s) {
            flow = !p->ended && flow > p->lost_mlpd ? flow : p->lost_mlpd;
            last_s = p->ended_s;
        }
        add_part(c, p);
    }
    if (c->low_ml > c->lost_ml)
        c->low_ml = c->lost_ml;
    if (c->high_ml < c->lost_ml)
        c->high_ml = c->lost_ml;
    c->flow_mlph = flow / 24;
    c->state = !real ? CASE_NONE : open ? CASE_OPEN : CASE_CLOSED;
}

size_t leak_cases_group(const struct case_part *parts, size_t count, struct leak_case *out,
                        size_t cap)
{
    size_t cases = 0;
    int64_t end_s = 0;

    for (size_t i = 0; i < count; i++) {
        struct leak_case *c = cases ? &out[cases - 1] : NULL;

        if (!c || c->count == CASE_FLAGS_MOST || parts[i].onset_s > end_s + CASE_GAP_S ||
            parts[i].fitting_from_s != c->part[0].fitting_from_s) {
            if (cases == cap)
                break;
            c = &out[cases++];
            memset(c, 0, sizeof *c);
            end_s = parts[i].ended_s;
        }
        c->part[c->count++] = parts[i];
        if (parts[i].ended_s > end_s)
            end_s = parts[i].ended_s;
    }
    for (size_t i = 0; i < cases; i++)
        reckon(&out[i]);
    return cases;
}

/* ---- of a meter ---- */

#define PARTS_MOST 512 /* the newest of a meter */

struct collecting {
    struct txn *views;
    size_t count;
    struct case_part at[PARTS_MOST];
};

static bool is_leak(const struct detector *kind)
{
    int r = detect_rule_named(span_text(kind->flag));

    return r == DETECT_LEAK || r == DETECT_BURST;
}

static int64_t evidence_time(const struct verdict *v, const char *name)
{
    for (unsigned i = 0; i < v->evidence_count; i++)
        if (v->evidence[i].form == EVIDENCE_TIME && strcmp(v->evidence[i].name, name) == 0)
            return v->evidence[i].value;
    return 0;
}

/* Until when one that goes on is known to: the newest reading that was borne out, or what showed it. */
static int64_t known_until(struct collecting *k, const struct flag *f)
{
    struct judge_index index;
    int64_t until_s = f->verdict.raised_s, seen_s = evidence_time(&f->verdict, "seen_at");

    if (seen_s > until_s)
        until_s = seen_s;
    if (judge_index(k->views, f->meter, f->fitting_from_s, &index) && index.at_s > until_s)
        until_s = index.at_s;
    return until_s;
}

static bool take(void *arg, const struct flag *f)
{
    struct collecting *k = (struct collecting *)arg;
    struct case_part p = { .burst = detect_rule_named(span_text(f->kind->flag)) == DETECT_BURST,
                           .none = f->state == FLAG_DISMISSED || f->state == FLAG_WITHDRAWN,
                           .ended = f->ended,
                           .fitting_from_s = f->fitting_from_s,
                           .onset_s = f->verdict.onset_s,
                           .told_s = f->told_s,
                           .lost_mlpd = f->verdict.lost_mlpd,
                           .low_mlpd = f->verdict.lost_low_mlpd,
                           .high_mlpd = f->verdict.lost_high_mlpd };

    if (!is_leak(f->kind))
        return true;
    if (k->count == PARTS_MOST) { /* the oldest goes */
        memmove(k->at, k->at + 1, (PARTS_MOST - 1) * sizeof *k->at);
        k->count--;
    }
    memcpy(p.id, f->id, sizeof p.id);
    p.counted_s = evidence_time(&f->verdict, "seen_at");
    p.counted_ml = verdict_value(&f->verdict, "lost_l");
    if (!p.counted_ml || p.counted_s <= p.onset_s)
        p.counted_s = 0;
    p.ended_s = f->ended                     ? f->verdict.cleared_s
                : f->state == FLAG_WITHDRAWN ? f->verdict.raised_s
                                             : known_until(k, f);
    k->at[k->count++] = p;
    return true;
}

static int by_onset(const void *left, const void *right)
{
    const struct case_part *a = (const struct case_part *)left;
    const struct case_part *b = (const struct case_part *)right;

    if (a->onset_s != b->onset_s)
        return a->onset_s < b->onset_s ? -1 : 1;
    return strcmp(a->id, b->id);
}

enum err leak_cases_of(struct app *app, uint32_t meter, struct leak_case **out, size_t *out_count)
{
    struct flag_filter q = { .meter = meter };
    struct collecting *k = (struct collecting *)calloc(1, sizeof *k);
    struct leak_case *cases = (struct leak_case *)calloc(CASES_MOST, sizeof *cases);
    struct txn views;
    enum err err, ended;

    *out = NULL;
    *out_count = 0;
    if (!k || !cases) {
        free(k);
        free(cases);
        return ERR_NO_MEMORY;
    }
    views = views_read(app->views);
    k->views = &views;
    err = flags_each(app, &q, take, k);
    ended = txn_end(&views);
    err = err ? err : ended;
    if (!err && k->count) {
        size_t first = 0;

        qsort(k->at, k->count, sizeof *k->at, by_onset);
        while ((*out_count = leak_cases_group(k->at + first, k->count - first, cases,
                                              CASES_MOST)) == CASES_MOST &&
               cases[CASES_MOST - 1].part[cases[CASES_MOST - 1].count - 1].onset_s <
                   k->at[k->count - 1].onset_s)
            first += cases[0].count; /* the oldest case goes */
    }
    free(k);
    if (err) {
        free(cases);
        *out_count = 0;
        return err;
    }
    *out = cases;
    return ERR_OK;
}

/* ---- which meters ---- */

struct seeking {
    uint32_t *at;
    size_t count, cap;
};

static bool note_meter(void *arg, const struct flag_head *h)
{
    struct seeking *s = (struct seeking *)arg;

    if (!is_leak(h->kind) || (s->count && s->at[s->count - 1] == h->meter))
        return true;
    if (s->count == s->cap)
        return false;
    s->at[s->count++] = h->meter;
    return true;
}

enum err leak_cases_meters(struct app *app, uint32_t after, uint32_t *out, size_t cap,
                           size_t *out_count)
{
    struct seeking s = { .at = out, .cap = cap };
    char behind[16];
    struct flag_filter q = { 0 };
    enum err err;

    snprintf(behind, sizeof behind, "%08x~", (unsigned)after); /* behind all its ids */
    q.after = span_text(behind);
    err = flag_heads_each(app, &q, note_meter, &s);
    *out_count = s.count;
    return err;
}
