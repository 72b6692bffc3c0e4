/* POST /v1/hooks: somebody's program is to be told of what happens.  The secret is sealed under the store's key before it comes near the ledger; answers, audit and lists tell its
 * fingerprint. */
#include "server/acts/hook.h"

#include "server/hooks_post.h"
#include "server/lore.h"
#include "server/scope.h"
#include "storage/store_key.h"

#include <stdio.h>

#define SECRET_LEAST 16
#define SECRET_MOST 256
#define FINGERPRINT_KIND 'h'

struct wish {
    const struct act_request *q;
    struct act_reply *out;
    struct span name, url, secret, org;
    bool has_url, has_kinds, has_secret, has_enabled, has_org, enabled;
    uint32_t kinds;
    int64_t since_s;
};

/* ---- the body ---- */

static bool name_fits(struct wish *w)
{
    bool fits = w->name.len <= HOOK_NAME_MAX;

    for (size_t i = 0; i < w->name.len && fits; i++) {
        uint8_t c = w->name.at[i];

        fits =
            (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || strchr("._-", c);
    }
    if (fits)
        return true;
    answer_refuse(w->out, ERR_INVALID, "name",
                  "name: found %.*s, expected 1 to 64 of A–Z a–z 0–9 . _ -",
                  (int)(w->name.len < 64 ? w->name.len : 64), (const char *)w->name.at);
    return false;
}

static bool read_kinds(struct wish *w)
{
    const json_t *list = json_object_get(w->q->body, "kinds"), *v;
    enum hook_kind k;
    size_t i;

    if (!list || json_is_null(list))
        return true;
    w->has_kinds = json_is_array(list) && json_array_size(list) > 0;
    json_array_foreach((json_t *)list, i, v)
    {
        const char *text = json_string_value(v);

        if (text && hook_kind_read(span_text(text), &k)) {
            w->kinds |= 1u << k;
            continue;
        }
        answer_refuse(w->out, ERR_INVALID, "kinds",
                      "kinds: found %.40s, expected some of flag, exchange, cycle.closed, "
                      "adjustment, order, notice, edit",
                      text ? text : "no text");
        return false;
    }
    if (w->has_kinds)
        return true;
    answer_refuse(w->out, ERR_INVALID, "kinds",
                  "kinds: expected a list of at least one of flag, exchange, cycle.closed, "
                  "adjustment, order, notice, edit");
    return false;
}

static bool read_secret(struct wish *w)
{
    const json_t *v = json_object_get(w->q->body, "secret");

    if (!v || json_is_null(v))
        return true;
    w->has_secret = true;
    if (json_is_string(v))
        w->secret = span_of(json_string_value(v), json_string_length(v));
    if (w->secret.len >= SECRET_LEAST && w->secret.len <= SECRET_MOST)
        return true;
    answer_refuse(w->out, ERR_INVALID, "secret", "secret: expected a text of %d to %d bytes",
                  SECRET_LEAST, SECRET_MOST);
    return false;
}

/* An address may be longer than other texts. */
static bool read_url(struct wish *w)
{
    const json_t *v = json_object_get(w->q->body, "url");
    struct refusal r = { 0 };

    w->has_url = v && !json_is_null(v);
    if (!w->has_url)
        return true;
    if (json_is_string(v))
        w->url = span_of(json_string_value(v), json_string_length(v));
    if (post_url_fits(w->url, HOOK_URL_MAX, &r))
        return true;
    answer_refuse(w->out, r.err, "url", "%s", r.text);
    return false;
}

static bool wish_read(struct wish *w)
{
    return answer_members(w->q, w->out, "name", "url", "kinds", "secret", "enabled", "org", "since",
                          NULL) &&
           answer_text(w->q, w->out, "name", true, &w->name) && name_fits(w) && read_url(w) &&
           read_kinds(w) && read_secret(w) &&
           answer_bool(w->q, w->out, "enabled", &w->has_enabled, &w->enabled) &&
           answer_text(w->q, w->out, "org", false, &w->org) &&
           answer_time(w->q, w->out, "since", INT64_MIN, &w->since_s);
}

static bool needed(struct wish *w, bool there, const char *field)
{
    if (!there)
        answer_refuse(w->out, ERR_INVALID, field, "%s: found nothing, expected it of a new webhook",
                      field);
    return there;
}

static bool is_whole(struct wish *w)
{
    return needed(w, w->has_url, "url") && needed(w, w->has_kinds, "kinds") &&
           needed(w, w->has_secret, "secret");
}

/* Where it begins is told once. */
static bool has_begun(struct wish *w)
{
    if (w->since_s == INT64_MIN)
        return true;
    answer_refuse(
        w->out, ERR_INVALID, "since",
        "since: found a time, expected none: the webhook has begun, and goes on where it is");
    return false;
}

/* ---- against what is there ---- */

static bool is_callers(const struct act_request *q, struct act_reply *out, struct txn *t,
                       const struct ledger_hook *h)
{
    struct scope scope = scope_of(q->caller->org);

    if (!q->caller->org[0] || (h->org.len && scope_org(&scope, t, h->org)))
        return true;
    if (t->err)
        answer_failed(out, t->err);
    else
        answer_refuse(out, ERR_FORBIDDEN, "hook",
                      "the role %s of the org unit %s may not do this: the webhook %.*s belongs to "
                      "another unit, or to none",
                      role_name(q->caller->role), q->caller->org, (int)h->name.len,
                      (const char *)h->name.at);
    return false;
}

bool hook_named(const struct act_request *q, struct act_reply *out, struct txn *t,
                struct ledger_hook *h)
{
    if (ledger_hook(t, q->subject, h))
        return is_callers(q, out, t, h);
    if (t->err)
        answer_failed(out, t->err);
    else
        answer_refuse(out, ERR_NOT_FOUND, "hook", "%.*s: there is no webhook of that name",
                      (int)(q->subject.len < 64 ? q->subject.len : 64),
                      (const char *)q->subject.at);
    return false;
}

static bool org_is_known(struct wish *w, struct txn *t)
{
    struct ledger_row row;

    if (!w->org.len || ledger_find(t, LIST_ORG, w->org, INT64_MAX, &row))
        return true;
    if (t->err)
        answer_failed(w->out, t->err);
    else
        answer_refuse(w->out, ERR_NOT_FOUND, "org", "org %.*s: is not registered",
                      (int)(w->org.len < 64 ? w->org.len : 64), (const char *)w->org.at);
    return false;
}

static bool count_hook(void *arg, const struct ledger_hook *h)
{
    (void)h;
    ++*(unsigned *)arg;
    return true;
}

static bool has_room(struct wish *w, struct txn *t)
{
    unsigned count = 0;

    if (ledger_hooks(t, count_hook, &count)) {
        answer_failed(w->out, t->err);
        return false;
    }
    if (count >= HOOKS_MAX)
        answer_refuse(w->out, ERR_CONFLICT, "",
                      "there are %u webhooks already, expected at most %d: remove one", count,
                      HOOKS_MAX);
    return count < HOOKS_MAX;
}

/* ---- writing ---- */

static void put_members(struct out *o, const struct ledger_hook *h, const char *fingerprint)
{
    out_member_span(o, "name", h->name);
    out_member_span(o, "url", h->url);
    out_key(o, "kinds");
    hook_kinds_put(o, h->kinds);
    out_member_bool(o, "enabled", h->enabled);
    if (h->org.len)
        out_member_span(o, "org", h->org);
    if (fingerprint[0])
        out_member_text(o, "fingerprint", fingerprint);
    out_member_time(o, "created_at", h->created_s);
    out_member_span(o, "created_by", h->who);
}

static enum err seal(struct wish *w, struct ledger_hook *h, uint8_t *room,
                     char fingerprint[FINGERPRINT_SIZE])
{
    const struct store_key *key = w->q->app->store_key;
    uint8_t place[HOOK_PLACE_SIZE];
    enum err err;

    hook_secret_place(h->id, place);
    if ((err = store_key_seal(key, span_of(place, sizeof place), w->secret, room)))
        return err;
    h->sealed = span_of(room, w->secret.len + SEALED_MORE);
    store_key_fingerprint(key, FINGERPRINT_KIND, w->secret, fingerprint);
    return ERR_OK;
}

static bool begin_cursor(struct wish *w, struct act *act, uint32_t id)
{
    struct hook_cursor c = { .at = { .act = act->number, .part = UINT32_MAX } };
    uint64_t first;

    if (w->since_s != INT64_MIN) {
        if (ledger_act_since(&act->txn, w->since_s, &first)) {
            answer_failed(w->out, act->txn.err);
            return false;
        }
        if (first < act->number)
            c.at.act = first - 1;
    }
    act_put_hook_cursor(act, id, &c);
    return true;
}

/* `room` keeps what views of the transaction would lose with its first change. */
static void keep(struct span *s, struct wr *room)
{
    struct span text = *s;

    s->at = room->at;
    wr_bytes(room, text);
}

static void write(struct wish *w, struct act *act, bool is_new, struct ledger_hook *h)
{
    uint8_t sealed[SECRET_MOST + SEALED_MORE], room[HOOK_URL_MAX + 4 * LIMIT_TEXT];
    char fingerprint[FINGERPRINT_SIZE] = "";
    struct wr kept = wr_of(room, sizeof room);
    struct out told = { 0 };
    enum err err = ERR_OK;

    keep(&h->url, &kept);
    keep(&h->org, &kept);
    keep(&h->who, &kept);
    keep(&h->sealed, &kept);
    if (is_new)
        h->id = act_new_hook(act);
    if (w->has_secret)
        err = seal(w, h, sealed, fingerprint);
    if (is_new && !err && !begin_cursor(w, act, h->id))
        return;
    if (!act->txn.err && (err || kept.err))
        act->txn.err = err ? err : kept.err;
    act_put_hook(act, h);
    out_text(&told, "{");
    put_members(&told, h, fingerprint);
    out_text(&told, "}");
    if (!act->txn.err)
        act->txn.err = told.err;
    act_note(act, is_new ? "hook.add" : "hook.change", h->name, span_of(NULL, 0),
             span_of(told.at, told.len), span_of(NULL, 0));
    out_done(&told);
    answer_begin(w->out, is_new ? 201 : 200);
    put_members(&w->out->body, h, fingerprint);
    answer_end(w->out, NULL);
    if (!answer_commit(w->q, w->out, act))
        hooks_changed(w->q->app);
}

static void apply(struct wish *w, struct ledger_hook *h, bool is_new, int64_t now_s)
{
    h->name = w->name;
    if (w->has_url)
        h->url = w->url;
    if (w->has_kinds)
        h->kinds = w->kinds;
    if (is_new || w->has_enabled)
        h->enabled = w->enabled;
    if (is_new || w->org.len)
        h->org = w->org;
    if (is_new) {
        h->who = span_text(w->q->caller->who);
        h->created_s = now_s;
    }
}

void act_post_hook(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    struct wish w = { .q = q, .out = out };
    struct ledger_hook h = { 0 };
    const struct store_key *key;
    struct refusal r = { 0 };
    struct act act;
    bool known, fine;

    if (!answer_role(q, out, ROLES_CHIEF) || !wish_read(&w))
        return;
    if (w.has_secret && lore_store_key(app, &key, &r)) {
        answer_refuse(out, r.err, "", "%s", r.text);
        return;
    }
    act = act_by(q);
    known = ledger_hook(&act.txn, w.name, &h);
    if (act.txn.err) {
        answer_failed(out, act.txn.err);
    } else {
        fine = known ? is_callers(q, out, &act.txn, &h) && has_begun(&w)
                     : is_whole(&w) && has_room(&w, &act.txn);
        if (fine && org_is_known(&w, &act.txn)) {
            apply(&w, &h, !known, act.now_s);
            write(&w, &act, !known, &h);
        }
    }
    act_abort(&act);
}
