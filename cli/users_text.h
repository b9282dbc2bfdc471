/* users_text.h: users between the three forms that presencectl has them in: JSON of the console socket, columns, and CSV.
 * SPDX-License-Identifier: MIT
 *
 * Pure. What is written by one and read by its counterpart is the same user.
 */
#ifndef PRESENCED_USERS_TEXT_H
#define PRESENCED_USERS_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/buf.h"
#include "daemon/model/user.h"

/* A user as users.import takes it, owned by the caller: what is empty is absent. NULL without memory. */
json_t *user_to_json(const struct user_fields *fields);

/* A user as users.list has it -> columns, owned by the caller (free()). NULL, and a sentence in why: no id, a column that
 * is not known here, something else than texts, or what user_columns_check() finds. */
struct user_fields *user_from_json(const json_t *user, char *why, size_t size);

/* --- parameters of users.set --------------------------------------------------------------------- */

/* Put "COLUMN=VALUE" or "COLUMN@SOURCE=VALUE" (UTF-8) into the parameters of users.set; an empty value takes back (null),
 * groups are separated by ';'. False, and a sentence in why: no column of a user, or given twice. */
bool user_assign(json_t *params, const char *text, char *why, size_t size);

/* --- CSV ----------------------------------------------------------------------------------------- */

#define USERS_TEXT_MAX_COLUMNS 64 /* more are not read back (users_csv.h) */

/* The columns that somebody uses, in the order of the file: those without a source, then COLUMN@SOURCE. */
struct users_columns {
	struct users_column {
		int column;   /* enum user_column */
		char *source; /* owned; NULL plain */
	} columns[USERS_TEXT_MAX_COLUMNS];
	size_t count;
};

void users_columns_init(struct users_columns *c);
void users_columns_done(struct users_columns *c);

/* Add those that this user has. False: there are too many, or no memory. */
bool users_columns_add(struct users_columns *c, const struct user_fields *fields);

/* The first line, and the line of a user, each with its end. */
void users_columns_write_titles(const struct users_columns *c, struct buf *b);
void users_columns_write_user(const struct users_columns *c, const struct user_fields *fields, struct buf *b);

#endif
