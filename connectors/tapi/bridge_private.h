/* bridge_private.h: what the files of the bridge share; nobody else includes it.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_BRIDGE_PRIVATE_H
#define PRESENCED_BRIDGE_PRIVATE_H

#include <bsd/sys/queue.h>

#include "connectors/link_listener.h"
#include "connectors/tapi/bridge_document.h"
#include "connectors/tapi/tapi_private.h"
#include "daemon/base/hashtab.h"

#define BRIDGE_LINES_MAX  200000 /* that a host may open */
#define BRIDGE_VERSION	  1
#define BRIDGE_GAP_MIN_MS 1000 /* between two requests for all, growing while they do not help */
#define BRIDGE_GAP_MAX_MS 60000
#define FIRST_OWN_ID	  1000001
#define ALL_IDS		  16 /* requests for all lines that may still be answered */
#define STRANGERS_MAX	  16 /* addresses whose wrong tokens are counted */

/* What is known of a line in this connection. */
enum bridge_place {
	PLACE_UNSAID, /* the host has not spoken of it */
	PLACE_OPEN,
	PLACE_CLOSED,  /* offline */
	PLACE_REMOVED, /* there is none */
	PLACE_REINIT,  /* TAPI is being started anew */
	PLACE_LEFT,    /* closed since it was not wanted */
	PLACE_REFUSED, /* by an error of the host */
	PLACE_COUNT
};

struct bridge_line {
	struct hash_link link;
	TAILQ_ENTRY(bridge_line) due; /* while `is_due` */
	struct tapi_line line;
	uint8_t place; /* enum bridge_place */
	uint8_t can;   /* 1u << enum bridge_ability */
	int8_t on;     /* lineDnd: -1 not known */
	bool nowhere;  /* it is forwarded to nowhere */
	bool forwards_known;
	bool in_service;
	bool known;	   /* a lineState has come */
	bool calls_null;   /* the host could not say which calls there are */
	uint32_t named_in; /* number of the last full resync that had it */
	bool watched, is_due;
	bool ask;	/* it is to be asked for */
	bool say;	/* what is known is to be said */
	int8_t refusal; /* enum state_status, where the host has refused it */
	char *why;	/* owned; of a refusal */
	char name[];
};
TAILQ_HEAD(bridge_due, bridge_line);

struct bridge_resync {
	bool open, full;
	uint32_t number; /* of all in this connection, from 1 */
	int64_t id;
	uint64_t count; /* of lineState since begin */
};

/* An address from which wrong tokens came. */
struct stranger {
	char host[64];
	unsigned bad;
	int64_t until; /* monotonic ms: not let in before */
};

/* A connection; by link_guest_data(). */
struct bridge_guest {
	TAILQ_ENTRY(bridge_guest) link;
	struct link_guest *guest;
	int64_t since; /* monotonic ms */
	bool closing;
};

struct bridge {
	struct connector base;
	struct link_listener_protocol protocol;
	struct link_listener *listener;
	struct loop_event *first, *tick, *wish;
	TAILQ_HEAD(, bridge_guest) guests;
	struct bridge_guest *host; /* who has said hello; NULL nobody */
	char host_name[BRIDGE_TEXT_BYTES + 1];
	struct hashtab lines;
	struct bridge_due due; /* lines with something to ask or to say */
	size_t watched;
	struct bridge_resync resync;
	int64_t next_seq;	  /* expected of the host */
	int64_t next_id;	  /* of our requests */
	int64_t all_ids[ALL_IDS]; /* of the last requests for all lines, in a ring; 0 none */
	size_t all_count;	  /* of them in this connection */
	bool all_asked;		  /* and it has not begun */
	bool first_over;	  /* the first resync of the connection */
	bool opened;		  /* a lineOpen has come */
	bool want_changed;
	bool wished;		      /* `wish` is armed */
	int64_t progress_at;	      /* monotonic ms: a resync goes on; INSTANT_NEVER: none is waited for */
	int64_t gap_ms, gap_at;	      /* between requests for all; the next not before */
	bool gap;		      /* and it is to be sent then */
	int64_t sent_at, welcomed_at; /* monotonic ms */
	int64_t pings;
	struct stranger strangers[STRANGERS_MAX];
	char refusal[300]; /* the last guest that was turned away, for doctor */
	uint64_t messages, faults, gaps, requests;
	char last_fault[256];
};

/* bridge.c ----------------------------------------------------------------------------------------- */

int64_t bridge_now(const struct bridge *c);

/* bridge_talk.c ------------------------------------------------------------------------------------ */

/* A message: begin, members, send, which frees b. False: it does not fit in a line. */
void bridge_begin(struct buf *b, const char *type);
bool bridge_send(struct bridge *c, struct bridge_guest *g, struct buf *b);

void bridge_fail(
    struct bridge *c, struct bridge_guest *g, const char *code, const char *message, const char *line, int64_t seq);
void bridge_welcome(struct bridge *c);
void bridge_request(struct bridge *c, const char *const *lines, size_t count, const char *reason); /* count 0: all */
void bridge_ask_for_all(struct bridge *c, const char *reason); /* unless that is under way, or was a moment ago */
int64_t bridge_ping_interval(const struct bridge *c);	       /* seconds */

/* What is to be asked or said goes out soon / does now. */
void bridge_wish(struct bridge *c);
void bridge_on_wish(void *arg, short what);

/* bridge_lines.c ----------------------------------------------------------------------------------- */

struct bridge_line *bridge_line_find(const struct bridge *c, const char *name);
struct bridge_line *bridge_line_need(struct bridge *c, const char *name); /* NULL: no memory, or too many */
void bridge_lines_init(struct bridge *c);
void bridge_lines_free(struct bridge *c);
void bridge_lines_lost(struct bridge *c); /* the connection is */
void bridge_line_unwatch(struct bridge *c, struct bridge_line *l);

/* What a line does, to the core, if it may be shown. */
void bridge_line_say(struct bridge *c, struct bridge_line *l);
void bridge_line_is_due(struct bridge *c, struct bridge_line *l);
void bridge_line_not_due(struct bridge *c, struct bridge_line *l);

/* A message about lines. 0; -EINVAL with a sentence: refused; -ENOENT: its line, in *ret_line, is not open. */
int bridge_lines_message(
    struct bridge *c, const struct bridge_message *m, const char **ret_line, struct bridge_fault *fault);

/* A full resync is over: what was not named is not known. */
void bridge_lines_resynced(struct bridge *c, bool first);

#endif
