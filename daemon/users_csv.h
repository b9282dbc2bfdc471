/* users_csv.h: users.csv -> users, a line at a time. Parses with libcsv; no I/O.
 * SPDX-License-Identifier: MIT
 *
 * The first record names the columns, in any order, any subset with `id`; COLUMN@SOURCE is an address for one
 * source. Fields may be quoted and hold line breaks. Every error is told with its line; a file with errors is
 * not used at all.
 */
#ifndef PRESENCED_USERS_CSV_H
#define PRESENCED_USERS_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/buf.h"
#include "daemon/model/user.h"

#define USERS_CSV_MAX_ERRORS 20 /* then "and N more" */

struct users_csv;

/* A parser; `name` (of the file, for messages) and `errors` are borrowed. `each` gets every good record, to
 * keep. It returns 0 or -errno, which ends the parse. NULL without memory. */
struct users_csv *users_csv_new(
    const char *name, struct buf *errors, int (*each)(void *arg, struct user_fields *fields), void *arg);

/* About so many users are to come. */
void users_csv_expect(struct users_csv *p, size_t count);

/* Parse more text, cut anywhere. 0; -EINVAL when it makes no sense to go on (unknown column, no id); -errno. */
int users_csv_feed(struct users_csv *p, const char *text, size_t len);

/* The end: the number of errors, all of them told. Frees the parser. NULL is fine: 0. */
size_t users_csv_end(struct users_csv *p);
void users_csv_free(struct users_csv *p);

#endif
