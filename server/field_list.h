/* The list that crews get (server/detect/field.h says what stands on it): a row a meter, the one whose delay costs most first.  Made by a walk over the flags that stand open or were
 * confirmed and have not ended; bounded: of more than FIELD_ROWS_MOST meters the least are left out.
 *
 * A page is a place among all, so both lists (who is on it, and who stays off it) are made whole and kept.  What a row rests on is what a place among replacements rests on, too: flags, what
 * people said of them, point and size; so whoever says rankings_touch says it for these.  Who asks has the touched meters looked at again, some microseconds each; another day or other prices
 * have all of it made anew, which the rankings' thread does when a day begins. */
#ifndef NILO_SERVER_FIELD_LIST_H
#define NILO_SERVER_FIELD_LIST_H

#include "server/app.h"
#include "server/detect/field.h"
#include "server/judge.h"

#define FIELD_ROWS_MOST 200000
#define FIELD_KEY (8 + 1 + FLAG_ID_SIZE)

struct field_row {
    uint8_t key[FIELD_KEY]; /* by which the list is sorted: rises from row to row */
    char id[FLAG_ID_SIZE];  /* of the flag that it is about */
    uint32_t meter;
    uint32_t zone, route; /* rows of its point's; 0: none */
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
/* Flags of one kind alone, also where another of the meter is worth more; only the unsure and the explained are left out: for orders by rule, which say the rest themselves. NO_MEMORY, and what
 * the stores say; field_list_done(out) in any case. */
MUST_CHECK enum err field_list_of_rule(struct app *app, enum detect_rule rule, struct field_list *out);
void field_list_done(struct field_list *l);

/* ---- kept ---- */

struct field_base { /* made whole; shared by the lists of which it is the most part */
    struct field_list goes, left_out;
    unsigned holders; /* under the lock of whoever keeps it */
};
#define FIELD_MARKS 65536 /* bits */
struct field_lists { /* nothing in it changes while it is held */
    struct field_base *base;
    struct field_list goes, left_out; /* what the touched meters are now */
    uint32_t *touched;                /* they rise: what the base says of these does not count */
    size_t touched_count;
    uint8_t marks[FIELD_MARKS / 8]; /* where none is set, a meter is not among them */
    int32_t today;
    struct fleet_rules prices;
    uint64_t touches; /* of all there ever were, how many it knows */
    unsigned holders; /* under that lock */
    struct fields_kept *of; /* NULL: nobody, it is the caller's alone */
};
/* Goes through one of both in order, from a zeroed walk on. NULL: the end. */
struct field_walk {
    size_t base, own;
};
const struct field_row *field_next(const struct field_lists *l, bool left_out, struct field_walk *w);
/* Both as of the question. NO_MEMORY, STOPPING, and what the stores say. Give it back with field_lists_release. */
MUST_CHECK enum err field_lists_hold(struct app *app, struct field_lists **out);
void field_lists_release(struct field_lists *l); /* NULL is fine */

MUST_CHECK enum err fields_kept_new(struct fields_kept **out); /* of an app, which does without, too: then they are made for who asks */
void fields_kept_free(struct fields_kept *k); /* NULL is fine; nobody holds any more */
void fields_kept_touch(struct fields_kept *k, const uint32_t *meters, size_t count); /* NULL is fine; rankings_touch calls it */

/* As rankings_check: whether what is kept is what all flags say. A meter that differs in *out_meter, 0: none does. */
MUST_CHECK enum err fields_check(struct app *app, uint32_t *out_meter);

/* Places of rows, for those two files. */
int field_order(const void *a, const void *b);
/* Rows of these meters; NULL: of all. */
MUST_CHECK enum err field_rows_make(struct app *app, const uint32_t *meters, size_t count, int32_t today, const struct fleet_rules *prices, struct field_list *goes, struct field_list *left_out);

#endif
