/* notes.c: notes in order of users, and in order of their ends.
 * SPDX-License-Identifier: MIT */
#include "daemon/notes.h"

#include <bsd/sys/tree.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/instant.h"
#include "daemon/base/jsonw.h"
#include "daemon/base/utf8.h"

/* One note; its texts stand behind it. */
struct kept_note {
	RB_ENTRY(kept_note) by_user, by_end;
	struct note note; /* first what others see */
	char text[];
};

static int compare_users(const struct kept_note *a, const struct kept_note *b)
{
	return strcmp(a->note.user, b->note.user);
}

static int compare_ends(const struct kept_note *a, const struct kept_note *b)
{
	if (a->note.until != b->note.until)
		return a->note.until < b->note.until ? -1 : 1;
	return compare_users(a, b);
}

RB_HEAD(notes_by_user, kept_note);
RB_HEAD(notes_by_end, kept_note);
RB_GENERATE_INTERNAL(notes_by_user, kept_note, by_user, compare_users, static __attribute__((unused)))
RB_GENERATE_INTERNAL(notes_by_end, kept_note, by_end, compare_ends, static __attribute__((unused)))

struct notes {
	struct notes_by_user by_user;
	struct notes_by_end by_end; /* only those that end */
	size_t count;
	bool known;
	void (*changed)(void *arg, const char *user);
	void *arg;
};

struct notes *notes_new(void (*changed)(void *arg, const char *user), void *arg)
{
	struct notes *n = calloc(1, sizeof *n);

	if (n == NULL)
		return NULL;
	RB_INIT(&n->by_user);
	RB_INIT(&n->by_end);
	n->changed = changed;
	n->arg = arg;
	return n;
}

static void unlink_note(struct notes *n, struct kept_note *k)
{
	RB_REMOVE(notes_by_user, &n->by_user, k);
	if (k->note.until != 0)
		RB_REMOVE(notes_by_end, &n->by_end, k);
	n->count--;
}

void notes_free(struct notes *n)
{
	struct kept_note *k;

	if (n == NULL)
		return;
	while ((k = RB_MIN(notes_by_user, &n->by_user)) != NULL) {
		unlink_note(n, k);
		free(k);
	}
	free(n);
}

const char *notes_check(const char *text, size_t max)
{
	size_t len = strlen(text);

	if (len == 0)
		return "is empty";
	if (len > max)
		return "is too long";
	if (!utf8_is_valid(text, len))
		return "is not UTF-8";
	if (utf8_has_control(text, len))
		return "holds a control character";
	return NULL;
}

static struct kept_note *make(const struct note *note)
{
	size_t user = strlen(note->user) + 1, text = strlen(note->text) + 1, author = strlen(note->author) + 1;
	struct kept_note *k = malloc(sizeof *k + user + text + author);

	if (k == NULL)
		return NULL;
	k->note = *note;
	k->note.user = memcpy(k->text, note->user, user);
	k->note.text = memcpy(k->text + user, note->text, text);
	k->note.author = memcpy(k->text + user + text, note->author, author);
	return k;
}

static struct kept_note *find(const struct notes *n, const char *user)
{
	struct kept_note key = { .note.user = user };

	return RB_FIND(notes_by_user, (struct notes_by_user *)(uintptr_t)&n->by_user, &key);
}

int notes_set(struct notes *n, const struct note *note)
{
	struct kept_note *k = make(note), *old = find(n, note->user);

	if (k == NULL)
		return -ENOMEM;
	if (old != NULL)
		unlink_note(n, old);
	RB_INSERT(notes_by_user, &n->by_user, k);
	if (k->note.until != 0)
		RB_INSERT(notes_by_end, &n->by_end, k);
	n->count++;
	free(old); /* `note` may point into it */
	n->changed(n->arg, k->note.user);
	return 0;
}

bool notes_clear(struct notes *n, const char *user)
{
	struct kept_note *k = find(n, user);

	if (k == NULL)
		return false;
	unlink_note(n, k);
	n->changed(n->arg, k->note.user);
	free(k);
	return true;
}

bool notes_rename(struct notes *n, const char *from, const char *to)
{
	const struct kept_note *k = find(n, from);
	struct note note;

	if (k == NULL)
		return notes_clear(n, to);
	note = k->note;
	note.user = to;
	return notes_set(n, &note) == 0 && notes_clear(n, from);
}

const struct note *notes_find(const struct notes *n, const char *user)
{
	const struct kept_note *k = find(n, user);

	return k == NULL ? NULL : &k->note;
}

const struct note *notes_after(const struct notes *n, const char *user)
{
	const struct kept_note *found = NULL;

	for (const struct kept_note *k = RB_ROOT(&n->by_user); k != NULL;) {
		if (strcmp(k->note.user, user) > 0) {
			found = k;
			k = RB_LEFT(k, by_user);
		} else {
			k = RB_RIGHT(k, by_user);
		}
	}
	return found == NULL ? NULL : &found->note;
}

size_t notes_count(const struct notes *n)
{
	return n->count;
}

void notes_set_known(struct notes *n)
{
	n->known = true;
}

int64_t notes_end(const struct notes *n)
{
	const struct kept_note *k = RB_MIN(notes_by_end, (struct notes_by_end *)(uintptr_t)&n->by_end);

	return k == NULL ? INSTANT_NEVER : k->note.until;
}

const struct note *notes_ended(const struct notes *n, int64_t wall)
{
	const struct kept_note *k = RB_MIN(notes_by_end, (struct notes_by_end *)(uintptr_t)&n->by_end);

	return k == NULL || k->note.until > wall ? NULL : &k->note;
}

/* --- JSON ---------------------------------------------------------------------------------------- */

void note_write(const struct note *note, struct buf *b)
{
	jsonw_object(b, "note");
	jsonw_text(b, "text", note->text);
	jsonw_text(b, "author", note->author);
	jsonw_time(b, "at", note->at);
	if (note->until == 0)
		jsonw_null(b, "until");
	else
		jsonw_time(b, "until", note->until);
	jsonw_object_end(b);
}

void notes_write(const struct notes *n, const char *user, struct buf *b)
{
	const struct note *note = notes_find(n, user);

	if (note != NULL)
		note_write(note, b);
	else if (n->known)
		jsonw_null(b, "note");
}
