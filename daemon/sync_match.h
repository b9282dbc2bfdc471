/* sync_match.h: which user an entry is about, by what stands in some columns. For sync.c.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_SYNC_MATCH_H
#define PRESENCED_SYNC_MATCH_H

#include "connectors/option.h"
#include "daemon/directory.h"

struct sync_match;

/* An empty index of these columns (borrowed; words of vocab_user_column). NULL without memory. */
struct sync_match *sync_match_new(const struct option_list *columns);
void sync_match_free(struct sync_match *m);		      /* NULL is fine */
bool sync_match_release(struct sync_match *m, size_t budget); /* a slice of freeing it; true: there is more */

/* Add what the user has in them. Without memory it is not found by that. */
void sync_match_add(struct sync_match *m, const struct user *user);

/* The id of the user who has, in the first of the columns where anybody has it, what `fields` have there; letters compare
 * without case, of several extensions any counts. *ret_other: the id of a second one, or NULL; *ret_column: by which. NULL:
 * nobody. All live as long as the index. */
const char *sync_match_find(
    const struct sync_match *m, const struct user_fields *fields, const char **ret_column, const char **ret_other);

#endif
