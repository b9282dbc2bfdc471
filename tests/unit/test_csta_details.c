/* test_csta_details.c: rare things of lines, sessions and frames of a CSTA switch, each of which was got wrong once.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>

#include "connectors/tapi/csta_line.h"
#include "connectors/tapi/csta_session.h"
#include "daemon/base/buf.h"
#include "daemon/model/vocab.h"

static struct {
	struct xml_reader *reader;
	struct tapi_line line;
	struct csta_exchange *exchange;
	struct csta_session *session;
	struct tapi_settings settings;
	struct buf log;
	char id[5], last[4000];
	int64_t now;
} w;

static int on_send(void *arg, const void *data, size_t len)
{
	(void)arg;
	memcpy(w.id, (const char *)data + 4, 4);
	snprintf(w.last, sizeof w.last, "%.*s", (int)(len - CSTA_HEAD_BYTES), (const char *)data + CSTA_HEAD_BYTES);
	return 0;
}

static void on_ready(void *arg)
{
	(void)arg;
	buf_puts(&w.log, "ready ");
}

static void on_asleep(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	buf_puts(&w.log, "asleep ");
}

static void on_lost(void *arg)
{
	(void)arg;
	buf_puts(&w.log, "lost ");
}

static void on_overloaded(void *arg, bool yes)
{
	(void)arg;
	buf_puts(&w.log, yes ? "overloaded " : "relieved ");
}

static void on_trouble(void *arg, enum csta_session_trouble trouble, const char *why)
{
	(void)arg;
	(void)trouble;
	(void)why;
	buf_puts(&w.log, "trouble ");
}

static void set_time(int64_t mono)
{
	w.now = mono;
	csta_exchange_set_time(w.exchange, (struct instant){ mono, mono });
}

static int begin(void **state)
{
	static char ns[] = "urn:x", info[] = "<user>{user}</user>";
	const struct csta_transport wire = { on_send, NULL };
	const struct csta_session_owner owner = { on_ready, on_asleep, on_lost, on_overloaded, on_trouble, NULL };

	(void)state;
	memset(&w, 0, sizeof w);
	w.settings = (struct tapi_settings){ .session = TAPI_SESSION_NO,
		.session_info = info,
		.application = info,
		.session_duration = 180000,
		.xml_namespace = ns };
	buf_init(&w.log, 1 << 16);
	line_init(&w.line);
	line_calls_believe(&w.line);
	w.reader = xml_reader_new();
	w.exchange = csta_exchange_new(&wire, 16);
	set_time(1000000);
	w.session = csta_session_new(&w.settings, NULL, w.exchange, &owner);
	return w.reader == NULL || w.session == NULL;
}

static int end(void **state)
{
	(void)state;
	line_done(&w.line);
	csta_session_free(w.session);
	csta_exchange_free(w.exchange);
	xml_reader_free(w.reader);
	buf_done(&w.log);
	return 0;
}

static struct csta_message read_message(const char *text)
{
	struct parse_error error = { { 0 } };
	struct csta_message m;

	if (csta_read(w.reader, text, strlen(text), &m, &error) != 0)
		fail_msg("%s: %s", error.text, text);
	return m;
}

/* --- lines ------------------------------------------------------------------------------------------------------------------- */

static void event(const char *text)
{
	const struct csta_owner owner = { .device = "201" };
	struct csta_message m = read_message(text);
	unsigned ask;

	assert_true(csta_line_event(&w.line, &m, &owner, (struct instant){ w.now, w.now }, &ask) >= 0);
}

/* The first call, or "none": state/direction/peer. */
static const char *first_call(void)
{
	static char text[300];
	struct line_reading r;

	line_read(&w.line, &r);
	if (r.facts.call_count == 0)
		return "none";
	snprintf(text, sizeof text, "%s/%s/%s", vocab_name(&vocab_call_state, r.calls[0].state),
	    r.calls[0].direction < 0 ? "-" : vocab_name(&vocab_direction, r.calls[0].direction),
	    r.calls[0].peer == NULL ? "-" : r.calls[0].peer);
	return text;
}

/* The call that is spared for a new one may be the one that has become the new one. */
static void of_a_call_that_is_spared_its_peer_is_kept(void **state)
{
	char text[600];

	(void)state;
	for (int i = 0; i < LINE_CALLS_MAX; i++) {
		snprintf(text, sizeof text,
		    "<QueuedEvent><queuedConnection><callID>%d</callID></queuedConnection><queue>201</queue>"
		    "<callingDevice>30%d</callingDevice><localConnectionInfo>queued</localConnectionInfo></"
		    "QueuedEvent>",
		    i, i);
		event(text);
	}
	event("<TransferedEvent><primaryOldCall><callID>0</callID></primaryOldCall><transferredConnections>"
	      "<connectionListItem><newConnection><callID>new</callID><deviceID>201</deviceID></newConnection>"
	      "</connectionListItem></transferredConnections><localConnectionInfo>connected</localConnectionInfo>"
	      "</TransferedEvent>");
	assert_int_equal(w.line.count, LINE_CALLS_MAX);
	assert_string_equal(first_call(), "connected/in/300");
}

/* A switch that calls us back for a call of ours rings at us first; the peer is not ourselves. */
static void a_call_of_ours_that_rings_at_us_goes_out(void **state)
{
	(void)state;
	event("<DeliveredEvent><connection><callID>1</callID></connection><alertingDevice>201</alertingDevice>"
	      "<callingDevice>201</callingDevice><calledDevice>202</calledDevice>"
	      "<localConnectionInfo>alerting</localConnectionInfo></DeliveredEvent>");
	assert_string_equal(first_call(), "ringing/out/202");
}

/* Who calls is not known: neither is the direction, and a call that is not answered is not in conversation. */
static void a_caller_who_is_not_known_tells_no_direction(void **state)
{
	(void)state;
	event("<OriginatedEvent><originatedConnection><callID>1</callID></originatedConnection>"
	      "<callingDevice><notKnown/></callingDevice><calledDevice>202</calledDevice>"
	      "<localConnectionInfo>connected</localConnectionInfo></OriginatedEvent>");
	assert_true(strncmp(first_call(), "dialing/", 8) == 0);
	assert_null(strstr(first_call(), "/in/"));
}

/* ECMA-269 counts from null 0 to fail 6. */
static void a_local_connection_info_of_seven_is_not_said(void **state)
{
	(void)state;
	event("<DeliveredEvent><connection><callID>1</callID></connection><alertingDevice>201</alertingDevice>"
	      "<callingDevice>202</callingDevice><calledDevice>201</calledDevice>"
	      "<localConnectionInfo>7</localConnectionInfo></DeliveredEvent>");
	assert_string_equal(first_call(), "ringing/in/202");
}

/* A queue or a group may end many in half a minute. */
static void every_call_that_ended_stays_ended(void **state)
{
	char id[16];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 20; i++) {
			struct call_said said = { .id = id, .answered = -1, .direction = -1 };

			snprintf(id, sizeof id, "c%d", i);
			said.state = CONNECTION_ALERTING;
			line_call_changed(&w.line, &said, (struct instant){ w.now, w.now });
			if (round == 1)
				continue;
			said.state = CONNECTION_NULL;
			line_call_changed(&w.line, &said, (struct instant){ w.now, w.now });
		}
	}
	assert_int_equal(w.line.count, 0);
}

/* --- sessions ---------------------------------------------------------------------------------------------------------------- */

static void answer(const char *text)
{
	struct csta_message m = read_message(text);

	assert_true(csta_answer(w.exchange, w.id, &m));
}

static void tell(const char *text)
{
	struct csta_message m = read_message(text);

	csta_session_told(w.session, &m);
}

static void assert_log(const char *expected)
{
	assert_string_equal(buf_text(&w.log), expected);
	buf_clear(&w.log);
}

/* It works, and has much to do: it is up, at half the pace. */
static void a_switch_that_is_overloaded_at_first_is_up(void **state)
{
	static const char *const words[] = { "overloadImminent", "overloadReached", "overloadRelieved" };
	char text[200];

	for (size_t i = 0; i < COUNT_OF(words); i++) {
		snprintf(text, sizeof text,
		    "<RequestSystemStatusResponse><systemStatus>%s</systemStatus></RequestSystemStatusResponse>",
		    words[i]);
		csta_session_connected(w.session);
		answer(text);
		assert_true(csta_session_is_ready(w.session));
		assert_log(i < 2 ? "ready overloaded " : "ready relieved ");
		end(state);
		begin(state);
	}
}

/* Only enabled and normal wake it: a switch that starts refuses what it is asked. */
static void a_switch_that_is_asleep_does_not_wake_by_anything(void **state)
{
	static const char *const told[] = { "<SystemStatus><systemStatus>messagesLost</systemStatus></SystemStatus>",
		"<SystemStatus><systemStatus>something</systemStatus></SystemStatus>", "<SystemStatus/>" };

	(void)state;
	csta_session_connected(w.session);
	answer("<RequestSystemStatusResponse><systemStatus>initializing</systemStatus></RequestSystemStatusResponse>");
	assert_log("asleep ");
	for (size_t i = 0; i < COUNT_OF(told); i++) {
		tell(told[i]);
		assert_false(csta_session_is_ready(w.session));
	}
}

static void a_refusal_does_not_wake_a_switch_that_is_asleep(void **state)
{
	(void)state;
	csta_session_connected(w.session);
	answer("<RequestSystemStatusResponse><systemStatus>initializing</systemStatus></RequestSystemStatusResponse>");
	set_time(csta_session_deadline(w.session));
	csta_session_run(w.session);
	answer("<CSTAErrorCode><systemResourceAvailability>generic</systemResourceAvailability></CSTAErrorCode>");
	assert_false(csta_session_is_ready(w.session));
	assert_log("asleep ");
}

/* Whoever writes it down wants it sent, also if it says neither user nor password. */
static void session_info_is_sent_also_without_a_user(void **state)
{
	static char info[] = "<key>k-17</key>";

	(void)state;
	w.settings.session = TAPI_SESSION_YES;
	w.settings.session_info = info;
	csta_session_connected(w.session);
	assert_non_null(strstr(w.last, "<applicationSpecificInfo><key>k-17</key></applicationSpecificInfo>"));
}

/* --- frames ------------------------------------------------------------------------------------------------------------------- */

static void put_at_once(void *arg, struct buf *b)
{
	size_t len = *(const size_t *)arg;
	char *data = malloc(len);

	assert_non_null(data);
	memset(data, 'y', len);
	buf_put(b, data, len);
	free(data);
}

/* A document that is put in one piece fails in the same way as one in many. */
static void a_piece_that_is_too_large_is_a_message_that_is(void **state)
{
	size_t much = 100000;

	(void)state;
	assert_int_equal(csta_tell(w.exchange, put_at_once, &much), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
		TEST(a_call_of_ours_that_rings_at_us_goes_out),
		TEST(a_caller_who_is_not_known_tells_no_direction),
		TEST(a_local_connection_info_of_seven_is_not_said),
		TEST(every_call_that_ended_stays_ended),
		TEST(a_switch_that_is_overloaded_at_first_is_up),
		TEST(a_switch_that_is_asleep_does_not_wake_by_anything),
		TEST(a_refusal_does_not_wake_a_switch_that_is_asleep),
		TEST(session_info_is_sent_also_without_a_user),
		TEST(a_piece_that_is_too_large_is_a_message_that_is),
		TEST(of_a_call_that_is_spared_its_peer_is_kept),
	};

	return cmocka_run_group_tests_name("csta_details", tests, NULL, NULL);
}
