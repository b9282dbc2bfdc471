/* events.c: changes of the directory and of sources as notifications.
 * SPDX-License-Identifier: MIT */
#include "daemon/console/events.h"

#include <stdlib.h>

#include "daemon/base/jsonw.h"
#include "daemon/console/methods.h"

#define LINE_MAX_BYTES (64 * 1024)

void events_follow(struct connection *c, bool users, bool sources, bool requests)
{
	c->events = (struct event_cursors){ .users = users,
		.sources = sources,
		.requests = requests,
		.users_seq = changelog_last(directory_changes(c->daemon->directory)),
		.sources_seq = changelog_last(sources_changes(c->daemon->sources)),
		.requests_seq = changelog_last(inbox_changes(durable_inbox(c->daemon->durable))) };
}

static void notify(struct connection *c, const char *method,
    void (*write)(struct buf *b, const struct changelog_entry *e), const struct changelog_entry *e)
{
	struct buf b;

	buf_init(&b, LINE_MAX_BYTES);
	jsonw_object(&b, NULL);
	jsonw_text(&b, "jsonrpc", "2.0");
	jsonw_text(&b, "method", method);
	jsonw_object(&b, "params");
	write(&b, e);
	jsonw_object_end(&b);
	jsonw_object_end(&b);
	buf_putc(&b, '\n');
	if (!b.failed)
		evbuffer_add(c->out, buf_text(&b), b.len);
	buf_done(&b);
}

static void write_user(struct buf *b, const struct changelog_entry *e)
{
	const struct user *user;

	if (e->tombstone != NULL) {
		jsonw_text(b, "user", e->tombstone->id);
		jsonw_bool(b, "removed", true);
		return;
	}
	user = hash_entry(e->node, const struct user, change);
	jsonw_text(b, "user", user_id(user));
	if (*user_field(user->fields, USER_NAME) != '\0')
		jsonw_text(b, "name", user_field(user->fields, USER_NAME));
	jsonw_list(b, "groups");
	for (uint32_t i = 0; i < user->group_count; i++)
		jsonw_text(b, NULL, user->groups[i]->name);
	jsonw_list_end(b);
}

static void write_source(struct buf *b, const struct changelog_entry *e)
{
	jsonw_object(b, "source");
	source_write(sources_node_source(e->node), b);
	jsonw_object_end(b);
}

static void write_request(struct buf *b, const struct changelog_entry *e)
{
	if (e->tombstone != NULL) {
		jsonw_int(b, "id", strtoll(e->tombstone->id, NULL, 10));
		jsonw_bool(b, "removed", true);
		return;
	}
	jsonw_object(b, "request");
	methods_write_request(b, hash_entry(e->node, const struct inbox_request, change));
	jsonw_object_end(b);
}

/* Whether an entry is told at all: who only left a group is told of by the change itself. */
static bool is_told(const struct changelog_entry *e)
{
	return e->tombstone == NULL || e->tombstone->removed;
}

/* One topic. True: there is more. */
static bool run(struct connection *c, const struct changelog *log, uint64_t *seq, const char *method,
    void (*write)(struct buf *b, const struct changelog_entry *e))
{
	struct changelog_entry e;

	while (changelog_next(log, *seq, &e)) {
		if (connection_unsent(c) >= CONNECTION_LOW_BYTES)
			return true;
		if (is_told(&e))
			notify(c, method, write, &e);
		*seq = e.seq;
	}
	return false;
}

bool events_run(struct connection *c)
{
	bool more = false;

	if (c->events.users)
		more =
		    run(c, directory_changes(c->daemon->directory), &c->events.users_seq, "users.changed", write_user);
	if (c->events.sources)
		more = run(c, sources_changes(c->daemon->sources), &c->events.sources_seq, "sources.changed",
			   write_source) ||
		    more;
	if (c->events.requests)
		more = run(c, inbox_changes(durable_inbox(c->daemon->durable)), &c->events.requests_seq,
			   "requests.changed", write_request) ||
		    more;
	return more;
}
