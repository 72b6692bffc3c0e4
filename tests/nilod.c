#include "tests/nilod.h"

#include "tests/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_MS 60000 /* with sanitizers, on a busy machine */
#define END_MS 10000
#define ARGUMENTS_MAX 40
#define PORT_TRIES 50
#define PORT_WAIT_MS 200

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void tell_log(const char *path)
{
    char line[512];
    FILE *f = fopen(path, "re");

    while (f && fgets(line, sizeof line, f))
        fprintf(stderr, "  nilod said: %s", line);
    if (f)
        fclose(f);
}

/* Whether the last thing it said is that its port is not free. */
static bool port_is_taken(const char *path)
{
    char line[512];
    bool taken = false;
    FILE *f = fopen(path, "re");

    while (f && fgets(line, sizeof line, f))
        taken = strstr(line, "ddress already in use") != NULL;
    if (f)
        fclose(f);
    return taken;
}

/* Starts `argv`; its standard output comes back through a pipe. It dies with us. */
static pid_t spawn(char *const *argv, const char *log, int *out_said)
{
    int ends[2];
    pid_t pid, parent = getpid();

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(126);
        dup2(ends[1], STDOUT_FILENO);
        dup2(file, STDERR_FILENO);
        execv(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
    *out_said = ends[0];
    return pid;
}

/* Waits for the process; its status, or −1 when the time is over (then it is killed). */
static int reap(pid_t pid, int limit_ms)
{
    int64_t until = now_ms() + limit_ms;
    int status;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (now_ms() > until) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -1;
        }
        poll(NULL, 0, 5);
    }
    return status;
}

/* Reads one line of the process's output; false if none came in time. */
static bool read_line(int fd, char *line, size_t size)
{
    int64_t until = now_ms() + START_MS;
    size_t len = 0;

    while (len + 1 < size) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int64_t left = until - now_ms();

        if (left <= 0 || poll(&p, 1, (int)left) <= 0 || read(fd, line + len, 1) != 1)
            return false;
        if (line[len] == '\n')
            break;
        len++;
    }
    line[len] = 0;
    return true;
}

/* The first address behind `what` ("http=") of the ready line. */
static bool address_of(const char *line, const char *what, char host[48], int *port)
{
    const char *at = strstr(line, what), *colon;
    size_t len;

    if (!at)
        return false;
    at += strlen(what);
    len = strcspn(at, " ,");
    for (colon = at + len; colon > at && *colon != ':';)
        colon--;
    if (colon == at)
        return true; /* off */
    len = (size_t)(colon - at);
    if (*at == '[') {
        at++;
        len -= 2;
    }
    if (len >= 48)
        return false;
    memcpy(host, at, len);
    host[len] = 0;
    *port = atoi(colon + 1);
    return true;
}

static void read_token(struct nilod *n)
{
    char path[600];
    struct span text;

    snprintf(path, sizeof path, "%s/admin.token", n->store);
    text = check_read(path);
    snprintf(n->token, sizeof n->token, "%.*s", (int)strcspn((const char *)text.at, "\r\n"),
             (const char *)text.at);
    free((void *)(uintptr_t)text.at);
}

static void put_address(char out[64], const char *host, int port)
{
    const char *shown = *host ? host : "127.0.0.1";

    snprintf(out, 64, strchr(shown, ':') ? "[%s]:%d" : "%s:%d", shown, port);
}

void nilod_start_in(struct nilod *n, const char *build)
{
    char program[600], coap[64], coaps[64], http[64], line[1024] = "";
    const char *argv[ARGUMENTS_MAX];
    size_t count = 0;

    if (!n->store[0]) {
        snprintf(n->store, sizeof n->store, "%s/store", check_folder());
        snprintf(n->log, sizeof n->log, "%s.log", n->store);
    }
    snprintf(program, sizeof program, "%s/nilod", build);
    put_address(coap, n->coap_host, n->coap_port);
    put_address(coaps, n->coaps_host, n->coaps_port);
    put_address(http, n->http_host, n->http_port);
    argv[count++] = program;
    argv[count++] = "--store";
    argv[count++] = n->store;
    argv[count++] = "--coap";
    argv[count++] = coap;
    argv[count++] = "--coaps";
    argv[count++] = n->coaps ? coaps : "off";
    argv[count++] = "--http";
    argv[count++] = http;
    argv[count++] = "--tz";
    argv[count++] = n->tz ? n->tz : "Asia/Shanghai";
    if (n->clock) {
        argv[count++] = "--virtual-clock";
        argv[count++] = n->clock;
    }
    for (size_t i = 0; i < 8 && n->extra[i]; i++)
        argv[count++] = n->extra[i];
    argv[count] = NULL;
    setenv("NILOD_SELF_CHECK", "1",
           1); /* it ends with 1 where what it keeps beside the store is not what the store says */
    /* A restart wants its ports again, which a test beside this one may be holding just now. */
    for (int tries = n->http_port || n->coap_port || n->coaps_port ? PORT_TRIES : 1; tries > 0;
         tries--) {
        n->pid = spawn((char *const *)(uintptr_t)argv, n->log, &n->said);
        if (read_line(n->said, line, sizeof line) || tries == 1 || !port_is_taken(n->log))
            break;
        nilod_kill(n);
        poll(NULL, 0, PORT_WAIT_MS);
    }
    if (strncmp(line, "ready ", 6) != 0 ||
        !address_of(line, "http=", n->http_host, &n->http_port) ||
        !address_of(line, "coap=", n->coap_host, &n->coap_port) ||
        !address_of(line, "coaps=", n->coaps_host, &n->coaps_port)) {
        tell_log(n->log);
        nilod_kill(n);
        fail_msg("nilod did not get ready, its first line was: %s", line);
    }
    memcpy(n->ready, line, sizeof n->ready);
    read_token(n);
}

void nilod_stop(struct nilod *n)
{
    int status;

    if (!n->pid)
        return;
    kill(n->pid, SIGTERM);
    status = reap(n->pid, END_MS);
    n->pid = 0;
    close(n->said);
    if (status != 0) {
        tell_log(n->log);
        fail_msg("nilod did not end well on SIGTERM: %s %d",
                 status < 0 ? "still there after ms:" : "wait status",
                 status < 0 ? END_MS : status);
    }
}

void nilod_kill(struct nilod *n)
{
    if (!n->pid)
        return;
    kill(n->pid, SIGKILL);
    waitpid(n->pid, NULL, 0);
    n->pid = 0;
    close(n->said);
}

int nilod_run_in(const char *build, char *said, size_t size, const char *const *arguments)
{
    char program[600], log[600];
    const char *argv[ARGUMENTS_MAX];
    size_t count = 0;
    struct span text;
    int out, status;
    pid_t pid;

    snprintf(program, sizeof program, "%s/nilod", build);
    snprintf(log, sizeof log, "%s/log", check_folder());
    argv[count++] = program;
    while (*arguments && count + 1 < ARGUMENTS_MAX)
        argv[count++] = *arguments++;
    argv[count] = NULL;
    pid = spawn((char *const *)(uintptr_t)argv, log, &out);
    status = reap(pid, END_MS);
    close(out);
    text = check_read(log);
    snprintf(said, size, "%.*s", (int)text.len, (const char *)text.at);
    free((void *)(uintptr_t)text.at);
    if (status < 0 || !WIFEXITED(status))
        fail_msg("nilod did not end by itself within %d ms; it said: %s", END_MS, said);
    return WEXITSTATUS(status);
}
