/* selfturn (自转): pressure waves push water to and fro by night; forward and reverse register grow together, and what the customer pays
 * for was never used.
 *
 *   night    steps of at most two hours from 0 to 6 o'clock; of the last nights each counts 7/8 of the one after it
 *   raised   when it ran back on at least the figure `nights` (3) of the last 15, by more than the figure `back_least_l` (20 L) and two
 *            pulses in all, and the smaller of forward and back is more than the figure `alike` (0.5) of the larger
 *   cleared  after fifteen nights without any
 *   onset    the first of those nights
 *   not      net registers, which show none of it, and forward ones, which show a flow by night like any other
 *
 * Source: handbook of the fleet, §1.5, §6.2. */
#include "server/detect/back.h"

#define NIGHT_END_HOUR 6
#define STEP_MOST_S (2 * HOUR_S + 600)
#define KEPT (7 / 8.0f)
#define PULSES 2
#define MUCH_ML 20000 /* a night */

static unsigned count(uint16_t nights)
{
    unsigned n = 0;

    for (; nights; nights &= (uint16_t)(nights - 1))
        n++;
    return n;
}

static void turn(struct back *b, int32_t days)
{
    float kept = 1;

    for (int32_t i = 0; i < days && i <= 4 * BACK_NIGHTS; i++)
        kept *= KEPT;
    b->night_forward = packed_ml(kept * unpacked_ml(b->night_forward));
    b->night_back = packed_ml(kept * unpacked_ml(b->night_back));
    b->nights = (uint16_t)(days > BACK_NIGHTS ? 0 : b->nights << days) & ((1u << BACK_NIGHTS) - 1);
}

static uint32_t first_night_s(const struct back *b, const struct judge_place *p, uint32_t now_s)
{
    int64_t at_s = now_s;

    for (unsigned i = BACK_NIGHTS; i-- > 0;)
        if (b->nights >> i & 1) {
            at_s -= (int64_t)i * DAY_S;
            break;
        }
    return (uint32_t)(at_s > p->fitting->from_s ? at_s : p->fitting->from_s);
}

static bool is_selfturn(const struct back *b, const struct judge_place *p)
{
    float forward = unpacked_ml(b->night_forward), back = unpacked_ml(b->night_back);
    float least = (float)place_figure(p, FIGURE_SELFTURN_back_least_l);
    float ratio = (float)place_figure(p, FIGURE_SELFTURN_alike) / 1000;
    float pulses = PULSES * (float)p->meter->resolution_ml;

    return count(b->nights) >= (unsigned)place_figure(p, FIGURE_SELFTURN_nights) && back > least &&
           back >= pulses && back > ratio * forward && forward > ratio * back;
}

/* Of the mean of the nights that ran back. */
static void fill(const struct back *b, const struct judge_place *p, const struct judge_step *step,
                 struct verdict *out)
{
    unsigned nights = count(b->nights);
    float weight = 0, at = 1;
    int64_t forward, back;

    for (unsigned i = 0; i < BACK_NIGHTS; i++, at *= KEPT)
        weight += at * (float)(b->nights >> i & 1);
    forward = (int64_t)(unpacked_ml(b->night_forward) / weight);
    back = (int64_t)(unpacked_ml(b->night_back) / weight);
    *out = (struct verdict){ .open = true,
                             .onset_s = first_night_s(b, p, step->from_s),
                             .raised_s = step->to_s,
                             .severity = back >= MUCH_ML ? SEVERITY_MEDIUM : SEVERITY_LOW,
                             .confidence_pct = nights >= 5 ? 90 : 80 };
    verdict_number(out, "nights", (int64_t)nights * 1000);
    verdict_number(out, "night_forward_l", forward);
    verdict_number(out, "night_back_l", back);
    verdict_time(out, "seen_at", step->to_s);
}

static bool selfturn_judge(void *state, const struct judge_place *p, const struct judge_step *step,
                           struct verdict *out)
{
    struct back *b = (struct back *)state;

    if (p->meter->form != REGISTER_BOTH || !place_has_direction(p) || step->fall)
        return false;
    if (b->day && step->day > b->day)
        turn(b, step->day - b->day);
    if (step->hour < NIGHT_END_HOUR && step->to_s - step->from_s <= STEP_MOST_S &&
        (b->day == 0 || step->day >= b->day) && step->used_ml > 0) {
        uint16_t *sum = step->reverse ? &b->night_back : &b->night_forward;

        *sum = packed_ml(unpacked_ml(*sum) + (float)step->used_ml);
        if (step->reverse)
            b->nights |= 1;
    }
    if (b->flags & BACK_SELFTURN) {
        if (b->nights)
            return false;
        b->flags &= (uint8_t)~BACK_SELFTURN;
        *out = (struct verdict){ .cleared_s = step->to_s };
        return true;
    }
    if (!step->reverse || b->flags & BACK_REVERSED || !is_selfturn(b, p))
        return false;
    b->flags |= BACK_SELFTURN;
    fill(b, p, step, out);
    return true;
}

/* ---- for people ---- */

static void selfturn_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                             struct wr *zh)
{
    wr_format(en, "On %lld of the last 15 nights the meter ran to and fro by itself: about ",
              (long long)(verdict_value(v, "nights") / 1000));
    say_volume(en, verdict_value(v, "night_forward_l"));
    wr_text(en, " forward and ");
    say_volume(en, verdict_value(v, "night_back_l"));
    wr_text(en, " back from 0 to 6 o'clock, since ");
    say_date(en, p->zone, v->onset_s);
    wr_text(en, ". Pressure waves move the water: fit a check valve, let the air out; the customer "
                "did not use it.");

    wr_format(zh, "近15夜中有%lld夜水表自转：0点至6点约正走",
              (long long)(verdict_value(v, "nights") / 1000));
    say_volume(zh, verdict_value(v, "night_forward_l"));
    wr_text(zh, "、倒走");
    say_volume(zh, verdict_value(v, "night_back_l"));
    wr_text(zh, "，始于");
    say_date(zh, p->zone, v->onset_s);
    wr_text(zh, "。系管网压力波动所致：请加装止回阀并排气，该水量并非用户所用。");
}

const struct detector detector_selfturn = {
    .flag = "selfturn",
    .state_size = sizeof(struct back),
    .judge = selfturn_judge,
    .explain = selfturn_explain,
};
