/* test_vocab.c: every vocabulary is complete, its names are found again, its lists fit.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include "daemon/model/rules.h"
#include "daemon/model/vocab.h"

static const struct vocab *const vocabularies[] = { &vocab_technology, &vocab_domain, &vocab_availability,
	&vocab_activity, &vocab_line, &vocab_mode, &vocab_overall, &vocab_forward_kind, &vocab_call_state,
	&vocab_direction, &vocab_state_status, &vocab_source_status, &vocab_permission, &vocab_user_column,
	&vocab_rules_verdict };

static void every_word_has_a_name_a_help_and_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(vocabularies); i++) {
		const struct vocab *v = vocabularies[i];

		assert_true(strlen(v->title) > 0);
		assert_true(v->count > 0);
		for (int k = 0; k < v->count; k++) {
			assert_true(strlen(vocab_name(v, k)) > 0);
			assert_true(strlen(v->words[k].help) > 0);
			assert_int_equal(vocab_find(v, vocab_name(v, k)), k); /* so no name stands twice */
		}
	}
}

static void names_are_compared_exactly(void **state)
{
	(void)state;
	assert_int_equal(vocab_find(&vocab_availability, "busy"), AVAILABILITY_BUSY);
	assert_int_equal(vocab_find(&vocab_availability, "Busy"), -1);
	assert_int_equal(vocab_find(&vocab_availability, "bus"), -1);
	assert_int_equal(vocab_find(&vocab_availability, "busy "), -1);
	assert_int_equal(vocab_find(&vocab_availability, ""), -1);
	assert_int_equal(vocab_find(&vocab_availability, NULL), -1);
}

static void value_outside_is_a_question_mark(void **state)
{
	(void)state;
	assert_string_equal(vocab_name(&vocab_line, -1), "?");
	assert_string_equal(vocab_name(&vocab_line, LINE_COUNT), "?");
}

static void list_reads_like_a_sentence_and_is_cut_to_fit(void **state)
{
	char buf[512];

	(void)state;
	assert_string_equal(vocab_list(&vocab_line, buf, sizeof buf), "idle, ringing, busy, held or offline");
	assert_string_equal(vocab_list(&vocab_domain, buf, sizeof buf), "rich or telephony");
	for (size_t size = 1; size < 40; size++) {
		char *exact = malloc(size);

		assert_non_null(exact);
		vocab_list(&vocab_line, exact, size);
		assert_true(strlen(exact) < size);
		assert_memory_equal(exact, "idle, ringing, busy, held or offline", strlen(exact));
		free(exact);
	}
	for (size_t i = 0; i < COUNT_OF(vocabularies); i++)
		assert_true(strlen(vocab_list(vocabularies[i], buf, sizeof buf)) < sizeof buf - 1);
}

/* Sections 1 and 5 of the design: rules rely on these orders. */
static void orders_that_rules_rely_on(void **state)
{
	(void)state;
	assert_int_equal(STATE_STATUS_OK, 0);
	assert_true(STATE_STATUS_ACCESS_DENIED < STATE_STATUS_NOT_FOUND);
	assert_true(STATE_STATUS_NOT_FOUND < STATE_STATUS_ERROR);
	assert_true(STATE_STATUS_ERROR < STATE_STATUS_STALE);
	assert_true(STATE_STATUS_STALE < STATE_STATUS_REQUESTING);
	assert_true(STATE_STATUS_REQUESTING < STATE_STATUS_NOT_REQUESTED);
	assert_true(STATE_STATUS_NOT_REQUESTED < STATE_STATUS_NOT_CONFIGURED_FOR_USER);
	assert_true(STATE_STATUS_NOT_CONFIGURED_FOR_USER < STATE_STATUS_SERVER_NOT_CONFIGURED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word_has_a_name_a_help_and_is_found),
		cmocka_unit_test(names_are_compared_exactly),
		cmocka_unit_test(value_outside_is_a_question_mark),
		cmocka_unit_test(list_reads_like_a_sentence_and_is_cut_to_fit),
		cmocka_unit_test(orders_that_rules_rely_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
