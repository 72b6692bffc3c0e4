#include "server/judge_condition.h"

#include "proto/base/crc.h"
#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "server/condition_now.h"
#include "server/readings.h"

#include <stdlib.h>

static int32_t earlier(int32_t a, int32_t b)
{
    return a == NO_DAY || (b != NO_DAY && b < a) ? b : a;
}

bool condition_read(struct span record, int32_t *out_due, int32_t *out_life)
{
    struct rd r = rd_of(record);
    int32_t readings = (int32_t)rd_le32(&r), life = (int32_t)rd_le32(&r);

    if (r.err || rd_left(&r))
        return false;
    *out_due = earlier(readings, life);
    if (out_life)
        *out_life = life;
    return true;
}

static enum err by_readings(struct app *app, const struct condition_news *n, int32_t *out)
{
    struct condition_facts f = { .q3_lph = n->meter->q3_lph,
                                 .volume_day = NO_DAY,
                                 .status_day = NO_DAY,
                                 .confirmed_day = NO_DAY,
                                 .failed_day = NO_DAY,
                                 .faulty_day = NO_DAY };
    struct condition condition;
    struct vitals vitals;
    enum err err = readings_vitals_by(app, n->reader, n->meter, &vitals);

    if (err)
        return err;
    f.fitted_day = (int32_t)zone_day_number(&app->zone, n->fitting->from_s);
    if (n->index) {
        f.volume_day = (int32_t)zone_day_number(&app->zone, n->index->at_s);
        f.volume_ml = volume_since(n->meter, n->fitting->start_ml, n->index->index_ml);
    }
    if (vitals.position && vitals.arrival_s >= n->fitting->from_s) {
        f.status = vitals.status;
        f.status_day = (int32_t)zone_day_number(&app->zone, vitals.arrival_s);
    }
    condition_of(&app->fleet_rules, &f, &condition);
    *out = condition.due;
    return ERR_OK;
}

static enum err by_life(struct app *app, struct txn *ledger, const struct condition_news *n,
                        int32_t *out)
{
    struct condition_facts f = { .volume_day = NO_DAY,
                                 .status_day = NO_DAY,
                                 .confirmed_day = NO_DAY };
    struct meter_life life = { 0 };
    struct condition condition;
    struct life now;
    enum err err = life_load(app, ledger, n->meter->id, &life);

    if (!err) {
        /* What is stamped ahead (rules-fleet L4) counts: nobody looks again when its time has come. */
        life_fold(&life.rules, life.events, life.count, INT64_MAX, INT64_MAX, &now);
        condition_of_life(life.events, life.count, &now, &app->zone, INT64_MAX, &f.failed_day,
                          &f.faulty_day);
        condition_of(&app->fleet_rules, &f, &condition);
        *out = condition.due;
    }
    life_done(&life);
    return err;
}

static bool moved(int32_t was, int32_t is)
{
    int64_t by = (int64_t)was - is;

    if (was == NO_DAY || is == NO_DAY)
        return was != is;
    return by >= CONDITION_STEP_DAYS || by <= -CONDITION_STEP_DAYS;
}

static void put(struct txn *views, uint32_t meter, int32_t readings, int32_t life)
{
    uint8_t bytes[8];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_le32(&w, (uint32_t)readings);
    wr_le32(&w, (uint32_t)life);
    views_put_condition(views, meter, wr_span(&w));
}

void condition_keep(struct txn *views, uint32_t meter, const struct condition_change *c)
{
    if (c->put)
        put(views, meter, c->readings, c->life);
    if (c->drop)
        views_del_condition(views, meter);
}

enum err condition_look(struct app *app, struct txn *ledger, struct txn *views,
                        const struct condition_news *n, struct condition_change *out)
{
    int32_t readings = NO_DAY, life = NO_DAY, was_readings = NO_DAY, was_life = NO_DAY, due;
    int32_t today = (int32_t)zone_day_number(&app->zone, n->now_s);
    struct span kept;
    bool known = views_condition(views, n->meter->id, &kept);
    enum err err = views->err;

    if (!err && known) {
        struct rd r = rd_of(kept);

        if (!condition_read(kept, &due, &was_life))
            return ERR_CORRUPT;
        was_readings = (int32_t)rd_le32(&r);
    }
    life = was_life;
    if (!err && n->fitting)
        err = by_readings(app, n, &readings);
    if (!err && n->life)
        err = n->fitting ? by_life(app, ledger, n, &life) : ERR_OK;
    if (err)
        return err;
    if (!n->fitting)
        life = NO_DAY;
    if (readings != NO_DAY && readings > today + CONDITION_AHEAD_DAYS)
        readings = NO_DAY;
    out->drop = known && readings == NO_DAY && life == NO_DAY;
    out->put = !out->drop && (moved(was_readings, readings) || was_life != life);
    out->readings = readings;
    out->life = life;
    return ERR_OK;
}

uint32_t condition_rules_hash(const struct fleet_rules *rules)
{
    uint8_t bytes[32 + DEFAULTS_ALARMS * 8];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_le32(&w, (uint32_t)rules->throughput_h);
    wr_le32(&w, (uint32_t)rules->throughput_days);
    wr_le32(&w, (uint32_t)rules->lab_days);
    wr_le32(&w, (uint32_t)rules->fault_days);
    for (unsigned i = 0; i < rules->alarms; i++) {
        wr_le32(&w, rules->alarm[i].bit);
        wr_le32(&w, (uint32_t)rules->alarm[i].days);
    }
    return crc32c(crc32c(0, bytes, wr_len(&w)), rules->wear, rules->wears * sizeof rules->wear[0]);
}
