#include "server/query/once.h"

#include "server/query/seal.h"
#include "storage/journal.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

struct once {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct place_taken *first;
};

/* One per running request with a key: at most as many as there are writers. */
struct place_taken {
    const struct request *by;
    struct place_taken *next;
};

enum err once_new(struct once **out)
{
    struct once *o = (struct once *)calloc(1, sizeof *o);

    if (!o)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->freed, NULL);
    *out = o;
    return ERR_OK;
}

void once_free(struct once *o)
{
    if (!o)
        return;
    pthread_cond_destroy(&o->freed);
    pthread_mutex_destroy(&o->lock);
    free(o);
}

static bool taken_lkd(const struct once *o, const struct request *q)
{
    for (const struct place_taken *p = o->first; p; p = p->next) {
        if (strcmp(p->by->key, q->key) == 0 && strcmp(p->by->caller.who, q->caller.who) == 0)
            return true;
    }
    return false;
}

static bool take_place(struct once *o, const struct request *q)
{
    struct place_taken *p = (struct place_taken *)malloc(sizeof *p);

    if (!p)
        return false;
    p->by = q;
    pthread_mutex_lock(&o->lock);
    while (taken_lkd(o, q))
        pthread_cond_wait(&o->freed, &o->lock);
    p->next = o->first;
    o->first = p;
    pthread_mutex_unlock(&o->lock);
    return true;
}

static void give_back(struct once *o, const struct request *q)
{
    struct place_taken **at = &o->first, *found;

    pthread_mutex_lock(&o->lock);
    while (*at && (*at)->by != q)
        at = &(*at)->next;
    if ((found = *at))
        *at = found->next;
    pthread_cond_broadcast(&o->freed);
    pthread_mutex_unlock(&o->lock);
    free(found);
}

/* What must be the same for a request to be the same: method, path with its parameters, body; and whose it is, for a name is no proof
 * of that: a person and a token may share it, and be of different units. */
static void hash_request(const struct request *q, const uint8_t digest[32], uint8_t out[32])
{
    EVP_MD_CTX *sum = EVP_MD_CTX_new();
    const struct target *t = &q->target;
    bool fine = sum && EVP_DigestInit_ex(sum, EVP_sha256(), NULL) &&
                EVP_DigestUpdate(sum, q->route->path, strlen(q->route->path) + 1);

    for (unsigned i = 0; fine && i < t->segments; i++)
        fine = EVP_DigestUpdate(sum, t->segment[i].at, t->segment[i].len) &&
               EVP_DigestUpdate(sum, "\0", 1);
    for (unsigned i = 0; fine && i < t->parameters; i++)
        fine = EVP_DigestUpdate(sum, t->parameter[i].name.at, t->parameter[i].name.len) &&
               EVP_DigestUpdate(sum, "\0=", 2) &&
               EVP_DigestUpdate(sum, t->parameter[i].value.at, t->parameter[i].value.len) &&
               EVP_DigestUpdate(sum, "\0", 1);
    if (fine && q->caller.org[0])
        fine = EVP_DigestUpdate(sum, q->caller.org, strlen(q->caller.org) + 1);
    if (!fine || !EVP_DigestUpdate(sum, digest, 32) || !EVP_DigestFinal_ex(sum, out, NULL))
        abort(); /* SHA-256 fails only without memory, and an answer must not be kept under a wrong
                    name */
    EVP_MD_CTX_free(sum);
}

static struct span who_of(const struct request *q)
{
    return span_text(q->caller.who);
}

/* The answer that makes a token is the only one with a secret in it. */
bool once_secret(const struct request *q)
{
    return q->route->act == act_create_token;
}

/* CORRUPT also where another token of the same name asked: its answer is not for this one. */
static enum err put_earlier(struct request *q, struct span body)
{
    if (once_secret(q))
        return seal_open(q->token, body, &q->out);
    out_bytes(&q->out, body.at, body.len);
    return ERR_OK;
}

/* True: something was answered under the key before, and this request's answer stands. */
static bool answered_before(struct request *q, const uint8_t request[32])
{
    struct txn t = ledger_read(q->app->ledger);
    uint8_t earlier[32];
    struct span body;
    unsigned status;
    bool found = ledger_answered(&t, who_of(q), span_text(q->key), earlier, &status, &body), same;
    enum err err;

    same = found && memcmp(earlier, request, 32) == 0;
    if (same) {
        q->status = status;
        out_clear(&q->out);
        same = !put_earlier(q, body);
    }
    err = txn_end(&t);
    if (err) {
        problem_of(q, err, "Idempotency-Key", "earlier answers could not be looked up");
        return true;
    }
    if (found && !same)
        problem_of(q, ERR_INVALID, "Idempotency-Key",
                   "Idempotency-Key: found a key that another request was answered under, expected "
                   "a new key or the same request");
    return found;
}

bool once_begin(struct once *o, struct request *q, const uint8_t digest[32],
                uint8_t out_request[32])
{
    hash_request(q, digest, out_request);
    if (!take_place(o, q)) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory to remember the Idempotency-Key");
        return false;
    }
    if (!answered_before(q, out_request))
        return true;
    give_back(o, q);
    return false;
}

static enum err keep_body(struct request *q, const uint8_t request[32], struct span answer)
{
    struct app *app = q->app;
    struct txn t = ledger_read(app->ledger);
    uint8_t earlier[32];
    struct span body;
    unsigned status;
    bool kept = ledger_answered(&t, who_of(q), span_text(q->key), earlier, &status, &body);
    enum err err = txn_end(&t);
    struct act a;

    if (err || kept)
        return err;
    a = act_join(app->ledger, q->caller.who, clock_now_s(&app->clock), journal_end(app->journal));
    act_answer(&a, who_of(q), span_text(q->key), request, q->status, answer);
    return act_end(&a);
}

static enum err keep(struct request *q, const uint8_t request[32])
{
    struct span answer = span_of(q->out.at, q->out.len);
    struct out sealed = { 0 };
    enum err err;

    if (!once_secret(q))
        return keep_body(q, request, answer);
    err = seal_close(q->token, answer, &sealed);
    if (!err)
        err = keep_body(q, request, span_of(sealed.at, sealed.len));
    out_done(&sealed);
    return err;
}

void once_end(struct once *o, struct request *q, const uint8_t request[32])
{
    if (q->status / 100 == 2 && !q->out.err && keep(q, request))
        problem_of(
            q, ERR_FULL, "Idempotency-Key",
            "the request was carried out, but its answer could not be kept for a repeat: send "
            "it again with the same key");
    give_back(o, q);
}
