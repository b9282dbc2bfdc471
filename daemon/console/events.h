/* events.h: users.changed and sources.changed for one connection, conflated by their logs. For
 * daemon/console/ only. SPDX-License-Identifier: MIT */
#ifndef PRESENCED_EVENTS_H
#define PRESENCED_EVENTS_H

#include "daemon/console/connection.h"

/* Follow these topics from now on. */
void events_follow(struct connection *c, bool users, bool sources, bool requests);

/* Send what has changed, until CONNECTION_LOW_BYTES are unsent. True: there is more. */
bool events_run(struct connection *c);

#endif
