/* Days on which many customers are away.  Built in: Spring Festival from the Little New Year (eight
 * days before the new year, when people begin to travel home) to the Lantern Festival (fourteen
 * after it, when they are back), and 1 to 7 October. */
#include "server/detect/detect_priv.h"

#define AWAY_BEFORE 8
#define AWAY_AFTER 14
#define FIRST_YEAR 2010
#define LAST_YEAR 2040

/* First days of the lunar years, month and day: 2010 is 14 February. */
static const struct {
    uint8_t month, day;
} new_year[LAST_YEAR - FIRST_YEAR + 1] = {
    { 2, 14 }, { 2, 3 }, { 1, 23 }, { 2, 10 }, { 1, 31 }, { 2, 19 }, { 2, 8 },  { 1, 28 },
    { 2, 16 }, { 2, 5 }, { 1, 25 }, { 2, 12 }, { 2, 1 },  { 1, 22 }, { 2, 10 }, { 1, 29 },
    { 2, 17 }, { 2, 6 }, { 1, 26 }, { 2, 13 }, { 2, 3 },  { 1, 23 }, { 2, 11 }, { 1, 31 },
    { 2, 19 }, { 2, 8 }, { 1, 28 }, { 2, 15 }, { 2, 4 },  { 1, 24 }, { 2, 12 },
};

void holidays_builtin(struct holidays *h)
{
    h->count = 0;
    for (int32_t year = FIRST_YEAR; year <= LAST_YEAR; year++) {
        int32_t spring = (int32_t)day_number(year, new_year[year - FIRST_YEAR].month,
                                             new_year[year - FIRST_YEAR].day);
        int32_t october = (int32_t)day_number(year, 10, 1);

        h->spans[h->count++] = (struct holiday_span){ spring - AWAY_BEFORE, spring + AWAY_AFTER };
        h->spans[h->count++] = (struct holiday_span){ october, october + 6 };
    }
}

/* ---- a file ---- */

#define CELLS_MAX 16

struct table_reader {
    struct span rest;
    uint32_t line; /* of the row at hand, from 1 */
};

static struct span trimmed(struct span s)
{
    while (s.len && (s.at[0] == ' ' || s.at[0] == '\t')) {
        s.at++;
        s.len--;
    }
    while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    if (s.len >= 2 && s.at[0] == '"' && s.at[s.len - 1] == '"')
        s = span_of(s.at + 1, s.len - 2);
    return s;
}

/* The next line that is not empty, without its end. */
static bool next_line(struct table_reader *r, struct span *out)
{
    while (r->rest.len) {
        const uint8_t *end = (const uint8_t *)memchr(r->rest.at, '\n', r->rest.len);
        size_t len = end ? (size_t)(end - r->rest.at) : r->rest.len;
        struct span line = span_of(r->rest.at, len);

        r->rest.at += end ? len + 1 : len;
        r->rest.len -= end ? len + 1 : len;
        r->line++;
        if (line.len && line.at[line.len - 1] == '\r')
            line.len--;
        if (trimmed(line).len) {
            *out = line;
            return true;
        }
    }
    return false;
}

/* Cells at commas outside quotes; how many there are, at most CELLS_MAX are written. */
static size_t split(struct span line, struct span cells[CELLS_MAX])
{
    size_t count = 0, begin = 0;
    bool quoted = false;

    for (size_t i = 0; i <= line.len; i++) {
        if (i < line.len && line.at[i] == '"')
            quoted = !quoted;
        if (i < line.len && (line.at[i] != ',' || quoted))
            continue;
        if (count < CELLS_MAX)
            cells[count] = trimmed(span_of(line.at + begin, i - begin));
        count++;
        begin = i + 1;
    }
    return count;
}

static enum err read_span(const struct span *cells, size_t count, size_t first, size_t last,
                          uint32_t line, struct holiday_span *out, struct refusal *r)
{
    int64_t from, to;

    if (first >= count || text_date(cells[first], &from))
        return refuse(r, ERR_MALFORMED, line, "first",
                      "line %u: expected a date such as 2026-02-16", line);
    if (last >= count || text_date(cells[last], &to))
        return refuse(r, ERR_MALFORMED, line, "last", "line %u: expected a date such as 2026-02-22",
                      line);
    if (to < from)
        return refuse(r, ERR_MALFORMED, line, "last", "line %u: the last day is before the first",
                      line);
    *out = (struct holiday_span){ (int32_t)from, (int32_t)to };
    return ERR_OK;
}

/* Which columns hold the first and the last day. */
static enum err read_header(struct table_reader *t, size_t *first, size_t *last, struct refusal *r)
{
    struct span line, cells[CELLS_MAX];
    size_t count;

    *first = *last = CELLS_MAX;
    if (t->rest.len >= 3 && memcmp(t->rest.at, "\xef\xbb\xbf", 3) == 0)
        t->rest = span_of(t->rest.at + 3, t->rest.len - 3);
    count = next_line(t, &line) ? split(line, cells) : 0;
    for (size_t i = 0; i < count && i < CELLS_MAX; i++) {
        if (span_equal(cells[i], span_text("first")))
            *first = i;
        if (span_equal(cells[i], span_text("last")))
            *last = i;
    }
    if (*first == CELLS_MAX || *last == CELLS_MAX)
        return refuse(r, ERR_MALFORMED, 1, "first",
                      "expected a header with the columns first and last");
    return ERR_OK;
}

static void sort_spans(struct holidays *h)
{
    for (size_t i = 1; i < h->count; i++) {
        struct holiday_span s = h->spans[i];
        size_t j = i;

        for (; j > 0 && h->spans[j - 1].first_day > s.first_day; j--)
            h->spans[j] = h->spans[j - 1];
        h->spans[j] = s;
    }
}

enum err holidays_read(struct holidays *h, struct span csv, struct refusal *r)
{
    struct table_reader t = { .rest = csv };
    struct holidays read = { 0 };
    struct span line, cells[CELLS_MAX];
    size_t first, last;
    enum err err = read_header(&t, &first, &last, r);

    while (!err && next_line(&t, &line)) {
        size_t count = split(line, cells);

        if (read.count == sizeof read.spans / sizeof read.spans[0])
            return refuse(r, ERR_TOO_LARGE, t.line, "", "more than %zu holidays", read.count);
        err = read_span(cells, count < CELLS_MAX ? count : CELLS_MAX, first, last, t.line,
                        &read.spans[read.count], r);
        read.count++;
    }
    if (err)
        return err;
    sort_spans(&read);
    *h = read;
    return ERR_OK;
}

int64_t holidays_overlap(const struct holidays *h, const struct zone *z, int64_t from_s,
                         int64_t to_s)
{
    int64_t sum = 0, reached = from_s, offset_s = zone_offset(z, from_s);

    /* Spans stand in order of their first day and may overlap: what was counted is cut off. */
    for (size_t i = 0; i < h->count; i++) {
        int64_t a = (int64_t)h->spans[i].first_day * DAY_S - offset_s;
        int64_t b = ((int64_t)h->spans[i].last_day + 1) * DAY_S - offset_s;

        if (a < reached)
            a = reached;
        if (b > to_s)
            b = to_s;
        if (b > a) {
            sum += b - a;
            reached = b;
        }
    }
    return sum;
}
