/* overdue: the verification of a fitted meter is over (rules-fleet V14).  It follows from the calendar and
 * the clock and from no reading, so it has no state and judges no step: server/judge_overdue.c makes its
 * episodes. */
#include "server/detect/detect_priv.h"

#define DAY 86400

static void overdue_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                            struct wr *zh)
{
    int64_t due_s = verdict_value(v, "legal_end") - DAY / 2; /* within the last day in date */

    wr_text(en, "The verification of this meter was valid until ");
    say_date(en, p->zone, due_s);
    wr_text(en,
            "; since then it may not be used for billing. Change it, or have it verified anew.");
    wr_text(zh, "该水表检定有效期至");
    say_date(zh, p->zone, due_s);
    wr_text(zh, "，已超期，不得用于贸易结算，应更换或重新检定。");
}

const struct detector detector_overdue = {
    .flag = "overdue",
    .explain = overdue_explain,
};
