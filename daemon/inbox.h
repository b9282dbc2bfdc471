/* inbox.h: people who ask to see our presence, until somebody decides or they take it back.
 * SPDX-License-Identifier: MIT
 *
 * Pure. A protocol says the same request again after a reconnection: it is one request, by source and address.
 */
#ifndef PRESENCED_INBOX_H
#define PRESENCED_INBOX_H

#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/changelog.h"

#define INBOX_MAX_REQUESTS 10000 /* of one source: whoever asks is a stranger */

struct inbox;

struct inbox_request {
	RB_ENTRY(inbox_request) by_id, by_address;
	struct changelog_node change;
	int64_t id;			      /* never used again */
	int64_t at;			      /* wall ms, when it first arrived */
	char *source, *address, *name, *text; /* name and text NULL: not said */
};

struct inbox *inbox_new(void); /* NULL without memory */
void inbox_free(struct inbox *i);

/* A request arrived. 1 and *ret: it is new or says something else; 0: it is known; -ENOSPC: its source has too many;
 * -ENOMEM. `id` 0: the next one (else: as it was read from disk). */
int inbox_put(struct inbox *i, int64_t id, const char *source, const char *address, const char *name, const char *text,
    int64_t at, struct inbox_request **ret);
struct inbox_request *inbox_find(const struct inbox *i, int64_t id);
struct inbox_request *inbox_find_address(const struct inbox *i, const char *source, const char *address);
struct inbox_request *inbox_after(const struct inbox *i, int64_t id); /* in order of ids; 0: the first */
void inbox_remove(struct inbox *i, struct inbox_request *r);
size_t inbox_count(const struct inbox *i);

/* The highest id that was given; ids up to `id` are not given again. */
int64_t inbox_last_id(const struct inbox *i);
void inbox_set_last_id(struct inbox *i, int64_t id);

/* Changes; nodes are inbox_request.change, tombstones are called by the id in decimal. */
struct changelog *inbox_changes(const struct inbox *i);

#endif
