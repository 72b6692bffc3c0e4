#include "server/query/entry.h"

#include "server/query/answers.h"
#include "server/query/auth.h"
#include "server/query/http.h"
#include "server/query/once.h"
#include "server/query/scope.h"
#include "server/query/seal.h"
#include "server/query/spool.h"
#include "server/query/workbook.h"

#include <stdio.h>

#define DAY_S 86400
#define HERE_SPAN_S                                                                                \
    (93 *                                                                                          \
     DAY_S) /* readings of a quarter are milliseconds; more goes to a worker                  \
                  */

void entry_target(struct request *q, struct span target)
{
    struct refusal r = { 0 };
    enum err err = target_read(target, &q->target, &r);

    if (err)
        problem_status(q, err == ERR_TOO_LARGE ? 414 : 400, &r);
}

static enum verb verb_read(const char *text)
{
    if (strcmp(text, "GET") == 0)
        return VERB_GET;
    if (strcmp(text, "POST") == 0)
        return VERB_POST;
    return strcmp(text, "HEAD") == 0 ? VERB_HEAD : (enum verb)0;
}

static void refuse_path(struct request *q, const char *method)
{
    struct refusal r;

    if (q->allowed) {
        refuse(&r, ERR_UNSUPPORTED, 0, "", "this path does not take %.20s", method);
        problem_status(q, 405, &r);
    } else {
        refuse(&r, ERR_NOT_FOUND, 0, "", "there is no such path; /openapi.json lists them");
        problem(q, &r);
    }
}

/* Where a platform signs its pushes with a secret that we know, the signature is looked at when the body is here. */
static bool push_is_signed(const struct request *q)
{
    return q->app->onenet_token[0] &&
           (q->route->answer == answer_push_onenet || q->route->answer == answer_onenet_echo);
}

#define BEARER_MAX 128

static struct span bearer_of(struct span token, char out[BEARER_MAX])
{
    int len = token.len && token.len < BEARER_MAX - 8
                  ? snprintf(out, BEARER_MAX, "Bearer %.*s", (int)token.len, (const char *)token.at)
                  : 0;

    return span_of(out, (size_t)len);
}

/* A browser sends the cookie with whatever another page makes it ask for: what writes must bring what only our page knows. */
static enum err session_caller(struct request *q, const struct entry_headers *g, struct refusal *r)
{
    enum err err = auth_session(q->app, g->session, &q->caller, r);

    if (!err && q->route->verb == VERB_POST && !auth_csrf_fits(g->session, g->csrf))
        err = refuse(r, ERR_FORBIDDEN, 0, "X-CSRF-Token",
                     "X-CSRF-Token: found %s, expected that of GET /v1/session",
                     g->csrf.len ? "another" : "none");
    q->token = g->session;
    q->by_session = true;
    return err;
}

static void check_caller(struct request *q, struct auth *auth, const struct entry_headers *g)
{
    struct span authorization = g->authorization;
    struct refusal r = { 0 };
    char text[BEARER_MAX];
    enum err err;

    if (q->route->scope == SCOPE_NONE || push_is_signed(q))
        return;
    if (!authorization.len && q->route->scope == SCOPE_INGEST)
        authorization = bearer_of(ask_text(q, "token"), text);
    if (!authorization.len && g->session.len)
        err = session_caller(q, g, &r);
    else
        err = auth_caller(auth, q->app, authorization, &q->caller, &r);
    if (err)
        problem(q, &r);
    else if (!(q->route->scope & 1u << q->caller.role))
        problem_of(q, ERR_FORBIDDEN, "", "the role %s may not do this", role_name(q->caller.role));
    if (!q->by_session && authorization.at != (const uint8_t *)text)
        q->token = auth_token(authorization);
}

static void check_parameters(struct request *q)
{
    for (unsigned i = 0; i < q->target.parameters; i++) {
        struct span name = q->target.parameter[i].name;
        char text[41];

        if (route_takes(q->route, name))
            continue;
        snprintf(text, sizeof text, "%.*s", (int)(name.len < 40 ? name.len : 40),
                 (const char *)name.at);
        problem_of(q, ERR_MALFORMED, text,
                   "%s: found a parameter that is unknown here, expected %s", text,
                   q->route->parameters[0] ? q->route->parameters : "none");
        return;
    }
}

static void check_form(struct request *q, struct span accept)
{
    struct span name = ask_text(q, "form"); /* for whoever follows a link: it goes before Accept */
    struct refusal r;

    q->form = FORM_JSON;
    if (!q->route->forms)
        return;
    q->form = (enum form)(name.len ? form_named(name, q->route->forms)
                                   : form_chosen(accept, q->route->forms));
    if (q->form)
        return;
    if (name.len) {
        problem_of(q, ERR_INVALID, "form", "form: found %.*s, expected json%s%s",
                   (int)(name.len < 40 ? name.len : 40), (const char *)name.at,
                   q->route->forms & FORM_CSV ? ", ndjson, csv or xlsx" : "",
                   q->route->forms & FORM_GEOJSON ? ", geojson or xlsx" : "");
        return;
    }
    refuse(&r, ERR_UNSUPPORTED, 0, "Accept", "Accept: found %.*s, expected application/json%s",
           (int)(accept.len < 60 ? accept.len : 60), (const char *)accept.at,
           q->route->forms & FORM_CSV       ? ", application/x-ndjson, text/csv or " WORKBOOK_TYPE
           : q->route->forms & FORM_GEOJSON ? ", application/geo+json or " WORKBOOK_TYPE
                                            : "");
    problem_status(q, 406, &r);
}

static bool begins_with(struct span s, const char *word)
{
    size_t len = strlen(word);

    return s.len >= len && strncasecmp((const char *)s.at, word, len) == 0 &&
           (s.len == len || s.at[len] == ';' || s.at[len] == ' ');
}

/* What a form of another site can send signs nobody in: JSON it must be, and said so. */
static void check_sign(struct request *q, struct span type)
{
    struct refusal r;

    if (begins_with(type, "application/json"))
        return;
    refuse(&r, ERR_UNSUPPORTED, 0, "Content-Type",
           "Content-Type: found %.*s, expected application/json",
           (int)(type.len < 60 ? type.len : 60), type.len ? (const char *)type.at : "");
    problem_status(q, 415, &r);
}

static void check_type(struct request *q, struct span type)
{
    static const char *const files[] = { "text/csv",           "application/x-ndjson",
                                         "application/ndjson", "application/octet-stream",
                                         "text/plain",         "application/json" };
    struct refusal r;
    bool fine = !type.len;

    /* curl's -d says "form" of whatever it sends: taken as unsaid. */
    fine = fine || begins_with(type, "application/x-www-form-urlencoded");
    if (q->route->body == BODY_IMAGE)
        fine = fine || begins_with(type, "image/jpeg") || begins_with(type, "image/png") ||
               begins_with(type, "image/webp") || begins_with(type, "application/octet-stream");
    else if (q->route->body == BODY_JSON)
        fine = fine || begins_with(type, "application/json");
    else if (q->route->body == BODY_FILE) {
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
            fine = fine || begins_with(type, files[i]);
    } else {
        fine = true;
    }
    if (fine)
        return;
    refuse(&r, ERR_UNSUPPORTED, 0, "Content-Type", "Content-Type: found %.*s, expected %s",
           (int)(type.len < 60 ? type.len : 60), (const char *)type.at,
           q->route->body == BODY_JSON    ? "application/json"
           : q->route->body == BODY_IMAGE ? "image/jpeg, image/png or image/webp"
                                          : "text/csv or application/x-ndjson");
    problem_status(q, 415, &r);
}

int entry_body_most(const struct request *q)
{
    static act_handler *const of_lots[] = { act_post_paper, act_post_stocktake, act_post_delivery };

    for (size_t i = 0; i < sizeof of_lots / sizeof of_lots[0]; i++) {
        if (q->route->act == of_lots[i])
            return HTTP_LOT_MAX;
    }
    return q->route->body == BODY_PUSH ? LIMIT_PAYLOAD_BLOCK : HTTP_BODY_MAX;
}

static void check_length(struct request *q, struct span text)
{
    int64_t length;

    if (q->route->body == BODY_FILE || !text.len || text_int(text, &length))
        return; /* MHD refuses what is no number */
    if (length > entry_body_most(q))
        problem_of(q, ERR_TOO_LARGE, "", "the body has %lld bytes, expected at most %d",
                   (long long)length, entry_body_most(q));
}

static void check_key(struct request *q, struct span key)
{
    bool fine = key.len <= IDEMPOTENCY_KEY_MAX;

    for (size_t i = 0; i < key.len; i++)
        fine = fine && key.at[i] > 0x20 && key.at[i] < 0x7f;
    if (!fine) {
        problem_of(q, ERR_INVALID, "Idempotency-Key",
                   "Idempotency-Key: expected 1 to %d visible characters", IDEMPOTENCY_KEY_MAX);
        return;
    }
    if (key.len)
        memcpy(q->key, key.at, key.len);
    q->key[key.len] = 0;
}

static void check_body(struct request *q, const struct entry_headers *g)
{
    struct refusal r;

    if (q->route->signs)
        check_sign(q, g->content_type);
    else
        check_type(q, g->content_type);
    if (!q->refused)
        check_length(q, g->content_length);
    if (!q->refused)
        check_key(q, g->key);
    if (!q->refused && q->route->body == BODY_FILE &&
        spool_open(q->app->store, span_equal(q->subject[0], span_text("keys")), &q->spool, &r))
        problem(q, &r);
}

void entry_pass(struct request *q, struct auth *auth, const struct entry_headers *g)
{
    enum verb verb = verb_read(g->method);

    q->head = verb == VERB_HEAD;
    if (q->refused)
        return;
    q->route = route_find(verb, &q->target, q->subject, &q->allowed);
    if (!q->route) {
        refuse_path(q, g->method);
        return;
    }
    check_caller(q, auth, g);
    if (!q->refused)
        check_parameters(q);
    if (!q->refused)
        scope_check(q);
    if (!q->refused)
        check_form(q, g->accept);
    if (!q->refused && q->route->verb == VERB_POST)
        check_body(q, g);
}

enum place entry_place(const struct request *q)
{
    int64_t from_s = INT64_MIN, to_s = INT64_MAX;

    if (q->route->answer != answer_readings)
        return q->route->place;
    if (q->form != FORM_JSON || target_time(&q->target, "from", INT64_MIN, &from_s, NULL) ||
        target_time(&q->target, "to", INT64_MAX, &to_s, NULL) || from_s == INT64_MIN)
        return PLACE_READER;
    if (to_s == INT64_MAX)
        to_s = clock_now_s(&q->app->clock);
    return from_s > to_s || to_s - from_s <= HERE_SPAN_S ? PLACE_HERE : PLACE_READER;
}

/* ---- acts ---- */

static json_t *body_read(struct request *q)
{
    json_error_t e;
    json_t *body = json_loadb(q->body, q->body_len, JSON_REJECT_DUPLICATES, &e);
    struct refusal r;

    if (body && json_is_object(body))
        return body;
    if (body)
        refuse(&r, ERR_MALFORMED, 0, "", "the body: found no object, expected a JSON object");
    else
        refuse(&r, ERR_MALFORMED, (uint32_t)e.position, "",
               "the body is no JSON: line %d, column %d: %.100s", e.line, e.column, e.text);
    json_decref(body);
    problem(q, &r);
    return NULL;
}

json_t *entry_body(struct request *q)
{
    json_t *body = q->body_len ? body_read(q) : json_object();

    if (body && scope_check_body(q, body))
        return body;
    json_decref(body);
    return NULL;
}

static enum err seal(void *arg, struct span answer, struct out *sealed)
{
    struct request *q = (struct request *)arg;

    return seal_close(q->token, answer, sealed);
}

void entry_act(struct request *q)
{
    struct act_request ask = { .app = q->app, .caller = &q->caller, .subject = q->subject[0] };
    struct act_reply reply = { 0 };
    json_t *body = NULL;

    ask.also = q->subject[1];
    if (q->known_by) {
        ask.key = span_text(q->key);
        ask.request = q->known_by;
        ask.seal = once_secret(q) ? seal : NULL;
        ask.seal_arg = q;
    }
    if (q->body_len && !(body = body_read(q)))
        return;
    ask.body = body;
    if (!scope_check_body(q, body)) {
        json_decref(body);
        return;
    }
    q->route->act(&ask, &reply);
    json_decref(body);
    if (reply.status >= 400 || !reply.status) {
        problem_detail(q, reply.status ? reply.status : 500, &reply.refusal,
                       reply.detail[0] ? reply.detail : reply.refusal.text);
        out_done(&reply.body);
        return;
    }
    q->status = reply.status;
    out_done(&q->out);
    q->out = reply.body;
}
