/* store.c: the loop's half: the queues, and what comes back.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon/store/store_private.h"

#define CLOSE_MS 10000

static struct store_job *job_of(struct store_item *item)
{
	return (struct store_job *)(void *)((char *)item - offsetof(struct store_job, item));
}

/* --- what comes back ----------------------------------------------------------------------------- */

void store_wake(struct store *s)
{
	const uint64_t one = 1;

	if (write(s->wake, &one, sizeof one) < 0) {
		/* it is full of ones: the loop is going to wake up anyway */
	}
}

void store_finish(struct store *s, struct store_item *item, const char *why)
{
	pthread_mutex_lock(&s->lock);
	STAILQ_INSERT_TAIL(&s->finished, item, link);
	if (why != NULL)
		snprintf(s->finished_why, sizeof s->finished_why, "%s", why);
	pthread_mutex_unlock(&s->lock);
	store_wake(s);
}

static void tell_notice(struct store *s, struct notice_item *n)
{
	s->open = n->open;
	s->readable = n->readable;
	s->since = loop_now(s->loop).wall;
	snprintf(s->why, sizeof s->why, "%s", n->why);
	if (n->open)
		s->observer->opened(s->arg, n->file);
	else
		s->observer->failed(s->arg, s->why, s->readable);
	free(n);
}

static void tell_finished(struct store *s)
{
	struct store_items finished = STAILQ_HEAD_INITIALIZER(finished);
	char why[DATABASE_WHY_SIZE];
	struct store_item *item;
	uint64_t count;

	if (read(s->wake, &count, sizeof count) < 0) {
		/* nothing was written since: there may be items all the same */
	}
	pthread_mutex_lock(&s->lock);
	STAILQ_CONCAT(&finished, &s->finished);
	memcpy(why, s->finished_why, sizeof why);
	pthread_mutex_unlock(&s->lock);
	while ((item = STAILQ_FIRST(&finished)) != NULL) {
		STAILQ_REMOVE_HEAD(&finished, link);
		if (item->kind == ITEM_NOTICE)
			tell_notice(s, (struct notice_item *)(void *)item);
		else
			job_of(item)->done(job_of(item), job_of(item)->result, job_of(item)->result < 0 ? why : NULL);
	}
}

static void on_wake(void *arg, short what)
{
	(void)what;
	tell_finished(arg);
}

bool store_wait(struct store *s, int64_t ms)
{
	struct pollfd p = { .fd = s->wake, .events = POLLIN };

	if (poll(&p, 1, (int)ms) <= 0)
		return false;
	tell_finished(s);
	return true;
}

/* --- opening and closing ------------------------------------------------------------------------- */

/* For timed waits on the monotonic clock. */
static int init_condition(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;
	int r;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	r = pthread_cond_init(cond, &attributes);
	pthread_condattr_destroy(&attributes);
	return -r;
}

static void store_free(struct store *s)
{
	struct store_item *item;

	while ((item = STAILQ_FIRST(&s->queue)) != NULL) { /* records that found no file to the end */
		STAILQ_REMOVE_HEAD(&s->queue, link);
		free(item);
	}
	loop_event_free(s->event);
	if (s->wake >= 0)
		close(s->wake);
	free(s->folder);
	free(s->path);
	free(s);
}

static struct store *store_new(struct loop *loop, const struct store_config *config)
{
	struct store *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	STAILQ_INIT(&s->queue);
	STAILQ_INIT(&s->finished);
	s->loop = loop;
	s->started = config->started;
	s->retention = config->retention;
	s->since = loop_now(loop).wall;
	snprintf(s->why, sizeof s->why, "the file is not open yet");
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->folder = strdup(config->folder);
	s->event = s->wake < 0 ? NULL : loop_event_new(loop, "store", s->wake, EV_READ | EV_PERSIST, on_wake, s);
	if (s->folder == NULL || s->event == NULL || asprintf(&s->path, "%s/presenced.db", s->folder) < 0) {
		store_free(s);
		return NULL;
	}
	return s;
}

int store_open(struct store **ret, struct loop *loop, const struct store_config *config,
    const struct store_observer *observer, void *arg)
{
	struct store *s = store_new(loop, config);
	int r;

	if (s == NULL)
		return -ENOMEM;
	s->observer = observer;
	s->arg = arg;
	pthread_mutex_init(&s->lock, NULL);
	r = init_condition(&s->changed);
	if (r == 0)
		r = -pthread_create(&s->thread, NULL, store_thread, s);
	if (r < 0) {
		store_free(s);
		return r;
	}
	(void)pthread_setname_np(s->thread, "store"); /* for who looks at threads */
	loop_event_arm(s->event);
	*ret = s;
	return 0;
}

static bool has_ended(struct store *s)
{
	bool ended;

	pthread_mutex_lock(&s->lock);
	ended = s->ended;
	pthread_mutex_unlock(&s->lock);
	return ended;
}

bool store_close(struct store *s, int64_t at)
{
	int64_t end = instant_now().mono + CLOSE_MS;

	if (s == NULL)
		return true;
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	s->closed_at = at;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	while (!has_ended(s) && instant_now().mono < end)
		(void)store_wait(s, 100);
	if (!has_ended(s)) {
		pthread_detach(s->thread);
		return false;
	}
	pthread_join(s->thread, NULL);
	tell_finished(s);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	store_free(s);
	return true;
}

/* --- what goes there ----------------------------------------------------------------------------- */

/* The thread is woken by a job at once; records wait until it looks by itself, unless it waits for anything. */
static void push(struct store *s, struct store_item *item)
{
	STAILQ_INSERT_TAIL(&s->queue, item, link);
	if (item->kind == ITEM_JOB || s->idle)
		pthread_cond_signal(&s->changed);
	s->idle = false;
}

bool store_submit(struct store *s, struct store_job *job)
{
	if (!s->open && !(job->reads && s->readable))
		return false;
	job->item.kind = ITEM_JOB;
	pthread_mutex_lock(&s->lock);
	s->job_count++;
	push(s, &job->item);
	pthread_mutex_unlock(&s->lock);
	return true;
}

static const char *keep_text(char **end, const char *text)
{
	char *at = *end;

	if (text == NULL)
		return NULL;
	*end = stpcpy(at, text) + 1;
	return at;
}

static size_t room(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

static struct record_item *record_new(const struct history_record *r)
{
	struct record_item *item =
	    malloc(sizeof *item + room(r->user) + room(r->state) + room(r->secret) + room(r->from));
	char *end;

	if (item == NULL)
		return NULL;
	end = item->texts;
	item->item.kind = ITEM_RECORD;
	item->record = *r;
	item->record.user = keep_text(&end, r->user);
	item->record.state = keep_text(&end, r->state);
	item->record.secret = keep_text(&end, r->secret);
	item->record.from = keep_text(&end, r->from);
	return item;
}

bool store_append(struct store *s, const struct history_record *record)
{
	size_t limit = record->kind == HISTORY_CHANGE ? STORE_MAX_RECORDS : STORE_MAX_RECORDS * 2;
	struct record_item *item = record_new(record);
	bool fits;

	if (item == NULL)
		return false;
	pthread_mutex_lock(&s->lock);
	fits = s->record_count < limit || record->kind == HISTORY_RENAMED; /* they are few, and what follows needs it */
	if (fits) {
		s->record_count++;
		push(s, &item->item);
	}
	pthread_mutex_unlock(&s->lock);
	if (!fits)
		free(item);
	return fits;
}

void store_set_retention(struct store *s, int64_t retention)
{
	pthread_mutex_lock(&s->lock);
	s->retention = retention;
	pthread_mutex_unlock(&s->lock);
}

void store_stats(struct store *s, struct store_stats *ret)
{
	*ret = (struct store_stats){ .open = s->open, .since = s->since, .file = s->path };
	ret->why = s->open ? NULL : s->why;
	pthread_mutex_lock(&s->lock);
	ret->commits = s->commits;
	ret->rows = s->rows;
	ret->waiting = s->job_count + s->record_count;
	pthread_mutex_unlock(&s->lock);
}
