/* test_inbox.c: requests, each once, however often a protocol says it.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>

#include "daemon/inbox.h"

static struct inbox *inbox;

static int setup(void **state)
{
	(void)state;
	inbox = inbox_new();
	return inbox == NULL;
}

static int teardown(void **state)
{
	(void)state;
	inbox_free(inbox);
	return 0;
}

/* The id it has, new or changed; 0 if it was known. */
static int64_t put(const char *source, const char *address, const char *name, const char *text, int64_t at)
{
	struct inbox_request *r = NULL;
	int result = inbox_put(inbox, 0, source, address, name, text, at, &r);

	assert_in_range(result, 0, 1);
	if (result == 0)
		return 0;
	assert_ptr_equal(inbox_find(inbox, r->id), r);
	assert_ptr_equal(inbox_find_address(inbox, source, address), r);
	return r->id;
}

static void ids_ascend_and_are_never_used_again(void **state)
{
	(void)state;
	assert_int_equal(put("imp", "a@x", NULL, NULL, 5), 1);
	assert_int_equal(put("imp", "b@x", NULL, NULL, 6), 2);
	inbox_remove(inbox, inbox_find(inbox, 2));
	assert_null(inbox_find(inbox, 2));
	assert_null(inbox_find_address(inbox, "imp", "b@x"));
	assert_int_equal(put("imp", "b@x", NULL, NULL, 7), 3);
	assert_int_equal(inbox_last_id(inbox), 3);
	inbox_set_last_id(inbox, 2); /* not downwards */
	assert_int_equal(put("imp", "c@x", NULL, NULL, 8), 4);
	inbox_set_last_id(inbox, 1000);
	assert_int_equal(put("imp", "d@x", NULL, NULL, 9), 1001);
	assert_int_equal(inbox_count(inbox), 4);
}

static void request_that_is_said_again_is_known(void **state)
{
	struct inbox_request *r;

	(void)state;
	assert_int_equal(put("imp", "a@x", "Ann", NULL, 5), 1);
	assert_int_equal(put("imp", "a@x", "Ann", NULL, 6), 0);
	assert_int_equal(put("other", "a@x", "Ann", NULL, 6), 2);
	assert_int_equal(put("imp", "A@x", "Ann", NULL, 6), 3);
	/* in other words it keeps its id and the time it first arrived */
	assert_int_equal(put("imp", "a@x", "Ann", "hello", 7), 1);
	assert_int_equal(put("imp", "a@x", NULL, "hello", 8), 1);
	r = inbox_find(inbox, 1);
	assert_int_equal(r->at, 5);
	assert_null(r->name);
	assert_string_equal(r->text, "hello");
	assert_int_equal(inbox_count(inbox), 3);
}

static void requests_are_walked_by_id(void **state)
{
	struct inbox_request *r;
	int64_t id = 0;
	size_t count = 0;

	(void)state;
	put("z", "1", NULL, NULL, 0);
	put("a", "2", NULL, NULL, 0);
	put("m", "3", NULL, NULL, 0);
	put("z", "1", "in other words", NULL, 0);
	inbox_remove(inbox, inbox_find(inbox, 2));
	for (r = inbox_after(inbox, 0); r != NULL; r = inbox_after(inbox, r->id)) {
		assert_true(r->id > id);
		id = r->id;
		count++;
	}
	assert_int_equal(count, 2);
}

static void source_has_so_many_and_no_more(void **state)
{
	struct inbox_request *r;
	char address[32];

	(void)state;
	for (int i = 0; i < INBOX_MAX_REQUESTS; i++) {
		snprintf(address, sizeof address, "%d@x", i);
		assert_int_equal(inbox_put(inbox, 0, "imp", address, NULL, NULL, 0, &r), 1);
		if (i == 100) /* the counting is linear: the rest as if they had been read */
			break;
	}
	for (int i = 101; i < INBOX_MAX_REQUESTS; i++) {
		snprintf(address, sizeof address, "%d@x", i);
		assert_int_equal(inbox_put(inbox, i + 1, "imp", address, NULL, NULL, 0, &r), 1);
	}
	assert_int_equal(inbox_put(inbox, 0, "imp", "one@more", NULL, NULL, 0, &r), -ENOSPC);
	assert_int_equal(inbox_put(inbox, 0, "imp", "0@x", "in other words", NULL, 0, &r), 1);
	assert_int_equal(inbox_put(inbox, 0, "imo", "one@more", NULL, NULL, 0, &r), 1);
	assert_int_equal(inbox_put(inbox, 0, "imq", "one@more", NULL, NULL, 0, &r), 1);
	inbox_remove(inbox, inbox_find_address(inbox, "imp", "7@x"));
	assert_int_equal(inbox_put(inbox, 0, "imp", "one@more", NULL, NULL, 0, &r), 1);
}

static void id_from_disk_is_kept(void **state)
{
	struct inbox_request *r;

	(void)state;
	assert_int_equal(inbox_put(inbox, 77, "imp", "a@x", NULL, NULL, 5, &r), 1);
	assert_int_equal(r->id, 77);
	assert_int_equal(put("imp", "b@x", NULL, NULL, 5), 78);
	assert_int_equal(inbox_put(inbox, 12, "imp", "c@x", NULL, NULL, 5, &r), 1);
	assert_int_equal(r->id, 12);
	assert_int_equal(inbox_last_id(inbox), 78);
}

static void id_that_another_has_is_not_given_twice(void **state)
{
	struct inbox_request *r;

	(void)state;
	assert_int_equal(put("imp", "a@x", NULL, NULL, 5), 1);
	assert_int_equal(inbox_put(inbox, 1, "imp", "b@x", NULL, NULL, 5, &r), 1);
	assert_int_equal(r->id, 2);
	inbox_remove(inbox, r);
	assert_string_equal(inbox_find(inbox, 1)->address, "a@x");
	assert_int_equal(inbox_count(inbox), 1);
}

static void changes_are_logged_and_removals_are_tombstones_by_id(void **state)
{
	struct changelog_entry e;

	(void)state;
	put("imp", "a@x", NULL, NULL, 5);
	put("imp", "b@x", NULL, NULL, 5);
	put("imp", "a@x", "Ann", NULL, 5);
	assert_true(changelog_next(inbox_changes(inbox), 0, &e));
	assert_ptr_equal(e.node, &inbox_find(inbox, 2)->change);
	assert_true(changelog_next(inbox_changes(inbox), e.seq, &e));
	assert_ptr_equal(e.node, &inbox_find(inbox, 1)->change);
	inbox_remove(inbox, inbox_find(inbox, 1));
	assert_true(changelog_next(inbox_changes(inbox), e.seq, &e));
	assert_null(e.node);
	assert_true(e.tombstone->removed);
	assert_string_equal(e.tombstone->id, "1");
	assert_false(changelog_next(inbox_changes(inbox), e.seq, &e));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ids_ascend_and_are_never_used_again),
		TEST(request_that_is_said_again_is_known),
		TEST(requests_are_walked_by_id),
		TEST(source_has_so_many_and_no_more),
		TEST(id_from_disk_is_kept),
		TEST(id_that_another_has_is_not_given_twice),
		TEST(changes_are_logged_and_removals_are_tombstones_by_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
