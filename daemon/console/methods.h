/* methods.h: the methods of the console socket, a table a family. For daemon/console/ only.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_METHODS_H
#define PRESENCED_METHODS_H

#include "daemon/console/request.h"

extern const struct method methods_server[], methods_presence[], methods_users[], methods_sources[];

/* A user has settled: answer a presence.get that waited for it (methods_presence.c). */
void methods_settled(struct connection *c);

/* Write the members of one composed presence: user, seq, at and the halves. */
void methods_write_presence(struct buf *b, const struct user *user, bool calls);

#endif
