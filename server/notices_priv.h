/* What notices*.c share. */
#ifndef NILO_SERVER_NOTICES_PRIV_H
#define NILO_SERVER_NOTICES_PRIV_H

#include "server/notices.h"
#include "server/point_use.h"

#include <pthread.h>

struct notices {
    struct app *app;
    struct notice_rules rules;
    char dir[512]; /* "": no files */
    int64_t since_s;
    pthread_mutex_t turn;
    /* of the turn */
    struct point_use use;
    uint16_t *looked; /* by point: the civil day whose use was looked at, of 16 bits; 0: none */
    uint32_t looked_cap;
    enum err said;
    bool file_said;
    int64_t marked_ms;
    /* what was touched, by meter: a bit each */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    uint64_t *touched;
    uint32_t words, first; /* first: no bit below this word is set */
    uint64_t count;
    bool started, stopping;
    pthread_t thread;
};

/* What is to be done of a case, with all that the notice will say. */
struct notice_plan {
    enum notice_deed deed;
    enum notice_kind kind;
    char case_id[NOTICE_CASE_MAX + 1];
    uint32_t meter, point;
    bool urgent, opens; /* opens: it is a case of the point's, kept by ledger_notice_open */
    struct notice_facts facts; /* without place and zone */
};
struct notice_plans {
    struct notice_plan *at;
    size_t count, cap;
};

/* notices_case.c: what is to be done because of a meter; appends. Within the turn. */
MUST_CHECK enum err notices_look(struct notices *n, uint32_t meter, int64_t now_s, struct notice_plans *out);
/* notices_send.c: does it, in one act; and tells what is due. *out_more: there may be more. */
MUST_CHECK enum err notices_do(struct notices *n, const struct notice_plans *plans, int64_t now_s);
MUST_CHECK enum err notices_tell(struct notices *n, int64_t now_s, bool *out_more);

#endif
