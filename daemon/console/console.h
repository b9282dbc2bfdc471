/* console.h: the local sockets where consoles read presence (presenced-protocol(7)).
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_CONSOLE_H
#define PRESENCED_CONSOLE_H

#include "daemon/base/buf.h"
#include "daemon/config.h"
#include "daemon/daemon.h"

struct console;
struct connection;
struct ring;

struct console *console_new(struct daemon *d); /* NULL without memory */
void console_free(struct console *c);	       /* closes all, saying so */

/* Make the sockets what `config` says; those that did not change stay open, with their connections. 0, or
 * -errno with a line for each that failed in `errors` (the others are open). */
int console_apply(struct console *c, const struct config *config, struct buf *errors);

/* The daemon is about to stop: tell every console. */
void console_goodbye(struct console *c);

/* The end of a turn: deliver what has changed. Whether there is more to do. */
bool console_turn(void *arg);

/* Wiring: the aggregator composed a user of which nothing is requesting any more; a line for recorders;
 * whether there are any. */
void console_settled(struct console *c);
void console_record(struct console *c, const struct buf *json);
bool console_is_recorded(const struct console *c);

/* For daemon/console/ only. */
struct console_counters {
	uint64_t delivered, serialised;
};
struct ring *console_ring(struct console *c, bool calls);
struct console_counters *console_counters(struct console *c);
size_t console_connection_count(const struct console *c);
void console_forget(struct console *c, struct connection *connection); /* it was closed */
void console_recording_changed(struct console *c, int by);

/* Whoever stages users for an import keeps much in memory: one connection at a time, and one that says nothing for a
 * minute loses its place. False: another one does. To be called for each line. */
bool console_import_begin(struct console *c, struct connection *connection);
void console_import_over(struct console *c, struct connection *connection); /* what it has staged is dropped */

#endif
