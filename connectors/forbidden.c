/* forbidden.c: a wait that doubles, and the sentence about it.
 * SPDX-License-Identifier: MIT */
#include "connectors/forbidden.h"

#include <stdio.h>

#include "daemon/base/instant.h"

#define LEAST_MS (5 * 60000)
#define MOST_MS	 (60 * 60000)

int64_t forbidden_again(struct forbidden *f, const char *source, const char *why, char *text, size_t size)
{
	int64_t wait = f->next == 0 ? LEAST_MS : f->next;
	char duration[DURATION_TEXT_SIZE];

	f->next = wait * 2 < MOST_MS ? wait * 2 : MOST_MS;
	snprintf(text, size, "%.300s; tried again in %s, at once by: presencectl source %s restart", why,
	    duration_format(wait, duration), source);
	return wait;
}
