#include "server/fleet/condition.h"

static const char *const names[] = { [CONDITION_NONE] = NULL,
                                     [CONDITION_THROUGHPUT] = "throughput",
                                     [CONDITION_ALARM] = "alarm",
                                     [CONDITION_LAB] = "lab",
                                     [CONDITION_FAULT] = "fault" };

const char *condition_name(enum condition_basis b)
{
    return names[b];
}

int64_t condition_limit_ml(const struct fleet_rules *rules, int64_t q3_lph)
{
    return q3_lph * rules->throughput_h * 1000;
}

static void earlier(struct condition *out, int64_t day, enum condition_basis basis)
{
    if (out->due != NO_DAY && out->due <= day)
        return;
    out->due = (int32_t)day;
    out->basis = basis;
}

#define FAR_DAYS 36500 /* a date a century on says nothing */

static void by_throughput(const struct fleet_rules *rules, const struct condition_facts *f,
                          struct condition *out)
{
    int64_t days, limit = condition_limit_ml(rules, f->q3_lph);
    double reached;

    if (f->volume_day == NO_DAY || f->volume_ml <= 0 || limit <= 0)
        return;
    days = (int64_t)f->volume_day - f->fitted_day;
    if (days < rules->throughput_days)
        return;
    reached = (double)limit * (double)days / (double)f->volume_ml;
    if (reached > FAR_DAYS)
        return;
    out->volume_ml = f->volume_ml;
    out->limit_ml = limit;
    earlier(out, (int64_t)f->fitted_day + (int64_t)reached, CONDITION_THROUGHPUT);
}

static void by_alarm(const struct fleet_rules *rules, const struct condition_facts *f,
                     struct condition *out)
{
    for (unsigned i = 0; i < rules->alarms; i++) {
        int64_t due = (int64_t)f->status_day + rules->alarm[i].days;

        if (!(f->status & rules->alarm[i].bit) || f->status_day == NO_DAY)
            continue;
        if (out->due == NO_DAY || due < out->due)
            out->bits = rules->alarm[i].bit;
        earlier(out, due, CONDITION_ALARM);
    }
    if (f->confirmed_day == NO_DAY)
        return;
    if (out->due == NO_DAY || (int64_t)f->confirmed_day + rules->confirmed_days < out->due)
        out->bits = 0;
    earlier(out, (int64_t)f->confirmed_day + rules->confirmed_days, CONDITION_ALARM);
}

void condition_of(const struct fleet_rules *rules, const struct condition_facts *f,
                  struct condition *out)
{
    *out = (struct condition){ .due = NO_DAY };
    by_throughput(rules, f, out);
    by_alarm(rules, f, out);
    if (f->failed_day != NO_DAY)
        earlier(out, (int64_t)f->failed_day + rules->lab_days, CONDITION_LAB);
    if (f->faulty_day != NO_DAY)
        earlier(out, (int64_t)f->faulty_day + rules->fault_days, CONDITION_FAULT);
}

void condition_of_life(const struct life_event *events, size_t count, const struct life *now,
                       const struct zone *zone, int64_t at_s, int32_t *out_failed_day,
                       int32_t *out_faulty_day)
{
    *out_failed_day = *out_faulty_day = NO_DAY;
    for (size_t i = 0; i < count && events[i].at_s <= at_s; i++) {
        const struct life_event *e = &events[i];
        bool failed = e->flags & EVENT_FAILED;

        if (e->kind == EVENT_INSTALL)
            *out_failed_day = NO_DAY; /* it was judged fit to be fitted */
        if (e->kind != EVENT_INSPECT)
            continue;
        if (!failed)
            *out_failed_day = NO_DAY;
        else if (*out_failed_day == NO_DAY)
            *out_failed_day = (int32_t)zone_day_number(zone, e->at_s);
    }
    if (now->state == LIFE_FAULTY && now->since_s != INT64_MIN)
        *out_faulty_day = (int32_t)zone_day_number(zone, now->since_s);
}

static void say_bits(uint32_t bits, struct wr *w, bool zh)
{
    unsigned bit = 0;

    if (!bits) {
        wr_text(w, zh ? "已确认故障" : "a flag that a person confirmed");
        return;
    }
    while (!(bits >> bit & 1))
        bit++;
    wr_format(w, zh ? "水表上报 %s" : "it reports %s", status_name(bit));
}

void condition_say(const struct condition *c, struct wr *en, struct wr *zh)
{
    long long limit = (long long)(c->limit_ml / 1000000);
    long long volume = (long long)(c->volume_ml / 1000000);

    switch (c->basis) {
    case CONDITION_THROUGHPUT:
        wr_format(en, "%lld m³ through it, its size is good for %lld", volume, limit);
        wr_format(zh, "累计通过 %lld m³，此口径限 %lld", volume, limit);
        break;
    case CONDITION_ALARM:
        say_bits(c->bits, en, false);
        say_bits(c->bits, zh, true);
        break;
    case CONDITION_LAB:
        wr_text(en, "it failed an inspection");
        wr_text(zh, "检验不合格");
        break;
    case CONDITION_FAULT:
        wr_text(en, "a crew found it faulty");
        wr_text(zh, "现场报故障");
        break;
    case CONDITION_NONE:
        break;
    }
}
