/* test_aggregator_source.c: loss, hold, reconnection, resynchronisation, and raw states as they arrive.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/world.h"

#include <errno.h>

/* Line busy, rich available, everything fresh; nothing is asked for while these tests look (verification is
 * far). */
static struct world *world_on_the_phone(void)
{
	struct world *w = world_with_alice();

	w->settings.verify_requesting = w->settings.verify_busy = w->settings.verify_any = 100 * HOUR;
	w->settings.verify_ringing = 100 * HOUR;
	aggregator_configure(w->a, &w->settings, w->now);
	say_line(w, &w->sw, "101", LINE_BUSY);
	say_rich(w, &w->cups, "sip:alice@x", AVAILABILITY_AVAILABLE);
	run(w);
	assert_shows(w, "alice", "busy | ok available | ok busy busy");
	return w;
}

#define FRESH "busy | ok available | ok busy busy"
#define STALE "busy | ok available | stale busy busy"
#define GONE  "available | ok available | error - -"

/* --- loss and hold ------------------------------------------------------------------------------- */

static void before_the_first_word_of_a_source_everything_is_requesting(void **state)
{
	struct world *w = world_new();

	(void)state;
	add_source(w, &w->sw, 0);
	add_user(w, "alice", "", "101");
	want(w, "alice");
	advance(w, HOUR);
	assert_shows(w, "alice", "unknown | server_not_configured - | requesting - -");
	set_status(w, &w->sw, SOURCE_STATUS_CONNECTING, NULL);
	advance(w, 15 * SECOND - 1);
	assert_shows(w, "alice", "unknown | server_not_configured - | requesting - -");
	advance(w, 1);
	assert_shows(w, "alice", "unknown | server_not_configured - | error - -");
	come_up(w, &w->sw);
	run(w);
	assert_shows(w, "alice", "unknown | server_not_configured - | requesting - -");
	world_free(w);
}

static void loss_makes_all_states_stale_at_once_and_still_shown(void **state)
{
	struct world *w = world_new();
	char id[16];

	(void)state;
	add_source(w, &w->sw, 0);
	come_up(w, &w->sw);
	w->everybody_wanted = true;
	for (int i = 0; i < 50; i++) {
		snprintf(id, sizeof id, "u%02d", i);
		add_user(w, id, "", id);
	}
	run(w);
	for (int i = 0; i < 50; i++) {
		snprintf(id, sizeof id, "u%02d", i);
		say_line(w, &w->sw, id, LINE_BUSY);
	}
	run(w);
	lose(w, &w->sw);
	assert_int_equal(aggregator_source_stale(w->sw.agg), 50); /* in one step, whenever they are composed */
	run_in_turns(w, 3);					  /* and in slices everybody is told */
	for (int i = 0; i < 50; i++) {
		snprintf(id, sizeof id, "u%02d", i);
		assert_shows(w, id, "busy | server_not_configured - | stale busy busy");
	}
	world_free(w);
}

static void stale_state_is_an_error_after_hold(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	lose(w, &w->sw);
	advance(w, 15 * SECOND - 1);
	assert_shows(w, "alice", STALE);
	assert_string_equal(explain_row(w, "alice", &w->sw, DOMAIN_TELEPHONY).why, "connection refused");
	advance(w, 1);
	assert_shows(w, "alice", GONE);
	assert_string_equal(explain_row(w, "alice", &w->sw, DOMAIN_TELEPHONY).why, "connection refused");
	advance(w, 24 * HOUR);
	assert_shows(w, "alice", GONE);
	world_free(w);
}

static void one_domain_may_be_lost_alone(void **state)
{
	struct world *w = world_new();

	(void)state;
	add_source(w, &w->cups, 0);
	add_user(w, "alice", "", "101");
	want(w, "alice");
	come_up(w, &w->cups);
	run(w);
	say_rich(w, &w->cups, "sip:alice@x", AVAILABILITY_AVAILABLE);
	say_line(w, &w->cups, "101", LINE_BUSY);
	run(w);
	aggregator_source_status(w->a, w->cups.agg, TELEPHONY, SOURCE_STATUS_CONNECTION_ERROR, "gone", w->now);
	run(w);
	assert_shows(w, "alice", STALE);
	assert_int_equal(stats_of(w, &w->cups).status[DOMAIN_RICH], SOURCE_STATUS_UP);
	assert_int_equal(stats_of(w, &w->cups).status[DOMAIN_TELEPHONY], SOURCE_STATUS_CONNECTION_ERROR);
	world_free(w);
}

static void up_without_known_credentials_is_up(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	set_status(w, &w->sw, SOURCE_STATUS_UP_CREDENTIALS_NOT_FOUND, "our identity is not known there");
	advance(w, MINUTE);
	assert_shows(w, "alice", FRESH);
	world_free(w);
}

static void another_reason_for_the_loss_does_not_prolong_hold(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	lose(w, &w->sw);
	advance(w, 10 * SECOND);
	set_status(w, &w->sw, SOURCE_STATUS_CONNECTING, NULL);
	advance(w, 4 * SECOND);
	set_status(w, &w->sw, SOURCE_STATUS_FORBIDDEN, "401");
	assert_shows(w, "alice", STALE);
	advance(w, SECOND);
	assert_shows(w, "alice", GONE);
	world_free(w);
}

static void status_says_since_when(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	advance(w, SECOND);
	lose(w, &w->sw);
	advance(w, SECOND);
	lose(w, &w->sw); /* the same again */
	assert_int_equal(stats_of(w, &w->sw).since[DOMAIN_TELEPHONY], NOON + SECOND);
	assert_string_equal(stats_of(w, &w->sw).why[DOMAIN_TELEPHONY], "connection refused");
	come_up(w, &w->sw);
	assert_int_equal(stats_of(w, &w->sw).since[DOMAIN_TELEPHONY], NOON + 2 * SECOND);
	assert_null(stats_of(w, &w->sw).why[DOMAIN_TELEPHONY]);
	world_free(w);
}

/* --- coming back --------------------------------------------------------------------------------- */

static void resumed_makes_stale_states_good_again(void **state)
{
	struct world *w = world_on_the_phone();
	int64_t since;

	(void)state;
	lose(w, &w->sw);
	advance(w, 10 * SECOND);
	set_status(w, &w->sw, SOURCE_STATUS_UP, NULL);
	run(w);
	assert_shows(w, "alice", STALE); /* up, but whether something was missed is not known yet */
	aggregator_source_resumed(w->a, w->sw.agg, TELEPHONY, w->now);
	run(w);
	assert_shows(w, "alice", FRESH);
	since = aggregator_published(user_of(w, "alice")).presence->telephony.since;
	assert_int_equal(since, NOON); /* it was so all the time */
	advance(w, HOUR);
	assert_shows(w, "alice", FRESH);
	world_free(w);
}

/* DESIGN section 6: hold is "counted only while disconnected" */
static void hold_adds_up_over_losses_until_everything_is_good_again(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	lose(w, &w->sw);
	advance(w, 10 * SECOND);
	set_status(w, &w->sw, SOURCE_STATUS_UP, NULL);
	aggregator_resync_begin(w->a, w->sw.agg, TELEPHONY, w->now);
	advance(w, 100 * SECOND); /* connected: does not count */
	assert_shows(w, "alice", STALE);
	lose(w, &w->sw);
	advance(w, 5 * SECOND - 1);
	assert_shows(w, "alice", STALE);
	advance(w, 1);
	assert_shows(w, "alice", GONE);
	set_status(w, &w->sw, SOURCE_STATUS_UP, NULL);
	aggregator_resync_begin(w->a, w->sw.agg, TELEPHONY, w->now);
	say_line(w, &w->sw, "101", LINE_BUSY);
	aggregator_resync_end(w->a, w->sw.agg, TELEPHONY, w->now);
	run(w);
	assert_shows(w, "alice", FRESH);
	lose(w, &w->sw);
	advance(w, 15 * SECOND - 1);
	assert_shows(w, "alice", STALE); /* counted anew */
	advance(w, 1);
	assert_shows(w, "alice", GONE);
	world_free(w);
}

/*   switch            aggregator
 *     |---- lost ------->|  hold passes: error
 *     |---- up, resync ->|
 *     |---- 101 busy --->|  ok
 *     |---- lost ------->|  stale, for hold: it was said a moment ago
 */
static void state_said_in_an_interrupted_resync_is_held_for_all_of_hold(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	lose(w, &w->sw);
	advance(w, MINUTE);
	assert_shows(w, "alice", GONE);
	set_status(w, &w->sw, SOURCE_STATUS_UP, NULL);
	aggregator_resync_begin(w->a, w->sw.agg, TELEPHONY, w->now);
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	assert_shows(w, "alice", FRESH);
	lose(w, &w->sw);
	run(w);
	assert_shows(w, "alice", STALE);
	advance(w, 15 * SECOND - 1);
	assert_shows(w, "alice", STALE);
	advance(w, 1);
	assert_shows(w, "alice", GONE);
	world_free(w);
}

static void what_is_said_in_a_resync_is_good_and_what_is_not_becomes_an_error(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	add_user(w, "bob", "", "102");
	want(w, "bob");
	run(w);
	say_line(w, &w->sw, "102", LINE_RINGING);
	lose(w, &w->sw);
	advance(w, 5 * SECOND);
	set_status(w, &w->sw, SOURCE_STATUS_UP, NULL);
	aggregator_resync_begin(w->a, w->sw.agg, TELEPHONY, w->now);
	advance(w, MINUTE); /* stale, and usable, as long as the resync lasts */
	assert_shows(w, "alice", STALE);
	assert_shows(w, "bob", "busy | requesting - | stale busy ringing");
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	assert_shows(w, "alice", FRESH);
	assert_shows(w, "bob", "busy | requesting - | stale busy ringing");
	aggregator_resync_end(w->a, w->sw.agg, TELEPHONY, w->now);
	run(w);
	assert_shows(w, "alice", FRESH);
	assert_shows(w, "bob", "unknown | requesting - | error - -");
	assert_string_equal(explain_row(w, "bob", &w->sw, DOMAIN_TELEPHONY).why, "not reported after the reconnection");
	say_line(w, &w->sw, "102", LINE_IDLE); /* late, but said */
	run(w);
	assert_shows(w, "bob", "available | requesting - | ok available idle");
	world_free(w);
}

static void word_before_the_resync_begins_counts_when_it_came_over_the_new_connection(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	lose(w, &w->sw);
	advance(w, SECOND);
	set_status(w, &w->sw, SOURCE_STATUS_UP, NULL);
	say_line(w, &w->sw, "101", LINE_IDLE);
	run(w);
	assert_shows(w, "alice", "available | ok available | ok available idle");
	aggregator_resync_begin(w->a, w->sw.agg, TELEPHONY, w->now);
	aggregator_resync_end(w->a, w->sw.agg, TELEPHONY, w->now);
	run(w);
	assert_shows(w, "alice", "available | ok available | ok available idle");
	world_free(w);
}

static void resync_that_does_not_end_is_over_at_its_limit(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	lose(w, &w->sw);
	advance(w, SECOND);
	set_status(w, &w->sw, SOURCE_STATUS_UP, NULL);
	aggregator_resync_begin(w->a, w->sw.agg, TELEPHONY, w->now);
	advance(w, 5 * MINUTE - 1);
	assert_shows(w, "alice", STALE);
	advance(w, 1);
	assert_shows(w, "alice", GONE);
	world_free(w);
}

static void source_that_says_neither_resumed_nor_resync_is_not_believed_for_ever(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	lose(w, &w->sw);
	advance(w, SECOND);
	set_status(w, &w->sw, SOURCE_STATUS_UP, NULL);
	advance(w, 5 * MINUTE - 1);
	assert_shows(w, "alice", STALE);
	advance(w, 1);
	assert_shows(w, "alice", GONE);
	world_free(w);
}

static void resync_in_the_middle_of_a_connection_puts_everything_in_doubt(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	aggregator_resync_begin(w->a, w->sw.agg, TELEPHONY, w->now);
	run(w);
	assert_shows(w, "alice", STALE);
	aggregator_resync_end(w->a, w->sw.agg, TELEPHONY, w->now);
	run(w);
	assert_shows(w, "alice", GONE);
	world_free(w);
}

static void resync_end_without_begin_changes_nothing(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	aggregator_resync_end(w->a, w->sw.agg, TELEPHONY, w->now);
	advance(w, MINUTE);
	assert_shows(w, "alice", FRESH);
	lose(w, &w->sw);
	aggregator_resync_begin(w->a, w->sw.agg, TELEPHONY, w->now); /* not up */
	aggregator_resync_end(w->a, w->sw.agg, TELEPHONY, w->now);
	aggregator_source_resumed(w->a, w->sw.agg, TELEPHONY, w->now);
	run(w);
	assert_shows(w, "alice", STALE);
	world_free(w);
}

/*   up, resync begin (bob's state is in doubt), lost, up, resumed: "nothing was missed" since the loss. But
 * bob was not said again before it, and must not stay stale, and shown, for ever. DESIGN section 6: "what was
 * not said by then, or within resync_limit, becomes error". */
static void resync_that_was_cut_and_resumed_still_ends(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	aggregator_resync_begin(w->a, w->sw.agg, TELEPHONY, w->now);
	run(w);
	lose(w, &w->sw);
	advance(w, SECOND);
	come_up(w, &w->sw);
	advance(w, 10 * MINUTE);
	assert_shows(w, "alice", GONE);
	world_free(w);
}

static void end_of_a_resync_that_was_cut_and_resumed_is_honoured(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	aggregator_resync_begin(w->a, w->sw.agg, TELEPHONY, w->now);
	run(w);
	lose(w, &w->sw);
	advance(w, SECOND);
	come_up(w, &w->sw);
	advance(w, SECOND);
	assert_shows(w, "alice", STALE);
	aggregator_resync_end(w->a, w->sw.agg, TELEPHONY, w->now);
	run(w);
	assert_shows(w, "alice", GONE);
	world_free(w);
}

/* Without a loss there is nothing to resume: what was in doubt stays so, and the limit still ends it. */
static void resumed_in_the_middle_of_a_resync_does_not_stop_it(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	aggregator_resync_begin(w->a, w->sw.agg, TELEPHONY, w->now);
	advance(w, 4 * MINUTE);
	aggregator_source_resumed(w->a, w->sw.agg, TELEPHONY, w->now);
	run(w);
	assert_shows(w, "alice", STALE);
	advance(w, MINUTE - SECOND);
	assert_shows(w, "alice", STALE);
	advance(w, 2 * SECOND); /* five minutes after the begin: nobody has bought time */
	assert_shows(w, "alice", GONE);
	world_free(w);
}

static void state_in_error_after_hold_stays_so_while_the_resync_runs(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	lose(w, &w->sw);
	advance(w, MINUTE);
	set_status(w, &w->sw, SOURCE_STATUS_UP, NULL);
	run(w);
	assert_shows(w, "alice", GONE);
	aggregator_resync_begin(w->a, w->sw.agg, TELEPHONY, w->now);
	run(w);
	assert_shows(w, "alice", GONE);
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	assert_shows(w, "alice", FRESH);
	world_free(w);
}

static void user_watched_while_the_source_is_away_is_requesting_then_error(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	lose(w, &w->sw);
	advance(w, SECOND);
	add_user(w, "bob", "", "102");
	want(w, "bob");
	run(w);
	assert_shows(w, "bob", "unknown | requesting - | requesting - -");
	advance(w, 14 * SECOND);
	assert_shows(w, "bob", "unknown | requesting - | error - -");
	come_up(w, &w->sw);
	run(w);
	assert_shows(w, "bob", "unknown | requesting - | requesting - -");
	world_free(w);
}

static void user_watched_in_the_middle_of_a_resync_is_requesting(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	lose(w, &w->sw);
	advance(w, SECOND);
	set_status(w, &w->sw, SOURCE_STATUS_UP, NULL);
	aggregator_resync_begin(w->a, w->sw.agg, TELEPHONY, w->now);
	add_user(w, "bob", "", "102");
	want(w, "bob");
	run(w);
	aggregator_resync_end(w->a, w->sw.agg, TELEPHONY, w->now);
	run(w);
	assert_shows(w, "bob", "unknown | requesting - | requesting - -");
	say_line(w, &w->sw, "102", LINE_IDLE);
	run(w);
	assert_shows(w, "bob", "available | requesting - | ok available idle");
	world_free(w);
}

/* --- raw states ---------------------------------------------------------------------------------- */

static void facts_that_fail_the_check_are_refused(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	assert_int_equal(say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_AVAILABILITY), -EINVAL);
	assert_int_equal(say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_LINE, .line = 77), -EINVAL);
	assert_int_equal(say_status(w, &w->sw, "101", DOMAIN_TELEPHONY, STATE_STATUS_NOT_REQUESTED), -EINVAL);
	assert_int_equal(say_status(w, &w->sw, "101", DOMAIN_TELEPHONY, STATE_STATUS_SERVER_NOT_CONFIGURED), -EINVAL);
	run(w);
	assert_shows(w, "alice", FRESH);
	world_free(w);
}

static void state_of_an_address_that_nobody_watches_is_counted_and_dropped(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	assert_int_equal(say_facts(w, &w->sw, "999", DOMAIN_TELEPHONY, .known = RAW_LINE), -ENOENT);
	assert_int_equal(say_facts(w, &w->sw, "sip:alice@x", DOMAIN_RICH, .known = RAW_AVAILABILITY), -ENOENT);
	assert_int_equal(stats_of(w, &w->sw).unwatched, 2);
	assert_string_equal(buf_text(&w->arrivals) + strlen(buf_text(&w->arrivals)) - 1, "\n");
	assert_null(strstr(buf_text(&w->arrivals), "999"));
	world_free(w);
}

static void lower_epoch_or_rev_never_replaces_a_higher_one(void **state)
{
	static const struct {
		uint32_t epoch, rev;
		int result;
	} said[] = {
		{ 2, 5, 0 },
		{ 2, 4, -ESTALE },
		{ 1, 9, -ESTALE },
		{ 2, 5, 0 },
		{ 2, 6, 0 },
		{ 3, 1, 0 },
		{ 2, 7, -ESTALE },
		{ 3, 2, 0 },
	};
	struct world *w = world_on_the_phone();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(said); i++)
		assert_int_equal(say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_LINE,
				     .line = said[i].result == 0 ? LINE_HELD : LINE_IDLE, .epoch = said[i].epoch,
				     .rev = said[i].rev),
		    said[i].result);
	run(w);
	assert_shows(w, "alice", "busy | ok available | ok busy held");
	assert_int_equal(stats_of(w, &w->sw).outdated, 3);
	world_free(w);
}

static void statuses_without_facts_replace_the_state(void **state)
{
	static const enum state_status statuses[] = { STATE_STATUS_ACCESS_DENIED, STATE_STATUS_NOT_FOUND,
		STATE_STATUS_ERROR, STATE_STATUS_REQUESTING };
	struct world *w = world_on_the_phone();
	char expected[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(statuses); i++) {
		say_line(w, &w->sw, "101", LINE_BUSY);
		run(w);
		assert_shows(w, "alice", FRESH);
		assert_int_equal(say_status(w, &w->sw, "101", DOMAIN_TELEPHONY, statuses[i]), 0);
		run(w);
		snprintf(expected, sizeof expected, "available | ok available | %s - -",
		    vocab_name(&vocab_state_status, (int)statuses[i]));
		assert_shows(w, "alice", expected);
	}
	world_free(w);
}

static void stale_from_the_connector_keeps_the_facts_for_hold(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	assert_int_equal(say_status(w, &w->sw, "101", DOMAIN_TELEPHONY, STATE_STATUS_STALE), 0);
	run(w);
	assert_shows(w, "alice", STALE);
	advance(w, 15 * SECOND - 1);
	assert_shows(w, "alice", STALE);
	advance(w, 1);
	assert_shows(w, "alice", GONE);
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	assert_shows(w, "alice", FRESH);
	world_free(w);
}

/* A source that says it again and again has said nothing new: hold is not bought anew. */
static void stale_again_does_not_light_the_lamp_again(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(say_status(w, &w->sw, "101", DOMAIN_TELEPHONY, STATE_STATUS_STALE), 0);
		run(w);
		assert_shows(w, "alice", STALE);
		advance(w, 5 * SECOND);
	}
	for (int i = 0; i < 3; i++) {
		assert_shows(w, "alice", GONE);
		assert_int_equal(say_status(w, &w->sw, "101", DOMAIN_TELEPHONY, STATE_STATUS_STALE), 0);
		run(w);
		advance(w, MINUTE);
	}
	say_line(w, &w->sw, "101", LINE_BUSY);
	run(w);
	assert_shows(w, "alice", FRESH);
	world_free(w);
}

static void stale_after_the_source_was_away_for_too_long_does_not_light_the_lamp_again(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	lose(w, &w->sw);
	advance(w, MINUTE);
	set_status(w, &w->sw, SOURCE_STATUS_UP, NULL);
	aggregator_resync_begin(w->a, w->sw.agg, TELEPHONY, w->now);
	run(w);
	assert_shows(w, "alice", GONE);
	assert_int_equal(say_status(w, &w->sw, "101", DOMAIN_TELEPHONY, STATE_STATUS_STALE), 0);
	run(w);
	assert_shows(w, "alice", GONE);
	world_free(w);
}

static void state_that_has_ended_and_is_said_again_does_not_light_the_lamp_again(void **state)
{
	struct world *w = world_on_the_phone();
	int64_t end = w->now.wall + SECOND;

	(void)state;
	for (int i = 0; i < 4; i++) {
		say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_LINE, .line = LINE_BUSY, .valid_until = end);
		run(w);
		assert_shows(w, "alice", i == 0 ? FRESH : i < 3 ? STALE : GONE);
		advance(w, 6 * SECOND);
	}
	world_free(w);
}

static void why_it_is_stale_is_what_the_source_said(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .status = STATE_STATUS_STALE, .why = "it was ended");
	assert_string_equal(explain_row(w, "alice", &w->sw, DOMAIN_TELEPHONY).why, "it was ended");
	advance(w, MINUTE);
	assert_shows(w, "alice", GONE);
	assert_string_equal(explain_row(w, "alice", &w->sw, DOMAIN_TELEPHONY).why, "it was ended");
	say_line(w, &w->sw, "101", LINE_BUSY);
	assert_null(explain_row(w, "alice", &w->sw, DOMAIN_TELEPHONY).why);
	assert_int_equal(say_status(w, &w->sw, "101", DOMAIN_TELEPHONY, STATE_STATUS_STALE), 0);
	assert_non_null(strstr(explain_row(w, "alice", &w->sw, DOMAIN_TELEPHONY).why, "asked to prove it"));
	world_free(w);
}

/* Nothing was said yet, and nothing can be: why is the reason of the source. */
static void why_nothing_was_said_is_that_the_source_is_away(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	assert_string_equal(explain_row(w, "alice", &w->sw, DOMAIN_TELEPHONY).why, "nothing said yet");
	set_status(w, &w->sw, SOURCE_STATUS_FORBIDDEN, "wrong password");
	assert_string_equal(explain_row(w, "alice", &w->sw, DOMAIN_TELEPHONY).why, "wrong password");
	assert_int_equal(explain_row(w, "alice", &w->sw, DOMAIN_TELEPHONY).status, STATE_STATUS_REQUESTING);
	world_free(w);
}

static void validity_that_ends_makes_it_stale_then_error(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_LINE, .line = LINE_BUSY,
	    .valid_until = w->now.wall + MINUTE);
	advance(w, MINUTE - 1);
	assert_shows(w, "alice", FRESH);
	advance(w, 1);
	assert_shows(w, "alice", STALE);
	advance(w, 15 * SECOND - 1);
	assert_shows(w, "alice", STALE);
	advance(w, 1);
	assert_shows(w, "alice", GONE);
	world_free(w);
}

static void repetition_prolongs_validity(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	for (int i = 0; i < 10; i++) {
		say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_LINE, .line = LINE_BUSY,
		    .valid_until = w->now.wall + MINUTE);
		advance(w, MINUTE - 1);
		assert_shows(w, "alice", FRESH);
	}
	world_free(w);
}

static void state_that_was_never_valid_is_stale_at_once(void **state)
{
	struct world *w = world_on_the_phone();

	(void)state;
	say_facts(w, &w->sw, "101", DOMAIN_TELEPHONY, .known = RAW_LINE, .line = LINE_RINGING,
	    .valid_until = w->now.wall - MINUTE);
	run(w);
	assert_shows(w, "alice", "busy | ok available | stale busy ringing");
	advance(w, 15 * SECOND);
	assert_shows(w, "alice", GONE);
	world_free(w);
}

static void recorder_gets_each_state_as_it_arrived(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	advance(w, SECOND);
	assert_int_equal(say_status(w, &w->sw, "101", DOMAIN_TELEPHONY, STATE_STATUS_NOT_FOUND), 0);
	assert_string_equal(buf_text(&w->arrivals),
	    "switch 101 ok 2026-11-20T12:00:00.000Z\n"
	    "switch 101 not_found 2026-11-20T12:00:01.000Z\n");
	world_free(w);
}

/* DESIGN section 10: `at` is "when it arrived; `record` always writes it"; replay takes it as the time. */
static void recorder_gets_a_repetition_with_the_time_of_its_arrival(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	advance(w, SECOND);
	buf_clear(&w->arrivals);
	say_line(w, &w->sw, "101", LINE_BUSY);
	assert_string_equal(buf_text(&w->arrivals), "switch 101 ok 2026-11-20T12:00:01.000Z\n");
	world_free(w);
}

static void recorder_gets_a_stale_word_as_stale(void **state)
{
	struct world *w = world_with_alice();

	(void)state;
	say_line(w, &w->sw, "101", LINE_BUSY);
	buf_clear(&w->arrivals);
	assert_int_equal(say_status(w, &w->sw, "101", DOMAIN_TELEPHONY, STATE_STATUS_STALE), 0);
	assert_string_equal(buf_text(&w->arrivals), "switch 101 stale 2026-11-20T12:00:00.000Z\n");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_the_first_word_of_a_source_everything_is_requesting),
		cmocka_unit_test(loss_makes_all_states_stale_at_once_and_still_shown),
		cmocka_unit_test(stale_state_is_an_error_after_hold),
		cmocka_unit_test(one_domain_may_be_lost_alone),
		cmocka_unit_test(up_without_known_credentials_is_up),
		cmocka_unit_test(another_reason_for_the_loss_does_not_prolong_hold),
		cmocka_unit_test(status_says_since_when),
		cmocka_unit_test(resumed_makes_stale_states_good_again),
		cmocka_unit_test(hold_adds_up_over_losses_until_everything_is_good_again),
		cmocka_unit_test(state_said_in_an_interrupted_resync_is_held_for_all_of_hold),
		cmocka_unit_test(what_is_said_in_a_resync_is_good_and_what_is_not_becomes_an_error),
		cmocka_unit_test(word_before_the_resync_begins_counts_when_it_came_over_the_new_connection),
		cmocka_unit_test(resync_that_does_not_end_is_over_at_its_limit),
		cmocka_unit_test(source_that_says_neither_resumed_nor_resync_is_not_believed_for_ever),
		cmocka_unit_test(resync_in_the_middle_of_a_connection_puts_everything_in_doubt),
		cmocka_unit_test(resync_end_without_begin_changes_nothing),
		cmocka_unit_test(resync_that_was_cut_and_resumed_still_ends),
		cmocka_unit_test(end_of_a_resync_that_was_cut_and_resumed_is_honoured),
		cmocka_unit_test(resumed_in_the_middle_of_a_resync_does_not_stop_it),
		cmocka_unit_test(state_in_error_after_hold_stays_so_while_the_resync_runs),
		cmocka_unit_test(user_watched_while_the_source_is_away_is_requesting_then_error),
		cmocka_unit_test(user_watched_in_the_middle_of_a_resync_is_requesting),
		cmocka_unit_test(facts_that_fail_the_check_are_refused),
		cmocka_unit_test(state_of_an_address_that_nobody_watches_is_counted_and_dropped),
		cmocka_unit_test(lower_epoch_or_rev_never_replaces_a_higher_one),
		cmocka_unit_test(statuses_without_facts_replace_the_state),
		cmocka_unit_test(stale_from_the_connector_keeps_the_facts_for_hold),
		cmocka_unit_test(stale_again_does_not_light_the_lamp_again),
		cmocka_unit_test(stale_after_the_source_was_away_for_too_long_does_not_light_the_lamp_again),
		cmocka_unit_test(state_that_has_ended_and_is_said_again_does_not_light_the_lamp_again),
		cmocka_unit_test(why_it_is_stale_is_what_the_source_said),
		cmocka_unit_test(why_nothing_was_said_is_that_the_source_is_away),
		cmocka_unit_test(validity_that_ends_makes_it_stale_then_error),
		cmocka_unit_test(repetition_prolongs_validity),
		cmocka_unit_test(state_that_was_never_valid_is_stale_at_once),
		cmocka_unit_test(recorder_gets_each_state_as_it_arrived),
		cmocka_unit_test(recorder_gets_a_repetition_with_the_time_of_its_arrival),
		cmocka_unit_test(recorder_gets_a_stale_word_as_stale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
