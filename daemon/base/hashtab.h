/* hashtab.h: intrusive hash table keyed by strings; the link costs 16 bytes, the table allocates only
 * buckets. SPDX-License-Identifier: MIT
 *
 * A table that grows moves a few elements with each insertion: a hundred thousand at once would take 10 ms and more.
 * The hash is keyed with a random number of the process (SipHash-1-3), since keys come from outside.
 */
#ifndef PRESENCED_HASHTAB_H
#define PRESENCED_HASHTAB_H

#include <stddef.h>
#include <stdint.h>

struct hash_link {
	struct hash_link *next;
	uint32_t hash;
	uint32_t spare; /* for the owner's use: the compiler would pad here */
};

struct hashtab {
	struct hash_link **buckets; /* owned; NULL while empty */
	size_t bucket_count;	    /* a power of two, or 0 */
	struct hash_link **old;	    /* owned; what it grows out of, NULL: it does not grow now */
	size_t old_count, moved;    /* its buckets; of them, those whose elements have moved */
	size_t count;
	const char *(*key)(const struct hash_link *link);
};

#define hash_entry(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* An empty table. `key` gives the string an element is found by; it must not change while it is in. */
void hashtab_init(struct hashtab *t, const char *(*key)(const struct hash_link *link));

/* Free the buckets; the elements belong to whoever put them in. */
void hashtab_done(struct hashtab *t);

/* Make room for `count` elements, and move those that are in at once. Without memory it grows later. */
void hashtab_reserve(struct hashtab *t, size_t count);

/* The element with `key`, or NULL. */
struct hash_link *hashtab_find(const struct hashtab *t, const char *key);

/* Insert; the caller has seen that the key is not there. 0 or -ENOMEM (then nothing has changed). */
int hashtab_insert(struct hashtab *t, struct hash_link *link);

/* Remove an element that is in the table. */
void hashtab_remove(struct hashtab *t, struct hash_link *link);

/* Walk: the first or next element in no order, NULL at the end. Not while the table changes, but the element
 * just handed out may be removed if its successor was asked for before. */
struct hash_link *hashtab_next(const struct hashtab *t, const struct hash_link *link);

/* For emptying a table: the first element; *bucket, 0 at first, remembers which buckets are empty. NULL: none is left. */
struct hash_link *hashtab_first(const struct hashtab *t, size_t *bucket);

#define HASH_EACH(link, t) for (link = hashtab_next(t, NULL); link != NULL; link = hashtab_next(t, link))

#endif
