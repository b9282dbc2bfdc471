/* forbidden.h: how long a peer that refuses our credentials is left alone: it may count the attempts.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_FORBIDDEN_H
#define PRESENCED_FORBIDDEN_H

#include <stddef.h>
#include <stdint.h>

/* After the next refusal, ms. 0: five minutes, as after it has let us in; then twice as long each time, up to an hour. */
struct forbidden {
	int64_t next;
};

/* Refused once more, `why` is a sentence: the wait in ms, and in `text` what to tell people, for a source called so. */
int64_t forbidden_again(struct forbidden *f, const char *source, const char *why, char *text, size_t size);

#endif
