/* run.h: the two things presenced does. Both return the exit status and have printed why.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_RUN_H
#define PRESENCED_RUN_H

/* Read the configuration and the users, print every error and warning. 0 good, 1 not. */
int run_check(const char *file);

/* Run until a signal says otherwise. 0, or 1 if it could not start. */
int run_daemon(const char *file);

#endif
