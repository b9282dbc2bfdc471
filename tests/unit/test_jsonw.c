/* test_jsonw.c: what the writer writes is JSON, and jansson reads the same back.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <jansson.h>

#include "daemon/base/jsonw.h"

static void commas_stand_where_they_belong(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	jsonw_object(&b, NULL);
	jsonw_object(&b, "empty");
	jsonw_object_end(&b);
	jsonw_list(&b, "list");
	jsonw_int(&b, NULL, 1);
	jsonw_null(&b, NULL);
	jsonw_bool(&b, NULL, true);
	jsonw_text(&b, NULL, "a:");
	jsonw_text(&b, NULL, "[");
	jsonw_list(&b, NULL);
	jsonw_list_end(&b);
	jsonw_list_end(&b);
	jsonw_bool(&b, "no", false);
	jsonw_text(&b, "null", NULL);
	jsonw_time(&b, "at", 1795176000123);
	jsonw_int(&b, "least", INT64_MIN);
	jsonw_text_len(&b, "part", "abcdef", 3);
	jsonw_object_end(&b);
	buf_putc(&b, '\n');
	jsonw_object(&b, NULL); /* the next line has no comma before it */
	jsonw_object_end(&b);
	assert_string_equal(buf_text(&b),
	    "{\"empty\":{},\"list\":[1,null,true,\"a:\",\"[\",[]],\"no\":false,\"null\":null,"
	    "\"at\":\"2026-11-20T12:00:00.123Z\",\"least\":-9223372036854775808,\"part\":\"abc\"}\n{}");
	buf_done(&b);
}

static void every_character_is_read_back(void **state)
{
	struct buf b;
	char text[3] = "";

	(void)state;
	buf_init(&b, 1000);
	for (int c = 1; c < 0x100; c++) {
		json_t *value;

		text[0] = (char)(c < 0x80 ? c : 0xc0 | c >> 6);
		text[1] = (char)(c < 0x80 ? 0 : 0x80 | (c & 0x3f));
		buf_clear(&b);
		jsonw_text(&b, NULL, text);
		value = json_loads(buf_text(&b), JSON_DECODE_ANY, NULL);
		assert_non_null(value);
		assert_string_equal(json_string_value(value), text);
		json_decref(value);
		for (size_t i = 0; i < b.len; i++) /* a line stays a line, and a terminal is safe */
			assert_true((unsigned char)b.data[i] >= 0x20 && b.data[i] != 0x7f);
	}
	buf_clear(&b);
	jsonw_text_len(&b, NULL, "a\0b", 3);
	assert_string_equal(buf_text(&b), "\"a\\u0000b\"");
	buf_done(&b);
}

static void full_buffer_is_noticed_at_the_end(void **state)
{
	struct buf b;

	(void)state;
	for (size_t max = 0; max < 40; max++) {
		buf_init(&b, max);
		jsonw_object(&b, NULL);
		jsonw_text(&b, "key", "some text");
		jsonw_list(&b, "list");
		jsonw_list_end(&b);
		jsonw_object_end(&b);
		assert_int_equal(b.failed, max < strlen("{\"key\":\"some text\",\"list\":[]}"));
		buf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commas_stand_where_they_belong),
		cmocka_unit_test(every_character_is_read_back),
		cmocka_unit_test(full_buffer_is_noticed_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
