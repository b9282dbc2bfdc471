/* users_files.h: users of the directory from a file to the daemon, and back.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_USERS_FILES_H
#define PRESENCED_USERS_FILES_H

#include <stdbool.h>

#include "cli/ctl.h"

struct import_options {
	bool replace, force, dry_run;
};

/* Set the users of a file ("-": standard input) by hand, all or nothing: CSV, or JSON objects one a line. The exit
 * status; what went wrong was printed. */
int users_import(const struct ctl *ctl, const char *path, const struct import_options *options);

/* Write all users to a file (NULL: standard output), as CSV or, with --json, as JSON objects one a line. */
int users_export(const struct ctl *ctl, const char *path);

#endif
