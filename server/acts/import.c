#include "server/acts/import.h"

#include "server/acts/answer.h"
#include "server/acts/register.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool room_for_one(struct import_report *r)
{
    size_t cap = r->refusal_cap ? r->refusal_cap * 2 : 64;
    struct import_refusal *more;

    if (r->refusal_count < r->refusal_cap)
        return true;
    if (!(more = (struct import_refusal *)realloc(r->refusals, cap * sizeof *more)))
        return false;
    r->refusals = more;
    r->refusal_cap = cap;
    return true;
}

bool import_refuse(struct import *i, const struct import_refusal *refusal)
{
    struct import_report *r = i->report;

    r->refused++;
    if (r->refusal_count == IMPORT_REFUSALS_MAX)
        return true;
    if (!room_for_one(r)) {
        i->err = ERR_NO_MEMORY;
        return false;
    }
    r->refusals[r->refusal_count++] = *refusal;
    return true;
}

bool import_stopped(struct import *i)
{
    if (!i->app->stopping)
        return false;
    i->err = ERR_STOPPING;
    return true;
}

enum err import_verdict(const struct import *i)
{
    if (i->err)
        return i->err;
    return i->report->refused && !i->options->keep_going ? ERR_INVALID : ERR_OK;
}

void import_report_done(struct import_report *report)
{
    free(report->refusals);
    memset(report, 0, sizeof *report);
}

/* ---- the file's bytes ---- */

struct file {
    struct span text;
    void *map;
    uint8_t *copy;
};

/* A pipe, or a file that cannot be mapped. */
static enum err file_copy(int fd, struct file *out)
{
    size_t len = 0, cap = 0;
    uint8_t *bytes = NULL;

    for (;;) {
        ssize_t got;

        if (len == cap) {
            uint8_t *more = (uint8_t *)realloc(bytes, cap ? cap * 2 : 65536);

            if (!more) {
                free(bytes);
                return ERR_NO_MEMORY;
            }
            bytes = more;
            cap = cap ? cap * 2 : 65536;
        }
        got = read(fd, bytes + len, cap - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            free(bytes);
            return ERR_IO;
        }
        if (got == 0)
            break;
        len += (size_t)got;
    }
    *out = (struct file){ .text = span_of(bytes, len), .copy = bytes };
    return ERR_OK;
}

static enum err file_open(int fd, struct file *out)
{
    struct stat st;
    void *map;

    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size == 0)
        return file_copy(fd, out);
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return lseek(fd, 0, SEEK_SET) < 0 ? ERR_IO : file_copy(fd, out);
    (void)madvise(map, (size_t)st.st_size, MADV_SEQUENTIAL);
    *out = (struct file){ .text = span_of(map, (size_t)st.st_size), .map = map };
    return ERR_OK;
}

static void file_close(struct file *f)
{
    if (f->map)
        munmap(f->map, f->text.len);
    free(f->copy);
}

/* ---- the act ---- */

static enum err import_text(struct import *i, const struct list *l, struct span text)
{
    return l == &list_readings  ? import_readings(i, text)
           : l == &list_keyfile ? import_keys(i, text)
           : l == &list_events  ? import_events(i, text)
                                : import_register(i, l, text);
}

static enum err import_run(struct import *i, const struct list *l, int fd, struct refusal *r)
{
    struct file file = { 0 };
    enum err err = file_open(fd, &file);

    if (!err)
        err = import_text(i, l, file.text);
    file_close(&file);
    if (err == ERR_INVALID)
        return refuse(r, err, 0, "", "nothing was written: %llu of %llu rows were refused",
                      (unsigned long long)i->report->refused, (unsigned long long)i->report->rows);
    if (err == ERR_FORBIDDEN) {
        *r = i->forbidden;
        return err;
    }
    if (err == ERR_STOPPING)
        return refuse(r, err, 0, "", "nothing was written: the server is stopping");
    return err ? refuse(r, err, 0, "", "nothing was written: the store %s", err_text(err)) : ERR_OK;
}

static const struct list *list_to_import(struct span name)
{
    static const struct list *const others[] = { &list_readings, &list_keyfile, &list_events };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (span_equal(name, span_text(others[i]->plural)))
            return others[i];
    return list_named(name);
}

/* As the row alone (rules-fleet R2); of events each row says who may. */
bool import_may(enum role role, struct span list)
{
    const struct list *l = list_to_import(list);
    unsigned roles = l == &list_events           ? ROLES_STORE
                     : l && l->kind < LIST_COUNT ? list_roles(l->kind)
                                                 : ROLES_CHIEF;

    return roles & 1u << role;
}

enum err act_import(struct app *app, const struct caller *caller, struct span list, int fd,
                    const struct import_options *options, struct import_report *out,
                    struct refusal *r)
{
    const struct list *l = list_to_import(list);
    struct import i = { .app = app,
                        .caller = caller,
                        .options = options,
                        .zone = options->times_in ? options->times_in : &app->zone,
                        .now_s = clock_now_s(&app->clock),
                        .report = out };

    memset(out, 0, sizeof *out);
    if (!import_may(caller->role, list))
        return refuse(r, ERR_FORBIDDEN, 0, "", "the role %s may not import %.*s",
                      role_name(caller->role), (int)(list.len < 40 ? list.len : 40),
                      (const char *)list.at);
    if (!l)
        return refuse(
            r, ERR_NOT_FOUND, 0, "list",
            "found \"%.*s\", expected meters, points, fittings, readings, zones, "
            "boundaries, routes, orgs, keys, events, models, batches, modems, seals, depots, "
            "crews, prices or orders",
            (int)(list.len < 40 ? list.len : 40), (const char *)list.at);
    return import_run(&i, l, fd, r);
}
