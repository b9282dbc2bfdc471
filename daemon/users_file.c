/* users_file.c: reading users.csv and applying it.
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
	struct directory *directory;
	FILE *in; /* with `csv`, until the parse is over */
	struct users_csv *csv;
	struct buf *errors;
	struct user_fields **users; /* parsed; NULL where already applied */
	size_t count, size, applied;
	bool syncing;
};

void users_file_free(struct users_file *f)
{
	if (f == NULL)
		return;
	if (f->in != NULL)
		fclose(f->in);
	users_csv_free(f->csv);
	for (size_t i = f->applied; i < f->count; i++)
		free(f->users[i]);
	free(f->users);
	free(f->path);
	free(f);
}

static int keep(void *arg, struct user_fields *fields)
{
	struct users_file *f = arg;

	if (f->count == f->size) {
		size_t size = f->size == 0 ? 256 : f->size * 2;
		struct user_fields **users = reallocarray(f->users, size, sizeof *users);

		if (users == NULL) {
			free(fields);
			return -ENOMEM;
		}
		f->users = users;
		f->size = size;
	}
	f->users[f->count++] = fields;
	return 0;
}

int users_file_open(struct users_file **ret, const char *path, struct directory *directory, struct buf *errors)
{
	struct users_file *f = calloc(1, sizeof *f);

	if (f == NULL)
		return -ENOMEM;
	f->directory = directory;
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

bool users_file_apply(struct users_file *f, size_t budget, struct directory_summary *ret)
{
	size_t end = f->count - f->applied > budget ? f->applied + budget : f->count;

	if (!f->syncing)
		directory_sync_begin(f->directory);
	f->syncing = true;
	for (; f->applied < end; f->applied++)
		(void)directory_set(f->directory, f->users[f->applied]); /* without memory: as it was */
	if (f->applied < f->count)
		return true;
	return directory_sync_end(f->directory, budget, ret);
}
