/* logger.c: log lines to standard error.
 * SPDX-License-Identifier: MIT */
#include "daemon/base/logger.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/buf.h"
#include "daemon/base/instant.h"

#define LINE_MAX_BYTES 4096

static const struct {
	const char *name;
	const char *journal; /* sd-daemon(3) */
} levels[LOG_LEVEL_COUNT] = {
	[LOG_LEVEL_ERROR] = { "error", "<3>" },
	[LOG_LEVEL_WARNING] = { "warning", "<4>" },
	[LOG_LEVEL_INFO] = { "info", "<6>" },
	[LOG_LEVEL_DEBUG] = { "debug", "<7>" },
};

static enum log_level general_level = LOG_LEVEL_INFO;
static struct {
	char subsystem[32];
	enum log_level level;
} own_levels[16];
static size_t own_level_count;

int logger_level_find(const char *name)
{
	for (int i = 0; name != NULL && i < LOG_LEVEL_COUNT; i++)
		if (strcmp(levels[i].name, name) == 0)
			return i;
	return -1;
}

int logger_set_level(const char *subsystem, enum log_level level)
{
	size_t i = 0;

	if (subsystem == NULL) {
		general_level = level;
		own_level_count = 0;
		return 0;
	}
	while (i < own_level_count && strcmp(own_levels[i].subsystem, subsystem) != 0)
		i++;
	if (i == sizeof own_levels / sizeof *own_levels)
		return -ENOSPC;
	if (i == own_level_count)
		own_level_count++;
	snprintf(own_levels[i].subsystem, sizeof own_levels[i].subsystem, "%s", subsystem);
	own_levels[i].level = level;
	return 0;
}

static enum log_level level_of(const char *subsystem)
{
	for (size_t i = 0; i < own_level_count; i++)
		if (strcmp(own_levels[i].subsystem, subsystem) == 0)
			return own_levels[i].level;
	return general_level;
}

static bool needs_quotes(const char *text)
{
	if (*text == '\0')
		return true;
	for (; *text != '\0'; text++)
		if ((unsigned char)*text <= ' ' || *text == '"' || *text == '=' || *text == '\\' || *text == 0x7f)
			return true;
	return false;
}

/* A value from outside can't forge a line or a field. */
static void put_text(struct buf *b, const char *text)
{
	if (!needs_quotes(text)) {
		buf_puts(b, text);
		return;
	}
	buf_putc(b, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			buf_printf(b, "\\%c", *text);
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			buf_printf(b, "\\x%02x", (unsigned char)*text);
		else
			buf_putc(b, *text);
	}
	buf_putc(b, '"');
}

static void put_field(struct buf *b, const struct log_field *field)
{
	char duration[DURATION_TEXT_SIZE];

	if (field->kind == LOG_FIELD_TEXT && field->text == NULL)
		return; /* not known: not said */
	buf_printf(b, " %s=", field->key);
	switch (field->kind) {
	case LOG_FIELD_NUMBER:
		buf_printf(b, "%lld", (long long)field->number);
		break;
	case LOG_FIELD_TEXT:
		put_text(b, field->text);
		break;
	case LOG_FIELD_DURATION:
		buf_puts(b, duration_format(field->number, duration));
		break;
	}
}

/* Whether standard error is the journal's own (systemd.exec(5)): shells hand the variable on to what is not. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	    st.st_dev == device && st.st_ino == inode;
}

void logger_write(enum log_level level, const char *subsystem, const char *event, const struct log_field *fields)
{
	static int journal = -1;
	struct buf b;
	ssize_t written;

	if (level > level_of(subsystem))
		return;
	if (journal < 0)
		journal = is_journal();
	buf_init(&b, LINE_MAX_BYTES);
	if (journal == 0) {
		char now[INSTANT_TEXT_SIZE];

		buf_printf(&b, "%s ", instant_format(instant_now().wall, now));
	}
	buf_printf(&b, "%s%s %s %s", journal == 1 ? levels[level].journal : "", levels[level].name, subsystem, event);
	for (; fields->key != NULL; fields++)
		put_field(&b, fields);
	if (b.failed) { /* longer than a line may be: what fits is worth more than nothing */
		b.failed = false;
		b.len = b.len > LINE_MAX_BYTES - 8 ? LINE_MAX_BYTES - 8 : b.len;
	}
	buf_putc(&b, '\n');
	written = write(STDERR_FILENO, buf_text(&b), b.len);
	(void)written; /* nowhere to report it */
	buf_done(&b);
}
