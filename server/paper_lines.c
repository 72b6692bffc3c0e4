#include "server/paper_lines.h"

#include "proto/base/rd.h"
#include "server/fleet/life.h"
#include "server/stock.h"

static const char *const what_names[LINE_WHATS] = {
    [LINE_DONE] = "done",
    [LINE_MISSING] = "missing",
    [LINE_SURPLUS] = "surplus",
    [LINE_UNKNOWN] = "unknown",
    [LINE_OTHER_BATCH] = "other-batch",
    [LINE_OTHER_MODEL] = "other-model",
    [LINE_OTHER_STATE] = "other-state",
    [LINE_PASS] = "pass",
    [LINE_FAIL] = "fail",
};

const char *line_what_name(enum line_what what)
{
    return what_names[what];
}

/* ---- where meters were ---- */

static void hold(struct paper_line *l, char kind, struct span name)
{
    l->holder_kind = kind;
    text_cut(l->holder, sizeof l->holder, name);
}

void line_of_life(struct txn *t, const struct meter_life *life, int64_t at_s,
                  struct paper_line *line)
{
    struct ledger_row point;
    struct life was;

    life_fold(&life->rules, life->events, life->count, at_s, INT64_MAX, &was);
    line->meter = life->meter;
    line->state = was.state;
    hold(line, 0, span_of(NULL, 0));
    if (was.state == LIFE_ISSUED)
        hold(line, 'c', was.crew);
    else if (life_is_fitted(was.state) && ledger_by_id(t, LIST_POINT, was.point, INT64_MAX, &point))
        hold(line, 'p', point.cells[0]);
    else if (STOCK_STATES >> was.state & 1 && (was.depot.len || life->depot[0]))
        hold(line, 'd', was.depot.len ? was.depot : span_text(life->depot));
}

/* What was counted although the register has it elsewhere: the event that brings it into a store. */
static const char *brought_by(enum life_state state)
{
    switch (state) {
    case LIFE_NONE:
    case LIFE_ORDERED:
        return "receive";
    case LIFE_ISSUED:
        return "return";
    case LIFE_RUNNING:
    case LIFE_SUSPENDED:
    case LIFE_FAULTY:
        return "remove";
    case LIFE_VERIFIED:
    case LIFE_AT_LAB:
        return "stock";
    case LIFE_LOST:
        return "find";
    default:
        return NULL; /* it lies in another store: no event moves it */
    }
}

const char *line_settled_by(const struct paper_line *l)
{
    if (l->what == LINE_MISSING)
        return "lose";
    return l->what == LINE_SURPLUS ? brought_by(l->state) : NULL;
}

/* ---- as people see them ---- */

void line_put(struct out *o, const struct paper_line *l)
{
    const char *holder = l->holder_kind == 'c' ? "crew" : l->holder_kind == 'd' ? "depot" : "point";

    out_text(o, "{");
    out_member_span(o, "serial", l->serial);
    out_member_text(o, "what", line_what_name(l->what));
    out_member_text(o, "state", l->meter ? life_state_name(l->state) : NULL);
    if (l->holder[0])
        out_member_text(o, holder, l->holder);
    if (line_settled_by(l))
        out_member_text(o, "settled_by", line_settled_by(l));
    out_text(o, "}");
}

static void put_lines(struct out *o, struct txn *t, struct span paper)
{
    struct line_walk w = paper_lines(t, paper, span_of(NULL, 0));
    unsigned shown = 0;
    bool more;

    out_key(o, "lines");
    out_text(o, "[");
    while ((more = line_next(&w)) && shown < PAPER_LINES_SHOWN) {
        if (shown++)
            out_text(o, ",");
        line_put(o, &w.line);
    }
    line_done(&w);
    out_text(o, "]");
    out_member_bool(o, "more", more);
}

void paper_put(struct out *o, struct txn *t, const struct ledger_row *row)
{
    static const unsigned texts[] = { CELL_PAPER_kind,  CELL_PAPER_number, CELL_PAPER_at,
                                      CELL_PAPER_batch, CELL_PAPER_depot,  CELL_PAPER_crew,
                                      CELL_PAPER_note };
    struct span facts = ledger_cell(row, CELL_PAPER_facts),
                meters = ledger_cell(row, CELL_PAPER_meters);
    char name[PAPER_NAME_MAX + 1] = "";

    if (row->cells[0].len <= PAPER_NAME_MAX)
        memcpy(name, row->cells[0].at, row->cells[0].len);
    out_member_text(o, "paper", name);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        out_member_span(o, list_of(LIST_PAPER)->column[texts[i]].name, ledger_cell(row, texts[i]));
    out_key(o, "meters");
    out_bytes(o, meters.len ? (const char *)meters.at : "0", meters.len ? meters.len : 1);
    if (facts.len > 2 && facts.at[0] == '{') { /* figures of our own: their members follow */
        out_text(o, ",");
        out_bytes(o, facts.at + 1, facts.len - 2);
    }
    put_lines(o, t, span_text(name));
}

/* ---- on disk ---- */

static struct key lines_of(struct span paper)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, 'l');
    key_text(&k, paper);
    return k;
}

void act_put_line(struct act *a, struct span paper, const struct paper_line *l)
{
    struct key k = lines_of(paper);

    key_text(&k, l->serial);
    key_u8(&k, (uint8_t)l->what);
    key_u8(&k, (uint8_t)l->state);
    key_u8(&k, (uint8_t)l->holder_kind);
    key_text(&k, span_text(l->holder));
    act_index_put(a, INDEX_PAPERS, key_span(&k), l->meter);
}

struct line_walk paper_lines(struct txn *t, struct span paper, struct span after)
{
    struct line_walk w = { 0 };
    struct key prefix = lines_of(paper), from = prefix;

    w.prefix = prefix.len;
    if (after.len) {
        key_text(&from, after);
        key_u8(&from, 0xff); /* behind all lines of that serial */
    }
    w.walk = ledger_index_walk(t, INDEX_PAPERS, key_span(&prefix),
                               after.len ? key_span(&from) : span_of(NULL, 0));
    return w;
}

bool line_next(struct line_walk *w)
{
    const uint8_t *end;
    struct rd r;

    if (!index_next(&w->walk))
        return false;
    r = rd_of(span_of(w->walk.key.at + w->prefix, w->walk.key.len - w->prefix));
    end = rd_left(&r) ? (const uint8_t *)memchr(r.at, 0, rd_left(&r)) : NULL;
    if (!end) {
        w->walk.scan.txn->err = ERR_CORRUPT;
        return false;
    }
    w->line.serial = rd_bytes(&r, (size_t)(end - r.at));
    (void)rd_u8(&r);
    w->line.meter = w->walk.value;
    w->line.what = (enum line_what)rd_u8(&r);
    w->line.state = (enum life_state)rd_u8(&r);
    w->line.holder_kind = (char)rd_u8(&r);
    hold(&w->line, w->line.holder_kind, rd_bytes(&r, rd_left(&r) ? rd_left(&r) - 1 : 1));
    if (r.err || w->line.what >= LINE_WHATS || !what_names[w->line.what] ||
        w->line.state >= LIFE_STATES) {
        w->walk.scan.txn->err = ERR_CORRUPT;
        return false;
    }
    return true;
}

void line_done(struct line_walk *w)
{
    index_done(&w->walk);
}
