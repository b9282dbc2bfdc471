/* people.h: a directory with origins, whose users are written and compared as texts: "alice name=Alice line@sw=-".
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TESTS_PEOPLE_H
#define PRESENCED_TESTS_PEOPLE_H

#include "tests/unit/helpers.h"

#include "daemon/base/buf.h"
#include "daemon/model/vocab.h"
#include "daemon/origins.h"

struct people {
	struct directory *d;
	struct origins *o;
	struct buf told; /* "+alice\n", "~alice\n", "-alice\n", "alice>" before it is renamed */
};

static struct people people;

static inline void people_added(void *arg, struct user *user)
{
	(void)arg;
	assert_ptr_equal(directory_find(people.d, user_id(user)), user);
	buf_printf(&people.told, "+%s\n", user_id(user));
}

static inline void people_changed(
    void *arg, struct user *user, const struct user_fields *old, const char *const *left, size_t left_count)
{
	(void)arg;
	(void)left;
	(void)left_count;
	assert_false(user_fields_equal(old, user->fields));
	if (strcmp(user_field(old, USER_ID), user_id(user)) == 0)
		buf_printf(&people.told, "~%s\n", user_id(user));
	else
		buf_printf(&people.told, "%s>%s\n", user_field(old, USER_ID), user_id(user));
}

static inline void people_removed(void *arg, struct user *user)
{
	(void)arg;
	buf_printf(&people.told, "-%s\n", user_id(user));
}

static inline void people_renaming(void *arg, struct user *user)
{
	(void)arg;
	assert_ptr_equal(directory_find(people.d, user_id(user)), user);
	buf_printf(&people.told, "%s..", user_id(user));
}

static const struct directory_observer people_observer = { people_added, people_changed, people_removed,
	people_renaming };

static inline int people_setup(void **state)
{
	(void)state;
	buf_init(&people.told, 1 << 24);
	people.d = directory_new(&people_observer, NULL);
	people.o = people.d == NULL ? NULL : origins_new(people.d);
	return people.o == NULL;
}

static inline int people_teardown(void **state)
{
	(void)state;
	origins_free(people.o);
	directory_free(people.d);
	buf_done(&people.told);
	return 0;
}

static inline void assert_told_at(const char *expected, const char *file, int line)
{
	_assert_string_equal(buf_text(&people.told), expected, file, line);
	buf_clear(&people.told);
}
#define assert_told(expected) assert_told_at(expected, __FILE__, __LINE__)

/* One word "column=value" or "column@source=value" into the columns; `word` is cut. */
static inline void take_word(struct user_columns *c, struct user_override *overrides, char *word)
{
	char *value = strchr(word, '='), *source = strchr(word, '@');
	int column;

	assert_non_null(value);
	*value++ = '\0';
	if (source > value)
		source = NULL;
	if (source != NULL)
		*source++ = '\0';
	column = vocab_find(&vocab_user_column, word);
	assert_true(column > USER_ID);
	if (source == NULL)
		c->values[column] = value;
	else
		overrides[c->override_count++] = (struct user_override){ (uint8_t)column, source, value };
}

/* The fields of "alice name=Alice extension=1;2 line@sw=-": the caller's reference. */
static inline struct user_fields *person(const char *text)
{
	struct user_override overrides[USER_MAX_OVERRIDES];
	struct user_columns c = { .overrides = overrides };
	struct user_fields *f;
	char copy[4096], wrong[256], *rest = copy, *word;

	snprintf(copy, sizeof copy, "%s", text);
	c.values[USER_ID] = strsep(&rest, " ");
	while ((word = strsep(&rest, " ")) != NULL)
		take_word(&c, overrides, word);
	assert_null(user_columns_check(&c, wrong, sizeof wrong));
	f = user_fields_new(&c);
	assert_non_null(f);
	return f;
}

/* The other way round; overrides in their order. */
static inline void write_person(struct buf *b, const struct user_fields *f)
{
	const struct user_override *overrides;
	size_t count;

	buf_puts(b, user_field(f, USER_ID));
	for (int i = USER_NAME; i < USER_COLUMN_COUNT; i++)
		if (*user_field(f, (enum user_column)i) != '\0')
			buf_printf(b, " %s=%s", vocab_name(&vocab_user_column, i), user_field(f, (enum user_column)i));
	overrides = user_overrides(f, &count);
	for (size_t i = 0; i < count; i++)
		buf_printf(b, " %s@%s=%s", vocab_name(&vocab_user_column, overrides[i].column), overrides[i].source,
		    overrides[i].value);
}

static inline void assert_fields_at(const struct user_fields *f, const char *expected, const char *file, int line)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	write_person(&b, f);
	_assert_string_equal(buf_text(&b), expected, file, line);
	buf_done(&b);
}
#define assert_fields(f, expected) assert_fields_at(f, expected, __FILE__, __LINE__)

static inline struct user *user_called(const char *id)
{
	struct user *user = directory_find(people.d, id);

	if (user == NULL)
		fail_msg("there is no user %s", id);
	return user;
}

/* The user who is called like the first word is what the text says. */
static inline void assert_user_at(const char *expected, const char *file, int line)
{
	char id[USER_MAX_ID_BYTES + 1];

	snprintf(id, sizeof id, "%.*s", (int)strcspn(expected, " "), expected);
	assert_fields_at(user_called(id)->fields, expected, file, line);
}
#define assert_user(expected) assert_user_at(expected, __FILE__, __LINE__)

/* Everybody there is, in order: "alice bob". */
static inline void assert_everybody_at(const char *expected, const char *file, int line)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	for (struct user *u = directory_after(people.d, ""); u != NULL; u = directory_next(u))
		buf_printf(&b, "%s%s", b.len == 0 ? "" : " ", user_id(u));
	_assert_string_equal(buf_text(&b), expected, file, line);
	buf_done(&b);
}
#define assert_everybody(expected) assert_everybody_at(expected, __FILE__, __LINE__)

static inline struct origin *origin_called(const char *name, int rank)
{
	struct origin *origin = origins_get(people.o, name, rank);

	assert_non_null(origin);
	return origin;
}

#define HAND		  origin_called(ORIGIN_BY_HAND, ORIGIN_RANK_BY_HAND)
#define FILE_ORIGIN	  origin_called(ORIGIN_FILE, ORIGIN_RANK_FILE)
#define LDAP		  origin_called("ldap", ORIGIN_RANK_SOURCES)
#define BROADWORKS_ORIGIN origin_called("bw", ORIGIN_RANK_SOURCES + 1)

static inline int set_entry(struct origin *origin, const char *key, const char *text)
{
	return origins_set(people.o, origin, key, person(text));
}

#define PEOPLE_TEST(f) cmocka_unit_test_setup_teardown(f, people_setup, people_teardown)

#endif
