/* bridge_document.c: names and numbers of TAPI (tapi.h of Windows), by tables.
 * SPDX-License-Identifier: MIT */
#include "connectors/tapi/bridge_document.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/json_in.h"
#include "daemon/base/utf8.h"

#define NUMBER_END (INT64_C(1) << 53)

static int wrong(struct bridge_fault *fault, const char *key, const char *expected)
{
	snprintf(fault->text, sizeof fault->text, "%s: expected %s", key, expected);
	return -EINVAL;
}

/* --- members --------------------------------------------------------------------------------------- */

static const json_t *member(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

int bridge_text(const json_t *object, const char *key, size_t max, const char **ret, struct bridge_fault *fault)
{
	const json_t *value = member(object, key);

	*ret = json_string_value(value);
	if (*ret == NULL || **ret == '\0')
		return wrong(fault, key, "a text that is not empty");
	if (json_string_length(value) > max)
		return wrong(fault, key, "a shorter text");
	return utf8_has_control(*ret, strlen(*ret)) ? wrong(fault, key, "a text without control characters") : 0;
}

int bridge_text_optional(const json_t *object, const char *key, const char **ret, struct bridge_fault *fault)
{
	const json_t *value = member(object, key);

	*ret = json_string_value(value);
	if (value != NULL && (*ret == NULL || json_string_length(value) > BRIDGE_TEXT_BYTES))
		return wrong(fault, key, "a text of at most 256 bytes");
	return 0;
}

int bridge_number(const json_t *object, const char *key, int64_t *ret, struct bridge_fault *fault)
{
	const json_t *value = member(object, key);

	*ret = json_integer_value(value);
	if (!json_is_integer(value) || *ret >= NUMBER_END || *ret <= -NUMBER_END)
		return wrong(fault, key, "a whole number below two to the power of 53");
	return 0;
}

int bridge_truth(const json_t *object, const char *key, bool *ret, struct bridge_fault *fault)
{
	const json_t *value = member(object, key);

	*ret = json_is_true(value);
	return json_is_boolean(value) ? 0 : wrong(fault, key, "true or false");
}

int bridge_truth_or_null(const json_t *object, const char *key, int8_t *ret, struct bridge_fault *fault)
{
	const json_t *value = json_object_get(object, key);

	*ret = json_is_boolean(value) ? (int8_t)json_is_true(value) : -1;
	return json_is_boolean(value) || json_is_null(value) ? 0 : wrong(fault, key, "true, false or null");
}

int bridge_texts_optional(const json_t *object, const char *key, struct bridge_fault *fault)
{
	const json_t *list = member(object, key), *one;
	size_t i;

	if (list != NULL && !json_is_array(list))
		return wrong(fault, key, "a list of texts");
	json_array_foreach(list, i, one)
	{
		if (!json_is_string(one))
			return wrong(fault, key, "a list of texts");
	}
	return 0;
}

int bridge_can(const json_t *object, unsigned *ret, struct bridge_fault *fault)
{
	static const char *const words[] = { [BRIDGE_CAN_FORWARD] = "forward", [BRIDGE_CAN_DND] = "dnd" };
	const json_t *list = member(object, "can");
	const json_t *one;
	size_t i;

	*ret = 0;
	if (bridge_texts_optional(object, "can", fault) < 0)
		return -EINVAL;
	json_array_foreach(list, i, one)
	{
		for (unsigned w = 0; w < sizeof words / sizeof *words; w++)
			if (strcmp(words[w], json_string_value(one)) == 0)
				*ret |= 1u << w;
	}
	return 0;
}

/* --- names and numbers ----------------------------------------------------------------------------- */

struct constant {
	const char *name; /* NULL ends the table */
	uint32_t value;
	int meaning;
};

static const struct constant *by_name(const struct constant *table, const char *name)
{
	for (; table->name != NULL; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

static const struct constant *by_value(const struct constant *table, uint32_t value)
{
	for (; table->name != NULL; table++)
		if (table->value == value)
			return table;
	return NULL;
}

/* A name or a number, as bits. 0: there is none, or -ENOENT: a name that is not known; -EINVAL: neither. */
static int constant_bits(const json_t *value, const struct constant *table, uint32_t *ret)
{
	const struct constant *c;

	*ret = 0;
	if (json_is_integer(value)) {
		json_int_t number = json_integer_value(value);

		*ret = number >= 0 && number <= UINT32_MAX ? (uint32_t)number : 0; /* 0 is in no table */
		return 0;
	}
	if (value == NULL)
		return 0;
	if (!json_is_string(value))
		return -EINVAL;
	c = by_name(table, json_string_value(value));
	*ret = c == NULL ? 0 : c->value;
	return c == NULL ? -ENOENT : 0;
}

/* LINECALLSTATE_; its meaning is enum connection, dialing in all its kinds being one. */
static const struct constant call_states[] = {
	{ "IDLE", 0x1, CONNECTION_NULL },
	{ "OFFERING", 0x2, CONNECTION_ALERTING },
	{ "ACCEPTED", 0x4, CONNECTION_ALERTING },
	{ "DIALTONE", 0x8, CONNECTION_INITIATED },
	{ "DIALING", 0x10, CONNECTION_INITIATED },
	{ "RINGBACK", 0x20, CONNECTION_INITIATED },
	{ "BUSY", 0x40, CONNECTION_INITIATED },
	{ "SPECIALINFO", 0x80, CONNECTION_INITIATED },
	{ "CONNECTED", 0x100, CONNECTION_CONNECTED },
	{ "PROCEEDING", 0x200, CONNECTION_INITIATED },
	{ "ONHOLD", 0x400, CONNECTION_HOLD },
	{ "CONFERENCED", 0x800, CONNECTION_CONFERENCED },
	{ "ONHOLDPENDCONF", 0x1000, CONNECTION_HOLD },
	{ "ONHOLDPENDTRANSFER", 0x2000, CONNECTION_HOLD },
	{ "DISCONNECTED", 0x4000, CONNECTION_QUEUED }, /* it is there, and counts for nothing */
	{ "UNKNOWN", 0x8000, CONNECTION_UNKNOWN },
	{ 0 },
};
#define STATE_BITS	0x00ffffffu /* the others belong to the provider */
#define STATE_OFFERING	0x2u
#define STATE_CONNECTED 0x100u

/* LINECONNECTEDMODE_ and LINEOFFERINGMODE_ agree where both have a bit; 1: the call is at another place. */
static const struct constant call_modes[] = {
	{ "ACTIVE", 0x1, 0 },
	{ "INACTIVE", 0x2, 1 },
	{ "ACTIVEHELD", 0x4, 0 },
	{ "INACTIVEHELD", 0x8, 1 },
	{ "CONFIRMED", 0x10, 0 },
	{ 0 },
};
#define MODES_ELSEWHERE_CONNECTED (0x2u | 0x8u)
#define MODES_ELSEWHERE_OFFERING  0x2u

static const struct constant call_origins[] = {
	{ "OUTBOUND", 0x1, DIRECTION_OUT },
	{ "INTERNAL", 0x2, DIRECTION_IN },
	{ "EXTERNAL", 0x4, DIRECTION_IN },
	{ "UNKNOWN", 0x10, -1 },
	{ "INBOUND", 0x80, DIRECTION_IN },
	{ 0 },
};

static int call_state(const json_t *object, struct call_said *ret, struct bridge_fault *fault)
{
	const struct constant *c;
	uint32_t state, mode;
	bool elsewhere;

	if (member(object, "state") == NULL || constant_bits(member(object, "state"), call_states, &state) < 0)
		return wrong(fault, "state", "the name of a call state or its number");
	state &= STATE_BITS;
	c = by_value(call_states, state);
	ret->state = c == NULL ? CONNECTION_UNKNOWN : (uint8_t)c->meaning;
	if (constant_bits(member(object, "mode"), call_modes, &mode) < 0)
		mode = 0;
	elsewhere = (state == STATE_CONNECTED && (mode & MODES_ELSEWHERE_CONNECTED) != 0) ||
	    (state == STATE_OFFERING && (mode & MODES_ELSEWHERE_OFFERING) != 0);
	if (elsewhere)
		ret->state = CONNECTION_QUEUED;
	ret->answered = ret->state == CONNECTION_CONNECTED ? 1 : -1;
	return 0;
}

static const char *not_empty(const char *text)
{
	return text == NULL || *text == '\0' ? NULL : text;
}

/* null says that it is not known, and so does an empty text; what is absent stays as it was. */
static int call_parties(const json_t *object, struct call_said *ret, struct bridge_fault *fault)
{
	ret->parties_said = json_object_get(object, "peer") != NULL || json_object_get(object, "peerName") != NULL;
	if (bridge_text_optional(object, "peer", &ret->peer, fault) < 0 ||
	    bridge_text_optional(object, "peerName", &ret->name, fault) < 0)
		return -EINVAL;
	ret->peer = not_empty(ret->peer);
	ret->name = not_empty(ret->name);
	return 0;
}

static int call_times(const json_t *object, struct call_said *ret, struct bridge_fault *fault)
{
	const char *since;

	if (bridge_text_optional(object, "connectedSince", &since, fault) < 0)
		return -EINVAL;
	if (since != NULL && instant_parse(since, &ret->since) < 0)
		return wrong(fault, "connectedSince", "a time as in RFC 3339");
	if (ret->state != CONNECTION_CONNECTED)
		ret->since = 0;
	return 0;
}

int bridge_call(const json_t *object, struct call_said *ret, struct bridge_fault *fault)
{
	const struct constant *origin;
	uint32_t bits;

	*ret = (struct call_said){ .direction = -1 };
	if (!json_is_object(object))
		return wrong(fault, "calls", "a list of objects");
	if (bridge_text(object, "call", BRIDGE_TEXT_BYTES, &ret->id, fault) < 0 || call_state(object, ret, fault) < 0 ||
	    call_parties(object, ret, fault) < 0 || call_times(object, ret, fault) < 0)
		return -EINVAL;
	if (constant_bits(member(object, "origin"), call_origins, &bits) == 0) {
		origin = by_value(call_origins, bits);
		ret->direction = origin == NULL ? -1 : (int8_t)origin->meaning;
	}
	return 0;
}

/* --- forwards -------------------------------------------------------------------------------------- */

/* LINEFORWARDMODE_; -1: only under a condition, -2: not known. */
#define ON_CONDITION	  (-1)
#define FORWARD_NOT_KNOWN (-2)
static const struct constant forward_modes[] = {
	{ "UNCOND", 0x1, LINE_FORWARD_ALL },
	{ "UNCONDINTERNAL", 0x2, LINE_FORWARD_INTERNAL },
	{ "UNCONDEXTERNAL", 0x4, LINE_FORWARD_EXTERNAL },
	{ "UNCONDSPECIFIC", 0x8, ON_CONDITION },
	{ "BUSY", 0x10, ON_CONDITION },
	{ "BUSYINTERNAL", 0x20, ON_CONDITION },
	{ "BUSYEXTERNAL", 0x40, ON_CONDITION },
	{ "BUSYSPECIFIC", 0x80, ON_CONDITION },
	{ "NOANSW", 0x100, ON_CONDITION },
	{ "NOANSWINTERNAL", 0x200, ON_CONDITION },
	{ "NOANSWEXTERNAL", 0x400, ON_CONDITION },
	{ "NOANSWSPECIFIC", 0x800, ON_CONDITION },
	{ "BUSYNA", 0x1000, ON_CONDITION },
	{ "BUSYNAINTERNAL", 0x2000, ON_CONDITION },
	{ "BUSYNAEXTERNAL", 0x4000, ON_CONDITION },
	{ "BUSYNASPECIFIC", 0x8000, ON_CONDITION },
	{ "UNKNOWN", 0x10000, FORWARD_NOT_KNOWN },
	{ "UNAVAIL", 0x20000, FORWARD_NOT_KNOWN },
	{ 0 },
};

/* One entry of one mode. Where all calls go to nowhere nobody is to be disturbed; the first real target counts. */
static void add_forward(struct bridge_forwards *f, int kind, const char *dest)
{
	if (kind == FORWARD_NOT_KNOWN)
		f->known = false;
	if (kind < 0)
		return;
	if (kind == LINE_FORWARD_ALL && dest != NULL && *dest == '\0') {
		f->dnd = true;
		return;
	}
	if ((f->on >> kind & 1) == 0)
		f->to[kind] = dest;
	f->on |= (uint8_t)(1u << kind);
}

static int read_forward(const json_t *entry, struct bridge_forwards *f, struct bridge_fault *fault)
{
	const char *dest;
	uint32_t bits, known = 0;

	if (!json_is_object(entry))
		return wrong(fault, "entries", "a list of objects");
	if (bridge_text_optional(entry, "dest", &dest, fault) < 0)
		return -EINVAL;
	if (member(entry, "mode") == NULL || constant_bits(member(entry, "mode"), forward_modes, &bits) < 0)
		return wrong(fault, "mode", "the name of a forward mode or its number");
	for (const struct constant *c = forward_modes; c->name != NULL; c++) {
		known |= c->value;
		if ((bits & c->value) != 0)
			add_forward(f, c->meaning, dest);
	}
	if (bits == 0 || (bits & ~known) != 0)
		f->known = false;
	return 0;
}

int bridge_forwards(const json_t *entries, struct bridge_forwards *ret, struct bridge_fault *fault)
{
	const unsigned both = 1u << LINE_FORWARD_INTERNAL | 1u << LINE_FORWARD_EXTERNAL;
	const char *to;
	const json_t *one;
	size_t i;

	*ret = (struct bridge_forwards){ .known = json_is_array(entries) };
	if (!json_is_null(entries) && !json_is_array(entries))
		return wrong(fault, "entries", "a list or null");
	json_array_foreach(entries, i, one)
	{
		if (read_forward(one, ret, fault) < 0)
			return -EINVAL;
	}
	to = ret->to[LINE_FORWARD_EXTERNAL];
	if ((ret->on & both) == both && (ret->on >> LINE_FORWARD_ALL & 1) == 0 && to != NULL && *to == '\0')
		ret->dnd = true;
	if (ret->dnd)
		ret->on &= (uint8_t)~both; /* they count only where there is no other for all calls */
	return 0;
}

/* --- devices --------------------------------------------------------------------------------------- */

/* LINEDEVSTATE_. */
static const struct constant device_states[] = {
	{ "OTHER", 0x1, 0 },
	{ "RINGING", 0x2, 0 },
	{ "CONNECTED", 0x4, 0 },
	{ "DISCONNECTED", 0x8, 0 },
	{ "MSGWAITON", 0x10, 0 },
	{ "MSGWAITOFF", 0x20, 0 },
	{ "INSERVICE", 0x40, BRIDGE_IN_SERVICE },
	{ "OUTOFSERVICE", 0x80, BRIDGE_OUT_OF_SERVICE },
	{ "MAINTENANCE", 0x100, BRIDGE_OUT_OF_SERVICE },
	{ "OPEN", 0x200, 0 },
	{ "CLOSE", 0x400, 0 },
	{ "NUMCALLS", 0x800, 0 },
	{ "NUMCOMPLETIONS", 0x1000, 0 },
	{ "TERMINALS", 0x2000, 0 },
	{ "ROAMMODE", 0x4000, 0 },
	{ "BATTERY", 0x8000, 0 },
	{ "SIGNAL", 0x10000, 0 },
	{ "DEVSPECIFIC", 0x20000, 0 },
	{ "REINIT", 0x40000, BRIDGE_REINIT },
	{ "LOCK", 0x80000, 0 },
	{ "CAPSCHANGE", 0x100000, 0 },
	{ "CONFIGCHANGE", 0x200000, 0 },
	{ "TRANSLATECHANGE", 0x400000, 0 },
	{ "COMPLCANCEL", 0x800000, 0 },
	{ "REMOVED", 0x1000000, BRIDGE_REMOVED },
	{ 0 },
};

int bridge_device(const json_t *object, unsigned *ret, struct bridge_fault *fault)
{
	uint32_t bits;

	*ret = 0;
	if (member(object, "state") == NULL || constant_bits(member(object, "state"), device_states, &bits) < 0)
		return wrong(fault, "state", "the name of a device state or its number");
	for (const struct constant *c = device_states; c->name != NULL; c++)
		if ((bits & c->value) != 0)
			*ret |= (unsigned)c->meaning;
	return 0;
}

/* --- the whole ------------------------------------------------------------------------------------- */

static const char *const types[BRIDGE_TYPES] = {
	[BRIDGE_HELLO] = "hello",
	[BRIDGE_LINE_OPEN] = "lineOpen",
	[BRIDGE_LINE_CLOSE] = "lineClose",
	[BRIDGE_CALL] = "lineCallState",
	[BRIDGE_FORWARD] = "lineForward",
	[BRIDGE_DND] = "lineDnd",
	[BRIDGE_DEVICE] = "lineDevState",
	[BRIDGE_STATE] = "lineState",
	[BRIDGE_RESYNC] = "resync",
	[BRIDGE_PING] = "ping",
	[BRIDGE_PONG] = "pong",
	[BRIDGE_ERROR] = "error",
	[BRIDGE_BYE] = "bye",
};

int bridge_read(const char *data, size_t len, struct bridge_message *ret, struct bridge_fault *fault)
{
	const char *type;
	int r;

	*ret = (struct bridge_message){ .type = BRIDGE_UNKNOWN };
	r = json_in_object(data, len, &ret->json, fault->text, sizeof fault->text);
	if (r < 0)
		return r == -ENOMEM ? r : -EINVAL;
	if (bridge_number(ret->json, "seq", &ret->seq, fault) < 0 || ret->seq < 0)
		ret->seq = 0;
	if (bridge_text(ret->json, "type", BRIDGE_TEXT_BYTES, &type, fault) < 0) {
		bridge_message_done(ret);
		return -EINVAL;
	}
	for (int i = 0; i < BRIDGE_TYPES; i++)
		if (strcmp(types[i], type) == 0)
			ret->type = (enum bridge_type)i;
	return 0;
}

void bridge_message_done(struct bridge_message *m)
{
	json_decref(m->json);
	m->json = NULL;
}
