/* Work that takes all cores: what is asked for at once, and made of parts that do not meet. */
#ifndef NILO_SERVER_SPREAD_H
#define NILO_SERVER_SPREAD_H

/* Calls `run` on this thread and, at the same time, on others, one for each further core, at most SPREAD_MOST in all; returns when all have ended.  `run` takes part after part until
 * none is left, so that it does not matter how many come: without memory for threads this one does it alone.  Whoever holds a lock that `run` takes waits for ever. */
#define SPREAD_MOST 8
void spread(void (*run)(void *arg), void *arg);
unsigned spread_width(void); /* how many that are: 1 … SPREAD_MOST */

#endif
