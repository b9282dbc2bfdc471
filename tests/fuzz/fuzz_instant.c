/* fuzz_instant.c: what is read as a time or a duration is the same when it was printed and is read again.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#include "daemon/base/instant.h"

static void check_instant(const char *text)
{
	char printed[INSTANT_TEXT_SIZE];
	int64_t wall = -1, again;

	if (instant_parse(text, &wall) < 0) {
		assert(wall == -1);
		return;
	}
	assert(instant_parse(instant_format(wall, printed), &again) == 0 && again == wall);
}

/* Two units are printed, so small parts are lost; what was printed is printed the same again. */
static void check_duration(const char *text)
{
	char printed[DURATION_TEXT_SIZE], second[DURATION_TEXT_SIZE];
	int64_t ms = -1, again;

	if (duration_parse(text, &ms) < 0) {
		assert(ms == -1);
		return;
	}
	assert(ms >= 0 && duration_parse(duration_format(ms, printed), &again) == 0);
	assert(again <= ms && ms - again <= ms / 20);
	assert(strcmp(duration_format(again, second), printed) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = fuzz_text(data, len);

	check_instant(text);
	check_duration(text);
	free(text);
	return 0;
}
