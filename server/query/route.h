/* The API as a table: route.def, one line an endpoint.  The router, the roles, /openapi.json and the tests follow from it. */
#ifndef NILO_SERVER_QUERY_ROUTE_H
#define NILO_SERVER_QUERY_ROUTE_H

#include "server/acts/act.h"
#include "server/query/target.h"

struct request;

enum verb { VERB_GET = 1, VERB_POST = 2, VERB_HEAD = 4 };

/* Where an endpoint's handler runs. */
enum place {
    PLACE_HERE,   /* on the listener's thread: microseconds */
    PLACE_READER, /* a worker that reads */
    PLACE_WRITER, /* a worker that writes, or waits */
    PLACE_PUSH    /* a worker that waits for the journal, and for nothing else */
};

/* The sets of roles that route.def names. */
#define SCOPE_NONE 0u /* needs no token */
#define SCOPE_ALL ((1u << ROLE_COUNT) - 2u - (1u << ROLE_INGEST))
#define SCOPE_INGEST (ROLES_CHIEF | 1u << ROLE_INGEST)
#define SCOPE_CHIEF ROLES_CHIEF
#define SCOPE_STORE ROLES_STORE
#define SCOPE_CREW ROLES_CREW
#define SCOPE_FIELD (ROLES_STORE | ROLES_CREW)
#define SCOPE_SHEETS ROLES_SHEETS
#define SCOPE_READS ROLES_READS
#define SCOPE_PHOTOS (ROLES_READS | ROLES_STORE)
#define SCOPE_BILLING ROLES_BILLING

enum body_kind { BODY_NONE, BODY_JSON, BODY_FILE, BODY_PUSH, BODY_IMAGE };

struct route {
    enum verb verb;
    const char *path; /* "/v1/meters/{serial}/readings" */
    uint32_t scope;
    enum place place;
    enum body_kind body;
    unsigned forms; /* that the answer can have */
    void (*answer)(struct request *q);
    act_handler *act; /* instead */
    bool asks; /* a POST that changes nothing: its question is a body */
    bool signs; /* a POST with a password in its body: likewise no answer of it is kept */
    const char *summary;
    const char *parameters; /* of the query: "from,to,channel"; see parameter.def */
    const char *schema;     /* of the answer, or of a list's rows: schema.def */
    const char *body_schema;
};

const struct route *route_at(size_t n); /* NULL at the end */

/* The route of a path; NULL with *out_allowed = 0: no such path; else the methods that it has. `subject` gets what stands in the
 * path's places, views into `t`. */
const struct route *route_find(enum verb verb, const struct target *t, struct span subject[2],
                               uint32_t *out_allowed);
bool route_takes(const struct route *route, struct span parameter);

#endif
