/* durable_secret.c: secrets of sources, a file each, for the daemon's account only.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/durable_private.h"

struct secret_op {
	struct durable_op op;
	char *source, *secret; /* owned */
	int error;
};

static struct secret_op *secret_op(struct durable_op *op)
{
	return (struct secret_op *)(void *)op;
}

static void free_secret_op(struct durable_op *op)
{
	struct secret_op *s = secret_op(op);

	if (s->secret != NULL)
		explicit_bzero(s->secret, strlen(s->secret));
	free(s->secret);
	free(s->source);
}

static bool write_whole(int fd, const char *text)
{
	size_t len = strlen(text), done = 0;

	while (done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0 && errno != EINTR)
			return false;
		done += n < 0 ? 0 : (size_t)n;
	}
	return fsync(fd) == 0;
}

/* The old file, or the new one, whatever happens: written aside, and renamed. */
static bool write_file(int folder, const char *name, const char *secret)
{
	char aside[SOURCE_NAME_MAX + 8];
	bool good;
	int fd;

	snprintf(aside, sizeof aside, "%s.new", name);
	fd = openat(folder, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	good = fchmod(fd, 0600) == 0 && write_whole(fd, secret);
	good = close(fd) == 0 && good;
	return good && renameat(folder, aside, folder, name) == 0 && fsync(folder) == 0;
}

/* It needs no transaction, but the thread that may wait for the disk. */
static int run_secret(struct durable_op *op, const struct store_files *files)
{
	struct secret_op *s = secret_op(op);
	char path[4096];
	int folder;
	bool good;

	(void)files;
	snprintf(path, sizeof path, "%s/secrets", op->durable->config.folder);
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		s->error = errno;
		return 0;
	}
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	good = folder >= 0 && write_file(folder, s->source, s->secret);
	s->error = good ? 0 : errno;
	if (folder >= 0)
		close(folder);
	return 0;
}

static enum step apply_secret(struct durable_op *op, int result)
{
	const struct secret_op *s = secret_op(op);

	(void)result;
	op->result.changed = true;
	if (s->error == 0)
		return STEP_OVER;
	return durable_fail(op, DURABLE_UNAVAILABLE, "%s/secrets/%s cannot be written: %s", op->durable->config.folder,
	    s->source, strerror(s->error));
}

struct durable_op *durable_set_secret(
    struct durable *d, const char *source, const char *secret, struct durable_done done)
{
	struct secret_op *s = durable_op_new(d, sizeof *s, done);

	if (s == NULL)
		return NULL;
	s->op.step = durable_submit;
	s->op.run = run_secret;
	s->op.apply = apply_secret;
	s->op.free = free_secret_op;
	s->source = strdup(source);
	s->secret = strdup(secret);
	if (s->source != NULL && s->secret != NULL && strlen(source) < SOURCE_NAME_MAX)
		return durable_beside(&s->op);
	free_secret_op(&s->op);
	free(s);
	return NULL;
}
