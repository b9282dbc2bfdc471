/* tally.h: how many of something each of a few names has.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TALLY_H
#define PRESENCED_TALLY_H

#include <bsd/sys/queue.h>
#include <stddef.h>

struct tally_name;
SLIST_HEAD(tally, tally_name);

#define tally_init(t) SLIST_INIT(t)
void tally_done(struct tally *t);

/* `by` more, or less; a name with nothing is forgotten. 0 or -ENOMEM (of a new name). */
int tally_add(struct tally *t, const char *name, long by);
size_t tally_of(const struct tally *t, const char *name);

#endif
