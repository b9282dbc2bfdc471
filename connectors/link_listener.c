/* link_listener.c: a socket that accepts, and the wires of those who came.
 * SPDX-License-Identifier: MIT */
#include "connectors/link_listener.h"

#include <arpa/inet.h>
#include <bsd/sys/queue.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connectors/link_tls.h"
#include "connectors/link_wire.h"
#include "daemon/base/logger.h"
#include "daemon/base/unix_socket.h"
#include "daemon/loop.h"

#define DEFAULT_FIRST_MS 10000
#define DEFAULT_GUESTS	 64
#define RETRY_ACCEPT_MS	 1000
#define ACCEPTS_A_TURN	 16
#define DATAGRAM_BYTES	 65536
#define DATAGRAMS_A_TURN 64
#define TOLD_AGAIN_MS	 60000

struct link_guest {
	TAILQ_ENTRY(link_guest) link;
	struct link_listener *listener;
	struct wire *wire; /* NULL over UDP */
	struct link_target from;
	char host[INET6_ADDRSTRLEN];
	uint16_t port;
	void *data;
	struct loop_event *limit; /* first frame, then silence */
	bool came;		  /* the protocol has been told */
	bool spoke;		  /* its first frame has come */
};

struct link_listener {
	struct loop *loop;
	const struct link_listener_protocol *protocol;
	const struct link_settings *settings;
	void *arg;
	struct link_protocol wires; /* the same, as wires know it */
	SSL_CTX *context;	    /* owned; NULL without TLS */
	int fd;
	const char *path; /* of a Unix socket; NULL: it is none */
	struct loop_event *event, *retry;
	TAILQ_HEAD(, link_guest) guests;
	size_t guest_count;
	char *datagram; /* owned; UDP */
	bool gone;
	int64_t told_at; /* monotonic ms of the last word in the log about somebody who was turned away; 0 none */
};

/* --- guests ---------------------------------------------------------------------------------------- */

static void guest_destroy(void *object)
{
	struct link_guest *g = object;

	loop_event_free(g->limit);
	free(g);
}

static void drop(struct link_guest *g)
{
	struct link_listener *l = g->listener;

	TAILQ_REMOVE(&l->guests, g, link);
	l->guest_count--;
	wire_close(g->wire);
	g->wire = NULL;
	if (g->limit != NULL)
		loop_event_disarm(g->limit);
	loop_defer_free(l->loop, g, guest_destroy);
}

static void end(struct link_guest *g, enum link_fault fault, const char *why)
{
	struct link_listener *l = g->listener;

	if (g->wire == NULL)
		return;
	log_debug(
	    "link", "guest_gone", LOG_TEXT("of", l->protocol->name), LOG_TEXT("host", g->host), LOG_TEXT("why", why));
	drop(g);
	if (g->came && l->protocol->gone != NULL)
		l->protocol->gone(l->arg, g, fault, why);
}

static void on_limit(void *arg, short what)
{
	struct link_guest *g = arg;

	(void)what;
	end(g, LINK_FAULT_LOST, g->spoke ? "it was silent for too long" : "it connected and said nothing");
}

static void on_connected(void *arg)
{
	(void)arg;
}

static void on_up(void *arg)
{
	struct link_guest *g = arg;

	g->came = true;
	if (g->listener->protocol->come != NULL)
		g->listener->protocol->come(g->listener->arg, g);
}

static void on_frame(void *arg, const char *data, size_t len)
{
	struct link_guest *g = arg;
	struct link_listener *l = g->listener;

	g->spoke = true;
	if (l->protocol->idle_ms > 0)
		loop_event_arm_in(g->limit, l->protocol->idle_ms);
	else
		loop_event_disarm(g->limit);
	l->protocol->frame(l->arg, g, data, len);
}

static void on_down(void *arg, enum link_fault fault, const char *why)
{
	end(arg, fault, why);
}

static const struct wire_owner guest_wire = {
	.connected = on_connected,
	.up = on_up,
	.secured = on_connected,
	.frame = on_frame,
	.down = on_down,
};

int link_guest_send(struct link_guest *g, const void *data, size_t len)
{
	if (g->wire != NULL)
		return wire_send(g->wire, data, len);
	if (g->listener->gone || g->listener->settings->transport != LINK_UDP)
		return -ENOTCONN;
	if (sendto(g->listener->fd, data, len, 0, &g->from.address.any, g->from.len) >= 0)
		return 0;
	return errno == EMSGSIZE ? -EMSGSIZE : -ENOBUFS;
}

const char *link_guest_host(const struct link_guest *g)
{
	return g->host;
}

uint16_t link_guest_port(const struct link_guest *g)
{
	return g->port;
}

void link_guest_close(struct link_guest *g, const char *why)
{
	end(g, LINK_FAULT_GIVEN_UP, why);
}

void link_guest_set_data(struct link_guest *g, void *data)
{
	g->data = data;
}

void *link_guest_data(const struct link_guest *g)
{
	return g->data;
}

/* --- the socket ------------------------------------------------------------------------------------ */

/* An address of IPv4 that came through a socket of IPv6 is shown as what it is. */
static void describe(struct link_guest *g)
{
	if (g->listener->path != NULL) {
		snprintf(g->host, sizeof g->host, "local");
		return;
	}
	link_address_text(&g->from.address.any, g->host, sizeof g->host, &g->port);
	if (strncmp(g->host, "::ffff:", 7) == 0 && strchr(g->host, '.') != NULL)
		memmove(g->host, g->host + 7, strlen(g->host + 7) + 1);
}

static const char not_allowed[] = "its address is not allowed";

/* The protocol may free the listener when it is asked: then nobody is. */
static bool is_welcome(const struct link_listener *l, const char *host)
{
	return l->protocol->welcome == NULL || (l->protocol->welcome(l->arg, host) && !l->gone);
}

/* Anybody can come as often as they like: now and then is enough for whoever looks for them. */
static void tell_turned_away(struct link_listener *l, const char *host, const char *why)
{
	int64_t now = loop_now(l->loop).mono;

	if (l->gone || (l->told_at != 0 && now - l->told_at < TOLD_AGAIN_MS))
		return;
	l->told_at = now;
	log_info(
	    "link", "turned_away", LOG_TEXT("of", l->protocol->name), LOG_TEXT("host", host), LOG_TEXT("why", why));
}

static void turn_away(struct link_listener *l, struct link_guest *g, int fd, const char *why)
{
	tell_turned_away(l, g->host, why);
	close(fd);
	free(g);
}

static void admit(struct link_listener *l, int fd, const struct link_target *from)
{
	size_t max = l->protocol->guests_max > 0 ? l->protocol->guests_max : DEFAULT_GUESTS;
	struct link_guest *g = calloc(1, sizeof *g);

	if (g == NULL) {
		close(fd);
		return;
	}
	g->listener = l;
	g->from = *from;
	describe(g);
	if (l->guest_count >= max) {
		turn_away(l, g, fd, "too many connections");
		return;
	}
	if (!is_welcome(l, g->host)) {
		turn_away(l, g, fd, not_allowed);
		return;
	}
	g->limit = loop_event_new(l->loop, "link-guest", -1, 0, on_limit, g);
	g->wire =
	    g->limit == NULL ? NULL : wire_accept(l->loop, &l->wires, l->settings, l->context, fd, &guest_wire, g);
	if (g->wire == NULL) {
		if (g->limit == NULL)
			close(fd);
		guest_destroy(g);
		return;
	}
	TAILQ_INSERT_TAIL(&l->guests, g, link);
	l->guest_count++;
	loop_event_arm_in(g->limit, l->protocol->first_ms > 0 ? l->protocol->first_ms : DEFAULT_FIRST_MS);
}

static void on_connection(void *arg, short what)
{
	struct link_listener *l = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS_A_TURN && !l->gone; i++) {
		struct link_target from = { .len = sizeof from.address };
		int fd = accept4(l->fd, &from.address.any, &from.len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			admit(l, fd, &from);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			loop_event_disarm(l->event); /* it would wake us again and again */
			loop_event_arm_in(l->retry, RETRY_ACCEPT_MS);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

static void on_datagrams(void *arg, short what)
{
	struct link_listener *l = arg;

	(void)what;
	for (int i = 0; i < DATAGRAMS_A_TURN && !l->gone; i++) {
		struct link_guest g = { .listener = l, .from.len = sizeof g.from.address };
		ssize_t n = recvfrom(l->fd, l->datagram, DATAGRAM_BYTES, 0, &g.from.address.any, &g.from.len);

		if (n < 0)
			return; /* nothing more, or what an answer of ours met: its protocol sends it again */
		describe(&g);
		if (is_welcome(l, g.host))
			l->protocol->frame(l->arg, &g, l->datagram, (size_t)n);
		else
			tell_turned_away(l, g.host, not_allowed);
	}
}

static void on_retry(void *arg, short what)
{
	(void)what;
	loop_event_arm(((struct link_listener *)arg)->event);
}

static int open_socket(struct link_listener *l, const char *host, uint16_t port)
{
	struct link_target at = { .len = sizeof at.address.v6,
		.address.v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT } };
	int on = 1, off = 0, kind = l->settings->transport == LINK_UDP ? SOCK_DGRAM : SOCK_STREAM;

	if (host != NULL && inet_pton(AF_INET, host, &at.address.v4.sin_addr) == 1) {
		at.address.v4.sin_family = AF_INET;
		at.address.v4.sin_port = htons(port);
		at.len = sizeof at.address.v4;
	} else if (host != NULL && inet_pton(AF_INET6, host, &at.address.v6.sin6_addr) != 1) {
		return -EINVAL;
	}
	l->fd = socket(at.address.any.sa_family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0 && errno == EAFNOSUPPORT && host == NULL)
		return open_socket(l, "0.0.0.0", port); /* a kernel without IPv6 */
	if (l->fd < 0)
		return -errno;
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, kind == SOCK_STREAM ? sizeof on : 0);
	if (at.address.any.sa_family == AF_INET6 && host == NULL)
		setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(l->fd, &at.address.any, at.len) < 0 || (kind == SOCK_STREAM && listen(l->fd, 64) < 0))
		return -errno;
	return 0;
}

static void close_socket(struct link_listener *l)
{
	if (l->fd >= 0 && l->path != NULL)
		unix_socket_close(l->fd, l->path);
	else if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static void listener_destroy(void *object)
{
	struct link_listener *l = object;

	loop_event_free(l->event);
	loop_event_free(l->retry);
	close_socket(l);
	SSL_CTX_free(l->context);
	free(l->datagram);
	free(l);
}

void link_listener_free(struct link_listener *l)
{
	struct link_guest *g;

	if (l == NULL)
		return;
	l->gone = true;
	while ((g = TAILQ_FIRST(&l->guests)) != NULL)
		drop(g);
	loop_event_disarm(l->event);
	loop_event_disarm(l->retry);
	close_socket(l); /* the port is free at once */
	loop_defer_free(l->loop, l, listener_destroy);
}

static int prepare(struct link_listener *l, const char *host, uint16_t port, char *err, size_t err_size)
{
	int r = open_socket(l, host, port);

	if (r < 0) {
		snprintf(err, err_size, "cannot listen at %s port %u: %s", host == NULL ? "any address" : host, port,
		    r == -EINVAL ? "not a numeric address" : strerror(-r));
		return r;
	}
	if (l->settings->transport == LINK_TLS) {
		l->context = link_tls_server_context(l->settings, err, err_size);
		if (l->context == NULL)
			return -EINVAL;
	}
	return 0;
}

static int prepare_events(struct link_listener *l)
{
	bool udp = l->settings->transport == LINK_UDP;

	l->datagram = udp ? malloc(DATAGRAM_BYTES) : NULL;
	l->event =
	    loop_event_new(l->loop, "link-listen", l->fd, EV_READ | EV_PERSIST, udp ? on_datagrams : on_connection, l);
	l->retry = loop_event_new(l->loop, "link-listen-retry", -1, 0, on_retry, l);
	return l->event == NULL || l->retry == NULL || (udp && l->datagram == NULL) ? -ENOMEM : 0;
}

static struct link_listener *listener_new(
    struct loop *loop, const struct link_listener_protocol *protocol, const struct link_settings *settings, void *arg)
{
	struct link_listener *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	*l = (struct link_listener){ .loop = loop,
		.protocol = protocol,
		.settings = settings,
		.arg = arg,
		.wires = { .name = protocol->name,
		    .framing = protocol->framing,
		    .connect_ms = protocol->first_ms,
		    .frame_ms = protocol->frame_ms,
		    .unsent_max = protocol->unsent_max },
		.fd = -1 };
	TAILQ_INIT(&l->guests);
	return l;
}

/* The last step of both ways to listen; `r` is the result of those before. */
static int begin(struct link_listener **ret, struct link_listener *l, int r)
{
	if (r == 0)
		r = prepare_events(l);
	if (r < 0) {
		listener_destroy(l);
		return r;
	}
	loop_event_arm(l->event);
	*ret = l;
	return 0;
}

int link_listen(struct link_listener **ret, struct loop *loop, const struct link_listener_protocol *protocol,
    const struct link_settings *settings, const char *host, uint16_t port, void *arg, char *err, size_t err_size)
{
	struct link_listener *l = listener_new(loop, protocol, settings, arg);

	return l == NULL ? -ENOMEM : begin(ret, l, prepare(l, host, port, err, err_size));
}

int link_listen_local(struct link_listener **ret, struct loop *loop, const struct link_listener_protocol *protocol,
    const char *path, const char *group, int64_t mode, void *arg, char *err, size_t err_size)
{
	static const struct link_settings in_the_clear = { .transport = LINK_TCP };
	struct link_listener *l = listener_new(loop, protocol, &in_the_clear, arg);

	if (l == NULL)
		return -ENOMEM;
	l->path = path;
	l->fd = unix_socket_listen(path, group, mode, err, err_size);
	return begin(ret, l, l->fd < 0 ? l->fd : 0);
}

uint16_t link_listener_port(const struct link_listener *l)
{
	struct link_target at = { .len = sizeof at.address };

	if (getsockname(l->fd, &at.address.any, &at.len) < 0)
		return 0;
	return ntohs(at.address.any.sa_family == AF_INET6 ? at.address.v6.sin6_port : at.address.v4.sin_port);
}
