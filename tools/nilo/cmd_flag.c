/* nilo flag: what is wrong with meters, and what people decided about it. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"
#include "tools/nilo/sheet.h"

int cmd_flag_list(const struct args *a)
{
    struct path path = path_of("/v1/flags");

    query_options(&path, a);
    return list_run(a, &path,
                    speaks_chinese()
                        ? "id kind serial point onset state severity lost_lpd text_zh"
                        : "id kind serial point onset state severity lost_lpd text_en");
}

int cmd_leak_list(const struct args *a)
{
    struct path path = path_of("/v1/leak-cases");

    query_options(&path, a);
    return list_run(a, &path,
                    speaks_chinese()
                        ? "id state serial point account onset ended_at flow_lph lost_l money "
                          "notice order address text_zh"
                        : "id state serial point account onset ended_at flow_lph lost_l money "
                          "notice order address text_en");
}

int cmd_leak_show(const struct args *a)
{
    return show_at(a, "/v1/leak-cases");
}

int cmd_field_list(const struct args *a)
{
    struct path path = path_of("/v1/field-list");

    query_options(&path, a);
    return list_run(a, &path,
                    speaks_chinese()
                        ? "rank serial point route act kind onset severity confidence money_month "
                          "why order address text_zh"
                        : "rank serial point route act kind onset severity confidence money_month "
                          "why order address text_en");
}

static int decide(const struct args *a, const char *state)
{
    struct path path = path_of("/v1/flags");

    path_part(&path, a->positional[0]);
    return post_run(a, &path,
                    json_pack("{s:s, s:s}", "state", state, "note", args_option(a, "note")));
}

int cmd_flag_confirm(const struct args *a)
{
    return decide(a, "confirmed");
}

int cmd_flag_dismiss(const struct args *a)
{
    return decide(a, "dismissed");
}
