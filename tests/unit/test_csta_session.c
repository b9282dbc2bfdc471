/* test_csta_session.c: how the conversation with a CSTA switch begins, is kept up, sleeps and ends.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>

#include "connectors/tapi/csta_session.h"
#include "daemon/base/buf.h"

#define START 1000000
#define ECMA  "http://www.ecma-international.org/standards/ecma-323/csta/"
#define APPL  "http://www.ecma-international.org/standards/ecma-354/appl_session"

static struct {
	struct tapi_settings settings;
	struct csta_exchange *exchange;
	struct csta_session *session;
	struct xml_reader *reader;
	struct buf log; /* what went out (root), and what the owner was told */
	char last[4000], id[5];
	char why[600];
	int send_result;
	int64_t now;
} w;

static int on_send(void *arg, const void *data, size_t len)
{
	const struct xml_node *root;
	struct parse_error error;
	const char *text = (const char *)data + CSTA_HEAD_BYTES;

	(void)arg;
	if (w.send_result < 0)
		return w.send_result;
	snprintf(w.last, sizeof w.last, "%.*s", (int)(len - CSTA_HEAD_BYTES), text);
	assert_int_equal(xml_read(w.reader, text, len - CSTA_HEAD_BYTES, &root, &error), 0);
	buf_printf(&w.log, ">%s ", root->name);
	memcpy(w.id, (const char *)data + 4, 4);
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
	buf_puts(&w.log, "asleep ");
	snprintf(w.why, sizeof w.why, "%s", why);
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
	buf_puts(&w.log, trouble == CSTA_TROUBLE_FORBIDDEN ? "forbidden " : "useless ");
	snprintf(w.why, sizeof w.why, "%s", why);
}

static void set_time(int64_t mono)
{
	w.now = mono;
	csta_exchange_set_time(w.exchange, (struct instant){ mono, mono });
}

static void begin(enum tapi_session how)
{
	const struct csta_transport wire = { on_send, NULL };
	const struct csta_session_owner owner = { on_ready, on_asleep, on_lost, on_overloaded, on_trouble, NULL };
	static char user[] = "presence", info[] = "<user>{user}</user><password>{password}</password>",
		    ns[] = ECMA "ed3";

	memset(&w, 0, sizeof w);
	w.settings = (struct tapi_settings){ .session = how,
		.user = user,
		.session_info = info,
		.application = (char *)(uintptr_t) "presenced",
		.session_duration = 180000,
		.xml_namespace = ns,
		.in_flight = 1 };
	buf_init(&w.log, 1 << 16);
	w.reader = xml_reader_new();
	w.exchange = csta_exchange_new(&wire, 1);
	set_time(START);
	w.session = csta_session_new(&w.settings, "s&cret", w.exchange, &owner);
	assert_true(w.reader != NULL && w.session != NULL);
}

static int end(void **state)
{
	(void)state;
	csta_session_free(w.session);
	csta_exchange_free(w.exchange);
	xml_reader_free(w.reader);
	buf_done(&w.log);
	memset(&w, 0, sizeof w);
	return 0;
}

static void connect_now(void)
{
	csta_session_connected(w.session);
}

static void assert_log(const char *expected)
{
	assert_string_equal(buf_text(&w.log), expected);
	buf_clear(&w.log);
}

static struct csta_message read_message(const char *text)
{
	struct parse_error error = { { 0 } };
	struct csta_message m;

	if (csta_read(w.reader, text, strlen(text), &m, &error) != 0)
		fail_msg("%s: %s", error.text, text);
	return m;
}

/* To the request that went out last. */
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

static void pass(int64_t ms)
{
	int64_t until = w.now + ms, at;
	size_t turns = 0;

	for (;;) {
		int64_t session = csta_session_deadline(w.session);

		at = csta_exchange_deadline(w.exchange);
		at = session < at ? session : at;
		if (at > until)
			break;
		assert_true(turns++ < 1000);
		set_time(at > w.now ? at : w.now);
		csta_exchange_run(w.exchange);
		csta_session_run(w.session);
	}
	set_time(until);
}

#define STARTED(seconds) \
	"<StartApplicationSessionPosResponse><sessionID>4711</sessionID><actualProtocolVersion>" ECMA \
	"ed3</actualProtocolVersion><actualSessionDuration>" seconds \
	"</actualSessionDuration></StartApplicationSessionPosResponse>"
#define NEGATIVE(name, error) \
	"<" name "NegResponse xmlns=\"" APPL "\"><errorCode><definedError>" error "</definedError></errorCode></" name \
	"NegResponse>"
#define STATUS_IS(word) \
	"<RequestSystemStatusResponse><systemStatus>" word "</systemStatus></RequestSystemStatusResponse>"
#define TOLD(word) "<SystemStatus><systemStatus>" word "</systemStatus></SystemStatus>"
#define NO_SUCH	   "<CSTAErrorCode><operation>serviceNotSupported</operation></CSTAErrorCode>"
#define PROLONGED(s) \
	"<ResetApplicationSessionTimerPosResponse><actualSessionDuration>" s \
	"</actualSessionDuration></ResetApplicationSessionTimerPosResponse>"

/* With a session of 180 s, or without one. */
static void begin_ready(bool with_session)
{
	begin(with_session ? TAPI_SESSION_YES : TAPI_SESSION_NO);
	connect_now();
	if (with_session)
		answer(STARTED("180"));
	answer(STATUS_IS("normal"));
	answer("<SystemRegisterResponse><sysStatRegisterID>1</sysStatRegisterID></SystemRegisterResponse>");
	assert_true(csta_session_is_ready(w.session));
	buf_clear(&w.log);
}

/* --- how it begins ---------------------------------------------------------------------------------------------------------- */

static void with_a_session_it_begins_in_three_steps(void **state)
{
	(void)state;
	begin(TAPI_SESSION_AUTO);
	connect_now();
	assert_log(">StartApplicationSession ");
	assert_string_equal(w.last,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<StartApplicationSession xmlns=\"" APPL
	    "\"><applicationInfo><applicationID>presenced</applicationID>"
	    "<applicationSpecificInfo><user>presence</user><password>s&amp;cret</password>"
	    "</applicationSpecificInfo></applicationInfo><requestedProtocolVersions>"
	    "<protocolVersion>" ECMA "ed3</protocolVersion></requestedProtocolVersions>"
	    "<requestedSessionDuration>180</requestedSessionDuration></StartApplicationSession>");
	assert_false(csta_session_is_ready(w.session));
	answer(STARTED("180"));
	assert_log(">RequestSystemStatus ");
	answer(STATUS_IS("normal"));
	assert_log(">SystemRegister ready ");
	assert_true(csta_session_is_ready(w.session));
	answer(NO_SUCH);
	assert_log("");
}

static void without_a_session_it_begins_with_a_question(void **state)
{
	(void)state;
	begin(TAPI_SESSION_NO);
	connect_now();
	assert_log(">RequestSystemStatus ");
	answer(STATUS_IS("enabled"));
	assert_log(">SystemRegister ready ");
	pass(3600000);
	assert_log(""); /* SystemRegister is not needed, and there is no session to keep up */
}

/* Any answer shows that it speaks CSTA. */
static void any_answer_to_the_first_question_will_do(void **state)
{
	static const char *const answers[] = { STATUS_IS("normal"), STATUS_IS("enabled"), STATUS_IS("2"),
		STATUS_IS("something"), "<RequestSystemStatusResponse/>", NO_SUCH, STATUS_IS("partiallyDisabled") };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		begin(TAPI_SESSION_NO);
		connect_now();
		answer(answers[i]);
		assert_true(csta_session_is_ready(w.session));
		assert_log(">RequestSystemStatus >SystemRegister ready ");
		end(NULL);
	}
}

static void no_answer_to_the_first_question_is_trouble(void **state)
{
	(void)state;
	begin(TAPI_SESSION_NO);
	connect_now();
	pass(9999);
	assert_log(">RequestSystemStatus ");
	pass(1);
	assert_log("useless ");
	assert_non_null(strstr(w.why, "port"));
	pass(60000);
	assert_log("");
}

static void where_there_are_no_sessions_auto_goes_on_without(void **state)
{
	(void)state;
	begin(TAPI_SESSION_AUTO);
	connect_now();
	answer(NO_SUCH);
	assert_log(">StartApplicationSession >RequestSystemStatus ");
	end(NULL);
	begin(TAPI_SESSION_AUTO);
	connect_now();
	pass(4999);
	assert_log(">StartApplicationSession ");
	pass(1);
	assert_log(">RequestSystemStatus ");
	answer(STATUS_IS("normal"));
	assert_log(">SystemRegister ready ");
	csta_session_stop(w.session);
	assert_log(""); /* there is nothing to stop */
}

static void where_a_session_is_needed_there_is_none_without(void **state)
{
	(void)state;
	begin(TAPI_SESSION_YES);
	connect_now();
	answer(NO_SUCH);
	assert_log(">StartApplicationSession useless ");
	assert_non_null(strstr(w.why, "serviceNotSupported"));
	end(NULL);
	begin(TAPI_SESSION_YES);
	connect_now();
	pass(9999);
	assert_log(">StartApplicationSession ");
	pass(1);
	assert_log("useless ");
	end(NULL);
	begin(TAPI_SESSION_YES);
	connect_now();
	answer("<StartApplicationSessionPosResponse/>");
	assert_log(">StartApplicationSession useless ");
}

static void wrong_credentials_are_forbidden(void **state)
{
	static const enum tapi_session how[] = { TAPI_SESSION_AUTO, TAPI_SESSION_YES };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(how[i]);
		connect_now();
		answer(NEGATIVE("StartApplicationSession", "invalidApplicationInfo"));
		assert_log(">StartApplicationSession forbidden ");
		assert_non_null(strstr(w.why, "invalidApplicationInfo"));
		assert_null(strstr(w.why, "s&cret"));
		pass(600000);
		assert_log("");
		end(NULL);
	}
}

static void another_refusal_is_trouble_and_no_reason_to_go_on_without(void **state)
{
	(void)state;
	begin(TAPI_SESSION_AUTO);
	connect_now();
	answer(NEGATIVE("StartApplicationSession", "tooManySessions"));
	assert_log(">StartApplicationSession useless ");
	assert_non_null(strstr(w.why, "tooManySessions"));
}

static void the_next_edition_is_tried_on_the_same_connection(void **state)
{
	static const char *const editions[] = { "ed3", "ed4", "ed5", "ed6", "ed2" };

	(void)state;
	begin(TAPI_SESSION_AUTO);
	connect_now();
	for (size_t i = 0; i < COUNT_OF(editions); i++) {
		assert_non_null(strstr(w.last, editions[i]));
		answer(NEGATIVE("StartApplicationSession", "requestedProtocolVersionNotSupported"));
	}
	assert_non_null(strstr(buf_text(&w.log), "useless"));
	end(NULL);
	begin(TAPI_SESSION_AUTO);
	connect_now();
	answer(NEGATIVE("StartApplicationSession", "requestedProtocolVersionNotSupported"));
	answer(STARTED("60"));
	assert_log(">StartApplicationSession >StartApplicationSession >RequestSystemStatus ");
	assert_non_null(strstr(w.last, "ed3")); /* what we send has the configured namespace */
}

/* Whoever writes down a version wants that one. */
static void a_configured_version_is_the_only_one(void **state)
{
	static char version[] = "http://www.avaya.com/csta/ed3/priv5";

	(void)state;
	begin(TAPI_SESSION_AUTO);
	w.settings.session_version = version;
	connect_now();
	assert_non_null(strstr(w.last, "<protocolVersion>http://www.avaya.com/csta/ed3/priv5</protocolVersion>"));
	answer(NEGATIVE("StartApplicationSession", "requestedProtocolVersionNotSupported"));
	assert_log(">StartApplicationSession useless ");
}

static void texts_are_escaped(void **state)
{
	static char user[] = "<&>\"'", info[] = "<a b=\"{user}\">{password}</a>{other}{";

	(void)state;
	begin(TAPI_SESSION_AUTO);
	w.settings.user = user;
	w.settings.session_info = info;
	connect_now();
	assert_non_null(strstr(w.last, "<a b=\"&lt;&amp;&gt;&quot;&apos;\">s&amp;cret</a>{other}{"));
}

/* --- how it is kept up ------------------------------------------------------------------------------------------------------ */

static void a_session_is_refreshed_at_half_of_its_time(void **state)
{
	static const struct {
		const char *seconds;
		int64_t ms;
	} rows[] = {
		{ STARTED("180"), 90000 },
		{ STARTED("60"), 30000 },
		{ STARTED("0"), 90000 },
		{ STARTED(""), 90000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		begin(TAPI_SESSION_YES);
		connect_now();
		answer(rows[i].seconds);
		answer(STATUS_IS("normal"));
		answer(NO_SUCH);
		buf_clear(&w.log);
		pass(rows[i].ms - 1);
		assert_log("");
		pass(1);
		assert_log(">ResetApplicationSessionTimer ");
		assert_non_null(strstr(w.last, "<sessionID>4711</sessionID><requestedSessionDuration>180<"));
		answer(PROLONGED("20"));
		pass(9999);
		assert_log("");
		pass(1);
		assert_log(">ResetApplicationSessionTimer ");
		answer("<ResetApplicationSessionTimerPosResponse/>"); /* as long as before */
		pass(9999);
		assert_log("");
		pass(1);
		assert_log(">ResetApplicationSessionTimer ");
		end(NULL);
	}
}

static void a_session_that_is_not_prolonged_is_gone(void **state)
{
	static const char *const answers[] = { NEGATIVE("ResetApplicationSessionTimer", "invalidSessionID"), NO_SUCH,
		NULL };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		begin_ready(true);
		pass(90000);
		if (answers[i] != NULL)
			answer(answers[i]);
		else
			pass(10000);
		assert_log(">ResetApplicationSessionTimer useless ");
		end(NULL);
	}
}

static void the_switch_may_end_a_session(void **state)
{
	(void)state;
	begin_ready(true);
	tell("<ApplicationSessionTerminated><sessionID>4711</sessionID></ApplicationSessionTerminated>");
	assert_log("useless ");
	tell("<ApplicationSessionTerminated/>"); /* once for a connection */
	assert_log("");
}

static void goodbye_is_said_to_a_session(void **state)
{
	(void)state;
	begin_ready(true);
	csta_session_stop(w.session);
	assert_log(">StopApplicationSession ");
	assert_non_null(strstr(w.last, "<sessionID>4711</sessionID><sessionEndReason><definedEndReason>normal<"));
}

static void a_silent_switch_is_asked_whether_it_is_there(void **state)
{
	(void)state;
	begin_ready(false);
	csta_session_quiet(w.session);
	csta_session_quiet(w.session);
	assert_log(">RequestSystemStatus ");
	answer(STATUS_IS("normal"));
	assert_log("");
	csta_session_quiet(w.session);
	answer(NO_SUCH); /* a refusal is a sign of life */
	assert_log(">RequestSystemStatus ");
	csta_session_quiet(w.session);
	pass(10000);
	assert_log(">RequestSystemStatus useless ");
}

static void what_cannot_be_sent_is_trouble(void **state)
{
	(void)state;
	begin(TAPI_SESSION_AUTO);
	w.send_result = -ENOBUFS;
	connect_now();
	assert_log("useless ");
}

/* --- what the switch tells ---------------------------------------------------------------------------------------------------- */

static void a_switch_that_is_not_awake_is_waited_for(void **state)
{
	static const char *const words[] = { "disabled", "initializing" };
	static const char *const wakes[] = { "enabled", "normal" };
	char text[200];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		begin(TAPI_SESSION_NO);
		connect_now();
		snprintf(text, sizeof text, STATUS_IS("%s"), words[i % 2]);
		answer(text);
		assert_log(">RequestSystemStatus asleep ");
		assert_non_null(strstr(w.why, words[i % 2]));
		assert_false(csta_session_is_ready(w.session));
		snprintf(text, sizeof text, TOLD("%s"), words[1 - i % 2]);
		tell(text);
		assert_log(""); /* it knows */
		snprintf(text, sizeof text, TOLD("%s"), wakes[i / 2]);
		tell(text);
		assert_log(">SystemRegister ready ");
		end(NULL);
	}
}

/* One that forgets to tell is asked. */
static void a_sleeping_switch_is_asked_now_and_then(void **state)
{
	(void)state;
	begin_ready(false);
	tell(TOLD("disabled"));
	assert_log("asleep ");
	pass(20000);
	assert_log(">RequestSystemStatus ");
	answer(STATUS_IS("initializing"));
	assert_log("");
	pass(20000);
	assert_log(">RequestSystemStatus ");
	answer(STATUS_IS("normal"));
	assert_log("ready "); /* it is registered for SystemStatus already */
	pass(600000);
	assert_log("");
}

static void each_status_has_its_effect(void **state)
{
	static const struct {
		const char *told, *log;
	} rows[] = {
		{ TOLD("normal"), "" },
		{ TOLD("enabled"), "" },
		{ TOLD("something"), "" },
		{ TOLD(""), "" },
		{ TOLD("messagesLost"), "lost " },
		{ TOLD("overloadImminent"), "overloaded " },
		{ TOLD("overloadReached"), "overloaded " },
		{ TOLD("overloadRelieved"), "relieved " },
		{ TOLD("disabled"), "asleep " },
		{ TOLD("initializing"), "asleep " },
		{ TOLD("partiallyDisabled"), "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		begin_ready(i % 2 == 0);
		tell(rows[i].told);
		assert_log(rows[i].log);
		end(NULL);
	}
}

/* As messagesLost, when it ends. */
static void after_a_partial_outage_events_are_missing(void **state)
{
	(void)state;
	begin_ready(false);
	tell(TOLD("partiallyDisabled"));
	tell(TOLD("partiallyDisabled"));
	buf_clear(&w.log);
	tell(TOLD("normal"));
	assert_log("lost ");
	tell(TOLD("normal"));
	assert_log("");
}

static void before_it_is_ready_what_is_told_waits(void **state)
{
	(void)state;
	begin(TAPI_SESSION_AUTO);
	connect_now();
	tell(TOLD("enabled")); /* some greet with it */
	tell(TOLD("messagesLost"));
	assert_log(">StartApplicationSession ");
	answer(STARTED("180"));
	tell(TOLD("enabled"));
	assert_log(">RequestSystemStatus ");
	answer(STATUS_IS("normal"));
	assert_log(">SystemRegister ready ");
}

/* --- ends ------------------------------------------------------------------------------------------------------------------------ */

static void after_a_loss_it_begins_anew(void **state)
{
	(void)state;
	for (int moment = 0; moment < 5; moment++) {
		begin(TAPI_SESSION_YES);
		connect_now();
		if (moment >= 1)
			answer(STARTED("180"));
		if (moment >= 2)
			answer(STATUS_IS("normal"));
		if (moment == 3)
			pass(90000);
		if (moment == 4)
			tell(TOLD("disabled"));
		csta_exchange_lost(w.exchange);
		csta_session_lost(w.session);
		buf_clear(&w.log);
		assert_false(csta_session_is_ready(w.session));
		pass(3600000);
		csta_session_stop(w.session);
		assert_log("");
		connect_now();
		answer(STARTED("180"));
		answer(STATUS_IS("normal"));
		assert_log(">StartApplicationSession >RequestSystemStatus >SystemRegister ready ");
		end(NULL);
	}
	csta_session_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_teardown(f, end)
		TEST(with_a_session_it_begins_in_three_steps),
		TEST(without_a_session_it_begins_with_a_question),
		TEST(any_answer_to_the_first_question_will_do),
		TEST(no_answer_to_the_first_question_is_trouble),
		TEST(where_there_are_no_sessions_auto_goes_on_without),
		TEST(where_a_session_is_needed_there_is_none_without),
		TEST(wrong_credentials_are_forbidden),
		TEST(another_refusal_is_trouble_and_no_reason_to_go_on_without),
		TEST(the_next_edition_is_tried_on_the_same_connection),
		TEST(a_configured_version_is_the_only_one),
		TEST(texts_are_escaped),
		TEST(a_session_is_refreshed_at_half_of_its_time),
		TEST(a_session_that_is_not_prolonged_is_gone),
		TEST(the_switch_may_end_a_session),
		TEST(goodbye_is_said_to_a_session),
		TEST(a_silent_switch_is_asked_whether_it_is_there),
		TEST(what_cannot_be_sent_is_trouble),
		TEST(a_switch_that_is_not_awake_is_waited_for),
		TEST(a_sleeping_switch_is_asked_now_and_then),
		TEST(each_status_has_its_effect),
		TEST(after_a_partial_outage_events_are_missing),
		TEST(before_it_is_ready_what_is_told_waits),
		TEST(after_a_loss_it_begins_anew),
	};

	return cmocka_run_group_tests_name("csta_session", tests, NULL, NULL);
}
