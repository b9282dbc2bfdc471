/* test_sync.c: what one origin says, taken in as a whole.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/people.h"

#include <errno.h>

#include "daemon/sync.h"

static struct sync *sync_now; /* freed by the teardown */
static size_t budget;
static bool removes, force;

static int sync_setup(void **state)
{
	budget = 1000;
	removes = true;
	force = false;
	return people_setup(state);
}

static int sync_teardown(void **state)
{
	sync_free(sync_now);
	sync_now = NULL;
	return people_teardown(state);
}

static void begin_with(struct origin *origin, const struct sync_rules *rules)
{
	sync_free(sync_now);
	sync_now = sync_new(people.o, people.d, origin, rules);
	assert_non_null(sync_now);
}

static void begin(struct origin *origin)
{
	begin_with(origin, NULL);
}

/* By these columns, separated by blanks. */
static void begin_matching(struct origin *origin, const char *columns)
{
	struct option_list list = { 0 };
	char copy[128], *rest = copy, *word;

	snprintf(copy, sizeof copy, "%s", columns);
	while ((word = strsep(&rest, " ")) != NULL)
		assert_int_equal(option_list_add(&list, word, strlen(word)), 0);
	begin_with(origin, &(struct sync_rules){ .match = &list });
	option_list_clear(&list); /* it was copied */
}

static void stage(const char *key, const char *text)
{
	assert_int_equal(sync_add(sync_now, key, person(text)), 0);
}

static enum sync_phase run_from(enum sync_phase phase)
{
	enum sync_phase now;
	int slices = 0;

	while ((now = sync_run(sync_now, budget)) == phase)
		assert_true(slices++ < 100000);
	return now;
}

static enum sync_phase check_it(void)
{
	sync_ready(sync_now, removes, force);
	return run_from(SYNC_CHECKING);
}

static void apply_it(void)
{
	sync_apply(sync_now);
	assert_int_equal(run_from(SYNC_APPLYING), SYNC_DONE);
	assert_int_equal(sync_phase(sync_now), SYNC_DONE);
}

static void take_in(void)
{
	assert_int_equal(check_it(), SYNC_READY);
	apply_it();
}

/* "2 added, 1 changed, 0 unchanged, 0 removed, 0 conflicts" */
static void assert_counts_at(const char *expected, const char *file, int line)
{
	const struct sync_counts *c = sync_counts(sync_now);
	char text[200];

	snprintf(text, sizeof text, "%zu added, %zu changed, %zu unchanged, %zu removed, %zu conflicts", c->added,
	    c->changed, c->unchanged, c->removed, c->conflicts);
	_assert_string_equal(text, expected, file, line);
}
#define assert_counts(expected) assert_counts_at(expected, __FILE__, __LINE__)

/* --- staging ------------------------------------------------------------------------------------- */

static void nothing_changes_before_it_is_applied(void **state)
{
	(void)state;
	set_entry(LDAP, "1", "alice name=A");
	buf_clear(&people.told);
	begin(LDAP);
	stage("2", "bob name=B");
	assert_int_equal(check_it(), SYNC_READY);
	assert_told("");
	begin(LDAP); /* the first one is dropped */
	assert_everybody("alice");
}

static void key_is_named_once(void **state)
{
	(void)state;
	begin(LDAP);
	stage("1", "alice name=A");
	assert_int_equal(sync_add(sync_now, "1", person("bob name=B")), -EEXIST);
	stage("bob", "bob");
	assert_int_equal(sync_add(sync_now, "bob", person("carol")), -EEXIST);
	assert_int_equal(sync_count(sync_now), 2);
	take_in();
	assert_everybody("alice bob");
	assert_user("alice name=A");
}

static void list_becomes_the_users_of_the_origin_and_no_others(void **state)
{
	(void)state;
	set_entry(HAND, "zoe", "zoe name=Zoe");
	set_entry(HAND, "alice", "alice name=Alice");
	set_entry(LDAP, "1", "alice extension=1");
	set_entry(LDAP, "2", "bob extension=2");
	set_entry(LDAP, "3", "carol extension=3");
	buf_clear(&people.told);
	begin(LDAP);
	stage("2", "bob extension=2");
	stage("3", "carol extension=33");
	stage("4", "dora extension=4");
	assert_int_equal(check_it(), SYNC_READY);
	assert_counts("1 added, 2 changed, 1 unchanged, 0 removed, 0 conflicts");
	assert_int_equal(sync_counts(sync_now)->before, 3);
	assert_int_equal(sync_counts(sync_now)->missing, 1);
	apply_it();
	assert_counts("1 added, 2 changed, 1 unchanged, 0 removed, 0 conflicts");
	assert_told("~carol\n+dora\n~alice\n");
	assert_everybody("alice bob carol dora zoe");
	assert_user("alice name=Alice");
	assert_user("carol extension=33");
	assert_int_equal(origin_count(LDAP), 3);
}

static void incomplete_list_removes_nobody(void **state)
{
	(void)state;
	removes = false;
	set_entry(LDAP, "1", "alice extension=1");
	begin(LDAP);
	stage("2", "bob extension=2");
	take_in();
	assert_counts("1 added, 0 changed, 0 unchanged, 0 removed, 0 conflicts");
	assert_everybody("alice bob");
}

static void what_is_hidden_by_others_counts_as_changed_in_the_forecast_and_unchanged_in_fact(void **state)
{
	(void)state;
	set_entry(HAND, "alice", "alice name=Alice");
	set_entry(LDAP, "1", "alice name=L");
	begin(LDAP);
	stage("1", "alice name=M");
	assert_int_equal(check_it(), SYNC_READY);
	assert_counts("0 added, 1 changed, 0 unchanged, 0 removed, 0 conflicts");
	apply_it();
	assert_counts("0 added, 0 changed, 1 unchanged, 0 removed, 0 conflicts");
	assert_fields(entry_fields(origin_entry(LDAP, "1")), "alice name=M");
}

/* --- the guard ----------------------------------------------------------------------------------- */

/* The origin has `before` users, and names all but `gone` of them. */
static void stage_without(int before, int gone)
{
	char text[32];

	for (int i = 0; i < before; i++) {
		snprintf(text, sizeof text, "u%03d", i);
		set_entry(LDAP, text, text);
	}
	begin(LDAP);
	for (int i = gone; i < before; i++) {
		snprintf(text, sizeof text, "u%03d", i);
		stage(text, text);
	}
}

static void a_fifth_may_go_and_no_more(void **state)
{
	(void)state;
	stage_without(100, 20);
	take_in();
	assert_counts("0 added, 0 changed, 80 unchanged, 20 removed, 0 conflicts");
	stage_without(100, 21);
	assert_int_equal(check_it(), SYNC_REFUSED);
	assert_int_equal(directory_count(people.d), 100);
	assert_string_equal(sync_text(sync_now),
	    "it would remove 21 of the 100 users that come from ldap, more than 20 %; nothing was changed\n");
}

static void five_may_always_go(void **state)
{
	(void)state;
	stage_without(5, 5);
	take_in();
	assert_everybody("");
	stage_without(6, 6);
	assert_int_equal(check_it(), SYNC_REFUSED);
	stage_without(29, 6); /* 20.7 % */
	assert_int_equal(check_it(), SYNC_REFUSED);
	stage_without(30, 6);
	assert_int_equal(check_it(), SYNC_READY);
}

static void force_removes_however_many(void **state)
{
	(void)state;
	force = true;
	stage_without(100, 100);
	take_in();
	assert_everybody("");
	assert_counts("0 added, 0 changed, 0 unchanged, 100 removed, 0 conflicts");
}

static void incomplete_list_is_never_refused(void **state)
{
	(void)state;
	removes = false;
	stage_without(100, 100);
	take_in();
	assert_int_equal(directory_count(people.d), 100);
}

/* By id, by nothing, by match: new ones of every kind. */
static void one_that_was_refused_is_checked_again(void **state)
{
	(void)state;
	for (int with_match = 0; with_match < 2; with_match++) {
		stage_without(20, 0);
		if (with_match == 1)
			begin_matching(LDAP, "upn");
		else
			begin(LDAP);
		stage("u000", "u000 name=Changed");
		stage("u001", "u001");
		stage("n1", "new1 upn=n@x");
		stage("n2", "new2");
		force = false;
		assert_int_equal(check_it(), SYNC_REFUSED);
		assert_int_equal(check_it(), SYNC_REFUSED);
		force = true;
		assert_int_equal(check_it(), SYNC_READY);
		assert_counts("2 added, 1 changed, 1 unchanged, 18 removed, 0 conflicts");
		assert_string_equal(sync_text(sync_now), "");
		apply_it();
		assert_everybody("new1 new2 u000 u001");
		begin(LDAP);
		take_in();
	}
}

/* Meanwhile everything may have become different. */
static void one_that_was_refused_is_checked_against_what_is_there_then(void **state)
{
	(void)state;
	stage_without(20, 0);
	begin_matching(LDAP, "upn");
	stage("u000", "u000");
	assert_int_equal(check_it(), SYNC_REFUSED);
	origins_remove(people.o, LDAP, "u000");
	force = true;
	assert_int_equal(check_it(), SYNC_READY);
	assert_counts("1 added, 0 changed, 0 unchanged, 19 removed, 0 conflicts");
	apply_it();
	assert_everybody("u000");
}

/* --- who it is about ----------------------------------------------------------------------------- */

static void entry_finds_its_user_by_what_matches(void **state)
{
	(void)state;
	set_entry(HAND, "alice", "alice upn=A@x");
	set_entry(HAND, "bob", "bob extension=102;103");
	begin_matching(LDAP, "upn extension");
	stage("cn=1", "a.smith upn=a@X name=Smith");
	stage("cn=2", "b.jones extension=103 name=Jones");
	stage("cn=3", "c.new upn=c@x");
	take_in();
	assert_counts("1 added, 2 changed, 0 unchanged, 0 removed, 0 conflicts");
	assert_everybody("alice bob c.new");
	assert_user("alice name=Smith upn=A@x");
	assert_user("bob name=Jones extension=102;103");
	assert_string_equal(entry_key(origin_entry(LDAP, "cn=1")), "cn=1");
	/* the next time they are known by their keys, whatever stands in the columns */
	begin_matching(LDAP, "upn extension");
	stage("cn=1", "a.smith upn=z@x name=Smith");
	stage("cn=2", "b.jones extension=103 name=Jones");
	stage("cn=3", "c.new upn=a@x");
	take_in();
	assert_counts("0 added, 1 changed, 2 unchanged, 0 removed, 0 conflicts");
	assert_everybody("alice bob c.new");
}

static void id_counts_before_what_matches(void **state)
{
	(void)state;
	set_entry(HAND, "alice", "alice upn=a@x");
	set_entry(HAND, "bob", "bob");
	begin_matching(LDAP, "upn");
	stage("1", "bob upn=a@x");
	take_in();
	assert_user("bob upn=a@x");
}

static void without_columns_the_id_is_all(void **state)
{
	(void)state;
	set_entry(HAND, "alice", "alice upn=a@x");
	begin(LDAP);
	stage("1", "other upn=a@x");
	take_in();
	assert_everybody("alice other");
}

static void two_candidates_are_a_conflict_that_changes_nothing(void **state)
{
	(void)state;
	set_entry(HAND, "alice", "alice upn=a@x");
	set_entry(HAND, "bob", "bob upn=a@x");
	buf_clear(&people.told);
	begin_matching(LDAP, "upn");
	stage("1", "new upn=a@x name=N");
	take_in();
	assert_counts("0 added, 0 changed, 0 unchanged, 0 removed, 1 conflicts");
	assert_string_equal(sync_text(sync_now), "1: both \"alice\" and \"bob\" match by upn; nothing was changed\n");
	assert_told("");
	assert_null(origin_entry(LDAP, "1"));
}

static void user_with_another_entry_of_the_origin_is_taken(void **state)
{
	(void)state;
	set_entry(HAND, "alice", "alice upn=a@x");
	set_entry(LDAP, "1", "alice name=One");
	begin_matching(LDAP, "upn");
	stage("1", "alice name=One");
	stage("2", "new upn=a@x name=Two");
	take_in();
	assert_counts("0 added, 0 changed, 1 unchanged, 0 removed, 1 conflicts");
	assert_string_equal(
	    sync_text(sync_now), "2: user \"alice\", who matches by upn, has another entry of ldap already\n");
	assert_user("alice name=One upn=a@x");
}

/* A person whose key became another one: the old entry goes in the same sync. */
static void user_whose_entry_goes_is_not_taken(void **state)
{
	(void)state;
	set_entry(HAND, "alice", "alice upn=a@x");
	set_entry(LDAP, "1", "alice name=One");
	buf_clear(&people.told);
	begin_matching(LDAP, "upn");
	stage("2", "new upn=a@x name=Two");
	take_in();
	assert_everybody("alice");
	assert_user("alice name=Two upn=a@x");
	assert_null(origin_entry(LDAP, "1"));
	/* but one that is incomplete says nothing of the old one */
	removes = false;
	begin_matching(LDAP, "upn");
	stage("3", "new upn=a@x name=Three");
	take_in();
	assert_counts("0 added, 0 changed, 0 unchanged, 0 removed, 1 conflicts");
}

static void two_new_entries_of_one_user_are_one_and_a_conflict(void **state)
{
	(void)state;
	set_entry(HAND, "alice", "alice upn=a@x extension=1");
	begin_matching(LDAP, "upn extension");
	stage("1", "x upn=a@x name=One");
	stage("2", "y extension=1 name=Two");
	take_in();
	assert_counts("0 added, 1 changed, 0 unchanged, 0 removed, 1 conflicts");
	assert_string_equal(sync_text(sync_now), "2: another new entry is of user \"alice\" as well\n");
	assert_user("alice name=One extension=1 upn=a@x");
	begin(BROADWORKS_ORIGIN);
	stage("1", "z name=One");
	stage("2", "z name=Two");
	take_in();
	assert_counts("1 added, 0 changed, 0 unchanged, 0 removed, 1 conflicts");
	assert_user("z name=One");
}

static void conflicts_are_told_a_hundred_times_at_most(void **state)
{
	char key[16];
	size_t lines = 0;

	(void)state;
	begin(LDAP);
	for (int i = 0; i < 150; i++) {
		snprintf(key, sizeof key, "k%d", i);
		stage(key, "alice");
	}
	take_in();
	assert_int_equal(sync_counts(sync_now)->conflicts, 149);
	for (const char *at = sync_text(sync_now); (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	assert_int_equal(lines, 100);
}

/* --- renamed keys -------------------------------------------------------------------------------- */

static const char *known(void *arg, const char *origin, const char *key)
{
	assert_string_equal(origin, "file");
	++*(int *)arg;
	return strcmp(key, "alice") == 0 ? "carol" : NULL;
}

static void renamed_key_is_of_the_user_it_is_known_to_belong_to(void **state)
{
	int asked = 0;
	const struct sync_rules rules = { .known = known, .arg = &asked };

	(void)state;
	set_entry(HAND, "carol", "carol name=Carol");
	begin_with(FILE_ORIGIN, &rules);
	stage("alice", "alice extension=1");
	stage("bob", "bob extension=2");
	take_in();
	assert_int_equal(asked, 2);
	assert_everybody("bob carol");
	assert_user("carol name=Carol extension=1");
	assert_string_equal(entry_key(origin_entry(FILE_ORIGIN, "alice")), "alice");
	begin_with(FILE_ORIGIN, &rules); /* nobody is asked of keys that are there */
	stage("alice", "alice extension=1");
	stage("bob", "bob extension=2");
	take_in();
	assert_int_equal(asked, 2);
	assert_counts("0 added, 0 changed, 2 unchanged, 0 removed, 0 conflicts");
}

static void user_who_was_renamed_is_found_by_the_key(void **state)
{
	(void)state;
	set_entry(FILE_ORIGIN, "alice", "alice extension=1");
	assert_int_equal(origins_rename(people.o, user_called("alice"), "carol"), 0);
	buf_clear(&people.told);
	begin(FILE_ORIGIN);
	stage("alice", "alice extension=1");
	take_in();
	assert_counts("0 added, 0 changed, 1 unchanged, 0 removed, 0 conflicts");
	assert_told("");
	assert_everybody("carol");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, sync_setup, sync_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_changes_before_it_is_applied),
		TEST(key_is_named_once),
		TEST(list_becomes_the_users_of_the_origin_and_no_others),
		TEST(incomplete_list_removes_nobody),
		TEST(what_is_hidden_by_others_counts_as_changed_in_the_forecast_and_unchanged_in_fact),
		TEST(a_fifth_may_go_and_no_more),
		TEST(five_may_always_go),
		TEST(force_removes_however_many),
		TEST(incomplete_list_is_never_refused),
		TEST(one_that_was_refused_is_checked_again),
		TEST(one_that_was_refused_is_checked_against_what_is_there_then),
		TEST(entry_finds_its_user_by_what_matches),
		TEST(id_counts_before_what_matches),
		TEST(without_columns_the_id_is_all),
		TEST(two_candidates_are_a_conflict_that_changes_nothing),
		TEST(user_with_another_entry_of_the_origin_is_taken),
		TEST(user_whose_entry_goes_is_not_taken),
		TEST(two_new_entries_of_one_user_are_one_and_a_conflict),
		TEST(conflicts_are_told_a_hundred_times_at_most),
		TEST(renamed_key_is_of_the_user_it_is_known_to_belong_to),
		TEST(user_who_was_renamed_is_found_by_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
