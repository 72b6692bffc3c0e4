/* What the files of replacements share. */
#ifndef NILO_SERVER_REPLACEMENTS_PRIV_H
#define NILO_SERVER_REPLACEMENTS_PRIV_H

#include "server/judge_condition.h"
#include "server/replacements.h"

/* Fills `at` and `count` of one that has today and rules; the caller frees `at`, also after an error. */
MUST_CHECK enum err ranking_make(struct app *app, struct ranking *r);

#endif
