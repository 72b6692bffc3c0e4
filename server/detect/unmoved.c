/* unmoved (装后未走): the register has never turned since the meter was installed, where it should have.
 *
 *   raised   after 30 days without holidays and pauses in which it did not move once, ten readings or more: where water was used at the
 *            point before this fitting (place->used_before_mlpd above 30 L/day); after 60 days where nobody knows what was used
 *   not      where little was used before; hydrants, pipes between zones
 *   likely   odds = NEVER_TURNS ÷ the homes in a hundred (profile.h) that are in a pause on the day of the exchange of which so long is still to
 *            come: a flat may have been empty before it; where nobody knows what was used, against the flats that stand empty,
 *            whatever the time: EMPTY, so that it stays a faint suspicion that sends nobody
 *   lost     what was used before
 *   cleared  with the first pulse
 *
 * Cross-wired, bypassed, built in with its transport lock, a transmitter without its magnet: all look so; and a flat in which nobody lives.
 * Sources: handbook of the fleet, §6.1 ("never turned"); one exchange in 300 and one flat in six empty are planning figures. */
#include "server/detect/profile.h"

#include "server/detect/detect_priv.h"

#define LOOK_EVERY_S (3 * HOUR_S)
#define READINGS_LEAST 10
#define NEVER_TURNS (1 / 300.0)
#define EMPTY (1 / 6.0)
#define LONGEST_H (20 * 8760.0)
#define STRETCH 1.25

struct unmoved {
    uint32_t raised_s; /* 0: no flag */
    uint8_t readings, told, spare[2];
};
_Static_assert(sizeof(struct unmoved) <= STUCK_STATE, "of a meter's room");

/* The share of homes that are in a pause which lasts `hours` and more from now on: how many begin so long ago or longer, day by day. */
static double under_way(const struct judge_place *p, double hours)
{
    double sum = 0, rate = profile_pauses_a_day(p->profile, p, hours);

    for (double h = hours > 24 ? hours : 24; h < LONGEST_H; h *= STRETCH) {
        double next = profile_pauses_a_day(p->profile, p, h * STRETCH);

        sum += h * (STRETCH - 1) / 24 * (rate + next) / 2;
        rate = next;
    }
    return sum;
}

static unsigned confidence_of(const struct judge_place *p, int64_t counted_s)
{
    double odds = NEVER_TURNS / EMPTY;

    if (p->used_before_mlpd > 0)
        odds = NEVER_TURNS / under_way(p, (double)counted_s / HOUR_S);
    odds = 100 * odds / (1 + odds);
    return odds > 97 ? 97 : (unsigned)odds;
}

static void fill(const struct unmoved *s, const struct judge_place *p, uint32_t now_s,
                 struct verdict *out)
{
    int64_t since_s = p->profile->moved_s, used = p->used_before_mlpd;
    int64_t counted_s = profile_counted_s(p, since_s, now_s);

    *out = (struct verdict){
        .open = true,
        .onset_s = since_s,
        .raised_s = s->raised_s,
        .lost_mlpd = used,
        .lost_low_mlpd = used / 2,
        .lost_high_mlpd = used * 3 / 2,
        .confidence_pct = s->told,
    };
    out->severity = s->told < 50 ? SEVERITY_LOW : severity_of_loss(used);
    verdict_number(out, "zero_days", (now_s - since_s) * 1000 / DAY_S);
    verdict_number(out, "counted_days", counted_s * 1000 / DAY_S);
    if (used > 0)
        verdict_number(out, "use_before_lpd", used);
    verdict_time(out, "seen_at", now_s);
}

static bool stands(struct unmoved *s, const struct judge_place *p, const struct judge_step *step,
                   struct verdict *out)
{
    bool known = p->used_before_mlpd > 0;
    int64_t least_s = DAY_S * place_figure(p, known ? FIGURE_UNMOVED_known_days
                                                    : FIGURE_UNMOVED_unknown_days),
            counted_s;
    unsigned confidence;

    if (s->readings < READINGS_LEAST)
        s->readings++;
    if (p->profile->moved_s == 0 || step->to_s - p->profile->moved_s < least_s ||
        s->readings < READINGS_LEAST || step->from_s / LOOK_EVERY_S == step->to_s / LOOK_EVERY_S ||
        (known && p->used_before_mlpd < place_figure(p, FIGURE_UNMOVED_use_least_lpd)))
        return false;
    counted_s = profile_counted_s(p, p->profile->moved_s, step->to_s);
    if (counted_s < least_s)
        return false;
    confidence = confidence_of(p, counted_s);
    if (s->raised_s && confidence < s->told + 10u)
        return false;
    if (!s->raised_s)
        s->raised_s = step->to_s;
    s->told = (uint8_t)confidence;
    fill(s, p, step->to_s, out);
    return true;
}

static bool unmoved_judge(void *state, const struct judge_place *p, const struct judge_step *step,
                          struct verdict *out)
{
    struct unmoved *s = (struct unmoved *)state;
    enum use_class use = p->point->use;
    bool told;

    if (profile_has_use(p->profile)) /* these bytes are stuck's */
        return false;
    if (step->used_ml == 0 && !step->fall)
        return !step->reverse && use != USE_HYDRANT && use != USE_ZONE_INLET &&
               use != USE_ZONE_OUTLET && stands(s, p, step, out);
    told = s->raised_s;
    if (told) {
        fill(s, p, step->from_s, out);
        out->open = false;
        out->cleared_s = step->to_s;
    }
    *s = (struct unmoved){ 0 };
    return told;
}

/* Told anew when it is surer: it speaks of what was so at least. */
static void unmoved_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                            struct wr *zh)
{
    int64_t zero_s = verdict_value(v, "zero_days") * DAY_S / 1000;
    int64_t used = verdict_value(v, "use_before_lpd");

    wr_text(en, "The meter has not turned once in at least ");
    say_span(en, zero_s, false);
    wr_text(en, " since ");
    say_date(en, p->zone, v->onset_s);
    if (used) {
        wr_text(en, "; the meter before it measured ");
        say_volume(en, used);
        wr_text(en,
                " a day. Open a tap: if it does not turn, look for a bypass, crossed pipes or a "
                "meter that is jammed.");
    } else {
        wr_text(en,
                "; nobody knows what was used before. Ask whether anybody lives there; if so, open "
                "a tap and look whether it turns.");
    }
    wr_text(zh, "水表自");
    say_date(zh, p->zone, v->onset_s);
    wr_text(zh, "装表以来至少");
    say_span(zh, zero_s, true);
    wr_text(zh, "从未走字");
    if (used) {
        wr_text(zh, "，原表日均");
        say_volume(zh, used);
        wr_text(zh, "。请现场放水查看：不走字则检查旁通、串接或表卡死。");
    } else {
        wr_text(zh, "，此前用水量不详。请先核实是否有人居住，有人则放水查看是否走字。");
    }
}

const struct detector detector_unmoved = {
    .flag = "unmoved",
    .replace = true,
    .state_size = STUCK_STATE,
    .judge = unmoved_judge,
    .explain = unmoved_explain,
};
