/* methods_requests.c: requests.*: people who ask to see our presence; contacts.*: whom we ask.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "daemon/base/jsonw.h"
#include "daemon/console/methods.h"

#define LIST_DEFAULT 100
#define LIST_MAX     100 /* a request may have a text of a kilobyte and more */

void methods_write_request(struct buf *b, const struct inbox_request *r)
{
	jsonw_int(b, "id", r->id);
	jsonw_text(b, "source", r->source);
	jsonw_text(b, "address", r->address);
	if (r->name != NULL)
		jsonw_text(b, "name", r->name);
	if (r->text != NULL)
		jsonw_text(b, "text", r->text);
	jsonw_time(b, "at", r->at);
}

static struct inbox *inbox_of(const struct request *rq)
{
	return durable_inbox(rq->connection->daemon->durable);
}

static void requests_list(struct request *rq)
{
	int64_t limit = param_int(rq, "limit", LIST_DEFAULT), last = 0;
	const struct inbox_request *r;

	if (!connection_may(rq->connection, PERMISSION_NOTES) && !connection_may(rq->connection, PERMISSION_ADMIN)) {
		request_fail(
		    rq, RPC_PERMISSION, "needs", "notes", "requests.list needs the permission notes or admin.");
		return;
	}
	jsonw_list(&rq->result, "requests");
	r = inbox_after(inbox_of(rq), param_int(rq, "after", 0));
	for (; r != NULL && limit > 0; r = inbox_after(inbox_of(rq), r->id), limit--) {
		jsonw_object(&rq->result, NULL);
		methods_write_request(&rq->result, r);
		jsonw_object_end(&rq->result);
		last = r->id;
	}
	jsonw_list_end(&rq->result);
	if (r != NULL)
		jsonw_int(&rq->result, "next", last);
	else
		jsonw_null(&rq->result, "next");
}

/* What source_decide() and source_contact() could not do. */
static void fail_at(struct request *rq, const char *source, int result)
{
	if (result == -ENOTCONN)
		request_fail(rq, RPC_NOT_NOW, "source", source,
		    "Source %s is not connected now, and cannot be told; nothing was changed.", source);
	else if (result == -ENOENT)
		request_fail(rq, RPC_CONFLICT, "source", source, "The user has no address at source %s.", source);
	else
		request_fail(
		    rq, RPC_CONFLICT, "source", source, "Source %s knows no contacts and no requests.", source);
}

static void is_decided(struct request *rq, const struct durable_result *r)
{
	(void)rq; /* the request was written when it was decided */
	(void)r;
}

static void decide(struct request *rq, bool accept)
{
	struct daemon *d = rq->connection->daemon;
	int64_t id = param_int(rq, "id", 0);
	struct inbox_request *r = inbox_find(inbox_of(rq), id);
	struct source *s = r == NULL ? NULL : sources_find(d->sources, r->source);
	char text[24];
	struct pending *p;
	int result;

	if (r == NULL) {
		snprintf(text, sizeof text, "%" PRId64, id);
		request_fail(rq, RPC_NOT_FOUND, "request", text, "There is no request %s.", text);
		return;
	}
	if (durable_status(d->durable) == STORE_STATUS_UNAVAILABLE) {
		request_fail(rq, RPC_STORE, "why", "the decision cannot be kept",
		    "Nothing was changed, since the decision cannot be kept; presencectl status says why.");
		return;
	}
	result = s == NULL ? -ENOTCONN : source_decide(s, r->address, accept);
	if (result < 0) {
		fail_at(rq, r->source, result);
		return;
	}
	jsonw_object(&rq->result, "request");
	methods_write_request(&rq->result, r);
	jsonw_object_end(&rq->result);
	p = methods_defer(rq, is_decided);
	if (p != NULL)
		methods_begun(p, durable_decided(d->durable, r, methods_done(p)));
}

static void requests_accept(struct request *rq)
{
	decide(rq, true);
}

static void requests_deny(struct request *rq)
{
	decide(rq, false);
}

static void contact(struct request *rq, bool add)
{
	const struct daemon *d = rq->connection->daemon;
	const char *name = param_text(rq, "source"), *id = param_text(rq, "user");
	struct source *s = sources_find(d->sources, name);
	const struct user *user = directory_find(d->directory, id);
	char address[USER_MAX_FIELD_BYTES + 1];
	int result;

	if (s == NULL || user == NULL) {
		request_fail(rq, RPC_NOT_FOUND, s == NULL ? "source" : "user", s == NULL ? name : id,
		    "There is no %s \"%.128s\".", s == NULL ? "source" : "user", s == NULL ? name : id);
		return;
	}
	result = source_contact(s, user, add, address, sizeof address);
	if (result < 0)
		fail_at(rq, name, result);
	else
		jsonw_text(&rq->result, "address", address);
}

static void contacts_add(struct request *rq)
{
	contact(rq, true);
}

static void contacts_remove(struct request *rq)
{
	contact(rq, false);
}

static const struct param list_params[] = {
	{ "after", PARAM_INT, false, 0, INT64_MAX },
	{ "limit", PARAM_INT, false, 1, LIST_MAX },
	{ 0 },
};
static const struct param decide_params[] = { { "id", PARAM_INT, true, 1, INT64_MAX }, { 0 } };
static const struct param contact_params[] = {
	{ "source", PARAM_TEXT, true, 1, 64 },
	{ "user", PARAM_TEXT, true, 1, USER_MAX_ID_BYTES },
	{ 0 },
};

const struct method methods_requests[] = {
	{ "requests.list", -1, list_params, requests_list },
	{ "requests.accept", PERMISSION_NOTES, decide_params, requests_accept },
	{ "requests.deny", PERMISSION_NOTES, decide_params, requests_deny },
	{ "contacts.add", PERMISSION_ADMIN, contact_params, contacts_add },
	{ "contacts.remove", PERMISSION_ADMIN, contact_params, contacts_remove },
	{ 0 },
};
