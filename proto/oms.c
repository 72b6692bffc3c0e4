#include "proto/oms.h"

#include "proto/gather.h"
#include "proto/oms_frame.h"
#include "proto/oms_layers.h"
#include "proto/oms_maker.h"
#include "proto/recipe.h"
#include "proto/trace.h"

/* What is laid out as its maker likes. */
static enum err by_recipe(const struct dialect_input *in, const struct oms_telegram *t,
                          struct arena *a, struct frame *out, struct refusal *r)
{
    const struct layout_id of = { t->link.maker, t->link.version, t->link.type, t->ci };
    const struct recipe *recipe = lore_recipe_for(in, &out->names, &of);
    struct gather g = gather_of(a);
    char maker[4];
    enum err err;

    oms_maker_text(of.maker, maker);
    if (!recipe)
        return refuse(r, ERR_NO_RECIPE, t->records_at, "CI",
                      "CI %02X of %s version %02X type %02X: no recipe tells this layout", of.ci,
                      maker, of.version, of.type);
    trace_layer(in->trace, "payload, by recipe", t->records);
    err = recipe_decode(recipe, in, t->records, &g, out, r);
    if (err && r)
        r->offset += t->records_at;
    return err ? err : gather_end(&g, out);
}

static enum err decode_as(const struct dialect_input *in, enum oms_form form, struct arena *a,
                          struct frame *out, struct refusal *r)
{
    struct oms_telegram t = { 0 };
    struct span layers = { 0 };
    enum err err = oms_link_read(in->bytes, form, a, in->trace, &t, &layers, r);

    if (!err)
        err = oms_layers_read(in, layers, a, &t, out, r);
    if (err)
        return err;
    if (t.content == OMS_LAYOUT && (err = oms_maker_open(in, &out->names, &t, a, r)))
        return err;
    if (t.content == OMS_LAYOUT)
        return by_recipe(in, &t, a, out, r);
    if (t.content != OMS_NOTHING)
        return oms_records(in, &t, a, out, r);
    trace_field(in->trace, t.records, "data", "", "not read", "%zu bytes", t.records.len);
    return ERR_OK;
}

static enum err quietly(const struct dialect_input *in, enum oms_form form, struct arena *a,
                        const struct frame *out)
{
    struct dialect_input quiet = *in;
    struct arena rest = { a->base + a->used, 0, a->cap - a->used };
    struct frame f = *out;

    quiet.trace = NULL;
    return decode_as(&quiet, form, &rest, &f, NULL);
}

/* Whose CRC of format B is none, but the last two bytes of what it says. */
static bool is_bare_after_all(const struct dialect_input *in, struct arena *a,
                              const struct frame *out)
{
    return err_of_frame(quietly(in, OMS_FORM_B, a, out)) && !quietly(in, OMS_FORM_BARE, a, out);
}

static enum err oms_decode(const struct dialect_input *in, struct arena *a, struct frame *out,
                           struct refusal *r)
{
    enum oms_form form = oms_form_of(in->bytes);

    if (form == OMS_FORM_B && is_bare_after_all(in, a, out))
        form = OMS_FORM_BARE;
    return decode_as(in, form, a, out, r);
}

const struct dialect dialect_oms = {
    .name = "oms",
    .id = 2,
    .enveloped = false,
    .formats = { 0 },
    .decode = oms_decode,
};
