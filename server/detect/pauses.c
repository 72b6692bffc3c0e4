/* Spans in which nothing is to be expected of a meter: sorted, apart from each other. */
#include "server/detect/detect.h"

#include <string.h>

static void take_out(struct pauses *p, size_t n)
{
    memmove(&p->at[n], &p->at[n + 1], (p->count - n - 1) * sizeof p->at[0]);
    p->count--;
}

/* The two that lie closest become one. */
static void make_room(struct pauses *p)
{
    size_t least = 0;

    for (size_t i = 1; i + 1 < p->count; i++)
        if (p->at[i + 1].from_s - p->at[i].to_s < p->at[least + 1].from_s - p->at[least].to_s)
            least = i;
    p->at[least].to_s = p->at[least + 1].to_s;
    take_out(p, least + 1);
}

void pauses_add(struct pauses *p, enum pause_why why, int64_t from_s, int64_t to_s)
{
    size_t n = 0;

    if (from_s >= to_s)
        return;
    while (n < p->count && p->at[n].to_s < from_s)
        n++;
    if (n == p->count || to_s < p->at[n].from_s) {
        if (p->count == PAUSES_MAX) {
            make_room(p);
            pauses_add(p, why, from_s, to_s);
            return;
        }
        memmove(&p->at[n + 1], &p->at[n], (p->count - n) * sizeof p->at[0]);
        p->at[n] = (struct pause){ .from_s = from_s, .to_s = to_s, .why = why };
        p->count++;
        return;
    }
    if (from_s < p->at[n].from_s) {
        p->at[n].from_s = from_s;
        p->at[n].why = why;
    }
    if (to_s > p->at[n].to_s)
        p->at[n].to_s = to_s;
    while (n + 1 < p->count && p->at[n + 1].from_s <= p->at[n].to_s) {
        if (p->at[n + 1].to_s > p->at[n].to_s)
            p->at[n].to_s = p->at[n + 1].to_s;
        take_out(p, n + 1);
    }
}

int64_t pauses_overlap(const struct pauses *p, int64_t from_s, int64_t to_s)
{
    int64_t sum = 0;

    for (size_t i = 0; p && i < p->count && p->at[i].from_s < to_s; i++) {
        int64_t from = p->at[i].from_s > from_s ? p->at[i].from_s : from_s;
        int64_t to = p->at[i].to_s < to_s ? p->at[i].to_s : to_s;

        sum += to > from ? to - from : 0;
    }
    return sum;
}

enum flow_tells pauses_flow_tells(const struct pauses *p, int64_t from_s, int64_t to_s)
{
    enum flow_tells tells = FLOW_TELLS_ALL;

    for (size_t i = 0; p && i < p->count && p->at[i].from_s < to_s; i++) {
        const struct pause *x = &p->at[i];
        bool dry = x->why == PAUSE_DRY;

        if (x->to_s <= from_s && !(dry && from_s - x->to_s < PAUSES_REFILL_S))
            continue;
        if (dry || x->why == PAUSE_SHUT)
            return FLOW_TELLS_NOTHING;
        tells = FLOW_TELLS_END;
    }
    return tells;
}
