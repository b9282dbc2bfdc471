/* buf.h: a growing byte buffer that is born with its maximum.
 * SPDX-License-Identifier: MIT
 *
 * Writing beyond the maximum, or without memory, sets `failed`; every later write is a no-op, so that a
 * writer checks once, at the end. The bytes are always followed by a NUL that is not counted.
 */
#ifndef PRESENCED_BUF_H
#define PRESENCED_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* owned; NULL until something is written */
	size_t len; /* bytes written */
	size_t size, max;
	bool failed;
};

/* An empty buffer that may grow to `max` bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t max);

/* Free the bytes; the buffer is empty and may be used again. */
void buf_done(struct buf *b);

/* Forget the bytes and `failed`, keep the memory. */
void buf_clear(struct buf *b);

void buf_put(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *text);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text so far; "" for an empty buffer. Valid until the next call. */
const char *buf_text(const struct buf *b);

#endif
