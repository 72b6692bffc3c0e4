#include "server/figures.h"
#include "server/query/answers.h"
#include "server/settler.h"

void answer_settle(struct request *q)
{
    enum err err = settler_settle(q->app->settler);

    if (!err)
        err = figures_keep(q->app->figures_keeper);
    if (err) {
        problem_of(q, err, "", "settling failed: a part %s", err_text(err));
        return;
    }
    q->status = 200;
    out_text(&q->out, "{}\n");
}
