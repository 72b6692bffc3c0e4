/* The list that crews get (server/detect/field.h says what stands on it): a row a meter, the one whose delay costs most first.  Made by a walk over the flags that stand open or were
 * confirmed and have not ended; bounded: of more than FIELD_ROWS_MOST meters the least are left out. */
#ifndef NILO_SERVER_FIELD_LIST_H
#define NILO_SERVER_FIELD_LIST_H

#include "server/app.h"
#include "server/detect/field.h"
#include "server/judge.h"

#define FIELD_ROWS_MOST 200000
#define FIELD_KEY (8 + 1 + FLAG_ID_SIZE)

struct field_wish {
    int rule; /* enum detect_rule of the row's own flag; -1: any */
    struct span zone, route; /* empty: any; borrowed for field_list_make */
    bool left_out; /* those that stay off the list, in place of those on it */
    bool of_rule; /* flags of `rule` alone count, also where another of the meter is worth more; only the unsure and the explained are left out: for orders by rule, which say the rest themselves */
    uint32_t meter; /* 0: any */
};

struct field_row {
    uint8_t key[FIELD_KEY]; /* by which the list is sorted: rises from row to row */
    char id[FLAG_ID_SIZE];  /* of the flag that it is about */
    uint32_t meter;
    uint32_t kinds; /* a set of 1 << enum detect_rule: all that stand open */
    enum detect_rule rule;
    enum field_why why;
    int explained_by; /* enum detect_rule; -1 */
    bool confirmed;
    enum severity severity;
    unsigned confidence_pct;
    int64_t onset_s, lost_mlpd;
    int64_t money_month; /* expected; thousandths of the currency */
};
struct field_list {
    struct field_row *at;
    size_t count, cap;
    bool more; /* some were left out */
};
/* NO_MEMORY, and what the stores say; field_list_done(out) in any case. */
MUST_CHECK enum err field_list_make(struct app *app, const struct field_wish *wish, struct field_list *out);
void field_list_done(struct field_list *l);

#endif
