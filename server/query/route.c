#include "server/query/route.h"

#include "server/query/answers.h"

#define FORMS_JSON FORM_JSON
#define FORMS_TEXT 0u
#define FORMS_LIST (FORM_JSON | FORM_NDJSON | FORM_CSV | FORM_XLSX)
#define FORMS_TOUR (FORM_JSON | FORM_GEOJSON | FORM_XLSX)

static const struct route routes[] = {
#define ROUTE(verb_, path_, scope_, place_, forms_, handler, parameters_, schema_, summary_)       \
    { .verb = VERB_##verb_,                                                                        \
      .path = path_,                                                                               \
      .scope = SCOPE_##scope_,                                                                     \
      .place = PLACE_##place_,                                                                     \
      .forms = FORMS_##forms_,                                                                     \
      .answer = handler,                                                                           \
      .parameters = parameters_,                                                                   \
      .schema = schema_,                                                                           \
      .summary = summary_ },
#define ACT(path_, scope_, act_, body_, schema_, summary_)                                         \
    { .verb = VERB_POST,                                                                           \
      .path = path_,                                                                               \
      .scope = SCOPE_##scope_,                                                                     \
      .place = PLACE_WRITER,                                                                       \
      .body = BODY_JSON,                                                                           \
      .forms = FORM_JSON,                                                                          \
      .act = act_,                                                                                 \
      .parameters = "",                                                                            \
      .schema = schema_,                                                                           \
      .body_schema = body_,                                                                        \
      .summary = summary_ },
#define FILE(path_, scope_, handler, parameters_, schema_, summary_)                               \
    { .verb = VERB_POST,                                                                           \
      .path = path_,                                                                               \
      .scope = SCOPE_##scope_,                                                                     \
      .place = PLACE_WRITER,                                                                       \
      .body = BODY_FILE,                                                                           \
      .forms = FORM_JSON,                                                                          \
      .answer = handler,                                                                           \
      .parameters = parameters_,                                                                   \
      .schema = schema_,                                                                           \
      .summary = summary_ },
#define ASK(path_, scope_, handler, body_, schema_, summary_)                                      \
    { .verb = VERB_POST,                                                                           \
      .path = path_,                                                                               \
      .scope = SCOPE_##scope_,                                                                     \
      .place = PLACE_WRITER,                                                                       \
      .body = BODY_JSON,                                                                           \
      .forms = FORMS_LIST,                                                                         \
      .answer = handler,                                                                           \
      .asks = true,                                                                                \
      .parameters = "limit,after",                                                                 \
      .schema = schema_,                                                                           \
      .body_schema = body_,                                                                        \
      .summary = summary_ },
#define SIGN(path_, scope_, handler, act_, body_, schema_, summary_)                               \
    { .verb = VERB_POST,                                                                           \
      .path = path_,                                                                               \
      .scope = SCOPE_##scope_,                                                                     \
      .place = PLACE_WRITER,                                                                       \
      .body = BODY_JSON,                                                                           \
      .forms = FORM_JSON,                                                                          \
      .answer = handler,                                                                           \
      .act = act_,                                                                                 \
      .asks = true,                                                                                \
      .signs = true,                                                                               \
      .parameters = "",                                                                            \
      .schema = schema_,                                                                           \
      .body_schema = body_,                                                                        \
      .summary = summary_ },
#define IMAGE(path_, scope_, handler, schema_, summary_)                                           \
    { .verb = VERB_POST,                                                                           \
      .path = path_,                                                                               \
      .scope = SCOPE_##scope_,                                                                     \
      .place = PLACE_WRITER,                                                                       \
      .body = BODY_IMAGE,                                                                          \
      .forms = FORM_JSON,                                                                          \
      .answer = handler,                                                                           \
      .parameters = "",                                                                            \
      .schema = schema_,                                                                           \
      .summary = summary_ },
#define PUSH(path_, handler, parameters_, summary_)                                                \
    { .verb = VERB_POST,                                                                           \
      .path = path_,                                                                               \
      .scope = SCOPE_INGEST,                                                                       \
      .place = PLACE_PUSH,                                                                         \
      .body = BODY_PUSH,                                                                           \
      .answer = handler,                                                                           \
      .parameters = parameters_,                                                                   \
      .schema = "Anything",                                                                        \
      .summary = summary_ },
#include "server/query/route.def"
#undef ROUTE
#undef ACT
#undef FILE
#undef PUSH
#undef IMAGE
#undef ASK
#undef SIGN
};

#define ROUTES (sizeof routes / sizeof routes[0])

const struct route *route_at(size_t n)
{
    return n < ROUTES ? &routes[n] : NULL;
}

/* Whether the path of `route` is the target's; its places go to `subject`. */
static bool fits(const struct route *route, const struct target *t, struct span subject[2])
{
    const char *at = route->path;
    unsigned places = 0;

    if (!t->segments)
        return strcmp(at, "/") == 0;
    for (unsigned n = 0; n < t->segments; n++) {
        const char *end;

        if (*at++ != '/')
            return false;
        end = at + strcspn(at, "/");
        if (*at == '{') {
            if (!t->segment[n].len)
                return false;
            subject[places++] = t->segment[n];
        } else if (!span_equal(span_of(at, (size_t)(end - at)), t->segment[n])) {
            return false;
        }
        at = end;
    }
    return *at == 0;
}

/* A path without a place wins over one with: no meter of ours is called "retry", but a flag could
 * be. */
const struct route *route_find(enum verb verb, const struct target *t, struct span subject[2],
                               uint32_t *out_allowed)
{
    const struct route *found = NULL;

    *out_allowed = 0;
    subject[0] = subject[1] = (struct span){ 0 };
    for (size_t n = 0; n < ROUTES; n++) {
        struct span places[2] = { { 0 } };

        if (!fits(&routes[n], t, places))
            continue;
        *out_allowed |= routes[n].verb | (routes[n].verb == VERB_GET ? VERB_HEAD : 0);
        if (routes[n].verb != verb && !(verb == VERB_HEAD && routes[n].verb == VERB_GET))
            continue;
        if (!found || !places[0].len) {
            found = &routes[n];
            memcpy(subject, places, sizeof places);
        }
    }
    return found;
}

bool route_takes(const struct route *route, struct span parameter)
{
    const char *at = route->parameters;

    while (*at) {
        size_t len = strcspn(at, ",");

        if (span_equal(span_of(at, len), parameter))
            return true;
        at += len + (at[len] == ',');
    }
    return false;
}
