/* test_history_summary.c: rows of history folded into durations, each rule with its edges.
 * SPDX-License-Identifier: MIT
 *
 * Times are minutes of one day: row(10, ..) is a row at 00:10.
 */
#include "tests/unit/helpers.h"

#include "cli/history_summary.h"
#include "daemon/base/instant.h"

#define MINUTE	    INT64_C(60000)
#define MIDNIGHT    INT64_C(1795132800000) /* 2026-11-20T00:00:00Z */
#define AT(minutes) (MIDNIGHT + (minutes)*MINUTE)

static struct history_summary s;

/* All of it has passed. */
static void begin(int from, int to)
{
	history_summary_init(&s, AT(from), AT(to), AT(to));
}

static void give(json_t *row)
{
	assert_non_null(row);
	history_summary_row(&s, row);
	json_decref(row);
}

static json_t *row(int minutes, const char *kind)
{
	char at[INSTANT_TEXT_SIZE];

	return json_pack("{s:i, s:s, s:s}", "id", minutes, "kind", kind, "at", instant_format(AT(minutes), at));
}

/* A change: the rich half and the line, each with status and word; NULL: the word is absent. */
static json_t *change(int minutes, const char *overall, const char *rich_status, const char *availability,
    const char *telephony_status, const char *line)
{
	json_t *r = row(minutes, "change");

	json_object_set_new(r, "overall", json_string(overall));
	json_object_set_new(r, "rich", json_pack("{s:s, s:s*}", "status", rich_status, "availability", availability));
	json_object_set_new(r, "telephony", json_pack("{s:s, s:s*}", "status", telephony_status, "line", line));
	return r;
}

/* Somebody whose telephone says `line`; "busy" is the overall word as well. */
static json_t *on_the_line(int minutes, const char *line)
{
	return change(minutes, strcmp(line, "busy") == 0 ? "busy" : "available", "not_requested", NULL, "ok", line);
}

static json_t *with_gap(json_t *r)
{
	json_object_set_new(r, "gap", json_true());
	return r;
}

static json_t *started(int minutes, int observed_until)
{
	char at[INSTANT_TEXT_SIZE];
	json_t *r = row(minutes, "started");

	json_object_set_new(r, "observed_until",
	    observed_until < 0 ? json_null() : json_string(instant_format(AT(observed_until), at)));
	return r;
}

static void end(void)
{
	history_summary_end(&s);
}

/* Minutes of a word, or of a reason. */
#define LINE_TIME(word)	     ((int)(s.observed[SUMMARY_LINE][LINE_##word] / MINUTE))
#define OVERALL_TIME(word)   ((int)(s.observed[SUMMARY_OVERALL][OVERALL_##word] / MINUTE))
#define PERSON_TIME(word)    ((int)(s.observed[SUMMARY_AVAILABILITY][AVAILABILITY_##word] / MINUTE))
#define NOT_OBSERVED(reason) ((int)(s.unobserved[SUMMARY_LINE][reason] / MINUTE))

/* Whatever happened, every field accounts for the whole time, once. */
static void assert_whole(int minutes)
{
	for (int i = 0; i < SUMMARY_FIELD_COUNT; i++) {
		int64_t sum = 0;

		for (int w = 0; w < SUMMARY_WORDS; w++)
			sum += s.observed[i][w];
		for (int r = 0; r < SUMMARY_REASON_COUNT; r++)
			sum += s.unobserved[i][r];
		assert_int_equal(sum, minutes * MINUTE);
	}
}

static void words_last_until_the_next_row_and_the_last_one_until_to(void **state)
{
	(void)state;
	begin(0, 60);
	give(on_the_line(10, "idle"));
	give(on_the_line(15, "busy"));
	give(on_the_line(22, "idle"));
	end();
	assert_int_equal(LINE_TIME(IDLE), 5 + 38);
	assert_int_equal(LINE_TIME(BUSY), 7);
	assert_int_equal(OVERALL_TIME(BUSY), 7);
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_NOT_RECORDED), 10);
	assert_whole(60);
}

static void the_future_is_not_counted(void **state)
{
	(void)state;
	history_summary_init(&s, AT(0), AT(60), AT(20));
	give(on_the_line(0, "busy"));
	end();
	assert_int_equal(LINE_TIME(BUSY), 20);
	assert_whole(20);

	history_summary_init(&s, AT(0), AT(60), AT(20));
	give(on_the_line(0, "busy"));
	give(on_the_line(30, "idle")); /* written before the clock was set back */
	end();
	assert_int_equal(LINE_TIME(BUSY), 20);
	assert_whole(20);

	history_summary_init(&s, AT(50), AT(60), AT(20)); /* all of it is to come */
	end();
	assert_whole(0);
}

static void the_row_in_force_counts_from_the_beginning(void **state)
{
	(void)state;
	begin(30, 60);
	give(on_the_line(10, "busy"));
	give(on_the_line(40, "idle"));
	end();
	assert_int_equal(LINE_TIME(BUSY), 10);
	assert_int_equal(LINE_TIME(IDLE), 20);
	assert_whole(30);
}

static void nothing_is_observed_without_any_row(void **state)
{
	(void)state;
	begin(0, 60);
	end();
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_NOT_RECORDED), 60);
	assert_whole(60);
}

static void a_half_counts_only_while_its_status_is_ok(void **state)
{
	(void)state;
	begin(0, 60);
	give(change(0, "busy", "ok", "away", "ok", "busy"));
	give(change(10, "busy", "ok", "away", "stale", "busy"));
	give(change(30, "unknown", "error", "away", "stale", "busy"));
	end();
	assert_int_equal(LINE_TIME(BUSY), 10);
	assert_int_equal(NOT_OBSERVED(STATE_STATUS_STALE), 50);
	assert_int_equal(PERSON_TIME(AWAY), 30);
	assert_int_equal(s.unobserved[SUMMARY_AVAILABILITY][STATE_STATUS_ERROR], 30 * MINUTE);
	assert_int_equal(OVERALL_TIME(BUSY), 10); /* a stale half takes part in the rest */
	assert_int_equal(s.unobserved[SUMMARY_OVERALL][STATE_STATUS_STALE], 20 * MINUTE);
	assert_int_equal(OVERALL_TIME(UNKNOWN), 0);
	assert_int_equal(s.unobserved[SUMMARY_OVERALL][STATE_STATUS_ERROR], 30 * MINUTE); /* tells more than stale */
	assert_whole(60);
}

static void overall_is_not_observed_for_the_more_telling_reason(void **state)
{
	(void)state;
	begin(0, 30);
	give(change(0, "unknown", "server_not_configured", NULL, "not_requested", NULL));
	give(change(10, "unknown", "access_denied", NULL, "not_configured_for_user", NULL));
	end();
	assert_int_equal(s.unobserved[SUMMARY_OVERALL][STATE_STATUS_NOT_REQUESTED], 10 * MINUTE);
	assert_int_equal(s.unobserved[SUMMARY_OVERALL][STATE_STATUS_ACCESS_DENIED], 20 * MINUTE);
	assert_whole(30);
}

/* A source may answer without a word of this kind; and a newer daemon may have words that are not known here. */
static void a_word_that_is_absent_or_not_known_is_not_observed(void **state)
{
	(void)state;
	begin(0, 40);
	give(change(0, "available", "ok", NULL, "ok", "idle"));
	give(change(10, "available", "sleepy", "available", "ok", "levitating"));
	give(change(30, "transcendent", "ok", "available", "ok", "idle"));
	end();
	assert_int_equal(s.unobserved[SUMMARY_AVAILABILITY][SUMMARY_REASON_NOT_SAID], 10 * MINUTE);
	assert_int_equal(s.unobserved[SUMMARY_AVAILABILITY][SUMMARY_REASON_NOT_UNDERSTOOD], 20 * MINUTE);
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_NOT_UNDERSTOOD), 20);
	assert_int_equal(s.unobserved[SUMMARY_OVERALL][SUMMARY_REASON_NOT_UNDERSTOOD], 10 * MINUTE);
	assert_int_equal(OVERALL_TIME(AVAILABLE), 30);
	assert_whole(40);
}

static void what_ends_in_a_gap_is_not_observed_as_a_whole(void **state)
{
	(void)state;
	begin(0, 60);
	give(on_the_line(0, "busy"));
	give(with_gap(on_the_line(20, "idle")));
	give(on_the_line(30, "busy"));
	give(with_gap(row(50, "removed")));
	end();
	assert_int_equal(LINE_TIME(BUSY), 0);
	assert_int_equal(LINE_TIME(IDLE), 10);
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_LOST_ROWS), 40);
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_REMOVED), 10);
	assert_whole(60);

	begin(10, 60); /* also the part after `from` of what began before it */
	give(on_the_line(0, "busy"));
	give(with_gap(on_the_line(20, "idle")));
	end();
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_LOST_ROWS), 10);
	assert_whole(50);

	begin(0, 30); /* the gap lies before the row that is in force */
	give(with_gap(on_the_line(-10, "busy")));
	end();
	assert_int_equal(LINE_TIME(BUSY), 30);
	assert_whole(30);
}

static void a_start_ends_what_was_open_where_it_was_last_observed(void **state)
{
	(void)state;
	begin(0, 60);
	give(on_the_line(0, "busy"));
	give(started(30, 20));
	give(on_the_line(45, "idle"));
	end();
	assert_int_equal(LINE_TIME(BUSY), 20);
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_NOT_RUNNING), 10);
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_SINCE_START), 15);
	assert_int_equal(LINE_TIME(IDLE), 15);
	assert_whole(60);
}

static void without_observed_until_nothing_of_it_was_observed(void **state)
{
	(void)state;
	begin(0, 60);
	give(on_the_line(0, "idle"));
	give(on_the_line(10, "busy"));
	give(started(30, -1));
	end();
	assert_int_equal(LINE_TIME(IDLE), 10);
	assert_int_equal(LINE_TIME(BUSY), 0);
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_NOT_RUNNING), 20);
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_SINCE_START), 30);
	assert_whole(60);

	begin(0, 60); /* absent is null */
	give(on_the_line(0, "busy"));
	give(row(30, "started"));
	end();
	assert_int_equal(LINE_TIME(BUSY), 0);
	assert_whole(60);
}

/* A clock that was set back while the daemon was away must not count more than there was. */
static void observed_until_lies_between_the_rows(void **state)
{
	(void)state;
	begin(0, 60);
	give(on_the_line(10, "busy"));
	give(started(30, 50));
	end();
	assert_int_equal(LINE_TIME(BUSY), 20);
	assert_whole(60);

	begin(0, 60); /* before the row that is open */
	give(on_the_line(10, "busy"));
	give(started(30, 5));
	end();
	assert_int_equal(LINE_TIME(BUSY), 0);
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_NOT_RUNNING), 20);
	assert_whole(60);

	begin(20, 60); /* and before `from` */
	give(on_the_line(0, "busy"));
	give(started(30, 10));
	end();
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_NOT_RUNNING), 10);
	assert_whole(40);
}

static void a_stop_ends_what_was_open(void **state)
{
	(void)state;
	begin(0, 60);
	give(on_the_line(0, "busy"));
	give(row(20, "stopped"));
	give(started(30, 20));
	give(on_the_line(40, "idle"));
	end();
	assert_int_equal(LINE_TIME(BUSY), 20);
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_NOT_RUNNING), 10);
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_SINCE_START), 10);
	assert_int_equal(LINE_TIME(IDLE), 20);
	assert_whole(60);

	begin(0, 60); /* in force at the beginning */
	give(row(-20, "stopped"));
	end();
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_NOT_RUNNING), 60);
}

static void a_removed_user_is_not_observed_and_a_renamed_one_goes_on(void **state)
{
	(void)state;
	begin(0, 60);
	give(on_the_line(0, "busy"));
	give(row(10, "renamed"));
	give(on_the_line(20, "busy"));
	give(row(30, "removed"));
	end();
	assert_int_equal(LINE_TIME(BUSY), 30);
	assert_int_equal(NOT_OBSERVED(SUMMARY_REASON_REMOVED), 30);
	assert_whole(60);
}

static void rows_out_of_order_and_rows_not_known_count_nothing_twice(void **state)
{
	(void)state;
	begin(0, 60);
	give(on_the_line(20, "busy"));
	give(on_the_line(10, "idle")); /* the clock was set back */
	give(row(40, "eclipse"));
	give(json_object());
	give(on_the_line(50, "busy"));
	end();
	assert_int_equal(LINE_TIME(IDLE), 30);
	assert_int_equal(LINE_TIME(BUSY), 10);
	assert_whole(60);
}

/* The whole time is accounted for whatever comes. */
static void random_rows_account_for_the_whole_time(void **state)
{
	static const char *const lines[] = { "idle", "busy", "ringing", "nonsense" };
	static const char *const kinds[] = { "stopped", "removed", "renamed", "started" };

	(void)state;
	random_begin("history_summary");
	for (size_t round = 0; round < random_rounds(2000); round++) {
		int at = -20;

		begin(0, 100);
		for (size_t i = random_below(12); i > 0; i--) {
			json_t *r;

			at += (int)random_below(25) - 3;
			r = random_below(2) == 0 ? on_the_line(at, lines[random_below(COUNT_OF(lines))]) :
			    random_below(2) == 0 ? row(at, kinds[random_below(COUNT_OF(kinds))]) :
						   started(at, at - (int)random_below(20));
			give(random_below(8) == 0 ? with_gap(r) : r);
		}
		end();
		assert_whole(100);
	}
}

static void it_is_printed_in_words(void **state)
{
	struct buf b;

	(void)state;
	begin(0, 90);
	give(change(0, "busy", "not_requested", NULL, "ok", "busy"));
	give(change(65, "available", "not_requested", NULL, "ok", "idle"));
	give(change(70, "available", "not_requested", NULL, "stale", "idle"));
	give(row(80, "stopped"));
	end();
	buf_init(&b, 4096);
	history_summary_write(&s, &b);
	assert_string_equal(buf_text(&b),
	    "overall       busy 1h5m, available 5m; not observed 20m (stale 10m, daemon not running 10m)\n"
	    "line          idle 5m, busy 1h5m; not observed 20m (stale 10m, daemon not running 10m)\n"
	    "availability  not observed 1h30m (not_requested 1h20m, daemon not running 10m)\n");
	buf_done(&b);
}

static void it_is_printed_when_all_was_observed_and_when_there_was_no_time(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	begin(0, 10);
	give(change(0, "away", "ok", "away", "ok", "idle"));
	end();
	history_summary_write(&s, &b);
	assert_string_equal(buf_text(&b), "overall       away 10m\nline          idle 10m\navailability  away 10m\n");
	buf_clear(&b);
	begin(10, 10);
	end();
	history_summary_write(&s, &b);
	assert_non_null(strstr(buf_text(&b), "overall       no time has passed\n"));
	buf_done(&b);
}

static void it_is_one_object_for_programs(void **state)
{
	json_t *expected =
	    json_pack("{s:s, s:s, s:{s:i}, s:{s:i}, s:{}, s:{s:i, s:i, s:i}, s:{s:{s:i}, s:{s:i}, s:{s:i, s:i}}}",
		"from", "2026-11-20T00:00:00.000Z", "to", "2026-11-20T00:30:00.000Z", "overall", "busy", 1200000,
		"line", "busy", 1200000, "availability", "unobserved", "overall", 600000, "line", 600000,
		"availability", 1800000, "reasons", "overall", "daemon not running", 600000, "line",
		"daemon not running", 600000, "availability", "not_requested", 1200000, "daemon not running", 600000);
	json_t *found;

	(void)state;
	assert_non_null(expected);
	history_summary_init(&s, AT(0), AT(60), AT(30));
	give(on_the_line(0, "busy"));
	give(row(20, "stopped"));
	end();
	found = history_summary_json(&s);
	assert_true(json_equal(found, expected));
	json_decref(found);
	json_decref(expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_last_until_the_next_row_and_the_last_one_until_to),
		cmocka_unit_test(the_future_is_not_counted),
		cmocka_unit_test(the_row_in_force_counts_from_the_beginning),
		cmocka_unit_test(nothing_is_observed_without_any_row),
		cmocka_unit_test(a_half_counts_only_while_its_status_is_ok),
		cmocka_unit_test(overall_is_not_observed_for_the_more_telling_reason),
		cmocka_unit_test(a_word_that_is_absent_or_not_known_is_not_observed),
		cmocka_unit_test(what_ends_in_a_gap_is_not_observed_as_a_whole),
		cmocka_unit_test(a_start_ends_what_was_open_where_it_was_last_observed),
		cmocka_unit_test(without_observed_until_nothing_of_it_was_observed),
		cmocka_unit_test(observed_until_lies_between_the_rows),
		cmocka_unit_test(a_stop_ends_what_was_open),
		cmocka_unit_test(a_removed_user_is_not_observed_and_a_renamed_one_goes_on),
		cmocka_unit_test(rows_out_of_order_and_rows_not_known_count_nothing_twice),
		cmocka_unit_test(random_rows_account_for_the_whole_time),
		cmocka_unit_test(it_is_printed_in_words),
		cmocka_unit_test(it_is_printed_when_all_was_observed_and_when_there_was_no_time),
		cmocka_unit_test(it_is_one_object_for_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
