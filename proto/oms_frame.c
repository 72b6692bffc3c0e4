#include "proto/oms_frame.h"

enum err oms_records(const struct dialect_input *in, const struct oms_telegram *t, struct arena *a,
                     struct frame *out, struct refusal *r)
{
    (void)in;
    (void)a;
    (void)out;
    return refuse(r, ERR_UNSUPPORTED, t->records_at, "", "records are not read yet");
}
