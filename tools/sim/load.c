/* Datagrams are stamped from a template, so that this side costs less than the side it measures:
 *
 *   header · token (slot, generation) · Uri-Path "r" · FF ·
 *   native report with serial, times and index patched in place */
#include "tools/sim/load.h"

#include "proto/native.h"
#include "server/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BURST 256 /* datagrams in one call of the kernel */
#define DATAGRAM 192
#define HOURS 24
#define TEMPLATES 64 /* days of water that differ */
#define FIRST_SERIAL 10000001u
#define INDEX_BASE 50000000 /* four bytes as a varint, whatever is added to it here */
#define RESEND_US 2000000   /* ACK_TIMEOUT, doubled each time */
#define RESENDS 4
#define LATENCY_BUCKETS 1024

struct template_report {
    uint8_t bytes[DATAGRAM];
    size_t len;
    size_t serial, sent, at, index; /* where each stands */
};

struct slot {
    uint64_t number; /* of the report */
    uint64_t first_us, last_us;
    uint16_t generation;
    uint8_t resends;
    bool busy;
};

struct load {
    struct sim_load_options o;
    int fd;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } to;
    socklen_t to_len;
    struct template_report templates[TEMPLATES];
    struct slot *slots;
    uint16_t *free_slots;
    uint32_t free_count;
    uint64_t next; /* report */
    uint64_t sent, acked, resent, lost;
    uint64_t codes[256];
    uint64_t latency[LATENCY_BUCKETS];
    /* of one burst out, one burst in */
    struct mmsghdr out[BURST], in[BURST];
    struct iovec out_iov[BURST], in_iov[BURST];
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } out_control[BURST];
    uint8_t out_bytes[BURST][DATAGRAM], in_bytes[BURST][DATAGRAM];
    unsigned out_count;
};

static uint64_t now_us(void)
{
    return (uint64_t)clock_monotonic_us();
}

static void say(const char *what, const char *why)
{
    fprintf(stderr, "nilo: %s: %s\n", what, why);
}

/* ---- templates ---- */

static uint32_t mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352d;
    x ^= x >> 15;
    x *= 0x846ca68b;
    return x ^ x >> 16;
}

static const uint8_t *find(const struct template_report *t, const void *bytes, size_t len)
{
    return (const uint8_t *)memmem(t->bytes, t->len, bytes, len);
}

static void put_index(uint8_t *at, uint32_t index)
{
    uint32_t v = index * 2; /* zigzag of what is not negative */

    for (int i = 0; i < 4; i++, v >>= 7)
        at[i] = (uint8_t)((v & 0x7f) | (i < 3 ? 0x80 : 0));
}

static void put_le32(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

/* A day of water: nothing at night, some litres in the morning and the evening. */
static uint32_t hour_litres(unsigned template_number, unsigned hour)
{
    uint32_t r = mix(template_number * HOURS + hour);

    return hour >= 6 && hour < 23 ? r % (r % 5 ? 12 : 90) : r % 16 == 0;
}

#define MARK_SENT 0x5a5b5c5du
#define MARK_AT 0x4a4b4c4du

static bool template_make(struct template_report *t, unsigned number)
{
    static const uint8_t head[] = { 0x44, 0x02, 0, 0, 0, 0, 0, 0, 0xb1, 'r', 0xff };
    struct sample samples[HOURS];
    struct series series = { .channel = CHANNEL_FORWARD, .count = HOURS, .samples = samples };
    struct frame f = { .names = names_of(span_text("10000001")),
                       .sent_s = MARK_SENT,
                       .battery_mv = 3600,
                       .rsrp_dbm = -95,
                       .series_count = 1,
                       .series = &series };
    struct wr w = wr_of(t->bytes, sizeof t->bytes);
    int64_t litres = INDEX_BASE;
    uint8_t index[4], mark[4];
    int8_t scale = 0;

    for (unsigned i = 0; i < HOURS; i++) {
        samples[i] = (struct sample){ (int64_t)MARK_AT - (int64_t)i * 3600, litres * 1000 };
        litres -= hour_litres(number, HOURS - 1 - i);
    }
    wr_bytes(&w, span_of(head, sizeof head));
    if (native_encode(&f, &scale, &w))
        return false;
    t->len = wr_len(&w);
    put_index(index, INDEX_BASE);
    t->serial = (size_t)(find(t, "10000001", 8) - t->bytes);
    put_le32(mark, MARK_SENT);
    t->sent = (size_t)(find(t, mark, 4) - t->bytes);
    put_le32(mark, MARK_AT);
    t->at = (size_t)(find(t, mark, 4) - t->bytes);
    t->index = (size_t)(find(t, index, 4) - t->bytes);
    return t->serial < t->len && t->sent < t->len && t->at < t->len && t->index < t->len;
}

static void put_serial(uint8_t *at, uint32_t serial)
{
    for (int i = 7; i >= 0; i--, serial /= 10)
        at[i] = (uint8_t)('0' + serial % 10);
}

/* ---- sending ---- */

static void put_source(struct load *l, unsigned n, uint32_t meter)
{
    struct cmsghdr *c = &l->out_control[n].align;
    struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(0x7f010000u + meter) };

    memcpy(CMSG_DATA(c), &info, sizeof info);
}

static uint32_t report_day(const struct load *l, uint64_t number)
{
    uint64_t rounds = (l->o.reports - 1) / l->o.meters;

    return (uint32_t)(l->o.at_s - (int64_t)(rounds - number / l->o.meters) * 86400);
}

static void put_report(struct load *l, uint16_t slot)
{
    const struct slot *s = &l->slots[slot];
    uint32_t meter = (uint32_t)(s->number % l->o.meters), day = report_day(l, s->number);
    const struct template_report *t = &l->templates[mix(meter) % TEMPLATES];
    unsigned n = l->out_count++;
    uint8_t *at = l->out_bytes[n];

    memcpy(at, t->bytes, t->len);
    at[2] = (uint8_t)(s->number / l->o.meters >> 8);
    at[3] = (uint8_t)(s->number / l->o.meters);
    at[4] = (uint8_t)(slot >> 8);
    at[5] = (uint8_t)slot;
    at[6] = (uint8_t)(s->generation >> 8);
    at[7] = (uint8_t)s->generation;
    put_serial(at + t->serial, FIRST_SERIAL + meter);
    put_le32(at + t->sent, day);
    put_le32(at + t->at, day - day % 3600);
    put_index(at + t->index,
              INDEX_BASE + mix(meter) % 1000000 + (uint32_t)(s->number / l->o.meters) * 300);
    l->out_iov[n].iov_len = t->len;
    if (l->to.any.sa_family == AF_INET)
        put_source(l, n, meter);
}

static void flush(struct load *l)
{
    unsigned at = 0;

    while (at < l->out_count) {
        int k = sendmmsg(l->fd, l->out + at, l->out_count - at, 0);

        at += k > 0 ? (unsigned)k : 1; /* what the system does not take is sent again later */
    }
    l->out_count = 0;
}

/* Starts as many reports as window, total and rate allow. */
static void start_reports(struct load *l, uint64_t begun_us, uint64_t now)
{
    while (l->free_count && l->next < l->o.reports) {
        uint16_t slot = l->free_slots[l->free_count - 1];
        struct slot *s = &l->slots[slot];

        if (l->o.rate && l->next >= (now - begun_us) * l->o.rate / 1000000 + 1)
            break;
        l->free_count--;
        *s = (struct slot){ .number = l->next++,
                            .first_us = now,
                            .last_us = now,
                            .generation = (uint16_t)(s->generation + 1),
                            .busy = true };
        l->sent++;
        put_report(l, slot);
        if (l->out_count == BURST)
            flush(l);
    }
    flush(l);
}

static void free_slot(struct load *l, uint16_t slot)
{
    l->slots[slot].busy = false;
    l->free_slots[l->free_count++] = slot;
}

static void resend_late(struct load *l, uint64_t now)
{
    for (uint32_t i = 0; i < l->o.window; i++) {
        struct slot *s = &l->slots[i];

        if (!s->busy || now - s->last_us < (uint64_t)RESEND_US << s->resends)
            continue;
        if (s->resends == RESENDS) {
            l->lost++;
            free_slot(l, (uint16_t)i);
            continue;
        }
        s->resends++;
        s->last_us = now;
        l->resent++;
        put_report(l, (uint16_t)i);
        if (l->out_count == BURST)
            flush(l);
    }
    flush(l);
}

/* ---- receiving ---- */

/* Sixteen steps to each doubling. */
static unsigned latency_bucket(uint64_t us)
{
    unsigned shift = 0;

    while (us >> shift >= 32)
        shift++;
    us = shift ? (uint64_t)shift * 16 + (us >> shift) : us;
    return us < LATENCY_BUCKETS ? (unsigned)us : LATENCY_BUCKETS - 1;
}

static uint64_t latency_of(unsigned bucket)
{
    unsigned shift = bucket < 32 ? 0 : bucket / 16 - 1;

    return shift ? (uint64_t)(bucket - shift * 16) << shift : bucket;
}

static uint64_t percentile(const struct load *l, unsigned percent)
{
    uint64_t seen = 0;

    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        seen += l->latency[i];
        if (seen * 100 >= l->acked * percent && seen)
            return latency_of(i);
    }
    return 0;
}

static void take_answer(struct load *l, const uint8_t *at, size_t len, uint64_t now)
{
    uint16_t slot, generation;

    if (len < 8)
        return;
    slot = (uint16_t)(at[4] << 8 | at[5]);
    generation = (uint16_t)(at[6] << 8 | at[7]);
    if (slot >= l->o.window || !l->slots[slot].busy || l->slots[slot].generation != generation)
        return;
    l->codes[at[1]]++;
    if (l->o.echo || at[1] >> 5 == 2) {
        l->acked++;
        l->latency[latency_bucket(now - l->slots[slot].first_us)]++;
    }
    free_slot(l, slot);
}

static void receive(struct load *l)
{
    int n = recvmmsg(l->fd, l->in, BURST, MSG_DONTWAIT, NULL);
    uint64_t now;

    if (n <= 0) {
        struct pollfd p = { .fd = l->fd, .events = POLLIN };

        poll(&p, 1, 1);
        return;
    }
    now = now_us();
    for (int i = 0; i < n; i++)
        take_answer(l, l->in_bytes[i], l->in[i].msg_len, now);
}

/* ---- the run ---- */

static bool parse_target(struct load *l)
{
    char host[64];
    const char *colon = strrchr(l->o.coap, ':');
    size_t len = colon ? (size_t)(colon - l->o.coap) : 0;
    long port = colon ? strtol(colon + 1, NULL, 10) : 0;
    const char *at = l->o.coap;

    if (len == 0 || len >= sizeof host || port < 1 || port > 65535)
        return false;
    if (at[0] == '[' && at[len - 1] == ']') {
        at++;
        len -= 2;
    }
    memcpy(host, at, len);
    host[len] = 0;
    if (inet_pton(AF_INET, host, &l->to.v4.sin_addr) == 1) {
        l->to.v4.sin_family = AF_INET;
        l->to.v4.sin_port = htons((uint16_t)port);
        l->to_len = sizeof l->to.v4;
        return ntohl(l->to.v4.sin_addr.s_addr) >> 24 == 127;
    }
    l->to.v6.sin6_family = AF_INET6;
    l->to.v6.sin6_port = htons((uint16_t)port);
    l->to_len = sizeof l->to.v6;
    return inet_pton(AF_INET6, host, &l->to.v6.sin6_addr) == 1 &&
           IN6_IS_ADDR_LOOPBACK(&l->to.v6.sin6_addr);
}

static bool open_socket(struct load *l)
{
    struct sockaddr_in any = { .sin_family = AF_INET };
    int bytes = 16 << 20;

    l->fd = socket(l->to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return false;
    if (setsockopt(l->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes))
        (void)setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (setsockopt(l->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes))
        (void)setsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return l->to.any.sa_family != AF_INET || bind(l->fd, (struct sockaddr *)&any, sizeof any) == 0;
}

static void prepare_bursts(struct load *l)
{
    for (unsigned i = 0; i < BURST; i++) {
        struct msghdr *h = &l->out[i].msg_hdr;
        struct cmsghdr *c = &l->out_control[i].align;

        l->out_iov[i].iov_base = l->out_bytes[i];
        l->in_iov[i] = (struct iovec){ l->in_bytes[i], DATAGRAM };
        l->in[i].msg_hdr.msg_iov = &l->in_iov[i];
        l->in[i].msg_hdr.msg_iovlen = 1;
        *h = (struct msghdr){
            .msg_name = &l->to, .msg_namelen = l->to_len, .msg_iov = &l->out_iov[i], .msg_iovlen = 1
        };
        if (l->to.any.sa_family != AF_INET)
            continue;
        c->cmsg_level = IPPROTO_IP;
        c->cmsg_type = IP_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
        h->msg_control = c;
        h->msg_controllen = CMSG_SPACE(sizeof(struct in_pktinfo));
    }
}

static bool prepare(struct load *l)
{
    l->slots = (struct slot *)calloc(l->o.window, sizeof *l->slots);
    l->free_slots = (uint16_t *)malloc(l->o.window * sizeof *l->free_slots);
    if (!l->slots || !l->free_slots) {
        say("sim load", "no memory");
        return false;
    }
    for (uint32_t i = 0; i < l->o.window; i++)
        l->free_slots[l->free_count++] = (uint16_t)(l->o.window - 1 - i);
    for (unsigned i = 0; i < TEMPLATES; i++)
        if (!template_make(&l->templates[i], i)) {
            say("sim load", "the report does not fit its template");
            return false;
        }
    if (!open_socket(l)) {
        say("sim load: socket", strerror(errno));
        return false;
    }
    prepare_bursts(l);
    return true;
}

static double run(struct load *l)
{
    uint64_t begun = now_us(), now = begun, looked = begun, end;

    end = begun + (uint64_t)l->o.seconds * 1000000;
    while ((l->next < l->o.reports || l->free_count < l->o.window) && now < end) {
        start_reports(l, begun, now);
        receive(l);
        now = now_us();
        if (now - looked > 100000) {
            resend_late(l, now);
            looked = now;
        }
    }
    return (double)(now - begun) / 1e6;
}

static void print(const struct load *l, double seconds, FILE *json)
{
    const char *comma = "";

    fprintf(json,
            "{\"sent\":%llu,\"acked\":%llu,\"resent\":%llu,\"lost\":%llu,\"seconds\":%.3f,"
            "\"per_second\":%.0f,\"p50_us\":%llu,\"p99_us\":%llu,\"codes\":{",
            (unsigned long long)l->sent, (unsigned long long)l->acked,
            (unsigned long long)l->resent,
            (unsigned long long)(l->lost + l->o.window - l->free_count), seconds,
            seconds > 0 ? (double)l->acked / seconds : 0, (unsigned long long)percentile(l, 50),
            (unsigned long long)percentile(l, 99));
    for (int code = 0; code < 256; code++) {
        if (!l->codes[code])
            continue;
        fprintf(json, "%s\"%d.%02d\":%llu", comma, code >> 5, code & 31,
                (unsigned long long)l->codes[code]);
        comma = ",";
    }
    fprintf(json, "}}\n");
}

static bool take_options(struct load *l, const struct sim_load_options *o)
{
    l->o = *o;
    if (!l->o.meters)
        l->o.meters = 100000;
    if (!l->o.reports)
        l->o.reports = l->o.meters;
    if (!l->o.window)
        l->o.window = 2000;
    if (!l->o.seconds)
        l->o.seconds = 600;
    if (!l->o.at_s)
        l->o.at_s = time(NULL);
    if (l->o.meters > SIM_LOAD_METERS_MAX || l->o.window > SIM_LOAD_WINDOW_MAX)
        say("sim load", "at most 16 000 000 meters and a window of 32 768");
    else if (!l->o.coap || !parse_target(l))
        say("sim load", "the target must be ADDR:PORT in 127.0.0.0/8, or [::1]:PORT");
    else
        return true;
    return false;
}

int sim_load(const struct sim_load_options *options, FILE *json)
{
    struct load *l = (struct load *)calloc(1, sizeof *l);
    int code = 2;

    if (!l) {
        say("sim load", "no memory");
        return 1;
    }
    l->fd = -1;
    if (take_options(l, options)) {
        code = 1;
        if (prepare(l)) {
            print(l, run(l), json);
            code = 0;
        }
    }
    if (l->fd >= 0)
        close(l->fd);
    free(l->slots);
    free(l->free_slots);
    free(l);
    return code;
}

void sim_load_meters(uint32_t meters, FILE *csv)
{
    fprintf(csv, "serial,dn,q3,register,resolution_l\n");
    for (uint32_t i = 0; i < meters; i++)
        fprintf(csv, "%u,15,2.5,forward,1\n", FIRST_SERIAL + i);
}
