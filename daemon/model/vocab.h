/* vocab.h: every vocabulary of presenced, each one list that gives the enum, the names and the help.
 * SPDX-License-Identifier: MIT
 *
 * Parsers, rules, console socket, presencectl, man pages and tests use these names and no others.
 * A row is X(symbol, name, help). Where an order is said to be a priority, the rules rely on it.
 */
#ifndef PRESENCED_VOCAB_H
#define PRESENCED_VOCAB_H

#include <stddef.h>

/* Which kind of system is behind a source; what the rules rank. */
#define TECHNOLOGY_MAP(X) \
	X(SIP, "sip", "SIP/SIMPLE presence server or PBX") \
	X(XMPP, "xmpp", "XMPP server") \
	X(BROADWORKS, "broadworks", "BroadWorks platform (OCI, CAP, CTI)") \
	X(TAPI, "tapi", "telephone switch over a TAPI-like link") \
	X(MSTEAMS, "msteams", "Microsoft Teams") \
	X(WEBEX, "webex", "Cisco Webex") \
	X(SFB, "sfb", "Skype for Business") \
	X(CALENDAR, "calendar", "calendar server")

/* Which half of presence a fact belongs to. */
#define DOMAIN_MAP(X) \
	X(RICH, "rich", "what the person says and does") \
	X(TELEPHONY, "telephony", "what the phone line does")

#define AVAILABILITY_MAP(X) \
	X(AVAILABLE, "available", "can be called") \
	X(AVAILABLE_IDLE, "available_idle", "can be called, but has not touched the device for a while") \
	X(AWAY, "away", "not at the desk") \
	X(BUSY, "busy", "occupied, may answer") \
	X(BUSY_IDLE, "busy_idle", "occupied, and has not touched the device for a while") \
	X(DND, "dnd", "does not want to be disturbed") \
	X(OFFLINE, "offline", "signed out")

/* RFC 4480 section 3.2; UNKNOWN is what the document says when the person does not want to say. */
#define ACTIVITY_MAP(X) \
	X(APPOINTMENT, "appointment", "has an appointment in the calendar") \
	X(AWAY, "away", "is away from the device") \
	X(BREAKFAST, "breakfast", "eats breakfast") \
	X(BUSY, "busy", "is occupied") \
	X(DINNER, "dinner", "eats dinner") \
	X(HOLIDAY, "holiday", "has a public holiday") \
	X(IN_TRANSIT, "in-transit", "is in a vehicle") \
	X(LOOKING_FOR_WORK, "looking-for-work", "looks for work") \
	X(LUNCH, "lunch", "eats lunch") \
	X(MEAL, "meal", "eats") \
	X(MEETING, "meeting", "is in a meeting") \
	X(ON_THE_PHONE, "on-the-phone", "talks on the telephone") \
	X(OTHER, "other", "does something without a name here") \
	X(PERFORMANCE, "performance", "attends a performance") \
	X(PERMANENT_ABSENCE, "permanent-absence", "will not come back") \
	X(PLAYING, "playing", "plays") \
	X(PRESENTATION, "presentation", "gives or attends a presentation") \
	X(SHOPPING, "shopping", "is shopping") \
	X(SLEEPING, "sleeping", "sleeps") \
	X(SPECTATOR, "spectator", "watches an event") \
	X(STEERING, "steering", "drives") \
	X(TRAVEL, "travel", "is on a trip") \
	X(TV, "tv", "watches television") \
	X(UNKNOWN, "unknown", "does something not disclosed") \
	X(VACATION, "vacation", "is on holiday, out of office") \
	X(WORKING, "working", "works") \
	X(WORSHIP, "worship", "attends a service")

#define LINE_MAP(X) \
	X(IDLE, "idle", "no call") \
	X(RINGING, "ringing", "a call is being offered") \
	X(BUSY, "busy", "in a call, or calling out") \
	X(HELD, "held", "all calls are on hold") \
	X(OFFLINE, "offline", "out of service")

#define MODE_MAP(X) \
	X(AVAILABLE, "available", "the line is free") \
	X(BUSY, "busy", "the line is in use") \
	X(DND, "dnd", "the telephone refuses calls") \
	X(OFFLINE, "offline", "the telephone is out of service") \
	X(FORWARDED_TO_VOICEMAIL, "forwarded_to_voicemail", "every call goes to voicemail") \
	X(FORWARDED_TO_PHONE, "forwarded_to_phone", "every call goes to another telephone")

#define OVERALL_MAP(X) \
	X(DND, "dnd", "does not want to be disturbed") \
	X(FORWARDED_TO_VOICEMAIL, "forwarded_to_voicemail", "every call goes to voicemail") \
	X(FORWARDED_TO_PHONE, "forwarded_to_phone", "every call goes to another telephone") \
	X(BUSY, "busy", "occupied or on the telephone") \
	X(AVAILABLE, "available", "can be called") \
	X(AVAILABLE_IDLE, "available_idle", "can be called, but may not be at the desk") \
	X(AWAY, "away", "not at the desk") \
	X(OFFLINE, "offline", "signed out, or the telephone is out of service") \
	X(UNKNOWN, "unknown", "nobody says")

#define FORWARD_KIND_MAP(X) \
	X(VOICEMAIL, "voicemail", "to a mailbox") \
	X(PHONE, "phone", "to another telephone")

#define CALL_STATE_MAP(X) \
	X(DIALING, "dialing", "being set up by this line") \
	X(RINGING, "ringing", "offered, not answered yet") \
	X(CONNECTED, "connected", "in conversation") \
	X(HELD, "held", "on hold")

#define DIRECTION_MAP(X) \
	X(IN, "in", "somebody calls this line") \
	X(OUT, "out", "this line calls somebody")

/* What is known about one state, or about a half of a composed presence. The order is the priority in
 * which the most telling one is shown when none is usable (presenced rules, section 5). OK is first. */
#define STATE_STATUS_MAP(X) \
	X(OK, "ok", "known, and believed") \
	X(ACCESS_DENIED, "access_denied", "the source does not let us see this person") \
	X(NOT_FOUND, "not_found", "the source does not know this address") \
	X(ERROR, "error", "the source is lost, or did not answer for this address") \
	X(STALE, "stale", "known, but the source is silent at the moment") \
	X(REQUESTING, "requesting", "asked for, nothing said yet") \
	X(NOT_REQUESTED, "not_requested", "nobody wants to know") \
	X(NOT_CONFIGURED_FOR_USER, "not_configured_for_user", "the user has no address at any source of this half") \
	X(SERVER_NOT_CONFIGURED, "server_not_configured", "no enabled source serves this half")

#define SOURCE_STATUS_MAP(X) \
	X(NOT_CONFIGURED, "not_configured", "enabled, but a required option is missing") \
	X(DISABLED, "disabled", "switched off by configuration") \
	X(STOPPED, "stopped", "stopped by command until started again") \
	X(CONNECTING, "connecting", "being connected") \
	X(FORBIDDEN, "forbidden", "the peer refuses our credentials") \
	X(CONNECTION_ERROR, "connection_error", "the peer cannot be reached, tried again by itself") \
	X(UP, "up", "connected and working") \
	X(UP_CREDENTIALS_NOT_FOUND, "up_credentials_not_found", "works, but the peer does not know our identity")

/* What a console may do; the bits of a permission set (presenced-protocol(7)). */
#define PERMISSION_MAP(X) \
	X(READ, "read", "presence, users and sources") \
	X(CALLS, "calls", "whom a user talks to and where calls are forwarded") \
	X(NOTES, "notes", "notes on users, requests for our presence") \
	X(ADMIN, "admin", "everything else")

#define VOCAB_ENUM(Name, NAME, MAP)	    enum Name { MAP(VOCAB_SYMBOL_##NAME) NAME##_COUNT };
#define VOCAB_SYMBOL_TECHNOLOGY(s, n, h)    TECHNOLOGY_##s,
#define VOCAB_SYMBOL_DOMAIN(s, n, h)	    DOMAIN_##s,
#define VOCAB_SYMBOL_AVAILABILITY(s, n, h)  AVAILABILITY_##s,
#define VOCAB_SYMBOL_ACTIVITY(s, n, h)	    ACTIVITY_##s,
#define VOCAB_SYMBOL_LINE(s, n, h)	    LINE_##s,
#define VOCAB_SYMBOL_MODE(s, n, h)	    MODE_##s,
#define VOCAB_SYMBOL_OVERALL(s, n, h)	    OVERALL_##s,
#define VOCAB_SYMBOL_FORWARD_KIND(s, n, h)  FORWARD_KIND_##s,
#define VOCAB_SYMBOL_CALL_STATE(s, n, h)    CALL_STATE_##s,
#define VOCAB_SYMBOL_DIRECTION(s, n, h)	    DIRECTION_##s,
#define VOCAB_SYMBOL_STATE_STATUS(s, n, h)  STATE_STATUS_##s,
#define VOCAB_SYMBOL_SOURCE_STATUS(s, n, h) SOURCE_STATUS_##s,
#define VOCAB_SYMBOL_PERMISSION(s, n, h)    PERMISSION_##s,

VOCAB_ENUM(technology, TECHNOLOGY, TECHNOLOGY_MAP)
VOCAB_ENUM(domain, DOMAIN, DOMAIN_MAP)
VOCAB_ENUM(availability, AVAILABILITY, AVAILABILITY_MAP)
VOCAB_ENUM(activity, ACTIVITY, ACTIVITY_MAP)
VOCAB_ENUM(line, LINE, LINE_MAP)
VOCAB_ENUM(mode, MODE, MODE_MAP)
VOCAB_ENUM(overall, OVERALL, OVERALL_MAP)
VOCAB_ENUM(forward_kind, FORWARD_KIND, FORWARD_KIND_MAP)
VOCAB_ENUM(call_state, CALL_STATE, CALL_STATE_MAP)
VOCAB_ENUM(direction, DIRECTION, DIRECTION_MAP)
VOCAB_ENUM(state_status, STATE_STATUS, STATE_STATUS_MAP)
VOCAB_ENUM(source_status, SOURCE_STATUS, SOURCE_STATUS_MAP)
VOCAB_ENUM(permission, PERMISSION, PERMISSION_MAP)

/* One vocabulary as data: what a word is called and means. */
struct vocab_word {
	const char *name;
	const char *help;
};
struct vocab {
	const char *title; /* "availability" */
	const struct vocab_word *words;
	int count;
};

extern const struct vocab vocab_technology, vocab_domain, vocab_availability, vocab_activity, vocab_line, vocab_mode,
    vocab_overall, vocab_forward_kind, vocab_call_state, vocab_direction, vocab_state_status, vocab_source_status,
    vocab_permission;

/* The name of `value`; a constant string. "?" for a value outside the vocabulary: a defect, shown as such. */
const char *vocab_name(const struct vocab *v, int value);

/* The value called `name` (compared exactly), or -1. `name` may be NULL: -1. */
int vocab_find(const struct vocab *v, const char *name);

/* "a, b or c": all names for an error message, into buf. Returns buf. */
const char *vocab_list(const struct vocab *v, char *buf, size_t size);

#endif
