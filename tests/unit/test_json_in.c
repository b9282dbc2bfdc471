/* test_json_in.c: which bytes are an object, and that hostile ones are refused with a sentence.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>

#include "daemon/base/json_in.h"

struct bytes {
	const char *text;
	size_t len;
};
#define BYTES(literal) \
	{ \
		literal, sizeof(literal) - 1 \
	}

static void objects_are_accepted(void **state)
{
	static const struct bytes good[] = { BYTES("{}"), BYTES(" {\"a\":1}\r\n"), BYTES("{\"a\":[{},{\"b\":null}]}"),
		BYTES("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}"),
		BYTES("{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}"),
		BYTES("{\"\\u00e4\":\"\\ud83d\\udcde\"}"), BYTES("{\"a\":{\"x\":1},\"b\":{\"x\":1}}") };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		char err[256] = "";
		json_t *value = NULL;

		if (json_in_object(good[i].text, good[i].len, &value, err, sizeof err) != 0)
			fail_msg("%s: %s", good[i].text, err);
		assert_true(json_is_object(value));
		json_decref(value);
	}
}

static void anything_else_is_refused_with_a_sentence(void **state)
{
	static const struct bytes bad[] = { BYTES(""), BYTES(" "), BYTES("{"), BYTES("}"), BYTES("[]"), BYTES("null"),
		BYTES("\"text\""), BYTES("1"), BYTES("{}{}"), BYTES("{} x"), BYTES("{\"a\":1,}"), BYTES("{a:1}"),
		BYTES("{'a':1}"), BYTES("{\"a\":NaN}"), BYTES("{\"a\":1e999}"), BYTES("{\"a\":01}"),
		BYTES("{\"a\":99999999999999999999}"), BYTES("{\"a\":\"\x01\"}"), BYTES("{\"a\":\"\xff\"}"),
		BYTES("{\"a\":\"\xc0\xaf\"}"), BYTES("{\"a\":\"\xed\xa0\x80\"}"), BYTES("{\"a\":\"\\ud800\"}"),
		/* twice the same key, also where it only looks different or stands deeper */
		BYTES("{\"a\":1,\"a\":1}"), BYTES("{\"a\":1,\"\\u0061\":2}"), BYTES("{\"x\":{\"a\":1,\"a\":2}}"),
		/* NUL, escaped and not, in a value, in a key, between, and at the end */
		BYTES("{\"a\":\"\\u0000\"}"), BYTES("{\"\\u0000\":1}"), BYTES("{\"a\":\"\0\"}"), BYTES("{\0}"),
		BYTES("{}\0"), BYTES("\0{}"), BYTES("]]]]{}"), BYTES("\\\"{}"), BYTES("{\"a\":\"\\") };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		json_t *value = (json_t *)&value;
		char err[256] = "";

		if (json_in_object(bad[i].text, bad[i].len, &value, err, sizeof err) != -EBADMSG)
			fail_msg("accepted: %s", bad[i].text);
		assert_ptr_equal(value, &value); /* untouched */
		assert_true(strlen(err) > 0);
	}
}

static int parse_depth(size_t depth, char open, char close)
{
	size_t len = 2 * depth + 6;
	char *text = malloc(len + 1), err[256] = "";
	json_t *value = NULL;
	int r;

	assert_non_null(text);
	memcpy(text, "{\"a\":", 5);
	for (size_t i = 0; i < depth - 1; i++) {
		text[5 + i] = open;
		text[5 + 2 * (depth - 1) - 1 - i] = close;
	}
	len = 5 + 2 * (depth - 1);
	if (depth == 1)
		text[len++] = '1';
	text[len++] = '}';
	r = json_in_object(text, len, &value, err, sizeof err);
	if (r == 0)
		json_decref(value);
	free(text);
	return r;
}

static void depth_is_limited(void **state)
{
	char text[JSON_IN_MAX_DEPTH * 12], err[256];
	json_t *value;
	size_t len = 0;

	(void)state;
	assert_int_equal(parse_depth(1, '[', ']'), 0);
	assert_int_equal(parse_depth(JSON_IN_MAX_DEPTH, '[', ']'), 0);
	assert_int_equal(parse_depth(JSON_IN_MAX_DEPTH + 1, '[', ']'), -EBADMSG);
	assert_int_equal(parse_depth(1000000, '[', ']'), -EBADMSG);
	for (int i = 0; i <= JSON_IN_MAX_DEPTH; i++)
		len += (size_t)sprintf(text + len, "{\"a\":");
	assert_int_equal(json_in_object(text, len, &value, err, sizeof err), -EBADMSG);
	assert_string_equal(err, "nested deeper than 32 levels");
}

static void every_prefix_of_a_line_is_refused(void **state)
{
	static const char line[] = "{\"a\":[1,-2.5e3,\"x\\u00e4\\n\xc3\xa4\",{\"b\":[true,false,null]}]}";
	char err[256];
	json_t *value;

	(void)state;
	for (size_t len = 0; len < sizeof line - 1; len++) {
		char *copy = malloc(len + 1); /* so that a byte read too far is seen */

		assert_non_null(copy);
		memcpy(copy, line, len);
		copy[len] = '!';
		assert_int_equal(json_in_object(copy, len, &value, err, sizeof err), -EBADMSG);
		free(copy);
	}
	assert_int_equal(json_in_object(line, sizeof line - 1, &value, err, sizeof err), 0);
	json_decref(value);
}

static void random_bytes_are_an_object_or_a_sentence(void **state)
{
	static const char alphabet[] = "{}[]\":,\\u0123eE.-+ntrf \n\xc3\xa4\x80";

	(void)state;
	random_begin(__func__);
	for (int i = 0; i < 50000; i++) {
		char text[24], err[256] = "";
		size_t len = 1 + random_below(sizeof text - 1);
		json_t *value = NULL;

		for (size_t k = 0; k < len; k++)
			text[k] = alphabet[random_below(sizeof alphabet)];
		if (random_below(2) == 0)
			text[0] = '{';
		if (json_in_object(text, len, &value, err, sizeof err) == 0) {
			assert_true(json_is_object(value));
			json_decref(value);
		} else {
			assert_null(value);
			assert_true(err[0] != '\0');
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_accepted),
		cmocka_unit_test(anything_else_is_refused_with_a_sentence),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(every_prefix_of_a_line_is_refused),
		cmocka_unit_test(random_bytes_are_an_object_or_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
