/* users_import.c: a file of users, streamed to the daemon in lines of many.
 * SPDX-License-Identifier: MIT */
#include "cli/users_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/offline.h"
#include "cli/users_text.h"
#include "daemon/users_csv.h"

#define LINE_MAX_USERS 500
#define LINE_MAX_BYTES (512 * 1024 - 1024) /* of users; the rest of the request is less than the difference */
#define COMMIT_WAIT_MS 600000		   /* the last answer comes when all are on disk: with many, on a slow one */

struct import {
	struct client *client;
	const char *name;   /* of the file, for messages */
	json_t *users;	    /* those of the next line */
	size_t bytes;	    /* that they take */
	size_t count;	    /* read so far */
	struct buf *errors; /* of the file; what follows the first is only looked at */
	bool progress;	    /* somebody looks */
	bool failed;	    /* and it was said why */
};

/* --- lines to the daemon ------------------------------------------------------------------------- */

static void show_progress(const struct import *im)
{
	if (im->progress)
		fprintf(stderr, "\r%zu users read", im->count);
}

static void end_progress(struct import *im)
{
	if (im->progress)
		fputs("\r\033[K", stderr); /* the line is free for what comes */
	im->progress = false;
}

/* What was gathered goes out with these other parameters; it is empty after that. NULL: the error was printed. */
static json_t *send(struct import *im, json_t *params)
{
	json_object_set_new(params, "users", im->users);
	im->users = json_array();
	im->bytes = 0;
	return client_call(im->client, "users.import", params);
}

/* Takes `user`. 0, or -EIO when the daemon refuses. */
static int add_user(struct import *im, json_t *user)
{
	size_t bytes = json_dumpb(user, NULL, 0, JSON_COMPACT) + 1;

	if (json_array_size(im->users) == LINE_MAX_USERS || im->bytes + bytes > LINE_MAX_BYTES) {
		json_t *staged = send(im, json_pack("{s:b}", "more", 1));

		im->failed = staged == NULL;
		json_decref(staged);
		show_progress(im);
	}
	json_array_append_new(im->users, user);
	im->bytes += bytes;
	im->count++;
	return im->failed ? -EIO : 0;
}

/* --- files --------------------------------------------------------------------------------------- */

static int take_fields(void *arg, struct user_fields *fields)
{
	struct import *im = arg;
	int r = im->errors->len > 0 ? 0 : add_user(im, user_to_json(fields));

	free(fields);
	return r;
}

static void read_csv(struct import *im, FILE *in)
{
	struct users_csv *csv = users_csv_new(im->name, im->errors, take_fields, im);
	char text[65536];
	size_t n;
	int r = csv == NULL ? -ENOMEM : 0;

	while (r == 0 && (n = fread(text, 1, sizeof text, in)) > 0)
		r = users_csv_feed(csv, text, n);
	if (r == -ENOMEM)
		buf_printf(im->errors, "presencectl: There is not enough memory.\n");
	if (ferror(in) || im->failed)
		users_csv_free(csv); /* it did not come to its end, and need not make sense */
	else
		users_csv_end(csv);
}

static void read_json(struct import *im, FILE *in)
{
	char why[512];
	size_t line = 0, wrong = 0;
	int error = 0, r = 0;
	json_t *user;

	while (r == 0 && wrong < USERS_CSV_MAX_ERRORS && (user = offline_line(in, im->name, &line, &error)) != NULL) {
		struct user_fields *fields = user_from_json(user, why, sizeof why);

		if (fields == NULL)
			buf_printf(im->errors, "%s:%zu: %s\n", im->name, line, why); /* as errors of CSV are told */
		wrong += fields == NULL;
		r = fields == NULL ? 0 : take_fields(im, fields);
		json_decref(user);
	}
	im->failed = im->failed || error != 0;
}

/* An object opens with a brace, and no column of a CSV does. */
static void read_users(struct import *im, FILE *in)
{
	int first = getc(in);

	if (first != EOF)
		ungetc(first, in);
	(first == '{' ? read_json : read_csv)(im, in);
	if (ferror(in))
		buf_printf(im->errors, "presencectl: %s cannot be read: %s.\n", im->name, strerror(errno));
	end_progress(im);
	fputs(buf_text(im->errors), stderr);
	im->failed = im->failed || im->errors->len > 0 || im->errors->failed;
}

/* --- the command --------------------------------------------------------------------------------- */

/* All was read: the last line makes the daemon do it. */
static json_t *commit(struct import *im, const struct import_options *options)
{
	json_t *params = json_object();

	if (options->replace)
		json_object_set_new(params, "replace", json_true());
	if (options->force)
		json_object_set_new(params, "force", json_true());
	if (options->dry_run)
		json_object_set_new(params, "dry_run", json_true());
	client_wait(im->client, COMMIT_WAIT_MS);
	return send(im, params);
}

static int import(const struct ctl *ctl, struct import *im, FILE *in, const struct import_options *options)
{
	json_t *result = NULL;
	int status;

	read_users(im, in);
	if (!im->failed)
		result = commit(im, options);
	status = result == NULL ? EXIT_NO : EXIT_FINE;
	if (result != NULL && ctl->json) {
		print_json(result);
	} else if (result != NULL) {
		fputs(options->dry_run ? "would be: " : "", stdout);
		print_counts(result);
	}
	json_decref(result);
	return status;
}

int users_import(const struct ctl *ctl, const char *path, const struct import_options *options)
{
	bool is_input = strcmp(path, "-") == 0;
	FILE *in = is_input ? stdin : fopen(path, "re");
	struct import im = { .name = is_input ? "standard input" : path, .progress = isatty(STDERR_FILENO) != 0 };
	struct buf errors;
	int status;

	if (in == NULL) {
		fprintf(stderr, "presencectl: %s cannot be read: %s.\n", path, strerror(errno));
		return EXIT_NO;
	}
	im.client = client_open(ctl->socket);
	if (im.client == NULL) {
		status = EXIT_UNREACHABLE;
	} else {
		buf_init(&errors, 256 * 1024);
		im.errors = &errors;
		im.users = json_array();
		status = import(ctl, &im, in, options);
		json_decref(im.users);
		buf_done(&errors);
	}
	client_close(im.client);
	if (!is_input)
		fclose(in);
	return status;
}
