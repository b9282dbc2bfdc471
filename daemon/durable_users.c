/* durable_users.c: users that are set, removed and renamed by hand.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/logger.h"
#include "daemon/durable_private.h"
#include "daemon/model/user_json.h"
#include "daemon/store/tables.h"

#define RENAMES_MAX 16 /* entries of one user */

/* One operation on one user. */
struct user_op {
	struct durable_op op;
	char *user, *to;	    /* owned; `to` of a rename */
	json_t *given;		    /* of a set */
	struct user_fields *fields; /* what is set by hand from now on; NULL: nothing */
	/* a rename: the entries as they will be */
	struct {
		const struct origin *origin;
		char *key, *old_key; /* owned */
		struct user_fields *fields;
		bool is_file; /* not in the store, but what its key is called */
	} entries[RENAMES_MAX];
	size_t entry_count;
};

static struct user_op *user_op(struct durable_op *op)
{
	return (struct user_op *)(void *)op;
}

static void free_user_op(struct durable_op *op)
{
	struct user_op *u = user_op(op);

	free(u->user);
	free(u->to);
	json_decref(u->given);
	user_fields_unref(u->fields);
	for (size_t i = 0; i < u->entry_count; i++) {
		free(u->entries[i].key);
		free(u->entries[i].old_key);
		user_fields_unref(u->entries[i].fields);
	}
}

static struct origin *by_hand(const struct durable *d)
{
	return origins_get(d->origins, ORIGIN_BY_HAND, ORIGIN_RANK_BY_HAND);
}

static const struct entry *entry_by_hand(const struct durable *d, const char *user)
{
	const struct origin *origin = origins_find(d->origins, ORIGIN_BY_HAND);

	return origin == NULL ? NULL : origin_entry(origin, user);
}

static bool has_other_entries(const struct durable *d, const char *id)
{
	const struct user *user = directory_find(d->config.directory, id);
	const struct entry *e = NULL;

	while (user != NULL && (e = user_entry_next(user, e)) != NULL)
		if (strcmp(origin_name(entry_origin(e)), ORIGIN_BY_HAND) != 0)
			return true;
	return false;
}

/* --- set and remove ------------------------------------------------------------------------------ */

static int run_set(struct durable_op *op, const struct store_files *files)
{
	const struct user_op *u = user_op(op);

	return tables_put_entry(files->db, ORIGIN_BY_HAND, u->user, u->fields);
}

static enum step apply_set(struct durable_op *op, int result)
{
	struct user_op *u = user_op(op);
	struct durable *d = op->durable;
	struct origin *origin = by_hand(d);
	int r = -ENOMEM;

	(void)result;
	if (origin == NULL)
		return durable_fail(op, DURABLE_NO_MEMORY, "no memory");
	if (u->fields == NULL)
		(void)origins_remove(d->origins, origin, u->user);
	else
		r = origins_set(d->origins, origin, u->user, user_fields_ref(u->fields));
	if (u->fields != NULL && r < 0)
		return durable_fail(op, DURABLE_NO_MEMORY, "no memory");
	op->result.changed = u->given != NULL || directory_find(d->config.directory, u->user) == NULL;
	return STEP_OVER;
}

/* Nothing but an id: it is kept only where nothing else makes the user. */
static bool says_nothing(const struct user_fields *f)
{
	size_t overrides;

	(void)user_overrides(f, &overrides);
	for (int i = USER_NAME; i < USER_COLUMN_COUNT; i++)
		if (*user_field(f, (enum user_column)i) != '\0')
			return false;
	return overrides == 0;
}

static enum step step_set(struct durable_op *op, struct instant now)
{
	struct user_op *u = user_op(op);
	const struct entry *e = entry_by_hand(op->durable, u->user);
	const char *field = "user";
	int r = user_json_read(
	    u->given, u->user, e == NULL ? NULL : entry_fields(e), &u->fields, op->why, sizeof op->why, &field);

	if (r == -ENOMEM)
		return durable_fail(op, DURABLE_NO_MEMORY, "no memory");
	if (r < 0) {
		snprintf(op->field, sizeof op->field, "%.120s", strcmp(field, "id") == 0 ? "user" : field);
		op->result = (struct durable_result){ .end = DURABLE_WRONG, .why = op->why, .field = op->field };
		return STEP_OVER;
	}
	if (e != NULL && user_fields_equal(entry_fields(e), u->fields))
		return STEP_OVER; /* it is so already */
	if (says_nothing(u->fields) && has_other_entries(op->durable, u->user)) {
		user_fields_unref(u->fields);
		u->fields = NULL;
		if (e == NULL)
			return STEP_OVER;
	}
	return durable_submit(op, now);
}

static enum step step_remove(struct durable_op *op, struct instant now)
{
	struct user_op *u = user_op(op);

	if (directory_find(op->durable->config.directory, u->user) == NULL)
		return durable_fail(op, DURABLE_NO_USER, "There is no user \"%.128s\"", u->user);
	if (entry_by_hand(op->durable, u->user) == NULL)
		return durable_fail(op, DURABLE_ELSEWHERE,
		    "Nothing of \"%.128s\" is set by hand; remove the user where it comes from", u->user);
	return durable_submit(op, now);
}

static struct user_op *user_op_new(struct durable *d, const char *user, struct durable_done done)
{
	struct user_op *u = durable_op_new(d, sizeof *u, done);

	if (u == NULL)
		return NULL;
	u->op.run = run_set;
	u->op.apply = apply_set;
	u->op.free = free_user_op;
	u->user = strdup(user);
	if (u->user != NULL)
		return u;
	free(u);
	return NULL;
}

struct durable_op *durable_set_user(struct durable *d, const char *user, json_t *given, struct durable_done done)
{
	struct user_op *u = user_op_new(d, user, done);

	if (u == NULL)
		return NULL;
	u->op.step = step_set;
	u->given = json_incref(given);
	return durable_enqueue(&u->op);
}

struct durable_op *durable_remove_user(struct durable *d, const char *user, struct durable_done done)
{
	struct user_op *u = user_op_new(d, user, done);

	if (u == NULL)
		return NULL;
	u->op.step = step_remove;
	return durable_enqueue(&u->op);
}

/* --- rename -------------------------------------------------------------------------------------- */

/* What a key of users.csv is called now stands in the memory of the daemon itself: the file says it anew at each start. */
static void rename_key(const char *key, char *buf, size_t size)
{
	snprintf(buf, size, RENAME_PREFIX "%s", key);
}

/* After a file that was read late: its renames hold for what users.csv has said before. */
void durable_rename_file_entries(struct durable *d)
{
	struct recall_item item = { "", RENAME_PREFIX, NULL };
	struct origin *file = origins_find(d->origins, ORIGIN_FILE);

	while (file != NULL && recall_after(d->recall, "", item.key, &item) && *item.source == '\0' &&
	    strncmp(item.key, RENAME_PREFIX, sizeof RENAME_PREFIX - 1) == 0) {
		const struct entry *e = origin_entry(file, item.key + sizeof RENAME_PREFIX - 1);
		struct user_fields *fields = NULL;

		if (e != NULL && strcmp(user_id(entry_user(e)), item.value) != 0)
			fields = user_fields_rename(entry_fields(e), item.value);
		if (fields != NULL) /* the new one comes before the old one goes */
			(void)origins_set(d->origins, file, item.key + sizeof RENAME_PREFIX - 1, fields);
	}
}

const char *durable_known_key(void *durable, const char *origin, const char *key)
{
	const struct durable *d = durable;
	char name[USER_MAX_ID_BYTES + 16];

	if (strcmp(origin, ORIGIN_FILE) != 0)
		return NULL;
	rename_key(key, name, sizeof name);
	return recall_get(d->recall, "", name);
}

static int run_rename(struct durable_op *op, const struct store_files *files)
{
	const struct user_op *u = user_op(op);
	char name[USER_MAX_ID_BYTES + 16];
	int r = tables_rename(files->db, u->user, u->to);

	for (size_t i = 0; i < u->entry_count && r == 0; i++) {
		const char *origin = origin_name(u->entries[i].origin);

		if (u->entries[i].is_file) {
			rename_key(u->entries[i].key, name, sizeof name);
			r = tables_put_memory(files->db, &(struct recall_item){ "", name, u->to });
			continue;
		}
		if (strcmp(u->entries[i].key, u->entries[i].old_key) != 0)
			r = tables_put_entry(files->db, origin, u->entries[i].old_key, NULL);
		if (r == 0)
			r = tables_put_entry(files->db, origin, u->entries[i].key, u->entries[i].fields);
	}
	if (r == 0)
		history_table_renaming(files->history, u->user, u->to);
	return r;
}

/* It is on disk, and cannot be so in memory: history goes back to the old id; the rest is written anew. */
struct undo_job {
	struct store_job job;
	char from[USER_MAX_ID_BYTES + 1], to[USER_MAX_ID_BYTES + 1];
};

static int run_undo(struct store_job *job, const struct store_files *files)
{
	const struct undo_job *u = (const struct undo_job *)(const void *)job;

	history_table_renaming(files->history, "", "");
	return tables_rename(files->db, u->to, u->from);
}

static void on_undone(struct store_job *job, int result, const char *why)
{
	if (result < 0)
		log_error("store", "rename_not_undone", LOG_TEXT("why", why));
	free(job);
}

static void undo_rename(struct durable *d, const struct user_op *u)
{
	struct undo_job *undo = calloc(1, sizeof *undo);

	if (undo == NULL)
		return;
	undo->job.run = run_undo;
	undo->job.done = on_undone;
	snprintf(undo->from, sizeof undo->from, "%s", u->user);
	snprintf(undo->to, sizeof undo->to, "%s", u->to);
	if (d->store == NULL || !store_submit(d->store, &undo->job))
		free(undo);
}

static enum step apply_rename(struct durable_op *op, int result)
{
	struct user_op *u = user_op(op);
	struct durable *d = op->durable;
	struct user *user = directory_find(d->config.directory, u->user);
	char name[USER_MAX_ID_BYTES + 16];

	(void)result;
	if (user == NULL || origins_rename(d->origins, user, u->to) < 0) {
		undo_rename(d, u);
		return durable_fail(op, DURABLE_NO_MEMORY, "the user has changed meanwhile, or there is no memory");
	}
	d->config.renamed(d->config.arg, u->user, user);
	for (size_t i = 0; i < u->entry_count; i++) {
		if (!u->entries[i].is_file)
			continue;
		rename_key(u->entries[i].key, name, sizeof name);
		(void)recall_set(d->recall, "", name, u->to);
	}
	(void)notes_rename(d->notes, u->user, u->to);
	op->result.changed = true;
	return STEP_OVER;
}

static bool add_entry(struct user_op *u, const struct entry *e)
{
	size_t i = u->entry_count++;
	bool hand = strcmp(origin_name(entry_origin(e)), ORIGIN_BY_HAND) == 0;

	u->entries[i].origin = entry_origin(e);
	u->entries[i].is_file = strcmp(origin_name(entry_origin(e)), ORIGIN_FILE) == 0;
	u->entries[i].old_key = strdup(entry_key(e));
	u->entries[i].key = strdup(hand ? u->to : entry_key(e));
	u->entries[i].fields = user_fields_rename(entry_fields(e), u->to);
	return u->entries[i].old_key != NULL && u->entries[i].key != NULL && u->entries[i].fields != NULL;
}

static enum step step_rename(struct durable_op *op, struct instant now)
{
	struct user_op *u = user_op(op);
	const struct user *user = directory_find(op->durable->config.directory, u->user);
	struct user_columns columns = { .values = { [USER_ID] = u->to } };
	const struct entry *e = NULL;

	if (durable_is_beside(op->durable))
		return STEP_WAIT; /* a note may be on its way: its end wakes us */
	if (user == NULL)
		return durable_fail(op, DURABLE_NO_USER, "There is no user \"%.128s\"", u->user);
	if (user_columns_check(&columns, op->why, sizeof op->why) != NULL) {
		op->result = (struct durable_result){ .end = DURABLE_WRONG, .why = op->why, .field = "to" };
		return STEP_OVER;
	}
	if (directory_find(op->durable->config.directory, u->to) != NULL)
		return durable_fail(op, DURABLE_EXISTS, "There is a user \"%.128s\" already", u->to);
	while ((e = user_entry_next(user, e)) != NULL)
		if (u->entry_count == RENAMES_MAX || !add_entry(u, e))
			return durable_fail(op, DURABLE_NO_MEMORY, "no memory");
	return durable_submit(op, now);
}

struct durable_op *durable_rename_user(struct durable *d, const char *from, const char *to, struct durable_done done)
{
	struct user_op *u = user_op_new(d, from, done);

	if (u == NULL)
		return NULL;
	u->op.renames = true;
	u->op.step = step_rename;
	u->op.run = run_rename;
	u->op.apply = apply_rename;
	u->to = strdup(to);
	if (u->to != NULL)
		return durable_enqueue(&u->op);
	free_user_op(&u->op);
	free(u);
	return NULL;
}
