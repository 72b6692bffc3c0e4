/* POST /v1/clock: a virtual clock moves on. */
#include "server/acts/answer.h"

#include <stdio.h>

static void clock_refused(struct app *app, struct act_reply *out, enum err err)
{
    char now[TEXT_TIME_SIZE];

    text_put_time(now, clock_now_s(&app->clock));
    if (err == ERR_CONFLICT)
        answer_refuse(out, ERR_CONFLICT, "now",
                      "now: found a time before the clock's, expected one from %s on", now);
    else if (err == ERR_RANGE)
        answer_refuse(out, ERR_INVALID, "now", "now: expected a time from 1970 to 2106-02-07");
    else
        answer_refuse(out, ERR_CONFLICT, "now",
                      "now: this server's clock is the real one; only --virtual-clock can be set");
}

void act_set_clock(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    int64_t at_s;
    enum err err;

    if (!answer_role(q, out, ROLES_CHIEF) || !answer_members(q, out, "now", NULL) ||
        !answer_time(q, out, "now", INT64_MIN, &at_s))
        return;
    if (at_s == INT64_MIN) {
        answer_refuse(out, ERR_INVALID, "now", "now: found nothing, expected a time");
        return;
    }
    if ((err = clock_set(&app->clock, at_s))) {
        clock_refused(app, out, err);
        return;
    }
    answer_begin(out, 200);
    out_member_time(&out->body, "now", clock_now_s(&app->clock));
    answer_end(out, NULL);
}
