/* What must hold of every enveloped dialect, whatever the bytes. The first byte chooses the dialect and what is known of the meter. */
#ifndef NILO_TESTS_FUZZ_ENVELOPED_H
#define NILO_TESTS_FUZZ_ENVELOPED_H

#include "proto/base/limits.h"
#include "proto/envelope.h"

#include <stdlib.h>
#include <string.h>

#define ENVELOPED_ARRIVAL_S 1795651200

static bool enveloped_known;
static const char *enveloped_profile = "";

static void must(bool what)
{
    if (!what)
        abort();
}

static uint32_t enveloped_meter(void *arg, struct span name)
{
    (void)arg;
    return enveloped_known && name.len ? 7 : 0;
}

static struct span enveloped_profile_of(void *arg, uint32_t meter)
{
    (void)arg;
    return meter ? span_text(enveloped_profile) : span_of(NULL, 0);
}

static void enveloped_frame(const struct frame *f, enum err err)
{
    bool named = !err || err_class(err) == ERR_CLASS_WAIT;

    must(f->names.count <= FRAME_NAMES && (!named || f->names.count > 0));
    for (uint32_t i = 0; i < f->names.count; i++)
        must(text_is_serial(f->names.at[i]));
    must(f->heard_s == 0 || (f->heard_s <= ENVELOPED_ARRIVAL_S + ENVELOPE_AHEAD_S &&
                             f->heard_s >= ENVELOPED_ARRIVAL_S - ENVELOPE_OLD_S));
    must(f->digest <= 0xffffff && (f->seq_rule != SEQ_REPEATS || f->digest));
    for (uint32_t i = 0; i < f->series_count; i++)
        must(f->series[i].count && f->series[i].samples);
}

struct enveloped_part {
    const struct dialect *d;
    struct arena *arena;
    unsigned count;
};

static enum err enveloped_part(void *arg, struct span bytes)
{
    struct enveloped_part *p = (struct enveloped_part *)arg;
    struct envelope e;

    arena_clear(p->arena);
    p->count++;
    (void)!envelope_read(p->d, bytes, p->arena, &e, NULL);
    return ERR_OK;
}

static void enveloped_check(const struct dialect *d, uint8_t choice, struct span bytes)
{
    static const char *const profiles[] = { "native",     "",           "oms", "cjt188",
                                            "senml-json", "senml-cbor", "tts", "no-such" };
    static const struct lore lore = { .meter = enveloped_meter, .profile = enveloped_profile_of };
    static uint8_t text[1 << 16];
    static struct arena arena;
    struct dialect_input in = { .bytes = bytes, .arrival_s = ENVELOPED_ARRIVAL_S, .lore = &lore };
    struct enveloped_part part = { .d = d, .arena = &arena };
    struct wr w = wr_of(text, sizeof text);
    struct refusal r = { .err = ERR_OK };
    struct frame f = { .seq = 0 };
    struct envelope e;
    enum err err, read;

    if (!arena.base)
        must(!arena_init(&arena, LIMIT_DECODE_ARENA));
    enveloped_profile = profiles[choice & 7];
    enveloped_known = !(choice & 8);
    arena_clear(&arena);
    err = d->decode(&in, &arena, &f, &r);
    must(err == r.err && err != ERR_NO_MEMORY && (!err || err_of_frame(err)));
    if (!err || err_class(err) == ERR_CLASS_WAIT)
        enveloped_frame(&f, err);
    arena_clear(&arena);
    read = envelope_read(d, bytes, &arena, &e, &r);
    must(!read || (err && err_of_frame(read))); /* what is no envelope is no frame */
    must(!envelope_split(d, bytes, enveloped_part, &part));
    arena_clear(&arena);
    read = dialect_explain(d, &in, choice & 16, &arena, &w, &r);
    must(wr_len(&w) <= sizeof text && (read == ERR_FULL || read == err || w.err));
}

#endif
