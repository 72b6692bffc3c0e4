#include "server/gateway/dtls_shield.h"

#include "server/metrics.h"

#include <linux/filter.h>
#include <sys/socket.h>

#define WINDOW_US 100000
/* In a window: 60 000 a second, a quarter of a core, and six times the handshakes that a core ends. */
#define HELLOS_MOST 6000
#define HELLOS_CALM (HELLOS_MOST / 30) /* it is over, or nearly */
#define SHARE_LEAST (DTLS_SHIELD_ALL / 1024)

void dtls_shield_init(struct dtls_shield *s)
{
    *s = (struct dtls_shield){ .share = DTLS_SHIELD_ALL };
}

/* Behind 8 bytes of UDP: type at 0, epoch at 3, a message's type at 13, a session id's length at 59,
 * and if that is none, a cookie's at 60. */
#define AT(offset) (8 + (offset))
#define LOAD(size, at)                                                                             \
    {                                                                                              \
        BPF_LD | BPF_ABS | (size), 0, 0, (at)                                                      \
    }
#define PASS_UNLESS(value, further)                                                                \
    {                                                                                              \
        BPF_JMP | BPF_JEQ | BPF_K, 0, (further), (value)                                           \
    }

static void filter_set(int fd, uint32_t share)
{
    struct sock_filter program[] = {
        LOAD(BPF_W, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
        { BPF_ALU | BPF_AND | BPF_K, 0, 0, DTLS_SHIELD_ALL - 1 },
        { BPF_JMP | BPF_JGE | BPF_K, 0, 10, share }, /* it is let in by chance */
        { BPF_LD | BPF_W | BPF_LEN, 0, 0, 0 },
        { BPF_JMP | BPF_JGT | BPF_K, 0, 8, AT(60) }, /* too short to look at */
        LOAD(BPF_B, AT(0)),
        PASS_UNLESS(22, 6),
        LOAD(BPF_H, AT(3)),
        PASS_UNLESS(0, 4),
        LOAD(BPF_B, AT(13)),
        PASS_UNLESS(1, 2),
        LOAD(BPF_H, AT(59)),
        { BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0 },
        { BPF_RET | BPF_K, 0, 0, UINT32_MAX },
        { BPF_RET | BPF_K, 0, 0, 0 },
    };
    const struct sock_fprog whole = { sizeof program / sizeof *program, program };
    int none = 0;

    /* Without a filter there is less of a shield, and nothing else is lost. */
    if (share < DTLS_SHIELD_ALL)
        (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &whole, sizeof whole);
    else
        (void)setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
}

uint32_t dtls_shield_next(const struct dtls_shield *s)
{
    uint64_t share = s->share;

    if (s->hellos > HELLOS_MOST)
        share = share * HELLOS_MOST / s->hellos;
    else if (s->backlogs * 2 > s->reads && s->hellos > HELLOS_MOST / 10)
        share /= 2; /* this machine cannot do as much just now */
    else if (s->hellos < HELLOS_MOST / 2)
        share += s->hellos > HELLOS_CALM ? share / 4 + 1 : share * 7;
    if (share < SHARE_LEAST)
        return SHARE_LEAST;
    return share < DTLS_SHIELD_ALL ? (uint32_t)share : DTLS_SHIELD_ALL;
}

void dtls_shield_read(struct dtls_shield *s, int fd, uint32_t hellos, bool more, uint64_t now_us)
{
    uint32_t share;

    s->hellos += hellos;
    s->reads++;
    s->backlogs += more;
    if (now_us < s->until_us)
        return;
    share = dtls_shield_next(s);
    if (share != s->share)
        filter_set(fd, share);
    if (share < DTLS_SHIELD_ALL)
        metrics_add(METRIC_COAPS_SHIELDED, 1);
    *s = (struct dtls_shield){ .until_us = now_us + WINDOW_US, .share = share };
}
