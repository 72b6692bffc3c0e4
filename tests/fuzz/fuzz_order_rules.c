/* A table of orders by rule: whatever the bytes, one that is read has only whole rules, each found by its name; a refusal says the line and changes nothing. */
#include "server/fleet/order_rules.h"

#include <stdlib.h>
#include <string.h>

static void must(bool what)
{
    if (!what)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct order_rules rules;
    struct refusal r = { 0 };
    char said[ORDER_RULE_TEXT];

    rules.count = UINT32_MAX;
    if (order_rules_read(&rules, span_of(data, size), &r)) {
        must(rules.count == UINT32_MAX && r.err && strncmp(r.text, "line ", 5) == 0);
        return 0;
    }
    must(rules.count <= ORDER_RULES_MAX && rules.name[0] && rules.source[0]);
    for (unsigned k = 0; k < ORDER_KINDS; k++)
        must(rules.minutes[k] > 0);
    for (unsigned i = 0; i < rules.count; i++) {
        const struct order_rule *rule = &rules.at[i];

        must(rule->en[0] && rule->zh[0] && rule->kind < ORDER_KINDS);
        must(order_rule_named(&rules, span_text(rule->name)) == rule);
        order_rule_say(rule, said, sizeof said);
        must(said[0] != 0);
    }
    return 0;
}
