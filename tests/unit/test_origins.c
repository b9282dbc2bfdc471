/* test_origins.c: what several origins say of a user, and what becomes of the user.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/people.h"

#include <errno.h>

/* --- merging ------------------------------------------------------------------------------------- */

static void fields_come_from_the_first_origin_in_rank_that_has_them(void **state)
{
	(void)state;
	assert_int_equal(set_entry(BROADWORKS_ORIGIN, "7", "alice name=B extension=3 broadworks=a7"), ORIGINS_ADDED);
	assert_int_equal(set_entry(LDAP, "cn=a", "alice name=L extension=2 upn=a@x"), ORIGINS_CHANGED);
	assert_user("alice name=L extension=2 broadworks=a7 upn=a@x");
	assert_int_equal(set_entry(FILE_ORIGIN, "alice", "alice groups=sales extension=1"), ORIGINS_CHANGED);
	assert_user("alice name=L groups=sales extension=1 broadworks=a7 upn=a@x");
	assert_int_equal(set_entry(HAND, "alice", "alice name=Alice"), ORIGINS_CHANGED);
	assert_user("alice name=Alice groups=sales extension=1 broadworks=a7 upn=a@x");
	assert_told("+alice\n~alice\n~alice\n~alice\n");
}

static void what_a_higher_rank_hides_changes_nothing(void **state)
{
	(void)state;
	set_entry(HAND, "alice", "alice name=Alice");
	set_entry(LDAP, "cn=a", "alice name=L");
	assert_told("+alice\n");
	assert_int_equal(set_entry(LDAP, "cn=a", "alice name=M"), ORIGINS_UNCHANGED);
	assert_int_equal(set_entry(LDAP, "cn=a", "alice name=M"), ORIGINS_UNCHANGED);
	assert_told("");
	assert_int_equal(origins_remove(people.o, HAND, "alice"), ORIGINS_CHANGED);
	assert_user("alice name=M");
	assert_told("~alice\n");
}

static void overrides_are_merged_one_by_one(void **state)
{
	(void)state;
	set_entry(LDAP, "cn=a", "alice line@sw=1 line@pbx=2 extension@sw=3");
	set_entry(HAND, "alice", "alice line@sw=-");
	assert_user("alice line@sw=- line@pbx=2 extension@sw=3");
	set_entry(HAND, "alice", "alice extension@pbx=9");
	assert_user("alice extension@pbx=9 line@sw=1 line@pbx=2 extension@sw=3");
}

static void of_two_entries_of_one_origin_the_older_is_believed(void **state)
{
	(void)state;
	set_entry(LDAP, "one", "alice name=One");
	set_entry(LDAP, "two", "alice name=Two extension=2");
	assert_user("alice name=One extension=2");
	set_entry(LDAP, "one", "alice name=Uno"); /* it stays in its place */
	assert_user("alice name=Uno extension=2");
	assert_int_equal(origins_remove(people.o, LDAP, "one"), ORIGINS_CHANGED);
	assert_user("alice name=Two extension=2");
}

static void user_goes_with_the_last_entry(void **state)
{
	(void)state;
	set_entry(LDAP, "cn=a", "alice name=L");
	set_entry(FILE_ORIGIN, "alice", "alice");
	assert_told("+alice\n");
	assert_int_equal(origins_remove(people.o, LDAP, "nobody"), ORIGINS_UNCHANGED);
	assert_int_equal(origins_remove(people.o, FILE_ORIGIN, "alice"), ORIGINS_UNCHANGED);
	assert_int_equal(origins_remove(people.o, LDAP, "cn=a"), ORIGINS_REMOVED);
	assert_told("-alice\n");
	assert_everybody("");
	assert_null(origin_entry(LDAP, "cn=a"));
	assert_int_equal(origin_count(LDAP), 0);
}

static void users_are_reordered_when_the_rank_of_an_origin_is_another(void **state)
{
	(void)state;
	set_entry(LDAP, "cn=a", "alice name=L");
	set_entry(LDAP, "cn=b", "alice name=M upn=m@x");
	set_entry(BROADWORKS_ORIGIN, "7", "alice name=B");
	set_entry(HAND, "bob", "bob name=Bob");
	assert_user("alice name=L upn=m@x");
	buf_clear(&people.told);
	assert_false(origin_set_rank(LDAP, ORIGIN_RANK_SOURCES));
	assert_true(origin_set_rank(LDAP, ORIGIN_RANK_SOURCES + 5));
	assert_told("");
	origins_reorder(people.o, user_called("alice"));
	origins_reorder(people.o, user_called("bob"));
	assert_told("~alice\n");
	assert_user("alice name=B upn=m@x");
	origins_remove(people.o, BROADWORKS_ORIGIN, "7"); /* of one origin the older entry still comes first */
	assert_user("alice name=L upn=m@x");
}

static void origin_is_complete_when_it_was_said(void **state)
{
	(void)state;
	assert_false(origin_is_complete(LDAP));
	origin_set_complete(LDAP);
	assert_true(origin_is_complete(LDAP));
	assert_false(origin_is_complete(FILE_ORIGIN));
}

/* --- moving -------------------------------------------------------------------------------------- */

static void entry_moves_to_another_user_and_the_first_is_what_the_others_say(void **state)
{
	(void)state;
	set_entry(HAND, "alice", "alice name=Alice");
	set_entry(LDAP, "7", "alice extension=1");
	buf_clear(&people.told);
	assert_int_equal(set_entry(LDAP, "7", "bob extension=1"), ORIGINS_ADDED);
	assert_told("+bob\n~alice\n"); /* first the new one, so that the extension stays watched */
	assert_user("alice name=Alice");
	assert_user("bob extension=1");
	assert_string_equal(user_id(entry_user(origin_entry(LDAP, "7"))), "bob");
}

static void first_user_is_gone_when_its_only_entry_moves(void **state)
{
	const struct entry *e;

	(void)state;
	set_entry(HAND, "bob", "bob name=Bob");
	set_entry(LDAP, "7", "alice extension=1");
	entry_set_mark(origin_entry(LDAP, "7"), 42);
	buf_clear(&people.told);
	assert_int_equal(set_entry(LDAP, "7", "bob extension=1"), ORIGINS_CHANGED);
	assert_told("~bob\n-alice\n");
	assert_user("bob name=Bob extension=1");
	e = origin_entry(LDAP, "7");
	assert_int_equal(entry_mark(e), 42);
	assert_string_equal(entry_key(e), "7");
	assert_int_equal(origin_count(LDAP), 1);
}

static void key_of_its_own_entry_may_be_given(void **state)
{
	(void)state;
	set_entry(LDAP, "alice", "alice name=A"); /* the key is that in its fields */
	origins_set(people.o, LDAP, entry_key(origin_entry(LDAP, "alice")), person("bob name=A"));
	assert_everybody("bob");
	assert_string_equal(entry_key(origin_entry(LDAP, "alice")), "alice");
	origins_remove(people.o, LDAP, entry_key(origin_entry(LDAP, "alice")));
	assert_everybody("");
}

/* --- renaming ------------------------------------------------------------------------------------ */

static void renamed_user_is_the_same_object(void **state)
{
	struct user *user;

	(void)state;
	set_entry(HAND, "alice", "alice name=Alice groups=g");
	set_entry(LDAP, "cn=a", "alice extension=1");
	user = user_called("alice");
	buf_clear(&people.told);
	assert_int_equal(origins_rename(people.o, user, "carol"), 0);
	assert_told("alice..alice>carol\n");
	assert_ptr_equal(user_called("carol"), user);
	assert_null(directory_find(people.d, "alice"));
	assert_user("carol name=Alice groups=g extension=1");
	assert_ptr_equal(directory_group(people.d, "g")->members[0], user);
}

static void keys_by_hand_follow_and_others_stay(void **state)
{
	const struct entry *e = NULL;

	(void)state;
	set_entry(HAND, "alice", "alice name=Alice");
	set_entry(FILE_ORIGIN, "alice", "alice extension=1");
	set_entry(LDAP, "cn=a", "alice upn=a@x");
	assert_int_equal(origins_rename(people.o, user_called("alice"), "carol"), 0);
	assert_null(origin_entry(HAND, "alice"));
	assert_fields(entry_fields(origin_entry(HAND, "carol")), "carol name=Alice");
	assert_null(origin_entry(FILE_ORIGIN, "carol"));
	assert_fields(entry_fields(origin_entry(FILE_ORIGIN, "alice")), "carol extension=1");
	assert_fields(entry_fields(origin_entry(LDAP, "cn=a")), "carol upn=a@x");
	while ((e = user_entry_next(user_called("carol"), e)) != NULL)
		assert_ptr_equal(entry_user(e), user_called("carol"));
	/* and what they say later is merged into the same user */
	assert_int_equal(set_entry(FILE_ORIGIN, "alice", "carol extension=2"), ORIGINS_CHANGED);
	assert_user("carol name=Alice extension=2 upn=a@x");
	/* somebody else may be called alice, by hand, while the file means carol by that key */
	assert_int_equal(set_entry(HAND, "alice", "alice name=New"), ORIGINS_ADDED);
	assert_int_equal(origins_rename(people.o, user_called("carol"), "dora"), 0);
	assert_fields(entry_fields(origin_entry(FILE_ORIGIN, "alice")), "dora extension=2");
	assert_everybody("alice dora");
}

static void renamed_back_is_as_before(void **state)
{
	(void)state;
	set_entry(FILE_ORIGIN, "alice", "alice extension=1");
	assert_int_equal(origins_rename(people.o, user_called("alice"), "carol"), 0);
	assert_int_equal(origins_rename(people.o, user_called("carol"), "alice"), 0);
	assert_string_equal(entry_key(origin_entry(FILE_ORIGIN, "alice")), "alice");
	assert_int_equal(set_entry(FILE_ORIGIN, "alice", "alice extension=1"), ORIGINS_UNCHANGED);
	assert_int_equal(origins_remove(people.o, FILE_ORIGIN, "alice"), ORIGINS_REMOVED);
}

static void nobody_is_renamed_to_somebody(void **state)
{
	(void)state;
	set_entry(HAND, "alice", "alice name=Alice");
	set_entry(HAND, "bob", "bob name=Bob");
	buf_clear(&people.told);
	assert_int_equal(origins_rename(people.o, user_called("alice"), "bob"), -EEXIST);
	assert_int_equal(origins_rename(people.o, user_called("alice"), "alice"), -EEXIST);
	assert_told("");
	assert_user("alice name=Alice");
	assert_user("bob name=Bob");
}

/* --- random: against a model that merges by looking at everything -------------------------------- */

#define IDS    6
#define KEYS   5
#define SAID   4 /* origins: by hand, whose keys are ids; two sources; the file */
#define VALUES 3
#define EMPTY  0

struct said {
	bool exists;
	int user, values[VALUES]; /* 0: empty */
	uint64_t order;		  /* of joining its user */
};

struct model {
	struct said said[SAID][IDS]; /* by hand [0]: the key is the user */
	uint64_t joins;
};

static const int ranks[SAID] = { ORIGIN_RANK_BY_HAND, ORIGIN_RANK_SOURCES, ORIGIN_RANK_SOURCES + 1, ORIGIN_RANK_FILE };
static const char *const names[SAID] = { ORIGIN_BY_HAND, "ldap", "bw", ORIGIN_FILE };

static bool comes_before(const struct model *m, int origin, int key, int best_origin, int best_key)
{
	if (best_origin < 0)
		return true;
	if (ranks[origin] != ranks[best_origin])
		return ranks[origin] < ranks[best_origin];
	return m->said[origin][key].order < m->said[best_origin][best_key].order;
}

static int merged_value(const struct model *m, int user, int value)
{
	int best_origin = -1, best_key = 0;

	for (int o = 0; o < SAID; o++)
		for (int k = 0; k < IDS; k++) {
			const struct said *s = &m->said[o][k];

			if (s->exists && s->user == user && s->values[value] != EMPTY &&
			    comes_before(m, o, k, best_origin, best_key)) {
				best_origin = o;
				best_key = k;
			}
		}
	return best_origin < 0 ? EMPTY : m->said[best_origin][best_key].values[value];
}

static bool exists(const struct model *m, int user)
{
	for (int o = 0; o < SAID; o++)
		for (int k = 0; k < IDS; k++)
			if (m->said[o][k].exists && m->said[o][k].user == user)
				return true;
	return false;
}

static void write_values(char *text, size_t size, int user, const int *values)
{
	static const char *const columns[VALUES] = { "name", "extension", "line@sw" };
	int len = snprintf(text, size, "u%d", user);

	for (int v = 0; v < VALUES; v++)
		if (values[v] != EMPTY)
			len += snprintf(text + len, size - (size_t)len, " %s=%d", columns[v], values[v]);
}

static void write_merged(const struct model *m, int user, char *text, size_t size)
{
	int values[VALUES];

	for (int v = 0; v < VALUES; v++)
		values[v] = merged_value(m, user, v);
	write_values(text, size, user, values);
}

static void compare_with(const struct model *m)
{
	char text[128], id[16];
	size_t count = 0;

	for (int u = 0; u < IDS; u++) {
		snprintf(id, sizeof id, "u%d", u);
		assert_int_equal(directory_find(people.d, id) != NULL, exists(m, u));
		if (!exists(m, u))
			continue;
		count++;
		write_merged(m, u, text, sizeof text);
		assert_user(text);
	}
	assert_int_equal(directory_count(people.d), count);
}

static const char *key_in(int origin, int key, char *buf, size_t size)
{
	snprintf(buf, size, origin == 1 || origin == 2 ? "k%d" : "u%d", key);
	return buf;
}

static void set_something(struct model *m, int origin, int key)
{
	struct said *s = &m->said[origin][key];
	char text[128], before[128], after[128], name[16];
	int user = origin == 0 ? key : (int)random_below(IDS), expected;
	bool is_new = !exists(m, user);

	write_merged(m, user, before, sizeof before);
	if (!s->exists || s->user != user)
		s->order = ++m->joins;
	s->exists = true;
	s->user = user;
	for (int v = 0; v < VALUES; v++)
		s->values[v] = (int)random_below(3);
	write_merged(m, user, after, sizeof after);
	write_values(text, sizeof text, user, s->values);
	expected = is_new ? ORIGINS_ADDED : strcmp(before, after) != 0 ? ORIGINS_CHANGED : ORIGINS_UNCHANGED;
	assert_int_equal(
	    set_entry(origin_called(names[origin], ranks[origin]), key_in(origin, key, name, sizeof name), text),
	    expected);
}

static void remove_something(struct model *m, int origin, int key)
{
	struct said *s = &m->said[origin][key];
	char before[128] = "", after[128] = "", name[16];
	int expected = ORIGINS_UNCHANGED;

	if (s->exists) {
		write_merged(m, s->user, before, sizeof before);
		s->exists = false;
		write_merged(m, s->user, after, sizeof after);
		expected = !exists(m, s->user) ? ORIGINS_REMOVED :
		    strcmp(before, after) != 0 ? ORIGINS_CHANGED :
						 ORIGINS_UNCHANGED;
	}
	assert_int_equal(origins_remove(people.o, origin_called(names[origin], ranks[origin]),
			     key_in(origin, key, name, sizeof name)),
	    expected);
}

static void rename_somebody(struct model *m)
{
	int from = (int)random_below(IDS), to = (int)random_below(IDS);
	char id[16], other[16];

	if (!exists(m, from))
		return;
	snprintf(id, sizeof id, "u%d", from);
	snprintf(other, sizeof other, "u%d", to);
	if (exists(m, to)) {
		assert_int_equal(origins_rename(people.o, user_called(id), other), -EEXIST);
		return;
	}
	assert_int_equal(origins_rename(people.o, user_called(id), other), 0);
	for (int o = 0; o < SAID; o++)
		for (int k = 0; k < IDS; k++)
			if (m->said[o][k].exists && m->said[o][k].user == from)
				m->said[o][k].user = to;
	if (m->said[0][from].exists) {
		m->said[0][to] = m->said[0][from];
		m->said[0][from].exists = false;
	}
}

static void random_entries_match_the_model(void **state)
{
	struct model m = { 0 };
	size_t rounds = random_rounds(5000);

	(void)state;
	random_begin(__func__);
	for (size_t i = 0; i < rounds; i++) {
		int origin = (int)random_below(SAID), key = (int)random_below(origin == 0 ? IDS : KEYS);

		if (random_below(8) == 0)
			rename_somebody(&m);
		else if (random_below(3) == 0)
			remove_something(&m, origin, key);
		else
			set_something(&m, origin, key);
		compare_with(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PEOPLE_TEST(fields_come_from_the_first_origin_in_rank_that_has_them),
		PEOPLE_TEST(what_a_higher_rank_hides_changes_nothing),
		PEOPLE_TEST(overrides_are_merged_one_by_one),
		PEOPLE_TEST(of_two_entries_of_one_origin_the_older_is_believed),
		PEOPLE_TEST(user_goes_with_the_last_entry),
		PEOPLE_TEST(users_are_reordered_when_the_rank_of_an_origin_is_another),
		PEOPLE_TEST(origin_is_complete_when_it_was_said),
		PEOPLE_TEST(entry_moves_to_another_user_and_the_first_is_what_the_others_say),
		PEOPLE_TEST(first_user_is_gone_when_its_only_entry_moves),
		PEOPLE_TEST(key_of_its_own_entry_may_be_given),
		PEOPLE_TEST(renamed_user_is_the_same_object),
		PEOPLE_TEST(keys_by_hand_follow_and_others_stay),
		PEOPLE_TEST(renamed_back_is_as_before),
		PEOPLE_TEST(nobody_is_renamed_to_somebody),
		PEOPLE_TEST(random_entries_match_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
