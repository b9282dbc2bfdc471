/* connector.h: the one contract between the core and a connector, a driver for one kind of system.
 * SPDX-License-Identifier: MIT
 *
 * A connector is a folder that exports one `const struct connector_spec` (spec.h: what it is, pure) and one
 * `const struct connector_type` (what it does). It knows addresses, not users. It runs on
 * the loop, blocks never, limits what it accepts, never logs a secret, and paces itself. The core watches an
 * address at most once per domain, however many users have it.
 */
#ifndef PRESENCED_CONNECTOR_H
#define PRESENCED_CONNECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "connectors/spec.h"
#include "daemon/base/buf.h"
#include "daemon/model/raw_state.h"

struct connector; /* one running source; its body is private to its technology */
struct source;	  /* the core's half of it; opaque to connectors */
struct loop;	  /* daemon/loop.h: timers and descriptors that are measured */

/* What a directory changed: users, and entries that changed nothing. */
struct directory_outcome {
	size_t added, changed, unchanged, removed, conflicts;
	const char *why; /* borrowed for the call */
};

/* --- upwards: on the loop, never from inside start() or any other downward call ------------------ */

/* The connection, or one domain of it, is now `status`; `why` is a sentence for people (NULL: all is well),
 * copied. `domains` is a set, 1u << DOMAIN_RICH | ... Leaving UP makes all states of the domain stale. After
 * coming UP exactly one of source_resumed() and source_resync_begin() is to follow. */
void source_status_changed(struct source *src, unsigned domains, enum source_status status, const char *why);

/* Nothing was missed while the connection was away: stale states are good again. Without a loss before it, it
 * changes nothing. */
void source_resumed(struct source *src, unsigned domains);

/* Everything that is watched is going to be said again; what was not said at the end becomes an error.
 * Allowed at any time while UP (a peer that forgot us). */
void source_resync_begin(struct source *src, unsigned domains);
void source_resync_end(struct source *src, unsigned domains);

/* What the source says of an address, a fact or only a status. `facts` are borrowed for the call;
 * facts.domain says which half. `at` 0 means now. An address that is not watched is counted and dropped:
 * -ENOENT. An older epoch/rev: -ESTALE. Facts that fail raw_facts_check(): -EINVAL, logged with what is
 * wrong. Else 0. */
int source_raw_state(struct source *src, const char *address, const struct raw_facts *facts);

/* A user id -> the user's address at this source; for peers that speak of users (feed). False if there is
 * none. */
bool source_address_of(struct source *src, const char *user_id, enum domain domain, char *buf, size_t size);

/* Whether two texts are one number (presenced.yaml(5), numbers): connectors cannot tell, the core knows how numbers are
 * dialled here. */
bool source_same_number(const struct source *src, const char *a, const char *b);

/* Whether a number is one of a person who is watched at this address: any extension, or the line. */
bool source_is_own(const struct source *src, const char *address, enum domain domain, const char *number);

/* The domains that it is configured to serve, 1u << DOMAIN_RICH | ... */
unsigned source_domains(const struct source *src);

/* Its name, for messages and logs. */
const char *source_name(const struct source *src);

/* --- upwards: what survives, and whom the peer knows ---------------------------------------------- */

/* A small durable memory: keys of at most 256 bytes, values of at most 64 KiB. NULL forgets. 0, or -ENOSPC: too much. It
 * may be called, and read, at any time. */
int source_remember(struct source *src, const char *key, const char *value);

/* NULL: nothing; *ret_known is false while that cannot be known, since the disk could not be read. The text is good until
 * the next source_remember(). */
const char *source_recall(const struct source *src, const char *key, bool *ret_known);

/* The password: the one that was set at run time, else as secret_read() finds it, with its results. */
int source_secret(const struct source *src, const char *text, const char *file, char *buf, char *err, size_t err_size);

/* Whether it is another one than `known` (NULL: there was none) now. One that cannot be read: false, and a sentence in `why`,
 * else "". */
bool source_secret_differs(
    const struct source *src, const char *text, const char *file, const char *known, char *why, size_t why_size);

/* Keep a password from now on. `done`, later and once, has NULL or a sentence; NULL: nobody waits. -ENOMEM: not called. */
int source_set_secret(struct source *src, const char *secret, void (*done)(void *arg, const char *why), void *arg);

/* All users that the peer knows: begin, the entries, end. An entry has a key that stays the same; the id in its fields is
 * for a user that there is not yet. The outcome comes by directory_taken(). entry: takes the reference; 0; -EPERM: the
 * configuration does not want them; -EINVAL: not begun; -EEXIST: the key was named before; -ENOSPC; -ENOMEM. */
int source_directory_begin(struct source *src); /* 0 or -EPERM or -ENOMEM; what was begun before is dropped */
int source_directory_entry(struct source *src, const char *key, struct user_fields *fields);
int source_directory_end(struct source *src, bool complete); /* 0 or -EINVAL; not complete: nobody is removed */

/* Somebody asks to see our presence; the same again is one request. Texts are copied; name and text may be NULL. 0, or
 * -ENOSPC: too many wait already. Withdrawn: by who asked, or decided elsewhere. */
int source_request_arrived(struct source *src, const char *address, const char *name, const char *text);
void source_request_withdrawn(struct source *src, const char *address);

/* One row of a probe. `sentence` NULL: ok. `more` false ends the probe. */
void source_probe_hop(struct source *src, const char *hop, const char *sentence, bool more);

/* --- downwards ----------------------------------------------------------------------------------- */

struct connector_type {
	const struct connector_spec *spec;

	/* Begin to connect; returns at once. 0 and *ret, owned by the caller until stop(); or -errno with a
	 * sentence in err, *ret untouched. `settings` outlive the connector. Statuses arrive later, by event.
	 */
	int (*start)(struct connector **ret, struct source *src, const void *settings, struct loop *loop, char *err,
	    size_t err_size);

	/* Say goodbye to the peer without waiting, and free. No upward call after it returns. NULL is fine. */
	void (*stop)(struct connector *c);

	/* From now on tell what this address does, the present state first / stop telling. The connector
	 * remembers the watch over reconnections. Each is called once (never twice in a row). watch: 0, or
	 * -ENOMEM; an address that cannot be watched is told by source_raw_state() with a status, later.
	 * `address` is borrowed for the call. */
	int (*watch)(struct connector *c, const char *address, enum domain domain);
	void (*unwatch)(struct connector *c, const char *address, enum domain domain);

	/* Say again, from the peer and not from memory, what is true of a watched address. The answer is any
	 * source_raw_state() of it. */
	void (*verify)(struct connector *c, const char *address, enum domain domain);

	/* Look at each hop to the peer in order and report it by source_probe_hop(); the last with more =
	 * false, within 10 s. NULL: the core reports the status only. */
	void (*probe)(struct connector *c);

	/* Whether what it read at its start beside the settings (a file with a password) is another one now: then a
	 * reload starts it anew. Where it cannot be read any more: false, and a sentence in `why`, else "". NULL: it
	 * reads nothing. */
	bool (*outdated)(const struct connector *c, char *why, size_t size);

	/* A request is accepted or denied. 0, or -ENOTCONN: the peer cannot be told now. NULL: there are no requests. */
	int (*decide)(struct connector *c, const char *address, bool accept);

	/* Ask to see the presence of an address for good, or end that (people are asked once, a watch comes and goes). 0 or
	 * -ENOTCONN. NULL: the protocol has no such thing. */
	int (*contact)(struct connector *c, const char *address, bool add);

	/* What became of the directory that was ended last: `why` is NULL, or a sentence why nothing was changed. NULL: not
	 * needed. */
	void (*directory_taken)(struct connector *c, const struct directory_outcome *outcome);

	/* Write counters as members of an object that the caller has opened. NULL: none. */
	void (*stats)(const struct connector *c, struct buf *b);
};

/* The driver for a spec, or NULL (daemon/registry.c). */
const struct connector_type *connector_type_of(const struct connector_spec *spec);

#endif
