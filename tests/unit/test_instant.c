/* test_instant.c: RFC 3339 and durations, with their edges.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>

#include "daemon/base/instant.h"

static void times_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t wall;
	} times[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01T00:00:00.001Z", 1 },
		{ "2026-11-20T12:00:00Z", 1795176000000 },
		{ "2026-11-20t12:00:00z", 1795176000000 },
		{ "2026-11-20 12:00:00Z", 1795176000000 },
		{ "2026-11-20T12:00:00.5Z", 1795176000500 },
		{ "2026-11-20T12:00:00.123456789012345678901234567890Z", 1795176000123 },
		{ "2026-11-20T12:00:00.0009Z", 1795176000000 },
		{ "2026-11-20T13:00:00+01:00", 1795176000000 },
		{ "2026-11-20T06:30:00-05:30", 1795176000000 },
		{ "2026-11-20T12:00:00-00:00", 1795176000000 },
		{ "2026-11-21T11:59:00+23:59", 1795176000000 },
		{ "2024-02-29T00:00:00Z", 1709164800000 },
		{ "2000-02-29T00:00:00Z", 951782400000 },
		{ "2016-12-31T23:59:60Z", 1483228800000 }, /* a leap second is the next one */
		{ "9999-12-31T23:59:59.999Z", 253402300799999 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(times); i++) {
		int64_t wall = -1;

		if (instant_parse(times[i].text, &wall) != 0)
			fail_msg("refused: %s", times[i].text);
		assert_int_equal(wall, times[i].wall);
	}
}

static void refuse(const char *text)
{
	int64_t wall = 77;

	if (instant_parse(text, &wall) != -EINVAL)
		fail_msg("accepted: %s", text);
	assert_int_equal(wall, 77);
}

static void what_is_not_a_time_is_refused(void **state)
{
	static const char *const texts[] = { "", "now", "2026", "2026-11-20", "2026-11-20T12:00Z",
		"2026-11-20T12:00:00", "2026-11-20T12:00:00ZZ", "2026-11-20T12:00:00Z ", " 2026-11-20T12:00:00Z",
		"2026-11-20T12:00:00.5", "2026-11-20T12:00:00+1:00", "2026-11-20T12:00:00+0100",
		"2026-11-20T12:00:00+24:00", "2026-11-20T12:00:00+01:60", "2026-11-20T12:00:00+01:00Z",
		"2026-11-20X12:00:00Z", "2026-13-20T12:00:00Z", "2026-00-20T12:00:00Z", "2026-11-00T12:00:00Z",
		"2026-11-32T12:00:00Z", "2026-11-20T24:00:00Z", "2026-11-20T12:60:00Z", "2026-11-20T12:00:61Z",
		"1969-12-31T23:59:59Z", "02026-11-20T12:00:00Z", "-026-11-20T12:00:00Z", "2026-+1-20T12:00:00Z",
		"20261120T120000Z" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		refuse(texts[i]);
}

static void days_that_a_month_does_not_have_are_refused(void **state)
{
	(void)state;
	refuse("2026-02-29T12:00:00Z");
	refuse("2024-02-30T12:00:00Z");
	refuse("2100-02-29T12:00:00Z");
	refuse("2026-04-31T12:00:00Z");
}

static void signs_and_blanks_in_the_place_of_digits_are_refused(void **state)
{
	(void)state;
	refuse("2026-11-20T-1:00:00Z");
	refuse("2026-11-20T12:-1:00Z");
	refuse("2026-11-20T12:00:-1Z");
	refuse("2026-11-20T12:00: 5Z");
	refuse("2026-11- 5T12:00:00Z");
	refuse("2026-11-20T12:00:00+ 1:00");
	refuse("2026-11-20T12:00:00+01:+0");
	refuse("2026-11-20T12:00:00+-1:00");
	refuse("2026-11-20T12:00:00.Z");
}

static void random_times_are_read_as_they_are_written(void **state)
{
	(void)state;
	random_begin(__func__);
	for (int i = 0; i < 20000; i++) {
		int64_t wall = (int64_t)(random_next() % 253402300800000), read = -1;
		char text[INSTANT_TEXT_SIZE];

		assert_int_equal(instant_parse(instant_format(wall, text), &read), 0);
		assert_int_equal(read, wall);
		assert_int_equal(strlen(text), 24);
	}
}

static void times_outside_the_usual_years_are_printed(void **state)
{
	char text[INSTANT_TEXT_SIZE];

	(void)state;
	assert_string_equal(instant_format(-1, text), "1969-12-31T23:59:59.999Z");
	assert_string_equal(instant_format(253402300800000, text), "10000-01-01T00:00:00.000Z");
	assert_true(strlen(instant_format(INT64_MAX, text)) < sizeof text);
}

static void clocks_move_forward(void **state)
{
	struct instant a = instant_now(), b = instant_now();

	(void)state;
	assert_true(b.mono >= a.mono);
	assert_true(a.wall > 1600000000000);
}

static void durations_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} durations[] = {
		{ "0s", 0 },
		{ "1ms", 1 },
		{ "60s", 60000 },
		{ "5m", 300000 },
		{ "1h30m", 5400000 },
		{ "2d", 172800000 },
		{ "1m1ms", 60001 },
		{ "007s", 7000 },
		{ "9223372036854775807ms", INT64_MAX },
		{ "106751991167d", 106751991167 * 86400000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(durations); i++) {
		int64_t ms = -1;

		if (duration_parse(durations[i].text, &ms) != 0)
			fail_msg("refused: %s", durations[i].text);
		assert_int_equal(ms, durations[i].ms);
	}
}

static void what_is_not_a_duration_is_refused(void **state)
{
	static const struct {
		const char *text;
		int error;
	} texts[] = {
		{ "", -EINVAL },
		{ "5", -EINVAL },
		{ "s", -EINVAL },
		{ "5 s", -EINVAL },
		{ " 5s", -EINVAL },
		{ "5s ", -EINVAL },
		{ "-5s", -EINVAL },
		{ "+5s", -EINVAL },
		{ "1.5s", -EINVAL },
		{ "5S", -EINVAL },
		{ "5sec", -EINVAL },
		{ "5y", -EINVAL },
		{ "5m3", -EINVAL },
		{ "1h-1m", -EINVAL },
		{ "9223372036854775808ms", -ERANGE },
		{ "106751991168d", -ERANGE },
		{ "9223372036854775807ms1ms", -ERANGE },
		{ "99999999999999999999999999s", -ERANGE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		int64_t ms = 77;

		if (duration_parse(texts[i].text, &ms) != texts[i].error)
			fail_msg("not refused as it should be: \"%s\"", texts[i].text);
		assert_int_equal(ms, 77);
	}
}

static void durations_are_printed_with_two_units(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} durations[] = {
		{ 0, "0s" },
		{ -5, "0s" },
		{ 250, "250ms" },
		{ 1000, "1s" },
		{ 1250, "1s250ms" },
		{ 60000, "1m" },
		{ 340000, "5m40s" },
		{ 3600000, "1h" },
		{ 3600001, "1h" },
		{ 5400000, "1h30m" },
		{ 8040000, "2h14m" },
		{ 86400000, "1d" },
		{ 90061001, "1d1h" },
		{ 86460000, "1d" },
	};
	char text[DURATION_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(durations); i++)
		assert_string_equal(duration_format(durations[i].ms, text), durations[i].text);
	assert_true(strlen(duration_format(INT64_MAX, text)) < sizeof text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(what_is_not_a_time_is_refused),
		cmocka_unit_test(days_that_a_month_does_not_have_are_refused),
		cmocka_unit_test(signs_and_blanks_in_the_place_of_digits_are_refused),
		cmocka_unit_test(random_times_are_read_as_they_are_written),
		cmocka_unit_test(times_outside_the_usual_years_are_printed),
		cmocka_unit_test(clocks_move_forward),
		cmocka_unit_test(durations_are_read),
		cmocka_unit_test(what_is_not_a_duration_is_refused),
		cmocka_unit_test(durations_are_printed_with_two_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
