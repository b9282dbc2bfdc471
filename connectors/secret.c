/* secret.c: the first line of a small file.
 * SPDX-License-Identifier: MIT */
#include "connectors/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A regular file, or NULL with errno: opening anything else may wait for somebody. */
static FILE *open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	FILE *f;

	if (fd < 0)
		return NULL;
	f = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fdopen(fd, "r") : NULL;
	if (f == NULL) {
		close(fd);
		errno = EINVAL;
	}
	return f;
}

/* The credential of that name, or NULL. */
static FILE *open_credential(const char *file)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY"), *name = strrchr(file, '/');
	char path[4096];

	if (folder == NULL)
		return NULL;
	snprintf(path, sizeof path, "%s/%s", folder, name == NULL ? file : name + 1);
	return open_file(path);
}

static int too_long(const char *what, const char *name, char *buf, char *err, size_t err_size)
{
	explicit_bzero(buf, SECRET_SIZE);
	snprintf(err, err_size, "%s%s has more than %d bytes on its first line", what, name, SECRET_SIZE - 2);
	return -EFBIG;
}

static int given(const char *text, char *buf, char *err, size_t err_size)
{
	if (text != NULL && strlen(text) > SECRET_SIZE - 2)
		return too_long("password", "", buf, err, err_size);
	snprintf(buf, SECRET_SIZE, "%s", text == NULL ? "" : text);
	return text != NULL;
}

static int unreadable(const char *file, int error, char *err, size_t err_size)
{
	snprintf(err, err_size, "password_file %s cannot be read: %s", file,
	    error == EINVAL ? "it is not a regular file" : strerror(error));
	return -error;
}

int secret_read(const char *text, const char *file, char *buf, char *err, size_t err_size)
{
	FILE *f;
	size_t len;
	int error;

	buf[0] = '\0';
	if (file == NULL)
		return given(text, buf, err, err_size);
	f = open_credential(file);
	if (f == NULL)
		f = open_file(file);
	if (f == NULL)
		return unreadable(file, errno, err, err_size);
	setvbuf(f, NULL, _IONBF, 0); /* no copy in a buffer that is freed */
	errno = 0;
	len = fread(buf, 1, SECRET_SIZE - 1, f);
	error = ferror(f) ? errno : 0;
	fclose(f);
	buf[error == 0 ? len : 0] = '\0';
	if (error != 0)
		return unreadable(file, error, err, err_size);
	if (len == SECRET_SIZE - 1 && strpbrk(buf, "\r\n") == NULL)
		return too_long("password_file ", file, buf, err, err_size);
	buf[strcspn(buf, "\r\n")] = '\0';
	if (buf[0] != '\0')
		return 1;
	snprintf(err, err_size, "password_file %s is empty, expected the password on its first line", file);
	return -EINVAL;
}
