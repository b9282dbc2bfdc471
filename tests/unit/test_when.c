/* test_when.c: times as people type them, in a zone whose clocks change.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>
#include <time.h>

#include "cli/when.h"
#include "daemon/base/instant.h"

#define NOW "2026-11-20T12:34:56.789Z" /* 13:34:56 in Berlin, where it is winter */

static int64_t wall(const char *rfc3339)
{
	int64_t at = -1;

	assert_int_equal(instant_parse(rfc3339, &at), 0);
	return at;
}

static void times_without_a_zone_are_local(void **state)
{
	static const struct {
		const char *text, *at;
	} times[] = {
		{ "2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z" },
		{ "2026-11-20T12:00:00.5+05:00", "2026-11-20T07:00:00.5Z" },
		{ "2026-11-20", "2026-11-19T23:00:00Z" },
		{ "2026-07-01", "2026-06-30T22:00:00Z" }, /* summer */
		{ "2024-02-29", "2024-02-28T23:00:00Z" },
		{ "2026-11-20 15:00", "2026-11-20T14:00:00Z" },
		{ "2026-11-20T15:00", "2026-11-20T14:00:00Z" },
		{ "2026-11-20 15:00:07", "2026-11-20T14:00:07Z" },
		{ "2026-07-01 15:00", "2026-07-01T13:00:00Z" },
		{ "15:00", "2026-11-20T14:00:00Z" },
		{ "00:00:01", "2026-11-19T23:00:01Z" },
		{ "today", "2026-11-19T23:00:00Z" },
		{ "yesterday", "2026-11-18T23:00:00Z" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(times); i++) {
		int64_t at = -1;

		if (when_parse(times[i].text, wall(NOW), &at) != 0)
			fail_msg("refused: %s", times[i].text);
		assert_int_equal(at, wall(times[i].at));
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const texts[] = { "", "now", "tomorrow", "todays", "2026", "2026-11", "2026-13-01",
		"2026-00-01", "2026-11-31", "2025-02-29", "2026-11-00", "1969-12-31", "2026-11-20 24:00",
		"2026-11-20 12:60", "12:00:60", "24:00", "1:00", "12:0", "12.00", "-1:00", "+1:00", " 12:00", "12:00 ",
		"2026-11-20  12:00", "20-11-2026", "2026-11-20 12:00:00.5", "2026-11-20T12:00+01:00" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		int64_t at = 77;

		if (when_parse(texts[i], wall(NOW), &at) != -EINVAL)
			fail_msg("accepted: %s", texts[i]);
		assert_int_equal(at, 77);
	}
}

/* A day in Berlin has 23 hours in spring and 25 in autumn: midnight is not a multiple of a day away. */
static void midnight_is_that_of_the_clocks(void **state)
{
	(void)state;
	assert_int_equal(when_midnight(wall("2026-03-30T10:00:00Z"), 0), wall("2026-03-29T22:00:00Z"));
	assert_int_equal(when_midnight(wall("2026-03-30T10:00:00Z"), -1), wall("2026-03-28T23:00:00Z"));
	assert_int_equal(when_midnight(wall("2026-10-26T10:00:00Z"), -1), wall("2026-10-24T22:00:00Z"));
	assert_int_equal(when_midnight(wall("2026-03-01T10:00:00Z"), -1), wall("2026-02-27T23:00:00Z"));
	assert_int_equal(when_midnight(wall("2026-12-31T23:30:00Z"), 0), wall("2026-12-31T23:00:00Z")); /* a new year */
}

/* 02:30 does not exist in that night; it must be a time near it, not an error and not another day. */
static void times_that_the_clocks_skip_are_those_beside_it(void **state)
{
	int64_t at = -1;

	(void)state;
	assert_int_equal(when_parse("2026-03-29 02:30", wall(NOW), &at), 0);
	assert_true(at >= wall("2026-03-29T00:30:00Z") && at <= wall("2026-03-29T01:30:00Z"));
}

static void times_are_printed_as_the_clocks_show_them(void **state)
{
	char buf[WHEN_TEXT_SIZE];

	(void)state;
	assert_string_equal(when_format(wall("2026-07-01T13:00:07.9Z"), buf), "2026-07-01 15:00:07");
	assert_string_equal(when_format_short(wall("2026-11-20T11:01:03Z"), wall(NOW), buf), "12:01:03");
	assert_string_equal(when_format_short(wall("2026-11-19T11:01:03Z"), wall(NOW), buf), "2026-11-19 12:01:03");
	assert_string_equal(when_format_short(wall("2025-11-20T11:01:03Z"), wall(NOW), buf), "2025-11-20 12:01:03");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_without_a_zone_are_local),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(midnight_is_that_of_the_clocks),
		cmocka_unit_test(times_that_the_clocks_skip_are_those_beside_it),
		cmocka_unit_test(times_are_printed_as_the_clocks_show_them),
	};

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1); /* Berlin, whatever zones are installed here */
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
