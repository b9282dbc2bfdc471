/* sources_private.h: the bodies behind sources.h, for sources*.c only.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_SOURCES_PRIVATE_H
#define PRESENCED_SOURCES_PRIVATE_H

#include <bsd/sys/queue.h>

#include "daemon/sources.h"

struct probe {
	void (*hop)(void *arg, const char *hop, const char *sentence, bool ok);
	void *arg;
	bool running, all_ok;
	struct loop_event *limit;
};

struct source {
	TAILQ_ENTRY(source) link;
	struct changelog_node change;
	struct sources *all;
	struct config_source config; /* owned, settings too */
	const struct connector_type *type;
	struct connector *connector;	/* NULL while it does not run */
	struct agg_source *agg;		/* while it should run; also when it could not be started */
	enum source_status idle_status; /* while it should not */
	char *idle_why;			/* owned */
	int64_t idle_since;
	bool stopped;		  /* by command */
	struct loop_event *retry; /* of a start that failed; NULL while none is due */
	struct probe probe;
	struct sync *staging;		/* the directory that it tells at the moment; NULL none */
	struct durable_op *taking;	/* the one that is taken in; NULL none */
	struct directory_outcome taken; /* what became of the last one */
	char *taken_why;		/* owned; NULL: it was taken, or there was none */
};

struct sources {
	struct loop *loop;
	struct directory *directory;
	struct aggregator *aggregator;
	struct durable *durable; /* NULL: nothing survives (tests) */
	struct changelog *changes;
	TAILQ_HEAD(, source) list;
	void (*line)(void *arg, const struct buf *json);
	void *line_arg;
};

/* sources.c */
void source_changed(struct source *s); /* whoever looks at sources is told */
void source_log_status(const struct source *s, enum source_status status, const char *why);

/* sources_probe.c: end the probe that runs, as far as it came. */
void source_probe_over(struct source *s);

/* sources_durable.c: it ends; nobody waits for what it began. */
void source_directory_drop(struct source *s);

/* The connection is gone: what was told of a directory by half is not taken. */
void source_directory_abort(struct source *s);
void source_write_directory(const struct source *s, struct buf *b);

#endif
