#include "server/billing/daysheet.h"

#include "server/billing/agree.h"

#include <ctype.h>

#define DAY_S 86400
#define BACK_DAYS 62 /* a day of the month comes back within so many */
#define HELD_S (35 * DAY_S)
#define PACE_MORE_ML 500000 /* a day: rules-bills E3 */

/* ---- days ---- */

struct day_word {
    bool of_week;
    unsigned day;
};

static bool word_is(struct span word, const char *text)
{
    size_t n = 0;

    while (n < word.len && text[n] && tolower(word.at[n]) == text[n])
        n++;
    return n == word.len && !text[n];
}

static bool day_word(struct span word, struct day_word *out)
{
    static const char *const names[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };
    int64_t day;

    for (unsigned i = 0; i < 7; i++) {
        if (word_is(word, names[i])) {
            *out = (struct day_word){ true, i };
            return true;
        }
    }
    if (!word.len || word.len > 2 || text_int(word, &day) || day < 1 || day > 31)
        return false;
    *out = (struct day_word){ false, (unsigned)day };
    return true;
}

static void add_day(struct route_days *d, const struct day_word *w)
{
    if (w->of_week)
        d->of_week = (uint8_t)(d->of_week | 1u << w->day);
    else
        d->of_month |= 1u << w->day;
}

static bool add_word(struct route_days *d, struct span word)
{
    const uint8_t *dash = (const uint8_t *)memchr(word.at, '-', word.len);
    struct day_word from, to;

    if (word_is(word, "daily")) {
        d->of_week = 0x7f;
        return true;
    }
    if (word_is(word, "last"))
        return d->last = true;
    if (!dash)
        return day_word(word, &from) && (add_day(d, &from), true);
    if (!day_word(span_of(word.at, (size_t)(dash - word.at)), &from) ||
        !day_word(span_of(dash + 1, word.len - (size_t)(dash - word.at) - 1), &to) ||
        from.of_week != to.of_week || from.day > to.day)
        return false;
    for (; from.day <= to.day; from.day++)
        add_day(d, &from);
    return true;
}

static bool is_between(uint8_t c)
{
    return c == ',' || c == ' ' || c == ';';
}

enum err route_days_read(struct span text, struct route_days *out)
{
    struct route_days d = { 0 };
    size_t at = 0;
    bool any = false;

    while (at < text.len) {
        size_t end = at;

        while (end < text.len && !is_between(text.at[end]))
            end++;
        if (end > at && !add_word(&d, span_of(text.at + at, end - at)))
            return ERR_MALFORMED;
        any |= end > at;
        at = end + 1;
    }
    if (!any)
        d.of_week = 0x7f;
    *out = d;
    return ERR_OK;
}

bool route_days_hold(const struct route_days *d, int64_t day)
{
    struct civil c = day_civil(day * DAY_S);
    unsigned length = day_month_length(c.year, c.month);

    if (d->of_week & 1u << day_of_week(day) || d->of_month & 1u << c.day)
        return true;
    return c.day == length && (d->last || (uint64_t)d->of_month >> (length + 1));
}

int64_t route_days_before(const struct route_days *d, int64_t day)
{
    for (int64_t back = 1; back <= BACK_DAYS; back++)
        if (route_days_hold(d, day - back))
            return day - back;
    return day - 1;
}

/* ---- reads ---- */

struct sheet_day sheet_day_of(int64_t cut_s, int64_t end_s)
{
    struct sheet_day d = { cut_s, end_s, cut_s - SHEET_NEAR_S, cut_s + SHEET_NEAR_S };

    if (d.to_s < end_s - 1)
        d.to_s = end_s - 1;
    return d;
}

int sheet_fitting(const struct fitting *fittings, size_t count, const struct sheet_day *day)
{
    int found = -1;

    for (size_t i = 0; i < count; i++) {
        const struct fitting *f = &fittings[i];

        if (f->from_s <= day->cut_s && day->cut_s <= f->to_s)
            found = (int)i;
        else if (found < 0 && f->from_s > day->cut_s && f->from_s <= day->to_s)
            return (int)i;
    }
    return found;
}

static int64_t distance(int64_t a, int64_t b)
{
    return a < b ? b - a : a - b;
}

static bool is_nearer(const struct row *row, const struct sheet_read *than, int64_t cut_s)
{
    return !than->known || distance(row->time_s, cut_s) < distance(than->at_s, cut_s);
}

static bool is_in(const struct sheet_day *day, int64_t at_s)
{
    return at_s >= day->cut_s && at_s < day->end_s;
}

void sheet_reads(const struct rows *rows, const enum rule *rules, const struct sheet_day *day,
                 struct sheet_read *remote, struct sheet_read *manual)
{
    *remote = *manual = (struct sheet_read){ 0 };
    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->at[i];
        enum source source = (enum source)(row->attr & ATTR_SOURCE);
        struct sheet_read read = { true, row->time_s, row->value, rules[i], source };

        if (row->time_s < day->from_s || row->time_s > day->to_s)
            continue;
        if (source == SOURCE_REMOTE) {
            if (!rules[i] && is_nearer(row, remote, day->cut_s))
                *remote = read;
        } else if (is_in(day, row->time_s) || !manual->known ||
                   (!is_in(day, manual->at_s) && is_nearer(row, manual, day->cut_s))) {
            *manual = read;
        }
    }
}

int64_t dial_difference(const struct meter_facts *m, int64_t a_ml, int64_t b_ml)
{
    int64_t d = volume_clamped((__int128)b_ml - a_ml);

    if (m->modulus_ml > 0 && d > m->modulus_ml / 2)
        return d - m->modulus_ml;
    if (m->modulus_ml > 0 && d < -(m->modulus_ml / 2))
        return d + m->modulus_ml;
    return d;
}

static int64_t flow_over(int64_t pace_ml_day, int64_t seconds)
{
    return volume_clamped((__int128)(pace_ml_day < 0 ? 0 : pace_ml_day) * seconds / DAY_S);
}

struct neighbours {
    const struct row *before, *after;
};

static struct neighbours neighbours_of(const struct rows *rows, const enum rule *rules,
                                       int64_t at_s)
{
    struct neighbours n = { 0 };

    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->at[i];

        if (rules[i] || (row->attr & ATTR_SOURCE) != SOURCE_REMOTE ||
            distance(row->time_s, at_s) > HELD_S)
            continue;
        if (row->time_s <= at_s)
            n.before = row;
        if (row->time_s >= at_s) {
            n.after = row;
            break;
        }
    }
    return n;
}

bool sheet_off(const struct meter_facts *m, const struct rows *rows, const enum rule *rules,
               const struct sheet_read *manual, int64_t pace_ml_day, int64_t *out_ml)
{
    struct neighbours n = neighbours_of(rows, rules, manual->at_s);
    int64_t least = 0,
            most = 0; /* of what the transmitter may have said, as differences from the dial */

    if (!n.before && !n.after)
        return false;
    if (n.before)
        least = dial_difference(m, manual->dial_ml, n.before->value);
    if (n.after)
        most = dial_difference(m, manual->dial_ml, n.after->value);
    if (!n.before)
        least = most - flow_over(pace_ml_day, n.after->time_s - manual->at_s);
    if (!n.after)
        most = least + flow_over(pace_ml_day, manual->at_s - n.before->time_s);
    if (least > most) { /* a register that went back */
        int64_t spare = least;

        least = most;
        most = spare;
    }
    *out_ml = least > 0 ? -least : most < 0 ? -most : 0;
    return true;
}

int64_t sheet_tolerance_ml(const struct meter_facts *m, int64_t use_ml)
{
    int64_t ml = m->resolution_ml + (use_ml > 0 ? use_ml / 100 : 0);

    return ml > SHEET_TOLERANCE_ML ? ml : SHEET_TOLERANCE_ML;
}

/* ---- judgement ---- */

const char *sheet_state_name(enum sheet_state s)
{
    static const char *const names[] = { "ok", "missing", "odd", "disputed", "signed" };

    return names[s];
}

static const struct {
    const char *name, *en, *zh;
} reasons[SHEET_REASONS] = {
    [SHEET_NEVER_INSTALLED] = { "never-installed", "no meter was ever fitted here",
                                "此处从未装表" },
    [SHEET_REMOVED] = { "removed", "the meter was taken off and none was put on",
                        "水表已拆，未装新表" },
    [SHEET_NOT_YET] = { "not-yet", "the day has not come", "未到抄表日" },
    [SHEET_NEVER_HEARD] = { "never-heard", "no report of the meter ever came; read it by hand",
                            "水表从未上报，请人工抄表" },
    [SHEET_SILENT] = { "silent", "the meter has been silent since before this day; read it by hand",
                       "水表失联，请人工抄表" },
    [SHEET_OUTAGE] = { "outage",
                       "most meters of its radio cell are silent: look at the network first",
                       "同小区多数水表失联，先查网络" },
    [SHEET_GATEWAY] = { "gateway",
                        "most meters that its gateway heard are silent: look at the gateway first",
                        "同网关多数水表失联，先查网关" },
    [SHEET_WAITING] = { "quarantine",
                        "reports of the meter wait in quarantine: no key, or a "
                        "format that nobody knows",
                        "报文在隔离区等待:缺密钥或格式未知" },
    [SHEET_NO_READING] = { "no-reading", "the meter reports, but no value near the cut-off",
                           "水表有上报，但结算时刻附近无读数" },
    [SHEET_SUSPECT] = { "suspect", "there are values, but none that takes part",
                        "有读数，但均不可用" },
    [SHEET_DIAL_SUSPECT] = { "dial-suspect",
                             "what a person read fits neither what came before nor "
                             "what a meter lets through",
                             "人工读数与历史读数或流量上限不符" },
    [SHEET_OUT_OF_STEP] = { "out-of-step", "dial and transmitter disagree", "机电不同步" },
    [SHEET_NEGATIVE] = { "negative", "the register went back", "用量为负" },
    [SHEET_ZERO] = { "zero", "nothing was used for a week or more", "零用量" },
    [SHEET_HIGH] = { "high", "far more was used than in the two months before", "用量突增" },
    [SHEET_LOW] = { "low", "far less was used than in the two months before", "用量突减" },
};

const char *sheet_reason_name(enum sheet_reason r)
{
    return reasons[r].name;
}

const char *sheet_reason_en(enum sheet_reason r)
{
    return reasons[r].en;
}

const char *sheet_reason_zh(enum sheet_reason r)
{
    return reasons[r].zh;
}

/* Why nothing came by radio. */
static enum sheet_reason why_silent(const struct sheet_facts *f)
{
    if (!f->fitted)
        return f->ever_fitted ? SHEET_REMOVED : SHEET_NEVER_INSTALLED;
    if (f->now_s < f->day->cut_s)
        return SHEET_NOT_YET;
    if (f->any_remote)
        return SHEET_SUSPECT;
    if (f->waits)
        return SHEET_WAITING;
    if (!f->heard_at_s)
        return SHEET_NEVER_HEARD;
    if (f->heard_at_s < f->day->from_s)
        return !f->outage ? SHEET_SILENT : f->gateway ? SHEET_GATEWAY : SHEET_OUTAGE;
    return SHEET_NO_READING;
}

static enum sheet_reason why_odd(const struct sheet_facts *f)
{
    static const struct {
        enum check check;
        enum sheet_reason reason;
    } checks[] = {
        { CHECK_NEGATIVE, SHEET_NEGATIVE }, { CHECK_ZERO, SHEET_ZERO }, { CHECK_HIGH, SHEET_HIGH },
        { CHECK_LIMIT, SHEET_HIGH },        { CHECK_LOW, SHEET_LOW },
    };

    if (f->manual.known && f->off_known && distance(f->off_ml, 0) > f->tolerance_ml)
        return SHEET_OUT_OF_STEP;
    if (f->manual.known && f->manual.rule && !f->dial_holds)
        return SHEET_DIAL_SUSPECT;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (f->checks & 1u << checks[i].check)
            return checks[i].reason;
    return SHEET_NONE;
}

enum sheet_state sheet_judge(const struct sheet_facts *f, enum sheet_reason *out)
{
    if (f->now_s < f->day->cut_s || (!f->remote.known && !f->manual.known)) {
        *out = why_silent(f);
        return SHEET_MISSING;
    }
    *out = why_odd(f);
    if (*out)
        return SHEET_ODD;
    if (!f->remote.known)
        *out = why_silent(f);
    return SHEET_OK;
}

/* ---- a read by hand ---- */

/* How much may have gone through in so many seconds. */
static int64_t flow_most(const struct meter_facts *m, int64_t pace_ml_day, int64_t seconds)
{
    struct meter_limits limits = meter_limits_of(m);
    int64_t ceiling = volume_clamped(limits.rate * seconds / 144 + limits.pulse);
    int64_t day, most;

    if (pace_ml_day < 0)
        return ceiling + SHEET_TOLERANCE_ML;
    day = pace_ml_day / 2 > PACE_MORE_ML / 4 ? 3 * pace_ml_day : pace_ml_day + PACE_MORE_ML;
    most = flow_over(day, seconds);
    return (most < ceiling ? most : ceiling) + SHEET_TOLERANCE_ML;
}

static bool is_plausible(const struct meter_facts *m, const struct row *last,
                         const struct row *next, int64_t pace_ml_day, int64_t at_s,
                         int64_t index_ml)
{
    int64_t rise = dial_difference(m, last->value, index_ml);
    int64_t most = flow_most(m, pace_ml_day, at_s - last->time_s);
    bool net = m->form == REGISTER_NET; /* may go back as fast */

    if (index_ml < 0 || index_ml >= m->modulus_ml || rise < (net ? -most : -SHEET_TOLERANCE_ML))
        return false;
    if (!net && next && dial_difference(m, index_ml, next->value) < -SHEET_TOLERANCE_ML)
        return false;
    return rise <= most;
}

enum read_range read_judge(const struct meter_facts *m, const struct row *last,
                           const struct row *next, int64_t pace_ml_day, int64_t at_s,
                           int64_t index_ml)
{
    if (is_plausible(m, last, next, pace_ml_day, at_s, index_ml))
        return READ_PLAUSIBLE;
    /* A person reads whole cubic metres: up to 1 m3 less than what stands there. */
    if (index_ml < m->modulus_ml / 1000 &&
        is_plausible(m, last, next, pace_ml_day, at_s, index_ml * 1000))
        return READ_UNIT;
    return READ_FAR;
}

/* ---- re-reads ---- */

const char *recheck_level_name(enum recheck_level l)
{
    static const char *const names[] = { "team", "branch", "company" };

    return names[l];
}

size_t recheck_count(enum recheck_level l, size_t count)
{
    static const unsigned per_mille[RECHECK_LEVELS] = { 50, 20, 5 };

    return (count * per_mille[l] + 999) / 1000;
}

bool recheck_agrees(const struct meter_facts *m, const struct sheet_read *read, int64_t use_ml,
                    int64_t use_s, int64_t at_s, int64_t index_ml)
{
    int64_t rise = dial_difference(m, read->dial_ml, index_ml);
    int64_t pace = use_ml < 0 || use_s <= 0 ? -1 : volume_clamped((__int128)use_ml * DAY_S / use_s);

    return index_ml >= 0 && index_ml < m->modulus_ml && rise >= -m->resolution_ml &&
           rise <= flow_most(m, pace, at_s - read->at_s);
}
