/* database.h: one SQLite file: opening, migrating, statements, and failures as sentences. For the store's thread.
 * SPDX-License-Identifier: MIT
 *
 * Functions that return int give 0 (or what they say), -EIO: the file does not work (database_why()), nothing of the
 * transaction counts; or -EINVAL: this statement makes no sense, the file is well.
 */
#ifndef PRESENCED_DATABASE_H
#define PRESENCED_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct database;
struct statement; /* a prepared one, kept for the next use */

#define DATABASE_WHY_SIZE 512

/* Open `file` (mode 0600, made if it is not there) and bring its schema up to date. 0 and *ret; or -EIO with a sentence
 * in `why` (DATABASE_WHY_SIZE) that says what to do. */
int database_open(struct database **ret, const char *file, char *why);
void database_close(struct database *db); /* NULL is fine */

/* Open it only to read, on a disk that is full or read-only: as far as that is possible without writing beside it. No
 * transaction is needed. 0 and *ret, or -EIO. */
int database_open_to_read(struct database **ret, const char *file, char *why);

/* A transaction. A commit that fails was perhaps kept all the same: who opens the file again can tell by what is in it.
 * -EIO also when the file is not at its path any more. */
int database_begin(struct database *db);
int database_commit(struct database *db);
void database_rollback(struct database *db);

/* What is done between the two is kept, or undone, as a whole within the transaction. */
int database_save(struct database *db);
int database_release(struct database *db, bool keep);

const char *database_why(const struct database *db);

/* A statement by its text, a constant; prepared once. One that cannot be prepared fails at its first step. */
struct statement *database_statement(struct database *db, const char *sql);
void statement_text(struct statement *st, int at, const char *text); /* NULL: NULL; borrowed until it is run; from 1 */
void statement_number(struct statement *st, int at, int64_t number);
void statement_null(struct statement *st, int at);

/* The next row: 1; 0 at the end, -errno: then it is reset and unbound. */
int statement_step(struct statement *st);
int statement_run(struct statement *st);    /* one that gives no rows */
void statement_reset(struct statement *st); /* before the end */

/* Columns of the row, from 0; texts live until the next step. NULL text: NULL. */
const char *statement_column_text(struct statement *st, int at);
int64_t statement_column_number(struct statement *st, int at);
bool statement_column_is_null(struct statement *st, int at);

int64_t database_last_id(const struct database *db); /* of the last row that was inserted */
int64_t database_changes(const struct database *db); /* rows that the last statement changed */

/* What the file says of itself (table meta): *ret is 0 where it says nothing. */
int database_meta(struct database *db, const char *key, int64_t *ret);
int database_set_meta(struct database *db, const char *key, int64_t value);

#endif
