/* migrations.h: the schema of the file, and how older ones become this one. Append-only: the place is the version.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_MIGRATIONS_H
#define PRESENCED_MIGRATIONS_H

#include <stddef.h>

/* SQL that makes version i + 1 of version i; 0 is an empty file. Never changed once it was released. */
extern const char *const migrations[];
extern const size_t migration_count;

#endif
