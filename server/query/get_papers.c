/* Papers of the store, the meters on them, and stocktakings and deliveries, which are papers. */
#include "server/paper_lines.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000

struct papers {
    char kind[32], batch[64], depot[128], crew[128]; /* "": any */
};

static bool is(const struct ledger_row *row, unsigned place, const char *wanted)
{
    return !*wanted || (place < row->count && span_equal(row->cells[place], span_text(wanted)));
}

static void put_paper(struct listing *l, const struct ledger_row *row, struct span key)
{
    static const unsigned texts[] = { CELL_PAPER_paper, CELL_PAPER_kind,  CELL_PAPER_number,
                                      CELL_PAPER_at,    CELL_PAPER_batch, CELL_PAPER_depot,
                                      CELL_PAPER_crew };

    row_begin(l);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        row_text(l, list_of(LIST_PAPER)->column[texts[i]].name,
                 texts[i] < row->count ? row->cells[texts[i]] : span_of(NULL, 0));
    row_number(l, "meters",
               CELL_PAPER_meters < row->count ? row->cells[CELL_PAPER_meters] : span_of(NULL, 0));
    row_text(l, "note",
             CELL_PAPER_note < row->count ? row->cells[CELL_PAPER_note] : span_of(NULL, 0));
    row_end(l, key);
}

/* Names begin with the kind: papers of one kind stand together. */
static struct span go_on(const struct papers *p, const struct listing *l, uint8_t room[CURSOR_MAX])
{
    size_t kind = strlen(p->kind);

    if (l->cursor_len || !kind) {
        memcpy(room, l->cursor, l->cursor_len);
        return span_of(room, l->cursor_len);
    }
    memcpy(room, p->kind, kind);
    room[kind] = ':';
    return span_of(room, kind + 1);
}

static void fill_papers(struct listing *l)
{
    const struct papers *p = (const struct papers *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    uint8_t after[CURSOR_MAX];
    struct ledger_walk walk;
    struct ledger_row row;
    bool more = true;

    walk = ledger_walk(&t, LIST_PAPER, go_on(p, l, after), INT64_MAX);
    while (!t.err && (more = ledger_walk_next(&walk, &row)) && !listing_full(l)) {
        if (p->kind[0] && !is(&row, CELL_PAPER_kind, p->kind)) {
            more = false; /* those of the next kind */
            break;
        }
        if (is(&row, CELL_PAPER_batch, p->batch) && is(&row, CELL_PAPER_depot, p->depot) &&
            is(&row, CELL_PAPER_crew, p->crew))
            put_paper(l, &row, walk.key);
        else
            listing_pass(l, walk.key);
    }
    ledger_walk_done(&walk);
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

static const char *const paper_columns[] = { "paper", "kind", "number", "at",   "batch",
                                             "depot", "crew", "meters", "note", NULL };

void answer_papers(struct request *q)
{
    struct papers *p = (struct papers *)calloc(1, sizeof *p);

    if (!p) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    if (!ask_copy(q, "kind", p->kind, sizeof p->kind) ||
        !ask_copy(q, "batch", p->batch, sizeof p->batch) ||
        !ask_copy(q, "depot", p->depot, sizeof p->depot) ||
        !ask_copy(q, "crew", p->crew, sizeof p->crew)) {
        free(p);
        return;
    }
    listing_new(q, paper_columns, fill_papers, p, free, PAGE);
}

/* ---- one paper ---- */

static void answer_one(struct request *q, const char *name, const char *what)
{
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_row row;
    bool found = ledger_find(&t, LIST_PAPER, span_text(name), INT64_MAX, &row);
    enum err err;

    out_clear(&q->out);
    if (found) {
        out_text(&q->out, "{");
        paper_put(&q->out, &t, &row);
        out_text(&q->out, "}\n");
    }
    err = txn_end(&t);
    if (!err)
        err = q->out.err;
    q->status = 200;
    if (err)
        problem_of(q, err, "", "the paper cannot be shown: the store %s", err_text(err));
    else if (!found)
        problem_of(q, ERR_NOT_FOUND, what, "%s: nobody wrote %s", what, name);
}

static void subject_text(const struct request *q, const char *kind, char out[256])
{
    struct span s = q->subject[0];

    snprintf(out, 256, "%s%s%.*s", kind, *kind ? ":" : "", (int)(s.len < 200 ? s.len : 200),
             (const char *)s.at);
}

void answer_paper(struct request *q)
{
    char name[256];

    subject_text(q, "", name);
    answer_one(q, name, "paper");
}

void answer_stocktake(struct request *q)
{
    char name[256];

    subject_text(q, "stocktake", name);
    answer_one(q, name, "stocktake");
}

/* ---- its meters ---- */

struct meters_on {
    char name[256];
};

static void put_line(struct listing *l, const struct paper_line *line)
{
    char kind = line->holder_kind;

    row_begin(l);
    row_text(l, "serial", line->serial);
    row_word(l, "what", line_what_name(line->what));
    row_word(l, "state", line->meter ? life_state_name(line->state) : NULL);
    row_word(l, "crew", kind == 'c' ? line->holder : NULL);
    row_word(l, "depot", kind == 'd' ? line->holder : NULL);
    row_word(l, "point", kind == 'p' ? line->holder : NULL);
    row_word(l, "settled_by", line_settled_by(line));
    row_end(l, line->serial);
}

static void fill_lines(struct listing *l)
{
    const struct meters_on *m = (const struct meters_on *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    uint8_t after[CURSOR_MAX];
    struct line_walk w;
    bool more = true;

    memcpy(after, l->cursor, l->cursor_len);
    w = paper_lines(&t, span_text(m->name), span_of(after, l->cursor_len));
    while (!t.err && !listing_full(l) && (more = line_next(&w)))
        put_line(l, &w.line);
    line_done(&w);
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

static const char *const line_columns[] = { "serial", "what",  "state",      "crew",
                                            "depot",  "point", "settled_by", NULL };

void answer_paper_meters(struct request *q)
{
    struct meters_on *m;
    struct ledger_row row;
    struct txn t = ledger_read(q->app->ledger);
    bool known = row_named(q, &t, list_of(LIST_PAPER), INT64_MAX, &row);

    txn_abort(&t);
    if (!known)
        return;
    if (!(m = (struct meters_on *)calloc(1, sizeof *m))) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    subject_text(q, "", m->name);
    listing_new(q, line_columns, fill_lines, m, free, PAGE);
}
