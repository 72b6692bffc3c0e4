#include "tools/measure/detect/bench.h"

#include <string.h>

#define ANY 1e9
#define KIND(name) (1u << FAULT_##name)

static const int32_t classes_l[] = { 0, 1, 10, 100 };
#define CLASSES (sizeof classes_l / sizeof classes_l[0])

static void put_share(FILE *out, struct interval i)
{
    if (isnan(i.value))
        fprintf(out, "%22s", "-");
    else
        fprintf(out, "   %.3f [%.3f, %.3f]", i.value, i.low, i.high);
}

static void put_number(FILE *out, double v)
{
    if (isnan(v))
        fprintf(out, "%8s", "-");
    else
        fprintf(out, "%8.1f", v);
}

static const char *class_name(int32_t resolution_l)
{
    return resolution_l == 0    ? "all"
           : resolution_l == 1  ? "1 L"
           : resolution_l == 10 ? "10 L"
                                : "100 L";
}

static bool is_built(unsigned rule)
{
    return rules[rule].detector || rules[rule].plain;
}

/* ---- each rule, each class of resolution apart ---- */

enum err table_rules(const struct record *r, FILE *out)
{
    fprintf(out, "%-12s %-6s%7s%7s%7s%7s%7s   %-19s   %-19s%8s%8s%8s%8s   %s\n", "rule", "pulse",
            "faults", "found", "right", "false", "again", "precision", "recall", "days", "p90",
            "onset", "loss", "false per 1 000 meter-years");
    for (unsigned rule = 0; rule < rule_count; rule++) {
        if (!is_built(rule)) {
            fprintf(out, "%-12s not built: recall 0\n", rules[rule].name);
            continue;
        }
        for (size_t i = 0; i <= CLASSES; i++) {
            struct pick p = { .rule = rule, .homes = i == CLASSES };
            struct figures f;
            enum err err;

            p.resolution_l = p.homes ? 0 : classes_l[i];
            if ((err = figures_of(r, &p, &f)))
                return err;
            fprintf(out, "%-12s %-6s%7u%7u%7u%7u%7u", i ? "" : rules[rule].name,
                    p.homes ? "homes" : class_name(p.resolution_l), f.faults, f.found, f.right,
                    f.wrong, f.repeats);
            put_share(out, f.precision);
            put_share(out, f.recall);
            put_number(out, f.delay_median_d);
            put_number(out, f.delay_p90_d);
            put_number(out, f.onset_off_d);
            put_number(out, 100 * f.loss_off);
            fprintf(out, "   %.1f [%.1f, %.1f]\n", f.false_per_1000.value, f.false_per_1000.low,
                    f.false_per_1000.high);
        }
    }
    return ERR_OK;
}

/* ---- recall by kind of fault, for every rule that is right for it ---- */

enum err table_recall(const struct record *r, FILE *out)
{
    fprintf(out, "\n%-24s %-12s %-6s%7s%7s   %-19s%8s%8s%8s%8s\n", "fault", "rule", "pulse",
            "faults", "found", "recall", "days", "p90", "onset", "loss");
    for (int kind = 1; kind < FAULTS; kind++)
        for (unsigned rule = 0; rule < rule_count; rule++)
            for (size_t i = 0; i < CLASSES; i++) {
                struct pick p = { .rule = rule,
                                  .kinds = 1u << kind,
                                  .resolution_l = classes_l[i],
                                  .within_d = fault_about[kind].within_days };
                struct figures f;
                enum err err;

                if (!fault_has_flag(fault_about[kind].right, rules[rule].flag) ||
                    (!is_built(rule) && i))
                    continue;
                if ((err = figures_of(r, &p, &f)))
                    return err;
                fprintf(out, "%-24s %-12s %-6s%7u%7u", i ? "" : fault_about[kind].text,
                        i ? "" : rules[rule].name, class_name(classes_l[i]), f.faults, f.found);
                put_share(out, f.recall);
                put_number(out, f.delay_median_d);
                put_number(out, f.delay_p90_d);
                put_number(out, f.onset_off_d);
                put_number(out, 100 * f.loss_off);
                fprintf(out, "%s\n", is_built(rule) ? "" : "  not built");
            }
    return ERR_OK;
}

/* ---- precision against recall, by what the flag says of its own confidence ---- */

enum err table_curve(const struct record *r, FILE *out)
{
    static const unsigned least[] = { 0, 55, 60, 65, 70, 75, 80, 85, 90, 95 };

    fprintf(out, "\n%-12s %-12s%7s%7s   %-19s   %-19s\n", "rule", "confidence", "right", "false",
            "precision", "recall");
    for (unsigned rule = 0; rule < rule_count; rule++)
        for (size_t i = 0; rules[rule].detector && i < sizeof least / sizeof least[0]; i++) {
            struct figures f;
            enum err err =
                figures_of(r, &(struct pick){ .rule = rule, .confidence_least = least[i] }, &f);

            if (err)
                return err;
            fprintf(out, "%-12s >= %-9u%7u%7u", i ? "" : rules[rule].name, least[i], f.right,
                    f.wrong);
            put_share(out, f.precision);
            put_share(out, f.recall);
            fprintf(out, "\n");
        }
    return ERR_OK;
}

/* ---- the goals ---- */

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

static unsigned rule_of(const char *name)
{
    unsigned i = 0;

    while (i < rule_count && strcmp(rules[i].name, name) != 0)
        i++;
    return i;
}

static struct interval measured(const struct figures *f, enum measure m)
{
    struct interval delay = { f->delay_median_d, NAN, NAN }, onset = { f->onset_off_d, NAN, NAN };

    return m == PRECISION  ? f->precision
           : m == RECALL   ? f->recall
           : m == DELAY_D  ? delay
           : m == IN_BOUND ? wilson(f->in_bound, f->bound_asked)
                           : onset;
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
        put_number(out, i.value), fprintf(out, "%14s", "");
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
    struct figures f, plain = { 0 };
    enum err err;

    pick.rule = rule_of(g->flag);
    if ((err = figures_of(r, &pick, &f)))
        return err;
    if (g->plain) {
        plain_pick.rule = rule_of(g->plain);
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
                 !is_built(pick.rule)           ? "not built"
                 : goal < 0                     ? ""
                 : isnan(value.value)           ? "unknown"
                 : is_met(m, goal, value.value) ? "met"
                                                : "NOT met",
                 f.faults, beside);
    }
    return ERR_OK;
}

/* All detectors' false flags together: what a crew is sent for nothing. */
static void false_orders(const struct record *r, const char *base, bool json, FILE *out)
{
    unsigned count = 0, plain = 0;
    double years = 0;
    struct interval i;

    for (size_t n = 0; n < r->subject_count; n++)
        years += r->subjects[n].years;
    for (size_t n = 0; n < r->note_count; n++) {
        count += r->notes[n].outcome == NOTE_FALSE && rules[r->notes[n].rule].detector;
        plain += r->notes[n].outcome == NOTE_FALSE && rules[r->notes[n].rule].plain;
    }
    i = rate_of(count, years / 1000);
    put_goal(out, json, base, "false flags, all kinds", "a 1 000 meter-years", i, "<= 5",
             i.value <= 5 ? "met" : "NOT met", count, plain / years * 1000);
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

/* ---- where false flags come from ---- */

enum err table_false(const struct record *r, FILE *out)
{
    fprintf(out, "\nfalse flags by place, mishap and fault\n");
    for (unsigned rule = 0; rule < rule_count; rule++) {
        unsigned ways[WAYS] = { 0 }, mishaps[MISHAPS] = { 0 }, faults[FAULTS] = { 0 };

        if (!is_built(rule))
            continue;
        for (size_t i = 0; i < r->note_count; i++) {
            const struct subject *s = &r->subjects[r->notes[i].subject];

            if (r->notes[i].rule != rule || r->notes[i].outcome != NOTE_FALSE)
                continue;
            ways[s->way]++;
            faults[s->fault]++;
            for (int m = 0; m < MISHAPS; m++)
                mishaps[m] += s->mishaps >> m & 1;
        }
        fprintf(out, "%-12s", rules[rule].name);
        for (int w = 0; w < WAYS; w++)
            if (ways[w])
                fprintf(out, " %s %u;", way_name[w], ways[w]);
        for (int m = 0; m < MISHAPS; m++)
            if (mishaps[m])
                fprintf(out, " [%s] %u;", mishap_name[m], mishaps[m]);
        for (int k = 1; k < FAULTS; k++)
            if (faults[k])
                fprintf(out, " {%s} %u;", fault_about[k].text, faults[k]);
        fprintf(out, "\n");
    }
    return ERR_OK;
}

/* ---- lists ---- */

static const char *const note_name[] = { "found", "repeat", "explained", "false", "too" };

static void put_time(FILE *out, int64_t at_s)
{
    struct civil c = day_civil(at_s);

    fprintf(out, "%04d-%02u-%02uT%02u:%02uZ", c.year, c.month, c.day, c.hour, c.minute);
}

void list_truth(const struct record *r, FILE *out)
{
    fprintf(out, "life,way,dn,resolution_l,fault,onset,end,size,lost_lpd,would_lpd,used_lpd\n");
    for (size_t i = 0; i < r->subject_count; i++) {
        const struct subject *s = &r->subjects[i];

        if (s->fault == FAULT_NONE)
            continue;
        fprintf(out, "%u,%s,%d,%d,%s,", s->n, way_name[s->way], s->dn_mm, s->resolution_l,
                fault_about[s->fault].text);
        put_time(out, (int64_t)s->onset_s);
        fputc(',', out);
        put_time(out, (int64_t)s->end_s);
        fprintf(out, ",%.3f,%.1f,%.1f,%.1f\n", s->size, s->lost_lpd, s->would_lpd, s->used_lpd);
    }
}

static bool is_found(const struct record *r, size_t subject, unsigned rule)
{
    for (size_t i = 0; i < r->note_count; i++)
        if (r->notes[i].subject == subject && r->notes[i].rule == rule &&
            r->notes[i].outcome == NOTE_FOUND)
            return true;
    return false;
}

void list_notes(const struct record *r, FILE *out)
{
    fprintf(out,
            "life,way,dn,resolution_l,fault,size,rule,outcome,onset,raised,told_lph,confidence\n");
    for (size_t i = 0; i < r->note_count; i++) {
        const struct note *n = &r->notes[i];
        const struct subject *s = &r->subjects[n->subject];

        fprintf(out, "%u,%s,%d,%d,%s,%.3f,%s,%s,", s->n, way_name[s->way], s->dn_mm,
                s->resolution_l, fault_about[s->fault].text, s->size, rules[n->rule].name,
                note_name[n->outcome]);
        put_time(out, n->onset_s);
        fputc(',', out);
        put_time(out, n->raised_s);
        fprintf(out, ",%.2f,%u\n", n->told_lph, n->confidence_pct);
    }
    for (size_t i = 0; i < r->subject_count; i++) {
        const struct subject *s = &r->subjects[i];

        for (unsigned rule = 0; rule < rule_count; rule++)
            if (s->fault && rules[rule].detector && !(s->left_out & 1u << rule) &&
                fault_has_flag(fault_about[s->fault].right, rules[rule].flag) &&
                !is_found(r, i, rule)) {
                fprintf(out, "%u,%s,%d,%d,%s,%.3f,%s,missed,", s->n, way_name[s->way], s->dn_mm,
                        s->resolution_l, fault_about[s->fault].text, s->size, rules[rule].name);
                put_time(out, (int64_t)s->onset_s);
                fprintf(out, ",,,\n");
            }
    }
}
