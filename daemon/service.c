/* service.c: signals and sd_notify.
 * SPDX-License-Identifier: MIT */
#include "daemon/service.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "daemon/base/logger.h"

static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
#define SIGNALS (sizeof signals / sizeof *signals)

struct service {
	struct daemon *daemon;
	struct loop_event *signal_events[SIGNALS];
	struct loop_event *watchdog;
	int64_t watchdog_ms; /* half of what systemd expects; 0 none */
};

static void on_stop(void *arg, short what)
{
	struct service *s = arg;

	(void)what;
	log_info("daemon", "stopping", LOG_TEXT("why", "a signal"));
	loop_stop(s->daemon->loop);
}

static void log_lines(enum log_level level, const char *event, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		char line[1024];

		snprintf(line, sizeof line, "%.*s", (int)(len < sizeof line ? len : sizeof line - 1), text);
		log_at(level, "config", event, LOG_TEXT("what", line));
		text += len + (text[len] == '\n');
	}
}

static void on_reloaded(void *arg, const struct reload_result *result)
{
	(void)arg;
	log_lines(LOG_LEVEL_ERROR, "refused", result->errors);
	log_lines(LOG_LEVEL_WARNING, "warning", result->warnings);
}

static void on_reload(void *arg, short what)
{
	struct service *s = arg;

	(void)what;
	if (!daemon_reload(s->daemon, false, (struct reload_done){ on_reloaded, s }))
		log_warning("daemon", "reload_refused", LOG_TEXT("why", "another reload is still under way"));
}

static void on_watchdog(void *arg, short what)
{
	struct service *s = arg;

	(void)what;
	sd_notify(0, "WATCHDOG=1");
	loop_event_arm_in(s->watchdog, s->watchdog_ms);
}

struct service *service_new(struct daemon *d)
{
	struct service *s = calloc(1, sizeof *s);
	uint64_t usec = 0;

	if (s == NULL)
		return NULL;
	s->daemon = d;
	for (size_t i = 0; i < SIGNALS; i++) {
		s->signal_events[i] = loop_event_new(d->loop, "signal", signals[i], EV_SIGNAL | EV_PERSIST,
		    signals[i] == SIGHUP ? on_reload : on_stop, s);
		if (s->signal_events[i] == NULL) {
			service_free(s);
			return NULL;
		}
		loop_event_arm(s->signal_events[i]);
	}
	if (sd_watchdog_enabled(0, &usec) > 0) {
		s->watchdog_ms = (int64_t)(usec / 2000);
		s->watchdog = loop_event_new(d->loop, "watchdog", -1, 0, on_watchdog, s);
		if (s->watchdog != NULL)
			loop_event_arm_in(s->watchdog, s->watchdog_ms);
	}
	return s;
}

void service_free(struct service *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < SIGNALS; i++)
		loop_event_free(s->signal_events[i]);
	loop_event_free(s->watchdog);
	free(s);
}

void service_ready(struct service *s)
{
	size_t sources = 0;

	for (const struct source *o = NULL; (o = sources_next(s->daemon->sources, o)) != NULL;)
		sources++;
	sd_notifyf(0, "READY=1\nSTATUS=%zu users, %zu sources", directory_count(s->daemon->directory), sources);
}

void service_stopping(struct service *s)
{
	(void)s;
	sd_notify(0, "STOPPING=1\nSTATUS=stopping");
}

void service_reloading(struct service *s)
{
	struct timespec ts;

	(void)s;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reading the configuration again",
	    (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}
