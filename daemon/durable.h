/* durable.h: what must survive: users by hand and from sources, notes, requests, the connectors' memory.
 * SPDX-License-Identifier: MIT
 *
 * Memory is the truth while the daemon runs, the store its copy on disk. What somebody is promised (a note, a user) is
 * changed in memory when it is on disk, and refused when it cannot be. What a source says (its directory, a request, its
 * memory) is changed at once. Whenever the file was away, everything is written anew, so that it is a copy again.
 *
 * Changes of the directory are operations that follow one another in a queue; notes do not wait, but for a file that is
 * being written anew.
 */
#ifndef PRESENCED_DURABLE_H
#define PRESENCED_DURABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "daemon/inbox.h"
#include "daemon/notes.h"
#include "daemon/origins.h"
#include "daemon/recall.h"
#include "daemon/store/store.h"
#include "daemon/sync.h"

struct durable;
struct durable_op; /* a change that is under way */

/* How an operation ended. Texts and counts are borrowed for the call. */
enum durable_end {
	DURABLE_DONE,
	DURABLE_UNAVAILABLE, /* it is not on disk, as far as anybody can tell; nothing was changed in memory */
	DURABLE_NO_USER,
	DURABLE_EXISTS,	   /* somebody has that id */
	DURABLE_ELSEWHERE, /* nothing is set by hand; the user comes from other origins */
	DURABLE_WRONG,	   /* `field` */
	DURABLE_REFUSED,   /* too many would be removed */
	DURABLE_NO_MEMORY,
};
struct durable_result {
	enum durable_end end;
	bool changed;			  /* there was something to change; of a removal: the user is gone */
	const char *why, *field;	  /* a sentence, when it is not DONE; the member that is wrong */
	const struct sync_counts *counts; /* of a sync */
};
struct durable_done {
	void (*done)(void *arg, const struct durable_result *result);
	void *arg;
};

struct durable_config {
	struct loop *loop;
	struct directory *directory;
	const char *folder; /* STATE */
	int64_t started;    /* wall ms */
	int64_t retention;  /* of history, ms */
	void (*note_changed)(void *arg, const char *user);
	void (*renamed)(void *arg, const char *from, struct user *user); /* before anything else happens */
	void (*replaced)(void *arg);					 /* the file is another one */
	void (*loaded)(void *arg);					 /* all that is in it is here */
	void *arg;
};

/* Start the store, wait some seconds for it, and take in what it has. 0 and *ret, or -errno. A store that does not work
 * is a warning in the log. */
int durable_start(struct durable **ret, const struct durable_config *config);

/* Finish what is under way, and tell it; then it takes no more. */
void durable_stop(struct durable *d, int64_t at);
void durable_free(struct durable *d);

/* A slice. True: there is more. */
bool durable_run(struct durable *d, struct instant now);
int64_t durable_deadline(const struct durable *d, struct instant now); /* mono ms */

struct store *durable_store(const struct durable *d); /* NULL: it was stopped */
struct notes *durable_notes(const struct durable *d);
struct inbox *durable_inbox(const struct durable *d);

#define STORE_STATUS_MAP(X) \
	X(OK, "ok", "changes are kept") \
	X(RETURNING, "returning", "the file is back, and is being written anew; changes wait for it") \
	X(UNAVAILABLE, "unavailable", "changes are refused")
enum store_status {
#define X(symbol, name, help) STORE_STATUS_##symbol,
	STORE_STATUS_MAP(X)
#undef X
	    STORE_STATUS_COUNT
};
extern const struct vocab vocab_store_status;
enum store_status durable_status(const struct durable *d);

/* --- what is promised ----------------------------------------------------------------------------
 *
 * `done` is called once, later. NULL: no memory, and it is not called. */

/* Nobody waits for it any more; it goes on. */
void durable_forget(struct durable_op *op);

/* `note->author` NULL: the name of the account `uid`, looked up on the store's thread. */
struct durable_op *durable_set_note(struct durable *d, const struct note *note, uid_t uid, struct durable_done done);
struct durable_op *durable_clear_note(struct durable *d, const char *user, struct durable_done done);

/* Change what is set by hand as `given` says (user_json_read(); a reference is taken). */
struct durable_op *durable_set_user(struct durable *d, const char *user, json_t *given, struct durable_done done);
struct durable_op *durable_remove_user(struct durable *d, const char *user, struct durable_done done);
struct durable_op *durable_rename_user(struct durable *d, const char *from, const char *to, struct durable_done done);

/* A sync for what is set by hand. */
struct sync *durable_new_import(struct durable *d);

/* Take it in; takes the sync, which is staged. `dry_run`: only say what would change. */
struct durable_op *durable_import(
    struct durable *d, struct sync *sync, bool replace, bool force, bool dry_run, struct durable_done done);

/* A secret of a source, for STATE/secrets/SOURCE (mode 0600). */
struct durable_op *durable_set_secret(
    struct durable *d, const char *source, const char *secret, struct durable_done done);

/* Free a sync that is not taken in, in slices. NULL is fine. */
void durable_drop_sync(struct durable *d, struct sync *sync);

/* The user is going to be removed: the note goes too. Notes of who went while the daemon did not run: when all users are
 * there. */
void durable_user_removed(struct durable *d, const char *user);
void durable_prune_notes(struct durable *d);

/* --- users.csv ----------------------------------------------------------------------------------- */

struct sync *durable_new_file_sync(struct durable *d);

/* Take the file in at once: at the start. Frees the sync. */
void durable_take_file_now(struct durable *d, struct sync *sync, struct sync_counts *ret);

/* Take it in slices. `ready` is called when it is going to be done, and everything else may be changed with it. */
struct durable_op *durable_take_file(
    struct durable *d, struct sync *sync, bool force, void (*ready)(void *arg), struct durable_done done);

/* --- what sources say ---------------------------------------------------------------------------- */

/* A sync of the origin `source`, whose rank is its place in the configuration. */
struct sync *durable_new_source_sync(
    struct durable *d, const char *source, int position, const struct option_list *match);

/* Take it in; takes the sync. One that is refused is kept until the next one of this source, or force. */
struct durable_op *durable_take_source(
    struct durable *d, const char *source, struct sync *sync, bool complete, struct durable_done done);

/* The one that was refused: whether there is one, and take it in. */
bool durable_holds(const struct durable *d, const char *source);
struct durable_op *durable_take_held(struct durable *d, const char *source, bool force, struct durable_done done);

/* Origins of sources that `position_of` does not know (-1) have no users any more; the others are believed in the order of
 * the positions. */
void durable_keep_sources(struct durable *d, int (*position_of)(void *arg, const char *name), void *arg);

const char *durable_folder(const struct durable *d);

/* 0, or -ENOSPC: more than recall.h allows. */
int durable_remember(struct durable *d, const char *source, const char *key, const char *value);

/* *ret_known: false while nothing could be read since the start. */
const char *durable_recall(const struct durable *d, const char *source, const char *key, bool *ret_known);

/* 0 or -ENOSPC. */
int durable_request(struct durable *d, const char *source, const char *address, const char *name, const char *text);
void durable_withdraw(struct durable *d, const char *source, const char *address);

/* It was decided: it goes at once, and `done` is told when the disk knows. */
struct durable_op *durable_decided(struct durable *d, struct inbox_request *request, struct durable_done done);

#endif
