/* dialog.c: what makes a dialog one.
 * SPDX-License-Identifier: MIT */
#include "connectors/sip/dialog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/sip/message.h"

#define CALL_ID_HOST "@presenced"

struct dialog_peer {
	const char *tag, *uri, *route; /* in `text` */
	bool strict;		       /* `uri` is a strict router's: it stays */
	char text[];
};

void dialog_begin(struct dialog *d, uint32_t slot)
{
	dialog_done(d);
	arc4random_buf(&d->id, sizeof d->id);
	arc4random_buf(&d->tag, sizeof d->tag);
	d->slot = slot;
	d->cseq = 0;
	d->peer_has_cseq = false;
}

void dialog_done(struct dialog *d)
{
	free(d->peer);
	d->peer = NULL;
}

void dialog_call_id(const struct dialog *d, char *buf)
{
	snprintf(buf, DIALOG_ID_SIZE, "%016llx.%x" CALL_ID_HOST, (unsigned long long)d->id, d->slot);
}

void dialog_tag(const struct dialog *d, char *buf)
{
	snprintf(buf, DIALOG_ID_SIZE, "%016llx", (unsigned long long)d->tag);
}

bool dialog_slot_of(const char *call_id, uint32_t *ret)
{
	const char *dot = strchr(call_id, '.');
	char *end;
	unsigned long n;

	if (dot == NULL || strlen(dot) > 8 + sizeof CALL_ID_HOST)
		return false;
	n = strtoul(dot + 1, &end, 16);
	*ret = (uint32_t)n;
	return end != dot + 1 && strcmp(end, CALL_ID_HOST) == 0;
}

bool dialog_is(const struct dialog *d, const char *call_id, const char *our_tag)
{
	char text[DIALOG_ID_SIZE];

	dialog_call_id(d, text);
	if (strcmp(text, call_id) != 0 || our_tag == NULL)
		return false;
	dialog_tag(d, text);
	return strcmp(text, our_tag) == 0;
}

/* --- the server's side ----------------------------------------------------------------------------- */

static bool uri_text(const url_t *url, char *buf, size_t size)
{
	issize_t n = url_e(buf, size, url);

	return n > 0 && (size_t)n < size && sip_uri_is_good(buf);
}

/* Route lines from Record-Route, in the order in which requests take them. False: too long. */
static bool put_routes(
    struct buf *b, const sip_record_route_t *routes, bool reversed, bool skip_first, const char *last)
{
	const sip_record_route_t *list[32];
	size_t count = 0;

	for (; routes != NULL; routes = routes->r_next) {
		if (count == sizeof list / sizeof *list)
			return false;
		list[count++] = routes;
	}
	for (size_t i = skip_first; i < count; i++) {
		buf_puts(b, "Route: ");
		sip_message_put_value(b, list[reversed ? count - 1 - i : i]);
		buf_puts(b, "\r\n");
	}
	if (last != NULL)
		buf_printf(b, "Route: <%s>\r\n", last);
	return !b->failed;
}

static const sip_record_route_t *first_of(const sip_record_route_t *routes, bool reversed)
{
	while (reversed && routes != NULL && routes->r_next != NULL)
		routes = routes->r_next;
	return routes;
}

static bool keep_peer(struct dialog *d, const char *tag, const char *uri, const char *route, bool strict)
{
	size_t tag_size = strlen(tag) + 1, uri_size = strlen(uri) + 1, route_size = strlen(route) + 1;
	struct dialog_peer *p;

	if (tag_size + uri_size + route_size > DIALOG_PEER_MAX)
		return false;
	p = malloc(sizeof *p + tag_size + uri_size + route_size);
	if (p == NULL)
		return false;
	p->tag = memcpy(p->text, tag, tag_size);
	p->uri = memcpy(p->text + tag_size, uri, uri_size);
	p->route = memcpy(p->text + tag_size + uri_size, route, route_size);
	p->strict = strict;
	free(d->peer);
	d->peer = p;
	return true;
}

static bool learn_all(
    struct dialog *d, const char *tag, const char *target, const sip_record_route_t *routes, bool reversed)
{
	const sip_record_route_t *first = first_of(routes, reversed);
	bool strict = first != NULL && !url_has_param(first->r_url, "lr");
	char uri[600];
	struct buf b;
	bool ok;

	if (strict && !uri_text(first->r_url, uri, sizeof uri))
		return false;
	buf_init(&b, DIALOG_PEER_MAX);
	ok = put_routes(&b, routes, reversed, strict, strict ? target : NULL) &&
	    keep_peer(d, tag, strict ? uri : target, buf_text(&b), strict);
	buf_done(&b);
	return ok;
}

static bool learn(struct dialog *d, const char *tag, const sip_contact_t *contact, const sip_record_route_t *routes,
    bool reversed, const char *fallback)
{
	char target[600];

	if (tag == NULL)
		return false;
	if (d->peer != NULL && strcmp(d->peer->tag, tag) != 0)
		return true; /* another fork: the first one stays */
	if (contact == NULL || !uri_text(contact->m_url, target, sizeof target)) {
		if (d->peer != NULL)
			return true; /* the target stays */
		snprintf(target, sizeof target, "%s", fallback);
	}
	if (d->peer == NULL)
		return learn_all(d, tag, target, routes, reversed);
	if (d->peer->strict || strcmp(d->peer->uri, target) == 0)
		return true;
	return keep_peer(d, d->peer->tag, target, d->peer->route, false);
}

bool dialog_learn_from_answer(struct dialog *d, const sip_t *answer, const char *fallback)
{
	return learn(d, answer->sip_to->a_tag, answer->sip_contact, answer->sip_record_route, true, fallback);
}

bool dialog_learn_from_request(struct dialog *d, const sip_t *request, const char *fallback)
{
	return learn(d, request->sip_from->a_tag, request->sip_contact, request->sip_record_route, false, fallback);
}

const char *dialog_peer_tag(const struct dialog *d)
{
	return d->peer == NULL ? NULL : d->peer->tag;
}

const char *dialog_request_uri(const struct dialog *d)
{
	return d->peer == NULL ? NULL : d->peer->uri;
}

const char *dialog_route(const struct dialog *d)
{
	return d->peer == NULL ? "" : d->peer->route;
}

bool dialog_take_cseq(struct dialog *d, uint32_t cseq)
{
	if (d->peer_has_cseq && cseq <= d->peer_cseq)
		return false;
	d->peer_has_cseq = true;
	d->peer_cseq = cseq;
	return true;
}
