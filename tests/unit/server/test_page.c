/* What the page may load, and its files. */
#include "server/query/page.h"
#include "server/query/target.h"
#include "tests/check.h"

static enum err open_with(const char *tiles, struct page *out)
{
    struct refusal r = { 0 };
    enum err err = page_open(&(struct page_options){ .map_tiles = tiles }, out, &r);

    if (err)
        assert_string_equal(r.field, "map-tiles");
    return err;
}

static void a_page_loads_nothing_from_elsewhere_but_the_tiles_of_its_maps(void **state)
{
    struct page p;

    (void)state;
    assert_int_equal(open_with(NULL, &p), ERR_OK);
    assert_null(strstr(p.policy, "http"));
    assert_null(strstr(p.policy, "unsafe"));
    assert_non_null(strstr(p.policy, "default-src 'none'; script-src 'self'; style-src 'self'"));
    assert_int_equal(open_with("https://tile.example.org:8443/{z}/{x}/{y}.png", &p), ERR_OK);
    assert_non_null(strstr(p.policy, "blob: https://tile.example.org:8443; connect-src 'self'"));
    assert_int_equal(open_with("http://{s}.tile.example.org/{z}/{x}/{y}.png?k=1", &p), ERR_OK);
    assert_non_null(strstr(p.policy, "blob: http://*.tile.example.org; connect-src 'self'"));
}

static void a_template_that_could_say_more_in_the_policy_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "tile.example.org/{z}/{x}/{y}.png",
        "ftp://tile.example.org/{z}/{x}/{y}.png",
        "https:///{z}/{x}/{y}.png",
        "https://tile.example.org/{z}/{x}.png",
        "https://a;script-src *;/{z}/{x}/{y}.png",
        "https://a b/{z}/{x}/{y}.png",
        "https://*/{z}/{x}/{y}.png",
        "https://tile.example.org/{z}/{x}/{y}.png\r\nX: y",
        "https://tile.example.org/\"{z}/{x}/{y}.png",
    };
    static char longer[PAGE_TILES_MAX + 64] = "https://tile.example.org/{z}/{x}/{y}/";
    struct page p;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(open_with(wrong[i], &p), ERR_INVALID);
    memset(longer + strlen(longer), 'a', PAGE_TILES_MAX);
    assert_int_equal(open_with(longer, &p), ERR_INVALID);
}

static void every_file_that_the_page_names_is_in_the_program(void **state)
{
    const struct page_file *page = page_file(span_text("index.html"));
    const char *at, *end;
    unsigned named = 0;

    (void)state;
    assert_non_null(page);
    assert_false(page->fixed);
    at = (const char *)page->raw;
    end = at + page->raw_len;
    while ((at = (const char *)memmem(at, (size_t)(end - at), "\"/web/", 6))) {
        const char *close;

        at += 6;
        close = (const char *)memchr(at, '"', (size_t)(end - at));
        assert_non_null(close);
        assert_non_null(page_file(span_of(at, (size_t)(close - at))));
        named++;
    }
    assert_true(named >= 4);
    assert_null(page_file(span_text("../files.c")));
    assert_null(page_file(span_text("")));
    for (const struct page_file *f = page_files; f->name; f++) {
        assert_non_null(f->type);
        assert_true(!f->packed || f->packed_len < f->raw_len);
        assert_true(!f->packed || (f->packed[0] == 0x1f && f->packed[1] == 0x8b));
    }
}

static void gzip_goes_to_who_takes_it(void **state)
{
    (void)state;
    assert_true(coding_taken(span_text("gzip, deflate, br"), "gzip"));
    assert_true(coding_taken(span_text("br;q=1.0, GZIP;q=0.8"), "gzip"));
    assert_false(coding_taken(span_text("gzip;q=0"), "gzip"));
    assert_false(coding_taken(span_text("xgzip, br"), "gzip"));
    assert_false(coding_taken(span_text("identity"), "gzip"));
    assert_false(coding_taken((struct span){ 0 }, "gzip"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_loads_nothing_from_elsewhere_but_the_tiles_of_its_maps),
        cmocka_unit_test(a_template_that_could_say_more_in_the_policy_is_refused),
        cmocka_unit_test(every_file_that_the_page_names_is_in_the_program),
        cmocka_unit_test(gzip_goes_to_who_takes_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
