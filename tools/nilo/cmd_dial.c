/* nilo read: what people read off dials. */
#include "server/acts/rowfile.h"
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MOST (64u << 20)

int cmd_read_add(const struct args *a)
{
    struct path path = path_of("/v1/reads");
    json_t *body = json_pack("{s:s}", "point", a->positional[0]);

    if (body && body_options(body, a))
        return post_run(a, &path, body);
    json_decref(body);
    return EXIT_USAGE;
}

/* ---- a file of reads: each row is a request of its own, and the same row again changes nothing ---- */

static const struct list read_list = {
    .kind = LIST_COUNT,
    .columns = 7,
    .plural = "reads",
    .column = { { "point", COLUMN_NAME, NEED_KEY },
                { "index_l", COLUMN_LITRES, NEED_MUST },
                { "at", COLUMN_TIME, NEED_MAY },
                { "reader", COLUMN_TEXT, NEED_MAY },
                { "photo", COLUMN_TEXT, NEED_MAY },
                { "note", COLUMN_TEXT, NEED_MAY },
                { "confirm", COLUMN_TEXT, NEED_MAY } },
};
enum { CELL_POINT, CELL_INDEX, CELL_AT, CELL_READER, CELL_PHOTO, CELL_NOTE, CELL_CONFIRM };

struct importing {
    struct api *api;
    struct path path;
    uint64_t rows, written, known, refused;
    bool broken; /* no answer came */
};

static bool is_yes(struct span text)
{
    return span_equal(text, span_text("true")) || span_equal(text, span_text("1")) ||
           span_equal(text, span_text("yes"));
}

/* The index goes as it was typed: the server takes texts where numbers stand. */
static json_t *body_of(const struct rowfile_row *row)
{
    json_t *body = json_object();
    bool fine = body != NULL;

    for (unsigned i = 0; i < CELL_CONFIRM && fine; i++)
        if (row->cells[i].len)
            fine = !json_object_set_new(
                body, read_list.column[i].name,
                json_stringn((const char *)row->cells[i].at, row->cells[i].len));
    if (fine && is_yes(row->cells[CELL_CONFIRM]))
        fine = !json_object_set_new(body, "confirm", json_true());
    if (fine)
        return body;
    json_decref(body);
    return NULL;
}

static void say_refused(struct importing *m, uint64_t line, const char *why)
{
    m->refused++;
    say("line %llu: %s", (unsigned long long)line, why);
}

static bool send_row(void *arg, const struct rowfile_row *row)
{
    struct importing *m = (struct importing *)arg;
    json_t *body = body_of(row);
    struct api_answer answer;
    const char *detail;

    m->rows++;
    if (!body) {
        say_refused(m, row->line, "expected UTF-8");
        return true;
    }
    m->broken = !api_try(m->api, "POST", &m->path, body, &answer);
    json_decref(body);
    if (m->broken)
        return false;
    detail = json_string_value(json_object_get(answer.json, "detail"));
    if (answer.status >= 400)
        say_refused(m, row->line, detail ? detail : "refused");
    else if (answer.status == 201)
        m->written++;
    else
        m->known++;
    /* What ails the server or the token ails every row. */
    m->broken = answer.status == 401 || answer.status >= 500;
    api_answer_done(&answer);
    return !m->broken;
}

static bool say_fault(void *arg, const struct import_refusal *fault)
{
    struct importing *m = (struct importing *)arg;

    m->rows++;
    m->refused++;
    say("line %llu, %s: found %s, expected %s", (unsigned long long)fault->line, fault->column,
        fault->found, fault->expected);
    return true;
}

static char *file_text(const char *name, size_t *out_len)
{
    FILE *f = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
    char *text = f ? (char *)malloc(FILE_MOST) : NULL;

    if (!f)
        say("%s: cannot be opened", name);
    else if (!text)
        say("%s: no memory", name);
    else if ((*out_len = fread(text, 1, FILE_MOST, f)) == FILE_MOST || ferror(f)) {
        say("%s: cannot be read, or is larger than %u MiB: cut it into parts", name,
            FILE_MOST >> 20);
        free(text);
        text = NULL;
    }
    if (f && f != stdin)
        fclose(f);
    return text;
}

static bool import_text(struct importing *m, struct span text)
{
    const struct rowfile_calls calls = { send_row, say_fault };
    struct import_refusal header = { 0 };
    enum err err = rowfile_read(text, &read_list, &calls, m, &header);

    if (!err)
        return !m->broken;
    if (err == ERR_INVALID)
        say("line %llu, %s: found %s, expected %s", (unsigned long long)header.line, header.column,
            header.found, header.expected);
    else
        say("the file cannot be read: %s", err_text(err));
    return false;
}

int cmd_read_import(const struct args *a)
{
    struct importing m = { .path = path_of("/v1/reads") };
    size_t len = 0;
    char *text = file_text(a->positional[0], &len);
    bool fine = text && (m.api = api_open(a)) && import_text(&m, span_of(text, len));

    if (text && m.api)
        printf("{\"rows\":%llu,\"written\":%llu,\"unchanged\":%llu,\"refused\":%llu}\n",
               (unsigned long long)m.rows, (unsigned long long)m.written,
               (unsigned long long)m.known, (unsigned long long)m.refused);
    api_close(m.api);
    free(text);
    return fine && !m.refused ? EXIT_SUCCESS : EXIT_FAILURE;
}
