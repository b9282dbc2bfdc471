/* cmd_list.c: presencectl list and get: tables of users.
 * SPDX-License-Identifier: MIT */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/table.h"
#include "daemon/model/vocab.h"

#define PAGE 500

struct filter {
	const char *rich, *telephony, *source, *match;
};

static bool has_word(const json_t *half, const char *word)
{
	static const char *const keys[] = { "status", "availability", "activity", "mode", "line" };

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (strcmp(text_of(half, keys[i]), word) == 0)
			return true;
	return false;
}

static bool is_word(const char *word, const struct vocab *const *vocabs)
{
	for (; *vocabs != NULL; vocabs++)
		if (vocab_find(*vocabs, word) >= 0)
			return true;
	return false;
}

/* A slip would look like "nobody". NULL, or the word that is none. */
static const char *wrong_word(const struct filter *f)
{
	static const struct vocab *const rich[] = { &vocab_availability, &vocab_activity, &vocab_state_status, NULL };
	static const struct vocab *const telephony[] = { &vocab_mode, &vocab_line, &vocab_state_status, NULL };

	if (f->rich != NULL && !is_word(f->rich, rich))
		return f->rich;
	return f->telephony != NULL && !is_word(f->telephony, telephony) ? f->telephony : NULL;
}

static bool passes(const struct filter *f, const json_t *presence)
{
	const json_t *rich = json_object_get(presence, "rich"), *telephony = json_object_get(presence, "telephony");

	if (f->rich != NULL && !has_word(rich, f->rich))
		return false;
	if (f->telephony != NULL && !has_word(telephony, f->telephony))
		return false;
	return f->source == NULL || strcmp(text_of(rich, "source"), f->source) == 0 ||
	    strcmp(text_of(telephony, "source"), f->source) == 0;
}

static const char *const titles[] = { "USER", "NAME", "OVERALL", "RICH", "TELEPHONY", "NOTE" };
#define COLUMNS (sizeof titles / sizeof *titles)

static void add_row(struct table *t, const json_t *presence, const char *name)
{
	struct buf rich, telephony, note;

	buf_init(&rich, 4096);
	buf_init(&telephony, 4096);
	buf_init(&note, 4096);
	describe_rich(json_object_get(presence, "rich"), &rich);
	describe_telephony(json_object_get(presence, "telephony"), &telephony);
	describe_note(json_object_get(presence, "note"), false, &note);
	table_row(t,
	    (const char *const[]){ text_of(presence, "user"), name, text_of(presence, "overall"), buf_text(&rich),
		buf_text(&telephony), buf_text(&note) });
	buf_done(&rich);
	buf_done(&telephony);
	buf_done(&note);
}

/* The presences of one page of users.list, filtered. */
static int list_page(
    const struct ctl *ctl, struct client *c, const json_t *users, const struct filter *f, struct table *t)
{
	json_t *ids = json_array(), *names = json_object(), *result;

	for (size_t i = 0; i < json_array_size(users); i++) {
		const json_t *u = json_array_get(users, i);

		if (f->match != NULL && fnmatch(f->match, text_of(u, "id"), 0) != 0)
			continue;
		json_array_append_new(ids, json_string(text_of(u, "id")));
		json_object_set_new(names, text_of(u, "id"), json_string(text_of(u, "name")));
	}
	result = client_call(c, "presence.get", json_pack("{s:o}", "users", ids));
	for (size_t i = 0; i < json_array_size(json_object_get(result, "presences")); i++) {
		const json_t *p = json_array_get(json_object_get(result, "presences"), i);

		if (!passes(f, p))
			continue;
		if (ctl->json)
			print_json(p);
		else
			add_row(t, p, text_of(names, text_of(p, "user")));
	}
	json_decref(names);
	json_decref(result);
	return result == NULL ? EXIT_NO : EXIT_FINE;
}

static int list(const struct ctl *ctl, struct client *c, const struct filter *f, struct table *t)
{
	json_t *page, *next = json_null();
	int result;

	do {
		page = json_is_null(next) ? json_pack("{s:i}", "limit", PAGE) :
					    json_pack("{s:i, s:O}", "limit", PAGE, "after", next);
		json_decref(next);
		page = client_call(c, "users.list", page);
		if (page == NULL)
			return EXIT_NO;
		result = list_page(ctl, c, json_object_get(page, "users"), f, t);
		next = json_incref(json_object_get(page, "next"));
		json_decref(page);
	} while (result == EXIT_FINE && json_is_string(next));
	json_decref(next);
	return result;
}

int cmd_list(const struct ctl *ctl, int argc, char **argv)
{
	struct filter f = { .rich = take_option(&argc, argv, "--rich"),
		.telephony = take_option(&argc, argv, "--telephony"),
		.source = take_option(&argc, argv, "--source"),
		.match = take_option(&argc, argv, "--match") };
	struct client *c;
	struct table t;
	int result;

	if (argc > 1)
		return usage_error(command_find(argv[0]), "What is \"%s\"?", argv[1]);
	if (wrong_word(&f) != NULL)
		return usage_error(command_find(argv[0]), "\"%s\" is no state and no status.", wrong_word(&f));
	c = client_open(ctl->socket);
	if (c == NULL)
		return EXIT_UNREACHABLE;
	table_init(&t, COLUMNS, titles);
	result = list(ctl, c, &f, &t);
	table_hide_empty(&t); /* most have no note */
	if (result == EXIT_FINE && !ctl->json)
		table_print(&t);
	table_done(&t);
	client_close(c);
	return result;
}

static void print_presences(const struct ctl *ctl, const json_t *presences)
{
	struct table t;

	table_init(&t, COLUMNS, titles);
	for (size_t i = 0; i < json_array_size(presences); i++) {
		if (ctl->json)
			print_json(json_array_get(presences, i));
		else
			add_row(&t, json_array_get(presences, i), "");
	}
	table_hide_empty(&t);
	if (!ctl->json && json_array_size(presences) > 0)
		table_print(&t);
	table_done(&t);
}

int cmd_get(const struct ctl *ctl, int argc, char **argv)
{
	json_t *users = json_array(), *result;
	const json_t *unknown;
	struct client *c;
	int status;

	if (argc < 2) {
		json_decref(users);
		return usage_error(command_find(argv[0]), "Whose presence?");
	}
	c = client_open(ctl->socket);
	if (c == NULL) {
		json_decref(users);
		return EXIT_UNREACHABLE;
	}
	for (int i = 1; i < argc; i++)
		json_array_append_new(users, json_string(argv[i]));
	result = client_call(c, "presence.get", json_pack("{s:o, s:i}", "users", users, "wait", 3000));
	unknown = json_object_get(result, "unknown");
	print_presences(ctl, json_object_get(result, "presences"));
	for (size_t i = 0; i < json_array_size(unknown); i++)
		fprintf(
		    stderr, "presencectl: There is no user \"%s\".\n", json_string_value(json_array_get(unknown, i)));
	status = result == NULL || json_array_size(unknown) > 0 ? EXIT_NO : EXIT_FINE;
	json_decref(result);
	client_close(c);
	return status;
}
