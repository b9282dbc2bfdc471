/* feed.c: the smallest connector: any program connects to a Unix socket, is told what to watch, and pushes
 * raw states. SPDX-License-Identifier: MIT
 *
 * One program at a time. To it go {"watch":A}, {"unwatch":A}, {"verify":A}; what comes from it is done in feed_lines.c.
 * What is still to be told is a mark on the address, so a program that does not read costs nothing.
 */
#include "connectors/feed/feed.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connectors/feed/feed_private.h"
#include "daemon/base/jsonw.h"
#include "daemon/base/unix_socket.h"

#define RETRY_ACCEPT_MS 1000

static const char *watch_key(const struct hash_link *link)
{
	return hash_entry(link, const struct feed_watch, link)->address;
}

/* --- telling the peer ---------------------------------------------------------------------------- */

static bool is_quiet(const struct connector *c, const struct feed_watch *w)
{
	return w->quiet_in == c->connection;
}

static void enqueue(struct connector *c, struct feed_watch *w)
{
	if (!is_quiet(c, w))
		return;
	TAILQ_REMOVE(&c->quiet, w, place);
	TAILQ_INSERT_TAIL(&c->queue, w, place);
	w->quiet_in = 0;
}

static void forget(struct connector *c, struct feed_watch *w)
{
	if (is_quiet(c, w))
		TAILQ_REMOVE(&c->quiet, w, place);
	else
		TAILQ_REMOVE(&c->queue, w, place);
	hashtab_remove(&c->watches, &w->link);
	free(w);
}

static void put_line(struct connector *c, const char *key, const char *text)
{
	struct buf b;

	buf_init(&b, FEED_LINE_MAX_BYTES);
	jsonw_object(&b, NULL);
	jsonw_text(&b, key, text);
	jsonw_object_end(&b);
	buf_putc(&b, '\n');
	evbuffer_add(c->out, buf_text(&b), b.len);
	buf_done(&b);
}

static void tell(struct connector *c, struct feed_watch *w)
{
	bool told = w->told_in == c->connection;

	if (w->domains == 0) {
		if (told)
			put_line(c, "unwatch", w->address);
		forget(c, w);
		return;
	}
	if (!told || w->again)
		put_line(c, "watch", w->address);
	else if (w->verify)
		put_line(c, "verify", w->address);
	w->told_in = w->quiet_in = c->connection;
	w->again = w->verify = false;
	TAILQ_REMOVE(&c->queue, w, place);
	TAILQ_INSERT_TAIL(&c->quiet, w, place);
}

static void write_some(struct connector *c)
{
	struct feed_watch *w;

	if (c->fd < 0)
		return;
	while (evbuffer_get_length(c->out) < FEED_OUT_HIGH_BYTES && (w = TAILQ_FIRST(&c->queue)) != NULL)
		tell(c, w);
	if (evbuffer_get_length(c->out) > 0 && evbuffer_write(c->out, c->fd) < 0 && errno != EAGAIN && errno != EINTR) {
		feed_lose(c, "the feeding program has closed the connection");
		return;
	}
	if (evbuffer_get_length(c->out) > 0 || !TAILQ_EMPTY(&c->queue))
		loop_event_arm(c->write_event);
	else
		loop_event_disarm(c->write_event);
}

void feed_put(struct connector *c, const struct buf *object)
{
	if (c->fd < 0 || object->failed)
		return;
	evbuffer_add(c->out, buf_text(object), object->len);
	evbuffer_add(c->out, "\n", 1);
	loop_event_arm(c->write_event);
}

/* Downward calls only mark; the loop writes, once for all of a turn. */
static void write_soon(struct connector *c)
{
	if (c->fd >= 0)
		loop_event_arm(c->write_event);
}

static void on_writable(void *arg, short what)
{
	(void)what;
	write_some(arg);
}

/* --- reading ------------------------------------------------------------------------------------- */

static void on_readable(void *arg, short what)
{
	struct connector *c = arg;
	int n = lines_read(&c->lines, c->fd);

	(void)what;
	if (n == -EAGAIN)
		return;
	if (n <= 0)
		feed_lose(c, "the feeding program has closed the connection");
	else
		feed_take_lines(c);
}

/* --- the connection ------------------------------------------------------------------------------ */

static void drop_connection(struct connector *c)
{
	loop_event_free(c->read_event);
	loop_event_free(c->write_event);
	c->read_event = c->write_event = NULL;
	lines_done(&c->lines);
	if (c->out != NULL)
		evbuffer_free(c->out);
	c->out = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void feed_lose(struct connector *c, const char *why)
{
	drop_connection(c);
	source_status_changed(c->source, FEED_BOTH_DOMAINS, SOURCE_STATUS_CONNECTION_ERROR, why);
}

static void welcome(struct connector *c, int fd)
{
	c->fd = fd;
	c->line_number = 0;
	c->out = evbuffer_new();
	c->read_event = loop_event_new(c->loop, "feed-read", fd, EV_READ | EV_PERSIST, on_readable, c);
	c->write_event = loop_event_new(c->loop, "feed-write", fd, EV_WRITE, on_writable, c);
	if (lines_init(&c->lines, FEED_LINE_MAX_BYTES) < 0 || c->out == NULL || c->read_event == NULL ||
	    c->write_event == NULL) {
		drop_connection(c);
		return;
	}
	TAILQ_CONCAT(&c->queue, &c->quiet, place); /* a new peer is to be told of all */
	c->connection++;
	loop_event_arm(c->read_event);
	source_status_changed(c->source, FEED_BOTH_DOMAINS, SOURCE_STATUS_UP, NULL);
	write_soon(c);
}

/* A program that closes and comes back at once may be accepted before its end was read. */
static void read_out_if_gone(struct connector *c)
{
	struct pollfd p = { .fd = c->fd };

	while (c->fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) != 0)
		on_readable(c, EV_READ);
}

static void on_connection(void *arg, short what)
{
	static const char busy[] = "{\"error\":\"another program feeds this source\",\"line\":0}\n";
	struct connector *c = arg;
	int fd = unix_socket_accept(c->listen_fd);

	(void)what;
	if (fd < 0 && fd != -EAGAIN && fd != -ECONNABORTED) {
		loop_event_disarm(c->accept_event); /* no descriptor is left: it would wake us again and again */
		loop_event_arm_in(c->retry_event, RETRY_ACCEPT_MS);
	}
	if (fd < 0)
		return;
	read_out_if_gone(c);
	if (c->fd < 0) {
		welcome(c, fd);
		return;
	}
	if (write(fd, busy, sizeof busy - 1) < 0) {
		/* it has gone already */
	}
	close(fd);
}

static void on_accept_retry(void *arg, short what)
{
	(void)what;
	loop_event_arm(((struct connector *)arg)->accept_event);
}

static void on_started(void *arg, short what)
{
	struct connector *c = arg;
	char why[256];

	(void)what;
	if (c->fd >= 0)
		return;
	snprintf(why, sizeof why, "waiting for a program to connect to %s", c->settings->socket);
	source_status_changed(c->source, FEED_BOTH_DOMAINS, SOURCE_STATUS_CONNECTING, why);
}

/* --- the contract -------------------------------------------------------------------------------- */

static void stop(struct connector *c)
{
	struct hash_link *link;
	size_t bucket = 0;

	if (c == NULL)
		return;
	drop_connection(c);
	loop_event_free(c->accept_event);
	loop_event_free(c->retry_event);
	loop_event_free(c->first_event);
	unix_socket_close(c->listen_fd, c->settings->socket);
	while ((link = hashtab_first(&c->watches, &bucket)) != NULL)
		forget(c, hash_entry(link, struct feed_watch, link));
	hashtab_done(&c->watches);
	free(c);
}

static int start(
    struct connector **ret, struct source *source, const void *settings, struct loop *loop, char *err, size_t err_size)
{
	struct connector *c = calloc(1, sizeof *c);
	int r;

	if (c == NULL)
		return -ENOMEM;
	c->source = source;
	c->settings = settings;
	c->loop = loop;
	c->fd = -1;
	hashtab_init(&c->watches, watch_key);
	TAILQ_INIT(&c->queue);
	TAILQ_INIT(&c->quiet);
	c->connection = 1;
	c->listen_fd = unix_socket_listen(c->settings->socket, c->settings->group, c->settings->mode, err, err_size);
	if (c->listen_fd < 0) {
		r = c->listen_fd;
		free(c);
		return r;
	}
	c->accept_event = loop_event_new(loop, "feed-accept", c->listen_fd, EV_READ | EV_PERSIST, on_connection, c);
	c->retry_event = loop_event_new(loop, "feed-accept-retry", -1, 0, on_accept_retry, c);
	c->first_event = loop_event_new(loop, "feed-start", -1, 0, on_started, c);
	if (c->accept_event == NULL || c->retry_event == NULL || c->first_event == NULL) {
		stop(c);
		return -ENOMEM;
	}
	loop_event_arm(c->accept_event);
	loop_event_arm_in(c->first_event, 0);
	*ret = c;
	return 0;
}

static struct feed_watch *find(const struct connector *c, const char *address)
{
	struct hash_link *link = hashtab_find(&c->watches, address);

	return link == NULL ? NULL : hash_entry(link, struct feed_watch, link);
}

static int watch(struct connector *c, const char *address, enum domain domain)
{
	struct feed_watch *w = find(c, address);
	size_t len = strlen(address);

	if (w == NULL) {
		w = calloc(1, sizeof *w + len + 1);
		if (w == NULL)
			return -ENOMEM;
		memcpy(w->address, address, len + 1);
		if (hashtab_insert(&c->watches, &w->link) < 0) {
			free(w);
			return -ENOMEM;
		}
		TAILQ_INSERT_TAIL(&c->queue, w, place);
	}
	w->domains |= (uint8_t)(1u << domain);
	w->again = true;
	enqueue(c, w);
	write_soon(c);
	return 0;
}

static void unwatch(struct connector *c, const char *address, enum domain domain)
{
	struct feed_watch *w = find(c, address);

	if (w == NULL)
		return;
	w->domains &= (uint8_t) ~(1u << domain);
	if (w->domains != 0)
		return;
	if (c->fd < 0) {
		forget(c, w);
		return;
	}
	enqueue(c, w);
	write_soon(c);
}

static void verify(struct connector *c, const char *address, enum domain domain)
{
	struct feed_watch *w = find(c, address);

	(void)domain;
	if (w == NULL || c->fd < 0)
		return;
	w->verify = true;
	enqueue(c, w);
	write_soon(c);
}

/* {KEY: address, WORD: yes}. */
static int tell_of(struct connector *c, const char *key, const char *address, const char *word, bool yes)
{
	struct buf b;

	if (c->fd < 0)
		return -ENOTCONN;
	buf_init(&b, FEED_LINE_MAX_BYTES);
	jsonw_object(&b, NULL);
	jsonw_text(&b, key, address);
	jsonw_bool(&b, word, yes);
	jsonw_object_end(&b);
	feed_put(c, &b);
	buf_done(&b);
	return 0;
}

static int decide(struct connector *c, const char *address, bool accept)
{
	return tell_of(c, "decide", address, "accept", accept);
}

static int contact(struct connector *c, const char *address, bool add)
{
	return tell_of(c, "contact", address, "add", add);
}

static void directory_taken(struct connector *c, const struct directory_outcome *o)
{
	struct buf b;

	buf_init(&b, FEED_LINE_MAX_BYTES);
	jsonw_object(&b, NULL);
	jsonw_text(&b, "directory", o->why == NULL ? "taken" : "refused");
	if (o->why != NULL) {
		jsonw_text(&b, "why", o->why);
	} else {
		jsonw_int(&b, "added", (int64_t)o->added);
		jsonw_int(&b, "changed", (int64_t)o->changed);
		jsonw_int(&b, "unchanged", (int64_t)o->unchanged);
		jsonw_int(&b, "removed", (int64_t)o->removed);
		jsonw_int(&b, "conflicts", (int64_t)o->conflicts);
	}
	jsonw_object_end(&b);
	feed_put(c, &b);
	buf_done(&b);
}

static void probe(struct connector *c)
{
	char why[512];

	source_probe_hop(c->source, "socket", NULL, true);
	if (c->fd < 0) {
		snprintf(
		    why, sizeof why, "no program is connected to %s: start the one that feeds it", c->settings->socket);
		source_probe_hop(c->source, "program", why, false);
		return;
	}
	source_probe_hop(c->source, "program", NULL, true);
	if (c->errors == 0) {
		source_probe_hop(c->source, "protocol", NULL, false);
		return;
	}
	snprintf(
	    why, sizeof why, "%llu lines were refused, the last one: %s", (unsigned long long)c->errors, c->last_error);
	source_probe_hop(c->source, "protocol", why, false);
}

static void stats(const struct connector *c, struct buf *b)
{
	jsonw_int(b, "lines", (int64_t)c->line_number);
	jsonw_int(b, "refused", (int64_t)c->errors);
	if (c->errors > 0)
		jsonw_text(b, "last_error", c->last_error);
}

const struct connector_type feed_type = {
	.spec = &feed_spec,
	.start = start,
	.stop = stop,
	.watch = watch,
	.unwatch = unwatch,
	.verify = verify,
	.probe = probe,
	.decide = decide,
	.contact = contact,
	.directory_taken = directory_taken,
	.stats = stats,
};
