/* presencectl.c: the command line of presencectl: options, and the table of commands.
 * SPDX-License-Identifier: MIT */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl.h"

#define DEFAULT_SOCKET "/run/presenced/presenced.sock"

const struct command commands[] = {
	{ "status", "", "The daemon, its sources, and how long a wrong lamp can last.", 0, 0, cmd_status },
	{ "list", "[--rich WORD] [--telephony WORD] [--source NAME] [--match GLOB]",
	    "All users with their presence; a WORD is a state or a status.", 0, 0, cmd_list },
	{ "get", "USER...", "The presence of these users now; waits 3 seconds for who was not watched.", 1, -1,
	    cmd_get },
	{ "watch", "[USER...]", "A line for each change, of all users or of these; only observes.", 0, -1, cmd_watch },
	{ "explain", "USER", "Why this user looks like this: every state, every rule, who wants to know.", 1, 1,
	    cmd_explain },
	{ "subscribe", "[--seconds N] USER", "Watch a user for a minute, whoever else does, and print what arrives.", 1,
	    1, cmd_subscribe },
	{ "doctor", "[SOURCE]", "Check each hop to each source, and say in a sentence what to fix.", 0, 1, cmd_doctor },
	{ "source", "NAME start|stop|restart|help", "Start, stop or restart a source; what options it has.", 2, 2,
	    cmd_source },
	{ "note", "set [--until TIME | --for DURATION] [--author NAME] USER TEXT... | clear USER",
	    "Write a note beside a user that everybody sees, or take it away.", 2, -1, cmd_note },
	{ "history", "[--from TIME] [--to TIME] USER",
	    "What was observed of a user, today or in this time, and for how long.", 1, 1, cmd_history },
	{ "users",
	    "import [--replace [--force]] [--dry-run] FILE | export [FILE] | set USER COLUMN=VALUE... | "
	    "remove USER... | rename USER NEW | sync [--force] SOURCE",
	    "Change the directory by hand, all or nothing, or write it to a file.", 1, -1, cmd_users },
	{ "requests", "[list | accept ID... | deny ID...]",
	    "Who asks to see presence of ours and waits for an answer; accept or deny.", 0, -1, cmd_requests },
	{ "contacts", "add|remove SOURCE USER", "Ask at a source to see the presence of a user, or end that.", 3, 3,
	    cmd_contacts },
	{ "reload", "[--force]", "Read the configuration and the users again; --force also when many users go.", 0, 0,
	    cmd_reload },
	{ "log", "LEVEL [SUBSYSTEM]", "Set what is logged: error, warning, info or debug.", 1, 2, cmd_log },
	{ "record", "[FILE]", "Write what sources say, as it arrives, to a file or to standard output.", 0, 1,
	    cmd_record },
	{ "replay", "[--config FILE] [--live SOCKET [--fast]] FILE",
	    "Take a recording through the rules in its own time, or push it into a feed.", 1, 1, cmd_replay },
	{ "decode", "[--type CONTENT-TYPE] [--entity ADDRESS] pidf|dialog-info|csta FILE...",
	    "What documents of a server mean to us, one line a file, each after those before it.", 2, -1, cmd_decode },
	{ "compose", "[--config FILE]", "Raw states as JSON lines in, one composed presence a user out.", 0, 0,
	    cmd_compose },
	{ "help", "[COMMAND | source [TYPE]]", "This list, one command, or the options of a kind of source.", 0, 2,
	    cmd_help },
	{ 0 },
};

static const char usage[] = "Usage: presencectl [-s SOCKET] [--json] COMMAND [ARGUMENT...]\n";

int cmd_help(const struct ctl *ctl, int argc, char **argv)
{
	const struct command *command = argc > 1 ? command_find(argv[1]) : NULL;

	if (argc > 1 && strcmp(argv[1], "source") == 0 && argc == 3)
		return cmd_source(ctl, 3, (char *[]){ (char *)"source", argv[2], (char *)"help", NULL });
	if (argc == 2 && strcmp(argv[1], "source") == 0) {
		printf("presencectl %s %s\n    %s\n\nTypes of sources:\n", command->name, command->arguments,
		    command->help);
		return source_types();
	}
	if (argc > 1 && command == NULL)
		return usage_error(NULL, "There is no command \"%s\".", argv[1]);
	if (command != NULL) {
		printf("presencectl %s %s\n    %s\n", command->name, command->arguments, command->help);
		return EXIT_FINE;
	}
	printf("%s\nAsks presenced what it knows.\n\n  -s, --socket SOCKET  where presenced listens, default "
	       "$PRESENCED_SOCKET or " DEFAULT_SOCKET
	       "\n  --json               one JSON object a line, for programs\n\n",
	    usage);
	for (const struct command *c = commands; c->name != NULL; c++)
		printf("  %s %s\n      %s\n", c->name, c->arguments, c->help);
	puts("\nExit status: 0 fine, 1 the answer is no, 2 wrong usage, 3 presenced cannot be reached.");
	return EXIT_FINE;
}

static int run(const struct ctl *ctl, int argc, char **argv)
{
	const struct command *command = argc == 0 ? NULL : command_find(argv[0]);

	if (argc == 0) {
		fputs(usage, stderr);
		return usage_error(NULL, "Which command?");
	}
	if (command == NULL)
		return usage_error(NULL, "There is no command \"%s\".", argv[0]);
	return command->run(ctl, argc, argv);
}

int main(int argc, char **argv)
{
	const char *socket = getenv("PRESENCED_SOCKET"), *given;
	struct ctl ctl = { .socket = socket != NULL && *socket != '\0' ? socket : DEFAULT_SOCKET };

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN); /* a daemon that turns us away has said why before */
	if (take_flag(&argc, argv, "-h") || take_flag(&argc, argv, "--help"))
		return cmd_help(&ctl, 1, argv);
	if (take_flag(&argc, argv, "-V") || take_flag(&argc, argv, "--version")) {
		puts("presencectl " PRESENCED_VERSION);
		return EXIT_FINE;
	}
	ctl.json = take_flag(&argc, argv, "--json");
	while (
	    (given = take_option(&argc, argv, "-s")) != NULL || (given = take_option(&argc, argv, "--socket")) != NULL)
		ctl.socket = given;
	return run(&ctl, argc - 1, argv + 1);
}
