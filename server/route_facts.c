/* The bytes of a route's facts; numbers are varints, times and volumes zigzag, texts counted.
 *
 *   ROUTE_SIGNED    u8 1 · at · who · note · points · ok · missing · odd · disputed · 32 digest
 *   ROUTE_LINE      u8 state · u8 reason · u8 flags (1 remote, 2 manual, 4 use, 8 what checks rested on) · those known: at, dial; at,
 *                   dial; use; as checks_told_write has them (server/billing/rules.h) · serial · remark
 *   ROUTE_DISPUTE   u8 1 · at · who · note · resolved (0: open) · by · resolution
 *   ROUTE_RECHECK   u8 level · at · index · who · note · u8 agrees */
#include "server/route_facts.h"

#include "proto/base/rd.h"
#include "proto/base/wr.h"

#define FORM 1
#define LINE_REMOTE 1u
#define LINE_MANUAL 2u
#define LINE_USE 4u
#define LINE_TOLD 8u

static enum err read_end(const struct rd *r)
{
    return r->err || rd_left(r) ? ERR_CORRUPT : ERR_OK;
}

/* ---- sign-off ---- */

void route_signed_write(struct wr *w, const struct route_signed *f)
{
    wr_u8(w, FORM);
    wr_zigzag(w, f->at_s);
    wr_counted(w, f->who);
    wr_counted(w, f->note);
    wr_varint(w, f->points);
    for (int s = 0; s < SHEET_SIGNED; s++)
        wr_varint(w, f->by_state[s]);
    wr_bytes(w, span_of(f->digest, sizeof f->digest));
}

enum err route_signed_read(struct span bytes, struct route_signed *out)
{
    struct rd r = rd_of(bytes);
    struct route_signed f;
    struct span digest;

    if (rd_u8(&r) != FORM)
        rd_fail(&r, ERR_CORRUPT);
    f.at_s = rd_zigzag(&r);
    f.who = rd_counted(&r);
    f.note = rd_counted(&r);
    f.points = rd_varint(&r);
    for (int s = 0; s < SHEET_SIGNED; s++)
        f.by_state[s] = rd_varint(&r);
    digest = rd_bytes(&r, sizeof f.digest);
    if (read_end(&r))
        return ERR_CORRUPT;
    memcpy(f.digest, digest.at, sizeof f.digest);
    *out = f;
    return ERR_OK;
}

/* ---- lines ---- */

void route_line_write(struct wr *w, const struct route_line *f)
{
    wr_u8(w, (uint8_t)f->state);
    wr_u8(w, (uint8_t)f->reason);
    wr_u8(w, (uint8_t)((f->remote.known ? LINE_REMOTE : 0) | (f->manual.known ? LINE_MANUAL : 0) |
                       (f->use_known ? LINE_USE : 0) | (f->told_of ? LINE_TOLD : 0)));
    if (f->remote.known) {
        wr_zigzag(w, f->remote.at_s);
        wr_zigzag(w, f->remote.dial_ml);
    }
    if (f->manual.known) {
        wr_zigzag(w, f->manual.at_s);
        wr_zigzag(w, f->manual.dial_ml);
    }
    if (f->use_known)
        wr_zigzag(w, f->use_ml);
    if (f->told_of)
        checks_told_write(w, f->told_of, f->told);
    wr_counted(w, f->serial);
    wr_counted(w, f->remark);
}

static struct sheet_read read_read(struct rd *r, bool known)
{
    struct sheet_read read = { .known = known };

    if (known) {
        read.at_s = rd_zigzag(r);
        read.dial_ml = rd_zigzag(r);
    }
    return read;
}

enum err route_line_read(struct span bytes, struct route_line *out)
{
    struct rd r = rd_of(bytes);
    struct route_line f = { 0 };
    unsigned state = rd_u8(&r), reason = rd_u8(&r), flags = rd_u8(&r);

    f.state = (enum sheet_state)state;
    f.reason = (enum sheet_reason)reason;
    f.remote = read_read(&r, flags & LINE_REMOTE);
    f.manual = read_read(&r, flags & LINE_MANUAL);
    f.use_known = flags & LINE_USE;
    if (f.use_known)
        f.use_ml = rd_zigzag(&r);
    if (flags & LINE_TOLD)
        f.told_of = checks_told_read(&r, f.told);
    f.serial = rd_counted(&r);
    f.remark = rd_counted(&r);
    if (read_end(&r) || state >= SHEET_SIGNED || reason >= SHEET_REASONS)
        return ERR_CORRUPT;
    *out = f;
    return ERR_OK;
}

/* ---- disputes ---- */

void route_dispute_write(struct wr *w, const struct route_dispute *f)
{
    wr_u8(w, FORM);
    wr_zigzag(w, f->at_s);
    wr_counted(w, f->who);
    wr_counted(w, f->note);
    wr_zigzag(w, f->resolved_s);
    wr_counted(w, f->resolved_by);
    wr_counted(w, f->resolution);
}

enum err route_dispute_read(struct span bytes, struct route_dispute *out)
{
    struct rd r = rd_of(bytes);
    struct route_dispute f;

    if (rd_u8(&r) != FORM)
        rd_fail(&r, ERR_CORRUPT);
    f.at_s = rd_zigzag(&r);
    f.who = rd_counted(&r);
    f.note = rd_counted(&r);
    f.resolved_s = rd_zigzag(&r);
    f.resolved_by = rd_counted(&r);
    f.resolution = rd_counted(&r);
    if (read_end(&r))
        return ERR_CORRUPT;
    *out = f;
    return ERR_OK;
}

/* ---- re-reads ---- */

void route_recheck_write(struct wr *w, const struct route_recheck *f)
{
    wr_u8(w, (uint8_t)f->level);
    wr_zigzag(w, f->at_s);
    wr_zigzag(w, f->index_ml);
    wr_counted(w, f->who);
    wr_counted(w, f->note);
    wr_u8(w, f->agrees);
}

enum err route_recheck_read(struct span bytes, struct route_recheck *out)
{
    struct rd r = rd_of(bytes);
    struct route_recheck f;
    unsigned level = rd_u8(&r), agrees;

    f.level = (enum recheck_level)level;
    f.at_s = rd_zigzag(&r);
    f.index_ml = rd_zigzag(&r);
    f.who = rd_counted(&r);
    f.note = rd_counted(&r);
    agrees = rd_u8(&r);
    f.agrees = agrees == 1;
    if (read_end(&r) || level >= RECHECK_LEVELS || agrees > 1)
        return ERR_CORRUPT;
    *out = f;
    return ERR_OK;
}
