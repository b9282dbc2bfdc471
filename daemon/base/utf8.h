/* utf8.h: whether bytes are UTF-8, where they may be cut, and how they are made so.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_UTF8_H
#define PRESENCED_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether text of `len` bytes is UTF-8 (RFC 3629) without NUL. */
bool utf8_is_valid(const char *text, size_t len);

/* Whether UTF-8 text of `len` bytes holds a control character: C0, DEL, or C1 (U+0080 to U+009F). */
bool utf8_has_control(const char *text, size_t len);

/* Make text UTF-8 in place: a byte that is none becomes '?'. For messages that quote what came from outside. */
void utf8_repair(char *text);

/* The number of bytes, at most `max`, after which UTF-8 text of `len` bytes may be cut. */
size_t utf8_cut(const char *text, size_t len, size_t max);

#endif
