/* test_sync_match.c: who an entry is about.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/people.h"

#include "daemon/sync_match.h"

static struct option_list columns;
static struct sync_match *match;

static int match_setup(void **state)
{
	return people_setup(state);
}

static int match_teardown(void **state)
{
	sync_match_free(match);
	match = NULL;
	option_list_clear(&columns);
	return people_teardown(state);
}

/* An index of everybody by these columns, separated by blanks. */
static void match_by(const char *names)
{
	char copy[128], *rest = copy, *word;

	snprintf(copy, sizeof copy, "%s", names);
	while ((word = strsep(&rest, " ")) != NULL)
		assert_int_equal(option_list_add(&columns, word, strlen(word)), 0);
	match = sync_match_new(&columns);
	assert_non_null(match);
	for (struct user *u = directory_after(people.d, ""); u != NULL; u = directory_next(u))
		sync_match_add(match, u);
}

static void put(const char *text)
{
	assert_int_equal(directory_set(people.d, person(text)), 1);
}

/* "alice by upn", "alice and bob by upn", "nobody". */
static void assert_finds_at(const char *text, const char *expected, const char *file, int line)
{
	struct user_fields *f = person(text);
	const char *column = NULL, *other = NULL, *id = sync_match_find(match, f, &column, &other);
	char found[400];

	if (id == NULL)
		snprintf(found, sizeof found, "nobody%s", other == NULL ? "" : " but another");
	else if (other == NULL)
		snprintf(found, sizeof found, "%s by %s", id, column);
	else
		snprintf(found, sizeof found, "%s and %s by %s", id, other, column);
	user_fields_unref(f);
	_assert_string_equal(found, expected, file, line);
}
#define assert_finds(text, expected) assert_finds_at(text, expected, __FILE__, __LINE__)

static void first_column_where_anybody_has_it_decides(void **state)
{
	(void)state;
	put("alice upn=a@x extension=101");
	put("bob upn=b@x extension=102");
	match_by("upn extension");
	assert_finds("new upn=b@x extension=101", "bob by upn");
	assert_finds("new upn=c@x extension=101", "alice by extension");
	assert_finds("new extension=102", "bob by extension");
	assert_finds("new upn=c@x extension=103", "nobody");
	assert_finds("new", "nobody");
}

static void order_is_that_of_the_list_and_not_of_the_columns(void **state)
{
	(void)state;
	put("alice upn=a@x");
	put("bob extension=101");
	match_by("extension upn");
	assert_finds("new upn=a@x extension=101", "bob by extension");
}

static void value_counts_only_in_its_own_column(void **state)
{
	(void)state;
	put("alice upn=a@x");
	put("bob xmpp=b@x");
	match_by("upn xmpp");
	assert_finds("new upn=b@x", "nobody");
	assert_finds("new xmpp=a@x", "nobody");
}

static void letters_compare_without_case(void **state)
{
	(void)state;
	put("alice upn=Alice@Example.COM");
	match_by("upn");
	assert_finds("new upn=aLICE@example.com", "alice by upn");
	assert_finds("new upn=alice@example.co", "nobody");
	assert_finds("new upn=alice@example.comm", "nobody");
}

static void of_several_extensions_any_counts(void **state)
{
	(void)state;
	put("alice extension=101;2101");
	put("bob extension=102");
	match_by("extension");
	assert_finds("new extension=2101", "alice by extension");
	assert_finds("new extension=999;101", "alice by extension");
	assert_finds("new extension=101;2101", "alice by extension"); /* one user, however many of them */
	assert_finds("new extension=102;101", "bob and alice by extension");
	assert_finds("new extension=10", "nobody");
}

static void semicolon_means_something_in_extensions_only(void **state)
{
	(void)state;
	put("alice webex=a;b");
	match_by("webex");
	assert_finds("new webex=a", "nobody");
	assert_finds("new webex=a;b", "alice by webex");
}

static void two_who_have_it_are_both_told(void **state)
{
	(void)state;
	put("alice upn=x@x extension=101");
	put("bob upn=x@x");
	put("carol upn=x@x");
	match_by("upn extension");
	assert_finds("new upn=x@x extension=101", "alice and bob by upn"); /* the next column is not asked */
}

/* One extension is bob's alone, the other bob's and alice's. */
static void the_two_are_different_ones(void **state)
{
	(void)state;
	put("alice extension=1");
	put("bob extension=1;2");
	match_by("extension");
	assert_finds("new extension=2;1", "bob and alice by extension");
	assert_finds("new extension=1;2", "alice and bob by extension");
}

static void words_that_are_no_columns_find_nobody(void **state)
{
	(void)state;
	put("alice upn=a@x");
	match_by("mail upn");
	assert_finds("new upn=a@x", "alice by upn");
}

static void ids_live_as_long_as_the_index(void **state)
{
	(void)state;
	put("alice upn=a@x");
	match_by("upn");
	directory_remove(people.d, "alice");
	assert_finds("new upn=a@x", "alice by upn");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, match_setup, match_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_column_where_anybody_has_it_decides),
		TEST(order_is_that_of_the_list_and_not_of_the_columns),
		TEST(value_counts_only_in_its_own_column),
		TEST(letters_compare_without_case),
		TEST(of_several_extensions_any_counts),
		TEST(semicolon_means_something_in_extensions_only),
		TEST(two_who_have_it_are_both_told),
		TEST(the_two_are_different_ones),
		TEST(words_that_are_no_columns_find_nobody),
		TEST(ids_live_as_long_as_the_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
