/* world.h: an aggregator in virtual time; a fake host writes down, and judges, what it is asked to do.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TESTS_WORLD_H
#define PRESENCED_TESTS_WORLD_H

#include "tests/unit/helpers.h"

#include "daemon/aggregator.h"
#include "daemon/base/buf.h"

#define NOON	    1795176000000 /* 2026-11-20T12:00:00Z */
#define SECOND	    INT64_C(1000)
#define MINUTE	    (60 * SECOND)
#define HOUR	    (60 * MINUTE)
#define RICH	    (1u << DOMAIN_RICH)
#define TELEPHONY   (1u << DOMAIN_TELEPHONY)
#define WATCHES_MAX 4096
#define WANTED_MAX  64

/* A source as the fake host knows it: which column it watches for each half. */
struct fake_source {
	const char *name;
	enum technology technology;
	unsigned domains;
	enum user_column columns[DOMAIN_COUNT];
	const char *group;	/* serves only its members; NULL everybody */
	struct agg_source *agg; /* NULL: not added */
};

struct open_watch {
	const struct fake_source *source;
	enum domain domain;
	char address[64];
};

struct world {
	struct aggregator_settings settings;
	struct aggregator *a;
	struct directory *d;
	struct instant now;
	struct fake_source cups, imp, sw, pbx; /* sip, xmpp, tapi, sip (telephony only) */
	struct open_watch open[WATCHES_MAX];
	size_t open_count;
	const char *wanted[WANTED_MAX]; /* ids that somebody demands */
	bool everybody_wanted;
	bool may_call;	     /* watch, unwatch and verify are allowed now */
	struct buf calls;    /* a line for each call of watch, unwatch, verify */
	struct buf arrivals; /* a line for each state that arrived */
	size_t published, changes, settled, watched_on, watched_off,
	    verified; /* changes: of presence, that were published */
	bool changed; /* what was published last is a change */
	const char *last_settled;
	void (*on_published)(struct world *w, struct user *user);
	void (*on_watched)(struct world *w, struct user *user, bool watched);
	void (*on_settled)(struct world *w, struct user *user);
	void (*on_verify)(struct world *w, const struct fake_source *s, const char *address, enum domain domain);
};

static struct world *the_world; /* the owner of a source is the source */

/* --- the fake host ------------------------------------------------------------------------------- */

static inline struct open_watch *open_watch_find(
    struct world *w, const struct fake_source *s, const char *address, enum domain domain)
{
	for (size_t i = 0; i < w->open_count; i++)
		if (w->open[i].source == s && w->open[i].domain == domain && strcmp(w->open[i].address, address) == 0)
			return &w->open[i];
	return NULL;
}

static inline void note_call(
    struct world *w, const char *what, const struct fake_source *s, const char *address, enum domain domain)
{
	if (!w->may_call)
		fail_msg("%s %s %s called at a forbidden moment", what, s->name, address);
	if (s->agg == NULL)
		fail_msg("%s %s %s called for a source that was removed", what, s->name, address);
	buf_printf(&w->calls, "%s %s %s %s\n", what, s->name, vocab_name(&vocab_domain, domain), address);
}

static inline int host_watch(void *owner, const char *address, enum domain domain)
{
	struct world *w = the_world;
	struct fake_source *s = owner;
	struct open_watch *o = &w->open[w->open_count];

	note_call(w, "watch", s, address, domain);
	if (open_watch_find(w, s, address, domain) != NULL)
		fail_msg("%s %s is watched twice in a row", s->name, address);
	assert_true(w->open_count < WATCHES_MAX);
	w->open_count++;
	o->source = s;
	o->domain = domain;
	snprintf(o->address, sizeof o->address, "%s", address);
	return 0;
}

static inline void host_unwatch(void *owner, const char *address, enum domain domain)
{
	struct world *w = the_world;
	struct fake_source *s = owner;
	struct open_watch *o = open_watch_find(w, s, address, domain);

	note_call(w, "unwatch", s, address, domain);
	if (o == NULL)
		fail_msg("%s %s is unwatched, but was not watched", s->name, address);
	*o = w->open[--w->open_count];
}

static inline void host_verify(void *owner, const char *address, enum domain domain)
{
	struct world *w = the_world;
	struct fake_source *s = owner;

	note_call(w, "verify", s, address, domain);
	if (open_watch_find(w, s, address, domain) == NULL)
		fail_msg("%s %s is verified, but is not watched", s->name, address);
	w->verified++;
	if (w->on_verify != NULL)
		w->on_verify(w, s, address, domain);
}

struct wanted_group {
	const char *name;
	bool found;
};

static inline bool is_group(void *arg, const char *entry, size_t len)
{
	struct wanted_group *g = arg;

	g->found = g->found || (strlen(g->name) == len && memcmp(g->name, entry, len) == 0);
	return !g->found;
}

static inline bool host_address(void *owner, const struct user_fields *user, enum domain domain, char *buf, size_t size)
{
	const struct fake_source *s = owner;
	struct wanted_group group = { .name = s->group };

	if (s->group != NULL) {
		user_list_each(user_field(user, USER_GROUPS), is_group, &group);
		if (!group.found)
			return false;
	}
	return user_address(user, s->columns[domain], s->name, buf, size);
}

static inline bool host_demanded(void *arg, const struct user *user)
{
	struct world *w = arg;

	for (size_t i = 0; i < WANTED_MAX; i++)
		if (w->wanted[i] != NULL && strcmp(w->wanted[i], user_id(user)) == 0)
			return true;
	return w->everybody_wanted;
}

static inline void host_published(void *arg, struct user *user, bool changed)
{
	struct world *w = arg;

	w->published++;
	w->changes += changed;
	w->changed = changed;
	if (w->on_published != NULL)
		w->on_published(w, user);
}

static inline void host_arrived(
    void *arg, const struct agg_source *source, const char *address, const struct raw_state *state)
{
	struct world *w = arg;
	char at[INSTANT_TEXT_SIZE];

	buf_printf(&w->arrivals, "%s %s %s %s\n", agg_source_id(source)->name, address,
	    vocab_name(&vocab_state_status, state->facts.status), instant_format(state->facts.at, at));
}

static inline void host_watched(void *arg, struct user *user, bool watched)
{
	struct world *w = arg;

	if (watched)
		w->watched_on++;
	else
		w->watched_off++;
	if (w->on_watched != NULL)
		w->on_watched(w, user, watched);
}

static inline void host_settled(void *arg, struct user *user)
{
	struct world *w = arg;

	w->settled++;
	w->last_settled = user_id(user);
	if (w->on_settled != NULL)
		w->on_settled(w, user);
}

static const struct aggregator_host fake_host = { host_watch, host_unwatch, host_verify, host_address, host_demanded,
	host_published, host_arrived, host_watched, host_settled };

/* --- the directory tells the aggregator ---------------------------------------------------------- */

static inline void on_added(void *arg, struct user *user)
{
	struct world *w = arg;

	assert_int_equal(aggregator_user_added(w->a, user, w->now), 0);
}

static inline void on_changed(
    void *arg, struct user *user, const struct user_fields *old, const char *const *left, size_t left_count)
{
	struct world *w = arg;

	aggregator_user_changed(w->a, user, old, left, left_count, w->now);
}

static inline void on_removed(void *arg, struct user *user)
{
	struct world *w = arg;

	w->may_call = true;
	aggregator_user_removed(w->a, user, w->now);
	w->may_call = false;
}

static inline void on_renaming(void *arg, struct user *user)
{
	struct world *w = arg;

	aggregator_user_renaming(w->a, user);
}

static const struct directory_observer to_aggregator = { on_added, on_changed, on_removed, on_renaming };

/* --- life ---------------------------------------------------------------------------------------- */

static char *default_rich_order[] = { "sip", "msteams", "sfb", "webex", "xmpp", "broadworks", "tapi", "calendar" };
static char *default_telephony_order[] = { "tapi", "broadworks", "sip" };
static char *default_pilots[] = { "8000" };

static inline void add_source(struct world *w, struct fake_source *s, int position)
{
	s->agg = aggregator_add_source(w->a, s->name, s->technology, position, s->domains, s);
	assert_non_null(s->agg);
}

static inline void remove_source(struct world *w, struct fake_source *s)
{
	size_t kept = 0;

	aggregator_remove_source(w->a, s->agg, w->now);
	s->agg = NULL;
	for (size_t i = 0; i < w->open_count; i++)
		if (w->open[i].source != s)
			w->open[kept++] = w->open[i];
	w->open_count = kept;
}

/* The defaults of the daemon; no users, no sources. */
static inline struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	w->settings = (struct aggregator_settings){
		.rules = { .rich_winning = "sip",
		    .rich_order = default_rich_order,
		    .rich_order_count = COUNT_OF(default_rich_order),
		    .telephony_order = default_telephony_order,
		    .telephony_order_count = COUNT_OF(default_telephony_order),
		    .voicemail_pilots = default_pilots,
		    .voicemail_pilot_count = COUNT_OF(default_pilots),
		    .numbers = { .extension_digits = 6 } },
		.hold = 15 * SECOND,
		.resync_limit = 5 * MINUTE,
		.verify_requesting = 35 * SECOND,
		.verify_ringing = MINUTE,
		.verify_busy = 5 * MINUTE,
		.verify_any = 30 * MINUTE,
		.verify_rate = 10,
		.linger = MINUTE,
	};
	w->now = (struct instant){ .mono = 1000000, .wall = NOON };
	w->cups = (struct fake_source){ .name = "cups",
		.technology = TECHNOLOGY_SIP,
		.domains = RICH | TELEPHONY,
		.columns = { [DOMAIN_RICH] = USER_SIP_URI, [DOMAIN_TELEPHONY] = USER_EXTENSION } };
	w->imp = (struct fake_source){
		.name = "imp", .technology = TECHNOLOGY_XMPP, .domains = RICH, .columns = { [DOMAIN_RICH] = USER_XMPP }
	};
	w->sw = (struct fake_source){ .name = "switch",
		.technology = TECHNOLOGY_TAPI,
		.domains = TELEPHONY,
		.columns = { [DOMAIN_TELEPHONY] = USER_LINE } };
	w->pbx = (struct fake_source){ .name = "pbx",
		.technology = TECHNOLOGY_SIP,
		.domains = TELEPHONY,
		.columns = { [DOMAIN_TELEPHONY] = USER_EXTENSION } };
	buf_init(&w->calls, 1 << 20);
	buf_init(&w->arrivals, 1 << 20);
	w->a = aggregator_new(&w->settings, &fake_host, w);
	w->d = directory_new(&to_aggregator, w);
	assert_non_null(w->a);
	assert_non_null(w->d);
	the_world = w;
	return w;
}

static inline void world_free(struct world *w)
{
	w->may_call = false; /* aggregator_free() calls no host function */
	aggregator_free(w->a);
	directory_free(w->d);
	buf_done(&w->calls);
	buf_done(&w->arrivals);
	free(w);
	the_world = NULL;
}

/* --- doing --------------------------------------------------------------------------------------- */

/* All that is due now, in turns of `budget`. */
static inline void run_in_turns(struct world *w, size_t budget)
{
	bool more = true;

	w->may_call = true;
	for (int turns = 0; more; turns++) {
		if (turns == 1000000)
			fail_msg("aggregator_run() has always more to do");
		more = aggregator_run(w->a, w->now, budget);
	}
	w->may_call = false;
}

static inline void run(struct world *w)
{
	run_in_turns(w, 1000);
}

/* Let time pass, stopping wherever the aggregator asks to be called. */
static inline void advance(struct world *w, int64_t ms)
{
	int64_t end = w->now.mono + ms, wall = w->now.wall - w->now.mono;
	int idle = 0;

	run(w);
	for (int64_t next; (next = aggregator_deadline(w->a)) <= end;) {
		idle = next > w->now.mono ? 0 : idle + 1;
		if (idle > 1000)
			fail_msg("the deadline does not move on");
		if (next > w->now.mono)
			w->now = (struct instant){ .mono = next, .wall = next + wall };
		run(w);
	}
	w->now = (struct instant){ .mono = end, .wall = end + wall };
	run(w);
}

static inline struct user *user_of(struct world *w, const char *id)
{
	struct user *user = directory_find(w->d, id);

	if (user == NULL)
		fail_msg("there is no user %s", id);
	return user;
}

static inline uint64_t seq_of(struct world *w, const char *id)
{
	return aggregator_published(user_of(w, id)).seq;
}

static inline void want(struct world *w, const char *id)
{
	size_t free_place = WANTED_MAX;

	for (size_t i = WANTED_MAX; i-- > 0;) {
		if (w->wanted[i] == NULL)
			free_place = i;
		else if (strcmp(w->wanted[i], id) == 0)
			return;
	}
	assert_true(free_place < WANTED_MAX);
	w->wanted[free_place] = id;
	if (directory_find(w->d, id) != NULL)
		aggregator_demand_changed(w->a, user_of(w, id));
}

static inline void unwant(struct world *w, const char *id)
{
	for (size_t i = 0; i < WANTED_MAX; i++)
		if (w->wanted[i] != NULL && strcmp(w->wanted[i], id) == 0)
			w->wanted[i] = NULL;
	if (directory_find(w->d, id) != NULL)
		aggregator_demand_changed(w->a, user_of(w, id));
}

static inline void set_status(struct world *w, struct fake_source *s, enum source_status status, const char *why)
{
	aggregator_source_status(w->a, s->agg, s->domains, status, why, w->now);
}

/* Connected, and nothing was missed. */
static inline void come_up(struct world *w, struct fake_source *s)
{
	set_status(w, s, SOURCE_STATUS_UP, NULL);
	aggregator_source_resumed(w->a, s->agg, s->domains, w->now);
}

static inline void lose(struct world *w, struct fake_source *s)
{
	set_status(w, s, SOURCE_STATUS_CONNECTION_ERROR, "connection refused");
}

static inline int say(struct world *w, struct fake_source *s, const char *address, const struct raw_facts *facts)
{
	return aggregator_raw_state(w->a, s->agg, address, facts, w->now);
}

#define say_facts(w, s, address, half, ...) \
	say(w, s, address, &(struct raw_facts){ .domain = (int8_t)(half), __VA_ARGS__ })

static inline void say_line(struct world *w, struct fake_source *s, const char *address, enum line line)
{
	assert_int_equal(say_facts(w, s, address, DOMAIN_TELEPHONY, .known = RAW_LINE, .line = (int8_t)line), 0);
}

static inline void say_rich(struct world *w, struct fake_source *s, const char *address, enum availability availability)
{
	assert_int_equal(
	    say_facts(w, s, address, DOMAIN_RICH, .known = RAW_AVAILABILITY, .availability = (int8_t)availability), 0);
}

static inline int say_status(
    struct world *w, struct fake_source *s, const char *address, enum domain domain, enum state_status status)
{
	return say_facts(w, s, address, domain, .status = (int8_t)status);
}

/* --- seeing -------------------------------------------------------------------------------------- */

static inline const char *word_or_dash(const struct vocab *v, int value)
{
	return value < 0 ? "-" : vocab_name(v, value);
}

/* "OVERALL | STATUS AVAILABILITY | STATUS MODE LINE", as last published. */
static inline void assert_shows_at(struct world *w, const char *id, const char *expected, const char *file, int at)
{
	const struct presence *p = aggregator_published(user_of(w, id)).presence;
	char text[256] = "nothing was published";

	if (p != NULL)
		snprintf(text, sizeof text, "%s | %s %s | %s %s %s", vocab_name(&vocab_overall, p->overall),
		    vocab_name(&vocab_state_status, p->rich.status),
		    word_or_dash(&vocab_availability, p->rich.availability),
		    vocab_name(&vocab_state_status, p->telephony.status), word_or_dash(&vocab_mode, p->telephony.mode),
		    word_or_dash(&vocab_line, p->telephony.line == NULL ? -1 : p->telephony.line->facts.line));
	_assert_string_equal(text, expected, file, at);
}
#define assert_shows(w, id, expected) assert_shows_at(w, id, expected, __FILE__, __LINE__)

/* What the host was asked since this was last called: lines "watch SOURCE DOMAIN ADDRESS". */
static inline void assert_calls_at(struct world *w, const char *expected, const char *file, int at)
{
	_assert_string_equal(buf_text(&w->calls), expected, file, at);
	buf_clear(&w->calls);
}
#define assert_calls(w, expected) assert_calls_at(w, expected, __FILE__, __LINE__)

static inline void forget_calls(struct world *w)
{
	buf_clear(&w->calls);
	w->verified = 0;
}

static inline struct aggregator_source_stats stats_of(struct world *w, const struct fake_source *s)
{
	struct aggregator_source_stats stats;

	aggregator_source_stats(w->a, s->agg, &stats);
	return stats;
}

struct explained {
	const struct fake_source *source;
	enum domain domain;
	struct aggregator_state_row row;
	size_t count;
};

static inline void look_for_row(void *arg, const struct aggregator_state_row *row)
{
	struct explained *e = arg;

	if (strcmp(row->source->name, e->source->name) != 0 || row->domain != e->domain)
		return;
	e->row = *row;
	e->count++;
}

/* The row of `explain` for one half at one source. */
static inline struct aggregator_state_row explain_row(
    struct world *w, const char *id, const struct fake_source *s, enum domain domain)
{
	struct explained e = { .source = s, .domain = domain };

	w->may_call = true;
	aggregator_explain(w->a, user_of(w, id), w->now, look_for_row, NULL, &e);
	w->may_call = false;
	assert_int_equal(e.count, 1);
	return e.row;
}

/* --- people -------------------------------------------------------------------------------------- */

/* A user with every address: sip:ID@x, ID@im, the extension. */
static inline void add_user(struct world *w, const char *id, const char *groups, const char *extension)
{
	char sip[80], xmpp[80];

	snprintf(sip, sizeof sip, "sip:%s@x", id);
	snprintf(xmpp, sizeof xmpp, "%s@im", id);
	assert_int_equal(directory_set(w->d,
			     fields_of(.values = { [USER_ID] = id,
					   [USER_NAME] = id,
					   [USER_GROUPS] = groups,
					   [USER_EXTENSION] = extension,
					   [USER_SIP_URI] = sip,
					   [USER_XMPP] = xmpp })),
	    1);
}

/* alice, 101, wanted; the switch and cups are up and nothing was said. */
static inline struct world *world_with_alice(void)
{
	struct world *w = world_new();

	w->cups.domains = RICH;
	add_source(w, &w->cups, 0);
	add_source(w, &w->sw, 1);
	add_user(w, "alice", "sales", "101");
	want(w, "alice");
	come_up(w, &w->cups);
	come_up(w, &w->sw);
	run(w);
	return w;
}

#endif
