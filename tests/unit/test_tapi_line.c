/* test_tapi_line.c: the calls of a line and the light that follows, whatever order events and answers come in.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include "connectors/tapi/line.h"
#include "daemon/base/buf.h"
#include "daemon/model/vocab.h"

static struct tapi_line line;
static struct instant now;

static int begin(void **state)
{
	(void)state;
	line_init(&line);
	now = (struct instant){ .mono = 1000000, .wall = 1795176000000 };
	return 0;
}

static int end(void **state)
{
	(void)state;
	line_done(&line);
	return 0;
}

static void pass(int64_t ms)
{
	now.mono += ms;
	now.wall += ms;
}

static int event(const char *id, enum connection is)
{
	const struct call_said said = { .id = id, .state = (uint8_t)is, .answered = -1, .direction = -1 };

	return line_call_changed(&line, &said, now);
}

static int event_with(const char *id, enum connection is, int8_t answered, int8_t direction, const char *peer)
{
	const struct call_said said = { .id = id,
		.state = (uint8_t)is,
		.answered = answered,
		.direction = direction,
		.parties_said = true,
		.peer = peer };

	return line_call_changed(&line, &said, now);
}

static void answer_one(const char *id, enum connection is, uint32_t asked)
{
	const struct call_said said = { .id = id, .state = (uint8_t)is, .answered = 1, .direction = -1 };

	assert_int_equal(line_call_answered(&line, &said, asked, now), 0);
}

/* A whole answer to a question that was asked at `asked`; ids and states, ended by NULL. */
static int answer_at(uint32_t asked, const char *const *ids, const enum connection *states)
{
	line_calls_begin(&line);
	for (size_t i = 0; ids != NULL && ids[i] != NULL; i++)
		answer_one(ids[i], states[i], asked);
	return line_calls_end(&line, asked, now);
}

static int answer_none(void)
{
	return answer_at(line_clock(&line), NULL, NULL);
}

/* "busy off none connected/in/202"; - for what is not known. */
static const char *reading(void)
{
	static char text[2000];
	struct line_reading r;
	struct raw_facts *f = &r.facts;
	size_t at;

	line_read(&line, &r);
	if (raw_facts_check(f) != NULL)
		fail_msg("%s", raw_facts_check(f));
	at = (size_t)snprintf(text, sizeof text, "%s %s %s",
	    (f->known & RAW_LINE) != 0 ? vocab_name(&vocab_line, f->line) : "-",
	    (f->known & RAW_DND) == 0 ? "-" :
		f->dnd		      ? "on" :
					"off",
	    (f->known & RAW_FORWARD) == 0 ? "-" :
		!f->forwarded		  ? "none" :
		f->forward_target != NULL ? f->forward_target :
					    "?");
	if ((f->known & RAW_CALLS) == 0)
		assert_int_equal(f->call_count, 0);
	for (size_t i = 0; i < f->call_count; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, " %s/%s/%s",
		    vocab_name(&vocab_call_state, f->calls[i].state),
		    f->calls[i].direction < 0 ? "-" : vocab_name(&vocab_direction, f->calls[i].direction),
		    f->calls[i].peer == NULL ? "-" : f->calls[i].peer);
	return text;
}

#define assert_reads(text) assert_string_equal(reading(), text)

/* --- what is known ---------------------------------------------------------------------------------------------------- */

static void at_first_nothing_is_known(void **state)
{
	struct line_reading r;

	(void)state;
	line_read(&line, &r);
	assert_int_equal(r.facts.known, 0);
	assert_int_equal(r.facts.status, STATE_STATUS_OK);
	assert_int_equal(event("1", CONNECTION_CONNECTED), 0);
	assert_reads("- - -"); /* there may be others */
	assert_int_equal(answer_none(), 0);
	assert_reads("idle - -");
}

static void events_alone_may_be_believed(void **state)
{
	(void)state;
	event("1", CONNECTION_ALERTING);
	line_calls_believe(&line);
	assert_reads("ringing - - ringing/-/-");
	event("1", CONNECTION_NULL);
	assert_reads("idle - -");
}

/* --- the light ---------------------------------------------------------------------------------------------------------- */

/* Each pair of states, either way round: the table of the fold. */
static void the_most_telling_call_decides(void **state)
{
	static const struct {
		enum connection is;
		int rank; /* lower wins */
		const char *alone;
	} folds[] = {
		{ CONNECTION_CONNECTED, 0, "busy" },
		{ CONNECTION_INITIATED, 0, "busy" },
		{ CONNECTION_FAIL, 0, "busy" },
		{ CONNECTION_ALERTING, 1, "ringing" },
		{ CONNECTION_HOLD, 2, "held" },
		{ CONNECTION_QUEUED, 4, "idle" },
		{ CONNECTION_NULL, 4, "idle" },
	};

	(void)state;
	for (size_t a = 0; a < COUNT_OF(folds); a++) {
		for (size_t b = 0; b < COUNT_OF(folds); b++) {
			const char *expected = folds[folds[a].rank <= folds[b].rank ? a : b].alone;

			line_calls_believe(&line);
			event("1", folds[a].is);
			event("2", folds[b].is);
			if (strncmp(reading(), expected, strlen(expected)) != 0)
				fail_msg("%zu and %zu: %s, not %s", a, b, reading(), expected);
			end(state);
			begin(state);
		}
	}
}

/* A call of which nobody knows what it does makes the line unknown, unless others tell more. */
static void a_call_in_an_unknown_state_may_be_anything(void **state)
{
	(void)state;
	line_calls_believe(&line);
	event("1", CONNECTION_UNKNOWN);
	assert_reads("- - -");
	event("2", CONNECTION_CONNECTED);
	assert_reads("busy - - connected/-/-");
}

static void calls_have_the_states_of_the_contract(void **state)
{
	static const struct {
		enum connection is;
		int8_t answered, direction;
		const char *reads;
	} rows[] = {
		{ CONNECTION_INITIATED, 0, DIRECTION_OUT, "busy - - dialing/out/44" },
		{ CONNECTION_CONNECTED, 0, DIRECTION_OUT, "busy - - dialing/out/44" },
		{ CONNECTION_CONNECTED, 1, DIRECTION_OUT, "busy - - connected/out/44" },
		{ CONNECTION_CONNECTED, -1, DIRECTION_IN, "busy - - connected/in/44" },
		{ CONNECTION_FAIL, 0, DIRECTION_OUT, "busy - - dialing/out/44" },
		{ CONNECTION_ALERTING, 0, DIRECTION_IN, "ringing - - ringing/in/44" },
		{ CONNECTION_HOLD, 1, DIRECTION_IN, "held - - held/in/44" },
		{ CONNECTION_QUEUED, 0, DIRECTION_IN, "idle - -" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		line_calls_believe(&line);
		event_with("1", rows[i].is, rows[i].answered, rows[i].direction, "44");
		assert_reads(rows[i].reads);
		end(state);
		begin(state);
	}
}

static void what_an_event_does_not_say_stays(void **state)
{
	struct call_said said;

	(void)state;
	line_calls_believe(&line);
	event_with("1", CONNECTION_CONNECTED, 1, DIRECTION_OUT, "44");
	event("1", CONNECTION_HOLD);
	assert_reads("held - - held/out/44");
	event("1", CONNECTION_CONNECTED);
	assert_reads("busy - - connected/out/44");
	event_with("1", CONNECTION_CONNECTED, -1, -1, NULL); /* withheld now */
	assert_reads("busy - - connected/out/-");
	assert_true(line_call_find(&line, "1", &said));
	assert_int_equal(said.direction, DIRECTION_OUT);
	assert_false(line_call_find(&line, "2", &said));
}

static void since_is_when_what_is_shown_began(void **state)
{
	struct line_reading r;
	int64_t rang = now.wall, talked;

	(void)state;
	line_calls_believe(&line);
	event("1", CONNECTION_ALERTING);
	pass(5000);
	event("1", CONNECTION_ALERTING);
	line_read(&line, &r);
	assert_int_equal(r.calls[0].since, rang);
	talked = now.wall;
	event_with("1", CONNECTION_CONNECTED, 1, DIRECTION_IN, "44");
	pass(5000);
	event_with("1", CONNECTION_CONNECTED, 1, DIRECTION_IN, "45");
	line_read(&line, &r);
	assert_int_equal(r.calls[0].since, talked);
	answer_at(
	    line_clock(&line), (const char *const[]){ "1", NULL }, (const enum connection[]){ CONNECTION_CONNECTED });
	line_read(&line, &r);
	assert_int_equal(r.calls[0].since, talked);
	answer_at(
	    line_clock(&line), (const char *const[]){ "2", NULL }, (const enum connection[]){ CONNECTION_CONNECTED });
	line_read(&line, &r);
	assert_int_equal(r.calls[0].since, 0); /* nobody saw it begin */
}

/* --- events and answers --------------------------------------------------------------------------------------------------- */

static void an_answer_replaces_the_table(void **state)
{
	(void)state;
	event("1", CONNECTION_CONNECTED);
	event("2", CONNECTION_HOLD);
	assert_int_equal(answer_at(line_clock(&line), (const char *const[]){ "2", "3", NULL },
			     (const enum connection[]){ CONNECTION_HOLD, CONNECTION_ALERTING }),
	    0);
	assert_reads("ringing - - held/-/- ringing/-/-");
	assert_int_equal(answer_none(), 0);
	assert_reads("idle - -");
}

static void events_after_the_question_are_newer(void **state)
{
	uint32_t asked;

	(void)state;
	event("1", CONNECTION_CONNECTED);
	event("2", CONNECTION_CONNECTED);
	asked = line_clock(&line);
	event("1", CONNECTION_NULL);
	event("2", CONNECTION_HOLD);
	event("3", CONNECTION_ALERTING);
	assert_int_equal(answer_at(asked, (const char *const[]){ "1", "2", NULL },
			     (const enum connection[]){ CONNECTION_CONNECTED, CONNECTION_CONNECTED }),
	    TAPI_ASK_AGAIN);
	assert_reads("ringing - - held/-/- ringing/-/-");
}

static void a_call_that_ended_stays_ended_for_half_a_minute(void **state)
{
	(void)state;
	line_calls_believe(&line);
	event("1", CONNECTION_CONNECTED);
	event("1", CONNECTION_NULL);
	pass(LINE_ENDED_MS - 1);
	assert_int_equal(event("1", CONNECTION_CONNECTED), TAPI_ASK_CALLS);
	assert_reads("idle - -");
	pass(1);
	assert_int_equal(event("1", CONNECTION_CONNECTED), 0);
	assert_reads("busy - - connected/-/-");
}

static void an_end_of_a_call_that_was_never_seen_counts(void **state)
{
	(void)state;
	line_calls_believe(&line);
	assert_int_equal(event("1", CONNECTION_NULL), 0);
	assert_int_equal(event("1", CONNECTION_ALERTING), TAPI_ASK_CALLS);
	assert_reads("idle - -");
}

static void only_an_answer_to_a_later_question_brings_a_call_back(void **state)
{
	uint32_t asked;

	(void)state;
	line_calls_believe(&line);
	event("1", CONNECTION_CONNECTED);
	asked = line_clock(&line);
	event("1", CONNECTION_NULL);
	answer_at(asked, (const char *const[]){ "1", NULL }, (const enum connection[]){ CONNECTION_CONNECTED });
	assert_reads("idle - -");
	answer_at(
	    line_clock(&line), (const char *const[]){ "1", NULL }, (const enum connection[]){ CONNECTION_CONNECTED });
	assert_reads("busy - - connected/-/-");
	assert_int_equal(event("1", CONNECTION_HOLD), 0); /* and then it is a call like any other */
	assert_reads("held - - held/-/-");
}

/* What an answer does not name is over as well as if an event had said it. */
static void a_late_event_of_a_call_that_an_answer_ended_is_not_believed(void **state)
{
	(void)state;
	event("1", CONNECTION_CONNECTED);
	answer_none();
	assert_int_equal(event("1", CONNECTION_HOLD), TAPI_ASK_CALLS);
	assert_reads("idle - -");
}

static void events_in_an_impossible_order_are_taken_and_doubted(void **state)
{
	struct call_said retrieved = { .id = "2", .state = CONNECTION_CONNECTED, .answered = -1, .direction = -1 };

	(void)state;
	line_calls_believe(&line);
	assert_int_equal(event("1", CONNECTION_HOLD), TAPI_ASK_CALLS);
	assert_reads("held - - held/-/-");
	assert_int_equal(event("2", CONNECTION_CONNECTED), 0);
	retrieved.was_held = true;
	assert_int_equal(line_call_changed(&line, &retrieved, now), TAPI_ASK_CALLS);
	assert_int_equal(event("2", CONNECTION_ALERTING), TAPI_ASK_CALLS);
	assert_int_equal(event("1", CONNECTION_CONNECTED), 0);
	assert_int_equal(event("1", CONNECTION_HOLD), 0);
}

static void two_with_one_id_the_latter_counts(void **state)
{
	(void)state;
	answer_at(line_clock(&line), (const char *const[]){ "1", "1", NULL },
	    (const enum connection[]){ CONNECTION_CONNECTED, CONNECTION_HOLD });
	assert_reads("held - - held/-/-");
	answer_at(line_clock(&line), (const char *const[]){ "", NULL }, (const enum connection[]){ CONNECTION_HOLD });
	assert_reads("held - - held/-/-");
}

static void an_answer_that_names_an_ended_call_names_none(void **state)
{
	(void)state;
	answer_at(line_clock(&line), (const char *const[]){ "1", NULL }, (const enum connection[]){ CONNECTION_NULL });
	assert_reads("idle - -");
}

/* The clock may go round. */
static void the_clock_may_go_round(void **state)
{
	uint32_t asked;

	(void)state;
	line_calls_believe(&line);
	line.clock = line.calls_at = UINT32_MAX - 1;
	asked = line_clock(&line);
	event("1", CONNECTION_CONNECTED);
	event("2", CONNECTION_CONNECTED);
	event("2", CONNECTION_NULL);
	assert_int_equal(
	    answer_at(asked, (const char *const[]){ "2", NULL }, (const enum connection[]){ CONNECTION_CONNECTED }),
	    TAPI_ASK_AGAIN);
	assert_reads("busy - - connected/-/-");
	assert_int_equal(answer_none(), 0);
	assert_reads("idle - -");
}

/* --- limits ------------------------------------------------------------------------------------------------------------------ */

static void a_line_has_so_many_calls(void **state)
{
	char id[16];

	(void)state;
	line_calls_believe(&line);
	event("wait", CONNECTION_QUEUED);
	for (int i = 0; i < LINE_CALLS_MAX; i++) {
		snprintf(id, sizeof id, "c%d", i);
		assert_int_equal(event(id, CONNECTION_ALERTING), 0); /* one that waits is spared first */
	}
	assert_int_equal(line.count, LINE_CALLS_MAX);
	assert_int_equal(event("more", CONNECTION_CONNECTED), TAPI_ASK_CALLS);
	assert_int_equal(line.count, LINE_CALLS_MAX);
	assert_int_equal(strncmp(reading(), "ringing - - ringing", 19), 0);
	assert_int_equal(event("c0", CONNECTION_CONNECTED), 0);
	assert_int_equal(strncmp(reading(), "busy - - connected", 18), 0); /* those that are active first */
	for (int i = 0; i < 1000; i++) {
		snprintf(id, sizeof id, "d%d", i);
		answer_one(id, CONNECTION_CONNECTED, line_clock(&line));
		assert_true(line.count <= LINE_CALLS_MAX);
	}
}

/* --- service -------------------------------------------------------------------------------------------------------------------- */

static void out_of_service_all_calls_are_gone(void **state)
{
	(void)state;
	event("1", CONNECTION_CONNECTED);
	line_dnd_changed(&line, 1);
	assert_int_equal(line_service_changed(&line, false, now), 0);
	assert_reads("offline on -");
	assert_int_equal(line_service_changed(&line, true, now), TAPI_ASK_EVERYTHING);
	assert_reads("- on -");
	assert_int_equal(answer_none(), 0);
	assert_reads("idle on -");
}

static void a_call_on_a_line_that_was_out_of_service_brings_it_back(void **state)
{
	int ask;

	(void)state;
	line_service_changed(&line, false, now);
	ask = event("1", CONNECTION_ALERTING);
	assert_int_equal(ask & TAPI_ASK_EVERYTHING, TAPI_ASK_EVERYTHING);
	assert_reads("ringing - - ringing/-/-");
}

/* An answer to a question from before it does not bring it back. */
static void an_old_answer_does_not_bring_a_line_back(void **state)
{
	uint32_t asked = line_clock(&line);

	(void)state;
	line_service_changed(&line, false, now);
	assert_int_equal(answer_at(asked, NULL, NULL), TAPI_ASK_AGAIN);
	assert_reads("offline - -");
}

/* --- features ---------------------------------------------------------------------------------------------------------------------- */

static void do_not_disturb_is_that_of_the_newest(void **state)
{
	uint32_t asked;

	(void)state;
	line_dnd_answered(&line, 0, line_clock(&line));
	assert_reads("- off -");
	asked = line_clock(&line);
	line_dnd_changed(&line, 1);
	line_dnd_answered(&line, 0, asked);
	assert_reads("- on -");
	line_dnd_answered(&line, 0, line_clock(&line));
	assert_reads("- off -");
	line_dnd_changed(&line, -1);
	assert_reads("- - -");
}

static void check_forwards(unsigned on, const char *all, const char *internal, const char *external, const char *reads)
{
	const char *const to[LINE_FORWARDS] = { all, internal, external };

	assert_int_equal(line_forwards_answered(&line, true, (uint8_t)on, to, line_clock(&line)), 0);
	assert_reads(reads);
}

static void only_unconditional_forwarding_is_forwarded(void **state)
{
	const unsigned all = 1u << LINE_FORWARD_ALL, in = 1u << LINE_FORWARD_INTERNAL, ex = 1u << LINE_FORWARD_EXTERNAL;
	const char *const nowhere[LINE_FORWARDS] = { NULL };

	(void)state;
	check_forwards(0, NULL, NULL, NULL, "- - none");
	check_forwards(all, "8000", NULL, NULL, "- - 8000");
	check_forwards(all, NULL, NULL, NULL, "- - ?");
	check_forwards(all, "", NULL, NULL, "- - ?");
	check_forwards(in, NULL, "1", NULL, "- - none");
	check_forwards(ex, NULL, NULL, "2", "- - none");
	check_forwards(in | ex, NULL, "1", "2", "- - 2");
	check_forwards(in | ex, NULL, "1", NULL, "- - ?");
	check_forwards(all | in | ex, "8000", "1", "2", "- - 8000");
	assert_int_equal(line_forwards_answered(&line, false, 0, nowhere, line_clock(&line)), 0);
	assert_reads("- - -");
}

static void an_event_sets_one_kind_of_forwarding(void **state)
{
	uint32_t asked;
	const char *const to[LINE_FORWARDS] = { "1" };

	(void)state;
	assert_int_equal(line_forward_changed(&line, LINE_FORWARD_INTERNAL, true, "1"), 0);
	assert_reads("- - -"); /* whether all calls are is not known */
	assert_int_equal(line_forward_changed(&line, LINE_FORWARD_EXTERNAL, true, "2"), 0);
	assert_reads("- - 2");
	assert_int_equal(line_forward_changed(&line, LINE_FORWARD_ALL, true, NULL), TAPI_ASK_FORWARD);
	assert_reads("- - ?");
	asked = line_clock(&line);
	assert_int_equal(line_forward_changed(&line, LINE_FORWARD_ALL, true, "8000"), 0);
	assert_int_equal(line_forwards_answered(&line, true, 1, to, asked), 0); /* asked before the event */
	assert_reads("- - 8000");
	line_forward_changed(&line, LINE_FORWARD_ALL, false, NULL);
	assert_reads("- - none"); /* what the answer said of the other kinds counts */
	line_forward_changed(&line, LINE_FORWARD_EXTERNAL, false, NULL);
	assert_reads("- - none");
}

/* --- a lost connection -------------------------------------------------------------------------------- */

static void answer_with(const char *id, const char *peer)
{
	const struct call_said said = { .id = id,
		.state = CONNECTION_CONNECTED,
		.answered = 1,
		.direction = -1,
		.parties_said = true,
		.peer = peer };

	line_calls_begin(&line);
	assert_int_equal(line_call_answered(&line, &said, line_clock(&line), now), 0);
	assert_int_equal(line_calls_end(&line, line_clock(&line), now), 0);
}

static void lose_two_calls(void)
{
	answer_none();
	line_dnd_changed(&line, 1);
	assert_int_equal(event_with("1", CONNECTION_CONNECTED, 1, DIRECTION_OUT, "202"), 0);
	assert_int_equal(event_with("2", CONNECTION_ALERTING, 0, DIRECTION_IN, "203"), 0);
	line_lost(&line);
	assert_reads("- - -");
}

static void of_a_call_that_outlives_the_connection_its_direction_is_still_known(void **state)
{
	(void)state;
	lose_two_calls();
	answer_with("1", "202");
	assert_reads("busy - - connected/out/202");
}

static void a_call_of_the_same_name_with_somebody_else_is_another_one(void **state)
{
	(void)state;
	lose_two_calls();
	answer_with("1", "209");
	assert_reads("busy - - connected/-/209");
}

static void what_was_before_a_loss_is_not_believed_for_an_event(void **state)
{
	(void)state;
	lose_two_calls();
	event_with("3", CONNECTION_ALERTING, 0, DIRECTION_IN, "204");
	line_calls_believe(&line);
	assert_reads("ringing - - ringing/in/204");
}

static void a_call_that_ended_before_a_loss_may_begin_after_it(void **state)
{
	(void)state;
	answer_none();
	event("1", CONNECTION_NULL);
	line_lost(&line);
	answer_none();
	assert_int_equal(event("1", CONNECTION_ALERTING), 0);
	assert_reads("ringing - - ringing/-/-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
		TEST(at_first_nothing_is_known),
		TEST(events_alone_may_be_believed),
		TEST(the_most_telling_call_decides),
		TEST(a_call_in_an_unknown_state_may_be_anything),
		TEST(calls_have_the_states_of_the_contract),
		TEST(what_an_event_does_not_say_stays),
		TEST(since_is_when_what_is_shown_began),
		TEST(an_answer_replaces_the_table),
		TEST(events_after_the_question_are_newer),
		TEST(a_call_that_ended_stays_ended_for_half_a_minute),
		TEST(an_end_of_a_call_that_was_never_seen_counts),
		TEST(only_an_answer_to_a_later_question_brings_a_call_back),
		TEST(a_late_event_of_a_call_that_an_answer_ended_is_not_believed),
		TEST(events_in_an_impossible_order_are_taken_and_doubted),
		TEST(two_with_one_id_the_latter_counts),
		TEST(an_answer_that_names_an_ended_call_names_none),
		TEST(the_clock_may_go_round),
		TEST(a_line_has_so_many_calls),
		TEST(out_of_service_all_calls_are_gone),
		TEST(a_call_on_a_line_that_was_out_of_service_brings_it_back),
		TEST(an_old_answer_does_not_bring_a_line_back),
		TEST(do_not_disturb_is_that_of_the_newest),
		TEST(only_unconditional_forwarding_is_forwarded),
		TEST(an_event_sets_one_kind_of_forwarding),
		TEST(of_a_call_that_outlives_the_connection_its_direction_is_still_known),
		TEST(a_call_of_the_same_name_with_somebody_else_is_another_one),
		TEST(what_was_before_a_loss_is_not_believed_for_an_event),
		TEST(a_call_that_ended_before_a_loss_may_begin_after_it),
	};

	return cmocka_run_group_tests_name("tapi_line", tests, NULL, NULL);
}
