/* Recipes: payload layouts as text files, a file per meter model.  The interpreter is pure; recipes of the program itself stand in
 * proto/recipes/, a utility's own come through `nilo recipe add` and lie in the ledger.  RECIPES.md explains the format.
 *
 * A recipe is parsed once into a flat table of steps and then never changes: any number of threads may decode with it. */
#ifndef NILO_PROTO_RECIPE_H
#define NILO_PROTO_RECIPE_H

#include "proto/dialect.h"
#include "proto/gather.h"

struct recipe;

#define RECIPE_TEXT_MAX 65536 /* bytes of a file: what one request may carry */

extern const struct dialect dialect_recipe; /* POST /r/NAME: a payload that is nothing but the recipe's */

/* Parses a file; *out is the caller's, for recipe_free. INVALID with `r`: offset is the line, and the text says the column, what was
 * expected there and what was found. NO_MEMORY. */
MUST_CHECK enum err recipe_new(struct span text, struct recipe **out, struct refusal *r);
void recipe_free(struct recipe *recipe); /* NULL is fine */

/* Reads `bytes` by the recipe; values go to `g` (the caller ends it), and status, battery, radio, clock, names to `f` where the
 * recipe tells them; both may have changed where it fails. `f` comes with what the carrier knows (heard_s, sent_s, names). MALFORMED,
 * TRUNCATED, RANGE, TOO_LARGE, NO_MEMORY with `why`; NO_RECIPE where the bytes bear a version or form that the recipe does not tell. */
MUST_CHECK enum err recipe_decode(const struct recipe *recipe, const struct dialect_input *in, struct span bytes, struct gather *g,
                                  struct frame *f, struct refusal *why);

enum recipe_carrier { RECIPE_RAW, RECIPE_CJT188, RECIPE_OMS, RECIPE_LORAWAN };

/* A `match` line; -1: any. */
struct recipe_match {
    uint16_t maker;
    int16_t version, type;
    uint8_t ci;
};

#define RECIPE_MATCHES 16
#define RECIPE_FPORTS 8

struct recipe_about {
    struct span name, title, source, text; /* views into the recipe; source: its first line */
    uint32_t version;
    enum recipe_carrier carrier;
    unsigned match_count, fport_count, sample_count;
    struct recipe_match match[RECIPE_MATCHES];
    uint8_t fport[RECIPE_FPORTS];
};
const struct recipe_about *recipe_about(const struct recipe *recipe);
const char *recipe_carrier_name(enum recipe_carrier c); /* "raw" */

bool recipe_matches(const struct recipe *recipe, const struct layout_id *of);
/* Whether LoRaWAN payloads of this port are the recipe's: always, where it names no port. */
bool recipe_takes_port(const struct recipe *recipe, unsigned fport);

/* Decodes sample `n` (from 0) and holds the result against what the file states. INVALID with `r` (offset: the sample's line; the
 * text: what did not come out, or came out unasked); NO_MEMORY. `trace` may be NULL; `a` is emptied by the caller. Times without
 * offset are UTC+8. */
MUST_CHECK enum err recipe_test(const struct recipe *recipe, unsigned n, struct arena *a, struct trace *trace, struct refusal *r);
struct span recipe_sample_title(const struct recipe *recipe, unsigned n);
struct span recipe_sample_bytes(const struct recipe *recipe, unsigned n);

/* The program's own files, in order of names: shipped_recipe(0), 1, … an empty span at the end. */
struct span recipe_shipped(size_t n);

#endif
