/* The flag `out-of-step`: a fitting's dial reads against its transmitter, as episodes of the judge. */
#include "server/dials.h"
#include "server/judge_priv.h"

#define DAY_S 86400
#define EPISODES_MOST 64 /* of one fitting; the newest are left out behind them */

static unsigned confidence(const struct dial_check *c, unsigned reads)
{
    if (reads > 1)
        return reads > 2 ? 95 : 85;
    return c->source == SOURCE_PHOTO ? 75 : 60;
}

/* What the transmitter missed, by the day. */
static int64_t lost_mlpd(const struct dial_check *c)
{
    int64_t seconds = c->at_s - c->agreed_s;

    if (c->off_ml <= 0)
        return 0;
    return (int64_t)((__int128)c->off_ml * DAY_S / (seconds > DAY_S ? seconds : DAY_S));
}

/* The dial read with which an episode is told by the figures of its own day; and how many said so until the last. NULL: it is not. */
static const struct dial_check *told_with(const struct judge_view *v, const struct dial_checks *all,
                                          const struct dial_episode *e, unsigned *out_reads)
{
    const struct dial_check *found = NULL;

    *out_reads = 0;
    for (size_t i = 0; i <= e->last; i++) {
        const struct dial_check *c = &all->at[i];
        const int64_t *value;

        if (c->at_s < e->onset_s || c->verdict != DIAL_OFF)
            continue;
        value = rules_on(v->book, (int32_t)zone_day_number(&v->app->zone, c->at_s))->value;
        if ((c->off_ml < 0 ? -c->off_ml : c->off_ml) <= value[FIGURE_OUT_OF_STEP_off_least_l])
            continue;
        ++*out_reads;
        if (!found && *out_reads >= (uint64_t)value[FIGURE_OUT_OF_STEP_reads])
            found = c;
    }
    return found;
}

static void fill(const struct dial_episode *e, const struct dial_check *c, int64_t raised_s,
                 struct verdict *out)
{
    int64_t lost = lost_mlpd(c);

    *out = (struct verdict){ .open = !e->ended,
                             .onset_s = e->onset_s,
                             .raised_s = raised_s,
                             .cleared_s = e->ended ? e->cleared_s : 0,
                             .severity = severity_of_loss(lost),
                             .lost_mlpd = lost,
                             .lost_low_mlpd = lost,
                             .lost_high_mlpd = lost,
                             .confidence_pct = confidence(c, e->reads) };
    if (out->severity < SEVERITY_MEDIUM)
        out->severity = SEVERITY_MEDIUM;
    verdict_number(out, "dial_l", c->dial_ml);
    verdict_time(out, "dial_at", c->at_s);
    verdict_number(out, "counted_l", c->counted_ml);
    verdict_time(out, "counted_at", c->counted_at_s);
    verdict_number(out, "offset_l", c->offset_ml);
    verdict_number(out, "off_l", c->off_ml);
    verdict_number(out, "tolerance_l", c->tolerance_ml);
    verdict_number(out, "dial_reads", (int64_t)e->reads * 1000);
    verdict_time(out, "agreed_at", c->agreed_s);
}

static enum err fitting_episodes(const struct judge_view *v, const struct fitting *f,
                                 struct flag_records *out, uint32_t *out_open_s)
{
    struct dial_episode episodes[EPISODES_MOST];
    struct dial_checks checks = { 0 };
    struct dials d;
    size_t count = 0;
    unsigned reads;
    enum err err = dials_load(v->app, v->ledger, v->meter, f, &d);

    if (!err && !(err = dials_check(v->meter, f, &d.rows, d.told, d.told_count, &checks)))
        count = dial_episodes(&checks, d.told, d.told_count, episodes, EPISODES_MOST);
    for (size_t i = 0; i < count && i < EPISODES_MOST && !err; i++) {
        struct flag_record r = { .kind = &detector_out_of_step,
                                 .meter = v->meter->id,
                                 .point = f->point,
                                 .fitting_from_s = f->from_s,
                                 .ended = episodes[i].ended };
        const struct dial_check *told = told_with(v, &checks, &episodes[i], &reads);

        if (!told)
            continue;
        episodes[i].reads = reads;
        fill(&episodes[i], &checks.at[episodes[i].last], told->at_s, &r.verdict);
        if (f->to_s != FITTING_OPEN)
            flag_record_end(&r, f->to_s);
        err = flag_records_push(out, &r);
    }
    *out_open_s = checks.open_s < 0 || checks.open_s > UINT32_MAX ? 0 : (uint32_t)checks.open_s;
    dial_checks_done(&checks);
    dials_done(&d);
    return err;
}

/* *v->dial_s stays the last fitting's: of the others nothing comes later. */
static enum err dials_episodes(const struct judge_view *v, struct flag_records *out)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < v->count && !err; i++)
        err = fitting_episodes(v, &v->fittings[i], out, v->dial_s);
    return err;
}

const struct judge_source judge_source_dials = {
    .kinds = { &detector_out_of_step },
    .news = NEWS_DIALS,
    .idle_without = true,
    .episodes = dials_episodes,
};
