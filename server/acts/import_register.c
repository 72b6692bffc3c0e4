/* A file of the register: every row checked and written inside one act, which is undone when it
 * must be.  The writer's place is held meanwhile, so a check and what it allows see the same
 * register; meters and readings do not wait for it. */
#include "server/acts/import.h"
#include "server/acts/register.h"

#include <stdio.h>

/* New rows: with more the audit tells the file alone, for it would outgrow the register. */
#define NOTED_ONE_BY_ONE 1000u

struct filing {
    struct import *import;
    const struct list *list;
    struct act act;
    struct registrar registrar;
};

static bool filing_fault(void *arg, const struct import_refusal *refusal)
{
    struct filing *f = (struct filing *)arg;

    f->import->report->rows++;
    return import_refuse(f->import, refusal);
}

static bool refuse_row(struct filing *f, uint64_t line, struct import_refusal *why)
{
    why->line = line;
    return import_refuse(f->import, why);
}

/* The row's cells in their canonical form, in `w`'s memory. */
static enum err cells_read(struct filing *f, const struct rowfile_row *row, struct wr *w,
                           struct cells *out, struct import_refusal *why)
{
    const struct list *l = f->list;

    for (unsigned i = 0; i < l->columns; i++) {
        uint8_t *start = w->at;
        enum err err = cell_read(&l->column[i], row->cells[i], f->import->zone, w, NULL);

        if (err == ERR_INVALID)
            return row_refuse(why, err, &l->column[i], row->cells[i], "%s",
                              cell_expected(&l->column[i]));
        if (err)
            return err;
        out->at[i] = span_of(start, (size_t)(w->at - start));
        if (l->column[i].need != NEED_MAY && out->at[i].len == 0)
            return row_refuse(why, ERR_INVALID, &l->column[i], span_text("nothing"), "%s",
                              cell_expected(&l->column[i]));
    }
    return ERR_OK;
}

static bool filing_row(void *arg, const struct rowfile_row *row)
{
    struct filing *f = (struct filing *)arg;
    struct import_report *report = f->import->report;
    uint8_t bytes[COLUMNS_MAX * (LIMIT_TEXT + 8)];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct import_refusal why;
    struct cells cells = { 0 };
    enum put_outcome outcome = PUT_SAME;
    enum err err;

    if (import_stopped(f->import))
        return false;
    report->rows++;
    f->act.quiet_new = report->written >= NOTED_ONE_BY_ONE;
    if (!(err = cells_read(f, row, &w, &cells, &why)))
        err = registrar_put(&f->registrar, f->list, &cells, &outcome, &why);
    if (row_refused(err))
        return refuse_row(f, row->line, &why);
    if (err) {
        f->import->err = err;
        return false;
    }
    *(outcome == PUT_SAME ? &report->unchanged : &report->written) += 1;
    return true;
}

static enum err file_read(struct filing *f, struct span text)
{
    static const struct rowfile_calls calls = { filing_row, filing_fault };
    struct import_refusal header;
    enum err err = rowfile_read(text, f->list, &calls, f, &header);

    if (err == ERR_INVALID) {
        import_refuse(f->import, &header);
        return ERR_INVALID;
    }
    return err ? err : import_verdict(f->import);
}

static void note(struct filing *f)
{
    const struct import_report *r = f->import->report;
    char what[48], told[160];

    snprintf(what, sizeof what, "%s.import", f->list->plural);
    snprintf(told, sizeof told,
             "{\"rows\":%llu,\"written\":%llu,\"unchanged\":%llu,\"refused\":%llu,\"bare\":%llu}",
             (unsigned long long)r->rows, (unsigned long long)r->written,
             (unsigned long long)r->unchanged, (unsigned long long)r->refused,
             (unsigned long long)r->bare);
    act_note(&f->act, what, span_of(NULL, 0), span_of(NULL, 0), span_text(told), span_of(NULL, 0));
}

static enum err commit(struct filing *f)
{
    struct import_report *r = f->import->report;
    enum err err = registrar_make_bare(&f->registrar, &r->bare);

    if (err || f->import->options->dry_run || r->written + r->bare == 0) {
        act_abort(&f->act);
        return err;
    }
    note(f);
    if ((err = act_end(&f->act)))
        return err;
    /* It is in the ledger: what fails from here on is made good by the next start or retry. */
    if ((err = registrar_committed(&f->registrar)))
        fprintf(stderr, "nilod: %s were imported, but frames that wait for them: the store %s\n",
                f->list->plural, err_text(err));
    return ERR_OK;
}

enum err import_register(struct import *i, const struct list *l, struct span text)
{
    struct filing f = { .import = i, .list = l };
    enum err err;

    f.act = act_begin(i->app->ledger, i->caller->who, i->now_s, journal_end(i->app->journal));
    registrar_init(&f.registrar, i->app, &f.act, true);
    if (!(err = f.act.txn.err))
        err = file_read(&f, text);
    if (err)
        act_abort(&f.act);
    else
        err = commit(&f);
    if (err)
        i->report->written = i->report->bare = 0;
    registrar_done(&f.registrar);
    return err;
}
