/* instant.c: clocks, RFC 3339 and durations.
 * SPDX-License-Identifier: MIT */
#include "daemon/base/instant.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct instant instant_now(void)
{
	return (struct instant){ .mono = clock_ms(CLOCK_MONOTONIC), .wall = clock_ms(CLOCK_REALTIME) };
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

const char *instant_format(int64_t wall, char *buf)
{
	time_t seconds = (time_t)floor_div(wall, 1000);
	int ms = (int)(wall - (int64_t)seconds * 1000);
	struct tm tm;
	size_t n;

	if (gmtime_r(&seconds, &tm) == NULL)
		memset(&tm, 0, sizeof tm);
	n = strftime(buf, INSTANT_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, INSTANT_TEXT_SIZE - n, ".%03dZ", ms);
	return buf;
}

/* ".123456" -> 123; *text moves behind it. */
static int parse_fraction(const char **text)
{
	int ms = 0, scale = 100;

	if (**text != '.' || !isdigit((unsigned char)(*text)[1]))
		return 0;
	for (++*text; isdigit((unsigned char)**text); ++*text, scale /= 10)
		ms += (**text - '0') * scale;
	return ms;
}

#define LAST_WALL INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

/* Whether text begins like `form`, where d is a digit and T a "T" or a blank: sscanf takes signs and blanks
 * as well. */
static bool has_form(const char *text, const char *form)
{
	for (size_t i = 0; form[i] != '\0'; i++) {
		bool good = form[i] == 'd' ? isdigit((unsigned char)text[i]) != 0 :
		    form[i] == 'T'	   ? text[i] != '\0' && strchr("Tt ", text[i]) != NULL :
					     text[i] == form[i];

		if (!good)
			return false;
	}
	return true;
}

/* "Z" or "+01:00" to the end of the text: minutes east, or -EINVAL outside [-1439, 1439]. */
static int parse_offset(const char *text, int *ret_minutes)
{
	int hours, minutes;

	if ((*text == 'Z' || *text == 'z') && text[1] == '\0') {
		*ret_minutes = 0;
		return 0;
	}
	if ((*text != '+' && *text != '-') || !has_form(text + 1, "dd:dd") || text[6] != '\0' ||
	    sscanf(text + 1, "%2d:%2d", &hours, &minutes) != 2 || hours > 23 || minutes > 59)
		return -EINVAL;
	*ret_minutes = (hours * 60 + minutes) * (*text == '-' ? -1 : 1);
	return 0;
}

int instant_parse(const char *text, int64_t *ret_wall)
{
	struct tm tm = { 0 }, normal;
	int year, month, ms, offset;
	time_t seconds;
	int64_t wall;

	if (!has_form(text, "dddd-dd-ddTdd:dd:dd") ||
	    sscanf(text, "%4d-%2d-%2d%*c%2d:%2d:%2d", &year, &month, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
		&tm.tm_sec) != 6)
		return -EINVAL;
	if (year < 1970 || month < 1 || month > 12 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return -EINVAL;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	normal = tm;
	seconds = timegm(&normal);
	if (normal.tm_mday != tm.tm_mday && tm.tm_sec < 60)
		return -EINVAL; /* a day that the month does not have */
	text += 19;
	ms = parse_fraction(&text);
	if (parse_offset(text, &offset) < 0)
		return -EINVAL;
	wall = ((int64_t)seconds - (int64_t)offset * 60) * 1000 + ms;
	if (wall < 0 || wall > LAST_WALL)
		return -EINVAL;
	*ret_wall = wall;
	return 0;
}

static const struct {
	const char *name;
	int64_t ms;
} units[] = {
	{ "d", 86400000 },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
};
#define UNITS (sizeof units / sizeof *units)

const char *duration_format(int64_t ms, char *buf)
{
	size_t used = 0, first = 0;

	while (first < UNITS && ms < units[first].ms)
		first++;
	if (first == UNITS) {
		snprintf(buf, DURATION_TEXT_SIZE, "0s");
		return buf;
	}
	buf[0] = '\0';
	for (size_t i = first; i < UNITS && i < first + 2 && ms > 0; i++) {
		int64_t n = ms / units[i].ms;

		if (n > 0)
			used += (size_t)snprintf(
			    buf + used, DURATION_TEXT_SIZE - used, "%lld%s", (long long)n, units[i].name);
		ms %= units[i].ms;
	}
	return buf;
}

/* Milliseconds of the unit at *text, which moves behind it; 0 if there is none. */
static int64_t parse_unit(const char **text)
{
	size_t len = strspn(*text, "abcdefghijklmnopqrstuvwxyz");

	for (size_t i = 0; i < UNITS; i++) {
		if (strlen(units[i].name) == len && memcmp(units[i].name, *text, len) == 0) {
			*text += len;
			return units[i].ms;
		}
	}
	return 0;
}

int duration_parse(const char *text, int64_t *ret_ms)
{
	int64_t total = 0;

	if (*text == '\0')
		return -EINVAL;
	while (*text != '\0') {
		int64_t n = 0, unit, part;

		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		for (; isdigit((unsigned char)*text); text++)
			if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *text - '0', &n))
				return -ERANGE;
		unit = parse_unit(&text);
		if (unit == 0)
			return -EINVAL;
		if (__builtin_mul_overflow(n, unit, &part) || __builtin_add_overflow(total, part, &total))
			return -ERANGE;
	}
	*ret_ms = total;
	return 0;
}
