/* link_resolver.h: from a configured server to addresses, by c-ares on the loop. Part of link.h.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_LINK_RESOLVER_H
#define PRESENCED_LINK_RESOLVER_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "connectors/link_settings.h"

#define LINK_TARGETS_MAX 16

struct loop;

/* One address to try. */
struct link_target {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	socklen_t len;
};

struct link_answer {
	struct link_target targets[LINK_TARGETS_MAX]; /* in the order in which they are to be tried */
	size_t count;
};

struct link_query;

/* Resolve a host: numeric; or by SRV `service` ("_sip._tcp", NULL: not asked) with A and AAAA of what that names, in
 * the order of RFC 2782; or by A and AAAA. `done` is called later, from the loop, once: with at least one target, or
 * with none and a sentence. The settings of the system are read anew for each query. NULL without memory. */
struct link_query *link_resolve(struct loop *loop, const struct option_list *resolvers, const char *host, uint16_t port,
    const char *service, void (*done)(void *arg, const struct link_answer *answer, const char *why), void *arg);

/* Forget it; done() is not called. Not after done(). NULL is fine. */
void link_query_cancel(struct link_query *q);

/* "192.0.2.1" without brackets, and the port, of an address. */
void link_address_text(const struct sockaddr *address, char *host, size_t size, uint16_t *ret_port);

#endif
