#include "server/fleet/sampling.h"

#include "proto/base/text.h"

#include <string.h>

extern const struct span sampling_gbt2828; /* written by the build from sampling/gbt2828.plan */

enum { BELOW = -1, ABOVE = -2 };

static const char *const severities[] = { "normal", "tightened" };

const char *sampling_severity_name(enum sampling_severity s)
{
    return severities[s];
}

bool sampling_severity_read(struct span name, enum sampling_severity *out)
{
    for (unsigned i = 0; i < sizeof severities / sizeof severities[0]; i++) {
        if (!span_equal(name, span_text(severities[i])))
            continue;
        *out = (enum sampling_severity)i;
        return true;
    }
    return false;
}

/* ---- the file ---- */

struct reader {
    struct sampling_table t;
    struct span line; /* what is left of it */
    unsigned number;
    struct refusal *r;
};

static struct span word(struct reader *f)
{
    struct span found;
    size_t from = 0, to;

    while (from < f->line.len && (f->line.at[from] == ' ' || f->line.at[from] == '\t'))
        from++;
    for (to = from; to < f->line.len && f->line.at[to] != ' ' && f->line.at[to] != '\t';)
        to++;
    if (from == to)
        return span_of(NULL, 0);
    found = span_of(f->line.at + from, to - from);
    f->line = span_of(f->line.at + to, f->line.len - to);
    return found;
}

static enum err wrong(struct reader *f, struct span found, const char *expected)
{
    return refuse(f->r, ERR_MALFORMED, f->number, "", "line %u: found \"%.*s\", expected %s",
                  f->number, (int)(found.len < 40 ? found.len : 40),
                  found.len ? (const char *)found.at : "", expected);
}

static enum err read_text(struct reader *f, char *out, size_t size)
{
    struct span s = f->line;

    while (s.len && s.at[0] == ' ')
        s = span_of(s.at + 1, s.len - 1);
    if (!s.len || s.len >= size)
        return wrong(f, s, "a text that is not longer than it may be");
    memcpy(out, s.at, s.len);
    out[s.len] = 0;
    return ERR_OK;
}

static bool whole(struct span text, int64_t most, int64_t *out)
{
    return text.len && text.at[0] >= '0' && text.at[0] <= '9' && text_int(text, out) == ERR_OK &&
           *out <= most;
}

static enum err read_letters(struct reader *f)
{
    struct span w;

    while ((w = word(f)).len) {
        if (w.len != 1 || f->t.letters == SAMPLING_LETTERS_MAX)
            return wrong(f, w, "single letters, at most 20");
        f->t.letter[f->t.letters++] = (char)w.at[0];
    }
    return ERR_OK;
}

static enum err read_sizes(struct reader *f)
{
    int64_t size;

    for (unsigned i = 0; i < f->t.letters; i++) {
        struct span w = word(f);

        if (!whole(w, 1000000, &size) || size == 0)
            return wrong(f, w, "the size of each letter's sample");
        f->t.size[i] = (uint32_t)size;
    }
    return ERR_OK;
}

static enum err read_levels(struct reader *f)
{
    struct span w;

    while ((w = word(f)).len) {
        if (w.len >= sizeof f->t.level[0] || f->t.levels == SAMPLING_LEVELS_MAX)
            return wrong(f, w, "names of up to 7 bytes, at most 8");
        memcpy(f->t.level[f->t.levels++], w.at, w.len);
    }
    return ERR_OK;
}

static int letter_place(const struct sampling_table *t, struct span w)
{
    for (unsigned i = 0; w.len == 1 && i < t->letters; i++) {
        if (t->letter[i] == (char)w.at[0])
            return (int)i;
    }
    return -1;
}

static enum err read_lot(struct reader *f)
{
    struct span most = word(f);
    int64_t value = INT64_MAX;

    if (f->t.lots == SAMPLING_LOTS_MAX ||
        (!span_equal(most, span_text("more")) && !whole(most, INT64_MAX, &value)))
        return wrong(f, most, "the largest lot of a range, or more; at most 20 ranges");
    f->t.lot[f->t.lots].most = (uint64_t)value;
    for (unsigned i = 0; i < f->t.levels; i++) {
        struct span w = word(f);
        int place = letter_place(&f->t, w);

        if (place < 0)
            return wrong(f, w, "a letter for each level");
        f->t.lot[f->t.lots].letter[i] = (uint8_t)place;
    }
    f->t.lots++;
    return ERR_OK;
}

static bool read_aql(struct span text, uint32_t *out)
{
    int64_t value;

    if (text_decimal(text, 3, &value) || value <= 0 || value > 1000000)
        return false;
    *out = (uint32_t)value;
    return true;
}

static enum err read_row(struct reader *f, enum sampling_severity severity)
{
    struct span w = word(f);
    int64_t accept;

    if (f->t.rows == SAMPLING_ROWS_MAX || !read_aql(w, &f->t.row[f->t.rows].aql))
        return wrong(f, w, "an AQL in percent; at most 48 rows");
    f->t.row[f->t.rows].severity = severity;
    for (unsigned i = 0; i < f->t.letters; i++) {
        w = word(f);
        if (span_equal(w, span_text("v")))
            accept = BELOW;
        else if (span_equal(w, span_text("^")))
            accept = ABOVE;
        else if (!whole(w, 1000, &accept))
            return wrong(f, w, "an acceptance number, v or ^ for each letter");
        f->t.row[f->t.rows].accept[i] = (int16_t)accept;
    }
    f->t.rows++;
    return ERR_OK;
}

static enum err read_line(struct reader *f)
{
    struct span w = word(f);
    enum sampling_severity severity;
    enum err err;

    if (!w.len || w.at[0] == '#')
        return ERR_OK;
    if (span_equal(w, span_text("name")))
        return read_text(f, f->t.name, sizeof f->t.name);
    if (span_equal(w, span_text("source")))
        return read_text(f, f->t.source, sizeof f->t.source);
    if (span_equal(w, span_text("letters")))
        err = read_letters(f);
    else if (span_equal(w, span_text("sizes")))
        err = read_sizes(f);
    else if (span_equal(w, span_text("levels")))
        err = read_levels(f);
    else if (span_equal(w, span_text("lot")))
        err = read_lot(f);
    else if (sampling_severity_read(w, &severity))
        err = read_row(f, severity);
    else
        return wrong(f, w, "name, source, letters, sizes, levels, lot, normal or tightened");
    if (!err && (w = word(f)).len)
        return wrong(f, w, "the end of the line");
    return err;
}

/* Follows the arrows; −1 where they lead out of the table or in a ring. */
static int resolve(const struct sampling_table *t, unsigned row, unsigned from)
{
    int at = (int)from;

    for (unsigned steps = 0; steps <= t->letters; steps++) {
        int accept = t->row[row].accept[at];

        if (accept >= 0)
            return at;
        at += accept == BELOW ? 1 : -1;
        if (at < 0 || at >= (int)t->letters)
            return -1;
    }
    return -1;
}

static enum err whole_table(struct reader *f)
{
    struct sampling_table *t = &f->t;

    if (!t->letters || !t->size[t->letters - 1] || !t->levels || !t->lots || !t->rows ||
        t->lot[t->lots - 1].most != INT64_MAX)
        return wrong(f, span_text("the end"),
                     "letters, sizes, levels, lots up to `more`, and plans before it");
    for (unsigned i = 1; i < t->lots; i++) {
        if (t->lot[i].most <= t->lot[i - 1].most)
            return wrong(f, span_text("lots"), "ranges of lots in order of their size");
    }
    for (unsigned row = 0; row < t->rows; row++) {
        for (unsigned i = 0; i < t->letters; i++) {
            if (resolve(t, row, i) < 0)
                return wrong(f, span_text("an arrow"), "arrows that lead to a plan");
        }
    }
    return ERR_OK;
}

enum err sampling_read(struct sampling_table *out, struct span text, struct refusal *r)
{
    struct reader f = { .r = r };
    enum err err = ERR_OK;

    while (text.len && !err) {
        const uint8_t *end = (const uint8_t *)memchr(text.at, '\n', text.len);
        size_t len = end ? (size_t)(end - text.at) : text.len;

        f.number++;
        f.line = span_of(text.at, len);
        err = read_line(&f);
        len += end != NULL;
        text = span_of(text.at + len, text.len - len);
    }
    if (!err)
        err = whole_table(&f);
    if (!err)
        *out = f.t;
    return err;
}

void sampling_builtin(struct sampling_table *out)
{
    struct refusal r;

    if (sampling_read(out, sampling_gbt2828, &r))
        memset(out, 0, sizeof *out); /* a test reads it: it knows no level then */
}

/* ---- a lot ---- */

static enum err unknown_level(const struct sampling_table *t, struct span level, struct refusal *r)
{
    char known[SAMPLING_LEVELS_MAX * 10 + 1];
    struct wr w = wr_of(known, sizeof known - 1);

    for (unsigned i = 0; i < t->levels; i++)
        wr_format(&w, "%s%s", i ? ", " : "", t->level[i]);
    known[wr_len(&w)] = 0;
    return refuse(r, ERR_INVALID, 0, "level", "level: found %.*s, expected one of %s",
                  (int)(level.len < 40 ? level.len : 40), (const char *)level.at, known);
}

static enum err unknown_aql(const struct sampling_table *t, struct span aql,
                            enum sampling_severity severity, struct refusal *r)
{
    char known[160];
    struct wr w = wr_of(known, sizeof known - 1);

    for (unsigned i = 0; i < t->rows; i++) {
        if (t->row[i].severity == severity)
            wr_format(&w, "%s%g", wr_len(&w) ? ", " : "", t->row[i].aql / 1000.0);
    }
    known[wr_len(&w)] = 0;
    return refuse(r, ERR_INVALID, 0, "aql", "aql: found %.*s, expected one of %s",
                  (int)(aql.len < 40 ? aql.len : 40), (const char *)aql.at, known);
}

enum err sampling_plan(const struct sampling_table *t, uint64_t lot, struct span level,
                       struct span aql, enum sampling_severity severity, struct sampling_plan *out,
                       struct refusal *r)
{
    unsigned at_level = 0, range = 0, row = 0;
    uint32_t wanted;
    int letter;

    while (at_level < t->levels && !span_equal(level, span_text(t->level[at_level])))
        at_level++;
    if (at_level == t->levels)
        return unknown_level(t, level, r);
    if (!read_aql(aql, &wanted))
        return unknown_aql(t, aql, severity, r);
    while (row < t->rows && (t->row[row].aql != wanted || t->row[row].severity != severity))
        row++;
    if (row == t->rows)
        return unknown_aql(t, aql, severity, r);
    while (range + 1 < t->lots && lot > t->lot[range].most)
        range++;
    letter = resolve(t, row, t->lot[range].letter[at_level]);
    if (letter < 0)
        return ERR_CORRUPT; /* sampling_read takes no such table */
    *out = (struct sampling_plan){ .letter = t->letter[letter],
                                   .sample = t->size[letter] < lot ? t->size[letter] : lot,
                                   .accept = (unsigned)t->row[row].accept[letter],
                                   .reject = (unsigned)t->row[row].accept[letter] + 1 };
    return ERR_OK;
}

bool sampling_tighter(const struct sampling_table *t, char letter, struct span aql,
                      enum sampling_severity severity, unsigned *out_accept)
{
    uint32_t asked, best = 0;
    int accept = -1, place;

    if (!read_aql(aql, &asked) || (place = letter_place(t, span_of(&letter, 1))) < 0)
        return false;
    for (unsigned i = 0; i < t->rows; i++) {
        if (t->row[i].severity != severity || t->row[i].aql >= asked || t->row[i].aql <= best)
            continue;
        best = t->row[i].aql;
        accept = t->row[i].accept[place];
    }
    if (accept < 0)
        return false;
    *out_accept = (unsigned)accept;
    return true;
}
