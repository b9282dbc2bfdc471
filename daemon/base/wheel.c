/* wheel.c: slots of one tick each; an item that is further away than one turn stays in its slot for more turns.
 * SPDX-License-Identifier: MIT */
#include "daemon/base/wheel.h"

#include <stddef.h>

#include "daemon/base/instant.h"

static size_t slot_of(int64_t tick)
{
	return (size_t)tick % WHEEL_SLOTS;
}

/* The first tick that begins at `due` or later: never early. */
static int64_t tick_of(const struct wheel *w, int64_t due)
{
	return due / w->tick + (due % w->tick != 0);
}

void wheel_init(struct wheel *w, int64_t tick, int64_t now)
{
	*w = (struct wheel){ .tick = tick, .done = now / tick };
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		TAILQ_INIT(&w->slots[i]);
}

void wheel_disarm(struct wheel *w, struct wheel_item *item)
{
	size_t slot;

	if (item->due == 0)
		return;
	slot = slot_of(tick_of(w, item->due));
	TAILQ_REMOVE(&w->slots[slot], item, place);
	if (TAILQ_EMPTY(&w->slots[slot]))
		w->used[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	item->due = 0;
}

void wheel_arm(struct wheel *w, struct wheel_item *item, int64_t due)
{
	int64_t first = (w->done + 1) * w->tick;
	size_t slot;

	wheel_disarm(w, item);
	item->due = due < first ? first : due; /* the slot of a tick that is over would wait a whole turn */
	slot = slot_of(tick_of(w, item->due));
	TAILQ_INSERT_TAIL(&w->slots[slot], item, place);
	w->used[slot / 64] |= UINT64_C(1) << slot % 64;
}

static struct wheel_item *due_in(struct wheel *w, int64_t tick)
{
	struct wheel_item *item;

	TAILQ_FOREACH (item, &w->slots[slot_of(tick)], place)
		if (tick_of(w, item->due) <= tick)
			return item;
	return NULL;
}

struct wheel_item *wheel_pop(struct wheel *w, int64_t now)
{
	int64_t last = now / w->tick;

	if (last - w->done > WHEEL_SLOTS)
		w->done = last - WHEEL_SLOTS; /* every slot once is enough */
	while (w->done < last) {
		struct wheel_item *item = due_in(w, w->done + 1);

		if (item != NULL) {
			wheel_disarm(w, item);
			return item;
		}
		w->done++;
	}
	return NULL;
}

int64_t wheel_next(const struct wheel *w)
{
	for (size_t ahead = 1; ahead <= WHEEL_SLOTS;) {
		size_t slot = slot_of(w->done + (int64_t)ahead);
		uint64_t rest = w->used[slot / 64] >> slot % 64;

		if (rest != 0)
			return (w->done + (int64_t)ahead + __builtin_ctzll(rest)) * w->tick;
		ahead += 64 - slot % 64;
	}
	return INSTANT_NEVER;
}
