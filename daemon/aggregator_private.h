/* aggregator_private.h: the bodies behind aggregator.h, for aggregator*.c only.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_AGGREGATOR_PRIVATE_H
#define PRESENCED_AGGREGATOR_PRIVATE_H

#include <bsd/sys/tree.h>

#include "daemon/aggregator.h"
#include "daemon/base/hashtab.h"

#define ADDRESS_SIZE (USER_MAX_FIELD_BYTES + 1)

/* One address at one channel, watched for all users who have it. */
struct watch {
	struct hash_link link; /* in channel.by_address */
	struct channel *channel;
	const struct raw_state *raw; /* one reference; NULL: nothing said yet */
	char *doubt;		     /* owned; what the source said with "stale", while it is unproved; NULL nothing */
	struct presentity **users;
	RB_ENTRY(watch) timer;	  /* in aggregator.timers while `timed` */
	TAILQ_ENTRY(watch) queue; /* in agg_source.verify_queue while `queued` */
	int64_t due;		  /* mono: when the timer looks at it again; never later than is true */
	int64_t touched;	  /* mono: when it was last said, asked for, or created */
	int64_t said;		  /* mono: when it was last said; 0 never */
	int64_t asked;		  /* mono: verify sent and not answered; 0 none */
	int64_t unproved_since;	  /* mono: verify was not answered, validity ended, or said to be stale; 0 proved */
	int64_t valid_until;	  /* mono; 0 without end */
	uint32_t generation;	  /* channel.generation when it was last said */
	uint32_t epoch, rev;
	uint32_t place; /* in channel.watches */
	uint32_t user_count;
	bool timed, queued;
	bool failed; /* unproved for longer than hold */
	char address[];
};
RB_HEAD(watch_timers, watch);
TAILQ_HEAD(watch_queue, watch);

/* One domain of one source. A state is fresh if it was said in a generation that counts:
 *
 *   up ──loss──> away: all stale; after hold: held_below, all in error
 *   away ──up──> pending (a new generation; what is said now is fresh) ──resumed──> all fresh
 *                                                                     ──resync begin──> older ones stale ...
 *   ... until said again, or resync end / limit: older ones in error (error_below)
 */
struct channel {
	struct agg_source *source;
	enum domain domain;
	bool served; /* the source has this domain */
	bool up, pending, resyncing;
	enum source_status status;
	char *why;     /* owned; NULL when up */
	int64_t since; /* wall: of the status */
	uint32_t generation, valid_from, error_below;
	uint32_t held_below;	     /* states said before this generation are out of hold; 0 none */
	int64_t lost_at, lost_total; /* mono; ms away since states were last all fresh */
	int64_t deadline;	     /* mono: hold or resync limit; INSTANT_NEVER */
	struct hashtab by_address;
	struct watch **watches;
	uint32_t watch_count, watch_size;
	uint32_t unproved; /* watches with unproved_since */
	uint32_t sweep;	   /* watches below this place are still to be looked at */
};

struct agg_source {
	TAILQ_ENTRY(agg_source) link;
	struct aggregator *aggregator;
	struct source_id *id; /* owned by the aggregator for ever: presences may name it */
	void *owner;
	struct channel channels[DOMAIN_COUNT];
	struct watch_queue verify_queue;
	int64_t verify_credit;	 /* thousandths of a verification */
	int64_t verify_credited; /* mono: when the credit was last counted */
	uint64_t raw_states, unwatched, outdated, verifications, corrections, unanswered;
};

enum presentity_work {
	WORK_COMPOSE = 1u << 0, /* a state or a rule changed */
	WORK_DEMAND = 1u << 1,	/* the demand may have changed */
	WORK_WATCHES = 1u << 2, /* addresses or sources changed */
	WORK_PUBLISH = 1u << 3, /* name or groups changed: publish even if the presence is the same */
};

struct presentity {
	struct changelog_node node;
	struct user *user;
	struct presence presence; /* as published; holds references */
	int64_t at;		  /* wall: when it was published */
	struct presence_place places[PRESENCE_VARIANTS];
	TAILQ_ENTRY(presentity) work_link, linger_link;
	struct watch **watches;
	uint32_t watch_count;
	uint8_t work; /* WORK_*; not 0: in aggregator.work */
	bool active, lingering;
	int64_t linger_until; /* mono */
};
TAILQ_HEAD(presentity_queue, presentity);

struct aggregator {
	struct aggregator_settings settings;
	const struct aggregator_host *host;
	void *arg;
	struct changelog *log;
	TAILQ_HEAD(, agg_source) sources;
	struct source_id **ids; /* every source there ever was */
	size_t id_count;
	struct watch_timers timers;
	struct presentity_queue work, linger;
	unsigned mark_work; /* to be marked on everybody, in slices; 0 none */
	uint64_t marked;    /* everybody up to this number in the log is */
	struct aggregator_stats stats;
};

/* aggregator.c */
void presentity_mark(struct aggregator *a, struct presentity *p, unsigned work);
void aggregator_mark_all(struct aggregator *a, unsigned work); /* in slices, by aggregator_run() */
void aggregator_forget_presentity(struct aggregator *a, struct user *user, struct presentity *p);

/* aggregator_watch.c: one watch. */
int watch_acquire(struct aggregator *a, struct channel *c, const char *address, struct presentity *p,
    struct instant now, struct watch **ret);
void watch_release(struct aggregator *a, struct watch *w, struct presentity *p);
void watch_drop_all(struct aggregator *a, struct channel *c); /* the channel's users have let go of them */
void watch_unqueue(struct watch *w);
void watch_set_unproved(struct watch *w, int64_t since); /* 0: proved */
void watch_schedule(struct aggregator *a, struct watch *w);
void watch_mark_users(struct aggregator *a, struct watch *w, unsigned work);
enum state_status watch_status(const struct watch *w, const char **ret_why);
bool watches_run(struct aggregator *a, struct instant now, size_t budget);
int64_t watches_deadline(const struct aggregator *a);

/* aggregator_source.c: one channel. */
void channels_run(struct aggregator *a, struct instant now);
bool channels_sweep(struct aggregator *a, size_t budget);
int64_t channels_deadline(const struct aggregator *a);

#endif
