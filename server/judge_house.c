/* The flag `swapped`, and what `slow` says behind a building's meter: what is found of the meter's house (server/houses.h), as episodes of the judge. */
#include "server/houses.h"
#include "server/judge_priv.h"

/* The meter's record for one of its fittings; false: the finding is of another meter. */
static bool record_of(const struct judge_view *v, const struct house_column *c,
                      const struct detector *kind, struct flag_record *out)
{
    if (c->meter != v->meter->id)
        return false;
    *out = (struct flag_record){
        .kind = kind, .meter = c->meter, .point = c->point, .fitting_from_s = c->fitting_from_s
    };
    return true;
}

static enum err push(const struct judge_view *v, struct flag_record *r, struct flag_records *out)
{
    r->ended = !r->verdict.open;
    for (size_t i = 0; i < v->count; i++)
        if (v->fittings[i].from_s == r->fitting_from_s && v->fittings[i].to_s <= v->now_s)
            flag_record_end(r, v->fittings[i].to_s);
    return flag_records_push(out, r);
}

static enum err take_swapped(const struct judge_view *v, const struct house_findings *h,
                             struct flag_records *out)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < h->swapped_count && !err; i++) {
        const struct swapped_finding *f = &h->swapped[i];
        const struct house_column *a = &h->columns[f->first], *b = &h->columns[f->second];
        struct flag_record r;

        if (record_of(v, a, &detector_swapped, &r))
            house_swapped_verdict(f, true, b->meter, &r.verdict);
        else if (record_of(v, b, &detector_swapped, &r))
            house_swapped_verdict(f, false, a->meter, &r.verdict);
        else
            continue;
        err = push(v, &r, out);
    }
    return err;
}

static enum err take_slow(const struct judge_view *v, const struct house_findings *h,
                          struct flag_records *out)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < h->slow_count && !err; i++) {
        const struct balance_finding *f = &h->slow[i];
        struct flag_record r;

        if (!record_of(v, &h->columns[f->child - 1], &detector_slow, &r))
            continue;
        house_slow_verdict(f, h->building, &r.verdict);
        err = push(v, &r, out);
    }
    return err;
}

/* Each house that the meter's points belong to, once. */
static enum err each_house(const struct judge_view *v,
                           enum err (*take)(const struct judge_view *v,
                                            const struct house_findings *h,
                                            struct flag_records *out),
                           struct flag_records *out)
{
    const struct house_findings *h;
    uint32_t point = 0;
    enum err err = ERR_OK;

    for (size_t i = 0; i < v->count && !err; i++) {
        if (v->fittings[i].point == point)
            continue;
        point = v->fittings[i].point;
        err = houses_find(v->houses, v->ledger, point, &h);
        if (!err && h && h->building)
            err = take(v, h, out);
    }
    return err;
}

/* Findings come in order of raising. */
static void by_onset(struct flag_records *list, size_t first)
{
    for (size_t i = first + 1; i < list->count; i++)
        for (size_t k = i;
             k > first && list->at[k].verdict.onset_s < list->at[k - 1].verdict.onset_s; k--) {
            struct flag_record r = list->at[k];

            list->at[k] = list->at[k - 1];
            list->at[k - 1] = r;
        }
}

static enum err house_episodes(const struct judge_view *v, struct flag_records *out)
{
    size_t first = out->count;
    enum err err = each_house(v, take_slow, out);

    by_onset(out, first);
    first = out->count;
    if (!err)
        err = each_house(v, take_swapped, out);
    by_onset(out, first);
    return err;
}

static bool of_a_house(const struct verdict *v)
{
    return verdict_other(v) != 0;
}

static bool by_the_house(const struct flag_record *r)
{
    return r->kind != &detector_slow || of_a_house(&r->verdict);
}

static bool overlap(const struct flag_record *a, const struct flag_record *b)
{
    return (!a->ended || a->verdict.cleared_s > b->verdict.onset_s) &&
           (!b->ended || b->verdict.cleared_s > a->verdict.onset_s);
}

static bool gives_way(const struct flag_records *episodes, const struct flag_record *e)
{
    for (size_t i = 0; i < episodes->count; i++) {
        const struct flag_record *h = &episodes->at[i];

        if (h->kind == e->kind && of_a_house(&h->verdict) && !of_a_house(&e->verdict) &&
            overlap(e, h))
            return true;
    }
    return false;
}

void house_goes_before(struct flag_records *episodes)
{
    for (size_t i = 0; i < episodes->count;) {
        if (!gives_way(episodes, &episodes->at[i])) {
            i++;
            continue;
        }
        episodes->count--;
        memmove(&episodes->at[i], &episodes->at[i + 1],
                (episodes->count - i) * sizeof *episodes->at);
    }
}

const struct judge_source judge_source_house = {
    .kinds = { &detector_slow, &detector_swapped },
    .own = by_the_house,
    .news = NEWS_HOUSE,
    .episodes = house_episodes,
};
