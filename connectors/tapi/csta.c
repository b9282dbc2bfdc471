/* csta.c: a switch that speaks CSTA in XML: its link, and who gets which frame.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "connectors/tapi/csta_private.h"
#include "connectors/tapi/csta_write.h"
#include "daemon/base/jsonw.h"
#include "daemon/base/logger.h"
#include "daemon/base/utf8.h"
#include "daemon/loop.h"

#define ANSWER_MS      10000
#define ASK_ALL_MS     5000 /* between two times that all is asked again */
#define UNREADABLE_MAX 3    /* documents in a row */

static struct csta *of(struct connector *c)
{
	return (struct csta *)(void *)c;
}

/* --- the clock of the parts ------------------------------------------------------------------------ */

void csta_enter(struct csta *c)
{
	csta_exchange_set_time(c->exchange, loop_now(c->base.loop));
}

void csta_leave(struct csta *c)
{
	int64_t at = csta_exchange_deadline(c->exchange), session = csta_session_deadline(c->session),
		monitors = csta_monitors_deadline(c->monitors), now = loop_now(c->base.loop).mono;

	at = session < at ? session : at;
	at = monitors < at ? monitors : at;
	at = c->ask_all_at < at ? c->ask_all_at : at;
	if (at == c->armed_at)
		return;
	c->armed_at = at;
	if (at == INSTANT_NEVER)
		loop_event_disarm(c->timer);
	else
		loop_event_arm_in(c->timer, at > now ? at - now : 0);
}

static void on_events_lost(void *arg);

static void on_timer(void *arg, short what)
{
	struct csta *c = arg;

	(void)what;
	c->armed_at = 0;
	csta_enter(c);
	csta_exchange_run(c->exchange);
	csta_session_run(c->session);
	if (loop_now(c->base.loop).mono >= c->ask_all_at)
		on_events_lost(c);
	csta_monitors_run(c->monitors);
	csta_leave(c);
}

/* --- the status ------------------------------------------------------------------------------------ */

static void say_status(struct csta *c, enum source_status status, const char *why)
{
	c->said = status;
	snprintf(c->why, sizeof c->why, "%s", why == NULL ? "" : why);
	utf8_repair(c->why);
	tapi_say_status(&c->base, status, why == NULL ? NULL : c->why);
}

static void resync_begin(struct csta *c)
{
	source_resync_begin(c->base.source, 1u << DOMAIN_TELEPHONY);
}

static void on_ready(void *arg)
{
	static const char not_verified[] =
	    "the certificate of the switch is not checked (tls_verify is false): anybody on the way can pose as it";
	struct csta *c = arg;

	link_good(c->link);
	c->forbidden.next = 0;
	say_status(c, SOURCE_STATUS_UP, link_security(c->link) == LINK_ENCRYPTED ? not_verified : NULL);
	resync_begin(c);
	csta_monitors_ready(c->monitors);
}

static void on_asleep(void *arg, const char *why)
{
	struct csta *c = arg;

	csta_monitors_asleep(c->monitors);
	say_status(c, SOURCE_STATUS_CONNECTING, why);
}

/* Everything is asked again; a switch that says so all the time is asked now and then. */
static void on_events_lost(void *arg)
{
	struct csta *c = arg;
	int64_t now = loop_now(c->base.loop).mono;

	c->ask_all_at = INSTANT_NEVER;
	if (c->asked_all_at != 0 && now - c->asked_all_at < ASK_ALL_MS) {
		c->ask_all_at = c->asked_all_at + ASK_ALL_MS;
		return;
	}
	c->asked_all_at = now;
	log_warning("csta", "events_lost", LOG_TEXT("source", source_name(c->base.source)));
	resync_begin(c);
	csta_monitors_ask_all(c->monitors);
}

static void on_overloaded(void *arg, bool yes)
{
	struct csta *c = arg;

	log_info("csta", yes ? "overloaded" : "relieved", LOG_TEXT("source", source_name(c->base.source)));
	csta_monitors_slow(c->monitors, yes);
}

static void on_trouble(void *arg, enum csta_session_trouble kind, const char *why)
{
	struct csta *c = arg;
	char text[512];

	if (!link_is_up(c->link))
		return;
	if (kind != CSTA_TROUBLE_FORBIDDEN) {
		link_fail(c->link, LINK_NEXT_SERVER, 0, why);
		return;
	}
	link_fail(c->link, LINK_NEXT_PAUSE,
	    forbidden_again(&c->forbidden, source_name(c->base.source), why, text, sizeof text), why);
	c->excused = true;
	say_status(c, SOURCE_STATUS_FORBIDDEN, text);
}

static const struct csta_session_owner session_owner = { .ready = on_ready,
	.asleep = on_asleep,
	.events_lost = on_events_lost,
	.overloaded = on_overloaded,
	.trouble = on_trouble };

/* --- lines ----------------------------------------------------------------------------------------- */

static void tell_refusal(struct csta *c, const char *device, const char *why)
{
	if (refusals_note(&c->refusals, device, why, loop_now(c->base.loop).mono))
		log_warning("csta", "refused", LOG_TEXT("source", source_name(c->base.source)),
		    LOG_TEXT("line", device), LOG_TEXT("why", why), LOG_NUMBER("refusals", c->refusals.count));
}

static void on_said(void *arg, const char *device, const struct raw_facts *facts)
{
	struct csta *c = arg;

	source_raw_state(c->base.source, device, facts);
	if (facts->status == STATE_STATUS_NOT_FOUND || facts->status == STATE_STATUS_ACCESS_DENIED ||
	    facts->status == STATE_STATUS_ERROR)
		tell_refusal(c, device, facts->why == NULL ? "" : facts->why);
}

static bool is_same(void *arg, const char *device, const char *number)
{
	return source_same_number(((struct csta *)arg)->base.source, device, number);
}

static bool is_own(void *arg, const char *device, const char *number)
{
	return source_is_own(((struct csta *)arg)->base.source, device, DOMAIN_TELEPHONY, number);
}

static void on_settled(void *arg)
{
	source_resync_end(((struct csta *)arg)->base.source, 1u << DOMAIN_TELEPHONY);
}

static const struct csta_monitors_owner monitors_owner = {
	.said = on_said, .same = is_same, .own = is_own, .settled = on_settled
};

/* --- frames ---------------------------------------------------------------------------------------- */

static void compose_status_seen(void *arg, struct buf *b)
{
	csta_write_empty(b, ((const struct csta *)arg)->base.settings->xml_namespace, "SystemStatusResponse");
}

static void compose_own_status(void *arg, struct buf *b)
{
	csta_write_one(b, ((const struct csta *)arg)->base.settings->xml_namespace, "RequestSystemStatusResponse",
	    "systemStatus", "normal");
}

static void compose_stop_seen(void *arg, struct buf *b)
{
	csta_write_empty(b, ((const struct csta *)arg)->base.settings->xml_namespace, "MonitorStopResponse");
}

static void dispatch(struct csta *c, const char id[4], const struct csta_message *m)
{
	switch (m->kind) {
	case CSTA_RESPONSE:
	case CSTA_NEGATIVE_RESPONSE:
	case CSTA_ERROR:
		if (!csta_answer(c->exchange, id, m)) {
			c->strays++;
			csta_session_late(c->session, m);
			csta_monitors_late(c->monitors, m);
		}
		csta_monitors_run(c->monitors);
		break;
	case CSTA_SYSTEM_STATUS:
		csta_reply(c->exchange, id, compose_status_seen, c);
		csta_session_told(c->session, m);
		csta_monitors_run(c->monitors);
		break;
	case CSTA_STATUS_QUESTION:
		csta_reply(c->exchange, id, compose_own_status, c);
		break;
	case CSTA_SESSION_ENDED:
		csta_session_told(c->session, m);
		break;
	case CSTA_MONITOR_STOP:
		csta_reply(c->exchange, id, compose_stop_seen, c);
		csta_monitors_told(c->monitors, m);
		break;
	case CSTA_OTHER_REQUEST:
		c->strays++;
		break;
	case CSTA_CALL_EVENT:
	case CSTA_TRANSFER_EVENT:
	case CSTA_DND_EVENT:
	case CSTA_FORWARD_EVENT:
	case CSTA_OUT_OF_SERVICE_EVENT:
	case CSTA_IN_SERVICE_EVENT:
	case CSTA_CHANGED_EVENT:
	case CSTA_OTHER_EVENT:
	case CSTA_SNAPSHOT_DATA:
		csta_monitors_told(c->monitors, m);
	}
}

static void note_unreadable(struct csta *c, const char *what)
{
	c->unreadable++;
	snprintf(c->last_unreadable, sizeof c->last_unreadable, "%.250s", what);
	utf8_repair(c->last_unreadable);
}

/* One costs the message only, as long as others can be read. What it would have said may be missing now. */
static void unreadable(struct csta *c, const char *what)
{
	char why[300];

	note_unreadable(c, what);
	if (++c->unreadable_in_row == 1) {
		log_info("csta", "unreadable", LOG_TEXT("source", source_name(c->base.source)),
		    LOG_TEXT("why", c->last_unreadable));
		if (csta_session_is_ready(c->session))
			on_events_lost(c);
		csta_monitors_run(c->monitors);
	} else if (c->unreadable_in_row >= UNREADABLE_MAX) {
		snprintf(why, sizeof why, "%d documents in a row cannot be read, the last one: %.200s", UNREADABLE_MAX,
		    c->last_unreadable);
		link_fail(c->link, LINK_NEXT_SERVER, 0, why);
	}
}

static void on_frame(void *arg, const char *data, size_t len)
{
	struct csta *c = arg;
	struct csta_message m;
	struct parse_error error = { "no memory" };
	int r;

	if (len == CSTA_HEAD_BYTES)
		return; /* a frame without a document */
	csta_enter(c);
	r = csta_read(c->reader, data + CSTA_HEAD_BYTES, len - CSTA_HEAD_BYTES, &m, &error);
	if (r == -EBADMSG) {
		note_unreadable(c, error.text);
		csta_monitors_doubt(c->monitors, m.cross_ref);
		csta_monitors_run(c->monitors);
	} else if (r < 0) {
		unreadable(c, error.text);
	} else {
		c->unreadable_in_row = 0;
		dispatch(c, data + 4, &m);
	}
	csta_leave(c);
}

/* --- the link -------------------------------------------------------------------------------------- */

static void on_up(void *arg)
{
	struct csta *c = arg;

	csta_enter(c);
	c->unreadable_in_row = 0;
	csta_session_connected(c->session);
	csta_leave(c);
}

static void on_quiet(void *arg)
{
	struct csta *c = arg;

	csta_enter(c);
	csta_session_quiet(c->session);
	csta_leave(c);
}

static void on_down(void *arg, enum link_fault fault, const char *why)
{
	struct csta *c = arg;

	csta_enter(c);
	csta_probe_lost(c);
	csta_exchange_lost(c->exchange);
	csta_session_lost(c->session);
	csta_monitors_lost(c->monitors);
	c->ask_all_at = INSTANT_NEVER;
	c->asked_all_at = 0;
	csta_leave(c);
	if (c->excused) {
		c->excused = false;
		return;
	}
	say_status(c, fault == LINK_FAULT_MOVED ? SOURCE_STATUS_CONNECTING : SOURCE_STATUS_CONNECTION_ERROR, why);
}

static const struct link_protocol protocol = {
	.port = 4721,
	.tls_port = 4722,
	.framing = { .kind = FRAMING_LENGTH,
	    .max = CSTA_FRAME_MAX,
	    .head = CSTA_HEAD_BYTES,
	    .offset = 2,
	    .bytes = 2,
	    .head_counts = true,
	    .zeros = 2,
	    .other = "it does not speak CSTA in XML: look at the port, and whether the switch speaks ASN.1, SOAP or "
		     "something else there" },
	.up = on_up,
	.frame = on_frame,
	.quiet = on_quiet,
	.answer_ms = ANSWER_MS,
	.down = on_down,
};

/* --- the wire -------------------------------------------------------------------------------------- */

static void on_first(void *arg, short what)
{
	struct csta *c = arg;
	char why[400];

	(void)what;
	snprintf(why, sizeof why, "connecting to %.200s", link_host(c->link));
	say_status(c, SOURCE_STATUS_CONNECTING, why);
	link_start(c->link);
}

static int send_bytes(void *arg, const void *data, size_t len)
{
	return link_send(((struct csta *)arg)->link, data, len);
}

static int make_parts(struct csta *c)
{
	const struct tapi_settings *s = c->base.settings;
	const struct csta_transport wire = { .send = send_bytes, .arg = c };
	const struct csta_monitors_settings monitors = {
		.xml_namespace = s->xml_namespace, .rate = s->rate, .poll = s->poll
	};
	struct csta_session_owner on_session = session_owner;
	struct csta_monitors_owner on_monitors = monitors_owner;

	on_session.arg = on_monitors.arg = c;
	c->timer = loop_event_new(c->base.loop, "csta-timer", -1, 0, on_timer, c);
	c->first = loop_event_new(c->base.loop, "csta-start", -1, 0, on_first, c);
	c->reader = xml_reader_new();
	c->exchange = csta_exchange_new(&wire, (size_t)s->in_flight);
	if (c->timer == NULL || c->first == NULL || c->reader == NULL || c->exchange == NULL)
		return -ENOMEM;
	c->ask_all_at = INSTANT_NEVER;
	csta_enter(c);
	c->session = csta_session_new(s, c->base.has_password ? c->base.password : NULL, c->exchange, &on_session);
	c->monitors = csta_monitors_new(&monitors, c->exchange, &on_monitors);
	return c->session == NULL || c->monitors == NULL ? -ENOMEM : 0;
}

static int open(struct connector *base, char *err, size_t err_size)
{
	struct csta *c = of(base);
	int r = make_parts(c);

	csta_probe_prepare(c);
	c->protocol = protocol;
	c->protocol.name = source_name(base->source);
	c->protocol.quiet_ms = base->settings->keepalive;
	if (r == 0)
		r = link_new(&c->link, base->loop, &c->protocol, &base->settings->link, NULL, c, err, err_size);
	if (r == 0)
		loop_event_arm_in(c->first, 0);
	return r;
}

/* Goodbyes go out before the link closes. */
static void close(struct connector *base)
{
	struct csta *c = of(base);

	csta_monitors_free(c->monitors);
	if (c->session != NULL && c->link != NULL)
		csta_session_stop(c->session);
	csta_session_free(c->session);
	csta_exchange_free(c->exchange);
	link_free(c->link);
	loop_event_free(c->timer);
	loop_event_free(c->first);
	xml_reader_free(c->reader);
}

static int watch(struct connector *base, const char *line)
{
	struct csta *c = of(base);
	int r;

	csta_enter(c);
	r = csta_monitors_watch(c->monitors, line);
	csta_leave(c);
	return r;
}

static void unwatch(struct connector *base, const char *line)
{
	struct csta *c = of(base);

	csta_enter(c);
	csta_monitors_unwatch(c->monitors, line);
	csta_leave(c);
}

static void verify(struct connector *base, const char *line)
{
	struct csta *c = of(base);

	csta_enter(c);
	csta_monitors_verify(c->monitors, line);
	csta_leave(c);
}

static void stats(const struct connector *base, struct buf *b)
{
	const struct csta *c = (const struct csta *)(const void *)base;
	struct csta_monitors_stats s;

	csta_monitors_stats(c->monitors, &s);
	link_stats(c->link, b);
	jsonw_int(b, "lines", (int64_t)s.lines);
	jsonw_int(b, "monitored", (int64_t)s.monitored);
	jsonw_int(b, "waiting", (int64_t)s.waiting);
	jsonw_int(b, "refused_lines", (int64_t)s.refused);
	if (c->refusals.last[0] != '\0')
		jsonw_text(b, "last_refusal", c->refusals.last);
	jsonw_int(b, "in_flight", (int64_t)csta_in_flight(c->exchange));
	jsonw_int(b, "events", (int64_t)s.events);
	jsonw_int(b, "events_of_nobody", (int64_t)s.unknown);
	jsonw_int(b, "snapshots", (int64_t)s.snapshots);
	jsonw_int(b, "doubts", (int64_t)s.doubts);
	jsonw_int(b, "stopped_monitors", (int64_t)s.stopped);
	jsonw_int(b, "strays", (int64_t)c->strays);
	jsonw_int(b, "bad_documents", (int64_t)c->unreadable);
	if (c->unreadable > 0)
		jsonw_text(b, "last_bad_document", c->last_unreadable);
}

const struct tapi_wire csta_wire = {
	.size = sizeof(struct csta),
	.open = open,
	.close = close,
	.watch = watch,
	.unwatch = unwatch,
	.verify = verify,
	.probe = csta_probe,
	.stats = stats,
};
