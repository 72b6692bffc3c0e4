/* A stream that was cut short is never taken for whole; what is asked arrives as it was meant. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/check.h"
#include "tools/nilo/api.h"

/* ---- a server that says one thing ---- */

static struct {
    int listener;
    const char *reply;
    char heard[65536];
    pthread_t thread;
} served;

static bool heard_all(void)
{
    const char *body = strstr(served.heard, "\r\n\r\n"),
               *length = strcasestr(served.heard, "Content-Length: ");

    if (!body)
        return false;
    if (strcasestr(served.heard, "chunked"))
        return strstr(body, "\r\n0\r\n\r\n") != NULL;
    return !length || length > body || strlen(body + 4) >= strtoul(length + 16, NULL, 10);
}

static void *serve(void *arg)
{
    int s = accept(served.listener, NULL, NULL);
    size_t len = 0;

    (void)arg;
    while (!heard_all()) {
        ssize_t got = read(s, served.heard + len, sizeof served.heard - 1 - len);

        if (got <= 0)
            break;
        len += (size_t)got;
    }
    if (write(s, served.reply, strlen(served.reply)) < 0)
        perror("write");
    close(s);
    return NULL;
}

static struct command_option options[] = {
#define MAY false
#define OPTION(id, name, argument, need, help) { COMMAND_ANY, name, argument, need, help },
    OPTIONS_OF_ALL
#undef OPTION
};

static struct api *begin(const char *reply, const char *token_file)
{
    static const struct command none = { 0, "none", "", "", NULL };
    static struct command_table table = { &none, options, 1, sizeof options / sizeof options[0],
                                          NULL };
    static char server[64];
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    struct args a = { .table = &table, .command = &none };

    memset(served.heard, 0, sizeof served.heard);
    served.reply = reply;
    served.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(served.listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(served.listener, 1), 0);
    assert_int_equal(getsockname(served.listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(pthread_create(&served.thread, NULL, serve, NULL), 0);
    snprintf(server, sizeof server, "http://127.0.0.1:%d/", ntohs(address.sin_port));
    a.value[0] = server;
    a.value[1] = token_file;
    return api_open(&a);
}

static void end(struct api *c)
{
    api_close(c);
    pthread_join(served.thread, NULL);
    close(served.listener);
}

static bool count_row(void *arg, const char *text, json_t *row)
{
    assert_non_null(json_object_get(row, "a"));
    assert_int_equal(text[0], '{');
    ++*(unsigned *)arg;
    return true;
}

static bool rows_of(const char *reply, unsigned *out_seen)
{
    struct api *c = begin(reply, NULL);
    struct path path = path_of("/v1/things");
    uint64_t rows = 0;
    bool ok;

    *out_seen = 0;
    ok = api_rows(c, &path, count_row, out_seen, &rows);
    if (ok)
        assert_int_equal(rows, *out_seen);
    end(c);
    return ok;
}

#define HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n"
#define ROW "{\"a\":1}\n"

static void a_list_that_counts_itself_is_whole(void **state)
{
    unsigned seen;

    (void)state;
    assert_true(rows_of(HEAD "\r\n" ROW ROW "{\"end\":true,\"rows\":2}\n", &seen));
    assert_int_equal(seen, 2);
    assert_true(rows_of(HEAD "\r\n{\"end\":true,\"rows\":0}\n", &seen));
    assert_true(rows_of(HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n5\r\n\":1}\n\r\n"
                             "16\r\n{\"end\":true,\"rows\":1}\n\r\n0\r\n\r\n",
                        &seen));
}

static void a_list_cut_short_fails(void **state)
{
    static const char *const cut[] = {
        HEAD "\r\n" ROW ROW,
        HEAD "\r\n" ROW "{\"end\":tr",
        HEAD "\r\n",
        HEAD "\r\n" ROW "{\"end\":true,\"rows\":2}\n",
        HEAD "\r\n" ROW ROW "{\"end\":true,\"rows\":1}\n",
        HEAD "\r\n{\"end\":true,\"rows\":1}\n" ROW,
        HEAD "\r\n" ROW "no json\n{\"end\":true,\"rows\":1}\n",
        HEAD "Content-Length: 500\r\n\r\n" ROW "{\"end\":true,\"rows\":1}\n",
        HEAD "Transfer-Encoding: chunked\r\n\r\n8\r\n" ROW
             "\r\n16\r\n{\"end\":true,\"rows\":1}\n\r\n",
        "HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n{\"end\":true,\"rows\":0}\n",
    };
    unsigned seen;

    (void)state;
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++)
        if (rows_of(cut[i], &seen))
            fail_msg("taken for whole: %s", cut[i]);
}

static bool csv_of(const char *reply)
{
    struct api *c = begin(reply, NULL);
    struct path path = path_of("/v1/things");
    FILE *to = fopen("/dev/null", "w");
    bool ok = api_csv(c, &path, to);

    fclose(to);
    end(c);
    return ok;
}

static void csv_is_held_against_its_trailer(void **state)
{
    (void)state;
    assert_false(csv_of(HEAD "Trailer: X-Rows\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "d\r\na,b\r\n1,\"x\ny\"\r\n0\r\nX-Rows: 1\r\n\r\n"));
    assert_true(csv_of(HEAD "Transfer-Encoding: chunked\r\n\r\n"
                            "e\r\na,b\n1,\"x\ny\"\n\n\r\n0\r\nX-Rows: 2\r\n\r\n"));
    assert_false(csv_of(HEAD "Transfer-Encoding: chunked\r\n\r\n4\r\na,b\n\r\n0\r\n\r\n"));
    assert_false(csv_of(HEAD "\r\na,b\n1,2\n"));
}

static void a_path_says_what_was_meant(void **state)
{
    struct path p = path_of("/v1/points");

    (void)state;
    path_part(&p, "a/b?c 水");
    path_part(&p, "consumption");
    path_query(&p, "from", "2026-03-01T00:00:00+08:00");
    path_query(&p, "step", NULL);
    path_query(&p, "to", "x&y=z");
    assert_string_equal(p.text, "/v1/points/a%2Fb%3Fc%20%E6%B0%B4/"
                                "consumption?from=2026-03-01T00%3A00%3A00%2B08%3A00&to=x%26y%3Dz");
    for (int i = 0; i < 600; i++)
        path_part(&p, "long");
    assert_true(p.full);
}

static void a_token_is_sent_without_its_line_end(void **state)
{
    char file[512];
    struct api *c;
    struct path path = path_of("/v1/settle");
    struct api_answer a;

    (void)state;
    snprintf(file, sizeof file, "%s/token", check_folder());
    check_write(file, span_text("abc-_9\r\n"));
    c = begin(HEAD "Content-Length: 2\r\n\r\n{}", file);
    assert_true(api_ask(c, "POST", &path, NULL, &a));
    api_answer_done(&a);
    end(c);
    assert_non_null(strstr(served.heard, "POST /v1/settle HTTP/1.1\r\n"));
    assert_non_null(strstr(served.heard, "Authorization: Bearer abc-_9\r\n"));
}

static void a_refusal_fails_and_a_body_arrives(void **state)
{
    struct path path = path_of("/v1/clock");
    json_t *body = json_pack("{s:s}", "now", "2026-03-01T00:00:00Z");
    struct api *c = begin("HTTP/1.1 409 Conflict\r\nConnection: close\r\nContent-Type: "
                          "application/problem+json\r\n\r\n"
                          "{\"title\":\"conflict\",\"detail\":\"the clock stands later\"}",
                          NULL);
    struct api_answer a;

    (void)state;
    assert_false(api_ask(c, "POST", &path, body, &a));
    json_decref(body);
    end(c);
    assert_non_null(strstr(served.heard, "\r\n\r\n{\"now\":\"2026-03-01T00:00:00Z\"}"));
    assert_null(strstr(served.heard, "Authorization"));
}

static void an_upload_of_unknown_length_arrives_whole(void **state)
{
    struct path path = path_of("/v1/import/meters");
    struct api *c = begin(HEAD "Content-Length: 10\r\n\r\n{\"rows\":1}", NULL);
    struct api_answer a;
    int ends[2];
    FILE *f;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "serial\nA1\n", 10), 10);
    close(ends[1]);
    f = fdopen(ends[0], "r");
    assert_true(api_upload(c, &path, f, &a));
    assert_int_equal(json_integer_value(json_object_get(a.json, "rows")), 1);
    api_answer_done(&a);
    fclose(f);
    end(c);
    assert_non_null(strstr(served.heard, "serial\nA1\n"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_that_counts_itself_is_whole),
        cmocka_unit_test(a_list_cut_short_fails),
        cmocka_unit_test(csv_is_held_against_its_trailer),
        cmocka_unit_test(a_path_says_what_was_meant),
        cmocka_unit_test(a_token_is_sent_without_its_line_end),
        cmocka_unit_test(a_refusal_fails_and_a_body_arrives),
        cmocka_unit_test(an_upload_of_unknown_length_arrives_whole),
    };

    unsetenv("NILO_TOKEN_FILE");
    unsetenv("NILO_SERVER");
    return check_run(tests, argc, argv);
}
