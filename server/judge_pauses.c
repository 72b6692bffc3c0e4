/* When nothing is to be expected of a meter's register: while its account is suspended (events suspend to resume), and after somebody
 * was there and found that nobody lives there (an order's result `vacant`), for half a year or until the meter is taken off; while the meter says that its valve is closed.  An order
 * of work that names the point alone counts for the meter that is there now. */
#include "proto/past.h"
#include "server/judge_priv.h"
#include "server/orders.h"
#include "server/registers.h"

#define VACANT_S                                                                                   \
    ((int64_t)180 * 86400) /* somebody moves in at some time, and readers come by twice a year */

struct suspending {
    struct pauses *pauses;
    int64_t since_s; /* INT64_MIN: it is not */
};

static bool take_event(void *arg, const struct life_event *e)
{
    struct suspending *s = (struct suspending *)arg;

    switch ((enum life_kind)e->kind) {
    case EVENT_SUSPEND:
        if (s->since_s == INT64_MIN)
            s->since_s = e->at_s;
        return true;
    case EVENT_INSTALL:
    case EVENT_RESUME:
    case EVENT_FAULT:
    case EVENT_REMOVE:
    case EVENT_LOSE:
        if (s->since_s != INT64_MIN)
            pauses_add(s->pauses, PAUSE_SUSPENDED, s->since_s, e->at_s);
        s->since_s = INT64_MIN;
        return true;
    default:
        return true;
    }
}

static enum err vacant(struct txn *ledger, enum orders_of of, const char *name, int64_t from_s,
                       struct pauses *out)
{
    struct order_walk w = orders_of(ledger, of, span_text(name), false, (struct span){ 0 });

    while (order_next(&w))
        if (w.order.result == RESULT_VACANT && w.order.done_s >= from_s)
            pauses_add(out, PAUSE_VACANT, w.order.done_s, w.order.done_s + VACANT_S);
    order_walk_done(&w);
    return ledger->err;
}

static enum err shut(struct app *app, struct archive_reader *reader, uint32_t meter,
                     struct pauses *out)
{
    struct past past = { .full_mv = 0 };
    enum err err = reader ? archive_reader_past(reader, meter, &past)
                          : archive_past(app->archive, meter, &past);

    for (unsigned i = 0; i < past.shut_count && !err; i++)
        pauses_add(out, PAUSE_SHUT, past.shut[i].from_s,
                   past.shut[i].to_s ? past.shut[i].to_s : INT64_MAX);
    return err;
}

enum err judge_pauses(struct app *app, struct archive_reader *reader, struct txn *ledger,
                      const struct meter_facts *m, const struct fitting *last, struct pauses *out)
{
    struct suspending s = { .pauses = out, .since_s = INT64_MIN };
    struct point_facts point;
    enum err err;

    out->count = 0;
    if ((err = ledger_events(ledger, m->id, take_event, &s)))
        return err;
    if (s.since_s != INT64_MIN)
        pauses_add(out, PAUSE_SUSPENDED, s.since_s, INT64_MAX);
    if ((err = shut(app, reader, m->id, out)) ||
        (err = vacant(ledger, ORDERS_OF_METER, m->serial, INT64_MIN, out)))
        return err;
    if (!last || last->to_s != FITTING_OPEN)
        return ERR_OK;
    if ((err = point_facts_by_id(ledger, last->point, &point)))
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    return vacant(ledger, ORDERS_OF_POINT, point.point, last->from_s, out);
}
