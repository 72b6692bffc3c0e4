/* The verification calendar.  The form of a table is told by verification/cn-jjg162.rules. */
#include "server/fleet/verify.h"

#include "proto/base/text.h"
#include "server/fleet/lines.h"

extern const struct span
    verification_cn_jjg162; /* written by the build from verification/cn-jjg162.rules */

#define MONTHS_MOST 1200          /* a century: dates stay dates */
#define DN_MOST 100000            /* mm */
#define Q3_MOST 1000000000        /* L/h */
#define LAST_DAY INT64_C(2932896) /* 9999-12-31: text has no later one */

static const char *const regimes[] = {
    [REGIME_LIMITED] = "limited", [REGIME_PERIODIC] = "periodic"
};
static const char *const bases[] = { [DUE_UNKNOWN] = "unknown",
                                     [DUE_RULE] = "rule",
                                     [DUE_OVERRIDE] = "override",
                                     [DUE_CERTIFICATE] = "certificate" };

const char *regime_name(enum regime r)
{
    return regimes[r];
}

const char *due_basis_name(enum due_basis b)
{
    return bases[b];
}

/* ---- a table as text ---- */

struct reader {
    struct verify_rules rules;
    struct lines l;
    bool closed; /* a rule without bounds was there */
};

static struct span next_word(struct reader *f)
{
    return lines_word(&f->l);
}

static enum err malformed(struct reader *f, struct span found, const char *expected)
{
    return lines_wrong(&f->l, ERR_MALFORMED, found, expected);
}

static enum err read_text(struct reader *f, char *out, size_t size, const char *expected)
{
    struct span text = lines_left(&f->l);

    if (out[0])
        return malformed(f, text, "name and source once each");
    if (!text.len || text.len >= size || !text_is_utf8(text))
        return malformed(f, text, expected);
    memcpy(out, text.at, text.len);
    out[text.len] = 0;
    return ERR_OK;
}

static bool read_number(struct span word, unsigned places, int64_t most, int64_t *out)
{
    int64_t n;

    if (!word.len || word.at[0] == '-' || text_decimal(word, places, &n) || n < 1 || n > most)
        return false;
    *out = n;
    return true;
}

static enum err read_period(struct reader *f, struct verify_rule *rule)
{
    struct span count = next_word(f), unit;
    int64_t n;
    bool years;

    if (!read_number(count, 0, MONTHS_MOST, &n))
        return malformed(f, count, "a whole number of years or months");
    unit = next_word(f);
    years = span_equal(unit, span_text("years")) || span_equal(unit, span_text("year"));
    if (!years && !span_equal(unit, span_text("months")) && !span_equal(unit, span_text("month")))
        return malformed(f, unit, "years or months");
    if (years)
        n *= 12;
    if (n > MONTHS_MOST)
        return malformed(f, count, "a century at most");
    rule->months = (int32_t)n;
    return ERR_OK;
}

/* dn <= 25: what is bound is known, the side and the number follow. */
static enum err read_bound(struct reader *f, bool is_dn, struct verify_rule *rule)
{
    struct span side = next_word(f), number;
    bool above = span_equal(side, span_text(">"));
    int64_t n;

    if (!above && !span_equal(side, span_text("<=")))
        return malformed(f, side, "<= or >");
    number = next_word(f);
    if (!read_number(number, is_dn ? 0 : 3, is_dn ? DN_MOST : Q3_MOST, &n))
        return malformed(f, number,
                         is_dn ? "a DN in whole millimetres"
                               : "a Q3 in m3/h with up to three decimals");
    if (above ? (is_dn ? rule->dn_above_mm != 0 : rule->q3_above_lph != 0)
              : (is_dn ? rule->dn_to_mm != INT32_MAX : rule->q3_to_lph != INT64_MAX))
        return malformed(f, number, "one bound a side");
    if (is_dn)
        *(above ? &rule->dn_above_mm : &rule->dn_to_mm) = (int32_t)n;
    else
        *(above ? &rule->q3_above_lph : &rule->q3_to_lph) = n;
    if (rule->dn_above_mm >= rule->dn_to_mm || rule->q3_above_lph >= rule->q3_to_lph)
        return malformed(f, number, "bounds with something between them");
    return ERR_OK;
}

static bool takes_all(const struct verify_rule *rule)
{
    return rule->dn_above_mm == 0 && rule->dn_to_mm == INT32_MAX && rule->q3_above_lph == 0 &&
           rule->q3_to_lph == INT64_MAX;
}

static enum err read_rule(struct reader *f, enum regime regime)
{
    struct verify_rule rule = { .dn_to_mm = INT32_MAX, .q3_to_lph = INT64_MAX, .regime = regime };
    struct span word;
    enum err err;

    if (f->closed)
        return malformed(f, span_text(regime_name(regime)),
                         "no rule behind one without bounds: it takes all meters");
    if (f->rules.count == VERIFY_RULES_MAX)
        return lines_wrong(&f->l, ERR_TOO_LARGE, span_text(regime_name(regime)),
                           "at most 32 rules");
    if ((err = read_period(f, &rule)))
        return err;
    while ((word = next_word(f)).len && word.at[0] != '#') {
        bool is_dn = span_equal(word, span_text("dn"));

        if (!is_dn && !span_equal(word, span_text("q3")))
            return malformed(f, word, "dn, q3 or the end of the line");
        if ((err = read_bound(f, is_dn, &rule)))
            return err;
    }
    f->closed = takes_all(&rule);
    f->rules.at[f->rules.count++] = rule;
    return ERR_OK;
}

static enum err read_line(void *arg)
{
    struct reader *f = (struct reader *)arg;
    struct span word = next_word(f);

    if (!word.len || word.at[0] == '#')
        return ERR_OK;
    if (span_equal(word, span_text("name")))
        return read_text(f, f->rules.name, sizeof f->rules.name, "a name of 1 to 31 bytes");
    if (span_equal(word, span_text("source")))
        return read_text(f, f->rules.source, sizeof f->rules.source,
                         "where the rules are from, in 1 to 159 bytes");
    for (unsigned i = 0; i < sizeof regimes / sizeof regimes[0]; i++) {
        if (span_equal(word, span_text(regimes[i])))
            return read_rule(f, (enum regime)i);
    }
    return malformed(f, word, "name, source, limited, periodic or # and a remark");
}

static enum err whole_table(struct reader *f)
{
    if (!f->rules.name[0] || !f->rules.source[0])
        return malformed(f, span_text("the end"), "a name and a source before it");
    if (!f->closed)
        return malformed(f, span_text("the end"), "a rule without bounds before it");
    return ERR_OK;
}

enum err verify_rules_read(struct verify_rules *out, struct span text, struct refusal *r)
{
    struct reader f = { .l = { .r = r } };
    enum err err = lines_each(&f.l, text, VERIFY_RULES_BYTES, r, read_line, &f);

    if (!err)
        err = whole_table(&f);
    if (!err)
        *out = f.rules;
    return err;
}

void verify_rules_builtin(struct verify_rules *out)
{
    struct refusal r;

    if (verify_rules_read(out, verification_cn_jjg162, &r))
        memset(out, 0,
               sizeof *out); /* a test reads it: whatever is asked, the answer is unknown then */
}

/* FNV-1a over what the rules say; how the table is called changes no date. */
static uint32_t mixed(uint32_t h, int64_t v)
{
    for (unsigned i = 0; i < 64; i += 8)
        h = (h ^ (uint8_t)((uint64_t)v >> i)) * UINT32_C(16777619);
    return h;
}

uint32_t verify_rules_hash(const struct verify_rules *rules)
{
    uint32_t h = UINT32_C(2166136261);

    for (uint32_t i = 0; i < rules->count; i++) {
        const struct verify_rule *rule = &rules->at[i];

        h = mixed(mixed(h, rule->dn_above_mm), rule->dn_to_mm);
        h = mixed(mixed(h, rule->q3_above_lph), rule->q3_to_lph);
        h = mixed(mixed(h, (int64_t)rule->regime), rule->months);
    }
    return h;
}

/* ---- dates ---- */

int32_t day_months_later(int32_t day, int32_t months)
{
    struct civil c = day_civil((int64_t)day * 86400);
    int64_t month = (int64_t)c.year * 12 + c.month - 1 + months, later;
    int64_t year = month >= 0 ? month / 12 : -((11 - month) / 12);
    unsigned in_year = (unsigned)(month - year * 12) + 1, length;

    if (year > 9999)
        return (int32_t)LAST_DAY;
    length = day_month_length((int32_t)year, in_year);
    later = day_number((int32_t)year, in_year, c.day < length ? c.day : length);
    return (int32_t)(later < LAST_DAY ? later : LAST_DAY);
}

static const struct verify_rule *rule_of(const struct verify_meter *m)
{
    for (uint32_t i = 0; i < m->rules->count; i++) {
        const struct verify_rule *rule = &m->rules->at[i];

        if (m->dn_mm > rule->dn_above_mm && m->dn_mm <= rule->dn_to_mm &&
            m->q3_lph > rule->q3_above_lph && m->q3_lph <= rule->q3_to_lph)
            return rule;
    }
    return m->rules->count ? &m->rules->at[m->rules->count - 1] : NULL;
}

static void earlier(struct legal *out, int32_t day, enum due_basis basis)
{
    if (day >= out->due)
        return;
    out->due = day;
    out->basis = basis;
}

void legal_of(const struct verify_meter *m, int32_t first, int32_t first_until, int32_t latest,
              int32_t latest_until, struct legal *out)
{
    const struct verify_rule *rule = rule_of(m);
    bool shorter = rule && m->life_months > 0 && m->life_months < rule->months;
    int32_t begin, until;

    *out = (struct legal){
        .regime = REGIME_PERIODIC, .first_verified_on = first, .verified_on = latest, .due = NO_DAY
    };
    if (!rule)
        return;
    out->regime = rule->regime;
    out->rule_years = rule->months / 12;
    if (m->life_months > rule->months)
        out->warnings |= LEGAL_OVERRIDE_IGNORED;
    begin = rule->regime == REGIME_LIMITED ? first : latest;
    until = rule->regime == REGIME_LIMITED ? first_until : latest_until;
    if (begin == NO_DAY)
        return;
    out->due = day_months_later(begin, rule->months);
    out->basis = DUE_RULE;
    if (until != NO_DAY && until > out->due)
        out->warnings |= LEGAL_CERTIFICATE_IGNORED;
    if (shorter)
        earlier(out, day_months_later(begin, m->life_months), DUE_OVERRIDE);
    if (until != NO_DAY)
        earlier(out, until, DUE_CERTIFICATE);
}
