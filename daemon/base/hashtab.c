/* hashtab.c: chained hash table with a keyed hash.
 * SPDX-License-Identifier: MIT */
#include "daemon/base/hashtab.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define MOVED_BUCKETS 2 /* with each insertion into a table that grows */

/* SipHash (Aumasson, Bernstein 2012) with 1 compression and 3 finalization rounds: what Python and the Linux
 * kernel use for tables that strangers fill. */
static uint64_t secret[2];

static uint64_t rotate(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static uint32_t hash_text(const char *text)
{
	size_t len = strlen(text), done = 0;
	uint64_t v[4] = { secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d,
		secret[0] ^ 0x6c7967656e657261, secret[1] ^ 0x7465646279746573 };
	uint64_t word;

	for (; len - done >= 8; done += 8) {
		memcpy(&word, text + done, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = 0;
	memcpy(&word, text + done, len - done);
	word |= (uint64_t)len << 56;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	word = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (uint32_t)(word ^ word >> 32);
}

void hashtab_init(struct hashtab *t, const char *(*key)(const struct hash_link *link))
{
	if (secret[0] == 0 && getrandom(secret, sizeof secret, 0) != sizeof secret)
		secret[0] = 1; /* no entropy yet, early in the boot: the table works, it is only not keyed */
	*t = (struct hashtab){ .key = key };
}

void hashtab_done(struct hashtab *t)
{
	free(t->buckets);
	free(t->old);
	hashtab_init(t, t->key);
}

static bool is_old(const struct hashtab *t, uint32_t hash)
{
	return t->old != NULL && (hash & (t->old_count - 1)) >= t->moved;
}

/* The chain that an element with this hash is in, or belongs to. */
static struct hash_link **chain_of(const struct hashtab *t, uint32_t hash)
{
	if (is_old(t, hash))
		return &t->old[hash & (t->old_count - 1)];
	return &t->buckets[hash & (t->bucket_count - 1)];
}

struct hash_link *hashtab_find(const struct hashtab *t, const char *key)
{
	uint32_t hash;

	if (t->count == 0)
		return NULL;
	hash = hash_text(key);
	for (struct hash_link *l = *chain_of(t, hash); l != NULL; l = l->next)
		if (l->hash == hash && strcmp(t->key(l), key) == 0)
			return l;
	return NULL;
}

/* --- growing ------------------------------------------------------------------------------------- */

/* Some of the old buckets. They are all moved when the table is to grow again: it had as many elements as buckets. */
static void move_some(struct hashtab *t, size_t buckets)
{
	struct hash_link *l, *next, **to;

	for (; t->old != NULL && buckets > 0; buckets--) {
		for (l = t->old[t->moved]; l != NULL; l = next) {
			next = l->next;
			to = &t->buckets[l->hash & (t->bucket_count - 1)];
			l->next = *to;
			*to = l;
		}
		if (++t->moved < t->old_count)
			continue;
		free(t->old);
		t->old = NULL;
		t->old_count = t->moved = 0;
	}
}

static bool grow(struct hashtab *t, size_t count)
{
	struct hash_link **buckets = calloc(count, sizeof *buckets);

	if (buckets == NULL)
		return false;
	move_some(t, SIZE_MAX);
	t->old = t->buckets;
	t->old_count = t->bucket_count;
	t->buckets = buckets;
	t->bucket_count = count;
	return true;
}

void hashtab_reserve(struct hashtab *t, size_t count)
{
	size_t buckets = 8;

	while (buckets < count && buckets < SIZE_MAX / 2)
		buckets *= 2;
	if (count > 0 && buckets > t->bucket_count && grow(t, buckets))
		move_some(t, SIZE_MAX);
}

int hashtab_insert(struct hashtab *t, struct hash_link *link)
{
	struct hash_link **chain;

	if (t->count >= t->bucket_count && !grow(t, t->bucket_count == 0 ? 8 : t->bucket_count * 2) &&
	    t->bucket_count == 0)
		return -ENOMEM;
	move_some(t, MOVED_BUCKETS);
	link->hash = hash_text(t->key(link));
	chain = chain_of(t, link->hash);
	link->next = *chain;
	*chain = link;
	t->count++;
	return 0;
}

void hashtab_remove(struct hashtab *t, struct hash_link *link)
{
	struct hash_link **l = chain_of(t, link->hash);

	while (*l != link)
		l = &(*l)->next;
	*l = link->next;
	t->count--;
}

/* --- walking ------------------------------------------------------------------------------------- */

/* The first element in this place or behind it: the old buckets, from `moved` on, come before the others. */
static struct hash_link *first_from(const struct hashtab *t, size_t *place)
{
	for (; *place < t->old_count + t->bucket_count; ++*place) {
		struct hash_link *l = *place < t->old_count ? t->old[*place] : t->buckets[*place - t->old_count];

		if (l != NULL)
			return l;
	}
	return NULL;
}

struct hash_link *hashtab_next(const struct hashtab *t, const struct hash_link *link)
{
	size_t place = t->moved;

	if (link != NULL && link->next != NULL)
		return link->next;
	if (link != NULL && is_old(t, link->hash))
		place = (link->hash & (t->old_count - 1)) + 1;
	else if (link != NULL)
		place = t->old_count + (link->hash & (t->bucket_count - 1)) + 1;
	return first_from(t, &place);
}

struct hash_link *hashtab_first(const struct hashtab *t, size_t *bucket)
{
	if (*bucket < t->moved)
		*bucket = t->moved;
	return first_from(t, bucket);
}
