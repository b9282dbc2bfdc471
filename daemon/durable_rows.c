/* durable_rows.c: notes, requests and the connectors' memory: one row at a time.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/logger.h"
#include "daemon/durable_private.h"
#include "daemon/store/tables.h"

#define ACCOUNTS   64
#define ACCOUNT_MS 600000

/* --- notes --------------------------------------------------------------------------------------- */

struct note_op {
	struct durable_op op;
	struct note note; /* texts owned; text NULL: it is cleared */
	char *user, *text, *author;
	uid_t uid;
};

static struct note_op *note_op(struct durable_op *op)
{
	return (struct note_op *)(void *)op;
}

static void free_note_op(struct durable_op *op)
{
	struct note_op *n = note_op(op);

	free(n->user);
	free(n->text);
	free(n->author);
}

/* Names of accounts that were looked up; only the store's thread touches them. */
static struct {
	uid_t uid;
	int64_t until; /* mono: then it is looked up again */
	char name[AUTHOR_MAX_BYTES + 1];
} accounts[ACCOUNTS];

static void look_up(uid_t uid, char *name, size_t size)
{
	struct passwd pw, *found = NULL;
	char buffer[4096];

	if (getpwuid_r(uid, &pw, buffer, sizeof buffer, &found) == 0 && found != NULL &&
	    notes_check(found->pw_name, AUTHOR_MAX_BYTES) == NULL)
		snprintf(name, size, "%s", found->pw_name);
	else
		snprintf(name, size, "uid %lu", (unsigned long)uid);
}

/* The name of the account. It may take its time where accounts come from a network, so it is asked on the thread, and
 * not each time. */
static char *account_name(uid_t uid)
{
	size_t place = uid % ACCOUNTS;
	int64_t now = instant_now().mono;

	if (accounts[place].until <= now || accounts[place].uid != uid) {
		look_up(uid, accounts[place].name, sizeof accounts[place].name);
		accounts[place].uid = uid;
		accounts[place].until = now + ACCOUNT_MS;
	}
	return strdup(accounts[place].name);
}

static int run_note(struct durable_op *op, const struct store_files *files)
{
	struct note_op *n = note_op(op);

	if (n->text == NULL)
		return tables_drop_note(files->db, n->user);
	if (n->author == NULL)
		n->author = account_name(n->uid);
	if (n->author == NULL)
		return -EINVAL;
	n->note.user = n->user;
	n->note.text = n->text;
	n->note.author = n->author;
	return tables_put_note(files->db, &n->note);
}

static enum step apply_note(struct durable_op *op, int result)
{
	struct note_op *n = note_op(op);

	(void)result;
	if (directory_find(op->durable->config.directory, n->user) == NULL) /* removed meanwhile */
		return durable_fail(op, DURABLE_NO_USER, "There is no user \"%.128s\" any more", n->user);
	if (n->text == NULL)
		op->result.changed = notes_clear(op->durable->notes, n->user);
	else if (notes_set(op->durable->notes, &n->note) < 0)
		return durable_fail(op, DURABLE_NO_MEMORY, "no memory");
	else
		op->result.changed = true;
	return STEP_OVER;
}

static enum step step_note(struct durable_op *op, struct instant now)
{
	struct note_op *n = note_op(op);

	if (directory_find(op->durable->config.directory, n->user) == NULL)
		return durable_fail(op, DURABLE_NO_USER, "There is no user \"%.128s\"", n->user);
	return durable_submit(op, now);
}

static struct durable_op *new_note_op(struct durable *d, const struct note *note, uid_t uid, struct durable_done done)
{
	struct note_op *n = durable_op_new(d, sizeof *n, done);

	if (n == NULL)
		return NULL;
	n->op.step = step_note;
	n->op.run = run_note;
	n->op.apply = apply_note;
	n->op.free = free_note_op;
	n->note = *note;
	n->uid = uid;
	n->user = strdup(note->user);
	n->text = note->text == NULL ? NULL : strdup(note->text);
	n->author = note->author == NULL ? NULL : strdup(note->author);
	if (n->user != NULL && (n->text != NULL || note->text == NULL) && (n->author != NULL || note->author == NULL))
		return durable_beside(&n->op);
	free_note_op(&n->op);
	free(n);
	return NULL;
}

struct durable_op *durable_set_note(struct durable *d, const struct note *note, uid_t uid, struct durable_done done)
{
	return new_note_op(d, note, uid, done);
}

struct durable_op *durable_clear_note(struct durable *d, const char *user, struct durable_done done)
{
	return new_note_op(d, &(struct note){ .user = user }, 0, done);
}

/* --- rows that nobody waits for ------------------------------------------------------------------ */

/* One row: a note that ended, a request, a memory. */
struct row_job {
	struct store_job job;
	struct durable *durable;
	int (*run)(const struct row_job *row, struct database *db);
	struct request_row request;
	int64_t at, until;
	char *texts[4]; /* owned */
};

static int run_row(struct store_job *job, const struct store_files *files)
{
	const struct row_job *row = (const struct row_job *)(const void *)job;

	return row->run(row, files->db);
}

static void row_free(struct row_job *row)
{
	for (size_t i = 0; i < 4; i++)
		free(row->texts[i]);
	free(row);
}

static void on_row_done(struct store_job *job, int result, const char *why)
{
	struct row_job *row = (struct row_job *)(void *)job;

	if (result == -EINVAL)
		log_warning("store", "row_refused", LOG_TEXT("what", row->texts[0]), LOG_TEXT("why", why));
	row->durable->jobs--;
	row->durable->dirty = row->durable->dirty || result == -EIO;
	row_free(row);
}

static struct row_job *row_new(struct durable *d, int (*run)(const struct row_job *row, struct database *db),
    const char *a, const char *b, const char *c, const char *e)
{
	const char *texts[] = { a, b, c, e };
	struct row_job *row = calloc(1, sizeof *row);

	if (row == NULL)
		return NULL;
	row->durable = d;
	row->run = run;
	row->job.run = run_row;
	row->job.done = on_row_done;
	for (size_t i = 0; i < 4; i++) {
		row->texts[i] = texts[i] == NULL ? NULL : strdup(texts[i]);
		if (row->texts[i] == NULL && texts[i] != NULL) {
			row_free(row);
			return NULL;
		}
	}
	return row;
}

/* What cannot be handed over now is written when everything is. */
static void hand_over(struct durable *d, struct row_job *row)
{
	if (row != NULL && durable_takes_jobs(d) && store_submit(d->store, &row->job)) {
		d->jobs++;
		return;
	}
	if (row != NULL)
		row_free(row);
	d->dirty = true;
}

static int run_note_end(const struct row_job *row, struct database *db)
{
	return tables_end_note(db, row->texts[0], row->at, row->until);
}

/* This note goes, and no newer one that is on its way to the disk. */
static void drop_note(struct durable *d, const struct note *note)
{
	struct row_job *row = row_new(d, run_note_end, note->user, NULL, NULL, NULL);

	if (row != NULL) {
		row->at = note->at;
		row->until = note->until;
	}
	hand_over(d, row);
	notes_clear(d->notes, note->user);
}

void durable_expire_notes(struct durable *d, int64_t wall)
{
	const struct note *note;

	for (int n = 0; n < SLICE_ENTRIES && (note = notes_ended(d->notes, wall)) != NULL; n++) {
		log_debug("notes", "ended", LOG_TEXT("user", note->user));
		drop_note(d, note);
	}
}

void durable_user_removed(struct durable *d, const char *user)
{
	const struct note *note = notes_find(d->notes, user);

	if (note != NULL)
		drop_note(d, note);
}

void durable_prune_notes(struct durable *d)
{
	char user[USER_MAX_ID_BYTES + 1] = "";
	const struct note *note;

	while ((note = notes_after(d->notes, user)) != NULL) {
		snprintf(user, sizeof user, "%s", note->user);
		if (directory_find(d->config.directory, user) == NULL)
			drop_note(d, note);
	}
}

/* --- memory -------------------------------------------------------------------------------------- */

static int run_memory(const struct row_job *row, struct database *db)
{
	return tables_put_memory(db, &(struct recall_item){ row->texts[0], row->texts[1], row->texts[2] });
}

int durable_remember(struct durable *d, const char *source, const char *key, const char *value)
{
	int r = recall_set(d->recall, source, key, value);

	if (!d->loaded && value == NULL) {
		(void)recall_set(d->gone_memory, source, key, "gone");
		d->dirty = true;
	}
	if (r == 1)
		hand_over(d, row_new(d, run_memory, source, key, value, NULL));
	return r < 0 ? -ENOSPC : 0;
}

const char *durable_recall(const struct durable *d, const char *source, const char *key, bool *ret_known)
{
	const char *value = recall_get(d->recall, source, key);

	*ret_known = d->loaded || value != NULL;
	return value;
}

/* --- requests ------------------------------------------------------------------------------------ */

static int run_request(const struct row_job *row, struct database *db)
{
	struct request_row request = row->request;

	request.source = row->texts[0];
	request.address = row->texts[1];
	request.name = row->texts[2];
	request.text = row->texts[3];
	return tables_put_request(db, &request);
}

int durable_request(struct durable *d, const char *source, const char *address, const char *name, const char *text)
{
	struct inbox_request *r;
	struct row_job *row;
	int result = inbox_put(d->inbox, 0, source, address, name, text, loop_now(d->config.loop).wall, &r);

	if (result != 1)
		return result < 0 ? -ENOSPC : 0;
	row = row_new(d, run_request, r->source, r->address, r->name, r->text);
	if (row != NULL) {
		row->request.id = r->id;
		row->request.at = r->at;
	}
	hand_over(d, row);
	return 0;
}

static int run_request_end(const struct row_job *row, struct database *db)
{
	return tables_drop_request(db, row->request.id);
}

void durable_withdraw(struct durable *d, const char *source, const char *address)
{
	struct inbox_request *r = inbox_find_address(d->inbox, source, address);
	struct row_job *row;

	if (!d->loaded) {
		(void)recall_set(d->gone_requests, source, address, "gone");
		d->dirty = true;
	}
	if (r == NULL)
		return;
	row = row_new(d, run_request_end, r->source, NULL, NULL, NULL);
	if (row != NULL)
		row->request.id = r->id;
	hand_over(d, row);
	inbox_remove(d->inbox, r);
}

/* A decision that somebody waits for. */
struct decision_op {
	struct durable_op op;
	int64_t id;
};

static int run_decision(struct durable_op *op, const struct store_files *files)
{
	return tables_drop_request(files->db, ((struct decision_op *)(void *)op)->id);
}

static enum step apply_decision(struct durable_op *op, int result)
{
	(void)result;
	op->result.changed = true;
	return STEP_OVER;
}

/* It was told to the peer, so it holds; the file follows as soon as it can. */
static enum step step_decision(struct durable_op *op, struct instant now)
{
	enum step step = durable_submit(op, now);

	if (step == STEP_OVER)
		op->durable->dirty = true;
	return step;
}

struct durable_op *durable_decided(struct durable *d, struct inbox_request *request, struct durable_done done)
{
	struct decision_op *n = durable_op_new(d, sizeof *n, done);

	if (n == NULL)
		return NULL;
	n->op.step = step_decision;
	n->op.run = run_decision;
	n->op.apply = apply_decision;
	n->id = request->id;
	inbox_remove(d->inbox, request);
	return durable_beside(&n->op);
}
