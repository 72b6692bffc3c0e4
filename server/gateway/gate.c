#include "server/gateway/gate.h"

#include "proto/native.h"
#include "proto/recipe.h"
#include "server/gateway/blockwise.h"
#include "server/gateway/dedup.h"
#include "server/metrics.h"
#include "server/rate.h"

#include <stdio.h>
#include <stdlib.h>

/* 2^20 exchanges in 40 MiB: 247 s at 4 200 requests/s, the first repeats at any rate. */
#define EXCHANGE_BITS 20
#define ENDPOINT_BITS 20 /* buckets; 16 bytes each */
#define ADDRESS_BITS 18
#define DIAGNOSTIC_MAX 120 /* a sentence, and little to gain for who forges a sender's address */
/* Answers with commands that are kept for repeats: 7 MB, untouched where nobody commands anything.
 * At 116 reports a second, each answered with one, they reach back as far as exchanges do. */
#define CARRIED 32768
/* Refused bytes that are kept for people: a flood of rubbish must not fill the journal. */
#define REJECTS_PER_S 20

enum exchange_kind {
    EXCHANGE_CHANGED,
    EXCHANGE_CHANGED_BLOCK,
    EXCHANGE_CONTINUE,
    EXCHANGE_TIME,
    EXCHANGE_REFUSED, /* value = the code */
    EXCHANGE_CARRIED  /* value = number of what was carried */
};

/* An answer that carried commands: a repeat hears the very same. */
struct carried {
    uint32_t number; /* from 1 */
    bool has_block1;
    uint8_t len;
    uint32_t block1;
    uint8_t bytes[COMMAND_BYTES];
};

struct gate {
    struct ingest *ingest;
    struct hash_key key;
    struct dedup *dedup;
    struct rate *endpoints, *addresses, *rejects;
    struct blockwise *uploads;
    struct arena scratch;
    struct gate_now now;
    uint32_t ended;    /* the last round that is over */
    uint16_t next_mid; /* of NON answers */
    struct commands *commands;
    struct carried *carried; /* a ring */
    uint32_t last_carried;
    char text[GATE_TEXT_MAX]; /* of the answer at hand */
};

static enum err carried_new(struct carried **out)
{
    *out = (struct carried *)calloc(CARRIED, sizeof **out);
    return *out ? ERR_OK : ERR_NO_MEMORY;
}

enum err gate_new(struct ingest *ingest, const struct gate_options *options, struct gate **out)
{
    struct gate *g = (struct gate *)calloc(1, sizeof *g);
    enum err err;

    if (!g)
        return ERR_NO_MEMORY;
    g->ingest = ingest;
    if ((err = hash_key_make(&g->key)) || (err = dedup_new(EXCHANGE_BITS, &g->dedup)) ||
        (err = rate_new(options->endpoint_rate, options->endpoint_burst, ENDPOINT_BITS,
                        &g->endpoints)) ||
        (err =
             rate_new(options->address_rate, options->address_rate, ADDRESS_BITS, &g->addresses)) ||
        (err = rate_new(REJECTS_PER_S, REJECTS_PER_S, 4, &g->rejects)) ||
        (err = blockwise_new(NULL, &g->uploads)) || (err = carried_new(&g->carried)) ||
        (err = arena_init(&g->scratch, LIMIT_DECODE_ARENA))) {
        gate_free(g);
        return err;
    }
    g->next_mid = (uint16_t)g->key.k[0];
    *out = g;
    return ERR_OK;
}

void gate_free(struct gate *g)
{
    if (!g)
        return;
    arena_done(&g->scratch);
    blockwise_free(g->uploads);
    rate_free(g->rejects);
    rate_free(g->addresses);
    rate_free(g->endpoints);
    dedup_free(g->dedup);
    free(g->carried);
    free(g);
}

void gate_carry(struct gate *g, struct commands *commands)
{
    g->commands = commands;
}

static uint32_t monotonic_s(const struct gate *g)
{
    return (uint32_t)(g->now.monotonic_us / 1000000);
}

void gate_set(struct gate *g, const struct gate_now *now)
{
    g->now = *now;
    blockwise_expire(g->uploads, monotonic_s(g));
}

void gate_round_ended(struct gate *g, uint32_t round, bool kept)
{
    if (!kept)
        dedup_drop_round(g->dedup, round);
    g->ended = round;
}

/* Behind one address and port another meter may speak next: what a session proves tells them apart. */
static struct endpoint endpoint_of_datagram(const struct gate *g, const struct datagram *d)
{
    const struct endpoint nobody = { { 0 } };
    struct endpoint e = endpoint_of(&d->peer);

    if (d->identity.len)
        e.w[2] ^= hash_of(&g->key, &nobody, d->identity).a << 24;
    return e;
}

void gate_prepare(const struct gate *g, const struct datagram *d, struct gate_hint *out)
{
    struct endpoint e = endpoint_of_datagram(g, d);

    out->key = hash_of(&g->key, &e, d->bytes);
    out->address = hash_quick(&g->key, e.w[0], e.w[1] ^ d->peer.len);
    out->endpoint = hash_quick(&g->key, out->address, e.w[2]);
    dedup_prefetch(g->dedup, out->key);
    rate_prefetch(g->endpoints, out->endpoint);
    rate_prefetch(g->addresses, out->address);
}

/* ---- answers ---- */

/* One request on its way through the table. */
struct ask {
    const struct datagram *datagram;
    const struct gate_hint *hint;
    struct coap_request q;
    const struct dialect *dialect;
    struct span recipe; /* of the dialect "recipe" */
    struct gate_verdict *v;
};

static void answer(struct ask *k, uint8_t code)
{
    k->v->act = GATE_ANSWER;
    k->v->answer.code = code;
}

/* With a sentence for the one who reads the meter's log. */
static void answer_why(struct gate *g, struct ask *k, uint8_t code, const char *why)
{
    size_t len = strnlen(why, DIAGNOSTIC_MAX + 1);

    if (len > DIAGNOSTIC_MAX) {
        len = DIAGNOSTIC_MAX;
        while (len && ((uint8_t)why[len] & 0xc0) == 0x80) /* not amid a character */
            len--;
    }
    if (why != g->text)
        memcpy(g->text, why, len);
    answer(k, code);
    k->v->answer.payload = span_of(g->text, len);
}

static void answer_too_large(struct gate *g, struct ask *k, uint32_t most)
{
    answer_why(g, k, CODE_TOO_LARGE, "the payload is larger than Size1 says");
    k->v->answer.has_size1 = true;
    k->v->answer.size1 = most;
    if (!k->q.has_block1) { /* RFC 7959 §2.9.3: try again in blocks of this size */
        k->v->answer.has_block1 = true;
        k->v->answer.block1 = (struct block_option){ .szx = 6 };
    }
}

static void answer_later(struct ask *k, uint8_t code, uint32_t max_age_s)
{
    answer(k, code);
    k->v->answer.has_max_age = true;
    k->v->answer.max_age_s = max_age_s;
}

void gate_turn_away(struct coap_answer *a)
{
    a->code = CODE_UNAVAILABLE;
    a->has_max_age = true;
    a->max_age_s = GATE_RETRY_S;
    a->has_format = a->has_block1 = a->has_block2 = a->has_size1 = false;
    a->payload = span_of(NULL, 0);
}

/* ---- repeats ---- */

static void remember(struct gate *g, const struct ask *k, enum exchange_kind kind, uint32_t value,
                     uint32_t round)
{
    uint32_t lifetime_s = k->q.type == MESSAGE_CON ? DEDUP_CON_S : DEDUP_NON_S;
    struct exchange e = { .key = k->hint->key,
                          .until_s = monotonic_s(g) + lifetime_s,
                          .round = round,
                          .value = value,
                          .kind = kind };

    dedup_put(g->dedup, &e);
}

static uint32_t block_pack(struct block_option b)
{
    return b.num << 4 | (uint32_t)b.more << 3 | b.szx;
}

static struct block_option block_of(uint32_t v)
{
    return (struct block_option){ .num = v >> 4, .more = v >> 3 & 1, .szx = v & 7 };
}

static void put_time(struct gate *g, struct coap_answer *a, uint32_t now_s)
{
    int len = snprintf(g->text, sizeof g->text, "%lu", (unsigned long)now_s);

    a->has_format = true;
    a->format = FORMAT_TEXT;
    a->payload = span_of(g->text, (size_t)len);
}

/* One whose place was taken since is answered without: the meter hears its command next time. */
static void put_carried(const struct gate *g, struct coap_answer *a, uint32_t number)
{
    const struct carried *c = &g->carried[number % CARRIED];

    if (c->number != number)
        return;
    a->has_block1 = c->has_block1;
    a->block1 = block_of(c->block1);
    a->payload = span_of(c->bytes, c->len);
}

/* The same answer as the first time; where that is still awaited, with it. */
static void repeat(struct gate *g, struct ask *k, const struct exchange *e)
{
    static const uint8_t codes[] = { CODE_CHANGED, CODE_CHANGED, CODE_CONTINUE, CODE_CONTENT, 0,
                                     CODE_CHANGED };
    struct coap_answer *a = &k->v->answer;

    metrics_add(METRIC_COAP_REPEATED, 1);
    answer(k, e->kind == EXCHANGE_REFUSED ? (uint8_t)e->value : codes[e->kind]);
    if (e->kind == EXCHANGE_CHANGED_BLOCK || e->kind == EXCHANGE_CONTINUE) {
        a->has_block1 = true;
        a->block1 = block_of(e->value);
    } else if (e->kind == EXCHANGE_TIME) {
        put_time(g, a, e->value);
    } else if (e->kind == EXCHANGE_CARRIED) {
        put_carried(g, a, e->value);
    }
    if (e->round && (int32_t)(e->round - g->ended) > 0) {
        k->v->act = GATE_FOLLOW;
        k->v->round = e->round;
    }
}

/* ---- reports ---- */

static uint8_t transport_of(const struct ask *k)
{
    return k->datagram->identity.len ? TRANSPORT_COAPS : TRANSPORT_COAP;
}

/* Refused bytes, for people to see; a flood of them is let go. */
static void keep_reject(struct gate *g, struct ask *k, struct span bytes)
{
    if (rate_take(g->rejects, 1, g->now.monotonic_us) || bytes.len == 0)
        return;
    k->v->keep_reject = true;
    k->v->record = (struct record){
        .kind = RECORD_REJECT,
        .dialect = k->dialect->id,
        .transport = transport_of(k),
        .recipe = k->recipe,
        .arrival_s = (uint32_t)g->now.clock_s,
        .peer = k->datagram->peer,
        .name = text_is_serial(k->q.name) ? k->q.name : span_of(NULL, 0),
        .bytes = bytes,
    };
}

static void refuse_report(struct gate *g, struct ask *k, struct span bytes, const struct refusal *r)
{
    int len;

    if (r->field[0])
        len = snprintf(g->text, sizeof g->text, "%s at byte %u: %s", r->field, (unsigned)r->offset,
                       r->text);
    else
        len = snprintf(g->text, sizeof g->text, "at byte %u: %s", (unsigned)r->offset, r->text);
    if (len < 0)
        g->text[0] = 0;
    metrics_add(r->err == ERR_FORBIDDEN ? METRIC_COAP_FORBIDDEN : METRIC_COAP_REFUSED, 1);
    metrics_refused(r->err);
    answer_why(g, k, r->err == ERR_FORBIDDEN ? CODE_FORBIDDEN : CODE_BAD_REQUEST, g->text);
    keep_reject(g, k, bytes);
    if (k->q.has_block1) /* its transfer is over, so this cannot be found out again */
        remember(g, k, EXCHANGE_REFUSED, k->v->answer.code, 0);
}

/* Who holds a key is told commands where the key proves it: whoever writes a meter's name into a
 * plain report must hear none, nor use up the times that one is told, nor say what became of one. */
static bool is_overheard_lkd(const struct gate *g, const struct ask *k, uint32_t meter)
{
    return !k->datagram->identity.len && ingest_has_psk_lkd(g->ingest, meter, g->now.clock_s);
}

/* The meter's commands meet its report. True: the answer carries one, and its repeats will. */
static bool carry(struct gate *g, struct ask *k, const struct judged *judged)
{
    struct coap_answer *a = &k->v->answer;
    const struct commands_meeting meeting = {
        .meter = judged->record.meter,
        .dialect = k->dialect,
        .frame = &judged->frame,
        .now_s = g->now.clock_s,
        .mute = coap_answer_unwanted(k->q.no_response, CODE_CHANGED),
    };
    struct carried *c = &g->carried[(g->last_carried + 1) % CARRIED];
    struct wr w = wr_of(c->bytes, sizeof c->bytes);

    if (is_overheard_lkd(g, k, judged->record.meter))
        return false;
    c->number = 0; /* what stood there is gone, whatever comes of this */
    commands_meet(g->commands, &meeting, &w, &k->v->told);
    if (!k->v->told.sent)
        return false;
    c->number = ++g->last_carried;
    c->len = (uint8_t)wr_len(&w);
    c->has_block1 = k->q.has_block1;
    c->block1 = block_pack(k->q.block1);
    a->payload = wr_span(&w);
    return true;
}

static struct span named_beside(struct span identity, const struct ask *k,
                                const struct frame_names *names)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (!span_equal(names->at[i], identity))
            return names->at[i];
    return k->q.name;
}

static void take_report(struct gate *g, struct ask *k, struct span bytes)
{
    struct gate_verdict *v = k->v;
    struct refusal r = { 0 };
    struct arrival a = {
        .dialect = k->dialect,
        .recipe = k->recipe,
        .transport = transport_of(k),
        .peer = k->datagram->peer,
        .name = k->datagram->identity.len ? k->datagram->identity : k->q.name,
        .proven = k->datagram->identity.len > 0,
        .also = k->datagram->identity.len ? k->q.name : span_of(NULL, 0),
        .arrival_s = g->now.clock_s,
        .bytes = bytes,
    };
    struct judged judged;
    enum err err;

    if (k->q.names_differ) {
        (void)refuse(&r, ERR_NAMES_DIFFER, 0, "m", "?m= names two different meters");
        refuse_report(g, k, bytes, &r);
        return;
    }
    arena_clear(&g->scratch);
    err = ingest_judge_lkd(g->ingest, &a, &g->scratch, &judged, &r);
    if (err_class(err) == ERR_CLASS_HOST) {
        metrics_add(METRIC_COAP_NO_ROOM, 1);
        answer_later(k, CODE_UNAVAILABLE, GATE_RETRY_S);
        return;
    }
    if (err) {
        r.err = err;
        if (err == ERR_FORBIDDEN)
            v->named = named_beside(k->datagram->identity, k, &judged.frame.names);
        refuse_report(g, k, bytes, &r);
        return;
    }
    v->record = judged.record;
    v->act = GATE_STORE;
    v->answer.code = CODE_CHANGED;
    v->answer.has_block1 = k->q.has_block1;
    v->answer.block1 = k->q.block1;
    if (commands_any(g->commands) && judged.record.meter && carry(g, k, &judged))
        remember(g, k, EXCHANGE_CARRIED, g->last_carried, g->now.round);
    else
        remember(g, k, k->q.has_block1 ? EXCHANGE_CHANGED_BLOCK : EXCHANGE_CHANGED,
                 block_pack(k->q.block1), g->now.round);
}

/* ---- uploads in blocks ---- */

/* False: answered. */
static bool block_is_sound(struct gate *g, struct ask *k)
{
    struct block_option b = k->q.block1;
    size_t size = (size_t)16 << b.szx, len = k->q.payload.len;

    if (b.szx == 7) /* RFC 7959 §2.2 */
        answer_why(g, k, CODE_BAD_REQUEST, "Block1: a size exponent of 7 is reserved");
    else if (b.more ? len != size : len > size)
        answer_why(g, k, CODE_BAD_REQUEST, "Block1: the payload is not as long as the block says");
    else if (k->q.has_size1 && k->q.size1 > LIMIT_PAYLOAD_BLOCK)
        answer_too_large(g, k, LIMIT_PAYLOAD_BLOCK);
    else
        return true;
    return false;
}

static struct hash upload_key(const struct gate *g, const struct ask *k)
{
    uint8_t subject[LIMIT_DATAGRAM * 3];
    struct wr w = wr_of(subject, sizeof subject);
    struct endpoint e = endpoint_of_datagram(g, k->datagram);

    coap_request_subject(&k->q, &w);
    return hash_of(&g->key, &e, wr_span(&w));
}

static void take_block(struct gate *g, struct ask *k)
{
    struct span body;

    if (!block_is_sound(g, k))
        return;
    switch (blockwise_take(g->uploads, upload_key(g, k), k->q.block1, k->q.payload, monotonic_s(g),
                           &body)) {
    case BLOCK_WHOLE:
        take_report(g, k, body);
        return;
    case BLOCK_CONTINUE:
        answer(k, CODE_CONTINUE);
        k->v->answer.has_block1 = true;
        k->v->answer.block1 = k->q.block1;
        remember(g, k, EXCHANGE_CONTINUE, block_pack(k->q.block1), 0);
        return;
    case BLOCK_INCOMPLETE:
        answer_why(g, k, CODE_INCOMPLETE,
                   "no block came before this one: begin again with block 0");
        return;
    case BLOCK_TOO_LARGE:
        answer_too_large(g, k, LIMIT_PAYLOAD_BLOCK);
        return;
    case BLOCK_NO_MEMORY:
        answer_later(k, CODE_UNAVAILABLE, GATE_RETRY_S);
        return;
    }
}

static bool format_fits(const struct coap_request *q, const struct dialect *d)
{
    if (!q->has_format || q->format == FORMAT_OCTETS || q->format == FORMAT_TEXT)
        return true;
    for (size_t i = 0; i < sizeof d->formats / sizeof *d->formats; i++)
        if (d->formats[i] && d->formats[i] == q->format)
            return true;
    return false;
}

static void post_report(struct gate *g, struct ask *k)
{
    if (k->q.code != CODE_POST)
        answer_why(g, k, CODE_BAD_METHOD, "reports are sent with POST");
    else if (!k->dialect)
        answer_why(g, k, CODE_BAD_FORMAT, "/r/NAME: no dialect or recipe has this name");
    else if (!format_fits(&k->q, k->dialect))
        answer_why(g, k, CODE_BAD_FORMAT,
                   "Content-Format: this dialect has another; 42, 0 or none always fits");
    else if (g->now.stopping)
        answer_later(k, CODE_UNAVAILABLE, GATE_RETRY_S);
    else if (k->q.has_block1)
        take_block(g, k);
    else if (k->q.payload.len > LIMIT_PAYLOAD_PLAIN)
        answer_too_large(g, k, LIMIT_PAYLOAD_PLAIN);
    else
        take_report(g, k, k->q.payload);
}

/* ---- what may be asked ---- */

static bool get_is_sound(struct gate *g, struct ask *k, uint16_t format)
{
    if (k->q.code != CODE_GET)
        answer_why(g, k, CODE_BAD_METHOD, "this is read with GET");
    else if (k->q.has_accept && k->q.accept != format)
        answer_why(g, k, CODE_NOT_ACCEPTABLE, "there is no other format of this");
    else
        return true;
    return false;
}

static void get_time(struct gate *g, struct ask *k)
{
    uint32_t now_s = (uint32_t)g->now.clock_s;

    if (!get_is_sound(g, k, FORMAT_TEXT))
        return;
    answer(k, CODE_CONTENT);
    put_time(g, &k->v->answer, now_s);
    remember(g, k, EXCHANGE_TIME, now_s, 0);
}

/* What network servers and platforms send comes by HTTP or MQTT; a recipe has a path of its own. */
static bool has_path(const struct dialect *d)
{
    return d && !d->enveloped && d->id != DIALECT_RECIPE;
}

/* RFC 6690. Dialects other than the native one have a path of their own. */
static struct span links(struct gate *g)
{
    struct wr w = wr_of(g->text, sizeof g->text);

    wr_text(&w, "</.well-known/core>;ct=40,</time>;ct=0,</r>;ct=\"42 0\"");
    for (size_t i = 0; dialect_at(i); i++)
        if (has_path(dialect_at(i)) && dialect_at(i) != &dialect_native)
            wr_format(&w, ",</r/%s>", dialect_at(i)->name);
    return wr_span(&w);
}

static void get_links(struct gate *g, struct ask *k)
{
    struct block_option b = k->q.block2;
    size_t size = (size_t)16 << b.szx, offset;
    struct span all;

    if (!get_is_sound(g, k, FORMAT_LINKS))
        return;
    all = links(g);
    offset = k->q.has_block2 ? (size_t)b.num * size : 0;
    if (k->q.has_block2 && (b.szx == 7 || offset >= all.len)) {
        answer_why(g, k, CODE_BAD_REQUEST, "Block2: there is no such block");
        return;
    }
    answer(k, CODE_CONTENT);
    k->v->answer.has_format = true;
    k->v->answer.format = FORMAT_LINKS;
    k->v->answer.payload = span_of(all.at + offset, all.len - offset);
    if (k->q.has_block2) {
        b.more = k->v->answer.payload.len > size;
        k->v->answer.has_block2 = true;
        k->v->answer.block2 = b;
        if (b.more)
            k->v->answer.payload.len = size;
    }
}

static bool path_is(const struct coap_request *q, uint32_t part, const char *word)
{
    return q->path_count > part && span_equal(q->path[part], span_text(word));
}

static void name_dialect(struct gate *g, struct ask *k, struct span name)
{
    k->dialect = dialect_by_name(name);
    if (!has_path(k->dialect))
        k->dialect = NULL;
    if (!k->dialect && ingest_knows_recipe_lkd(g->ingest, name)) {
        k->dialect = &dialect_recipe;
        k->recipe = name;
    }
}

static void route(struct gate *g, struct ask *k)
{
    const struct coap_request *q = &k->q;

    if (q->path_count == 1 && path_is(q, 0, "r")) {
        k->dialect = &dialect_native;
        post_report(g, k);
    } else if (q->path_count == 2 && path_is(q, 0, "r") && q->path[1].len) {
        name_dialect(g, k, q->path[1]);
        post_report(g, k);
    } else if (q->path_count == 1 && path_is(q, 0, "time")) {
        get_time(g, k);
    } else if (q->path_count == 2 && path_is(q, 0, ".well-known") && path_is(q, 1, "core")) {
        get_links(g, k);
    } else if (q->path_count == 0 && q->has_block1 && q->block1.num) {
        /* A later block that relies on the first one's path: no transfer of ours is without one. */
        answer_why(g, k, CODE_INCOMPLETE, "a block without Uri-Path belongs to no transfer");
    } else {
        answer_why(g, k, CODE_NOT_FOUND, "no such path");
    }
}

/* ---- the table, from its end ---- */

/* Seconds to wait, 0 = none. A request that the address may not send does not count against the
 * endpoint. */
static uint32_t over_rate(struct gate *g, const struct gate_hint *hint)
{
    uint32_t wait_s = rate_take(g->addresses, hint->address, g->now.monotonic_us);

    return wait_s ? wait_s : rate_take(g->endpoints, hint->endpoint, g->now.monotonic_us);
}

static void reset(struct gate *g, struct ask *k)
{
    if (over_rate(g, k->hint)) {
        metrics_add(METRIC_COAP_SILENT, 1);
        return;
    }
    metrics_add(METRIC_COAP_RESETS, 1);
    answer(k, CODE_EMPTY);
    k->v->answer.type = MESSAGE_RST;
    k->v->answer.mid = k->q.mid;
}

static void request(struct gate *g, struct ask *k)
{
    const struct exchange *e = dedup_find(g->dedup, k->hint->key, monotonic_s(g));
    bool con = k->q.type == MESSAGE_CON;
    uint32_t wait_s;

    k->v->no_response = k->q.no_response;
    k->v->answer.type = con ? MESSAGE_ACK : MESSAGE_NON;
    k->v->answer.mid = con ? k->q.mid : g->next_mid++;
    k->v->answer.token = k->q.token;
    if (e) {
        repeat(g, k, e);
    } else if ((wait_s = over_rate(g, k->hint))) {
        metrics_add(METRIC_COAP_OVER_RATE, 1);
        answer_later(k, CODE_TOO_MANY, wait_s);
    } else if (k->q.bad_option && !con) {
        metrics_add(METRIC_COAP_SILENT,
                    1); /* RFC 7252 §5.4.1: a NON is rejected, and §4.3: in silence */
    } else if (k->q.bad_option) {
        snprintf(g->text, sizeof g->text, "option %u is critical and not understood",
                 k->q.bad_option);
        answer_why(g, k, CODE_BAD_OPTION, g->text);
    } else if (k->q.proxy) {
        answer_why(g, k, CODE_NO_PROXY, "this is no proxy");
    } else if (k->q.cut) {
        answer_too_large(g, k, LIMIT_PAYLOAD_PLAIN);
    } else {
        route(g, k);
    }
}

void gate_handle(struct gate *g, const struct datagram *d, const struct gate_hint *hint,
                 struct gate_verdict *v)
{
    struct ask k = { .datagram = d, .hint = hint, .v = v };

    v->act = GATE_SILENCE;
    v->named = span_of(NULL, 0);
    v->keep_reject = false;
    v->no_response = 0;
    v->told.meter = 0;
    memset(&v->answer, 0, sizeof v->answer);
    switch (coap_request_read(d->bytes, d->cut, &k.q)) {
    case COAP_SILENCE:
        metrics_add(METRIC_COAP_SILENT, 1);
        break;
    case COAP_RESET:
        reset(g, &k);
        break;
    case COAP_REQUEST:
        request(g, &k);
        break;
    }
}

uint32_t gate_uploads(const struct gate *g)
{
    return blockwise_count(g->uploads);
}

size_t gate_upload_bytes(const struct gate *g)
{
    return blockwise_bytes(g->uploads);
}
