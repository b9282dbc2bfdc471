/* test_user_json.c: users as JSON: what is written is read as it was, and what is wrong is named.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/people.h"

#include <errno.h>

#include "daemon/base/json_in.h"
#include "daemon/base/jsonw.h"
#include "daemon/model/user_json.h"

static json_t *object(const char *text)
{
	json_t *value;
	char why[256];

	if (json_in_object(text, strlen(text), &value, why, sizeof why) < 0)
		fail_msg("%s: %s", text, why);
	return value;
}

static char *written(const struct user_fields *f, bool addresses)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	jsonw_object(&b, NULL);
	user_json_write(&b, f, addresses);
	jsonw_object_end(&b);
	assert_false(b.failed);
	return b.data;
}

static void assert_written_at(const char *text, bool addresses, const char *expected, const char *file, int line)
{
	struct user_fields *f = person(text);
	char *json = written(f, addresses);

	_assert_string_equal(json, expected, file, line);
	free(json);
	user_fields_unref(f);
}
#define assert_written(text, addresses, expected) assert_written_at(text, addresses, expected, __FILE__, __LINE__)

/* What `json` makes of the user called `id` who was `old` (NULL: nobody). */
static void assert_read_at(
    const char *old, const char *id, const char *json, const char *expected, const char *file, int line)
{
	struct user_fields *before = old == NULL ? NULL : person(old), *f = NULL;
	json_t *given = object(json);
	const char *field = NULL;
	char err[256] = "";

	if (user_json_read(given, id, before, &f, err, sizeof err, &field) < 0)
		fail_msg("%s:%d: %s", file, line, err);
	assert_fields_at(f, expected, file, line);
	json_decref(given); /* it is a copy */
	assert_fields_at(f, expected, file, line);
	user_fields_unref(f);
	user_fields_unref(before);
}
#define assert_read(old, id, json, expected) assert_read_at(old, id, json, expected, __FILE__, __LINE__)

static void assert_wrong_at(
    const char *id, json_t *given, const char *expected_field, const char *expected, const char *file, int line)
{
	struct user_fields *f = NULL;
	const char *field = NULL;
	char err[256] = "";

	assert_int_equal(user_json_read(given, id, NULL, &f, err, sizeof err, &field), -EINVAL);
	assert_null(f);
	_assert_string_equal(err, expected, file, line);
	assert_non_null(field);
	_assert_string_equal(field, expected_field, file, line);
	json_decref(given);
}
#define assert_wrong(json, field, expected) assert_wrong_at("alice", object(json), field, expected, __FILE__, __LINE__)

/* --- writing ------------------------------------------------------------------------------------- */

static void what_there_is_is_written_and_groups_always(void **state)
{
	(void)state;
	assert_written("alice", true, "{\"groups\":[],\"addresses\":{}}");
	assert_written("alice name=A groups=a;;b; extension=1;2 voicemail=v line@sw=- extension@pbx=3", true,
	    "{\"name\":\"A\",\"groups\":[\"a\",\"b\"],\"addresses\":{\"extension\":\"1;2\",\"voicemail\":\"v\","
	    "\"line@sw\":\"-\",\"extension@pbx\":\"3\"}}");
	assert_written("alice name=A groups=a extension=1", false, "{\"name\":\"A\",\"groups\":[\"a\"]}");
}

/* --- reading ------------------------------------------------------------------------------------- */

static void members_that_are_given_change_and_others_stay(void **state)
{
	(void)state;
	assert_read(NULL, "alice", "{}", "alice");
	assert_read("alice name=A extension=1 line@sw=2", "alice", "{}", "alice name=A extension=1 line@sw=2");
	assert_read("alice name=A groups=g extension=1", "alice",
	    "{\"name\":\"B\",\"addresses\":{\"upn\":\"b@x\"},\"id\":7,\"whatever\":{}}",
	    "alice name=B groups=g extension=1 upn=b@x");
	assert_read("alice groups=a;b", "alice", "{\"groups\":[\"c\",\"d\"]}", "alice groups=c;d");
	assert_read("alice name=A extension=1", "carol", "{}", "carol name=A extension=1");
}

static void null_takes_away(void **state)
{
	(void)state;
	assert_read("alice name=A groups=g extension=1 upn=u line@sw=2", "alice",
	    "{\"name\":null,\"groups\":null,\"addresses\":{\"extension\":null,\"line@sw\":null}}", "alice upn=u");
	assert_read("alice extension=1 upn=u line@sw=2 line@pbx=3", "alice", "{\"addresses\":null}", "alice");
	assert_read("alice extension=1", "alice", "{\"addresses\":{\"extension\":\"\",\"line@none\":null}}", "alice");
	assert_read("alice name=A groups=g", "alice", "{\"name\":\"\",\"groups\":[]}", "alice");
}

static void overrides_are_replaced_added_and_taken_away_one_by_one(void **state)
{
	(void)state;
	assert_read("alice line@a=1 line@b=2 line@c=3", "alice",
	    "{\"addresses\":{\"line@b\":\"-\",\"line@d\":\"4\",\"line@a\":null}}", "alice line@b=- line@c=3 line@d=4");
	assert_read(
	    "alice line@a=1", "alice", "{\"addresses\":{\"extension@a\":\"9\"}}", "alice line@a=1 extension@a=9");
}

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	assert_wrong("{\"name\":7}", "name", "name is not a text");
	assert_wrong("{\"groups\":\"a\"}", "groups", "groups is not a list of texts");
	for (size_t i = 0; i < 6; i++) {
		static const char *const lists[] = { "[\"a\",7]", "[\"\"]", "[\"a;b\"]", "[\" a\"]", "[\"a\\t\"]",
			"[null]" };
		char json[64];

		snprintf(json, sizeof json, "{\"groups\":%s}", lists[i]);
		assert_wrong(json, "groups",
		    "groups holds what is no text, is empty, has a semicolon, or begins or ends with a blank");
	}
	assert_wrong("{\"addresses\":[]}", "addresses", "addresses is not an object");
	assert_wrong("{\"addresses\":{\"mail\":\"x\"}}", "mail", "mail is no address of a user");
	assert_wrong("{\"addresses\":{\"name\":\"x\"}}", "name", "name is no address of a user");
	assert_wrong("{\"addresses\":{\"groups@sw\":\"x\"}}", "groups@sw", "groups@sw is no address of a user");
	assert_wrong("{\"addresses\":{\"\":\"x\"}}", "", " is no address of a user");
	assert_wrong("{\"addresses\":{\"upn\":7}}", "upn", "upn is not a text");
	assert_wrong("{\"addresses\":{\"line@sw\":[]}}", "line@sw", "line@sw is not a text");
	assert_wrong("{\"addresses\":{\"line@\":\"1\"}}", "line@", "line@ names no source that there can be");
	assert_wrong("{\"addresses\":{\"line@a@b\":\"1\"}}", "line@a@b", "line@a@b names no source that there can be");
	assert_wrong("{\"addresses\":{\"line@a b\":\"1\"}}", "line@a b", "line@a b names no source that there can be");
	assert_wrong("{\"name\":\"a\\nb\"}", "name", "name holds a control character");
	assert_wrong("{\"groups\":[\"a\\nb\"]}", "groups", "groups holds a control character");
	assert_wrong("{\"addresses\":{\"upn\":\"a\\nb\"}}", "addresses", "upn holds a control character");
	assert_wrong("{\"addresses\":{\"upn@sw\":\"a\\nb\"}}", "addresses",
	    "an address for one source holds a control character");
	assert_wrong_at("a b", object("{}"), "id", "id \"a b\" holds a space", __FILE__, __LINE__);
	assert_wrong_at("", object("{}"), "id", "id is empty", __FILE__, __LINE__);
}

static json_t *with_text(const char *member, size_t bytes)
{
	char *text = malloc(bytes + 1);
	json_t *given;

	memset(text, 'x', bytes);
	text[bytes] = '\0';
	if (strcmp(member, "groups") == 0)
		given = json_pack("{s:[s]}", "groups", text);
	else if (strcmp(member, "name") == 0)
		given = json_pack("{s:s}", "name", text);
	else
		given = json_pack("{s:{s:s}}", "addresses", member, text);
	free(text);
	assert_non_null(given);
	return given;
}

static void texts_may_have_1024_bytes_everywhere(void **state)
{
	static const struct {
		const char *member, *field, *wrong;
	} rows[] = {
		{ "name", "name", "name is longer than 1024 bytes" },
		{ "groups", "groups", "groups are longer than 1024 bytes in all" },
		{ "upn", "addresses", "upn is longer than 1024 bytes" },
		{ "upn@sw", "addresses", "an address for one source is longer than 1024 bytes" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		json_t *given = with_text(rows[i].member, 1024);
		struct user_fields *f = NULL;
		const char *field;
		char err[256];

		assert_int_equal(user_json_read(given, "alice", NULL, &f, err, sizeof err, &field), 0);
		user_fields_unref(f);
		json_decref(given);
		assert_wrong_at(
		    "alice", with_text(rows[i].member, 1025), rows[i].field, rows[i].wrong, __FILE__, __LINE__);
	}
}

static void groups_share_1024_bytes(void **state)
{
	json_t *list = json_array(), *given = json_pack("{s:o}", "groups", list);
	struct user_fields *f = NULL;
	const char *field;
	char err[256], group[204];

	(void)state;
	memset(group, 'x', sizeof group);
	for (int i = 0; i < 5; i++)
		json_array_append_new(list, json_stringn(group, sizeof group));
	assert_int_equal(user_json_read(given, "alice", NULL, &f, err, sizeof err, &field), 0); /* and 4 semicolons */
	assert_int_equal(strlen(user_field(f, USER_GROUPS)), 1024);
	user_fields_unref(f);
	json_array_append_new(list, json_string("y"));
	assert_wrong_at("alice", given, "groups", "groups are longer than 1024 bytes in all", __FILE__, __LINE__);
}

static json_t *with_many(const char *what, int count)
{
	json_t *given = json_object(), *list = json_array(), *addresses = json_object();
	char text[32];

	for (int i = 0; i < count; i++) {
		snprintf(text, sizeof text, "line@s%d", i);
		if (strcmp(what, "groups") == 0)
			json_array_append_new(list, json_string(text));
		else
			json_object_set_new(addresses, text, json_string("1"));
	}
	json_object_set_new(given, "groups", list);
	json_object_set_new(given, "addresses", addresses);
	return given;
}

static void too_many_are_named_too(void **state)
{
	(void)state;
	assert_wrong_at("alice", with_many("groups", 65), "groups",
	    "more than 64 groups or 32 addresses for one source", __FILE__, __LINE__);
	assert_wrong_at("alice", with_many("addresses", 33), "addresses",
	    "more than 64 groups or 32 addresses for one source", __FILE__, __LINE__);
	assert_wrong_at("alice", with_many("addresses", 65), "addresses", "addresses has too many for one source",
	    __FILE__, __LINE__);
}

/* --- there and back ------------------------------------------------------------------------------ */

static const char *random_text(char *buf, size_t max)
{
	static const char *const pieces[] = { "a", "B", "7", "\"", "\\", "/", "\xc3\xa4", "\xf0\x9f\x8d\x95", "@", "'",
		"<", "\xe2\x80\xa8", "{", "," };
	size_t len = 0;

	for (size_t n = 1 + random_below(max); n > 0; n--) {
		const char *piece = pieces[random_below(COUNT_OF(pieces))];

		memcpy(buf + len, piece, strlen(piece));
		len += strlen(piece);
	}
	buf[len] = '\0';
	return buf;
}

struct random_user {
	struct user_columns columns;
	struct user_override overrides[USER_MAX_OVERRIDES];
	char texts[USER_COLUMN_COUNT][128], values[USER_MAX_OVERRIDES][128], sources[USER_MAX_OVERRIDES][64];
};

static struct user_fields *random_user(struct random_user *r)
{
	memset(r, 0, sizeof *r);
	for (int i = 0; i < USER_COLUMN_COUNT; i++)
		if (i == USER_ID || random_below(2) == 0)
			r->columns.values[i] = random_text(r->texts[i], 20);
	if (r->columns.values[USER_GROUPS] != NULL && random_below(2) == 0)
		strcat(r->texts[USER_GROUPS], ";more;other one");
	r->columns.overrides = r->overrides;
	r->columns.override_count = random_below(3) == 0 ? random_below(USER_MAX_OVERRIDES + 1) : random_below(3);
	for (size_t i = 0; i < r->columns.override_count; i++) {
		snprintf(r->sources[i], sizeof r->sources[i], "s%zu%s", i / 2, i % 3 == 0 ? "\"\\{:\xc3\xa4" : "");
		r->overrides[i] = (struct user_override){ (uint8_t)(i % 2 == 0 ? USER_LINE : USER_EXTENSION),
			r->sources[i], random_below(3) == 0 ? "-" : random_text(r->values[i], 20) };
	}
	return user_fields_new(&r->columns);
}

static void random_users_are_read_as_they_were_written(void **state)
{
	size_t rounds = random_rounds(3000);
	struct random_user user;

	(void)state;
	random_begin(__func__);
	for (size_t i = 0; i < rounds; i++) {
		struct user_fields *f = random_user(&user), *again = NULL, *twice = NULL;
		char *json = written(f, true);
		json_t *given = object(json);
		const char *field;
		char err[256];

		assert_int_equal(
		    user_json_read(given, user_field(f, USER_ID), NULL, &again, err, sizeof err, &field), 0);
		assert_true(user_fields_equal(f, again));
		/* and saying it to somebody who is so already changes nothing */
		assert_int_equal(
		    user_json_read(given, user_field(f, USER_ID), again, &twice, err, sizeof err, &field), 0);
		assert_true(user_fields_equal(f, twice));
		json_decref(given);
		free(json);
		user_fields_unref(f);
		user_fields_unref(again);
		user_fields_unref(twice);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_there_is_is_written_and_groups_always),
		cmocka_unit_test(members_that_are_given_change_and_others_stay),
		cmocka_unit_test(null_takes_away),
		cmocka_unit_test(overrides_are_replaced_added_and_taken_away_one_by_one),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(texts_may_have_1024_bytes_everywhere),
		cmocka_unit_test(groups_share_1024_bytes),
		cmocka_unit_test(too_many_are_named_too),
		cmocka_unit_test(random_users_are_read_as_they_were_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
