/* nilo photo add, photo get. */
#include "tools/nilo/api.h"
#include "tools/nilo/commands.h"
#include "tools/nilo/sheet.h"

#include <string.h>

static int print_added(const struct args *a, struct api *c, const struct path *path,
                       const struct api_answer *answer)
{
    enum format format;

    if (answer->status >= 400) {
        api_say_refusal(c, "POST", path, answer);
        return EXIT_FAILED;
    }
    if (!format_read(a, &format))
        return EXIT_USAGE;
    sheet_object(answer->json, answer->text, format, stdout);
    return EXIT_DONE;
}

int cmd_photo_add(const struct args *a)
{
    struct path path = path_of("/v1/photos");
    bool given = strcmp(a->positional[0], "-") != 0;
    FILE *file = given ? fopen(a->positional[0], "rb") : stdin;
    struct api *c = file ? api_open(a) : NULL;
    struct api_answer answer;
    int code = EXIT_FAILED;

    if (!file)
        say("%s cannot be read: %m", a->positional[0]);
    if (c && api_upload(c, &path, file, &answer)) {
        code = print_added(a, c, &path, &answer);
        api_answer_done(&answer);
    }
    if (file && given)
        fclose(file);
    api_close(c);
    return code;
}

int cmd_photo_get(const struct args *a)
{
    struct path path = path_of("/v1/photos");
    struct api *c = api_open(a);
    bool ok;

    path_part(&path, a->positional[0]);
    ok = c && api_file(c, &path, "image/*", stdout);
    api_close(c);
    return ok ? EXIT_DONE : EXIT_FAILED;
}
