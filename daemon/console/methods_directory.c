/* methods_directory.c: users.set, users.remove, users.rename.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "daemon/base/jsonw.h"
#include "daemon/console/methods.h"

static struct user *find(const struct request *rq, const char *id)
{
	return directory_find(rq->connection->daemon->directory, id);
}

static void write_whole_user(struct request *rq, const char *id)
{
	const struct user *user = find(rq, id);

	if (user == NULL) /* it was removed by somebody else in the same turn */
		return;
	jsonw_object(&rq->result, "user");
	methods_write_user(rq, user);
	methods_write_origins(rq, user);
	jsonw_object_end(&rq->result);
}

static void user_is_set(struct request *rq, const struct durable_result *r)
{
	write_whole_user(rq, param_text(rq, "user"));
	jsonw_bool(&rq->result, "changed", r->changed);
}

/* What users.set takes besides the id is checked where it is read (user_json_read()). */
static void users_set(struct request *rq)
{
	struct daemon *d = rq->connection->daemon;
	struct pending *p = methods_defer(rq, user_is_set);

	if (p != NULL)
		methods_begun(p,
		    durable_set_user(d->durable, param_text(&p->request, "user"),
			(json_t *)(uintptr_t)p->request.params, methods_done(p)));
}

static void user_is_removed(struct request *rq, const struct durable_result *r)
{
	jsonw_bool(&rq->result, "removed", r->changed);
	jsonw_key(&rq->result, "origins");
	methods_write_origin_names(&rq->result, find(rq, param_text(rq, "user")));
}

static void users_remove(struct request *rq)
{
	struct daemon *d = rq->connection->daemon;
	struct pending *p = methods_defer(rq, user_is_removed);

	if (p != NULL)
		methods_begun(p, durable_remove_user(d->durable, param_text(&p->request, "user"), methods_done(p)));
}

static void user_is_renamed(struct request *rq, const struct durable_result *r)
{
	(void)r;
	write_whole_user(rq, param_text(rq, "to"));
}

static void users_rename(struct request *rq)
{
	struct daemon *d = rq->connection->daemon;
	struct pending *p = methods_defer(rq, user_is_renamed);

	if (p != NULL)
		methods_begun(p,
		    durable_rename_user(
			d->durable, param_text(&p->request, "user"), param_text(&p->request, "to"), methods_done(p)));
}

static const struct param set_params[] = {
	{ "user", PARAM_TEXT, true, 1, USER_MAX_ID_BYTES },
	{ "name", PARAM_TEXT, false, 0, USER_MAX_FIELD_BYTES },
	{ "groups", PARAM_TEXTS, false, 0, USER_MAX_GROUPS },
	{ "addresses", PARAM_OBJECT, false, 0, 0 },
	{ 0 },
};
static const struct param remove_params[] = { { "user", PARAM_TEXT, true, 1, USER_MAX_ID_BYTES }, { 0 } };
static const struct param rename_params[] = {
	{ "user", PARAM_TEXT, true, 1, USER_MAX_ID_BYTES },
	{ "to", PARAM_TEXT, true, 1, USER_MAX_ID_BYTES },
	{ 0 },
};

const struct method methods_directory[] = {
	{ "users.set", PERMISSION_ADMIN, set_params, users_set },
	{ "users.remove", PERMISSION_ADMIN, remove_params, users_remove },
	{ "users.rename", PERMISSION_ADMIN, rename_params, users_rename },
	{ 0 },
};
