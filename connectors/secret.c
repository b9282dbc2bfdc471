/* secret.c: the first line of a small file.
 * SPDX-License-Identifier: MIT */
#include "connectors/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The credential of that name, or NULL. */
static FILE *open_credential(const char *file)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY"), *name = strrchr(file, '/');
	char path[4096];

	if (folder == NULL)
		return NULL;
	snprintf(path, sizeof path, "%s/%s", folder, name == NULL ? file : name + 1);
	return fopen(path, "re");
}

int secret_read(const char *text, const char *file, char *buf, char *err, size_t err_size)
{
	FILE *f;
	size_t len;

	buf[0] = '\0';
	if (file == NULL) {
		snprintf(buf, SECRET_SIZE, "%s", text == NULL ? "" : text);
		return text != NULL;
	}
	f = open_credential(file);
	if (f == NULL)
		f = fopen(file, "re");
	if (f == NULL) {
		int r = -errno;

		snprintf(err, err_size, "password_file %s cannot be read: %s", file, strerror(-r));
		return r;
	}
	setvbuf(f, NULL, _IONBF, 0); /* no copy in a buffer that is freed */
	len = fread(buf, 1, SECRET_SIZE - 1, f);
	fclose(f);
	buf[len] = '\0';
	if (len == SECRET_SIZE - 1 && strpbrk(buf, "\r\n") == NULL) {
		explicit_bzero(buf, SECRET_SIZE);
		snprintf(
		    err, err_size, "password_file %s has a first line of more than %d bytes", file, SECRET_SIZE - 2);
		return -EFBIG;
	}
	buf[strcspn(buf, "\r\n")] = '\0';
	if (buf[0] != '\0')
		return 1;
	snprintf(err, err_size, "password_file %s is empty, expected the password on its first line", file);
	return -EINVAL;
}
