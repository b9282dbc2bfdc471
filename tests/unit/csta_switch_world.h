/* csta_switch_world.h: the monitors of a switch in virtual time, the switch, and the channel between them.
 * SPDX-License-Identifier: MIT
 *
 * What is below the monitors is the real thing: exchange, frames, reader. The channel loses, repeats, delays and reorders
 * events; answers and MonitorStop are delayed only, and may be overtaken.
 */
#ifndef PRESENCED_TESTS_CSTA_SWITCH_WORLD_H
#define PRESENCED_TESTS_CSTA_SWITCH_WORLD_H

#include "tests/unit/csta_switch_life.h"

#include "connectors/tapi/csta_monitors.h"

#define START_MS    1000000
#define WALL_MS	    INT64_C(1790000000000)
#define ITEMS	    4096
#define REQUESTS    64
#define STRAGGLE_MS 25000
#define SPINS	    5000

/* What the channel does to events, in per mille and ms. */
struct channel {
	size_t lose, repeat, straggle, delay, answer_delay, slow_answers, busy;
	bool reorder, fifo; /* fifo: answers stand in one row with events */
};

enum asked { ASK_START, ASK_STOP, ASK_CALLS, ASK_DND, ASK_FORWARD, ASK_COUNT };

struct item {
	int64_t due;
	uint64_t order;
	char *document; /* owned; NULL: made when it is delivered */
	char id[4];	/* of a request that it answers; 0: an event */
	enum asked asked;
	int device, monitor;	     /* monitor: that was started by it; -1 */
	unsigned doubt, forwardings; /* of the device, when it was asked */
	int reference;		     /* of the pieces that it announces or is one of; 0 */
	bool closes_doubt, late;     /* late: by more than a second, or a repetition */
};

struct call_heard {
	int state, direction;
	bool has_peer;
	char peer[64];
};

/* What was last said of a line. */
struct said {
	bool any;
	int status;
	unsigned known;
	int line;
	bool dnd, forwarded, has_target;
	char target[64];
	size_t call_count;
	struct call_heard calls[RAW_MAX_CALLS];
};

struct request_out {
	int id, device;
	int64_t until;
};

/* Faults of the test itself, by which it shows that it would notice. */
enum mutant { NO_MUTANT, OLD_SNAPSHOTS, ONE_EVENT_LESS, LAST_WORD_LOST, MUTANTS };

struct totals {
	uint64_t sequences, faithful, operations, events, lost, repeated, late, snapshots, segments, corrections,
	    doubts, faithful_doubts, said, settled, stopped;
};

struct world {
	struct tele t;
	struct channel channel;
	struct csta_exchange *exchange;
	struct csta_monitors *monitors;
	struct item *items[ITEMS]; /* by due */
	size_t item_count;
	uint64_t order;
	int64_t last_event_due, last_due;
	struct request_out out[REQUESTS];
	size_t out_count;
	size_t in_flight;
	bool faithful;	/* nothing is lost, repeated, delayed or reordered */
	bool counting;	/* no request was given up */
	bool disturbed; /* a line was without a monitor for a while */
	bool over, closing, in_event, ready;
	bool settling; /* settled() is to come */
	bool owed[DEVICES];
	struct said said[DEVICES];
	int references, accepted[DEVICES]; /* of pieces: so far; of the last announcement that was taken */
	enum mutant mutant;
	bool mutated;
	char *old_snapshots[DEVICES]; /* owned */
	char wrong[2048];	      /* "" nothing is */
};

static struct xml_reader *reader;
static struct totals totals;

static inline void __attribute__((format(printf, 2, 3))) wrong(struct world *w, const char *format, ...)
{
	va_list args;

	if (w->wrong[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(w->wrong, sizeof w->wrong, format, args);
	va_end(args);
	note(&w->t, "WRONG: %s", w->wrong);
}

static inline void set_time(struct world *w, int64_t now)
{
	w->t.now = now;
	csta_exchange_set_time(w->exchange, (struct instant){ .mono = now, .wall = WALL_MS + now });
}

/* --- the channel ----------------------------------------------------------------------------------- */

static inline void put_item(struct world *w, struct item one)
{
	struct item *item = malloc(sizeof *item);
	size_t at = w->item_count;

	assert_non_null(item);
	assert_true(w->item_count < ITEMS);
	if (w->channel.fifo)
		one.due = one.due < w->last_due ? w->last_due : one.due;
	w->last_due = one.due;
	*item = one;
	item->order = w->order++;
	for (; at > 0 && w->items[at - 1]->due > one.due; at--)
		w->items[at] = w->items[at - 1];
	w->items[at] = item;
	w->item_count++;
}

static inline void free_item(struct item *item)
{
	free(item->document);
	free(item);
}

static inline char *copy_of(const char *text)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	return copy;
}

static inline struct world *world_of(struct tele *t)
{
	return (struct world *)(void *)((char *)t - offsetof(struct world, t));
}

static inline bool per_mille(size_t chance)
{
	return chance > 0 && random_below(1000) < chance;
}

/* When an event that goes out now arrives. */
static inline int64_t arrival(struct world *w)
{
	const struct channel *c = &w->channel;
	int64_t due = w->t.now + (int64_t)random_below(c->delay + 1);

	if (per_mille(c->straggle))
		return due + (int64_t)random_below(STRAGGLE_MS);
	if (!c->reorder && due < w->last_event_due)
		due = w->last_event_due;
	return w->last_event_due = due;
}

static inline void send_event(struct tele *t, int device, const char *document)
{
	struct world *w = world_of(t);
	bool again = false;

	totals.events++;
	if (w->mutant == ONE_EVENT_LESS && !w->mutated && t->device[device].watched && random_below(10) == 0) {
		w->mutated = true;
		return;
	}
	if (per_mille(w->channel.lose)) {
		totals.lost++;
		note(t, "      (lost for %s)", numbers[device]);
		return;
	}
	do {
		int64_t due = arrival(w);

		put_item(w,
		    (struct item){ .due = due,
			.document = copy_of(document),
			.monitor = -1,
			.device = device,
			.late = again || due > t->now + 1000 });
		again = per_mille(w->channel.repeat);
		totals.repeated += again;
	} while (again);
}

static inline void send_stop(struct tele *t, const char *document)
{
	struct world *w = world_of(t);

	totals.stopped++;
	w->counting = false;
	w->disturbed = true;
	put_item(w, (struct item){ .due = arrival(w), .document = copy_of(document), .monitor = -1, .device = -1 });
}

/* --- requests -------------------------------------------------------------------------------------- */

static const struct {
	const char *root, *element;
	int64_t patience;
} requests[ASK_COUNT] = {
	[ASK_START] = { "MonitorStart", "deviceObject", 10000 },
	[ASK_STOP] = { "MonitorStop", "monitorCrossRefID", 10000 },
	[ASK_CALLS] = { "SnapshotDevice", "snapshotObject", 10000 },
	[ASK_DND] = { "GetDoNotDisturb", "device", 5000 },
	[ASK_FORWARD] = { "GetForwarding", "device", 5000 },
};

/* The text of the element, which stands once; false: there is none. */
static inline bool inner_text(const char *document, const char *element, char *buf, size_t size)
{
	char tag[64];
	const char *from;

	snprintf(tag, sizeof tag, "<%s>", element);
	from = strstr(document, tag);
	if (from == NULL)
		return false;
	from += strlen(tag);
	snprintf(buf, size, "%.*s", (int)strcspn(from, "<"), from);
	return true;
}

static inline int device_called(const char *number)
{
	for (int p = 0; p < DEVICES; p++)
		if (strcmp(numbers[p], number) == 0)
			return p;
	return -1;
}

static inline void make_answer(struct world *w, struct item *item)
{
	struct tele *t = &w->t;

	if (item->asked == ASK_CALLS)
		answer_snapshot(t, item->device);
	else if (item->asked == ASK_DND)
		answer_dnd(t, item->device);
	else
		answer_forwarding(t, item->device);
	item->document = copy_of(t->text.s);
}

/* What the calls were at this moment, in pieces that come one after the other. */
static inline void send_pieces(struct world *w, const struct item *first, int reference)
{
	int64_t due = first->due > w->t.now ? first->due : w->t.now;
	size_t at = 0;
	bool more;

	do {
		more = answer_segment(&w->t, first->device, reference, &at);
		due += (int64_t)random_below(w->channel.answer_delay / 8 + 1);
		put_item(w,
		    (struct item){ .due = due,
			.document = copy_of(w->t.text.s),
			.asked = ASK_CALLS,
			.device = first->device,
			.monitor = -1,
			.doubt = first->doubt,
			.closes_doubt = !more,
			.reference = reference });
		totals.segments++;
	} while (more);
}

static inline void announce_pieces(struct world *w, struct item *item)
{
	struct text *x = &w->t.text;

	x->len = 0;
	put(x, "<SnapshotDeviceResponse" NS "><crossRefIDorSnapshotData><serviceCrossRefID>s-%d</serviceCrossRefID>",
	    ++w->references);
	put(x, "</crossRefIDorSnapshotData></SnapshotDeviceResponse>");
	item->document = copy_of(x->s);
	item->reference = w->references;
}

static inline void start_monitor(struct world *w, struct item *item)
{
	struct tele *t = &w->t;

	t->text.len = 0;
	if (!t->device[item->device].in_service) {
		put_error(t, "systemResourceAvailability", "deviceOutOfService");
	} else {
		assert_true(t->monitor_count < MONITORS);
		item->monitor = (int)t->monitor_count;
		t->monitors[t->monitor_count++] = (struct monitor){ .device = item->device, .live = true };
		make_unsure(t, item->device);
		put(&t->text, "<MonitorStartResponse" NS "><monitorCrossRefID>m-%d</monitorCrossRefID>", item->monitor);
		put(&t->text, "</MonitorStartResponse>");
	}
	item->document = copy_of(t->text.s);
}

static inline void stop_monitor(struct world *w, struct item *item, const char *reference)
{
	size_t at = (size_t)strtoul(reference + 2, NULL, 10);
	bool live = at < w->t.monitor_count && w->t.monitors[at].live;

	w->t.text.len = 0;
	if (live)
		put(&w->t.text, "<MonitorStopResponse" NS "/>");
	else
		put_error(&w->t, "operation", "invalidMonitorCrossRefID");
	if (live) {
		w->t.monitors[at].live = false;
		make_unsure(&w->t, w->t.monitors[at].device);
	}
	item->document = copy_of(w->t.text.s);
}

static inline int64_t answer_arrival(struct world *w, enum asked asked)
{
	int64_t due = w->t.now + (int64_t)random_below(w->channel.answer_delay + 1);

	if (!w->over && (asked == ASK_START || asked == ASK_CALLS) && per_mille(w->channel.slow_answers))
		due += 8000 + (int64_t)random_below(8000);
	return due;
}

static inline void take_request(struct world *w, enum asked asked, const char *id, const char *text)
{
	struct item item = { .asked = asked, .device = device_called(text), .monitor = -1, .closes_doubt = true };
	bool pieces = false;

	memcpy(item.id, id, 4);
	item.due = answer_arrival(w, asked);
	if (asked != ASK_STOP && item.device < 0)
		wrong(w, "%s for a device that does not exist: %s", requests[asked].root, text);
	if (w->wrong[0] != '\0')
		return;
	if (asked != ASK_STOP)
		item.doubt = w->t.device[item.device].doubt, item.forwardings = w->t.device[item.device].forwardings;
	if (!w->over && asked != ASK_STOP && per_mille(w->channel.busy)) {
		w->t.text.len = 0;
		put_error(&w->t, "systemResourceAvailability", "resourceBusy");
		item.document = copy_of(w->t.text.s);
		item.closes_doubt = false;
	} else if (asked == ASK_STOP) {
		stop_monitor(w, &item, text);
	} else if (asked == ASK_START) {
		start_monitor(w, &item);
	} else if (asked == ASK_CALLS && w->t.dialect.shape == SHAPE_SEGMENTED && w->t.device[item.device].in_service) {
		announce_pieces(w, &item);
		pieces = true;
	} else if (!w->t.dialect.late_snapshots) {
		make_answer(w, &item);
	}
	put_item(w, item);
	if (pieces) {
		item.due = w->last_due;
		send_pieces(w, &item, w->references);
	}
}

/* Not more at a time than there may be, and one of a line. Those that were given up are not counted right any more. */
static inline void note_out(struct world *w, int id, int device, int64_t patience)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->out_count; i++)
		if (w->out[i].until > w->t.now)
			w->out[kept++] = w->out[i];
	w->out_count = kept;
	for (size_t i = 0; w->counting && i < kept; i++)
		if (device >= 0 && w->out[i].device == device)
			wrong(w, "two requests at a time for %s", numbers[device]);
	if (w->counting && kept >= w->in_flight)
		wrong(w, "%zu requests are out, %zu may be", kept + 1, w->in_flight);
	assert_true(kept < REQUESTS || !w->counting);
	if (kept < REQUESTS)
		w->out[w->out_count++] = (struct request_out){ id, device, w->t.now + patience };
}

static inline void note_answered(struct world *w, int id)
{
	for (size_t i = 0; i < w->out_count; i++)
		if (w->out[i].id == id) {
			w->out[i] = w->out[--w->out_count];
			return;
		}
}

static inline int number_of(const char id[4])
{
	return (id[0] - '0') * 1000 + (id[1] - '0') * 100 + (id[2] - '0') * 10 + id[3] - '0';
}

/* What the document asks for; ASK_COUNT: nothing that there is. */
static inline enum asked asked_by(const char *document)
{
	const char *root = strstr(document, "?>");
	enum asked asked = ASK_START;

	root = root == NULL ? document : root + 2;
	root += strspn(root, "\n<");
	while (asked < ASK_COUNT &&
	    (strncmp(root, requests[asked].root, strlen(requests[asked].root)) != 0 ||
		root[strlen(requests[asked].root)] != ' '))
		asked++;
	return asked;
}

static inline int on_send(void *arg, const void *data, size_t len)
{
	struct world *w = arg;
	const unsigned char *head = data;
	const char *id = (const char *)data + 4;
	char document[2048], text[256];
	enum asked asked;

	if (w->closing)
		return 0;
	assert_in_range(len, 9, sizeof document);
	if (head[0] != 0 || head[1] != 0 || (size_t)(head[2] << 8 | head[3]) != len)
		wrong(w, "a bad head of a frame");
	memcpy(document, head + 8, len - 8);
	document[len - 8] = '\0';
	asked = asked_by(document);
	if (asked == ASK_COUNT || !inner_text(document, requests[asked].element, text, sizeof text)) {
		wrong(w, "the switch does not know %s", document);
		return 0;
	}
	note(&w->t, "  ? %.4s %s %s", id, requests[asked].root, text);
	note_out(w, number_of(id), asked == ASK_STOP ? -1 : device_called(text), requests[asked].patience);
	take_request(w, asked, id, text);
	return 0;
}

/* --- what is said ---------------------------------------------------------------------------------- */

static inline void copy_text(bool *has, char buf[64], const char *text)
{
	*has = text != NULL;
	snprintf(buf, 64, "%s", text == NULL ? "" : text);
}

static inline void note_said(const struct world *w, int p, const struct said *s)
{
	char calls[512] = "";
	size_t len = 0;

	if (!w->t.trace)
		return;
	for (size_t i = 0; i < s->call_count && len < sizeof calls; i++)
		len += (size_t)snprintf(calls + len, sizeof calls - len, " [%s %d %s]",
		    vocab_name(&vocab_call_state, s->calls[i].state), s->calls[i].direction, s->calls[i].peer);
	note(&w->t, "  ! %s: %s line %s dnd %s forward %s%s%s", numbers[p], vocab_name(&vocab_state_status, s->status),
	    (s->known & RAW_LINE) != 0 ? vocab_name(&vocab_line, s->line) : "-",
	    (s->known & RAW_DND) != 0 ? s->dnd ? "on" : "off" : "-",
	    (s->known & RAW_FORWARD) != 0 ? s->forwarded ? "to " : "none" : "-", s->target, calls);
}

static inline void on_said(void *arg, const char *device, const struct raw_facts *facts)
{
	struct world *w = arg;
	int p = device_called(device);
	struct said s = { .any = true,
		.status = facts->status,
		.known = facts->known,
		.line = facts->line,
		.dnd = facts->dnd,
		.forwarded = facts->forwarded,
		.call_count = facts->call_count };
	const char *bad = raw_facts_check(facts);

	totals.said++;
	if (bad != NULL)
		wrong(w, "said of %s: %s", device, bad);
	if (p < 0 || !w->t.device[p].watched) {
		wrong(w, "said of %s, which is not watched", device);
		return;
	}
	copy_text(&s.has_target, s.target, facts->forward_target);
	for (size_t i = 0; i < facts->call_count; i++) {
		s.calls[i].state = facts->calls[i].state;
		s.calls[i].direction = facts->calls[i].direction;
		copy_text(&s.calls[i].has_peer, s.calls[i].peer, facts->calls[i].peer);
	}
	if (!w->in_event && w->said[p].any && w->said[p].status == STATE_STATUS_OK && s.status == STATE_STATUS_OK)
		totals.corrections += s.line != w->said[p].line || s.call_count != w->said[p].call_count ||
		    s.dnd != w->said[p].dnd || s.forwarded != w->said[p].forwarded;
	if (s.status == STATE_STATUS_OK && w->t.device[p].unsure == 1)
		w->t.device[p].unsure = 0;
	if (s.status == STATE_STATUS_OK && (w->t.device[p].unsure_features & 3) == 0)
		w->t.device[p].unsure_features = 0;
	w->owed[p] = false;
	note_said(w, p, &s);
	if (w->mutant != LAST_WORD_LOST || !w->over)
		w->said[p] = s;
}

static inline void on_settled(void *arg)
{
	struct world *w = arg;

	totals.settled++;
	note(&w->t, "  ! settled");
	if (!w->settling)
		wrong(w, "settled() without a reason");
	for (int p = 0; p < DEVICES; p++)
		if (w->owed[p] && w->t.device[p].watched)
			wrong(w, "settled(), but nothing has been said of %s", numbers[p]);
	w->settling = false;
}

static inline bool on_same(void *arg, const char *device, const char *number)
{
	(void)arg;
	(void)device;
	(void)number;
	return false;
}

/* --- time ------------------------------------------------------------------------------------------ */

static inline void trace_document(const struct world *w, const struct item *item)
{
	const char *after = strstr(item->document, NS);

	if (w->t.trace)
		note(&w->t, "  %.4s %.*s%s", item->id[0] != '\0' ? item->id : "-", (int)(after - item->document),
		    item->document, after + strlen(NS));
}

/* An answer to a question that was asked after a doubt began. An event about one kind of forwarding wins over the answer
 * about all of them if it was asked before; then it is to be asked again. */
static inline void close_doubt(const struct item *item, struct device *d)
{
	if (!item->closes_doubt || item->doubt != d->doubt)
		return;
	if (item->asked == ASK_CALLS && d->unsure == 2 && d->in_service)
		d->unsure = 1;
	if (item->asked == ASK_DND)
		d->unsure_features &= ~1u;
	if (item->asked == ASK_FORWARD && item->forwardings == d->forwardings)
		d->unsure_features &= ~2u;
}

/* An answer that somebody has waited for. */
static inline void note_taken(struct world *w, const struct item *item)
{
	if (item->monitor >= 0)
		w->t.monitors[item->monitor].known = true;
	if (item->reference != 0)
		w->accepted[item->device] = item->reference;
	else if (item->asked != ASK_STOP)
		close_doubt(item, &w->t.device[item->device]);
}

static inline void dispatch(struct world *w, const struct item *item, const struct csta_message *m)
{
	if (m->kind == CSTA_RESPONSE || m->kind == CSTA_ERROR) {
		note_answered(w, number_of(item->id));
		if (csta_answer(w->exchange, item->id, m))
			note_taken(w, item);
		csta_monitors_run(w->monitors);
		return;
	}
	if (m->kind == CSTA_SNAPSHOT_DATA && w->accepted[item->device] == item->reference)
		close_doubt(item, &w->t.device[item->device]);
	w->in_event = m->kind != CSTA_SNAPSHOT_DATA;
	csta_monitors_told(w->monitors, m);
	w->in_event = false;
}

/* The mutant that goes on answering what was true some time ago. */
static inline void mutate_snapshot(struct world *w, struct item *item)
{
	char **old = item->id[0] != '\0' && item->asked == ASK_CALLS ? &w->old_snapshots[item->device] : NULL;

	if (old == NULL || w->mutant != OLD_SNAPSHOTS)
		return;
	if (w->over && *old != NULL) {
		free(item->document);
		item->document = copy_of(*old);
	} else {
		free(*old);
		*old = copy_of(item->document);
	}
}

static inline void deliver(struct world *w)
{
	struct item *item = w->items[0];
	struct parse_error error = { "" };
	struct csta_message m;

	memmove(w->items, w->items + 1, --w->item_count * sizeof *w->items);
	if (item->document == NULL)
		make_answer(w, item);
	mutate_snapshot(w, item);
	trace_document(w, item);
	totals.late += item->id[0] == '\0' && item->late;
	totals.snapshots += item->id[0] != '\0' && item->asked == ASK_CALLS;
	if (csta_read(reader, item->document, strlen(item->document), &m, &error) < 0)
		wrong(w, "not read: %s: %s", error.text, item->document);
	else
		dispatch(w, item, &m);
	free_item(item);
}

static inline int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline void run_once(struct world *w)
{
	if (w->item_count > 0 && w->items[0]->due <= w->t.now) {
		deliver(w);
	} else {
		csta_exchange_run(w->exchange);
		csta_monitors_run(w->monitors);
	}
	if (csta_in_flight(w->exchange) > w->in_flight)
		wrong(w, "%zu requests are out", csta_in_flight(w->exchange));
}

static inline void run_until(struct world *w, int64_t until)
{
	size_t spins = 0;

	while (w->wrong[0] == '\0') {
		int64_t at = sooner(csta_exchange_deadline(w->exchange), csta_monitors_deadline(w->monitors));

		at = w->item_count > 0 ? sooner(at, w->items[0]->due) : at;
		if (at > until)
			break;
		spins = at > w->t.now ? 0 : spins + 1;
		if (spins > SPINS)
			wrong(w, "the deadline is now, again and again");
		set_time(w, at > w->t.now ? at : w->t.now);
		run_once(w);
	}
	set_time(w, until > w->t.now ? until : w->t.now);
}

#endif
