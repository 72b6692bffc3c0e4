/* Notices to customers (server/billing/notice.h says who gets which): made from what the judge touched, kept in the ledger before they go anywhere, and handed out as files, to
 * webhooks of kind notice, or both.
 *
 *   made      a notice is a row with a number before it is told; of a case there is one beginning and one end, however often it is looked at
 *   told      at its due time, outside of the quiet hours: a file DIR/NUMBER.json, written whole and then renamed, so that a repeat after a kill is harmless; then the act
 *             "notice.sent", which webhooks hear
 *   withheld  where the point's account is not that of the case's onset, or does not want it; looked at when it is made and again when it is told
 *
 * Cases that were raised before notices were switched on are not told.
 *
 *   notices_open, _start, _close   main        notices_touch, notices_flush, notices_way   any thread
 * Locks: the turn (one looks and tells at a time), then the ledger's writer; the lock of what is touched comes after everything. */
#ifndef NILO_SERVER_NOTICES_H
#define NILO_SERVER_NOTICES_H

#include "server/hooks.h"
#include "server/notice_rules.h"

struct notices;
struct notices_options {
    bool on;
    const char *dir;   /* NULL: no files */
    const char *rules; /* a file as server/billing/notices/default.rules; NULL: that one */
};
MUST_CHECK enum err notices_open(struct app *app, const struct notices_options *o, struct notices **out, struct refusal *r); /* *out NULL: they are off */
MUST_CHECK enum err notices_start(struct notices *n);
void notices_close(struct notices *n); /* NULL is fine */

/* The meter's readings, flags or facts changed, and show. */
void notices_touch(struct app *app, uint32_t meter);
/* Looks at all that was touched, and tells all that is due by the clock. */
MUST_CHECK enum err notices_flush(struct app *app);

/* The account of a point and its phone as of an instant, copied; "": none. Longer accounts than fit are none. */
#define NOTICE_ACCOUNT_MAX 200
struct notice_place {
    char point[64], account[NOTICE_ACCOUNT_MAX + 1], phone[128], address[256];
};
MUST_CHECK enum err notice_place(struct txn *t, uint32_t point, int64_t at_s, struct notice_place *out);

#endif
