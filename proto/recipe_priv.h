/* A recipe as its interpreter walks it: slots that hold numbers, and steps that fill and use them. */
#ifndef NILO_PROTO_RECIPE_PRIV_H
#define NILO_PROTO_RECIPE_PRIV_H

#include "proto/recipe.h"

#define RECIPE_SLOTS 96
#define RECIPE_STEPS 1024 /* a slip of a file, not a program */
#define RECIPE_DEEP 8     /* blocks within blocks */
#define RECIPE_POOL 512   /* constants of `is`, `must`, `invalid` */
#define RECIPE_SAMPLES 32
#define RECIPE_GIVES 128 /* of one sample */
#define RECIPE_WORD 32   /* a field's name */
#define RECIPE_CLOCK 10  /* elements of a date in bytes */
#define RECIPE_NOWHERE UINT32_MAX /* a jump whose target is not known yet */

/* Slots that are there from the start. */
enum { SLOT_HEARD, SLOT_SENT, SLOT_LENGTH, SLOT_LEFT, SLOTS_GIVEN };

enum form { FORM_UINT, FORM_INT, FORM_BCD, FORM_ASCII, FORM_HEX, FORM_UNIX, FORM_F, FORM_G, FORM_I, FORM_CLOCK };

/* An element of a clock of separate bytes; each takes one byte, YYYY two. */
enum clock_part { CLOCK_CENTURY, CLOCK_YEAR, CLOCK_YEAR4, CLOCK_MONTH, CLOCK_DAY, CLOCK_HOUR, CLOCK_MINUTE, CLOCK_SECOND, CLOCK_PASS };

enum step_kind {
    STEP_READ,     /* slot <- bytes, by form */
    STEP_IS,       /* slot is one of the pool's, else NO_RECIPE */
    STEP_MUST,     /* likewise, else MALFORMED */
    STEP_SET,      /* slot <- a op b */
    STEP_UNLESS,   /* jump where a op b does not hold */
    STEP_JUMP,
    STEP_REPEAT,   /* a passes, SIZE_MAX: to the end; jump behind the loop when they are done */
    STEP_TAGS,     /* next tag into slot, its length by `width_b`; jump behind the loop at the end */
    STEP_PASS_TAG, /* no case of this tag */
    STEP_TAG_DONE, /* back to the tags */
    STEP_SKIP,     /* a bytes */
    STEP_SEEK,     /* to byte a; below 0 from the end */
    STEP_LIMIT,    /* the bytes end at byte a from here on */
    STEP_CHECKSUM,
    STEP_ENDS,     /* nothing is left, else MALFORMED */
    STEP_READING,
    STEP_STATUS,
    STEP_STATUS_RAW,
    STEP_BATTERY,
    STEP_NAME,
    STEP_SENT,
    STEP_SEQ,
    STEP_RSRP,
    STEP_SNR,
    STEP_CELL,
    STEP_REFUSE, /* with err and words */
    STEP_DONE
};

enum op {
    OP_COPY, OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MOD, OP_AND, OP_OR, OP_SHL, OP_SHR, OP_ELSE, OP_BITS, OP_DATE, OP_DATETIME,
    OP_DATE_AFTER, OP_MONTH_START,
    OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_ANY /* a bit in common */, OP_KNOWN, OP_UNKNOWN
};

struct operand {
    bool fixed;
    uint16_t slot;
    int64_t value;
};

enum sum { SUM_SUM8, SUM_XOR8, SUM_CRC16_MODBUS, SUM_CRC16_CCITT, SUM_CRC16_XMODEM, SUM_CRC16_EN13757, SUM_COUNT };
const char *recipe_sum_name(enum sum sum);
unsigned recipe_sum_bytes(enum sum sum);
uint16_t recipe_sum(enum sum sum, struct span bytes);

struct step {
    uint8_t kind, form, op, channel;
    bool big;        /* bytes high first */
    bool bcd;        /* of a clock */
    uint8_t width;   /* bytes */
    uint8_t width_b; /* bytes of a tag's length; 0: the case knows */
    uint8_t clock_count, loop;
    uint8_t clock[RECIPE_CLOCK];
    uint16_t slot, pool, pool_count, line;
    uint32_t jump;
    struct operand a, b, c, more[3];
    int64_t num, den; /* a count in thousandths */
    enum err err;
    uint32_t bits;
    struct span words;
};

struct slot_name {
    char text[RECIPE_WORD];
};

enum give_kind { GIVE_VALUE, GIVE_BATTERY, GIVE_STATUS, GIVE_RAW, GIVE_NAME, GIVE_SENT, GIVE_SEQ, GIVE_RSRP, GIVE_SNR, GIVE_CELL, GIVE_REFUSAL };

struct give {
    enum give_kind kind;
    enum channel channel;
    int64_t value, at_s;
    struct span text;
};

struct recipe_sample {
    struct span title;
    uint32_t line;
    int64_t arrived_s, sent_s; /* sent: what the carrier knows, 0 where nothing */
    uint8_t *bytes;            /* malloc'd */
    size_t len;
    uint16_t give, give_count; /* in the recipe's gives */
};

struct recipe {
    struct recipe_about about;
    char *text; /* malloc'd: all spans are views of it */
    bool big;
    bool zone_given;
    struct zone *zone; /* malloc'd where zone_given */
    unsigned slot_count, step_count, pool_count, give_count, loop_count;
    struct slot_name names[RECIPE_SLOTS];
    int64_t pool[RECIPE_POOL];
    struct step *steps; /* malloc'd */
    struct give *gives; /* malloc'd */
    struct recipe_sample samples[RECIPE_SAMPLES];
};

/* ---- the reader of files ---- */

struct words { /* a line at hand */
    const uint8_t *line, *at, *end;
    uint32_t number;
};

struct block {
    enum { BLOCK_IF, BLOCK_REPEAT, BLOCK_TAGS, BLOCK_TAG } kind;
    uint32_t line;
    uint32_t head;  /* the step to go back to */
    uint32_t skip;  /* the step whose jump waits for the next branch; UINT32_MAX: none */
    uint32_t outs;  /* chain of jumps that wait for the end, by their `jump`; UINT32_MAX ends it */
    uint16_t slot;  /* the tag's */
};

struct reader {
    struct recipe *recipe;
    struct span rest; /* of the text */
    struct words words;
    struct refusal *r;
    struct block blocks[RECIPE_DEEP];
    unsigned deep;
    uint32_t step_cap, give_cap;
    bool reads; /* a value was told */
};

/* The next word: a run of anything but blanks, '#' and the line's end; empty at the end of the line. */
struct span words_next(struct words *w);
struct span words_peek(const struct words *w);
struct span words_rest(struct words *w); /* the rest of the line, without a comment and blanks around it */
bool word_is(struct span word, const char *text);
/* INVALID: what was expected where `word` stands. */
enum err reader_expected(struct reader *r, struct span word, const char *what);
enum err reader_refuse(struct reader *r, struct span at, const char *format, ...) PRINTF_LIKE(3, 4);
bool reader_line(struct reader *r); /* the next line that says something */
MUST_CHECK enum err reader_end_of_line(struct reader *r);
bool word_number(struct span word, int64_t *out); /* decimal, -decimal, 0x… */
MUST_CHECK enum err reader_number(struct reader *r, const char *what, int64_t low, int64_t high, int64_t *out);
/* A unit and its scale: `1 L`, `0.1 m3`, `1/450 L`, `0.1 C`: thousandths of a count as a fraction, and the channel that the unit means
 * (CHANNEL_BILLED for volumes). */
MUST_CHECK enum err reader_scale(struct reader *r, int64_t *out_num, int64_t *out_den, enum channel *out_channel);
bool word_channel(struct span word, enum channel *out);
bool word_status(struct span word, uint32_t *out_bit);
const char *recipe_status_name(unsigned bit); /* by its number; NULL behind the last */

/* ---- fields ---- */

struct step *reader_step(struct reader *r, enum step_kind kind, enum err *out_err); /* the next one; NULL: *out_err says why */
MUST_CHECK enum err reader_slot(struct reader *r, struct span word, uint16_t *out); /* a name's own slot, new or filled anew */
MUST_CHECK enum err reader_operand(struct reader *r, struct operand *out);          /* a number, or a field that stands above */
MUST_CHECK enum err reader_field(struct reader *r, struct operand *out);
bool word_form(struct span word, struct step *s);                           /* u16be: form, width and order into the step */
MUST_CHECK enum err reader_new_field(struct reader *r, uint16_t slot);      /* NAME FORM …, from behind the name */
MUST_CHECK enum err reader_assignment(struct reader *r, struct span name);  /* NAME = …, likewise */

/* ---- statements ---- */

MUST_CHECK enum err reader_statement(struct reader *r, struct span first); /* a line of the layout */
MUST_CHECK enum err reader_layout_end(struct reader *r);
MUST_CHECK enum err reader_sample(struct reader *r); /* from behind the word `sample` up to its `end` */

/* ---- reading bytes ---- */

struct slot {
    int64_t value;
    bool known;
    uint8_t form;
    struct span raw;
};

/* Reads `raw` by the step's form; unknown where the bytes say "no value", and above 63 bits. */
void recipe_form_read(const struct recipe *recipe, const struct step *s, const struct zone *zone, struct span raw, struct slot *out);
uint64_t recipe_uint(struct span raw, bool big); /* of 8 bytes at most */
bool recipe_civil(const struct zone *zone, struct civil c, int64_t *out_s);

/* ---- computing ---- */

/* All but OP_COPY and OP_ELSE, which need to know what is known. False: nothing comes of it. */
bool recipe_compute(enum op op, const struct zone *zone, const int64_t v[6], int64_t *out);
bool recipe_scale(int64_t v, int64_t num, int64_t den, int64_t *out); /* to the nearest, halves away from zero; false: too large */
bool recipe_is_instant(int64_t s);                                    /* near enough to have a civil time */

#endif
