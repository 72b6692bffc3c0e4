/* One line of NDJSON: a flat object.  Read by hand and not into a tree, since a number must stay as
 * it was written: "0.1" is no binary fraction, and a register of 2^53 millilitres and more loses
 * nothing. */
#include "server/acts/rowfile.h"

#include "proto/base/hex.h"

#include <stdio.h>

struct scan_json {
    const uint8_t *at, *end;
    uint8_t *room, *room_end;
    const char *expected; /* what is missing where it went wrong */
};

static void skip_blanks(struct scan_json *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\r' || *s->at == '\n'))
        s->at++;
}

static bool take(struct scan_json *s, uint8_t c, const char *expected)
{
    skip_blanks(s);
    if (s->at < s->end && *s->at == c) {
        s->at++;
        return true;
    }
    s->expected = expected;
    return false;
}

/* ---- strings ---- */

static bool hex4(struct scan_json *s, uint32_t *out)
{
    uint32_t v = 0;

    if (s->end - s->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(*s->at++);

        if (digit < 0)
            return false;
        v = v << 4 | (uint32_t)digit;
    }
    *out = v;
    return true;
}

static bool room_put(struct scan_json *s, uint8_t byte)
{
    if (s->room == s->room_end)
        return false;
    *s->room++ = byte;
    return true;
}

static bool put_utf8(struct scan_json *s, uint32_t c)
{
    if (c < 0x80)
        return room_put(s, (uint8_t)c);
    if (c < 0x800)
        return room_put(s, (uint8_t)(0xc0 | c >> 6)) && room_put(s, (uint8_t)(0x80 | (c & 63)));
    if (c < 0x10000)
        return room_put(s, (uint8_t)(0xe0 | c >> 12)) &&
               room_put(s, (uint8_t)(0x80 | (c >> 6 & 63))) &&
               room_put(s, (uint8_t)(0x80 | (c & 63)));
    return room_put(s, (uint8_t)(0xf0 | c >> 18)) &&
           room_put(s, (uint8_t)(0x80 | (c >> 12 & 63))) &&
           room_put(s, (uint8_t)(0x80 | (c >> 6 & 63))) && room_put(s, (uint8_t)(0x80 | (c & 63)));
}

/* \uXXXX, a pair of them beyond the first plane; a lone half is refused. */
static bool unicode_escape(struct scan_json *s)
{
    uint32_t c, low;

    if (!hex4(s, &c) || (c >= 0xdc00 && c <= 0xdfff))
        return false;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (s->end - s->at < 6 || s->at[0] != '\\' || s->at[1] != 'u')
            return false;
        s->at += 2;
        if (!hex4(s, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    return put_utf8(s, c);
}

static bool escape(struct scan_json *s)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter;

    if (s->at == s->end)
        return false;
    if (*s->at == 'u') {
        s->at++;
        return unicode_escape(s);
    }
    letter = *s->at ? strchr(letters, *s->at) : NULL;
    s->at++;
    return letter && room_put(s, (uint8_t)meanings[letter - letters]);
}

/* After the opening quote. Without escapes the text is where it was read. */
static bool string_rest(struct scan_json *s, struct span *out)
{
    const uint8_t *start = s->at;
    uint8_t *copy = NULL;

    s->expected = "a string of JSON";
    for (; s->at < s->end && *s->at != '"';) {
        uint8_t c = *s->at;

        if (c < 0x20)
            return false;
        if (c == '\\' && !copy) {
            size_t len = (size_t)(s->at - start);

            if (len > (size_t)(s->room_end - s->room))
                return false;
            copy = s->room;
            memcpy(s->room, start, len);
            s->room += len;
        }
        s->at++;
        if (c == '\\' ? !escape(s) : copy && !room_put(s, c))
            return false;
    }
    if (s->at == s->end)
        return false;
    *out = copy ? span_of(copy, (size_t)(s->room - copy)) : span_of(start, (size_t)(s->at - start));
    s->at++;
    return true;
}

/* ---- other values ---- */

static bool is_digit(const struct scan_json *s)
{
    return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

static bool digits(struct scan_json *s)
{
    if (!is_digit(s))
        return false;
    while (is_digit(s))
        s->at++;
    return true;
}

/* RFC 8259 §6. */
static bool number(struct scan_json *s, struct span *out)
{
    const uint8_t *start = s->at;

    s->expected = "a number of JSON";
    if (*s->at == '-')
        s->at++;
    if (s->at < s->end && *s->at == '0')
        s->at++;
    else if (!digits(s))
        return false;
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        if (!digits(s))
            return false;
    }
    if (s->at < s->end && (*s->at | 0x20) == 'e') {
        s->at++;
        if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
            s->at++;
        if (!digits(s))
            return false;
    }
    *out = span_of(start, (size_t)(s->at - start));
    return true;
}

static bool word(struct scan_json *s, const char *text, struct span *out)
{
    size_t len = strlen(text);

    if ((size_t)(s->end - s->at) < len || memcmp(s->at, text, len) != 0)
        return false;
    *out = span_of(s->at, len);
    s->at += len;
    return true;
}

/* null is an absent value. */
static bool value(struct scan_json *s, struct span *out)
{
    skip_blanks(s);
    s->expected = "a text, a number or null";
    if (s->at == s->end)
        return false;
    if (*s->at == '"') {
        s->at++;
        return string_rest(s, out);
    }
    if (*s->at == '-' || (*s->at >= '0' && *s->at <= '9'))
        return number(s, out);
    if (!word(s, "null", out))
        return false;
    *out = span_of(NULL, 0);
    return true;
}

/* ---- the object ---- */

static bool wrong(const struct scan_json *s, const char *column, const char *expected,
                  struct import_refusal *fault)
{
    import_refusal_fill(fault, 0, column, span_of(s->at, (size_t)(s->end - s->at)), expected);
    if (s->at == s->end)
        snprintf(fault->found, sizeof fault->found, "the end of the line");
    return false;
}

static bool member(struct scan_json *s, const struct list *list, uint32_t *seen,
                   struct span cells[COLUMNS_MAX], struct import_refusal *fault)
{
    struct span name, text = { NULL, 0 };
    int column;

    if (!take(s, '"', "a member's name") || !string_rest(s, &name))
        return wrong(s, "", s->expected, fault);
    column = list_column(list, name);
    if (column < 0) {
        char shown[48];

        snprintf(shown, sizeof shown, "%.*s", (int)(name.len < 47 ? name.len : 47),
                 (const char *)name.at);
        import_refusal_fill(fault, 0, shown, name, "the name of a column of this list");
        return false;
    }
    if (*seen & UINT32_C(1) << column) {
        import_refusal_fill(fault, 0, list->column[column].name, name, "each member once");
        return false;
    }
    *seen |= UINT32_C(1) << column;
    if (!take(s, ':', "a colon"))
        return wrong(s, list->column[column].name, s->expected, fault);
    skip_blanks(s);
    if (word(s, "true", &text) || word(s, "false", &text)) {
        import_refusal_fill(fault, 0, list->column[column].name, text,
                            cell_expected(&list->column[column]));
        return false;
    }
    if (!value(s, &text))
        return wrong(s, list->column[column].name, s->expected, fault);
    cells[column] = text;
    return true;
}

bool rowfile_json(struct span line, const struct list *list, uint8_t *room, size_t room_bytes,
                  struct span cells[COLUMNS_MAX], struct import_refusal *fault)
{
    struct scan_json s = { line.at, line.at + line.len, room, room + room_bytes, "" };
    uint32_t seen = 0;

    memset(cells, 0, COLUMNS_MAX * sizeof cells[0]);
    if (!take(&s, '{', "an object"))
        return wrong(&s, "", s.expected, fault);
    skip_blanks(&s);
    if (s.at < s.end && *s.at == '}') {
        s.at++;
    } else {
        do {
            if (!member(&s, list, &seen, cells, fault))
                return false;
        } while (take(&s, ',', ""));
        if (!take(&s, '}', "a comma or the object's end"))
            return wrong(&s, "", s.expected, fault);
    }
    skip_blanks(&s);
    return s.at == s.end || wrong(&s, "", "one object in a line", fault);
}
