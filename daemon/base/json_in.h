/* json_in.h: hostile bytes -> a jansson object, or a sentence.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_JSON_IN_H
#define PRESENCED_JSON_IN_H

#include <jansson.h>
#include <stddef.h>

#define JSON_IN_MAX_DEPTH 32 /* jansson recurses; nothing of ours nests deeper than 8 */

/* Parse one JSON object of `len` bytes (RFC 8259; duplicate keys, NUL in strings, anything after the object
 * and more than JSON_IN_MAX_DEPTH levels are refused). 0 and *ret, owned by the caller (json_decref);
 * -EBADMSG and a sentence in err; -ENOMEM. */
int json_in_object(const char *text, size_t len, json_t **ret, char *err, size_t err_size);

#endif
