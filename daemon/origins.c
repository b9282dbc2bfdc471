/* origins.c: entries in a table an origin, and in a short list a user.
 * SPDX-License-Identifier: MIT */
#include "daemon/origins.h"

#include <bsd/sys/queue.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX USER_MAX_MERGED /* by hand, the file, and some sources */

struct entry {
	struct hash_link link; /* in its origin */
	struct origin *origin;
	struct user *user;	    /* who has it in the list user->entries */
	struct entry *next;	    /* of the same user, in rank */
	struct user_fields *fields; /* one reference */
	char *key;		    /* owned; NULL: the id of the user */
	uint32_t mark;
};

struct origin {
	SLIST_ENTRY(origin) place;
	struct hashtab entries;
	int rank;
	bool complete;
	char name[];
};

struct origins {
	struct directory *directory;
	SLIST_HEAD(, origin) list;
	uint32_t marks;
};

static const char *key_of(const struct hash_link *link)
{
	return entry_key(hash_entry(link, const struct entry, link));
}

struct origins *origins_new(struct directory *directory)
{
	struct origins *o = calloc(1, sizeof *o);

	if (o == NULL)
		return NULL;
	o->directory = directory;
	SLIST_INIT(&o->list);
	return o;
}

static void entry_free(struct entry *e)
{
	user_fields_unref(e->fields);
	free(e->key);
	free(e);
}

void origins_free(struct origins *o)
{
	struct origin *origin;
	struct hash_link *link;

	if (o == NULL)
		return;
	while ((origin = SLIST_FIRST(&o->list)) != NULL) {
		size_t bucket = 0;

		SLIST_REMOVE_HEAD(&o->list, place);
		while ((link = hashtab_first(&origin->entries, &bucket)) != NULL) {
			hashtab_remove(&origin->entries, link);
			entry_free(hash_entry(link, struct entry, link));
		}
		hashtab_done(&origin->entries);
		free(origin);
	}
	free(o);
}

struct origin *origins_find(const struct origins *o, const char *name)
{
	struct origin *origin;

	SLIST_FOREACH (origin, &o->list, place) {
		if (strcmp(origin->name, name) == 0)
			return origin;
	}
	return NULL;
}

struct origin *origins_next(const struct origins *o, const struct origin *origin)
{
	return origin == NULL ? SLIST_FIRST(&o->list) : SLIST_NEXT(origin, place);
}

struct origin *origins_get(struct origins *o, const char *name, int rank)
{
	struct origin *origin = origins_find(o, name);
	size_t len = strlen(name);

	if (origin == NULL) {
		origin = calloc(1, sizeof *origin + len + 1);
		if (origin == NULL)
			return NULL;
		memcpy(origin->name, name, len + 1);
		hashtab_init(&origin->entries, key_of);
		origin->rank = rank;
		SLIST_INSERT_HEAD(&o->list, origin, place);
	}
	return origin;
}

/* --- the entries of a user ----------------------------------------------------------------------- */

static void leave_user(struct entry *e)
{
	struct entry **place = &e->user->entries;

	while (*place != e)
		place = &(*place)->next;
	*place = e->next;
	e->user = NULL;
}

/* Behind those of its rank: of two entries of one origin the older one is believed. */
static void join_user(struct entry *e, struct user *user)
{
	struct entry **place = &user->entries;

	while (*place != NULL && (*place)->origin->rank <= e->origin->rank)
		place = &(*place)->next;
	e->next = *place;
	*place = e;
	e->user = user;
}

/* Make the user what its entries say now. */
static int merge(struct origins *o, const struct user *user)
{
	struct user_fields *fields[ENTRIES_MAX], *merged;
	size_t count = 0;

	for (struct entry *e = user->entries; e != NULL && count < ENTRIES_MAX; e = e->next)
		fields[count++] = e->fields;
	merged = user_fields_merge(fields, count);
	return merged == NULL ? -ENOMEM : directory_set(o->directory, merged);
}

/* The user lost an entry: it is what the others say, or gone. */
static enum origins_result settle(struct origins *o, struct user *user)
{
	if (user->entries == NULL) {
		directory_remove(o->directory, user_id(user));
		return ORIGINS_REMOVED;
	}
	return merge(o, user) == 1 ? ORIGINS_CHANGED : ORIGINS_UNCHANGED; /* without memory: as it was */
}

/* --- setting ------------------------------------------------------------------------------------- */

static struct entry *entry_of(const struct origin *origin, const char *key)
{
	struct hash_link *link = hashtab_find(&origin->entries, key);

	return link == NULL ? NULL : hash_entry(link, struct entry, link);
}

/* An entry of nobody yet. Its key must be findable: it is its own, or that of its fields. */
static struct entry *make_entry(struct origin *origin, const char *key, struct user_fields *fields)
{
	struct entry *e = calloc(1, sizeof *e);

	if (e == NULL)
		return NULL;
	e->origin = origin;
	e->fields = user_fields_ref(fields);
	if (strcmp(key, user_field(fields, USER_ID)) != 0)
		e->key = strdup(key);
	if ((e->key == NULL && strcmp(key, user_field(fields, USER_ID)) != 0) ||
	    hashtab_insert(&origin->entries, &e->link) < 0) {
		entry_free(e);
		return NULL;
	}
	return e;
}

static void drop_entry(struct entry *e)
{
	hashtab_remove(&e->origin->entries, &e->link);
	entry_free(e);
}

/* A new entry; the user is made first, if nobody has the id. */
static int add_entry(struct origins *o, struct origin *origin, const char *key, struct user_fields *fields)
{
	const char *id = user_field(fields, USER_ID);
	struct user *user = directory_find(o->directory, id);
	struct entry *e = make_entry(origin, key, fields);
	bool is_new = user == NULL;
	int r;

	if (e == NULL)
		return -ENOMEM;
	if (is_new) {
		r = directory_set(o->directory, user_fields_ref(fields));
		user = r < 0 ? NULL : directory_find(o->directory, id);
		if (user == NULL) {
			drop_entry(e);
			return -ENOMEM;
		}
		join_user(e, user);
		return ORIGINS_ADDED;
	}
	join_user(e, user);
	r = merge(o, user);
	if (r < 0) {
		leave_user(e);
		drop_entry(e);
		return r;
	}
	return r == 1 ? ORIGINS_CHANGED : ORIGINS_UNCHANGED;
}

/* The same entry, of the same user, says something else. The table finds it by its fields: they are of the same id. */
static int change_entry(struct origins *o, struct entry *e, struct user_fields *fields)
{
	struct user_fields *old = e->fields;
	int r;

	if (user_fields_equal(old, fields))
		return ORIGINS_UNCHANGED;
	e->fields = user_fields_ref(fields);
	r = merge(o, e->user);
	if (r < 0) {
		user_fields_unref(e->fields);
		e->fields = old;
		return r;
	}
	user_fields_unref(old);
	return r == 1 ? ORIGINS_CHANGED : ORIGINS_UNCHANGED;
}

/* It is of another user now. The new one comes first, so that an address they share stays watched. */
static int move_entry(struct origins *o, struct entry *e, const char *key, struct user_fields *fields)
{
	struct origin *origin = e->origin;
	struct user *before = e->user;
	uint32_t mark = e->mark;
	char *own_key = strdup(key); /* `key` may be that of the entry which goes */
	int r;

	if (own_key == NULL)
		return -ENOMEM;
	leave_user(e);
	drop_entry(e);
	r = add_entry(o, origin, own_key, fields);
	if (r >= 0)
		entry_set_mark(entry_of(origin, own_key), mark);
	(void)settle(o, before);
	free(own_key);
	return r;
}

int origins_set(struct origins *o, struct origin *origin, const char *key, struct user_fields *fields)
{
	struct entry *e = entry_of(origin, key);
	int r;

	if (e == NULL)
		r = add_entry(o, origin, key, fields);
	else if (strcmp(user_id(e->user), user_field(fields, USER_ID)) == 0)
		r = change_entry(o, e, fields);
	else
		r = move_entry(o, e, key, fields);
	user_fields_unref(fields);
	return r;
}

enum origins_result origins_remove(struct origins *o, struct origin *origin, const char *key)
{
	struct entry *e = entry_of(origin, key);
	struct user *user;

	if (e == NULL)
		return ORIGINS_UNCHANGED;
	user = e->user;
	leave_user(e);
	drop_entry(e);
	return settle(o, user);
}

/* --- renaming ------------------------------------------------------------------------------------ */

/* What the entries of a user become. */
struct renamed {
	struct user_fields *fields[ENTRIES_MAX], *merged;
	char *keys[ENTRIES_MAX]; /* NULL: the id */
	size_t count;
};

static bool follows_id(const struct entry *e)
{
	return strcmp(e->origin->name, ORIGIN_BY_HAND) == 0;
}

static void renamed_done(struct renamed *r)
{
	for (size_t i = 0; i < r->count; i++) {
		user_fields_unref(r->fields[i]);
		free(r->keys[i]);
	}
	user_fields_unref(r->merged);
}

static bool prepare(struct renamed *r, const struct user *user, const char *to)
{
	r->merged = user_fields_rename(user->fields, to);
	for (struct entry *e = user->entries; e != NULL; e = e->next) {
		if (r->count == ENTRIES_MAX)
			return false;
		r->keys[r->count] = follows_id(e) ? NULL : strdup(entry_key(e));
		r->fields[r->count] =
		    e->fields == user->fields ? user_fields_ref(r->merged) : user_fields_rename(e->fields, to);
		r->count++;
		if (r->fields[r->count - 1] == NULL || (r->keys[r->count - 1] == NULL && !follows_id(e)))
			return false;
	}
	return r->merged != NULL;
}

int origins_rename(struct origins *o, struct user *user, const char *to)
{
	struct renamed r = { .count = 0 };
	size_t i = 0;

	if (directory_find(o->directory, to) != NULL)
		return -EEXIST;
	if (!prepare(&r, user, to)) {
		renamed_done(&r);
		return -ENOMEM;
	}
	for (struct entry *e = user->entries; e != NULL; e = e->next, i++) {
		hashtab_remove(&e->origin->entries, &e->link);
		user_fields_unref(e->fields);
		free(e->key);
		e->fields = user_fields_ref(r.fields[i]);
		e->key = r.keys[i];
		r.keys[i] = NULL;
		(void)hashtab_insert(&e->origin->entries, &e->link); /* as many as before: it needs no memory */
	}
	(void)directory_rename(o->directory, user, user_fields_ref(r.merged));
	renamed_done(&r);
	return 0;
}

/* --- ranks --------------------------------------------------------------------------------------- */

bool origin_set_rank(struct origin *origin, int rank)
{
	bool another = origin->rank != rank;

	origin->rank = rank;
	return another && origin->entries.count > 0;
}

static bool is_in_order(const struct user *user)
{
	for (const struct entry *e = user->entries; e != NULL && e->next != NULL; e = e->next)
		if (e->origin->rank > e->next->origin->rank)
			return false;
	return true;
}

void origins_reorder(struct origins *o, struct user *user)
{
	struct entry *e = user->entries, *next;

	if (is_in_order(user))
		return;
	user->entries = NULL;
	for (; e != NULL; e = next) {
		next = e->next;
		join_user(e, user);
	}
	(void)merge(o, user); /* without memory: as it was */
}

/* --- asking -------------------------------------------------------------------------------------- */

const struct entry *origin_entry(const struct origin *origin, const char *key)
{
	return entry_of(origin, key);
}

size_t origin_count(const struct origin *origin)
{
	return origin->entries.count;
}

const char *origin_name(const struct origin *origin)
{
	return origin->name;
}

const struct entry *user_entry_next(const struct user *user, const struct entry *entry)
{
	return entry == NULL ? user->entries : entry->next;
}

const char *entry_key(const struct entry *entry)
{
	return entry->key != NULL ? entry->key : user_field(entry->fields, USER_ID);
}

struct user_fields *entry_fields(const struct entry *entry)
{
	return entry->fields;
}

struct origin *entry_origin(const struct entry *entry)
{
	return entry->origin;
}

const struct user *entry_user(const struct entry *entry)
{
	return entry->user;
}

uint32_t entry_mark(const struct entry *entry)
{
	return entry->mark;
}

void entry_set_mark(const struct entry *entry, uint32_t mark)
{
	((struct entry *)(uintptr_t)entry)->mark = mark;
}

uint32_t origins_new_mark(struct origins *o)
{
	return ++o->marks;
}

void origin_set_complete(struct origin *origin)
{
	origin->complete = true;
}

bool origin_is_complete(const struct origin *origin)
{
	return origin->complete;
}
