/* message.h: SIP messages: libsofia-sip parses them, behind a guard, and text is written by us.
 * SPDX-License-Identifier: MIT
 *
 * Only the parser, the header types and the printing of libsofia-sip are used, none of its event loop, transports or
 * transactions. The guard exists because its parser recurses on commas and is quadratic in lines; it runs before.
 */
#ifndef PRESENCED_SIP_MESSAGE_H
#define PRESENCED_SIP_MESSAGE_H

#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/url.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/buf.h"

#define SIP_HEAD_MAX	 16384
#define SIP_LINES_MAX	 256
#define SIP_COMMAS_MAX	 256
#define SIP_BODY_MAX	 1048576 /* of a stream; a document that is too big for its reader is one person's trouble */
#define SIP_DATAGRAM_MAX 1300	 /* longer requests of ours are not sent over UDP (RFC 3261 18.1.1) */

/* Parse one whole message: complete, with Via, From, To, Call-ID and CSeq, each once but Via, and the method of CSeq
 * that of the request. NULL with a constant sentence in *ret_why. Free with msg_destroy(); `*ret_sip` lives as long. */
msg_t *sip_message_parse(const char *data, size_t len, sip_t **ret_sip, const char **ret_why);

/* Append the answer to a request (RFC 3261 8.2.6): `to_tag` is added to To where it has none; `more` are whole lines
 * ("Allow: NOTIFY\r\n") or "". `received`: the numeric source address and its port, for Via (RFC 3581); NULL over
 * streams. */
void sip_message_answer(struct buf *b, const sip_t *request, int status, const char *phrase, const char *to_tag,
    const char *more, const char *received, uint16_t port);

/* Append a header as a line, or only its value. */
void sip_message_put(struct buf *b, const void *header);
void sip_message_put_value(struct buf *b, const void *header);

/* Whether `text` is a URI that may stand as it is in a request line: sip, sips or tel, no blanks, no control
 * characters, at most 512 bytes. A URI without scheme is none. */
bool sip_uri_is_good(const char *text);

/* Retry-After of an answer in ms, at most an hour; 0 for none. */
int64_t sip_message_retry_after(const sip_t *answer);

/* Answer codes whose phrase we have to say. */
const char *sip_phrase(int status);

#endif
