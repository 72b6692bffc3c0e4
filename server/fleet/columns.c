#include "server/fleet/columns.h"

#include "proto/base/limits.h"

#include <stdio.h>
#include <stdlib.h>

/* Each column counts up its list's `columns`, so the later initialiser is meant to win. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct list lists[LIST_COUNT] = {
#define LIST(kind_, plural_) [LIST_##kind_].kind = LIST_##kind_, [LIST_##kind_].plural = #plural_,
#define COLUMN(kind_, name_, type_, need_)                                                         \
    [LIST_##kind_].column[CELL_##kind_##_##name_] = { #name_, COLUMN_##type_, NEED_##need_ },      \
    [LIST_##kind_].columns = CELL_##kind_##_##name_ + 1,
#include "server/fleet/columns.def"
#undef LIST
#undef COLUMN
};
#pragma GCC diagnostic pop

const struct list *list_of(enum list_kind kind)
{
    return &lists[kind];
}

const struct list *list_named(struct span plural)
{
    for (unsigned i = 0; i < LIST_COUNT; i++)
        if (span_equal(plural, span_text(lists[i].plural)))
            return &lists[i];
    return NULL;
}

int list_column(const struct list *l, struct span name)
{
    for (unsigned i = 0; i < l->columns; i++)
        if (span_equal(name, span_text(l->column[i].name)))
            return (int)i;
    return -1;
}

unsigned list_keys(const struct list *l)
{
    unsigned n = 0;

    while (n < l->columns && l->column[n].need == NEED_KEY)
        n++;
    return n;
}

int list_reference(const struct list *l, unsigned place)
{
    static const struct {
        const char *column;
        enum list_kind list;
    } references[] = {
        { "org", LIST_ORG },     { "zone", LIST_ZONE },    { "route", LIST_ROUTE },
        { "point", LIST_POINT }, { "serial", LIST_METER },
    };
    const char *name = l->column[place].name;

    if (strcmp(name, "parent") == 0 || strcmp(name, "behind") == 0)
        return (int)l->kind;
    /* A meter's model and batch are texts, known or not: a fleet is older than its register. */
    if (l->kind == LIST_BATCH && strcmp(name, "model") == 0)
        return LIST_MODEL;
    for (size_t i = 0; i < sizeof references / sizeof references[0]; i++)
        if (strcmp(name, references[i].column) == 0)
            return references[i].list == l->kind ? -1 : (int)references[i].list;
    return -1;
}

/* ---- words ---- */

struct words {
    enum column_type type;
    const char *expected;
    const char *const *names;
};

static const char *const use_names[] = { "residential", "commercial", "industrial",  "public",
                                         "hydrant",     "zone-inlet", "zone-outlet", NULL };
static const char *const register_names[] = { "net", "forward", "both", NULL };
static const char *const direction_names[] = { "in", "out", NULL };
static const char *const level_names[] = { "company", "branch", "team", NULL };
static const char *const state_names[] = { "ordered",  "received", "verified", "rejected",
                                           "in-stock", "issued",   "running",  "suspended",
                                           "faulty",   "removed",  "at-lab",   "retired",
                                           "scrapped", "lost",     NULL };

static const struct words words[] = {
    { COLUMN_USE, "residential, commercial, industrial, public, hydrant, zone-inlet or zone-outlet",
      use_names },
    { COLUMN_REGISTER, "net, forward or both", register_names },
    { COLUMN_DIRECTION, "in or out", direction_names },
    { COLUMN_LEVEL, "company, branch or team", level_names },
    { COLUMN_STATE,
      "ordered, received, verified, rejected, in-stock, issued, running, suspended, faulty, "
      "removed, "
      "at-lab, retired, scrapped or lost",
      state_names },
};

static int word_place(const char *const *names, struct span text)
{
    for (int i = 0; names[i]; i++)
        if (span_equal(text, span_text(names[i])))
            return i;
    return -1;
}

static const struct words *words_of(enum column_type type)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (words[i].type == type)
            return &words[i];
    return NULL;
}

bool state_known(struct span name)
{
    return word_place(state_names, name) >= 0;
}

bool use_known(struct span name)
{
    return word_place(use_names, name) >= 0;
}

bool use_read(struct span name, enum use_class *out)
{
    int place = word_place(use_names, name);

    if (place >= 0)
        *out = (enum use_class)(place + 1);
    return place >= 0;
}

const char *use_name(enum use_class u)
{
    return u == USE_UNKNOWN ? NULL : use_names[u - 1];
}

/* ---- numbers ---- */

#define THOUSAND INT64_C(1000)

/* Bounds in thousandths; what is not named here is bounded by its type alone. */
struct bound {
    const char *column;
    int64_t low, high;
    bool fine; /* more than three decimals are kept */
    const char *expected;
};

static const struct bound bounds[] = {
    { "dn", 1000, 5000 * THOUSAND, false, "a whole number of millimetres from 1 to 5000" },
    { "digits", 1000, 12 * THOUSAND, false, "a whole number from 1 to 12" },
    { "life_months", 1000, 1200 * THOUSAND, false, "a whole number of months from 1 to 1200" },
    { "level", 0, 100 * THOUSAND, false, "a whole number from 0 to 100" },
    { "attempts", 0, INT64_C(4294967295) * THOUSAND, false, "a whole number from 0 to 4294967295" },
    { "stop", 0, INT64_C(4294967295) * THOUSAND, false, "a whole number from 0 to 4294967295" },
    { "route_seq", 0, INT64_C(4294967295) * THOUSAND, false,
      "a whole number from 0 to 4294967295" },
    { "q3", 1, 10000 * THOUSAND, false, "m3/h above 0, at most 10000, with up to three decimals" },
    { "q1", 1, 10000 * THOUSAND, true, "m3/h above 0, at most 10000" },
    { "q2", 1, 10000 * THOUSAND, true, "m3/h above 0, at most 10000" },
    { "q4", 1, 20000 * THOUSAND, true, "m3/h above 0, at most 20000" },
    { "price", 0, INT64_C(1000000000000), true, "an amount of money from 0" },
    { "money", 0, INT64_C(1000000000000), true, "an amount from 0 to 1000000000" },
    { "ordered", 0, INT64_C(10000000) * THOUSAND, false, "a whole number from 0 to 10000000" },
    { "meters", 0, INT64_C(10000000) * THOUSAND, false, "a whole number from 0 to 10000000" },
    { "r", 1, 10000 * THOUSAND, false,
      "a ratio above 0, at most 10000, with up to three decimals" },
    { "lon", -180 * THOUSAND, 180 * THOUSAND, true, "degrees from -180 to 180" },
    { "lat", -90 * THOUSAND, 90 * THOUSAND, true, "degrees from -90 to 90" },
    { "modulus_l", 1, INT64_MAX, false, "litres above 0, with up to three decimals" },
    { "resolution_l", 1, INT64_C(1000000000), false,
      "litres above 0, at most 1000000, with up to three decimals" },
    { "mains_km", 0, INT64_C(1000000000), true, "kilometres from 0 to 1000000" },
    { "pressure_m", 0, 10000 * THOUSAND, true, "metres from 0 to 10000" },
    { "household_share", 0, 1000, true, "a share from 0 to 1" },
    { "outlet_pressure_mpa", 0, 100 * THOUSAND, true, "megapascals from 0 to 100" },
    { "frost_m", 0, 1000 * THOUSAND, true, "metres from 0 to 1000" },
    { "billed_unmetered_lpd", 0, INT64_C(1000000000000000), true, "litres per day from 0" },
    { "free_unmetered_lpd", 0, INT64_C(1000000000000000), true, "litres per day from 0" },
    { "publish_pct", 0, 100 * THOUSAND, true, "a percentage from 0 to 100" },
};

static const struct bound *bound_of(const struct column *c)
{
    if (c->type != COLUMN_INT && c->type != COLUMN_DECIMAL && c->type != COLUMN_LITRES)
        return NULL;
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
        if (strcmp(c->name, bounds[i].column) == 0)
            return &bounds[i];
    return NULL;
}

const char *cell_expected(const struct column *c)
{
    const struct bound *b = bound_of(c);
    const struct words *w = words_of(c->type);

    if (b)
        return b->expected;
    if (w)
        return w->expected;
    switch (c->type) {
    case COLUMN_SERIAL:
        return "1 to 32 bytes of A-Z a-z 0-9 . _ : -";
    case COLUMN_NAME:
        return "a name of at most 63 bytes of UTF-8 without control characters";
    case COLUMN_INT:
        return "a whole number";
    case COLUMN_DECIMAL:
        return "a number";
    case COLUMN_LITRES:
        return "litres, with up to three decimals";
    case COLUMN_TIME:
        return "a time as 2026-03-01T02:00:00+08:00";
    case COLUMN_DATE:
        return "a date as 2026-03-01";
    default:
        return "at most 1024 bytes of UTF-8 without control characters";
    }
}

#define DIGITS_MAX 40

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* A number as it may be written, taken apart: `digits` without a point, and where the point stands
 * among them. */
struct number {
    bool negative;
    unsigned count;
    int point;
    char digits[DIGITS_MAX];
};

static bool number_exponent(struct span text, size_t at, int *out)
{
    bool negative = at < text.len && text.at[at] == '-';
    int value = 0;

    if (at < text.len && (text.at[at] == '-' || text.at[at] == '+'))
        at++;
    if (at == text.len)
        return false;
    for (; at < text.len; at++) {
        if (!is_digit(text.at[at]) || value > DIGITS_MAX)
            return false;
        value = value * 10 + (text.at[at] - '0');
    }
    *out = negative ? -value : value;
    return value <= DIGITS_MAX;
}

/* [+-] digits [. digits] [e [+-] digits], leading zeros dropped. */
static bool number_read(struct span text, struct number *out)
{
    struct number n = { .negative = text.len && text.at[0] == '-' };
    size_t at = text.len && (text.at[0] == '-' || text.at[0] == '+');
    bool whole = false, fraction = false, point = false;
    int exponent = 0;

    for (; at < text.len && (is_digit(text.at[at]) || text.at[at] == '.'); at++) {
        if (text.at[at] == '.') {
            if (point || !whole)
                return false;
            point = true;
            continue;
        }
        if (n.count == DIGITS_MAX)
            return false;
        *(point ? &fraction : &whole) = true;
        if (n.count || text.at[at] != '0')
            n.digits[n.count++] = (char)text.at[at];
        if (!point && n.count)
            n.point++;
        else if (point && !n.count)
            n.point--;
    }
    if (!whole || (point && !fraction))
        return false;
    if (at < text.len) {
        if ((text.at[at] | 0x20) != 'e' || !number_exponent(text, at + 1, &exponent))
            return false;
    }
    n.point += exponent;
    while (n.count && n.digits[n.count - 1] == '0' && (int)n.count > n.point)
        n.count--;
    *out = n;
    return true;
}

/* The shortest way to write it without exponent: "2.5", "-0.001", "120". At most three times
 * DIGITS_MAX bytes. */
static void number_write(const struct number *n, struct wr *out)
{
    if (n->count == 0) {
        wr_u8(out, '0');
        return;
    }
    if (n->negative)
        wr_u8(out, '-');
    if (n->point <= 0)
        wr_u8(out, '0');
    for (int i = 0; i < n->point; i++)
        wr_u8(out, i < (int)n->count ? (uint8_t)n->digits[i] : '0');
    if ((int)n->count <= n->point)
        return;
    wr_u8(out, '.');
    for (int i = n->point; i < (int)n->count; i++)
        wr_u8(out, i < 0 ? '0' : (uint8_t)n->digits[i]);
}

/* Thousandths; digits beyond are dropped where `fine`, refused otherwise. */
static bool number_thousandths(struct span plain, bool fine, int64_t *out)
{
    const uint8_t *point = plain.len ? memchr(plain.at, '.', plain.len) : NULL;

    if (fine && point && plain.len - (size_t)(point - plain.at) > 4)
        plain.len = (size_t)(point - plain.at) + 4;
    return text_decimal(plain, 3, out) == ERR_OK;
}

/* Digits that were cut off move a value away from zero: one just outside a bound would seem to lie
 * on it. */
static bool within(const struct bound *b, const struct number *n, int64_t thousandths)
{
    bool rest = (int)n->count - n->point > 3;

    if (thousandths < b->low || thousandths > b->high)
        return false;
    return !(rest && thousandths == (n->negative ? b->low : b->high));
}

static bool number_cell(const struct column *c, struct span text, struct wr *out)
{
    const struct bound *b = bound_of(c);
    bool fine = c->type == COLUMN_DECIMAL && (!b || b->fine);
    char buffer[3 * DIGITS_MAX + 4];
    struct wr w = wr_of(buffer, sizeof buffer);
    struct number n;
    int64_t thousandths;

    if (!number_read(text, &n))
        return false;
    number_write(&n, &w);
    if (w.err || !number_thousandths(wr_span(&w), fine, &thousandths))
        return false;
    if (c->type == COLUMN_INT && thousandths % 1000)
        return false;
    if (b && !within(b, &n, thousandths))
        return false;
    wr_bytes(out, wr_span(&w));
    return true;
}

/* ---- one cell ---- */

static struct span trimmed(struct span text)
{
    while (text.len && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = span_of(text.at + 1, text.len - 1);
    while (text.len && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static bool text_cell(struct span text, size_t longest, struct wr *out)
{
    if (text.len > longest || !text_is_utf8(text))
        return false;
    wr_bytes(out, text);
    return true;
}

static bool name_cell(struct span text, struct wr *out)
{
    if (memchr(text.at, '\n', text.len) || memchr(text.at, '\t', text.len))
        return false;
    return text_cell(text, 63, out);
}

static bool time_cell(struct span text, const struct zone *zone, struct wr *out)
{
    char canonical[TEXT_TIME_SIZE];
    int64_t at_s;

    if (text_time(text, zone, &at_s))
        return false;
    text_put_time(canonical, at_s);
    wr_text(out, canonical);
    return true;
}

static bool date_cell(struct span text, struct wr *out)
{
    char canonical[11];
    int64_t day;

    if (text_date(text, &day))
        return false;
    text_put_date(canonical, day);
    wr_text(out, canonical);
    return true;
}

static bool word_cell(enum column_type type, struct span text, struct wr *out)
{
    if (word_place(words_of(type)->names, text) < 0)
        return false;
    wr_bytes(out, text);
    return true;
}

static bool cell_put(const struct column *c, struct span text, const struct zone *zone,
                     struct wr *out)
{
    switch (c->type) {
    case COLUMN_TEXT:
        return text_cell(text, LIMIT_TEXT, out);
    case COLUMN_NAME:
        return name_cell(text, out);
    case COLUMN_SERIAL:
        return text_is_serial(text) && text_cell(text, SERIAL_MAX, out);
    case COLUMN_INT:
    case COLUMN_DECIMAL:
    case COLUMN_LITRES:
        return number_cell(c, text, out);
    case COLUMN_TIME:
        return time_cell(text, zone, out);
    case COLUMN_DATE:
        return date_cell(text, out);
    default:
        return word_cell(c->type, text, out);
    }
}

enum err cell_read(const struct column *c, struct span text, const struct zone *zone,
                   struct wr *out, struct refusal *r)
{
    text = trimmed(text);
    if (text.len == 0)
        return ERR_OK;
    if (!cell_put(c, text, zone, out))
        return refuse(r, ERR_INVALID, 0, c->name, "found \"%.*s\", expected %s",
                      (int)(text.len < 60 ? text.len : 60), (const char *)text.at,
                      cell_expected(c));
    return out->err;
}

void cells_key(const struct list *l, const struct cells *c, struct wr *out)
{
    unsigned keys = list_keys(l);

    for (unsigned i = 0; i < keys; i++) {
        wr_bytes(out, c->at[i]);
        if (keys > 1)
            wr_u8(out, 0);
    }
}

/* ---- what the rules need ---- */

/* The reading of a cell that may be absent: false where it is there and wrong. */
static bool thousandths_of(struct span cell, int64_t absent, int64_t *out)
{
    *out = absent;
    return cell.len == 0 || text_decimal(cell, 3, out) == ERR_OK;
}

static unsigned digits_by_q3(int64_t q3_lph)
{
    if (q3_lph <= 6300)
        return 4;
    if (q3_lph <= 63000)
        return 5;
    return q3_lph <= 630000 ? 6 : 7;
}

/* 10^digits m3 in millilitres. */
static int64_t modulus_of_digits(unsigned digits)
{
    int64_t ml = 1000000;

    while (digits--)
        ml *= 10;
    return ml;
}

enum err cells_meter(const struct cells *c, uint32_t id, struct meter_facts *out)
{
    struct meter_facts m = { .id = id, .form = REGISTER_FORWARD };
    struct span serial = c->at[CELL_METER_serial], form = c->at[CELL_METER_register];
    int64_t dn, digits;
    int form_place = form.len ? word_place(register_names, form) : (int)REGISTER_FORWARD;

    if (!text_is_serial(serial) || form_place < 0 ||
        !thousandths_of(c->at[CELL_METER_dn], 0, &dn) ||
        !thousandths_of(c->at[CELL_METER_q3], 0, &m.q3_lph) ||
        !thousandths_of(c->at[CELL_METER_resolution_l], 1000, &m.resolution_ml) ||
        !thousandths_of(c->at[CELL_METER_modulus_l], 0, &m.modulus_ml) ||
        !thousandths_of(c->at[CELL_METER_digits], 0, &digits))
        return ERR_CORRUPT;
    if (digits < 0 || digits > 12000 || m.modulus_ml < 0 || m.resolution_ml <= 0)
        return ERR_CORRUPT;
    memcpy(m.serial, serial.at, serial.len);
    m.dn_mm = (int32_t)(dn / 1000);
    m.form = (enum register_form)form_place;
    if (m.modulus_ml == 0)
        m.modulus_ml =
            modulus_of_digits(digits ? (unsigned)(digits / 1000) : digits_by_q3(m.q3_lph));
    *out = m;
    return ERR_OK;
}

enum err cells_point(const struct cells *c, uint32_t id, struct point_facts *out)
{
    struct point_facts p = { .id = id, .use = USE_UNKNOWN };
    struct span name = c->at[CELL_POINT_point], use = c->at[CELL_POINT_use_class];
    int place = use.len ? word_place(use_names, use) : -1;

    if (name.len == 0 || name.len >= sizeof p.point || (use.len && place < 0))
        return ERR_CORRUPT;
    memcpy(p.point, name.at, name.len);
    p.use = (enum use_class)(place + 1);
    *out = p;
    return ERR_OK;
}

_Static_assert(USE_RESIDENTIAL == 1 && USE_ZONE_OUTLET == 7, "use_names follow enum use_class");
_Static_assert(REGISTER_NET == 0 && REGISTER_BOTH == 2, "register_names follow enum register_form");
