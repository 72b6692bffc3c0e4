/* GET /v1/live: the connection stays, and is told what happens (live.h). */
#include "server/query/answers.h"
#include "server/query/live.h"

#define AGAIN_MS 30000 /* where too many listen */

void answer_live(struct request *q)
{
    struct refusal r = { 0 };
    enum err err;

    q->status = 200;
    q->type = "text/event-stream";
    if (q->head)
        return;
    err = live_join(request_live(q), q, q->last_event, &q->live, &r);
    if (err == ERR_LIMIT) {
        q->wait_ms = AGAIN_MS;
        problem_status(q, 429, &r);
    } else if (err) {
        problem(q, &r);
    }
}
