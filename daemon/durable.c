/* durable.c: the life of what is kept: start, operations one after another, end.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/logger.h"
#include "daemon/base/utf8.h"
#include "daemon/durable_private.h"

#define START_MS 15000 /* for the disk, when the daemon starts: it goes on without after that */
#define STOP_MS	 5000

static const struct vocab_word status_words[] = {
#define X(symbol, name, help) { name, help },
	STORE_STATUS_MAP(X)
#undef X
};
const struct vocab vocab_store_status = { "store status", status_words, STORE_STATUS_COUNT };

/* --- the store ----------------------------------------------------------------------------------- */

static void on_opened(void *arg, enum store_file file)
{
	struct durable *d = arg;

	d->open = true;
	log_info("store", "open", LOG_TEXT("folder", d->config.folder));
	d->again_at = 0;
	if (d->loaded)
		d->dirty = true;
	if (file == STORE_ANOTHER) {
		log_warning("store", "another_file", LOG_TEXT("folder", d->config.folder),
		    LOG_TEXT("why", "it is not the one that was used before, and is written anew"));
		d->config.replaced(d->config.arg);
	}
}

static void on_failed(void *arg, const char *why, bool readable)
{
	struct durable *d = arg;

	if (d->open || !d->told)
		log_error("store", "unavailable", LOG_TEXT("why", why));
	d->told = true;
	d->open = false;
	d->readable = readable;
}

static const struct store_observer store_observer = { on_opened, on_failed };

enum store_status durable_status(const struct durable *d)
{
	if (!d->open)
		return STORE_STATUS_UNAVAILABLE;
	return d->loaded && !d->dirty && !d->writing ? STORE_STATUS_OK : STORE_STATUS_RETURNING;
}

/* --- freeing ------------------------------------------------------------------------------------- */

static void op_free_now(struct durable_op *op)
{
	if (op->free != NULL)
		op->free(op);
	free(op);
}

/* A hundred thousand pieces are not freed at once. */
static void op_free(struct durable_op *op)
{
	if (op->release == NULL)
		op_free_now(op);
	else
		TAILQ_INSERT_TAIL(&op->durable->dying, op, place);
}

/* True: there is more. */
static bool bury_some(struct durable *d)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was freed has left the list */
	struct durable_op *op = TAILQ_FIRST(&d->dying);

	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	if (op == NULL || op->release(op, SLICE_RELEASED))
		return op != NULL;
	TAILQ_REMOVE(&d->dying, op, place);
	op_free_now(op);
	return !TAILQ_EMPTY(&d->dying);
}

/* --- start and end ------------------------------------------------------------------------------- */

static int make_parts(struct durable *d)
{
	d->origins = origins_new(d->config.directory);
	d->notes = notes_new(d->config.note_changed, d->config.arg);
	d->inbox = inbox_new();
	d->recall = recall_new();
	d->gone_memory = recall_new();
	d->gone_requests = recall_new();
	return d->origins == NULL || d->notes == NULL || d->inbox == NULL || d->recall == NULL ||
		d->gone_memory == NULL || d->gone_requests == NULL ?
	    -ENOMEM :
	    0;
}

static void wait_for_start(struct durable *d)
{
	int64_t end = instant_now().mono + START_MS;

	while (!d->loaded && (!d->told || d->readable) && instant_now().mono < end)
		if (!durable_run(d, instant_now()) && !d->loaded)
			(void)store_wait(d->store, 100);
	if (!d->loaded) /* requests that come before the file must not get the ids that are in it */
		inbox_set_last_id(d->inbox, d->config.started);
	if (!d->loaded && !d->told)
		log_error("store", "slow", LOG_TEXT("why", "the disk does not answer; the daemon goes on without"));
}

int durable_start(struct durable **ret, const struct durable_config *config)
{
	struct store_config store = { config->folder, config->started, config->retention };
	struct durable *d = calloc(1, sizeof *d);
	int r;

	if (d == NULL)
		return -ENOMEM;
	d->config = *config;
	d->config.folder = strdup(config->folder);
	TAILQ_INIT(&d->queue);
	TAILQ_INIT(&d->beside);
	TAILQ_INIT(&d->dying);
	SLIST_INIT(&d->held);
	r = d->config.folder == NULL ? -ENOMEM : make_parts(d);
	if (r == 0)
		r = store_open(&d->store, config->loop, &store, &store_observer, d);
	*ret = d;
	if (r < 0)
		return r;
	wait_for_start(d);
	return 0;
}

static void op_finish(struct durable_op *op);

static bool is_at_work(const struct durable *d)
{
	return !TAILQ_EMPTY(&d->queue) || !TAILQ_EMPTY(&d->beside);
}

static void give_up(struct durable_ops *ops)
{
	struct durable_op *op, *next;

	for (op = TAILQ_FIRST(ops); op != NULL; op = next) {
		next = TAILQ_NEXT(op, place);
		durable_fail(op, DURABLE_UNAVAILABLE, "presenced is stopping");
		op_finish(op);
	}
}

void durable_stop(struct durable *d, int64_t at)
{
	int64_t end = instant_now().mono + STOP_MS;

	if (d == NULL || d->store == NULL)
		return;
	while (is_at_work(d) && d->open && instant_now().mono < end)
		if (!durable_run(d, instant_now()))
			(void)store_wait(d->store, 20);
	give_up(&d->queue);
	give_up(&d->beside);
	d->hung = !store_close(d->store, at);
	d->store = NULL;
	d->open = false;
}

void durable_free(struct durable *d)
{
	struct held_sync *h;

	if (d == NULL)
		return;
	durable_stop(d, instant_now().wall);
	if (d->hung)
		return; /* the process ends: the thread may still look at it */
	while ((h = SLIST_FIRST(&d->held)) != NULL) {
		SLIST_REMOVE_HEAD(&d->held, link);
		sync_free(h->sync);
		free(h);
	}
	while (bury_some(d))
		;
	origins_free(d->origins);
	notes_free(d->notes);
	inbox_free(d->inbox);
	recall_free(d->recall);
	recall_free(d->gone_memory);
	recall_free(d->gone_requests);
	free((char *)(uintptr_t)d->config.folder);
	free(d);
}

/* --- operations ---------------------------------------------------------------------------------- */

static struct durable_ops *list_of(const struct durable_op *op)
{
	return op->alone ? &op->durable->queue : &op->durable->beside;
}

static void tell(struct durable_op *op)
{
	struct durable_done done = op->done;

	op->done.done = NULL;
	if (done.done != NULL)
		done.done(done.arg, &op->result);
}

/* Out of its list, told; freed, unless the store still has it. */
static void op_finish(struct durable_op *op)
{
	if (!op->overdue)
		TAILQ_REMOVE(list_of(op), op, place);
	tell(op);
	if (op->submitted)
		op->overdue = true;
	else
		op_free(op);
}

static int run_job(struct store_job *job, const struct store_files *files)
{
	struct durable_op *op = (struct durable_op *)(void *)job;

	return op->run(op, files);
}

/* Also of one that was answered long ago with "not known": what is on disk is so in memory. */
static void on_job_done(struct store_job *job, int result, const char *why)
{
	struct durable_op *op = (struct durable_op *)(void *)job;
	enum step step = STEP_OVER;

	op->submitted = false;
	if (result < 0) {
		durable_fail(op, DURABLE_UNAVAILABLE, "%s", why);
	} else {
		op->result.end = DURABLE_DONE;
		step = op->apply(op, result);
		if (op->result.end != DURABLE_DONE)
			op->durable->dirty = true; /* it is on disk, and not in memory */
	}
	while (op->overdue && step == STEP_AGAIN) /* it has no turn any more */
		step = op->step(op, instant_now());
	if (step == STEP_OVER)
		op_finish(op);
}

void *durable_op_new(struct durable *d, size_t size, struct durable_done done)
{
	struct durable_op *op = calloc(1, size);

	if (op == NULL)
		return NULL;
	op->durable = d;
	op->done = done;
	op->deadline = done.done == NULL ? INSTANT_NEVER : loop_now(d->config.loop).mono + PATIENCE_MS;
	op->job.run = run_job;
	op->job.done = on_job_done;
	return op;
}

struct durable_op *durable_enqueue(struct durable_op *op)
{
	op->alone = true;
	TAILQ_INSERT_TAIL(&op->durable->queue, op, place);
	return op;
}

struct durable_op *durable_beside(struct durable_op *op)
{
	TAILQ_INSERT_TAIL(&op->durable->beside, op, place);
	return op;
}

enum step durable_fail(struct durable_op *op, enum durable_end end, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(op->why, sizeof op->why, format, args);
	va_end(args);
	utf8_repair(op->why);
	op->result.end = end;
	op->result.why = op->why;
	return STEP_OVER;
}

enum step durable_submit(struct durable_op *op, struct instant now)
{
	struct store_stats stats;

	if (!op->durable->loaded && op->durable->open && !op->job.reads)
		return durable_fail(op, DURABLE_UNAVAILABLE, "the file was not read yet");
	if (op->durable->store != NULL && store_submit(op->durable->store, &op->job)) {
		op->submitted = true;
		if (op->deadline != INSTANT_NEVER)
			op->deadline = now.mono + ANSWER_MS;
		return STEP_WAIT;
	}
	if (op->durable->store == NULL)
		return durable_fail(op, DURABLE_UNAVAILABLE, "presenced is stopping");
	store_stats(op->durable->store, &stats);
	return durable_fail(op, DURABLE_UNAVAILABLE, "%s", stats.why);
}

bool durable_takes_jobs(const struct durable *d)
{
	return d->store != NULL && d->loaded && d->jobs < JOBS_MAX && !(d->writing && d->dirty);
}

void durable_forget(struct durable_op *op)
{
	op->done.done = NULL;
}

/* --- turns --------------------------------------------------------------------------------------- */

/* For its turn to come, and for the disk; not for its own work in slices. */
static bool has_deadline(const struct durable_op *op)
{
	return op->submitted || !op->begun;
}

static void is_late(struct durable_op *op)
{
	if (op->submitted)
		durable_fail(op, DURABLE_UNAVAILABLE,
		    "the disk has not answered for %d s; whether it is kept all the same is not known",
		    ANSWER_MS / 1000);
	else
		durable_fail(op, DURABLE_UNAVAILABLE, "the file is being read or written anew, and that takes long");
	op_finish(op);
}

/* True: something was done, and there may be more. */
static bool step_op(struct durable_op *op, struct instant now)
{
	enum step step;

	if (op->submitted)
		return false;
	op->begun = true;
	step = op->step(op, now);
	if (step == STEP_OVER)
		op_finish(op);
	return step != STEP_WAIT;
}

/* Notes are beside the queue, but not while the file is read or written anew, or a user gets another id. */
static bool may_be_beside(const struct durable *d)
{
	const struct durable_op *first = TAILQ_FIRST(&d->queue);

	if (!d->open)
		return true; /* to be refused */
	return d->loaded && !d->writing && !d->dirty && (first == NULL || !first->renames);
}

static void end_late_ones(struct durable_ops *ops, struct instant now)
{
	struct durable_op *op, *next;

	for (op = TAILQ_FIRST(ops); op != NULL; op = next) {
		next = TAILQ_NEXT(op, place);
		if (has_deadline(op) && now.mono >= op->deadline)
			is_late(op);
	}
}

static void keep_copy(struct durable *d, struct instant now)
{
	if (d->loading || d->writing || now.mono < d->again_at)
		return;
	if (!d->loaded && (d->open || d->readable))
		durable_load(d);
	else if (d->loaded && d->open && d->dirty && d->jobs == 0)
		durable_write_all(d);
}

bool durable_run(struct durable *d, struct instant now)
{
	struct durable_op *op, *next;
	bool more;

	end_late_ones(&d->queue, now);
	end_late_ones(&d->beside, now);
	keep_copy(d, now);
	op = TAILQ_FIRST(&d->queue);
	more = op != NULL && step_op(op, now);
	for (op = TAILQ_FIRST(&d->beside); op != NULL; op = next) {
		next = TAILQ_NEXT(op, place);
		if (may_be_beside(d))
			(void)step_op(op, now);
	}
	if (!d->writing)
		durable_expire_notes(d, now.wall);
	return bury_some(d) || more;
}

bool durable_is_beside(const struct durable *d)
{
	const struct durable_op *op;

	TAILQ_FOREACH (op, &d->beside, place)
		if (op->submitted)
			return true;
	return false;
}

static int64_t earliest(const struct durable_ops *ops)
{
	const struct durable_op *op;
	int64_t deadline = INSTANT_NEVER;

	TAILQ_FOREACH (op, ops, place)
		if (has_deadline(op) && op->deadline < deadline)
			deadline = op->deadline;
	return deadline;
}

int64_t durable_deadline(const struct durable *d, struct instant now)
{
	int64_t end = notes_end(d->notes), deadline = earliest(&d->queue), other = earliest(&d->beside);

	if (other < deadline)
		deadline = other;
	if (d->open && (!d->loaded || d->dirty) && !d->loading && !d->writing && d->again_at < deadline)
		deadline =
		    d->again_at > now.mono ? d->again_at : now.mono + 1; /* jobs are at work: their end wakes us */
	if (end == INSTANT_NEVER || d->writing)
		return deadline;
	end = end <= now.wall ? now.mono : now.mono + (end - now.wall);
	if (end > now.mono + NOTE_LOOK_MS)
		end = now.mono + NOTE_LOOK_MS; /* the wall clock may be set meanwhile */
	return end < deadline ? end : deadline;
}

/* --- parts --------------------------------------------------------------------------------------- */

struct store *durable_store(const struct durable *d)
{
	return d->store;
}

const char *durable_folder(const struct durable *d)
{
	return d->config.folder;
}

struct notes *durable_notes(const struct durable *d)
{
	return d->notes;
}

struct inbox *durable_inbox(const struct durable *d)
{
	return d->inbox;
}
