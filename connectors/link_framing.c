/* link_framing.c: each kind of framing is a function that looks for the end of a frame.
 * SPDX-License-Identifier: MIT */
#include "connectors/link_framing.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static enum framing_result broken(char *why, size_t size, const char *what, size_t max)
{
	snprintf(why, size, "%s (at most %zu bytes are accepted)", what, max);
	return FRAMING_BROKEN;
}

/* The offset behind the first `text` at or after `*scanned`, or 0; remembers how far it looked. */
static size_t find(struct evbuffer *in, const char *text, size_t *scanned)
{
	size_t len = strlen(text), have = evbuffer_get_length(in);
	struct evbuffer_ptr from, at;

	if (have < len || evbuffer_ptr_set(in, &from, *scanned, EVBUFFER_PTR_SET) < 0)
		return 0;
	at = evbuffer_search(in, text, len, &from);
	if (at.pos >= 0)
		return (size_t)at.pos + len;
	*scanned = have - len + 1;
	return 0;
}

static enum framing_result next_text(const struct framing *f, struct framing_state *state, const char *end,
    struct evbuffer *in, size_t *ret_len, char *why, size_t size)
{
	size_t len = find(in, end, &state->scanned);

	if (len > f->max || (len == 0 && evbuffer_get_length(in) >= f->max))
		return broken(why, size, "the peer sends a message that is too long", f->max);
	*ret_len = len;
	return len == 0 ? FRAMING_MORE : FRAMING_FRAME;
}

static enum framing_result whole(const struct framing_state *state, struct evbuffer *in, size_t *ret_len)
{
	*ret_len = state->total;
	return evbuffer_get_length(in) >= state->total ? FRAMING_FRAME : FRAMING_MORE;
}

static enum framing_result next_length(
    const struct framing *f, struct framing_state *state, struct evbuffer *in, size_t *ret_len, char *why, size_t size)
{
	uint8_t head[16];
	size_t len = 0;
	ssize_t have;

	if (state->total != 0)
		return whole(state, in, ret_len);
	have = evbuffer_copyout(in, head, f->head);
	for (ssize_t i = 0; i < f->zeros && i < have; i++)
		if (head[i] != 0) {
			snprintf(why, size, "%s", f->other);
			return FRAMING_BROKEN;
		}
	if (have < f->head)
		return FRAMING_MORE;
	for (size_t i = 0; i < f->bytes; i++)
		len = len << 8 | head[f->offset + i];
	if (f->head_counts && len < f->head)
		return broken(why, size, "the peer sends a length that is shorter than its own head", f->max);
	if (!f->head_counts)
		len += f->head;
	if (len > f->max)
		return broken(why, size, "the peer sends a message that is too long", f->max);
	state->total = len;
	return whole(state, in, ret_len);
}

/* --- RFC 3261 18.3 --------------------------------------------------------------------------------- */

/* The value of a Content-Length line ("Content-Length" or "l", RFC 3261 7.3.3), or NULL for another line. */
static const char *content_length_value(const char *line, const char *end)
{
	static const char *const names[] = { "content-length", "l" };

	for (size_t i = 0; i < 2; i++) {
		const char *p = line + strlen(names[i]);

		if (p >= end || strncasecmp(line, names[i], strlen(names[i])) != 0)
			continue;
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
		if (p < end && *p == ':')
			return p + 1;
	}
	return NULL;
}

/* Blanks, digits, blanks; nothing else. -1 if not, or if it is above max. */
static long read_length(const char *p, const char *end, size_t max)
{
	size_t n = 0;
	bool digits = false;

	for (; p < end && (*p == ' ' || *p == '\t'); p++)
		;
	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (size_t)(*p - '0');
		digits = true;
		if (n > max)
			return -1;
	}
	for (; p < end && (*p == ' ' || *p == '\t'); p++)
		;
	return digits && p == end ? (long)n : -1;
}

/* All Content-Length lines must agree, and none may be folded. -1 none, -2 bad. */
static long body_length(const char *head, size_t len, size_t max)
{
	const char *end = head + len, *eol;
	long found = -1;

	for (const char *line = head; line < end; line = eol + 2) {
		const char *value;
		long n;

		eol = memmem(line, (size_t)(end - line), "\r\n", 2);
		if (eol == NULL)
			break;
		value = content_length_value(line, eol);
		if (value == NULL)
			continue;
		n = read_length(value, eol, max);
		if (n < 0 || (found >= 0 && n != found) || (eol + 2 < end && (eol[2] == ' ' || eol[2] == '\t')))
			return -2;
		found = n;
	}
	return found;
}

/* CRLF before a message; 0: a message begins. */
static size_t leading_crlf(struct evbuffer *in)
{
	char start[2];

	return evbuffer_copyout(in, start, 2) == 2 && memcmp(start, "\r\n", 2) == 0 ? 2 : 0;
}

static enum framing_result next_content_length(
    const struct framing *f, struct framing_state *state, struct evbuffer *in, size_t *ret_len, char *why, size_t size)
{
	size_t head;
	long body;

	if (state->total != 0)
		return whole(state, in, ret_len);
	*ret_len = state->scanned == 0 ? leading_crlf(in) : 0;
	if (*ret_len != 0)
		return FRAMING_FRAME;
	head = find(in, "\r\n\r\n", &state->scanned);
	if (head > f->head_max || (head == 0 && evbuffer_get_length(in) >= f->head_max))
		return broken(why, size, "the peer sends a message whose head is too long", f->head_max);
	if (head == 0)
		return FRAMING_MORE;
	body = body_length((const char *)evbuffer_pullup(in, (ev_ssize_t)head), head, f->max);
	if (body < 0)
		return broken(why, size,
		    body == -1 ? "the peer sends a message without Content-Length" :
				 "the peer sends a message with a bad, contradicting or too large Content-Length",
		    f->max);
	state->total = head + (size_t)body;
	return whole(state, in, ret_len);
}

static void drop_leading(const char *skip, struct evbuffer *in)
{
	char c;

	while (evbuffer_copyout(in, &c, 1) == 1 && c != '\0' && strchr(skip, c) != NULL)
		evbuffer_drain(in, 1);
}

enum framing_result framing_next(const struct framing *f, struct framing_state *state, struct evbuffer *in,
    size_t *ret_len, char *why, size_t why_size)
{
	enum framing_result r = FRAMING_MORE;

	*ret_len = 0;
	if (f->skip != NULL && state->scanned == 0)
		drop_leading(f->skip, in);
	if (evbuffer_get_length(in) == 0)
		return FRAMING_MORE;
	switch (f->kind) {
	case FRAMING_NONE:
		*ret_len = evbuffer_get_contiguous_space(in);
		r = FRAMING_FRAME;
		break;
	case FRAMING_LINE:
		r = next_text(f, state, "\n", in, ret_len, why, why_size);
		break;
	case FRAMING_END:
		r = next_text(f, state, f->end, in, ret_len, why, why_size);
		break;
	case FRAMING_LENGTH:
		r = next_length(f, state, in, ret_len, why, why_size);
		break;
	case FRAMING_CONTENT_LENGTH:
		r = next_content_length(f, state, in, ret_len, why, why_size);
		break;
	}
	if (r == FRAMING_FRAME)
		*state = (struct framing_state){ 0 };
	return r;
}
