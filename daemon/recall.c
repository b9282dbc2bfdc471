/* recall.c: texts by source and key, in order.
 * SPDX-License-Identifier: MIT */
#include "daemon/recall.h"

#include <bsd/sys/tree.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/tally.h"

struct item {
	RB_ENTRY(item) link;
	const char *source, *key; /* in `texts` */
	char *value;		  /* owned */
	char texts[];
};

static int compare(const struct item *a, const struct item *b)
{
	int r = strcmp(a->source, b->source);

	return r != 0 ? r : strcmp(a->key, b->key);
}

RB_HEAD(items, item);
RB_GENERATE_INTERNAL(items, item, link, compare, static __attribute__((unused)))

struct recall {
	struct items items;
	struct tally counts, bytes; /* of each source */
};

struct recall *recall_new(void)
{
	struct recall *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	RB_INIT(&r->items);
	tally_init(&r->counts);
	tally_init(&r->bytes);
	return r;
}

static void drop(struct recall *r, struct item *i)
{
	(void)tally_add(&r->counts, i->source, -1);
	(void)tally_add(&r->bytes, i->source, -(long)strlen(i->value) - 1);
	RB_REMOVE(items, &r->items, i);
	free(i->value);
	free(i);
}

void recall_free(struct recall *r)
{
	struct item *i;

	if (r == NULL)
		return;
	while ((i = RB_MIN(items, &r->items)) != NULL)
		drop(r, i);
	tally_done(&r->counts);
	tally_done(&r->bytes);
	free(r);
}

static struct item *find(const struct recall *r, const char *source, const char *key)
{
	struct item wanted = { .source = source, .key = key };

	return RB_FIND(items, (struct items *)(uintptr_t)&r->items, &wanted);
}

static int add(struct recall *r, const char *source, const char *key, const char *value)
{
	size_t source_size = strlen(source) + 1, key_size = strlen(key) + 1;
	struct item *i;

	if (tally_of(&r->counts, source) >= RECALL_MAX_KEYS)
		return -ENOSPC;
	i = calloc(1, sizeof *i + source_size + key_size);
	if (i == NULL)
		return -ENOMEM;
	i->source = memcpy(i->texts, source, source_size);
	i->key = memcpy(i->texts + source_size, key, key_size);
	i->value = strdup(value);
	if (i->value == NULL || tally_add(&r->counts, source, 1) < 0 ||
	    tally_add(&r->bytes, source, (long)strlen(value) + 1) < 0) {
		free(i->value);
		free(i);
		return -ENOMEM;
	}
	RB_INSERT(items, &r->items, i);
	return 1;
}

int recall_set(struct recall *r, const char *source, const char *key, const char *value)
{
	struct item *i = find(r, source, key);
	char *copy;

	if (*key == '\0' || strlen(key) > RECALL_MAX_KEY_BYTES ||
	    (value != NULL &&
		(strlen(value) > RECALL_MAX_VALUE_BYTES ||
		    tally_of(&r->bytes, source) + strlen(value) > RECALL_MAX_BYTES)))
		return -ENOSPC;
	if (i == NULL)
		return value == NULL ? 0 : add(r, source, key, value);
	if (value == NULL) {
		drop(r, i);
		return 1;
	}
	if (strcmp(i->value, value) == 0)
		return 0;
	copy = strdup(value);
	if (copy == NULL)
		return -ENOMEM;
	(void)tally_add(&r->bytes, source, (long)strlen(copy) - (long)strlen(i->value));
	free(i->value);
	i->value = copy;
	return 1;
}

const char *recall_get(const struct recall *r, const char *source, const char *key)
{
	const struct item *i = find(r, source, key);

	return i == NULL ? NULL : i->value;
}

bool recall_after(const struct recall *r, const char *source, const char *key, struct recall_item *ret)
{
	struct item wanted = { .source = source, .key = key };
	struct item *i = RB_NFIND(items, (struct items *)(uintptr_t)&r->items, &wanted);

	if (i != NULL && compare(i, &wanted) == 0)
		i = RB_NEXT(items, &r->items, i);
	if (i == NULL)
		return false;
	*ret = (struct recall_item){ i->source, i->key, i->value };
	return true;
}
