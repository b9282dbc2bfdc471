/* subscriber_notify.c: what a NOTIFY changes.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "connectors/sip/subscriber_private.h"

/* --- NOTIFY ---------------------------------------------------------------------------------------- */

static struct usage *usage_of(struct subscriber *s, const sip_t *notify)
{
	struct usage *u;
	uint32_t slot;

	if (!dialog_slot_of(notify->sip_call_id->i_id, &slot) || slot >= s->slot_count)
		return NULL;
	u = s->slots[slot];
	if (u == NULL || !dialog_is(&u->dialog, notify->sip_call_id->i_id, notify->sip_to->a_tag))
		return NULL;
	return u->state == USAGE_NONE ? NULL : u;
}

int subscriber_judge(struct subscriber *s, const sip_t *notify, struct usage **ret)
{
	struct usage *u = usage_of(s, notify);
	const char *peer_tag = u == NULL ? NULL : dialog_peer_tag(&u->dialog);

	*ret = NULL;
	s->stats.notifies++;
	if (u == NULL || notify->sip_from->a_tag == NULL ||
	    (peer_tag != NULL && strcmp(peer_tag, notify->sip_from->a_tag) != 0)) { /* or a fork: the first one wins */
		s->stats.unknown++;
		return 481;
	}
	if (notify->sip_event != NULL &&
	    strcasecmp(notify->sip_event->o_type, subscriber_packages[u->of->package]) != 0)
		return 489;
	/* A NOTIFY that was overtaken is no error of the server's, which could end the subscription for a 500. */
	if (!dialog_take_cseq(&u->dialog, notify->sip_cseq->cs_seq)) {
		s->stats.repeated++;
		return 200;
	}
	*ret = u;
	return 200;
}

/* A number of seconds in a parameter, at most `max`; 0 for none. */
static int64_t seconds_of(const char *text, int64_t max)
{
	int64_t n = text == NULL ? 0 : strtoll(text, NULL, 10);

	return n < 0 ? 0 : n < max ? n : max;
}

static bool is_substate(const sip_t *notify, const char *name)
{
	return notify->sip_subscription_state != NULL &&
	    strcasecmp(notify->sip_subscription_state->ss_substate, name) == 0;
}

static void take_document(struct usage *u, const sip_t *notify)
{
	const sip_payload_t *body = notify->sip_payload;
	struct subscriber *s = u->of->owner;
	struct subscribed w = usage_who(u);
	bool read;

	if (u->state == USAGE_LEAVING || (u->fetch && u->overtaken))
		return; /* something newer has come by the subscription itself */
	if (!u->fetch && u->of->fetch != NULL)
		u->of->fetch->overtaken = true;
	read = s->owner.document(s->owner.arg, &w,
	    notify->sip_content_type != NULL && notify->sip_content_type->c_type != NULL ?
		notify->sip_content_type->c_type :
		"",
	    body == NULL ? "" : body->pl_data, body == NULL ? 0 : body->pl_len);
	if (!u->fetch)
		sip_subscription_settle(u->of);
	if (!read && !u->fetch)
		subscriber_verify(s, u->of->address, (enum sip_package)u->of->package);
}

static void terminated(struct usage *u, const sip_t *notify)
{
	const sip_subscription_state_t *state = notify->sip_subscription_state;
	const struct refusal *refusal = refusal_of_reason(state->ss_reason);
	int64_t wait = seconds_of(state->ss_retry_after, 3600) * SECOND;

	if (u->state == USAGE_LEAVING) {
		if (u->call.transaction == NULL)
			usage_over(u); /* else the answer to our goodbye ends it */
		return;
	}
	agent_cancel(&u->call);
	if (refusal->status == STATE_STATUS_OK)
		take_document(u, notify);
	else
		usage_say(u, refusal->status, refusal->why);
	usage_retry(u, refusal, wait);
}

/* Whether a fetch says something of the person. Without a document, or refused, it only says what fetches get at this
 * server (FreeSWITCH ends each as if there were no such resource): the subscription itself knows better. */
static bool fetch_tells(const sip_t *notify)
{
	const sip_subscription_state_t *state = notify->sip_subscription_state;
	enum state_status status = refusal_of_reason(state == NULL ? NULL : state->ss_reason)->status;

	return notify->sip_payload != NULL && notify->sip_payload->pl_len > 0 && !is_substate(notify, "pending") &&
	    status != STATE_STATUS_ACCESS_DENIED && status != STATE_STATUS_NOT_FOUND;
}

static void fetched(struct usage *u, const sip_t *notify)
{
	struct sip_subscription *sub = u->of;
	bool again = u->overtaken && sub->package == SIP_DIALOG && !sub->dialogs.whole;

	if (fetch_tells(notify))
		take_document(u, notify);
	else
		usage_refresh(&sub->main);
	usage_over(u);
	if (again)
		subscriber_verify(sub->owner, sub->address, (enum sip_package)sub->package);
}

/* The server knows us; it may shorten the time that is left. */
static void heard(struct usage *u, const sip_subscription_state_t *state)
{
	int64_t seconds = state == NULL ? 0 : seconds_of(state->ss_expires, 86400);
	int64_t until = subscriber_now(u->of->owner) + seconds * SECOND;
	bool shorter = seconds > 0 && until < u->expires_at - SECOND;

	u->heard = true;
	if (shorter && u->state != USAGE_NEW)
		u->expires_at = until;
	if (u->state == USAGE_UNHEARD || (shorter && u->state == USAGE_ESTABLISHED))
		usage_established(u);
	else if (u->place == PLACE_ESTABLISHED)
		usage_move(u, PLACE_ESTABLISHED);
}

void subscriber_take(struct subscriber *s, struct usage *u, const sip_t *notify)
{
	dialog_learn_from_request(&u->dialog, notify, u->of->address);
	if (u->fetch) {
		fetched(u, notify);
	} else if (is_substate(notify, "terminated")) {
		terminated(u, notify);
	} else {
		heard(u, notify->sip_subscription_state);
		u->pending = is_substate(notify, "pending");
		if (u->pending)
			usage_say(u, STATE_STATUS_REQUESTING, "the person has not yet decided whether we may watch");
		else
			take_document(u, notify);
	}
	subscriber_pump(s);
}
