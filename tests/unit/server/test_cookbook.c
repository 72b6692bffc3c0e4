/* Recipes that are known: the newest of a name counts, those of the ledger come back, and one is exchanged between two frames. */
#include "server/cookbook.h"

#include "tests/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct kitchen {
    struct ledger *ledger;
    struct registry *registry;
    struct cookbook *book;
};

static void open_in(struct kitchen *k, const char *folder)
{
    struct refusal r;

    assert_ok(ledger_open(folder, DB_CREATE, &k->ledger, &r));
    assert_ok(registry_new(&k->registry));
    assert_ok(cookbook_open(k->ledger, k->registry, &k->book));
}

static void close_all(struct kitchen *k)
{
    cookbook_close(k->book);
    registry_free(k->registry);
    ledger_close(k->ledger);
}

/* One count is `version` litres. */
static size_t text_of(char out[512], const char *name, unsigned version)
{
    return (size_t)snprintf(
        out, 512,
        "recipe %s\nversion %u\ntitle T\nsource S\ncarrier oms\nmatch oms ABC 01 07 ci A2\na u8\n"
        "reading a %u L\nsample s\nbytes 01\narrived 2026-03-01T00:00:00Z\ngives %u L\nend\n",
        name, version, version, version);
}

static struct recipe *recipe_of(const char *name, unsigned version)
{
    char text[512];
    struct recipe *recipe;
    struct refusal r;

    assert_ok(recipe_new(span_of(text, text_of(text, name, version)), &recipe, &r));
    return recipe;
}

static void keep(struct kitchen *k, struct span name, unsigned version, struct span text)
{
    struct act a = act_begin(k->ledger, "test", 1772323200, 0);

    act_put_recipe(&a, &(struct ledger_recipe){ .name = name, .version = version, .text = text });
    assert_ok(act_end(&a));
}

static unsigned version_of(struct kitchen *k, const char *name)
{
    const struct recipe *recipe;
    unsigned version;

    registry_read_lock(k->registry);
    recipe = cookbook_find(k->book, span_text(name));
    version = recipe ? recipe_about(recipe)->version : 0;
    registry_read_unlock(k->registry);
    return version;
}

static void the_newest_of_a_name_counts(void **state)
{
    struct kitchen k;

    (void)state;
    open_in(&k, check_folder());
    assert_int_equal(version_of(&k, "kingda-bc95"), 1);
    assert_int_equal(version_of(&k, "mine"), 0);
    assert_ok(cookbook_put(k.book, recipe_of("mine", 2)));
    assert_int_equal(version_of(&k, "mine"), 2);
    assert_ok(cookbook_put(k.book, recipe_of("mine", 1)));
    assert_int_equal(version_of(&k, "mine"), 2);
    assert_ok(cookbook_put(k.book, recipe_of("mine", 3)));
    assert_int_equal(version_of(&k, "mine"), 3);
    assert_ok(cookbook_put(k.book, recipe_of("kingda-bc95", 2)));
    assert_int_equal(version_of(&k, "kingda-bc95"), 2);
    close_all(&k);
}

static void names_stand_in_order_and_layouts_find_theirs(void **state)
{
    const struct layout_id abc = { .maker = 0x0443, .version = 1, .type = 7, .ci = 0xa2 },
                           none = { .ci = 0xa7 };
    const struct recipe *recipe, *found;
    struct span before = { 0 };
    struct kitchen k;
    unsigned added = 0;
    bool its;

    (void)state;
    open_in(&k, check_folder());
    assert_ok(cookbook_put(k.book, recipe_of("zz", 1)));
    assert_ok(cookbook_put(k.book, recipe_of("b2", 1)));
    assert_ok(cookbook_put(k.book, recipe_of("0", 1)));
    registry_read_lock(k.registry);
    for (size_t n = 0; (recipe = cookbook_at(k.book, n, &its)); n++) {
        struct span name = recipe_about(recipe)->name;
        size_t len = before.len < name.len ? before.len : name.len;
        int order = len ? memcmp(before.at, name.at, len) : 0;

        assert_true(order < 0 || (order == 0 && before.len < name.len));
        before = name;
        added += its;
    }
    assert_int_equal(added, 3);
    found = cookbook_match(k.book, &abc);
    assert_non_null(found);
    assert_int_equal(recipe_about(found)->name.at[0], '0');
    assert_null(cookbook_match(k.book, &none));
    registry_read_unlock(k.registry);
    close_all(&k);
}

static void the_ledgers_recipes_come_back(void **state)
{
    const char *folder = check_folder();
    char text[512];
    struct kitchen k;
    struct ledger_recipe kept;
    struct txn t;

    (void)state;
    open_in(&k, folder);
    keep(&k, span_text("mine"), 1, span_of(text, text_of(text, "mine", 1)));
    keep(&k, span_text("mine"), 2, span_of(text, text_of(text, "mine", 2)));
    keep(&k, span_text("old"), 1,
         span_text("recipe old\nwritten by a version of the format that was\n"));
    assert_int_equal(version_of(&k, "mine"), 0); /* the act alone does not exchange it */
    close_all(&k);
    open_in(&k, folder);
    assert_int_equal(version_of(&k, "mine"), 2);
    assert_int_equal(version_of(&k, "old"), 0); /* told, and left out */
    t = ledger_read(k.ledger);
    assert_true(ledger_recipe(&t, span_text("mine"), 1, &kept));
    assert_int_equal(kept.added_s, 1772323200);
    assert_true(span_equal(kept.who, span_text("test")));
    assert_true(span_equal(kept.text, span_of(text, text_of(text, "mine", 1))));
    assert_false(ledger_recipe(&t, span_text("mine"), 3, &kept));
    assert_ok(txn_end(&t));
    close_all(&k);
}

/* ---- exchanged while others decode ---- */

struct eater {
    struct kitchen *kitchen;
    _Atomic bool *stop;
    unsigned frames;
    bool wrong;
};

static void eat(struct eater *e, struct arena *a)
{
    struct dialect_input in = { .bytes = span_of("\x01", 1), .arrival_s = 1772323200 };
    const struct recipe *recipe;
    struct gather g;
    struct frame f = { 0 };

    arena_clear(a);
    g = gather_of(a);
    registry_read_lock(e->kitchen->registry);
    recipe = cookbook_find(e->kitchen->book, span_text("mine"));
    /* What it says is what its own version says: never half of one and half of another. */
    if (recipe_decode(recipe, &in, in.bytes, &g, &f, NULL) || g.count != 1 ||
        g.at[0].sample.value != 1000 * (int64_t)recipe_about(recipe)->version)
        e->wrong = true;
    registry_read_unlock(e->kitchen->registry);
    e->frames++;
}

static void *eat_on(void *arg)
{
    struct eater *e = (struct eater *)arg;
    struct arena a = { 0 };

    e->wrong = arena_init(&a, 1 << 16) != ERR_OK;
    while (!*e->stop && !e->wrong)
        eat(e, &a);
    arena_done(&a);
    return NULL;
}

static void a_recipe_is_exchanged_between_two_frames(void **state)
{
    struct kitchen k;
    _Atomic bool stop = false;
    struct eater eaters[2] = { { &k, &stop, 0, false }, { &k, &stop, 0, false } };
    pthread_t threads[2];

    (void)state;
    open_in(&k, check_folder());
    assert_ok(cookbook_put(k.book, recipe_of("mine", 1)));
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, eat_on, &eaters[i]), 0);
    for (unsigned version = 2; version < 500; version++)
        assert_ok(cookbook_put(k.book, recipe_of("mine", version)));
    stop = true;
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_false(eaters[i].wrong);
    }
    assert_int_equal(version_of(&k, "mine"), 499);
    close_all(&k);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_of_a_name_counts),
        cmocka_unit_test(names_stand_in_order_and_layouts_find_theirs),
        cmocka_unit_test(the_ledgers_recipes_come_back),
        cmocka_unit_test(a_recipe_is_exchanged_between_two_frames),
    };

    return check_run(tests, argc, argv);
}
