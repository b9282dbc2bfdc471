/* csta_monitors.h: all monitored lines of one CSTA switch: from MonitorStart to MonitorStop, what is asked of each and
 * when, and what comes of it. No I/O and no clock of its own. SPDX-License-Identifier: MIT
 *
 * A line has at most one request out. A round of questions (calls, do not disturb, forwarding) is said as one, so that a
 * verification is one answer, also when nothing is new; nothing is said of a line before its first round is over, or its
 * calls have been known for half a second, and every event at once after that. The owner is called from
 * csta_monitors_run(), csta_monitors_told() and from answers, never from the other functions.
 */
#ifndef PRESENCED_CSTA_MONITORS_H
#define PRESENCED_CSTA_MONITORS_H

#include "connectors/tapi/csta_exchange.h"

struct csta_monitors;

struct csta_monitors_owner {
	/* Facts or a status of a line; borrowed for the call. */
	void (*said)(void *arg, const char *device, const struct raw_facts *facts);

	/* Whether a number is that of the device, written otherwise / one of the person whose line this is. */
	bool (*same)(void *arg, const char *device, const char *number);
	bool (*own)(void *arg, const char *device, const char *number);

	/* After csta_monitors_ready() and csta_monitors_ask_all(), once after the last of them: every line has said something
	 * since, or will not. */
	void (*settled)(void *arg);
	void *arg;
};

struct csta_monitors_settings {
	const char *xml_namespace; /* borrowed */
	int64_t rate;		   /* monitors started a second */
	int64_t poll;		   /* ms between questions for do not disturb and forwarding; 0 never */
};

/* `exchange` is borrowed. NULL without memory. */
struct csta_monitors *csta_monitors_new(const struct csta_monitors_settings *settings, struct csta_exchange *exchange,
    const struct csta_monitors_owner *owner);

/* All is freed; the switch ends its monitors with the session or the connection. NULL is fine. */
void csta_monitors_free(struct csta_monitors *s);

int csta_monitors_watch(struct csta_monitors *s, const char *device); /* 0 or -ENOMEM */
void csta_monitors_unwatch(struct csta_monitors *s, const char *device);

/* Ask again what is true of a line. One that was refused is asked for in its own time. */
void csta_monitors_verify(struct csta_monitors *s, const char *device);

/* The switch works: every line is monitored anew, paced, those that were not idle first. / Nothing of it is left. */
void csta_monitors_ready(struct csta_monitors *s);
void csta_monitors_lost(struct csta_monitors *s);

/* The switch is there and does nothing for us: nothing is asked until csta_monitors_ready(). */
void csta_monitors_asleep(struct csta_monitors *s);

/* Events may have been lost: every line is asked again. settled() follows. */
void csta_monitors_ask_all(struct csta_monitors *s);

/* Half the pace, or the configured one again. */
void csta_monitors_slow(struct csta_monitors *s, bool yes);

/* An event, SnapshotDeviceData, or MonitorStop by the switch, which the caller has answered. */
void csta_monitors_told(struct csta_monitors *s, const struct csta_message *m);

/* An event of this monitor could not be understood. */
void csta_monitors_doubt(struct csta_monitors *s, const char *ref);

/* An answer that nobody waits for any more: a monitor that came too late is stopped. */
void csta_monitors_late(struct csta_monitors *s, const struct csta_message *m);

void csta_monitors_run(struct csta_monitors *s);
int64_t csta_monitors_deadline(const struct csta_monitors *s); /* monotonic ms; INSTANT_NEVER */

struct csta_monitors_stats {
	uint64_t lines, monitored, waiting, refused; /* refused: of the waiting, refused by the switch */
	uint64_t events, unknown, snapshots, doubts, stopped;
};
void csta_monitors_stats(const struct csta_monitors *s, struct csta_monitors_stats *ret);

#endif
