/* inbox.c: requests by id and by (source, address).
 * SPDX-License-Identifier: MIT */
#include "daemon/inbox.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/tally.h"

#define TOMBSTONES 1000

static int compare_ids(const struct inbox_request *a, const struct inbox_request *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

static int compare_addresses(const struct inbox_request *a, const struct inbox_request *b)
{
	int r = strcmp(a->source, b->source);

	return r != 0 ? r : strcmp(a->address, b->address);
}

RB_HEAD(inbox_by_id, inbox_request);
RB_HEAD(inbox_by_address, inbox_request);
RB_GENERATE_INTERNAL(inbox_by_id, inbox_request, by_id, compare_ids, static __attribute__((unused)))
RB_GENERATE_INTERNAL(inbox_by_address, inbox_request, by_address, compare_addresses, static __attribute__((unused)))

struct inbox {
	struct inbox_by_id by_id;
	struct inbox_by_address by_address;
	struct changelog *changes;
	struct tally sources; /* how many wait at each */
	size_t count;
	int64_t last_id;
};

struct inbox *inbox_new(void)
{
	struct inbox *i = calloc(1, sizeof *i);

	if (i == NULL)
		return NULL;
	RB_INIT(&i->by_id);
	RB_INIT(&i->by_address);
	tally_init(&i->sources);
	i->changes = changelog_new(TOMBSTONES);
	if (i->changes == NULL) {
		free(i);
		return NULL;
	}
	return i;
}

static void request_free(struct inbox_request *r)
{
	free(r->source);
	free(r->address);
	free(r->name);
	free(r->text);
	free(r);
}

void inbox_free(struct inbox *i)
{
	struct inbox_request *r;

	if (i == NULL)
		return;
	while ((r = RB_MIN(inbox_by_id, &i->by_id)) != NULL) {
		RB_REMOVE(inbox_by_id, &i->by_id, r);
		request_free(r);
	}
	tally_done(&i->sources);
	changelog_free(i->changes);
	free(i);
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static struct inbox_request *request_new(const char *source, const char *address, const char *name, const char *text)
{
	struct inbox_request *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->source = strdup(source);
	r->address = strdup(address);
	r->name = name == NULL ? NULL : strdup(name);
	r->text = text == NULL ? NULL : strdup(text);
	if (r->source != NULL && r->address != NULL && (r->name != NULL) == (name != NULL) &&
	    (r->text != NULL) == (text != NULL))
		return r;
	request_free(r);
	return NULL;
}

/* An id from the disk that was given to another meanwhile is not given again. */
static void give_id(struct inbox *i, struct inbox_request *r, int64_t id)
{
	r->id = id != 0 && inbox_find(i, id) == NULL ? id : i->last_id + 1;
	if (r->id > i->last_id)
		i->last_id = r->id;
}

int inbox_put(struct inbox *i, int64_t id, const char *source, const char *address, const char *name, const char *text,
    int64_t at, struct inbox_request **ret)
{
	struct inbox_request *old = inbox_find_address(i, source, address), *r;

	if (old != NULL && same_text(old->name, name) && same_text(old->text, text))
		return 0;
	if (old == NULL && tally_of(&i->sources, source) >= INBOX_MAX_REQUESTS)
		return -ENOSPC;
	r = request_new(source, address, name, text);
	if (r == NULL || (old == NULL && tally_add(&i->sources, source, 1) < 0)) {
		if (r != NULL)
			request_free(r);
		return -ENOMEM;
	}
	r->at = old != NULL ? old->at : at;
	id = old != NULL ? old->id : id;
	if (old != NULL) { /* the same request in other words keeps its id */
		RB_REMOVE(inbox_by_id, &i->by_id, old);
		RB_REMOVE(inbox_by_address, &i->by_address, old);
		changelog_forget(i->changes, &old->change);
		request_free(old);
		i->count--;
	}
	give_id(i, r, id);
	RB_INSERT(inbox_by_id, &i->by_id, r);
	RB_INSERT(inbox_by_address, &i->by_address, r);
	i->count++;
	(void)changelog_append(i->changes, &r->change); /* without memory nobody is told, the request is there */
	*ret = r;
	return 1;
}

struct inbox_request *inbox_find(const struct inbox *i, int64_t id)
{
	struct inbox_request key = { .id = id };

	return RB_FIND(inbox_by_id, (struct inbox_by_id *)(uintptr_t)&i->by_id, &key);
}

struct inbox_request *inbox_find_address(const struct inbox *i, const char *source, const char *address)
{
	struct inbox_request key = { .source = (char *)(uintptr_t)source, .address = (char *)(uintptr_t)address };

	return RB_FIND(inbox_by_address, (struct inbox_by_address *)(uintptr_t)&i->by_address, &key);
}

struct inbox_request *inbox_after(const struct inbox *i, int64_t id)
{
	struct inbox_request key = { .id = id + 1 };

	return RB_NFIND(inbox_by_id, (struct inbox_by_id *)(uintptr_t)&i->by_id, &key);
}

void inbox_remove(struct inbox *i, struct inbox_request *r)
{
	char id[24];

	snprintf(id, sizeof id, "%" PRId64, r->id);
	RB_REMOVE(inbox_by_id, &i->by_id, r);
	RB_REMOVE(inbox_by_address, &i->by_address, r);
	changelog_forget(i->changes, &r->change);
	(void)changelog_bury(i->changes, id, true, NULL, 0);
	(void)tally_add(&i->sources, r->source, -1);
	i->count--;
	request_free(r);
}

int64_t inbox_last_id(const struct inbox *i)
{
	return i->last_id;
}

void inbox_set_last_id(struct inbox *i, int64_t id)
{
	if (id > i->last_id)
		i->last_id = id;
}

size_t inbox_count(const struct inbox *i)
{
	return i->count;
}

struct changelog *inbox_changes(const struct inbox *i)
{
	return i->changes;
}
