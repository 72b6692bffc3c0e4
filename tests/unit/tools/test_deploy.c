/* What deploy/ says agrees with what the programs do. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"

#define DEPLOY NILO_SOURCE_DIR "/deploy/"

static const char *const families[] = {
#define METRIC(id, kind, family, labels, sentence) family,
#include "server/metrics.def"
#undef METRIC
};

/* Every word nilo_… of a file is a family of metrics.def; how many words there were. */
static unsigned check_families(const char *path)
{
    struct span file = check_read(path);
    const char *at = (const char *)file.at;
    unsigned found = 0;

    while ((at = strstr(at, "nilo_"))) {
        size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789");
        bool known = false;

        for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
            known |= strlen(families[i]) == len && !memcmp(families[i], at, len);
        if (!known)
            fail_msg("%s names %.*s, which metrics.def lacks", path, (int)len, at);
        found++;
        at += len;
    }
    free((void *)(uintptr_t)file.at);
    return found;
}

static void the_dashboard_shows_metrics_that_exist(void **state)
{
    json_error_t error;
    json_t *dashboard = json_load_file(DEPLOY "grafana/nilometer.json", 0, &error);

    (void)state;
    if (!dashboard)
        fail_msg("line %d: %s", error.line, error.text);
    assert_true(json_array_size(json_object_get(dashboard, "panels")) > 10);
    json_decref(dashboard);
    assert_true(check_families(DEPLOY "grafana/nilometer.json") > 10);
}

static void the_alerts_watch_metrics_that_exist(void **state)
{
    (void)state;
    assert_true(check_families(DEPLOY "prometheus/nilometer.rules.yml") > 8);
}

static void check_written(const char *page, const char *path)
{
    struct span file = check_read(path);
    char command[512], *now = malloc(file.len + 2);
    size_t len;
    FILE *f;

    snprintf(command, sizeof command, "%s/man_pages %s", NILO_BUILD_DIR, page);
    f = popen(command, "r");
    assert_non_null(f);
    len = fread(now, 1, file.len + 1, f);
    assert_int_equal(pclose(f), 0);
    if (len != file.len || memcmp(now, file.at, len) != 0)
        fail_msg("%s is not what man_pages %s writes now: tools/lint --fix", path, page);
    free(now);
    free((void *)(uintptr_t)file.at);
}

static void the_pages_are_what_the_tables_say(void **state)
{
    (void)state;
    check_written("nilo.1", DEPLOY "man/nilo.1");
    check_written("nilod.1", DEPLOY "man/nilod.1");
    check_written("nilod.conf", DEPLOY "nilod.conf");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dashboard_shows_metrics_that_exist),
        cmocka_unit_test(the_alerts_watch_metrics_that_exist),
        cmocka_unit_test(the_pages_are_what_the_tables_say),
    };

    return check_run(tests, argc, argv);
}
