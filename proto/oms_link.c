#include "proto/oms_link.h"

#include "proto/base/rd.h"
#include "proto/trace.h"

#include <stdio.h>

#define HEAD 10     /* L C M M A6 */
#define BLOCK_A 16  /* format A: bytes between two CRCs, behind the head */
#define FIRST_B 126 /* format B: bytes before the first CRC, where there are two */

/* ---- CRC ---- */

/* clang-format off */
/* What a byte does to the remainder. */
static const uint16_t table[256] = {
    0x0000, 0x3d65, 0x7aca, 0x47af, 0xf594, 0xc8f1, 0x8f5e, 0xb23b, 0xd64d, 0xeb28, 0xac87, 0x91e2, 0x23d9, 0x1ebc,
    0x5913, 0x6476, 0x91ff, 0xac9a, 0xeb35, 0xd650, 0x646b, 0x590e, 0x1ea1, 0x23c4, 0x47b2, 0x7ad7, 0x3d78, 0x001d,
    0xb226, 0x8f43, 0xc8ec, 0xf589, 0x1e9b, 0x23fe, 0x6451, 0x5934, 0xeb0f, 0xd66a, 0x91c5, 0xaca0, 0xc8d6, 0xf5b3,
    0xb21c, 0x8f79, 0x3d42, 0x0027, 0x4788, 0x7aed, 0x8f64, 0xb201, 0xf5ae, 0xc8cb, 0x7af0, 0x4795, 0x003a, 0x3d5f,
    0x5929, 0x644c, 0x23e3, 0x1e86, 0xacbd, 0x91d8, 0xd677, 0xeb12, 0x3d36, 0x0053, 0x47fc, 0x7a99, 0xc8a2, 0xf5c7,
    0xb268, 0x8f0d, 0xeb7b, 0xd61e, 0x91b1, 0xacd4, 0x1eef, 0x238a, 0x6425, 0x5940, 0xacc9, 0x91ac, 0xd603, 0xeb66,
    0x595d, 0x6438, 0x2397, 0x1ef2, 0x7a84, 0x47e1, 0x004e, 0x3d2b, 0x8f10, 0xb275, 0xf5da, 0xc8bf, 0x23ad, 0x1ec8,
    0x5967, 0x6402, 0xd639, 0xeb5c, 0xacf3, 0x9196, 0xf5e0, 0xc885, 0x8f2a, 0xb24f, 0x0074, 0x3d11, 0x7abe, 0x47db,
    0xb252, 0x8f37, 0xc898, 0xf5fd, 0x47c6, 0x7aa3, 0x3d0c, 0x0069, 0x641f, 0x597a, 0x1ed5, 0x23b0, 0x918b, 0xacee,
    0xeb41, 0xd624, 0x7a6c, 0x4709, 0x00a6, 0x3dc3, 0x8ff8, 0xb29d, 0xf532, 0xc857, 0xac21, 0x9144, 0xd6eb, 0xeb8e,
    0x59b5, 0x64d0, 0x237f, 0x1e1a, 0xeb93, 0xd6f6, 0x9159, 0xac3c, 0x1e07, 0x2362, 0x64cd, 0x59a8, 0x3dde, 0x00bb,
    0x4714, 0x7a71, 0xc84a, 0xf52f, 0xb280, 0x8fe5, 0x64f7, 0x5992, 0x1e3d, 0x2358, 0x9163, 0xac06, 0xeba9, 0xd6cc,
    0xb2ba, 0x8fdf, 0xc870, 0xf515, 0x472e, 0x7a4b, 0x3de4, 0x0081, 0xf508, 0xc86d, 0x8fc2, 0xb2a7, 0x009c, 0x3df9,
    0x7a56, 0x4733, 0x2345, 0x1e20, 0x598f, 0x64ea, 0xd6d1, 0xebb4, 0xac1b, 0x917e, 0x475a, 0x7a3f, 0x3d90, 0x00f5,
    0xb2ce, 0x8fab, 0xc804, 0xf561, 0x9117, 0xac72, 0xebdd, 0xd6b8, 0x6483, 0x59e6, 0x1e49, 0x232c, 0xd6a5, 0xebc0,
    0xac6f, 0x910a, 0x2331, 0x1e54, 0x59fb, 0x649e, 0x00e8, 0x3d8d, 0x7a22, 0x4747, 0xf57c, 0xc819, 0x8fb6, 0xb2d3,
    0x59c1, 0x64a4, 0x230b, 0x1e6e, 0xac55, 0x9130, 0xd69f, 0xebfa, 0x8f8c, 0xb2e9, 0xf546, 0xc823, 0x7a18, 0x477d,
    0x00d2, 0x3db7, 0xc83e, 0xf55b, 0xb2f4, 0x8f91, 0x3daa, 0x00cf, 0x4760, 0x7a05, 0x1e73, 0x2316, 0x64b9, 0x59dc,
    0xebe7, 0xd682, 0x912d, 0xac48,
};
/* The same with a zero byte behind: two bytes a step. */
static const uint16_t table_2[256] = {
    0x0000, 0xf4d8, 0xd4d5, 0x200d, 0x94cf, 0x6017, 0x401a, 0xb4c2, 0x14fb, 0xe023, 0xc02e, 0x34f6, 0x8034, 0x74ec,
    0x54e1, 0xa039, 0x29f6, 0xdd2e, 0xfd23, 0x09fb, 0xbd39, 0x49e1, 0x69ec, 0x9d34, 0x3d0d, 0xc9d5, 0xe9d8, 0x1d00,
    0xa9c2, 0x5d1a, 0x7d17, 0x89cf, 0x53ec, 0xa734, 0x8739, 0x73e1, 0xc723, 0x33fb, 0x13f6, 0xe72e, 0x4717, 0xb3cf,
    0x93c2, 0x671a, 0xd3d8, 0x2700, 0x070d, 0xf3d5, 0x7a1a, 0x8ec2, 0xaecf, 0x5a17, 0xeed5, 0x1a0d, 0x3a00, 0xced8,
    0x6ee1, 0x9a39, 0xba34, 0x4eec, 0xfa2e, 0x0ef6, 0x2efb, 0xda23, 0xa7d8, 0x5300, 0x730d, 0x87d5, 0x3317, 0xc7cf,
    0xe7c2, 0x131a, 0xb323, 0x47fb, 0x67f6, 0x932e, 0x27ec, 0xd334, 0xf339, 0x07e1, 0x8e2e, 0x7af6, 0x5afb, 0xae23,
    0x1ae1, 0xee39, 0xce34, 0x3aec, 0x9ad5, 0x6e0d, 0x4e00, 0xbad8, 0x0e1a, 0xfac2, 0xdacf, 0x2e17, 0xf434, 0x00ec,
    0x20e1, 0xd439, 0x60fb, 0x9423, 0xb42e, 0x40f6, 0xe0cf, 0x1417, 0x341a, 0xc0c2, 0x7400, 0x80d8, 0xa0d5, 0x540d,
    0xddc2, 0x291a, 0x0917, 0xfdcf, 0x490d, 0xbdd5, 0x9dd8, 0x6900, 0xc939, 0x3de1, 0x1dec, 0xe934, 0x5df6, 0xa92e,
    0x8923, 0x7dfb, 0x72d5, 0x860d, 0xa600, 0x52d8, 0xe61a, 0x12c2, 0x32cf, 0xc617, 0x662e, 0x92f6, 0xb2fb, 0x4623,
    0xf2e1, 0x0639, 0x2634, 0xd2ec, 0x5b23, 0xaffb, 0x8ff6, 0x7b2e, 0xcfec, 0x3b34, 0x1b39, 0xefe1, 0x4fd8, 0xbb00,
    0x9b0d, 0x6fd5, 0xdb17, 0x2fcf, 0x0fc2, 0xfb1a, 0x2139, 0xd5e1, 0xf5ec, 0x0134, 0xb5f6, 0x412e, 0x6123, 0x95fb,
    0x35c2, 0xc11a, 0xe117, 0x15cf, 0xa10d, 0x55d5, 0x75d8, 0x8100, 0x08cf, 0xfc17, 0xdc1a, 0x28c2, 0x9c00, 0x68d8,
    0x48d5, 0xbc0d, 0x1c34, 0xe8ec, 0xc8e1, 0x3c39, 0x88fb, 0x7c23, 0x5c2e, 0xa8f6, 0xd50d, 0x21d5, 0x01d8, 0xf500,
    0x41c2, 0xb51a, 0x9517, 0x61cf, 0xc1f6, 0x352e, 0x1523, 0xe1fb, 0x5539, 0xa1e1, 0x81ec, 0x7534, 0xfcfb, 0x0823,
    0x282e, 0xdcf6, 0x6834, 0x9cec, 0xbce1, 0x4839, 0xe800, 0x1cd8, 0x3cd5, 0xc80d, 0x7ccf, 0x8817, 0xa81a, 0x5cc2,
    0x86e1, 0x7239, 0x5234, 0xa6ec, 0x122e, 0xe6f6, 0xc6fb, 0x3223, 0x921a, 0x66c2, 0x46cf, 0xb217, 0x06d5, 0xf20d,
    0xd200, 0x26d8, 0xaf17, 0x5bcf, 0x7bc2, 0x8f1a, 0x3bd8, 0xcf00, 0xef0d, 0x1bd5, 0xbbec, 0x4f34, 0x6f39, 0x9be1,
    0x2f23, 0xdbfb, 0xfbf6, 0x0f2e,
};
/* clang-format on */

uint16_t oms_crc(struct span bytes)
{
    uint16_t state = 0;
    size_t i = 0;

    for (; i + 2 <= bytes.len; i += 2)
        state = table_2[state >> 8 ^ bytes.at[i]] ^ table[(state & 0xff) ^ bytes.at[i + 1]];
    if (i < bytes.len)
        state = (uint16_t)(table[state >> 8 ^ bytes.at[i]] ^ state << 8);
    return (uint16_t)~state;
}

/* The last two bytes of `block` are the CRC of those before. */
static bool crc_fits(struct span block)
{
    const uint8_t *end = block.at + block.len - 2;

    return oms_crc(span_of(block.at, block.len - 2)) == (end[0] << 8 | end[1]);
}

/* ---- who sent it ---- */

struct oms_address oms_address_read(struct span m2_a6)
{
    struct rd r = rd_of(m2_a6);
    struct oms_address of;

    of.maker = rd_le16(&r);
    of.id = rd_le32(&r);
    of.version = rd_u8(&r);
    of.type = rd_u8(&r);
    return of;
}

void oms_address_write(const struct oms_address *of, uint8_t out[8])
{
    struct wr w = wr_of(out, 8);

    wr_le16(&w, of->maker);
    wr_le32(&w, of->id);
    wr_u8(&w, of->version);
    wr_u8(&w, of->type);
}

/* Bit 15 tells how far the address is unique; it is not of the letters. */
void oms_maker_text(uint16_t maker, char out[4])
{
    out[0] = (char)(64 + (maker >> 10 & 31));
    out[1] = (char)(64 + (maker >> 5 & 31));
    out[2] = (char)(64 + (maker & 31));
    out[3] = 0;
}

const char *oms_type_text(uint8_t type)
{
    switch (type) {
#define TYPE(number, name)                                                                         \
    case number:                                                                                   \
        return name;
#include "proto/oms_type.def"
#undef TYPE
    default:
        return "";
    }
}

bool oms_of_diehl(uint16_t maker)
{
    static const uint16_t family[] = { OMS_MAKER('D', 'M', 'E'), OMS_MAKER('H', 'Y', 'D'),
                                       OMS_MAKER('S', 'A', 'P'), OMS_MAKER('E', 'W', 'T'),
                                       OMS_MAKER('S', 'P', 'L') };

    for (size_t i = 0; i < sizeof family / sizeof family[0]; i++)
        if (maker == family[i])
            return true;
    return false;
}

static bool three_letters(const char *maker)
{
    for (int i = 0; i < 3; i++)
        if (maker[i] < 'A' || maker[i] > 'Z')
            return false;
    return true;
}

static char *put_hex(char *at, uint32_t v, unsigned digits)
{
    while (digits--)
        *at++ = "0123456789ABCDEF"[v >> 4 * digits & 15];
    return at;
}

enum err oms_names(const struct oms_address *of, struct arena *a, struct frame_names *out)
{
    char maker[4], *text = arena_alloc(a, 32), *end;

    if (!text)
        return ERR_NO_MEMORY;
    oms_maker_text(of->maker, maker);
    memcpy(text, maker, 3);
    text[3] = '-';
    end = put_hex(text + 4, of->id, 8);
    *end++ = '-';
    end = put_hex(end, of->version, 2);
    *end++ = '-';
    end = put_hex(end, of->type, 2);
    out->count = 0;
    if (three_letters(maker)) {
        out->at[out->count++] = span_of(text, (size_t)(end - text));
        out->at[out->count++] = span_of(text, 12);
    }
    out->at[out->count++] = span_of(text + 4, 8);
    return ERR_OK;
}

/* ---- telling the forms apart ---- */

/* Bytes of a telegram in format A that has `plain` without its CRCs. */
static size_t size_in_a(size_t plain)
{
    return plain + 2 + 2 * ((plain - HEAD + BLOCK_A - 1) / BLOCK_A);
}

static bool b_fits(struct span bytes)
{
    if (bytes.len <= FIRST_B + 2)
        return crc_fits(bytes);
    return bytes.len > FIRST_B + 4 && crc_fits(span_of(bytes.at, FIRST_B + 2)) &&
           crc_fits(span_of(bytes.at + FIRST_B + 2, bytes.len - FIRST_B - 2));
}

static bool looks_wired(struct span bytes)
{
    if (bytes.len >= 4 && bytes.at[0] == 0x68 && bytes.at[3] == 0x68 && bytes.at[1] == bytes.at[2])
        return true;
    return (bytes.len == 1 && bytes.at[0] == 0xe5) ||
           (bytes.len == 5 && bytes.at[0] == 0x10 && bytes.at[4] == 0x16);
}

enum oms_form oms_form_of(struct span bytes)
{
    size_t plain = bytes.len ? bytes.at[0] + (size_t)1 : 0;

    if (looks_wired(bytes))
        return OMS_FORM_WIRED;
    if (plain > HEAD && bytes.len == size_in_a(plain))
        return OMS_FORM_A;
    if (plain > HEAD + 2 && bytes.len == plain && b_fits(bytes))
        return OMS_FORM_B;
    return OMS_FORM_BARE;
}

/* ---- wireless ---- */

static enum err check_length(struct span bytes, enum oms_form form, struct refusal *r)
{
    size_t plain = bytes.len ? bytes.at[0] + (size_t)1 : 0;

    if (!bytes.len)
        return refuse(r, ERR_TRUNCATED, 0, "L", "there is no byte at all");
    if (plain <= HEAD)
        return refuse(r, ERR_MALFORMED, 0, "L",
                      "expected a length of 10 or more (C, M, A, CI), found %u", bytes.at[0]);
    if (form == OMS_FORM_A || bytes.len == plain)
        return ERR_OK;
    if (bytes.len < plain)
        return refuse(r, ERR_TRUNCATED, (uint32_t)bytes.len, "L",
                      "the length says %zu bytes, there are %zu", plain, bytes.len);
    return refuse(r, ERR_MALFORMED, 0, "L",
                  "the length says %zu bytes without link CRCs or %zu with them, there are %zu",
                  plain, size_in_a(plain), bytes.len);
}

/* Copies the blocks without their CRCs, of which each has to fit. */
static enum err strip(struct span bytes, size_t first, size_t further, struct arena *a,
                      struct trace *trace, struct span *out, struct refusal *r)
{
    struct rd rd = rd_of(bytes);
    struct wr w = { 0 };
    uint8_t *copy = arena_alloc(a, bytes.len);

    if (!copy)
        return refuse(r, ERR_NO_MEMORY, 0, "", "the arena is full");
    w = wr_of(copy, bytes.len);
    for (size_t most = first; rd_left(&rd) > 2; most = further) {
        size_t len = rd_left(&rd) - 2 < most ? rd_left(&rd) - 2 : most;
        struct span block = rd_bytes(&rd, len);
        uint16_t found = rd_be16(&rd), expected = oms_crc(block);

        if (found != expected)
            return refuse(r, ERR_MALFORMED, (uint32_t)rd_offset(&rd) - 2, "crc",
                          "expected the link CRC %04X, found %04X", expected, found);
        trace_field(trace, span_of(rd.at - 2, 2), "crc", "", "link CRC, fits", "%04X", found);
        wr_bytes(&w, block);
    }
    *out = wr_span(&w);
    trace_layer(trace, "without link CRCs", *out);
    return ERR_OK;
}

static const char *c_text(uint8_t c)
{
    switch (c & 0x4f) {
    case 0x44:
        return "SND-NR: sent unasked";
    case 0x46:
        return "SND-IR: being installed";
    case 0x47:
        return "ACC-NR";
    case 0x48:
        return "ACC-DMD";
    case 0x08:
        return "RSP-UD: an answer";
    default:
        return "";
    }
}

static void tell_address(struct trace *trace, struct span m2_a6, const struct oms_address *of,
                         const char *what)
{
    char maker[4];

    oms_maker_text(of->maker, maker);
    trace_field(trace, m2_a6, what, "", oms_type_text(of->type), "%s %08X version %02X type %02X",
                maker, of->id, of->version, of->type);
}

static enum err wireless(struct span bytes, enum oms_form form, struct arena *a,
                         struct trace *trace, struct oms_telegram *t, struct span *out_layers,
                         struct refusal *r)
{
    struct span plain = bytes;
    enum err err = check_length(bytes, form, r);

    if (!err && form == OMS_FORM_A)
        err = strip(bytes, HEAD, BLOCK_A, a, trace, &plain, r);
    else if (!err && form == OMS_FORM_B)
        err = strip(bytes, FIRST_B, SIZE_MAX, a, trace, &plain, r);
    if (err)
        return err;
    t->telegram = plain;
    t->c = plain.at[1];
    t->link = oms_address_read(span_of(plain.at + 2, 8));
    t->meter = t->link;
    t->has_link = t->has_meter = true;
    *out_layers = span_of(plain.at + HEAD, plain.len - HEAD);
    trace_field(trace, span_of(plain.at, 1), "L", "bytes", "", "%u", plain.at[0]);
    trace_field(trace, span_of(plain.at + 1, 1), "C", "", c_text(t->c), "%02X", t->c);
    tell_address(trace, span_of(plain.at + 2, 8), &t->link, "address");
    return ERR_OK;
}

/* ---- wired ---- */

static enum err check_wired(struct span bytes, struct refusal *r)
{
    size_t len = bytes.len > 1 ? bytes.at[1] : 0;

    if (bytes.at[0] == 0xe5)
        return refuse(r, ERR_UNSUPPORTED, 0, "", "an acknowledgement (E5) bears no data");
    if (bytes.at[0] == 0x10)
        return refuse(r, ERR_UNSUPPORTED, 0, "", "a short frame (10 C A CS 16) bears no data");
    if (len < 3)
        return refuse(r, ERR_MALFORMED, 1, "L",
                      "expected a length of 3 or more (C, A, CI), found %zu", len);
    if (bytes.len < len + 6)
        return refuse(r, ERR_TRUNCATED, (uint32_t)bytes.len, "L",
                      "the length says %zu bytes in all, there are %zu", len + 6, bytes.len);
    if (bytes.len > len + 6)
        return refuse(r, ERR_MALFORMED, (uint32_t)len + 6, "L",
                      "the length says %zu bytes in all, there are %zu", len + 6, bytes.len);
    if (bytes.at[len + 5] != 0x16)
        return refuse(r, ERR_MALFORMED, (uint32_t)len + 5, "stop",
                      "expected 16 at the end, found %02X", bytes.at[len + 5]);
    return ERR_OK;
}

static enum err wired(struct span bytes, struct trace *trace, struct oms_telegram *t,
                      struct span *out_layers, struct refusal *r)
{
    enum err err = check_wired(bytes, r);
    size_t len = err ? 0 : bytes.at[1];
    uint8_t sum = 0;

    if (err)
        return err;
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + bytes.at[4 + i]);
    if (sum != bytes.at[4 + len])
        return refuse(r, ERR_MALFORMED, (uint32_t)len + 4, "sum",
                      "expected the checksum %02X, found %02X", sum, bytes.at[4 + len]);
    t->wired = true;
    t->telegram = bytes;
    t->c = bytes.at[4];
    if (t->c & 0x40)
        return refuse(r, ERR_UNSUPPORTED, 4, "C", "C %02X is sent by a master, not by a meter",
                      t->c);
    *out_layers = span_of(bytes.at + 6, len - 2);
    trace_field(trace, span_of(bytes.at, 4), "L", "bytes", "wired", "%zu", len);
    trace_field(trace, span_of(bytes.at + 4, 1), "C", "", c_text(t->c), "%02X", t->c);
    trace_field(trace, span_of(bytes.at + 5, 1), "A", "", "primary address", "%u", bytes.at[5]);
    trace_field(trace, span_of(bytes.at + 4 + len, 2), "sum", "", "checksum, fits", "%02X", sum);
    return ERR_OK;
}

enum err oms_link_read(struct span bytes, enum oms_form form, struct arena *a, struct trace *trace,
                       struct oms_telegram *t, struct span *out_layers_view, struct refusal *r)
{
    if (form == OMS_FORM_WIRED)
        return wired(bytes, trace, t, out_layers_view, r);
    return wireless(bytes, form, a, trace, t, out_layers_view, r);
}
