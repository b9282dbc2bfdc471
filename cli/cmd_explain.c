/* cmd_explain.c: presencectl explain: why a user looks like this.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/table.h"
#include "daemon/base/instant.h"

static void print_state(const json_t *state)
{
	char age[DURATION_TEXT_SIZE] = "never";
	struct buf facts;

	buf_init(&facts, 4096);
	if (strcmp(text_of(state, "domain"), "rich") == 0)
		describe_rich(state, &facts);
	else
		describe_telephony(state, &facts);
	if (json_object_get(state, "age_ms") != NULL) {
		int64_t ms = json_integer_value(json_object_get(state, "age_ms"));

		duration_format(ms < 1000 ? ms : ms / 1000 * 1000, age);
	}
	printf("  %-10s %-10s %-24s %s\n", text_of(state, "source"), text_of(state, "domain"),
	    text_of(state, "address"), buf_text(&facts));
	printf("  %21s last said: %s%s%s%s\n", "", age, strcmp(age, "never") == 0 ? "" : " ago",
	    *text_of(state, "why") == '\0' ? "" : "; ", text_of(state, "why"));
	buf_done(&facts);
}

static void print_trace(const json_t *trace)
{
	for (size_t i = 0; i < json_array_size(trace); i++) {
		const json_t *row = json_array_get(trace, i);
		const char *source = text_of(row, "source");

		printf("  %-10s %-10s %-14s %s\n", text_of(row, "about"), *source == '\0' ? "-" : source,
		    text_of(row, "verdict"), text_of(row, "why"));
	}
}

static void print_demand(const json_t *demand)
{
	if (json_array_size(demand) == 0)
		puts("  nobody: the user is not watched");
	for (size_t i = 0; i < json_array_size(demand); i++) {
		const json_t *d = json_array_get(demand, i);

		if (strcmp(text_of(d, "by"), "console") == 0)
			printf("  a console, process %" JSON_INTEGER_FORMAT " of account %" JSON_INTEGER_FORMAT "\n",
			    json_integer_value(json_object_get(d, "pid")),
			    json_integer_value(json_object_get(d, "uid")));
		else if (strcmp(text_of(d, "by"), "always") == 0)
			puts("  monitoring.mode: always");
		else
			puts("  nobody any more: watched for monitoring.linger after the last demand");
	}
}

static void print_explanation(const struct ctl *ctl, const json_t *e)
{
	const json_t *states = json_object_get(e, "states");

	print_change(ctl, json_object_get(e, "presence"));
	puts("\nWhat the sources say:");
	if (json_array_size(states) == 0)
		puts("  nothing");
	for (size_t i = 0; i < json_array_size(states); i++)
		print_state(json_array_get(states, i));
	puts("\nHow it was decided:");
	print_trace(json_object_get(e, "trace"));
	puts("\nWho wants to know:");
	print_demand(json_object_get(e, "demand"));
}

int cmd_explain(const struct ctl *ctl, int argc, char **argv)
{
	struct client *c;
	json_t *result;
	int status;

	if (argc != 2)
		return usage_error(command_find(argv[0]), "explain takes one user.");
	c = client_open(ctl->socket);
	if (c == NULL)
		return EXIT_UNREACHABLE;
	result = client_call(c, "presence.explain", json_pack("{s:s}", "user", argv[1]));
	status = result == NULL ? EXIT_NO : EXIT_FINE;
	if (result != NULL && ctl->json)
		print_json(result);
	else if (result != NULL)
		print_explanation(ctl, result);
	json_decref(result);
	client_close(c);
	return status;
}
