/* Errors are values.  The world fails with `enum err`; we fail with assert. */
#ifndef NILO_PROTO_BASE_ERR_H
#define NILO_PROTO_BASE_ERR_H

#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

enum err {
    ERR_OK,
#define ERR(name, class, text) ERR_##name,
#include "proto/base/err.def"
#undef ERR
    ERR_COUNT
};

enum err_class { ERR_CLASS_NONE, ERR_CLASS_PEER, ERR_CLASS_WAIT, ERR_CLASS_ASK, ERR_CLASS_HOST, ERR_CLASS_STORE };

const char *err_name(enum err err); /* "truncated"; "ok" for ERR_OK; for metric labels and codes */
const char *err_text(enum err err); /* "ends before its own length says" */
enum err_class err_class(enum err err);

/* Of a frame's bytes: they cannot be used, be it never (PEER) or not yet (WAIT). */
static inline int err_of_frame(enum err err)
{
    return err_class(err) == ERR_CLASS_PEER || err_class(err) == ERR_CLASS_WAIT;
}

/* Why something was refused, for the one who sent it: which field, where, what was expected, what was found. */
struct refusal {
    enum err err;
    uint32_t offset;  /* byte in the input, or line of a file */
    char field[64];   /* "series[2].scale"; "" where none; of facts that are missing all, with commas between */
    char text[200];   /* one sentence: what was expected, what was found */
};

/* Fills `r` (which may be NULL) and returns `err`, so that a check is one line. */
enum err refuse(struct refusal *r, enum err err, uint32_t offset, const char *field, const char *format, ...)
    PRINTF_LIKE(5, 6);

#endif
