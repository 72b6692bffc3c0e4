/* A file of the contract's §4, spooled to disk by now. */
#include "server/query/answers.h"
#include "server/query/spool.h"
#include "server/zonefile.h"

#include <stdlib.h>

static void put_warnings(struct out *o, const struct import_report *report)
{
    bool bare = report->bare != 0;

    out_text(o, "[");
    if (bare)
        out_format(
            o,
            "{\"code\":\"bare\",\"text\":\"%llu zones, routes, orgs or parents were named and "
            "not registered: created with their name alone\"}",
            (unsigned long long)report->bare);
    if (report->refused > report->refusal_count)
        out_format(o,
                   "%s{\"code\":\"refusals\",\"text\":\"%llu rows were refused: told are the first "
                   "%zu\"}",
                   bare ? "," : "", (unsigned long long)report->refused, report->refusal_count);
    out_text(o, "]");
}

static void put_report(struct out *o, const struct import_report *report)
{
    out_member_int(o, "rows", (int64_t)report->rows);
    out_member_int(o, "written", (int64_t)report->written);
    out_member_int(o, "unchanged", (int64_t)report->unchanged);
    out_member_int(o, "refused", (int64_t)report->refused);
    out_member_int(o, "bare", (int64_t)report->bare);
    out_key(o, "refusals");
    out_text(o, "[");
    for (size_t i = 0; i < report->refusal_count; i++) {
        const struct import_refusal *r = &report->refusals[i];

        out_text(o, i ? ",{" : "{");
        out_member_int(o, "line", (int64_t)r->line);
        out_member_text(o, "column", r->column);
        out_member_text(o, "found", r->found);
        out_member_text(o, "expected", r->expected);
        out_text(o, "}");
    }
    out_text(o, "]");
    out_key(o, "warnings");
    put_warnings(o, report);
}

/* A refusal with the report's members beside its own. */
static void refuse_file(struct request *q, const struct refusal *r,
                        const struct import_report *report)
{
    struct out *o = &q->out;

    problem(q, r);
    if (r->err != ERR_INVALID || o->err || o->len < 2)
        return;
    o->len -= 2; /* the object is opened again */
    put_report(o, report);
    out_text(o, "}\n");
}

static bool ask_options(struct request *q, struct zone *zone, struct import_options *out)
{
    struct span name = ask_text(q, "times_in");
    struct refusal r;
    char text[64];

    if (!ask_bool(q, "keep_going", &out->keep_going) || !ask_bool(q, "dry_run", &out->dry_run))
        return false;
    if (!name.len)
        return true;
    if (name.len < sizeof text) {
        memcpy(text, name.at, name.len);
        text[name.len] = 0;
        if (!zone_load(text, zone, &r)) {
            out->times_in = zone;
            return true;
        }
    }
    problem_of(q, ERR_INVALID, "times_in",
               "times_in: found %.*s, expected a time zone such as Asia/Shanghai",
               (int)(name.len < 60 ? name.len : 60), (const char *)name.at);
    return false;
}

static bool may_import(struct request *q)
{
    struct span list = q->subject[0];

    if (import_may(q->caller.role, list))
        return true;
    problem_of(q, ERR_FORBIDDEN, "", "the role %s may not import %.*s", role_name(q->caller.role),
               (int)(list.len < 40 ? list.len : 40), (const char *)list.at);
    return false;
}

static void import(struct request *q, const struct import_options *options)
{
    struct import_report report = { 0 };
    struct refusal r = { 0 };
    int fd = spool_file(q->spool);
    enum err err = fd < 0 ? refuse(&r, ERR_IO, 0, "", "the file cannot be read back")
                          : act_import(q->app, &q->caller, q->subject[0], fd, options, &report, &r);

    if (err) {
        r.err = err;
        refuse_file(q, &r, &report);
    } else {
        q->status = 200;
        out_text(&q->out, "{");
        put_report(&q->out, &report);
        out_text(&q->out, "}\n");
    }
    import_report_done(&report);
}

void answer_import(struct request *q)
{
    struct import_options options = { 0 };
    struct zone *zone = (struct zone *)malloc(sizeof *zone);

    if (!zone)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the import");
    else if (may_import(q) && ask_options(q, zone, &options))
        import(q, &options);
    free(zone);
}
