/* sync.c: staged entries, and the steps that take them in.
 * SPDX-License-Identifier: MIT */
#include "daemon/sync.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/buf.h"
#include "daemon/base/utf8.h"
#include "daemon/sync_match.h"

#define BLOCK_ITEMS    1024 /* in one piece: a hundred thousand pieces are not freed at once */
#define TEXT_BYTES     65536
#define TEXT_MAX_LINES 100

enum verdict { ITEM_OPEN, ITEM_SAME, ITEM_CHANGED, ITEM_NEW, ITEM_CONFLICT };

struct item {
	struct hash_link by_key, by_user; /* by_user: among those that are new */
	struct user_fields *fields;	  /* one reference; the id is that of the user, when it is not OPEN any more */
	char *key;			  /* owned; NULL: the id in fields */
	uint8_t verdict;
};

struct block {
	struct block *next;
	size_t used;
	struct item items[BLOCK_ITEMS];
};

/* The steps of CHECKING. */
enum step { STEP_NAMED, STEP_GUARD, STEP_MISSING, STEP_INDEX, STEP_RESOLVE, STEP_OVER };

struct sync {
	struct origins *origins;
	struct directory *directory;
	struct origin *origin;
	struct sync_rules rules;
	struct option_list columns; /* a copy of rules.match */
	enum sync_phase phase;
	enum step step;
	bool removes, force;
	uint32_t mark;
	struct block *first, *last;
	size_t count;	  /* items */
	size_t named;	  /* of them, entries of the origin */
	size_t open;	  /* without a verdict yet */
	size_t unmatched; /* of these, whose id nobody has */
	struct hashtab by_key, by_user;
	struct block *at_block; /* where the step is */
	size_t at_item;
	char at_user[USER_MAX_ID_BYTES + 1];
	char **missing; /* keys, owned */
	size_t missing_count, missing_size, missing_done;
	struct sync_match *match; /* NULL until somebody needs it */
	struct sync_counts counts;
	struct buf text;
	size_t text_lines;
};

static const char *item_key(const struct item *i)
{
	return i->key != NULL ? i->key : user_field(i->fields, USER_ID);
}

static const char *key_of(const struct hash_link *link)
{
	return item_key(hash_entry(link, const struct item, by_key));
}

static const char *user_of(const struct hash_link *link)
{
	return user_field(hash_entry(link, const struct item, by_user)->fields, USER_ID);
}

struct sync *sync_new(struct origins *o, struct directory *d, struct origin *origin, const struct sync_rules *rules)
{
	struct sync *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->origins = o;
	s->directory = d;
	s->origin = origin;
	if (rules != NULL)
		s->rules = *rules;
	for (size_t i = 0; s->rules.match != NULL && i < s->rules.match->count; i++)
		(void)option_list_add(&s->columns, s->rules.match->items[i], strlen(s->rules.match->items[i]));
	hashtab_init(&s->by_key, key_of);
	hashtab_init(&s->by_user, user_of);
	hashtab_reserve(&s->by_key, origin_count(origin)); /* about as many as the last time */
	buf_init(&s->text, TEXT_BYTES);
	return s;
}

static void free_first_block(struct sync *s)
{
	struct block *b = s->first;

	s->first = b->next;
	for (size_t i = 0; i < b->used; i++) {
		user_fields_unref(b->items[i].fields);
		free(b->items[i].key);
	}
	free(b);
}

bool sync_release(struct sync *s, size_t budget)
{
	for (; s->first != NULL && budget > 0; budget -= budget < BLOCK_ITEMS ? budget : BLOCK_ITEMS)
		free_first_block(s);
	for (; s->first == NULL && s->missing_count > 0 && budget > 0; budget--)
		free(s->missing[--s->missing_count]);
	if (s->first == NULL && s->missing_count == 0)
		return sync_match_release(s->match, budget);
	return true;
}

void sync_free(struct sync *s)
{
	if (s == NULL)
		return;
	while (sync_release(s, SIZE_MAX))
		;
	free(s->missing);
	hashtab_done(&s->by_key);
	hashtab_done(&s->by_user);
	sync_match_free(s->match);
	option_list_clear(&s->columns);
	buf_done(&s->text);
	free(s);
}

/* --- staging ------------------------------------------------------------------------------------- */

static struct item *new_item(struct sync *s)
{
	struct block *b = s->last;

	if (b == NULL || b->used == BLOCK_ITEMS) {
		b = calloc(1, sizeof *b);
		if (b == NULL)
			return NULL;
		if (s->last == NULL)
			s->first = b;
		else
			s->last->next = b;
		s->last = b;
	}
	return &b->items[b->used]; /* counted by who keeps it */
}

int sync_add(struct sync *s, const char *key, struct user_fields *fields)
{
	struct item *i = s->count == SYNC_MAX_ENTRIES ? NULL : new_item(s);
	int r = 0;

	if (i == NULL) {
		r = s->count == SYNC_MAX_ENTRIES ? -ENOSPC : -ENOMEM;
	} else if (hashtab_find(&s->by_key, key) != NULL) {
		r = -EEXIST;
	} else {
		bool own = strcmp(key, user_field(fields, USER_ID)) != 0;

		*i = (struct item){ .fields = fields, .key = own ? strdup(key) : NULL };
		if ((own && i->key == NULL) || hashtab_insert(&s->by_key, &i->by_key) < 0) {
			free(i->key);
			r = -ENOMEM;
		}
	}
	if (r < 0) {
		user_fields_unref(fields);
		return r;
	}
	s->last->used++;
	s->count++;
	return 0;
}

size_t sync_count(const struct sync *s)
{
	return s->count;
}

struct origin *sync_origin(const struct sync *s)
{
	return s->origin;
}

size_t sync_expected(const struct sync *s)
{
	return origin_count(s->origin);
}

/* --- walking ------------------------------------------------------------------------------------- */

static void rewind_items(struct sync *s)
{
	s->at_block = s->first;
	s->at_item = 0;
	s->at_user[0] = '\0';
}

static struct item *next_item(struct sync *s)
{
	while (s->at_block != NULL && s->at_item == s->at_block->used) {
		s->at_block = s->at_block->next;
		s->at_item = 0;
	}
	return s->at_block == NULL ? NULL : &s->at_block->items[s->at_item++];
}

static struct user *next_user(struct sync *s)
{
	struct user *user = directory_after(s->directory, s->at_user);

	if (user != NULL)
		memcpy(s->at_user, user_id(user), strlen(user_id(user)) + 1);
	return user;
}

/* --- checking ------------------------------------------------------------------------------------ */

void sync_ready(struct sync *s, bool removes, bool force)
{
	s->removes = removes;
	s->force = force;
	s->phase = SYNC_CHECKING;
	s->step = STEP_NAMED;
	s->named = s->open = s->unmatched = 0;
	hashtab_done(&s->by_user);
	while (s->missing_count > 0)
		free(s->missing[--s->missing_count]);
	sync_match_free(s->match);
	s->match = NULL;
	s->mark = origins_new_mark(s->origins);
	s->counts = (struct sync_counts){ .before = origin_count(s->origin) };
	buf_clear(&s->text);
	s->text_lines = 0;
	rewind_items(s);
}

/* The item belongs to this user, whatever id it came with. False: no memory. */
static bool set_user(struct item *i, const char *id)
{
	struct user_fields *renamed;

	if (strcmp(user_field(i->fields, USER_ID), id) == 0)
		return true;
	if (i->key == NULL && (i->key = strdup(user_field(i->fields, USER_ID))) == NULL)
		return false;
	renamed = user_fields_rename(i->fields, id);
	if (renamed == NULL)
		return false;
	user_fields_unref(i->fields);
	i->fields = renamed;
	return true;
}

static void say(struct sync *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct sync *s, const char *format, ...)
{
	char text[512];
	va_list args;

	if (s->text_lines++ >= TEXT_MAX_LINES)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	utf8_repair(text);
	buf_printf(&s->text, "%s\n", text);
}

static void refuse_item(struct sync *s, struct item *i)
{
	i->verdict = ITEM_CONFLICT;
	s->counts.conflicts++;
}

/* Bind, or refuse it for want of memory. */
static bool is_bound(struct sync *s, struct item *i, const char *id)
{
	if (set_user(i, id))
		return true;
	say(s, "%.128s: no memory", item_key(i));
	refuse_item(s, i);
	return false;
}

/* The item is new for its origin, and of this user now: once. */
static void settle_new(struct sync *s, struct item *i)
{
	const char *id = user_field(i->fields, USER_ID);

	if (hashtab_find(&s->by_user, id) != NULL) {
		say(s, "%.128s: another new entry is of user \"%.128s\" as well", item_key(i), id);
		refuse_item(s, i);
		return;
	}
	(void)hashtab_insert(&s->by_user, &i->by_user); /* without memory a second one is not noticed */
	i->verdict = ITEM_NEW;
	if (directory_find(s->directory, id) == NULL)
		s->counts.added++;
	else
		s->counts.changed++;
}

static void look_at_known(struct sync *s, struct item *i, const struct entry *e)
{
	entry_set_mark(e, s->mark);
	s->named++;
	if (!is_bound(s, i, user_id(entry_user(e))))
		return;
	i->verdict = user_fields_equal(entry_fields(e), i->fields) ? ITEM_SAME : ITEM_CHANGED;
	if (i->verdict == ITEM_SAME)
		s->counts.unchanged++;
	else
		s->counts.changed++;
}

/* Which of the items are known, and who is named. */
static void look_at(struct sync *s, struct item *i)
{
	const struct entry *e = origin_entry(s->origin, item_key(i));
	const char *known;

	i->verdict = ITEM_OPEN;
	if (e != NULL) {
		look_at_known(s, i, e);
		return;
	}
	known = s->rules.known == NULL ? NULL : s->rules.known(s->rules.arg, origin_name(s->origin), item_key(i));
	if (known != NULL && !is_bound(s, i, known))
		return;
	s->open++;
	if (s->columns.count > 0 && directory_find(s->directory, user_field(i->fields, USER_ID)) == NULL)
		s->unmatched++;
}

static bool step_named(struct sync *s, size_t budget)
{
	struct item *i = NULL;

	for (; budget > 0 && (i = next_item(s)) != NULL; budget--)
		look_at(s, i);
	if (i != NULL || budget == 0)
		return false;
	s->counts.missing = s->counts.before - s->named;
	return true;
}

/* Count and keep the keys of those that were not named. */
static bool keep_missing(struct sync *s, const struct entry *e)
{
	if (s->missing_count == s->missing_size) {
		size_t size = s->missing_size == 0 ? 64 : s->missing_size * 2;
		char **missing = reallocarray(s->missing, size, sizeof *missing);

		if (missing == NULL)
			return false;
		s->missing = missing;
		s->missing_size = size;
	}
	s->missing[s->missing_count] = strdup(entry_key(e));
	return s->missing[s->missing_count] != NULL && ++s->missing_count > 0;
}

static void look_for_missing(struct sync *s, const struct user *user)
{
	const struct entry *e = NULL;
	bool others = user_entry_next(user, user_entry_next(user, NULL)) != NULL;

	while ((e = user_entry_next(user, e)) != NULL) {
		if (entry_origin(e) != s->origin || entry_mark(e) == s->mark || !keep_missing(s, e))
			continue;
		if (others)
			s->counts.changed++;
		else
			s->counts.removed++;
	}
}

static bool step_missing(struct sync *s, size_t budget)
{
	struct user *user = NULL;

	if (!s->removes || s->counts.missing == 0)
		return true;
	for (; budget > 0 && (user = next_user(s)) != NULL; budget--)
		if (user->entries != NULL)
			look_for_missing(s, user);
	return user == NULL && budget > 0;
}

static bool too_many_go(const struct sync *s)
{
	return s->counts.missing > SYNC_ALWAYS_REMOVES &&
	    s->counts.missing * 100 > s->counts.before * SYNC_REMOVES_PERCENT;
}

static bool step_guard(struct sync *s)
{
	if (!s->removes || s->force || !too_many_go(s))
		return true;
	say(s, "it would remove %zu of the %zu users that come from %.80s, more than %d %%; nothing was changed",
	    s->counts.missing, s->counts.before, origin_name(s->origin), SYNC_REMOVES_PERCENT);
	s->phase = SYNC_REFUSED;
	return false;
}

static bool step_index(struct sync *s, size_t budget)
{
	struct user *user = NULL;

	if (s->unmatched == 0)
		return true;
	if (s->match == NULL)
		s->match = sync_match_new(&s->columns);
	if (s->match == NULL)
		return true; /* no memory: nobody is found */
	for (; budget > 0 && (user = next_user(s)) != NULL; budget--)
		sync_match_add(s->match, user);
	return user == NULL && budget > 0;
}

/* Whether the user has an entry of this origin already, which is not going to go. */
static bool is_taken(const struct sync *s, const struct user *user)
{
	const struct entry *e = NULL;

	while ((e = user_entry_next(user, e)) != NULL)
		if (entry_origin(e) == s->origin && (!s->removes || entry_mark(e) == s->mark))
			return true;
	return false;
}

/* Give it to the user with its id, or whom its columns find; else it is a new one. */
static void resolve(struct sync *s, struct item *i)
{
	const char *id = user_field(i->fields, USER_ID), *column = "id", *other = NULL;
	const struct user *user = directory_find(s->directory, id);

	if (user == NULL && s->match != NULL) {
		id = sync_match_find(s->match, i->fields, &column, &other);
		user = id == NULL ? NULL : directory_find(s->directory, id);
	}
	if (id != NULL && other != NULL) {
		say(s, "%.128s: both \"%.128s\" and \"%.128s\" match by %.20s; nothing was changed", item_key(i), id,
		    other, column);
		refuse_item(s, i);
	} else if (user != NULL && is_taken(s, user)) {
		say(s, "%.128s: user \"%.128s\", who matches by %.20s, has another entry of %.80s already", item_key(i),
		    id, column, origin_name(s->origin));
		refuse_item(s, i);
	} else if (user == NULL || is_bound(s, i, id)) {
		settle_new(s, i);
	}
}

static bool step_resolve(struct sync *s, size_t budget)
{
	struct item *i = NULL;

	for (; s->open > 0 && budget > 0 && (i = next_item(s)) != NULL; budget--) {
		if (i->verdict != ITEM_OPEN)
			continue;
		resolve(s, i);
		s->open--;
	}
	return s->open == 0 || (i == NULL && budget > 0);
}

/* One step. True: it is done. */
static bool run_step(struct sync *s, size_t budget)
{
	switch (s->step) {
	case STEP_NAMED:
		return step_named(s, budget);
	case STEP_GUARD:
		return step_guard(s);
	case STEP_MISSING:
		return step_missing(s, budget);
	case STEP_INDEX:
		return step_index(s, budget);
	case STEP_RESOLVE:
		return step_resolve(s, budget);
	case STEP_OVER:
		break;
	}
	return false;
}

static void check(struct sync *s, size_t budget)
{
	static const enum step after[] = { [STEP_NAMED] = STEP_GUARD,
		[STEP_GUARD] = STEP_MISSING,
		[STEP_MISSING] = STEP_INDEX,
		[STEP_INDEX] = STEP_RESOLVE,
		[STEP_RESOLVE] = STEP_OVER };

	if (!run_step(s, budget))
		return;
	s->step = after[s->step];
	rewind_items(s);
	if (s->step == STEP_OVER)
		s->phase = SYNC_READY;
}

/* --- applying ------------------------------------------------------------------------------------ */

void sync_apply(struct sync *s)
{
	size_t conflicts = s->counts.conflicts, before = s->counts.before, missing = s->counts.missing;

	s->counts = (struct sync_counts){ .conflicts = conflicts, .before = before, .missing = missing };
	s->phase = SYNC_APPLYING;
	rewind_items(s);
}

static void count(struct sync *s, int result)
{
	switch (result) {
	case ORIGINS_ADDED:
		s->counts.added++;
		break;
	case ORIGINS_CHANGED:
		s->counts.changed++;
		break;
	case ORIGINS_REMOVED:
		s->counts.removed++;
		break;
	default:
		s->counts.unchanged++; /* without memory: as it was */
		break;
	}
}

static void apply_item(struct sync *s, struct item *i)
{
	if (i->verdict == ITEM_SAME)
		count(s, ORIGINS_UNCHANGED);
	else if (i->verdict != ITEM_CONFLICT)
		count(s, origins_set(s->origins, s->origin, item_key(i), user_fields_ref(i->fields)));
}

static void apply(struct sync *s, size_t budget)
{
	struct item *i = NULL;

	for (; budget > 0 && (i = next_item(s)) != NULL; budget--)
		apply_item(s, i);
	for (; budget > 0 && s->missing_done < s->missing_count; budget--)
		count(s, (int)origins_remove(s->origins, s->origin, s->missing[s->missing_done++]));
	if (budget > 0)
		s->phase = SYNC_DONE;
}

enum sync_phase sync_run(struct sync *s, size_t budget)
{
	if (s->phase == SYNC_CHECKING)
		check(s, budget);
	else if (s->phase == SYNC_APPLYING)
		apply(s, budget);
	return s->phase;
}

enum sync_phase sync_phase(const struct sync *s)
{
	return s->phase;
}

/* The block of an item. */
static const struct block *block_of(const struct sync *s, size_t place)
{
	const struct block *b = s->first;

	for (; place >= BLOCK_ITEMS && b != NULL; place -= BLOCK_ITEMS)
		b = b->next;
	return b;
}

bool sync_write(const struct sync *s, size_t budget, size_t *at,
    void (*each)(void *arg, struct origin *origin, const char *key, struct user_fields *fields), void *arg)
{
	const struct block *b = block_of(s, *at);

	for (; *at < s->count && b != NULL && budget > 0; ++*at, budget--) {
		const struct item *i = &b->items[*at % BLOCK_ITEMS];

		if (i->verdict == ITEM_CHANGED || i->verdict == ITEM_NEW)
			each(arg, s->origin, item_key(i), i->fields);
		if (*at % BLOCK_ITEMS == BLOCK_ITEMS - 1)
			b = b->next;
	}
	for (; *at >= s->count && *at < s->count + s->missing_count && budget > 0; ++*at, budget--)
		each(arg, s->origin, s->missing[*at - s->count], NULL);
	return *at < s->count + s->missing_count;
}

const struct sync_counts *sync_counts(const struct sync *s)
{
	return &s->counts;
}

const char *sync_text(const struct sync *s)
{
	return buf_text(&s->text);
}
