/* Tables of orders by rule: the one that is built in, and others, well formed or not. */
#include "server/fleet/order_rules.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD                                                                                       \
    "name n\nsource s\nminutes replace 1\nminutes inspect 2\nminutes verify 3\nminutes repair 4\n" \
    "minutes read 5\n"
#define RULE "rule r\nfind overdue\nmake verify high\nen E\nzh Z\n"

static enum err read(struct order_rules *out, const char *text, struct refusal *r)
{
    return order_rules_read(out, span_text(text), r);
}

static void the_built_in_table_names_its_source_and_makes_nothing_unasked(void **state)
{
    struct order_rules *rules = calloc(1, sizeof *rules);

    (void)state;
    order_rules_builtin(rules);
    assert_true(rules->count >= 10);
    assert_non_null(strstr(rules->source, "planning figures"));
    for (unsigned i = 0; i < rules->count; i++) {
        assert_false(rules->at[i].automatic);
        assert_true(rules->at[i].en[0] && rules->at[i].zh[0]);
        assert_ptr_equal(&rules->at[i], order_rule_named(rules, span_text(rules->at[i].name)));
    }
    for (unsigned k = 0; k < ORDER_KINDS; k++)
        assert_true(rules->minutes[k] > 0);
    assert_null(order_rule_named(rules, span_text("stuck")));
    assert_null(order_rule_named(rules, span_text("")));
    free(rules);
}

static void a_table_is_read_line_by_line(void **state)
{
    static const char text[] =
        "\xef\xbb\xbf# remark\r\n" HEAD
        "rule a-1 # remark\n  find flag leak severity high confidence 80 "
        "state open # so\nmake inspect urgent\nagain 0\nauto yes\nen Look\nzh 看看 吧\n"
        "rule b\nfind due 60 regime periodic\nmake verify low\nen E\nzh Z\n"
        "rule c\nfind no-reading 7\nmake read normal\nen E\nzh Z\nauto no\n"
        "rule d\nfind flag stuck state confirmed\nmake replace normal\nen E\nzh Z\n"
        "rule e\nzh Z\nen E\nmake inspect low\nfind never-verified";
    struct order_rules *rules = calloc(1, sizeof *rules);
    const struct order_rule *at = rules->at;
    struct refusal r = { 0 };
    char said[100];

    (void)state;
    if (read(rules, text, &r))
        fail_msg("%s", r.text);
    assert_int_equal(5, rules->count);
    assert_int_equal(3, rules->minutes[ORDER_VERIFY]);
    assert_string_equal("a-1", at[0].name);
    assert_int_equal(FIND_FLAG, at[0].find);
    assert_string_equal("leak", at[0].flag);
    assert_int_equal(3, at[0].severity_least);
    assert_int_equal(80, at[0].confidence_least);
    assert_int_equal(ORDER_INSPECT, at[0].kind);
    assert_int_equal(PRIORITY_URGENT, at[0].priority);
    assert_int_equal(0, at[0].again_days);
    assert_true(at[0].automatic && !at[0].confirmed && !at[0].of_regime);
    assert_string_equal("看看 吧", at[0].zh);
    assert_int_equal(FIND_DUE, at[1].find);
    assert_int_equal(60, at[1].days);
    assert_true(at[1].of_regime && at[1].regime == REGIME_PERIODIC && !at[1].automatic);
    assert_int_equal(30, at[1].again_days);
    assert_int_equal(FIND_NO_READING, at[2].find);
    assert_true(at[3].confirmed);
    assert_int_equal(FIND_UNVERIFIED, at[4].find);
    order_rule_say(&at[0], said, sizeof said);
    assert_string_equal("flag leak severity high confidence 80", said);
    order_rule_say(&at[1], said, sizeof said);
    assert_string_equal("due 60 regime periodic", said);
    order_rule_say(&at[3], said, sizeof said);
    assert_string_equal("flag stuck state confirmed", said);
    order_rule_say(&at[4], said, sizeof said);
    assert_string_equal("never-verified", said);
    free(rules);
}

static void a_wrong_table_is_refused_with_line_found_and_expected(void **state)
{
    static const struct {
        const char *text, *says;
    } wrong[] = {
        { "", "line 1: found \"the end\", expected a name and a source" },
        { "name n\n", "line 2: found \"the end\", expected a name and a source" },
        { "name n\nsource s\n", "line 3: found \"the end\", expected the minutes" },
        { HEAD "name x\n", "line 8: found \"name\", expected it once" },
        { HEAD "source x\n", "line 8: found \"source\", expected it once" },
        { HEAD "minutes read 5\n", "line 8: found \"read\", expected each kind once" },
        { "minutes dig 5\n", "line 1: found \"dig\", expected a kind" },
        { "minutes read 0\n", "line 1: found \"0\", expected a whole number" },
        { "minutes read 1441\n", "line 1: found \"1441\", expected a whole number" },
        { "minutes read 5 x\n", "line 1: found \"x\", expected the end" },
        { "bogus\n", "line 1: found \"bogus\", expected name, source" },
        { "\x01\n", "line 1: found \"?\", expected name, source" },
        { "find overdue\n", "line 1: found \"find\", expected a rule before it" },
        { "rule\n", "line 1: found nothing more, expected a name" },
        { "rule A\n", "line 1: found \"A\", expected a name" },
        { "rule a b\n", "line 1: found \"b\", expected the end" },
        { HEAD RULE RULE, "line 13: found \"r\", expected a name that no other" },
        { HEAD "rule r\nfind overdue\nfind overdue\n",
          "line 10: found \"find\", expected it once" },
        { HEAD "rule r\nfind rain\n", "line 9: found \"rain\", expected flag, due" },
        { HEAD "rule r\nfind\n", "line 9: found nothing more, expected flag, due" },
        { HEAD "rule r\nfind flag\n", "line 9: found nothing more, expected a name" },
        { HEAD "rule r\nfind due\n", "line 9: found nothing more, expected a whole" },
        { HEAD "rule r\nfind due -1\n", "line 9: found \"-1\", expected a whole" },
        { HEAD "rule r\nfind no-reading 0\n", "line 9: found \"0\", expected a whole" },
        { HEAD "rule r\nfind due 9999999999999999999\n", "line 9: found \"9999999999999999999\"" },
        { HEAD "rule r\nfind overdue severity high\n",
          "line 9: found \"severity\", expected regime" },
        { HEAD "rule r\nfind flag stuck regime limited\n",
          "line 9: found \"regime\", expected severity" },
        { HEAD "rule r\nfind flag stuck severity dire\n", "line 9: found \"dire\", expected low" },
        { HEAD "rule r\nfind flag stuck confidence 101\n",
          "line 9: found \"101\", expected a whole" },
        { HEAD "rule r\nfind never-verified 3\n", "line 9: found \"3\", expected the end" },
        { HEAD "rule r\nmake dig high\n", "line 9: found \"dig\", expected a kind" },
        { HEAD "rule r\nmake read soon\n", "line 9: found \"soon\", expected urgent" },
        { HEAD "rule r\nauto maybe\n", "line 9: found \"maybe\", expected yes or no" },
        { HEAD "rule r\nagain x\n", "line 9: found \"x\", expected a whole" },
        { HEAD "rule r\nen\n", "line 9: found nothing more, expected a sentence" },
        { HEAD "rule r\nen \xff\n", "line 9: found \"?\", expected a sentence" },
        { HEAD "rule r\nfind overdue\nmake verify high\nen E\n",
          "line 12: found \"the end of a rule\", expected zh" },
        { HEAD "rule r\nfind overdue\nzh Z\nen E\nrule s\n",
          "line 12: found \"the end of a rule\", expected make" },
    };
    struct order_rules *rules = calloc(1, sizeof *rules);

    (void)state;
    rules->count = 77;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct refusal r = { 0 };

        assert_err(ERR_MALFORMED, read(rules, wrong[i].text, &r));
        if (strncmp(r.text, wrong[i].says, strlen(wrong[i].says)) != 0)
            fail_msg("case %zu: expected %s, found %s", i, wrong[i].says, r.text);
        assert_int_equal(77, rules->count);
    }
    free(rules);
}

static void a_table_without_end_is_refused(void **state)
{
    struct order_rules *rules = calloc(1, sizeof *rules);
    char *text = calloc(1, ORDER_RULES_BYTES + 2), *at = text;
    struct refusal r = { 0 };

    (void)state;
    memset(text, '#', ORDER_RULES_BYTES + 1);
    assert_err(ERR_TOO_LARGE, order_rules_read(rules, span_of(text, ORDER_RULES_BYTES + 1), &r));
    at += sprintf(at, "%s", HEAD);
    for (unsigned i = 0; i <= ORDER_RULES_MAX; i++)
        at += sprintf(at, "rule r%u\nfind overdue\nmake verify high\nen E\nzh Z\n", i);
    assert_err(ERR_TOO_LARGE, order_rules_read(rules, span_of(text, (size_t)(at - text)), &r));
    assert_non_null(strstr(r.text, "r64"));
    free(text);
    free(rules);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_built_in_table_names_its_source_and_makes_nothing_unasked),
        cmocka_unit_test(a_table_is_read_line_by_line),
        cmocka_unit_test(a_wrong_table_is_refused_with_line_found_and_expected),
        cmocka_unit_test(a_table_without_end_is_refused),
    };

    return check_run(tests, argc, argv);
}
