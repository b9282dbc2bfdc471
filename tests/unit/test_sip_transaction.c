/* test_sip_transaction.c: requests are repeated and given up in time, and get the answers that are theirs.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>

#include "connectors/sip/message.h"
#include "connectors/sip/transaction.h"
#include "daemon/base/instant.h"

#define START 1000000
#define MANY  4000

static struct transactions *ts;
static int64_t now;
static struct buf sent; /* " 500" for each request that went out, ms after START */
static size_t sends;
static int send_result;

static int on_send(void *arg, const void *data, size_t len)
{
	(void)arg;
	assert_true(len >= 3 && memcmp(data, "REQ", 3) == 0);
	buf_printf(&sent, " %lld", (long long)(now - START));
	sends++;
	return send_result;
}

static int begin(void **state)
{
	const struct transactions_owner owner = { .send = on_send };

	(void)state;
	now = START;
	sends = 0;
	send_result = 0;
	buf_init(&sent, 1 << 20);
	ts = transactions_new(&owner, now);
	return ts == NULL ? -1 : 0;
}

static int end(void **state)
{
	(void)state;
	transactions_free(ts);
	buf_done(&sent);
	return 0;
}

/* What became of one. */
struct ending {
	int calls, status;
	int64_t at;
	bool with_answer;
	struct transaction **cancel; /* cancelled from inside */
	bool again;		     /* a new one is begun from inside */
};

static void on_answered(void *arg, const sip_t *answer, int status);

static struct transaction *start(struct ending *e, const char *method, bool reliable)
{
	struct transaction *t = transaction_new(ts, method, on_answered, e);
	struct buf request;

	assert_non_null(t);
	buf_init(&request, SIP_MAX_REQUEST);
	buf_printf(&request, "REQ %s", transaction_branch(t));
	assert_int_equal(transaction_send(ts, t, &request, reliable, SIP_TIMER_F_MS, now), 0);
	buf_done(&request);
	return t;
}

static void on_answered(void *arg, const sip_t *answer, int status)
{
	struct ending *e = arg;

	e->calls++;
	e->status = status;
	e->at = now - START;
	e->with_answer = answer != NULL;
	if (e->cancel != NULL)
		transaction_cancel(ts, *e->cancel);
	e->cancel = NULL;
	if (e->again) {
		e->again = false;
		start(e, "SUBSCRIBE", false);
	}
}

/* Run as the daemon does: when it is due. */
static void run_until(int64_t ms)
{
	while (transactions_deadline(ts) <= START + ms) {
		int64_t due = transactions_deadline(ts);

		assert_true(due > now || transactions_count(ts) > 0);
		now = due > now ? due : now;
		transactions_run(ts, now);
	}
	now = START + ms;
}

#define VIA "Via: SIP/2.0/UDP 192.0.2.1;branch=%s\r\n"

static bool answer_text(const char *text)
{
	const char *why;
	sip_t *sip;
	msg_t *msg = sip_message_parse(text, strlen(text), &sip, &why);
	bool taken;

	if (msg == NULL)
		fail_msg("%s: %s", text, why);
	taken = transactions_answer(ts, sip, now);
	msg_destroy(msg);
	return taken;
}

static bool answer(int status, const char *branch, const char *method)
{
	char text[512];

	snprintf(text, sizeof text,
	    "SIP/2.0 %d X\r\n" VIA "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: 1\r\n"
	    "CSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
	    status, branch, method);
	return answer_text(text);
}

static void requests_are_repeated_over_udp(void **state)
{
	struct ending e = { 0 };

	(void)state;
	start(&e, "SUBSCRIBE", false);
	assert_int_equal(transactions_count(ts), 1);
	run_until(31999);
	assert_string_equal(buf_text(&sent), " 0 500 1500 3500 7500 11500 15500 19500 23500 27500 31500");
	assert_int_equal(e.calls, 0);
	run_until(40000);
	assert_int_equal(e.calls, 1);
	assert_int_equal(e.status, SIP_TIMEOUT);
	assert_int_equal(e.at, SIP_TIMER_F_MS);
	assert_false(e.with_answer);
	assert_int_equal(sends, 11);
	assert_int_equal(transactions_count(ts), 0);
	assert_true(transactions_deadline(ts) == INSTANT_NEVER);
}

static void nothing_is_repeated_over_streams(void **state)
{
	struct ending e = { 0 };

	(void)state;
	start(&e, "SUBSCRIBE", true);
	run_until(31999);
	assert_int_equal(e.calls, 0);
	run_until(32050);
	assert_string_equal(buf_text(&sent), " 0");
	assert_int_equal(e.calls, 1);
	assert_int_equal(e.status, SIP_TIMEOUT);
}

static void a_provisional_answer_makes_repetition_slow(void **state)
{
	struct ending e = { 0 };
	struct transaction *t = start(&e, "SUBSCRIBE", false);

	(void)state;
	run_until(600);
	assert_true(answer(100, transaction_branch(t), "SUBSCRIBE"));
	run_until(31999);
	assert_string_equal(buf_text(&sent), " 0 500 4600 8600 12600 16600 20600 24600 28600");
	assert_int_equal(e.calls, 0);
	run_until(32100);
	assert_int_equal(e.status, SIP_TIMEOUT);
}

static void a_provisional_answer_over_a_stream_changes_nothing(void **state)
{
	struct ending e = { 0 };
	struct transaction *t = start(&e, "SUBSCRIBE", true);

	(void)state;
	assert_true(answer(183, transaction_branch(t), "SUBSCRIBE"));
	run_until(31950);
	assert_string_equal(buf_text(&sent), " 0");
	assert_int_equal(e.calls, 0);
}

static void timers_are_never_early(void **state)
{
	struct ending e = { 0 };

	(void)state;
	now += 33; /* between two ticks */
	start(&e, "SUBSCRIBE", false);
	transactions_run(ts, START + 532);
	assert_int_equal(sends, 1);
	transactions_run(ts, now = START + 583);
	assert_int_equal(sends, 2);
	run_until(32032);
	assert_int_equal(e.calls, 0);
	run_until(32083);
	assert_int_equal(e.calls, 1);
}

static void a_final_answer_ends_it_once(void **state)
{
	static const int finals[] = { 200, 202, 301, 401, 404, 481, 503, 603, 699 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(finals); i++) {
		struct ending e = { 0 };
		char branch[SIP_BRANCH_SIZE];

		snprintf(branch, sizeof branch, "%s", transaction_branch(start(&e, "PUBLISH", i % 2 == 0)));
		assert_true(answer(finals[i], branch, "PUBLISH"));
		assert_int_equal(e.status, finals[i]);
		assert_true(e.with_answer);
		assert_int_equal(transactions_count(ts), 0);
		assert_false(answer(finals[i], branch, "PUBLISH")); /* repeated: the rest belongs to nobody */
		assert_int_equal(e.calls, 1);
	}
	sends = 0;
	run_until(60000);
	assert_int_equal(sends, 0);
}

static void answers_to_others_are_not_taken(void **state)
{
	struct ending e = { 0 };
	struct transaction *t = start(&e, "SUBSCRIBE", false);
	const char *branch = transaction_branch(t);
	char text[512], other[SIP_BRANCH_SIZE + 1];

	(void)state;
	assert_false(answer(200, branch, "NOTIFY"));
	assert_false(answer(200, branch, "subscribe"));
	assert_false(answer(200, "z9hG4bK1.0", "SUBSCRIBE"));
	snprintf(other, sizeof other, "%s0", branch);
	assert_false(answer(200, other, "SUBSCRIBE"));
	snprintf(other, sizeof other, "%.*s", (int)strlen(branch) - 1, branch);
	assert_false(answer(200, other, "SUBSCRIBE"));
	snprintf(text, sizeof text,
	    "SIP/2.0 200 OK\r\n" VIA "Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKx\r\n"
	    "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 SUBSCRIBE\r\n\r\n",
	    branch);
	assert_false(answer_text(text));
	assert_false(answer_text("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nFrom: <sip:a@b>;tag=1\r\n"
				 "To: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 SUBSCRIBE\r\n\r\n"));
	assert_int_equal(e.calls, 0);
	assert_true(answer(200, branch, "SUBSCRIBE"));
	assert_int_equal(e.calls, 1);
}

static void branches_are_unlike(void **state)
{
	struct ending e[3] = { 0 };
	struct transaction *a = start(&e[0], "NOTIFY", true), *b = start(&e[1], "NOTIFY", true);

	(void)state;
	assert_string_not_equal(transaction_branch(a), transaction_branch(b));
	assert_int_equal(strncmp(transaction_branch(a), "z9hG4bK", 7), 0);
	assert_true(answer(200, transaction_branch(b), "NOTIFY"));
	assert_int_equal(e[0].calls, 0);
	assert_int_equal(e[1].calls, 1);
}

static void a_lost_connection_ends_all(void **state)
{
	struct ending e[20] = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(e); i++)
		start(&e[i], "SUBSCRIBE", i % 2 == 0);
	transactions_lost(ts);
	for (size_t i = 0; i < COUNT_OF(e); i++) {
		assert_int_equal(e[i].calls, 1);
		assert_int_equal(e[i].status, SIP_LOST);
		assert_false(e[i].with_answer);
	}
	assert_int_equal(transactions_count(ts), 0);
	transactions_lost(ts);
	sends = 0;
	run_until(60000);
	assert_int_equal(sends, 0);
}

static void a_cancelled_one_is_silent(void **state)
{
	struct ending e = { 0 };
	struct transaction *t = start(&e, "SUBSCRIBE", false);
	char branch[SIP_BRANCH_SIZE];

	(void)state;
	snprintf(branch, sizeof branch, "%s", transaction_branch(t));
	transaction_cancel(ts, t);
	transaction_cancel(ts, NULL);
	assert_int_equal(transactions_count(ts), 0);
	assert_false(answer(200, branch, "SUBSCRIBE"));
	run_until(60000);
	assert_int_equal(e.calls, 0);
	assert_int_equal(sends, 1);
	transaction_cancel(ts, transaction_new(ts, "NOTIFY", on_answered, &e)); /* never sent */
	assert_int_equal(transactions_count(ts), 0);
}

/* Inside the end of one, another is cancelled: by time, by loss, by answer. */
static void others_may_be_cancelled_inside_answered(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		struct ending a = { 0 }, b = { 0 };
		struct transaction *first = start(&a, "SUBSCRIBE", true), *second = start(&b, "SUBSCRIBE", true);

		a.cancel = &second;
		b.cancel = &first;
		if (how == 0)
			transactions_run(ts, now += SIP_TIMER_F_MS + 50);
		else if (how == 1)
			transactions_lost(ts);
		else
			answer(200, transaction_branch(first), "SUBSCRIBE");
		assert_int_equal(a.calls + b.calls, 1);
		assert_int_equal(transactions_count(ts), 0);
	}
}

static void the_next_may_begin_inside_answered(void **state)
{
	struct ending e = { .again = true };

	(void)state;
	start(&e, "SUBSCRIBE", true);
	run_until(32000);
	assert_int_equal(e.calls, 1);
	assert_int_equal(transactions_count(ts), 1);
	assert_int_equal(sends, 2);
	run_until(64000);
	assert_int_equal(e.calls, 2);
	assert_int_equal(e.at, 64000);
}

/* Without an answer nobody is called: the caller knows from the result. */
static void what_cannot_be_sent_is_gone(void **state)
{
	static const struct {
		int result;
		bool reliable, lives;
	} cases[] = {
		{ -ENOTCONN, true, false }, { -ENOTCONN, false, false }, { -EMSGSIZE, false, false },
		{ -ENOBUFS, true, false }, { -ENOBUFS, false, true }, /* a later repetition may pass */
	};
	struct ending e = { 0 };
	struct buf request;

	(void)state;
	buf_init(&request, 100);
	buf_puts(&request, "REQ");
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct transaction *t = transaction_new(ts, "SUBSCRIBE", on_answered, &e);
		int r;

		send_result = cases[i].result;
		r = transaction_send(ts, t, &request, cases[i].reliable, SIP_TIMER_F_MS, now);
		assert_int_equal(r, cases[i].lives ? 0 : cases[i].result);
		assert_int_equal(transactions_count(ts), cases[i].lives ? 1 : 0);
	}
	send_result = 0;
	run_until(600);
	assert_int_equal(sends, COUNT_OF(cases) + 1);
	assert_int_equal(e.calls, 0);
	buf_done(&request);
}

static void a_short_limit_is_kept(void **state)
{
	struct ending e = { 0 };
	struct transaction *t = transaction_new(ts, "SUBSCRIBE", on_answered, &e);
	struct buf request;

	(void)state;
	buf_init(&request, 100);
	buf_puts(&request, "REQ");
	assert_int_equal(transaction_send(ts, t, &request, false, 700, now), 0);
	run_until(10000);
	assert_string_equal(buf_text(&sent), " 0 500");
	assert_int_equal(e.at, 700);
	buf_done(&request);
}

/* Begun at different times; a third is answered, a third waits in vain, a third is cancelled. */
static void thousands_at_a_time(void **state)
{
	static struct ending e[MANY];
	static struct transaction *t[MANY];

	(void)state;
	memset(e, 0, sizeof e);
	for (int i = 0; i < MANY; i++) {
		now = START + i;
		transactions_run(ts, now);
		t[i] = start(&e[i], "SUBSCRIBE", false);
	}
	assert_int_equal(transactions_count(ts), MANY);
	for (int i = 0; i < MANY; i += 3)
		assert_true(answer(200, transaction_branch(t[i]), "SUBSCRIBE"));
	for (int i = 1; i < MANY; i += 3)
		transaction_cancel(ts, t[i]);
	run_until(MANY + SIP_TIMER_F_MS + 50);
	assert_int_equal(transactions_count(ts), 0);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(e[i].calls, i % 3 == 1 ? 0 : 1);
		if (i % 3 == 2) {
			assert_int_equal(e[i].status, SIP_TIMEOUT);
			assert_in_range(e[i].at, i + SIP_TIMER_F_MS, i + SIP_TIMER_F_MS + 50);
		}
	}
}

static void what_waits_is_freed_without_a_word(void **state)
{
	static struct ending e[10];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(e); i++)
		start(&e[i], "SUBSCRIBE", false);
	transactions_free(ts);
	transactions_free(NULL);
	ts = NULL;
	for (size_t i = 0; i < COUNT_OF(e); i++)
		assert_int_equal(e[i].calls, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_are_repeated_over_udp),
		TEST(nothing_is_repeated_over_streams),
		TEST(a_provisional_answer_makes_repetition_slow),
		TEST(a_provisional_answer_over_a_stream_changes_nothing),
		TEST(timers_are_never_early),
		TEST(a_final_answer_ends_it_once),
		TEST(answers_to_others_are_not_taken),
		TEST(branches_are_unlike),
		TEST(a_lost_connection_ends_all),
		TEST(a_cancelled_one_is_silent),
		TEST(others_may_be_cancelled_inside_answered),
		TEST(the_next_may_begin_inside_answered),
		TEST(what_cannot_be_sent_is_gone),
		TEST(a_short_limit_is_kept),
		TEST(thousands_at_a_time),
		TEST(what_waits_is_freed_without_a_word),
	};

	return cmocka_run_group_tests_name("sip_transaction", tests, NULL, NULL);
}
