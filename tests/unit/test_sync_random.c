/* test_sync_random.c: random lists, taken in by slices of any size; what is told of a sync is what it changes.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/people.h"

#include "daemon/sync.h"

#define KEYS  40
#define USERS 30

/* What a file would have of the origin: a text a key, "" for none. */
struct copy {
	char rows[KEYS][256];
};

static struct sync *sync_now;
static struct copy copy;

static void write_row(char *row, size_t size, const struct user_fields *f)
{
	struct buf b;

	buf_init(&b, 4096);
	if (f != NULL)
		write_person(&b, f);
	snprintf(row, size, "%s", buf_text(&b));
	buf_done(&b);
}

static void write_to_copy(void *arg, struct origin *origin, const char *key, struct user_fields *fields)
{
	char row[256] = "";
	int k = atoi(key + 1);

	(void)arg;
	assert_string_equal(origin_name(origin), "ldap");
	write_row(row, sizeof row, fields);
	assert_string_not_equal(copy.rows[k], row); /* what is so already is not written */
	memcpy(copy.rows[k], row, sizeof row);
}

static void read_origin(struct copy *into)
{
	char key[16];

	memset(into, 0, sizeof *into);
	for (int k = 0; k < KEYS; k++) {
		const struct entry *e;

		snprintf(key, sizeof key, "k%d", k);
		e = origin_entry(LDAP, key);
		write_row(into->rows[k], sizeof into->rows[k], e == NULL ? NULL : entry_fields(e));
	}
}

static void random_person(char *text, size_t size)
{
	int len = snprintf(text, size, "u%zu", random_below(USERS));

	if (random_below(2) == 0)
		len += snprintf(text + len, size - (size_t)len, " name=%zu", random_below(3));
	if (random_below(2) == 0)
		len += snprintf(text + len, size - (size_t)len, " extension=%zu", random_below(USERS));
	if (random_below(3) == 0)
		len += snprintf(text + len, size - (size_t)len, " upn=%zu@x", random_below(USERS));
	if (random_below(4) == 0)
		snprintf(text + len, size - (size_t)len, " line@sw=%zu", random_below(3));
}

static void people_by_hand(void)
{
	char text[128], id[16];

	for (int i = 0; i < USERS / 2; i++) {
		random_person(text, sizeof text);
		snprintf(id, sizeof id, "%.*s", (int)strcspn(text, " "), text);
		set_entry(HAND, id, text);
	}
}

static void stage_random_list(void)
{
	char text[128], key[16];

	for (int k = 0; k < KEYS; k++) {
		if (random_below(4) == 0)
			continue;
		snprintf(key, sizeof key, "k%d", k);
		random_person(text, sizeof text);
		assert_int_equal(sync_add(sync_now, key, person(text)), 0);
	}
}

static struct sync *new_random_sync(void)
{
	static char *words[] = { "upn", "extension" };
	const struct option_list match = { .items = words, .count = random_below(3) };
	const struct sync_rules rules = { .match = &match };
	struct sync *s = sync_new(people.o, people.d, LDAP, &rules);

	assert_non_null(s);
	return s;
}

static void write_counts(struct buf *b)
{
	const struct sync_counts *c = sync_counts(sync_now);

	buf_printf(b, "%zu added %zu changed %zu unchanged %zu removed %zu conflicts %zu before %zu missing\n%s",
	    c->added, c->changed, c->unchanged, c->removed, c->conflicts, c->before, c->missing, sync_text(sync_now));
}

static void check_written(size_t budget)
{
	size_t at = 0;

	read_origin(&copy);
	while (sync_write(sync_now, budget, &at, write_to_copy, NULL))
		;
	assert_false(sync_write(sync_now, budget, &at, write_to_copy, NULL)); /* nothing is told twice */
}

static void apply_and_compare(size_t budget)
{
	struct copy after;

	sync_apply(sync_now);
	while (sync_run(sync_now, budget) == SYNC_APPLYING)
		;
	assert_int_equal(sync_phase(sync_now), SYNC_DONE);
	read_origin(&after);
	for (int k = 0; k < KEYS; k++)
		assert_string_equal(after.rows[k], copy.rows[k]);
}

/* One sync of a random list in slices of `budget`; all that can be seen of it goes to `b`. */
static void sync_once(struct buf *b, size_t budget)
{
	bool removes = random_below(3) > 0, force = random_below(2) == 0;

	sync_now = new_random_sync();
	stage_random_list();
	sync_ready(sync_now, removes, force);
	while (sync_run(sync_now, budget) == SYNC_CHECKING)
		;
	write_counts(b);
	if (sync_phase(sync_now) == SYNC_READY) {
		check_written(budget);
		apply_and_compare(budget);
		write_counts(b);
	}
	sync_free(sync_now);
}

static void write_everybody(struct buf *b)
{
	for (struct user *u = directory_after(people.d, ""); u != NULL; u = directory_next(u)) {
		write_person(b, u->fields);
		buf_putc(b, '\n');
	}
}

static void run_history(struct buf *b, size_t budget)
{
	people_setup(NULL);
	buf_clear(b);
	people_by_hand();
	for (int i = 0; i < 6; i++) {
		sync_once(b, budget);
		write_everybody(b);
	}
	buf_puts(b, buf_text(&people.told));
	assert_false(b->failed);
	people_teardown(NULL);
}

static void slices_of_any_size_give_the_same(void **state)
{
	static const size_t budgets[] = { 1, 2, 3, 7, 39, 40, 41 };
	size_t rounds = random_rounds(60);
	struct buf whole, sliced;

	(void)state;
	random_begin(__func__);
	buf_init(&whole, 1 << 20);
	buf_init(&sliced, 1 << 20);
	for (size_t i = 0; i < rounds; i++) {
		uint64_t seed = random_next();

		random_state = seed;
		run_history(&whole, SIZE_MAX);
		random_state = seed;
		run_history(&sliced, budgets[i % COUNT_OF(budgets)]);
		assert_string_equal(buf_text(&sliced), buf_text(&whole));
		random_state = seed + 1;
	}
	buf_done(&whole);
	buf_done(&sliced);
}

/* --- the list is the origin ---------------------------------------------------------------------- */

static void origin_is_the_list_that_was_synced(void **state)
{
	size_t rounds = random_rounds(300);
	char key[16], text[64];

	(void)state;
	random_begin(__func__);
	people_setup(NULL);
	for (size_t i = 0; i < rounds; i++) {
		struct copy expected, found;

		memset(&expected, 0, sizeof expected);
		sync_now = sync_new(people.o, people.d, LDAP, NULL);
		for (int k = 0; k < KEYS; k++) {
			if (random_below(3) == 0)
				continue;
			snprintf(key, sizeof key, "k%d", k);
			snprintf(text, sizeof text, "u%d name=%zu", k, random_below(3));
			snprintf(expected.rows[k], sizeof expected.rows[k], "%s", text);
			assert_int_equal(sync_add(sync_now, key, person(text)), 0);
		}
		sync_ready(sync_now, true, true);
		while (sync_run(sync_now, 1 + random_below(50)) != SYNC_READY)
			;
		sync_apply(sync_now);
		while (sync_run(sync_now, 1 + random_below(50)) != SYNC_DONE)
			;
		read_origin(&found);
		for (int k = 0; k < KEYS; k++)
			assert_string_equal(found.rows[k], expected.rows[k]);
		assert_int_equal(directory_count(people.d), sync_count(sync_now));
		assert_int_equal(
		    sync_counts(sync_now)->added + sync_counts(sync_now)->changed + sync_counts(sync_now)->unchanged,
		    sync_count(sync_now));
		sync_free(sync_now);
	}
	people_teardown(NULL);
}

/* --- many ---------------------------------------------------------------------------------------- */

struct told_keys {
	size_t next, gone;
};

static void expect_next_key(void *arg, struct origin *origin, const char *key, struct user_fields *fields)
{
	struct told_keys *t = arg;
	char expected[32];

	(void)origin;
	snprintf(expected, sizeof expected, "n%zu", t->next);
	if (fields == NULL) {
		assert_int_equal(key[0], 'o');
		t->gone++;
		return;
	}
	assert_string_equal(key, expected);
	t->next++;
}

/* Staged entries stand in blocks of 1024. */
static void many_entries_are_each_told_once_in_their_order(void **state)
{
	static const size_t budgets[] = { 1, 7, 1000, 1024, 1025, 5000 };
	static const size_t counts[] = { 1023, 1024, 2048, 2500 };
	char text[32];

	(void)state;
	for (size_t c = 0; c < COUNT_OF(counts); c++) {
		people_setup(NULL);
		for (int i = 0; i < 3; i++) {
			snprintf(text, sizeof text, "o%d", i);
			set_entry(LDAP, text, text);
		}
		sync_now = sync_new(people.o, people.d, LDAP, NULL);
		for (size_t i = 0; i < counts[c]; i++) {
			snprintf(text, sizeof text, "n%zu", i);
			assert_int_equal(sync_add(sync_now, text, person(text)), 0);
		}
		sync_ready(sync_now, true, false);
		while (sync_run(sync_now, 500) != SYNC_READY)
			;
		for (size_t i = 0; i < COUNT_OF(budgets); i++) {
			struct told_keys told = { 0 };
			size_t at = 0, slices = 1;

			while (sync_write(sync_now, budgets[i], &at, expect_next_key, &told))
				slices++;
			assert_int_equal(told.next, counts[c]);
			assert_int_equal(told.gone, 3);
			assert_true(slices >= (counts[c] + 3) / budgets[i]);
		}
		sync_free(sync_now);
		people_teardown(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_of_any_size_give_the_same),
		cmocka_unit_test(origin_is_the_list_that_was_synced),
		cmocka_unit_test(many_entries_are_each_told_once_in_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
