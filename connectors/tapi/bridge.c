/* bridge.c: a host with TAPI connects, says who it is, and tells of its lines (presenced-bridge(7)).
 * SPDX-License-Identifier: MIT
 *
 * One host at a time. The numbers of its messages say whether one was lost: then it is asked for everything. What is to
 * be asked is a mark on the line, and goes out together.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/tapi/bridge_private.h"
#include "daemon/base/jsonw.h"
#include "daemon/base/logger.h"
#include "daemon/base/utf8.h"
#include "daemon/loop.h"

#define HELLO_MS     5000
#define TICK_MS	     500
#define PROGRESS_MS  30000 /* a resync in which nothing is said for so long is asked for again */
#define BAD_TOKENS   3
#define PAUSE_MS     60000
#define GUESTS_MAX   8
#define LONGEST_TOLD (16 * BRIDGE_LINE_BYTES) /* who sends a longer line is closed without a word */

int64_t bridge_now(const struct bridge *c)
{
	return loop_now(c->base.loop).mono;
}

static struct bridge *of(struct connector *c)
{
	return (struct bridge *)(void *)c;
}

/* --- guests ---------------------------------------------------------------------------------------- */

static void say_waiting(struct bridge *c)
{
	const struct tapi_settings *s = c->base.settings;
	char why[512];

	snprintf(why, sizeof why, "waiting for a host with TAPI to connect to %s%.400s",
	    s->socket != NULL ? "" : "port ", s->socket != NULL ? s->socket : s->listen);
	tapi_say_status(&c->base, SOURCE_STATUS_CONNECTING, why);
}

/* Nothing of what it said is worth keeping; the core keeps it for a while. */
static void host_gone(struct bridge *c, const char *why)
{
	char text[600];

	snprintf(text, sizeof text, "the host %.200s is gone: %.300s", c->host_name, why);
	utf8_repair(text);
	c->host = NULL;
	c->first_over = c->opened = c->all_asked = c->gap = false;
	c->progress_at = INSTANT_NEVER;
	c->resync = (struct bridge_resync){ 0 };
	bridge_lines_lost(c);
	tapi_say_status(&c->base, SOURCE_STATUS_CONNECTION_ERROR, text);
}

static void turned_away(struct bridge *c, const struct bridge_guest *g, const char *why)
{
	snprintf(c->refusal, sizeof c->refusal, "%.60s: %.200s", link_guest_host(g->guest), why);
	utf8_repair(c->refusal);
	log_warning("bridge", "turned_away", LOG_TEXT("source", source_name(c->base.source)),
	    LOG_TEXT("host", link_guest_host(g->guest)), LOG_TEXT("why", why));
}

static void close_guest(struct bridge *c, struct bridge_guest *g, const char *why)
{
	if (g != c->host)
		turned_away(c, g, why);
	g->closing = true;
	link_guest_close(g->guest, why);
}

/* A last word, and the end of the connection. */
static void end_guest(struct bridge *c, struct bridge_guest *g, const char *code, const char *message, int64_t seq)
{
	bridge_fail(c, g, code, message, NULL, seq);
	close_guest(c, g, message);
}

static void on_come(void *arg, struct link_guest *guest)
{
	struct bridge *c = arg;
	struct bridge_guest *g = calloc(1, sizeof *g);

	if (g == NULL) {
		link_guest_close(guest, "no memory");
		return;
	}
	g->guest = guest;
	g->since = bridge_now(c);
	TAILQ_INSERT_TAIL(&c->guests, g, link);
	link_guest_set_data(guest, g);
}

static void on_gone(void *arg, struct link_guest *guest, enum link_fault fault, const char *why)
{
	struct bridge *c = arg;
	struct bridge_guest *g = link_guest_data(guest);

	(void)fault;
	if (g == NULL)
		return;
	TAILQ_REMOVE(&c->guests, g, link);
	if (g == c->host)
		host_gone(c, why);
	else if (!g->closing)
		turned_away(c, g, why);
	free(g);
}

static struct stranger *stranger_of(struct bridge *c, const char *host)
{
	struct stranger *oldest = &c->strangers[0];

	for (size_t i = 0; i < STRANGERS_MAX; i++) {
		if (strcmp(c->strangers[i].host, host) == 0)
			return &c->strangers[i];
		if (c->strangers[i].until < oldest->until || c->strangers[i].host[0] == '\0')
			oldest = &c->strangers[i];
	}
	*oldest = (struct stranger){ 0 };
	snprintf(oldest->host, sizeof oldest->host, "%s", host);
	return oldest;
}

static bool is_welcome(void *arg, const char *host)
{
	struct bridge *c = arg;

	for (size_t i = 0; i < STRANGERS_MAX; i++)
		if (strcmp(c->strangers[i].host, host) == 0 && bridge_now(c) < c->strangers[i].until)
			return false;
	return true;
}

/* --- hello ----------------------------------------------------------------------------------------- */

/* In constant time, but for its length. */
static bool is_token(const struct bridge *c, const char *token)
{
	size_t len = strlen(c->base.password);

	if (!c->base.has_password)
		return true;
	return token != NULL && strlen(token) == len && CRYPTO_memcmp(token, c->base.password, len) == 0;
}

static void bad_token(struct bridge *c, struct bridge_guest *g)
{
	if (c->base.settings->socket == NULL) {
		struct stranger *s = stranger_of(c, link_guest_host(g->guest));

		if (++s->bad >= BAD_TOKENS) {
			s->bad = 0;
			s->until = bridge_now(c) + PAUSE_MS;
		}
	}
	end_guest(c, g, "badToken", "the token is wrong: it has to be that of password_file of the source", 0);
}

static void accept_host(struct bridge *c, struct bridge_guest *g, const char *name)
{
	if (c->host != NULL)
		end_guest(c, c->host, "replaced", "another connection with the same token was accepted", 0);
	c->host = g;
	snprintf(c->host_name, sizeof c->host_name, "%s", name);
	stranger_of(c, link_guest_host(g->guest))->bad = 0;
	c->next_seq = 2;
	c->next_id = FIRST_OWN_ID;
	memset(c->all_ids, 0, sizeof c->all_ids);
	c->all_count = 0;
	c->gap_ms = BRIDGE_GAP_MIN_MS;
	c->gap_at = 0;
	bridge_welcome(c);
	tapi_say_status(&c->base, SOURCE_STATUS_UP, NULL);
	source_resync_begin(c->base.source, 1u << DOMAIN_TELEPHONY);
}

static void take_hello(struct bridge *c, struct bridge_guest *g, const struct bridge_message *m)
{
	const char *token = NULL, *name, *instance, *tapi;
	struct bridge_fault fault;
	int64_t version;
	char why[120];

	if (m->type != BRIDGE_HELLO) {
		end_guest(c, g, "syntax", "expected hello as the first message", m->seq);
	} else if (m->seq != 1) {
		end_guest(c, g, "syntax", "seq: expected 1 in hello", m->seq);
	} else if (bridge_text_optional(m->json, "token", &token, &fault) < 0 || !is_token(c, token)) {
		bad_token(c, g);
	} else if (bridge_number(m->json, "version", &version, &fault) < 0 ||
	    bridge_text(m->json, "host", BRIDGE_TEXT_BYTES, &name, &fault) < 0 ||
	    bridge_text(m->json, "instance", BRIDGE_TEXT_BYTES, &instance, &fault) < 0 ||
	    bridge_text_optional(m->json, "tapi", &tapi, &fault) < 0 ||
	    bridge_texts_optional(m->json, "providers", &fault) < 0) {
		end_guest(c, g, "syntax", fault.text, m->seq);
	} else if (version != BRIDGE_VERSION) {
		snprintf(
		    why, sizeof why, "version %lld is not spoken here, only %d is", (long long)version, BRIDGE_VERSION);
		end_guest(c, g, "version", why, m->seq);
	} else {
		accept_host(c, g, name);
	}
}

/* --- resync ---------------------------------------------------------------------------------------- */

/* A late answer to a request that has been repeated names every line too. */
static bool is_full(const struct bridge *c, int64_t id)
{
	for (size_t i = 0; i < ALL_IDS; i++)
		if (c->all_ids[i] == id)
			return true;
	return id < FIRST_OWN_ID;
}

static int resync_begins(struct bridge *c, int64_t id)
{
	c->resync =
	    (struct bridge_resync){ .open = true, .number = c->resync.number + 1, .id = id, .full = is_full(c, id) };
	if (c->resync.full)
		c->all_asked = false;
	c->progress_at = c->resync.full || c->progress_at != INSTANT_NEVER ? bridge_now(c) : INSTANT_NEVER;
	return 0;
}

static int resync_ends(struct bridge *c, const json_t *m, int64_t id, struct bridge_fault *fault)
{
	bool first = !c->first_over;
	int64_t lines;

	if (!c->resync.open || c->resync.id != id) {
		snprintf(fault->text, sizeof fault->text, "phase: there was no begin with this id");
		return -EINVAL;
	}
	if (bridge_number(m, "lines", &lines, fault) < 0)
		return -EINVAL;
	c->resync.open = false;
	if (lines < 0 || (uint64_t)lines != c->resync.count) {
		c->gaps++;
		c->all_asked = false;
		bridge_ask_for_all(c, "the number of lines at the end of the resync is not that of those that came");
		return 0;
	}
	if (!c->resync.full)
		return 0;
	c->progress_at =
	    c->all_asked ? bridge_now(c) : INSTANT_NEVER; /* another one may have been asked for meanwhile */
	c->first_over = true;
	bridge_lines_resynced(c, first);
	if (first)
		source_resync_end(c->base.source, 1u << DOMAIN_TELEPHONY);
	bridge_wish(c);
	return 0;
}

static int take_resync(struct bridge *c, const json_t *m, struct bridge_fault *fault)
{
	const char *phase;
	int64_t id;

	if (bridge_text(m, "phase", BRIDGE_TEXT_BYTES, &phase, fault) < 0 || bridge_number(m, "id", &id, fault) < 0)
		return -EINVAL;
	if (id < 1) {
		snprintf(fault->text, sizeof fault->text, "id: expected a whole number from 1");
		return -EINVAL;
	}
	if (strcmp(phase, "begin") == 0)
		return resync_begins(c, id);
	if (strcmp(phase, "end") == 0)
		return resync_ends(c, m, id, fault);
	snprintf(fault->text, sizeof fault->text, "phase: expected begin or end");
	return -EINVAL;
}

/* --- messages -------------------------------------------------------------------------------------- */

static int take_ping(struct bridge *c, const json_t *m, struct bridge_fault *fault)
{
	struct buf b;
	int64_t n;

	if (bridge_number(m, "n", &n, fault) < 0)
		return -EINVAL;
	bridge_begin(&b, "pong");
	jsonw_int(&b, "n", n);
	bridge_send(c, c->host, &b);
	return 0;
}

static void take_bye(struct bridge *c, const json_t *m)
{
	const char *reason;
	struct bridge_fault fault;

	if (bridge_text_optional(m, "reason", &reason, &fault) < 0 || reason == NULL)
		reason = "it said goodbye";
	close_guest(c, c->host, reason);
}

/* Whether what it says of lines is to be taken. A message without a number is refused; one that repeats a number, or comes
 * late, is older than what is known. */
static bool take_number(struct bridge *c, int64_t seq)
{
	bool gap = seq > c->next_seq, late = seq < c->next_seq;

	c->next_seq = seq + 1;
	if (gap || late) {
		c->gaps++;
		bridge_ask_for_all(c, gap ? "numbers of messages are missing" : "a number of a message came twice");
	}
	return !late;
}

static bool is_about_lines(const struct bridge_message *m)
{
	return (m->type >= BRIDGE_LINE_OPEN && m->type <= BRIDGE_STATE) ||
	    (m->type == BRIDGE_ERROR && json_object_get(m->json, "line") != NULL);
}

static void dispatch(struct bridge *c, const struct bridge_message *m)
{
	struct bridge_fault fault = { "" };
	const char *line = NULL;
	int r = 0;

	if (m->type == BRIDGE_UNKNOWN)
		bridge_fail(c, c->host, "unknownType", "there is no message of this type", NULL, m->seq);
	else if (m->type == BRIDGE_RESYNC)
		r = take_resync(c, m->json, &fault);
	else if (m->type == BRIDGE_PING)
		r = take_ping(c, m->json, &fault);
	else if (m->type == BRIDGE_BYE)
		take_bye(c, m->json);
	else if (is_about_lines(m) || m->type == BRIDGE_ERROR)
		r = bridge_lines_message(c, m, &line, &fault);
	if (r == -ENOENT)
		bridge_fail(c, c->host, "unknownLine", "the line is not open in this connection", line, m->seq);
	else if (r < 0)
		bridge_fail(c, c->host, "syntax", fault.text, NULL, m->seq);
}

static void take_message(struct bridge *c, struct bridge_guest *g, const struct bridge_message *m)
{
	if (g != c->host) {
		take_hello(c, g, m);
	} else if (m->type == BRIDGE_HELLO) {
		end_guest(c, g, "syntax", "hello was said already", m->seq);
	} else if (m->seq == 0) {
		bridge_fail(c, g, "syntax", "seq: expected a whole number from 1", NULL, 0);
	} else if (take_number(c, m->seq) || !is_about_lines(m)) {
		dispatch(c, m);
	}
}

static void on_frame(void *arg, struct link_guest *guest, const char *data, size_t len)
{
	struct bridge *c = arg;
	struct bridge_guest *g = link_guest_data(guest);
	struct bridge_fault fault = { "no memory" };
	struct bridge_message m;

	if (g == NULL || g->closing)
		return;
	if (len > BRIDGE_LINE_BYTES) {
		end_guest(c, g, "tooLong", "the line is longer than 65536 bytes", 0);
		return;
	}
	while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r'))
		len--;
	if (len == 0)
		return;
	c->messages++;
	if (bridge_read(data, len, &m, &fault) == 0) {
		take_message(c, g, &m);
		bridge_message_done(&m);
	} else if (g == c->host) {
		if (m.seq > 0)
			take_number(c, m.seq);
		bridge_fail(c, g, "syntax", fault.text, NULL, m.seq);
	} else {
		end_guest(c, g, "syntax", fault.text, m.seq);
	}
}

/* --- time ------------------------------------------------------------------------------------------ */

static void send_ping(struct bridge *c)
{
	struct buf b;

	bridge_begin(&b, "ping");
	jsonw_int(&b, "n", ++c->pings);
	bridge_send(c, c->host, &b);
}

static void look_at_guests(struct bridge *c)
{
	struct bridge_guest *g, *next;

	for (g = TAILQ_FIRST(&c->guests); g != NULL; g = next) {
		next = TAILQ_NEXT(g, link);
		if (g != c->host && !g->closing && bridge_now(c) - g->since >= HELLO_MS)
			end_guest(c, g, "syntax", "no hello within 5 seconds", 0);
	}
}

static void on_tick(void *arg, short what)
{
	struct bridge *c = arg;
	int64_t now = bridge_now(c);

	(void)what;
	loop_event_arm_in(c->tick, TICK_MS);
	look_at_guests(c);
	if (c->host == NULL)
		return;
	if (c->want_changed) /* it could not be said before */
		bridge_wish(c);
	if (now - c->sent_at >= bridge_ping_interval(c) * 1000 - TICK_MS)
		send_ping(c);
	if (c->progress_at != INSTANT_NEVER && now - c->progress_at >= PROGRESS_MS) {
		c->all_asked = false;
		bridge_request(c, NULL, 0, "the resync does not end");
	}
	if (c->gap && now >= c->gap_at && !c->all_asked)
		bridge_request(c, NULL, 0, "numbers of messages are missing");
	if (now - c->gap_at > BRIDGE_GAP_MAX_MS)
		c->gap_ms = BRIDGE_GAP_MIN_MS;
}

/* --- the wire -------------------------------------------------------------------------------------- */

static const struct link_listener_protocol protocol = {
	.framing = { .kind = FRAMING_LINE, .max = LONGEST_TOLD },
	.first_ms = HELLO_MS + 5000,
	.guests_max = GUESTS_MAX,
	.welcome = is_welcome,
	.come = on_come,
	.frame = on_frame,
	.gone = on_gone,
};

static void on_first(void *arg, short what)
{
	struct bridge *c = arg;

	(void)what;
	loop_event_arm_in(c->tick, TICK_MS);
	if (c->host == NULL)
		say_waiting(c);
}

static int open_listener(struct bridge *c, char *err, size_t err_size)
{
	const struct tapi_settings *s = c->base.settings;
	char host[LINK_HOST_SIZE];
	uint16_t port;

	if (s->socket != NULL)
		return link_listen_local(
		    &c->listener, c->base.loop, &c->protocol, s->socket, s->group, s->mode, c, err, err_size);
	if (!tapi_listen_at(s, host, sizeof host, &port))
		return -EINVAL;
	return link_listen(
	    &c->listener, c->base.loop, &c->protocol, &s->link, host[0] == '\0' ? NULL : host, port, c, err, err_size);
}

static int open(struct connector *base, char *err, size_t err_size)
{
	struct bridge *c = of(base);
	int r;

	TAILQ_INIT(&c->guests);
	TAILQ_INIT(&c->due);
	bridge_lines_init(c);
	c->progress_at = INSTANT_NEVER;
	c->protocol = protocol;
	c->protocol.name = source_name(base->source);
	c->protocol.idle_ms = bridge_ping_interval(c) * 2500;
	c->first = loop_event_new(base->loop, "bridge-start", -1, 0, on_first, c);
	c->tick = loop_event_new(base->loop, "bridge-tick", -1, 0, on_tick, c);
	c->wish = loop_event_new(base->loop, "bridge-wish", -1, 0, bridge_on_wish, c);
	if (c->first == NULL || c->tick == NULL || c->wish == NULL)
		return -ENOMEM;
	r = open_listener(c, err, err_size);
	if (r == 0)
		loop_event_arm_in(c->first, 0);
	return r;
}

static void close(struct connector *base)
{
	struct bridge *c = of(base);
	struct bridge_guest *g;
	struct buf b;

	if (c->host != NULL) {
		bridge_begin(&b, "bye");
		jsonw_text(&b, "reason", "presenced, or this source of it, is stopping");
		bridge_send(c, c->host, &b);
	}
	link_listener_free(c->listener);
	while ((g = TAILQ_FIRST(&c->guests)) != NULL) {
		TAILQ_REMOVE(&c->guests, g, link);
		free(g);
	}
	bridge_lines_free(c);
	loop_event_free(c->first);
	loop_event_free(c->tick);
	loop_event_free(c->wish);
}

static int watch(struct connector *base, const char *line)
{
	struct bridge *c = of(base);
	struct bridge_line *l = bridge_line_need(c, line);

	if (l == NULL)
		return -ENOMEM;
	l->watched = true;
	c->watched++;
	c->want_changed = true;
	l->say = true; /* the host may have told of it already */
	bridge_line_is_due(c, l);
	return 0;
}

static void unwatch(struct connector *base, const char *line)
{
	struct bridge *c = of(base);
	struct bridge_line *l = bridge_line_find(c, line);

	if (l == NULL || !l->watched)
		return;
	c->watched--;
	c->want_changed = true;
	bridge_line_unwatch(c, l);
	bridge_wish(c);
}

static void verify(struct connector *base, const char *line)
{
	struct bridge *c = of(base);
	struct bridge_line *l = bridge_line_find(c, line);

	if (l == NULL || c->host == NULL)
		return;
	if (l->place == PLACE_CLOSED || l->place == PLACE_REMOVED || l->place == PLACE_REFUSED)
		l->say = true; /* the host is there, and would have said that it is otherwise now */
	else
		l->ask = true;
	bridge_line_is_due(c, l);
}

static void probe(struct connector *base)
{
	struct bridge *c = of(base);
	struct source *s = base->source;
	char why[700];

	source_probe_hop(s, "listen", NULL, true);
	if (c->host == NULL) {
		snprintf(why, sizeof why, "no host with TAPI is connected: start the bridge there%s%.300s",
		    c->refusal[0] == '\0' ? "" : "; the last one that tried was turned away, ", c->refusal);
		source_probe_hop(s, "host", why, false);
		return;
	}
	source_probe_hop(s, "host", NULL, true);
	source_probe_hop(s, "resync", c->first_over ? NULL : "the host has not said everything yet", true);
	snprintf(why, sizeof why, "%llu messages were refused, the last one: %.250s", (unsigned long long)c->faults,
	    c->last_fault);
	source_probe_hop(s, "messages", c->faults == 0 ? NULL : why, false);
}

static void stats(const struct connector *base, struct buf *b)
{
	const struct bridge *c = (const struct bridge *)(const void *)base;

	if (c->host != NULL)
		jsonw_text(b, "host", c->host_name);
	jsonw_int(b, "lines", (int64_t)c->watched);
	jsonw_int(b, "messages", (int64_t)c->messages);
	jsonw_int(b, "gaps", (int64_t)c->gaps);
	jsonw_int(b, "resync_requests", (int64_t)c->requests);
	jsonw_int(b, "bad_messages", (int64_t)c->faults);
	if (c->faults > 0)
		jsonw_text(b, "last_bad_message", c->last_fault);
	if (c->refusal[0] != '\0')
		jsonw_text(b, "last_turned_away", c->refusal);
}

const struct tapi_wire bridge_wire = {
	.size = sizeof(struct bridge),
	.open = open,
	.close = close,
	.watch = watch,
	.unwatch = unwatch,
	.verify = verify,
	.probe = probe,
	.stats = stats,
};
