/* test_aggregator.c: demand, watches of users, sources that come and go; in virtual time.
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

/* --- whose number ---------------------------------------------------------------------------------- */

static void the_same_number_may_be_written_in_many_ways(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "101", "101", true },
		{ "101", "tel:101", true },
		{ "101", "sip:101@pbx.example.com", true },
		{ "+44 20 7084 6845", "+442070846845", true },
		{ "101", "102", false },
		{ "101", "1010", false },
		{ "0101", "101", false },
		{ "", "", false },
		{ "101", "", false },
	};
	struct world *w = world_with_alice();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (aggregator_same_number(w->a, rows[i].a, rows[i].b) != rows[i].same ||
		    aggregator_same_number(w->a, rows[i].b, rows[i].a) != rows[i].same)
			fail_msg("\"%s\" and \"%s\"", rows[i].a, rows[i].b);
	world_free(w);
}

static void every_extension_of_whoever_is_watched_there_is_own(void **state)
{
	struct world *w = world_with_alice();
	char text[4 * NUMBER_MAX_BYTES];

	(void)state;
	add_user(w, "bob", "", "201;202; 203");
	add_user(w, "carol", "", "301");
	want(w, "bob");
	run(w);
	assert_true(aggregator_is_own(w->a, w->sw.agg, DOMAIN_TELEPHONY, "201", "201"));
	assert_true(aggregator_is_own(w->a, w->sw.agg, DOMAIN_TELEPHONY, "201", "202"));
	assert_true(aggregator_is_own(w->a, w->sw.agg, DOMAIN_TELEPHONY, "201", "tel:203"));
	assert_false(aggregator_is_own(w->a, w->sw.agg, DOMAIN_TELEPHONY, "201", "101"));
	assert_false(aggregator_is_own(w->a, w->sw.agg, DOMAIN_TELEPHONY, "201", ""));
	assert_false(aggregator_is_own(w->a, w->sw.agg, DOMAIN_TELEPHONY, "101", "201"));
	assert_true(aggregator_is_own(w->a, w->sw.agg, DOMAIN_TELEPHONY, "301", "301")); /* nobody watches it */
	assert_false(aggregator_is_own(w->a, w->sw.agg, DOMAIN_TELEPHONY, "301", "302"));
	assert_false(aggregator_is_own(w->a, w->sw.agg, DOMAIN_RICH, "201", "202"));
	memset(text, '1', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_false(aggregator_is_own(w->a, w->sw.agg, DOMAIN_TELEPHONY, "201", text));
	assert_false(aggregator_is_own(w->a, w->sw.agg, DOMAIN_TELEPHONY, text, "201"));
	unwant(w, "bob");
	advance(w, HOUR);
	assert_false(aggregator_is_own(w->a, w->sw.agg, DOMAIN_TELEPHONY, "201", "202"));
	world_free(w);
}

static void users_on_one_address_are_all_asked(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	add_user(w, "ann", "", "101;111");
	add_user(w, "abe", "", "101;112");
	want(w, "ann");
	want(w, "abe");
	run(w);
	assert_true(aggregator_is_own(w->a, w->sw.agg, DOMAIN_TELEPHONY, "101", "111"));
	assert_true(aggregator_is_own(w->a, w->sw.agg, DOMAIN_TELEPHONY, "101", "112"));
	world_free(w);
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
		cmocka_unit_test(the_same_number_may_be_written_in_many_ways),
		cmocka_unit_test(every_extension_of_whoever_is_watched_there_is_own),
		cmocka_unit_test(users_on_one_address_are_all_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
