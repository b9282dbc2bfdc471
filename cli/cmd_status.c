/* cmd_status.c: presencectl status.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/table.h"
#include "cli/when.h"
#include "daemon/base/instant.h"

static int64_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_daemon(const json_t *info, const json_t *stats)
{
	char up[DURATION_TEXT_SIZE], longest[64] = "";
	const json_t *loop = json_object_get(stats, "loop");

	printf("presenced %s, protocol %" PRId64, text_of(info, "version"), number(info, "protocol"));
	if (stats == NULL) {
		puts(" (counters need the permission admin)");
		return;
	}
	printf(", up %s\n", duration_format(number(stats, "uptime_ms") / 1000 * 1000, up));
	printf("%" PRId64 " users, %" PRId64 " watched at %" PRId64 " addresses; %" PRId64 " consoles; %" PRId64
	       " raw states, %" PRId64 " changes published; %" PRId64 " KiB\n",
	    number(stats, "users"), number(stats, "watched"), number(stats, "watches"), number(stats, "connections"),
	    number(stats, "raw_states"), number(stats, "published"),
	    number(json_object_get(stats, "memory"), "rss_kib"));
	if (number(loop, "longest_us") > 0)
		snprintf(longest, sizeof longest, ", the longest %.1f ms in %s",
		    (double)number(loop, "longest_us") / 1000, text_of(loop, "longest"));
	printf("%" PRId64 " stalls of the loop over 10 ms%s\n", number(loop, "stalls"), longest);
}

/* What cannot be kept now, and what goes on. */
static const struct {
	const char *status, *shown, *means;
} store_states[] = {
	{ "unavailable", "UNAVAILABLE", "changes are refused, presence goes on" },
	{ "returning", "returning", "the disk is back and is being brought up to date; changes are still refused" },
};

static void print_trouble(const json_t *store, const char *shown, const char *means)
{
	const char *why = text_of(store, "why");
	char since[WHEN_TEXT_SIZE] = "";
	int64_t at;

	if (instant_parse(text_of(store, "since"), &at) == 0)
		when_format_short(at, instant_now().wall, since);
	printf("%s%s%s%s%s; %s", shown, *since == '\0' ? "" : " since ", since, *why == '\0' ? "" : ": ", why, means);
}

static void print_store(const json_t *stats)
{
	const json_t *store = json_object_get(stats, "store");
	const char *status = text_of(store, "status");
	bool trouble = false;

	if (store == NULL)
		return;
	printf("store: ");
	for (size_t i = 0; i < sizeof store_states / sizeof *store_states && !trouble; i++) {
		trouble = strcmp(store_states[i].status, status) == 0;
		if (trouble)
			print_trouble(store, store_states[i].shown, store_states[i].means);
	}
	if (!trouble)
		printf("%s, %s, %" PRId64 " commits, %" PRId64 " waiting", status, text_of(store, "file"),
		    number(store, "commits"), number(store, "waiting"));
	if (number(store, "rows_lost") != 0)
		printf("; %" PRId64 " rows of history were lost", number(store, "rows_lost"));
	putchar('\n');
	printf("%" PRId64 " notes; %" PRId64 " requests wait for an answer%s\n", number(stats, "notes"),
	    number(stats, "requests"), number(stats, "requests") > 0 ? " (presencectl requests)" : "");
}

static void print_sources(const json_t *sources)
{
	static const char *const titles[] = { "SOURCE", "TECHNOLOGY", "STATUS", "ADDRESSES", "CORRECTED", "WHY" };
	struct table t;

	table_init(&t, 6, titles);
	for (size_t i = 0; i < json_array_size(sources); i++) {
		const json_t *s = json_array_get(sources, i);
		char watches[24], corrections[24];

		snprintf(watches, sizeof watches, "%" PRId64, number(s, "watches"));
		snprintf(corrections, sizeof corrections, "%" PRId64, number(s, "corrections"));
		table_row(&t,
		    (const char *const[]){ text_of(s, "name"), text_of(s, "technology"), text_of(s, "status"), watches,
			corrections, text_of(s, "why") });
	}
	putchar('\n');
	table_print(&t);
	table_done(&t);
}

static void print_bounds(const json_t *sources)
{
	char busy[DURATION_TEXT_SIZE], any[DURATION_TEXT_SIZE];

	putchar('\n');
	for (size_t i = 0; i < json_array_size(sources); i++) {
		const json_t *s = json_array_get(sources, i), *bound = json_object_get(s, "wrong_lamp");

		/* nothing is believed of the others beyond hold */
		if (strncmp(text_of(s, "status"), "up", 2) == 0)
			printf("a lamp stuck on busy lasts at most %s at source %s, any other wrong state %s\n",
			    duration_format(number(bound, "busy_ms"), busy), text_of(s, "name"),
			    duration_format(number(bound, "any_ms"), any));
	}
}

int cmd_status(const struct ctl *ctl, int argc, char **argv)
{
	struct client *c;
	json_t *info, *stats, *sources, *list;
	int code, result = EXIT_NO;

	if (argc > 1)
		return usage_error(command_find(argv[0]), "status takes no arguments.");
	c = client_open(ctl->socket);
	if (c == NULL)
		return EXIT_UNREACHABLE;
	info = client_call(c, "server.info", NULL);
	stats = client_try(c, "server.stats", NULL, &code);
	sources = client_call(c, "sources.list", NULL);
	list = json_object_get(sources, "sources");
	if (info != NULL && sources != NULL) {
		result = EXIT_FINE;
		if (ctl->json) {
			json_t *all = json_pack("{s:O, s:O?, s:O}", "server", info, "stats", stats, "sources", list);

			print_json(all);
			json_decref(all);
		} else {
			print_daemon(info, stats);
			print_store(stats);
			print_sources(list);
			print_bounds(list);
		}
	}
	json_decref(info);
	json_decref(stats);
	json_decref(sources);
	client_close(c);
	return result;
}
