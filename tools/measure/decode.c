/* How fast frames are decoded, one dialect after another on one core: one JSON line per figure, with the
 * time of a baseline in the same run.
 *
 *   bench_decode [NAME]   just that one
 *
 * Frames are as meters of the simulated town send them: a native report of 24 hourly values, an OMS
 * telegram with the same as a profile (in the clear, mode 5, mode 7 with MAC), CJ/T 188 901F, SenML,
 * an event of ChirpStack, and payloads that recipes read.  Keys are warm: 1 000 meters take turns.
 * Baselines: the CRC-32C of the frame's bytes; for encrypted ones also AES-CBC alone, by OpenSSL's EVP
 * with the key set for each frame.  Medians of nine rounds, by the thread's processor time. */
#include "proto/base/base64.h"
#include "proto/base/crc.h"
#include "proto/base/limits.h"
#include "proto/cjt188_encode.h"
#include "proto/dialect.h"
#include "proto/native.h"
#include "proto/oms_encode.h"
#include "proto/recipe.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 9
#define FRAMES 1000 /* of as many meters: keys are warm, not always the same */
#define NOW_S 1795651200
#define FRAME_MOST 1200

struct frames {
    const char *name;
    const struct dialect *dialect;
    struct span recipe;
    const char *profile;
    bool encrypted;
    size_t len[FRAMES];
    uint8_t bytes[FRAMES][FRAME_MOST];
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench_decode: %s: %s\n", what, why);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- lore: every meter is known, its key follows from its place ---- */

#define RECIPES 64
static struct recipe *recipes[RECIPES];
static size_t recipe_count;
static const char *profile_now = "";
static uint8_t keys[FRAMES + 1][16];

/* The last four digits of the name are its number. */
static uint32_t meter_of(void *arg, struct span name)
{
    uint32_t n = 0;

    (void)arg;
    for (size_t i = name.len < 4 ? 0 : name.len - 4; i < name.len; i++)
        n = n * 10 + (uint32_t)(name.at[i] - '0') % 10;
    return n % FRAMES + 1;
}

static uint32_t meter_of_oms(void *arg, struct span name)
{
    const char *dash = memchr(name.at, '-', name.len);

    return meter_of(arg, dash && name.len >= 12 ? span_of(dash + 1, 8) : name);
}

static unsigned key_of(void *arg, uint32_t meter, enum key_kind kind, int64_t at_s,
                       struct span out[LORE_KEYS])
{
    (void)arg;
    (void)kind;
    (void)at_s;
    out[0] = span_of(keys[meter], 16);
    return 1;
}

static const struct recipe *recipe_named(void *arg, struct span name)
{
    (void)arg;
    for (size_t i = 0; i < recipe_count; i++)
        if (span_equal(recipe_about(recipes[i])->name, name))
            return recipes[i];
    return NULL;
}

static struct span profile_of(void *arg, uint32_t meter)
{
    (void)arg;
    (void)meter;
    return span_text(profile_now);
}

static const struct lore lore = {
    .meter = meter_of_oms, .keys = key_of, .recipe = recipe_named, .profile = profile_of
};

/* ---- frames ---- */

static void native_frame(uint8_t *out, size_t *len, unsigned n)
{
    struct sample samples[24];
    struct series series = { CHANNEL_FORWARD, 24, samples };
    char serial[16];
    struct frame f = { .seq = n + 1, .sent_s = NOW_S, .series_count = 1, .series = &series };
    struct wr w = wr_of(out, FRAME_MOST);
    int8_t scale = 0;

    snprintf(serial, sizeof serial, "2600%04u", n);
    f.names = names_of(span_text(serial));
    for (int i = 0; i < 24; i++)
        samples[i] = (struct sample){ NOW_S - i * 3600, (812345 - i * (i % 5) * 7) * 1000ll };
    if (native_encode(&f, &scale, &w))
        fail("native", "does not encode");
    *len = wr_len(&w);
}

static size_t oms_records(uint8_t *out, size_t cap)
{
    static const uint8_t head[] = { 0x06, 0x6d, 0, 0x1e, 8, 0x5a, 0x3b, 0, 0x04, 0x13 };
    struct wr w = wr_of(out, cap);

    wr_bytes(&w, span_of(head, sizeof head));
    wr_le32(&w, 812345);
    wr_bytes(&w, span_of("\x0d\x93\x13\x30\x62\x01", 6));
    for (int i = 1; i < 24; i++)
        wr_le16(&w, (uint16_t)(i % 5 * 7));
    return wr_len(&w);
}

static void oms_telegram(uint8_t *out, size_t *len, unsigned n, uint8_t mode, struct span records)
{
    struct wr w = wr_of(out, FRAME_MOST);
    struct oms_writing of = { .form = OMS_FORM_BARE,
                              .ci = 0x7a,
                              .access = (uint8_t)n,
                              .mode = mode,
                              .counter = n + 1,
                              .key = keys[n + 1] };
    char digits[16];

    snprintf(digits, sizeof digits, "2600%04u", n);
    of.link = (struct oms_address){ .maker = OMS_MAKER('N', 'L', 'M'),
                                    .id = (uint32_t)strtoul(digits, NULL, 16),
                                    .version = 1,
                                    .type = 7 };
    of.meter = of.link;
    of.records = records;
    if (oms_encode(&of, &w))
        fail("oms", "does not encode");
    *len = wr_len(&w);
}

static void oms_frame(uint8_t *out, size_t *len, unsigned n, uint8_t mode)
{
    uint8_t records[128];

    oms_telegram(out, len, n, mode, span_of(records, oms_records(records, sizeof records)));
}

static void oms_plain(uint8_t *out, size_t *len, unsigned n)
{
    oms_frame(out, len, n, 0);
}

/* What most instruments send: volume, clock, error flags and flow of this moment. */
static void oms_today(uint8_t *out, size_t *len, unsigned n)
{
    static const uint8_t records[] = { 0x04, 0x13, 0x39, 0x65, 0x0c, 0x00, 0x02,
                                       0xfd, 0x17, 0x00, 0x00, 0x04, 0x6d, 0x1e,
                                       0x08, 0x5a, 0x3b, 0x02, 0x3b, 0x00, 0x00 };

    oms_telegram(out, len, n, 0, span_of(records, sizeof records));
}

static void oms_mode5(uint8_t *out, size_t *len, unsigned n)
{
    oms_frame(out, len, n, 5);
}

static void oms_mode7(uint8_t *out, size_t *len, unsigned n)
{
    oms_frame(out, len, n, 7);
}

static void cjt188_frame(uint8_t *out, size_t *len, unsigned n)
{
    char address[16];
    struct cjt188_head head = { .type = 0x10, .control = 0x81, .serial = (uint8_t)n, .di = 0x901f };
    struct cjt188_metering m = { .volume_ml = 812340000, .clock_s = NOW_S, .unit = 0x2c };
    uint8_t data[64];
    struct wr d = wr_of(data, sizeof data), w = wr_of(out, FRAME_MOST);

    snprintf(address, sizeof address, "7833002600%04u", n);
    head.address = span_text(address);
    if (cjt188_put_metering(&m, &d) || cjt188_put(&head, wr_span(&d), &w))
        fail("cjt188", "does not encode");
    *len = wr_len(&w);
}

static void senml_json_frame(uint8_t *out, size_t *len, unsigned n)
{
    *len = (size_t)snprintf(
        (char *)out, FRAME_MOST,
        "[{\"bn\":\"urn:imei:86800000260%04u:\",\"bt\":%d,\"bu\":\"m3\",\"n\":\"vol\",\"v\":812."
        "345},"
        "{\"n\":\"vol\",\"t\":-3600,\"v\":812.341},{\"n\":\"battery\",\"u\":\"V\",\"v\":3.61}]",
        n, NOW_S);
}

/* {-2: "urn:imei:…:", -3: NOW_S, -4: "m3", 0: "vol", 2: 812.345 as a decimal fraction}, … */
static void senml_cbor_frame(uint8_t *out, size_t *len, unsigned n)
{
    struct wr w = wr_of(out, FRAME_MOST);
    char name[40];

    snprintf(name, sizeof name, "urn:imei:86800000260%04u:", n);
    wr_bytes(&w, span_of("\x82\xa5\x21\x78", 4));
    wr_u8(&w, (uint8_t)strlen(name));
    wr_text(&w, name);
    wr_bytes(&w, span_of("\x22\x1a", 2));
    wr_be32(&w, NOW_S);
    wr_bytes(&w, span_of("\x23\x62m3\x00\x63vol\x02\xc4\x82\x22\x1a", 14));
    wr_be32(&w, 812345);
    wr_bytes(&w, span_of("\xa3\x00\x63vol\x06\x39\x0e\x0f\x02\xc4\x82\x22\x1a", 15));
    wr_be32(&w, 812341);
    *len = wr_len(&w);
}

static size_t pulse_payload(uint8_t *out, size_t cap)
{
    struct wr w = wr_of(out, cap);

    wr_u8(&w, 0);
    wr_le32(&w, 812345);
    for (int i = 1; i < 24; i++)
        wr_le16(&w, (uint16_t)(i % 5 * 7));
    return wr_len(&w);
}

static void chirpstack_frame(uint8_t *out, size_t *len, unsigned n)
{
    uint8_t payload[64], text[128];
    struct wr w = wr_of(text, sizeof text - 1);

    base64_write(&w, span_of(payload, pulse_payload(payload, sizeof payload)));
    *w.at = 0;
    *len = (size_t)snprintf(
        (char *)out, FRAME_MOST,
        "{\"deduplicationId\":\"11111118-6ec9-4a68-8e26-5c608a40%04u\",\"time\":\"2026-11-26T00:00:"
        "00Z\","
        "\"deviceInfo\":{\"tenantId\":\"52f14cd4\",\"applicationId\":\"town\","
        "\"deviceProfileName\":\"pulse\","
        "\"deviceName\":\"m%u\",\"devEui\":\"70b3d5e02600%04u\",\"deviceClassEnabled\":\"CLASS_A\","
        "\"tags\":{}},"
        "\"devAddr\":\"00189440\",\"adr\":true,\"dr\":5,\"fCnt\":%u,\"fPort\":10,\"confirmed\":"
        "false,"
        "\"data\":\"%s\",\"rxInfo\":[{\"gatewayId\":\"0016c001f153a14c\",\"uplinkId\":4217106255,"
        "\"rssi\":-97,\"snr\":6.5,\"context\":\"jlsQIw==\"}],\"txInfo\":{\"frequency\":470300000}}",
        n, n, n, n + 1, (const char *)text);
}

static void pulse_frame(uint8_t *out, size_t *len, unsigned n)
{
    (void)n;
    *len = pulse_payload(out, FRAME_MOST);
}

static void kingda_frame(uint8_t *out, size_t *len, unsigned n)
{
    static const uint8_t sample[] = { 8, 0, 0, 4, 0xd2, 7, 0xea, 3, 1, 2, 0, 0 };

    memcpy(out, sample, sizeof sample);
    out[4] = (uint8_t)n;
    *len = sizeof sample;
}

/* ---- measuring ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double v[ROUNDS])
{
    qsort(v, ROUNDS, sizeof *v, by_size);
    return v[ROUNDS / 2];
}

static void decode_all(const struct frames *f, struct arena *a, uint64_t *values)
{
    for (unsigned n = 0; n < FRAMES; n++) {
        struct dialect_input in = { .bytes = span_of(f->bytes[n], f->len[n]),
                                    .arrival_s = NOW_S,
                                    .given = f->recipe.len ? span_text("M1") : span_of(NULL, 0),
                                    .recipe = f->recipe,
                                    .lore = &lore };
        struct refusal r = { 0 };
        struct frame frame = { 0 };
        enum err err;

        arena_clear(a);
        if ((err = f->dialect->decode(&in, a, &frame, &r))) {
            fprintf(stderr, "%s at byte %u: %s\n", err_name(err), r.offset, r.text);
            fail(f->name, "does not decode");
        }
        for (uint32_t s = 0; s < frame.series_count; s++)
            *values += frame.series[s].count;
    }
}

static uint32_t checksum_all(const struct frames *f)
{
    uint32_t sum = 0;

    for (unsigned n = 0; n < FRAMES; n++)
        sum ^= crc32c(0, f->bytes[n], f->len[n]);
    return sum;
}

/* What nobody can do without: the key set, the blocks decrypted. */
static void decrypt_all(const struct frames *f)
{
    static EVP_CIPHER_CTX *c;
    static EVP_CIPHER *aes;
    uint8_t out[FRAME_MOST];
    int len;

    if (!c && (!(c = EVP_CIPHER_CTX_new()) || !(aes = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL))))
        fail("AES", "is not there");
    for (unsigned n = 0; n < FRAMES; n++) {
        static const uint8_t iv[16];

        if (!EVP_DecryptInit_ex2(c, n ? NULL : aes, keys[n + 1], iv, NULL) ||
            !EVP_CIPHER_CTX_set_padding(c, 0) ||
            !EVP_DecryptUpdate(c, out, &len, f->bytes[n] + 15, (int)(f->len[n] - 15) / 16 * 16))
            fail("AES", "does not decrypt");
    }
}

static double rate(const struct frames *f, struct arena *a, int what, uint64_t *values)
{
    double seconds[ROUNDS];
    volatile uint32_t sink = 0;

    for (int round = -1; round < ROUNDS; round++) {
        double begun = now_s(), took;
        unsigned times = 0;

        *values = 0;
        do {
            if (what == 0)
                decode_all(f, a, values);
            else if (what == 1)
                sink ^= checksum_all(f);
            else
                decrypt_all(f);
            times++;
        } while ((took = now_s() - begun) < 0.1);
        *values /= times;
        if (round >= 0)
            seconds[round] = took / times;
    }
    return FRAMES / median(seconds);
}

static void measure(struct frames *f, struct arena *a,
                    void (*make)(uint8_t *out, size_t *len, unsigned n))
{
    uint64_t values, none;
    double ours, checksum, aes;

    profile_now = f->profile ? f->profile : "";
    for (unsigned n = 0; n < FRAMES; n++)
        make(f->bytes[n], &f->len[n], n);
    ours = rate(f, a, 0, &values);
    checksum = rate(f, a, 1, &none);
    printf("{\"figure\":\"decode_%s\",\"value\":%.0f,\"unit\":\"frames/s\",\"frame_bytes\":%zu,"
           "\"readings\":%.1f,\"baseline\":\"CRC-32C of the bytes\",\"ratio\":%.4f",
           f->name, ours, f->len[0], (double)values / FRAMES, ours / checksum);
    if (f->encrypted) {
        aes = rate(f, a, 2, &none);
        printf(",\"aes_cbc_alone\":%.0f,\"ratio_aes\":%.3f", aes, ours / aes);
    }
    puts("}");
    fflush(stdout);
}

static void read_recipes(void)
{
    struct span text;

    for (size_t n = 0; n < RECIPES && (text = recipe_shipped(n)).len; n++) {
        struct refusal r = { 0 };

        if (recipe_new(text, &recipes[recipe_count++], &r))
            fail("a recipe", r.text);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name, *dialect, *recipe, *profile;
        bool encrypted;
        void (*make)(uint8_t *out, size_t *len, unsigned n);
    } all[] = {
        { "native", "native", "", NULL, false, native_frame },
        { "oms_today", "oms", "", NULL, false, oms_today },
        { "oms_plain", "oms", "", NULL, false, oms_plain },
        { "oms_mode5", "oms", "", NULL, true, oms_mode5 },
        { "oms_mode7", "oms", "", NULL, true, oms_mode7 },
        { "cjt188", "cjt188", "", NULL, false, cjt188_frame },
        { "senml_json", "senml-json", "", NULL, false, senml_json_frame },
        { "senml_cbor", "senml-cbor", "", NULL, false, senml_cbor_frame },
        { "chirpstack", "chirpstack", "", "lora-pulse-day", false, chirpstack_frame },
        { "recipe_lora_pulse_day", "recipe", "lora-pulse-day", NULL, false, pulse_frame },
        { "recipe_kingda_bc95", "recipe", "kingda-bc95", NULL, false, kingda_frame },
    };
    struct frames *f = calloc(1, sizeof *f);
    struct arena a;

    if (!f || arena_init(&a, LIMIT_DECODE_ARENA))
        fail("memory", "there is none");
    read_recipes();
    for (unsigned n = 0; n <= FRAMES; n++)
        for (int i = 0; i < 16; i++)
            keys[n][i] = (uint8_t)(n * 31 + (unsigned)i * 7 + (n >> 4));
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (argc > 1 && strcmp(argv[1], all[i].name) != 0)
            continue;
        f->name = all[i].name;
        f->dialect = dialect_by_name(span_text(all[i].dialect));
        f->recipe = span_text(all[i].recipe);
        f->profile = all[i].profile;
        f->encrypted = all[i].encrypted;
        measure(f, &a, all[i].make);
    }
    free(f);
    arena_done(&a);
    while (recipe_count)
        recipe_free(recipes[--recipe_count]);
    return 0;
}
