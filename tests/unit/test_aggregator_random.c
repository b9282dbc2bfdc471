/* test_aggregator_random.c: long random lives of an aggregator; whatever happens, some things stay true.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/world.h"

#define STEPS 3000

static const char *const ids[] = { "u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9" };
static const char *const groups[] = { "", "a", "b", "a;b", "b;c", "c;a;b" };
static const char *const extensions[] = { "", "1", "2", "3", "4;5", "5" };
#define USERS COUNT_OF(ids)

struct asked {
	const struct fake_source *source;
	enum domain domain;
	char address[64];
};

/* A random life: the world, what a console has seen of it, and what is not answered yet. */
struct life {
	struct world *w;
	struct fake_source *sources[4];
	int64_t away_since[4]; /* mono; -1: up, or no word yet */
	char *shown[USERS];    /* what was last published of the user */
	char *seen[USERS];     /* what a reader of the log has, who looks now and then */
	uint64_t cursor;
	struct asked asked[256];
	size_t asked_count;
	unsigned names;
	bool silent; /* nobody answers any more */
};
static struct life *the_life;

static size_t index_of(const char *id)
{
	return (size_t)(id[1] - '0');
}

/* All that a console is told of a user but seq and at. */
static char *text_of(struct user *user)
{
	struct buf b;
	char *text;

	buf_init(&b, 100000);
	buf_printf(&b, "%s %s ", user_field(user->fields, USER_NAME), user_field(user->fields, USER_GROUPS));
	presence_write(&b, aggregator_published(user).presence, true);
	text = strdup(buf_text(&b));
	buf_done(&b);
	assert_non_null(text);
	return text;
}

/* Published only if something published differs. */
static void remember_published(struct world *w, struct user *user)
{
	char **shown = &the_life->shown[index_of(user_id(user))];
	char *text = text_of(user);

	(void)w;
	if (*shown != NULL && strcmp(*shown, text) == 0)
		fail_msg("%s is published again, but nothing differs: %s", user_id(user), text);
	free(*shown);
	*shown = text;
}

static void remember_asked(struct world *w, const struct fake_source *s, const char *address, enum domain domain)
{
	struct life *l = the_life;
	struct asked *a = &l->asked[l->asked_count];

	(void)w;
	for (size_t i = 0; i < COUNT_OF(l->sources); i++)
		if (l->sources[i] == s && l->away_since[i] >= 0)
			fail_msg("%s was asked to verify %s while it is away", s->name, address);
	if (l->silent || l->asked_count == COUNT_OF(l->asked) || random_below(4) == 0)
		return;
	a->source = s;
	a->domain = domain;
	snprintf(a->address, sizeof a->address, "%s", address);
	l->asked_count++;
}

/* --- what may happen ----------------------------------------------------------------------------- */

static size_t random_source(struct life *l)
{
	return random_below(COUNT_OF(l->sources));
}

static void set_user(struct life *l)
{
	const char *id = ids[random_below(USERS)], *extension = extensions[random_below(COUNT_OF(extensions))];
	const struct user_override override = { USER_LINE, "switch", random_below(2) == 0 ? "-" : "7" };
	char name[32], sip[32];

	snprintf(name, sizeof name, "%s.%u", id, l->names++);
	snprintf(sip, sizeof sip, "sip:%zu@x", random_below(4));
	directory_set(l->w->d,
	    fields_of(.values = { [USER_ID] = id,
			  [USER_NAME] = name,
			  [USER_GROUPS] = groups[random_below(COUNT_OF(groups))],
			  [USER_EXTENSION] = extension,
			  [USER_SIP_URI] = random_below(5) == 0 ? "" : sip,
			  [USER_XMPP] = random_below(2) == 0 ? "" : id,
			  [USER_VOICEMAIL] = random_below(2) == 0 ? "" : "99" },
		.overrides = &override, .override_count = random_below(3) == 0));
}

static void remove_user(struct life *l)
{
	const char *id = ids[random_below(USERS)];

	if (directory_remove(l->w->d, id)) {
		free(l->shown[index_of(id)]);
		l->shown[index_of(id)] = NULL;
	}
}

static void change_demand(struct life *l)
{
	const char *id = ids[random_below(USERS)];
	struct user *user = directory_find(l->w->d, id);

	if (user != NULL && random_below(4) == 0)
		aggregator_demand_once(l->w->a, user, l->w->now);
	else if (random_below(2) == 0)
		want(l->w, id);
	else
		unwant(l->w, id);
}

static void say_something_of(struct life *l, const struct fake_source *source, const char *address, enum domain domain)
{
	static const char *const targets[] = { NULL, "8000", "99", "2000" };
	static const int8_t statuses[] = { STATE_STATUS_ACCESS_DENIED, STATE_STATUS_NOT_FOUND, STATE_STATUS_ERROR,
		STATE_STATUS_REQUESTING, STATE_STATUS_STALE };
	const struct raw_call call = {
		.state = CALL_STATE_HELD, .direction = -1, .peer = targets[random_below(COUNT_OF(targets))]
	};
	struct raw_facts f = { .domain = (int8_t)domain, .forward_kind = -1, .activity = -1 };

	if (random_below(8) == 0)
		f.status = statuses[random_below(COUNT_OF(statuses))];
	else
		f.known = (uint16_t)random_next() & (domain == DOMAIN_RICH ? RAW_RICH_FACTS : RAW_TELEPHONY_FACTS);
	f.availability = (int8_t)random_below(AVAILABILITY_COUNT);
	f.activity = random_below(2) == 0 ? -1 : ACTIVITY_MEETING;
	f.note = random_below(2) == 0 ? NULL : "note";
	f.line = (int8_t)random_below(LINE_COUNT);
	f.dnd = random_below(4) == 0;
	f.forwarded = random_below(3) == 0;
	f.forward_target = f.forwarded ? targets[random_below(COUNT_OF(targets))] : NULL;
	f.calls = &call;
	f.call_count = (f.known & RAW_CALLS) != 0 && random_below(2) == 0;
	f.observed_at = random_below(3) == 0 ? l->w->now.wall - (int64_t)random_below(100000) : 0;
	f.valid_until = random_below(6) == 0 ? l->w->now.wall + (int64_t)random_below(200000) - 1000 : 0;
	f.epoch = random_below(3) == 0 ? 1 + (uint32_t)random_below(2) : 0;
	f.rev = f.epoch == 0 ? 0 : (uint32_t)random_below(5);
	(void)aggregator_raw_state(l->w->a, source->agg, address, &f, l->w->now);
}

static void say_something(struct life *l)
{
	struct fake_source *s = l->sources[random_source(l)];

	if (l->w->open_count > 0 && random_below(10) != 0) {
		const struct open_watch *o = &l->w->open[random_below(l->w->open_count)];

		say_something_of(l, o->source, o->address, o->domain);
	} else if (s->agg != NULL) {
		say_something_of(l, s, "1", DOMAIN_TELEPHONY);
	}
}

static void answer(struct life *l)
{
	while (l->asked_count > 0) {
		const struct asked *a = &l->asked[--l->asked_count];

		if (open_watch_find(l->w, a->source, a->address, a->domain) != NULL)
			say_something_of(l, a->source, a->address, a->domain);
	}
}

static void change_status(struct life *l)
{
	size_t i = random_source(l);
	struct fake_source *s = l->sources[i];

	if (s->agg == NULL)
		return;
	if (random_below(2) == 0) {
		set_status(l->w, s, random_below(2) == 0 ? SOURCE_STATUS_CONNECTING : SOURCE_STATUS_CONNECTION_ERROR,
		    random_below(2) == 0 ? NULL : "gone");
		if (l->away_since[i] < 0)
			l->away_since[i] = l->w->now.mono;
	} else {
		set_status(l->w, s, SOURCE_STATUS_UP, NULL);
		l->away_since[i] = -1;
	}
}

static void resync(struct life *l)
{
	struct fake_source *s = l->sources[random_source(l)];

	if (s->agg == NULL)
		return;
	switch (random_below(3)) {
	case 0:
		aggregator_source_resumed(l->w->a, s->agg, s->domains, l->w->now);
		break;
	case 1:
		aggregator_resync_begin(l->w->a, s->agg, s->domains, l->w->now);
		break;
	default:
		aggregator_resync_end(l->w->a, s->agg, s->domains, l->w->now);
	}
}

static void forget_asked_of(struct life *l, const struct fake_source *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->asked_count; i++)
		if (l->asked[i].source != s)
			l->asked[kept++] = l->asked[i];
	l->asked_count = kept;
}

static void change_sources(struct life *l)
{
	size_t i = random_source(l);
	struct fake_source *s = l->sources[i];

	if (s->agg == NULL) {
		add_source(l->w, s, (int)random_below(4));
		set_status(l->w, s, SOURCE_STATUS_CONNECTING, NULL);
		l->away_since[i] = l->w->now.mono;
	} else if (random_below(3) == 0) {
		forget_asked_of(l, s);
		remove_source(l->w, s);
	} else if (random_below(2) == 0) {
		aggregator_move_source(l->w->a, s->agg, (int)random_below(4));
	} else {
		s->group = random_below(2) == 0 ? NULL : "a";
		aggregator_readdress(l->w->a);
	}
}

static void change_settings(struct life *l)
{
	static char *const winning[] = { "sip", "xmpp", "imp", "cups" };

	l->w->settings.rules.rich_winning = winning[random_below(COUNT_OF(winning))];
	l->w->settings.rules.in_a_meeting_is_dnd = random_below(2) == 0;
	l->w->settings.verify_rate = 1 + (int64_t)random_below(20);
	aggregator_configure(l->w->a, &l->w->settings, l->w->now);
}

static void work_a_little(struct life *l)
{
	struct user *user = directory_find(l->w->d, ids[random_below(USERS)]);

	l->w->may_call = true;
	if (user != NULL && random_below(2) == 0)
		aggregator_settle(l->w->a, user, l->w->now);
	else
		(void)aggregator_run(l->w->a, l->w->now, random_below(5));
	l->w->may_call = false;
}

/* --- what must be true at rest ------------------------------------------------------------------- */

struct fresh {
	struct rules_state states[DOMAIN_COUNT][16];
	struct rules_input input;
	struct life *life;
};

/* What may be said of one state, judged from outside. */
static void check_row(const struct life *l, const struct aggregator_state_row *row)
{
	for (size_t i = 0; i < COUNT_OF(l->sources); i++) {
		int64_t away = l->away_since[i] < 0 ? -1 : l->w->now.mono - l->away_since[i];

		if (strcmp(l->sources[i]->name, row->source->name) != 0 || away < 0)
			continue;
		if (row->status == STATE_STATUS_OK)
			fail_msg("%s %s is ok, but its source is away", row->source->name, row->address);
		if (away >= l->w->settings.hold && row->status != STATE_STATUS_ERROR)
			fail_msg("%s %s is %s, but its source is away for longer than hold", row->source->name,
			    row->address, vocab_name(&vocab_state_status, row->status));
	}
	if (row->status == STATE_STATUS_OK)
		assert_null(row->why);
	assert_int_equal(row->raw == NULL, row->age < 0);
}

static void gather_row(void *arg, const struct aggregator_state_row *row)
{
	struct fresh *f = arg;
	struct rules_half *half = &f->input.halves[row->domain];

	check_row(f->life, row);
	assert_true(half->count < 16);
	f->states[row->domain][half->count++] =
	    (struct rules_state){ .source = row->source, .raw = row->raw, .status = (int8_t)row->status };
}

static int8_t without_states(struct life *l, const struct user *user, enum domain domain)
{
	int8_t status = STATE_STATUS_SERVER_NOT_CONFIGURED;
	char address[128];

	for (size_t i = 0; i < COUNT_OF(l->sources); i++) {
		struct fake_source *s = l->sources[i];

		if (s->agg == NULL || (s->domains >> domain & 1) == 0)
			continue;
		if (host_address(s, user->fields, domain, address, sizeof address))
			return STATE_STATUS_NOT_REQUESTED;
		status = STATE_STATUS_NOT_CONFIGURED_FOR_USER;
	}
	return status;
}

static void check_composition(struct life *l, struct user *user)
{
	struct fresh f = { .life = l };
	struct published published = aggregator_published(user);
	struct presence composed;
	struct buf a, b;
	struct presence shown;

	f.input.voicemail = user_field(user->fields, USER_VOICEMAIL);
	for (int d = 0; d < DOMAIN_COUNT; d++)
		f.input.halves[d] = (struct rules_half){ .states = f.states[d], .without = without_states(l, user, d) };
	aggregator_explain(l->w->a, user, l->w->now, gather_row, NULL, &f);
	rules_compose(&l->w->settings.rules, &f.input, &composed, NULL);
	shown = *published.presence;
	shown.rich.since = shown.telephony.since = 0;
	buf_init(&a, 100000);
	buf_init(&b, 100000);
	presence_write(&a, &shown, true);
	presence_write(&b, &composed, true);
	assert_string_equal(buf_text(&a), buf_text(&b));
	buf_done(&a);
	buf_done(&b);
	assert_true(published.presence->rich.since <= l->w->now.wall);
	assert_true(published.presence->telephony.since <= l->w->now.wall);
}

/* Watched are exactly the addresses of those who are wanted, or were until a moment ago. */
static void check_watches(struct life *l)
{
	size_t expected = 0;

	for (size_t i = 0; i < l->w->open_count; i++) {
		const struct open_watch *o = &l->w->open[i];
		bool needed = false;
		char address[128];

		for (struct user *u = directory_after(l->w->d, ""); u != NULL; u = directory_next(u))
			needed = needed ||
			    (aggregator_is_watched(u) &&
				host_address(
				    (void *)(uintptr_t)o->source, u->fields, o->domain, address, sizeof address) &&
				strcmp(address, o->address) == 0);
		if (!needed)
			fail_msg("%s %s is watched for nobody", o->source->name, o->address);
	}
	for (struct user *u = directory_after(l->w->d, ""); u != NULL; u = directory_next(u)) {
		if (host_demanded(l->w, u) && !aggregator_is_watched(u))
			fail_msg("%s is wanted, but not watched", user_id(u));
		for (size_t i = 0; aggregator_is_watched(u) && i < COUNT_OF(l->sources); i++) {
			for (int d = 0; d < DOMAIN_COUNT && l->sources[i]->agg != NULL; d++) {
				char address[128];

				if ((l->sources[i]->domains >> d & 1) == 0 ||
				    !host_address(l->sources[i], u->fields, d, address, sizeof address))
					continue;
				if (open_watch_find(l->w, l->sources[i], address, d) == NULL)
					fail_msg("%s is wanted at %s, but %s is not watched", user_id(u),
					    l->sources[i]->name, address);
				expected++;
			}
		}
	}
	assert_true(l->w->open_count <= expected);
}

static void check_log(struct life *l)
{
	struct changelog_entry e = { 0 };
	size_t live = 0;

	while (changelog_next(aggregator_log(l->w->a), e.seq, &e)) {
		struct user *user = e.node == NULL ? NULL : aggregator_node_user(e.node);

		if (user == NULL)
			continue;
		assert_ptr_equal(user, directory_find(l->w->d, user_id(user)));
		assert_int_equal(aggregator_published(user).seq, e.seq);
		check_composition(l, user);
		live++;
	}
	assert_int_equal(live, directory_count(l->w->d));
}

/* A reader that comes by now and then knows, after it has read, what everybody else knows. */
static void check_reader(struct life *l)
{
	struct changelog_entry e = { .seq = l->cursor };

	while (changelog_next(aggregator_log(l->w->a), e.seq, &e)) {
		bool removed = e.node == NULL && e.tombstone->removed;
		const char *id = e.node == NULL ? e.tombstone->id : user_id(aggregator_node_user(e.node));

		if (e.node == NULL && !removed)
			continue;
		free(l->seen[index_of(id)]);
		l->seen[index_of(id)] = removed ? NULL : text_of(directory_find(l->w->d, id));
	}
	l->cursor = changelog_last(aggregator_log(l->w->a));
	for (size_t i = 0; i < USERS; i++) {
		assert_int_equal(l->seen[i] == NULL, l->shown[i] == NULL);
		if (l->seen[i] != NULL)
			assert_string_equal(l->seen[i], l->shown[i]);
	}
}

static void check_counters(struct life *l)
{
	struct aggregator_stats stats;
	size_t watched = 0;

	for (struct user *u = directory_after(l->w->d, ""); u != NULL; u = directory_next(u))
		watched += aggregator_is_watched(u);
	aggregator_stats(l->w->a, &stats);
	assert_int_equal(stats.users, directory_count(l->w->d));
	assert_int_equal(stats.watches, l->w->open_count);
	assert_int_equal(stats.watched, watched);
	assert_int_equal(stats.watched, l->w->watched_on - l->w->watched_off);
	assert_int_equal(stats.dirty, 0);
	assert_int_equal(stats.published, l->w->published);
}

static void check(struct life *l)
{
	run_in_turns(l->w, 1 + random_below(20));
	check_watches(l);
	check_log(l);
	check_counters(l);
	if (random_below(3) == 0)
		check_reader(l);
}

/* --- lives --------------------------------------------------------------------------------------- */

static struct life *life_new(void)
{
	struct life *l = calloc(1, sizeof *l);

	assert_non_null(l);
	l->w = world_new();
	l->w->on_published = remember_published;
	l->w->on_verify = remember_asked;
	l->sources[0] = &l->w->cups;
	l->sources[1] = &l->w->imp;
	l->sources[2] = &l->w->sw;
	l->sources[3] = &l->w->pbx;
	for (size_t i = 0; i < COUNT_OF(l->sources); i++)
		l->away_since[i] = -1;
	the_life = l;
	return l;
}

static void life_free(struct life *l)
{
	world_free(l->w);
	for (size_t i = 0; i < USERS; i++) {
		free(l->shown[i]);
		free(l->seen[i]);
	}
	free(l);
	the_life = NULL;
}

static void step(struct life *l)
{
	static void (*const things[])(struct life * l) = { set_user, set_user, remove_user, change_demand,
		change_demand, change_demand, say_something, say_something, say_something, say_something, say_something,
		say_something, change_status, change_status, resync, resync, change_sources, change_settings,
		work_a_little, work_a_little };
	static const int64_t times[] = { 1, 500, 5 * SECOND, 14 * SECOND, 40 * SECOND, 2 * MINUTE, 6 * MINUTE, HOUR };

	buf_clear(&l->w->calls);
	buf_clear(&l->w->arrivals);
	things[random_below(COUNT_OF(things))](l);
	if (random_below(4) == 0)
		answer(l);
	if (random_below(6) == 0)
		advance(l->w, times[random_below(COUNT_OF(times))]);
	if (random_below(4) == 0)
		check(l);
}

/* Nobody says anything any more: within the bound, nothing is believed that a source once said. */
static void check_that_no_lamp_is_stuck(struct life *l)
{
	l->silent = true;
	l->asked_count = 0;
	for (size_t i = 0; i < USERS; i++)
		want(l->w, ids[i]);
	advance(l->w, 2 * HOUR);
	check(l);
	for (struct user *u = directory_after(l->w->d, ""); u != NULL; u = directory_next(u)) {
		const struct presence *p = aggregator_published(u).presence;

		if (p->rich.winner != NULL || p->telephony.line != NULL || p->telephony.dnd != NULL ||
		    p->telephony.forward != NULL)
			fail_msg("%s still shows what nobody has said for two hours: %s", user_id(u),
			    l->shown[index_of(user_id(u))]);
	}
}

static void check_that_all_ends(struct life *l)
{
	memset(l->w->wanted, 0, sizeof l->w->wanted);
	for (struct user *u = directory_after(l->w->d, ""); u != NULL; u = directory_next(u))
		aggregator_demand_changed(l->w->a, u);
	advance(l->w, l->w->settings.linger);
	assert_int_equal(l->w->open_count, 0);
	check(l);
	for (size_t i = 0; i < USERS; i++) {
		if (directory_remove(l->w->d, ids[i])) {
			free(l->shown[i]);
			l->shown[i] = NULL;
		}
	}
	check(l);
	check_reader(l);
}

static void whatever_happens_log_watches_and_lamps_are_right(void **state)
{
	size_t rounds = random_rounds(20);

	(void)state;
	random_begin(__func__);
	for (size_t round = 0; round < rounds; round++) {
		struct life *l = life_new();

		for (int i = 0; i < STEPS; i++)
			step(l);
		check_that_no_lamp_is_stuck(l);
		if (round % 2 == 0) /* else everything is freed as it is */
			check_that_all_ends(l);
		life_free(l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_happens_log_watches_and_lamps_are_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
