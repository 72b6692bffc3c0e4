/* Stores made before fittings were events kept them as rows of a list, beside the two indexes that are
 * still there.  Each becomes an install and a remove that are not judged, in the order of their times. */
#include "server/lives.h"

static struct span reason_of(struct txn *t, const struct meter_life *l, const struct fitting *f,
                             struct wr *room)
{
    uint8_t bytes[256];
    struct wr key = wr_of(bytes, sizeof bytes);
    char from[TEXT_TIME_SIZE];
    struct ledger_row row;

    if (!ledger_by_id(t, LIST_POINT, f->point, INT64_MAX, &row) || !row.count)
        return span_of(NULL, 0);
    text_put_time(from, f->from_s);
    wr_bytes(&key, row.cells[0]);
    wr_u8(&key, 0);
    wr_text(&key, l->facts.serial);
    wr_u8(&key, 0);
    wr_text(&key, from);
    wr_u8(&key, 0);
    if (!key.err && ledger_find(t, LIST_FITTING, wr_span(&key), INT64_MAX, &row))
        wr_bytes(room, row.cells[CELL_FITTING_reason]);
    return wr_span(room);
}

static struct life_event event_of(enum life_kind kind, int64_t at_s, bool has_index,
                                  int64_t index_ml)
{
    return (struct life_event){ .kind = (uint8_t)kind,
                                .flags =
                                    (uint8_t)(EVENT_IMPORTED | (has_index ? EVENT_HAS_INDEX : 0)),
                                .at_s = at_s,
                                .index_ml = index_ml,
                                .verified_on = NO_DAY,
                                .valid_until = NO_DAY };
}

/* Of an event that is written the texts are not asked for again. */
static void write_event(struct app *app, struct act *act, struct meter_life *l,
                        struct life_event *e, const struct fitting *f)
{
    life_write_all(app, act, l, &e, 1, f);
    for (size_t i = 0; i < l->count; i++)
        l->events[i].text[EVENT_REASON] = span_of(NULL, 0);
}

static void convert_fitting(struct app *app, struct act *act, struct meter_life *l,
                            const struct fitting *f)
{
    bool ended = f->to_s != FITTING_OPEN;
    struct life_event install = event_of(EVENT_INSTALL, f->from_s, true, f->start_ml);
    struct life_event off = event_of(EVENT_REMOVE, f->to_s, f->has_end, f->end_ml);
    uint8_t bytes[LIMIT_TEXT];
    struct wr room = wr_of(bytes, sizeof bytes);
    struct span reason = reason_of(&act->txn, l, f, &room);

    install.point = f->point;
    (ended ? &off : &install)->text[EVENT_REASON] = reason;
    write_event(app, act, l, &install, f);
    if (ended)
        write_event(app, act, l, &off, f);
}

static enum err convert_meter(struct app *app, struct act *act, uint32_t meter)
{
    struct fittings fittings;
    struct meter_life l;
    enum err err = fittings_load(&act->txn, false, meter, &fittings);

    if (!err && fittings.count) {
        err = life_load(app, &act->txn, meter, &l);
        for (size_t i = 0; i < fittings.count && !err; i++) {
            convert_fitting(app, act, &l, &fittings.at[i]);
            err = act->txn.err;
        }
        life_done(&l);
    }
    fittings_done(&fittings);
    return err;
}

/* What a store of before keeps elsewhere. */
struct former {
    bool fittings, events;
};

static enum err former_of(struct app *app, struct former *out)
{
    struct txn t = ledger_read(app->ledger);

    out->fittings = ledger_last_id(&t, LIST_FITTING) != 0;
    out->events = ledger_old_events(&t);
    return txn_end(&t);
}

static enum err convert_fittings(struct app *app, struct act *act)
{
    uint32_t last = ledger_last_id(&act->txn, LIST_METER);
    enum err err = act->txn.err;

    for (uint32_t meter = 1; meter <= last && !err; meter++)
        err = convert_meter(app, act, meter);
    if (err)
        return err;
    act_drop_rows(act, LIST_FITTING);
    act_note(act, "fittings.convert", span_of(NULL, 0), span_of(NULL, 0), span_of(NULL, 0),
             span_text("what rows told of fittings stands in the lives of meters"));
    return ERR_OK;
}

static void convert_events(struct act *act)
{
    act_convert_events(act);
    act_note(act, "events.convert", span_of(NULL, 0), span_of(NULL, 0), span_of(NULL, 0),
             span_text("events of a meter that follow each other share a row"));
}

enum err lives_convert(struct app *app)
{
    struct former former;
    struct act act;
    enum err err = former_of(app, &former);

    if (err || !(former.fittings || former.events))
        return err;
    act = act_begin(app->ledger, "nilod", clock_now_s(&app->clock), journal_end(app->journal));
    if (!act.txn.err && former.events)
        convert_events(&act);
    err = act.txn.err;
    if (!err && former.fittings)
        err = convert_fittings(app, &act);
    if (!err)
        return act_end(&act);
    act_abort(&act);
    return err;
}
