/* csta_line.h: what an event or an answer of a CSTA switch does to a line. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_CSTA_LINE_H
#define PRESENCED_CSTA_LINE_H

#include "connectors/tapi/csta_document.h"

/* Whose line it is. */
struct csta_owner {
	const char *device; /* as it is monitored; NULL not known */
	bool (*same)(
	    void *arg, const char *device, const char *number);		/* another way to write the device; NULL none */
	bool (*own)(void *arg, const char *device, const char *number); /* another number of its person; NULL none */
	void *arg;
};

enum csta_effect {
	CSTA_EFFECT_NONE,    /* it says nothing of the line */
	CSTA_EFFECT_TAKEN,   /* what line_read() says may be another thing now */
	CSTA_EFFECT_UNCLEAR, /* a call event that does not say what it means for this device */
};

/* Take an event. *ret_ask is 0, or TAPI_ASK_*. An effect or -ENOMEM. */
int csta_line_event(struct tapi_line *line, const struct csta_message *m, const struct csta_owner *owner,
    struct instant now, unsigned *ret_ask);

/* Take the calls of a snapshot, or of a segment of it, after line_calls_begin(). 0 or -ENOMEM. */
int csta_line_snapshot(struct tapi_line *line, const struct csta_message *m, uint32_t asked, struct instant now);

/* Take the answer to GetForwarding. 0 or -ENOMEM. */
int csta_line_forwards(struct tapi_line *line, const struct csta_message *m, uint32_t asked);

#endif
