#include "tools/nilo/api.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/base/text.h"
#include "tools/nilo/progress.h"
#include "tools/nilo/sheet.h"

#define TOKEN_MAX 4096
#define LINE_MAX_BYTES                                                                             \
    (64u                                                                                           \
     << 20) /* one row: a zone's balance with a year of nights is the longest we know, 1 MiB   \
                 */
#define CONNECT_SECONDS 10L

struct api {
    CURL *curl;
    char *server;        /* without a slash at its end */
    char *authorization; /* the header; NULL without a token */
    const char *token_file;
    char *question; /* the body that lists are asked for with; NULL: none */
    char error[CURL_ERROR_SIZE];
};

/* ---- paths ---- */

static void path_add(struct path *p, const char *text, bool escape)
{
    for (; *text; text++) {
        if (p->len + 4 > sizeof p->text) {
            p->full = true;
            return;
        }
        if (escape)
            p->len += text_put_escaped(p->text + p->len, span_of(text, 1));
        else
            p->text[p->len++] = *text;
    }
}

struct path path_of(const char *start)
{
    struct path p = { .len = 0 };

    path_add(&p, start, false);
    return p;
}

void path_part(struct path *p, const char *part)
{
    path_add(p, "/", false);
    path_add(p, part, true);
}

void path_query(struct path *p, const char *name, const char *value)
{
    if (!value)
        return;
    path_add(p, p->asked ? "&" : "?", false);
    p->asked = true;
    path_add(p, name, false);
    path_add(p, "=", false);
    path_add(p, value, true);
}

/* ---- opening ---- */

static bool read_token(struct api *c)
{
    char line[TOKEN_MAX] = "";
    size_t len;
    FILE *f;

    if (!c->token_file)
        return true;
    f = fopen(c->token_file, "r");
    if (!f) {
        say("the token file %s cannot be read: %m; say --token-file or set NILO_TOKEN_FILE",
            c->token_file);
        return false;
    }
    len = fgets(line, sizeof line, f) ? strcspn(line, " \t\r\n") : 0;
    fclose(f);
    line[len] = 0;
    if (!len) {
        say("the token file %s is empty; nilo token create makes a token", c->token_file);
        return false;
    }
    return asprintf(&c->authorization, "Authorization: Bearer %s", line) > 0;
}

/* Loopback is never asked for through a proxy, whatever the environment says. */
static bool is_loopback(const char *server)
{
    CURLU *url = curl_url();
    char *host = NULL;
    bool loopback = false;

    if (url && !curl_url_set(url, CURLUPART_URL, server, 0) &&
        !curl_url_get(url, CURLUPART_HOST, &host, 0))
        loopback =
            !strcmp(host, "localhost") || !strncmp(host, "127.", 4) || !strcmp(host, "[::1]");
    curl_free(host);
    curl_url_cleanup(url);
    return loopback;
}

static void set_up(struct api *c, const char *ca_file)
{
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->error);
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "nilo/" NILO_VERSION);
    if (is_loopback(c->server))
        curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
    if (ca_file)
        curl_easy_setopt(c->curl, CURLOPT_CAINFO, ca_file);
}

struct api *api_open(const struct args *a)
{
    const char *server = args_option(a, "server");
    struct api *c = calloc(1, sizeof *c);
    size_t len;

    if (!server || !*server)
        server = getenv("NILO_SERVER");
    if (!server || !*server)
        server = "http://127.0.0.1:8080";
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (!c || !(c->server = strdup(server)) || !(c->curl = curl_easy_init())) {
        say("no memory is left");
        api_close(c);
        return NULL;
    }
    len = strlen(c->server);
    while (len && c->server[len - 1] == '/')
        c->server[--len] = 0;
    c->token_file = args_option(a, "token-file");
    if (!c->token_file || !*c->token_file)
        c->token_file = getenv("NILO_TOKEN_FILE");
    if (c->token_file && !*c->token_file)
        c->token_file = NULL;
    if (!read_token(c)) {
        api_close(c);
        return NULL;
    }
    set_up(c, args_option(a, "ca-file"));
    return c;
}

void api_close(struct api *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    free(c->server);
    free(c->authorization);
    free(c->question);
    free(c);
}

void api_answer_done(struct api_answer *a)
{
    free(a->text);
    json_decref(a->json);
    *a = (struct api_answer){ 0 };
}

/* ---- one exchange ---- */

/* Where a body goes: whole into memory, or piece by piece to `take` once the status is known to be
 * good. */
struct intake_body {
    struct api *client;
    bool (*take)(void *arg, const char *bytes, size_t len);
    void *arg;
    char *text;
    size_t len, cap;
    bool refused_by_us; /* `take` has had enough */
};

static bool keep(struct intake_body *b, const char *bytes, size_t len)
{
    if (b->len + len + 1 > b->cap) {
        size_t cap = (b->len + len + 1) * 2;
        char *grown = cap <= LINE_MAX_BYTES ? realloc(b->text, cap) : NULL;

        if (!grown)
            return false;
        b->text = grown;
        b->cap = cap;
    }
    memcpy(b->text + b->len, bytes, len);
    b->len += len;
    b->text[b->len] = 0;
    return true;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *arg)
{
    struct intake_body *b = arg;
    long status = 0;

    (void)one;
    curl_easy_getinfo(b->client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (b->take && status < 400) {
        if (b->take(b->arg, bytes, len))
            return len;
        b->refused_by_us = true;
        return 0;
    }
    return keep(b, bytes, len) ? len : 0;
}

static void say_unreachable(const struct api *c, CURLcode code)
{
    const char *why = c->error[0] ? c->error : curl_easy_strerror(code);

    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
        code == CURLE_OPERATION_TIMEDOUT || code == CURLE_URL_MALFORMAT)
        say("no nilod answers at %s (%s); start it, or say --server URL or set NILO_SERVER",
            c->server, why);
    else if (code == CURLE_PEER_FAILED_VERIFICATION)
        say("%s is not trusted: %s; where the certificate is your own, say --ca-file FILE",
            c->server, why);
    else if (code == CURLE_ABORTED_BY_CALLBACK)
        say("the file cannot be read to its end, so nothing was written; mend it, and say the same "
            "again");
    else if (code == CURLE_SSL_CONNECT_ERROR)
        say("%s does not speak TLS as expected (%s); is it http:// in place of https://?",
            c->server, why);
    else
        say("the exchange with %s failed: %s", c->server, why);
}

/* Performs what is set up, with the headers given. False: no whole answer came, and why was said
 * (but not where `b` refused). */
static bool perform(struct api *c, const struct path *path, struct curl_slist *headers,
                    struct intake_body *b, long *out_status)
{
    char url[4096];
    CURLcode code;

    if (path->full || snprintf(url, sizeof url, "%s%s", c->server, path->text) >= (int)sizeof url) {
        say("the request is longer than the %zu bytes that fit", sizeof path->text);
        curl_slist_free_all(headers);
        return false;
    }
    if (c->authorization)
        headers = curl_slist_append(headers, c->authorization);
    b->client = c;
    c->error[0] = 0;
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, b);
    code = curl_easy_perform(c->curl);
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, out_status);
    curl_slist_free_all(headers);
    if (code && !b->refused_by_us)
        say_unreachable(c, code);
    return !code;
}

static void into_answer(struct intake_body *b, long status, struct api_answer *out)
{
    while (b->len && b->text[b->len - 1] == '\n')
        b->text[--b->len] = 0;
    *out = (struct api_answer){ .status = status, .text = b->text ? b->text : strdup("") };
    if (out->text)
        out->json = json_loads(out->text, JSON_DECODE_ANY, NULL);
}

bool api_try(struct api *c, const char *method, const struct path *path, const json_t *body,
             struct api_answer *out)
{
    struct intake_body b = { 0 };
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    char *sent = body ? json_dumps(body, JSON_COMPACT) : NULL;
    long status = 0;
    bool ok;

    curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
    if (strcmp(method, "GET") != 0) {
        headers = curl_slist_append(headers, "Content-Type: application/json");
        curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, sent ? (long)strlen(sent) : 0L);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, sent ? sent : "");
    }
    ok = perform(c, path, headers, &b, &status);
    free(sent);
    if (ok)
        into_answer(&b, status, out);
    else
        free(b.text);
    return ok;
}

void api_say_refusal(struct api *c, const char *method, const struct path *path,
                     const struct api_answer *a)
{
    const char *detail = json_string_value(json_object_get(a->json, "detail"));
    const char *title = json_string_value(json_object_get(a->json, "title"));

    if (a->status == 401)
        say("%s refuses the request: %s; name a file with a valid token by --token-file or "
            "NILO_TOKEN_FILE (the first start of nilod writes one to admin.token in its store)",
            c->server,
            detail          ? detail
            : c->token_file ? "the token is unknown or expired"
                            : "no token was given");
    else if (detail || title) {
        char *text = civil_words(detail ? detail : title);

        say("%s (HTTP %ld)", text ? text : title, a->status);
        free(text);
    } else {
        say("%s %s%s was answered with HTTP %ld", method, c->server, path->text, a->status);
    }
}

bool api_ask(struct api *c, const char *method, const struct path *path, const json_t *body,
             struct api_answer *out)
{
    struct api_answer a;

    if (!api_try(c, method, path, body, &a))
        return false;
    if (a.status >= 400) {
        api_say_refusal(c, method, path, &a);
        api_answer_done(&a);
        return false;
    }
    *out = a;
    return true;
}

/* ---- uploads ---- */

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    (void)down_total, (void)down, (void)up_total;
    progress_at(arg, (uint64_t)up);
    return 0;
}

/* What cannot be read is not the file's end: the server must not take a part for the whole. */
static size_t read_on(char *to, size_t size, size_t count, void *arg)
{
    FILE *file = arg;
    size_t got = fread(to, size, count, file);

    return got < count && ferror(file) ? CURL_READFUNC_ABORT : got;
}

bool api_upload(struct api *c, const struct path *path, FILE *file, struct api_answer *out)
{
    struct intake_body b = { 0 };
    struct stat st = { 0 };
    bool sized = !fstat(fileno(file), &st) && S_ISREG(st.st_mode);
    struct progress bar = progress_begin("sending", sized ? (uint64_t)st.st_size : 0);
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    long status = 0;
    bool ok;

    headers = curl_slist_append(headers, "Content-Type: application/octet-stream");
    if (!sized)
        headers = curl_slist_append(headers, "Transfer-Encoding: chunked");
    curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     sized ? (curl_off_t)st.st_size : (curl_off_t)-1);
    curl_easy_setopt(c->curl, CURLOPT_READFUNCTION, read_on);
    curl_easy_setopt(c->curl, CURLOPT_READDATA, file);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, &bar);
    curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
    ok = perform(c, path, headers, &b, &status);
    curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 1L);
    progress_end(&bar);
    if (ok)
        into_answer(&b, status, out);
    else
        free(b.text);
    return ok;
}

bool api_import(struct api *c, const char *list, FILE *file)
{
    struct path path = path_of("/v1/import");
    struct api_answer a;
    bool ok;

    path_part(&path, list);
    rewind(file);
    if (!api_upload(c, &path, file, &a))
        return false;
    ok = a.status < 400;
    if (!ok)
        api_say_refusal(c, "POST", &path, &a);
    api_answer_done(&a);
    return ok;
}

/* ---- lists ---- */

struct lines {
    struct intake_body line; /* the piece of a line that came so far */
    api_row *each;
    void *arg;
    uint64_t rows, told;
    bool ended;
    const char *wrong;
};

static bool take_line(struct lines *l, const char *text)
{
    json_t *row = json_loads(text, JSON_DECODE_ANY, NULL);
    json_t *told = json_object_get(row, "rows");
    bool more = true;

    if (!json_is_object(row) || l->ended) {
        l->wrong = l->ended ? "has lines after its end line" : "has a line that is no JSON object";
        more = false;
    } else if (json_is_true(json_object_get(row, "end")) && json_is_integer(told)) {
        l->ended = true;
        l->told = (uint64_t)json_integer_value(told);
    } else {
        l->rows++;
        more = l->each(l->arg, text, row);
    }
    json_decref(row);
    return more;
}

static bool take_lines(void *arg, const char *bytes, size_t len)
{
    struct lines *l = arg;

    while (len) {
        const char *end = memchr(bytes, '\n', len);
        size_t piece = end ? (size_t)(end - bytes) : len;

        if (!keep(&l->line, bytes, piece)) {
            l->wrong = "has a line without end";
            return false;
        }
        if (!end)
            return true;
        if (l->line.len && !take_line(l, l->line.text))
            return false;
        l->line.len = 0;
        bytes += piece + 1;
        len -= piece + 1;
    }
    return true;
}

bool api_question(struct api *c, const json_t *body)
{
    free(c->question);
    return (c->question = json_dumps(body, JSON_COMPACT)) != NULL;
}

static bool stream(struct api *c, const struct path *path, const char *accept,
                   struct intake_body *b, struct api_answer *refused)
{
    struct curl_slist *headers = curl_slist_append(NULL, accept);
    long status = 0;
    bool ok;

    curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
    if (c->question) {
        headers = curl_slist_append(headers, "Content-Type: application/json");
        curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(c->question));
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, c->question);
    }
    ok = perform(c, path, headers, b, &status);
    if (ok && status >= 400) {
        into_answer(b, status, refused);
        api_say_refusal(c, c->question ? "POST" : "GET", path, refused);
        api_answer_done(refused);
        return false;
    }
    free(b->text);
    return ok;
}

bool api_rows(struct api *c, const struct path *path, api_row *each, void *arg, uint64_t *out_rows)
{
    struct lines l = { .each = each, .arg = arg };
    struct intake_body b = { .take = take_lines, .arg = &l };
    struct api_answer refused;
    bool ok = stream(c, path, "Accept: application/x-ndjson", &b, &refused);

    if (l.wrong)
        say("the answer to %s %s, after %llu rows", path->text, l.wrong,
            (unsigned long long)l.rows);
    else if (ok && (!l.ended || l.told != l.rows))
        say("the answer to %s was cut short after %llu rows: its last line does not count them; "
            "ask again, and look at nilod's log",
            path->text, (unsigned long long)l.rows);
    free(l.line.text);
    if (ok)
        *out_rows = l.rows;
    return ok && !l.wrong && l.ended && l.told == l.rows;
}

struct csv_copy {
    FILE *to;
    uint64_t lines;
    bool quoted;
    long long told; /* by the trailer X-Rows; −1: none came */
};

static bool copy_csv(void *arg, const char *bytes, size_t len)
{
    struct csv_copy *copy = arg;

    for (size_t i = 0; i < len; i++) {
        copy->quoted ^= bytes[i] == '"';
        copy->lines += bytes[i] == '\n' && !copy->quoted;
    }
    return fwrite(bytes, 1, len, copy->to) == len;
}

static size_t on_header(char *line, size_t one, size_t len, void *arg)
{
    struct csv_copy *copy = arg;

    (void)one;
    if (len > 7 && !strncasecmp(line, "X-Rows:", 7))
        copy->told = strtoll(line + 7, NULL, 10);
    return len;
}

bool api_csv(struct api *c, const struct path *path, FILE *to)
{
    struct csv_copy copy = { .to = to, .told = -1 };
    struct intake_body b = { .take = copy_csv, .arg = &copy };
    struct api_answer refused;
    bool ok;

    curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, &copy);
    ok = stream(c, path, "Accept: text/csv", &b, &refused);
    curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, NULL);
    curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, NULL);
    if (!ok)
        return false;
    if (copy.told < 0 || (uint64_t)copy.told + 1 != copy.lines) {
        say("the answer to %s was cut short after %llu lines: its trailer X-Rows does not count "
            "them; ask again, and look at nilod's log",
            path->text, (unsigned long long)copy.lines);
        return false;
    }
    return true;
}

static bool copy_bytes(void *arg, const char *bytes, size_t len)
{
    return fwrite(bytes, 1, len, (FILE *)arg) == len;
}

bool api_file(struct api *c, const struct path *path, const char *type, FILE *to)
{
    struct intake_body b = { .take = copy_bytes, .arg = to };
    struct api_answer refused;
    char accept[160];

    snprintf(accept, sizeof accept, "Accept: %s", type);
    return stream(c, path, accept, &b, &refused);
}
