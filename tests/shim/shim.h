/* What the shim (powercut.c, a library that is preloaded) does for a test: it writes down
 * everything that goes to the files below $NILO_SHIM_DIR into $NILO_SHIM_LOG, and lets writes fail
 * on demand.
 *
 * The test finds the functions with dlsym(RTLD_DEFAULT, "shim_mark"): they are there only where the
 * shim is. */
#ifndef NILO_TESTS_SHIM_H
#define NILO_TESTS_SHIM_H

#include <stddef.h>
#include <stdint.h>

enum shim_kind {
    SHIM_CREATE,   /* `file` begins under the name in the bytes (below the folder) */
    SHIM_WRITE,    /* bytes at `offset` */
    SHIM_WRITTEN,  /* the same through a descriptor opened with O_DSYNC: on disk when the call
                      returned */
    SHIM_TRUNCATE, /* to `offset` bytes */
    SHIM_SYNC,     /* of the file's bytes */
    SHIM_SYNC_FOLDER,
    SHIM_RENAME, /* `file` has the name in the bytes from now on */
    SHIM_UNLINK, /* the name in the bytes is gone */
    SHIM_MARK,   /* by the test: `file` what, `offset` which */
};

/* An entry of the log, followed by `len` bytes. */
struct shim_entry {
    uint32_t kind, file;
    uint64_t offset, len;
};

/* What may fail. */
#define SHIM_FAIL_WRITE 1u
#define SHIM_FAIL_WRITTEN 2u /* through O_DSYNC */
#define SHIM_FAIL_SYNC 4u
#define SHIM_FAIL_SHORT 8u /* a write takes half of its bytes, and the next one fails */

typedef void shim_mark_fn(uint32_t what, uint64_t which);
/* Calls of these kinds fail with `code` once `after` of them have succeeded, until told otherwise.
 */
typedef void shim_fail_fn(unsigned kinds, int code, unsigned after);

#endif
