/* sync.h: all that one origin says of its users, taken in as a whole: staged, checked, matched, applied, in slices.
 * SPDX-License-Identifier: MIT
 *
 * Pure. Its owner calls sync_run() until it has left a phase:
 *
 *   STAGING, REFUSED --sync_ready()--> CHECKING --> REFUSED
 *                                               --> READY: sync_write() tells what will change
 *   READY --sync_apply()--> APPLYING --> DONE
 */
#ifndef PRESENCED_SYNC_H
#define PRESENCED_SYNC_H

#include <stdbool.h>
#include <stddef.h>

#include "connectors/option.h"
#include "daemon/origins.h"

struct sync;

#define SYNC_MAX_ENTRIES     1000000
#define SYNC_ALWAYS_REMOVES  5	/* so few are never refused: two people who leave an office of eight */
#define SYNC_REMOVES_PERCENT 20 /* more than that is a slip, until somebody says that it is not */

enum sync_phase { SYNC_STAGING, SYNC_CHECKING, SYNC_REFUSED, SYNC_READY, SYNC_APPLYING, SYNC_DONE };

struct sync_counts {
	size_t added, changed, unchanged, removed; /* users */
	size_t conflicts;			   /* entries that change nothing */
	size_t before, missing;			   /* entries of the origin, and those of them that were not named */
};

/* How an entry that is new finds its user, when nobody has its id. All may be NULL. */
struct sync_rules {
	const struct option_list *match; /* columns, the first that finds somebody; copied */
	/* The id that a key is known to belong to (it was renamed), or NULL. */
	const char *(*known)(void *arg, const char *origin, const char *key);
	void *arg;
};

/* An empty one for `origin`. NULL without memory. */
struct sync *sync_new(struct origins *o, struct directory *d, struct origin *origin, const struct sync_rules *rules);

/* In any phase but APPLYING nothing was changed. NULL is fine. What a large one has is released before, in slices of about
 * `budget` entries: true, there is more. After the first slice nothing else may be called. */
void sync_free(struct sync *s);
bool sync_release(struct sync *s, size_t budget);

/* Stage an entry; takes the reference of `fields`, whose id is that of a new user. 0; -EEXIST: the key was named before;
 * -ENOSPC: more than SYNC_MAX_ENTRIES; -ENOMEM. */
int sync_add(struct sync *s, const char *key, struct user_fields *fields);
size_t sync_count(const struct sync *s);
struct origin *sync_origin(const struct sync *s);
size_t sync_expected(const struct sync *s); /* as many as the origin has now */

/* All was said. `removes`: who was not named goes. `force`: however many they are. One that was refused may be checked
 * again: nothing but what was staged is kept of it. */
void sync_ready(struct sync *s, bool removes, bool force);
void sync_apply(struct sync *s);

/* A slice of about `budget` entries; where it is then. */
enum sync_phase sync_run(struct sync *s, size_t budget);
enum sync_phase sync_phase(const struct sync *s);

/* In READY, a slice of what will change: `each` gets entries (`fields` NULL: it goes), at most `budget` looked at. *at is 0
 * at first. True: there is more. */
bool sync_write(const struct sync *s, size_t budget, size_t *at,
    void (*each)(void *arg, struct origin *origin, const char *key, struct user_fields *fields), void *arg);

/* In READY a forecast, in DONE a fact. */
const struct sync_counts *sync_counts(const struct sync *s);

/* Why it was refused, or what the conflicts are, a line each, the first hundred. */
const char *sync_text(const struct sync *s);

#endif
