/* test_presence.c: when two presences are published alike; their JSON with and without permission `calls`.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include "daemon/model/presence.h"

static struct source_id cups = { (char[]){ "cups" }, TECHNOLOGY_SIP, 0, 0, 0 },
			sw = { (char[]){ "switch" }, TECHNOLOGY_TAPI, 1, 0, 0 };

/* The presence of DESIGN section 9. */
struct example {
	const struct raw_state *rich, *phone;
	struct presence p;
};

static struct example example_new(void)
{
	static const struct raw_call call = { .state = CALL_STATE_CONNECTED,
		.direction = DIRECTION_IN,
		.peer = "+442070846845",
		.name = "A. Caller",
		.since = 1795175880000 };
	static const struct raw_facts rich = { .domain = DOMAIN_RICH,
		.known = RAW_AVAILABILITY | RAW_ACTIVITY | RAW_NOTE,
		.availability = AVAILABILITY_BUSY,
		.activity = ACTIVITY_MEETING,
		.note = "Board room" };
	static const struct raw_facts phone = { .domain = DOMAIN_TELEPHONY,
		.known = RAW_TELEPHONY_FACTS,
		.line = LINE_BUSY,
		.forwarded = true,
		.forward_kind = -1,
		.forward_target = "2099",
		.calls = &call,
		.call_count = 1 };
	struct example e = { raw_state_new(&rich), raw_state_new(&phone), { .overall = OVERALL_FORWARDED_TO_PHONE } };

	e.p.rich = (struct presence_rich){
		.availability = AVAILABILITY_BUSY, .winner = e.rich, .source = &cups, .since = 1795175880000
	};
	e.p.telephony = (struct presence_telephony){ .mode = MODE_FORWARDED_TO_PHONE,
		.forward_kind = FORWARD_KIND_PHONE,
		.line = e.phone,
		.dnd = e.phone,
		.forward = e.phone,
		.source = &sw };
	return e;
}

static void example_done(struct example *e)
{
	raw_state_unref(e->rich);
	raw_state_unref(e->phone);
}

static void presence_of_the_design_is_written(void **state)
{
	struct example e = example_new();
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	presence_write(&b, &e.p, true);
	assert_string_equal(buf_text(&b),
	    "\"overall\":\"forwarded_to_phone\","
	    "\"rich\":{\"status\":\"ok\",\"availability\":\"busy\",\"activity\":\"meeting\",\"note\":\"Board "
	    "room\","
	    "\"technology\":\"sip\",\"source\":\"cups\",\"since\":\"2026-11-20T11:58:00.000Z\"},"
	    "\"telephony\":{\"status\":\"ok\",\"mode\":\"forwarded_to_phone\",\"line\":\"busy\",\"dnd\":"
	    "false,"
	    "\"forward\":{\"kind\":\"phone\",\"target\":\"2099\"},"
	    "\"calls\":[{\"state\":\"connected\",\"direction\":\"in\",\"peer\":\"+442070846845\",\"name\":"
	    "\"A. Caller\","
	    "\"since\":\"2026-11-20T11:58:00.000Z\"}],\"technology\":\"tapi\",\"source\":\"switch\"}");
	buf_done(&b);
	example_done(&e);
}

static void without_permission_neither_calls_nor_target(void **state)
{
	struct example e = example_new();
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	presence_write(&b, &e.p, false);
	assert_non_null(strstr(buf_text(&b), "\"forward\":{\"kind\":\"phone\"},\"technology\""));
	assert_null(strstr(buf_text(&b), "calls"));
	assert_null(strstr(buf_text(&b), "2099"));
	assert_null(strstr(buf_text(&b), "+44"));
	assert_null(strstr(buf_text(&b), "Caller"));
	buf_done(&b);
	example_done(&e);
}

static void what_is_not_known_is_absent(void **state)
{
	const struct presence p = { .overall = OVERALL_UNKNOWN,
		.rich = { .status = STATE_STATUS_NOT_REQUESTED, .availability = -1 },
		.telephony = { .status = STATE_STATUS_ERROR, .mode = -1, .forward_kind = -1 } };
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	presence_write(&b, &p, true);
	assert_string_equal(buf_text(&b),
	    "\"overall\":\"unknown\",\"rich\":{\"status\":\"not_requested\"},"
	    "\"telephony\":{\"status\":\"error\"}");
	buf_done(&b);
}

static void known_to_be_none_is_null(void **state)
{
	const struct raw_facts rich = { .domain = DOMAIN_RICH, .known = RAW_RICH_FACTS, .activity = -1 };
	const struct raw_facts phone = { .domain = DOMAIN_TELEPHONY, .known = RAW_FORWARD | RAW_LINE | RAW_CALLS };
	const struct raw_state *r = raw_state_new(&rich), *t = raw_state_new(&phone);
	const struct presence p = { .overall = OVERALL_AVAILABLE,
		.rich = { .winner = r },
		.telephony = { .mode = MODE_AVAILABLE, .forward_kind = -1, .line = t, .forward = t } };
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	presence_write(&b, &p, true);
	assert_string_equal(buf_text(&b),
	    "\"overall\":\"available\",\"rich\":{\"status\":\"ok\",\"availability\":\"available\","
	    "\"activity\":null,"
	    "\"note\":null,\"idle_since\":null},\"telephony\":{\"status\":\"ok\",\"mode\":\"available\","
	    "\"line\":\"idle\",\"forward\":null,\"calls\":[]}");
	buf_done(&b);
	raw_state_unref(r);
	raw_state_unref(t);
}

static void since_alone_makes_no_difference(void **state)
{
	struct example a = example_new(), b = example_new();

	(void)state;
	b.p.rich.since = 1;
	b.p.telephony.since = 2;
	assert_true(presence_equal(&a.p, &b.p));
	b.p.overall = OVERALL_BUSY;
	assert_false(presence_equal(&a.p, &b.p));
	example_done(&a);
	example_done(&b);
}

/* Equal is what is written alike, for a random pair of presences made of few states. */
static void equal_presences_are_those_that_are_written_alike(void **state)
{
	static const struct raw_call calls[] = { { .state = CALL_STATE_HELD, .peer = "1" },
		{ .state = CALL_STATE_HELD, .peer = "2" } };
	const struct raw_state *states[48];
	struct buf x, y;

	(void)state;
	random_begin(__func__);
	buf_init(&x, 10000);
	buf_init(&y, 10000);
	for (size_t i = 0; i < COUNT_OF(states); i++)
		states[i] = raw_state_new(&(struct raw_facts){ .domain = DOMAIN_TELEPHONY,
		    .known = RAW_TELEPHONY_FACTS,
		    .line = (int8_t)(i % 2),
		    .dnd = i / 2 % 2,
		    .forwarded = i / 4 % 3 > 0,
		    .forward_kind = -1,
		    .forward_target = i / 4 % 3 == 0 ? NULL :
			i / 4 % 3 == 1		     ? "1" :
						       "2",
		    .calls = calls + i / 12 % 2,
		    .call_count = i / 24 % 2 });
	for (int round = 0; round < 20000; round++) {
		struct presence p[2];

		for (int i = 0; i < 2; i++) {
			const struct raw_state *line = states[random_below(COUNT_OF(states))];
			const struct raw_state *dnd = states[random_below(COUNT_OF(states))];
			const struct raw_state *forward = states[random_below(COUNT_OF(states))];

			p[i] = (struct presence){ .rich = { .availability = -1 },
				.telephony = { .line = line,
				    .dnd = random_below(4) == 0 ? NULL : dnd,
				    .forward = random_below(4) == 0 ? NULL : forward,
				    .forward_kind = -1 } };
			if (p[i].telephony.forward != NULL && forward->facts.forwarded)
				p[i].telephony.forward_kind = FORWARD_KIND_PHONE;
		}
		buf_clear(&x);
		buf_clear(&y);
		presence_write(&x, &p[0], true);
		presence_write(&y, &p[1], true);
		if (presence_equal(&p[0], &p[1]) != (strcmp(buf_text(&x), buf_text(&y)) == 0))
			fail_msg("%s: %s\n%s", presence_equal(&p[0], &p[1]) ? "equal" : "not equal", buf_text(&x),
			    buf_text(&y));
	}
	for (size_t i = 0; i < COUNT_OF(states); i++)
		raw_state_unref(states[i]);
	buf_done(&x);
	buf_done(&y);
}

static void references_are_taken_and_given_back(void **state)
{
	struct example e = example_new();

	(void)state;
	presence_ref(&e.p);
	assert_int_equal(e.rich->refs, 2);
	assert_int_equal(e.phone->refs, 4);
	example_done(&e);
	assert_string_equal(e.p.rich.winner->facts.note, "Board room");
	presence_unref(&e.p);
	presence_unref(&(struct presence){ 0 });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presence_of_the_design_is_written),
		cmocka_unit_test(without_permission_neither_calls_nor_target),
		cmocka_unit_test(what_is_not_known_is_absent),
		cmocka_unit_test(known_to_be_none_is_null),
		cmocka_unit_test(since_alone_makes_no_difference),
		cmocka_unit_test(equal_presences_are_those_that_are_written_alike),
		cmocka_unit_test(references_are_taken_and_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
