/* history_table.h: rows of history in the file: written, read in pages, and pruned. For the store's thread.
 * SPDX-License-Identifier: MIT
 *
 * What is said of users repeats, so a state is kept once (history_states) and a row names it: about 60 bytes a change
 * instead of 400. Functions return 0, -EIO or -EINVAL as database.h has them.
 */
#ifndef PRESENCED_HISTORY_TABLE_H
#define PRESENCED_HISTORY_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/buf.h"
#include "daemon/model/user.h"
#include "daemon/model/vocab.h"
#include "daemon/store/database.h"

#define HISTORY_PAGE_BYTES (768 * 1024) /* a page ends before its line would be too long */

#define HISTORY_KIND_MAP(X) \
	X(CHANGE, "change", "the presence became another") \
	X(STARTED, "started", "the daemon started; what was open ends at observed_until") \
	X(STOPPED, "stopped", "the daemon ended in order; what was open ends") \
	X(REMOVED, "removed", "the user was removed; what was open ends") \
	X(RENAMED, "renamed", "the user got another id; what was open goes on")
enum history_kind {
#define X(symbol, name, help) HISTORY_##symbol,
	HISTORY_KIND_MAP(X)
#undef X
	    HISTORY_KIND_COUNT,
	HISTORY_ALIVE = HISTORY_KIND_COUNT /* no row: so far was observed, and every row before it was written */
};
extern const struct vocab vocab_history_kind;

struct history_record {
	int8_t kind; /* enum history_kind */
	bool gap;
	uint64_t seq;
	int64_t at, rich_since, telephony_since; /* wall ms */
	const char *user;			 /* NULL: it is about the daemon */
	const char *state;  /* {"overall":..,"rich":{..},"telephony":{..}} without since, calls and target; NULL none */
	const char *secret; /* {"calls":[..],"target":..}; NULL none */
	const char *from;   /* RENAMED */
	int64_t until;	    /* STARTED: until when was observed; 0 not known */
};

/* What is known between records. */
struct history_table {
	/* A rename that was written, and whose record is still to come: who is said to be `from` is `to`. */
	char from[USER_MAX_ID_BYTES + 1], to[USER_MAX_ID_BYTES + 1];
	bool fresh; /* it is in a transaction that is not committed */
};

int history_table_put(struct history_table *t, struct database *db, const struct history_record *record);

/* The user is renamed in the file, and records that name the old id until the one of kind RENAMED are of the new one. */
void history_table_renaming(struct history_table *t, const char *from, const char *to);

/* The transaction is undone. */
void history_table_undone(struct history_table *t);

/* Rows of a user, and of the daemon, as history.list has them (presenced-protocol(7)). */
struct history_query {
	const char *user;
	int64_t from, to; /* wall ms; 0: open */
	int64_t after;	  /* id of a row */
	int64_t limit;
	bool secrets; /* calls and target too */
};

/* The members "rows", "before" and "next". 1; 0: history has never heard of the user (rows of the daemon are there). */
int history_table_read(struct database *db, const struct history_query *query, struct buf *b);

/* A slice of deleting what was before `cutoff` (wall ms), but for what was in force then. *position is 0 at the beginning
 * of a pass, and again at its end. */
int history_table_prune(struct database *db, int64_t cutoff, int64_t *position);

#endif
