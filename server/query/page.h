/* The page that people open: its files stand in the program (build/web, made by server/web/bundle), and what it may load is said here.
 *
 *     if ((err = page_open(&(struct page_options){ .utility = "City Water" }, &page, &refusal)))
 *         …refusal.text says which option and what was expected
 */
#ifndef NILO_SERVER_QUERY_PAGE_H
#define NILO_SERVER_QUERY_PAGE_H

#include "server/acts/act.h"

#define PAGE_POLICY_SIZE 768
#define PAGE_TILES_MAX 300

/* A file of the page, as the bundle made it. */
struct page_file {
    const char *name; /* "index.html", "main-4F2A91C0.js" */
    const char *type; /* with its charset */
    const char *tag;  /* of the contents: 16 hex digits */
    bool fixed;       /* its name says what it contains: it never changes */
    const unsigned char *raw, *packed; /* packed: gzip; NULL where that is no smaller */
    size_t raw_len, packed_len;
};

extern const struct page_file page_files[]; /* the last one has no name */

const struct page_file *page_file(struct span name); /* NULL: there is none such */

struct page_options {
    const char *utility;    /* what the page calls its owner; NULL: Nilometer */
    const char *map_tiles;  /* "https://tile.example.org/{z}/{x}/{y}.png"; NULL: maps have a plain ground */
    const char *map_credit; /* what stands in the corner of maps; NULL: nothing */
};

struct page {
    const char *utility, *map_tiles, *map_credit; /* as in page_options, borrowed */
    char policy[PAGE_POLICY_SIZE];                /* Content-Security-Policy (CSP level 3) */
};

/* INVALID: map_tiles is no such template. */
MUST_CHECK enum err page_open(const struct page_options *options, struct page *out, struct refusal *r);

#endif
