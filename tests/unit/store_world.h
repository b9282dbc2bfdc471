/* store_world.h: a store with its thread in a folder of the test's own, on a loop that runs until something was told.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TESTS_STORE_WORLD_H
#define PRESENCED_TESTS_STORE_WORLD_H

#include "tests/unit/files.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>

#include "daemon/base/buf.h"
#include "daemon/store/store.h"

#define STARTED INT64_C(1795176000000) /* 2026-11-20T12:00:00Z: what the tests say that it is */

static struct loop *loop;
static struct loop_event *alarm_clock;
static struct store *store;
static struct buf told; /* "opened 0\n", "failed\n", "done 7 0\n" */
static char last_why[DATABASE_WHY_SIZE], file[160];
static pthread_t loop_thread;
static int64_t retention;

static inline void on_alarm(void *arg, short what)
{
	(void)arg;
	(void)what;
	loop_stop(loop);
}

static inline void on_opened(void *arg, enum store_file kind)
{
	assert_ptr_equal(arg, &told);
	assert_true(pthread_equal(pthread_self(), loop_thread));
	buf_printf(&told, "opened %s\n", kind == STORE_FIRST ? "first" : kind == STORE_SAME ? "same" : "another");
	loop_stop(loop);
}

static inline void on_failed(void *arg, const char *why, bool readable)
{
	(void)readable;
	assert_ptr_equal(arg, &told);
	assert_true(pthread_equal(pthread_self(), loop_thread));
	buf_puts(&told, "failed\n");
	snprintf(last_why, sizeof last_why, "%s", why);
	loop_stop(loop);
}

static const struct store_observer store_observer = { on_opened, on_failed };

static inline int world_setup(void **state)
{
	int r = folder_setup(state);

	snprintf(file, sizeof file, "%s", in_folder("state/presenced.db"));
	loop_thread = pthread_self();
	buf_init(&told, 1 << 22);
	retention = 0;
	loop = loop_new();
	alarm_clock = loop == NULL ? NULL : loop_event_new(loop, "alarm", -1, 0, on_alarm, NULL);
	return r != 0 || alarm_clock == NULL;
}

static inline int world_teardown(void **state)
{
	(void)store_close(store, STARTED);
	store = NULL;
	loop_event_free(alarm_clock);
	loop_free(loop);
	buf_done(&told);
	return folder_teardown(state);
}

static inline void run_loop_for(int64_t ms)
{
	loop_event_arm_in(alarm_clock, ms);
	loop_run(loop);
}

/* Run the loop until all of this was told, and forget it. */
static inline void wait_told_at(const char *expected, const char *name, int line)
{
	int64_t end = instant_now().mono + 30000;

	while (told.len < strlen(expected) && instant_now().mono < end)
		run_loop_for(50);
	_assert_string_equal(buf_text(&told), expected, name, line);
	buf_clear(&told);
}
#define wait_told(expected) wait_told_at(expected, __FILE__, __LINE__)

static inline void start_store(int64_t started)
{
	const struct store_config config = { in_folder("state"), started, retention };

	assert_int_equal(store_open(&store, loop, &config, &store_observer, &told), 0);
}

static inline void open_store(int64_t started)
{
	start_store(started);
	wait_told("opened first\n");
}

static inline void close_store(int64_t at)
{
	assert_true(store_close(store, at));
	store = NULL;
}

/* --- jobs ---------------------------------------------------------------------------------------- */

/* Sets the number `value` called `key` in the file, and returns `result`. */
struct test_job {
	struct store_job job; /* first */
	int id, result;
	const char *key;
	int64_t value;
	int (*also)(const struct store_files *files); /* NULL, or what is run instead */
};

static inline int run_test_job(struct store_job *job, const struct store_files *files)
{
	struct test_job *t = (struct test_job *)(void *)job;
	int r;

	if (pthread_equal(pthread_self(), loop_thread))
		abort();
	if (t->also != NULL)
		return t->also(files);
	r = t->key == NULL ? 0 : database_set_meta(files->db, t->key, t->value);
	return r < 0 ? r : t->result;
}

static inline void on_test_job(struct store_job *job, int result, const char *why)
{
	struct test_job *t = (struct test_job *)(void *)job;

	assert_true(pthread_equal(pthread_self(), loop_thread));
	assert_int_equal(why == NULL, result >= 0);
	buf_printf(&told, "done %d %s\n", t->id,
	    result == -EIO	  ? "lost" :
		result == -EINVAL ? "nonsense" :
		result == 0	  ? "well" :
				    "with a result");
	if (why != NULL)
		snprintf(last_why, sizeof last_why, "%s", why);
	free(t);
	loop_stop(loop);
}

static inline struct test_job *make_job(int id, const char *key, int64_t value)
{
	struct test_job *t = calloc(1, sizeof *t);

	assert_non_null(t);
	*t = (struct test_job){
		.job = { .run = run_test_job, .done = on_test_job }, .id = id, .key = key, .value = value
	};
	return t;
}

static inline void submit(struct test_job *t)
{
	assert_true(store_submit(store, &t->job));
}

static inline void submit_number(int id, const char *key, int64_t value)
{
	submit(make_job(id, key, value));
}

static inline bool append_change(const char *user, int64_t at)
{
	return store_append(
	    store, &(struct history_record){ .kind = HISTORY_CHANGE, .user = user, .at = at, .seq = 1, .state = "{}" });
}

static inline void assert_number_at(const char *key, const char *expected, const char *name, int line)
{
	char sql[128];

	snprintf(sql, sizeof sql, "SELECT value FROM meta WHERE key='%s'", key);
	_assert_string_equal(ask(file, sql), expected, name, line);
}
#define assert_number(key, expected) assert_number_at(key, expected, __FILE__, __LINE__)

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

#endif
