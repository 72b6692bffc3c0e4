/* What a rule of orders (server/fleet/order_rules.h) finds, the worst first.  For this folder. */
#ifndef NILO_SERVER_ACTS_ORDER_FINDS_H
#define NILO_SERVER_ACTS_ORDER_FINDS_H

#include "server/app.h"
#include "server/judge.h"

#define FINDS_MOST 200000 /* at once; of more the rest is found when these have orders */

struct order_find {
    uint32_t meter;
    unsigned severity;      /* of a flag */
    int64_t weight;         /* likewise: loss × confidence */
    int64_t at;             /* its onset; the due day; the last reading, INT64_MIN: none is known */
    char flag[FLAG_ID_SIZE]; /* "": none */
};

struct order_finds {
    struct order_find *at; /* malloc'd; free() */
    size_t count, cap;
    bool more;             /* than FINDS_MOST */
};

/* NO_MEMORY, and what the stores say; `out` is to be freed in any case. */
MUST_CHECK enum err order_finds(struct app *app, const struct order_rule *rule, int64_t now_s, struct order_finds *out);

#endif
