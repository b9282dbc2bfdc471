/* methods_users.c: users.list, users.get.
 * SPDX-License-Identifier: MIT */
#include "daemon/console/methods.h"

#include "daemon/base/jsonw.h"
#include "daemon/model/user_json.h"

#define LIST_DEFAULT   100
#define LIST_MAX       1000
#define LIST_MAX_BYTES (CONNECTION_LINE_MAX_BYTES - 128 * 1024) /* a page ends before the line would be too long */

void methods_write_user(struct request *rq, const struct user *user)
{
	jsonw_text(&rq->result, "id", user_id(user));
	user_json_write(&rq->result, user->fields, connection_may(rq->connection, PERMISSION_ADMIN));
}

void methods_write_origins(struct request *rq, const struct user *user)
{
	struct buf *b = &rq->result;
	const struct entry *e = NULL;

	if (!connection_may(rq->connection, PERMISSION_ADMIN))
		return;
	jsonw_list(b, "origins");
	while ((e = user_entry_next(user, e)) != NULL) {
		jsonw_object(b, NULL);
		jsonw_text(b, "origin", origin_name(entry_origin(e)));
		jsonw_text(b, "key", entry_key(e));
		user_json_write(b, entry_fields(e), true);
		jsonw_object_end(b);
	}
	jsonw_list_end(b);
}

static void users_list(struct request *rq)
{
	const char *after = param_text(rq, "after");
	int64_t limit = param_int(rq, "limit", LIST_DEFAULT);
	const struct user *user = directory_after(rq->connection->daemon->directory, after == NULL ? "" : after);
	const char *last = NULL;

	jsonw_list(&rq->result, "users");
	for (; user != NULL && limit > 0 && rq->result.len < LIST_MAX_BYTES; user = directory_next(user), limit--) {
		jsonw_object(&rq->result, NULL);
		methods_write_user(rq, user);
		jsonw_object_end(&rq->result);
		last = user_id(user);
	}
	jsonw_list_end(&rq->result);
	jsonw_text(&rq->result, "next", user == NULL ? NULL : last);
}

static void users_get(struct request *rq)
{
	const char *id = param_text(rq, "user");
	const struct user *user = directory_find(rq->connection->daemon->directory, id);

	if (user == NULL) {
		request_fail(rq, RPC_NOT_FOUND, "user", id, "There is no user \"%.128s\".", id);
		return;
	}
	jsonw_object(&rq->result, "user");
	methods_write_user(rq, user);
	methods_write_origins(rq, user);
	jsonw_object_end(&rq->result);
}

static const struct param list_params[] = {
	{ "after", PARAM_TEXT, false, 0, USER_MAX_ID_BYTES },
	{ "limit", PARAM_INT, false, 1, LIST_MAX },
	{ 0 },
};
static const struct param get_params[] = { { "user", PARAM_TEXT, true, 1, USER_MAX_ID_BYTES }, { 0 } };

const struct method methods_users[] = {
	{ "users.list", PERMISSION_READ, list_params, users_list },
	{ "users.get", PERMISSION_READ, get_params, users_get },
	{ 0 },
};
