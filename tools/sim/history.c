#include "tools/sim/history.h"

#include <assert.h>
#include <csv.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/base/limits.h"
#include "proto/native.h"
#include "tools/nilo/args.h"

/* ---- reading the file ---- */

enum wanted { WANT_SERIAL, WANT_TIME, WANT_INDEX, WANT_CHANNEL, WANT_SOURCE, WANT_COUNT };
#define BATCH_SERIES                                                                               \
    64 /* then the report goes out; a plain payload holds hardly more lone values */
#define VALUE_MOST                                                                                 \
    INT64_C(9200000000000000000) /* contract §3: what a report may say, in thousandths */
#define WANT_NEEDED WANT_CHANNEL /* the columns below it */

bool history_columns_read(const char *map, struct history_columns *out)
{
    struct history_columns c = { "serial", "time", "index_l", "channel", "source" };
    const struct {
        const char *name;
        char *place;
    } known[] = { { "serial", c.serial },
                  { "time", c.time },
                  { "index_l", c.index_l },
                  { "channel", c.channel },
                  { "source", c.source } };

    for (const char *at = map; at && *at; at += strspn(at, ",")) {
        size_t name = strcspn(at, "="), len = strcspn(at, ",");
        bool found = false;

        for (size_t i = 0; i < WANT_COUNT && name < len; i++)
            if (strlen(known[i].name) == name && !memcmp(known[i].name, at, name)) {
                snprintf(known[i].place, 64, "%.*s", (int)(len - name - 1), at + name + 1);
                found = true;
            }
        if (!found) {
            say("--columns: expected serial=NAME,time=NAME,index_l=NAME, found '%s'", map);
            return false;
        }
        at += len;
    }
    *out = c;
    return true;
}

struct reading_file {
    const char *name;
    const struct history_columns *columns;
    const struct zone *zone;
    struct history *out;
    uint32_t line;
    int cell, place[WANT_COUNT]; /* of the columns, −1 while not seen */
    char text[WANT_COUNT][64];
    bool heading_done, failed;
    uint32_t *table, table_cap; /* serial → meter + 1, open addressing */
};

static void fail(struct reading_file *f, const char *what, const char *found)
{
    if (!f->failed)
        say("%s:%u: %s, found '%s'", f->name, f->line, what, found);
    f->failed = true;
}

static const char *column_name(const struct reading_file *f, int wanted)
{
    const char *const names[] = { f->columns->serial, f->columns->time, f->columns->index_l,
                                  f->columns->channel, f->columns->source };

    return names[wanted];
}

static void say_no_column(struct reading_file *f, int wanted)
{
    if (!f->failed)
        say("%s:%u: the header has no column '%s'; say how the file calls its columns: "
            "--columns serial=NAME,time=NAME,index_l=NAME",
            f->name, f->line, column_name(f, wanted));
    f->failed = true;
}

static void on_cell(void *bytes, size_t len, void *arg)
{
    struct reading_file *f = arg;

    for (int i = 0; i < WANT_COUNT; i++) {
        const char *name = column_name(f, i);

        if (!f->heading_done && strlen(name) == len && !memcmp(name, bytes, len))
            f->place[i] = f->cell;
        if (f->heading_done && f->place[i] == f->cell)
            snprintf(f->text[i], sizeof f->text[i], "%.*s", (int)len, (const char *)bytes);
    }
    f->cell++;
}

static uint32_t text_hash(const char *text)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

static bool grow_table(struct reading_file *f)
{
    uint32_t cap = f->table_cap ? f->table_cap * 2 : 1024;
    uint32_t *table = calloc(cap, sizeof *table);

    if (!table)
        return false;
    for (uint32_t m = 0; m < f->out->meter_count; m++) {
        uint32_t at = text_hash(f->out->meters[m].serial) & (cap - 1);

        while (table[at])
            at = (at + 1) & (cap - 1);
        table[at] = m + 1;
    }
    free(f->table);
    f->table = table;
    f->table_cap = cap;
    return true;
}

/* Doubles an array where it is full. */
static bool make_room(void **array, size_t size, size_t count, size_t *cap)
{
    size_t more = *cap ? *cap * 2 : 1024;
    void *grown;

    if (count < *cap)
        return true;
    grown = realloc(*array, more * size);
    if (!grown)
        return false;
    *array = grown;
    *cap = more;
    return true;
}

/* The meter of a serial, known or new; UINT32_MAX: no memory. */
static uint32_t meter_of(struct reading_file *f, const char *serial)
{
    struct history *h = f->out;
    uint32_t at;

    if (h->meter_count * 2 >= f->table_cap && !grow_table(f))
        return UINT32_MAX;
    if (!make_room((void **)&h->meters, sizeof *h->meters, h->meter_count, &h->meter_cap))
        return UINT32_MAX;
    at = text_hash(serial) & (f->table_cap - 1);
    for (; f->table[at]; at = (at + 1) & (f->table_cap - 1))
        if (!strcmp(h->meters[f->table[at] - 1].serial, serial))
            return f->table[at] - 1;
    h->meters[h->meter_count] = (struct past_meter){ .first_s = INT64_MAX };
    snprintf(h->meters[h->meter_count].serial, SERIAL_MAX + 1, "%s", serial);
    f->table[at] = h->meter_count + 1;
    return h->meter_count++;
}

/* Channel and source, where the row names them. */
static void read_kind(struct reading_file *f, struct past *row)
{
    const char *source = f->text[WANT_SOURCE];
    enum channel channel = CHANNEL_FORWARD;

    if (*f->text[WANT_CHANNEL] && channel_read(span_text(f->text[WANT_CHANNEL]), &channel))
        fail(f, "expected forward, reverse, net, pressure or temperature", f->text[WANT_CHANNEL]);
    row->channel = (uint8_t)channel;
    row->by_hand = !strcmp(source, "manual") || !strcmp(source, "photo");
    if (*source && !row->by_hand && strcmp(source, "remote") != 0)
        fail(f, "expected remote, manual or photo", source);
}

static void take_row(struct reading_file *f)
{
    struct history *h = f->out;
    struct past row = { .order = f->line };
    enum err err;

    if (!text_is_serial(span_text(f->text[WANT_SERIAL])))
        fail(f, "expected a serial of 1 to 32 letters, digits and ._:-", f->text[WANT_SERIAL]);
    err = text_time(span_text(f->text[WANT_TIME]), f->zone, &row.time_s);
    if (err)
        fail(f, err == ERR_NOT_FOUND ? "expected a local time that occurs" : "expected a time",
             f->text[WANT_TIME]);
    if (text_litres(span_text(f->text[WANT_INDEX]), &row.value))
        fail(f, "expected litres", f->text[WANT_INDEX]);
    if (row.time_s <= 0 || row.time_s > UINT32_MAX)
        fail(f, "expected a time from 1970 to 2106", f->text[WANT_TIME]);
    if (row.value < -VALUE_MOST || row.value > VALUE_MOST)
        fail(f, "expected at most 9.2e15 litres", f->text[WANT_INDEX]);
    read_kind(f, &row);
    if (f->failed)
        return;
    row.meter = meter_of(f, f->text[WANT_SERIAL]);
    if (row.meter == UINT32_MAX || !make_room((void **)&h->at, sizeof *h->at, h->count, &h->cap)) {
        fail(f, "expected memory to be left", "none");
        return;
    }
    if ((row.channel == CHANNEL_FORWARD || row.channel == CHANNEL_NET) &&
        row.time_s < h->meters[row.meter].first_s) {
        h->meters[row.meter].net = row.channel == CHANNEL_NET;
        h->meters[row.meter].first_s = row.time_s;
        h->meters[row.meter].first_value = row.value;
    }
    h->at[h->count++] = row;
}

static void on_row(int end, void *arg)
{
    struct reading_file *f = arg;

    (void)end;
    f->line++;
    if (f->failed)
        return;
    if (f->heading_done) {
        take_row(f);
    } else {
        f->heading_done = true;
        for (int i = 0; i < WANT_NEEDED; i++)
            if (f->place[i] < 0)
                say_no_column(f, i);
    }
    f->cell = 0;
    memset(f->text, 0, sizeof f->text);
}

struct sortable {
    int64_t day;
    struct past row;
};

static int by_day_meter_time(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;

    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    if (x->row.meter != y->row.meter)
        return x->row.meter < y->row.meter ? -1 : 1;
    if (x->row.time_s != y->row.time_s)
        return x->row.time_s < y->row.time_s ? -1 : 1;
    return (x->row.order > y->row.order) - (x->row.order < y->row.order);
}

static bool sort(struct history *h, const struct zone *zone)
{
    struct sortable *all = malloc((h->count + 1) * sizeof *all);

    if (!all) {
        say("no memory is left");
        return false;
    }
    for (size_t i = 0; i < h->count; i++)
        all[i] = (struct sortable){ zone_day_number(zone, h->at[i].time_s), h->at[i] };
    qsort(all, h->count, sizeof *all, by_day_meter_time);
    for (size_t i = 0; i < h->count; i++)
        h->at[i] = all[i].row;
    free(all);
    return true;
}

bool history_read(FILE *file, const char *name, const struct history_columns *columns,
                  const struct zone *zone, struct history *out)
{
    struct reading_file f = {
        .name = name, .columns = columns, .zone = zone, .out = out, .place = { -1, -1, -1, -1, -1 }
    };
    struct csv_parser parser;
    char piece[65536];
    size_t len;

    *out = (struct history){ 0 };
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI)) {
        say("no memory is left");
        return false;
    }
    while (!f.failed && (len = fread(piece, 1, sizeof piece, file)))
        if (csv_parse(&parser, piece, len, on_cell, on_row, &f) != len)
            fail(&f, "expected CSV", csv_strerror(csv_error(&parser)));
    if (!f.failed && csv_fini(&parser, on_cell, on_row, &f))
        fail(&f, "expected CSV", csv_strerror(csv_error(&parser)));
    if (!f.failed && ferror(file))
        fail(&f, "expected a file that can be read", strerror(errno));
    csv_free(&parser);
    free(f.table);
    if (f.failed || !sort(out, zone)) {
        history_done(out);
        return false;
    }
    return true;
}

void history_done(struct history *h)
{
    free(h->at);
    free(h->meters);
    *h = (struct history){ 0 };
}

size_t history_day(const struct history *h, const struct zone *zone, size_t first)
{
    int64_t day = zone_day_number(zone, h->at[first].time_s);
    size_t end = first;

    while (end < h->count && zone_day_number(zone, h->at[end].time_s) == day)
        end++;
    return end;
}

size_t history_meter(const struct history *h, size_t first, size_t day_end)
{
    size_t end = first;

    while (end < day_end && h->at[end].meter == h->at[first].meter)
        end++;
    return end;
}

/* ---- reports ---- */

/* A report under construction. `cost` is never below the bytes it will take. */
struct building {
    const char *serial;
    int64_t sent_s, unit; /* thousandths that one count stands for */
    int8_t scale;
    uint32_t *seq;
    report_sink *sink;
    void *arg;
    struct sample *samples;
    struct series series[BATCH_SERIES];
    int8_t scales[BATCH_SERIES];
    size_t used, cost;
    uint32_t count; /* of series */
    bool failed;
};

/* Bytes of a protobuf varint of a zigzag integer. */
static size_t zigzag_size(int64_t v)
{
    uint64_t z = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
    size_t size = 1;

    while (z >>= 7)
        size++;
    return size;
}

static size_t base_cost(const struct building *b)
{
    return 2 + strlen(b->serial) + 6 + 5; /* meter, seq, sent */
}

static void flush(struct building *b)
{
    uint8_t buffer[LIMIT_PAYLOAD_PLAIN];
    struct wr w = wr_of(buffer, sizeof buffer);
    struct frame f = { .names = names_of(span_text(b->serial)),
                       .sent_s = b->sent_s,
                       .series_count = b->count,
                       .series = b->series };
    enum err err;

    if (!b->count || b->failed)
        return;
    f.seq = ++*b->seq;
    err = native_encode(&f, b->scales, &w);
    assert(!err); /* the cost was counted, spacing and steps were checked */
    if (err || !b->sink(b->arg, wr_span(&w), b->used))
        b->failed = true;
    b->count = 0;
    b->used = 0;
    b->cost = base_cost(b);
}

/* Does the sample go on evenly from the last series? Then what it costs, else 0. */
static size_t continues(const struct building *b, enum channel c, struct sample s)
{
    const struct series *last = b->count ? &b->series[b->count - 1] : NULL;
    const struct sample *newest = last ? last->samples : NULL;
    int64_t gap, step;

    if (!last || last->channel != c || last->count > LIMIT_BACK)
        return 0;
    gap = newest[last->count - 1].at_s - s.at_s;
    if (__builtin_sub_overflow(newest[last->count - 1].value, s.value, &step))
        return 0;
    step /= b->unit;
    if (gap <= 0 || gap > UINT32_MAX || step < INT32_MIN || step > INT32_MAX)
        return 0;
    if (last->count > 1)
        return newest[0].at_s - newest[1].at_s == gap ? zigzag_size(step) : 0;
    return zigzag_size(step) + 6 + 3; /* step_s, and the head of back */
}

static void add(struct building *b, enum channel c, struct sample s)
{
    size_t more = continues(b, c, s), alone = 3 + 2 + 2 + 1 + zigzag_size(s.value / b->unit) + 5;

    if (more && b->cost + more <= LIMIT_PAYLOAD_PLAIN) {
        b->samples[b->used++] = s;
        b->series[b->count - 1].count++;
        b->cost += more;
        return;
    }
    if (b->count == BATCH_SERIES || b->cost + alone > LIMIT_PAYLOAD_PLAIN)
        flush(b);
    b->scales[b->count] = b->scale;
    b->series[b->count++] = (struct series){ c, 1, &b->samples[b->used] };
    b->samples[b->used++] = s;
    b->cost += alone;
}

/* Whole litres where all values are, else as fine as needed. */
static void choose_scale(struct building *b, const struct past *rows, size_t count)
{
    b->scale = 0;
    b->unit = 1000;
    for (size_t i = 0; i < count; i++)
        while (rows[i].value % b->unit) {
            b->unit /= 10;
            b->scale--;
        }
}

/* How many rows of the same channel and instant and another value stand before row `i`; −1: an
 * equal row does, or a person read it. */
static int layer_of(const struct past *rows, size_t i)
{
    int layer = 0;

    if (rows[i].by_hand)
        return -1;
    for (size_t j = i; j-- > 0 && rows[j].time_s == rows[i].time_s;) {
        if (rows[j].by_hand || rows[j].channel != rows[i].channel)
            continue;
        if (rows[j].value == rows[i].value)
            return -1;
        layer++;
    }
    return layer;
}

/* Adds a channel's rows of a layer, newest first. Is there a layer above it? */
static bool add_channel(struct building *b, const struct past *rows, size_t count, unsigned channel,
                        int layer)
{
    bool more = false;

    for (size_t i = count; i-- > 0;) {
        int own = rows[i].channel == channel ? layer_of(rows, i) : -1;

        if (own == layer)
            add(b, (enum channel)channel, (struct sample){ rows[i].time_s, rows[i].value });
        more |= own > layer;
    }
    return more;
}

bool history_reports(const char *serial, const struct past *rows, size_t count, int64_t sent_s,
                     uint32_t *seq, report_sink *sink, void *arg)
{
    struct building b = {
        .serial = serial, .sent_s = sent_s, .seq = seq, .sink = sink, .arg = arg
    };
    bool more = true;

    b.samples = malloc((count + 1) * sizeof *b.samples);
    if (!b.samples) {
        say("no memory is left");
        return false;
    }
    b.cost = base_cost(&b);
    choose_scale(&b, rows, count);
    for (int layer = 0; more && !b.failed; layer++) {
        more = false;
        for (unsigned channel = 0; channel < CHANNEL_COUNT; channel++)
            more |= add_channel(&b, rows, count, channel, layer);
        flush(&b);
    }
    free(b.samples);
    return !b.failed;
}
