/* The list of meters to replace on the last day of all lives: which share of the money that could be recovered is in its first places.
 *
 * Money is that of the server's own list (server/fleet/replace.h, figures of cn.table): what a change brings is the loss, at the price of the use class, discounted over the months for which it
 * would go on, less what changing a meter of its size costs.  Recoverable is what the true losses of meters bring where that is more than it costs.  A place taken by a meter that is fine costs its
 * change and brings nothing, so a share may fall with length.  Ranked as crews get it, by what flags tell times their confidence; beside the list of meters that have stood still for 14 days, the longest
 * first, and the best list that there is. */
#include "server/fleet/replace.h"
#include "tools/measure/detect/bench.h"

#include <stdlib.h>

struct place {
    double worth,
        brings; /* what it is ranked by, 0: it is not listed; what its change truly brings */
};

static int place_order(const void *a, const void *b)
{
    const struct place *x = (const struct place *)a, *y = (const struct place *)b;

    return (x->worth < y->worth) - (x->worth > y->worth);
}

/* What is lost by the meter's own fault on the last day. */
static double lost_lpd(const struct subject *s)
{
    bool meter = (s->fault >= FAULT_STUCK_WHOLE && s->fault <= FAULT_SLOW_EROSION) ||
                 s->fault == FAULT_UNMOVED || s->fault == FAULT_OUT_OF_STEP;

    return meter && s->lasts && s->lost_lpd > 0 ? s->lost_lpd : 0;
}

/* In the currency. */
static double benefit(const struct fleet_rules *money, const struct subject *s, double lpd,
                      unsigned confidence_pct)
{
    struct replace_facts f = { .dn_mm = s->dn_mm,
                               .use = (enum use_class)s->use,
                               .lost_mlpd = (int64_t)(lpd * 1000),
                               .confidence_pct = confidence_pct,
                               .legal_due = NO_DAY,
                               .condition_due = NO_DAY };
    struct replace_figures x;

    replace_reckon(money, &f, &x);
    return (double)x.benefit / 1000;
}

static void rank_by_truth(const struct record *r, const struct fleet_rules *money,
                          struct place *out)
{
    for (size_t i = 0; i < r->subject_count; i++) {
        double brings = benefit(money, &r->subjects[i], lost_lpd(&r->subjects[i]), 100);

        out[i] = (struct place){ brings, brings };
    }
}

static void rank_by_flags(const struct record *r, const struct fleet_rules *money, bool plain,
                          struct place *out)
{
    rank_by_truth(r, money, out);
    for (size_t i = 0; i < r->subject_count; i++)
        out[i].worth = 0;
    for (size_t i = 0; i < r->note_count; i++) {
        const struct note *n = &r->notes[i];
        const struct scored_rule *rule = &rules[n->rule];
        const struct subject *s = &r->subjects[n->subject];
        double worth = plain ? 1e12 - (double)n->onset_s
                             : benefit(money, s, n->told_lph * 24, n->confidence_pct);
        bool wanted = plain ? rule->plain && n->rule == rule_named("zero-14")
                            : rule->detector && rule->detector->replace;

        if (n->open && wanted && worth > out[n->subject].worth)
            out[n->subject].worth = worth;
    }
}

static double share_of(struct place *list, size_t count, double length, double all)
{
    double sum = 0;
    size_t most = (size_t)(length * (double)count);

    qsort(list, count, sizeof *list, place_order);
    for (size_t i = 0; i < most && i < count && list[i].worth > 0; i++)
        sum += list[i].brings;
    return all > 0 ? sum / all : NAN;
}

enum err table_list(const struct record *r, FILE *out)
{
    static const double lengths[] = { 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1 };
    static struct fleet_rules money;
    struct place *list = (struct place *)calloc(r->subject_count + 1, sizeof *list);
    double all = 0;

    if (!list)
        return ERR_NO_MEMORY;
    fleet_rules_builtin(&money);
    rank_by_truth(r, &money, list);
    for (size_t i = 0; i < r->subject_count; i++)
        all += list[i].brings > 0 ? list[i].brings : 0;
    fprintf(out,
            "\nlist of replacements: share of the money that changing meters could recover "
            "(%.0f %s)\n%-18s%10s%10s%10s\n",
            all, money.currency, "places a 100 meters", "flags", "zero-14", "best");
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        double flags, plain, best;

        rank_by_flags(r, &money, false, list);
        flags = share_of(list, r->subject_count, lengths[i], all);
        rank_by_flags(r, &money, true, list);
        plain = share_of(list, r->subject_count, lengths[i], all);
        rank_by_truth(r, &money, list);
        best = share_of(list, r->subject_count, lengths[i], all);
        fprintf(out, "%-19g%10.3f%10.3f%10.3f\n", 100 * lengths[i], flags, plain, best);
    }
    free(list);
    return ERR_OK;
}
