/* csta_document.h: one document of CSTA phase III (ECMA-323) or of an application session (ECMA-354), read. Pure.
 * SPDX-License-Identifier: MIT
 *
 * Elements are matched by their local names without regard to case: switches differ in namespaces, in editions, and in
 * capitals (callID, callId). What is not known here is passed over.
 */
#ifndef PRESENCED_CSTA_DOCUMENT_H
#define PRESENCED_CSTA_DOCUMENT_H

#include "connectors/tapi/line.h"
#include "connectors/xml.h"

#define CSTA_TEXT_MAX_BYTES \
	1024		  /* of one field; longer ones are passed over, never cut: an id that is cut is another one */
#define CSTA_HEAD_BYTES 8 /* of a frame: 00 00, its length, its invoke id */
#define CSTA_FRAME_MAX	65535 /* bytes, its head included */

enum csta_kind {
	CSTA_CALL_EVENT,
	CSTA_TRANSFER_EVENT, /* calls became one: transfer, conference */
	CSTA_DND_EVENT,
	CSTA_FORWARD_EVENT,
	CSTA_OUT_OF_SERVICE_EVENT,
	CSTA_IN_SERVICE_EVENT,
	CSTA_CHANGED_EVENT, /* the device is another one now: ask again */
	CSTA_OTHER_EVENT,   /* of agents and others: it says nothing of the line */
	CSTA_SYSTEM_STATUS,
	CSTA_STATUS_QUESTION, /* RequestSystemStatus by the switch */
	CSTA_MONITOR_STOP,
	CSTA_SNAPSHOT_DATA,
	CSTA_SESSION_ENDED,
	CSTA_OTHER_REQUEST,
	CSTA_RESPONSE,
	CSTA_NEGATIVE_RESPONSE, /* of application sessions */
	CSTA_ERROR,
};

/* ECMA-269 12.2.25. */
enum csta_system_status {
	CSTA_INITIALIZING,
	CSTA_ENABLED,
	CSTA_NORMAL,
	CSTA_MESSAGES_LOST,
	CSTA_DISABLED,
	CSTA_OVERLOAD_IMMINENT,
	CSTA_OVERLOAD_REACHED,
	CSTA_OVERLOAD_RELIEVED,
	CSTA_PARTIALLY_DISABLED,
	CSTA_STATUS_COUNT
};

/* What one event means (ECMA-269 clause 17): which connection it is about, and what that of the monitored device is
 * afterwards, where the event does not say it. */
struct csta_event_row {
	const char *name, *connection; /* elements */
	struct {
		const char *device; /* the device of this element is so then; NULL with a state: whichever it is */
		uint8_t state;	    /* enum connection */
	} roles[2];
	int8_t answered; /* as call_said */
	bool over;	 /* the whole call is, whatever else it says */
	bool was_held;
	bool pauses;  /* the device puts the call on hold, or takes it up again */
	bool dropped; /* the device of the connection itself is out of the call */
};

/* A party of a call. `number` NULL: not known or withheld. */
struct csta_party {
	bool said;     /* the element is there */
	bool withheld; /* it is somebody, but not said who */
	const char *number, *name;
};

/* An event about one call, or the call that others became. */
struct csta_call {
	const struct csta_event_row *row; /* NULL: in a snapshot */
	const char *id;			  /* callID, else the text of deviceID; NULL none */
	struct csta_party calling, called;
	const char *roles[2]; /* numbers of the devices that the row names; NULL not said */
	const char *dropped;  /* deviceID of the connection */
	int8_t local;	      /* enum connection; -1 not said */
	int8_t answered;      /* snapshot: as call_said */
};

/* One connection of the call that others became. */
struct csta_joined {
	const char *id, *device, *endpoint; /* NULL not said */
	struct csta_party party;	    /* who is there */
};

struct csta_forward {
	int8_t kind; /* enum line_forward; -1 when busy, not answered and the like */
	bool typed;  /* the type was said */
	bool on;
	const char *to; /* NULL not said */
};

/* Texts are valid as long as the tree they were read from. */
struct csta_message {
	enum csta_kind kind;
	const char *name;      /* of the document */
	const char *cross_ref; /* monitorCrossRefID; NULL none */
	int8_t status;	       /* enum csta_system_status; -1 none */
	int8_t dnd;	       /* -1 not said */

	struct csta_call call;		  /* CALL and TRANSFER */
	const char *old[2];		  /* TRANSFER: calls that are no more */
	const struct csta_joined *joined; /* TRANSFER */
	size_t joined_count;

	struct csta_forward forward; /* FORWARD_EVENT */
	const struct csta_forward *forwards;
	size_t forward_count;

	bool snapshot;		       /* which calls there are was said */
	const struct csta_call *calls; /* of the snapshot */
	size_t call_count;
	const char *service_cross_ref; /* NULL none */
	bool last;		       /* lastSegment */

	const char *session;	      /* NULL none */
	int64_t duration;	      /* seconds; 0 not said */
	const char *category, *error; /* of a refusal, "operation", "invalidDeviceID"; "" where not said */
};

/* Read a document. 0 and *ret; -EINVAL: it is not XML, -EBADMSG: it lacks what it has to say, with a sentence and the
 * position; -ENOMEM. The reader keeps the texts. */
int csta_read(struct xml_reader *x, const char *data, size_t len, struct csta_message *ret, struct parse_error *error);

/* The digits or the name by which a device is compared, out of all ways to write one (N<201>Ann;.., tel:, sip:, 201:CM1::0);
 * cut to `size`. Returns buf. */
const char *csta_device_key(const char *device, char *buf, size_t size);

#endif
