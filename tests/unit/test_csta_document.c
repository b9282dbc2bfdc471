/* test_csta_document.c: documents of CSTA switches in all their dialects, and what is none.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>

#include "connectors/tapi/csta_document.h"
#include "connectors/tapi/csta_refusal.h"
#include "daemon/base/buf.h"

static struct xml_reader *reader;
static struct parse_error error;

static int begin(void **state)
{
	(void)state;
	reader = xml_reader_new();
	return reader == NULL;
}

static int end(void **state)
{
	(void)state;
	xml_reader_free(reader);
	return 0;
}

static struct csta_message read_message(const char *text)
{
	struct csta_message m;

	memset(&error, 0, sizeof error);
	if (csta_read(reader, text, strlen(text), &m, &error) != 0)
		fail_msg("%s: %s", error.text, text);
	return m;
}

static void check_bad(const char *text, size_t len)
{
	struct csta_message m;

	memset(&error, 0, sizeof error);
	assert_int_equal(csta_read(reader, text, len, &m, &error), -EINVAL);
	assert_string_not_equal(error.text, "");
}

/* It is XML, but does not say what it has to. */
static void check_lacking(const char *text)
{
	struct csta_message m;

	memset(&error, 0, sizeof error);
	assert_int_equal(csta_read(reader, text, strlen(text), &m, &error), -EBADMSG);
}

/* --- kinds ------------------------------------------------------------------------------------------------------------------ */

static void documents_have_kinds(void **state)
{
	static const struct {
		const char *text;
		enum csta_kind kind;
	} rows[] = {
		{ "<DoNotDisturbEvent/>", CSTA_DND_EVENT },
		{ "<ForwardingEvent/>", CSTA_FORWARD_EVENT },
		{ "<OutOfServiceEvent/>", CSTA_OUT_OF_SERVICE_EVENT },
		{ "<BackInServiceEvent/>", CSTA_IN_SERVICE_EVENT },
		{ "<DeviceCapsChangedEvent/>", CSTA_CHANGED_EVENT },
		{ "<PartiallyInServiceEvent/>", CSTA_CHANGED_EVENT },
		{ "<AgentLoggedOnEvent/>", CSTA_OTHER_EVENT },
		{ "<AgentWorkingAfterCallEvent/>", CSTA_OTHER_EVENT },
		{ "<PresenceStateEvent/>", CSTA_OTHER_EVENT },
		{ "<SomethingNewEvent/>", CSTA_OTHER_EVENT },
		{ "<SystemStatus/>", CSTA_SYSTEM_STATUS },
		{ "<RequestSystemStatus/>", CSTA_STATUS_QUESTION },
		{ "<MonitorStop/>", CSTA_MONITOR_STOP },
		{ "<SnapshotDeviceData/>", CSTA_SNAPSHOT_DATA },
		{ "<ApplicationSessionTerminated/>", CSTA_SESSION_ENDED },
		{ "<SystemRegister/>", CSTA_OTHER_REQUEST },
		{ "<keepalive/>", CSTA_OTHER_REQUEST },
		{ "<MonitorStartResponse/>", CSTA_RESPONSE },
		{ "<StartApplicationSessionPosResponse/>", CSTA_RESPONSE },
		{ "<StartApplicationSessionNegResponse/>", CSTA_NEGATIVE_RESPONSE },
		{ "<ResetApplicationSessionTimerNegResponse/>", CSTA_NEGATIVE_RESPONSE },
		{ "<CSTAErrorCode/>", CSTA_ERROR },
		{ "<Fault><detail><CSTAErrorCode/></detail></Fault>", CSTA_ERROR },
		{ "<Event/>", CSTA_OTHER_EVENT },
		{ "<Response/>", CSTA_RESPONSE },
		{ "<x/>", CSTA_OTHER_REQUEST },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct csta_message m = read_message(rows[i].text);

		if (m.kind != rows[i].kind)
			fail_msg("%s is %d", rows[i].text, m.kind);
		assert_int_equal(m.status, -1);
		assert_int_equal(m.dnd, -1);
		assert_true(m.category != NULL && m.error != NULL);
	}
}

/* --- dialects --------------------------------------------------------------------------------------------------------------- */

#define ECMA "http://www.ecma-international.org/standards/ecma-323/csta/"
#define BODY(p, id) \
	"<" p "monitorCrossRefID>m-1</" p "monitorCrossRefID><" p "connection><" p id ">9</" p id "><" p \
	"deviceID>201</" p "deviceID></" p "connection><" p "alertingDevice><" p \
	"deviceIdentifier typeOfNumber=\"dialingNumber\">201</" p "deviceIdentifier></" p "alertingDevice><" p \
	"callingDevice><" p "deviceIdentifier>202</" p "deviceIdentifier></" p "callingDevice><" p \
	"localConnectionInfo>alerting</" p "localConnectionInfo>"

static void names_count_and_nothing_around_them(void **state)
{
	static const char *const same[] = {
		"<DeliveredEvent>" BODY("", "callID") "</DeliveredEvent>",
		"<DeliveredEvent xmlns=\"" ECMA "ed2\">" BODY("", "callID") "</DeliveredEvent>",
		"<DeliveredEvent xmlns=\"" ECMA "ed6\">" BODY("", "callId") "</DeliveredEvent>",
		"<n:DeliveredEvent xmlns:n=\"" ECMA "ed4\">" BODY("n:", "callID") "</n:DeliveredEvent>",
		"<DeliveredEvent xmlns=\"http://www.ecma.ch/whatever\">" BODY("", "CALLID") "</DeliveredEvent>",
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<!-- c --><DELIVEREDEVENT>" BODY(
		    "", "callid") "<extensions><privateData><private>x</private></privateData></extensions></"
				  "DELIVEREDEVENT>\n",
		"\xef\xbb\xbf<DeliveredEvent> \n" BODY("", "callID") " </DeliveredEvent>",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(same); i++) {
		struct csta_message m = read_message(same[i]);

		assert_int_equal(m.kind, CSTA_CALL_EVENT);
		assert_string_equal(m.cross_ref, "m-1");
		assert_string_equal(m.call.id, "9");
		assert_string_equal(m.call.roles[0], "201");
		assert_string_equal(m.call.roles[1], "202");
		assert_true(m.call.calling.said);
		assert_string_equal(m.call.calling.number, "202");
		assert_null(m.call.calling.name);
		assert_false(m.call.called.said);
		assert_int_equal(m.call.local, CONNECTION_ALERTING);
		assert_int_equal(m.call.answered, 0);
	}
}

static void a_call_has_its_device_for_a_name_where_it_has_none(void **state)
{
	struct csta_message m =
	    read_message("<HeldEvent><heldConnection><deviceID typeOfNumber=\"deviceNumber\">dyn-7</deviceID>"
			 "</heldConnection></HeldEvent>");

	(void)state;
	assert_string_equal(m.call.id, "dyn-7");
	check_lacking("<HeldEvent><heldConnection/></HeldEvent>");
	assert_non_null(strstr(error.text, "heldConnection"));
	assert_non_null(strstr(error.text, "line 1"));
	check_lacking("<HeldEvent><connection><callID>1</callID></connection></HeldEvent>");
	check_lacking("<CallClearedEvent/>");
}

/* An id that is cut would be another one. */
static void fields_that_are_too_long_are_passed_over(void **state)
{
	char id[CSTA_TEXT_MAX_BYTES + 2], text[4000];
	struct csta_message m;

	(void)state;
	memset(id, 'x', sizeof id - 1);
	id[sizeof id - 1] = '\0';
	snprintf(text, sizeof text, "<MonitorStop><monitorCrossRefID>%s</monitorCrossRefID></MonitorStop>", id + 1);
	m = read_message(text);
	assert_string_equal(m.cross_ref, id + 1);
	snprintf(text, sizeof text, "<MonitorStop><monitorCrossRefID>%s</monitorCrossRefID></MonitorStop>", id);
	m = read_message(text);
	assert_null(m.cross_ref);
}

/* --- numbers and words ------------------------------------------------------------------------------------------------------- */

static void words_may_be_numbers(void **state)
{
	static const struct {
		const char *text;
		int status;
	} rows[] = {
		{ "initializing", 0 },
		{ "enabled", 1 },
		{ "normal", 2 },
		{ "messagesLost", 3 },
		{ "disabled", 4 },
		{ "overloadImminent", 5 },
		{ "overloadReached", 6 },
		{ "overloadRelieved", 7 },
		{ "partiallyDisabled", 8 },
		{ "MESSAGESLOST", 3 },
		{ " normal\n", 2 },
		{ "0", 0 },
		{ "8", 8 },
		{ "9", -1 },
		{ "-1", -1 },
		{ "4294967298", -1 },
		{ "99999999999999999999999999999999", -1 },
		{ "2 ", 2 },
		{ "2x", -1 },
		{ "fine", -1 },
		{ "", -1 },
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		snprintf(
		    text, sizeof text, "<SystemStatus><systemStatus>%s</systemStatus></SystemStatus>", rows[i].text);
		if (read_message(text).status != rows[i].status)
			fail_msg("\"%s\"", rows[i].text);
	}
}

static void truth_has_four_words(void **state)
{
	static const struct {
		const char *text;
		int dnd;
	} rows[] = { { "true", 1 }, { "1", 1 }, { "TRUE", 1 }, { "false", 0 }, { "0", 0 }, { "yes", -1 }, { "", -1 },
		{ "2", -1 }, { " true ", 1 } };
	char text[200];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		snprintf(text, sizeof text,
		    "<GetDoNotDisturbResponse><doNotDisturbOn>%s</doNotDisturbOn><callOrigination><internal>true</"
		    "internal>"
		    "</callOrigination></GetDoNotDisturbResponse>",
		    rows[i].text);
		assert_int_equal(read_message(text).dnd, rows[i].dnd);
	}
}

static void sessions_are_read(void **state)
{
	struct csta_message m = read_message("<StartApplicationSessionPosResponse><sessionID>4711</sessionID>"
					     "<actualProtocolVersion>" ECMA "ed3</actualProtocolVersion>"
					     "<actualSessionDuration>180</actualSessionDuration>"
					     "<extensions><actualHBT>30</actualHBT></extensions>"
					     "</StartApplicationSessionPosResponse>");

	(void)state;
	assert_string_equal(m.session, "4711");
	assert_int_equal(m.duration, 180);
	m = read_message(
	    "<r:StartApplicationSessionPosResponse xmlns:r=\"x\"><actualProtocolVersion><protocolVersion>v5"
	    "</protocolVersion></actualProtocolVersion><actualSessionDuration>-5</actualSessionDuration>"
	    "</r:StartApplicationSessionPosResponse>");
	assert_null(m.session);
	assert_int_equal(m.duration, 0);
	m = read_message("<ResetApplicationSessionTimerPosResponse><actualSessionDuration>99999999999999999999999999"
			 "</actualSessionDuration></ResetApplicationSessionTimerPosResponse>");
	assert_true(m.duration > 0);
	m = read_message("<StartApplicationSessionNegResponse><errorCode><definedError>invalidApplicationInfo"
			 "</definedError></errorCode></StartApplicationSessionNegResponse>");
	assert_int_equal(m.kind, CSTA_NEGATIVE_RESPONSE);
	assert_string_equal(m.error, "invalidApplicationInfo");
}

/* --- forwarding ------------------------------------------------------------------------------------------------------------- */

static void each_type_of_forwarding_has_a_name_and_a_number(void **state)
{
	static const struct {
		const char *name;
		int number, kind;
	} rows[] = {
		{ "forwardImmediate", 0, LINE_FORWARD_ALL },
		{ "forwardBusy", 1, -1 },
		{ "forwardNoAns", 2, -1 },
		{ "forwardBusyInt", 3, -1 },
		{ "forwardBusyExt", 4, -1 },
		{ "forwardNoAnsInt", 5, -1 },
		{ "forwardNoAnsExt", 6, -1 },
		{ "forwardImmInt", 7, LINE_FORWARD_INTERNAL },
		{ "forwardImmExt", 8, LINE_FORWARD_EXTERNAL },
		{ "forwardDND", 9, -1 },
		{ "forwardDNDInt", 10, -1 },
		{ "forwardDNDExt", 11, -1 },
		{ "forwardSomeday", 12, -1 },
	};
	char text[300];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (int as_number = 0; as_number < 2; as_number++) {
			struct csta_message m;
			char type[40];

			snprintf(type, sizeof type, "%d", rows[i].number);
			snprintf(text, sizeof text,
			    "<ForwardingEvent><device>201</device><forwardingType>%s</forwardingType><forwardStatus>1"
			    "</forwardStatus><forwardTo>8000</forwardTo></ForwardingEvent>",
			    as_number ? type : rows[i].name);
			m = read_message(text);
			assert_int_equal(m.forward.kind, rows[i].kind);
			assert_true(m.forward.on && m.forward.typed);
			assert_string_equal(m.forward.to, "8000");
		}
	}
}

static void forwards_are_listed(void **state)
{
	struct csta_message m = read_message(
	    "<GetForwardingResponse><forwardingList>"
	    "<forwardListItem><forwardingType>forwardImmediate</forwardingType><forwardStatus>true</forwardStatus>"
	    "<forwardDN>8000</forwardDN><forwardDefault>forwardDN</forwardDefault></forwardListItem>"
	    "<forwardListItem><forwardingType>forwardNoAns</forwardingType><forwardStatus>false</forwardStatus>"
	    "<forwardDN>202</forwardDN><ringCount>4</ringCount></forwardListItem>"
	    "<forwardListItem><forwardStatus>1</forwardStatus></forwardListItem>"
	    "<forwardListItem><forwardingType>forwardImmExt</forwardingType>"
	    "<forwardDN><deviceIdentifier>N&lt;203&gt;C</deviceIdentifier></forwardDN></forwardListItem>"
	    "</forwardingList></GetForwardingResponse>");

	(void)state;
	assert_int_equal(m.forward_count, 4);
	assert_true(m.forwards[0].on);
	assert_string_equal(m.forwards[0].to, "8000");
	assert_false(m.forwards[1].on);
	assert_int_equal(m.forwards[1].kind, -1);
	assert_int_equal(m.forwards[2].kind, LINE_FORWARD_ALL);
	assert_false(m.forwards[2].typed);
	assert_null(m.forwards[2].to);
	assert_false(m.forwards[3].on);
	assert_string_equal(m.forwards[3].to, "203");
	assert_int_equal(read_message("<GetForwardingResponse/>").forward_count, 0);
}

/* --- snapshots ---------------------------------------------------------------------------------------------------------------- */

static void snapshots_are_whole_or_come_in_pieces(void **state)
{
	struct csta_message m = read_message("<SnapshotDeviceResponse><crossRefIDorSnapshotData><snapshotData/>"
					     "</crossRefIDorSnapshotData></SnapshotDeviceResponse>");

	(void)state;
	assert_true(m.snapshot);
	assert_int_equal(m.call_count, 0);
	assert_null(m.service_cross_ref);
	m = read_message("<SnapshotDeviceResponse><crossRefIDorSnapshotData><serviceCrossRefID>s1</serviceCrossRefID>"
			 "</crossRefIDorSnapshotData></SnapshotDeviceResponse>");
	assert_false(m.snapshot);
	assert_string_equal(m.service_cross_ref, "s1");
	m = read_message("<SnapshotDeviceResponse><serviceCrossRefID>s2</serviceCrossRefID></SnapshotDeviceResponse>");
	assert_string_equal(m.service_cross_ref, "s2");
	m = read_message("<SnapshotDeviceResponse/>");
	assert_false(m.snapshot);
	assert_null(m.service_cross_ref);
	m = read_message("<SnapshotDeviceData><serviceCrossRefID>s1</serviceCrossRefID><segmentID>1</segmentID>"
			 "<lastSegment>false</lastSegment><snapshotData><snapshotDeviceResponseInfo/></snapshotData>"
			 "</SnapshotDeviceData>");
	assert_false(m.last);
	assert_int_equal(m.call_count, 1);
	assert_non_null(m.calls[0].id);
	assert_int_equal(m.calls[0].local, CONNECTION_UNKNOWN);
	assert_true(read_message("<SnapshotDeviceData><lastSegment>1</lastSegment></SnapshotDeviceData>").last);
	assert_true(read_message("<SnapshotDeviceData/>").last);
}

/* --- errors -------------------------------------------------------------------------------------------------------------------- */

static void each_error_has_a_meaning(void **state)
{
	static const struct {
		const char *category, *error;
		enum csta_verdict verdict;
	} rows[] = {
		{ "operation", "invalidDeviceID", CSTA_NOT_FOUND },
		{ "operation", "objectNotKnown", CSTA_NOT_FOUND },
		{ "operation", "invalidMonitorObject", CSTA_NOT_FOUND },
		{ "operation", "privilegeViolationSpecifiedDevice", CSTA_DENIED },
		{ "operation", "securityViolation", CSTA_DENIED },
		{ "security", "whatever", CSTA_DENIED },
		{ "security", "", CSTA_DENIED },
		{ "operation", "serviceNotSupported", CSTA_UNSUPPORTED },
		{ "operation", "parameterNotSupported", CSTA_UNSUPPORTED_HERE },
		{ "operation", "requestIncompatibleWithDevice", CSTA_UNSUPPORTED_HERE },
		{ "operation", "invalidFeature", CSTA_UNSUPPORTED_HERE },
		{ "operation", "invalidMonitorCrossRefID", CSTA_MONITOR_GONE },
		{ "operation", "invalidCrossRefID", CSTA_MONITOR_GONE },
		{ "systemResourceAvailability", "deviceOutOfService", CSTA_OUT_OF_SERVICE },
		{ "systemResourceAvailability", "overallMonitorLimitExceeded", CSTA_LIMIT },
		{ "subscribedResourceAvailability", "objectMonitorLimitExceeded", CSTA_LIMIT },
		{ "systemResourceAvailability", "resourceBusy", CSTA_BUSY },
		{ "subscribedResourceAvailability", "outstandingReqLimitExceeded", CSTA_BUSY },
		{ "performanceManagement", "performanceLimitExceeded", CSTA_BUSY },
		{ "operation", "generic", CSTA_FAILED },
		{ "operation", "invalidParameterValue", CSTA_FAILED },
		{ "stateIncompatibility", "invalidObjectState", CSTA_FAILED },
		{ "privateData", "", CSTA_FAILED },
		{ "unspecified", "", CSTA_FAILED },
	};
	char text[300], why[RAW_MAX_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct csta_message m;

		snprintf(text, sizeof text,
		    "<a:CSTAErrorCode xmlns:a=\"" ECMA "ed3\"><a:%s>%s</a:%s></a:CSTAErrorCode>", rows[i].category,
		    rows[i].error, rows[i].category);
		m = read_message(text);
		assert_int_equal(m.kind, CSTA_ERROR);
		assert_int_equal(csta_refusal_of(&m)->verdict, rows[i].verdict);
		csta_refusal_text(&m, why, sizeof why);
		assert_non_null(strstr(why, rows[i].category));
		assert_non_null(strstr(why, rows[i].error));
	}
	assert_int_equal(read_message("<CSTAErrorCode/>").kind, CSTA_ERROR);
}

static void a_refusal_is_fit_to_be_said(void **state)
{
	char text[3000], why[RAW_MAX_TEXT_BYTES];
	struct csta_message m;

	(void)state;
	snprintf(text, sizeof text, "<CSTAErrorCode><operation>%.39s", "\xc3\xbc\xc3\xbc\xc3\xbc");
	for (int i = 0; i < 490; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "\xc3\xbc");
	snprintf(text + strlen(text), sizeof text - strlen(text), "</operation></CSTAErrorCode>");
	m = read_message(text);
	csta_refusal_text(&m, why, sizeof why);
	assert_true(utf8_is_valid(why, strlen(why)));
}

/* --- what is none --------------------------------------------------------------------------------------------------------------- */

static void what_is_no_document_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" \n",
		"<a>",
		"<a></b>",
		"text",
		"<a/><b/>",
		"<!DOCTYPE a><a/>",
		"<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
		"<a>&x;</a>",
		"<a>\xff</a>",
		"<a>\xc0\xaf</a>",
		"<a x=1/>",
		"<n:a/>",
		"<?xml version=\"1.0\" encoding=\"EBCDIC-FOO\"?><a/>",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		check_bad(bad[i], strlen(bad[i]));
	check_bad("<a>\0</a>", 8);
	check_bad("<a/>\0", 5);
}

static void depth_and_size_have_limits(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	for (int i = 0; i < XML_MAX_DEPTH + 1; i++)
		buf_puts(&b, "<a>");
	for (int i = 0; i < XML_MAX_DEPTH + 1; i++)
		buf_puts(&b, "</a>");
	check_bad(buf_text(&b), b.len);
	buf_clear(&b);
	buf_puts(&b, "<SystemStatus>");
	while (b.len < XML_MAX_BYTES)
		buf_puts(&b, "<systemStatus>normal</systemStatus>");
	buf_puts(&b, "</SystemStatus>");
	check_bad(buf_text(&b), b.len);
	buf_done(&b);
}

/* The largest that a frame can hold. */
static void the_largest_document_is_read(void **state)
{
	struct buf b;
	struct csta_message m;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_puts(&b, "<SystemStatus><systemStatus>normal</systemStatus>");
	while (b.len < CSTA_FRAME_MAX - CSTA_HEAD_BYTES - strlen("</SystemStatus>"))
		buf_putc(&b, ' ');
	buf_puts(&b, "</SystemStatus>");
	assert_int_equal(b.len, 65527);
	assert_int_equal(csta_read(reader, buf_text(&b), b.len, &m, &error), 0);
	assert_int_equal(m.status, CSTA_NORMAL);
	buf_done(&b);
}

static void devices_are_compared_by_their_keys(void **state)
{
	static const struct {
		const char *device, *key;
	} rows[] = {
		{ "201", "201" },
		{ "+302118840101", "+302118840101" },
		{ "tel:+44 20-7084.6845", "+442070846845" },
		{ "TEL:201", "201" },
		{ "sip:201@pbx", "201" },
		{ "sips:ann@pbx;x", "ann" },
		{ "N<302118840101>Name;displayNumber=5", "302118840101" },
		{ "N<tel:201>", "201" },
		{ "4750:CM1:10.0.0.1:0", "4750" },
		{ "201;ext=5", "201" },
		{ "201!a", "201" },
		{ "201&a", "201" },
		{ "201/a", "201" },
		{ "201%a", "201" },
		{ "(201)", "201" },
		{ "", "" },
		{ "sip:", "" },
		{ "N<", "" },
		{ "<>", "" },
	};
	char buf[64], small[4];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_string_equal(csta_device_key(rows[i].device, buf, sizeof buf), rows[i].key);
	assert_string_equal(csta_device_key("123456", small, sizeof small), "123");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
		TEST(documents_have_kinds),
		TEST(names_count_and_nothing_around_them),
		TEST(a_call_has_its_device_for_a_name_where_it_has_none),
		TEST(fields_that_are_too_long_are_passed_over),
		TEST(words_may_be_numbers),
		TEST(truth_has_four_words),
		TEST(sessions_are_read),
		TEST(each_type_of_forwarding_has_a_name_and_a_number),
		TEST(forwards_are_listed),
		TEST(snapshots_are_whole_or_come_in_pieces),
		TEST(each_error_has_a_meaning),
		TEST(a_refusal_is_fit_to_be_said),
		TEST(what_is_no_document_is_refused),
		TEST(depth_and_size_have_limits),
		TEST(the_largest_document_is_read),
		TEST(devices_are_compared_by_their_keys),
	};

	return cmocka_run_group_tests_name("csta_document", tests, NULL, NULL);
}
