/* What columns.def says, as tables: the lists of the register and the cells of their rows.  Pure. */
#ifndef NILO_SERVER_FLEET_COLUMNS_H
#define NILO_SERVER_FLEET_COLUMNS_H

#include "proto/facts.h"

enum list_kind {
#define LIST(kind, plural) LIST_##kind,
#define COLUMN(kind, name, type, need)
#include "server/fleet/columns.def"
#undef LIST
#undef COLUMN
    LIST_COUNT
};

enum column_type {
    COLUMN_TEXT,
    COLUMN_SERIAL,
    COLUMN_INT,
    COLUMN_DECIMAL,
    COLUMN_LITRES,
    COLUMN_TIME,
    COLUMN_DATE,
    COLUMN_USE,
    COLUMN_REGISTER,
    COLUMN_DIRECTION,
    COLUMN_LEVEL,
    COLUMN_STATE,
    COLUMN_NAME
};
enum column_need { NEED_KEY, NEED_MUST, NEED_MAY };

/* Where a column stands in its list: CELL_METER_serial is 0, CELL_METER_model 1, … */
enum cell_place {
#define LIST(kind, plural) CELL_##kind##_BEFORE = -1,
#define COLUMN(kind, name, type, need) CELL_##kind##_##name,
#include "server/fleet/columns.def"
#undef LIST
#undef COLUMN
};

struct column {
    const char *name;
    enum column_type type;
    enum column_need need;
};

#define COLUMNS_MAX 32

struct list {
    enum list_kind kind;
    unsigned columns;
    const char *plural; /* "meters": as in file names and paths */
    struct column column[COLUMNS_MAX];
};

const struct list *list_of(enum list_kind kind);
const struct list *list_named(struct span plural); /* NULL if unknown */
int list_column(const struct list *l, struct span name); /* its place, −1 if unknown */
unsigned list_keys(const struct list *l);                /* how many of the first columns name the row */
int list_reference(const struct list *l, unsigned place); /* the list whose row a cell names, −1: none */

/* A row of a list: its cells as canonical text in the columns' order (litres "12.5", times "…Z", dates "2026-03-01"); an empty
 * cell is an absent value.  Borrowed. */
struct cells {
    struct span at[COLUMNS_MAX];
};

/* Checks one cell and writes its canonical form to `out`; `zone` rules local times. INVALID with `r` saying what was found and
 * expected, its field the column's name. */
MUST_CHECK enum err cell_read(const struct column *c, struct span text, const struct zone *zone, struct wr *out, struct refusal *r);
const char *cell_expected(const struct column *c); /* "a whole number from 1 to 5000" */

/* The key of a row, as storage finds it: its key cells, each ended by 0x00 if there are several. */
void cells_key(const struct list *l, const struct cells *c, struct wr *out);

/* A state that a meter may be in (rules-fleet T). */
bool state_known(struct span name);

bool use_known(struct span name); /* a use class of a point */
bool use_read(struct span name, enum use_class *out);
const char *use_name(enum use_class u); /* NULL for USE_UNKNOWN */

/* What the rules need of a row. The row was checked before: a wrong cell is a CORRUPT store. */
MUST_CHECK enum err cells_meter(const struct cells *c, uint32_t id, struct meter_facts *out);
MUST_CHECK enum err cells_point(const struct cells *c, uint32_t id, struct point_facts *out);

#endif
