/* nilo export: the register as files, and what says that they are whole. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/base/hex.h"
#include "proto/base/wr.h"
#include "tools/nilo/api.h"
#include "tools/nilo/commands.h"

/* A list stands after those whose rows it names. */
const char *const fleet_files[] = { "orgs",   "zones", "routes",   "models", "batches",
                                    "depots", "crews", "prices",   "meters", "points",
                                    "modems", "seals", "fittings", "events", "boundaries",
                                    "orders", NULL };

static const char manifest[] = "MANIFEST";

static bool name_in(const char *dir, const char *name, const char *suffix, char out[1024])
{
    if (snprintf(out, 1024, "%s/%s%s", dir, name, suffix) < 1024)
        return true;
    say("%s is too long a name", dir);
    return false;
}

static bool file_failed(const char *name)
{
    say("%s: %s", name, strerror(errno));
    return false;
}

/* ---- what a file holds ---- */

#define DIGEST_TEXT 65
struct summary {
    uint64_t rows;            /* without the header */
    char digest[DIGEST_TEXT]; /* SHA-256, hex */
};

struct counting {
    EVP_MD_CTX *sha;
    uint64_t lines;
    bool quoted;
};

/* A line break inside quotes ends no row. */
static void count_bytes(struct counting *c, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        c->quoted ^= bytes[i] == '"';
        c->lines += bytes[i] == '\n' && !c->quoted;
    }
}

static bool read_through(FILE *f, struct counting *c)
{
    char bytes[65536];
    size_t len;

    while ((len = fread(bytes, 1, sizeof bytes, f)) > 0) {
        count_bytes(c, bytes, len);
        if (!EVP_DigestUpdate(c->sha, bytes, len))
            return false;
    }
    return !ferror(f);
}

static bool summarize(const char *name, struct summary *out)
{
    struct counting c = { .sha = EVP_MD_CTX_new() };
    FILE *f = fopen(name, "rb");
    uint8_t digest[32];
    struct wr w = wr_of(out->digest, DIGEST_TEXT - 1);
    bool fine = f && c.sha && EVP_DigestInit_ex(c.sha, EVP_sha256(), NULL) && read_through(f, &c) &&
                EVP_DigestFinal_ex(c.sha, digest, NULL);

    if (fine) {
        hex_write(&w, span_of(digest, sizeof digest));
        out->digest[DIGEST_TEXT - 1] = 0;
        out->rows = c.lines ? c.lines - 1 : 0;
    } else {
        file_failed(name);
    }
    if (f)
        fclose(f);
    EVP_MD_CTX_free(c.sha);
    return fine;
}

/* ---- writing ---- */

static bool close_file(FILE *f, const char *name)
{
    bool failed = ferror(f) != 0;

    failed |= fclose(f) != 0;
    return !failed || file_failed(name);
}

static bool write_list(struct api *c, const char *dir, const char *list)
{
    struct path path = path_of("/v1/export");
    char name[1024];
    FILE *f;
    bool fine;

    path_part(&path, list);
    if (!name_in(dir, list, ".csv", name))
        return false;
    if (!(f = fopen(name, "wbx"))) {
        if (errno != EEXIST)
            return file_failed(name);
        say("%s is there already; name a new folder: an export writes over nothing", name);
        return false;
    }
    fine = api_csv(c, &path, f);
    return close_file(f, name) && fine;
}

/* Last, so that a folder without it is one that something broke off. */
static bool write_manifest(const char *dir, const struct summary *of)
{
    char name[1024];
    FILE *f;

    if (!name_in(dir, manifest, "", name))
        return false;
    if (!(f = fopen(name, "wbx")))
        return file_failed(name);
    for (size_t i = 0; fleet_files[i]; i++)
        fprintf(f, "%s  %s.csv  %" PRIu64 "\n", of[i].digest, fleet_files[i], of[i].rows);
    return close_file(f, name);
}

static bool make_folder(const char *dir)
{
    if (!mkdir(dir, 0777) || errno == EEXIST)
        return true;
    return file_failed(dir);
}

int cmd_export(const struct args *a)
{
    const char *dir = a->positional[0];
    struct summary of[sizeof fleet_files / sizeof fleet_files[0]];
    struct api *c = make_folder(dir) ? api_open(a) : NULL;
    bool fine = c != NULL;
    char name[1024];

    for (size_t i = 0; fine && fleet_files[i]; i++)
        fine = write_list(c, dir, fleet_files[i]) && name_in(dir, fleet_files[i], ".csv", name) &&
               summarize(name, &of[i]);
    fine = fine && write_manifest(dir, of);
    api_close(c);
    return fine ? EXIT_DONE : EXIT_FAILED;
}

/* ---- is it whole? ---- */

static bool line_holds(const char *dir, const char *line)
{
    char digest[DIGEST_TEXT], file[64], name[1024];
    struct summary is;
    uint64_t rows;

    if (sscanf(line, "%64s %63s %" SCNu64, digest, file, &rows) != 3 || strchr(file, '/')) {
        say("%s/%s: found a line that does not read: %s", dir, manifest, line);
        return false;
    }
    if (!name_in(dir, file, "", name) || !summarize(name, &is))
        return false;
    if (is.rows == rows && !strcmp(is.digest, digest))
        return true;
    say("%s is not what the export wrote: found %" PRIu64 " rows, expected %" PRIu64
        " and another SHA-256; without %s/%s it is imported as it is",
        name, is.rows, rows, dir, manifest);
    return false;
}

bool export_is_whole(const char *dir)
{
    char name[1024], line[256];
    bool fine = true;
    FILE *f;

    if (!name_in(dir, manifest, "", name))
        return false;
    if (!(f = fopen(name, "rb")))
        return errno == ENOENT || file_failed(name);
    while (fine && fgets(line, sizeof line, f))
        fine = line_holds(dir, line);
    fclose(f);
    return fine;
}
