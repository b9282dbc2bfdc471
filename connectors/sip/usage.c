/* usage.c: one subscription dialog: where it stands, what it sends, when it acts next.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "connectors/sip/message.h"
#include "connectors/sip/subscriber_private.h"
#include "daemon/base/instant.h"

static const char *const package_types[] = {
	[SIP_PRESENCE] = "application/pidf+xml, application/cpim-pidf+xml;q=0.5",
	[SIP_DIALOG] = "application/dialog-info+xml",
};

/* --- telling the owner ----------------------------------------------------------------------------- */

struct subscribed usage_who(const struct usage *u)
{
	struct sip_subscription *sub = u->of;

	return (struct subscribed){ .address = sub->address,
		.package = (enum sip_package)sub->package,
		.domains = sub->domains,
		.dialogs = &sub->dialogs,
		.fetched = u->fetch };
}

void sip_subscription_settle(struct sip_subscription *sub)
{
	struct subscriber *s = sub->owner;

	if (!sub->owed)
		return;
	sub->owed = false;
	s->owed--;
}

void usage_say(struct usage *u, enum state_status status, const char *why)
{
	struct subscribed w = usage_who(u);

	if (u->state != USAGE_LEAVING)
		u->of->owner->owner.status(u->of->owner->owner.arg, &w, status, why);
	if (!u->fetch)
		sip_subscription_settle(u->of);
}

/* --- places ---------------------------------------------------------------------------------------- */

static struct usages *list_of(struct subscriber *s, enum usage_place place)
{
	return place == PLACE_URGENT ? &s->urgent : place == PLACE_BULK ? &s->bulk : &s->established;
}

void usage_move(struct usage *u, enum usage_place place)
{
	struct subscriber *s = u->of->owner;

	if (u->place != PLACE_NOWHERE)
		TAILQ_REMOVE(list_of(s, (enum usage_place)u->place), u, link);
	if (place != PLACE_NOWHERE)
		TAILQ_INSERT_TAIL(list_of(s, place), u, link);
	u->place = (uint8_t)place;
}

static void wake_at(struct usage *u, int64_t when)
{
	struct subscriber *s = u->of->owner;

	if (when == INSTANT_NEVER)
		wheel_disarm(&s->wheel, &u->timer);
	else
		wheel_arm(&s->wheel, &u->timer, when);
}

void usage_wake_in(struct usage *u, int64_t ms)
{
	wake_at(u, ms == INT64_MAX ? INSTANT_NEVER : subscriber_now(u->of->owner) + ms);
}

/* --- slots ----------------------------------------------------------------------------------------- */

static int grow_slots(struct subscriber *s)
{
	uint32_t count = s->slot_count == 0 ? 64 : s->slot_count * 2;
	struct usage **slots = reallocarray(s->slots, count, sizeof *slots);
	uint32_t *free_slots;

	if (slots == NULL)
		return -ENOMEM;
	s->slots = slots;
	free_slots = reallocarray(s->free_slots, count, sizeof *free_slots);
	if (free_slots == NULL)
		return -ENOMEM;
	s->free_slots = free_slots;
	for (uint32_t i = count; i > s->slot_count; i--) {
		s->slots[i - 1] = NULL;
		s->free_slots[s->free_count++] = i - 1;
	}
	s->slot_count = count;
	return 0;
}

/* The slot stays with the usage; its dialogs differ by their random numbers. */
int usage_init(struct usage *u)
{
	struct subscriber *s = u->of->owner;

	if (s->free_count == 0 && grow_slots(s) < 0)
		return -ENOMEM;
	u->dialog.slot = s->free_slots[--s->free_count];
	s->slots[u->dialog.slot] = u;
	return 0;
}

void usage_done(struct usage *u)
{
	struct subscriber *s = u->of->owner;

	agent_cancel(&u->call);
	usage_move(u, PLACE_NOWHERE);
	wheel_disarm(&s->wheel, &u->timer);
	dialog_done(&u->dialog);
	s->slots[u->dialog.slot] = NULL;
	s->free_slots[s->free_count++] = u->dialog.slot;
}

void sip_subscription_end_fetch(struct sip_subscription *sub)
{
	if (sub->fetch == NULL)
		return;
	usage_done(sub->fetch);
	free(sub->fetch);
	sub->fetch = NULL;
}

void sip_subscription_free(struct sip_subscription *sub)
{
	sip_subscription_settle(sub);
	sip_subscription_end_fetch(sub);
	usage_done(&sub->main);
	line_dialogs_done(&sub->dialogs);
	free(sub);
}

/* --- asking ---------------------------------------------------------------------------------------- */

void usage_compose(struct agent_call *call, struct agent_request *r)
{
	struct usage *u = wheel_owner(call, struct usage, call);
	const char *target = dialog_request_uri(&u->dialog);
	const struct sip_subscription *sub = u->of;
	struct request_text *text = &sub->owner->text;

	dialog_call_id(&u->dialog, text->call_id);
	dialog_tag(&u->dialog, text->tag);
	snprintf(text->headers, sizeof text->headers, "Event: %s\r\nAccept: %s\r\nExpires: %lld\r\n",
	    subscriber_packages[sub->package], package_types[sub->package],
	    (long long)(u->fetch || u->state == USAGE_LEAVING ? 0 : subscriber_expires(sub->owner)));
	*r = (struct agent_request){ .method = "SUBSCRIBE",
		.uri = target != NULL ? target : sub->address,
		.to = sub->address,
		.to_tag = dialog_peer_tag(&u->dialog),
		.from_tag = text->tag,
		.call_id = text->call_id,
		.cseq = &u->dialog.cseq,
		.route = dialog_route(&u->dialog),
		.headers = text->headers };
}

void usage_queue(struct usage *u, enum usage_place place)
{
	if (u->call.transaction == NULL)
		usage_move(u, place);
}

/* A new dialog, when its turn comes. */
void usage_begin(struct usage *u)
{
	agent_cancel(&u->call);
	dialog_begin(&u->dialog, u->dialog.slot);
	u->state = USAGE_NEW;
	u->heard = u->overtaken = u->lengthened = u->pending = false;
	if (!u->fetch)
		line_dialogs_done(&u->of->dialogs); /* versions begin anew */
	wake_at(u, INSTANT_NEVER);
	if (u->of->owner->connected)
		usage_queue(u, u->fetch ? PLACE_URGENT : PLACE_BULK);
}

void usage_refresh(struct usage *u)
{
	if (u->of->owner->connected && u->state == USAGE_ESTABLISHED)
		usage_queue(u, PLACE_URGENT);
}

static int64_t jitter(int64_t ms, unsigned from_percent, unsigned to_percent)
{
	return ms * (int64_t)(from_percent + arc4random_uniform(to_percent - from_percent + 1)) / 100;
}

/* No dialog any more; the next one after a while. */
static void retry_in(struct usage *u, int64_t ms)
{
	dialog_done(&u->dialog);
	usage_move(u, PLACE_NOWHERE);
	u->state = USAGE_NONE;
	usage_wake_in(u, ms == INT64_MAX ? ms : jitter(ms, 100, 120));
}

void usage_retry(struct usage *u, const struct refusal *refusal, int64_t asked_ms)
{
	int64_t ms;

	if (u->failures < UINT8_MAX)
		u->failures++;
	ms = refusal_wait(refusal->retry, u->failures);
	u->of->owner->stats.failures++;
	retry_in(u, asked_ms > ms || (asked_ms > 0 && refusal->retry == RETRY_MINUTE) ? asked_ms : ms);
}

void usage_rest(struct usage *u)
{
	retry_in(u, INT64_MAX);
}

/* The address cannot stand in a request: somebody has to correct it. */
static void say_bad_address(struct usage *u)
{
	char why[300];

	snprintf(why, sizeof why, "\"%.160s\" is not an address that can be watched, expected sip:user@domain",
	    u->of->address);
	usage_say(u, STATE_STATUS_NOT_FOUND, why);
	u->state = USAGE_NONE;
	usage_move(u, PLACE_NOWHERE);
}

/* Whether more can be sent. */
bool usage_send(struct usage *u)
{
	struct subscriber *s = u->of->owner;
	int r;

	if (!sip_uri_is_good(u->of->address)) {
		say_bad_address(u);
		return true;
	}
	u->call.type = &usage_call;
	r = agent_send(s->agent, &u->call);
	if (r == -ENOBUFS || r == -ENOTCONN || r == -ENOMEM)
		return false;
	usage_move(u, PLACE_NOWHERE);
	if (r == -EMSGSIZE) {
		if (u->fetch || u->state == USAGE_LEAVING) {
			if (!s->leaving) /* else all are freed anyway */
				usage_over(u);
			return true;
		}
		usage_say(u, STATE_STATUS_ERROR, "the request would not fit into a datagram: use transport tcp");
		retry_in(u, INT64_MAX);
		return true;
	}
	s->stats.refreshes += u->state == USAGE_ESTABLISHED;
	s->stats.fetches += u->fetch;
	return true;
}

/* At random when three quarters to nine tenths of the time are over, in any case early enough for one more attempt. */
static void plan_refresh(struct usage *u)
{
	int64_t left = u->expires_at - subscriber_now(u->of->owner), in = jitter(left, 75, 90);

	if (in > left - LAST_REFRESH_MS)
		in = left - LAST_REFRESH_MS;
	if (in < left / 2)
		in = left / 2;
	usage_wake_in(u, in > LEAST_REFRESH_MS ? in : LEAST_REFRESH_MS);
}

void usage_established(struct usage *u)
{
	u->state = USAGE_ESTABLISHED;
	if (u->call.transaction == NULL && u->place != PLACE_URGENT)
		usage_move(u, PLACE_ESTABLISHED);
	plan_refresh(u);
}

/* A fetch that is over, or a subscription that nobody wants any more. */
void usage_over(struct usage *u)
{
	if (u->fetch)
		sip_subscription_end_fetch(u->of);
	else
		sip_subscription_free(u->of);
}
