/* What the list of replacements and its budget ask alike.  For this folder. */
#ifndef NILO_SERVER_QUERY_REPLACING_H
#define NILO_SERVER_QUERY_REPLACING_H

#include "server/query/request.h"
#include "server/replacements.h"

/* All of them: false where the request was refused, and the answer stands. */
bool ask_flag_kind(struct request *q, const struct detector **out, bool *out_none); /* get_flags.c; *out_none: of that kind there are no flags yet */
bool ask_replacements(struct request *q, struct sieve *out); /* zone, route, dn, model, kind, min_benefit, and the caller's unit; spans borrow from the request */
bool ask_ranking(struct request *q, struct ranking **out);

#endif
