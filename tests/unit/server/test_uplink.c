/* Small things of the way in from network servers: brokers' addresses, and the names of downlinks. */
#include "server/gateway/mqtt_url.h"
#include "server/uplink.h"
#include "tests/check.h"

#include <stdio.h>

static struct mqtt_url url_of(const char *text)
{
    struct refusal r = { .err = ERR_OK };
    struct mqtt_url u;

    if (mqtt_url_read(text, &u, &r))
        fail_msg("%s: %s", text, r.text);
    return u;
}

static void an_address_says_host_port_user_and_password(void **state)
{
    struct mqtt_url u = url_of("mqtt://broker.city");

    (void)state;
    assert_false(u.tls || u.has_user || u.has_password);
    assert_string_equal(u.host, "broker.city");
    assert_int_equal(u.port, 1883);
    u = url_of("mqtts://broker.city/");
    assert_true(u.tls);
    assert_int_equal(u.port, 8883);
    u = url_of("mqtts://nilo:wa%3ater%40%207@[::1]:8884");
    assert_string_equal(u.user, "nilo");
    assert_string_equal(u.password, "wa:ter@ 7");
    assert_string_equal(u.host, "::1");
    assert_int_equal(u.port, 8884);
    u = url_of("mqtt://app@tenant@eu1.example:1883");
    assert_string_equal(u.user, "app@tenant");
    assert_false(u.has_password);
    assert_string_equal(u.host, "eu1.example");
}

static void what_is_no_address_is_refused_without_its_password(void **state)
{
    static const char *const wrong[] = { "",
                                         "mqtt",
                                         "tcp://host",
                                         "mqtt://",
                                         "mqtt://:1883",
                                         "mqtt://host:",
                                         "mqtt://host:port",
                                         "mqtt://host:65536",
                                         "mqtt://host:-1",
                                         "mqtt://ho st",
                                         "mqtt://host/topic",
                                         "mqtt://u:secret%4@host",
                                         "mqtt://u:secret%00@host",
                                         "mqtt://u:secret@",
                                         "mqtt://[::1",
                                         "mqtt://[::1]1883",
                                         "mqtt://[]" };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct refusal r = { .err = ERR_OK };
        struct mqtt_url u;

        if (mqtt_url_read(wrong[i], &u, &r) != ERR_INVALID)
            fail_msg("%s: taken", wrong[i]);
        assert_null(strstr(r.text, "secret"));
    }
}

static void a_downlinks_name_says_its_command(void **state)
{
    struct check_random random = check_random_begin();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        struct downlink d = { .ticket = { .meter = (uint32_t)check_random(&random),
                                          .sent = (uint32_t)check_random(&random) } };
        char name[DOWNLINK_NAME];
        uint32_t meter = 0, command = 0;

        downlink_name(&d, i % 2, name);
        if (i % 2) { /* a UUID of version 8, variant 10x */
            assert_int_equal(strlen(name), 36);
            assert_int_equal(name[14], '8');
            assert_int_equal(name[19], '8');
        }
        assert_true(downlink_named(span_text(name), &meter, &command));
        assert_int_equal(meter, d.ticket.meter);
        assert_int_equal(command, d.ticket.sent);
        name[check_below(&random, strlen(name))] = 'x';
        assert_false(downlink_named(span_text(name), &meter, &command));
    }
}

static void a_downlink_of_somebody_else_is_not_ours(void **state)
{
    static const char *const names[] = { "",
                                         "nilo-",
                                         "nilo-1-2",
                                         "nilo-00000001-00000002-",
                                         "NILO-00000001-00000002",
                                         "6e696c6f-0000-4001-8000-000000000007",
                                         "11111118-6ec9-4a68-8e26-5c608a408eff",
                                         "6e696c6f-0000-8001-8000-000000000007000000000" };
    uint32_t meter, command;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (downlink_named(span_text(names[i]), &meter, &command))
            fail_msg("%s: taken for ours", names[i]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_says_host_port_user_and_password),
        cmocka_unit_test(what_is_no_address_is_refused_without_its_password),
        cmocka_unit_test(a_downlinks_name_says_its_command),
        cmocka_unit_test(a_downlink_of_somebody_else_is_not_ours),
    };

    return check_run(tests, argc, argv);
}
