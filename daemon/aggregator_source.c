/* aggregator_source.c: sources: connection, loss, hold, resynchronisation, and the raw states that arrive.
 * SPDX-License-Identifier: MIT */
#include "daemon/aggregator_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- being there --------------------------------------------------------------------------------- */

static struct source_id *id_of(struct aggregator *a, const char *name, enum technology technology)
{
	struct source_id **ids;
	struct source_id *id;

	for (size_t i = 0; i < a->id_count; i++)
		if (a->ids[i]->technology == (int8_t)technology && strcmp(a->ids[i]->name, name) == 0)
			return a->ids[i];
	ids = reallocarray(a->ids, a->id_count + 1, sizeof *ids);
	if (ids == NULL)
		return NULL;
	a->ids = ids;
	id = calloc(1, sizeof *id);
	if (id == NULL)
		return NULL;
	id->name = strdup(name);
	id->technology = (int8_t)technology;
	if (id->name == NULL) {
		free(id);
		return NULL;
	}
	a->ids[a->id_count++] = id;
	return id;
}

static const char *address_key(const struct hash_link *link)
{
	return hash_entry(link, const struct watch, link)->address;
}

struct agg_source *aggregator_add_source(
    struct aggregator *a, const char *name, enum technology technology, int position, unsigned domains, void *owner)
{
	struct agg_source *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->id = id_of(a, name, technology);
	if (s->id == NULL) {
		free(s);
		return NULL;
	}
	s->id->position = position;
	s->aggregator = a;
	s->owner = owner;
	TAILQ_INIT(&s->verify_queue);
	for (int d = 0; d < DOMAIN_COUNT; d++) {
		struct channel *c = &s->channels[d];

		c->source = s;
		c->domain = d;
		c->served = (domains >> d & 1) != 0;
		c->status = SOURCE_STATUS_CONNECTING;
		c->deadline = INSTANT_NEVER; /* hold begins with the first status */
		c->lost_at = -1;
		hashtab_init(&c->by_address, address_key);
	}
	TAILQ_INSERT_TAIL(&a->sources, s, link);
	rules_rank(&a->settings.rules, a->ids, a->id_count);
	aggregator_mark_all(a, WORK_WATCHES | WORK_COMPOSE);
	return s;
}

/* Take the channel's watches out of their users' lists. */
static void let_go(struct aggregator *a, struct channel *c)
{
	for (uint32_t i = 0; i < c->watch_count; i++) {
		struct watch *w = c->watches[i];

		for (uint32_t k = 0; k < w->user_count; k++) {
			struct presentity *p = w->users[k];
			uint32_t kept = 0;

			for (uint32_t n = 0; n < p->watch_count; n++)
				if (p->watches[n] != w)
					p->watches[kept++] = p->watches[n];
			p->watch_count = kept;
			presentity_mark(a, p, WORK_COMPOSE);
		}
	}
}

void aggregator_remove_source(struct aggregator *a, struct agg_source *s, struct instant now)
{
	(void)now;
	for (int d = 0; d < DOMAIN_COUNT; d++) {
		let_go(a, &s->channels[d]);
		watch_drop_all(a, &s->channels[d]);
		free(s->channels[d].why);
	}
	TAILQ_REMOVE(&a->sources, s, link);
	free(s);
	aggregator_mark_all(a, WORK_COMPOSE); /* "not requested" may have become "no server" */
}

void aggregator_move_source(struct aggregator *a, struct agg_source *s, int position)
{
	if (s->id->position == position)
		return;
	s->id->position = position;
	rules_rank(&a->settings.rules, a->ids, a->id_count);
	aggregator_mark_all(a, WORK_COMPOSE);
}

/* --- freshness of a whole channel ---------------------------------------------------------------- */

static void sweep(struct channel *c)
{
	c->sweep = c->watch_count;
}

/* States that were said in this connection are believed for all of hold; older ones have used some of it up. */
static void channel_lost(struct aggregator *a, struct channel *c, struct instant now)
{
	c->up = c->pending = false; /* a resynchronisation that was cut goes on if the source resumes */
	c->lost_at = now.mono;
	c->deadline = now.mono + a->settings.hold - (c->held_below < c->generation ? c->lost_total : 0);
	sweep(c);
}

/* Hold is over: for the older states first, then for all. */
static void hold_over(struct aggregator *a, struct channel *c, struct instant now)
{
	bool all = now.mono >= c->lost_at + a->settings.hold;

	c->held_below = c->generation + (all ? 1 : 0);
	c->deadline = all ? INSTANT_NEVER : c->lost_at + a->settings.hold;
	sweep(c);
}

static void channel_found(struct aggregator *a, struct channel *c, struct instant now)
{
	if (c->lost_at >= 0)
		c->lost_total += now.mono - c->lost_at;
	c->lost_at = -1;
	c->up = c->pending = true;
	c->generation++;
	c->deadline = now.mono + a->settings.resync_limit;
	sweep(c);
}

static void all_is_said(struct channel *c)
{
	c->pending = c->resyncing = false;
	c->held_below = 0;
	c->lost_total = 0;
	c->deadline = INSTANT_NEVER;
	sweep(c);
}

static void resync_over(struct channel *c)
{
	if (!c->up || (!c->resyncing && !c->pending))
		return;
	if (c->pending)
		c->valid_from = c->generation;
	c->error_below = c->valid_from;
	all_is_said(c);
}

static bool is_up(enum source_status status)
{
	return status == SOURCE_STATUS_UP || status == SOURCE_STATUS_UP_CREDENTIALS_NOT_FOUND;
}

static void set_status(
    struct aggregator *a, struct channel *c, enum source_status status, const char *why, struct instant now)
{
	bool same = c->status == status && c->since != 0;

	if (why == NULL || c->why == NULL || strcmp(why, c->why) != 0) {
		free(c->why);
		c->why = why == NULL ? NULL : strdup(why);
	}
	c->status = status;
	if (!same)
		c->since = now.wall;
	if (c->up && !is_up(status))
		channel_lost(a, c, now);
	else if (!c->up && is_up(status))
		channel_found(a, c, now);
	else if (!c->up && c->lost_at < 0)
		channel_lost(a, c, now); /* the first word: not connected yet, and hold runs */
}

void aggregator_source_status(struct aggregator *a, struct agg_source *s, unsigned domains, enum source_status status,
    const char *why, struct instant now)
{
	for (int d = 0; d < DOMAIN_COUNT; d++)
		if ((domains >> d & 1) != 0)
			set_status(a, &s->channels[d], status, why, now);
}

void aggregator_source_resumed(struct aggregator *a, struct agg_source *s, unsigned domains, struct instant now)
{
	for (int d = 0; d < DOMAIN_COUNT; d++) {
		struct channel *c = &s->channels[d];

		if ((domains >> d & 1) == 0 || !c->pending)
			continue; /* said without a loss before it: a resynchronisation goes on as it was */
		if (!c->resyncing) {
			all_is_said(c);
			continue;
		}
		/* nothing was missed of the resynchronisation either: it goes on */
		if (c->held_below != 0 && c->error_below < c->valid_from)
			c->error_below = c->held_below < c->valid_from ? c->held_below : c->valid_from;
		c->pending = false;
		c->held_below = 0;
		c->deadline = now.mono + a->settings.resync_limit;
		sweep(c);
	}
}

void aggregator_resync_begin(struct aggregator *a, struct agg_source *s, unsigned domains, struct instant now)
{
	for (int d = 0; d < DOMAIN_COUNT; d++) {
		struct channel *c = &s->channels[d];

		if ((domains >> d & 1) == 0 || !c->up)
			continue;
		if (!c->pending) /* in the middle of a connection: what was said before does not count either */
			c->generation++;
		c->valid_from = c->generation;
		if (c->held_below > c->error_below)
			c->error_below = c->held_below;
		c->pending = false;
		c->held_below = 0;
		c->resyncing = true;
		c->deadline = now.mono + a->settings.resync_limit;
		sweep(c);
	}
}

void aggregator_resync_end(struct aggregator *a, struct agg_source *s, unsigned domains, struct instant now)
{
	(void)a;
	(void)now;
	for (int d = 0; d < DOMAIN_COUNT; d++)
		if ((domains >> d & 1) != 0)
			resync_over(&s->channels[d]);
}

void channels_run(struct aggregator *a, struct instant now)
{
	struct agg_source *s;

	TAILQ_FOREACH (s, &a->sources, link) {
		for (int d = 0; d < DOMAIN_COUNT; d++) {
			struct channel *c = &s->channels[d];

			if (c->deadline > now.mono)
				continue;
			c->deadline = INSTANT_NEVER;
			if (c->up) {
				resync_over(c);
			} else {
				hold_over(a, c, now);
			}
		}
	}
}

/* A sweep composes the users of every watch of a channel again, and sets the timers anew, in slices. */
bool channels_sweep(struct aggregator *a, size_t budget)
{
	struct agg_source *s;
	size_t done = 0;

	TAILQ_FOREACH (s, &a->sources, link) {
		for (int d = 0; d < DOMAIN_COUNT; d++) {
			struct channel *c = &s->channels[d];

			for (; c->sweep > 0 && done < budget; done++) {
				struct watch *w = c->watches[--c->sweep];

				if (!c->up)
					w->asked = 0; /* who should answer? */
				watch_schedule(a, w);
				watch_mark_users(a, w, WORK_COMPOSE);
			}
			if (c->sweep > 0)
				return true;
		}
	}
	return false;
}

int64_t channels_deadline(const struct aggregator *a)
{
	int64_t deadline = INSTANT_NEVER;
	const struct agg_source *s;

	TAILQ_FOREACH (s, &a->sources, link) {
		for (int d = 0; d < DOMAIN_COUNT; d++)
			if (s->channels[d].deadline < deadline)
				deadline = s->channels[d].deadline;
	}
	return deadline;
}

/* --- raw states ---------------------------------------------------------------------------------- */

static int64_t not_in_the_future(int64_t wall, struct instant now)
{
	return wall > now.wall ? now.wall : wall;
}

static bool is_older(const struct watch *w, const struct raw_facts *f)
{
	if ((f->epoch == 0 && f->rev == 0) || w->generation != w->channel->generation)
		return false; /* a peer that came back counts anew */
	return f->epoch < w->epoch || (f->epoch == w->epoch && f->rev < w->rev);
}

/* Keep what was said. A repetition keeps the older object: its times say since when it is so. */
static int keep(struct watch *w, const struct raw_facts *said, struct instant now)
{
	struct raw_facts f = *said;
	const struct raw_state *new;

	f.at = f.at == 0 ? now.wall : not_in_the_future(f.at, now);
	f.observed_at = not_in_the_future(f.observed_at, now);
	if (f.status == STATE_STATUS_STALE)
		f.status = STATE_STATUS_OK; /* believed for hold, like any state that is not proved */
	new = raw_state_new(&f);
	if (new == NULL)
		return -ENOMEM;
	if (w->raw != NULL && raw_state_same_facts(new, w->raw) &&
	    new->facts.observed_at == w->raw->facts.observed_at) {
		raw_state_unref(new);
		return 0;
	}
	if (w->asked != 0 && w->raw != NULL && !raw_state_same_facts(new, w->raw))
		w->channel->source->corrections++;
	raw_state_unref(w->raw);
	w->raw = new;
	return 1;
}

/* What was said leaves the state in doubt: hold runs, and goes on where it ran before for the same facts. A doubt never
 * makes a state believed again that is not any more. */
static void note_doubt(struct watch *w, const struct raw_facts *f, bool new_facts, bool believed, struct instant now)
{
	bool doubt = f->status == STATE_STATUS_STALE || (f->valid_until != 0 && f->valid_until <= now.wall);

	free(w->doubt);
	w->doubt = doubt && f->why != NULL ? strdup(f->why) : NULL; /* without memory the reason is a general one */
	if (!doubt) {
		watch_set_unproved(w, 0);
		w->failed = false;
	} else if (new_facts) {
		watch_set_unproved(w, now.mono);
		w->failed = false;
	} else {
		watch_set_unproved(w, w->unproved_since != 0 ? w->unproved_since : now.mono);
		w->failed = w->failed || !believed;
	}
}

static void note_times(struct watch *w, const struct raw_facts *f, struct instant now)
{
	watch_unqueue(w);
	w->asked = 0;
	w->valid_until = f->valid_until <= now.wall ? 0 : now.mono + (f->valid_until - now.wall);
	w->said = w->touched = now.mono;
	w->generation = w->channel->generation;
	w->epoch = f->epoch;
	w->rev = f->rev;
}

/* As it was said, at the time when it was: a repetition too, which is not kept. */
static void tell_arrival(struct aggregator *a, const struct watch *w, const struct raw_facts *said, struct instant now)
{
	struct raw_state state = { .refs = 1, .facts = *said };

	state.facts.at = said->at == 0 ? now.wall : not_in_the_future(said->at, now);
	a->host->arrived(a->arg, w->channel->source, w->address, &state);
}

int aggregator_raw_state(
    struct aggregator *a, struct agg_source *s, const char *address, const struct raw_facts *facts, struct instant now)
{
	struct channel *c;
	struct hash_link *link;
	enum state_status before;
	struct watch *w;
	const char *why;
	int r = 0;

	if (raw_facts_check(facts) != NULL || !raw_status_may_be_said(facts->status))
		return -EINVAL;
	s->raw_states++;
	a->stats.raw_states++;
	c = &s->channels[facts->domain];
	link = hashtab_find(&c->by_address, address);
	if (link == NULL) {
		s->unwatched++;
		return -ENOENT;
	}
	w = hash_entry(link, struct watch, link);
	if (is_older(w, facts)) {
		s->outdated++;
		return -ESTALE;
	}
	before = watch_status(w, &why);
	/* "stale" without facts takes the belief away from those there are */
	if (facts->status != STATE_STATUS_STALE || facts->known != 0 || w->raw == NULL)
		r = keep(w, facts, now);
	if (r < 0)
		return r;
	note_doubt(w, facts, r > 0, before != STATE_STATUS_ERROR, now);
	note_times(w, facts, now);
	watch_schedule(a, w);
	if (r > 0 || watch_status(w, &why) != before)
		watch_mark_users(a, w, WORK_COMPOSE);
	if (a->host->arrived != NULL)
		tell_arrival(a, w, facts, now);
	return 0;
}

/* --- whose number --------------------------------------------------------------------------------- */

bool aggregator_same_number(const struct aggregator *a, const char *x, const char *y)
{
	const struct numbers_config *numbers = &a->settings.rules.numbers;
	struct number one, other;

	return number_normalise(numbers, x, &one) && number_normalise(numbers, y, &other) &&
	    number_equal(numbers, &one, &other);
}

struct own_search {
	const struct aggregator *aggregator;
	const char *number;
	bool found;
};

static bool is_this_one(void *arg, const char *entry, size_t len)
{
	struct own_search *search = arg;
	char text[NUMBER_MAX_BYTES];

	if (len < sizeof text) {
		memcpy(text, entry, len);
		text[len] = '\0';
		search->found = aggregator_same_number(search->aggregator, text, search->number);
	}
	return !search->found;
}

bool aggregator_is_own(
    const struct aggregator *a, const struct agg_source *s, enum domain domain, const char *address, const char *number)
{
	struct hash_link *link = hashtab_find(&s->channels[domain].by_address, address);
	const struct watch *w = link == NULL ? NULL : hash_entry(link, const struct watch, link);
	struct own_search search = { a, number, aggregator_same_number(a, address, number) };

	for (uint32_t i = 0; w != NULL && !search.found && i < w->user_count; i++)
		user_list_each(user_field(w->users[i]->user->fields, USER_EXTENSION), is_this_one, &search);
	return search.found;
}

/* --- asking -------------------------------------------------------------------------------------- */

/* What verification promises: asked after `interval` or when its turn comes, answered or stale, then hold. */
static int64_t wrong_lamp(const struct aggregator *a, size_t watches, int64_t interval)
{
	int64_t turn = (int64_t)watches * 1000 / a->settings.verify_rate;

	return (turn > interval ? turn : interval) + AGGREGATOR_VERIFY_ANSWER_MS + a->settings.hold;
}

/* Looks at each watch only while some can be stale at all. */
static size_t stale_in(const struct channel *c)
{
	const char *why;
	size_t n = 0;

	if (c->up && !c->pending && !c->resyncing && c->unproved == 0)
		return 0;
	for (uint32_t i = 0; i < c->watch_count; i++)
		n += watch_status(c->watches[i], &why) == STATE_STATUS_STALE;
	return n;
}

void aggregator_source_stats(
    const struct aggregator *a, const struct agg_source *s, struct aggregator_source_stats *ret)
{
	*ret = (struct aggregator_source_stats){ .raw_states = s->raw_states,
		.unwatched = s->unwatched,
		.outdated = s->outdated,
		.verifications = s->verifications,
		.corrections = s->corrections,
		.unanswered = s->unanswered };
	for (int d = 0; d < DOMAIN_COUNT; d++) {
		const struct channel *c = &s->channels[d];

		ret->status[d] = c->status;
		ret->why[d] = c->why;
		ret->since[d] = c->since;
		ret->watches += c->watch_count;
	}
	ret->wrong_lamp_busy = wrong_lamp(a, ret->watches, a->settings.verify_busy);
	ret->wrong_lamp_any = wrong_lamp(a, ret->watches, a->settings.verify_any);
}

size_t aggregator_source_stale(const struct agg_source *s)
{
	size_t n = 0;

	for (int d = 0; d < DOMAIN_COUNT; d++)
		n += stale_in(&s->channels[d]);
	return n;
}

const struct source_id *agg_source_id(const struct agg_source *s)
{
	return s->id;
}
