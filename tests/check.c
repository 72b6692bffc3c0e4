#include "tests/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDERS_MAX 64
#define FILES_MAX 4096

void check_begin(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
}

void check_err(enum err expected, enum err given, const char *what, const char *file, int line)
{
    if (expected == given)
        return;
    print_error("%s: expected %s, found %s\n", what, err_name(expected), err_name(given));
    _fail(file, line);
}

/* ---- guard pages ---------------------------------------------------------------------------- */

static size_t whole_pages(size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (len + page - 1) / page * page;
}

uint8_t *check_guard(size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = whole_pages(len);
    uint8_t *at =
        mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED || mprotect(at + room, page, PROT_NONE))
        fail_msg("no guarded memory: %s", strerror(errno));
    return at + room - len;
}

struct span check_guarded(struct span bytes)
{
    uint8_t *at = check_guard(bytes.len);

    if (bytes.len)
        memcpy(at, bytes.at, bytes.len);
    return span_of(at, bytes.len);
}

void check_unguard(const void *at, size_t len)
{
    size_t room = whole_pages(len);

    munmap((uint8_t *)at + len - room, room + (size_t)sysconf(_SC_PAGESIZE));
}

/* ---- randomness ----------------------------------------------------------------------------- */

struct check_random check_random_named(const char *test)
{
    const char *given = getenv("NILO_SEED");
    struct timespec now;
    uint64_t seed;

    clock_gettime(CLOCK_REALTIME, &now);
    seed =
        given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_sec * 1000003u + (uint64_t)now.tv_nsec;
    print_message("seed: NILO_SEED=%llu %s %s\n", (unsigned long long)seed, program_invocation_name,
                  test);
    return (struct check_random){ seed };
}

/* splitmix64 (Steele, Lea, Flood 2014): every seed is a good one. */
uint64_t check_random(struct check_random *r)
{
    uint64_t v = r->state += 0x9e3779b97f4a7c15u;

    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
    v = (v ^ v >> 27) * 0x94d049bb133111ebu;
    return v ^ v >> 31;
}

uint64_t check_below(struct check_random *r, uint64_t bound)
{
    return check_random(r) % bound;
}

int64_t check_between(struct check_random *r, int64_t least, int64_t most)
{
    uint64_t width = (uint64_t)most - (uint64_t)least + 1;

    return (int64_t)((uint64_t)least + (width ? check_below(r, width) : check_random(r)));
}

void check_fill(struct check_random *r, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)check_random(r);
}

static void swap(uint8_t *a, uint8_t *b, size_t size)
{
    for (; size--; a++, b++) {
        uint8_t kept = *a;

        *a = *b;
        *b = kept;
    }
}

void check_shuffle(struct check_random *r, void *items, size_t count, size_t size)
{
    uint8_t *at = items;

    for (size_t i = count; i > 1; i--)
        swap(at + (i - 1) * size, at + check_below(r, i) * size, size);
}

/* ---- files ---------------------------------------------------------------------------------- */

static struct {
    char path[128];
    pid_t owner; /* a forked child must not take its parent's folder away */
} folders[FOLDERS_MAX];
static size_t folder_count;

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *walk)
{
    (void)s;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void folders_remove(void)
{
    for (size_t i = 0; i < folder_count; i++) {
        if (folders[i].owner == getpid())
            nftw(folders[i].path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

const char *check_folder(void)
{
    const char *base = getenv("TMPDIR");
    char *path = folders[folder_count].path;

    assert_true(folder_count < FOLDERS_MAX);
    snprintf(path, sizeof(folders[0].path), "%s/nilo-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(path))
        fail_msg("%s: %s", path, strerror(errno));
    if (folder_count == 0)
        atexit(folders_remove);
    folders[folder_count++].owner = getpid();
    return path;
}

struct span check_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *at = NULL;
    size_t len = 0, cap = 0;

    if (!f)
        fail_msg("%s: %s", path, strerror(errno));
    do {
        cap = cap ? cap * 2 : 4096;
        at = realloc(at, cap + 1);
        if (!at)
            abort();
        len += fread(at + len, 1, cap - len, f);
    } while (len == cap);
    fclose(f);
    at[len] = 0;
    return span_of(at, len);
}

void check_write(const char *path, struct span bytes)
{
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(bytes.at, 1, bytes.len, f) != bytes.len || fclose(f))
        fail_msg("%s: %s", path, strerror(errno));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t files_list(const char *folder, const char *suffix, char **names)
{
    DIR *d = opendir(folder);
    size_t count = 0;

    if (!d) {
        fail_msg("%s: %s", folder, strerror(errno));
        return 0;
    }
    for (struct dirent *entry; (entry = readdir(d)) && count < FILES_MAX;) {
        size_t len = strlen(entry->d_name), end = strlen(suffix);

        if (entry->d_name[0] != '.' && len >= end && !strcmp(entry->d_name + len - end, suffix))
            names[count++] = strdup(entry->d_name);
    }
    closedir(d);
    qsort(names, count, sizeof(*names), by_name);
    return count;
}

size_t check_each_file(const char *folder, const char *suffix,
                       void (*each)(const char *path, const char *stem))
{
    static char *names[FILES_MAX];
    size_t count = files_list(folder, suffix, names);

    for (size_t i = 0; i < count; i++) {
        char path[4096], stem[4096];
        int len = snprintf(path, sizeof(path), "%s/%s", folder, names[i]);

        assert_in_range(len, 1, sizeof(path) - 1);
        memcpy(stem, path, (size_t)len + 1);
        stem[(size_t)len - strlen(suffix)] = 0;
        free(names[i]);
        each(path, stem);
    }
    return count;
}

const char *check_shared_beside(const char *root)
{
    static char path[4096];
    const char *given = getenv("NILO_SHARED");

    if (given)
        snprintf(path, sizeof(path), "%s", given);
    else
        snprintf(path, sizeof(path), "%s/../shared", root);
    return access(path, R_OK) == 0 ? path : NULL;
}
