#include "server/fleet/switching.h"

#include <stdio.h>
#include <string.h>

#define WINDOW 5           /* 9.3.1, 9.3.2: consecutive lots */
#define REJECTED_OF_FIVE 2 /* 9.3.1 */
#define REJECTED_TO_STOP 5 /* 9.4: on tightened inspection, all in all */
#define SCORE_TO_REDUCE 30 /* 9.3.3.1 */

static const char *const words[] = { "normal", "tightened", "reduced", "discontinued" };

const char *strictness_word(enum strictness s)
{
    return words[s];
}

static unsigned rejected_of(const struct lot_result *lots, size_t count)
{
    unsigned n = 0;

    for (size_t i = 0; i < count; i++)
        n += !lots[i].accepted;
    return n;
}

/* 9.3.3.2, single sampling. */
static unsigned score_after(unsigned score, const struct lot_result *lot)
{
    if (lot->accept >= 2)
        return lot->accepted && lot->accepted_tighter ? score + 3 : 0;
    return lot->accepted ? score + 2 : 0;
}

static void say(struct switching_advice *out, enum strictness next, const char *en, const char *zh)
{
    out->next = next;
    snprintf(out->text_en, sizeof out->text_en, "%s", en);
    snprintf(out->text_zh, sizeof out->text_zh, "%s", zh);
}

/* Once it is due it stays so until a lot is inspected that way. */
static bool tighten(const struct lot_result *run, size_t count)
{
    for (size_t end = 1; end <= count; end++) {
        size_t from = end > WINDOW ? end - WINDOW : 0;

        if (rejected_of(run + from, end - from) >= REJECTED_OF_FIVE)
            return true;
    }
    return false;
}

static void after_normal(const struct lot_result *run, size_t count, struct switching_advice *out)
{
    char en[200], zh[200];

    for (size_t i = 0; i < count; i++)
        out->score = score_after(out->score, &run[i]);
    if (tighten(run, count)) {
        say(out, STRICT_TIGHTENED,
            "2 of 5 or fewer consecutive lots were rejected on normal inspection (9.3.1)",
            "正常检验连续5批或不到5批中有2批不接收，转加严检验（9.3.1）");
        return;
    }
    snprintf(en, sizeof en,
             "the switching score is %u: from 30 on reduced inspection may be used while "
             "production is steady (9.3.3)",
             out->score);
    snprintf(zh, sizeof zh, "转移得分为%u；达到30且生产稳定时可转放宽检验（9.3.3）", out->score);
    say(out, out->score >= SCORE_TO_REDUCE ? STRICT_REDUCED : STRICT_NORMAL, en, zh);
}

static void after_tightened(const struct lot_result *run, size_t count,
                            struct switching_advice *out)
{
    if (out->rejected >= REJECTED_TO_STOP)
        say(out, STRICT_STOP,
            "5 lots were rejected on tightened inspection: nothing is taken until the supplier has "
            "mended it (9.4)",
            "加严检验累计5批不接收，暂停检验，待供方改进（9.4）");
    else if (count >= WINDOW && !rejected_of(run + count - WINDOW, WINDOW))
        say(out, STRICT_NORMAL, "5 consecutive lots were accepted on tightened inspection (9.3.2)",
            "加严检验连续5批接收，恢复正常检验（9.3.2）");
    else
        say(out, STRICT_TIGHTENED,
            "tightened inspection goes on until 5 consecutive lots are accepted (9.3.2)",
            "继续加严检验，直至连续5批接收（9.3.2）");
}

static void after_reduced(const struct lot_result *run, size_t count, struct switching_advice *out)
{
    if (!run[count - 1].accepted)
        say(out, STRICT_NORMAL, "a lot was rejected on reduced inspection (9.3.4)",
            "放宽检验有1批不接收，恢复正常检验（9.3.4）");
    else
        say(out, STRICT_REDUCED, "reduced inspection goes on until a lot is rejected (9.3.4)",
            "继续放宽检验，直至有1批不接收（9.3.4）");
}

void switching_advise(const struct lot_result *lots, size_t count, struct switching_advice *out)
{
    size_t begin = count;

    memset(out, 0, sizeof *out);
    if (!count) {
        say(out, STRICT_NORMAL, "no lot was inspected yet: normal inspection begins (9.2)",
            "尚无检验批，从正常检验开始（9.2）");
        return;
    }
    while (begin && lots[begin - 1].strictness == lots[count - 1].strictness)
        begin--;
    lots += begin;
    count -= begin;
    out->lots = (unsigned)count;
    out->rejected = rejected_of(lots, count);
    if (lots[0].strictness == STRICT_TIGHTENED)
        after_tightened(lots, count, out);
    else if (lots[0].strictness == STRICT_REDUCED)
        after_reduced(lots, count, out);
    else
        after_normal(lots, count, out);
}
