/* DTLS without sockets: what stands in the clear, cookies, the table, records, and the machine
 * between them with OpenSSL's client at the other end. */
#include "server/gateway/dtls.h"
#include "server/gateway/dtls_shield.h"
#include "server/gateway/dtls_table.h"
#include "server/metrics.h"
#include "tests/check.h"
#include "tests/client/dtls.h"

#include <openssl/ssl.h>
#include <stdlib.h>

/* ---- in the clear ---- */

/* A ClientHello with an empty cookie, one suite. */
static const uint8_t plain_hello[] = {
    0x16, 0xfe, 0xfd, 0,  0,    0,    0,  0,  0,  0,  7,  0,  54, /* record 7 */
    1,    0,    0,    42, 0,    0,    0,  0,  0,  0,  0,  42,     /* message 0, whole */
    0xfe, 0xfd, 1,    2,  3,    4,    5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
    16,   17,   18,   19, 20,   21,   22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, /* random */
    0,    0,    0,    2,  0xc0, 0xa8, 1,  0
};

static bool reads(struct span bytes, struct dtls_hello *out)
{
    struct dtls_record r;

    return dtls_record_next(&bytes, &r) && dtls_hello_read(&r, out);
}

static void a_hello_is_read_and_no_part_of_one(void **state)
{
    struct dtls_hello hello;

    (void)state;
    assert_true(reads(span_of(plain_hello, sizeof plain_hello), &hello));
    assert_int_equal(hello.seq, 7);
    assert_int_equal(hello.random.len, 32);
    assert_int_equal(hello.random.at[31], 32);
    assert_int_equal(hello.cookie.len, 0);
    for (size_t len = 0; len < sizeof plain_hello; len++) {
        struct span guarded = check_guarded(span_of(plain_hello, len));

        assert_false(reads(guarded, &hello));
        check_unguard(guarded.at, len);
    }
}

/* Every length in it, whatever it says, is held against what is there. */
static void no_length_in_a_hello_is_believed(void **state)
{
    (void)state;
    for (size_t at = 0; at < sizeof plain_hello; at++)
        for (unsigned v = 0; v < 256; v++) {
            uint8_t *bytes = check_guard(sizeof plain_hello);
            struct span rest = span_of(bytes, sizeof plain_hello);
            struct dtls_hello hello;
            struct dtls_record r;

            memcpy(bytes, plain_hello, sizeof plain_hello);
            bytes[at] = (uint8_t)v;
            if (dtls_record_next(&rest, &r)) {
                if (dtls_hello_read(&r, &hello))
                    assert_true(hello.cookie.at + hello.cookie.len <= bytes + sizeof plain_hello);
                (void)dtls_handshake_is_modest(&r);
            }
            check_unguard(bytes, sizeof plain_hello);
        }
}

/* OpenSSL sets memory aside by what a head promises. */
static void immodest_messages_are_known(void **state)
{
    uint8_t bytes[sizeof plain_hello];
    struct span rest;
    struct dtls_record r;

    (void)state;
    memcpy(bytes, plain_hello, sizeof bytes);
    rest = span_of(bytes, sizeof bytes);
    assert_true(dtls_record_next(&rest, &r));
    assert_true(dtls_handshake_is_modest(&r));
    bytes[14] = 1; /* 65 578 bytes */
    assert_false(dtls_handshake_is_modest(&r));
    bytes[14] = 0;
    bytes[18] = 200; /* the message after 199 that did not come */
    assert_false(dtls_handshake_is_modest(&r));
    bytes[18] = 0;
    bytes[24] = 43; /* a fragment longer than its message */
    assert_false(dtls_handshake_is_modest(&r));
}

static void a_request_to_verify_bears_the_hello_s_number(void **state)
{
    static const uint8_t cookie[DTLS_COOKIE_BYTES] = { 0xaa };
    static const uint8_t head[] = { 0x16, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0,  7,    0,    31, 3,   0,
                                    0,    19,   0,    0, 0, 0, 0, 0, 0, 19, 0xfe, 0xff, 16, 0xaa };
    uint8_t out[DTLS_VERIFY_BYTES];
    struct dtls_hello hello = { 0 };

    (void)state;
    assert_true(reads(span_of(plain_hello, sizeof plain_hello), &hello));
    dtls_verify_write(&hello, cookie, out);
    assert_memory_equal(out, head, sizeof head);
}

static void a_cookie_holds_for_its_endpoint_and_a_while(void **state)
{
    const struct hash_key key = { { 1, 2 } }, other_key = { { 1, 3 } };
    struct peer peer = { .len = 4, .address = { 10, 0, 0, 1 }, .port = 4000 };
    struct endpoint e = endpoint_of(&peer), elsewhere;
    uint8_t cookie[DTLS_COOKIE_BYTES];
    struct span given = span_of(cookie, sizeof cookie);

    (void)state;
    peer.port++;
    elsewhere = endpoint_of(&peer);
    for (uint64_t made = 1000; made < 1000 + DTLS_COOKIE_S; made++) {
        dtls_cookie_make(&key, &e, made, cookie);
        assert_true(dtls_cookie_holds(&key, &e, made, given));
        assert_true(dtls_cookie_holds(&key, &e, made + DTLS_COOKIE_S, given));
        assert_false(dtls_cookie_holds(&key, &e, made + 2 * DTLS_COOKIE_S, given));
        assert_false(dtls_cookie_holds(&key, &elsewhere, made, given));
        assert_false(dtls_cookie_holds(&other_key, &e, made, given));
    }
    assert_false(dtls_cookie_holds(&key, &e, 1000, span_of(cookie, 0)));
    assert_false(dtls_cookie_holds(&key, &e, 1000, span_of(cookie, sizeof cookie - 1)));
}

/* ---- the table ---- */

#define NODES 200

static bool share_a_source(struct peer a, struct peer b)
{
    struct endpoint e = endpoint_of(&a), f = endpoint_of(&b), x = source_of(&e), y = source_of(&f);

    return memcmp(&x, &y, sizeof x) == 0;
}

/* Handshakes under way have a share for each: a network of IPv6 would have had all of them. */
static void a_source_is_an_address_or_a_network_of_ipv6(void **state)
{
    const struct peer v4 = { 4, { 10, 0, 0, 1 }, 1 }, port = { 4, { 10, 0, 0, 1 }, 2 };
    const struct peer other = { 4, { 10, 0, 0, 2 }, 1 };
    const struct peer v6 = { 16, { 0x20, 1, [15] = 1 }, 1 },
                      host = { 16, { 0x20, 1, [15] = 2 }, 2 };
    const struct peer network = { 16, { 0x20, 1, [7] = 1, [15] = 1 }, 1 };
    const struct peer inside = { 16, { [10] = 0xff, [11] = 0xff, [15] = 1 }, 1 };
    const struct peer inside_too = { 16, { [10] = 0xff, [11] = 0xff, [15] = 2 }, 1 };

    (void)state;
    assert_true(share_a_source(v4, port));
    assert_false(share_a_source(v4, other));
    assert_true(share_a_source(v6, host));
    assert_false(share_a_source(v6, network));
    assert_false(share_a_source(inside, inside_too));
}

static void the_table_keeps_the_order_of_use(void **state)
{
    struct check_random r = check_random_begin();
    static struct dtls_node nodes[NODES];
    uint64_t used[NODES] = { 0 }, clock = 0;
    struct dtls_table t;

    (void)state;
    assert_ok(dtls_table_init(&t, 16)); /* crowded on purpose */
    for (unsigned i = 0; i < NODES; i++)
        nodes[i].place.endpoint.w[2] = i;
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)check_below(&r, NODES), oldest = NODES;
        bool in = dtls_table_find(&t, &nodes[i].place) != NULL;

        assert_int_equal(in, used[i] != 0);
        if (!in)
            dtls_table_put(&t, &nodes[i]);
        else if (check_below(&r, 3))
            dtls_table_touch(&t, &nodes[i]);
        else
            dtls_table_take(&t, &nodes[i]);
        used[i] = dtls_table_find(&t, &nodes[i].place) ? ++clock : 0;
        for (unsigned k = 0; k < NODES; k++)
            if (used[k] && (oldest == NODES || used[k] < used[oldest]))
                oldest = k;
        assert_ptr_equal(t.oldest, oldest == NODES ? NULL : &nodes[oldest]);
    }
    dtls_table_done(&t);
}

/* ---- records ---- */

static struct dtls_crypt *crypt;

static int crypt_begin(void **state)
{
    (void)state;
    return dtls_crypt_new(&crypt) != ERR_OK;
}

static int crypt_end(void **state)
{
    (void)state;
    dtls_crypt_free(crypt);
    return 0;
}

/* The other side of a session. */
static struct dtls_keys mirror(const struct dtls_keys *k)
{
    struct dtls_keys m = *k;

    m.in = k->out;
    m.out = k->in;
    return m;
}

static void derive(enum dtls_suite suite, struct dtls_keys *ours, struct dtls_keys *theirs)
{
    static const uint8_t master[DTLS_SECRET_BYTES] = { 1 }, one[DTLS_RANDOM_BYTES] = { 2 },
                         two[DTLS_RANDOM_BYTES] = { 3 };

    assert_true(dtls_keys_derive(crypt, suite, master, one, two, ours));
    *theirs = mirror(ours);
}

static bool opens(struct dtls_keys *k, struct span record, const char *expected)
{
    uint8_t *room;
    struct dtls_record r;
    struct span said;
    bool opened;

    if (!dtls_record_next(&record, &r))
        return false;
    room = (uint8_t *)malloc(r.fragment.len ? r.fragment.len : 1);
    assert_non_null(room);
    opened = dtls_open(crypt, k, &r, room, &said);
    if (opened)
        assert_true(span_equal(said, span_text(expected)));
    free(room);
    return opened;
}

static size_t sealed(struct dtls_keys *k, const char *text, uint8_t *out)
{
    size_t len = dtls_seal(crypt, k, DTLS_DATA, span_text(text), out);

    assert_in_range(len, DTLS_HEAD + strlen(text), strlen(text) + DTLS_SEAL_BYTES);
    return len;
}

static void a_record_opens_once_and_only_as_it_was_sealed(void **state)
{
    (void)state;
    for (enum dtls_suite suite = DTLS_CCM8; suite <= DTLS_CBC; suite++) {
        struct dtls_keys ours, theirs;
        uint8_t record[256];

        derive(suite, &ours, &theirs);
        for (size_t len = 1; len <= 40; len++) {
            char text[48] = { 0 };
            size_t n;

            memset(text, 'x', len);
            n = sealed(&theirs, text, record);
            for (size_t bit = 0; bit < n * 8; bit += len == 17 ? 1 : 97) {
                record[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_false(opens(&ours, span_of(record, n), text));
                record[bit / 8] ^= (uint8_t)(1u << bit % 8);
            }
            assert_true(opens(&ours, span_of(record, n), text));
            assert_false(opens(&ours, span_of(record, n), text));
        }
    }
}

static void records_come_out_of_order_within_the_window(void **state)
{
    struct dtls_keys ours, theirs;
    uint8_t records[100][128];
    size_t len[100];

    (void)state;
    derive(DTLS_CCM8, &ours, &theirs);
    for (unsigned i = 0; i < 100; i++)
        len[i] = sealed(&theirs, "said", records[i]);
    assert_true(opens(&ours, span_of(records[70], len[70]), "said"));
    for (unsigned i = 0; i < 70; i++) {
        assert_int_equal(opens(&ours, span_of(records[i], len[i]), "said"), i >= 7);
        assert_false(opens(&ours, span_of(records[i], len[i]), "said"));
    }
    assert_true(opens(&ours, span_of(records[99], len[99]), "said"));
    for (unsigned i = 0; i < 99; i++)
        assert_int_equal(opens(&ours, span_of(records[i], len[i]), "said"), i > 70);
}

/* A nonce that comes twice under a key gives the key's secrets away. */
static void numbers_of_records_never_come_again(void **state)
{
    struct dtls_keys ours, theirs;
    uint8_t record[128], before[8] = { 0 };

    (void)state;
    derive(DTLS_GCM, &ours, &theirs);
    for (unsigned i = 0; i < 1000; i++) {
        (void)sealed(&ours, "said", record);
        assert_true(memcmp(record + 3, before, 8) > 0);
        assert_memory_equal(record + 3, record + DTLS_HEAD, 8);
        memcpy(before, record + 3, 8);
    }
    assert_true(before[2] == 0 && before[5] >= 0x10); /* above what the handshake may have used */
    ours.out_seq = DTLS_SEQ_MAX;
    assert_int_equal(dtls_seal(crypt, &ours, DTLS_DATA, span_text("said"), record), 0);
}

/* ---- the machine ---- */

static struct dtls *machine;
static struct inbox *plain;
static struct secure client;
static uint64_t now_us;
static const struct peer here = { .len = 4, .address = { 10, 0, 0, 1 }, .port = 4000 };

/* One meter has a key, another two. */
static bool key_of(void *arg, struct span identity, unsigned attempt, uint8_t out[DTLS_PSK_MAX],
                   size_t *out_len)
{
    const char *key = SECURE_KEY;

    (void)arg;
    if (span_equal(identity, span_text("10000002")))
        key = attempt % 2 ? "the one before" : "the one that holds";
    else if (!span_equal(identity, span_text("10000001")))
        return false;
    memcpy(out, key, strlen(key));
    *out_len = strlen(key);
    return true;
}

static struct route route_to(const struct peer *peer)
{
    struct route route = { .has_local = false };

    route.peer.v4.sin_family = AF_INET;
    route.peer.v4.sin_port = htons(peer->port);
    memcpy(&route.peer.v4.sin_addr, peer->address, 4);
    return route;
}

static int machine_begin(void **state)
{
    const struct dtls_options options = { .sessions = 4, .psk = key_of };

    (void)state;
    now_us = 1000000000;
    assert_ok(dtls_new(&options, 1, &machine));
    assert_ok(inbox_new(LIMIT_DATAGRAM, &plain));
    secure_open(&client, "127.0.0.1", "9", NULL, "10000001", SECURE_KEY, NULL);
    return 0;
}

static int machine_end(void **state)
{
    (void)state;
    secure_close(&client);
    inbox_free(plain);
    dtls_free(machine);
    assert_int_equal(metrics_get(METRIC_COAPS_SESSIONS), 0);
    assert_int_equal(metrics_get(METRIC_COAPS_SHAKES), 0);
    return 0;
}

/* Gives it a datagram and a turn; what it says goes to the client. */
static void give(const struct peer *from, struct span bytes)
{
    struct route route = route_to(from);
    struct datagram d = { .peer = *from, .bytes = check_guarded(bytes) };
    struct outbox *said = dtls_said(machine, 0);

    inbox_clear(plain);
    dtls_take(machine, 0, &route, &d, now_us, plain);
    dtls_work(machine, 0, now_us, plain);
    check_unguard(d.bytes.at, d.bytes.len);
    for (uint32_t i = 0; i < said->count; i++)
        secure_feed(&client, span_of(said->replies[i].bytes, said->replies[i].len));
    outbox_clear(said);
}

/* The client's turns until it has nothing to say. */
static void shake(void)
{
    uint8_t said[2048];
    size_t len;

    while ((len = secure_turn(&client, said, sizeof said)))
        give(&here, span_of(said, len));
}

static void a_handshake_makes_a_session_that_proves_an_identity(void **state)
{
    uint8_t record[256];
    int len;

    (void)state;
    shake();
    assert_true(secure_is_shaken(&client));
    assert_int_equal(metrics_get(METRIC_COAPS_SESSIONS), 1);
    assert_int_equal(SSL_write(client.ssl, "hello", 5), 5);
    len = BIO_read(SSL_get_wbio(client.ssl), record, sizeof record);
    give(&here, span_of(record, (size_t)len));
    assert_int_equal(inbox_filled(plain), 1);
    assert_true(span_equal(inbox_datagram(plain, 0)->bytes, span_text("hello")));
    assert_true(span_equal(inbox_datagram(plain, 0)->identity, span_text("10000001")));
    assert_int_equal(metrics_get(METRIC_COAPS_SHAKES),
                     0); /* it was spoken in: its handshake is done */
    give(&here, span_of(record, (size_t)len));
    assert_int_equal(inbox_filled(plain), 0);
}

static void an_answer_goes_to_the_session_that_asked_and_no_other(void **state)
{
    uint8_t record[256], answer[256], heard[64];
    struct route asked;
    size_t sealed_len;
    int len;

    (void)state;
    shake();
    assert_int_equal(SSL_write(client.ssl, "hello", 5), 5);
    len = BIO_read(SSL_get_wbio(client.ssl), record, sizeof record);
    give(&here, span_of(record, (size_t)len));
    asked = *inbox_route(plain, 0);
    sealed_len = dtls_seal_reply(machine, &asked, span_text("well"), answer);
    assert_true(sealed_len > 0);
    secure_feed(&client, span_of(answer, sealed_len));
    assert_int_equal(SSL_read(client.ssl, heard, sizeof heard), 4);
    secure_anew(&client, NULL); /* another session at the same place */
    shake();
    assert_true(secure_is_shaken(&client));
    assert_int_equal(dtls_seal_reply(machine, &asked, span_text("well"), answer), 0);
}

/* What the client sends with its Finished, before it knows that all is well. */
static void early_data_is_heard_after_the_handshake_it_came_with(void **state)
{
    uint8_t said[2048], master[DTLS_SECRET_BYTES], ours[DTLS_RANDOM_BYTES],
        theirs[DTLS_RANDOM_BYTES];
    struct dtls_keys keys;
    size_t len;

    (void)state;
    secure_anew(&client, "PSK-AES128-CCM8");
    for (int flight = 0; flight < 2; flight++) {
        len = secure_turn(&client, said, sizeof said);
        give(&here, span_of(said, len));
    }
    len = secure_turn(&client, said, sizeof said); /* key exchange, change, Finished */
    assert_false(secure_is_shaken(&client));
    assert_int_equal(SSL_SESSION_get_master_key(SSL_get_session(client.ssl), master, sizeof master),
                     sizeof master);
    SSL_get_client_random(client.ssl, ours, sizeof ours);
    SSL_get_server_random(client.ssl, theirs, sizeof theirs);
    assert_int_equal(crypt_begin(NULL), 0);
    assert_true(dtls_keys_derive(crypt, DTLS_CCM8, master, ours, theirs, &keys));
    keys = mirror(&keys);
    len += dtls_seal(crypt, &keys, DTLS_DATA, span_text("early"), said + len);
    give(&here, span_of(said, len));
    crypt_end(NULL);
    assert_int_equal(inbox_filled(plain), 1);
    assert_true(span_equal(inbox_datagram(plain, 0)->bytes, span_text("early")));
    assert_true(span_equal(inbox_datagram(plain, 0)->identity, span_text("10000001")));
    shake();
    assert_true(secure_is_shaken(&client));
}

/* Both before the first has its turn, as they come behind one another. */
static void a_hello_s_second_fragment_may_come_before_the_first_has_its_turn(void **state)
{
    uint8_t said[2048], part[2048];
    struct route route = route_to(&here);
    struct outbox *out = dtls_said(machine, 0);
    size_t len, half;

    (void)state;
    give(&here, span_of(said, secure_turn(&client, said, sizeof said)));
    len = secure_turn(&client, said, sizeof said) - 25;
    half = len / 2;
    inbox_clear(plain);
    for (unsigned i = 0; i < 2; i++) {
        size_t offset = i ? half : 0, part_len = i ? len - half : half;
        struct datagram d = { .peer = here, .bytes = span_of(part, 25 + part_len) };

        memcpy(part, said, 25);
        part[10] = i ? 40 : 1; /* a number that the client will not use again */
        part[12] = (uint8_t)(part_len + 12);
        part[21] = (uint8_t)offset;
        part[24] = (uint8_t)part_len;
        memcpy(part + 25, said + 25 + offset, part_len);
        dtls_take(machine, 0, &route, &d, now_us, plain);
    }
    dtls_work(machine, 0, now_us, plain);
    assert_int_equal(out->count, 1);
    secure_feed(&client, span_of(out->replies[0].bytes, out->replies[0].len));
    outbox_clear(out);
    shake();
    assert_true(secure_is_shaken(&client));
}

/* RFC 7366 alone: with the MAC inside, CBC is not spoken. */
static void cbc_is_spoken_only_where_the_mac_is_outside(void **state)
{
    (void)state;
    SSL_CTX_set_options(client.context, SSL_OP_NO_ENCRYPT_THEN_MAC);
    secure_anew(&client, "PSK-AES128-CBC-SHA256:PSK-AES128-GCM-SHA256");
    shake();
    assert_true(secure_is_shaken(&client));
    assert_string_equal(SSL_get_cipher_name(client.ssl), "PSK-AES128-GCM-SHA256");
    secure_anew(&client, "PSK-AES128-CBC-SHA256");
    shake();
    assert_false(secure_is_shaken(&client));
}

static void no_other_suite_or_version_is_spoken(void **state)
{
    uint64_t refused = metrics_get(METRIC_COAPS_REFUSED);

    (void)state;
    secure_anew(&client, "PSK-AES256-GCM-SHA384:PSK-CHACHA20-POLY1305:DHE-PSK-AES128-GCM-SHA256");
    shake();
    assert_false(secure_is_shaken(&client));
    SSL_CTX_set_max_proto_version(client.context, DTLS1_VERSION);
    secure_anew(&client, "PSK-AES128-CBC-SHA:PSK-AES128-CBC-SHA256");
    shake();
    assert_false(secure_is_shaken(&client));
    assert_true(metrics_get(METRIC_COAPS_REFUSED) > refused);
}

static void who_has_no_key_and_who_has_a_wrong_one_are_counted_apart(void **state)
{
    uint64_t unknown = metrics_get(METRIC_COAPS_UNKNOWN_IDENTITY),
             wrong = metrics_get(METRIC_COAPS_WRONG_KEY);

    (void)state;
    strcpy(client.identity, "nobody");
    secure_anew(&client, NULL);
    shake();
    strcpy(client.identity, "10000001");
    strcpy(client.key, "wrong");
    secure_anew(&client, NULL);
    shake();
    assert_int_equal(metrics_get(METRIC_COAPS_UNKNOWN_IDENTITY), unknown + 1);
    strcpy(client.key, SECURE_KEY);
    secure_anew(&client, NULL);
    shake();
    assert_true(secure_is_shaken(&client));
    assert_int_equal(metrics_get(METRIC_COAPS_WRONG_KEY), wrong + 1);
}

/* A key was exchanged at the server, and the meter has not heard of it. */
static void a_meter_s_other_key_is_tried_next_and_then_first(void **state)
{
    (void)state;
    strcpy(client.identity, "10000002");
    strcpy(client.key, "the one before");
    for (int i = 0; i < 4; i++) {
        secure_anew(&client, NULL);
        shake();
        assert_int_equal(secure_is_shaken(&client), i >= 1);
    }
    strcpy(client.key, "the one that holds");
    for (int i = 0; i < 4; i++) {
        secure_anew(&client, NULL);
        shake();
        assert_int_equal(secure_is_shaken(&client), i >= 1);
    }
}

static void shake_with(const struct peer *from, const char *key)
{
    uint8_t said[2048];
    size_t len;

    strcpy(client.key, key);
    secure_anew(&client, NULL);
    while ((len = secure_turn(&client, said, sizeof said)))
        give(from, span_of(said, len));
}

/* Whoever knows a meter's serial may fail under it: its own attempts stay at the key that it has. */
static void a_stranger_under_a_meter_s_name_does_not_change_which_key_is_tried(void **state)
{
    const struct peer elsewhere = { .len = 4, .address = { 10, 0, 0, 2 }, .port = 4000 };

    (void)state;
    strcpy(client.identity, "10000002");
    shake_with(&here, "the one before");
    shake_with(&here, "the one before");
    assert_true(secure_is_shaken(&client));
    for (int i = 0; i < 3; i++) {
        for (int guess = 0; guess <= i; guess++) {
            shake_with(&elsewhere, "a guess");
            assert_false(secure_is_shaken(&client));
        }
        shake_with(&here, "the one before");
        assert_true(secure_is_shaken(&client));
    }
}

static void an_unended_handshake_is_given_up(void **state)
{
    uint8_t said[2048];
    uint64_t before = metrics_get(METRIC_COAPS_TIMEOUT);

    (void)state;
    for (int flight = 0; flight < 2; flight++)
        give(&here, span_of(said, secure_turn(&client, said, sizeof said)));
    assert_int_equal(metrics_get(METRIC_COAPS_SHAKES), 1);
    now_us += 61000000;
    dtls_work(machine, 0, now_us, plain);
    assert_int_equal(metrics_get(METRIC_COAPS_SHAKES), 0);
    assert_int_equal(metrics_get(METRIC_COAPS_TIMEOUT), before + 1);
}

/* Records that OpenSSL would keep until the handshake is over are few, however many are sent. */
static void what_comes_before_its_time_costs_little(void **state)
{
    uint8_t said[2048], record[64] = { 23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 0, 30 };
    uint64_t before;

    (void)state;
    for (int flight = 0; flight < 2; flight++)
        give(&here, span_of(said, secure_turn(&client, said, sizeof said)));
    before = metrics_get(METRIC_COAPS_DROPPED_GARBAGE);
    for (unsigned i = 0; i < 200; i++) {
        record[10] = (uint8_t)i;
        give(&here, span_of(record, 43));
    }
    assert_int_equal(metrics_get(METRIC_COAPS_DROPPED_GARBAGE), before + 192);
}

/* ---- the shield ---- */

static void the_shield_follows_the_flood(void **state)
{
    struct dtls_shield s;
    uint32_t share, flood = 60000; /* hellos that come in a window */

    (void)state;
    dtls_shield_init(&s);
    for (int window = 0; window < 20; window++) {
        s.hellos = (uint32_t)((uint64_t)flood * s.share / DTLS_SHIELD_ALL);
        s.reads = 10;
        s.share = dtls_shield_next(&s);
    }
    assert_in_range(s.share, DTLS_SHIELD_ALL / 25, DTLS_SHIELD_ALL / 9);
    s.backlogs = 10; /* too much even so */
    s.hellos = 5000;
    share = s.share;
    assert_in_range(dtls_shield_next(&s), 1, share * 3 / 4);
    s.backlogs = 0;
    for (int window = 0; window < 5; window++) {
        s.hellos = 0;
        s.share = dtls_shield_next(&s);
    }
    assert_int_equal(s.share, DTLS_SHIELD_ALL);
    for (s.hellos = 100000000; s.share > dtls_shield_next(&s);)
        s.share = dtls_shield_next(&s);
    assert_true(s.share > 0); /* somebody always gets in */
}

#define RECORD_TEST(f) cmocka_unit_test_setup_teardown(f, crypt_begin, crypt_end)
#define MACHINE_TEST(f) cmocka_unit_test_setup_teardown(f, machine_begin, machine_end)

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_hello_is_read_and_no_part_of_one),
    cmocka_unit_test(no_length_in_a_hello_is_believed),
    cmocka_unit_test(immodest_messages_are_known),
    cmocka_unit_test(a_request_to_verify_bears_the_hello_s_number),
    cmocka_unit_test(a_cookie_holds_for_its_endpoint_and_a_while),
    cmocka_unit_test(a_source_is_an_address_or_a_network_of_ipv6),
    cmocka_unit_test(the_table_keeps_the_order_of_use),
    RECORD_TEST(a_record_opens_once_and_only_as_it_was_sealed),
    RECORD_TEST(records_come_out_of_order_within_the_window),
    RECORD_TEST(numbers_of_records_never_come_again),
    MACHINE_TEST(a_handshake_makes_a_session_that_proves_an_identity),
    MACHINE_TEST(an_answer_goes_to_the_session_that_asked_and_no_other),
    MACHINE_TEST(early_data_is_heard_after_the_handshake_it_came_with),
    MACHINE_TEST(a_hello_s_second_fragment_may_come_before_the_first_has_its_turn),
    MACHINE_TEST(cbc_is_spoken_only_where_the_mac_is_outside),
    MACHINE_TEST(no_other_suite_or_version_is_spoken),
    MACHINE_TEST(who_has_no_key_and_who_has_a_wrong_one_are_counted_apart),
    MACHINE_TEST(a_meter_s_other_key_is_tried_next_and_then_first),
    MACHINE_TEST(a_stranger_under_a_meter_s_name_does_not_change_which_key_is_tried),
    MACHINE_TEST(an_unended_handshake_is_given_up),
    MACHINE_TEST(what_comes_before_its_time_costs_little),
    cmocka_unit_test(the_shield_follows_the_flood),
};

int main(int argc, char **argv)
{
    return check_run(tests, argc, argv);
}
