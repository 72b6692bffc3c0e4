/* nilo audit: who did what, and whether the record of it is whole: by the server, or on a store where
 * it lies. */
#include <stdlib.h>
#include <string.h>

#include "proto/base/hex.h"
#include "proto/base/wr.h"
#include "storage/ledger.h"
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"
#include "tools/nilo/sheet.h"

int cmd_audit_list(const struct args *a)
{
    struct path path = path_of("/v1/audit");

    query_options(&path, a);
    return list_run(a, &path, "number at who what subject why");
}

/* Prints the verdict; a fault is a failure with its own sentence. */
static int tell(enum format format, json_t *verdict, const char *text)
{
    const char *fault = json_string_value(json_object_get(verdict, "text"));

    sheet_object(verdict, text, format, stdout);
    if (json_is_true(json_object_get(verdict, "sound")))
        return EXIT_DONE;
    say("the audit is not what was written: %s", fault ? fault : "the server does not say why");
    return EXIT_FAILED;
}

static int ask_server(const struct args *a, enum format format)
{
    struct path path = path_of("/v1/audit/verify");
    struct api *c = api_open(a);
    struct api_answer answer;
    int code = EXIT_FAILED;

    path_query(&path, "known", args_option(a, "known"));
    if (c && api_ask(c, "GET", &path, NULL, &answer)) {
        code = tell(format, answer.json, answer.text);
        api_answer_done(&answer);
    }
    api_close(c);
    return code;
}

/* ---- a store where it lies ---- */

struct known {
    uint64_t number; /* 0: nothing was noted */
    uint8_t link[AUDIT_LINK];
};

static bool known_read(const struct args *a, struct known *out)
{
    const char *text = args_option(a, "known");
    const char *colon = text ? strchr(text, ':') : NULL;
    int64_t number;
    size_t len;

    out->number = 0;
    if (!text)
        return true;
    if (colon && !text_int(span_of(text, (size_t)(colon - text)), &number) && number > 0 &&
        !hex_read(span_text(colon + 1), out->link, sizeof out->link, &len) &&
        len == sizeof out->link) {
        out->number = (uint64_t)number;
        return true;
    }
    say("--known: expected an act and its link as an earlier run printed them, N:HEX");
    return false;
}

static json_t *verdict_of(const struct audit_verdict *v)
{
    char link[2 * AUDIT_LINK + 1];
    struct wr w = wr_of(link, sizeof link - 1);
    json_t *o;

    hex_write(&w, span_of(v->link, AUDIT_LINK));
    link[2 * AUDIT_LINK] = 0;
    o = json_pack("{s:b, s:I, s:I, s:I, s:I, s:s}", "sound", !v->fault, "acts", (json_int_t)v->acts,
                  "records", (json_int_t)v->records, "bytes", (json_int_t)v->bytes, "end",
                  (json_int_t)v->end, "link", link);
    if (o && v->fault) {
        json_object_set_new(o, "fault", json_string(audit_fault_name(v->fault)));
        json_object_set_new(o, "act", json_integer((json_int_t)v->number));
        json_object_set_new(o, "text", json_string(v->text));
    }
    return o;
}

static int look_at(enum format format, const char *dir, const struct known *known)
{
    struct ledger *ledger = NULL;
    struct refusal r = { 0 };
    struct audit_verdict v;
    enum err err = ledger_open(dir, DB_READ_ONLY, &ledger, &r);
    json_t *verdict = NULL;
    char *text = NULL;
    int code = EXIT_FAILED;

    if (!err)
        err = ledger_audit_verify(ledger, known->number, known->number ? known->link : NULL, NULL,
                                  &v);
    ledger_close(ledger);
    if (err) {
        say("%s: %s", dir, r.text[0] ? r.text : err_text(err));
        return EXIT_FAILED;
    }
    verdict = verdict_of(&v);
    text = verdict ? json_dumps(verdict, JSON_COMPACT) : NULL;
    if (text)
        code = tell(format, verdict, text);
    else
        say("no memory is left");
    free(text);
    json_decref(verdict);
    return code;
}

int cmd_audit_verify(const struct args *a)
{
    const char *dir = args_option(a, "store");
    enum format format;
    struct known known;

    if (!format_read(a, &format) || !known_read(a, &known))
        return EXIT_USAGE;
    return dir ? look_at(format, dir, &known) : ask_server(a, format);
}
