/* Datagrams from strangers, the whole way to the answer's bytes, several in a row so that uploads
 * and repeats meet.  The input:
 *
 *   repeat: u8 sender · u8 length, high · u8 length, low · the datagram
 *
 * Whatever it says, an answer is a CoAP message with the request's token, a store verdict fits a
 * batch, and memory stays bounded. */
#include "server/gateway/gate.h"
#include "server/gateway/outbox.h"

#include <stdio.h>
#include <stdlib.h>

static struct ingest_parts parts;
static struct ingest *ingest;
static struct gate *gate;
static struct intake *intake;
static struct outbox outbox;
static struct gate_now now = { .clock_s = 1790000000, .monotonic_us = 1000000, .round = 0 };

static void must(bool what)
{
    if (!what)
        abort();
}

static void begin(void)
{
    const struct gate_options options = { 10, 200, 20000 };
    char folder[] = "/tmp/fuzz_datagram.XXXXXX";
    char path[64];

    must(mkdtemp(folder) != NULL);
    must(!quarantine_open(folder, NULL, 2 /* DB_CREATE */, &parts.quarantine, NULL));
    snprintf(path, sizeof path, "rm -rf %s", folder);
    must(system(path) == 0); /* the open file stays until the process ends */
    must(!registry_new(&parts.registry));
    must(!registry_add(parts.registry, span_text("10000001"), 1));
    must(!ingest_open(&parts, &ingest));
    must(!gate_new(ingest, &options, &gate));
    must(!intake_new(&intake));
    must(!outbox_init(&outbox, 4, 64));
}

static void check_answer(const struct gate_verdict *v, struct span asked)
{
    const struct route route = { .has_local = false };
    const struct reply *reply = outbox.replies;

    outbox_clear(&outbox);
    outbox_add(&outbox, &route, &v->answer, v->no_response, true, 0);
    must(reply->len >= 4 && reply->len <= ANSWER_MAX);
    must(reply->bytes[0] >> 6 == 1);
    if (v->answer.type == MESSAGE_RST) {
        must(reply->len == 4 && reply->bytes[1] == 0 && reply->bytes[3] == asked.at[3]);
        return;
    }
    must((reply->bytes[0] & 15) == (asked.at[0] & 15));
    must(memcmp(reply->bytes + 4, asked.at + 4, asked.at[0] & 15) == 0);
    must(reply->bytes[1] >> 5 == 2 || reply->bytes[1] >> 5 == 4 || reply->bytes[1] >> 5 == 5);
    must(reply->bytes[1] >> 5 == 2 || text_is_utf8(v->answer.payload)); /* a sentence */
    outbox_turn_away(outbox.replies);
    must(reply->len <= 24);
}

static void check_record(const struct gate_verdict *v)
{
    must(!intake_add(intake, &v->record));
    if (v->record.kind == RECORD_FRAME && v->record.meter == 0)
        quarantine_refund(parts.quarantine, &v->record.peer, v->record.bytes.len);
    intake_clear(intake);
}

static void handle(uint8_t sender, struct span bytes)
{
    struct datagram d = { .peer = { .len = 4, .address = { 127, 0, 0, sender }, .port = 5683 },
                          .bytes = bytes,
                          .cut = bytes.len > LIMIT_DATAGRAM };
    struct gate_verdict v;
    struct gate_hint hint;

    if (d.cut)
        d.bytes.len = LIMIT_DATAGRAM;
    gate_set(gate, &now);
    gate_prepare(gate, &d, &hint);
    registry_read_lock(parts.registry);
    gate_handle(gate, &d, &hint, &v);
    registry_read_unlock(parts.registry);
    if (v.act != GATE_SILENCE)
        check_answer(&v, d.bytes);
    if (v.act == GATE_STORE || (v.act == GATE_ANSWER && v.keep_reject))
        check_record(&v);
    must(gate_upload_bytes(gate) <= 64u << 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size);

    if (!gate)
        begin();
    now.round++;
    now.monotonic_us += 300000000; /* so that the input before left nothing */
    while (rest.len >= 3) {
        uint8_t sender = rest.at[0];
        size_t len = (size_t)rest.at[1] << 8 | rest.at[2];
        uint8_t *exact;

        rest = span_of(rest.at + 3, rest.len - 3);
        if (len > rest.len)
            len = rest.len;
        exact = (uint8_t *)malloc(len ? len : 1); /* so that a sanitizer sees one byte too far */
        must(exact != NULL);
        if (len)
            memcpy(exact, rest.at, len);
        handle(sender, span_of(exact, len));
        free(exact);
        rest = span_of(rest.at + len, rest.len - len);
    }
    gate_round_ended(gate, now.round, size % 2 == 0);
    return 0;
}
