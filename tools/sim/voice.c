/* OMS       one telegram of mode 5 with an even day: clock (type I), volume, and an inverse compact
 *           profile of hourly increments; else one telegram a reading
 * CJ/T 188  the newest reading as the answer to 901F, those before it as hourly freezes D3xx
 * LoRaWAN   an event of ChirpStack whose payload is that of proto/recipes/lora-pulse-day.recipe,
 *           heard when the newest value was taken */
#include "tools/sim/voice.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/base64.h"
#include "proto/base/limits.h"
#include "proto/cjt188_encode.h"
#include "proto/oms_encode.h"
#include "tools/nilo/args.h"
#include "tools/sim/history.h"

#define HOUR_S 3600
#define DAY_MOST 25 /* hourly values of the longest civil day */

/* The rows a meter itself sends, newest first. */
struct day {
    const struct past *at[DAY_MOST * 4];
    size_t count;
};

struct speech {
    const struct speaker *who;
    const struct zone *zone;
    uint32_t *counter;
    voice_sink *sink;
    void *arg;
};

static bool fault(const struct speech *s, const char *what, enum err err)
{
    say("meter %s: its %s %s", s->who->serial, what, err_text(err));
    return false;
}

/* An access number, or what CJ/T 188 calls SER: a byte that counts. */
static uint8_t next_number(const struct speech *s)
{
    *s->counter += 1;
    return (uint8_t)*s->counter;
}

static bool is_even(const struct day *d)
{
    for (size_t i = 1; i < d->count; i++)
        if (d->at[i - 1]->time_s - d->at[i]->time_s != HOUR_S)
            return false;
    return true;
}

/* ---- OMS ---- */

static void put_date(struct wr *w, const struct zone *zone, int64_t at_s)
{
    struct civil c = zone_civil(zone, at_s);
    unsigned yy = (unsigned)c.year % 100;

    wr_u8(w, 0x06); /* 48 bits: type I */
    wr_u8(w, 0x6d);
    wr_u8(w, c.second);
    wr_u8(w, c.minute);
    wr_u8(w, c.hour);
    wr_u8(w, (uint8_t)(c.day | (yy & 7) << 5));
    wr_u8(w, (uint8_t)(c.month | (yy >> 3) << 4));
    wr_u8(w, 0);
}

static void put_volume(struct wr *w, int64_t ml)
{
    wr_u8(w, 0x04);
    wr_u8(w, 0x13); /* litres */
    wr_le32(w, (uint32_t)(ml / 1000));
}

/* What a register went on by, in litres as they are sent. */
static int64_t litres_between(const struct past *older, const struct past *younger)
{
    return younger->value / 1000 - older->value / 1000;
}

/* Signed differences of 32 bits where a register fell, else increments of 16. */
static void put_profile(struct wr *w, const struct day *d)
{
    bool fits = true;

    for (size_t i = 1; i < d->count; i++) {
        int64_t step = litres_between(d->at[i], d->at[i - 1]);

        fits = fits && step >= 0 && step < 0xffff; /* which says "none" */
    }
    wr_u8(w, 0x0d);
    wr_u8(w, 0x93);
    wr_u8(w, 0x13);
    wr_u8(w, (uint8_t)(2 + (d->count - 1) * (fits ? 2 : 4)));
    wr_u8(w, fits ? 0x62 : 0xe4);
    wr_u8(w, 1);
    for (size_t i = 1; i < d->count; i++) {
        int64_t step = litres_between(d->at[i], d->at[i - 1]);

        if (fits)
            wr_le16(w, (uint16_t)step);
        else
            wr_le32(w, (uint32_t)step);
    }
}

static bool oms_send(const struct speech *s, struct span records, size_t readings)
{
    uint8_t room[OMS_TELEGRAM_MOST];
    struct wr w = wr_of(room, sizeof room);
    struct oms_writing of = { .form = OMS_FORM_BARE,
                              .ci = 0x7a,
                              .access = next_number(s),
                              .mode = s->who->has_key ? 5 : 0,
                              .key = s->who->key,
                              .records = records };
    unsigned id = 0;
    enum err err;

    of.link = (struct oms_address){ .maker = OMS_MAKER('N', 'L', 'M'), .version = 1, .type = 7 };
    if (sscanf(s->who->radio_id, "NLM-%8x", &id) != 1)
        return fault(s, "radio_id", ERR_MALFORMED);
    of.link.id = id;
    of.meter = of.link;
    err = oms_encode(&of, &w);
    return err ? fault(s, "telegram", err) : s->sink(s->arg, wr_span(&w), readings);
}

static bool oms_reports(const struct speech *s, const struct day *d)
{
    uint8_t room[256];
    bool whole = is_even(d) && d->count <= DAY_MOST;
    size_t sent = 0;

    while (sent < d->count) {
        struct wr w = wr_of(room, sizeof room);

        put_date(&w, s->zone, d->at[sent]->time_s);
        put_volume(&w, d->at[sent]->value);
        if (whole && d->count > 1)
            put_profile(&w, d);
        assert(!w.err);
        if (!oms_send(s, wr_span(&w), whole ? d->count : 1))
            return false;
        sent += whole ? d->count : 1;
    }
    return true;
}

/* ---- CJ/T 188 ---- */

static bool cjt188_send(const struct speech *s, uint16_t di, struct span data)
{
    struct cjt188_head head = { .type = 0x10,
                                .address = span_text(s->who->radio_id),
                                .control = 0x81,
                                .serial = next_number(s),
                                .di = di };
    uint8_t room[160];
    struct wr w = wr_of(room, sizeof room);
    enum err err = cjt188_put(&head, data, &w);

    return err ? fault(s, "frame", err) : s->sink(s->arg, wr_span(&w), 1);
}

static enum err cjt188_data(const struct speech *s, const struct past *row, bool newest,
                            struct wr *w)
{
    struct cjt188_metering now = {
        .volume_ml = row->value, .clock_s = row->time_s, .zone = s->zone, .unit = 0x2c
    };
    int64_t hour = row->time_s / HOUR_S % 24;
    struct cjt188_freeze then = { .at_s = row->time_s,
                                  .volume_ml = row->value,
                                  .zone = s->zone,
                                  .unit = 0x2c,
                                  .temperature = 9000 + hour * 80,
                                  .pressure_pa = 310000 - hour * 1500 };

    return newest ? cjt188_put_metering(&now, w) : cjt188_put_freeze(&then, w);
}

static bool cjt188_reports(const struct speech *s, const struct day *d)
{
    for (size_t i = d->count; i-- > 0;) {
        uint8_t room[CJT188_DATA_MOST];
        struct wr w = wr_of(room, sizeof room);
        enum err err = cjt188_data(s, d->at[i], i == 0, &w);

        if (err)
            return fault(s, "frame", err);
        if (!cjt188_send(s, i ? (uint16_t)(0xd2ff + i) : 0x901f, wr_span(&w)))
            return false;
    }
    return true;
}

/* ---- LoRaWAN ---- */

/* The stretch from `from` on that is evenly spaced, falls nowhere and fits. */
static size_t lorawan_stretch(const struct day *d, size_t from, int64_t pulse_ml)
{
    size_t to = from + 1;

    while (to < d->count && to - from < 24 && d->at[to - 1]->time_s - d->at[to]->time_s == HOUR_S &&
           d->at[to - 1]->value >= d->at[to]->value &&
           (d->at[to - 1]->value - d->at[to]->value) / pulse_ml < 0xffff)
        to++;
    return to;
}

static void lorawan_payload(struct wr *w, const struct day *d, size_t from, size_t to,
                            int64_t pulse_ml)
{
    wr_u8(w, pulse_ml == 1000 ? 0 : pulse_ml == 10000 ? 1 : 2);
    wr_le32(w, (uint32_t)(d->at[from]->value / pulse_ml));
    for (size_t i = from + 1; i < to; i++)
        wr_le16(w, (uint16_t)((d->at[i - 1]->value - d->at[i]->value) / pulse_ml));
}

static bool lorawan_send(const struct speech *s, struct span payload, int64_t heard_s,
                         size_t readings)
{
    char event[1024], time[TEXT_TIME_SIZE], data[160];
    struct wr w = wr_of(data, sizeof data - 1);
    int len;

    text_put_time(time, heard_s);
    base64_write(&w, payload);
    assert(!w.err);
    *w.at = 0;
    len = snprintf(event, sizeof event,
                   "{\"deduplicationId\":\"%s-%u\",\"time\":\"%s\",\"deviceInfo\":{"
                   "\"applicationId\":\"town\",\"deviceName\":\"%s\",\"devEui\":\"%s\"},"
                   "\"devAddr\":\"00189440\",\"dr\":5,\"fCnt\":%u,\"fPort\":10,\"data\":\"%s\","
                   "\"rxInfo\":[{\"gatewayId\":\"0016c001f153a14c\",\"rssi\":-97,\"snr\":6.5}]}",
                   s->who->radio_id, *s->counter, time, s->who->serial, s->who->radio_id,
                   *s->counter, data);
    assert(len > 0 && (size_t)len < sizeof event);
    ++*s->counter;
    return s->sink(s->arg, span_of(event, (size_t)len), readings);
}

static bool lorawan_reports(const struct speech *s, const struct day *d)
{
    int64_t pulse_ml = s->who->pulse_ml ? s->who->pulse_ml : 1000;
    uint8_t room[64];

    for (size_t from = 0, to; from < d->count; from = to) {
        struct wr w = wr_of(room, sizeof room);

        to = lorawan_stretch(d, from, pulse_ml);
        lorawan_payload(&w, d, from, to, pulse_ml);
        assert(!w.err);
        if (!lorawan_send(s, wr_span(&w), d->at[from]->time_s, to - from))
            return false;
    }
    return true;
}

/* ---- a meter's day ---- */

static struct day day_of(const struct past *rows, size_t count)
{
    struct day d = { .count = 0 };

    for (size_t i = count; i-- > 0 && d.count < sizeof d.at / sizeof d.at[0];)
        if (!rows[i].by_hand)
            d.at[d.count++] = &rows[i];
    return d;
}

bool voice_reports(const struct speaker *who, const struct past *rows, size_t count,
                   const struct zone *zone, uint32_t *counter, voice_sink *sink, void *arg)
{
    const struct speech s = {
        .who = who, .zone = zone, .counter = counter, .sink = sink, .arg = arg
    };
    struct day d = day_of(rows, count);

    switch (who->voice) {
    case VOICE_OMS:
        return oms_reports(&s, &d);
    case VOICE_CJT188:
        return cjt188_reports(&s, &d);
    case VOICE_LORAWAN:
        return lorawan_reports(&s, &d);
    default:
        say("meter %s: native reports are history_reports's", who->serial);
        return false;
    }
}
