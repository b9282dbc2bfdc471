/* subscriber_answers.c: what the answers to SUBSCRIBE change.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "connectors/sip/message.h"
#include "connectors/sip/subscriber_private.h"

/* --- answers --------------------------------------------------------------------------------------- */

static void expect_until(struct usage *u, int64_t seconds)
{
	u->expires_at = subscriber_now(u->of->owner) + seconds * SECOND;
}

static void accepted(struct usage *u, const sip_t *answer)
{
	static const struct refusal unusable = { STATE_STATUS_ERROR, RETRY_BACKOFF,
		"the server's answer has no tag, or a route that is too long" };
	struct subscriber *s = u->of->owner;
	int64_t seconds = answer->sip_expires != NULL ? (int64_t)answer->sip_expires->ex_delta : subscriber_expires(s);

	if (u->state == USAGE_ESTABLISHED)
		s->forgotten = s->anew = 0;
	if (!dialog_learn_from_answer(&u->dialog, answer, u->of->address) && dialog_request_uri(&u->dialog) == NULL) {
		usage_say(u, unusable.status, unusable.why);
		usage_retry(u, &unusable, 0);
		return;
	}
	if (u->fetch) {
		u->state = USAGE_UNHEARD;
		usage_wake_in(u, TIMER_N_MS);
		return;
	}
	if (seconds <= 0 || seconds > subscriber_expires(s))
		seconds = subscriber_expires(s); /* it may shorten, not lengthen; and 0 is no answer to what we asked */
	if (u->state == USAGE_ESTABLISHED)
		u->failures = 0; /* it has lasted */
	expect_until(u, seconds);
	if (u->heard) {
		usage_established(u);
	} else {
		u->state = USAGE_UNHEARD;
		usage_wake_in(u, TIMER_N_MS);
	}
}

static const char *with_phrase(
    const struct subscriber *s, const struct refusal *refusal, const sip_t *answer, int status, char *buf, size_t size)
{
	if (status == SIP_FOREIGN)
		return agent_refusal(s->agent);
	if (answer == NULL || refusal != refusal_of_status(699))
		return refusal->why;
	snprintf(buf, size, "%s (%d %.80s)", refusal->why, status,
	    answer->sip_status->st_phrase != NULL ? answer->sip_status->st_phrase : "");
	return buf;
}

/* A refresh was answered 481. Alone that is one subscription; three in a row are a server that has forgotten us. */
static void forgotten(struct usage *u)
{
	struct subscriber *s = u->of->owner;
	struct usage *other;

	s->forgotten++;
	s->stats.forgotten++;
	usage_say(u, STATE_STATUS_STALE, refusal_of_status(481)->why);
	usage_retry(u, refusal_of_status(481), 0);
	if (subscriber_now(s) < s->anew_after)
		return;
	if (s->forgotten >= FORGOTTEN_AFTER || TAILQ_EMPTY(&s->established)) {
		if (s->forgotten > 1 || s->watched[0].count + s->watched[1].count == 1) {
			s->owner.trouble(s->owner.arg, SUBSCRIBER_FORGOTTEN, 0,
			    "the server has forgotten our subscriptions: it was restarted, or lost its memory");
			s->anew_after = subscriber_now(s) + refusal_wait(RETRY_BACKOFF, ++s->anew + 3);
			subscriber_begin_all(s);
		}
		return;
	}
	for (unsigned i = s->forgotten; i < FORGOTTEN_AFTER && (other = TAILQ_FIRST(&s->established)) != NULL; i++)
		usage_refresh(other);
}

/* A server with too much to do says for how long it wants to be left alone (RFC 3261 21.5.4). */
static void leave_alone(struct subscriber *s, const sip_t *answer, int status)
{
	int64_t wait = status == 503 ? sip_message_retry_after(answer) : 0;

	if (wait > 0)
		s->owner.trouble(
		    s->owner.arg, SUBSCRIBER_UNAVAILABLE, wait, "the server asks to be left alone for a while (503)");
}

static void refused(struct usage *u, const sip_t *answer, int status)
{
	const struct refusal *refusal = refusal_of_status(status);
	struct subscriber *s = u->of->owner;
	char text[200];

	if (u->fetch) { /* it says nothing of the person: the subscription itself does */
		if (refusal->status != STATE_STATUS_ERROR)
			usage_refresh(&u->of->main);
		usage_over(u);
	} else {
		usage_say(u, refusal->status, with_phrase(s, refusal, answer, status, text, sizeof text));
		usage_retry(u, refusal, sip_message_retry_after(answer));
	}
	leave_alone(s, answer, status);
}

/* A refresh failed in a way that leaves the subscription: tried again until it runs out. */
void usage_refresh_failed(struct usage *u)
{
	int64_t left = u->expires_at - subscriber_now(u->of->owner), wait;

	if (left <= 0) {
		usage_say(u, STATE_STATUS_STALE, "the subscription has run out while the server did not refresh it");
		usage_begin(u);
		return;
	}
	if (u->failures < UINT8_MAX)
		u->failures++;
	wait = refusal_wait(RETRY_BACKOFF, u->failures);
	usage_move(u, PLACE_ESTABLISHED);
	usage_wake_in(u, wait < left ? wait : left);
}

static bool wants_longer(struct usage *u, const sip_t *answer)
{
	struct subscriber *s = u->of->owner;
	int64_t min =
	    answer == NULL || answer->sip_min_expires == NULL ? 0 : (int64_t)answer->sip_min_expires->me_delta;

	if (min < 1 || min > 86400 || u->lengthened)
		return false;
	u->lengthened = true;
	if (min > s->min_expires) /* another request may have met the same answer before */
		s->min_expires = min;
	usage_queue(u, PLACE_URGENT);
	return true;
}

/* An answer to somebody whom nobody wants any more: to the goodbye, or to what was under way before it. */
static void left(struct usage *u, const sip_t *answer, int status)
{
	if (status < 300 && !u->goodbye)
		(void)dialog_learn_from_answer(&u->dialog, answer, u->of->address);
	if (status >= 300 || dialog_request_uri(&u->dialog) == NULL) {
		usage_over(u);
	} else if (u->goodbye) {
		usage_wake_in(u, LAST_NOTIFY_MS);
	} else {
		u->goodbye = true;
		usage_move(u, PLACE_URGENT);
	}
}

static void answered(struct agent_call *call, const sip_t *answer, int status)
{
	struct usage *u = wheel_owner(call, struct usage, call);
	struct subscriber *s = u->of->owner;
	bool refreshing = u->state == USAGE_ESTABLISHED;

	if (s->leaving)
		return;
	if (u->state == USAGE_LEAVING) {
		left(u, answer, status);
	} else if (u->state == USAGE_NONE) {
		/* a NOTIFY has ended it meanwhile; its timer knows what is next */
	} else if (status >= 200 && status < 300) {
		accepted(u, answer);
	} else if (status == 401 || status == 407) {
		usage_rest(u);
		s->owner.trouble(s->owner.arg, SUBSCRIBER_FORBIDDEN, 0, agent_refusal(s->agent));
	} else if (status == 423 && wants_longer(u, answer)) {
		/* it is queued again */
	} else if (refreshing && status == 481) {
		forgotten(u);
	} else if (refreshing && !refusal_ends_subscription(status)) {
		usage_refresh_failed(u);
		leave_alone(s, answer, status);
	} else {
		refused(u, answer, status);
	}
	subscriber_pump(s);
}

const struct agent_call_type usage_call = { .compose = usage_compose, .answered = answered, .passed_on = true };
