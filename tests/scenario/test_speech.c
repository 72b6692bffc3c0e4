/* What every kind of flag owes to who gets it: lives with a fault each are judged by the real detectors, and all that these say is held against one table.
 *
 *   evidence    two numbers at least, each with a name that is known where flags are read back; times lie within the life
 *   texts       a sentence in English and one in Chinese, whole, with a number or a date in it
 *   loss        low ≤ loss ≤ high, and none below 0
 *   severity, confidence    said, and within their ranges
 *   onset       not after it was raised
 *   one case    between two that are raised the first has ended
 *
 * What follows from no life of one meter is held against the same by tests of its own: swapped, silent and outage (tests/e2e/test_houses.sh, test_outages.sh), overdue (test_overdue_list.sh),
 * out-of-step (test_out_of_step.sh); that flags rest while nothing is to be expected of a meter: tests/unit/rules/test_pauses.c, tests/e2e/test_said.sh, test_dry_zone.sh, test_standstill.sh. */
#include "tests/check.h"

#include "tools/measure/detect/bench.h"

#include <stdlib.h>
#include <string.h>

#ifndef LIVES
#define LIVES 160
#endif

static struct zone zone;
static struct holidays holidays;

struct heard {
    unsigned said[DETECT_RULES], wrong;
    bool open[DETECT_RULES];
    int64_t onset_s[DETECT_RULES];
};

static bool has_digit(const char *text)
{
    return strpbrk(text, "0123456789") != NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), tail = strlen(end);

    return len > tail && strcmp(text + len - tail, end) == 0;
}

static const char *wrong_with_texts(const struct trial *l, const struct detector *d,
                                    const struct verdict *v)
{
    struct judge_place place = { .meter = &l->meter,
                                 .point = &l->point,
                                 .fitting = &l->fittings[0],
                                 .zone = &zone,
                                 .holidays = &holidays };
    char en[512], zh[512]; /* FLAG_TEXT_SIZE of server/judge.h */
    struct wr w_en = wr_of(en, sizeof en - 1), w_zh = wr_of(zh, sizeof zh - 1);

    d->explain(v, &place, &w_en, &w_zh);
    if (w_en.err || w_zh.err)
        return "a text does not fit";
    *w_en.at = *w_zh.at = 0;
    if (!ends_with(en, ".") || en[0] < 'A' || en[0] > 'Z' || !has_digit(en) || strstr(en, "  "))
        return "the English text";
    if (!ends_with(zh, "。") || !has_digit(zh) || (uint8_t)zh[0] < 0xe3)
        return "the Chinese text";
    return NULL;
}

static const char *wrong_with_evidence(const struct trial *l, const struct verdict *v)
{
    if (v->evidence_count < 2)
        return "it has no evidence";
    for (unsigned i = 0; i < v->evidence_count; i++) {
        const struct evidence *e = &v->evidence[i];

        if (!evidence_name(span_text(e->name)))
            return e->name;
        if (e->form == EVIDENCE_TIME && strcmp(e->name, "empty_at") != 0 &&
            ((double)e->value < l->from_s - 86400 || (double)e->value > l->to_s + 86400))
            return e->name;
    }
    return NULL;
}

static const char *wrong_with(const struct trial *l, const struct detector *d,
                              const struct verdict *v)
{
    const char *why = wrong_with_evidence(l, v);

    if (v->severity < SEVERITY_LOW || v->severity > SEVERITY_URGENT)
        return "severity";
    if (v->confidence_pct < 1 || v->confidence_pct > 100)
        return "confidence";
    if (v->lost_mlpd < 0 || v->lost_low_mlpd > v->lost_mlpd || v->lost_high_mlpd < v->lost_mlpd)
        return "loss";
    if (v->raised_s && v->onset_s > v->raised_s)
        return "onset";
    return why ? why : wrong_with_texts(l, d, v);
}

static void hear(void *arg, const struct trial *l, const struct detector *d,
                 const struct verdict *v)
{
    struct heard *h = (struct heard *)arg;
    int rule = detect_rule_named(span_text(d->flag));
    const char *why;

    assert_true(rule >= 0);
    if (d == &detector_out_of_step) /* the trial makes it up of what dials say */
        return;
    if (!v->open) {
        h->open[rule] = false;
        return;
    }
    h->said[rule]++;
    if (h->open[rule] && v->raised_s && v->onset_s != h->onset_s[rule]) {
        print_message("life %u: a second %s while one is open\n", l->n, d->flag);
        h->wrong++;
    }
    h->open[rule] = true;
    h->onset_s[rule] = v->onset_s;
    if ((why = wrong_with(l, d, v))) {
        print_message("life %u: %s: %s\n", l->n, d->flag, why);
        h->wrong++;
    }
}

static void each_kind_says_what_it_rests_on_in_both_languages(void **state)
{
    static const enum detect_rule kinds[] = {
        DETECT_STUCK, DETECT_LEAK,    DETECT_BURST, DETECT_REVERSED, DETECT_BACKFLOW,
        DETECT_SLOW,  DETECT_UNMOVED, DETECT_CLOCK, DETECT_BATTERY,  DETECT_TAMPER,
    };
    struct trial_options o = { .seed = 11,
                               .days = 480,
                               .from_day = day_number(2024, 3, 1),
                               .zone = &zone,
                               .faulty = 1,
                               .mishaps_given = true };
    struct trial *l = (struct trial *)calloc(1, sizeof *l);
    struct told_list *told = (struct told_list *)calloc(1, sizeof *told);
    struct heard h = { .wrong = 0 };

    (void)state;
    assert_true(l && told);
    verdict_hearer = (struct verdict_hearer){ hear, &h };
    for (uint32_t n = 0; n < LIVES; n++) {
        memset(h.open, 0, sizeof h.open);
        assert_ok(trial_live(&o, n, l));
        assert_ok(run_rules(l, &zone, &holidays, told));
    }
    verdict_hearer = (struct verdict_hearer){ NULL, NULL };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!h.said[kinds[i]])
            print_message("no life showed %s\n", detect_rule_name(kinds[i]));
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        assert_true(h.said[kinds[i]] > 0);
    assert_int_equal(h.wrong, 0);
    trial_done(l);
    free(told);
    free(l);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_says_what_it_rests_on_in_both_languages),
    };

    zone_fixed(&zone, "Asia/Shanghai", 8 * 3600);
    holidays_builtin(&holidays);
    rules_make();
    return check_run(tests, argc, argv);
}
