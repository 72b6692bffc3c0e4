#include "proto/oms_layers.h"

#include "proto/base/crc.h"
#include "proto/base/rd.h"
#include "proto/oms_open.h"
#include "proto/trace.h"

struct peel {
    const struct dialect_input *in;
    struct arena *arena;
    struct oms_telegram *t;
    struct frame *out;
    struct refusal *why;
    struct rd rd;   /* over the layers at hand */
    uint32_t base;  /* where these begin in the telegram */
    uint8_t access; /* of the ELL */
    struct oms_afl afl;
    bool has_ell;
};

static uint32_t offset(const struct peel *p)
{
    return p->base + (uint32_t)rd_offset(&p->rd);
}

static enum err cut_short(struct peel *p, const char *layer)
{
    return refuse(p->why, ERR_TRUNCATED, offset(p), layer, "ends within its %s", layer);
}

static enum err name_meter(struct peel *p, const struct oms_address *of)
{
    enum err err = oms_names(of, p->arena, &p->out->names);

    return err ? refuse(p->why, err, 0, "", "the arena is full") : ERR_OK;
}

static struct oms_open opener(struct peel *p)
{
    return (struct oms_open){ .in = p->in,
                              .arena = p->arena,
                              .names = &p->out->names,
                              .t = p->t,
                              .why = p->why,
                              .offset = offset(p) };
}

/* The `len` bytes just read, for the trace. */
static struct span just(const struct peel *p, size_t len)
{
    return span_of(p->rd.at - len, len);
}

/* ---- what tells two telegrams apart ---- */

/* The length field is left out: format B counts its CRCs in it. */
static void tell_repeats(struct peel *p)
{
    const struct span whole = p->t->telegram;
    uint32_t digest = crc32c(0, whole.at + 1, whole.len - 1) & 0xffffff;

    p->out->digest = digest ? digest : 1;
    p->out->seq_rule = SEQ_REPEATS;
    if (p->t->has_session)
        p->out->seq = p->t->session;
    else
        p->out->seq = p->t->has_header ? p->t->access : p->access;
}

/* ---- ELL ---- */

static void tell_ell(struct peel *p, uint8_t cc)
{
    struct trace *trace = p->in->trace;
    const uint8_t *at = p->rd.at - 2;

    trace_field(trace, span_of(at, 1), "ell.cc", "",
                cc & 0x10 ? "relayed" : (cc & 0x80 ? "listens for an answer" : ""), "%02X", cc);
    trace_field(trace, span_of(at + 1, 1), "ell.acc", "", "access number", "%u", p->access);
}

/* The receiver is a gateway's address; it says nothing of the meter. */
static void pass_receiver(struct peel *p)
{
    struct span m2_a6 = rd_bytes(&p->rd, 8);
    struct oms_address to;

    if (!m2_a6.at)
        return;
    to = oms_address_read(m2_a6);
    trace_field(p->in->trace, m2_a6, "ell.receiver", "", "", "%08X", to.id);
}

static enum err session(struct peel *p, uint8_t cc)
{
    struct oms_open open;
    struct span clear;
    enum err err;

    p->t->session = rd_le32(&p->rd);
    if (p->rd.err)
        return cut_short(p, "ell");
    p->t->has_session = true;
    trace_field(p->in->trace, just(p, 4), "ell.sn", "", "session number", "%08X", p->t->session);
    tell_repeats(p);
    open = opener(p);
    err = oms_open_session(&open, cc, span_of(p->rd.at, rd_left(&p->rd)), &clear);
    if (err)
        return err;
    p->base = offset(p) + 2;
    p->rd = rd_of(clear);
    return ERR_OK;
}

static enum err ell(struct peel *p, uint8_t ci)
{
    uint8_t cc = rd_u8(&p->rd);

    if (p->has_ell || p->afl.has)
        return refuse(p->why, ERR_MALFORMED, offset(p) - 2, "CI",
                      "an extended link layer (CI %02X) stands behind another layer", ci);
    p->has_ell = true;
    p->access = rd_u8(&p->rd);
    if (p->rd.err)
        return cut_short(p, "ell");
    tell_ell(p, cc);
    if (ci >= 0x8e)
        pass_receiver(p);
    if (p->rd.err)
        return cut_short(p, "ell");
    return ci & 1 ? session(p, cc) : ERR_OK;
}

/* ---- AFL ---- */

enum {
    FCL_ID = 0x00ff,
    FCL_KI = 0x0200,
    FCL_MAC = 0x0400,
    FCL_COUNTER = 0x0800,
    FCL_LENGTH = 0x1000,
    FCL_MCL = 0x2000,
    FCL_MORE = 0x4000
};

/* Bytes of a MAC by the low bits of MCL; 0: none that is known. */
static size_t mac_len(uint8_t mcl)
{
    static const uint8_t of[16] = { [3] = 2, [4] = 4, [5] = 8, [6] = 12, [7] = 16, [8] = 12 };

    return of[mcl & 15];
}

/* Each field that FCL says stands there; what we have no use for is told and passed over. */
static void afl_fields(struct rd *rd, uint16_t fcl, struct oms_afl *out, struct trace *trace)
{
    struct span raw;

    if (fcl & FCL_MCL) {
        struct rd mcl = rd_of(raw = rd_bytes(rd, 1));

        out->mcl = rd_u8(&mcl);
        out->has_mcl = true;
        trace_field(trace, raw, "afl.mcl", "", "", "%02X", out->mcl);
    }
    if (fcl & FCL_KI) {
        raw = rd_bytes(rd, 2);
        trace_field(trace, raw, "afl.ki", "", "which key", "%zu bytes", raw.len);
    }
    if (fcl & FCL_COUNTER) {
        struct rd counter = rd_of(raw = rd_bytes(rd, 4));

        out->counter = rd_le32(&counter);
        out->has_counter = true;
        trace_field(trace, raw, "afl.counter", "", "message counter", "%u", out->counter);
    }
    if (fcl & FCL_MAC) {
        out->mac = rd_bytes(rd, mac_len(out->mcl));
        out->has_mac = true;
        trace_field(trace, out->mac, "afl.mac", "", "", "%zu bytes", out->mac.len);
    }
    if (fcl & FCL_LENGTH) {
        struct rd length = rd_of(raw = rd_bytes(rd, 2));

        out->length = rd_le16(&length);
        out->has_length = true;
        trace_field(trace, raw, "afl.ml", "bytes", "of the message", "%u", out->length);
    }
}

static enum err afl(struct peel *p)
{
    uint32_t at = offset(p) - 1;
    struct span fields = rd_bytes(&p->rd, rd_u8(&p->rd));
    struct rd rd = rd_of(fields);
    uint16_t fcl = rd_le16(&rd);

    if (p->afl.has)
        return refuse(p->why, ERR_MALFORMED, at, "CI", "a second AFL");
    if (p->rd.err)
        return cut_short(p, "afl");
    if (!rd.err && (fcl & FCL_MORE || (fcl & FCL_ID) > 1))
        return refuse(p->why, ERR_UNSUPPORTED, at + 2, "afl.fcl",
                      "a fragment (%u%s) of a longer message; fragments are not put together",
                      fcl & FCL_ID, fcl & FCL_MORE ? ", more follow" : ", the last");
    if (!rd.err && fcl & FCL_MAC && !(fcl & FCL_MCL))
        return refuse(p->why, ERR_MALFORMED, at + 2, "afl.fcl",
                      "a MAC without the field MCL that tells its length");
    p->afl.has = true;
    p->afl.at = at + 2;
    trace_field(p->in->trace, span_of(fields.at - 1, 1), "afl.len", "bytes", "", "%zu", fields.len);
    trace_field(p->in->trace, span_of(fields.at, fields.len < 2 ? fields.len : 2), "afl.fcl", "",
                "", "%04X", fcl);
    afl_fields(&rd, fcl, &p->afl, p->in->trace);
    if (rd.err || rd_left(&rd))
        return refuse(p->why, ERR_MALFORMED, at + 1, "afl.len",
                      "its fields (FCL %04X) take %s than the %zu bytes of its length", fcl,
                      rd.err ? "more" : "less", fields.len);
    p->afl.covered = span_of(p->rd.at, rd_left(&p->rd));
    p->t->has_counter = p->afl.has_counter;
    p->t->counter = p->afl.counter;
    return ERR_OK;
}

/* ---- TPL ---- */

enum header { NONE, SHORT, LONG };
enum { REFUSED = 255 };

struct ci_kind {
    uint8_t first, last, header, content;
    const char *name;
};

static const struct ci_kind ci_kinds[] = {
#define CI(first, last, header, content, name) { first, last, header, content, name },
#include "proto/oms_ci.def"
#undef CI
};

static const struct ci_kind *ci_find(uint8_t ci)
{
    for (size_t i = 0; i < sizeof ci_kinds / sizeof ci_kinds[0]; i++)
        if (ci >= ci_kinds[i].first && ci <= ci_kinds[i].last)
            return &ci_kinds[i];
    return NULL;
}

bool oms_ci_has_header(uint8_t ci)
{
    const struct ci_kind *kind = ci_find(ci);

    return kind && kind->header != NONE;
}

bool oms_ci_is_long(uint8_t ci)
{
    const struct ci_kind *kind = ci_find(ci);

    return kind && kind->header == LONG;
}

static unsigned mode_of(uint16_t config)
{
    return config >> 8 & 31;
}

/* Makers of the Diehl family send version and type before the number, where the telegram is their own: known by CI A0 to A7 (but for
 * SAP's), B1 to B3, 71, and by a security mode of 16 and more. */
static bool is_turned(const struct oms_telegram *t)
{
    const bool sap = t->link.maker == OMS_MAKER('S', 'A', 'P');

    if (!oms_of_diehl(t->link.maker))
        return false;
    return (t->ci >= 0xa0 && t->ci <= 0xa7 && !sap) || (t->ci >= 0xb1 && t->ci <= 0xb3) ||
           t->ci == 0x71 || (t->ci == 0x7a && mode_of(t->config) >= 16);
}

static void turn_address(struct oms_telegram *t)
{
    uint8_t raw[8], turned[8];

    oms_address_write(&t->link, raw);
    memcpy(turned, raw, 2);
    memcpy(turned + 2, raw + 4, 4);
    memcpy(turned + 6, raw + 2, 2);
    t->link = t->meter = oms_address_read(span_of(turned, 8));
}

static void take_status(struct peel *p)
{
    const uint8_t status = p->t->status;

    p->out->status |= (uint32_t)status << STATUS_RAW_SHIFT;
    if (status & 0x04)
        p->out->status |= STATUS_BATTERY_LOW;
    if (status & 0x08)
        p->out->status |= STATUS_SENSOR_FAULT;
}

static const char *status_text(uint8_t status)
{
    static const char *const application[4] = { "", "busy", "application error", "alarm" };

    if (status & 0x08)
        return "permanent error";
    if (status & 0x04)
        return "power low";
    if (status & 0x10)
        return "temporary error";
    return application[status & 3];
}

static void read_meter(struct peel *p)
{
    struct span a8 = rd_bytes(&p->rd, 8);
    struct rd rd = rd_of(a8);
    char maker[4];

    if (!a8.at)
        return;
    p->t->meter.id = rd_le32(&rd);
    p->t->meter.maker = rd_le16(&rd);
    p->t->meter.version = rd_u8(&rd);
    p->t->meter.type = rd_u8(&rd);
    p->t->has_meter = true;
    oms_maker_text(p->t->meter.maker, maker);
    trace_field(p->in->trace, a8, "tpl.meter", "", oms_type_text(p->t->meter.type),
                "%s %08X version %02X type %02X", maker, p->t->meter.id, p->t->meter.version,
                p->t->meter.type);
}

static void read_header(struct peel *p)
{
    struct trace *trace = p->in->trace;
    const uint8_t *at = p->rd.at;

    p->t->access = rd_u8(&p->rd);
    p->t->status = rd_u8(&p->rd);
    p->t->config = rd_le16(&p->rd);
    if (p->rd.err)
        return;
    p->t->has_header = true;
    take_status(p);
    trace_field(trace, span_of(at, 1), "tpl.acc", "", "access number", "%u", p->t->access);
    trace_field(trace, span_of(at + 1, 1), "tpl.sts", "", status_text(p->t->status), "%02X",
                p->t->status);
    trace_field(trace, span_of(at + 2, 2), "tpl.cf", "", "", "mode %u, %u blocks",
                mode_of(p->t->config), p->t->config >> 4 & 15);
}

/* What stands before the data of a compact frame; of a format frame the signature proves its list. */
static enum err read_signature(struct peel *p)
{
    struct oms_telegram *t = p->t;
    struct rd rd = rd_of(t->records);

    t->signature = rd_le16(&rd);
    if (t->content == OMS_COMPACT)
        t->full_crc = rd_le16(&rd);
    if (rd.err)
        return refuse(p->why, ERR_TRUNCATED, t->records_at + (uint32_t)t->records.len, "signature",
                      "ends within the format's signature and CRC");
    trace_field(p->in->trace, span_of(rd.start, 2), "signature", "", "of the format", "%04X",
                t->signature);
    if (t->content == OMS_COMPACT)
        trace_field(p->in->trace, span_of(rd.start + 2, 2), "full_crc", "", "of the full frame",
                    "%04X", t->full_crc);
    t->records_at += (uint32_t)rd_offset(&rd);
    t->records = span_of(rd.at, rd_left(&rd));
    return ERR_OK;
}

/* Fillers behind the list, up to a whole block of the cipher, are not of it. */
static enum err check_list(struct peel *p)
{
    struct span *list = &p->t->records;

    while (list->len && oms_crc(*list) != p->t->signature && list->at[list->len - 1] == 0x2f)
        list->len--;
    if (!list->len || oms_crc(*list) != p->t->signature)
        return refuse(p->why, ERR_MALFORMED, p->t->records_at, "signature",
                      "the list's CRC is not the signature %04X", p->t->signature);
    return ERR_OK;
}

static enum err tpl_body(struct peel *p)
{
    struct span body = span_of(p->rd.at, rd_left(&p->rd));
    struct oms_open open = opener(p);
    enum err err = oms_authenticate(&open, &p->afl);

    p->t->records = body;
    p->t->records_at = offset(p);
    if (err || p->t->content == OMS_NOTHING || p->t->content == OMS_LAYOUT)
        return err;
    if (p->t->has_header && (err = oms_open_records(&open, &p->afl, body)))
        return err;
    if (p->t->content == OMS_COMPACT || p->t->content == OMS_FORMAT)
        err = read_signature(p);
    return err || p->t->content != OMS_FORMAT ? err : check_list(p);
}

static enum err tpl(struct peel *p, uint8_t ci)
{
    const struct ci_kind *kind = ci_find(ci);
    enum err err;

    if (!kind || kind->content == REFUSED)
        return refuse(p->why, ERR_UNSUPPORTED, offset(p) - 1, "CI", "CI %02X is %s", ci,
                      kind ? kind->name : "none that EN 13757-7 gives a meaning");
    trace_field(p->in->trace, just(p, 1), "CI", "", kind->name, "%02X", ci);
    p->t->ci = ci;
    p->t->content = (enum oms_content)kind->content;
    if (kind->header == LONG)
        read_meter(p);
    if (kind->header != NONE)
        read_header(p);
    if (p->rd.err)
        return cut_short(p, "tpl");
    if (p->t->has_link && kind->header != LONG && is_turned(p->t))
        turn_address(p->t);
    if (p->t->has_meter && (err = name_meter(p, &p->t->meter)))
        return err;
    tell_repeats(p);
    return tpl_body(p);
}

static enum err layers(struct peel *p)
{
    enum err err = ERR_OK;

    while (!err) {
        uint8_t ci = rd_u8(&p->rd);

        if (p->rd.err)
            return refuse(p->why, ERR_TRUNCATED, offset(p), "CI",
                          "ends where a CI field should stand");
        if ((ci < 0x8c || ci > 0x8f) && ci != 0x90)
            return tpl(p, ci);
        trace_field(p->in->trace, just(p, 1), "CI", "",
                    ci == 0x90 ? "authentication and fragmentation" : "extended link layer", "%02X",
                    ci);
        err = ci == 0x90 ? afl(p) : ell(p, ci);
    }
    return err;
}

enum err oms_layers_read(const struct dialect_input *in, struct span bytes, struct arena *a,
                         struct oms_telegram *t, struct frame *out, struct refusal *r)
{
    struct peel p = { .in = in,
                      .arena = a,
                      .t = t,
                      .out = out,
                      .why = r,
                      .rd = rd_of(bytes),
                      .base = (uint32_t)(bytes.at - t->telegram.at) };
    enum err err = t->has_meter ? name_meter(&p, &t->meter) : ERR_OK;

    tell_repeats(&p);
    if (!err)
        err = layers(&p);
    if (!err && t->mac_good) {
        out->seq = t->counter;
        out->seq_rule = SEQ_RISES;
        out->key_mark = t->key_mark;
    }
    return err;
}
