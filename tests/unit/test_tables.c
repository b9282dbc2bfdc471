/* test_tables.c: entries, notes, requests and memory in a file.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/files.h"
#include "tests/unit/people.h"

#include <errno.h>

#include "daemon/store/history_table.h"
#include "daemon/store/tables.h"

static struct database *db;
static char file[160];

static int setup(void **state)
{
	char why[DATABASE_WHY_SIZE];
	int r = folder_setup(state);

	snprintf(file, sizeof file, "%s", in_folder("presenced.db"));
	return r != 0 || database_open(&db, file, why) < 0;
}

static int teardown(void **state)
{
	database_close(db);
	return folder_teardown(state);
}

static void put_entry(const char *origin, const char *key, const char *text)
{
	struct user_fields *f = text == NULL ? NULL : person(text);

	assert_int_equal(tables_put_entry(db, origin, key, f), 0);
	user_fields_unref(f);
}

static void put_note(const char *user, const char *text, int64_t at, int64_t until)
{
	assert_int_equal(tables_put_note(db, &(struct note){ user, text, "me", at, until }), 0);
}

static int put_request(int64_t id, const char *source, const char *address, const char *name, const char *text)
{
	return tables_put_request(db, &(struct request_row){ id, source, address, name, text, 5 });
}

static void put_memory(const char *source, const char *key, const char *value)
{
	assert_int_equal(tables_put_memory(db, &(struct recall_item){ source, key, value }), 0);
}

/* --- reading it back ----------------------------------------------------------------------------- */

static struct buf read_text;

static void read_entry(void *arg, const char *origin, const char *key, struct user_fields *fields)
{
	assert_ptr_equal(arg, &read_text);
	buf_printf(&read_text, "%s/%s ", origin, key);
	write_person(&read_text, fields);
	buf_puts(&read_text, "\n");
	user_fields_unref(fields);
}

static void read_note(void *arg, const struct note *note)
{
	(void)arg;
	buf_printf(&read_text, "%s: %s %s %lld %lld\n", note->user, note->text, note->author, (long long)note->at,
	    (long long)note->until);
}

static void read_request(void *arg, const struct request_row *row)
{
	(void)arg;
	buf_printf(&read_text, "%lld %s %s %s %s %lld\n", (long long)row->id, row->source, row->address,
	    row->name == NULL ? "-" : row->name, row->text == NULL ? "-" : row->text, (long long)row->at);
}

static void read_memory(void *arg, const struct recall_item *item)
{
	(void)arg;
	buf_printf(&read_text, "%s.%s=%s\n", item->source, item->key, item->value);
}

static void assert_has_at(const char *expected, size_t expected_bad, const char *file_name, int line)
{
	static const struct tables_reader reader = { read_entry, read_note, read_request, read_memory };
	size_t bad = 77;

	buf_init(&read_text, 1 << 20);
	assert_int_equal(tables_read(db, &reader, &read_text, &bad), 0);
	_assert_string_equal(buf_text(&read_text), expected, file_name, line);
	assert_int_equal(bad, expected_bad);
	buf_done(&read_text);
}
#define assert_has(expected)		  assert_has_at(expected, 0, __FILE__, __LINE__)
#define assert_has_and_bad(expected, bad) assert_has_at(expected, bad, __FILE__, __LINE__)

/* --- one by one ---------------------------------------------------------------------------------- */

static void what_was_put_is_read_and_what_was_dropped_is_not(void **state)
{
	(void)state;
	assert_has("");
	put_entry("ldap", "1", "alice name=Alice groups=a;b extension=1;2 line@sw=-");
	put_entry("hand", "alice", "alice");
	put_entry("hand", "bob", "bob upn=b@x");
	put_note("alice", "lunch", 5, 0);
	assert_int_equal(put_request(3, "imp", "a@x", NULL, "hi"), 0);
	put_memory("imp", "ver", "7");
	put_memory("", "ver", "");
	assert_has("hand/alice alice\n"
		   "hand/bob bob upn=b@x\n"
		   "ldap/1 alice name=Alice groups=a;b extension=1;2 line@sw=-\n"
		   "alice: lunch me 5 0\n"
		   "3 imp a@x - hi 5\n"
		   ".ver=\n"
		   "imp.ver=7\n");
	put_entry("ldap", "1", "carol name=C"); /* it is of another user now */
	put_entry("hand", "alice", NULL);
	put_entry("hand", "nobody", NULL);
	put_note("alice", "tea", 6, 9);
	assert_int_equal(put_request(3, "imp", "a@x", "Ann", NULL), 0);
	put_memory("imp", "ver", NULL);
	put_memory("imp", "none", NULL);
	assert_has("hand/bob bob upn=b@x\n"
		   "ldap/1 carol name=C\n"
		   "alice: tea me 6 9\n"
		   "3 imp a@x Ann - 5\n"
		   ".ver=\n");
	assert_int_equal(tables_drop_note(db, "alice"), 0);
	assert_int_equal(tables_drop_request(db, 3), 0);
	assert_int_equal(tables_drop_request(db, 3), 0);
	put_entry("hand", "bob", NULL);
	put_entry("ldap", "1", NULL);
	put_memory("", "ver", NULL);
	assert_has("");
}

/* --- the same again ------------------------------------------------------------------------------ */

static void put_something_of_everything(void)
{
	put_entry("ldap", "1", "alice name=Alice groups=a;b line@sw=-");
	put_note("alice", "lunch", 5, 7);
	assert_int_equal(put_request(3, "imp", "a@x", NULL, "hi"), 0);
	put_memory("imp", "ver", "7");
}

/* Another connection sees whether the file was written. */
static int64_t writes_seen_by(sqlite3 *other)
{
	char answer[8192] = "";

	assert_int_equal(sqlite3_exec(other, "PRAGMA data_version", append_row, answer, NULL), SQLITE_OK);
	return strtoll(answer, NULL, 10);
}

static void what_is_so_already_is_not_written(void **state)
{
	sqlite3 *other;
	int64_t before;

	(void)state;
	put_something_of_everything();
	assert_int_equal(sqlite3_open(file, &other), SQLITE_OK);
	before = writes_seen_by(other);
	put_something_of_everything();
	assert_int_equal(writes_seen_by(other), before);
	put_entry("ldap", "1", "alice name=Alice groups=a;b line@sw=1");
	assert_int_not_equal(writes_seen_by(other), before);
	before = writes_seen_by(other);
	put_note("alice", "lunch", 6, 7);
	assert_int_not_equal(writes_seen_by(other), before);
	before = writes_seen_by(other);
	put_request(3, "imp", "a@x", "", "hi"); /* a name that is empty is a name */
	assert_int_not_equal(writes_seen_by(other), before);
	sqlite3_close(other);
}

static void note_that_ended_goes_and_a_newer_one_stays(void **state)
{
	(void)state;
	put_note("alice", "lunch", 5, 7);
	assert_int_equal(tables_end_note(db, "alice", 4, 7), 0);
	assert_int_equal(tables_end_note(db, "alice", 5, 8), 0);
	assert_int_equal(tables_end_note(db, "bob", 5, 7), 0);
	assert_has("alice: lunch me 5 7\n");
	assert_int_equal(tables_end_note(db, "alice", 5, 7), 0);
	assert_has("");
}

static void highest_id_of_a_request_is_kept(void **state)
{
	int64_t last;

	(void)state;
	assert_int_equal(tables_last_request(db, &last), 0);
	assert_int_equal(last, 0);
	put_request(7, "imp", "a@x", NULL, NULL);
	put_request(3, "imp", "b@x", NULL, NULL);
	tables_drop_request(db, 7);
	assert_int_equal(tables_last_request(db, &last), 0);
	assert_int_equal(last, 7);
}

/* The file may be another one than that in which the ids were given. */
static void request_takes_the_place_of_whatever_has_its_id(void **state)
{
	(void)state;
	assert_int_equal(put_request(7, "imp", "old@x", NULL, NULL), 0);
	assert_int_equal(put_request(8, "imp", "a@x", NULL, NULL), 0);
	assert_int_equal(put_request(7, "imp", "a@x", "Ann", NULL), 0);
	assert_has("7 imp a@x Ann - 5\n");
}

static void rename_takes_the_note_and_the_history_along(void **state)
{
	struct history_table t = { .from = "" };
	struct history_record r = { .kind = HISTORY_CHANGE, .at = 5, .state = "{}" };

	(void)state;
	for (int i = 0; i < 4; i++) {
		r.user = i % 2 == 0 ? "alice" : "carol";
		r.seq = (uint64_t)i + 1;
		assert_int_equal(history_table_put(&t, db, &r), 0);
	}
	put_note("alice", "lunch", 5, 7);
	put_note("carol", "of one who was called so", 5, 7);
	assert_int_equal(tables_rename(db, "alice", "carol"), 0);
	assert_has("carol: lunch me 5 7\n");
	assert_rows(file, "SELECT h.user, seq, u.user FROM history h JOIN history_users u ON u.id=h.user ORDER BY seq",
	    "1|1|carol\n1|2|carol\n1|3|carol\n1|4|carol");
	assert_rows(file, "SELECT count(*) FROM history_users", "1");
	/* one who has neither leaves what is there of the other */
	assert_int_equal(tables_rename(db, "nobody", "carol"), 0);
	assert_rows(
	    file, "SELECT count(*) FROM history h JOIN history_users u ON u.id=h.user WHERE u.user='carol'", "4");
	assert_int_equal(tables_rename(db, "carol", "dora"), 0);
	assert_rows(file, "SELECT user FROM history_users", "dora");
}

/* --- everything anew ----------------------------------------------------------------------------- */

static void what_was_seen_stays_and_all_else_goes(void **state)
{
	(void)state;
	put_entry("hand", "a", "a");
	put_entry("hand", "b", "b");
	put_entry("ldap", "a", "a");
	put_note("a", "x", 1, 0);
	put_note("b", "x", 1, 0);
	put_request(1, "imp", "a", NULL, NULL);
	put_request(2, "imp", "b", NULL, NULL);
	put_memory("imp", "a", "1");
	put_memory("imp", "b", "1");
	for (int round = 0; round < 2; round++) {
		assert_int_equal(tables_begin_all(db), 0);
		assert_int_equal(tables_see(db, TABLES_ENTRY, "hand", "a"), 0);
		assert_int_equal(tables_see(db, TABLES_ENTRY, "hand", "a"), 0);
		assert_int_equal(tables_see(db, TABLES_NOTE, "b", ""), 0);
		assert_int_equal(tables_see(db, TABLES_REQUEST, "imp", "a"), 0);
		assert_int_equal(tables_see(db, TABLES_MEMORY, "imp", "b"), 0);
		assert_int_equal(tables_end_all(db), 0);
		assert_has("hand/a a\nb: x me 1 0\n1 imp a - - 5\nimp.b=1\n");
	}
	/* what was seen the last time does not count */
	assert_int_equal(tables_begin_all(db), 0);
	assert_int_equal(tables_see(db, TABLES_NOTE, "b", ""), 0);
	assert_int_equal(tables_begin_all(db), 0);
	assert_int_equal(tables_see(db, TABLES_ENTRY, "hand", "a"), 0);
	assert_int_equal(tables_end_all(db), 0);
	assert_has("hand/a a\n");
}

static void one_kind_that_was_seen_keeps_no_other(void **state)
{
	(void)state;
	put_entry("x", "y", "a");
	put_request(1, "x", "y", NULL, NULL);
	put_memory("x", "y", "1");
	for (int kind = TABLES_ENTRY; kind <= TABLES_MEMORY; kind++) {
		assert_int_equal(database_begin(db), 0);
		assert_int_equal(tables_begin_all(db), 0);
		assert_int_equal(tables_see(db, (enum tables_kind)kind, "x", "y"), 0);
		assert_int_equal(tables_end_all(db), 0);
		assert_has(kind == TABLES_ENTRY ? "x/y a\n" :
			kind == TABLES_REQUEST	? "1 x y - - 5\n" :
			kind == TABLES_MEMORY	? "x.y=1\n" :
						  "");
		database_rollback(db);
	}
}

/* --- rows that make no sense --------------------------------------------------------------------- */

static void bad_rows_are_counted_and_passed_over(void **state)
{
	(void)state;
	put_something_of_everything();
	run_script(file,
	    "INSERT INTO entries VALUES('hand','1','bob','no json'),"
	    " ('hand','2','bob','[]'),"
	    " ('hand','3','b o b','{}'),"
	    " ('hand','4','','{}'),"
	    " ('hand','5','bob','{\"name\":7}'),"
	    " ('hand','6','bob','{\"groups\":[\";\"]}'),"
	    " ('hand','7','bob',x'7b7dff'),"
	    " ('hand','8','good','{\"name\":\"Good\"}');"
	    "INSERT INTO notes VALUES('n1','','me',1,0), ('n2','a' || char(7),'me',1,0), ('n3','x','',1,0),"
	    " ('n4',x'ff','me',1,0), ('n5','good','me',1,0)");
	assert_has_and_bad("hand/8 good name=Good\n"
			   "ldap/1 alice name=Alice groups=a;b line@sw=-\n"
			   "alice: lunch me 5 7\n"
			   "n5: good me 1 0\n"
			   "3 imp a@x - hi 5\n"
			   "imp.ver=7\n",
	    11);
}

static void requests_without_an_id_make_no_sense(void **state)
{
	(void)state;
	run_script(file,
	    "INSERT INTO requests VALUES(0,'imp','a',NULL,NULL,5), (-7,'imp','b',NULL,NULL,5),"
	    " (1,'imp','c',NULL,NULL,5)");
	assert_has_and_bad("1 imp c - - 5\n", 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_put_is_read_and_what_was_dropped_is_not),
		TEST(what_is_so_already_is_not_written),
		TEST(note_that_ended_goes_and_a_newer_one_stays),
		TEST(highest_id_of_a_request_is_kept),
		TEST(request_takes_the_place_of_whatever_has_its_id),
		TEST(rename_takes_the_note_and_the_history_along),
		TEST(what_was_seen_stays_and_all_else_goes),
		TEST(one_kind_that_was_seen_keeps_no_other),
		TEST(bad_rows_are_counted_and_passed_over),
		TEST(requests_without_an_id_make_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
