/* durable_sync.c: many users at once: imports by hand, users.csv, and the directories of sources.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/logger.h"
#include "daemon/durable_private.h"
#include "daemon/store/tables.h"

/* One entry on its way to the file. */
struct row {
	char *key;		    /* owned */
	struct user_fields *fields; /* one reference; NULL: it goes */
};

/* What is written of a sync; also by itself, for a source, whom nobody waits for. */
struct rows {
	struct store_job job; /* first */
	struct durable *durable;
	const char *origin; /* of the origin, which lives as long as the daemon */
	struct row *list;
	size_t count, size;
	bool failed; /* no memory */
};

struct sync_op {
	struct durable_op op;
	struct sync *sync;
	bool removes, force, dry_run, started;
	enum { FOR_HAND, FOR_FILE, FOR_SOURCE } kind;
	char *source;		  /* owned; of FOR_SOURCE */
	void (*ready)(void *arg); /* of FOR_FILE */
	struct rows *rows;
	size_t written; /* of the sync, in rows */
};

static struct sync_op *sync_op(struct durable_op *op)
{
	return (struct sync_op *)(void *)op;
}

/* --- rows ---------------------------------------------------------------------------------------- */

/* A slice of freeing them; true: there is more. */
static bool rows_release(struct rows *rows, size_t budget)
{
	for (; rows != NULL && rows->count > 0 && budget > 0; budget--) {
		rows->count--;
		free(rows->list[rows->count].key);
		user_fields_unref(rows->list[rows->count].fields);
	}
	return rows != NULL && rows->count > 0;
}

static void rows_free(struct rows *rows)
{
	if (rows == NULL)
		return;
	(void)rows_release(rows, SIZE_MAX);
	free(rows->list);
	free(rows);
}

static int write_rows(const struct rows *rows, struct database *db)
{
	int r = 0;

	for (size_t i = 0; i < rows->count && r == 0; i++)
		r = tables_put_entry(db, rows->origin, rows->list[i].key, rows->list[i].fields);
	return r;
}

static void keep_row(void *arg, struct origin *origin, const char *key, struct user_fields *fields)
{
	struct rows *rows = arg;

	rows->origin = origin_name(origin);
	if (rows->count == rows->size) {
		size_t size = rows->size == 0 ? 256 : rows->size * 2;
		struct row *list = reallocarray(rows->list, size, sizeof *list);

		rows->failed = rows->failed || list == NULL;
		if (list == NULL)
			return;
		rows->list = list;
		rows->size = size;
	}
	rows->list[rows->count] = (struct row){ strdup(key), user_fields_ref(fields) };
	rows->failed = rows->failed || rows->list[rows->count].key == NULL;
	rows->count++;
}

static void bury(struct durable *d, struct sync *sync, struct rows *rows);

/* --- one that nobody's answer depends on --------------------------------------------------------- */

static int run_loose(struct store_job *job, const struct store_files *files)
{
	return write_rows((const struct rows *)(const void *)job, files->db);
}

static void on_loose_done(struct store_job *job, int result, const char *why)
{
	struct rows *rows = (struct rows *)(void *)job;

	(void)why;
	rows->durable->jobs--;
	rows->durable->dirty = rows->durable->dirty || result < 0;
	bury(rows->durable, NULL, rows);
}

static void hand_over(struct durable *d, struct rows *rows)
{
	rows->durable = d;
	rows->job.run = run_loose;
	rows->job.done = on_loose_done;
	if (!rows->failed && rows->count > 0 && durable_takes_jobs(d) && store_submit(d->store, &rows->job)) {
		d->jobs++;
		return;
	}
	d->dirty = d->dirty || rows->failed || rows->count > 0;
	bury(d, NULL, rows);
}

/* --- the operation ------------------------------------------------------------------------------- */

static int run_sync(struct durable_op *op, const struct store_files *files)
{
	return write_rows(sync_op(op)->rows, files->db);
}

static enum step apply_sync(struct durable_op *op, int result)
{
	(void)result;
	sync_apply(sync_op(op)->sync);
	return STEP_AGAIN;
}

static struct held_sync *held(const struct durable *d, const char *source)
{
	struct held_sync *h;

	SLIST_FOREACH (h, &d->held, link)
		if (strcmp(h->source, source) == 0)
			return h;
	return NULL;
}

static void let_go(struct durable *d, struct held_sync *h)
{
	SLIST_REMOVE(&d->held, h, held_sync, link);
	free(h);
}

/* What was refused earlier is old now. */
static void drop_held(struct durable *d, const char *source)
{
	struct held_sync *old = held(d, source);

	if (old == NULL)
		return;
	durable_drop_sync(d, old->sync);
	let_go(d, old);
}

static void hold(struct sync_op *s)
{
	struct durable *d = s->op.durable;
	size_t len = strlen(s->source);
	struct held_sync *h = malloc(sizeof *h + len + 1);

	drop_held(d, s->source);
	if (h == NULL)
		return;
	h->sync = s->sync;
	h->removes = s->removes;
	memcpy(h->source, s->source, len + 1);
	SLIST_INSERT_HEAD(&d->held, h, link);
	s->sync = NULL;
}

static enum step refused(struct sync_op *s)
{
	durable_fail(&s->op, DURABLE_REFUSED, "%.*s", (int)strcspn(sync_text(s->sync), "\n"), sync_text(s->sync));
	s->op.counts = *sync_counts(s->sync);
	s->op.result.counts = &s->op.counts;
	if (s->kind == FOR_SOURCE)
		hold(s);
	return STEP_OVER;
}

/* A key of the file that is gone may come again, for somebody else. */
static void forget_renames(struct durable *d)
{
	static const char prefix[] = RENAME_PREFIX;
	const struct origin *file = origins_find(d->origins, ORIGIN_FILE);
	struct recall_item item = { "", prefix, NULL };
	char key[RECALL_MAX_KEY_BYTES + 1];

	while (recall_after(d->recall, "", item.key, &item) && strncmp(item.key, prefix, sizeof prefix - 1) == 0 &&
	    *item.source == '\0') {
		if (file != NULL && origin_entry(file, item.key + sizeof prefix - 1) != NULL)
			continue;
		snprintf(key, sizeof key, "%s", item.key);
		(void)durable_remember(d, "", key, NULL);
		item.key = prefix; /* they are few */
	}
}

static enum step over(struct sync_op *s)
{
	const struct sync_counts *c = sync_counts(s->sync);

	if (s->kind == FOR_FILE)
		forget_renames(s->op.durable);
	if (s->kind == FOR_SOURCE)
		drop_held(s->op.durable, s->source);
	if (s->kind != FOR_HAND && s->removes)
		origin_set_complete(sync_origin(s->sync));
	s->op.counts = *c;
	s->op.result.counts = &s->op.counts;
	s->op.result.changed = c->added + c->changed + c->removed > 0;
	if (c->conflicts > 0) {
		snprintf(
		    s->op.why, sizeof s->op.why, "%.*s", (int)strcspn(sync_text(s->sync), "\n"), sync_text(s->sync));
		s->op.result.why = s->op.why;
	}
	return STEP_OVER;
}

/* It may be done: to the disk first where somebody is promised, else beside it. */
static enum step ready(struct sync_op *s, struct instant now)
{
	if (s->dry_run)
		return over(s);
	if (s->kind == FOR_FILE) {
		if (s->ready != NULL && s->op.done.done != NULL)
			s->ready(s->op.done.arg);
		sync_apply(s->sync);
		return STEP_AGAIN;
	}
	if (s->rows == NULL)
		s->rows = calloc(1, sizeof *s->rows);
	if (s->rows == NULL)
		return durable_fail(&s->op, DURABLE_NO_MEMORY, "no memory");
	if (sync_write(s->sync, SLICE_ENTRIES, &s->written, keep_row, s->rows))
		return STEP_AGAIN;
	/* somebody waits for what is forced, and is told when it is on disk, if there is a disk */
	if (s->kind == FOR_HAND || (s->force && s->op.done.done != NULL && s->op.durable->open))
		return s->rows->failed ? durable_fail(&s->op, DURABLE_NO_MEMORY, "no memory") :
					 durable_submit(&s->op, now);
	hand_over(s->op.durable, s->rows);
	s->rows = NULL;
	sync_apply(s->sync);
	return STEP_AGAIN;
}

static enum step step_sync(struct durable_op *op, struct instant now)
{
	struct sync_op *s = sync_op(op);

	if (!s->started)
		sync_ready(s->sync, s->removes, s->force);
	s->started = true;
	switch (sync_run(s->sync, SLICE_ENTRIES)) {
	case SYNC_REFUSED:
		return refused(s);
	case SYNC_READY:
		return ready(s, now);
	case SYNC_DONE:
		return over(s);
	case SYNC_STAGING:
	case SYNC_CHECKING:
	case SYNC_APPLYING:
		break;
	}
	return STEP_AGAIN;
}

static void free_sync_op(struct durable_op *op)
{
	struct sync_op *s = sync_op(op);

	sync_free(s->sync);
	rows_free(s->rows);
	free(s->source);
}

static bool release_sync_op(struct durable_op *op, size_t budget)
{
	struct sync_op *s = sync_op(op);

	return (s->sync != NULL && sync_release(s->sync, budget)) || rows_release(s->rows, budget);
}

/* Free them in slices: as an operation that is over already. */
static void bury(struct durable *d, struct sync *sync, struct rows *rows)
{
	struct sync_op *s = durable_op_new(d, sizeof *s, (struct durable_done){ 0 });

	if (s == NULL) {
		sync_free(sync);
		rows_free(rows);
		return;
	}
	s->op.release = release_sync_op;
	s->op.free = free_sync_op;
	s->sync = sync;
	s->rows = rows;
	TAILQ_INSERT_TAIL(&d->dying, &s->op, place);
}

void durable_drop_sync(struct durable *d, struct sync *sync)
{
	if (sync != NULL)
		bury(d, sync, NULL);
}

static struct sync_op *sync_op_new(struct durable *d, struct sync *sync, int kind, struct durable_done done)
{
	struct sync_op *s = durable_op_new(d, sizeof *s, done);

	if (s == NULL) {
		sync_free(sync);
		return NULL;
	}
	s->op.step = step_sync;
	s->op.run = run_sync;
	s->op.apply = apply_sync;
	s->op.release = release_sync_op;
	s->op.free = free_sync_op;
	s->sync = sync;
	s->kind = kind;
	return s;
}

static struct sync *new_sync(struct durable *d, const char *name, int rank, const struct option_list *match)
{
	const struct sync_rules rules = { .match = match, .known = durable_known_key, .arg = d };
	struct origin *origin = origins_get(d->origins, name, rank);

	return origin == NULL ? NULL : sync_new(d->origins, d->config.directory, origin, &rules);
}

/* --- by hand ------------------------------------------------------------------------------------- */

struct sync *durable_new_import(struct durable *d)
{
	return new_sync(d, ORIGIN_BY_HAND, ORIGIN_RANK_BY_HAND, NULL);
}

struct durable_op *durable_import(
    struct durable *d, struct sync *sync, bool replace, bool force, bool dry_run, struct durable_done done)
{
	struct sync_op *s = sync_op_new(d, sync, FOR_HAND, done);

	if (s == NULL)
		return NULL;
	s->removes = replace;
	s->force = force;
	s->dry_run = dry_run;
	return durable_enqueue(&s->op);
}

/* --- users.csv ----------------------------------------------------------------------------------- */

struct sync *durable_new_file_sync(struct durable *d)
{
	return new_sync(d, ORIGIN_FILE, ORIGIN_RANK_FILE, NULL);
}

void durable_take_file_now(struct durable *d, struct sync *sync, struct sync_counts *ret)
{
	sync_ready(sync, true, true);
	while (sync_run(sync, SIZE_MAX) != SYNC_READY)
		;
	sync_apply(sync);
	while (sync_run(sync, SIZE_MAX) != SYNC_DONE)
		;
	*ret = *sync_counts(sync);
	sync_free(sync);
	if (d->loaded)
		forget_renames(d);
}

struct durable_op *durable_take_file(
    struct durable *d, struct sync *sync, bool force, void (*on_ready)(void *arg), struct durable_done done)
{
	struct sync_op *s = sync_op_new(d, sync, FOR_FILE, done);

	if (s == NULL)
		return NULL;
	s->removes = true;
	s->force = force;
	s->ready = on_ready;
	return durable_enqueue(&s->op);
}

/* --- sources ------------------------------------------------------------------------------------- */

struct sync *durable_new_source_sync(
    struct durable *d, const char *source, int position, const struct option_list *match)
{
	return new_sync(d, source, ORIGIN_RANK_SOURCES + position, match);
}

static struct durable_op *take_source(
    struct durable *d, const char *source, struct sync *sync, bool removes, bool force, struct durable_done done)
{
	struct sync_op *s = sync_op_new(d, sync, FOR_SOURCE, done);

	if (s == NULL)
		return NULL;
	s->removes = removes;
	s->force = force;
	s->source = strdup(source);
	if (s->source != NULL)
		return durable_enqueue(&s->op);
	free_sync_op(&s->op);
	free(s);
	return NULL;
}

struct durable_op *durable_take_source(
    struct durable *d, const char *source, struct sync *sync, bool complete, struct durable_done done)
{
	drop_held(d, source);
	return take_source(d, source, sync, complete, false, done);
}

bool durable_holds(const struct durable *d, const char *source)
{
	return held(d, source) != NULL;
}

struct durable_op *durable_take_held(struct durable *d, const char *source, bool force, struct durable_done done)
{
	struct held_sync *h = held(d, source);
	struct sync *sync;
	bool removes;

	if (h == NULL)
		return NULL;
	sync = h->sync;
	removes = h->removes;
	let_go(d, h);
	return take_source(d, source, sync, removes, force, done);
}

/* All users in slices, whose entries stand in another order now. */
struct order_op {
	struct durable_op op;
	char user[USER_MAX_ID_BYTES + 1];
};

static enum step step_order(struct durable_op *op, struct instant now)
{
	struct order_op *o = (struct order_op *)(void *)op;
	struct user *user = directory_after(op->durable->config.directory, o->user);

	(void)now;
	for (int n = 0; n < SLICE_ENTRIES && user != NULL; n++, user = directory_next(user)) {
		memcpy(o->user, user_id(user), strlen(user_id(user)) + 1);
		origins_reorder(op->durable->origins, user);
	}
	return user == NULL ? STEP_OVER : STEP_AGAIN;
}

static void order_users(struct durable *d)
{
	struct order_op *o = durable_op_new(d, sizeof *o, (struct durable_done){ 0 });

	if (o == NULL)
		return;
	o->op.step = step_order;
	(void)durable_enqueue(&o->op);
}

static void end_origin(struct durable *d, struct origin *origin)
{
	struct sync *sync = origin_count(origin) == 0 ? NULL : sync_new(d->origins, d->config.directory, origin, NULL);

	drop_held(d, origin_name(origin));
	if (sync == NULL)
		return;
	log_info("directory", "source_gone", LOG_TEXT("source", origin_name(origin)),
	    LOG_NUMBER("entries", (int64_t)origin_count(origin)));
	(void)take_source(d, origin_name(origin), sync, true, true, (struct durable_done){ 0 });
}

void durable_keep_sources(struct durable *d, int (*position_of)(void *arg, const char *name), void *arg)
{
	struct origin *origin = NULL;
	bool another = false;

	while ((origin = origins_next(d->origins, origin)) != NULL) {
		const char *name = origin_name(origin);
		int position;

		if (strcmp(name, ORIGIN_BY_HAND) == 0 || strcmp(name, ORIGIN_FILE) == 0)
			continue;
		position = position_of(arg, name);
		if (position < 0)
			end_origin(d, origin);
		else
			another = origin_set_rank(origin, ORIGIN_RANK_SOURCES + position) || another;
	}
	if (another)
		order_users(d);
}
