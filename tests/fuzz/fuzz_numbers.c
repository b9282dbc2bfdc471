/* fuzz_numbers.c: two numbers, one a line: equality is symmetric and reflexive, a normal form stays as it is.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#include "daemon/model/numbers.h"

static char *outside[] = { "9" };
static struct numbers_did dids[] = { { "+4420708468", 2 }, { "+44208", 4 } };
static const struct numbers_config configs[] = {
	{ .country = "44",
	    .international = "00",
	    .national = "0",
	    .outside = outside,
	    .outside_count = 1,
	    .extension_digits = 6,
	    .dids = dids,
	    .did_count = 2 },
	{ .extension_digits = 6 },
};

static int same(const struct number *a, const struct number *b)
{
	return a->is_name == b->is_name && strcmp(a->text, b->text) == 0 && strcmp(a->host, b->host) == 0;
}

/* Of other numbers, and of "sip:sip:a", one more prefix could be stripped; blanks at an end are trimmed. */
static void check_idempotent(const struct numbers_config *config, const struct number *n)
{
	char text[2 * NUMBER_MAX_BYTES + 2];
	struct number again;

	if (n->is_name ? strpbrk(n->text, ": \t") != NULL : n->text[0] != '+')
		return;
	if (strpbrk(n->text, "\r\n\v\f") != NULL || strpbrk(n->host, "\r\n\v\f") != NULL)
		return;
	snprintf(text, sizeof text, "%s%s%s", n->text, *n->host == '\0' ? "" : "@", n->host);
	assert(!number_normalise(config, text, &again) || same(n, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *first = fuzz_text(data, len), *second = strchr(first, '\n');

	if (second != NULL)
		*second++ = '\0';
	for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
		const struct numbers_config *config = &configs[i];
		struct number a, b;
		int known_a = number_normalise(config, first, &a);
		int known_b = number_normalise(config, second != NULL ? second : first, &b);

		assert(number_equal(config, &a, &b) == number_equal(config, &b, &a));
		assert(number_equal(config, &a, &a) == (known_a && a.text[0] != '\0'));
		assert(known_a || a.text[0] == '\0');
		assert(known_b || !number_equal(config, &a, &b));
		if (known_a)
			check_idempotent(config, &a);
	}
	free(first);
	return 0;
}
