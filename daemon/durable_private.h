/* durable_private.h: the bodies behind durable.h, for durable*.c only.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_DURABLE_PRIVATE_H
#define PRESENCED_DURABLE_PRIVATE_H

#include <bsd/sys/queue.h>

#include "daemon/durable.h"

#define SLICE_ENTRIES  500   /* looked at in one turn: below 5 ms */
#define SLICE_RELEASED 4000  /* pieces freed in one turn */
#define JOBS_MAX       1000  /* that nobody waits for; more, and everything is written anew when they are done */
#define NOTE_LOOK_MS   60000 /* between two looks at when notes end */
#define ANSWER_MS      10000 /* for the disk; then whether it is done is not known */
#define PATIENCE_MS    30000 /* for the turn of what somebody waits for */
#define AGAIN_MS       5000  /* after reading or writing everything has failed */

#define SOURCE_NAME_MAX 128	  /* more than the configuration allows */
#define RENAME_PREFIX	"rename/" /* in the memory of the daemon: what a key of users.csv is called now */

enum step { STEP_AGAIN, STEP_WAIT, STEP_OVER };

/* What an operation does besides this header stands behind it, in the file that makes it. */
struct durable_op {
	struct store_job job; /* first */
	TAILQ_ENTRY(durable_op) place;
	struct durable *durable;
	/* Called when its turn has come, and again while it says so; the result is filled in before STEP_OVER. */
	enum step (*step)(struct durable_op *op, struct instant now);
	/* On the store's thread. */
	int (*run)(struct durable_op *op, const struct store_files *files);
	/* On the loop, when that is on disk: change the memory. STEP_AGAIN: step() goes on. */
	enum step (*apply)(struct durable_op *op, int result);
	/* What it owns is freed: much of it in slices before (true: there is more); then the rest. NULL: nothing. */
	bool (*release)(struct durable_op *op, size_t budget);
	void (*free)(struct durable_op *op);
	struct durable_done done;
	struct durable_result result;
	struct sync_counts counts;
	char why[512];
	char field[128];
	bool alone;	  /* in the queue: one after another */
	bool renames;	  /* notes wait for it, and it for them */
	bool begun;	  /* its turn has come: a large one takes as long as it takes */
	bool submitted;	  /* to the store, which has not answered */
	bool overdue;	  /* it took too long: it was answered, and is in no list; what the store says is still done */
	int64_t deadline; /* mono: for its turn to come, then for the store's answer; INSTANT_NEVER none */
};
TAILQ_HEAD(durable_ops, durable_op);

struct held_sync {
	SLIST_ENTRY(held_sync) link;
	struct sync *sync;
	bool removes;
	char source[];
};

struct durable {
	struct durable_config config;
	struct store *store;
	struct origins *origins;
	struct notes *notes;
	struct inbox *inbox;
	struct recall *recall;
	struct durable_ops queue;  /* one after another; the first is at work */
	struct durable_ops beside; /* all at work, while the file is not written anew */
	struct durable_ops dying;  /* over, and being released */
	size_t jobs;		   /* at work, that nobody waits for */
	bool open, loaded;	   /* the file; what was in it */
	bool readable;		   /* the file, though it is not open */
	bool told;		   /* that it does not work, in the log */
	bool dirty;		   /* the file is no copy: it is to be written anew */
	bool writing;		   /* an operation for that is in the queue */
	bool loading;		   /* one that reads the file is */
	bool hung;		   /* the store's thread did not end: what it may still read is not freed */
	int64_t again_at;	   /* mono: reading or writing has failed, and is tried again */
	/* what was taken away while the file was not read yet, and must not come back with it */
	struct recall *gone_memory, *gone_requests;
	SLIST_HEAD(, held_sync) held;
};

/* durable.c */
void *durable_op_new(struct durable *d, size_t size, struct durable_done done); /* NULL without memory */
struct durable_op *durable_enqueue(struct durable_op *op);			/* in the queue */
struct durable_op *durable_beside(struct durable_op *op);			/* beside it */
enum step durable_submit(struct durable_op *op, struct instant now); /* run(): STEP_WAIT, or it has failed: STEP_OVER */
enum step durable_fail(struct durable_op *op, enum durable_end end, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* STEP_OVER */

bool durable_is_beside(const struct durable *d);  /* notes are at the store */
bool durable_takes_jobs(const struct durable *d); /* that nobody waits for; else everything is written anew */

/* durable_rows.c */
void durable_expire_notes(struct durable *d, int64_t wall);

void durable_rename_file_entries(struct durable *d); /* durable_users.c */

/* durable_users.c: for syncs, the user that a key was renamed to, or NULL. */
const char *durable_known_key(void *durable, const char *origin, const char *key);

/* durable_all.c: in the queue */
void durable_load(struct durable *d);
void durable_write_all(struct durable *d);

#endif
