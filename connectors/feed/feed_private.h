/* feed_private.h: one running feed, for feed*.c only.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_FEED_PRIVATE_H
#define PRESENCED_FEED_PRIVATE_H

#include <bsd/sys/queue.h>
#include <event2/buffer.h>

#include "connectors/connector.h"
#include "connectors/feed/feed_spec.h"
#include "daemon/base/hashtab.h"
#include "daemon/base/lines.h"
#include "daemon/loop.h"

#define FEED_LINE_MAX_BYTES (64 * 1024)
#define FEED_OUT_HIGH_BYTES (64 * 1024)	      /* more is not written ahead to a program that reads slowly */
#define FEED_OUT_MAX_BYTES  (4 * 1024 * 1024) /* of answers to one that does not read them */
#define FEED_BOTH_DOMAINS   (1u << DOMAIN_RICH | 1u << DOMAIN_TELEPHONY)

/* One address, watched in one domain or in both. */
struct feed_watch {
	struct hash_link link;
	TAILQ_ENTRY(feed_watch) place; /* in `queue` or in `quiet` */
	uint8_t domains;
	bool again;	   /* the peer is to be told once more, so that it says the present state */
	bool verify;	   /* the peer is to be asked to say it again */
	uint32_t told_in;  /* the connection in which the peer was told to watch it */
	uint32_t quiet_in; /* the connection in which nothing is to be told of it: it is in `quiet`, else in `queue` */
	char address[];
};

struct connector {
	struct source *source;
	const struct feed_settings *settings;
	struct loop *loop;
	int listen_fd, fd; /* fd -1: nobody is connected */
	struct loop_event *accept_event, *retry_event, *read_event, *write_event, *first_event;
	struct lines lines;
	struct evbuffer *out;
	struct hashtab watches;
	TAILQ_HEAD(, feed_watch) queue, quiet; /* something, or nothing, is to be told about these */
	uint32_t connection;		       /* number of the present or last one; 0 is none */
	uint64_t line_number, errors;
	char last_error[256];
};

/* feed_lines.c: do what the lines say that were read. */
void feed_take_lines(struct connector *c);

/* feed.c: close the connection. */
void feed_lose(struct connector *c, const char *why);

/* feed.c: send a line (an object and its LF) as soon as the program takes it. */
void feed_put(struct connector *c, const struct buf *object);

#endif
