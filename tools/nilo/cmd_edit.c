/* nilo edit: what people say dials stood at, and who agreed. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"
#include "tools/nilo/sheet.h"

int cmd_edit_list(const struct args *a)
{
    struct path path = path_of("/v1/edits");

    query_options(&path, a);
    return list_run(
        a, &path,
        speaks_chinese()
            ? "id point serial at index_l delta_l span_l text_zh reason asked_by decided_by"
            : "id point serial at index_l delta_l span_l text_en reason asked_by "
              "decided_by");
}

static int post_options(const struct args *a, const struct path *path)
{
    json_t *body = json_object();

    if (body && body_options(body, a))
        return post_run(a, path, body);
    json_decref(body);
    return EXIT_USAGE;
}

int cmd_edit_create(const struct args *a)
{
    struct path path = path_of("/v1/points");

    path_part(&path, a->positional[0]);
    path_part(&path, "edits");
    return post_options(a, &path);
}

static int decide(const struct args *a, const char *what)
{
    struct path path = path_of("/v1/edits");

    path_part(&path, a->positional[0]);
    path_part(&path, what);
    return post_options(a, &path);
}

int cmd_edit_approve(const struct args *a)
{
    return decide(a, "approve");
}

int cmd_edit_refuse(const struct args *a)
{
    return decide(a, "refuse");
}

int cmd_edit_undo(const struct args *a)
{
    return decide(a, "undo");
}
