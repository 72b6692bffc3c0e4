#include "server/acts/paper.h"

#include "server/acts/register.h"

#include <stdio.h>

/* ---- numbers ---- */

static const struct {
    const char *kind, *letters;
} series[] = {
    { "order", "OR" },  { "receive", "RE" }, { "verify", "VE" },   { "reject", "RJ" },
    { "stock", "ST" },  { "issue", "IS" },   { "return", "RT" },   { "to-lab", "LB" },
    { "retire", "RR" }, { "scrap", "SC" },   { "delivery", "DL" }, { "stocktake", "TK" },
    { "sample", "SM" }, { "receipt", "RC" },
};

static bool taken(struct paper *p, struct act *act)
{
    struct ledger_row row;

    snprintf(p->name, sizeof p->name, "%s:%s", p->kind, p->number);
    return ledger_find(&act->txn, LIST_PAPER, span_text(p->name), INT64_MAX, &row);
}

static struct key counter_key(const struct paper *p, int year)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, 'n');
    key_text(&k, span_text(p->kind));
    key_u16(&k, (uint16_t)year);
    return k;
}

/* The next number of this kind and civil year that nobody took by hand. */
static void own_number(struct paper *p, struct act *act, const struct zone *zone)
{
    int year = zone_civil(zone, p->at_s).year;
    struct key k = counter_key(p, year);
    struct index_walk w =
        ledger_index_walk(&act->txn, INDEX_PAPERS, key_span(&k), span_of(NULL, 0));
    uint32_t last = index_next(&w) ? w.value : 0;
    const char *letters = "NT";

    index_done(&w);
    for (size_t i = 0; i < sizeof series / sizeof series[0]; i++) {
        if (strcmp(series[i].kind, p->kind) == 0)
            letters = series[i].letters;
    }
    do {
        snprintf(p->number, sizeof p->number, "%s-%04d-%06u", letters, year, ++last);
    } while (taken(p, act));
    act_index_put(act, INDEX_PAPERS, key_span(&k), last);
}

bool paper_number_fits(struct span number)
{
    return number.len && number.len <= PAPER_NUMBER_MAX && !memchr(number.at, '\n', number.len) &&
           !memchr(number.at, '\t', number.len);
}

bool paper_open(struct paper *p, const struct zone *zone, struct act *act, struct act_reply *out,
                const char *kind, struct span number, const char *field, int64_t at_s)
{
    memset(p, 0, sizeof *p);
    p->kind = kind;
    p->at_s = at_s;
    if (span_equal(number, span_text("auto"))) {
        own_number(p, act, zone);
        return true;
    }
    if (!paper_number_fits(number)) {
        answer_refuse(out, ERR_INVALID, field,
                      "%s: expected a number of 1 to %d bytes in one line, or auto", field,
                      PAPER_NUMBER_MAX);
        return false;
    }
    memcpy(p->number, number.at, number.len);
    if (!taken(p, act))
        return true;
    answer_refuse(out, ERR_CONFLICT, field,
                  "%s: the %s %s is written already, expected a number that is not used", field,
                  kind, p->number);
    return false;
}

/* ---- lines and the row ---- */

void paper_line(struct paper *p, struct act *act, const struct paper_line *line)
{
    act_put_line(act, span_text(p->name), line);
    p->lines++;
}

static void note(struct paper *p, struct act *act)
{
    struct out told = { 0 };
    char what[40];

    snprintf(what, sizeof what, "paper.%s", p->kind);
    out_text(&told, "{");
    out_member_time(&told, "at", p->at_s);
    if (p->batch.len)
        out_member_span(&told, "batch", p->batch);
    if (p->depot.len)
        out_member_span(&told, "depot", p->depot);
    if (p->crew.len)
        out_member_span(&told, "crew", p->crew);
    out_member_int(&told, "meters", (int64_t)p->meters);
    out_text(&told, "}");
    if (told.err)
        act->txn.err = told.err;
    else
        act_note(act, what, span_text(p->number), span_of(NULL, 0), span_of(told.at, told.len),
                 p->note);
    out_done(&told);
}

void paper_close(struct paper *p, struct act *act)
{
    struct span cells[COLUMNS_MAX] = { { NULL, 0 } };
    char at[TEXT_TIME_SIZE], meters[24];
    bool quiet = act->quiet_new;

    text_put_time(at, p->at_s);
    snprintf(meters, sizeof meters, "%llu", (unsigned long long)p->meters);
    cells[CELL_PAPER_paper] = span_text(p->name);
    cells[CELL_PAPER_kind] = span_text(p->kind);
    cells[CELL_PAPER_at] = span_text(at);
    cells[CELL_PAPER_batch] = p->batch;
    cells[CELL_PAPER_depot] = p->depot;
    cells[CELL_PAPER_crew] = p->crew;
    cells[CELL_PAPER_meters] = span_text(meters);
    cells[CELL_PAPER_facts] = span_of(p->facts.at, p->facts.len);
    cells[CELL_PAPER_number] = span_text(p->number);
    cells[CELL_PAPER_note] = p->note;
    if (p->facts.err && !act->txn.err)
        act->txn.err = p->facts.err;
    act->quiet_new = true; /* its own record tells more */
    act_put_row(act, LIST_PAPER, cells[CELL_PAPER_paper], LEDGER_ALWAYS, cells,
                list_of(LIST_PAPER)->columns, NULL, NULL);
    act->quiet_new = quiet;
    note(p, act);
}

void paper_answer(const struct paper *p, struct act *act, struct act_reply *out,
                  const struct warnings *w)
{
    struct ledger_row row;

    if (!ledger_find(&act->txn, LIST_PAPER, span_text(p->name), INT64_MAX, &row)) {
        answer_failed(out, act->txn.err ? act->txn.err : ERR_MISSING);
        return;
    }
    answer_begin(out, 201);
    paper_put(&out->body, &act->txn, &row);
    answer_end(out, w);
    if (act->txn.err)
        answer_failed(out, act->txn.err);
}

/* ---- bodies ---- */

static bool refuse_serials(struct act_reply *out, unsigned most)
{
    answer_refuse(out, ERR_INVALID, "serials",
                  "serials: expected a list of 1 to %u serials of meters", most);
    return false;
}

bool serials_read(const json_t *serials, unsigned most, struct act_reply *out)
{
    size_t count = json_array_size(serials), i;
    json_t *seen = json_object(), *one;
    bool fine = true;

    if (!seen) {
        answer_failed(out, ERR_NO_MEMORY);
        return false;
    }
    if (!json_is_array(serials) || !count || count > most)
        fine = refuse_serials(out, most);
    for (i = 0; fine && i < count; i++) {
        one = json_array_get(serials, i);
        if (!json_is_string(one) ||
            !text_is_serial(span_of(json_string_value(one), json_string_length(one)))) {
            fine = refuse_serials(out, most);
        } else if (json_object_get(seen, json_string_value(one))) {
            answer_refuse(out, ERR_INVALID, "serials",
                          "serials: found %s twice, expected each meter once",
                          json_string_value(one));
            fine = false;
        } else if (json_object_set_new(seen, json_string_value(one), json_true())) {
            answer_failed(out, ERR_NO_MEMORY);
            fine = false;
        }
    }
    json_decref(seen);
    return fine;
}

bool paper_names(struct act *act, struct act_reply *out, enum list_kind kind, const char *field,
                 struct span name)
{
    struct ledger_row row;

    if (!name.len || ledger_find(&act->txn, kind, name, INT64_MAX, &row))
        return true;
    if (act->txn.err)
        answer_failed(out, act->txn.err);
    else
        answer_refuse(out, ERR_NOT_FOUND, field, "%s %.*s: nobody registered it", field,
                      (int)(name.len < 64 ? name.len : 64), (const char *)name.at);
    return false;
}
