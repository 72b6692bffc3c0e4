#include "server/routes_draw.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

bool sheet_read_of(const struct sheet_row *row, struct sheet_read *out)
{
    const struct sheet_read *manual = row->is_signed ? &row->line.manual : &row->facts.manual;
    const struct sheet_read *remote = row->is_signed ? &row->line.remote : &row->facts.remote;

    *out = manual->known ? *manual : *remote;
    return out->known && row->meter;
}

static enum err rank(EVP_MD_CTX *hash, const char *seed, struct span point, uint8_t out[32])
{
    unsigned len = 0;

    if (EVP_DigestInit_ex(hash, EVP_sha256(), NULL) && EVP_DigestUpdate(hash, seed, strlen(seed)) &&
        EVP_DigestUpdate(hash, ":", 1) && EVP_DigestUpdate(hash, point.at, point.len) &&
        EVP_DigestFinal_ex(hash, out, &len) && len == 32)
        return ERR_OK;
    return ERR_NO_MEMORY;
}

static int by_rank(const void *a, const void *b)
{
    return memcmp(((const struct drawn_point *)a)->rank, ((const struct drawn_point *)b)->rank,
                  sizeof((const struct drawn_point *)a)->rank);
}

void route_draw_done(struct route_draw *d)
{
    free(d->drawn);
    *d = (struct route_draw){ 0 };
}

enum err route_draw(const struct route_sheet *s, struct span route, enum recheck_level level,
                    struct route_draw *out)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    struct sheet_read read;
    char date[11];
    enum err err = hash ? ERR_OK : ERR_NO_MEMORY;

    *out = (struct route_draw){ 0 };
    text_put_date(date, s->day.day);
    snprintf(out->seed, sizeof out->seed, "%.*s:%s:%s", (int)route.len, (const char *)route.at,
             date, recheck_level_name(level));
    out->drawn = (struct drawn_point *)calloc(s->count + 1, sizeof *out->drawn);
    if (!out->drawn)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; i < s->count && !err; i++) {
        if (!sheet_read_of(&s->rows[i], &read))
            continue;
        out->drawn[out->of].row = i;
        err = rank(hash, out->seed, sheet_span(s, s->rows[i].name), out->drawn[out->of].rank);
        out->of++;
    }
    EVP_MD_CTX_free(hash);
    if (err)
        return err;
    qsort(out->drawn, out->of, sizeof *out->drawn, by_rank);
    out->count = recheck_count(level, out->of);
    return ERR_OK;
}
