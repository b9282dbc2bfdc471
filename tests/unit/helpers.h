/* helpers.h: what every unit test uses: cmocka, random numbers with a printed seed, users made of columns.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TESTS_HELPERS_H
#define PRESENCED_TESTS_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <cmocka.h>

#include "daemon/model/user.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t random_state;

static inline uint64_t random_next(void)
{
	uint64_t z = (random_state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* 0 to bound - 1. */
static inline size_t random_below(size_t bound)
{
	return (size_t)(random_next() % bound);
}

/* SEED from the environment, else a new one; printed, so that a failure can be repeated. */
static inline void random_begin(const char *test)
{
	const char *text = getenv("SEED");

	if (text != NULL)
		random_state = strtoull(text, NULL, 0);
	else if (getrandom(&random_state, sizeof random_state, 0) != sizeof random_state)
		random_state = 1;
	printf("%s: SEED=%llu\n", test, (unsigned long long)random_state);
}

/* How often a random test repeats: `usual`, or ROUNDS from the environment (`make soak`). */
static inline size_t random_rounds(size_t usual)
{
	const char *text = getenv("ROUNDS");

	return text == NULL ? usual : (size_t)strtoull(text, NULL, 0);
}

/* fields_of(.values = { [USER_ID] = "alice" }): owned by the caller. */
#define fields_of(...) make_fields(&(struct user_columns){ __VA_ARGS__ })

static inline struct user_fields *make_fields(const struct user_columns *columns)
{
	struct user_fields *f = user_fields_new(columns);
	char wrong[256];

	assert_null(user_columns_check(columns, wrong, sizeof wrong));
	assert_non_null(f);
	return f;
}

/* The first line of a file, and then the next ones; NULL at the end. Without the newline. */
static inline char *next_line(FILE *file, char *buf, size_t size)
{
	if (fgets(buf, (int)size, file) == NULL)
		return NULL;
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

#endif
