#include "storage/formats.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct format {
    uint8_t len;
    uint8_t list[FORMAT_LIST_MAX];
};

struct formats {
    pthread_mutex_t lock;     /* of those who learn */
    _Atomic size_t count;     /* whoever sees it sees all below it */
    size_t kept;              /* of them, in the ledger; the settling thread's */
    size_t plain;             /* of them, what anybody may have taught */
    uint64_t id[FORMATS_MAX]; /* looked through: a few dozen lie in a few lines of the cache */
    struct format format[FORMATS_MAX];
};

static uint64_t number_of(const struct format_id *id)
{
    return (uint64_t)id->sealed << 48 | (uint64_t)id->maker << 32 | (uint64_t)id->version << 24 |
           (uint64_t)id->type << 16 | id->signature;
}

static struct format_id id_of(uint64_t number)
{
    return (struct format_id){ .maker = (uint16_t)(number >> 32),
                               .version = (uint8_t)(number >> 24),
                               .type = (uint8_t)(number >> 16),
                               .sealed = number >> 48,
                               .signature = (uint16_t)number };
}

enum err formats_new(struct formats **out)
{
    struct formats *f = (struct formats *)calloc(1, sizeof *f);

    if (!f)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&f->lock, NULL);
    *out = f;
    return ERR_OK;
}

void formats_free(struct formats *f)
{
    if (!f)
        return;
    pthread_mutex_destroy(&f->lock);
    free(f);
}

static bool load_one(void *arg, const struct format_id *id, struct span list)
{
    formats_learn((struct formats *)arg, id, list);
    return true;
}

enum err formats_load(struct formats *f, struct ledger *l)
{
    struct txn t = ledger_read(l);
    enum err err = ledger_formats(&t, load_one, f), ended = txn_end(&t);

    f->kept = atomic_load(&f->count);
    return err ? err : ended;
}

/* The nth of that number; NULL: there are not so many. */
static const struct format *find(const struct formats *f, uint64_t number, unsigned nth)
{
    size_t count = atomic_load(&f->count);

    for (size_t i = 0; i < count; i++)
        if (f->id[i] == number && nth-- == 0)
            return &f->format[i];
    return NULL;
}

bool formats_find(const struct formats *f, const struct format_id *id, struct span *out_list_view)
{
    const struct format *found = find(f, number_of(id), id->nth);

    if (found)
        *out_list_view = span_of(found->list, found->len);
    return found != NULL;
}

/* Not known yet, and there may be more of its number. */
static bool is_fresh(const struct formats *f, uint64_t number, struct span list)
{
    const struct format *known;

    for (unsigned nth = 0; nth < FORMAT_LISTS; nth++) {
        if (!(known = find(f, number, nth)))
            return true;
        if (span_equal(span_of(known->list, known->len), list))
            return false;
    }
    return false;
}

static bool has_room(const struct formats *f, size_t count, bool sealed)
{
    return count < FORMATS_MAX && (sealed || f->plain < FORMATS_MAX / 2);
}

bool formats_learn(struct formats *f, const struct format_id *id, struct span list)
{
    uint64_t number = number_of(id);
    bool fresh;
    size_t count;

    if (list.len == 0 || list.len > FORMAT_LIST_MAX || !is_fresh(f, number, list))
        return false;
    pthread_mutex_lock(&f->lock);
    count = atomic_load(&f->count);
    fresh = has_room(f, count, id->sealed) && is_fresh(f, number, list);
    if (fresh) {
        f->id[count] = number;
        f->format[count].len = (uint8_t)list.len;
        memcpy(f->format[count].list, list.at, list.len);
        f->plain += !id->sealed;
        atomic_store(&f->count, count + 1);
    }
    pthread_mutex_unlock(&f->lock);
    return fresh;
}

bool formats_unkept(const struct formats *f)
{
    return f->kept < atomic_load(&f->count);
}

size_t formats_put_unkept(const struct formats *f, struct act *a)
{
    size_t count = atomic_load(&f->count);

    for (size_t i = f->kept; i < count; i++) {
        struct format_id id = id_of(f->id[i]);

        for (size_t k = 0; k < i; k++)
            id.nth += f->id[k] == f->id[i];
        act_put_format(a, &id, span_of(f->format[i].list, f->format[i].len));
    }
    return count;
}

void formats_kept(struct formats *f, size_t count)
{
    f->kept = count;
}
