/* sip_probe.c: what doctor sees: names, connection, OPTIONS, credentials, and one subscription.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "connectors/sip/refusal.h"
#include "connectors/sip/sip_private.h"

static void hop(struct connector *c, const char *name, const char *sentence, bool more)
{
	if (!more)
		c->probe = PROBE_NONE;
	source_probe_hop(c->source, name, sentence, more);
}

static void on_probe_hop(void *arg, const char *name, const char *sentence)
{
	hop(arg, name, sentence, true);
}

static void ask_probe(struct connector *c, enum probe_step step, const char *method)
{
	int r;

	c->probe = step;
	c->probed.method = method;
	sip_question_begin(&c->probed);
	sip_enter(c);
	r = agent_send(c->agent, &c->probed.call);
	if (r < 0)
		hop(c, method, sip_not_sent(r), false);
	sip_leave(c);
}

static void on_probe_done(void *arg, bool reached)
{
	struct connector *c = arg;

	if (!reached && !link_is_up(c->link))
		hop(c, "connection", "no server can be reached", false);
	else if (c->said == SOURCE_STATUS_FORBIDDEN)
		hop(c, "authentication", c->why, false);
	else if (!link_is_up(c->link))
		hop(c, "connection", c->why[0] != '\0' ? c->why : "the connection is being made", false);
	else
		ask_probe(c, PROBE_OPTIONS, "OPTIONS");
}

static const struct link_probe link_probing = { .hop = on_probe_hop, .done = on_probe_done };

static void on_probed_options(struct connector *c, const sip_t *answered, int status)
{
	if (answered == NULL && status != 401 && status != 407) {
		hop(c, "OPTIONS",
		    "the server does not answer OPTIONS: look at the port, and whether it speaks SIP there", false);
		return;
	}
	hop(c, "OPTIONS", NULL, true);
	hop(c, "authentication", answered == NULL ? agent_refusal(c->agent) : NULL, answered != NULL);
	if (answered != NULL)
		ask_probe(c, PROBE_SUBSCRIBE, "SUBSCRIBE");
}

/* What is wrong for everybody is wrong here, not with each of them. */
static void look_at_users(struct connector *c)
{
	struct subscriber_stats stats;
	char why[600];

	subscriber_stats(c->subscriber, &stats);
	snprintf(why, sizeof why, "the server accepts none of the %llu addresses that are watched; the last was %.420s",
	    (unsigned long long)stats.subscriptions, c->refusals.last);
	hop(c, "users", stats.refused == stats.subscriptions && stats.refused > 0 ? why : NULL, false);
}

static void on_probed_subscribe(struct connector *c, const sip_t *answered, int status)
{
	char why[400];
	bool accepted = status >= 200 && status < 300;

	if (answered == NULL && (status == 401 || status == 407))
		snprintf(why, sizeof why, "%s", agent_refusal(c->agent));
	else if (!accepted)
		snprintf(why, sizeof why, "of ourselves, %.200s: %s", c->settings->uri, refusal_of_status(status)->why);
	hop(c, "subscription", accepted ? NULL : why, true);
	look_at_users(c);
}

static void on_probed(struct agent_call *call, const sip_t *answered, int status)
{
	struct connector *c = ((struct question *)(void *)call)->of;

	if (c->probe == PROBE_OPTIONS)
		on_probed_options(c, answered, status);
	else if (c->probe == PROBE_SUBSCRIBE)
		on_probed_subscribe(c, answered, status);
}

const struct agent_call_type sip_probe_call = { .compose = sip_question_compose, .answered = on_probed };

void sip_probe(struct connector *c)
{
	agent_cancel(&c->probed.call);
	c->probe = PROBE_LINK;
	link_probe(c->link, &link_probing, c);
}
