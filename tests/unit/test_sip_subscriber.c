/* test_sip_subscriber.c: what servers may do to subscriptions, and what is sent and said then, in virtual time.
 * SPDX-License-Identifier: MIT
 *
 * The subscriber and its agent are the real ones. A test is the server: it reads the requests that went out, answers
 * them and notifies.
 */
#include "tests/unit/helpers.h"

#include <errno.h>

#include "connectors/sip/message.h"
#include "connectors/sip/subscriber_private.h"

#define START	 1000000
#define SENT_MAX 20000
#define STEP_MS	 500

static struct xml_reader *reader;
static struct agent *ag;
static struct subscriber *s;
static int64_t now;
static char *sent[SENT_MAX]; /* every request that went out */
static size_t sent_count, read_count;
static int send_result;
static struct buf said; /* a line for each thing that the owner was told */
static size_t forbidden, unavailable, forgotten, settled;
static unsigned cseq; /* of the server */
static int64_t asked_wait;

/* --- what is below and above ----------------------------------------------------------------------- */

static int on_send(void *arg, const void *data, size_t len)
{
	(void)arg;
	if (send_result < 0)
		return send_result;
	assert_true(sent_count < SENT_MAX);
	sent[sent_count] = strndup(data, len);
	assert_non_null(sent[sent_count++]);
	return 0;
}

/* As the connector does it: a fetched document stands alone and replaces what is known. */
static bool on_document(void *arg, const struct subscribed *who, const char *type, const char *body, size_t len)
{
	struct line_dialogs own = { 0 };
	struct dialog_info_reading reading;
	struct parse_error error;
	int r;

	(void)arg;
	(void)type;
	if (who->package != SIP_DIALOG) {
		buf_printf(&said, "document %s%s\n", who->address, who->fetched ? " fetched" : "");
		return true;
	}
	r = dialog_info_read(reader, body, len, 0, who->fetched ? &own : who->dialogs, &reading, &error);
	assert_true(r >= 0);
	buf_printf(&said, "document %s%s %s\n", who->address, who->fetched ? " fetched" : "",
	    r == DIALOG_INFO_OLD ? "old" : vocab_name(&vocab_line, reading.facts.line));
	if (who->fetched)
		line_dialogs_replace(who->dialogs, &own);
	line_dialogs_done(&own);
	return r != DIALOG_INFO_GAP;
}

static void on_status(void *arg, const struct subscribed *who, enum state_status status, const char *why)
{
	(void)arg;
	(void)why;
	buf_printf(
	    &said, "%s %s%s\n", vocab_name(&vocab_state_status, status), who->address, who->fetched ? " fetched" : "");
}

static void on_trouble(void *arg, enum subscriber_trouble trouble, int64_t wait, const char *why)
{
	(void)arg;
	assert_non_null(why);
	forbidden += trouble == SUBSCRIBER_FORBIDDEN;
	unavailable += trouble == SUBSCRIBER_UNAVAILABLE;
	forgotten += trouble == SUBSCRIBER_FORGOTTEN;
	asked_wait = wait;
}

static void on_settled(void *arg)
{
	(void)arg;
	settled++;
}

static void begin(const char *transport, const char *password, size_t in_flight)
{
	struct agent_settings as = { .uri = "sip:me@x.example",
		.domain = "x",
		.transport = transport,
		.identity = { "me", password },
		.wire = { on_send, NULL } };
	const struct subscriber_settings settings = { .expires = 600, .in_flight = in_flight };
	const struct subscriber_owner owner = { on_document, on_status, on_trouble, on_settled, NULL };

	now = START;
	sent_count = read_count = 0;
	send_result = 0;
	forbidden = unavailable = forgotten = settled = cseq = 0;
	asked_wait = -1;
	buf_init(&said, 1 << 20);
	reader = xml_reader_new();
	ag = agent_new(&as, now);
	agent_set_address(ag, "192.0.2.1", 5060, "192.0.2.1", 5060);
	s = subscriber_new(&settings, ag, &owner);
	assert_non_null(s);
}

/* Also after a failed assertion. */
static int end(void **state)
{
	(void)state;
	send_result = 0;
	subscriber_free(s);
	agent_free(ag);
	xml_reader_free(reader);
	buf_done(&said);
	while (sent_count > 0)
		free(sent[--sent_count]);
	s = NULL;
	ag = NULL;
	reader = NULL;
	return 0;
}

/* --- the server ------------------------------------------------------------------------------------ */

#define TEXT 800

/* The value of a header, "" if it has none. */
static const char *header(const char *message, const char *name, char *buf)
{
	char key[40];
	const char *p;

	snprintf(key, sizeof key, "\r\n%s: ", name);
	p = strstr(message, key);
	snprintf(
	    buf, TEXT, "%.*s", p == NULL ? 0 : (int)strcspn(p + strlen(key), "\r"), p == NULL ? "" : p + strlen(key));
	return buf;
}

static bool has_header(const char *message, const char *name)
{
	char value[TEXT];

	return *header(message, name, value) != '\0';
}

/* Whether it belongs to a dialog. */
static bool in_dialog(const char *request)
{
	char to[TEXT];

	return strstr(header(request, "To", to), ";tag=") != NULL;
}

/* The next request that was not read yet; NULL: there is none. */
static const char *next_request(void)
{
	return read_count < sent_count ? sent[read_count++] : NULL;
}

static const char *take_request(void)
{
	const char *request = next_request();

	assert_non_null(request);
	return request;
}

static void receive(const char *text)
{
	const char *why;
	struct usage *u;
	sip_t *sip;
	msg_t *msg = sip_message_parse(text, strlen(text), &sip, &why);

	if (msg == NULL)
		fail_msg("%s: %s", why, text);
	if (sip->sip_status != NULL) {
		agent_answer(ag, sip);
	} else {
		subscriber_judge(s, sip, &u);
		if (u != NULL)
			subscriber_take(s, u, sip);
	}
	msg_destroy(msg);
}

/* `more`: whole header lines. */
static void answer(const char *request, int status, const char *more)
{
	char via[TEXT], from[TEXT], to[TEXT], id[TEXT], number[TEXT], text[6000];

	header(request, "To", to);
	snprintf(text, sizeof text,
	    "SIP/2.0 %d X\r\nVia: %s\r\nFrom: %s\r\nTo: %s%s\r\nCall-ID: %s\r\nCSeq: %s\r\n"
	    "Contact: <sip:server@192.0.2.9>\r\n%sContent-Length: 0\r\n\r\n",
	    status, header(request, "Via", via), header(request, "From", from), to,
	    in_dialog(request) ? "" : ";tag=srv", header(request, "Call-ID", id), header(request, "CSeq", number),
	    more);
	receive(text);
}

/* In the dialog that the request began or belongs to. */
static void notify(const char *request, const char *state, const char *body)
{
	char from[TEXT], to[TEXT], id[TEXT], event[TEXT], text[6000];
	char *tag;

	header(request, "To", to);
	tag = strstr(to, ";tag=");
	if (tag != NULL)
		*tag = '\0';
	header(request, "Event", event);
	cseq++;
	snprintf(text, sizeof text,
	    "NOTIFY sip:presenced@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK%u\r\n"
	    "From: %s;tag=srv\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u NOTIFY\r\nContact: <sip:server@192.0.2.9>\r\n"
	    "Event: %s\r\nSubscription-State: %s\r\nContent-Type: application/%s\r\nContent-Length: %zu\r\n\r\n%s",
	    cseq, to, header(request, "From", from), header(request, "Call-ID", id), cseq, event, state,
	    strcmp(event, "dialog") == 0 ? "dialog-info+xml" : "pidf+xml", strlen(body), body);
	receive(text);
}

#define LINE(version, state, dialogs) \
	"<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"" version "\" state=\"" state \
	"\" entity=\"sip:a@x\">" dialogs "</dialog-info>"
#define LINE_IS_IDLE LINE("1", "full", "")
#define CALL(id, st) "<dialog id=\"" id "\"><state>" st "</state></dialog>"
#define PERSON	     "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:a@x\"/>"

static void accept(const char *request)
{
	answer(request, 200, "Expires: 600\r\n");
	notify(request, "active;expires=600", LINE_IS_IDLE);
}

/* Let time pass; the server does the same with each request. */
static void live(int64_t ms, void (*serve)(const char *request))
{
	const char *request;

	for (int64_t until = now + ms; now < until;) {
		now = until - now < STEP_MS ? until : now + STEP_MS;
		agent_set_time(ag, now);
		agent_run(ag);
		subscriber_run(s);
		while (serve != NULL && (request = next_request()) != NULL)
			serve(request);
	}
}

static void watch(const char *address, enum sip_package package)
{
	assert_int_equal(subscriber_watch(s, address, package, DOMAIN_TELEPHONY), 0);
}

/* sip:a@x alone, at a server that is there: the first request for it. */
static const char *begin_with(const char *transport, const char *password, enum sip_package package)
{
	begin(transport, password, 50);
	subscriber_connected(s);
	watch("sip:a@x", package);
	live(1, NULL);
	return take_request();
}

static void watch_many(size_t count)
{
	char address[40];

	for (size_t i = 0; i < count; i++) {
		snprintf(address, sizeof address, "sip:u%zu@x", i);
		watch(address, SIP_DIALOG);
	}
}

static struct subscriber_stats stats(void)
{
	struct subscriber_stats ret;

	subscriber_stats(s, &ret);
	return ret;
}

/* Also of those that are watched no more. */
static size_t usages(void)
{
	return s->slot_count - s->free_count;
}

#define assert_said(expected) (assert_string_equal(buf_text(&said), expected), buf_clear(&said))

/* --- challenges ------------------------------------------------------------------------------------ */

#define OF_PROXY(nonce)	 "Proxy-Authenticate: Digest realm=\"p\", nonce=\"" nonce "\", qop=\"auth\"\r\n"
#define OF_SERVER(nonce) "WWW-Authenticate: Digest realm=\"s\", nonce=\"" nonce "\", qop=\"auth\"\r\n"

static void a_proxy_and_the_server_may_both_ask(void **state)
{
	const char *request;

	(void)state;
	request = begin_with("TCP", "secret", SIP_DIALOG);
	assert_false(has_header(request, "Authorization"));
	answer(request, 407, OF_PROXY("n1"));
	request = take_request();
	assert_true(has_header(request, "Proxy-Authorization"));
	assert_false(has_header(request, "Authorization"));
	answer(request, 401, OF_SERVER("n2"));
	request = take_request();
	assert_true(has_header(request, "Proxy-Authorization"));
	assert_true(has_header(request, "Authorization"));
	accept(request);
	assert_said("document sip:a@x idle\n");
	assert_int_equal(stats().established, 1);
	assert_int_equal(forbidden, 0);
	assert_null(next_request());
}

static void a_wrong_password_is_tried_once(void **state)
{
	const char *request;

	(void)state;
	begin("TCP", "wrong", 1);
	subscriber_connected(s);
	watch("sip:a@x", SIP_DIALOG);
	watch("sip:b@x", SIP_DIALOG);
	live(1, NULL);
	answer(take_request(), 401, OF_SERVER("n1"));
	request = take_request();
	assert_true(has_header(request, "Authorization"));
	answer(request, 401, OF_SERVER("n2"));
	assert_int_equal(forbidden, 1);
	assert_non_null(strstr(agent_refusal(ag), "refuses the password of me"));
	assert_false(has_header(take_request(), "Authorization"));
	assert_null(next_request());
}

static void an_expired_nonce_is_no_wrong_password(void **state)
{
	const char *request;

	(void)state;
	answer(begin_with("TCP", "secret", SIP_DIALOG), 401, OF_SERVER("n1"));
	answer(take_request(), 401, "WWW-Authenticate: Digest realm=\"s\", nonce=\"n2\", qop=\"auth\", stale=true\r\n");
	request = take_request();
	assert_non_null(strstr(request, "nonce=\"n2\""));
	accept(request);
	assert_int_equal(forbidden, 0);
	assert_int_equal(stats().established, 1);
}

#define OF_PARTNER "WWW-Authenticate: Digest realm=\"partner\", nonce=\"n\", qop=\"auth\"\r\n"

/* Neither is it told what our password makes of its realm, nor is it our server that refuses us. */
static void a_realm_of_somebody_else_is_trouble_of_one_address(void **state)
{
	const char *request;

	(void)state;
	answer(begin_with("TCP", "secret", SIP_DIALOG), 401, OF_SERVER("n1"));
	accept(take_request());
	assert_said("document sip:a@x idle\n");
	watch("sip:b@partner", SIP_DIALOG);
	live(1, NULL);
	answer(take_request(), 401, OF_PARTNER);
	assert_said("access_denied sip:b@partner\n");
	assert_non_null(strstr(agent_refusal(ag), "realm partner"));
	assert_null(next_request());
	watch("sip:c@x", SIP_DIALOG);
	live(1, NULL);
	request = take_request();
	assert_non_null(strstr(request, "realm=\"s\""));
	accept(request);
	assert_int_equal(forbidden, 0);
	assert_int_equal(stats().established, 2);
}

/* Also where our server has let us in without a password: one address must not darken all. */
static void a_realm_of_another_domain_is_trouble_of_one_address(void **state)
{
	static const char *const passwords[] = { "secret", NULL };

	for (size_t i = 0; i < COUNT_OF(passwords); i++) {
		accept(begin_with("TCP", passwords[i], SIP_DIALOG));
		assert_said("document sip:a@x idle\n");
		watch("sip:b@partner", SIP_DIALOG);
		live(1, NULL);
		answer(take_request(), 401, OF_PARTNER);
		assert_said("access_denied sip:b@partner\n");
		assert_null(next_request());
		assert_int_equal(forbidden, 0);
		end(state);
	}
}

static void a_password_that_is_asked_for_first_by_an_address_of_ours_is_given(void **state)
{
	(void)state;
	accept(begin_with("TCP", "secret", SIP_DIALOG));
	watch("sip:b@X:5070", SIP_DIALOG);
	live(1, NULL);
	answer(take_request(), 401, OF_SERVER("n1"));
	assert_true(has_header(take_request(), "Authorization"));
}

/* A proxy of ours may stand before it: then it may be ours as well, and is tried once. */
static void a_realm_behind_our_proxy_is_tried_once(void **state)
{
	const char *request;

	(void)state;
	answer(begin_with("TCP", "secret", SIP_DIALOG), 407, OF_PROXY("n1"));
	accept(take_request());
	for (int i = 0; i < 3; i++) {
		char address[40];

		snprintf(address, sizeof address, "sip:b%d@partner", i);
		watch(address, SIP_DIALOG);
		live(1, NULL);
		request = take_request();
		assert_false(has_header(request, "Authorization"));
		answer(request, 401, OF_PARTNER);
		if (i == 0)
			answer(take_request(), 401, OF_PARTNER);
		assert_null(next_request());
	}
	assert_said("document sip:a@x idle\naccess_denied sip:b0@partner\naccess_denied sip:b1@partner\n"
		    "access_denied sip:b2@partner\n");
	assert_int_equal(forbidden, 0);
}

/* The password was changed at the server: that is our trouble, not somebody's. */
static void our_own_realm_may_refuse_us_later(void **state)
{
	(void)state;
	answer(begin_with("TCP", "secret", SIP_DIALOG), 401, OF_SERVER("n1"));
	accept(take_request());
	watch("sip:b@x", SIP_DIALOG);
	live(1, NULL);
	answer(take_request(), 401, OF_SERVER("n2"));
	answer(take_request(), 401, OF_SERVER("n3"));
	assert_int_equal(forbidden, 1);
}

/* --- what does not fit ----------------------------------------------------------------------------- */

static void what_is_too_long_with_credentials_is_trouble_of_one_address(void **state)
{
	char address[400], expected[400 + 40];
	const char *request;

	(void)state;
	begin("UDP", "secret", 50);
	subscriber_connected(s);
	snprintf(address, sizeof address, "sip:%0280d@x", 0);
	watch(address, SIP_DIALOG);
	live(1, NULL);
	answer(take_request(), 401, OF_SERVER("n1"));
	assert_null(next_request());
	snprintf(expected, sizeof expected, "error %s\n", address);
	assert_said(expected);
	assert_int_equal(forbidden + unavailable + forgotten, 0);
	watch("sip:b@x", SIP_DIALOG);
	live(1, NULL);
	request = take_request();
	assert_true(has_header(request, "Authorization"));
	accept(request);
	assert_said("document sip:b@x idle\n");
	live(60 * SECOND, accept);
	assert_int_equal(stats().established, 1);
	subscriber_unwatch(s, address, SIP_DIALOG, DOMAIN_TELEPHONY);
	assert_int_equal(stats().subscriptions, 1);
	assert_int_equal(stats().waiting, 0);
	assert_int_equal(usages(), 1);
}

static void a_goodbye_that_does_not_fit_leaves_nothing(void **state)
{
	(void)state;
	accept(begin_with("UDP", NULL, SIP_DIALOG));
	send_result = -EMSGSIZE;
	subscriber_unwatch(s, "sip:a@x", SIP_DIALOG, DOMAIN_TELEPHONY);
	live(1, NULL);
	assert_int_equal(usages(), 0);
	subscriber_lost(s);
	assert_int_equal(stats().subscriptions + stats().established + stats().waiting, 0);
}

/* --- documents ------------------------------------------------------------------------------------- */

static void a_gap_is_remembered_until_the_whole_state_has_come(void **state)
{
	const char *request, *fetch;

	(void)state;
	request = begin_with("TCP", NULL, SIP_DIALOG);
	answer(request, 200, "Expires: 600\r\n");
	notify(request, "active;expires=600", LINE("1", "full", CALL("x", "confirmed")));
	assert_said("document sip:a@x busy\n");
	notify(request, "active;expires=600", LINE("3", "partial", CALL("y", "early"))); /* 2, the end of x, is lost */
	buf_clear(&said);
	fetch = take_request();
	assert_false(in_dialog(fetch));
	answer(fetch, 200, "Expires: 0\r\n");
	notify(request, "active;expires=600", LINE("4", "partial", CALL("y", "terminated")));
	assert_said("document sip:a@x busy\n");
	notify(fetch, "terminated;reason=timeout", LINE("0", "full", CALL("y", "early")));
	assert_said(""); /* it was overtaken */
	fetch = take_request();
	answer(fetch, 200, "Expires: 0\r\n");
	notify(fetch, "terminated;reason=timeout", LINE("0", "full", ""));
	assert_said("document sip:a@x fetched idle\n");
	notify(request, "active;expires=600", LINE("5", "partial", CALL("z", "confirmed")));
	assert_said("document sip:a@x busy\n");
	assert_null(next_request());
	assert_int_equal(usages(), 1);
}

static void a_pending_subscription_is_proved_in_its_own_dialog(void **state)
{
	const char *request;

	(void)state;
	request = begin_with("TCP", NULL, SIP_PRESENCE);
	answer(request, 200, "Expires: 600\r\n");
	notify(request, "pending;expires=600", "");
	assert_said("requesting sip:a@x\n");
	subscriber_verify(s, "sip:a@x", SIP_PRESENCE);
	live(1, NULL);
	request = take_request();
	assert_true(in_dialog(request));
	assert_null(strstr(request, "Expires: 0\r\n"));
	answer(request, 200, "Expires: 600\r\n");
	notify(request, "pending;expires=600", PERSON); /* what strangers are shown */
	assert_said("requesting sip:a@x\n");
	notify(request, "active;expires=600", PERSON);
	assert_said("document sip:a@x\n");
	subscriber_verify(s, "sip:a@x", SIP_PRESENCE);
	live(1, NULL);
	assert_false(in_dialog(take_request()));
}

/* FreeSWITCH ends every fetch so; others refuse them, or have nothing to say in them. */
static void a_fetch_that_says_nothing_is_no_word_about_the_person(void **state)
{
	static const struct {
		int status;
		const char *substate, *body;
	} rows[] = {
		{ 200, "terminated;reason=noresource", "" },
		{ 200, "terminated;reason=noresource", LINE("0", "full", CALL("y", "confirmed")) },
		{ 200, "terminated;reason=rejected", "" },
		{ 200, "terminated;reason=timeout", "" },
		{ 403, NULL, NULL },
		{ 404, NULL, NULL },
		{ 481, NULL, NULL },
		{ 603, NULL, NULL },
	};
	const char *request, *fetch;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		request = begin_with("TCP", NULL, SIP_DIALOG);
		accept(request);
		buf_clear(&said);
		subscriber_verify(s, "sip:a@x", SIP_DIALOG);
		live(1, NULL);
		fetch = take_request();
		assert_false(in_dialog(fetch));
		answer(fetch, rows[i].status, "Expires: 0\r\n");
		if (rows[i].substate != NULL)
			notify(fetch, rows[i].substate, rows[i].body);
		assert_said("");
		live(1, NULL);
		request = take_request(); /* the subscription is asked instead */
		assert_true(in_dialog(request));
		assert_non_null(strstr(request, "Expires: 600\r\n"));
		answer(request, 200, "Expires: 600\r\n");
		notify(request, "active;expires=600", LINE("7", "full", CALL("x", "confirmed")));
		assert_said("document sip:a@x busy\n");
		assert_int_equal(usages(), 1);
		assert_null(next_request());
		end(state);
	}
}

/* --- servers that forget and end ------------------------------------------------------------------- */

static void refuse_refreshes(const char *request)
{
	if (in_dialog(request))
		answer(request, 481, "");
	else
		accept(request);
}

static void a_server_that_refuses_each_refresh_is_not_asked_in_a_circle(void **state)
{
	(void)state;
	for (size_t count = 1; count <= 100; count *= 100) {
		begin("TCP", NULL, 50);
		subscriber_connected(s);
		watch_many(count);
		live(600 * SECOND, refuse_refreshes);
		assert_in_range(sent_count, count + 1, 9 * count + 20);
		assert_in_range(forgotten, 1, 6);
		assert_int_equal(usages(), count);
		end(state);
	}
}

static void three_forgotten_ones_are_a_server_that_has_forgotten_all(void **state)
{
	(void)state;
	begin("TCP", NULL, 50);
	watch_many(10);
	subscriber_connected(s);
	live(1, NULL);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(settled, 0);
		accept(take_request());
	}
	live(BEAT_MS - SECOND, NULL);
	assert_int_equal(settled, 1);
	assert_null(next_request());
	live(2 * SECOND, refuse_refreshes);
	assert_int_equal(forgotten, 1);
	assert_int_equal(settled, 2);
	assert_int_equal(stats().forgotten, FORGOTTEN_AFTER);
	assert_in_range(sent_count, 10 + FORGOTTEN_AFTER + 10, 10 + FORGOTTEN_AFTER + 1 + 10);
	live(60 * SECOND, accept);
	assert_int_equal(settled, 2);
	assert_int_equal(forgotten, 1);
	assert_int_equal(stats().established, 10);
}

static void accept_and_end(const char *request)
{
	accept(request);
	notify(request, "terminated;reason=deactivated", "");
}

static void a_subscription_that_is_ended_at_once_is_asked_for_ever_more_rarely(void **state)
{
	(void)state;
	accept_and_end(begin_with("TCP", NULL, SIP_DIALOG));
	live(300 * SECOND, accept_and_end);
	assert_in_range(sent_count, 5, 19);
	live(300 * SECOND, accept_and_end);
	assert_in_range(sent_count, 5, 19);
}

static void accept_for_a_second(const char *request)
{
	answer(request, 200, "Expires: 1\r\n");
	notify(request, "active", LINE_IS_IDLE);
}

static void a_second_is_refreshed_every_two(void **state)
{
	(void)state;
	accept_for_a_second(begin_with("TCP", NULL, SIP_DIALOG));
	live(300 * SECOND, accept_for_a_second);
	assert_in_range(sent_count, 50, 151);
	assert_int_equal(usages(), 1);
}

static void goodbye_is_said_after_the_answer(void **state)
{
	const char *request;

	(void)state;
	request = begin_with("TCP", NULL, SIP_DIALOG);
	subscriber_unwatch(s, "sip:a@x", SIP_DIALOG, DOMAIN_TELEPHONY);
	live(SECOND, NULL);
	assert_null(next_request());
	assert_int_equal(usages(), 1);
	accept(request);
	request = take_request();
	assert_true(in_dialog(request));
	assert_non_null(strstr(request, "Expires: 0\r\n"));
	answer(request, 200, "Expires: 0\r\n");
	notify(request, "terminated;reason=timeout", LINE_IS_IDLE);
	live(3 * SECOND, NULL);
	assert_null(next_request());
	assert_said("");
	assert_int_equal(usages(), 0);
	assert_int_equal(stats().subscriptions, 0);
}

static void retry_after_is_told(void **state)
{
	(void)state;
	answer(begin_with("TCP", NULL, SIP_DIALOG), 503, "Retry-After: 120\r\n");
	assert_said("error sip:a@x\n");
	assert_int_equal(unavailable, 1);
	assert_int_equal(asked_wait, 120 * SECOND);
	live(119 * SECOND, NULL);
	assert_null(next_request());
	live(30 * SECOND, NULL);
	accept(take_request());
	assert_int_equal(stats().established, 1);
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_proxy_and_the_server_may_both_ask),
		TEST(a_wrong_password_is_tried_once),
		TEST(an_expired_nonce_is_no_wrong_password),
		TEST(a_realm_of_somebody_else_is_trouble_of_one_address),
		TEST(a_realm_of_another_domain_is_trouble_of_one_address),
		TEST(a_password_that_is_asked_for_first_by_an_address_of_ours_is_given),
		TEST(a_realm_behind_our_proxy_is_tried_once),
		TEST(our_own_realm_may_refuse_us_later),
		TEST(what_is_too_long_with_credentials_is_trouble_of_one_address),
		TEST(a_goodbye_that_does_not_fit_leaves_nothing),
		TEST(a_gap_is_remembered_until_the_whole_state_has_come),
		TEST(a_pending_subscription_is_proved_in_its_own_dialog),
		TEST(a_fetch_that_says_nothing_is_no_word_about_the_person),
		TEST(a_server_that_refuses_each_refresh_is_not_asked_in_a_circle),
		TEST(three_forgotten_ones_are_a_server_that_has_forgotten_all),
		TEST(a_subscription_that_is_ended_at_once_is_asked_for_ever_more_rarely),
		TEST(a_second_is_refreshed_every_two),
		TEST(goodbye_is_said_after_the_answer),
		TEST(retry_after_is_told),
	};

	return cmocka_run_group_tests_name("sip_subscriber", tests, NULL, NULL);
}
