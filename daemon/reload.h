/* reload.h: the configuration and the users, read again while everything goes on.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_RELOAD_H
#define PRESENCED_RELOAD_H

#include "daemon/daemon.h"

/* Read the users all at once: at the start nobody is served yet. 0, or -errno with sentences. */
int reload_users_at_start(struct daemon *d, struct buf *errors);

/* A slice of the reload that goes on, if there is one. True: there is more to do at once. */
bool reload_run(struct daemon *d);

/* Drop it; who asked is not told. */
void reload_free(struct daemon *d);

#endif
