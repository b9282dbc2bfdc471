/* csta_private.h: what the files of the CSTA wire share; nobody else includes it.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_CSTA_PRIVATE_H
#define PRESENCED_CSTA_PRIVATE_H

#include "connectors/forbidden.h"
#include "connectors/link.h"
#include "connectors/refusals.h"
#include "connectors/tapi/csta_monitors.h"
#include "connectors/tapi/csta_session.h"
#include "connectors/tapi/tapi_private.h"

struct csta {
	struct connector base;
	struct link_protocol protocol;
	struct link *link;
	struct csta_exchange *exchange;
	struct csta_session *session;
	struct csta_monitors *monitors;
	struct xml_reader *reader;
	struct loop_event *timer, *first;
	int64_t armed_at;	 /* monotonic ms, of `timer`; 0: not armed */
	enum source_status said; /* to the core */
	char why[512];		 /* of a status that is not up */
	bool excused;		 /* why the connection ends has been said */
	struct forbidden forbidden;
	struct refusals refusals; /* of lines */
	uint64_t strays, unreadable;
	int64_t asked_all_at, ask_all_at; /* monotonic ms: since events were lost, last and next; 0, INSTANT_NEVER */
	int unreadable_in_row;
	char last_unreadable[256];
	struct csta_request probed; /* RequestSystemStatus, for doctor */
};

/* Every callback of the loop stands between these: they tell the time to the parts that have no clock, and set the
 * one timer to the earliest of what they wait for. */
void csta_enter(struct csta *c);
void csta_leave(struct csta *c);

/* csta_probe.c: for doctor. */
void csta_probe_prepare(struct csta *c);
void csta_probe(struct connector *base);
void csta_probe_lost(struct csta *c); /* the connection is */

#endif
