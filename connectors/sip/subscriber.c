/* subscriber.c: subscriptions and what becomes of each.
 * SPDX-License-Identifier: MIT
 *
 * A usage is one subscription dialog. A watched address has one for as long as it is watched, which begins a new
 * dialog whenever the old one is lost, and at times a second one that fetches. A usage is in one place: a queue of
 * those that have something to send, the list of the established ones (the one that was proved longest ago first), or
 * nowhere; beside that its timer says when to act next.
 */
#include "connectors/sip/subscriber.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/sip/subscriber_private.h"
#include "daemon/base/instant.h"

const char *const subscriber_packages[] = { [SIP_PRESENCE] = "presence", [SIP_DIALOG] = "dialog" };

static const char *watched_key(const struct hash_link *link)
{
	return hash_entry(link, const struct sip_subscription, link)->address;
}

/* --- sending --------------------------------------------------------------------------------------- */

int64_t subscriber_expires(const struct subscriber *s)
{
	return s->settings.expires > s->min_expires ? s->settings.expires : s->min_expires;
}

void subscriber_pump(struct subscriber *s)
{
	struct usage *u;

	s->blocked = false;
	while (s->connected && agent_in_flight(s->agent) < s->settings.in_flight &&
	    ((u = TAILQ_FIRST(&s->urgent)) != NULL || (u = TAILQ_FIRST(&s->bulk)) != NULL))
		if (!usage_send(u)) {
			s->blocked = true;
			break;
		}
	if (!s->settling || s->owed > 0)
		return;
	s->settling = false;
	s->owner.settled(s->owner.arg);
}

void subscriber_begin_all(struct subscriber *s)
{
	s->forgotten = 0;
	s->settling = true;
	for (size_t p = 0; p < SIP_PACKAGE_COUNT; p++) {
		struct hash_link *link;

		HASH_EACH (link, &s->watched[p]) {
			struct sip_subscription *sub = hash_entry(link, struct sip_subscription, link);

			s->owed += !sub->owed;
			sub->owed = true;
			sip_subscription_end_fetch(sub);
			usage_move(&sub->main, PLACE_NOWHERE);
			usage_begin(&sub->main);
		}
	}
}

/* --- watches --------------------------------------------------------------------------------------- */

static struct sip_subscription *find(const struct subscriber *s, const char *address, enum sip_package package)
{
	struct hash_link *link = hashtab_find(&s->watched[package], address);

	return link == NULL ? NULL : hash_entry(link, struct sip_subscription, link);
}

int subscriber_watch(struct subscriber *s, const char *address, enum sip_package package, enum domain domain)
{
	struct sip_subscription *sub = find(s, address, package);
	size_t len = strlen(address);

	if (sub != NULL) { /* watched in the other domain: what is known is asked for once more */
		sub->domains |= (uint8_t)(1u << domain);
		if (sub->main.state == USAGE_NONE)
			usage_begin(&sub->main);
		else
			subscriber_verify(s, address, package);
		return 0;
	}
	sub = calloc(1, sizeof *sub + len + 1);
	if (sub == NULL)
		return -ENOMEM;
	memcpy(sub->address, address, len + 1);
	sub->owner = s;
	sub->package = (uint8_t)package;
	sub->domains = (uint8_t)(1u << domain);
	sub->main.of = sub;
	if (usage_init(&sub->main) < 0) {
		free(sub);
		return -ENOMEM;
	}
	if (hashtab_insert(&s->watched[package], &sub->link) < 0) {
		sip_subscription_free(sub);
		return -ENOMEM;
	}
	usage_begin(&sub->main);
	return 0;
}

/* It leaves the table at once, so that the address may be watched anew, and lives on until the server knows. */
void subscriber_unwatch(struct subscriber *s, const char *address, enum sip_package package, enum domain domain)
{
	struct sip_subscription *sub = find(s, address, package);
	struct usage *u;

	if (sub == NULL)
		return;
	sub->domains &= (uint8_t) ~(1u << domain);
	if (sub->domains != 0)
		return;
	hashtab_remove(&s->watched[package], &sub->link);
	sip_subscription_settle(sub);
	sip_subscription_end_fetch(sub);
	u = &sub->main;
	if (u->state == USAGE_NONE || !s->connected || (u->state == USAGE_NEW && u->call.transaction == NULL)) {
		sip_subscription_free(sub);
		return;
	}
	u->state = USAGE_LEAVING;
	usage_wake_in(u, INT64_MAX);
	if (u->call.transaction != NULL)
		return; /* its answer goes on */
	u->goodbye = true;
	usage_move(u, PLACE_URGENT);
}

void subscriber_verify(struct subscriber *s, const char *address, enum sip_package package)
{
	struct sip_subscription *sub = find(s, address, package);
	struct usage *u;

	if (sub == NULL || sub->fetch != NULL || !s->connected || sub->main.state == USAGE_NEW)
		return;			     /* what is under way answers it */
	if (sub->main.state == USAGE_NONE) { /* refused: asked again in its own time; or over for good: once more */
		if (sub->main.timer.due == 0)
			usage_begin(&sub->main);
		return;
	}
	if (sub->main.pending) { /* a fetch would bring what strangers are shown */
		usage_refresh(&sub->main);
		return;
	}
	u = calloc(1, sizeof *u);
	if (u == NULL)
		return;
	u->of = sub;
	u->fetch = true;
	if (usage_init(u) < 0) {
		free(u);
		return;
	}
	sub->fetch = u;
	usage_begin(u);
}

/* --- the server ------------------------------------------------------------------------------------ */

void subscriber_connected(struct subscriber *s)
{
	s->connected = true;
	s->min_expires = 0;
	s->anew = 0;
	s->anew_after = 0;
	subscriber_begin_all(s);
	wheel_arm(&s->wheel, &s->beat, subscriber_now(s) + BEAT_MS);
}

void subscriber_lost(struct subscriber *s)
{
	struct usage *u;

	s->connected = false;
	wheel_disarm(&s->wheel, &s->beat);
	for (uint32_t i = 0; i < s->slot_count; i++) {
		u = s->slots[i];
		if (u == NULL)
			continue;
		if (u->fetch || u->state == USAGE_LEAVING) {
			usage_over(u);
			continue;
		}
		agent_cancel(&u->call);
		usage_move(u, PLACE_NOWHERE);
		usage_wake_in(u, INT64_MAX);
		dialog_done(&u->dialog);
		u->state = USAGE_NONE;
		u->failures = 0;
	}
}

/* One subscription is proved, the one whose proof is the oldest: if the server has forgotten us, it says so now. */
static void beat(struct subscriber *s)
{
	struct usage *u = TAILQ_FIRST(&s->established);

	if (u != NULL)
		usage_refresh(u);
	wheel_arm(&s->wheel, &s->beat, subscriber_now(s) + BEAT_MS);
}

static void act(struct usage *u)
{
	if (u->state == USAGE_NONE) {
		usage_begin(u);
	} else if (u->state == USAGE_ESTABLISHED) {
		if (subscriber_now(u->of->owner) >= u->expires_at && u->call.transaction == NULL)
			usage_refresh_failed(u); /* it has run out */
		else
			usage_refresh(u);
	} else if (u->state == USAGE_LEAVING || (u->state == USAGE_UNHEARD && u->fetch)) {
		usage_over(u);
	} else if (u->state == USAGE_UNHEARD) {
		static const struct refusal silent = { STATE_STATUS_ERROR, RETRY_BACKOFF,
			"the server accepted the subscription and sent no state: it may not be able to reach our "
			"address" };

		usage_say(u, silent.status, silent.why);
		usage_retry(u, &silent, 0);
	}
}

void subscriber_run(struct subscriber *s)
{
	struct wheel_item *item;

	while ((item = wheel_pop(&s->wheel, subscriber_now(s))) != NULL) {
		if (item == &s->beat)
			beat(s);
		else
			act(wheel_owner(item, struct usage, timer));
	}
	subscriber_pump(s);
}

int64_t subscriber_deadline(const struct subscriber *s)
{
	bool waiting = !TAILQ_EMPTY(&s->urgent) || !TAILQ_EMPTY(&s->bulk);
	int64_t next = wheel_next(&s->wheel);

	if (s->connected && waiting && agent_in_flight(s->agent) < s->settings.in_flight) {
		int64_t at = subscriber_now(s) + (s->blocked ? BUSY_RETRY_MS : 0);

		return at < next ? at : next;
	}
	return s->settling && s->owed == 0 ? subscriber_now(s) : next;
}

void subscriber_stats(const struct subscriber *s, struct subscriber_stats *ret)
{
	const struct usage *u;

	*ret = s->stats;
	ret->subscriptions = s->watched[0].count + s->watched[1].count;
	ret->established = ret->waiting = ret->refused = 0;
	for (uint32_t i = 0; i < s->slot_count; i++) {
		u = s->slots[i];
		if (u == NULL || u->fetch)
			continue;
		ret->established += u->state == USAGE_ESTABLISHED;
		ret->waiting += u->state == USAGE_NONE || u->state == USAGE_NEW;
		ret->refused += u->state == USAGE_NONE && s->connected;
	}
}

/* --- life ------------------------------------------------------------------------------------------ */

struct subscriber *subscriber_new(
    const struct subscriber_settings *settings, struct agent *agent, const struct subscriber_owner *owner)
{
	struct subscriber *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->settings = *settings;
	s->agent = agent;
	s->owner = *owner;
	for (size_t p = 0; p < SIP_PACKAGE_COUNT; p++)
		hashtab_init(&s->watched[p], watched_key);
	TAILQ_INIT(&s->urgent);
	TAILQ_INIT(&s->bulk);
	TAILQ_INIT(&s->established);
	wheel_init(&s->wheel, TICK_MS, agent_time(agent));
	return s;
}

/* Nobody waits for the answers; those that do not get through run out by themselves. */
static void say_goodbye(struct subscriber *s)
{
	for (uint32_t i = 0, said = 0; i < s->slot_count && said < GOODBYES_MAX && s->connected; i++) {
		struct usage *u = s->slots[i];

		if (u == NULL || u->fetch || dialog_request_uri(&u->dialog) == NULL)
			continue;
		agent_cancel(&u->call);
		u->state = USAGE_LEAVING;
		if (!usage_send(u))
			return;
		said++;
	}
}

void subscriber_free(struct subscriber *s)
{
	if (s == NULL)
		return;
	s->leaving = true;
	say_goodbye(s);
	s->settling = false;
	for (uint32_t i = 0; i < s->slot_count; i++)
		if (s->slots[i] != NULL && !s->slots[i]->fetch)
			sip_subscription_free(s->slots[i]->of);
	for (size_t p = 0; p < SIP_PACKAGE_COUNT; p++)
		hashtab_done(&s->watched[p]);
	free(s->slots);
	free(s->free_slots);
	free(s);
}
