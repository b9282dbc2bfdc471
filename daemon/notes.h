/* notes.h: what console users wrote about a user, for all of them: one a user, with author, time and end.
 * SPDX-License-Identifier: MIT
 *
 * Pure; time is a parameter. Notes are kept by id, also of users who are not there at the moment.
 */
#ifndef PRESENCED_NOTES_H
#define PRESENCED_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/buf.h"

struct notes;

#define NOTE_MAX_BYTES	 1024
#define AUTHOR_MAX_BYTES 256

struct note {
	const char *user, *text, *author;
	int64_t at, until; /* wall ms; until 0: without end */
};

/* `changed` is told of each user whose note is another one now, in the middle of the call. NULL without memory. */
struct notes *notes_new(void (*changed)(void *arg, const char *user), void *arg);
void notes_free(struct notes *n);

/* NULL, or what is wrong with a text for a note or an author, as a sentence. */
const char *notes_check(const char *text, size_t max);

/* Texts are copied. 0 or -ENOMEM. */
int notes_set(struct notes *n, const struct note *note);
bool notes_clear(struct notes *n, const char *user);			 /* false: there was none */
bool notes_rename(struct notes *n, const char *from, const char *to);	 /* a note of `to` goes */
const struct note *notes_find(const struct notes *n, const char *user);	 /* NULL: none */
const struct note *notes_after(const struct notes *n, const char *user); /* in order of ids; "": the first */
size_t notes_count(const struct notes *n);

/* They were read: who has none is known to have none. Until then notes_write() writes nothing of who has none. */
void notes_set_known(struct notes *n);

/* The wall time of the next end, or INSTANT_NEVER; a note that ended at or before `wall`, or NULL. */
int64_t notes_end(const struct notes *n);
const struct note *notes_ended(const struct notes *n, int64_t wall);

/* The member "note" of an object: null or the note / of a note that there is. */
void notes_write(const struct notes *n, const char *user, struct buf *b);
void note_write(const struct note *note, struct buf *b);

#endif
