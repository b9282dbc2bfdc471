/* csta_line.c: events and answers of CSTA, turned into what happens to the calls of one line.
 * SPDX-License-Identifier: MIT */
#include "connectors/tapi/csta_line.h"

#include <string.h>
#include <strings.h>

#define NO_CHANGE (-1)
#define UNCLEAR	  (-2)

/* --- whose ----------------------------------------------------------------------------------------- */

/* Whether it is the monitored device itself: only that decides what our end of a call does. */
static bool is_device(const struct csta_owner *owner, const char *number)
{
	char ours[CSTA_TEXT_MAX_BYTES], theirs[CSTA_TEXT_MAX_BYTES];

	if (number == NULL || owner->device == NULL)
		return false;
	csta_device_key(owner->device, ours, sizeof ours);
	csta_device_key(number, theirs, sizeof theirs);
	return (ours[0] != '\0' && strcasecmp(ours, theirs) == 0) ||
	    (owner->same != NULL && owner->same(owner->arg, owner->device, number));
}

/* Whether it is a number of the person, who may have several: that decides who calls whom. */
static bool is_own(const struct csta_owner *owner, const char *number)
{
	return is_device(owner, number) ||
	    (number != NULL && owner->device != NULL && owner->own != NULL &&
		owner->own(owner->arg, owner->device, number));
}

/* Our end of the call after the event (ECMA-269 17: localConnectionInfo alone decides where it is given). */
static int state_after(const struct csta_call *c, const struct csta_owner *owner)
{
	const struct csta_event_row *row = c->row;
	bool named = false;

	if (row->over)
		return CONNECTION_NULL;
	if (c->local >= 0)
		return c->local;
	for (size_t i = 0; i < 2; i++) {
		if (row->roles[i].device == NULL && row->roles[i].state != CONNECTION_NULL)
			return row->roles[i].state;
		named = named || row->roles[i].device != NULL;
		if (row->roles[i].device != NULL && is_device(owner, c->roles[i]))
			return row->roles[i].state;
	}
	if (is_device(owner, c->dropped))
		return CONNECTION_NULL;
	return named && owner->device == NULL ? UNCLEAR : NO_CHANGE;
}

/* Who calls, as far as the event says it. A line may ring for a call of its own: it is called back. */
static int8_t direction_of(const struct csta_call *c, int state, const struct csta_owner *owner)
{
	if (state == CONNECTION_INITIATED)
		return DIRECTION_OUT;
	if (state == CONNECTION_ALERTING)
		return is_device(owner, c->calling.number) ? DIRECTION_OUT : DIRECTION_IN;
	if (owner->device == NULL || (c->calling.number == NULL && !c->calling.withheld))
		return -1;
	return is_own(owner, c->calling.number) ? DIRECTION_OUT : DIRECTION_IN;
}

static void set_parties(struct call_said *said, const struct csta_call *c)
{
	const struct csta_party *other = said->direction == DIRECTION_OUT ? &c->called : &c->calling;

	if (said->direction < 0 || !other->said)
		return;
	said->parties_said = true;
	said->peer = other->number;
	said->name = other->name;
}

static bool is_peer(const struct tapi_line *line, const char *id, const char *device)
{
	char peer[CSTA_TEXT_MAX_BYTES], key[CSTA_TEXT_MAX_BYTES];
	struct call_said call;

	if (device == NULL || !line_call_find(line, id, &call) || call.peer == NULL)
		return false;
	return strcasecmp(csta_device_key(call.peer, peer, sizeof peer), csta_device_key(device, key, sizeof key)) == 0;
}

/* --- events about calls ---------------------------------------------------------------------------- */

static int take_call(struct tapi_line *line, const struct csta_message *m, const struct csta_owner *owner,
    struct instant now, unsigned *ret_ask)
{
	const struct csta_call *c = &m->call;
	int state = state_after(c, owner), r;
	struct call_said said = { .id = c->id, .state = (uint8_t)state, .answered = c->answered };

	if (state < 0)
		return state == UNCLEAR ? CSTA_EFFECT_UNCLEAR : CSTA_EFFECT_NONE;
	said.direction = direction_of(c, state, owner);
	if (c->row->pauses && !is_device(owner, c->roles[0]))
		said.answered = 1; /* who puts us on hold takes part */
	said.was_held = c->row->was_held && is_device(owner, c->roles[0]);
	said.peer_left = state != CONNECTION_NULL && is_peer(line, c->id, c->dropped);
	set_parties(&said, c);
	r = line_call_changed(line, &said, now);
	if (r < 0)
		return r;
	*ret_ask = (unsigned)r | (c->row->dropped && state != CONNECTION_NULL ? TAPI_ASK_AGAIN : 0); /* who is left? */
	return CSTA_EFFECT_TAKEN;
}

/* --- several calls become one ---------------------------------------------------------------------- */

/* The connection of ours among the new ones, or NULL. */
static const struct csta_joined *our_end(const struct csta_message *m, const struct csta_owner *owner)
{
	for (size_t i = 0; i < m->joined_count; i++)
		if (is_device(owner, m->joined[i].device) || is_device(owner, m->joined[i].endpoint))
			return &m->joined[i];
	return NULL;
}

/* The one id that all new connections have, or NULL. */
static const char *common_id(const struct csta_message *m)
{
	const char *id = NULL;

	for (size_t i = 0; i < m->joined_count; i++) {
		if (m->joined[i].id != NULL && id != NULL && strcmp(id, m->joined[i].id) != 0)
			return NULL;
		id = m->joined[i].id != NULL ? m->joined[i].id : id;
	}
	return id;
}

/* Who is at the other end, if that is one: its number may be withheld. NULL: nobody, or several. */
static const struct csta_party *other_end(const struct csta_message *m, const struct csta_owner *owner)
{
	const struct csta_party *other = NULL;

	for (size_t i = 0; i < m->joined_count; i++) {
		const struct csta_joined *j = &m->joined[i];

		if (is_device(owner, j->device) || is_device(owner, j->endpoint))
			continue;
		if (other != NULL)
			return NULL;
		other = &j->party;
	}
	return other;
}

static bool is_joined(const struct csta_message *m, const char *number)
{
	char key[CSTA_TEXT_MAX_BYTES], one[CSTA_TEXT_MAX_BYTES];

	if (number == NULL)
		return true;
	csta_device_key(number, key, sizeof key);
	for (size_t i = 0; i < m->joined_count; i++)
		if (m->joined[i].party.number != NULL &&
		    strcasecmp(csta_device_key(m->joined[i].party.number, one, sizeof one), key) == 0)
			return true;
	return false;
}

/* The id of what the calls have become for us; NULL: it cannot be told. */
static const char *new_id(const struct csta_message *m, const struct csta_owner *owner)
{
	const struct csta_joined *ours = our_end(m, owner);
	const char *id = ours == NULL ? NULL : ours->id;

	return id != NULL ? id : ours != NULL || m->call.local > CONNECTION_NULL ? common_id(m) : NULL;
}

/* What we had of the old calls: the first that there is; one that rings before one that does not. */
static bool old_end(const struct tapi_line *line, const struct csta_message *m, struct call_said *ret)
{
	bool found = false;

	for (size_t i = 0; i < 2; i++) {
		struct call_said one;

		if (m->old[i] == NULL || !line_call_find(line, m->old[i], &one))
			continue;
		if (!found || one.state == CONNECTION_ALERTING)
			*ret = one;
		found = true;
	}
	return found;
}

static bool we_leave(const struct csta_message *m, const struct csta_owner *owner)
{
	if (m->call.local >= 0)
		return m->call.local == CONNECTION_NULL;
	return m->call.row->roles[0].device != NULL && is_device(owner, m->call.roles[0]);
}

static int end_old(struct tapi_line *line, const struct csta_message *m, const char *kept, struct instant now)
{
	int ask = 0;

	for (size_t i = 0; i < 2; i++) {
		struct call_said end = { .id = m->old[i], .state = CONNECTION_NULL, .answered = -1, .direction = -1 };

		if (m->old[i] != NULL && (kept == NULL || strcmp(kept, m->old[i]) != 0))
			ask |= line_call_changed(line, &end, now);
	}
	return ask;
}

/* A call that rings with us rings on; in a conference everybody talks; else nothing changes for us. */
static uint8_t joined_state(const struct csta_message *m, const struct call_said *old, bool had_one)
{
	bool transfer = m->call.row->roles[0].device != NULL;

	if (m->call.local >= 0)
		return (uint8_t)m->call.local;
	if (had_one && (old->state == CONNECTION_ALERTING || transfer))
		return old->state;
	return CONNECTION_CONNECTED;
}

/* ECMA-269 17.2.3, 17.2.26. The calls are looked at again soon whatever comes out: switches differ most here. */
static int take_transfer(struct tapi_line *line, const struct csta_message *m, const struct csta_owner *owner,
    struct instant now, unsigned *ret_ask)
{
	struct call_said old = { 0 }, said = { .direction = -1 };
	const struct csta_party *other = other_end(m, owner);
	bool leave = we_leave(m, owner), had_one = old_end(line, m, &old);
	const char *id = leave ? NULL : new_id(m, owner);
	int r = 0;

	if (owner->device == NULL && m->call.local < 0)
		return CSTA_EFFECT_UNCLEAR;
	if (had_one)
		said = old;
	said.id = id;
	said.state = joined_state(m, &old, had_one);
	said.answered = 1;
	said.since = 0;
	if (other != NULL) {
		said.parties_said = true;
		said.peer = other->number;
		said.name = other->name;
	} else if (m->joined_count > 1 && !is_joined(m, said.peer)) {
		said.parties_said = true; /* several, and who it was with is none of them */
		said.peer = said.name = NULL;
	}
	if (id != NULL)
		r = line_call_changed(line, &said, now); /* first: `old` borrows from what ends */
	if (r < 0)
		return r;
	*ret_ask =
	    (unsigned)(r | end_old(line, m, id, now)) | TAPI_ASK_AGAIN | (id == NULL && !leave ? TAPI_ASK_CALLS : 0);
	return CSTA_EFFECT_TAKEN;
}

/* --- the whole ------------------------------------------------------------------------------------- */

static int take_forward(struct tapi_line *line, const struct csta_message *m, unsigned *ret_ask)
{
	const struct csta_forward *f = &m->forward;
	int r;

	if (f->kind < 0)
		return CSTA_EFFECT_NONE;
	r = line_forward_changed(line, (enum line_forward)f->kind, f->on, f->to);
	if (r < 0)
		return r;
	*ret_ask = (unsigned)r | (f->typed ? 0 : TAPI_ASK_FORWARD);
	return CSTA_EFFECT_TAKEN;
}

static int take_dnd(struct tapi_line *line, const struct csta_message *m)
{
	if (m->dnd < 0)
		return CSTA_EFFECT_NONE;
	line_dnd_changed(line, m->dnd);
	return CSTA_EFFECT_TAKEN;
}

int csta_line_event(struct tapi_line *line, const struct csta_message *m, const struct csta_owner *owner,
    struct instant now, unsigned *ret_ask)
{
	*ret_ask = 0;
	switch (m->kind) {
	case CSTA_CALL_EVENT:
		return take_call(line, m, owner, now, ret_ask);
	case CSTA_TRANSFER_EVENT:
		return take_transfer(line, m, owner, now, ret_ask);
	case CSTA_DND_EVENT:
		return take_dnd(line, m);
	case CSTA_FORWARD_EVENT:
		return take_forward(line, m, ret_ask);
	case CSTA_OUT_OF_SERVICE_EVENT:
	case CSTA_IN_SERVICE_EVENT:
		*ret_ask = (unsigned)line_service_changed(line, m->kind == CSTA_IN_SERVICE_EVENT, now);
		return CSTA_EFFECT_TAKEN;
	case CSTA_CHANGED_EVENT:
		*ret_ask = TAPI_ASK_EVERYTHING;
		return CSTA_EFFECT_NONE;
	case CSTA_OTHER_EVENT:
	case CSTA_SYSTEM_STATUS:
	case CSTA_STATUS_QUESTION:
	case CSTA_MONITOR_STOP:
	case CSTA_SNAPSHOT_DATA:
	case CSTA_SESSION_ENDED:
	case CSTA_OTHER_REQUEST:
	case CSTA_RESPONSE:
	case CSTA_NEGATIVE_RESPONSE:
	case CSTA_ERROR:
		break;
	}
	return CSTA_EFFECT_NONE;
}

/* Who rings is called. Who is connected may have called, or have been transferred: that is not known. */
static int8_t snapshot_direction(const struct csta_call *c)
{
	if (c->local == CONNECTION_ALERTING)
		return DIRECTION_IN;
	return c->local == CONNECTION_INITIATED ? DIRECTION_OUT : -1;
}

int csta_line_snapshot(struct tapi_line *line, const struct csta_message *m, uint32_t asked, struct instant now)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->call_count; i++) {
		const struct csta_call *c = &m->calls[i];
		const struct call_said said = { .id = c->id,
			.state = (uint8_t)c->local,
			.answered = c->answered,
			.direction = snapshot_direction(c),
			.parties_said = c->called.number != NULL,
			.peer = c->called.number,
			.name = c->called.name };

		r = line_call_answered(line, &said, asked, now);
	}
	return r;
}

int csta_line_forwards(struct tapi_line *line, const struct csta_message *m, uint32_t asked)
{
	const char *to[LINE_FORWARDS] = { NULL };
	uint8_t on = 0;

	for (size_t i = 0; i < m->forward_count; i++) {
		const struct csta_forward *f = &m->forwards[i];

		if (f->kind < 0 || !f->on)
			continue;
		on |= (uint8_t)(1u << f->kind);
		to[f->kind] = f->to;
	}
	return line_forwards_answered(line, true, on, to, asked);
}
