#include "server/billing/review.h"

#include <assert.h>

#define FORM 1
#define FORM_TOLD 2

static const struct {
    const char *name, *en, *zh;
} reasons[REVIEW_REASONS] = {
    [REVIEW_ESTIMATED_TWICE] = { "estimated-twice",
                                 "Estimated in this cycle and in the one before.",
                                 "本期与上期均为估抄。" },
    [REVIEW_FIRST_AFTER_EXCHANGE] = { "first-after-exchange",
                                      "The first bill after the meter was changed.",
                                      "换表后的首期水费。" },
    [REVIEW_HIGH] = { "high",
                      "Far above the median of the days before, or above the bound that was set.",
                      "日均用量远高于此前中位数，或超过设定上限。" },
    [REVIEW_LARGE_USER] = { "large-user", "A large user: DN 50 or more, or more than 500 m³.",
                            "大用户：口径 DN50 及以上，或用量超过 500 m³。" },
    [REVIEW_LOW] = { "low", "Far below the median of the days before.",
                     "日均用量远低于此前中位数。" },
    [REVIEW_MISSING] = { "missing", "Nobody knows the figure.", "缺少读数，用量未知。" },
    [REVIEW_NEGATIVE] = { "negative", "More water came back than went through.", "用量为负。" },
    [REVIEW_PROLONGED] = { "prolonged", "Nobody read it for several cycles in a row.",
                           "连续多期无实抄。" },
    [REVIEW_SPIKE] = { "spike",
                       "An hour stands far out of its day, or above what was set for the meter.",
                       "某一小时用量远高于当日其他时段，或超过水表设定值。" },
    [REVIEW_ZERO] = { "zero", "The meter stood still.", "用量为零，水表未走。" },
    [REVIEW_EDIT_WAITING] = { "edit-waiting", "An edit waits for a second person.",
                              "有更正待他人审批。" },
};

const char *review_reason_name(enum review_reason r)
{
    return reasons[r].name;
}

bool review_reason_read(struct span name, enum review_reason *out)
{
    for (int r = 0; r < REVIEW_REASONS; r++) {
        if (span_equal(name, span_text(reasons[r].name))) {
            *out = (enum review_reason)r;
            return true;
        }
    }
    return false;
}

void review_reason_names(char out[REVIEW_REASONS_TEXT])
{
    struct wr w = wr_of(out, REVIEW_REASONS_TEXT - 1);

    for (unsigned r = 0; r < REVIEW_REASONS; r++)
        wr_format(&w, "%s%s",
                  r == 0                   ? ""
                  : r + 1 < REVIEW_REASONS ? ", "
                                           : " or ",
                  review_reason_name((enum review_reason)r));
    assert(!w.err);
    out[wr_len(&w)] = 0;
}

const char *review_reason_text_en(enum review_reason r)
{
    return reasons[r].en;
}

const char *review_reason_text_zh(enum review_reason r)
{
    return reasons[r].zh;
}

unsigned review_reasons(const struct review_facts *f)
{
    static const enum review_reason of_check[CHECK_COUNT] = {
        [CHECK_HIGH] = REVIEW_HIGH,         [CHECK_LOW] = REVIEW_LOW,
        [CHECK_NEGATIVE] = REVIEW_NEGATIVE, [CHECK_PROLONGED] = REVIEW_PROLONGED,
        [CHECK_SPIKE] = REVIEW_SPIKE,       [CHECK_ZERO] = REVIEW_ZERO,
        [CHECK_OVERLOAD] = REVIEW_SPIKE,    [CHECK_LIMIT] = REVIEW_HIGH,
    };
    const struct determinant *d = f->d;
    unsigned set = 0;

    for (int c = 0; c < CHECK_COUNT; c++)
        if (d->checks & 1u << c)
            set |= 1u << of_check[c];
    if (d->quality == QUALITY_MISSING)
        set |= 1u << REVIEW_MISSING;
    if (d->quality == QUALITY_ESTIMATED && f->estimated_before)
        set |= 1u << REVIEW_ESTIMATED_TWICE;
    if (f->exchanged)
        set |= 1u << REVIEW_FIRST_AFTER_EXCHANGE;
    if (f->dn_mm_most >= REVIEW_LARGE_DN ||
        (d->billed.known && d->billed.consumption_ml > REVIEW_LARGE_ML))
        set |= 1u << REVIEW_LARGE_USER;
    if (f->spikes)
        set |= 1u << REVIEW_SPIKE;
    if (f->edits_waiting)
        set |= 1u << REVIEW_EDIT_WAITING;
    return set;
}

bool review_holds(const struct review_accepted *a, const struct determinant *d, unsigned set)
{
    return billed_equal(&a->billed, &d->billed) && a->quality == d->quality && !(set & ~a->reasons);
}

void review_accepted_write(struct wr *w, const struct review_accepted *a)
{
    wr_u8(w, a->told_of ? FORM_TOLD : FORM);
    wr_u8(w, a->billed.known);
    if (a->billed.known) {
        wr_zigzag(w, a->billed.consumption_ml);
        wr_zigzag(w, a->billed.m3);
    }
    wr_u8(w, (uint8_t)a->quality);
    wr_varint(w, a->reasons);
    if (a->told_of)
        checks_told_write(w, a->told_of, a->told);
    wr_zigzag(w, a->at_s);
    wr_counted(w, a->who);
    wr_counted(w, a->note);
}

enum err review_accepted_read(struct span bytes, struct review_accepted *out)
{
    struct rd r = rd_of(bytes);
    struct review_accepted a = { 0 };
    unsigned form = rd_u8(&r), quality;
    uint64_t set;

    if (form != FORM && form != FORM_TOLD)
        rd_fail(&r, ERR_CORRUPT);
    a.billed.known = rd_u8(&r);
    if (a.billed.known) {
        a.billed.consumption_ml = rd_zigzag(&r);
        a.billed.m3 = rd_zigzag(&r);
    }
    quality = rd_u8(&r);
    set = rd_varint(&r);
    if (form == FORM_TOLD)
        a.told_of = checks_told_read(&r, a.told);
    a.at_s = rd_zigzag(&r);
    a.who = rd_counted(&r);
    a.note = rd_counted(&r);
    if (r.err || rd_left(&r) || quality > QUALITY_MISSING || set >> REVIEW_REASONS)
        return ERR_CORRUPT;
    a.quality = (enum quality)quality;
    a.reasons = (unsigned)set;
    *out = a;
    return ERR_OK;
}
