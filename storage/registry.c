/* Serials, what the radio calls meters, and by which dialect they speak. A name whose meter is 0 was taken
 * back. Radio names are kept in lower case, for networks and people spell them either way.
 *
 * Dialects: a table of the different texts, and for each meter the number of its own, two bytes. */
#include "storage/registry.h"

#include "storage/ledger.h"
#include "storage/names_priv.h"

#include <pthread.h>
#include <stdlib.h>

#define PROFILES_MAX UINT16_MAX /* more different texts are no dialects */

struct registry {
    pthread_rwlock_t lock;
    struct names serials, radios;
    uint32_t highest;
    struct names profiles;         /* text → its number */
    const uint8_t **profile_entry; /* by number, from 1 */
    uint16_t *profile_of;          /* by meter; 0: none */
    uint32_t profile_cap;
};

/* ---- radio names ---- */

struct span registry_radio_form(struct span name, uint8_t room[RADIO_NAME_MAX])
{
    if (name.len > RADIO_NAME_MAX)
        return name;
    for (size_t i = 0; i < name.len; i++)
        room[i] =
            name.at[i] >= 'A' && name.at[i] <= 'Z' ? (uint8_t)(name.at[i] + 0x20) : name.at[i];
    return span_of(room, name.len);
}

/* ---- dialects ---- */

static enum err profile_number(struct registry *r, struct span text, uint16_t *out)
{
    uint32_t number;
    enum err err;

    if (text.len > NAMES_TEXT_MAX)
        text.len = NAMES_TEXT_MAX; /* none has such a name; that it says something is what counts */
    number = names_get(&r->profiles, text);
    if (!number && r->profiles.count == PROFILES_MAX)
        number = PROFILES_MAX; /* any other that nobody knows */
    if (!number) {
        const uint8_t **more;

        number = r->profiles.count + 1;
        more = (const uint8_t **)realloc(r->profile_entry, (number + 1) * sizeof(const uint8_t *));
        if (!more)
            return ERR_NO_MEMORY;
        r->profile_entry = more;
        if ((err = names_add(&r->profiles, text, number)))
            return err;
        more[number] = names_find(&r->profiles, text);
    }
    *out = (uint16_t)number;
    return ERR_OK;
}

static enum err profile_room(struct registry *r, uint32_t meter)
{
    uint32_t cap = r->profile_cap + r->profile_cap / 2;
    uint16_t *more;

    if (meter < r->profile_cap)
        return ERR_OK;
    cap = cap <= meter ? meter + 1024 : cap;
    if (!(more = (uint16_t *)realloc(r->profile_of, cap * sizeof *more)))
        return ERR_NO_MEMORY;
    memset(more + r->profile_cap, 0, (cap - r->profile_cap) * sizeof *more);
    r->profile_of = more;
    r->profile_cap = cap;
    return ERR_OK;
}

static enum err profile_set(struct registry *r, uint32_t meter, struct span text)
{
    uint16_t number = 0;
    enum err err;

    if (!text.len && meter >= r->profile_cap)
        return ERR_OK;
    if ((text.len && (err = profile_number(r, text, &number))) || (err = profile_room(r, meter)))
        return err;
    r->profile_of[meter] = number;
    return ERR_OK;
}

enum err registry_set_profile(struct registry *r, uint32_t meter, struct span dialect)
{
    enum err err;

    pthread_rwlock_wrlock(&r->lock);
    err = profile_set(r, meter, dialect);
    pthread_rwlock_unlock(&r->lock);
    return err;
}

struct span registry_profile_lkd(struct registry *r, uint32_t meter)
{
    uint16_t number = meter < r->profile_cap ? r->profile_of[meter] : 0;

    return number ? names_text(r->profile_entry[number]) : span_of(NULL, 0);
}

/* ---- the registry ---- */

enum err registry_new(struct registry **out)
{
    struct registry *r = (struct registry *)calloc(1, sizeof *r);

    if (!r)
        return ERR_NO_MEMORY;
    if (pthread_rwlock_init(&r->lock, NULL)) {
        free(r);
        return ERR_NO_MEMORY;
    }
    *out = r;
    return ERR_OK;
}

void registry_free(struct registry *r)
{
    if (!r)
        return;
    names_done(&r->serials);
    names_done(&r->radios);
    names_done(&r->profiles);
    free(r->profile_entry);
    free(r->profile_of);
    pthread_rwlock_destroy(&r->lock);
    free(r);
}

#define EUI_DIGITS 16

static bool is_eui_in_capitals(struct span serial)
{
    bool capitals = false;

    for (size_t i = 0; i < serial.len; i++) {
        bool capital = serial.at[i] >= 'A' && serial.at[i] <= 'F';

        if (!capital && !(serial.at[i] >= '0' && serial.at[i] <= '9'))
            return false;
        capitals |= capital;
    }
    return capitals && serial.len == EUI_DIGITS;
}

/* A serial serves on the radio, too. Byte by byte, but for an EUI: labels print it in capitals, networks do not. */
static enum err add_serial(struct registry *r, struct span serial, uint32_t meter)
{
    uint8_t room[RADIO_NAME_MAX];
    struct span form;
    enum err err = names_add(&r->serials, serial, meter);

    if (err || !is_eui_in_capitals(serial))
        return err;
    form = registry_radio_form(serial, room);
    return names_get(&r->radios, form) ? ERR_OK : names_add(&r->radios, form, meter);
}

enum err registry_add(struct registry *r, struct span name, uint32_t meter)
{
    enum err err;

    pthread_rwlock_wrlock(&r->lock);
    err = add_serial(r, name, meter);
    if (!err && meter > r->highest)
        r->highest = meter;
    pthread_rwlock_unlock(&r->lock);
    return err;
}

enum err registry_add_radio(struct registry *r, struct span name, uint32_t meter)
{
    uint8_t room[RADIO_NAME_MAX];
    enum err err;

    pthread_rwlock_wrlock(&r->lock);
    err = names_add(&r->radios, registry_radio_form(name, room), meter);
    pthread_rwlock_unlock(&r->lock);
    return err;
}

void registry_drop_radio(struct registry *r, struct span name, uint32_t meter)
{
    uint8_t room[RADIO_NAME_MAX], *entry;

    pthread_rwlock_wrlock(&r->lock);
    entry = names_find(&r->radios, registry_radio_form(name, room));
    if (entry && names_number(entry) == meter)
        memset(entry, 0, sizeof meter);
    pthread_rwlock_unlock(&r->lock);
}

void registry_read_lock(struct registry *r)
{
    pthread_rwlock_rdlock(&r->lock);
}

void registry_read_unlock(struct registry *r)
{
    pthread_rwlock_unlock(&r->lock);
}

void registry_write_lock(struct registry *r)
{
    pthread_rwlock_wrlock(&r->lock);
}

void registry_write_unlock(struct registry *r)
{
    pthread_rwlock_unlock(&r->lock);
}

uint32_t registry_find_lkd(struct registry *r, struct span name)
{
    uint32_t meter = names_get(&r->serials, name);
    uint8_t room[RADIO_NAME_MAX];

    if (meter || r->radios.count == 0)
        return meter;
    return names_get(&r->radios, registry_radio_form(name, room));
}

uint32_t registry_serial_lkd(struct registry *r, struct span serial)
{
    return names_get(&r->serials, serial);
}

uint32_t registry_find(struct registry *r, struct span name)
{
    uint32_t meter;

    pthread_rwlock_rdlock(&r->lock);
    meter = registry_find_lkd(r, name);
    pthread_rwlock_unlock(&r->lock);
    return meter;
}

uint32_t registry_count(struct registry *r)
{
    uint32_t highest;

    pthread_rwlock_rdlock(&r->lock);
    highest = r->highest;
    pthread_rwlock_unlock(&r->lock);
    return highest;
}

size_t registry_bytes(struct registry *r)
{
    size_t bytes;

    pthread_rwlock_rdlock(&r->lock);
    bytes = names_bytes(&r->serials) + names_bytes(&r->radios) + names_bytes(&r->profiles) +
            r->profile_cap * sizeof *r->profile_of;
    pthread_rwlock_unlock(&r->lock);
    return bytes;
}

/* ---- from the ledger ---- */

struct load {
    struct registry *registry;
    const struct registry_cells *cells;
    enum err err;
};

static bool load_row(void *arg, const struct ledger_row *row)
{
    struct load *load = (struct load *)arg;
    struct span radio = row->cells[load->cells->radio];
    uint8_t room[RADIO_NAME_MAX];

    load->err = add_serial(load->registry, row->cells[load->cells->serial], row->id);
    if (!load->err && radio.len)
        load->err = names_add(&load->registry->radios, registry_radio_form(radio, room), row->id);
    if (!load->err)
        load->err = profile_set(load->registry, row->id, row->cells[load->cells->dialect]);
    if (!load->err && row->id > load->registry->highest)
        load->registry->highest = row->id;
    return !load->err;
}

enum err registry_load_from(struct registry *r, struct ledger *l, unsigned meter_list,
                            uint32_t from_id, const struct registry_cells *cells)
{
    struct load load = { .registry = r, .cells = cells };
    struct txn t = ledger_read(l);
    enum err err = t.err, ended;

    pthread_rwlock_wrlock(&r->lock);
    if (!err)
        err = names_reserve(&r->serials, ledger_last_id(&t, meter_list));
    if (!err)
        err = ledger_each_by_id(&t, meter_list, from_id, load_row, &load);
    pthread_rwlock_unlock(&r->lock);
    ended = txn_end(&t);
    if (load.err)
        return load.err;
    return err ? err : ended;
}

enum err registry_load(struct registry *r, struct ledger *l, unsigned meter_list,
                       const struct registry_cells *cells)
{
    return registry_load_from(r, l, meter_list, 1, cells);
}
