#include "server/fleet/lines.h"

#include <string.h>

#define SHOWN 40 /* bytes of what was found */

struct lines lines_of(struct span file, struct refusal *r)
{
    if (file.len >= 3 && memcmp(file.at, "\xef\xbb\xbf", 3) == 0)
        file = span_of(file.at + 3, file.len - 3);
    return (struct lines){ .rest = file, .r = r };
}

bool lines_next(struct lines *l)
{
    const uint8_t *end;
    size_t len;

    l->number++;
    l->line = span_of(NULL, 0);
    if (!l->rest.len)
        return false;
    end = (const uint8_t *)memchr(l->rest.at, '\n', l->rest.len);
    len = end ? (size_t)(end - l->rest.at) : l->rest.len;
    l->line = span_of(l->rest.at, len);
    len += end != NULL;
    l->rest = span_of(l->rest.at + len, l->rest.len - len);
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

struct span lines_left(const struct lines *l)
{
    struct span s = l->line;

    while (s.len && is_blank(s.at[0]))
        s = span_of(s.at + 1, s.len - 1);
    while (s.len && is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

struct span lines_word(struct lines *l)
{
    struct span left = lines_left(l);
    size_t len = 0;

    while (len < left.len && !is_blank(left.at[len]))
        len++;
    l->line = span_of(left.at + len, left.len - len);
    return span_of(left.at, len);
}

enum err lines_wrong(struct lines *l, enum err err, struct span found, const char *expected)
{
    char shown[SHOWN + 1];
    size_t len = found.len < SHOWN ? found.len : SHOWN;

    for (size_t i = 0; i < len; i++)
        shown[i] = (char)(found.at[i] < ' ' || found.at[i] > '~' ? '?' : found.at[i]);
    shown[len] = 0;
    return refuse(l->r, err, l->number, "", "line %u: found %s%s%s, expected %s", l->number,
                  len ? "\"" : "", len ? shown : "nothing more", len ? "\"" : "", expected);
}

enum err lines_each(struct lines *l, struct span file, size_t most, struct refusal *r,
                    enum err (*line)(void *arg), void *arg)
{
    enum err err = ERR_OK;

    if (file.len > most)
        return refuse(r, ERR_TOO_LARGE, 0, "",
                      "line 1: found a file of %zu bytes, expected %zu at most", file.len, most);
    *l = lines_of(file, r);
    while (!err && lines_next(l))
        err = line(arg);
    return err;
}
