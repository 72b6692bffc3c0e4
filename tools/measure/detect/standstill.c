/* Stuck for good or by turns, against who lives there and against how sure it is: what is right, what is found, and after how many days.  A
 * standstill and an absence look alike, so that one figure of all would say more of who was counted than of the detector.
 *
 *   steady     homes with use whose register had not stood still for 2 days in 60 days and more before
 *   with use   families of 30 L a day and more
 *   seldom in  second homes and vacant flats, where no fault is put: all of their flags are false */
#include "tools/measure/detect/bench.h"

#define KIND(name) (1u << FAULT_##name)

static const struct people {
    const char *text;
    struct pick pick;
} people[] = {
    { "steady", { .with_use = true, .steady = true } },
    { "with use", { .with_use = true } },
    { "seldom in", { .seldom = true } },
};

static void put(FILE *out, struct interval i)
{
    if (isnan(i.value))
        fprintf(out, "   %19s", "-");
    else
        fprintf(out, "   %.3f [%.3f, %.3f]", i.value, i.low, i.high);
}

enum err table_standstill(const struct record *r, FILE *out)
{
    fprintf(out, "\n%-10s %-10s%7s%7s   %-19s   %-19s%8s%8s%10s%10s\n", "stuck", "confidence",
            "right", "false", "precision", "recall", "days", "p90", "in time", "f/1000my");
    for (size_t n = 0; n < sizeof people / sizeof people[0]; n++)
        for (unsigned i = 0; i < SURE_STEPS; i++) {
            struct pick pick = people[n].pick;
            struct figures f;
            enum err err;

            pick.rule = rule_named("stuck");
            pick.kinds = KIND(STUCK_WHOLE) | KIND(STUCK_GO);
            pick.confidence_least = sure_pct[i];
            if ((err = figures_of(r, &pick, &f)))
                return err;
            fprintf(out, "%-10s >= %-7u%7u%7u", i ? "" : people[n].text, sure_pct[i], f.right,
                    f.wrong);
            put(out, f.precision);
            put(out, f.recall);
            print_number(out, f.delay_median_d);
            print_number(out, f.delay_p90_d);
            fprintf(out, "%10.3f", wilson(f.in_bound, f.bound_asked).value);
            print_number(out, f.false_per_1000.value);
            fprintf(out, "\n");
        }
    return ERR_OK;
}
