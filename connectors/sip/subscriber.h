/* subscriber.h: all subscriptions of one source at one server (RFC 6665), from the first SUBSCRIBE to the last NOTIFY.
 * SPDX-License-Identifier: MIT
 *
 * A watched address has one subscription per event package, whatever the domains that want it; its life (asked,
 * heard, refreshed, refused, ended, tried again) is here, as are pacing, the proof that the server has not forgotten
 * us, and fetches. What documents mean is not. No I/O and no clock of its own.
 */
#ifndef PRESENCED_SIP_SUBSCRIBER_H
#define PRESENCED_SIP_SUBSCRIBER_H

#include "connectors/sip/agent.h"
#include "connectors/sip/dialog_info_document.h"
#include "connectors/sip/sip_spec.h"
#include "daemon/model/vocab.h"

struct subscriber;

/* Whom an event is about; borrowed for the call. */
struct subscribed {
	const char *address;
	enum sip_package package;
	unsigned domains;	      /* 1u << enum domain */
	struct line_dialogs *dialogs; /* what dialog-info documents have said in this subscription */
	bool fetched;		      /* the answer to subscriber_verify(): it stands alone */
};

enum subscriber_trouble {
	SUBSCRIBER_FORBIDDEN,	/* the server refuses our credentials: nothing more is sent until connected again */
	SUBSCRIBER_UNAVAILABLE, /* 503 with Retry-After: the server wants to be left alone */
	SUBSCRIBER_FORGOTTEN,	/* the server does not know our subscriptions any more: all are made anew */
};

struct subscriber_owner {
	/* A NOTIFY with a state; len 0: the server knows nothing of it. True: it was read; false asks for the full
	 * state by a new subscription. */
	bool (*document)(void *arg, const struct subscribed *who, const char *type, const char *body, size_t len);

	/* A status without facts; `why` may be NULL. */
	void (*status)(void *arg, const struct subscribed *who, enum state_status status, const char *why);

	/* `wait`: ms that the server asked for, 0 none. */
	void (*trouble)(void *arg, enum subscriber_trouble trouble, int64_t wait, const char *why);

	/* After subscriber_connected() or FORGOTTEN: every subscription has said something, or will not. */
	void (*settled)(void *arg);
	void *arg;
};

struct subscriber_settings {
	int64_t expires;  /* seconds that are asked for */
	size_t in_flight; /* requests that may wait for an answer */
};

/* NULL without memory. `agent` is borrowed. */
struct subscriber *subscriber_new(
    const struct subscriber_settings *settings, struct agent *agent, const struct subscriber_owner *owner);

/* Subscriptions are ended at the server as far as that goes without waiting, and all is freed. NULL is fine. */
void subscriber_free(struct subscriber *s);

/* From now on / no longer; as connector.h. 0 or -ENOMEM. */
int subscriber_watch(struct subscriber *s, const char *address, enum sip_package package, enum domain domain);
void subscriber_unwatch(struct subscriber *s, const char *address, enum sip_package package, enum domain domain);

/* Fetch the present state in a dialog of its own. */
void subscriber_verify(struct subscriber *s, const char *address, enum sip_package package);

/* The server can be asked: every subscription is made anew, paced. / It cannot: nothing of it is worth keeping. */
void subscriber_connected(struct subscriber *s);
void subscriber_lost(struct subscriber *s);

/* A NOTIFY: what to answer, and with 200 the handle for subscriber_take(), which is called when the answer is out;
 * NULL where nothing is to be taken (a repetition, one overtaken by a newer one). */
struct usage;
int subscriber_judge(struct subscriber *s, const sip_t *notify, struct usage **ret);
void subscriber_take(struct subscriber *s, struct usage *u, const sip_t *notify);

/* Do what is due / when, monotonic ms. */
void subscriber_run(struct subscriber *s);
int64_t subscriber_deadline(const struct subscriber *s);

struct subscriber_stats {
	uint64_t subscriptions, established, waiting; /* waiting: to be asked for, or to be tried again */
	uint64_t refused; /* of the waiting: refused or ended by the server, or no address */
	uint64_t notifies, repeated, unknown, refreshes, forgotten, fetches, failures;
};
void subscriber_stats(const struct subscriber *s, struct subscriber_stats *ret);

#endif
