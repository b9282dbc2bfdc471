/* offline.c: reading files for compose and replay.
 * SPDX-License-Identifier: MIT */
#include "cli/offline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/json_in.h"
#include "daemon/users_csv.h"

#define LINE_MAX_BYTES (1024 * 1024)

struct config *offline_config(const char *file)
{
	struct config *config = NULL;
	struct buf errors;
	int r;

	buf_init(&errors, 256 * 1024);
	r = file == NULL ? config_defaults(&config) : config_load(file, &config, &errors, NULL);
	if (r < 0)
		fprintf(stderr, "%s", buf_text(&errors));
	buf_done(&errors);
	return config;
}

static int parse_users(FILE *in, struct users_csv *csv)
{
	char text[65536];
	size_t n;
	int r = 0;

	while (r == 0 && (n = fread(text, 1, sizeof text, in)) > 0)
		r = users_csv_feed(csv, text, n);
	return r;
}

int offline_users(const struct config *config, int (*each)(void *arg, struct user_fields *fields), void *arg)
{
	struct buf errors;
	struct users_csv *csv;
	FILE *in;
	int r;

	if (config->users == NULL)
		return 0;
	in = fopen(config->users, "re");
	if (in == NULL) {
		r = -errno;
		fprintf(stderr, "presencectl: %s cannot be read: %s.\n", config->users, strerror(errno));
		return r;
	}
	buf_init(&errors, 64 * 1024);
	csv = users_csv_new(config->users, &errors, each, arg);
	r = csv == NULL ? -ENOMEM : parse_users(in, csv);
	if (users_csv_end(csv) > 0)
		r = -EINVAL;
	fputs(buf_text(&errors), stderr);
	buf_done(&errors);
	fclose(in);
	return r;
}

json_t *offline_line(FILE *in, const char *name, size_t *line, int *ret_error)
{
	char *text = NULL, why[256];
	json_t *value = NULL;
	size_t size = 0;
	ssize_t len;

	*ret_error = 0;
	while (value == NULL && *ret_error == 0 && (len = getline(&text, &size, in)) >= 0) {
		++*line;
		while (len > 0 && strchr("\r\n", text[len - 1]) != NULL)
			len--;
		if (len == 0)
			continue;
		if (len > LINE_MAX_BYTES || json_in_object(text, (size_t)len, &value, why, sizeof why) < 0) {
			fprintf(stderr, "presencectl: %s, line %zu: %s.\n", name, *line,
			    len > LINE_MAX_BYTES ? "longer than 1 MiB" : why);
			*ret_error = 1;
		}
	}
	free(text);
	return value;
}

const struct config_source *offline_source(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->source_count; i++)
		if (strcmp(config->sources[i].name, name) == 0)
			return &config->sources[i];
	return NULL;
}
