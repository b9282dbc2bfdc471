/* test_raw_state.c: copies of facts, their comparison, their checks, and UTF-8.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include "daemon/model/raw_state.h"

static void everything_is_copied_and_counted(void **state)
{
	char note[] = "note", peer[] = "peer", name[] = "name", why[] = "why", target[] = "8000";
	struct raw_call calls[] = { { .state = CALL_STATE_HELD, .direction = -1, .peer = peer, .name = name },
		{ .state = CALL_STATE_RINGING, .direction = DIRECTION_IN } };
	const struct raw_facts facts = { .domain = DOMAIN_TELEPHONY,
		.known = RAW_CALLS | RAW_FORWARD,
		.forwarded = true,
		.forward_target = target,
		.note = note,
		.why = why,
		.calls = calls,
		.call_count = 2 };
	const struct raw_state *s = raw_state_new(&facts);

	(void)state;
	assert_non_null(s);
	note[0] = peer[0] = name[0] = why[0] = target[0] = 'X';
	calls[1].state = CALL_STATE_HELD;
	assert_string_equal(s->facts.note, "note");
	assert_string_equal(s->facts.why, "why");
	assert_string_equal(s->facts.forward_target, "8000");
	assert_string_equal(s->facts.calls[0].peer, "peer");
	assert_string_equal(s->facts.calls[0].name, "name");
	assert_null(s->facts.calls[1].peer);
	assert_int_equal(s->facts.calls[1].state, CALL_STATE_RINGING);
	assert_ptr_equal(raw_state_ref(s), s);
	assert_null(raw_state_unref(s));
	assert_string_equal(s->facts.note, "note"); /* still there */
	assert_null(raw_state_unref(s));
	assert_null(raw_state_ref(NULL));
	assert_null(raw_state_unref(NULL));
}

static const struct raw_call one_call = { .state = CALL_STATE_HELD, .direction = -1, .peer = "1" };
static const struct raw_call other_call = { .state = CALL_STATE_HELD, .direction = -1, .peer = "2" };

static bool same(const struct raw_facts *a, const struct raw_facts *b)
{
	const struct raw_state *x = raw_state_new(a), *y = raw_state_new(b);
	bool is_same = raw_state_same_facts(x, y);

	assert_int_equal(raw_state_same_facts(y, x), is_same);
	assert_true(raw_state_same_facts(x, x));
	assert_false(raw_state_same_facts(x, NULL));
	raw_state_unref(x);
	raw_state_unref(y);
	return is_same;
}

static void any_fact_or_status_makes_a_difference(void **state)
{
	static const struct raw_facts facts[] = {
		{ .domain = DOMAIN_RICH },
		{ .domain = DOMAIN_TELEPHONY },
		{ .domain = DOMAIN_RICH, .status = STATE_STATUS_ERROR },
		{ .domain = DOMAIN_RICH, .status = STATE_STATUS_ERROR, .why = "because" },
		{ .known = RAW_AVAILABILITY, .availability = AVAILABILITY_BUSY },
		{ .known = RAW_AVAILABILITY, .availability = AVAILABILITY_AWAY },
		{ .known = RAW_ACTIVITY, .activity = -1 },
		{ .known = RAW_ACTIVITY, .activity = ACTIVITY_MEETING },
		{ .known = RAW_NOTE },
		{ .known = RAW_NOTE, .note = "" },
		{ .known = RAW_NOTE, .note = "x" },
		{ .known = RAW_IDLE_SINCE },
		{ .known = RAW_IDLE_SINCE, .idle_since = 1 },
		{ .domain = DOMAIN_TELEPHONY, .known = RAW_LINE, .line = LINE_IDLE },
		{ .domain = DOMAIN_TELEPHONY, .known = RAW_LINE, .line = LINE_BUSY },
		{ .domain = DOMAIN_TELEPHONY, .known = RAW_DND },
		{ .domain = DOMAIN_TELEPHONY, .known = RAW_DND, .dnd = true },
		{ .domain = DOMAIN_TELEPHONY, .known = RAW_FORWARD, .forward_kind = -1 },
		{ .domain = DOMAIN_TELEPHONY, .known = RAW_FORWARD, .forwarded = true, .forward_kind = -1 },
		{ .domain = DOMAIN_TELEPHONY, .known = RAW_FORWARD, .forwarded = true },
		{ .domain = DOMAIN_TELEPHONY, .known = RAW_FORWARD, .forwarded = true, .forward_target = "1" },
		{ .domain = DOMAIN_TELEPHONY, .known = RAW_CALLS },
		{ .domain = DOMAIN_TELEPHONY, .known = RAW_CALLS, .call_count = 1, .calls = &one_call },
		{ .domain = DOMAIN_TELEPHONY, .known = RAW_CALLS, .call_count = 1, .calls = &other_call },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(facts); i++)
		for (size_t k = 0; k < COUNT_OF(facts); k++)
			assert_int_equal(same(&facts[i], &facts[k]), i == k);
}

static void times_and_what_is_not_known_make_none(void **state)
{
	const struct raw_facts a = { .known = RAW_AVAILABILITY,
		.at = 1,
		.observed_at = 2,
		.epoch = 3,
		.rev = 4,
		.valid_until = 5,
		.line = LINE_BUSY,
		.note = "stray",
		.activity = 3 };
	const struct raw_facts b = { .known = RAW_AVAILABILITY };

	(void)state;
	assert_true(same(&a, &b));
	assert_true(raw_state_same_facts(NULL, NULL));
}

static void facts_out_of_bounds_are_named(void **state)
{
	static char long_note[RAW_MAX_NOTE_BYTES + 2], long_text[RAW_MAX_TEXT_BYTES + 2];
	static const struct raw_call bad_state = { .state = CALL_STATE_COUNT }, no_state = { .state = -1 },
				     bad_direction = { .direction = DIRECTION_COUNT }, bad_peer = { .peer = "\xff" },
				     long_name = { .name = long_text };
	static const struct {
		struct raw_facts facts;
		const char *wrong;
	} bad[] = {
		{ { .domain = -1 }, "the domain is outside the vocabulary" },
		{ { .domain = DOMAIN_COUNT }, "the domain is outside the vocabulary" },
		{ { .status = -1 }, "the status is outside the vocabulary" },
		{ { .status = STATE_STATUS_COUNT }, "the status is outside the vocabulary" },
		{ { .known = RAW_LINE }, "a fact belongs to the other domain" },
		{ { .domain = DOMAIN_TELEPHONY, .known = RAW_NOTE }, "a fact belongs to the other domain" },
		{ { .known = RAW_AVAILABILITY, .availability = -1 }, "the availability is outside the vocabulary" },
		{ { .known = RAW_AVAILABILITY, .availability = AVAILABILITY_COUNT },
		    "the availability is outside the vocabulary" },
		{ { .known = RAW_ACTIVITY, .activity = -2 }, "the activity is outside the vocabulary" },
		{ { .known = RAW_ACTIVITY, .activity = ACTIVITY_COUNT }, "the activity is outside the vocabulary" },
		{ { .domain = DOMAIN_TELEPHONY, .known = RAW_LINE, .line = -1 }, "the line is outside the vocabulary" },
		{ { .domain = DOMAIN_TELEPHONY, .known = RAW_LINE, .line = LINE_COUNT },
		    "the line is outside the vocabulary" },
		{ { .domain = DOMAIN_TELEPHONY, .known = RAW_FORWARD, .forward_kind = 2 },
		    "the kind of forward is outside the vocabulary" },
		{ { .known = RAW_NOTE, .note = long_note }, "a text is too long" },
		{ { .known = RAW_NOTE, .note = "\xe4" }, "a text is not UTF-8" },
		{ { .why = long_text }, "a text is too long" },
		{ { .domain = DOMAIN_TELEPHONY, .forward_target = "\xc0\x80" }, "a text is not UTF-8" },
		{ { .domain = DOMAIN_TELEPHONY, .call_count = RAW_MAX_CALLS + 1 }, "more calls than a line can have" },
		{ { .domain = DOMAIN_TELEPHONY, .call_count = 1, .calls = &bad_state },
		    "a call's state or direction is outside the vocabulary" },
		{ { .domain = DOMAIN_TELEPHONY, .call_count = 1, .calls = &no_state },
		    "a call's state or direction is outside the vocabulary" },
		{ { .domain = DOMAIN_TELEPHONY, .call_count = 1, .calls = &bad_direction },
		    "a call's state or direction is outside the vocabulary" },
		{ { .domain = DOMAIN_TELEPHONY, .call_count = 1, .calls = &bad_peer }, "a text is not UTF-8" },
		{ { .domain = DOMAIN_TELEPHONY, .call_count = 1, .calls = &long_name }, "a text is too long" },
	};

	(void)state;
	memset(long_note, 'x', sizeof long_note - 1);
	memset(long_text, 'x', sizeof long_text - 1);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const char *wrong = raw_facts_check(&bad[i].facts);

		if (wrong == NULL)
			fail_msg("row %zu is accepted, expected \"%s\"", i, bad[i].wrong);
		assert_string_equal(wrong, bad[i].wrong);
	}
	long_note[RAW_MAX_NOTE_BYTES] = '\0'; /* the longest there may be */
	assert_null(raw_facts_check(&(struct raw_facts){ .known = RAW_NOTE, .note = long_note }));
}

static void sources_may_say_six_statuses(void **state)
{
	size_t count = 0;

	(void)state;
	for (int i = -1; i <= STATE_STATUS_COUNT; i++)
		count += raw_status_may_be_said(i);
	assert_int_equal(count, 6);
	assert_false(raw_status_may_be_said(STATE_STATUS_NOT_REQUESTED));
	assert_false(raw_status_may_be_said(STATE_STATUS_NOT_CONFIGURED_FOR_USER));
	assert_false(raw_status_may_be_said(STATE_STATUS_SERVER_NOT_CONFIGURED));
}

/* RFC 3629 section 4 */
static void utf8_is_told_from_what_is_not(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		bool valid;
	} texts[] = {
		{ "", 0, true },
		{ "a\x7f", 2, true },
		{ "\0", 1, false },
		{ "\xc2\x80", 2, true },
		{ "\xdf\xbf", 2, true },
		{ "\xe0\xa0\x80", 3, true },
		{ "\xed\x9f\xbf", 3, true },
		{ "\xee\x80\x80", 3, true },
		{ "\xef\xbf\xbf", 3, true },
		{ "\xf0\x90\x80\x80", 4, true },
		{ "\xf4\x8f\xbf\xbf", 4, true },
		{ "\x80", 1, false }, /* continuation alone */
		{ "a\xbf", 2, false },
		{ "\xc0\x80", 2, false }, /* overlong NUL */
		{ "\xc1\xbf", 2, false },
		{ "\xe0\x80\x80", 3, false },
		{ "\xe0\x9f\xbf", 3, false },
		{ "\xf0\x80\x80\x80", 4, false },
		{ "\xf0\x8f\xbf\xbf", 4, false },
		{ "\xed\xa0\x80", 3, false }, /* surrogates */
		{ "\xed\xbf\xbf", 3, false },
		{ "\xf4\x90\x80\x80", 4, false }, /* beyond U+10FFFF */
		{ "\xf5\x80\x80\x80", 4, false },
		{ "\xff", 1, false },
		{ "\xfe\x80", 2, false },
		{ "\xc2", 1, false }, /* cut off */
		{ "\xe2\x82", 2, false },
		{ "\xf0\x9f\x93", 3, false },
		{ "\xe2\x82"
		  "a",
		    3, false },
		{ "\xf0\x9f\x93"
		  "a",
		    4, false },
		{ "\xc2\xc2", 2, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		char *exact = malloc(texts[i].len + 1); /* one byte read too far would be seen */

		assert_non_null(exact);
		memcpy(exact, texts[i].text, texts[i].len);
		exact = realloc(exact, texts[i].len == 0 ? 1 : texts[i].len);
		if (utf8_is_valid(exact, texts[i].len) != texts[i].valid)
			fail_msg("row %zu is judged wrong", i);
		free(exact);
	}
}

static size_t encode(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static void every_code_point_but_surrogates_is_valid(void **state)
{
	char text[4];

	(void)state;
	for (uint32_t c = 1; c < 0x110100; c++) {
		bool valid = c < 0xd800 || (c > 0xdfff && c < 0x110000);

		if (utf8_is_valid(text, encode(c, text)) != valid)
			fail_msg("U+%04X is judged wrong", c);
	}
}

static void text_is_cut_between_characters(void **state)
{
	static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x93\x9e";
	static const size_t cuts[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10 };

	(void)state;
	for (size_t max = 0; max < COUNT_OF(cuts); max++)
		assert_int_equal(utf8_cut(text, sizeof text - 1, max), cuts[max]);
	assert_int_equal(utf8_cut("", 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_copied_and_counted),
		cmocka_unit_test(any_fact_or_status_makes_a_difference),
		cmocka_unit_test(times_and_what_is_not_known_make_none),
		cmocka_unit_test(facts_out_of_bounds_are_named),
		cmocka_unit_test(sources_may_say_six_statuses),
		cmocka_unit_test(utf8_is_told_from_what_is_not),
		cmocka_unit_test(every_code_point_but_surrogates_is_valid),
		cmocka_unit_test(text_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
