/* durable_all.c: everything read once, and everything written anew after the file was away.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/logger.h"
#include "daemon/durable_private.h"
#include "daemon/store/tables.h"

/* What stands in the file or is to stand there. */
enum item_kind { ITEM_ENTRY, ITEM_NOTE, ITEM_REQUEST, ITEM_MEMORY };

struct item {
	uint8_t kind;
	struct user_fields *fields; /* one reference; of an entry */
	int64_t id, at, until;
	char *texts[4]; /* owned: origin, key / user, text, author / source, address, name, text / source, key, value */
};

struct all_op {
	struct durable_op op;
	struct item *items;
	size_t count, size, taken; /* taken: into memory */
	size_t bad;
	bool failed;			   /* no memory */
	char user[USER_MAX_ID_BYTES + 1];  /* the entries of users up to this one are here, and */
	char noted[USER_MAX_ID_BYTES + 1]; /* the notes */
	bool entries_done;
};

static struct all_op *all_op(struct durable_op *op)
{
	return (struct all_op *)(void *)op;
}

static void free_item(struct item *i)
{
	user_fields_unref(i->fields);
	for (size_t t = 0; t < 4; t++)
		free(i->texts[t]);
}

static bool release_all_op(struct durable_op *op, size_t budget)
{
	struct all_op *a = all_op(op);

	for (; a->taken < a->count && budget > 0; a->taken++, budget--)
		free_item(&a->items[a->taken]);
	return a->taken < a->count;
}

static void free_all_op(struct durable_op *op)
{
	(void)release_all_op(op, SIZE_MAX);
	free(all_op(op)->items);
}

/* A place for one more; NULL without memory. Texts are copied. */
static struct item *add(
    struct all_op *a, enum item_kind kind, const char *t0, const char *t1, const char *t2, const char *t3)
{
	const char *texts[] = { t0, t1, t2, t3 };
	struct item *i;

	if (a->count == a->size) {
		size_t size = a->size == 0 ? 256 : a->size * 2;
		struct item *items = reallocarray(a->items, size, sizeof *items);

		a->failed = a->failed || items == NULL;
		if (items == NULL)
			return NULL;
		a->items = items;
		a->size = size;
	}
	i = &a->items[a->count++];
	*i = (struct item){ .kind = (uint8_t)kind };
	for (size_t t = 0; t < 4; t++) {
		i->texts[t] = texts[t] == NULL ? NULL : strdup(texts[t]);
		a->failed = a->failed || (texts[t] != NULL && i->texts[t] == NULL);
	}
	return i;
}

static void add_entry(void *arg, const char *origin, const char *key, struct user_fields *fields)
{
	struct item *i = add(arg, ITEM_ENTRY, origin, key, NULL, NULL);

	if (i != NULL)
		i->fields = fields;
	else
		user_fields_unref(fields);
}

static void add_note(void *arg, const struct note *note)
{
	struct item *i = add(arg, ITEM_NOTE, note->user, note->text, note->author, NULL);

	if (i == NULL)
		return;
	i->at = note->at;
	i->until = note->until;
}

static void add_request(void *arg, const struct request_row *row)
{
	struct item *i = add(arg, ITEM_REQUEST, row->source, row->address, row->name, row->text);

	if (i == NULL)
		return;
	i->id = row->id;
	i->at = row->at;
}

static void add_memory(void *arg, const struct recall_item *item)
{
	(void)add(arg, ITEM_MEMORY, item->source, item->key, item->value, NULL);
}

/* --- reading ------------------------------------------------------------------------------------- */

static const struct tables_reader to_items = { add_entry, add_note, add_request, add_memory };

struct load_op {
	struct all_op all;
	int64_t last_request;
};

static int run_load(struct durable_op *op, const struct store_files *files)
{
	struct all_op *a = all_op(op);
	int r = tables_read(files->db, &to_items, a, &a->bad);

	if (r == 0)
		r = tables_last_request(files->db, &((struct load_op *)(void *)op)->last_request);
	return r;
}

static enum step apply_load(struct durable_op *op, int result)
{
	struct all_op *a = all_op(op);

	(void)result;
	if (a->failed)
		return durable_fail(op, DURABLE_NO_MEMORY, "no memory");
	if (a->bad > 0)
		log_error("store", "bad_rows", LOG_NUMBER("rows", (int64_t)a->bad),
		    LOG_TEXT(
			"why", "they make no sense, and are passed over; the file was changed by another program"));
	return STEP_AGAIN;
}

/* What the daemon has heard since its start is newer than what the file says. */
static void take_entry(struct durable *d, struct item *i)
{
	bool hand = strcmp(i->texts[0], ORIGIN_BY_HAND) == 0;
	struct origin *origin = origins_get(d->origins, i->texts[0], hand ? ORIGIN_RANK_BY_HAND : ORIGIN_RANK_SOURCES);

	if (origin == NULL || origin_entry(origin, i->texts[1]) != NULL || origin_is_complete(origin))
		return;
	(void)origins_set(d->origins, origin, i->texts[1], i->fields); /* without memory: not there */
	i->fields = NULL;
}

static void take_item(struct durable *d, struct item *i)
{
	struct inbox_request *r;

	switch ((enum item_kind)i->kind) {
	case ITEM_ENTRY:
		take_entry(d, i);
		break;
	case ITEM_NOTE:
		if (notes_find(d->notes, i->texts[0]) == NULL)
			(void)notes_set(
			    d->notes, &(struct note){ i->texts[0], i->texts[1], i->texts[2], i->at, i->until });
		break;
	case ITEM_REQUEST:
		if (inbox_find_address(d->inbox, i->texts[0], i->texts[1]) == NULL &&
		    recall_get(d->gone_requests, i->texts[0], i->texts[1]) == NULL)
			(void)inbox_put(d->inbox, i->id, i->texts[0], i->texts[1], i->texts[2], i->texts[3], i->at, &r);
		break;
	case ITEM_MEMORY:
		if (recall_get(d->recall, i->texts[0], i->texts[1]) == NULL &&
		    recall_get(d->gone_memory, i->texts[0], i->texts[1]) == NULL)
			(void)recall_set(d->recall, i->texts[0], i->texts[1], i->texts[2]);
		break;
	}
}

static enum step step_load(struct durable_op *op, struct instant now)
{
	struct all_op *a = all_op(op);
	struct durable *d = op->durable;

	if (a->size == 0 && !op->result.changed) { /* not read yet */
		op->result.changed = true;
		return durable_submit(op, now);
	}
	for (int n = 0; n < SLICE_ENTRIES && a->taken < a->count; n++, a->taken++) {
		take_item(d, &a->items[a->taken]);
		free_item(&a->items[a->taken]);
	}
	if (a->taken < a->count)
		return STEP_AGAIN;
	inbox_set_last_id(d->inbox, ((struct load_op *)(void *)op)->last_request);
	d->loaded = true;
	notes_set_known(d->notes);
	log_info("store", "read", LOG_NUMBER("rows", (int64_t)a->count));
	durable_rename_file_entries(d);
	d->config.loaded(d->config.arg);
	return STEP_OVER;
}

static void load_over(void *arg, const struct durable_result *result)
{
	struct durable *d = arg;

	d->loading = false;
	if (result->end == DURABLE_DONE)
		return;
	d->again_at = loop_now(d->config.loop).mono + AGAIN_MS;
	log_error("store", "not_read", LOG_TEXT("why", result->why));
}

void durable_load(struct durable *d)
{
	struct load_op *l = durable_op_new(d, sizeof *l, (struct durable_done){ load_over, d });

	if (l == NULL)
		return;
	d->loading = true;
	l->all.op.deadline = INSTANT_NEVER;
	l->all.op.job.reads = true;
	l->all.op.step = step_load;
	l->all.op.run = run_load;
	l->all.op.apply = apply_load;
	l->all.op.release = release_all_op;
	l->all.op.free = free_all_op;
	(void)durable_enqueue(&l->all.op);
}

/* --- writing ------------------------------------------------------------------------------------- */

static int write_item(struct database *db, const struct item *i)
{
	switch ((enum item_kind)i->kind) {
	case ITEM_ENTRY:
		return tables_put_entry(db, i->texts[0], i->texts[1], i->fields);
	case ITEM_NOTE:
		return tables_put_note(db, &(struct note){ i->texts[0], i->texts[1], i->texts[2], i->at, i->until });
	case ITEM_REQUEST:
		return tables_put_request(
		    db, &(struct request_row){ i->id, i->texts[0], i->texts[1], i->texts[2], i->texts[3], i->at });
	case ITEM_MEMORY:
		return tables_put_memory(db, &(struct recall_item){ i->texts[0], i->texts[1], i->texts[2] });
	}
	return 0;
}

static int run_write(struct durable_op *op, const struct store_files *files)
{
	static const enum tables_kind kinds[] = { TABLES_ENTRY, TABLES_NOTE, TABLES_REQUEST, TABLES_MEMORY };
	const struct all_op *a = all_op(op);
	int r = tables_begin_all(files->db);

	/* what goes leaves first: a request that stays may have the number of one that goes */
	for (size_t n = 0; n < a->count && r == 0; n++)
		r = tables_see(files->db, kinds[a->items[n].kind], a->items[n].texts[0],
		    a->items[n].kind == ITEM_NOTE ? "" : a->items[n].texts[1]);
	if (r == 0)
		r = tables_end_all(files->db);
	for (size_t n = 0; n < a->count && r == 0; n++)
		r = write_item(files->db, &a->items[n]);
	return r;
}

static enum step apply_write(struct durable_op *op, int result)
{
	(void)result;
	log_info("store", "written_anew", LOG_NUMBER("rows", (int64_t)all_op(op)->count));
	return STEP_OVER;
}

static void keep_entries(struct all_op *a, const struct user *user)
{
	const struct entry *e = NULL;

	while ((e = user_entry_next(user, e)) != NULL)
		if (strcmp(origin_name(entry_origin(e)), ORIGIN_FILE) != 0)
			add_entry(a, origin_name(entry_origin(e)), entry_key(e), user_fields_ref(entry_fields(e)));
}

static bool keep_users(struct all_op *a, struct directory *directory)
{
	struct user *user = directory_after(directory, a->user);

	for (int n = 0; n < SLICE_ENTRIES && user != NULL; n++, user = directory_next(user)) {
		keep_entries(a, user);
		memcpy(a->user, user_id(user), strlen(user_id(user)) + 1);
	}
	return user != NULL;
}

/* Nobody changes notes meanwhile. */
static bool keep_notes(struct all_op *a, const struct notes *notes)
{
	const struct note *note = notes_after(notes, a->noted);

	for (int n = 0; n < SLICE_ENTRIES && note != NULL; n++, note = notes_after(notes, a->noted)) {
		add_note(a, note);
		memcpy(a->noted, note->user, strlen(note->user) + 1);
	}
	return note != NULL;
}

/* The rest is small, and taken at once: what changes from now on comes in jobs behind this one. */
static void keep_rest(struct all_op *a, const struct durable *d)
{
	const struct inbox_request *r = NULL;
	struct recall_item item = { "", "", "" };

	while ((r = inbox_after(d->inbox, r == NULL ? 0 : r->id)) != NULL)
		add_request(a, &(struct request_row){ r->id, r->source, r->address, r->name, r->text, r->at });
	while (recall_after(d->recall, item.source, item.key, &item))
		add_memory(a, &item);
}

static enum step step_write(struct durable_op *op, struct instant now)
{
	struct all_op *a = all_op(op);
	struct durable *d = op->durable;

	if (durable_is_beside(d) || d->jobs > 0)
		return STEP_WAIT; /* their end wakes us */
	if (!a->entries_done) {
		a->entries_done = !keep_users(a, d->config.directory);
		return STEP_AGAIN;
	}
	if (keep_notes(a, d->notes))
		return STEP_AGAIN;
	d->dirty = false;
	keep_rest(a, d);
	return a->failed ? durable_fail(op, DURABLE_NO_MEMORY, "no memory") : durable_submit(op, now);
}

static void write_over(void *arg, const struct durable_result *result)
{
	struct durable *d = arg;

	d->writing = false;
	if (result->end == DURABLE_DONE)
		return;
	d->dirty = true;
	d->again_at = loop_now(d->config.loop).mono + AGAIN_MS;
	log_error("store", "not_written", LOG_TEXT("why", result->why));
}

void durable_write_all(struct durable *d)
{
	struct all_op *a = durable_op_new(d, sizeof *a, (struct durable_done){ write_over, d });

	if (a == NULL)
		return;
	d->writing = true;
	a->op.deadline = INSTANT_NEVER;
	a->op.step = step_write;
	a->op.run = run_write;
	a->op.apply = apply_write;
	a->op.release = release_all_op;
	a->op.free = free_all_op;
	(void)durable_enqueue(&a->op);
}
