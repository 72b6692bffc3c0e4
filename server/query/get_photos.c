/* POST /v1/photos, GET /v1/photos/{photo}: kept as they came, told by what they contain, and shown as images and nothing else. */
#include "server/query/answers.h"
#include "server/query/photo_desk.h"
#include "storage/journal.h"

#include <stdio.h>
#include <stdlib.h>

/* The audit knows who handed it in: the file has no name and no hand. */
static enum err note(struct request *q, const char *id, struct span bytes)
{
    struct app *app = q->app;
    struct act act =
        act_join(app->ledger, q->caller.who, clock_now_s(&app->clock), journal_end(app->journal));
    char told[80];

    snprintf(told, sizeof told, "{\"bytes\":%zu,\"type\":\"%s\"}", bytes.len, photo_type(bytes));
    act_note(&act, "photo.add", span_text(id), span_of(NULL, 0), span_text(told), span_of(NULL, 0));
    return act_end(&act);
}

static bool may_add(struct request *q)
{
    struct refusal r;

    q->wait_ms = photo_desk_wait_ms(request_photos(q), q->caller.who, clock_monotonic_ms());
    if (!q->wait_ms)
        return true;
    refuse(&r, ERR_LIMIT, 0, "",
           "%.60s handed in as many photos as one may in an hour: try again in %lld s",
           q->caller.who, (long long)(q->wait_ms + 999) / 1000);
    problem_status(q, 429, &r);
    return false;
}

static void put_added(struct request *q, const char *id, struct span bytes, bool is_new)
{
    char path[sizeof "/v1/photos/" + PHOTO_ID_SIZE];

    snprintf(path, sizeof path, "/v1/photos/%s", id);
    q->status = is_new ? 201 : 200;
    out_text(&q->out, "{");
    out_member_text(&q->out, "photo", id);
    out_member_text(&q->out, "type", photo_type(bytes));
    out_member_int(&q->out, "bytes", (int64_t)bytes.len);
    out_member_text(&q->out, "path", path);
    out_text(&q->out, "}\n");
}

void answer_add_photo(struct request *q)
{
    struct span bytes = span_of(q->body, q->body_len);
    struct refusal r = { 0 };
    char id[PHOTO_ID_SIZE];
    bool is_new;
    enum err err;

    if (!may_add(q))
        return;
    if ((err = photos_put(photo_desk_store(request_photos(q)), bytes, id, &is_new, &r))) {
        if (err == ERR_LIMIT)
            problem_status(q, 507, &r); /* Insufficient Storage: somebody has to make room */
        else
            problem(q, &r);
        return;
    }
    if (is_new && (err = note(q, id, bytes)))
        problem_of(q, err, "", "the photo is kept, but who added it is not noted: the store %s",
                   err_text(err));
    else
        put_added(q, id, bytes, is_new);
}

void answer_photo(struct request *q)
{
    struct span id = q->subject[0];
    uint8_t *bytes = NULL;
    size_t len = 0;
    enum err err;

    if (id.len == PHOTO_ID_SIZE - 1) { /* it never changes, so who has it has it */
        char tag[PHOTO_ID_SIZE];

        snprintf(tag, sizeof tag, "%.64s", (const char *)id.at);
        if (strspn(tag, "0123456789abcdef") == sizeof tag - 1 && answer_is_known(q, tag))
            return;
    }
    err = photos_get(photo_desk_store(request_photos(q)), id, &bytes, &len);
    if (err) {
        q->etag[0] = 0;
        problem_of(q, err, "photo", "photo %.*s: it %s", (int)(id.len < 64 ? id.len : 64),
                   (const char *)id.at, err == ERR_NOT_FOUND ? "is not there" : err_text(err));
        return;
    }
    q->status = 200;
    q->type = photo_type(span_of(bytes, len));
    q->cache = "private, max-age=31536000, immutable";
    q->guard = "default-src 'none'; sandbox";
    out_bytes(&q->out, bytes, len);
    free(bytes);
}
