/* cmd_history.c: presencectl history: rows of what was observed of a user, and how long each word was.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/history_summary.h"
#include "cli/table.h"
#include "cli/when.h"
#include "daemon/base/instant.h"

#define PAGE 500

struct history {
	const struct ctl *ctl;
	const char *user;
	int64_t from, to; /* wall ms; to INT64_MAX: until now */
	bool begun;	  /* the first page is there */
	struct history_summary summary;
	struct table table;
};

/* --- rows in words ------------------------------------------------------------------------------- */

static void describe_half(const json_t *half, void (*describe)(const json_t *half, struct buf *b), struct buf *b)
{
	if (strcmp(text_of(half, "status"), "ok") == 0)
		describe(half, b);
	else
		buf_printf(b, "not observed (%s)", text_of(half, "status"));
}

static void add_row(struct history *h, const json_t *row, const char *overall, const char *rich, const char *telephony)
{
	char when[WHEN_TEXT_SIZE] = "";
	int64_t at;

	if (instant_parse(text_of(row, "at"), &at) == 0)
		when_format(at, when);
	table_row(&h->table, (const char *const[]){ when, overall, rich, telephony });
}

static void add_change(struct history *h, const json_t *row)
{
	struct buf rich, telephony;

	buf_init(&rich, 4096);
	buf_init(&telephony, 4096);
	describe_half(json_object_get(row, "rich"), describe_rich, &rich);
	describe_half(json_object_get(row, "telephony"), describe_telephony, &telephony);
	add_row(h, row, text_of(row, "overall"), buf_text(&rich), buf_text(&telephony));
	buf_done(&rich);
	buf_done(&telephony);
}

static void add_started(struct history *h, const json_t *row)
{
	char when[WHEN_TEXT_SIZE], text[WHEN_TEXT_SIZE + 64] = "presenced started; before it nothing was observed";
	int64_t until;

	if (instant_parse(text_of(row, "observed_until"), &until) == 0)
		snprintf(text, sizeof text, "presenced started; observed until %s", when_format(until, when));
	add_row(h, row, "", text, "");
}

static void add_stopped(struct history *h, const json_t *row)
{
	add_row(h, row, "", "presenced ended", "");
}

static void add_removed(struct history *h, const json_t *row)
{
	add_row(h, row, "", "the user was removed", "");
}

static void add_renamed(struct history *h, const json_t *row)
{
	struct buf b;

	buf_init(&b, 1024);
	buf_printf(&b, "until then called %s", text_of(row, "from"));
	add_row(h, row, "", buf_text(&b), "");
	buf_done(&b);
}

static const struct {
	const char *name;
	void (*add)(struct history *h, const json_t *row);
} kinds[] = {
	{ "change", add_change },
	{ "started", add_started },
	{ "stopped", add_stopped },
	{ "removed", add_removed },
	{ "renamed", add_renamed },
};

static void add_words(struct history *h, const json_t *row)
{
	if (json_is_true(json_object_get(row, "gap")))
		table_row(&h->table, (const char *const[]){ "", "", "not observed (lost rows)", "" });
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].name, text_of(row, "kind")) == 0)
			kinds[i].add(h, row);
}

/* --- pages --------------------------------------------------------------------------------------- */

/* The first page says what time it is there, and what was in force. */
static void begin(struct history *h, const json_t *page)
{
	const json_t *before = json_object_get(page, "before");
	int64_t now = instant_now().wall;

	h->begun = true;
	(void)instant_parse(text_of(page, "now"), &now);
	history_summary_init(&h->summary, h->from, h->to, now);
	if (!json_is_object(before))
		return;
	history_summary_row(&h->summary, before);
	if (!h->ctl->json)
		add_words(h, before);
}

static void take_page(struct history *h, const json_t *page)
{
	const json_t *rows = json_object_get(page, "rows");

	if (!h->begun)
		begin(h, page);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		history_summary_row(&h->summary, row);
		if (h->ctl->json)
			print_json(row);
		else
			add_words(h, row);
	}
}

static json_t *params_of(const struct history *h, const json_t *after)
{
	char from[INSTANT_TEXT_SIZE], to[INSTANT_TEXT_SIZE];
	json_t *params =
	    json_pack("{s:s, s:s, s:i}", "user", h->user, "from", instant_format(h->from, from), "limit", PAGE);

	if (h->to != INT64_MAX)
		json_object_set_new(params, "to", json_string(instant_format(h->to, to)));
	if (json_is_integer(after))
		json_object_set(params, "after", (json_t *)(void *)after);
	return params;
}

static bool read_pages(struct history *h, struct client *c)
{
	json_t *page = client_call(c, "history.list", params_of(h, NULL)), *next;

	while (page != NULL) {
		take_page(h, page);
		next = json_incref(json_object_get(page, "next"));
		json_decref(page);
		if (!json_is_integer(next)) {
			json_decref(next);
			return true;
		}
		page = client_call(c, "history.list", params_of(h, next));
		json_decref(next);
	}
	return false;
}

/* The row behind the end: a daemon that died before it, or rows that were lost, are known by what comes then. */
static bool look_behind(struct history *h, struct client *c)
{
	char to[INSTANT_TEXT_SIZE];
	json_t *page;

	if (h->to == INT64_MAX)
		return true;
	page = client_call(c, "history.list",
	    json_pack("{s:s, s:s, s:i}", "user", h->user, "from", instant_format(h->to, to), "limit", 1));
	if (json_array_size(json_object_get(page, "rows")) > 0)
		history_summary_row(&h->summary, json_array_get(json_object_get(page, "rows"), 0));
	json_decref(page);
	return page != NULL;
}

/* --- the command --------------------------------------------------------------------------------- */

static void print_summary(struct history *h)
{
	char from[WHEN_TEXT_SIZE], to[WHEN_TEXT_SIZE];
	struct buf b;

	history_summary_end(&h->summary);
	if (h->ctl->json) {
		json_t *summary = json_pack("{s:o}", "summary", history_summary_json(&h->summary));

		print_json(summary);
		json_decref(summary);
		return;
	}
	buf_init(&b, 65536);
	history_summary_write(&h->summary, &b);
	table_print(&h->table);
	printf("\n%s from %s to %s:\n%s", h->user, when_format(h->summary.from, from), when_format(h->summary.at, to),
	    buf_text(&b));
	buf_done(&b);
}

static int show(struct history *h)
{
	static const char *const titles[] = { "TIME", "OVERALL", "RICH", "TELEPHONY" };
	struct client *c = client_open(h->ctl->socket);
	bool good;

	if (c == NULL)
		return EXIT_UNREACHABLE;
	table_init(&h->table, 4, titles);
	good = read_pages(h, c) && look_behind(h, c);
	if (good)
		print_summary(h);
	table_done(&h->table);
	client_close(c);
	return good ? EXIT_FINE : EXIT_NO;
}

int cmd_history(const struct ctl *ctl, int argc, char **argv)
{
	const char *from = take_option(&argc, argv, "--from"), *to = take_option(&argc, argv, "--to");
	const struct command *command = command_find("history");
	int64_t now = instant_now().wall;
	struct history h = { .ctl = ctl, .from = when_midnight(now, 0), .to = INT64_MAX };

	if (check_words(command, argc, argv) != EXIT_FINE)
		return EXIT_USAGE;
	if (argc != 2)
		return usage_error(command, "history takes one user.");
	if (from != NULL && when_parse(from, now, &h.from) < 0)
		return usage_error(command, "--from \"%s\" is no time: expected %s.", from, WHEN_EXPECTED);
	if (to != NULL && when_parse(to, now, &h.to) < 0)
		return usage_error(command, "--to \"%s\" is no time: expected %s.", to, WHEN_EXPECTED);
	if (h.from >= h.to)
		return usage_error(command, "--from must be before --to.");
	h.user = argv[1];
	return show(&h);
}
