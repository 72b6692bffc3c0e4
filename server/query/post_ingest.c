/* Pushes of network servers and operators' platforms, as those send them.  2xx once all of it is durable, or there is nothing in it to
 * keep; 4xx for what can never be of use; 503 for what cannot be kept right now, and is worth sending again.
 *
 * OneNET: where its token is known, a push is believed by its signature alone (MD5 over token, nonce and message, in base 64; its
 * own choice), and what is not signed so is 401. */
#include "proto/base/base64.h"
#include "proto/base/json.h"
#include "proto/lorawan.h"
#include "proto/platform.h"
#include "server/query/answers.h"
#include "server/uplink.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

static void refuse_push(struct request *q, const struct push *p)
{
    struct refusal r = p->refusal;

    r.err = p->err;
    if (err_class(p->err) == ERR_CLASS_PEER)
        problem(q, &r);
    else
        problem_of(q, p->err, "", "it was not kept, send it again: the store %s", err_text(p->err));
}

static void take_push(struct request *q, const struct dialect *d, const char *answer)
{
    struct push p = { .dialect = d,
                      .transport = TRANSPORT_HTTP,
                      .event = ask_text(q, "event"),
                      .bytes = span_of(q->body, q->body_len),
                      .arrival_s = clock_now_s(&q->app->clock) };

    uplink_take(q->app->uplink, &p, 1);
    uplink_sent(q->app->uplink, &p.downlink, false);
    if (p.err) {
        refuse_push(q, &p);
        return;
    }
    q->status = 200;
    out_text(&q->out, answer);
}

void answer_push_chirpstack(struct request *q)
{
    take_push(q, &dialect_chirpstack, "{}\n");
}

void answer_push_tts(struct request *q)
{
    take_push(q, &dialect_tts, "{}\n");
}

void answer_push_aep(struct request *q)
{
    take_push(q, &dialect_aep, "{\"code\":0,\"msg\":\"ok\"}\n");
}

void answer_push_iotda(struct request *q)
{
    take_push(q, &dialect_iotda, "{}\n");
}

/* ---- OneNET ---- */

/* A blank where '+' stood: some of its versions do not escape the signature in the query. */
static bool signature_fits(const struct app *app, struct span nonce, struct span msg,
                           struct span signature)
{
    uint8_t digest[EVP_MAX_MD_SIZE], text[64], given[64];
    struct wr w = wr_of(text, sizeof text);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned len = 0;
    bool made = context && EVP_DigestInit_ex(context, EVP_md5(), NULL) &&
                EVP_DigestUpdate(context, app->onenet_token, strlen(app->onenet_token)) &&
                EVP_DigestUpdate(context, nonce.at, nonce.len) &&
                EVP_DigestUpdate(context, msg.at, msg.len) &&
                EVP_DigestFinal_ex(context, digest, &len);

    EVP_MD_CTX_free(context);
    if (!made)
        return false;
    base64_write(&w, span_of(digest, len));
    if (signature.len != wr_len(&w) || signature.len > sizeof given)
        return false;
    for (size_t i = 0; i < signature.len; i++)
        given[i] = signature.at[i] == ' ' ? '+' : signature.at[i];
    return CRYPTO_memcmp(given, text, signature.len) == 0;
}

static void refuse_signature(struct request *q)
{
    problem_of(q, ERR_UNAUTHORIZED, "msg_signature",
               "the signature does not fit the token that --onenet-token names");
}

/* The message as it was signed: as it stands in the body, without quotes where it is a text. */
static bool body_is_signed(struct request *q)
{
    struct span body = span_of(q->body, q->body_len), nonce, msg, signature;
    struct json root, m[4];
    static const char *const names[] = { "msg", "nonce", "msg_signature", "signature" };
    struct arena a = { 0 };
    bool fits;

    if (json_check(body, &root, NULL) || arena_init(&a, (size_t)LIMIT_PAYLOAD_BLOCK * 2))
        return false;
    json_pick(root, names, 4, m);
    msg = m[0].raw;
    fits = (m[0].kind != JSON_IS_TEXT || !json_text(m[0], &a, &msg)) &&
           !json_text(m[1], &a, &nonce) &&
           !json_text(m[2].kind == JSON_IS_ABSENT ? m[3] : m[2], &a, &signature) &&
           signature_fits(q->app, nonce, msg, signature);
    arena_done(&a);
    return fits;
}

void answer_push_onenet(struct request *q)
{
    if (q->app->onenet_token[0] && !body_is_signed(q))
        refuse_signature(q);
    else
        take_push(q, &dialect_onenet, "{\"errno\":0,\"error\":\"succ\"}\n");
}

void answer_onenet_echo(struct request *q)
{
    struct span msg = ask_text(q, "msg");

    if (q->app->onenet_token[0] &&
        !signature_fits(q->app, ask_text(q, "nonce"), msg, ask_text(q, "signature"))) {
        refuse_signature(q);
        return;
    }
    q->status = 200;
    q->type = "text/plain; charset=utf-8";
    out_bytes(&q->out, msg.at, msg.len);
}
