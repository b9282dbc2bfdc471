/* refusals.h: what is wrong for one address may be wrong for all: now and then one of them is said in the log.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_REFUSALS_H
#define PRESENCED_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

/* All zero at first. */
struct refusals {
	char last[420];	 /* an address, and why; "" none; UTF-8 */
	int64_t told_at; /* monotonic ms of the last one in the log; 0 none */
	int64_t untold;	 /* since */
	int64_t count;	 /* that one and those before it that were not logged */
};

/* One more, at `now` (monotonic ms). Whether it is to be logged, with r->count. */
bool refusals_note(struct refusals *r, const char *address, const char *why, int64_t now);

#endif
