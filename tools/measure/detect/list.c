/* The list of meters to replace on the last day of all lives: which share of what sound meters would have registered is in its first
 * places.  Ranked as crews get it, by what the flag says is lost times its confidence; beside the list of meters that have stood still for 14
 * days, the longest first, and the best list that there is. */
#include "tools/measure/detect/bench.h"

#include <stdlib.h>

struct place {
    double worth, lost_lpd; /* what it is ranked by; the truth */
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

static void rank_by_truth(const struct record *r, struct place *out)
{
    for (size_t i = 0; i < r->subject_count; i++)
        out[i] = (struct place){ lost_lpd(&r->subjects[i]), lost_lpd(&r->subjects[i]) };
}

static void rank_by_flags(const struct record *r, bool plain, struct place *out)
{
    for (size_t i = 0; i < r->subject_count; i++)
        out[i] = (struct place){ 0, lost_lpd(&r->subjects[i]) };
    for (size_t i = 0; i < r->note_count; i++) {
        const struct note *n = &r->notes[i];
        const struct scored_rule *rule = &rules[n->rule];
        double worth = plain ? 1e12 - (double)n->onset_s : n->told_lph * n->confidence_pct;
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
        sum += list[i].lost_lpd;
    return all > 0 ? sum / all : NAN;
}

enum err table_list(const struct record *r, FILE *out)
{
    static const double lengths[] = { 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1 };
    struct place *list = (struct place *)calloc(r->subject_count + 1, sizeof *list);
    double all = 0;

    if (!list)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < r->subject_count; i++)
        all += lost_lpd(&r->subjects[i]);
    fprintf(out,
            "\nlist of replacements: share of what the meters' faults lose (%.0f m3 a "
            "day)\n%-18s%10s%10s%10s\n",
            all / 1000, "places a 100 meters", "flags", "zero-14", "best");
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        double flags, plain, best;

        rank_by_flags(r, false, list);
        flags = share_of(list, r->subject_count, lengths[i], all);
        rank_by_flags(r, true, list);
        plain = share_of(list, r->subject_count, lengths[i], all);
        rank_by_truth(r, list);
        best = share_of(list, r->subject_count, lengths[i], all);
        fprintf(out, "%-19g%10.3f%10.3f%10.3f\n", 100 * lengths[i], flags, plain, best);
    }
    free(list);
    return ERR_OK;
}
