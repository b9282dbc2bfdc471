/* sip_world.h: a subscriber in virtual time, and what a server may do to it.
 * SPDX-License-Identifier: MIT
 *
 * The subscriber and its agent are the real ones. A test is the server: it reads the requests that went out, answers
 * them and notifies.
 */
#ifndef PRESENCED_TESTS_SIP_WORLD_H
#define PRESENCED_TESTS_SIP_WORLD_H

#include "tests/unit/helpers.h"

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

static inline int on_send(void *arg, const void *data, size_t len)
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
static inline bool on_document(void *arg, const struct subscribed *who, const char *type, const char *body, size_t len)
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

static inline void on_status(void *arg, const struct subscribed *who, enum state_status status, const char *why)
{
	(void)arg;
	(void)why;
	buf_printf(
	    &said, "%s %s%s\n", vocab_name(&vocab_state_status, status), who->address, who->fetched ? " fetched" : "");
}

static inline void on_trouble(void *arg, enum subscriber_trouble trouble, int64_t wait, const char *why)
{
	(void)arg;
	assert_non_null(why);
	forbidden += trouble == SUBSCRIBER_FORBIDDEN;
	unavailable += trouble == SUBSCRIBER_UNAVAILABLE;
	forgotten += trouble == SUBSCRIBER_FORGOTTEN;
	asked_wait = wait;
}

static inline void on_settled(void *arg)
{
	(void)arg;
	settled++;
}

static inline void begin(const char *transport, const char *password, size_t in_flight)
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
static inline int end(void **state)
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
static inline const char *header(const char *message, const char *name, char *buf)
{
	char key[40];
	const char *p;

	snprintf(key, sizeof key, "\r\n%s: ", name);
	p = strstr(message, key);
	snprintf(
	    buf, TEXT, "%.*s", p == NULL ? 0 : (int)strcspn(p + strlen(key), "\r"), p == NULL ? "" : p + strlen(key));
	return buf;
}

static inline bool has_header(const char *message, const char *name)
{
	char value[TEXT];

	return *header(message, name, value) != '\0';
}

/* Whether it belongs to a dialog. */
static inline bool in_dialog(const char *request)
{
	char to[TEXT];

	return strstr(header(request, "To", to), ";tag=") != NULL;
}

/* The next request that was not read yet; NULL: there is none. */
static inline const char *next_request(void)
{
	return read_count < sent_count ? sent[read_count++] : NULL;
}

static inline const char *take_request(void)
{
	const char *request = next_request();

	assert_non_null(request);
	return request;
}

static inline void receive(const char *text)
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
static inline void answer(const char *request, int status, const char *more)
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
static inline void notify(const char *request, const char *state, const char *body)
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

static inline void accept(const char *request)
{
	answer(request, 200, "Expires: 600\r\n");
	notify(request, "active;expires=600", LINE_IS_IDLE);
}

/* Let time pass; the server does the same with each request. */
static inline void live(int64_t ms, void (*serve)(const char *request))
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

static inline void watch(const char *address, enum sip_package package)
{
	assert_int_equal(subscriber_watch(s, address, package, DOMAIN_TELEPHONY), 0);
}

/* sip:a@x alone, at a server that is there: the first request for it. */
static inline const char *begin_with(const char *transport, const char *password, enum sip_package package)
{
	begin(transport, password, 50);
	subscriber_connected(s);
	watch("sip:a@x", package);
	live(1, NULL);
	return take_request();
}

static inline void watch_many(size_t count)
{
	char address[40];

	for (size_t i = 0; i < count; i++) {
		snprintf(address, sizeof address, "sip:u%zu@x", i);
		watch(address, SIP_DIALOG);
	}
}

/* The connection is gone and there again: all are made anew. */
static inline void connect_again(void)
{
	subscriber_lost(s);
	agent_lost(ag);
	subscriber_connected(s);
}

static inline void read_all(void)
{
	read_count = sent_count;
}

/* The next request, which is sent within `ms`. */
static inline const char *await_request(int64_t ms)
{
	for (int64_t until = now + ms; read_count == sent_count && now < until;)
		live(STEP_MS, NULL);
	return take_request();
}

#define assert_is_to(request, address)	  assert_non_null(strstr(request, "\r\nTo: <" address ">"))
#define assert_asks_for(request, seconds) assert_non_null(strstr(request, "\r\nExpires: " seconds "\r\n"))

static inline struct subscriber_stats stats(void)
{
	struct subscriber_stats ret;

	subscriber_stats(s, &ret);
	return ret;
}

/* Also of those that are watched no more. */
static inline size_t usages(void)
{
	return s->slot_count - s->free_count;
}

#define assert_said(expected) (assert_string_equal(buf_text(&said), expected), buf_clear(&said))

#define TEST(name) cmocka_unit_test_teardown(name, end)

#endif
