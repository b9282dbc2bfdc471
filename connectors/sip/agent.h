/* agent.h: who we are on the wire: requests are composed, authenticated and matched with their answers here.
 * SPDX-License-Identifier: MIT
 *
 * No I/O and no clock of its own: bytes go out by `send`, the time is told.
 */
#ifndef PRESENCED_SIP_AGENT_H
#define PRESENCED_SIP_AGENT_H

#include "connectors/sip/digest.h"
#include "connectors/sip/transaction.h"

struct agent;

struct agent_settings {
	const char *uri;		 /* ours: From; borrowed */
	const char *domain;		 /* of the server's own addresses; borrowed; NULL: all are */
	const char *transport;		 /* "UDP", "TCP", "TLS" */
	struct digest_identity identity; /* borrowed; password NULL: none */
	struct transactions_owner wire;
};

/* What one request says; texts are borrowed for the call. */
struct agent_request {
	const char *method;
	const char *uri;	 /* Request-URI */
	const char *to, *to_tag; /* URI; tag NULL outside a dialog */
	const char *from_tag, *call_id;
	uint32_t *cseq;		     /* raised by one for each sending */
	const char *route, *headers; /* whole lines, or "" */
	int64_t timeout;	     /* ms; 0: 32 s */
};

struct agent_call;

struct agent_call_type {
	/* Fill the request; called for each sending: a second time with credentials. */
	void (*compose)(struct agent_call *call, struct agent_request *ret);

	/* The final answer; or NULL with SIP_TIMEOUT, SIP_LOST or SIP_TOO_LONG, or with 401 and 407 when we have nothing
	 * (more) to say to a challenge, or with SIP_FOREIGN: agent_refusal() says why. */
	void (*answered)(struct agent_call *call, const sip_t *answer, int status);

	/* The request may end at a server of somebody else, who is not shown what our password makes of a realm that
	 * is not ours. Ours is that in which the server has let us in, and that of an address of our domain. */
	bool passed_on;
};

/* A request that may be under way; a part of its owner, zero but for `type` at first. */
struct agent_call {
	const struct agent_call_type *type;
	struct agent *agent;
	struct transaction *transaction; /* NULL: nothing is under way */
	uint8_t challenges[2];		 /* answered for this request: of servers, of proxies */
	bool elsewhere;			 /* to an address of another domain */
};

struct agent *agent_new(const struct agent_settings *settings, int64_t now); /* NULL without memory */
void agent_free(struct agent *a); /* no call is answered any more; NULL is fine */

/* The time of all that follows. */
void agent_set_time(struct agent *a, int64_t now);
int64_t agent_time(const struct agent *a);

/* Where answers (Via) and requests (Contact) reach us; numeric hosts without brackets. */
void agent_set_address(
    struct agent *a, const char *host, uint16_t port, const char *contact_host, uint16_t contact_port);

/* Send a request. 0 and one answered() later; or -errno, and no answered(): -ENOBUFS later would do, -EMSGSIZE never. */
int agent_send(struct agent *a, struct agent_call *call);
void agent_cancel(struct agent_call *call); /* no answered(); also when nothing is under way */

void agent_answer(struct agent *a, const sip_t *answer); /* an answer arrived */
void agent_lost(struct agent *a);			 /* the connection is gone: calls end with SIP_LOST */

/* Why the last 401 or 407 was not answered: a sentence. */
const char *agent_refusal(const struct agent *a);

size_t agent_in_flight(const struct agent *a);
void agent_run(struct agent *a);
int64_t agent_deadline(const struct agent *a);

#endif
