/* link_listener.h: who connects to us, by UDP, TCP, TLS or a Unix socket, with the framings and limits of link.h.
 * SPDX-License-Identifier: MIT
 *
 * A guest is one connection, or over UDP the sender of one datagram, who is there for the one call of frame() only.
 * Every function may be called from inside every callback. After link_guest_close() and link_listener_free() no frame
 * comes any more; what was sent before goes out if the socket takes it.
 */
#ifndef PRESENCED_LINK_LISTENER_H
#define PRESENCED_LINK_LISTENER_H

#include "connectors/link.h"

struct link_listener;
struct link_guest;

struct link_listener_protocol {
	const char *name; /* for the log */
	struct framing framing;
	int64_t first_ms;  /* limit from the connection to its first frame, TLS included; 0: 10 s */
	int64_t idle_ms;   /* limit for silence after that; 0: none */
	int64_t frame_ms;  /* limit for silence inside a frame; 0: 30 s */
	size_t guests_max; /* connections at a time; 0: 64 */
	size_t unsent_max; /* as in link.h */

	/* Whether a peer at this numeric address may talk to us; NULL: everybody. */
	bool (*welcome)(void *arg, const char *host);

	/* A connection is there (with TLS: secured). NULL: not told. */
	void (*come)(void *arg, struct link_guest *guest);

	void (*frame)(void *arg, struct link_guest *guest, const char *data, size_t len);

	/* A connection that came has ended, by itself or by link_guest_close(); once, and not after
	 * link_listener_free(). NULL: not told. */
	void (*gone)(void *arg, struct link_guest *guest, enum link_fault fault, const char *why);
};

/* Listen at host:port; `host` NULL: at every address; port 0: any. TLS shows cert_file of `settings`, which like all
 * that is given is borrowed until link_listener_free(). 0 and *ret; or -errno with a sentence in err. */
int link_listen(struct link_listener **ret, struct loop *loop, const struct link_listener_protocol *protocol,
    const struct link_settings *settings, const char *host, uint16_t port, void *arg, char *err, size_t err_size);
void link_listener_free(struct link_listener *l); /* NULL is fine */

/* The same at a Unix socket (daemon/base/unix_socket.h), in the clear; its guests are at the host "local". */
int link_listen_local(struct link_listener **ret, struct loop *loop, const struct link_listener_protocol *protocol,
    const char *path, const char *group, int64_t mode, void *arg, char *err, size_t err_size);

uint16_t link_listener_port(const struct link_listener *l);

int link_guest_send(struct link_guest *g, const void *data, size_t len); /* as link_send() */
const char *link_guest_host(const struct link_guest *g);		 /* numeric, without brackets */
uint16_t link_guest_port(const struct link_guest *g);
void link_guest_close(struct link_guest *g, const char *why); /* nothing over UDP */

/* Whatever the protocol keeps of a connection; NULL at first. */
void link_guest_set_data(struct link_guest *g, void *data);
void *link_guest_data(const struct link_guest *g);

#endif
