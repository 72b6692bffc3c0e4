/* A verification table: whatever the bytes, one that is read has a rule for every meter and a date for every verification; a
 * refusal says the line and changes nothing. */
#include "server/fleet/verify.h"

#include <stdlib.h>
#include <string.h>

static void must(bool what)
{
    if (!what)
        abort();
}

static void check_meter(const struct verify_rules *rules, int32_t dn_mm, int64_t q3_lph)
{
    struct verify_meter m = { .rules = rules,
                              .dn_mm = dn_mm,
                              .q3_lph = q3_lph,
                              .life_months = 7,
                              .row_verified_on = NO_DAY };
    struct legal legal;

    legal_of(&m, 18000, NO_DAY, 19000, 19001, &legal);
    must(legal.due > 18000 && legal.basis != DUE_UNKNOWN && legal.rule_years <= 100);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct verify_rules rules;
    struct refusal r = { 0 };

    rules.count = UINT32_MAX;
    if (verify_rules_read(&rules, span_of(data, size), &r)) {
        must(rules.count == UINT32_MAX && r.err && strncmp(r.text, "line ", 5) == 0);
        return 0;
    }
    must(rules.count && rules.count <= VERIFY_RULES_MAX && rules.name[0] && rules.source[0]);
    for (int32_t dn = 1; dn <= 512; dn *= 2)
        check_meter(&rules, dn, (int64_t)dn * 100);
    check_meter(&rules, INT32_MAX, INT64_MAX);
    return 0;
}
