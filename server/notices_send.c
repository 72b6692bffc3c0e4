/* Notices as facts, and on their way. */
#include "server/notices_priv.h"

#include "server/metrics.h"
#include "server/out.h"
#include "server/registers.h"
#include "storage/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SENDER "notices" /* in the audit */
#define AT_ONCE 64

static void copy(char *to, size_t size, struct span text)
{
    size_t len = text.len < size ? text.len : 0;

    if (len)
        memcpy(to, text.at, len);
    to[len] = 0;
}

enum err notice_place(struct txn *t, uint32_t point, int64_t at_s, struct notice_place *out)
{
    struct ledger_row row;
    struct cells c;

    memset(out, 0, sizeof *out);
    if (!ledger_by_id(t, LIST_POINT, point, at_s, &row))
        return t->err;
    c = cells_of(&row);
    copy(out->point, sizeof out->point, c.at[CELL_POINT_point]);
    copy(out->account, sizeof out->account, c.at[CELL_POINT_account]);
    copy(out->phone, sizeof out->phone, c.at[CELL_POINT_phone]);
    copy(out->address, sizeof out->address, c.at[CELL_POINT_address]);
    return t->err;
}

static unsigned wants_of(struct txn *t, const char *account)
{
    struct ledger_choice c;

    return ledger_notice_choice(t, span_text(account), &c) ? c.kinds : NOTICES_USUAL;
}

/* Why the notice is not told to the account of now; *out NULL: it may be. */
static enum err withheld(struct txn *t, uint32_t point, int64_t onset_s, enum notice_kind kind,
                         struct notice_place *now, const char **out)
{
    struct notice_place then;
    enum err err = notice_place(t, point, onset_s, &then);

    if (err || (err = notice_place(t, point, INT64_MAX, now)))
        return err;
    *out = notice_withheld(span_text(then.account), span_text(now->account),
                           wants_of(t, now->account), kind);
    return t->err;
}

/* ---- made ---- */

static void put_evidence(struct out *o, const struct notice_plan *p)
{
    const struct notice_facts *f = &p->facts;

    out_text(o, "{");
    out_member_time(o, "onset", f->onset_s);
    if (f->part == NOTICE_END) {
        out_member_time(o, "ended", f->ended_s);
        out_member_bool(o, "found_none", f->none);
    } else if (p->kind == NOTICE_LEAK) {
        out_member_litres(o, "flow_lph", f->flow_mlph);
        out_member_litres(o, "lost_lpd", f->lost_mlpd);
    } else if (p->kind == NOTICE_UNUSUAL) {
        out_member_litres(o, "use_l", f->use_ml);
        out_member_litres(o, "usual_l", f->usual_ml);
    } else if (p->kind == NOTICE_FROST && f->has_temperature) {
        out_member_litres(o, "temperature_c", f->temperature_mk);
    }
    out_text(o, "}");
}

static void note(struct act *a, const struct ledger_notice *n)
{
    static const char *const whats[NOTICE_STATES] = { "notice.made", "notice.sent",
                                                      "notice.withheld", "notice.dropped" };
    char number[24], told[160];

    snprintf(number, sizeof number, "%llu", (unsigned long long)n->number);
    snprintf(told, sizeof told, "{\"case\":\"%.*s\",\"kind\":\"%s\",\"part\":\"%s\"}",
             (int)n->case_id.len, (const char *)n->case_id.at,
             notice_kind_name((enum notice_kind)n->kind),
             notice_part_name((enum notice_part)n->part));
    act_note(a, whats[n->state], span_text(number), span_of(NULL, 0), span_text(told), n->why);
}

/* A state that ends it, or waiting. `n` must not be views into the transaction. */
static void put(struct act *a, struct ledger_notice *n)
{
    act_put_notice(a, n, n->state == NOTICE_WAITING);
    note(a, n);
    metrics_add(n->state == NOTICE_SENT       ? METRIC_NOTICES_SENT
                : n->state == NOTICE_WITHHELD ? METRIC_NOTICES_WITHHELD
                                              : METRIC_NOTICES_DROPPED,
                n->state != NOTICE_WAITING);
}

static void make(struct notices *n, struct act *a, const struct notice_plan *p, int64_t now_s)
{
    char en[NOTICE_TEXT_MAX], zh[NOTICE_TEXT_MAX];
    struct wr w_en = wr_of(en, sizeof en), w_zh = wr_of(zh, sizeof zh);
    struct notice_facts facts = p->facts;
    struct notice_place now;
    struct out evidence = { 0 };
    const char *why = NULL;
    struct ledger_notice row = { .kind = (uint8_t)p->kind,
                                 .part = (uint8_t)facts.part,
                                 .meter = p->meter,
                                 .point = p->point,
                                 .onset_s = facts.onset_s,
                                 .made_s = now_s };
    struct ledger_notice begin;

    if (facts.part == NOTICE_END &&
        ledger_notice_of(&a->txn, span_text(p->case_id), NOTICE_START, &begin))
        row.onset_s = facts.onset_s = begin.onset_s; /* whose it was then */
    if (withheld(&a->txn, p->point, row.onset_s, p->kind, &now, &why))
        return;
    if (!now.account[0])
        return; /* nobody is there to be told */
    facts.place = span_text(now.address[0] ? now.address : now.point);
    facts.zone = &n->app->zone;
    notice_say(&facts, &w_en, &w_zh);
    put_evidence(&evidence, p);
    if (!a->txn.err && (w_en.err || w_zh.err || evidence.err))
        a->txn.err = evidence.err ? evidence.err : ERR_TOO_LARGE;
    row.state = why ? NOTICE_WITHHELD : NOTICE_WAITING;
    row.due_s = p->urgent ? now_s : notice_due(&n->rules, &n->app->zone, now_s);
    row.done_s = why ? now_s : 0;
    row.case_id = span_text(p->case_id);
    row.account =
        why && strcmp(why, "account-changed") == 0 ? span_of(NULL, 0) : span_text(now.account);
    row.why = span_text(why ? why : "");
    row.evidence = span_of(evidence.at, evidence.len);
    row.en = wr_span(&w_en);
    row.zh = wr_span(&w_zh);
    put(a, &row);
    out_done(&evidence);
}

/* A row that is changed must not be views into the transaction that changes it. */
struct kept {
    struct ledger_notice row;
    uint8_t room[4096];
};

static bool keep(struct txn *t, struct kept *k)
{
    struct span *const texts[] = { &k->row.case_id,  &k->row.account, &k->row.why,
                                   &k->row.evidence, &k->row.en,      &k->row.zh };
    struct wr w = wr_of(k->room, sizeof k->room);

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct span text = *texts[i];

        texts[i]->at = w.at;
        wr_bytes(&w, text);
    }
    if (w.err && !t->err)
        t->err = ERR_CORRUPT;
    return !t->err;
}

static void end_row(struct act *a, struct kept *k, enum notice_state state, const char *why,
                    int64_t now_s)
{
    k->row.state = (uint8_t)state;
    k->row.done_s = now_s;
    k->row.why = span_text(why);
    put(a, &k->row);
}

static void drop(struct act *a, const struct notice_plan *p, int64_t now_s)
{
    struct kept k;

    if (ledger_notice_of(&a->txn, span_text(p->case_id), NOTICE_START, &k.row) &&
        k.row.state == NOTICE_WAITING && keep(&a->txn, &k))
        end_row(a, &k, NOTICE_DROPPED, "ended-before", now_s);
}

/* The point's case is open by its name, which ends in its onset; or over since an instant, before which nothing is news. */
static void keep_case(struct act *a, const struct notice_plan *p)
{
    char over[16];

    snprintf(over, sizeof over, "-%08x", (unsigned)p->facts.ended_s);
    act_open_notice(a, (uint8_t)p->kind, p->point,
                    span_text(p->deed == NOTICE_BEGIN ? p->case_id : over));
}

enum err notices_do(struct notices *n, const struct notice_plans *plans, int64_t now_s)
{
    struct act a;

    if (!plans->count)
        return ERR_OK;
    a = act_begin(n->app->ledger, SENDER, now_s, journal_end(n->app->journal));
    for (size_t i = 0; i < plans->count && !a.txn.err; i++) {
        const struct notice_plan *p = &plans->at[i];

        if (p->deed == NOTICE_DROP)
            drop(&a, p, now_s);
        else
            make(n, &a, p, now_s);
        if (p->opens && !a.txn.err)
            keep_case(&a, p);
    }
    return act_end(&a);
}

/* ---- told ---- */

static void put_file(struct out *o, const struct ledger_notice *n, const struct notice_place *place)
{
    out_text(o, "{");
    out_member_int(o, "id", (int64_t)n->number);
    out_member_span(o, "case", n->case_id);
    out_member_text(o, "kind", notice_kind_name((enum notice_kind)n->kind));
    out_member_text(o, "part", notice_part_name((enum notice_part)n->part));
    out_member_span(o, "account", n->account);
    out_member_text(o, "point", place->point);
    out_member_text(o, "address", place->address[0] ? place->address : NULL);
    out_member_text(o, "phone", place->phone[0] ? place->phone : NULL);
    out_member_time(o, "onset", n->onset_s);
    out_member_time(o, "made_at", n->made_s);
    out_key(o, "evidence");
    out_bytes(o, n->evidence.at, n->evidence.len);
    out_member_span(o, "text_en", n->en);
    out_member_span(o, "text_zh", n->zh);
    out_text(o, "}\n");
}

static bool write_all(int fd, const struct out *o)
{
    size_t done = 0;

    while (done < o->len) {
        ssize_t n = write(fd, o->at + done, o->len - done);

        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return fsync(fd) == 0;
}

/* Whole, or not at all; the same notice again is the same file again. */
static bool drop_file(struct notices *n, const struct ledger_notice *row,
                      const struct notice_place *place)
{
    char path[640], part[640];
    struct out o = { 0 };
    bool fine;
    int fd, folder;

    snprintf(path, sizeof path, "%s/%llu.json", n->dir, (unsigned long long)row->number);
    snprintf(part, sizeof part, "%s/.%llu.json.part", n->dir, (unsigned long long)row->number);
    put_file(&o, row, place);
    fd = o.err ? -1 : open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    fine = fd >= 0 && write_all(fd, &o);
    if (fd >= 0)
        fine = close(fd) == 0 && fine;
    fine = fine && rename(part, path) == 0;
    folder = fine ? open(n->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    fine = folder >= 0 && fsync(folder) == 0;
    if (folder >= 0)
        close(folder);
    out_done(&o);
    if (!fine && !n->file_said)
        fprintf(stderr, "nilod: %s: a notice cannot be written there: it waits\n", n->dir);
    n->file_said = !fine;
    return fine;
}

static bool has_way(const struct notices *n)
{
    return n->dir[0] || n->app->hook_kinds & 1u << HOOK_NOTICE;
}

enum ending { ENDING_NONE, ENDING_SENT, ENDING_WITHHELD, ENDING_LATE };

/* What becomes of one that is due; files are written here, before anything says that they are. */
static enum err judge_due(struct notices *n, struct txn *t, uint64_t number, int64_t now_s,
                          enum ending *out, const char **out_why)
{
    struct ledger_notice row;
    struct notice_place now;
    enum err err;

    *out = ENDING_NONE;
    *out_why = "";
    if (!ledger_notice(t, number, &row) || row.state != NOTICE_WAITING)
        return t->err;
    if ((err = withheld(t, row.point, row.onset_s, (enum notice_kind)row.kind, &now, out_why)))
        return err;
    if (!*out_why && !span_equal(row.account, span_text(now.account)))
        *out_why = "account-changed";
    if (*out_why) {
        *out = ENDING_WITHHELD;
    } else if (now_s - row.due_s > n->rules.keep_s) {
        *out = ENDING_LATE;
        *out_why = "too-late";
    } else if (has_way(n) && (!n->dir[0] || drop_file(n, &row, &now))) {
        *out = ENDING_SENT;
        *out_why = "";
    }
    return ERR_OK;
}

static void end_it(struct act *a, uint64_t number, enum ending ending, const char *why,
                   int64_t now_s)
{
    static const enum notice_state states[] = { NOTICE_WAITING, NOTICE_SENT, NOTICE_WITHHELD,
                                                NOTICE_DROPPED };
    struct kept k;

    if (ledger_notice(&a->txn, number, &k.row) && keep(&a->txn, &k))
        end_row(a, &k, states[ending], why, now_s);
}

enum err notices_tell(struct notices *n, int64_t now_s, bool *out_more)
{
    uint64_t numbers[AT_ONCE];
    enum ending endings[AT_ONCE] = { ENDING_NONE };
    const char *whys[AT_ONCE];
    struct txn t = ledger_read(n->app->ledger);
    size_t count = 0, ended = 0;
    enum err err = ledger_notices_due(&t, now_s, numbers, AT_ONCE, &count), end;
    struct act a;

    for (size_t i = 0; i < count && !err; i++) {
        err = judge_due(n, &t, numbers[i], now_s, &endings[i], &whys[i]);
        ended += endings[i] != ENDING_NONE;
    }
    end = txn_end(&t);
    *out_more = ended && count == AT_ONCE;
    if (err || end || !ended)
        return err ? err : end;
    a = act_begin(n->app->ledger, SENDER, now_s, journal_end(n->app->journal));
    for (size_t i = 0; i < count && !a.txn.err; i++)
        if (endings[i] != ENDING_NONE)
            end_it(&a, numbers[i], endings[i], whys[i], now_s);
    return act_end(&a);
}
