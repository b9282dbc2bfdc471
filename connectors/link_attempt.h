/* link_attempt.h: one walk over servers and their addresses until one connects. Part of link.h.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_LINK_ATTEMPT_H
#define PRESENCED_LINK_ATTEMPT_H

#include "connectors/link_wire.h"

#define LINK_WHY_SIZE 640

struct link_server {
	char host[LINK_HOST_SIZE];
	uint16_t port;	    /* 0: SRV, else the protocol's */
	int64_t rest_until; /* monotonic ms: not before */
};

/* What a link is made of, shared by its attempts. */
struct link_parts {
	struct loop *loop;
	const struct link_protocol *protocol;
	const struct link_settings *settings;
	const char *identity; /* NULL: the configured host */
	SSL_CTX *context;     /* owned by the link; NULL where TLS is not used */
	struct link_server *servers;
	size_t server_count;
};

struct link_attempt;

struct link_attempt_owner {
	/* The wire is the owner's from now on: wire_set_owner(). The attempt is over unless it goes on for a probe. */
	void (*connected)(void *arg, struct wire *wire, size_t server, const char *peer);

	/* No server is left; the last of the reasons. The attempt is over. */
	void (*failed)(void *arg, enum link_fault fault, const char *why);

	/* For probes, else NULL: each hop, NULL for ok. With it all servers are looked at and no wire is handed over:
	 * connected() gets NULL, at the end of all. */
	void (*hop)(void *arg, const char *hop, const char *sentence);
};

/* Walk over the servers from `first` to before `end` that do not rest; callbacks come from the loop. NULL without
 * memory. */
struct link_attempt *link_attempt_new(
    const struct link_parts *parts, size_t first, size_t end, const struct link_attempt_owner *owner, void *arg);

/* For probes: tell the hop that it waits for as one that did not answer in time, and the servers after it as not looked
 * at. It is to be cancelled then. */
void link_attempt_tell_pending(struct link_attempt *a);

/* End it without a word; not needed after it is over. NULL is fine. */
void link_attempt_cancel(struct link_attempt *a);

#endif
