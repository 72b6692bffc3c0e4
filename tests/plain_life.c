#include "tests/plain_life.h"

#include "proto/base/day.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const struct plain_line plain_page[EVENT_KINDS] = {
    { "order", "-", "ordered", "document" },
    { "receive", "- ordered", "received", "document" },
    { "inspect", "received running suspended faulty at-lab", "(unchanged)", "result" },
    { "verify", "received at-lab", "verified", "certificate" },
    { "reject", "received verified in-stock at-lab", "rejected", "note" },
    { "stock", "verified at-lab", "in-stock", "" },
    { "issue", "in-stock", "issued", "document crew" },
    { "return", "issued", "in-stock", "document" },
    { "install", "- issued", "running", "point index_l" },
    { "suspend", "running", "suspended", "document" },
    { "resume", "suspended faulty", "running", "note-from-faulty" },
    { "fault", "running suspended", "faulty", "note" },
    { "remove", "running suspended faulty", "removed", "index_l" },
    { "to-lab", "in-stock removed", "at-lab", "document" },
    { "retire", "rejected in-stock removed at-lab", "retired", "note" },
    { "scrap", "rejected retired", "scrapped", "document" },
    { "lose",
      "received verified rejected in-stock issued running suspended faulty removed at-lab retired",
      "lost", "note" },
    { "find", "lost", "(whence)", "note" },
};

bool plain_word(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = words; (at = strstr(at, word)); at++)
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
            return true;
    return false;
}

bool plain_is_fitted(const char *state)
{
    return plain_word("running suspended faulty", state);
}

/* ---- what holds ---- */

static void become(struct plain_life *p, const char *state)
{
    snprintf(p->state, sizeof p->state, "%s", state);
}

static void find(struct plain_life *p)
{
    if (strcmp(p->state, "lost") != 0)
        return;
    become(p, !p->lost_from[0] || plain_is_fitted(p->lost_from) ? "removed" : p->lost_from);
}

static void lose(struct plain_life *p)
{
    if (strcmp(p->state, "lost") != 0)
        memcpy(p->lost_from, p->state, sizeof p->lost_from);
    become(p, "lost");
}

static void step(struct plain_life *p, const struct life_event *e)
{
    const char *to = plain_page[e->kind].to;

    if (strcmp(to, "(whence)") == 0)
        find(p);
    else if (strcmp(to, "lost") == 0)
        lose(p);
    else if (strcmp(to, "(unchanged)") != 0)
        become(p, to);
    if (e->kind == EVENT_INSTALL)
        p->point = e->point;
    if (!plain_is_fitted(p->state))
        p->point = 0;
    p->fitted = p->fitted || plain_is_fitted(p->state) || strcmp(p->state, "removed") == 0;
    p->verified = p->verified || e->kind == EVENT_VERIFY;
}

struct plain_life plain_before(const struct plain_meter *m, const struct life_event *events,
                               size_t n)
{
    struct plain_life p = { .verified = m->row_verified_on != NO_DAY };

    become(&p, m->imported);
    p.fitted = plain_is_fitted(p.state) || strcmp(p.state, "removed") == 0;
    for (size_t i = 0; i < n; i++)
        step(&p, &events[i]);
    return p;
}

size_t plain_place(const struct life_event *events, size_t count, int64_t at_s)
{
    size_t place = 0;

    while (place < count && events[place].at_s <= at_s)
        place++;
    return place;
}

/* ---- the calendar ---- */

static int32_t civil(int64_t at_s)
{
    return (int32_t)((at_s + INT64_C(8) * 3600) / 86400);
}

static int32_t months_later(int32_t day, int32_t months)
{
    struct civil c = day_civil((int64_t)day * 86400);

    for (; months; months--) {
        c.year += c.month == 12;
        c.month = (uint8_t)(c.month % 12 + 1);
    }
    if (c.day > day_month_length(c.year, c.month))
        c.day = (uint8_t)day_month_length(c.year, c.month);
    return (int32_t)day_number(c.year, c.month, c.day);
}

int32_t plain_due(const struct plain_meter *m, const struct life_event *events, size_t count,
                  int32_t on)
{
    int32_t begin = NO_DAY, until = NO_DAY, due, months = m->limited ? 72 : 24;

    if (m->row_verified_on != NO_DAY && m->row_verified_on <= on)
        begin = m->row_verified_on;
    for (size_t i = 0; i < count; i++) {
        const struct life_event *e = &events[i];
        int32_t at = e->verified_on == NO_DAY ? civil(e->at_s) : e->verified_on;

        if (e->kind != EVENT_VERIFY || at > on ||
            (begin != NO_DAY && (m->limited ? at >= begin : at < begin)))
            continue;
        begin = at;
        until = e->valid_until;
    }
    if (begin == NO_DAY)
        return NO_DAY;
    if (m->life_months && m->life_months < months)
        months = m->life_months;
    due = months_later(begin, months);
    return until != NO_DAY && until < due ? until : due;
}

/* ---- may it come in? ---- */

int plain_verdict(const struct plain_meter *m, const struct life_event *events, size_t count,
                  size_t n)
{
    const struct life_event *e = &events[n];
    struct plain_life p = plain_before(m, events, n);
    int32_t on = civil(e->at_s), due = plain_due(m, events, count, on);
    bool late = due == NO_DAY || due < on;

    if (!plain_word(plain_page[e->kind].from, p.state))
        return 2;
    if (e->kind == EVENT_RESUME && strcmp(p.state, "faulty") == 0 && !e->text[EVENT_NOTE].len)
        return 2;
    if (e->kind == EVENT_INSTALL && strcmp(p.state, "-") == 0 &&
        plain_due(m, events, count, INT32_MAX) == NO_DAY)
        return 0;
    if (e->kind == EVENT_INSTALL || e->kind == EVENT_ISSUE)
        return late;
    if (e->kind == EVENT_STOCK && strcmp(p.state, "at-lab") == 0)
        return late || (m->limited && p.fitted);
    return e->kind == EVENT_VERIFY && m->limited && (p.verified || p.fitted);
}

bool plain_takes(const struct plain_meter *m, const struct life_event *events, size_t count,
                 const struct life_event *e)
{
    struct life_event with[PLAIN_EVENTS_MOST];
    size_t place = plain_place(events, count, e->at_s);

    assert(count < PLAIN_EVENTS_MOST);
    memcpy(with, events, place * sizeof *with);
    with[place] = *e;
    memcpy(with + place + 1, events + place, (count - place) * sizeof *with);
    if (plain_verdict(m, with, count + 1, place))
        return false;
    for (size_t i = place; i < count; i++)
        if (!(events[i].flags & EVENT_IMPORTED) &&
            plain_verdict(m, with, count + 1, i + 1) > plain_verdict(m, events, count, i))
            return false;
    return true;
}

size_t plain_fittings(const struct plain_meter *m, const struct life_event *events, size_t count,
                      uint32_t meter, struct fitting *out, size_t cap)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        struct fitting f = {
            .meter = meter, .point = events[i].point, .from_s = events[i].at_s, .to_s = FITTING_OPEN
        };

        if (events[i].kind != EVENT_INSTALL)
            continue;
        for (size_t k = i + 1; k < count && f.to_s == FITTING_OPEN; k++)
            if (events[k].kind == EVENT_INSTALL || !plain_before(m, events, k + 1).point)
                f.to_s = events[k].at_s;
        if (found < cap)
            out[found] = f;
        found++;
    }
    return found;
}
