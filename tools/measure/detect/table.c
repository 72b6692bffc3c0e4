#include "tools/measure/detect/bench.h"

#include <string.h>

static const int32_t classes_l[] = { 0, 1, 10, 100 };
#define CLASSES (sizeof classes_l / sizeof classes_l[0])

static void put_share(FILE *out, struct interval i)
{
    if (isnan(i.value))
        fprintf(out, "%22s", "-");
    else
        fprintf(out, "   %.3f [%.3f, %.3f]", i.value, i.low, i.high);
}

void print_number(FILE *out, double v)
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

/* ---- each rule, each class of resolution apart ---- */

enum err table_rules(const struct record *r, FILE *out)
{
    fprintf(out, "%-12s %-6s%7s%7s%7s%7s%7s   %-19s   %-19s%8s%8s%8s%8s   %s\n", "rule", "pulse",
            "faults", "found", "right", "false", "again", "precision", "recall", "days", "p90",
            "onset", "loss", "false per 1 000 meter-years");
    for (unsigned rule = 0; rule < rule_count; rule++) {
        if (!rule_is_built(rule)) {
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
            print_number(out, f.delay_median_d);
            print_number(out, f.delay_p90_d);
            print_number(out, f.onset_off_d);
            print_number(out, 100 * f.loss_off);
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
                    (!rule_is_built(rule) && i))
                    continue;
                if ((err = figures_of(r, &p, &f)))
                    return err;
                fprintf(out, "%-24s %-12s %-6s%7u%7u", i ? "" : fault_about[kind].text,
                        i ? "" : rules[rule].name, class_name(classes_l[i]), f.faults, f.found);
                put_share(out, f.recall);
                print_number(out, f.delay_median_d);
                print_number(out, f.delay_p90_d);
                print_number(out, f.onset_off_d);
                print_number(out, 100 * f.loss_off);
                fprintf(out, "%s\n", rule_is_built(rule) ? "" : "  not built");
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

/* ---- what a register leaves of water that flowed back ---- */

enum err table_registers(const struct record *r, FILE *out)
{
    static const struct {
        enum register_form form;
        const char *text;
    } forms[] = { { REGISTER_BOTH, "two registers" }, { REGISTER_NET, "one that runs both ways" } };
    unsigned rule = rule_named("backflow");

    if (!rule_is_built(rule))
        return ERR_OK;
    fprintf(out, "\nbackflow by register\n%-24s %-6s%7s%7s%7s   %-19s   %-19s\n", "", "pulse",
            "faults", "found", "false", "precision", "recall");
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++)
        for (size_t i = 0; i < CLASSES; i++) {
            struct pick p = { .rule = rule,
                              .form = 1 + (unsigned)forms[f].form,
                              .resolution_l = classes_l[i] };
            struct figures x;
            enum err err = figures_of(r, &p, &x);

            if (err)
                return err;
            fprintf(out, "%-24s %-6s%7u%7u%7u", i ? "" : forms[f].text, class_name(classes_l[i]),
                    x.faults, x.found, x.wrong);
            put_share(out, x.precision);
            put_share(out, x.recall);
            fprintf(out, "\n");
        }
    return ERR_OK;
}

/* ---- where false flags come from ---- */

enum err table_false(const struct record *r, FILE *out)
{
    fprintf(out, "\nfalse flags by place, mishap and fault\n");
    for (unsigned rule = 0; rule < rule_count; rule++) {
        unsigned ways[WAYS] = { 0 }, mishaps[MISHAPS] = { 0 }, faults[FAULTS] = { 0 };

        if (!rule_is_built(rule))
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

static void put_subject(FILE *out, const struct subject *s)
{
    static const char *const forms[] = {
        [REGISTER_FORWARD] = "forward", [REGISTER_NET] = "net", [REGISTER_BOTH] = "both"
    };

    fprintf(out, "%u,%s,%d,%d,%s,%s", s->n, way_name[s->way], s->dn_mm, s->resolution_l,
            forms[s->form], fault_about[s->fault].text);
}

void list_truth(const struct record *r, FILE *out)
{
    fprintf(out,
            "life,way,dn,resolution_l,register,fault,onset,end,size,lost_lpd,would_lpd,used_lpd\n");
    for (size_t i = 0; i < r->subject_count; i++) {
        const struct subject *s = &r->subjects[i];

        if (s->fault == FAULT_NONE)
            continue;
        put_subject(out, s);
        fprintf(out, ",");
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
    fprintf(out, "life,way,dn,resolution_l,register,fault,size,rule,outcome,onset,raised,told_lph,"
                 "confidence\n");
    for (size_t i = 0; i < r->note_count; i++) {
        const struct note *n = &r->notes[i];
        const struct subject *s = &r->subjects[n->subject];

        put_subject(out, s);
        fprintf(out, ",%.3f,%s,%s,", s->size, rules[n->rule].name, note_name[n->outcome]);
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
                put_subject(out, s);
                fprintf(out, ",%.3f,%s,missed,", s->size, rules[rule].name);
                put_time(out, (int64_t)s->onset_s);
                fprintf(out, ",,,\n");
            }
    }
}
