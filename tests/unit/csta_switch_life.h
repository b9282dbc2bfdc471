/* csta_switch_life.h: what people do with their telephones, and what befalls the switch; at random, and always legal.
 * SPDX-License-Identifier: MIT
 *
 * A function that begins with do_ returns false if what it was to do is not possible now.
 */
#ifndef PRESENCED_TESTS_CSTA_SWITCH_LIFE_H
#define PRESENCED_TESTS_CSTA_SWITCH_LIFE_H

#include "tests/unit/csta_switch_model.h"

#define CALLS_OF_ONE 4

/* --- who can what ---------------------------------------------------------------------------------- */

static inline bool is_inside(const struct tele *t, int p)
{
	return p >= 0 && p < (int)t->devices;
}

/* A device, or a number outside. */
static inline int any_party(const struct tele *t)
{
	size_t at = random_below(t->devices + PARTIES - DEVICES);

	return (int)(at < t->devices ? at : at - t->devices + DEVICES);
}

static inline int any_device(const struct tele *t)
{
	return (int)random_below(t->devices);
}

static inline size_t calls_in_use(const struct tele *t)
{
	size_t count = 0;

	for (size_t i = 0; i < CALLS; i++)
		count += t->calls[i].used;
	return count;
}

static inline struct call *any_call(struct tele *t)
{
	size_t count = calls_in_use(t), skip = count == 0 ? 0 : random_below(count);
	struct call *c = t->calls;

	if (count == 0)
		return NULL;
	while (!c->used || skip-- > 0)
		c++;
	return c;
}

/* One of a set, -1 if it is empty. */
static inline int any_of(unsigned set)
{
	size_t skip = set == 0 ? 0 : random_below((size_t)count_of(set));

	while (skip-- > 0)
		set &= set - 1;
	return first_of(set);
}

/* The call that p is in the middle of, or NULL. */
static inline struct call *active_call(struct tele *t, int p)
{
	for (size_t i = 0; i < CALLS; i++)
		if (t->calls[i].used &&
		    (t->calls[i].at[p] == CONNECTED || t->calls[i].at[p] == INITIATED || t->calls[i].at[p] == FAIL))
			return &t->calls[i];
	return NULL;
}

static inline bool is_free(struct tele *t, int p)
{
	return !is_inside(t, p) || (t->device[p].in_service && active_call(t, p) == NULL);
}

static inline bool can_be_called(const struct tele *t, const struct call *c, int p)
{
	int count = 0;

	if (p < 0 || c->at[p] != GONE || (is_inside(t, p) && !t->device[p].in_service))
		return false;
	for (size_t i = 0; i < CALLS; i++)
		count += t->calls[i].used && t->calls[i].at[p] != GONE;
	return count < CALLS_OF_ONE;
}

static inline bool has_talk(const struct call *c, int p)
{
	return c->at[p] == CONNECTED && answered_for(c, p);
}

/* --- the end of calls ------------------------------------------------------------------------------ */

static inline void clear_one(struct tele *t, struct call *c, int p, unsigned audience)
{
	set_end(t, c, p, GONE);
	tell(t, c, CLEAR, p, audience, "normalClearing");
}

/* The call ends because p hangs up. Switches differ in what they tell to whom, and in which order. `deaf` hear nothing. */
static inline void end_call(struct tele *t, struct call *c, int p, unsigned deaf)
{
	enum { P_FIRST, P_LAST, ALL_OF_ALL, OWN_ONLY, AT_ONCE, STYLES } style = random_below(STYLES);
	unsigned all = members(c), hearing = all & ~deaf;

	if (style == AT_ONCE) {
		for
			EACH(o, all)
		set_end(t, c, o, GONE);
		tell(t, c, CALL_CLEAR, p, hearing, "normalClearing");
	} else {
		if (style != P_LAST && (all & bit(p)) != 0)
			clear_one(t, c, p, style == OWN_ONLY ? bit(p) & ~deaf : hearing);
		for
			EACH(o, all & ~bit(p))
		clear_one(t, c, o,
		    style == OWN_ONLY	    ? bit(o) & ~deaf :
			style == ALL_OF_ALL ? hearing :
					      (members(c) | bit(o)) & ~deaf);
		if (style == P_LAST)
			clear_one(t, c, p, bit(p) & ~deaf);
	}
	c->used = false;
}

/* One who is called does not take it: the others ring on, or the caller hears that it is busy. */
static inline void refuse_call(struct tele *t, struct call *c, int p, unsigned deaf)
{
	clear_one(t, c, p, (members(c) | bit(p)) & ~deaf);
	if (members_that_are(c, ALERTING, QUEUED) != 0 || count_of(members(c)) > 1)
		return;
	c->far = FAIL;
	tell(t, c, FAILED, p, members(c) & ~deaf, "callCancelled");
}

static inline void leave_call(struct tele *t, struct call *c, int p, unsigned deaf)
{
	unsigned talking = members_that_are(c, CONNECTED, HOLD) & ~bit(p);

	if ((c->at[p] == ALERTING || c->at[p] == QUEUED) && talking != 0) {
		refuse_call(t, c, p, deaf);
	} else if (count_of(talking) >= 2) {
		c->plain = false;
		clear_one(t, c, p, (members(c) | bit(p)) & ~deaf);
	} else {
		end_call(t, c, p, deaf);
	}
}

static inline bool do_hang_up(struct tele *t)
{
	struct call *c = any_call(t);
	int p = c == NULL ? -1 : any_of(members(c));

	if (p < 0 || c->at[p] == QUEUED)
		return false;
	note(t, "%s hangs up %d", numbers[p], c->id);
	leave_call(t, c, p, 0);
	return true;
}

/* --- the begin of calls ---------------------------------------------------------------------------- */

static inline bool do_lift(struct tele *t)
{
	int p = any_device(t);
	struct call *c = is_free(t, p) && calls_in_use(t) < CALLS - 2 ? new_call(t, p) : NULL;

	if (c == NULL)
		return false;
	note(t, "%s lifts the receiver", numbers[p]);
	set_end(t, c, p, INITIATED);
	tell(t, c, INITIATE, p, members(c), "newCall");
	return true;
}

static inline bool do_dial(struct tele *t)
{
	int to = any_party(t), p;
	struct call *c = any_call(t);

	p = c == NULL ? -1 : any_of(members_that_are(c, INITIATED, INITIATED));
	if (p < 0 || to == p)
		return false;
	note(t, "%s dials %s", numbers[p], numbers[to]);
	c->called = to;
	set_end(t, c, p, CONNECTED);
	tell(t, c, ORIGINATE, p, members(c), "newCall");
	return true;
}

/* Dialled, and nothing has come of it yet. */
static inline struct call *dialled_call(struct tele *t)
{
	struct call *c = any_call(t);

	return c != NULL && c->called >= 0 && c->far == GONE && count_of(members(c)) == 1 &&
		members_that_are(c, CONNECTED, CONNECTED) != 0 ?
	    c :
	    NULL;
}

static inline void ring(struct tele *t, struct call *c, int p)
{
	c->far = GONE;
	set_end(t, c, p, ALERTING);
	if (random_below(4) == 0)
		tell(t, c, OFFER, p, bit(p), "newCall");
	tell(t, c, DELIVER, p, members(c), "newCall");
}

/* By a program, without a dialling tone; or from outside. */
static inline bool do_make_call(struct tele *t)
{
	int p = any_party(t), to = is_inside(t, p) ? any_party(t) : any_device(t);
	struct call *c = p != to && is_free(t, p) && calls_in_use(t) < CALLS - 2 ? new_call(t, p) : NULL;

	if (c == NULL)
		return false;
	note(t, "%s calls %s", numbers[p], numbers[to]);
	c->called = to;
	c->withheld = !is_inside(t, p) && random_below(4) == 0;
	set_end(t, c, p, CONNECTED);
	tell(t, c, ORIGINATE, p, members(c), "makeCall");
	if (!is_inside(t, p) && can_be_called(t, c, to))
		ring(t, c, to);
	return true;
}

/* The device that it does not ring at may hear of it all the same; that is then over for it. */
static inline void tell_forwarded(struct tele *t, struct call *c)
{
	bool hears = random_below(2) == 0;

	if (hears)
		note_left(t, c->id, c->called);
	tell(t, c, DIVERT, c->called, members(c) | (hears ? bit(c->called) : 0), "callForwardImmediate");
}

static inline bool do_ring(struct tele *t)
{
	struct call *c = dialled_call(t);
	int to;

	if (c == NULL)
		return false;
	to = is_inside(t, c->called) ? forwarded_to(&t->device[c->called]) : -1;
	if (can_be_called(t, c, to)) {
		note(t, "%d is forwarded to %s", c->id, numbers[to]);
		c->plain = false;
		tell_forwarded(t, c);
		ring(t, c, to);
		return true;
	}
	if (!can_be_called(t, c, c->called))
		return false;
	note(t, "%d rings at %s", c->id, numbers[c->called]);
	ring(t, c, c->called);
	return true;
}

/* The other end is busy; or the caller's own end fails. */
static inline bool do_fail(struct tele *t)
{
	struct call *c = dialled_call(t);
	bool own = random_below(3) == 0;

	if (c == NULL)
		return false;
	note(t, "%d fails%s", c->id, own ? " at the caller" : "");
	if (own)
		set_end(t, c, c->calling, FAIL);
	else
		c->far = FAIL;
	tell(t, c, FAILED, own ? c->calling : c->called, members(c), own ? "blocked" : "busy");
	return true;
}

/* In the queue of a group, or camped on at a device. */
static inline bool do_queue(struct tele *t)
{
	struct call *c = dialled_call(t);
	bool at_device = random_below(2) == 0;

	if (c == NULL || (at_device && !can_be_called(t, c, c->called)))
		return false;
	note(t, "%d waits%s", c->id, at_device ? " at the device" : " in a queue");
	if (at_device)
		set_end(t, c, c->called, QUEUED);
	else
		c->far = QUEUED;
	tell(t, c, QUEUE, c->called, members(c), "enteringDistribution");
	return true;
}

static inline bool do_leave_queue(struct tele *t)
{
	struct call *c = any_call(t);
	int p = c == NULL ? -1 : any_of(members_that_are(c, QUEUED, QUEUED));

	if (c == NULL || (p < 0 && (c->far != QUEUED || !can_be_called(t, c, c->called))))
		return false;
	p = p < 0 ? c->called : p;
	note(t, "%d leaves the queue for %s", c->id, numbers[p]);
	ring(t, c, p);
	return true;
}

/* A call that rings somewhere, besides at `not`; where to *ret. */
static inline struct call *ringing_call(struct tele *t, int *ret)
{
	struct call *c = any_call(t);

	*ret = c == NULL ? -1 : any_of(members_that_are(c, ALERTING, ALERTING));
	return *ret < 0 ? NULL : c;
}

/* Another member of the group hears it too. */
static inline bool do_ring_too(struct tele *t)
{
	int p, other = any_device(t);
	struct call *c = ringing_call(t, &p);

	if (c == NULL || !can_be_called(t, c, other))
		return false;
	note(t, "%d rings at %s too", c->id, numbers[other]);
	c->plain = false;
	ring(t, c, other);
	return true;
}

static inline bool do_divert(struct tele *t)
{
	int p, to = any_party(t);
	struct call *c = ringing_call(t, &p);

	if (c == NULL || !can_be_called(t, c, to))
		return false;
	note(t, "%d goes on from %s to %s", c->id, numbers[p], numbers[to]);
	c->plain = false;
	set_end(t, c, p, GONE);
	tell(t, c, DIVERT, p, members(c) | bit(p), "callForwardNoAnswer");
	ring(t, c, to);
	return true;
}

/* --- answering, holding ---------------------------------------------------------------------------- */

static inline void stop_ringing_elsewhere(struct tele *t, struct call *c)
{
	for
		EACH(p, members_that_are(c, ALERTING, ALERTING))
		{
			enum what what = random_below(2) == 0 ? CLEAR : DIVERT;

			set_end(t, c, p, GONE);
			tell(t, c, what, p, members(c) | bit(p), "distributed");
		}
}

static inline void hold(struct tele *t, struct call *c, int p)
{
	set_end(t, c, p, HOLD);
	tell(t, c, HELD, p, members(c), "keyOperation");
}

static inline bool do_answer(struct tele *t)
{
	int p;
	struct call *c = ringing_call(t, &p), *other = c == NULL ? NULL : active_call(t, p);

	if (c == NULL || (is_inside(t, p) && other != NULL && !has_talk(other, p)))
		return false;
	if (is_inside(t, p) && other != NULL)
		hold(t, other, p);
	note(t, "%s answers %d", numbers[p], c->id);
	set_end(t, c, p, CONNECTED);
	tell(t, c, ESTABLISH, p, members(c), "newCall");
	stop_ringing_elsewhere(t, c);
	return true;
}

static inline bool do_pick_up(struct tele *t)
{
	int p, by = any_device(t);
	struct call *c = ringing_call(t, &p);

	if (c == NULL || !is_free(t, by) || !can_be_called(t, c, by))
		return false;
	note(t, "%s picks up %d from %s", numbers[by], c->id, numbers[p]);
	c->plain = false;
	set_end(t, c, p, GONE);
	tell(t, c, DIVERT, p, members(c) | bit(p), "callPickup");
	set_end(t, c, by, CONNECTED);
	tell(t, c, ESTABLISH, by, members(c), "callPickup");
	stop_ringing_elsewhere(t, c);
	return true;
}

static inline bool do_hold(struct tele *t)
{
	struct call *c = any_call(t);
	int p = c == NULL ? -1 : any_of(members_that_are(c, CONNECTED, CONNECTED));

	if (p < 0 || count_of(members(c)) < 2 || members_that_are(c, QUEUED, QUEUED) != 0)
		return false;
	note(t, "%s holds %d", numbers[p], c->id);
	hold(t, c, p);
	return true;
}

static inline void retrieve(struct tele *t, struct call *c, int p)
{
	set_end(t, c, p, CONNECTED);
	tell(t, c, RETRIEVE, p, members(c), "keyOperation");
}

/* Alternate, if there is a call already: the switch tells either half first. */
static inline bool do_retrieve(struct tele *t)
{
	struct call *c = any_call(t), *other;
	int p = c == NULL ? -1 : any_of(members_that_are(c, HOLD, HOLD));

	if (p < 0)
		return false;
	other = is_inside(t, p) ? active_call(t, p) : NULL;
	if (other != NULL && !has_talk(other, p))
		return false;
	note(t, "%s retrieves %d", numbers[p], c->id);
	if (other == NULL) {
		retrieve(t, c, p);
	} else if (random_below(2) == 0) {
		hold(t, other, p);
		retrieve(t, c, p);
	} else {
		retrieve(t, c, p);
		hold(t, other, p);
	}
	return true;
}

/* Hold, and a second call at once. */
static inline bool do_consult(struct tele *t)
{
	int p = any_device(t), to = any_party(t);
	struct call *c = active_call(t, p), *second;

	if (c == NULL || to == p || !has_talk(c, p) || (second = new_call(t, p)) == NULL)
		return false;
	note(t, "%s consults %s", numbers[p], numbers[to]);
	hold(t, c, p);
	set_end(t, second, p, INITIATED);
	tell(t, second, INITIATE, p, members(second), "consultation");
	second->called = to;
	set_end(t, second, p, CONNECTED);
	tell(t, second, ORIGINATE, p, members(second), "consultation");
	if (random_below(2) == 0 && can_be_called(t, second, to))
		ring(t, second, to);
	return true;
}

/* --- two calls become one -------------------------------------------------------------------------- */

/* A call that somebody holds, with the one he is in, nobody else in both; -1: there is none. */
static inline int two_calls(struct tele *t, struct call **ret_held, struct call **ret_active)
{
	struct call *held = any_call(t), *active;
	int p = held == NULL ? -1 : any_of(members_that_are(held, HOLD, HOLD) & ((1u << t->devices) - 1));

	active = p < 0 ? NULL : active_call(t, p);
	*ret_held = held;
	*ret_active = active;
	return active != NULL && active->at[p] == CONNECTED && (members(held) & members(active)) == bit(p) &&
		count_of(members(held)) > 1 && count_of(members(active)) > 1 && answered_for(held, p) &&
		members_that_are(held, ALERTING, QUEUED) == 0 && members_that_are(active, QUEUED, QUEUED) == 0 ?
	    p :
	    -1;
}

/* Whoever was in an old call goes on in the new one, unless he is `out`. */
static inline void move_end(struct tele *t, const struct call *old, struct call *c, int p, int out)
{
	if (p == out || old->id != c->id)
		note_left(t, old->id, p);
	if (p != out && old->id != c->id)
		note_entered(t, c, p);
	c->at[p] = p == out ? GONE : old->at[p];
	c->told[p] = p == out ? GONE : old->told[p];
}

/* Both calls are one, in the place of the second, under a new id or under one of theirs. */
static inline void merge(struct tele *t, struct join *j, struct call *a, struct call *b)
{
	const struct call old_a = *a, old_b = *b;
	const int ids[] = { ++t->last_id, a->id, b->id };

	j->first = a->id;
	j->second = b->id;
	j->had_first = members(a);
	j->to = first_of(members(b) & ~bit(j->by));
	j->call = b;
	a->used = false;
	b->id = ids[random_below(3)];
	b->plain = b->withheld = false;
	b->reused = b->reused || old_a.reused;
	b->loose = old_a.loose || old_b.loose || members_that_are(b, ALERTING, ALERTING) != 0;
	b->calling = first_of(members(a) & ~bit(j->by));
	for
		EACH(p, members(&old_a))
	move_end(t, &old_a, b, p, j->transfer ? j->by : -1);
	for
		EACH(p, members(&old_b))
	move_end(t, &old_b, b, p, j->transfer ? j->by : -1);
}

static inline bool do_transfer(struct tele *t)
{
	struct call *a, *b;
	struct join j = { .transfer = true, .by = two_calls(t, &a, &b) };
	unsigned audience;

	if (j.by < 0)
		return false;
	note(t, "%s transfers %d to %d", numbers[j.by], a->id, b->id);
	audience = members(a) | members(b);
	merge(t, &j, a, b);
	tell_join(t, &j, b, audience);
	return true;
}

static inline bool do_conference(struct tele *t)
{
	struct call *a, *b;
	struct join j = { .transfer = false, .by = two_calls(t, &a, &b) };
	unsigned audience;

	if (j.by < 0 || members_that_are(b, ALERTING, HOLD) != 0 || members_that_are(a, HOLD, ALERTING) != bit(j.by))
		return false;
	note(t, "%s makes a conference of %d and %d", numbers[j.by], a->id, b->id);
	audience = members(a) | members(b);
	merge(t, &j, a, b);
	for
		EACH(m, audience)
	b->at[m] = CONNECTED;
	tell_join(t, &j, b, audience);
	return true;
}

/* To somebody who has not been asked. */
static inline bool do_blind_transfer(struct tele *t)
{
	int p = any_device(t), to = any_party(t), id;
	struct call *c = active_call(t, p);
	struct join j = { .transfer = true, .by = p, .to = to };

	if (c == NULL || count_of(members(c)) != 2 || count_of(members_that_are(c, CONNECTED, CONNECTED)) != 2 ||
	    !can_be_called(t, c, to))
		return false;
	note(t, "%s transfers %d to %s", numbers[p], c->id, numbers[to]);
	id = c->id;
	j.first = id;
	j.had_first = members(c);
	set_end(t, c, p, GONE);
	c->plain = c->withheld = false;
	c->loose = true;
	c->calling = first_of(members(c));
	c->called = to;
	if (random_below(2) == 0) {
		enum end was = c->at[c->calling];

		set_end(t, c, c->calling, GONE);
		c->id = ++t->last_id;
		c->at[c->calling] = was;
	}
	j.call = c;
	tell_join(t, &j, c, j.had_first);
	set_end(t, c, to, ALERTING);
	tell(t, c, DELIVER, to, members(c), "singleStepTransfer");
	return true;
}

/* --- features and misfortunes ---------------------------------------------------------------------- */

static inline bool do_dnd(struct tele *t)
{
	int p = any_device(t);

	if (!t->device[p].in_service)
		return false;
	t->device[p].dnd = !t->device[p].dnd;
	note(t, "%s do not disturb %d", numbers[p], t->device[p].dnd);
	tell_feature(t, FEATURE_DND, p, 0);
	return true;
}

static inline bool do_forward(struct tele *t)
{
	static const int often[] = { FORWARD_ALL, FORWARD_ALL, FORWARD_INT, FORWARD_EXT, FORWARD_INT, FORWARD_EXT };
	int p = any_device(t), kind = (int)random_below(FORWARDS);

	if (!t->device[p].in_service)
		return false;
	kind = random_below(3) == 0 ? kind : often[random_below(COUNT_OF(often))];
	t->device[p].forwards[kind].programmed = true;
	t->device[p].forwards[kind].on = random_below(3) != 0;
	do
		t->device[p].forwards[kind].to = any_party(t);
	while (t->device[p].forwards[kind].to == p);
	note(t, "%s %s %s to %s", numbers[p], forward_names[kind], t->device[p].forwards[kind].on ? "on" : "off",
	    numbers[t->device[p].forwards[kind].to]);
	tell_feature(t, FEATURE_FORWARD, p, kind);
	return true;
}

/* Out of service, the calls told as ended before that or not told of at all to the device; or back. */
static inline bool do_service(struct tele *t)
{
	int p = any_device(t);
	struct device *d = &t->device[p];
	bool before = random_below(2) == 0;

	note(t, "%s is %s", numbers[p], d->in_service ? "out of service" : "in service again");
	d->in_service = !d->in_service;
	if (d->in_service) {
		make_unsure(t, p);
		tell_feature(t, FEATURE_BACK, p, 0);
		return true;
	}
	if (!before)
		tell_feature(t, FEATURE_OUT, p, 0);
	for (size_t i = 0; i < CALLS; i++)
		if (t->calls[i].used && t->calls[i].at[p] != GONE)
			leave_call(t, &t->calls[i], p, before ? 0 : bit(p));
	if (before)
		tell_feature(t, FEATURE_OUT, p, 0);
	return true;
}

static inline bool do_stop_monitor(struct tele *t)
{
	size_t i = t->monitor_count == 0 ? 0 : random_below(t->monitor_count);

	if (i >= t->monitor_count || !t->monitors[i].live || !t->monitors[i].known || t->mute)
		return false; /* no switch stops what it has not said to be started */
	note(t, "the monitor m-%zu of %s is stopped", i, numbers[t->monitors[i].device]);
	t->monitors[i].live = false;
	make_unsure(t, t->monitors[i].device);
	open_event(t, "MonitorStop", (int)i);
	put(&t->text, "</MonitorStop>");
	t->stop(t, t->text.s);
	return true;
}

/* Something happens to the calls or features, if something can. */
static inline void do_something(struct tele *t)
{
	static bool (*const often[])(struct tele *) = { do_make_call, do_make_call, do_lift, do_dial, do_dial, do_ring,
		do_ring, do_ring, do_ring, do_ring, do_answer, do_answer, do_answer, do_answer, do_answer, do_answer,
		do_hang_up, do_hang_up, do_fail, do_queue, do_leave_queue, do_ring_too, do_divert, do_pick_up, do_hold,
		do_retrieve, do_retrieve, do_consult, do_consult, do_consult, do_transfer, do_transfer, do_transfer,
		do_transfer, do_transfer, do_transfer, do_conference, do_conference, do_conference, do_conference,
		do_conference, do_conference, do_blind_transfer, do_dnd, do_forward };

	for (int tries = 0; tries < 60; tries++)
		if (random_below(50) == 0 ? do_service(t) : often[random_below(COUNT_OF(often))](t))
			return;
}

#endif
