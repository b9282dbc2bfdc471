/* test_aggregator_published.c: what is published and when, and `since`; in virtual time.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/world.h"

/* --- publication --------------------------------------------------------------------------------- */

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

/* --- beside the presence ------------------------------------------------------------------------- */

static void note_is_published_again_and_is_no_change_of_presence(void **state)
{
	struct world *w = world_with_alice();
	size_t published, changes;
	uint64_t seq;
	int64_t since;

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	assert_true(w->changed);
	published = w->published;
	changes = w->changes;
	seq = seq_of(w, "alice");
	since = aggregator_published(user_of(w, "alice")).presence->telephony.since;
	advance(w, SECOND);
	aggregator_republish(w->a, user_of(w, "alice"));
	aggregator_republish(w->a, user_of(w, "alice"));
	run(w);
	assert_int_equal(w->published, published + 1);
	assert_int_equal(w->changes, changes);
	assert_false(w->changed);
	assert_int_equal(seq_of(w, "alice"), seq + 1);
	assert_int_equal(aggregator_published(user_of(w, "alice")).at, w->now.wall);
	assert_int_equal(aggregator_published(user_of(w, "alice")).presence->telephony.since, since);
	/* with a change in the same turn it is one publication, and a change */
	aggregator_republish(w->a, user_of(w, "alice"));
	say_line(w, &w->sw, "101", LINE_IDLE);
	run(w);
	assert_int_equal(w->published, published + 2);
	assert_int_equal(w->changes, changes + 1);
	world_free(w);
}

static void first_publication_is_a_change_and_a_new_name_is_none(void **state)
{
	struct world *w = world_new();

	(void)state;
	add_user(w, "bob", "", "102");
	run(w);
	assert_int_equal(w->changes, 1);
	assert_int_equal(directory_set(w->d, fields_of(.values = { [USER_ID] = "bob", [USER_NAME] = "Robert" })), 1);
	run(w);
	assert_int_equal(w->published, 2);
	assert_int_equal(w->changes, 1);
	world_free(w);
}

static void renamed_user_keeps_presence_and_watches(void **state)
{
	struct world *w = world_with_alice();
	struct user *alice = user_of(w, "alice");
	struct changelog_entry e;
	uint64_t seq;
	size_t changes;

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	changes = w->changes;
	seq = changelog_last(aggregator_log(w->a));
	want(w, "carol");
	forget_calls(w);
	assert_int_equal(directory_rename(w->d, alice, user_fields_rename(alice->fields, "carol")), 0);
	run(w);
	assert_calls(w, ""); /* the addresses are as they were */
	assert_shows(w, "carol", "busy | requesting - | ok busy busy");
	assert_int_equal(w->changes, changes);
	/* readers see the old one go and the new one come */
	assert_true(changelog_next(aggregator_log(w->a), seq, &e));
	assert_true(e.tombstone->removed);
	assert_string_equal(e.tombstone->id, "alice");
	assert_string_equal(e.tombstone->groups[0], "sales");
	assert_true(changelog_next(aggregator_log(w->a), e.seq, &e));
	assert_ptr_equal(aggregator_node_user(e.node), alice);
	assert_false(changelog_next(aggregator_log(w->a), e.seq, &e));
	say_line(w, &w->sw, "101", LINE_IDLE);
	run(w);
	assert_shows(w, "carol", "available | requesting - | ok available idle");
	world_free(w);
}

/* Whoever wanted alice does not want carol. */
static void renamed_user_is_watched_as_the_new_id_is_wanted(void **state)
{
	struct world *w = world_with_alice();
	struct user *alice = user_of(w, "alice");

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	say_rich(w, &w->cups, "sip:alice@x", AVAILABILITY_BUSY);
	run(w);
	forget_calls(w);
	assert_int_equal(directory_rename(w->d, alice, user_fields_rename(alice->fields, "carol")), 0);
	advance(w, 2 * MINUTE);
	assert_shows(w, "carol", "unknown | not_requested - | not_requested - -");
	assert_calls(w, "unwatch cups rich sip:alice@x\nunwatch switch telephony 101\n");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repetition_is_not_published),
		cmocka_unit_test(several_changes_in_one_turn_are_published_once),
		cmocka_unit_test(facts_that_lost_are_not_published),
		cmocka_unit_test(losing_source_may_change_without_a_word),
		cmocka_unit_test(note_calls_and_target_are_published),
		cmocka_unit_test(run_composes_no_more_than_its_budget),
		cmocka_unit_test(settle_composes_one_user_now),
		cmocka_unit_test(settled_when_nothing_is_requesting),
		cmocka_unit_test(note_is_published_again_and_is_no_change_of_presence),
		cmocka_unit_test(first_publication_is_a_change_and_a_new_name_is_none),
		cmocka_unit_test(renamed_user_keeps_presence_and_watches),
		cmocka_unit_test(renamed_user_is_watched_as_the_new_id_is_wanted),
		cmocka_unit_test(since_is_what_the_source_observed_else_the_arrival),
		cmocka_unit_test(observation_in_the_future_is_now),
		cmocka_unit_test(since_stays_when_note_calls_or_source_change),
		cmocka_unit_test(since_moves_with_activity_mode_and_line),
		cmocka_unit_test(since_of_a_stale_half_is_the_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
