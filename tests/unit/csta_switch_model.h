/* csta_switch_model.h: a telephone switch in small: its devices and calls, and what it tells and answers of them.
 * SPDX-License-Identifier: MIT
 *
 * It shares no code and no table with the connector: what an event means is written here once more, from ECMA-269 and
 * the annexes of ECMA-323, and documents are written by hand. All that is told follows from the calls as they are.
 *
 * In the dialect without localConnectionInfo an event says it all the same where the roles in the event would say
 * another thing than what is true (somebody who has put a call that rings on hold is not connected because the call is
 * Delivered elsewhere): without it, that step would be truly ambiguous. For the same reason a compoundCallState always has
 * an item for the other end, null if there is none yet.
 */
#ifndef PRESENCED_TESTS_CSTA_SWITCH_MODEL_H
#define PRESENCED_TESTS_CSTA_SWITCH_MODEL_H

#include "tests/unit/helpers.h"

#define DEVICES	     4 /* at most; they are the first parties */
#define PARTIES	     6 /* the last two are outside, nobody watches them */
#define CALLS	     8
#define MONITORS     64
#define ENDS	     32
#define FORWARDS     12
#define STAYS_ENDED  120000 /* ms that an ended call may not be believed to live again: 30 s since its end was learnt */
#define NS	     " xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\""
#define EACH(p, set) (int p = 0; p < PARTIES; p++) if (((set) >> p & 1) != 0)

enum end { GONE, INITIATED, ALERTING, CONNECTED, HOLD, QUEUED, FAIL, SAME = -1 };
static const char *const end_names[] = { "null", "initiated", "alerting", "connected", "hold", "queued", "fail" };

enum form { FORM_PLAIN, FORM_NAMED, FORM_TEL, FORM_SIP, FORM_COUNT };
enum shape { SHAPE_COMPOUND, SHAPE_SIMPLE, SHAPE_SEGMENTED, SHAPE_COUNT };

/* How this switch speaks. */
struct dialect {
	bool local;	     /* localConnectionInfo in every event */
	enum form form;	     /* of devices */
	enum shape shape;    /* of snapshots */
	bool bare;	     /* devices without deviceIdentifier */
	bool own_ids;	     /* one call has another callID at each device */
	bool two_r;	     /* TransferredEvent */
	bool terse;	     /* a transfer names to each only the old call that it had */
	bool no_dnd;	     /* GetDoNotDisturb is not supported */
	bool no_target;	     /* ForwardingEvent does not say where to */
	bool late_snapshots; /* made when the answer is sent, not when the request comes */
	unsigned reuse;	     /* percent of calls that get the callID of one that has ended */
};

struct call {
	bool used;
	int id, calling, called; /* parties; called -1: not dialled yet */
	enum end at[PARTIES];
	enum end told[PARTIES]; /* what a listener takes it for */
	enum end far;		/* an end that is no device: a queue, a busy tone */
	bool withheld;		/* the caller's number */
	bool plain;		/* since it began, the same two: who calls whom is beyond doubt */
	bool loose;		/* somebody was given to one who has not answered: whether that is dialing is open */
	bool reused;		/* its id was that of another one */
	bool dubious[PARTIES];	/* what is told of it is not believed, as its id ended there not long ago */
	bool heard[PARTIES];	/* an event said who calls whom, to a listener */
};

struct device {
	bool watched, in_service, dnd;
	struct {
		bool programmed, on;
		int to;
	} forwards[FORWARDS];
	struct {
		int id;
		int64_t at;
	} ended[ENDS];
	size_t next_ended;
	int unsure; /* 2: what is said may be wrong until it is asked; 1: it was answered; 0: what is said must be true */
	unsigned
	    unsure_features; /* as bits: two questions are to be answered, and then said, before what is said must be true */
	unsigned forwardings; /* events about it so far */
	unsigned doubt;	      /* counts how often it became unsure */
};

struct monitor {
	int device;
	bool live, known; /* known: whoever listens has its number */
};

struct text {
	size_t len;
	char s[32768];
};

struct tele {
	struct dialect dialect;
	size_t devices;
	struct device device[DEVICES];
	struct call calls[CALLS];
	struct monitor monitors[MONITORS];
	size_t monitor_count;
	int last_id, last_ref;
	int64_t now;
	bool mute; /* nothing is told */
	bool trace;
	void (*tell)(struct tele *t, int device, const char *document);
	void (*stop)(struct tele *t, const char *document); /* MonitorStop, which is not lost */
	struct text text;
};

static const char *const numbers[PARTIES] = { "201", "202", "203", "204", "+302101234567", "0891234567" };

/* --- writing --------------------------------------------------------------------------------------- */

static inline void __attribute__((format(printf, 2, 3))) put(struct text *x, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	x->len += (size_t)vsnprintf(x->s + x->len, sizeof x->s - x->len, format, args);
	va_end(args);
	assert_true(x->len < sizeof x->s);
}

static inline void __attribute__((format(printf, 2, 3))) note(const struct tele *t, const char *format, ...)
{
	va_list args;

	if (!t->trace)
		return;
	va_start(args, format);
	printf("%9.3f  ", (double)t->now / 1000);
	vprintf(format, args);
	printf("\n");
	va_end(args);
}

static inline void put_number(struct text *x, enum form form, int party)
{
	const char *n = numbers[party];

	if (form == FORM_NAMED)
		put(x, "N&lt;%s&gt;Name of %s;displayNumber=%s", n, n, n);
	else
		put(x, form == FORM_TEL ? "tel:%s" : form == FORM_SIP ? "sip:%s@pbx.example" : "%s", n);
}

/* The number as a reader is to show it. */
static inline const char *shown(enum form form, int party, char buf[64])
{
	snprintf(buf, 64, form == FORM_TEL ? "tel:%s" : form == FORM_SIP ? "sip:%s@pbx.example" : "%s", numbers[party]);
	return buf;
}

static inline void put_device(struct tele *t, const char *element, int party, bool withheld)
{
	struct text *x = &t->text;

	put(x, "<%s>%s", element, t->dialect.bare || party < 0 || withheld ? "" : "<deviceIdentifier>");
	if (party < 0)
		put(x, "<notKnown/>");
	else if (withheld)
		put(x, "<restricted/>");
	else
		put_number(x, t->dialect.form, party);
	put(x, "%s</%s>", t->dialect.bare || party < 0 || withheld ? "" : "</deviceIdentifier>", element);
}

static inline void put_connection(struct tele *t, const char *element, int id, int seen_by, int party)
{
	put(&t->text, "<%s><callID>%d", element, id);
	if (t->dialect.own_ids)
		put(&t->text, "/%s", numbers[seen_by]);
	put(&t->text, "</callID><deviceID>");
	put_number(&t->text, t->dialect.form, party);
	put(&t->text, "</deviceID></%s>", element);
}

/* --- calls ----------------------------------------------------------------------------------------- */

static inline unsigned bit(int party)
{
	return 1u << party;
}

static inline unsigned members(const struct call *c)
{
	unsigned set = 0;

	for (int p = 0; p < PARTIES; p++)
		set |= c->at[p] != GONE ? bit(p) : 0;
	return set;
}

static inline unsigned members_that_are(const struct call *c, enum end a, enum end b)
{
	unsigned set = 0;

	for (int p = 0; p < PARTIES; p++)
		set |= c->at[p] != GONE && (c->at[p] == a || c->at[p] == b) ? bit(p) : 0;
	return set;
}

static inline int count_of(unsigned set)
{
	return __builtin_popcount(set);
}

static inline int first_of(unsigned set)
{
	return set == 0 ? -1 : __builtin_ctz(set);
}

/* Whether somebody takes part in it besides p. */
static inline bool answered_for(const struct call *c, int p)
{
	return (members_that_are(c, CONNECTED, HOLD) & ~bit(p)) != 0;
}

static inline bool is_id_in_use(const struct tele *t, int id)
{
	for (size_t i = 0; i < CALLS; i++)
		if (t->calls[i].used && t->calls[i].id == id)
			return true;
	return false;
}

static inline struct call *new_call(struct tele *t, int calling)
{
	struct call *c = t->calls;

	while (c < t->calls + CALLS && c->used)
		c++;
	if (c == t->calls + CALLS)
		return NULL;
	*c = (struct call){ .used = true, .calling = calling, .called = -1, .plain = true, .id = t->last_id + 1 };
	if (t->last_id > 9000 && random_below(100) < t->dialect.reuse) {
		int old = 9001 + (int)random_below((size_t)(t->last_id - 9000));

		c->reused = !is_id_in_use(t, old);
		c->id = c->reused ? old : c->id;
	}
	if (!c->reused)
		t->last_id++;
	return c;
}

/* What is said of it need not be true before a question that is asked from now on is answered. */
static inline void make_unsure(struct tele *t, int p)
{
	for (size_t i = 0; i < CALLS; i++)
		t->calls[i].heard[p] = false;
	t->device[p].unsure = 2;
	t->device[p].unsure_features = 7;
	t->device[p].doubt++;
}

/* A device that comes back to a call of an id that has ended for it not long ago is not believed before it is asked. */
static inline void note_entered(struct tele *t, struct call *c, int p)
{
	if (p >= DEVICES)
		return;
	c->heard[p] = c->dubious[p] = false;
	for (size_t i = 0; i < ENDS; i++)
		if (t->device[p].ended[i].id == c->id && t->now - t->device[p].ended[i].at <= STAYS_ENDED) {
			make_unsure(t, p);
			c->plain = false;
			c->dubious[p] = true;
		}
}

static inline void note_left(struct tele *t, int id, int p)
{
	struct device *d = &t->device[p < DEVICES ? p : 0];

	if (p >= DEVICES)
		return;
	d->ended[d->next_ended].id = id;
	d->ended[d->next_ended].at = t->now;
	d->next_ended = (d->next_ended + 1) % ENDS;
}

static inline void set_end(struct tele *t, struct call *c, int p, enum end to)
{
	if (c->at[p] == GONE && to != GONE)
		note_entered(t, c, p);
	if (c->at[p] != GONE && to == GONE)
		note_left(t, c->id, p);
	c->at[p] = to;
}

/* --- events about calls ---------------------------------------------------------------------------- */

enum what { INITIATE, ORIGINATE, OFFER, DELIVER, ESTABLISH, HELD, RETRIEVE, QUEUE, DIVERT, FAILED, CLEAR, CALL_CLEAR };

/* Names, and what becomes of whom where nothing else is said: the one who does it, the one who calls. */
static const struct {
	const char *name, *connection, *doer;
	bool parties;
	enum end doer_is, caller_is;
} events[] = {
	[INITIATE] = { "ServiceInitiatedEvent", "initiatedConnection", "initiatingDevice", false, INITIATED, SAME },
	[ORIGINATE] = { "OriginatedEvent", "originatedConnection", NULL, true, CONNECTED, CONNECTED },
	[OFFER] = { "OfferedEvent", "offeredConnection", "offeredDevice", true, ALERTING, SAME },
	[DELIVER] = { "DeliveredEvent", "connection", "alertingDevice", true, ALERTING, CONNECTED },
	[ESTABLISH] = { "EstablishedEvent", "establishedConnection", "answeringDevice", true, CONNECTED, CONNECTED },
	[HELD] = { "HeldEvent", "heldConnection", "holdingDevice", false, HOLD, SAME },
	[RETRIEVE] = { "RetrievedEvent", "retrievedConnection", "retrievingDevice", false, CONNECTED, SAME },
	[QUEUE] = { "QueuedEvent", "queuedConnection", "queue", true, QUEUED, CONNECTED },
	[DIVERT] = { "DivertedEvent", "connection", "divertingDevice", false, GONE, SAME },
	[FAILED] = { "FailedEvent", "failedConnection", "failingDevice", true, FAIL, CONNECTED },
	[CLEAR] = { "ConnectionClearedEvent", "droppedConnection", "releasingDevice", false, GONE, SAME },
	[CALL_CLEAR] = { "CallClearedEvent", "clearedCall", NULL, false, GONE, GONE },
};

/* What a listener at m takes its end for, if the event does not say it. */
static inline enum end taken_for(const struct call *c, enum what what, int doer, int m)
{
	if (what == CALL_CLEAR || m == doer)
		return events[what].doer_is;
	if (m == c->calling && events[what].parties && events[what].caller_is != SAME)
		return events[what].caller_is;
	return c->told[m];
}

static inline void open_event(struct tele *t, const char *name, int ref)
{
	t->text.len = 0;
	put(&t->text, "<%s" NS "><monitorCrossRefID>m-%d</monitorCrossRefID>", name, ref);
}

static inline void tell_one(
    struct tele *t, const struct call *c, enum what what, int doer, int m, bool local, const char *cause)
{
	put_connection(t, events[what].connection, c->id, m, doer);
	if (events[what].doer != NULL)
		put_device(t, events[what].doer, doer, false);
	if (events[what].parties) {
		put_device(t, "callingDevice", c->calling, c->withheld && m != c->calling);
		put_device(t, "calledDevice", c->called, false);
		if (what != ORIGINATE)
			put(&t->text, "<lastRedirectionDevice><notRequired/></lastRedirectionDevice>");
	}
	if (local)
		put(&t->text, "<localConnectionInfo>%s</localConnectionInfo>", end_names[c->at[m]]);
	put(&t->text, "<cause>%s</cause></%s>", cause, events[what].name);
}

/* An event that is not believed is news that only a question from now on can bring. */
static inline void stay_unsure(struct tele *t, struct call *c, int m)
{
	if (c->dubious[m] && t->device[m].unsure > 0)
		make_unsure(t, m);
	else
		c->dubious[m] = false;
}

/* To all monitors of the devices in `audience`, to each its own view. */
static inline void tell(struct tele *t, struct call *c, enum what what, int doer, unsigned audience, const char *cause)
{
	note(t, "    %s of %d by %s", events[what].name, c->id, numbers[doer]);
	for
		EACH(m, audience & ((1u << t->devices) - 1))
		{
			bool local =
			    what != CALL_CLEAR && (t->dialect.local || taken_for(c, what, doer, m) != c->at[m]);

			stay_unsure(t, c, m);
			c->told[m] = c->at[m];
			for (size_t i = 0; i < t->monitor_count && !t->mute; i++) {
				if (!t->monitors[i].live || t->monitors[i].device != m)
					continue;
				open_event(t, events[what].name, (int)i);
				tell_one(t, c, what, doer, m, local, cause);
				c->heard[m] = c->heard[m] ||
				    (t->monitors[i].known && t->device[m].unsure < 2 &&
					(events[what].parties || what == INITIATE));
				t->tell(t, m, t->text.s);
			}
		}
}

/* --- two calls become one -------------------------------------------------------------------------- */

struct join {
	bool transfer;
	int by, to;	    /* who did it; the one that was added or given to */
	int first, second;  /* ids of the old calls; second 0: none */
	unsigned had_first; /* who was in the first call, among others */
	const struct call *call;
};

static inline void put_items(struct tele *t, const struct join *j, int m)
{
	const char *list = j->transfer ? "transferredConnections" : "conferenceConnections";

	put(&t->text, "<%s>", list);
	for
		EACH(p, members(j->call))
		{
			put(&t->text, "<connectionListItem>");
			put_connection(t, "newConnection", j->call->id, m, p);
			put_device(t, "endpoint", p, false);
			put(&t->text, "</connectionListItem>");
		}
	put(&t->text, "</%s>", list);
}

static inline void tell_join_one(struct tele *t, const struct join *j, int m, bool local)
{
	bool both = j->second != 0 && (m == j->by || !t->dialect.terse);
	bool first = both || j->second == 0 || (j->had_first & bit(m)) != 0;

	put_connection(t, "primaryOldCall", first ? j->first : j->second, m, j->by);
	if (both)
		put_connection(t, "secondaryOldCall", j->second, m, j->by);
	put_device(t, j->transfer ? "transferringDevice" : "conferencingDevice", j->by, false);
	put_device(t, j->transfer ? "transferredToDevice" : "addedParty", j->to, false);
	put_items(t, j, m);
	if (local)
		put(&t->text, "<localConnectionInfo>%s</localConnectionInfo>", end_names[j->call->at[m]]);
}

/* Without a word about it: who transfers is out, whoever was in an old call goes on as he was, in a conference all talk. */
static inline void tell_join(struct tele *t, const struct join *j, struct call *c, unsigned audience)
{
	const char *name = !j->transfer ? "ConferencedEvent" :
	    t->dialect.two_r		? "TransferredEvent" :
					  "TransferedEvent";

	note(t, "    %s: %d and %d are %d", name, j->first, j->second, c->id);
	for
		EACH(m, audience & ((1u << t->devices) - 1))
		{
			enum end taken = !j->transfer ? CONNECTED : m == j->by ? GONE : c->told[m];

			if (j->first != c->id)
				note_left(t, j->first, m); /* it may be named to one who had the other only */
			if (j->second != 0 && j->second != c->id)
				note_left(t, j->second, m);
			stay_unsure(t, c, m);
			c->heard[m] = false;
			for (size_t i = 0; i < t->monitor_count && !t->mute; i++) {
				if (!t->monitors[i].live || t->monitors[i].device != m)
					continue;
				open_event(t, name, (int)i);
				tell_join_one(t, j, m, t->dialect.local || taken != c->at[m]);
				put(&t->text, "<cause>%s</cause></%s>", j->transfer ? "transfer" : "conference", name);
				t->tell(t, m, t->text.s);
			}
			c->told[m] = c->at[m];
		}
}

/* --- features -------------------------------------------------------------------------------------- */

static const char *const forward_names[FORWARDS] = { "forwardImmediate", "forwardBusy", "forwardNoAns",
	"forwardBusyInt", "forwardBusyExt", "forwardNoAnsInt", "forwardNoAnsExt", "forwardImmInt", "forwardImmExt",
	"forwardDND", "forwardDNDInt", "forwardDNDExt" };
enum { FORWARD_ALL = 0, FORWARD_INT = 7, FORWARD_EXT = 8 };

/* Where all calls of a device go; -1: it is not forwarded. */
static inline int forwarded_to(const struct device *d)
{
	if (d->forwards[FORWARD_ALL].on)
		return d->forwards[FORWARD_ALL].to;
	return d->forwards[FORWARD_INT].on && d->forwards[FORWARD_EXT].on ? d->forwards[FORWARD_EXT].to : -1;
}

enum feature { FEATURE_DND, FEATURE_FORWARD, FEATURE_OUT, FEATURE_BACK };

static inline void tell_feature(struct tele *t, enum feature what, int m, int kind)
{
	static const char *const names[] = { "DoNotDisturbEvent", "ForwardingEvent", "OutOfServiceEvent",
		"BackInServiceEvent" };
	const struct device *d = &t->device[m];

	note(t, "    %s of %s", names[what], numbers[m]);
	t->device[m].forwardings += what == FEATURE_FORWARD;
	for (size_t i = 0; i < t->monitor_count && !t->mute; i++) {
		if (!t->monitors[i].live || t->monitors[i].device != m)
			continue;
		open_event(t, names[what], (int)i);
		put_device(t, "device", m, false);
		if (what == FEATURE_DND)
			put(&t->text, "<doNotDisturbOn>%s</doNotDisturbOn>", d->dnd ? "true" : "false");
		if (what == FEATURE_FORWARD)
			put(&t->text, "<forwardingType>%s</forwardingType><forwardStatus>%s</forwardStatus>",
			    forward_names[kind], d->forwards[kind].on ? "true" : "false");
		if (what == FEATURE_FORWARD && !t->dialect.no_target)
			put_device(t, "forwardTo", d->forwards[kind].to, false);
		put(&t->text, "</%s>", names[what]);
		t->tell(t, m, t->text.s);
	}
}

/* --- answers --------------------------------------------------------------------------------------- */

/* What the other side of a call does, of several the most telling. */
static inline enum end other_side(const struct call *c, int m)
{
	static const enum end order[] = { CONNECTED, HOLD, ALERTING, QUEUED, FAIL };
	unsigned rest = members(c) & ~bit(m);

	for (size_t i = 0; i < COUNT_OF(order); i++)
		for
			EACH(p, rest)
	if (c->at[p] == order[i])
		return order[i];
	return c->far;
}

/* Both sides in one word, or NULL: there is none. */
static inline const char *in_one_word(enum end ours, enum end other)
{
	static const char *const words[][FAIL + 1] = {
		[INITIATED] = { [GONE] = "callPending" },
		[ALERTING] = { [CONNECTED] = "callReceived", [HOLD] = "callReceivedOnHold" },
		[CONNECTED] = { [GONE] = "callOriginated",
		    [ALERTING] = "callDelivered",
		    [CONNECTED] = "callEstablished",
		    [HOLD] = "callEstablishedOnHold",
		    [QUEUED] = "callQueued",
		    [FAIL] = "callFailed" },
		[HOLD] = { [ALERTING] = "callDeliveredHeld",
		    [CONNECTED] = "callEstablishedHeld",
		    [QUEUED] = "callQueuedHeld",
		    [FAIL] = "callFailedHeld" },
		[FAIL] = { NULL },
	};

	return words[ours][other];
}

static inline void put_snapshot_call(struct tele *t, const struct call *c, int m)
{
	unsigned rest = members(c) & ~bit(m);
	const char *word = t->dialect.shape == SHAPE_COMPOUND ? NULL : in_one_word(c->at[m], other_side(c, m));

	put(&t->text, "<snapshotDeviceResponseInfo>");
	put_connection(t, "connectionIdentifier", c->id, m, m);
	if (count_of(rest) == 1)
		put_device(t, "endpointDevice", first_of(rest), c->withheld && first_of(rest) == c->calling);
	put(&t->text, "<localCallState>");
	if (word != NULL) {
		put(&t->text, "<simpleCallState>%s</simpleCallState>", word);
	} else {
		put(&t->text, "<compoundCallState><localConnectionState>%s</localConnectionState>",
		    end_names[c->at[m]]);
		for
			EACH(p, rest)
		put(&t->text, "<localConnectionState>%s</localConnectionState>", end_names[c->at[p]]);
		if (rest == 0)
			put(&t->text, "<localConnectionState>%s</localConnectionState>", end_names[c->far]);
		put(&t->text, "</compoundCallState>");
	}
	put(&t->text, "</localCallState></snapshotDeviceResponseInfo>");
}

static inline void put_error(struct tele *t, const char *category, const char *error)
{
	put(&t->text, "<CSTAErrorCode" NS "><%s>%s</%s></CSTAErrorCode>", category, error, category);
}

/* The calls of m from `*at` on, `most` of them. */
static inline void put_calls(struct tele *t, int m, size_t *at, size_t most)
{
	put(&t->text, "<snapshotData>");
	for (; *at < CALLS && most > 0; (*at)++)
		if (t->calls[*at].used && t->calls[*at].at[m] != GONE) {
			put_snapshot_call(t, &t->calls[*at], m);
			most--;
		}
	put(&t->text, "</snapshotData>");
}

static inline void answer_snapshot(struct tele *t, int m)
{
	size_t at = 0;

	t->text.len = 0;
	if (!t->device[m].in_service) {
		put_error(t, "systemResourceAvailability", "deviceOutOfService");
		return;
	}
	put(&t->text, "<SnapshotDeviceResponse" NS "><crossRefIDorSnapshotData>");
	put_calls(t, m, &at, CALLS);
	put(&t->text, "</crossRefIDorSnapshotData></SnapshotDeviceResponse>");
}

/* One segment; false: it is the last one. */
static inline bool answer_segment(struct tele *t, int m, int reference, size_t *at)
{
	struct text *x = &t->text;
	bool more = false;

	x->len = 0;
	put(x, "<SnapshotDeviceData" NS "><serviceCrossRefID>s-%d</serviceCrossRefID>", reference);
	put(x, "<segmentID>1</segmentID><lastSegment>     </lastSegment>");
	char *last = strstr(x->s, "     ");

	put_calls(t, m, at, 1);
	for (size_t i = *at; i < CALLS; i++)
		more = more || (t->calls[i].used && t->calls[i].at[m] != GONE);
	memcpy(last, more ? "false" : "true ", 5);
	put(x, "</SnapshotDeviceData>");
	return more;
}

static inline void answer_dnd(struct tele *t, int m)
{
	t->text.len = 0;
	if (t->dialect.no_dnd)
		put_error(t, "operation", "serviceNotSupported");
	else
		put(&t->text,
		    "<GetDoNotDisturbResponse" NS "><doNotDisturbOn>%s</doNotDisturbOn></GetDoNotDisturbResponse>",
		    t->device[m].dnd ? "true" : "false");
}

static inline void answer_forwarding(struct tele *t, int m)
{
	const struct device *d = &t->device[m];

	t->text.len = 0;
	put(&t->text, "<GetForwardingResponse" NS "><forwardingList>");
	for (int kind = 0; kind < FORWARDS; kind++) {
		if (!d->forwards[kind].programmed)
			continue;
		put(&t->text, "<forwardListItem><forwardingType>%s</forwardingType><forwardStatus>%s</forwardStatus>",
		    forward_names[kind], d->forwards[kind].on ? "true" : "false");
		put(&t->text, "<forwardDN>");
		put_number(&t->text, t->dialect.form, d->forwards[kind].to);
		put(&t->text, "</forwardDN></forwardListItem>");
	}
	put(&t->text, "</forwardingList></GetForwardingResponse>");
}

#endif
