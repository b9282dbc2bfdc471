/* line.h: one telephone line as a switch tells it, event by event and when asked: its calls, its features, and what
 * they mean. Pure. SPDX-License-Identifier: MIT
 *
 * It thinks in TAPI's terms, of which CSTA's are others for the same (ECMA-269 6.1.5; LINECALLSTATE). Events may be lost,
 * repeated and late; an answer to a question is the truth, save for what has happened since the question was asked. So
 * whoever asks takes line_clock() along, and hands it back with the answer. A call that ended stays ended: only an answer
 * to a later question brings it back.
 */
#ifndef PRESENCED_LINE_H
#define PRESENCED_LINE_H

#include "daemon/base/instant.h"
#include "daemon/model/raw_state.h"

#define LINE_CALLS_MAX	  64	/* of one line, those that wait in a queue included */
#define LINE_ID_MAX_BYTES 1024	/* of a call */
#define LINE_ENDED_MS	  30000 /* so long an end is remembered against late events */

/* The line's own end of a call (ECMA-269 6.1.5.2). */
#define CONNECTION_MAP(X) \
	X(NULL, "null") \
	X(INITIATED, "initiated") \
	X(ALERTING, "alerting") \
	X(CONNECTED, "connected") \
	X(HOLD, "hold") \
	X(QUEUED, "queued") \
	X(FAIL, "fail") \
	X(UNKNOWN, "unknown") \
	X(CONFERENCED, "conferenced") /* TAPI: part of a call that stands for it, if there is one */

enum connection {
#define X(symbol, name) CONNECTION_##symbol,
	CONNECTION_MAP(X)
#undef X
	    CONNECTION_COUNT
};

/* What is said of one call; texts are borrowed for the call. */
struct call_said {
	const char *id;	   /* unique among the calls of the line */
	uint8_t state;	   /* enum connection; NULL: it has ended */
	int8_t answered;   /* whether the other end takes part: 1 yes, 0 not yet, -1 not said */
	int8_t direction;  /* enum direction; -1 not said */
	bool parties_said; /* peer and name are said; NULL then means withheld */
	bool was_held;	   /* it can only be so if it was on hold */
	bool peer_left;	   /* the peer has left it: if the next answer does not name one, it is not known */
	const char *peer, *name;
	int64_t since; /* wall ms; 0 not said */
};

/* Unconditional forwarding; that when busy or not answered is no presence. */
enum line_forward { LINE_FORWARD_ALL, LINE_FORWARD_INTERNAL, LINE_FORWARD_EXTERNAL, LINE_FORWARDS };

struct line_call;
struct line_ended;

struct tapi_line {
	struct line_call *calls;	       /* owned, `count` of them; NULL while there is none */
	struct line_ended *ended;	       /* owned; NULL as long as no call has ended */
	uint32_t clock;			       /* events so far */
	uint32_t calls_at, service_at, dnd_at; /* the clock at the last event about each */
	uint32_t forward_at[LINE_FORWARDS];
	uint8_t count, ended_size;
	bool
	    calls_known; /* an answer has said which calls there are, or whoever keeps the line believes events alone */
	bool out_of_service;
	bool corrected;			 /* the last answer about calls has shown one that was not known to be so */
	int8_t dnd;			 /* -1 not known */
	uint8_t forward_known;		 /* 1u << enum line_forward */
	uint8_t forward_on;		 /* 1u << enum line_forward */
	char *forward_to[LINE_FORWARDS]; /* owned; NULL not known */
};

/* What whoever keeps the line is to do after an event or an answer. */
enum {
	TAPI_ASK_CALLS = 1u << 0,      /* the table of calls may be wrong: ask */
	TAPI_ASK_AGAIN = 1u << 1,      /* the same, but in a while: events came between question and answer */
	TAPI_ASK_FORWARD = 1u << 2,    /* a forward is on, but where to was not said */
	TAPI_ASK_EVERYTHING = 1u << 3, /* it is in service again, or is another one */
};

void line_init(struct tapi_line *line);
void line_done(struct tapi_line *line); /* free what it owns; line_init() makes it usable again */

/* The connection is lost: nothing is known any more, but of a call that an answer names again, who it is with and since
 * when. */
void line_lost(struct tapi_line *line);

/* What to take along with a question. */
uint32_t line_clock(const struct tapi_line *line);

/* Event: a call is now so. -ENOMEM: nothing changed; else 0 or TAPI_ASK_*. */
int line_call_changed(struct tapi_line *line, const struct call_said *said, struct instant now);

/* What is known of a call, borrowed until the next change. False: there is none. */
bool line_call_find(const struct tapi_line *line, const char *id, struct call_said *ret);

/* Answer, in as many pieces as it comes in: begin, each call, end. What is not named by the end is over. Two with one id:
 * the latter counts. answered: 0 or -ENOMEM. end: 0, or TAPI_ASK_AGAIN: something happened since the question. */
void line_calls_begin(struct tapi_line *line);
int line_call_answered(struct tapi_line *line, const struct call_said *said, uint32_t asked, struct instant now);
int line_calls_end(struct tapi_line *line, uint32_t asked, struct instant now);

/* Nobody can be asked: what events say of calls is all there is to know. / Nothing is known of calls. */
void line_calls_believe(struct tapi_line *line);
void line_calls_forget(struct tapi_line *line);

/* Event: in service again, or out of it, with which all calls are gone. 0 or TAPI_ASK_EVERYTHING. */
int line_service_changed(struct tapi_line *line, bool in_service, struct instant now);

/* Event / answer: do not disturb; -1: it cannot be known. */
void line_dnd_changed(struct tapi_line *line, int8_t dnd);
void line_dnd_answered(struct tapi_line *line, int8_t dnd, uint32_t asked);

/* Event: one kind of forwarding is on, to `to` (NULL: not said), or off. -ENOMEM, 0 or TAPI_ASK_FORWARD. */
int line_forward_changed(struct tapi_line *line, enum line_forward kind, bool on, const char *to);

/* Answer: all kinds of forwarding; `to` has LINE_FORWARDS of them. `known` false: it cannot be known. 0 or -ENOMEM. */
int line_forwards_answered(struct tapi_line *line, bool known, uint8_t on, const char *const *to, uint32_t asked);

struct line_reading {
	struct raw_facts facts; /* borrows from `calls` and from the line */
	struct raw_call calls[RAW_MAX_CALLS];
};

/* What the line does now. What is not known is absent; with nothing known there are no facts. */
void line_read(const struct tapi_line *line, struct line_reading *ret);

#endif
