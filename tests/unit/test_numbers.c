/* test_numbers.c: which numbers mean the same: the verdicts of tests/corpus/rules/numbers.jsonl, and edges.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <jansson.h>

#include "daemon/model/numbers.h"

#define CORPUS "tests/corpus/rules/numbers.jsonl"

static char *outside[] = { (char[]){ "9" } };
static struct numbers_did dids[] = { { (char[]){ "+4420708468" }, 2 } };
static const struct numbers_config office = { .country = (char[]){ "44" },
	.international = (char[]){ "00" },
	.national = (char[]){ "0" },
	.outside = outside,
	.outside_count = 1,
	.extension_digits = 6,
	.dids = dids,
	.did_count = 1 };

static bool equal(const struct numbers_config *config, const char *a, const char *b)
{
	struct number x, y;
	bool is_equal;

	if (!number_normalise(config, a, &x) || !number_normalise(config, b, &y))
		return false;
	is_equal = number_equal(config, &x, &y);
	assert_int_equal(number_equal(config, &y, &x), is_equal);
	return is_equal;
}

static void verdicts_of_the_corpus(void **state)
{
	FILE *file = fopen(CORPUS, "r");
	char text[2000];
	size_t count = 0;

	(void)state;
	if (file == NULL)
		skip(); /* not started at the top of the repository */
	while (next_line(file, text, sizeof text) != NULL) {
		json_t *row = json_loads(text, 0, NULL);
		const char *a = json_string_value(json_object_get(row, "a"));
		const char *b = json_string_value(json_object_get(row, "b"));

		assert_non_null(row);
		if (a != NULL && equal(&office, a, b) != json_is_true(json_object_get(row, "equal")))
			fail_msg("wrong: %s", text);
		count += a != NULL;
		json_decref(row);
	}
	fclose(file);
	assert_true(count > 30);
}

static void nothing_equals_nothing(void **state)
{
	(void)state;
	assert_false(equal(&office, "", ""));
	assert_false(equal(&office, "sip:", "sip:"));
	assert_false(equal(&office, "()-", "."));
	assert_false(equal(&office, "<>", "<>"));
}

static void without_configuration_only_the_spelling_is_removed(void **state)
{
	static const struct numbers_config none = { 0 };

	(void)state;
	assert_true(equal(&none, "020 7084-6845", "tel:02070846845"));
	assert_false(equal(&none, "020 7084 6845", "+442070846845"));
	assert_false(equal(&none, "0044", "+44"));
	assert_true(equal(&none, "8000", "sip:8000@pbx"));
}

static void extension_that_looks_like_an_outside_call_is_an_extension(void **state)
{
	(void)state;
	assert_true(equal(&office, "901234", "901234"));
	assert_false(equal(&office, "901234", "01234"));
	assert_false(equal(&office, "901234", "+441234"));
}

static void host_counts_only_when_both_names_have_one(void **state)
{
	(void)state;
	assert_true(equal(&office, "sip:VM@pbx", "vm"));
	assert_true(equal(&office, "VM@PBX;user=phone", "sips:vm@pbx"));
	assert_false(equal(&office, "vm@pbx", "vm@other"));
	assert_false(equal(&office, "vm", "8000"));
}

static void longest_text_that_fits_and_the_first_that_does_not(void **state)
{
	char text[NUMBER_MAX_BYTES + 100];
	struct number n;
	size_t fits = 0;

	(void)state;
	for (size_t len = 1; len < sizeof text; len++) {
		memset(text, '0', len); /* national prefix: grows when it is normalised */
		text[len] = '\0';
		if (number_normalise(&office, text, &n)) {
			assert_true(strlen(n.text) < sizeof n.text);
			fits = len;
		} else {
			assert_string_equal(n.text, "");
			assert_false(number_equal(&office, &n, &n));
		}
	}
	assert_in_range(fits, 100, NUMBER_MAX_BYTES);
}

static void random_text_equals_itself_or_is_empty(void **state)
{
	static const char alphabet[] = "0123456789+*#@;?<>\"() -./aZsip:tel,\xc3\xa4";

	(void)state;
	random_begin(__func__);
	for (int i = 0; i < 50000; i++) {
		char text[32];
		size_t len = random_below(sizeof text);
		struct number n;

		for (size_t k = 0; k < len; k++)
			text[k] = alphabet[random_below(sizeof alphabet - 1)];
		text[len] = '\0';
		assert_true(number_normalise(&office, text, &n));
		assert_int_equal(number_equal(&office, &n, &n), n.text[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_of_the_corpus),
		cmocka_unit_test(nothing_equals_nothing),
		cmocka_unit_test(without_configuration_only_the_spelling_is_removed),
		cmocka_unit_test(extension_that_looks_like_an_outside_call_is_an_extension),
		cmocka_unit_test(host_counts_only_when_both_names_have_one),
		cmocka_unit_test(longest_text_that_fits_and_the_first_that_does_not),
		cmocka_unit_test(random_text_equals_itself_or_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
