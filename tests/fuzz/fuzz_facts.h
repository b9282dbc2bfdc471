/* fuzz_facts.h: for targets whose parsers give raw facts.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TESTS_FUZZ_FACTS_H
#define PRESENCED_TESTS_FUZZ_FACTS_H

#include <stdio.h>

#include "daemon/model/raw_state.h"
#include "tests/fuzz/fuzz.h"

/* They are good, and all that they borrow can be read. */
static inline void fuzz_facts(const struct raw_facts *facts)
{
	const char *wrong = raw_facts_check(facts);
	const struct raw_state *state;

	if (wrong != NULL)
		fprintf(stderr, "%s\n", wrong);
	assert(wrong == NULL);
	state = raw_state_new(facts); /* reads all that they borrow */
	assert(state != NULL);
	raw_state_unref(state);
}

#endif
