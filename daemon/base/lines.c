/* lines.c: framing by line ends, on an evbuffer.
 * SPDX-License-Identifier: MIT */
#include "daemon/base/lines.h"

#include <errno.h>

#define READ_BYTES 65536

int lines_init(struct lines *l, size_t max)
{
	*l = (struct lines){ .in = evbuffer_new(), .max = max };
	return l->in == NULL ? -ENOMEM : 0;
}

void lines_done(struct lines *l)
{
	if (l->in != NULL)
		evbuffer_free(l->in);
	l->in = NULL;
}

int lines_read(struct lines *l, int fd)
{
	int n = evbuffer_read(l->in, fd, READ_BYTES);

	return n >= 0 ? n : errno == EINTR ? -EAGAIN : -errno;
}

static void drain(struct lines *l, size_t n)
{
	evbuffer_drain(l->in, n);
	l->scanned = 0;
}

/* Offset of the next LF, or -1; what was searched is not searched again. */
static ev_ssize_t find_end(struct lines *l)
{
	struct evbuffer_ptr from, at;
	size_t len = evbuffer_get_length(l->in);

	if (l->scanned >= len || evbuffer_ptr_set(l->in, &from, l->scanned, EVBUFFER_PTR_SET) < 0)
		return -1;
	at = evbuffer_search(l->in, "\n", 1, &from);
	if (at.pos < 0)
		l->scanned = len;
	return at.pos;
}

bool lines_pending(struct lines *l)
{
	drain(l, l->held);
	l->held = 0;
	return find_end(l) >= 0;
}

static enum lines_result too_long(struct lines *l, size_t n)
{
	bool told = l->skipping;

	drain(l, n);
	l->skipping = true;
	return told ? LINES_NONE : LINES_TOO_LONG;
}

enum lines_result lines_next(struct lines *l, const char **ret_text, size_t *ret_len)
{
	ev_ssize_t end;

	drain(l, l->held);
	l->held = 0;
	end = find_end(l);
	if (l->skipping && end >= 0) { /* the end of the long line: what follows counts again */
		drain(l, (size_t)end + 1);
		l->skipping = false;
		end = find_end(l);
	}
	if (end < 0)
		return evbuffer_get_length(l->in) < l->max && !l->skipping ? LINES_NONE :
									     too_long(l, evbuffer_get_length(l->in));
	if ((size_t)end >= l->max) {
		enum lines_result r = too_long(l, (size_t)end + 1);

		l->skipping = false;
		return r;
	}
	l->held = (size_t)end + 1;
	*ret_text = (const char *)evbuffer_pullup(l->in, end + 1);
	*ret_len = (size_t)end;
	if (*ret_len > 0 && (*ret_text)[*ret_len - 1] == '\r')
		--*ret_len;
	return LINES_LINE;
}
