/* csta_probe.c: what doctor sees: names, connection, whether the switch lets us in and answers, and its lines.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "connectors/tapi/csta_private.h"
#include "connectors/tapi/csta_write.h"

#define PATIENCE_MS 2000

static void hop(struct csta *c, const char *name, const char *sentence, bool more)
{
	source_probe_hop(c->base.source, name, sentence, more);
}

static void compose(struct csta_request *r, struct buf *b)
{
	const struct csta *c = (const struct csta *)(const void *)((char *)r - offsetof(struct csta, probed));

	csta_write_empty(b, c->base.settings->xml_namespace, "RequestSystemStatus");
}

/* What is wrong for everybody is wrong here, not with each of them. */
static void look_at_lines(struct csta *c)
{
	struct csta_monitors_stats s;
	char why[700];

	csta_monitors_stats(c->monitors, &s);
	if (s.refused > 0 && s.monitored == 0)
		snprintf(why, sizeof why, "the switch lets none of the %llu lines be monitored; the last was %.420s",
		    (unsigned long long)s.lines, c->refusals.last);
	else
		why[0] = '\0';
	hop(c, "lines", why[0] != '\0' ? why : NULL, false);
}

/* A refusal of the question is an answer: it speaks CSTA. */
static void answered(struct csta_request *r, const struct csta_message *m)
{
	struct csta *c = (struct csta *)(void *)((char *)r - offsetof(struct csta, probed));

	if (m == NULL) {
		hop(c, "system status",
		    "the switch does not answer RequestSystemStatus: look at the port, and whether it speaks CSTA in "
		    "XML there",
		    false);
	} else if (m->kind == CSTA_RESPONSE && (m->status == CSTA_DISABLED || m->status == CSTA_INITIALIZING)) {
		hop(c, "system status",
		    m->status == CSTA_DISABLED ? "the switch has disabled its computer link: enable it there" :
						 "the switch is starting",
		    false);
	} else {
		hop(c, "system status", NULL, true);
		look_at_lines(c);
	}
}

static void on_link_hop(void *arg, const char *name, const char *sentence)
{
	hop(arg, name, sentence, true);
}

static void on_link_done(void *arg, bool reached)
{
	struct csta *c = arg;

	if (!reached && !link_is_up(c->link)) {
		hop(c, "connection", "no switch can be reached", false);
	} else if (c->said == SOURCE_STATUS_FORBIDDEN) {
		hop(c, "session", c->why, false);
	} else if (!link_is_up(c->link)) {
		hop(c, "connection", c->why[0] != '\0' ? c->why : "the connection is being made", false);
	} else if (!csta_session_is_ready(c->session)) {
		hop(c, "session", c->why[0] != '\0' ? c->why : "the switch has not answered yet", false);
	} else {
		hop(c, "session", NULL, true);
		csta_enter(c);
		if (csta_send(c->exchange, &c->probed) < 0)
			hop(c, "system status", "nothing can be sent to it now", false);
		csta_leave(c);
	}
}

static const struct link_probe link_probing = { .hop = on_link_hop, .done = on_link_done };

static const struct csta_request_type probe_type = { compose, answered, PATIENCE_MS, true };

void csta_probe_prepare(struct csta *c)
{
	c->probed.type = &probe_type;
}

void csta_probe(struct connector *base)
{
	struct csta *c = (struct csta *)(void *)base;

	csta_cancel(c->exchange, &c->probed);
	link_probe(c->link, &link_probing, c);
}

void csta_probe_lost(struct csta *c)
{
	if (c->probed.id == 0)
		return;
	csta_cancel(c->exchange, &c->probed);
	hop(c, "system status", "the connection was lost before the switch had answered", false);
}
