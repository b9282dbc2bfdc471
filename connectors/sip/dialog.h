/* dialog.h: the identifiers, sequence numbers and route of one dialog that we began (RFC 3261 12, RFC 6665 4.1.2.4).
 * SPDX-License-Identifier: MIT
 *
 * Call-ID is "RANDOM.SLOT@presenced" and our tag "RANDOM": a message finds its dialog by the slot, and proves by
 * both random numbers that it belongs there; nothing else has to be stored or hashed.
 */
#ifndef PRESENCED_SIP_DIALOG_H
#define PRESENCED_SIP_DIALOG_H

#include <sofia-sip/sip.h>
#include <stdbool.h>
#include <stdint.h>

#define DIALOG_ID_SIZE	48
#define DIALOG_PEER_MAX 4096 /* bytes of the server's tag, target and route together */

struct dialog_peer; /* what the server told: tag, target, route; one block */

struct dialog {
	uint64_t id, tag; /* random: of the Call-ID, and ours */
	uint32_t slot;
	uint32_t cseq;	    /* of our last request */
	uint32_t peer_cseq; /* of the server's last request */
	bool peer_has_cseq;
	struct dialog_peer *peer; /* owned; NULL until the server has answered or notified */
};

/* A new dialog with new identifiers; what was known of the server is forgotten. */
void dialog_begin(struct dialog *d, uint32_t slot);
void dialog_done(struct dialog *d);

void dialog_call_id(const struct dialog *d, char *buf); /* DIALOG_ID_SIZE bytes */
void dialog_tag(const struct dialog *d, char *buf);	/* DIALOG_ID_SIZE bytes */

/* The slot that a Call-ID of ours names; false: it is not ours. */
bool dialog_slot_of(const char *call_id, uint32_t *ret);

/* Whether Call-ID and our tag are those of this dialog. */
bool dialog_is(const struct dialog *d, const char *call_id, const char *our_tag);

/* Learn the server's side from a 2xx or a request of its: tag and route from the first, target from each; `fallback`
 * is the target where none is told. False: it has no tag, or too long a route: then nothing changed. */
bool dialog_learn_from_answer(struct dialog *d, const sip_t *answer, const char *fallback);
bool dialog_learn_from_request(struct dialog *d, const sip_t *request, const char *fallback);

/* NULL where not known. */
const char *dialog_peer_tag(const struct dialog *d);
const char *dialog_request_uri(const struct dialog *d); /* a strict router's, if the first one is (12.2.1.1) */
const char *dialog_route(const struct dialog *d);	/* Route lines, "" for none */

/* Whether a request of the server is newer than those before it, by its CSeq, which is then remembered. */
bool dialog_take_cseq(struct dialog *d, uint32_t cseq);

#endif
