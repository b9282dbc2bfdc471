/* test_wheel.c: timers fire once, in time, never early, beside an array that is searched.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include "daemon/base/instant.h"
#include "daemon/base/wheel.h"

#define ITEMS 300

struct timer {
	struct wheel_item item;
	int64_t due; /* 0: not armed */
};

static uint32_t seed = 7;

static uint32_t any(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

/* What is due at `now` comes out, each once, and nothing else. */
static void check_pop(struct wheel *w, struct timer *timers, int64_t now)
{
	struct wheel_item *item;

	while ((item = wheel_pop(w, now)) != NULL) {
		struct timer *t = wheel_owner(item, struct timer, item);

		assert_true(t->due != 0);
		assert_true(t->due <= now);
		t->due = 0;
	}
	for (int i = 0; i < ITEMS; i++)
		assert_true(timers[i].due == 0 || timers[i].due > now - w->tick);
}

static void test_random(void **state)
{
	static struct timer timers[ITEMS];
	static struct wheel w;
	int64_t now = 1234567;

	(void)state;
	wheel_init(&w, 50, now);
	for (int round = 0; round < 200000; round++) {
		struct timer *t = &timers[any(ITEMS)];

		if (any(3) == 0) {
			wheel_disarm(&w, &t->item);
			t->due = 0;
		} else {
			t->due = now + any(any(10) == 0 ? 200000 : 3000);
			wheel_arm(&w, &t->item, t->due);
		}
		now += any(100) == 0 ? any(120000) : any(40);
		check_pop(&w, timers, now);
	}
}

/* Sleeping until wheel_next() misses nothing. */
static void test_next(void **state)
{
	static struct timer timers[ITEMS];
	static struct wheel w;
	int64_t now = 0, next;
	int fired = 0;

	(void)state;
	wheel_init(&w, 1000, now);
	assert_true(wheel_next(&w) == INSTANT_NEVER);
	for (int i = 0; i < ITEMS; i++) {
		timers[i].due = 1 + any(5000000);
		wheel_arm(&w, &timers[i].item, timers[i].due);
	}
	for (int turns = 0; (next = wheel_next(&w)) != INSTANT_NEVER; turns++) {
		struct wheel_item *item;

		assert_true(next > now);
		assert_true(turns < 10000);
		now = next;
		while ((item = wheel_pop(&w, now)) != NULL) {
			struct timer *t = wheel_owner(item, struct timer, item);

			assert_true(t->due <= now && now - t->due < 1000);
			fired++;
		}
	}
	assert_int_equal(fired, ITEMS);
}

static void test_a_past_time_fires_at_the_next_tick(void **state)
{
	static struct wheel w;
	struct wheel_item item = { .due = 0 };

	(void)state;
	wheel_init(&w, 50, 1000);
	wheel_arm(&w, &item, 10);
	assert_null(wheel_pop(&w, 1049));
	assert_ptr_equal(wheel_pop(&w, 1050), &item);
	assert_int_equal(item.due, 0);
	wheel_disarm(&w, &item);
	assert_null(wheel_pop(&w, 100000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_a_past_time_fires_at_the_next_tick),
	};

	return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
