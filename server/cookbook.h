/* The recipes that are known: those of the program itself and the ledger's. Of one name the newest version counts, the ledger's
 * where both have it.
 *
 * Looking up happens under the registry's read lock, and what was found stays as long as that lock is held; cookbook_put takes the
 * registry's write lock, so a recipe is exchanged between two frames and never within one. */
#ifndef NILO_SERVER_COOKBOOK_H
#define NILO_SERVER_COOKBOOK_H

#include "proto/recipe.h"
#include "storage/ledger.h"
#include "storage/registry.h"

struct cookbook;

/* The program's recipes and the ledger's. A recipe in the ledger that no longer parses (the format grew stricter) is left out and
 * told on standard error: frames for it wait. NO_MEMORY, or what the ledger says. */
MUST_CHECK enum err cookbook_open(struct ledger *ledger, struct registry *registry, struct cookbook **out);
void cookbook_close(struct cookbook *c); /* NULL is fine */

/* NULL: unknown. The caller holds the registry's read lock. */
const struct recipe *cookbook_find(const struct cookbook *c, struct span name);
/* The recipe whose `match` lines name this layout, of several the first in order of names; NULL: none. Likewise. */
const struct recipe *cookbook_match(const struct cookbook *c, const struct layout_id *of);
/* Walks all in order of names: cookbook_at(c, 0, …), 1, … NULL at the end; *out_added: it came by the ledger. Likewise. */
const struct recipe *cookbook_at(const struct cookbook *c, size_t n, bool *out_added);

/* Takes over a parsed recipe, in place of the one of its name unless that has a higher version. The caller holds no lock of the
 * registry. NO_MEMORY. */
MUST_CHECK enum err cookbook_put(struct cookbook *c, struct recipe *recipe);

#endif
