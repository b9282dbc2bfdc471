/* directory.c: users in a hash table and in a tree of ids, groups with their members.
 * SPDX-License-Identifier: MIT */
#include "daemon/directory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHANGE_TOMBSTONES 10000 /* as many as the log of presence keeps */

RB_HEAD(user_tree, user);

struct directory {
	struct hashtab users, groups;
	struct user_tree order;
	struct changelog *changes;
	const struct directory_observer *observer;
	void *arg;
};

static int by_id(const struct user *a, const struct user *b)
{
	return strcmp(user_id(a), user_id(b));
}

RB_GENERATE_INTERNAL(user_tree, user, order, by_id, static __attribute__((unused)))

const char *user_id(const struct user *user)
{
	return user_field(user->fields, USER_ID);
}

static const char *user_key(const struct hash_link *link)
{
	return user_id(hash_entry(link, const struct user, link));
}

static const char *group_key(const struct hash_link *link)
{
	return hash_entry(link, const struct user_group, link)->name;
}

struct directory *directory_new(const struct directory_observer *observer, void *arg)
{
	struct directory *d = calloc(1, sizeof *d);

	if (d == NULL)
		return NULL;
	hashtab_init(&d->users, user_key);
	hashtab_init(&d->groups, group_key);
	RB_INIT(&d->order);
	d->observer = observer;
	d->arg = arg;
	d->changes = changelog_new(CHANGE_TOMBSTONES);
	if (d->changes == NULL) {
		free(d);
		return NULL;
	}
	return d;
}

/* --- groups -------------------------------------------------------------------------------------- */

static struct user_group *group_make(struct directory *d, const char *name, size_t len)
{
	char key[USER_MAX_FIELD_BYTES + 1];
	struct hash_link *link;
	struct user_group *g;

	if (len > USER_MAX_FIELD_BYTES)
		return NULL;
	memcpy(key, name, len);
	key[len] = '\0';
	link = hashtab_find(&d->groups, key);
	if (link != NULL)
		return hash_entry(link, struct user_group, link);
	g = calloc(1, sizeof *g + len + 1);
	if (g == NULL)
		return NULL;
	memcpy(g->name, key, len + 1);
	if (hashtab_insert(&d->groups, &g->link) < 0) {
		free(g);
		return NULL;
	}
	return g;
}

static void group_drop_if_empty(struct directory *d, struct user_group *g)
{
	if (g->member_count > 0 || g->holds > 0)
		return;
	hashtab_remove(&d->groups, &g->link);
	free(g->members);
	free(g);
}

static uint32_t index_in(const struct user *user, const struct user_group *g)
{
	uint32_t i = 0;

	while (i < user->group_count && user->groups[i] != g)
		i++;
	return i;
}

static int group_join(struct user_group *g, struct user *user, uint32_t at)
{
	if (g->member_count == g->member_size) {
		size_t size = g->member_size == 0 ? 4 : g->member_size * 2;
		struct user **members = reallocarray(g->members, size, sizeof *members);

		if (members == NULL)
			return -ENOMEM;
		g->members = members;
		g->member_size = size;
	}
	user->groups[at] = g;
	user->group_places[at] = (uint32_t)g->member_count;
	g->members[g->member_count++] = user;
	return 0;
}

/* The last member takes the place of the one that leaves. */
static void group_leave(struct user_group *g, const struct user *user, uint32_t at)
{
	uint32_t place = user->group_places[at];
	struct user *last = g->members[--g->member_count];

	g->members[place] = last;
	if (last != user)
		last->group_places[index_in(last, g)] = place;
}

struct group_names {
	struct directory *d;
	struct user_group *groups[USER_MAX_GROUPS];
	uint32_t count;
	bool failed;
};

static bool collect_group(void *arg, const char *name, size_t len)
{
	struct group_names *n = arg;
	struct user_group *g = n->count < USER_MAX_GROUPS ? group_make(n->d, name, len) : NULL;

	if (g == NULL) {
		n->failed = true;
		return false;
	}
	for (uint32_t i = 0; i < n->count; i++)
		if (n->groups[i] == g)
			return true;
	n->groups[n->count++] = g;
	return true;
}

static void forget_groups(struct user *user)
{
	user->group_count = 0;
	free(user->groups);
	free(user->group_places);
	user->groups = NULL;
	user->group_places = NULL;
}

static void leave_all(struct directory *d, struct user *user)
{
	for (uint32_t i = 0; i < user->group_count; i++) {
		group_leave(user->groups[i], user, i);
		group_drop_if_empty(d, user->groups[i]);
	}
	forget_groups(user);
}

/* Put the user into the groups that its fields name, and into no other. */
static int join_groups(struct directory *d, struct user *user)
{
	struct group_names names = { .d = d };
	struct user_group **groups;
	uint32_t *places;

	user_list_each(user_field(user->fields, USER_GROUPS), collect_group, &names);
	groups = calloc(names.count + 1, sizeof *groups);
	places = calloc(names.count + 1, sizeof *places);
	if (names.failed || groups == NULL || places == NULL)
		goto fail;
	user->groups = groups;
	user->group_places = places;
	for (; user->group_count < names.count; user->group_count++)
		if (group_join(names.groups[user->group_count], user, user->group_count) < 0)
			goto fail;
	return 0;
fail:
	if (user->groups == NULL) {
		free(groups);
		free(places);
	}
	for (uint32_t i = 0; i < user->group_count; i++)
		group_leave(user->groups[i], user, i);
	forget_groups(user);
	for (uint32_t i = 0; i < names.count; i++)
		group_drop_if_empty(d, names.groups[i]);
	return -ENOMEM;
}

/* --- users --------------------------------------------------------------------------------------- */

static void user_free(struct directory *d, struct user *user)
{
	leave_all(d, user);
	user_fields_unref(user->fields);
	free(user);
}

void directory_free(struct directory *d)
{
	struct user *user, *next;

	if (d == NULL)
		return;
	for (user = RB_MIN(user_tree, &d->order); user != NULL; user = next) {
		next = directory_next(user);
		RB_REMOVE(user_tree, &d->order, user);
		user_free(d, user);
	}
	hashtab_done(&d->users);
	hashtab_done(&d->groups);
	changelog_free(d->changes);
	free(d);
}

static int add(struct directory *d, struct user_fields *fields)
{
	struct user *user = calloc(1, sizeof *user);

	if (user == NULL)
		return -ENOMEM;
	user->fields = fields;
	if (join_groups(d, user) < 0)
		goto fail;
	if (hashtab_insert(&d->users, &user->link) < 0)
		goto fail_groups;
	RB_INSERT(user_tree, &d->order, user);
	(void)changelog_append(d->changes, &user->change); /* without memory nobody is told, the user is there */
	d->observer->added(d->arg, user);
	return 1;
fail_groups:
	leave_all(d, user);
fail:
	free(user);
	return -ENOMEM;
}

/* Groups of `before` in which the user is no longer; the names live until the groups are dropped. */
static size_t groups_left(const struct user *user, struct user_group *const *before, uint32_t count, const char **ret)
{
	size_t n = 0;

	for (uint32_t i = 0; i < count; i++)
		if (index_in(user, before[i]) == user->group_count)
			ret[n++] = before[i]->name;
	return n;
}

static int change(struct directory *d, struct user *user, struct user_fields *fields)
{
	struct user_fields *old = user->fields;
	struct user_group *before[USER_MAX_GROUPS];
	const char *left[USER_MAX_GROUPS];
	uint32_t count = user->group_count;
	size_t left_count;

	/* The groups of before are held until the observer has seen their names. */
	for (uint32_t i = 0; i < count; i++) {
		before[i] = user->groups[i];
		before[i]->holds++;
		group_leave(before[i], user, i);
	}
	forget_groups(user);
	user->fields = fields;
	(void)join_groups(d, user); /* without memory: in no group until the next change */
	left_count = groups_left(user, before, count, left);
	if (left_count > 0)
		(void)changelog_bury(d->changes, user_id(user), false, left, left_count);
	(void)changelog_append(d->changes, &user->change);
	d->observer->changed(d->arg, user, old, left, left_count);
	for (uint32_t i = 0; i < count; i++) {
		before[i]->holds--;
		group_drop_if_empty(d, before[i]);
	}
	user_fields_unref(old);
	return 1;
}

int directory_set(struct directory *d, struct user_fields *fields)
{
	struct user *user = directory_find(d, user_field(fields, USER_ID));
	int r;

	if (user == NULL) {
		r = add(d, fields);
		if (r < 0)
			user_fields_unref(fields);
		return r;
	}
	if (!user_fields_equal(user->fields, fields))
		return change(d, user, fields);
	user_fields_unref(fields);
	return 0;
}

int directory_rename(struct directory *d, struct user *user, struct user_fields *fields)
{
	struct user_fields *old = user->fields;
	const char *groups[USER_MAX_GROUPS];

	if (directory_find(d, user_field(fields, USER_ID)) != NULL) {
		user_fields_unref(fields);
		return -EEXIST;
	}
	for (uint32_t i = 0; i < user->group_count; i++)
		groups[i] = user->groups[i]->name;
	if (d->observer->renaming != NULL)
		d->observer->renaming(d->arg, user);
	(void)changelog_bury(d->changes, user_id(user), true, groups, user->group_count);
	hashtab_remove(&d->users, &user->link);
	RB_REMOVE(user_tree, &d->order, user);
	user->fields = fields;
	(void)hashtab_insert(&d->users, &user->link); /* it needs no memory: there is room for one that was there */
	RB_INSERT(user_tree, &d->order, user);
	(void)changelog_append(d->changes, &user->change);
	d->observer->changed(d->arg, user, old, NULL, 0);
	user_fields_unref(old);
	return 0;
}

static void remove_user(struct directory *d, struct user *user)
{
	const char *groups[USER_MAX_GROUPS];

	for (uint32_t i = 0; i < user->group_count; i++)
		groups[i] = user->groups[i]->name;
	d->observer->removed(d->arg, user);
	changelog_forget(d->changes, &user->change);
	(void)changelog_bury(d->changes, user_id(user), true, groups, user->group_count);
	hashtab_remove(&d->users, &user->link);
	RB_REMOVE(user_tree, &d->order, user);
	user_free(d, user);
}

bool directory_remove(struct directory *d, const char *id)
{
	struct user *user = directory_find(d, id);

	if (user == NULL)
		return false;
	remove_user(d, user);
	return true;
}

struct user *directory_find(const struct directory *d, const char *id)
{
	struct hash_link *link = hashtab_find(&d->users, id);

	return link == NULL ? NULL : hash_entry(link, struct user, link);
}

const struct user_group *directory_group(const struct directory *d, const char *name)
{
	struct hash_link *link = hashtab_find(&d->groups, name);

	return link == NULL ? NULL : hash_entry(link, const struct user_group, link);
}

size_t directory_count(const struct directory *d)
{
	return d->users.count;
}

struct user *directory_after(const struct directory *d, const char *id)
{
	struct user *found = NULL;

	for (struct user *u = RB_ROOT(&d->order); u != NULL;) {
		if (strcmp(user_id(u), id) > 0) {
			found = u;
			u = RB_LEFT(u, order);
		} else {
			u = RB_RIGHT(u, order);
		}
	}
	return found;
}

struct user *directory_next(const struct user *user)
{
	return user_tree_RB_NEXT((struct user *)(uintptr_t)user);
}

struct changelog *directory_changes(struct directory *d)
{
	return d->changes;
}
