/* What survey*.c share: the making of one, and an exchange whose readings are to be looked at. */
#ifndef NILO_SERVER_SURVEY_PRIV_H
#define NILO_SERVER_SURVEY_PRIV_H

#include "server/survey.h"

struct exchange_ref {
    uint64_t lot; /* the lowest are looked at: no one can choose them, and the same ones every time */
    uint32_t point, old_meter, new_meter;
    int64_t removed_s, fitted_s;
};

/* The other meter's fitting that begins where the one of `old_meter` ended at `removed_s`, within a day; false: nobody came after it, or t->err. */
bool exchange_find(struct txn *t, uint32_t point, uint32_t old_meter, int64_t removed_s, struct exchange_ref *out);

/* Use of the new meter in its first `days` days, against that of the old one in the same days a year before; both by actual reads alone (rules-bills D).
 * `*out_why` EXCHANGE_LEFT: *out is the two, and how long and how much the old one had counted. */
MUST_CHECK enum err exchange_measure(struct app *app, const struct exchange_ref *x, int32_t days, int64_t now_s, struct wear_sample *out, enum exchange_left_out *out_why);

/* survey.c: one walk. As surveys_take. */
MUST_CHECK enum err survey_make(struct app *app, const struct survey_wish *wish, struct survey **out);
void survey_free(struct survey *v); /* NULL is fine */

#endif
