/* offline.h: configuration and lines for commands that work without a daemon (compose, replay).
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_OFFLINE_H
#define PRESENCED_OFFLINE_H

#include <jansson.h>
#include <stdio.h>

#include "daemon/config.h"
#include "daemon/model/raw_json.h"

/* The configuration of `file`, or the defaults if it is NULL, owned by the caller. NULL: errors were printed. */
struct config *offline_config(const char *file);

/* Read the users of a configuration. 0, or -errno after printing. */
int offline_users(const struct config *config, int (*each)(void *arg, struct user_fields *fields), void *arg);

/* The next line of `in` that is not empty, as an object; NULL at the end, or after an error that was printed,
 * with *ret_error = 1. `name` and *line are for messages. */
json_t *offline_line(FILE *in, const char *name, size_t *line, int *ret_error);

/* The configured source called `name`, or NULL. */
const struct config_source *offline_source(const struct config *config, const char *name);

#endif
