#include "server/dials.h"

#include "server/readings.h"

#include <stdlib.h>

#define TOLD_MOST 4096 /* of one meter: somebody tells it after a visit */

static bool take_told(void *arg, const struct ledger_dial *d)
{
    struct dials *all = (struct dials *)arg;

    all->told[all->told_count++] =
        (struct dial_told){ d->at_s, d->dial_ml, d->counted_ml, d->has_counted };
    return all->told_count < TOLD_MOST;
}

static bool count_told(void *arg, const struct ledger_dial *d)
{
    size_t *count = (size_t *)arg;

    (void)d;
    return ++*count < TOLD_MOST;
}

static enum err load_told(struct txn *ledger, uint32_t meter, struct dials *out)
{
    size_t count = 0;
    enum err err = ledger_dials_of(ledger, meter, 0, count_told, &count);

    if (err || !count)
        return err;
    if (!(out->told = (struct dial_told *)calloc(count, sizeof *out->told)))
        return ERR_NO_MEMORY;
    return ledger_dials_of(ledger, meter, 0, take_told, out);
}

enum err dials_load(struct app *app, struct txn *ledger, const struct meter_facts *m,
                    const struct fitting *f, struct dials *out)
{
    int64_t from_s = f->from_s < 0 ? 0 : f->from_s;
    int64_t to_s = f->to_s < UINT32_MAX ? f->to_s + 1 : (int64_t)UINT32_MAX + 1;
    enum err err;

    *out = (struct dials){ 0 };
    if ((err = readings_load(app, m, meter_billed_channel(m), from_s, to_s, &out->rows)))
        return err;
    return load_told(ledger, m->id, out);
}

void dials_done(struct dials *d)
{
    rows_done(&d->rows);
    free(d->told);
    *d = (struct dials){ 0 };
}
