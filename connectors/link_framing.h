/* link_framing.h: where a message ends in a stream of bytes. No I/O.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_LINK_FRAMING_H
#define PRESENCED_LINK_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;

enum framing_kind {
	FRAMING_NONE,		/* whatever has arrived: the protocol has a parser for streams */
	FRAMING_LINE,		/* ends with LF */
	FRAMING_LENGTH,		/* a binary length, big-endian, stands in a head of fixed size */
	FRAMING_END,		/* ends with a text: an end tag */
	FRAMING_CONTENT_LENGTH, /* a head of lines, an empty line, as many bytes as Content-Length says (RFC 3261 18.3) */
};

struct framing {
	enum framing_kind kind;
	size_t max;	   /* bytes of a frame; for CONTENT_LENGTH of its body */
	size_t head_max;   /* CONTENT_LENGTH: bytes of the head */
	const char *end;   /* END */
	const char *skip;  /* LINE, END: bytes that are dropped before a frame ("\r\n "); NULL none */
	uint8_t head;	   /* LENGTH: bytes of the head, 1 to 16 */
	uint8_t offset;	   /* LENGTH: where in the head the length stands */
	uint8_t bytes;	   /* LENGTH: 1, 2 or 4 */
	bool head_counts;  /* LENGTH: the length includes the head */
	uint8_t zeros;	   /* LENGTH: the head begins with so many bytes of zero; others are another protocol */
	const char *other; /* LENGTH: what to say then */
};

/* Where the search stands; zero at the start of a stream. */
struct framing_state {
	size_t scanned; /* no end before this offset */
	size_t total;	/* of the frame whose head has been read; 0 not known */
};

enum framing_result { FRAMING_MORE, FRAMING_FRAME, FRAMING_BROKEN };

/* FRAME: the first *ret_len bytes of `in` are a frame; the caller drains them before it asks again. MORE: the
 * frame is not whole. BROKEN: what is there can never become one, a sentence is in why; the stream is lost.
 * With CONTENT_LENGTH, CRLF before a message is a frame of its own (two are a ping of RFC 5626 3.5.1). With NONE,
 * `max` does not count. Linear time, however the bytes arrive. */
enum framing_result framing_next(const struct framing *framing, struct framing_state *state, struct evbuffer *in,
    size_t *ret_len, char *why, size_t why_size);

#endif
