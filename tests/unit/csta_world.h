/* csta_world.h: monitored lines in virtual time, and a switch that is driven by hand or answers by itself.
 * SPDX-License-Identifier: MIT
 *
 * Exchange and monitors are the real ones. A test is the switch: it reads what was asked (take()), answers it (answer())
 * and tells events (tell()); or it says once how each kind of question is answered (how[]) and lets time pass (live()).
 */
#ifndef PRESENCED_TESTS_CSTA_WORLD_H
#define PRESENCED_TESTS_CSTA_WORLD_H

#include "tests/unit/helpers.h"

#include <errno.h>

#include "connectors/tapi/csta_monitors.h"
#include "daemon/model/vocab.h"

#define START	  1000000
#define NOON	  1795176000000
#define ASKED_MAX 60000
#define NS	  "http://www.ecma-international.org/standards/ecma-323/csta/ed3"

/* What is asked of the switch. */
enum ask { ASK_START, ASK_STOP, ASK_CALLS, ASK_DND, ASK_FORWARD, ASKS };
static const char *const ask_names[ASKS] = { "MonitorStart", "MonitorStop", "SnapshotDevice", "GetDoNotDisturb",
	"GetForwarding" };

struct asked {
	enum ask what;
	char id[4];
	char of[64]; /* device, or monitor for STOP */
	int64_t at;
};

#define STARTED		"<MonitorStartResponse><monitorCrossRefID>m-%s</monitorCrossRefID></MonitorStartResponse>"
#define STOPPED		"<MonitorStopResponse/>"
#define DND(word)	"<GetDoNotDisturbResponse><doNotDisturbOn>" word "</doNotDisturbOn></GetDoNotDisturbResponse>"
#define FORWARDS(items) "<GetForwardingResponse><forwardingList>" items "</forwardingList></GetForwardingResponse>"
#define FORWARD_TO(type, on, to) \
	"<forwardListItem><forwardingType>" type "</forwardingType><forwardStatus>" on \
	"</forwardStatus><forwardDN>" to "</forwardDN></forwardListItem>"
#define CALLS(data) \
	"<SnapshotDeviceResponse><crossRefIDorSnapshotData><snapshotData>" data \
	"</snapshotData></crossRefIDorSnapshotData></SnapshotDeviceResponse>"
#define ONE_CALL(id, state, end) \
	"<snapshotDeviceResponseInfo><connectionIdentifier><callID>" id \
	"</callID><deviceID>201</deviceID></connectionIdentifier><endpointDevice><deviceIdentifier>" end \
	"</deviceIdentifier></endpointDevice><localCallState><compoundCallState><localConnectionState>" state \
	"</localConnectionState><localConnectionState>connected</localConnectionState></compoundCallState>" \
	"</localCallState></snapshotDeviceResponseInfo>"
#define IN_PIECES(id) \
	"<SnapshotDeviceResponse><crossRefIDorSnapshotData><serviceCrossRefID>" id \
	"</serviceCrossRefID></crossRefIDorSnapshotData></SnapshotDeviceResponse>"
#define PIECE(id, last, data) \
	"<SnapshotDeviceData><serviceCrossRefID>" id "</serviceCrossRefID><lastSegment>" last \
	"</lastSegment><snapshotData>" data "</snapshotData></SnapshotDeviceData>"
#define REFUSED(category, error) "<CSTAErrorCode><" category ">" error "</" category "></CSTAErrorCode>"
#define UNSUPPORTED		 REFUSED("operation", "serviceNotSupported")

/* Events of the device 201 that is monitored as m-201. */
#define DELIVERED(call, from) \
	"<DeliveredEvent><monitorCrossRefID>m-201</monitorCrossRefID><connection><callID>" call \
	"</callID><deviceID>201</deviceID></connection><alertingDevice><deviceIdentifier>201</deviceIdentifier>" \
	"</alertingDevice><callingDevice><deviceIdentifier>" from \
	"</deviceIdentifier></callingDevice><calledDevice><deviceIdentifier>201</deviceIdentifier></calledDevice>" \
	"<localConnectionInfo>alerting</localConnectionInfo><cause>newCall</cause></DeliveredEvent>"
#define ESTABLISHED(call, from) \
	"<EstablishedEvent><monitorCrossRefID>m-201</monitorCrossRefID><establishedConnection><callID>" call \
	"</callID><deviceID>201</deviceID></establishedConnection><answeringDevice><deviceIdentifier>201" \
	"</deviceIdentifier></answeringDevice><callingDevice><deviceIdentifier>" from \
	"</deviceIdentifier></callingDevice><calledDevice><deviceIdentifier>201</deviceIdentifier></calledDevice>" \
	"<localConnectionInfo>connected</localConnectionInfo><cause>normal</cause></EstablishedEvent>"
#define HELD(call) \
	"<HeldEvent><monitorCrossRefID>m-201</monitorCrossRefID><heldConnection><callID>" call \
	"</callID><deviceID>201</deviceID></heldConnection><holdingDevice><deviceIdentifier>201</deviceIdentifier>" \
	"</holdingDevice><localConnectionInfo>hold</localConnectionInfo></HeldEvent>"
#define CLEARED(call) \
	"<ConnectionClearedEvent><monitorCrossRefID>m-201</monitorCrossRefID><droppedConnection><callID>" call \
	"</callID><deviceID>201</deviceID></droppedConnection><releasingDevice><deviceIdentifier>201" \
	"</deviceIdentifier></releasingDevice><localConnectionInfo>null</localConnectionInfo></" \
	"ConnectionClearedEvent>"
#define DND_EVENT(word) \
	"<DoNotDisturbEvent><monitorCrossRefID>m-201</monitorCrossRefID><device>201</device><doNotDisturbOn>" word \
	"</doNotDisturbOn></DoNotDisturbEvent>"
#define FORWARDING_EVENT(on, more) \
	"<ForwardingEvent><monitorCrossRefID>m-201</monitorCrossRefID><device>201</device>" \
	"<forwardingType>forwardImmediate</forwardingType><forwardStatus>" on "</forwardStatus>" more \
	"</ForwardingEvent>"
#define SERVICE_EVENT(name) \
	"<" name "><monitorCrossRefID>m-201</monitorCrossRefID><device><deviceIdentifier>201</deviceIdentifier>" \
	"</device></" name ">"
#define MONITOR_STOP "<MonitorStop><monitorCrossRefID>m-201</monitorCrossRefID></MonitorStop>"

static struct {
	struct csta_exchange *exchange;
	struct csta_monitors *monitors;
	struct xml_reader *reader, *ours; /* of what the switch says, of what is asked of it */
	struct instant now;
	struct asked asked[ASKED_MAX];
	size_t asked_count, read_count;
	int send_result;
	struct buf said; /* a line for each thing that the owner was told */
	char why[300];	 /* of what was said last */
	size_t said_count, settled;
	const char *how[ASKS]; /* what the switch answers by itself, %s is the device; NULL nothing */
	int counts[ASKS];      /* of what was asked */
	char monitored[64];    /* how many monitors the switch has, by the last digit of the device; see live() */
	bool (*same)(const char *device, const char *number);
	bool (*own)(const char *device, const char *number);
} w;

/* --- what is below and above ----------------------------------------------------------------------- */

static inline const struct xml_node *deepest(const struct xml_node *node)
{
	while (node->first != NULL)
		node = node->first;
	return node;
}

static inline int world_send(void *arg, const void *data, size_t len)
{
	const unsigned char *head = data;
	struct asked *a = &w.asked[w.asked_count];
	const struct xml_node *root;
	struct parse_error error;
	int what = 0;

	(void)arg;
	if (w.send_result < 0)
		return w.send_result;
	assert_true(w.asked_count < ASKED_MAX && len > CSTA_HEAD_BYTES);
	assert_int_equal(head[0] << 8 | head[1], 0);
	assert_int_equal(head[2] << 8 | head[3], len);
	assert_int_equal(
	    xml_read(w.ours, (const char *)data + CSTA_HEAD_BYTES, len - CSTA_HEAD_BYTES, &root, &error), 0);
	while (what < ASKS && strcmp(root->name, ask_names[what]) != 0)
		what++;
	if (what == ASKS)
		fail_msg("%s is asked", root->name);
	assert_string_equal(root->ns, NS);
	a->what = (enum ask)what;
	memcpy(a->id, head + 4, 4);
	snprintf(a->of, sizeof a->of, "%s", deepest(root)->text);
	a->at = w.now.mono;
	w.counts[what]++;
	w.asked_count++;
	return 0;
}

static inline void put_calls(struct buf *b, const struct raw_facts *f)
{
	for (size_t i = 0; i < f->call_count; i++) {
		const struct raw_call *c = &f->calls[i];

		buf_printf(b, " %s/%s/%s", vocab_name(&vocab_call_state, c->state),
		    c->direction < 0 ? "-" : vocab_name(&vocab_direction, c->direction),
		    c->peer == NULL ? "-" : c->peer);
	}
}

/* "ok busy off none connected/in/202": line, do not disturb, forwarding, calls; - where not known. */
static inline void put_facts(struct buf *b, const struct raw_facts *f)
{
	if (raw_facts_check(f) != NULL)
		fail_msg("%s", raw_facts_check(f));
	buf_puts(b, vocab_name(&vocab_state_status, f->status));
	if (f->status != STATE_STATUS_OK)
		return;
	buf_printf(b, " %s %s %s", (f->known & RAW_LINE) != 0 ? vocab_name(&vocab_line, f->line) : "-",
	    (f->known & RAW_DND) == 0 ? "-" :
		f->dnd		      ? "on" :
					"off",
	    (f->known & RAW_FORWARD) == 0 ? "-" :
		!f->forwarded		  ? "none" :
		f->forward_target != NULL ? f->forward_target :
					    "?");
	put_calls(b, f);
}

static inline void world_said(void *arg, const char *device, const struct raw_facts *facts)
{
	(void)arg;
	w.said_count++;
	buf_printf(&w.said, "%s ", device);
	put_facts(&w.said, facts);
	if (facts->status != STATE_STATUS_OK)
		assert_true(facts->why != NULL && facts->why[0] != '\0');
	snprintf(w.why, sizeof w.why, "%s", facts->why == NULL ? "" : facts->why);
	buf_putc(&w.said, '\n');
}

static inline bool world_same(void *arg, const char *device, const char *number)
{
	(void)arg;
	return w.same != NULL && w.same(device, number);
}

static inline bool world_own(void *arg, const char *device, const char *number)
{
	(void)arg;
	return w.own != NULL && w.own(device, number);
}

static inline void world_settled(void *arg)
{
	(void)arg;
	w.settled++;
}

/* --- life ------------------------------------------------------------------------------------------ */

static inline void set_time(int64_t mono)
{
	w.now = (struct instant){ .mono = mono, .wall = NOON + mono - START };
	csta_exchange_set_time(w.exchange, w.now);
}

static inline void begin(size_t in_flight, int64_t rate, int64_t poll)
{
	const struct csta_transport wire = { .send = world_send };
	const struct csta_monitors_settings settings = { .xml_namespace = NS, .rate = rate, .poll = poll };
	const struct csta_monitors_owner owner = {
		.said = world_said, .same = world_same, .own = world_own, .settled = world_settled
	};

	memset(&w, 0, sizeof w);
	buf_init(&w.said, 1 << 22);
	w.reader = xml_reader_new();
	w.ours = xml_reader_new();
	w.exchange = csta_exchange_new(&wire, in_flight);
	assert_true(w.reader != NULL && w.ours != NULL && w.exchange != NULL);
	set_time(START);
	w.monitors = csta_monitors_new(&settings, w.exchange, &owner);
	assert_non_null(w.monitors);
	set_time(START + 1000); /* so that some may be started at once */
	w.how[ASK_START] = STARTED;
	w.how[ASK_STOP] = STOPPED;
	w.how[ASK_CALLS] = CALLS("");
	w.how[ASK_DND] = DND("false");
	w.how[ASK_FORWARD] = FORWARDS("");
}

/* Also after a failed assertion. */
static inline int end(void **state)
{
	(void)state;
	w.send_result = 0;
	csta_monitors_free(w.monitors);
	csta_exchange_free(w.exchange);
	xml_reader_free(w.reader);
	xml_reader_free(w.ours);
	buf_done(&w.said);
	memset(&w, 0, sizeof w);
	return 0;
}

/* --- the switch ------------------------------------------------------------------------------------ */

static inline struct csta_message read_message(const char *text)
{
	struct parse_error error = { { 0 } };
	struct csta_message m;

	if (csta_read(w.reader, text, strlen(text), &m, &error) != 0)
		fail_msg("%s: %s", error.text, text);
	return m;
}

static inline const struct asked *next_asked(void)
{
	return w.read_count < w.asked_count ? &w.asked[w.read_count++] : NULL;
}

/* The next thing that was asked, which has to be this one. */
static inline const struct asked *take(enum ask what, const char *of)
{
	const struct asked *a = next_asked();

	if (a == NULL)
		fail_msg("%s of %s is not asked", ask_names[what], of);
	if (a->what != what || strcmp(a->of, of) != 0)
		fail_msg("%s of %s is asked, not %s of %s", ask_names[a->what], a->of, ask_names[what], of);
	return a;
}

static inline void assert_nothing_asked(void)
{
	const struct asked *a = next_asked();

	if (a != NULL)
		fail_msg("%s of %s is asked", ask_names[a->what], a->of);
}

/* As the connector does it. False: nobody waits for it. */
static inline bool answer_as(const struct asked *a, const char *format)
{
	char text[60000];
	struct csta_message m;
	bool awaited;

	snprintf(text, sizeof text, format, a->of); /* NOLINT: the formats are those of this file */
	m = read_message(text);
	awaited = csta_answer(w.exchange, a->id, &m);
	csta_monitors_run(w.monitors);
	return awaited;
}

static inline void answer(const struct asked *a, const char *format)
{
	assert_true(answer_as(a, format));
}

static inline void tell(const char *text)
{
	struct csta_message m = read_message(text);

	csta_monitors_told(w.monitors, &m);
}

/* Answers what was not read yet. The monitors that it has are counted, so that none is forgotten. */
static inline bool serve(void)
{
	const struct asked *a;
	bool served = false;

	while ((a = next_asked()) != NULL) {
		char *count = &w.monitored[a->of[strlen(a->of) - 1] % 64];

		if (w.how[a->what] == NULL)
			continue;
		*count = (char)(*count + (a->what == ASK_START && strcmp(w.how[ASK_START], STARTED) == 0));
		*count = (char)(*count - (a->what == ASK_STOP && *count > 0));
		answer_as(a, w.how[a->what]);
		served = true;
	}
	return served;
}

static inline int64_t deadline(void)
{
	int64_t exchange = csta_exchange_deadline(w.exchange), monitors = csta_monitors_deadline(w.monitors);

	return exchange < monitors ? exchange : monitors;
}

static inline void run(void)
{
	csta_exchange_run(w.exchange);
	csta_monitors_run(w.monitors);
}

/* Time passes, as the loop sees it: it is woken when it asked for it. */
static inline void pass_and(int64_t ms, bool serves)
{
	int64_t until = w.now.mono + ms, at;
	size_t idle = 0, before;

	for (;;) {
		before = w.asked_count + w.said_count;
		run();
		if (serves && serve())
			continue;
		at = deadline();
		idle = at <= w.now.mono && before == w.asked_count + w.said_count ? idle + 1 : 0;
		if (idle > 100)
			fail_msg("it wants to be woken again and again");
		if (at > until)
			break;
		if (at > w.now.mono)
			set_time(at);
	}
	set_time(until);
	run();
	if (serves)
		serve();
}

static inline void pass(int64_t ms)
{
	pass_and(ms, false);
}

static inline void live(int64_t ms)
{
	pass_and(ms, true);
}

/* --- what a test does ------------------------------------------------------------------------------ */

static inline void watch(const char *device)
{
	assert_int_equal(csta_monitors_watch(w.monitors, device), 0);
}

static inline void ready(void)
{
	csta_monitors_ready(w.monitors);
	run();
}

static inline void lost(void)
{
	csta_exchange_lost(w.exchange);
	csta_monitors_lost(w.monitors);
}

static inline void verify(const char *device)
{
	csta_monitors_verify(w.monitors, device);
	run();
}

static inline void assert_said(const char *expected)
{
	assert_string_equal(buf_text(&w.said), expected);
	buf_clear(&w.said);
}

/* The last line that was said; forgets all. "" for none. */
static inline const char *last_said(void)
{
	static char line[400];
	const char *text = buf_text(&w.said), *last = text;

	for (const char *p = text; *p != '\0'; p++)
		last = *p == '\n' && p[1] != '\0' ? p + 1 : last;
	snprintf(line, sizeof line, "%s", last);
	buf_clear(&w.said);
	return line;
}

static inline void forget_what_was_said(void)
{
	buf_clear(&w.said);
	memset(w.counts, 0, sizeof w.counts);
	w.settled = 0;
}

static inline struct csta_monitors_stats stats(void)
{
	struct csta_monitors_stats s;

	csta_monitors_stats(w.monitors, &s);
	return s;
}

/* 201 is watched, known to be idle, and nothing is out. */
static inline void begin_idle(int64_t poll)
{
	begin(16, 100, poll);
	watch("201");
	ready();
	live(100);
	assert_said("201 ok idle off none\n");
	assert_int_equal(w.settled, 1);
	forget_what_was_said();
}

#endif
