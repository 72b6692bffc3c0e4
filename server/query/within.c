#include "server/query/within.h"

#include "server/query/answers.h"
#include "server/query/listing.h"
#include "server/query/scope.h"

#include <stdio.h>
#include <stdlib.h>

static void ask(struct request *q, const char *path)
{
    struct refusal r = { 0 };

    if (target_read(span_text(path), &q->target, &r)) {
        problem(q, &r);
        return;
    }
    q->route = route_find(VERB_GET, &q->target, q->subject, &q->allowed);
    if (!q->route || !q->route->answer || !(q->route->scope & 1u << q->caller.role)) {
        problem_of(q, ERR_NOT_FOUND, "", "there is no such path");
        return;
    }
    q->form = FORM_JSON;
    scope_check(q);
    if (!q->refused)
        q->route->answer(q);
    if (!q->listing)
        return;
    listing_free(q->listing);
    q->listing = NULL;
    problem_of(q, ERR_NOT_FOUND, "", "that is a list");
}

enum err query_within(struct app *app, const char *org, const char *path, struct out *out,
                      unsigned *out_status)
{
    struct request *q = (struct request *)calloc(1, sizeof *q);
    enum err err;

    if (!q)
        return ERR_NO_MEMORY;
    q->app = app;
    q->caller.role = ROLE_VIEWER;
    snprintf(q->caller.who, sizeof q->caller.who, "%s", "nilometer");
    snprintf(q->caller.org, sizeof q->caller.org, "%s", org);
    ask(q, path);
    *out_status = q->status;
    err = q->out.err;
    out_done(out);
    *out = q->out;
    free(q);
    return err;
}
