/* Orders by rule: what makes an order of which kind, as a data file (orders/default.rules is built in and tells its form), so that another utility's habits are another file.  Pure. */
#ifndef NILO_SERVER_FLEET_ORDER_RULES_H
#define NILO_SERVER_FLEET_ORDER_RULES_H

#include "server/fleet/order.h"
#include "server/fleet/verify.h"

#define ORDER_RULES_BYTES 65536 /* of a file */
#define ORDER_RULES_MAX 64
#define ORDER_RULE_NAME 32
#define ORDER_RULE_TEXT 160

enum rule_find {
    FIND_FLAG,
    FIND_DUE,        /* legal due date within `days`, not over */
    FIND_OVERDUE,    /* legal due date over */
    FIND_UNVERIFIED, /* fitted, and nothing tells a verification */
    FIND_NO_READING, /* fitted, and no reading for `days` */
    FIND_VISIT       /* somebody has to read the dial (server/visits.h) */
};

struct order_rule {
    char name[ORDER_RULE_NAME];
    enum rule_find find;
    char flag[ORDER_RULE_NAME];            /* of FIND_FLAG: its kind */
    bool confirmed;                        /* flags that a person confirmed, instead of open ones */
    unsigned severity_least;               /* 1 low to 4 urgent */
    unsigned confidence_least;             /* percent */
    int32_t days;
    bool of_regime;                        /* only meters of `regime` */
    enum regime regime;
    enum order_kind kind;
    enum order_priority priority;
    int32_t again_days;                    /* not so many days after such an order of the meter was closed */
    bool automatic;                        /* made by the server after judging; else when somebody asks */
    char en[ORDER_RULE_TEXT], zh[ORDER_RULE_TEXT]; /* why, for the crew */
};

struct order_rules {
    char name[48], source[ORDER_RULE_TEXT];
    uint32_t minutes[ORDER_KINDS]; /* that the work takes at its place */
    unsigned count;
    struct order_rule at[ORDER_RULES_MAX];
};

void order_rules_builtin(struct order_rules *out);
/* MALFORMED with the line, what was found and expected, also where a fact is missing or told twice; TOO_LARGE. `out` changes on success only. */
MUST_CHECK enum err order_rules_read(struct order_rules *out, struct span text, struct refusal *r);

const struct order_rule *order_rule_named(const struct order_rules *rules, struct span name); /* NULL: there is none */
/* What it finds, as its line says: "flag stuck severity medium"; room for ORDER_RULE_TEXT bytes. */
void order_rule_say(const struct order_rule *rule, char *out, size_t size);

#endif
