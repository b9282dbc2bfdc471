/* logger.h: leveled log lines, "event key=value key=value", to standard error.
 * SPDX-License-Identifier: MIT
 *
 * error: somebody must act. warning: it works, but not as configured. info: an event of the life cycle.
 * debug: each message, secrets masked. A line goes out in one write. Under systemd the level is the "<N>"
 * prefix of sd-daemon(3), else a word. Never pass a secret.
 */
#ifndef PRESENCED_LOGGER_H
#define PRESENCED_LOGGER_H

#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_COUNT };

/* One key=value; text wins if it is not NULL. Values are quoted where they need it. */
struct log_field {
	const char *key;
	const char *text;
	int64_t number;
	enum { LOG_FIELD_NUMBER, LOG_FIELD_TEXT, LOG_FIELD_DURATION } kind;
};
#define LOG_TEXT(k, v) \
	{ \
		.key = k, .text = v, .kind = LOG_FIELD_TEXT \
	}
#define LOG_NUMBER(k, v) \
	{ \
		.key = k, .number = v, .kind = LOG_FIELD_NUMBER \
	}
#define LOG_DURATION(k, v) \
	{ \
		.key = k, .number = v, .kind = LOG_FIELD_DURATION \
	} /* milliseconds */

/* `subsystem` is one constant word ("source", "console"), `event` a constant phrase without blanks. */
void logger_write(enum log_level level, const char *subsystem, const char *event, const struct log_field *fields);

#define log_at(level, subsystem, event, ...) \
	logger_write(level, subsystem, event, (const struct log_field[]){ __VA_ARGS__, { 0 } })
#define log_error(...)	 log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	 log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Nothing less telling than `level` is written. `subsystem` NULL: for all, whose own levels end; else for that one.
 * 0, or -ENOSPC after 16 subsystems with a level of their own. */
int logger_set_level(const char *subsystem, enum log_level level);

/* error, warning, info, debug -> level, or -1. */
int logger_level_find(const char *name);

#endif
