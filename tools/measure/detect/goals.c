/* The goals that flags are held against: figure, goal, met or not, and what the plain rule reaches on the same lives.  Precision is
 * that of all flags of the kind at the resolution; where sizes are named, of those flags that told such a size.  "Told in time": stuck
 * for good, after at most max(7 days, 1.5 × its own longest pause) and 2 days.  A rule that is not built is said to be. */
#include "tools/measure/detect/houses.h"

#define ANY 1e9
#define KIND(name) (1u << FAULT_##name)

enum measure { PRECISION, RECALL, DELAY_D, IN_BOUND, ONSET_D, MEASURES };
static const char *const measure_name[MEASURES] = { "precision", "recall", "median delay, days",
                                                    "share told in time", "median error, days" };

struct goal {
    const char *text, *flag;
    struct pick pick;  /* .rule by the flag */
    const char *plain; /* the rule beside it */
    struct {
        enum measure measure;
        double
            goal; /* delays and errors: at most; else at least; below 0: none, the figure alone */
    } asked[3];
    unsigned asks;
};

static const struct goal goals[] = {
    { "leak >= 5 L/h, 1 L",
      "leak",
      { .kinds = KIND(LEAK_5_20) | KIND(LEAK_20_200),
        .resolution_l = 1,
        .size_least = 5,
        .size_below = ANY },
      "one-gallon",
      { { PRECISION, 0.95 }, { RECALL, 0.95 }, { DELAY_D, 2 } },
      3 },
    { "leak >= 5 L/h, 1 L, homes",
      "leak",
      { .kinds = KIND(LEAK_5_20) | KIND(LEAK_20_200),
        .resolution_l = 1,
        .homes = true,
        .size_least = 5,
        .size_below = ANY },
      "one-gallon",
      { { PRECISION, 0.95 }, { RECALL, 0.95 }, { DELAY_D, 2 } },
      3 },
    { "leak 2-5 L/h, 1 L",
      "leak",
      { .kinds = KIND(LEAK_2_5), .resolution_l = 1, .size_least = 2, .size_below = 5 },
      "one-gallon",
      { { RECALL, 0.7 }, { PRECISION, 0.9 } },
      2 },
    { "stuck, homes with use",
      "stuck",
      { .kinds = KIND(STUCK_WHOLE) | KIND(STUCK_GO), .with_use = true },
      "zero-14",
      { { PRECISION, 0.95 }, { RECALL, 0.97 }, { IN_BOUND, 0.95 } },
      3 },
    { "stuck, homes never still for 2 d",
      "stuck",
      { .kinds = KIND(STUCK_WHOLE) | KIND(STUCK_GO), .with_use = true, .steady = true },
      "zero-14",
      { { PRECISION, 0.95 }, { RECALL, 0.97 }, { IN_BOUND, 0.95 } },
      3 },
    { "  the same, of 70 %",
      "stuck",
      { .kinds = KIND(STUCK_WHOLE) | KIND(STUCK_GO),
        .with_use = true,
        .steady = true,
        .confidence_least = 70 },
      "zero-14",
      { { PRECISION, 0.95 }, { RECALL, -1 }, { DELAY_D, -1 } },
      3 },
    { "stuck, homes with use, of 70 %",
      "stuck",
      { .kinds = KIND(STUCK_WHOLE) | KIND(STUCK_GO), .with_use = true, .confidence_least = 70 },
      "zero-14",
      { { PRECISION, 0.95 }, { RECALL, -1 }, { DELAY_D, -1 } },
      3 },
    { "reversed",
      "reversed",
      { .kinds = KIND(REVERSED) },
      NULL,
      { { PRECISION, 0.98 }, { RECALL, 0.98 } },
      2 },
    { "burst",
      "burst",
      { .kinds = KIND(BURST) },
      NULL,
      { { PRECISION, 0.98 }, { RECALL, 0.98 } },
      2 },
    { "backflow",
      "backflow",
      { .kinds = KIND(BACKFLOW) },
      NULL,
      { { PRECISION, 0.98 }, { RECALL, 0.98 } },
      2 },
    { "leak constant >= 10 L/h, 10 L",
      "leak",
      { .kinds = KIND(LEAK_5_20) | KIND(LEAK_20_200),
        .resolution_l = 10,
        .size_least = 10,
        .size_below = ANY },
      "one-gallon",
      { { RECALL, 0.9 }, { PRECISION, 0.9 } },
      2 },
    { "leak flapper, 1 L",
      "leak",
      { .kinds = KIND(LEAK_FLAPPER), .resolution_l = 1 },
      "one-gallon",
      { { RECALL, 0.9 }, { PRECISION, 0.9 } },
      2 },
    { "leak growing, 1 L",
      "leak",
      { .kinds = KIND(LEAK_GROWING), .resolution_l = 1 },
      "one-gallon",
      { { RECALL, 0.9 }, { PRECISION, 0.9 } },
      2 },
    { "slow >= 50 % in 90 days",
      "slow",
      { .kinds = KIND(SLOW_50), .within_d = 90 },
      NULL,
      { { RECALL, 0.8 }, { PRECISION, 0.6 } },
      2 },
    { "slow 20-50 % in 90 days",
      "slow",
      { .kinds = KIND(SLOW_20_50), .within_d = 90 },
      NULL,
      { { RECALL, -1 }, { PRECISION, -1 } },
      2 },
    { "start of a leak",
      "leak",
      { .kinds = KIND(LEAK_2_5) | KIND(LEAK_5_20) | KIND(LEAK_20_200) },
      "one-gallon",
      { { ONSET_D, 1 } },
      1 },
};

static struct interval measured(const struct figures *f, enum measure m)
{
    struct interval delay = { f->delay_median_d, NAN, NAN }, onset = { f->onset_off_d, NAN, NAN };

    return m == PRECISION  ? f->precision
           : m == RECALL   ? f->recall
           : m == DELAY_D  ? delay
           : m == IN_BOUND ? wilson(f->in_bound, f->bound_asked)
                           : onset;
}

/* Of a rule that nobody has a name for yet. */
#define NO_FIGURES                                                                                 \
    {                                                                                              \
        .recall = { NAN, NAN, NAN }, .precision = { NAN, NAN, NAN }                                \
    }

static bool is_met(enum measure m, double goal, double value)
{
    return m == DELAY_D || m == ONSET_D ? value <= goal : value >= goal;
}

static void put_json_number(FILE *out, const char *name, double v)
{
    if (isnan(v))
        fprintf(out, ",\"%s\":null", name);
    else
        fprintf(out, ",\"%s\":%.4f", name, v);
}

static void put_goal(FILE *out, bool json, const char *base, const char *text, const char *measure,
                     struct interval i, const char *goal, const char *met, unsigned count,
                     double plain)
{
    if (json) {
        fprintf(out, "{\"bench\":\"detect\",\"base\":\"%s\",\"figure\":\"%s: %s\"", base, text,
                measure);
        put_json_number(out, "value", i.value);
        put_json_number(out, "low", i.low);
        put_json_number(out, "high", i.high);
        put_json_number(out, "plain_rule", plain);
        fprintf(out, ",\"faults\":%u,\"goal\":\"%s\",\"met\":\"%s\"}\n", count, goal, met);
        return;
    }
    fprintf(out, "%-9s %-31s %-19s%7u   ", base, text, measure, count);
    if (isnan(i.low))
        print_number(out, i.value), fprintf(out, "%14s", "");
    else
        fprintf(out, "%.3f [%.3f, %.3f]", i.value, i.low, i.high);
    fprintf(out, "   %-8s %-9s", goal, met);
    if (isnan(plain))
        fprintf(out, "%12s\n", "-");
    else
        fprintf(out, "%12.3f\n", plain);
}

static enum err one_goal(const struct record *r, const struct goal *g, const char *base, bool json,
                         FILE *out)
{
    struct pick pick = g->pick, plain_pick = g->pick;
    struct figures f = NO_FIGURES, plain = { 0 };
    enum err err;

    pick.rule = rule_named(g->flag);
    if (pick.rule < rule_count && (err = figures_of(r, &pick, &f)))
        return err;
    if (g->plain) {
        plain_pick.rule = rule_named(g->plain);
        plain_pick.confidence_least = 0; /* it says nothing of that */
        if ((err = figures_of(r, &plain_pick, &plain)))
            return err;
    }
    for (unsigned i = 0; i < g->asks; i++) {
        enum measure m = g->asked[i].measure;
        struct interval value = measured(&f, m);
        double beside = g->plain ? measured(&plain, m).value : NAN, goal = g->asked[i].goal;
        char text[16] = "curve";

        if (goal >= 0)
            snprintf(text, sizeof text, "%s %g", m == DELAY_D || m == ONSET_D ? "<=" : ">=", goal);
        put_goal(out, json, base, g->text, measure_name[m], value, text,
                 !rule_is_built(pick.rule)      ? "not built"
                 : goal < 0                     ? ""
                 : isnan(value.value)           ? "unknown"
                 : is_met(m, goal, value.value) ? "met"
                                                : "NOT met",
                 f.faults, beside);
    }
    return ERR_OK;
}

/* Of one kind: how many of its flags that stood on the list were right, and how often one was not. */
static void orders_of_kind(const struct record *r, unsigned rule, double years, const char *base,
                           bool json, FILE *out)
{
    unsigned right = 0, wrong = 0;
    char text[40];

    for (size_t n = 0; n < r->note_count; n++) {
        const struct note *note = &r->notes[n];

        if (note->rule != rule || !note->ordered)
            continue;
        right += note->outcome == NOTE_FOUND;
        wrong += note->outcome == NOTE_FALSE;
    }
    if (!right && !wrong)
        return;
    snprintf(text, sizeof text, "  field orders: %s", rules[rule].name);
    put_goal(out, json, base, text, "precision", wilson(right, right + wrong), "curve", "",
             right + wrong, NAN);
    put_goal(out, json, base, text, "false a 1 000 years", rate_of(wrong, years / 1000), "curve",
             "", wrong, NAN);
}

/* All detectors' false flags together, and those of them that stand on the list that crews get (server/detect/field.h): what a crew
 * is sent for nothing, once for each episode. Of the list also the share that is right, and how many of the flags that are right it
 * leaves out: a list that nobody stands on sends nobody in vain. */
static void false_orders(const struct record *r, const char *base, bool json, FILE *out)
{
    unsigned count = 0, plain = 0, ordered = 0, right = 0, right_left = 0;
    double years = 0;
    struct interval i;

    for (size_t n = 0; n < r->subject_count; n++)
        years += r->subjects[n].years;
    for (size_t n = 0; n < r->note_count; n++) {
        count += r->notes[n].outcome == NOTE_FALSE && rules[r->notes[n].rule].detector;
        plain += r->notes[n].outcome == NOTE_FALSE && rules[r->notes[n].rule].plain;
        ordered += r->notes[n].outcome == NOTE_FALSE && r->notes[n].ordered;
        right += r->notes[n].outcome == NOTE_FOUND && r->notes[n].ordered;
        right_left += r->notes[n].outcome == NOTE_FOUND && !r->notes[n].ordered &&
                      rules[r->notes[n].rule].detector;
    }
    i = rate_of(count, years / 1000);
    put_goal(out, json, base, "false flags, all kinds", "a 1 000 meter-years", i, "curve", "",
             count, plain / years * 1000);
    i = rate_of(ordered, years / 1000);
    put_goal(out, json, base, "false field orders, all kinds", "a 1 000 meter-years", i, "<= 5",
             i.value <= 5 ? "met" : "NOT met", ordered, plain / years * 1000);
    put_goal(out, json, base, "field orders, all kinds", "precision",
             wilson(right, right + ordered), "curve", "", right + ordered, NAN);
    put_goal(out, json, base, "found flags on the field list", "share",
             wilson(right, right + right_left), "curve", "", right + right_left, NAN);
    for (unsigned rule = 0; rule < rule_count; rule++)
        orders_of_kind(r, rule, years, base, json, out);
}

enum err table_goals(const struct record *r, bool json, FILE *out)
{
    const char *base = r->subject_count && r->subjects[0].real ? "real" : "simulated";
    enum err err = ERR_OK;

    if (!json)
        fprintf(out, "\n%-9s %-31s %-19s%7s   %-22s %-8s %-9s%12s\n", "base", "figure", "",
                "faults", "value [95 %]", "goal", "", "plain rule");
    for (size_t i = 0; i < sizeof goals / sizeof goals[0] && !err; i++)
        err = one_goal(r, &goals[i], base, json, out);
    if (!err)
        false_orders(r, base, json, out);
    return err;
}

static const char *verdict_on(double goal, double value)
{
    return isnan(value) ? "unknown" : value >= goal ? "met" : "NOT met";
}

enum err goals_houses(const struct house_record *r, const char *base, bool json, FILE *out)
{
    struct house_pick slow = { HOUSE_SLOW, 0, 0, 0.15, 0, HOUSE_WITHIN_D },
                      swapped = { HOUSE_SWAPPED, 0, 0, 0, 0, 0 };
    static const char behind[] = "slow >= 15 % behind a building", pair[] = "swapped in a house";
    struct house_figures f;
    enum err err = house_figures_of(r, &slow, &f);

    if (err)
        return err;
    put_goal(out, json, base, behind, "recall", f.recall, ">= 0.8", verdict_on(0.8, f.recall.value),
             f.faults, NAN);
    put_goal(out, json, base, behind, "precision", f.precision, ">= 0.8",
             verdict_on(0.8, f.precision.value), f.faults, NAN);
    put_goal(out, json, base, behind, "false a 1 000 my", f.false_per_1000, "curve", "", f.faults,
             NAN);
    if ((err = house_figures_of(r, &swapped, &f)))
        return err;
    put_goal(out, json, base, pair, "recall", f.recall, "curve", "", f.faults, NAN);
    put_goal(out, json, base, pair, "precision", f.precision, ">= 0.9",
             verdict_on(0.9, f.precision.value), f.faults, NAN);
    put_goal(out, json, base, pair, "false a 1 000 my", f.false_per_1000, "curve", "", f.faults,
             NAN);
    return ERR_OK;
}
