/* test_directory.c: users by id, in order and by group; what the observer is told.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>

#include "daemon/base/buf.h"
#include "daemon/directory.h"

/* What the observer was told: "+alice", "~alice -sales", "-alice". */
static struct buf told;

static void on_added(void *arg, struct user *user)
{
	struct directory **d = arg;

	assert_ptr_equal(directory_find(*d, user_id(user)), user);
	buf_printf(&told, "+%s\n", user_id(user));
}

static void on_changed(
    void *arg, struct user *user, const struct user_fields *old, const char *const *left, size_t left_count)
{
	struct directory **d = arg;

	assert_ptr_equal(directory_find(*d, user_id(user)), user);
	assert_false(user_fields_equal(old, user->fields));
	if (strcmp(user_field(old, USER_ID), user_id(user)) == 0)
		buf_printf(&told, "~%s", user_id(user));
	else
		buf_printf(&told, "%s>%s", user_field(old, USER_ID), user_id(user));
	for (size_t i = 0; i < left_count; i++)
		buf_printf(&told, " -%s", left[i]);
	buf_puts(&told, "\n");
}

static void on_removed(void *arg, struct user *user)
{
	(void)arg;
	buf_printf(&told, "-%s", user_id(user));
	for (uint32_t i = 0; i < user->group_count; i++)
		buf_printf(&told, " %s", user->groups[i]->name);
	buf_puts(&told, "\n");
}

static void on_renaming(void *arg, struct user *user)
{
	struct directory **d = arg;

	assert_ptr_equal(directory_find(*d, user_id(user)), user);
	buf_printf(&told, "%s..", user_id(user));
}

static const struct directory_observer observer = { on_added, on_changed, on_removed, on_renaming };
static struct directory *directory;

static int setup(void **state)
{
	(void)state;
	buf_init(&told, 1 << 24);
	directory = directory_new(&observer, &directory);
	return directory == NULL;
}

static int teardown(void **state)
{
	(void)state;
	directory_free(directory);
	buf_done(&told);
	return 0;
}

static int set(const char *id, const char *name, const char *groups)
{
	return directory_set(
	    directory, fields_of(.values = { [USER_ID] = id, [USER_NAME] = name, [USER_GROUPS] = groups }));
}

static void assert_told_at(const char *expected, const char *file, int line)
{
	_assert_string_equal(buf_text(&told), expected, file, line);
	buf_clear(&told);
}
#define assert_told(expected) assert_told_at(expected, __FILE__, __LINE__)

static size_t members(const char *group)
{
	const struct user_group *g = directory_group(directory, group);

	return g == NULL ? 0 : g->member_count;
}

static void observer_is_told_of_what_differs_and_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(set("alice", "Alice", "sales;support"), 1);
	assert_told("+alice\n");
	assert_int_equal(set("alice", "Alice", "sales;support"), 0);
	assert_told("");
	assert_int_equal(set("alice", "Alice A.", "sales;support"), 1);
	assert_told("~alice\n");
	assert_int_equal(set("alice", "Alice A.", "support;new"), 1);
	assert_told("~alice -sales\n");
	assert_null(directory_group(directory, "sales"));
	assert_true(directory_remove(directory, "alice"));
	assert_told("-alice support new\n");
	assert_false(directory_remove(directory, "alice"));
	assert_told("");
	assert_int_equal(directory_count(directory), 0);
	assert_null(directory_group(directory, "support"));
}

static void ids_are_compared_exactly(void **state)
{
	(void)state;
	set("alice", "", "");
	assert_null(directory_find(directory, "Alice"));
	assert_null(directory_find(directory, "alic"));
	assert_null(directory_find(directory, ""));
	assert_int_equal(set("Alice", "", ""), 1);
	assert_int_equal(directory_count(directory), 2);
}

static void user_stays_the_same_object_when_it_changes(void **state)
{
	struct user *user;

	(void)state;
	set("alice", "", "a");
	user = directory_find(directory, "alice");
	set("alice", "Alice", "b;c;d");
	assert_ptr_equal(directory_find(directory, "alice"), user);
	assert_int_equal(user->group_count, 3);
}

static void group_named_twice_is_joined_once(void **state)
{
	(void)state;
	set("alice", "", "a; a ;a;;b");
	assert_int_equal(directory_find(directory, "alice")->group_count, 2);
	assert_int_equal(members("a"), 1);
	assert_int_equal(members("b"), 1);
	assert_null(directory_group(directory, ""));
}

static void walk_is_in_byte_order_of_ids(void **state)
{
	static const char *const ids[] = { "b", "a", "\xc3\xa4", "Z", "aa", "10", "9" };
	static const char *const sorted[] = { "10", "9", "Z", "a", "aa", "b", "\xc3\xa4" };
	struct user *user;
	size_t i = 0;

	(void)state;
	for (size_t k = 0; k < COUNT_OF(ids); k++)
		set(ids[k], "", "");
	for (user = directory_after(directory, ""); user != NULL; user = directory_next(user))
		assert_string_equal(user_id(user), sorted[i++]);
	assert_int_equal(i, COUNT_OF(sorted));
	assert_string_equal(user_id(directory_after(directory, "a")), "aa");
	assert_string_equal(user_id(directory_after(directory, "a0")), "aa"); /* an id that nobody has */
	assert_null(directory_after(directory, "\xc3\xa4"));
}

static void changes_are_logged_with_tombstones(void **state)
{
	struct changelog *log = directory_changes(directory);
	struct changelog_entry e;

	(void)state;
	set("alice", "", "a;b");
	set("alice", "", "b");
	assert_true(changelog_next(log, 0, &e));
	assert_false(e.tombstone->removed);
	assert_string_equal(e.tombstone->groups[0], "a");
	assert_true(changelog_next(log, e.seq, &e));
	assert_ptr_equal(e.node, &directory_find(directory, "alice")->change);
	directory_remove(directory, "alice");
	assert_true(changelog_next(log, e.seq, &e));
	assert_true(e.tombstone->removed);
	assert_string_equal(e.tombstone->groups[0], "b");
	assert_false(changelog_next(log, e.seq, &e));
}

static int rename_to(const char *id, const char *to)
{
	struct user *user = directory_find(directory, id);

	return directory_rename(directory, user, user_fields_rename(user->fields, to));
}

static void renamed_user_stays_the_same_object_in_its_groups(void **state)
{
	struct user *alice;

	(void)state;
	set("alice", "Alice", "a;b");
	set("bob", "Bob", "a");
	alice = directory_find(directory, "alice");
	buf_clear(&told);
	assert_int_equal(rename_to("alice", "zoe"), 0);
	assert_told("alice..alice>zoe\n"); /* once, and in the middle of it under the old id */
	assert_ptr_equal(directory_find(directory, "zoe"), alice);
	assert_null(directory_find(directory, "alice"));
	assert_int_equal(directory_count(directory), 2);
	assert_int_equal(members("a"), 2);
	assert_ptr_equal(directory_group(directory, "b")->members[0], alice);
	assert_string_equal(user_field(alice->fields, USER_NAME), "Alice");
	/* it stands where its new id belongs */
	assert_string_equal(user_id(directory_after(directory, "")), "bob");
	assert_ptr_equal(directory_next(directory_after(directory, "")), alice);
	assert_null(directory_next(alice));
	assert_int_equal(set("alice", "", ""), 1); /* the id is free */
	assert_true(directory_remove(directory, "zoe"));
	assert_null(directory_group(directory, "b"));
}

static void nobody_is_renamed_to_somebody(void **state)
{
	(void)state;
	set("alice", "Alice", "a");
	set("bob", "", "");
	buf_clear(&told);
	assert_int_equal(rename_to("alice", "bob"), -EEXIST);
	assert_int_equal(rename_to("alice", "alice"), -EEXIST);
	assert_told("");
	assert_string_equal(user_field(directory_find(directory, "alice")->fields, USER_NAME), "Alice");
}

static void rename_is_a_tombstone_and_a_change(void **state)
{
	struct changelog *log = directory_changes(directory);
	struct changelog_entry e;
	uint64_t seq;

	(void)state;
	set("alice", "", "a;b");
	seq = changelog_last(log);
	assert_int_equal(rename_to("alice", "zoe"), 0);
	assert_true(changelog_next(log, seq, &e));
	assert_true(e.tombstone->removed);
	assert_string_equal(e.tombstone->id, "alice");
	assert_int_equal(e.tombstone->group_count, 2);
	assert_true(changelog_next(log, e.seq, &e));
	assert_ptr_equal(e.node, &directory_find(directory, "zoe")->change);
	assert_false(changelog_next(log, e.seq, &e));
	assert_true(changelog_next(log, 0, &e)); /* of the old id nothing else is there */
	assert_int_equal(e.seq, seq + 1);
}

/* --- random -------------------------------------------------------------------------------------- */

#define USERS  30
#define GROUPS 12

struct model {
	bool exists[USERS], in[USERS][GROUPS];
};

static void random_groups(char *list, bool *in)
{
	char name[16];

	list[0] = '\0';
	for (int g = 0; g < GROUPS; g++) {
		in[g] = random_below(3) == 0;
		if (!in[g])
			continue;
		snprintf(name, sizeof name, "%sg%d", random_below(2) == 0 ? ";" : "; ", g);
		strcat(list, name);
	}
}

static void compare_user(const struct model *m, int i, const char *id)
{
	const struct user *user = directory_find(directory, id);
	uint32_t count = 0;

	assert_int_equal(user != NULL, m->exists[i]);
	for (int g = 0; user != NULL && g < GROUPS; g++)
		count += m->in[i][g];
	if (user != NULL)
		assert_int_equal(user->group_count, count);
}

static void compare(const struct model *m)
{
	char id[16];

	for (int i = 0; i < USERS; i++) {
		snprintf(id, sizeof id, "u%02d", i);
		compare_user(m, i, id);
	}
	for (int g = 0; g < GROUPS; g++) {
		const struct user_group *group;
		size_t count = 0;

		snprintf(id, sizeof id, "g%d", g);
		group = directory_group(directory, id);
		for (int i = 0; i < USERS; i++)
			count += m->exists[i] && m->in[i][g];
		assert_int_equal(group == NULL ? 0 : group->member_count, count);
		assert_int_equal(group == NULL, count == 0);
		for (size_t k = 0; k < count; k++) {
			const struct user *user = group->members[k];
			int found = 0;

			assert_true(m->in[atoi(user_id(user) + 1)][g]);
			for (uint32_t n = 0; n < user->group_count; n++) {
				found += user->groups[n] == group;
				assert_true(user->groups[n] != group || user->group_places[n] == k);
			}
			assert_int_equal(found, 1);
		}
	}
}

static void random_memberships_match_the_model(void **state)
{
	struct model m = { 0 };
	char id[16], to[16], list[256];

	(void)state;
	random_begin(__func__);
	for (int step = 0; step < 5000; step++) {
		size_t i = random_below(USERS);

		snprintf(id, sizeof id, "u%02zu", i);
		if (random_below(8) == 0 && m.exists[i]) {
			size_t k = random_below(USERS);

			snprintf(to, sizeof to, "u%02zu", k % 100);
			assert_int_equal(rename_to(id, to), m.exists[k] ? -EEXIST : 0);
			if (!m.exists[k]) {
				memcpy(m.in[k], m.in[i], sizeof m.in[k]);
				m.exists[k] = true;
				m.exists[i] = false;
			}
		} else if (random_below(4) == 0) {
			assert_int_equal(directory_remove(directory, id), m.exists[i]);
			m.exists[i] = false;
		} else {
			random_groups(list, m.in[i]);
			assert_in_range(set(id, "", list), 0, 1);
			m.exists[i] = true;
		}
		if (random_below(10) == 0)
			compare(&m);
	}
	compare(&m);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(observer_is_told_of_what_differs_and_nothing_else),
		TEST(ids_are_compared_exactly),
		TEST(user_stays_the_same_object_when_it_changes),
		TEST(group_named_twice_is_joined_once),
		TEST(walk_is_in_byte_order_of_ids),
		TEST(changes_are_logged_with_tombstones),
		TEST(renamed_user_stays_the_same_object_in_its_groups),
		TEST(nobody_is_renamed_to_somebody),
		TEST(rename_is_a_tombstone_and_a_change),
		TEST(random_memberships_match_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
