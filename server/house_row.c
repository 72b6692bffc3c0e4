#include "server/house_row.h"

#define VERSION                                                                                    \
    2 /* another one has every house looked at from its beginning: raise it when what is found changes */

enum { UNTOLD = 1, UNFINISHED = 2, ALL_METERS = 4 };

/* ---- numbers ---- */

static void put_real(struct wr *w, double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    wr_le64(w, bits);
}

static double get_real(struct rd *r)
{
    uint64_t bits = rd_le64(r);
    double x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

static unsigned get_whole(struct rd *r)
{
    uint64_t x = rd_varint(r);

    if (x > UINT32_MAX)
        rd_fail(r, ERR_CORRUPT);
    return (unsigned)x;
}

static void put_column(struct wr *w, const struct house_column *c)
{
    wr_varint(w, c->meter);
    wr_varint(w, c->point);
    wr_zigzag(w, c->fitting_from_s);
}

static void get_column(struct rd *r, struct house_column *out)
{
    out->meter = get_whole(r);
    out->point = get_whole(r);
    out->fitting_from_s = rd_zigzag(r);
}

static unsigned get_count(struct rd *r, unsigned most)
{
    unsigned count = rd_u8(r);

    if (count > most)
        rd_fail(r, ERR_CORRUPT);
    return r->err ? 0 : count;
}

/* ---- how far ---- */

static void put_scans(struct wr *w, const struct house_story *s)
{
    const struct balance_scan *b = &s->balance;

    wr_varint(w, s->window);
    wr_varint(w, b->own_week);
    wr_varint(w, b->week);
    wr_varint(w, b->pending.column);
    wr_varint(w, b->pending.since);
    wr_varint(w, b->pending.last);
    put_real(w, b->variance);
    wr_u8(w, (uint8_t)b->step_count);
    for (unsigned i = 0; i < b->step_count; i++) {
        wr_varint(w, b->steps[i].column);
        wr_varint(w, b->steps[i].week);
    }
    wr_varint(w, s->hands.own_week);
    wr_varint(w, s->hands.week);
    wr_varint(w, s->hands.first);
    wr_varint(w, s->hands.second);
    wr_varint(w, s->hands.held);
}

static void get_scans(struct rd *r, struct house_story *s)
{
    struct balance_scan *b = &s->balance;

    s->window = get_whole(r);
    b->own_week = get_whole(r);
    b->week = get_whole(r);
    b->pending.column = get_whole(r);
    b->pending.since = get_whole(r);
    b->pending.last = get_whole(r);
    b->variance = get_real(r);
    b->step_count = get_count(r, BALANCE_STEPS_MOST);
    for (unsigned i = 0; i < b->step_count; i++) {
        b->steps[i].column = get_whole(r);
        b->steps[i].week = get_whole(r);
        if (b->steps[i].column > BALANCE_CHILDREN_MOST + 2 || b->steps[i].week > HOUSE_WEEKS)
            rd_fail(r, ERR_CORRUPT);
    }
    s->hands.own_week = get_whole(r);
    s->hands.week = get_whole(r);
    s->hands.first = get_whole(r);
    s->hands.second = get_whole(r);
    s->hands.held = get_whole(r);
}

/* ---- findings ---- */

static void put_slow(struct wr *w, const struct house_slow *s)
{
    const struct balance_finding *f = &s->f;
    const double reals[] = { f->before,     f->after,    f->share,        f->share_low,
                             f->share_high, f->lost_lpd, f->lost_low_lpd, f->lost_high_lpd,
                             f->z,          f->loss_lph };

    put_column(w, &s->at);
    wr_varint(w, s->building);
    wr_u8(w, f->stepped);
    wr_zigzag(w, f->onset_s);
    wr_zigzag(w, f->raised_s);
    wr_zigzag(w, f->cleared_s);
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        put_real(w, reals[i]);
    wr_varint(w, f->children);
    wr_varint(w, f->weeks);
}

static void get_slow(struct rd *r, struct house_slow *out)
{
    struct balance_finding *f = &out->f;
    double *reals[] = { &f->before,     &f->after,    &f->share,        &f->share_low,
                        &f->share_high, &f->lost_lpd, &f->lost_low_lpd, &f->lost_high_lpd,
                        &f->z,          &f->loss_lph };

    get_column(r, &out->at);
    out->building = get_whole(r);
    f->stepped = rd_u8(r) != 0;
    f->onset_s = rd_zigzag(r);
    f->raised_s = rd_zigzag(r);
    f->cleared_s = rd_zigzag(r);
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        *reals[i] = get_real(r);
    f->children = get_whole(r);
    f->weeks = get_whole(r);
}

static void put_pair(struct wr *w, const struct house_pair *p)
{
    const struct swapped_finding *f = &p->f;

    put_column(w, &p->first);
    put_column(w, &p->second);
    wr_zigzag(w, f->onset_s);
    wr_zigzag(w, f->raised_s);
    wr_zigzag(w, f->cleared_s);
    wr_zigzag(w, f->since_s);
    wr_varint(w, f->vacant_days);
    wr_varint(w, f->shut_days);
    wr_u8(w, f->second_idle);
    put_real(w, f->score);
    put_real(w, f->first_before_lpd);
    put_real(w, f->first_after_lpd);
    put_real(w, f->second_before_lpd);
    put_real(w, f->second_after_lpd);
    wr_varint(w, f->weeks_before);
    wr_varint(w, f->weeks_after);
}

static void get_pair(struct rd *r, struct house_pair *out)
{
    struct swapped_finding *f = &out->f;

    get_column(r, &out->first);
    get_column(r, &out->second);
    f->onset_s = rd_zigzag(r);
    f->raised_s = rd_zigzag(r);
    f->cleared_s = rd_zigzag(r);
    f->since_s = rd_zigzag(r);
    f->vacant_days = get_whole(r);
    f->shut_days = get_whole(r);
    f->second_idle = rd_u8(r) != 0;
    f->score = get_real(r);
    f->first_before_lpd = get_real(r);
    f->first_after_lpd = get_real(r);
    f->second_before_lpd = get_real(r);
    f->second_after_lpd = get_real(r);
    f->weeks_before = get_whole(r);
    f->weeks_after = get_whole(r);
}

/* ---- the row ---- */

enum err house_row_write(const struct house_row *row, struct wr *out)
{
    wr_u8(out, VERSION);
    wr_u8(out, (uint8_t)((row->untold ? UNTOLD : 0) | (row->unfinished ? UNFINISHED : 0) |
                         (row->all_meters ? ALL_METERS : 0)));
    wr_zigzag(out, row->origin_s);
    wr_zigzag(out, row->week_s);
    wr_zigzag(out, row->late_s);
    wr_le32(out, row->columns_sum);
    wr_le32(out, row->before_sum);
    put_scans(out, &row->story);
    wr_u8(out, (uint8_t)row->story.slow_count);
    for (unsigned i = 0; i < row->story.slow_count; i++)
        put_slow(out, &row->story.slow[i]);
    wr_u8(out, (uint8_t)row->story.pair_count);
    for (unsigned i = 0; i < row->story.pair_count; i++)
        put_pair(out, &row->story.pairs[i]);
    return out->err;
}

enum err house_row_read(struct span bytes, struct house_row *out)
{
    struct rd r = rd_of(bytes);
    uint8_t bits;

    memset(out, 0, sizeof *out);
    if (rd_u8(&r) != VERSION)
        return r.err ? ERR_CORRUPT : ERR_NOT_FOUND;
    bits = rd_u8(&r);
    out->untold = bits & UNTOLD;
    out->unfinished = bits & UNFINISHED;
    out->all_meters = bits & ALL_METERS;
    out->origin_s = rd_zigzag(&r);
    out->week_s = rd_zigzag(&r);
    out->late_s = rd_zigzag(&r);
    out->columns_sum = rd_le32(&r);
    out->before_sum = rd_le32(&r);
    get_scans(&r, &out->story);
    out->story.slow_count = get_count(&r, HOUSE_FINDINGS_MOST);
    for (unsigned i = 0; i < out->story.slow_count; i++)
        get_slow(&r, &out->story.slow[i]);
    out->story.pair_count = get_count(&r, HOUSE_FINDINGS_MOST);
    for (unsigned i = 0; i < out->story.pair_count; i++)
        get_pair(&r, &out->story.pairs[i]);
    return r.err || rd_left(&r) ? ERR_CORRUPT : ERR_OK;
}
