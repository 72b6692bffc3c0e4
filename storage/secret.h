/* Memory for keys: it goes into no core dump and is wiped before it is given back. */
#ifndef NILO_STORAGE_SECRET_H
#define NILO_STORAGE_SECRET_H

#include <stddef.h>

void *secret_new(size_t bytes);                            /* zeroed, whole pages; NULL without memory */
void *secret_grow(void *room, size_t bytes, size_t more); /* may move it and leaves no copy; NULL: it is as it was */
void secret_free(void *room, size_t bytes);               /* NULL is fine */
void secret_wipe(void *room, size_t bytes);               /* for what lies elsewhere */

#endif
