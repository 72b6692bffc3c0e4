/* Tables stand in line also for Chinese; the command line says what it takes.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/check.h"
#include "tools/nilo/sheet.h"

static char *printed(const char *columns, const char *rows)
{
    char *text = NULL;
    size_t size, i;
    FILE *f = open_memstream(&text, &size);
    struct sheet *s = sheet_new(columns, f);
    json_t *list = json_loads(rows, 0, NULL), *row;

    assert_non_null(list);
    json_array_foreach(list, i, row) assert_true(sheet_row(s, row));
    assert_true(sheet_free(s));
    json_decref(list);
    fclose(f);
    return text;
}

static void wide_characters_count_two(void **state)
{
    (void)state;
    assert_int_equal(text_width("abc"), 3);
    assert_int_equal(text_width("水表"), 4);
    assert_int_equal(text_width("DN15 水表"), 9);
    assert_int_equal(text_width("é"), 1);
    assert_int_equal(text_width("e\xcc\x81"), 1);
    assert_int_equal(text_width("\xf0\xa0\x80\x80"), 2);
}

static void columns_of_chinese_and_latin_stand_in_line(void **state)
{
    char *text = printed("point address", "[{\"point\":\"P1\",\"address\":\"x\"},{"
                                          "\"point\":\"杭州路\",\"address\":\"y\"}]");

    (void)state;
    assert_string_equal(text, "point   address\nP1      x\n杭州路  y\n");
    free(text);
}

static void numbers_stand_to_the_right(void **state)
{
    char *text = printed("dn q3", "[{\"dn\":15,\"q3\":2.5},{\"dn\":300,\"q3\":null}]");

    (void)state;
    assert_string_equal(text, " dn   q3\n 15  2.5\n300     \n");
    free(text);
}

static void a_cell_cannot_command_the_terminal(void **state)
{
    char *text = printed("name", "[{\"name\":\"a\\u001b[31mb\\nc\"}]");

    (void)state;
    assert_string_equal(text, "name\na?[31mb?c\n");
    free(text);
}

static char *told(const char *object)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    json_t *o = json_loads(object, 0, NULL);

    assert_non_null(o);
    sheet_object(o, NULL, FORMAT_TABLE, f);
    json_decref(o);
    fclose(f);
    return text;
}

static void an_object_shows_what_was_told_in_the_readers_language(void **state)
{
    static const char order[] =
        "{\"kind\":\"read\",\"kind_en\":\"read the dial\",\"kind_zh\":\"抄表\","
        "\"note\":\"\",\"flag\":null,\"warnings\":[],\"late\":false}";
    char *en = told(order), *zh;

    (void)state;
    setenv("LC_ALL", "zh_CN.UTF-8", 1);
    zh = told(order);
    setenv("LC_ALL", "C", 1);
    assert_string_equal(en, "kind  read (read the dial)\nlate  no\n");
    assert_string_equal(zh, "类别  read (抄表)\n超时  否\n");
    free(en);
    free(zh);
}

static void things_within_an_object_are_words(void **state)
{
    char *text = told("{\"left\":{\"due\":0,\"overdue\":2,\"of\":{\"short\":0}},"
                      "\"skipped\":{\"open\":0},"
                      "\"warnings\":[{\"code\":\"a\",\"text\":\"b c\"},{\"point\":\"P\","
                      "\"why\":\"w\",\"text_en\":\"e\",\"text_zh\":\"z\"}],"
                      "\"history\":[{\"at\":\"x\",\"who\":\"w\",\"before\":{\"s\":1},"
                      "\"after\":{\"s\":2,"
                      "\"done_at\":\"x\"}}]}");

    (void)state;
    assert_string_equal(text, "left      overdue 2\n"
                              "skipped   -\n"
                              "warnings  b c\n"
                              "          point P: e\n"
                              "history   at x, who w, after (s 2)\n");
    free(text);
}

static void what_nests_deep_is_a_tree_that_leaves_nothing_out(void **state)
{
    char *text = told("{\"explain\":{\"formula\":\"1\",\"parts\":[{\"from_l\":0,\"start\":{"
                      "\"before\":{\"index_l\":0,\"time\":\"t\"},\"after\":{\"index_l\":3}}}]}"
                      "}");

    (void)state;
    assert_string_equal(text, "explain  \n"
                              "  formula  1\n"
                              "  parts\n"
                              "    from_l  0\n"
                              "    start\n"
                              "      before  index_l 0, time t\n"
                              "      after  index_l 3\n");
    free(text);
}

static void rows_beyond_those_held_back_are_printed_too(void **state)
{
    char *rows = malloc(1 << 20), *text;
    size_t len = (size_t)sprintf(rows, "[{\"a\":0}"), lines = 0;

    (void)state;
    for (int i = 1; i < SHEET_HELD * 2 + 5; i++)
        len += (size_t)sprintf(rows + len, ",{\"a\":%d}", i);
    strcpy(rows + len, "]");
    text = printed("a", rows);
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    assert_int_equal(lines, SHEET_HELD * 2 + 5 + 1);
    free(text);
    free(rows);
}

/* ---- the command line ---- */

static int nothing(const struct args *a)
{
    (void)a;
    return 0;
}

static const struct command commands[] = {
    { 0, "meter list", "", "list", nothing },
    { 1, "meter show", "SERIAL", "show", nothing },
    { 2, "import", "LIST FILE", "import", nothing },
    { 3, "help", "[COMMAND...]", "help", nothing },
};
static const struct command_option options[] = {
    { 0, "state", "S", false, "" },           { 1, "at", "T", true, "" },
    { 2, "dry-run", NULL, false, "" },        { COMMAND_ANY, "server", "URL", false, "" },
    { COMMAND_ANY, "help", NULL, false, "" }, { COMMAND_ANY, "version", NULL, false, "" },
};
static const struct command_table table = { commands, options, 4, 6, NULL };

static int read_words(struct args *out, const char *line)
{
    static char copy[256];
    char *argv[16] = { (char[]){ "nilo" } }, *save = NULL;
    int argc = 1;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    return args_read(&table, argc, argv, out);
}

static void options_may_stand_anywhere(void **state)
{
    struct args a;

    (void)state;
    assert_int_equal(read_words(&a, "--server http://x meter --server=http://y show A1 --at 5"), 0);
    assert_string_equal(a.command->words, "meter show");
    assert_string_equal(a.positional[0], "A1");
    assert_string_equal(args_option(&a, "server"), "http://y");
    assert_string_equal(args_option(&a, "at"), "5");
}

static void a_dash_is_an_argument_and_two_end_the_options(void **state)
{
    struct args a;

    (void)state;
    assert_int_equal(read_words(&a, "import meters - --dry-run"), 0);
    assert_string_equal(a.positional[1], "-");
    assert_string_equal(args_option(&a, "dry-run"), "");
    assert_int_equal(read_words(&a, "import meters -- --dry-run"), 0);
    assert_string_equal(a.positional[1], "--dry-run");
}

static void wrong_usage_is_two(void **state)
{
    static const char *const wrong[] = {
        "",
        "meter",
        "meter lists",
        "metre list",
        "meter show A1",
        "meter show --at 5",
        "meter list A",
        "meter list --at 5",
        "meter list --state",
        "import a b --dry-run=1",
        "import a",
        "-x meter list",
    };
    struct args a;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(read_words(&a, wrong[i]), EXIT_USAGE);
}

static void help_needs_nothing_else(void **state)
{
    struct args a;

    (void)state;
    assert_int_equal(read_words(&a, "--help"), 0);
    assert_null(a.command);
    assert_int_equal(read_words(&a, "meter show --help"), 0);
    assert_string_equal(a.command->words, "meter show");
    assert_int_equal(read_words(&a, "help meter show"), 0);
    assert_int_equal(a.count, 2);
}

static void a_number_outside_its_bounds_is_refused(void **state)
{
    struct args a;
    int64_t n = 0;

    (void)state;
    assert_int_equal(read_words(&a, "meter list --state 5"), 0);
    assert_true(args_number(&a, "state", 0, 5, 1, &n));
    assert_int_equal(n, 5);
    assert_false(args_number(&a, "state", 0, 4, 1, &n));
    assert_int_equal(read_words(&a, "meter list"), 0);
    assert_true(args_number(&a, "state", 0, 4, 1, &n));
    assert_int_equal(n, 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_characters_count_two),
        cmocka_unit_test(columns_of_chinese_and_latin_stand_in_line),
        cmocka_unit_test(numbers_stand_to_the_right),
        cmocka_unit_test(a_cell_cannot_command_the_terminal),
        cmocka_unit_test(an_object_shows_what_was_told_in_the_readers_language),
        cmocka_unit_test(things_within_an_object_are_words),
        cmocka_unit_test(what_nests_deep_is_a_tree_that_leaves_nothing_out),
        cmocka_unit_test(rows_beyond_those_held_back_are_printed_too),
        cmocka_unit_test(options_may_stand_anywhere),
        cmocka_unit_test(a_dash_is_an_argument_and_two_end_the_options),
        cmocka_unit_test(wrong_usage_is_two),
        cmocka_unit_test(help_needs_nothing_else),
        cmocka_unit_test(a_number_outside_its_bounds_is_refused),
    };

    unsetenv("LC_ALL");
    unsetenv("LC_MESSAGES");
    setenv("LANG", "C.UTF-8", 1);
    return check_run(tests, argc, argv);
}
