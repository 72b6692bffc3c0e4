/* SenML as JSON: an array of objects (RFC 8428 §5). */
#include "proto/base/json.h"
#include "proto/base/limits.h"
#include "proto/senml_priv.h"

/* The letters of a name; where something is escaped, and it is too long for any field, as it stands. */
static struct span letters(struct json name, uint8_t room[32])
{
    struct span text;

    if (!name.escaped || json_text_into(name, room, 32, &text))
        text = span_of(name.raw.at + 1, name.raw.len - 2);
    return text;
}

static enum err number_read(struct senml *s, struct json v, enum senml_field f,
                            struct senml_record *rec)
{
    struct json_number n;
    enum err err = json_number(v, &n);

    if (err)
        return senml_refuse(s, err, v.raw.at, senml_labels[f].name,
                            err == ERR_RANGE ? "the number's exponent is beyond all that we keep"
                                             : "expected a number");
    rec->number[f] = (struct senml_number){ n.mantissa, n.power, false };
    return ERR_OK;
}

static enum err field_read(struct senml *s, struct json v, enum senml_field f,
                           struct senml_record *rec)
{
    enum err err = ERR_OK;

    if (v.kind == JSON_IS_ABSENT) {
        rec->given &= ~(1u << f);
        return ERR_OK;
    }
    rec->given |= 1u << f;
    switch (senml_labels[f].form) {
    case SENML_NUMBER:
        return number_read(s, v, f, rec);
    case SENML_BOOL:
        if (json_bool(v, &rec->boolean))
            err = senml_refuse(s, ERR_MALFORMED, v.raw.at, senml_labels[f].name,
                               "expected true or false");
        return err;
    default:
        err = json_text(v, s->g.arena, &rec->text[f]);
        if (err)
            err = senml_refuse(s, err, v.raw.at, senml_labels[f].name, "expected a text in UTF-8");
        return err;
    }
}

static enum err record_read(struct senml *s, struct json_walk *w, struct senml_record *rec)
{
    struct json name, v;
    uint8_t room[32];

    rec->given = 0;
    while (json_next(w, &name, &v)) {
        struct span text = letters(name, room);
        enum senml_field f = senml_field_named(text);
        enum err err =
            f == SENML_OTHER ? senml_other(s, text, name.raw.at) : field_read(s, v, f, rec);

        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err records_read(struct senml *s, struct json_walk *w)
{
    struct senml_record rec;
    struct json_walk inside;
    const uint8_t *from;
    struct json other;
    enum err err;

    for (; json_enter(w, &inside, &from); s->count++) {
        if ((err = record_read(s, &inside, &rec)))
            return err;
        rec.raw = json_leave(w, &inside, from).raw;
        if ((err = senml_record(s, &rec)))
            return err;
    }
    if (!json_next(w, NULL, &other))
        return ERR_OK;
    return refuse(s->r, ERR_MALFORMED, json_offset(s->in->bytes, other), "record",
                  "expected an object as record %u, found something else", s->count);
}

static enum err pack_read(struct senml *s)
{
    struct json_walk w;
    struct json root;
    enum err err;

    if (s->in->bytes.len > LIMIT_PAYLOAD_BLOCK)
        return refuse(s->r, ERR_TOO_LARGE, 0, "", "%zu bytes, at most %d are taken",
                      s->in->bytes.len, LIMIT_PAYLOAD_BLOCK);
    if ((err = json_check(s->in->bytes, &root, s->r)))
        return err;
    if (root.kind != JSON_IS_ARRAY)
        return refuse(s->r, ERR_MALFORMED, json_offset(s->in->bytes, root), "pack",
                      "expected an array of records");
    w = json_walk(root);
    return records_read(s, &w);
}

static enum err senml_json_decode(const struct dialect_input *in, struct arena *a,
                                  struct frame *out, struct refusal *r)
{
    struct senml s = senml_begin(in, a, r);

    return senml_end(&s, pack_read(&s), out);
}

const struct dialect dialect_senml_json = {
    .name = "senml-json",
    .id = 4,
    .enveloped = false,
    .formats = { 110, 50 },
    .decode = senml_json_decode,
};
