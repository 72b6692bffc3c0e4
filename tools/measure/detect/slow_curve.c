/* How many slow meters are found without a reference, by what share they miss and by pulse: steps, told within 90 days. Of all flags, and of those that a crew is sent for. */
#include "tools/measure/detect/bench.h"

#define WITHIN_D 90
#define ORDERED_PCT 60

enum err table_slow(const struct record *r, FILE *out)
{
    static const double shares[] = { 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9 };
    static const int32_t pulses_l[] = { 0, 1, 10, 100 };
    const uint32_t steps = 1u << FAULT_SLOW_5_20 | 1u << FAULT_SLOW_20_50 | 1u << FAULT_SLOW_50;

    fprintf(out,
            "\nslow steps told in %d days, by the share that is missed\n%-10s %-6s%7s%10s%10s\n",
            WITHIN_D, "share", "pulse", "faults", "recall", "of 60 %");
    for (size_t i = 0; i + 1 < sizeof shares / sizeof shares[0]; i++)
        for (size_t k = 0; k < sizeof pulses_l / sizeof pulses_l[0]; k++) {
            struct pick all = { .rule = rule_named("slow"),
                                .kinds = steps,
                                .resolution_l = pulses_l[k],
                                .size_least = shares[i],
                                .size_below = shares[i + 1],
                                .within_d = WITHIN_D },
                        sure = all;
            struct figures f, s;
            char pulse[12] = "all";
            enum err err;

            sure.confidence_least = ORDERED_PCT;
            if ((err = figures_of(r, &all, &f)) || (err = figures_of(r, &sure, &s)))
                return err;
            if (!f.faults)
                continue;
            if (pulses_l[k])
                snprintf(pulse, sizeof pulse, "%d L", (int)pulses_l[k]);
            fprintf(out, "%2.0f-%2.0f %%    %-6s%7u%10.3f%10.3f\n", 100 * shares[i],
                    100 * shares[i + 1], pulse, f.faults, f.recall.value, s.recall.value);
        }
    return ERR_OK;
}
