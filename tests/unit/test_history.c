/* test_history.c: which changes of presence become rows; in virtual time, with the real store.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/world.h"

#include "tests/unit/store_world.h"

#include "daemon/history.h"

static struct world *w;
static struct history *history;
static bool is_open; /* it was told that the file is */

static void on_published(struct world *world, struct user *user)
{
	if (world->changed)
		history_published(history, user);
}

static void configure(bool enabled, bool calls)
{
	history_configure(history, &(struct history_settings){ .enabled = enabled, .calls = calls }, w->now);
}

/* The daemon starts, with history and without calls. */
static int history_setup(void **state)
{
	int r = world_setup(state);

	is_open = false;
	if (r != 0)
		return r;
	start_store(NOON);
	w = world_with_alice();
	w->on_published = on_published;
	history = history_new(store, w->a);
	history_configure(history, &(struct history_settings){ .enabled = true }, (struct instant){ 0 });
	(void)history_run(history, true, w->now);
	return history == NULL;
}

static int history_teardown(void **state)
{
	history_free(history);
	world_free(w);
	return world_teardown(state);
}

/* Let a turn end; what is due of history is done. */
static void end_turn(void)
{
	int slices = 0;

	run(w);
	while (history_run(history, true, w->now))
		assert_true(slices++ < 1000);
}

static void pass(int64_t ms)
{
	advance(w, ms);
	end_turn();
}

/* All that was appended is in the file. */
static void wait_written(void)
{
	if (!is_open)
		wait_told("opened first\n");
	is_open = true;
	submit_number(0, "barrier", (int64_t)random_next());
	wait_told("done 0 well\n");
}

#define ROWS(columns) \
	"SELECT " columns " FROM history h LEFT JOIN history_users u ON u.id=h.user LEFT JOIN history_states s" \
	" ON s.id=h.state WHERE h.id>1 ORDER BY h.id"

/* "KIND USER OVERALL RICH TELEPHONY [gap]", a line each, behind the start of the daemon. */
static void assert_history_at(const char *expected, const char *name, int line)
{
	wait_written();
	_assert_string_equal(ask(file,
				 ROWS("kind || coalesce(' ' || u.user, '') || coalesce(' ' ||"
				      " json_extract(s.state, '$.overall') || ' ' ||"
				      " json_extract(s.state, '$.rich.status') || ' ' ||"
				      " json_extract(s.state, '$.telephony.status'), '') ||"
				      " iif(gap, ' gap', '')")),
	    expected, name, line);
}
#define assert_history(expected) assert_history_at(expected, __FILE__, __LINE__)

static void first_word_of_a_source_is_the_first_row(void **state)
{
	(void)state;
	add_user(w, "bob", "", "102");
	end_turn();
	assert_history("");
	say_line(w, &w->sw, "101", LINE_BUSY);
	end_turn();
	assert_history("change alice busy requesting ok");
}

static void every_change_is_a_row_and_nothing_else(void **state)
{
	char seq[32];

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	end_turn();
	pass(SECOND);
	say_line(w, &w->sw, "101", LINE_BUSY); /* again */
	end_turn();
	aggregator_republish(w->a, user_of(w, "alice")); /* a note */
	end_turn();
	add_user(w, "alice2", "", "109");
	say_line(w, &w->sw, "101", LINE_IDLE);
	say_line(w, &w->sw, "101", LINE_RINGING); /* one turn, one row */
	end_turn();
	assert_history("change alice busy requesting ok\nchange alice busy requesting ok");
	assert_rows(file, ROWS("json_extract(s.state, '$.telephony.line')"), "busy\nringing");
	snprintf(seq, sizeof seq, "%llu", (unsigned long long)seq_of(w, "alice"));
	assert_rows(file, "SELECT max(seq) FROM history", seq);
}

static void losses_and_the_end_of_demand_are_rows(void **state)
{
	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	say_rich(w, &w->cups, "sip:alice@x", AVAILABILITY_BUSY);
	end_turn();
	lose(w, &w->sw);
	end_turn();
	pass(16 * SECOND);
	unwant(w, "alice");
	pass(2 * MINUTE);
	assert_history("change alice busy ok ok\nchange alice busy ok stale\nchange alice busy ok error\n"
		       "change alice unknown not_requested not_requested");
}

static void since_stands_beside_the_state_and_states_are_kept_once(void **state)
{
	(void)state;
	say_facts(w, &w->cups, "sip:alice@x", DOMAIN_RICH, .known = RAW_AVAILABILITY, .availability = AVAILABILITY_BUSY,
	    .observed_at = NOON - 7000);
	for (int i = 0; i < 4; i++) {
		say_line(w, &w->sw, "101", i % 2 == 0 ? LINE_BUSY : LINE_IDLE);
		end_turn();
		pass(SECOND);
	}
	wait_written();
	assert_rows(file, ROWS("at-1795176000000, rich_since-1795176000000, telephony_since-1795176000000"),
	    "0|-7000|0\n1000|-7000|1000\n2000|-7000|2000\n3000|-7000|3000");
	assert_rows(file, "SELECT count(*) FROM history_states", "2");
	assert_rows(file, "SELECT count(*) FROM history_states WHERE state LIKE '%since%'", "0");
}

static void say_a_call(char *peer)
{
	const struct raw_call call = { .state = CALL_STATE_CONNECTED, .direction = DIRECTION_IN, .peer = peer };

	say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_LINE | RAW_CALLS | RAW_FORWARD, .line = LINE_BUSY,
	    .calls = &call, .call_count = 1, .forwarded = true, .forward_kind = -1, .forward_target = "2099");
	end_turn();
}

static void calls_and_targets_are_kept_apart_and_only_if_wanted(void **state)
{
	(void)state;
	say_a_call("+4420");
	say_a_call("+4421"); /* nothing that is kept has changed */
	say_line(w, &w->sw, "101", LINE_IDLE);
	end_turn();
	configure(true, true);
	say_a_call("+4420");
	say_a_call("+4421");
	say_line(w, &w->sw, "101", LINE_IDLE);
	end_turn();
	wait_written();
	assert_rows(file, ROWS("secret"),
	    "NULL\nNULL\n{\"calls\":[{\"state\":\"connected\",\"direction\":\"in\",\"peer\":\"+4420\"}],"
	    "\"target\":\"2099\"}\n"
	    "{\"calls\":[{\"state\":\"connected\",\"direction\":\"in\",\"peer\":\"+4421\"}],\"target\":\"2099\"}"
	    "\nNULL");
	assert_rows(file, "SELECT count(*) FROM history_states WHERE state LIKE '%442%' OR state LIKE '%2099%'", "0");
}

static void removal_is_a_row_for_whom_there_are_rows(void **state)
{
	(void)state;
	add_user(w, "bob", "", "102");
	say_line(w, &w->sw, "101", LINE_BUSY);
	end_turn();
	history_removed(history, user_of(w, "bob"), w->now.wall);
	history_removed(history, user_of(w, "alice"), w->now.wall);
	assert_history("change alice busy requesting ok\nremoved alice");
}

static void renamed_user_goes_on(void **state)
{
	struct user *alice = user_of(w, "alice");

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	end_turn();
	want(w, "carol"); /* whoever wanted alice */
	assert_int_equal(directory_rename(w->d, alice, user_fields_rename(alice->fields, "carol")), 0);
	history_renamed(history, "alice", alice, w->now.wall);
	end_turn();
	say_line(w, &w->sw, "101", LINE_IDLE);
	end_turn();
	assert_history("change alice busy requesting ok\nrenamed carol\nchange carol available requesting ok");
}

static void nothing_is_kept_while_history_is_disabled(void **state)
{
	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	end_turn();
	configure(false, false);
	assert_int_equal(history_deadline(history), INSTANT_NEVER);
	say_line(w, &w->sw, "101", LINE_IDLE);
	add_user(w, "bob", "", "102");
	want(w, "bob");
	run(w);
	say_line(w, &w->sw, "102", LINE_RINGING); /* heard of for the first time */
	add_user(w, "carol", "", "103");
	end_turn();
	history_removed(history, user_of(w, "alice"), w->now.wall);
	configure(true, false);
	end_turn();
	assert_history("change alice busy requesting ok\nstopped\nstarted\n"
		       "change alice available requesting ok gap\nchange bob busy requesting ok");
	say_line(w, &w->sw, "101", LINE_BUSY);
	end_turn();
	assert_rows(file, "SELECT count(*) FROM history WHERE gap", "1");
}

static void jump_of_the_clock_is_a_gap_for_everybody_of_whom_there_are_rows(void **state)
{
	(void)state;
	add_user(w, "bob", "", "102");
	say_line(w, &w->sw, "101", LINE_BUSY);
	end_turn();
	w->now.wall += 25 * SECOND; /* somebody corrected it a little */
	end_turn();
	w->now.wall += HOUR; /* the machine slept */
	end_turn();
	w->now.wall -= 2 * HOUR;
	end_turn();
	assert_history("change alice busy requesting ok\nchange alice busy requesting ok gap\n"
		       "change alice busy requesting ok gap");
}

static void alive_is_said_while_somebody_is_watched(void **state)
{
	int64_t due;

	(void)state;
	wait_written();
	assert_number("alive", "1795176000000");
	due = history_deadline(history);
	assert_int_equal(due, w->now.mono + 10 * SECOND);
	pass(9 * SECOND);
	wait_written();
	assert_number("alive", "1795176000000");
	pass(SECOND);
	wait_written();
	assert_number("alive", "1795176010000");
	advance(w, 20 * SECOND);
	(void)history_run(history, false, w->now); /* not all that sources said is published */
	wait_written();
	assert_number("alive", "1795176010000");
	unwant(w, "alice");
	pass(2 * MINUTE);
	wait_written();
	end_turn();
	pass(2 * MINUTE);
	wait_written();
	assert_number("alive", "1795176010000");
}

/* --- many ---------------------------------------------------------------------------------------- */

#define PEOPLE 1300

static void add_people(void)
{
	char id[16], extension[16];

	w->everybody_wanted = true;
	for (int i = 0; i < PEOPLE; i++) {
		snprintf(id, sizeof id, "u%04d", i);
		snprintf(extension, sizeof extension, "%d", 2000 + i);
		add_user(w, id, "", extension);
	}
	run(w);
	for (int i = 0; i < PEOPLE; i++) {
		snprintf(extension, sizeof extension, "%d", 2000 + i);
		say_line(w, &w->sw, extension, LINE_BUSY);
	}
	end_turn();
}

static void everybody_is_written_again_in_slices(void **state)
{
	int slices = 1;

	(void)state;
	add_people();
	wait_written();
	assert_rows(file, "SELECT count(*), count(gap) FROM history WHERE kind='change'", "1300|0");
	history_restate(history, w->now.wall);
	say_line(w, &w->sw, "2005", LINE_IDLE); /* meanwhile */
	run(w);
	while (history_run(history, true, w->now))
		slices++;
	assert_true(slices >= 3);
	wait_written();
	assert_rows(file, "SELECT count(*), count(gap) FROM history WHERE kind='change'", "2600|1300");
	assert_rows(file, "SELECT count(DISTINCT user) FROM history WHERE gap", "1300");
}

/* The store cannot open its file. */
static int setup_without_file(void **state)
{
	int r = world_setup(state);

	is_open = false;
	put_bytes(in_folder("state"), "", 0);
	start_store(NOON);
	wait_told("failed\n");
	w = world_with_alice();
	w->on_published = on_published;
	history = history_new(store, w->a);
	history_configure(history, &(struct history_settings){ .enabled = true }, (struct instant){ 0 });
	(void)history_run(history, true, w->now);
	return r;
}

static void who_lost_a_row_gets_one_with_a_gap(void **state)
{
	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	end_turn();
	for (int i = 2; i < STORE_MAX_RECORDS; i++) /* that, and that the daemon observes */
		assert_true(append_change("bob", NOON));
	say_line(w, &w->sw, "101", LINE_IDLE);
	end_turn();
	assert_int_equal(history_lost(history), 1);
	assert_int_equal(history_deadline(history), w->now.mono + SECOND);
	say_line(w, &w->sw, "101", LINE_RINGING);
	end_turn();
	assert_int_equal(history_lost(history), 2);
	pass(SECOND); /* still no room: nothing more is lost by that, and nothing is said to be observed */
	assert_int_equal(history_lost(history), 2);
	assert_int_equal(unlink(in_folder("state")), 0);
	wait_written();
	assert_rows(file, "SELECT count(*) FROM meta WHERE key='alive'", "1"); /* what was said before the loss */
	pass(SECOND);
	say_line(w, &w->sw, "101", LINE_BUSY);
	end_turn();
	wait_written();
	assert_rows(file,
	    "SELECT json_extract(s.state, '$.telephony.line'), gap FROM history h JOIN history_users u ON u.id=h.user"
	    " JOIN history_states s ON s.id=h.state WHERE u.user='alice' ORDER BY h.id",
	    "busy|NULL\nringing|1\nbusy|NULL");
	assert_int_equal(history_lost(history), 2);
}

static void without_a_store_nothing_is_kept_and_nothing_breaks(void **state)
{
	struct history *none = history_new(NULL, w->a);

	(void)state;
	history_configure(none, &(struct history_settings){ .enabled = true }, w->now);
	history_published(none, user_of(w, "alice"));
	history_removed(none, user_of(w, "alice"), NOON);
	history_renamed(none, "bob", user_of(w, "alice"), NOON);
	assert_false(history_run(none, true, w->now));
	assert_int_equal(history_deadline(none), INSTANT_NEVER);
	assert_int_equal(history_lost(none), 0);
	history_free(none);
	history_published(NULL, user_of(w, "alice")); /* before it is made */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, history_setup, history_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_word_of_a_source_is_the_first_row),
		TEST(every_change_is_a_row_and_nothing_else),
		TEST(losses_and_the_end_of_demand_are_rows),
		TEST(since_stands_beside_the_state_and_states_are_kept_once),
		TEST(calls_and_targets_are_kept_apart_and_only_if_wanted),
		TEST(removal_is_a_row_for_whom_there_are_rows),
		TEST(renamed_user_goes_on),
		TEST(nothing_is_kept_while_history_is_disabled),
		TEST(jump_of_the_clock_is_a_gap_for_everybody_of_whom_there_are_rows),
		TEST(alive_is_said_while_somebody_is_watched),
		TEST(everybody_is_written_again_in_slices),
		cmocka_unit_test_setup_teardown(
		    who_lost_a_row_gets_one_with_a_gap, setup_without_file, history_teardown),
		TEST(without_a_store_nothing_is_kept_and_nothing_breaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
