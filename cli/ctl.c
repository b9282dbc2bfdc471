/* ctl.c: shared output and options of presencectl.
 * SPDX-License-Identifier: MIT */
#include "cli/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"
#include "cli/when.h"
#include "daemon/base/instant.h"
#include "daemon/base/utf8.h"

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

int check_words(const struct command *command, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) == 0 && strchr(argv[i], ' ') == NULL)
			return usage_error(command, "There is no option \"%s\" here.", argv[i]);
		if (!utf8_is_valid(argv[i], strlen(argv[i])))
			return usage_error(command, "Argument %d is not UTF-8.", i);
	}
	return EXIT_FINE;
}

int run_verb(const struct verb *verbs, const struct ctl *ctl, int argc, char **argv)
{
	const struct command *command = command_find(argv[0]);

	if (argc < 2)
		return usage_error(command, "%s takes what to do.", argv[0]);
	for (const struct verb *v = verbs; v->name != NULL; v++)
		if (strcmp(v->name, argv[1]) == 0)
			return v->run(ctl, argc - 1, argv + 1);
	return usage_error(command, "%s has no command \"%s\".", argv[0], argv[1]);
}

int ask(const struct ctl *ctl, const char *method, json_t *params, void (*print)(const json_t *result))
{
	struct client *c = client_open(ctl->socket);
	json_t *result;
	int status;

	if (c == NULL) {
		json_decref(params);
		return EXIT_UNREACHABLE;
	}
	result = client_call(c, method, params);
	status = result == NULL ? EXIT_NO : EXIT_FINE;
	if (result != NULL && ctl->json)
		print_json(result);
	else if (result != NULL && print != NULL)
		print(result);
	json_decref(result);
	client_close(c);
	return status;
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

void print_counts(const json_t *counts)
{
	static const char *const keys[] = { "added", "changed", "unchanged", "removed", "conflicts" };
	const char *before = "";

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		json_int_t n = json_integer_value(json_object_get(counts, keys[i]));

		if (n == 0 && strcmp(keys[i], "conflicts") == 0)
			continue;
		printf("%s%" JSON_INTEGER_FORMAT " %s", before, n, keys[i]);
		before = ", ";
	}
	putchar('\n');
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

void describe_note(const json_t *note, bool ends, struct buf *b)
{
	char until[WHEN_TEXT_SIZE];
	int64_t at;

	if (!json_is_object(note))
		return;
	buf_printf(b, "note \"%s\" (%s)", text_of(note, "text"), text_of(note, "author"));
	if (ends && instant_parse(text_of(note, "until"), &at) == 0)
		buf_printf(b, ", until %s", when_format_short(at, instant_now().wall, until));
}

void print_change(const struct ctl *ctl, const json_t *presence)
{
	const char *overall = text_of(presence, "overall");
	struct buf rich, telephony, note;
	char when[WHEN_TEXT_SIZE] = "";
	int64_t at = 0;

	if (ctl->json) {
		print_json(presence);
		return;
	}
	if (instant_parse(text_of(presence, "at"), &at) == 0)
		when_format_short(at, at, when);
	buf_init(&rich, 4096);
	buf_init(&telephony, 4096);
	buf_init(&note, 4096);
	describe_rich(json_object_get(presence, "rich"), &rich);
	describe_telephony(json_object_get(presence, "telephony"), &telephony);
	describe_note(json_object_get(presence, "note"), false, &note);
	printf("%s  %-12s  %s%-22s%s  %-34s  %s%s%s\n", when, text_of(presence, "user"), table_colour(overall), overall,
	    table_plain(), buf_text(&rich), buf_text(&telephony), note.len == 0 ? "" : "  ", buf_text(&note));
	fflush(stdout);
	buf_done(&rich);
	buf_done(&telephony);
	buf_done(&note);
}
