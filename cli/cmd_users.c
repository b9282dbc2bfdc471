/* cmd_users.c: presencectl users: the directory by hand.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/users_files.h"
#include "cli/users_text.h"

static const struct command *command(void)
{
	return command_find("users");
}

static int do_import(const struct ctl *ctl, int argc, char **argv)
{
	struct import_options options = { .replace = take_flag(&argc, argv, "--replace"),
		.force = take_flag(&argc, argv, "--force"),
		.dry_run = take_flag(&argc, argv, "--dry-run") };

	if (options.force && !options.replace)
		return usage_error(command(), "--force is for --replace: nobody is removed without it.");
	if (argc != 2)
		return usage_error(command(), "users import takes one file, or - for standard input.");
	return users_import(ctl, argv[1], &options);
}

static int do_export(const struct ctl *ctl, int argc, char **argv)
{
	if (argc > 2)
		return usage_error(command(), "users export takes one file, or none.");
	return users_export(ctl, argc == 2 ? argv[1] : NULL);
}

static void print_set(const json_t *result)
{
	printf("%s: %s\n", text_of(json_object_get(result, "user"), "id"),
	    json_is_true(json_object_get(result, "changed")) ? "changed" : "is as it was");
}

static int do_set(const struct ctl *ctl, int argc, char **argv)
{
	json_t *params;
	char why[512];

	if (check_words(command(), argc, argv) != EXIT_FINE)
		return EXIT_USAGE;
	if (argc < 3)
		return usage_error(command(), "users set takes a user, and what to set.");
	params = json_pack("{s:s}", "user", argv[1]);
	for (int i = 2; i < argc; i++) {
		if (!user_assign(params, argv[i], why, sizeof why)) {
			json_decref(params);
			return usage_error(command(), "%s.", why);
		}
	}
	return ask(ctl, "users.set", params, print_set);
}

/* Others may still name the user; then only what was set by hand is gone. */
static void print_removed(const char *user, const json_t *result)
{
	const json_t *origins = json_object_get(result, "origins");

	if (json_is_true(json_object_get(result, "removed"))) {
		printf("%s: removed\n", user);
		return;
	}
	printf("%s: nothing is set by hand any more; named by", user);
	for (size_t i = 0; i < json_array_size(origins); i++)
		printf("%s %s", i == 0 ? "" : ",", json_string_value(json_array_get(origins, i)));
	putchar('\n');
}

static int do_remove(const struct ctl *ctl, int argc, char **argv)
{
	struct client *c;
	int status = EXIT_FINE;

	if (check_words(command(), argc, argv) != EXIT_FINE)
		return EXIT_USAGE;
	if (argc < 2)
		return usage_error(command(), "Whom?");
	c = client_open(ctl->socket);
	if (c == NULL)
		return EXIT_UNREACHABLE;
	for (int i = 1; i < argc; i++) {
		json_t *result = client_call(c, "users.remove", json_pack("{s:s}", "user", argv[i]));

		if (result == NULL)
			status = EXIT_NO;
		else if (ctl->json)
			print_json(result);
		else
			print_removed(argv[i], result);
		json_decref(result);
	}
	client_close(c);
	return status;
}

static void print_renamed(const json_t *result)
{
	printf("now called %s\n", text_of(json_object_get(result, "user"), "id"));
}

static int do_rename(const struct ctl *ctl, int argc, char **argv)
{
	if (check_words(command(), argc, argv) != EXIT_FINE)
		return EXIT_USAGE;
	if (argc != 3)
		return usage_error(command(), "users rename takes a user, and the new id.");
	return ask(ctl, "users.rename", json_pack("{s:s, s:s}", "user", argv[1], "to", argv[2]), print_renamed);
}

static int do_sync(const struct ctl *ctl, int argc, char **argv)
{
	bool force = take_flag(&argc, argv, "--force");
	json_t *params;

	if (check_words(command(), argc, argv) != EXIT_FINE)
		return EXIT_USAGE;
	if (argc != 2)
		return usage_error(command(), "users sync takes one source.");
	params = json_pack("{s:s}", "source", argv[1]);
	if (force)
		json_object_set_new(params, "force", json_true());
	return ask(ctl, "users.sync", params, print_counts);
}

int cmd_users(const struct ctl *ctl, int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "import", do_import },
		{ "export", do_export },
		{ "set", do_set },
		{ "remove", do_remove },
		{ "rename", do_rename },
		{ "sync", do_sync },
		{ 0 },
	};

	return run_verb(verbs, ctl, argc, argv);
}
