/* The table of defaults.  Its form is told by defaults/cn.table. */
#include "server/fleet/defaults.h"

#include "proto/base/crc.h"
#include "proto/base/text.h"
#include "server/fleet/lines.h"

extern const struct span defaults_cn; /* written by the build from defaults/cn.table */

#define MONEY_MOST INT64_C(1000000000000) /* a milliard, in thousandths */
#define DAYS_MOST 36500
#define LITRE_ML 1000 /* a thousandth of a m3 */
#define EDIT_PERCENT_MOST 1000
#define WORDS_OF_LINE 4

static const char *const failures[FAILURE_KINDS] = {
    [FAILURE_STUCK] = "stuck",
    [FAILURE_REVERSED] = "reversed",
    [FAILURE_SLOW] = "slow",
    [FAILURE_LEAKING] = "leaking",
    [FAILURE_BROKEN] = "broken",
    [FAILURE_BATTERY] = "battery",
    [FAILURE_INACCURATE] = "inaccurate",
    [FAILURE_LOST] = "lost",
    [FAILURE_OTHER] = "other",
};

static const char *const uses[DEFAULTS_USES] = {
    [USE_UNKNOWN] = "other",         [USE_RESIDENTIAL] = "residential",
    [USE_COMMERCIAL] = "commercial", [USE_INDUSTRIAL] = "industrial",
    [USE_PUBLIC] = "public",         [USE_HYDRANT] = "hydrant",
    [USE_ZONE_INLET] = "zone-inlet", [USE_ZONE_OUTLET] = "zone-outlet",
};

const char *failure_name(enum failure_kind k)
{
    return failures[k];
}

static bool failure_read(struct span name, enum failure_kind *out)
{
    for (unsigned i = 0; i < FAILURE_KINDS; i++)
        if (span_equal(name, span_text(failures[i]))) {
            *out = (enum failure_kind)i;
            return true;
        }
    return false;
}

/* ---- a line's words ---- */

struct reader {
    struct fleet_rules rules;
    struct lines l;
    struct span word[WORDS_OF_LINE];
    unsigned words;
    uint32_t told; /* a set of facts that may be told once, by place in `facts` */
    bool water[DEFAULTS_USES];
};

static enum err wrong(struct reader *f, struct span found, const char *expected)
{
    return lines_wrong(&f->l, ERR_MALFORMED, found, expected);
}

static struct span next_word(struct reader *f)
{
    return lines_word(&f->l);
}

/* The values of a fact, up to "from", and that there is something behind it. */
static enum err read_values(struct reader *f, unsigned wanted)
{
    struct span word;

    f->words = 0;
    while ((word = next_word(f)).len && !span_equal(word, span_text("from"))) {
        if (f->words == wanted)
            return wrong(f, word, "\"from\" and the source behind the last value");
        f->word[f->words++] = word;
    }
    if (f->words < wanted || !word.len)
        return wrong(f, word, f->words < wanted ? "another value" : "\"from\" and a source");
    word = next_word(f);
    return word.len ? ERR_OK : wrong(f, word, "a source behind \"from\"");
}

static enum err whole(struct reader *f, unsigned word, int32_t least, int32_t most, int32_t *out)
{
    int64_t n;

    if (text_int(f->word[word], &n) || n < least || n > most)
        return wrong(f, f->word[word], "a whole number in its range");
    *out = (int32_t)n;
    return ERR_OK;
}

static enum err money(struct reader *f, unsigned word, int64_t *out)
{
    int64_t n;

    if (text_decimal(f->word[word], 3, &n) || n < 0 || n > MONEY_MOST)
        return wrong(f, f->word[word], "an amount of money from 0");
    *out = n;
    return ERR_OK;
}

static enum err short_text(struct reader *f, struct span text, char *out, size_t size)
{
    if (!text.len || text.len >= size || !text_is_utf8(text))
        return wrong(f, text, "a text that fits");
    memcpy(out, text.at, text.len);
    out[text.len] = 0;
    return ERR_OK;
}

/* ---- facts ---- */

static enum err read_currency(struct reader *f)
{
    enum err err = short_text(f, f->word[0], f->rules.currency, sizeof f->rules.currency);

    return err ? err : short_text(f, f->word[1], f->rules.currency_zh, sizeof f->rules.currency_zh);
}

static enum err read_water(struct reader *f)
{
    for (unsigned i = 0; i < DEFAULTS_USES; i++) {
        if (!span_equal(f->word[0], span_text(uses[i])))
            continue;
        if (f->water[i])
            return wrong(f, f->word[0], "a use class once");
        f->water[i] = true;
        return money(f, 1, &f->rules.water_m3[i]);
    }
    return wrong(f, f->word[0], "a use class, or other");
}

static enum err read_change(struct reader *f)
{
    unsigned n = f->rules.changes;
    enum err err;

    if (n == DEFAULTS_CHANGES)
        return wrong(f, f->word[0], "fewer lines of changes");
    if ((err = whole(f, 0, 1, 5000, &f->rules.change[n].dn_mm)) ||
        (err = money(f, 1, &f->rules.change[n].money)))
        return err;
    if (n && f->rules.change[n - 1].dn_mm >= f->rules.change[n].dn_mm)
        return wrong(f, f->word[0], "a DN above that of the line before");
    f->rules.changes++;
    return ERR_OK;
}

static enum err read_discount(struct reader *f)
{
    int64_t n;

    if (text_decimal(f->word[0], 2, &n) || n < 0 || n > 10000)
        return wrong(f, f->word[0], "percent a year from 0 to 100");
    f->rules.discount_bp = (int32_t)n;
    return ERR_OK;
}

static enum err read_loss_months(struct reader *f)
{
    enum err err = whole(f, 0, 1, 1200, &f->rules.loss_months_least);

    return err ? err : whole(f, 1, f->rules.loss_months_least, 1200, &f->rules.loss_months_most);
}

static enum err read_overdue(struct reader *f)
{
    enum err err = money(f, 0, &f->rules.overdue_once);

    if (!err)
        err = money(f, 1, &f->rules.overdue_month);
    return err ? err : whole(f, 2, 0, 1200, &f->rules.overdue_months_most);
}

static enum err read_horizon(struct reader *f)
{
    return whole(f, 0, 0, 3650, &f->rules.horizon_days);
}

static enum err read_throughput(struct reader *f)
{
    enum err err = whole(f, 0, 1, 10000000, &f->rules.throughput_h);

    return err ? err : whole(f, 1, 1, DAYS_MOST, &f->rules.throughput_days);
}

static enum err read_alarm(struct reader *f)
{
    unsigned n = f->rules.alarms, bit = 0;

    while (status_name(bit) && !span_equal(f->word[0], span_text(status_name(bit))))
        bit++;
    if (!status_name(bit))
        return wrong(f, f->word[0], "a bit of the status, such as sensor_fault");
    if (n == DEFAULTS_ALARMS)
        return wrong(f, f->word[0], "fewer lines of alarms");
    f->rules.alarm[n].bit = UINT32_C(1) << bit;
    f->rules.alarms++;
    return whole(f, 1, 0, DAYS_MOST, &f->rules.alarm[n].days);
}

static enum err read_confirmed(struct reader *f)
{
    return whole(f, 0, 0, DAYS_MOST, &f->rules.confirmed_days);
}

static enum err read_lab(struct reader *f)
{
    return whole(f, 0, 0, DAYS_MOST, &f->rules.lab_days);
}

static enum err read_fault(struct reader *f)
{
    return whole(f, 0, 0, DAYS_MOST, &f->rules.fault_days);
}

static enum err read_exchange(struct reader *f)
{
    return whole(f, 0, 7, 180, &f->rules.exchange_days);
}

static enum err read_failure(struct reader *f, struct failure_word *table, unsigned *count)
{
    struct failure_word *w = &table[*count];

    if (*count == DEFAULTS_WORDS)
        return wrong(f, f->word[0], "fewer lines of this fact");
    if (!failure_read(f->word[1], &w->kind))
        return wrong(f, f->word[1], "a kind of failure");
    ++*count;
    return short_text(f, f->word[0], w->text, sizeof w->text);
}

static enum err read_flag(struct reader *f)
{
    return read_failure(f, f->rules.flag, &f->rules.flags);
}

static enum err read_one_word(struct reader *f)
{
    return read_failure(f, f->rules.word, &f->rules.words);
}

static enum err read_edit(struct reader *f)
{
    int64_t thousandths;
    enum err err = money(f, 0, &thousandths);

    if (!err)
        err = whole(f, 1, 0, EDIT_PERCENT_MOST, &f->rules.edit_percent);
    if (!err)
        err = whole(f, 2, 1, 366, &f->rules.edit_span_days);
    if (!err)
        f->rules.edit_alone_ml = thousandths * LITRE_ML;
    return err;
}

static const struct fact {
    const char *name;
    unsigned values;
    bool once; /* told once, and it must be; else any number of times */
    enum err (*read)(struct reader *f);
} facts[] = {
    { "currency", 2, true, read_currency },
    { "discount", 1, true, read_discount },
    { "loss-months", 2, true, read_loss_months },
    { "overdue", 3, true, read_overdue },
    { "horizon", 1, true, read_horizon },
    { "throughput", 2, true, read_throughput },
    { "confirmed", 1, true, read_confirmed },
    { "lab", 1, true, read_lab },
    { "fault", 1, true, read_fault },
    { "exchange", 1, true, read_exchange },
    { "edit", 3, true, read_edit },
    { "water", 2, false, read_water },
    { "change", 2, false, read_change },
    { "alarm", 2, false, read_alarm },
    { "flag", 2, false, read_flag },
    { "word", 2, false, read_one_word },
};
#define FACTS (sizeof facts / sizeof facts[0])

static enum err read_name(struct reader *f)
{
    return short_text(f, lines_left(&f->l), f->rules.name, sizeof f->rules.name);
}

static enum err read_line(void *arg)
{
    struct reader *f = (struct reader *)arg;
    struct span word = next_word(f);
    enum err err;

    if (!word.len || word.at[0] == '#')
        return ERR_OK;
    if (span_equal(word, span_text("name")))
        return read_name(f);
    for (unsigned i = 0; i < FACTS; i++) {
        if (!span_equal(word, span_text(facts[i].name)))
            continue;
        if (facts[i].once && (f->told >> i & 1))
            return wrong(f, word, "this fact once");
        f->told |= UINT32_C(1) << i;
        err = read_values(f, facts[i].values);
        return err ? err : facts[i].read(f);
    }
    return wrong(f, word, "the name of a fact, or # and a remark");
}

static enum err whole_table(struct reader *f)
{
    if (!f->rules.name[0])
        return wrong(f, span_text("the end"), "a name before it");
    for (unsigned i = 0; i < FACTS; i++)
        if ((facts[i].once || facts[i].read == read_change) && !(f->told >> i & 1))
            return wrong(f, span_text("the end"), facts[i].name);
    if (!f->water[USE_UNKNOWN])
        return wrong(f, span_text("the end"), "water other");
    for (unsigned i = 0; i < DEFAULTS_USES; i++)
        if (!f->water[i])
            f->rules.water_m3[i] = f->rules.water_m3[USE_UNKNOWN];
    return ERR_OK;
}

enum err fleet_rules_read(struct fleet_rules *out, struct span text, struct refusal *r)
{
    struct reader f = { .l = { .r = r } };
    enum err err = lines_each(&f.l, text, DEFAULTS_BYTES, r, read_line, &f);

    if (!err)
        err = whole_table(&f);
    if (!err)
        *out = f.rules;
    return err;
}

void fleet_rules_builtin(struct fleet_rules *out)
{
    struct refusal r;

    if (fleet_rules_read(out, defaults_cn, &r))
        memset(out, 0, sizeof *out); /* a test reads it */
}

/* ---- asking it ---- */

/* Whose money is no money: m3 and percent in thousandths. */
static bool edit_limit(struct fleet_rules *rules, struct span of, int64_t amount)
{
    if (span_equal(of, span_text("m3")) && amount >= 0 && amount <= MONEY_MOST) {
        rules->edit_alone_ml = amount * LITRE_ML;
        return true;
    }
    if (!span_equal(of, span_text("percent")) || amount < 0 ||
        amount > EDIT_PERCENT_MOST * 1000ll || amount % 1000)
        return false;
    rules->edit_percent = (int32_t)(amount / 1000);
    return true;
}

uint32_t fleet_model(struct span model)
{
    uint32_t n = model.len ? crc32c(0, model.at, model.len) : 0;

    return model.len && !n ? 1 : n;
}

#define WEAR_MOST 50000 /* half: more is no wear */

static bool wear_row(struct fleet_rules *rules, struct span of, int64_t amount)
{
    uint32_t model = span_equal(of, span_text("other")) ? 0 : fleet_model(of);
    unsigned n = 0;

    while (n < rules->wears && rules->wear[n].model != model)
        n++;
    if (amount < 0 || amount > WEAR_MOST || n == DEFAULTS_WEARS)
        return false;
    if (n == rules->wears)
        rules->wear[rules->wears++].model = model;
    rules->wear[n].milli_pct = (int32_t)amount;
    return true;
}

int32_t fleet_wear(const struct fleet_rules *rules, struct span model)
{
    uint32_t number = fleet_model(model);
    int32_t other = 0;

    for (unsigned n = 0; n < rules->wears; n++) {
        if (rules->wear[n].model == number && number)
            return rules->wear[n].milli_pct;
        if (!rules->wear[n].model)
            other = rules->wear[n].milli_pct;
    }
    return other;
}

bool fleet_rules_price(struct fleet_rules *rules, struct span item, struct span of, int64_t amount)
{
    int64_t dn;
    unsigned n = 0;

    if (amount < 0)
        return false;
    if (span_equal(item, span_text("water"))) {
        for (unsigned i = 0; i < DEFAULTS_USES; i++)
            if (span_equal(of, span_text(uses[i]))) {
                rules->water_m3[i] = amount;
                return true;
            }
        return false;
    }
    if (span_equal(item, span_text("edit")))
        return edit_limit(rules, of, amount);
    if (span_equal(item, span_text("wear")))
        return wear_row(rules, of, amount);
    if (!span_equal(item, span_text("change")) || text_int(of, &dn) || dn < 1 || dn > 5000)
        return false;
    while (n < rules->changes && rules->change[n].dn_mm < dn)
        n++;
    if (n == rules->changes || rules->change[n].dn_mm != dn) {
        if (rules->changes == DEFAULTS_CHANGES)
            return false;
        memmove(rules->change + n + 1, rules->change + n,
                (rules->changes - n) * sizeof rules->change[0]);
        rules->changes++;
        rules->change[n].dn_mm = (int32_t)dn;
    }
    rules->change[n].money = amount;
    return true;
}

int64_t fleet_change_cost(const struct fleet_rules *rules, int32_t dn_mm)
{
    for (unsigned i = 0; i < rules->changes; i++)
        if (dn_mm <= rules->change[i].dn_mm)
            return rules->change[i].money;
    return rules->changes ? rules->change[rules->changes - 1].money : 0;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool contains(struct span text, const char *word)
{
    size_t len = strlen(word), same;

    for (size_t from = 0; from + len <= text.len; from++) {
        for (same = 0; same < len; same++)
            if (lower(text.at[from + same]) != lower((uint8_t)word[same]))
                break;
        if (same == len)
            return true;
    }
    return false;
}

bool failure_of_text(const struct fleet_rules *rules, struct span text, enum failure_kind *out)
{
    for (unsigned i = 0; i < rules->words; i++)
        if (contains(text, rules->word[i].text)) {
            *out = rules->word[i].kind;
            return true;
        }
    return false;
}

bool failure_of_flag(const struct fleet_rules *rules, const char *flag, enum failure_kind *out)
{
    for (unsigned i = 0; i < rules->flags; i++)
        if (strcmp(flag, rules->flag[i].text) == 0) {
            *out = rules->flag[i].kind;
            return true;
        }
    return false;
}
