/* What is kept of a house between looks, in views: what was found, and how far (server/detect/house_story.h).
 *
 *   version 2: u8 2 · u8 bits (1 its meters are not judged by it yet, 2 windows are missing, 4 all meters are to be judged) · zigzag origin · zigzag end of the last week · zigzag instant from which on something came late (0: nothing did)
 *     u32 sum of the window's columns · u32 sum of those before · varint window
 *     the balance: varint own week · varint week · varint pending column · varint since · varint last · f64 variance · u8 steps · steps × (varint column · varint week)
 *     the hands: varint own week · varint week · varint first · varint second · varint held
 *     u8 slow ones, each: a column · varint building's meter · u8 stepped · times · f64 b before · b since · share, low, high · litres a day lost, low, high · z · litres an hour lost between · varint meters · varint weeks
 *     u8 pairs, each: two columns · times · zigzag since · varint vacant days · varint shut days · u8 1 where the second is idle · f64 score · litres a day of the first before, since, of the second before, since · varint weeks before · varint since
 *   a column: varint meter · varint point · zigzag fitting's from      times: zigzag onset · zigzag raised · zigzag cleared      f64: u64, little-endian: IEEE 754 */
#ifndef NILO_SERVER_HOUSE_ROW_H
#define NILO_SERVER_HOUSE_ROW_H

#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "server/detect/house_story.h"

#define HOUSE_ROW_MAX 32768

struct house_row {
    bool untold;       /* its meters are to be judged by what it says */
    bool unfinished;   /* there are windows more, so it says nothing yet */
    bool all_meters;   /* not those alone that it names */
    int64_t origin_s;  /* a Monday's midnight: its first week's */
    int64_t week_s;    /* the end of the last week that was looked at */
    int64_t late_s;    /* something came that belongs to this instant or later ones; 0: nothing did */
    uint32_t columns_sum, before_sum; /* of the window's columns, and of all that ran before its own weeks */
    struct house_story story;
};

MUST_CHECK enum err house_row_write(const struct house_row *row, struct wr *out);
/* NOT_FOUND: of another version, which counts as none. CORRUPT. */
MUST_CHECK enum err house_row_read(struct span bytes, struct house_row *out);

#endif
