/* secret.h: passwords from where they are kept: a file, the credentials of the service, the configuration.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_SECRET_H
#define PRESENCED_SECRET_H

#include <stddef.h>

#define SECRET_SIZE 512

/* The password into buf (SECRET_SIZE bytes; wipe it with explicit_bzero()): the first line of `file`, looked for by its
 * last part in $CREDENTIALS_DIRECTORY (systemd.exec(5)) before its path; else `text`. 1: there is one. 0: neither is
 * given. -errno and a sentence in err: it cannot be read. */
int secret_read(const char *text, const char *file, char *buf, char *err, size_t err_size);

#endif
