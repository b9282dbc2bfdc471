/* link.h: the shared transport: one connection to the first of several servers that answers, kept up for ever.
 * SPDX-License-Identifier: MIT
 *
 * A protocol gives a `struct link_protocol` (what it is on the wire) and its settings (where the servers are, how
 * to believe them), starts the link, and then sees only up, frame and down. Below that are names (c-ares: SRV, A,
 * AAAA), UDP, TCP, TLS, the framing of streams, limits of time and size, the order of the servers with the return
 * to a better one, and reconnection: at once, then every 15 s with jitter.
 *
 * Every function may be called from inside every callback. After link_fail(), link_stop() and link_free() no frame
 * comes any more, even if some are already here, and link_send() is -ENOTCONN; what was sent before goes out if
 * the socket takes it. After link_stop() and link_free() no callback comes.
 */
#ifndef PRESENCED_LINK_H
#define PRESENCED_LINK_H

#include "connectors/link_framing.h"
#include "connectors/link_settings.h"

struct buf;
struct loop;
struct link;

/* What went wrong, for a protocol that tells apart; `why` of down() says it to people. */
enum link_fault {
	LINK_FAULT_NAME,     /* the name has no address */
	LINK_FAULT_CONNECT,  /* refused, unreachable, no answer */
	LINK_FAULT_TLS,	     /* certificate, version, not TLS at all */
	LINK_FAULT_LOST,     /* it was up and has ended */
	LINK_FAULT_FRAMING,  /* the peer sends what is not the protocol, or too much of it */
	LINK_FAULT_MOVED,    /* left for a server that is preferred and back again */
	LINK_FAULT_GIVEN_UP, /* by link_fail() */
};

struct link_protocol {
	const char *name;		   /* for the log: of the source */
	uint16_t port, tls_port;	   /* where none is configured */
	const char *service, *tls_service; /* "_sip": asked as SRV where a server is a name without port; NULL none */
	struct framing framing;		   /* of streams; over UDP a datagram is a frame */
	int64_t connect_ms;		   /* limit for connection and TLS handshake of one address; 0: 10 s */
	int64_t frame_ms;		   /* limit for silence inside a frame; 0: 30 s */
	int64_t quiet_ms, answer_ms;	   /* see quiet(); 0: never */
	size_t unsent_max;		   /* bytes that may wait to be written; 0: 4 MiB */

	/* Connected (with TLS: and the peer is believed). */
	void (*up)(void *arg);

	/* link_start_tls() has succeeded. NULL where it is never called. */
	void (*secured)(void *arg);

	/* One frame, with its framing; borrowed for the call. */
	void (*frame)(void *arg, const char *data, size_t len);

	/* Nothing was received for quiet_ms: send something that is answered. If then nothing is received for
	 * answer_ms, down(LOST). NULL with quiet_ms 0. */
	void (*quiet)(void *arg);

	/* Not up any more; or, without an up() before, every server was tried in vain, once each time round. The
	 * next attempt is made by itself. */
	void (*down)(void *arg, enum link_fault fault, const char *why);
};

/* Beside the settings, where the protocol knows more than its user wrote. */
struct link_place {
	const char *server;   /* used when none is configured; NULL none */
	const char *identity; /* expected in the certificate unless cert_host says else; NULL: the configured host */
};

/* A link that is not started. Everything given is borrowed until link_free(). 0 and *ret; or -ENOMEM, -EINVAL with
 * a sentence in err (a file of certificates that cannot be read, ...). */
int link_new(struct link **ret, struct loop *loop, const struct link_protocol *protocol,
    const struct link_settings *settings, const struct link_place *place, void *arg, char *err, size_t err_size);
void link_free(struct link *l); /* NULL is fine */

/* Begin; the first callback comes later, from the loop. Twice is fine. */
void link_start(struct link *l);

/* Disconnect and stay so, until link_start(). */
void link_stop(struct link *l);

/* Send whole messages. 0; -ENOTCONN while not up; -ENOBUFS when too much waits, and nothing of it is taken;
 * -EMSGSIZE over UDP. */
int link_send(struct link *l, const void *data, size_t len);
size_t link_unsent(const struct link *l); /* bytes that wait */

/* From here on TLS on this connection (STARTTLS): secured() or down() follows. Clear text that was sent goes out
 * first. `unread`: bytes of the present frame that the protocol has not used; if there are any, or others have
 * arrived, somebody has put them there, and the link goes down. */
void link_start_tls(struct link *l, size_t unread);

/* The peer does what it should (it has answered, or let us in): only now "at once" after a loss, and a server that
 * is left for a better one, mean something. */
void link_good(struct link *l);

enum link_next {
	LINK_NEXT_SERVER, /* go on with the next server; this one rests for wait_ms */
	LINK_NEXT_PAUSE,  /* no server for wait_ms */
};

/* The protocol finds the peer useless: down(GIVEN_UP) follows at once if it was up, then what `next` says. wait_ms 0:
 * as after a loss. */
void link_fail(struct link *l, enum link_next next, int64_t wait_ms, const char *why);

enum link_security { LINK_CLEAR, LINK_ENCRYPTED, LINK_VERIFIED };

bool link_is_up(const struct link *l);
enum link_security link_security(const struct link *l);

/* The configured host of the server that is connected or was tried last: "cups.example.com". */
const char *link_host(const struct link *l);

/* The same with port, address and transport: "cups.example.com:5060 (192.0.2.1, tcp)". */
const char *link_peer(const struct link *l);

/* Our own end of the connection: numeric host, without brackets, and port. False while not up. */
bool link_local(const struct link *l, char *host, size_t size, uint16_t *ret_port, bool *ret_v6);

/* The same of the other end. */
bool link_remote(const struct link *l, char *host, size_t size, uint16_t *ret_port, bool *ret_v6);

/* For doctor: look at each hop to each server anew, with connections of its own: "dns", "tcp" or "udp", "tls"; each
 * by hop(), with NULL for ok; then done(). Ends within 8 s. A new probe ends the old one with done(false); link_free()
 * ends it without a word. */
struct link_probe {
	void (*hop)(void *arg, const char *hop, const char *sentence);
	void (*done)(void *arg, bool reached);
};
void link_probe(struct link *l, const struct link_probe *probe, void *arg);

/* Counters as members of an object that the caller has opened. */
void link_stats(const struct link *l, struct buf *b);

#endif
