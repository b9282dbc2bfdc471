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
	FILE *in;
	struct user_fields **users; /* parsed; NULL where already applied */
	size_t count, size, applied;
	bool syncing;
};

int users_file_open(
    struct users_file **ret, const char *path, struct directory *directory, struct buf *errors)
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
	*ret = f;
	return 0;
}

void users_file_free(struct users_file *f)
{
	if (f == NULL)
		return;
	if (f->in != NULL)
		fclose(f->in);
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

int users_file_parse(struct users_file *f, struct buf *errors)
{
	struct users_csv *csv;
	char text[READ_BYTES];
	size_t n;
	int r = 0;

	if (f->in == NULL)
		return 0;
	csv = users_csv_new(f->path, errors, keep, f);
	if (csv == NULL)
		return -ENOMEM;
	while (r == 0 && (n = fread(text, 1, sizeof text, f->in)) > 0)
		r = users_csv_feed(csv, text, n);
	if (r == 0 && ferror(f->in)) {
		buf_printf(errors, "%s: cannot be read to its end\n", f->path);
		r = -EIO;
	}
	if (users_csv_end(csv) > 0)
		r = -EINVAL;
	fclose(f->in);
	f->in = NULL;
	return r;
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
