/* files.h: a folder of a test's own, files as bytes, and SQLite files asked without the daemon's code.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TESTS_FILES_H
#define PRESENCED_TESTS_FILES_H

#include "tests/unit/helpers.h"

#include <ftw.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64]; /* of the test that runs */

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
	(void)st;
	(void)flag;
	(void)walk;
	return remove(path);
}

static inline void remove_all(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int folder_setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/test-presenced-XXXXXX");
	return mkdtemp(folder) == NULL;
}

static inline int folder_teardown(void **state)
{
	(void)state;
	remove_all(folder);
	return 0;
}

/* FOLDER/NAME; good for a few calls. */
static inline const char *in_folder(const char *name)
{
	static char paths[8][160];
	static size_t next;
	char *path = paths[next++ % COUNT_OF(paths)];

	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

static inline void put_bytes(const char *path, const char *bytes, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* free() it; NUL-terminated. */
static inline char *get_bytes(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "r");
	size_t size = 1 << 22, len;
	char *bytes = malloc(size + 1);

	if (f == NULL)
		fail_msg("cannot read %s", path);
	assert_non_null(bytes);
	len = fread(bytes, 1, size, f);
	assert_true(len < size);
	bytes[len] = '\0';
	fclose(f);
	if (ret_len != NULL)
		*ret_len = len;
	return bytes;
}

static inline void copy_file(const char *from, const char *to)
{
	size_t len;
	char *bytes = get_bytes(from, &len);

	put_bytes(to, bytes, len);
	free(bytes);
}

/* --- SQLite -------------------------------------------------------------------------------------- */

static inline void run_script(const char *path, const char *sql)
{
	sqlite3 *db;
	char *error = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", path, error);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static inline int append_row(void *arg, int count, char **values, char **names)
{
	char *answer = arg;
	size_t len = strlen(answer);

	(void)names;
	for (int i = 0; i < count; i++)
		len += (size_t)snprintf(answer + len, 8192 - len, "%s%s", i == 0 ? (len == 0 ? "" : "\n") : "|",
		    values[i] == NULL ? "NULL" : values[i]);
	return len >= 8000;
}

/* The rows as text, "a|b\nc|d"; good until the next call. */
static inline const char *ask(const char *path, const char *sql)
{
	static char answer[8192];
	sqlite3 *db;
	char *error = NULL;

	answer[0] = '\0';
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	if (sqlite3_exec(db, sql, append_row, answer, &error) != SQLITE_OK)
		fail_msg("%s: %s", path, error);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return answer;
}

#define assert_rows(path, sql, expected) assert_string_equal(ask(path, sql), expected)

#endif
