/* test_buf.c: a buffer grows to its maximum and no further.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include "daemon/base/buf.h"

static void empty_buffer_is_an_empty_text(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_string_equal(buf_text(&b), "");
	buf_put(&b, "", 0);
	buf_puts(&b, "");
	assert_null(b.data);
	assert_false(b.failed);
	buf_done(&b);
}

static void writes_are_appended_and_ended_by_nul(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_puts(&b, "one");
	buf_putc(&b, ' ');
	buf_put(&b, "two\0three", 9);
	buf_printf(&b, "%d%s", 4, "four");
	assert_int_equal(b.len, 18);
	assert_memory_equal(b.data, "one two\0three4four", 19);
	buf_done(&b);
	assert_string_equal(buf_text(&b), "");
	buf_puts(&b, "again");
	assert_string_equal(buf_text(&b), "again");
	buf_done(&b);
}

static void maximum_may_be_reached_but_not_passed(void **state)
{
	struct buf b;

	(void)state;
	for (size_t max = 0; max < 600; max += 37) {
		buf_init(&b, max);
		for (size_t i = 0; i < max; i++)
			buf_putc(&b, 'x');
		assert_false(b.failed);
		assert_int_equal(b.len, max);
		buf_putc(&b, 'y');
		assert_true(b.failed);
		assert_int_equal(b.len, max);
		assert_int_equal(strlen(buf_text(&b)), max);
		buf_done(&b);
	}
}

static void failure_sticks_until_cleared(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	buf_puts(&b, "abc");
	buf_printf(&b, "%s", "too long");
	assert_true(b.failed);
	buf_putc(&b, 'd'); /* would fit, but something before it is missing */
	assert_string_equal(buf_text(&b), "abc");
	buf_clear(&b);
	assert_false(b.failed);
	assert_string_equal(buf_text(&b), "");
	buf_printf(&b, "%s", "12345");
	assert_string_equal(buf_text(&b), "12345");
	assert_false(b.failed);
	buf_put(&b, "x", SIZE_MAX); /* no overflow in the sum */
	assert_true(b.failed);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_buffer_is_an_empty_text),
		cmocka_unit_test(writes_are_appended_and_ended_by_nul),
		cmocka_unit_test(maximum_may_be_reached_but_not_passed),
		cmocka_unit_test(failure_sticks_until_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
