/* users_file.h: the users' file into the directory, in slices: a file of 100,000 users never stops the loop,
 * and one with an error changes nothing. SPDX-License-Identifier: MIT */
#ifndef PRESENCED_USERS_FILE_H
#define PRESENCED_USERS_FILE_H

#include <stdbool.h>

#include "daemon/base/buf.h"
#include "daemon/directory.h"

struct users_file;

/* Open `path` (NULL: nobody, all users go) and remember where it is to go (`directory` NULL: it is only
 * checked). `errors` is borrowed until the parse is over. 0 and *ret, or -errno with a sentence in `errors`.
 */
int users_file_open(struct users_file **ret, const char *path, struct directory *directory, struct buf *errors);
void users_file_free(struct users_file *f);

/* Parse the next `budget` bytes and keep the users aside, without changing the directory. 1: there is more;
 * 0: all is good; -EINVAL with every error, or -errno with a sentence. */
int users_file_parse(struct users_file *f, size_t budget);

/* Apply up to `budget` users. True: there is more to do. At the end *ret says what has changed. */
bool users_file_apply(struct users_file *f, size_t budget, struct directory_summary *ret);

#endif
