/* link_resolver.c: SRV, A and AAAA by c-ares, whose sockets and time-outs live on the loop.
 * SPDX-License-Identifier: MIT
 *
 * A channel lives for one query: so changed name servers are seen at the next attempt, and nothing that one query
 * broke can hurt the next.
 */
#include "connectors/link_resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/buf.h"
#include "daemon/loop.h"

#define MAX_NAMES  8 /* of one SRV answer that are looked at */
#define TIMEOUT_MS 2000
#define TRIES	   2

struct socket_event {
	struct link_query *query;
	ares_socket_t fd;
	struct loop_event *event; /* NULL: free place */
};

struct srv_name {
	char host[LINK_HOST_SIZE];
	uint16_t port, priority, weight;
};

struct link_query {
	struct loop *loop;
	ares_channel channel;
	bool has_channel;
	struct socket_event sockets[ARES_GETSOCK_MAXNUM];
	struct loop_event *timer; /* of c-ares; and the end of the query */
	char host[LINK_HOST_SIZE];
	uint16_t port;
	struct srv_name names[MAX_NAMES];
	size_t name_count, next_name;
	struct link_answer answer;
	char why[320];
	bool finished, over; /* all is known; the owner has let go */
	void (*done)(void *arg, const struct link_answer *answer, const char *why);
	void *arg;
};

void link_address_text(const struct sockaddr *address, char *host, size_t size, uint16_t *ret_port)
{
	const void *raw = address->sa_family == AF_INET6 ?
	    (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr :
	    (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;

	if (inet_ntop(address->sa_family, raw, host, (socklen_t)size) == NULL)
		snprintf(host, size, "?");
	*ret_port =
	    ntohs(address->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)(const void *)address)->sin6_port :
						   ((const struct sockaddr_in *)(const void *)address)->sin_port);
}

/* --- c-ares on the loop ---------------------------------------------------------------------------- */

static void set_timer(struct link_query *q)
{
	struct timeval longest = { .tv_sec = TIMEOUT_MS / 1000 }, room;
	const struct timeval *in;

	if (q->finished) {
		loop_event_arm_in(q->timer, 0);
		return;
	}
	in = ares_timeout(q->channel, &longest, &room); /* one of the two */
	loop_event_arm_in(q->timer, in->tv_sec * 1000 + in->tv_usec / 1000 + 1);
}

static void query_destroy(void *object)
{
	struct link_query *q = object;

	if (q->has_channel)
		ares_destroy(q->channel);
	for (size_t i = 0; i < ARES_GETSOCK_MAXNUM; i++)
		loop_event_free(q->sockets[i].event);
	loop_event_free(q->timer);
	free(q);
}

void link_query_cancel(struct link_query *q)
{
	if (q == NULL || q->over)
		return;
	q->over = true;
	loop_event_disarm(q->timer);
	loop_defer_free(q->loop, q, query_destroy); /* c-ares may be further up the stack */
}

static void on_timer(void *arg, short what)
{
	struct link_query *q = arg;

	(void)what;
	if (q->over)
		return;
	if (!q->finished) {
		ares_process_fd(q->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
		set_timer(q);
		return;
	}
	link_query_cancel(q);
	q->done(q->arg, &q->answer, q->answer.count > 0 ? NULL : q->why);
}

static void on_socket(void *arg, short what)
{
	struct socket_event *s = arg;
	struct link_query *q = s->query;

	if (q->over)
		return;
	ares_process_fd(q->channel, (what & EV_READ) != 0 ? s->fd : ARES_SOCKET_BAD,
	    (what & EV_WRITE) != 0 ? s->fd : ARES_SOCKET_BAD);
	set_timer(q);
}

/* c-ares tells which of its descriptors it waits for. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct link_query *q = arg;
	struct socket_event *s = NULL;

	for (size_t i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		if (q->sockets[i].event != NULL && q->sockets[i].fd == fd) {
			loop_event_free(q->sockets[i].event);
			q->sockets[i].event = NULL;
		}
		if (q->sockets[i].event == NULL && s == NULL)
			s = &q->sockets[i];
	}
	if ((!readable && !writable) || s == NULL || q->over)
		return;
	*s = (struct socket_event){ .query = q, .fd = fd };
	s->event = loop_event_new(q->loop, "resolver", fd,
	    (short)(EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0)), on_socket, s);
	if (s->event != NULL)
		loop_event_arm(s->event);
}

/* --- A and AAAA ------------------------------------------------------------------------------------ */

static void ask_addresses(struct link_query *q, const char *host);

static void finish(struct link_query *q)
{
	q->finished = true;
	set_timer(q); /* not from inside c-ares, and not from inside link_resolve() */
}

static void add_target(struct link_query *q, const struct sockaddr *address, socklen_t len, uint16_t port)
{
	struct link_target *t = &q->answer.targets[q->answer.count];

	if (q->answer.count == LINK_TARGETS_MAX || len > sizeof t->address)
		return;
	memcpy(&t->address, address, len);
	t->len = len;
	if (address->sa_family == AF_INET6)
		t->address.v6.sin6_port = htons(port);
	else
		t->address.v4.sin_port = htons(port);
	q->answer.count++;
}

static void on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct link_query *q = arg;
	uint16_t port = q->next_name == 0 ? q->port : q->names[q->next_name - 1].port;
	const char *host = q->next_name == 0 ? q->host : q->names[q->next_name - 1].host;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED || q->over) {
		if (info != NULL)
			ares_freeaddrinfo(info);
		return;
	}
	if (status == ARES_SUCCESS)
		for (struct ares_addrinfo_node *n = info->nodes; n != NULL; n = n->ai_next)
			add_target(q, n->ai_addr, n->ai_addrlen, port);
	else
		snprintf(q->why, sizeof q->why, "the name %s cannot be resolved: %s", host, ares_strerror(status));
	if (info != NULL)
		ares_freeaddrinfo(info);
	if (q->next_name < q->name_count) {
		q->next_name++;
		ask_addresses(q, q->names[q->next_name - 1].host);
	} else {
		finish(q);
	}
}

static void ask_addresses(struct link_query *q, const char *host)
{
	const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };

	ares_getaddrinfo(q->channel, host, NULL, &hints, on_addresses, q); /* the port is ours */
}

/* --- SRV ------------------------------------------------------------------------------------------- */

/* RFC 2782: a lower priority first; among equals at random by weight. */
static void order_names(struct link_query *q)
{
	for (size_t i = 0; i < q->name_count; i++) {
		uint32_t sum = 0, pick;
		size_t chosen = i;
		struct srv_name name;

		for (size_t k = i; k < q->name_count; k++)
			if (q->names[k].priority < q->names[chosen].priority)
				chosen = k;
		for (size_t k = i; k < q->name_count; k++)
			if (q->names[k].priority == q->names[chosen].priority)
				sum += q->names[k].weight + 1u;
		pick = arc4random_uniform(sum);
		for (size_t k = i, first = chosen; k < q->name_count; k++) {
			if (q->names[k].priority != q->names[first].priority)
				continue;
			if (pick < q->names[k].weight + 1u) {
				chosen = k;
				break;
			}
			pick -= q->names[k].weight + 1u;
		}
		name = q->names[i];
		q->names[i] = q->names[chosen];
		q->names[chosen] = name;
	}
}

static void take_names(struct link_query *q, const struct ares_srv_reply *reply)
{
	for (; reply != NULL; reply = reply->next) {
		struct srv_name *n = &q->names[q->name_count];

		if (q->name_count == MAX_NAMES) { /* the least preferred makes room */
			n = &q->names[0];
			for (size_t i = 1; i < MAX_NAMES; i++)
				if (q->names[i].priority > n->priority)
					n = &q->names[i];
			if (n->priority <= reply->priority)
				continue;
		}
		if (strlen(reply->host) >= sizeof n->host || *reply->host == '\0' || strcmp(reply->host, ".") == 0)
			continue; /* "." says: not here */
		snprintf(n->host, sizeof n->host, "%s", reply->host);
		n->port = reply->port != 0 ? reply->port : q->port;
		n->priority = reply->priority;
		n->weight = reply->weight;
		if (q->name_count < MAX_NAMES)
			q->name_count++;
	}
	order_names(q);
}

static void on_srv(void *arg, int status, int timeouts, unsigned char *data, int len)
{
	struct ares_srv_reply *reply = NULL;
	struct link_query *q = arg;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED || q->over)
		return;
	if (status == ARES_SUCCESS && ares_parse_srv_reply(data, len, &reply) == ARES_SUCCESS) {
		take_names(q, reply);
		ares_free_data(reply);
	}
	if (q->name_count > 0) {
		q->next_name = 1;
		ask_addresses(q, q->names[0].host);
	} else {
		ask_addresses(q, q->host);
	}
}

/* --- asking ---------------------------------------------------------------------------------------- */

static bool add_numeric(struct link_query *q)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, q->host, &v4.sin_addr) == 1)
		add_target(q, (const struct sockaddr *)&v4, sizeof v4, q->port);
	else if (inet_pton(AF_INET6, q->host, &v6.sin6_addr) == 1)
		add_target(q, (const struct sockaddr *)&v6, sizeof v6, q->port);
	return q->answer.count > 0;
}

static bool set_servers(struct link_query *q, const struct option_list *resolvers)
{
	struct buf list;
	bool ok;

	if (resolvers->count == 0)
		return true;
	buf_init(&list, 4096);
	for (size_t i = 0; i < resolvers->count; i++)
		buf_printf(&list, "%s%s", i == 0 ? "" : ",", resolvers->items[i]);
	ok = !list.failed && ares_set_servers_ports_csv(q->channel, buf_text(&list)) == ARES_SUCCESS;
	buf_done(&list);
	return ok;
}

static bool open_channel(struct link_query *q)
{
	struct ares_options options = {
		.timeout = TIMEOUT_MS, .tries = TRIES, .sock_state_cb = on_socket_state, .sock_state_cb_data = q
	};

	q->has_channel = ares_init_options(&q->channel, &options,
			     ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) == ARES_SUCCESS;
	return q->has_channel;
}

struct link_query *link_resolve(struct loop *loop, const struct option_list *resolvers, const char *host, uint16_t port,
    const char *service, void (*done)(void *arg, const struct link_answer *answer, const char *why), void *arg)
{
	struct link_query *q = calloc(1, sizeof *q);
	char name[LINK_HOST_SIZE + 32];

	if (q == NULL)
		return NULL;
	q->loop = loop;
	q->port = port;
	q->done = done;
	q->arg = arg;
	snprintf(q->host, sizeof q->host, "%s", host);
	q->timer = loop_event_new(loop, "resolver-time", -1, 0, on_timer, q);
	if (q->timer == NULL) {
		free(q);
		return NULL;
	}
	if (add_numeric(q)) {
		finish(q);
		return q;
	}
	if (!open_channel(q) || !set_servers(q, resolvers)) {
		snprintf(q->why, sizeof q->why, "the resolver cannot be set up: look at %s",
		    resolvers->count > 0 ? "resolvers in the configuration" : "/etc/resolv.conf");
		finish(q);
		return q;
	}
	snprintf(name, sizeof name, "%s.%s", service == NULL ? "" : service, q->host);
	if (service != NULL)
		ares_query(q->channel, name, ns_c_in, ns_t_srv, on_srv, q);
	else
		ask_addresses(q, q->host);
	set_timer(q);
	return q;
}
