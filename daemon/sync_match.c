/* sync_match.c: an index of (column, value), made for one sync.
 * SPDX-License-Identifier: MIT */
#include "daemon/sync_match.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SIZE (USER_MAX_FIELD_BYTES + 2) /* the column as one character, the value */

/* Who has a value. It keeps ids: users may go while the index is made. */
struct holder {
	struct hash_link link;
	char *first, *other; /* owned; other NULL: only one */
	char key[];
};

struct sync_match {
	const struct option_list *columns;
	struct hashtab holders;
	size_t released; /* buckets before this one are empty */
};

static const char *holder_key(const struct hash_link *link)
{
	return hash_entry(link, const struct holder, link)->key;
}

struct sync_match *sync_match_new(const struct option_list *columns)
{
	struct sync_match *m = calloc(1, sizeof *m);

	if (m == NULL)
		return NULL;
	m->columns = columns;
	hashtab_init(&m->holders, holder_key);
	return m;
}

bool sync_match_release(struct sync_match *m, size_t budget)
{
	struct hash_link *link = NULL;

	for (; m != NULL && budget > 0 && (link = hashtab_first(&m->holders, &m->released)) != NULL; budget--) {
		struct holder *h = hash_entry(link, struct holder, link);

		hashtab_remove(&m->holders, link);
		free(h->first);
		free(h->other);
		free(h);
	}
	return link != NULL;
}

void sync_match_free(struct sync_match *m)
{
	if (m == NULL)
		return;
	(void)sync_match_release(m, SIZE_MAX);
	hashtab_done(&m->holders);
	free(m);
}

/* What is done with each value of a user or of an entry. */
struct walk {
	struct sync_match *m;
	int column;
	const char *id;		   /* adding: of whom */
	const char *first, *other; /* finding: who has it */
};

static char *make_key(char *key, int column, const char *value, size_t len)
{
	key[0] = (char)('A' + column);
	for (size_t i = 0; i < len; i++)
		key[i + 1] = (char)tolower((unsigned char)value[i]);
	key[len + 1] = '\0';
	return key;
}

static bool add_value(void *arg, const char *value, size_t len)
{
	struct walk *w = arg;
	char key[KEY_SIZE];
	struct hash_link *link = hashtab_find(&w->m->holders, make_key(key, w->column, value, len));
	struct holder *h = link == NULL ? NULL : hash_entry(link, struct holder, link);

	if (h != NULL) {
		if (h->other == NULL && strcmp(h->first, w->id) != 0)
			h->other = strdup(w->id);
		return true;
	}
	h = calloc(1, sizeof *h + strlen(key) + 1);
	if (h == NULL)
		return true;
	memcpy(h->key, key, strlen(key) + 1);
	h->first = strdup(w->id);
	if (h->first == NULL || hashtab_insert(&w->m->holders, &h->link) < 0) {
		free(h->first);
		free(h);
	}
	return true;
}

static bool find_value(void *arg, const char *value, size_t len)
{
	struct walk *w = arg;
	char key[KEY_SIZE];
	struct hash_link *link = hashtab_find(&w->m->holders, make_key(key, w->column, value, len));
	const struct holder *h = link == NULL ? NULL : hash_entry(link, const struct holder, link);

	if (h == NULL)
		return true;
	if (w->first == NULL)
		w->first = h->first;
	else if (strcmp(w->first, h->first) != 0)
		w->other = h->first;
	if (h->other != NULL && strcmp(w->first, h->other) != 0)
		w->other = h->other;
	return true;
}

/* Extensions are a list; other columns are one value. */
static void each_value(const struct user_fields *fields, struct walk *w, bool (*each)(void *, const char *, size_t))
{
	const char *text = user_field(fields, (enum user_column)w->column);

	if (w->column == USER_EXTENSION)
		user_list_each(text, each, w);
	else if (*text != '\0')
		each(w, text, strlen(text));
}

void sync_match_add(struct sync_match *m, const struct user *user)
{
	struct walk w = { .m = m, .id = user_id(user) };

	for (size_t i = 0; i < m->columns->count; i++) {
		w.column = vocab_find(&vocab_user_column, m->columns->items[i]);
		if (w.column >= 0)
			each_value(user->fields, &w, add_value);
	}
}

const char *sync_match_find(
    const struct sync_match *m, const struct user_fields *fields, const char **ret_column, const char **ret_other)
{
	struct walk w = { .m = (struct sync_match *)(uintptr_t)m };

	for (size_t i = 0; i < m->columns->count && w.first == NULL; i++) {
		w.column = vocab_find(&vocab_user_column, m->columns->items[i]);
		*ret_column = m->columns->items[i];
		if (w.column >= 0)
			each_value(fields, &w, find_value);
	}
	*ret_other = w.other;
	return w.first;
}
