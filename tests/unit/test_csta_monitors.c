/* test_csta_monitors.c: lines of a switch from MonitorStart to MonitorStop: pace, order, refusals, loss.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/csta_world.h"

static void watch_many(int count)
{
	char device[16];

	for (int i = 0; i < count; i++) {
		snprintf(device, sizeof device, "%d", 1000 + i);
		watch(device);
	}
}

/* --- how a line begins ------------------------------------------------------------------------------------ */

static void a_line_is_begun_step_by_step(void **state)
{
	(void)state;
	begin(16, 100, 0);
	watch("201");
	pass(1000);
	assert_nothing_asked();
	ready();
	answer(take(ASK_START, "201"), STARTED);
	answer(take(ASK_CALLS, "201"), CALLS(""));
	answer(take(ASK_DND, "201"), DND("false"));
	assert_said("");
	assert_int_equal(w.settled, 0);
	answer(take(ASK_FORWARD, "201"), FORWARDS(""));
	assert_said("201 ok idle off none\n");
	assert_int_equal(w.settled, 1);
	pass(3600000);
	assert_nothing_asked();
	assert_said("");
	assert_int_equal(w.settled, 1);
}

static void a_line_that_is_watched_later_is_begun_then(void **state)
{
	(void)state;
	begin(16, 100, 0);
	ready();
	pass(0);
	assert_int_equal(w.settled, 1);
	watch("201");
	live(200);
	assert_said("201 ok idle off none\n");
	assert_int_equal(w.settled, 1);
}

static void facts_come_from_the_first_round(void **state)
{
	(void)state;
	begin(16, 100, 0);
	w.how[ASK_CALLS] = CALLS(ONE_CALL("9001", "connected", "202"));
	w.how[ASK_DND] = DND("1");
	w.how[ASK_FORWARD] = FORWARDS(FORWARD_TO("forwardImmediate", "true", "8000"));
	watch("201");
	ready();
	live(100);
	assert_said("201 ok busy on 8000 connected/-/202\n");
}

/* --- pace ------------------------------------------------------------------------------------------------- */

/* Not more than the rate in any second, and what is left over of it not saved up. */
static void check_pace(int64_t rate, int lines, bool slow)
{
	int64_t starts[2000];
	int count = 0;

	begin(1000, rate, 0);
	watch_many(lines);
	pass(3600000); /* nothing is saved up */
	ready();
	csta_monitors_slow(w.monitors, slow);
	live((lines + 2) * 1000 / (slow ? (rate + 1) / 2 : rate) + 2000);
	for (size_t i = 0; i < w.asked_count; i++)
		if (w.asked[i].what == ASK_START)
			starts[count++] = w.asked[i].at;
	assert_int_equal(count, lines);
	for (int i = 0; i < count; i++)
		for (int k = i; k < count && starts[k] - starts[i] < 1000; k++)
			assert_true(k - i + 1 <= (slow ? (rate + 1) / 2 : rate) * 11 / 10 + 1);
	assert_int_equal(w.settled, 1);
	assert_int_equal(stats().monitored, lines);
	end(NULL);
}

static void monitors_are_started_at_the_rate(void **state)
{
	(void)state;
	check_pace(1, 5, false);
	check_pace(3, 12, false);
	check_pace(10, 50, false);
	check_pace(100, 500, false);
}

static void an_overloaded_switch_has_half_the_rate(void **state)
{
	(void)state;
	check_pace(10, 30, true);
	check_pace(1, 3, true);
}

static void in_flight_is_the_limit(void **state)
{
	(void)state;
	begin(3, 10000, 0);
	watch_many(20);
	ready();
	pass(5000);
	assert_int_equal(w.asked_count, 3);
	assert_int_equal(csta_in_flight(w.exchange), 3);
	answer(next_asked(), STARTED);
	pass(1000);
	assert_int_equal(w.asked_count, 4);
	live(2000);
	assert_int_equal(stats().monitored, 20);
	assert_int_equal(w.settled, 1);
}

static void an_overloaded_switch_has_half_in_flight(void **state)
{
	(void)state;
	begin(5, 10000, 0);
	watch_many(20);
	ready();
	csta_monitors_slow(w.monitors, true);
	pass(1000);
	assert_int_equal(w.asked_count, 5); /* those were out before */
	for (int i = 0; i < 5; i++)
		answer(next_asked(), STARTED);
	pass(1000);
	assert_int_equal(csta_in_flight(w.exchange), 3);
	csta_monitors_slow(w.monitors, false);
	pass(1000);
	assert_int_equal(csta_in_flight(w.exchange), 5);
}

/* --- order ------------------------------------------------------------------------------------------------ */

static void a_line_that_is_begun_is_finished_first(void **state)
{
	char line[64];

	(void)state;
	begin(1, 1000, 0);
	watch_many(3);
	ready();
	for (size_t i = 0; i < 3; i++) {
		const struct asked *a = next_asked(); /* whichever comes first */

		assert_non_null(a);
		assert_int_equal(a->what, ASK_START);
		snprintf(line, sizeof line, "%s", a->of);
		answer(a, STARTED);
		answer(take(ASK_CALLS, line), CALLS(""));
		answer(take(ASK_DND, line), DND("false"));
		answer(take(ASK_FORWARD, line), FORWARDS(""));
		pass(100);
	}
	assert_nothing_asked();
}

static void what_is_verified_goes_before_what_is_begun(void **state)
{
	const struct asked *a;

	(void)state;
	begin(1, 1000, 0);
	watch("201");
	ready();
	live(100);
	watch("202");
	watch("203");
	pass(100);
	a = take(ASK_START, "202");
	verify("201");
	answer(a, STARTED);
	answer(take(ASK_CALLS, "201"), CALLS(""));
	answer(take(ASK_DND, "201"), DND("false"));
	answer(take(ASK_FORWARD, "201"), FORWARDS(""));
	answer(take(ASK_CALLS, "202"), CALLS(""));
}

static void who_was_on_the_telephone_is_looked_at_first(void **state)
{
	(void)state;
	begin(1, 1000, 0);
	watch("200");
	watch("201");
	watch("202");
	ready();
	live(1000);
	tell(DELIVERED("1", "44"));
	lost();
	w.read_count = w.asked_count;
	ready();
	take(ASK_START, "201");
}

/* --- refusals of MonitorStart ----------------------------------------------------------------------------- */

#define ALL_DAY 86400000

/* What is said, and after how many ms it is tried again; INT64_MAX: not before all is begun anew. */
static const struct {
	const char *category, *error, *said;
	int64_t again;
} refusals[] = {
	{ "operation", "invalidDeviceID", "201 not_found\n", INT64_MAX },
	{ "operation", "objectNotKnown", "201 not_found\n", INT64_MAX },
	{ "operation", "invalidMonitorObject", "201 not_found\n", INT64_MAX },
	{ "operation", "privilegeViolationSpecifiedDevice", "201 access_denied\n", INT64_MAX },
	{ "operation", "securityViolation", "201 access_denied\n", INT64_MAX },
	{ "security", "anything", "201 access_denied\n", INT64_MAX },
	{ "operation", "serviceNotSupported", "201 error\n", 60000 },
	{ "operation", "requestIncompatibleWithDevice", "201 error\n", 60000 },
	{ "systemResourceAvailability", "deviceOutOfService", "201 ok offline - -\n", 60000 },
	{ "systemResourceAvailability", "overallMonitorLimitExceeded", "201 error\n", 300000 },
	{ "subscribedResourceAvailability", "objectMonitorLimitExceeded", "201 error\n", 300000 },
	{ "systemResourceAvailability", "resourceBusy", "", 1000 },
	{ "subscribedResourceAvailability", "outstandingReqLimitExceeded", "", 1000 },
	{ "performanceManagement", "performanceLimitExceeded", "", 1000 },
	{ "operation", "generic", "201 error\n", 60000 },
	{ "operation", "invalidParameterValue", "201 error\n", 60000 },
	{ "privateData", "privateErrorCode", "201 error\n", 60000 },
	{ "unspecified", "", "201 error\n", 60000 },
};

static void a_refusal_says_why_and_is_tried_again_in_its_time(void **state)
{
	char text[200];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		snprintf(text, sizeof text, "<CSTAErrorCode><%s>%s</%s></CSTAErrorCode>", refusals[i].category,
		    refusals[i].error, refusals[i].category);
		begin(16, 100, 0);
		watch("201");
		ready();
		answer(take(ASK_START, "201"), text);
		assert_said(refusals[i].said);
		pass(0);
		assert_int_equal(w.settled, 1);
		assert_int_equal(stats().refused, 1);
		if (strstr(refusals[i].said, "error") != NULL)
			assert_non_null(strstr(w.why, refusals[i].error));
		pass(refusals[i].again == INT64_MAX ? ALL_DAY : refusals[i].again - 200);
		assert_nothing_asked();
		if (refusals[i].again == INT64_MAX)
			ready();
		else
			pass(400);
		live(100);
		assert_string_equal(last_said(), "201 ok idle off none\n");
		assert_int_equal(stats().refused, 0);
		end(NULL);
	}
}

static void a_busy_switch_is_asked_less_and_less_often(void **state)
{
	int64_t last = 0, pause = 0;

	(void)state;
	begin(16, 100, 0);
	w.how[ASK_START] = REFUSED("systemResourceAvailability", "resourceBusy");
	watch("201");
	ready();
	for (int i = 0; i < 12; i++) {
		live(100);
		while (w.counts[ASK_START] == i + 1)
			live(100);
		assert_true(i == 0 || w.asked[w.asked_count - 1].at - last >= pause);
		pause = i == 0 ? 1000 : w.asked[w.asked_count - 1].at - last;
		last = w.asked[w.asked_count - 1].at;
		assert_true(pause <= 62000);
	}
	assert_true(pause >= 55000);
	assert_said("");
}

static void a_refusal_in_a_wrapping_is_one(void **state)
{
	(void)state;
	begin(16, 100, 0);
	watch("201");
	ready();
	answer(take(ASK_START, "201"),
	    "<Fault><detail><CSTAErrorCode><operation>invalidDeviceID</operation></CSTAErrorCode></detail></Fault>");
	assert_said("201 not_found\n");
}

static void without_an_answer_a_monitor_is_started_again(void **state)
{
	(void)state;
	begin(16, 100, 0);
	w.how[ASK_START] = NULL;
	watch("201");
	ready();
	live(9900);
	assert_said("");
	live(200);
	assert_said("201 stale\n");
	assert_int_equal(w.settled, 1);
	live(60000);
	assert_in_range(w.counts[ASK_START], 2, 7);
	w.how[ASK_START] = STARTED;
	live(30000);
	assert_string_equal(last_said(), "201 ok idle off none\n");
}

static void an_answer_without_an_id_is_an_error_of_the_line(void **state)
{
	(void)state;
	begin(16, 100, 0);
	w.how[ASK_START] = "<MonitorStartResponse/>";
	watch("201");
	ready();
	live(1000);
	assert_said("201 error\n");
	assert_int_equal(w.settled, 1);
	assert_in_range(w.counts[ASK_START], 1, 1);
}

/* --- the switch stops a monitor --------------------------------------------------------------------------- */

static void a_monitor_that_the_switch_stops_is_started_again_after_a_second(void **state)
{
	(void)state;
	begin_idle(0);
	tell(MONITOR_STOP);
	assert_said("201 stale\n");
	assert_int_equal(stats().stopped, 1);
	assert_int_equal(stats().monitored, 0);
	tell(DELIVERED("1", "44")); /* of nobody now */
	assert_said("");
	assert_int_equal(stats().unknown, 1);
	pass(900);
	assert_nothing_asked();
	live(300);
	assert_int_equal(w.counts[ASK_START], 1);
	assert_int_equal(w.counts[ASK_STOP], 0);
	assert_said("201 ok idle off none\n");
	assert_int_equal(w.settled, 0);
}

/* It is stopped before its first round is over each time. */
static void a_monitor_that_is_stopped_at_once_is_started_less_and_less_often(void **state)
{
	int64_t pause = 1000;

	(void)state;
	begin(16, 100, 0);
	w.how[ASK_CALLS] = NULL;
	watch("201");
	ready();
	serve();
	for (int i = 0; i<9; i++, pause = pause * 2> 60000 ? 60000 : pause * 2) {
		forget_what_was_said();
		tell(MONITOR_STOP);
		assert_said("201 stale\n");
		live(pause - 200);
		assert_int_equal(w.counts[ASK_START], 0);
		live(400);
		assert_int_equal(w.counts[ASK_START], 1);
	}
}

/* Nobody could tell whose events they are. */
static void two_lines_with_one_monitor_id_do_not_share_it(void **state)
{
	(void)state;
	begin(16, 100, 0);
	watch("201");
	watch("202");
	ready();
	for (int i = 0; i < 2; i++)
		answer(next_asked(),
		    "<MonitorStartResponse><monitorCrossRefID>m-201</monitorCrossRefID>"
		    "</MonitorStartResponse>");
	assert_int_equal(stats().monitored, 0);
	live(20000); /* now the switch does better */
	buf_clear(&w.said);
	tell(DELIVERED("1", "44"));
	assert_string_equal(last_said(), "201 ok ringing off none ringing/in/44\n");
	assert_int_equal(stats().monitored, 2);
}

/* --- the end of a watch ----------------------------------------------------------------------------------- */

static void a_line_that_is_not_watched_any_more_is_stopped(void **state)
{
	(void)state;
	begin_idle(0);
	csta_monitors_unwatch(w.monitors, "201");
	run();
	answer(take(ASK_STOP, "m-201"), STOPPED);
	pass(0);
	assert_int_equal(stats().lines, 0);
	assert_int_equal(stats().monitored, 0);
	pass(3600000);
	assert_nothing_asked();
	assert_said("");
}

static void a_stop_that_is_refused_or_not_answered_is_the_end_too(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		begin_idle(0);
		w.how[ASK_STOP] = i == 0 ? REFUSED("operation", "invalidMonitorCrossRefID") : NULL;
		csta_monitors_unwatch(w.monitors, "201");
		live(11000);
		assert_int_equal(stats().monitored, 0);
		assert_int_equal(w.counts[ASK_STOP], 1);
		watch("201");
		live(200);
		assert_said("201 ok idle off none\n");
		end(NULL);
	}
}

static void the_end_of_the_connection_ends_its_monitors(void **state)
{
	(void)state;
	begin(16, 100, 0);
	watch_many(40);
	ready();
	live(3000);
	csta_monitors_free(w.monitors);
	w.monitors = NULL;
	assert_int_equal(w.counts[ASK_STOP], 0);
}

/* --- every moment ----------------------------------------------------------------------------------------- */

#define MOMENTS 12

/* 201 in the middle of something, and the switch not answering for now. Requests up to there are served. */
static void come_to(int moment)
{
	static const enum ask silent[] = { ASK_START, ASK_CALLS, ASK_DND, ASK_FORWARD };

	begin(16, 100, 0);
	watch("201");
	if (moment == 0)
		return; /* the switch is not there yet */
	if (moment >= 1 && moment <= 4)
		w.how[silent[moment - 1]] = NULL;
	if (moment == 5)
		w.how[ASK_CALLS] = IN_PIECES("p1");
	if (moment == 6)
		w.how[ASK_START] = REFUSED("operation", "invalidDeviceID");
	if (moment == 7)
		w.how[ASK_START] = REFUSED("systemResourceAvailability", "resourceBusy");
	ready();
	live(100);
	if (moment == 9)
		tell(MONITOR_STOP);
	if (moment == 10)
		tell(DELIVERED("1", "44"));
	if (moment == 9)
		w.monitored['1' % 64]--;
	if (moment == 11) {
		w.how[ASK_CALLS] = NULL;
		verify("201");
		serve();
	}
}

/* The switch answers again: what is out, too late or just in time. */
static void go_on_from(int moment)
{
	static const int out[] = { -1, ASK_START, ASK_CALLS, ASK_DND, ASK_FORWARD, -1, -1, -1, -1, -1, -1, ASK_CALLS };

	w.how[ASK_START] = STARTED;
	w.how[ASK_CALLS] = CALLS("");
	w.how[ASK_DND] = DND("false");
	w.how[ASK_FORWARD] = FORWARDS("");
	if (out[moment] < 0)
		return;
	for (size_t i = w.asked_count; i-- > 0;) /* the last one of its kind is the one that was not answered */
		if ((int)w.asked[i].what == out[moment]) {
			answer_as(&w.asked[i], w.how[out[moment]]);
			w.monitored['1' % 64] += out[moment] == ASK_START;
			return;
		}
}

static void unwatched_at_every_moment_nothing_is_left(void **state)
{
	(void)state;
	for (int moment = 0; moment < MOMENTS; moment++) {
		come_to(moment);
		buf_clear(&w.said);
		csta_monitors_unwatch(w.monitors, "201");
		go_on_from(moment);
		if (moment == 0)
			ready();
		live(120000);
		assert_said("");
		if (stats().lines != 0 || stats().monitored != 0 || w.monitored['1' % 64] != 0)
			fail_msg("moment %d: %d lines, %d monitors, %d at the switch", moment, (int)stats().lines,
			    (int)stats().monitored, w.monitored['1' % 64]);
		assert_int_equal(w.settled, 1);
		end(NULL);
	}
}

/* Watched again at once, with the answer before, between or after. */
static void watched_again_at_every_moment_it_is_said_again(void **state)
{
	(void)state;
	for (int moment = 0; moment < MOMENTS; moment++) {
		for (int between = 0; between < 3; between++) {
			come_to(moment);
			csta_monitors_unwatch(w.monitors, "201");
			if (between == 1)
				go_on_from(moment);
			if (between == 2) {
				run();
				serve();
			}
			buf_clear(&w.said);
			watch("201");
			if (moment == 0)
				ready();
			if (between != 1)
				go_on_from(moment);
			live(120000);
			if (strstr(buf_text(&w.said), "201 ok idle off none\n") == NULL)
				fail_msg("moment %d, %d: \"%s\"", moment, between, buf_text(&w.said));
			assert_int_equal(stats().lines, 1);
			assert_int_equal(stats().monitored, 1);
			assert_int_equal(w.monitored['1' % 64], 1);
			assert_int_equal(w.settled, 1);
			end(NULL);
		}
	}
}

static void lost_at_every_moment_it_begins_anew(void **state)
{
	(void)state;
	for (int moment = 0; moment < MOMENTS; moment++) {
		for (int unwatched = 0; unwatched < 2; unwatched++) {
			come_to(moment);
			if (unwatched)
				csta_monitors_unwatch(w.monitors, "201");
			lost();
			forget_what_was_said();
			w.monitored['1' % 64] = 0;
			go_on_from(moment);
			w.monitored['1' % 64] = 0;
			pass(120000);
			assert_said("");
			assert_int_equal(w.settled, 0);
			assert_int_equal(stats().lines, !unwatched);
			assert_int_equal(stats().monitored, 0);
			w.read_count = w.asked_count;
			ready();
			live(1000);
			assert_said(unwatched ? "" : "201 ok idle off none\n");
			assert_int_equal(w.counts[ASK_START], !unwatched);
			assert_int_equal(w.counts[ASK_STOP], 0);
			assert_int_equal(w.settled, 1);
			end(NULL);
		}
	}
}

static void asleep_at_every_moment_it_waits_until_it_is_ready(void **state)
{
	(void)state;
	for (int moment = 0; moment < MOMENTS; moment++) {
		come_to(moment);
		csta_monitors_asleep(w.monitors);
		go_on_from(moment);
		forget_what_was_said();
		live(60000);
		for (int what = 0; what < ASKS; what++)
			assert_int_equal(w.counts[what], 0);
		ready();
		live(60000);
		if (strcmp(last_said(), "201 ok idle off none\n") != 0 || w.settled != 1)
			fail_msg("moment %d: settled %zu", moment, w.settled);
		assert_int_equal(stats().monitored, 1);
		assert_int_equal(w.monitored['1' % 64], 1);
		end(NULL);
	}
}

/* --- sending fails ---------------------------------------------------------------------------------------- */

static void when_nothing_can_be_sent_it_is_tried_again_later(void **state)
{
	(void)state;
	begin_idle(0);
	w.send_result = -ENOBUFS;
	watch("202");
	verify("201");
	pass(10000); /* and it does not want to be woken all the time */
	assert_int_equal(w.counts[ASK_CALLS], 0);
	w.send_result = 0;
	live(2500);
	assert_non_null(strstr(buf_text(&w.said), "201 ok idle off none\n"));
	assert_non_null(strstr(buf_text(&w.said), "202 ok idle off none\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_teardown(f, end)
		TEST(a_line_is_begun_step_by_step),
		TEST(a_line_that_is_watched_later_is_begun_then),
		TEST(facts_come_from_the_first_round),
		TEST(monitors_are_started_at_the_rate),
		TEST(an_overloaded_switch_has_half_the_rate),
		TEST(in_flight_is_the_limit),
		TEST(an_overloaded_switch_has_half_in_flight),
		TEST(a_line_that_is_begun_is_finished_first),
		TEST(what_is_verified_goes_before_what_is_begun),
		TEST(who_was_on_the_telephone_is_looked_at_first),
		TEST(a_refusal_says_why_and_is_tried_again_in_its_time),
		TEST(a_busy_switch_is_asked_less_and_less_often),
		TEST(a_refusal_in_a_wrapping_is_one),
		TEST(without_an_answer_a_monitor_is_started_again),
		TEST(an_answer_without_an_id_is_an_error_of_the_line),
		TEST(a_monitor_that_the_switch_stops_is_started_again_after_a_second),
		TEST(a_monitor_that_is_stopped_at_once_is_started_less_and_less_often),
		TEST(two_lines_with_one_monitor_id_do_not_share_it),
		TEST(a_line_that_is_not_watched_any_more_is_stopped),
		TEST(a_stop_that_is_refused_or_not_answered_is_the_end_too),
		TEST(the_end_of_the_connection_ends_its_monitors),
		TEST(unwatched_at_every_moment_nothing_is_left),
		TEST(watched_again_at_every_moment_it_is_said_again),
		TEST(lost_at_every_moment_it_begins_anew),
		TEST(asleep_at_every_moment_it_waits_until_it_is_ready),
		TEST(when_nothing_can_be_sent_it_is_tried_again_later),
	};

	return cmocka_run_group_tests_name("csta_monitors", tests, NULL, NULL);
}
