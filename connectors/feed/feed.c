/* feed.c: the smallest connector: any program connects to a Unix socket, is told what to watch, and pushes
 * raw states. SPDX-License-Identifier: MIT
 *
 * One program at a time. To it go {"watch":A}, {"unwatch":A}, {"verify":A} and {"error":..,"line":N}; from it
 * come raw states (raw_json.h), {"resync":"begin"} and {"resync":"end"}. What is still to be told is a mark
 * on the address, so a program that does not read costs nothing.
 */
#include "connectors/feed/feed.h"

#include <bsd/sys/queue.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connectors/feed/feed_spec.h"
#include "daemon/base/hashtab.h"
#include "daemon/base/json_in.h"
#include "daemon/base/jsonw.h"
#include "daemon/base/lines.h"
#include "daemon/base/unix_socket.h"
#include "daemon/loop.h"
#include "daemon/model/raw_json.h"

#define RETRY_ACCEPT_MS 1000
#define LINE_MAX_BYTES	(64 * 1024)
#define OUT_HIGH_BYTES	(64 * 1024) /* more is not written ahead to a program that reads slowly */
#define BOTH_DOMAINS	(1u << DOMAIN_RICH | 1u << DOMAIN_TELEPHONY)

/* One address, watched in one domain or in both. */
struct feed_watch {
	struct hash_link link;
	TAILQ_ENTRY(feed_watch) place; /* in `queue` or in `quiet` */
	uint8_t domains;
	bool again;	   /* the peer is to be told once more, so that it says the present state */
	bool verify;	   /* the peer is to be asked to say it again */
	uint32_t told_in;  /* the connection in which the peer was told to watch it */
	uint32_t quiet_in; /* the connection in which nothing is to be told of it: it is in `quiet`, else in `queue` */
	char address[];
};

struct connector {
	struct source *source;
	const struct feed_settings *settings;
	struct loop *loop;
	int listen_fd, fd; /* fd -1: nobody is connected */
	struct loop_event *accept_event, *retry_event, *read_event, *write_event, *first_event;
	struct lines lines;
	struct evbuffer *out;
	struct hashtab watches;
	TAILQ_HEAD(, feed_watch) queue, quiet; /* something, or nothing, is to be told about these */
	uint32_t connection;		       /* number of the present or last one; 0 is none */
	uint64_t line_number, errors;
	char last_error[256];
};

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

	buf_init(&b, LINE_MAX_BYTES);
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

static void lose_peer(struct connector *c, const char *why);

static void write_some(struct connector *c)
{
	struct feed_watch *w;

	if (c->fd < 0)
		return;
	while (evbuffer_get_length(c->out) < OUT_HIGH_BYTES && (w = TAILQ_FIRST(&c->queue)) != NULL)
		tell(c, w);
	if (evbuffer_get_length(c->out) > 0 && evbuffer_write(c->out, c->fd) < 0 && errno != EAGAIN && errno != EINTR) {
		lose_peer(c, "the feeding program has closed the connection");
		return;
	}
	if (evbuffer_get_length(c->out) > 0 || !TAILQ_EMPTY(&c->queue))
		loop_event_arm(c->write_event);
	else
		loop_event_disarm(c->write_event);
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

static void refuse(struct connector *c, const char *why)
{
	struct buf b;

	c->errors++;
	snprintf(c->last_error, sizeof c->last_error, "line %llu: %s", (unsigned long long)c->line_number, why);
	if (evbuffer_get_length(c->out) > OUT_HIGH_BYTES * 4)
		return; /* a peer that sends nonsense and reads nothing need not hear of each */
	buf_init(&b, 4096);
	jsonw_object(&b, NULL);
	jsonw_text(&b, "error", why);
	jsonw_int(&b, "line", (int64_t)c->line_number);
	jsonw_object_end(&b);
	buf_putc(&b, '\n');
	evbuffer_add(c->out, buf_text(&b), b.len);
	buf_done(&b);
	write_soon(c);
}

static void take_resync(struct connector *c, const char *word)
{
	if (word != NULL && strcmp(word, "begin") == 0)
		source_resync_begin(c->source, BOTH_DOMAINS);
	else if (word != NULL && strcmp(word, "end") == 0)
		source_resync_end(c->source, BOTH_DOMAINS);
	else if (word != NULL && strcmp(word, "resumed") == 0)
		source_resumed(c->source, BOTH_DOMAINS);
	else
		refuse(c, "resync: expected begin, end or resumed");
}

static void take_raw(struct connector *c, const json_t *value)
{
	char address[USER_MAX_FIELD_BYTES + 1], why[400];
	struct parse_error error;
	struct raw_line line;

	if (raw_json_parse(value, &line, &error) < 0) {
		refuse(c, error.text);
		return;
	}
	if (line.user != NULL && !source_address_of(c->source, line.user, line.facts.domain, address, sizeof address)) {
		snprintf(
		    why, sizeof why, "user: nobody with an address at this source is called \"%.128s\"", line.user);
		refuse(c, why);
		return;
	}
	if (source_raw_state(c->source, line.user != NULL ? address : line.address, &line.facts) == -EINVAL)
		refuse(c, "status: not one that a source can say");
}

static void take_line(struct connector *c, const char *text, size_t len)
{
	const json_t *resync;
	char why[256];
	json_t *value;
	int r;

	if (len == 0)
		return;
	r = json_in_object(text, len, &value, why, sizeof why);
	if (r < 0) {
		refuse(c, r == -ENOMEM ? "no memory" : why);
		return;
	}
	resync = json_object_get(value, "resync");
	if (resync != NULL)
		take_resync(c, json_string_value(resync));
	else
		take_raw(c, value);
	json_decref(value);
}

static void take_lines(struct connector *c)
{
	enum lines_result r;
	const char *text;
	size_t len;

	while (c->fd >= 0 && (r = lines_next(&c->lines, &text, &len)) != LINES_NONE) {
		c->line_number++;
		if (r == LINES_TOO_LONG)
			refuse(c, "the line is longer than 65536 bytes");
		else
			take_line(c, text, len);
	}
}

static void on_readable(void *arg, short what)
{
	struct connector *c = arg;
	int n = lines_read(&c->lines, c->fd);

	(void)what;
	if (n == -EAGAIN)
		return;
	if (n <= 0)
		lose_peer(c, "the feeding program has closed the connection");
	else
		take_lines(c);
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

static void lose_peer(struct connector *c, const char *why)
{
	drop_connection(c);
	source_status_changed(c->source, BOTH_DOMAINS, SOURCE_STATUS_CONNECTION_ERROR, why);
}

static void welcome(struct connector *c, int fd)
{
	c->fd = fd;
	c->line_number = 0;
	c->out = evbuffer_new();
	c->read_event = loop_event_new(c->loop, "feed-read", fd, EV_READ | EV_PERSIST, on_readable, c);
	c->write_event = loop_event_new(c->loop, "feed-write", fd, EV_WRITE, on_writable, c);
	if (lines_init(&c->lines, LINE_MAX_BYTES) < 0 || c->out == NULL || c->read_event == NULL ||
	    c->write_event == NULL) {
		drop_connection(c);
		return;
	}
	TAILQ_CONCAT(&c->queue, &c->quiet, place); /* a new peer is to be told of all */
	c->connection++;
	loop_event_arm(c->read_event);
	source_status_changed(c->source, BOTH_DOMAINS, SOURCE_STATUS_UP, NULL);
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
	source_status_changed(c->source, BOTH_DOMAINS, SOURCE_STATUS_CONNECTING, why);
}

/* --- the contract -------------------------------------------------------------------------------- */

static void stop(struct connector *c)
{
	struct hash_link *link;

	if (c == NULL)
		return;
	drop_connection(c);
	loop_event_free(c->accept_event);
	loop_event_free(c->retry_event);
	loop_event_free(c->first_event);
	unix_socket_close(c->listen_fd, c->settings->socket);
	while ((link = hashtab_next(&c->watches, NULL)) != NULL)
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
	.stats = stats,
};
