/* changelog.h: the one log. Compacted: whoever is in it has one live entry, at the sequence number of the
 * last change. SPDX-License-Identifier: MIT
 *
 * A reader is a sequence number and nothing else, so it may be as slow as it likes; it asks for what came
 * after, gets each subject once, at its latest state, and costs nothing while it doesn't ask. Pure: no I/O,
 * no clock. The same structure carries composed presence, changes of the directory and changes of sources.
 */
#ifndef PRESENCED_CHANGELOG_H
#define PRESENCED_CHANGELOG_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct changelog;

/* Embedded in what is logged. seq 0: not in the log. */
struct changelog_node {
	uint64_t seq;
};

/* What is left of somebody who is gone, or who left some groups. Owned by the log. */
struct changelog_tombstone {
	TAILQ_ENTRY(changelog_tombstone) link;
	uint64_t seq;
	bool removed; /* false: still there, but no longer in these groups */
	char *id;
	char **groups; /* the groups it was in, or left */
	size_t group_count;
};

/* What stands at a place of the log: exactly one of the two. */
struct changelog_entry {
	uint64_t seq;
	struct changelog_node *node;
	struct changelog_tombstone *tombstone;
};

/* An empty log that keeps the newest `tombstones` tombstones. NULL without memory. */
struct changelog *changelog_new(size_t tombstones);
void changelog_free(struct changelog *log);

/* Give the node the next sequence number; its older entry is dead. 0 or -ENOMEM (nothing has changed). */
int changelog_append(struct changelog *log, struct changelog_node *node);

/* Take a node out without a trace (it is going to be freed). */
void changelog_forget(struct changelog *log, struct changelog_node *node);

/* Append a tombstone; texts are copied. 0 or -ENOMEM. */
int changelog_bury(struct changelog *log, const char *id, bool removed, const char *const *groups, size_t group_count);

/* The last number given (0: none). Changes up to `forgotten` cannot be told any more: a reader must be at or
 * after it. */
uint64_t changelog_last(const struct changelog *log);
uint64_t changelog_forgotten(const struct changelog *log);

/* The first live entry later than `seq`: true and *ret, false at the end. O(log n); walking on is O(1)
 * amortised. */
bool changelog_next(const struct changelog *log, uint64_t seq, struct changelog_entry *ret);

/* The live entry at exactly `seq`, if it is still alive. */
bool changelog_at(const struct changelog *log, uint64_t seq, struct changelog_entry *ret);

/* How many places, dead or alive, a walk from `seq` to the end looks at. */
size_t changelog_distance(const struct changelog *log, uint64_t seq);

/* The newest tombstone, or the one before `t`; NULL at the end. */
const struct changelog_tombstone *changelog_tombstone_before(
    const struct changelog *log, const struct changelog_tombstone *t);

/* Bytes held, for measurements. */
size_t changelog_memory(const struct changelog *log);

#endif
