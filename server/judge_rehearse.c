/* Judging as if by other rules, for server/replay.h: a desk whose book has the line in its place, and of which nothing is kept. */
#include "server/judge_desk.h"

#include <stdlib.h>

struct judge_rehearsal {
    struct desk *desk;
    const struct check_line *line;
};

/* What the stores say now, with the line in its place. */
static enum err begin(struct judge_rehearsal *r)
{
    enum err err = desk_begin(r->desk);

    return err ? err : flag_rules_try(r->desk->rules, r->line);
}

enum err judge_rehearsal_open(struct app *app, const struct check_line *line, int64_t now_s,
                              struct judge_rehearsal **out)
{
    struct judge_rehearsal *r = (struct judge_rehearsal *)calloc(1, sizeof *r);
    enum err err = r ? desk_open(app, now_s, &r->desk) : ERR_NO_MEMORY;

    if (!err) {
        r->line = line;
        err = begin(r);
    }
    if (err) {
        judge_rehearsal_close(r);
        return err;
    }
    *out = r;
    return ERR_OK;
}

void judge_rehearsal_close(struct judge_rehearsal *r)
{
    if (!r)
        return;
    desk_close(r->desk);
    free(r);
}

enum err judge_rehearsal_renew(struct judge_rehearsal *r)
{
    return begin(r);
}

enum err judge_rehearse(struct judge_rehearsal *r, uint32_t meter,
                        const struct flag_records **out_view)
{
    *out_view = &r->desk->episodes;
    return desk_rehearse(r->desk, meter);
}

enum err judge_stands(struct judge_rehearsal *r, uint32_t meter, struct flag_records *out)
{
    out->count = 0;
    return flags_kept(&r->desk->views, meter, out);
}
