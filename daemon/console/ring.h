/* ring.h: the bytes of recent changes, one bounded ring for each kind of reader.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_RING_H
#define PRESENCED_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring {
	char *data; /* owned */
	size_t size;
	uint64_t head; /* position of the next byte; positions only grow, and begin at `size` so that 0 is
			  never one */
};

int ring_init(struct ring *r, size_t size); /* 0 or -ENOMEM */
void ring_done(struct ring *r);

/* Append; what is oldest is overwritten. Never split over the end. Returns the position; 0 if it is longer
 * than an eighth of the ring. */
uint64_t ring_put(struct ring *r, const char *bytes, size_t len);

/* The bytes at a position, if they are there and stay while another quarter of the ring is written; else
 * NULL. */
const char *ring_at(const struct ring *r, uint64_t position, size_t len);

#endif
