/* POST /v1/stocktakes: what was counted in a depot or with a crew, held against the register.  It changes no meter's life: the paper
 * tells each difference and the event that settles it.
 *
 * Counted at `at`; a meter counts as here if it was here then.  What came here since is not missed. */
#include "server/acts/act.h"
#include "server/acts/paper.h"

#include <stdlib.h>

#define AHEAD_S 600 /* rules-fleet L4 */

struct stocktake {
    const struct act_request *q;
    struct act_reply *out;
    struct act act;
    struct refusal wrong;
    struct span number, depot, crew, note;
    int64_t at_s, now_s;
    const json_t *serials;
    json_t *counted; /* serial → true */
    struct paper paper;
    uint64_t present, missing, surplus, unknown;
};

static void read_body(struct stocktake *s)
{
    struct life_body b = life_body_of(s->q, &s->wrong);

    body_text(&b, "stocktake", &s->number);
    body_text(&b, "depot", &s->depot);
    body_text(&b, "crew", &s->crew);
    body_text(&b, "note", &s->note);
    body_time(&b, "at", s->now_s, &s->at_s);
    body_others(&b, "stocktake", "serials", "at", NULL);
    if (!s->number.len)
        s->number = span_text("auto");
    if ((s->depot.len != 0) == (s->crew.len != 0))
        body_wrong(&b, "depot", "either a depot or a crew");
    if (s->at_s > s->now_s + AHEAD_S)
        body_wrong(&b, "at", "a time that is not ahead of the server's clock");
}

static bool is_here(const struct stocktake *s, const struct paper_line *line)
{
    return s->depot.len ? line->holder_kind == 'd' && span_equal(span_text(line->holder), s->depot)
                        : line->holder_kind == 'c' && span_equal(span_text(line->holder), s->crew);
}

static bool failed(struct stocktake *s, enum err err)
{
    answer_failed(s->out, err);
    return false;
}

static bool count_one(struct stocktake *s, const json_t *serial)
{
    struct paper_line line = { 0 };
    struct meter_life life;
    enum err err;

    line.serial = span_of(json_string_value(serial), json_string_length(serial));
    err = life_load_serial(s->q->app, &s->act.txn, line.serial, &life);
    if (err && err != ERR_NOT_FOUND) {
        life_done(&life);
        return failed(s, err);
    }
    line.what = err ? LINE_UNKNOWN : LINE_SURPLUS;
    if (!err)
        line_of_life(&s->act.txn, &life, s->at_s, &line);
    if (!err && is_here(s, &line)) {
        s->present++;
    } else {
        *(err ? &s->unknown : &s->surplus) += 1;
        paper_line(&s->paper, &s->act, &line);
    }
    life_done(&life);
    return true;
}

/* Serials that the register has here now, copied: writing lines ends the walk's views. */
struct held {
    uint32_t *meters;
    size_t count, cap;
};

static enum err held_load(struct stocktake *s, struct held *out)
{
    struct span name = s->depot.len ? s->depot : s->crew;
    struct index_walk w;
    enum err err = ERR_OK;

    lives_catch_up(s->q->app, &s->act);
    w = lives_held(&s->act.txn, s->depot.len ? 'd' : 'c', name, span_of(NULL, 0));
    while (!err && index_next(&w)) {
        if (out->count == out->cap) {
            size_t cap = out->cap ? out->cap * 2 : 1024;
            uint32_t *more = (uint32_t *)realloc(out->meters, cap * sizeof *more);

            if (!more) {
                err = ERR_NO_MEMORY;
                break;
            }
            out->meters = more;
            out->cap = cap;
        }
        out->meters[out->count++] = w.value;
    }
    index_done(&w);
    return err ? err : s->act.txn.err;
}

static bool miss_one(struct stocktake *s, uint32_t meter)
{
    struct paper_line line = { .what = LINE_MISSING };
    struct meter_life life;
    enum err err = life_load(s->q->app, &s->act.txn, meter, &life);

    if (!err && !json_object_get(s->counted, life.facts.serial)) {
        line.serial = span_text(life.facts.serial);
        line_of_life(&s->act.txn, &life, s->at_s, &line);
        if (is_here(s, &line)) {
            s->missing++;
            paper_line(&s->paper, &s->act, &line);
        }
    }
    life_done(&life);
    return err ? failed(s, err) : true;
}

static bool compare(struct stocktake *s)
{
    struct held held = { 0 };
    bool fine = true;
    json_t *serial;
    size_t i;
    enum err err;

    json_array_foreach((json_t *)s->serials, i, serial)
    {
        if (!count_one(s, serial))
            return false;
        if (json_object_set_new(s->counted, json_string_value(serial), json_true()))
            return failed(s, ERR_NO_MEMORY);
    }
    if ((err = held_load(s, &held)))
        fine = failed(s, err);
    for (i = 0; fine && i < held.count; i++)
        fine = miss_one(s, held.meters[i]);
    free(held.meters);
    return fine;
}

static void close_paper(struct stocktake *s)
{
    struct out *o = &s->paper.facts;

    s->paper.depot = s->depot;
    s->paper.crew = s->crew;
    s->paper.note = s->note;
    s->paper.meters = json_array_size(s->serials);
    out_text(o, "{");
    out_member_int(o, "counted", (int64_t)json_array_size(s->serials));
    out_member_int(o, "expected", (int64_t)(s->present + s->missing));
    out_member_int(o, "present", (int64_t)s->present);
    out_member_int(o, "missing", (int64_t)s->missing);
    out_member_int(o, "surplus", (int64_t)s->surplus);
    out_member_int(o, "unknown", (int64_t)s->unknown);
    out_text(o, "}");
    paper_close(&s->paper, &s->act);
}

static void carry_out(struct stocktake *s)
{
    if (s->act.txn.err) {
        answer_failed(s->out, s->act.txn.err);
        return;
    }
    if (!paper_names(&s->act, s->out, LIST_DEPOT, "depot", s->depot) ||
        !paper_names(&s->act, s->out, LIST_CREW, "crew", s->crew))
        return;
    if (s->wrong.err) {
        answer_refuse(s->out, ERR_INVALID, s->wrong.field, "%s", s->wrong.text);
        return;
    }
    if (!paper_open(&s->paper, &s->q->app->zone, &s->act, s->out, "stocktake", s->number,
                    "stocktake", s->at_s) ||
        !compare(s))
        return;
    close_paper(s);
    paper_answer(&s->paper, &s->act, s->out, NULL);
    (void)!answer_commit(s->q, s->out, &s->act); /* the answer tells */
}

void act_post_stocktake(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    struct stocktake s = { .q = q, .out = out, .serials = json_object_get(q->body, "serials") };

    if (!answer_role(q, out, ROLES_STORE))
        return;
    s.now_s = clock_now_s(&app->clock);
    read_body(&s);
    /* An empty shelf is a count, too. */
    if (!(json_is_array(s.serials) && !json_array_size(s.serials)) &&
        !serials_read(s.serials, SERIALS_MAX, out))
        return;
    if (!(s.counted = json_object())) {
        answer_failed(out, ERR_NO_MEMORY);
        return;
    }
    s.act = act_join(app->ledger, q->caller->who, s.now_s, journal_end(app->journal));
    s.act.words = &register_words;
    carry_out(&s);
    answer_abort(out, &s.act);
    json_decref(s.counted);
    out_done(&s.paper.facts);
}
