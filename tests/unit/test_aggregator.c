/* test_aggregator.c: demand, watches of users, publication, `since`, users who come and go; in virtual time.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/world.h"

#include <errno.h>

/* --- demand -------------------------------------------------------------------------------------- */

static void nobody_asks_nothing_is_watched(void **state)
{
	struct world *w = world_new();

	(void)state;
	w->cups.domains = RICH;
	add_source(w, &w->cups, 0);
	add_source(w, &w->sw, 1);
	add_user(w, "alice", "", "101");
	advance(w, HOUR);
	assert_shows(w, "alice", "unknown | not_requested - | not_requested - -");
	assert_calls(w, "");
	assert_false(aggregator_is_watched(user_of(w, "alice")));
	world_free(w);
}

static void half_without_source_or_address_says_so(void **state)
{
	struct world *w = world_new();

	(void)state;
	add_source(w, &w->imp, 0);
	assert_int_equal(directory_set(w->d, fields_of(.values = { [USER_ID] = "bob", [USER_EXTENSION] = "102" })), 1);
	run(w);
	assert_shows(w, "bob", "unknown | not_configured_for_user - | server_not_configured - -");
	want(w, "bob");
	run(w);
	assert_shows(w, "bob", "unknown | not_configured_for_user - | server_not_configured - -");
	world_free(w);
}

static void demand_watches_every_address_until_linger_is_over(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	assert_calls(w, "watch cups rich sip:alice@x\nwatch switch telephony 101\n");
	assert_shows(w, "alice", "unknown | requesting - | requesting - -");
	say_line(w, &w->sw, "101", LINE_IDLE);
	say_rich(w, &w->cups, "sip:alice@x", AVAILABILITY_AWAY);
	run(w);
	assert_shows(w, "alice", "away | ok away | ok available idle");

	unwant(w, "alice");
	run(w);
	advance(w, MINUTE - 1);
	assert_shows(w, "alice", "away | ok away | ok available idle");
	forget_calls(w); /* verifications of cups' and the switch's first answers may have come */
	advance(w, 1);
	assert_calls(w, "unwatch cups rich sip:alice@x\nunwatch switch telephony 101\n");
	assert_shows(w, "alice", "unknown | not_requested - | not_requested - -");
	assert_int_equal(w->watched_on, 1);
	assert_int_equal(w->watched_off, 1);
	world_free(w);
}

static void what_was_known_before_is_not_shown_when_demand_returns(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	unwant(w, "alice");
	advance(w, 2 * MINUTE);
	want(w, "alice");
	run(w);
	assert_shows(w, "alice", "unknown | requesting - | requesting - -");
	world_free(w);
}

static void demand_that_returns_within_linger_changes_nothing(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	say_line(w, &w->sw, "101", LINE_IDLE);
	say_rich(w, &w->cups, "sip:alice@x", AVAILABILITY_BUSY);
	unwant(w, "alice");
	advance(w, 20 * SECOND);
	forget_calls(w);
	want(w, "alice");
	advance(w, 2 * MINUTE);
	assert_calls(w, "");
	assert_shows(w, "alice", "busy | ok busy | ok available idle");
	unwant(w, "alice"); /* and linger begins anew */
	advance(w, MINUTE - 1);
	assert_true(aggregator_is_watched(user_of(w, "alice")));
	advance(w, 1);
	assert_false(aggregator_is_watched(user_of(w, "alice")));
	world_free(w);
}

static void one_question_watches_for_linger_and_the_next_prolongs_it(void **state)
{
	struct world *w = world_with_alice();
	struct user *alice = user_of(w, "alice");

	(void)state;
	unwant(w, "alice");
	advance(w, 2 * MINUTE);
	assert_false(aggregator_is_watched(alice));
	aggregator_demand_once(w->a, alice, w->now);
	run(w);
	assert_true(aggregator_is_watched(alice));
	advance(w, 40 * SECOND);
	aggregator_demand_once(w->a, alice, w->now);
	advance(w, MINUTE - 1);
	assert_true(aggregator_is_watched(alice));
	advance(w, 1);
	assert_false(aggregator_is_watched(alice));
	assert_int_equal(w->open_count, 0);
	world_free(w);
}

static void one_question_does_not_end_a_demand(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	aggregator_demand_once(w->a, user_of(w, "alice"), w->now);
	advance(w, 10 * MINUTE);
	assert_true(aggregator_is_watched(user_of(w, "alice")));
	world_free(w);
}

/* aggregator.h: "published, settled and watched may call aggregator_demand_changed()" */
static void stop_demanding(struct world *w, struct user *user, bool watched)
{
	if (watched)
		unwant(w, user_id(user));
}

static void demand_that_ends_inside_the_watched_callback_is_seen(void **state)
{
	struct world *w = world_new();

	(void)state;
	add_source(w, &w->sw, 0);
	add_user(w, "alice", "", "101");
	w->on_watched = stop_demanding;
	want(w, "alice");
	advance(w, MINUTE);
	assert_false(aggregator_is_watched(user_of(w, "alice")));
	assert_int_equal(w->open_count, 0);
	world_free(w);
}

static void stop_demanding_when_published(struct world *w, struct user *user)
{
	unwant(w, user_id(user));
}

static void demand_that_ends_inside_published_or_settled_is_seen(void **state)
{
	(void)state;
	for (int settled = 0; settled < 2; settled++) {
		struct world *w = world_with_alice();

		w->on_published = settled ? NULL : stop_demanding_when_published;
		w->on_settled = settled ? stop_demanding_when_published : NULL;
		say_line(w, &w->sw, "101", LINE_IDLE);
		say_rich(w, &w->cups, "sip:alice@x", AVAILABILITY_AWAY);
		advance(w, MINUTE);
		assert_false(aggregator_is_watched(user_of(w, "alice")));
		world_free(w);
	}
}

/* --- addresses ----------------------------------------------------------------------------------- */

static void users_on_one_address_share_one_watch(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	forget_calls(w);
	add_user(w, "bob", "", "101");
	want(w, "bob");
	run(w);
	assert_calls(w, "watch cups rich sip:bob@x\n");
	assert_shows(w, "bob", "busy | requesting - | ok busy busy"); /* what is known already */
	say_line(w, &w->sw, "101", LINE_IDLE);
	run(w);
	assert_shows(w, "alice", "available | requesting - | ok available idle");
	assert_shows(w, "bob", "available | requesting - | ok available idle");

	unwant(w, "alice");
	advance(w, MINUTE);
	forget_calls(w);
	assert_shows(w, "bob", "available | requesting - | ok available idle");
	assert_shows(w, "alice", "unknown | not_requested - | not_requested - -");
	directory_remove(w->d, "bob");
	assert_calls(w, "unwatch cups rich sip:bob@x\nunwatch switch telephony 101\n");
	world_free(w);
}

static void changed_address_is_another_watch_and_the_old_state_is_dropped(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	forget_calls(w);
	assert_int_equal(directory_set(w->d,
			     fields_of(.values = { [USER_ID] = "alice",
					   [USER_NAME] = "alice",
					   [USER_GROUPS] = "sales",
					   [USER_EXTENSION] = "109",
					   [USER_SIP_URI] = "sip:alice@x" })),
	    1);
	w->may_call = true;
	aggregator_run(w->a, w->now, 1000); /* one turn */
	w->may_call = false;
	assert_shows(w, "alice", "unknown | requesting - | requesting - -");
	assert_int_equal(w->open_count, 2);
	assert_null(open_watch_find(w, &w->sw, "101", DOMAIN_TELEPHONY));
	assert_non_null(open_watch_find(w, &w->sw, "109", DOMAIN_TELEPHONY));
	assert_int_equal(say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_LINE, .line = LINE_BUSY), -ENOENT);
	assert_int_equal(stats_of(w, &w->sw).unwatched, 1);
	world_free(w);
}

/* DESIGN section 1: "A changed address is unwatch, drop, watch in one turn." */
static void changed_address_is_unwatched_before_the_new_one_is_watched(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	forget_calls(w);
	assert_int_equal(
	    directory_set(w->d,
		fields_of(.values = { [USER_ID] = "alice", [USER_EXTENSION] = "109", [USER_SIP_URI] = "sip:alice@x" })),
	    1);
	run(w);
	assert_calls(w, "unwatch switch telephony 101\nwatch switch telephony 109\n");
	world_free(w);
}

static void override_and_dash_choose_the_address_for_one_source(void **state)
{
	const struct user_override overrides[] = {
		{ USER_LINE, "switch2", "55" },
		{ USER_EXTENSION, "pbx", "-" },
	};
	struct world *w = world_new();
	struct fake_source switch2 = w->sw;

	(void)state;
	switch2.name = "switch2";
	add_source(w, &w->sw, 0);
	add_source(w, &switch2, 1);
	add_source(w, &w->pbx, 2);
	assert_int_equal(directory_set(w->d,
			     fields_of(.values = { [USER_ID] = "alice", [USER_EXTENSION] = "101;102" },
				 .overrides = overrides, .override_count = 2)),
	    1);
	want(w, "alice");
	run(w);
	assert_calls(w, "watch switch telephony 101\nwatch switch2 telephony 55\n");
	world_free(w);
}

static void whom_a_source_serves_may_change(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	add_user(w, "bob", "support", "102");
	want(w, "bob");
	say_line(w, &w->sw, "101", LINE_IDLE);
	run(w);
	forget_calls(w);
	w->sw.group = "sales";
	aggregator_readdress(w->a);
	run(w);
	assert_calls(w, "unwatch switch telephony 102\n");
	assert_shows(w, "bob", "unknown | requesting - | not_configured_for_user - -");
	assert_shows(
	    w, "alice", "available | requesting - | ok available idle"); /* not touched, so it keeps its state */
	world_free(w);
}

static void user_who_joins_the_group_of_a_source_is_watched_there(void **state)
{
	struct world *w = world_new();

	(void)state;
	w->sw.group = "sales";
	add_source(w, &w->sw, 0);
	add_user(w, "alice", "support", "101");
	want(w, "alice");
	run(w);
	assert_calls(w, "");
	add_user(w, "alice", "support;sales", "101");
	run(w);
	assert_calls(w, "watch switch telephony 101\n");
	add_user(w, "alice", "support", "101");
	run(w);
	assert_calls(w, "unwatch switch telephony 101\n");
	world_free(w);
}

/* --- sources that come and go -------------------------------------------------------------------- */

static void added_source_is_offered_the_users_who_are_wanted(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	add_user(w, "bob", "", "102");
	run(w);
	forget_calls(w);
	add_source(w, &w->imp, 2);
	run(w);
	assert_calls(w, "watch imp rich alice@im\n");
	world_free(w);
}

static void removed_source_takes_its_states_with_it(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	add_user(w, "bob", "", "102");
	say_line(w, &w->sw, "101", LINE_BUSY);
	say_rich(w, &w->cups, "sip:alice@x", AVAILABILITY_AVAILABLE);
	run(w);
	forget_calls(w);
	remove_source(w, &w->sw);
	run(w);
	assert_calls(w, "");
	assert_shows(w, "alice", "available | ok available | server_not_configured - -");
	assert_shows(w, "bob", "unknown | not_requested - | server_not_configured - -");
	world_free(w);
}

static void presence_survives_the_source_that_it_names(void **state)
{
	struct world *w = world_with_alice();
	const struct presence *p;

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	remove_source(w, &w->sw);
	p = aggregator_published(user_of(w, "alice")).presence; /* before the next turn */
	assert_string_equal(p->telephony.source->name, "switch");
	add_source(w, &w->sw, 0);
	come_up(w, &w->sw);
	run(w);
	assert_shows(w, "alice", "unknown | requesting - | requesting - -");
	world_free(w);
}

static void next_in_order_takes_over_and_gives_back(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	add_source(w, &w->pbx, 2);
	come_up(w, &w->pbx);
	run(w);
	say_line(w, &w->pbx, "101", LINE_RINGING);
	run(w);
	assert_shows(w, "alice", "busy | requesting - | ok busy ringing");
	say_line(w, &w->sw, "101", LINE_IDLE); /* tapi before sip */
	run(w);
	assert_shows(w, "alice", "available | requesting - | ok available idle");
	remove_source(w, &w->sw);
	run(w);
	assert_shows(w, "alice", "busy | requesting - | ok busy ringing");
	world_free(w);
}

static void position_breaks_ties_and_may_be_changed(void **state)
{
	struct world *w = world_new();
	struct fake_source second = w->sw;
	size_t published;

	(void)state;
	second.name = "second";
	add_source(w, &w->sw, 1);
	add_source(w, &second, 2);
	come_up(w, &w->sw);
	come_up(w, &second);
	add_user(w, "alice", "", "101");
	want(w, "alice");
	run(w);
	say_line(w, &w->sw, "101", LINE_IDLE);
	say_line(w, &second, "101", LINE_BUSY);
	run(w);
	assert_shows(w, "alice", "available | server_not_configured - | ok available idle");
	published = w->published;
	aggregator_move_source(w->a, second.agg, 2);
	run(w);
	assert_int_equal(w->published, published);
	aggregator_move_source(w->a, second.agg, 0);
	run(w);
	assert_shows(w, "alice", "busy | server_not_configured - | ok busy busy");
	world_free(w);
}

static void new_rules_compose_everybody_again(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	add_source(w, &w->imp, 2);
	come_up(w, &w->imp);
	run(w);
	say_rich(w, &w->imp, "alice@im", AVAILABILITY_DND);
	say_rich(w, &w->cups, "sip:alice@x", AVAILABILITY_AWAY);
	run(w);
	assert_shows(w, "alice", "away | ok away | requesting - -");
	w->settings.rules.rich_winning = "imp";
	aggregator_configure(w->a, &w->settings, w->now);
	run(w);
	assert_shows(w, "alice", "dnd | ok dnd | requesting - -");
	world_free(w);
}

/* --- publication --------------------------------------------------------------------------------- */

static uint64_t seq_of(struct world *w, const char *id)
{
	return aggregator_published(user_of(w, id)).seq;
}

static void repetition_is_not_published(void **state)
{
	struct world *w = world_with_alice();
	uint64_t seq;

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	seq = seq_of(w, "alice");
	advance(w, SECOND);
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	assert_int_equal(seq_of(w, "alice"), seq);
	assert_int_equal(changelog_last(aggregator_log(w->a)), seq);
	world_free(w);
}

static void several_changes_in_one_turn_are_published_once(void **state)
{
	struct world *w = world_with_alice();
	size_t published = w->published;

	(void)state;
	say_line(w, &w->sw, "101", LINE_RINGING);
	say_line(w, &w->sw, "101", LINE_BUSY);
	say_rich(w, &w->cups, "sip:alice@x", AVAILABILITY_BUSY);
	run(w);
	assert_int_equal(w->published, published + 1);
	assert_shows(w, "alice", "busy | ok busy | ok busy busy");
	say_line(w, &w->sw, "101", LINE_IDLE);
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	assert_int_equal(w->published, published + 1);
	world_free(w);
}

/* DESIGN section 8: appended "if anything published but `seq` and `at` differs". */
static void facts_that_lost_are_not_published(void **state)
{
	struct world *w = world_with_alice();
	size_t published;

	(void)state;
	add_source(w, &w->pbx, 2);
	come_up(w, &w->pbx);
	run(w);
	/* the switch decides dnd and forward, the pbx gives the line only */
	say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_DND | RAW_FORWARD, .forward_kind = -1);
	say_facts(w, &w->pbx, "101", DOMAIN_TELEPHONY, .known = RAW_DND | RAW_LINE, .line = LINE_IDLE);
	run(w);
	assert_shows(w, "alice", "available | requesting - | ok available idle");
	published = w->published;
	say_facts(w, &w->pbx, "101", DOMAIN_TELEPHONY, .known = RAW_DND | RAW_LINE, .line = LINE_IDLE, .dnd = true);
	run(w);
	assert_int_equal(w->published, published);
	world_free(w);
}

static void losing_source_may_change_without_a_word(void **state)
{
	struct world *w = world_with_alice();
	size_t published;

	(void)state;
	add_source(w, &w->pbx, 2);
	come_up(w, &w->pbx);
	run(w);
	say_line(w, &w->sw, "101", LINE_IDLE);
	run(w);
	published = w->published;
	say_line(w, &w->pbx, "101", LINE_BUSY);
	run(w);
	assert_int_equal(w->published, published);
	world_free(w);
}

static void note_calls_and_target_are_published(void **state)
{
	const struct raw_call call = { .state = CALL_STATE_CONNECTED, .direction = DIRECTION_IN, .peer = "+4420" };
	struct world *w = world_with_alice();
	size_t published;

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	say_rich(w, &w->cups, "sip:alice@x", AVAILABILITY_BUSY);
	run(w);
	published = w->published;
	say_facts(w, &w->cups, "sip:alice@x", DOMAIN_RICH, .known = RAW_AVAILABILITY | RAW_NOTE,
	    .availability = AVAILABILITY_BUSY, .note = "Board room");
	run(w);
	assert_int_equal(w->published, ++published);
	say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_LINE | RAW_CALLS, .line = LINE_BUSY, .calls = &call,
	    .call_count = 1);
	run(w);
	assert_int_equal(w->published, ++published);
	say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_LINE | RAW_FORWARD, .line = LINE_BUSY,
	    .forwarded = true, .forward_kind = -1, .forward_target = "2099");
	run(w);
	assert_int_equal(w->published, ++published);
	assert_shows(w, "alice", "forwarded_to_phone | ok busy | ok forwarded_to_phone busy");
	say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_LINE | RAW_FORWARD, .line = LINE_BUSY,
	    .forwarded = true, .forward_kind = -1, .forward_target = "2098");
	run(w);
	assert_int_equal(w->published, ++published);
	world_free(w);
}

static void run_composes_no_more_than_its_budget(void **state)
{
	struct world *w = world_new();
	struct aggregator_stats before, after;
	char id[16];
	int turns = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "u%02d", i);
		add_user(w, id, "", id);
	}
	aggregator_stats(w->a, &before);
	assert_int_equal(before.dirty, 100);
	while (aggregator_run(w->a, w->now, 7)) {
		aggregator_stats(w->a, &after);
		assert_true(after.composed - before.composed <= 7);
		before = after;
		turns++;
	}
	assert_int_equal(turns, 100 / 7);
	aggregator_stats(w->a, &after);
	assert_int_equal(after.dirty, 0);
	assert_int_equal(after.published, 100);
	world_free(w);
}

static void settle_composes_one_user_now(void **state)
{
	struct world *w = world_with_alice();
	uint64_t seq;

	(void)state;
	add_user(w, "bob", "", "102");
	want(w, "bob");
	run(w);
	say_line(w, &w->sw, "101", LINE_BUSY);
	say_line(w, &w->sw, "102", LINE_BUSY);
	seq = seq_of(w, "bob");
	assert_false(aggregator_is_settled(user_of(w, "alice")));
	aggregator_settle(w->a, user_of(w, "alice"), w->now);
	assert_shows(w, "alice", "busy | requesting - | ok busy busy");
	assert_int_equal(seq_of(w, "bob"), seq);
	world_free(w);
}

static void settled_when_nothing_is_requesting(void **state)
{
	struct world *w = world_with_alice();
	struct user *alice = user_of(w, "alice");

	(void)state;
	assert_false(aggregator_is_settled(alice));
	w->settled = 0;
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	assert_int_equal(w->settled, 0);
	assert_int_equal(say_status(w, &w->cups, "sip:alice@x", DOMAIN_RICH, STATE_STATUS_NOT_FOUND), 0);
	assert_false(aggregator_is_settled(alice));
	run(w);
	assert_int_equal(w->settled, 1);
	assert_string_equal(w->last_settled, "alice");
	assert_true(aggregator_is_settled(alice));
	assert_shows(w, "alice", "busy | not_found - | ok busy busy");
	world_free(w);
}

/* --- since --------------------------------------------------------------------------------------- */

static int64_t rich_since(struct world *w)
{
	return aggregator_published(user_of(w, "alice")).presence->rich.since;
}

static int64_t telephony_since(struct world *w)
{
	return aggregator_published(user_of(w, "alice")).presence->telephony.since;
}

static void since_is_what_the_source_observed_else_the_arrival(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	say_facts(w, &w->cups, "sip:alice@x", DOMAIN_RICH, .known = RAW_AVAILABILITY, .availability = AVAILABILITY_AWAY,
	    .observed_at = NOON - HOUR);
	say_line(w, &w->sw, "101", LINE_IDLE);
	advance(w, SECOND);
	assert_int_equal(rich_since(w), NOON - HOUR);
	assert_int_equal(telephony_since(w), NOON);
	world_free(w);
}

static void observation_in_the_future_is_now(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	say_facts(w, &w->cups, "sip:alice@x", DOMAIN_RICH, .known = RAW_AVAILABILITY, .availability = AVAILABILITY_AWAY,
	    .observed_at = NOON + HOUR);
	run(w);
	assert_int_equal(rich_since(w), NOON);
	world_free(w);
}

static void since_stays_when_note_calls_or_source_change(void **state)
{
	const struct raw_call call = { .state = CALL_STATE_CONNECTED, .direction = -1 };
	struct world *w = world_with_alice();

	(void)state;
	add_source(w, &w->imp, 2);
	add_source(w, &w->pbx, 3);
	come_up(w, &w->imp);
	come_up(w, &w->pbx);
	run(w);
	say_rich(w, &w->imp, "alice@im", AVAILABILITY_BUSY);
	say_line(w, &w->pbx, "101", LINE_BUSY);
	run(w);
	advance(w, SECOND);
	say_facts(w, &w->imp, "alice@im", DOMAIN_RICH, .known = RAW_AVAILABILITY | RAW_NOTE,
	    .availability = AVAILABILITY_BUSY, .note = "Board room");
	run(w);
	assert_int_equal(rich_since(w), NOON);
	say_rich(w, &w->cups, "sip:alice@x", AVAILABILITY_BUSY); /* another source wins, with the same word */
	say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_LINE | RAW_CALLS, .line = LINE_BUSY, .calls = &call,
	    .call_count = 1);
	run(w);
	assert_int_equal(rich_since(w), NOON);
	assert_int_equal(telephony_since(w), NOON);
	assert_string_equal(aggregator_published(user_of(w, "alice")).presence->rich.source->name, "cups");
	world_free(w);
}

static void since_moves_with_activity_mode_and_line(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	say_rich(w, &w->cups, "sip:alice@x", AVAILABILITY_BUSY);
	say_line(w, &w->sw, "101", LINE_RINGING);
	advance(w, SECOND);
	say_facts(w, &w->cups, "sip:alice@x", DOMAIN_RICH, .known = RAW_AVAILABILITY | RAW_ACTIVITY,
	    .availability = AVAILABILITY_BUSY, .activity = ACTIVITY_MEETING);
	say_line(w, &w->sw, "101", LINE_BUSY); /* the mode is still busy */
	run(w);
	assert_int_equal(rich_since(w), NOON + SECOND);
	assert_int_equal(telephony_since(w), NOON + SECOND);
	advance(w, SECOND);
	say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_LINE | RAW_DND, .line = LINE_BUSY, .dnd = true);
	run(w);
	assert_int_equal(telephony_since(w), NOON + 2 * SECOND);
	assert_int_equal(rich_since(w), NOON + SECOND);
	world_free(w);
}

static void since_of_a_stale_half_is_the_loss(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	advance(w, SECOND);
	lose(w, &w->sw);
	run(w);
	assert_shows(w, "alice", "busy | requesting - | stale busy busy");
	assert_int_equal(telephony_since(w), NOON + SECOND);
	world_free(w);
}

/* --- users in the log ---------------------------------------------------------------------------- */

static void log_holds_one_entry_per_user_at_the_last_change(void **state)
{
	struct world *w = world_with_alice();
	struct changelog_entry e = { 0 };
	size_t live = 0;

	(void)state;
	add_user(w, "bob", "", "102");
	run(w);
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	while (changelog_next(aggregator_log(w->a), e.seq, &e)) {
		assert_non_null(e.node);
		assert_ptr_equal(aggregator_node_user(e.node), user_of(w, live == 0 ? "bob" : "alice"));
		assert_int_equal(e.seq, seq_of(w, live == 0 ? "bob" : "alice"));
		live++;
	}
	assert_int_equal(live, 2);
	world_free(w);
}

static void removed_user_leaves_a_tombstone_with_its_groups(void **state)
{
	struct world *w = world_with_alice();
	uint64_t seq = seq_of(w, "alice");
	struct changelog_entry e;

	(void)state;
	forget_calls(w);
	directory_remove(w->d, "alice");
	assert_calls(w, "unwatch cups rich sip:alice@x\nunwatch switch telephony 101\n");
	assert_int_equal(w->watched_off, 1);
	assert_true(changelog_next(aggregator_log(w->a), seq, &e));
	assert_null(e.node);
	assert_true(e.tombstone->removed);
	assert_string_equal(e.tombstone->id, "alice");
	assert_int_equal(e.tombstone->group_count, 1);
	assert_string_equal(e.tombstone->groups[0], "sales");
	assert_false(changelog_next(aggregator_log(w->a), e.seq, &e));
	assert_false(changelog_at(aggregator_log(w->a), seq, &e));
	run(w);
	world_free(w);
}

static void user_who_comes_back_is_new(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	directory_remove(w->d, "alice");
	add_user(w, "alice", "", "101");
	assert_null(aggregator_published(user_of(w, "alice")).presence);
	run(w);
	assert_shows(w, "alice", "unknown | requesting - | requesting - -"); /* still wanted */
	world_free(w);
}

static void renamed_user_is_published_though_the_presence_is_the_same(void **state)
{
	struct world *w = world_with_alice();
	uint64_t seq = seq_of(w, "alice");

	(void)state;
	forget_calls(w);
	directory_set(w->d,
	    fields_of(.values = { [USER_ID] = "alice",
			  [USER_NAME] = "Alice A.",
			  [USER_GROUPS] = "sales",
			  [USER_EXTENSION] = "101",
			  [USER_SIP_URI] = "sip:alice@x",
			  [USER_XMPP] = "alice@im" }));
	run(w);
	assert_true(seq_of(w, "alice") > seq);
	assert_calls(w, ""); /* no address changed */
	world_free(w);
}

static void address_of_nobody_changes_nothing_that_is_published(void **state)
{
	struct world *w = world_with_alice();
	uint64_t seq = seq_of(w, "alice");

	(void)state;
	directory_set(w->d,
	    fields_of(.values = { [USER_ID] = "alice",
			  [USER_NAME] = "alice",
			  [USER_GROUPS] = "sales",
			  [USER_EXTENSION] = "101",
			  [USER_SIP_URI] = "sip:alice@x",
			  [USER_WEBEX] = "alice@example.com" }));
	run(w);
	assert_int_equal(seq_of(w, "alice"), seq);
	world_free(w);
}

static void left_group_is_a_tombstone_before_the_new_entry(void **state)
{
	struct world *w = world_with_alice();
	uint64_t seq = seq_of(w, "alice");
	struct changelog_entry e;

	(void)state;
	add_user(w, "alice", "support", "101");
	run(w);
	assert_true(changelog_next(aggregator_log(w->a), seq, &e));
	assert_non_null(e.tombstone);
	assert_false(e.tombstone->removed);
	assert_string_equal(e.tombstone->id, "alice");
	assert_int_equal(e.tombstone->group_count, 1);
	assert_string_equal(e.tombstone->groups[0], "sales");
	assert_true(seq_of(w, "alice") > e.seq);
	world_free(w);
}

static void own_voicemail_number_decides_the_mode(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_FORWARD, .forwarded = true, .forward_kind = -1,
	    .forward_target = "8123");
	run(w);
	assert_shows(w, "alice", "forwarded_to_phone | requesting - | ok forwarded_to_phone -");
	directory_set(w->d,
	    fields_of(.values = { [USER_ID] = "alice",
			  [USER_NAME] = "alice",
			  [USER_GROUPS] = "sales",
			  [USER_EXTENSION] = "101",
			  [USER_SIP_URI] = "sip:alice@x",
			  [USER_VOICEMAIL] = "8123" }));
	run(w);
	assert_shows(w, "alice", "forwarded_to_voicemail | requesting - | ok forwarded_to_voicemail -");
	world_free(w);
}

/* --- explain and counters ------------------------------------------------------------------------ */

static void note_row(void *arg, const struct aggregator_state_row *row)
{
	struct buf *b = arg;

	buf_printf(b, "%s %s %s %s %lld\n", row->source->name, vocab_name(&vocab_domain, row->domain), row->address,
	    vocab_name(&vocab_state_status, row->status), (long long)row->age);
	assert_int_equal(row->status == STATE_STATUS_OK, row->why == NULL);
}

static void note_trace(void *arg, const struct rules_trace_row *row)
{
	buf_printf(arg, "%s %s %s\n", row->about, row->source == NULL ? "-" : row->source->name,
	    vocab_name(&vocab_rules_verdict, (int)row->verdict));
	assert_non_null(row->why);
}

static void explain_tells_every_state_and_who_decided(void **state)
{
	struct world *w = world_with_alice();
	struct buf text;
	const struct rules_trace trace = { note_trace, &text };

	(void)state;
	buf_init(&text, 10000);
	advance(w, SECOND);
	say_line(w, &w->sw, "101", LINE_BUSY);
	advance(w, 3 * SECOND);
	w->may_call = true;
	aggregator_explain(w->a, user_of(w, "alice"), w->now, note_row, &trace, &text);
	assert_string_equal(buf_text(&text),
	    "cups rich sip:alice@x requesting -1\n"
	    "switch telephony 101 ok 3000\n"
	    "rich cups not_usable\n"
	    "line switch decided\n"
	    "dnd switch does_not_know\n"
	    "forward switch does_not_know\n"
	    "mode switch decided\n"
	    "overall - decided\n");
	buf_done(&text);
	world_free(w);
}

static void counters_tell_users_watches_and_states(void **state)
{
	struct world *w = world_with_alice();
	struct aggregator_stats stats;

	(void)state;
	add_user(w, "bob", "", "102");
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	aggregator_stats(w->a, &stats);
	assert_int_equal(stats.users, 2);
	assert_int_equal(stats.watched, 1);
	assert_int_equal(stats.watches, 2);
	assert_int_equal(stats.raw_states, 1);
	assert_int_equal(stats.published, w->published);
	unwant(w, "alice");
	advance(w, MINUTE);
	directory_remove(w->d, "bob");
	aggregator_stats(w->a, &stats);
	assert_int_equal(stats.users, 1);
	assert_int_equal(stats.watched, 0);
	assert_int_equal(stats.watches, 0);
	world_free(w);
}

static void free_in_the_middle_of_everything_calls_nobody_and_leaks_nothing(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	add_user(w, "bob", "sales;support", "101"); /* never composed */
	want(w, "bob");
	aggregator_demand_once(w->a, user_of(w, "bob"), w->now);
	unwant(w, "alice");
	lose(w, &w->cups);
	world_free(w);
	aggregator_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_asks_nothing_is_watched),
		cmocka_unit_test(half_without_source_or_address_says_so),
		cmocka_unit_test(demand_watches_every_address_until_linger_is_over),
		cmocka_unit_test(what_was_known_before_is_not_shown_when_demand_returns),
		cmocka_unit_test(demand_that_returns_within_linger_changes_nothing),
		cmocka_unit_test(one_question_watches_for_linger_and_the_next_prolongs_it),
		cmocka_unit_test(one_question_does_not_end_a_demand),
		cmocka_unit_test(demand_that_ends_inside_the_watched_callback_is_seen),
		cmocka_unit_test(demand_that_ends_inside_published_or_settled_is_seen),
		cmocka_unit_test(users_on_one_address_share_one_watch),
		cmocka_unit_test(changed_address_is_another_watch_and_the_old_state_is_dropped),
		cmocka_unit_test(changed_address_is_unwatched_before_the_new_one_is_watched),
		cmocka_unit_test(override_and_dash_choose_the_address_for_one_source),
		cmocka_unit_test(whom_a_source_serves_may_change),
		cmocka_unit_test(user_who_joins_the_group_of_a_source_is_watched_there),
		cmocka_unit_test(added_source_is_offered_the_users_who_are_wanted),
		cmocka_unit_test(removed_source_takes_its_states_with_it),
		cmocka_unit_test(presence_survives_the_source_that_it_names),
		cmocka_unit_test(next_in_order_takes_over_and_gives_back),
		cmocka_unit_test(position_breaks_ties_and_may_be_changed),
		cmocka_unit_test(new_rules_compose_everybody_again),
		cmocka_unit_test(repetition_is_not_published),
		cmocka_unit_test(several_changes_in_one_turn_are_published_once),
		cmocka_unit_test(facts_that_lost_are_not_published),
		cmocka_unit_test(losing_source_may_change_without_a_word),
		cmocka_unit_test(note_calls_and_target_are_published),
		cmocka_unit_test(run_composes_no_more_than_its_budget),
		cmocka_unit_test(settle_composes_one_user_now),
		cmocka_unit_test(settled_when_nothing_is_requesting),
		cmocka_unit_test(since_is_what_the_source_observed_else_the_arrival),
		cmocka_unit_test(observation_in_the_future_is_now),
		cmocka_unit_test(since_stays_when_note_calls_or_source_change),
		cmocka_unit_test(since_moves_with_activity_mode_and_line),
		cmocka_unit_test(since_of_a_stale_half_is_the_loss),
		cmocka_unit_test(log_holds_one_entry_per_user_at_the_last_change),
		cmocka_unit_test(removed_user_leaves_a_tombstone_with_its_groups),
		cmocka_unit_test(user_who_comes_back_is_new),
		cmocka_unit_test(renamed_user_is_published_though_the_presence_is_the_same),
		cmocka_unit_test(address_of_nobody_changes_nothing_that_is_published),
		cmocka_unit_test(left_group_is_a_tombstone_before_the_new_entry),
		cmocka_unit_test(own_voicemail_number_decides_the_mode),
		cmocka_unit_test(explain_tells_every_state_and_who_decided),
		cmocka_unit_test(counters_tell_users_watches_and_states),
		cmocka_unit_test(free_in_the_middle_of_everything_calls_nobody_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
