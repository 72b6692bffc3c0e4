/* A file of readings: parsed row by row, gathered in slices.  Nothing of it counts before all of it
 * does. */
#include "server/acts/import_stage.h"

#include "server/acts/register.h"

#include <stdlib.h>

enum { READING_SERIAL, READING_TIME, READING_INDEX, READING_CHANNEL, READING_SOURCE };

const struct list list_readings = {
    .kind = LIST_COUNT,
    .plural = "readings",
    .columns = 5,
    .column = {
        [READING_SERIAL] = { "serial", COLUMN_SERIAL, NEED_KEY },
        [READING_TIME] = { "time", COLUMN_TIME, NEED_KEY },
        [READING_INDEX] = { "index_l", COLUMN_LITRES, NEED_MUST },
        [READING_CHANNEL] = { "channel", COLUMN_TEXT, NEED_MAY },
        [READING_SOURCE] = { "source", COLUMN_TEXT, NEED_MAY },
    },
};

struct reading_file {
    struct import *import;
    struct stage *stage;
    struct item *items;
    size_t count;
    bool sliced;                /* a slice went its way */
    uint8_t serial[SERIAL_MAX]; /* of the row before, which most often is this row's */
    size_t serial_len;
    uint32_t meter;
    uint8_t date[10]; /* of the row before */
    int64_t date_s;
    bool date_known;
};

/* ---- cells ---- */

static enum err refuse_cell(struct import_refusal *why, unsigned column, struct span found,
                            const char *expected)
{
    return row_refuse(why, ERR_INVALID, &list_readings.column[column],
                      found.len ? found : span_text("nothing"), "%s", expected);
}

static enum err take_serial(struct reading_file *f, struct span cell, struct item *out,
                            struct import_refusal *why)
{
    struct registry *r = f->import->app->registry;

    if (f->meter && cell.len == f->serial_len && memcmp(cell.at, f->serial, cell.len) == 0) {
        out->key = f->meter << 4;
        return ERR_OK;
    }
    registry_read_lock(r);
    f->meter = cell.len && cell.len <= SERIAL_MAX ? registry_serial_lkd(r, cell) : 0;
    registry_read_unlock(r);
    if (f->meter >= stage_meters(f->stage))
        f->meter = 0;
    if (!f->meter)
        return refuse_cell(why, READING_SERIAL, cell, "the serial of a meter that is registered");
    memcpy(f->serial, cell.at, cell.len);
    f->serial_len = cell.len;
    out->key = f->meter << 4;
    return ERR_OK;
}

/* Two digits, −1 where they are none. */
static int two_digits(const uint8_t *at)
{
    unsigned tens = at[0] - '0', ones = at[1] - '0';

    return tens < 10 && ones < 10 ? (int)(tens * 10 + ones) : -1;
}

/* Midnight (UTC) of the date the cell begins with, kept for the rows that follow. */
static bool date_begin(struct reading_file *f, const uint8_t *at)
{
    int64_t day;

    if (f->date_known && memcmp(at, f->date, sizeof f->date) == 0)
        return true;
    f->date_known = text_date(span_of(at, sizeof f->date), &day) == ERR_OK;
    memcpy(f->date, at, sizeof f->date);
    f->date_s = f->date_known ? day * 86400 : 0;
    return f->date_known;
}

/* "2026-03-01T02:00:00Z" and the same with "+08:00", the forms that machines write. False: read it
 * the long way. */
static bool quick_time(struct reading_file *f, struct span cell, int64_t *out_s)
{
    const uint8_t *at = cell.at;
    int hour, minute, second, offset_hour = 0, offset_minute = 0, offset_s;

    if ((cell.len != 20 && cell.len != 25) || at[10] != 'T' || at[13] != ':' || at[16] != ':')
        return false;
    hour = two_digits(at + 11);
    minute = two_digits(at + 14);
    second = two_digits(at + 17);
    if (cell.len == 25) {
        if ((at[19] != '+' && at[19] != '-') || at[22] != ':')
            return false;
        offset_hour = two_digits(at + 20);
        offset_minute = two_digits(at + 23);
    } else if (at[19] != 'Z') {
        return false;
    }
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 ||
        offset_hour < 0 || offset_hour > 23 || offset_minute < 0 || offset_minute > 59 ||
        !date_begin(f, at))
        return false;
    offset_s = offset_hour * 3600 + offset_minute * 60;
    *out_s =
        f->date_s + (hour * 3600 + minute * 60 + second) - (at[19] == '-' ? -offset_s : offset_s);
    return true;
}

static enum err take_time(struct reading_file *f, struct span cell, struct item *out,
                          struct import_refusal *why)
{
    int64_t at_s = 0;

    if (!quick_time(f, cell, &at_s)) {
        enum err err = text_time(cell, f->import->zone, &at_s);

        if (err == ERR_NOT_FOUND)
            return refuse_cell(why, READING_TIME, cell,
                               "a local time that occurs: the clocks went forward over this one");
        if (err)
            return refuse_cell(why, READING_TIME, cell,
                               cell_expected(&list_readings.column[READING_TIME]));
    }
    if (at_s < 0 || at_s > UINT32_MAX)
        return refuse_cell(why, READING_TIME, cell, "a time from 1970 to 2106");
    out->time_s = (uint32_t)at_s;
    if (at_s > f->import->now_s + FUTURE_AFTER_S)
        out->attr |= ATTR_FUTURE;
    return ERR_OK;
}

static enum err take_channel(struct span cell, struct item *out, struct import_refusal *why)
{
    enum channel c = CHANNEL_BILLED;

    if (cell.len && channel_read(cell, &c))
        return refuse_cell(why, READING_CHANNEL, cell,
                           "forward, reverse, net, pressure or temperature");
    out->key |= (uint32_t)c;
    return ERR_OK;
}

static enum err take_source(struct span cell, struct item *out, struct import_refusal *why)
{
    if (cell.len == 0 || span_equal(cell, span_text("remote")))
        out->attr |= SOURCE_REMOTE;
    else if (span_equal(cell, span_text("manual")))
        out->attr |= SOURCE_MANUAL;
    else if (span_equal(cell, span_text("photo")))
        out->attr |= SOURCE_PHOTO;
    else
        return refuse_cell(why, READING_SOURCE, cell, "remote, manual or photo");
    return ERR_OK;
}

static enum err take_index(struct span cell, struct item *out, struct import_refusal *why)
{
    if (text_litres(cell, &out->value))
        return refuse_cell(why, READING_INDEX, cell,
                           cell_expected(&list_readings.column[READING_INDEX]));
    return ERR_OK;
}

/* ---- rows ---- */

static enum err row_take(struct reading_file *f, const struct rowfile_row *row, struct item *out,
                         struct import_refusal *why)
{
    const struct span *cells = row->cells;
    enum err err;

    out->attr = 0;
    if ((err = take_serial(f, cells[READING_SERIAL], out, why)) ||
        (err = take_time(f, cells[READING_TIME], out, why)) ||
        (err = take_index(cells[READING_INDEX], out, why)) ||
        (err = take_channel(cells[READING_CHANNEL], out, why)))
        return err;
    return take_source(cells[READING_SOURCE], out, why);
}

/* Once a row was refused that must not be, or in a dry run, the rest is only checked. */
static bool only_checked(const struct reading_file *f)
{
    return f->import->options->dry_run ||
           (f->import->report->refused && !f->import->options->keep_going);
}

static bool slice_full(struct reading_file *f)
{
    if (!only_checked(f)) {
        f->sliced = true;
        f->import->err = stage_put(f->stage, f->items, f->count, false);
    }
    f->count = 0;
    return !f->import->err;
}

static bool reading_row(void *arg, const struct rowfile_row *row)
{
    struct reading_file *f = (struct reading_file *)arg;
    struct import_refusal why;

    if (import_stopped(f->import))
        return false;
    f->import->report->rows++;
    if (row_take(f, row, &f->items[f->count], &why)) {
        why.line = row->line;
        return import_refuse(f->import, &why);
    }
    return ++f->count < STAGE_SLICE || slice_full(f);
}

static bool reading_fault(void *arg, const struct import_refusal *refusal)
{
    struct reading_file *f = (struct reading_file *)arg;

    f->import->report->rows++;
    return import_refuse(f->import, refusal);
}

static enum err file_end(struct reading_file *f)
{
    struct import *i = f->import;
    enum err err = import_verdict(i);

    if (err)
        return err;
    if (i->options->dry_run) {
        i->report->written = i->report->rows - i->report->refused;
        return ERR_OK;
    }
    if ((err = stage_put(f->stage, f->items, f->count, !f->sliced && f->count <= STAGE_SMALL)))
        return err;
    return stage_complete(f->stage);
}

enum err import_readings(struct import *i, struct span text)
{
    static const struct rowfile_calls calls = { reading_row, reading_fault };
    struct reading_file f = { .import = i };
    struct import_refusal header;
    enum err err = stage_new(i, &f.stage);

    if (!err && !(f.items = (struct item *)malloc(STAGE_SLICE * sizeof *f.items)))
        err = ERR_NO_MEMORY;
    if (!err && (err = rowfile_read(text, &list_readings, &calls, &f, &header)) == ERR_INVALID)
        import_refuse(i, &header);
    if (!err)
        err = file_end(&f);
    if (err)
        i->report->written = 0;
    stage_free(f.stage);
    free(f.items);
    return err;
}
