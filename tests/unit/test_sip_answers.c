/* test_sip_answers.c: what answers change: servers that forget, refreshes, refusals, goodbyes, routes.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/sip_world.h"

/* u0@x and so on, each accepted and notified. */
static void begin_with_many(size_t count)
{
	begin("TCP", NULL, 50);
	watch_many(count);
	subscriber_connected(s);
	live(1, accept);
	assert_int_equal(stats().established, count);
	assert_int_equal(sent_count, count);
}

/* --- servers that forget and end ------------------------------------------------------------------- */

static void refuse_refreshes(const char *request)
{
	if (in_dialog(request))
		answer(request, 481, "");
	else
		accept(request);
}

static void a_server_that_refuses_each_refresh_is_not_asked_in_a_circle(void **state)
{
	(void)state;
	for (size_t count = 1; count <= 100; count *= 100) {
		begin("TCP", NULL, 50);
		subscriber_connected(s);
		watch_many(count);
		live(600 * SECOND, refuse_refreshes);
		assert_in_range(sent_count, count + 1, 9 * count + 20);
		assert_in_range(forgotten, 1, 6);
		assert_int_equal(usages(), count);
		end(state);
	}
}

static void three_forgotten_ones_are_a_server_that_has_forgotten_all(void **state)
{
	(void)state;
	begin("TCP", NULL, 50);
	watch_many(10);
	subscriber_connected(s);
	live(1, NULL);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(settled, 0);
		accept(take_request());
	}
	live(BEAT_MS - SECOND, NULL);
	assert_int_equal(settled, 1);
	assert_null(next_request());
	live(2 * SECOND, refuse_refreshes);
	assert_int_equal(forgotten, 1);
	assert_int_equal(settled, 2);
	assert_int_equal(stats().forgotten, FORGOTTEN_AFTER);
	assert_in_range(sent_count, 10 + FORGOTTEN_AFTER + 10, 10 + FORGOTTEN_AFTER + 1 + 10);
	live(60 * SECOND, accept);
	assert_int_equal(settled, 2);
	assert_int_equal(forgotten, 1);
	assert_int_equal(stats().established, 10);
}

static bool refuse_one; /* the next refresh, and no other */

static void refuse_one_refresh(const char *request)
{
	if (!refuse_one || !in_dialog(request)) {
		accept(request);
		return;
	}
	refuse_one = false;
	answer(request, 481, "");
}

/* A PBX that was told to end one subscription, now and then, is no PBX that was restarted. */
static void a_forgotten_one_now_and_then_is_no_server_that_has_forgotten_all(void **state)
{
	(void)state;
	begin_with_many(10);
	for (unsigned i = 1; i <= 5; i++) {
		refuse_one = true;
		live(60 * SECOND, refuse_one_refresh);
		assert_false(refuse_one);
		assert_int_equal(stats().forgotten, i);
		assert_int_equal(stats().established, 10);
	}
	assert_int_equal(forgotten, 0);
}

/* All are made anew then, so what the server said before says nothing of what it knows now. */
static void what_was_forgotten_before_a_loss_does_not_count_after_it(void **state)
{
	(void)state;
	begin_with_many(10);
	answer(await_request(BEAT_MS + SECOND), 481, "");
	answer(take_request(), 481, "");
	assert_int_equal(stats().forgotten, FORGOTTEN_AFTER - 1);
	connect_again();
	read_all();
	live(SECOND, accept);
	assert_int_equal(stats().established, 10);
	answer(await_request(BEAT_MS + SECOND), 481, "");
	assert_int_equal(stats().forgotten, FORGOTTEN_AFTER);
	live(3 * SECOND, accept);
	assert_int_equal(forgotten, 0);
	assert_int_equal(stats().established, 10);
}

/* A server that forgets again and again is asked ever more rarely; one that was away in between begins anew. */
static void patience_with_a_server_that_forgets_begins_anew_with_each_connection(void **state)
{
	(void)state;
	begin_with_many(10);
	for (size_t i = 1; i <= 3; i++) {
		live(BEAT_MS + SECOND, refuse_refreshes);
		assert_int_equal(forgotten, 2 * i - 1);
		live(2 * BEAT_MS, refuse_refreshes); /* the least wait */
		assert_int_equal(forgotten, 2 * i);
		connect_again();
		live(SECOND, accept);
	}
}

static void patience_with_a_server_that_forgets_begins_anew_with_a_refresh_that_it_accepts(void **state)
{
	(void)state;
	begin_with_many(10);
	for (size_t i = 1; i <= 3; i++) {
		live(BEAT_MS + SECOND, refuse_refreshes);
		assert_int_equal(forgotten, 2 * i - 1);
		live(2 * BEAT_MS, refuse_refreshes);
		assert_int_equal(forgotten, 2 * i);
		live(8 * BEAT_MS, accept); /* also longer than the second wait */
	}
}

static void accept_and_end(const char *request)
{
	accept(request);
	notify(request, "terminated;reason=deactivated", "");
}

static void a_subscription_that_is_ended_at_once_is_asked_for_ever_more_rarely(void **state)
{
	(void)state;
	accept_and_end(begin_with("TCP", NULL, SIP_DIALOG));
	live(300 * SECOND, accept_and_end);
	assert_in_range(sent_count, 5, 19);
	live(300 * SECOND, accept_and_end);
	assert_in_range(sent_count, 5, 19);
}

static void accept_for_a_second(const char *request)
{
	answer(request, 200, "Expires: 1\r\n");
	notify(request, "active", LINE_IS_IDLE);
}

static void a_second_is_refreshed_every_two(void **state)
{
	(void)state;
	accept_for_a_second(begin_with("TCP", NULL, SIP_DIALOG));
	live(300 * SECOND, accept_for_a_second);
	assert_in_range(sent_count, 50, 151);
	assert_int_equal(usages(), 1);
}

/* --- refreshes ------------------------------------------------------------------------------------- */

static void accept_for_a_day(const char *request)
{
	answer(request, 200, "Expires: 86400\r\n");
	notify(request, "active", LINE_IS_IDLE);
}

/* It may shorten what was asked for, not lengthen it (RFC 6665 3.1.1). So many that their turns as proofs do not
 * come within that time. */
static void a_day_that_was_not_asked_for_is_not_believed(void **state)
{
	(void)state;
	begin("TCP", NULL, 50);
	watch_many(100);
	subscriber_connected(s);
	live(1, accept_for_a_day);
	assert_int_equal(sent_count, 100);
	live(590 * SECOND, accept_for_a_day);
	assert_in_range(sent_count, 200, 200 + 30);
	assert_int_equal(stats().established, 100);
}

static void accept_for_nothing(const char *request)
{
	answer(request, 200, "Expires: 0\r\n");
	notify(request, "active", LINE_IS_IDLE);
}

static void accept_without_a_word(const char *request)
{
	answer(request, 200, "");
	notify(request, "active", LINE_IS_IDLE);
}

/* It is no answer to what we asked: what we asked for holds. */
static void nothing_granted_is_what_was_asked_for(void **state)
{
	static void (*const serves[])(const char *request) = { accept_for_nothing, accept_without_a_word };

	for (size_t i = 0; i < COUNT_OF(serves); i++) {
		begin("TCP", NULL, 50);
		watch_many(10);
		subscriber_connected(s);
		live(1, serves[i]);
		assert_int_equal(sent_count, 10);
		live(60 * SECOND, serves[i]);
		assert_in_range(sent_count, 10 + 1, 10 + 60 * SECOND / BEAT_MS); /* the proofs alone */
		assert_int_equal(stats().established, 10);
		end(state);
	}
}

/* Who has notified just now has proved that it knows us. */
static void the_one_that_was_heard_longest_ago_is_proved(void **state)
{
	const char *first, *second;

	(void)state;
	begin("TCP", NULL, 50);
	subscriber_connected(s);
	watch("sip:a@x", SIP_DIALOG);
	watch("sip:b@x", SIP_DIALOG);
	live(1, NULL);
	first = take_request();
	second = take_request();
	assert_is_to(first, "sip:a@x");
	accept(first);
	accept(second);
	live(BEAT_MS - SECOND, NULL);
	notify(first, "active;expires=600", LINE("2", "full", ""));
	assert_is_to(await_request(2 * SECOND), "sip:b@x");
	assert_null(next_request());
}

/* The turn of its refresh has come, but not its place among those that are under way. */
static void a_notify_does_not_cost_a_refresh_its_turn(void **state)
{
	const char *first, *second;

	(void)state;
	begin("TCP", NULL, 1);
	subscriber_connected(s);
	watch("sip:a@x", SIP_DIALOG);
	live(1, NULL);
	first = take_request();
	accept(first);
	watch("sip:b@x", SIP_DIALOG);
	live(1, NULL);
	second = take_request();
	live(BEAT_MS + SECOND, NULL);
	assert_null(next_request());
	notify(first, "active;expires=100", LINE("2", "full", "")); /* shorter: it is planned anew */
	accept(second);
	second = take_request();
	assert_is_to(second, "sip:a@x");
	assert_true(in_dialog(second));
}

static void fail_at_once(const char *request)
{
	answer(request, 500, "");
}

static void a_refresh_that_was_accepted_begins_the_waits_anew(void **state)
{
	const char *request;

	(void)state;
	accept(begin_with("TCP", NULL, SIP_DIALOG));
	live(100 * SECOND, fail_at_once);
	assert_in_range(sent_count, 5, 12);
	live(2 * BEAT_MS, accept);
	request = await_request(BEAT_MS + SECOND); /* so that the next proof is far away */
	assert_true(in_dialog(request));
	answer(request, 500, "");
	live(4 * SECOND, NULL);
	assert_null(next_request());
	assert_true(in_dialog(await_request(2 * SECOND)));
	assert_int_equal(stats().established, 1);
}

/* It is known when that is: nobody is shown as known for longer because a refresh failed shortly before. */
static void a_subscription_that_is_not_refreshed_runs_out_in_time(void **state)
{
	const char *request;

	(void)state;
	request = begin_with("TCP", NULL, SIP_DIALOG);
	answer(request, 200, "Expires: 6\r\n");
	notify(request, "active", LINE_IS_IDLE);
	assert_said("document sip:a@x idle\n");
	request = await_request(4 * SECOND);
	assert_true(in_dialog(request));
	answer(request, 500, "");
	live(START + 5 * SECOND - now, NULL);
	assert_said("");
	live(2 * SECOND, NULL);
	assert_said("stale sip:a@x\n");
	assert_false(in_dialog(take_request()));
	assert_null(next_request());
}

/* RFC 6665 4.1.2.2 names those that end it. */
static void what_a_refused_refresh_means(void **state)
{
	static const struct {
		int status;
		bool ends;
	} rows[] = {
		{ 404, true },
		{ 405, true },
		{ 410, true },
		{ 416, true },
		{ 480, true },
		{ 481, true },
		{ 482, true },
		{ 483, true },
		{ 484, true },
		{ 485, true },
		{ 489, true },
		{ 501, true },
		{ 604, true },
		{ 302, false },
		{ 400, false },
		{ 403, false },
		{ 408, false },
		{ 486, false },
		{ 500, false },
		{ 503, false },
		{ 504, false },
		{ 600, false },
		{ 603, false },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *request;

		print_message("# %d\n", rows[i].status);
		accept(begin_with("TCP", NULL, SIP_DIALOG));
		buf_clear(&said);
		answer(await_request(BEAT_MS + SECOND), rows[i].status, "");
		assert_int_equal(buf_text(&said)[0] != '\0', rows[i].ends);
		assert_int_equal(stats().established, !rows[i].ends);
		assert_int_equal(refusal_ends_subscription(rows[i].status), rows[i].ends);
		live(7 * SECOND, NULL); /* the first wait, and a little */
		request = next_request();
		assert_true(request != NULL || rows[i].ends);
		assert_true(request == NULL || in_dialog(request) == !rows[i].ends);
		end(state);
	}
}

/* RFC 3261 21.5.4: it has too much to do, and the next refresh would be more of it. */
static void a_refresh_may_be_told_that_the_server_wants_to_be_left_alone(void **state)
{
	(void)state;
	accept(begin_with("TCP", NULL, SIP_DIALOG));
	buf_clear(&said);
	answer(await_request(BEAT_MS + SECOND), 503, "Retry-After: 120\r\n");
	assert_int_equal(unavailable, 1);
	assert_int_equal(asked_wait, 120 * SECOND);
	assert_said("");
}

/* --- refusals -------------------------------------------------------------------------------------- */

static void too_short_is_asked_for_once_more_within_reason(void **state)
{
	static const struct {
		const char *min, *seconds; /* NULL: an ordinary refusal */
	} rows[] = {
		{ "Min-Expires: 1200\r\n", "\r\nExpires: 1200\r\n" },
		{ "Min-Expires: 86400\r\n", "\r\nExpires: 86400\r\n" },
		{ "Min-Expires: 86401\r\n", NULL },
		{ "Min-Expires: 4294967295\r\n", NULL },
		{ "Min-Expires: 0\r\n", NULL },
		{ "", NULL },
	};
	const char *request;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		answer(begin_with("TCP", NULL, SIP_DIALOG), 423, rows[i].min);
		if (rows[i].seconds != NULL) {
			request = take_request();
			assert_said("");
			assert_non_null(strstr(request, rows[i].seconds));
			answer(request, 423, "Min-Expires: 86400\r\n"); /* it is never content */
		}
		assert_said("error sip:a@x\n");
		assert_null(next_request());
		request = await_request(7 * SECOND);
		assert_non_null(strstr(request, rows[i].seconds != NULL ? rows[i].seconds : "\r\nExpires: 600\r\n"));
		end(state);
	}
}

static void retry_after_is_told(void **state)
{
	(void)state;
	answer(begin_with("TCP", NULL, SIP_DIALOG), 503, "Retry-After: 120\r\n");
	assert_said("error sip:a@x\n");
	assert_int_equal(unavailable, 1);
	assert_int_equal(asked_wait, 120 * SECOND);
	live(119 * SECOND, NULL);
	assert_null(next_request());
	live(30 * SECOND, NULL);
	accept(take_request());
	assert_int_equal(stats().established, 1);
}

/* A server that names a year, or garbage, is asked again nevertheless. */
static void nobody_is_left_alone_for_much_longer_than_an_hour(void **state)
{
	const char *request;

	(void)state;
	request = begin_with("TCP", NULL, SIP_DIALOG);
	accept(request);
	notify(request, "terminated;reason=probation;retry-after=100000", "");
	live(3599 * SECOND, NULL);
	assert_null(next_request());
	request = await_request(730 * SECOND); /* a fifth is for chance */
	assert_false(in_dialog(request));
	answer(request, 503, "Retry-After: 100000\r\n");
	assert_int_equal(asked_wait, 3600 * SECOND);
}

/* --- goodbyes -------------------------------------------------------------------------------------- */

static void goodbye_is_said_after_the_answer(void **state)
{
	const char *request;

	(void)state;
	request = begin_with("TCP", NULL, SIP_DIALOG);
	subscriber_unwatch(s, "sip:a@x", SIP_DIALOG, DOMAIN_TELEPHONY);
	live(SECOND, NULL);
	assert_null(next_request());
	assert_int_equal(usages(), 1);
	accept(request);
	request = take_request();
	assert_true(in_dialog(request));
	assert_non_null(strstr(request, "Expires: 0\r\n"));
	answer(request, 200, "Expires: 0\r\n");
	notify(request, "terminated;reason=timeout", LINE_IS_IDLE);
	live(3 * SECOND, NULL);
	assert_null(next_request());
	assert_said("");
	assert_int_equal(usages(), 0);
	assert_int_equal(stats().subscriptions, 0);
}

/* The last NOTIFY may be lost, or the server sends none (RFC 6665 4.1.2.3). */
static void a_goodbye_that_is_not_notified_ends_all_the_same(void **state)
{
	(void)state;
	accept(begin_with("TCP", NULL, SIP_DIALOG));
	subscriber_unwatch(s, "sip:a@x", SIP_DIALOG, DOMAIN_TELEPHONY);
	live(1, NULL);
	answer(take_request(), 200, "Expires: 0\r\n");
	live(SECOND, NULL);
	assert_int_equal(usages(), 1); /* it is waited for */
	live(2 * SECOND, NULL);
	assert_int_equal(usages(), 0);
	assert_null(next_request());
}

/* --- routes ---------------------------------------------------------------------------------------- */

/* RFC 3261 12.2.1.1: its address is that of each request, and the server's the last of the route. */
static void a_strict_router_stays_before_the_server(void **state)
{
	const char *request;

	(void)state;
	request = begin_with("TCP", NULL, SIP_DIALOG);
	answer(request, 200, "Expires: 600\r\nRecord-Route: <sip:strict@192.0.2.7>\r\n");
	for (int i = 0; i < 2; i++) {
		notify(request, "active;expires=600", LINE_IS_IDLE);
		request = await_request(BEAT_MS + SECOND);
		assert_ptr_equal(strstr(request, "SUBSCRIBE sip:strict@192.0.2.7 SIP/2.0\r\n"), request);
		assert_non_null(strstr(request, "\r\nRoute: <sip:server@192.0.2.9>\r\n"));
		answer(request, 200, "Expires: 600\r\n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_server_that_refuses_each_refresh_is_not_asked_in_a_circle),
		TEST(three_forgotten_ones_are_a_server_that_has_forgotten_all),
		TEST(a_forgotten_one_now_and_then_is_no_server_that_has_forgotten_all),
		TEST(what_was_forgotten_before_a_loss_does_not_count_after_it),
		TEST(patience_with_a_server_that_forgets_begins_anew_with_each_connection),
		TEST(patience_with_a_server_that_forgets_begins_anew_with_a_refresh_that_it_accepts),
		TEST(a_subscription_that_is_ended_at_once_is_asked_for_ever_more_rarely),
		TEST(a_second_is_refreshed_every_two),
		TEST(a_day_that_was_not_asked_for_is_not_believed),
		TEST(nothing_granted_is_what_was_asked_for),
		TEST(the_one_that_was_heard_longest_ago_is_proved),
		TEST(a_notify_does_not_cost_a_refresh_its_turn),
		TEST(a_refresh_that_was_accepted_begins_the_waits_anew),
		TEST(a_subscription_that_is_not_refreshed_runs_out_in_time),
		TEST(what_a_refused_refresh_means),
		TEST(a_refresh_may_be_told_that_the_server_wants_to_be_left_alone),
		TEST(too_short_is_asked_for_once_more_within_reason),
		TEST(retry_after_is_told),
		TEST(nobody_is_left_alone_for_much_longer_than_an_hour),
		TEST(goodbye_is_said_after_the_answer),
		TEST(a_goodbye_that_is_not_notified_ends_all_the_same),
		TEST(a_strict_router_stays_before_the_server),
	};

	return cmocka_run_group_tests_name("sip_answers", tests, NULL, NULL);
}
