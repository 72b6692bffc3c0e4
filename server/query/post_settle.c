#include "server/query/answers.h"
#include "server/replacements.h"
#include "server/settler.h"

void answer_settle(struct request *q)
{
    enum err err = settler_settle(q->app->settler);

    if (err) {
        problem_of(q, err, "", "settling failed: a part %s", err_text(err));
        return;
    }
    rankings_expire(q->app->rankings);
    q->status = 200;
    out_text(&q->out, "{}\n");
}
