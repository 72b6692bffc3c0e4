/* Makers' files of keys in XML, of the kind that Kamstrup sends: <MetersInOrder> with a <Meter> for each meter, in it <SerialNo> or
 * <MeterNo>, and <DEK> with the key in hexadecimal digits.  Pure.
 *
 * Entities and document types are refused, nesting and the length of a text are bounded. */
#ifndef NILO_SERVER_ACTS_KEYFILE_XML_H
#define NILO_SERVER_ACTS_KEYFILE_XML_H

#include "server/acts/act.h"

struct keyfile_meter {
    uint64_t line;          /* where it begins */
    struct span names[2];   /* SerialNo, MeterNo; empty where it is not there */
    struct span key_hex;    /* DEK */
};

/* Whether the file is XML at all: by its first byte that is no blank. */
bool keyfile_is_xml(struct span text);

/* False from `each` ends it; all is borrowed for the call. INVALID with `fault` filled: not such a file, and where it goes wrong; meters
 * before that place were handed out. NO_MEMORY. */
MUST_CHECK enum err keyfile_xml_read(struct span text, bool (*each)(void *arg, const struct keyfile_meter *m), void *arg,
                                     struct import_refusal *fault);

#endif
