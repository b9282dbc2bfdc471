/* csta_document.c: the elements of CSTA documents, by tables.
 * SPDX-License-Identifier: MIT */
#include "connectors/tapi/csta_document.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* --- elements -------------------------------------------------------------------------------------- */

static const struct xml_node *from(const struct xml_node *node, const char *name)
{
	while (node != NULL && strcasecmp(node->name, name) != 0)
		node = node->next;
	return node;
}

static const struct xml_node *child(const struct xml_node *node, const char *name)
{
	return node == NULL ? NULL : from(node->first, name);
}

/* The next node in the order of the document, below `root`; NULL after the last one. */
static const struct xml_node *following(const struct xml_node *root, const struct xml_node *node)
{
	if (node->first != NULL)
		return node->first;
	while (node != root && node->next == NULL)
		node = node->parent;
	return node == root ? NULL : node->next;
}

/* The first element called so, however deep, the root included. */
static const struct xml_node *anywhere(const struct xml_node *root, const char *name)
{
	const struct xml_node *node = root;

	while (node != NULL && strcasecmp(node->name, name) != 0)
		node = following(root, node);
	return node;
}

static const char *text_of(struct xml_reader *x, const struct xml_node *node)
{
	if (node == NULL || *node->text == '\0' || strlen(node->text) > CSTA_TEXT_MAX_BYTES)
		return NULL;
	return xml_clean(x, node->text, CSTA_TEXT_MAX_BYTES);
}

static const char *field(struct xml_reader *x, const struct xml_node *node, const char *name)
{
	return text_of(x, child(node, name));
}

static int8_t truth(const struct xml_node *node)
{
	if (node == NULL)
		return -1;
	if (strcasecmp(node->text, "true") == 0 || strcmp(node->text, "1") == 0)
		return 1;
	return strcasecmp(node->text, "false") == 0 || strcmp(node->text, "0") == 0 ? 0 : -1;
}

static int64_t number(const struct xml_node *node)
{
	int64_t n = 0;

	for (const char *p = node == NULL ? "" : node->text; *p >= '0' && *p <= '9' && n < INT32_MAX; p++)
		n = n * 10 + (*p - '0');
	return n;
}

/* The place of a word in a list, by name or by number; -1. */
static int word(const struct xml_node *node, const char *const *words, int count)
{
	if (node == NULL || *node->text == '\0')
		return -1;
	for (int i = 0; i < count; i++)
		if (strcasecmp(words[i], node->text) == 0)
			return i;
	return node->text[strspn(node->text, "0123456789")] == '\0' && number(node) < count ? (int)number(node) : -1;
}

/* --- devices and connections ----------------------------------------------------------------------- */

/* A device is wrapped, or bare text; notKnown, restricted and the like are none. */
static const char *device(struct xml_reader *x, const struct xml_node *node)
{
	static const char *const wraps[] = { "deviceIdentifier", "deviceID", "numberDialed" };

	if (node == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof wraps / sizeof *wraps; i++)
		if (child(node, wraps[i]) != NULL)
			return text_of(x, child(node, wraps[i]));
	return text_of(x, node);
}

static const char *piece(struct xml_reader *x, const char *text, size_t len)
{
	char *copy = len == 0 ? NULL : xml_alloc(x, len + 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return xml_clean(x, copy, RAW_MAX_TEXT_BYTES);
}

static bool has_scheme(const char *text)
{
	return strncasecmp(text, "tel:", 4) == 0 || strncasecmp(text, "sip:", 4) == 0 ||
	    strncasecmp(text, "sips:", 5) == 0;
}

/* Number and name for people: N<201>Ann Lee;.. (ECMA-323 9.3) and 201:CM1:10.0.0.1:0 are taken apart, all else is left. */
static void take_apart(struct xml_reader *x, const char *text, struct csta_party *ret)
{
	const char *open = text == NULL ? NULL : strchr(text, '<'), *end;

	if (text == NULL)
		return;
	if (open != NULL && open - text <= 1 && (end = strchr(open, '>')) != NULL) {
		ret->number = piece(x, open + 1, (size_t)(end - open - 1));
		ret->name = piece(x, end + 1, strcspn(end + 1, ";"));
	} else {
		ret->number = piece(x, text, has_scheme(text) ? strlen(text) : strcspn(text, ":"));
	}
}

static struct csta_party party(struct xml_reader *x, const struct xml_node *node)
{
	struct csta_party p = { .said = node != NULL, .withheld = child(node, "restricted") != NULL };

	take_apart(x, device(x, node), &p);
	return p;
}

/* The id of a call: its callID, or where there is none the text of its device, which is unique then. */
static const char *call_id(struct xml_reader *x, const struct xml_node *connection)
{
	const struct xml_node *id = child(connection, "callID");

	return field(x, connection, id != NULL && *id->text != '\0' ? "callID" : "deviceID");
}

static size_t key_prefix(const char *text)
{
	static const char *const schemes[] = { "tel:", "sip:", "sips:" };

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (strncasecmp(text, schemes[i], strlen(schemes[i])) == 0)
			return strlen(schemes[i]);
	return 0;
}

const char *csta_device_key(const char *text, char *buf, size_t size)
{
	const char *open = strchr(text, '<');
	size_t at = 0;

	if (open != NULL && open - text <= 1)
		text = open + 1;
	text += key_prefix(text);
	for (; *text != '\0' && strchr(">;!&/%@:", *text) == NULL && at + 1 < size; text++)
		if (strchr(" -.()", *text) == NULL)
			buf[at++] = *text;
	buf[at] = '\0';
	return buf;
}

/* --- states ---------------------------------------------------------------------------------------- */

static const char *const connection_names[] = {
#define X(symbol, name) [CONNECTION_##symbol] = (name),
	CONNECTION_MAP(X)
#undef X
};

/* simpleCallState (ECMA-269 12.2.24): what both ends do in one word. */
static const struct {
	const char *name;
	uint8_t value, state;
	int8_t answered;
} simple_states[] = {
	{ "callNull", 0x00, CONNECTION_NULL, -1 },
	{ "callPending", 0x01, CONNECTION_INITIATED, 0 },
	{ "callOriginated", 0x03, CONNECTION_CONNECTED, 0 },
	{ "callDelivered", 0x23, CONNECTION_CONNECTED, 0 },
	{ "callDeliveredHeld", 0x24, CONNECTION_HOLD, 0 },
	{ "callReceived", 0x32, CONNECTION_ALERTING, -1 },
	{ "callEstablished", 0x33, CONNECTION_CONNECTED, 1 },
	{ "callEstablishedHeld", 0x34, CONNECTION_HOLD, 1 },
	{ "callReceivedOnHold", 0x42, CONNECTION_ALERTING, -1 },
	{ "callEstablishedOnHold", 0x43, CONNECTION_CONNECTED, 1 },
	{ "callQueued", 0x53, CONNECTION_CONNECTED, 0 },
	{ "callQueuedHeld", 0x54, CONNECTION_HOLD, 0 },
	{ "callFailed", 0x63, CONNECTION_CONNECTED, 0 },
	{ "callFailedHeld", 0x64, CONNECTION_HOLD, 0 },
	{ "callBlocked", 0x60, CONNECTION_NULL, -1 },
};

static void read_simple_state(const struct xml_node *node, struct csta_call *c)
{
	bool digits = node->text[0] != '\0' && node->text[strspn(node->text, "0123456789")] == '\0';

	for (size_t i = 0; i < sizeof simple_states / sizeof *simple_states; i++) {
		if (digits ? number(node) != simple_states[i].value :
			     strcasecmp(node->text, simple_states[i].name) != 0)
			continue;
		c->local = (int8_t)simple_states[i].state;
		c->answered = simple_states[i].answered;
		return;
	}
}

static int connection_state(const struct xml_node *node)
{
	return word(node, connection_names, CONNECTION_UNKNOWN);
}

/* The first is ours, the others tell whether somebody takes part. */
static void read_compound_state(const struct xml_node *node, struct csta_call *c)
{
	const struct xml_node *state = child(node, "localConnectionState");
	int ours = connection_state(state);

	if (ours < 0)
		return;
	c->local = (int8_t)ours;
	state = from(state->next, "localConnectionState");
	c->answered = state == NULL ? 1 : 0;
	for (; state != NULL; state = from(state->next, "localConnectionState")) {
		int other = connection_state(state);

		if (other == CONNECTION_CONNECTED || other == CONNECTION_HOLD)
			c->answered = 1;
	}
}

/* --- call events ----------------------------------------------------------------------------------- */

static const struct csta_event_row call_events[] = {
	{ "ServiceInitiatedEvent", "initiatedConnection", { { NULL, CONNECTION_INITIATED } }, .answered = 0 },
	{ "OriginatedEvent", "originatedConnection", { { NULL, CONNECTION_CONNECTED } }, .answered = 0 },
	{ "DigitsDialedEvent", "dialingConnection", { { 0 } }, .answered = -1 },
	{ "NetworkReachedEvent", "outboundConnection", { { 0 } }, .answered = -1 },
	{ "CallInformationEvent", "connection", { { 0 } }, .answered = -1 },
	{ "OfferedEvent", "offeredConnection", { { "offeredDevice", CONNECTION_ALERTING } }, .answered = 0 },
	{ "DeliveredEvent", "connection",
	    { { "alertingDevice", CONNECTION_ALERTING }, { "callingDevice", CONNECTION_CONNECTED } }, .answered = 0 },
	{ "EstablishedEvent", "establishedConnection",
	    { { "answeringDevice", CONNECTION_CONNECTED }, { "callingDevice", CONNECTION_CONNECTED } }, .answered = 1 },
	{ "HeldEvent", "heldConnection", { { "holdingDevice", CONNECTION_HOLD } }, .answered = -1, .pauses = true },
	{ "RetrievedEvent", "retrievedConnection", { { "retrievingDevice", CONNECTION_CONNECTED } }, .answered = -1,
	    .was_held = true, .pauses = true },
	{ "QueuedEvent", "queuedConnection",
	    { { "queue", CONNECTION_QUEUED }, { "callingDevice", CONNECTION_CONNECTED } }, .answered = 0 },
	{ "DivertedEvent", "connection", { { "divertingDevice", CONNECTION_NULL } }, .answered = -1 },
	{ "BridgedEvent", "bridgedConnection", { { "bridgedAppearance", CONNECTION_QUEUED } }, .answered = -1 },
	{ "FailedEvent", "failedConnection",
	    { { "failingDevice", CONNECTION_FAIL }, { "callingDevice", CONNECTION_CONNECTED } }, .answered = 0 },
	{ "ConnectionClearedEvent", "droppedConnection", { { "releasingDevice", CONNECTION_NULL } }, .answered = -1,
	    .dropped = true },
	{ "CallClearedEvent", "clearedCall", { { NULL, CONNECTION_NULL } }, .answered = -1, .over = true },
};

/* Here a role is who leaves. */
static const struct csta_event_row transfer_events[] = {
	{ "TransferedEvent", "transferredConnections", { { "transferringDevice", CONNECTION_NULL } }, .answered = 1 },
	{ "TransferredEvent", "transferredConnections", { { "transferringDevice", CONNECTION_NULL } }, .answered = 1 },
	{ "ConferencedEvent", "conferenceConnections", { { 0 } }, .answered = 1 },
};

static void read_roles(
    struct xml_reader *x, const struct xml_node *root, const struct csta_event_row *row, struct csta_call *c)
{
	c->row = row;
	c->local = (int8_t)connection_state(child(root, "localConnectionInfo"));
	c->answered = row->answered;
	for (size_t i = 0; i < 2; i++)
		if (row->roles[i].device != NULL)
			c->roles[i] = device(x, child(root, row->roles[i].device));
	c->calling = party(x, child(root, "callingDevice"));
	c->called = party(x, child(root, "calledDevice"));
	if (!c->calling.said)
		c->calling = party(x, child(root, "initiatingDevice"));
}

static int read_call_event(struct xml_reader *x, const struct xml_node *root, const struct csta_event_row *row,
    struct csta_message *m, struct parse_error *error)
{
	const struct xml_node *connection = child(root, row->connection);

	m->kind = CSTA_CALL_EVENT;
	read_roles(x, root, row, &m->call);
	m->call.id = call_id(x, connection);
	m->call.dropped = row->dropped ? field(x, connection, "deviceID") : NULL;
	if (m->call.id == NULL)
		return xml_fail(root, error, "%s has no %s with a callID", root->name, row->connection) < 0 ? -EBADMSG :
													      0;
	return 0;
}

static int read_transfer_event(
    struct xml_reader *x, const struct xml_node *root, const struct csta_event_row *row, struct csta_message *m)
{
	const struct xml_node *list = child(root, row->connection);
	struct csta_joined *joined;
	size_t count = 0;

	m->kind = CSTA_TRANSFER_EVENT;
	read_roles(x, root, row, &m->call);
	m->old[0] = call_id(x, child(root, "primaryOldCall"));
	m->old[1] = call_id(x, child(root, "secondaryOldCall"));
	for (const struct xml_node *n = child(list, "connectionListItem"); n != NULL;
	     n = from(n->next, "connectionListItem"))
		count++;
	joined = xml_alloc(x, (count + 1) * sizeof *joined);
	if (joined == NULL)
		return -ENOMEM;
	m->joined = joined;
	for (const struct xml_node *n = child(list, "connectionListItem"); n != NULL;
	     n = from(n->next, "connectionListItem")) {
		struct csta_joined *one = &joined[m->joined_count++];
		const struct xml_node *end = child(n, "endpoint"), *ours = child(child(n, "newConnection"), "deviceID");

		*one = (struct csta_joined){ .id = field(x, child(n, "newConnection"), "callID"),
			.device = device(x, ours),
			.endpoint = device(x, end),
			.party = party(x, end != NULL ? end : ours) };
	}
	return 0;
}

/* --- forwarding ------------------------------------------------------------------------------------ */

static const char *const forward_types[] = { "forwardImmediate", "forwardBusy", "forwardNoAns", "forwardBusyInt",
	"forwardBusyExt", "forwardNoAnsInt", "forwardNoAnsExt", "forwardImmInt", "forwardImmExt", "forwardDND",
	"forwardDNDInt", "forwardDNDExt" };
#define FORWARD_TYPES ((int)(sizeof forward_types / sizeof *forward_types))

/* A type that is missing is every call; one that is not known is a detail, as are those with a condition. */
static struct csta_forward read_forward(struct xml_reader *x, const struct xml_node *node)
{
	const struct xml_node *type = child(node, "forwardingType");
	const struct xml_node *to = child(node, "forwardTo");
	struct csta_party target = party(x, to != NULL ? to : child(node, "forwardDN"));
	struct csta_forward f = {
		.kind = -1, .typed = type != NULL, .on = truth(child(node, "forwardStatus")) == 1, .to = target.number
	};
	int value = word(type, forward_types, FORWARD_TYPES);

	if (type == NULL || value == 0)
		f.kind = LINE_FORWARD_ALL;
	else if (value == 7)
		f.kind = LINE_FORWARD_INTERNAL;
	else if (value == 8)
		f.kind = LINE_FORWARD_EXTERNAL;
	return f;
}

static int read_forward_list(struct xml_reader *x, const struct xml_node *root, struct csta_message *m)
{
	const struct xml_node *list = anywhere(root, "forwardingList"), *first = child(list, "forwardListItem");
	struct csta_forward *forwards;
	size_t count = 0;

	for (const struct xml_node *n = first; n != NULL; n = from(n->next, "forwardListItem"))
		count++;
	forwards = xml_alloc(x, (count + 1) * sizeof *forwards);
	if (forwards == NULL)
		return -ENOMEM;
	m->forwards = forwards;
	for (const struct xml_node *n = first; n != NULL; n = from(n->next, "forwardListItem"))
		forwards[m->forward_count++] = read_forward(x, n);
	return 0;
}

/* --- snapshots ------------------------------------------------------------------------------------- */

static struct csta_call read_snapshot_call(struct xml_reader *x, const struct xml_node *info)
{
	const struct xml_node *state = child(info, "localCallState");
	struct csta_call c = { .id = call_id(x, child(info, "connectionIdentifier")),
		.called = party(x, child(info, "endpointDevice")),
		.local = CONNECTION_UNKNOWN,
		.answered = -1 };

	if (child(state, "compoundCallState") != NULL)
		read_compound_state(child(state, "compoundCallState"), &c);
	else if (child(state, "simpleCallState") != NULL)
		read_simple_state(child(state, "simpleCallState"), &c);
	return c;
}

static int read_snapshot(struct xml_reader *x, const struct xml_node *root, struct csta_message *m)
{
	const struct xml_node *data = anywhere(root, "snapshotData"),
			      *first = child(data, "snapshotDeviceResponseInfo");
	struct csta_call *calls;
	size_t count = 0;

	m->snapshot = data != NULL;
	for (const struct xml_node *n = first; n != NULL; n = from(n->next, "snapshotDeviceResponseInfo"))
		count++;
	calls = xml_alloc(x, (count + 1) * sizeof *calls);
	if (calls == NULL)
		return -ENOMEM;
	m->calls = calls;
	for (const struct xml_node *n = first; n != NULL; n = from(n->next, "snapshotDeviceResponseInfo")) {
		calls[m->call_count] = read_snapshot_call(x, n);
		if (calls[m->call_count].id == NULL)
			calls[m->call_count].id = ""; /* a line with a call that has no name has at least that one */
		m->call_count++;
	}
	return 0;
}

/* --- the whole ------------------------------------------------------------------------------------- */

static const char *const status_names[CSTA_STATUS_COUNT] = { "initializing", "enabled", "normal", "messagesLost",
	"disabled", "overloadImminent", "overloadReached", "overloadRelieved", "partiallyDisabled" };

static const struct {
	const char *name;
	enum csta_kind kind;
} kinds[] = {
	{ "DoNotDisturbEvent", CSTA_DND_EVENT },
	{ "ForwardingEvent", CSTA_FORWARD_EVENT },
	{ "OutOfServiceEvent", CSTA_OUT_OF_SERVICE_EVENT },
	{ "BackInServiceEvent", CSTA_IN_SERVICE_EVENT },
	{ "DeviceCapsChangedEvent", CSTA_CHANGED_EVENT },
	{ "PartiallyInServiceEvent", CSTA_CHANGED_EVENT },
	{ "SystemStatus", CSTA_SYSTEM_STATUS },
	{ "RequestSystemStatus", CSTA_STATUS_QUESTION },
	{ "MonitorStop", CSTA_MONITOR_STOP },
	{ "SnapshotDeviceData", CSTA_SNAPSHOT_DATA },
	{ "ApplicationSessionTerminated", CSTA_SESSION_ENDED },
};

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && strcasecmp(text + len - n, end) == 0;
}

static enum csta_kind kind_of(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcasecmp(kinds[i].name, name) == 0)
			return kinds[i].kind;
	return ends_with(name, "NegResponse") ? CSTA_NEGATIVE_RESPONSE :
	    ends_with(name, "Response")	      ? CSTA_RESPONSE :
	    ends_with(name, "Event")	      ? CSTA_OTHER_EVENT :
						CSTA_OTHER_REQUEST;
}

static const struct csta_event_row *row_of(const struct csta_event_row *rows, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}
#define ROW_OF(rows, name) row_of(rows, sizeof(rows) / sizeof *(rows), name)

/* CSTAErrorCode/CATEGORY: text, or errorCode/definedError: text. */
static void read_refusal(struct xml_reader *x, const struct xml_node *code, struct csta_message *m)
{
	const struct xml_node *category = code == NULL ? NULL : code->first;
	const char *text = text_of(x, category);

	m->category = category == NULL ? "" : category->name;
	m->error = text != NULL ? text : "";
}

/* What several kinds of documents may say. */
static void read_fields(struct xml_reader *x, const struct xml_node *root, struct csta_message *m)
{
	const struct xml_node *data = child(root, "crossRefIDorSnapshotData");

	m->cross_ref = field(x, root, "monitorCrossRefID");
	m->status = (int8_t)word(child(root, "systemStatus"), status_names, CSTA_STATUS_COUNT);
	m->dnd = truth(child(root, "doNotDisturbOn"));
	m->session = field(x, root, "sessionID");
	m->duration = number(child(root, "actualSessionDuration"));
	m->service_cross_ref = field(x, root, "serviceCrossRefID");
	if (m->service_cross_ref == NULL)
		m->service_cross_ref = field(x, data, "serviceCrossRefID");
	m->last = truth(child(root, "lastSegment")) != 0;
}

static int read_root(
    struct xml_reader *x, const struct xml_node *root, struct csta_message *m, struct parse_error *error)
{
	const struct csta_event_row *row = ROW_OF(call_events, root->name);
	const struct xml_node *refusal = anywhere(root, "CSTAErrorCode");
	int r = 0;

	read_fields(x, root, m);
	if (row != NULL)
		return read_call_event(x, root, row, m, error);
	row = ROW_OF(transfer_events, root->name);
	if (row != NULL)
		return read_transfer_event(x, root, row, m);
	m->kind = kind_of(root->name);
	if (refusal != NULL) {
		m->kind = CSTA_ERROR;
		read_refusal(x, refusal, m);
	} else if (m->kind == CSTA_NEGATIVE_RESPONSE) {
		read_refusal(x, anywhere(root, "errorCode"), m);
	} else if (m->kind == CSTA_FORWARD_EVENT) {
		m->forward = read_forward(x, root);
	} else if (m->kind == CSTA_RESPONSE || m->kind == CSTA_SNAPSHOT_DATA) {
		r = read_forward_list(x, root, m);
		r = r < 0 ? r : read_snapshot(x, root, m);
	}
	return r;
}

int csta_read(struct xml_reader *x, const char *data, size_t len, struct csta_message *ret, struct parse_error *error)
{
	const struct xml_node *root;
	int r = xml_read(x, data, len, &root, error);

	if (r < 0)
		return r;
	if (root == NULL) {
		snprintf(error->text, sizeof error->text, "there is no document");
		return -EINVAL;
	}
	*ret = (struct csta_message){ .name = root->name, .category = "", .error = "" };
	return read_root(x, root, ret, error);
}
