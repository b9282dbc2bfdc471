/* test_history_table.c: rows of history: written, read in pages, pruned; in a file.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/files.h"

#include "daemon/store/history_table.h"
#include "daemon/store/tables.h"

#define NOON INT64_C(1795176000000) /* 2026-11-20T12:00:00Z */
#define DAY  INT64_C(86400000)

static struct database *db;
static struct history_table table;
static char file[160];

static int setup(void **state)
{
	char why[DATABASE_WHY_SIZE];
	int r = folder_setup(state);

	table = (struct history_table){ .from = "" };
	snprintf(file, sizeof file, "%s", in_folder("presenced.db"));
	return r != 0 || database_open(&db, file, why) < 0;
}

static int teardown(void **state)
{
	database_close(db);
	return folder_teardown(state);
}

static void put(const struct history_record *record)
{
	assert_int_equal(history_table_put(&table, db, record), 0);
}

/* put_row(HISTORY_CHANGE, "alice", at, .state = "..") */
#define put_row(k, who, when, ...) \
	put(&(struct history_record){ .kind = (int8_t)(k), .user = who, .at = when, __VA_ARGS__ })

static void put_change(const char *user, int64_t at, const char *state)
{
	put_row(HISTORY_CHANGE, user, at, .state = state, .seq = (uint64_t)(at / 1000));
}

/* --- reading ------------------------------------------------------------------------------------- */

static void assert_page_at(struct history_query query, const char *expected, bool known, const char *name, int line)
{
	struct buf b;

	query.limit = query.limit == 0 ? 100 : query.limit;
	buf_init(&b, 1 << 24);
	assert_int_equal(history_table_read(db, &query, &b), known);
	_assert_string_equal(buf_text(&b), expected, name, line);
	buf_done(&b);
}
#define assert_page(expected, ...) \
	assert_page_at((struct history_query){ __VA_ARGS__ }, expected, true, __FILE__, __LINE__)

/* The ids of the rows, the row before and what comes next: "2 3 5 < 1 > 5"; "- " for none. */
static void assert_ids_at(struct history_query query, const char *expected, const char *name, int line)
{
	char found[400], *text, *at;
	size_t len = 0;
	struct buf b;

	query.user = query.user == NULL ? "alice" : query.user;
	query.secrets = true; /* else rows that say the same twice are one */
	query.limit = query.limit == 0 ? 100 : query.limit;
	buf_init(&b, 1 << 24);
	(void)history_table_read(db, &query, &b);
	text = strdup(buf_text(&b));
	at = strstr(text, "],\"before\":");
	assert_non_null(at);
	*at = '\0';
	found[0] = '\0';
	for (char *id = text; (id = strstr(id, "\"id\":")) != NULL; id++)
		len += (size_t)snprintf(found + len, sizeof found - len, "%lld ", strtoll(id + 5, NULL, 10));
	at += strlen("],\"before\":");
	if (*at == '{')
		len += (size_t)snprintf(
		    found + len, sizeof found - len, "< %lld", strtoll(at + strlen("{\"id\":"), NULL, 10));
	at = strstr(at, ",\"next\":");
	assert_non_null(at);
	if (strcmp(at, ",\"next\":null") != 0)
		snprintf(found + len, sizeof found - len, "> %s", at + strlen(",\"next\":"));
	free(text);
	buf_done(&b);
	_assert_string_equal(found, expected, name, line);
}
#define assert_ids(expected, ...) assert_ids_at((struct history_query){ __VA_ARGS__ }, expected, __FILE__, __LINE__)

static void rows_are_read_as_they_were_put(void **state)
{
	(void)state;
	put_row(HISTORY_STARTED, NULL, NOON, .until = NOON - 1000);
	put_row(HISTORY_CHANGE, "alice", NOON + 1, .seq = 7, .rich_since = NOON - 5, .gap = true,
	    .state = "{\"overall\":\"busy\",\"rich\":{\"status\":\"ok\"},\"telephony\":{\"status\":\"ok\"}}");
	put_row(HISTORY_RENAMED, "alice", NOON + 2, .from = "bob");
	put_row(HISTORY_REMOVED, "alice", NOON + 3);
	put_row(HISTORY_STOPPED, NULL, NOON + 4);
	put_row(HISTORY_ALIVE, NULL, NOON + 5); /* is no row */
	assert_page(
	    "\"rows\":["
	    "{\"id\":1,\"kind\":\"started\",\"at\":\"2026-11-20T12:00:00.000Z\","
	    "\"observed_until\":\"2026-11-20T11:59:59.000Z\"},"
	    "{\"id\":2,\"kind\":\"change\",\"user\":\"alice\",\"seq\":7,\"at\":\"2026-11-20T12:00:00.001Z\","
	    "\"overall\":\"busy\",\"rich\":{\"status\":\"ok\",\"since\":\"2026-11-20T11:59:59.995Z\"},"
	    "\"telephony\":{\"status\":\"ok\"},\"gap\":true},"
	    "{\"id\":3,\"kind\":\"renamed\",\"user\":\"alice\",\"at\":\"2026-11-20T12:00:00.002Z\",\"from\":\"bob\"},"
	    "{\"id\":4,\"kind\":\"removed\",\"user\":\"alice\",\"at\":\"2026-11-20T12:00:00.003Z\"},"
	    "{\"id\":5,\"kind\":\"stopped\",\"at\":\"2026-11-20T12:00:00.004Z\"}],\"before\":null,\"next\":null",
	    .user = "alice");
	assert_rows(file, "SELECT value FROM meta WHERE key='alive'", "1795176000005");
}

static void calls_and_targets_are_for_those_who_may_see_them(void **state)
{
	(void)state;
	put_row(HISTORY_CHANGE, "alice", NOON, .seq = 1,
	    .state = "{\"telephony\":{\"line\":\"busy\",\"forward\":{\"kind\":\"phone\"}}}",
	    .secret = "{\"calls\":[{\"peer\":\"7\"}],\"target\":\"2099\"}");
	put_row(HISTORY_CHANGE, "alice", NOON, .seq = 2, .state = "{\"telephony\":null}", .secret = "{\"calls\":[]}");
	assert_page(
	    "\"rows\":[{\"id\":1,\"kind\":\"change\",\"user\":\"alice\",\"seq\":1,\"at\":\"2026-11-20T12:00:00.000Z\","
	    "\"telephony\":{\"line\":\"busy\",\"forward\":{\"kind\":\"phone\"}}},"
	    "{\"id\":2,\"kind\":\"change\",\"user\":\"alice\",\"seq\":2,\"at\":\"2026-11-20T12:00:00.000Z\","
	    "\"telephony\":null}],\"before\":null,\"next\":null",
	    .user = "alice");
	assert_page(
	    "\"rows\":[{\"id\":1,\"kind\":\"change\",\"user\":\"alice\",\"seq\":1,\"at\":\"2026-11-20T12:00:00.000Z\","
	    "\"telephony\":{\"line\":\"busy\",\"forward\":{\"kind\":\"phone\",\"target\":\"2099\"},"
	    "\"calls\":[{\"peer\":\"7\"}]}},"
	    "{\"id\":2,\"kind\":\"change\",\"user\":\"alice\",\"seq\":2,\"at\":\"2026-11-20T12:00:00.000Z\","
	    "\"telephony\":null}],\"before\":null,\"next\":null",
	    .user = "alice", .secrets = true);
}

static void change_of_calls_alone_is_no_row_for_those_who_may_not_see_them(void **state)
{
	struct history_query query = { .user = "alice", .limit = 100 };
	struct buf b;

	(void)state;
	put_row(HISTORY_CHANGE, "alice", NOON, .seq = 1, .state = "{\"a\":1}", .secret = "{\"calls\":[1]}");
	put_row(HISTORY_CHANGE, "alice", NOON + 1, .seq = 2, .state = "{\"a\":1}", .secret = "{\"calls\":[2]}");
	put_row(HISTORY_CHANGE, "alice", NOON + 2, .seq = 3, .state = "{\"a\":1}", .gap = true);
	put_row(HISTORY_CHANGE, "alice", NOON + 3, .seq = 4, .state = "{\"a\":2}");
	put_row(HISTORY_CHANGE, "alice", NOON + 4, .seq = 5, .state = "{\"a\":1}");
	assert_ids("1 2 3 4 5 ", .after = 0);
	buf_init(&b, 1 << 20);
	assert_int_equal(history_table_read(db, &query, &b), 1);
	assert_non_null(strstr(buf_text(&b), "\"seq\":1,"));
	assert_null(strstr(buf_text(&b), "\"seq\":2,"));
	assert_non_null(strstr(buf_text(&b), "\"seq\":3,"));
	assert_non_null(strstr(buf_text(&b), "\"seq\":5,"));
	buf_done(&b);
}

static void rows_are_in_the_order_of_time_whatever_the_clock_did(void **state)
{
	(void)state;
	put_change("alice", NOON + 10, "{\"a\":1}");
	put_change("alice", NOON + 5, "{\"a\":2}"); /* set back */
	put_row(HISTORY_STARTED, NULL, NOON + 7);
	put_change("alice", NOON + 10, "{\"a\":3}");
	assert_ids("2 3 1 4 ", .after = 0);
	assert_ids("2 3 > 3", .limit = 2);
	assert_ids("1 4 ", .limit = 2, .after = 3);
	assert_ids("4 ", .after = 1);
	assert_ids("1 4 < 3", .from = NOON + 8);
}

static void user_is_told_of_themselves_and_the_daemon(void **state)
{
	(void)state;
	put_row(HISTORY_STARTED, NULL, NOON);
	put_change("alice", NOON + 1, "{}");
	put_change("bob", NOON + 2, "{}");
	put_change("alice", NOON + 3, "{}");
	put_row(HISTORY_STOPPED, NULL, NOON + 4);
	assert_ids("1 2 4 5 ", .after = 0);
	assert_ids("1 3 5 ", .user = "bob");
	assert_page_at((struct history_query){ .user = "carol", .limit = 2 },
	    "\"rows\":[{\"id\":1,\"kind\":\"started\",\"at\":\"2026-11-20T12:00:00.000Z\",\"observed_until\":null},"
	    "{\"id\":5,\"kind\":\"stopped\",\"at\":\"2026-11-20T12:00:00.004Z\"}],\"before\":null,\"next\":null",
	    false, __FILE__, __LINE__);
}

static void pages_follow_one_another(void **state)
{
	(void)state;
	put_row(HISTORY_STARTED, NULL, NOON);
	for (int i = 1; i < 7; i++)
		put_change(i == 3 ? "bob" : "alice", NOON + i, "{}");
	assert_ids("1 2 > 2", .limit = 2);
	assert_ids("3 5 > 5", .limit = 2, .after = 2);
	assert_ids("6 7 ", .limit = 2, .after = 5);
	assert_ids("", .limit = 2, .after = 7);
	assert_ids("1 2 3 5 6 7 ", .limit = 6);
	assert_ids("1 2 3 5 6 > 6", .limit = 5);
}

static void from_is_the_first_and_to_is_behind_the_last(void **state)
{
	(void)state;
	put_row(HISTORY_STARTED, NULL, NOON);
	for (int i = 1; i < 5; i++)
		put_change("alice", NOON + i, "{}");
	assert_ids("3 4 < 2", .from = NOON + 2, .to = NOON + 4);
	assert_ids("1 2 ", .to = NOON + 2);
	assert_ids("< 5", .from = NOON + 10);
	assert_ids("4 5 < 2", .from = NOON + 2, .after = 3);
}

static void row_before_is_what_was_in_force(void **state)
{
	(void)state;
	put_change("alice", NOON + 1, "{}");
	put_row(HISTORY_STOPPED, NULL, NOON + 2);
	put_row(HISTORY_STARTED, NULL, NOON + 3);
	put_change("bob", NOON + 4, "{}");
	put_change("alice", NOON + 5, "{}");
	assert_ids("2 3 5 < 1", .from = NOON + 2);
	assert_ids("5 < 3", .from = NOON + 4); /* the start ended what was open */
	assert_ids("< 5", .from = NOON + 6);
	assert_ids("< 4", .user = "bob", .from = NOON + 6);
	assert_ids("< 3", .user = "carol", .from = NOON + 6);
}

/* A user who gets another id goes on as they were. */
static void rename_does_not_end_what_was_in_force(void **state)
{
	(void)state;
	put_change("alice", NOON + 1, "{}");
	put_row(HISTORY_RENAMED, "alice", NOON + 2, .from = "bob");
	put_change("alice", NOON + 5, "{}");
	assert_ids("3 < 1", .from = NOON + 4);
	assert_ids("2 3 < 1", .from = NOON + 2);
}

/* 300 rows of 4 KiB are more than a page. */
static void page_ends_before_its_line_is_too_long(void **state)
{
	static char long_state[4096];
	struct history_query query = { .user = "alice", .limit = 1000, .secrets = true };
	size_t pages = 0, rows = 0;
	struct buf b;

	(void)state;
	memset(long_state, ' ', sizeof long_state - 1);
	for (int i = 0; i < 300; i++) {
		int len = snprintf(long_state, sizeof long_state, "{\"overall\":\"");

		memset(long_state + len, 'x', sizeof long_state - (size_t)len - 4);
		snprintf(long_state + sizeof long_state - 4, 4, "\"}");
		put_change("alice", NOON + i, long_state);
	}
	buf_init(&b, 1 << 20);
	do {
		const char *next;

		buf_clear(&b);
		assert_int_equal(history_table_read(db, &query, &b), 1);
		assert_true(b.len < HISTORY_PAGE_BYTES + 8192);
		for (const char *at = buf_text(&b); (at = strstr(at, "\"kind\"")) != NULL; at++)
			rows++;
		pages++;
		next = strstr(buf_text(&b), ",\"next\":");
		query.after = strcmp(next, ",\"next\":null") == 0 ? 0 : strtoll(next + 8, NULL, 10);
	} while (query.after != 0);
	assert_int_equal(rows, 300);
	assert_int_equal(pages, 2);
	buf_done(&b);
}

/* --- writing ------------------------------------------------------------------------------------- */

static void state_is_kept_once_however_often_it_is_said(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		put_change("alice", NOON + i, i % 2 == 0 ? "{\"a\":1}" : "{\"a\":2}");
		put_change("bob", NOON + i, "{\"a\":1}");
	}
	assert_rows(file, "SELECT count(*) FROM history", "20");
	assert_rows(file, "SELECT count(*) FROM history_states", "2");
	assert_rows(file, "SELECT user FROM history_users ORDER BY id", "alice\nbob");
	put_change("bob", NOON + 3 * DAY, "{\"a\":2}");
	assert_rows(file, "SELECT used FROM history_states ORDER BY id", "20777\n20780");
	put_change("bob", NOON - 3 * DAY, "{\"a\":2}"); /* a clock that was set back */
	assert_rows(file, "SELECT used FROM history_states ORDER BY id", "20777\n20780");
}

/* Between the change of the file and the word of the loop that it was made. */
static void rows_of_the_old_id_are_of_the_new_one_while_a_rename_is_not_told(void **state)
{
	(void)state;
	put_change("alice", NOON + 1, "{}");
	assert_int_equal(tables_rename(db, "alice", "carol"), 0);
	history_table_renaming(&table, "alice", "carol");
	put_change("alice", NOON + 2, "{}");
	put_change("bob", NOON + 3, "{}");
	put_row(HISTORY_STARTED, NULL, NOON + 3);
	put_row(HISTORY_RENAMED, "carol", NOON + 4, .from = "alice");
	put_change("alice", NOON + 5, "{}"); /* somebody new */
	assert_ids("1 2 4 5 ", .user = "carol");
	assert_ids("4 6 ", .after = 0);
}

/* --- pruning ------------------------------------------------------------------------------------- */

static void prune(int64_t cutoff)
{
	int64_t position = 0;

	do
		assert_int_equal(history_table_prune(db, cutoff, &position), 0);
	while (position != 0);
}

static void what_was_in_force_stays_and_the_rest_goes(void **state)
{
	(void)state;
	put_row(HISTORY_STARTED, NULL, NOON);
	put_change("alice", NOON + 1, "{\"a\":1}");
	put_change("bob", NOON + 2, "{\"b\":1}");
	put_row(HISTORY_STOPPED, NULL, NOON + 3);
	put_row(HISTORY_STARTED, NULL, NOON + 4);
	put_change("alice", NOON + 5, "{\"a\":2}");
	put_change("alice", NOON + 10, "{\"a\":3}");
	prune(NOON + 10);
	assert_rows(file, "SELECT id FROM history ORDER BY id", "3\n5\n6\n7");
	prune(NOON + 10);
	assert_rows(file, "SELECT id FROM history ORDER BY id", "3\n5\n6\n7");
	assert_ids("7 < 6", .from = NOON + 10);
	prune(NOON + 11);
	assert_rows(file, "SELECT id FROM history ORDER BY id", "3\n5\n7");
}

static void nothing_is_left_of_those_who_are_gone(void **state)
{
	(void)state;
	put_change("alice", NOON, "{\"a\":1}");
	put_change("bob", NOON + 1, "{\"b\":1}");
	put_row(HISTORY_REMOVED, "alice", NOON + 2);
	put_row(HISTORY_REMOVED, "bob", NOON + 3);
	put_change("bob", NOON + 10, "{\"b\":2}"); /* who came back */
	prune(NOON + 10);
	assert_rows(file, "SELECT id FROM history", "5");
	assert_rows(file, "SELECT user FROM history_users", "bob");
}

static void states_go_some_time_after_their_last_row(void **state)
{
	(void)state;
	put_change("alice", NOON, "{\"a\":1}");
	put_change("alice", NOON + 1, "{\"a\":2}");
	put_change("bob", NOON, "{\"b\":1}"); /* stays in force */
	put_change("alice", NOON + 10 * DAY, "{\"a\":3}");
	prune(NOON + 5 * DAY);
	assert_rows(file, "SELECT id FROM history ORDER BY id", "2\n3\n4");
	assert_rows(file, "SELECT state FROM history_states ORDER BY id", "{\"a\":2}\n{\"b\":1}\n{\"a\":3}");
	prune(NOON + 20 * DAY);
	assert_rows(file, "SELECT id FROM history ORDER BY id", "3\n4");
	assert_rows(file, "SELECT state FROM history_states ORDER BY id", "{\"b\":1}\n{\"a\":3}");
	assert_rows(file, "SELECT count(*) FROM history WHERE state NOT IN (SELECT id FROM history_states)", "0");
}

static void rename_is_forgotten_and_what_was_in_force_before_it_is_not(void **state)
{
	(void)state;
	put_change("alice", NOON + 1, "{\"a\":1}");
	put_row(HISTORY_RENAMED, "alice", NOON + 2, .from = "bob");
	put_row(HISTORY_RENAMED, "carol", NOON + 3, .from = "dora"); /* who never had a row */
	prune(NOON + 10);
	assert_rows(file, "SELECT id FROM history", "1");
	assert_rows(file, "SELECT user FROM history_users", "alice");
}

static void many_rows_are_pruned_in_slices(void **state)
{
	int64_t position = 0;
	int64_t rows = 5000, left;
	char user[16];
	int slices = 0;

	(void)state;
	assert_int_equal(database_begin(db), 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(user, sizeof user, "u%d", i % 5);
		put_change(user, NOON + i, "{}");
	}
	assert_int_equal(database_commit(db), 0);
	do {
		assert_int_equal(history_table_prune(db, NOON + 4500, &position), 0);
		left = strtoll(ask(file, "SELECT count(*) FROM history"), NULL, 10);
		assert_true(rows - left < 2000); /* a slice does not hold up those who wait */
		rows = left;
		slices++;
	} while (position != 0);
	assert_true(slices > 1);
	assert_rows(file, "SELECT count(*), min(at)-1795176000000 FROM history", "505|4495");
}

static void rows_from_after_the_cutoff_stay_whatever_the_clock_did(void **state)
{
	(void)state;
	put_change("alice", NOON + 1, "{}");
	put_change("alice", NOON + 50, "{}"); /* then the clock was set back */
	put_change("alice", NOON + 2, "{}");
	prune(NOON + 10);
	assert_rows(file, "SELECT id FROM history ORDER BY id", "2\n3");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_are_read_as_they_were_put),
		TEST(calls_and_targets_are_for_those_who_may_see_them),
		TEST(change_of_calls_alone_is_no_row_for_those_who_may_not_see_them),
		TEST(rows_are_in_the_order_of_time_whatever_the_clock_did),
		TEST(user_is_told_of_themselves_and_the_daemon),
		TEST(pages_follow_one_another),
		TEST(from_is_the_first_and_to_is_behind_the_last),
		TEST(row_before_is_what_was_in_force),
		TEST(rename_does_not_end_what_was_in_force),
		TEST(page_ends_before_its_line_is_too_long),
		TEST(state_is_kept_once_however_often_it_is_said),
		TEST(rows_of_the_old_id_are_of_the_new_one_while_a_rename_is_not_told),
		TEST(what_was_in_force_stays_and_the_rest_goes),
		TEST(nothing_is_left_of_those_who_are_gone),
		TEST(states_go_some_time_after_their_last_row),
		TEST(rename_is_forgotten_and_what_was_in_force_before_it_is_not),
		TEST(many_rows_are_pruned_in_slices),
		TEST(rows_from_after_the_cutoff_stay_whatever_the_clock_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
