/* link_attempt.c: server by server, address by address.
 * SPDX-License-Identifier: MIT */
#include "connectors/link_attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/utf8.h"
#include "daemon/loop.h"

struct link_attempt {
	const struct link_parts *parts;
	size_t server, end, target;
	const struct link_attempt_owner *owner;
	void *arg;
	struct link_query *query;
	struct link_answer answer;
	struct wire *wire;
	struct loop_event *soon; /* the next server, or the end: never from inside a call of the owner */
	enum link_fault fault;
	char why[LINK_WHY_SIZE], peer[LINK_WHY_SIZE];
	const char *waits_for; /* the hop */
	bool reached;	       /* a probe reached a server */
	bool over;
};

static const struct link_server *server_of(const struct link_attempt *a)
{
	return &a->parts->servers[a->server];
}

static void destroy(void *object)
{
	struct link_attempt *a = object;

	loop_event_free(a->soon);
	free(a);
}

void link_attempt_cancel(struct link_attempt *a)
{
	if (a == NULL || a->over)
		return;
	a->over = true;
	link_query_cancel(a->query);
	wire_close(a->wire);
	a->query = NULL;
	a->wire = NULL;
	loop_event_disarm(a->soon);
	loop_defer_free(a->parts->loop, a, destroy);
}

static void tell(struct link_attempt *a, const char *hop, const char *sentence)
{
	char text[64];

	if (a->owner->hop == NULL)
		return;
	snprintf(text, sizeof text, "%s %.48s", hop, server_of(a)->host);
	a->owner->hop(a->arg, text, sentence);
}

static void note_why(struct link_attempt *a, enum link_fault fault, const char *peer, const char *why)
{
	a->fault = fault;
	snprintf(a->why, sizeof a->why, "%.280s%s%.320s", peer, *peer == '\0' ? "" : ": ", why);
	utf8_repair(a->why);
}

static void next_server(struct link_attempt *a)
{
	a->server++;
	loop_event_arm_in(a->soon, 0);
}

/* --- one address ----------------------------------------------------------------------------------- */

static const char *transport_hop(const struct link_attempt *a)
{
	return a->parts->settings->transport == LINK_UDP ? "udp" : "tcp";
}

static void try_target(struct link_attempt *a);

static void on_connected(void *arg)
{
	struct link_attempt *a = arg;

	a->waits_for = "tls";
	tell(a, transport_hop(a), NULL);
}

static void on_up(void *arg)
{
	struct link_attempt *a = arg;
	struct wire *wire = a->wire;

	a->wire = NULL;
	if (a->parts->settings->transport == LINK_TLS)
		tell(a, "tls", NULL);
	if (a->over) {
		wire_close(wire);
		return;
	}
	if (a->owner->hop != NULL) {
		a->reached = true;
		wire_close(wire);
		next_server(a);
		return;
	}
	a->over = true;
	loop_event_disarm(a->soon);
	loop_defer_free(a->parts->loop, a, destroy);
	a->owner->connected(a->arg, wire, a->server, a->peer);
}

static void on_down(void *arg, enum link_fault fault, const char *why)
{
	struct link_attempt *a = arg;

	wire_close(a->wire);
	a->wire = NULL;
	note_why(a, fault, a->peer, why);
	tell(a, fault == LINK_FAULT_TLS ? "tls" : transport_hop(a), a->why);
	if (a->over)
		return;
	a->target++;
	try_target(a);
}

static void on_frame(void *arg, const char *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len;
}

static const struct wire_owner wire_owner = {
	.connected = on_connected,
	.up = on_up,
	.secured = on_up,
	.frame = on_frame,
	.down = on_down,
};

static void describe_peer(struct link_attempt *a, const struct sockaddr *address)
{
	char host[INET6_ADDRSTRLEN];
	uint16_t port;

	link_address_text(address, host, sizeof host, &port);
	snprintf(a->peer, sizeof a->peer, "%.200s:%u (%s%s%s)", server_of(a)->host, port,
	    strcmp(host, server_of(a)->host) == 0 ? "" : host, strcmp(host, server_of(a)->host) == 0 ? "" : ", ",
	    vocab_name(&vocab_link_transport, (int)a->parts->settings->transport));
}

static void try_target(struct link_attempt *a)
{
	const struct link_parts *p = a->parts;
	const char *name = p->settings->cert_host;

	if (name == NULL)
		name = p->identity != NULL ? p->identity : server_of(a)->host;
	for (; a->target < a->answer.count; a->target++) {
		const struct link_target *t = &a->answer.targets[a->target];

		describe_peer(a, &t->address.any);
		a->waits_for = transport_hop(a);
		a->wire = wire_connect(p->loop, p->protocol, p->settings, p->context, name, t, &wire_owner, a);
		if (a->wire != NULL)
			return;
		note_why(a, LINK_FAULT_CONNECT, a->peer, "no socket could be made: no route, or no descriptors");
		tell(a, transport_hop(a), a->why);
		if (a->over)
			return;
	}
	next_server(a);
}

/* --- one server ------------------------------------------------------------------------------------ */

static void on_answer(void *arg, const struct link_answer *answer, const char *why)
{
	struct link_attempt *a = arg;

	a->query = NULL;
	if (why != NULL) {
		note_why(a, LINK_FAULT_NAME, "", why);
		tell(a, "dns", a->why);
		if (!a->over)
			next_server(a);
		return;
	}
	tell(a, "dns", NULL);
	if (a->over)
		return;
	a->answer = *answer;
	a->target = 0;
	try_target(a);
}

static void try_server(struct link_attempt *a)
{
	const struct link_parts *p = a->parts;
	const struct link_server *s = server_of(a);
	bool tls = p->settings->transport == LINK_TLS;
	const char *service = tls ? p->protocol->tls_service : p->protocol->service;
	char srv[64];

	a->waits_for = "dns";
	snprintf(srv, sizeof srv, "%s.%s", service == NULL ? "" : service,
	    p->settings->transport == LINK_UDP ? "_udp" : "_tcp");
	a->query = link_resolve(p->loop, &p->settings->resolvers, s->host,
	    s->port != 0 ? s->port :
		tls	 ? p->protocol->tls_port :
			   p->protocol->port,
	    s->port == 0 && service != NULL ? srv : NULL, on_answer, a);
	if (a->query == NULL) {
		note_why(a, LINK_FAULT_NAME, s->host, "no memory to resolve the name");
		next_server(a);
	}
}

void link_attempt_tell_pending(struct link_attempt *a)
{
	if (a->query != NULL)
		note_why(a, LINK_FAULT_NAME, "",
		    "no name server has answered in time: look at resolvers, or at /etc/resolv.conf");
	else
		note_why(a, LINK_FAULT_CONNECT, a->peer, "no answer in time");
	tell(a, a->waits_for, a->why);
	while (!a->over && ++a->server < a->end)
		tell(a, "dns", "no time was left to look at this server: those before it do not answer");
}

static void finish(struct link_attempt *a)
{
	a->over = true;
	loop_defer_free(a->parts->loop, a, destroy);
	if (a->reached)
		a->owner->connected(a->arg, NULL, 0, "");
	else
		a->owner->failed(a->arg, a->fault, a->why);
}

static void on_soon(void *arg, short what)
{
	struct link_attempt *a = arg;
	int64_t now = loop_now(a->parts->loop).mono;

	(void)what;
	while (a->server < a->end && a->owner->hop == NULL && server_of(a)->rest_until > now)
		a->server++;
	if (a->server < a->end)
		try_server(a);
	else
		finish(a);
}

struct link_attempt *link_attempt_new(
    const struct link_parts *parts, size_t first, size_t end, const struct link_attempt_owner *owner, void *arg)
{
	struct link_attempt *a = calloc(1, sizeof *a);

	if (a == NULL)
		return NULL;
	*a = (struct link_attempt){ .parts = parts,
		.server = first,
		.end = end,
		.owner = owner,
		.arg = arg,
		.fault = LINK_FAULT_CONNECT,
		.why = "no server may be tried now",
		.waits_for = "dns" };
	a->soon = loop_event_new(parts->loop, "link-attempt", -1, 0, on_soon, a);
	if (a->soon == NULL) {
		free(a);
		return NULL;
	}
	loop_event_arm_in(a->soon, 0);
	return a;
}
