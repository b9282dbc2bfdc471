/* csta_exchange.h: requests to a CSTA switch and their answers: frames, invoke ids, time limits, how many at a time.
 * SPDX-License-Identifier: MIT
 *
 * No I/O and no clock of its own. The invoke ids of the two directions are independent: whether a frame is an answer is
 * said by its document, never by its number.
 */
#ifndef PRESENCED_CSTA_EXCHANGE_H
#define PRESENCED_CSTA_EXCHANGE_H

#include <bsd/sys/queue.h>

#include "connectors/tapi/csta_document.h"
#include "daemon/base/buf.h"

#define CSTA_PATIENCE_MS 10000

struct csta_exchange;
struct csta_request;

struct csta_request_type {
	/* Append the document to b. */
	void (*compose)(struct csta_request *r, struct buf *b);

	/* The answer; NULL: none came in time. The request is not out any more: it may be sent again, its owner may end it,
	 * and the exchange may be told that the connection is lost. Not called after csta_cancel() and
	 * csta_exchange_lost(). */
	void (*answered)(struct csta_request *r, const struct csta_message *answer);

	int64_t patience; /* ms; 0: CSTA_PATIENCE_MS */
	bool beside;	  /* it does not count against in_flight */
};

/* Part of its owner; all zero but `type` before the first use. */
struct csta_request {
	const struct csta_request_type *type;
	TAILQ_ENTRY(csta_request) place;
	int64_t due; /* monotonic ms */
	int id;	     /* while it is out; 0: it is not */
};

struct csta_transport {
	int (*send)(void *arg, const void *data, size_t len); /* as link_send() */
	void *arg;
};

/* NULL without memory. */
struct csta_exchange *csta_exchange_new(const struct csta_transport *wire, size_t in_flight);
void csta_exchange_free(struct csta_exchange *e); /* no answers any more; NULL is fine */

/* The time of all parts of the connector that have no clock; set at the begin of every callback. */
void csta_exchange_set_time(struct csta_exchange *e, struct instant now);
struct instant csta_exchange_time(const struct csta_exchange *e);

/* Send. 0; -EAGAIN: in_flight are out; -ENOTCONN, -ENOBUFS as link_send(); -EMSGSIZE: the document is too large for a frame,
 * or for the memory there is. */
int csta_send(struct csta_exchange *e, struct csta_request *r);
bool csta_may_send(const struct csta_exchange *e);		   /* fewer than in_flight are out */
void csta_cancel(struct csta_exchange *e, struct csta_request *r); /* its answer is passed over; also when not out */

/* Half as many at a time as configured, or all again. */
void csta_exchange_slow(struct csta_exchange *e, bool yes);

/* A request whose answer nobody needs, for goodbyes. / Answer a request of the switch; `id` is that of its frame. Results
 * as csta_send(). */
typedef void (*csta_composer)(void *arg, struct buf *b);
int csta_tell(struct csta_exchange *e, csta_composer compose, void *arg);
int csta_reply(struct csta_exchange *e, const char id[4], csta_composer compose, void *arg);

/* A response has come. False: nothing of that number is out. */
bool csta_answer(struct csta_exchange *e, const char id[4], const struct csta_message *m);

/* The connection is gone: nothing is out any more, without a word. */
void csta_exchange_lost(struct csta_exchange *e);

/* Who has waited in vain is told / when, monotonic ms; INSTANT_NEVER. */
void csta_exchange_run(struct csta_exchange *e);
int64_t csta_exchange_deadline(const struct csta_exchange *e);

size_t csta_in_flight(const struct csta_exchange *e);

#endif
