/* interest.c: topics and their readers.
 * SPDX-License-Identifier: MIT */
#include "daemon/interest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The key says the kind: "u" + id or "g" + name. It exists while it has readers. */
struct topic {
	struct hash_link link;
	LIST_HEAD(, interest_link) readers;
	size_t demands; /* readers that demand */
	char key[];
};

struct interest_link {
	struct hash_link by_key; /* in reader.topics */
	LIST_ENTRY(interest_link) of_reader, of_topic;
	struct reader *reader;
	struct topic *topic;
};

struct interest {
	struct directory *directory;
	struct hashtab topics;
	LIST_HEAD(, reader) all;
	size_t all_demands;
	struct reader_queue queue;
	size_t queued;
	void (*demand_changed)(void *arg, struct user *user);
	void *arg;
};

static const char *topic_key(const struct hash_link *link)
{
	return hash_entry(link, const struct topic, link)->key;
}

static const char *link_key(const struct hash_link *link)
{
	return hash_entry(link, const struct interest_link, by_key)->topic->key;
}

struct interest *interest_new(
    struct directory *directory, void (*demand_changed)(void *arg, struct user *user), void *arg)
{
	struct interest *i = calloc(1, sizeof *i);

	if (i == NULL)
		return NULL;
	hashtab_init(&i->topics, topic_key);
	LIST_INIT(&i->all);
	TAILQ_INIT(&i->queue);
	i->directory = directory;
	i->demand_changed = demand_changed;
	i->arg = arg;
	return i;
}

void interest_free(struct interest *i)
{
	if (i == NULL)
		return;
	hashtab_done(&i->topics);
	free(i);
}

#define KEY_SIZE (USER_MAX_FIELD_BYTES + 2)

/* False if the name is longer than any can be: nobody has it. */
static bool make_key(char *key, char kind, const char *name)
{
	size_t len = strlen(name);

	if (len > KEY_SIZE - 2)
		return false;
	key[0] = kind;
	memcpy(key + 1, name, len + 1);
	return true;
}

static struct topic *find_topic(const struct interest *i, char kind, const char *name)
{
	char key[KEY_SIZE];
	struct hash_link *link;

	if (i->topics.count == 0 || !make_key(key, kind, name))
		return NULL;
	link = hashtab_find(&i->topics, key);
	return link == NULL ? NULL : hash_entry(link, struct topic, link);
}

static struct topic *make_topic(struct interest *i, const char *key)
{
	struct hash_link *link = hashtab_find(&i->topics, key);
	struct topic *t;

	if (link != NULL)
		return hash_entry(link, struct topic, link);
	t = calloc(1, sizeof *t + strlen(key) + 1);
	if (t == NULL)
		return NULL;
	memcpy(t->key, key, strlen(key) + 1);
	LIST_INIT(&t->readers);
	if (hashtab_insert(&i->topics, &t->link) < 0) {
		free(t);
		return NULL;
	}
	return t;
}

static void topic_drop_if_empty(struct interest *i, struct topic *t)
{
	if (!LIST_EMPTY(&t->readers))
		return;
	hashtab_remove(&i->topics, &t->link);
	free(t);
}

/* Call `each` for the present users of a topic. */
static void topic_each(
    const struct interest *i, const struct topic *t, void (*each)(void *arg, struct user *user), void *arg)
{
	if (t->key[0] == 'u') {
		struct user *user = directory_find(i->directory, t->key + 1);

		if (user != NULL)
			each(arg, user);
	} else {
		const struct user_group *g = directory_group(i->directory, t->key + 1);

		for (size_t k = 0; g != NULL && k < g->member_count; k++)
			each(arg, g->members[k]);
	}
}

void reader_init(struct reader *r, struct interest *i, bool demand)
{
	*r = (struct reader){ .interest = i, .demand = demand };
	LIST_INIT(&r->links);
	hashtab_init(&r->topics, link_key);
}

static void leave_topic(struct reader *r, struct interest_link *l)
{
	struct topic *t = l->topic;

	LIST_REMOVE(l, of_reader);
	LIST_REMOVE(l, of_topic);
	free(l);
	if (r->demand && --t->demands == 0)
		topic_each(r->interest, t, r->interest->demand_changed, r->interest->arg);
	topic_drop_if_empty(r->interest, t);
}

static void all_demand_changed(struct interest *i)
{
	for (struct user *u = directory_after(i->directory, ""); u != NULL; u = directory_next(u))
		i->demand_changed(i->arg, u);
}

void reader_done(struct reader *r)
{
	struct interest_link *l;

	if (r->interest == NULL)
		return;
	reader_unqueue(r);
	hashtab_done(&r->topics);
	while ((l = LIST_FIRST(&r->links)) != NULL)
		leave_topic(r, l); /* NOLINT(clang-analyzer-unix.Malloc): it leaves the list */
	if (r->all) {
		LIST_REMOVE(r, in_all);
		r->all = false;
		if (r->demand && --r->interest->all_demands == 0)
			all_demand_changed(r->interest);
	}
	r->interest = NULL;
}

static int add_topic(struct reader *r, char kind, const char *name, size_t *count)
{
	char key[KEY_SIZE];
	struct interest_link *l;
	struct topic *t;

	if (!make_key(key, kind, name) || hashtab_find(&r->topics, key) != NULL)
		return 0;
	t = make_topic(r->interest, key);
	l = calloc(1, sizeof *l);
	if (t == NULL || l == NULL)
		goto fail;
	l->reader = r;
	l->topic = t;
	if (hashtab_insert(&r->topics, &l->by_key) < 0)
		goto fail;
	LIST_INSERT_HEAD(&r->links, l, of_reader);
	LIST_INSERT_HEAD(&t->readers, l, of_topic);
	++*count;
	if (r->demand && ++t->demands == 1)
		topic_each(r->interest, t, r->interest->demand_changed, r->interest->arg);
	return 0;
fail:
	free(l);
	if (t != NULL)
		topic_drop_if_empty(r->interest, t);
	return -ENOMEM;
}

int reader_add_user(struct reader *r, const char *id)
{
	return add_topic(r, 'u', id, &r->user_count);
}

int reader_add_group(struct reader *r, const char *name)
{
	return add_topic(r, 'g', name, &r->group_count);
}

void reader_add_all(struct reader *r)
{
	if (r->all)
		return;
	r->all = true;
	LIST_INSERT_HEAD(&r->interest->all, r, in_all);
	if (r->demand && ++r->interest->all_demands == 1)
		all_demand_changed(r->interest);
}

static bool has_topic(const struct reader *r, char kind, const char *name)
{
	char key[KEY_SIZE];

	return make_key(key, kind, name) && hashtab_find(&r->topics, key) != NULL;
}

bool reader_wants(const struct reader *r, const struct user *user)
{
	if (r->all || (r->user_count > 0 && has_topic(r, 'u', user_id(user))))
		return true;
	for (uint32_t i = 0; r->group_count > 0 && i < user->group_count; i++)
		if (has_topic(r, 'g', user->groups[i]->name))
			return true;
	return false;
}

bool reader_wanted(const struct reader *r, const struct changelog_tombstone *t)
{
	if (t->removed && (r->all || has_topic(r, 'u', t->id)))
		return true;
	for (size_t i = 0; i < t->group_count; i++)
		if (has_topic(r, 'g', t->groups[i]))
			return true;
	return false;
}

void reader_each(const struct reader *r, void (*each)(void *arg, struct user *user), void *arg)
{
	struct interest_link *l;

	LIST_FOREACH (l, &r->links, of_reader)
		topic_each(r->interest, l->topic, each, arg);
}

size_t reader_size(const struct reader *r)
{
	size_t size = r->user_count;
	struct interest_link *l;

	if (r->all)
		return directory_count(r->interest->directory);
	LIST_FOREACH (l, &r->links, of_reader) {
		const struct user_group *g =
		    l->topic->key[0] == 'g' ? directory_group(r->interest->directory, l->topic->key + 1) : NULL;

		size += g == NULL ? 0 : g->member_count;
	}
	return size;
}

void reader_queue(struct reader *r, uint64_t seq)
{
	if (r->pending || r->interest == NULL)
		return;
	r->woken = seq;
	r->pending = true;
	TAILQ_INSERT_TAIL(&r->interest->queue, r, queue);
	r->interest->queued++;
}

void reader_unqueue(struct reader *r)
{
	if (!r->pending)
		return;
	r->pending = false;
	TAILQ_REMOVE(&r->interest->queue, r, queue);
	r->interest->queued--;
}

size_t interest_queued(const struct interest *i)
{
	return i->queued;
}

struct reader *interest_first(struct interest *i)
{
	return TAILQ_FIRST(&i->queue);
}

static void wake(const struct topic *t, uint64_t seq)
{
	struct interest_link *l;

	if (t != NULL)
		LIST_FOREACH (l, &t->readers, of_topic)
			reader_queue(l->reader, seq);
}

void interest_touch(
    struct interest *i, const struct user *user, uint64_t seq, const char *const *left, size_t left_count)
{
	struct reader *r;

	LIST_FOREACH (r, &i->all, in_all)
		reader_queue(r, seq);
	wake(find_topic(i, 'u', user_id(user)), seq);
	for (uint32_t k = 0; k < user->group_count; k++)
		wake(find_topic(i, 'g', user->groups[k]->name), seq);
	for (size_t k = 0; k < left_count; k++)
		wake(find_topic(i, 'g', left[k]), seq);
}

static bool demands(const struct topic *t)
{
	return t != NULL && t->demands > 0;
}

bool interest_demanded(const struct interest *i, const struct user *user)
{
	if (i->all_demands > 0 || demands(find_topic(i, 'u', user_id(user))))
		return true;
	for (uint32_t k = 0; k < user->group_count; k++)
		if (demands(find_topic(i, 'g', user->groups[k]->name)))
			return true;
	return false;
}

/* Whether the reader follows one of these topics. */
static bool follows_any(const struct reader *r, const struct topic *const *topics, uint32_t count)
{
	for (uint32_t k = 0; k < count; k++)
		if (topics[k] != NULL && hashtab_find(&r->topics, topics[k]->key) != NULL)
			return true;
	return r->all;
}

void interest_each_reader(
    const struct interest *i, const struct user *user, void (*each)(void *arg, const struct reader *r), void *arg)
{
	const struct topic *topics[USER_MAX_GROUPS + 1] = { find_topic(i, 'u', user_id(user)) };
	const struct interest_link *l;
	const struct reader *r;

	for (uint32_t k = 0; k < user->group_count; k++)
		topics[k + 1] = find_topic(i, 'g', user->groups[k]->name);
	LIST_FOREACH (r, &i->all, in_all)
		each(arg, r);
	for (uint32_t k = 0; k <= user->group_count; k++) {
		if (topics[k] == NULL)
			continue;
		LIST_FOREACH (l, &topics[k]->readers, of_topic)
			if (!follows_any(l->reader, topics, k)) /* each once */
				each(arg, l->reader);
	}
}
