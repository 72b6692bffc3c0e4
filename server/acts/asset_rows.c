/* POST /v1/models, batches, modems, depots, crews, prices: rows as any other of the register. */
#include "server/acts/register.h"

void act_post_model(const struct act_request *q, struct act_reply *out)
{
    act_post_row(q, out, LIST_MODEL);
}

void act_post_batch(const struct act_request *q, struct act_reply *out)
{
    act_post_row(q, out, LIST_BATCH);
}

void act_post_modem(const struct act_request *q, struct act_reply *out)
{
    act_post_row(q, out, LIST_MODEM);
}

void act_post_depot(const struct act_request *q, struct act_reply *out)
{
    act_post_row(q, out, LIST_DEPOT);
}

void act_post_crew(const struct act_request *q, struct act_reply *out)
{
    act_post_row(q, out, LIST_CREW);
}

void act_post_price(const struct act_request *q, struct act_reply *out)
{
    act_post_row(q, out, LIST_PRICE);
}
