#include "tools/sim/cast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/hex.h"
#include "tools/nilo/args.h"

#define CELLS_MOST 32
#define LINE_MOST 4096

struct cast {
    struct speaker *at; /* in order of serial */
    size_t count, cap;
};

/* ---- plain CSV: a header, no quotes, as nilo sim town writes ---- */

struct sheet {
    FILE *file;
    const char *name;
    unsigned line;
    char header[LINE_MOST], row[LINE_MOST];
    char *columns[CELLS_MOST], *cells[CELLS_MOST];
    size_t column_count;
};

static size_t split(char *line, char *cells[CELLS_MOST])
{
    size_t count = 0;

    line[strcspn(line, "\r\n")] = 0;
    while (line && count < CELLS_MOST)
        cells[count++] = strsep(&line, ",");
    return count;
}

static bool sheet_open(struct sheet *s, const char *name)
{
    s->name = name;
    if (!(s->file = fopen(name, "r")) || !fgets(s->header, sizeof s->header, s->file)) {
        say("%s cannot be read: %m", name);
        return false;
    }
    s->line = 1;
    s->column_count = split(s->header, s->columns);
    return true;
}

/* False: the end, or *ok is false and it was said why. */
static bool sheet_next(struct sheet *s, bool *ok)
{
    *ok = true;
    if (!fgets(s->row, sizeof s->row, s->file))
        return false;
    s->line++;
    if (strchr(s->row, '"') || split(s->row, s->cells) != s->column_count) {
        say("%s, line %u: expected %zu plain cells", s->name, s->line, s->column_count);
        *ok = false;
    }
    return *ok;
}

static const char *sheet_cell(const struct sheet *s, const char *column)
{
    for (size_t i = 0; i < s->column_count; i++)
        if (!strcmp(s->columns[i], column))
            return s->cells[i];
    return "";
}

/* ---- the cast ---- */

static int by_serial(const void *a, const void *b)
{
    return strcmp(((const struct speaker *)a)->serial, ((const struct speaker *)b)->serial);
}

static bool take_meter(struct cast *c, const struct sheet *s)
{
    const char *dialect = sheet_cell(s, "dialect"), *resolution = sheet_cell(s, "resolution_l");
    struct speaker *who;
    int v = 0;

    if (c->count == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 1024;
        struct speaker *more = realloc(c->at, cap * sizeof *more);

        if (!more) {
            say("no memory is left");
            return false;
        }
        c->at = more;
        c->cap = cap;
    }
    while (v < VOICE_COUNT && strcmp(dialect, voice_dialect((enum voice)v)))
        v++;
    if (v == VOICE_COUNT && *dialect) {
        say("%s, line %u: nothing here speaks '%s'", s->name, s->line, dialect);
        return false;
    }
    who = &c->at[c->count++];
    *who = (struct speaker){ .voice = v == VOICE_COUNT ? VOICE_NATIVE : (enum voice)v };
    snprintf(who->serial, sizeof who->serial, "%s", sheet_cell(s, "serial"));
    snprintf(who->radio_id, sizeof who->radio_id, "%s", sheet_cell(s, "radio_id"));
    if (text_litres(span_text(resolution), &who->pulse_ml))
        who->pulse_ml = 1000;
    return true;
}

static bool take_key(struct cast *c, const struct sheet *s)
{
    struct speaker *who = (struct speaker *)cast_of(c, sheet_cell(s, "serial"));
    size_t len = 0;

    if (!who || strcmp(sheet_cell(s, "kind"), "oms"))
        return true;
    who->has_key =
        !hex_read(span_text(sheet_cell(s, "key_hex")), who->key, sizeof who->key, &len) &&
        len == sizeof who->key;
    if (!who->has_key)
        say("%s, line %u: expected 32 hexadecimal digits", s->name, s->line);
    return who->has_key;
}

static bool read_all(struct cast *c, const char *name,
                     bool (*take)(struct cast *c, const struct sheet *s))
{
    struct sheet *s = calloc(1, sizeof *s);
    bool ok = s && sheet_open(s, name);

    while (ok && sheet_next(s, &ok))
        ok = take(c, s);
    if (s && s->file)
        fclose(s->file);
    free(s);
    return ok;
}

struct cast *cast_read(const char *meters, const char *keys)
{
    struct cast *c = calloc(1, sizeof *c);
    bool ok = c && read_all(c, meters, take_meter);

    if (ok && c->count)
        qsort(c->at, c->count, sizeof *c->at, by_serial);
    if (ok && (!keys || read_all(c, keys, take_key)))
        return c;
    cast_free(c);
    return NULL;
}

void cast_free(struct cast *c)
{
    if (!c)
        return;
    free(c->at);
    free(c);
}

const struct speaker *cast_of(const struct cast *c, const char *serial)
{
    struct speaker key = { 0 };

    snprintf(key.serial, sizeof key.serial, "%s", serial);
    return c->count ? bsearch(&key, c->at, c->count, sizeof *c->at, by_serial) : NULL;
}
