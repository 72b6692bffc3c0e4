#include "server/query/target.h"

#include "proto/base/hex.h"

#include <stdio.h>

static int digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return -1;
}

/* Decodes `raw` to `to`, which has room for as many bytes. MALFORMED at *out_at. */
static enum err decode(struct span raw, bool plus_is_blank, uint8_t *to, struct span *out,
                       size_t *out_at)
{
    size_t len = 0;

    for (size_t i = 0; i < raw.len; i++) {
        uint8_t c = raw.at[i];

        if (c == '%') {
            int high = i + 2 < raw.len ? digit_value(raw.at[i + 1]) : -1;
            int low = i + 2 < raw.len ? digit_value(raw.at[i + 2]) : -1;

            if (high < 0 || low < 0) {
                *out_at = i;
                return ERR_MALFORMED;
            }
            c = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        to[len++] = c;
    }
    *out = span_of(to, len);
    *out_at = 0;
    return text_is_utf8(*out) ? ERR_OK : ERR_MALFORMED;
}

/* Decodes a part and moves the target's text on. */
static enum err take(struct target *t, size_t *used, struct span raw, bool plus_is_blank,
                     struct span whole, struct span *out, struct refusal *r)
{
    size_t at;
    enum err err = decode(raw, plus_is_blank, t->text + *used, out, &at);

    if (err)
        return refuse(r, err, (uint32_t)(raw.at - whole.at + (ptrdiff_t)at), "",
                      "byte %zu of the request's target is no UTF-8 text with %%XX escapes",
                      (size_t)(raw.at - whole.at) + at);
    *used += out->len;
    return ERR_OK;
}

static struct span cut(struct span *rest, uint8_t at)
{
    const uint8_t *found = rest->len ? (const uint8_t *)memchr(rest->at, at, rest->len) : NULL;
    struct span head = { rest->at, found ? (size_t)(found - rest->at) : rest->len };
    size_t gone = found ? head.len + 1 : head.len;

    *rest = span_of(rest->at + gone, rest->len - gone);
    return head;
}

static enum err read_path(struct target *t, size_t *used, struct span path, struct span whole,
                          struct refusal *r)
{
    if (!path.len || path.at[0] != '/')
        return refuse(r, ERR_MALFORMED, 0, "", "the request's target does not begin with a slash");
    path = span_of(path.at + 1, path.len - 1);
    while (path.len) {
        struct span raw = cut(&path, '/');
        enum err err;

        if (t->segments == TARGET_SEGMENTS_MAX)
            return refuse(r, ERR_LIMIT, 0, "", "the path has more than %d parts",
                          TARGET_SEGMENTS_MAX);
        if ((err = take(t, used, raw, false, whole, &t->segment[t->segments], r)))
            return err;
        t->segments++;
    }
    return ERR_OK;
}

static enum err read_parameter(struct target *t, size_t *used, struct span pair, struct span whole,
                               struct refusal *r)
{
    struct span name = cut(&pair, '=');
    struct parameter *p = &t->parameter[t->parameters];
    enum err err;

    if (t->parameters == TARGET_PARAMETERS_MAX)
        return refuse(r, ERR_LIMIT, 0, "", "the query has more than %d parameters",
                      TARGET_PARAMETERS_MAX);
    if ((err = take(t, used, name, true, whole, &p->name, r)) ||
        (err = take(t, used, pair, true, whole, &p->value, r)))
        return err;
    for (unsigned i = 0; i < t->parameters; i++) {
        if (span_equal(t->parameter[i].name, p->name))
            return refuse(r, ERR_LIMIT, 0, "", "parameter %.*s stands in the query twice",
                          (int)(p->name.len < 40 ? p->name.len : 40), (const char *)p->name.at);
    }
    t->parameters++;
    return ERR_OK;
}

enum err target_read(struct span raw, struct target *out, struct refusal *r)
{
    struct span whole = raw, path;
    size_t used = 0;
    enum err err;

    out->segments = 0;
    out->parameters = 0;
    if (raw.len > TARGET_RAW_MAX)
        return refuse(r, ERR_TOO_LARGE, 0, "", "the request's target is longer than %d bytes",
                      TARGET_RAW_MAX);
    path = cut(&raw, '?');
    if ((err = read_path(out, &used, path, whole, r)))
        return err;
    while (raw.len) {
        struct span pair = cut(&raw, '&');

        if (pair.len && (err = read_parameter(out, &used, pair, whole, r)))
            return err;
    }
    return ERR_OK;
}

bool target_parameter(const struct target *t, const char *name, struct span *out)
{
    struct span wanted = span_text(name);

    for (unsigned i = 0; i < t->parameters; i++) {
        if (span_equal(t->parameter[i].name, wanted)) {
            *out = t->parameter[i].value;
            return out->len != 0;
        }
    }
    return false;
}

static int shown(struct span text)
{
    return (int)(text.len < 60 ? text.len : 60);
}

enum err target_time(const struct target *t, const char *name, int64_t fallback_s, int64_t *out_s,
                     struct refusal *r)
{
    struct span text;
    uint8_t mended[40];

    *out_s = fallback_s;
    if (!target_parameter(t, name, &text))
        return ERR_OK;
    if (text.len > 6 && text.len < sizeof mended && text.at[text.len - 6] == ' ') {
        memcpy(mended, text.at, text.len);
        mended[text.len - 6] = '+';
        if (!text_time(span_of(mended, text.len), NULL, out_s))
            return ERR_OK;
    } else if (!text_time(text, NULL, out_s)) {
        return ERR_OK;
    }
    return refuse(r, ERR_MALFORMED, 0, name,
                  "%s: found %.*s, expected a time with offset like 2026-03-01T00:00:00+08:00",
                  name, shown(text), (const char *)text.at);
}

enum err target_int(const struct target *t, const char *name, int64_t least, int64_t most,
                    int64_t fallback, int64_t *out, struct refusal *r)
{
    struct span text;
    int64_t v;

    *out = fallback;
    if (!target_parameter(t, name, &text))
        return ERR_OK;
    if (text_int(text, &v) || v < least || v > most) {
        if (most == INT64_MAX)
            return refuse(r, ERR_MALFORMED, 0, name,
                          "%s: found %.*s, expected a whole number from %lld on", name, shown(text),
                          (const char *)text.at, (long long)least);
        return refuse(r, ERR_MALFORMED, 0, name,
                      "%s: found %.*s, expected a whole number from %lld to %lld", name,
                      shown(text), (const char *)text.at, (long long)least, (long long)most);
    }
    *out = v;
    return ERR_OK;
}

enum err target_bool(const struct target *t, const char *name, bool *out, struct refusal *r)
{
    struct span text;

    *out = false;
    if (!target_parameter(t, name, &text) || span_equal(text, span_text("0")) ||
        span_equal(text, span_text("false")))
        return ERR_OK;
    *out = span_equal(text, span_text("1")) || span_equal(text, span_text("true"));
    return *out ? ERR_OK
                : refuse(r, ERR_MALFORMED, 0, name, "%s: found %.*s, expected 0 or 1", name,
                         shown(text), (const char *)text.at);
}

enum err target_cursor(const struct target *t, uint8_t out[CURSOR_MAX], size_t *out_len,
                       struct refusal *r)
{
    struct span text;

    *out_len = 0;
    if (!target_parameter(t, "after", &text))
        return ERR_OK;
    return hex_read(text, out, CURSOR_MAX, out_len)
               ? refuse(r, ERR_MALFORMED, 0, "after",
                        "after: found %.*s, expected `next` of an earlier answer", shown(text),
                        (const char *)text.at)
               : ERR_OK;
}

/* ---- Accept ---- */

static const struct {
    enum form form;
    const char *type, *name;
} forms[] = {
    { FORM_JSON, "application/json", "json" },
    { FORM_NDJSON, "application/x-ndjson", "ndjson" },
    { FORM_CSV, "text/csv", "csv" },
    { FORM_GEOJSON, "application/geo+json", "geojson" },
    { FORM_XLSX, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx" },
};

static struct span trim(struct span s)
{
    while (s.len && (*s.at == ' ' || *s.at == '\t'))
        s = span_of(s.at + 1, s.len - 1);
    while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static bool same_word(struct span a, const char *b, size_t len)
{
    if (a.len != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = a.at[i] >= 'A' && a.at[i] <= 'Z' ? (uint8_t)(a.at[i] | 32) : a.at[i];

        if (c != (uint8_t)b[i])
            return false;
    }
    return true;
}

/* How exactly a media range names a type: 3 wholly, 2 by its first half, 1 as any, 0 not. */
static unsigned range_fits(struct span range, const char *type)
{
    size_t half = (size_t)(strchr(type, '/') - type) + 1;

    if (same_word(range, type, strlen(type)))
        return 3;
    if (range.len == half + 1 && range.at[half] == '*' &&
        same_word(span_of(range.at, half), type, half))
        return 2;
    return same_word(range, "*/*", 3);
}

/* Thousandths of a range's weight: "q=0.5" among its parameters, else 1000. */
static int64_t weight_of(struct span parameters)
{
    while (parameters.len) {
        struct span p = trim(cut(&parameters, ';'));
        int64_t q;

        if (p.len > 2 && (p.at[0] | 32) == 'q' && p.at[1] == '=')
            return text_decimal(span_of(p.at + 2, p.len - 2), 3, &q) || q < 0 || q > 1000 ? 0 : q;
    }
    return 1000;
}

bool coding_taken(struct span accept, const char *coding)
{
    while (accept.len) {
        struct span parameters = cut(&accept, ','), name = trim(cut(&parameters, ';'));

        if (name.len == strlen(coding) && strncasecmp((const char *)name.at, coding, name.len) == 0)
            return weight_of(parameters) > 0;
    }
    return false;
}

unsigned form_named(struct span name, unsigned offered)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (offered & forms[i].form && span_equal(name, span_text(forms[i].name)))
            return forms[i].form;
    return 0;
}

unsigned form_chosen(struct span accept, unsigned offered)
{
    unsigned chosen = 0, chosen_fit = 0;
    int64_t chosen_weight = 0;

    if (!trim(accept).len)
        return offered & FORM_JSON ? FORM_JSON : offered & (0 - offered);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct span rest = accept;
        unsigned fit = 0;
        int64_t weight = 0;

        while (rest.len) {
            struct span parameters = cut(&rest, ','), range = trim(cut(&parameters, ';'));
            unsigned f = range_fits(range, forms[i].type);

            if (f > fit) {
                fit = f;
                weight = weight_of(parameters);
            }
        }
        if ((offered & forms[i].form) && weight > 0 &&
            (weight > chosen_weight || (weight == chosen_weight && fit > chosen_fit))) {
            chosen = forms[i].form;
            chosen_fit = fit;
            chosen_weight = weight;
        }
    }
    return chosen;
}
