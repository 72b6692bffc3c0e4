/* What a decoder may ask (proto/lore.h), answered for tests: there is one meter, and every name is its. */
#ifndef NILO_TESTS_ONE_METER_H
#define NILO_TESTS_ONE_METER_H

#include "proto/lore.h"
#include "proto/recipe.h"

#define ONE_METER 7 /* its id */

struct one_meter {
    bool unregistered;             /* no name is its */
    unsigned key_count;
    struct span keys[LORE_KEYS];   /* of kind KEY_OMS; borrowed */
    const char *profile;           /* the register's column `dialect`; NULL: empty */
    struct recipe *recipes[64];    /* owned */
    size_t recipe_count;
};

/* The answers; formats are not known. `m` is asked whenever a decoder asks, so it may change in between. */
struct lore one_meter_lore(struct one_meter *m);

void one_meter_shelve(struct one_meter *m); /* all recipes that the program ships; once */
void one_meter_done(struct one_meter *m);   /* gives the recipes back */

#endif
