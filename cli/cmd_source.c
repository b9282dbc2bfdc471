/* cmd_source.c: presencectl source, doctor, reload, log.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/table.h"
#include "connectors/spec.h"

static void print_status(const json_t *result)
{
	printf("source %s: %s\n", text_of(result, "name"), text_of(result, "status"));
}

static void print_options(const struct connector_spec *spec)
{
	char expects[640];

	printf("type: %s\n    %s\n\n", spec->type, spec->help);
	for (const struct option *o = spec->options; o->name != NULL; o++) {
		printf("  %s: %s", o->name, option_expects(o, expects, sizeof expects));
		if (o->fallback != NULL)
			printf(", default %s", o->fallback);
		printf("%s\n      %s\n", (o->flags & OPTION_REQUIRED) != 0 ? ", required" : "", o->help);
	}
}

/* The name of a type, or of a source whose type the daemon knows. */
static int help(const struct ctl *ctl, const char *name)
{
	const struct connector_spec *spec = connector_spec_find(name);
	json_t *sources;
	struct client *c;

	if (spec == NULL && (c = client_open(ctl->socket)) != NULL) {
		sources = client_call(c, "sources.list", NULL);
		for (size_t i = 0; i < json_array_size(json_object_get(sources, "sources")); i++) {
			const json_t *s = json_array_get(json_object_get(sources, "sources"), i);

			if (strcmp(text_of(s, "name"), name) == 0)
				spec = connector_spec_find(text_of(s, "type"));
		}
		json_decref(sources);
		client_close(c);
	}
	if (spec == NULL) {
		fprintf(
		    stderr, "presencectl: There is no source and no type of source called \"%s\"; types are:", name);
		for (size_t i = 0; connector_specs[i] != NULL; i++)
			fprintf(stderr, " %s", connector_specs[i]->type);
		fputs(".\n", stderr);
		return EXIT_NO;
	}
	print_options(spec);
	return EXIT_FINE;
}

int source_types(void)
{
	for (size_t i = 0; connector_specs[i] != NULL; i++)
		printf("%s\n    %s\n", connector_specs[i]->type, connector_specs[i]->help);
	puts("\nOptions of one: presencectl help source TYPE");
	return EXIT_FINE;
}

int cmd_source(const struct ctl *ctl, int argc, char **argv)
{
	static const char *const verbs[] = { "start", "stop", "restart" };
	char method[32];

	if (argc != 3)
		return usage_error(command_find("source"), "source takes a name and what to do.");
	if (strcmp(argv[2], "help") == 0)
		return help(ctl, argv[1]);
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(verbs[i], argv[2]) != 0)
			continue;
		snprintf(method, sizeof method, "sources.%s", verbs[i]);
		return ask(ctl, method, json_pack("{s:s}", "name", argv[1]), print_status);
	}
	return usage_error(command_find("source"), "A source has no command \"%s\".", argv[2]);
}

static void print_warnings(const json_t *result)
{
	const json_t *warnings = json_object_get(result, "warnings");

	for (size_t i = 0; i < json_array_size(warnings); i++)
		printf("warning: %s\n", json_string_value(json_array_get(warnings, i)));
	if (json_object_get(result, "users") != NULL) {
		fputs("users: ", stdout);
		print_counts(json_object_get(result, "users"));
	}
	puts("The configuration was read again.");
}

int cmd_reload(const struct ctl *ctl, int argc, char **argv)
{
	bool force = take_flag(&argc, argv, "--force");

	if (argc > 1)
		return usage_error(command_find(argv[0]), "reload takes no arguments.");
	return ask(ctl, "config.reload", force ? json_pack("{s:b}", "force", 1) : NULL, print_warnings);
}

int cmd_log(const struct ctl *ctl, int argc, char **argv)
{
	if (argc < 2 || argc > 3)
		return usage_error(command_find(argv[0]), "log takes a level, and perhaps a subsystem.");
	return ask(ctl, "log.level",
	    argc == 2 ? json_pack("{s:s}", "level", argv[1]) :
			json_pack("{s:s, s:s}", "level", argv[1], "subsystem", argv[2]),
	    NULL);
}

/* --- doctor -------------------------------------------------------------------------------------- */

static void print_hops(const json_t *result)
{
	const json_t *hops = json_object_get(result, "hops");

	printf("source %s\n", text_of(result, "name"));
	for (size_t i = 0; i < json_array_size(hops); i++) {
		const json_t *h = json_array_get(hops, i);
		bool ok = json_is_true(json_object_get(h, "ok"));

		printf("  %s%s%s  %-14s %s\n", table_colour(ok ? "ok" : "error"), ok ? "ok  " : "FAIL", table_plain(),
		    text_of(h, "hop"), text_of(h, "sentence"));
	}
}

static int probe(const struct ctl *ctl, struct client *c, const char *name)
{
	json_t *result = client_call(c, "sources.probe", json_pack("{s:s}", "name", name));
	int status = json_is_true(json_object_get(result, "ok")) ? EXIT_FINE : EXIT_NO;

	if (result != NULL && ctl->json)
		print_json(result);
	else if (result != NULL)
		print_hops(result);
	json_decref(result);
	return status;
}

int cmd_doctor(const struct ctl *ctl, int argc, char **argv)
{
	struct client *c;
	json_t *sources;
	int status = EXIT_FINE;

	if (argc > 2)
		return usage_error(command_find(argv[0]), "doctor takes one source, or none for all.");
	c = client_open(ctl->socket);
	if (c == NULL)
		return EXIT_UNREACHABLE;
	if (argc == 2) {
		status = probe(ctl, c, argv[1]);
		client_close(c);
		return status;
	}
	sources = client_call(c, "sources.list", NULL);
	for (size_t i = 0; i < json_array_size(json_object_get(sources, "sources")); i++) {
		const json_t *s = json_array_get(json_object_get(sources, "sources"), i);

		if (json_is_true(json_object_get(s, "enabled")) && probe(ctl, c, text_of(s, "name")) != EXIT_FINE)
			status = EXIT_NO;
	}
	if (sources == NULL)
		status = EXIT_NO;
	else if (json_array_size(json_object_get(sources, "sources")) == 0)
		puts("There are no sources: add one under sources: in the configuration.");
	json_decref(sources);
	client_close(c);
	return status;
}
