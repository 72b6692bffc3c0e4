/* POST /v1/users and /v1/users/NAME: who may sign in with a name and a password, and as what. */
#include "server/acts/answer.h"
#include "server/fleet/columns.h"
#include "server/scope.h"
#include "server/users.h"

#include <stdio.h>

struct wish {
    const struct act_request *q;
    struct act_reply *out;
    struct span name, org, password;
    enum role role; /* ROLE_NONE: not sent */
    bool has_org, has_password, has_enabled, enabled;
};

/* ---- the body ---- */

/* The audit, orders and day sheets show it: a word, and no blank. */
static bool name_fits(struct wish *w)
{
    bool fits = w->name.len <= USER_NAME_MAX;

    for (size_t i = 0; i < w->name.len && fits; i++)
        fits = w->name.at[i] > ' ' && w->name.at[i] != 0x7f && w->name.at[i] != '"' &&
               w->name.at[i] != '/';
    if (fits)
        return true;
    answer_refuse(w->out, ERR_INVALID, "name",
                  "name: found %.*s, expected at most %d bytes without blanks, quotes and slashes",
                  (int)(w->name.len < 64 ? w->name.len : 64), (const char *)w->name.at,
                  USER_NAME_MAX);
    return false;
}

static bool role_taken(struct wish *w)
{
    struct span text;

    if (!answer_text(w->q, w->out, "role", false, &text))
        return false;
    if (!text.len || ((w->role = role_read(text)) != ROLE_NONE && w->role != ROLE_INGEST))
        return true;
    answer_refuse(
        w->out, ERR_INVALID, "role",
        "role: found %.*s, expected admin, supervisor, reader, billing, store, crew or viewer",
        (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
    return false;
}

/* A password may have what other texts may not, and its length is its own. */
static bool password_taken(struct wish *w)
{
    const json_t *v = json_object_get(w->q->body, "password");
    struct span name = w->name.len ? w->name : w->q->subject;
    struct refusal r = { 0 };

    if (!v || json_is_null(v))
        return true;
    w->has_password = true;
    if (json_is_string(v))
        w->password = span_of(json_string_value(v), json_string_length(v));
    if (!users_password_may_be(name, w->password, "password", &r))
        return true;
    answer_refuse(w->out, r.err, "password", "%s", r.text);
    return false;
}

static bool rest_taken(struct wish *w)
{
    const json_t *org = json_object_get(w->q->body, "org");

    w->has_org = org && !json_is_null(org);
    return role_taken(w) && answer_text(w->q, w->out, "org", false, &w->org) && password_taken(w) &&
           answer_bool(w->q, w->out, "enabled", &w->has_enabled, &w->enabled);
}

/* ---- against what is there ---- */

static bool refused_failed(struct wish *w, struct act *act)
{
    if (act->txn.err)
        answer_failed(w->out, act->txn.err);
    return w->out->status >= 400;
}

/* Only an administrator makes or changes one: else a supervisor would be what he likes. */
static bool may_touch(struct wish *w, enum role role)
{
    if (role != ROLE_ADMIN || w->q->caller->role == ROLE_ADMIN)
        return true;
    answer_refuse(w->out, ERR_FORBIDDEN, "role",
                  "role: found admin: only an administrator makes or changes one");
    return false;
}

static bool org_is_fine(struct wish *w, struct act *act)
{
    struct scope scope = scope_of(w->q->caller->org);
    struct ledger_row row;

    if (w->org.len && !ledger_find(&act->txn, LIST_ORG, w->org, INT64_MAX, &row) && !act->txn.err)
        answer_refuse(w->out, ERR_NOT_FOUND, "org", "org: nobody registered the org unit %.*s",
                      (int)(w->org.len < 64 ? w->org.len : 63), (const char *)w->org.at);
    else if (w->q->caller->org[0] && (!w->org.len || !scope_org(&scope, &act->txn, w->org)) &&
             !act->txn.err)
        answer_refuse(w->out, ERR_FORBIDDEN, "org",
                      "the role %s of the org unit %s may not do this: expected an org that is its "
                      "own or below it",
                      role_name(w->q->caller->role), w->q->caller->org);
    return !refused_failed(w, act);
}

/* ---- writing ---- */

static void put_members(struct out *o, const struct ledger_user *u)
{
    out_member_span(o, "name", u->name);
    out_member_text(o, "role", role_name(u->role));
    out_member_span(o, "org", u->org);
    out_member_bool(o, "enabled", u->enabled);
    out_member_time(o, "created_at", u->created_s);
    out_member_time(o, "changed_at", u->changed_s);
    out_member_span(o, "changed_by", u->who);
}

static void told_of(struct out *o, const struct ledger_user *u)
{
    out_text(o, "{");
    out_member_text(o, "role", role_name(u->role));
    out_member_span(o, "org", u->org);
    out_member_bool(o, "enabled", u->enabled);
    out_text(o, "}");
}

static void answer_with(struct wish *w, unsigned status, const struct ledger_user *u)
{
    answer_begin(w->out, status);
    put_members(&w->out->body, u);
    answer_end(w->out, NULL);
}

/* `u` borrows from nothing that the act changes. */
static void write(struct wish *w, struct act *act, const struct ledger_user *u,
                  const struct ledger_user *before)
{
    struct out told = { 0 }, was = { 0 };

    told_of(&told, u);
    if (before)
        told_of(&was, before);
    if (!act->txn.err)
        act->txn.err = told.err ? told.err : was.err;
    act_put_user(act, u);
    act_note(act, before ? "user.change" : "user.create", u->name, span_of(was.at, was.len),
             span_of(told.at, told.len), span_of(NULL, 0));
    out_done(&told);
    out_done(&was);
    answer_with(w, before ? 200 : 201, u);
    (void)!answer_commit(w->q, w->out, act); /* the answer tells */
}

/* The same person with the same password again is no other wish. */
static bool is_there(struct wish *w, const struct ledger_user *u)
{
    bool fits = false;

    return u->role == w->role && span_equal(u->org, w->org) && u->enabled &&
           !password_fits(w->password, &u->password, &fits) && fits;
}

static void create(struct wish *w, const struct password_hash *hash)
{
    struct act act = act_by(w->q);
    struct ledger_user u, there;

    u = (struct ledger_user){ .name = w->name,
                              .org = w->org,
                              .who = span_text(w->q->caller->who),
                              .role = w->role,
                              .enabled = true,
                              .turn = 1,
                              .created_s = act.now_s,
                              .changed_s = act.now_s,
                              .password = *hash };
    if (org_is_fine(w, &act)) {
        if (ledger_user(&act.txn, w->name, &there))
            answer_refuse(w->out, ERR_CONFLICT, "name",
                          "name: there is somebody called %.*s already", (int)w->name.len,
                          (const char *)w->name.at);
        else if (!refused_failed(w, &act)) {
            write(w, &act, &u, NULL);
            return;
        }
    }
    answer_abort(w->out, &act);
}

/* True: it stands already as it is wished, and the answer says so. */
static bool stands(struct wish *w)
{
    struct txn t = ledger_read(w->q->app->ledger);
    struct ledger_user u;
    bool same = !t.err && ledger_user(&t, w->name, &u) && is_there(w, &u);

    if (same)
        answer_with(w, 200, &u);
    txn_abort(&t);
    return same;
}

void act_post_user(const struct act_request *q, struct act_reply *out)
{
    struct wish w = { .q = q, .out = out };
    struct password_hash hash;
    enum err err;

    if (!answer_role(q, out, ROLES_CHIEF) ||
        !answer_members(q, out, "name", "role", "org", "password", NULL) ||
        !answer_text(q, out, "name", true, &w.name) || !name_fits(&w) || !rest_taken(&w))
        return;
    if (w.role == ROLE_NONE || !w.has_password) {
        const char *field = w.role == ROLE_NONE ? "role" : "password";

        answer_refuse(out, ERR_INVALID, field, "%s: found nothing, expected it of somebody new",
                      field);
        return;
    }
    if (!may_touch(&w, w.role) || stands(&w))
        return;
    if ((err = password_hash(w.password, &hash)))
        answer_failed(out, err);
    else
        create(&w, &hash);
}

static bool user_named(struct wish *w, struct act *act, struct ledger_user *u)
{
    struct scope scope = scope_of(w->q->caller->org);
    struct span name = w->q->subject;

    if (!ledger_user(&act->txn, name, u)) {
        if (!act->txn.err)
            answer_refuse(w->out, ERR_NOT_FOUND, "user", "%.*s: nobody is called so",
                          (int)(name.len < 64 ? name.len : 64), (const char *)name.at);
    } else if (w->q->caller->org[0] && (!u->org.len || !scope_org(&scope, &act->txn, u->org)) &&
               !act->txn.err) {
        answer_refuse(w->out, ERR_FORBIDDEN, "user",
                      "the role %s of the org unit %s may not do this: %.*s belongs to another "
                      "unit, or to none",
                      role_name(w->q->caller->role), w->q->caller->org, (int)name.len,
                      (const char *)name.at);
    }
    return !refused_failed(w, act);
}

static bool touches_last_way_in(struct wish *w, const struct ledger_user *u)
{
    bool self = span_equal(u->name, span_text(w->q->caller->who));

    if (!self || (!w->has_enabled || w->enabled))
        return false;
    answer_refuse(w->out, ERR_CONFLICT, "enabled",
                  "enabled: nobody shuts himself out; another administrator or supervisor may");
    return true;
}

void act_change_user(const struct act_request *q, struct act_reply *out)
{
    struct wish w = { .q = q, .out = out };
    struct ledger_user before, u;
    struct password_hash hash;
    struct act act;
    char org[USER_NAME_MAX + 1];
    enum err err;

    if (!answer_role(q, out, ROLES_CHIEF) ||
        !answer_members(q, out, "role", "org", "password", "enabled", NULL) || !rest_taken(&w))
        return;
    if (w.has_password && (err = password_hash(w.password, &hash))) {
        answer_failed(out, err);
        return;
    }
    act = act_by(q);
    if (!user_named(&w, &act, &before) || !may_touch(&w, before.role) || !may_touch(&w, w.role) ||
        touches_last_way_in(&w, &before) || (w.has_org && !org_is_fine(&w, &act))) {
        answer_abort(out, &act);
        return;
    }
    snprintf(org, sizeof org, "%.*s", (int)before.org.len,
             before.org.len ? (const char *)before.org.at : ""); /* a view of what changes */
    before.org = span_text(org);
    before.name = q->subject;
    u = before;
    u.who = span_text(q->caller->who);
    u.changed_s = act.now_s;
    u.role = w.role != ROLE_NONE ? w.role : u.role;
    u.org = w.has_org ? w.org : u.org;
    u.enabled = w.has_enabled ? w.enabled : u.enabled;
    if (w.has_password)
        u.password = hash;
    if (w.has_password || !u.enabled)
        u.turn++; /* whoever is signed in is so no more */
    write(&w, &act, &u, &before);
}
