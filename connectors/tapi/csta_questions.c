/* csta_questions.c: what is asked of a line, and what is done with each answer.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "connectors/tapi/csta_monitors_private.h"
#include "connectors/tapi/csta_write.h"

static struct csta_device *device_of(struct csta_request *r)
{
	return (struct csta_device *)(void *)((char *)r - offsetof(struct csta_device, request));
}

static uint8_t bit(enum csta_step step)
{
	return (uint8_t)(1u << step);
}

/* --- asking ---------------------------------------------------------------------------------------- */

static const struct {
	const char *name, *path; /* of the document, and where in it the device or the monitor stands */
} documents[STEP_COUNT] = {
	[STEP_START] = { "MonitorStart", "monitorObject/deviceObject" },
	[STEP_STOP] = { "MonitorStop", "monitorCrossRefID" },
	[STEP_CALLS] = { "SnapshotDevice", "snapshotObject" },
	[STEP_DND] = { "GetDoNotDisturb", "device" },
	[STEP_FORWARD] = { "GetForwarding", "device" },
};

static void compose(struct csta_request *r, struct buf *b)
{
	const struct csta_device *d = device_of(r);
	int step = d->step;

	csta_write_one(b, d->of->settings.xml_namespace, documents[step].name, documents[step].path,
	    step == STEP_STOP ? d->ref : d->device);
}

static void answered(struct csta_request *r, const struct csta_message *m);

/* Features have less time: a verification is to be over before its own time is (AGGREGATOR_VERIFY_ANSWER_MS). */
static const struct csta_request_type request_type = { compose, answered, 0, false };
static const struct csta_request_type feature_type = { compose, answered, 5 * SECOND, false };

void csta_device_prepare(struct csta_device *d)
{
	d->request.type = &request_type;
}

/* The next question that has a chance of being answered; STEP_NONE. */
static enum csta_step next_question(struct csta_device *d)
{
	d->want &= (uint8_t) ~(d->cannot | d->of->cannot);
	for (int step = STEP_CALLS; step <= STEP_FORWARD; step++)
		if ((d->want & bit((enum csta_step)step)) != 0)
			return (enum csta_step)step;
	return STEP_NONE;
}

static void round_over(struct csta_device *d)
{
	struct csta_monitors *s = d->of;

	d->quiet = false;
	if (((d->cannot | s->cannot) & bit(STEP_CALLS)) != 0)
		d->unproved = false; /* nobody will prove it: what events say counts */
	d->say_at = INSTANT_NEVER;
	if (s->settings.poll > 0)
		d->poll_at = csta_monitors_now(s).mono + s->settings.poll;
	csta_device_time(d);
	if (!d->unproved)
		csta_device_say(d);
	csta_device_settle(d);
}

static int send_step(struct csta_device *d, enum csta_step step)
{
	int r;

	d->step = (uint8_t)step;
	d->request.type = step == STEP_DND || step == STEP_FORWARD ? &feature_type : &request_type;
	r = csta_send(d->of->exchange, &d->request);
	if (r < 0) {
		d->step = STEP_NONE;
		return r;
	}
	d->asked = line_clock(&d->line);
	d->want &= (uint8_t)~bit(step);
	d->of->stats.snapshots += step == STEP_CALLS;
	return 0;
}

int csta_device_step(struct csta_device *d)
{
	enum csta_step question;

	if (!d->watched && d->ref == NULL) {
		csta_device_free(d);
		return 0;
	}
	if (d->ref != NULL && (!d->watched || d->renew != RENEW_NOT))
		return send_step(d, STEP_STOP);
	if (d->ref == NULL)
		return send_step(d, STEP_START);
	question = next_question(d);
	if (question != STEP_NONE)
		return send_step(d, question);
	round_over(d);
	return 0;
}

/* --- refusals -------------------------------------------------------------------------------------- */

/* The line cannot be monitored: what that says of it, and when it is tried again. */
static void refuse(struct csta_device *d, const struct csta_message *m)
{
	const struct csta_refusal *refusal = csta_refusal_of(m);
	char why[RAW_MAX_TEXT_BYTES];

	csta_refusal_text(m, why, sizeof why);
	d->refused = true;
	if (refusal->verdict == CSTA_BUSY) {
		csta_device_start_later(d);
		csta_device_settle(d);
		return;
	}
	csta_device_start_in(d, refusal->retry_ms);
	if (refusal->verdict == CSTA_OUT_OF_SERVICE) {
		line_service_changed(&d->line, false, csta_monitors_now(d->of));
		csta_device_say(d);
	} else {
		csta_device_say_status(d,
		    refusal->verdict == CSTA_NOT_FOUND	? STATE_STATUS_NOT_FOUND :
			refusal->verdict == CSTA_DENIED ? STATE_STATUS_ACCESS_DENIED :
							  STATE_STATUS_ERROR,
		    why);
	}
	csta_device_settle(d);
}

/* --- monitors -------------------------------------------------------------------------------------- */

static void take_start(struct csta_device *d, const struct csta_message *m)
{
	static const struct csta_message no_id = {
		.kind = CSTA_ERROR, .category = "MonitorStartResponse", .error = "no monitorCrossRefID"
	};

	if (m == NULL) {
		csta_device_say_status(d, STATE_STATUS_STALE, "the switch does not answer MonitorStart");
		csta_device_start_in(d, SILENCE_MS);
		csta_device_settle(d);
	} else if (m->kind != CSTA_RESPONSE) {
		refuse(d, m);
	} else if (m->cross_ref == NULL) {
		refuse(d, &no_id);
	} else if (csta_device_same_ref(d, m->cross_ref)) {
		csta_device_settle(d);
	} else {
		d->refused = false;
		d->quiet = true;
		d->start_at = INSTANT_NEVER; /* of an earlier refusal */
		csta_device_time(d);
		csta_device_set_ref(d, m->cross_ref);
		csta_device_want(d, QUESTIONS, QUEUE_ROUND);
		if (d->ref == NULL) /* without memory */
			csta_device_start_later(d);
	}
}

/* --- calls ----------------------------------------------------------------------------------------- */

/* Calls cannot be asked for any more: what was answered is not known to be so, what events say is all there is. */
static void cannot_ask_calls(struct csta_device *d)
{
	d->cannot |= bit(STEP_CALLS);
	d->cannot_at = csta_monitors_now(d->of).mono;
	d->unproved = false;
	if (line_clock(&d->line) == d->asked)
		line_calls_forget(&d->line);
}

static void ask_calls_at(struct csta_device *d, int64_t at)
{
	d->calls_at = at < d->calls_at ? at : d->calls_at;
	csta_device_time(d);
}

static void ask_calls_in(struct csta_device *d, int64_t ms)
{
	d->who_is_left = false;
	ask_calls_at(d, csta_monitors_now(d->of).mono + ms);
}

static void calls_are_known(struct csta_device *d)
{
	int r = line_calls_end(&d->line, d->asked, csta_monitors_now(d->of));

	d->silence = 0;
	d->unproved = false;
	if (d->line.corrected)
		d->doubt_ms = 0; /* doubts are worth their questions */
	if (r == TAPI_ASK_AGAIN && !d->again) {
		d->again = true;
		ask_calls_in(d, AGAIN_MS);
	} else {
		d->again = false;
	}
	if (d->want != 0)
		d->say_at = csta_monitors_now(d->of).mono + SAY_WITHIN_MS;
	csta_device_time(d);
}

static void wait_for_pieces(struct csta_device *d, const char *reference)
{
	struct csta_monitors *s = d->of;

	d->segments = strdup(reference);
	if (d->segments == NULL) {
		d->want |= bit(STEP_CALLS);
		return;
	}
	d->pieces_at = csta_monitors_now(s).mono + SEGMENTS_MS;
	TAILQ_INSERT_TAIL(&s->segmented, d, place);
	csta_device_time(d);
}

/* What follows the last piece, or the end of patience. */
static void pieces_over(struct csta_device *d)
{
	csta_device_drop_pieces(d);
	d->pieces_at = INSTANT_NEVER;
	csta_device_time(d);
}

static void no_answer_about_calls(struct csta_device *d)
{
	d->silence++;
	if (d->silence == 1) {
		d->want |= bit(STEP_CALLS);
		return;
	}
	d->unproved = true;
	csta_device_say_status(d, STATE_STATUS_STALE, "the switch does not answer SnapshotDevice");
	ask_calls_in(d, SILENCE_MS);
}

/* Without its calls there is no line: what the refusal says of it is said. */
static void say_refused(struct csta_device *d, enum state_status status, const struct csta_message *m)
{
	char why[RAW_MAX_TEXT_BYTES];

	d->unproved = true;
	csta_device_say_status(d, status, csta_refusal_text(m, why, sizeof why));
}

/* If a call has come since it was asked, who knows? */
static void out_of_service(struct csta_device *d, const struct csta_message *m)
{
	bool newer = line_clock(&d->line) != d->asked && d->line.count > 0;

	d->silence = 0;
	d->unproved = false;
	if (!newer)
		line_service_changed(&d->line, false, csta_monitors_now(d->of));
	ask_calls_in(d, newer ? AGAIN_MS : csta_refusal_of(m)->retry_ms);
}

static void calls_refused(struct csta_device *d, const struct csta_message *m)
{
	const struct csta_refusal *refusal = csta_refusal_of(m);

	switch (refusal->verdict) {
	case CSTA_OUT_OF_SERVICE:
		out_of_service(d, m);
		break;
	case CSTA_UNSUPPORTED:
		d->of->cannot |= bit(STEP_CALLS);
		cannot_ask_calls(d);
		break;
	case CSTA_UNSUPPORTED_HERE:
	case CSTA_DENIED:
		cannot_ask_calls(d);
		break;
	case CSTA_NOT_FOUND:
	case CSTA_MONITOR_GONE:
		say_refused(d, refusal->verdict == CSTA_NOT_FOUND ? STATE_STATUS_NOT_FOUND : STATE_STATUS_STALE, m);
		d->renew = RENEW_LATER;
		csta_device_settle(d);
		break;
	case CSTA_BUSY:
		d->unproved = true;
		ask_calls_in(d, d->silence < 6 ? SECOND << d->silence++ : RESTART_MAX_MS);
		break;
	case CSTA_LIMIT:
	case CSTA_FAILED:
		say_refused(d, STATE_STATUS_ERROR, m);
		ask_calls_in(d, refusal->retry_ms);
	}
}

static void take_calls(struct csta_device *d, const struct csta_message *m)
{
	struct instant now = csta_monitors_now(d->of);

	if (m == NULL) {
		no_answer_about_calls(d);
	} else if (m->kind != CSTA_RESPONSE) {
		calls_refused(d, m);
	} else if (m->snapshot) {
		line_calls_begin(&d->line);
		if (csta_line_snapshot(&d->line, m, d->asked, now) == 0)
			calls_are_known(d);
		else
			d->want |= bit(STEP_CALLS);
	} else if (m->service_cross_ref != NULL) {
		line_calls_begin(&d->line);
		wait_for_pieces(d, m->service_cross_ref);
	} else {
		cannot_ask_calls(d);
	}
}

static void go_on(struct csta_device *d)
{
	if (d->segments == NULL)
		csta_device_enqueue(d, (enum csta_queue)d->rank);
}

void csta_device_piece(struct csta_device *d, const struct csta_message *m)
{
	d->of->pieces_came = true;
	if (csta_line_snapshot(&d->line, m, d->asked, csta_monitors_now(d->of)) < 0) {
		pieces_over(d);
		d->want |= bit(STEP_CALLS);
		go_on(d);
	} else if (m->last) {
		pieces_over(d);
		calls_are_known(d);
		go_on(d);
	}
}

/* Some switches announce pieces and never send them: then the events have to do. */
void csta_device_no_pieces(struct csta_device *d)
{
	struct csta_monitors *s = d->of;

	pieces_over(d);
	if (s->pieces_came) {
		no_answer_about_calls(d);
	} else if (++d->silence < MUTE_AFTER) {
		d->want |= bit(STEP_CALLS);
	} else {
		cannot_ask_calls(d);
		if (++s->mute[STEP_CALLS] >= MUTE_LINES)
			s->cannot |= bit(STEP_CALLS);
	}
	go_on(d);
}

/* --- features -------------------------------------------------------------------------------------- */

static void feature_silent(struct csta_device *d, enum csta_step step)
{
	struct csta_monitors *s = d->of;

	if ((s->can & bit(step)) == 0 && ++s->mute[step] >= MUTE_AFTER)
		s->cannot |= bit(step);
}

void csta_questions_late(struct csta_monitors *s, const char *name)
{
	static const char *const names[STEP_COUNT] = {
		[STEP_DND] = "GetDoNotDisturbResponse", [STEP_FORWARD] = "GetForwardingResponse"
	};

	for (int step = 0; step < STEP_COUNT; step++) {
		if (names[step] == NULL || strcasecmp(names[step], name) != 0)
			continue;
		s->can |= bit((enum csta_step)step);
		s->cannot &= (uint8_t)~bit((enum csta_step)step);
	}
}

/* What an answer has said, and no answer says any more, is not known; what an event has said stays. One failure, unless it
 * is for good, does not put out a lamp. */
static void forget_answer(struct csta_device *d, enum csta_step step)
{
	static const char *const nowhere[LINE_FORWARDS] = { NULL };
	bool for_good = ((d->cannot | d->of->cannot) & bit(step)) != 0, again = (d->failed & bit(step)) != 0;

	d->failed |= bit(step);
	if ((d->from_answer & bit(step)) == 0 || (!for_good && !again))
		return;
	if (step == STEP_DND)
		line_dnd_answered(&d->line, -1, d->asked);
	else
		line_forwards_answered(&d->line, false, 0, nowhere, d->asked);
	d->from_answer &= (uint8_t)~bit(step);
}

/* What cannot be asked is not off. */
static void feature_refused(struct csta_device *d, enum csta_step step, const struct csta_message *m)
{
	switch (csta_refusal_of(m)->verdict) {
	case CSTA_UNSUPPORTED:
		d->of->cannot |= bit(step);
		break;
	case CSTA_MONITOR_GONE:
		d->renew = RENEW_LATER;
		break;
	case CSTA_UNSUPPORTED_HERE:
	case CSTA_DENIED:
	case CSTA_NOT_FOUND:
		d->cannot |= bit(step);
		d->cannot_at = csta_monitors_now(d->of).mono;
		break;
	case CSTA_OUT_OF_SERVICE:
	case CSTA_LIMIT:
	case CSTA_BUSY:
	case CSTA_FAILED:
		break; /* with the next round */
	}
}

static void take_feature(struct csta_device *d, enum csta_step step, const struct csta_message *m)
{
	if (m == NULL) {
		feature_silent(d, step);
		forget_answer(d, step);
		return;
	}
	d->of->can |= bit(step);
	if (m->kind != CSTA_RESPONSE) {
		feature_refused(d, step, m);
		forget_answer(d, step);
		return;
	}
	d->from_answer |= bit(step);
	d->failed &= (uint8_t)~bit(step);
	if (step == STEP_DND && m->dnd >= 0)
		line_dnd_answered(&d->line, m->dnd, d->asked);
	else if (step == STEP_FORWARD && csta_line_forwards(&d->line, m, d->asked) < 0)
		d->want |= bit(step);
}

/* --- the whole ------------------------------------------------------------------------------------- */

static void answered(struct csta_request *r, const struct csta_message *m)
{
	struct csta_device *d = device_of(r);
	enum csta_step step = (enum csta_step)d->step;

	d->step = STEP_NONE;
	if (step == STEP_STOP)
		csta_device_stopped(d); /* whatever the answer is, there is nothing more to be done about it */
	else if (step == STEP_START)
		take_start(d, m);
	else if (step == STEP_CALLS)
		take_calls(d, m);
	else
		take_feature(d, step, m);
	if (!d->watched)
		csta_device_enqueue(d, QUEUE_URGENT);
	else if (d->ref != NULL)
		go_on(d);
}

/* A line of which doubtful events come all the time is asked less and less often. */
static void doubt(struct csta_device *d)
{
	int64_t now = csta_monitors_now(d->of).mono, at;

	if (d->calls_at != INSTANT_NEVER && d->calls_at <= d->doubted_at)
		return; /* it will be asked */
	d->of->stats.doubts++;
	if (now - d->doubted_at > DOUBT_MAX_MS)
		d->doubt_ms = 0;
	at = d->doubted_at + d->doubt_ms;
	d->doubt_ms = d->doubt_ms == 0 ? DOUBT_MIN_MS : d->doubt_ms * 2 > DOUBT_MAX_MS ? DOUBT_MAX_MS : d->doubt_ms * 2;
	d->doubted_at = at > now ? at : now;
	d->again = d->who_is_left = false;
	if (at <= now)
		csta_device_want(d, bit(STEP_CALLS), QUEUE_URGENT);
	else
		ask_calls_at(d, at);
}

void csta_device_asks(struct csta_device *d, unsigned ask)
{
	if ((ask & TAPI_ASK_EVERYTHING) != 0) {
		d->quiet = true;
		d->cannot = 0;
		csta_device_want(d, QUESTIONS, QUEUE_URGENT);
	}
	if ((ask & TAPI_ASK_FORWARD) != 0)
		csta_device_want(d, bit(STEP_FORWARD), QUEUE_URGENT);
	if ((ask & TAPI_ASK_CALLS) != 0)
		doubt(d);
	if ((ask & TAPI_ASK_AGAIN) != 0) {
		d->again = false;
		d->who_is_left = d->calls_at == INSTANT_NEVER;
		ask_calls_at(d, csta_monitors_now(d->of).mono + AGAIN_MS);
	}
}
