/* leak (用户侧漏水): water flows without a pause, as no household uses it.
 *
 *   flow     from readings at most 90 minutes apart, gathered to at least 55 minutes ("an hour").
 *            A longer gap bears nothing out and breaks nothing, unless the register says that its
 *            mean was below the least: then some hour of it was
 *   least    3 L/h; from DN 40 on 0.1 % of Q3 if that is more
 *   fine     pulse ≤ least × 1 h: every hour flows at the least or more
 *   coarse   (10 L, 100 L …) no pause between pulses longer than pulse ÷ least, and never longer
 *            than 4 h: at 100 L every family has a pulse within the 33 h that 3 L/h would need, so
 *            there only 25 L/h and more can be told from living
 *   size     the smallest hour of the last one to two days; coarse: the smallest pulse ÷ (pause +
 *            its hour)
 *   raised   after 24 h of it where size ≥ 6 units (unit: the larger of the least and one pulse an
 *            hour), after 36 h where ≥ 2, else after 72 h.
 *            Not before 1.5 × the longest run that ended by itself in the last 60 days (up to 7
 *            days).  Coarse: nor before 10 pauses, nor before 7 days where some hours have no
 *            pulse, for a large family has nights with few pauses, too.
 *            Others than households: 72 h, and 7 days until two weeks are known, for shifts
 *   onset    where the unbroken flow began; with coarse pulses some hours of living are part of it
 *   cleared  when an hour has (next to) no flow, or three hours in a row have less than the least;
 *            coarse: a pause too long
 *   surer    with 48 h, 72 h and 7 days. Severity by size: under 10 L/h low, 50 medium, 200 high,
 *            above urgent
 *
 * Continuous by nature: flow in every hour since the fitting (what is known of it) began is no
 * leak that began.  After 7 days that flow is the base, after 30 days it stays so through
 * interruptions (until 30 days without it); then only a rise counts, to max(2 × base, base + 3 ×
 * least), and it clears half-way back.  So a leak that runs from the first reading on is not told;
 * nor is one of a meter with one reading a day.
 *
 * Why these hours: in 92 real households over a year (Alicante 2016) there were 131 runs of ≥ 24 h
 * at 3 L/h and more (in 18 households), 16 of ≥ 72 h (in 5, by all appearance leaks); at 6 L/h 12
 * of ≥ 36 h (8); at 18 L/h 6 of ≥ 24 h (4).  Sources: handbook of the fleet, §6.4 (L1) and §1.4. */
#include "server/detect/detect_priv.h"

#define LEAST_Q3_SHARE 0.001f
#define PAUSE_MOST_S (4 * HOUR_S)
#define STEP_MOST_S (90 * 60)
#define HOUR_LEAST_S (55 * 60)
#define OWN_RUN_LEAST_S (12 * HOUR_S)
#define OWN_DAYS 60
#define OWN_WAIT_MOST_S (7 * DAY_S)
#define LONG_GAP_S DAY_S
#define LONG_GAP_OTHERS_S (12 * HOUR_S) /* a shift, or a Sunday, fits into more */
#define LOW_HOURS 3
#define FAINT_S (7 * DAY_S)
#define BASE_AFTER_S (7 * DAY_S)
#define NATURE_AFTER_S (30 * DAY_S)
#define NATURE_LOST_DAYS 30

enum {
    FROM_START = 1, /* the run has lasted since the first reading */
    BASED = 2,      /* base_lph counts; dropped by the first pause */
    NATURE = 4,     /* continuous by nature */
};

struct leak {
    uint32_t first_s;
    uint32_t hour_s; /* the hour being gathered (fine) or the pause (coarse) began; 0 = none */
    float hour_ml;
    uint32_t run_s;            /* the unbroken flow began; 0 = none */
    uint32_t borne_s;          /* seconds of it that readings bear out */
    uint32_t low_s;            /* the 24 h of low_now began */
    float low_now, low_before; /* L/h */
    uint32_t day_s;            /* the 24 h of day_low began */
    float day_low, base_lph;
    uint32_t raised_s; /* 0: no flag */
    uint32_t onset_s;
    float told_lph, first_lph, lost_l;
    uint32_t told_borne_s;       /* borne_s when it was last told */
    uint16_t own_hours, own_day; /* the longest run that ended by itself, and when */
    uint8_t flags, low_hours, told, dry_days;
};
_Static_assert(sizeof(struct leak) <= LEAK_STATE, "of a meter's room");

/* One hour, or one pulse with the pause before it, or a pause that was too long. */
struct flow {
    uint32_t from_s, to_s;
    float lph;
    bool enough; /* as a leak would flow */
    bool none;   /* (next to) nothing */
    bool dry;    /* nothing for so long that it cannot be said to run by nature */
};

static float least_lph(const struct judge_place *p)
{
    float share = (float)p->meter->q3_lph * LEAST_Q3_SHARE;
    float least = (float)place_figure(p, FIGURE_LEAK_least_lph) / 1000;

    return p->meter->dn_mm >= 40 && share > least ? share : least;
}

static float pulse_l(const struct judge_place *p)
{
    return (float)p->meter->resolution_ml / 1000;
}

static bool is_coarse(const struct judge_place *p)
{
    return pulse_l(p) > least_lph(p);
}

static uint32_t pause_most_s(const struct judge_place *p)
{
    float s = pulse_l(p) / least_lph(p) * HOUR_S;

    return s > PAUSE_MOST_S ? PAUSE_MOST_S : (uint32_t)s;
}

static float low_of(const struct leak *s)
{
    return s->low_now < s->low_before ? s->low_now : s->low_before;
}

/* What a run must flow at: above its base where that is known. */
static float limit_lph(const struct leak *s, const struct judge_place *p)
{
    float least = least_lph(p);

    if (!(s->flags & (BASED | NATURE)))
        return least;
    return 2 * s->base_lph > s->base_lph + 3 * least ? 2 * s->base_lph : s->base_lph + 3 * least;
}

/* ---- continuous by nature ---- */

static void base_day(struct leak *s, const struct judge_place *p)
{
    bool flowed = s->day_low >= least_lph(p) * 0.97f;

    if (flowed && (s->flags & FROM_START) && !(s->flags & BASED) &&
        s->day_s + DAY_S - s->first_s >= BASE_AFTER_S) {
        s->flags |= BASED;
        s->base_lph = s->day_low;
        s->run_s = 0;
    }
    if ((s->flags & FROM_START) && (s->flags & BASED) &&
        s->day_s + DAY_S - s->first_s >= NATURE_AFTER_S)
        s->flags |= NATURE;
    if (flowed)
        s->dry_days = 0;
    else if ((s->flags & NATURE) && ++s->dry_days > NATURE_LOST_DAYS)
        s->flags &= (uint8_t)~NATURE;
    if (flowed && !s->raised_s && s->run_s == 0)
        s->base_lph += (s->day_low - s->base_lph) / 30;
}

static void base_flow(struct leak *s, const struct judge_place *p, const struct flow *f)
{
    if (f->dry) {
        s->flags &= (uint8_t) ~(FROM_START | BASED);
        s->day_low = 0;
    }
    if (!f->none && f->lph < s->day_low)
        s->day_low = f->lph;
    if (f->to_s - s->day_s >= DAY_S) {
        base_day(s, p);
        s->day_s = f->to_s;
        s->day_low = 1e9f;
    }
}

/* ---- raising ---- */

static uint32_t wait_least_s(const struct judge_place *p)
{
    return (uint32_t)place_figure(p, FIGURE_LEAK_wait_hours) * HOUR_S;
}

static uint32_t wait_s(const struct leak *s, const struct judge_place *p, uint32_t now_s)
{
    float pulse = pulse_l(p), least = limit_lph(s, p), unit = pulse > least ? pulse : least;
    uint32_t wait = (uint32_t)place_figure(p, FIGURE_LEAK_faint_hours) * HOUR_S,
             own = (uint32_t)s->own_hours * HOUR_S * 3 / 2;

    if (place_is_household(p) || (s->flags & (BASED | NATURE)))
        wait = low_of(s) >= 6 * unit   ? wait_least_s(p)
               : low_of(s) >= 2 * unit ? wait_least_s(p) * 3 / 2
                                       : wait;
    else if (now_s - s->first_s < 14 * DAY_S)
        wait = 7 * DAY_S;
    if (own > OWN_WAIT_MOST_S && place_is_household(p))
        own = OWN_WAIT_MOST_S;
    if (own > wait && now_s / DAY_S <= s->own_day + (uint32_t)OWN_DAYS)
        wait = own;
    if (is_coarse(p) && wait < 10 * pause_most_s(p))
        wait = 10 * pause_most_s(p);
    if (is_coarse(p) && low_of(s) < pulse && wait < FAINT_S)
        wait = FAINT_S;
    return wait;
}

static unsigned confidence_of(const struct leak *s)
{
    return s->borne_s < 48 * HOUR_S   ? 60
           : s->borne_s < 72 * HOUR_S ? 70
           : s->borne_s < 7 * DAY_S   ? 85
                                      : 95;
}

static enum severity severity_of(float lph)
{
    return lph < 10    ? SEVERITY_LOW
           : lph < 50  ? SEVERITY_MEDIUM
           : lph < 200 ? SEVERITY_HIGH
                       : SEVERITY_URGENT;
}

static int64_t day_ml(float lph)
{
    return lph > 0 ? (int64_t)((double)lph * 24000) : 0;
}

static void fill(const struct leak *s, const struct judge_place *p, uint32_t now_s,
                 struct verdict *out)
{
    bool based = s->flags & (BASED | NATURE);
    float base = based ? s->base_lph : 0, size = s->told_lph - base, unit = pulse_l(p);

    *out = (struct verdict){
        .open = true,
        .onset_s = s->onset_s,
        .raised_s = s->raised_s,
        .severity = severity_of(size),
        .lost_mlpd = day_ml(size),
        .lost_low_mlpd = day_ml(size - (unit < size / 2 ? unit : size / 2)),
        .lost_high_mlpd = day_ml(size + unit),
        .confidence_pct = confidence_of(s),
    };
    verdict_number(out, "min_flow_lph", (int64_t)(s->told_lph * 1000));
    verdict_number(out, "first_min_flow_lph", (int64_t)(s->first_lph * 1000));
    if (based)
        verdict_number(out, "usual_flow_lph", (int64_t)(base * 1000));
    verdict_number(out, "limit_lph", (int64_t)(limit_lph(s, p) * 1000));
    verdict_number(out, "flowing_hours", (int64_t)s->borne_s * 1000 / HOUR_S);
    verdict_number(out, "lost_l", (int64_t)((double)s->lost_l * 1000));
    verdict_time(out, "seen_at", now_s);
}

/* Worth telling again: much larger or smaller, surer, or twice as long. */
static bool has_news(const struct leak *s)
{
    float low = low_of(s);

    return low >= 2 * s->told_lph || low <= s->told_lph / 2 || confidence_of(s) != s->told ||
           s->borne_s >= 2 * s->told_borne_s;
}

static bool tell(struct leak *s, const struct judge_place *p, uint32_t now_s, struct verdict *out)
{
    s->told_lph = low_of(s);
    s->told = (uint8_t)confidence_of(s);
    s->told_borne_s = s->borne_s;
    fill(s, p, now_s, out);
    return true;
}

static float lost_lph(const struct leak *s, float lph)
{
    return s->flags & (BASED | NATURE) ? lph - s->base_lph : lph;
}

static void extend(struct leak *s, const struct flow *f, uint32_t seconds)
{
    if (s->run_s == 0) {
        s->run_s = s->low_s = f->from_s;
        s->borne_s = 0;
        s->low_now = s->low_before = f->lph;
    }
    s->borne_s += seconds;
    if (s->raised_s)
        s->lost_l += lost_lph(s, low_of(s)) * (float)seconds / HOUR_S;
    if (f->to_s - s->low_s >= DAY_S) {
        s->low_before = s->low_now;
        s->low_now = f->lph;
        s->low_s = f->to_s;
    } else if (f->lph < s->low_now) {
        s->low_now = f->lph;
    }
}

static bool goes_on(struct leak *s, const struct judge_place *p, const struct flow *f,
                    struct verdict *out)
{
    extend(s, f, f->to_s - f->from_s);
    s->low_hours = 0;
    if (s->raised_s)
        return has_news(s) && tell(s, p, f->to_s, out);
    if (s->borne_s < wait_least_s(p) || ((s->flags & FROM_START) && !(s->flags & BASED)) ||
        s->borne_s < wait_s(s, p, f->to_s))
        return false;
    s->raised_s = f->to_s;
    s->onset_s = s->run_s;
    s->first_lph = low_of(s);
    s->lost_l = lost_lph(s, low_of(s)) * (float)(f->to_s - s->run_s) / HOUR_S;
    return tell(s, p, f->to_s, out);
}

/* ---- ending ---- */

static void end_run(struct leak *s, uint32_t now_s, bool told)
{
    uint16_t hours = (uint16_t)(s->borne_s / HOUR_S > 9999 ? 9999 : s->borne_s / HOUR_S);
    bool stale = now_s / DAY_S > s->own_day + (uint32_t)OWN_DAYS;

    /* A leak that was told and mended is no habit. */
    if (s->run_s && !told && s->borne_s >= OWN_RUN_LEAST_S &&
        (stale || 4 * hours >= 3 * s->own_hours)) {
        if (stale || hours > s->own_hours)
            s->own_hours = hours;
        s->own_day = (uint16_t)(now_s / DAY_S);
    }
    s->run_s = 0;
    s->borne_s = 0;
    s->low_hours = 0;
}

static bool clear(struct leak *s, const struct judge_place *p, uint32_t now_s, struct verdict *out)
{
    fill(s, p, now_s, out);
    out->open = false;
    out->cleared_s = now_s;
    s->raised_s = 0;
    end_run(s, now_s, true);
    return true;
}

static bool falls_short(struct leak *s, const struct judge_place *p, const struct flow *f,
                        struct verdict *out)
{
    bool based = s->flags & (BASED | NATURE), back;

    if (!s->raised_s) {
        end_run(s, f->to_s, false);
        return false;
    }
    back = based ? f->lph < (s->base_lph + limit_lph(s, p)) / 2 : f->none;
    if (back || ++s->low_hours >= LOW_HOURS)
        return clear(s, p, f->to_s, out);
    extend(s, f, f->to_s - f->from_s);
    return false;
}

static bool take(struct leak *s, const struct judge_place *p, const struct flow *f,
                 struct verdict *out)
{
    if (s->day_s == 0) {
        s->day_s = f->from_s;
        s->day_low = 1e9f;
        if (f->enough)
            s->flags |= FROM_START;
    }
    base_flow(s, p, f);
    return f->enough ? goes_on(s, p, f, out) : falls_short(s, p, f, out);
}

/* ---- from steps to hours ---- */

static bool fine_step(struct leak *s, const struct judge_place *p, const struct judge_step *step,
                      struct verdict *out)
{
    struct flow f = { .to_s = step->to_s };
    if (s->hour_s == 0) {
        s->hour_s = step->from_s;
        s->hour_ml = 0;
    }
    s->hour_ml += (float)step->used_ml;
    if (step->to_s - s->hour_s < HOUR_LEAST_S)
        return false;
    f.from_s = s->hour_s;
    f.lph = s->hour_ml * (HOUR_S / 1000.0f) / (float)(step->to_s - s->hour_s);
    f.enough =
        f.lph >= limit_lph(s, p) * 0.97f; /* clocks of meters drift: 61 minutes are an hour too */
    f.none = f.dry = f.lph < least_lph(p) / 4;
    s->hour_s = 0;
    return take(s, p, &f, out);
}

static bool coarse_step(struct leak *s, const struct judge_place *p, const struct judge_step *step,
                        struct verdict *out)
{
    struct flow f = { .to_s = step->to_s };
    uint32_t pause_s;

    if (s->hour_s == 0)
        s->hour_s = step->from_s;
    f.from_s = s->hour_s;
    if (step->used_ml <= 0) {
        pause_s = step->to_s - s->hour_s;
        f.none = pause_s > pause_most_s(p);
        f.dry = pause_s > 2 * pause_most_s(p);
        return f.none && take(s, p, &f, out);
    }
    pause_s = step->from_s - s->hour_s;
    if (pause_s > pause_most_s(p)) /* flow begins with this pulse */
        f.from_s = step->from_s;
    f.lph = (float)step->used_ml / 1000 / ((float)(step->to_s - s->hour_s) / HOUR_S);
    f.enough = !(s->flags & (BASED | NATURE)) || f.lph >= limit_lph(s, p);
    s->hour_s = 0;
    return take(s, p, &f, out);
}

/* Readings too far apart to tell hours: all that can be known is the mean. */
static bool gap_step(struct leak *s, const struct judge_place *p, const struct judge_step *step,
                     struct verdict *out)
{
    float seconds = (float)(step->to_s - step->from_s);
    float lph = (float)step->used_ml / 1000 * HOUR_S / seconds;
    float least = s->raised_s ? least_lph(p) / 2 : limit_lph(s, p) * 0.97f;
    bool short_of =
        is_coarse(p) ? step->used_ml <= 0 && seconds > (float)pause_most_s(p) : lph < least;

    s->hour_s = 0;
    if (short_of) {
        struct flow f = {
            .from_s = step->from_s, .to_s = step->to_s, .lph = lph, .none = lph < least_lph(p)
        };

        if (s->day_s)
            base_flow(s, p, &f);
        if (s->raised_s && !(s->flags & (BASED | NATURE)))
            return clear(s, p, step->to_s, out);
        if (!s->raised_s)
            end_run(s, step->to_s, false);
    } else if (seconds > (float)(place_is_household(p) ? LONG_GAP_S : LONG_GAP_OTHERS_S) &&
               !s->raised_s && !(s->flags & FROM_START)) {
        s->run_s = 0; /* where it began cannot be said */
    }
    return false;
}

/* Half of all hours: no flow where none was. */
static bool is_quiet(const struct leak *s, const struct judge_step *step)
{
    uint32_t seconds = step->to_s - step->from_s;

    return step->used_ml == 0 && !step->fall && s->hour_s == 0 && s->run_s == 0 &&
           s->raised_s == 0 && s->flags == 0 && s->day_s != 0 && seconds >= HOUR_LEAST_S &&
           seconds <= STEP_MOST_S;
}

static bool leak_judge(void *state, const struct judge_place *p, const struct judge_step *step,
                       struct verdict *out)
{
    struct leak *s = (struct leak *)state;
    enum use_class use = p->point->use;

    if (is_quiet(s, step) || step->reverse || use == USE_ZONE_INLET || use == USE_ZONE_OUTLET)
        return false;
    if (s->first_s == 0)
        s->first_s = step->from_s;
    if (step->fall) {
        s->hour_s = 0;
        return false;
    }
    if (step->to_s - step->from_s > STEP_MOST_S)
        return gap_step(s, p, step, out);
    return is_coarse(p) ? coarse_step(s, p, step, out) : fine_step(s, p, step, out);
}

/* ---- for people ---- */

/* Told anew only when there is news (has_news), so that it speaks of what was so at least. */
static void leak_explain(const struct verdict *v, const struct judge_place *p, struct wr *en,
                         struct wr *zh)
{
    int64_t usual = verdict_value(v, "usual_flow_lph"), size = verdict_value(v, "min_flow_lph");
    int64_t hours_s = verdict_value(v, "flowing_hours") * HOUR_S / 1000;

    wr_text(en, "Water has run without a pause since ");
    say_minute(en, p->zone, v->onset_s);
    wr_text(en, ", for at least ");
    say_span(en, hours_s, false);
    wr_text(en, "; every hour of late at least ");
    say_volume(en, size);
    if (usual) {
        wr_text(en, " (usual here: ");
        say_volume(en, usual);
        wr_text(en, ")");
    }
    wr_text(en, ". About ");
    say_volume(en, v->lost_mlpd);
    wr_text(en, " a day are lost behind the meter, ");
    say_volume(en, verdict_value(v, "lost_l"));
    wr_text(en, " or more in all.");

    wr_text(zh, "自");
    say_minute(zh, p->zone, v->onset_s);
    wr_text(zh, "起至少连续");
    say_span(zh, hours_s, true);
    wr_text(zh, "不间断用水，近日每小时至少");
    say_volume(zh, size);
    if (usual) {
        wr_text(zh, "（该处平时");
        say_volume(zh, usual);
        wr_text(zh, "）");
    }
    wr_text(zh, "。表后疑似漏水，每天约");
    say_volume(zh, v->lost_mlpd);
    wr_text(zh, "，累计至少");
    say_volume(zh, verdict_value(v, "lost_l"));
    wr_text(zh, "。");
}

const struct detector detector_leak = {
    .flag = "leak",
    .state_size = sizeof(struct leak),
    .judge = leak_judge,
    .explain = leak_explain,
};
