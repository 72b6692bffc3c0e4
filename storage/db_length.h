/* Whether a file that ends before LMDB's last page is sound all the same: db_length.c. */
#ifndef NILO_STORAGE_DB_LENGTH_H
#define NILO_STORAGE_DB_LENGTH_H

#include "proto/base/span.h"

bool db_length_sound(int fd, uint64_t file_bytes, size_t page_bytes, uint64_t last_page);

#endif
