/* users_export.c: all users of the directory, as CSV or as JSON lines.
 * SPDX-License-Identifier: MIT */
#include "cli/users_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/users_text.h"

#define PAGE	      500
#define ROW_MAX_BYTES (1024 * 1024)

struct export
{
	struct user_fields **users; /* owned */
	size_t count, size;
	struct users_columns columns;
};

static int complain(const char *id, const char *why)
{
	fprintf(stderr, "presencectl: User \"%s\" cannot be exported: %s.\n", id, why);
	return EXIT_NO;
}

/* Takes `fields`. */
static bool keep(struct export *ex, struct user_fields *fields)
{
	if (ex->count == ex->size) {
		size_t size = ex->size == 0 ? 1024 : ex->size * 2;
		struct user_fields **grown = reallocarray(ex->users, size, sizeof *grown);

		if (grown == NULL) {
			free(fields);
			return false;
		}
		ex->users = grown;
		ex->size = size;
	}
	ex->users[ex->count++] = fields;
	return true;
}

static int take_user(const struct ctl *ctl, struct export *ex, const json_t *user)
{
	struct user_fields *fields;
	char why[512];

	if (json_object_get(user, "addresses") == NULL) {
		fputs(
		    "presencectl: An export needs the permission admin: addresses are not shown without it.\n", stderr);
		return EXIT_NO;
	}
	fields = user_from_json(user, why, sizeof why);
	if (fields == NULL)
		return complain(text_of(user, "id"), why);
	if (!ctl->json && !users_columns_add(&ex->columns, fields)) {
		free(fields);
		return complain(text_of(user, "id"), "CSV would have more columns than are read back; take --json");
	}
	if (!keep(ex, fields))
		return complain(text_of(user, "id"), "there is not enough memory");
	return EXIT_FINE;
}

static int take_page(const struct ctl *ctl, struct export *ex, const json_t *page)
{
	const json_t *users = json_object_get(page, "users");
	int status = page == NULL ? EXIT_NO : EXIT_FINE;

	for (size_t i = 0; i < json_array_size(users) && status == EXIT_FINE; i++)
		status = take_user(ctl, ex, json_array_get(users, i));
	return status;
}

/* Page after page, until there is no next one. */
static int fetch(const struct ctl *ctl, struct export *ex)
{
	struct client *c = client_open(ctl->socket);
	json_t *page = NULL;
	int status;

	if (c == NULL)
		return EXIT_UNREACHABLE;
	do {
		json_t *params = json_pack(
		    "{s:i, s:O*}", "limit", PAGE, "after", page == NULL ? NULL : json_object_get(page, "next"));

		json_decref(page);
		page = client_call(c, "users.list", params);
		status = take_page(ctl, ex, page);
	} while (status == EXIT_FINE && json_is_string(json_object_get(page, "next")));
	json_decref(page);
	client_close(c);
	return status;
}

static void write_users(const struct ctl *ctl, const struct export *ex, FILE *out)
{
	struct buf line;

	buf_init(&line, ROW_MAX_BYTES);
	if (!ctl->json)
		users_columns_write_titles(&ex->columns, &line);
	for (size_t i = 0; i < ex->count; i++) {
		if (ctl->json) {
			json_t *user = user_to_json(ex->users[i]);

			json_dumpf(user, out, JSON_COMPACT);
			fputc('\n', out);
			json_decref(user);
			continue;
		}
		users_columns_write_user(&ex->columns, ex->users[i], &line);
		fputs(buf_text(&line), out);
		buf_clear(&line);
	}
	fputs(buf_text(&line), out); /* titles of nobody */
	buf_done(&line);
}

/* Only now that everything is here: a file that is there already is not lost to a daemon that cannot be reached. */
static int save(const struct ctl *ctl, const struct export *ex, const char *path)
{
	FILE *out = path == NULL ? stdout : fopen(path, "we");
	bool good = out != NULL;

	if (good) {
		write_users(ctl, ex, out);
		good = fflush(out) == 0 && !ferror(out);
	}
	if (!good)
		fprintf(stderr, "presencectl: %s cannot be written: %s.\n", path == NULL ? "The output" : path,
		    strerror(errno));
	else if (path != NULL)
		fprintf(stderr, "%zu users written to %s.\n", ex->count, path);
	if (out != NULL && out != stdout)
		fclose(out);
	return good ? EXIT_FINE : EXIT_NO;
}

int users_export(const struct ctl *ctl, const char *path)
{
	struct export ex = { 0 };
	int status;

	users_columns_init(&ex.columns);
	status = fetch(ctl, &ex);
	if (status == EXIT_FINE)
		status = save(ctl, &ex, path);
	for (size_t i = 0; i < ex.count; i++)
		free(ex.users[i]);
	free(ex.users);
	users_columns_done(&ex.columns);
	return status;
}
