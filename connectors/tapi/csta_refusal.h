/* csta_refusal.h: what an error of a CSTA switch means for the device that was asked about. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_CSTA_REFUSAL_H
#define PRESENCED_CSTA_REFUSAL_H

#include "connectors/tapi/csta_document.h"

enum csta_verdict {
	CSTA_NOT_FOUND,
	CSTA_DENIED,
	CSTA_UNSUPPORTED_HERE, /* this device has no such thing */
	CSTA_UNSUPPORTED,      /* the switch has no such thing */
	CSTA_MONITOR_GONE,
	CSTA_OUT_OF_SERVICE,
	CSTA_LIMIT, /* a licence is used up */
	CSTA_BUSY,  /* the switch has too much to do at the moment */
	CSTA_FAILED,
};

struct csta_refusal {
	enum csta_verdict verdict;
	const char *what; /* a sentence, to which category and error are added */
	int64_t retry_ms; /* when a monitor is worth trying again; 0: not by time */
};

/* `m` is a refusal (kind CSTA_ERROR or CSTA_NEGATIVE_RESPONSE). Never NULL. */
const struct csta_refusal *csta_refusal_of(const struct csta_message *m);

/* The whole sentence into buf (fit for raw_facts.why). Returns buf. */
const char *csta_refusal_text(const struct csta_message *m, char *buf, size_t size);

#endif
