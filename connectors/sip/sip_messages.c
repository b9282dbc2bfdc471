/* sip_messages.c: what arrives, from the server's connection or from one that it made to us, and how it is answered.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/sip/message.h"
#include "connectors/sip/sip_private.h"
#include "daemon/base/logger.h"

/* --- requests -------------------------------------------------------------------------------------- */

/* To where the message came from. */
static void reply(struct connector *c, const void *data, size_t len)
{
	if (c->guest != NULL)
		link_guest_send(c->guest, data, len);
	else
		link_send(c->link, data, len);
}

static void refuse(struct connector *c, const char *why)
{
	c->malformed++;
	snprintf(c->last_malformed, sizeof c->last_malformed, "%s", why);
	log_debug("sip", "bad_message", LOG_TEXT("source", source_name(c->source)), LOG_TEXT("why", why));
}

/* False: it cannot be answered, so the server will not count it as received. */
static bool answer(struct connector *c, const sip_t *request, int status, const char *more)
{
	char host[64], tag[SIP_ID_SIZE];
	uint16_t port;
	struct buf b;
	bool v6, known = true, fine;

	if (c->guest != NULL) {
		snprintf(host, sizeof host, "%s", link_guest_host(c->guest));
		port = link_guest_port(c->guest);
	} else {
		known = link_remote(c->link, host, sizeof host, &port, &v6);
	}
	snprintf(tag, sizeof tag, "%08x", arc4random());
	buf_init(&b, SIP_HEAD_MAX + 1024);
	sip_message_answer(&b, request, status, sip_phrase(status), tag, more,
	    known && c->settings->link.transport == LINK_UDP ? host : NULL, known ? port : 0);
	fine = !b.failed;
	if (fine)
		reply(c, buf_text(&b), b.len);
	else
		refuse(c, "the answer to it would be too long");
	buf_done(&b);
	return fine;
}

static void take_notify(struct connector *c, const sip_t *notify)
{
	struct usage *usage = NULL;
	bool ours = strcmp(notify->sip_call_id->i_id, c->identity.call_id) == 0 ||
	    strcmp(notify->sip_call_id->i_id, c->probed.call_id) == 0;
	int status = ours ? 200 : subscriber_judge(c->subscriber, notify, &usage);

	if (answer(c, notify, status, "") && usage != NULL)
		subscriber_take(c->subscriber, usage, notify);
}

static void take_request(struct connector *c, const sip_t *request)
{
	static const char allow[] = "Allow: NOTIFY, OPTIONS\r\n";

	switch (request->sip_request->rq_method) {
	case sip_method_notify:
		take_notify(c, request);
		break;
	case sip_method_options:
		answer(c, request, 200,
		    "Allow: NOTIFY, OPTIONS\r\nAccept: application/pidf+xml, application/dialog-info+xml\r\n");
		break;
	case sip_method_ack:
		break;
	default:
		answer(c, request, 405, allow);
		break;
	}
}

/* --- frames ---------------------------------------------------------------------------------------- */

/* CRLF CRLF is a ping that wants a CRLF back (RFC 5626 3.5.1); we send none, so a CRLF is half of one. */
static void take_crlf(struct connector *c)
{
	if (c->crlf)
		reply(c, "\r\n", 2);
	c->crlf = !c->crlf;
}

static bool is_keepalive(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != '\r' && data[i] != '\n' && data[i] != '\0')
			return false;
	return len <= 8;
}

void sip_on_frame(void *arg, const char *data, size_t len)
{
	struct connector *c = arg;
	const char *why;
	sip_t *sip;
	msg_t *msg;

	if (len == 2 && memcmp(data, "\r\n", 2) == 0) {
		take_crlf(c);
		return;
	}
	c->crlf = false;
	if (is_keepalive(data, len))
		return;
	msg = sip_message_parse(data, len, &sip, &why);
	if (msg == NULL) {
		refuse(c, why);
		return;
	}
	c->heard++;
	sip_enter(c);
	if (sip->sip_status != NULL)
		agent_answer(c->agent, sip);
	else
		take_request(c, sip);
	sip_leave(c);
	msg_destroy(msg);
}

/* --- who connects to us ---------------------------------------------------------------------------- */

/* Only the server that we are connected with. */
static bool is_welcome(void *arg, const char *host)
{
	const struct connector *c = arg;
	char server[64];
	uint16_t port;
	bool v6;

	return link_remote(c->link, server, sizeof server, &port, &v6) && strcmp(server, host) == 0;
}

static void on_guest_frame(void *arg, struct link_guest *guest, const char *data, size_t len)
{
	struct connector *c = arg;
	bool half = c->crlf;

	c->guest = guest;
	c->crlf = link_guest_data(guest) != NULL;
	sip_on_frame(c, data, len);
	link_guest_set_data(guest, c->crlf ? c : NULL);
	c->crlf = half;
	c->guest = NULL;
}

static const struct link_listener_protocol guests = {
	.framing = { .kind = FRAMING_CONTENT_LENGTH, .max = SIP_BODY_MAX, .head_max = SIP_HEAD_MAX },
	.welcome = is_welcome,
	.frame = on_guest_frame,
};

int sip_open_listener(struct connector *c, char *err, size_t err_size)
{
	char host[LINK_HOST_SIZE];
	uint16_t port;

	if (c->settings->listen == NULL)
		return 0;
	sip_listen_at(c->settings, host, sizeof host, &port);
	c->guests = guests;
	c->guests.name = source_name(c->source);
	return link_listen(&c->listener, c->loop, &c->guests, &c->settings->link, host[0] == '\0' ? NULL : host, port,
	    c, err, err_size);
}
