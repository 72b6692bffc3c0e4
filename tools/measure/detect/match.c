#include "tools/measure/detect/bench.h"

#include <stdlib.h>
#include <string.h>

#define GRACE_S (2 * 86400.0)

static void *grown(void *at, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return at;
    *cap = *cap ? *cap * 2 : 1024;
    return realloc(at, *cap * size);
}

static enum err push_note(struct record *r, const struct note *n)
{
    struct note *at = (struct note *)grown(r->notes, r->note_count, &r->note_cap, sizeof *at);

    if (!at)
        return ERR_NO_MEMORY;
    r->notes = at;
    r->notes[r->note_count++] = *n;
    return ERR_OK;
}

static enum err push_subject(struct record *r, const struct subject *s)
{
    struct subject *at =
        (struct subject *)grown(r->subjects, r->subject_count, &r->subject_cap, sizeof *at);

    if (!at)
        return ERR_NO_MEMORY;
    r->subjects = at;
    r->subjects[r->subject_count++] = *s;
    return ERR_OK;
}

#define STEADY_D 2
#define KNOWN_D 60

const uint8_t sure_pct[SURE_STEPS] = { 0, 10, 20, 30, 50, 70, 80, 90 };

/* The longest time for which the billed register stood still before until_s. */
static double zero_run_d(const struct trial *l, double until_s)
{
    const struct trial_row *moved = NULL;
    double longest = 0;

    for (size_t i = 0; i < l->count; i++) {
        const struct trial_row *r = &l->rows[i];

        if (r->channel != (uint8_t)meter_billed_channel(&l->meter) ||
            (r->row.attr & ATTR_SOURCE) != SOURCE_REMOTE)
            continue;
        if (r->row.time_s >= until_s)
            break;
        if (moved && r->row.value == moved->row.value &&
            r->row.time_s - moved->row.time_s > longest)
            longest = r->row.time_s - moved->row.time_s;
        if (!moved || r->row.value != moved->row.value)
            moved = r;
    }
    return longest / 86400;
}

static bool is_steady(const struct trial *l, double until_s)
{
    return until_s - l->from_s >= KNOWN_D * 86400.0 && zero_run_d(l, until_s) < STEADY_D;
}

/* The first reading of the meter's own from the fault's end on; the end where there is none. */
static double shown_s(const struct trial *l)
{
    for (size_t i = 0; l->fault.kind != FAULT_NONE && i < l->count; i++)
        if (l->rows[i].row.time_s >= l->fault.end_s &&
            (l->rows[i].row.attr & ATTR_SOURCE) == SOURCE_REMOTE)
            return l->rows[i].row.time_s;
    return l->fault.end_s;
}

static struct subject subject_of(const struct trial *l, bool real)
{
    struct subject s = { .n = l->n,
                         .way = (uint8_t)l->use.way,
                         .fault = (uint8_t)l->fault.kind,
                         .works = (uint8_t)l->works,
                         .form = (uint8_t)l->meter.form,
                         .use = (uint8_t)l->point.use,
                         .real = real,
                         .lasts = l->fault.end_s >= l->to_s - 86400,
                         .mishaps = l->mishaps,
                         .resolution_l = (int32_t)(l->meter.resolution_ml / 1000),
                         .dn_mm = l->meter.dn_mm,
                         .years = (l->to_s - l->from_s) / 86400 / 365.25,
                         .size = l->fault.size,
                         .onset_s = l->fault.onset_s,
                         .end_s = l->fault.end_s,
                         .would_lpd = l->would_lpd,
                         .lost_lpd = l->lost_lpd,
                         .used_lpd = l->used_lpd,
                         .seen_share = l->seen_share };

    s.shown_s = shown_s(l);
    if (fault_has_flag(fault_about[s.fault].right, "stuck"))
        s.zero_run_d = zero_run_d(l, l->fault.onset_s);
    s.steady = is_steady(l, l->fault.onset_s);
    return s;
}

/* Nothing was used or lost while it lasted: no reading differs. */
static bool shows_nothing(const struct subject *s)
{
    bool by_use = s->fault >= FAULT_STUCK_WHOLE && s->fault <= FAULT_FAST;

    return (by_use && s->would_lpd * (s->end_s - s->onset_s) / 86400 < 1) ||
           (fault_is_leak((enum fault_kind)s->fault) && s->seen_share < 0.5);
}

static struct note note_of(const struct trial *l, const struct subject *s, const struct told *t,
                           unsigned *found)
{
    struct note n = { .rule = t->rule,
                      .confidence_pct = t->confidence_pct,
                      .severity = t->severity,
                      .open = t->open,
                      .ordered = t->ordered,
                      .told_lph = t->lost_lpd / 24,
                      .onset_s = t->onset_s,
                      .raised_s = t->raised_s,
                      .outcome = NOTE_FALSE };
    const char *flag = rules[t->rule].flag;
    bool during = s->fault != FAULT_NONE && (double)t->raised_s >= s->onset_s &&
                  (double)t->raised_s <= s->shown_s + GRACE_S;

    if (t->too) {
        n.outcome = NOTE_TOO;
    } else if (during && fault_has_flag(fault_about[s->fault].right, flag)) {
        n.outcome = *found & 1u << t->rule ? NOTE_REPEAT : NOTE_FOUND;
        *found |= 1u << t->rule;
        n.delay_d = ((double)t->told_s - s->onset_s) / 86400;
        for (unsigned i = 0; i < SURE_STEPS; i++)
            n.sure_d[i] = t->sure_s[i] ? (float)(((double)t->sure_s[i] - s->onset_s) / 86400) : NAN;
        n.onset_off_d = fabs((double)t->onset_s - s->onset_s) / 86400;
        n.loss_off = s->lost_lpd > 0 ? t->lost_lpd / s->lost_lpd - 1 : NAN;
    } else if (during && fault_has_flag(fault_about[s->fault].explained, flag)) {
        n.outcome = NOTE_EXPLAINED;
    } else if (t->beside) {
        n.outcome = NOTE_TOO;
    }
    n.steady = strcmp(flag, "stuck") == 0 && is_steady(l, (double)t->onset_s);
    return n;
}

enum err record_add(struct record *r, const struct trial *l, const struct told_list *told,
                    bool real)
{
    struct subject s = subject_of(l, real);
    unsigned found = 0;
    enum err err = ERR_OK;

    if (shows_nothing(&s))
        s.left_out = ~0u;
    for (unsigned i = 0; i < told->count && !err; i++) {
        struct note n = note_of(l, &s, &told->at[i], &found);

        n.subject = (uint32_t)r->subject_count;
        err = push_note(r, &n);
    }
    /* A fault on which nothing but what was there anyway is raised counts neither way. */
    for (unsigned i = 0; i < told->count; i++) {
        const struct told *t = &told->at[i];

        if (t->too && !(found & 1u << t->rule) && (double)t->raised_s < s.shown_s + GRACE_S &&
            (t->open || (double)t->cleared_s > s.onset_s))
            s.left_out |= 1u << t->rule;
    }
    return err ? err : push_subject(r, &s);
}

enum err record_append(struct record *r, const struct record *more)
{
    size_t base = r->subject_count;
    enum err err = ERR_OK;

    for (size_t i = 0; i < more->subject_count && !err; i++)
        err = push_subject(r, &more->subjects[i]);
    for (size_t i = 0; i < more->note_count && !err; i++) {
        struct note n = more->notes[i];

        n.subject += (uint32_t)base;
        err = push_note(r, &n);
    }
    return err;
}

void record_done(struct record *r)
{
    free(r->subjects);
    free(r->notes);
    *r = (struct record){ 0 };
}
