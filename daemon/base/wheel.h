/* wheel.h: many timers in little memory: a hashed timing wheel whose items are parts of their owners.
 * SPDX-License-Identifier: MIT
 *
 * An item fires in the tick of its due time or the next one, never early. Arming and disarming cost O(1), firing a
 * look at those of its slot that are a whole turn or more away: few, where most times are shorter than a turn. The
 * owner keeps one loop timer for the whole wheel, set to wheel_next().
 */
#ifndef PRESENCED_WHEEL_H
#define PRESENCED_WHEEL_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#define WHEEL_SLOTS 1024

struct wheel_item {
	TAILQ_ENTRY(wheel_item) place;
	int64_t due; /* monotonic ms; 0: not armed */
};

struct wheel {
	int64_t tick; /* ms of one slot */
	int64_t done; /* all ticks up to this one have been looked at */
	uint64_t used[WHEEL_SLOTS / 64];
	TAILQ_HEAD(, wheel_item) slots[WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, int64_t tick, int64_t now);

/* Fire at `due` (monotonic ms, > 0); an armed item is moved. */
void wheel_arm(struct wheel *w, struct wheel_item *item, int64_t due);
void wheel_disarm(struct wheel *w, struct wheel_item *item); /* also when it is not armed */

/* The next item that is due, disarmed, or NULL. The caller asks until it gets NULL. */
struct wheel_item *wheel_pop(struct wheel *w, int64_t now);

/* When wheel_pop() may give something, monotonic ms; INSTANT_NEVER when nothing is armed. It may come up to one
 * turn of the wheel too early, never too late. */
int64_t wheel_next(const struct wheel *w);

#define wheel_owner(item, type, member) ((type *)(void *)((char *)(item)-offsetof(type, member)))

#endif
