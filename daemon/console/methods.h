/* methods.h: the methods of the console socket, a table a family. For daemon/console/ only.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_METHODS_H
#define PRESENCED_METHODS_H

#include "daemon/console/request.h"

extern const struct method methods_server[], methods_presence[], methods_users[], methods_directory[], methods_import[],
    methods_notes[], methods_history[], methods_requests[], methods_sources[];

/* A user has settled: answer a presence.get that waited for it (methods_presence.c). */
void methods_settled(struct connection *c);

/* Write the members of one composed presence: user, seq, at, the halves and the note. */
void methods_write_presence(const struct daemon *d, struct buf *b, const struct user *user, bool calls);

/* Write the members of a user: id, name, groups, and with permission `admin` the addresses. */
void methods_write_user(struct request *rq, const struct user *user);
void methods_write_origins(struct request *rq, const struct user *user);

/* Write the members of a request for our presence. */
void methods_write_request(struct buf *b, const struct inbox_request *r);

/* Defer the request until an operation of durable.h has ended: give on_end() of this pending to it. `ended` writes the
 * result; failures are answered here. NULL: it has failed. */
struct pending *methods_defer(struct request *rq, void (*ended)(struct request *rq, const struct durable_result *r));
struct durable_done methods_done(struct pending *p);

/* The operation has begun (NULL: no memory, and the request fails). */
void methods_begun(struct pending *p, struct durable_op *op);

/* The names of the origins that a user (NULL: none) has entries of, as a list. */
void methods_write_origin_names(struct buf *b, const struct user *user);

void methods_write_counts(struct buf *b, const struct sync_counts *counts);

#endif
