/* GET /v1/order-rules: the table of orders by rule, as the server has it. */
#include "proto/base/rd.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#define PAGE 1000

static void put(struct listing *l, const struct order_rule *rule, unsigned place)
{
    const struct order_rules *rules = &l->app->order_rules;
    uint8_t cursor[4];
    struct wr w = wr_of(cursor, sizeof cursor);
    char find[ORDER_RULE_TEXT];

    wr_be32(&w, place + 1);
    order_rule_say(rule, find, sizeof find);
    row_begin(l);
    row_word(l, "rule", rule->name);
    row_word(l, "find", find);
    row_word(l, "kind", order_kind_name(rule->kind));
    row_word(l, "priority", order_priority_name(rule->priority));
    row_int(l, "again_days", rule->again_days);
    row_bool(l, "auto", rule->automatic);
    row_word(l, "text_en", rule->en);
    row_word(l, "text_zh", rule->zh);
    row_word(l, "table", rules->name);
    row_word(l, "source", rules->source);
    row_end(l, wr_span(&w));
}

static void fill(struct listing *l)
{
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    unsigned place = l->cursor_len ? rd_be32(&r) : 0;

    for (; place < l->app->order_rules.count && !listing_full(l); place++)
        put(l, &l->app->order_rules.at[place], place);
    l->ended = place >= l->app->order_rules.count;
}

static const char *const columns[] = { "rule",       "find",   "kind",    "priority",
                                       "again_days", "auto",   "text_en", "text_zh",
                                       "table",      "source", NULL };

void answer_order_rules(struct request *q)
{
    listing_new(q, columns, fill, NULL, NULL, PAGE);
}
