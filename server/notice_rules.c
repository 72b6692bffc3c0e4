#include "server/notice_rules.h"

#include "proto/base/text.h"
#include "server/fleet/lines.h"

#include <stdio.h>

extern const struct span notice_rules_default;

enum fact { FACT_NAME, FACT_LEAK, FACT_URGENT, FACT_FROST, FACT_QUIET, FACT_KEEP, FACTS };
static const char *const names[FACTS] = { "name", "leak", "urgent", "frost", "quiet", "keep" };

struct reading {
    struct lines lines;
    struct notice_rules rules;
    unsigned seen; /* a set of 1 << enum fact */
};

static enum err number(struct reading *s, int64_t least, int64_t most, unsigned places,
                       int64_t *out)
{
    struct span word = lines_word(&s->lines);

    if (!word.len || text_decimal(word, places, out) || *out < least || *out > most)
        return lines_wrong(&s->lines, ERR_INVALID, word, "a number within its bounds");
    return ERR_OK;
}

/* "22:00" */
static enum err minute(struct reading *s, int32_t *out)
{
    struct span word = lines_word(&s->lines);
    int64_t hours = 0, minutes = 0;
    bool fits = word.len == 5 && word.at[2] == ':' && !text_int(span_of(word.at, 2), &hours) &&
                !text_int(span_of(word.at + 3, 2), &minutes) && hours >= 0 && hours < 24 &&
                minutes >= 0 && minutes < 60;

    if (!fits)
        return lines_wrong(&s->lines, ERR_INVALID, word, "a civil time such as 22:00");
    *out = (int32_t)(hours * 60 + minutes);
    return ERR_OK;
}

static enum err values(struct reading *s, enum fact f)
{
    struct notice_rules *r = &s->rules;
    int64_t hours = 0;
    enum err err = ERR_OK;

    switch (f) {
    case FACT_LEAK:
        return number(s, 0, 1000000000, 3, &r->leak_mlph);
    case FACT_URGENT:
        return number(s, 0, 1000000000, 3, &r->urgent_mlph);
    case FACT_FROST:
        err = number(s, -50000, 50000, 3, &r->frost_mk);
        if (!err)
            err = number(s, r->frost_mk, 60000, 3, &r->frost_over_mk);
        return err;
    case FACT_QUIET:
        err = minute(s, &r->quiet_from_min);
        return err ? err : minute(s, &r->quiet_to_min);
    default:
        err = number(s, 1, 8760, 0, &hours);
        r->keep_s = hours * 3600;
        return err;
    }
}

static enum err line(void *arg)
{
    struct reading *s = (struct reading *)arg;
    struct span word = lines_word(&s->lines), rest;
    unsigned f = 0;
    enum err err = ERR_OK;

    if (!word.len || word.at[0] == '#')
        return ERR_OK;
    while (f < FACTS && !span_equal(word, span_text(names[f])))
        f++;
    if (f == FACTS || s->seen & 1u << f)
        return lines_wrong(&s->lines, ERR_INVALID, word,
                           "each of name, leak, urgent, frost, quiet, keep once");
    s->seen |= 1u << f;
    if (f == FACT_NAME) {
        rest = lines_left(&s->lines);
        snprintf(s->rules.name, sizeof s->rules.name, "%.*s",
                 (int)(rest.len < sizeof s->rules.name ? rest.len : sizeof s->rules.name - 1),
                 rest.len ? (const char *)rest.at : "");
        return ERR_OK;
    }
    if ((err = values(s, (enum fact)f)))
        return err;
    word = lines_word(&s->lines);
    if (!span_equal(word, span_text("from")) || !lines_left(&s->lines).len)
        return lines_wrong(&s->lines, ERR_INVALID, word,
                           "from and where the values are taken from");
    return ERR_OK;
}

enum err notice_rules_read(struct notice_rules *out, struct span file, struct refusal *r)
{
    struct reading s = { .seen = 0 };
    enum err err = lines_each(&s.lines, file, NOTICE_RULES_BYTES, r, line, &s);

    if (err)
        return err;
    if (s.seen != (1u << FACTS) - 1)
        return lines_wrong(&s.lines, ERR_INVALID, span_of(NULL, 0),
                           "a line for each of name, leak, urgent, frost, quiet and keep");
    *out = s.rules;
    return ERR_OK;
}

void notice_rules_builtin(struct notice_rules *out)
{
    struct refusal r;

    if (notice_rules_read(out, notice_rules_default, &r))
        memset(out, 0, sizeof *out); /* a test reads it */
}
