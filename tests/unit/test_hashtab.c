/* test_hashtab.c: the table against a plain array; walking while the element just seen goes.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <stdbool.h>

#include "daemon/base/hashtab.h"

struct item {
	struct hash_link link;
	char key[16];
	bool in;
};

static const char *key_of(const struct hash_link *link)
{
	return hash_entry(link, const struct item, link)->key;
}

#define ITEMS 500

static struct item *new_items(void)
{
	struct item *items = calloc(ITEMS, sizeof *items);

	assert_non_null(items);
	for (size_t i = 0; i < ITEMS; i++)
		snprintf(items[i].key, sizeof items[i].key, "%.*s%zu", (int)(i % 9), "xxxxxxxxx", i);
	items[0].key[0] = '\0'; /* the empty key is one like others */
	return items;
}

static void empty_table_has_nothing(void **state)
{
	struct hashtab t;

	(void)state;
	hashtab_init(&t, key_of);
	assert_null(hashtab_find(&t, "a"));
	assert_null(hashtab_next(&t, NULL));
	assert_null(t.buckets);
	hashtab_done(&t);
}

static size_t count_by_walking(const struct hashtab *t)
{
	struct hash_link *link;
	size_t count = 0;

	HASH_EACH (link, t) {
		assert_true(hash_entry(link, struct item, link)->in);
		count++;
	}
	return count;
}

static void random_operations_match_an_array(void **state)
{
	struct item *items = new_items();
	struct hashtab t;
	size_t count = 0;

	(void)state;
	random_begin(__func__);
	hashtab_init(&t, key_of);
	for (int step = 0; step < 50000; step++) {
		struct item *item = &items[random_below(ITEMS)];
		struct hash_link *found = hashtab_find(&t, item->key);

		assert_ptr_equal(found, item->in ? &item->link : NULL);
		if (item->in) {
			hashtab_remove(&t, &item->link);
			count--;
		} else {
			assert_int_equal(hashtab_insert(&t, &item->link), 0);
			count++;
		}
		item->in = !item->in;
		assert_int_equal(t.count, count);
		if (step % 1000 == 0)
			assert_int_equal(count_by_walking(&t), count);
	}
	hashtab_done(&t);
	assert_int_equal(t.count, 0);
	free(items);
}

static void element_just_seen_may_be_removed(void **state)
{
	struct item *items = new_items();
	struct hash_link *link, *next;
	struct hashtab t;
	size_t seen = 0;

	(void)state;
	hashtab_init(&t, key_of);
	for (size_t i = 0; i < ITEMS; i++)
		assert_int_equal(hashtab_insert(&t, &items[i].link), 0);
	for (link = hashtab_next(&t, NULL); link != NULL; link = next, seen++) {
		next = hashtab_next(&t, link);
		hashtab_remove(&t, link);
	}
	assert_int_equal(seen, ITEMS);
	assert_int_equal(t.count, 0);
	assert_null(hashtab_find(&t, "1"));
	hashtab_done(&t);
	free(items);
}

static void chains_stay_short(void **state)
{
	struct item *items = new_items();
	struct hashtab t;
	size_t longest = 0;

	(void)state;
	hashtab_init(&t, key_of);
	for (size_t i = 0; i < ITEMS; i++)
		assert_int_equal(hashtab_insert(&t, &items[i].link), 0);
	assert_null(t.old); /* all are in the new buckets by now */
	for (size_t i = 0; i < t.bucket_count; i++) {
		size_t len = 0;

		for (const struct hash_link *l = t.buckets[i]; l != NULL; l = l->next)
			len++;
		longest = len > longest ? len : longest;
	}
	assert_true(longest < 20);
	hashtab_done(&t);
	free(items);
}

/* Whatever stands in the old buckets of a table that grows is found, walked, removed and emptied like the rest. */
static void growing_is_not_seen(void **state)
{
	struct item *items = new_items();
	struct hashtab t;

	(void)state;
	for (size_t n = 0; n < ITEMS; n++) {
		struct hash_link *link;
		size_t place = 0, left = n + 1;

		hashtab_init(&t, key_of);
		for (size_t i = 0; i <= n; i++) {
			assert_int_equal(hashtab_insert(&t, &items[i].link), 0);
			items[i].in = true;
		}
		assert_int_equal(count_by_walking(&t), n + 1);
		for (size_t i = 0; i <= n; i++)
			assert_ptr_equal(hashtab_find(&t, items[i].key), &items[i].link);
		hashtab_remove(&t, &items[n / 2].link);
		items[n / 2].in = false;
		assert_null(hashtab_find(&t, items[n / 2].key));
		for (left--; (link = hashtab_first(&t, &place)) != NULL; left--)
			hashtab_remove(&t, link);
		assert_int_equal(left, 0);
		assert_int_equal(t.count, 0);
		hashtab_done(&t);
	}
	free(items);
}

static void growing_is_done_before_it_grows_again(void **state)
{
	struct item *items = new_items();
	struct hashtab t;

	(void)state;
	hashtab_init(&t, key_of);
	for (size_t i = 0; i < ITEMS; i++) {
		if (t.count == t.bucket_count)
			assert_null(t.old);
		assert_int_equal(hashtab_insert(&t, &items[i].link), 0);
	}
	hashtab_reserve(&t, (size_t)ITEMS * 10);
	assert_null(t.old);
	for (size_t i = 0; i < ITEMS; i++)
		assert_ptr_equal(hashtab_find(&t, items[i].key), &items[i].link);
	hashtab_done(&t);
	free(items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_table_has_nothing),
		cmocka_unit_test(random_operations_match_an_array),
		cmocka_unit_test(element_just_seen_may_be_removed),
		cmocka_unit_test(chains_stay_short),
		cmocka_unit_test(growing_is_not_seen),
		cmocka_unit_test(growing_is_done_before_it_grows_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
