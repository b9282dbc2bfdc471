/* csta_monitors.c: lines that are watched, whose turn it is, and what events do to them.
 * SPDX-License-Identifier: MIT
 *
 * Three queues: what cannot wait (verifications, doubts, monitors that are to be stopped), rounds of questions that have
 * begun, monitors to be started. So a line that is begun is finished before the next one is begun.
 */
#include "connectors/tapi/csta_monitors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/tapi/csta_monitors_private.h"
#include "connectors/tapi/csta_write.h"

struct instant csta_monitors_now(const struct csta_monitors *s)
{
	return csta_exchange_time(s->exchange);
}

static const char *device_key(const struct hash_link *link)
{
	return hash_entry(link, const struct csta_device, link)->device;
}

static const char *ref_key(const struct hash_link *link)
{
	return hash_entry(link, const struct csta_device, by_ref)->ref;
}

static struct csta_device *find(const struct csta_monitors *s, const char *device)
{
	struct hash_link *link = hashtab_find(&s->devices, device);

	return link == NULL ? NULL : hash_entry(link, struct csta_device, link);
}

static struct csta_device *monitored_as(const struct csta_monitors *s, const char *ref)
{
	struct hash_link *link = ref == NULL ? NULL : hashtab_find(&s->refs, ref);

	return link == NULL ? NULL : hash_entry(link, struct csta_device, by_ref);
}

/* --- places and times ------------------------------------------------------------------------------ */

static void dequeue(struct csta_device *d)
{
	if (d->queue != QUEUE_NONE)
		TAILQ_REMOVE(&d->of->queues[d->queue], d, place);
	d->queue = QUEUE_NONE;
}

void csta_device_enqueue(struct csta_device *d, enum csta_queue queue)
{
	if (d->segments != NULL || d->step != STEP_NONE) { /* when its answer has come */
		d->rank = d->rank < queue ? d->rank : (uint8_t)queue;
		return;
	}
	if (d->queue != QUEUE_NONE && d->queue <= queue)
		return;
	dequeue(d);
	d->queue = (uint8_t)queue;
	TAILQ_INSERT_TAIL(&d->of->queues[queue], d, place);
}

void csta_device_want(struct csta_device *d, unsigned questions, enum csta_queue queue)
{
	d->want |= (uint8_t)questions;
	if (d->ref != NULL)
		csta_device_enqueue(d, queue);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void csta_device_time(struct csta_device *d)
{
	int64_t at = earlier(earlier(d->start_at, d->calls_at), earlier(d->say_at, earlier(d->pieces_at, d->poll_at)));

	if (at == INSTANT_NEVER)
		wheel_disarm(&d->of->wheel, &d->timer);
	else if (at != d->timer.due)
		wheel_arm(&d->of->wheel, &d->timer, at > 0 ? at : 1);
}

static void forget_times(struct csta_device *d)
{
	d->start_at = d->calls_at = d->say_at = d->pieces_at = d->poll_at = INSTANT_NEVER;
	csta_device_time(d);
}

void csta_device_set_ref(struct csta_device *d, const char *ref)
{
	struct csta_monitors *s = d->of;

	if (d->ref != NULL)
		hashtab_remove(&s->refs, &d->by_ref);
	free(d->ref);
	d->ref = ref == NULL ? NULL : strdup(ref);
	if (d->ref != NULL && hashtab_insert(&s->refs, &d->by_ref) < 0) {
		free(d->ref);
		d->ref = NULL;
	}
}

/* --- saying ---------------------------------------------------------------------------------------- */

void csta_device_say(struct csta_device *d)
{
	struct line_reading reading;

	if (!d->watched)
		return;
	line_read(&d->line, &reading);
	d->of->owner.said(d->of->owner.arg, d->device, &reading.facts);
}

void csta_device_say_status(struct csta_device *d, enum state_status status, const char *why)
{
	const struct raw_facts facts = {
		.domain = DOMAIN_TELEPHONY, .status = (int8_t)status, .activity = -1, .forward_kind = -1, .why = why
	};

	if (d->watched)
		d->of->owner.said(d->of->owner.arg, d->device, &facts);
}

void csta_device_settle(struct csta_device *d)
{
	if (d->owed)
		d->of->owed--;
	d->owed = false;
}

static void check_settled(struct csta_monitors *s)
{
	if (!s->settling || s->owed > 0)
		return;
	s->settling = false;
	s->owner.settled(s->owner.arg);
}

/* --- lines ----------------------------------------------------------------------------------------- */

void csta_device_drop_pieces(struct csta_device *d)
{
	if (d->segments == NULL)
		return;
	free(d->segments);
	d->segments = NULL;
	TAILQ_REMOVE(&d->of->segmented, d, place);
}

/* No question is out or to be asked. */
static void drop_round(struct csta_device *d)
{
	csta_cancel(d->of->exchange, &d->request);
	d->step = STEP_NONE;
	d->want = 0;
	csta_device_drop_pieces(d);
	dequeue(d);
	forget_times(d);
}

/* Nothing is known and nothing is to be done. A monitor that is being started is waited for: it will be there. */
static void reset(struct csta_device *d, bool gone)
{
	if (gone || d->step != STEP_START)
		drop_round(d);
	csta_device_settle(d);
	d->was_active = d->was_active || d->line.count > 0;
	line_lost(&d->line);
	d->cannot = d->silence = 0;
	d->renew = RENEW_NOT;
	d->refused = d->again = d->quiet = d->unproved = false;
	d->restart_ms = d->doubt_ms = 0;
}

void csta_device_start_in(struct csta_device *d, int64_t ms)
{
	d->start_at = ms == 0 ? INSTANT_NEVER : csta_monitors_now(d->of).mono + ms;
	csta_device_time(d);
}

void csta_device_start_later(struct csta_device *d)
{
	int64_t now = csta_monitors_now(d->of).mono;

	if (now - d->trouble_at > d->restart_ms + RESTART_MAX_MS)
		d->restart_ms = 0; /* it has lasted: whatever it was is over */
	d->trouble_at = now;
	d->restart_ms = d->restart_ms == 0 ? RESTART_MIN_MS : (int32_t)earlier(d->restart_ms * 2, RESTART_MAX_MS);
	csta_device_start_in(d, d->restart_ms);
}

void csta_device_stopped(struct csta_device *d)
{
	bool later = d->renew == RENEW_LATER;

	drop_round(d);
	csta_device_set_ref(d, NULL);
	line_lost(&d->line); /* no event comes any more */
	d->renew = RENEW_NOT;
	if (d->watched && later)
		csta_device_start_later(d);
	else
		csta_device_enqueue(d, d->watched ? QUEUE_START : QUEUE_URGENT);
}

void csta_device_free(struct csta_device *d)
{
	reset(d, true);
	line_done(&d->line);
	csta_device_set_ref(d, NULL);
	hashtab_remove(&d->of->devices, &d->link);
	free(d);
}

int csta_monitors_watch(struct csta_monitors *s, const char *device)
{
	struct csta_device *d = find(s, device);
	size_t len = strlen(device);

	if (d != NULL) { /* it was about to be stopped */
		d->watched = d->quiet = true;
		csta_device_want(d, QUESTIONS, QUEUE_ROUND);
		return 0;
	}
	d = calloc(1, sizeof *d + len + 1);
	if (d == NULL)
		return -ENOMEM;
	memcpy(d->device, device, len + 1);
	d->of = s;
	d->queue = QUEUE_NONE;
	d->watched = true;
	d->doubted_at = -DOUBT_MAX_MS;
	line_init(&d->line);
	csta_device_prepare(d);
	if (hashtab_insert(&s->devices, &d->link) < 0) {
		free(d);
		return -ENOMEM;
	}
	forget_times(d);
	if (s->ready)
		csta_device_enqueue(d, QUEUE_START);
	return 0;
}

void csta_monitors_unwatch(struct csta_monitors *s, const char *device)
{
	struct csta_device *d = find(s, device);

	if (d == NULL)
		return;
	d->watched = false;
	csta_device_settle(d);
	if (!s->ready || (d->ref == NULL && d->step == STEP_NONE)) {
		csta_device_free(d);
		return;
	}
	csta_device_drop_pieces(d);
	forget_times(d);
	csta_device_enqueue(d, QUEUE_URGENT);
}

/* One that was refused is tried in its own time, or where it has none, now. */
void csta_monitors_verify(struct csta_monitors *s, const char *device)
{
	struct csta_device *d = find(s, device);

	if (d == NULL || !s->ready)
		return;
	if (d->ref != NULL) {
		d->silence = 0;
		if (csta_monitors_now(s).mono - d->cannot_at > CANNOT_MS)
			d->cannot = 0;
		csta_device_want(d, QUESTIONS, QUEUE_URGENT);
	} else if (d->step == STEP_NONE && d->start_at == INSTANT_NEVER) {
		csta_device_enqueue(d, QUEUE_START);
	}
}

/* --- one monitor for two lines ---------------------------------------------------------------------- */

/* A monitor that belongs to no line. */
struct stray_monitor {
	const struct csta_monitors *of;
	const char *ref;
};

static void compose_stop(void *arg, struct buf *b)
{
	const struct stray_monitor *stray = arg;

	csta_write_one(b, stray->of->settings.xml_namespace, "MonitorStop", "monitorCrossRefID", stray->ref);
}

static void stop_stray(const struct csta_monitors *s, const char *ref)
{
	struct stray_monitor stray = { s, ref };

	csta_tell(s->exchange, compose_stop, &stray);
}

/* Nobody can tell whose events come, so it is stopped, and late ones are nobody's. */
static void lose_monitor(struct csta_device *d)
{
	csta_device_say_status(d, STATE_STATUS_STALE, "the switch has given two lines the same monitor");
	d->renew = RENEW_LATER;
	csta_device_stopped(d);
}

bool csta_device_same_ref(struct csta_device *d, const char *ref)
{
	struct csta_device *other = monitored_as(d->of, ref);

	if (other == NULL || other == d)
		return false;
	stop_stray(d->of, ref);
	lose_monitor(other);
	lose_monitor(d);
	return true;
}

/* --- the whole switch ------------------------------------------------------------------------------ */

/* Who was on the telephone is looked at first: those are the lamps that people look at. */
void csta_monitors_ready(struct csta_monitors *s)
{
	struct hash_link *link, *next;

	s->ready = s->settling = true;
	s->cannot = s->can = 0;
	memset(s->mute, 0, sizeof s->mute);
	s->pieces_came = false;
	csta_monitors_slow(s, false);
	for (link = hashtab_next(&s->devices, NULL); link != NULL; link = next) {
		struct csta_device *d = hash_entry(link, struct csta_device, link);

		next = hashtab_next(&s->devices, link);
		reset(d, false);
		d->renew = d->ref != NULL ? RENEW_NOW : RENEW_NOT;
		d->owed = d->watched;
		s->owed += d->owed;
		csta_device_enqueue(d, QUEUE_START);
		if (d->was_active && d->queue == QUEUE_START) {
			TAILQ_REMOVE(&s->queues[QUEUE_START], d, place);
			TAILQ_INSERT_HEAD(&s->queues[QUEUE_START], d, place);
		}
		d->was_active = false;
	}
}

void csta_monitors_asleep(struct csta_monitors *s)
{
	s->ready = s->settling = false;
}

void csta_monitors_lost(struct csta_monitors *s)
{
	struct hash_link *link, *next;

	s->ready = s->settling = false;
	for (link = hashtab_next(&s->devices, NULL); link != NULL; link = next) {
		struct csta_device *d = hash_entry(link, struct csta_device, link);

		next = hashtab_next(&s->devices, link);
		reset(d, true);
		csta_device_set_ref(d, NULL);
		if (!d->watched)
			csta_device_free(d);
	}
}

/* What only events can tell is not known any more. */
static void forget_untold(struct csta_device *d)
{
	static const char *const nowhere[LINE_FORWARDS] = { NULL };
	unsigned cannot = d->cannot | d->of->cannot;

	if ((cannot >> STEP_DND & 1) != 0)
		line_dnd_changed(&d->line, -1);
	if ((cannot >> STEP_FORWARD & 1) != 0)
		line_forwards_answered(&d->line, false, 0, nowhere, line_clock(&d->line));
}

void csta_monitors_ask_all(struct csta_monitors *s)
{
	struct hash_link *link;

	if (!s->ready)
		return;
	s->settling = true;
	HASH_EACH (link, &s->devices) {
		struct csta_device *d = hash_entry(link, struct csta_device, link);

		if (!d->watched)
			continue;
		s->owed += !d->owed;
		d->owed = true;
		forget_untold(d);
		if (d->ref != NULL)
			csta_device_want(d, QUESTIONS, QUEUE_ROUND);
		else
			csta_device_enqueue(d, QUEUE_START); /* what was refused may be refused no more */
	}
}

void csta_monitors_slow(struct csta_monitors *s, bool yes)
{
	s->slow = yes;
	csta_exchange_slow(s->exchange, yes);
}

/* --- what the switch tells ------------------------------------------------------------------------- */

static void monitor_stopped(struct csta_device *d)
{
	d->of->stats.stopped++;
	csta_device_say_status(d, STATE_STATUS_STALE, "the switch has stopped the monitor of this line");
	d->renew = RENEW_LATER;
	csta_device_stopped(d);
}

static void take_piece(struct csta_monitors *s, const struct csta_message *m)
{
	struct csta_device *d;

	TAILQ_FOREACH (d, &s->segmented, place)
		if (m->service_cross_ref != NULL && strcmp(d->segments, m->service_cross_ref) == 0)
			break;
	if (d != NULL)
		csta_device_piece(d, m);
}

static void take_event(struct csta_device *d, const struct csta_message *m)
{
	struct csta_monitors *s = d->of;
	const struct csta_owner owner = { d->device, s->owner.same, s->owner.own, s->owner.arg };
	unsigned ask = 0;
	int effect = csta_line_event(&d->line, m, &owner, csta_monitors_now(s), &ask);
	bool calls = m->kind == CSTA_CALL_EVENT || m->kind == CSTA_TRANSFER_EVENT;

	if (effect < 0)
		ask = TAPI_ASK_CALLS; /* without memory the table may be wrong */
	if (effect == CSTA_EFFECT_TAKEN && calls && ((d->cannot | s->cannot) >> STEP_CALLS & 1) != 0)
		line_calls_believe(&d->line);
	if (effect == CSTA_EFFECT_TAKEN && !d->quiet && (ask & TAPI_ASK_EVERYTHING) == 0)
		csta_device_say(d);
	if (m->kind == CSTA_DND_EVENT)
		d->from_answer &= (uint8_t) ~(1u << STEP_DND);
	if (m->kind == CSTA_FORWARD_EVENT)
		d->from_answer &= (uint8_t) ~(1u << STEP_FORWARD);
	csta_device_asks(d, ask);
	if (calls && d->line.count == 0 && d->who_is_left) { /* nobody is */
		d->who_is_left = false;
		d->calls_at = INSTANT_NEVER;
		csta_device_time(d);
	}
}

void csta_monitors_doubt(struct csta_monitors *s, const char *ref)
{
	struct csta_device *d = monitored_as(s, ref);

	if (d != NULL)
		csta_device_asks(d, TAPI_ASK_CALLS);
}

void csta_monitors_late(struct csta_monitors *s, const struct csta_message *m)
{
	if (m->kind != CSTA_RESPONSE)
		return;
	if (m->cross_ref != NULL && monitored_as(s, m->cross_ref) == NULL)
		stop_stray(s, m->cross_ref);
	csta_questions_late(s, m->name);
}

void csta_monitors_told(struct csta_monitors *s, const struct csta_message *m)
{
	struct csta_device *d = monitored_as(s, m->cross_ref);

	if (m->kind == CSTA_SNAPSHOT_DATA) {
		take_piece(s, m);
	} else if (d == NULL) {
		s->stats.unknown++;
	} else if (m->kind == CSTA_MONITOR_STOP) {
		monitor_stopped(d);
	} else {
		s->stats.events++;
		take_event(d, m);
	}
	csta_monitors_run(s);
}

/* --- running --------------------------------------------------------------------------------------- */

static void be_due(struct csta_device *d, int64_t now)
{
	if (now >= d->start_at) {
		d->start_at = INSTANT_NEVER;
		csta_device_enqueue(d, QUEUE_START);
	}
	if (now >= d->calls_at) {
		d->calls_at = INSTANT_NEVER;
		d->who_is_left = false;
		csta_device_want(d, 1u << STEP_CALLS, QUEUE_URGENT);
	}
	if (now >= d->say_at) {
		d->say_at = INSTANT_NEVER;
		d->quiet = false;
		csta_device_say(d);
		csta_device_settle(d);
	}
	if (now >= d->poll_at) {
		d->poll_at = INSTANT_NEVER;
		csta_device_want(d, 1u << STEP_DND | 1u << STEP_FORWARD, QUEUE_ROUND);
	}
	if (now >= d->pieces_at) {
		d->pieces_at = INSTANT_NEVER;
		csta_device_no_pieces(d);
	}
	csta_device_time(d);
}

static int64_t rate(const struct csta_monitors *s)
{
	return s->slow ? (s->settings.rate + 1) / 2 : s->settings.rate;
}

static void earn(struct csta_monitors *s, int64_t now)
{
	int64_t most = rate(s) * 100 > 1000 ? rate(s) * 100 : 1000; /* a tenth of a second's worth, at least one */

	s->credit += (now - s->credited_at) * rate(s);
	s->credit = s->credit > most ? most : s->credit;
	s->credited_at = now;
}

/* Whose turn it is, or NULL: nobody's now. */
static struct csta_device *next_device(struct csta_monitors *s)
{
	for (int q = 0; q < QUEUE_COUNT; q++) {
		struct csta_device *d = TAILQ_FIRST(&s->queues[q]);

		if (d != NULL && (q != QUEUE_START || d->ref != NULL || s->credit >= 1000))
			return d;
	}
	return NULL;
}

static bool may_send(const struct csta_monitors *s)
{
	return s->ready && csta_may_send(s->exchange) && csta_monitors_now(s).mono >= s->blocked_until;
}

static void pump(struct csta_monitors *s)
{
	struct csta_device *d;

	earn(s, csta_monitors_now(s).mono);
	while (may_send(s) && (d = next_device(s)) != NULL) {
		enum csta_queue queue = (enum csta_queue)d->queue;
		bool starts = d->ref == NULL && d->watched;

		dequeue(d);
		d->rank = queue == QUEUE_URGENT ? QUEUE_URGENT : QUEUE_ROUND;
		if (csta_device_step(d) < 0) {
			s->blocked_until = csta_monitors_now(s).mono + SECOND;
			csta_device_enqueue(d, queue);
			return;
		}
		s->credit -= starts ? 1000 : 0;
	}
}

void csta_monitors_run(struct csta_monitors *s)
{
	int64_t now = csta_monitors_now(s).mono;
	struct wheel_item *item;

	while ((item = wheel_pop(&s->wheel, now)) != NULL)
		be_due(wheel_owner(item, struct csta_device, timer), now);
	pump(s);
	check_settled(s);
}

/* While nothing may be sent the answers that are awaited wake us. */
int64_t csta_monitors_deadline(const struct csta_monitors *s)
{
	int64_t at = wheel_next(&s->wheel), now = csta_monitors_now(s).mono;

	if (s->settling && s->owed == 0)
		return now;
	if (!s->ready)
		return at;
	if (now < s->blocked_until)
		return earlier(at, s->blocked_until);
	if (!may_send(s))
		return at;
	if (!TAILQ_EMPTY(&s->queues[QUEUE_URGENT]) || !TAILQ_EMPTY(&s->queues[QUEUE_ROUND]))
		return now;
	if (TAILQ_EMPTY(&s->queues[QUEUE_START]))
		return at;
	return earlier(at, s->credited_at + (1000 - s->credit + rate(s) - 1) / rate(s));
}

/* --- life ------------------------------------------------------------------------------------------ */

struct csta_monitors *csta_monitors_new(const struct csta_monitors_settings *settings, struct csta_exchange *exchange,
    const struct csta_monitors_owner *owner)
{
	struct csta_monitors *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->settings = *settings;
	s->exchange = exchange;
	s->owner = *owner;
	hashtab_init(&s->devices, device_key);
	hashtab_init(&s->refs, ref_key);
	for (int q = 0; q < QUEUE_COUNT; q++)
		TAILQ_INIT(&s->queues[q]);
	TAILQ_INIT(&s->segmented);
	wheel_init(&s->wheel, TICK_MS, csta_monitors_now(s).mono);
	s->credited_at = csta_monitors_now(s).mono;
	return s;
}

void csta_monitors_free(struct csta_monitors *s)
{
	struct hash_link *link;
	size_t bucket = 0;

	if (s == NULL)
		return;
	while ((link = hashtab_first(&s->devices, &bucket)) != NULL)
		csta_device_free(hash_entry(link, struct csta_device, link));
	hashtab_done(&s->devices);
	hashtab_done(&s->refs);
	free(s);
}

void csta_monitors_stats(const struct csta_monitors *s, struct csta_monitors_stats *ret)
{
	struct hash_link *link;

	*ret = s->stats;
	ret->lines = ret->monitored = ret->waiting = ret->refused = 0;
	HASH_EACH (link, &s->devices) {
		const struct csta_device *d = hash_entry(link, const struct csta_device, link);

		ret->lines += d->watched;
		ret->monitored += d->ref != NULL;
		ret->waiting += d->watched && d->ref == NULL;
		ret->refused += d->refused;
	}
}
