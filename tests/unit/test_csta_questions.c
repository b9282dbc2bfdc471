/* test_csta_questions.c: what lines of a switch are asked, when, and what is said of the answers.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/csta_world.h"

/* --- verification ----------------------------------------------------------------------------------------- */

static void a_verification_is_one_answer_also_when_nothing_is_new(void **state)
{
	(void)state;
	begin_idle(0);
	verify("201");
	answer(take(ASK_CALLS, "201"), CALLS(""));
	assert_said("");
	answer(take(ASK_DND, "201"), DND("false"));
	assert_said("");
	answer(take(ASK_FORWARD, "201"), FORWARDS(""));
	assert_said("201 ok idle off none\n");
	pass(600000);
	assert_said("");
	assert_nothing_asked();
	assert_int_equal(w.settled, 0);
}

static void a_verification_corrects_what_events_did_not_tell(void **state)
{
	(void)state;
	begin_idle(0);
	w.how[ASK_CALLS] = CALLS(ONE_CALL("7", "hold", "202"));
	w.how[ASK_DND] = DND("true");
	w.how[ASK_FORWARD] = FORWARDS(FORWARD_TO("forwardImmediate", "1", "8000"));
	verify("201");
	live(100);
	assert_said("201 ok held on 8000 held/-/202\n");
	w.how[ASK_CALLS] = CALLS("");
	verify("201");
	live(100);
	assert_said("201 ok idle on 8000\n");
}

/* In the middle of another round it is part of it. */
static void a_verification_during_a_round_asks_everything_again(void **state)
{
	(void)state;
	begin_idle(0);
	verify("201");
	answer(take(ASK_CALLS, "201"), CALLS(""));
	verify("201");
	verify("201");
	w.how[ASK_CALLS] = CALLS(ONE_CALL("7", "connected", "202"));
	live(100);
	assert_string_equal(last_said(), "201 ok busy off none connected/-/202\n");
	assert_in_range(w.counts[ASK_CALLS], 2, 3);
}

/* Whatever the line is doing, and whatever the switch can, somebody gets an answer in time. */
static void every_kind_of_line_is_verified(void **state)
{
	static const struct {
		const char *event, *calls, *dnd, *forward, *said;
	} rows[] = {
		{ DELIVERED("1", "44"), CALLS(ONE_CALL("1", "alerting", "44")), DND("false"), FORWARDS(""),
		    "201 ok ringing off none ringing/in/44\n" },
		{ ESTABLISHED("1", "44"), CALLS(ONE_CALL("1", "connected", "44")), DND("false"), FORWARDS(""),
		    "201 ok busy off none connected/in/44\n" },
		{ HELD("1"), CALLS(ONE_CALL("1", "hold", "44")), DND("false"), FORWARDS(""),
		    "201 ok held off none held/-/44\n" },
		{ NULL, CALLS(""), UNSUPPORTED, FORWARDS(""), "201 ok idle - none\n" },
		{ NULL, CALLS(""), NULL, NULL, "201 ok idle off none\n" },
		{ NULL, CALLS(""), UNSUPPORTED, UNSUPPORTED, "201 ok idle - -\n" },
		{ NULL, UNSUPPORTED, DND("true"), FORWARDS(""), "201 ok - on none\n" },
		{ SERVICE_EVENT("OutOfServiceEvent"), REFUSED("systemResourceAvailability", "deviceOutOfService"),
		    DND("false"), FORWARDS(""), "201 ok offline off none\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		begin_idle(0);
		if (rows[i].event != NULL)
			tell(rows[i].event);
		live(40000);
		buf_clear(&w.said);
		w.how[ASK_CALLS] = rows[i].calls;
		w.how[ASK_DND] = rows[i].dnd;
		w.how[ASK_FORWARD] = rows[i].forward;
		w.counts[ASK_CALLS] = 0;
		verify("201");
		live(13000);
		if (strcmp(last_said(), rows[i].said) != 0)
			fail_msg("row %zu: not %s", i, rows[i].said);
		end(NULL);
	}
}

static void who_is_not_there_yet_is_not_verified(void **state)
{
	(void)state;
	begin(16, 100, 0);
	verify("201");
	watch("201");
	verify("201");
	ready();
	csta_monitors_asleep(w.monitors);
	pass(60000);
	verify("201");
	assert_int_equal(w.counts[ASK_CALLS], 0);
}

/* --- the first word --------------------------------------------------------------------------------------- */

static void nothing_is_said_before_the_first_round_is_over(void **state)
{
	(void)state;
	begin(16, 100, 0);
	w.how[ASK_CALLS] = NULL;
	watch("201");
	ready();
	live(100);
	tell(DELIVERED("1", "44"));
	tell(DND_EVENT("true"));
	assert_said("");
	w.how[ASK_CALLS] = CALLS(ONE_CALL("1", "alerting", "44"));
	w.how[ASK_DND] = DND("true");
	answer(&w.asked[w.asked_count - 1], w.how[ASK_CALLS]);
	assert_said("");
	live(100);
	assert_said("201 ok ringing on none ringing/in/44\n");
	assert_int_equal(w.settled, 1);
}

/* A switch that is slow with one of them must not keep the lamp dark. */
static void calls_are_said_within_half_a_second(void **state)
{
	(void)state;
	begin(16, 100, 0);
	w.how[ASK_DND] = NULL;
	watch("201");
	ready();
	live(400);
	assert_said("");
	live(300);
	assert_said("201 ok idle - -\n");
	assert_int_equal(w.settled, 1);
	tell(DELIVERED("1", "44"));
	assert_said("201 ok ringing - - ringing/in/44\n");
	live(6000);
	assert_string_equal(last_said(), "201 ok ringing - none ringing/in/44\n");
	assert_int_equal(w.settled, 1);
}

static void events_are_said_at_once(void **state)
{
	(void)state;
	begin_idle(0);
	tell(DELIVERED("1", "+442070846845"));
	assert_said("201 ok ringing off none ringing/in/+442070846845\n");
	tell(ESTABLISHED("1", "+442070846845"));
	assert_said("201 ok busy off none connected/in/+442070846845\n");
	tell(HELD("1"));
	assert_said("201 ok held off none held/in/+442070846845\n");
	tell(DND_EVENT("true"));
	assert_said("201 ok held on none held/in/+442070846845\n");
	tell(FORWARDING_EVENT("true", "<forwardTo>8000</forwardTo>"));
	assert_said("201 ok held on 8000 held/in/+442070846845\n");
	tell(FORWARDING_EVENT("false", ""));
	assert_said("201 ok held on none held/in/+442070846845\n");
	tell(CLEARED("1"));
	assert_said("201 ok idle on none\n");
	live(600000);
	for (int what = 0; what < ASKS; what++)
		assert_int_equal(w.counts[what], 0);
}

static void an_event_of_nobody_is_counted(void **state)
{
	(void)state;
	begin_idle(0);
	tell("<DeliveredEvent><monitorCrossRefID>m-9</monitorCrossRefID><connection><callID>1</callID></connection>"
	     "<localConnectionInfo>alerting</localConnectionInfo></DeliveredEvent>");
	tell("<MonitorStop><monitorCrossRefID>m-9</monitorCrossRefID></MonitorStop>");
	tell("<DoNotDisturbEvent><doNotDisturbOn>true</doNotDisturbOn></DoNotDisturbEvent>");
	assert_said("");
	assert_int_equal(stats().unknown, 3);
	assert_int_equal(stats().events, 0);
}

/* --- snapshots in pieces ---------------------------------------------------------------------------------- */

static void a_snapshot_comes_in_pieces(void **state)
{
	(void)state;
	begin(16, 100, 0);
	w.how[ASK_CALLS] = IN_PIECES("p-%s");
	watch("201");
	watch("202");
	ready();
	live(5000);
	assert_said("");
	tell(PIECE("p-201", "false", ONE_CALL("1", "hold", "44")));
	tell(PIECE("p-300", "true", ONE_CALL("9", "connected", "45")));
	tell(PIECE("p-201", "0", ONE_CALL("2", "connected", "46")));
	assert_said("");
	tell(PIECE("p-201", "true", ""));
	live(100);
	assert_said("201 ok busy off none held/-/44 connected/-/46\n");
	assert_int_equal(w.settled, 0);
	tell(PIECE("p-202", "1", ""));
	live(100);
	assert_said("202 ok idle off none\n");
	assert_int_equal(w.settled, 1);
	live(60000);
	assert_int_equal(w.counts[ASK_CALLS], 2);
}

/* An event between question and last piece is newer than all of them. */
static void an_event_between_the_pieces_stays(void **state)
{
	(void)state;
	begin_idle(0);
	tell(ESTABLISHED("1", "44"));
	w.how[ASK_CALLS] = IN_PIECES("p");
	verify("201");
	serve();
	tell(CLEARED("1"));
	tell(PIECE("p", "false", ONE_CALL("1", "connected", "44")));
	tell(DELIVERED("2", "45"));
	w.how[ASK_CALLS] = CALLS(ONE_CALL("2", "alerting", "45"));
	tell(PIECE("p", "true", ""));
	live(3000);
	assert_string_equal(last_said(), "201 ok ringing off none ringing/in/45\n");
	assert_int_equal(w.counts[ASK_CALLS], 2); /* once more, since there were events */
}

static void pieces_that_come_too_late_are_asked_for_again(void **state)
{
	(void)state;
	begin(16, 100, 0);
	w.how[ASK_CALLS] = IN_PIECES("p-%s");
	watch("201");
	ready();
	live(9000);
	assert_int_equal(w.counts[ASK_CALLS], 1);
	w.how[ASK_CALLS] = CALLS(ONE_CALL("1", "connected", "44"));
	live(2000);
	assert_int_equal(w.counts[ASK_CALLS], 2);
	assert_said("201 ok busy off none connected/-/44\n");
	tell(PIECE("p-201", "true", ""));
	assert_said("");
}

/* --- what the switch cannot ------------------------------------------------------------------------------- */

static void what_a_switch_does_not_support_is_unknown_and_not_asked_again(void **state)
{
	(void)state;
	begin(1, 100, 0);
	w.how[ASK_DND] = UNSUPPORTED;
	w.how[ASK_FORWARD] = UNSUPPORTED;
	watch("201");
	watch("202");
	watch("203");
	ready();
	live(2000);
	assert_non_null(strstr(buf_text(&w.said), "201 ok idle - -\n"));
	assert_non_null(strstr(buf_text(&w.said), "203 ok idle - -\n"));
	verify("201");
	live(1000);
	assert_int_equal(w.counts[ASK_DND], 1);
	assert_int_equal(w.counts[ASK_FORWARD], 1);
	buf_clear(&w.said);
	tell(DND_EVENT("true")); /* but it may tell */
	assert_said("201 ok idle on -\n");
	lost();
	w.how[ASK_DND] = DND("false"); /* the next connection may be to another one */
	ready();
	live(1000);
	assert_string_equal(last_said() + 3, " ok idle off -\n");
}

static void what_one_device_does_not_support_others_may(void **state)
{
	static const char *const errors[] = { "parameterNotSupported", "requestIncompatibleWithDevice",
		"invalidFeature" };
	char text[200];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		snprintf(text, sizeof text, "<CSTAErrorCode><operation>%s</operation></CSTAErrorCode>", errors[i]);
		begin(16, 100, 0);
		w.how[ASK_DND] = text;
		watch("201");
		ready();
		live(100);
		assert_said("201 ok idle - none\n");
		w.how[ASK_DND] = DND("true");
		watch("202");
		live(100);
		assert_said("202 ok idle on none\n");
		end(NULL);
	}
}

static void features_that_are_never_answered_are_given_up(void **state)
{
	char device[16];

	(void)state;
	begin(1, 100, 0);
	w.how[ASK_DND] = w.how[ASK_FORWARD] = NULL;
	for (int i = 0; i < 20; i++) {
		snprintf(device, sizeof device, "%d", 201 + i);
		watch(device);
	}
	ready();
	live(60000);
	assert_int_equal(w.settled, 1);
	assert_int_equal(w.said_count >= 20, 1);
	assert_in_range(w.counts[ASK_DND], 1, 4);
	assert_in_range(w.counts[ASK_FORWARD], 1, 4);
}

/* One that answered once is slow or busy, not without it. */
static void a_feature_that_was_answered_once_is_asked_again(void **state)
{
	(void)state;
	begin_idle(0);
	w.how[ASK_DND] = NULL;
	for (int i = 0; i < 5; i++) {
		verify("201");
		live(20000);
	}
	assert_int_equal(w.counts[ASK_DND], 5);
	w.how[ASK_DND] = DND("true");
	verify("201");
	live(1000);
	assert_string_equal(last_said(), "201 ok idle on none\n");
}

static void without_snapshots_events_are_all_there_is(void **state)
{
	(void)state;
	begin(16, 100, 0);
	w.how[ASK_CALLS] = UNSUPPORTED;
	watch("201");
	ready();
	live(1000);
	assert_said("201 ok - off none\n");
	assert_int_equal(w.settled, 1);
	tell(DELIVERED("1", "44"));
	assert_said("201 ok ringing off none ringing/in/44\n");
	tell(CLEARED("1"));
	assert_said("201 ok idle off none\n");
	verify("201");
	live(1000);
	assert_said("201 ok idle off none\n");
	assert_int_equal(w.counts[ASK_CALLS], 1);
}

static void a_snapshot_that_is_not_answered_makes_the_line_stale(void **state)
{
	(void)state;
	begin_idle(0);
	w.how[ASK_CALLS] = NULL;
	verify("201");
	live(25000);
	assert_string_equal(last_said(), "201 stale\n");
	w.how[ASK_CALLS] = CALLS(ONE_CALL("1", "connected", "44"));
	live(30000);
	assert_string_equal(last_said(), "201 ok busy off none connected/-/44\n");
}

/* --- event and answer ------------------------------------------------------------------------------------- */

/* The answer was on its way when it happened. */
static void an_event_is_newer_than_an_answer_to_an_earlier_question(void **state)
{
	(void)state;
	begin_idle(0);
	verify("201");
	answer(take(ASK_CALLS, "201"), CALLS(""));
	tell(DND_EVENT("true"));
	answer(take(ASK_DND, "201"), DND("false"));
	tell(FORWARDING_EVENT("true", "<forwardTo>8000</forwardTo>"));
	answer(take(ASK_FORWARD, "201"), FORWARDS(""));
	assert_string_equal(last_said(), "201 ok idle on 8000\n");
	w.how[ASK_DND] = DND("true");
	w.how[ASK_FORWARD] = FORWARDS(FORWARD_TO("forwardImmediate", "true", "8000"));
	live(10000);
	assert_string_equal(last_said(), "");
}

static void calls_are_asked_once_more_after_events_between(void **state)
{
	(void)state;
	begin_idle(0);
	verify("201");
	tell(ESTABLISHED("2", "45"));
	answer(take(ASK_CALLS, "201"), CALLS(""));
	w.how[ASK_CALLS] = CALLS(ONE_CALL("2", "connected", "45"));
	assert_string_equal(last_said(), "201 ok busy off none connected/in/45\n");
	live(2500);
	assert_int_equal(w.counts[ASK_CALLS], 2);
	assert_string_equal(last_said(), "201 ok busy off none connected/in/45\n");
	live(60000);
	assert_int_equal(w.counts[ASK_CALLS], 2);
}

static void a_forward_without_target_is_asked_for(void **state)
{
	(void)state;
	begin_idle(0);
	tell(FORWARDING_EVENT("true", ""));
	assert_string_equal(last_said(), "201 ok idle off ?\n");
	w.how[ASK_FORWARD] = FORWARDS(FORWARD_TO("forwardImmediate", "true", "8000"));
	live(1000);
	assert_string_equal(last_said(), "201 ok idle off 8000\n");
	assert_int_equal(w.counts[ASK_FORWARD], 1);
	assert_int_equal(w.counts[ASK_CALLS], 0);
}

/* A type that is missing is every call, and is asked for. */
static void a_forward_without_type_is_asked_for(void **state)
{
	(void)state;
	begin_idle(0);
	tell("<ForwardingEvent><monitorCrossRefID>m-201</monitorCrossRefID><device>201</device>"
	     "<forwardStatus>true</forwardStatus><forwardTo>8000</forwardTo></ForwardingEvent>");
	assert_string_equal(last_said(), "201 ok idle off 8000\n");
	live(1000);
	assert_string_equal(last_said(), "201 ok idle off none\n");
	assert_int_equal(w.counts[ASK_FORWARD], 1);
}

/* --- service ---------------------------------------------------------------------------------------------- */

static void a_line_out_of_service_is_offline_until_it_is_back(void **state)
{
	(void)state;
	begin_idle(0);
	tell(ESTABLISHED("1", "44"));
	buf_clear(&w.said);
	tell(SERVICE_EVENT("OutOfServiceEvent"));
	assert_said("201 ok offline off none\n");
	live(10000);
	assert_said("");
	tell(SERVICE_EVENT("BackInServiceEvent"));
	assert_said("");
	live(1000);
	assert_said("201 ok idle off none\n");
	assert_int_equal(w.counts[ASK_CALLS], 1);
	assert_int_equal(w.counts[ASK_DND], 1);
	assert_int_equal(w.counts[ASK_FORWARD], 1);
	assert_int_equal(w.counts[ASK_START], 0);
}

static void a_device_that_has_changed_is_asked_again(void **state)
{
	static const char *const events[] = { SERVICE_EVENT("DeviceCapsChangedEvent"),
		SERVICE_EVENT("PartiallyInServiceEvent") };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(events); i++) {
		begin(16, 100, 0);
		w.how[ASK_DND] = REFUSED("operation", "requestIncompatibleWithDevice");
		watch("201");
		ready();
		live(1000);
		assert_said("201 ok idle - none\n");
		w.how[ASK_DND] = DND("true"); /* it can now */
		tell(events[i]);
		live(1000);
		assert_said("201 ok idle on none\n");
		end(NULL);
	}
}

/* --- doubts ----------------------------------------------------------------------------------------------- */

static void a_late_event_of_an_ended_call_is_asked_about_and_not_believed(void **state)
{
	(void)state;
	begin_idle(0);
	tell(ESTABLISHED("1", "44"));
	tell(CLEARED("1"));
	buf_clear(&w.said);
	tell(ESTABLISHED("1", "44"));
	assert_string_equal(last_said(), "201 ok idle off none\n");
	live(2000);
	assert_int_equal(w.counts[ASK_CALLS], 1);
	assert_string_equal(last_said(), "201 ok idle off none\n");
	tell(DELIVERED("1", "44")); /* the id is used again, and the switch confirms it */
	w.how[ASK_CALLS] = CALLS(ONE_CALL("1", "alerting", "44"));
	live(35000);
	assert_string_equal(last_said(), "201 ok ringing off none ringing/in/44\n");
}

static void events_of_calls_that_cannot_be_so_are_taken_and_asked_about(void **state)
{
	static const struct {
		const char *event, *calls, *said;
	} rows[] = {
		{ HELD("1"), CALLS(ONE_CALL("1", "hold", "44")), "201 ok held off none held/-/44\n" },
		{ "<RetrievedEvent><monitorCrossRefID>m-201</monitorCrossRefID><retrievedConnection><callID>1</callID>"
		  "</retrievedConnection><retrievingDevice><deviceIdentifier>201</deviceIdentifier></retrievingDevice>"
		  "<localConnectionInfo>connected</localConnectionInfo></RetrievedEvent>",
		    CALLS(ONE_CALL("1", "connected", "44")), "201 ok busy off none connected/-/44\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		begin_idle(0);
		tell(rows[i].event);
		assert_true(strncmp(last_said(), rows[i].said, strlen("201 ok busy")) == 0);
		w.how[ASK_CALLS] = rows[i].calls;
		live(2000);
		assert_int_equal(w.counts[ASK_CALLS], 1);
		assert_string_equal(last_said(), rows[i].said);
		end(NULL);
	}
}

/* Doubtful events all the time, and the switch says each time that it is nothing. */
static void a_line_in_doubt_is_asked_less_and_less_often(void **state)
{
	(void)state;
	begin_idle(0);
	for (int i = 0; i < 600; i++) {
		tell(HELD("1"));
		live(500);
	}
	assert_in_range(w.counts[ASK_CALLS], 10, 20); /* 5 minutes: 0, 1, 3, 7, 15, 31, then each 30 s */
	live(120000);				      /* then it is quiet, and the next doubt is asked at once */
	w.counts[ASK_CALLS] = 0;
	tell(HELD("2"));
	live(200);
	assert_int_equal(w.counts[ASK_CALLS], 1);
}

static void a_transfer_is_followed_by_a_snapshot(void **state)
{
	(void)state;
	begin_idle(0);
	tell(ESTABLISHED("1", "44"));
	tell("<TransferedEvent><monitorCrossRefID>m-201</monitorCrossRefID><primaryOldCall><callID>1</callID>"
	     "</primaryOldCall><transferringDevice><deviceIdentifier>44</deviceIdentifier></transferringDevice>"
	     "<transferredToDevice><deviceIdentifier>45</deviceIdentifier></transferredToDevice>"
	     "<transferredConnections><connectionListItem><newConnection><callID>3</callID><deviceID>201</deviceID>"
	     "</newConnection></connectionListItem><connectionListItem><newConnection><callID>3</callID>"
	     "<deviceID>45</deviceID></newConnection></connectionListItem></transferredConnections>"
	     "<localConnectionInfo>connected</localConnectionInfo></TransferedEvent>");
	assert_string_equal(last_said(), "201 ok busy off none connected/in/45\n");
	w.how[ASK_CALLS] = CALLS(ONE_CALL("3", "connected", "45"));
	live(800);
	assert_int_equal(w.counts[ASK_CALLS], 0);
	live(500);
	assert_int_equal(w.counts[ASK_CALLS], 1);
	assert_string_equal(last_said(), "201 ok busy off none connected/in/45\n");
}

/* --- the whole switch ------------------------------------------------------------------------------------- */

static void when_messages_were_lost_all_is_asked_again(void **state)
{
	(void)state;
	begin(16, 100, 0);
	watch("201");
	watch("202");
	ready();
	live(1000);
	forget_what_was_said();
	csta_monitors_ask_all(w.monitors);
	csta_monitors_ask_all(w.monitors);
	assert_said("");
	live(1000);
	assert_int_equal(w.counts[ASK_CALLS], 2);
	assert_int_equal(w.counts[ASK_DND], 2);
	assert_int_equal(w.counts[ASK_FORWARD], 2);
	assert_int_equal(w.counts[ASK_START], 0);
	assert_int_equal(w.settled, 1);
	assert_non_null(strstr(buf_text(&w.said), "201 ok idle off none\n"));
	assert_non_null(strstr(buf_text(&w.said), "202 ok idle off none\n"));
}

/* What was answered before it does not count. */
static void when_messages_were_lost_during_a_round_it_begins_again(void **state)
{
	(void)state;
	for (int moment = 0; moment < 4; moment++) {
		begin(16, 100, 0);
		watch("201");
		ready();
		if (moment >= 1)
			answer(take(ASK_START, "201"), STARTED);
		if (moment >= 2)
			answer(take(ASK_CALLS, "201"), CALLS(""));
		if (moment >= 3)
			answer(take(ASK_DND, "201"), DND("false"));
		csta_monitors_ask_all(w.monitors);
		pass(0);
		assert_int_equal(w.settled, 0);
		w.how[ASK_CALLS] = CALLS(ONE_CALL("1", "connected", "44"));
		w.how[ASK_DND] = DND("true");
		live(2500);
		assert_string_equal(last_said(), "201 ok busy on none connected/-/44\n");
		assert_int_equal(w.settled, 1);
		end(NULL);
	}
}

/* Only events have told them, and those may be lost. */
static void what_only_events_can_tell_is_forgotten_then(void **state)
{
	(void)state;
	begin(16, 100, 0);
	w.how[ASK_DND] = w.how[ASK_FORWARD] = UNSUPPORTED;
	watch("201");
	ready();
	live(1000);
	tell(DND_EVENT("true"));
	tell(FORWARDING_EVENT("true", "<forwardTo>8000</forwardTo>"));
	assert_string_equal(last_said(), "201 ok idle on 8000\n");
	csta_monitors_ask_all(w.monitors);
	live(1000);
	assert_string_equal(last_said(), "201 ok idle - -\n");
}

static void without_lines_it_is_settled_at_once(void **state)
{
	(void)state;
	begin(16, 100, 0);
	csta_monitors_ask_all(w.monitors);
	pass(1000);
	assert_int_equal(w.settled, 0);
	ready();
	assert_int_equal(w.settled, 1);
	csta_monitors_ask_all(w.monitors);
	pass(0);
	assert_int_equal(w.settled, 2);
	pass(60000);
	assert_int_equal(w.settled, 2);
}

static void features_are_polled_where_that_is_wished(void **state)
{
	(void)state;
	begin_idle(60000);
	live(59000);
	assert_int_equal(w.counts[ASK_DND], 0);
	w.how[ASK_DND] = DND("true");
	live(2000);
	assert_string_equal(last_said(), "201 ok idle on none\n");
	live(600000);
	assert_in_range(w.counts[ASK_DND], 10, 11);
	assert_in_range(w.counts[ASK_FORWARD], 10, 11);
	assert_int_equal(w.counts[ASK_CALLS], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_teardown(f, end)
		TEST(a_verification_is_one_answer_also_when_nothing_is_new),
		TEST(a_verification_corrects_what_events_did_not_tell),
		TEST(a_verification_during_a_round_asks_everything_again),
		TEST(every_kind_of_line_is_verified),
		TEST(who_is_not_there_yet_is_not_verified),
		TEST(nothing_is_said_before_the_first_round_is_over),
		TEST(calls_are_said_within_half_a_second),
		TEST(events_are_said_at_once),
		TEST(an_event_of_nobody_is_counted),
		TEST(a_snapshot_comes_in_pieces),
		TEST(an_event_between_the_pieces_stays),
		TEST(pieces_that_come_too_late_are_asked_for_again),
		TEST(what_a_switch_does_not_support_is_unknown_and_not_asked_again),
		TEST(what_one_device_does_not_support_others_may),
		TEST(features_that_are_never_answered_are_given_up),
		TEST(a_feature_that_was_answered_once_is_asked_again),
		TEST(without_snapshots_events_are_all_there_is),
		TEST(a_snapshot_that_is_not_answered_makes_the_line_stale),
		TEST(an_event_is_newer_than_an_answer_to_an_earlier_question),
		TEST(calls_are_asked_once_more_after_events_between),
		TEST(a_forward_without_target_is_asked_for),
		TEST(a_forward_without_type_is_asked_for),
		TEST(a_line_out_of_service_is_offline_until_it_is_back),
		TEST(a_device_that_has_changed_is_asked_again),
		TEST(a_late_event_of_an_ended_call_is_asked_about_and_not_believed),
		TEST(events_of_calls_that_cannot_be_so_are_taken_and_asked_about),
		TEST(a_line_in_doubt_is_asked_less_and_less_often),
		TEST(a_transfer_is_followed_by_a_snapshot),
		TEST(when_messages_were_lost_all_is_asked_again),
		TEST(when_messages_were_lost_during_a_round_it_begins_again),
		TEST(what_only_events_can_tell_is_forgotten_then),
		TEST(without_lines_it_is_settled_at_once),
		TEST(features_are_polled_where_that_is_wished),
	};

	return cmocka_run_group_tests_name("csta_questions", tests, NULL, NULL);
}
