#include "server/query/auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>

#define SEATS 64
#define TRUST_MS 10000 /* how long a token that was withdrawn may go on */
#define TOKEN_MAX 64

struct seat {
    char token[TOKEN_MAX];
    size_t len;
    int64_t looked_up_ms;
    struct token_facts facts;
};

struct auth {
    pthread_mutex_t lock;
    struct seat seats[SEATS];
};

enum err auth_new(struct auth **out)
{
    struct auth *a = (struct auth *)calloc(1, sizeof *a);

    if (!a)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&a->lock, NULL);
    *out = a;
    return ERR_OK;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    pthread_mutex_destroy(&a->lock);
    free(a);
}

/* A token is secret: the time that a comparison takes must not tell how much of it fits. */
static bool same_secret(const struct seat *s, struct span token)
{
    uint8_t differ = s->len != token.len;

    for (size_t i = 0; i < token.len; i++)
        differ |= (uint8_t)s->token[i] ^ token.at[i];
    return !differ;
}

static struct seat *seat_of(struct auth *a, struct span token)
{
    uint32_t sum = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < token.len; i++)
        sum = (sum ^ token.at[i]) * 16777619u;
    return &a->seats[sum % SEATS];
}

static bool remembered(struct auth *a, struct span token, int64_t now_s, struct token_facts *out)
{
    struct seat *s = seat_of(a, token);
    bool known;

    pthread_mutex_lock(&a->lock);
    known = s->len && same_secret(s, token) && clock_monotonic_ms() - s->looked_up_ms < TRUST_MS &&
            s->facts.expires_s > now_s;
    if (known)
        *out = s->facts;
    pthread_mutex_unlock(&a->lock);
    return known;
}

static void remember(struct auth *a, struct span token, const struct token_facts *facts)
{
    struct seat *s = seat_of(a, token);

    pthread_mutex_lock(&a->lock);
    memcpy(s->token, token.at, token.len);
    s->len = token.len;
    s->looked_up_ms = clock_monotonic_ms();
    s->facts = *facts;
    pthread_mutex_unlock(&a->lock);
}

static enum err look_up(struct app *app, struct span token, int64_t now_s, struct token_facts *out)
{
    struct txn t = ledger_read(app->ledger);
    enum err err = t.err ? t.err : ledger_token(&t, token, now_s, out), end = txn_end(&t);

    return err ? err : end;
}

struct span auth_token(struct span header)
{
    static const char scheme[] = "bearer ";
    size_t len = sizeof scheme - 1;

    if (header.len <= len)
        return (struct span){ 0 };
    for (size_t i = 0; i < len; i++) {
        uint8_t c = header.at[i];

        if ((c >= 'A' && c <= 'Z' ? c | 32 : c) != (uint8_t)scheme[i])
            return (struct span){ 0 };
    }
    header = span_of(header.at + len, header.len - len);
    while (header.len && *header.at == ' ')
        header = span_of(header.at + 1, header.len - 1);
    while (header.len && header.at[header.len - 1] == ' ')
        header.len--;
    return header.len <= TOKEN_MAX ? header : (struct span){ 0 };
}

static void put_caller(struct caller *out, const struct token_facts *facts)
{
    out->role = facts->role;
    memcpy(out->who, facts->name, sizeof out->who);
    memcpy(out->org, facts->org, sizeof out->org);
}

enum err auth_caller(struct auth *a, struct app *app, struct span header, struct caller *out,
                     struct refusal *r)
{
    struct span token = auth_token(header);
    int64_t now_s = clock_now_s(&app->clock);
    struct token_facts facts;
    enum err err;

    if (!token.len)
        return refuse(r, ERR_UNAUTHORIZED, 0, "Authorization",
                      "Authorization: expected Bearer and a token");
    if (!remembered(a, token, now_s, &facts)) {
        if ((err = look_up(app, token, now_s, &facts)))
            return refuse(r, err, 0, "Authorization",
                          err == ERR_UNAUTHORIZED ? "the token is unknown or has expired"
                                                  : "the token could not be looked up");
        remember(a, token, &facts);
    }
    put_caller(out, &facts);
    return ERR_OK;
}

/* ---- sessions ---- */

enum err auth_session(struct app *app, struct span secret, struct caller *out, struct refusal *r)
{
    struct txn t = ledger_read(app->ledger);
    struct token_facts facts;
    enum err err = t.err ? t.err
                   : secret.len > TOKEN_MAX
                       ? ERR_UNAUTHORIZED
                       : ledger_session(&t, secret, clock_now_s(&app->clock), &facts),
             end = txn_end(&t);

    if (err || (err = end))
        return refuse(r, err, 0, "Cookie",
                      err == ERR_UNAUTHORIZED ? "nobody is signed in here, or not any more"
                                              : "the session could not be looked up");
    put_caller(out, &facts);
    return ERR_OK;
}

enum err auth_again(struct app *app, struct span secret, bool by_session, struct caller *out)
{
    struct token_facts facts;
    struct refusal r;
    enum err err;

    if (by_session)
        return auth_session(app, secret, out, &r);
    if ((err = look_up(app, secret, clock_now_s(&app->clock), &facts)))
        return err;
    put_caller(out, &facts);
    return ERR_OK;
}

void auth_csrf(struct span secret, char out[CSRF_SIZE])
{
    static const char about[] = "nilometer: csrf", digits[] = "0123456789abcdef";
    uint8_t sum[32];
    unsigned len = 0;

    if (!HMAC(EVP_sha256(), secret.at, (int)secret.len, (const uint8_t *)about, sizeof about - 1,
              sum, &len) ||
        len != sizeof sum)
        abort(); /* fails only without memory, and a token that others could guess must not be */
    for (size_t i = 0; i < sizeof sum; i++) {
        out[2 * i] = digits[sum[i] >> 4];
        out[2 * i + 1] = digits[sum[i] & 15];
    }
    out[CSRF_SIZE - 1] = 0;
}

bool auth_csrf_fits(struct span secret, struct span sent)
{
    char wanted[CSRF_SIZE];

    auth_csrf(secret, wanted);
    return sent.len == CSRF_SIZE - 1 && CRYPTO_memcmp(wanted, sent.at, sent.len) == 0;
}
