/* Zones from the system's files. */
#include "server/zonefile.h"
#include "tests/check.h"

#include <stdlib.h>

static void summer_follows_from_the_place_that_names_the_zone(void **state)
{
    static const struct {
        const char *name;
        enum zone_summer summer;
    } places[] = {
        { "Asia/Shanghai", SUMMER_NORTH },           { "Europe/Madrid", SUMMER_NORTH },
        { "Australia/Sydney", SUMMER_SOUTH },        { "America/Santiago", SUMMER_SOUTH },
        { "Africa/Johannesburg", SUMMER_SOUTH },     { "Asia/Singapore", SUMMER_ALWAYS },
        { "America/Argentina/Jujuy", SUMMER_SOUTH }, { "UTC", SUMMER_NORTH },
    };
    struct zone *z = (struct zone *)malloc(sizeof *z);

    (void)state;
    assert_non_null(z);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct refusal r = { 0 };

        assert_ok(zone_load(places[i].name, z, &r));
        if (z->summer != places[i].summer)
            fail_msg("%s: expected %d, found %d", places[i].name, places[i].summer, z->summer);
    }
    free(z);
}

static void a_name_that_is_none_is_refused(void **state)
{
    static const char *const names[] = { "", "Asia/", "../etc/passwd", "Asia/Nowhere" };
    struct zone *z = (struct zone *)malloc(sizeof *z);

    (void)state;
    assert_non_null(z);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct refusal r = { 0 };

        assert_err(ERR_INVALID, zone_load(names[i], z, &r));
    }
    free(z);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(summer_follows_from_the_place_that_names_the_zone),
        cmocka_unit_test(a_name_that_is_none_is_refused),
    };

    return check_run(tests, argc, argv);
}
