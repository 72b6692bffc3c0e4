#include "server/detect/detect_priv.h"

void verdict_number(struct verdict *v, const char *name, int64_t thousandths)
{
    if (v->evidence_count < EVIDENCE_MAX)
        v->evidence[v->evidence_count++] =
            (struct evidence){ .name = name, .form = EVIDENCE_NUMBER, .value = thousandths };
}

void verdict_time(struct verdict *v, const char *name, int64_t at_s)
{
    if (v->evidence_count < EVIDENCE_MAX)
        v->evidence[v->evidence_count++] =
            (struct evidence){ .name = name, .form = EVIDENCE_TIME, .value = at_s };
}

void verdict_meter(struct verdict *v, const char *name, uint32_t meter)
{
    if (v->evidence_count < EVIDENCE_MAX)
        v->evidence[v->evidence_count++] =
            (struct evidence){ .name = name, .form = EVIDENCE_METER, .value = meter };
}

uint32_t verdict_other(const struct verdict *v)
{
    for (unsigned i = 0; i < v->evidence_count; i++)
        if (v->evidence[i].form == EVIDENCE_METER)
            return (uint32_t)v->evidence[i].value;
    return 0;
}

/* All names of evidence that any version has used: what was told once must be listed for ever. */
static const char *const names[] = {
    "ahead_limit_days",
    "agreed_at",
    "back_days",
    "back_l",
    "back_since_l",
    "back_week_l",
    "battery_low",
    "between_meters_lph",
    "bound_days",
    "building_meter",
    "by_night",
    "cell",
    "changed_at",
    "clock_lost",
    "comes_and_goes",
    "counted_at",
    "counted_days",
    "counted_l",
    "days_before",
    "days_known",
    "days_since",
    "dial_at",
    "dial_l",
    "dial_reads",
    "draw_size_pct",
    "drift_s_per_day",
    "dry",
    "empty_at",
    "end_mv",
    "fall_mv_per_day",
    "first_min_flow_lph",
    "flowing_hours",
    "forward_l",
    "forward_since_l",
    "forward_week_l",
    "from_at",
    "full_mv",
    "grown_times",
    "hours_with_use_pct",
    "last_heard_at",
    "last_moved_at",
    "legal_end",
    "level_mv",
    "limit_h",
    "limit_lph",
    "limit_s",
    "longest_pause_h",
    "lost_l",
    "low_flow_pct",
    "magnet",
    "meters",
    "min_flow_lph",
    "missed_high_pct",
    "missed_low_pct",
    "missed_pct",
    "month_pct",
    "night_back_l",
    "night_forward_l",
    "nights",
    "nights_before",
    "nights_unusual",
    "off_l",
    "offset_l",
    "offset_s",
    "other_before_lpd",
    "other_meter",
    "other_since_lpd",
    "outage_since",
    "own_flat_idle",
    "own_longest_hours",
    "own_longest_zero_days",
    "peak_lph",
    "peak_share_pct",
    "peers_pct",
    "period_h",
    "q3_lph",
    "ratio_before",
    "ratio_since",
    "readings",
    "reports",
    "reports_limit",
    "rule_years",
    "score",
    "seen_at",
    "silent",
    "shut_days",
    "since_installed",
    "standard_errors",
    "stop_and_go_odds_ln",
    "tamper",
    "tolerance_l",
    "trickle_hours_pct",
    "use_before_lpd",
    "use_during_lpd",
    "use_since_lpd",
    "usual_flow_lph",
    "vacant_days",
    "weeks",
    "weeks_before",
    "weeks_since",
    "worst_offset_s",
    "year_before_pct",
    "zero_days",
    "still",
    "zone",
};

const char *evidence_name(struct span name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (span_equal(name, span_text(names[i])))
            return names[i];
    return NULL;
}

void verdict_take(struct verdict *stands, const struct verdict *v)
{
    struct verdict was = *stands;

    if (v->open || v->raised_s)
        *stands = *v;
    if (v->raised_s)
        return;
    stands->onset_s = was.onset_s;
    stands->raised_s = was.raised_s;
    stands->open = v->open;
    stands->cleared_s = v->cleared_s;
    /* Told by the other register of a pair, whose steps lie further back. */
    if (!v->open && v->cleared_s < was.raised_s)
        stands->cleared_s = was.raised_s;
}

int64_t verdict_value(const struct verdict *v, const char *name)
{
    for (unsigned i = 0; i < v->evidence_count; i++)
        if (strcmp(v->evidence[i].name, name) == 0)
            return v->evidence[i].value;
    return 0;
}

bool verdict_is_explained(const struct verdict *v)
{
    return verdict_value(v, "outage_since") != 0;
}

enum severity severity_of_loss(int64_t lost_mlpd)
{
    if (lost_mlpd < 100000)
        return SEVERITY_LOW;
    if (lost_mlpd < 500000)
        return SEVERITY_MEDIUM;
    return lost_mlpd < 5000000 ? SEVERITY_HIGH : SEVERITY_URGENT;
}

static void say_fixed(struct wr *w, int64_t ml, int64_t unit_ml, int places, const char *unit)
{
    int64_t ten = places == 2 ? 100 : places == 1 ? 10 : 1, step = unit_ml / ten;
    int64_t v = ((ml < 0 ? -ml : ml) + step / 2) / step;

    wr_format(w, "%s%lld", ml < 0 ? "-" : "", (long long)(v / ten));
    if (places)
        wr_format(w, ".%0*lld", places, (long long)(v % ten));
    wr_text(w, unit);
}

/* Three digits are enough for people: 4.5 L, 85 L, 1.24 m³, 12.4 m³, 124 m³. */
void say_volume(struct wr *w, int64_t ml)
{
    int64_t v = ml < 0 ? -ml : ml;

    if (v < 9950)
        say_fixed(w, ml, 1000, 1, " L");
    else if (v < 999500)
        say_fixed(w, ml, 1000, 0, " L");
    else
        say_fixed(w, ml, 1000000, v < 9995000 ? 2 : v < 99950000 ? 1 : 0, " m³");
}

void say_date(struct wr *w, const struct zone *z, int64_t utc_s)
{
    struct civil c = zone_civil(z, utc_s);

    wr_format(w, "%04d-%02u-%02u", (int)c.year, (unsigned)c.month, (unsigned)c.day);
}

void say_minute(struct wr *w, const struct zone *z, int64_t utc_s)
{
    struct civil c = zone_civil(z, utc_s);

    say_date(w, z, utc_s);
    wr_format(w, " %02u:%02u", (unsigned)c.hour, (unsigned)c.minute);
}

void say_span(struct wr *w, int64_t seconds, bool zh)
{
    int64_t hours = (seconds + HOUR_S / 2) / HOUR_S, days = (seconds + DAY_S / 2) / DAY_S;

    if (hours < 72)
        wr_format(w, zh ? "%lld小时" : "%lld hours", (long long)hours);
    else
        wr_format(w, zh ? "%lld天" : "%lld days", (long long)days);
}
