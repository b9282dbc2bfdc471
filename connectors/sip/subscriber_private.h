/* subscriber_private.h: what the files of the subscriber share; nobody else includes it.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_SIP_SUBSCRIBER_PRIVATE_H
#define PRESENCED_SIP_SUBSCRIBER_PRIVATE_H

#include "connectors/sip/dialog.h"
#include "connectors/sip/refusal.h"
#include "connectors/sip/subscriber.h"
#include "daemon/base/hashtab.h"
#include "daemon/base/wheel.h"

#define SECOND		 INT64_C(1000)
#define TICK_MS		 500
#define TIMER_N_MS	 (32 * SECOND) /* 64 * T1: a NOTIFY has to follow (RFC 6665 4.1.2.4) */
#define BEAT_MS		 (20 * SECOND) /* at least one subscription is proved that often */
#define LAST_REFRESH_MS	 (40 * SECOND) /* before the end, so that one whole attempt still fits */
#define BUSY_RETRY_MS	 (1 * SECOND)  /* when nothing more can be sent now */
#define FORGOTTEN_AFTER	 3	       /* refusals in a row that say the server has forgotten all */
#define GOODBYES_MAX	 2000
#define LEAST_REFRESH_MS (2 * SECOND) /* a server that grants less is asked anew when it has run out */
#define LAST_NOTIFY_MS	 (2 * SECOND) /* after a goodbye (RFC 6665 4.1.2.3) */

enum usage_state {
	USAGE_NONE,	   /* no dialog; perhaps a timer to begin one */
	USAGE_NEW,	   /* asked for, or about to be; perhaps already notified */
	USAGE_UNHEARD,	   /* accepted, no NOTIFY yet */
	USAGE_ESTABLISHED, /* accepted and notified */
	USAGE_LEAVING,	   /* nobody wants it any more */
};

enum usage_place { PLACE_NOWHERE, PLACE_URGENT, PLACE_BULK, PLACE_ESTABLISHED };

struct sip_subscription;

struct usage {
	struct agent_call call;
	struct dialog dialog;
	struct wheel_item timer;
	TAILQ_ENTRY(usage) link;
	struct sip_subscription *of;
	int64_t expires_at; /* monotonic ms, of an established one */
	uint8_t state, place;
	uint8_t failures; /* in a row */
	bool fetch, heard, overtaken, goodbye;
	bool lengthened; /* asked for longer, after a 423 */
	bool pending;	 /* the person has not decided yet */
};
TAILQ_HEAD(usages, usage);

struct sip_subscription {
	struct hash_link link;
	struct subscriber *owner;
	struct usage main;
	struct usage *fetch; /* owned; NULL none */
	struct line_dialogs dialogs;
	uint8_t domains, package;
	bool owed; /* it has said nothing since all were begun anew */
	char address[];
};

/* Of the request that is being composed. */
struct request_text {
	char call_id[DIALOG_ID_SIZE], tag[DIALOG_ID_SIZE], headers[256];
};

struct subscriber {
	struct subscriber_settings settings;
	struct agent *agent;
	struct subscriber_owner owner;
	struct hashtab watched[SIP_PACKAGE_COUNT];
	struct wheel wheel;
	struct usages urgent, bulk, established;
	struct usage **slots; /* by the number in the Call-ID */
	uint32_t slot_count;
	uint32_t *free_slots;
	size_t free_count;
	size_t owed;
	struct wheel_item beat;
	int64_t min_expires; /* seconds, as the server asked with 423 */
	unsigned forgotten;  /* refreshes in a row that were answered 481 */
	unsigned anew;	     /* times in a row that all were begun anew for that, without a refresh accepted since */
	int64_t anew_after;  /* monotonic ms: not again before */
	bool connected, settling, leaving;
	bool blocked; /* the socket took nothing more */
	struct request_text text;
	struct subscriber_stats stats;
};

static inline int64_t subscriber_now(const struct subscriber *s)
{
	return agent_time(s->agent);
}

/* usage.c: what happens to one usage --------------------------------------------------------------- */

/* Tell the owner a status, unless nobody wants the address any more. */
void usage_say(struct usage *u, enum state_status status, const char *why);
struct subscribed usage_who(const struct usage *u);

void usage_move(struct usage *u, enum usage_place place);
void usage_queue(struct usage *u, enum usage_place place); /* move, unless an answer is awaited */
void usage_wake_in(struct usage *u, int64_t ms);	   /* INT64_MAX: never */

/* A slot for a new usage whose `of` is set: 0 or -ENOMEM. / Forget it; its memory is the caller's. */
int usage_init(struct usage *u);
void usage_done(struct usage *u);

void usage_begin(struct usage *u);	 /* a new dialog, when its turn comes */
void usage_refresh(struct usage *u);	 /* once more, when its turn comes, if it is established */
bool usage_send(struct usage *u);	 /* now; false: nothing more can be sent */
void usage_established(struct usage *u); /* accepted and notified: refreshed in time from now on */

/* No dialog any more; a new one after what the refusal says, `asked_ms` is what the server asked for or 0. */
void usage_retry(struct usage *u, const struct refusal *refusal, int64_t asked_ms);
void usage_rest(struct usage *u); /* no dialog any more, until connected again */

/* A fetch that is over, or a subscription that nobody wants any more: freed. */
void usage_over(struct usage *u);

/* The subscription has said something since all were begun anew. */
void sip_subscription_settle(struct sip_subscription *sub);
void sip_subscription_end_fetch(struct sip_subscription *sub);
void sip_subscription_free(struct sip_subscription *sub);

/* subscriber.c ------------------------------------------------------------------------------------- */

int64_t subscriber_expires(const struct subscriber *s); /* seconds to ask for */
void subscriber_pump(struct subscriber *s);		/* send what may be sent */
void subscriber_begin_all(struct subscriber *s);
extern const char *const subscriber_packages[];

void usage_compose(struct agent_call *call, struct agent_request *r);

/* subscriber_answers.c ----------------------------------------------------------------------------- */

extern const struct agent_call_type usage_call;

/* A refresh failed in a way that leaves the subscription, or it has run out. */
void usage_refresh_failed(struct usage *u);

#endif
