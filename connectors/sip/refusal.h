/* refusal.h: what the answers that refuse a SUBSCRIBE, and the reasons that end a subscription, mean. Pure tables.
 * SPDX-License-Identifier: MIT
 *
 * Sources: RFC 6665 4.1.2.2, 4.1.3, 4.2.2; RFC 3261 21; RFC 5057.
 */
#ifndef PRESENCED_SIP_REFUSAL_H
#define PRESENCED_SIP_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/model/vocab.h"

enum refusal_retry {
	RETRY_BACKOFF, /* 5 s, doubling, at most 10 min */
	RETRY_MINUTE,
	RETRY_HOURLY,
	RETRY_DAILY,
	RETRY_SOON, /* within 2 s; after three in a minute as BACKOFF */
	RETRY_NEVER,
};

struct refusal {
	enum state_status status;
	enum refusal_retry retry;
	const char *why; /* a sentence for people */
};

/* For an answer of 300 or more, or SIP_TIMEOUT, SIP_LOST, SIP_TOO_LONG and SIP_FOREIGN. Never NULL. */
const struct refusal *refusal_of_status(int status);

/* For Subscription-State: terminated; reason NULL or unknown included. Never NULL. */
const struct refusal *refusal_of_reason(const char *reason);

/* Whether this answer to a refresh ends the subscription; others leave it until it expires. */
bool refusal_ends_subscription(int status);

/* How long to wait before the `failures`th attempt (from 1), ms, before jitter. INT64_MAX: for ever. */
int64_t refusal_wait(enum refusal_retry retry, unsigned failures);

#endif
