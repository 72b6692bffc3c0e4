#include "server/acts/keyfile_xml.h"

#include "server/acts/rowfile.h"
#include "storage/secret.h"

#include <expat.h>
#include <stdlib.h>

#define DEPTH_MOST 16
#define TEXT_MOST 160 /* of a name or a key: more than either has */
#define SLICE (1u << 20)

enum { NAME_SERIAL, NAME_METER, KEY_HEX, TEXTS };
static const char *const elements[TEXTS] = { "SerialNo", "MeterNo", "DEK" };

struct reading {
    XML_Parser parser;
    bool (*each)(void *arg, const struct keyfile_meter *m);
    void *arg;
    struct import_refusal *fault;
    unsigned depth, meter_depth; /* 0: outside of a <Meter> */
    int at;                      /* the text at hand; -1: none */
    struct keyfile_meter meter;
    size_t len[TEXTS];
    char text[TEXTS][TEXT_MOST];
    bool stopped;
    enum err err;
};

bool keyfile_is_xml(struct span text)
{
    if (text.len >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0)
        text = span_of(text.at + 3, text.len - 3);
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] != ' ' && text.at[i] != '\t' && text.at[i] != '\r' && text.at[i] != '\n')
            return text.at[i] == '<';
    return false;
}

static void stop(struct reading *r, const char *found, const char *expected)
{
    if (r->stopped)
        return;
    import_refusal_fill(r->fault, XML_GetCurrentLineNumber(r->parser), "", span_text(found),
                        expected);
    r->err = ERR_INVALID;
    r->stopped = true;
    XML_StopParser(r->parser, XML_FALSE);
}

/* The name without the prefix of its namespace. */
static const char *local_name(const char *name)
{
    const char *colon = strchr(name, ':');

    return colon ? colon + 1 : name;
}

static void root_check(struct reading *r, const char *name)
{
    if (strcmp(name, "EncryptedData") == 0)
        stop(r, "a file that is enciphered as a whole",
             "the deciphered file: the maker's password opens it");
    else if (strcmp(name, "MetersInOrder") != 0)
        stop(r, "another kind of XML file", "a maker's file of keys, <MetersInOrder>");
}

static void on_start(void *arg, const XML_Char *full, const XML_Char **attributes)
{
    struct reading *r = (struct reading *)arg;
    const char *name = local_name(full);

    (void)attributes;
    r->at = -1;
    if (r->stopped)
        return;
    if (++r->depth > DEPTH_MOST)
        stop(r, "elements one in another", "at most 16 levels");
    else if (r->depth == 1)
        root_check(r, name);
    if (!r->meter_depth && r->depth == 2 && strcmp(name, "Meter") == 0) {
        r->meter_depth = r->depth;
        memset(r->len, 0, sizeof r->len);
        r->meter = (struct keyfile_meter){ .line = XML_GetCurrentLineNumber(r->parser) };
    } else if (r->meter_depth && r->depth == r->meter_depth + 1) {
        for (int i = 0; i < TEXTS; i++)
            if (strcmp(name, elements[i]) == 0)
                r->at = i;
    }
    if (r->at >= 0)
        r->len[r->at] = 0;
}

static void on_text(void *arg, const XML_Char *text, int len)
{
    struct reading *r = (struct reading *)arg;

    for (int i = 0; i < len && r->at >= 0 && !r->stopped; i++) {
        if (text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n')
            continue;
        if (r->len[r->at] == TEXT_MOST)
            stop(r, "a text that goes on and on", "a name or a key of at most 160 characters");
        else
            r->text[r->at][r->len[r->at]++] = text[i];
    }
}

static void meter_ends(struct reading *r)
{
    r->meter_depth = 0;
    for (int i = 0; i < 2; i++)
        r->meter.names[i] = span_of(r->text[i], r->len[i]);
    r->meter.key_hex = span_of(r->text[KEY_HEX], r->len[KEY_HEX]);
    if (!r->each(r->arg, &r->meter)) {
        r->stopped = true;
        XML_StopParser(r->parser, XML_FALSE);
    }
}

static void on_end(void *arg, const XML_Char *name)
{
    struct reading *r = (struct reading *)arg;

    (void)name;
    r->at = -1;
    if (r->stopped)
        return;
    if (r->meter_depth == r->depth)
        meter_ends(r);
    r->depth--;
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
                       const XML_Char *public, int has_internal)
{
    (void)name, (void)system, (void)public, (void)has_internal;
    stop((struct reading *)arg, "a document type", "none: entities are not taken");
}

static void parse(struct reading *r, struct span text)
{
    size_t at = 0, len;

    do {
        size_t left = text.len - at;
        enum XML_Status status;

        len = left < SLICE ? left : SLICE;
        status = XML_Parse(r->parser, (const char *)text.at + at, (int)len, len == left);
        at += len;
        if (status != XML_STATUS_ERROR || r->stopped)
            continue;
        if (XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY) {
            r->err = ERR_NO_MEMORY;
            return;
        }
        stop(r, XML_ErrorString(XML_GetErrorCode(r->parser)), "XML that is well-formed");
    } while (at < text.len && !r->stopped);
}

enum err keyfile_xml_read(struct span text, bool (*each)(void *arg, const struct keyfile_meter *m),
                          void *arg, struct import_refusal *fault)
{
    struct reading r = { .each = each, .arg = arg, .fault = fault, .at = -1 };

    if (!(r.parser = XML_ParserCreate(NULL)))
        return ERR_NO_MEMORY;
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    XML_SetParamEntityParsing(r.parser, XML_PARAM_ENTITY_PARSING_NEVER);
    parse(&r, text);
    XML_ParserFree(r.parser);
    secret_wipe(r.text, sizeof r.text);
    return r.err;
}
