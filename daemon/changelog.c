/* changelog.c: the one log, an array of places in the order of sequence numbers; dead places are compacted
 * away. SPDX-License-Identifier: MIT */
#include "daemon/changelog.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One place: 16 bytes. The subject is a node or a tombstone, told apart by the lowest bit; 0 is dead. */
struct place {
	uint64_t seq;
	uintptr_t subject;
};
#define IS_TOMBSTONE ((uintptr_t)1)

struct changelog {
	struct place *places; /* ascending seq */
	size_t count, size, dead;
	uint64_t last, forgotten;
	TAILQ_HEAD(tombstones, changelog_tombstone) tombstones; /* ascending seq */
	size_t tombstone_count, tombstone_max;
};

struct changelog *changelog_new(size_t tombstones)
{
	struct changelog *log = calloc(1, sizeof *log);

	if (log == NULL)
		return NULL;
	TAILQ_INIT(&log->tombstones);
	log->tombstone_max = tombstones;
	return log;
}

static void tombstone_free(struct changelog_tombstone *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->group_count; i++)
		free(t->groups[i]);
	free(t->groups);
	free(t->id);
	free(t);
}

void changelog_free(struct changelog *log)
{
	struct changelog_tombstone *t;

	if (log == NULL)
		return;
	while ((t = TAILQ_FIRST(&log->tombstones)) != NULL) {
		TAILQ_REMOVE(&log->tombstones, t, link);
		tombstone_free(t);
	}
	free(log->places);
	free(log);
}

/* The index of the first place with a number greater than `seq`. */
static size_t place_after(const struct changelog *log, uint64_t seq)
{
	size_t low = 0, high = log->count, step = 1;

	/* Most readers are near the end: growing steps back from there, until a place at or before `seq`. */
	for (; step <= log->count && log->places[log->count - step].seq > seq; step *= 2)
		high = log->count - step;
	if (step <= log->count)
		low = log->count - step + 1;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (log->places[middle].seq > seq)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void compact(struct changelog *log)
{
	size_t kept = 0;

	for (size_t i = 0; i < log->count; i++)
		if (log->places[i].subject != 0)
			log->places[kept++] = log->places[i];
	log->count = kept;
	log->dead = 0;
}

static int make_room(struct changelog *log)
{
	size_t size = log->size == 0 ? 64 : log->size * 2;
	struct place *places;

	if (log->count < log->size)
		return 0;
	if (log->dead > log->count / 2) {
		compact(log);
		return 0;
	}
	places = reallocarray(log->places, size, sizeof *places);
	if (places == NULL)
		return -ENOMEM;
	log->places = places;
	log->size = size;
	return 0;
}

static void kill_place(struct changelog *log, uint64_t seq)
{
	size_t i = place_after(log, seq - 1);

	assert(i < log->count && log->places[i].seq == seq);
	log->places[i].subject = 0;
	log->dead++;
}

static uint64_t put(struct changelog *log, uintptr_t subject)
{
	log->places[log->count++] = (struct place){ .seq = ++log->last, .subject = subject };
	return log->last;
}

int changelog_append(struct changelog *log, struct changelog_node *node)
{
	if (make_room(log) < 0)
		return -ENOMEM;
	changelog_forget(log, node);
	node->seq = put(log, (uintptr_t)node);
	return 0;
}

void changelog_forget(struct changelog *log, struct changelog_node *node)
{
	if (node->seq != 0)
		kill_place(log, node->seq);
	node->seq = 0;
}

static struct changelog_tombstone *tombstone_new(
    const char *id, bool removed, const char *const *groups, size_t group_count)
{
	struct changelog_tombstone *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->removed = removed;
	t->id = strdup(id);
	t->groups = calloc(group_count + 1, sizeof *t->groups);
	if (t->id == NULL || t->groups == NULL)
		goto fail;
	for (; t->group_count < group_count; t->group_count++) {
		t->groups[t->group_count] = strdup(groups[t->group_count]);
		if (t->groups[t->group_count] == NULL)
			goto fail;
	}
	return t;
fail:
	tombstone_free(t);
	return NULL;
}

static void forget_oldest_tombstone(struct changelog *log)
{
	struct changelog_tombstone *t = TAILQ_FIRST(&log->tombstones);

	TAILQ_REMOVE(&log->tombstones, t, link);
	log->tombstone_count--;
	log->forgotten = t->seq;
	kill_place(log, t->seq);
	tombstone_free(t);
}

int changelog_bury(struct changelog *log, const char *id, bool removed, const char *const *groups, size_t group_count)
{
	struct changelog_tombstone *t = tombstone_new(id, removed, groups, group_count);

	if (t == NULL || make_room(log) < 0) {
		tombstone_free(t);
		return -ENOMEM;
	}
	t->seq = put(log, (uintptr_t)t | IS_TOMBSTONE);
	TAILQ_INSERT_TAIL(&log->tombstones, t, link);
	if (++log->tombstone_count > log->tombstone_max)
		forget_oldest_tombstone(log);
	return 0;
}

uint64_t changelog_last(const struct changelog *log)
{
	return log->last;
}

uint64_t changelog_forgotten(const struct changelog *log)
{
	return log->forgotten;
}

static void show(const struct place *p, struct changelog_entry *ret)
{
	bool buried = (p->subject & IS_TOMBSTONE) != 0;

	*ret = (struct changelog_entry){ .seq = p->seq };
	if (buried)
		ret->tombstone = (struct changelog_tombstone *)(p->subject &
		    ~IS_TOMBSTONE); /* NOLINT(performance-no-int-to-ptr): tagged */
	else
		ret->node = (struct changelog_node *)p->subject; /* NOLINT(performance-no-int-to-ptr): tagged */
}

bool changelog_next(const struct changelog *log, uint64_t seq, struct changelog_entry *ret)
{
	for (size_t i = place_after(log, seq); i < log->count; i++) {
		if (log->places[i].subject != 0) {
			show(&log->places[i], ret);
			return true;
		}
	}
	return false;
}

bool changelog_at(const struct changelog *log, uint64_t seq, struct changelog_entry *ret)
{
	return seq > 0 && changelog_next(log, seq - 1, ret) && ret->seq == seq;
}

size_t changelog_distance(const struct changelog *log, uint64_t seq)
{
	return log->count - place_after(log, seq);
}

const struct changelog_tombstone *changelog_tombstone_before(
    const struct changelog *log, const struct changelog_tombstone *t)
{
	return t == NULL ? TAILQ_LAST(&log->tombstones, tombstones) :
			   TAILQ_PREV((struct changelog_tombstone *)(uintptr_t)t, tombstones, link);
}

size_t changelog_memory(const struct changelog *log)
{
	return sizeof *log + log->size * sizeof *log->places;
}
