/* methods_users.c: users.list, users.get.
 * SPDX-License-Identifier: MIT */
#include "daemon/console/methods.h"

#include <stdio.h>

#include "daemon/base/jsonw.h"

#define LIST_DEFAULT   100
#define LIST_MAX       1000
#define LIST_MAX_BYTES (CONNECTION_LINE_MAX_BYTES - 128 * 1024) /* a page ends before the line would be too long */

static void write_addresses(struct buf *b, const struct user *user)
{
	const struct user_override *overrides;
	size_t count;
	char key[USER_MAX_FIELD_BYTES + 32];

	jsonw_object(b, "addresses");
	for (int i = USER_EXTENSION; i < USER_COLUMN_COUNT; i++)
		if (*user_field(user->fields, (enum user_column)i) != '\0')
			jsonw_text(b, vocab_user_column.words[i].name, user_field(user->fields, (enum user_column)i));
	overrides = user_overrides(user->fields, &count);
	for (size_t i = 0; i < count; i++) {
		snprintf(
		    key, sizeof key, "%s@%s", vocab_user_column.words[overrides[i].column].name, overrides[i].source);
		jsonw_text(b, key, overrides[i].value);
	}
	jsonw_object_end(b);
}

static void write_user(struct request *rq, const struct user *user)
{
	struct buf *b = &rq->result;

	jsonw_text(b, "id", user_id(user));
	if (*user_field(user->fields, USER_NAME) != '\0')
		jsonw_text(b, "name", user_field(user->fields, USER_NAME));
	jsonw_list(b, "groups");
	for (uint32_t i = 0; i < user->group_count; i++)
		jsonw_text(b, NULL, user->groups[i]->name);
	jsonw_list_end(b);
	if (connection_may(rq->connection, PERMISSION_ADMIN))
		write_addresses(b, user);
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
		write_user(rq, user);
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
	write_user(rq, user);
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
