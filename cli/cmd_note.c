/* cmd_note.c: presencectl note: what people write beside a user.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/when.h"
#include "daemon/base/instant.h"

static void print_note(const json_t *result)
{
	struct buf b;

	buf_init(&b, 4096);
	describe_note(json_object_get(result, "note"), true, &b);
	puts(buf_text(&b));
	buf_done(&b);
}

static void print_cleared(const json_t *result)
{
	puts(json_is_true(json_object_get(result, "cleared")) ? "The note is gone." : "There was no note.");
}

/* The end that --until or --for give: 0 and *ret (0: none), or EXIT_USAGE after saying why. */
static int end_of(const char *until, const char *duration, int64_t *ret)
{
	const struct command *command = command_find("note");
	int64_t now = instant_now().wall, ms;

	*ret = 0;
	if (until != NULL && duration != NULL)
		return usage_error(command, "--until and --for say the same thing.");
	if (until != NULL && when_parse(until, now, ret) < 0)
		return usage_error(command, "--until \"%s\" is no time: expected %s.", until, WHEN_EXPECTED);
	if (until != NULL && *ret <= now)
		return usage_error(command, "--until \"%s\" has passed.", until);
	if (duration == NULL)
		return EXIT_FINE;
	if (duration_parse(duration, &ms) < 0 || ms == 0 || ms > INT64_C(366) * 86400 * 1000)
		return usage_error(
		    command, "--for \"%s\" is no duration up to a year: expected one like 30m, 2h or 1h30m.", duration);
	*ret = now + ms;
	return EXIT_FINE;
}

/* The words as one text, as they would be said; owned by the caller. */
static json_t *text_from(int argc, char **argv)
{
	struct buf b;
	json_t *text;

	buf_init(&b, 1024 * 1024); /* the daemon says how long it may be */
	for (int i = 0; i < argc; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : " ", argv[i]);
	text = json_string(buf_text(&b));
	buf_done(&b);
	return text;
}

static int note_set(const struct ctl *ctl, int argc, char **argv)
{
	const char *until = take_option(&argc, argv, "--until"), *duration = take_option(&argc, argv, "--for");
	const char *author = take_option(&argc, argv, "--author");
	const struct command *command = command_find("note");
	char text[INSTANT_TEXT_SIZE];
	json_t *params;
	int64_t end;

	if (check_words(command, argc, argv) != EXIT_FINE || end_of(until, duration, &end) != EXIT_FINE)
		return EXIT_USAGE;
	if (argc < 3)
		return usage_error(command, "Beside whom, and what?");
	params = json_pack("{s:s, s:o}", "user", argv[1], "text", text_from(argc - 2, argv + 2));
	if (author != NULL && json_object_set_new(params, "author", json_string(author)) < 0) {
		json_decref(params);
		return usage_error(command, "The name of the author is not UTF-8.");
	}
	if (end != 0)
		json_object_set_new(params, "until", json_string(instant_format(end, text)));
	return ask(ctl, "notes.set", params, print_note);
}

static int note_clear(const struct ctl *ctl, int argc, char **argv)
{
	const struct command *command = command_find("note");

	if (check_words(command, argc, argv) != EXIT_FINE)
		return EXIT_USAGE;
	if (argc != 2)
		return usage_error(command, "note clear takes one user.");
	return ask(ctl, "notes.clear", json_pack("{s:s}", "user", argv[1]), print_cleared);
}

int cmd_note(const struct ctl *ctl, int argc, char **argv)
{
	static const struct verb verbs[] = { { "set", note_set }, { "clear", note_clear }, { 0 } };

	return run_verb(verbs, ctl, argc, argv);
}
