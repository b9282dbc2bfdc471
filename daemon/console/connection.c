/* connection.c: the life of one console's connection.
 * SPDX-License-Identifier: MIT */
#include "daemon/console/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/jsonw.h"
#include "daemon/base/logger.h"
#include "daemon/console/console.h"
#include "daemon/console/events.h"
#include "daemon/console/request.h"
#include "daemon/console/subscription.h"

#define REQUESTS_PER_TURN 64 /* of one connection, so that one console cannot keep the others waiting */
#define REQUESTS_MS	  2  /* nor with a few large ones */

static void on_readable(void *arg, short what);
static void on_writable(void *arg, short what);
static void on_again(void *arg, short what);
static void close_if_served(struct connection *c);

static void destroy(void *object)
{
	struct connection *c = object;

	lines_done(&c->lines);
	if (c->out != NULL)
		evbuffer_free(c->out);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

struct connection *connection_new(
    struct daemon *d, struct console *console, int fd, struct unix_peer peer, unsigned permissions)
{
	struct connection *c = calloc(1, sizeof *c);

	if (c == NULL) {
		close(fd);
		return NULL;
	}
	c->daemon = d;
	c->console = console;
	c->fd = fd;
	c->peer = peer;
	c->permissions = permissions;
	c->out = evbuffer_new();
	c->read_event = loop_event_new(d->loop, "console-read", fd, EV_READ | EV_PERSIST, on_readable, c);
	c->write_event = loop_event_new(d->loop, "console-write", fd, EV_WRITE, on_writable, c);
	c->again_event = loop_event_new(d->loop, "console-again", -1, 0, on_again, c);
	if (lines_init(&c->lines, CONNECTION_LINE_MAX_BYTES) < 0 || c->out == NULL || c->read_event == NULL ||
	    c->write_event == NULL || c->again_event == NULL) {
		loop_event_free(c->read_event);
		loop_event_free(c->write_event);
		loop_event_free(c->again_event);
		destroy(c);
		return NULL;
	}
	loop_event_arm(c->read_event);
	return c;
}

bool connection_may(const struct connection *c, enum permission permission)
{
	return (c->permissions >> permission & 1) != 0;
}

size_t connection_unsent(const struct connection *c)
{
	return evbuffer_get_length(c->out);
}

/* --- the end ------------------------------------------------------------------------------------- */

static void say_goodbye(struct connection *c, const char *reason)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_puts(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"server.closing\",\"params\":{");
	jsonw_text(&b, "reason", reason);
	buf_puts(&b, "}}\n");
	evbuffer_add(c->out, buf_text(&b), b.len);
	buf_done(&b);
	(void)evbuffer_write(c->out, c->fd); /* what does not go now does not go at all */
}

void connection_close(struct connection *c, const char *reason)
{
	if (c->closed)
		return;
	c->closed = true;
	log_debug("console", "closed", LOG_NUMBER("pid", c->peer.pid), LOG_NUMBER("uid", c->peer.uid),
	    LOG_TEXT("why", reason != NULL ? reason : "the console has gone"));
	if (reason != NULL)
		say_goodbye(c, reason);
	loop_event_free(c->read_event);
	loop_event_free(c->write_event);
	loop_event_free(c->again_event);
	request_cancel(c->pending);
	c->pending = NULL;
	console_import_over(c->console, c);
	console_forget(c->console, c);
	/* the subscription may be running up the stack: it goes with the connection */
	loop_defer_free(c->daemon->loop, c->subscription, (void (*)(void *))subscription_free);
	loop_defer_free(c->daemon->loop, c, destroy);
}

/* --- writing ------------------------------------------------------------------------------------- */

static void pause_if_full(struct connection *c)
{
	size_t unsent = connection_unsent(c);

	if (!c->paused && unsent > CONNECTION_HIGH_BYTES) {
		c->paused = true;
		loop_event_disarm(c->read_event);
	} else if (c->paused && unsent < CONNECTION_LOW_BYTES) {
		c->paused = false;
		if (!c->ended)
			loop_event_arm(c->read_event);
		loop_event_arm_in(c->again_event, 0); /* whole lines may have been read before */
	}
}

void connection_break(struct connection *c)
{
	if (c->closed || c->broken)
		return;
	c->broken = true;
	loop_event_arm_in(c->again_event, 0);
}

void connection_flush(struct connection *c)
{
	int n;

	if (c->closed || c->broken || connection_unsent(c) == 0)
		return;
	n = evbuffer_write(c->out, c->fd);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		connection_break(c);
		return;
	}
	if (connection_unsent(c) > 0 && (!c->blocked || n > 0))
		loop_event_arm_in(c->write_event, CONNECTION_PROGRESS_MS);
	c->blocked = connection_unsent(c) > 0;
	pause_if_full(c);
}

void connection_send(struct connection *c, const char *line, size_t len)
{
	if (c->closed)
		return;
	evbuffer_add(c->out, line, len);
	connection_flush(c);
}

static void on_writable(void *arg, short what)
{
	struct connection *c = arg;

	if ((what & EV_TIMEOUT) != 0) {
		connection_close(c, "nothing was read for ten minutes");
		return;
	}
	c->blocked = false;
	connection_flush(c);
	close_if_served(c);
	if (c->closed || c->broken || c->blocked)
		return;
	if (c->subscription != NULL && !subscription_is_caught_up(c->subscription))
		reader_queue(subscription_reader(c->subscription), 0);
}

/* --- reading ------------------------------------------------------------------------------------- */

/* Answers come in order, and a new subscription needs the end of the one before it: meanwhile requests wait. */
static bool must_wait(const struct connection *c)
{
	return c->pending != NULL || (c->subscription != NULL && subscription_is_syncing(c->subscription));
}

static void handle_lines(struct connection *c)
{
	int64_t end = instant_now().mono + REQUESTS_MS;
	enum lines_result r = LINES_NONE;
	const char *text;
	size_t len;

	for (int i = 0; i < REQUESTS_PER_TURN && (i == 0 || instant_now().mono < end); i++) {
		if (c->closed || c->broken || c->paused || must_wait(c))
			return;
		r = lines_next(&c->lines, &text, &len);
		if (r == LINES_NONE)
			return;
		if (r == LINES_TOO_LONG) {
			static const char answer[] =
			    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32003,"
			    "\"message\":\"The line is longer than 1 MiB.\",\"data\":{\"limit\":\"1048576\"}}}\n";

			connection_send(c, answer, sizeof answer - 1);
			connection_close(c, "a line was longer than 1 MiB");
			return;
		}
		request_handle(c, text, len);
	}
	loop_event_arm_in(c->again_event, 0);
}

/* Whether the other end is closed altogether, and not only for sending (`socat -t5` does that, and waits). */
static bool is_gone(const struct connection *c)
{
	struct pollfd p = { .fd = c->fd };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* A console that sends no more is closed when it has all that it asked for. */
static void close_if_served(struct connection *c)
{
	if (c->closed || c->broken || !c->ended)
		return;
	if (is_gone(c) || (!must_wait(c) && connection_unsent(c) == 0 && !lines_pending(&c->lines)))
		connection_close(c, NULL);
}

static void on_readable(void *arg, short what)
{
	struct connection *c = arg;
	int n;

	(void)what;
	if (must_wait(c) && evbuffer_get_length(c->lines.in) > CONNECTION_LINE_MAX_BYTES) {
		loop_event_disarm(c->read_event); /* connection_resume() reads again */
		return;
	}
	n = lines_read(&c->lines, c->fd);
	if (n == -EAGAIN)
		return;
	if (n < 0) {
		connection_close(c, NULL);
		return;
	}
	if (n == 0) {
		c->ended = true;
		loop_event_disarm(c->read_event);
	}
	handle_lines(c);
	close_if_served(c);
}

static void on_again(void *arg, short what)
{
	(void)what;
	if (((struct connection *)arg)->broken) {
		connection_close(arg, NULL);
		return;
	}
	handle_lines(arg);
	close_if_served(arg);
}

void connection_resume(struct connection *c)
{
	if (c->closed || c->paused)
		return;
	if (!c->ended)
		loop_event_arm(c->read_event);
	loop_event_arm_in(c->again_event, 0);
}
