/* test_store.c: jobs and records on their way to the file and back, with the real thread.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/store_world.h"

/* --- jobs ---------------------------------------------------------------------------------------- */

#define MANY 300

static int ran[MANY + 1], ran_count; /* the thread's, until all was told */

static int run_numbered(struct store_job *job, const struct store_files *files)
{
	ran[ran_count++] = ((struct test_job *)(void *)job)->id;
	return database_set_meta(files->db, "last", ((struct test_job *)(void *)job)->id);
}

static void jobs_are_done_in_order_and_told_on_the_loop(void **state)
{
	struct buf expected;

	(void)state;
	open_store(STARTED);
	buf_init(&expected, 1 << 20);
	ran_count = 0;
	for (int i = 0; i < MANY; i++) {
		struct test_job *t = make_job(i, NULL, 0);

		t->job.run = run_numbered;
		submit(t);
		buf_printf(&expected, "done %d well\n", i);
		if (i % 50 == 0)
			run_loop_for(5);
	}
	wait_told(buf_text(&expected));
	for (int i = 0; i < MANY; i++)
		assert_int_equal(ran[i], i);
	assert_number("last", "299");
	buf_done(&expected);
}

static void nobody_is_told_from_inside_a_call(void **state)
{
	(void)state;
	open_store(STARTED);
	submit_number(1, "a", 1);
	for (int i = 0; i < 20; i++) {
		(void)append_change("alice", STARTED);
		poll(NULL, 0, 5);
	}
	assert_string_equal(buf_text(&told), "");
	wait_told("done 1 well\n");
}

static void job_is_on_disk_when_it_is_told(void **state)
{
	(void)state;
	open_store(STARTED);
	submit_number(1, "a", 41);
	wait_told("done 1 well\n");
	assert_number("a", "41");
}

static int insert_null(const struct store_files *files)
{
	int r = database_set_meta(files->db, "undone", 5);

	return r < 0 ? r : statement_run(database_statement(files->db, "INSERT INTO meta(key,value) VALUES('x',NULL)"));
}

static void job_that_makes_no_sense_fails_alone(void **state)
{
	struct test_job *nonsense;

	(void)state;
	open_store(STARTED);
	nonsense = make_job(2, NULL, 0);
	nonsense->also = insert_null;
	submit_number(1, "before", 1);
	submit(nonsense);
	submit_number(3, "behind", 3);
	(void)append_change("alice", STARTED);
	wait_told("done 1 well\ndone 2 nonsense\ndone 3 well\n");
	assert_non_null(strstr(last_why, "NOT NULL"));
	close_store(STARTED);
	assert_rows(
	    file, "SELECT key FROM meta WHERE key IN ('before','behind','undone') ORDER BY key", "before\nbehind");
	assert_rows(file, "SELECT count(*) FROM history WHERE kind='change'", "1");
}

static void result_of_a_job_is_handed_on(void **state)
{
	struct test_job *t;

	(void)state;
	open_store(STARTED);
	t = make_job(1, "a", 1);
	t->result = 7;
	submit(t);
	wait_told("done 1 with a result\n");
}

static void many_jobs_share_a_commit(void **state)
{
	struct store_stats before, after;
	struct buf expected;

	(void)state;
	open_store(STARTED);
	submit_number(0, "a", 0);
	wait_told("done 0 well\n"); /* the next commit is not before 20 ms */
	store_stats(store, &before);
	buf_init(&expected, 1 << 20);
	for (int i = 0; i < 200; i++) {
		submit_number(i, "a", i);
		buf_printf(&expected, "done %d well\n", i);
	}
	wait_told(buf_text(&expected));
	store_stats(store, &after);
	assert_in_range(after.commits - before.commits, 1, 20);
	assert_int_equal(after.waiting, 0);
	assert_true(after.open);
	assert_null(after.why);
	assert_string_equal(after.file, file);
	buf_done(&expected);
}

static void job_is_refused_while_there_is_no_file(void **state)
{
	struct test_job *t = make_job(1, "a", 1);

	(void)state;
	start_store(STARTED);
	assert_false(store_submit(store, &t->job)); /* nobody was told that it is open */
	wait_told("opened first\n");
	submit(t);
	wait_told("done 1 well\n");
}

/* --- records ------------------------------------------------------------------------------------- */

static int count_changes(const struct store_files *files)
{
	struct statement *st = database_statement(files->db, "SELECT count(*) FROM history WHERE kind='change'");
	int r = statement_step(st);

	if (r < 0)
		return r;
	r = (int)statement_column_number(st, 0) == 1000 ? 0 : 1;
	statement_reset(st);
	return r;
}

static void records_before_a_job_are_seen_by_it(void **state)
{
	struct test_job *t;

	(void)state;
	open_store(STARTED);
	for (int i = 0; i < 1000; i++)
		assert_true(append_change("alice", STARTED + i));
	t = make_job(1, NULL, 0);
	t->also = count_changes;
	submit(t);
	(void)append_change("alice", STARTED + 1000);
	wait_told("done 1 well\n");
}

static void record_is_copied(void **state)
{
	char user[] = "alice", from[] = "bob";

	(void)state;
	open_store(STARTED);
	assert_true(store_append(
	    store, &(struct history_record){ .kind = HISTORY_RENAMED, .user = user, .from = from, .at = STARTED + 1 }));
	user[0] = from[0] = 'x';
	close_store(STARTED);
	assert_rows(file, "SELECT u.user, other FROM history h JOIN history_users u ON u.id=h.user", "alice|bob");
}

static void record_that_makes_no_sense_takes_no_other_along(void **state)
{
	(void)state;
	open_store(STARTED);
	run_script(
	    file, "CREATE TRIGGER no BEFORE INSERT ON history WHEN new.at=7 BEGIN SELECT RAISE(ABORT,'no'); END");
	(void)append_change("alice", STARTED + 1);
	(void)append_change("alice", 7);
	(void)append_change("alice", STARTED + 2);
	submit_number(1, "a", 1);
	wait_told("done 1 well\n");
	assert_rows(file, "SELECT at-1795176000000 FROM history WHERE kind='change'", "1\n2");
}

/* --- start and end ------------------------------------------------------------------------------- */

static void starts_and_ends_are_written_and_until_when_was_observed(void **state)
{
	(void)state;
	open_store(STARTED);
	close_store(STARTED + 50);
	assert_number("alive", "1795176000050");
	open_store(STARTED + 100);
	assert_true(store_append(store, &(struct history_record){ .kind = HISTORY_ALIVE, .at = STARTED + 150 }));
	submit_number(1, "a", 1);
	wait_told("done 1 well\n");
	assert_number("alive", "1795176000150");
	close_store(STARTED + 170);
	open_store(STARTED + 160); /* the clock was set back: nobody observes what is to come */
	close_store(STARTED + 200);
	assert_rows(file, "SELECT kind, at-1795176000000, other-1795176000000 FROM history",
	    "started|0|NULL\nstopped|50|NULL\nstarted|100|50\nstopped|170|NULL\nstarted|160|160\nstopped|200|NULL");
}

static void work_that_is_queued_is_done_before_the_end(void **state)
{
	struct buf expected;

	(void)state;
	open_store(STARTED);
	buf_init(&expected, 1 << 20);
	for (int i = 0; i < 100; i++) {
		(void)append_change("alice", STARTED + i);
		submit_number(i, "a", i);
		buf_printf(&expected, "done %d well\n", i);
	}
	(void)append_change("alice", STARTED + 100);
	close_store(STARTED + 200);
	assert_string_equal(buf_text(&told), buf_text(&expected));
	assert_number("a", "99");
	assert_rows(file, "SELECT count(*), max(id) FROM history", "103|103");
	assert_rows(file, "SELECT kind FROM history ORDER BY id DESC LIMIT 1", "stopped");
	assert_int_not_equal(access(in_folder("state/presenced.db-wal"), F_OK), 0); /* closed in order */
	buf_done(&expected);
}

static void folder_and_files_are_for_the_owner_only(void **state)
{
	static const char *const names[] = { "state/presenced.db", "state/presenced.db-wal", "state/presenced.lock" };
	struct stat st;

	(void)state;
	umask(0);
	open_store(STARTED);
	assert_int_equal(stat(in_folder("state"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		assert_int_equal(stat(in_folder(names[i]), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
}

/* --- pruning ------------------------------------------------------------------------------------- */

static void what_is_older_than_the_retention_goes_by_itself(void **state)
{
	int64_t now = instant_now().wall, end = instant_now().mono + 20000;

	(void)state;
	open_store(now - 7200000);
	for (int i = 0; i < 1200; i++)
		(void)append_change("alice", now - 7000000 + i);
	(void)append_change("alice", now - 1000);
	close_store(now);
	assert_rows(file, "SELECT count(*) FROM history WHERE kind='change'", "1201");
	retention = 3600000;
	open_store(now);
	while (
	    strcmp(ask(file, "SELECT count(*) FROM history WHERE kind='change'"), "2") != 0 && instant_now().mono < end)
		run_loop_for(50);
	assert_rows(file, "SELECT count(*) FROM history WHERE kind='change'", "2"); /* and what was in force then */
	submit_number(1, "a", 1);
	wait_told("done 1 well\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(jobs_are_done_in_order_and_told_on_the_loop),
		WORLD_TEST(nobody_is_told_from_inside_a_call),
		WORLD_TEST(job_is_on_disk_when_it_is_told),
		WORLD_TEST(job_that_makes_no_sense_fails_alone),
		WORLD_TEST(result_of_a_job_is_handed_on),
		WORLD_TEST(many_jobs_share_a_commit),
		WORLD_TEST(job_is_refused_while_there_is_no_file),
		WORLD_TEST(records_before_a_job_are_seen_by_it),
		WORLD_TEST(record_is_copied),
		WORLD_TEST(record_that_makes_no_sense_takes_no_other_along),
		WORLD_TEST(starts_and_ends_are_written_and_until_when_was_observed),
		WORLD_TEST(work_that_is_queued_is_done_before_the_end),
		WORLD_TEST(folder_and_files_are_for_the_owner_only),
		WORLD_TEST(what_is_older_than_the_retention_goes_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
