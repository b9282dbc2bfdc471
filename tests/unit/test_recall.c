/* test_recall.c: small texts by source and key.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>

#include "daemon/base/buf.h"
#include "daemon/recall.h"

static struct recall *recall;

static int setup(void **state)
{
	(void)state;
	recall = recall_new();
	return recall == NULL;
}

static int teardown(void **state)
{
	(void)state;
	recall_free(recall);
	return 0;
}

static void assert_all_at(const char *expected, const char *file, int line)
{
	struct recall_item item = { "", "", NULL };
	struct buf b;

	buf_init(&b, 1 << 20);
	while (recall_after(recall, item.source, item.key, &item))
		buf_printf(&b, "%s/%s=%s ", item.source, item.key, item.value);
	_assert_string_equal(buf_text(&b), expected, file, line);
	buf_done(&b);
}
#define assert_all(expected) assert_all_at(expected, __FILE__, __LINE__)

static void value_is_kept_until_it_is_forgotten(void **state)
{
	(void)state;
	assert_null(recall_get(recall, "imp", "ver"));
	assert_int_equal(recall_set(recall, "imp", "ver", "1"), 1);
	assert_int_equal(recall_set(recall, "imp", "ver", "1"), 0);
	assert_int_equal(recall_set(recall, "imp", "ver", "2"), 1);
	assert_int_equal(recall_set(recall, "cups", "ver", ""), 1);
	assert_string_equal(recall_get(recall, "imp", "ver"), "2");
	assert_string_equal(recall_get(recall, "cups", "ver"), "");
	assert_int_equal(recall_set(recall, "imp", "ver", NULL), 1);
	assert_int_equal(recall_set(recall, "imp", "ver", NULL), 0);
	assert_null(recall_get(recall, "imp", "ver"));
	assert_all("cups/ver= ");
}

static void walk_is_in_order_of_source_and_key(void **state)
{
	struct recall_item item;

	(void)state;
	recall_set(recall, "b", "x", "1");
	recall_set(recall, "a", "y", "2");
	recall_set(recall, "", "z", "3");
	recall_set(recall, "a", "b", "4");
	recall_set(recall, "ab", "a", "5");
	assert_all("/z=3 a/b=4 a/y=2 ab/a=5 b/x=1 ");
	assert_true(recall_after(recall, "a", "c", &item)); /* a key that there is not */
	assert_string_equal(item.key, "y");
	assert_true(recall_after(recall, "a", "y", &item));
	assert_string_equal(item.source, "ab");
	assert_false(recall_after(recall, "b", "x", &item));
}

static void too_much_is_refused_and_changes_nothing(void **state)
{
	static char text[RECALL_MAX_VALUE_BYTES + 2];

	(void)state;
	memset(text, 'x', RECALL_MAX_VALUE_BYTES + 1);
	assert_int_equal(recall_set(recall, "imp", "k", text), -ENOSPC);
	assert_int_equal(recall_set(recall, "imp", "k", text + 1), 1);
	assert_int_equal(recall_set(recall, "imp", "k", text), -ENOSPC);
	assert_string_equal(recall_get(recall, "imp", "k"), text + 1);
	text[RECALL_MAX_KEY_BYTES + 1] = '\0';
	assert_int_equal(recall_set(recall, "imp", text, "v"), -ENOSPC);
	assert_int_equal(recall_set(recall, "imp", text + 1, "v"), 1);
	assert_int_equal(recall_set(recall, "imp", "", "v"), -ENOSPC);
}

static void source_has_so_many_keys_and_no_more(void **state)
{
	char key[16];

	(void)state;
	for (int i = 0; i < RECALL_MAX_KEYS; i++) {
		snprintf(key, sizeof key, "k%d", i);
		assert_int_equal(recall_set(recall, "imp", key, "v"), 1);
	}
	assert_int_equal(recall_set(recall, "imp", "more", "v"), -ENOSPC);
	assert_int_equal(recall_set(recall, "imp", "k7", "w"), 1);
	assert_int_equal(recall_set(recall, "imo", "more", "v"), 1);
	assert_int_equal(recall_set(recall, "imq", "more", "v"), 1);
	assert_int_equal(recall_set(recall, "imp", "k7", NULL), 1);
	assert_int_equal(recall_set(recall, "imp", "more", "v"), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(value_is_kept_until_it_is_forgotten),
		TEST(walk_is_in_order_of_source_and_key),
		TEST(too_much_is_refused_and_changes_nothing),
		TEST(source_has_so_many_keys_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
