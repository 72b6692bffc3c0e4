/* What store.c, check.c and backup.c share. */
#ifndef NILO_STORAGE_STORE_PRIV_H
#define NILO_STORAGE_STORE_PRIV_H

#include "storage/store.h"

#define STORE_PATH_SIZE 4200

bool store_path(const char *dir, const char *name, char out[STORE_PATH_SIZE]);
/* NOT_FOUND (with a sentence): there is no store, or none that was ever made. */
MUST_CHECK enum err store_version(const char *dir, struct refusal *r);
bool store_version_write(const char *dir); /* errno says why not */
int store_folders_make(const char *dir);

#endif
