/* What the ranking of replacements (replace.h), due dates by condition (condition.h) and the count of failures (quality.h) reckon with:
 * a data file with the source of each line (defaults/cn.table is built in), so that another country is another file.  Pure. */
#ifndef NILO_SERVER_FLEET_DEFAULTS_H
#define NILO_SERVER_FLEET_DEFAULTS_H

#include "proto/facts.h"

/* Kinds of failure; their order is that of the API's columns. */
enum failure_kind {
    FAILURE_STUCK,
    FAILURE_REVERSED,
    FAILURE_SLOW,
    FAILURE_LEAKING,
    FAILURE_BROKEN,
    FAILURE_BATTERY,
    FAILURE_INACCURATE,
    FAILURE_LOST,
    FAILURE_OTHER,
    FAILURE_KINDS
};
const char *failure_name(enum failure_kind k); /* "stuck" */

#define DEFAULTS_BYTES 65536 /* of a file */
#define DEFAULTS_CHANGES 32
#define DEFAULTS_ALARMS 16
#define DEFAULTS_WORDS 96
#define DEFAULTS_WORD_MAX 31
#define DEFAULTS_USES (USE_ZONE_OUTLET + 1)
#define DEFAULTS_WEARS 256 /* models that a utility has meters of */

/* Money is in thousandths of the currency. */
struct fleet_rules {
    char name[48], currency[12], currency_zh[12];
    int64_t water_m3[DEFAULTS_USES]; /* by enum use_class */
    unsigned changes;
    struct {
        int32_t dn_mm;
        int64_t money;
    } change[DEFAULTS_CHANGES]; /* by DN */
    int32_t discount_bp;        /* hundredths of a percent a year */
    int32_t loss_months_least, loss_months_most;
    int64_t overdue_once, overdue_month;
    int32_t overdue_months_most, horizon_days;
    int32_t throughput_h, throughput_days; /* hours at Q3; known for so many days */
    unsigned alarms;
    struct {
        uint32_t bit; /* enum frame_status */
        int32_t days;
    } alarm[DEFAULTS_ALARMS];
    int32_t confirmed_days, lab_days, fault_days;
    int32_t exchange_days;
    int64_t edit_alone_ml;                  /* what one person may change alone of a register (server/billing/edit.h): so much, */
    int32_t edit_percent, edit_span_days;   /* and so much of what was used in the days before */
    unsigned wears;
    struct {
        uint32_t model;    /* of fleet_model(); 0: of models without a row of their own */
        int32_t milli_pct; /* of what runs through, missed after WEAR_UNIT_H hours at Q3 (wear.h) */
    } wear[DEFAULTS_WEARS];
    unsigned flags, words;
    struct failure_word {
        char text[DEFAULTS_WORD_MAX + 1];
        enum failure_kind kind;
    } flag[DEFAULTS_WORDS], word[DEFAULTS_WORDS];
};

void fleet_rules_builtin(struct fleet_rules *out);
/* A file of that form. MALFORMED with the line, what was found and expected, also where a fact is missing or told twice; TOO_LARGE. `out` changes on
 * success only. */
MUST_CHECK enum err fleet_rules_read(struct fleet_rules *out, struct span text, struct refusal *r);

/* A person's price in place of the file's: item "water" of a use class, "change" of a DN, "edit" of "m3" or "percent", or "wear" of a model or "other" (percent by 400 hours at Q3, up to 50), which are no money. False: it is about something else, and changes nothing. */
bool fleet_rules_price(struct fleet_rules *rules, struct span item, struct span of, int64_t money);
uint32_t fleet_model(struct span model); /* a number for a model's name: of equal ones the same; 0: of none */
/* What meters of the model miss by 400 hours at Q3, in thousandths of a percent; 0: nobody told. */
int32_t fleet_wear(const struct fleet_rules *rules, struct span model);
int64_t fleet_change_cost(const struct fleet_rules *rules, int32_t dn_mm);

/* The kind that a text tells: of the first word of the table that it contains, capitals of ASCII do not matter. False: none. */
bool failure_of_text(const struct fleet_rules *rules, struct span text, enum failure_kind *out);
bool failure_of_flag(const struct fleet_rules *rules, const char *flag, enum failure_kind *out); /* a confirmed flag's */

#endif
