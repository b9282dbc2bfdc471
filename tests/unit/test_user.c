/* test_user.c: columns of a user: checks, copies, addresses with overrides, lists.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include "daemon/model/raw_state.h"
#include "daemon/model/user.h"
#include "daemon/model/vocab.h"

static const char *check(const struct user_columns *columns)
{
	static char wrong[256];

	return user_columns_check(columns, wrong, sizeof wrong);
}
#define CHECK(...) check(&(struct user_columns){ __VA_ARGS__ })

static void ids_are_1_to_128_bytes_without_space_or_control_characters(void **state)
{
	char id[USER_MAX_ID_BYTES + 2];

	(void)state;
	assert_null(CHECK(.values = { [USER_ID] = "a" }));
	assert_null(CHECK(.values = { [USER_ID] = "J\xc3\xb6rg;\"'" }));
	assert_string_equal(CHECK(.values = { 0 }), "id is empty");
	assert_string_equal(CHECK(.values = { [USER_ID] = "" }), "id is empty");
	assert_string_equal(CHECK(.values = { [USER_ID] = "a b" }), "id \"a b\" holds a space");
	assert_string_equal(CHECK(.values = { [USER_ID] = "a\tb" }), "id holds a control character");
	assert_string_equal(CHECK(.values = { [USER_ID] = "a\x7f" }), "id holds a control character");
	assert_string_equal(CHECK(.values = { [USER_ID] = "\xff" }), "id is not UTF-8");
	memset(id, 'x', sizeof id - 1);
	id[sizeof id - 1] = '\0';
	assert_string_equal(CHECK(.values = { [USER_ID] = id }), "id is longer than 128 bytes");
	id[USER_MAX_ID_BYTES] = '\0';
	assert_null(CHECK(.values = { [USER_ID] = id }));
}

/* A sentence goes to consoles as JSON: it must stay UTF-8 wherever the id in it is cut. */
static void sentence_about_a_long_id_is_utf8(void **state)
{
	char id[USER_MAX_ID_BYTES] = "";

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		const char *wrong;

		strcat(id, "x");
		for (size_t i = 0; i < 25; i++)
			memcpy(id + shift + 1 + 3 * i, "\xe2\x82\xac", 4);
		strcat(id, " ");
		wrong = CHECK(.values = { [USER_ID] = id });
		assert_non_null(strstr(wrong, "holds a space"));
		assert_true(utf8_is_valid(wrong, strlen(wrong)));
		id[shift + 1] = '\0';
	}
}

/* C1 controls (U+0080 to U+009F) are control characters as well; U+0085 ends a line in many terminals. */
static void ids_hold_no_control_characters_beyond_ascii_either(void **state)
{
	(void)state;
	assert_non_null(CHECK(.values = { [USER_ID] = "a\xc2\x85" }));
	assert_non_null(CHECK(.values = { [USER_ID] = "a\xc2\x9b" }));
	assert_null(CHECK(.values = { [USER_ID] = "a\xc2\xa1" }));
}

static void every_column_has_a_limit_and_is_named(void **state)
{
	char text[USER_MAX_FIELD_BYTES + 2], expected[100];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (int i = USER_ID + 1; i < USER_COLUMN_COUNT; i++) {
		struct user_columns columns = { .values = { [USER_ID] = "a" } };

		columns.values[i] = text;
		snprintf(expected, sizeof expected, "%s is longer than 1024 bytes", vocab_name(&vocab_user_column, i));
		assert_string_equal(check(&columns), expected);
		columns.values[i] = text + 1;
		assert_null(check(&columns));
		columns.values[i] = "\n";
		snprintf(expected, sizeof expected, "%s holds a control character", vocab_name(&vocab_user_column, i));
		assert_string_equal(check(&columns), expected);
	}
}

static void groups_and_overrides_are_counted(void **state)
{
	static const char sentence[] = "more than 64 groups or 32 addresses for one source";
	struct user_override overrides[USER_MAX_OVERRIDES + 1];
	char groups[USER_MAX_FIELD_BYTES] = "";

	(void)state;
	for (int i = 0; i < USER_MAX_GROUPS; i++)
		sprintf(groups + strlen(groups), "; g%d;", i);
	assert_null(CHECK(.values = { [USER_ID] = "a", [USER_GROUPS] = groups }));
	strcat(groups, "x");
	assert_string_equal(CHECK(.values = { [USER_ID] = "a", [USER_GROUPS] = groups }), sentence);
	for (size_t i = 0; i < COUNT_OF(overrides); i++)
		overrides[i] = (struct user_override){ USER_LINE, "switch", "1" };
	assert_null(CHECK(.values = { [USER_ID] = "a" }, .overrides = overrides, .override_count = 32));
	assert_string_equal(
	    CHECK(.values = { [USER_ID] = "a" }, .overrides = overrides, .override_count = 33), sentence);
	overrides[0].value = "\x01";
	assert_string_equal(CHECK(.values = { [USER_ID] = "a" }, .overrides = overrides, .override_count = 1),
	    "an address for one source holds a control character");
}

static void fields_are_copied_and_empty_ones_are_empty_texts(void **state)
{
	char id[] = "alice", value[] = "55";
	const struct user_override overrides[] = { { USER_LINE, "switch2", value }, { USER_XMPP, "imp", "-" } };
	struct user_fields *f = fields_of(.values = { [USER_ID] = id, [USER_NAME] = "A", [USER_WEBEX] = "" },
	    .overrides = overrides, .override_count = 2);
	const struct user_override *kept;
	size_t count;

	(void)state;
	id[0] = value[0] = 'X';
	assert_string_equal(user_field(f, USER_ID), "alice");
	assert_string_equal(user_field(f, USER_NAME), "A");
	assert_string_equal(user_field(f, USER_WEBEX), "");
	assert_string_equal(user_field(f, USER_VOICEMAIL), "");
	kept = user_overrides(f, &count);
	assert_int_equal(count, 2);
	assert_int_equal(kept[0].column, USER_LINE);
	assert_string_equal(kept[0].value, "55");
	assert_string_equal(kept[1].source, "imp");
	free(f);
}

static void largest_user_fits(void **state)
{
	struct user_override overrides[USER_MAX_OVERRIDES];
	struct user_columns columns = { .overrides = overrides, .override_count = USER_MAX_OVERRIDES };
	char text[USER_MAX_FIELD_BYTES + 1];
	struct user_fields *f;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (int i = 0; i < USER_COLUMN_COUNT; i++)
		columns.values[i] = i == USER_ID ? text + sizeof text - 1 - USER_MAX_ID_BYTES : text;
	for (size_t i = 0; i < USER_MAX_OVERRIDES; i++)
		overrides[i] = (struct user_override){ USER_LINE, text, text };
	f = make_fields(&columns);
	for (int i = 0; i < USER_COLUMN_COUNT; i++)
		assert_string_equal(user_field(f, i), columns.values[i]);
	free(f);
}

static void any_column_or_override_makes_a_difference(void **state)
{
	const struct user_override a = { USER_LINE, "s", "1" }, b = { USER_LINE, "s", "2" },
				   c = { USER_LINE, "t", "1" }, e = { USER_XMPP, "s", "1" };
	struct user_fields *fields[] = {
		fields_of(.values = { [USER_ID] = "a" }),
		fields_of(.values = { [USER_ID] = "b" }),
		fields_of(.values = { [USER_ID] = "a", [USER_NAME] = "n" }),
		fields_of(.values = { [USER_ID] = "a", [USER_UPN] = "n" }),
		fields_of(.values = { [USER_ID] = "a" }, .overrides = &a, .override_count = 1),
		fields_of(.values = { [USER_ID] = "a" }, .overrides = &b, .override_count = 1),
		fields_of(.values = { [USER_ID] = "a" }, .overrides = &c, .override_count = 1),
		fields_of(.values = { [USER_ID] = "a" }, .overrides = &e, .override_count = 1),
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(fields); i++)
		for (size_t k = 0; k < COUNT_OF(fields); k++)
			assert_int_equal(user_fields_equal(fields[i], fields[k]), i == k);
	for (size_t i = 0; i < COUNT_OF(fields); i++)
		free(fields[i]);
}

static void address_is_the_override_else_the_column(void **state)
{
	static const struct user_override overrides[] = { { USER_LINE, "switch2", "55" }, { USER_LINE, "nowhere", "-" },
		{ USER_LINE, "blank", "" }, { USER_EXTENSION, "pbx", "7;8" }, { USER_XMPP, "imp", "x@y" } };
	static const struct {
		enum user_column column;
		const char *source, *address; /* NULL: none */
	} wanted[] = {
		{ USER_LINE, "switch", "101" }, /* no line: the first extension */
		{ USER_LINE, "switch2", "55" }, { USER_LINE, "nowhere", NULL }, { USER_LINE, "blank", "101" },
		{ USER_LINE, "pbx", "7" }, { USER_EXTENSION, "pbx", "7" }, { USER_EXTENSION, "switch", "101" },
		{ USER_XMPP, "imp", "x@y" }, { USER_XMPP, "imp2", NULL },
		{ USER_SIP_URI, "cups", "sip:a@x;transport=tcp" }, /* a semicolon is not a list here */
	};
	struct user_fields *f = fields_of(.values = { [USER_ID] = "a",
					      [USER_EXTENSION] = " 101 ; 102",
					      [USER_SIP_URI] = "sip:a@x;transport=tcp" },
	    .overrides = overrides, .override_count = COUNT_OF(overrides));
	char buf[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wanted); i++) {
		bool found = user_address(f, wanted[i].column, wanted[i].source, buf, sizeof buf);

		assert_int_equal(found, wanted[i].address != NULL);
		assert_string_equal(buf, wanted[i].address == NULL ? "" : wanted[i].address);
	}
	free(f);
}

static void address_that_does_not_fit_is_none(void **state)
{
	struct user_fields *f =
	    fields_of(.values = { [USER_ID] = "a", [USER_EXTENSION] = "1234", [USER_XMPP] = "abcd" });
	char buf[5];

	(void)state;
	assert_true(user_address(f, USER_EXTENSION, "s", buf, 5));
	assert_true(user_address(f, USER_XMPP, "s", buf, 5));
	assert_false(user_address(f, USER_EXTENSION, "s", buf, 4));
	assert_string_equal(buf, "");
	assert_false(user_address(f, USER_XMPP, "s", buf, 4));
	assert_string_equal(buf, "");
	free(f);
}

static bool collect(void *arg, const char *entry, size_t len)
{
	snprintf((char *)arg + strlen(arg), 60, "<%.*s>", (int)len, entry);
	return strlen(arg) < 20;
}

static void lists_are_split_trimmed_and_may_be_left(void **state)
{
	static const struct {
		const char *list, *entries;
	} lists[] = { { "", "" }, { ";", "" }, { " ; \t;", "" }, { "a", "<a>" }, { "a;b", "<a><b>" },
		{ " a b ;\tc\t", "<a b><c>" }, { ";;a;;", "<a>" }, { "1;2;3;4;5;6;7;8;9", "<1><2><3><4><5><6><7>" } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		char entries[200] = "";

		user_list_each(lists[i].list, collect, entries);
		assert_string_equal(entries, lists[i].entries);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_1_to_128_bytes_without_space_or_control_characters),
		cmocka_unit_test(sentence_about_a_long_id_is_utf8),
		cmocka_unit_test(ids_hold_no_control_characters_beyond_ascii_either),
		cmocka_unit_test(every_column_has_a_limit_and_is_named),
		cmocka_unit_test(groups_and_overrides_are_counted),
		cmocka_unit_test(fields_are_copied_and_empty_ones_are_empty_texts),
		cmocka_unit_test(largest_user_fits),
		cmocka_unit_test(any_column_or_override_makes_a_difference),
		cmocka_unit_test(address_is_the_override_else_the_column),
		cmocka_unit_test(address_that_does_not_fit_is_none),
		cmocka_unit_test(lists_are_split_trimmed_and_may_be_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
