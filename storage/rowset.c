#include "storage/rowset.h"

#include "proto/base/limits.h"

void rowset_put(struct wr *w, uint32_t meter, enum channel channel, const struct row *rows,
                size_t count)
{
    int64_t time_s = 0;
    uint64_t value = 0; /* unsigned, so that extremes wrap instead of overflowing */

    wr_varint(w, meter);
    wr_u8(w, (uint8_t)channel);
    wr_varint(w, count);
    for (size_t i = 0; i < count; i++) {
        wr_zigzag(w, (int64_t)rows[i].time_s - time_s);
        wr_zigzag(w, (int64_t)((uint64_t)rows[i].value - value));
        wr_u8(w, (uint8_t)rows[i].attr);
        time_s = rows[i].time_s;
        value = (uint64_t)rows[i].value;
    }
}

static enum err rowset_row(struct rd *r, int64_t *time_s, uint64_t *value, struct row *out)
{
    int64_t step_s = rd_zigzag(r);
    int64_t step = rd_zigzag(r);
    uint8_t attr = rd_u8(r);

    if (r->err)
        return r->err;
    if (step_s < -(int64_t)UINT32_MAX || step_s > UINT32_MAX)
        return ERR_CORRUPT;
    *time_s += step_s;
    *value += (uint64_t)step;
    if (*time_s < 0 || *time_s > UINT32_MAX || (attr & ~ATTR_ALL))
        return ERR_CORRUPT;
    *out = (struct row){ .value = (int64_t)*value, .time_s = (uint32_t)*time_s, .attr = attr };
    return ERR_OK;
}

enum err rowset_next(struct rd *r, uint32_t *out_meter, enum channel *out_channel, struct rows *out)
{
    int64_t time_s = 0;
    uint64_t value = 0, meter, count;
    uint8_t channel;
    enum err err;

    out->count = 0;
    if (!r->err && rd_left(r) == 0)
        return ERR_NOT_FOUND;
    meter = rd_varint(r);
    channel = rd_u8(r);
    count = rd_varint(r);
    if (r->err)
        return ERR_CORRUPT;
    /* A row takes three bytes or more: a count that the bytes cannot hold is believed by no loop.
     */
    if (meter == 0 || meter > LIMIT_METERS ||
        (channel >= CHANNEL_COUNT && channel != CHANNEL_BILLED) || count > rd_left(r) / 3)
        return ERR_CORRUPT;
    if ((err = rows_reserve(out, count)))
        return err;
    for (uint64_t i = 0; i < count; i++) {
        struct row row;

        if (rowset_row(r, &time_s, &value, &row))
            return ERR_CORRUPT;
        out->at[out->count++] = row;
    }
    *out_meter = (uint32_t)meter;
    *out_channel = (enum channel)channel;
    return ERR_OK;
}
