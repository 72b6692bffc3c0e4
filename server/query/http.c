/* libmicrohttpd at our door: connections, bodies and answers.  What is asked, and by whom it may
 * be, is entry.c's; what is answered, the handlers'.  A request whose work is not done at once has
 * its connection suspended until a worker is through; `suspended` counts those, and http_close
 * waits until there are none. */
#include "server/query/http.h"

#include "server/metrics.h"
#include "server/query/answers.h"
#include "server/query/auth.h"
#include "server/query/entry.h"
#include "server/query/listen.h"
#include "server/query/listing.h"
#include "server/query/live.h"
#include "server/query/once.h"
#include "server/query/page.h"
#include "server/query/patience.h"
#include "server/query/photo_desk.h"
#include "server/query/spool.h"
#include "server/query/stream.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LISTENERS_MAX 16
#define CONNECTION_BYTES                                                                           \
    16384 /* MHD's for one connection: request line and headers, then the chunks of a stream */
#define DESCRIPTORS_REST 240u /* for everything in the process that is no HTTP connection */
#define READERS 2
#define WRITERS                                                                                    \
    32 /* acts that wait go with one commit, so as many as wait; settling and imports must not take     \
          all places */
#define PUSHERS 8           /* that wait for the journal at once: all of them go with one commit */
#define DRAIN_MAX (8 << 20) /* of a refused body, so that the client gets to see the refusal */
#define FAREWELL_MS 3000    /* for answers under way when the server stops */
#define STREAMS_MAX                                                                                \
    1024 /* a stream that nobody reads holds up to some megabytes of one meter's rows */
#define RETRY_AFTER_S "5"
#define LIVE_BLOCK 4096 /* of events, for one chunk */

struct http {
    struct app *app;
    struct auth *auth;
    struct once *once;
    struct patience *patience;
    struct live *live;
    struct photo_desk *photos;
    bool behind_proxy;
    struct page page;
    struct workers *readers, *writers, *pushers;
    struct MHD_Daemon *daemons[LISTENERS_MAX];
    size_t daemon_count;
    char listening[LISTENERS_MAX * ADDRESS_TEXT];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned suspended, active;
    bool stopping;
    char *cert, *key;
};

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* ---- connections that wait for a worker ---- */

/* False: the server stops, and nothing may be suspended any more. */
static bool may_suspend(struct http *h)
{
    bool may;

    pthread_mutex_lock(&h->lock);
    may = !h->stopping;
    h->suspended += may;
    pthread_mutex_unlock(&h->lock);
    return may;
}

static void resume(struct request *q)
{
    struct http *h = q->http;

    MHD_resume_connection(q->connection); /* from here on `q` is the listener's again */
    pthread_mutex_lock(&h->lock);
    h->suspended--;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static void request_free(struct request *q)
{
    struct http *h = q->http;

    stream_free(q->stream);
    listing_free(q->listing);
    spool_close(q->spool);
    out_done(&q->out);
    free(q->body);
    free(q);
    pthread_mutex_lock(&h->lock);
    h->active--;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static bool hand_over(struct request *q, struct workers *to, void (*run)(struct work *w))
{
    if (!may_suspend(q->http))
        return false;
    q->work.run = run;
    MHD_suspend_connection(q->connection);
    workers_submit(to, &q->work);
    return true;
}

/* ---- answers ---- */

static bool stream_fill(void *arg, struct work *job)
{
    struct http *h = ((struct request *)arg)->http;
    bool may;

    pthread_mutex_lock(&h->lock);
    may = !h->stopping;
    pthread_mutex_unlock(&h->lock);
    if (may)
        workers_submit(h->readers, job);
    return may;
}

static void stream_wake(void *arg)
{
    resume((struct request *)arg);
}

static void stream_gone(void *arg)
{
    request_free((struct request *)arg);
}

/* MHD asks for more of a stream. */
static ssize_t stream_more(void *cls, uint64_t pos, char *to, size_t max)
{
    struct request *q = (struct request *)cls;
    long len = stream_read(q->stream, to, max);

    (void)pos;
    if (len == STREAM_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (len == STREAM_CUT || (len == STREAM_WAIT && !may_suspend(q->http)))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (len == STREAM_WAIT) {
        MHD_suspend_connection(q->connection);
        if (!stream_wait(q->stream))
            resume(q);
    }
    return (ssize_t)len;
}

/* The trailer can be added as long as the last chunk has not gone out; MHD asks stream_more for the
 * end before it writes it. */
static ssize_t stream_more_csv(void *cls, uint64_t pos, char *to, size_t max);

static struct MHD_Response *stream_response(struct request *q)
{
    static const struct stream_host host = { stream_fill, stream_wake, stream_gone };
    bool csv = q->listing->form == FORM_CSV;
    struct MHD_Response *m;

    if (!(q->stream = stream_new(q->listing, &host, q)))
        return NULL;
    m = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, LISTING_SLICE,
                                          csv ? stream_more_csv : stream_more, q, NULL);
    if (!m)
        return NULL;
    metrics_add(METRIC_HTTP_STREAMS, 1);
    MHD_set_connection_option(q->connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)HTTP_SLOW_S);
    MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE,
                            csv ? "text/csv; charset=utf-8; header=present"
                                : "application/x-ndjson");
    if (csv && !q->head)
        MHD_add_response_header(m, MHD_HTTP_HEADER_TRAILER, "X-Rows");
    if (q->head) /* else MHD ends a chunked body that HEAD does not have */
        MHD_set_response_options(m, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    q->answer = m;
    return m;
}

static ssize_t stream_more_csv(void *cls, uint64_t pos, char *to, size_t max)
{
    struct request *q = (struct request *)cls;
    ssize_t n = stream_more(cls, pos, to, max);
    char rows[24];

    if (n == MHD_CONTENT_READER_END_OF_STREAM) {
        snprintf(rows, sizeof rows, "%llu", (unsigned long long)q->listing->rows);
        MHD_add_response_footer((struct MHD_Response *)q->answer, "X-Rows", rows);
    }
    return n;
}

static ssize_t live_stream_read(void *cls, uint64_t pos, char *to, size_t max)
{
    const struct request *q = (const struct request *)cls;
    long len = live_read(q->live, to, max);

    (void)pos;
    return len < 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)len;
}

static struct MHD_Response *live_response(struct request *q)
{
    struct MHD_Response *m =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, LIVE_BLOCK, live_stream_read, q, NULL);

    if (!m)
        return NULL;
    MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    MHD_add_response_header(m, "X-Accel-Buffering", "no"); /* a proxy must not collect events */
    return m;
}

static struct MHD_Response *buffer_response(struct request *q)
{
    struct MHD_Response *m;

    if (q->fixed.len && !q->refused) {
        m = MHD_create_response_from_buffer(q->fixed.len, (void *)(uintptr_t)q->fixed.at,
                                            MHD_RESPMEM_PERSISTENT);
        if (m)
            MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE, q->type);
        return m;
    }
    if (!q->out.len)
        return MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    m = MHD_create_response_from_buffer_with_free_callback(q->out.len, q->out.at, free);
    if (m) {
        MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE,
                                q->type ? q->type : "application/json");
        q->out = (struct out){ 0 };
    }
    return m;
}

static void put_allowed(struct MHD_Response *m, uint32_t allowed)
{
    char text[40];

    snprintf(text, sizeof text, "%s%s%s", allowed & VERB_GET ? "GET, HEAD" : "",
             allowed & VERB_GET && allowed & VERB_POST ? ", " : "",
             allowed & VERB_POST ? "POST" : "");
    MHD_add_response_header(m, MHD_HTTP_HEADER_ALLOW, text);
}

/* What a browser may make of an answer: never another type than it says; of a page only what its policy lets in. */
static void put_guards(const struct request *q, struct MHD_Response *m)
{
    MHD_add_response_header(m, MHD_HTTP_HEADER_X_CONTENT_TYPE_OPTIONS, "nosniff");
    if (!q->guard)
        return;
    MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_SECURITY_POLICY, q->guard);
    MHD_add_response_header(m, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(m, "Cross-Origin-Opener-Policy", "same-origin");
    if (q->works_for_all)
        MHD_add_response_header(m, "Service-Worker-Allowed", "/");
}

static void put_headers(const struct request *q, struct MHD_Response *m)
{
    bool kept = q->cache && !q->refused;

    MHD_add_response_header(m, MHD_HTTP_HEADER_CACHE_CONTROL, kept ? q->cache : "no-store");
    put_guards(q, m);
    if (q->varies)
        MHD_add_response_header(m, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    if (q->encoding && q->status == 200)
        MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_ENCODING, q->encoding);
    if (q->etag[0] && q->status < 400)
        MHD_add_response_header(m, MHD_HTTP_HEADER_ETAG, q->etag);
    if (q->status == 401)
        MHD_add_response_header(m, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"nilometer\"");
    if (q->status == 405)
        put_allowed(m, q->allowed);
    if (q->cookie[0])
        MHD_add_response_header(m, MHD_HTTP_HEADER_SET_COOKIE, q->cookie);
    if (q->status == 429) {
        char text[24];

        snprintf(text, sizeof text, "%lld", (long long)(q->wait_ms + 999) / 1000);
        MHD_add_response_header(m, MHD_HTTP_HEADER_RETRY_AFTER, text);
    }
    if (q->status == 503)
        MHD_add_response_header(m, MHD_HTTP_HEADER_RETRY_AFTER, RETRY_AFTER_S);
    if (q->file[0] && q->status == 200) {
        char text[80];

        snprintf(text, sizeof text, "attachment; filename=\"%s\"", q->file);
        MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_DISPOSITION, text);
    }
    if (q->close)
        MHD_add_response_header(m, MHD_HTTP_HEADER_CONNECTION, "close");
}

static void count_answer(const struct request *q)
{
    static const enum metric classes[] = { METRIC_HTTP_2XX, METRIC_HTTP_3XX, METRIC_HTTP_4XX,
                                           METRIC_HTTP_5XX };
    bool writes = q->route && q->route->verb == VERB_POST;

    if (q->status >= 200 && q->status < 600)
        metrics_add(classes[q->status / 100 - 2], 1);
    metrics_span(writes ? METRIC_SPAN_WRITE : METRIC_SPAN_READ, now_us() - q->began_us);
}

static enum MHD_Result respond(struct request *q)
{
    struct MHD_Response *m;
    enum MHD_Result result;

    if (q->out.err)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the answer");
    m = q->refused   ? buffer_response(q)
        : q->live    ? live_response(q)
        : q->listing ? stream_response(q)
                     : buffer_response(q);
    if (!m)
        return MHD_NO;
    put_headers(q, m);
    count_answer(q);
    result = MHD_queue_response(q->connection, q->status, m);
    MHD_destroy_response(m);
    return result;
}

/* ---- work ---- */

static void run_handler(struct request *q)
{
    metrics_read_begin(q->began_us / 1000);
    if (q->route->act)
        entry_act(q);
    else
        q->route->answer(q);
    if (q->listing && !q->refused)
        listing_start(q->listing);
    metrics_read_end();
}

static void digest_of(struct request *q, uint8_t out[32])
{
    if (q->spool)
        spool_digest(q->spool, out);
    else
        SHA256((const unsigned char *)(q->body ? q->body : ""), q->body_len, out);
}

static void run_once(struct request *q)
{
    uint8_t digest[32], wanted[32];

    digest_of(q, digest);
    if (!once_begin(q->http->once, q, digest, wanted))
        return;
    q->known_by = wanted;
    run_handler(q);
    q->known_by = NULL;
    once_end(q->http->once, q, wanted);
}

static void answer_job(struct work *w)
{
    struct request *q = (struct request *)w;
    enum err err = q->spool ? spool_flush(q->spool) : ERR_OK;

    if (err)
        problem_of(q, err, "", "the file cannot be kept: it %s", err_text(err));
    else if (q->key[0] && !q->route->asks)
        run_once(q);
    else
        run_handler(q);
    q->phase = PHASE_READY;
    resume(q);
}

static void flush_job(struct work *w)
{
    struct request *q = (struct request *)w;
    enum err err = spool_flush(q->spool);

    if (err) {
        problem_of(q, err, "", "the file cannot be kept: it %s", err_text(err));
        q->close = true;
    }
    resume(q);
}

static enum MHD_Result stopping(struct request *q)
{
    q->close = true;
    problem_of(q, ERR_STOPPING, "", "the server is stopping");
    return respond(q);
}

static struct workers *workers_of(struct http *h, enum place place)
{
    if (place == PLACE_PUSH)
        return h->pushers;
    return place == PLACE_READER ? h->readers : h->writers;
}

/* The request is here, wholly. */
static enum MHD_Result begin_answer(struct request *q)
{
    enum place place = q->refused ? PLACE_HERE : entry_place(q);

    q->began_us = now_us();
    if (!q->refused && q->form != FORM_JSON && metrics_get(METRIC_HTTP_STREAMS) >= STREAMS_MAX)
        problem_of(q, ERR_LIMIT, "", "%d lists are being streamed: try again later", STREAMS_MAX);
    if (q->refused)
        return respond(q);
    if (place == PLACE_HERE) {
        run_handler(q);
        return respond(q);
    }
    q->phase = PHASE_WORKING;
    return hand_over(q, workers_of(q->http, place), answer_job) ? MHD_YES : stopping(q);
}

/* ---- what comes in ---- */

static struct span header_of(struct request *q, const char *name)
{
    const char *text = MHD_lookup_connection_value(q->connection, MHD_HEADER_KIND, name);

    return text ? span_text(text) : (struct span){ 0 };
}

static struct span cookie_of(struct request *q, const char *name)
{
    const char *text = MHD_lookup_connection_value(q->connection, MHD_COOKIE_KIND, name);

    return text ? span_text(text) : (struct span){ 0 };
}

/* A proxy may add a line of its own behind those that came: the last one is its. */
static enum MHD_Result last_via(void *cls, enum MHD_ValueKind kind, const char *name,
                                const char *value)
{
    (void)kind;
    if (value && strcasecmp(name, "X-Forwarded-For") == 0)
        *(const char **)cls = value;
    return MHD_YES;
}

void request_peer(const struct request *q, char out[PEER_SIZE])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(q->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const char *via = NULL, *last;

    if (q->http->behind_proxy)
        MHD_get_connection_values(q->connection, MHD_HEADER_KIND, last_via, &via);
    out[0] = 0;
    if (via) { /* whoever is before the last may have written the rest */
        last = strrchr(via, ',');
        last = last ? last + 1 : via;
        last += strspn(last, " \t");
        snprintf(out, PEER_SIZE, "%.*s", (int)strcspn(last, " \t"), last);
    } else if (info && info->client_addr) {
        (void)getnameinfo(info->client_addr,
                          info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                   : sizeof(struct sockaddr_in),
                          out, PEER_SIZE, NULL, 0, NI_NUMERICHOST);
    }
}

struct patience *request_patience(const struct request *q)
{
    return q->http->patience;
}

const struct page *request_page(const struct request *q)
{
    return &q->http->page;
}

struct photo_desk *request_photos(const struct request *q)
{
    return q->http->photos;
}

struct live *request_live(const struct request *q)
{
    return q->http->live;
}

/* What a proxy before us may have read otherwise than libmicrohttpd does, so that one of the two sees
 * another request behind this one's body (RFC 9112 §6.1, §6.3, §11.2). */
struct framing {
    unsigned lengths; /* fields that say how long the body is */
    bool spaced; /* a field's name is no token (§5.1): "Content-Length :" is passed over here */
    bool coded;  /* a coding that is not chunked */
};

static enum MHD_Result look_at_field(void *cls, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    struct framing *f = (struct framing *)cls;
    bool coding = strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;

    (void)kind;
    f->lengths += coding || strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    f->spaced = f->spaced || name[strcspn(name, " \t")];
    f->coded = f->coded || (coding && (!value || strcasecmp(value, "chunked") != 0));
    return MHD_YES;
}

static const char *what_is_ambiguous(struct request *q)
{
    struct framing f = { 0 };

    MHD_get_connection_values(q->connection, MHD_HEADER_KIND, look_at_field, &f);
    return f.lengths > 1
               ? "Content-Length: found more than one field that says how long the body is"
           : f.spaced ? "a field's name: found a space in it or behind it"
           : f.coded  ? "Transfer-Encoding: found another coding, expected chunked"
                      : NULL;
}

static void pass_entry(struct request *q, const char *method)
{
    struct entry_headers g = { .method = method };
    const char *wrong = what_is_ambiguous(q);

    if (wrong) {
        problem_of(q, ERR_MALFORMED, "", "%s", wrong);
        q->close = true;
        return;
    }

    g.authorization = header_of(q, MHD_HTTP_HEADER_AUTHORIZATION);
    g.accept = header_of(q, MHD_HTTP_HEADER_ACCEPT);
    g.content_type = header_of(q, MHD_HTTP_HEADER_CONTENT_TYPE);
    g.content_length = header_of(q, MHD_HTTP_HEADER_CONTENT_LENGTH);
    g.key = header_of(q, "Idempotency-Key");
    g.session = cookie_of(q, q->secure ? COOKIE_SECURE : COOKIE_NAME);
    g.csrf = header_of(q, "X-CSRF-Token");
    q->takes_gzip = coding_taken(header_of(q, MHD_HTTP_HEADER_ACCEPT_ENCODING), "gzip");
    q->none_match = header_of(q, MHD_HTTP_HEADER_IF_NONE_MATCH);
    q->last_event = header_of(q, "Last-Event-ID");
    entry_pass(q, q->http->auth, &g);
}

/* A refused request's body is read to its end where it is small, so that its connection can go on;
 * a larger one, or one that waits for our leave (RFC 9110 §10.1.1), is answered at once and its
 * connection closed. */
static bool must_answer_now(struct request *q)
{
    struct span length = header_of(q, MHD_HTTP_HEADER_CONTENT_LENGTH);
    int64_t bytes;

    if (!q->refused)
        return false;
    return q->close || header_of(q, MHD_HTTP_HEADER_EXPECT).len ||
           (length.len && (text_int(length, &bytes) || bytes > DRAIN_MAX));
}

static bool take_json(struct request *q, struct span bytes)
{
    size_t need = q->body_len + bytes.len;

    if (need > (size_t)entry_body_most(q)) {
        problem_of(q, ERR_TOO_LARGE, "", "the body is longer than %d bytes", entry_body_most(q));
        return false;
    }
    if (need > q->body_cap) {
        size_t cap = q->body_cap ? q->body_cap : 4096;
        char *grown;

        while (cap < need)
            cap *= 2;
        if (!(grown = (char *)realloc(q->body, cap))) {
            problem_of(q, ERR_NO_MEMORY, "", "no memory for the body");
            return false;
        }
        q->body = grown;
        q->body_cap = cap;
    }
    memcpy(q->body + q->body_len, bytes.at, bytes.len);
    q->body_len = need;
    return true;
}

static bool in_memory(const struct request *q)
{
    return q->route->body == BODY_JSON || q->route->body == BODY_PUSH ||
           q->route->body == BODY_IMAGE;
}

static enum MHD_Result take_body(struct request *q, struct span bytes, size_t *left)
{
    *left = 0;
    if (q->refused) {
        q->body_len += bytes.len;
        return q->body_len > DRAIN_MAX ? MHD_NO : MHD_YES;
    }
    if (q->spool) {
        *left = bytes.len - spool_take(q->spool, bytes);
        if (*left && !hand_over(q, q->http->writers, flush_job))
            return MHD_NO;
    } else if (in_memory(q) && take_json(q, bytes)) {
        return MHD_YES;
    } else if (!in_memory(q) && (q->body_len += bytes.len) > HTTP_BODY_MAX) {
        problem_of(q, ERR_TOO_LARGE, "", "the body is longer than %d bytes", HTTP_BODY_MAX);
    }
    return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **context)
{
    struct request *q = (struct request *)*context;
    struct span bytes = span_of(upload, *upload_len);

    (void)cls;
    (void)connection;
    (void)url;
    (void)version;
    if (!q)
        return MHD_NO; /* no memory */
    if (!q->entered) {
        q->entered = true;
        pass_entry(q, method);
        q->began_us = now_us();
        if (must_answer_now(q)) {
            q->close = true;
            return respond(q);
        }
        return MHD_YES;
    }
    if (bytes.len)
        return take_body(q, bytes, upload_len);
    return q->phase == PHASE_READY ? respond(q) : begin_answer(q);
}

/* The request line is here: the request begins. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct http *h = (struct http *)cls;
    struct request *q = (struct request *)malloc(sizeof *q);

    if (!q)
        return NULL;
    memset(q, 0, offsetof(struct request, target));
    q->http = h;
    q->app = h->app;
    q->connection = connection;
    q->secure = h->cert || h->behind_proxy;
    entry_target(q, span_text(target));
    pthread_mutex_lock(&h->lock);
    h->active++;
    pthread_mutex_unlock(&h->lock);
    return q;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why)
{
    struct request *q = (struct request *)*context;

    (void)cls;
    if (!q)
        return;
    if (q->answer) {
        metrics_sub(METRIC_HTTP_STREAMS, 1);
        metrics_add(METRIC_HTTP_CUT, why != MHD_REQUEST_TERMINATED_COMPLETED_OK);
        MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)HTTP_IDLE_S);
    }
    live_leave(q->live);
    *context = NULL;
    if (q->stream)
        stream_leave(q->stream);
    else
        request_free(q);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    (void)cls;
    (void)connection;
    (void)context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        metrics_add(METRIC_HTTP_CONNECTIONS, 1);
    else
        metrics_sub(METRIC_HTTP_CONNECTIONS, 1);
}

/* We decode the target ourselves: MHD's own decoding must not change it. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

/* ---- opening and closing ---- */

/* Raises the process's limit of descriptors; how many connections that allows each listener, so that
 * one whose places are all taken leaves the others theirs. */
static unsigned connections_allowed(unsigned listeners)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)HTTP_CONNECTIONS_MAX * listeners + DESCRIPTORS_REST;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return 500;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= wanted)
        return HTTP_CONNECTIONS_MAX;
    return limit.rlim_cur > 2 * DESCRIPTORS_REST
               ? (unsigned)(limit.rlim_cur - DESCRIPTORS_REST) / listeners
               : 64;
}

static enum err file_read(const char *path, char **out, struct refusal *r)
{
    FILE *f = fopen(path, "rbe");
    struct stat st;
    char *text = NULL;
    bool fine = f && fstat(fileno(f), &st) == 0 && st.st_size < HTTP_BODY_MAX &&
                (text = (char *)calloc(1, (size_t)st.st_size + 1)) &&
                fread(text, 1, (size_t)st.st_size, f) == (size_t)st.st_size;

    if (f)
        fclose(f);
    if (!fine) {
        free(text);
        return refuse(r, ERR_IO, 0, "http-cert", "%s cannot be read", path);
    }
    *out = text;
    return ERR_OK;
}

static enum err read_certificate(struct http *h, const struct http_options *o, struct refusal *r)
{
    enum err err;

    if (!o->cert_file && !o->key_file)
        return ERR_OK;
    if (!o->cert_file || !o->key_file)
        return refuse(r, ERR_INVALID, 0, "http-cert",
                      "http-cert and http-key go together: one of them is missing");
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return refuse(r, ERR_UNSUPPORTED, 0, "http-cert", "this libmicrohttpd speaks no TLS");
    err = file_read(o->cert_file, &h->cert, r);
    return err ? err : file_read(o->key_file, &h->key, r);
}

static enum err start_daemon(struct http *h, int fd, unsigned connections, unsigned threads,
                             struct refusal *r)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_TURBO |
                     (h->cert ? MHD_USE_TLS : 0);
    struct MHD_OptionItem options[] = {
        { MHD_OPTION_LISTEN_SOCKET, fd, NULL },
        { MHD_OPTION_CONNECTION_LIMIT, (intptr_t)connections, NULL },
        { MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, NULL },
        { MHD_OPTION_CONNECTION_TIMEOUT, HTTP_IDLE_S, NULL },
        { MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, h },
        { MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, h },
        { MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, h },
        { MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL },
        { threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)threads, NULL },
        { MHD_OPTION_END, 0, NULL },
    };
    struct MHD_OptionItem secrets[] = {
        { h->cert ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, h->cert },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, h->key },
        { MHD_OPTION_END, 0, NULL },
    };
    struct MHD_Daemon *d = MHD_start_daemon(flags, 0, NULL, NULL, on_request, h, MHD_OPTION_ARRAY,
                                            options, MHD_OPTION_ARRAY, secrets, MHD_OPTION_END);

    if (!d)
        return refuse(r, ERR_IO, 0, "http", "http: the listener did not start%s",
                      h->cert ? "; certificate and key may not be PEM, or not belong together"
                              : "");
    h->daemons[h->daemon_count++] = d;
    return ERR_OK;
}

static enum err open_listener(struct http *h, const struct http_options *o, size_t n,
                              unsigned connections, struct refusal *r)
{
    struct address a;
    char text[ADDRESS_TEXT];
    enum err err;
    int fd;

    if ((err = listen_read(o->listen[n], &a, r)))
        return err;
    if (listen_is_public(&a) && !h->cert && !o->behind_proxy)
        return refuse(r, ERR_INVALID, 0, "http",
                      "http: %.60s is a public address: give --http-cert and --http-key, or "
                      "--http-behind-proxy where a proxy speaks HTTPS",
                      o->listen[n]);
    if ((err = listen_open(&a, &fd, r)))
        return err;
    address_of_socket(fd, text);
    if ((err = start_daemon(h, fd, connections, o->listen_count > 1 ? 1 : 2, r))) {
        close(fd);
        return err;
    }
    if (h->listening[0])
        strncat(h->listening, ",", sizeof h->listening - strlen(h->listening) - 1);
    strncat(h->listening, text, sizeof h->listening - strlen(h->listening) - 1);
    return ERR_OK;
}

static enum err open_parts(struct http *h, const struct http_options *o, struct refusal *r)
{
    unsigned connections;
    enum err err;

    if (o->listen_count > LISTENERS_MAX)
        return refuse(r, ERR_INVALID, 0, "http", "http: more than %d addresses", LISTENERS_MAX);
    connections = connections_allowed(o->listen_count ? (unsigned)o->listen_count : 1);
    if ((err = read_certificate(h, o, r)))
        return err;
    if ((err = auth_new(&h->auth)) || (err = once_new(&h->once)) ||
        (err = patience_new(&h->patience)) || (err = live_open(h->app, &h->live)) ||
        (err = photo_desk_open(h->app->store, o->photo_bytes, o->photos_an_hour, &h->photos)) ||
        (err = workers_open("http-read", READERS, &h->readers)) ||
        (err = workers_open("http-write", WRITERS, &h->writers)) ||
        (err = workers_open("http-push", PUSHERS, &h->pushers)))
        return refuse(r, err, 0, "http", "http: no memory or threads for the API");
    for (size_t n = 0; n < o->listen_count && !err; n++)
        err = open_listener(h, o, n, connections, r);
    return err;
}

enum err http_open(struct app *app, const struct http_options *options, struct http **out,
                   struct refusal *r)
{
    struct http *h = (struct http *)calloc(1, sizeof *h);
    enum err err;

    if (!h)
        return refuse(r, ERR_NO_MEMORY, 0, "http", "http: no memory");
    h->app = app;
    h->behind_proxy = options->behind_proxy;
    if ((err = page_open(&options->page, &h->page, r))) {
        free(h);
        return err;
    }
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
    if ((err = open_parts(h, options, r))) {
        http_close(h);
        return err;
    }
    *out = h;
    return ERR_OK;
}

/* Until no connection is suspended, and then a moment for the answers that are under way. */
static void wait_for_answers(struct http *h)
{
    int64_t until_ms;

    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    while (h->suspended)
        pthread_cond_wait(&h->changed, &h->lock);
    until_ms = clock_monotonic_ms() + FAREWELL_MS;
    while (h->active && clock_monotonic_ms() < until_ms) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_sec += 1;
        pthread_cond_timedwait(&h->changed, &h->lock, &t);
    }
    pthread_mutex_unlock(&h->lock);
}

void http_close(struct http *h)
{
    int sockets[LISTENERS_MAX] = { 0 };

    if (!h)
        return;
    for (size_t n = 0; n < h->daemon_count; n++)
        sockets[n] = MHD_quiesce_daemon(h->daemons[n]);
    live_stop(h->live);
    wait_for_answers(h);
    for (size_t n = 0; n < h->daemon_count; n++) {
        MHD_stop_daemon(h->daemons[n]);
        if (sockets[n] >= 0)
            close(sockets[n]); /* not before: a listener's thread may be about to accept from it */
    }
    workers_close(h->readers);
    workers_close(h->writers);
    workers_close(h->pushers);
    live_close(h->live);
    photo_desk_close(h->photos);
    once_free(h->once);
    patience_free(h->patience);
    auth_free(h->auth);
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
    if (h->key)
        explicit_bzero(h->key, strlen(h->key));
    free(h->cert);
    free(h->key);
    free(h);
}

const char *http_listening(const struct http *h)
{
    return h->listening;
}
