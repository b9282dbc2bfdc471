/* test_csta_line.c: what each event and each answer of a CSTA switch does to a line (ECMA-269 17, table by table).
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include "connectors/tapi/csta_line.h"
#include "daemon/base/buf.h"
#include "daemon/model/vocab.h"

static struct xml_reader *reader;
static struct tapi_line line;
static struct instant now;
static struct csta_owner owner;
static unsigned ask;

static int begin(void **state)
{
	(void)state;
	reader = xml_reader_new();
	line_init(&line);
	line_calls_believe(&line);
	now = (struct instant){ .mono = 1000000, .wall = 1795176000000 };
	owner = (struct csta_owner){ .device = "201" };
	return reader == NULL;
}

static int end(void **state)
{
	(void)state;
	line_done(&line);
	xml_reader_free(reader);
	return 0;
}

static void again(void **state)
{
	end(state);
	begin(state);
}

static struct csta_message read_message(const char *text)
{
	struct parse_error error = { { 0 } };
	struct csta_message m;

	if (csta_read(reader, text, strlen(text), &m, &error) != 0)
		fail_msg("%s: %s", error.text, text);
	return m;
}

static int event(const char *text)
{
	struct csta_message m = read_message(text);

	return csta_line_event(&line, &m, &owner, now, &ask);
}

static const char *reading(void)
{
	static char text[2000];
	struct line_reading r;
	size_t at;

	line_read(&line, &r);
	if (raw_facts_check(&r.facts) != NULL)
		fail_msg("%s", raw_facts_check(&r.facts));
	at = (size_t)snprintf(
	    text, sizeof text, "%s", (r.facts.known & RAW_LINE) != 0 ? vocab_name(&vocab_line, r.facts.line) : "-");
	for (size_t i = 0; i < r.facts.call_count; i++) {
		const struct raw_call *c = &r.calls[i];

		at += (size_t)snprintf(text + at, sizeof text - at, " %s/%s/%s%s%s",
		    vocab_name(&vocab_call_state, c->state),
		    c->direction < 0 ? "-" : vocab_name(&vocab_direction, c->direction),
		    c->peer == NULL ? "-" : c->peer, c->name == NULL ? "" : "/", c->name == NULL ? "" : c->name);
	}
	return text;
}

#define assert_reads(text) assert_string_equal(reading(), text)

/* An event about call 1; `devices` are its elements, `local` "" for none. */
static const char *make(const char *name, const char *connection, const char *devices, const char *local)
{
	static char text[3000];
	char info[100] = "";

	if (*local != '\0')
		snprintf(info, sizeof info, "<localConnectionInfo>%s</localConnectionInfo>", local);
	snprintf(text, sizeof text,
	    "<%s><monitorCrossRefID>m</monitorCrossRefID><%s><callID>1</callID><deviceID>%s</deviceID></%s>%s%s</%s>",
	    name, connection, strstr(devices, "dropped=201") != NULL ? "201" : "999", connection, devices, info, name);
	return text;
}

#define D(element, number) "<" element "><deviceIdentifier>" number "</deviceIdentifier></" element ">"

/* Every event of clause 17: its connection, and for each way that the device takes part what becomes of its end. */
#define SAME   "same"
#define ACTIVE "connected"
static const struct {
	const char *name, *connection, *devices, *becomes;
} events[] = {
	{ "ServiceInitiatedEvent", "initiatedConnection", D("initiatingDevice", "201"), "initiated" },
	{ "ServiceInitiatedEvent", "initiatedConnection", "", "initiated" },
	{ "OriginatedEvent", "originatedConnection", D("callingDevice", "201") D("calledDevice", "202"), ACTIVE },
	{ "DigitsDialedEvent", "dialingConnection", D("dialingDevice", "201"), SAME },
	{ "NetworkReachedEvent", "outboundConnection", D("callingDevice", "201") D("calledDevice", "202"), SAME },
	{ "CallInformationEvent", "connection", D("device", "201"), SAME },
	{ "OfferedEvent", "offeredConnection", D("offeredDevice", "201") D("callingDevice", "202"), "alerting" },
	{ "OfferedEvent", "offeredConnection", D("offeredDevice", "202") D("callingDevice", "201"), SAME },
	{ "DeliveredEvent", "connection", D("alertingDevice", "201") D("callingDevice", "202") D("calledDevice", "201"),
	    "alerting" },
	{ "DeliveredEvent", "connection", D("alertingDevice", "202") D("callingDevice", "201") D("calledDevice", "202"),
	    ACTIVE },
	{ "DeliveredEvent", "connection", D("alertingDevice", "203") D("callingDevice", "202") D("calledDevice", "201"),
	    SAME },
	{ "EstablishedEvent", "establishedConnection",
	    D("answeringDevice", "201") D("callingDevice", "202") D("calledDevice", "201"), ACTIVE },
	{ "EstablishedEvent", "establishedConnection",
	    D("answeringDevice", "202") D("callingDevice", "201") D("calledDevice", "202"), ACTIVE },
	{ "EstablishedEvent", "establishedConnection", /* a colleague of the group */
	    D("answeringDevice", "203") D("callingDevice", "202") D("calledDevice", "201"), SAME },
	{ "HeldEvent", "heldConnection", D("holdingDevice", "201"), "hold" },
	{ "HeldEvent", "heldConnection", D("holdingDevice", "202"), SAME },
	{ "RetrievedEvent", "retrievedConnection", D("retrievingDevice", "201"), ACTIVE },
	{ "RetrievedEvent", "retrievedConnection", D("retrievingDevice", "202"), SAME },
	{ "QueuedEvent", "queuedConnection", D("queue", "201") D("callingDevice", "202"), "queued" },
	{ "QueuedEvent", "queuedConnection", D("queue", "202") D("callingDevice", "201"), ACTIVE },
	{ "QueuedEvent", "queuedConnection", D("queue", "202") D("callingDevice", "203"), SAME },
	{ "DivertedEvent", "connection", D("divertingDevice", "201") D("newDestination", "203"), "null" },
	{ "DivertedEvent", "connection", D("divertingDevice", "202") D("newDestination", "203"), SAME },
	{ "DivertedEvent", "connection", D("divertingDevice", "202") D("newDestination", "201"), SAME },
	{ "BridgedEvent", "bridgedConnection", D("bridgedAppearance", "201"), "queued" },
	{ "BridgedEvent", "bridgedConnection", D("bridgedAppearance", "202"), SAME },
	{ "FailedEvent", "failedConnection", D("failingDevice", "201") D("callingDevice", "202"), "fail" },
	{ "FailedEvent", "failedConnection", D("failingDevice", "202") D("callingDevice", "201"), ACTIVE },
	{ "FailedEvent", "failedConnection", D("failingDevice", "202") D("callingDevice", "203"), SAME },
	{ "ConnectionClearedEvent", "droppedConnection", D("releasingDevice", "201"), "null" },
	{ "ConnectionClearedEvent", "droppedConnection", D("releasingDevice", "202") "<!-- dropped=201 -->", "null" },
	{ "ConnectionClearedEvent", "droppedConnection", "<!-- dropped=201 -->", "null" },
	{ "ConnectionClearedEvent", "droppedConnection", D("releasingDevice", "202"), SAME },
	{ "CallClearedEvent", "clearedCall", "", "null" },
};

static const char *const states[] = { "null", "initiated", "alerting", "connected", "hold", "queued", "fail" };

static const char *state_of_call(void)
{
	static const char *const names[CONNECTION_COUNT] = {
#define X(symbol, name) [CONNECTION_##symbol] = name,
		CONNECTION_MAP(X)
#undef X
	};
	struct call_said said;

	return line_call_find(&line, "1", &said) ? names[said.state] : "null";
}

static void without_local_connection_info_the_devices_decide(void **state)
{
	for (size_t i = 0; i < COUNT_OF(events); i++) {
		for (int before = 0; before < 2; before++) { /* it may be there already, or we have come late */
			const char *was = before ? "connected" : "null";
			const char *becomes = strcmp(events[i].becomes, SAME) == 0 ? was : events[i].becomes;
			int effect;

			if (before)
				event(make("ServiceInitiatedEvent", "initiatedConnection", "", "connected"));
			effect = event(make(events[i].name, events[i].connection, events[i].devices, ""));
			if (strcmp(state_of_call(), becomes) != 0)
				fail_msg("%s with %s: %s becomes %s, not %s", events[i].name, events[i].devices, was,
				    state_of_call(), becomes);
			assert_int_equal(
			    effect, strcmp(events[i].becomes, SAME) == 0 ? CSTA_EFFECT_NONE : CSTA_EFFECT_TAKEN);
			again(state);
		}
	}
}

static void local_connection_info_alone_decides(void **state)
{
	for (size_t i = 0; i < COUNT_OF(events); i++) {
		for (size_t k = 0; k < COUNT_OF(states); k++) {
			bool cleared = strcmp(events[i].name, "CallClearedEvent") == 0;
			const char *becomes = cleared ? "null" : states[k];
			char number[8];

			snprintf(number, sizeof number, "%zu", k);
			event(make(events[i].name, events[i].connection, events[i].devices, states[k]));
			if (strcmp(state_of_call(), becomes) != 0)
				fail_msg("%s with %s: %s", events[i].name, states[k], state_of_call());
			again(state);
			event(make(events[i].name, events[i].connection, events[i].devices, number));
			assert_string_equal(state_of_call(), becomes);
			again(state);
		}
	}
}

static void a_local_connection_info_that_is_none_is_not_said(void **state)
{
	static const char *const odd[] = { "8", "99999999999999999999", "-1", "ringing", "3x" };

	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		event(make("DeliveredEvent", "connection",
		    D("alertingDevice", "201") D("callingDevice", "202") D("calledDevice", "201"), odd[i]));
		assert_string_equal(state_of_call(), "alerting");
		again(state);
	}
}

/* Only localConnectionInfo can tell then. */
static void without_a_device_the_meaning_may_be_unclear(void **state)
{
	for (size_t i = 0; i < COUNT_OF(events); i++) {
		bool anybody = strncmp(events[i].name, "ServiceI", 8) == 0 || strncmp(events[i].name, "Orig", 4) == 0 ||
		    strncmp(events[i].name, "CallCleared", 11) == 0;
		bool nothing = strncmp(events[i].name, "Digits", 6) == 0 || strncmp(events[i].name, "Net", 3) == 0 ||
		    strncmp(events[i].name, "CallInf", 7) == 0;

		owner.device = NULL;
		assert_int_equal(event(make(events[i].name, events[i].connection, events[i].devices, "")),
		    anybody	? CSTA_EFFECT_TAKEN :
			nothing ? CSTA_EFFECT_NONE :
				  CSTA_EFFECT_UNCLEAR);
		owner.device = NULL;
		assert_int_equal(
		    event(make(events[i].name, events[i].connection, events[i].devices, "hold")), CSTA_EFFECT_TAKEN);
		again(state);
	}
}

/* --- devices ------------------------------------------------------------------------------------------------------------ */

static void a_device_may_be_written_in_many_ways(void **state)
{
	static const struct {
		const char *ours, *theirs;
		bool is;
	} rows[] = {
		{ "201", "201", true },
		{ "201", "tel:201", true },
		{ "201", "sip:201@pbx.example.com", true },
		{ "201", "SIPS:201@pbx;user=phone", true },
		{ "201", "N&lt;201&gt;Ann Lee;displayNumber=201", true },
		{ "201", "&lt;201&gt;", true },
		{ "201", "201:CM1:10.0.0.1:0", true },
		{ "201", "2 0-1", true },
		{ "201", "201/1", true },
		{ "201", "201&amp;2", true },
		{ "201", "201!x", true },
		{ "201", "201%5", true },
		{ "+302118840101", "N&lt;+30 (211) 884.01-01&gt;Name", true },
		{ "N<201>Ann", "201", true },
		{ "tel:201", "201:CM1::0", true },
		{ "201", "2010", false },
		{ "201", "1201", false },
		{ "201", "N&lt;202&gt;201", false },
		{ "201", "sip:", false },
		{ "201", "", false },
		{ "", "", false },
	};
	char devices[300];

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		owner.device = rows[i].ours;
		snprintf(devices, sizeof devices,
		    "<holdingDevice><deviceIdentifier>%s</deviceIdentifier></holdingDevice>", rows[i].theirs);
		event(make("HeldEvent", "heldConnection", devices, ""));
		if ((strcmp(state_of_call(), "hold") == 0) != rows[i].is)
			fail_msg("%s and %s", rows[i].ours, rows[i].theirs);
		again(state);
		if (rows[i].theirs[0] == '\0')
			continue;
		owner.device = rows[i].ours;
		snprintf(devices, sizeof devices, "<holdingDevice>%s</holdingDevice>", rows[i].theirs); /* bare */
		event(make("HeldEvent", "heldConnection", devices, ""));
		assert_int_equal(strcmp(state_of_call(), "hold") == 0, rows[i].is);
		again(state);
	}
}

static bool same(void *arg, const char *device, const char *number)
{
	assert_ptr_equal(arg, &line);
	assert_string_equal(device, "201");
	return strcmp(number, "+4420708468201") == 0;
}

static bool own(void *arg, const char *device, const char *number)
{
	assert_ptr_equal(arg, &line);
	assert_string_equal(device, "201");
	return strcmp(number, "299") == 0;
}

/* Another number of the person says who calls whom, but not what our end does. */
static void numbers_of_the_person_are_not_the_device(void **state)
{
	owner = (struct csta_owner){ .device = "201", .same = same, .own = own, .arg = &line };
	event(make("HeldEvent", "heldConnection", D("holdingDevice", "299"), ""));
	assert_string_equal(state_of_call(), "null");
	event(make("HeldEvent", "heldConnection", D("holdingDevice", "+4420708468201"), ""));
	assert_string_equal(state_of_call(), "hold");
	again(state);
	owner = (struct csta_owner){ .device = "201", .same = same, .own = own, .arg = &line };
	event(make("EstablishedEvent", "establishedConnection",
	    D("answeringDevice", "202") D("callingDevice", "299") D("calledDevice", "202"), "connected"));
	assert_reads("busy connected/out/202");
}

/* --- direction and peer -------------------------------------------------------------------------------------------------- */

static void the_peer_is_the_other_one(void **state)
{
	static const struct {
		const char *name, *connection, *devices, *local, *reads;
	} rows[] = {
		{ "DeliveredEvent", "connection",
		    D("alertingDevice", "201") D("callingDevice", "+442070846845") D("calledDevice", "201"), "alerting",
		    "ringing ringing/in/+442070846845" },
		{ "DeliveredEvent", "connection",
		    D("alertingDevice", "202") D("callingDevice", "201") D("calledDevice", "202"), "connected",
		    "busy dialing/out/202" },
		{ "EstablishedEvent", "establishedConnection",
		    D("answeringDevice", "202") D("callingDevice", "201") D("calledDevice", "202"), "connected",
		    "busy connected/out/202" },
		{ "EstablishedEvent", "establishedConnection",
		    D("answeringDevice", "201") D("callingDevice", "202") D("calledDevice", "201"), "connected",
		    "busy connected/in/202" },
		{ "OriginatedEvent", "originatedConnection", D("callingDevice", "201") D("calledDevice", "9044"),
		    "connected", "busy dialing/out/9044" },
		{ "FailedEvent", "failedConnection",
		    D("failingDevice", "202") D("callingDevice", "201") D("calledDevice", "202"), "connected",
		    "busy dialing/out/202" },
		{ "QueuedEvent", "queuedConnection",
		    D("queue", "7000") D("callingDevice", "201") D("calledDevice", "7000"), "connected",
		    "busy dialing/out/7000" },
		{ "ServiceInitiatedEvent", "initiatedConnection", D("initiatingDevice", "201"), "initiated",
		    "busy dialing/out/-" },
		{ "DeliveredEvent", "connection",
		    D("alertingDevice", "201") "<callingDevice><restricted/></callingDevice>" D("calledDevice", "201"),
		    "alerting", "ringing ringing/in/-" },
		{ "DeliveredEvent", "connection",
		    D("alertingDevice", "201") "<callingDevice><notKnown/></callingDevice>" D("calledDevice", "201"),
		    "alerting", "ringing ringing/in/-" },
		{ "DeliveredEvent", "connection",
		    D("alertingDevice", "201") D("callingDevice", "N&lt;202&gt;Bob Ray;displayNumber=202"), "alerting",
		    "ringing ringing/in/202/Bob Ray" },
		{ "DeliveredEvent", "connection",
		    D("alertingDevice", "201") "<callingDevice>202</callingDevice>" D("calledDevice", "201"),
		    "alerting", "ringing ringing/in/202" },
		{ "DeliveredEvent", "connection", D("alertingDevice", "201") D("callingDevice", "4750:CM1:10.0.0.1:0"),
		    "alerting", "ringing ringing/in/4750" },
		{ "HeldEvent", "heldConnection", D("holdingDevice", "201"), "hold", "held held/-/-" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		event(make(rows[i].name, rows[i].connection, rows[i].devices, rows[i].local));
		assert_reads(rows[i].reads);
		again(state);
	}
}

/* --- flows ----------------------------------------------------------------------------------------------------------------- */

#define ITEM(id, device, end) \
	"<connectionListItem><newConnection><callID>" id "</callID><deviceID>" device \
	"</deviceID></newConnection>" end "</connectionListItem>"
#define ENDPOINT(number) "<endpoint><deviceID>" number "</deviceID></endpoint>"
#define JOINED(name, list, first, second, who, items, local) \
	"<" name "><monitorCrossRefID>m</monitorCrossRefID><primaryOldCall><callID>" first \
	"</callID><deviceID>201</deviceID></primaryOldCall><secondaryOldCall><callID>" second \
	"</callID><deviceID>201</deviceID></secondaryOldCall>" who "<" list ">" items "</" list ">" local \
	"<cause>transfer</cause></" name ">"
#define LEAVER	 D("transferringDevice", "203") D("transferredToDevice", "202")
#define LOCAL(s) "<localConnectionInfo>" s "</localConnectionInfo>"

static void talk(const char *id, const char *local)
{
	char text[500];

	snprintf(text, sizeof text,
	    "<EstablishedEvent><establishedConnection><callID>%s</callID></establishedConnection>"
	    "<answeringDevice><deviceIdentifier>201</deviceIdentifier></answeringDevice><callingDevice>"
	    "<deviceIdentifier>203</deviceIdentifier></callingDevice><localConnectionInfo>%s</localConnectionInfo>"
	    "</EstablishedEvent>",
	    id, local);
	event(text);
}

static void calls_become_one(void **state)
{
	static const struct {
		const char *before; /* the state of call 1; NULL: it is not known */
		const char *event, *id, *becomes;
	} rows[] = {
		/* somebody else transfers us */
		{ "connected",
		    JOINED("TransferedEvent", "transferredConnections", "1", "2", LEAVER,
			ITEM("9", "201", "") ITEM("9", "202", ""), LOCAL("connected")),
		    "9", "connected" },
		{ "connected",
		    JOINED("TransferredEvent", "transferredConnections", "1", "2", LEAVER,
			ITEM("9", "201", "") ITEM("9", "202", ""), ""),
		    "9", "connected" },
		{ "alerting",
		    JOINED("TransferedEvent", "transferredConnections", "2", "1", LEAVER,
			ITEM("9", "201", "") ITEM("9", "202", ""), ""),
		    "9", "alerting" },
		{ NULL,
		    JOINED("TransferedEvent", "transferredConnections", "1", "2", LEAVER,
			ITEM("9", "201", "") ITEM("9", "202", ""), ""),
		    "9", "connected" },
		/* ours is told by its endpoint, the id is one of the old ones */
		{ "connected",
		    JOINED("TransferedEvent", "transferredConnections", "1", "2", LEAVER,
			ITEM("1", "dyn-7", ENDPOINT("201")) ITEM("1", "dyn-8", ENDPOINT("202")), ""),
		    "1", "connected" },
		/* we transfer */
		{ "hold",
		    JOINED("TransferedEvent", "transferredConnections", "1", "2", D("transferringDevice", "201"),
			ITEM("9", "203", "") ITEM("9", "202", ""), LOCAL("null")),
		    NULL, NULL },
		{ "hold",
		    JOINED("TransferedEvent", "transferredConnections", "1", "2", D("transferringDevice", "201"),
			ITEM("9", "203", "") ITEM("9", "202", ""), ""),
		    NULL, NULL },
		/* conferences */
		{ "hold",
		    JOINED("ConferencedEvent", "conferenceConnections", "1", "2", D("conferencingDevice", "201"),
			ITEM("9", "201", "") ITEM("9", "202", "") ITEM("9", "203", ""), LOCAL("connected")),
		    "9", "connected" },
		{ "hold",
		    JOINED("ConferencedEvent", "conferenceConnections", "1", "2", D("conferencingDevice", "201"),
			ITEM("9", "201", "") ITEM("9", "202", "") ITEM("9", "203", ""), ""),
		    "9", "connected" },
		{ "connected",
		    JOINED("ConferencedEvent", "conferenceConnections", "1", "2", D("conferencingDevice", "203"),
			ITEM("1", "201", "") ITEM("1", "202", "") ITEM("1", "203", ""), ""),
		    "1", "connected" },
		{ "connected",
		    JOINED("ConferencedEvent", "conferenceConnections", "1", "2", D("conferencingDevice", "203"),
			ITEM("9", "202", "") ITEM("9", "203", ""), LOCAL("null")),
		    NULL, NULL },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct call_said said;
		const char *const old[] = { "1", "2" };

		if (rows[i].before != NULL)
			talk("1", rows[i].before);
		assert_int_equal(event(rows[i].event), CSTA_EFFECT_TAKEN);
		assert_int_equal(ask & TAPI_ASK_AGAIN, TAPI_ASK_AGAIN);
		if (line.count != (rows[i].id != NULL))
			fail_msg("row %zu: %u calls", i, line.count);
		for (size_t k = 0; k < 2; k++)
			if (rows[i].id == NULL || strcmp(rows[i].id, old[k]) != 0)
				assert_false(line_call_find(&line, old[k], &said));
		if (rows[i].id != NULL) {
			assert_true(line_call_find(&line, rows[i].id, &said));
			if (strcmp(rows[i].becomes,
				said.state == CONNECTION_CONNECTED    ? "connected" :
				    said.state == CONNECTION_ALERTING ? "alerting" :
									"other") != 0)
				fail_msg("row %zu", i);
		}
		again(state);
	}
}

/* Then only the switch knows. */
static void calls_that_become_one_of_which_nothing_fits_are_asked_about(void **state)
{
	(void)state;
	talk("1", "connected");
	assert_int_equal(event(JOINED("TransferedEvent", "transferredConnections", "1", "2", LEAVER,
			     ITEM("9", "301", "") ITEM("8", "302", ""), "")),
	    CSTA_EFFECT_TAKEN);
	assert_int_equal(ask & TAPI_ASK_CALLS, TAPI_ASK_CALLS);
	assert_reads("idle");
}

static void the_peer_of_a_transferred_call_is_the_new_one(void **state)
{
	(void)state;
	talk("1", "connected");
	assert_reads("busy connected/in/203");
	event(JOINED("TransferedEvent", "transferredConnections", "1", "2", LEAVER,
	    ITEM("9", "201", "") ITEM("9", "N&lt;202&gt;Bob", ""), LOCAL("connected")));
	assert_reads("busy connected/in/202/Bob");
}

/* --- answers ------------------------------------------------------------------------------------------------------------------ */

static void snapshot(const char *text)
{
	struct csta_message m = read_message(text);

	assert_true(m.snapshot);
	line_calls_begin(&line);
	assert_int_equal(csta_line_snapshot(&line, &m, line_clock(&line), now), 0);
	assert_int_equal(line_calls_end(&line, line_clock(&line), now), 0);
}

#define SNAPSHOT(infos) \
	"<SnapshotDeviceResponse><crossRefIDorSnapshotData><snapshotData>" infos \
	"</snapshotData></crossRefIDorSnapshotData></SnapshotDeviceResponse>"
#define INFO(id, state) \
	"<snapshotDeviceResponseInfo><connectionIdentifier><callID>" id \
	"</callID></connectionIdentifier><endpointDevice><deviceIdentifier>202</deviceIdentifier></endpointDevice>" \
	"<localCallState>" state "</localCallState></snapshotDeviceResponseInfo>"
#define LCS(s) "<localConnectionState>" s "</localConnectionState>"

static void simple_call_states_have_two_halves(void **state)
{
	static const struct {
		const char *name;
		int value;
		const char *reads;
	} rows[] = {
		{ "callNull", 0x00, "idle" },
		{ "callBlocked", 0x60, "idle" },
		{ "callPending", 0x01, "busy dialing/out/202" },
		{ "callOriginated", 0x03, "busy dialing/-/202" },
		{ "callDelivered", 0x23, "busy dialing/-/202" },
		{ "callEstablished", 0x33, "busy connected/-/202" },
		{ "callReceived", 0x32, "ringing ringing/in/202" },
		{ "callReceivedOnHold", 0x42, "ringing ringing/in/202" },
		{ "callEstablishedHeld", 0x34, "held held/-/202" },
		{ "callDeliveredHeld", 0x24, "held held/-/202" },
		{ "callEstablishedOnHold", 0x43, "busy connected/-/202" },
		{ "callQueued", 0x53, "busy dialing/-/202" },
		{ "callFailed", 0x63, "busy dialing/-/202" },
		{ "callQueuedHeld", 0x54, "held held/-/202" },
		{ "callFailedHeld", 0x64, "held held/-/202" },
		{ "callSomething", 0x77, "-" },
	};
	char text[1000];

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (int as_number = 0; as_number < 2; as_number++) {
			char value[40];

			snprintf(value, sizeof value, "%d", rows[i].value);
			snprintf(text, sizeof text, SNAPSHOT(INFO("1", "<simpleCallState>%s</simpleCallState>")),
			    as_number ? value : rows[i].name);
			snapshot(text);
			if (strcmp(reading(), rows[i].reads) != 0)
				fail_msg("%s: %s", rows[i].name, reading());
			again(state);
		}
	}
}

static void compound_call_states_begin_with_ours(void **state)
{
	static const struct {
		const char *text, *reads;
	} rows[] = {
		{ SNAPSHOT(""), "idle" },
		{ SNAPSHOT(INFO("1", "<compoundCallState>" LCS("alerting") LCS("connected") "</compoundCallState>")),
		    "ringing ringing/in/202" },
		{ SNAPSHOT(INFO("1", "<compoundCallState>" LCS("connected") LCS("alerting") "</compoundCallState>")),
		    "busy dialing/-/202" },
		{ SNAPSHOT(INFO("1", "<compoundCallState>" LCS("connected") LCS("connected") "</compoundCallState>")),
		    "busy connected/-/202" },
		{ SNAPSHOT(INFO("1", "<compoundCallState>" LCS("connected") LCS("hold") "</compoundCallState>")),
		    "busy connected/-/202" },
		{ SNAPSHOT(INFO("1", "<compoundCallState>" LCS("hold") LCS("connected") "</compoundCallState>")),
		    "held held/-/202" },
		{ SNAPSHOT(INFO("1", "<compoundCallState>" LCS("fail") LCS("null") "</compoundCallState>")),
		    "busy dialing/-/202" },
		{ SNAPSHOT(INFO("1", "<compoundCallState>" LCS("null") LCS("connected") "</compoundCallState>")),
		    "idle" },
		{ SNAPSHOT(INFO("1", "<compoundCallState>" LCS("queued") "</compoundCallState>")), "idle" },
		{ SNAPSHOT(INFO("1", "<compoundCallState>" LCS("3") "</compoundCallState>")), "busy connected/-/202" },
		{ SNAPSHOT(INFO("1", "<unknown/>")), "-" },
		{ SNAPSHOT(INFO("1", "<unknown/>") INFO("2", "<compoundCallState>" LCS("hold") "</compoundCallState>")),
		    "held held/-/202" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		snapshot(rows[i].text);
		if (strcmp(reading(), rows[i].reads) != 0)
			fail_msg("row %zu: %s", i, reading());
		again(state);
	}
}

/* --- the rest -------------------------------------------------------------------------------------------------------------------- */

static void other_documents_say_nothing_of_the_line(void **state)
{
	static const char *const others[] = { "<AgentLoggedOnEvent/>", "<AgentBusyEvent/>", "<PresenceStateEvent/>",
		"<SystemStatus><systemStatus>normal</systemStatus></SystemStatus>", "<RequestSystemStatus/>",
		"<MonitorStop/>", "<FooResponse/>", "<CSTAErrorCode><operation>generic</operation></CSTAErrorCode>",
		"<DoNotDisturbEvent><doNotDisturbOn>maybe</doNotDisturbOn></DoNotDisturbEvent>",
		"<ForwardingEvent><forwardingType>forwardBusy</forwardingType></ForwardingEvent>" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		assert_int_equal(event(others[i]), CSTA_EFFECT_NONE);
		assert_int_equal(ask, 0);
		assert_reads("idle");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
		TEST(without_local_connection_info_the_devices_decide),
		TEST(local_connection_info_alone_decides),
		TEST(a_local_connection_info_that_is_none_is_not_said),
		TEST(without_a_device_the_meaning_may_be_unclear),
		TEST(a_device_may_be_written_in_many_ways),
		TEST(numbers_of_the_person_are_not_the_device),
		TEST(the_peer_is_the_other_one),
		TEST(calls_become_one),
		TEST(calls_that_become_one_of_which_nothing_fits_are_asked_about),
		TEST(the_peer_of_a_transferred_call_is_the_new_one),
		TEST(simple_call_states_have_two_halves),
		TEST(compound_call_states_begin_with_ours),
		TEST(other_documents_say_nothing_of_the_line),
	};

	return cmocka_run_group_tests_name("csta_line", tests, NULL, NULL);
}
