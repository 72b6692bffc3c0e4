/* Files that people bring: whatever the bytes, the reader ends, hands out cells that lie in the
 * row, and says of each refusal where; and a cell that was taken is taken again in its canonical
 * form, unchanged. */
#include "server/acts/import.h"

#include <stdlib.h>

static void must(bool what)
{
    if (!what)
        abort();
}

struct seen {
    const struct list *list;
    uint64_t line;
    bool stop;
};

static void check_cell(const struct column *c, struct span text)
{
    static struct zone zone;
    uint8_t once[2 * LIMIT_TEXT], again[2 * LIMIT_TEXT];
    struct wr first = wr_of(once, sizeof once), second = wr_of(again, sizeof again);
    struct refusal r = { 0 };
    enum err err;

    if (!zone.name[0])
        zone_fixed(&zone, "fuzz", 8 * 3600);
    err = cell_read(c, text, &zone, &first, &r);
    must(err == ERR_OK || err == ERR_INVALID);
    if (err) {
        must(r.err == ERR_INVALID && r.text[0] && wr_len(&first) == 0);
        return;
    }
    must(cell_read(c, wr_span(&first), &zone, &second, NULL) == ERR_OK);
    must(span_equal(wr_span(&first), wr_span(&second)));
}

static bool on_row(void *arg, const struct rowfile_row *row)
{
    struct seen *s = (struct seen *)arg;

    must(row->line >= s->line && row->line > 0);
    s->line = row->line;
    for (unsigned i = 0; i < COLUMNS_MAX; i++) {
        must(i < s->list->columns || row->cells[i].len == 0);
        must(row->cells[i].len <= ROWFILE_ROW_MAX || row->cells[i].at);
        if (i < s->list->columns)
            check_cell(&s->list->column[i], row->cells[i]);
    }
    return !s->stop;
}

static bool on_fault(void *arg, const struct import_refusal *f)
{
    struct seen *s = (struct seen *)arg;

    must(f->line > 0 && f->expected[0]);
    must(memchr(f->found, 0, sizeof f->found) && memchr(f->column, 0, sizeof f->column));
    return !s->stop;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rowfile_calls calls = { on_row, on_fault };
    struct import_refusal header = { 0 };
    struct seen s = { 0 };
    enum err err;
    unsigned n;

    if (size == 0)
        return 0;
    s.stop = data[0] & 0x80;
    n = data[0] & 0x1f;
    s.list = n == 7 ? &list_readings : list_of((enum list_kind)((n < 7 ? n : n - 1) % LIST_COUNT));
    err = rowfile_read(span_of(data + 1, size - 1), s.list, &calls, &s, &header);
    must(err == ERR_OK || err == ERR_INVALID);
    must(err == ERR_OK || header.expected[0]);
    return 0;
}
