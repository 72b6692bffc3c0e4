#include "proto/base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    enum err_class class;
    const char *text;
} errs[ERR_COUNT] = {
    [ERR_OK] = { "OK", ERR_CLASS_NONE, "is fine" },
#define ERR(name, class, text) [ERR_##name] = { #name, ERR_CLASS_##class, text },
#include "proto/base/err.def"
#undef ERR
};

/* The identifiers of err.def in lower case, so that code, metric labels and answers spell them
 * alike.  A constant table: C has no way to make small letters of big ones, and a buffer filled at
 * run time would need a lock. */
static const char *const small_names[ERR_COUNT] = {
    [ERR_OK] = "ok",
    [ERR_TRUNCATED] = "truncated",
    [ERR_MALFORMED] = "malformed",
    [ERR_RANGE] = "range",
    [ERR_UNSUPPORTED] = "unsupported",
    [ERR_TOO_LARGE] = "too_large",
    [ERR_NO_METER] = "no_meter",
    [ERR_NAMES_DIFFER] = "names_differ",
    [ERR_UNKNOWN] = "unknown",
    [ERR_NO_KEY] = "no_key",
    [ERR_WRONG_KEY] = "wrong_key",
    [ERR_NO_FORMAT] = "no_format",
    [ERR_NO_RECIPE] = "no_recipe",
    [ERR_DAMAGED] = "damaged",
    [ERR_REPLAYED] = "replayed",
    [ERR_NOT_FOUND] = "not_found",
    [ERR_EXISTS] = "exists",
    [ERR_FORBIDDEN] = "forbidden",
    [ERR_UNAUTHORIZED] = "unauthorized",
    [ERR_INVALID] = "invalid",
    [ERR_CONFLICT] = "conflict",
    [ERR_BUSY] = "busy",
    [ERR_FULL] = "full",
    [ERR_LIMIT] = "limit",
    [ERR_NO_MEMORY] = "no_memory",
    [ERR_IO] = "io",
    [ERR_STOPPING] = "stopping",
    [ERR_READ_ONLY] = "read_only",
    [ERR_CORRUPT] = "corrupt",
    [ERR_MISSING] = "missing",
    [ERR_NEWER] = "newer",
};

const char *err_name(enum err err)
{
    assert((unsigned)err < ERR_COUNT);
    /* A line of err.def without its small name still gets one, in capitals; test_err tells of it.
     */
    return small_names[err] ? small_names[err] : errs[err].name;
}

const char *err_text(enum err err)
{
    assert((unsigned)err < ERR_COUNT);
    return errs[err].text;
}

enum err_class err_class(enum err err)
{
    assert((unsigned)err < ERR_COUNT);
    return errs[err].class;
}

enum err refuse(struct refusal *r, enum err err, uint32_t offset, const char *field,
                const char *format, ...)
{
    va_list args;

    if (!r)
        return err;
    r->err = err;
    r->offset = offset;
    snprintf(r->field, sizeof(r->field), "%s", field);
    va_start(args, format);
    vsnprintf(r->text, sizeof(r->text), format, args);
    va_end(args);
    return err;
}
