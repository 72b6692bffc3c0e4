/* The sources of episodes beside steps, and how what one finds takes the place of what it found before. */
#include "server/judge_priv.h"

#include "proto/base/wr.h"

static const struct judge_source *const sources[] = {
    &judge_source_dials,  &judge_source_overdue, &judge_source_monthly,
    &judge_source_silent, &judge_source_house,   &judge_source_vitals,
};

const struct judge_source *judge_source_at(size_t n)
{
    return n < sizeof sources / sizeof sources[0] ? sources[n] : NULL;
}

bool source_owns(const struct judge_source *source, const struct flag_record *r)
{
    for (size_t i = 0; i < SOURCE_KINDS && source->kinds[i]; i++)
        if (source->kinds[i] == r->kind)
            return !source->own || source->own(r);
    return false;
}

/* Of two records that may differ in what is given to an episode later: its id and when it was told. */
static bool says_the_same(const struct flag_record *kept, const struct flag_record *found)
{
    struct flag_record as_kept = *found;
    uint8_t x[FLAG_FACTS_MAX], y[FLAG_FACTS_MAX];
    struct wr a = wr_of(x, sizeof x), b = wr_of(y, sizeof y);

    as_kept.told_s = kept->told_s;
    return !flag_encode(kept, &a) && !flag_encode(&as_kept, &b) &&
           span_equal(wr_span(&a), wr_span(&b));
}

bool source_same(const struct judge_source *source, const struct flag_records *kept,
                 const struct flag_records *found)
{
    size_t n = 0;

    for (size_t i = 0; i < kept->count; i++) {
        const struct flag_record *k = &kept->at[i];

        if (k->withdrawn || !source_owns(source, k))
            continue;
        if (n == found->count || !says_the_same(k, &found->at[n++]))
            return false;
    }
    return n == found->count;
}

enum err source_replace(const struct judge_source *source, struct flag_records *list,
                        const struct flag_records *found)
{
    size_t kept = 0;
    enum err err = ERR_OK;

    for (size_t i = 0; i < list->count; i++)
        if (!source_owns(source, &list->at[i]))
            list->at[kept++] = list->at[i];
    list->count = kept;
    for (size_t i = 0; i < found->count && !err; i++)
        err = flag_records_push(list, &found->at[i]);
    return err;
}

void flag_record_end(struct flag_record *e, int64_t to_s)
{
    if (e->ended)
        return;
    e->ended = true;
    e->verdict.open = false;
    e->verdict.cleared_s = to_s > e->verdict.raised_s ? to_s : e->verdict.raised_s;
}
