/* The load generator is no weapon, and counts what it says. */
#include "tests/check.h"
#include "tools/sim/load.h"

#include <jansson.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void targets_beyond_this_machine_are_refused(void **state)
{
    static const char *const targets[] = { "10.0.0.1:5683",      "8.8.8.8:5683",    "0.0.0.0:5683",
                                           "[2001:db8::1]:5683", "localhost:5683",  "127.0.0.1",
                                           "127.0.0.1:0",        "127.0.0.1:99999", "" };

    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct sim_load_options o = { .coap = targets[i], .meters = 1 };

        assert_int_equal(sim_load(&o, stdout), 2);
    }
}

/* Sends every datagram back, but for the first forty; remembers who spoke. */
struct echo {
    int fd;
    uint16_t port;
    unsigned senders;
};

static void *echo_run(void *arg)
{
    struct echo *e = (struct echo *)arg;
    static uint32_t seen[1000];
    uint8_t bytes[256];

    for (unsigned n = 0;; n++) {
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        ssize_t got = recvfrom(e->fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &len);
        unsigned known = 0;

        if (got < 16)
            return NULL;
        while (known < e->senders && seen[known] != from.sin_addr.s_addr)
            known++;
        if (known == e->senders && known < 1000)
            seen[e->senders++] = from.sin_addr.s_addr;
        if (n >= 40)
            (void)!sendto(e->fd, bytes, (size_t)got, 0, (struct sockaddr *)&from, len);
    }
}

static void open_echo(struct echo *e)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;

    e->fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(e->fd >= 0);
    assert_int_equal(bind(e->fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(e->fd, (struct sockaddr *)&a, &len), 0);
    e->port = ntohs(a.sin_port);
    e->senders = 0;
}

static void close_echo(struct echo *e, pthread_t thread)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(e->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    assert_int_equal(sendto(e->fd, "", 0, 0, (struct sockaddr *)&a, sizeof a), 0);
    pthread_join(thread, NULL);
    close(e->fd);
}

static void
every_meter_speaks_from_an_address_of_its_own_and_lost_answers_are_asked_for(void **state)
{
    struct echo e;
    pthread_t thread;
    char target[32], line[512];
    struct sim_load_options o = {
        .coap = target, .meters = 100, .reports = 300, .window = 50, .echo = true, .seconds = 20
    };
    FILE *out = tmpfile();
    json_t *json;

    (void)state;
    open_echo(&e);
    assert_int_equal(pthread_create(&thread, NULL, echo_run, &e), 0);
    snprintf(target, sizeof target, "127.0.0.1:%u", e.port);
    assert_int_equal(sim_load(&o, out), 0);
    close_echo(&e, thread);
    rewind(out);
    assert_non_null(fgets(line, sizeof line, out));
    fclose(out);
    assert_non_null(json = json_loads(line, 0, NULL));
    assert_int_equal(json_integer_value(json_object_get(json, "sent")), 300);
    assert_int_equal(json_integer_value(json_object_get(json, "acked")), 300);
    assert_int_equal(json_integer_value(json_object_get(json, "lost")), 0);
    assert_true(json_integer_value(json_object_get(json, "resent")) >= 1);
    json_decref(json);
    assert_int_equal(e.senders, 100);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(targets_beyond_this_machine_are_refused),
    cmocka_unit_test(every_meter_speaks_from_an_address_of_its_own_and_lost_answers_are_asked_for),
};

int main(int argc, char **argv)
{
    return check_run(tests, argc, argv);
}
