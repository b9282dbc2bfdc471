/* store_private.h: what the two halves of the store share, for store*.c only.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_STORE_PRIVATE_H
#define PRESENCED_STORE_PRIVATE_H

#include <pthread.h>

#include "daemon/store/store.h"

enum { ITEM_JOB, ITEM_RECORD, ITEM_NOTICE };

/* A record on its way; its texts stand behind it. */
struct record_item {
	struct store_item item;
	struct history_record record;
	char texts[];
};

/* What the thread says of the file, in its place among the jobs that are done. */
struct notice_item {
	struct store_item item;
	bool open, readable;
	enum store_file file;
	char why[DATABASE_WHY_SIZE];
};

struct store {
	/* never changed while the thread runs */
	struct loop *loop;
	struct loop_event *event;
	const struct store_observer *observer;
	void *arg;
	char *folder, *path;
	int wake; /* eventfd */
	int64_t started;
	pthread_t thread;

	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t changed;		    /* for the thread: something came */
	struct store_items queue, finished; /* to the thread; to the loop */
	size_t job_count, record_count;	    /* queued and in work; records until they are committed */
	bool idle;			    /* the thread waits for anything at all */
	bool closing, ended;		    /* the thread is to end; has */
	int64_t closed_at, retention;
	uint64_t commits, records;
	char finished_why[DATABASE_WHY_SIZE]; /* of the last job that failed */

	/* the loop's */
	bool open, readable;
	char why[DATABASE_WHY_SIZE];
	int64_t since;
};

/* store_thread.c */
void *store_thread(void *store);

/* store.c, for the thread: hand an item to the loop; `why` NULL or the reason of a failure. */
void store_finish(struct store *s, struct store_item *item, const char *why);
void store_wake(struct store *s);

#endif
