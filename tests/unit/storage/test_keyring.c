/* Keys: sealed under the store key, found by the instant from which they hold. */
#include "storage/formats.h"
#include "storage/keyring.h"
#include "storage/secret.h"
#include "storage/store.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct span key_of(uint8_t *room, size_t len, uint8_t seed)
{
    for (size_t i = 0; i < len; i++)
        room[i] = (uint8_t)(seed + i);
    return span_of(room, len);
}

static struct store_key *made_in(const char *folder)
{
    struct store_key *k = NULL;
    struct refusal r = { 0 };

    assert_ok(store_key_make(folder, &k, &r));
    return k;
}

/* ---- the ring ---- */

static void put(struct keyring *k, uint32_t meter, enum key_kind kind, int64_t from_s, uint8_t seed)
{
    uint8_t room[KEYRING_KEY_MAX];

    assert_ok(keyring_put(k, meter, kind, from_s, key_of(room, 16, seed)));
}

/* The first bytes of the keys found, in turn; 0 ends them. */
static void assert_found(const struct keyring *k, uint32_t meter, enum key_kind kind, int64_t at_s,
                         const char *seeds)
{
    struct span found[LORE_KEYS];
    unsigned count = keyring_find(k, meter, kind, at_s, found);

    assert_int_equal(count, strlen(seeds));
    for (unsigned i = 0; i < count; i++) {
        uint8_t room[KEYRING_KEY_MAX];

        assert_true(span_equal(found[i], key_of(room, 16, (uint8_t)seeds[i])));
    }
}

static void the_key_that_holds_comes_first_then_the_one_before_then_the_one_to_come(void **state)
{
    struct keyring *k = NULL;
    struct span current;

    (void)state;
    assert_ok(keyring_new(&k));
    assert_found(k, 7, KEY_OMS, 0, "");
    put(k, 7, KEY_OMS, 2000, 'c');
    put(k, 7, KEY_OMS, LEDGER_ALWAYS, 'a');
    put(k, 7, KEY_OMS, 3000, 'd');
    put(k, 7, KEY_OMS, 1000, 'b');
    put(k, 7, KEY_PSK, 1500, 'p');
    put(k, 8, KEY_OMS, 0, 'x');
    assert_found(k, 7, KEY_OMS, 2500, "cbd");
    assert_found(k, 7, KEY_OMS, 2000, "cbd");
    assert_found(k, 7, KEY_OMS, 1999, "bac");
    assert_found(k, 7, KEY_OMS, 0, "abc"); /* none was before it: further ones to come */
    assert_found(k, 7, KEY_OMS, 9999, "dcb");
    assert_found(k, 7, KEY_PSK, 9999, "p");
    assert_found(k, 7, KEY_PSK, 1499, "p");
    assert_found(k, 7, KEY_OSCORE, 9999, "");
    assert_found(k, 9, KEY_OMS, 9999, "");
    assert_false(keyring_current(k, 7, KEY_PSK, 1499, &current));
    assert_true(keyring_current(k, 7, KEY_PSK, 1500, &current));
    keyring_free(k);
}

static void a_key_may_have_one_byte_or_sixty_four(void **state)
{
    struct keyring *k = NULL;
    uint8_t room[KEYRING_KEY_MAX + 1];

    (void)state;
    assert_ok(keyring_new(&k));
    for (uint32_t len = 1; len <= KEYRING_KEY_MAX; len++)
        assert_ok(keyring_put(k, len, KEY_PSK, 0, key_of(room, len, (uint8_t)len)));
    for (uint32_t len = 1; len <= KEYRING_KEY_MAX; len++) {
        struct span found[LORE_KEYS];

        assert_int_equal(keyring_find(k, len, KEY_PSK, 0, found), 1);
        assert_true(span_equal(found[0], key_of(room, len, (uint8_t)len)));
    }
    assert_err(ERR_RANGE, keyring_put(k, 1, KEY_PSK, 0, span_of(room, 0)));
    assert_err(ERR_RANGE, keyring_put(k, 1, KEY_PSK, 0, span_of(room, KEYRING_KEY_MAX + 1)));
    keyring_free(k);
}

static void the_same_place_again_replaces(void **state)
{
    struct keyring *k = NULL;

    (void)state;
    assert_ok(keyring_new(&k));
    put(k, 1, KEY_OMS, 10, 'a');
    put(k, 1, KEY_PSK, 10, 'p');
    put(k, 1, KEY_OMS, 10, 'b');
    assert_found(k, 1, KEY_OMS, 10, "b");
    assert_found(k, 1, KEY_PSK, 10, "p");
    assert_int_equal(keyring_count(k), 2);
    keyring_free(k);
}

/* Against a plain list. */
static void random_keys_are_found_as_in_a_list(void **state)
{
    enum { METERS = 50, KEYS = 2000 };
    static struct {
        int64_t from_s;
        uint32_t meter;
        uint8_t seed;
    } list[KEYS];
    struct check_random r = check_random_begin();
    struct keyring *k = NULL;

    (void)state;
    assert_ok(keyring_new(&k));
    for (int i = 0; i < KEYS; i++) {
        list[i].meter = 1 + (uint32_t)check_below(&r, METERS);
        list[i].from_s = check_between(&r, 0, 100000) * KEYS + i; /* no two alike */
        list[i].seed = (uint8_t)check_between(&r, 1, 255);
        put(k, list[i].meter, KEY_OMS, list[i].from_s, list[i].seed);
    }
    for (int i = 0; i < 2000; i++) {
        uint32_t meter = 1 + (uint32_t)check_below(&r, METERS);
        int64_t at_s = check_between(&r, 0, 100000) * KEYS;
        int best = -1;
        struct span found;
        uint8_t room[16];

        for (int n = 0; n < KEYS; n++)
            if (list[n].meter == meter && list[n].from_s <= at_s &&
                (best < 0 || list[n].from_s > list[best].from_s))
                best = n;
        assert_int_equal(keyring_current(k, meter, KEY_OMS, at_s, &found), best >= 0);
        if (best >= 0)
            assert_true(span_equal(found, key_of(room, 16, list[best].seed)));
    }
    keyring_free(k);
}

static int64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void a_million_keys_take_forty_bytes_each(void **state)
{
    enum { MILLION = 1000000 };
    struct keyring *k = NULL;
    struct span found[LORE_KEYS];
    uint32_t meter = 1;
    int64_t began_ns;

    (void)state;
    assert_ok(keyring_new(&k));
    for (uint32_t i = 1; i <= MILLION; i++)
        put(k, i, KEY_OMS, LEDGER_ALWAYS, (uint8_t)i);
    began_ns = cpu_ns();
    for (int i = 0; i < MILLION; i++) {
        meter = (uint32_t)((uint64_t)meter * 48271 % 999983 + 1);
        assert_int_equal(keyring_find(k, meter, KEY_OMS, 1000, found), 1);
    }
    printf("a look-up among a million: %lld ns\n", (long long)(cpu_ns() - began_ns) / MILLION);
    assert_in_range(keyring_bytes(k), 0, 45 * (size_t)MILLION);
    keyring_free(k);
}

/* ---- the store key ---- */

static void what_is_sealed_opens_under_its_key_and_at_its_place_alone(void **state)
{
    struct store_key *mine = made_in(check_folder()), *other = made_in(check_folder());
    uint8_t sealed[4 + SEALED_MORE], again[4 + SEALED_MORE], out[64];
    size_t len = 0;

    (void)state;
    assert_ok(store_key_seal(mine, span_text("place"), span_text("text"), sealed));
    assert_ok(store_key_seal(mine, span_text("place"), span_text("text"), again));
    assert_memory_not_equal(sealed, again, sizeof sealed); /* no two nonces alike */
    assert_ok(store_key_unseal(mine, span_text("place"), span_of(sealed, sizeof sealed), out,
                               sizeof out, &len));
    assert_true(span_equal(span_of(out, len), span_text("text")));
    assert_err(ERR_FORBIDDEN,
               store_key_unseal(other, span_text("place"), span_of(sealed, sizeof sealed), out,
                                sizeof out, &len));
    assert_err(ERR_FORBIDDEN,
               store_key_unseal(mine, span_text("elsewhere"), span_of(sealed, sizeof sealed), out,
                                sizeof out, &len));
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 1;
        assert_err(ERR_FORBIDDEN,
                   store_key_unseal(mine, span_text("place"), span_of(sealed, sizeof sealed), out,
                                    sizeof out, &len));
        sealed[i] ^= 1;
        assert_int_not_equal(ERR_OK, store_key_unseal(mine, span_text("place"),
                                                      check_guarded(span_of(sealed, i)), out,
                                                      sizeof out, &len));
    }
    store_key_free(mine);
    store_key_free(other);
}

static void the_store_key_lies_in_the_store_for_its_owner_alone(void **state)
{
    const char *folder = check_folder();
    struct store_key *made = made_in(folder), *found = NULL, *again = NULL;
    char path[512], a[FINGERPRINT_SIZE], b[FINGERPRINT_SIZE];
    struct refusal r = { 0 };
    struct stat st;

    (void)state;
    snprintf(path, sizeof path, "%s/store.key", folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_ok(store_key_find(folder, NULL, &found, &r));
    assert_true(store_key_is_own(found));
    store_key_fingerprint(made, KEY_OMS, span_text("a key"), a);
    store_key_fingerprint(found, KEY_OMS, span_text("a key"), b);
    assert_string_equal(a, b);
    store_key_fingerprint(found, KEY_PSK, span_text("a key"), b);
    assert_string_not_equal(a, b);
    assert_err(ERR_EXISTS, store_key_make(folder, &again, &r));
    store_key_free(made);
    store_key_free(found);
}

static void the_store_key_may_be_given_as_bytes_or_digits_or_credential(void **state)
{
    static const char digits[] =
        "000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f\n";
    const char *folder = check_folder(), *credentials = check_folder();
    char path[512], prints[3][FINGERPRINT_SIZE];
    uint8_t bytes[32];
    struct store_key *k = NULL;
    struct refusal r = { 0 };

    (void)state;
    assert_err(ERR_NOT_FOUND, store_key_find(folder, NULL, &k, &r));
    snprintf(path, sizeof path, "%s/digits", folder);
    check_write(path, span_text(digits));
    assert_ok(store_key_find(folder, path, &k, &r));
    store_key_fingerprint(k, KEY_OMS, span_text("x"), prints[0]);
    assert_false(store_key_is_own(k));
    store_key_free(k);
    check_write(path, key_of(bytes, 32, 0));
    assert_ok(store_key_find(folder, path, &k, &r));
    store_key_fingerprint(k, KEY_OMS, span_text("x"), prints[1]);
    store_key_free(k);
    snprintf(path, sizeof path, "%s/nilod.store-key", credentials);
    check_write(path, span_text(digits));
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", credentials, 1), 0);
    assert_ok(store_key_find(folder, NULL, &k, &r));
    store_key_fingerprint(k, KEY_OMS, span_text("x"), prints[2]);
    store_key_free(k);
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_string_equal(prints[0], prints[1]);
    assert_string_equal(prints[0], prints[2]);
    check_write(path, span_text("0001"));
    assert_err(ERR_CORRUPT, store_key_find(folder, path, &k, &r));
    assert_non_null(strstr(r.text, path));
    assert_err(ERR_MISSING, store_key_find(folder, "/nowhere/store.key", &k, &r));
    assert_non_null(strstr(r.text, "/nowhere/store.key"));
}

/* ---- in the ledger ---- */

static void seal_into(struct act *a, const struct store_key *s, uint32_t meter, int64_t from_s,
                      uint8_t seed)
{
    uint8_t room[16], place[SEALED_PLACE_SIZE], sealed[16 + SEALED_MORE];
    struct sealed_key k = { .meter = meter, .kind = KEY_OMS, .from_s = from_s };

    sealed_place(&k, place);
    assert_ok(store_key_seal(s, span_of(place, sizeof place), key_of(room, 16, seed), sealed));
    k.sealed = span_of(sealed, sizeof sealed);
    act_put_key(a, &k);
}

static void keys_come_back_from_the_ledger_and_under_no_other_store_key(void **state)
{
    const char *folder = check_folder();
    struct store_key *mine = made_in(folder), *other = made_in(check_folder());
    struct ledger *l = NULL;
    struct keyring *k = NULL;
    struct refusal r = { 0 };
    struct act a;
    uint64_t count = 0;

    (void)state;
    assert_ok(ledger_open(folder, DB_CREATE, &l, &r));
    a = act_begin(l, "test", 1000, 0);
    seal_into(&a, mine, 3, LEDGER_ALWAYS, 'a');
    seal_into(&a, mine, 3, 500, 'b');
    seal_into(&a, mine, 70000, -5, 'c');
    assert_ok(act_end(&a));
    assert_ok(keyring_new(&k));
    assert_ok(keyring_load(k, l, mine, &r));
    assert_found(k, 3, KEY_OMS, 499, "ab");
    assert_found(k, 3, KEY_OMS, 500, "ba");
    assert_found(k, 70000, KEY_OMS, -5, "c");
    assert_int_equal(keyring_count(k), 3);
    assert_ok(keyring_check(l, mine, &count, &r));
    assert_int_equal(count, 3);
    assert_err(ERR_FORBIDDEN, keyring_check(l, other, &count, &r));
    assert_non_null(strstr(r.text, "--store-key-file"));
    assert_ok(ledger_check(l, &r));
    keyring_free(k);
    ledger_close(l);
    store_key_free(mine);
    store_key_free(other);
}

/* ---- formats ---- */

static void a_format_is_learned_once_and_comes_back(void **state)
{
    const struct format_id id = {
        .maker = 0x2c2d, .signature = 0xa8ed, .version = 0x1b, .type = 0x16
    };
    struct format_id other = id, rival = id, sealed = id;
    const char *folder = check_folder();
    struct ledger *l = NULL;
    struct formats *f = NULL, *again = NULL;
    struct refusal r = { 0 };
    struct span list;
    struct act a;
    size_t count;

    (void)state;
    other.version++;
    rival.nth = 1;
    sealed.sealed = true;
    assert_ok(ledger_open(folder, DB_CREATE, &l, &r));
    assert_ok(formats_new(&f));
    assert_false(formats_find(f, &id, &list));
    assert_true(formats_learn(f, &id, span_text("\x04\x13")));
    assert_false(formats_learn(f, &id, span_text("\x04\x13")));
    assert_false(formats_find(f, &sealed, &list));
    assert_true(formats_learn(f, &sealed, span_text("under a key")));
    assert_true(formats_learn(f, &id, span_text("another")));
    assert_true(formats_learn(f, &id, span_text("a third")));
    assert_true(formats_learn(f, &id, span_text("a fourth")));
    assert_false(formats_learn(f, &id, span_text("too many")));
    assert_false(formats_learn(f, &other, span_of(NULL, 0)));
    assert_true(formats_find(f, &id, &list));
    assert_true(span_equal(list, span_text("\x04\x13")));
    assert_false(formats_find(f, &other, &list));
    assert_true(formats_unkept(f));
    a = act_begin(l, "nilod", 1000, 0);
    count = formats_put_unkept(f, &a);
    assert_ok(act_end(&a));
    formats_kept(f, count);
    assert_false(formats_unkept(f));
    assert_ok(formats_new(&again));
    assert_ok(formats_load(again, l));
    assert_false(formats_unkept(again));
    assert_true(formats_find(again, &id, &list));
    assert_true(span_equal(list, span_text("\x04\x13")));
    assert_true(formats_find(again, &rival, &list));
    assert_true(span_equal(list, span_text("another")));
    assert_true(formats_find(again, &sealed, &list));
    assert_true(span_equal(list, span_text("under a key")));
    assert_ok(ledger_check(l, &r));
    formats_free(f);
    formats_free(again);
    ledger_close(l);
}

static void no_number_of_formats_takes_more_memory_or_the_room_of_those_under_keys(void **state)
{
    struct formats *f = NULL;
    struct format_id id = { .maker = 1 };
    struct span list;

    (void)state;
    assert_ok(formats_new(&f));
    for (unsigned i = 0; i < FORMATS_MAX; i++) {
        id.signature = (uint16_t)i;
        assert_int_equal(formats_learn(f, &id, span_text("x")), i < FORMATS_MAX / 2);
    }
    id.sealed = true;
    for (unsigned i = 0; i < FORMATS_MAX; i++) {
        id.signature = (uint16_t)i;
        assert_int_equal(formats_learn(f, &id, span_text("x")), i < FORMATS_MAX / 2);
    }
    id.signature = FORMATS_MAX / 2 - 1;
    assert_true(formats_find(f, &id, &list));
    formats_free(f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_that_holds_comes_first_then_the_one_before_then_the_one_to_come),
        cmocka_unit_test(a_key_may_have_one_byte_or_sixty_four),
        cmocka_unit_test(the_same_place_again_replaces),
        cmocka_unit_test(random_keys_are_found_as_in_a_list),
        cmocka_unit_test(a_million_keys_take_forty_bytes_each),
        cmocka_unit_test(what_is_sealed_opens_under_its_key_and_at_its_place_alone),
        cmocka_unit_test(the_store_key_lies_in_the_store_for_its_owner_alone),
        cmocka_unit_test(the_store_key_may_be_given_as_bytes_or_digits_or_credential),
        cmocka_unit_test(keys_come_back_from_the_ledger_and_under_no_other_store_key),
        cmocka_unit_test(a_format_is_learned_once_and_comes_back),
        cmocka_unit_test(no_number_of_formats_takes_more_memory_or_the_room_of_those_under_keys),
    };

    return check_run(tests, argc, argv);
}
