/* POST /v1/tokens: the token is in this answer and nowhere else; the ledger keeps its hash. */
#include "server/acts/answer.h"

#include <stdio.h>

struct wish {
    enum role role;
    char name[64];
    int64_t expires_s;
};

static bool role_taken(const struct act_request *q, struct act_reply *out, enum role *out_role)
{
    struct span text;

    if (!answer_text(q, out, "role", true, &text))
        return false;
    if ((*out_role = role_read(text)) != ROLE_NONE)
        return true;
    answer_refuse(out, ERR_INVALID, "role",
                  "role: found %.*s, expected admin, supervisor, reader, billing, store, crew, "
                  "viewer or ingest",
                  (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
    return false;
}

static bool name_taken(const struct act_request *q, struct act_reply *out, char name[64])
{
    struct span text;

    if (!answer_text(q, out, "name", true, &text))
        return false;
    if (text.len < 64) {
        memcpy(name, text.at, text.len);
        name[text.len] = 0;
        return true;
    }
    answer_refuse(out, ERR_INVALID, "name", "name: expected at most 63 bytes");
    return false;
}

static bool wish_taken(const struct act_request *q, struct act_reply *out, int64_t now_s,
                       struct wish *w)
{
    if (!answer_members(q, out, "role", "name", "expires", NULL) || !role_taken(q, out, &w->role) ||
        !name_taken(q, out, w->name) || !answer_time(q, out, "expires", INT64_MAX, &w->expires_s))
        return false;
    if (w->expires_s > now_s)
        return true;
    answer_refuse(out, ERR_INVALID, "expires",
                  "expires: found a time that is past, expected one to come");
    return false;
}

void act_create_token(const struct act_request *q, struct act_reply *out)
{
    int64_t now_s = clock_now_s(&q->app->clock);
    struct wish w = { 0 };
    char token[48];
    struct act act;

    if (!answer_role(q, out, ROLES_CHIEF) || !wish_taken(q, out, now_s, &w))
        return;
    act = act_begin(q->app->ledger, q->caller->who, now_s, journal_end(q->app->journal));
    act_token_create(&act, w.role, w.name, w.expires_s, token);
    answer_begin(out, 201);
    out_member_text(&out->body, "token", token);
    out_member_text(&out->body, "role", role_name(w.role));
    out_member_text(&out->body, "name", w.name);
    if (w.expires_s != INT64_MAX)
        out_member_time(&out->body, "expires", w.expires_s);
    answer_end(out, NULL);
    (void)!answer_commit(q, out, &act); /* the answer tells */
    explicit_bzero(token, sizeof token);
}
