/* Which records of the audit are events, and what is told of them. */
#include "server/hooks.h"

#include "proto/base/hex.h"
#include "server/scope.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>

#define DATA_MAX (1u << 20) /* more is not sent: whoever wants it asks for it */
#define BACKLOG_LOOK 20000u /* records: a list of hooks looks so far for each of them */

static const char *const kind_names[HOOK_KINDS + 1] = {
    [HOOK_FLAG] = "flag",          [HOOK_EXCHANGE] = "exchange",
    [HOOK_CYCLE] = "cycle.closed", [HOOK_ADJUSTMENT] = "adjustment",
    [HOOK_ORDER] = "order",        [HOOK_NOTICE] = "notice",
    [HOOK_EDIT] = "edit",          [HOOK_TEST] = "test",
};

const char *hook_kind_name(enum hook_kind k)
{
    return kind_names[k];
}

void hook_kinds_put(struct out *o, uint32_t kinds)
{
    bool first = true;

    out_text(o, "[");
    for (unsigned i = 0; i < HOOK_KINDS; i++)
        if (kinds & 1u << i) {
            out_format(o, "%s\"%s\"", first ? "" : ",", kind_names[i]);
            first = false;
        }
    out_text(o, "]");
}

bool hook_kind_read(struct span name, enum hook_kind *out)
{
    for (unsigned i = 0; i < HOOK_KINDS; i++)
        if (span_equal(name, span_text(kind_names[i]))) {
            *out = (enum hook_kind)i;
            return true;
        }
    return false;
}

/* ---- ids ---- */

void hook_event_id(struct hook_place at, char out[HOOK_ID_SIZE])
{
    snprintf(out, HOOK_ID_SIZE, "%llu-%u", (unsigned long long)at.act, (unsigned)at.part);
}

bool hook_event_place(struct span id, struct hook_place *out)
{
    const uint8_t *dash = id.len ? (const uint8_t *)memchr(id.at, '-', id.len) : NULL;
    int64_t act, part;

    if (!dash || text_int(span_of(id.at, (size_t)(dash - id.at)), &act) ||
        text_int(span_of(dash + 1, id.len - (size_t)(dash - id.at) - 1), &part) || act < 1 ||
        part < 1 || part >= UINT32_MAX)
        return false;
    *out = (struct hook_place){ .act = (uint64_t)act, .part = (uint32_t)part };
    return true;
}

void hook_event_done(struct hook_event *e)
{
    out_done(&e->data);
    out_done(&e->before);
    out_done(&e->after);
    out_done(&e->body);
    memset(e, 0, sizeof *e);
}

/* ---- what the audit says ---- */

static bool is_object(struct span text)
{
    return text.len > 1 && text.at[0] == '{' && text.at[text.len - 1] == '}';
}

/* The value of a member of an object that we wrote ourselves, as it stands there. Within a text a quote is escaped, so that nothing there looks like a name. */
static struct span member(struct span object, const char *name)
{
    char key[32];
    int len = snprintf(key, sizeof key, "\"%s\":", name);
    const uint8_t *at =
        object.len ? (const uint8_t *)memmem(object.at, object.len, key, (size_t)len) : NULL;
    const uint8_t *end = object.at + object.len, *from;

    if (!at)
        return span_of(NULL, 0);
    from = at += len;
    if (at < end && *at == '"') {
        for (at++; at < end && *at != '"'; at++)
            at += *at == '\\' && at + 1 < end;
        at += at < end;
    } else {
        while (at < end && *at != ',' && *at != '}')
            at++;
    }
    return span_of(from, (size_t)(at - from));
}

/* "/v1/flags/" and the name, escaped; of one without end as much as there is room for. */
static void path_to(struct hook_event *e, const char *where, struct span name)
{
    size_t len = (size_t)snprintf(e->path, sizeof e->path, "%s", where),
           most = (sizeof e->path - len - 1) / 3;

    len += text_put_escaped(e->path + len, span_of(name.at, name.len < most ? name.len : most));
    e->path[len] = 0;
}

/* What an exchange took off, until it says what it put on. */
struct removed {
    uint64_t act;
    char serial[SERIAL_MAX + 1];
    struct out facts;
};

struct finding {
    const struct hook_listener *who;
    struct hook_place after; /* what is at or before it is known */
    struct hook_place seen;
    unsigned visits, most;
    struct hook_event *event; /* NULL: they are counted */
    struct removed removed;
    bool found, one; /* one: only what is at `wanted` */
    struct hook_place wanted;
    uint64_t count;
    enum err err;
};

static void put_member(struct out *o, const char *name, struct span value)
{
    if (!value.len)
        return;
    out_key(o, name);
    out_bytes(o, value.at, value.len);
}

/* A meter that is put on where the same act took another off at that instant. */
static bool is_exchange(struct finding *f, const struct audit_record *r)
{
    struct span was = span_of(f->removed.facts.at, f->removed.facts.len);

    return f->removed.act == r->number && member(r->after, "point").len &&
           span_equal(member(was, "point"), member(r->after, "point")) &&
           span_equal(member(was, "at"), member(r->after, "at"));
}

static void tell_exchange(struct finding *f, const struct audit_record *r)
{
    struct span was = span_of(f->removed.facts.at, f->removed.facts.len),
                point = member(r->after, "point");
    struct out *o = &f->event->data;

    text_cut(f->event->point, sizeof f->event->point, span_of(point.at + 1, point.len - 2));
    out_text(o, "{");
    put_member(o, "point", point);
    put_member(o, "at", member(r->after, "at"));
    out_member_text(o, "old_serial", f->removed.serial);
    put_member(o, "old_index_l", member(was, "index_l"));
    out_member_span(o, "new_serial", r->subject);
    put_member(o, "new_index_l", member(r->after, "index_l"));
    put_member(o, "reason", member(was, "reason"));
    put_member(o, "crew", member(was, "crew"));
    put_member(o, "document", member(was, "document"));
    put_member(o, "order", member(was, "order"));
    out_text(o, "}");
}

static void note_removed(struct finding *f, const struct audit_record *r)
{
    out_clear(&f->removed.facts);
    out_bytes(&f->removed.facts, r->after.at, r->after.len);
    text_cut(f->removed.serial, sizeof f->removed.serial, r->subject);
    f->removed.act = r->number;
    f->err = f->removed.facts.err;
}

static bool begins(struct span text, const char *with)
{
    return text.len >= strlen(with) && !memcmp(text.at, with, strlen(with));
}

static bool is_word(struct span text, const char *word)
{
    return span_equal(text, span_text(word));
}

/* What kind of event a record is; false: none that this listener hears. */
static bool kind_of(struct finding *f, const struct audit_record *r, enum hook_kind *out)
{
    static const struct {
        const char *what;
        enum hook_kind kind;
    } kinds[] = {
        { "flag.born", HOOK_FLAG },
        { "flag.turned", HOOK_FLAG },
        { "flag.decide", HOOK_FLAG },
        { "cycle.close", HOOK_CYCLE },
        { "adjustment.made", HOOK_ADJUSTMENT },
        { "orders.add", HOOK_ORDER },
        { "orders.change", HOOK_ORDER },
        { "notice.sent", HOOK_NOTICE },
    };

    if (is_word(r->what, "meter.remove"))
        note_removed(f, r);
    *out = HOOK_TEST;
    if (is_word(r->what, "hook.test"))
        return is_word(r->subject, f->who->name);
    if (is_word(r->what, "meter.install") && is_exchange(f, r))
        *out = HOOK_EXCHANGE;
    else if (begins(r->what, "edit."))
        *out = HOOK_EDIT;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && *out == HOOK_TEST; i++)
        if (is_word(r->what, kinds[i].what))
            *out = kinds[i].kind;
    return *out != HOOK_TEST && f->who->kinds & 1u << *out;
}

/* How a flag changed: in the words of its state. */
static void tell_flag(struct hook_event *e, const struct audit_record *r)
{
    if (is_word(r->what, "flag.born"))
        text_cut(e->change, sizeof e->change, span_text("raised"));
    else if (is_word(r->after, "open"))
        text_cut(e->change, sizeof e->change, span_text("reopened"));
    else
        text_cut(e->change, sizeof e->change, r->after);
    path_to(e, "/v1/flags/", r->subject);
}

static void keep_object(struct out *o, struct span text)
{
    if (is_object(text))
        out_bytes(o, text.at, text.len);
}

static void tell(struct finding *f, const struct audit_record *r, enum hook_kind kind)
{
    struct hook_event *e = f->event;
    struct span subject = r->subject, word = r->what;

    e->at = (struct hook_place){ .act = r->number, .part = r->part };
    e->at_s = r->at_s;
    e->kind = kind;
    if (subject.len && !subject.at[subject.len - 1])
        subject.len--;
    for (size_t i = 0; i < word.len; i++) /* "edit.approve" */
        if (word.at[i] == '.') {
            word = span_of(word.at + i + 1, word.len - i - 1);
            break;
        }
    if (kind == HOOK_FLAG) {
        tell_flag(e, r);
        return;
    }
    text_cut(e->change, sizeof e->change, kind == HOOK_CYCLE ? span_text("closed") : word);
    if (kind == HOOK_EXCHANGE) {
        text_cut(e->change, sizeof e->change, span_text("done"));
        tell_exchange(f, r);
    } else if (kind == HOOK_CYCLE) {
        path_to(e, "/v1/cycles/", subject);
    } else if (kind == HOOK_ADJUSTMENT) {
        path_to(e, "/v1/adjustments/", member(r->after, "id"));
    } else if (kind == HOOK_ORDER) {
        path_to(e, "/v1/orders/", subject);
        keep_object(&e->before, r->before);
        keep_object(&e->after, r->after);
    } else if (kind == HOOK_NOTICE) {
        path_to(e, "/v1/notices/", subject);
    } else if (kind == HOOK_EDIT) {
        path_to(e, "/v1/edits/", member(r->after, "id"));
        keep_object(&e->before, r->before);
        keep_object(&e->after, r->after);
    }
}

static bool is_known(const struct finding *f, const struct audit_record *r)
{
    return r->number < f->after.act || (r->number == f->after.act && r->part <= f->after.part);
}

static bool look_at(void *arg, const struct audit_record *r)
{
    struct finding *f = (struct finding *)arg;
    enum hook_kind kind;
    bool is_event =
        kind_of(f, r, &kind); /* also of what is known: an exchange begins before its end */

    if (f->err)
        return false;
    if (is_known(f, r))
        return true;
    if (f->one && (r->number != f->wanted.act || r->part > f->wanted.part))
        return false;
    if (f->visits == f->most)
        return false;
    f->visits++;
    if (is_event && (!f->one || r->part == f->wanted.part)) {
        f->count++;
        f->found = true;
        if (f->event) {
            tell(f, r, kind);
            return false;
        }
    }
    f->seen = (struct hook_place){ .act = r->number, .part = r->part };
    return true;
}

static enum err walk(struct txn *t, struct finding *f)
{
    enum err err = ledger_audit(t, f->after.act ? f->after.act : 1, look_at, f);

    out_done(&f->removed.facts);
    if (f->event && !f->err)
        f->err = f->event->data.err     ? f->event->data.err
                 : f->event->before.err ? f->event->before.err
                                        : f->event->after.err;
    return err ? err : f->err;
}

enum err hook_event_next(struct txn *t, const struct hook_listener *who, struct hook_place *at,
                         unsigned most, struct hook_event *e, bool *out_found, bool *out_more)
{
    struct finding f = { .who = who, .after = *at, .seen = *at, .most = most, .event = e };
    uint64_t end = ledger_end(t);
    enum err err;

    hook_event_done(e);
    *out_found = *out_more = false;
    if (t->err || (end <= at->act && at->part == UINT32_MAX))
        return t->err;
    if ((err = walk(t, &f)))
        return err;
    *out_found = f.found;
    *out_more = !f.found && f.visits == most;
    *at = f.seen;
    if (!f.found && !*out_more) /* an act is seen whole, or not at all */
        *at = (struct hook_place){ .act = end, .part = UINT32_MAX };
    return ERR_OK;
}

enum err hook_event_at(struct txn *t, const struct hook_listener *who, struct hook_place at,
                       struct hook_event *e, bool *out_found)
{
    struct finding f = { .who = who,
                         .after = { .act = at.act },
                         .most = UINT32_MAX,
                         .event = e,
                         .one = true,
                         .wanted = at };
    enum err err;

    hook_event_done(e);
    err = walk(t, &f);
    *out_found = f.found;
    return err;
}

enum err hook_backlog(struct txn *t, const struct hook_listener *who, struct hook_place at,
                      uint64_t *out_count, bool *out_more)
{
    struct finding f = { .who = who, .after = at, .most = BACKLOG_LOOK };
    enum err err = walk(t, &f);

    *out_count = f.count;
    *out_more = f.visits == f.most;
    return err;
}

/* ---- what is sent ---- */

static bool is_theirs(struct app *app, const struct hook_listener *who, const struct hook_event *e,
                      enum err *err)
{
    struct scope scope = scope_of(who->org);
    struct txn t;
    bool theirs;

    if (!who->org[0] || !e->point[0])
        return true;
    t = ledger_read(app->ledger);
    theirs = scope_named(&scope, &t, LIST_POINT, span_text(e->point));
    *err = txn_end(&t);
    return theirs;
}

static void put_raw(struct out *o, const char *name, const struct out *value)
{
    size_t len = value->len;

    if (!len)
        return;
    while (len && (value->at[len - 1] == '\n' || value->at[len - 1] == ' '))
        len--;
    out_key(o, name);
    out_bytes(o, value->at, len);
}

static void make_body(struct hook_event *e)
{
    struct out *o = &e->body;
    char id[HOOK_ID_SIZE];

    hook_event_id(e->at, id);
    out_clear(o);
    out_text(o, "{");
    out_member_text(o, "id", id);
    out_member_text(o, "kind", hook_kind_name(e->kind));
    out_member_text(o, "change", e->change);
    out_member_time(o, "at", e->at_s);
    put_raw(o, "before", &e->before);
    put_raw(o, "after", &e->after);
    if (e->data.len)
        put_raw(o, "data", &e->data);
    else
        out_member_null(o, "data");
    if (e->path[0])
        out_member_text(o, "path", e->path);
    out_text(o, "}\n");
}

enum err hook_event_show(struct app *app, hook_show *show, const struct hook_listener *who,
                         bool anyway, struct hook_event *e, enum hook_shown *out)
{
    unsigned status = 200;
    enum err err = ERR_OK;

    *out = HOOK_NOT_THEIRS;
    if (!is_theirs(app, who, e, &err) || err)
        return err;
    *out = HOOK_NOT_YET;
    if (e->path[0]) {
        if (app->bearing && !anyway)
            return ERR_OK;
        out_done(&e->data);
        if ((err = show(app, who->org, e->path, &e->data, &status)))
            return err;
    }
    if (status == 403) {
        *out = HOOK_NOT_THEIRS;
        return ERR_OK;
    }
    if (status != 200 && !anyway)
        return ERR_OK;
    if (status != 200 || e->data.len > DATA_MAX)
        out_done(&e->data);
    make_body(e);
    *out = HOOK_SHOWN;
    return e->body.err;
}

void hook_sign(struct span secret, const char *timestamp, struct span body,
               char out[HOOK_SIGNATURE_SIZE])
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    size_t stamp = strlen(timestamp), mac_len = 0;
    char name[] = "SHA256";
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string("digest", name, 0),
                            OSSL_PARAM_construct_end() };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *c = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    struct wr w = wr_of(out, HOOK_SIGNATURE_SIZE - 1);

    if (!c || !EVP_MAC_init(c, secret.at, secret.len, params) ||
        !EVP_MAC_update(c, (const uint8_t *)timestamp, stamp) ||
        !EVP_MAC_update(c, (const uint8_t *)".", 1) || !EVP_MAC_update(c, body.at, body.len) ||
        !EVP_MAC_final(c, mac, &mac_len, sizeof mac) || mac_len != 32)
        abort(); /* nothing that is not signed may go out */
    EVP_MAC_CTX_free(c);
    EVP_MAC_free(hmac);
    wr_text(&w, "v1=");
    hex_write(&w, span_of(mac, mac_len));
    out[HOOK_SIGNATURE_SIZE - 1] = 0;
}

int64_t hook_delay_ms(uint32_t fails, uint32_t random)
{
    int64_t s = fails > 12 ? 3600 : fails ? (int64_t)1 << (fails - 1) : 0;
    int64_t ms = (s > 3600 ? 3600 : s) * 1000;

    return ms - ms / 4 + random % (ms / 2 + 1);
}
