/* fuzz.h: what the fuzz targets share. An assertion that fails is a find.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TESTS_FUZZ_H
#define PRESENCED_TESTS_FUZZ_H

#undef NDEBUG
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The input with a NUL behind it; free() it. A text ends at its first NUL. */
static inline char *fuzz_text(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);

	assert(text != NULL);
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	return text;
}

#endif
