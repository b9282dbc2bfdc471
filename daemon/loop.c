/* loop.c: libevent, one turn at a time.
 * SPDX-License-Identifier: MIT */
#include "daemon/loop.h"

#include <bsd/sys/queue.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/base/logger.h"

#define MAX_HOOKS 8

struct loop_event {
	struct loop *loop;
	const char *name;
	struct event *event;
	void (*callback)(void *arg, short what);
	void *arg;
};

struct deferred {
	SLIST_ENTRY(deferred) link;
	void *object;
	void (*destroy)(void *object);
};

struct loop {
	struct event_base *base;
	struct instant now;
	bool running;
	struct {
		const char *name;
		bool (*hook)(void *arg);
		void *arg;
	} hooks[MAX_HOOKS];
	size_t hook_count;
	SLIST_HEAD(, deferred) deferred;
	struct loop_stats stats;
};

struct loop *loop_new(void)
{
	struct event_config *config = event_config_new();
	struct loop *l = calloc(1, sizeof *l);

	if (config == NULL || l == NULL)
		goto fail;
	/* without it timers are 4 ms coarse on a 250 Hz kernel */
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	l->base = event_base_new_with_config(config);
	if (l->base == NULL)
		goto fail;
	event_config_free(config);
	SLIST_INIT(&l->deferred);
	l->now = instant_now();
	return l;
fail:
	if (config != NULL)
		event_config_free(config);
	free(l);
	return NULL;
}

void loop_run_deferred(struct loop *l)
{
	struct deferred *d;

	while ((d = SLIST_FIRST(&l->deferred)) != NULL) { /* a destructor may defer another */
		SLIST_REMOVE_HEAD(&l->deferred, link);
		d->destroy(d->object);
		free(d);
	}
}

void loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	loop_run_deferred(l);
	event_base_free(l->base);
	libevent_global_shutdown();
	free(l);
}

/* --- measuring ----------------------------------------------------------------------------------- */

static int64_t microseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void measured(struct loop *l, const char *name, int64_t began)
{
	int64_t took = microseconds() - began;

	if (took > l->stats.longest_us) {
		l->stats.longest_us = took;
		l->stats.longest_name = name;
	}
	if (took < LOOP_STALL_MS * 1000)
		return;
	l->stats.stalls++;
	log_debug("loop", "stall", LOG_TEXT("in", name), LOG_NUMBER("microseconds", took));
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

struct loop_span loop_enter(struct loop *l, const char *name)
{
	l->now = instant_now();
	return (struct loop_span){ .loop = l, .name = name, .began = microseconds() };
}

void loop_leave(struct loop_span span)
{
	measured(span.loop, span.name, span.began);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct loop_event *e = arg;
	struct loop_span span = loop_enter(e->loop, e->name);

	(void)fd;
	e->callback(e->arg, what); /* may free e */
	loop_leave(span);
}

static bool run_hooks(struct loop *l)
{
	bool more = false;

	for (size_t i = 0; i < l->hook_count; i++) {
		struct loop_span span = loop_enter(l, l->hooks[i].name);

		more = l->hooks[i].hook(l->hooks[i].arg) || more;
		loop_leave(span);
	}
	return more;
}

void loop_run(struct loop *l)
{
	bool more = false;

	l->running = true;
	while (l->running) {
		if (event_base_loop(l->base, EVLOOP_ONCE | (more ? EVLOOP_NONBLOCK : 0)) < 0) {
			log_error("loop", "failed", LOG_TEXT("why", "libevent cannot wait for events"));
			return;
		}
		more = run_hooks(l);
		if (!SLIST_EMPTY(&l->deferred)) {
			loop_run_deferred(l);
			more = true; /* who goes may leave work for the hooks: demand that has ended */
		}
		l->stats.turns++;
	}
}

void loop_stop(struct loop *l)
{
	l->running = false;
}

/* --- events -------------------------------------------------------------------------------------- */

struct loop_event *loop_event_new(
    struct loop *l, const char *name, int fd, short what, void (*callback)(void *arg, short what), void *arg)
{
	struct loop_event *e = calloc(1, sizeof *e);

	if (e == NULL)
		return NULL;
	*e = (struct loop_event){ .loop = l, .name = name, .callback = callback, .arg = arg };
	e->event = event_new(l->base, fd, what, on_event, e);
	if (e->event == NULL) {
		free(e);
		return NULL;
	}
	return e;
}

void loop_event_free(struct loop_event *e)
{
	if (e == NULL)
		return;
	event_free(e->event);
	free(e);
}

void loop_event_arm(struct loop_event *e)
{
	event_add(e->event, NULL);
}

void loop_event_arm_in(struct loop_event *e, int64_t ms)
{
	struct timeval tv;

	if (ms < 0)
		ms = 0;
	tv = (struct timeval){ .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	event_add(e->event, &tv);
}

void loop_event_disarm(struct loop_event *e)
{
	event_del(e->event);
}

int loop_add_hook(struct loop *l, const char *name, bool (*hook)(void *arg), void *arg)
{
	if (l->hook_count == MAX_HOOKS)
		return -ENOSPC;
	l->hooks[l->hook_count].name = name;
	l->hooks[l->hook_count].hook = hook;
	l->hooks[l->hook_count++].arg = arg;
	return 0;
}

void loop_defer_free(struct loop *l, void *object, void (*destroy)(void *object))
{
	struct deferred *d = malloc(sizeof *d);

	if (d == NULL) {
		log_error("loop", "leak", LOG_TEXT("why", "no memory to remember an object that is to be freed"));
		return;
	}
	*d = (struct deferred){ .object = object, .destroy = destroy };
	SLIST_INSERT_HEAD(&l->deferred, d, link);
}

struct instant loop_now(const struct loop *l)
{
	return l->now;
}

void loop_stats(const struct loop *l, struct loop_stats *ret)
{
	*ret = l->stats;
}
