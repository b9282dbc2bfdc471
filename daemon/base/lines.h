/* lines.h: lines out of a stream of bytes, with a limit, in linear time however the bytes are cut.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_LINES_H
#define PRESENCED_LINES_H

#include <event2/buffer.h>
#include <stdbool.h>
#include <stddef.h>

struct lines {
	struct evbuffer *in; /* owned */
	size_t max;	     /* bytes of a line with its end */
	size_t scanned;	     /* no line end before this offset */
	size_t held;	     /* bytes of the line that was handed out last: dropped by the next call */
	bool skipping;	     /* inside a line that was too long */
};

int lines_init(struct lines *l, size_t max); /* 0 or -ENOMEM */
void lines_done(struct lines *l);	     /* twice is fine */

/* Read what is there from a non-blocking descriptor, at most 64 KiB. > 0 bytes, 0 at the end, -EAGAIN,
 * -errno. */
int lines_read(struct lines *l, int fd);

enum lines_result { LINES_NONE, LINES_LINE, LINES_TOO_LONG };

/* Whether lines_next() would give one more. */
bool lines_pending(struct lines *l);

/* The next whole line, without its LF or CRLF: *ret_text, valid until the next call. LINES_TOO_LONG is told
 * once for a line over the limit, which is skipped. */
enum lines_result lines_next(struct lines *l, const char **ret_text, size_t *ret_len);

#endif
