/* POST /v1/tokens: the token is in this answer and nowhere else; the ledger keeps its hash. */
#include "server/acts/answer.h"
#include "server/fleet/columns.h"

#include <stdio.h>

struct wish {
    enum role role;
    char name[64], org[64];
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

/* A name that is copied; `needed`, or empty where it is not sent. */
static bool name_taken(const struct act_request *q, struct act_reply *out, const char *member,
                       bool needed, char name[64])
{
    struct span text;

    if (!answer_text(q, out, member, needed, &text))
        return false;
    if (text.len < 64) {
        if (text.len)
            memcpy(name, text.at, text.len);
        name[text.len] = 0;
        return true;
    }
    answer_refuse(out, ERR_INVALID, member, "%s: expected at most 63 bytes", member);
    return false;
}

/* The unit must be there: a token for one that nobody registered would see nothing, in silence. */
static bool org_exists(const struct act_request *q, struct act_reply *out, const struct wish *w)
{
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_row row;
    bool found = !w->org[0] || ledger_find(&t, LIST_ORG, span_text(w->org), INT64_MAX, &row);
    enum err err = txn_end(&t);

    if (err)
        answer_failed(out, err);
    else if (!found)
        answer_refuse(out, ERR_NOT_FOUND, "org", "org: nobody registered the org unit %s", w->org);
    else if (w->org[0] && w->role == ROLE_INGEST)
        answer_refuse(out, ERR_INVALID, "org",
                      "org: found %s, expected none: pushes come for the meters of all units",
                      w->org);
    return out->status < 400;
}

static bool wish_taken(const struct act_request *q, struct act_reply *out, int64_t now_s,
                       struct wish *w)
{
    if (!answer_members(q, out, "role", "name", "org", "expires", NULL) ||
        !role_taken(q, out, &w->role) || !name_taken(q, out, "name", true, w->name) ||
        !name_taken(q, out, "org", false, w->org) ||
        !answer_time(q, out, "expires", INT64_MAX, &w->expires_s))
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

    if (!answer_role(q, out, ROLES_CHIEF) || !wish_taken(q, out, now_s, &w) ||
        !org_exists(q, out, &w))
        return;
    act = act_begin(q->app->ledger, q->caller->who, now_s, journal_end(q->app->journal));
    act_token_create(&act, w.role, w.name, w.org, w.expires_s, token);
    answer_begin(out, 201);
    out_member_text(&out->body, "token", token);
    out_member_text(&out->body, "role", role_name(w.role));
    out_member_text(&out->body, "name", w.name);
    if (w.org[0])
        out_member_text(&out->body, "org", w.org);
    if (w.expires_s != INT64_MAX)
        out_member_time(&out->body, "expires", w.expires_s);
    answer_end(out, NULL);
    (void)!answer_commit(q, out, &act); /* the answer tells */
    explicit_bzero(token, sizeof token);
}
