/* aggregator_watch.c: one watched address: its state, how far it is believed, and when it is to be proved
 * again. SPDX-License-Identifier: MIT */
#include "daemon/aggregator_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int by_due(const struct watch *x, const struct watch *y)
{
	if (x->due != y->due)
		return x->due < y->due ? -1 : 1;
	return x < y ? -1 : x > y;
}

RB_GENERATE_INTERNAL(watch_timers, watch, timer, by_due, static __attribute__((unused)))

/* --- what is believed ---------------------------------------------------------------------------- */

static bool said_in_this_connection(const struct watch *w)
{
	const struct channel *c = w->channel;

	return c->up && w->generation >= (c->pending ? c->generation : c->valid_from);
}

static const char *channel_why(const struct channel *c)
{
	return c->why != NULL ? c->why : "the source is not connected";
}

/* Nothing was said yet. */
static enum state_status silent_status(const struct watch *w, const char **ret_why)
{
	const struct channel *c = w->channel;

	if (!c->up && c->held_below > c->generation) {
		*ret_why = channel_why(c);
		return STATE_STATUS_ERROR;
	}
	*ret_why = w->failed ? "the source does not answer for this address" :
	    c->up	     ? "nothing said yet" :
			       channel_why(c);
	return w->failed ? STATE_STATUS_ERROR : STATE_STATUS_REQUESTING;
}

enum state_status watch_status(const struct watch *w, const char **ret_why)
{
	const struct channel *c = w->channel;
	enum state_status said;

	*ret_why = NULL;
	if (w->raw == NULL)
		return silent_status(w, ret_why);
	said = w->raw->facts.status;
	if (said_in_this_connection(w)) {
		/* a refusal lights no lamp, and the source asks again in its own time */
		bool refused =
		    said == STATE_STATUS_ERROR || said == STATE_STATUS_ACCESS_DENIED || said == STATE_STATUS_NOT_FOUND;

		if (w->unproved_since == 0 || refused || (said != STATE_STATUS_OK && !w->failed)) {
			*ret_why = w->raw->facts.why;
			return said;
		}
		*ret_why = w->doubt != NULL ? w->doubt :
		    w->failed		    ? "the source did not answer when asked to prove it" :
					      "the source has not answered yet when asked to prove it";
		return w->failed ? STATE_STATUS_ERROR : STATE_STATUS_STALE;
	}
	if (w->generation < c->held_below) {
		*ret_why = c->up ? "the source was away for longer than hold" : channel_why(c);
		return STATE_STATUS_ERROR;
	}
	if (w->generation < c->error_below) {
		*ret_why = "not reported after the reconnection";
		return STATE_STATUS_ERROR;
	}
	*ret_why = c->up ? "not reported again yet after the reconnection" : channel_why(c);
	return said == STATE_STATUS_OK ? STATE_STATUS_STALE : said;
}

void watch_mark_users(struct aggregator *a, struct watch *w, unsigned work)
{
	for (uint32_t i = 0; i < w->user_count; i++)
		presentity_mark(a, w->users[i], work);
}

/* --- timers -------------------------------------------------------------------------------------- */

/* How long a state is believed before it is to be proved. */
static int64_t proof_interval(const struct aggregator_settings *s, const struct watch *w)
{
	const struct raw_facts *f = w->raw == NULL ? NULL : &w->raw->facts;

	if (f != NULL && (f->status == STATE_STATUS_ACCESS_DENIED || f->status == STATE_STATUS_NOT_FOUND))
		return s->verify_any; /* an answer, and one that rarely changes */
	if (f == NULL || f->status != STATE_STATUS_OK || w->unproved_since != 0 || !said_in_this_connection(w))
		return s->verify_requesting;
	if ((f->known & RAW_LINE) == 0)
		return s->verify_any;
	switch ((enum line)f->line) {
	case LINE_RINGING:
		return s->verify_ringing;
	case LINE_BUSY:
	case LINE_HELD:
		return s->verify_busy;
	case LINE_IDLE:
	case LINE_OFFLINE:
	case LINE_COUNT:
		break;
	}
	return s->verify_any;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The next moment at which time alone changes something of this watch. */
static int64_t next_due(const struct aggregator *a, const struct watch *w)
{
	int64_t due = INSTANT_NEVER;

	if (w->valid_until != 0)
		due = w->valid_until;
	if (w->unproved_since != 0 && !w->failed)
		due = earlier(due, w->unproved_since + a->settings.hold);
	if (w->asked != 0)
		due = earlier(due, w->asked + AGGREGATOR_VERIFY_ANSWER_MS);
	else if (w->channel->up && !w->queued)
		due = earlier(due, w->touched + proof_interval(&a->settings, w));
	return due;
}

static void untime(struct aggregator *a, struct watch *w)
{
	if (w->timed)
		RB_REMOVE(watch_timers, &a->timers, w);
	w->timed = false;
}

/* A timer that fires too early only looks again, so moving one later costs nothing now. */
void watch_schedule(struct aggregator *a, struct watch *w)
{
	int64_t due = next_due(a, w);

	if (w->timed && w->due <= due)
		return;
	untime(a, w);
	if (due == INSTANT_NEVER)
		return;
	w->due = due;
	w->timed = true;
	RB_INSERT(watch_timers, &a->timers, w);
}

void watch_set_unproved(struct watch *w, int64_t since)
{
	w->channel->unproved += (since != 0) - (w->unproved_since != 0);
	w->unproved_since = since;
}

void watch_unqueue(struct watch *w)
{
	if (w->queued)
		TAILQ_REMOVE(&w->channel->source->verify_queue, w, queue);
	w->queued = false;
}

/* Whether what is published of it may have changed. */
static bool look_at(struct aggregator *a, struct watch *w, struct instant now)
{
	bool changed = false;

	if (w->valid_until != 0 && now.mono >= w->valid_until) {
		w->valid_until = 0;
		watch_set_unproved(w, w->unproved_since != 0 ? w->unproved_since : now.mono);
		changed = true;
	}
	if (w->asked != 0 && now.mono >= w->asked + AGGREGATOR_VERIFY_ANSWER_MS) {
		w->asked = 0;
		watch_set_unproved(w, w->unproved_since != 0 ? w->unproved_since : now.mono);
		w->channel->source->unanswered++;
		changed = true;
	}
	if (w->unproved_since != 0 && !w->failed && now.mono >= w->unproved_since + a->settings.hold) {
		w->failed = true;
		changed = true;
	}
	if (w->asked == 0 && !w->queued && w->channel->up && now.mono >= w->touched + proof_interval(&a->settings, w)) {
		TAILQ_INSERT_TAIL(&w->channel->source->verify_queue, w, queue);
		w->queued = true;
	}
	return changed;
}

static void credit(struct agg_source *s, int64_t rate, struct instant now)
{
	int64_t most = rate * 100 > 1000 ? rate * 100 : 1000; /* a tenth of a second's worth, at least one */

	s->verify_credit += (now.mono - s->verify_credited) * rate;
	if (s->verify_credit > most)
		s->verify_credit = most;
	s->verify_credited = now.mono;
}

static void ask(struct aggregator *a, struct watch *w, struct instant now)
{
	watch_unqueue(w);
	w->asked = w->touched = now.mono;
	w->channel->source->verifications++;
	watch_schedule(a, w);
	a->host->verify(w->channel->source->owner, w->address, w->channel->domain);
}

static void verify_some(struct aggregator *a, struct agg_source *s, struct instant now)
{
	struct watch *w;

	credit(s, a->settings.verify_rate, now);
	while ((w = TAILQ_FIRST(&s->verify_queue)) != NULL && s->verify_credit >= 1000) {
		if (!w->channel->up) { /* nobody there to answer: asked again when it is */
			watch_unqueue(w);
			watch_schedule(a, w);
			continue;
		}
		s->verify_credit -= 1000;
		ask(a, w, now);
	}
}

bool watches_run(struct aggregator *a, struct instant now, size_t budget)
{
	struct agg_source *s;
	struct watch *w;
	size_t done = 0;

	while ((w = RB_MIN(watch_timers, &a->timers)) != NULL && w->due <= now.mono && done++ < budget) {
		untime(a, w);
		if (look_at(a, w, now))
			watch_mark_users(a, w, WORK_COMPOSE);
		watch_schedule(a, w);
	}
	TAILQ_FOREACH (s, &a->sources, link)
		verify_some(a, s, now);
	return done > budget;
}

int64_t watches_deadline(const struct aggregator *a)
{
	const struct watch *w = RB_MIN(watch_timers, (struct watch_timers *)(uintptr_t)&a->timers);
	int64_t deadline = w == NULL ? INSTANT_NEVER : w->due;
	const struct agg_source *s;

	TAILQ_FOREACH (s, &a->sources, link) {
		int64_t rate = a->settings.verify_rate;

		if (!TAILQ_EMPTY(&s->verify_queue))
			deadline = earlier(deadline, s->verify_credited + (1000 - s->verify_credit + rate - 1) / rate);
	}
	return deadline;
}

/* --- life ---------------------------------------------------------------------------------------- */

static int join(struct watch *w, struct presentity *p)
{
	struct presentity **users = reallocarray(w->users, w->user_count + 1, sizeof *users);

	if (users == NULL)
		return -ENOMEM;
	w->users = users;
	w->users[w->user_count++] = p;
	return 0;
}

static int enter_channel(struct channel *c, struct watch *w)
{
	if (c->watch_count == c->watch_size) {
		uint32_t size = c->watch_size == 0 ? 16 : c->watch_size * 2;
		struct watch **watches = reallocarray(c->watches, size, sizeof *watches);

		if (watches == NULL)
			return -ENOMEM;
		c->watches = watches;
		c->watch_size = size;
	}
	if (hashtab_insert(&c->by_address, &w->link) < 0)
		return -ENOMEM;
	w->place = c->watch_count;
	c->watches[c->watch_count++] = w;
	return 0;
}

/* The last one takes its place. If that one was already swept it is swept once more, which does no harm. */
static void leave_channel(struct channel *c, struct watch *w)
{
	struct watch *last = c->watches[--c->watch_count];

	watch_set_unproved(w, 0);
	c->watches[w->place] = last;
	last->place = w->place;
	hashtab_remove(&c->by_address, &w->link);
	if (c->sweep > c->watch_count)
		c->sweep = c->watch_count;
}

static void watch_free(struct aggregator *a, struct watch *w)
{
	untime(a, w);
	watch_unqueue(w);
	raw_state_unref(w->raw);
	free(w->doubt);
	free(w->users);
	free(w);
}

int watch_acquire(struct aggregator *a, struct channel *c, const char *address, struct presentity *p,
    struct instant now, struct watch **ret)
{
	struct hash_link *link = hashtab_find(&c->by_address, address);
	size_t len = strlen(address);
	struct watch *w;

	if (link != NULL) {
		*ret = hash_entry(link, struct watch, link);
		return join(*ret, p);
	}
	w = calloc(1, sizeof *w + len + 1);
	if (w == NULL)
		return -ENOMEM;
	memcpy(w->address, address, len + 1);
	w->channel = c;
	w->touched = now.mono;
	w->generation = c->generation;
	if (join(w, p) < 0 || enter_channel(c, w) < 0) {
		watch_free(a, w);
		return -ENOMEM;
	}
	if (a->host->watch(c->source->owner, address, c->domain) < 0) {
		leave_channel(c, w);
		watch_free(a, w);
		return -ENOMEM;
	}
	watch_schedule(a, w);
	*ret = w;
	return 0;
}

void watch_release(struct aggregator *a, struct watch *w, struct presentity *p)
{
	for (uint32_t i = 0; i < w->user_count; i++)
		if (w->users[i] == p)
			w->users[i] = w->users[--w->user_count];
	if (w->user_count > 0)
		return;
	if (a->host->unwatch != NULL)
		a->host->unwatch(w->channel->source->owner, w->address, w->channel->domain);
	leave_channel(w->channel, w);
	watch_free(a, w);
}

void watch_drop_all(struct aggregator *a, struct channel *c)
{
	while (c->watch_count > 0) {
		struct watch *w = c->watches[c->watch_count - 1];

		leave_channel(c, w);
		watch_free(a, w);
	}
	free(c->watches);
	c->watches = NULL;
	hashtab_done(&c->by_address);
}
