/* store.h: the loop's half of the store: jobs and records for its thread, and whether the file works.
 * SPDX-License-Identifier: MIT
 *
 * One thread owns the SQLite file and touches nothing else. One queue leads to it, in order, and one comes back, with an
 * eventfd that wakes the loop. Many jobs share a commit, and there is at most one commit in 20 ms. When one fails, all of
 * its jobs fail, records of history wait, and the file is opened again every 5 s. Files are for the daemon's account
 * only: STATE/presenced.db and its companions 0600, STATE itself 0700 if it is made.
 */
#ifndef PRESENCED_STORE_H
#define PRESENCED_STORE_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/loop.h"
#include "daemon/store/history_table.h"

struct store;

#define STORE_MAX_RECORDS 65536 /* of history that wait; then changes are lost, and counted */

/* What the thread has. */
struct store_files {
	struct database *db;
	struct history_table *history;
};

/* Something that stands in a queue. */
struct store_item {
	STAILQ_ENTRY(store_item) link;
	uint8_t kind; /* private to store*.c */
};
STAILQ_HEAD(store_items, store_item);

/* Something to do in the file; embedded in what it works on. */
struct store_job {
	struct store_item item;
	/* On the thread, inside a transaction: 0 or more, or -errno as database.h has it. It touches nothing that the loop
	 * may touch meanwhile. */
	int (*run)(struct store_job *job, const struct store_files *files);
	/* On the loop: `result` is that of run(), and what it did is on disk; or -EIO, with a sentence: it is not, as far
	 * as anybody can tell; or -EINVAL, with one: it alone was not done. Frees the job. */
	void (*done)(struct store_job *job, int result, const char *why);
	bool reads; /* only: its result counts whatever becomes of the transaction */
	int result; /* private, as `kept` */
};

/* How the file that was opened is to the one before. */
enum store_file {
	STORE_FIRST,   /* the first that could be opened since the start */
	STORE_SAME,    /* it has all that was committed */
	STORE_ANOTHER, /* it was replaced, or put back to what it was earlier */
};

/* What is told on the loop, never from inside a call. */
struct store_observer {
	void (*opened)(void *arg, enum store_file file);
	/* `readable`: jobs that only read can be done all the same. */
	void (*failed)(void *arg, const char *why, bool readable);
};

struct store_config {
	const char *folder; /* STATE; borrowed for the call */
	int64_t started;    /* wall ms of the daemon's start, for history */
	int64_t retention;  /* of history, ms; 0: for ever */
};

/* Start the thread, which opens the file. 0 and *ret, or -errno: there is no thread. */
int store_open(struct store **ret, struct loop *loop, const struct store_config *config,
    const struct store_observer *observer, void *arg);

/* Tell what the thread has said, waiting at most `ms` for something; for the start and the end. False: nothing came. */
bool store_wait(struct store *s, int64_t ms);

/* Do what was submitted, note that the daemon ended in order at `at` (wall ms), and end the thread. False: it has not
 * ended within 10 s since it hangs in the disk, and may still look at its jobs until the process ends. */
bool store_close(struct store *s, int64_t at);

/* Let the thread do it. False: the file does not work (for such a job), and it stays the caller's. */
bool store_submit(struct store *s, struct store_job *job);

/* A record for the history, copied. False: too many wait (or no memory), and it is lost. Records that are no change find
 * more room. */
bool store_append(struct store *s, const struct history_record *record);

void store_set_retention(struct store *s, int64_t retention);

struct store_stats {
	bool open;
	const char *why; /* NULL: open */
	int64_t since;	 /* wall ms */
	const char *file;
	uint64_t commits, records;
	size_t waiting; /* jobs and records */
};
void store_stats(struct store *s, struct store_stats *ret);

#endif
