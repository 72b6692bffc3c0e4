#include "proto/trace.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/base/hex.h"

#define RAW_SHOWN 10 /* bytes on a line for people; JSON has all */

void trace_put_json_text(struct wr *w, const char *text)
{
    wr_u8(w, '"');
    for (; *text; text++) {
        uint8_t c = (uint8_t)*text;

        if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7f)
            wr_format(w, "\\u%04x", c);
        else
            wr_u8(w, c);
    }
    wr_u8(w, '"');
}

void trace_put_span(char *out, size_t cap, struct span text)
{
    size_t len = text.len < cap - 1 ? text.len : cap - 1;

    for (size_t i = 0; i < len; i++)
        out[i] = text.at[i] >= 0x20 && text.at[i] < 0x7f ? (char)text.at[i] : '.';
    out[len] = 0;
}

static void put_member(struct wr *w, const char *name, const char *text)
{
    if (!*text)
        return;
    wr_format(w, ",\"%s\":", name);
    trace_put_json_text(w, text);
}

static void line_json(struct trace *t, const struct trace_line *l, size_t offset)
{
    wr_text(t->out, t->rows ? ",\n " : "\n ");
    wr_text(t->out, "{\"field\":");
    trace_put_json_text(t->out, l->field);
    if (l->raw.at) {
        wr_format(t->out, ",\"offset\":%zu,\"bytes\":\"", offset);
        hex_write(t->out, l->raw);
        wr_text(t->out, "\"");
    }
    put_member(t->out, "in", t->layer);
    put_member(t->out, "value", l->value);
    put_member(t->out, "unit", l->unit);
    put_member(t->out, "meaning", l->meaning);
    put_member(t->out, "is", l->is);
    wr_text(t->out, "}");
}

static void line_text(struct trace *t, const struct trace_line *l, size_t offset)
{
    size_t shown = l->raw.len < RAW_SHOWN ? l->raw.len : RAW_SHOWN;

    if (l->raw.at)
        wr_format(t->out, "%5zu  ", offset);
    else
        wr_text(t->out, "       ");
    hex_write(t->out, span_of(l->raw.at, shown));
    wr_format(t->out, "%-*s", (int)(2 * (RAW_SHOWN - shown)) + 3, shown < l->raw.len ? ".." : "");
    wr_format(t->out, "%-20s %s%s%s", l->field, l->value, *l->unit ? " " : "", l->unit);
    if (*l->is)
        wr_format(t->out, " = %s", l->is);
    wr_format(t->out, "%s%s%s\n", *l->meaning ? "  (" : "", l->meaning, *l->meaning ? ")" : "");
}

/* Bytes that are not the layer's (made by the decoder itself) stand at its beginning. */
static size_t offset_of(const struct trace *t, struct span raw)
{
    bool inside =
        raw.at && t->bytes.at && raw.at >= t->bytes.at && raw.at <= t->bytes.at + t->bytes.len;

    return inside ? (size_t)(raw.at - t->bytes.at) : 0;
}

void trace_line(struct trace *t, const struct trace_line *l)
{
    if (t->json)
        line_json(t, l, offset_of(t, l->raw));
    else
        line_text(t, l, offset_of(t, l->raw));
    t->rows++;
}

void trace_field(struct trace *t, struct span raw, const char *field, const char *unit,
                 const char *meaning, const char *format, ...)
{
    char value[160];
    va_list args;

    if (!t)
        return;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    trace_line(t, &(struct trace_line){ raw, field, value, unit, meaning, "" });
}

struct trace trace_layer(struct trace *t, const char *name, struct span bytes)
{
    struct trace before = { 0 };

    if (!t)
        return before;
    before = *t;
    snprintf(t->layer, sizeof t->layer, "%s", name);
    t->bytes = bytes;
    if (!t->json && bytes.at)
        wr_format(t->out, "       -- %s, %zu bytes --\n", name, bytes.len);
    else if (!t->json)
        wr_format(t->out, "       -- %s --\n", name);
    return before;
}

void trace_back(struct trace *t, const struct trace *before)
{
    if (!t)
        return;
    t->bytes = before->bytes;
    memcpy(t->layer, before->layer, sizeof t->layer);
}
