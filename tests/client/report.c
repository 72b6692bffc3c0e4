#include "tests/client/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- protobuf, as far as a report needs it ---- */

struct bytes {
    uint8_t *at;
    size_t len, cap; /* len may grow past cap: then it did not fit */
};

static void put(struct bytes *b, uint8_t byte)
{
    if (b->len < b->cap)
        b->at[b->len] = byte;
    b->len++;
}

static void put_varint(struct bytes *b, uint64_t v)
{
    while (v >= 0x80) {
        put(b, (uint8_t)(v | 0x80));
        v >>= 7;
    }
    put(b, (uint8_t)v);
}

static uint64_t zigzag(int64_t v)
{
    return v < 0 ? ((uint64_t)~v << 1) + 1 : (uint64_t)v << 1;
}

static void put_fixed32(struct bytes *b, unsigned field, uint32_t v)
{
    put_varint(b, field << 3 | 5);
    for (int shift = 0; shift < 32; shift += 8)
        put(b, (uint8_t)(v >> shift));
}

static void put_field(struct bytes *b, unsigned field, uint64_t v)
{
    put_varint(b, field << 3);
    put_varint(b, v);
}

static void put_back(struct bytes *b, const struct report *r)
{
    for (size_t i = 1; i < r->count; i++)
        put_varint(b, zigzag(r->litres[i - 1] - r->litres[i]));
}

static void put_series(struct bytes *b, const struct report *r)
{
    struct bytes nothing = { 0 };

    put_field(b, 1, r->channel);
    put_field(b, 3, zigzag(r->litres[0]));
    put_fixed32(b, 4, r->at);
    if (r->count < 2)
        return;
    put_field(b, 5, r->step_s);
    put_back(&nothing, r);
    put_varint(b, 6 << 3 | 2);
    put_varint(b, nothing.len);
    put_back(b, r);
}

size_t report_put(const struct report *r, uint8_t *out, size_t cap)
{
    struct bytes b = { .at = out, .cap = cap }, series = { 0 };

    put_varint(&b, 1 << 3 | 2);
    put_varint(&b, strlen(r->meter));
    for (const char *c = r->meter; *c; c++)
        put(&b, (uint8_t)*c);
    if (r->sent)
        put_fixed32(&b, 3, r->sent);
    put_series(&series, r);
    put_varint(&b, 4 << 3 | 2);
    put_varint(&b, series.len);
    put_series(&b, r);
    return b.len <= cap ? b.len : 0;
}

size_t report_datagram(uint16_t mid, uint32_t token, const uint8_t *payload, size_t len,
                       uint8_t *out, size_t cap)
{
    const uint8_t head[] = { 0x44,
                             0x02,
                             (uint8_t)(mid >> 8),
                             (uint8_t)mid,
                             (uint8_t)(token >> 24),
                             (uint8_t)(token >> 16),
                             (uint8_t)(token >> 8),
                             (uint8_t)token,
                             0xb1,
                             'r',
                             0xff };

    if (sizeof head + len > cap)
        return 0;
    memcpy(out, head, sizeof head);
    memcpy(out + sizeof head, payload, len);
    return sizeof head + len;
}

/* ---- lists ---- */

void report_time(int64_t at_s, char out[24])
{
    time_t t = (time_t)at_s;
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* The member's value up to the quote, comma or brace that ends it. */
static bool member(const char *line, const char *end, const char *name, char *out, size_t cap)
{
    char key[32];
    size_t key_len = (size_t)snprintf(key, sizeof key, "\"%s\":", name), n = 0;
    const char *at = (const char *)memmem(line, (size_t)(end - line), key, key_len);

    out[0] = 0;
    if (!at)
        return false;
    at += key_len;
    at += *at == '"';
    while (at < end && *at != '"' && *at != ',' && *at != '}' && n + 1 < cap)
        out[n++] = *at++;
    out[n] = 0;
    return true;
}

static int64_t time_of(const char *text)
{
    struct tm tm = { 0 };

    if (sscanf(text, "%d-%d-%dT%d:%d:%dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec) != 6)
        return -1;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    return timegm(&tm);
}

static int64_t millilitres_of(const char *text)
{
    int64_t whole = strtoll(text, NULL, 10), part = 0;
    const char *dot = strchr(text, '.');

    for (int i = 1; i <= 3; i++) {
        part *= 10;
        if (dot && *dot && dot[1] >= '0' && dot[1] <= '9') {
            dot++;
            part += *dot - '0';
        } else {
            dot = NULL;
        }
    }
    return whole * 1000 + (*text == '-' ? -part : part);
}

static void take(const char *line, const char *end, struct listed *out)
{
    char text[32];

    memset(out, 0, sizeof *out);
    member(line, end, "time", text, sizeof text);
    out->time_s = time_of(text);
    member(line, end, "index_l", text, sizeof text);
    out->ml = millilitres_of(text);
    member(line, end, "channel", out->channel, sizeof out->channel);
    member(line, end, "source", out->source, sizeof out->source);
    member(line, end, "rule", out->rule, sizeof out->rule);
    out->retimed = member(line, end, "retimed", text, sizeof text);
}

long listed_read(const char *body, struct listed **out)
{
    size_t count = 0, cap = 0;
    struct listed *rows = NULL;

    *out = NULL;
    for (const char *line = body, *end; (end = strchr(line, '\n')); line = end + 1) {
        char rows_told[24];

        if (strncmp(line, "{\"end\":true", 11) == 0) {
            member(line, end, "rows", rows_told, sizeof rows_told);
            if (strtoul(rows_told, NULL, 10) != count)
                break;
            *out = rows;
            return (long)count;
        }
        if (count == cap) {
            cap = cap ? 2 * cap : 256;
            rows = (struct listed *)realloc(rows, cap * sizeof *rows);
            if (!rows)
                abort();
        }
        take(line, end, &rows[count++]);
    }
    free(rows);
    return -1;
}
