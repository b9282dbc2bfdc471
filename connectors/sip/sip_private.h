/* sip_private.h: what the files of the SIP driver share; nobody else includes it.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_SIP_PRIVATE_H
#define PRESENCED_SIP_PRIVATE_H

#include "connectors/forbidden.h"
#include "connectors/link_listener.h"
#include "connectors/refusals.h"
#include "connectors/secret.h"
#include "connectors/sip/sip.h"
#include "connectors/sip/sip_spec.h"
#include "connectors/sip/states.h"

#define SIP_ID_SIZE 40

/* A request outside subscriptions: OPTIONS, or a fetch that shows whether the server knows us. */
struct question {
	struct agent_call call;
	struct connector *of;
	const char *method;
	int64_t timeout;
	uint32_t cseq;
	uint64_t heard; /* messages from the server before it was asked */
	char call_id[SIP_ID_SIZE], tag[SIP_ID_SIZE];
};

enum probe_step { PROBE_NONE, PROBE_LINK, PROBE_OPTIONS, PROBE_SUBSCRIBE };

struct connector {
	struct source *source;
	const struct sip_settings *settings;
	struct loop *loop;
	struct link_protocol protocol;
	struct link *link;
	struct link_listener_protocol guests;
	struct link_listener *listener; /* where the server connects to us, if so configured; else NULL */
	struct link_guest *guest;	/* whose message is being handled; NULL: the link's */
	struct agent *agent;
	struct subscriber *subscriber;
	struct states states;
	struct loop_event *timer, *first;
	int64_t armed_at; /* monotonic ms, of `timer`; 0: not armed */
	char domain[LINK_HOST_SIZE], user[256], password[SECRET_SIZE], registrar[LINK_HOST_SIZE + 8];
	bool has_password;
	bool up;		 /* it has answered, and lets us in */
	enum source_status said; /* to the core */
	char why[512];		 /* of a status that is not up */
	bool excused;		 /* why the connection ends has been said */
	struct forbidden forbidden;
	bool crlf;		   /* half a ping has come */
	uint64_t heard, malformed; /* messages */
	char last_malformed[160];
	struct refusals refusals; /* of addresses */
	struct question alive, identity, probed;
	enum probe_step probe;
};

/* Every callback of the loop stands between these: they tell the time to the parts that have no clock, and set the
 * one timer to the earliest of what they wait for. */
void sip_enter(struct connector *c);
void sip_leave(struct connector *c);

/* New identifiers for a question; what was asked before is forgotten. / Its request, for agent_call_type. */
void sip_question_begin(struct question *q);
void sip_question_compose(struct agent_call *call, struct agent_request *r);

/* Why a request could not be sent, as a sentence, from what agent_send() returned. */
const char *sip_not_sent(int error);

/* sip_messages.c: a message, as link_protocol.frame. / Listen where the settings say so: 0, or as link_listen(). */
void sip_on_frame(void *arg, const char *data, size_t len);
int sip_open_listener(struct connector *c, char *err, size_t err_size);

/* sip_probe.c: for doctor. */
extern const struct agent_call_type sip_probe_call;
void sip_probe(struct connector *c);

#endif
