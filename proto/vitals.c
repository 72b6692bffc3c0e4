#include "proto/facts.h"

static int16_t small(int32_t v)
{
    return (int16_t)(v < INT16_MIN ? INT16_MIN : v > INT16_MAX ? INT16_MAX : v);
}

static void offset_take(struct vitals *h, int64_t offset_s)
{
    int32_t offset = (int32_t)(offset_s < INT32_MIN   ? INT32_MIN
                               : offset_s > INT32_MAX ? INT32_MAX
                                                      : offset_s);

    if (h->timed && offset <= h->offset_s[0])
        return;
    if (!h->timed) {
        memmove(h->offset_s + 1, h->offset_s, (VITALS_OFFSETS - 1) * sizeof h->offset_s[0]);
        if (h->offset_count < VITALS_OFFSETS)
            h->offset_count++;
    }
    h->offset_s[0] = offset;
    h->timed = true;
}

/* A report may be several frames; a first one follows no other. */
static void pause_take(struct vitals *h, uint32_t arrival_s)
{
    uint32_t pause_s = arrival_s - h->arrival_s, minutes = (pause_s + 30) / 60,
             quarters = pause_s / 900;

    if (!h->position || pause_s < VITALS_PAUSE_LEAST_S)
        return;
    h->timed = false;
    memmove(h->pause_min + 1, h->pause_min, (VITALS_PAUSES - 1) * sizeof h->pause_min[0]);
    h->pause_min[0] = (uint16_t)(minutes > UINT16_MAX ? UINT16_MAX : minutes);
    if (h->pause_count < VITALS_PAUSES)
        h->pause_count++;
    h->longest_quarters = (uint16_t)(h->longest_quarters - (h->longest_quarters + 255) / 256);
    if (quarters > h->longest_quarters)
        h->longest_quarters = (uint16_t)(quarters > UINT16_MAX ? UINT16_MAX : quarters);
}

enum fold vitals_fold(const struct vitals *h, const struct frame *f, uint64_t position,
                      uint32_t at_s)
{
    bool same = h->digest && f->digest && f->seq == h->seq && f->digest == h->digest;
    uint32_t apart_s = at_s > h->arrival_s ? at_s - h->arrival_s : h->arrival_s - at_s;

    if (position <= h->position)
        return FOLD_COUNTS;
    if (f->seq_rule == SEQ_REPEATS)
        return same && !h->rises && apart_s <= FOLD_REPEAT_WITHIN_S ? FOLD_REPEAT : FOLD_COUNTS;
    if (f->seq_rule != SEQ_RISES || !h->rises)
        return FOLD_COUNTS;
    if (f->key_age == KEY_NEWEST && !h->renewed) /* under a new key a counter begins anew */
        return FOLD_COUNTS;
    if (f->seq > h->seq && !(f->key_age == KEY_OUTDATED && h->renewed))
        return FOLD_COUNTS;
    if (same)
        return FOLD_REPEAT;
    /* One that waited in quarantine comes behind those that arrived after it. */
    return at_s < h->arrival_s ? FOLD_COUNTS : FOLD_REPLAY;
}

/* What nobody proved does not move the counter of a meter that proves its own: one forged telegram in
 * the clear would let in all that was ever recorded. */
static void counter_take(struct vitals *h, const struct frame *f)
{
    if (f->seq_rule == SEQ_REPEATS && h->rises)
        return;
    if (f->seq_rule != SEQ_INFORMS && f->digest) {
        h->seq = f->seq;
        h->digest = f->digest & 0xffffff;
        h->rises = f->seq_rule == SEQ_RISES;
        h->renewed = h->rises && f->key_age == KEY_NEWEST;
    } else if (!h->digest) {
        h->seq = f->seq;
    }
}

void vitals_take(struct vitals *h, const struct frame *f, uint64_t position, uint32_t arrival_s)
{
    if (position <= h->position || arrival_s < h->arrival_s)
        return;
    pause_take(h, arrival_s);
    h->position = position;
    h->arrival_s = arrival_s;
    counter_take(h, f);
    h->status = f->status;
    if (f->battery_mv)
        h->battery_mv = f->battery_mv;
    if (f->cell)
        h->cell = f->cell;
    if (f->rsrp_dbm)
        h->rsrp_dbm = small(f->rsrp_dbm);
    if (f->snr_db)
        h->snr_db = small(f->snr_db);
    if (f->sent_s)
        offset_take(h, f->sent_s - (int64_t)arrival_s);
}

bool vitals_offset(const struct vitals *h, int32_t *out_s)
{
    int32_t sorted[VITALS_OFFSETS];
    unsigned count = h->offset_count;

    if (count == 0 || count > VITALS_OFFSETS)
        return false;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = i;

        for (; at > 0 && sorted[at - 1] > h->offset_s[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = h->offset_s[i];
    }
    *out_s = sorted[(count - 1) / 2];
    return true;
}

uint32_t vitals_period_s(const struct vitals *h)
{
    uint16_t sorted[VITALS_PAUSES];
    unsigned count = h->pause_count;

    if (count < 2 || count > VITALS_PAUSES)
        return 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = i;

        for (; at > 0 && sorted[at - 1] > h->pause_min[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = h->pause_min[i];
    }
    return sorted[(count - 1) / 2] * 60u;
}
