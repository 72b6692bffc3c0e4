/* Signing in and out (server/users.h), and who asks.  The session's secret goes to the browser as a cookie that no script reads and no other
 * site sends (HttpOnly, SameSite=Strict); what a page needs to write, the CSRF token, is in the answer. */
#include "server/query/answers.h"
#include "server/query/auth.h"
#include "server/query/entry.h"
#include "server/query/patience.h"
#include "server/users.h"

#include <stdio.h>

static void put_cookie(struct request *q, const char *secret, int64_t lasts_s)
{
    snprintf(q->cookie, sizeof q->cookie,
             "%s=%s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Strict%s",
             q->secure ? COOKIE_SECURE : COOKIE_NAME, secret, (long long)lasts_s,
             q->secure ? "; Secure" : "");
}

static void put_who(struct out *o, const struct caller *c, const int64_t *expires_s,
                    struct span secret)
{
    char csrf[CSRF_SIZE];

    out_member_text(o, "name", c->who);
    out_member_text(o, "role", role_name(c->role));
    out_member_text(o, "org", c->org[0] ? c->org : NULL);
    if (expires_s)
        out_member_time(o, "expires", *expires_s);
    if (!secret.len)
        return;
    auth_csrf(secret, csrf);
    out_member_text(o, "csrf", csrf);
}

/* GET /v1/session. The zone and the clock are those in which a page shows times. */
void answer_session(struct request *q)
{
    q->status = 200;
    out_text(&q->out, "{");
    put_who(&q->out, &q->caller, NULL, q->by_session ? q->token : (struct span){ 0 });
    out_member_text(&q->out, "tz", q->app->zone.name);
    out_member_time(&q->out, "now", clock_now_s(&q->app->clock));
    out_text(&q->out, "}\n");
}

/* It had a password. */
static void wipe_body(struct request *q)
{
    if (q->body_len)
        explicit_bzero(q->body, q->body_len);
}

/* A text of the body, borrowed; false: refused. */
static bool text_taken(struct request *q, const json_t *body, const char *name, size_t most,
                       struct span *out)
{
    const json_t *v = json_object_get(body, name);

    *out = json_is_string(v) ? span_of(json_string_value(v), json_string_length(v))
                             : (struct span){ 0 };
    if (out->len && out->len <= most)
        return true;
    problem_of(q, ERR_INVALID, name, "%s: expected a text of 1 to %zu bytes", name, most);
    return false;
}

static bool no_others(struct request *q, json_t *body, const char *first, const char *second)
{
    const char *name;
    json_t *v;

    json_object_foreach(body, name, v)
    {
        if (strcmp(name, first) == 0 || strcmp(name, second) == 0)
            continue;
        problem_of(q, ERR_MALFORMED, "", "found the member %.40s, expected %s and %s alone", name,
                   first, second);
        return false;
    }
    return true;
}

/* False: too many guesses; the answer says how long to wait. */
static bool may_try(struct request *q, struct span name, struct span peer)
{
    struct refusal r;

    q->wait_ms = patience_wait_ms(request_patience(q), name, peer, clock_monotonic_ms());
    if (!q->wait_ms)
        return true;
    refuse(&r, ERR_LIMIT, 0, "", "too many passwords did not fit: try again in %lld s",
           (long long)(q->wait_ms + 999) / 1000);
    problem_status(q, 429, &r);
    return false;
}

static void note_try(struct request *q, enum err err, struct span name, struct span peer)
{
    if (!err)
        patience_forgive(request_patience(q), name, peer);
    else if (err == ERR_UNAUTHORIZED)
        patience_failed(request_patience(q), name, peer, clock_monotonic_ms());
}

static void sign_in(struct request *q, struct span name, struct span password)
{
    struct signed_in in;
    char peer[PEER_SIZE];
    enum err err;

    request_peer(q, peer);
    if (!may_try(q, name, span_text(peer)))
        return;
    err = users_sign_in(q->app, name, password, &in);
    note_try(q, err, name, span_text(peer));
    if (err) {
        problem_of(q, err, "", "%s",
                   err == ERR_UNAUTHORIZED ? "name and password do not fit"
                   : err == ERR_LIMIT      ? "too many sign in at once: try again"
                                           : err_text(err));
        return;
    }
    q->caller.role = in.facts.role;
    memcpy(q->caller.who, in.facts.name, sizeof q->caller.who);
    memcpy(q->caller.org, in.facts.org, sizeof q->caller.org);
    put_cookie(q, in.secret, in.facts.expires_s - in.facts.created_s);
    q->status = 201;
    out_text(&q->out, "{");
    put_who(&q->out, &q->caller, &in.facts.expires_s, span_text(in.secret));
    out_member_text(&q->out, "tz", q->app->zone.name);
    out_text(&q->out, "}\n");
    explicit_bzero(&in, sizeof in);
}

/* POST /v1/session */
void answer_sign_in(struct request *q)
{
    json_t *body = entry_body(q);
    struct span name, password;

    if (body && no_others(q, body, "name", "password") &&
        text_taken(q, body, "name", 4 * USER_NAME_MAX, &name) &&
        text_taken(q, body, "password", 4 * PASSWORD_MOST, &password))
        sign_in(q, name, password);
    json_decref(body);
    wipe_body(q);
}

/* POST /v1/session/end */
void answer_sign_out(struct request *q)
{
    enum err err = q->by_session ? users_sign_out(q->app, q->caller.who, q->token) : ERR_OK;

    if (err) {
        problem_of(q, err, "", "signing out failed: %s", err_text(err));
        return;
    }
    if (q->by_session)
        put_cookie(q, "", 0);
    q->status = 200;
    out_text(&q->out, "{}\n");
}

/* POST /v1/session/password: one's own. It ends all of one's sessions. */
void answer_password(struct request *q)
{
    json_t *body = entry_body(q);
    struct span old, fresh, name = span_text(q->caller.who);
    struct refusal r = { 0 };
    char peer[PEER_SIZE];
    enum err err;

    request_peer(q, peer);
    if (body && no_others(q, body, "old", "new") &&
        text_taken(q, body, "old", PASSWORD_MOST, &old) &&
        text_taken(q, body, "new", PASSWORD_MOST, &fresh) && may_try(q, name, span_text(peer))) {
        err = users_change_password(q->app, name, old, fresh, &r);
        note_try(q, err, name, span_text(peer));
        if (err == ERR_UNAUTHORIZED) {
            r.err = ERR_INVALID; /* who asks is known: 422 */
            problem(q, &r);
        } else if (err) {
            problem(q, &r);
        } else {
            if (q->by_session)
                put_cookie(q, "", 0);
            q->status = 200;
            out_text(&q->out, "{}\n");
        }
    }
    json_decref(body);
    wipe_body(q);
}
