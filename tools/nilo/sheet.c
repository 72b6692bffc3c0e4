#include "tools/nilo/sheet.h"

#include "proto/base/text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- widths ---- */

struct range {
    uint32_t first, last;
};

/* Wide and full-width blocks of Unicode (UAX #11), in order. The C library's
 * wcwidth asks the locale, which on servers is often not UTF-8. */
static const struct range wide[] = {
    { 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0x33ff },   { 0x3400, 0x4dbf },
    { 0x4e00, 0xa4cf },   { 0xa960, 0xa97c },   { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },
    { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f },
    { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
};
static const struct range narrow_none[] = {
    { 0x0300, 0x036f },
    { 0x200b, 0x200f },
    { 0xfe00, 0xfe0f },
};

static bool within(const struct range *ranges, size_t count, uint32_t point)
{
    for (size_t i = 0; i < count; i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    return false;
}
#define WITHIN(ranges, point) within(ranges, sizeof(ranges) / sizeof((ranges)[0]), point)

/* The code point at *at, which is moved behind it; the text is what jansson or
 * the table made: valid UTF-8. */
static uint32_t next_point(const char **at)
{
    const unsigned char *s = (const unsigned char *)*at;
    unsigned more = s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : 3;
    uint32_t point = more ? s[0] & (0x3fu >> more) : s[0];

    for (unsigned i = 1; i <= more && (s[i] & 0xc0) == 0x80; i++)
        point = point << 6 | (s[i] & 0x3fu);
    (*at)++;
    while (((unsigned char)**at & 0xc0) == 0x80)
        (*at)++;
    return point;
}

unsigned text_width(const char *utf8)
{
    unsigned width = 0;

    while (*utf8) {
        uint32_t point = next_point(&utf8);

        width += WITHIN(wide, point) ? 2 : WITHIN(narrow_none, point) ? 0 : 1;
    }
    return width;
}

/* ---- languages ---- */

bool speaks_chinese(void)
{
    static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);

        if (value && *value)
            return !strncmp(value, "zh", 2);
    }
    return false;
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name), tail = strlen(suffix);

    return length > tail && !strcmp(name + length - tail, suffix);
}

const char *label_of(const char *name)
{
    bool text = ends_with(name, "_en") || ends_with(name, "_zh");
    size_t length = strlen(name) - (text ? strlen("_en") : 0);
    static const struct {
        const char *name, *zh;
    } labels[] = {
#define LABEL(member, zh) { #member, zh },
#include "tools/nilo/labels.def"
#undef LABEL
    };

    if (speaks_chinese())
        for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
            if (!strncmp(labels[i].name, name, length) && !labels[i].name[length])
                return labels[i].zh;
    return name;
}

/* ---- formats and cells ---- */

bool format_read(const struct args *a, enum format *out)
{
    static const char *const names[] = { "table", "json", "ndjson", "csv" };
    const char *asked = args_option(a, "format");

    if (!asked) {
        *out = isatty(STDOUT_FILENO) ? FORMAT_TABLE : FORMAT_NDJSON;
        return true;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(names[i], asked)) {
            *out = (enum format)i;
            return true;
        }
    say("--format: expected table, json, ndjson or csv, of a list also xlsx, "
        "found '%s'",
        asked);
    return false;
}

/* What a terminal might take for a command becomes a question mark. */
static char *plain(char *text)
{
    for (char *at = text; at && *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    return text;
}

/* A value as a cell: malloc'd, NULL where memory ends. */
static char *cell_text(const json_t *value)
{
    char number[32];

    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_NULL:
        return strdup("");
    case JSON_STRING:
        return plain(strdup(json_string_value(value)));
    case JSON_TRUE:
        return strdup("yes");
    case JSON_FALSE:
        return strdup("no");
    case JSON_REAL:
        snprintf(number, sizeof number, "%.15g", json_real_value(value));
        return strdup(number);
    default:
        return plain(json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY));
    }
}

static char *list_text(const json_t *value)
{
    char *text = NULL;
    size_t size, i;
    FILE *f;
    json_t *item;

    if (!json_is_array(value))
        return cell_text(value);
    f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    json_array_foreach(value, i, item)
    {
        char *one = cell_text(item);

        fprintf(f, "%s%s", i ? " " : "", one ? one : "");
        free(one);
    }
    fclose(f);
    return text;
}

/* ---- tables ---- */

static const struct zone *times_in;

void sheet_times_in(const struct zone *zone)
{
    times_in = zone;
}

/* What people read: a time is one of their own clock, and may be given back to
 * --from. */
static char *time_text(const json_t *value)
{
    const char *text = times_in ? json_string_value(value) : NULL;
    char *out = NULL;
    struct civil c;
    int32_t offset_s;
    int64_t at_s;

    if (json_is_boolean(value) && speaks_chinese())
        return strdup(json_is_true(value) ? "是" : "否");
    if (!text || strlen(text) != strlen("2026-03-01T00:00:00Z") || text[19] != 'Z' ||
        text_time(span_text(text), NULL, &at_s))
        return cell_text(value);
    c = zone_civil(times_in, at_s);
    offset_s = zone_offset(times_in, at_s);
    if (asprintf(&out, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", (int)c.year, (int)c.month,
                 (int)c.day, (int)c.hour, (int)c.minute, (int)c.second, offset_s < 0 ? '-' : '+',
                 abs(offset_s) / 3600, abs(offset_s) / 60 % 60) < 0)
        return NULL;
    return out;
}

/* A text stands in both languages, as NAME_en and NAME_zh: is this the one that
 * the reader does not ask for? */
static bool foreign(const char *name)
{
    return ends_with(name, speaks_chinese() ? "_en" : "_zh");
}

/* The text of a code in the reader's language, where the object has it: of
 * "kind" that in "kind_en" or "kind_zh"; NULL without it. */
static const char *told(json_t *object, const char *name)
{
    char member[64];

    snprintf(member, sizeof member, "%s_%s", name, speaks_chinese() ? "zh" : "en");
    return json_string_value(json_object_get(object, member));
}

static bool empty(const json_t *value)
{
    return !value || json_is_null(value) || (json_is_string(value) && !json_string_length(value)) ||
           ((json_is_array(value) || json_is_object(value)) && !json_array_size(value) &&
            !json_object_size(value));
}

/* Nothing, or a number of nothing; and what holds only such. */
static bool silent(json_t *value)
{
    const char *key;
    json_t *member;

    if (empty(value) || (json_is_number(value) && json_number_value(value) == 0))
        return true;
    if (!json_is_object(value))
        return false;
    json_object_foreach(value, key, member) if (!silent(member)) return false;
    return true;
}

/* Are these counts, without a word among them? */
static bool counts(json_t *object)
{
    const char *key;
    json_t *member;

    json_object_foreach(object, key, member) if (json_is_string(member)) return false;
    return true;
}

/* Objects within objects. */
static unsigned depth_of(json_t *value)
{
    unsigned most = 0, own = json_is_object(value);
    const char *key;
    json_t *member;
    size_t i;

    json_object_foreach(value, key, member) if (depth_of(member) > most) most = depth_of(member);
    json_array_foreach(value, i, member) if (depth_of(member) > most) most = depth_of(member);
    return most + own;
}

/* What a value within a value says: counts of nothing are left out, so that a
 * count by eight kinds shows those that there are; a sentence stands for what
 * it explains, what a thing became for what it was, and the time `at` of the
 * whole for that of its parts. Bounded by what the server nests. */
static void put_value(FILE *f, json_t *value, const json_t *at, unsigned depth)
{
    const char *key, *between = "";
    json_t *member;
    char *text;
    size_t i;

    if (depth > 8)
        return;
    if (json_is_array(value)) {
        json_array_foreach(value, i, member)
        {
            fputs(i ? depth || json_is_object(member) ? "; " : " " : "", f);
            put_value(f, member, NULL, depth + 1);
        }
    } else if (json_is_object(value)) {
        const char *sentence = told(value, "text");
        bool few = counts(value);

        if (!sentence)
            sentence = json_string_value(json_object_get(value, "text"));
        json_object_foreach(value, key, member)
        {
            bool instead = !strncmp(key, "text", 4) || !strcmp(key, "code") || !strcmp(key, "why");

            if (foreign(key) || empty(member) || (few && silent(member)) || (sentence && instead) ||
                (!strcmp(key, "before") && json_object_get(value, "who")) ||
                (at && json_equal(member, at)))
                continue;
            fprintf(f, "%s", between);
            if (!sentence || strcmp(key, "reason")) /* what the sentence tells of needs no label */
                fprintf(f, "%s ", label_of(key));
            if (json_is_object(member))
                fputc('(', f);
            put_value(f, member, json_object_get(value, "at"), depth + 1);
            if (json_is_object(member))
                fputc(')', f);
            between = ", ";
        }
        if (sentence) {
            text = plain(strdup(sentence));
            fprintf(f, "%s%s", *between ? ": " : "", text ? text : "");
            free(text);
        }
    } else {
        text = time_text(value);
        fputs(text ? text : "", f);
        free(text);
    }
}

static char *table_text(json_t *value)
{
    char *text = NULL;
    size_t size;
    FILE *f;

    if (!json_is_array(value) && !json_is_object(value))
        return time_text(value);
    f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    put_value(f, value, NULL, 0);
    if (json_object_size(value) && ftell(f) == 0)
        fputc('-', f);
    fclose(f);
    return text;
}

#define SHEET_COLUMNS 24

struct sheet {
    FILE *to;
    unsigned columns, held;
    bool printed; /* the heading, and so the widths */
    char names[512];
    const char *name[SHEET_COLUMNS];
    unsigned width[SHEET_COLUMNS];
    bool number[SHEET_COLUMNS]; /* all values are numbers: to the right */
    char *(*rows)[SHEET_COLUMNS];
};

struct sheet *sheet_new(const char *columns, FILE *to)
{
    struct sheet *s = calloc(1, sizeof *s);
    char *save = NULL;

    if (!s)
        return NULL;
    s->to = to;
    snprintf(s->names, sizeof s->names, "%s", columns);
    for (char *n = strtok_r(s->names, " ,", &save); n && s->columns < SHEET_COLUMNS;
         n = strtok_r(NULL, " ,", &save)) {
        s->number[s->columns] = true;
        s->width[s->columns] = text_width(label_of(n));
        s->name[s->columns++] = n;
    }
    s->rows = calloc(SHEET_HELD, sizeof *s->rows);
    if (!s->rows) {
        free(s);
        return NULL;
    }
    return s;
}

static void print_cell(const struct sheet *s, unsigned column, const char *text)
{
    unsigned width = text_width(text);
    int pad = s->width[column] > width ? (int)(s->width[column] - width) : 0;
    bool last = column + 1 == s->columns;

    if (s->number[column])
        fprintf(s->to, "%*s%s", pad, "", text);
    else
        fprintf(s->to, "%s%*s", text, last ? 0 : pad, "");
    fputs(last ? "\n" : "  ", s->to);
}

static void print_row(const struct sheet *s, char *const cells[])
{
    for (unsigned i = 0; i < s->columns; i++)
        print_cell(s, i, cells[i] ? cells[i] : "");
}

static void print_held(struct sheet *s)
{
    if (!s->printed)
        for (unsigned i = 0; i < s->columns; i++)
            print_cell(s, i, label_of(s->name[i]));
    s->printed = true;
    for (unsigned r = 0; r < s->held; r++) {
        print_row(s, s->rows[r]);
        for (unsigned i = 0; i < s->columns; i++) {
            free(s->rows[r][i]);
            s->rows[r][i] = NULL;
        }
    }
    s->held = 0;
}

bool sheet_row(struct sheet *s, json_t *row)
{
    char **cells = s->rows[s->held];

    for (unsigned i = 0; i < s->columns; i++) {
        json_t *value = json_object_get(row, s->name[i]);

        cells[i] = table_text(value);
        if (!cells[i])
            return false;
        if (s->printed)
            continue;
        if (text_width(cells[i]) > s->width[i])
            s->width[i] = text_width(cells[i]);
        if (value && !json_is_null(value) && !json_is_number(value))
            s->number[i] = false;
    }
    s->held++;
    if (s->held == SHEET_HELD || s->printed)
        print_held(s);
    return !ferror(s->to);
}

void sheet_give_up(struct sheet *s)
{
    if (s && !s->held)
        s->printed = true;
}

bool sheet_free(struct sheet *s)
{
    bool ok;

    if (!s)
        return true;
    print_held(s);
    ok = !ferror(s->to);
    free(s->rows);
    free(s);
    return ok;
}

char *civil_words(const char *text)
{
    size_t length = strlen("2026-03-01T00:00:00Z"), size;
    char *out = NULL;
    FILE *f = open_memstream(&out, &size);

    if (!f)
        return NULL;
    while (*text) {
        const char *z =
            strlen(text) >= length && text[4] == '-' && text[10] == 'T' && text[length - 1] == 'Z'
                ? text + length
                : NULL;
        json_t *one = z ? json_stringn(text, length) : NULL;
        char *civil = one ? time_text(one) : NULL;

        if (civil)
            fputs(civil, f);
        else
            fputc(*text, f);
        text = civil ? z : text + 1;
        free(civil);
        json_decref(one);
    }
    fclose(f);
    return out;
}

/* ---- CSV and single objects ---- */

static void csv_cell(const char *text, FILE *to)
{
    bool quote = text[strcspn(text, ",\"\r\n")] != 0;

    if (quote)
        fputc('"', to);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', to);
        fputc(*text, to);
    }
    if (quote)
        fputc('"', to);
}

/* Cell by cell: `row` NULL prints the names. */
static void csv_line(const char *columns, json_t *row, FILE *to)
{
    char names[512], *save = NULL;
    const char *comma = "";

    snprintf(names, sizeof names, "%s", columns);
    for (char *n = strtok_r(names, " ,", &save); n; n = strtok_r(NULL, " ,", &save)) {
        char *text = row ? list_text(json_object_get(row, n)) : strdup(n);

        fputs(comma, to);
        csv_cell(text ? text : "", to);
        free(text);
        comma = ",";
    }
    fputc('\n', to);
}

void csv_heading(const char *columns, FILE *to)
{
    csv_line(columns, NULL, to);
}

void csv_row(const char *columns, json_t *row, FILE *to)
{
    csv_line(columns, row, to);
}

static void object_csv(json_t *object, FILE *to)
{
    const char *key, *comma = "";
    json_t *value;

    json_object_foreach(object, key, value)
    {
        fputs(comma, to);
        csv_cell(key, to);
        comma = ",";
    }
    fputc('\n', to);
    comma = "";
    json_object_foreach(object, key, value)
    {
        char *text = cell_text(value);

        fputs(comma, to);
        csv_cell(text ? text : "", to);
        free(text);
        comma = ",";
    }
    fputc('\n', to);
}

/* What nests deep: a line a member, further in what is within. Bounded as
 * put_value is. */
static void put_tree(json_t *object, int indent, FILE *to)
{
    const char *key;
    json_t *member;

    json_object_foreach(object, key, member)
    {
        size_t items = json_is_array(member) ? json_array_size(member) : 1;

        if (foreign(key) || empty(member) || indent > 16)
            continue;
        if (depth_of(member) < 2 && !json_is_object(json_array_get(member, 0))) {
            char *text = table_text(member);

            fprintf(to, "%*s%s  %s\n", indent, "", label_of(key), text ? text : "");
            free(text);
            continue;
        }
        for (size_t i = 0; i < items; i++) {
            fprintf(to, "%*s%s\n", indent, "", label_of(key));
            put_tree(json_is_array(member) ? json_array_get(member, i) : member, indent + 2, to);
        }
    }
}

/* One line; of a list of things a line each; a tree where a line would be a
 * maze. */
static void object_line(const char *label, unsigned width, json_t *value, const char *said,
                        FILE *to)
{
    int pad = (int)(width - text_width(label));
    bool things = json_is_object(json_array_get(value, 0));
    size_t lines = things ? json_array_size(value) : 1;

    for (size_t i = 0; i < lines; i++) {
        json_t *one = things ? json_array_get(value, i) : value;
        char *text = depth_of(one) > 2 ? NULL : table_text(one);

        fprintf(to, "%s%*s  %s", i ? "" : label, i ? (int)width : pad, "", text ? text : "");
        if (said && text && strcmp(said, text) != 0)
            fprintf(to, " (%s)", said);
        fputc('\n', to);
        free(text);
        if (depth_of(one) > 2)
            put_tree(one, 2, to);
    }
}

/* What nobody told is left out, and so is what stands there in another
 * language. */
static bool object_shows(json_t *object, const char *key, const json_t *value)
{
    char code[64];

    if (empty(value) || foreign(key))
        return false;
    if (!ends_with(key, "_en") && !ends_with(key, "_zh"))
        return true;
    snprintf(code, sizeof code, "%.*s", (int)strlen(key) - 3, key);
    return !json_object_get(object, code);
}

static void object_table(json_t *object, FILE *to)
{
    unsigned width = 0;
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        unsigned w = text_width(label_of(key));

        if (object_shows(object, key, value) && w > width)
            width = w;
    }
    json_object_foreach(object, key, value) if (object_shows(object, key, value))
        object_line(label_of(key), width, value, told(object, key), to);
}

void sheet_object(json_t *object, const char *raw, enum format f, FILE *to)
{
    if (f == FORMAT_TABLE)
        object_table(object, to);
    else if (f == FORMAT_CSV)
        object_csv(object, to);
    else
        fprintf(to, "%s\n", raw);
}
