/* when.h: points in time as people type them: local time where no zone is given. Pure, but for the zone (TZ).
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_WHEN_H
#define PRESENCED_WHEN_H

#include <stdint.h>

#define WHEN_EXPECTED "RFC 3339, YYYY-MM-DD, \"YYYY-MM-DD HH:MM\", HH:MM, today or yesterday"

/* Read RFC 3339, "2026-11-20", "2026-11-20 15:00" (seconds may follow), "15:00" of today, "today" or "yesterday" at
 * 00:00. `now` (wall ms) says which day is today. 0 and *ret_wall, or -EINVAL. */
int when_parse(const char *text, int64_t now, int64_t *ret_wall);

/* 00:00 local time of the day `days` after that of `now`; days may be negative. */
int64_t when_midnight(int64_t now, int days);

#define WHEN_TEXT_SIZE 48

/* "2026-11-20 15:00:03", local time, into buf (WHEN_TEXT_SIZE bytes). Returns buf. */
const char *when_format(int64_t wall, char *buf);

/* "15:00:03" if it is on the day of `now`, else with the date. Returns buf. */
const char *when_format_short(int64_t wall, int64_t now, char *buf);

#endif
