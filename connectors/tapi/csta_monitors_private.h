/* csta_monitors_private.h: what the files of the monitors share; nobody else includes it.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_CSTA_MONITORS_PRIVATE_H
#define PRESENCED_CSTA_MONITORS_PRIVATE_H

#include "connectors/tapi/csta_line.h"
#include "connectors/tapi/csta_monitors.h"
#include "connectors/tapi/csta_refusal.h"
#include "daemon/base/hashtab.h"
#include "daemon/base/wheel.h"

#define SECOND	       INT64_C(1000)
#define TICK_MS	       100
#define SAY_WITHIN_MS  500	     /* after the calls are known, whatever else is still out */
#define SEGMENTS_MS    (10 * SECOND) /* a snapshot in pieces has come by then */
#define AGAIN_MS       (1 * SECOND)  /* after events between question and answer, and after a transfer */
#define DOUBT_MIN_MS   (1 * SECOND)  /* between two doubts of one line, doubling */
#define DOUBT_MAX_MS   (30 * SECOND)
#define RESTART_MIN_MS (1 * SECOND) /* after the switch has stopped a monitor, or is busy, doubling */
#define RESTART_MAX_MS (60 * SECOND)
#define CANNOT_MS      (60 * SECOND) /* before what had no answer is asked again, to prove the line */
#define SILENCE_MS     (15 * SECOND) /* after a request about a line was not answered */
#define MUTE_AFTER     2	     /* questions in a row without one ever answered: the switch has no such thing */
#define MUTE_LINES     8	     /* lines whose pieces never came, without one that did: the same */

/* What can be out for a line, and as bits 1u << x what is still to be asked. */
enum csta_step { STEP_NONE, STEP_START, STEP_STOP, STEP_CALLS, STEP_DND, STEP_FORWARD, STEP_COUNT };
#define QUESTIONS (1u << STEP_CALLS | 1u << STEP_DND | 1u << STEP_FORWARD)

/* Whether its monitor is to be stopped, and then started again: at once, or after a while. */
enum csta_renew { RENEW_NOT, RENEW_NOW, RENEW_LATER };

/* In the order in which they are served. */
enum csta_queue { QUEUE_URGENT, QUEUE_ROUND, QUEUE_START, QUEUE_COUNT, QUEUE_NONE = QUEUE_COUNT };

struct csta_device {
	struct hash_link link, by_ref;
	struct csta_monitors *of;
	struct csta_request request;
	struct wheel_item timer; /* the earliest of the times below */
	TAILQ_ENTRY(csta_device) place;
	struct tapi_line line;
	char *ref;	   /* monitorCrossRefID, owned; NULL: it has no monitor */
	char *segments;	   /* serviceCrossRefID of a snapshot that comes in pieces, owned; NULL none */
	int64_t start_at;  /* monotonic ms; INSTANT_NEVER: the monitor is not to be started by time */
	int64_t calls_at;  /* its calls are asked again */
	int64_t say_at;	   /* what is known is said, although a round is not over */
	int64_t pieces_at; /* the pieces of a snapshot have been waited for */
	int64_t poll_at;
	int64_t doubted_at;
	int64_t trouble_at; /* its monitor was refused or stopped last */
	int32_t doubt_ms, restart_ms;
	uint32_t asked; /* the line's clock when the question that is out was asked */
	uint8_t queue, step;
	uint8_t rank;	     /* the queue that it goes on in, when its request is answered */
	uint8_t want;	     /* questions, as bits */
	uint8_t from_answer; /* features that an answer has said last, as bits */
	uint8_t failed;	     /* features that were asked for in vain last, as bits */
	bool who_is_left;    /* calls_at is only to see that */
	int64_t cannot_at;   /* monotonic ms: when it was found out last what it has no answer to */
	uint8_t cannot;	     /* questions that this device has no answer to */
	uint8_t silence;     /* snapshots in a row that were not answered */
	bool watched;
	uint8_t renew; /* enum csta_renew */
	bool quiet;    /* nothing is said of it before a round is over */
	bool owed;     /* it has said nothing since all were begun anew */
	bool refused;  /* the switch does not let it be monitored */
	bool unproved; /* its calls were asked for in vain */
	bool again;    /* asked because events had come between: not a third time for the same */
	bool was_active;
	char device[];
};
TAILQ_HEAD(csta_devices, csta_device);

struct csta_monitors {
	struct csta_monitors_settings settings;
	struct csta_exchange *exchange;
	struct csta_monitors_owner owner;
	struct hashtab devices, refs;
	struct csta_devices queues[QUEUE_COUNT];
	struct csta_devices segmented; /* devices whose snapshot comes in pieces; by `place`, they are in no queue */
	size_t owed;
	struct wheel wheel;
	int64_t credit, credited_at; /* thousandths of monitors that may be started */
	int64_t blocked_until;	     /* nothing more could be sent; monotonic ms */
	uint8_t cannot;		     /* questions that the switch has no answer to, as bits */
	uint8_t can;		     /* questions that it has answered once */
	uint8_t mute[STEP_COUNT];    /* questions without an answer, in a row */
	bool ready, slow, settling;
	bool pieces_came; /* of a snapshot, in this connection */
	struct csta_monitors_stats stats;
};

/* csta_monitors.c ---------------------------------------------------------------------------------- */

struct instant csta_monitors_now(const struct csta_monitors *s);
void csta_device_enqueue(struct csta_device *d, enum csta_queue queue); /* an earlier queue wins */
void csta_device_time(struct csta_device *d);				/* set the timer anew */
void csta_device_set_ref(struct csta_device *d, const char *ref);	/* NULL: it has none */
/* Whether the switch has given another line the same: then neither has it any more, and both begin anew. */
bool csta_device_same_ref(struct csta_device *d, const char *ref);

void csta_device_free(struct csta_device *d);
void csta_device_stopped(struct csta_device *d);	      /* its monitor is no more */
void csta_device_start_in(struct csta_device *d, int64_t ms); /* 0: not by time */
void csta_device_start_later(struct csta_device *d);	      /* with growing patience */
void csta_device_drop_pieces(struct csta_device *d);
void csta_device_want(struct csta_device *d, unsigned questions, enum csta_queue queue);

/* What the line does, to the owner; / only a status. */
void csta_device_say(struct csta_device *d);
void csta_device_say_status(struct csta_device *d, enum state_status status, const char *why);
void csta_device_settle(struct csta_device *d);

/* csta_questions.c --------------------------------------------------------------------------------- */

/* Send what is next for it. 0: sent, or nothing is to be sent (it may be gone); else as csta_send(). */
int csta_device_step(struct csta_device *d);
void csta_device_prepare(struct csta_device *d); /* a new one */

/* SnapshotDeviceData. / The pieces have not come. */
void csta_device_piece(struct csta_device *d, const struct csta_message *m);
void csta_device_no_pieces(struct csta_device *d);

/* An answer came too late: the switch has it, all the same. */
void csta_questions_late(struct csta_monitors *s, const char *name);

/* What an event asks for, TAPI_ASK_*. */
void csta_device_asks(struct csta_device *d, unsigned ask);

#endif
