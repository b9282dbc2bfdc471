/* fuzz_lines.c: a stream gives the same lines however it is cut; none is too long, none is lost.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

#include "daemon/base/buf.h"
#include "daemon/base/lines.h"

#define MAX_LINE 24

/* Write down what comes out: a letter for the kind, the text, an end. */
static void drain(struct lines *l, struct buf *seen)
{
	enum lines_result r;
	const char *text;
	size_t len;

	while ((r = lines_next(l, &text, &len)) != LINES_NONE) {
		buf_putc(seen, r == LINES_LINE ? 'l' : 'x');
		if (r == LINES_TOO_LONG)
			continue;
		assert(len < MAX_LINE && memchr(text, '\n', len) == NULL);
		buf_put(seen, text, len);
		buf_putc(seen, '\n');
	}
}

static void feed(struct buf *seen, const uint8_t *data, size_t len, size_t step)
{
	struct lines l;

	buf_init(seen, 1 << 22);
	assert(lines_init(&l, MAX_LINE) == 0);
	for (size_t at = 0, n; at < len; at += n) {
		n = step == 0 || step > len - at ? len - at : step;
		evbuffer_add(l.in, data + at, n);
		drain(&l, seen);
	}
	lines_done(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf whole, cut;

	if (len == 0)
		return 0;
	feed(&whole, data + 1, len - 1, 0);
	feed(&cut, data + 1, len - 1, data[0] % 64 + 1u);
	assert(whole.len == cut.len && memcmp(buf_text(&whole), buf_text(&cut), whole.len) == 0);
	buf_done(&whole);
	buf_done(&cut);
	return 0;
}
