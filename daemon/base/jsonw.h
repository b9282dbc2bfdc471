/* jsonw.h: writes JSON into a buf, without building a tree.
 * SPDX-License-Identifier: MIT
 *
 * jansson reads; this writes, since one change is serialised ten thousand times a second. Commas are put
 * where they belong by looking at the byte before. Text must be UTF-8: what comes from outside is checked
 * where it enters.
 */
#ifndef PRESENCED_JSONW_H
#define PRESENCED_JSONW_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/buf.h"

/* A key of an object; the value must follow. `key` needs no escaping. NULL: nothing (an element of a list). */
void jsonw_key(struct buf *b, const char *key);

/* Each takes the key first; NULL inside a list or at the top. */
void jsonw_object(struct buf *b, const char *key);
void jsonw_object_end(struct buf *b);
void jsonw_list(struct buf *b, const char *key);
void jsonw_list_end(struct buf *b);
void jsonw_null(struct buf *b, const char *key);
void jsonw_bool(struct buf *b, const char *key, bool value);
void jsonw_int(struct buf *b, const char *key, int64_t value);
void jsonw_text(struct buf *b, const char *key, const char *text); /* NULL text: null */
void jsonw_text_len(struct buf *b, const char *key, const char *text, size_t len);
void jsonw_time(struct buf *b, const char *key, int64_t wall_ms); /* RFC 3339 */

#endif
