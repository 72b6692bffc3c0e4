/* Photos are kept once under what they contain, refused where they are none or there is no room, and damage shows. */
#include "storage/photos.h"

#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *dir;
static struct photos *photos;

static struct span jpeg(size_t len, uint8_t with)
{
    static uint8_t bytes[PHOTO_BYTES_MAX + 16];

    memset(bytes, with, sizeof bytes);
    memcpy(bytes, "\xff\xd8\xff\xe0", 4);
    return span_of(bytes, len);
}

static void begin(uint64_t room)
{
    dir = check_folder();
    assert_ok(photos_open(dir, room, &photos));
}

static void end(void)
{
    photos_close(photos);
}

static void what_is_kept_comes_back_and_is_kept_once(void **state)
{
    char id[PHOTO_ID_SIZE], again[PHOTO_ID_SIZE];
    uint8_t *bytes;
    size_t len;
    bool is_new;

    (void)state;
    begin(1 << 20);
    assert_ok(photos_put(photos, jpeg(5000, 7), id, &is_new, NULL));
    assert_true(is_new);
    assert_ok(photos_put(photos, jpeg(5000, 7), again, &is_new, NULL));
    assert_false(is_new);
    assert_string_equal(id, again);
    assert_ok(photos_get(photos, span_text(id), &bytes, &len));
    assert_int_equal(len, 5000);
    assert_memory_equal(bytes, jpeg(5000, 7).at, len);
    assert_string_equal(photo_type(span_of(bytes, len)), "image/jpeg");
    free(bytes);
    id[3] ^= 1;
    assert_err(ERR_NOT_FOUND, photos_get(photos, span_text(id), &bytes, &len));
    assert_err(ERR_NOT_FOUND, photos_get(photos, span_text("../../store.key"), &bytes, &len));
    end();
}

static void only_images_are_taken(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *type;
    } begins[] = {
        { "\xff\xd8\xff\xdb", 4, "image/jpeg" },
        { "\x89PNG\r\n\x1a\n....", 12, "image/png" },
        { "RIFF....WEBPVP8 ", 16, "image/webp" },
        { "RIFF....WAVE", 12, NULL },
        { "RIFF", 4, NULL },
        { "<svg xmlns=", 11, NULL },
        { "<!DOCTYPE html>", 15, NULL },
        { "GIF89a", 6, NULL },
        { "", 0, NULL },
    };
    struct refusal r;
    char id[PHOTO_ID_SIZE];
    bool is_new;

    (void)state;
    begin(1 << 20);
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        struct span bytes = span_of(begins[i].bytes, begins[i].len);

        if (begins[i].type)
            assert_string_equal(photo_type(bytes), begins[i].type);
        assert_err(begins[i].type ? ERR_OK : ERR_INVALID,
                   photos_put(photos, bytes, id, &is_new, &r));
    }
    assert_err(ERR_TOO_LARGE, photos_put(photos, jpeg(PHOTO_BYTES_MAX + 1, 1), id, &is_new, &r));
    end();
}

static void room_has_an_end_over_a_restart_too(void **state)
{
    struct refusal r;
    char id[PHOTO_ID_SIZE];
    bool is_new;

    (void)state;
    begin(10000);
    assert_ok(photos_put(photos, jpeg(6000, 1), id, &is_new, &r));
    assert_err(ERR_LIMIT, photos_put(photos, jpeg(6000, 2), id, &is_new, &r));
    photos_close(photos);
    assert_ok(photos_open(dir, 10000, &photos));
    assert_err(ERR_LIMIT, photos_put(photos, jpeg(6000, 2), id, &is_new, &r));
    assert_ok(photos_put(photos, jpeg(6000, 1), id, &is_new, &r));
    assert_ok(photos_put(photos, jpeg(4000, 2), id, &is_new, &r));
    end();
}

static void damage_shows_and_is_copied_nowhere(void **state)
{
    char id[PHOTO_ID_SIZE], path[512], to[600];
    uint64_t count, total;
    struct refusal r = { 0 };
    uint8_t *bytes;
    size_t len;
    bool is_new;
    FILE *f;

    (void)state;
    begin(1 << 20);
    assert_ok(photos_check(dir, &count, &total, &r));
    assert_int_equal(count, 0);
    assert_ok(photos_put(photos, jpeg(100, 1), id, &is_new, &r));
    assert_ok(photos_put(photos, jpeg(300, 2), id, &is_new, &r));
    snprintf(to, sizeof to, "%s/copy", dir);
    assert_int_equal(mkdir(to, 0700), 0);
    assert_ok(photos_copy(dir, to, &r));
    assert_ok(photos_check(to, &count, &total, &r));
    assert_int_equal(count, 2);
    assert_int_equal(total, 400);
    snprintf(path, sizeof path, "%s/photos/%.2s/%s", dir, id, id);
    f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, 50, SEEK_SET);
    fputc(99, f);
    fclose(f);
    assert_err(ERR_CORRUPT, photos_get(photos, span_text(id), &bytes, &len));
    assert_err(ERR_CORRUPT, photos_check(dir, &count, &total, &r));
    assert_non_null(strstr(r.text, id));
    assert_err(ERR_CORRUPT, photos_copy(dir, to, &r));
    assert_ok(
        photos_put(photos, jpeg(300, 2), id, &is_new, &r)); /* handed in again it is whole again */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_err(ERR_CORRUPT, photos_get(photos, span_text(id), &bytes, &len));
    assert_int_equal(unlink(path), 0);
    assert_ok(photos_put(photos, jpeg(300, 2), id, &is_new, &r));
    assert_ok(photos_check(dir, &count, &total, &r));
    end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_comes_back_and_is_kept_once),
        cmocka_unit_test(only_images_are_taken),
        cmocka_unit_test(room_has_an_end_over_a_restart_too),
        cmocka_unit_test(damage_shows_and_is_copied_nowhere),
    };

    return check_run(tests, argc, argv);
}
