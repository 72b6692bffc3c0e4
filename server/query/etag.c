/* Entity tags: an answer that never changes need not be sent twice (RFC 9110 §8.8.3, §13.1.2). */
#include "server/query/request.h"

#include <stdio.h>

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == ',';
}

/* The next of a list of tags, with its quotes; a weak one is compared like a strong one. */
static bool tag_next(struct span *list, struct span *out)
{
    size_t at = 0, end;

    while (at < list->len && is_blank(list->at[at]))
        at++;
    if (at + 2 < list->len && list->at[at] == 'W' && list->at[at + 1] == '/')
        at += 2;
    if (at == list->len)
        return false;
    end = at + 1;
    while (end < list->len && (list->at[at] == '"' ? list->at[end - 1] != '"' || end == at + 1
                                                   : !is_blank(list->at[end])))
        end++;
    *out = span_of(list->at + at, end - at);
    *list = span_of(list->at + end, list->len - end);
    return true;
}

static bool is_among(struct span list, struct span tag)
{
    struct span one;

    while (tag_next(&list, &one))
        if (span_equal(one, tag) || span_equal(one, span_text("*")))
            return true;
    return false;
}

bool answer_is_known(struct request *q, const char *tag)
{
    snprintf(q->etag, sizeof q->etag, "\"%s\"", tag);
    if (!is_among(q->none_match, span_text(q->etag)))
        return false;
    out_clear(&q->out);
    q->status = 304;
    return true;
}
