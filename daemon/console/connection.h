/* connection.h: one console: its socket, its requests, what it is to be sent. For daemon/console/ only.
 * SPDX-License-Identifier: MIT
 *
 * Reads whole lines, answers them in order, and is not read while an answer is outstanding or too much is
 * unsent. It dies once, at the end of the turn, whoever closes it.
 */
#ifndef PRESENCED_CONNECTION_H
#define PRESENCED_CONNECTION_H

#include <bsd/sys/queue.h>
#include <event2/buffer.h>

#include "daemon/base/lines.h"
#include "daemon/base/unix_socket.h"
#include "daemon/daemon.h"

struct connection;
struct listener;
struct subscription;
struct pending;

#define CONNECTION_LINE_MAX_BYTES (1024 * 1024) /* in both directions */
#define CONNECTION_HIGH_BYTES	  (256 * 1024)	/* more unsent: not read, nothing new given */
#define CONNECTION_LOW_BYTES	  (64 * 1024)	/* less unsent: goes on */
#define CONNECTION_PROGRESS_MS	  600000	/* without progress for so long: closed */

/* Its part in events.c: which topics it follows, from where. */
struct event_cursors {
	bool users, sources, requests;
	uint64_t users_seq, sources_seq, requests_seq;
};

/* Its part in recorder.c. */
struct recorder_state {
	bool on, snapshot; /* snapshot: users after `after` are still to be told */
	char after[USER_MAX_ID_BYTES + 1];
	uint64_t lost;
};

struct connection {
	LIST_ENTRY(connection) link;
	struct daemon *daemon;
	struct console *console;
	struct listener *listener; /* where it was accepted; NULL: that socket is gone */
	int fd;
	struct unix_peer peer;
	unsigned permissions; /* 1u << PERMISSION_... */
	struct lines lines;
	struct evbuffer *out;
	struct loop_event *read_event, *write_event, *again_event;
	struct subscription *subscription; /* NULL: none */
	struct pending *pending;	   /* a request that is not answered yet; NULL: none */
	struct sync *import;		   /* users of users.import that were staged; NULL: none */
	struct event_cursors events;
	struct recorder_state recorder;
	bool closed, paused;
	bool broken;  /* writing has failed: it is closed by an event of its own, not under a caller */
	bool blocked; /* waits for the socket to take more */
	bool ended;   /* the console sends no more; it still gets what it has asked for */
};

/* A new connection; takes the descriptor. NULL without memory (then closed). */
struct connection *connection_new(
    struct daemon *d, struct console *console, int fd, struct unix_peer peer, unsigned permissions);

/* Close it, after a last line with the reason (NULL: none, the peer is gone). It is freed at the end of the
 * turn. */
void connection_close(struct connection *c, const char *reason);

/* The other end is gone: close it soon, but not now. */
void connection_break(struct connection *c);

/* Queue a whole line (with its LF) and send what goes. */
void connection_send(struct connection *c, const char *line, size_t len);
void connection_flush(struct connection *c);

/* Bytes that wait in `out`. */
size_t connection_unsent(const struct connection *c);

/* The outstanding request was answered: go on reading. */
void connection_resume(struct connection *c);

bool connection_may(const struct connection *c, enum permission permission);

/* From a reader back to its connection (subscription.c). */
struct connection *connection_of_reader(const struct reader *r);

#endif
