/* sip.c: a SIP source: its link, whether the server is there and lets us in, and what doctor sees.
 * SPDX-License-Identifier: MIT
 *
 * The server is up when it has answered an OPTIONS, and one SUBSCRIBE of ourselves was not refused for its credentials;
 * so a wrong password is tried once, and not once for everybody. Then every subscription is made.
 */
#include "connectors/sip/sip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/sip/message.h"
#include "connectors/sip/sip_private.h"
#include "daemon/base/jsonw.h"
#include "daemon/base/logger.h"
#include "daemon/base/utf8.h"
#include "daemon/loop.h"

#define ALIVE_MS	 10000 /* an OPTIONS not answered in that time says that the server is gone */
#define PROBE_TIMEOUT_MS 2000

/* --- the clock of the parts ------------------------------------------------------------------------ */

void sip_enter(struct connector *c)
{
	agent_set_time(c->agent, loop_now(c->loop).mono);
}

void sip_leave(struct connector *c)
{
	int64_t a = agent_deadline(c->agent), b = subscriber_deadline(c->subscriber), at = a < b ? a : b;

	if (at == c->armed_at)
		return;
	c->armed_at = at;
	if (at == INSTANT_NEVER)
		loop_event_disarm(c->timer);
	else
		loop_event_arm_in(c->timer, at - loop_now(c->loop).mono);
}

static void on_timer(void *arg, short what)
{
	struct connector *c = arg;

	(void)what;
	c->armed_at = 0;
	sip_enter(c);
	agent_run(c->agent);
	subscriber_run(c->subscriber);
	sip_leave(c);
}

/* --- the status ------------------------------------------------------------------------------------ */

static void say_status(struct connector *c, enum source_status status, const char *why)
{
	c->said = status;
	snprintf(c->why, sizeof c->why, "%s", why == NULL ? "" : why);
	source_status_changed(c->source, source_domains(c->source), status, why);
}

static void come_up(struct connector *c, enum source_status status, const char *why)
{
	if (!link_is_up(c->link))
		return;
	link_good(c->link);
	c->up = true;
	say_status(c, status, why);
	source_resync_begin(c->source, source_domains(c->source));
	subscriber_connected(c->subscriber);
}

/* Not by the clock of lost connections: a server that refuses a password counts the attempts. */
static void forbidden(struct connector *c, const char *why)
{
	char text[512];

	if (!link_is_up(c->link))
		return; /* several answers may say so */
	link_fail(c->link, LINK_NEXT_PAUSE,
	    forbidden_again(&c->forbidden, source_name(c->source), why, text, sizeof text), why);
	c->excused = true;
	say_status(c, SOURCE_STATUS_FORBIDDEN, text);
}

/* --- questions: is it there, does it know us ------------------------------------------------------- */

static const struct agent_call_type alive_call, identity_call;

void sip_question_begin(struct question *q)
{
	agent_cancel(&q->call);
	snprintf(q->call_id, sizeof q->call_id, "%08x%08x@presenced", arc4random(), arc4random());
	snprintf(q->tag, sizeof q->tag, "%08x%08x", arc4random(), arc4random());
	q->cseq = 0;
	q->heard = q->of->heard;
}

const char *sip_not_sent(int error)
{
	return error == -EMSGSIZE ? "a request to it would not fit into a datagram: shorten uri, or use transport tcp" :
				    "nothing can be sent to it now";
}

void sip_question_compose(struct agent_call *call, struct agent_request *r)
{
	struct question *q = (struct question *)(void *)call;
	const struct connector *c = q->of;
	bool options = strcmp(q->method, "OPTIONS") == 0;
	bool dialog = source_domains(c->source) == 1u << DOMAIN_TELEPHONY && c->settings->telephony == SIP_DIALOG;

	*r = (struct agent_request){ .method = q->method,
		.uri = options ? c->registrar : c->settings->uri,
		.to = options ? c->registrar : c->settings->uri,
		.from_tag = q->tag,
		.call_id = q->call_id,
		.cseq = &q->cseq,
		.route = "",
		.headers = options ? "Accept: application/sdp\r\n" :
		    dialog	   ? "Event: dialog\r\nAccept: application/dialog-info+xml\r\nExpires: 0\r\n" :
				     "Event: presence\r\nAccept: application/pidf+xml\r\nExpires: 0\r\n",
		.timeout = q->timeout };
}

static void ask(struct question *q)
{
	int r;

	sip_question_begin(q);
	r = agent_send(q->of->agent, &q->call);
	if (r < 0)
		link_fail(q->of->link, LINK_NEXT_SERVER, 0, sip_not_sent(r));
}

static void on_alive(struct agent_call *call, const sip_t *answer, int status)
{
	struct question *q = (struct question *)(void *)call;
	struct connector *c = q->of;
	char why[200];

	if (status == 401 || status == 407) {
		forbidden(c, agent_refusal(c->agent));
	} else if (status == 403 && call->challenges[0] + call->challenges[1] > 0) {
		forbidden(c, "the server refuses our credentials (403): correct user and password_file");
	} else if (answer != NULL && status == 503) {
		snprintf(why, sizeof why, "it is not available (503 %.80s)",
		    answer->sip_status->st_phrase == NULL ? "" : answer->sip_status->st_phrase);
		link_fail(c->link, LINK_NEXT_SERVER, sip_message_retry_after(answer), why);
	} else if (answer == NULL && status != SIP_TIMEOUT) {
		link_fail(c->link, LINK_NEXT_SERVER, 0, sip_not_sent(status == SIP_TOO_LONG ? -EMSGSIZE : -ENOTCONN));
	} else if (answer == NULL && c->heard == q->heard) {
		snprintf(why, sizeof why, "no answer to OPTIONS within %d s", ALIVE_MS / 1000);
		link_fail(c->link, LINK_NEXT_SERVER, 0, why);
	} else if (!c->up && c->identity.call.transaction == NULL) {
		ask(&c->identity);
	}
}

static const char not_verified[] =
    "the certificate of the server is not checked (tls_verify is false): anybody on the way can pose as it";

/* 404 for ourselves: it works, but whoever configured this should know. */
static void on_identity(struct agent_call *call, const sip_t *answer, int status)
{
	struct connector *c = ((struct question *)(void *)call)->of;
	char why[400];

	if (status == 401 || status == 407) {
		forbidden(c, agent_refusal(c->agent));
	} else if (status == 503 && sip_message_retry_after(answer) > 0) {
		link_fail(c->link, LINK_NEXT_SERVER, sip_message_retry_after(answer),
		    "it asks to be left alone for a while (503)");
	} else if (status == 404 || status == 604) {
		snprintf(why, sizeof why, "the server does not know %.200s, which uri says we are; it may not matter",
		    c->settings->uri);
		come_up(c, SOURCE_STATUS_UP_CREDENTIALS_NOT_FOUND, why);
	} else if (answer != NULL || status == SIP_TIMEOUT) {
		come_up(c, SOURCE_STATUS_UP, link_security(c->link) == LINK_ENCRYPTED ? not_verified : NULL);
	} else {
		link_fail(c->link, LINK_NEXT_SERVER, 0, sip_not_sent(status == SIP_TOO_LONG ? -EMSGSIZE : -ENOTCONN));
	}
}

static const struct agent_call_type alive_call = { .compose = sip_question_compose, .answered = on_alive };
static const struct agent_call_type identity_call = { .compose = sip_question_compose, .answered = on_identity };

/* --- what the subscriber says ---------------------------------------------------------------------- */

static bool on_document(void *arg, const struct subscribed *who, const char *type, const char *body, size_t len)
{
	struct connector *c = arg;

	return states_document(&c->states, who, type, body, len, loop_now(c->loop).wall);
}

static void tell_refusal(struct connector *c, const char *address, const char *why)
{
	if (refusals_note(&c->refusals, address, why, loop_now(c->loop).mono))
		log_warning("sip", "refused", LOG_TEXT("source", source_name(c->source)), LOG_TEXT("address", address),
		    LOG_TEXT("why", why), LOG_NUMBER("refusals", c->refusals.count));
}

static void on_status(void *arg, const struct subscribed *who, enum state_status status, const char *why)
{
	struct connector *c = arg;

	states_status(&c->states, who, status, why);
	if (status == STATE_STATUS_ACCESS_DENIED || status == STATE_STATUS_NOT_FOUND || status == STATE_STATUS_ERROR)
		tell_refusal(c, who->address, why == NULL ? "" : why);
}

static void on_trouble(void *arg, enum subscriber_trouble trouble, int64_t wait, const char *why)
{
	struct connector *c = arg;

	if (trouble == SUBSCRIBER_FORBIDDEN) {
		forbidden(c, why);
	} else if (trouble == SUBSCRIBER_UNAVAILABLE) {
		link_fail(c->link, LINK_NEXT_SERVER, wait, why);
	} else {
		log_warning("sip", "forgotten", LOG_TEXT("source", source_name(c->source)), LOG_TEXT("why", why));
		source_resync_begin(c->source, source_domains(c->source));
	}
}

static void on_settled(void *arg)
{
	struct connector *c = arg;

	c->forbidden.next = 0; /* nobody was refused */
	if (c->up)
		source_resync_end(c->source, source_domains(c->source));
}

/* --- the link -------------------------------------------------------------------------------------- */

static void on_up(void *arg)
{
	struct connector *c = arg;
	char host[64], at[LINK_HOST_SIZE];
	uint16_t port, contact;
	bool v6;

	if (!link_local(c->link, host, sizeof host, &port, &v6)) {
		link_fail(c->link, LINK_NEXT_SERVER, 0, "our own address is not known");
		return;
	}
	c->crlf = false;
	contact = port;
	if (c->listener == NULL || !sip_listen_at(c->settings, at, sizeof at, &contact) || at[0] == '\0')
		snprintf(at, sizeof at, "%s", host);
	agent_set_address(c->agent, host, port, at, contact);
	sip_enter(c);
	ask(&c->alive);
	sip_leave(c);
}

static void on_quiet(void *arg)
{
	struct connector *c = arg;

	sip_enter(c);
	if (c->alive.call.transaction == NULL)
		ask(&c->alive);
	sip_leave(c);
}

static void on_down(void *arg, enum link_fault fault, const char *why)
{
	struct connector *c = arg;

	sip_enter(c);
	c->up = false;
	agent_cancel(&c->alive.call);
	agent_cancel(&c->identity.call);
	subscriber_lost(c->subscriber);
	agent_lost(c->agent);
	sip_leave(c);
	if (c->excused) {
		c->excused = false;
		return;
	}
	say_status(c, fault == LINK_FAULT_MOVED ? SOURCE_STATUS_CONNECTING : SOURCE_STATUS_CONNECTION_ERROR, why);
}

static const struct link_protocol protocol = {
	.port = 5060,
	.tls_port = 5061,
	.service = "_sip",
	.tls_service = "_sips",
	.framing = { .kind = FRAMING_CONTENT_LENGTH, .max = SIP_BODY_MAX, .head_max = SIP_HEAD_MAX },
	.up = on_up,
	.frame = sip_on_frame,
	.quiet = on_quiet,
	.down = on_down,
};

/* --- the contract ---------------------------------------------------------------------------------- */

static void on_first(void *arg, short what)
{
	struct connector *c = arg;
	char why[400];

	(void)what;
	snprintf(why, sizeof why, "connecting to %.200s", link_host(c->link));
	say_status(c, SOURCE_STATUS_CONNECTING, why);
	link_start(c->link);
}

static void connector_destroy(void *object)
{
	struct connector *c = object;

	subscriber_free(c->subscriber);
	agent_free(c->agent);
	xml_reader_free(c->states.reader);
	loop_event_free(c->timer);
	loop_event_free(c->first);
	explicit_bzero(c->password, sizeof c->password);
	free(c);
}

/* Goodbyes go out before the link closes. */
static void stop(struct connector *c)
{
	if (c == NULL)
		return;
	sip_enter(c);
	subscriber_free(c->subscriber);
	c->subscriber = NULL;
	loop_event_disarm(c->timer);
	loop_event_disarm(c->first);
	link_listener_free(c->listener);
	link_free(c->link);
	connector_destroy(c);
}

static int send_bytes(void *arg, const void *data, size_t len)
{
	return link_send(((struct connector *)arg)->link, data, len);
}

static const char *transport_name(const struct sip_settings *s)
{
	return s->link.transport == LINK_UDP ? "UDP" : s->link.transport == LINK_TCP ? "TCP" : "TLS";
}

static void prepare_questions(struct connector *c)
{
	c->alive = (struct question){ .call.type = &alive_call, .of = c, .method = "OPTIONS", .timeout = ALIVE_MS };
	c->identity =
	    (struct question){ .call.type = &identity_call, .of = c, .method = "SUBSCRIBE", .timeout = ALIVE_MS };
	c->probed = (struct question){ .call.type = &sip_probe_call, .of = c, .timeout = PROBE_TIMEOUT_MS };
}

static int read_password(struct connector *c, char *err, size_t err_size)
{
	int r = source_secret(c->source, c->settings->password, c->settings->password_file, c->password, err, err_size);

	c->has_password = r > 0;
	return r;
}

static int make_parts(struct connector *c, char *err, size_t err_size)
{
	const struct agent_settings agent = { .uri = c->settings->uri,
		.domain = c->domain,
		.transport = transport_name(c->settings),
		.identity = { .user = c->user, .password = c->has_password ? c->password : NULL },
		.wire = { .send = send_bytes, .arg = c } };
	const struct subscriber_settings subscriber = { .expires = c->settings->expires / 1000,
		.in_flight = (size_t)c->settings->in_flight };
	const struct subscriber_owner owner = {
		.document = on_document, .status = on_status, .trouble = on_trouble, .settled = on_settled, .arg = c
	};
	int r;

	c->timer = loop_event_new(c->loop, "sip-timer", -1, 0, on_timer, c);
	c->first = loop_event_new(c->loop, "sip-start", -1, 0, on_first, c);
	c->states.reader = xml_reader_new();
	c->agent = agent_new(&agent, loop_now(c->loop).mono);
	if (c->timer == NULL || c->first == NULL || c->states.reader == NULL || c->agent == NULL)
		return -ENOMEM;
	c->subscriber = subscriber_new(&subscriber, c->agent, &owner);
	if (c->subscriber == NULL)
		return -ENOMEM;
	r = link_new(&c->link, c->loop, &c->protocol, &c->settings->link, NULL, c, err, err_size);
	return r < 0 ? r : sip_open_listener(c, err, err_size);
}

static int start(
    struct connector **ret, struct source *source, const void *settings, struct loop *loop, char *err, size_t err_size)
{
	struct connector *c = calloc(1, sizeof *c);
	int r;

	if (c == NULL)
		return -ENOMEM;
	c->source = c->states.source = source;
	c->settings = settings;
	c->loop = loop;
	c->protocol = protocol;
	c->protocol.name = source_name(source);
	c->protocol.quiet_ms = c->settings->keepalive;
	sip_domain(c->settings, c->domain, sizeof c->domain);
	sip_user(c->settings, c->user, sizeof c->user);
	snprintf(c->registrar, sizeof c->registrar, "sip:%s", c->domain);
	prepare_questions(c);
	r = read_password(c, err, err_size);
	if (r >= 0)
		r = make_parts(c, err, err_size);
	if (r < 0) {
		link_free(c->link);
		connector_destroy(c);
		return r;
	}
	loop_event_arm_in(c->first, 0);
	*ret = c;
	return 0;
}

static enum sip_package package_of(const struct connector *c, enum domain domain)
{
	return domain == DOMAIN_TELEPHONY ? (enum sip_package)c->settings->telephony : SIP_PRESENCE;
}

static int watch(struct connector *c, const char *address, enum domain domain)
{
	int r;

	sip_enter(c);
	r = subscriber_watch(c->subscriber, address, package_of(c, domain), domain);
	sip_leave(c);
	return r;
}

static void unwatch(struct connector *c, const char *address, enum domain domain)
{
	sip_enter(c);
	subscriber_unwatch(c->subscriber, address, package_of(c, domain), domain);
	sip_leave(c);
}

static void verify(struct connector *c, const char *address, enum domain domain)
{
	sip_enter(c);
	subscriber_verify(c->subscriber, address, package_of(c, domain));
	sip_leave(c);
}

/* A password that cannot be read does not stop what works. */
static bool outdated(const struct connector *c, char *why, size_t size)
{
	return source_secret_differs(c->source, c->settings->password, c->settings->password_file,
	    c->has_password ? c->password : NULL, why, size);
}

static void stats(const struct connector *c, struct buf *b)
{
	struct subscriber_stats s;

	subscriber_stats(c->subscriber, &s);
	link_stats(c->link, b);
	jsonw_int(b, "subscriptions", (int64_t)s.subscriptions);
	jsonw_int(b, "established", (int64_t)s.established);
	jsonw_int(b, "waiting", (int64_t)s.waiting);
	jsonw_int(b, "in_flight", (int64_t)agent_in_flight(c->agent));
	jsonw_int(b, "notifies", (int64_t)s.notifies);
	jsonw_int(b, "repeated", (int64_t)s.repeated);
	jsonw_int(b, "unknown", (int64_t)s.unknown);
	jsonw_int(b, "refreshes", (int64_t)s.refreshes);
	jsonw_int(b, "fetches", (int64_t)s.fetches);
	jsonw_int(b, "forgotten", (int64_t)s.forgotten);
	jsonw_int(b, "failures", (int64_t)s.failures);
	jsonw_int(b, "refused_addresses", (int64_t)s.refused);
	if (c->refusals.last[0] != '\0')
		jsonw_text(b, "last_refusal", c->refusals.last);
	jsonw_int(b, "bad_messages", (int64_t)c->malformed);
	if (c->malformed > 0)
		jsonw_text(b, "last_bad_message", c->last_malformed);
	jsonw_int(b, "bad_documents", (int64_t)c->states.malformed);
	if (c->states.malformed > 0)
		jsonw_text(b, "last_bad_document", c->states.last_error);
}

const struct connector_type sip_type = {
	.spec = &sip_spec,
	.start = start,
	.stop = stop,
	.watch = watch,
	.unwatch = unwatch,
	.verify = verify,
	.probe = sip_probe,
	.outdated = outdated,
	.stats = stats,
};
