/* Flags whose state is another than was told: what views alone know becomes a fact in the ledger where somebody listens. */
#include "server/judge_priv.h"

static uint8_t state_of(const struct flag_record *f)
{
    return f->withdrawn ? FLAG_TOLD_WITHDRAWN : f->ended ? FLAG_TOLD_CLEARED : FLAG_TOLD_OPEN;
}

static const struct flag_record *with_id(const struct flag_records *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->at[i].id, id) == 0)
            return &list->at[i];
    return NULL;
}

/* A flag that ended while nobody listened, and is judged anew, is no news: it must have turned in this pass, or have been told of before. */
static bool is_news(struct txn *ledger, const struct flag_records *old,
                    const struct flag_records *births, const struct flag_record *f)
{
    const struct flag_record *was = with_id(old, f->id);
    uint8_t told = ledger_flag_told(ledger, span_text(f->id)), state = state_of(f);

    if (state == (told ? told : FLAG_TOLD_OPEN))
        return false;
    return told || (was ? state_of(was) != state : !with_id(births, f->id));
}

enum err flags_turned(struct txn *ledger, const struct flag_records *old,
                      const struct flag_records *births, const struct flag_records *now,
                      struct flag_records *out)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < now->count && !err; i++)
        if (is_news(ledger, old, births, &now->at[i]))
            err = flag_records_push(out, &now->at[i]);
    return err ? err : ledger->err;
}

void flags_tell_turned(struct act *a, const struct flag_records *turned)
{
    for (size_t i = 0; i < turned->count; i++)
        act_flag_turned(a, span_text(turned->at[i].id), state_of(&turned->at[i]));
}
