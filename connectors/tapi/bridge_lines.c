/* bridge_lines.c: what a host with TAPI says of its lines.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/tapi/bridge_private.h"
#include "daemon/base/logger.h"
#include "daemon/loop.h"

static const char *line_key(const struct hash_link *link)
{
	return hash_entry(link, const struct bridge_line, link)->name;
}

void bridge_lines_init(struct bridge *c)
{
	hashtab_init(&c->lines, line_key);
}

struct bridge_line *bridge_line_find(const struct bridge *c, const char *name)
{
	struct hash_link *link = hashtab_find(&c->lines, name);

	return link == NULL ? NULL : hash_entry(link, struct bridge_line, link);
}

struct bridge_line *bridge_line_need(struct bridge *c, const char *name)
{
	struct bridge_line *l = bridge_line_find(c, name);
	size_t len = strlen(name);

	if (l != NULL)
		return l;
	if (c->lines.count - c->watched >= BRIDGE_LINES_MAX) /* those that we want are ours */
		return NULL;
	l = calloc(1, sizeof *l + len + 1);
	if (l == NULL)
		return NULL;
	memcpy(l->name, name, len + 1);
	line_init(&l->line);
	l->on = -1;
	if (hashtab_insert(&c->lines, &l->link) == 0)
		return l;
	free(l);
	return NULL;
}

void bridge_line_is_due(struct bridge *c, struct bridge_line *l)
{
	if (!l->is_due)
		TAILQ_INSERT_TAIL(&c->due, l, due);
	l->is_due = true;
	bridge_wish(c);
}

void bridge_line_not_due(struct bridge *c, struct bridge_line *l)
{
	if (l->is_due)
		TAILQ_REMOVE(&c->due, l, due);
	l->is_due = l->ask = l->say = false;
}

/* Nothing is known of it any more. */
static void forget(struct bridge_line *l, enum bridge_place place)
{
	line_done(&l->line);
	free(l->why);
	l->why = NULL;
	l->place = (uint8_t)place;
	l->on = -1;
	l->can = 0;
	l->nowhere = l->forwards_known = l->known = l->calls_null = false;
	l->named_in = 0;
	l->in_service = true;
}

static void line_free(struct bridge *c, struct bridge_line *l)
{
	bridge_line_not_due(c, l);
	forget(l, PLACE_UNSAID);
	hashtab_remove(&c->lines, &l->link);
	free(l);
}

void bridge_lines_lost(struct bridge *c)
{
	struct hash_link *link, *next;

	for (link = hashtab_next(&c->lines, NULL); link != NULL; link = next) {
		struct bridge_line *l = hash_entry(link, struct bridge_line, link);

		next = hashtab_next(&c->lines, link);
		bridge_line_not_due(c, l);
		forget(l, PLACE_UNSAID);
		if (!l->watched)
			line_free(c, l);
	}
}

void bridge_lines_free(struct bridge *c)
{
	struct hash_link *link;
	size_t bucket = 0;

	while ((link = hashtab_first(&c->lines, &bucket)) != NULL)
		line_free(c, hash_entry(link, struct bridge_line, link));
	hashtab_done(&c->lines);
}

/* What the host has said in this connection it need not say again when somebody asks. */
static bool is_worth_keeping(const struct bridge_line *l)
{
	return l->place == PLACE_OPEN || l->place == PLACE_CLOSED || l->place == PLACE_REMOVED ||
	    l->place == PLACE_REFUSED;
}

void bridge_line_unwatch(struct bridge *c, struct bridge_line *l)
{
	l->watched = false;
	bridge_line_not_due(c, l);
	if (!is_worth_keeping(l))
		line_free(c, l);
}

/* --- saying ---------------------------------------------------------------------------------------- */

static void say_status(struct bridge *c, const struct bridge_line *l, enum state_status status, const char *why)
{
	const struct raw_facts facts = {
		.domain = DOMAIN_TELEPHONY, .status = (int8_t)status, .activity = -1, .forward_kind = -1, .why = why
	};

	source_raw_state(c->base.source, l->name, &facts);
}

/* TAPI has no word for do-not-disturb: it is on if any way says so, and off if the line can say it and none does. */
static int8_t dnd_of(const struct bridge_line *l)
{
	if (l->on == 1 || l->nowhere)
		return 1;
	return (l->can >> BRIDGE_CAN_DND & 1) != 0 && (l->on == 0 || l->forwards_known) ? 0 : -1;
}

static void say_facts(struct bridge *c, struct bridge_line *l)
{
	struct line_reading reading;

	l->line.dnd = dnd_of(l);
	line_read(&l->line, &reading);
	if (!l->in_service || l->place == PLACE_CLOSED) {
		reading.facts.known |= RAW_LINE | RAW_CALLS;
		reading.facts.line = LINE_OFFLINE;
		reading.facts.call_count = 0;
	}
	source_raw_state(c->base.source, l->name, &reading.facts);
}

void bridge_line_say(struct bridge *c, struct bridge_line *l)
{
	if (!l->watched || !c->first_over)
		return;
	switch ((enum bridge_place)l->place) {
	case PLACE_OPEN:
		if (l->known)
			say_facts(c, l);
		break;
	case PLACE_CLOSED:
		say_facts(c, l);
		break;
	case PLACE_REMOVED:
		say_status(c, l, STATE_STATUS_NOT_FOUND, "the host has no such line");
		break;
	case PLACE_REINIT:
		say_status(c, l, STATE_STATUS_STALE, "TAPI is being started anew at the host");
		break;
	case PLACE_LEFT:
		say_status(c, l, STATE_STATUS_REQUESTING, NULL);
		break;
	case PLACE_REFUSED:
		say_status(c, l, (enum state_status)l->refusal, l->why);
		break;
	case PLACE_UNSAID:
	case PLACE_COUNT:
		break;
	}
}

void bridge_lines_resynced(struct bridge *c, bool first)
{
	struct hash_link *link;

	HASH_EACH (link, &c->lines) {
		struct bridge_line *l = hash_entry(link, struct bridge_line, link);
		bool missing = l->named_in != c->resync.number && (l->place == PLACE_OPEN || l->place == PLACE_UNSAID);

		if (missing)
			l->known = false;
		if (missing && l->watched) {
			say_status(c, l, STATE_STATUS_ERROR, "the host did not name this line when it said everything");
		} else if (first) {
			bridge_line_say(c, l);
		}
	}
}

/* --- messages -------------------------------------------------------------------------------------- */

static struct instant now(const struct bridge *c)
{
	return loop_now(c->base.loop);
}

struct offer {
	const char *name;
	unsigned can;
	bool in_service;
};

static int read_offer(const json_t *object, struct offer *ret, struct bridge_fault *fault)
{
	if (!json_is_object(object)) {
		snprintf(fault->text, sizeof fault->text, "lines: expected a list of objects");
		return -EINVAL;
	}
	if (bridge_text(object, "line", BRIDGE_NAME_BYTES, &ret->name, fault) < 0 ||
	    bridge_truth(object, "inService", &ret->in_service, fault) < 0)
		return -EINVAL;
	return bridge_can(object, &ret->can, fault);
}

static int open_one(struct bridge *c, const struct offer *offer, struct bridge_fault *fault)
{
	struct bridge_line *l = bridge_line_need(c, offer->name);

	if (l == NULL) {
		snprintf(fault->text, sizeof fault->text, "lines: too many lines are open");
		return -EINVAL;
	}
	forget(l, PLACE_OPEN);
	l->can = (uint8_t)offer->can;
	l->in_service = offer->in_service;
	return 0;
}

/* Nothing of it is taken before all of it has been read. */
static int take_open(struct bridge *c, const json_t *m, struct bridge_fault *fault)
{
	const json_t *lines = json_object_get(m, "lines"), *one;
	struct offer offer;
	size_t i;

	if (!json_is_array(lines)) {
		snprintf(fault->text, sizeof fault->text, "lines: expected a list of objects");
		return -EINVAL;
	}
	json_array_foreach(lines, i, one)
	{
		if (read_offer(one, &offer, fault) < 0)
			return -EINVAL;
	}
	if (!c->opened && !c->first_over)
		c->progress_at = bridge_now(c);
	c->opened = true;
	json_array_foreach(lines, i, one)
	{
		if (read_offer(one, &offer, fault) < 0 || open_one(c, &offer, fault) < 0)
			return -EINVAL;
	}
	return 0;
}

static void close_line(struct bridge *c, struct bridge_line *l, enum bridge_place place)
{
	forget(l, place);
	bridge_line_say(c, l);
	if (!l->watched && !is_worth_keeping(l))
		line_free(c, l);
}

static int take_close(struct bridge *c, const json_t *m, struct bridge_fault *fault)
{
	static const char *const reasons[PLACE_COUNT] = {
		[PLACE_REMOVED] = "REMOVED", [PLACE_REINIT] = "REINIT", [PLACE_LEFT] = "unwanted"
	};
	enum bridge_place place = PLACE_CLOSED;
	const char *name, *reason;
	struct bridge_line *l;

	if (bridge_text(m, "line", BRIDGE_NAME_BYTES, &name, fault) < 0 ||
	    bridge_text_optional(m, "reason", &reason, fault) < 0)
		return -EINVAL;
	for (int i = 0; i < PLACE_COUNT; i++)
		if (reason != NULL && reasons[i] != NULL && strcmp(reasons[i], reason) == 0)
			place = (enum bridge_place)i;
	l = bridge_line_need(c, name);
	if (l != NULL)
		close_line(c, l, place);
	return 0;
}

static bool may_add_call(const struct bridge_line *l, const struct call_said *said)
{
	struct call_said known;

	return said->state == CONNECTION_NULL || l->line.count < LINE_CALLS_MAX ||
	    line_call_find(&l->line, said->id, &known);
}

static int too_many_calls(struct bridge_fault *fault)
{
	snprintf(fault->text, sizeof fault->text, "call: a line has at most %d calls", LINE_CALLS_MAX);
	return -EINVAL;
}

/* A call for which only one of the two was said keeps the other; nothing has happened in the future. */
static void complete(const struct bridge *c, const struct bridge_line *l, const json_t *object, struct call_said *said)
{
	struct call_said known;

	if (said->since > now(c).wall)
		said->since = now(c).wall;
	if (!said->parties_said || !line_call_find(&l->line, said->id, &known))
		return;
	if (json_object_get(object, "peer") == NULL)
		said->peer = known.peer;
	if (json_object_get(object, "peerName") == NULL)
		said->name = known.name;
}

/* By the calls that are known, whether or not these are all. */
static bool is_in_use(struct bridge_line *l)
{
	struct line_reading reading;

	line_calls_believe(&l->line);
	line_read(&l->line, &reading);
	return (reading.facts.known & RAW_LINE) != 0 && reading.facts.line != LINE_IDLE;
}

static int take_call(struct bridge *c, struct bridge_line *l, const json_t *m, struct bridge_fault *fault)
{
	struct call_said said;

	if (bridge_call(m, &said, fault) < 0)
		return -EINVAL;
	if (!may_add_call(l, &said))
		return too_many_calls(fault);
	complete(c, l, m, &said);
	line_call_changed(&l->line, &said, now(c)); /* the numbers say whether something is missing */
	if (l->calls_null)
		l->line.calls_known = is_in_use(l);
	return 0;
}

static int set_forwards(struct bridge_line *l, const json_t *entries, struct bridge_fault *fault)
{
	struct bridge_forwards f;

	if (bridge_forwards(entries, &f, fault) < 0)
		return -EINVAL;
	l->nowhere = f.dnd;
	l->forwards_known = f.known;
	line_forwards_answered(
	    &l->line, f.known && (l->can >> BRIDGE_CAN_FORWARD & 1) != 0, f.on, f.to, line_clock(&l->line));
	return 0;
}

static int take_forward(struct bridge *c, struct bridge_line *l, const json_t *m, struct bridge_fault *fault)
{
	(void)c;
	return set_forwards(l, json_object_get(m, "entries"), fault);
}

static int take_dnd(struct bridge *c, struct bridge_line *l, const json_t *m, struct bridge_fault *fault)
{
	(void)c;
	return bridge_truth_or_null(m, "on", &l->on, fault);
}

static void ask(struct bridge *c, struct bridge_line *l)
{
	l->ask = true;
	bridge_line_is_due(c, l);
}

static int take_device(struct bridge *c, struct bridge_line *l, const json_t *m, struct bridge_fault *fault)
{
	unsigned states;

	if (bridge_device(m, &states, fault) < 0)
		return -EINVAL;
	if ((states & BRIDGE_REMOVED) != 0) {
		forget(l, PLACE_REMOVED);
	} else if ((states & BRIDGE_REINIT) != 0) {
		forget(l, PLACE_REINIT);
	} else if ((states & BRIDGE_OUT_OF_SERVICE) != 0) {
		l->in_service = false;
		line_service_changed(&l->line, false, now(c));
	} else if ((states & BRIDGE_IN_SERVICE) != 0 && !l->in_service) {
		l->in_service = true;
		line_service_changed(&l->line, true, now(c));
		l->calls_null = false;
		line_calls_believe(&l->line);
		ask(c, l);
	}
	return 0;
}

static int read_calls(struct bridge *c, struct bridge_line *l, const json_t *calls, struct bridge_fault *fault)
{
	uint32_t clock = line_clock(&l->line);
	struct call_said said;
	const json_t *one;
	size_t i;

	if (!json_is_array(calls) || json_array_size(calls) > LINE_CALLS_MAX) {
		snprintf(fault->text, sizeof fault->text, "calls: expected a list of at most %d calls, or null",
		    LINE_CALLS_MAX);
		return -EINVAL;
	}
	json_array_foreach(calls, i, one)
	{
		if (bridge_call(one, &said, fault) < 0)
			return -EINVAL;
	}
	line_calls_begin(&l->line);
	json_array_foreach(calls, i, one)
	{
		bridge_call(one, &said, fault);
		complete(c, l, one, &said);
		line_call_answered(&l->line, &said, clock, now(c));
	}
	line_calls_end(&l->line, clock, now(c));
	return 0;
}

/* One line entire. Nothing of it is taken before all of it has been read. */
static int take_state(struct bridge *c, struct bridge_line *l, const json_t *m, struct bridge_fault *fault)
{
	const json_t *calls = json_object_get(m, "calls"), *entries = json_object_get(m, "entries");
	struct bridge_forwards forwards;
	bool in_service;
	int8_t on = -1;

	if (entries == NULL)
		entries = json_null();
	if (bridge_truth(m, "inService", &in_service, fault) < 0 || bridge_forwards(entries, &forwards, fault) < 0)
		return -EINVAL;
	if (json_object_get(m, "on") != NULL && bridge_truth_or_null(m, "on", &on, fault) < 0)
		return -EINVAL;
	if (json_is_null(calls)) {
		line_calls_forget(&l->line);
		l->line.out_of_service = false; /* in_service says it */
	} else if (read_calls(c, l, calls, fault) < 0) {
		return -EINVAL;
	}
	set_forwards(l, entries, fault);
	l->on = on;
	l->in_service = in_service;
	l->known = true;
	l->calls_null = json_is_null(calls);
	if (c->resync.open && c->resync.full)
		l->named_in = c->resync.number;
	c->resync.count++;
	c->progress_at = c->progress_at == INSTANT_NEVER ? INSTANT_NEVER : bridge_now(c);
	return 0;
}

/* Of a line that cannot be opened; without one it is for people. */
static int take_error(struct bridge *c, const json_t *m, struct bridge_fault *fault)
{
	const char *name = NULL, *code, *text;
	struct bridge_line *l;

	if (bridge_text(m, "code", BRIDGE_TEXT_BYTES, &code, fault) < 0 ||
	    bridge_text(m, "message", BRIDGE_TEXT_BYTES, &text, fault) < 0)
		return -EINVAL;
	if (!json_is_null(json_object_get(m, "line")) && json_object_get(m, "line") != NULL &&
	    bridge_text(m, "line", BRIDGE_NAME_BYTES, &name, fault) < 0)
		return -EINVAL;
	if (name == NULL) {
		log_warning("bridge", "host_error", LOG_TEXT("source", source_name(c->base.source)),
		    LOG_TEXT("code", code), LOG_TEXT("why", text));
		return 0;
	}
	l = bridge_line_need(c, name);
	if (l == NULL)
		return 0;
	if (strcmp(code, "unknownLine") == 0) {
		forget(l, PLACE_REMOVED);
	} else {
		forget(l, PLACE_REFUSED);
		l->refusal = strcmp(code, "accessDenied") == 0 ? STATE_STATUS_ACCESS_DENIED : STATE_STATUS_ERROR;
		l->why = strdup(text);
	}
	bridge_line_say(c, l);
	return 0;
}

typedef int (*taker)(struct bridge *c, struct bridge_line *l, const json_t *m, struct bridge_fault *fault);
static const taker takers[BRIDGE_TYPES] = {
	[BRIDGE_CALL] = take_call,
	[BRIDGE_FORWARD] = take_forward,
	[BRIDGE_DND] = take_dnd,
	[BRIDGE_DEVICE] = take_device,
	[BRIDGE_STATE] = take_state,
};

int bridge_lines_message(
    struct bridge *c, const struct bridge_message *m, const char **ret_line, struct bridge_fault *fault)
{
	struct bridge_line *l;
	int r;

	if (m->type == BRIDGE_LINE_OPEN)
		return take_open(c, m->json, fault);
	if (m->type == BRIDGE_LINE_CLOSE)
		return take_close(c, m->json, fault);
	if (m->type == BRIDGE_ERROR)
		return take_error(c, m->json, fault);
	if (bridge_text(m->json, "line", BRIDGE_NAME_BYTES, ret_line, fault) < 0)
		return -EINVAL;
	l = bridge_line_find(c, *ret_line);
	if (l == NULL || l->place != PLACE_OPEN)
		return -ENOENT;
	r = takers[m->type](c, l, m->json, fault);
	if (r == 0)
		bridge_line_say(c, l);
	return r;
}
