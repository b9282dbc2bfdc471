/* loop.h: the one event loop: measured callbacks, work at the end of a turn, frees that wait for it.
 * SPDX-License-Identifier: MIT
 *
 * A turn is: wait, run the callbacks that are ready, then the end-of-turn hooks, then the deferred frees. A
 * hook that has more to do makes the next turn not wait; so long work is done in slices while descriptors are
 * still served.
 */
#ifndef PRESENCED_LOOP_H
#define PRESENCED_LOOP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/instant.h"

#define LOOP_STALL_MS 10 /* a callback that takes longer is counted as a stall */

struct loop;
struct loop_event; /* a descriptor, a timer or a signal */

struct loop *loop_new(void); /* NULL without memory */
void loop_free(struct loop *l);

/* Run until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* A descriptor (EV_READ, EV_WRITE, with EV_PERSIST), a signal (EV_SIGNAL) or, with fd -1, a timer. Not yet
 * armed. `name` is a constant, used when it stalls. The callback gets the libevent flags. NULL without
 * memory. */
struct loop_event *loop_event_new(
    struct loop *l, const char *name, int fd, short what, void (*callback)(void *arg, short what), void *arg);
void loop_event_free(struct loop_event *e); /* NULL is fine; also from inside its callback */

void loop_event_arm(struct loop_event *e);		  /* wait for the descriptor */
void loop_event_arm_in(struct loop_event *e, int64_t ms); /* and at most so long; a timer: in so long */
void loop_event_disarm(struct loop_event *e);

/* For libevent's own objects (bufferevents): their base, and what their callbacks stand between, so that they are
 * measured and have the time like those of a loop_event. */
struct loop_span {
	struct loop *loop;
	const char *name;
	int64_t began;
};
struct event_base *loop_base(struct loop *l);
struct loop_span loop_enter(struct loop *l, const char *name);
void loop_leave(struct loop_span span);

/* A hook at the end of each turn, in the order of addition. It returns whether it has more to do. */
int loop_add_hook(struct loop *l, const char *name, bool (*hook)(void *arg), void *arg);

/* Call destroy(object) at the end of this turn, when nobody up the stack holds it any more. */
void loop_defer_free(struct loop *l, void *object, void (*destroy)(void *object));

/* Free what waits for the end of a turn, now; for the end of the program. */
void loop_run_deferred(struct loop *l);

/* The time, read once per callback. */
struct instant loop_now(const struct loop *l);

struct loop_stats {
	uint64_t turns, stalls; /* stalls: callbacks over LOOP_STALL_MS */
	int64_t longest_us;	/* the longest callback so far, microseconds */
	const char *longest_name;
};
void loop_stats(const struct loop *l, struct loop_stats *ret);

#endif
