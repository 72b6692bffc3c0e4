#include "server/zonefile.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZONE_FOLDER "/usr/share/zoneinfo/"
#define TROPIC_DDMM 2326    /* 23°26′ */
#define ZONE_FILE_MAX 65536 /* the largest of tzdata 2024 has 3.7 KB */

/* A name is words of letters, digits, _ + - joined by single slashes: nothing that leaves the
 * folder. */
static bool is_zone_name(const char *name)
{
    char before = '/';

    if (strlen(name) > 50)
        return false;
    for (; *name; before = *name++)
        if (!isalnum((unsigned char)*name) && !strchr("_+-", *name) &&
            !(*name == '/' && before != '/'))
            return false;
    return before != '/';
}

/* Column 2 of zone.tab: latitude and longitude as +DDMM+DDDMM or +DDMMSS+DDDMMSS (ISO 6709). A name that is not in it, as those of old, or a
 * system without the file: north. */
static enum zone_summer summer_of(const char *name)
{
    char line[256], at[32], zone[64];
    enum zone_summer summer = SUMMER_NORTH;
    FILE *f = fopen(ZONE_FOLDER "zone.tab", "r");

    while (f && fgets(line, sizeof line, f)) {
        int ddmm;

        if (line[0] == '#' || sscanf(line, "%*2s %31s %63s", at, zone) != 2 ||
            strcmp(zone, name) != 0 || sscanf(at, "%5d", &ddmm) != 1)
            continue;
        if (abs(ddmm) < TROPIC_DDMM)
            summer = SUMMER_ALWAYS;
        else if (ddmm < 0)
            summer = SUMMER_SOUTH;
        break;
    }
    if (f)
        fclose(f);
    return summer;
}

enum err zone_load(const char *name, struct zone *out, struct refusal *r)
{
    static _Thread_local uint8_t bytes[ZONE_FILE_MAX];
    char path[sizeof ZONE_FOLDER + 64];
    size_t len;
    FILE *f;
    enum err err;

    if (strcmp(name, "UTC") == 0) {
        zone_fixed(out, name, 0);
        return ERR_OK;
    }
    if (!is_zone_name(name))
        return refuse(r, ERR_INVALID, 0, "tz",
                      "expected a time zone such as Asia/Shanghai, found %.60s", name);
    snprintf(path, sizeof path, "%s%s", ZONE_FOLDER, name);
    if (!(f = fopen(path, "rb")))
        return refuse(
            r, ERR_INVALID, 0, "tz",
            "expected a time zone such as Asia/Shanghai that the system knows (package tzdata), "
            "found %.60s",
            name);
    len = fread(bytes, 1, sizeof bytes, f); /* one that was cut short does not read */
    fclose(f);
    if ((err = zone_read(out, name, span_of(bytes, len))))
        return refuse(r, err, 0, "tz", "%.60s: its file %s", name, err_text(err));
    out->summer = summer_of(name);
    return ERR_OK;
}
