/* cmd_requests.c: presencectl requests and contacts: who may see whom at the sources that ask.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/table.h"
#include "cli/when.h"
#include "daemon/base/instant.h"

/* --- requests ------------------------------------------------------------------------------------ */

static void add_request(struct table *t, const json_t *request)
{
	char id[24], when[WHEN_TEXT_SIZE] = "";
	int64_t at;

	snprintf(id, sizeof id, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(request, "id")));
	if (instant_parse(text_of(request, "at"), &at) == 0)
		when_format(at, when);
	table_row(t,
	    (const char *const[]){ id, when, text_of(request, "source"), text_of(request, "address"),
		text_of(request, "name"), text_of(request, "text") });
}

static void print_requests(const json_t *requests)
{
	static const char *const titles[] = { "ID", "SINCE", "SOURCE", "ADDRESS", "NAME", "TEXT" };
	struct table t;

	if (json_array_size(requests) == 0) {
		puts("Nobody waits for an answer.");
		return;
	}
	table_init(&t, sizeof titles / sizeof *titles, titles);
	for (size_t i = 0; i < json_array_size(requests); i++)
		add_request(&t, json_array_get(requests, i));
	table_print(&t);
	table_done(&t);
}

/* All pages in one list; NULL: the error was printed. */
static json_t *read_requests(struct client *c)
{
	json_t *all = json_array(), *page, *next = NULL;

	do {
		page = client_call(c, "requests.list", next == NULL ? NULL : json_pack("{s:o}", "after", next));
		if (page == NULL) {
			json_decref(all);
			return NULL;
		}
		json_array_extend(all, json_object_get(page, "requests"));
		next = json_incref(json_object_get(page, "next"));
		json_decref(page);
	} while (json_is_integer(next));
	json_decref(next);
	return all;
}

static int do_list(const struct ctl *ctl, int argc, char **argv)
{
	struct client *c;
	json_t *requests;

	(void)argv;
	if (argc > 1)
		return usage_error(command_find("requests"), "requests list takes no arguments.");
	c = client_open(ctl->socket);
	if (c == NULL)
		return EXIT_UNREACHABLE;
	requests = read_requests(c);
	for (size_t i = 0; ctl->json && i < json_array_size(requests); i++)
		print_json(json_array_get(requests, i));
	if (!ctl->json && requests != NULL)
		print_requests(requests);
	client_close(c);
	json_decref(requests);
	return requests == NULL ? EXIT_NO : EXIT_FINE;
}

/* One request; whether it went well. */
static bool answer(const struct ctl *ctl, struct client *c, const char *method, const char *done, json_int_t id)
{
	json_t *result = client_call(c, method, json_pack("{s:I}", "id", id));
	const json_t *request = json_object_get(result, "request");
	bool good = result != NULL;

	if (good && ctl->json)
		print_json(result);
	else if (good)
		printf("%" JSON_INTEGER_FORMAT ": %s %s at source %s\n", id, done, text_of(request, "address"),
		    text_of(request, "source"));
	json_decref(result);
	return good;
}

static bool read_id(const char *text, json_int_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *ret >= 0;
}

static int answer_all(const struct ctl *ctl, const char *method, const char *done, int argc, char **argv)
{
	struct client *c;
	json_int_t id;
	int status = EXIT_FINE;

	if (argc < 2)
		return usage_error(command_find("requests"), "Which? Ids are in the list of requests.");
	for (int i = 1; i < argc; i++)
		if (!read_id(argv[i], &id))
			return usage_error(command_find("requests"), "\"%s\" is no id of a request.", argv[i]);
	c = client_open(ctl->socket);
	if (c == NULL)
		return EXIT_UNREACHABLE;
	for (int i = 1; i < argc; i++)
		if (!read_id(argv[i], &id) || !answer(ctl, c, method, done, id))
			status = EXIT_NO; /* the others may still be answered */
	client_close(c);
	return status;
}

static int do_accept(const struct ctl *ctl, int argc, char **argv)
{
	return answer_all(ctl, "requests.accept", "accepted", argc, argv);
}

static int do_deny(const struct ctl *ctl, int argc, char **argv)
{
	return answer_all(ctl, "requests.deny", "denied", argc, argv);
}

int cmd_requests(const struct ctl *ctl, int argc, char **argv)
{
	static const struct verb verbs[] = { { "list", do_list }, { "accept", do_accept }, { "deny", do_deny }, { 0 } };

	return argc == 1 ? do_list(ctl, argc, argv) : run_verb(verbs, ctl, argc, argv);
}

/* --- contacts ------------------------------------------------------------------------------------ */

static void print_added(const json_t *result)
{
	printf("%s was asked to show presence to us.\n", text_of(result, "address"));
}

static void print_ended(const json_t *result)
{
	printf("The presence of %s is not asked for any more.\n", text_of(result, "address"));
}

static int contact(
    const struct ctl *ctl, const char *method, int argc, char **argv, void (*print)(const json_t *result))
{
	const struct command *command = command_find("contacts");

	if (check_words(command, argc, argv) != EXIT_FINE)
		return EXIT_USAGE;
	if (argc != 3)
		return usage_error(command, "contacts %s takes a source and a user.", argv[0]);
	return ask(ctl, method, json_pack("{s:s, s:s}", "source", argv[1], "user", argv[2]), print);
}

static int do_add(const struct ctl *ctl, int argc, char **argv)
{
	return contact(ctl, "contacts.add", argc, argv, print_added);
}

static int do_end(const struct ctl *ctl, int argc, char **argv)
{
	return contact(ctl, "contacts.remove", argc, argv, print_ended);
}

int cmd_contacts(const struct ctl *ctl, int argc, char **argv)
{
	static const struct verb verbs[] = { { "add", do_add }, { "remove", do_end }, { 0 } };

	return run_verb(verbs, ctl, argc, argv);
}
