#include "server/acts/manual.h"

#include "server/readings.h"
#include "storage/rowset.h"

enum err manual_meter_at(struct txn *t, uint32_t point, int64_t at_s, uint32_t *out_meter)
{
    struct fittings all;
    uint32_t meter = 0;
    enum err err = fittings_load(t, true, point, &all);

    for (size_t i = 0; i < all.count && !err; i++)
        if (all.at[i].from_s <= at_s && at_s <= all.at[i].to_s)
            meter = all.at[i].meter;
    fittings_done(&all);
    *out_meter = meter;
    return err || meter ? err : ERR_NOT_FOUND;
}

bool manual_possible(const struct manual_read *m, struct act_reply *out)
{
    char modulus[TEXT_LITRES_SIZE], index[TEXT_LITRES_SIZE];

    if (m->index_ml >= 0 && m->index_ml < m->meter.modulus_ml)
        return true;
    text_put_litres(modulus, m->meter.modulus_ml);
    text_put_litres(index, m->index_ml);
    answer_refuse(out, ERR_INVALID, "index_l",
                  "index_l: found %s, expected 0 to below %s, which the dial of %s does not reach",
                  index, modulus, m->meter.serial);
    return false;
}

static uint32_t attr_of(const struct manual_read *m)
{
    return m->photo ? SOURCE_PHOTO : SOURCE_MANUAL;
}

enum err manual_known(const struct manual_read *m, bool *out_known)
{
    struct rows rows = { 0 };
    enum err err = readings_load(m->app, &m->meter, meter_billed_channel(&m->meter), m->at_s,
                                 m->at_s + 1, &rows);

    *out_known = false;
    for (size_t i = 0; i < rows.count && !err; i++)
        if (rows.at[i].value == m->index_ml &&
            (rows.at[i].attr & ATTR_SOURCE) == (attr_of(m) & ATTR_SOURCE))
            *out_known = true;
    rows_done(&rows);
    return err;
}

enum err manual_journal(const struct manual_read *m)
{
    struct row row = { .value = m->index_ml, .time_s = (uint32_t)m->at_s, .attr = attr_of(m) };
    uint8_t bytes[64];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct record record = { .kind = RECORD_ROWS,
                             .transport = TRANSPORT_HTTP,
                             .meter = m->meter.id,
                             .arrival_s = (uint32_t)m->now_s };
    struct intake *intake = NULL;
    enum err err;

    rowset_put(&w, m->meter.id, CHANNEL_BILLED, &row, 1);
    record.bytes = wr_span(&w);
    if (!(err = intake_new(&intake)) && !(err = intake_add(intake, &record)))
        err = ingest_submit_wait(m->app->ingest, intake);
    intake_free(intake);
    return err;
}
