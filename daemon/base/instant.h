/* instant.h: points in time, and how they are printed and read.
 * SPDX-License-Identifier: MIT
 *
 * Durations, hold, validity, retries and ordering use the monotonic clock; the wall clock is only printed.
 * Both are carried together, in milliseconds, so that pure code never asks for the time itself.
 */
#ifndef PRESENCED_INSTANT_H
#define PRESENCED_INSTANT_H

#include <stddef.h>
#include <stdint.h>

struct instant {
	int64_t mono; /* ms, CLOCK_MONOTONIC; only differences mean anything */
	int64_t wall; /* ms since 1970-01-01 UTC */
};

#define INSTANT_NEVER INT64_MAX /* a monotonic deadline that does not come */

/* Both clocks, now. */
struct instant instant_now(void);

#define INSTANT_TEXT_SIZE 32 /* "2026-11-20T12:00:00.123Z", also for years of five digits */

/* RFC 3339 with milliseconds, UTC, into buf (INSTANT_TEXT_SIZE bytes). Returns buf. */
const char *instant_format(int64_t wall, char *buf);

/* Read RFC 3339 (any offset, any number of decimals, years 1970 to 9999). 0 and *ret_wall, or -EINVAL. */
int instant_parse(const char *text, int64_t *ret_wall);

#define DURATION_TEXT_SIZE 32

/* "5m40s", "1h", "250ms", "0s" into buf (DURATION_TEXT_SIZE bytes): the largest two units. Returns buf. */
const char *duration_format(int64_t ms, char *buf);

/* Read "60s", "5m", "1h30m", "250ms", "2d". A bare number is refused: its unit would be a guess.
 * 0 and *ret_ms, -EINVAL, or -ERANGE above about 292 years. */
int duration_parse(const char *text, int64_t *ret_ms);

#endif
