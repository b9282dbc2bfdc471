/* digest.h: HTTP digest authentication for SIP (RFC 3261 22, RFC 7616, RFC 8760): MD5 and SHA-256. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_SIP_DIGEST_H
#define PRESENCED_SIP_DIGEST_H

#include <sofia-sip/sip.h>
#include <stdbool.h>

#include "daemon/base/buf.h"

#define DIGEST_TEXT_SIZE 512

/* What a server asked; kept and used for all requests, so that they cost no further round trip. */
struct digest_challenge {
	bool set, proxy; /* proxy: 407, Proxy-Authorization */
	bool qop;	 /* auth; without: RFC 2069 */
	bool stale;
	bool has_opaque;
	int8_t algorithm;
	char realm[DIGEST_TEXT_SIZE], nonce[DIGEST_TEXT_SIZE], opaque[DIGEST_TEXT_SIZE];
	uint32_t count; /* of requests that used the nonce */
};

struct digest_identity {
	const char *user, *password;
};

/* Take the first challenge of a 401 or 407 that we can answer. False, with a constant sentence, if there is none:
 * `c` is then unchanged. */
bool digest_take(struct digest_challenge *c, const sip_t *answer, const char **ret_why);

/* Append the (Proxy-)Authorization line for one request; counts it. `cnonce`: random, a token. */
void digest_put(struct buf *b, struct digest_challenge *c, const struct digest_identity *who, const char *method,
    const char *uri, const char *cnonce);

#endif
