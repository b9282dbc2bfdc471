/* store_thread.c: the thread that owns the file: batches, commits, failures, and coming back.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/store/store_private.h"
#include "daemon/store/tables.h"

#define COMMIT_MS     20   /* between two commits, at the least */
#define RECORDS_MS    250  /* that records of history wait for company */
#define BATCH_ITEMS   5000 /* in one transaction: who waits for an answer does not wait behind all of history */
#define RETRY_MS      5000 /* to open the file again */
#define PRUNE_MS      3600000
#define PRUNE_STEP_MS 200 /* between two slices */

/* The thread's own. */
struct own {
	struct store *store;
	struct store_files files;
	struct database *reader; /* while the file cannot be written; NULL none */
	struct history_table history;
	int lock;		  /* descriptor of the lock file; -1 none */
	struct store_items batch; /* what the open transaction has done */
	int64_t last_commit, retry_at, prune_at, prune_position;
	int64_t id, writes; /* of the file: its number, and that of the last commit that is known to be there */
	size_t unsure;	    /* records at the head of the queue that may be in the file: their commit failed */
	char why[DATABASE_WHY_SIZE];
};

static int64_t now_ms(void)
{
	return instant_now().mono;
}

/* --- opening ------------------------------------------------------------------------------------- */

static int fail(struct own *o, const char *what, int error)
{
	snprintf(o->why, sizeof o->why, "%.400s: %s", what, strerror(error));
	return -EIO;
}

static bool has_lock(struct own *o, const char *path)
{
	struct stat held, there;

	if (o->lock >= 0 && fstat(o->lock, &held) == 0 && stat(path, &there) == 0 && held.st_dev == there.st_dev &&
	    held.st_ino == there.st_ino)
		return true;
	if (o->lock >= 0)
		close(o->lock); /* the folder was deleted, moved or replaced under us */
	o->lock = -1;
	return false;
}

/* One daemon a folder. The lock is a file of its own, and is held as long as the thread lives. */
static int take_lock(struct own *o)
{
	struct store *s = o->store;
	char path[4096];

	snprintf(path, sizeof path, "%s/presenced.lock", s->folder);
	if (has_lock(o, path))
		return 0;
	if (mkdir(s->folder, 0700) < 0 && errno != EEXIST)
		return fail(o, s->folder, errno);
	o->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	if (o->lock < 0)
		return fail(o, path, errno);
	if (flock(o->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	close(o->lock);
	o->lock = -1;
	snprintf(
	    o->why, sizeof o->why, "another presenced uses the folder %.400s: set another one in `state`", s->folder);
	return -EIO;
}

/* Records that may have been kept by a commit that failed: they were, if the file counts it. */
static void drop_unsure(struct own *o)
{
	struct store *s = o->store;

	pthread_mutex_lock(&s->lock);
	for (; o->unsure > 0; o->unsure--) {
		struct store_item *item = STAILQ_FIRST(&s->queue);

		STAILQ_REMOVE_HEAD(&s->queue, link);
		s->record_count--;
		free(item);
	}
	pthread_mutex_unlock(&s->lock);
}

static enum store_file compare_file(struct own *o, int64_t id, int64_t writes)
{
	if (o->id == 0)
		return STORE_FIRST;
	if (id != o->id || writes < o->writes || writes > o->writes + 1)
		return STORE_ANOTHER;
	if (writes == o->writes + 1)
		drop_unsure(o);
	return STORE_SAME;
}

/* What was open in history ends where it was last seen. */
static int put_started(struct own *o, int64_t at)
{
	struct history_record record = { .kind = HISTORY_STARTED, .at = at };
	int r = database_meta(o->files.db, "alive", &record.until);

	if (record.until > at)
		record.until = at;
	return r < 0 ? r : history_table_put(&o->history, o->files.db, &record);
}

static int count_write(struct own *o)
{
	return database_set_meta(o->files.db, "writes", o->writes + 1);
}

/* A transaction that writes: a file that can only be read is found out at once. */
static int greet_file(struct own *o, enum store_file *ret)
{
	struct database *db = o->files.db;
	int64_t id = 0, writes = 0;
	int r = database_begin(db);

	if (r == 0)
		r = database_meta(db, "id", &id);
	if (r == 0)
		r = database_meta(db, "writes", &writes);
	if (r < 0)
		return r;
	*ret = compare_file(o, id, writes);
	o->unsure = 0;
	o->id = id;
	o->writes = writes;
	if (*ret != STORE_SAME)
		r = put_started(o, *ret == STORE_FIRST ? o->store->started : instant_now().wall);
	if (r == 0)
		r = count_write(o);
	return r == 0 ? database_commit(db) : r;
}

static void close_file(struct own *o)
{
	database_close(o->files.db);
	o->files.db = NULL;
	o->retry_at = now_ms() + RETRY_MS;
}

static void notify(struct own *o, bool open, enum store_file file)
{
	struct notice_item *n = calloc(1, sizeof *n);

	if (n == NULL)
		return;
	n->item.kind = ITEM_NOTICE;
	n->open = open;
	n->readable = o->reader != NULL;
	n->file = file;
	if (!open)
		memcpy(n->why, o->why, sizeof n->why);
	store_finish(o->store, &n->item, NULL);
}

static void count_done(struct store *s, size_t jobs, size_t records, size_t rows)
{
	pthread_mutex_lock(&s->lock);
	s->job_count -= jobs;
	s->record_count -= records;
	s->rows += rows;
	s->commits++;
	pthread_mutex_unlock(&s->lock);
}

/* What is kept is known all the same, and history can be read. */
static void open_reader(struct own *o)
{
	char why[DATABASE_WHY_SIZE];

	if (o->lock >= 0)
		(void)database_open_to_read(&o->reader, o->store->path, why);
}

static void open_file(struct own *o)
{
	int64_t known = o->id, writes = o->writes;
	enum store_file file;
	int r = take_lock(o);

	database_close(o->reader);
	o->reader = NULL;
	o->retry_at = now_ms() + RETRY_MS;
	if (r == 0)
		r = database_open(&o->files.db, o->store->path, o->why);
	if (r == 0) {
		r = greet_file(o, &file);
		if (r < 0)
			snprintf(o->why, sizeof o->why, "%s", database_why(o->files.db));
	}
	if (r == 0) {
		o->writes++;
		o->prune_at = now_ms() + PRUNE_STEP_MS;
		count_done(o->store, 0, 0, file == STORE_SAME ? 0 : 1);
		notify(o, true, file);
		return;
	}
	o->id = known;
	o->writes = writes;
	close_file(o);
	open_reader(o);
	notify(o, false, STORE_SAME);
}

/* --- the end of a batch -------------------------------------------------------------------------- */

static struct store_job *job_of(struct store_item *item)
{
	return (struct store_job *)(void *)((char *)item - offsetof(struct store_job, item));
}

static void batch_kept(struct own *o)
{
	size_t jobs = 0, records = 0, rows = 0;
	struct store_item *item;

	o->writes++;
	o->history.fresh = false;
	while ((item = STAILQ_FIRST(&o->batch)) != NULL) {
		STAILQ_REMOVE_HEAD(&o->batch, link);
		if (item->kind == ITEM_RECORD) {
			rows += ((struct record_item *)(void *)item)->record.kind != HISTORY_ALIVE;
			free(item);
			records++;
		} else {
			jobs++;
			store_finish(o->store, item, job_of(item)->result < 0 ? o->why : NULL);
		}
	}
	count_done(o->store, jobs, records, rows);
}

static void fail_job(struct own *o, struct store_item *item)
{
	struct store_job *job = job_of(item);

	if (!job->reads || job->result < 0)
		job->result = -EIO;
	pthread_mutex_lock(&o->store->lock);
	o->store->job_count--;
	pthread_mutex_unlock(&o->store->lock);
	store_finish(o->store, item, o->why);
}

/* Jobs fail, records go back to where they were. */
static void batch_lost(struct own *o, bool perhaps_kept)
{
	struct store_items records = STAILQ_HEAD_INITIALIZER(records);
	struct store_item *item;
	size_t count = 0;

	while ((item = STAILQ_FIRST(&o->batch)) != NULL) {
		STAILQ_REMOVE_HEAD(&o->batch, link);
		if (item->kind == ITEM_JOB) {
			fail_job(o, item);
		} else {
			STAILQ_INSERT_TAIL(&records, item, link);
			count++;
		}
	}
	o->unsure = perhaps_kept ? count : 0;
	pthread_mutex_lock(&o->store->lock);
	STAILQ_CONCAT(&records, &o->store->queue);
	STAILQ_CONCAT(&o->store->queue, &records);
	pthread_mutex_unlock(&o->store->lock);
}

static int read_all_the_same(struct own *o, struct store_job *job)
{
	const struct store_files files = { o->reader, &o->history };

	return o->reader != NULL && job->reads ? job->run(job, &files) : -EIO;
}

/* Who was queued without knowing that the file does not work, or only wants to read. */
static void fail_queued_jobs(struct own *o)
{
	struct store_items jobs = STAILQ_HEAD_INITIALIZER(jobs), rest = STAILQ_HEAD_INITIALIZER(rest);
	struct store_item *item;

	pthread_mutex_lock(&o->store->lock);
	while ((item = STAILQ_FIRST(&o->store->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&o->store->queue, link);
		if (item->kind == ITEM_JOB)
			STAILQ_INSERT_TAIL(&jobs, item, link);
		else
			STAILQ_INSERT_TAIL(&rest, item, link);
	}
	STAILQ_CONCAT(&o->store->queue, &rest);
	pthread_mutex_unlock(&o->store->lock);
	while ((item = STAILQ_FIRST(&jobs)) != NULL) {
		STAILQ_REMOVE_HEAD(&jobs, link);
		job_of(item)->result = read_all_the_same(o, job_of(item));
		fail_job(o, item);
	}
}

static void file_failed(struct own *o, bool perhaps_kept)
{
	snprintf(o->why, sizeof o->why, "%s", database_why(o->files.db));
	database_rollback(o->files.db);
	history_table_undone(&o->history);
	batch_lost(o, perhaps_kept);
	close_file(o);
	open_reader(o);
	fail_queued_jobs(o);
	notify(o, false, STORE_SAME);
}

/* --- a batch ------------------------------------------------------------------------------------- */

/* A job by itself: one that makes no sense is undone, the others go on. */
static int run_job(struct own *o, struct store_job *job)
{
	int r = database_save(o->files.db);

	if (r < 0)
		return -EIO;
	job->result = job->run(job, &o->files);
	if (job->result == -EIO)
		return -EIO;
	if (job->result < 0)
		snprintf(o->why, sizeof o->why, "%s", database_why(o->files.db));
	return database_release(o->files.db, job->result >= 0) < 0 ? -EIO : 0;
}

static int run_record(struct own *o, const struct record_item *item)
{
	int r = history_table_put(&o->history, o->files.db, &item->record);

	return r == -EIO ? -EIO : 0; /* one that makes no sense is not written */
}

/* Do what is in `items`, all of which goes to the batch: who reads is shown what is on disk, and nothing that may go. */
static int run_items(struct own *o, struct store_items *items, bool *urgent)
{
	struct store_item *item;
	int r = 0;

	while ((item = STAILQ_FIRST(items)) != NULL) {
		STAILQ_REMOVE_HEAD(items, link);
		STAILQ_INSERT_TAIL(&o->batch, item, link);
		if (item->kind == ITEM_JOB)
			*urgent = true;
		if (r < 0 && item->kind == ITEM_JOB)
			job_of(item)->result = -EIO;
		else if (r == 0)
			r = item->kind == ITEM_JOB ? run_job(o, job_of(item)) :
						     run_record(o, (struct record_item *)(void *)item);
	}
	return r;
}

/* Take at most `limit` items. */
static size_t take(struct store *s, struct store_items *items, size_t limit)
{
	struct store_item *item;
	size_t n = 0;

	for (; n < limit && (item = STAILQ_FIRST(&s->queue)) != NULL; n++) {
		STAILQ_REMOVE_HEAD(&s->queue, link);
		STAILQ_INSERT_TAIL(items, item, link);
	}
	return n;
}

static void wait_until(struct store *s, int64_t mono)
{
	struct timespec ts = { .tv_sec = mono / 1000, .tv_nsec = mono % 1000 * 1000000 };

	pthread_cond_timedwait(&s->changed, &s->lock, &ts);
}

/* Take what there is; if that is nothing, wait for it until `due`. The number of items, 0 when it is time to commit. */
static size_t gather(struct own *o, struct store_items *items, size_t limit, int64_t due)
{
	struct store *s = o->store;
	size_t n;

	pthread_mutex_lock(&s->lock);
	while ((n = take(s, items, limit)) == 0 && limit > 0 && !s->closing && now_ms() < due)
		wait_until(s, due);
	pthread_mutex_unlock(&s->lock);
	return n;
}

static void run_batch(struct own *o)
{
	struct store_items items = STAILQ_HEAD_INITIALIZER(items);
	int64_t began = now_ms(), due = began;
	size_t count = 0, n;
	bool urgent = false;
	int r = database_begin(o->files.db);

	if (r == 0)
		r = count_write(o);
	while (r == 0 && (n = gather(o, &items, BATCH_ITEMS - count, due)) > 0) {
		count += n;
		r = run_items(o, &items, &urgent);
		due = urgent ? o->last_commit + COMMIT_MS : began + RECORDS_MS;
	}
	if (r < 0) {
		file_failed(o, false);
		return;
	}
	r = database_commit(o->files.db);
	o->last_commit = now_ms();
	if (r < 0)
		file_failed(o, true);
	else
		batch_kept(o);
}

/* --- pruning ------------------------------------------------------------------------------------- */

static void prune(struct own *o)
{
	int64_t retention;
	int r;

	pthread_mutex_lock(&o->store->lock);
	retention = o->store->retention;
	pthread_mutex_unlock(&o->store->lock);
	o->prune_at = now_ms() + PRUNE_MS;
	if (retention == 0)
		return;
	r = database_begin(o->files.db);
	if (r == 0)
		r = count_write(o);
	if (r == 0)
		r = history_table_prune(o->files.db, instant_now().wall - retention, &o->prune_position);
	if (r == 0)
		r = database_commit(o->files.db);
	if (r < 0) {
		file_failed(o, true);
		return;
	}
	o->writes++;
	if (o->prune_position != 0)
		o->prune_at = now_ms() + PRUNE_STEP_MS;
}

/* --- the thread ---------------------------------------------------------------------------------- */

/* Wait for something to do. False: it is time to end. */
static bool wait_for_work(struct own *o)
{
	struct store *s = o->store;
	int64_t due = o->files.db == NULL ? o->retry_at : o->prune_at;
	bool go_on;

	pthread_mutex_lock(&s->lock);
	while (!s->closing && now_ms() < due && (o->files.db == NULL ? s->job_count == 0 : STAILQ_EMPTY(&s->queue))) {
		s->idle = o->files.db != NULL;
		wait_until(s, due);
	}
	s->idle = false;
	go_on = !s->closing || (o->files.db != NULL && !STAILQ_EMPTY(&s->queue));
	pthread_mutex_unlock(&s->lock);
	return go_on;
}

static bool has_work(struct store *s)
{
	bool any;

	pthread_mutex_lock(&s->lock);
	any = !STAILQ_EMPTY(&s->queue);
	pthread_mutex_unlock(&s->lock);
	return any;
}

/* The next item, if it only reads. */
static struct store_job *take_read(struct store *s)
{
	struct store_item *item;

	pthread_mutex_lock(&s->lock);
	item = STAILQ_FIRST(&s->queue);
	if (item != NULL && item->kind == ITEM_JOB && job_of(item)->reads)
		STAILQ_REMOVE_HEAD(&s->queue, link);
	else
		item = NULL;
	pthread_mutex_unlock(&s->lock);
	return item == NULL ? NULL : job_of(item);
}

static void finish_read(struct own *o, struct store_job *job)
{
	job->result = job->run(job, &o->files);
	if (job->result < 0)
		snprintf(o->why, sizeof o->why, "%s", database_why(o->files.db));
	pthread_mutex_lock(&o->store->lock);
	o->store->job_count--;
	pthread_mutex_unlock(&o->store->lock);
	store_finish(o->store, &job->item, job->result < 0 ? o->why : NULL);
}

/* With nothing to write before it, what only reads needs no transaction and no commit. */
static void run_reads(struct own *o)
{
	struct store_job *job;

	while ((job = take_read(o->store)) != NULL)
		finish_read(o, job);
}

/* The last word: until now was observed, and what is open ends. */
static void say_stopped(struct own *o)
{
	struct history_record record = { .kind = HISTORY_STOPPED, .at = o->store->closed_at };
	struct database *db = o->files.db;

	if (db == NULL || database_begin(db) < 0)
		return;
	if (database_set_meta(db, "alive", record.at) == 0 && count_write(o) == 0 &&
	    history_table_put(&o->history, db, &record) == 0)
		(void)database_commit(db);
	else
		database_rollback(db);
}

void *store_thread(void *arg)
{
	struct store *s = arg;
	struct own o = { .store = s, .lock = -1 };

	o.files.history = &o.history;
	STAILQ_INIT(&o.batch);
	open_file(&o);
	while (wait_for_work(&o)) {
		if (o.files.db == NULL) {
			fail_queued_jobs(&o);
			if (now_ms() >= o.retry_at)
				open_file(&o);
			continue;
		}
		run_reads(&o);
		if (has_work(s))
			run_batch(&o);
		if (o.files.db != NULL && now_ms() >= o.prune_at)
			prune(&o);
	}
	fail_queued_jobs(&o);
	say_stopped(&o);
	database_close(o.files.db);
	database_close(o.reader);
	if (o.lock >= 0)
		close(o.lock);
	pthread_mutex_lock(&s->lock);
	s->ended = true;
	pthread_mutex_unlock(&s->lock);
	store_wake(s);
	return NULL;
}
