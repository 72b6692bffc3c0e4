/* nilo recipe: payload layouts as files.  `test` needs no server: whoever writes a recipe for a new brand runs it until its samples
 * come out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/recipe.h"
#include "proto/trace.h"
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"
#include "tools/nilo/sheet.h"

#define EXPLAINED_MAX (4u << 20) /* lines of one sample */
#define DECODED_MAX (1u << 20)   /* its values */

/* The whole file, '-' standard input; *out_text is malloc'd. */
static bool file_read(const char *path, char **out_text, size_t *out_len)
{
    FILE *f = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    char *text = (char *)malloc(RECIPE_TEXT_MAX + 1);
    size_t len = 0;
    bool fine = f && text;

    if (!f)
        say("%s: %s", path, strerror(errno));
    else if (!text)
        say("no memory");
    if (fine) {
        len = fread(text, 1, RECIPE_TEXT_MAX + 1, f);
        fine = !ferror(f) && len <= RECIPE_TEXT_MAX;
        if (!fine)
            say("%s: %s", path, ferror(f) ? "cannot be read" : "is larger than a recipe may be");
    }
    if (f && f != stdin)
        fclose(f);
    if (!fine) {
        free(text);
        return false;
    }
    *out_text = text;
    *out_len = len;
    return true;
}

/* One sample: its lines, then whether it came out. */
static bool test_sample(const struct recipe *recipe, unsigned n, struct arena *a, char *room)
{
    struct span title = recipe_sample_title(recipe, n);
    struct wr w = wr_of(room, EXPLAINED_MAX);
    struct trace trace = { .out = &w };
    struct refusal r = { 0 };
    enum err err;

    trace.bytes = recipe_sample_bytes(recipe, n);
    arena_clear(a);
    err = recipe_test(recipe, n, a, &trace, &r);
    printf("%s  %.*s\n", err ? "FAILED" : "ok", (int)title.len, (const char *)title.at);
    fwrite(w.start, 1, wr_len(&w), stdout);
    if (err)
        say("%s", r.text);
    return !err;
}

static bool test_all(const struct recipe *recipe)
{
    struct arena a = { 0 };
    char *room = (char *)malloc(EXPLAINED_MAX);
    bool fine = room && !arena_init(&a, DECODED_MAX);

    if (!fine)
        say("no memory");
    for (unsigned n = 0; fine && n < recipe_about(recipe)->sample_count; n++)
        if (!test_sample(recipe, n, &a, room))
            fine = false;
    arena_done(&a);
    free(room);
    return fine;
}

int cmd_recipe_test(const struct args *a)
{
    struct recipe *recipe = NULL;
    struct refusal r = { 0 };
    char *text;
    size_t len;
    bool fine;

    if (!file_read(a->positional[0], &text, &len))
        return EXIT_FAILED;
    if (recipe_new(span_of(text, len), &recipe, &r)) {
        say_of_file("%s: %s", a->positional[0], r.text);
        fine = false;
    } else {
        const struct recipe_about *about = recipe_about(recipe);

        printf("%.*s version %u: %.*s\n", (int)about->name.len, (const char *)about->name.at,
               (unsigned)about->version, (int)about->title.len, (const char *)about->title.at);
        fine = test_all(recipe);
    }
    recipe_free(recipe);
    free(text);
    return fine ? EXIT_DONE : EXIT_FAILED;
}

int cmd_recipe_add(const struct args *a)
{
    struct path path = path_of("/v1/recipes");
    json_t *body;
    char *text;
    size_t len;

    if (!file_read(a->positional[0], &text, &len))
        return EXIT_FAILED;
    body = json_pack("{s:s%}", "text", text, len);
    free(text);
    if (!body) {
        say("%s: is no UTF-8 text", a->positional[0]);
        return EXIT_FAILED;
    }
    return post_run(a, &path, body);
}

int cmd_recipe_list(const struct args *a)
{
    struct path path = path_of("/v1/recipes");

    query_options(&path, a);
    return list_run(a, &path,
                    "name version carrier added samples title matches"); /* the longest last */
}

/* The file as it is, so that it can be changed and added again. */
int cmd_recipe_show(const struct args *a)
{
    struct path path = path_of("/v1/recipes");
    struct api *c = api_open(a);
    struct api_answer answer;
    int code = EXIT_FAILED;

    path_part(&path, a->positional[0]);
    if (c && api_ask(c, "GET", &path, NULL, &answer)) {
        fputs(answer.text, stdout);
        api_answer_done(&answer);
        code = EXIT_DONE;
    }
    api_close(c);
    return code;
}
