#include "server/hooks_post.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_PART 256 /* of a part of an address, as far as it matters */

struct post {
    struct post *next;
    CURL *curl;
    struct curl_slist *headers;
    void *arg;
    size_t taken; /* of the answer's body */
    bool full;
    char error[CURL_ERROR_SIZE];
};

struct post_box {
    CURLM *multi;
    struct post *first;
};

/* ---- addresses ---- */

static bool part_of(CURLU *url, CURLUPart part, char out[URL_PART])
{
    char *text = NULL;
    bool there = !curl_url_get(url, part, &text, 0) && text && *text;

    snprintf(out, URL_PART, "%s", there ? text : "");
    curl_free(text);
    return there;
}

static bool refused(struct refusal *r, const char *found, const char *why)
{
    refuse(r, ERR_INVALID, 0, "url", "url: found %.60s, expected %s", found, why);
    return false;
}

static bool is_visible(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] <= 0x20 || text.at[i] >= 0x7f || text.at[i] == '\\')
            return false;
    return text.len > 0;
}

static bool parts_fit(CURLU *url, const char *text, struct refusal *r)
{
    char part[URL_PART];

    if (!part_of(url, CURLUPART_SCHEME, part) ||
        (strcmp(part, "http") != 0 && strcmp(part, "https") != 0))
        return refused(r, part[0] ? part : text, "an address that begins with http:// or https://");
    if (part_of(url, CURLUPART_USER, part) || part_of(url, CURLUPART_PASSWORD, part))
        return refused(r, "a user's name or password",
                       "an address without one: requests are signed, and addresses are shown");
    if (part_of(url, CURLUPART_FRAGMENT, part))
        return refused(r, "a fragment", "an address without one");
    return part_of(url, CURLUPART_HOST, part) || refused(r, "no host", "http://HOST/PATH");
}

bool post_url_fits(struct span text, size_t most, struct refusal *r)
{
    CURLU *url;
    char *copy;
    bool fits;

    if (text.len > most) {
        refuse(r, ERR_INVALID, 0, "url", "url: found %zu bytes, expected at most %zu", text.len,
               most);
        return false;
    }
    if (!is_visible(text))
        return refused(r, text.len ? "blanks, control characters or others" : "nothing",
                       "an address in visible ASCII, others as %XX");
    copy = (char *)malloc(text.len + 1);
    url = copy ? curl_url() : NULL;
    if (!url) {
        free(copy);
        refuse(r, ERR_NO_MEMORY, 0, "url", "no memory");
        return false;
    }
    memcpy(copy, text.at, text.len);
    copy[text.len] = 0;
    /* Without a scheme curl would guess one, and with a slash too many a host. */
    if (!strstr(copy, "://") || strstr(copy, ":///") ||
        curl_url_set(url, CURLUPART_URL, copy, CURLU_NON_SUPPORT_SCHEME))
        fits = refused(r, copy, "an address such as https://billing.example/nilometer");
    else
        fits = parts_fit(url, copy, r);
    curl_url_cleanup(url);
    free(copy);
    return fits;
}

/* ---- requests ---- */

static size_t take_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct post *p = (struct post *)arg;

    (void)bytes;
    p->taken += size * count;
    p->full = p->taken > POST_ANSWER_MAX;
    return p->full ? 0 : size * count; /* 0 ends it; its status is known by now */
}

/* Whatever the environment says, nobody asks a proxy for this machine. */
static bool is_loopback(const char *url)
{
    CURLU *u = curl_url();
    char host[URL_PART] = "";

    if (u && !curl_url_set(u, CURLUPART_URL, url, 0))
        (void)part_of(u, CURLUPART_HOST, host);
    curl_url_cleanup(u);
    return !strcmp(host, "localhost") || !strncmp(host, "127.", 4) || !strcmp(host, "[::1]");
}

static bool set_up(struct post *p, const char *url, const char *const *headers, struct span body)
{
    struct curl_slist *more = curl_slist_append(NULL, "Expect:"); /* a round trip for nothing */

    for (p->headers = more; *headers && more; headers++)
        more = curl_slist_append(p->headers, *headers);
    if (!more)
        return false;
    if (is_loopback(url))
        curl_easy_setopt(p->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(p->curl, CURLOPT_ERRORBUFFER, p->error);
    curl_easy_setopt(p->curl, CURLOPT_PRIVATE, p);
    curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, p);
    curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, p->headers);
    curl_easy_setopt(p->curl, CURLOPT_POSTFIELDS, body.at);
    curl_easy_setopt(p->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    curl_easy_setopt(p->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(p->curl, CURLOPT_TIMEOUT, (long)POST_TIMEOUT_S);
    curl_easy_setopt(p->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(p->curl, CURLOPT_USERAGENT, "nilod/" NILO_VERSION);
    /* The address and its protocols last: what fails here must not go out by default ones. */
    return !curl_easy_setopt(p->curl, CURLOPT_PROTOCOLS_STR, "http,https") &&
           !curl_easy_setopt(p->curl, CURLOPT_URL, url);
}

static void post_free(struct post *p)
{
    if (!p)
        return;
    curl_easy_cleanup(p->curl);
    curl_slist_free_all(p->headers);
    free(p);
}

enum err post_begin(struct post_box *b, const char *url, const char *const *headers,
                    struct span body, void *arg)
{
    struct post *p = (struct post *)calloc(1, sizeof *p);

    if (!p || !(p->curl = curl_easy_init()) || !set_up(p, url, headers, body) ||
        curl_multi_add_handle(b->multi, p->curl)) {
        post_free(p);
        return ERR_NO_MEMORY;
    }
    p->arg = arg;
    p->next = b->first;
    b->first = p;
    return ERR_OK;
}

static void take_out(struct post_box *b, struct post *p)
{
    struct post **at = &b->first;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    curl_multi_remove_handle(b->multi, p->curl);
    post_free(p);
}

void post_drop(struct post_box *b, void *arg)
{
    for (struct post *p = b->first; p; p = p->next)
        if (p->arg == arg) {
            take_out(b, p);
            return;
        }
}

static void tell_end(struct post *p, CURLcode code, struct post_end *out)
{
    long status = 0;

    out->arg = p->arg;
    curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &status);
    /* An answer that is cut off is none, unless we had enough of it. */
    out->status = code == CURLE_OK || p->full ? (unsigned)status : 0;
    snprintf(out->why, sizeof out->why, "%.119s",
             code == CURLE_OK || p->full ? ""
             : p->error[0]               ? p->error
                                         : curl_easy_strerror(code));
}

bool post_next(struct post_box *b, struct post_end *out)
{
    int running, left;
    CURLMsg *m;

    curl_multi_perform(b->multi, &running);
    while ((m = curl_multi_info_read(b->multi, &left))) {
        char *p = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
        tell_end((struct post *)(void *)p, m->data.result, out);
        take_out(b, (struct post *)(void *)p);
        return true;
    }
    return false;
}

void post_wait(struct post_box *b, int ms)
{
    curl_multi_poll(b->multi, NULL, 0, ms, NULL);
}

void post_wake(struct post_box *b)
{
    curl_multi_wakeup(b->multi);
}

enum err post_open(struct post_box **out)
{
    struct post_box *b = (struct post_box *)calloc(1, sizeof *b);

    if (!b || curl_global_init(CURL_GLOBAL_DEFAULT) || !(b->multi = curl_multi_init())) {
        free(b);
        return ERR_NO_MEMORY;
    }
    *out = b;
    return ERR_OK;
}

void post_close(struct post_box *b)
{
    if (!b)
        return;
    while (b->first)
        take_out(b, b->first);
    curl_multi_cleanup(b->multi);
    curl_global_cleanup();
    free(b);
}
