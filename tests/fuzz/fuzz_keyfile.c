/* A maker's file of keys in XML: whatever the bytes, the reader ends, hands out names and keys of bounded
 * length in order of lines, and says of a refusal where. */
#include "server/acts/keyfile_xml.h"

#include <stdlib.h>

static void must(bool what)
{
    if (!what)
        abort();
}

struct seen {
    uint64_t line;
    unsigned left; /* meters until the reading is ended */
};

static bool each(void *arg, const struct keyfile_meter *m)
{
    struct seen *s = (struct seen *)arg;

    must(m->line >= s->line && m->line > 0);
    s->line = m->line;
    for (int i = 0; i < 2; i++)
        must(m->names[i].len <= 160);
    must(m->key_hex.len <= 160);
    return --s->left > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen s = { .left = size ? data[size - 1] + 1u : 1 };
    struct import_refusal why = { .line = 0 };
    enum err err = keyfile_xml_read(span_of(data, size), each, &s, &why);

    (void)keyfile_is_xml(span_of(data, size));
    must(err == ERR_OK || err == ERR_INVALID || err == ERR_NO_MEMORY);
    must(err != ERR_INVALID || (why.line > 0 && why.expected[0]));
    return 0;
}
