/* transaction.h: non-INVITE client transactions (RFC 3261 17.1.2): retransmission, time-out, matching of answers.
 * SPDX-License-Identifier: MIT
 *
 * No I/O and no clock: bytes go out by a callback, time comes in. Timer K is not needed: an answer whose branch
 * matches nothing is dropped.
 */
#ifndef PRESENCED_SIP_TRANSACTION_H
#define PRESENCED_SIP_TRANSACTION_H

#include <sofia-sip/sip.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/buf.h"

#define SIP_T1_MS	500
#define SIP_T2_MS	4000
#define SIP_TIMER_F_MS	(64 * SIP_T1_MS)
#define SIP_BRANCH_SIZE 48
#define SIP_TIMEOUT	408 /* what `status` is when nobody answered */
#define SIP_LOST	503 /* ... when the connection went away */
#define SIP_FOREIGN	700 /* ... when somebody else's server asks for a password that is not ours */
#define SIP_TOO_LONG	701 /* ... when the request does not fit into a datagram */
#define SIP_MAX_REQUEST 8192

struct transactions; /* all that wait for an answer, over one connection after the other */
struct transaction;

struct transactions_owner {
	int (*send)(void *arg, const void *data, size_t len); /* 0 or -errno; -EMSGSIZE ends the transaction */
	void *arg;
};

struct transactions *transactions_new(const struct transactions_owner *owner, int64_t now); /* NULL without memory */
void transactions_free(struct transactions *ts);					    /* nobody is told */

/* A transaction that waits for its request; `branch` is written for its Via. `answered` is called once, with the
 * final answer, or with NULL and SIP_TIMEOUT or SIP_LOST; the transaction is gone then. NULL without memory. */
struct transaction *transaction_new(struct transactions *ts, const char *method,
    void (*answered)(void *arg, const sip_t *answer, int status), void *arg);
const char *transaction_branch(const struct transaction *t);

/* Send the request, whose bytes are copied where it may have to be repeated. Nothing is called back from here. 0, or
 * -errno: then the transaction is gone and answered() is not called. */
int transaction_send(struct transactions *ts, struct transaction *t, const struct buf *request, bool reliable,
    int64_t timeout, int64_t now);

/* Forget it; answered() is not called. */
void transaction_cancel(struct transactions *ts, struct transaction *t);

/* An answer arrived. False: it belongs to nothing that waits. */
bool transactions_answer(struct transactions *ts, const sip_t *answer, int64_t now);

/* The connection is gone: all end with SIP_LOST. */
void transactions_lost(struct transactions *ts);

/* Do what is due / when that is, monotonic ms. */
void transactions_run(struct transactions *ts, int64_t now);
int64_t transactions_deadline(const struct transactions *ts);
size_t transactions_count(const struct transactions *ts);

#endif
