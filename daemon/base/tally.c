/* tally.c: a short list of names with numbers.
 * SPDX-License-Identifier: MIT */
#include "daemon/base/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tally_name {
	SLIST_ENTRY(tally_name) link;
	size_t count;
	char name[];
};

static struct tally_name *find(const struct tally *t, const char *name)
{
	struct tally_name *n;

	SLIST_FOREACH (n, t, link)
		if (strcmp(n->name, name) == 0)
			return n;
	return NULL;
}

void tally_done(struct tally *t)
{
	struct tally_name *n;

	while ((n = SLIST_FIRST(t)) != NULL) {
		SLIST_REMOVE_HEAD(t, link);
		free(n);
	}
}

int tally_add(struct tally *t, const char *name, long by)
{
	struct tally_name *n = find(t, name);
	size_t len = strlen(name);

	if (n == NULL) {
		n = malloc(sizeof *n + len + 1);
		if (n == NULL)
			return -ENOMEM;
		n->count = 0;
		memcpy(n->name, name, len + 1);
		SLIST_INSERT_HEAD(t, n, link);
	}
	n->count += (size_t)by;
	if (n->count > 0)
		return 0;
	SLIST_REMOVE(t, n, tally_name, link);
	free(n);
	return 0;
}

size_t tally_of(const struct tally *t, const char *name)
{
	const struct tally_name *n = find(t, name);

	return n == NULL ? 0 : n->count;
}
