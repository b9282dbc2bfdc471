/* refusals.c: the last refusal is remembered, one a minute is logged.
 * SPDX-License-Identifier: MIT */
#include "connectors/refusals.h"

#include <stdio.h>

#include "daemon/base/utf8.h"

#define TOLD_AGAIN_MS 60000

bool refusals_note(struct refusals *r, const char *address, const char *why, int64_t now)
{
	snprintf(r->last, sizeof r->last, "%.200s: %.200s", address, why);
	utf8_repair(r->last);
	r->untold++;
	if (r->told_at != 0 && now - r->told_at < TOLD_AGAIN_MS)
		return false;
	r->told_at = now;
	r->count = r->untold;
	r->untold = 0;
	return true;
}
