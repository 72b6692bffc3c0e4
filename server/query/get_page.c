/* The page for people, its files, and what it must know before anybody signed in. */
#include "server/query/answers.h"
#include "server/query/page.h"

#include <stdio.h>
#include <string.h>

static void put_file(struct request *q, const struct page_file *f)
{
    char tag[32];
    bool packs;

    q->guard = request_page(q)->policy;
    q->cache = f->fixed ? "public, max-age=31536000, immutable" : "no-cache";
    q->varies = f->packed != NULL;
    if (strcmp(f->name, "sw.js") == 0)
        q->works_for_all = true;
    packs = f->packed && q->takes_gzip;
    snprintf(tag, sizeof tag, "%s%s", f->tag, packs ? "-gzip" : "");
    if (answer_is_known(q, tag))
        return;
    q->status = 200;
    q->type = f->type;
    if (packs) {
        q->fixed = span_of(f->packed, f->packed_len);
        q->encoding = "gzip";
    } else {
        q->fixed = span_of(f->raw, f->raw_len);
    }
}

/* GET / */
void answer_page(struct request *q)
{
    const struct page_file *f = page_file(span_text("index.html"));

    if (f)
        put_file(q, f);
    else
        problem_of(q, ERR_NOT_FOUND, "", "this program was built without its page");
}

/* GET /web/{file} */
void answer_page_file(struct request *q)
{
    const struct page_file *f = page_file(q->subject[0]);

    if (f)
        put_file(q, f);
    else
        problem_of(q, ERR_NOT_FOUND, "", "the page has no file %.*s",
                   (int)(q->subject[0].len < 60 ? q->subject[0].len : 60),
                   (const char *)q->subject[0].at);
}

/* GET /v1/page */
void answer_page_facts(struct request *q)
{
    const struct page *p = request_page(q);
    struct out *o = &q->out;

    q->status = 200;
    out_text(o, "{");
    out_member_text(o, "utility", p->utility);
    out_member_text(o, "tz", q->app->zone.name);
    out_member_time(o, "now", clock_now_s(&q->app->clock));
    out_member_bool(o, "virtual", q->app->clock.is_virtual);
    out_member_text(o, "map_tiles", p->map_tiles);
    out_member_text(o, "map_credit", p->map_credit);
    out_member_text(o, "version", NILO_VERSION);
    out_text(o, "}\n");
}
