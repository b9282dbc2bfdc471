/* test_users_text.c: users as JSON, columns and CSV, and that none of the ways between them loses anything.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include "cli/users_text.h"
#include "daemon/model/vocab.h"
#include "daemon/users_csv.h"

static json_t *object(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	assert_non_null(value);
	return value;
}

static struct user_fields *fields_from(const char *text)
{
	json_t *user = object(text);
	char why[256] = "";
	struct user_fields *fields = user_from_json(user, why, sizeof why);

	if (fields == NULL)
		fail_msg("refused: %s: %s", text, why);
	json_decref(user);
	return fields;
}

static const char *refusal(const char *text)
{
	static char why[256];
	json_t *user = object(text);

	why[0] = '\0';
	if (user_from_json(user, why, sizeof why) != NULL)
		fail_msg("accepted: %s", text);
	json_decref(user);
	return why;
}

static void a_user_becomes_json_and_columns_again(void **state)
{
	static const char *const users[] = {
		"{\"id\":\"alice\",\"groups\":[],\"addresses\":{}}",
		"{\"id\":\"alice\",\"name\":\"Alice \\\"A\\\" M\xc3\xbcller\",\"groups\":[\"sales\",\"office\"],"
		"\"addresses\":{\"extension\":\"2001;2002\",\"line@switch2\":\"-\",\"name@imp\":\"Al\"}}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(users); i++) {
		struct user_fields *fields = fields_from(users[i]);
		json_t *found = user_to_json(fields), *expected = object(users[i]);

		assert_true(json_equal(found, expected));
		json_decref(found);
		json_decref(expected);
		free(fields);
	}
}

static void what_is_absent_or_told_by_users_get_is_fine(void **state)
{
	struct user_fields *a = fields_from("{\"id\":\"a\"}");
	struct user_fields *b = fields_from("{\"id\":\"a\",\"name\":\"\",\"addresses\":{\"line@x\":\"\",\"line\":\"\"},"
					    "\"origins\":[{\"origin\":\"hand\"}]}");

	(void)state;
	assert_true(user_fields_equal(a, b));
	free(a);
	free(b);
}

static void what_is_no_user_is_refused_with_a_sentence(void **state)
{
	json_t *many = object("{\"id\":\"a\",\"addresses\":{}}");
	char key[32], *text;

	(void)state;
	assert_string_equal(refusal("{}"), "id: expected a text");
	assert_string_equal(refusal("{\"id\":7}"), "id: expected a text");
	assert_string_equal(refusal("{\"id\":\"\"}"), "id is empty");
	assert_string_equal(refusal("{\"id\":\"a b\"}"), "id \"a b\" holds a space");
	assert_non_null(strstr(refusal("{\"id\":\"a\",\"name\":null}"), "expected a text as name"));
	assert_non_null(strstr(refusal("{\"id\":\"a\",\"groups\":\"sales\"}"), "a list as groups"));
	assert_non_null(strstr(refusal("{\"id\":\"a\",\"addresses\":[]}"), "an object as addresses"));
	assert_string_equal(refusal("{\"id\":\"a\",\"groups\":[1]}"), "groups: expected texts without ;");
	assert_string_equal(refusal("{\"id\":\"a\",\"groups\":[\"a;b\"]}"), "groups: expected texts without ;");
	assert_string_equal(refusal("{\"id\":\"a\",\"line\":\"1\"}"), "a user has no \"line\"");
	assert_string_equal(refusal("{\"id\":\"a\",\"addresses\":{\"fax\":\"1\"}}"),
	    "addresses: \"fax\" is no column that this program knows");
	assert_non_null(strstr(refusal("{\"id\":\"a\",\"addresses\":{\"name\":\"1\"}}"), "no column"));
	assert_non_null(strstr(refusal("{\"id\":\"a\",\"addresses\":{\"line@\":\"1\"}}"), "no column"));
	assert_non_null(strstr(refusal("{\"id\":\"a\",\"addresses\":{\"id@x\":\"1\"}}"), "no column"));
	assert_string_equal(
	    refusal("{\"id\":\"a\",\"addresses\":{\"line\":1}}"), "addresses: expected a text for \"line\"");
	for (int i = 0; i <= USER_MAX_OVERRIDES; i++) {
		snprintf(key, sizeof key, "line@s%d", i);
		json_object_set_new(json_object_get(many, "addresses"), key, json_string("1"));
	}
	text = json_dumps(many, 0);
	assert_non_null(strstr(refusal(text), "more than 64 groups or 32 addresses"));
	free(text);
	json_decref(many);
	text = malloc(100000);
	memset(text, 'x', 99000);
	memcpy(text, "{\"id\":\"a\",\"groups\":[\"", 21);
	memcpy(text + 99000, "\"]}", 4);
	assert_non_null(strstr(refusal(text), "groups are longer than"));
	free(text);
}

/* --- parameters of users.set --------------------------------------------------------------------- */

static void assignments_become_parameters(void **state)
{
	static const char *const texts[] = { "name=Alice = A", "groups=a; b;", "extension=2001", "line@switch2=-",
		"xmpp=", "upn@x=" };
	json_t *params = json_object(),
	       *expected = object("{\"name\":\"Alice = A\",\"groups\":[\"a\",\"b\"],\"addresses\":"
				  "{\"extension\":\"2001\",\"line@switch2\":\"-\",\"xmpp\":null,"
				  "\"upn@x\":null}}");
	char why[512];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		assert_true(user_assign(params, texts[i], why, sizeof why));
	assert_true(json_equal(params, expected));
	json_decref(params);
	json_decref(expected);
	params = json_object();
	expected = object("{\"name\":null,\"groups\":null}");
	assert_true(user_assign(params, "name=", why, sizeof why));
	assert_true(user_assign(params, "groups=", why, sizeof why));
	assert_true(json_equal(params, expected));
	json_decref(params);
	json_decref(expected);
}

static void what_is_no_assignment_is_refused(void **state)
{
	static const char *const texts[] = { "", "=", "name", "fax=1", "id=bob", "line@=1", "id@x=1", "@x=1",
		"Name=x" };
	json_t *params = json_object();
	char why[512];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		if (user_assign(params, texts[i], why, sizeof why))
			fail_msg("accepted: %s", texts[i]);
		assert_non_null(strstr(why, "expected COLUMN=VALUE"));
	}
	assert_int_equal(json_object_size(params), 0);
	assert_true(user_assign(params, "line=", why, sizeof why));
	assert_false(user_assign(params, "line=1", why, sizeof why));
	assert_string_equal(why, "line is given twice");
	json_decref(params);
}

/* --- CSV ----------------------------------------------------------------------------------------- */

struct reading {
	struct user_fields **users;
	size_t count;
};

static int keep(void *arg, struct user_fields *fields)
{
	struct reading *r = arg;

	r->users[r->count++] = fields;
	return 0;
}

static void write_users(struct user_fields *const *users, size_t count, struct buf *b)
{
	struct users_columns columns;

	users_columns_init(&columns);
	for (size_t i = 0; i < count; i++)
		assert_true(users_columns_add(&columns, users[i]));
	users_columns_write_titles(&columns, b);
	for (size_t i = 0; i < count; i++)
		users_columns_write_user(&columns, users[i], b);
	users_columns_done(&columns);
	assert_false(b->failed);
}

static void only_columns_that_somebody_uses_are_written(void **state)
{
	struct user_fields *users[] = {
		fields_from(
		    "{\"id\":\"alice\",\"name\":\"A \\\"x\\\", B\",\"addresses\":{\"line@b\":\"1\",\"line@a\":\"-\"}}"),
		fields_from(
		    "{\"id\":\"bob\",\"groups\":[\"x\",\"y\"],\"addresses\":{\"line\":\"7\",\"extension@a\":\"2\"}}"),
		fields_from("{\"id\":\"carol\"}"),
	};
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	write_users(users, COUNT_OF(users), &b);
	assert_string_equal(buf_text(&b),
	    "\"id\",\"name\",\"groups\",\"line\",\"extension@a\",\"line@a\",\"line@b\"\n"
	    "\"alice\",\"A \"\"x\"\", B\",,,,\"-\",\"1\"\n"
	    "\"bob\",,\"x;y\",\"7\",\"2\",,\n"
	    "\"carol\",,,,,,\n");
	buf_clear(&b);
	write_users(users, 0, &b);
	assert_string_equal(buf_text(&b), "\"id\"\n");
	buf_done(&b);
	for (size_t i = 0; i < COUNT_OF(users); i++)
		free(users[i]);
}

static void more_columns_than_are_read_back_are_refused(void **state)
{
	struct users_columns columns;
	char text[64];
	size_t added = 0;

	(void)state;
	users_columns_init(&columns);
	for (int i = 0; i < USERS_TEXT_MAX_COLUMNS; i++) {
		struct user_fields *fields;

		snprintf(text, sizeof text, "{\"id\":\"a\",\"addresses\":{\"line@s%d\":\"1\"}}", i);
		fields = fields_from(text);
		added += users_columns_add(&columns, fields);
		free(fields);
	}
	assert_int_equal(added, USERS_TEXT_MAX_COLUMNS - 1);
	users_columns_done(&columns);
}

/* Text with all that CSV and JSON make something of. */
static const char *random_text(char *buf, size_t size)
{
	static const char *const pieces[] = { "a", "\"", ",", " ", "'", "\xc3\xbc", "@", "=", "\\", "-", "2001" };
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = random_below(6); i > 0 && used + 8 < size; i--)
		used += (size_t)snprintf(buf + used, size - used, "%s", pieces[random_below(COUNT_OF(pieces))]);
	return buf;
}

static struct user_fields *random_user(size_t number)
{
	static const char *const sources[] = { "a", "switch", "b,c", "d\"e" };
	json_t *user = json_object(), *addresses = json_object(), *groups = json_array();
	char text[64], key[64], why[256];
	struct user_fields *fields;

	snprintf(text, sizeof text, "u%zu\"'", number);
	json_object_set_new(user, "id", json_string(text));
	json_object_set_new(user, "name", json_string(random_text(text, sizeof text)));
	for (size_t i = random_below(3); i > 0; i--) {
		snprintf(text, sizeof text, "g%zu, \"x\"", random_below(9));
		json_array_append_new(groups, json_string(text));
	}
	for (size_t i = random_below(8); i > 0; i--) {
		int column = USER_EXTENSION + (int)random_below(USER_COLUMN_COUNT - USER_EXTENSION);

		snprintf(key, sizeof key, "%s%s%s", vocab_name(&vocab_user_column, column), i % 2 == 0 ? "@" : "",
		    i % 2 == 0 ? sources[random_below(COUNT_OF(sources))] : "");
		json_object_set_new(addresses, key, json_string(random_text(text, sizeof text)));
	}
	json_object_set_new(user, "groups", groups);
	json_object_set_new(user, "addresses", addresses);
	fields = user_from_json(user, why, sizeof why);
	if (fields == NULL)
		fail_msg("refused: %s", why);
	json_decref(user);
	return fields;
}

static void assert_same_user(const struct user_fields *a, const struct user_fields *b)
{
	json_t *first = user_to_json(a), *second = user_to_json(b); /* overrides may be in another order */

	assert_true(json_equal(first, second));
	json_decref(first);
	json_decref(second);
}

static void an_export_is_read_back_as_the_same_users(void **state)
{
	(void)state;
	random_begin("users_text");
	for (size_t round = 0; round < random_rounds(300); round++) {
		struct user_fields *users[20], *back[20];
		struct reading reading = { .users = back };
		size_t count = random_below(COUNT_OF(users));
		struct users_csv *csv;
		struct buf text, errors;

		for (size_t i = 0; i < count; i++)
			users[i] = random_user(i);
		buf_init(&text, 1024 * 1024);
		buf_init(&errors, 65536);
		write_users(users, count, &text);
		csv = users_csv_new("export", &errors, keep, &reading);
		assert_int_equal(users_csv_feed(csv, buf_text(&text), text.len), 0);
		if (users_csv_end(csv) != 0)
			fail_msg("%s", buf_text(&errors));
		assert_int_equal(reading.count, count);
		for (size_t i = 0; i < count; i++) {
			assert_same_user(users[i], back[i]);
			free(users[i]);
			free(back[i]);
		}
		buf_done(&text);
		buf_done(&errors);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_becomes_json_and_columns_again),
		cmocka_unit_test(what_is_absent_or_told_by_users_get_is_fine),
		cmocka_unit_test(what_is_no_user_is_refused_with_a_sentence),
		cmocka_unit_test(assignments_become_parameters),
		cmocka_unit_test(what_is_no_assignment_is_refused),
		cmocka_unit_test(only_columns_that_somebody_uses_are_written),
		cmocka_unit_test(more_columns_than_are_read_back_are_refused),
		cmocka_unit_test(an_export_is_read_back_as_the_same_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
