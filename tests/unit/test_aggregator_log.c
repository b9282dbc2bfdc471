/* test_aggregator_log.c: users in the log, explain, and counters; in virtual time.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/world.h"

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
