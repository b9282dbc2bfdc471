/* config.h: the configuration file, read whole or refused with every error at once.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_CONFIG_H
#define PRESENCED_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "connectors/spec.h"
#include "daemon/aggregator.h"
#include "daemon/base/buf.h"

#define CONFIG_MAX_CONSOLES 64

struct config_console {
	char *socket;
	char *group; /* NULL: the daemon's */
	int64_t mode;
	uint64_t permissions;			 /* 1u << PERMISSION_... */
	struct option_list peer_uids, peer_gids; /* numbers or names; both empty: everybody */
};

struct config_source {
	char *name;
	bool enabled;
	const struct connector_spec *spec;
	uint64_t domains;		    /* 0: all that the type serves */
	char *match;			    /* glob on user ids; NULL everybody */
	struct option_list groups;	    /* only members of these; empty: everybody */
	bool directory_use;		    /* whether the users that it names are taken into the directory */
	struct option_list directory_match; /* columns by which a new entry finds its user, in order */
	void *settings;			    /* the spec's own; whoever starts the source may take it (and leave NULL) */
	enum technology technology;
	int position;
	int line; /* in the file, for messages */
};

struct config_limits {
	int64_t connections, connections_per_uid, users_per_set;
};

struct config_history {
	bool enabled, calls;
	int64_t retention; /* ms */
};

struct config {
	char *file;
	struct config_console *consoles;
	size_t console_count;
	struct config_source *sources;
	size_t source_count;
	struct aggregator_settings aggregator; /* rules, verify, hold, linger */
	bool always;			       /* monitoring.mode */
	struct config_limits limits;
	struct config_history history;
	char *users; /* CSV; NULL none */
	char *state; /* directory */
	int64_t log_level;
};

/* Read and check `file`. 0 and *ret, owned by the caller; -EINVAL with every error in `errors`, a line each:
 * "FILE:LINE:COLUMN: KEY: what was found, what is expected". Warnings are added to `warnings` (may be NULL)
 * in the same form. -errno if the file can't be read, with a sentence in `errors`. */
int config_load(const char *file, struct config **ret, struct buf *errors, struct buf *warnings);
void config_free(struct config *c);

/* The configuration of an empty file. 0 and *ret, or -ENOMEM. */
int config_defaults(struct config **ret);

/* Free what a source owns, its settings too; the struct itself belongs to its array. */
void config_source_done(struct config_source *s);

/* Whether a reload changes nothing for the source / whom it serves and names / the socket. */
bool config_source_same(const struct config_source *a, const struct config_source *b);
bool config_source_serves_same(const struct config_source *a, const struct config_source *b);
bool config_console_same(const struct config_console *a, const struct config_console *b);

/* The sections and their options, for help and man pages. */
struct config_section {
	const char *name; /* "monitoring" */
	const struct option *options;
	const char *help;
};
extern const struct config_section config_sections[]; /* ended by name NULL */
extern const struct option config_source_options[];   /* what every source has */

#endif
