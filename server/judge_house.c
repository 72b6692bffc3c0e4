/* The flag `swapped`, and what `slow` says behind a building's meter: what is found of the meter's house (server/houses.h), as episodes of the judge. */
#include "server/detect/house.h"
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

static enum err take_swapped(const struct judge_view *v, const struct house_story *h,
                             struct flag_records *out)
{
    enum err err = ERR_OK;

    for (unsigned i = 0; i < h->pair_count && !err; i++) {
        const struct house_pair *p = &h->pairs[i];
        struct flag_record r;

        if (p->f.cleared_s == p->f.raised_s)
            continue;
        if (record_of(v, &p->first, &detector_swapped, &r))
            house_swapped_verdict(&p->f, true, p->second.meter, &r.verdict);
        else if (record_of(v, &p->second, &detector_swapped, &r))
            house_swapped_verdict(&p->f, false, p->first.meter, &r.verdict);
        else
            continue;
        err = push(v, &r, out);
    }
    return err;
}

static enum err take_slow(const struct judge_view *v, const struct house_story *h,
                          struct flag_records *out)
{
    enum err err = ERR_OK;

    for (unsigned i = 0; i < h->slow_count && !err; i++) {
        const struct house_slow *s = &h->slow[i];
        struct flag_record r;

        if (!record_of(v, &s->at, &detector_slow, &r))
            continue;
        house_slow_verdict(&s->f, s->building, &r.verdict);
        err = push(v, &r, out);
    }
    return err;
}

static bool of_a_house(const struct verdict *v)
{
    return verdict_other(v) != 0;
}

static bool by_the_house(const struct flag_record *r)
{
    return r->kind == &detector_swapped || (r->kind == &detector_slow && of_a_house(&r->verdict));
}

/* As long as a house of the meter was not looked at to the end what had been told of it stands: as views show it, or else as it was born. */
static enum err take_told(const struct judge_view *v, struct flag_records *out)
{
    struct flag_records told = { 0 };
    enum err err = flags_kept(v->views, v->meter->id, &told);
    bool kept = false;

    for (size_t i = 0; i < told.count; i++)
        kept |= by_the_house(&told.at[i]);
    if (!err && !kept) {
        told.count = 0;
        err = flags_born(v->ledger, v->meter->id, &told);
    }
    for (size_t i = 0; i < told.count && !err; i++)
        if (by_the_house(&told.at[i]) && !told.at[i].withdrawn)
            err = push(v, &told.at[i], out);
    flag_records_done(&told);
    return err;
}

/* The houses that the meter's points belong to, or did, each once. */
static enum err houses_of_meter(const struct judge_view *v, uint32_t out[HOUSES_OF_POINT],
                                unsigned *out_count)
{
    unsigned count = 0;

    for (size_t i = 0; i < v->count; i++) {
        uint32_t of_point[HOUSES_OF_POINT];
        unsigned n = houses_of_point(v->ledger, v->fittings[i].point, of_point);

        for (unsigned k = 0; k < n && count < HOUSES_OF_POINT; k++) {
            bool known = false;

            for (unsigned h = 0; h < count; h++)
                known |= out[h] == of_point[k];
            if (!known)
                out[count++] = of_point[k];
        }
    }
    *out_count = count;
    return v->ledger->err;
}

/* Findings come in order of raising. */
static void by_onset(struct flag_records *list, size_t first, size_t end)
{
    for (size_t i = first + 1; i < end; i++)
        for (size_t k = i;
             k > first && list->at[k].verdict.onset_s < list->at[k - 1].verdict.onset_s; k--) {
            struct flag_record r = list->at[k];

            list->at[k] = list->at[k - 1];
            list->at[k - 1] = r;
        }
}

/* Slow ones first: they are listed by kind. */
static void order_by_kind(struct flag_records *list, size_t first)
{
    size_t at = first;

    for (size_t i = first; i < list->count; i++)
        if (list->at[i].kind == &detector_slow) {
            struct flag_record r = list->at[i];

            memmove(&list->at[at + 1], &list->at[at], (i - at) * sizeof r);
            list->at[at++] = r;
        }
    by_onset(list, first, at);
    by_onset(list, at, list->count);
}

static enum err house_episodes(const struct judge_view *v, struct flag_records *out)
{
    uint32_t houses[HOUSES_OF_POINT];
    const struct house_story *h;
    size_t first = out->count;
    unsigned count;
    bool whole = true;
    enum err err = houses_of_meter(v, houses, &count);

    for (unsigned i = 0; i < count && !err && whole; i++) {
        err = houses_find(v->houses, v->views, houses[i], &h);
        whole = !err && h;
        if (whole && !(err = take_slow(v, h, out)))
            err = take_swapped(v, h, out);
    }
    if (!err && !whole) {
        out->count = first;
        err = take_told(v, out);
    }
    order_by_kind(out, first);
    return err;
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
