/* user_json.h: one user as JSON, as consoles, feeds and the database have it.
 * SPDX-License-Identifier: MIT
 *
 * {"name":"Alice","groups":["sales"],"addresses":{"extension":"2001","line@switch2":"-"}}
 */
#ifndef PRESENCED_USER_JSON_H
#define PRESENCED_USER_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/buf.h"
#include "daemon/model/user.h"

/* Write "name" (where there is one), "groups", and with `addresses` "addresses", as members. */
void user_json_write(struct buf *b, const struct user_fields *f, bool addresses);

/* The fields of a user called `id`: those of `old` (NULL: none), changed by the members name, groups and addresses of
 * `given`; null takes one away, others are not looked at. 0 and *ret, with one reference; -EINVAL with a sentence in err
 * and in *ret_field the member that is wrong (borrowed from `given`, or a constant); -ENOMEM. */
int user_json_read(const json_t *given, const char *id, const struct user_fields *old, struct user_fields **ret,
    char *err, size_t err_size, const char **ret_field);

#endif
