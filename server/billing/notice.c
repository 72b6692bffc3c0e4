#include "server/billing/notice.h"

#define HOUR_S 3600
#define DAY_MIN 1440
#define PLACE_MOST 160

static const char *const kinds[NOTICE_KINDS] = { "leak", "unusual-use", "no-use", "frost" };
static const char *const parts[NOTICE_PARTS] = { "start", "end" };
static const char *const states[NOTICE_STATES] = { "waiting", "sent", "withheld", "dropped" };

const char *notice_kind_name(enum notice_kind k)
{
    return kinds[k];
}

const char *notice_part_name(enum notice_part p)
{
    return parts[p];
}

const char *notice_state_name(enum notice_state s)
{
    return states[s];
}

bool notice_kind_read(struct span name, enum notice_kind *out)
{
    for (unsigned i = 0; i < NOTICE_KINDS; i++)
        if (span_equal(name, span_text(kinds[i]))) {
            *out = (enum notice_kind)i;
            return true;
        }
    return false;
}

bool notice_state_read(struct span name, enum notice_state *out)
{
    for (unsigned i = 0; i < NOTICE_STATES; i++)
        if (span_equal(name, span_text(states[i]))) {
            *out = (enum notice_state)i;
            return true;
        }
    return false;
}

/* ---- whether and when ---- */

enum notice_deed notice_deed(const struct notice_case *c, const struct notice_told *told)
{
    bool goes_on = c->open && !c->none;

    if (!told->begun)
        return goes_on && c->great ? NOTICE_BEGIN : NOTICE_DO_NOTHING;
    if (goes_on || told->ended)
        return NOTICE_DO_NOTHING;
    if (told->begin == NOTICE_WAITING && !c->past)
        return NOTICE_DROP;
    return told->begin == NOTICE_SENT || told->begin == NOTICE_WAITING ? NOTICE_FINISH
                                                                       : NOTICE_DO_NOTHING;
}

static bool is_quiet(const struct notice_rules *r, int32_t minute)
{
    if (r->quiet_from_min <= r->quiet_to_min)
        return minute >= r->quiet_from_min && minute < r->quiet_to_min;
    return minute >= r->quiet_from_min || minute < r->quiet_to_min;
}

/* The instant of a civil time of the day that holds `at_s`; one that never occurs is an hour later. */
static int64_t civil_at(const struct zone *zone, int64_t at_s, int32_t minute)
{
    struct civil c = zone_civil(zone, at_s);
    int64_t out_s = at_s;

    c.second = 0;
    c.hour = (uint8_t)(minute / 60);
    c.minute = (uint8_t)(minute % 60);
    if (zone_utc(zone, c, &out_s)) {
        c.hour++;
        if (zone_utc(zone, c, &out_s))
            return at_s;
    }
    return out_s;
}

int64_t notice_due(const struct notice_rules *r, const struct zone *zone, int64_t now_s)
{
    struct civil c = zone_civil(zone, now_s);
    int64_t end_s;

    if (!is_quiet(r, c.hour * 60 + c.minute))
        return now_s;
    end_s = civil_at(zone, now_s, r->quiet_to_min);
    if (end_s <= now_s) /* it is over tomorrow */
        end_s = civil_at(zone, zone_day_next(zone, now_s) + 12 * HOUR_S, r->quiet_to_min);
    return end_s > now_s ? end_s : now_s;
}

const char *notice_withheld(struct span then, struct span now, unsigned wants,
                            enum notice_kind kind)
{
    if (!now.len)
        return "no-account";
    if (!span_equal(then, now))
        return "account-changed";
    return wants & 1u << kind ? NULL : "opted-out";
}

/* ---- what is written ---- */

/* As much of it as fits, in whole characters. */
static void say_place(struct wr *w, struct span place)
{
    size_t len = place.len;

    if (len > PLACE_MOST)
        for (len = PLACE_MOST; len && (place.at[len] & 0xc0) == 0x80; len--)
            ;
    wr_bytes(w, span_of(place.at, len));
}

static void say_litres(struct wr *w, int64_t ml)
{
    int64_t l = (ml + 500) / 1000;

    if (l < 1000)
        wr_format(w, "%lld L", (long long)l);
    else
        wr_format(w, "%lld.%lld m³", (long long)(l / 1000), (long long)(l % 1000 / 100));
}

static void say_day(struct wr *w, const struct zone *z, int64_t at_s)
{
    struct civil c = zone_civil(z, at_s);

    wr_format(w, "%04d-%02u-%02u", (int)c.year, c.month, c.day);
}

static void say_minute(struct wr *w, const struct zone *z, int64_t at_s)
{
    struct civil c = zone_civil(z, at_s);

    say_day(w, z, at_s);
    wr_format(w, " %02u:%02u", c.hour, c.minute);
}

static void say_degrees(struct wr *w, int64_t mk)
{
    int64_t tenths = (mk + (mk < 0 ? -50 : 50)) / 100;

    wr_format(w, "%s%lld.%lld °C", tenths < 0 ? "-" : "",
              (long long)(tenths < 0 ? -tenths : tenths) / 10,
              (long long)(tenths < 0 ? -tenths : tenths) % 10);
}

static void leak_begins(const struct notice_facts *f, struct wr *en, struct wr *zh)
{
    wr_text(en, "Water has been running without a pause since ");
    say_minute(en, f->zone, f->onset_s);
    wr_text(en, ", at least ");
    say_litres(en, f->flow_mlph);
    wr_text(en, " in every hour, about ");
    say_litres(en, f->lost_mlpd);
    wr_text(en, " a day. Please look at toilets, taps and pipes; if the meter turns while nothing "
                "is open, water leaks behind it.");
    wr_text(zh, "自");
    say_minute(zh, f->zone, f->onset_s);
    wr_text(zh, "起用水不间断，每小时至少");
    say_litres(zh, f->flow_mlph);
    wr_text(zh, "，每天约");
    say_litres(zh, f->lost_mlpd);
    wr_text(zh, "。请检查马桶、水龙头和管道；若全部关闭后水表仍在转动，则表后漏水。");
}

static void unusual_begins(const struct notice_facts *f, struct wr *en, struct wr *zh)
{
    wr_text(en, "On ");
    say_day(en, f->zone, f->onset_s);
    wr_text(en, " ");
    say_litres(en, f->use_ml);
    wr_text(en, " were used; ");
    say_litres(en, f->usual_ml);
    wr_text(en, " a day are usual. If you know why, nothing needs to be done; else please look for "
                "what is open or leaks.");
    say_day(zh, f->zone, f->onset_s);
    wr_text(zh, "用水");
    say_litres(zh, f->use_ml);
    wr_text(zh, "，平时每天约");
    say_litres(zh, f->usual_ml);
    wr_text(zh, "。如知原因请忽略，否则请检查是否有未关或漏水之处。");
}

static void no_use_begins(const struct notice_facts *f, struct wr *en, struct wr *zh)
{
    wr_text(en, "No water was used on ");
    say_day(en, f->zone, f->onset_s);
    wr_text(en, ". You asked to be told of that: please see whether all is well.");
    say_day(zh, f->zone, f->onset_s);
    wr_text(zh, "全天未用水。您曾要求获知此情况，请确认一切安好。");
}

static void frost_begins(const struct notice_facts *f, struct wr *en, struct wr *zh)
{
    wr_text(en, "The water meter reported frost at ");
    say_minute(en, f->zone, f->onset_s);
    wr_text(zh, "水表于");
    say_minute(zh, f->zone, f->onset_s);
    wr_text(zh, "报告低温");
    if (f->has_temperature) {
        wr_text(en, " (");
        say_degrees(en, f->temperature_mk);
        wr_text(en, ")");
        wr_text(zh, "（");
        say_degrees(zh, f->temperature_mk);
        wr_text(zh, "）");
    }
    wr_text(en, ". Please keep the meter and pipes from freezing; if the place stands empty, close "
                "the valve and drain them.");
    wr_text(zh, "。请给水表和管道保温；房屋空置时请关闭阀门并放空管道。");
}

static void ends(const struct notice_facts *f, struct wr *en, struct wr *zh)
{
    static const struct {
        const char *en, *zh;
    } over[NOTICE_KINDS] = {
        { "The unbroken flow of water that we told you of has ended",
          "此前告知的不间断用水已结束" },
        { "The use of water is back to what is usual", "用水量已恢复正常" },
        { "Water was used again", "已恢复用水" },
        { "The water meter reports no frost any more", "水表已不再报告低温" },
    };

    if (f->none) {
        wr_text(en, "What we told you of was found to be nothing: you need not do anything.");
        wr_text(zh, "此前告知的情况经核实并不存在，您无需处理。");
        return;
    }
    wr_text(en, over[f->kind].en);
    wr_text(en, " (");
    say_minute(en, f->zone, f->ended_s);
    wr_text(en, ").");
    wr_text(zh, over[f->kind].zh);
    wr_text(zh, "（");
    say_minute(zh, f->zone, f->ended_s);
    wr_text(zh, "）。");
}

void notice_say(const struct notice_facts *f, struct wr *en, struct wr *zh)
{
    static void (*const begins[NOTICE_KINDS])(const struct notice_facts *f, struct wr *en,
                                              struct wr *zh) = { leak_begins, unusual_begins,
                                                                 no_use_begins, frost_begins };

    say_place(en, f->place);
    wr_text(en, ": ");
    say_place(zh, f->place);
    wr_text(zh, "：");
    if (f->part == NOTICE_START)
        begins[f->kind](f, en, zh);
    else
        ends(f, en, zh);
}
