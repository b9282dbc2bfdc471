/* refusal.c: the tables.
 * SPDX-License-Identifier: MIT */
#include "connectors/sip/refusal.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "connectors/sip/transaction.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

static const struct {
	int status;
	struct refusal refusal;
} statuses[] = {
	{ 403, { STATE_STATUS_ACCESS_DENIED, RETRY_HOURLY, "the server does not let us watch this address (403)" } },
	{ 404, { STATE_STATUS_NOT_FOUND, RETRY_HOURLY, "the server does not know this address (404)" } },
	{ 405, { STATE_STATUS_ERROR, RETRY_DAILY, "the server does not accept subscriptions (405)" } },
	{ 408, { STATE_STATUS_ERROR, RETRY_BACKOFF, "the server did not answer the subscription in time (408)" } },
	{ 410, { STATE_STATUS_NOT_FOUND, RETRY_DAILY, "the server knew this address once and does no more (410)" } },
	{ 416, { STATE_STATUS_ERROR, RETRY_DAILY, "the server does not understand this kind of address (416)" } },
	{ 420, { STATE_STATUS_ERROR, RETRY_DAILY, "the server does not support what a subscription needs (420)" } },
	{ 421, { STATE_STATUS_ERROR, RETRY_DAILY, "the server insists on an extension that we do not have (421)" } },
	{ 423, { STATE_STATUS_ERROR, RETRY_BACKOFF, "the server finds the subscription too short (423)" } },
	{ 480, { STATE_STATUS_ERROR, RETRY_MINUTE, "the server says that this address is not available now (480)" } },
	{ 481, { STATE_STATUS_STALE, RETRY_SOON, "the server does not know the subscription any more (481)" } },
	{ 482,
	    { STATE_STATUS_ERROR, RETRY_HOURLY, "the request went in a circle: look at the server's routing (482)" } },
	{ 483,
	    { STATE_STATUS_ERROR, RETRY_HOURLY, "the request went in a circle: look at the server's routing (483)" } },
	{ 484, { STATE_STATUS_NOT_FOUND, RETRY_DAILY, "the server finds the address incomplete (484)" } },
	{ 485, { STATE_STATUS_ERROR, RETRY_DAILY, "the server finds the address ambiguous (485)" } },
	{ 489,
	    { STATE_STATUS_ERROR, RETRY_DAILY,
		"the server does not have this event package (489): look at telephony" } },
	{ 500, { STATE_STATUS_ERROR, RETRY_BACKOFF, "the server has an error of its own (500)" } },
	{ 501, { STATE_STATUS_ERROR, RETRY_DAILY, "the server does not have subscriptions (501)" } },
	{ 503, { STATE_STATUS_ERROR, RETRY_BACKOFF, "the server is not available (503)" } },
	{ 504, { STATE_STATUS_ERROR, RETRY_BACKOFF, "the server waits for another one in vain (504)" } },
	{ 513, { STATE_STATUS_ERROR, RETRY_DAILY, "the server finds the request too long (513)" } },
	{ 603, { STATE_STATUS_ACCESS_DENIED, RETRY_DAILY, "the person declines to be watched (603)" } },
	{ SIP_FOREIGN,
	    { STATE_STATUS_ACCESS_DENIED, RETRY_HOURLY, "the server asks for a password of somebody else's realm" } },
	{ SIP_TOO_LONG,
	    { STATE_STATUS_ERROR, RETRY_DAILY, "the request does not fit into a datagram: use transport tcp" } },
	{ 604, { STATE_STATUS_NOT_FOUND, RETRY_HOURLY, "this address does not exist anywhere (604)" } },
};

static const struct refusal moved = { STATE_STATUS_ERROR, RETRY_HOURLY,
	"the server says that this address has moved (3xx): correct the address of the user" };
static const struct refusal failing = { STATE_STATUS_ERROR, RETRY_BACKOFF, "the server refuses the subscription" };

const struct refusal *refusal_of_status(int status)
{
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
		if (statuses[i].status == status)
			return &statuses[i].refusal;
	return status < 400 ? &moved : &failing;
}

static const struct {
	const char *reason;
	struct refusal refusal;
} reasons[] = {
	{ "deactivated", { STATE_STATUS_STALE, RETRY_SOON, "the server asks us to subscribe again" } },
	{ "probation", { STATE_STATUS_STALE, RETRY_MINUTE, "the server asks us to subscribe again later" } },
	{ "rejected", { STATE_STATUS_ACCESS_DENIED, RETRY_DAILY, "the person, or the server, does not let us watch" } },
	{ "timeout", { STATE_STATUS_STALE, RETRY_SOON, "the subscription has run out at the server" } },
	{ "giveup", { STATE_STATUS_ACCESS_DENIED, RETRY_HOURLY, "the person has not answered our request to watch" } },
	{ "noresource", { STATE_STATUS_NOT_FOUND, RETRY_DAILY, "the server does not have this address any more" } },
	{ "invariant", { STATE_STATUS_OK, RETRY_NEVER, "the state will never change" } },
};

static const struct refusal ended = { STATE_STATUS_STALE, RETRY_BACKOFF, "the server has ended the subscription" };

const struct refusal *refusal_of_reason(const char *reason)
{
	for (size_t i = 0; reason != NULL && i < sizeof reasons / sizeof *reasons; i++)
		if (strcasecmp(reasons[i].reason, reason) == 0)
			return &reasons[i].refusal;
	return &ended;
}

bool refusal_ends_subscription(int status)
{
	static const int codes[] = { 404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604 };

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (codes[i] == status)
			return true;
	return false;
}

static int64_t backoff(unsigned failures)
{
	int64_t ms = 5 * SECOND;

	while (failures-- > 1 && ms < 10 * MINUTE)
		ms *= 2;
	return ms < 10 * MINUTE ? ms : 10 * MINUTE;
}

int64_t refusal_wait(enum refusal_retry retry, unsigned failures)
{
	switch (retry) {
	case RETRY_SOON:
		return failures <= 3 ? SECOND : backoff(failures - 3);
	case RETRY_MINUTE:
		return MINUTE * (failures < 30 ? failures : 30);
	case RETRY_HOURLY:
		return HOUR;
	case RETRY_DAILY:
		return 24 * HOUR;
	case RETRY_NEVER:
		return INT64_MAX;
	case RETRY_BACKOFF:
		break;
	}
	return backoff(failures);
}
