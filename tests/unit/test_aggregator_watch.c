/* test_aggregator_watch.c: every state is proved again: when, how fast, and what becomes of the unanswered.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/world.h"

/* alice alone at the switch; no rich half, so that only its line is verified. */
static struct world *world_with_a_line(void)
{
	struct world *w = world_new();

	add_source(w, &w->sw, 0);
	add_user(w, "alice", "", "101");
	want(w, "alice");
	come_up(w, &w->sw);
	run(w);
	forget_calls(w);
	return w;
}

/* --- when ---------------------------------------------------------------------------------------- */

static void state_is_proved_again_by_what_it_says(void **state)
{
	static const struct {
		struct raw_facts facts;
		int64_t after;
	} classes[] = {
		{ { .domain = DOMAIN_TELEPHONY, .known = RAW_LINE, .line = LINE_RINGING }, MINUTE },
		{ { .domain = DOMAIN_TELEPHONY, .known = RAW_LINE, .line = LINE_BUSY }, 5 * MINUTE },
		{ { .domain = DOMAIN_TELEPHONY, .known = RAW_LINE, .line = LINE_HELD }, 5 * MINUTE },
		{ { .domain = DOMAIN_TELEPHONY, .known = RAW_LINE, .line = LINE_IDLE }, 30 * MINUTE },
		{ { .domain = DOMAIN_TELEPHONY, .known = RAW_LINE, .line = LINE_OFFLINE }, 30 * MINUTE },
		{ { .domain = DOMAIN_TELEPHONY, .known = RAW_DND, .dnd = true }, 30 * MINUTE },
		{ { .domain = DOMAIN_TELEPHONY, .status = STATE_STATUS_REQUESTING }, 35 * SECOND },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(classes); i++) {
		struct world *w = world_with_a_line();

		assert_int_equal(say(w, &w->sw, "101", &classes[i].facts), 0);
		advance(w, classes[i].after - 1);
		assert_calls(w, "");
		advance(w, 1);
		assert_calls(w, "verify switch telephony 101\n");
		assert_int_equal(stats_of(w, &w->sw).verifications, 1);
		world_free(w);
	}
}

static void address_of_which_nothing_was_said_is_asked_for(void **state)
{
	struct world *w = world_with_a_line();

	(void)state;
	advance(w, 35 * SECOND - 1);
	assert_calls(w, "");
	advance(w, 1);
	assert_calls(w, "verify switch telephony 101\n");
	assert_shows(w, "alice", "unknown | server_not_configured - | requesting - -");
	advance(w, 25 * SECOND + 15 * SECOND);
	assert_shows(w, "alice", "unknown | server_not_configured - | error - -");
	say_line(w, &w->sw, "101", LINE_IDLE);
	run(w);
	assert_shows(w, "alice", "available | server_not_configured - | ok available idle");
	world_free(w);
}

static void each_word_of_the_source_postpones_the_proof(void **state)
{
	struct world *w = world_with_a_line();

	(void)state;
	for (int i = 0; i < 20; i++) {
		say_line(w, &w->sw, "101", i % 2 == 0 ? LINE_BUSY : LINE_HELD);
		advance(w, 4 * MINUTE);
	}
	assert_calls(w, "");
	advance(w, MINUTE);
	assert_calls(w, "verify switch telephony 101\n");
	world_free(w);
}

static void change_to_a_shorter_class_is_proved_sooner(void **state)
{
	struct world *w = world_with_a_line();

	(void)state;
	say_line(w, &w->sw, "101", LINE_IDLE);
	advance(w, 10 * MINUTE);
	say_line(w, &w->sw, "101", LINE_RINGING);
	advance(w, MINUTE - 1);
	assert_calls(w, "");
	advance(w, 1);
	assert_calls(w, "verify switch telephony 101\n");
	world_free(w);
}

static void shorter_interval_in_a_new_configuration_counts_at_once(void **state)
{
	struct world *w = world_with_a_line();

	(void)state;
	say_line(w, &w->sw, "101", LINE_IDLE);
	advance(w, 10 * MINUTE);
	w->settings.verify_any = 2 * MINUTE;
	aggregator_configure(w->a, &w->settings, w->now);
	run(w);
	assert_calls(w, "verify switch telephony 101\n");
	world_free(w);
}

static void nothing_is_asked_of_a_source_that_is_away(void **state)
{
	struct world *w = world_with_a_line();

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	lose(w, &w->sw);
	advance(w, HOUR);
	assert_calls(w, "");
	world_free(w);
}

/* --- the answer ---------------------------------------------------------------------------------- */

static void answer_is_believed_and_only_a_change_is_a_correction(void **state)
{
	struct world *w = world_with_a_line();

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	advance(w, 5 * MINUTE);
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	assert_int_equal(stats_of(w, &w->sw).corrections, 0);
	assert_shows(w, "alice", "busy | server_not_configured - | ok busy busy");
	advance(w, 5 * MINUTE);
	say_line(w, &w->sw, "101", LINE_IDLE); /* a NOTIFY was lost */
	run(w);
	assert_int_equal(stats_of(w, &w->sw).corrections, 1);
	assert_shows(w, "alice", "available | server_not_configured - | ok available idle");
	say_line(w, &w->sw, "101", LINE_BUSY); /* not asked for: news */
	assert_int_equal(stats_of(w, &w->sw).corrections, 1);
	assert_int_equal(stats_of(w, &w->sw).verifications, 2);
	assert_int_equal(stats_of(w, &w->sw).unanswered, 0);
	world_free(w);
}

static void first_word_of_an_address_is_no_correction(void **state)
{
	struct world *w = world_with_a_line();

	(void)state;
	advance(w, 35 * SECOND);
	say_line(w, &w->sw, "101", LINE_BUSY);
	assert_int_equal(stats_of(w, &w->sw).corrections, 0);
	world_free(w);
}

static void unanswered_proof_is_stale_after_25_seconds_and_error_after_hold(void **state)
{
	struct world *w = world_with_a_line();

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	advance(w, 5 * MINUTE);
	advance(w, AGGREGATOR_VERIFY_ANSWER_MS - 1);
	assert_shows(w, "alice", "busy | server_not_configured - | ok busy busy");
	advance(w, 1);
	assert_shows(w, "alice", "busy | server_not_configured - | stale busy busy");
	assert_int_equal(stats_of(w, &w->sw).unanswered, 1);
	assert_int_equal(aggregator_source_stale(w->sw.agg), 1);
	advance(w, 15 * SECOND - 1);
	assert_shows(w, "alice", "busy | server_not_configured - | stale busy busy");
	advance(w, 1);
	assert_shows(w, "alice", "unknown | server_not_configured - | error - -");
	assert_string_equal(
	    explain_row(w, "alice", &w->sw, DOMAIN_TELEPHONY).why, "the source did not answer when asked to prove it");
	world_free(w);
}

static void unanswered_address_is_asked_again_and_recovers(void **state)
{
	struct world *w = world_with_a_line();

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	advance(w, 10 * MINUTE);
	assert_shows(w, "alice", "unknown | server_not_configured - | error - -");
	assert_true(w->verified >= 3);
	assert_true(w->verified <= 10);
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	assert_shows(w, "alice", "busy | server_not_configured - | ok busy busy");
	world_free(w);
}

static void answer_within_hold_makes_it_good_again(void **state)
{
	struct world *w = world_with_a_line();

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	advance(w, 5 * MINUTE + 30 * SECOND);
	assert_shows(w, "alice", "busy | server_not_configured - | stale busy busy");
	say_line(w, &w->sw, "101", LINE_BUSY);
	advance(w, MINUTE);
	assert_shows(w, "alice", "busy | server_not_configured - | ok busy busy");
	world_free(w);
}

/* A refusal lights no lamp, and its reason is what people need. */
static void refusal_keeps_its_reason_when_nobody_proves_it(void **state)
{
	static const struct {
		enum state_status status;
		int64_t asked_after;
		const char *shown;
	} refusals[] = {
		{ STATE_STATUS_ERROR, 35 * SECOND, "unknown | server_not_configured - | error - -" },
		{ STATE_STATUS_ACCESS_DENIED, 30 * MINUTE, "unknown | server_not_configured - | access_denied - -" },
		{ STATE_STATUS_NOT_FOUND, 30 * MINUTE, "unknown | server_not_configured - | not_found - -" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		struct world *w = world_with_a_line();

		assert_int_equal(say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .status = (int8_t)refusals[i].status,
				     .activity = -1, .forward_kind = -1, .why = "that is why"),
		    0);
		advance(w, refusals[i].asked_after);
		assert_calls(w, "verify switch telephony 101\n");
		for (int64_t waited = 0; waited < 3 * MINUTE; waited += 5 * SECOND) {
			assert_shows(w, "alice", refusals[i].shown);
			assert_string_equal(explain_row(w, "alice", &w->sw, DOMAIN_TELEPHONY).why, "that is why");
			advance(w, 5 * SECOND);
		}
		assert_true(stats_of(w, &w->sw).unanswered >= 1);
		say_line(w, &w->sw, "101", LINE_BUSY);
		advance(w, 5 * MINUTE + AGGREGATOR_VERIFY_ANSWER_MS);
		assert_shows(w, "alice", "busy | server_not_configured - | stale busy busy");
		advance(w, 15 * SECOND);
		assert_shows(w, "alice", "unknown | server_not_configured - | error - -");
		assert_string_equal(explain_row(w, "alice", &w->sw, DOMAIN_TELEPHONY).why,
		    "the source did not answer when asked to prove it");
		world_free(w);
	}
}

static void loss_while_an_answer_is_awaited_is_not_an_unanswered_proof(void **state)
{
	struct world *w = world_with_a_line();

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	advance(w, 5 * MINUTE + SECOND);
	lose(w, &w->sw);
	advance(w, 10 * SECOND);
	come_up(w, &w->sw);
	advance(w, 20 * SECOND);
	assert_int_equal(stats_of(w, &w->sw).unanswered, 0);
	assert_shows(w, "alice", "busy | server_not_configured - | ok busy busy");
	world_free(w);
}

/* DESIGN section 6: "a wrong lamp lasts at most 5m40s at source switch" */
static void bound_of_a_wrong_lamp_follows_from_the_settings(void **state)
{
	struct world *w = world_with_a_line();

	(void)state;
	assert_int_equal(stats_of(w, &w->sw).wrong_lamp_busy, 5 * MINUTE + 40 * SECOND);
	assert_int_equal(stats_of(w, &w->sw).wrong_lamp_any, 30 * MINUTE + 40 * SECOND);
	say_line(w, &w->sw, "101", LINE_BUSY);
	advance(w, stats_of(w, &w->sw).wrong_lamp_busy - 1);
	assert_shows(w, "alice", "busy | server_not_configured - | stale busy busy");
	advance(w, 1);
	assert_shows(w, "alice", "unknown | server_not_configured - | error - -");
	world_free(w);
}

/* --- the rate ------------------------------------------------------------------------------------ */

#define MANY 100

static struct world *world_with_many_busy(void)
{
	struct world *w = world_new();
	char id[16];

	add_source(w, &w->sw, 0);
	come_up(w, &w->sw);
	w->everybody_wanted = true;
	for (int i = 0; i < MANY; i++) {
		snprintf(id, sizeof id, "%d", 100 + i);
		add_user(w, id, "", id);
	}
	run(w);
	for (int i = 0; i < MANY; i++) {
		snprintf(id, sizeof id, "%d", 100 + i);
		say_line(w, &w->sw, id, LINE_BUSY);
		advance(w, 1); /* so that they have an order */
	}
	forget_calls(w);
	return w;
}

static void no_more_than_rate_a_second_and_oldest_first(void **state)
{
	struct world *w = world_with_many_busy();
	const char *line;

	(void)state;
	advance(w, 5 * MINUTE - 200);
	for (int second = 0; second < 8; second++) {
		size_t before = w->verified;

		advance(w, SECOND);
		assert_true(w->verified - before <= 10);
	}
	assert_in_range(w->verified, 75, 81);
	line = buf_text(&w->calls);
	for (int i = 0; i < 75; i++) {
		char expected[64];

		snprintf(expected, sizeof expected, "verify switch telephony %d\n", 100 + i);
		assert_memory_equal(line, expected, strlen(expected));
		line += strlen(expected);
	}
	world_free(w);
}

static void credit_of_a_quiet_hour_is_not_spent_at_once(void **state)
{
	struct world *w = world_with_many_busy();

	(void)state;
	w->now.mono += HOUR;
	w->now.wall += HOUR;
	run(w);
	assert_true(w->verified <= 10);
	world_free(w);
}

static void sources_have_a_rate_each(void **state)
{
	struct world *w = world_with_many_busy();
	struct fake_source second = w->sw;

	(void)state;
	second.name = "second";
	add_source(w, &second, 1);
	come_up(w, &second);
	run(w);
	forget_calls(w);
	advance(w, 40 * SECOND); /* nothing was said at the second one */
	assert_int_equal(stats_of(w, &w->sw).verifications, 0);
	assert_in_range(stats_of(w, &second).verifications, 45, 55);
	world_free(w);
}

/* DESIGN section 6: verify is called when "that long has passed since the source last said anything" of it.
 */
static void word_that_comes_while_waiting_for_its_turn_makes_the_proof_needless(void **state)
{
	struct world *w = world_with_many_busy();

	(void)state;
	w->now.mono += 5 * MINUTE;
	w->now.wall += 5 * MINUTE;
	run(w);
	assert_null(strstr(buf_text(&w->calls), " 199\n"));
	say_line(w, &w->sw, "199", LINE_BUSY);
	advance(w, 20 * SECOND);
	assert_non_null(strstr(buf_text(&w->calls), " 198\n"));
	assert_null(strstr(buf_text(&w->calls), " 199\n"));
	world_free(w);
}

/* Those who wait for their turn when the source is lost must not be asked of it, and are good after
 * "resumed". */
static void loss_while_many_wait_for_their_turn_asks_nobody(void **state)
{
	struct world *w = world_with_many_busy();

	(void)state;
	w->now.mono += 5 * MINUTE;
	w->now.wall += 5 * MINUTE;
	run(w);
	lose(w, &w->sw);
	run(w);
	forget_calls(w);
	advance(w, 10 * SECOND);
	assert_calls(w, "");
	come_up(w, &w->sw);
	run(w);
	assert_shows(w, "199", "busy | server_not_configured - | ok busy busy");
	world_free(w);
}

static void user_who_is_gone_is_not_asked_for(void **state)
{
	struct world *w = world_with_many_busy();

	(void)state;
	w->now.mono += 5 * MINUTE;
	w->now.wall += 5 * MINUTE;
	run(w);
	directory_remove(w->d, "150");
	advance(w, 20 * SECOND); /* the fake host refuses to verify what is not watched */
	assert_non_null(strstr(buf_text(&w->calls), " 151\n"));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_is_proved_again_by_what_it_says),
		cmocka_unit_test(address_of_which_nothing_was_said_is_asked_for),
		cmocka_unit_test(each_word_of_the_source_postpones_the_proof),
		cmocka_unit_test(change_to_a_shorter_class_is_proved_sooner),
		cmocka_unit_test(shorter_interval_in_a_new_configuration_counts_at_once),
		cmocka_unit_test(nothing_is_asked_of_a_source_that_is_away),
		cmocka_unit_test(answer_is_believed_and_only_a_change_is_a_correction),
		cmocka_unit_test(first_word_of_an_address_is_no_correction),
		cmocka_unit_test(unanswered_proof_is_stale_after_25_seconds_and_error_after_hold),
		cmocka_unit_test(unanswered_address_is_asked_again_and_recovers),
		cmocka_unit_test(answer_within_hold_makes_it_good_again),
		cmocka_unit_test(refusal_keeps_its_reason_when_nobody_proves_it),
		cmocka_unit_test(loss_while_an_answer_is_awaited_is_not_an_unanswered_proof),
		cmocka_unit_test(bound_of_a_wrong_lamp_follows_from_the_settings),
		cmocka_unit_test(no_more_than_rate_a_second_and_oldest_first),
		cmocka_unit_test(credit_of_a_quiet_hour_is_not_spent_at_once),
		cmocka_unit_test(sources_have_a_rate_each),
		cmocka_unit_test(word_that_comes_while_waiting_for_its_turn_makes_the_proof_needless),
		cmocka_unit_test(loss_while_many_wait_for_their_turn_asks_nobody),
		cmocka_unit_test(user_who_is_gone_is_not_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
