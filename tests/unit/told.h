/* Checks and what they rested on, as tests of what keeps them make and compare them.  For this folder and its neighbours. */
#ifndef NILO_TESTS_TOLD_H
#define NILO_TESTS_TOLD_H

#include "server/billing/rules.h"
#include "tests/check.h"

static inline void make_told(struct check_random *r, struct check_told told[CHECK_COUNT])
{
    for (int i = 0; i < CHECK_COUNT; i++) {
        struct check_told *t = &told[i];

        *t = (struct check_told){ .version = (uint32_t)check_random(r),
                                  .parameters = (uint8_t)(check_random(r) % (RULE_FIGURES + 1)),
                                  .inputs = (uint8_t)(check_random(r) % (RULE_FIGURES + 1)) };
        for (int k = 0; k < t->parameters; k++)
            t->value[k] = (int64_t)check_random(r) >> (check_random(r) % 64);
        for (int k = 0; k < t->inputs; k++)
            t->input[k] = (int64_t)check_random(r) >> (check_random(r) % 64);
    }
}

static inline bool is_same_told(const struct check_told *a, const struct check_told *b)
{
    return a->version == b->version && a->parameters == b->parameters && a->inputs == b->inputs &&
           memcmp(a->value, b->value, sizeof a->value) == 0 &&
           memcmp(a->input, b->input, sizeof a->input) == 0;
}

static inline bool are_same_told(unsigned of, const struct check_told *a, const struct check_told *b)
{
    for (int i = 0; i < CHECK_COUNT; i++)
        if (of & 1u << i && !is_same_told(&a[i], &b[i]))
            return false;
    return true;
}

#endif
