/* link_wire.c: a UDP socket, or a bufferevent that becomes TLS.
 * SPDX-License-Identifier: MIT */
#include "connectors/link_wire.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connectors/link_tls.h"
#include "daemon/loop.h"

#define DATAGRAM_BYTES	   65536
#define DATAGRAMS_A_TURN   64
#define UDP_RECEIVE_BYTES  (4 * 1024 * 1024) /* a first wave of answers; the kernel may give less */
#define DEFAULT_CONNECT_MS 10000
#define DEFAULT_FRAME_MS   30000
#define DEFAULT_UNSENT	   (4 * 1024 * 1024)
#define SECURITY_OF(w)	   ((w)->settings->tls_verify ? LINK_VERIFIED : LINK_ENCRYPTED)

enum wire_state { WIRE_CONNECTING, WIRE_SECURING, WIRE_UP, WIRE_FLUSHING /* clear text, before TLS */, WIRE_OVER };

struct wire {
	struct loop *loop;
	const struct link_protocol *protocol;
	const struct link_settings *settings;
	SSL_CTX *context;
	const char *name;
	const struct wire_owner *owner;
	void *arg;
	enum wire_state state;
	bool upgrade;		    /* TLS was asked for by the protocol, not by the transport */
	int refused;		    /* errno of a connect() that failed at once */
	int fd;			    /* UDP; -1 */
	char *datagram;		    /* UDP: owned, DATAGRAM_BYTES */
	struct bufferevent *stream; /* TCP, TLS */
	struct loop_event *event;   /* UDP: readable, and the first time: up */
	struct loop_event *limit;   /* connection, handshake, silence inside a frame */
	struct framing_state framing;
	int64_t heard;
	bool spoke; /* something was received since it is up */
};

static void end(struct wire *w, enum link_fault fault, const char *why)
{
	if (w->state == WIRE_OVER)
		return;
	w->state = WIRE_OVER;
	loop_event_disarm(w->limit);
	if (w->stream != NULL)
		bufferevent_disable(w->stream, EV_READ | EV_WRITE);
	if (w->event != NULL)
		loop_event_disarm(w->event);
	w->owner->down(w->arg, fault, why);
}

static void connect_why(int error, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s", strerror(error),
	    error == ECONNREFUSED ? ": nothing listens there, or a firewall turns us away" : "");
}

static void come_up(struct wire *w)
{
	bool upgrade = w->upgrade;

	w->state = WIRE_UP;
	w->upgrade = false;
	loop_event_disarm(w->limit);
	if (upgrade)
		w->owner->secured(w->arg);
	else
		w->owner->up(w->arg);
}

static void on_limit(void *arg, short what)
{
	struct wire *w = arg;
	char why[160];

	(void)what;
	connect_why(w->refused, why, sizeof why);
	if (w->refused != 0)
		end(w, LINK_FAULT_CONNECT, why);
	else if (w->state == WIRE_CONNECTING)
		end(w, LINK_FAULT_CONNECT, "no answer to the attempt to connect: look at address, port and firewalls");
	else if (w->state == WIRE_UP)
		end(w, LINK_FAULT_FRAMING, "it began a message and did not end it");
	else
		end(w, LINK_FAULT_TLS, "no answer in the TLS handshake: it may not speak TLS at this port");
}

/* --- UDP ------------------------------------------------------------------------------------------- */

static void on_datagrams(struct wire *w)
{
	char why[160];

	for (int i = 0; i < DATAGRAMS_A_TURN && w->state == WIRE_UP; i++) {
		ssize_t n = recv(w->fd, w->datagram, DATAGRAM_BYTES, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) { /* what an earlier datagram of ours met */
			connect_why(errno, why, sizeof why);
			end(w, LINK_FAULT_LOST, why);
			return;
		}
		w->heard = loop_now(w->loop).mono;
		w->owner->frame(w->arg, w->datagram, (size_t)n);
	}
}

static void on_udp(void *arg, short what)
{
	struct wire *w = arg;

	if (w->state == WIRE_CONNECTING) {
		loop_event_arm(w->event); /* for reading, without a limit */
		w->owner->connected(w->arg);
		if (w->state == WIRE_CONNECTING)
			come_up(w);
		return;
	}
	if ((what & EV_READ) != 0 && w->state == WIRE_UP)
		on_datagrams(w);
}

static int send_datagram(struct wire *w, const void *data, size_t len)
{
	if (send(w->fd, data, len, 0) >= 0)
		return 0;
	/* a refusal belongs to an earlier datagram; it is read, and this one is sent again by its protocol */
	return errno == EMSGSIZE ? -EMSGSIZE : errno == EAGAIN || errno == ENOBUFS ? -ENOBUFS : 0;
}

static bool open_udp(struct wire *w, const struct link_target *target)
{
	int size = UDP_RECEIVE_BYTES;

	w->datagram = malloc(DATAGRAM_BYTES);
	setsockopt(w->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (w->datagram == NULL || connect(w->fd, &target->address.any, target->len) < 0)
		return false;
	w->event = loop_event_new(w->loop, "link-udp", w->fd, EV_READ | EV_PERSIST, on_udp, w);
	if (w->event == NULL)
		return false;
	loop_event_arm_in(w->event, 0);
	return true;
}

/* --- TCP and TLS ----------------------------------------------------------------------------------- */

/* Hand over all whole frames; the owner may close, or begin TLS, inside any of them. */
static void take_frames(struct wire *w)
{
	struct evbuffer *in = bufferevent_get_input(w->stream);
	char why[160];
	size_t len;

	while (w->state == WIRE_UP) {
		enum framing_result r = framing_next(&w->protocol->framing, &w->framing, in, &len, why, sizeof why);

		if (r == FRAMING_BROKEN) {
			end(w, LINK_FAULT_FRAMING, why);
			return;
		}
		if (r == FRAMING_MORE)
			break;
		w->owner->frame(w->arg, (const char *)evbuffer_pullup(in, (ev_ssize_t)len), len);
		if (w->state == WIRE_OVER)
			return;
		evbuffer_drain(in, len);
	}
	if (w->state == WIRE_UP && evbuffer_get_length(in) > 0)
		loop_event_arm_in(w->limit, w->protocol->frame_ms > 0 ? w->protocol->frame_ms : DEFAULT_FRAME_MS);
	else if (w->state == WIRE_UP)
		loop_event_disarm(w->limit);
}

static void secure(struct wire *w);

static void on_read(struct bufferevent *stream, void *arg)
{
	struct wire *w = arg;
	struct loop_span span = loop_enter(w->loop, "link-read");

	(void)stream;
	w->heard = loop_now(w->loop).mono;
	w->spoke = true;
	if (w->state == WIRE_FLUSHING)
		end(w, LINK_FAULT_TLS, "it sent something in the clear when TLS was to begin");
	else
		take_frames(w);
	if (w->state == WIRE_FLUSHING && evbuffer_get_length(bufferevent_get_output(w->stream)) == 0)
		secure(w);
	loop_leave(span);
}

static void on_written(struct bufferevent *stream, void *arg)
{
	struct wire *w = arg;
	struct loop_span span = loop_enter(w->loop, "link-written");

	(void)stream;
	if (w->state == WIRE_FLUSHING)
		secure(w);
	loop_leave(span);
}

static void lost(struct wire *w, short what, int error)
{
	unsigned long tls = bufferevent_get_openssl_error(w->stream);
	char why[320];

	if (w->state == WIRE_SECURING) {
		SSL *ssl = bufferevent_openssl_get_ssl(w->stream);

		link_tls_why(ssl, tls, w->name, why, sizeof why);
		end(w, LINK_FAULT_TLS, why);
		return;
	}
	if (w->state == WIRE_CONNECTING) {
		connect_why(error, why, sizeof why);
		end(w, LINK_FAULT_CONNECT, why);
		return;
	}
	snprintf(why, sizeof why, "%s%s",
	    (what & BEV_EVENT_EOF) != 0 || error == 0 ? "it closed the connection" : strerror(error),
	    w->spoke ? "" : ", without a word before it: look at the port and at transport");
	end(w, LINK_FAULT_LOST, why);
}

static void on_change(struct bufferevent *stream, short what, void *arg)
{
	int error = EVUTIL_SOCKET_ERROR();
	struct wire *w = arg;
	struct loop_span span = loop_enter(w->loop, "link-change");

	(void)stream;
	if ((what & BEV_EVENT_CONNECTED) == 0) {
		lost(w, what, error);
	} else if (w->state == WIRE_SECURING) {
		come_up(w);
	} else if (w->state == WIRE_CONNECTING) {
		w->owner->connected(w->arg);
		if (w->state == WIRE_CONNECTING && w->context != NULL && w->settings->transport == LINK_TLS)
			secure(w);
		else if (w->state == WIRE_CONNECTING)
			come_up(w);
	}
	loop_leave(span);
}

static void listen_to(struct wire *w)
{
	bufferevent_setcb(w->stream, on_read, on_written, on_change, w);
	bufferevent_enable(w->stream, EV_READ | EV_WRITE);
}

/* The same socket in a bufferevent that does TLS: the plain one lets go of it first. */
static void secure(struct wire *w)
{
	SSL *ssl = link_tls_new(w->context, w->settings, w->name);
	int fd = bufferevent_getfd(w->stream);
	struct bufferevent *plain = w->stream;

	w->state = WIRE_SECURING;
	w->framing = (struct framing_state){ 0 };
	if (evbuffer_get_length(bufferevent_get_input(plain)) > 0) {
		SSL_free(ssl);
		end(w, LINK_FAULT_TLS, "it sent something in the clear when TLS was to begin");
		return;
	}
	if (ssl == NULL) {
		end(w, LINK_FAULT_TLS, "no memory for TLS, or a name that no certificate can have");
		return;
	}
	bufferevent_disable(plain, EV_READ | EV_WRITE);
	bufferevent_setcb(plain, NULL, NULL, NULL, NULL);
	bufferevent_setfd(plain, -1);
	bufferevent_free(plain);
	ERR_clear_error();
	w->stream = bufferevent_openssl_socket_new(
	    loop_base(w->loop), fd, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
	if (w->stream == NULL) {
		close(fd);
		SSL_free(ssl);
		end(w, LINK_FAULT_TLS, "no memory for TLS");
		return;
	}
	bufferevent_openssl_set_allow_dirty_shutdown(w->stream, 1); /* messages have their own ends */
	loop_event_arm_in(w->limit, w->protocol->connect_ms > 0 ? w->protocol->connect_ms : DEFAULT_CONNECT_MS);
	listen_to(w);
}

void wire_start_tls(struct wire *w, SSL_CTX *context, size_t unread)
{
	if (w->state != WIRE_UP || w->stream == NULL || wire_security(w) != LINK_CLEAR)
		return;
	w->context = context;
	w->upgrade = true;
	if (unread > 0) {
		end(w, LINK_FAULT_TLS, "it sent something in the clear when TLS was to begin");
		return;
	}
	w->state = WIRE_FLUSHING; /* on_read(), if we are in it, or on_written() goes on */
	loop_event_arm_in(w->limit, w->protocol->connect_ms > 0 ? w->protocol->connect_ms : DEFAULT_CONNECT_MS);
	if (wire_unsent(w) == 0)
		bufferevent_trigger(w->stream, EV_WRITE, 0);
}

/* A dead peer is noticed within 60 s whatever the protocol does. */
static void watch_over(int fd)
{
	const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 20 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 10 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 3 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 30000 },
	};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value);
}

static bool open_stream(struct wire *w, const struct link_target *target)
{
	watch_over(w->fd);
	w->stream = bufferevent_socket_new(loop_base(w->loop), w->fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (w->stream == NULL)
		return false;
	w->fd = -1; /* the bufferevent's */
	listen_to(w);
	/* deferred callbacks: a refusal at once must not come from inside here; of some it does not tell at all */
	if (bufferevent_socket_connect(w->stream, &target->address.any, (int)target->len) < 0)
		w->refused = errno != 0 ? errno : ENETUNREACH;
	return true;
}

/* --- life ------------------------------------------------------------------------------------------ */

static void wire_destroy(void *object)
{
	struct wire *w = object;

	loop_event_free(w->event);
	loop_event_free(w->limit);
	if (w->stream != NULL)
		bufferevent_free(w->stream);
	if (w->fd >= 0)
		close(w->fd);
	free(w->datagram);
	free(w);
}

struct wire *wire_connect(struct loop *loop, const struct link_protocol *protocol, const struct link_settings *settings,
    SSL_CTX *context, const char *name, const struct link_target *target, const struct wire_owner *owner, void *arg)
{
	struct wire *w = calloc(1, sizeof *w);
	bool udp = settings->transport == LINK_UDP;

	if (w == NULL)
		return NULL;
	*w = (struct wire){ .loop = loop,
		.protocol = protocol,
		.settings = settings,
		.context = context,
		.name = name,
		.owner = owner,
		.arg = arg,
		.heard = loop_now(loop).mono };
	w->limit = loop_event_new(loop, "link-limit", -1, 0, on_limit, w);
	w->fd =
	    socket(target->address.any.sa_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->limit == NULL || w->fd < 0 || !(udp ? open_udp(w, target) : open_stream(w, target))) {
		wire_destroy(w);
		return NULL;
	}
	loop_event_arm_in(w->limit,
	    w->refused != 0		 ? 0 :
		protocol->connect_ms > 0 ? protocol->connect_ms :
					   DEFAULT_CONNECT_MS);
	return w;
}

static bool open_accepted(struct wire *w)
{
	SSL *ssl = w->context == NULL ? NULL : SSL_new(w->context);

	watch_over(w->fd);
	if (w->context == NULL)
		w->stream = bufferevent_socket_new(loop_base(w->loop), w->fd, BEV_OPT_CLOSE_ON_FREE);
	else if (ssl != NULL)
		w->stream = bufferevent_openssl_socket_new(
		    loop_base(w->loop), w->fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (w->stream == NULL) {
		SSL_free(ssl);
		return false;
	}
	w->fd = -1; /* the bufferevent's */
	if (ssl == NULL)
		return true;
	w->state = WIRE_SECURING;
	bufferevent_openssl_set_allow_dirty_shutdown(w->stream, 1);
	listen_to(w);
	return true;
}

/* up() of a connection in the clear comes from the loop like any other. */
static void on_accepted(void *arg, short what)
{
	struct wire *w = arg;

	(void)what;
	if (w->state != WIRE_CONNECTING)
		return;
	listen_to(w);
	come_up(w);
}

struct wire *wire_accept(struct loop *loop, const struct link_protocol *protocol, const struct link_settings *settings,
    SSL_CTX *context, int fd, const struct wire_owner *owner, void *arg)
{
	struct wire *w = calloc(1, sizeof *w);

	if (w == NULL) {
		close(fd);
		return NULL;
	}
	*w = (struct wire){ .loop = loop,
		.protocol = protocol,
		.settings = settings,
		.context = context,
		.name = "",
		.owner = owner,
		.arg = arg,
		.fd = fd,
		.heard = loop_now(loop).mono };
	w->limit = loop_event_new(loop, "link-limit", -1, 0, on_limit, w);
	w->event = loop_event_new(loop, "link-accepted", -1, 0, on_accepted, w);
	if (w->limit == NULL || w->event == NULL || !open_accepted(w)) {
		wire_destroy(w);
		return NULL;
	}
	loop_event_arm_in(w->limit, protocol->connect_ms > 0 ? protocol->connect_ms : DEFAULT_CONNECT_MS);
	loop_event_arm_in(w->event, 0);
	return w;
}

void wire_set_owner(struct wire *w, const struct wire_owner *owner, void *arg)
{
	w->owner = owner;
	w->arg = arg;
}

/* What waits goes to the socket now, as far as it takes it, and TLS says goodbye. */
static void flush(struct wire *w)
{
	struct evbuffer *out = bufferevent_get_output(w->stream);
	SSL *ssl = bufferevent_openssl_get_ssl(w->stream);
	size_t len = evbuffer_get_length(out);
	const char *data;
	int n;

	if (ssl == NULL) {
		evbuffer_unfreeze(out, 1);
		while (evbuffer_get_length(out) > 0 && evbuffer_write(out, bufferevent_getfd(w->stream)) > 0)
			; /* it takes a number of pieces at a time */
		return;
	}
	data = len == 0 ? NULL : (const char *)evbuffer_pullup(out, (ev_ssize_t)len);
	for (; data != NULL && len > 0 && (n = SSL_write(ssl, data, (int)len)) > 0; len -= (size_t)n)
		data += n; /* one record at a time */
	SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
	SSL_shutdown(ssl);
	ERR_clear_error();
}

void wire_close(struct wire *w)
{
	if (w == NULL)
		return;
	if ((w->state == WIRE_UP || w->state == WIRE_FLUSHING) && w->stream != NULL)
		flush(w);
	w->state = WIRE_OVER;
	if (w->stream != NULL) {
		bufferevent_disable(w->stream, EV_READ | EV_WRITE);
		bufferevent_setcb(w->stream, NULL, NULL, NULL, NULL);
	}
	if (w->event != NULL)
		loop_event_disarm(w->event);
	loop_event_disarm(w->limit);
	loop_defer_free(w->loop, w, wire_destroy);
}

int wire_send(struct wire *w, const void *data, size_t len)
{
	size_t max = w->protocol->unsent_max > 0 ? w->protocol->unsent_max : DEFAULT_UNSENT;

	if (w->state != WIRE_UP)
		return -ENOTCONN;
	if (w->stream == NULL)
		return send_datagram(w, data, len);
	if (len > max - (wire_unsent(w) < max ? wire_unsent(w) : max))
		return -ENOBUFS;
	return bufferevent_write(w->stream, data, len) == 0 ? 0 : -ENOBUFS;
}

size_t wire_unsent(const struct wire *w)
{
	return w->stream == NULL ? 0 : evbuffer_get_length(bufferevent_get_output(w->stream));
}

enum link_security wire_security(const struct wire *w)
{
	if (w->stream == NULL || bufferevent_openssl_get_ssl(w->stream) == NULL)
		return LINK_CLEAR;
	return SECURITY_OF(w);
}

static bool name_of(const struct wire *w, int (*ask)(int fd, struct sockaddr *address, socklen_t *len), char *host,
    size_t size, uint16_t *ret_port, bool *ret_v6)
{
	struct link_target end_point = { .len = sizeof end_point.address };

	if (ask(w->stream == NULL ? w->fd : bufferevent_getfd(w->stream), &end_point.address.any, &end_point.len) < 0)
		return false;
	link_address_text(&end_point.address.any, host, size, ret_port);
	*ret_v6 = end_point.address.any.sa_family == AF_INET6;
	return true;
}

bool wire_local(const struct wire *w, char *host, size_t size, uint16_t *ret_port, bool *ret_v6)
{
	return name_of(w, getsockname, host, size, ret_port, ret_v6);
}

bool wire_remote(const struct wire *w, char *host, size_t size, uint16_t *ret_port, bool *ret_v6)
{
	return name_of(w, getpeername, host, size, ret_port, ret_v6);
}

int64_t wire_heard(const struct wire *w)
{
	return w->heard;
}
