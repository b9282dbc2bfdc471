/* directory.h: the users, found by id, in order of id, and by group.
 * SPDX-License-Identifier: MIT
 *
 * Pure; it tells one observer what changes.
 */
#ifndef PRESENCED_DIRECTORY_H
#define PRESENCED_DIRECTORY_H

#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/hashtab.h"
#include "daemon/changelog.h"
#include "daemon/model/user.h"

struct directory;
struct presentity; /* aggregator.h */
struct entry;	   /* origins.h */

/* A group exists as long as it has members. */
struct user_group {
	struct hash_link link;
	struct user **members; /* any order */
	size_t member_count, member_size;
	uint32_t holds; /* by a change that goes on */
	char name[];
};

/* One user; stable as long as the user exists. Owned by the directory. */
struct user {
	struct hash_link link;
	RB_ENTRY(user) order;
	struct user_fields *fields;
	struct user_group **groups; /* each once */
	uint32_t *group_places;	    /* where it stands in each group's members */
	uint32_t group_count;
	uint32_t history, history_hash; /* history.c: whether, and what, was written of the user */
	struct presentity *presentity;	/* the aggregator's half */
	struct entry *entries;		/* origins.c: where its fields come from; NULL if nobody counts them */
	struct changelog_node change;	/* in the log of directory changes */
};

/* Called in the middle of the change, on consistent data. */
struct directory_observer {
	void (*added)(void *arg, struct user *user);
	/* `left`: groups that the user is no longer in (they may be gone after the call). `old` fields: for
	 * the call. */
	void (*changed)(
	    void *arg, struct user *user, const struct user_fields *old, const char *const *left, size_t left_count);
	void (*removed)(void *arg, struct user *user); /* before it is freed; groups still there */
	/* Before it gets another id; `changed` follows. NULL: not needed. */
	void (*renaming)(void *arg, struct user *user);
};

struct directory *directory_new(const struct directory_observer *observer, void *arg);
void directory_free(struct directory *d); /* tells nobody */

/* Add the user or change it; takes the reference of `fields`, which are valid (user_columns_check). 1: added or
 * changed, 0: was so already, -ENOMEM. */
int directory_set(struct directory *d, struct user_fields *fields);

/* Give the user, who stays the same object, the id in `fields`; takes the reference. 0, or -EEXIST: somebody has it. */
int directory_rename(struct directory *d, struct user *user, struct user_fields *fields);

/* Remove; false if there is no such user. */
bool directory_remove(struct directory *d, const char *id);

struct user *directory_find(const struct directory *d, const char *id);
const struct user_group *directory_group(const struct directory *d, const char *name);
size_t directory_count(const struct directory *d);

/* The first user whose id comes after `id` in byte order ("": the first of all); NULL at the end. */
struct user *directory_after(const struct directory *d, const char *id);

/* The next one in order of id. */
struct user *directory_next(const struct user *user);

/* Changes of users: nodes are user.change. */
struct changelog *directory_changes(struct directory *d);

const char *user_id(const struct user *user);

#endif
