/* ring.c: bounded ring of bytes.
 * SPDX-License-Identifier: MIT */
#include "daemon/console/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ring_init(struct ring *r, size_t size)
{
	*r = (struct ring){ .data = malloc(size), .size = size, .head = size };
	return r->data == NULL ? -ENOMEM : 0;
}

void ring_done(struct ring *r)
{
	free(r->data);
	*r = (struct ring){ 0 };
}

uint64_t ring_put(struct ring *r, const char *bytes, size_t len)
{
	size_t at = (size_t)(r->head % r->size);
	uint64_t position;

	if (len > r->size / 8)
		return 0;
	if (len > r->size - at)
		r->head += r->size - at;
	position = r->head;
	memcpy(r->data + position % r->size, bytes, len);
	r->head += len;
	return position;
}

const char *ring_at(const struct ring *r, uint64_t position, size_t len)
{
	if (position == 0 || position + len > r->head || r->head - position > r->size / 4 * 3)
		return NULL;
	return r->data + position % r->size;
}
