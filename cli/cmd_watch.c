/* cmd_watch.c: presencectl watch and subscribe: lines as presence changes.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl.h"
#include "daemon/base/instant.h"

static void print_notification(const struct ctl *ctl, const json_t *n)
{
	const json_t *params = json_object_get(n, "params");
	const char *method = text_of(n, "method");

	if (strcmp(method, "presence.changed") == 0)
		print_change(ctl, params);
	else if (strcmp(method, "presence.removed") == 0 && ctl->json)
		print_json(params);
	else if (strcmp(method, "presence.removed") == 0)
		printf("          %-12s  %s\n", text_of(params, "user"),
		    strcmp(text_of(params, "reason"), "left") == 0 ? "left the group" : "was removed");
	else if (strcmp(method, "server.closing") == 0)
		fprintf(stderr, "presencectl: presenced has closed the connection: %s.\n", text_of(params, "reason"));
	fflush(stdout);
}

/* Print what comes until `deadline` (INSTANT_NEVER: for ever). */
static int follow(const struct ctl *ctl, struct client *c, int64_t deadline)
{
	int ended = 0;

	for (;;) {
		int64_t left = deadline == INSTANT_NEVER ? -1 : deadline - instant_now().mono;
		json_t *n = deadline != INSTANT_NEVER && left <= 0 ? NULL : client_next(c, left, &ended);

		if (n == NULL && !ended && deadline == INSTANT_NEVER)
			continue; /* interrupted */
		if (n == NULL)
			return ended ? EXIT_UNREACHABLE : EXIT_FINE;
		print_notification(ctl, n);
		json_decref(n);
	}
}

static int subscribe(const struct ctl *ctl, json_t *params, int64_t ms)
{
	struct client *c = client_open(ctl->socket);
	const json_t *unknown;
	json_t *result;
	int status = EXIT_NO;

	if (c == NULL) {
		json_decref(params);
		return EXIT_UNREACHABLE;
	}
	result = client_call(c, "presence.subscribe", params);
	unknown = json_object_get(result, "unknown");
	for (size_t i = 0; i < json_array_size(unknown); i++)
		fprintf(stderr, "presencectl: There is no user \"%s\" yet.\n",
		    json_string_value(json_array_get(unknown, i)));
	if (result != NULL)
		status = follow(ctl, c, ms < 0 ? INSTANT_NEVER : instant_now().mono + ms);
	json_decref(result);
	client_close(c);
	return status;
}

int cmd_watch(const struct ctl *ctl, int argc, char **argv)
{
	json_t *users = json_array();

	for (int i = 1; i < argc; i++)
		json_array_append_new(users, json_string(argv[i]));
	if (argc > 1)
		return subscribe(ctl, json_pack("{s:o, s:b}", "users", users, "demand", 0), -1);
	json_decref(users);
	return subscribe(ctl, json_pack("{s:b, s:b}", "all", 1, "demand", 0), -1);
}

int cmd_subscribe(const struct ctl *ctl, int argc, char **argv)
{
	const char *seconds = take_option(&argc, argv, "--seconds");
	long n = seconds == NULL ? 60 : strtol(seconds, NULL, 10);

	if (argc != 2 || n < 1 || n > 86400)
		return usage_error(command_find(argv[0]), "subscribe takes one user, and 1 to 86400 seconds.");
	if (!ctl->json)
		printf("Watching %s for %ld seconds.\n", argv[1], n);
	return subscribe(ctl, json_pack("{s:[s], s:b}", "users", argv[1], "demand", 1), n * 1000);
}
