#include "server/clock.h"

#include <stdatomic.h>
#include <time.h>

void clock_real(struct clock *c)
{
    c->is_virtual = false;
    c->virtual_s = 0;
}

void clock_virtual(struct clock *c, int64_t at_s)
{
    c->is_virtual = true;
    c->virtual_s = at_s;
}

int64_t clock_now_s(struct clock *c)
{
    return c->is_virtual ? c->virtual_s : (int64_t)time(NULL);
}

enum err clock_set(struct clock *c, int64_t at_s)
{
    int64_t now_s = c->virtual_s;

    if (!c->is_virtual)
        return ERR_INVALID;
    if (at_s < 0 || at_s > CLOCK_MOST_S)
        return ERR_RANGE;
    do {
        if (at_s < now_s)
            return ERR_CONFLICT;
    } while (!atomic_compare_exchange_weak(&c->virtual_s, &now_s, at_s));
    return ERR_OK;
}

int64_t clock_monotonic_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}

int64_t clock_machine_s(void)
{
    return (int64_t)time(NULL);
}
