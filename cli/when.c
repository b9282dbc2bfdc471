/* when.c: times of the command line.
 * SPDX-License-Identifier: MIT */
#include "cli/when.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/base/instant.h"

/* What stands in a text of one of the forms; a blank also takes the T of RFC 3339. */
static const struct form {
	const char *form; /* d is a digit */
	bool has_date, has_time;
} forms[] = {
	{ "dddd-dd-dd", true, false },
	{ "dddd-dd-dd dd:dd", true, true },
	{ "dddd-dd-dd dd:dd:dd", true, true },
	{ "dd:dd", false, true },
	{ "dd:dd:dd", false, true },
};

static bool has_form(const char *text, const char *form)
{
	if (strlen(text) != strlen(form))
		return false;
	for (size_t i = 0; form[i] != '\0'; i++) {
		bool good = form[i] == 'd' ? isdigit((unsigned char)text[i]) != 0 :
		    form[i] == ' '	   ? strchr("Tt ", text[i]) != NULL :
					     text[i] == form[i];

		if (!good)
			return false;
	}
	return true;
}

static struct tm day_of(int64_t wall)
{
	time_t seconds = (time_t)(wall / 1000);
	struct tm tm = { 0 };

	localtime_r(&seconds, &tm);
	return tm;
}

/* Local time -> wall ms. A time that the clocks skip in spring is the one that they show instead. */
static int64_t wall_of(struct tm tm)
{
	tm.tm_isdst = -1; /* whatever holds on that day */
	return (int64_t)mktime(&tm) * 1000;
}

int64_t when_midnight(int64_t now, int days)
{
	struct tm tm = day_of(now);

	return wall_of((struct tm){ .tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday + days });
}

static bool read_date(const char *text, struct tm *tm)
{
	struct tm noon = { 0 };
	int year, month, day;

	if (sscanf(text, "%4d-%2d-%2d", &year, &month, &day) != 3 || year < 1970 || month < 1 || month > 12)
		return false;
	noon = (struct tm){ .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = 12 };
	*tm = noon;
	(void)timegm(&noon);
	return noon.tm_mday == day; /* else the month does not have it */
}

static bool read_time(const char *text, struct tm *tm)
{
	tm->tm_hour = tm->tm_min = tm->tm_sec = 0;
	return sscanf(text, "%2d:%2d:%2d", &tm->tm_hour, &tm->tm_min, &tm->tm_sec) >= 2 && tm->tm_hour < 24 &&
	    tm->tm_min < 60 && tm->tm_sec < 60;
}

static int read_form(const struct form *f, const char *text, int64_t now, int64_t *ret_wall)
{
	struct tm tm = day_of(now);

	if (f->has_date && !read_date(text, &tm))
		return -EINVAL;
	if (!read_time(f->has_time ? strchr(text, ':') - 2 : "00:00", &tm))
		return -EINVAL;
	*ret_wall = wall_of(tm);
	return 0;
}

int when_parse(const char *text, int64_t now, int64_t *ret_wall)
{
	if (strcmp(text, "today") == 0 || strcmp(text, "yesterday") == 0) {
		*ret_wall = when_midnight(now, *text == 'y' ? -1 : 0);
		return 0;
	}
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		if (has_form(text, forms[i].form))
			return read_form(&forms[i], text, now, ret_wall);
	return instant_parse(text, ret_wall);
}

const char *when_format(int64_t wall, char *buf)
{
	struct tm tm = day_of(wall);

	strftime(buf, WHEN_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &tm);
	return buf;
}

const char *when_format_short(int64_t wall, int64_t now, char *buf)
{
	struct tm tm = day_of(wall), today = day_of(now);

	if (tm.tm_year != today.tm_year || tm.tm_yday != today.tm_yday)
		return when_format(wall, buf);
	strftime(buf, WHEN_TEXT_SIZE, "%H:%M:%S", &tm);
	return buf;
}
