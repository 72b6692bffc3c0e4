#include "server/spread.h"

#include <pthread.h>
#include <unistd.h>

struct part {
    void (*run)(void *arg);
    void *arg;
};

static void *run_part(void *arg)
{
    const struct part *p = (const struct part *)arg;

    p->run(p->arg);
    return NULL;
}

unsigned spread_width(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (cores <= 1)
        return 1;
    return cores < SPREAD_MOST ? (unsigned)cores : SPREAD_MOST;
}

void spread(void (*run)(void *arg), void *arg)
{
    struct part part = { run, arg };
    pthread_t threads[SPREAD_MOST];
    unsigned count = 0, wanted = spread_width() - 1;

    while (count < wanted && !pthread_create(&threads[count], NULL, run_part, &part))
        pthread_setname_np(threads[count++], "spread");
    run(arg);
    while (count)
        pthread_join(threads[--count], NULL);
}
