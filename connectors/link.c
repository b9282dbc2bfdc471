/* link.c: when to connect, where to, and for how long to stay.
 * SPDX-License-Identifier: MIT */
#include "connectors/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/link_attempt.h"
#include "connectors/link_tls.h"
#include "daemon/base/jsonw.h"
#include "daemon/base/logger.h"
#include "daemon/loop.h"

#define RETRY_MS	 15000
#define PROBE_MS	 8000
#define PROBE_CONNECT_MS 3000 /* of one address: what is silent is named before the whole probe is over */

enum link_state {
	LINK_IDLE,
	LINK_TRYING,
	LINK_UP,
	LINK_FAILING, /* link_fail() was called, down() is owed */
	LINK_WAITING,
};

struct link {
	struct link_parts parts;
	void *arg;
	enum link_state state;
	bool good, gone;
	int64_t at_once; /* monotonic ms of the last attempt without a wait; 0 none */
	size_t server;	 /* of `wire`, or tried last */
	struct wire *wire;
	char peer[LINK_WHY_SIZE];
	struct link_attempt *attempt, *better; /* to connect at all; to return to a preferred server */
	int64_t pause_until;		       /* monotonic ms: no attempt before */
	char why[LINK_WHY_SIZE];	       /* of link_fail() */
	struct loop_event *timer;	       /* the next attempt, or the down() that is owed */
	struct loop_event *quiet;	       /* while up: silence */
	struct loop_event *failback;
	bool asked; /* quiet() was called and nothing was heard since */
	int64_t asked_at;
	struct {
		struct link_protocol protocol; /* with a shorter limit */
		struct link_parts parts;
		struct link_attempt *attempt;
		struct loop_event *limit;
		const struct link_probe *events;
		void *arg;
	} probe;
	struct {
		uint64_t connections, frames, bytes_in, bytes_out;
	} count;
};

static int64_t now(const struct link *l)
{
	return loop_now(l->parts.loop).mono;
}

static int64_t jittered(int64_t ms)
{
	return ms - ms / 5 + arc4random_uniform((uint32_t)(ms * 2 / 5) + 1);
}

/* --- connecting ------------------------------------------------------------------------------------ */

static const struct link_attempt_owner connecting, returning;
static const struct wire_owner living;

static void drop_wire(struct link *l)
{
	wire_close(l->wire);
	l->wire = NULL;
	link_attempt_cancel(l->better);
	l->better = NULL;
	loop_event_disarm(l->quiet);
	loop_event_disarm(l->failback);
}

static void wait_for(struct link *l, int64_t ms)
{
	l->state = LINK_WAITING;
	loop_event_arm_in(l->timer, ms);
}

/* How long until some server may be tried; 0: now. */
static int64_t rest(const struct link *l)
{
	int64_t until = INT64_MAX, at = now(l);

	for (size_t i = 0; i < l->parts.server_count; i++)
		if (l->parts.servers[i].rest_until < until)
			until = l->parts.servers[i].rest_until;
	if (until < l->pause_until)
		until = l->pause_until;
	return until > at ? until - at : 0;
}

static void connect_now(struct link *l)
{
	l->state = LINK_TRYING;
	l->attempt = link_attempt_new(&l->parts, 0, l->parts.server_count, &connecting, l);
	if (l->attempt == NULL)
		wait_for(l, jittered(RETRY_MS));
}

static void connect_when_allowed(struct link *l)
{
	int64_t ms = rest(l);

	if (ms == 0)
		connect_now(l);
	else
		wait_for(l, ms);
}

static void arm_quiet(struct link *l, int64_t ms)
{
	if (l->parts.protocol->quiet_ms > 0)
		loop_event_arm_in(l->quiet, ms);
}

static void begin_life(struct link *l, struct wire *wire, size_t server, const char *peer)
{
	l->state = LINK_UP;
	l->good = l->asked = false;
	l->server = server;
	l->wire = wire;
	snprintf(l->peer, sizeof l->peer, "%s", peer);
	wire_set_owner(wire, &living, l);
	l->count.connections++;
	arm_quiet(l, l->parts.protocol->quiet_ms);
	log_debug("link", "up", LOG_TEXT("of", l->parts.protocol->name), LOG_TEXT("peer", l->peer));
	l->parts.protocol->up(l->arg);
}

static void on_attempt_connected(void *arg, struct wire *wire, size_t server, const char *peer)
{
	struct link *l = arg;

	l->attempt = NULL;
	begin_life(l, wire, server, peer);
}

static void on_attempt_failed(void *arg, enum link_fault fault, const char *why)
{
	struct link *l = arg;
	int64_t least = rest(l), ms = jittered(RETRY_MS);

	l->attempt = NULL;
	wait_for(l, ms > least ? ms : least);
	log_debug("link", "failed", LOG_TEXT("of", l->parts.protocol->name), LOG_TEXT("why", why));
	l->parts.protocol->down(l->arg, fault, why);
}

static const struct link_attempt_owner connecting = {
	.connected = on_attempt_connected,
	.failed = on_attempt_failed,
};

/* --- being connected ------------------------------------------------------------------------------- */

static void on_wire_connected(void *arg)
{
	(void)arg;
}

static void on_wire_secured(void *arg)
{
	struct link *l = arg;

	if (l->parts.protocol->secured != NULL)
		l->parts.protocol->secured(l->arg);
}

static void on_wire_frame(void *arg, const char *data, size_t len)
{
	struct link *l = arg;

	if (l->asked)
		arm_quiet(l, l->parts.protocol->quiet_ms);
	l->asked = false;
	l->count.frames++;
	l->count.bytes_in += len;
	l->parts.protocol->frame(l->arg, data, len);
}

/* When a server that was lost may be tried again: at once if it did what it should, for what breaks it may do so again as
 * soon as it is up. Monotonic ms. */
static int64_t rest_after_loss(struct link *l)
{
	if (!l->good || now(l) - l->at_once < RETRY_MS)
		return now(l) + jittered(RETRY_MS);
	l->at_once = now(l);
	return 0;
}

static void lose(struct link *l, enum link_fault fault, const char *why)
{
	char text[LINK_WHY_SIZE];

	snprintf(text, sizeof text, "%.280s: %.320s", l->peer, why);
	drop_wire(l);
	l->parts.servers[l->server].rest_until = rest_after_loss(l);
	log_debug("link", "lost", LOG_TEXT("of", l->parts.protocol->name), LOG_TEXT("why", text));
	connect_when_allowed(l);
	l->parts.protocol->down(l->arg, fault, text);
}

static void on_wire_down(void *arg, enum link_fault fault, const char *why)
{
	lose(arg, fault, why);
}

static const struct wire_owner living = {
	.connected = on_wire_connected,
	.up = on_wire_connected,
	.secured = on_wire_secured,
	.frame = on_wire_frame,
	.down = on_wire_down,
};

/* The timer is not moved at each byte: it looks when something was heard last. */
static void on_quiet(void *arg, short what)
{
	struct link *l = arg;
	const struct link_protocol *p = l->parts.protocol;
	int64_t heard = wire_heard(l->wire), silent = now(l) - heard;
	char why[96], text[DURATION_TEXT_SIZE];

	(void)what;
	if (l->asked && heard >= l->asked_at)
		l->asked = false;
	if (!l->asked && silent < p->quiet_ms) {
		arm_quiet(l, p->quiet_ms - silent);
	} else if (!l->asked) {
		l->asked = true;
		l->asked_at = now(l);
		arm_quiet(l, p->answer_ms > 0 ? p->answer_ms : p->quiet_ms);
		p->quiet(l->arg);
	} else if (p->answer_ms > 0) {
		snprintf(why, sizeof why, "no answer within %s to the question whether it is there",
		    duration_format(p->answer_ms, text));
		lose(l, LINK_FAULT_LOST, why);
	} else {
		arm_quiet(l, p->quiet_ms);
	}
}

/* --- a better server is back ----------------------------------------------------------------------- */

static void on_better_connected(void *arg, struct wire *wire, size_t server, const char *peer)
{
	struct link *l = arg;
	char why[LINK_WHY_SIZE];

	l->better = NULL;
	snprintf(why, sizeof why, "%s is preferred and can be reached again", peer);
	drop_wire(l);
	l->state = LINK_TRYING;
	l->parts.protocol->down(l->arg, LINK_FAULT_MOVED, why);
	if (l->gone || l->state != LINK_TRYING || l->attempt != NULL)
		wire_close(wire); /* the protocol has changed its mind */
	else
		begin_life(l, wire, server, peer);
}

static void on_better_failed(void *arg, enum link_fault fault, const char *why)
{
	struct link *l = arg;

	(void)fault;
	(void)why;
	l->better = NULL;
	loop_event_arm_in(l->failback, l->parts.settings->failback);
}

static const struct link_attempt_owner returning = {
	.connected = on_better_connected,
	.failed = on_better_failed,
};

static void on_failback(void *arg, short what)
{
	struct link *l = arg;

	(void)what;
	l->better = link_attempt_new(&l->parts, 0, l->server, &returning, l);
	if (l->better == NULL)
		loop_event_arm_in(l->failback, l->parts.settings->failback);
}

void link_good(struct link *l)
{
	if (l->state != LINK_UP || l->good)
		return;
	l->good = true;
	if (l->server > 0 && l->parts.settings->failback > 0 && l->parts.settings->transport != LINK_UDP)
		loop_event_arm_in(l->failback, l->parts.settings->failback);
}

/* --- what the protocol asks ------------------------------------------------------------------------ */

static void on_timer(void *arg, short what)
{
	struct link *l = arg;
	char why[LINK_WHY_SIZE];

	(void)what;
	if (l->state == LINK_WAITING) {
		connect_when_allowed(l);
	} else if (l->state == LINK_FAILING) {
		memcpy(why, l->why, sizeof why);
		connect_when_allowed(l);
		l->parts.protocol->down(l->arg, LINK_FAULT_GIVEN_UP, why);
	}
}

void link_fail(struct link *l, enum link_next next, int64_t wait_ms, const char *why)
{
	int64_t until;

	if (l->state != LINK_UP)
		return;
	if (wait_ms > 0 || (next == LINK_NEXT_SERVER && l->parts.server_count > 1)) /* the next one is to be tried */
		until = now(l) + (wait_ms > 0 ? wait_ms : jittered(RETRY_MS));
	else
		until = rest_after_loss(l);
	snprintf(l->why, sizeof l->why, "%.280s: %.320s", l->peer, why);
	drop_wire(l);
	if (next == LINK_NEXT_SERVER)
		l->parts.servers[l->server].rest_until = until;
	else
		l->pause_until = until;
	l->state = LINK_FAILING;
	log_debug("link", "given_up", LOG_TEXT("of", l->parts.protocol->name), LOG_TEXT("why", l->why));
	loop_event_arm_in(l->timer, 0);
}

void link_start(struct link *l)
{
	if (l->state == LINK_IDLE)
		connect_when_allowed(l);
}

void link_stop(struct link *l)
{
	drop_wire(l);
	link_attempt_cancel(l->attempt);
	l->attempt = NULL;
	loop_event_disarm(l->timer);
	l->state = LINK_IDLE;
}

int link_send(struct link *l, const void *data, size_t len)
{
	int r = l->state != LINK_UP ? -ENOTCONN : wire_send(l->wire, data, len);

	if (r == 0)
		l->count.bytes_out += len;
	return r;
}

size_t link_unsent(const struct link *l)
{
	return l->wire == NULL ? 0 : wire_unsent(l->wire);
}

void link_start_tls(struct link *l, size_t unread)
{
	if (l->state == LINK_UP)
		wire_start_tls(l->wire, l->parts.context, unread);
}

bool link_is_up(const struct link *l)
{
	return l->state == LINK_UP;
}

enum link_security link_security(const struct link *l)
{
	return l->wire == NULL ? LINK_CLEAR : wire_security(l->wire);
}

const char *link_host(const struct link *l)
{
	return l->parts.server_count == 0 ? "" : l->parts.servers[l->server].host;
}

const char *link_peer(const struct link *l)
{
	return l->peer[0] != '\0' ? l->peer : link_host(l);
}

bool link_local(const struct link *l, char *host, size_t size, uint16_t *ret_port, bool *ret_v6)
{
	return l->wire != NULL && wire_local(l->wire, host, size, ret_port, ret_v6);
}

bool link_remote(const struct link *l, char *host, size_t size, uint16_t *ret_port, bool *ret_v6)
{
	return l->wire != NULL && wire_remote(l->wire, host, size, ret_port, ret_v6);
}

void link_stats(const struct link *l, struct buf *b)
{
	jsonw_text(b, "peer", link_peer(l));
	jsonw_int(b, "connections", (int64_t)l->count.connections);
	jsonw_int(b, "frames_in", (int64_t)l->count.frames);
	jsonw_int(b, "bytes_in", (int64_t)l->count.bytes_in);
	jsonw_int(b, "bytes_out", (int64_t)l->count.bytes_out);
	jsonw_int(b, "unsent", (int64_t)link_unsent(l));
}

/* --- probing --------------------------------------------------------------------------------------- */

static void probe_over(struct link *l, bool reached)
{
	const struct link_probe *events = l->probe.events;

	loop_event_free(l->probe.limit);
	l->probe.limit = NULL;
	l->probe.attempt = NULL;
	l->probe.events = NULL;
	if (events != NULL)
		events->done(l->probe.arg, reached);
}

static void on_probe_connected(void *arg, struct wire *wire, size_t server, const char *peer)
{
	(void)wire;
	(void)server;
	(void)peer;
	probe_over(arg, true);
}

static void on_probe_failed(void *arg, enum link_fault fault, const char *why)
{
	(void)fault;
	(void)why;
	probe_over(arg, false);
}

static void on_probe_hop(void *arg, const char *hop, const char *sentence)
{
	struct link *l = arg;

	l->probe.events->hop(l->probe.arg, hop, sentence);
}

static const struct link_attempt_owner probing = {
	.connected = on_probe_connected,
	.failed = on_probe_failed,
	.hop = on_probe_hop,
};

static void on_probe_limit(void *arg, short what)
{
	struct link *l = arg;
	struct link_attempt *late = l->probe.attempt;

	(void)what;
	link_attempt_tell_pending(late);
	if (l->gone || l->probe.attempt != late) /* hop() has freed the link, or begun another one */
		return;
	link_attempt_cancel(late);
	probe_over(l, false);
}

void link_probe(struct link *l, const struct link_probe *probe, void *arg)
{
	while (l->probe.events != NULL && !l->gone) { /* done() may begin another one, or free the link */
		link_attempt_cancel(l->probe.attempt);
		probe_over(l, false);
	}
	if (l->gone)
		return;
	l->probe.events = probe;
	l->probe.arg = arg;
	l->probe.limit = loop_event_new(l->parts.loop, "link-probe", -1, 0, on_probe_limit, l);
	l->probe.protocol = *l->parts.protocol;
	if (l->probe.protocol.connect_ms == 0 || l->probe.protocol.connect_ms > PROBE_CONNECT_MS)
		l->probe.protocol.connect_ms = PROBE_CONNECT_MS;
	l->probe.parts = l->parts;
	l->probe.parts.protocol = &l->probe.protocol;
	l->probe.attempt = link_attempt_new(&l->probe.parts, 0, l->parts.server_count, &probing, l);
	if (l->probe.attempt != NULL && l->probe.limit != NULL) {
		loop_event_arm_in(l->probe.limit, PROBE_MS);
		return;
	}
	link_attempt_cancel(l->probe.attempt);
	probe_over(l, false);
}

/* --- life ------------------------------------------------------------------------------------------ */

static void link_destroy(void *object)
{
	struct link *l = object;

	loop_event_free(l->timer);
	loop_event_free(l->quiet);
	loop_event_free(l->failback);
	loop_event_free(l->probe.limit);
	SSL_CTX_free(l->parts.context);
	free(l->parts.servers);
	free(l);
}

void link_free(struct link *l)
{
	if (l == NULL)
		return;
	l->gone = true;
	link_stop(l);
	link_attempt_cancel(l->probe.attempt);
	l->probe.events = NULL;
	if (l->probe.limit != NULL)
		loop_event_disarm(l->probe.limit);
	loop_defer_free(l->parts.loop, l, link_destroy);
}

static int take_servers(struct link *l, const struct link_place *place, char *err, size_t err_size)
{
	const struct option_list *list = &l->parts.settings->servers;
	size_t count = list->count > 0 ? list->count : place != NULL && place->server != NULL ? 1 : 0;

	l->parts.servers = calloc(count + 1, sizeof *l->parts.servers);
	if (l->parts.servers == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const char *text = list->count > 0 ? list->items[i] : place->server;
		struct link_server *s = &l->parts.servers[l->parts.server_count++];

		if (!link_split(text, s->host, sizeof s->host, &s->port)) {
			snprintf(err, err_size, "server: found \"%.80s\", expected a host or host:port", text);
			return -EINVAL;
		}
	}
	return 0;
}

int link_new(struct link **ret, struct loop *loop, const struct link_protocol *protocol,
    const struct link_settings *settings, const struct link_place *place, void *arg, char *err, size_t err_size)
{
	struct link *l = calloc(1, sizeof *l);
	int r;

	if (l == NULL)
		return -ENOMEM;
	l->parts = (struct link_parts){ .loop = loop,
		.protocol = protocol,
		.settings = settings,
		.identity = place == NULL ? NULL : place->identity };
	l->arg = arg;
	l->timer = loop_event_new(loop, "link-timer", -1, 0, on_timer, l);
	l->quiet = loop_event_new(loop, "link-quiet", -1, 0, on_quiet, l);
	l->failback = loop_event_new(loop, "link-failback", -1, 0, on_failback, l);
	r = l->timer == NULL || l->quiet == NULL || l->failback == NULL ? -ENOMEM :
									  take_servers(l, place, err, err_size);
	if (r == 0 && (settings->transport == LINK_TLS || protocol->secured != NULL)) {
		l->parts.context = link_tls_context(settings, err, err_size);
		r = l->parts.context == NULL ? -EINVAL : 0;
		if (r == 0 && !settings->tls_verify)
			log_warning("link", "not_verified", LOG_TEXT("of", protocol->name),
			    LOG_TEXT("why", "tls_verify is false: anybody on the way can pose as the server"));
	}
	if (r < 0) {
		link_destroy(l);
		return r;
	}
	*ret = l;
	return 0;
}
