/* link_wire.h: one connection to one address, from its first packet to its end. Part of link.h.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_LINK_WIRE_H
#define PRESENCED_LINK_WIRE_H

#include <openssl/ssl.h>

#include "connectors/link.h"
#include "connectors/link_resolver.h"

struct wire;

struct wire_owner {
	void (*connected)(void *arg); /* the socket is; TLS, if any, comes next */
	void (*up)(void *arg);	      /* all that the transport asks for is done */
	void (*secured)(void *arg);   /* wire_start_tls() is done */
	void (*frame)(void *arg, const char *data, size_t len);

	/* It has ended by itself; wire_close() is still owed. `why` does not name the peer. */
	void (*down)(void *arg, enum link_fault fault, const char *why);
};

/* Connect. `context` NULL: without TLS. `name` is what the certificate has to be for; all is borrowed until
 * wire_close(). The first callback comes from the loop. NULL without memory or descriptors. */
struct wire *wire_connect(struct loop *loop, const struct link_protocol *protocol, const struct link_settings *settings,
    SSL_CTX *context, const char *name, const struct link_target *target, const struct wire_owner *owner, void *arg);

/* The same for a connection that somebody made to us; `fd` is taken over, also where NULL is returned. `context` of a
 * server, NULL: without TLS. connected() is not called. */
struct wire *wire_accept(struct loop *loop, const struct link_protocol *protocol, const struct link_settings *settings,
    SSL_CTX *context, int fd, const struct wire_owner *owner, void *arg);

/* Another one gets the callbacks from now on. */
void wire_set_owner(struct wire *w, const struct wire_owner *owner, void *arg);

/* Write out what the socket takes, then close. No callback comes any more. NULL is fine. */
void wire_close(struct wire *w);

int wire_send(struct wire *w, const void *data, size_t len); /* as link_send() */
size_t wire_unsent(const struct wire *w);
void wire_start_tls(struct wire *w, SSL_CTX *context, size_t unread); /* as link_start_tls() */
enum link_security wire_security(const struct wire *w);
bool wire_local(const struct wire *w, char *host, size_t size, uint16_t *ret_port, bool *ret_v6);
bool wire_remote(const struct wire *w, char *host, size_t size, uint16_t *ret_port, bool *ret_v6);
int64_t wire_heard(const struct wire *w); /* monotonic ms when something was received last; else when it was made */

#endif
