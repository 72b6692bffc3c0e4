/* nilo frame explain: any frame, field by field with offsets, from the same decoders that the
 * server uses.  Asks nobody. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/base/hex.h"
#include "proto/base/limits.h"
#include "proto/dialect.h"
#include "tools/nilo/commands.h"
#include "tools/nilo/sheet.h"

#define EXPLAINED_MAX                                                                              \
    (16u << 20) /* 65 536 values, a line of at most 160 bytes each, and the rest */
#define HEX_MAX (3 * LIMIT_PAYLOAD_BLOCK)

static const struct dialect *named(const char *name)
{
    const struct dialect *d = dialect_by_name(span_text(name)), *known;

    if (d)
        return d;
    fprintf(stderr, "nilo: there is no dialect '%s'; known:", name);
    for (size_t i = 0; (known = dialect_at(i)); i++)
        fprintf(stderr, " %s", known->name);
    fputc('\n', stderr);
    return NULL;
}

/* The hex digits of the argument or of standard input. */
static bool read_hex(const char *argument, char text[HEX_MAX + 1], uint8_t *out, size_t *out_len)
{
    struct span hex = span_text(argument);
    enum err err;

    if (!strcmp(argument, "-")) {
        size_t len = fread(text, 1, HEX_MAX + 1, stdin);

        while (len && isspace((unsigned char)text[len - 1]))
            len--;
        hex = span_of(text, len);
    }
    err = hex_read(hex, out, LIMIT_PAYLOAD_BLOCK, out_len);
    if (err == ERR_FULL)
        say("the frame is longer than %d bytes", LIMIT_PAYLOAD_BLOCK);
    else if (err)
        say("expected pairs of hexadecimal digits, found something else");
    return !err;
}

static int explain(const struct dialect *d, struct span bytes, bool json)
{
    struct dialect_input in = { .bytes = bytes, .arrival_s = (int64_t)time(NULL) };
    char *buffer = malloc(EXPLAINED_MAX);
    struct refusal r = { 0 };
    struct wr w = wr_of(buffer, buffer ? EXPLAINED_MAX : 0);
    enum err err = buffer ? d->explain(&in, json, &w, &r) : ERR_NO_MEMORY;

    fwrite(w.start, 1, wr_len(&w), stdout);
    if (wr_len(&w) && w.at[-1] != '\n')
        putchar('\n');
    if (err)
        say("the frame %s%s%s%s%s at byte %u", err_text(err), *r.text ? ": " : "", r.field,
            *r.field && *r.text ? ": " : "", r.text, r.offset);
    free(buffer);
    return err ? EXIT_FAILED : EXIT_DONE;
}

int cmd_frame_explain(const struct args *a)
{
    const char *name = args_option(a, "dialect");
    const struct dialect *d = named(name ? name : "native");
    static char text[HEX_MAX + 1];
    static uint8_t bytes[LIMIT_PAYLOAD_BLOCK];
    enum format format;
    size_t len;

    if (!d || !format_read(a, &format))
        return EXIT_USAGE;
    if (!args_option(a, "format"))
        format = FORMAT_TABLE; /* made for people: also into a pipe */
    if (!read_hex(a->positional[0], text, bytes, &len))
        return EXIT_FAILED;
    return explain(d, span_of(bytes, len), format == FORMAT_JSON || format == FORMAT_NDJSON);
}
