/* daemon.h: presenced as a whole: its parts and how they are wired.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_DAEMON_H
#define PRESENCED_DAEMON_H

#include "daemon/aggregator.h"
#include "daemon/base/buf.h"
#include "daemon/config.h"
#include "daemon/directory.h"
#include "daemon/durable.h"
#include "daemon/history.h"
#include "daemon/interest.h"
#include "daemon/loop.h"
#include "daemon/sources.h"

struct console;
struct service;
struct reload;

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
	struct durable *durable;
	struct history *history;
	struct reload *reload;	       /* one that goes on in slices; NULL: none */
	struct loop_event *turn_timer; /* for what is due by time alone */
	bool composing;		       /* users are still to be composed in the next turn */
	char instance[INSTANCE_SIZE];
	struct instant started;
};

/* Start everything that `config` (which it takes over) says. 0, or -errno with sentences in `errors`. The
 * daemon must be freed in both cases. */
int daemon_start(struct daemon *d, struct config *config, struct buf *errors);

/* Read the configuration and the users again, in slices. `done` is called once, later or before this returns: when it is
 * good, everything is as the files say; else nothing has changed, and `errors` has a sentence a line. All is borrowed for
 * the call. `force`: however many users go. False: another reload is still under way, and `done` is not called. */
struct reload_result {
	bool good;
	const struct sync_counts *users; /* when it is good, and when too many would go; else NULL */
	const char *errors, *warnings;
};
struct reload_done {
	void (*done)(void *arg, const struct reload_result *result);
	void *arg;
};
bool daemon_reload(struct daemon *d, bool force, struct reload_done done);

/* Who asked for the reload is gone: its `done` is not called. */
void daemon_reload_forget(struct daemon *d, const void *arg);

/* Hand on what the configuration says of history; `now` all zero: at the start. */
void daemon_configure_history(struct daemon *d, struct instant now);

/* Say goodbye to everybody and free all. */
void daemon_done(struct daemon *d);

#endif
