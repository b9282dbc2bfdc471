/* history.h: which changes become rows of history, and how far the daemon has observed.
 * SPDX-License-Identifier: MIT
 *
 * The queue to the store is bounded. A user whose row found no room is marked, and gets a row with `gap` as soon as there
 * is room; until then nothing is said to have been observed.
 */
#ifndef PRESENCED_HISTORY_H
#define PRESENCED_HISTORY_H

#include <stdbool.h>

#include "daemon/aggregator.h"
#include "daemon/store/store.h"

struct history;

struct history_settings {
	bool enabled;
	bool calls;	   /* keep calls and targets of forwards */
	int64_t retention; /* ms */
};

/* `store` NULL: there is none, and nothing is kept. Both are borrowed. NULL without memory. */
struct history *history_new(struct store *store, struct aggregator *aggregator);
void history_free(struct history *h);
void history_configure(struct history *h, const struct history_settings *settings, struct instant now);

/* The presence of the user became another, and was published. */
void history_published(struct history *h, struct user *user);
void history_removed(struct history *h, struct user *user, int64_t at);
void history_renamed(struct history *h, const char *from, const struct user *user, int64_t at);

/* What was written is not to be relied on (another file, a machine that slept): everybody is written again, as of `wall`. */
void history_restate(struct history *h, int64_t wall);

/* The end of a turn. `settled`: all that sources said is published. True: there is more to do. */
bool history_run(struct history *h, bool settled, struct instant now);
int64_t history_deadline(const struct history *h); /* mono ms of what is due by time alone */

uint64_t history_lost(const struct history *h); /* rows that found no room */

#endif
