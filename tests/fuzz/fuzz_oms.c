/* M-Bus telegrams: as they come, and made from what the input says, so that layers behind ciphers, MACs and CRCs are reached.
 *
 *   u8 how: bit 7 as it comes: the rest is a telegram
 *      else bits 1..0 form · 3..2 ELL none, I, II, IV · 6..4 mode 0, 5, 7, 2, ELL enciphered, compact, format frame, wrong key
 *   u8 CI of the transport layer (0: 7A) · u8 status · u8 bytes of a format's list · the list · records
 *
 * Whatever it says: an answer within the arena, the same with and without anyone listening; names that are
 * names; values in their bounds; a wrong key never a reading. */
#include "proto/base/limits.h"
#include "proto/gather.h"
#include "proto/oms.h"
#include "proto/oms_encode.h"

#include <stdlib.h>
#include <string.h>

#define ARRIVAL_S 1795651200

static const uint8_t key[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
static const uint8_t other_key[16] = { 16 };
static const uint8_t *its_key;
static struct span list;

static void must(bool what)
{
    if (!what)
        abort();
}

static uint32_t any_meter(void *arg, struct span name)
{
    (void)arg;
    return name.len ? 1 : 0;
}

static unsigned two_keys(void *arg, uint32_t meter, enum key_kind kind, int64_t at_s,
                         struct span out[LORE_KEYS])
{
    (void)arg;
    (void)meter;
    (void)at_s;
    must(kind == KEY_OMS);
    out[0] = span_of(its_key, 16);
    out[1] = span_of(its_key, 8);
    return 2;
}

static bool its_format(void *arg, const struct format_id *id, struct span *out_list)
{
    (void)arg;
    (void)id;
    *out_list = list;
    return list.len > 0;
}

static const struct lore lore = { .meter = any_meter, .keys = two_keys, .format = its_format };

static void check_frame(const struct frame *f, int64_t arrival_s)
{
    struct frame g = *f;
    struct refusal r;
    enum err err;

    must(f->names.count <= FRAME_NAMES);
    for (uint32_t i = 0; i < f->names.count; i++)
        must(text_is_serial(f->names.at[i]));
    must(f->seq_rule == SEQ_RISES || (f->seq_rule == SEQ_REPEATS && f->digest));
    must(f->digest >> 24 == 0 && f->series_count <= CHANNEL_COUNT + 1);
    for (uint32_t i = 0; i < f->series_count; i++)
        must(f->series[i].count > 0 && f->series[i].count <= GATHER_MOST);
    err = frame_retime(&g, arrival_s, &r);
    must(!err || err == ERR_RANGE);
}

static enum err decode(struct span bytes, struct arena *a, struct frame *f)
{
    struct dialect_input in = { .bytes = bytes, .arrival_s = ARRIVAL_S, .lore = &lore };
    struct refusal r = { .err = ERR_OK };
    enum err err;

    memset(f, 0, sizeof *f);
    arena_clear(a);
    err = dialect_oms.decode(&in, a, f, &r);
    must(err == r.err && (!err || err_of_frame(err)));
    must(!err || r.text[0]);
    return err;
}

static enum err judge(struct span bytes)
{
    static struct arena first, second;
    static uint8_t text[1 << 20];
    struct dialect_input in = { .bytes = bytes, .arrival_s = ARRIVAL_S, .lore = &lore };
    struct wr w = wr_of(text, sizeof text);
    struct refusal r = { .err = ERR_OK };
    struct frame f;
    enum err err;

    if (!first.base)
        must(!arena_init(&first, LIMIT_DECODE_ARENA) && !arena_init(&second, LIMIT_DECODE_ARENA));
    err = decode(bytes, &first, &f);
    arena_clear(&second);
    must(dialect_explain(&dialect_oms, &in, bytes.len % 2, &second, &w, &r) == err);
    if (!err)
        check_frame(&f, ARRIVAL_S);
    return err;
}

static struct span exactly(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1); /* so that one byte too far is noticed */

    must(copy != NULL);
    if (len)
        memcpy(copy, bytes, len);
    return span_of(copy, len);
}

static void set_mode(struct oms_writing *of, unsigned what)
{
    static const uint8_t modes[8] = { 0, 5, 7, 2, 0, 0, 0, 7 };
    static uint8_t compact[256 + 4];

    of->mode = modes[what];
    if (what == 4 && of->ell & 1)
        of->session |= 1u << 29;
    if (what == 5 || what == 6) { /* a signature before them, of a compact frame a CRC as well */
        struct wr w = wr_of(compact, sizeof compact);

        of->ci = what == 5 ? 0x79 : 0x69;
        wr_le16(&w, oms_crc(what == 5 ? list : of->records));
        if (what == 5)
            wr_le16(&w, oms_crc(of->records));
        wr_bytes(&w, of->records);
        of->records = w.err ? of->records : wr_span(&w);
    }
}

static void made(const uint8_t *data, size_t size)
{
    static const uint8_t ells[4] = { 0, 0x8c, 0x8d, 0x8f };
    struct oms_writing of = { .form = (enum oms_form)(data[0] & 3),
                              .ell = ells[data[0] >> 2 & 3],
                              .ci = data[1] ? data[1] : 0x7a,
                              .status = data[2],
                              .link = { 0x392c, 0x12345678, 0x1b, 0x16 },
                              .meter = { 0x392c, 0x87654321, 0x1b, 0x07 },
                              .access = 7,
                              .counter = 8,
                              .session = 9,
                              .key = key };
    size_t listed = data[3] < size - 4 ? data[3] : size - 4;
    unsigned what = data[0] >> 4 & 7;
    uint8_t bytes[OMS_TELEGRAM_MOST];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct span telegram;
    enum err err;

    list = span_of(data + 4, listed);
    of.records = span_of(data + 4 + listed, size - 4 - listed);
    set_mode(&of, what);
    if (oms_encode(&of, &w))
        return;
    its_key = what == 7 ? other_key : key;
    telegram = exactly(bytes, wr_len(&w));
    err = judge(telegram);
    if (what == 7 && (of.ci == 0x7a || of.ci == 0x72))
        must(err == ERR_WRONG_KEY || err == ERR_UNSUPPORTED);
    free((void *)telegram.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    its_key = key;
    list = span_of(NULL, 0);
    if (size && data[0] & 0x80) {
        struct span telegram = exactly(data + 1, size - 1);

        (void)judge(telegram);
        free((void *)telegram.at);
    } else if (size >= 4) {
        made(data, size);
    }
    return 0;
}
