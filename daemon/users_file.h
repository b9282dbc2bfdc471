/* users_file.h: the users' file into a sync, in slices: a file of 100,000 users never stops the loop.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_USERS_FILE_H
#define PRESENCED_USERS_FILE_H

#include <stddef.h>

#include "daemon/base/buf.h"
#include "daemon/sync.h"

struct users_file;

/* Open `path` (NULL: nobody). `sync` gets the users, and `errors` sentences, until the parse is over; both are borrowed. A
 * sync of NULL: the file is only checked. 0 and *ret, or -errno with a sentence in `errors`. */
int users_file_open(struct users_file **ret, const char *path, struct sync *sync, struct buf *errors);
void users_file_free(struct users_file *f);

/* Parse the next `budget` bytes. 1: there is more; 0: all is good; -EINVAL with every error, or -errno with a sentence. */
int users_file_parse(struct users_file *f, size_t budget);

#endif
