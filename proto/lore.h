/* What a decoder may ask besides the bytes: who the meter is, its keys, learned formats, recipes.  A table of questions, so that
 * decoders stay pure: nilod answers from its stores (server/lore.c), `nilo frame explain` from its command line, tests as they like.
 * The same question has the same answer while one frame is decoded.
 *
 * Ask by the functions at the end: they are fine with a NULL lore and with questions that nobody answers. */
#ifndef NILO_PROTO_LORE_H
#define NILO_PROTO_LORE_H

#include "proto/frame.h"

struct recipe;

enum key_kind { KEY_PSK = 1, KEY_OMS, KEY_OSCORE };

#define LORE_KEYS 3 /* the one that holds, the one before it (rotation with overlap), the one to come */

/* Of a maker's own layout inside M-Bus: which instrument sends it, and under which CI field (0x0f: behind DIF 0F). */
struct layout_id {
    uint16_t maker;
    uint8_t version, type, ci;
};

struct lore {
    const struct zone *zone; /* civil time of the utility */
    void *arg;
    uint32_t (*meter)(void *arg, struct span name); /* 0: nobody registered it */
    /* Keys of the meter, the likeliest first; views until the frame is decoded. */
    unsigned (*keys)(void *arg, uint32_t meter, enum key_kind kind, int64_t at_s, struct span out[LORE_KEYS]);
    bool (*format)(void *arg, const struct format_id *id, struct span *out_list_view);
    const struct recipe *(*recipe)(void *arg, struct span name);          /* NULL: unknown */
    const struct recipe *(*recipe_of)(void *arg, const struct layout_id *of); /* the one that matches; NULL: none */
    struct span (*profile)(void *arg, uint32_t meter); /* the register's column `dialect`: a dialect's or recipe's name, or empty */
};

struct dialect_input;

/* Who the meter is, remembered while one frame is decoded: names are looked up in a table of millions. */
struct lore_memo {
    bool asked;
    uint32_t meter;
    const uint8_t *given, *first; /* which names it was asked by */
    uint32_t count;
};
/* What was asked by `names` alone, without a name by the transport; false: nothing. */
bool lore_remembers(const struct lore_memo *m, const struct frame_names *names, uint32_t *out_meter);

extern const struct zone lore_china; /* UTC+8: civil time where nobody says otherwise */
/* Civil time: the utility's, else lore_china. */
const struct zone *lore_zone(const struct dialect_input *in);
/* The meter: the one that the transport names, else the first registered of `names`; 0: none. */
uint32_t lore_meter(const struct dialect_input *in, const struct frame_names *names);
unsigned lore_keys(const struct dialect_input *in, uint32_t meter, enum key_kind kind, struct span out[LORE_KEYS]);
bool lore_format(const struct dialect_input *in, const struct format_id *id, struct span *out_list_view);
const struct recipe *lore_recipe(const struct dialect_input *in, struct span name);
const struct recipe *lore_recipe_of(const struct dialect_input *in, const struct layout_id *of);
struct span lore_profile(const struct dialect_input *in, uint32_t meter);
/* Who reads a maker's own layout: the recipe that the register names for the meter, else the one for such instruments; NULL: none. */
const struct recipe *lore_recipe_for(const struct dialect_input *in, const struct frame_names *names, const struct layout_id *of);

#endif
