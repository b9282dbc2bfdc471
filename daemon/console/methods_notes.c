/* methods_notes.c: notes.set, notes.clear.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "daemon/base/jsonw.h"
#include "daemon/console/methods.h"

/* `until` of a note, 0 without end. False: the request has failed. */
static bool read_until(struct request *rq, int64_t *ret)
{
	const char *text = param_text(rq, "until");

	*ret = 0;
	if (text == NULL)
		return true;
	if (instant_parse(text, ret) < 0)
		request_fail(rq, RPC_PARAMS, "field", "until", "until must be a time like 2026-11-20T12:00:00Z.");
	else if (*ret <= loop_now(rq->connection->daemon->loop).wall)
		request_fail(rq, RPC_PARAMS, "field", "until", "until is over already.");
	return !rq->failed;
}

static bool is_good_text(struct request *rq, const char *field, size_t max)
{
	const char *text = param_text(rq, field), *wrong = text == NULL ? NULL : notes_check(text, max);

	if (wrong != NULL)
		request_fail(rq, RPC_PARAMS, "field", field, "%s %s.", field, wrong);
	return wrong == NULL;
}

static bool user_exists(struct request *rq)
{
	const char *id = param_text(rq, "user");

	if (directory_find(rq->connection->daemon->directory, id) != NULL)
		return true;
	request_fail(rq, RPC_NOT_FOUND, "user", id, "There is no user \"%.128s\".", id);
	return false;
}

static void note_is_set(struct request *rq, const struct durable_result *r)
{
	(void)r;
	notes_write(durable_notes(rq->connection->daemon->durable), param_text(rq, "user"), &rq->result);
}

static void notes_set_method(struct request *rq)
{
	struct daemon *d = rq->connection->daemon;
	struct note note = { .user = param_text(rq, "user"),
		.text = param_text(rq, "text"),
		.author = param_text(rq, "author"),
		.at = loop_now(d->loop).wall };
	struct pending *p;

	if (!is_good_text(rq, "text", NOTE_MAX_BYTES) || !is_good_text(rq, "author", AUTHOR_MAX_BYTES) ||
	    !read_until(rq, &note.until) || !user_exists(rq))
		return;
	p = methods_defer(rq, note_is_set);
	if (p != NULL)
		methods_begun(p, durable_set_note(d->durable, &note, rq->connection->peer.uid, methods_done(p)));
}

static void note_is_cleared(struct request *rq, const struct durable_result *r)
{
	jsonw_bool(&rq->result, "cleared", r->changed);
}

static void notes_clear_method(struct request *rq)
{
	struct daemon *d = rq->connection->daemon;
	struct pending *p = user_exists(rq) ? methods_defer(rq, note_is_cleared) : NULL;

	if (p != NULL)
		methods_begun(p, durable_clear_note(d->durable, param_text(&p->request, "user"), methods_done(p)));
}

static const struct param set_params[] = {
	{ "user", PARAM_TEXT, true, 1, USER_MAX_ID_BYTES },
	{ "text", PARAM_TEXT, true, 1, NOTE_MAX_BYTES },
	{ "author", PARAM_TEXT, false, 1, AUTHOR_MAX_BYTES },
	{ "until", PARAM_TEXT, false, 1, 64 },
	{ 0 },
};
static const struct param clear_params[] = { { "user", PARAM_TEXT, true, 1, USER_MAX_ID_BYTES }, { 0 } };

const struct method methods_notes[] = {
	{ "notes.set", PERMISSION_NOTES, set_params, notes_set_method },
	{ "notes.clear", PERMISSION_NOTES, clear_params, notes_clear_method },
	{ 0 },
};
