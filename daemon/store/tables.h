/* tables.h: entries of the directory, notes, requests and the connectors' memory in the file. For the store's thread.
 * SPDX-License-Identifier: MIT
 *
 * Each returns 0, -EIO or -EINVAL as database.h has them. What is so already is not written.
 */
#ifndef PRESENCED_TABLES_H
#define PRESENCED_TABLES_H

#include <stdint.h>

#include "daemon/model/user.h"
#include "daemon/notes.h"
#include "daemon/recall.h"
#include "daemon/store/database.h"

/* What one origin says of one user, whom `fields` name by their id. NULL: the entry goes. */
int tables_put_entry(struct database *db, const char *origin, const char *key, const struct user_fields *fields);

int tables_put_note(struct database *db, const struct note *note);
int tables_drop_note(struct database *db, const char *user);

/* Drop the note that ended, and no newer one. */
int tables_end_note(struct database *db, const char *user, int64_t at, int64_t until);

struct request_row {
	int64_t id;
	const char *source, *address, *name, *text; /* name and text may be NULL */
	int64_t at;
};
int tables_put_request(struct database *db, const struct request_row *row);
int tables_drop_request(struct database *db, int64_t id);
int tables_last_request(struct database *db, int64_t *ret); /* the highest id that was ever used */

int tables_put_memory(struct database *db, const struct recall_item *item); /* value NULL: forgotten */

/* The note and the history of `from` are those of `to` from now on. */
int tables_rename(struct database *db, const char *from, const char *to);

/* Everything written anew, in one transaction: what was seen between the two stays, all else goes. `a` and `b`: origin and
 * key of an entry, user and "" of a note, source and address of a request, source and key of a memory. */
enum tables_kind { TABLES_ENTRY, TABLES_NOTE, TABLES_REQUEST, TABLES_MEMORY };
int tables_begin_all(struct database *db);
int tables_see(struct database *db, enum tables_kind kind, const char *a, const char *b);
int tables_end_all(struct database *db);

/* Read all of it; texts are borrowed for the call. *ret_bad: rows that make no sense, which are passed over. */
struct tables_reader {
	void (*entry)(void *arg, const char *origin, const char *key, struct user_fields *fields); /* takes them */
	void (*note)(void *arg, const struct note *note);
	void (*request)(void *arg, const struct request_row *row);
	void (*memory)(void *arg, const struct recall_item *item);
};
int tables_read(struct database *db, const struct tables_reader *reader, void *arg, size_t *ret_bad);

#endif
