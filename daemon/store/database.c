/* database.c: SQLite behind a few functions.
 * SPDX-License-Identifier: MIT */
#include "daemon/store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/base/utf8.h"
#include "daemon/store/migrations.h"

#define MAX_STATEMENTS 64
#define BUSY_MS	       2000	  /* somebody makes a copy of the file */
#define APPLICATION_ID 0x70726573 /* "pres" (https://www.sqlite.org/pragma.html#pragma_application_id) */

struct statement {
	struct database *db;
	const char *sql;
	sqlite3_stmt *st; /* NULL: could not be prepared */
};

struct database {
	sqlite3 *sqlite;
	char *file;
	struct statement statements[MAX_STATEMENTS];
	size_t statement_count;
	char why[DATABASE_WHY_SIZE];
};

/* --- failures ------------------------------------------------------------------------------------ */

static bool is_full(int code, int error)
{
	return (code & 0xff) == SQLITE_FULL || error == ENOSPC || error == EDQUOT;
}

static void explain(struct database *db, int code)
{
	int error = db->sqlite == NULL ? errno : sqlite3_system_errno(db->sqlite);
	const char *text = db->sqlite == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(db->sqlite);
	const char *system = error != 0 ? strerror(error) : text;

	if (is_full(code, error)) {
		snprintf(db->why, sizeof db->why, "the disk of %s is full: make room there", db->file);
		return;
	}
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		snprintf(db->why, sizeof db->why,
		    "%s is damaged (%s): move it away, or put a good copy in its place; it is not changed until then",
		    db->file, text);
		break;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		snprintf(db->why, sizeof db->why,
		    "%s cannot be written: it must be writable for the account of presenced, on a file system that is "
		    "not "
		    "read-only",
		    db->file);
		break;
	case SQLITE_CANTOPEN:
		snprintf(db->why, sizeof db->why, "%s cannot be opened: %s", db->file, system);
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		snprintf(db->why, sizeof db->why, "%s is locked by another program", db->file);
		break;
	case SQLITE_IOERR:
		snprintf(db->why, sizeof db->why, "%s cannot be read or written: %s", db->file, system);
		break;
	default:
		snprintf(db->why, sizeof db->why, "%s: %s", db->file, text);
		break;
	}
	utf8_repair(db->why);
}

/* Whether it is the statement that makes no sense, and not the file that does not work. */
static bool is_nonsense(int code)
{
	static const int codes[] = { SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_TOOBIG, SQLITE_RANGE, SQLITE_ERROR };

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if ((code & 0xff) == codes[i])
			return true;
	return false;
}

static int fail(struct database *db, int code)
{
	explain(db, code);
	return is_nonsense(code) ? -EINVAL : -EIO;
}

const char *database_why(const struct database *db)
{
	return db->why;
}

static int run_sql(struct database *db, const char *sql)
{
	int code = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : fail(db, code);
}

/* --- opening ------------------------------------------------------------------------------------- */

static int read_number(struct database *db, const char *sql, int64_t *ret)
{
	struct statement *st = database_statement(db, sql);
	int r = statement_step(st);

	if (r < 0)
		return r;
	*ret = r == 1 ? statement_column_number(st, 0) : 0;
	statement_reset(st);
	return 0;
}

/* A number that no other file has, so that it is noticed when another one is in its place. */
static int name_file(struct database *db)
{
	int64_t id;

	if (getrandom(&id, sizeof id, 0) != sizeof id)
		return -EIO;
	return database_set_meta(db, "id", (id & INT64_MAX) | 1);
}

static bool is_foreign(int64_t version, int64_t application, int64_t tables)
{
	if (version == 0) /* a file that is to become ours is empty */
		return application != 0 || tables != 0;
	return version < 0 || application != APPLICATION_ID;
}

/* Whether it is ours; nothing is written before that is known. *ret_version: of the schema. */
static int look_at_file(struct database *db, int64_t *ret_version)
{
	int64_t application = 0, tables = 0;
	int r = read_number(db, "PRAGMA user_version", ret_version);

	if (r == 0)
		r = read_number(db, "PRAGMA application_id", &application);
	if (r == 0)
		r = read_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r < 0)
		return -EIO;
	if (is_foreign(*ret_version, application, tables)) {
		snprintf(db->why, sizeof db->why,
		    "%s is a database of another program: move it away, or set another folder in `state`", db->file);
		return -EIO;
	}
	if (*ret_version > (int64_t)migration_count) {
		snprintf(db->why, sizeof db->why,
		    "%s was written by a newer presenced: install that one, or move the file away", db->file);
		return -EIO;
	}
	return 0;
}

static int migrate(struct database *db, int64_t version)
{
	char sql[64];
	int r;

	if (version == (int64_t)migration_count)
		return 0;
	r = database_begin(db);
	for (size_t i = (size_t)version; i < migration_count && r == 0; i++)
		r = run_sql(db, migrations[i]);
	if (r == 0 && version == 0)
		r = name_file(db);
	snprintf(sql, sizeof sql, "PRAGMA user_version=%zu; PRAGMA application_id=%d", migration_count, APPLICATION_ID);
	if (r == 0)
		r = run_sql(db, sql);
	if (r == 0)
		r = database_commit(db);
	return r == 0 ? 0 : -EIO;
}

/* SQLite would give it the mode of the umask; its companions get that of the file. */
static void make_file(const char *file)
{
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);

	if (fd >= 0)
		close(fd);
}

static int set_up(struct database *db)
{
	int64_t version = 0;
	int r;

	if (sqlite3_db_readonly(db->sqlite, "main") == 1)
		return fail(db, SQLITE_READONLY);
	sqlite3_extended_result_codes(db->sqlite, 1);
	sqlite3_busy_timeout(db->sqlite, BUSY_MS);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	r = look_at_file(db, &version);
	if (r < 0)
		return r;
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	/* a note that was acknowledged survives power loss: FULL syncs the log at each commit */
	r = run_sql(db,
	    "PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
	    "PRAGMA journal_size_limit=16777216");
	return r < 0 ? -EIO : migrate(db, version);
}

int database_open(struct database **ret, const char *file, char *why)
{
	struct database *db = calloc(1, sizeof *db);
	int r = -EIO, code;

	snprintf(why, DATABASE_WHY_SIZE, "no memory");
	if (db == NULL || (db->file = strdup(file)) == NULL)
		goto out;
	make_file(file);
	code = sqlite3_open_v2(file, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	r = code == SQLITE_OK ? set_up(db) : fail(db, code);
	if (r == 0) {
		*ret = db;
		return 0;
	}
	memcpy(why, db->why, DATABASE_WHY_SIZE);
out:
	database_close(db);
	return -EIO;
}

/* A file that was moved away takes what is written with it. */
static bool has_moved(struct database *db)
{
	int moved = 0;

	return sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
}

/* file:PATH?immutable=1 (https://www.sqlite.org/uri.html), where no log stands beside it that would be passed over. */
static char *immutable_name(const char *file)
{
	char *log = NULL, *name, *end;
	bool has_log = asprintf(&log, "%s-wal", file) < 0 || access(log, F_OK) == 0;

	free(log);
	name = has_log ? NULL : malloc(strlen(file) * 3 + sizeof "file:?immutable=1");
	if (name == NULL)
		return NULL;
	end = stpcpy(name, "file:");
	for (; *file != '\0'; file++) {
		if (strchr("?#%", *file) == NULL)
			*end++ = *file;
		else
			end += snprintf(end, 4, "%%%02X", *file);
	}
	stpcpy(end, "?immutable=1");
	return name;
}

/* The log is read into memory and not beside the file, since nobody else is let in. */
static int open_alone(struct database *db)
{
	int code = sqlite3_open_v2(db->file, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (code != SQLITE_OK)
		return fail(db, code);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL); /* it only reads */
	return run_sql(db, "PRAGMA locking_mode=EXCLUSIVE");
}

static void forget_connection(struct database *db)
{
	for (size_t i = 0; i < db->statement_count; i++)
		sqlite3_finalize(db->statements[i].st);
	db->statement_count = 0;
	/* the log stays where it was: it must not be taken for that of the file which comes there */
	if (db->sqlite != NULL && has_moved(db))
		(void)sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_close(db->sqlite);
	db->sqlite = NULL;
}

static int open_immutable(struct database *db)
{
	char *name = immutable_name(db->file);
	int code = SQLITE_CANTOPEN;

	forget_connection(db);
	if (name != NULL)
		code = sqlite3_open_v2(
		    name, &db->sqlite, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
	free(name);
	return code == SQLITE_OK ? 0 : fail(db, code);
}

/* Of this version: an older one cannot be migrated now. */
static int is_ours(struct database *db)
{
	int64_t version = 0, application = 0;
	int r = read_number(db, "PRAGMA user_version", &version);

	if (r == 0)
		r = read_number(db, "PRAGMA application_id", &application);
	if (r == 0 && version == (int64_t)migration_count && application == APPLICATION_ID)
		return 0;
	return -EIO;
}

int database_open_to_read(struct database **ret, const char *file, char *why)
{
	struct database *db = calloc(1, sizeof *db);

	snprintf(why, DATABASE_WHY_SIZE, "no memory");
	if (db != NULL && (db->file = strdup(file)) != NULL) {
		if ((open_alone(db) == 0 && is_ours(db) == 0) || (open_immutable(db) == 0 && is_ours(db) == 0)) {
			*ret = db;
			return 0;
		}
		memcpy(why, db->why, DATABASE_WHY_SIZE);
	}
	database_close(db);
	return -EIO;
}

void database_close(struct database *db)
{
	if (db == NULL)
		return;
	forget_connection(db);
	free(db->file);
	free(db);
}

/* --- transactions -------------------------------------------------------------------------------- */

int database_begin(struct database *db)
{
	return run_sql(db, "BEGIN IMMEDIATE") < 0 ? -EIO : 0;
}

int database_commit(struct database *db)
{
	if (run_sql(db, "COMMIT") < 0)
		return -EIO;
	if (!has_moved(db))
		return 0;
	snprintf(db->why, sizeof db->why, "%s was moved away or replaced", db->file);
	return -EIO;
}

void database_rollback(struct database *db)
{
	if (sqlite3_get_autocommit(db->sqlite) == 0)
		(void)sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
}

int database_save(struct database *db)
{
	return run_sql(db, "SAVEPOINT job");
}

int database_release(struct database *db, bool keep)
{
	return run_sql(db, keep ? "RELEASE job" : "ROLLBACK TO job; RELEASE job");
}

/* --- statements ---------------------------------------------------------------------------------- */

struct statement *database_statement(struct database *db, const char *sql)
{
	struct statement *st = db->statements;
	size_t i = 0;

	while (i < db->statement_count && db->statements[i].sql != sql)
		i++;
	if (i < db->statement_count)
		return &db->statements[i];
	if (db->statement_count < MAX_STATEMENTS)
		st = &db->statements[db->statement_count++];
	else
		sqlite3_finalize(st->st); /* more texts than there are: only slower */
	*st = (struct statement){ .db = db, .sql = sql };
	if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &st->st, NULL) != SQLITE_OK)
		st->st = NULL; /* step() prepares again, and says why */
	return st;
}

void statement_text(struct statement *st, int at, const char *text)
{
	if (st->st != NULL && text != NULL)
		sqlite3_bind_text(st->st, at, text, -1, SQLITE_STATIC);
}

void statement_number(struct statement *st, int at, int64_t number)
{
	if (st->st != NULL)
		sqlite3_bind_int64(st->st, at, number);
}

void statement_null(struct statement *st, int at)
{
	if (st->st != NULL)
		sqlite3_bind_null(st->st, at);
}

void statement_reset(struct statement *st)
{
	if (st->st == NULL)
		return;
	sqlite3_reset(st->st);
	sqlite3_clear_bindings(st->st);
}

int statement_step(struct statement *st)
{
	int code;

	if (st->st == NULL)
		code = sqlite3_prepare_v3(st->db->sqlite, st->sql, -1, SQLITE_PREPARE_PERSISTENT, &st->st, NULL);
	else
		code = sqlite3_step(st->st);
	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE) {
		statement_reset(st);
		return 0;
	}
	/* prepared only now, without its values: it fails this once */
	code = fail(st->db, code == SQLITE_OK ? SQLITE_BUSY : code);
	statement_reset(st);
	return code;
}

int statement_run(struct statement *st)
{
	int r = statement_step(st);

	if (r == 1)
		statement_reset(st);
	return r < 0 ? r : 0;
}

const char *statement_column_text(struct statement *st, int at)
{
	return (const char *)sqlite3_column_text(st->st, at);
}

int64_t statement_column_number(struct statement *st, int at)
{
	return sqlite3_column_int64(st->st, at);
}

bool statement_column_is_null(struct statement *st, int at)
{
	return sqlite3_column_type(st->st, at) == SQLITE_NULL;
}

int64_t database_last_id(const struct database *db)
{
	return sqlite3_last_insert_rowid(db->sqlite);
}

int64_t database_changes(const struct database *db)
{
	return sqlite3_changes64(db->sqlite);
}

int database_meta(struct database *db, const char *key, int64_t *ret)
{
	struct statement *st = database_statement(db, "SELECT value FROM meta WHERE key=?");
	int r;

	statement_text(st, 1, key);
	r = statement_step(st);
	if (r < 0)
		return r;
	*ret = r == 1 ? statement_column_number(st, 0) : 0;
	statement_reset(st);
	return 0;
}

int database_set_meta(struct database *db, const char *key, int64_t value)
{
	struct statement *st = database_statement(db, "INSERT OR REPLACE INTO meta(key,value) VALUES(?,?)");

	statement_text(st, 1, key);
	statement_number(st, 2, value);
	return statement_run(st);
}
