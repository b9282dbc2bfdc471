/* test_option.c: every kind of option: read, refused, compared, printed, missing.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>
#include <stdbool.h>

#include "connectors/option.h"

struct settings {
	char *text, *maybe, *path, *secret;
	bool flag;
	int64_t number, any, duration, rate, mode, word;
	uint64_t words;
	struct option_list list;
};

#define OPTION(n, k, ...) \
	{ \
		.name = #n, .kind = k, .offset = offsetof(struct settings, n), .help = "Help.", __VA_ARGS__ \
	}
static const struct option table[] = {
	OPTION(text, OPTION_TEXT, .flags = OPTION_REQUIRED),
	OPTION(maybe, OPTION_TEXT, .flags = OPTION_MAY_BE_EMPTY),
	OPTION(path, OPTION_PATH, .fallback = "users.csv"),
	OPTION(secret, OPTION_TEXT, .flags = OPTION_SECRET),
	OPTION(flag, OPTION_BOOL, .fallback = "true"),
	OPTION(number, OPTION_INT, .fallback = "5", .min = 1, .max = 10),
	OPTION(any, OPTION_INT, .fallback = "0"),
	OPTION(duration, OPTION_DURATION, .fallback = "15s", .min = 1000, .max = 3600000),
	OPTION(rate, OPTION_RATE, .fallback = "10/s", .min = 1, .max = 100),
	OPTION(mode, OPTION_MODE, .fallback = "0660"),
	OPTION(word, OPTION_WORD, .fallback = "idle", .words = &vocab_line),
	OPTION(words, OPTION_WORDS, .fallback = "[read, calls]", .words = &vocab_permission),
	OPTION(list, OPTION_LIST, .fallback = "[tapi, sip]", .flags = OPTION_REQUIRED),
	{ .name = NULL },
};

static const struct option *option(const char *name)
{
	const struct option *o = table;

	while (strcmp(o->name, name) != 0)
		o++;
	return o;
}

static int set(struct settings *s, const char *name, const char *text)
{
	char err[256] = "";
	int r = option_set_text(option(name), s, text, err, sizeof err);

	assert_int_equal(r == -EINVAL, strncmp(err, "expected ", 9) == 0);
	return r;
}

static void assert_prints(const struct settings *s, const char *name, const char *expected)
{
	char buf[256];

	assert_string_equal(option_text(option(name), s, buf, sizeof buf), expected);
}

static void defaults_are_what_the_table_says(void **state)
{
	struct settings s = { 0 };

	(void)state;
	assert_int_equal(options_set_defaults(table, &s), 0);
	assert_null(s.text);
	assert_string_equal(s.path, "users.csv");
	assert_true(s.flag);
	assert_int_equal(s.number, 5);
	assert_int_equal(s.duration, 15000);
	assert_int_equal(s.rate, 10);
	assert_int_equal(s.mode, 0660);
	assert_int_equal(s.word, LINE_IDLE);
	assert_int_equal(s.words, 1u << PERMISSION_READ | 1u << PERMISSION_CALLS);
	assert_int_equal(s.list.count, 2);
	assert_string_equal(s.list.items[1], "sip");
	options_done(table, &s);
	assert_null(s.path);
	assert_int_equal(s.list.count, 0);
	options_done(table, &s);
	assert_int_equal(options_set_defaults(NULL, NULL), 0);
}

static void each_kind_takes_its_notation_and_refuses_others(void **state)
{
	static const struct {
		const char *name, *text, *prints; /* NULL: refused */
	} rows[] = {
		{ "text", "", NULL },
		{ "maybe", "", "" },
		{ "path", "", NULL },
		{ "text", "any thing", "any thing" },
		{ "path", "/etc/x", "/etc/x" },
		{ "flag", "true", "true" },
		{ "flag", "false", "false" },
		{ "flag", "yes", NULL },
		{ "flag", "True", NULL },
		{ "flag", "", NULL },
		{ "flag", "1", NULL },
		{ "number", "1", "1" },
		{ "number", "10", "10" },
		{ "number", "0", NULL },
		{ "number", "11", NULL },
		{ "number", "-1", NULL },
		{ "number", "+1", NULL },
		{ "number", " 1", NULL },
		{ "number", "1 ", NULL },
		{ "number", "1.0", NULL },
		{ "number", "0x1", NULL },
		{ "number", "", NULL },
		{ "number", "five", NULL },
		{ "any", "9223372036854775807", "9223372036854775807" },
		{ "any", "9223372036854775808", NULL },
		{ "any", "-1", NULL },
		{ "duration", "1s", "1s" },
		{ "duration", "1h", "1h" },
		{ "duration", "999ms", NULL },
		{ "duration", "61m", NULL },
		{ "duration", "15", NULL },
		{ "duration", "", NULL },
		{ "rate", "1/s", "1/s" },
		{ "rate", "100/s", "100/s" },
		{ "rate", "0/s", NULL },
		{ "rate", "101/s", NULL },
		{ "rate", "10", NULL },
		{ "rate", "/s", NULL },
		{ "rate", "10/m", NULL },
		{ "rate", "10 /s", NULL },
		{ "rate", "99999999999999999999999999999/s", NULL },
		{ "mode", "0600", "0600" },
		{ "mode", "0777", "0777" },
		{ "mode", "600", NULL },
		{ "mode", "0888", NULL },
		{ "mode", "1777", NULL },
		{ "mode", "00600", NULL },
		{ "mode", "0 60", NULL },
		{ "mode", "0-60", NULL },
		{ "mode", "", NULL },
		{ "word", "busy", "busy" },
		{ "word", "Busy", NULL },
		{ "word", "", NULL },
		{ "word", "available", NULL },
		{ "words", "[]", "" },
		{ "words", "admin", "admin" },
		{ "words", "[notes, read]", "read, notes" },
		{ "words", "[read,read]", "read" },
		{ "words", "[read, root]", NULL },
		{ "words", "everything", NULL },
		{ "list", "[]", "" },
		{ "list", "[a]", "a" },
		{ "list", "a", "a" },
		{ "list", "[a, b c,d]", "a, b c, d" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct settings s = { 0 };
		char before[256], after[256];
		int r;

		assert_int_equal(options_set_defaults(table, &s), 0);
		option_text(option(rows[i].name), &s, before, sizeof before);
		r = set(&s, rows[i].name, rows[i].text);
		if ((rows[i].prints == NULL) != (r == -EINVAL))
			fail_msg("%s: \"%s\" gives %d", rows[i].name, rows[i].text, r);
		assert_string_equal(option_text(option(rows[i].name), &s, after, sizeof after),
		    rows[i].prints == NULL ? before : rows[i].prints);
		options_done(table, &s);
	}
}

static void what_is_expected_is_said(void **state)
{
	static const struct {
		const char *name, *sentence;
	} rows[] = {
		{ "text", "a text" },
		{ "path", "a file name" },
		{ "flag", "true or false" },
		{ "number", "a whole number from 1 to 10" },
		{ "any", "a whole number" },
		{ "duration", "a duration from 1s to 1h, such as 15s or 5m" },
		{ "rate", "a rate from 1/s to 100/s, such as 10/s" },
		{ "mode", "a file mode in quotes, such as \"0660\"" },
		{ "word", "idle, ringing, busy, held or offline" },
		{ "words", "a list of read, calls, notes or admin" },
		{ "list", "a list of texts" },
	};
	char buf[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_string_equal(option_expects(option(rows[i].name), buf, sizeof buf), rows[i].sentence);
}

static void secrets_are_never_printed(void **state)
{
	struct settings s = { 0 };

	(void)state;
	assert_prints(&s, "secret", "");
	assert_int_equal(set(&s, "secret", "hunter2"), 0);
	assert_prints(&s, "secret", "***");
	assert_int_equal(set(&s, "text", "plain"), 0);
	assert_prints(&s, "text", "plain");
	options_done(table, &s);
}

static void required_options_are_missed_in_order(void **state)
{
	struct settings s = { 0 };

	(void)state;
	assert_string_equal(options_missing(table, &s)->name, "text");
	set(&s, "text", "");
	assert_string_equal(options_missing(table, &s)->name, "text"); /* empty is not a value */
	set(&s, "text", "x");
	assert_string_equal(options_missing(table, &s)->name, "list");
	set(&s, "list", "[a]");
	assert_null(options_missing(table, &s));
	options_done(table, &s);
}

static void any_value_makes_a_difference(void **state)
{
	static const struct {
		const char *name, *text;
	} changes[] = { { "text", "x" }, { "path", "y" }, { "secret", "z" }, { "flag", "false" }, { "number", "6" },
		{ "any", "1" }, { "duration", "16s" }, { "rate", "11/s" }, { "mode", "0600" }, { "word", "busy" },
		{ "words", "[read]" }, { "list", "[tapi, xmpp]" }, { "list", "[tapi]" } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(changes); i++) {
		struct settings a = { 0 }, b = { 0 };

		assert_int_equal(options_set_defaults(table, &a), 0);
		assert_int_equal(options_set_defaults(table, &b), 0);
		assert_true(options_equal(table, &a, &b));
		assert_int_equal(set(&b, changes[i].name, changes[i].text), 0);
		assert_false(options_equal(table, &a, &b));
		assert_int_equal(set(&a, changes[i].name, changes[i].text), 0);
		assert_true(options_equal(table, &a, &b));
		options_done(table, &a);
		options_done(table, &b);
	}
}

static void printing_fits_into_any_buffer(void **state)
{
	struct settings s = { 0 };

	(void)state;
	options_set_defaults(table, &s);
	set(&s, "list", "[first, second, third]");
	set(&s, "text", "some longer text");
	set(&s, "words", "[read, calls, notes, admin]");
	for (size_t size = 1; size < 30; size++) {
		for (const struct option *o = table; o->name != NULL; o++) {
			char *exact = malloc(size);

			assert_non_null(exact);
			assert_true(strlen(option_text(o, &s, exact, size)) < size);
			assert_true(strlen(option_expects(o, exact, size)) < size);
			free(exact);
		}
	}
	options_done(table, &s);
}

static void lists_grow_and_are_cleared(void **state)
{
	struct option_list list = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(option_list_add(&list, "abcdef", (size_t)i % 7), 0);
	assert_int_equal(list.count, 100);
	assert_string_equal(list.items[3], "abc");
	option_list_clear(&list);
	assert_int_equal(list.count, 0);
	assert_null(list.items);
	option_list_clear(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_what_the_table_says),
		cmocka_unit_test(each_kind_takes_its_notation_and_refuses_others),
		cmocka_unit_test(what_is_expected_is_said),
		cmocka_unit_test(secrets_are_never_printed),
		cmocka_unit_test(required_options_are_missed_in_order),
		cmocka_unit_test(any_value_makes_a_difference),
		cmocka_unit_test(printing_fits_into_any_buffer),
		cmocka_unit_test(lists_grow_and_are_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
