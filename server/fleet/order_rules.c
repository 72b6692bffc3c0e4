/* The table of orders by rule.  Its form is told by orders/default.rules. */
#include "server/fleet/order_rules.h"

#include "proto/base/text.h"
#include "server/fleet/lines.h"

#include <stdio.h>
#include <string.h>

extern const struct span order_rules_default; /* written by the build from orders/default.rules */

#define DAYS_MOST 3650
#define MINUTES_MOST 1440
#define AGAIN_DAYS 30

static const char *const severities[] = { "low", "medium", "high", "urgent" };
static const char *const finds[] = { [FIND_FLAG] = "flag",
                                     [FIND_DUE] = "due",
                                     [FIND_OVERDUE] = "overdue",
                                     [FIND_UNVERIFIED] = "never-verified",
                                     [FIND_NO_READING] = "no-reading",
                                     [FIND_VISIT] = "visit" };
#define FINDS (sizeof finds / sizeof finds[0])

/* What a rule's lines told so far. */
enum { TOLD_FIND = 1, TOLD_MAKE = 2, TOLD_AGAIN = 4, TOLD_AUTO = 8, TOLD_EN = 16, TOLD_ZH = 32 };
#define TOLD_NEEDED (TOLD_FIND | TOLD_MAKE | TOLD_EN | TOLD_ZH)

struct reader {
    struct lines l;
    struct order_rules rules;
    struct order_rule *rule; /* at hand; NULL: none yet */
    unsigned told;
};

static enum err wrong(struct reader *f, struct span found, const char *expected)
{
    return lines_wrong(&f->l, ERR_MALFORMED, found, expected);
}

/* ---- parts of a line ---- */

static bool is(struct span word, const char *text)
{
    return span_equal(word, span_text(text));
}

static enum err line_ends(struct reader *f)
{
    struct span word = lines_word(&f->l);

    return !word.len || word.at[0] == '#' ? ERR_OK : wrong(f, word, "the end of the line");
}

static enum err read_text(struct reader *f, char *out, size_t size, const char *expected)
{
    struct span text = lines_left(&f->l);

    if (!text.len || text.len >= size || !text_is_utf8(text))
        return wrong(f, text, expected);
    memcpy(out, text.at, text.len);
    out[text.len] = 0;
    return ERR_OK;
}

static bool is_name(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!(s.at[i] >= 'a' && s.at[i] <= 'z') && !(s.at[i] >= '0' && s.at[i] <= '9') &&
            s.at[i] != '-')
            return false;
    return s.len && s.len < ORDER_RULE_NAME;
}

static enum err read_name(struct reader *f, char out[ORDER_RULE_NAME])
{
    struct span word = lines_word(&f->l);

    if (!is_name(word))
        return wrong(f, word, "a name of 1 to 31 small letters, digits and -");
    memcpy(out, word.at, word.len);
    out[word.len] = 0;
    return ERR_OK;
}

static enum err read_count(struct reader *f, int64_t least, int64_t most, int64_t *out)
{
    struct span word = lines_word(&f->l);
    int64_t n;

    if (text_int(word, &n) || n < least || n > most)
        return wrong(f, word, "a whole number in its range");
    *out = n;
    return ERR_OK;
}

static enum err read_days(struct reader *f, int32_t least, int32_t *out)
{
    int64_t n = 0;
    enum err err = read_count(f, least, DAYS_MOST, &n);

    if (!err)
        *out = (int32_t)n;
    return err;
}

static enum err tell_once(struct reader *f, unsigned what, const char *name)
{
    if (!f->rule)
        return wrong(f, span_text(name), "a rule before it");
    if (f->told & what)
        return wrong(f, span_text(name), "it once in a rule");
    f->told |= what;
    return ERR_OK;
}

/* ---- find ---- */

static enum err read_severity(struct reader *f)
{
    struct span word = lines_word(&f->l);

    for (unsigned i = 0; i < sizeof severities / sizeof severities[0]; i++)
        if (is(word, severities[i])) {
            f->rule->severity_least = i + 1;
            return ERR_OK;
        }
    return wrong(f, word, "low, medium, high or urgent");
}

static enum err read_state(struct reader *f)
{
    struct span word = lines_word(&f->l);

    f->rule->confirmed = is(word, "confirmed");
    return f->rule->confirmed || is(word, "open") ? ERR_OK : wrong(f, word, "open or confirmed");
}

static enum err read_regime(struct reader *f)
{
    struct span word = lines_word(&f->l);

    f->rule->of_regime = true;
    f->rule->regime = is(word, "periodic") ? REGIME_PERIODIC : REGIME_LIMITED;
    return is(word, "periodic") || is(word, "limited") ? ERR_OK
                                                       : wrong(f, word, "limited or periodic");
}

static enum err read_confidence(struct reader *f)
{
    int64_t n = 0;
    enum err err = read_count(f, 0, 100, &n);

    if (!err)
        f->rule->confidence_least = (unsigned)n;
    return err;
}

/* What may stand behind it, in any order. */
static enum err read_narrower(struct reader *f)
{
    bool of_flag = f->rule->find == FIND_FLAG;
    bool of_date = f->rule->find == FIND_DUE || f->rule->find == FIND_OVERDUE;
    struct span word;
    enum err err = ERR_OK;

    while (!err && (word = lines_word(&f->l)).len && word.at[0] != '#') {
        if (of_flag && is(word, "severity"))
            err = read_severity(f);
        else if (of_flag && is(word, "confidence"))
            err = read_confidence(f);
        else if (of_flag && is(word, "state"))
            err = read_state(f);
        else if (of_date && is(word, "regime"))
            err = read_regime(f);
        else
            err = wrong(f, word,
                        of_flag   ? "severity, confidence, state or the end of the line"
                        : of_date ? "regime or the end of the line"
                                  : "the end of the line");
    }
    return err;
}

static enum err read_find(struct reader *f)
{
    struct span word;
    unsigned i = 0;
    enum err err = tell_once(f, TOLD_FIND, "find");

    if (err)
        return err;
    word = lines_word(&f->l);
    while (i < FINDS && !is(word, finds[i]))
        i++;
    if (i == FINDS)
        return wrong(f, word, "flag, due, overdue, never-verified, no-reading or visit");
    f->rule->find = (enum rule_find)i;
    f->rule->severity_least = 1;
    if (i == FIND_FLAG)
        err = read_name(f, f->rule->flag);
    else if (i == FIND_DUE)
        err = read_days(f, 0, &f->rule->days);
    else if (i == FIND_NO_READING)
        err = read_days(f, 1, &f->rule->days);
    return err ? err : read_narrower(f);
}

/* ---- the other lines of a rule ---- */

static enum err read_make(struct reader *f)
{
    struct span word;
    enum err err = tell_once(f, TOLD_MAKE, "make");

    if (err)
        return err;
    word = lines_word(&f->l);
    if (!order_kind_read(word, &f->rule->kind))
        return wrong(f, word, "a kind of order, such as inspect");
    word = lines_word(&f->l);
    if (!order_priority_read(word, &f->rule->priority))
        return wrong(f, word, "urgent, high, normal or low");
    return line_ends(f);
}

static enum err read_again(struct reader *f)
{
    enum err err = tell_once(f, TOLD_AGAIN, "again");

    if (!err)
        err = read_days(f, 0, &f->rule->again_days);
    return err ? err : line_ends(f);
}

static enum err read_auto(struct reader *f)
{
    struct span word;
    enum err err = tell_once(f, TOLD_AUTO, "auto");

    if (err)
        return err;
    word = lines_word(&f->l);
    f->rule->automatic = is(word, "yes");
    return f->rule->automatic || is(word, "no") ? line_ends(f) : wrong(f, word, "yes or no");
}

static enum err read_why(struct reader *f, bool zh)
{
    enum err err = tell_once(f, zh ? TOLD_ZH : TOLD_EN, zh ? "zh" : "en");

    return err ? err
               : read_text(f, zh ? f->rule->zh : f->rule->en, ORDER_RULE_TEXT,
                           "a sentence of 1 to 159 bytes");
}

static enum err read_en(struct reader *f)
{
    return read_why(f, false);
}

static enum err read_zh(struct reader *f)
{
    return read_why(f, true);
}

static enum err rule_is_whole(struct reader *f)
{
    static const struct {
        unsigned told;
        const char *name;
    } needed[] = {
        { TOLD_FIND, "find" }, { TOLD_MAKE, "make" }, { TOLD_EN, "en" }, { TOLD_ZH, "zh" }
    };

    for (size_t i = 0; f->rule && i < sizeof needed / sizeof needed[0]; i++)
        if (!(f->told & needed[i].told))
            return wrong(f, span_text("the end of a rule"), needed[i].name);
    return ERR_OK;
}

static enum err read_rule(struct reader *f)
{
    enum err err = rule_is_whole(f);
    struct order_rule rule = { .again_days = AGAIN_DAYS };

    if (!err)
        err = read_name(f, rule.name);
    if (err)
        return err;
    if (order_rule_named(&f->rules, span_text(rule.name)))
        return wrong(f, span_text(rule.name), "a name that no other rule has");
    if (f->rules.count == ORDER_RULES_MAX)
        return lines_wrong(&f->l, ERR_TOO_LARGE, span_text(rule.name), "at most 64 rules");
    f->rule = &f->rules.at[f->rules.count++];
    *f->rule = rule;
    f->told = 0;
    return line_ends(f);
}

/* ---- lines of the file ---- */

static enum err read_file_name(struct reader *f)
{
    return f->rules.name[0]
               ? wrong(f, span_text("name"), "it once")
               : read_text(f, f->rules.name, sizeof f->rules.name, "a name of 1 to 47 bytes");
}

static enum err read_source(struct reader *f)
{
    return f->rules.source[0] ? wrong(f, span_text("source"), "it once")
                              : read_text(f, f->rules.source, sizeof f->rules.source,
                                          "where the rules are from, in 1 to 159 bytes");
}

static enum err read_minutes(struct reader *f)
{
    struct span word = lines_word(&f->l);
    enum order_kind k;
    int64_t n = 0;
    enum err err;

    if (!order_kind_read(word, &k))
        return wrong(f, word, "a kind of order, such as inspect");
    if (f->rules.minutes[k])
        return wrong(f, word, "each kind once");
    if ((err = read_count(f, 1, MINUTES_MOST, &n)))
        return err;
    f->rules.minutes[k] = (uint32_t)n;
    return line_ends(f);
}

static const struct {
    const char *name;
    enum err (*read)(struct reader *f);
} words[] = {
    { "name", read_file_name }, { "source", read_source }, { "minutes", read_minutes },
    { "rule", read_rule },      { "find", read_find },     { "make", read_make },
    { "again", read_again },    { "auto", read_auto },     { "en", read_en },
    { "zh", read_zh },
};

static enum err read_line(void *arg)
{
    struct reader *f = (struct reader *)arg;
    struct span word = lines_word(&f->l);

    if (!word.len || word.at[0] == '#')
        return ERR_OK;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (is(word, words[i].name))
            return words[i].read(f);
    return wrong(f, word,
                 "name, source, minutes, rule, find, make, again, auto, en, zh or a remark");
}

static enum err whole_table(struct reader *f)
{
    enum err err = rule_is_whole(f);

    if (!err && (!f->rules.name[0] || !f->rules.source[0]))
        err = wrong(f, span_text("the end"), "a name and a source before it");
    for (unsigned k = 0; k < ORDER_KINDS && !err; k++)
        if (!f->rules.minutes[k])
            err = wrong(f, span_text("the end"), "the minutes of every kind before it");
    return err;
}

enum err order_rules_read(struct order_rules *out, struct span text, struct refusal *r)
{
    struct reader f = { .l = { .r = r } };
    enum err err = lines_each(&f.l, text, ORDER_RULES_BYTES, r, read_line, &f);

    if (!err)
        err = whole_table(&f);
    if (!err)
        *out = f.rules;
    return err;
}

void order_rules_builtin(struct order_rules *out)
{
    struct refusal r;

    if (order_rules_read(out, order_rules_default, &r))
        memset(out, 0, sizeof *out); /* a test reads it: no rule then */
}

/* ---- asking it ---- */

const struct order_rule *order_rule_named(const struct order_rules *rules, struct span name)
{
    for (unsigned i = 0; i < rules->count; i++)
        if (span_equal(name, span_text(rules->at[i].name)))
            return &rules->at[i];
    return NULL;
}

void order_rule_say(const struct order_rule *rule, char *out, size_t size)
{
    int len = snprintf(out, size, "%s", finds[rule->find]);
    struct wr w = wr_of(out + len, size - (size_t)len - 1);

    if (rule->find == FIND_FLAG)
        wr_format(&w, " %s", rule->flag);
    if (rule->find == FIND_DUE || rule->find == FIND_NO_READING)
        wr_format(&w, " %d", rule->days);
    if (rule->severity_least > 1)
        wr_format(&w, " severity %s", severities[rule->severity_least - 1]);
    if (rule->confidence_least)
        wr_format(&w, " confidence %u", rule->confidence_least);
    if (rule->confirmed)
        wr_text(&w, " state confirmed");
    if (rule->of_regime)
        wr_format(&w, " regime %s", regime_name(rule->regime));
    *w.at = 0;
}
