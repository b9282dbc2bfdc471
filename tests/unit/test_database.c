/* test_database.c: files of every version are opened; what is not ours or does not work is said and left as it was.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/files.h"

#include <errno.h>
#include <sys/wait.h>

#include "daemon/base/buf.h"
#include "daemon/store/database.h"
#include "daemon/store/history_table.h"
#include "daemon/store/migrations.h"
#include "daemon/store/tables.h"

static struct database *db;
static char file[160];

static int setup(void **state)
{
	int r = folder_setup(state);

	snprintf(file, sizeof file, "%s", in_folder("presenced.db"));
	return r;
}

static int teardown(void **state)
{
	database_close(db);
	db = NULL;
	return folder_teardown(state);
}

static void open_it(void)
{
	char why[DATABASE_WHY_SIZE];

	database_close(db);
	db = NULL;
	if (database_open(&db, file, why) < 0)
		fail_msg("%s", why);
}

static void close_it(void)
{
	database_close(db);
	db = NULL;
}

static void set_meta(const char *key, int64_t value)
{
	assert_int_equal(database_set_meta(db, key, value), 0);
}

static int64_t meta(const char *key)
{
	int64_t value = -1;

	assert_int_equal(database_meta(db, key, &value), 0);
	return value;
}

/* --- new ----------------------------------------------------------------------------------------- */

static void new_file_is_for_its_owner_only_and_has_a_number(void **state)
{
	struct stat st;
	int64_t id;

	(void)state;
	umask(0);
	open_it();
	set_meta("alive", 5); /* the log is there now */
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(in_folder("presenced.db-wal"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	id = meta("id");
	assert_true(id > 0);
	assert_int_equal(meta("nothing"), 0);
	open_it();
	assert_int_equal(meta("id"), id);
	assert_int_equal(meta("alive"), 5);
	close_it();
	assert_rows(file, "PRAGMA journal_mode", "wal");
	assert_int_equal(unlink(file), 0);
	open_it();
	assert_int_not_equal(meta("id"), id);
}

static void empty_file_becomes_one(void **state)
{
	(void)state;
	put_bytes(file, "", 0);
	open_it();
	assert_true(meta("id") > 0);
}

static void what_was_committed_is_there_after_the_program_was_killed(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		open_it();
		if (database_begin(db) == 0 && database_set_meta(db, "kept", 7) == 0 && database_commit(db) == 0 &&
		    database_begin(db) == 0 && database_set_meta(db, "lost", 8) == 0)
			_exit(0);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	open_it();
	assert_int_equal(meta("kept"), 7);
	assert_int_equal(meta("lost"), 0);
}

/* --- versions ------------------------------------------------------------------------------------ */

static struct buf read_text;

static void read_entry(void *arg, const char *origin, const char *key, struct user_fields *fields)
{
	(void)arg;
	buf_printf(
	    &read_text, "entry %s %s %s %s\n", origin, key, user_field(fields, USER_ID), user_field(fields, USER_NAME));
	user_fields_unref(fields);
}

static void read_note(void *arg, const struct note *note)
{
	(void)arg;
	buf_printf(&read_text, "note %s: %s (%s) %lld\n", note->user, note->text, note->author, (long long)note->until);
}

static void read_request(void *arg, const struct request_row *row)
{
	(void)arg;
	buf_printf(&read_text, "request %lld %s %s %s\n", (long long)row->id, row->source, row->address,
	    row->name == NULL ? "-" : row->name);
}

static void read_memory(void *arg, const struct recall_item *item)
{
	(void)arg;
	buf_printf(&read_text, "memory %s %s %s\n", item->source, item->key, item->value);
}

static void check_content(void)
{
	static const struct tables_reader reader = { read_entry, read_note, read_request, read_memory };
	const struct history_query query = { .user = "alice", .limit = 100, .secrets = true };
	int64_t last;
	size_t bad;

	buf_init(&read_text, 1 << 20);
	assert_int_equal(tables_read(db, &reader, NULL, &bad), 0);
	assert_int_equal(bad, 0);
	assert_string_equal(buf_text(&read_text),
	    "entry hand alice alice Alice\n"
	    "entry imp bob@example.com bob \n"
	    "note alice: back at three \xf0\x9f\x8d\x95 (reception) 1795186800000\n"
	    "note bob: it's \"quoted\" (alice) 0\n"
	    "request 7 imp stranger@example.org A. Stranger\n"
	    "memory  rename/bobby bob\n"
	    "memory imp roster v42\n");
	assert_int_equal(tables_last_request(db, &last), 0);
	assert_int_equal(last, 9);
	buf_clear(&read_text);
	assert_int_equal(history_table_read(db, &query, &read_text), 1);
	assert_string_equal(buf_text(&read_text),
	    "\"rows\":[{\"id\":1,\"kind\":\"started\",\"at\":\"2026-11-20T12:00:00.000Z\",\"observed_until\":null},"
	    "{\"id\":2,\"kind\":\"change\",\"user\":\"alice\",\"seq\":3,\"at\":\"2026-11-20T12:00:10.000Z\","
	    "\"overall\":\"busy\","
	    "\"rich\":{\"status\":\"ok\",\"availability\":\"busy\",\"since\":\"2026-11-20T12:00:09.000Z\"},"
	    "\"telephony\":{\"status\":\"ok\",\"line\":\"busy\",\"forward\":{\"kind\":\"phone\",\"target\":\"2099\"},"
	    "\"since\":\"2026-11-20T12:00:10.000Z\",\"calls\":[{\"state\":\"connected\",\"peer\":\"+4420\"}]}},"
	    "{\"id\":3,\"kind\":\"change\",\"user\":\"alice\",\"seq\":9,\"at\":\"2026-11-20T12:00:20.000Z\","
	    "\"overall\":\"available\",\"gap\":true},"
	    "{\"id\":6,\"kind\":\"stopped\",\"at\":\"2026-11-20T12:01:00.000Z\"},"
	    "{\"id\":7,\"kind\":\"started\",\"at\":\"2026-11-20T12:01:10.000Z\","
	    "\"observed_until\":\"2026-11-20T12:01:00.000Z\"}],\"before\":null,\"next\":null");
	buf_done(&read_text);
}

/* tests/corpus/store/version-N.sql: what `sqlite3 FILE .dump` says of a file of that version, with its two numbers. */
static void file_of_every_version_is_opened_with_what_is_in_it(void **state)
{
	char script[64], version[32];

	(void)state;
	for (size_t v = 1; v <= migration_count; v++) {
		char *sql;

		snprintf(script, sizeof script, "tests/corpus/store/version-%zu.sql", v);
		sql = get_bytes(script, NULL);
		run_script(file, sql);
		free(sql);
		open_it();
		check_content();
		open_it();
		check_content();
		close_it();
		snprintf(version, sizeof version, "%zu", migration_count);
		assert_rows(file, "PRAGMA user_version", version);
		assert_rows(file, "PRAGMA integrity_check", "ok");
		assert_int_equal(unlink(file), 0);
	}
}

/* --- files that are refused ---------------------------------------------------------------------- */

static void newer_version(void)
{
	char sql[64];

	open_it();
	close_it();
	snprintf(sql, sizeof sql, "PRAGMA user_version=%zu", migration_count + 1);
	run_script(file, sql);
}

static void newer_version_without_log(void)
{
	newer_version();
	run_script(file, "PRAGMA journal_mode=DELETE");
}

/* As a program leaves it that was killed: what was committed last stands in the log. */
static void newer_version_that_was_killed(void)
{
	sqlite3 *other;

	newer_version();
	assert_int_equal(sqlite3_open(file, &other), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(other, "INSERT INTO meta(key,value) VALUES('more',1)", NULL, NULL, NULL), SQLITE_OK);
	copy_file(file, in_folder("copy"));
	copy_file(in_folder("presenced.db-wal"), in_folder("copy-wal"));
	sqlite3_close(other);
	unlink(file);
	rename(in_folder("copy"), file);
	rename(in_folder("copy-wal"), in_folder("presenced.db-wal"));
}

static void other_program(void)
{
	run_script(file, "CREATE TABLE theirs(a); INSERT INTO theirs VALUES(7)");
}

static void other_program_with_a_version(void)
{
	run_script(file, "CREATE TABLE theirs(a); PRAGMA user_version=1");
}

static void other_program_with_a_high_version(void)
{
	run_script(file, "CREATE TABLE theirs(a); PRAGMA user_version=77; PRAGMA application_id=5");
}

static void other_program_with_a_negative_version(void)
{
	run_script(file, "CREATE TABLE theirs(a); PRAGMA user_version=-1");
}

static void other_program_without_tables(void)
{
	run_script(file, "PRAGMA application_id=77");
}

static void short_garbage(void)
{
	put_bytes(file, "hello", 5);
}

static void long_garbage(void)
{
	char bytes[20000];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 7);
	put_bytes(file, bytes, sizeof bytes);
}

static void cut_off(void)
{
	open_it();
	close_it();
	assert_int_equal(truncate(file, 3 * 4096), 0);
}

static void header_only(void)
{
	open_it();
	close_it();
	assert_int_equal(truncate(file, 50), 0);
}

static const struct {
	const char *name;
	void (*make)(void);
	const char *why; /* behind the name of the file */
} refused[] = {
	{ "newer", newer_version, " was written by a newer presenced: install that one, or move the file away" },
	{ "newer, no log", newer_version_without_log,
	    " was written by a newer presenced: install that one, or move the file away" },
	{ "newer, killed", newer_version_that_was_killed,
	    " was written by a newer presenced: install that one, or move the file away" },
	{ "other", other_program, " is a database of another program: move it away, or set another folder in `state`" },
	{ "other, version", other_program_with_a_version,
	    " is a database of another program: move it away, or set another folder in `state`" },
	{ "other, high version", other_program_with_a_high_version,
	    " is a database of another program: move it away, or set another folder in `state`" },
	{ "other, negative version", other_program_with_a_negative_version,
	    " is a database of another program: move it away, or set another folder in `state`" },
	{ "other, empty", other_program_without_tables,
	    " is a database of another program: move it away, or set another folder in `state`" },
	{ "short garbage", short_garbage,
	    " is damaged (file is not a database): move it away, or put a good copy in its place; it is not changed "
	    "until "
	    "then" },
	{ "long garbage", long_garbage,
	    " is damaged (file is not a database): move it away, or put a good copy in its place; it is not changed "
	    "until "
	    "then" },
	{ "cut off", cut_off,
	    " is damaged (database disk image is malformed): move it away, or put a good copy in its place; it is not "
	    "changed until then" },
	{ "header", header_only,
	    " is damaged (database disk image is malformed): move it away, or put a good copy in its place; it is not "
	    "changed "
	    "until "
	    "then" },
};

static void assert_refused(const char *name, const char *expected)
{
	char why[DATABASE_WHY_SIZE] = "", sentence[DATABASE_WHY_SIZE];

	if (database_open(&db, file, why) != -EIO)
		fail_msg("%s: it is opened", name);
	snprintf(sentence, sizeof sentence, "%s%s", file, expected);
	assert_string_equal(why, sentence);
}

static void what_is_not_ours_or_damaged_is_said_and_left_as_it_was(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		char *before, *after;
		size_t before_len, after_len;

		refused[i].make();
		before = get_bytes(file, &before_len);
		assert_refused(refused[i].name, refused[i].why);
		after = get_bytes(file, &after_len);
		if (before_len != after_len || memcmp(before, after, after_len) != 0)
			fail_msg("%s: it was changed", refused[i].name);
		free(before);
		free(after);
		remove_all(folder);
		assert_int_equal(mkdir(folder, 0700), 0);
	}
}

static void folder_in_its_place_is_said(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(mkdir(file, 0700), 0);
	assert_refused("folder", " cannot be opened: Is a directory");
	assert_int_equal(stat(file, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
}

static void missing_folder_is_said(void **state)
{
	(void)state;
	snprintf(file, sizeof file, "%s/not/there.db", folder);
	assert_refused("no folder", " cannot be opened: No such file or directory");
}

/* In a child that is nobody: root may write everything. 0: as it should be. */
static int refuse_as_nobody(void)
{
	char why[DATABASE_WHY_SIZE] = "";

	if (geteuid() == 0 && seteuid(65534) < 0)
		return 2;
	if (database_open(&db, file, why) != -EIO)
		return 3;
	if (strncmp(why, file, strlen(file)) != 0)
		return 4;
	return strstr(why, " cannot be written: it must be writable for the account of presenced") == NULL ? 5 : 0;
}

static void file_that_is_read_only_is_said_and_left_as_it_was(void **state)
{
	char *before, *after;
	size_t before_len, after_len;
	int status;
	pid_t child;

	(void)state;
	open_it();
	close_it();
	before = get_bytes(file, &before_len);
	assert_int_equal(chmod(file, 0444), 0);
	assert_int_equal(chmod(folder, 0777), 0);
	child = fork();
	if (child == 0)
		_exit(refuse_as_nobody());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	after = get_bytes(file, &after_len);
	assert_int_equal(after_len, before_len);
	assert_memory_equal(after, before, after_len);
	free(before);
	free(after);
}

/* --- while it is open ---------------------------------------------------------------------------- */

static void commit_notices_that_the_file_was_moved_away(void **state)
{
	(void)state;
	open_it();
	assert_int_equal(database_begin(db), 0);
	set_meta("a", 1);
	assert_int_equal(database_commit(db), 0);
	assert_int_equal(rename(file, in_folder("elsewhere")), 0);
	assert_int_equal(database_begin(db), 0);
	set_meta("a", 2);
	assert_int_equal(database_commit(db), -EIO);
	assert_non_null(strstr(database_why(db), "presenced.db was moved away or replaced"));
}

static void commit_notices_that_the_file_was_replaced(void **state)
{
	(void)state;
	open_it();
	close_it();
	copy_file(file, in_folder("other"));
	open_it();
	assert_int_equal(rename(in_folder("other"), file), 0);
	assert_int_equal(database_begin(db), 0);
	set_meta("a", 2);
	assert_int_equal(database_commit(db), -EIO);
}

static void file_that_another_program_holds_is_said(void **state)
{
	sqlite3 *other;

	(void)state;
	open_it();
	assert_int_equal(sqlite3_open(file, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(database_begin(db), -EIO);
	assert_non_null(strstr(database_why(db), "presenced.db is locked by another program"));
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(database_begin(db), 0);
	database_rollback(db);
	sqlite3_close(other);
}

static void what_makes_no_sense_fails_alone(void **state)
{
	struct statement *st;

	(void)state;
	open_it();
	assert_int_equal(database_begin(db), 0);
	set_meta("kept", 1);
	assert_int_equal(database_save(db), 0);
	set_meta("undone", 2);
	st = database_statement(db, "INSERT INTO meta(key,value) VALUES('x',NULL)");
	assert_int_equal(statement_run(st), -EINVAL);
	assert_non_null(strstr(database_why(db), "NOT NULL"));
	assert_int_equal(statement_run(database_statement(db, "SELECT nonsense FROM nowhere")), -EINVAL);
	assert_int_equal(database_release(db, false), 0);
	assert_int_equal(database_save(db), 0);
	set_meta("kept too", 3);
	assert_int_equal(database_release(db, true), 0);
	assert_int_equal(database_commit(db), 0);
	assert_int_equal(meta("kept"), 1);
	assert_int_equal(meta("undone"), 0);
	assert_int_equal(meta("kept too"), 3);
}

static void statement_forgets_its_values(void **state)
{
	static const char sql[] = "SELECT ?1, ?2";
	struct statement *st;

	(void)state;
	open_it();
	for (int round = 0; round < 2; round++) {
		st = database_statement(db, sql);
		if (round == 0) {
			statement_text(st, 1, "a");
			statement_number(st, 2, 7);
		}
		assert_int_equal(statement_step(st), 1);
		assert_int_equal(statement_column_is_null(st, 0), round == 1);
		assert_int_equal(statement_column_number(st, 1), round == 1 ? 0 : 7);
		assert_int_equal(statement_step(st), 0);
	}
}

static void there_may_be_more_statements_than_are_kept(void **state)
{
	static char texts[100][32];

	(void)state;
	open_it();
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 100; i++) {
			struct statement *st;

			snprintf(texts[i], sizeof texts[i], "SELECT %d", i);
			st = database_statement(db, texts[i]);
			assert_int_equal(statement_step(st), 1);
			assert_int_equal(statement_column_number(st, 0), i);
			statement_reset(st);
		}
	assert_true(meta("id") > 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(new_file_is_for_its_owner_only_and_has_a_number),
		TEST(empty_file_becomes_one),
		TEST(what_was_committed_is_there_after_the_program_was_killed),
		TEST(file_of_every_version_is_opened_with_what_is_in_it),
		TEST(what_is_not_ours_or_damaged_is_said_and_left_as_it_was),
		TEST(folder_in_its_place_is_said),
		TEST(missing_folder_is_said),
		TEST(file_that_is_read_only_is_said_and_left_as_it_was),
		TEST(commit_notices_that_the_file_was_moved_away),
		TEST(commit_notices_that_the_file_was_replaced),
		TEST(file_that_another_program_holds_is_said),
		TEST(what_makes_no_sense_fails_alone),
		TEST(statement_forgets_its_values),
		TEST(there_may_be_more_statements_than_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
