/* Whether a home's draws became smaller, or fewer: what tells a meter that registers less from people who use less.
 *
 * A meter that is slow by a share scales every draw: a flush, a shower, a wash show as less each, and as many hours as before have some use.
 * Fewer people make fewer draws of the same size; who moves in behind a pause makes other ones.  So the hours with use of two spans of days
 * are laid side by side as distributions of the logarithm of their use, and the earlier one is scaled (pulse by pulse, for a pulse that
 * is half a flush rounds) until it fits the later one best.  Against all days before, and against the quietest quarter of
 * them alone, for on these the same people were fewer or busy elsewhere: draws that shrink against both are smaller draws. */
#ifndef NILO_SERVER_DETECT_DRAWS_H
#define NILO_SERVER_DETECT_DRAWS_H

#include "server/detect/daily.h"

struct draws_change {
    int32_t day;                       /* the first of the later days */
    unsigned before_days, after_days;  /* of them with people at home */
    unsigned empty_days;               /* the longest run without use that lies between the two spans */
    double volume_ln;                  /* use on a day: logarithm of later ÷ earlier (geometric means) */
    double apart_ln;                   /* later ÷ that of the earlier four weeks that came nearest to it */
    double size_ln, quiet_ln;          /* size of draws, against all days and against quiet ones */
    double size_odds, quiet_odds;      /* log-likelihood of that size over that of an unchanged one */
    double often_ln;                   /* share of hours with use, beside what scaling explains */
    double middle_ln, large_ln;        /* the median and the 85 % quantile of hours with use */
    double elsewhere_ln;               /* use outside of the three hours of the day that changed most: a garden is watered in those */
    double floor_share;                /* what flows without a pause, later − earlier, ÷ by how much use changed: −1 where a leak was mended */
    double season_ln;                  /* use of the last 55 days ÷ that of the same a year before; NAN: not known */
    double peers_ln;                   /* what the place's peers changed by meanwhile, which is taken off volume_ln, apart_ln and season_ln; NAN: not known */
    double faint_share;                /* of earlier hours, those with no more than a two-hundredth of what Q3 gives in an hour; 0 where pulses do not show that */
    double faint_ln, rest_ln;          /* that share, and use in all other hours: later ÷ earlier */
    double before_mlpd, after_mlpd;    /* mean use of a day with people at home */
    double hours;                      /* later ones with use */
};

/* What a change must come to at least: to learn the sizes of draws costs twenty times what it costs to see that nothing happened. */
struct draws_bounds {
    int sign;              /* −1 less, 1 more */
    double volume_ln, apart_ln; /* × sign */
    unsigned after_days, empty_days; /* at least; less than */
};
/* Looks for the day since which draws differ most, 20 to 110 days before the last. False: it comes to less, or too little is known to say. */
bool draws_compare(const struct judge_place *p, const struct day_span *days, const struct draws_bounds *bounds, struct draws_change *out);
/* The same of a day that is known, and of the last `last` days alone. */
bool draws_since(const struct judge_place *p, const struct day_span *days, int32_t day, unsigned last, struct draws_change *out);

#endif
