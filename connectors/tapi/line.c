/* line.c: the table of a line's calls, kept small, and the light that follows from it.
 * SPDX-License-Identifier: MIT */
#include "connectors/tapi/line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENDED_LEAST 4
#define ENDED_MOST  64 /* ends that are remembered of a line that is very busy */

struct line_call {
	char *id, *peer, *name; /* one block, at `id`, owned; peer and name may be NULL */
	uint64_t hash;		/* of the id */
	uint32_t at;		/* the clock at its last event */
	uint8_t state;		/* enum connection */
	int8_t direction;	/* enum direction; -1 not known */
	int8_t answered;	/* whether the other end takes part; -1 not known */
	bool named;		/* by the answer that is being taken */
	bool before;		/* from before the connection was lost: it may be over */
	bool left;		/* who it was with has left it */
	int64_t since;		/* wall ms when it became what is published of it; 0 not known */
};

struct line_ended {
	uint64_t hash;
	uint32_t at;   /* the clock at its end */
	int64_t until; /* monotonic ms; 0: the place is free */
};

void line_init(struct tapi_line *line)
{
	*line = (struct tapi_line){ .dnd = -1 };
}

static void clear_calls(struct tapi_line *line)
{
	for (size_t i = 0; i < line->count; i++)
		free(line->calls[i].id);
	free(line->calls);
	line->calls = NULL;
	line->count = 0;
}

void line_done(struct tapi_line *line)
{
	clear_calls(line);
	free(line->ended);
	for (size_t i = 0; i < LINE_FORWARDS; i++)
		free(line->forward_to[i]);
	line_init(line);
}

uint32_t line_clock(const struct tapi_line *line)
{
	return line->clock;
}

/* Whether an event at clock `at` came after the question that was asked at `asked`; the clock may go round. */
static bool is_after(uint32_t at, uint32_t asked)
{
	return (int32_t)(at - asked) > 0;
}

/* FNV-1a. Two ids with one hash cost a question, or a call in the wrong row of a peer who means it: of its own line. */
static uint64_t hash_of(const char *id)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *id != '\0'; id++)
		hash = (hash ^ (unsigned char)*id) * UINT64_C(0x100000001b3);
	return hash;
}

/* --- ends ------------------------------------------------------------------------------------------ */

/* The end of a call, if it is still remembered, or NULL. */
static struct line_ended *end_of(const struct tapi_line *line, uint64_t hash, struct instant now)
{
	for (size_t i = 0; line->ended != NULL && i < line->ended_size; i++)
		if (line->ended[i].hash == hash && now.mono < line->ended[i].until)
			return &line->ended[i];
	return NULL;
}

/* A place for one more: one that is free, a new one, or where there are too many the oldest. NULL without memory. */
static struct line_ended *place_for_end(struct tapi_line *line, struct instant now)
{
	size_t size = line->ended_size == 0 ? ENDED_LEAST : (size_t)line->ended_size * 2;
	struct line_ended *oldest = line->ended, *grown;

	for (size_t i = 0; i < line->ended_size; i++) {
		if (line->ended[i].until <= now.mono)
			return &line->ended[i];
		if (line->ended[i].until < oldest->until)
			oldest = &line->ended[i];
	}
	grown = size > ENDED_MOST ? NULL : reallocarray(line->ended, size, sizeof *grown);
	if (grown == NULL)
		return oldest;
	memset(grown + line->ended_size, 0, (size - line->ended_size) * sizeof *grown);
	line->ended = grown;
	oldest = &grown[line->ended_size];
	line->ended_size = (uint8_t)size;
	return oldest;
}

/* Without memory a late event makes a call that a verification finds. */
static void note_end(struct tapi_line *line, uint64_t hash, struct instant now)
{
	struct line_ended *e = end_of(line, hash, now);

	if (e == NULL)
		e = place_for_end(line, now);
	if (e != NULL)
		*e = (struct line_ended){ .hash = hash, .at = line->clock, .until = now.mono + LINE_ENDED_MS };
}

static void forget_end(struct tapi_line *line, uint64_t hash, struct instant now)
{
	struct line_ended *e = end_of(line, hash, now);

	if (e != NULL)
		e->until = 0;
}

/* --- the table ------------------------------------------------------------------------------------- */

static struct line_call *find(const struct tapi_line *line, const char *id, uint64_t hash)
{
	for (size_t i = 0; i < line->count; i++)
		if (line->calls[i].hash == hash && strcmp(line->calls[i].id, id) == 0)
			return &line->calls[i];
	return NULL;
}

static void take_out(struct tapi_line *line, struct line_call *c)
{
	size_t at = (size_t)(c - line->calls);

	free(c->id);
	memmove(c, c + 1, (line->count - at - 1) * sizeof *c);
	line->count--;
	if (line->count == 0)
		clear_calls(line);
}

static size_t size_of(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

static char *place(char **at, const char *text)
{
	char *p = *at;
	size_t size = size_of(text);

	if (text == NULL)
		return NULL;
	memcpy(p, text, size);
	*at += size;
	return p;
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* A switch that has restarted may use the id for somebody else's call. */
static void prove(struct line_call *c, const struct call_said *said)
{
	if (c->before && said->parties_said && !same_text(c->peer, said->peer)) {
		c->direction = -1;
		c->since = 0;
	}
	c->before = false;
}

/* The parties of a call, where they are said and others than before. */
static int keep_parties(struct line_call *c, const struct call_said *said)
{
	char *block, *at;

	prove(c, said);
	c->left = (c->left && !said->parties_said) || said->peer_left;
	if (c->id != NULL &&
	    (!said->parties_said || (same_text(c->peer, said->peer) && same_text(c->name, said->name))))
		return 0;
	block = at = malloc(strlen(said->id) + 1 + size_of(said->peer) + size_of(said->name));
	if (block == NULL)
		return -ENOMEM;
	place(&at, said->id);
	c->peer = said->parties_said ? place(&at, said->peer) : NULL;
	c->name = said->parties_said ? place(&at, said->name) : NULL;
	free(c->id);
	c->id = block;
	return 0;
}

/* A call that waits in a queue is the first that can be spared. */
static bool make_room(struct tapi_line *line)
{
	for (size_t i = 0; i < line->count; i++)
		if (line->calls[i].state == CONNECTION_QUEUED) {
			take_out(line, &line->calls[i]);
			return true;
		}
	return false;
}

/* A new row for a call, at the end. */
static int add(struct tapi_line *line, const struct call_said *said, uint64_t hash, struct line_call **ret)
{
	struct line_call new = { .hash = hash, .direction = -1, .answered = -1 }, *calls;

	if (keep_parties(&new, said) < 0) /* first: what is said may be of the call that is spared */
		return -ENOMEM;
	if (line->count == LINE_CALLS_MAX && !make_room(line)) {
		free(new.id);
		return -ENOSPC;
	}
	calls = reallocarray(line->calls, (size_t)line->count + 1, sizeof *calls);
	if (calls == NULL) {
		free(new.id);
		return -ENOMEM;
	}
	line->calls = calls;
	line->calls[line->count] = new;
	*ret = &line->calls[line->count++];
	return 0;
}

/* What is published of a call; -1: nothing. */
static int call_state_of(const struct line_call *c)
{
	switch ((enum connection)c->state) {
	case CONNECTION_INITIATED:
	case CONNECTION_FAIL:
		return CALL_STATE_DIALING;
	case CONNECTION_ALERTING:
		return CALL_STATE_RINGING;
	case CONNECTION_CONNECTED:
		return c->answered != 0 ? CALL_STATE_CONNECTED : CALL_STATE_DIALING;
	case CONNECTION_HOLD:
		return CALL_STATE_HELD;
	case CONNECTION_CONFERENCED:
		return CALL_STATE_CONNECTED;
	case CONNECTION_NULL:
	case CONNECTION_QUEUED:
	case CONNECTION_UNKNOWN:
	case CONNECTION_COUNT:
		break;
	}
	return -1;
}

/* The rest of what was said of a call; `since` where nothing better is known. */
static void set(struct line_call *c, const struct call_said *said, int64_t since, bool is_new)
{
	int before = is_new ? -2 : call_state_of(c);

	c->state = said->state;
	if (said->answered >= 0) /* while it rings here, that says nothing of the other end */
		c->answered = said->state == CONNECTION_ALERTING && said->answered == 0 ? -1 : said->answered;
	c->direction = said->direction < 0 ? c->direction : said->direction;
	if (said->since != 0)
		c->since = said->since;
	else if (call_state_of(c) != before)
		c->since = since;
}

bool line_call_find(const struct tapi_line *line, const char *id, struct call_said *ret)
{
	const struct line_call *c = find(line, id, hash_of(id));

	if (c == NULL)
		return false;
	*ret = (struct call_said){ .id = c->id,
		.state = c->state,
		.answered = c->answered,
		.direction = c->direction,
		.parties_said = true,
		.peer = c->peer,
		.name = c->name,
		.since = c->since };
	return true;
}

/* --- events ---------------------------------------------------------------------------------------- */

/* Which states follow which: another order means that something before was lost, or that this comes late. */
static bool may_follow(enum connection before, const struct call_said *said)
{
	static const uint16_t next[CONNECTION_COUNT] = {
#define TO(state) 1u << CONNECTION_##state
		[CONNECTION_NULL] = TO(INITIATED) | TO(ALERTING) | TO(CONNECTED) | TO(QUEUED) | TO(FAIL) | TO(UNKNOWN),
		[CONNECTION_INITIATED] = TO(INITIATED) | TO(CONNECTED) | TO(FAIL) | TO(QUEUED),
		[CONNECTION_ALERTING] = TO(ALERTING) | TO(CONNECTED) | TO(QUEUED) | TO(FAIL),
		[CONNECTION_CONNECTED] = TO(CONNECTED) | TO(HOLD) | TO(FAIL) | TO(QUEUED),
		[CONNECTION_HOLD] = TO(HOLD) | TO(CONNECTED) | TO(ALERTING) | TO(QUEUED),
		[CONNECTION_QUEUED] = TO(QUEUED) | TO(ALERTING) | TO(CONNECTED) | TO(FAIL) | TO(HOLD),
		[CONNECTION_FAIL] = TO(FAIL) | TO(CONNECTED) | TO(QUEUED),
		[CONNECTION_UNKNOWN] = 0xffff,
		[CONNECTION_CONFERENCED] = 0xffff,
#undef TO
	};

	if (said->was_held && before != CONNECTION_HOLD)
		return false;
	return (next[before] >> said->state & 1) != 0;
}

static uint32_t tick(struct tapi_line *line)
{
	return line->calls_at = ++line->clock;
}

static int call_ended(struct tapi_line *line, const char *id, uint64_t hash, struct instant now)
{
	struct line_call *c = find(line, id, hash);

	tick(line);
	if (c != NULL)
		take_out(line, c);
	note_end(line, hash, now); /* also of one that was never seen: what is late may still come */
	return 0;
}

int line_call_changed(struct tapi_line *line, const struct call_said *said, struct instant now)
{
	uint64_t hash = hash_of(said->id);
	struct line_call *c = find(line, said->id, hash);
	enum connection before = c == NULL ? CONNECTION_NULL : (enum connection)c->state;
	int ask = line->out_of_service ? TAPI_ASK_EVERYTHING : 0, r = 0;

	if (said->state == CONNECTION_NULL)
		return call_ended(line, said->id, hash, now) | ask;
	if (c == NULL && end_of(line, hash, now) != NULL) {
		tick(line);
		return TAPI_ASK_CALLS | ask;
	}
	r = c == NULL ? add(line, said, hash, &c) : keep_parties(c, said);
	if (r == -ENOMEM)
		return r;
	tick(line);
	if (r < 0)
		return TAPI_ASK_CALLS | ask;
	set(c, said, now.wall, before == CONNECTION_NULL);
	c->at = line->clock;
	line->out_of_service = false;
	return may_follow(before, said) ? ask : ask | TAPI_ASK_CALLS;
}

/* --- answers --------------------------------------------------------------------------------------- */

void line_calls_begin(struct tapi_line *line)
{
	line->corrected = false;
	for (size_t i = 0; i < line->count; i++)
		line->calls[i].named = false;
}

/* The last event is newer than the answer, but does not say everything. */
static int fill_in(struct line_call *c, const struct call_said *said)
{
	if (c->answered < 0 || said->answered == 1) /* who takes part does so until the end */
		c->answered = said->answered;
	if (c->direction < 0)
		c->direction = said->direction;
	return c->peer == NULL && said->parties_said ? keep_parties(c, said) : 0;
}

int line_call_answered(struct tapi_line *line, const struct call_said *said, uint32_t asked, struct instant now)
{
	uint64_t hash = hash_of(said->id);
	struct line_call *c = find(line, said->id, hash);
	const struct line_ended *end = end_of(line, hash, now);
	struct call_said now_said;
	bool is_new = c == NULL;
	int r;

	if (said->state == CONNECTION_NULL || (line->out_of_service && is_after(line->service_at, asked)))
		return 0; /* with the service the calls have gone */
	if (c != NULL && is_after(c->at, asked))
		return fill_in(c, said);
	if (c == NULL && end != NULL && is_after(end->at, asked))
		return 0; /* its end is newer */
	now_said = *said;
	now_said.parties_said = said->parties_said || (c != NULL && c->left);
	r = is_new ? add(line, &now_said, hash, &c) : keep_parties(c, &now_said);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	forget_end(line, hash, now);
	line->corrected = line->corrected || is_new || c->state != said->state;
	set(c, said, 0, is_new);
	c->named = true;
	return 0;
}

int line_calls_end(struct tapi_line *line, uint32_t asked, struct instant now)
{
	for (size_t i = line->count; i-- > 0;) {
		struct line_call *c = &line->calls[i];

		if (is_after(c->at, asked) || c->named)
			continue;
		note_end(line, c->hash, now);
		take_out(line, c);
	}
	line->calls_known = true;
	if (!is_after(line->service_at, asked))
		line->out_of_service = false;
	return is_after(line->calls_at, asked) ? TAPI_ASK_AGAIN : 0;
}

void line_calls_believe(struct tapi_line *line)
{
	for (size_t i = line->count; i-- > 0;)
		if (line->calls[i].before)
			take_out(line, &line->calls[i]);
	line->calls_known = true;
}

void line_lost(struct tapi_line *line)
{
	static const char *const nowhere[LINE_FORWARDS] = { NULL };

	for (size_t i = 0; i < line->count; i++)
		line->calls[i].before = true;
	free(line->ended);
	line->ended = NULL;
	line->ended_size = 0;
	line->calls_known = line->out_of_service = false;
	line->dnd = -1;
	line_forwards_answered(line, false, 0, nowhere, line->clock);
}

void line_calls_forget(struct tapi_line *line)
{
	clear_calls(line);
	line->calls_known = false;
}

/* --- features -------------------------------------------------------------------------------------- */

int line_service_changed(struct tapi_line *line, bool in_service, struct instant now)
{
	line->service_at = tick(line);
	line->out_of_service = !in_service;
	line->calls_known = !in_service; /* what it does, coming back, is not known yet */
	for (size_t i = 0; i < line->count; i++)
		note_end(line, line->calls[i].hash, now);
	clear_calls(line);
	return in_service ? TAPI_ASK_EVERYTHING : 0;
}

void line_dnd_changed(struct tapi_line *line, int8_t dnd)
{
	line->dnd_at = ++line->clock;
	line->dnd = dnd;
}

void line_dnd_answered(struct tapi_line *line, int8_t dnd, uint32_t asked)
{
	if (!is_after(line->dnd_at, asked))
		line->dnd = dnd;
}

static int set_forward(struct tapi_line *line, enum line_forward kind, bool on, const char *to)
{
	char *copy = NULL;

	if (on && to != NULL && *to != '\0' && (copy = strdup(to)) == NULL)
		return -ENOMEM;
	free(line->forward_to[kind]);
	line->forward_to[kind] = copy;
	line->forward_on = (uint8_t)((line->forward_on & ~(1u << kind)) | (unsigned)on << kind);
	return on && copy == NULL ? TAPI_ASK_FORWARD : 0;
}

int line_forward_changed(struct tapi_line *line, enum line_forward kind, bool on, const char *to)
{
	int r = set_forward(line, kind, on, to);

	if (r < 0)
		return r;
	line->forward_at[kind] = ++line->clock;
	line->forward_known |= (uint8_t)(1u << kind);
	return r;
}

int line_forwards_answered(struct tapi_line *line, bool known, uint8_t on, const char *const *to, uint32_t asked)
{
	for (int kind = 0; kind < LINE_FORWARDS; kind++) {
		if (is_after(line->forward_at[kind], asked))
			continue; /* the event is newer */
		if (set_forward(line, (enum line_forward)kind, (on >> kind & 1) != 0, to[kind]) < 0)
			return -ENOMEM;
		line->forward_known = (uint8_t)((line->forward_known & ~(1u << kind)) | (unsigned)known << kind);
	}
	return 0;
}

/* --- reading --------------------------------------------------------------------------------------- */

/* The most telling state of all calls decides; -1: it cannot be known. */
static int line_of(const struct tapi_line *line)
{
	static const struct {
		uint16_t states;
		int line;
	} order[] = {
#define ANY(state) 1u << CONNECTION_##state
		{ ANY(CONNECTED) | ANY(INITIATED) | ANY(FAIL), LINE_BUSY },
		{ ANY(ALERTING), LINE_RINGING },
		{ ANY(HOLD), LINE_HELD },
		{ ANY(CONFERENCED), LINE_BUSY },
		{ ANY(UNKNOWN), -1 },
#undef ANY
	};
	unsigned present = 0;

	if (line->out_of_service)
		return LINE_OFFLINE;
	for (size_t i = 0; i < line->count; i++)
		present |= 1u << line->calls[i].state;
	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		if ((present & order[i].states) != 0)
			return order[i].line;
	return LINE_IDLE;
}

static void read_call(const struct line_call *c, bool other, struct line_reading *ret)
{
	int state = call_state_of(c);

	if (other && c->state == CONNECTION_CONFERENCED)
		return;
	if (state >= 0 && ret->facts.call_count < RAW_MAX_CALLS)
		ret->calls[ret->facts.call_count++] = (struct raw_call){ .state = (int8_t)state,
			.direction = c->direction,
			.peer = c->peer,
			.name = c->name,
			.since = c->since };
}

/* Whether some call stands for those that are parts of a conference. */
static bool has_other(const struct tapi_line *line)
{
	for (size_t i = 0; i < line->count; i++)
		if (line->calls[i].state != CONNECTION_CONFERENCED && call_state_of(&line->calls[i]) >= 0)
			return true;
	return false;
}

/* In the order in which they came; if there are too many, those that are active first. */
static void read_calls(const struct tapi_line *line, struct line_reading *ret)
{
	bool many = line->count > RAW_MAX_CALLS, other = has_other(line);

	for (size_t i = 0; i < line->count; i++)
		if (!many || line->calls[i].state == CONNECTION_CONNECTED)
			read_call(&line->calls[i], other, ret);
	for (size_t i = 0; many && i < line->count; i++)
		if (line->calls[i].state != CONNECTION_CONNECTED)
			read_call(&line->calls[i], other, ret);
	ret->facts.calls = ret->calls;
	ret->facts.known |= RAW_CALLS;
}

/* Inside and outside callers both forwarded is every call forwarded; to where those from outside go. */
static int forward_of(const struct tapi_line *line)
{
	const unsigned both = 1u << LINE_FORWARD_INTERNAL | 1u << LINE_FORWARD_EXTERNAL;

	if ((line->forward_on >> LINE_FORWARD_ALL & 1) != 0)
		return LINE_FORWARD_ALL;
	return (line->forward_on & both) == both ? LINE_FORWARD_EXTERNAL : -1;
}

void line_read(const struct tapi_line *line, struct line_reading *ret)
{
	struct raw_facts *f = &ret->facts;
	int is = line_of(line), forward = forward_of(line);

	*f = (struct raw_facts){
		.domain = DOMAIN_TELEPHONY, .status = STATE_STATUS_OK, .activity = -1, .forward_kind = -1
	};
	if (is >= 0 && (line->calls_known || line->out_of_service)) {
		f->line = (int8_t)is;
		f->known |= RAW_LINE;
		read_calls(line, ret);
	}
	if (line->dnd >= 0) {
		f->dnd = line->dnd == 1;
		f->known |= RAW_DND;
	}
	if (forward >= 0 || (line->forward_known >> LINE_FORWARD_ALL & 1) != 0) {
		f->known |= RAW_FORWARD;
		f->forwarded = forward >= 0;
		f->forward_target = forward >= 0 ? line->forward_to[forward] : NULL;
	}
}
