/* interest.h: who wants to know about whom.
 * SPDX-License-Identifier: MIT
 *
 * Topics are users by id (also ids that nobody has yet), groups by name, and everybody; a change touches the
 * topics of its user, and only their readers wake up.
 */
#ifndef PRESENCED_INTEREST_H
#define PRESENCED_INTEREST_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/hashtab.h"
#include "daemon/directory.h"

struct interest;
struct topic;

/* One (reader, topic). */
struct interest_link;

/* A set of users that somebody follows; embedded by its owner. */
struct reader {
	struct interest *interest;
	LIST_HEAD(, interest_link) links;
	LIST_ENTRY(reader) in_all;
	struct hashtab topics;	   /* its links, by key of the topic */
	uint64_t woken;		   /* the change that put it into the queue: nothing before it concerns this reader */
	bool all, demand, pending; /* pending: in the queue of those who have something to read */
	size_t user_count, group_count;
	TAILQ_ENTRY(reader) queue;
};
TAILQ_HEAD(reader_queue, reader);

/* `demand_changed` is called for each user whose demand may have changed. */
struct interest *interest_new(
    struct directory *directory, void (*demand_changed)(void *arg, struct user *user), void *arg);
void interest_free(struct interest *i);

/* An empty set. `demand`: its users are to be watched. */
void reader_init(struct reader *r, struct interest *i, bool demand);
void reader_done(struct reader *r);

/* Add to the set; idempotent. 0 or -ENOMEM. */
int reader_add_user(struct reader *r, const char *id);
int reader_add_group(struct reader *r, const char *name);
void reader_add_all(struct reader *r);

/* Whether the user is in the set; whether it would be by this id and these groups (a tombstone). */
bool reader_wants(const struct reader *r, const struct user *user);
bool reader_wanted(const struct reader *r, const struct changelog_tombstone *t);

/* Call `each` for every present user of the set, some perhaps twice. Not for a set that is `all`. */
void reader_each(const struct reader *r, void (*each)(void *arg, struct user *user), void *arg);

/* About how many users reader_each() visits. */
size_t reader_size(const struct reader *r);

/* Something of this user changed, at `seq` (or it left `left` groups): its readers join the queue. */
void interest_touch(
    struct interest *i, const struct user *user, uint64_t seq, const char *const *left, size_t left_count);

/* Whether any reader that demands has this user in its set. */
bool interest_demanded(const struct interest *i, const struct user *user);

/* How many readers have something to read. */
size_t interest_queued(const struct interest *i);

/* Readers with something to read; the owner takes them off (reader_unqueue) and puts back (reader_queue). */
struct reader *interest_first(struct interest *i);
void reader_unqueue(struct reader *r);
void reader_queue(struct reader *r, uint64_t seq);

/* For explain: every reader whose set has the user. */
void interest_each_reader(
    const struct interest *i, const struct user *user, void (*each)(void *arg, const struct reader *r), void *arg);

#endif
