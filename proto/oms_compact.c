#include "proto/oms_compact.h"

enum err oms_format_list(const struct oms_value *values, uint32_t count, struct arena *a,
                         struct span *out_list_view)
{
    size_t len = 0;
    uint8_t *list;

    *out_list_view = span_of(NULL, 0);
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].kind == OMS_IS_LOST)
            return ERR_OK;
        if (values[i].kind != OMS_IS_FILLER)
            len += values[i].head;
    }
    if (len == 0)
        return ERR_OK;
    list = (uint8_t *)arena_alloc(a, len);
    if (!list)
        return ERR_NO_MEMORY;
    len = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].kind == OMS_IS_FILLER)
            continue;
        memcpy(list + len, values[i].raw.at, values[i].head);
        len += values[i].head;
    }
    *out_list_view = span_of(list, len);
    return ERR_OK;
}

static enum err damaged(const struct oms_telegram *t, struct refusal *r, const char *what)
{
    return refuse(r, ERR_DAMAGED, t->records_at, "compact",
                  "%s the format with signature %04X: damaged, or the meter speaks another one",
                  what, t->signature);
}

/* Head by head, each with the data that its type takes. */
static enum err heads_and_data(struct rd *list, struct rd *data, struct wr *full, struct refusal *r)
{
    while (rd_left(list)) {
        const uint8_t *begin = data->at;
        struct oms_value v;
        enum err err;

        if (oms_head_read(list, &v, r))
            return ERR_MALFORMED;
        if (v.kind == OMS_IS_FILLER)
            continue;
        if ((err = oms_data_read(data, &v, r)))
            return err;
        if (v.kind == OMS_IS_LOST)
            return ERR_TRUNCATED;
        wr_bytes(full, span_of(v.raw.at, v.head));
        wr_bytes(full, span_of(begin, (size_t)(data->at - begin)));
    }
    return full->err;
}

enum err oms_expand(const struct oms_telegram *t, struct span list, struct arena *a,
                    struct span *out_records_view, struct refusal *r)
{
    size_t cap = list.len + t->records.len;
    uint8_t *room = (uint8_t *)arena_alloc(a, cap + 1);
    struct wr full = wr_of(room, cap);
    struct rd heads = rd_of(list), data = rd_of(t->records);
    enum err err;

    if (!room)
        return ERR_NO_MEMORY;
    err = heads_and_data(&heads, &data, &full, NULL);
    if (err == ERR_MALFORMED) /* which is no fault of the frame's: it waits for a better one */
        return damaged(t, r, "no list of DIF and VIF is what was learned for");
    if (err || !span_is_all(span_of(data.at, rd_left(&data)), 0x2f)) /* fillers may follow */
        return damaged(t, r, "the data have not the length of");
    if (oms_crc(wr_span(&full)) != t->full_crc)
        return damaged(t, r, "the data fail their CRC by");
    *out_records_view = wr_span(&full);
    return ERR_OK;
}
