/* POST /v1/meters/SERIAL/modem: a modem is an asset of its own, changed without changing the meter.  With it the meter's name on the
 * radio changes, so that frames go on under it; the meter's life is untouched. */
#include "server/acts/asset.h"
#include "server/acts/event_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define AHEAD_S 600 /* rules-fleet L4 */

/* ---- the act ---- */

struct change {
    const struct act_request *q;
    struct act_reply *out;
    struct act *act;
    struct registrar g;
    struct refusal wrong;
    struct span modem, reason; /* no modem: the meter is left without one */
    bool told;                 /* the body names a modem or null */
    int64_t at_s, now_s;
    struct row_copy meter, is, was; /* `is`, `was`: id 0 where there is none */
    bool same;
    struct import_refusal why;
};

static void read_body(struct change *c)
{
    struct life_body b = life_body_of(c->q, &c->wrong);
    const json_t *modem = json_object_get(c->q->body, "modem");

    c->told = modem != NULL;
    body_text(&b, "modem", &c->modem);
    if (!modem || (json_is_string(modem) && !c->modem.len))
        body_wrong(&b, "modem", "the name of a modem, or null for none");
    body_text(&b, "reason", &c->reason);
    body_time(&b, "at", c->now_s, &c->at_s);
    body_others(&b, "modem", "at", NULL);
}

static bool refuse_unknown(struct change *c, const char *field, const char *what, struct span name)
{
    if (c->act->txn.err)
        answer_failed(c->out, c->act->txn.err);
    else
        answer_refuse(c->out, ERR_NOT_FOUND, field, "%s %.*s: nobody registered it", what,
                      (int)(name.len < 64 ? name.len : 64), (const char *)name.at);
    return false;
}

static bool all_exist(struct change *c)
{
    struct txn *t = &c->act->txn;
    struct ledger_row row;
    uint32_t before;

    if (!row_find(t, LIST_METER, c->q->subject, &c->meter))
        return refuse_unknown(c, "serial", "meter", c->q->subject);
    if (c->modem.len && !row_find(t, LIST_MODEM, c->modem, &c->is))
        return refuse_unknown(c, "modem", "modem", c->modem);
    if ((before = asset_indexed(t, 'm', c->q->subject))) {
        if (!ledger_by_id(t, LIST_MODEM, before, INT64_MAX, &row)) {
            answer_failed(c->out, t->err ? t->err : ERR_MISSING);
            return false;
        }
        row_copy(&row, &c->was);
    }
    c->same = c->is.id == c->was.id;
    return true;
}

static bool facts_right(struct change *c)
{
    if (!c->wrong.err && c->at_s > c->now_s + AHEAD_S) {
        char at[TEXT_TIME_SIZE];

        text_put_time(at, c->now_s);
        refuse(&c->wrong, ERR_INVALID, 0, "at", "at: expected a time that is not after %s", at);
    }
    if (!c->wrong.err)
        return true;
    answer_refuse(c->out, ERR_INVALID, c->wrong.field, "%s", c->wrong.text);
    return false;
}

/* What one meter or modem was in last must not lie after it. */
static bool is_later(struct change *c, char kind, struct span of)
{
    int64_t last = of.len ? asset_last_dated(&c->act->txn, kind, of) : LEDGER_ALWAYS;
    char text[TEXT_TIME_SIZE];

    if (c->at_s >= last)
        return true;
    text_put_time(text, last);
    answer_refuse(c->out, ERR_CONFLICT, "at",
                  "at: %.*s was changed at %s already, expected a later time", (int)of.len,
                  (const char *)of.at, text);
    return false;
}

static bool nothing_against(struct change *c)
{
    struct span elsewhere = c->is.cells.at[CELL_MODEM_serial];

    if (c->is.id && elsewhere.len && !c->same) {
        answer_refuse(c->out, ERR_CONFLICT, "modem",
                      "modem: %.*s is in the meter %.*s, expected one that is in no other meter",
                      (int)c->modem.len, (const char *)c->modem.at, (int)elsewhere.len,
                      (const char *)elsewhere.at);
        return false;
    }
    return c->same || (is_later(c, 'h', c->q->subject) && is_later(c, 'g', c->modem) &&
                       is_later(c, 'g', c->was.cells.at[CELL_MODEM_modem]));
}

/* What the radio calls a meter with this modem. Wireless M-Bus bears the meter's own address; empty: it stays as it is. */
static struct span radio_of(const struct change *c, const struct row_copy *modem)
{
    static const char *const by_deveui[] = { "chirpstack", "tts" };
    struct span dialect = c->meter.cells.at[CELL_METER_dialect];
    struct span imei = modem->cells.at[CELL_MODEM_imei];
    struct span deveui = modem->cells.at[CELL_MODEM_deveui];

    if (span_equal(dialect, span_text("oms")))
        return span_of(NULL, 0);
    for (size_t i = 0; i < sizeof by_deveui / sizeof by_deveui[0]; i++) {
        if (span_equal(dialect, span_text(by_deveui[i])))
            return deveui.len ? deveui : imei;
    }
    return imei.len ? imei : deveui;
}

static enum err put_radio(struct change *c)
{
    struct span *radio = &c->meter.cells.at[CELL_METER_radio_id];
    struct span left = c->was.id ? radio_of(c, &c->was) : span_of(NULL, 0);
    struct span got = c->is.id ? radio_of(c, &c->is) : span_of(NULL, 0);
    enum put_outcome outcome;

    /* A name that came with the modem goes with it. */
    if (got.len)
        *radio = got;
    else if (left.len && span_equal(left, *radio))
        *radio = span_of(NULL, 0);
    else
        return ERR_OK;
    return registrar_replace(&c->g, list_of(LIST_METER), &c->meter.cells, c->meter.id, &outcome,
                             &c->why);
}

/* A modem's row as of the act; where its other attributes were changed since, from then on. */
static void put_modem(struct change *c, struct row_copy *modem, struct span serial)
{
    struct act *a = c->act;
    int64_t since_s = modem->since_s > c->at_s ? modem->since_s : c->at_s;
    struct span name = modem->cells.at[CELL_MODEM_modem];

    modem_indexed(a, &modem->cells, modem->id, false);
    modem->cells.at[CELL_MODEM_serial] = serial;
    act_put_row(a, LIST_MODEM, name, since_s, modem->cells.at, list_of(LIST_MODEM)->columns, NULL,
                NULL);
    modem_indexed(a, &modem->cells, modem->id, true);
    modem_dated(a, span_of(NULL, 0), name, c->at_s, 0, serial.len ? c->meter.id : 0);
}

static void note(struct change *c)
{
    struct out told = { 0 };

    out_text(&told, "{");
    out_member_span(&told, "modem", c->modem);
    out_member_span(&told, "was", c->was.id ? c->was.cells.at[CELL_MODEM_modem] : span_of(NULL, 0));
    out_member_time(&told, "at", c->at_s);
    out_text(&told, "}");
    if (told.err)
        c->act->txn.err = told.err;
    act_note(c->act, "meter.modem", c->q->subject, span_of(NULL, 0), span_of(told.at, told.len),
             c->reason);
    out_done(&told);
}

static enum err write(struct change *c)
{
    enum err err;

    if (c->same)
        return ERR_OK;
    if ((err = put_radio(c)))
        return err;
    if (c->was.id)
        put_modem(c, &c->was, span_of(NULL, 0));
    if (c->is.id)
        put_modem(c, &c->is, c->q->subject);
    modem_dated(c->act, c->q->subject, span_of(NULL, 0), c->at_s, c->is.id, 0);
    note(c);
    return c->act->txn.err;
}

static void answer(struct change *c)
{
    struct out *o = &c->out->body;

    answer_begin(c->out, c->same ? 200 : 201);
    out_member_span(o, "serial", c->q->subject);
    out_member_span(o, "modem", c->modem);
    out_member_span(o, "radio_id", c->meter.cells.at[CELL_METER_radio_id]);
    out_member_time(o, "at", c->at_s);
    answer_end(c->out, NULL);
}

static void carry_out(struct change *c)
{
    enum err err = c->act->txn.err;

    if (err) {
        answer_failed(c->out, err);
        return;
    }
    if (!all_exist(c) || !facts_right(c) || !nothing_against(c))
        return;
    if ((err = write(c))) {
        if (row_refused(err))
            answer_refuse(c->out, err, c->why.column, "%s: found %s, expected %s", c->why.column,
                          c->why.found, c->why.expected);
        else
            answer_failed(c->out, err);
        return;
    }
    answer(c);
    (void)!answer_commit(c->q, c->out, c->act); /* the answer tells */
}

void act_change_modem(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    struct change *c;
    struct act act;
    enum err err;

    if (!answer_role(q, out, ROLES_FIELD))
        return;
    if (!(c = (struct change *)calloc(1, sizeof *c))) {
        answer_failed(out, ERR_NO_MEMORY);
        return;
    }
    c->q = q;
    c->out = out;
    c->act = &act;
    c->now_s = clock_now_s(&app->clock);
    read_body(c);
    act = act_begin(app->ledger, q->caller->who, c->now_s, journal_end(app->journal));
    registrar_init(&c->g, app, &act, false);
    carry_out(c);
    act_abort(&act);
    if (out->status < 300 && (err = registrar_committed(&c->g)))
        fprintf(stderr, "nilod: frames that wait for a meter: the store %s\n", err_text(err));
    registrar_done(&c->g);
    free(c);
}
