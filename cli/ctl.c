/* ctl.c: shared output and options of presencectl.
 * SPDX-License-Identifier: MIT */
#include "cli/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/table.h"
#include "daemon/base/instant.h"

const struct command *command_find(const char *name)
{
	for (const struct command *c = commands; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

int usage_error(const struct command *command, const char *format, ...)
{
	va_list args;

	fputs("presencectl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (command != NULL)
		fprintf(stderr, "\nUsage: presencectl %s %s\n", command->name, command->arguments);
	else
		fputs("\nTry: presencectl help\n", stderr);
	return EXIT_USAGE;
}

static void remove_arguments(int *argc, char **argv, int at, int count)
{
	for (int i = at; i + count <= *argc; i++)
		argv[i] = argv[i + count];
	*argc -= count;
}

const char *take_option(int *argc, char **argv, const char *name)
{
	size_t len = strlen(name);

	for (int i = 1; i < *argc; i++) {
		char *value;

		if (strncmp(argv[i], name, len) != 0)
			continue;
		if (argv[i][len] == '=') {
			value = argv[i] + len + 1;
			remove_arguments(argc, argv, i, 1);
			return value;
		}
		if (argv[i][len] == '\0' && i + 1 < *argc) {
			value = argv[i + 1];
			remove_arguments(argc, argv, i, 2);
			return value;
		}
	}
	return NULL;
}

bool take_flag(int *argc, char **argv, const char *name)
{
	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], name) == 0) {
			remove_arguments(argc, argv, i, 1);
			return true;
		}
	}
	return false;
}

void print_json(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	puts(text == NULL ? "null" : text);
	free(text);
}

const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

static void put_more(struct buf *b, const char *before, const char *text)
{
	if (*text != '\0')
		buf_printf(b, "%s%s%s", b->len == 0 ? "" : ", ", before, text);
}

/* "stale: " before what is shown still, or the status alone when there is nothing else. */
static void put_status(struct buf *b, const json_t *half)
{
	const char *status = text_of(half, "status");

	if (strcmp(status, "ok") != 0)
		buf_puts(b, status);
}

/* ok, and no fact: said by a source that has heard of nothing, not a gap in the table. */
static void put_nothing(struct buf *b)
{
	if (b->len == 0)
		buf_puts(b, "nothing known");
}

static void put_technology(struct buf *b, const json_t *half)
{
	if (*text_of(half, "technology") != '\0')
		buf_printf(b, " (%s)", text_of(half, "technology"));
}

void describe_rich(const json_t *rich, struct buf *b)
{
	put_status(b, rich);
	put_more(b, "", text_of(rich, "availability"));
	put_more(b, "", text_of(rich, "activity"));
	if (*text_of(rich, "note") != '\0')
		buf_printf(b, "%s\"%s\"", b->len == 0 ? "" : " ", text_of(rich, "note"));
	put_nothing(b);
	put_technology(b, rich);
}

static void describe_call(const json_t *call, struct buf *b)
{
	const char *peer = text_of(call, "peer"), *name = text_of(call, "name");

	buf_printf(b, "%s%s%s%s", b->len == 0 ? "" : ", ", text_of(call, "state"),
	    *text_of(call, "direction") == '\0'		      ? "" :
		strcmp(text_of(call, "direction"), "in") == 0 ? " from" :
								" to",
	    *peer == '\0' && *name == '\0' ? " somebody" : "");
	if (*name != '\0')
		buf_printf(b, " %s", name);
	if (*peer != '\0')
		buf_printf(b, " %s", peer);
}

void describe_telephony(const json_t *telephony, struct buf *b)
{
	const json_t *forward = json_object_get(telephony, "forward"), *calls = json_object_get(telephony, "calls");

	put_status(b, telephony);
	put_more(b, "line ", text_of(telephony, "line"));
	if (json_is_true(json_object_get(telephony, "dnd")))
		put_more(b, "", "dnd");
	if (json_is_object(forward)) {
		bool voicemail = strcmp(text_of(forward, "kind"), "voicemail") == 0;
		const char *target = text_of(forward, "target");

		buf_printf(b, "%sforwarded to%s%s%s", b->len == 0 ? "" : ", ", voicemail ? " voicemail" : "",
		    *target != '\0' ? " " :
			voicemail   ? "" :
				      " another telephone",
		    target);
	}
	for (size_t i = 0; i < json_array_size(calls); i++)
		describe_call(json_array_get(calls, i), b);
	put_nothing(b);
	put_technology(b, telephony);
}

void print_change(const struct ctl *ctl, const json_t *presence)
{
	const char *overall = text_of(presence, "overall");
	struct buf rich, telephony;
	char when[16] = "";
	int64_t at = 0;

	if (ctl->json) {
		print_json(presence);
		return;
	}
	if (instant_parse(text_of(presence, "at"), &at) == 0) {
		time_t seconds = (time_t)(at / 1000);
		struct tm tm;

		strftime(when, sizeof when, "%H:%M:%S", localtime_r(&seconds, &tm));
	}
	buf_init(&rich, 4096);
	buf_init(&telephony, 4096);
	describe_rich(json_object_get(presence, "rich"), &rich);
	describe_telephony(json_object_get(presence, "telephony"), &telephony);
	printf("%s  %-12s  %s%-22s%s  %-34s  %s\n", when, text_of(presence, "user"), table_colour(overall), overall,
	    table_plain(), buf_text(&rich), buf_text(&telephony));
	fflush(stdout);
	buf_done(&rich);
	buf_done(&telephony);
}
