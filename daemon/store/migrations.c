/* migrations.c: the schema, version by version.
 * SPDX-License-Identifier: MIT */
#include "daemon/store/migrations.h"

/* Times are wall ms. `fields` is {"name":..,"groups":[..],"addresses":{..}}. */
const char *const migrations[] = {
	/* 1 */
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"

	"CREATE TABLE entries(origin TEXT NOT NULL, key TEXT NOT NULL, user TEXT NOT NULL, fields TEXT NOT NULL,"
	" PRIMARY KEY(origin, key)) WITHOUT ROWID;"

	"CREATE TABLE notes(user TEXT PRIMARY KEY, text TEXT NOT NULL, author TEXT NOT NULL, at INTEGER NOT NULL,"
	" until INTEGER NOT NULL) WITHOUT ROWID;"

	"CREATE TABLE requests(id INTEGER PRIMARY KEY, source TEXT NOT NULL, address TEXT NOT NULL, name TEXT, text "
	"TEXT,"
	" at INTEGER NOT NULL, UNIQUE(source, address));"

	"CREATE TABLE memory(source TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(source, key))"
	" WITHOUT ROWID;"

	/* A user of history stays when the user of the directory goes. */
	"CREATE TABLE history_users(id INTEGER PRIMARY KEY, user TEXT NOT NULL UNIQUE);"

	/* What was said of somebody, once, however often. `used`: the last day (wall ms / 86400000) of a row with it. */
	"CREATE TABLE history_states(id INTEGER PRIMARY KEY, state TEXT NOT NULL UNIQUE, used INTEGER NOT NULL);"

	/* user: NULL is the daemon. secret: calls and the target of a forward. other: for started, until when was observed;
	 * for renamed, the id before. */
	"CREATE TABLE history(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, user INTEGER, seq INTEGER,"
	" at INTEGER NOT NULL, state INTEGER, rich_since INTEGER, telephony_since INTEGER, gap INTEGER, secret TEXT,"
	" other TEXT);"
	"CREATE INDEX history_by_user ON history(user, at);",
};
const size_t migration_count = sizeof migrations / sizeof *migrations;
