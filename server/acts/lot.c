#include "server/acts/lot.h"

enum err lot_meter_at(struct app *app, struct txn *t, uint32_t meter, int64_t at_s,
                      struct paper_line *line)
{
    struct meter_life life;
    enum err err = life_load(app, t, meter, &life);

    if (!err)
        line_of_life(t, &life, at_s, line);
    life_done(&life);
    return err;
}

enum err lot_count(struct app *app, struct txn *t, struct span batch, unsigned states,
                   uint64_t *out)
{
    struct index_walk w = lot_meters(t, batch);
    struct paper_line line;
    enum err err = ERR_OK;

    *out = 0;
    while (!err && index_next(&w)) {
        if (!(err = lot_meter_at(app, t, w.value, INT64_MAX, &line)))
            *out += states >> line.state & 1;
    }
    index_done(&w);
    return err ? err : t->err;
}
