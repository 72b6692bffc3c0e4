/* Workbooks, read by the format itself (tests/xlsx_dump.py). */
#include "server/query/xlsx.h"
#include "tests/check.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct zone zone;
static const char *const answers[] = { "done", "no-access", NULL };
static const struct sheet_column columns[] = {
    { .en = "Address", .zh = "地址", .kind = SHEET_TEXT, .width = 30 },
    { .en = "Index", .zh = "读数", .kind = SHEET_NUMBER, .unit = "m³", .digits = 3 },
    { .en = "Pieces", .zh = "件数", .kind = SHEET_NUMBER },
    { .en = "Read at", .zh = "抄表时间", .kind = SHEET_TIME },
    { .en = "Due", .zh = "到期日", .kind = SHEET_DATE },
    { .en = "Result", .zh = "结果", .kind = SHEET_EMPTY, .choices = answers },
};
#define COLUMNS (sizeof columns / sizeof columns[0])

static struct xlsx *sheet_new(const char *name, const char *title)
{
    struct sheet s = { .name = name, .title = title, .zone = &zone, .made_at_s = 1772323200 };
    struct xlsx *x;

    zone_fixed(&zone, "Asia/Shanghai", 8 * 3600);
    assert_ok(xlsx_new(&s, columns, COLUMNS, &x));
    return x;
}

/* What the workbook holds, as lines; free(). */
static char *dumped(const struct out *file)
{
    char path[600], command[1400];
    char *text = calloc(1, 1 << 20);
    FILE *p;

    snprintf(path, sizeof path, "%s/book.xlsx", check_folder());
    check_write(path, span_of(file->at, file->len));
    snprintf(command, sizeof command, "python3 %s/tests/xlsx_dump.py %s", NILO_SOURCE_DIR, path);
    p = popen(command, "r");
    assert_non_null(p);
    fread(text, 1, (1 << 20) - 1, p);
    assert_int_equal(0, pclose(p));
    return text;
}

static void assert_line(const char *text, const char *line)
{
    size_t len = strlen(line);

    for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (strncmp(at, line, len) == 0 && (at[len] == '\n' || at[len] == 0))
            return;
    printf("%s", text); /* longer than a failure may be */
    fail_msg("no line \"%s\"", line);
}

static char *ended(struct xlsx *x)
{
    struct out file = { 0 };
    char *text;

    assert_ok(xlsx_end(x, &file));
    text = dumped(&file);
    out_done(&file);
    return text;
}

static void cells_are_texts_numbers_dates_and_times(void **state)
{
    struct xlsx *x = sheet_new("T1", "Tour T1");
    char *text;

    (void)state;
    xlsx_text(x, span_text("汉口路 1 号"));
    xlsx_litres(x, 1234567);
    xlsx_number(x, 12);
    xlsx_time(x, 1772323200); /* 2026-03-01T00:00Z, 8 o'clock here */
    xlsx_date(x, 20513);      /* 2026-03-01 */
    xlsx_row_end(x);
    xlsx_text(x, span_text("short"));
    xlsx_row_end(x);
    text = ended(x);
    assert_line(text, "cell\tA1\ttext\tGeneral\t[\"地址\\nAddress\"]");
    assert_line(text, "cell\tB1\ttext\tGeneral\t[\"读数\\nIndex (m³)\"]");
    assert_line(text, "cell\tA2\ttext\t@\t[\"汉口路 1 号\"]");
    assert_line(text, "cell\tB2\tn\t0.000\t1.234567");
    assert_line(text, "cell\tC2\tn\t0\t12");
    assert_line(text, "cell\tD2\tn\tyyyy-mm-dd hh:mm\t46082.33333333334");
    assert_line(text, "cell\tE2\tn\tyyyy-mm-dd\t46082");
    assert_line(text, "cell\tF2\tempty\tGeneral");
    assert_line(text, "cell\tB3\tempty\t0.000");
    assert_line(text, "cell\tF3\tempty\tGeneral");
    free(text);
}

static void it_is_made_to_be_read_and_printed(void **state)
{
    struct xlsx *x = sheet_new("a[b]:c*d?e/f\\g", "R&D <西区>");
    char *text;

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        xlsx_text(x, span_text("x"));
        xlsx_row_end(x);
    }
    text = ended(x);
    assert_line(text, "sheet\ta_b__c_d_e_f_g");
    assert_line(text, "pane\tactivePane=bottomLeft state=frozen topLeftCell=A2 ySplit=1");
    assert_line(text, "name\t_xlnm.Print_Titles\ta_b__c_d_e_f_g!$1:$1");
    assert_line(text, "pageSetup\tfitToHeight=0 orientation=landscape paperSize=9");
    assert_line(text, "pageSetUpPr\tfitToPage=1");
    assert_line(text, "autoFilter\tref=A1:F101");
    assert_line(text, "oddHeader\t&LR&&D <西区>");
    assert_line(text, "choice\tF2:F101\t\"done,no-access\"");
    assert_non_null(strstr(text, "width=30.7109375"));
    free(text);
}

static void a_text_is_a_text_whatever_it_looks_like(void **state)
{
    static const char *const hostile[] = { "=1+1",
                                           "=HYPERLINK(\"http://x\",\"y\")",
                                           "+1",
                                           "-2+3",
                                           "@SUM(A1)",
                                           "00120",
                                           "1E5",
                                           "_x0041_",
                                           "<b>&amp;\"'",
                                           "2026-03-01",
                                           " blank ",
                                           "\xEF\xBC\x9D"
                                           "1" };
    struct xlsx *x = sheet_new("T", "T");
    char *text, line[200];
    size_t n = sizeof hostile / sizeof hostile[0];

    (void)state;
    for (size_t i = 0; i < n; i++) {
        xlsx_text(x, span_text(hostile[i]));
        xlsx_row_end(x);
    }
    text = ended(x);
    assert_null(strstr(text, "FORMULA"));
    assert_line(text, "cell\tA2\ttext\t@\t[\"=1+1\"]");
    assert_line(text, "cell\tA7\ttext\t@\t[\"00120\"]");
    assert_line(text, "cell\tA9\ttext\t@\t[\"_x0041_\"]");
    assert_line(text, "cell\tA10\ttext\t@\t[\"<b>&amp;\\\"'\"]");
    assert_line(text, "cell\tA12\ttext\t@\t[\" blank \"]");
    for (size_t i = 0; i < n; i++) {
        snprintf(line, sizeof line, "cell\tA%zu\ttext\t@\t[\"", i + 2);
        assert_non_null(strstr(text, line));
    }
    free(text);
}

static void no_bytes_break_the_file(void **state)
{
    struct check_random r = check_random_begin();
    struct xlsx *x =
        sheet_new("\xE6\xB1\x89\xE6\xB1\x89\xE6\xB1\x89\xE6\xB1\x89\xE6\xB1\x89\xE6\xB1\x89"
                  "\xE6\xB1\x89\xE6\xB1\x89\xE6\xB1\x89\xE6\xB1\x89\xE6\xB1\x89",
                  "\xFF\x01&&&");
    uint8_t noise[64];
    char *text, *longest = calloc(1, 3 * XLSX_TEXT_MAX);

    (void)state;
    xlsx_text(x, span_text("a\x01\x1F\x7F\tb\nc"));
    xlsx_row_end(x);
    xlsx_text(x, span_text("\xFF\xC0\x80\xED\xA0\x80\xEF\xBF\xBF|\xE6\xB1"));
    xlsx_row_end(x);
    memset(longest, 0xE6, 3 * XLSX_TEXT_MAX); /* each byte becomes three */
    xlsx_text(x, span_of(longest, 3 * XLSX_TEXT_MAX));
    xlsx_row_end(x);
    for (unsigned i = 0; i < 500; i++) {
        check_fill(&r, noise, sizeof noise);
        xlsx_text(x, span_of(noise, sizeof noise));
        xlsx_row_end(x);
    }
    text = ended(x);
    assert_line(text, "cell\tA2\ttext\t@\t[\"a    b\\nc\"]");
    assert_line(
        text,
        "cell\tA3\ttext\t@\t["
        "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
        "\xEF\xBF\xBD\xEF\xBF\xBD|\xEF\xBF\xBD\xEF\xBF\xBD\"]");
    free(text);
    free(longest);
}

static void what_is_no_number_or_no_date_is_an_empty_cell(void **state)
{
    struct xlsx *x = sheet_new("T", "T");
    char *text;

    (void)state;
    xlsx_empty(x);
    xlsx_number(x, NAN);
    xlsx_number(x, INFINITY);
    xlsx_time(x, INT64_C(-99999999999));
    xlsx_date(x, -25509); /* 1900-02-28 */
    xlsx_row_end(x);
    xlsx_empty(x);
    xlsx_litres(x, INT64_MAX);
    xlsx_empty(x);
    xlsx_time(x, INT64_C(253402300799) - 8 * 3600); /* the last second of 9999 */
    xlsx_date(x, -25508);
    xlsx_row_end(x);
    text = ended(x);
    assert_line(text, "cell\tB2\tempty\t0.000");
    assert_line(text, "cell\tC2\tempty\t0");
    assert_line(text, "cell\tD2\tempty\tyyyy-mm-dd hh:mm");
    assert_line(text, "cell\tE2\tempty\tyyyy-mm-dd");
    assert_line(text, "cell\tE3\tn\tyyyy-mm-dd\t61");
    assert_non_null(strstr(text, "cell\tD3\tn\tyyyy-mm-dd hh:mm\t2958465.99"));
    free(text);
}

static void the_same_rows_are_the_same_bytes_and_none_at_all_is_a_file(void **state)
{
    struct out a = { 0 }, b = { 0 };
    char *text;

    (void)state;
    assert_ok(xlsx_end(sheet_new("T", "T"), &a));
    assert_ok(xlsx_end(sheet_new("T", "T"), &b));
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.at, b.at, a.len);
    text = dumped(&a);
    assert_line(text, "cell\tF1\ttext\tGeneral\t[\"结果\\nResult\"]");
    assert_null(strstr(text, "cell\tA2"));
    free(text);
    out_done(&a);
    out_done(&b);
    xlsx_drop(sheet_new("T", "T"));
    xlsx_drop(NULL);
}

/* A writer of its own: the same book again and again, of another day than the other's. */
#define BOOKS 60

struct author {
    int64_t made_at_s;
    unsigned others; /* books that came out unlike the first */
};

static void book_make(const struct author *a, struct out *file)
{
    struct sheet s = { .name = "T", .title = "T", .zone = &zone, .made_at_s = a->made_at_s };
    struct xlsx *x;

    assert_ok(xlsx_new(&s, columns, COLUMNS, &x));
    assert_ok(xlsx_end(x, file));
}

static void *author_writes(void *arg)
{
    struct author *a = (struct author *)arg;
    struct out first = { 0 }, again = { 0 };

    book_make(a, &first);
    for (unsigned i = 0; i < BOOKS; i++) {
        book_make(a, &again);
        a->others += again.len != first.len || memcmp(again.at, first.at, first.len) != 0;
        out_done(&again);
        again = (struct out){ 0 };
    }
    out_done(&first);
    return NULL;
}

static void books_that_are_written_at_once_are_each_as_if_alone(void **state)
{
    struct author two[] = { { .made_at_s = 1772323200 }, { .made_at_s = 961 } };
    pthread_t threads[2];

    (void)state;
    zone_fixed(&zone, "Asia/Shanghai", 8 * 3600);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, author_writes, &two[i]));
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(0, pthread_join(threads[i], NULL));
    assert_int_equal(0, two[0].others + two[1].others);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_texts_numbers_dates_and_times),
        cmocka_unit_test(it_is_made_to_be_read_and_printed),
        cmocka_unit_test(a_text_is_a_text_whatever_it_looks_like),
        cmocka_unit_test(no_bytes_break_the_file),
        cmocka_unit_test(what_is_no_number_or_no_date_is_an_empty_cell),
        cmocka_unit_test(the_same_rows_are_the_same_bytes_and_none_at_all_is_a_file),
        cmocka_unit_test(books_that_are_written_at_once_are_each_as_if_alone),
    };

    return check_run(tests, argc, argv);
}
