#include "server/detect/house_story.h"

#define NONE UINT32_MAX

unsigned house_window_of(unsigned weeks)
{
    return weeks <= HOUSE_WEEKS ? 0 : (weeks - HOUSE_WEEKS + HOUSE_HOP - 1) / HOUSE_HOP;
}

unsigned house_window_first(unsigned window)
{
    return window * HOUSE_HOP;
}

unsigned house_window_own(unsigned window)
{
    return window ? HOUSE_WEEKS + (window - 1) * HOUSE_HOP : 0;
}

void house_story_begin(struct house_story *s, unsigned window)
{
    unsigned own = house_window_own(window) - (window ? house_window_first(window) : 0);

    s->window = window;
    s->balance = (struct balance_scan){ .own_week = own ? own + 1 : 0 };
    s->hands = (struct swapped_scan){ .own_week = own ? own + 1 : 0 };
}

void house_story_cut(struct house_story *s, int64_t until_s)
{
    unsigned slow = 0, pairs = 0;

    for (unsigned i = 0; i < s->slow_count; i++) {
        if (s->slow[i].f.raised_s > until_s)
            continue;
        s->slow[slow] = s->slow[i];
        if (s->slow[slow].f.cleared_s > until_s)
            s->slow[slow].f.cleared_s = 0;
        slow++;
    }
    for (unsigned i = 0; i < s->pair_count; i++) {
        if (s->pairs[i].f.raised_s > until_s)
            continue;
        s->pairs[pairs] = s->pairs[i];
        if (s->pairs[pairs].f.cleared_s > until_s) {
            s->pairs[pairs].f.cleared_s = 0;
            s->pairs[pairs].f.since_s = s->pairs[pairs].f.onset_s;
        }
        pairs++;
    }
    s->slow_count = slow;
    s->pair_count = pairs;
}

static bool same_column(const struct house_column *a, const struct house_column *b)
{
    return a->meter == b->meter && a->point == b->point && a->fitting_from_s == b->fitting_from_s;
}

static unsigned column_of(const struct house_window *w, const struct house_column *c)
{
    for (unsigned i = 0; i < w->count; i++)
        if (same_column(&w->columns[i], c))
            return i;
    return NONE;
}

/* Those that have a column here go through the look, in the places that they had. */
static enum err look_at_balance(struct house_story *s, const struct house_window *w,
                                int64_t until_s)
{
    struct balance_finding list[HOUSE_FINDINGS_MOST];
    unsigned place[HOUSE_FINDINGS_MOST];
    size_t known = 0, count, room;
    enum err err;

    for (unsigned i = 0; i < s->slow_count; i++) {
        unsigned column = column_of(w, &s->slow[i].at);

        if (column == NONE)
            continue;
        place[known] = i;
        list[known] = s->slow[i].f;
        list[known++].child = column + 1;
    }
    count = known;
    room = known + HOUSE_FINDINGS_MOST - s->slow_count;
    if ((err = balance_find(w->balance, &balance_usual, until_s, &s->balance, list, room, &count)))
        return err;
    for (size_t i = 0; i < known; i++)
        s->slow[place[i]].f = list[i];
    for (size_t i = known; i < count; i++)
        s->slow[s->slow_count++] =
            (struct house_slow){ .at = w->columns[list[i].child - 1], .f = list[i] };
    return ERR_OK;
}

static enum err look_at_hands(struct house_story *s, const struct house_window *w, int64_t until_s)
{
    struct swapped_finding list[HOUSE_FINDINGS_MOST];
    unsigned place[HOUSE_FINDINGS_MOST];
    size_t known = 0, count, room;
    enum err err;

    for (unsigned i = 0; i < s->pair_count; i++) {
        unsigned first = column_of(w, &s->pairs[i].first),
                 second = column_of(w, &s->pairs[i].second);

        if (first == NONE || second == NONE)
            continue;
        place[known] = i;
        list[known] = s->pairs[i].f;
        list[known].first = first;
        list[known++].second = second;
    }
    count = known;
    room = known + HOUSE_FINDINGS_MOST - s->pair_count;
    if ((err = swapped_find(w->hands, &swapped_usual, until_s, &s->hands, list, room, &count)))
        return err;
    for (size_t i = 0; i < known; i++)
        s->pairs[place[i]].f = list[i];
    for (size_t i = known; i < count; i++)
        s->pairs[s->pair_count++] = (struct house_pair){ .first = w->columns[list[i].first],
                                                         .second = w->columns[list[i].second],
                                                         .f = list[i] };
    return ERR_OK;
}

enum err house_story_look(struct house_story *s, const struct house_window *w, int64_t until_s)
{
    enum err err = w->balance ? look_at_balance(s, w, until_s) : ERR_OK;

    return err || !w->hands ? err : look_at_hands(s, w, until_s);
}

void house_story_left(struct house_story *s, const struct house_column *c, int64_t at_s)
{
    for (unsigned i = 0; i < s->slow_count; i++) {
        struct house_slow *f = &s->slow[i];

        if (!f->f.cleared_s && same_column(&f->at, c))
            f->f.cleared_s = at_s > f->f.raised_s ? at_s : f->f.raised_s;
    }
    for (unsigned i = 0; i < s->pair_count; i++) {
        struct house_pair *p = &s->pairs[i];

        if (!p->f.cleared_s && (same_column(&p->first, c) || same_column(&p->second, c)))
            p->f.cleared_s = at_s > p->f.raised_s ? at_s : p->f.raised_s;
    }
}
