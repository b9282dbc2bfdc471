/* origins.h: where users come from. An entry is what one origin says of one user; a user of the directory is the merge
 * of its entries, field by field, the first origin in rank that has the field. SPDX-License-Identifier: MIT
 *
 * Pure. Origins are by hand, the users' file, and sources that know a directory.
 */
#ifndef PRESENCED_ORIGINS_H
#define PRESENCED_ORIGINS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/directory.h"

struct origins;
struct origin;
struct entry;

#define ORIGIN_BY_HAND	    "hand"
#define ORIGIN_FILE	    "file"
#define ORIGIN_RANK_BY_HAND 0
#define ORIGIN_RANK_FILE    1
#define ORIGIN_RANK_SOURCES 2 /* and their places in the configuration */

struct origins *origins_new(struct directory *directory); /* NULL without memory */
void origins_free(struct origins *o);			  /* before the directory */

/* The origin of that name, made with `rank` if there is none. NULL without memory. */
struct origin *origins_get(struct origins *o, const char *name, int rank);
struct origin *origins_find(const struct origins *o, const char *name);		   /* NULL: there is none */
struct origin *origins_next(const struct origins *o, const struct origin *origin); /* NULL: the first */

enum origins_result { ORIGINS_UNCHANGED, ORIGINS_CHANGED, ORIGINS_ADDED, ORIGINS_REMOVED }; /* of the user */

/* The entry `key` of the origin says `fields` of the user with the id in it, who is made if there is none. An entry that
 * was of another user leaves that one. Takes the reference. */
int origins_set(struct origins *o, struct origin *origin, const char *key, struct user_fields *fields); /* or -ENOMEM */

/* The entry goes, and with the last one its user. ORIGINS_UNCHANGED: there was no such entry. */
enum origins_result origins_remove(struct origins *o, struct origin *origin, const char *key);

/* Its rank is another one: then (true) origins_reorder() is to be called for every user. */
bool origin_set_rank(struct origin *origin, int rank);
void origins_reorder(struct origins *o, struct user *user);

/* The user gets another id, in all of its entries. The keys of those by hand follow, the keys of others stay. 0; -EEXIST:
 * somebody has the id; -ENOMEM. */
int origins_rename(struct origins *o, struct user *user, const char *to);

const struct entry *origin_entry(const struct origin *origin, const char *key);
size_t origin_count(const struct origin *origin);
const char *origin_name(const struct origin *origin);

/* The entries of a user in rank; NULL at the end (NULL: the first). */
const struct entry *user_entry_next(const struct user *user, const struct entry *entry);
const char *entry_key(const struct entry *entry);
struct user_fields *entry_fields(const struct entry *entry); /* their id is that of the user; borrowed */
struct origin *entry_origin(const struct entry *entry);
const struct user *entry_user(const struct entry *entry);

/* It has told all that it knows since the start: what was kept of it earlier is old. */
void origin_set_complete(struct origin *origin);
bool origin_is_complete(const struct origin *origin);

/* For syncs: the number of the sync that last named the entry, and a number that no sync had. */
uint32_t origins_new_mark(struct origins *o);
uint32_t entry_mark(const struct entry *entry);
void entry_set_mark(const struct entry *entry, uint32_t mark);

#endif
