/* Any bytes as a SenML pack, in JSON and in CBOR, with and without a listener; and as a CBOR item. */
#include "proto/senml.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/cbor.h"
#include "proto/base/limits.h"
#include "proto/gather.h"
#include "proto/trace.h"

static void must(bool what)
{
    if (!what)
        abort();
}

static struct arena arena;
static uint8_t text[1 << 22];

static void check_frame(const struct frame *f)
{
    must(f->names.count <= 2);
    for (uint32_t i = 0; i < f->names.count; i++)
        must(text_is_serial(f->names.at[i]));
    must(f->series_count <= CHANNEL_COUNT + 1);
    for (uint32_t i = 0; i < f->series_count; i++) {
        const struct series *s = &f->series[i];

        must((unsigned)s->channel < CHANNEL_COUNT || s->channel == CHANNEL_BILLED);
        must(s->count >= 1 && s->count <= GATHER_MOST);
        for (uint32_t k = 0; k < s->count; k++) {
            must(llabs(s->samples[k].value) <= 9200000000000000000);
            must(llabs(s->samples[k].at_s) <= (1ll << 42));
            must(k == 0 || s->samples[k].at_s <= s->samples[k - 1].at_s);
        }
    }
}

static void try_dialect(const struct dialect *d, struct span bytes)
{
    struct dialect_input in = { .bytes = bytes, .arrival_s = 1790000000 };
    struct refusal r = { .err = ERR_OK };
    struct wr w = wr_of(text, sizeof text);
    struct frame f = { 0 };
    enum err err, again;

    arena_clear(&arena);
    err = d->decode(&in, &arena, &f, &r);
    must(err == r.err && (!err || err_of_frame(err)) && r.offset <= bytes.len);
    if (!err || err_class(err) == ERR_CLASS_WAIT)
        check_frame(&f);
    if (!err) {
        again = frame_retime(&f, in.arrival_s, &r);
        must(!again || again == ERR_RANGE);
    }
    arena_clear(&arena);
    again = dialect_explain(d, &in, bytes.len % 2, &arena, &w, NULL);
    must(again == err || again == ERR_FULL);
}

static void try_item(struct span bytes)
{
    struct rd skipped = rd_of(bytes), headed = rd_of(bytes);
    struct cbor c;

    cbor_skip(&skipped);
    must(skipped.at <= skipped.end);
    if (!cbor_next(&headed, &c))
        must(skipped.err != ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = span_of(data, size);

    if (!arena.base)
        must(!arena_init(&arena, LIMIT_DECODE_ARENA));
    try_dialect(&dialect_senml_json, bytes);
    try_dialect(&dialect_senml_cbor, bytes);
    try_item(bytes);
    return 0;
}
