#include "server/query/page.h"

#include <stdio.h>

#define ORIGIN_SIZE 160

const struct page_file *page_file(struct span name)
{
    for (const struct page_file *f = page_files; f->name; f++) {
        if (span_equal(name, span_text(f->name)))
            return f;
    }
    return NULL;
}

static enum err tiles_wrong(struct refusal *r, const char *tiles)
{
    return refuse(r, ERR_INVALID, 0, "map-tiles",
                  "--map-tiles: found %.100s, expected an address like "
                  "https://tile.example.org/{z}/{x}/{y}.png of at most %d characters",
                  tiles, PAGE_TILES_MAX);
}

/* A name of the host, with {s} for any first label; never what could end the directive that it goes to. */
static bool is_host(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = at[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '-' || c == ':'))
            return false;
    }
    return len > 0;
}

/* The origin of a template, as a source of images: its first label {s} becomes one that is any (CSP3 §2.3.1). */
static bool origin_of(const char *tiles, char out[ORIGIN_SIZE])
{
    size_t scheme = strncmp(tiles, "https://", 8) == 0  ? 8
                    : strncmp(tiles, "http://", 7) == 0 ? 7
                                                        : 0;
    const char *host = tiles + scheme;
    bool any = strncmp(host, "{s}.", 4) == 0;
    size_t len;

    if (!scheme)
        return false;
    if (any)
        host += 4;
    len = strcspn(host, "/");
    if (!is_host(host, len) || len + 12 > ORIGIN_SIZE - scheme)
        return false;
    snprintf(out, ORIGIN_SIZE, "%.*s%s%.*s", (int)scheme, tiles, any ? "*." : "", (int)len, host);
    return true;
}

static bool is_template(const char *tiles)
{
    for (const char *at = tiles; *at; at++) {
        if (*at <= 0x20 || *at == '"' || *at == '<' || *at > 0x7e)
            return false;
    }
    return strlen(tiles) <= PAGE_TILES_MAX && strstr(tiles, "{z}") && strstr(tiles, "{x}") &&
           strstr(tiles, "{y}");
}

enum err page_open(const struct page_options *options, struct page *out, struct refusal *r)
{
    char origin[ORIGIN_SIZE] = "";

    if (options->map_tiles &&
        (!is_template(options->map_tiles) || !origin_of(options->map_tiles, origin)))
        return tiles_wrong(r, options->map_tiles);
    out->utility = options->utility ? options->utility : "Nilometer";
    out->map_tiles = options->map_tiles;
    out->map_credit = options->map_credit;
    snprintf(out->policy, sizeof out->policy,
             "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src "
             "'self' data: blob:%s%s; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "
             "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
             origin[0] ? " " : "", origin);
    return ERR_OK;
}
