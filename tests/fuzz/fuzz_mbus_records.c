/* Data records of M-Bus, in the clear: whatever the bytes, an answer within the memory, values within their range, the same with
 * somebody listening; and what a frame teaches expands its own data again.
 *
 * The first byte says which content the rest is: records, or a compact frame whose format is the part before the first 00. */
#include "proto/base/limits.h"
#include "proto/oms_compact.h"
#include "proto/oms_frame.h"
#include "proto/trace.h"

#include <stdlib.h>
#include <string.h>

static void must(bool what)
{
    if (!what)
        abort();
}

static struct span list;

static bool known(void *arg, const struct format_id *id, struct span *out_list_view)
{
    (void)arg;
    (void)id;
    *out_list_view = list;
    return list.len > 0;
}

static const struct lore lore = { .format = known };

static void check_frame(const struct frame *f, const struct frame *again)
{
    must(f->series_count == again->series_count && f->sent_s == again->sent_s);
    must(f->battery_mv == again->battery_mv && f->has_format == again->has_format);
    for (uint32_t i = 0; i < f->series_count; i++) {
        const struct series *s = &f->series[i];

        must((unsigned)s->channel < CHANNEL_COUNT || s->channel == CHANNEL_BILLED);
        must(s->count >= 1 && s->count == again->series[i].count);
        for (uint32_t k = 0; k < s->count; k++) {
            must(k == 0 || s->samples[k - 1].at_s >= s->samples[k].at_s);
            must(s->samples[k].value == again->series[i].samples[k].value);
            must(s->samples[k].at_s == again->series[i].samples[k].at_s);
        }
    }
}

/* The heads and the data of what was read, apart and together again. */
static void check_again(const struct oms_telegram *t, const struct frame *f, struct arena *a)
{
    struct rd rd = rd_of(t->records);
    struct oms_telegram compact = *t;
    uint8_t *data = malloc(t->records.len + 1), *whole = malloc(t->records.len + 1);
    size_t data_len = 0, whole_len = 0;
    struct span full;

    must(data && whole);
    while (rd_left(&rd)) {
        struct oms_value v;

        must(!oms_record_read(&rd, &v, NULL));
        if (v.kind == OMS_IS_FILLER)
            continue;
        memcpy(whole + whole_len, v.raw.at, v.raw.len);
        whole_len += v.raw.len;
        memcpy(data + data_len, v.raw.at + v.head, v.raw.len - v.head);
        data_len += v.raw.len - v.head;
    }
    compact.records = span_of(data, data_len);
    compact.full_crc = oms_crc(span_of(whole, whole_len));
    must(oms_crc(f->format_list) == f->format.signature);
    must(!oms_expand(&compact, f->format_list, a, &full, NULL));
    must(span_equal(full, span_of(whole, whole_len)));
    free(data);
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t text[1 << 20];
    static struct arena first, second;
    struct wr w = wr_of(text, sizeof text);
    struct trace trace = { .out = &w, .json = size % 2 };
    struct dialect_input in = { .arrival_s = 1795651200, .lore = &lore };
    struct oms_telegram t = { .has_meter = true, .content = OMS_RECORDS };
    struct refusal r = { .err = ERR_OK };
    struct frame f = { 0 }, again = { 0 };
    enum err err;

    if (!first.base)
        must(!arena_init(&first, LIMIT_DECODE_ARENA) && !arena_init(&second, LIMIT_DECODE_ARENA));
    if (size == 0 || size > 2000)
        return 0;
    arena_clear(&first);
    arena_clear(&second);
    t.records = span_of(data + 1, size - 1);
    list = span_of(NULL, 0);
    if (data[0] & 1) {
        const uint8_t *end = size > 1 ? memchr(data + 1, 0, size - 1) : NULL;

        if (!end)
            return 0;
        t.content = OMS_COMPACT;
        list = span_of(data + 1, (size_t)(end - data - 1));
        t.records = span_of(end + 1, (size_t)(data + size - end - 1));
        t.full_crc = (uint16_t)(data[0] << 8);
    }
    err = oms_records(&in, &t, &first, &f, &r);
    must(err == r.err && err != ERR_NO_MEMORY);
    in.trace = &trace;
    trace.bytes = t.records;
    must(oms_records(&in, &t, &second, &again, NULL) == err);
    if (err)
        return 0;
    check_frame(&f, &again);
    if (f.has_format)
        check_again(&t, &f, &second);
    return 0;
}
