/* csta_session.h: the conversation with a CSTA switch before and beside its lines: application session (ECMA-354), system
 * status (ECMA-269 12.2), heartbeat. No I/O and no clock of its own. SPDX-License-Identifier: MIT
 */
#ifndef PRESENCED_CSTA_SESSION_H
#define PRESENCED_CSTA_SESSION_H

#include "connectors/tapi/csta_exchange.h"
#include "connectors/tapi/tapi_spec.h"

struct csta_session;

enum csta_session_trouble {
	CSTA_TROUBLE_FORBIDDEN, /* our credentials are refused */
	CSTA_TROUBLE_USELESS,	/* it does not do what is needed, or has ended the session: connect anew */
};

struct csta_session_owner {
	/* The switch works for us; monitors from before are void. */
	void (*ready)(void *arg);

	/* It is there, but no event comes from it: why, as a sentence. ready() follows. */
	void (*asleep)(void *arg, const char *why);

	/* Events were lost: everything has to be asked again. */
	void (*events_lost)(void *arg);

	/* It has too much to do, or has not any more. */
	void (*overloaded)(void *arg, bool yes);

	/* At most once for a connection. */
	void (*trouble)(void *arg, enum csta_session_trouble trouble, const char *why);
	void *arg;
};

/* `settings`, `password` (NULL none) and `exchange` are borrowed. NULL without memory. */
struct csta_session *csta_session_new(const struct tapi_settings *settings, const char *password,
    struct csta_exchange *exchange, const struct csta_session_owner *owner);
void csta_session_free(struct csta_session *s); /* NULL is fine */

void csta_session_connected(struct csta_session *s);
void csta_session_lost(struct csta_session *s);
void csta_session_stop(struct csta_session *s); /* say goodbye, if there is a session */

/* Nothing was heard for a while: ask whether it is there. */
void csta_session_quiet(struct csta_session *s);

/* SystemStatus, which the caller has answered, or the end of the session, by the switch. */
void csta_session_told(struct csta_session *s, const struct csta_message *m);

/* An answer that nobody waits for any more: a session that begins late is one. */
void csta_session_late(struct csta_session *s, const struct csta_message *m);

void csta_session_run(struct csta_session *s);
int64_t csta_session_deadline(const struct csta_session *s); /* monotonic ms; INSTANT_NEVER */

bool csta_session_is_ready(const struct csta_session *s);

#endif
