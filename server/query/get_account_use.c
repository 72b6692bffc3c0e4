/* What an account used: the sum over its service points, each for as long as it was the account's; so the two points of a combination meter are one figure.  Of a point that
 * others stand behind (sub-meters), what those used is taken off: it is theirs.  The figure is as good as the worst of all, and missing where one is. */
#include "proto/base/rd.h"
#include "server/accounts.h"
#include "server/billing/agree.h"
#include "server/point_use.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/query/step_asked.h"
#include "server/scope.h"

#include <stdlib.h>

#define PAGE 1000

static const char *const columns[] = { "account",       "from",      "to",
                                       "consumption_l", "billed_m3", "quality",
                                       "method",        "points",    NULL };

struct used {
    char account[LIMIT_TEXT + 1];
    int64_t from_s, to_s, now_s;
    enum consume_step step;
    struct account_stays stays;
    struct one {
        bool within; /* the stay touches the span: the rest is loaded */
        struct point_use use;
        struct account_stays behind;
        struct point_use *behind_uses; /* one a stay behind it that touches the span */
    } * ones;                          /* one a stay */
    unsigned loaded;
};

static void one_done(struct one *o)
{
    for (size_t i = 0; o->behind_uses && i < o->behind.count; i++)
        point_use_done(&o->behind_uses[i]);
    free(o->behind_uses);
    account_stays_done(&o->behind);
    point_use_done(&o->use);
}

static void used_done(void *state)
{
    struct used *u = (struct used *)state;

    for (size_t i = 0; u->ones && i < u->stays.count; i++)
        one_done(&u->ones[i]);
    free(u->ones);
    account_stays_done(&u->stays);
    free(u);
}

/* ---- loading ---- */

/* The part of [from_s, to_s) in which the point was the account's; false: none. */
static bool stay_within(const struct account_stay *s, int64_t *from_s, int64_t *to_s)
{
    if (s->from_s > *from_s)
        *from_s = s->from_s;
    if (s->to_s < *to_s)
        *to_s = s->to_s;
    return *from_s < *to_s;
}

/* Who sees a part of an account's points sees no sum of it. */
static bool is_ours(struct request *q, struct scope *s, struct txn *t, const struct account_stay *a)
{
    if (scope_point(s, t, a->point))
        return true;
    if (!t->err)
        problem_of(q, ERR_FORBIDDEN, "account",
                   "the role %s of the org unit %s may not do this: point %s of the account, or "
                   "behind one of its points, belongs to another unit, or to none",
                   role_name(q->caller.role), q->caller.org, a->name);
    return false;
}

static enum err load_point(struct request *q, struct txn *t, struct used *u, uint32_t point,
                           int64_t from_s, int64_t to_s, struct point_use *use)
{
    if (u->loaded++ == ACCOUNT_POINTS_MOST)
        return ERR_LIMIT;
    return point_use_load(q->app, t, point, from_s, to_s, u->step, u->now_s, use);
}

/* *out_ours: nobody's but the caller's. */
static enum err load_behind(struct request *q, struct txn *t, struct used *u, struct scope *s,
                            struct one *one, const struct account_stay *main, bool *out_ours)
{
    enum err err = behind_stays_load(t, span_text(main->name), &one->behind);

    if (!err && one->behind.count &&
        !(one->behind_uses =
              (struct point_use *)calloc(one->behind.count, sizeof *one->behind_uses)))
        err = ERR_NO_MEMORY;
    for (size_t i = 0; i < one->behind.count && !err && *out_ours; i++) {
        const struct account_stay *a = &one->behind.at[i];
        int64_t from_s = u->from_s, to_s = u->to_s;

        if (stay_within(main, &from_s, &to_s) && stay_within(a, &from_s, &to_s) &&
            (*out_ours = is_ours(q, s, t, a)))
            err = load_point(q, t, u, a->point, from_s, to_s, &one->behind_uses[i]);
    }
    return err;
}

static enum err load_stays(struct request *q, struct txn *t, struct used *u, bool *out_ours)
{
    struct scope s = scope_of(q->caller.org);
    enum err err = ERR_OK;

    if (!(u->ones = (struct one *)calloc(u->stays.count, sizeof *u->ones)))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < u->stays.count && !err && *out_ours; i++) {
        const struct account_stay *a = &u->stays.at[i];
        int64_t from_s = u->from_s, to_s = u->to_s;

        u->ones[i].within = stay_within(a, &from_s, &to_s);
        if (!u->ones[i].within || !(*out_ours = is_ours(q, &s, t, a)))
            continue;
        if (!(err = load_point(q, t, u, a->point, from_s, to_s, &u->ones[i].use)))
            err = load_behind(q, t, u, &s, &u->ones[i], a, out_ours);
    }
    return err;
}

static bool load(struct request *q, struct used *u)
{
    struct txn t = ledger_read(q->app->ledger);
    struct span account = span_text(u->account);
    enum err err = account_stays_load(&t, account, &u->stays);
    bool ours = true;

    if (!err && u->stays.count)
        err = load_stays(q, &t, u, &ours);
    if (!err && !u->stays.count)
        problem_of(q, ERR_NOT_FOUND, "account",
                   "account %.64s: no point was ever registered under it", u->account);
    else if (err == ERR_LIMIT)
        problem_of(
            q, ERR_INVALID, "account",
            "account %.64s: it has more than %d points, expected one that has fewer; ask point "
            "by point",
            u->account, ACCOUNT_POINTS_MOST);
    else if (err || t.err)
        problem_of(q, t.err ? t.err : err, "", "the account's readings cannot be read: a part %s",
                   err_text(t.err ? t.err : err));
    ours &= !err && !t.err && u->stays.count;
    txn_abort(&t);
    return ours;
}

/* ---- a row ---- */

struct sum {
    bool known;
    int64_t consumption_ml, billed_m3;
    enum quality quality;
    enum method method;
};

static void put_figures(struct out *o, bool known, int64_t consumption_ml, int64_t billed_m3,
                        enum quality quality, enum method method)
{
    if (known) {
        out_member_litres(o, "consumption_l", consumption_ml);
        out_member_int(o, "billed_m3", billed_m3);
    } else {
        out_member_null(o, "consumption_l");
        out_member_null(o, "billed_m3");
    }
    out_member_text(o, "quality", quality_name(quality));
    out_member_text(o, "method", known ? method_name(method) : NULL);
}

static void add(struct sum *sum, bool known, int64_t consumption_ml, int64_t billed_m3,
                enum quality quality, enum method method)
{
    sum->known &= known;
    sum->consumption_ml = volume_clamped((__int128)sum->consumption_ml + consumption_ml);
    sum->billed_m3 += billed_m3;
    sum->quality = quality > sum->quality ? quality : sum->quality;
    sum->method = method > sum->method ? method : sum->method;
}

/* What points behind it used over the time in which both it was the account's and they stood there: their sum alone, for they may be another account's. */
static enum err sum_behind(const struct one *one, int64_t from_s, int64_t to_s, struct sum *out,
                           bool *out_any)
{
    const struct consumption *c;
    enum err err = ERR_OK;

    *out = (struct sum){ .known = true };
    *out_any = false;
    for (size_t i = 0; i < one->behind.count && !err; i++) {
        int64_t begin_s = from_s, end_s = to_s;

        if (!stay_within(&one->behind.at[i], &begin_s, &end_s))
            continue;
        *out_any = true;
        if (!(err = consumer_figures(one->behind_uses[i].consumer, begin_s, end_s, &c)))
            add(out, c->known, c->consumption_ml, c->billed_m3, c->quality, c->method);
    }
    return err;
}

static void put_point(struct out *o, const struct account_stay *a, const struct point_use *use,
                      const struct consumption *c, const struct sum *net, const struct sum *behind)
{
    out_member_text(o, "point", a->name);
    out_member_time(o, "from", c->from_s);
    out_member_time(o, "to", c->to_s);
    put_figures(o, net->known, net->consumption_ml, net->billed_m3, net->quality, net->method);
    if (behind && c->known)
        out_member_litres(o, "metered_l", c->consumption_ml);
    else if (behind)
        out_member_null(o, "metered_l");
    if (behind && behind->known)
        out_member_litres(o, "behind_l", behind->consumption_ml);
    else if (behind)
        out_member_null(o, "behind_l");
    out_key(o, "parts");
    use_put_told_parts(o, use, c);
}

/* Checks are the point's: they look at days before, which may be another account's. */
static enum err put_points(const struct used *u, int64_t from_s, int64_t to_s, struct out *o,
                           struct sum *sum)
{
    bool first = true, any;
    enum err err = ERR_OK;

    out_text(o, "[");
    for (size_t i = 0; i < u->stays.count && !err; i++) {
        int64_t begin_s = from_s, end_s = to_s;
        const struct consumption *c;
        struct sum behind, net = { .known = true };

        if (!stay_within(&u->stays.at[i], &begin_s, &end_s))
            continue;
        if ((err = consumer_figures(u->ones[i].use.consumer, begin_s, end_s, &c)) ||
            (err = sum_behind(&u->ones[i], begin_s, end_s, &behind, &any)))
            break;
        add(&net, c->known, c->consumption_ml, c->billed_m3, c->quality, c->method);
        add(&net, behind.known, -behind.consumption_ml, -behind.billed_m3, behind.quality,
            behind.method);
        add(sum, net.known, net.consumption_ml, net.billed_m3, net.quality, net.method);
        out_text(o, first ? "{" : ",{");
        first = false;
        put_point(o, &u->stays.at[i], &u->ones[i].use, c, &net, any ? &behind : NULL);
        out_text(o, "}");
    }
    out_text(o, "]");
    return err ? err : o->err;
}

static void put(struct listing *l, const struct used *u, int64_t from_s, int64_t to_s)
{
    struct sum sum = { .known = true };
    struct out points = { 0 };
    uint8_t cursor[8];
    struct wr w = wr_of(cursor, sizeof cursor);
    enum err err = put_points(u, from_s, to_s, &points, &sum);

    wr_be64(&w, (uint64_t)to_s);
    if (err)
        listing_fail(l, err);
    row_begin(l);
    row_word(l, "account", u->account);
    row_time(l, "from", from_s);
    row_time(l, "to", to_s);
    if (sum.known) {
        row_litres(l, "consumption_l", sum.consumption_ml);
        row_int(l, "billed_m3", sum.billed_m3);
    } else {
        row_null(l, "consumption_l");
        row_null(l, "billed_m3");
    }
    row_word(l, "quality", quality_name(sum.quality));
    row_word(l, "method", sum.known ? method_name(sum.method) : NULL);
    out_bytes(row_raw_begin(l, "points"), points.at, points.len);
    row_raw_end(l);
    row_end(l, wr_span(&w));
    out_done(&points);
}

/* Returns where the row ends. */
static int64_t put_row(struct listing *l, const struct used *u, int64_t from_s)
{
    int64_t end_s = consume_step_end(u->step, &l->app->zone, from_s);

    if (end_s > u->to_s)
        end_s = u->to_s;
    put(l, u, from_s, end_s);
    return end_s;
}

static void fill(struct listing *l)
{
    const struct used *u = (const struct used *)l->state;
    uint64_t after;
    int64_t from_s = listing_number(l, 8, &after) && l->cursor_len ? (int64_t)after : u->from_s;

    if (from_s < u->from_s)
        listing_fail(l, ERR_INVALID);
    while (from_s < u->to_s && !listing_full(l) && !l->err)
        from_s = put_row(l, u, from_s);
    l->ended = from_s >= u->to_s && !l->err;
}

/* ---- asking ---- */

void answer_account_use(struct request *q)
{
    struct used *u = (struct used *)calloc(1, sizeof *u);
    struct listing alone;

    if (!u) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the answer");
        return;
    }
    u->now_s = clock_now_s(&q->app->clock);
    if (q->subject[0].len && q->subject[0].len <= LIMIT_TEXT)
        memcpy(u->account, q->subject[0].at, q->subject[0].len);
    if (!ask_step(q, &u->step) || !ask_span(q, &u->from_s, &u->to_s, true) || !load(q, u)) {
        used_done(u);
    } else if (u->step == STEP_NONE && q->form == FORM_JSON) {
        row_alone_begin(&alone, q);
        put_row(&alone, u, u->from_s);
        row_alone_end(&alone);
        used_done(u);
    } else {
        listing_new(q, columns, fill, u, used_done, PAGE);
    }
}
