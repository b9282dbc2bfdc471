/* subscription.c: delivering the log to one console, as fast as it reads and no faster.
 * SPDX-License-Identifier: MIT
 *
 * Near the end of the log the bytes come from the ring, in one write for many changes. Far from it, or while
 * synchronising, they are serialised for this reader, up to CONNECTION_LOW_BYTES at a time.
 */
#include "daemon/console/subscription.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "daemon/base/jsonw.h"
#include "daemon/console/console.h"
#include "daemon/console/methods.h"
#include "daemon/console/ring.h"

#define LINE_MAX_BYTES (64 * 1024) /* of one presence; notes and calls are bounded far below */
#define RING_REACH     8192	   /* places from the end within which a line is worth keeping in the ring */
#define BATCH_ENTRIES  512
#define BATCH_PIECES   64
#define BATCH_BYTES    (256 * 1024)
#define SYNC_ROUNDS    16
#define RUN_ENTRIES    512 /* looked at in one call: a slice */

struct subscription {
	struct reader reader; /* first: connection_of_reader() */
	struct connection *connection;
	struct subscription *old; /* its users are known up to old->cursor; NULL: none */
	uint64_t cursor;	  /* everything up to here was sent, or does not concern this set */
	uint64_t begun_at;	  /* the end of the log when it was made */
	uint64_t sync_to;	  /* the synchronisation ends behind this */
	unsigned sync_rounds;
	bool syncing, resumed;
	bool caught_up; /* was at the end: what came before it is woken does not concern it */
	uint64_t *plan; /* numbers to visit instead of walking the log; NULL: walk */
	size_t plan_count, plan_size, plan_at;
};

/* What goes out in one write, straight from the ring. */
struct batch {
	struct iovec pieces[BATCH_PIECES];
	struct {
		uint64_t seq;
		size_t len;
	} entries[BATCH_ENTRIES];
	size_t piece_count, entry_count, bytes;
};

struct subscription *subscription_new(struct connection *c, bool demand)
{
	struct subscription *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->connection = c;
	reader_init(&s->reader, c->daemon->interest, demand);
	return s;
}

void subscription_free(struct subscription *s)
{
	if (s == NULL)
		return;
	reader_done(&s->reader);
	subscription_free(s->old);
	free(s->plan);
	free(s);
}

struct reader *subscription_reader(struct subscription *s)
{
	return &s->reader;
}

struct connection *connection_of_reader(const struct reader *r)
{
	return hash_entry(r, const struct subscription, reader)->connection;
}

bool subscription_is_syncing(const struct subscription *s)
{
	return s->syncing;
}

bool subscription_is_caught_up(const struct subscription *s)
{
	return s->caught_up;
}

static struct changelog *log_of(const struct subscription *s)
{
	return aggregator_log(s->connection->daemon->aggregator);
}

/* --- the plan: a small set in a long log --------------------------------------------------------- */

static void plan_user(void *arg, struct user *user)
{
	struct subscription *s = arg;
	uint64_t seq = aggregator_published(user).seq;

	if (seq <= s->cursor)
		return;
	if (s->plan_count == s->plan_size) {
		size_t size = s->plan_size == 0 ? 64 : s->plan_size * 2;
		uint64_t *plan = reallocarray(s->plan, size, sizeof *plan);

		if (plan == NULL)
			return;
		s->plan = plan;
		s->plan_size = size;
	}
	s->plan[s->plan_count++] = seq;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* A set that replaces another may owe removals that the old one was not told yet; only a walk finds them. */
static bool must_tell_removals(const struct subscription *s)
{
	const struct changelog_tombstone *newest = changelog_tombstone_before(log_of(s), NULL);

	return s->old != NULL && newest != NULL && newest->seq > s->old->cursor;
}

/* A synchronisation of few users out of many: their numbers, sorted, instead of a walk through everybody's. */
static void make_plan(struct subscription *s)
{
	size_t kept = 0;

	if (s->resumed || s->reader.all || must_tell_removals(s) ||
	    reader_size(&s->reader) * 8 > changelog_distance(log_of(s), s->cursor))
		return;
	reader_each(&s->reader, plan_user, s);
	if (s->plan_count > 1)
		qsort(s->plan, s->plan_count, sizeof *s->plan, by_number);
	for (size_t i = 0; i < s->plan_count; i++) /* who is in the set by several names comes once */
		if (kept == 0 || s->plan[kept - 1] != s->plan[i])
			s->plan[kept++] = s->plan[i];
	s->plan_count = kept;
	if (s->plan == NULL) /* nobody: the synchronisation is over at once */
		s->cursor = s->sync_to;
}

static void drop_plan(struct subscription *s)
{
	free(s->plan);
	s->plan = NULL;
	s->plan_count = s->plan_size = s->plan_at = 0;
}

uint64_t subscription_start(struct subscription *s, bool resumed, uint64_t since, struct subscription *old)
{
	s->cursor = resumed ? since : 0;
	s->begun_at = s->sync_to = changelog_last(log_of(s));
	s->syncing = true;
	s->resumed = resumed;
	s->old = old;
	if (old != NULL) {
		reader_unqueue(&old->reader);
		old->caught_up = false;
	}
	make_plan(s);
	reader_queue(&s->reader, s->sync_to);
	return s->sync_to;
}

/* --- which entries ------------------------------------------------------------------------------- */

/* The next entry to look at; false at the end of what there is. */
static bool next_entry(struct subscription *s, struct changelog_entry *ret)
{
	while (s->plan != NULL) {
		if (s->plan_at == s->plan_count) {
			drop_plan(s);
			s->cursor = s->sync_to > s->cursor ? s->sync_to : s->cursor;
			break;
		}
		if (changelog_at(log_of(s), s->plan[s->plan_at++], ret))
			return true; /* else it has changed meanwhile, and comes later */
	}
	return changelog_next(log_of(s), s->cursor, ret);
}

static bool known_by_old(const struct subscription *s, const struct user *user, uint64_t seq)
{
	return s->syncing && s->old != NULL && seq <= s->old->cursor && reader_wants(&s->old->reader, user);
}

static bool wants_tombstone(const struct subscription *s, const struct changelog_tombstone *t)
{
	const struct user *user = directory_find(s->connection->daemon->directory, t->id);
	bool fresh = s->syncing && !s->resumed && t->seq <= s->begun_at;

	if (fresh && (s->old == NULL || t->seq <= s->old->cursor || !reader_wanted(&s->old->reader, t)))
		return false; /* it never had this user */
	return reader_wanted(&s->reader, t) && (user == NULL || !reader_wants(&s->reader, user));
}

static bool wants(const struct subscription *s, const struct changelog_entry *e)
{
	const struct user *user;

	if (e->tombstone != NULL)
		return wants_tombstone(s, e->tombstone);
	user = aggregator_node_user(e->node);
	return reader_wants(&s->reader, user) && !known_by_old(s, user, e->seq);
}

/* --- lines --------------------------------------------------------------------------------------- */

static void begin_line(struct buf *b, const char *method)
{
	buf_puts(b, "{\"jsonrpc\":\"2.0\",\"method\":\"");
	buf_puts(b, method);
	buf_puts(b, "\",\"params\":{");
}

static void write_change(const struct subscription *s, struct buf *b, const struct user *user, bool calls)
{
	begin_line(b, "presence.changed");
	methods_write_presence(s->connection->daemon, b, user, calls);
	buf_puts(b, "}}\n");
}

static void write_removal(struct buf *b, const struct changelog_tombstone *t)
{
	begin_line(b, "presence.removed");
	jsonw_text(b, "user", t->id);
	jsonw_int(b, "seq", (int64_t)t->seq);
	jsonw_text(b, "reason", t->removed ? "removed" : "left");
	buf_puts(b, "}}\n");
}

static void write_synced(struct buf *b, uint64_t seq)
{
	begin_line(b, "presence.synced");
	jsonw_int(b, "seq", (int64_t)seq);
	buf_puts(b, "}}\n");
}

/* --- from the ring ------------------------------------------------------------------------------- */

/* The bytes of the user's present state in the ring, put there if need be; NULL if they do not fit. */
static const char *in_ring(struct subscription *s, struct user *user, uint64_t seq, size_t *ret_len)
{
	bool calls = connection_may(s->connection, PERMISSION_CALLS);
	struct ring *ring = console_ring(s->connection->console, calls);
	struct presence_place *place = &aggregator_places(user)[calls ? 1 : 0];
	const char *bytes = place->seq == seq ? ring_at(ring, place->position, place->len) : NULL;
	struct buf b;

	if (bytes == NULL) {
		buf_init(&b, LINE_MAX_BYTES);
		write_change(s, &b, user, calls);
		place->position = b.failed ? 0 : ring_put(ring, buf_text(&b), b.len);
		place->len = (uint32_t)b.len;
		place->seq = seq;
		buf_done(&b);
		console_counters(s->connection->console)->serialised++;
		bytes = ring_at(ring, place->position, place->len);
	}
	*ret_len = place->len;
	return bytes;
}

static bool batch_is_full(const struct batch *b)
{
	return b->piece_count == BATCH_PIECES || b->entry_count == BATCH_ENTRIES || b->bytes >= BATCH_BYTES;
}

static void batch_add(struct batch *b, const char *bytes, size_t len, uint64_t seq)
{
	struct iovec *last = b->piece_count == 0 ? NULL : &b->pieces[b->piece_count - 1];

	b->entries[b->entry_count].seq = seq;
	b->entries[b->entry_count++].len = len;
	b->bytes += len;
	if (last != NULL && (const char *)last->iov_base + last->iov_len == bytes)
		last->iov_len += len;
	else
		b->pieces[b->piece_count++] = (struct iovec){ (void *)(uintptr_t)bytes, len };
}

/* Keep the rest of the line in which the socket became full; what comes after it is not sent, nor remembered. */
static void keep_rest(struct subscription *s, const struct batch *b, size_t line_end, size_t sent)
{
	size_t at = 0;

	for (size_t i = 0; i < b->piece_count && sent < line_end; i++) {
		const char *bytes = b->pieces[i].iov_base;
		size_t end = at + b->pieces[i].iov_len;

		if (sent < end) {
			size_t stop = line_end < end ? line_end : end;

			evbuffer_add(s->connection->out, bytes + (sent - at), stop - sent);
			sent = stop;
		}
		at = end;
	}
}

/* Write the batch. False: the socket is full, or gone. */
static bool batch_write(struct subscription *s, struct batch *b)
{
	ssize_t n = b->entry_count == 0 ? 0 : writev(s->connection->fd, b->pieces, (int)b->piece_count);
	size_t sent = n < 0 ? 0 : (size_t)n, end = 0, i = 0;
	bool all = sent == b->bytes;

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		connection_break(s->connection);
		return false;
	}
	for (; i < b->entry_count && end < sent; i++) {
		end += b->entries[i].len;
		s->cursor = b->entries[i].seq;
	}
	if (!all && end == sent &&
	    i < b->entry_count) { /* full between two lines: the next one waits in `out`, which wakes us */
		end += b->entries[i].len;
		s->cursor = b->entries[i++].seq;
	}
	console_counters(s->connection->console)->delivered += i;
	if (end > sent)
		keep_rest(s, b, end, sent);
	b->piece_count = b->entry_count = b->bytes = 0;
	return all;
}

/* --- running ------------------------------------------------------------------------------------- */

static void say_synced(struct subscription *s)
{
	struct buf b;

	s->cursor = s->sync_to > s->cursor ? s->sync_to : s->cursor;
	s->syncing = false;
	subscription_free(s->old);
	s->old = NULL;
	drop_plan(s);
	buf_init(&b, LINE_MAX_BYTES);
	write_synced(&b, s->cursor);
	evbuffer_add(s->connection->out, buf_text(&b), b.len);
	buf_done(&b);
	connection_resume(s->connection); /* a new subscription may have waited for this */
}

/* One entry that does not come from the ring. */
static void send_alone(struct subscription *s, const struct changelog_entry *e)
{
	struct buf b;

	buf_init(&b, LINE_MAX_BYTES);
	if (e->tombstone != NULL)
		write_removal(&b, e->tombstone);
	else
		write_change(s, &b, aggregator_node_user(e->node), connection_may(s->connection, PERMISSION_CALLS));
	if (!b.failed)
		evbuffer_add(s->connection->out, buf_text(&b), b.len);
	buf_done(&b);
	console_counters(s->connection->console)->delivered++;
	console_counters(s->connection->console)->serialised++;
	s->cursor = e->seq;
}

static bool near_the_end(const struct subscription *s, uint64_t seq)
{
	return !s->syncing && changelog_last(log_of(s)) - seq < RING_REACH;
}

/* Who changed while the others were sent comes now: a console is told everybody of its set before `synced`.
 * Under constant change and a slow reader that would not end, so the rounds do. */
static void end_round(struct subscription *s, bool there_is_more)
{
	if (there_is_more && s->sync_rounds++ < SYNC_ROUNDS)
		s->sync_to = changelog_last(log_of(s));
	else
		say_synced(s);
}

/* What one call does. */
struct turn {
	struct batch batch;
	size_t looked_at;
};

enum step { STEP_ON, STEP_FULL, STEP_END };

/* Everything in `out` first: lines must not overtake each other. */
static bool out_is_empty(struct subscription *s)
{
	connection_flush(s->connection);
	return !s->connection->closed && !s->connection->broken && connection_unsent(s->connection) == 0;
}

static enum step step_alone(struct subscription *s, struct turn *t, const struct changelog_entry *e)
{
	if (!batch_write(s, &t->batch))
		return STEP_FULL;
	send_alone(s, e);
	if (connection_unsent(s->connection) < CONNECTION_LOW_BYTES)
		return STEP_ON;
	return out_is_empty(s) ? STEP_ON : STEP_FULL;
}

static enum step step_from_ring(struct subscription *s, struct turn *t, const struct changelog_entry *e)
{
	const char *bytes;
	size_t len;

	if (connection_unsent(s->connection) > 0 && !out_is_empty(s))
		return STEP_FULL;
	bytes = in_ring(s, aggregator_node_user(e->node), e->seq, &len);
	if (bytes == NULL)
		return step_alone(s, t, e);
	batch_add(&t->batch, bytes, len, e->seq);
	if (batch_is_full(&t->batch) && !batch_write(s, &t->batch))
		return STEP_FULL;
	return STEP_ON;
}

static uint64_t position(const struct subscription *s, const struct batch *b)
{
	return b->entry_count == 0 ? s->cursor : b->entries[b->entry_count - 1].seq;
}

static enum step step(struct subscription *s, struct turn *t)
{
	uint64_t before = s->cursor;
	struct changelog_entry e;
	bool any;

	s->cursor = position(s, &t->batch); /* look behind what is in the batch */
	any = next_entry(s, &e);
	if (t->batch.entry_count > 0)
		s->cursor = before;
	if (s->syncing && (!any || e.seq > s->sync_to)) {
		end_round(s, any);
		return STEP_ON;
	}
	if (!any)
		return STEP_END;
	if (!wants(s, &e)) {
		if (t->batch.entry_count == 0)
			s->cursor = e.seq;
		else
			t->batch.entries[t->batch.entry_count - 1].seq = e.seq; /* sent with it: nothing to send */
		return STEP_ON;
	}
	if (e.node != NULL && near_the_end(s, e.seq))
		return step_from_ring(s, t, &e);
	return step_alone(s, t, &e);
}

/* A reader that is behind removals which are no longer remembered can't be told the truth any more. */
static bool too_late(struct subscription *s)
{
	bool fresh = s->syncing && !s->resumed; /* it needs no removal from before it was made */
	uint64_t needed = fresh && s->begun_at > s->cursor ? s->begun_at : s->cursor;

	return needed < changelog_forgotten(log_of(s));
}

bool subscription_run(struct subscription *s)
{
	struct turn t;
	enum step r = STEP_ON;

	t.batch.piece_count = t.batch.entry_count = t.batch.bytes = t.looked_at = 0;
	if (s->caught_up && s->reader.woken > 0 && s->reader.woken - 1 > s->cursor)
		s->cursor = s->reader.woken - 1;
	s->caught_up = false;
	if (too_late(s)) {
		connection_close(s->connection, "too many users were removed since you last read; subscribe again");
		return false;
	}
	if (!out_is_empty(s))
		return false;
	while (r == STEP_ON && t.looked_at++ < RUN_ENTRIES && !s->connection->closed)
		r = step(s, &t);
	if (!s->connection->closed && !batch_write(s, &t.batch))
		r = STEP_FULL;
	if (s->connection->closed || !out_is_empty(s))
		return false; /* what waits in `out` brings us back */
	s->caught_up = r == STEP_END;
	return r != STEP_END;
}
