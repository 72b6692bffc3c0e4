/* The writing side of native.proto: what the simulator sends, and the commands that the server
 * answers with. */
#include "proto/native.h"
#include "proto/native_fields.h"

/* Numbers of Commands, Command and History. */
enum { COMMANDS_COMMANDS = 1, COMMANDS_NOW };
enum {
    NATIVE_ID = 1,
    NATIVE_EXPIRES,
    NATIVE_VALVE,
    NATIVE_EVERY,
    NATIVE_OFFSET,
    NATIVE_STEP,
    NATIVE_BASE,
    NATIVE_HISTORY
};
enum { HISTORY_FROM = 1, HISTORY_TO };

static void put_tag(struct wr *w, uint32_t number, enum wire_type type)
{
    wr_varint(w, (uint64_t)number << 3 | type);
}

/* proto3 leaves out what is 0. */
static void put_uint(struct wr *w, uint32_t number, uint64_t v)
{
    if (!v)
        return;
    put_tag(w, number, WIRE_VARINT);
    wr_varint(w, v);
}

static void put_sint(struct wr *w, uint32_t number, int64_t v)
{
    if (!v)
        return;
    put_tag(w, number, WIRE_VARINT);
    wr_zigzag(w, v);
}

static void put_fixed32(struct wr *w, uint32_t number, uint32_t v)
{
    if (!v)
        return;
    put_tag(w, number, WIRE_FIXED32);
    wr_le32(w, v);
}

/* An inner message is written first and pushed back by its length's own length, which nobody knows
 * before. */
static uint8_t *inner_begin(struct wr *w, uint32_t number)
{
    put_tag(w, number, WIRE_BYTES);
    return w->at;
}

static void inner_end(struct wr *w, uint8_t *start)
{
    size_t len = (size_t)(w->at - start);
    uint8_t head[10];
    struct wr h = wr_of(head, sizeof(head));

    wr_varint(&h, len);
    wr_bytes(w, wr_span(&h)); /* makes the room */
    if (w->err)
        return;
    memmove(start + wr_len(&h), start, len);
    memcpy(start, head, wr_len(&h));
}

/* ---- reports -------------------------------------------------------------------------------- */

static int64_t unit_of(int8_t scale)
{
    int64_t unit = 1;

    while (scale-- > NATIVE_SCALE_LEAST)
        unit *= 10;
    return unit;
}

static bool time_fits(int64_t at_s)
{
    return at_s > 0 && at_s <= UINT32_MAX; /* 0 stands for "as sent" */
}

static bool series_fits(const struct series *s, int64_t unit)
{
    int64_t step_s = s->count > 1 ? s->samples[0].at_s - s->samples[1].at_s : 1;

    if (s->count == 0 || step_s <= 0 || step_s > UINT32_MAX || s->samples[0].value % unit)
        return false;
    for (uint32_t k = 1; k < s->count; k++) {
        const struct sample *newer = &s->samples[k - 1], *older = &s->samples[k];
        int64_t back;

        if (newer->at_s - older->at_s != step_s ||
            __builtin_sub_overflow(newer->value, older->value, &back) || back % unit ||
            back / unit < INT32_MIN || back / unit > INT32_MAX)
            return false;
    }
    return true;
}

static void put_back(struct wr *w, const struct series *s, int64_t unit)
{
    uint8_t *start;

    if (s->count < 2)
        return;
    start = inner_begin(w, SERIES_BACK);
    for (uint32_t k = 1; k < s->count; k++)
        wr_zigzag(w, (s->samples[k - 1].value - s->samples[k].value) / unit);
    inner_end(w, start);
}

static enum err put_series(struct wr *w, const struct series *s, int8_t scale, int64_t sent_s)
{
    uint8_t *start;
    int64_t unit;

    if (scale < NATIVE_SCALE_LEAST || scale > NATIVE_SCALE_MOST ||
        (unsigned)s->channel >= CHANNEL_COUNT)
        return ERR_INVALID;
    unit = unit_of(scale);
    if (!series_fits(s, unit) || !time_fits(s->samples[0].at_s))
        return ERR_INVALID;
    start = inner_begin(w, REPORT_SERIES);
    put_uint(w, SERIES_CHANNEL, s->channel);
    put_sint(w, SERIES_SCALE, scale);
    put_sint(w, SERIES_INDEX, s->samples[0].value / unit);
    if (s->samples[0].at_s != sent_s)
        put_fixed32(w, SERIES_AT, (uint32_t)s->samples[0].at_s);
    if (s->count > 1)
        put_uint(w, SERIES_STEP, (uint64_t)(s->samples[0].at_s - s->samples[1].at_s));
    put_back(w, s, unit);
    inner_end(w, start);
    return w->err;
}

static void put_outcome(struct wr *w, const struct outcome *o)
{
    uint8_t *start = inner_begin(w, REPORT_OUTCOMES);

    put_uint(w, OUTCOME_COMMAND, o->command);
    put_uint(w, OUTCOME_RESULT, o->result);
    inner_end(w, start);
}

static void put_head(struct wr *w, const struct frame *f)
{
    if (frame_name(f).len) {
        put_tag(w, REPORT_METER, WIRE_BYTES);
        wr_counted(w, frame_name(f));
    }
    put_uint(w, REPORT_SEQ, f->seq);
    put_fixed32(w, REPORT_SENT, (uint32_t)f->sent_s);
}

static void put_tail(struct wr *w, const struct frame *f)
{
    put_uint(w, REPORT_STATUS, f->status);
    put_uint(w, REPORT_BATTERY, f->battery_mv);
    put_sint(w, REPORT_RSRP, f->rsrp_dbm);
    put_sint(w, REPORT_SNR, f->snr_db);
    put_uint(w, REPORT_CELL, f->cell);
    for (uint32_t i = 0; i < f->outcome_count; i++)
        put_outcome(w, &f->outcomes[i]);
}

enum err native_encode(const struct frame *f, const int8_t *scales, struct wr *out)
{
    uint8_t *start = out->at;
    enum err err = f->sent_s < 0 || f->sent_s > UINT32_MAX ? ERR_INVALID : ERR_OK;

    if (!err)
        put_head(out, f);
    for (uint32_t i = 0; !err && i < f->series_count; i++)
        err = put_series(out, &f->series[i], scales[i], f->sent_s);
    if (!err) {
        put_tail(out, f);
        err = out->err;
    }
    if (err)
        out->at = start;
    return err;
}

/* ---- commands ------------------------------------------------------------------------------- */

/* A member of a oneof is written even where it is 0: its presence is what it says. */
static enum err put_number(struct wr *w, uint32_t field, int64_t v, int64_t most)
{
    if (v < 0 || v > most)
        return ERR_INVALID;
    put_tag(w, field, WIRE_VARINT);
    wr_varint(w, (uint64_t)v);
    return w->err;
}

static enum err put_history(struct wr *w, const struct meter_command *c)
{
    uint8_t *start;

    if (c->value < 0 || c->value > UINT32_MAX || c->until < 0 || c->until > UINT32_MAX)
        return ERR_INVALID;
    start = inner_begin(w, NATIVE_HISTORY);
    put_fixed32(w, HISTORY_FROM, (uint32_t)c->value);
    put_fixed32(w, HISTORY_TO, (uint32_t)c->until);
    inner_end(w, start);
    return w->err;
}

static enum err put_what(struct wr *w, const struct meter_command *c)
{
    switch (c->what) {
    case COMMAND_VALVE:
        return put_number(w, NATIVE_VALVE, c->value, 1);
    case COMMAND_REPORT_EVERY:
        return put_number(w, NATIVE_EVERY, c->value, UINT32_MAX);
    case COMMAND_REPORT_OFFSET:
        return put_number(w, NATIVE_OFFSET, c->value, UINT32_MAX);
    case COMMAND_STEP:
        return put_number(w, NATIVE_STEP, c->value, UINT32_MAX);
    case COMMAND_BASE_INDEX:
        put_tag(w, NATIVE_BASE, WIRE_VARINT);
        wr_zigzag(w, c->value);
        return w->err;
    case COMMAND_HISTORY:
        return put_history(w, c);
    default:
        return ERR_INVALID;
    }
}

static enum err put_command(struct wr *w, const struct meter_command *c)
{
    uint8_t *start = inner_begin(w, COMMANDS_COMMANDS);
    enum err err;

    put_uint(w, NATIVE_ID, c->id);
    put_fixed32(w, NATIVE_EXPIRES, c->expires_s);
    err = put_what(w, c);
    inner_end(w, start);
    return err ? err : w->err;
}

enum err native_encode_commands(const struct meter_command *c, size_t count, uint32_t now_s,
                                struct wr *out)
{
    uint8_t *start = out->at;
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i < count; i++)
        if (c[i].what != COMMAND_TIME) /* `now` says it */
            err = put_command(out, &c[i]);
    if (!err && count) {
        put_fixed32(out, COMMANDS_NOW, now_s);
        err = out->err;
    }
    if (err)
        out->at = start;
    return err;
}

enum err native_command(const struct meter_command *c, struct wr *out)
{
    return c->now_s < 0 || c->now_s > UINT32_MAX
               ? ERR_INVALID
               : native_encode_commands(c, 1, (uint32_t)c->now_s, out);
}
