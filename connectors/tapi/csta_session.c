/* csta_session.c: first an application session, if there are any; then whether the switch works; then both kept up.
 * SPDX-License-Identifier: MIT */
#include "connectors/tapi/csta_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "connectors/tapi/csta_write.h"

#define SECOND		    INT64_C(1000)
#define DEFAULT_DURATION    180 /* seconds, where the switch does not say it */
#define LONGEST_DURATION    86400
#define AUTO_PATIENCE_MS    (5 * SECOND)
#define ASLEEP_ASK_AGAIN_MS (15 * SECOND)

enum session_state {
	SESSION_OFF,
	SESSION_STARTING, /* StartApplicationSession is out */
	SESSION_ASKING,	  /* RequestSystemStatus is out for the first time */
	SESSION_READY,
	SESSION_ASLEEP,
};

struct csta_session {
	const struct tapi_settings *settings;
	const char *password;
	struct csta_exchange *exchange;
	struct csta_session_owner owner;
	enum session_state state;
	char *id;	    /* owned; of the application session, NULL: there is none */
	int64_t seconds;    /* of its duration */
	int64_t refresh_at; /* monotonic ms; INSTANT_NEVER */
	int64_t ask_at;	    /* while asleep: whether it is awake */
	unsigned edition;   /* how many were refused */
	bool partial;	    /* some of it does not work */
	bool troubled;	    /* trouble() was called in this connection */
	bool registered;    /* SystemRegister was sent */
	struct csta_request start, status, refresh, reg;
};

/* --- trouble --------------------------------------------------------------------------------------- */

static void trouble(struct csta_session *s, enum csta_session_trouble kind, const char *why)
{
	if (s->troubled)
		return;
	s->troubled = true;
	s->owner.trouble(s->owner.arg, kind, why);
}

static void refused(
    struct csta_session *s, enum csta_session_trouble kind, const struct csta_message *m, const char *what)
{
	char why[400];

	snprintf(why, sizeof why, "%s (%.60s %.100s)", what, m->category, m->error);
	trouble(s, kind, why);
}

static void send(struct csta_session *s, struct csta_request *r)
{
	if (r->id == 0 && csta_send(s->exchange, r) < 0)
		trouble(s, CSTA_TROUBLE_USELESS, "nothing more can be sent to it now");
}

/* --- status ---------------------------------------------------------------------------------------- */

static void sleep_now(struct csta_session *s, const char *why)
{
	s->ask_at = csta_exchange_time(s->exchange).mono + ASLEEP_ASK_AGAIN_MS;
	if (s->state == SESSION_ASLEEP)
		return;
	s->state = SESSION_ASLEEP;
	s->owner.asleep(s->owner.arg, why);
}

static void awake(struct csta_session *s)
{
	s->ask_at = INSTANT_NEVER;
	if (s->state == SESSION_READY)
		return;
	s->state = SESSION_READY;
	if (!s->registered)
		csta_send(s->exchange, &s->reg); /* if it cannot be sent, it is done without */
	s->registered = true;
	s->owner.ready(s->owner.arg);
}

/* All of it works: what a part of it did not tell meanwhile is asked. */
static void whole(struct csta_session *s)
{
	bool was_partial = s->partial && s->state == SESSION_READY;

	s->partial = false;
	awake(s);
	if (was_partial)
		s->owner.events_lost(s->owner.arg);
}

/* Whether one that does nothing for us does so from now on. */
static bool wakes(int status)
{
	return status == CSTA_ENABLED || status == CSTA_NORMAL || status == CSTA_PARTIALLY_DISABLED;
}

/* SystemStatus (ECMA-269 12.2.25). A status that is not known is a sign of life. */
static void take_status(struct csta_session *s, int status)
{
	if (s->state == SESSION_ASLEEP && !wakes(status)) {
		s->ask_at = csta_exchange_time(s->exchange).mono + ASLEEP_ASK_AGAIN_MS;
		return;
	}
	switch (status) {
	case CSTA_INITIALIZING:
		sleep_now(s, "the switch is starting (systemStatus initializing)");
		break;
	case CSTA_DISABLED:
		sleep_now(s, "the switch has disabled its computer link (systemStatus disabled)");
		break;
	case CSTA_MESSAGES_LOST:
		awake(s);
		s->owner.events_lost(s->owner.arg);
		break;
	case CSTA_PARTIALLY_DISABLED:
		awake(s);
		s->partial = true;
		break;
	case CSTA_OVERLOAD_IMMINENT:
	case CSTA_OVERLOAD_REACHED:
	case CSTA_OVERLOAD_RELIEVED:
		awake(s);
		s->owner.overloaded(s->owner.arg, status != CSTA_OVERLOAD_RELIEVED);
		break;
	case CSTA_ENABLED:
	case CSTA_NORMAL:
		whole(s);
		break;
	default:
		awake(s);
	}
}

static struct csta_session *of(struct csta_request *r, size_t offset)
{
	return (struct csta_session *)(void *)((char *)r - offset);
}

static void compose_status(struct csta_request *r, struct buf *b)
{
	const struct csta_session *s = of(r, offsetof(struct csta_session, status));

	csta_write_empty(b, s->settings->xml_namespace, "RequestSystemStatus");
}

/* A refusal is an answer too: it is there, and speaks CSTA. */
static void on_status(struct csta_request *r, const struct csta_message *m)
{
	struct csta_session *s = of(r, offsetof(struct csta_session, status));

	if (s->state == SESSION_STARTING || s->state == SESSION_OFF)
		return;
	if (m != NULL)
		take_status(s, m->kind == CSTA_RESPONSE ? m->status : -1);
	else if (s->state == SESSION_ASKING && s->id != NULL)
		awake(s);
	else
		trouble(s, CSTA_TROUBLE_USELESS,
		    s->state == SESSION_ASKING ? "no answer to RequestSystemStatus within 10 s: look at the port, and "
						 "whether it speaks CSTA in XML "
						 "there" :
						 "no answer to RequestSystemStatus within 10 s");
}

static void ask_first(struct csta_session *s)
{
	s->state = SESSION_ASKING;
	send(s, &s->status);
}

/* --- the application session ----------------------------------------------------------------------- */

/* The editions that are in use, after that of the configuration. */
static const char *const editions[] = { TAPI_NAMESPACE_PREFIX "ed4", TAPI_NAMESPACE_PREFIX "ed5",
	TAPI_NAMESPACE_PREFIX "ed6", TAPI_NAMESPACE_PREFIX "ed3", TAPI_NAMESPACE_PREFIX "ed2" };
#define EDITIONS (sizeof editions / sizeof *editions)

static const char *version(const struct csta_session *s)
{
	if (s->settings->session_version != NULL)
		return s->settings->session_version;
	return s->edition == 0 ? s->settings->xml_namespace : editions[s->edition - 1];
}

static void compose_start(struct csta_request *r, struct buf *b)
{
	const struct csta_session *s = of(r, offsetof(struct csta_session, start));

	csta_write_start(b,
	    &(const struct csta_start){ .application = s->settings->application,
		.info = s->settings->session_info,
		.user = s->settings->user,
		.password = s->password,
		.version = version(s),
		.seconds = s->settings->session_duration / SECOND });
}

static void set_refresh(struct csta_session *s, int64_t seconds)
{
	if (seconds <= 0)
		seconds = s->seconds > 0 ? s->seconds : DEFAULT_DURATION;
	s->seconds = seconds > LONGEST_DURATION ? LONGEST_DURATION : seconds;
	s->refresh_at = csta_exchange_time(s->exchange).mono + s->seconds * SECOND / 2;
}

static bool keep_session(struct csta_session *s, const struct csta_message *m)
{
	free(s->id);
	s->id = m->session == NULL ? NULL : strdup(m->session);
	if (s->id == NULL)
		return false;
	s->seconds = 0;
	set_refresh(s, m->duration);
	return true;
}

static void started(struct csta_session *s, const struct csta_message *m)
{
	if (keep_session(s, m))
		ask_first(s);
	else
		trouble(s, CSTA_TROUBLE_USELESS, "the switch started a session without sessionID");
}

/* What was refused for want of a session is not refused any more. */
void csta_session_late(struct csta_session *s, const struct csta_message *m)
{
	bool is_session = m->kind == CSTA_RESPONSE && strcasecmp(m->name, "StartApplicationSessionPosResponse") == 0;

	if (is_session && s->id == NULL && s->state != SESSION_OFF && keep_session(s, m) && s->state == SESSION_READY)
		s->owner.ready(s->owner.arg);
}

static bool next_edition(struct csta_session *s)
{
	if (s->settings->session_version != NULL)
		return false;
	while (s->edition < EDITIONS)
		if (strcmp(editions[s->edition++], s->settings->xml_namespace) != 0)
			return true;
	return false;
}

static void session_refused(struct csta_session *s, const struct csta_message *m)
{
	if (strcmp(m->error, "requestedProtocolVersionNotSupported") == 0 && next_edition(s))
		send(s, &s->start);
	else if (strcmp(m->error, "requestedProtocolVersionNotSupported") == 0)
		refused(s, CSTA_TROUBLE_USELESS, m,
		    "the switch supports none of the protocol versions: set session_version to the one it has");
	else if (strcmp(m->error, "invalidApplicationInfo") == 0)
		refused(s, CSTA_TROUBLE_FORBIDDEN, m,
		    "the switch refuses our credentials: correct user, password_file and session_info");
	else
		refused(s, CSTA_TROUBLE_USELESS, m, "the switch refuses the application session");
}

static void on_start(struct csta_request *r, const struct csta_message *m)
{
	struct csta_session *s = of(r, offsetof(struct csta_session, start));
	bool needed = s->settings->session == TAPI_SESSION_YES;

	if (m != NULL && m->kind == CSTA_NEGATIVE_RESPONSE)
		session_refused(s, m);
	else if (m != NULL && m->kind == CSTA_RESPONSE)
		started(s, m);
	else if (!needed)
		ask_first(s);
	else if (m == NULL)
		trouble(s, CSTA_TROUBLE_USELESS, "no answer to StartApplicationSession within 10 s");
	else
		refused(
		    s, CSTA_TROUBLE_USELESS, m, "the switch has no application sessions: set session to no or auto");
}

static void compose_refresh(struct csta_request *r, struct buf *b)
{
	const struct csta_session *s = of(r, offsetof(struct csta_session, refresh));

	csta_write_refresh(b, s->id, s->settings->session_duration / SECOND);
}

static void on_refresh(struct csta_request *r, const struct csta_message *m)
{
	struct csta_session *s = of(r, offsetof(struct csta_session, refresh));

	if (m != NULL && m->kind == CSTA_RESPONSE)
		set_refresh(s, m->duration);
	else if (m != NULL)
		refused(s, CSTA_TROUBLE_USELESS, m, "the switch does not prolong the application session");
	else
		trouble(s, CSTA_TROUBLE_USELESS, "the application session was not prolonged within 10 s");
}

static void compose_register(struct csta_request *r, struct buf *b)
{
	const struct csta_session *s = of(r, offsetof(struct csta_session, reg));

	csta_write_register(b, s->settings->xml_namespace);
}

/* Switches without the service tell their status anyway, or when they are asked. */
static void on_registered(struct csta_request *r, const struct csta_message *m)
{
	(void)r;
	(void)m;
}

static const struct csta_request_type start_now = { compose_start, on_start, 0, true };
static const struct csta_request_type start_perhaps = { compose_start, on_start, AUTO_PATIENCE_MS, true };
static const struct csta_request_type status_type = { compose_status, on_status, 0, true };
static const struct csta_request_type refresh_type = { compose_refresh, on_refresh, 0, true };
static const struct csta_request_type register_type = { compose_register, on_registered, 0, false };

/* --- life ------------------------------------------------------------------------------------------ */

struct csta_session *csta_session_new(const struct tapi_settings *settings, const char *password,
    struct csta_exchange *exchange, const struct csta_session_owner *owner)
{
	struct csta_session *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->settings = settings;
	s->password = password;
	s->exchange = exchange;
	s->owner = *owner;
	s->refresh_at = s->ask_at = INSTANT_NEVER;
	s->start.type = settings->session == TAPI_SESSION_YES ? &start_now : &start_perhaps;
	s->status.type = &status_type;
	s->refresh.type = &refresh_type;
	s->reg.type = &register_type;
	return s;
}

void csta_session_free(struct csta_session *s)
{
	if (s == NULL)
		return;
	csta_session_lost(s);
	free(s);
}

void csta_session_connected(struct csta_session *s)
{
	s->troubled = s->registered = s->partial = false;
	s->edition = 0;
	if (s->settings->session == TAPI_SESSION_NO) {
		ask_first(s);
		return;
	}
	s->state = SESSION_STARTING;
	send(s, &s->start);
}

void csta_session_lost(struct csta_session *s)
{
	s->state = SESSION_OFF;
	s->refresh_at = s->ask_at = INSTANT_NEVER;
	csta_cancel(s->exchange, &s->start);
	csta_cancel(s->exchange, &s->status);
	csta_cancel(s->exchange, &s->refresh);
	csta_cancel(s->exchange, &s->reg);
	free(s->id);
	s->id = NULL;
}

static void compose_stop(void *arg, struct buf *b)
{
	csta_write_stop(b, ((const struct csta_session *)arg)->id);
}

void csta_session_stop(struct csta_session *s)
{
	if (s->id != NULL)
		csta_tell(s->exchange, compose_stop, s);
}

void csta_session_quiet(struct csta_session *s)
{
	if (s->state != SESSION_STARTING) /* that has a limit of its own */
		send(s, &s->status);
}

void csta_session_told(struct csta_session *s, const struct csta_message *m)
{
	if (m->kind == CSTA_SESSION_ENDED)
		trouble(s, CSTA_TROUBLE_USELESS, "the switch has ended the application session");
	else if (s->state == SESSION_READY || s->state == SESSION_ASLEEP) /* else the answer comes */
		take_status(s, m->status);
}

void csta_session_run(struct csta_session *s)
{
	int64_t now = csta_exchange_time(s->exchange).mono;

	if (now >= s->refresh_at) {
		s->refresh_at = INSTANT_NEVER;
		send(s, &s->refresh);
	}
	if (now >= s->ask_at) {
		s->ask_at = now + ASLEEP_ASK_AGAIN_MS;
		send(s, &s->status);
	}
}

int64_t csta_session_deadline(const struct csta_session *s)
{
	return s->refresh_at < s->ask_at ? s->refresh_at : s->ask_at;
}

bool csta_session_is_ready(const struct csta_session *s)
{
	return s->state == SESSION_READY;
}
