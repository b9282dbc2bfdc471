/* recall.h: the durable memory of connectors: small texts by source and key.
 * SPDX-License-Identifier: MIT
 *
 * Pure. The daemon itself uses it with the source "".
 */
#ifndef PRESENCED_RECALL_H
#define PRESENCED_RECALL_H

#include <stdbool.h>

#define RECALL_MAX_KEY_BYTES   256
#define RECALL_MAX_VALUE_BYTES 65536
#define RECALL_MAX_KEYS	       10000		 /* of one source */
#define RECALL_MAX_BYTES       (4 * 1024 * 1024) /* of one source, all values */

struct recall;

struct recall *recall_new(void); /* NULL without memory */
void recall_free(struct recall *r);

/* Keep `value` (copied), or forget it (NULL). 1: it is another now; 0: it was so; -ENOMEM; -ENOSPC: too much. */
int recall_set(struct recall *r, const char *source, const char *key, const char *value);
const char *recall_get(
    const struct recall *r, const char *source, const char *key); /* NULL: none; until the next set */

/* In order of source and key; ("", ""): the first. False at the end. */
struct recall_item {
	const char *source, *key, *value;
};
bool recall_after(const struct recall *r, const char *source, const char *key, struct recall_item *ret);

#endif
