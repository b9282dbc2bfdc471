/* states.h: from what subscriptions bring to raw states of the core.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_SIP_STATES_H
#define PRESENCED_SIP_STATES_H

#include "connectors/connector.h"
#include "connectors/sip/subscriber.h"

struct states {
	struct source *source;	   /* borrowed */
	struct xml_reader *reader; /* borrowed */
	uint64_t documents, malformed;
	char last_error[300];
};

/* A document (len 0: nothing is known) says its raw states. False: the full state has to be asked for. */
bool states_document(
    struct states *s, const struct subscribed *who, const char *type, const char *body, size_t len, int64_t now);

/* A status without facts. */
void states_status(struct states *s, const struct subscribed *who, enum state_status status, const char *why);

#endif
