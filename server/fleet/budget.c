#include "server/fleet/budget.h"

#include <math.h>
#include <stdlib.h>

void budget_add(struct budget_sum *sum, const struct budget_line *line)
{
    sum->changes++;
    sum->over += line->duty == DUTY_OVER;
    sum->soon += line->duty == DUTY_SOON;
    sum->cost += line->cost;
    sum->benefit += line->benefit;
    sum->money_month += line->money_month;
    sum->lost_mlpd += line->lost_mlpd;
}

size_t budget_step(size_t before)
{
    size_t step = 100;

    while (step <= before) {
        /* 1 → 2 → 5 → 10 */
        size_t digit = step;

        while (digit >= 10)
            digit /= 10;
        step = digit == 2 ? step / 2 * 5 : step * 2;
    }
    return step;
}

static int density_order(const void *a, const void *b)
{
    const struct budget_place *x = (const struct budget_place *)a;
    const struct budget_place *y = (const struct budget_place *)b;

    if (x->taken != y->taken)
        return x->taken ? -1 : 1;
    if (x->density != y->density)
        return x->density > y->density ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* What the money takes comes to the front; both parts stay in their order. */
static size_t take_by_money(const struct budget_line *lines, struct budget_place *order,
                            size_t count, int64_t money)
{
    size_t taken = 0;

    for (size_t i = 0; i < count; i++) {
        int64_t cost = lines[order[i].place].cost;

        order[i].taken = cost <= money;
        if (!order[i].taken)
            continue;
        money -= cost;
        taken++;
    }
    if (count)
        qsort(order, count, sizeof *order, density_order);
    return taken;
}

size_t budget_choose(const struct budget_line *lines, size_t count,
                     const struct budget_limit *limit, struct budget_place *order,
                     size_t *out_taken)
{
    size_t pay = 0;

    for (size_t i = 0; i < count; i++) {
        const struct budget_line *line = &lines[i];

        if (line->benefit <= 0)
            continue;
        order[pay++] = (struct budget_place){
            .place = (uint32_t)i,
            .density = line->cost > 0 ? (double)line->benefit / (double)line->cost : INFINITY,
        };
    }
    if (!limit->of_money) {
        *out_taken = (int64_t)pay > limit->most ? (size_t)limit->most : pay;
        return pay;
    }
    if (pay)
        qsort(order, pay, sizeof *order, density_order);
    *out_taken = take_by_money(lines, order, pay, limit->most);
    return pay;
}
