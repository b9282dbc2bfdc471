/* test_changelog.c: the one log against a naive model: an array of everything that was ever appended.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include "daemon/changelog.h"

static void empty_log_has_nothing(void **state)
{
	struct changelog *log = changelog_new(10);
	struct changelog_entry e;

	(void)state;
	assert_int_equal(changelog_last(log), 0);
	assert_int_equal(changelog_forgotten(log), 0);
	assert_false(changelog_next(log, 0, &e));
	assert_false(changelog_at(log, 0, &e));
	assert_int_equal(changelog_distance(log, 0), 0);
	assert_null(changelog_tombstone_before(log, NULL));
	changelog_free(log);
	changelog_free(NULL);
}

static void change_kills_the_older_entry(void **state)
{
	struct changelog *log = changelog_new(10);
	struct changelog_node a = { 0 }, b = { 0 };
	struct changelog_entry e;

	(void)state;
	assert_int_equal(changelog_append(log, &a), 0);
	assert_int_equal(changelog_append(log, &b), 0);
	assert_int_equal(changelog_append(log, &a), 0);
	assert_int_equal(a.seq, 3);
	assert_true(changelog_next(log, 0, &e));
	assert_ptr_equal(e.node, &b);
	assert_null(e.tombstone);
	assert_true(changelog_next(log, e.seq, &e));
	assert_ptr_equal(e.node, &a);
	assert_false(changelog_next(log, e.seq, &e));
	assert_false(changelog_at(log, 1, &e));
	assert_true(changelog_at(log, 3, &e));
	changelog_forget(log, &a);
	assert_int_equal(a.seq, 0);
	assert_false(changelog_next(log, 2, &e));
	changelog_forget(log, &a); /* not in the log: nothing happens */
	changelog_free(log);
}

static void tombstone_keeps_id_and_groups(void **state)
{
	const char *const groups[] = { "sales", "support" };
	struct changelog *log = changelog_new(10);
	struct changelog_entry e;
	char id[] = "alice";

	(void)state;
	assert_int_equal(changelog_bury(log, id, true, groups, 2), 0);
	id[0] = 'X'; /* texts are copied */
	assert_int_equal(changelog_bury(log, "bob", false, NULL, 0), 0);
	assert_true(changelog_next(log, 0, &e));
	assert_null(e.node);
	assert_string_equal(e.tombstone->id, "alice");
	assert_true(e.tombstone->removed);
	assert_int_equal(e.tombstone->group_count, 2);
	assert_string_equal(e.tombstone->groups[1], "support");
	assert_string_equal(changelog_tombstone_before(log, NULL)->id, "bob");
	assert_ptr_equal(changelog_tombstone_before(log, changelog_tombstone_before(log, NULL)), e.tombstone);
	assert_null(changelog_tombstone_before(log, e.tombstone));
	changelog_free(log);
}

static void oldest_tombstones_are_forgotten_and_it_is_known_up_to_where(void **state)
{
	struct changelog *log = changelog_new(2);
	struct changelog_node node = { 0 };
	struct changelog_entry e;

	(void)state;
	changelog_append(log, &node);
	changelog_bury(log, "a", true, NULL, 0); /* 2 */
	changelog_bury(log, "b", true, NULL, 0);
	assert_int_equal(changelog_forgotten(log), 0);
	changelog_bury(log, "c", true, NULL, 0);
	assert_int_equal(changelog_forgotten(log), 2);
	assert_true(changelog_next(log, 1, &e));
	assert_string_equal(e.tombstone->id, "b");
	changelog_free(log);
}

static void log_without_room_for_tombstones_forgets_at_once(void **state)
{
	struct changelog *log = changelog_new(0);
	struct changelog_entry e;

	(void)state;
	changelog_bury(log, "a", true, NULL, 0);
	assert_int_equal(changelog_last(log), 1);
	assert_int_equal(changelog_forgotten(log), 1);
	assert_false(changelog_next(log, 0, &e));
	changelog_free(log);
}

static void memory_does_not_grow_with_changes(void **state)
{
	struct changelog *log = changelog_new(10);
	struct changelog_node nodes[100] = { 0 };
	size_t memory = 0;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		assert_int_equal(changelog_append(log, &nodes[(size_t)i * 7919 % 100]), 0);
		if (i == 1000)
			memory = changelog_memory(log);
	}
	assert_int_equal(changelog_memory(log), memory);
	assert_true(changelog_distance(log, 0) <= memory / 16);
	changelog_free(log);
}

/* --- random -------------------------------------------------------------------------------------- */

#define NODES	   40
#define TOMBSTONES 7
#define HISTORY	   20000

/* What was appended as number i + 1; NULL node and tombstone 0: dead. */
struct model_entry {
	const struct changelog_node *node;
	size_t tombstone; /* 1 + number of the burial */
};

struct model {
	struct model_entry entries[HISTORY];
	size_t last, buried, forgotten;
};

static void model_kill(struct model *m, uint64_t seq)
{
	if (seq != 0)
		m->entries[seq - 1] = (struct model_entry){ 0 };
}

static void model_bury(struct model *m)
{
	m->entries[m->last++].tombstone = ++m->buried;
	for (size_t i = 0; i < m->last && m->buried > TOMBSTONES; i++) {
		if (m->entries[i].tombstone == m->buried - TOMBSTONES) {
			m->entries[i].tombstone = 0;
			m->forgotten = i + 1;
		}
	}
}

static size_t model_next(const struct model *m, uint64_t seq)
{
	while (seq < m->last && m->entries[seq].node == NULL && m->entries[seq].tombstone == 0)
		seq++;
	return seq < m->last ? seq + 1 : 0;
}

static void compare_at(const struct changelog *log, const struct model *m, uint64_t seq)
{
	struct changelog_entry e;
	size_t expected = model_next(m, seq);
	char id[16];

	assert_int_equal(changelog_next(log, seq, &e), expected != 0);
	assert_int_equal(changelog_at(log, seq + 1, &e), expected == seq + 1);
	assert_true(changelog_distance(log, seq) <= m->last - seq);
	if (expected == 0)
		return;
	assert_true(changelog_distance(log, seq) >= 1);
	changelog_next(log, seq, &e);
	assert_int_equal(e.seq, expected);
	assert_ptr_equal(e.node, m->entries[expected - 1].node);
	assert_int_equal(e.node == NULL, e.tombstone != NULL);
	if (e.tombstone == NULL)
		return;
	snprintf(id, sizeof id, "%zu", m->entries[expected - 1].tombstone);
	assert_string_equal(e.tombstone->id, id);
	assert_int_equal(e.tombstone->seq, expected);
}

static void compare(const struct changelog *log, const struct model *m)
{
	size_t live = 0, tombstones = 0;
	struct changelog_entry e = { 0 };

	assert_int_equal(changelog_last(log), m->last);
	assert_int_equal(changelog_forgotten(log), m->forgotten);
	for (int i = 0; i < 10; i++)
		compare_at(log, m, random_below(m->last + 1));
	compare_at(log, m, m->last);
	compare_at(log, m, 0);
	while (changelog_next(log, e.seq, &e))
		live++;
	assert_true(changelog_distance(log, 0) >= live);
	assert_true(live <= NODES + TOMBSTONES);
	for (const struct changelog_tombstone *t = changelog_tombstone_before(log, NULL); t != NULL;
	     t = changelog_tombstone_before(log, t))
		assert_int_equal(m->entries[t->seq - 1].tombstone, m->buried - tombstones++);
	assert_int_equal(tombstones, m->buried < TOMBSTONES ? m->buried : TOMBSTONES);
}

static void random_operations_match_the_model(void **state)
{
	struct model *m = calloc(1, sizeof *m);
	struct changelog *log = changelog_new(TOMBSTONES);
	struct changelog_node nodes[NODES] = { 0 };

	(void)state;
	random_begin(__func__);
	assert_non_null(m);
	while (m->last < HISTORY) {
		struct changelog_node *node = &nodes[random_below(random_below(2) == 0 ? 3 : NODES)];
		char id[16];

		switch (random_below(8)) {
		case 0:
			snprintf(id, sizeof id, "%zu", m->buried + 1);
			assert_int_equal(changelog_bury(log, id, true, NULL, 0), 0);
			model_bury(m);
			break;
		case 1:
			model_kill(m, node->seq);
			changelog_forget(log, node);
			break;
		default:
			model_kill(m, node->seq);
			assert_int_equal(changelog_append(log, node), 0);
			m->entries[m->last++].node = node;
			assert_int_equal(node->seq, m->last);
		}
		if (random_below(50) == 0)
			compare(log, m);
	}
	compare(log, m);
	changelog_free(log);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_log_has_nothing),
		cmocka_unit_test(change_kills_the_older_entry),
		cmocka_unit_test(tombstone_keeps_id_and_groups),
		cmocka_unit_test(oldest_tombstones_are_forgotten_and_it_is_known_up_to_where),
		cmocka_unit_test(log_without_room_for_tombstones_forgets_at_once),
		cmocka_unit_test(memory_does_not_grow_with_changes),
		cmocka_unit_test(random_operations_match_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
