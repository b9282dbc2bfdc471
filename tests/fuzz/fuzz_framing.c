/* fuzz_framing.c: a stream gives the same frames however it is cut, whatever its framing.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

#include <event2/buffer.h>

#include "connectors/link_framing.h"
#include "daemon/base/buf.h"

static const struct framing framings[] = {
	{ .kind = FRAMING_NONE },
	{ .kind = FRAMING_LINE, .max = 40 },
	{ .kind = FRAMING_LINE, .max = 40, .skip = "\r\n " },
	{ .kind = FRAMING_END, .max = 60, .end = "</end>", .skip = "\r\n " },
	{ .kind = FRAMING_END, .max = 60, .end = "\r\n\r\n" },
	{ .kind = FRAMING_LENGTH, .max = 200, .head = 1, .bytes = 1 },
	{ .kind = FRAMING_LENGTH, .max = 200, .head = 4, .offset = 2, .bytes = 2, .head_counts = true },
	{ .kind = FRAMING_LENGTH, .max = 200, .head = 16, .offset = 8, .bytes = 4 },
	{ .kind = FRAMING_CONTENT_LENGTH, .max = 50, .head_max = 100 },
	{ .kind = FRAMING_LENGTH,
	    .max = 200,
	    .head = 8,
	    .offset = 2,
	    .bytes = 2,
	    .head_counts = true,
	    .zeros = 2,
	    .other = "something else" },
};
#define KINDS (sizeof framings / sizeof *framings)

/* Write down what comes out: length, bytes, and in the end what is left. */
static void take(
    const struct framing *f, struct framing_state *state, struct evbuffer *in, struct buf *seen, bool *broken)
{
	enum framing_result r;
	char why[160] = "";
	size_t len;

	while ((r = framing_next(f, state, in, &len, why, sizeof why)) == FRAMING_FRAME) {
		assert(len > 0 && len <= evbuffer_get_length(in));
		assert(f->kind == FRAMING_NONE || len <= f->max + f->head_max);
		if (f->kind != FRAMING_NONE)
			buf_printf(seen, "%zu:", len);
		buf_put(seen, evbuffer_pullup(in, (ev_ssize_t)len), len);
		evbuffer_drain(in, len);
	}
	*broken = r == FRAMING_BROKEN;
	assert(*broken == (why[0] != '\0'));
}

/* `random` 0: all at once. */
static void feed(const struct framing *f, const uint8_t *data, size_t len, uint32_t random, struct buf *seen)
{
	struct evbuffer *in = evbuffer_new();
	struct framing_state state = { 0 };
	bool broken = false;

	assert(in != NULL);
	buf_init(seen, 1 << 20);
	for (size_t at = 0, n; at < len && !broken; at += n) {
		random = random == 0 ? 0 : random * 1664525 + 1013904223;
		n = random == 0 ? len : 1 + (random >> 24) % 48;
		n = n > len - at ? len - at : n;
		evbuffer_add(in, data + at, n);
		take(f, &state, in, seen, &broken);
	}
	buf_printf(seen, broken ? "!" : "+%zu", evbuffer_get_length(in));
	evbuffer_free(in);
	assert(!seen->failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf whole, cut;

	if (len < 2)
		return 0;
	feed(&framings[data[0] % KINDS], data + 2, len - 2, 0, &whole);
	feed(&framings[data[0] % KINDS], data + 2, len - 2, data[1] + 1u, &cut);
	assert(whole.len == cut.len && memcmp(buf_text(&whole), buf_text(&cut), whole.len) == 0);
	buf_done(&whole);
	buf_done(&cut);
	return 0;
}
