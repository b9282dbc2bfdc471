/* bridge_document.h: one line of JSON from a host with TAPI (presenced-bridge(7)), read. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_BRIDGE_DOCUMENT_H
#define PRESENCED_BRIDGE_DOCUMENT_H

#include <jansson.h>

#include "connectors/tapi/line.h"

#define BRIDGE_LINE_BYTES 65536 /* of a message with its line feed */
#define BRIDGE_TEXT_BYTES 256
#define BRIDGE_NAME_BYTES 128 /* of a line */

enum bridge_type {
	BRIDGE_HELLO,
	BRIDGE_LINE_OPEN,
	BRIDGE_LINE_CLOSE,
	BRIDGE_CALL,
	BRIDGE_FORWARD,
	BRIDGE_DND,
	BRIDGE_DEVICE,
	BRIDGE_STATE,
	BRIDGE_RESYNC,
	BRIDGE_PING,
	BRIDGE_PONG,
	BRIDGE_ERROR,
	BRIDGE_BYE,
	BRIDGE_TYPES,
	BRIDGE_UNKNOWN = BRIDGE_TYPES,
};

struct bridge_message {
	json_t *json; /* owned: bridge_message_done() */
	enum bridge_type type;
	int64_t seq; /* 0: it has none that can be read */
};

/* What is wrong with a message, for its sender. */
struct bridge_fault {
	char text[200];
};

/* Functions below: 0, or -EINVAL with a sentence. Texts are those of the json. An optional member may be null. */

/* Or -ENOMEM. One that is refused has its number all the same, if it has one. */
int bridge_read(const char *data, size_t len, struct bridge_message *ret, struct bridge_fault *fault);
void bridge_message_done(struct bridge_message *m);

int bridge_text(const json_t *object, const char *key, size_t max, const char **ret, struct bridge_fault *fault);
int bridge_text_optional(const json_t *object, const char *key, const char **ret, struct bridge_fault *fault);
int bridge_texts_optional(const json_t *object, const char *key, struct bridge_fault *fault); /* a list of them */
int bridge_number(const json_t *object, const char *key, int64_t *ret, struct bridge_fault *fault);
int bridge_truth(const json_t *object, const char *key, bool *ret, struct bridge_fault *fault);
int bridge_truth_or_null(const json_t *object, const char *key, int8_t *ret, struct bridge_fault *fault); /* -1 */

/* "forward", "dnd" of `can`, as 1u << enum bridge_ability. */
enum bridge_ability { BRIDGE_CAN_FORWARD, BRIDGE_CAN_DND };
int bridge_can(const json_t *object, unsigned *ret, struct bridge_fault *fault);

/* A call: members of lineCallState. */
int bridge_call(const json_t *object, struct call_said *ret, struct bridge_fault *fault);

/* `entries`: what they mean. null: nothing is known. */
struct bridge_forwards {
	bool known; /* all of them; else only what is on */
	bool dnd;   /* a forward to nowhere */
	uint8_t on; /* 1u << enum line_forward */
	const char *to[LINE_FORWARDS];
};
int bridge_forwards(const json_t *entries, struct bridge_forwards *ret, struct bridge_fault *fault);

/* Device states, as bits of enum bridge_device. */
enum bridge_device {
	BRIDGE_IN_SERVICE = 1u << 0,
	BRIDGE_OUT_OF_SERVICE = 1u << 1,
	BRIDGE_REINIT = 1u << 2,
	BRIDGE_REMOVED = 1u << 3,
};
int bridge_device(const json_t *object, unsigned *ret, struct bridge_fault *fault);

#endif
