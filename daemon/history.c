/* history.c: from published presence to records for the store.
 * SPDX-License-Identifier: MIT */
#include "daemon/history.h"

#include <stdlib.h>

#include "daemon/base/jsonw.h"
#include "daemon/base/logger.h"
#include "daemon/model/raw_json.h"

#define RECORD_MAX_BYTES (32 * 1024)
#define WALK_USERS	 500   /* looked at in one turn, when everybody is written again */
#define AGAIN_MS	 1000  /* to try again after there was no room */
#define ALIVE_MS	 10000 /* between two words that the daemon observes */
#define JUMP_MS		 30000 /* the wall clock against the other: more is a sleep, or somebody set it */

/* user.history: the generation in which the user was last written, and whether a row was lost since. 0: never written. */
#define LOST	      1u
#define GENERATION(h) ((h)->generation << 1)

struct history {
	struct store *store;
	struct aggregator *aggregator;
	struct history_settings settings;
	uint32_t generation; /* counts how often everybody was to be written again; from 1 */
	bool behind;	     /* some are to be written, who stand in the log after `walked` */
	uint64_t walked;
	int64_t restated_at;	    /* wall: nothing that is written is from before */
	int64_t again_at, alive_at; /* mono */
	int64_t offset;		    /* of the wall clock against the monotonic one; 0 not known yet */
	uint64_t lost;
	struct buf state, secret; /* of the record in work */
};

struct history *history_new(struct store *store, struct aggregator *aggregator)
{
	struct history *h = calloc(1, sizeof *h);

	if (h == NULL)
		return NULL;
	h->store = store;
	h->aggregator = aggregator;
	h->generation = 1;
	buf_init(&h->state, RECORD_MAX_BYTES);
	buf_init(&h->secret, RECORD_MAX_BYTES);
	return h;
}

void history_free(struct history *h)
{
	if (h == NULL)
		return;
	buf_done(&h->state);
	buf_done(&h->secret);
	free(h);
}

static bool is_kept(const struct history *h)
{
	return h != NULL && h->store != NULL && h->settings.enabled;
}

void history_configure(struct history *h, const struct history_settings *settings, struct instant now)
{
	bool before = is_kept(h), after;
	struct history_record record = { .at = now.wall };

	h->settings = *settings;
	after = is_kept(h);
	if (h->store != NULL)
		store_set_retention(h->store, settings->retention);
	if (before == after || now.mono == 0)
		return;
	record.kind = after ? HISTORY_STARTED : HISTORY_STOPPED;
	(void)store_append(h->store, &record);
	if (after)
		history_restate(h, now.wall);
}

/* --- one user ------------------------------------------------------------------------------------ */

static bool says_something(int8_t status)
{
	return status != STATE_STATUS_NOT_REQUESTED && status != STATE_STATUS_REQUESTING &&
	    status != STATE_STATUS_NOT_CONFIGURED_FOR_USER && status != STATE_STATUS_SERVER_NOT_CONFIGURED;
}

/* Who was never written is so only from the first word of a source on: a start would write everybody. */
static bool is_worth_it(const struct user *user, const struct presence *p)
{
	return user->history != 0 || says_something(p->rich.status) || says_something(p->telephony.status);
}

static void write_secret(struct buf *b, const struct presence_telephony *t)
{
	bool calls = t->line != NULL && (t->line->facts.known & RAW_CALLS) != 0;
	bool target = t->forward_kind >= 0 && t->forward != NULL && t->forward->facts.forward_target != NULL;

	buf_clear(b);
	if (!calls && !target)
		return;
	jsonw_object(b, NULL);
	if (calls)
		raw_json_write_calls(b, &t->line->facts);
	if (target)
		jsonw_text(b, "target", t->forward->facts.forward_target);
	jsonw_object_end(b);
}

static void write_state(struct buf *b, const struct presence *presence)
{
	struct presence p = *presence;

	p.rich.since = p.telephony.since = 0; /* they stand beside it, so that states repeat */
	buf_clear(b);
	jsonw_object(b, NULL);
	presence_write(b, &p, false);
	jsonw_object_end(b);
}

/* FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/): what was written last of the user. */
static uint32_t hash_of(const struct buf *b)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < b->len; i++)
		hash = (hash ^ (unsigned char)b->data[i]) * 16777619u;
	return hash;
}

static bool append(struct history *h, struct user *user, const struct published *p, bool gap)
{
	uint32_t hash;
	struct history_record record = { .kind = HISTORY_CHANGE,
		.gap = gap,
		.seq = p->seq,
		.at = p->at,
		.user = user_id(user),
		.rich_since = p->presence->rich.since,
		.telephony_since = p->presence->telephony.since };

	write_state(&h->state, p->presence);
	record.state = buf_text(&h->state);
	hash = hash_of(&h->state);
	if (h->settings.calls)
		write_secret(&h->secret, &p->presence->telephony);
	else
		buf_clear(&h->secret);
	if (!h->settings.calls && !gap && user->history == GENERATION(h) && user->history_hash == hash)
		return true; /* only what is not kept has changed */
	user->history_hash = hash;
	if (h->secret.len > 0)
		record.secret = buf_text(&h->secret);
	return !h->state.failed && !h->secret.failed && store_append(h->store, &record);
}

/* Write the present state. False: there was no room, and the user is marked. */
static bool put(struct history *h, struct user *user)
{
	struct published p = aggregator_published(user);
	bool gap = user->history != 0 && user->history != GENERATION(h);

	if (p.at < h->restated_at)
		p.at = h->restated_at;
	if (p.presence == NULL || !is_worth_it(user, p.presence))
		return true;
	if (append(h, user, &p, gap)) {
		user->history = GENERATION(h);
		return true;
	}
	h->lost++;
	user->history = GENERATION(h) | LOST;
	if (!h->behind || p.seq - 1 < h->walked)
		h->walked = p.seq - 1;
	h->behind = true;
	return false;
}

void history_published(struct history *h, struct user *user)
{
	if (is_kept(h))
		(void)put(h, user);
}

void history_removed(struct history *h, struct user *user, int64_t at)
{
	struct history_record record = { .kind = HISTORY_REMOVED, .user = user_id(user), .at = at };

	if (!is_kept(h) || user->history == 0)
		return;
	record.gap = user->history != GENERATION(h);
	if (!store_append(h->store, &record))
		h->lost++;
}

void history_renamed(struct history *h, const char *from, const struct user *user, int64_t at)
{
	struct history_record record = { .kind = HISTORY_RENAMED, .user = user_id(user), .from = from, .at = at };

	if (h != NULL && h->store != NULL && !store_append(h->store, &record))
		h->lost++;
}

/* --- everybody ----------------------------------------------------------------------------------- */

void history_restate(struct history *h, int64_t wall)
{
	h->restated_at = wall;
	h->generation++;
	h->behind = true;
	h->walked = 0;
}

/* A slice of those who are behind. They may be met again at the end of the log, where they have been written. */
static bool catch_up(struct history *h, struct instant now)
{
	struct changelog *log = aggregator_log(h->aggregator);
	struct changelog_entry e;

	for (int n = 0; n < WALK_USERS; n++) {
		struct user *user;

		if (!changelog_next(log, h->walked, &e)) {
			h->behind = false;
			return false;
		}
		user = e.node == NULL ? NULL : aggregator_node_user(e.node);
		if (user != NULL && user->history != GENERATION(h) && !put(h, user)) {
			h->lost--; /* it was counted before */
			h->again_at = now.mono + AGAIN_MS;
			return false;
		}
		h->walked = e.seq;
	}
	return true;
}

/* --- time ---------------------------------------------------------------------------------------- */

static void look_at_clock(struct history *h, struct instant now)
{
	int64_t offset = now.wall - now.mono, jump = offset - h->offset;

	if (h->offset != 0 && (jump > JUMP_MS || jump < -JUMP_MS)) {
		log_info("history", "clock_jumped", LOG_DURATION("by", jump < 0 ? -jump : jump),
		    LOG_TEXT("why", "the machine slept, or the clock was set: what was between is not observed"));
		history_restate(h, now.wall);
	}
	h->offset = offset;
}

/* Said only when it is true of everybody: all is published, and nobody waits to be written. */
static void say_alive(struct history *h, struct instant now)
{
	struct history_record record = { .kind = HISTORY_ALIVE, .at = now.wall };
	struct aggregator_stats stats;

	h->alive_at = now.mono + ALIVE_MS;
	aggregator_stats(h->aggregator, &stats);
	if (stats.watched > 0)
		(void)store_append(h->store, &record);
}

bool history_run(struct history *h, bool settled, struct instant now)
{
	bool more = false;

	if (!is_kept(h))
		return false;
	look_at_clock(h, now);
	if (h->behind && now.mono >= h->again_at)
		more = catch_up(h, now);
	if (now.mono >= h->alive_at && settled && !h->behind)
		say_alive(h, now);
	else if (now.mono >= h->alive_at)
		h->alive_at = now.mono + AGAIN_MS;
	return more;
}

int64_t history_deadline(const struct history *h)
{
	if (!is_kept(h))
		return INSTANT_NEVER;
	return h->behind ? h->again_at : h->alive_at;
}

uint64_t history_lost(const struct history *h)
{
	return h->lost;
}
