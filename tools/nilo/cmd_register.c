/* nilo meter, key, point, zone, route, fitting: the register's lists and single entries. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"
#include "tools/nilo/sheet.h"

int cmd_meter_list(const struct args *a)
{
    return list_at(a, "/v1/meters", "serial model dn q3 register state point legal_due");
}

int cmd_meter_show(const struct args *a)
{
    return show_at(a, "/v1/meters");
}

int cmd_key_list(const struct args *a)
{
    struct path path = path_of("/v1/meters");

    path_part(&path, a->positional[0]);
    path_part(&path, "keys");
    return list_run(a, &path, "kind valid_from state fingerprint");
}

int cmd_point_list(const struct args *a)
{
    return list_at(a, "/v1/points", "point account use_class zone route route_seq serial address");
}

int cmd_point_show(const struct args *a)
{
    return show_at(a, "/v1/points");
}

int cmd_zone_list(const struct args *a)
{
    return list_at(a, "/v1/zones", "zone parent level kind mains_km pressure_m name");
}

int cmd_zone_show(const struct args *a)
{
    return show_at(a, "/v1/zones");
}

int cmd_zone_balance(const struct args *a)
{
    struct path path = path_of("/v1/zones");

    path_part(&path, a->positional[0]);
    path_part(&path, "balance");
    query_options(&path, a);
    return show_run(a, &path);
}

int cmd_route_list(const struct args *a)
{
    return list_at(a, "/v1/routes", "route org reader days name");
}

#define DUE_COLUMNS "serial legal_due days_left state point dn q3 zone route"

int cmd_verification_due(const struct args *a)
{
    return list_at(a, "/v1/verifications/due", DUE_COLUMNS);
}

int cmd_verification_overdue(const struct args *a)
{
    return list_at(a, "/v1/verifications/overdue", DUE_COLUMNS);
}

int cmd_verification_condition(const struct args *a)
{
    return list_at(a, "/v1/verifications/condition",
                   speaks_chinese()
                       ? "serial condition_due days_left legal_due point dn zone route "
                         "condition_basis condition_text_zh"
                       : "serial condition_due days_left legal_due point dn zone route "
                         "condition_basis condition_text_en");
}

int cmd_verification_summary(const struct args *a)
{
    return list_at(a, "/v1/verifications/summary",
                   "month zone route dn fitted store overdue never_verified");
}

int cmd_fitting_list(const struct args *a)
{
    return list_at(a, "/v1/fittings", "point serial from start_index_l to end_index_l reason");
}
