/* test_interest.c: who wakes up for whom, and who is demanded.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include "daemon/base/buf.h"
#include "daemon/interest.h"

static struct directory *directory;
static struct interest *interest;
static struct buf changed; /* ids whose demand may have changed */

static void ignore_user(void *arg, struct user *user)
{
	(void)arg;
	(void)user;
}

static void ignore_change(
    void *arg, struct user *user, const struct user_fields *old, const char *const *left, size_t left_count)
{
	(void)arg;
	(void)user;
	(void)old;
	(void)left;
	(void)left_count;
}

static void demand_changed(void *arg, struct user *user)
{
	(void)arg;
	buf_printf(&changed, "%s ", user_id(user));
}

static const struct directory_observer nobody = { ignore_user, ignore_change, ignore_user, NULL };

static void add(const char *id, const char *groups)
{
	directory_set(directory, fields_of(.values = { [USER_ID] = id, [USER_GROUPS] = groups }));
}

static struct user *user(const char *id)
{
	return directory_find(directory, id);
}

static int setup(void **state)
{
	(void)state;
	buf_init(&changed, 1 << 20);
	directory = directory_new(&nobody, NULL);
	interest = interest_new(directory, demand_changed, NULL);
	add("alice", "sales;all");
	add("bob", "support;all");
	add("carol", "");
	return directory == NULL || interest == NULL;
}

static int teardown(void **state)
{
	(void)state;
	interest_free(interest);
	directory_free(directory);
	buf_done(&changed);
	return 0;
}

static void assert_changed_at(const char *expected, const char *file, int line)
{
	_assert_string_equal(buf_text(&changed), expected, file, line);
	buf_clear(&changed);
}
#define assert_changed(expected) assert_changed_at(expected, __FILE__, __LINE__)

/* --- demand -------------------------------------------------------------------------------------- */

static void first_reader_makes_demand_and_last_one_ends_it(void **state)
{
	struct reader a, b;

	(void)state;
	reader_init(&a, interest, true);
	reader_init(&b, interest, true);
	assert_false(interest_demanded(interest, user("alice")));
	assert_int_equal(reader_add_user(&a, "alice"), 0);
	assert_changed("alice ");
	assert_true(interest_demanded(interest, user("alice")));
	assert_false(interest_demanded(interest, user("bob")));
	reader_add_user(&b, "alice");
	assert_changed("");
	reader_done(&a);
	assert_changed("");
	assert_true(interest_demanded(interest, user("alice")));
	reader_done(&b);
	assert_changed("alice ");
	assert_false(interest_demanded(interest, user("alice")));
}

static void reader_without_demand_only_observes(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, interest, false);
	reader_add_user(&r, "alice");
	reader_add_group(&r, "sales");
	reader_add_all(&r);
	assert_false(interest_demanded(interest, user("alice")));
	reader_done(&r);
	assert_changed("");
}

static void group_demands_its_members_as_they_come_and_go(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, interest, true);
	reader_add_group(&r, "sales");
	assert_changed("alice ");
	add("carol", "sales");
	assert_true(interest_demanded(interest, user("carol")));
	add("alice", "support");
	assert_false(interest_demanded(interest, user("alice")));
	reader_done(&r);
	assert_changed("carol ");
}

static void all_demands_everybody(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, interest, true);
	reader_add_all(&r);
	reader_add_all(&r);
	assert_changed("alice bob carol ");
	assert_true(interest_demanded(interest, user("carol")));
	reader_done(&r);
	assert_changed("alice bob carol ");
	assert_false(interest_demanded(interest, user("carol")));
}

static void adding_twice_counts_once(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, interest, true);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(reader_add_user(&r, "alice"), 0);
		assert_int_equal(reader_add_group(&r, "sales"), 0);
	}
	assert_int_equal(r.user_count, 1);
	assert_int_equal(r.group_count, 1);
	reader_done(&r);
	reader_done(&r); /* done is done */
	assert_false(interest_demanded(interest, user("alice")));
}

static void id_that_nobody_has_yet_is_demanded_when_it_appears(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, interest, true);
	assert_int_equal(reader_add_user(&r, "dave"), 0);
	assert_int_equal(reader_add_group(&r, "night"), 0);
	assert_changed("");
	add("dave", "");
	add("erin", "night");
	assert_true(interest_demanded(interest, user("dave")));
	assert_true(interest_demanded(interest, user("erin")));
	assert_true(reader_wants(&r, user("dave")));
	reader_done(&r);
}

static void user_and_group_of_one_name_are_two_topics(void **state)
{
	struct reader r;

	(void)state;
	add("sales", "");
	reader_init(&r, interest, true);
	reader_add_group(&r, "sales");
	assert_false(reader_wants(&r, user("sales")));
	assert_true(reader_wants(&r, user("alice")));
	reader_done(&r);
}

static void name_longer_than_any_can_be_is_nobody(void **state)
{
	char name[USER_MAX_FIELD_BYTES + 10];
	struct reader r;

	(void)state;
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	reader_init(&r, interest, true);
	assert_int_equal(reader_add_user(&r, name), 0);
	assert_int_equal(r.user_count, 0);
	name[USER_MAX_FIELD_BYTES] = '\0'; /* the longest there is */
	assert_int_equal(reader_add_group(&r, name), 0);
	assert_int_equal(r.group_count, 1);
	add("alice", name);
	assert_true(reader_wants(&r, user("alice")));
	reader_done(&r);
}

/* --- waking up ----------------------------------------------------------------------------------- */

static void only_interested_readers_wake_up(void **state)
{
	struct reader by_user, by_group, by_all, other;
	size_t awake = 0;

	(void)state;
	reader_init(&by_user, interest, false);
	reader_init(&by_group, interest, false);
	reader_init(&by_all, interest, false);
	reader_init(&other, interest, false);
	reader_add_user(&by_user, "alice");
	reader_add_group(&by_group, "sales");
	reader_add_all(&by_all);
	reader_add_user(&other, "bob");
	reader_add_group(&other, "support");
	interest_touch(interest, user("alice"), 42, NULL, 0);
	assert_true(by_user.pending && by_group.pending && by_all.pending);
	assert_false(other.pending);
	for (struct reader *r; (r = interest_first(interest)) != NULL; awake++) {
		assert_int_equal(r->woken, 42);
		reader_unqueue(r);
	}
	assert_int_equal(awake, 3);
	interest_touch(interest, user("carol"), 43, NULL, 0);
	assert_ptr_equal(interest_first(interest), &by_all);
	reader_done(&by_user);
	reader_done(&by_group);
	reader_done(&by_all);
	reader_done(&other);
	assert_null(interest_first(interest));
}

static void reader_in_the_queue_keeps_the_first_number(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, interest, false);
	reader_add_user(&r, "alice");
	interest_touch(interest, user("alice"), 5, NULL, 0);
	interest_touch(interest, user("alice"), 9, NULL, 0);
	assert_int_equal(r.woken, 5);
	reader_unqueue(&r);
	reader_unqueue(&r);
	assert_null(interest_first(interest));
	reader_queue(&r, 11);
	assert_int_equal(r.woken, 11);
	reader_done(&r);
	assert_null(interest_first(interest));
}

static void readers_of_a_group_that_was_left_wake_up(void **state)
{
	const char *const left[] = { "sales" };
	struct reader r;

	(void)state;
	reader_init(&r, interest, false);
	reader_add_group(&r, "sales");
	add("alice", "all");
	interest_touch(interest, user("alice"), 1, NULL, 0);
	assert_false(r.pending);
	interest_touch(interest, user("alice"), 2, left, 1);
	assert_true(r.pending);
	reader_done(&r);
}

static void tombstone_concerns_whom_the_user_would(void **state)
{
	char *groups[] = { (char[]){ "sales" } };
	struct changelog_tombstone removed = {
		.removed = true, .id = (char[]){ "alice" }, .groups = groups, .group_count = 1
	};
	struct changelog_tombstone left = removed;
	struct reader by_user, by_group, by_all, other;

	(void)state;
	left.removed = false;
	reader_init(&by_user, interest, false);
	reader_init(&by_group, interest, false);
	reader_init(&by_all, interest, false);
	reader_init(&other, interest, false);
	reader_add_user(&by_user, "alice");
	reader_add_group(&by_group, "sales");
	reader_add_all(&by_all);
	reader_add_group(&other, "support");
	assert_true(reader_wanted(&by_user, &removed));
	assert_true(reader_wanted(&by_group, &removed));
	assert_true(reader_wanted(&by_all, &removed));
	assert_false(reader_wanted(&other, &removed));
	assert_false(reader_wanted(&by_user, &left)); /* still in the set */
	assert_true(reader_wanted(&by_group, &left));
	assert_false(reader_wanted(&by_all, &left));
	reader_done(&by_user);
	reader_done(&by_group);
	reader_done(&by_all);
	reader_done(&other);
}

static void count_user(void *arg, struct user *u)
{
	(void)u;
	++*(size_t *)arg;
}

static void count_reader(void *arg, const struct reader *r)
{
	(void)r;
	++*(size_t *)arg;
}

static void size_is_about_what_is_visited(void **state)
{
	struct reader r, all;
	size_t visited = 0, readers = 0;

	(void)state;
	reader_init(&r, interest, false);
	reader_init(&all, interest, true);
	assert_int_equal(reader_size(&r), 0);
	reader_add_group(&r, "all");
	reader_add_user(&r, "carol");
	reader_add_user(&r, "nobody");
	reader_add_group(&r, "nothing");
	reader_each(&r, count_user, &visited);
	assert_int_equal(visited, 3);
	assert_int_equal(reader_size(&r), 4);
	reader_add_all(&all);
	assert_int_equal(reader_size(&all), 3);
	interest_each_reader(interest, user("alice"), count_reader, &readers);
	assert_int_equal(readers, 2);
	reader_done(&all);
	reader_done(&r);
}

/* --- random -------------------------------------------------------------------------------------- */

#define READERS 12
#define USERS	15
#define GROUPS	5

struct model_reader {
	struct reader reader;
	bool demand, all, users[USERS], groups[GROUPS];
};

static bool in_group(const bool (*members)[GROUPS], size_t u, size_t g)
{
	return members[u][g];
}

static bool model_wants(const struct model_reader *r, const bool (*members)[GROUPS], size_t u)
{
	bool wants = r->all || r->users[u];

	for (size_t g = 0; g < GROUPS; g++)
		wants = wants || (r->groups[g] && in_group(members, u, g));
	return wants;
}

static void random_set(bool (*members)[GROUPS], size_t u)
{
	char id[16], list[64] = "", name[8];

	for (size_t g = 0; g < GROUPS; g++) {
		members[u][g] = random_below(3) == 0;
		snprintf(name, sizeof name, ";g%zu", g);
		if (members[u][g])
			strcat(list, name);
	}
	snprintf(id, sizeof id, "u%02zu", u);
	add(id, list);
}

static void random_join(struct model_reader *r)
{
	size_t u = random_below(USERS), g = random_below(GROUPS);
	char name[16];

	switch (random_below(9)) {
	case 0:
		reader_add_all(&r->reader);
		r->all = true;
		break;
	case 1:
	case 2:
		snprintf(name, sizeof name, "g%zu", g);
		reader_add_group(&r->reader, name);
		r->groups[g] = true;
		break;
	case 3:
		reader_done(&r->reader);
		*r = (struct model_reader){ .demand = random_below(2) == 0 };
		reader_init(&r->reader, interest, r->demand);
		break;
	default:
		snprintf(name, sizeof name, "u%02zu", u);
		reader_add_user(&r->reader, name);
		r->users[u] = true;
	}
}

static void compare(struct model_reader *readers, const bool (*members)[GROUPS])
{
	char id[16];

	for (size_t u = 0; u < USERS; u++) {
		bool demanded = false;

		snprintf(id, sizeof id, "u%02zu", u);
		if (user(id) == NULL)
			continue;
		interest_touch(interest, user(id), u + 1, NULL, 0);
		for (size_t i = 0; i < READERS; i++) {
			bool wants = model_wants(&readers[i], members, u);

			assert_int_equal(reader_wants(&readers[i].reader, user(id)), wants);
			assert_int_equal(readers[i].reader.pending, wants);
			reader_unqueue(&readers[i].reader);
			demanded = demanded || (wants && readers[i].demand);
		}
		assert_null(interest_first(interest));
		assert_int_equal(interest_demanded(interest, user(id)), demanded);
	}
}

static void random_sets_match_the_model(void **state)
{
	struct model_reader readers[READERS] = { 0 };
	bool members[USERS][GROUPS] = { 0 };

	(void)state;
	random_begin(__func__);
	for (size_t i = 0; i < READERS; i++)
		reader_init(&readers[i].reader, interest, false);
	for (int step = 0; step < 3000; step++) {
		char id[16];

		if (random_below(3) != 0) {
			random_join(&readers[random_below(READERS)]);
		} else if (random_below(4) != 0) {
			random_set(members, random_below(USERS));
		} else {
			snprintf(id, sizeof id, "u%02zu", random_below(USERS));
			directory_remove(directory, id);
		}
		buf_clear(&changed);
		if (random_below(5) == 0)
			compare(readers, (const bool(*)[GROUPS])members);
	}
	for (size_t i = 0; i < READERS; i++)
		reader_done(&readers[i].reader);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_reader_makes_demand_and_last_one_ends_it),
		TEST(reader_without_demand_only_observes),
		TEST(group_demands_its_members_as_they_come_and_go),
		TEST(all_demands_everybody),
		TEST(adding_twice_counts_once),
		TEST(id_that_nobody_has_yet_is_demanded_when_it_appears),
		TEST(user_and_group_of_one_name_are_two_topics),
		TEST(name_longer_than_any_can_be_is_nobody),
		TEST(only_interested_readers_wake_up),
		TEST(reader_in_the_queue_keeps_the_first_number),
		TEST(readers_of_a_group_that_was_left_wake_up),
		TEST(tombstone_concerns_whom_the_user_would),
		TEST(size_is_about_what_is_visited),
		TEST(random_sets_match_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
