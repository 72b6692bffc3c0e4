#include "tools/sim/replay.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/clock.h"
#include "tools/nilo/progress.h"
#include "tools/sim/publisher.h"
#include "tools/sim/sender.h"

struct replay {
    const struct history *history;
    const struct replay_options *options;
    struct api *client;
    struct sender *sender;
    struct publisher *publisher; /* NULL until there is something to publish */
    uint64_t taken_before;       /* events that the server had from brokers when we began */
    uint64_t by_hand;
    uint32_t *seq; /* of each meter */
    bool has_virtual_clock;
    int64_t clock_s;
    uint32_t meter, turn;          /* whose report is made, on which day */
    const struct speaker *speaker; /* or NULL: a native one */
};

/* ---- the server's clock ---- */

static bool read_clock(struct replay *r)
{
    struct path path = path_of("/v1/clock");
    struct api_answer a;
    const char *now;
    bool ok;

    if (!api_ask(r->client, "GET", &path, NULL, &a))
        return false;
    now = json_string_value(json_object_get(a.json, "now"));
    r->has_virtual_clock = json_is_true(json_object_get(a.json, "virtual"));
    ok = now && !text_time(span_text(now), NULL, &r->clock_s);
    if (!ok)
        say("the server does not say what time it is");
    api_answer_done(&a);
    return ok;
}

static bool ask(struct replay *r, const char *where, json_t *body)
{
    struct path path = path_of(where);
    struct api_answer a;
    bool ok = api_ask(r->client, "POST", &path, body, &a);

    json_decref(body);
    if (ok)
        api_answer_done(&a);
    return ok;
}

/* Moves a virtual clock on; one that is further already, or a real one, stays. */
static bool move_clock(struct replay *r, int64_t to_s)
{
    char text[TEXT_TIME_SIZE];

    if (!r->has_virtual_clock || r->clock_s >= to_s)
        return true;
    text_put_time(text, to_s);
    r->clock_s = to_s;
    return ask(r, "/v1/clock", json_pack("{s:s}", "now", text));
}

/* ---- registering ---- */

static void write_meters(const struct replay *r, FILE *f)
{
    fputs("serial,dn,q3,register\n", f);
    for (uint32_t m = 0; m < r->history->meter_count; m++)
        fprintf(f, "%s,%s,%s,%s\n", r->history->meters[m].serial, r->options->dn, r->options->q3,
                r->history->meters[m].net ? "net" : "forward");
}

static void write_points(const struct replay *r, FILE *f)
{
    fputs("point,use_class,zone,route,route_seq\n", f);
    for (uint32_t m = 0; m < r->history->meter_count; m++)
        fprintf(f, "P-%s,residential,replay,replay,%u\n", r->history->meters[m].serial, m + 1);
}

/* A meter is fitted at the beginning of the civil day of its first reading, with that reading's
 * index. */
static void write_fittings(const struct replay *r, FILE *f)
{
    fputs("point,serial,from,start_index_l\n", f);
    for (uint32_t m = 0; m < r->history->meter_count; m++) {
        const struct past_meter *p = &r->history->meters[m];
        char from[TEXT_TIME_SIZE], index[TEXT_LITRES_SIZE];

        if (p->first_s == INT64_MAX)
            continue;
        text_put_time(from, zone_day_start(r->options->zone, p->first_s - 1));
        text_put_litres(index, p->first_value);
        fprintf(f, "P-%s,%s,%s,%s\n", p->serial, p->serial, from, index);
    }
}

static bool enroll_list(struct replay *r, const char *list,
                        void (*write)(const struct replay *, FILE *))
{
    FILE *f = tmpfile();
    bool ok;

    if (!f) {
        say("no temporary file could be made: %m");
        return false;
    }
    write(r, f);
    ok = api_import(r->client, list, f);
    fclose(f);
    return ok;
}

static bool enroll(struct replay *r)
{
    return !r->options->enroll ||
           (enroll_list(r, "meters", write_meters) && enroll_list(r, "points", write_points) &&
            enroll_list(r, "fittings", write_fittings));
}

/* ---- days ---- */

static bool send_report(void *arg, struct span payload, size_t readings)
{
    struct replay *r = arg;
    enum voice voice = r->speaker ? r->speaker->voice : VOICE_NATIVE;

    (void)readings;
    if (voice == VOICE_LORAWAN)
        return publisher_put(r->publisher, r->speaker->radio_id, payload);
    return sender_put(r->sender, r->meter, r->turn,
                      voice == VOICE_NATIVE ? NULL : voice_dialect(voice), payload);
}

/* ---- events that go by way of a broker ---- */

/* How many the server has taken from brokers, well or ill. */
static bool events_taken(struct replay *r, uint64_t *out)
{
    static const char family[] = "nilo_pushes_total{transport=\"mqtt\"";
    struct path path = path_of("/metrics");
    struct api_answer a;
    uint64_t sum = 0;

    if (!api_ask(r->client, "GET", &path, NULL, &a))
        return false;
    for (const char *at = a.text; (at = strstr(at, family)); at += sizeof family) {
        const char *value = strstr(at, "} "), *turned_away = strstr(at, "no-room");

        if (value && (!turned_away || turned_away > value))
            sum += strtoull(value + 2, NULL, 10);
    }
    api_answer_done(&a);
    *out = sum;
    return true;
}

#define EVENTS_PATIENCE_MS 60000
#define EVENTS_LOOK_MS 20

/* The broker has them; the server must have them too before the day is over. */
static bool wait_for_events(struct replay *r)
{
    const struct timespec pause = { .tv_nsec = EVENTS_LOOK_MS * 1000000l };
    int64_t until_ms = clock_monotonic_ms() + EVENTS_PATIENCE_MS;
    uint64_t taken = 0;

    if (!r->publisher)
        return true;
    if (!publisher_drain(r->publisher))
        return false;
    while (events_taken(r, &taken) && clock_monotonic_ms() < until_ms) {
        if (taken - r->taken_before >= publisher_count(r->publisher))
            return true;
        nanosleep(&pause, NULL);
    }
    say("the server took %llu of %llu events from the broker; is its --mqtt the same broker?",
        (unsigned long long)(taken - r->taken_before),
        (unsigned long long)publisher_count(r->publisher));
    return false;
}

static bool open_publisher(struct replay *r)
{
    if (!r->options->mqtt)
        return true;
    r->publisher = publisher_open(r->options->mqtt);
    return r->publisher && events_taken(r, &r->taken_before);
}

/* What people read that day comes in as a file. */
static bool import_by_hand(struct replay *r, size_t first, size_t end)
{
    const struct history *h = r->history;
    FILE *f = NULL;
    bool ok;

    for (size_t i = first; i < end; i++) {
        const struct past *row = &h->at[i];
        char time[TEXT_TIME_SIZE], index[TEXT_LITRES_SIZE];

        if (!row->by_hand)
            continue;
        if (!f && !(f = tmpfile())) {
            say("no temporary file could be made: %m");
            return false;
        }
        if (ftell(f) == 0)
            fputs("serial,time,index_l,channel,source\n", f);
        r->by_hand++;
        text_put_time(time, row->time_s);
        text_put_litres(index, row->value);
        fprintf(f, "%s,%s,%s,%s,manual\n", h->meters[row->meter].serial, time, index,
                channel_name((enum channel)row->channel));
    }
    if (!f)
        return true;
    ok = api_import(r->client, "readings", f);
    fclose(f);
    return ok;
}

/* What the meter at hand sends of its day. A LoRaWAN meter without a broker is silent. */
static bool speak(struct replay *r, const struct past *rows, size_t count, int64_t sent_s)
{
    const char *serial = r->history->meters[r->meter].serial;
    uint32_t *seq = &r->seq[r->meter];

    r->speaker = r->options->cast ? cast_of(r->options->cast, serial) : NULL;
    if (!r->speaker || r->speaker->voice == VOICE_NATIVE)
        return history_reports(serial, rows, count, sent_s, seq, send_report, r);
    if (r->speaker->voice == VOICE_LORAWAN && !r->publisher)
        return true;
    return voice_reports(r->speaker, rows, count, r->options->zone, seq, send_report, r);
}

/* ---- a meter's day ---- */

/* One meter's rows of a day. */
struct part {
    size_t first, next;
    int64_t newest_s; /* of what it sends itself */
};

static int by_newest(const void *a, const void *b)
{
    const struct part *x = (const struct part *)a, *y = (const struct part *)b;

    return (x->newest_s > y->newest_s) - (x->newest_s < y->newest_s);
}

static bool send_part(struct replay *r, const struct part *part, int64_t sent_s)
{
    r->meter = r->history->at[part->first].meter;
    return speak(r, r->history->at + part->first, part->next - part->first, sent_s);
}

/* OMS and CJ/T 188 stamp a message with the time of its newest value. */
static bool is_stamped(const struct replay *r, const struct part *part)
{
    const struct history *h = r->history;
    const struct speaker *s =
        r->options->cast ? cast_of(r->options->cast, h->meters[h->at[part->first].meter].serial)
                         : NULL;

    return s && (s->voice == VOICE_OMS || s->voice == VOICE_CJT188);
}

/* The parts of the rows [first, end), those first that stamp, by their stamps; *out_stamped: how many. NULL: no memory. */
static struct part *parts_of(const struct replay *r, size_t first, size_t end, size_t *out_count,
                             size_t *out_stamped)
{
    const struct history *h = r->history;
    struct part *parts = (struct part *)malloc((end - first) * sizeof *parts), last;
    size_t count = 0, stamped = 0;

    for (; parts && first < end; first = parts[count++].next) {
        struct part *p = &parts[count];

        *p = (struct part){ .first = first, .next = history_meter(h, first, end) };
        for (size_t i = p->first; i < p->next; i++)
            if (!h->at[i].by_hand && h->at[i].time_s > p->newest_s)
                p->newest_s = h->at[i].time_s;
    }
    for (size_t i = 0; i < count; i++)
        if (is_stamped(r, &parts[i])) {
            last = parts[stamped];
            parts[stamped++] = parts[i];
            parts[i] = last;
        }
    if (stamped)
        qsort(parts, stamped, sizeof *parts, by_newest);
    *out_count = count;
    *out_stamped = stamped;
    return parts;
}

/* Every meter's reports of the rows [first, end). Where the clock is ours to move, what is stamped arrives when it was stamped, and the
 * rest as the day ends; a server whose clock is elsewhere would take the meters' clocks for wrong, so there they have none. */
static bool live_day(struct replay *r, size_t first, size_t end, int64_t day_end_s)
{
    size_t count, stamped;
    struct part *parts = parts_of(r, first, end, &count, &stamped);
    bool ok = parts != NULL, in_time;

    if (!ok)
        say("no memory for a day's reports");
    for (size_t i = 0; i < stamped && ok; i++) {
        if (r->has_virtual_clock && parts[i].newest_s > r->clock_s)
            ok = sender_drain(r->sender) && move_clock(r, parts[i].newest_s);
        ok = ok && send_part(r, &parts[i], 0);
    }
    ok = ok && (!stamped || sender_drain(r->sender)) && move_clock(r, day_end_s);
    in_time = r->has_virtual_clock && r->clock_s == day_end_s;
    for (size_t i = stamped; i < count && ok; i++)
        ok = send_part(r, &parts[i], in_time ? day_end_s : 0);
    free(parts);
    return ok && sender_drain(r->sender) && wait_for_events(r);
}

static bool live(struct replay *r, uint64_t *out_days)
{
    const struct history *h = r->history;
    const struct replay_options *o = r->options;
    struct progress bar = progress_begin("replaying", h->count);
    bool ok = true;

    for (size_t first = 0, end; ok && first < h->count; first = end) {
        int64_t day_end_s = zone_day_next(o->zone, h->at[first].time_s);

        end = history_day(h, o->zone, first);
        ok = first || (move_clock(r, day_end_s) && enroll(r));
        r->turn = (uint32_t)++ * out_days;
        ok = ok && live_day(r, first, end, day_end_s) && import_by_hand(r, first, end);
        if (ok && o->settle_every && (*out_days % o->settle_every == 0 || end == h->count))
            ok = ask(r, "/v1/settle", NULL);
        progress_at(&bar, end);
    }
    progress_end(&bar);
    return ok;
}

bool replay_run(const struct history *h, const struct replay_options *o, struct api *c,
                struct replay_summary *out)
{
    struct replay r = { .history = h, .options = o, .client = c };
    int64_t begun_us = clock_monotonic_us();
    bool ok;

    *out = (struct replay_summary){ .rows = h->count, .meters = h->meter_count };
    r.seq = calloc(h->meter_count + 1, sizeof *r.seq);
    r.sender = sender_open(o->coap, o->window);
    ok = r.seq && r.sender && open_publisher(&r) && read_clock(&r) && live(&r, &out->days);
    out->by_hand = r.by_hand;
    out->published = r.publisher ? publisher_count(r.publisher) : 0;
    publisher_close(r.publisher);
    if (r.sender) {
        const struct sender_counts *n = sender_counts(r.sender);

        out->reports = n->sent;
        out->acked = n->acked;
        out->resent = n->resent;
        out->refused = n->refused;
        out->unanswered = n->unanswered;
        memcpy(out->refusal, n->refusal, sizeof out->refusal);
    }
    out->seconds = (double)(clock_monotonic_us() - begun_us) / 1e6;
    sender_close(r.sender);
    free(r.seq);
    return ok;
}
