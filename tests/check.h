/* What our tests add to cmocka: guard pages, seeds, temporary folders, files.  A test program's main is
 *
 *     return check_run(tests, argc, argv);
 *
 * and runs the tests whose names match its argument (with '*' and '?'), or all.  One thread. */
#ifndef NILO_TESTS_CHECK_H
#define NILO_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/base/err.h"
#include "proto/base/span.h"

#define check_run(tests, argc, argv)                                                               \
    (check_begin(argc, argv), _cmocka_run_group_tests(#tests, tests, sizeof(tests) / sizeof((tests)[0]), NULL, NULL))
void check_begin(int argc, char **argv);

/* Both errors by name where they differ. */
#define assert_err(expected, given) check_err(expected, given, #given, __FILE__, __LINE__)
#define assert_ok(given) assert_err(ERR_OK, given)
void check_err(enum err expected, enum err given, const char *what, const char *file, int line);

/* ---- memory whose end is watched --------------------------------------------------------------------------------- */

/* `len` bytes, zeroed (or copied), right before a page that nobody may touch: one byte too far ends the test. */
uint8_t *check_guard(size_t len);
struct span check_guarded(struct span bytes);
void check_unguard(const void *at, size_t len);

/* ---- randomness that comes again --------------------------------------------------------------------------------- */

struct check_random {
    uint64_t state;
};

/* From NILO_SEED, or anew; says the seed and the command that runs just this test with it again. */
#define check_random_begin() check_random_named(__func__)
struct check_random check_random_named(const char *test);
uint64_t check_random(struct check_random *r);
uint64_t check_below(struct check_random *r, uint64_t bound);                    /* 0 ≤ x < bound */
int64_t check_between(struct check_random *r, int64_t least, int64_t most);      /* both included */
void check_fill(struct check_random *r, uint8_t *out, size_t len);
void check_shuffle(struct check_random *r, void *items, size_t count, size_t size);

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* A new empty folder, removed with all that is in it when this process ends well or not (but for a kill -9). Owned here. */
const char *check_folder(void);

/* The whole file, with a zero behind it; fails the test where it cannot. Free with free. */
struct span check_read(const char *path);
void check_write(const char *path, struct span bytes);

/* Calls `each` for the files of `folder` whose names end in `suffix`, in order of name; returns how many.  `path` and `stem` (the
 * path without suffix) are borrowed. */
size_t check_each_file(const char *folder, const char *suffix, void (*each)(const char *path, const char *stem));

/* The folder of cases and data that lies beside the project where it is developed ($NILO_SHARED, else ../shared): NULL where absent, then
 * call skip(). */
#define check_shared() check_shared_beside(NILO_SOURCE_DIR)
const char *check_shared_beside(const char *root);

#endif
