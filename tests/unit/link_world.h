/* link_world.h: a loop that is turned until something is true, a link that writes down what happens, and servers.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TESTS_LINK_WORLD_H
#define PRESENCED_TESTS_LINK_WORLD_H

#include "tests/unit/helpers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connectors/link.h"
#include "daemon/base/buf.h"
#include "daemon/base/logger.h"
#include "daemon/loop.h"

#define PATIENCE_MS 30000 /* nothing here takes so long unless it is broken */
#define PEERS_MAX   16
#define SERVERS_MAX 4
#define NOT_AT_ONCE 300 /* ms; the next attempt is due after 15 s */

struct world {
	struct loop *loop;
	struct loop_event *deadline;
	bool late;
	struct link *link; /* NULL: not made, or freed */
	struct link_protocol protocol;
	struct link_settings settings;
	struct link_place place;
	char places[SERVERS_MAX][300], *servers[SERVERS_MAX];
	int ups, frames, quiets, secureds, downs;
	enum link_fault fault; /* of the last down() */
	char why[600];
	struct buf received;
	void (*on_up)(void), (*on_frame)(void), (*on_quiet)(void), (*on_secured)(void), (*on_down)(void);
};

static struct world w;

/* --- the loop ------------------------------------------------------------------------------------ */

static inline bool stop_after_a_turn(void *arg)
{
	(void)arg;
	loop_stop(w.loop);
	return false;
}

static inline void on_deadline(void *arg, short what)
{
	(void)arg;
	(void)what;
	w.late = true;
}

#define AWAIT(condition) \
	do { \
		w.late = false; \
		loop_event_arm_in(w.deadline, PATIENCE_MS); \
		while (!(condition)) { \
			if (w.late) \
				fail_msg("it does not happen: %s (last: %s)", #condition, w.why); \
			loop_run(w.loop); \
		} \
		loop_event_disarm(w.deadline); \
	} while (0)

/* Let time pass, for what must not happen. */
static inline void pass(int64_t ms)
{
	w.late = false;
	loop_event_arm_in(w.deadline, ms);
	while (!w.late)
		loop_run(w.loop);
}

/* --- the link ------------------------------------------------------------------------------------ */

static inline void tell(void (*listener)(void))
{
	if (listener != NULL)
		listener();
}

static inline void up(void *arg)
{
	(void)arg;
	w.ups++;
	tell(w.on_up);
}

static inline void secured(void *arg)
{
	(void)arg;
	w.secureds++;
	tell(w.on_secured);
}

static inline void frame(void *arg, const char *data, size_t len)
{
	(void)arg;
	w.frames++;
	buf_put(&w.received, data, len);
	tell(w.on_frame);
}

static inline void quiet(void *arg)
{
	(void)arg;
	w.quiets++;
	tell(w.on_quiet);
}

static inline void down(void *arg, enum link_fault fault, const char *why)
{
	(void)arg;
	w.downs++;
	w.fault = fault;
	snprintf(w.why, sizeof w.why, "%s", why);
	tell(w.on_down);
}

static inline void free_link(void)
{
	link_free(w.link);
	w.link = NULL;
}

/* Of the last down(). */
static inline void check_why(enum link_fault fault, const char *words)
{
	assert_int_equal(w.fault, fault);
	if (strstr(w.why, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", w.why, words);
}

/* For on_up() and the like. */
static inline void be_good(void)
{
	link_good(w.link);
}

static inline void fail_once(void)
{
	w.on_up = NULL;
	link_fail(w.link, LINK_NEXT_SERVER, 60000, "it is of no use");
	assert_int_equal(w.downs, 0); /* it comes from the loop */
	assert_false(link_is_up(w.link));
	assert_int_equal(link_send(w.link, "x", 1), -ENOTCONN);
}

static inline int world_begin(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	logger_set_level(NULL, LOG_LEVEL_ERROR);
	memset(&w, 0, sizeof w);
	buf_init(&w.received, 1 << 20);
	w.loop = loop_new();
	if (w.loop == NULL || loop_add_hook(w.loop, "test", stop_after_a_turn, NULL) < 0)
		return -1;
	w.deadline = loop_event_new(w.loop, "deadline", -1, 0, on_deadline, NULL);
	w.protocol = (struct link_protocol){ .name = "test",
		.framing = { .kind = FRAMING_LINE, .max = 1000 },
		.up = up,
		.secured = secured,
		.frame = frame,
		.quiet = quiet,
		.down = down };
	w.settings = (struct link_settings){
		.transport = LINK_TCP, .tls_min = TLS_VERSION_1_2, .tls_max = TLS_VERSION_1_3, .tls_verify = true
	};
	w.settings.servers.items = w.servers;
	w.protocol.secured = NULL;
	return w.deadline == NULL ? -1 : 0;
}

static inline int world_end(void **state)
{
	(void)state;
	free_link();
	pass(1); /* what is freed at the end of a turn */
	loop_event_free(w.deadline);
	loop_free(w.loop);
	buf_done(&w.received);
	return 0;
}

/* One more server of the link. */
static inline void add_place(const char *host, uint16_t port)
{
	size_t i = w.settings.servers.count++;

	snprintf(w.places[i], sizeof w.places[i], port == 0 ? "%s" : "%s:%u", host, port);
	w.servers[i] = w.places[i];
}

static inline void make_link(void)
{
	char err[256] = "";

	if (link_new(&w.link, w.loop, &w.protocol, &w.settings, &w.place, NULL, err, sizeof err) != 0)
		fail_msg("link_new: %s", err);
}

static inline void start_link(void)
{
	make_link();
	link_start(w.link);
}

/* --- servers ------------------------------------------------------------------------------------- */

struct server {
	int fd;
	uint16_t port;
	struct loop_event *event;
	int connections;
	int goodbyes; /* ends of theirs, over TLS only those that were said */
	SSL_CTX *tls; /* NULL: in the clear */
	bool closes;  /* at once */
	bool echoes;
	const char *greeting;	/* NULL: none */
	const char *start_line; /* at this line: it says `go`, and begins TLS */
	const char *go;
	struct bufferevent *peers[PEERS_MAX];
	struct buf received;
};

/* A descriptor on 127.0.0.1 with a port of its own. */
static inline int bound_socket(int type, uint16_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static inline void peer_read(struct bufferevent *stream, void *arg);

/* Without its goodbye the end of TLS is an error. */
static inline void peer_changed(struct bufferevent *stream, short what, void *arg)
{
	struct server *s = arg;

	(void)stream;
	s->goodbyes += (what & BEV_EVENT_EOF) != 0;
}

static inline void peer_begin_tls(struct server *s, struct bufferevent **peer)
{
	struct bufferevent *filter = bufferevent_openssl_filter_new(
	    loop_base(w.loop), *peer, SSL_new(s->tls), BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);

	bufferevent_setcb(filter, peer_read, NULL, peer_changed, s);
	bufferevent_enable(filter, EV_READ | EV_WRITE);
	s->start_line = NULL;
	*peer = filter;
}

static inline void peer_read(struct bufferevent *stream, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(stream);
	struct server *s = arg;
	size_t len = evbuffer_get_length(in), i = 0;
	char *data = (char *)evbuffer_pullup(in, -1);

	buf_put(&s->received, data, len);
	if (s->echoes && s->start_line == NULL)
		bufferevent_write(stream, data, len);
	evbuffer_drain(in, len);
	if (s->start_line == NULL || strstr(buf_text(&s->received), s->start_line) == NULL)
		return;
	bufferevent_write(stream, s->go, strlen(s->go));
	while (i < PEERS_MAX && s->peers[i] != stream)
		i++;
	if (i < PEERS_MAX)
		peer_begin_tls(s, &s->peers[i]);
}

static inline void server_accept(void *arg, short what)
{
	struct server *s = arg;
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct bufferevent **peer = &s->peers[s->connections % PEERS_MAX];

	(void)what;
	if (fd < 0)
		return;
	s->connections++;
	if (s->closes || *peer != NULL) {
		if (s->greeting != NULL)
			assert_int_equal(write(fd, s->greeting, strlen(s->greeting)), strlen(s->greeting));
		close(fd);
		return;
	}
	*peer = s->tls != NULL && s->start_line == NULL ?
	    bufferevent_openssl_socket_new(
		loop_base(w.loop), fd, SSL_new(s->tls), BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE) :
	    bufferevent_socket_new(loop_base(w.loop), fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(*peer, peer_read, NULL, peer_changed, s);
	bufferevent_enable(*peer, EV_READ | EV_WRITE);
	if (s->greeting != NULL)
		bufferevent_write(*peer, s->greeting, strlen(s->greeting));
}

/* A port where nobody listens, until server_listen(). */
static inline void server_reserve(struct server *s)
{
	*s = (struct server){ .fd = -1 };
	buf_init(&s->received, 1 << 20);
	s->fd = bound_socket(SOCK_STREAM, &s->port);
}

static inline void server_listen(struct server *s)
{
	assert_int_equal(listen(s->fd, 16), 0);
	s->event = loop_event_new(w.loop, "server", s->fd, EV_READ | EV_PERSIST, server_accept, s);
	assert_non_null(s->event);
	loop_event_arm(s->event);
}

static inline void server_open(struct server *s)
{
	server_reserve(s);
	server_listen(s);
}

static inline void server_hang_up(struct server *s)
{
	for (size_t i = 0; i < PEERS_MAX; i++) {
		if (s->peers[i] != NULL)
			bufferevent_free(s->peers[i]);
		s->peers[i] = NULL;
	}
}

static inline void server_say(struct server *s, const char *text)
{
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (s->peers[i] != NULL)
			bufferevent_write(s->peers[i], text, strlen(text));
}

static inline void server_close(struct server *s)
{
	server_hang_up(s);
	loop_event_free(s->event);
	close(s->fd);
	buf_done(&s->received);
}

/* --- descriptors --------------------------------------------------------------------------------- */

/* Ours with that port: getsockname() for that of its own end, getpeername() for that of the other one. */
static inline int find_socket(int (*ask)(int fd, struct sockaddr *address, socklen_t *len), uint16_t port)
{
	for (int fd = 0; fd < 1024; fd++) {
		struct sockaddr_in at = { 0 };
		socklen_t len = sizeof at;

		if (ask(fd, (struct sockaddr *)&at, &len) == 0 && at.sin_family == AF_INET &&
		    ntohs(at.sin_port) == port)
			return fd;
	}
	fail_msg("no socket with port %u", port);
	return -1;
}

static inline int option_of(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

/* A peer that is dead is noticed within a minute, whether something is sent to it or not; and nothing small waits. */
static inline void check_watched(int fd)
{
	assert_int_not_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_in_range(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE) +
		option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL) * option_of(fd, IPPROTO_TCP, TCP_KEEPCNT),
	    1, 60);
	assert_in_range(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 1, 60000);
	assert_int_not_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)

#endif
