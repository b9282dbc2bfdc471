/* test_csta_stubborn.c: switches that let a line be monitored, and then refuse, announce in vain, or take it back.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/csta_world.h"

/* --- SnapshotDevice is refused ----------------------------------------------------------------------------------------- */

/* Every row of errors: whoever watches the line is told something, and all is settled. */
static void a_line_whose_snapshot_is_refused_is_told_of(void **state)
{
	static const char *const refusals[] = {
		REFUSED("operation", "privilegeViolationSpecifiedDevice"),
		REFUSED("operation", "securityViolation"),
		REFUSED("security", "anything"),
		REFUSED("operation", "serviceNotSupported"),
		REFUSED("operation", "parameterNotSupported"),
		REFUSED("operation", "requestIncompatibleWithDevice"),
		REFUSED("operation", "invalidFeature"),
		REFUSED("systemResourceAvailability", "deviceOutOfService"),
		REFUSED("operation", "invalidDeviceID"),
		REFUSED("operation", "objectNotKnown"),
		REFUSED("operation", "generic"),
		REFUSED("operation", "invalidParameterValue"),
		REFUSED("systemResourceAvailability", "overallMonitorLimitExceeded"),
		REFUSED("unspecified", ""),
		"<SnapshotDeviceResponse/>",
	};

	char wrong[4000] = "";

	(void)state;
	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		begin(16, 100, 0);
		w.how[ASK_CALLS] = refusals[i];
		watch("201");
		ready();
		live(90000);
		if (w.said_count == 0 || w.settled != 1)
			snprintf(wrong + strlen(wrong), sizeof wrong - strlen(wrong),
			    "said %zu, settled %zu after %s\n", w.said_count, w.settled, refusals[i]);
		assert_in_range(w.counts[ASK_CALLS], 1, 20);
		end(NULL);
	}
	assert_string_equal(wrong, "");
}

static void a_snapshot_that_says_out_of_service_is_asked_for_again(void **state)
{
	(void)state;
	begin(16, 100, 0);
	w.how[ASK_CALLS] = REFUSED("systemResourceAvailability", "deviceOutOfService");
	watch("201");
	ready();
	live(1000);
	assert_string_equal(last_said(), "201 ok offline off none\n");
	w.how[ASK_CALLS] = CALLS("");
	live(62000);
	assert_string_equal(last_said(), "201 ok idle off none\n");
}

static void a_forgotten_monitor_is_started_anew(void **state)
{
	static const enum ask asks[] = { ASK_CALLS, ASK_DND, ASK_FORWARD };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(asks); i++) {
		begin_idle(0);
		w.how[asks[i]] = REFUSED("operation", "invalidMonitorCrossRefID");
		verify("201");
		live(300);
		w.how[ASK_CALLS] = CALLS("");
		w.how[ASK_DND] = DND("true");
		w.how[ASK_FORWARD] = FORWARDS("");
		live(5000);
		assert_int_equal(w.counts[ASK_START], 1);
		assert_string_equal(last_said(), "201 ok idle on none\n");
		end(NULL);
	}
}

/* --- pieces that never come ---------------------------------------------------------------------------------------------- */

#define NEVER "<SnapshotDeviceResponse><serviceCrossRefID>p-%s</serviceCrossRefID></SnapshotDeviceResponse>"

/* After the time-out the line counts as unknown until an event speaks; what else is known is said. */
static void where_pieces_never_come_the_line_is_unknown_until_an_event_speaks(void **state)
{
	(void)state;
	begin(16, 100, 0);
	w.how[ASK_CALLS] = NEVER;
	watch("201");
	ready();
	live(60000);
	assert_int_equal(w.settled, 1);
	assert_string_equal(last_said(), "201 ok - off none\n");
}

static void where_pieces_never_come_events_are_believed(void **state)
{
	(void)state;
	begin(16, 100, 0);
	w.how[ASK_CALLS] = NEVER;
	watch("201");
	ready();
	live(60000);
	tell(DELIVERED("1", "44"));
	assert_string_equal(last_said(), "201 ok ringing off none ringing/in/44\n");
	tell(CLEARED("1"));
	assert_string_equal(last_said(), "201 ok idle off none\n");
}

/* Else what is known of it would go stale with every verification. */
static void where_pieces_never_come_a_verification_is_answered(void **state)
{
	(void)state;
	begin(16, 100, 0);
	w.how[ASK_CALLS] = NEVER;
	watch("201");
	ready();
	live(60000);
	tell(DELIVERED("1", "44"));
	buf_clear(&w.said);
	verify("201");
	live(12000);
	assert_string_equal(last_said(), "201 ok ringing off none ringing/in/44\n");
}

/* It is the switch that does so, not one line after the other. */
static void where_pieces_never_come_many_lines_are_begun_in_time(void **state)
{
	char device[16];

	(void)state;
	begin(16, 100, 0);
	w.how[ASK_CALLS] = NEVER;
	for (int i = 0; i < 200; i++) {
		snprintf(device, sizeof device, "%d", 1000 + i);
		watch(device);
	}
	ready();
	live(60000);
	assert_int_equal(w.counts[ASK_START], 200);
	assert_int_equal(w.settled, 1);
}

/* --- monitors that are taken back ------------------------------------------------------------------------------------------ */

static void a_monitor_that_is_stopped_in_its_first_round_is_settled(void **state)
{
	(void)state;
	begin(16, 100, 0);
	w.how[ASK_DND] = NULL;
	watch("201");
	ready();
	live(100);
	tell(MONITOR_STOP);
	assert_said("201 stale\n");
	w.how[ASK_DND] = DND("false");
	live(5000);
	assert_int_equal(w.settled, 1);
	assert_string_equal(last_said(), "201 ok idle off none\n");
}

/* After each round, so that it works for a moment each time: the pauses grow all the same. */
static void a_monitor_that_is_stopped_again_and_again_is_started_less_and_less_often(void **state)
{
	(void)state;
	begin_idle(0);
	for (int i = 0; i < 600; i++) {
		if (stats().monitored == 1 && csta_in_flight(w.exchange) == 0)
			tell(MONITOR_STOP);
		live(1000);
	}
	assert_in_range(w.counts[ASK_START], 8, 30); /* ten minutes: 1, 2, 4, ... 60 s */
}

/* Two ways to write one device, or a switch that has one id only. */
static void one_id_for_two_lines_is_no_race_between_them(void **state)
{
	(void)state;
	begin(16, 100, 0);
	w.how[ASK_START] = "<MonitorStartResponse><monitorCrossRefID>one</monitorCrossRefID></MonitorStartResponse>";
	watch("201");
	watch("202");
	ready();
	live(600000);
	assert_in_range(w.counts[ASK_START], 2, 60);
}

/* --- what is shown to people ------------------------------------------------------------------------------------------------ */

static void lines_that_wait_are_counted(void **state)
{
	(void)state;
	begin_idle(0);
	w.how[ASK_STOP] = NULL;
	csta_monitors_unwatch(w.monitors, "201");
	w.how[ASK_START] = NULL;
	watch("202");
	live(1000);
	assert_int_equal(stats().lines, 1);
	assert_int_equal(stats().waiting, 1);
}

/* --- odd answers -------------------------------------------------------------------------------------------------------------- */

/* Of another question, of nothing, twice: no harm. */
static void answers_that_fit_nothing_are_passed_over(void **state)
{
	static const char *const odd[] = { "<MonitorStartResponse/>", "<MonitorStopResponse/>", "<FooResponse/>",
		CALLS(""), DND("true"), FORWARDS(""), DND("maybe"), "<GetDoNotDisturbResponse/>",
		"<GetForwardingResponse/>", IN_PIECES("p"), REFUSED("operation", "generic"),
		"<StartApplicationSessionNegResponse/>" };
	static const enum ask asks[] = { ASK_STOP, ASK_CALLS, ASK_DND, ASK_FORWARD };

	(void)state;
	for (size_t k = 0; k < COUNT_OF(asks); k++) {
		for (size_t i = 0; i < COUNT_OF(odd); i++) {
			begin_idle(0);
			w.how[asks[k]] = odd[i];
			verify("201");
			if (asks[k] == ASK_STOP)
				csta_monitors_unwatch(w.monitors, "201");
			live(100);
			for (size_t n = 0; n < w.asked_count; n++)
				assert_false(answer_as(&w.asked[n], odd[i])); /* again */
			live(60000);
			assert_true(stats().monitored <= 1);
			end(NULL);
		}
	}
}

/* Slower than it is waited for is not the same as never. */
static void a_feature_that_is_answered_late_is_asked_for_again(void **state)
{
	const struct csta_message late = { .kind = CSTA_RESPONSE, .name = "GetDoNotDisturbResponse" };

	(void)state;
	begin(16, 100, 0);
	watch("201");
	watch("202");
	watch("203");
	w.how[ASK_DND] = NULL;
	ready();
	live(30000);
	w.counts[ASK_DND] = 0;
	verify("201");
	live(10000);
	assert_int_equal(w.counts[ASK_DND], 0); /* the switch has no such thing, it seems */
	csta_monitors_late(w.monitors, &late);
	w.how[ASK_DND] = DND("true");
	verify("201");
	live(1000);
	assert_int_equal(w.counts[ASK_DND], 1);
	assert_string_equal(last_said(), "201 ok idle on none\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_teardown(f, end)
		TEST(a_line_whose_snapshot_is_refused_is_told_of),
		TEST(a_snapshot_that_says_out_of_service_is_asked_for_again),
		TEST(a_forgotten_monitor_is_started_anew),
		TEST(where_pieces_never_come_the_line_is_unknown_until_an_event_speaks),
		TEST(where_pieces_never_come_events_are_believed),
		TEST(where_pieces_never_come_a_verification_is_answered),
		TEST(where_pieces_never_come_many_lines_are_begun_in_time),
		TEST(a_monitor_that_is_stopped_in_its_first_round_is_settled),
		TEST(a_monitor_that_is_stopped_again_and_again_is_started_less_and_less_often),
		TEST(one_id_for_two_lines_is_no_race_between_them),
		TEST(lines_that_wait_are_counted),
		TEST(answers_that_fit_nothing_are_passed_over),
		TEST(a_feature_that_is_answered_late_is_asked_for_again),
	};

	return cmocka_run_group_tests_name("csta_stubborn", tests, NULL, NULL);
}
