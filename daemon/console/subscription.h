/* subscription.h: the presence subscription of a connection: a cursor in the one log and a set of users.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_SUBSCRIPTION_H
#define PRESENCED_SUBSCRIPTION_H

#include "daemon/console/connection.h"
#include "daemon/interest.h"

/* An empty set for this connection. NULL without memory. Add to subscription_reader() before starting. */
struct subscription *subscription_new(struct connection *c, bool demand);
void subscription_free(struct subscription *s); /* NULL is fine */
struct reader *subscription_reader(struct subscription *s);

/* Begin to deliver. `since`: everything up to it is known (resumed). `old`: the subscription that this one
 * replaces, or NULL; taken over and freed when its users need not be told apart any more. Returns the number
 * of the synchronisation. */
uint64_t subscription_start(struct subscription *s, bool resumed, uint64_t since, struct subscription *old);

/* Whether its synchronisation still runs. */
bool subscription_is_syncing(const struct subscription *s);

/* Whether everything there was has been sent. */
bool subscription_is_caught_up(const struct subscription *s);

/* Send what there is, as far as the socket takes it. True: there is more to do now; false: done, or the
 * socket is full (subscription_run() is to be called when it is writable again). */
bool subscription_run(struct subscription *s);

#endif
