#include "server/fleet/replace.h"

#include "proto/base/text.h"

#include <math.h>

#define DAYS_A_MONTH 30.4375 /* of a date */

static double discount(const struct fleet_rules *rules, double months)
{
    return pow(1 + rules->discount_bp / 120000.0, -months);
}

static double worth(const struct fleet_rules *rules, double money, int32_t months)
{
    double rate = rules->discount_bp / 120000.0;

    return rate > 0 ? money * (1 - discount(rules, months)) / rate : money * months;
}

static int32_t loss_months(const struct fleet_rules *rules, const struct replace_facts *f)
{
    double left;

    if (f->legal_due == NO_DAY || f->legal_due < f->today)
        return rules->loss_months_most;
    left = ceil(((double)f->legal_due - f->today) / DAYS_A_MONTH);
    if (left > rules->loss_months_most)
        return rules->loss_months_most;
    return left < rules->loss_months_least ? rules->loss_months_least : (int32_t)left;
}

/* What the law says for it: see the header. */
static double legal_worth(const struct fleet_rules *rules, const struct replace_facts *f,
                          double cost)
{
    double days = (double)f->legal_due - f->today, months;

    if (f->legal_due == NO_DAY || days > rules->horizon_days)
        return 0;
    if (days >= 0)
        return cost * discount(rules, days / DAYS_A_MONTH);
    months = -days / DAYS_A_MONTH;
    if (months > rules->overdue_months_most)
        months = rules->overdue_months_most;
    return cost + (double)rules->overdue_once + (double)rules->overdue_month * months;
}

static int32_t payback(double money_month, int64_t cost)
{
    double tenths = money_month > 0 ? ceil((double)cost * 10 / money_month) : -1;

    return tenths > INT32_MAX ? -1 : (int32_t)tenths;
}

void replace_reckon(const struct fleet_rules *rules, const struct replace_facts *f,
                    struct replace_figures *out)
{
    double price = (double)rules->water_m3[f->use];
    double money = (double)f->lost_mlpd * REPLACE_MONTH_DAYS / 1e6 * price / 1000; /* currency */
    double sure = money * 1000 * f->confidence_pct / 100;

    *out = (struct replace_figures){ .cost = fleet_change_cost(rules, f->dn_mm),
                                     .months = loss_months(rules, f) };
    out->money_month = llround(money * 1000);
    out->payback_tenths = payback(sure, out->cost);
    out->days_over = f->legal_due == NO_DAY ? 0 : f->today - f->legal_due;
    out->benefit = llround(worth(rules, sure, out->months) +
                           legal_worth(rules, f, (double)out->cost) - (double)out->cost);
}

int replace_order(const struct replace_rank *a, const struct replace_rank *b)
{
    if (a->benefit != b->benefit)
        return a->benefit > b->benefit ? -1 : 1;
    if (a->lost_mlpd != b->lost_mlpd)
        return a->lost_mlpd > b->lost_mlpd ? -1 : 1;
    if (a->legal_due != b->legal_due) /* NO_DAY is the least number, and the last date */
        return (uint32_t)a->legal_due - 1u - (uint32_t)NO_DAY <
                       (uint32_t)b->legal_due - 1u - (uint32_t)NO_DAY
                   ? -1
                   : 1;
    return (a->meter > b->meter) - (a->meter < b->meter);
}

/* ---- in words ---- */

bool replace_is_legal(const struct fleet_rules *rules, const struct replace_facts *f)
{
    return f->legal_due != NO_DAY && (int64_t)f->legal_due - f->today <= rules->horizon_days;
}

bool replace_is_worn(const struct fleet_rules *rules, const struct replace_facts *f)
{
    return f->condition_due != NO_DAY &&
           (int64_t)f->condition_due - f->today <= rules->horizon_days;
}

void replace_say_legal(const struct replace_facts *f, const struct replace_figures *x,
                       struct wr *en, struct wr *zh)
{
    char day[11];

    text_put_date(day, f->legal_due);
    if (x->days_over > 0) {
        wr_format(en, "legal until %s, %d days over", day, (int)x->days_over);
        wr_format(zh, "检定有效期至 %s，已超期 %d 天", day, (int)x->days_over);
    } else {
        wr_format(en, "legal until %s, %d days left", day, (int)-x->days_over);
        wr_format(zh, "检定有效期至 %s，剩余 %d 天", day, (int)-x->days_over);
    }
}

void replace_say_condition(const struct condition *c, struct wr *en, struct wr *zh)
{
    char day[11];

    text_put_date(day, c->due);
    wr_format(en, "by its condition due %s: ", day);
    wr_format(zh, "按状态应于 %s 更换：", day);
    condition_say(c, en, zh);
}

/* Thousandths as people say money: two decimals, or none. */
static void say_money(struct wr *w, int64_t money)
{
    int64_t cents = (money + (money < 0 ? -5 : 5)) / 10;
    long long whole = (long long)(cents / 100), rest = (long long)(cents % 100);

    if (rest)
        wr_format(w, "%s%lld.%02lld", cents < 0 && !whole ? "-" : "", whole,
                  rest < 0 ? -rest : rest);
    else
        wr_format(w, "%lld", whole);
}

void replace_say_loss(const struct fleet_rules *rules, const struct replace_facts *f,
                      const struct replace_figures *x, struct wr *en, struct wr *zh)
{
    double m3 = (double)f->lost_mlpd * REPLACE_MONTH_DAYS / 1e6;

    wr_format(en, "%.1f m³/month ≈ ", m3);
    say_money(en, x->money_month);
    wr_format(en, " %s/month (%u %% sure)", rules->currency, f->confidence_pct);
    wr_format(zh, "每月 %.1f m³ ≈ ", m3);
    say_money(zh, x->money_month);
    wr_format(zh, " %s，把握 %u%%", rules->currency_zh, f->confidence_pct);
}

void replace_say_cost(const struct fleet_rules *rules, const struct replace_figures *x,
                      struct wr *en, struct wr *zh)
{
    wr_text(en, "a change costs ");
    say_money(en, x->cost);
    wr_format(en, " %s", rules->currency);
    wr_text(zh, "换表费用 ");
    say_money(zh, x->cost);
    wr_format(zh, " %s", rules->currency_zh);
    if (x->payback_tenths < 0)
        return;
    wr_format(en, ", pays back in %d.%d months", (int)(x->payback_tenths / 10),
              (int)(x->payback_tenths % 10));
    wr_format(zh, "，%d.%d 个月收回", (int)(x->payback_tenths / 10), (int)(x->payback_tenths % 10));
}
