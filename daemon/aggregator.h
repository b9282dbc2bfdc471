/* aggregator.h: raw states in, composed presences out: freshness, verification, demand, and the one log.
 * SPDX-License-Identifier: MIT
 *
 * Pure: it does no I/O and has no clock; time comes with each call, and aggregator_deadline() says when it
 * wants to be called again. The daemon runs it on the loop, `presencectl replay` and the tests in virtual
 * time.
 *
 *   source_id ─┬─ channel (one per domain): status, hold, resync; all its watches
 *              └─ channel                     │
 *                      watch (one address): raw state, when it is to be proved again
 *                                             │ any number of users
 *                      presentity (one user): watches, demand, the composed presence, its place in the log
 *
 * A change only marks: users become dirty, and aggregator_run() composes them, in slices.
 */
#ifndef PRESENCED_AGGREGATOR_H
#define PRESENCED_AGGREGATOR_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/instant.h"
#include "daemon/changelog.h"
#include "daemon/directory.h"
#include "daemon/model/presence.h"
#include "daemon/model/rules.h"

struct aggregator;
struct agg_source; /* one source, both its channels */

struct aggregator_settings {
	struct rules rules;	   /* borrowed; replaced by aggregator_configure() */
	int64_t hold;		   /* ms a stale state is still believed while its source is away */
	int64_t resync_limit;	   /* ms a resynchronisation may take */
	int64_t verify_requesting; /* ms after which a state is proved again, by what it says */
	int64_t verify_ringing, verify_busy, verify_any;
	int64_t verify_rate; /* per second and source */
	int64_t linger;	     /* ms a user stays watched after the last demand */
};

/* How long an answer to verify may take before the state is stale (then hold, then error). */
#define AGGREGATOR_VERIFY_ANSWER_MS 25000

/* What the aggregator needs of the world. watch, unwatch and verify are called from aggregator_run(),
 * _settle(), _user_removed() and nothing else, so never from inside a raw state or a status. None of these
 * functions may call the aggregator back, but published, settled and watched may call
 * aggregator_demand_changed().  `owner` is what was given to aggregator_add_source(). */
struct aggregator_host {
	int (*watch)(void *owner, const char *address, enum domain domain);
	void (*unwatch)(void *owner, const char *address, enum domain domain);
	void (*verify)(void *owner, const char *address, enum domain domain);
	/* Address of the user at the source, into buf; false: none, or the source does not serve this user. */
	bool (*address)(void *owner, const struct user_fields *user, enum domain domain, char *buf, size_t size);
	/* Whether anybody wants to know about this user now; may be asked at any time. */
	bool (*demanded)(void *arg, const struct user *user);
	/* The composed presence was appended to the log; `changed`: it is another one, not only a name, a group or a note
	 * beside it. NULL: not needed. */
	void (*published)(void *arg, struct user *user, bool changed);
	/* For `record`: a state as it arrived; a user began or ceased to be watched. NULL: not needed. */
	void (*arrived)(void *arg, const struct agg_source *source, const char *address, const struct raw_state *state);
	void (*watched)(void *arg, struct user *user, bool watched);
	/* The user was composed, and nothing of it is requesting any more: for presence.get with wait. NULL. */
	void (*settled)(void *arg, struct user *user);
};

struct aggregator *aggregator_new(
    const struct aggregator_settings *settings, const struct aggregator_host *host, void *arg);
void aggregator_free(struct aggregator *a); /* calls no host function */

/* New settings: every user is composed again. `settings->rules` must outlive the aggregator or the next call. */
void aggregator_configure(struct aggregator *a, const struct aggregator_settings *settings, struct instant now);

/* --- users: called by the directory's observer --------------------------------------------------- */
int aggregator_user_added(struct aggregator *a, struct user *user, struct instant now); /* 0 or -ENOMEM */
void aggregator_user_changed(struct aggregator *a, struct user *user, const struct user_fields *old,
    const char *const *left, size_t left_count, struct instant now);
void aggregator_user_removed(struct aggregator *a, struct user *user, struct instant now);
void aggregator_user_renaming(struct aggregator *a, struct user *user); /* user_changed follows, with the new id */

/* What stands beside the presence of the user (a note) is another one: it is published again. */
void aggregator_republish(struct aggregator *a, struct user *user);
void aggregator_republish_all(struct aggregator *a); /* in slices */

/* The answer of host.demanded for this user may be another now. */
void aggregator_demand_changed(struct aggregator *a, struct user *user);

/* Somebody wants to know once: the user is watched for `linger` from now on. */
void aggregator_demand_once(struct aggregator *a, struct user *user, struct instant now);

/* --- sources ------------------------------------------------------------------------------------- */

/* Add a source that serves `domains`; the order of addition does not matter, `position` does. Users are
 * offered to it at once, in slices. NULL without memory. The name is copied. */
struct agg_source *aggregator_add_source(
    struct aggregator *a, const char *name, enum technology technology, int position, unsigned domains, void *owner);

/* Drop its states at once and forget it: no host call for it is made after this. */
void aggregator_remove_source(struct aggregator *a, struct agg_source *s, struct instant now);

/* Whom the sources serve has changed: ask host.address again for every user. */
void aggregator_readdress(struct aggregator *a);

/* A reload changed its place in the order of sources. */
void aggregator_move_source(struct aggregator *a, struct agg_source *s, int position);

/* connector.h says what these mean. */
void aggregator_source_status(struct aggregator *a, struct agg_source *s, unsigned domains, enum source_status status,
    const char *why, struct instant now);
void aggregator_source_resumed(struct aggregator *a, struct agg_source *s, unsigned domains, struct instant now);
void aggregator_resync_begin(struct aggregator *a, struct agg_source *s, unsigned domains, struct instant now);
void aggregator_resync_end(struct aggregator *a, struct agg_source *s, unsigned domains, struct instant now);
int aggregator_raw_state(
    struct aggregator *a, struct agg_source *s, const char *address, const struct raw_facts *facts, struct instant now);

/* Whether two texts are one number. / Whether a number is one of the users who are watched at an address. */
bool aggregator_same_number(const struct aggregator *a, const char *x, const char *y);
bool aggregator_is_own(const struct aggregator *a, const struct agg_source *s, enum domain domain, const char *address,
    const char *number);

/* --- running ------------------------------------------------------------------------------------- */

/* Do what is due at `now` and compose dirty users, at most `budget` of them. True: there is more to do. */
bool aggregator_run(struct aggregator *a, struct instant now, size_t budget);

/* Monotonic ms of the next thing that becomes due by time alone; INSTANT_NEVER. */
int64_t aggregator_deadline(const struct aggregator *a);

/* Compose this user now if it is dirty, so that an answer includes what has arrived. */
void aggregator_settle(struct aggregator *a, struct user *user, struct instant now);

/* --- asking -------------------------------------------------------------------------------------- */
struct changelog *aggregator_log(struct aggregator *a);

/* What was last published of a user, and when; all zero before the first composition. Borrowed until the next
 * aggregator_run() or aggregator_settle(). */
struct published {
	const struct presence *presence;
	uint64_t seq;
	int64_t at; /* wall ms */
};
struct published aggregator_published(const struct user *user);

/* The user whose presence a node of aggregator_log() is. */
struct user *aggregator_node_user(struct changelog_node *node);

/* Bytes of the last serialisations, for the fan-out: a place it may use per user and variant. */
struct presence_place {
	uint64_t position; /* in the ring; 0 never written */
	uint32_t len;
	uint64_t seq; /* of the presence that was written */
};
#define PRESENCE_VARIANTS 2 /* without and with permission `calls` */
struct presence_place *aggregator_places(struct user *user);

/* Nothing of this user is `requesting` and nothing waits to be composed. */
bool aggregator_is_settled(const struct user *user);
bool aggregator_is_watched(const struct user *user);

/* Every state of the user as the rules see it, then the trace. */
struct aggregator_state_row {
	const struct source_id *source;
	enum domain domain;
	const char *address;
	const struct raw_state *raw; /* NULL: nothing said */
	enum state_status status;    /* effective */
	const char *why;	     /* NULL when ok */
	int64_t age;		     /* ms since the source last said anything of it; -1 never */
};
void aggregator_explain(struct aggregator *a, struct user *user, struct instant now,
    void (*row)(void *arg, const struct aggregator_state_row *row), const struct rules_trace *trace, void *arg);

struct aggregator_source_stats {
	enum source_status status[DOMAIN_COUNT];
	const char *why[DOMAIN_COUNT]; /* NULL or a sentence */
	int64_t since[DOMAIN_COUNT];   /* wall ms of the last change of status */
	size_t watches;
	uint64_t raw_states, unwatched, outdated, verifications, corrections, unanswered;
	int64_t wrong_lamp_busy, wrong_lamp_any; /* ms, the bound that follows from verification and load */
};
void aggregator_source_stats(
    const struct aggregator *a, const struct agg_source *s, struct aggregator_source_stats *ret);

/* Its watches whose state is stale. It looks at each of them while any can be: for who shows it to people. */
size_t aggregator_source_stale(const struct agg_source *s);

struct aggregator_stats {
	size_t users, watched, dirty, watches;
	uint64_t raw_states, composed, published;
};
void aggregator_stats(const struct aggregator *a, struct aggregator_stats *ret);

const struct source_id *agg_source_id(const struct agg_source *s);

#endif
