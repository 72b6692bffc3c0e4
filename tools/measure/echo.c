/* bench_echo ADDR PORT: the ceiling.  Reads datagrams many at a time and sends each back as it
 * came: no CoAP, no store. The gateway's figure is quoted as a ratio to this one's. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BURST 1024
#define DATAGRAM 1500

struct burst {
    struct mmsghdr headers[BURST];
    struct iovec vectors[BURST];
    struct sockaddr_in peers[BURST];
    uint8_t bytes[BURST][DATAGRAM];
};

static void prepare(struct burst *b)
{
    for (int i = 0; i < BURST; i++) {
        b->vectors[i] = (struct iovec){ b->bytes[i], DATAGRAM };
        b->headers[i].msg_hdr = (struct msghdr){ .msg_name = &b->peers[i],
                                                 .msg_namelen = sizeof b->peers[i],
                                                 .msg_iov = &b->vectors[i],
                                                 .msg_iovlen = 1 };
    }
}

static int open_port(const char *address, const char *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
    int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = 16 << 20;

    if (fd < 0 || inet_pton(AF_INET, address, &a.sin_addr) != 1)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes))
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    return bind(fd, (struct sockaddr *)&a, sizeof a) ? -1 : fd;
}

static void echo(int fd, struct burst *b)
{
    int n = recvmmsg(fd, b->headers, BURST, MSG_WAITFORONE, NULL);

    for (int i = 0; i < n; i++)
        b->vectors[i].iov_len = b->headers[i].msg_len;
    for (int at = 0, k; at<n; at += k> 0 ? k : 1)
        k = sendmmsg(fd, b->headers + at, (unsigned)(n - at), 0);
    for (int i = 0; i < n; i++)
        b->vectors[i].iov_len = DATAGRAM;
}

int main(int argc, char **argv)
{
    struct burst *b = (struct burst *)calloc(1, sizeof *b);
    int fd = argc == 3 ? open_port(argv[1], argv[2]) : -1;

    if (!b || fd < 0) {
        fprintf(stderr, "bench_echo ADDR PORT: the port must be free\n");
        return argc == 3 ? 1 : 2;
    }
    prepare(b);
    for (;;)
        echo(fd, b);
}
