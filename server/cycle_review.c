#include "server/cycle_review.h"

#include "server/judge.h"

#define OF_HOURS (1u << CHECK_SPIKE | 1u << CHECK_OVERLOAD)

/* What the first hour that stands out rests on, of each rule: beside the checks of the whole. */
static void tell_first(const struct consumption *hour, struct reviewed *out)
{
    for (int c = 0; c < CHECK_COUNT; c++) {
        unsigned bit = 1u << c & OF_HOURS & hour->checks & ~out->d.told_of;

        if (!bit)
            continue;
        out->d.told[c] = hour->told[c];
        out->d.told_of |= bit;
    }
}

/* The hours of the span that stand out of their day (E2): a walk of its own, for rows of an hour are actual by another measure. */
static enum err spikes_count(const struct cycle_maker *m, const struct point_use *u,
                             struct reviewed *out)
{
    const struct consumption *c;
    struct consumer *hours;
    int64_t at_s = m->line.from_s, end_s;
    enum err err = point_use_consumer(m->app, u, STEP_HOUR, m->now_s, &hours);

    if (err)
        return err;
    for (; at_s < m->line.to_s && at_s < m->now_s && !err; at_s = end_s) {
        end_s = consume_step_end(STEP_HOUR, &m->app->zone, at_s);
        if (end_s > m->line.to_s)
            end_s = m->line.to_s;
        if ((err = consumer_row(hours, at_s, end_s, &c)) || !(c->checks & OF_HOURS))
            continue;
        tell_first(c, out);
        if (!out->spikes++)
            out->spike_s = at_s;
    }
    consumer_free(hours);
    return err;
}

static void look_at_meters(const struct cycle_maker *m, const struct point_use *u,
                           struct reviewed *out, int32_t *out_dn_mm)
{
    *out_dn_mm = 0;
    for (size_t i = 0; i < u->count; i++) {
        const struct consume_fitting *f = &u->fittings[i];

        if (f->fitting.from_s >= m->line.to_s || f->fitting.to_s <= m->line.from_s)
            continue;
        if (f->meter->dn_mm > *out_dn_mm)
            *out_dn_mm = f->meter->dn_mm;
        if (i && f->fitting.from_s >= m->line.from_s) {
            out->exchanged = true;
            out->exchanged_s = f->fitting.from_s;
            out->old_serial = u->fittings[i - 1].meter->serial;
            out->new_serial = f->meter->serial;
        }
    }
}

static enum err look_up_accepted(struct txn *t, uint32_t cycle, struct span name,
                                 struct reviewed *out)
{
    struct span bytes;
    enum err err;

    if (!cycle || !ledger_accepted(t, cycle, name, &bytes))
        return t->err;
    if ((err = review_accepted_read(bytes, &out->by)))
        return err;
    out->was_accepted = true;
    out->accepted = review_holds(&out->by, &out->d, out->reasons);
    return ERR_OK;
}

enum err review_point(const struct cycle_maker *m, struct txn *t, uint32_t cycle, uint32_t point,
                      struct span name, struct point_use *u, struct reviewed *out)
{
    struct review_facts facts = { .d = &out->d };
    enum err err;

    *out = (struct reviewed){ 0 };
    err = cycle_make(m, t, point, name, u, &out->d, &out->elsewhere);
    if (err || out->elsewhere)
        return err;
    if ((err = consumer_median(u->consumer, &out->has_median, &out->median_ml)) ||
        (err = cycle_estimated_before(m, t, name, &facts.estimated_before)) ||
        (err = spikes_count(m, u, out)))
        return err;
    look_at_meters(m, u, out, &facts.dn_mm_most);
    facts.exchanged = out->exchanged;
    facts.spikes = out->spikes;
    facts.edits_waiting = point_use_waiting(u, m->line.from_s, m->line.to_s);
    out->reasons = review_reasons(&facts);
    return look_up_accepted(t, cycle, name, out);
}

/* ---- flags ---- */

struct counting {
    uint32_t point;
    unsigned count;
};

static bool count_flag(void *arg, const struct flag_head *f)
{
    struct counting *c = (struct counting *)arg;

    c->count += f->point == c->point;
    return c->count < REVIEW_FLAGS_MOST;
}

enum err review_flags(struct app *app, const struct point_use *u, uint32_t point, unsigned *out)
{
    struct counting c = { .point = point };
    enum err err = ERR_OK;

    for (size_t i = 0; i < u->count && !err; i++) {
        struct flag_filter f = { .states = 1u << FLAG_OPEN | 1u << FLAG_CONFIRMED,
                                 .meter = u->fittings[i].fitting.meter };
        bool again = false;

        for (size_t k = 0; k < i; k++)
            again |= u->fittings[k].fitting.meter == f.meter;
        if (!again && c.count < REVIEW_FLAGS_MOST)
            err = flag_heads_each(app, &f, count_flag, &c);
    }
    *out = c.count;
    return err;
}

void review_put_reasons(struct out *o, unsigned reasons)
{
    bool first = true;

    out_text(o, "[");
    for (int r = 0; r < REVIEW_REASONS; r++) {
        if (!(reasons & 1u << r))
            continue;
        out_text(o, first ? "{" : ",{");
        first = false;
        out_member_text(o, "reason", review_reason_name((enum review_reason)r));
        out_member_text(o, "text_en", review_reason_text_en((enum review_reason)r));
        out_member_text(o, "text_zh", review_reason_text_zh((enum review_reason)r));
        out_text(o, "}");
    }
    out_text(o, "]");
}
