/* Talking to nilod's HTTP API.  What fails has said why on standard error, in one sentence.
 *
 * Lists stream: they arrive as NDJSON whose last line counts the rows, and a stream that ends
 * without it is a failure. */
#ifndef NILO_TOOLS_NILO_API_H
#define NILO_TOOLS_NILO_API_H

#include "tools/nilo/args.h"

#include <jansson.h>
#include <stdio.h>

struct api;

/* From --server, --token-file, --ca-file and their environment. NULL: said why. */
struct api *api_open(const struct args *a);
void api_close(struct api *c); /* NULL is fine */

/* A path with its query, under construction. */
struct path {
    char text[2048];
    size_t len;
    bool full, asked; /* a '?' stands there */
};
struct path path_of(const char *start);           /* "/v1/meters" */
void path_part(struct path *p, const char *part); /* "/" and the part, escaped */
void path_query(struct path *p, const char *name,
                const char *value); /* nothing where value is NULL */

struct api_answer {
    long status;
    char *text;   /* ends with a zero */
    json_t *json; /* NULL where the body is none */
};
void api_answer_done(struct api_answer *a);

/* A request with a JSON body or none (NULL). False: said why, also for a status of 400 and more. */
bool api_ask(struct api *c, const char *method, const struct path *path, const json_t *body,
             struct api_answer *out);
/* The same, but a status of 400 and more is the caller's business: false only where no answer came.
 */
bool api_try(struct api *c, const char *method, const struct path *path, const json_t *body,
             struct api_answer *out);
/* Says what a refusal (problem+json) means. */
void api_say_refusal(struct api *c, const char *method, const struct path *path,
                     const struct api_answer *a);

/* Sends a file as the body, with a progress bar. As api_try. */
bool api_upload(struct api *c, const struct path *path, FILE *file, struct api_answer *out);

/* Imports a file that we made ourselves, from its start. False: said why. */
bool api_import(struct api *c, const char *list, FILE *file);

/* From now on lists are asked for with this body, by POST. False: no memory. */
bool api_question(struct api *c, const json_t *body);

/* Every row of a list: its text (with every digit) and its members. `each` false ends it. */
typedef bool api_row(void *arg, const char *text, json_t *row);
bool api_rows(struct api *c, const struct path *path, api_row *each, void *arg, uint64_t *out_rows);

/* A list as the server's own CSV, copied and held against its trailer. */
bool api_csv(struct api *c, const struct path *path, FILE *to);

/* One answer in the form of that media type, as it came. */
bool api_file(struct api *c, const struct path *path, const char *type, FILE *to);

#endif
