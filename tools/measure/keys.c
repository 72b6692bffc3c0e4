/* What a million keys cost on the way of a report: encrypted OMS telegrams (mode 5) of random meters are judged
 * as the gateway judges them, with registry and key ring of N meters; the same telegrams of 64 meters alone are the baseline,
 * whose keys and names lie in the processor's cache, and the same in the clear.
 *
 *   bench_keys [N [PLAIN]]   1 000 000 without it; PLAIN: reports/s of the whole server in the clear, of whose time for a report
 *                            the look-up of a key is told as a share
 *
 * One JSON line a figure; medians of nine rounds, by the thread's processor time. */
#include "proto/base/limits.h"
#include "proto/oms.h"
#include "proto/oms_encode.h"
#include "server/ingest.h"
#include "storage/keyring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 9
#define FRAMES 200000
#define FRAME_MOST 64
#define NOW_S 1795651200
#define WARM 64

struct bench {
    struct registry *registry;
    struct keyring *keys;
    struct ingest *ingest;
    struct lore lore;
    struct arena scratch;
    uint8_t (*bytes)[FRAME_MOST];
    uint8_t *len;
};

static void must(enum err err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "bench_keys: %s %s\n", what, err_text(err));
    exit(1);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the meters ---- */

static void key_of(uint32_t meter, uint8_t out[16])
{
    for (unsigned i = 0; i < 16; i++)
        out[i] = (uint8_t)(meter * 2654435761u >> (i & 3) * 8 ^ i * 17);
}

static uint32_t find_meter(void *arg, struct span name)
{
    return registry_find_lkd(((struct bench *)arg)->registry, name);
}

static unsigned find_keys(void *arg, uint32_t meter, enum key_kind kind, int64_t at_s,
                          struct span out[LORE_KEYS])
{
    return keyring_find(((struct bench *)arg)->keys, meter, kind, at_s, out);
}

static void register_all(struct bench *b, uint32_t meters)
{
    for (uint32_t meter = 1; meter <= meters; meter++) {
        uint8_t key[16];
        char name[32];

        snprintf(name, sizeof name, "%08u", (unsigned)(26000000 + meter));
        must(registry_add(b->registry, span_text(name), meter), "a meter");
        key_of(meter, key);
        must(keyring_put(b->keys, meter, KEY_OMS, INT64_MIN, span_of(key, sizeof key)), "a key");
    }
}

/* ---- telegrams ---- */

static void make_frame(struct bench *b, size_t n, uint32_t meter, uint8_t mode)
{
    static const uint8_t records[] = { 0x04, 0x13, 0x39, 0x65, 0x0c, 0x00, 0x02,
                                       0xfd, 0x17, 0x00, 0x00, 0x04, 0x6d, 0x1e,
                                       0x08, 0x5a, 0x3b, 0x02, 0x3b, 0x00, 0x00 };
    struct oms_writing of = { .form = OMS_FORM_BARE,
                              .ci = 0x7a,
                              .access = (uint8_t)n,
                              .mode = mode,
                              .records = span_of(records, sizeof records) };
    struct wr w = wr_of(b->bytes[n], FRAME_MOST);
    uint8_t key[16];
    char digits[16];

    snprintf(digits, sizeof digits, "%08u", (unsigned)(26000000 + meter));
    key_of(meter, key);
    of.key = key;
    of.link = (struct oms_address){ .maker = OMS_MAKER('N', 'L', 'M'),
                                    .id = (uint32_t)strtoul(digits, NULL, 16),
                                    .version = 1,
                                    .type = 7 };
    of.meter = of.link;
    must(oms_encode(&of, &w), "a telegram");
    b->len[n] = (uint8_t)wr_len(&w);
}

static void make_frames(struct bench *b, uint32_t meters, uint8_t mode)
{
    uint64_t random = 88172645463325252u;

    for (size_t n = 0; n < FRAMES; n++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        make_frame(b, n, (uint32_t)(random % meters) + 1, mode);
    }
}

/* ---- measuring ---- */

static int by_size(const void *a, const void *c)
{
    double x = *(const double *)a, y = *(const double *)c;

    return (x > y) - (x < y);
}

static void judge_all(struct bench *b)
{
    for (size_t n = 0; n < FRAMES; n++) {
        struct arrival arrival = { .dialect = &dialect_oms,
                                   .transport = TRANSPORT_COAP,
                                   .arrival_s = NOW_S,
                                   .bytes = span_of(b->bytes[n], b->len[n]) };
        struct judged judged;
        struct refusal r = { 0 };

        arena_clear(&b->scratch);
        must(ingest_judge_lkd(b->ingest, &arrival, &b->scratch, &judged, &r), "a telegram");
        must(judged.why, "a telegram's key");
    }
}

static double judged_per_s(struct bench *b)
{
    double seconds[ROUNDS];

    registry_read_lock(b->registry);
    judge_all(b); /* warms up */
    for (int round = 0; round < ROUNDS; round++) {
        double begun = now_s();

        judge_all(b);
        seconds[round] = now_s() - begun;
    }
    registry_read_unlock(b->registry);
    qsort(seconds, ROUNDS, sizeof *seconds, by_size);
    return FRAMES / seconds[ROUNDS / 2];
}

static void figure(const char *name, double value, const char *baseline, double of)
{
    printf("{\"figure\":\"%s\",\"value\":%.0f,\"unit\":\"reports/"
           "s\",\"baseline\":\"%s\",\"ratio\":%.3f}"
           "\n",
           name, value, baseline, value / of);
}

int main(int argc, char **argv)
{
    uint32_t meters = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    struct bench b = { 0 };
    double plain = argc > 2 ? strtod(argv[2], NULL) : 0, warm, all, warm_clear, all_clear,
           lookup_ns;
    struct ingest_parts parts = { .lore = &b.lore };

    if (meters < WARM || meters > 10000000 || !(b.bytes = calloc(FRAMES, FRAME_MOST)) ||
        !(b.len = calloc(FRAMES, 1)))
        return fprintf(stderr, "usage: bench_keys [N], %d to 10000000\n", WARM), 2;
    must(registry_new(&b.registry), "the registry");
    must(keyring_new(&b.keys), "the key ring");
    must(arena_init(&b.scratch, LIMIT_DECODE_ARENA), "memory");
    b.lore = (struct lore){ .arg = &b, .meter = find_meter, .keys = find_keys };
    parts.registry = b.registry;
    must(ingest_open(&parts, &b.ingest), "the door");
    register_all(&b, meters);
    make_frames(&b, WARM, 0);
    warm_clear = judged_per_s(&b);
    make_frames(&b, meters, 0);
    all_clear = judged_per_s(&b);
    make_frames(&b, WARM, 5);
    warm = judged_per_s(&b);
    make_frames(&b, meters, 5);
    all = judged_per_s(&b);
    figure("judged_in_the_clear", all_clear, "the same of 64 meters", warm_clear);
    figure("judged_encrypted", all, "the same of 64 meters, whose keys are in the cache", warm);
    figure("judged_encrypted_to_clear", all, "the same in the clear", all_clear);
    lookup_ns = 1e9 * (1 / all - 1 / warm - (1 / all_clear - 1 / warm_clear));
    printf("{\"figure\":\"key_lookup_ns\",\"value\":%.0f,\"unit\":\"ns\",\"baseline\":\"%.0f plain "
           "reports/s of the whole server\",\"ratio\":%.3f}\n",
           lookup_ns, plain, lookup_ns * 1e-9 * plain);
    printf("{\"figure\":\"key_ring_bytes\",\"value\":%.1f,\"unit\":\"bytes/key\"}\n",
           (double)keyring_bytes(b.keys) / meters);
    ingest_close(b.ingest);
    keyring_free(b.keys);
    registry_free(b.registry);
    arena_done(&b.scratch);
    free(b.bytes);
    free(b.len);
    return 0;
}
