/* What consumption of points and accounts is asked by.  For this folder. */
#ifndef NILO_SERVER_QUERY_STEP_ASKED_H
#define NILO_SERVER_QUERY_STEP_ASKED_H

#include "server/billing/consume.h"
#include "server/query/request.h"

bool ask_step(struct request *q, enum consume_step *out); /* the parameter `step`; 422 where it is none of hour, day and month */

#endif
