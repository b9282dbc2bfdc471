/* daemon.h: presenced as a whole: its parts and how they are wired.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_DAEMON_H
#define PRESENCED_DAEMON_H

#include "daemon/aggregator.h"
#include "daemon/base/buf.h"
#include "daemon/config.h"
#include "daemon/directory.h"
#include "daemon/interest.h"
#include "daemon/loop.h"
#include "daemon/sources.h"

struct console;
struct service;
struct users_file;

#define INSTANCE_SIZE 33 /* 16 random bytes in hexadecimal */

struct daemon {
	struct loop *loop;
	struct config *config;
	struct directory *directory;
	struct aggregator *aggregator;
	struct interest *interest;
	struct sources *sources;
	struct console *console;
	struct service *service;
	struct users_file *users_file; /* a reading that goes on in slices; NULL: none */
	struct loop_event *aggregator_timer;
	char instance[INSTANCE_SIZE];
	struct instant started;
};

/* Start everything that `config` (which it takes over) says. 0, or -errno with sentences in `errors`. The
 * daemon must be freed in both cases. */
int daemon_start(struct daemon *d, struct config *config, struct buf *errors);

/* Read the configuration and the users again. 0, or -EINVAL with sentences in `errors`, and nothing has
 * changed. The users are applied in slices, after the call. */
int daemon_reload(struct daemon *d, struct buf *errors, struct buf *warnings);

/* Say goodbye to everybody and free all. */
void daemon_done(struct daemon *d);

#endif
