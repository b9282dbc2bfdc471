/* aggregator.c: presentities: demand, composition, publication.
 * SPDX-License-Identifier: MIT */
#include "daemon/aggregator_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TOMBSTONES    10000 /* removals that a returning console is told of one by one */
#define SETTLE_ROUNDS 4	    /* callbacks that go on marking a user must not keep an answer waiting */
#define STATES_MAX    64    /* of one user; more sources than that do not fit one person */

struct aggregator *aggregator_new(
    const struct aggregator_settings *settings, const struct aggregator_host *host, void *arg)
{
	struct aggregator *a = calloc(1, sizeof *a);

	if (a == NULL)
		return NULL;
	a->settings = *settings;
	a->host = host;
	a->arg = arg;
	a->log = changelog_new(TOMBSTONES);
	if (a->log == NULL) {
		free(a);
		return NULL;
	}
	TAILQ_INIT(&a->sources);
	RB_INIT(&a->timers);
	TAILQ_INIT(&a->work);
	TAILQ_INIT(&a->linger);
	return a;
}

void presentity_mark(struct aggregator *a, struct presentity *p, unsigned work)
{
	if (p->work == 0) {
		TAILQ_INSERT_TAIL(&a->work, p, work_link);
		a->stats.dirty++;
	}
	p->work |= (uint8_t)work;
}

static void unmark(struct aggregator *a, struct presentity *p)
{
	if (p->work == 0)
		return;
	TAILQ_REMOVE(&a->work, p, work_link);
	a->stats.dirty--;
	p->work = 0;
}

static void free_log(struct aggregator *a)
{
	struct changelog_entry e = { 0 };

	while (changelog_next(a->log, e.seq, &e))
		if (e.node != NULL)
			aggregator_forget_presentity(a, NULL, hash_entry(e.node, struct presentity, node));
	changelog_free(a->log);
}

void aggregator_free(struct aggregator *a)
{
	static const struct aggregator_host silent = { 0 };
	struct presentity *p;

	if (a == NULL)
		return;
	a->host = &silent;
	while (!TAILQ_EMPTY(&a->sources))
		aggregator_remove_source(a, TAILQ_FIRST(&a->sources), (struct instant){ 0 });
	while ((p = TAILQ_FIRST(&a->work)) != NULL) {
		unmark(a, p);
		if (p->node.seq == 0) /* never published: not in the log */
			aggregator_forget_presentity(a, NULL, p);
	}
	free_log(a);
	for (size_t i = 0; i < a->id_count; i++) {
		free(a->ids[i]->name);
		free(a->ids[i]);
	}
	free(a->ids);
	free(a);
}

void aggregator_mark_all(struct aggregator *a, unsigned work)
{
	a->mark_work |= work;
	a->marked = 0;
}

/* A slice of marking everybody. Who is published meanwhile moves to the end of the log and is met again there, which
 * does no harm; who never was published is marked with everything from the beginning. */
static bool mark_some(struct aggregator *a, size_t budget)
{
	struct changelog_entry e;

	for (size_t done = 0; a->mark_work != 0 && done < budget; done++) {
		if (!changelog_next(a->log, a->marked, &e)) {
			a->mark_work = 0;
			break;
		}
		if (e.node != NULL)
			presentity_mark(a, hash_entry(e.node, struct presentity, node), a->mark_work);
		a->marked = e.seq;
	}
	return a->mark_work != 0;
}

void aggregator_configure(struct aggregator *a, const struct aggregator_settings *settings, struct instant now)
{
	(void)now; /* timers look at the new settings when they fire, never later than the longest old one */
	a->settings = *settings;
	rules_rank(&a->settings.rules, a->ids, a->id_count);
	aggregator_mark_all(a, WORK_COMPOSE | WORK_DEMAND);
	for (struct agg_source *s = TAILQ_FIRST(&a->sources); s != NULL; s = TAILQ_NEXT(s, link))
		for (int d = 0; d < DOMAIN_COUNT; d++)
			s->channels[d].sweep = s->channels[d].watch_count;
}

void aggregator_readdress(struct aggregator *a)
{
	aggregator_mark_all(a, WORK_WATCHES | WORK_COMPOSE);
}

/* --- users --------------------------------------------------------------------------------------- */

int aggregator_user_added(struct aggregator *a, struct user *user, struct instant now)
{
	struct presentity *p = calloc(1, sizeof *p);

	if (p == NULL)
		return -ENOMEM;
	p->user = user;
	p->at = now.wall;
	user->presentity = p;
	a->stats.users++;
	presentity_mark(a, p, WORK_COMPOSE | WORK_DEMAND);
	return 0;
}

void aggregator_user_changed(struct aggregator *a, struct user *user, const struct user_fields *old,
    const char *const *left, size_t left_count, struct instant now)
{
	unsigned work = WORK_COMPOSE | WORK_DEMAND | WORK_WATCHES;

	(void)now;
	if (user->presentity == NULL)
		return;
	if (left_count > 0)
		(void)changelog_bury(a->log, user_id(user), false, left, left_count);
	for (int i = USER_ID; i <= USER_GROUPS; i++)
		if (strcmp(user_field(old, i), user_field(user->fields, i)) != 0)
			work |= WORK_PUBLISH;
	presentity_mark(a, user->presentity, work);
}

void aggregator_user_renaming(struct aggregator *a, struct user *user)
{
	const char *groups[USER_MAX_GROUPS];

	for (uint32_t i = 0; i < user->group_count; i++)
		groups[i] = user->groups[i]->name;
	(void)changelog_bury(a->log, user_id(user), true, groups, user->group_count);
}

void aggregator_republish(struct aggregator *a, struct user *user)
{
	if (user->presentity != NULL)
		presentity_mark(a, user->presentity, WORK_PUBLISH);
}

void aggregator_republish_all(struct aggregator *a)
{
	aggregator_mark_all(a, WORK_PUBLISH);
}

static void release_watches(struct aggregator *a, struct presentity *p)
{
	for (uint32_t i = 0; i < p->watch_count; i++)
		watch_release(a, p->watches[i], p);
	free(p->watches);
	p->watches = NULL;
	p->watch_count = 0;
}

static void end_linger(struct aggregator *a, struct presentity *p)
{
	if (p->lingering)
		TAILQ_REMOVE(&a->linger, p, linger_link);
	p->lingering = false;
}

void aggregator_forget_presentity(struct aggregator *a, struct user *user, struct presentity *p)
{
	release_watches(a, p);
	end_linger(a, p);
	unmark(a, p);
	a->stats.watched -= p->active ? 1 : 0;
	a->stats.users--;
	changelog_forget(a->log, &p->node);
	presence_unref(&p->presence);
	free(p);
	if (user != NULL)
		user->presentity = NULL;
}

void aggregator_user_removed(struct aggregator *a, struct user *user, struct instant now)
{
	const char *groups[USER_MAX_GROUPS];

	(void)now;
	if (user->presentity == NULL)
		return;
	if (user->presentity->active && a->host->watched != NULL)
		a->host->watched(a->arg, user, false);
	for (uint32_t i = 0; i < user->group_count; i++)
		groups[i] = user->groups[i]->name;
	aggregator_forget_presentity(a, user, user->presentity);
	(void)changelog_bury(a->log, user_id(user), true, groups, user->group_count);
}

/* --- demand -------------------------------------------------------------------------------------- */

void aggregator_demand_changed(struct aggregator *a, struct user *user)
{
	if (user->presentity != NULL)
		presentity_mark(a, user->presentity, WORK_DEMAND);
}

static void begin_linger(struct aggregator *a, struct presentity *p, struct instant now)
{
	end_linger(a, p);
	p->lingering = true;
	p->linger_until = now.mono + a->settings.linger;
	TAILQ_INSERT_TAIL(&a->linger, p, linger_link);
}

static void set_active(struct aggregator *a, struct presentity *p, bool active)
{
	if (p->active == active)
		return;
	p->active = active;
	a->stats.watched += active ? 1 : (size_t)-1;
	presentity_mark(a, p, WORK_COMPOSE | WORK_WATCHES);
	if (a->host->watched != NULL)
		a->host->watched(a->arg, p->user, active);
}

void aggregator_demand_once(struct aggregator *a, struct user *user, struct instant now)
{
	struct presentity *p = user->presentity;

	if (p == NULL || (p->active && !p->lingering))
		return;
	set_active(a, p, true);
	begin_linger(a, p, now);
}

static void look_at_demand(struct aggregator *a, struct presentity *p, struct instant now)
{
	if (a->host->demanded(a->arg, p->user)) {
		end_linger(a, p);
		set_active(a, p, true);
	} else if (p->active && !p->lingering) {
		begin_linger(a, p, now);
	}
}

static void end_lingers(struct aggregator *a, struct instant now)
{
	struct presentity *p;

	while ((p = TAILQ_FIRST(&a->linger)) != NULL && p->linger_until <= now.mono) {
		end_linger(a, p);
		if (!a->host->demanded(a->arg, p->user))
			set_active(a, p, false);
	}
}

/* --- watches ------------------------------------------------------------------------------------- */

static bool still_wanted(struct aggregator *a, const struct presentity *p, const struct watch *w)
{
	const struct channel *c = w->channel;
	char address[ADDRESS_SIZE];

	return p->active && a->host->address(c->source->owner, p->user->fields, c->domain, address, sizeof address) &&
	    strcmp(address, w->address) == 0;
}

static bool has_watch_at(const struct presentity *p, const struct channel *c)
{
	for (uint32_t i = 0; i < p->watch_count; i++)
		if (p->watches[i]->channel == c)
			return true;
	return false;
}

static void add_watch(struct aggregator *a, struct presentity *p, struct channel *c, struct instant now)
{
	char address[ADDRESS_SIZE];
	struct watch **watches;

	if (!c->served || p->watch_count == STATES_MAX || has_watch_at(p, c) ||
	    !a->host->address(c->source->owner, p->user->fields, c->domain, address, sizeof address))
		return;
	watches = reallocarray(p->watches, p->watch_count + 1, sizeof *watches);
	if (watches == NULL)
		return;
	p->watches = watches;
	if (watch_acquire(a, c, address, p, now, &watches[p->watch_count]) == 0)
		p->watch_count++;
}

/* Make the watches what addresses and sources say now: what stays is not touched, so it keeps its state. */
static void renew_watches(struct aggregator *a, struct presentity *p, struct instant now)
{
	struct agg_source *s;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < p->watch_count; i++) {
		if (still_wanted(a, p, p->watches[i]))
			p->watches[kept++] = p->watches[i];
		else
			watch_release(a, p->watches[i], p);
	}
	p->watch_count = kept;
	if (!p->active) {
		free(p->watches);
		p->watches = NULL;
		return;
	}
	TAILQ_FOREACH (s, &a->sources, link) {
		for (int d = 0; d < DOMAIN_COUNT; d++)
			add_watch(a, p, &s->channels[d], now);
	}
}

/* --- composing ----------------------------------------------------------------------------------- */

struct composition {
	struct rules_state states[DOMAIN_COUNT][STATES_MAX];
	struct rules_input input;
	bool requesting;
};

/* The status of a half in which the user has no state. */
static enum state_status without_states(struct aggregator *a, const struct presentity *p, enum domain domain)
{
	enum state_status status = STATE_STATUS_SERVER_NOT_CONFIGURED;
	char address[ADDRESS_SIZE];
	struct agg_source *s;

	TAILQ_FOREACH (s, &a->sources, link) {
		if (!s->channels[domain].served)
			continue;
		status = STATE_STATUS_NOT_CONFIGURED_FOR_USER;
		if (a->host->address(s->owner, p->user->fields, domain, address, sizeof address))
			return STATE_STATUS_NOT_REQUESTED;
	}
	return status;
}

static void gather(struct aggregator *a, const struct presentity *p, struct composition *c)
{
	size_t counts[DOMAIN_COUNT] = { 0 };

	c->requesting = false;
	for (uint32_t i = 0; i < p->watch_count; i++) {
		const struct watch *w = p->watches[i];
		int d = w->channel->domain;
		struct rules_state *s = &c->states[d][counts[d]++];

		s->source = w->channel->source->id;
		s->raw = w->raw;
		s->status = (int8_t)watch_status(w, &s->why);
		c->requesting = c->requesting || s->status == STATE_STATUS_REQUESTING;
	}
	c->input = (struct rules_input){ .voicemail = user_field(p->user->fields, USER_VOICEMAIL) };
	for (int d = 0; d < DOMAIN_COUNT; d++) {
		struct rules_half *half = &c->input.halves[d];

		*half = (struct rules_half){ .states = c->states[d], .count = counts[d] };
		if (counts[d] == 0)
			half->without = (int8_t)without_states(a, p, d);
	}
}

static int64_t became(const struct raw_state *state, int status, struct instant now)
{
	int64_t when = 0;

	if (state != NULL && status == STATE_STATUS_OK)
		when = state->facts.observed_at != 0 ? state->facts.observed_at : state->facts.at;
	return when == 0 || when > now.wall ? now.wall : when;
}

static const struct raw_state *mode_state(const struct presence_telephony *t)
{
	if (t->mode == MODE_DND)
		return t->dnd;
	return t->forward_kind >= 0 ? t->forward : t->line;
}

static void set_since(struct presence *new, const struct presence *old, bool first, struct instant now)
{
	if (!first && presence_rich_same_value(&new->rich, &old->rich))
		new->rich.since = old->rich.since;
	else
		new->rich.since = became(new->rich.winner, new->rich.status, now);
	if (!first && presence_telephony_same_value(&new->telephony, &old->telephony))
		new->telephony.since = old->telephony.since;
	else
		new->telephony.since = became(mode_state(&new->telephony), new->telephony.status, now);
}

static void compose(struct aggregator *a, struct presentity *p, bool must_publish, struct instant now)
{
	bool first = p->node.seq == 0, changed;
	struct composition c;
	struct presence new;

	gather(a, p, &c);
	rules_compose(&a->settings.rules, &c.input, &new, NULL);
	set_since(&new, &p->presence, first, now);
	a->stats.composed++;
	changed = first || !presence_equal(&new, &p->presence);
	must_publish = must_publish || changed;
	if (must_publish && changelog_append(a->log, &p->node) < 0) {
		presentity_mark(a, p, WORK_COMPOSE); /* no memory now; nothing is lost, it is tried again */
		return;
	}
	presence_ref(&new);
	presence_unref(&p->presence);
	p->presence = new;
	if (must_publish) {
		p->at = now.wall;
		a->stats.published++;
		if (a->host->published != NULL)
			a->host->published(a->arg, p->user, changed);
	}
	if (!c.requesting && a->host->settled != NULL)
		a->host->settled(a->arg, p->user);
}

/* What is marked while this runs, by callbacks or by itself, is worked on next. */
static void work_on(struct aggregator *a, struct presentity *p, struct instant now)
{
	unsigned work = p->work;

	unmark(a, p);
	if ((work & WORK_DEMAND) != 0)
		look_at_demand(a, p, now);
	if ((p->work & WORK_WATCHES) != 0) { /* in one go: who is watched from now on is shown as requesting */
		unsigned again = p->work & WORK_DEMAND;

		work |= p->work;
		unmark(a, p);
		if (again != 0)
			presentity_mark(a, p, again);
	}
	if ((work & WORK_WATCHES) != 0)
		renew_watches(a, p, now);
	if ((work & (WORK_COMPOSE | WORK_WATCHES | WORK_PUBLISH)) != 0)
		compose(a, p, (work & WORK_PUBLISH) != 0, now);
}

bool aggregator_run(struct aggregator *a, struct instant now, size_t budget)
{
	bool more;

	channels_run(a, now);
	end_lingers(a, now);
	more = mark_some(a, budget);
	more = channels_sweep(a, budget) || more;
	more = watches_run(a, now, budget) || more;
	for (size_t done = 0; done < budget && !TAILQ_EMPTY(&a->work); done++)
		work_on(a, TAILQ_FIRST(&a->work), now);
	return more || !TAILQ_EMPTY(&a->work);
}

int64_t aggregator_deadline(const struct aggregator *a)
{
	int64_t deadline = watches_deadline(a), channels = channels_deadline(a);
	const struct presentity *p = TAILQ_FIRST(&a->linger);

	if (channels < deadline)
		deadline = channels;
	if (p != NULL && p->linger_until < deadline)
		deadline = p->linger_until;
	return deadline;
}

void aggregator_settle(struct aggregator *a, struct user *user, struct instant now)
{
	if (user->presentity != NULL && a->mark_work != 0)
		presentity_mark(a, user->presentity, a->mark_work);
	for (int i = 0; i < SETTLE_ROUNDS && user->presentity != NULL && user->presentity->work != 0; i++)
		work_on(a, user->presentity, now);
}

/* --- asking -------------------------------------------------------------------------------------- */

struct changelog *aggregator_log(struct aggregator *a)
{
	return a->log;
}

struct published aggregator_published(const struct user *user)
{
	const struct presentity *p = user->presentity;

	if (p == NULL || p->node.seq == 0)
		return (struct published){ 0 };
	return (struct published){ .presence = &p->presence, .seq = p->node.seq, .at = p->at };
}

struct user *aggregator_node_user(struct changelog_node *node)
{
	return hash_entry(node, struct presentity, node)->user;
}

struct presence_place *aggregator_places(struct user *user)
{
	return user->presentity->places;
}

bool aggregator_is_settled(const struct user *user)
{
	const struct presentity *p = user->presentity;
	const char *why;

	if (p == NULL)
		return true;
	if (p->work != 0)
		return false;
	for (uint32_t i = 0; i < p->watch_count; i++)
		if (watch_status(p->watches[i], &why) == STATE_STATUS_REQUESTING)
			return false;
	return true;
}

bool aggregator_is_watched(const struct user *user)
{
	return user->presentity != NULL && user->presentity->active;
}

void aggregator_explain(struct aggregator *a, struct user *user, struct instant now,
    void (*row)(void *arg, const struct aggregator_state_row *row), const struct rules_trace *trace, void *arg)
{
	struct presentity *p = user->presentity;
	struct composition c;
	struct presence presence;

	if (p == NULL)
		return;
	aggregator_settle(a, user, now);
	for (uint32_t i = 0; i < p->watch_count; i++) {
		const struct watch *w = p->watches[i];
		struct aggregator_state_row r = { .source = w->channel->source->id,
			.domain = w->channel->domain,
			.address = w->address,
			.raw = w->raw,
			.age = w->said == 0 ? -1 : now.mono - w->said };

		r.status = watch_status(w, &r.why);
		row(arg, &r);
	}
	gather(a, p, &c);
	rules_compose(&a->settings.rules, &c.input, &presence, trace);
}

void aggregator_stats(const struct aggregator *a, struct aggregator_stats *ret)
{
	const struct agg_source *s;

	*ret = a->stats;
	ret->watches = 0;
	TAILQ_FOREACH (s, &a->sources, link)
		for (int d = 0; d < DOMAIN_COUNT; d++)
			ret->watches += s->channels[d].watch_count;
}
