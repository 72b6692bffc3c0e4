/* What commands that ask and print have in common. */
#ifndef NILO_TOOLS_NILO_LISTING_H
#define NILO_TOOLS_NILO_LISTING_H

#include "tools/nilo/api.h"

/* Puts the command's own options into the query, under their names (as-of becomes as_of). */
void query_options(struct path *p, const struct args *a);

/* Prints a list in the format asked for; `columns` are those of a table. An exit code. */
int list_run(const struct args *a, const struct path *path, const char *columns);

/* The same of a list that is asked for with a body, which it releases. */
int list_asked(const struct args *a, const struct path *path, json_t *body, const char *columns);

/* Prints the list that the object at `path` has under `member`, in the format asked for; as JSON the whole object. An exit code. */
int member_run(const struct args *a, const struct path *path, const char *member, const char *columns);

/* Prints one object. An exit code. */
int show_run(const struct args *a, const struct path *path);

/* The same of a path, with the command's own options as its query: a list, the thing of a list that the first argument names, and a
 * list below that. */
int list_at(const struct args *a, const char *where, const char *columns);
int show_at(const struct args *a, const char *where);
int list_below(const struct args *a, const char *where, const char *what, const char *columns);

/* Sends a request with a body (which it releases; NULL: none) and prints the answer's object. An
 * exit code. */
int post_run(const struct args *a, const struct path *path, json_t *body);

/* Bodies. The command's own options as members, under their names with _ for -, --index as index_l: texts all of them, numbers as
 * they were typed, flags true. False: said why. */
bool body_options(json_t *body, const struct args *a);
/* Adds the serials of a file, one a line; - is standard input. False: said why. */
bool body_serials(const char *name, json_t *serials);

#endif
