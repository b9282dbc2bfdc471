/* methods_import.c: users.import, users.sync.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/jsonw.h"
#include "daemon/console/console.h"
#include "daemon/console/methods.h"
#include "daemon/model/user_json.h"

#define IMPORT_MAX_USERS 1000 /* in one line */

static void drop(struct connection *c)
{
	console_import_over(c->console, c);
}

static void wrong_user(struct request *rq, const char *id, const char *why)
{
	request_data(rq, "user", id);
	request_fail(rq, RPC_PARAMS, "field", "users", "User \"%.128s\": %s; what was staged is dropped.", id, why);
}

/* Stage one user. False: the request has failed. */
static bool stage(struct request *rq, const json_t *given)
{
	const char *id = json_string_value(json_object_get(given, "id")), *field;
	struct user_fields *fields;
	char why[256];
	int r;

	if (id == NULL) {
		request_fail(rq, RPC_PARAMS, "field", "users", "A user without an id; what was staged is dropped.");
		return false;
	}
	r = user_json_read(given, id, NULL, &fields, why, sizeof why, &field);
	if (r == 0)
		r = sync_add(rq->connection->import, id, fields);
	else if (r == -EINVAL)
		wrong_user(rq, id, why);
	if (r == -EEXIST)
		wrong_user(rq, id, "it stands here twice");
	else if (r == -ENOSPC)
		request_fail(rq, RPC_LIMIT, "limit", "1000000", "More than 1000000 users cannot be imported at once.");
	else if (r == -ENOMEM)
		request_fail(rq, RPC_INTERNAL, NULL, NULL, "No memory.");
	return r == 0;
}

/* A place to stage in. False: the request has failed. */
static bool open_stage(struct request *rq)
{
	struct connection *c = rq->connection;

	if (!console_import_begin(c->console, c)) {
		request_fail(rq, RPC_NOT_NOW, "retry_after", "5", "Another console is importing users.");
		return false;
	}
	if (c->import == NULL)
		c->import = durable_new_import(c->daemon->durable);
	if (c->import != NULL)
		return true;
	drop(c);
	request_fail(rq, RPC_INTERNAL, NULL, NULL, "No memory.");
	return false;
}

static void is_imported(struct request *rq, const struct durable_result *r)
{
	methods_write_counts(&rq->result, r->counts);
}

static void take_in(struct request *rq)
{
	struct connection *c = rq->connection;
	bool replace = param_bool(rq, "replace", false), force = param_bool(rq, "force", false);
	bool dry_run = param_bool(rq, "dry_run", false);
	struct pending *p = methods_defer(rq, is_imported);
	struct sync *sync = c->import;

	if (p == NULL) {
		drop(c);
		return;
	}
	c->import = NULL;
	drop(c);
	methods_begun(p, durable_import(c->daemon->durable, sync, replace, force, dry_run, methods_done(p)));
}

static void users_import(struct request *rq)
{
	const json_t *users = param_value(rq, "users");

	if (json_array_size(users) > IMPORT_MAX_USERS) {
		request_fail(rq, RPC_LIMIT, "limit", "1000", "A line holds at most 1000 users.");
		return;
	}
	if (!open_stage(rq))
		return;
	for (size_t i = 0; i < json_array_size(users); i++) {
		if (stage(rq, json_array_get(users, i)))
			continue;
		drop(rq->connection);
		return;
	}
	if (param_bool(rq, "more", false))
		jsonw_int(&rq->result, "staged", (int64_t)sync_count(rq->connection->import));
	else
		take_in(rq);
}

/* --- a source's directory that was refused ------------------------------------------------------- */

static void is_synced(struct request *rq, const struct durable_result *r)
{
	struct source *s = sources_find(rq->connection->daemon->sources, param_text(rq, "source"));

	if (s != NULL)
		source_held_taken(s, r);
	methods_write_counts(&rq->result, r->counts);
	jsonw_int(&rq->result, "conflicts", (int64_t)r->counts->conflicts);
}

static void users_sync(struct request *rq)
{
	const char *name = param_text(rq, "source");
	struct source *s = sources_find(rq->connection->daemon->sources, name);
	struct pending *p;

	if (s == NULL) {
		request_fail(rq, RPC_NOT_FOUND, "source", name, "There is no source \"%.80s\".", name);
		return;
	}
	if (!source_holds_directory(s)) {
		request_fail(rq, RPC_NOT_NOW, "source", name,
		    "No directory of \"%.80s\" waits: it was taken in, or none was sent.", name);
		return;
	}
	p = methods_defer(rq, is_synced);
	if (p != NULL)
		methods_begun(p, source_take_held(s, param_bool(&p->request, "force", false), methods_done(p)));
}

static const struct param import_params[] = {
	{ "users", PARAM_OBJECTS, true, 0, 0 },
	{ "more", PARAM_BOOL, false, 0, 0 },
	{ "replace", PARAM_BOOL, false, 0, 0 },
	{ "force", PARAM_BOOL, false, 0, 0 },
	{ "dry_run", PARAM_BOOL, false, 0, 0 },
	{ 0 },
};
static const struct param sync_params[] = {
	{ "source", PARAM_TEXT, true, 1, 64 },
	{ "force", PARAM_BOOL, false, 0, 0 },
	{ 0 },
};

const struct method methods_import[] = {
	{ "users.import", PERMISSION_ADMIN, import_params, users_import },
	{ "users.sync", PERMISSION_ADMIN, sync_params, users_sync },
	{ 0 },
};
