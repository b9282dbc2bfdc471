/* test_store_failures.c: what becomes of jobs, records and the file when the disk does not do what it should.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/store_world.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int64_t count_rows(const char *kind)
{
	char sql[128];

	snprintf(sql, sizeof sql, "SELECT count(*) FROM history WHERE kind='%s'", kind);
	return strtoll(ask(file, sql), NULL, 10);
}

/* --- the file is somewhere else ------------------------------------------------------------------ */

static void file_that_was_moved_away_is_made_anew(void **state)
{
	(void)state;
	open_store(STARTED);
	submit_number(1, "a", 1);
	wait_told("done 1 well\n");
	assert_int_equal(rename(file, in_folder("away")), 0);
	assert_true(append_change("alice", STARTED + 1));
	submit_number(2, "a", 2);
	submit_number(3, "b", 3);
	wait_told("done 2 lost\ndone 3 lost\nfailed\n");
	assert_non_null(strstr(last_why, "presenced.db was moved away or replaced"));
	assert_true(append_change("alice", STARTED + 2)); /* records wait */
	wait_told("opened another\n");
	submit_number(4, "c", 4);
	wait_told("done 4 well\n");
	assert_rows(file, "SELECT key FROM meta WHERE length(key)=1", "c");
	assert_int_equal(count_rows("change"), 2);
	assert_rows(file, "SELECT kind FROM history WHERE id=1", "started");
	assert_rows(in_folder("away"), "SELECT value FROM meta WHERE key='a'", "2"); /* it went along */
}

/* The commit failed for all who can tell, and was kept all the same. */
static void records_of_a_commit_that_was_perhaps_kept_are_not_written_twice(void **state)
{
	(void)state;
	open_store(STARTED);
	submit_number(1, "a", 1);
	wait_told("done 1 well\n");
	assert_int_equal(rename(file, in_folder("away")), 0);
	for (int i = 0; i < 6000; i++) /* more than a transaction takes */
		assert_true(append_change("alice", STARTED + i));
	submit_number(2, "a", 2);
	wait_told("done 2 lost\nfailed\n");
	assert_int_equal(rename(in_folder("away"), file), 0);
	for (int i = 6000; i < 6005; i++)
		assert_true(append_change("alice", STARTED + i));
	wait_told("opened same\n");
	submit_number(3, "b", 3);
	wait_told("done 3 well\n");
	assert_rows(file, "SELECT count(*), count(DISTINCT at) FROM history WHERE kind='change'", "6005|6005");
	assert_int_equal(count_rows("started"), 1);
	assert_rows(file, "SELECT count(*) FROM history a JOIN history b ON b.id=a.id+1 WHERE b.at<a.at", "0");
}

static void file_that_was_put_back_to_an_earlier_one_is_another(void **state)
{
	char sql[200];

	(void)state;
	open_store(STARTED);
	submit_number(1, "a", 1);
	wait_told("done 1 well\n");
	snprintf(sql, sizeof sql, "VACUUM INTO '%s'", in_folder("copy"));
	run_script(file, sql);
	for (int i = 0; i < 3; i++) {
		submit_number(2, "a", 2);
		wait_told("done 2 well\n");
	}
	assert_int_equal(rename(in_folder("copy"), file), 0); /* and nobody thinks of presenced.db-wal */
	submit_number(3, "a", 3);
	wait_told("done 3 lost\nfailed\n");
	wait_told("opened another\n");
	assert_number("a", "1");
	assert_int_equal(count_rows("started"), 2);
	assert_rows(file, "PRAGMA integrity_check", "ok");
}

static void folder_that_is_a_file_for_a_while_loses_nothing_that_was_told(void **state)
{
	(void)state;
	open_store(STARTED);
	submit_number(1, "a", 1);
	wait_told("done 1 well\n");
	assert_int_equal(rename(in_folder("state"), in_folder("away")), 0);
	put_bytes(in_folder("state"), "", 0);
	submit_number(2, "b", 2);
	wait_told("done 2 lost\nfailed\n");
	wait_told("failed\n"); /* tried again */
	assert_non_null(strstr(last_why, in_folder("state")));
	assert_int_equal(unlink(in_folder("state")), 0);
	assert_int_equal(rename(in_folder("away"), in_folder("state")), 0);
	wait_told("opened same\n");
	assert_number("a", "1");
	submit_number(3, "c", 3);
	wait_told("done 3 well\n");
}

/* --- who else is there --------------------------------------------------------------------------- */

static bool is_locked(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool locked;

	assert_true(fd >= 0);
	locked = flock(fd, LOCK_EX | LOCK_NB) < 0;
	close(fd);
	return locked;
}

static void folder_is_of_one_daemon(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(mkdir(in_folder("state"), 0700), 0);
	fd = open(in_folder("state/presenced.lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	start_store(STARTED);
	wait_told("failed\n");
	assert_non_null(strstr(last_why, "another presenced uses the folder"));
	assert_non_null(strstr(last_why, in_folder("state")));
	assert_int_not_equal(access(file, F_OK), 0); /* it was not touched */
	close(fd);
	wait_told("opened first\n");
	assert_true(is_locked(in_folder("state/presenced.lock")));
	close_store(STARTED);
	assert_false(is_locked(in_folder("state/presenced.lock")));
}

/* The lock went away with the folder: another daemon must not take the new one beside us. */
static void lock_is_in_the_folder_that_is_used(void **state)
{
	(void)state;
	open_store(STARTED);
	assert_int_equal(rename(in_folder("state"), in_folder("away")), 0);
	assert_int_equal(mkdir(in_folder("state"), 0700), 0);
	submit_number(1, "a", 1);
	wait_told("done 1 lost\nfailed\n");
	wait_told("opened another\n");
	assert_true(is_locked(in_folder("state/presenced.lock")));
}

/* --- a disk that is full ------------------------------------------------------------------------- */

static void limit_files_to(rlim_t bytes)
{
	struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int look_for_a(const struct store_files *files)
{
	int64_t value = 0;
	int r = database_meta(files->db, "a", &value);

	return r < 0 ? r : (int)value;
}

static void fill_the_disk(void **state)
{
	struct test_job *t = make_job(9, NULL, 0);
	static char text[200000];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	open_store(STARTED);
	submit_number(1, "a", 1);
	wait_told("done 1 well\n");
	limit_files_to(1000);
	assert_true(store_append(store,
	    &(struct history_record){
		.kind = HISTORY_CHANGE, .user = "alice", .at = STARTED, .seq = 1, .state = text }));
	submit_number(2, "a", 2);
	wait_told("done 2 lost\nfailed\n");
	assert_non_null(strstr(last_why, file));
	t->also = look_for_a; /* what is there can be read all the same */
	t->job.reads = true;
	submit(t);
	wait_told("done 9 with a result\n");
	assert_true(append_change("alice", STARTED + 1));
	wait_told("failed\n");
	limit_files_to(RLIM_INFINITY);
	wait_told("opened same\n");
	submit_number(3, "b", 3);
	wait_told("done 3 well\n");
	assert_int_equal(count_rows("change"), 2);
	assert_number("a", "1");
}

static void full_disk_loses_no_record_and_no_job_that_was_told(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		const struct CMUnitTest in_child[] = { cmocka_unit_test(fill_the_disk) };

		signal(SIGXFSZ, SIG_IGN);
		cmocka_set_message_output(CM_OUTPUT_SUBUNIT);
		_exit(cmocka_run_group_tests(in_child, NULL, NULL));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* --- no file at all ------------------------------------------------------------------------------ */

static void store_without_a_file_takes_records_to_a_limit_and_ends(void **state)
{
	const struct history_record removed = { .kind = HISTORY_REMOVED, .user = "alice", .at = STARTED };
	struct store_stats stats;

	(void)state;
	put_bytes(in_folder("state"), "", 0);
	start_store(STARTED);
	wait_told("failed\n");
	store_stats(store, &stats);
	assert_false(stats.open);
	assert_string_equal(stats.why, last_why);
	for (int i = 0; i < STORE_MAX_RECORDS; i++)
		assert_true(append_change("alice", STARTED));
	assert_false(append_change("alice", STARTED));
	assert_true(store_append(store, &removed)); /* what is no change finds more room */
	for (int i = 1; i < STORE_MAX_RECORDS; i++)
		assert_true(store_append(store, &removed));
	assert_false(store_append(store, &removed));
	store_stats(store, &stats);
	assert_int_equal(stats.waiting, STORE_MAX_RECORDS * 2);
	close_store(STARTED);
}

static void records_that_waited_for_the_first_file_are_written(void **state)
{
	(void)state;
	put_bytes(in_folder("state"), "", 0);
	start_store(STARTED);
	wait_told("failed\n");
	for (int i = 0; i < 12000; i++) /* more than one transaction takes */
		assert_true(append_change("alice", STARTED + i));
	assert_int_equal(unlink(in_folder("state")), 0);
	wait_told("opened first\n");
	submit_number(1, "a", 1);
	wait_told("done 1 well\n");
	assert_rows(file, "SELECT count(*), count(DISTINCT at) FROM history WHERE kind='change'", "12000|12000");
	assert_rows(file, "SELECT count(*) FROM history a JOIN history b ON b.id=a.id+1 WHERE b.at<a.at", "0");
}

static void damaged_file_is_left_alone_until_a_good_one_is_there(void **state)
{
	char *bytes;
	size_t len;

	(void)state;
	assert_int_equal(mkdir(in_folder("state"), 0700), 0);
	put_bytes(file, "this is no database, and longer than nothing", 44);
	start_store(STARTED);
	wait_told("failed\n");
	assert_non_null(strstr(last_why, "presenced.db is damaged"));
	wait_told("failed\n");
	bytes = get_bytes(file, &len);
	assert_int_equal(len, 44);
	free(bytes);
	assert_int_equal(unlink(file), 0);
	wait_told("opened first\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(file_that_was_moved_away_is_made_anew),
		WORLD_TEST(records_of_a_commit_that_was_perhaps_kept_are_not_written_twice),
		WORLD_TEST(file_that_was_put_back_to_an_earlier_one_is_another),
		WORLD_TEST(folder_that_is_a_file_for_a_while_loses_nothing_that_was_told),
		WORLD_TEST(folder_is_of_one_daemon),
		WORLD_TEST(lock_is_in_the_folder_that_is_used),
		WORLD_TEST(full_disk_loses_no_record_and_no_job_that_was_told),
		WORLD_TEST(store_without_a_file_takes_records_to_a_limit_and_ends),
		WORLD_TEST(records_that_waited_for_the_first_file_are_written),
		WORLD_TEST(damaged_file_is_left_alone_until_a_good_one_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
