/* Recipes: payload layouts as text files, a file per meter model.  The interpreter is pure; recipes of the program itself stand in
 * proto/recipes/, a utility's own come through `nilo recipe add` and lie in the ledger. */
#ifndef NILO_PROTO_RECIPE_H
#define NILO_PROTO_RECIPE_H

#include "proto/dialect.h"
#include "proto/gather.h"

struct recipe;

extern const struct dialect dialect_recipe; /* POST /r/NAME: a payload that is nothing but the recipe's */

/* Reads `bytes` by the recipe; values go to `g` (the caller ends it), and status, battery, radio, clock, names to `f` where the
 * recipe tells them. `f` comes with what the carrier knows (heard_s, names). MALFORMED, TRUNCATED, RANGE with `why`; NO_RECIPE where
 * the bytes bear a version or form that the recipe does not tell. */
MUST_CHECK enum err recipe_decode(const struct recipe *recipe, const struct dialect_input *in, struct span bytes, struct gather *g,
                                  struct frame *f, struct refusal *why);

#endif
