/* test_link_framing.c: each kind of framing gives the same frames however the stream is cut, within its limits.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <event2/buffer.h>

#include "connectors/link_framing.h"
#include "daemon/base/buf.h"

static const struct framing lines = { .kind = FRAMING_LINE, .max = 16 };
static const struct framing skipping_lines = { .kind = FRAMING_LINE, .max = 16, .skip = "\r\n " };
static const struct framing tags = { .kind = FRAMING_END, .max = 24, .end = "</end>", .skip = "\r\n " };
static const struct framing doubled = { .kind = FRAMING_END, .max = 24, .end = "\r\n\r\n" };
static const struct framing lengths = { .kind = FRAMING_LENGTH, .max = 300, .head = 4, .offset = 2, .bytes = 2 };
static const struct framing whole_lengths = {
	.kind = FRAMING_LENGTH, .max = 300, .head = 4, .offset = 2, .bytes = 2, .head_counts = true
};
static const struct framing byte_lengths = { .kind = FRAMING_LENGTH, .max = 300, .head = 1, .bytes = 1 };
static const struct framing long_lengths = { .kind = FRAMING_LENGTH, .max = 300, .head = 16, .offset = 12, .bytes = 4 };
static const struct framing zeroed = { .kind = FRAMING_LENGTH,
	.max = 65535,
	.head = 8,
	.offset = 2,
	.bytes = 2,
	.head_counts = true,
	.zeros = 2,
	.other = "it speaks something else" };
static const struct framing messages = { .kind = FRAMING_CONTENT_LENGTH, .max = 20, .head_max = 64 };
static const struct framing anything = { .kind = FRAMING_NONE };

/* What comes out of a stream, in words: "(frame)(frame)" and in the end "+n" for n bytes that wait, or "!". */
struct stream {
	const struct framing *framing;
	struct framing_state state;
	struct evbuffer *in;
	struct buf seen;
	bool broken;
	char why[160];
};

static void stream_begin(struct stream *s, const struct framing *framing)
{
	*s = (struct stream){ .framing = framing, .in = evbuffer_new() };
	assert_non_null(s->in);
	buf_init(&s->seen, 1 << 20);
}

static void stream_take(struct stream *s)
{
	enum framing_result r;
	size_t len;

	while (!s->broken &&
	    (r = framing_next(s->framing, &s->state, s->in, &len, s->why, sizeof s->why)) != FRAMING_MORE) {
		s->broken = r == FRAMING_BROKEN;
		if (s->broken)
			return;
		assert_in_range(len, 1, evbuffer_get_length(s->in));
		buf_putc(&s->seen, '(');
		buf_put(&s->seen, evbuffer_pullup(s->in, (ev_ssize_t)len), len);
		buf_putc(&s->seen, ')');
		evbuffer_drain(s->in, len);
	}
}

static void stream_feed(struct stream *s, const char *data, size_t len)
{
	evbuffer_add(s->in, data, len);
	stream_take(s);
}

static void stream_end(struct stream *s)
{
	if (s->broken) {
		assert_string_not_equal(s->why, "");
		buf_putc(&s->seen, '!');
	} else if (evbuffer_get_length(s->in) > 0) {
		buf_printf(&s->seen, "+%zu", evbuffer_get_length(s->in));
	}
	evbuffer_free(s->in);
	assert_false(s->seen.failed);
}

/* Whole, byte by byte, and cut at random places. */
static void check_bytes(const struct framing *framing, const char *data, size_t len, const char *expected, size_t size)
{
	for (int round = 0; round < 22; round++) {
		struct stream s;
		size_t n;

		stream_begin(&s, framing);
		for (size_t at = 0; at < len; at += n) {
			n = round == 0 ? len : round == 1 ? 1 : 1 + random_below(len);
			n = n > len - at ? len - at : n;
			stream_feed(&s, data + at, n);
		}
		stream_end(&s);
		assert_int_equal(s.seen.len, size);
		assert_memory_equal(buf_text(&s.seen), expected, size);
		buf_done(&s.seen);
	}
}

static void check(const struct framing *framing, const char *data, const char *expected)
{
	check_bytes(framing, data, strlen(data), expected, strlen(expected));
}

static void lines_end_with_lf(void **state)
{
	(void)state;
	check(&lines, "", "");
	check(&lines, "one\ntwo\r\n\nfour", "(one\n)(two\r\n)(\n)+4");
	check(&lines, "\n\n\n", "(\n)(\n)(\n)");
	check(&lines, "123456789012345\nx\n", "(123456789012345\n)(x\n)");
	check(&lines, "1234567890123456\n", "!");
	check(&lines, "ok\n1234567890123456", "(ok\n)!");
	check(&lines, "123456789012345", "+15");
	check_bytes(&lines, "a\0b\n\0", 5, "(a\0b\n)+1", 8);
}

static void bytes_to_skip_are_dropped_before_a_frame_only(void **state)
{
	(void)state;
	check(&skipping_lines, "\r\n \r\n  one two\n \n\nthree\n ", "(one two\n)(three\n)");
	check(&skipping_lines, "a \r\n\r\n", "(a \r\n)");
	check(&skipping_lines, "                        x\n", "(x\n)"); /* they do not count */
	check_bytes(&skipping_lines, " \0 \n", 4, "(\0 \n)", 5);	/* a NUL is not among them */
}

static void an_end_text_ends_a_frame(void **state)
{
	(void)state;
	check(&tags, "<a>x</end>\r\n<b></end></end>", "(<a>x</end>)(<b></end>)(</end>)");
	check(&tags, "<a></en</end>", "(<a></en</end>)");
	check(&tags, "<a><<</</e</en</end", "+19");
	check(&tags, "123456789012345678</end>", "(123456789012345678</end>)");
	check(&tags, "1234567890123456789</end>", "!");
	check(&tags, "123456789012345678901234", "!");
	check(&tags, "12345678901234567890123", "+23");
	check(&doubled, "a\r\n\r\r\n\r\nb\r\n\r\n", "(a\r\n\r\r\n\r\n)(b\r\n\r\n)");
	check(&doubled, "\r\n\r\n", "(\r\n\r\n)");
}

static void a_length_in_the_head_is_followed(void **state)
{
	(void)state;
	check_bytes(&lengths, "ab\0\3xyzcd\0\0ef\0\1w", 16, "(ab\0\3xyz)(cd\0\0)(ef\0\1w)", 22);
	check_bytes(&lengths, "ab\0\3xy", 6, "+6", 2);
	check_bytes(&lengths, "ab\0", 3, "+3", 2);
	check_bytes(&byte_lengths, "\2ab\0\1c", 6, "(\2ab)(\0)(\1c)", 12);
	check_bytes(&long_lengths, "headheadhead\0\0\0\2ab", 18, "(headheadhead\0\0\0\2ab)", 20);
	check_bytes(&long_lengths, "headheadhead\xff\xff\xff\xff", 16, "!", 1);
	check_bytes(&long_lengths, "headheadhead\0\1\0\0", 16, "!", 1);
}

static void a_length_may_include_its_head(void **state)
{
	(void)state;
	check_bytes(&whole_lengths, "ab\0\7xyzcd\0\4", 11, "(ab\0\7xyz)(cd\0\4)", 15);
	check_bytes(&whole_lengths, "ab\0\4cd\0\3", 8, "(ab\0\4)!", 7);
	check_bytes(&whole_lengths, "ab\0\0", 4, "!", 1);
}

/* 300 bytes with the head are the limit of both. */
static void a_length_has_a_limit(void **state)
{
	char data[400], expected[400];

	(void)state;
	memset(data, 'x', sizeof data);
	memcpy(data, "ab\1\x2c", 4); /* 300 */
	snprintf(expected, sizeof expected, "(%.300s)", data);
	memcpy(expected + 1, data, 300);
	expected[301] = ')';
	check_bytes(&whole_lengths, data, 300, expected, 302);
	check_bytes(&lengths, data, 304, "!", 1);
	data[3] = 0x28; /* 296 */
	expected[4] = 0x28;
	check_bytes(&lengths, data, 300, expected, 302);
	data[3] = 0x2d; /* 301 */
	check_bytes(&whole_lengths, data, 301, "!", 1);
}

/* The bytes of zero are looked at as soon as they are there: another protocol may never send a whole head. */
static void a_head_may_begin_with_zeros(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		bool broken;
	} rows[] = {
		{ "\x01", 1, true },
		{ "\x60\x80", 2, true },
		{ "\0\x01", 2, true },
		{ "HTTP/1.1 400 Bad Request\r\n", 26, true },
		{ "\0", 1, false },
		{ "\0\0", 2, false },
		{ "\0\0\0", 3, false },
		{ "\0\0\0\x08"
		  "000",
		    7, false },
		{ "\0\0\0\x07"
		  "0001",
		    8, true },
		{ "\0\0\0\0"
		  "0001",
		    8, true },
		{ "\0\0\xff\xff"
		  "0001",
		    8, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct stream s;

		stream_begin(&s, &zeroed);
		stream_feed(&s, rows[i].data, rows[i].len);
		if (s.broken != rows[i].broken)
			fail_msg("row %zu", i);
		if (i < 4)
			assert_string_equal(s.why, zeroed.other);
		stream_end(&s);
		buf_done(&s.seen);
	}
	check_bytes(&zeroed,
	    "\0\0\0\x0b"
	    "0001<x>\0\0\0\x08"
	    "9999",
	    19,
	    "(\0\0\0\x0b"
	    "0001<x>)(\0\0\0\x08"
	    "9999)",
	    23);
	check_bytes(&zeroed,
	    "\0\0\0\x09"
	    "0001x\x01\0\0\x09"
	    "0002y",
	    18,
	    "(\0\0\0\x09"
	    "0001x)!",
	    12);
}

/* 65535 bytes, the most that two bytes can say, one byte at a time. */
static void the_largest_length_is_followed(void **state)
{
	struct stream s;
	char head[8] = { 0, 0, (char)0xff, (char)0xff, '0', '0', '0', '1' };

	(void)state;
	stream_begin(&s, &zeroed);
	for (size_t i = 0; i < 65535; i++)
		stream_feed(&s, i < 8 ? &head[i] : "x", 1);
	stream_end(&s);
	assert_false(s.broken);
	assert_int_equal(s.seen.len, 65535 + 2);
	buf_done(&s.seen);
}

static void a_message_is_as_long_as_it_says(void **state)
{
	(void)state;
	check(&messages, "A\r\nContent-Length: 3\r\n\r\nabcB\r\nl:0\r\n\r\n",
	    "(A\r\nContent-Length: 3\r\n\r\nabc)(B\r\nl:0\r\n\r\n)");
	check(&messages, "A\r\nX: y\r\nCONTENT-LENGTH \t: \t 2 \t\r\nZ: 5\r\n\r\nab",
	    "(A\r\nX: y\r\nCONTENT-LENGTH \t: \t 2 \t\r\nZ: 5\r\n\r\nab)");
	check(&messages, "A\r\nl: 1\r\nL: 1\r\nContent-Length: 01\r\n\r\n\r",
	    "(A\r\nl: 1\r\nL: 1\r\nContent-Length: 01\r\n\r\n\r)");
	check(&messages, "A\r\nl:9\r\n\r\n\r\n\r\n\r\n\r\n", "+18");
	check(&messages, "A\r\nl:4\r\n\r\n\r\n\r\n\r\n", "(A\r\nl:4\r\n\r\n\r\n\r\n)(\r\n)");
	check(&messages, "A\r\nLength: 1\r\nlo: 2\r\nContent-Length-X: 3\r\nl: 0\r\n\r\n",
	    "(A\r\nLength: 1\r\nlo: 2\r\nContent-Length-X: 3\r\nl: 0\r\n\r\n)");
	check(&messages, "A\r\nX: a\r\n l: 7\r\nl: 1\r\n\r\nb", "(A\r\nX: a\r\n l: 7\r\nl: 1\r\n\r\nb)");
}

static void a_bad_content_length_breaks_the_stream(void **state)
{
	static const char *const bad[] = {
		"A\r\nX: y\r\n\r\n",
		"A\r\n\r\n",
		"A\r\nl:\r\n\r\n",
		"A\r\nl: \r\n\r\n",
		"A\r\nl: -1\r\n\r\n",
		"A\r\nl: +1\r\n\r\n",
		"A\r\nl: 1 1\r\n\r\n",
		"A\r\nl: 1x\r\n\r\n",
		"A\r\nl: 0x1\r\n\r\n",
		"A\r\nl: 1,1\r\n\r\n",
		"A\r\nl: 1;a\r\n\r\n",
		"A\r\nl: 1\r\nl: 2\r\n\r\n",
		"A\r\nl: 1\r\nContent-Length: 0\r\n\r\n",
		"A\r\nl: 1\r\nl: \r\n\r\n",
		"A\r\nl: 1\r\n 1\r\n\r\n",
		"A\r\nl:\r\n 1\r\n\r\n",
		"A\r\nl: 1\r\n\t\r\n\r\n",
		"A\r\nl: 21\r\n\r\n",
		"A\r\nl: 18446744073709551617\r\n\r\n",
		"A\r\nl: 4294967296\r\n\r\n",
		"A\r\nContent-Length 1\r\n\r\n",
		"A\r\nContent-Length\r\n\r\n",
		"A\r\nl: 1\nX: y\r\n\r\n",
		"A\r\nl: \"1\"\r\n\r\n",
		"A\r\nl: 1.0\r\n\r\n",
		"A\r\nl: 1\r\r\n\r\n",
	};
	char expected[16];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		check(&messages, bad[i], "!");
	check_bytes(&messages, "A\r\nl: 1\0\r\n\r\n", 12, "!", 1);
	snprintf(expected, sizeof expected, "(B\r\nl:0\r\n\r\n)!");
	check(&messages, "B\r\nl:0\r\n\r\nA\r\n\r\n", expected);
}

static void a_message_has_limits(void **state)
{
	char head[128], data[256], expected[300];

	(void)state;
	snprintf(head, sizeof head, "A\r\nl: 20\r\nX: %.*s\r\n\r\n", 46,
	    "0123456789012345678901234567890123456789012345678901");
	assert_int_equal(strlen(head), 63);
	snprintf(data, sizeof data, "%s12345678901234567890", head);
	snprintf(expected, sizeof expected, "(%s)", data);
	check(&messages, data, expected);
	snprintf(data, sizeof data, "AA%s12345678901234567890", head + 1); /* 64 */
	snprintf(expected, sizeof expected, "(%s)", data);
	check(&messages, data, expected);
	snprintf(data, sizeof data, "AAA%s12345678901234567890", head + 1); /* 65 */
	check(&messages, data, "!");
	memset(data, 'x', 64);
	data[64] = '\0';
	check(&messages, data, "!");
	data[63] = '\0';
	check(&messages, data, "+63");
}

static void crlf_before_a_message_is_a_frame(void **state)
{
	(void)state;
	check(&messages, "\r\n\r\n", "(\r\n)(\r\n)");
	check(&messages, "\r\n\r\nA\r\nl:0\r\n\r\n\r\n", "(\r\n)(\r\n)(A\r\nl:0\r\n\r\n)(\r\n)");
	check(&messages, "\r", "+1");
	check(&messages, "\rA\r\nl:0\r\n\r\n", "(\rA\r\nl:0\r\n\r\n)"); /* the parser's business */
}

static void no_framing_gives_what_is_there(void **state)
{
	struct stream s;

	(void)state;
	stream_begin(&s, &anything);
	stream_feed(&s, "a", 1);
	stream_feed(&s, "", 0);
	stream_feed(&s, "bc\n", 3);
	stream_end(&s);
	assert_string_equal(buf_text(&s.seen), "(a)(bc\n)");
	buf_done(&s.seen);
}

/* Many frames in one buffer of several pieces, and a state that starts anew after each. */
static void a_long_stream_is_cut_into_the_same_frames(void **state)
{
	struct buf data, expected;
	static const struct framing big = { .kind = FRAMING_CONTENT_LENGTH, .max = 5000, .head_max = 64 };

	(void)state;
	buf_init(&data, 1 << 20);
	buf_init(&expected, 1 << 20);
	for (int i = 0; i < 20; i++) {
		size_t start = data.len, len = random_below(2000);

		buf_printf(&data, "M%d\r\nContent-Length: %zu\r\n\r\n", i, len);
		for (size_t k = 0; k < len; k++)
			buf_putc(&data, "\r\nab"[random_below(4)]);
		buf_putc(&expected, '(');
		buf_put(&expected, buf_text(&data) + start, data.len - start);
		buf_putc(&expected, ')');
	}
	check_bytes(&big, buf_text(&data), data.len, buf_text(&expected), expected.len);
	buf_done(&data);
	buf_done(&expected);
}

/* 256 KiB, byte by byte: a search that began anew at each byte would take minutes. */
static void time_is_linear(void **state)
{
	static const struct framing big = { .kind = FRAMING_END, .max = 1 << 20, .end = "</end>" };
	struct stream s;

	(void)state;
	stream_begin(&s, &big);
	for (int i = 0; i < 262144; i++)
		stream_feed(&s, "<", 1);
	stream_feed(&s, "</end>", 6);
	stream_end(&s);
	assert_int_equal(s.seen.len, 262144 + 8);
	buf_done(&s.seen);
}

static int seed(void **state)
{
	(void)state;
	random_state = 20;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_with_lf),
		cmocka_unit_test(bytes_to_skip_are_dropped_before_a_frame_only),
		cmocka_unit_test(an_end_text_ends_a_frame),
		cmocka_unit_test(a_length_in_the_head_is_followed),
		cmocka_unit_test(a_length_may_include_its_head),
		cmocka_unit_test(a_length_has_a_limit),
		cmocka_unit_test(a_head_may_begin_with_zeros),
		cmocka_unit_test(the_largest_length_is_followed),
		cmocka_unit_test(a_message_is_as_long_as_it_says),
		cmocka_unit_test(a_bad_content_length_breaks_the_stream),
		cmocka_unit_test(a_message_has_limits),
		cmocka_unit_test(crlf_before_a_message_is_a_frame),
		cmocka_unit_test(no_framing_gives_what_is_there),
		cmocka_unit_test(a_long_stream_is_cut_into_the_same_frames),
		cmocka_unit_test(time_is_linear),
	};

	return cmocka_run_group_tests_name("link_framing", tests, seed, NULL);
}
