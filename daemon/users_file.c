/* users_file.c: reading users.csv.
 * SPDX-License-Identifier: MIT */
#include "daemon/users_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/users_csv.h"

#define READ_BYTES 65536

struct users_file {
	char *path; /* NULL: no file, nobody */
	struct sync *sync;
	FILE *in; /* with `csv`, until the parse is over */
	struct users_csv *csv;
	struct buf *errors;
};

void users_file_free(struct users_file *f)
{
	if (f == NULL)
		return;
	if (f->in != NULL)
		fclose(f->in);
	users_csv_free(f->csv);
	free(f->path);
	free(f);
}

static int keep(void *arg, struct user_fields *fields)
{
	struct users_file *f = arg;

	if (f->sync != NULL)
		return sync_add(f->sync, user_field(fields, USER_ID), fields);
	user_fields_unref(fields);
	return 0;
}

int users_file_open(struct users_file **ret, const char *path, struct sync *sync, struct buf *errors)
{
	struct users_file *f = calloc(1, sizeof *f);

	if (f == NULL)
		return -ENOMEM;
	f->sync = sync;
	if (path != NULL) {
		f->path = strdup(path);
		f->in = fopen(path, "re");
		if (f->path == NULL || f->in == NULL) {
			int r = -errno;

			buf_printf(errors, "%s: cannot be read: %s\n", path, strerror(errno));
			users_file_free(f);
			return r;
		}
	}
	f->errors = errors;
	f->csv = f->path == NULL ? NULL : users_csv_new(f->path, errors, keep, f);
	if (f->path != NULL && f->csv == NULL) {
		users_file_free(f);
		return -ENOMEM;
	}
	if (f->csv != NULL && sync != NULL)
		users_csv_expect(f->csv, sync_expected(sync));
	*ret = f;
	return 0;
}

static int end_parse(struct users_file *f, int result)
{
	if (users_csv_end(f->csv) > 0 && result == 0)
		result = -EINVAL;
	f->csv = NULL;
	fclose(f->in);
	f->in = NULL;
	return result;
}

int users_file_parse(struct users_file *f, size_t budget)
{
	char text[READ_BYTES];
	size_t done = 0, n = 0;
	int r = 0;

	if (f->in == NULL)
		return 0;
	while (r == 0 && done < budget && (n = fread(text, 1, sizeof text, f->in)) > 0) {
		r = users_csv_feed(f->csv, text, n);
		done += n;
	}
	if (r == 0 && ferror(f->in)) {
		buf_printf(f->errors, "%s: cannot be read to its end\n", f->path);
		r = -EIO;
	}
	return r == 0 && n > 0 ? 1 : end_parse(f, r);
}
