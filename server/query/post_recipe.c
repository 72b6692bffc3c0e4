/* A recipe's file, as it is or as {"text":…}. */
#include "proto/recipe.h"
#include "server/query/answers.h"
#include "server/query/spool.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#define BODY_MOST (2 * RECIPE_TEXT_MAX) /* JSON writes a line's end in two bytes */

static enum err body_read(struct request *q, char *out, size_t *out_len, struct refusal *r)
{
    int fd = spool_file(q->spool);
    size_t len = 0;
    ssize_t got = 0;

    if (fd < 0)
        return refuse(r, ERR_IO, 0, "", "the file cannot be read back");
    while (len <= BODY_MOST) {
        got = read(fd, out + len, BODY_MOST + 1 - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    if (got < 0)
        return refuse(r, ERR_IO, 0, "", "the file cannot be read back");
    if (len > BODY_MOST)
        return refuse(r, ERR_TOO_LARGE, 0, "text", "a recipe has at most %d bytes",
                      RECIPE_TEXT_MAX);
    *out_len = len;
    return ERR_OK;
}

/* The text within an object; *out_json keeps it. */
static enum err text_of_json(struct span body, json_t **out_json, struct span *out,
                             struct refusal *r)
{
    json_error_t error;
    const json_t *text;

    *out_json = json_loadb((const char *)body.at, body.len, JSON_REJECT_DUPLICATES, &error);
    if (!*out_json)
        return refuse(r, ERR_MALFORMED, 0, "", "the body is no JSON: %.120s", error.text);
    text = json_object_get(*out_json, "text");
    if (!json_is_string(text) || json_object_size(*out_json) != 1)
        return refuse(
            r, ERR_INVALID, 0, "text",
            "text: expected {\"text\":\"…\"} with the recipe's lines, or the file itself");
    *out = span_of(json_string_value(text), json_string_length(text));
    return ERR_OK;
}

static void put_added(struct request *q, const struct recipe_added *added)
{
    struct out *o = &q->out;

    q->status = added->added ? 201 : 200;
    out_text(o, "{");
    out_member_text(o, "name", added->name);
    out_member_int(o, "version", added->version);
    out_member_int(o, "samples", (int64_t)added->samples);
    out_member_bool(o, "added", added->added);
    out_member_int(o, "released", (int64_t)added->released);
    out_key(o, "warnings");
    out_text(o, "[]}\n");
}

static enum err add(struct request *q, char *room, struct recipe_added *out, struct refusal *r)
{
    json_t *json = NULL;
    struct span text;
    size_t len = 0;
    enum err err = body_read(q, room, &len, r);

    if (err)
        return err;
    text = span_of(room, len);
    if (len && room[0] == '{')
        err = text_of_json(text, &json, &text, r);
    if (!err)
        err = act_add_recipe(q->app, &q->caller, text, out, r);
    json_decref(json);
    return err;
}

void answer_add_recipe(struct request *q)
{
    char *room = (char *)malloc(BODY_MOST + 1);
    struct recipe_added added;
    struct refusal r = { 0 };
    enum err err;

    if (!room) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the recipe");
        return;
    }
    if ((err = add(q, room, &added, &r))) {
        r.err = err;
        problem(q, &r);
    } else {
        put_added(q, &added);
    }
    free(room);
}
