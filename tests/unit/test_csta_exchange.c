/* test_csta_exchange.c: frames and invoke ids, answers to their requests, time limits, how many at a time.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>

#include "connectors/tapi/csta_exchange.h"

struct request {
	struct csta_request base; /* first */
	size_t fill;		  /* bytes of its document beside the tags */
	int answers, silences;
	bool again, end_other; /* what it does when it is answered */
	struct request *other;
};

static struct csta_exchange *e;
static struct buf sent;
static size_t sends, last_length;
static char last_id[5];
static int send_result;
static struct instant now;

static int on_send(void *arg, const void *data, size_t len)
{
	const unsigned char *head = data;

	assert_ptr_equal(arg, &sent);
	if (send_result < 0)
		return send_result;
	sends++;
	last_length = len;
	assert_int_equal(head[0], 0);
	assert_int_equal(head[1], 0);
	assert_int_equal(head[2] << 8 | head[3], len); /* of the whole frame */
	memcpy(last_id, head + 4, 4);
	buf_clear(&sent);
	buf_put(&sent, (const char *)data + CSTA_HEAD_BYTES, len - CSTA_HEAD_BYTES);
	return 0;
}

static void compose(struct csta_request *r, struct buf *b)
{
	const struct request *q = (const struct request *)(const void *)r;

	buf_puts(b, "<x>");
	for (size_t i = 0; i < q->fill; i++)
		buf_putc(b, 'x');
	buf_puts(b, "</x>");
}

static void on_answer(struct csta_request *r, const struct csta_message *m)
{
	struct request *q = (struct request *)(void *)r;

	q->answers += m != NULL;
	q->silences += m == NULL;
	assert_int_equal(r->id, 0);
	if (q->end_other)
		csta_cancel(e, &q->other->base);
	if (q->again) {
		q->again = false;
		assert_int_equal(csta_send(e, r), 0);
	}
}

static const struct csta_request_type counted = { compose, on_answer, 0, false };
static const struct csta_request_type quick = { compose, on_answer, 2000, false };
static const struct csta_request_type beside = { compose, on_answer, 0, true };

static void set_time(int64_t mono)
{
	now = (struct instant){ .mono = mono, .wall = mono };
	csta_exchange_set_time(e, now);
}

static void begin(size_t in_flight)
{
	const struct csta_transport wire = { on_send, &sent };

	buf_init(&sent, 1 << 20);
	sends = 0;
	send_result = 0;
	e = csta_exchange_new(&wire, in_flight);
	assert_non_null(e);
	set_time(1000);
}

static int end(void **state)
{
	(void)state;
	csta_exchange_free(e);
	buf_done(&sent);
	e = NULL;
	return 0;
}

static bool answer(const char *id)
{
	const struct csta_message m = { .kind = CSTA_RESPONSE, .name = "xResponse", .category = "", .error = "" };

	return csta_answer(e, id, &m);
}

static void put(void *arg, struct buf *b)
{
	size_t len = *(const size_t *)arg;

	for (size_t i = 0; i < len; i++)
		buf_putc(b, 'y');
}

/* --- frames ------------------------------------------------------------------------------------------------------------------ */

static void a_frame_has_a_head_of_eight_bytes(void **state)
{
	static struct request r = { .base.type = &counted };

	(void)state;
	begin(16);
	assert_int_equal(csta_send(e, &r.base), 0);
	assert_string_equal(last_id, "0001");
	assert_string_equal(buf_text(&sent), "<x></x>");
	assert_int_equal(last_length, 15);
	assert_int_equal(csta_in_flight(e), 1);
	assert_true(answer("0001"));
	assert_int_equal(r.answers, 1);
	assert_int_equal(csta_in_flight(e), 0);
	assert_false(answer("0001"));
	assert_int_equal(csta_exchange_deadline(e), INSTANT_NEVER);
}

static void the_largest_frame_is_65535_bytes(void **state)
{
	size_t most = CSTA_FRAME_MAX - CSTA_HEAD_BYTES, more = most + 1, much = 200000;
	static struct request r = { .base.type = &counted, .fill = CSTA_FRAME_MAX - CSTA_HEAD_BYTES - 7 };

	(void)state;
	begin(16);
	assert_int_equal(csta_tell(e, put, &most), 0);
	assert_int_equal(last_length, CSTA_FRAME_MAX);
	assert_int_equal(csta_tell(e, put, &more), -EMSGSIZE);
	assert_int_equal(csta_tell(e, put, &much), -EMSGSIZE);
	assert_int_equal(csta_reply(e, "0007", put, &most), 0);
	assert_string_equal(last_id, "0007");
	assert_int_equal(csta_send(e, &r.base), 0);
	r.fill++;
	answer(last_id);
	assert_true(csta_send(e, &r.base) < 0);
	assert_int_equal(csta_in_flight(e), 0);
	r.fill = 0;
	assert_int_equal(csta_send(e, &r.base), 0); /* and nothing is left of it */
	assert_string_equal(buf_text(&sent), "<x></x>");
}

/* --- ids -------------------------------------------------------------------------------------------------------------------- */

static void ids_go_round_and_pass_over_those_that_are_out(void **state)
{
	static struct request out = { .base.type = &counted }, r = { .base.type = &counted };
	char expected[16];

	(void)state;
	begin(16);
	for (int round = 0; round < 2; round++) {
		for (int id = 1; id <= 9998; id++) {
			if (round == 1 && id == 3)
				continue;
			if (round == 0 && id == 3) {
				assert_int_equal(csta_send(e, &out.base), 0);
				continue;
			}
			assert_int_equal(csta_send(e, &r.base), 0);
			snprintf(expected, sizeof expected, "%04d", id);
			assert_string_equal(last_id, expected);
			assert_true(answer(last_id));
		}
	}
	assert_int_equal(r.answers, 2 * 9998 - 2);
	assert_true(answer("0003"));
	assert_int_equal(out.answers, 1);
}

static void ids_that_are_none_are_nobodys(void **state)
{
	static const char *const odd[] = { "0000", "9999", "0002", "   1", "1   ", "-001", "000x", "\0\0\0\1", "+001" };
	static struct request r = { .base.type = &counted };

	(void)state;
	begin(16);
	assert_int_equal(csta_send(e, &r.base), 0);
	for (size_t i = 0; i < COUNT_OF(odd); i++)
		assert_false(answer(odd[i]));
	assert_int_equal(r.answers, 0);
	assert_true(answer("0001"));
}

/* The ids of the two directions are independent, and what is only told has one too. */
static void what_nobody_waits_for_takes_no_id_of_a_request(void **state)
{
	static struct request r = { .base.type = &counted };
	size_t len = 3;

	(void)state;
	begin(1);
	assert_int_equal(csta_send(e, &r.base), 0);
	assert_int_equal(csta_tell(e, put, &len), 0);
	assert_string_equal(last_id, "0002");
	assert_int_equal(csta_reply(e, "0001", put, &len), 0);
	assert_string_equal(last_id, "0001");
	assert_false(answer("0002"));
	assert_true(answer("0001"));
	assert_int_equal(r.answers, 1);
}

/* --- how many ----------------------------------------------------------------------------------------------------------------- */

static void so_many_may_be_out(void **state)
{
	static struct request r[6] = { { .fill = 0 } }, b = { .base.type = &beside };

	(void)state;
	begin(5);
	for (size_t i = 0; i < 6; i++)
		r[i].base.type = &counted;
	for (size_t i = 0; i < 5; i++) {
		assert_true(csta_may_send(e));
		assert_int_equal(csta_send(e, &r[i].base), 0);
	}
	assert_false(csta_may_send(e));
	assert_int_equal(csta_send(e, &r[5].base), -EAGAIN);
	assert_int_equal(csta_send(e, &b.base), 0); /* does not count */
	assert_int_equal(csta_in_flight(e), 5);
	answer("0002");
	assert_true(csta_may_send(e));
	csta_cancel(e, &r[0].base);
	csta_cancel(e, &r[0].base);
	csta_cancel(e, &r[5].base); /* was never out */
	assert_int_equal(csta_in_flight(e), 3);
	assert_false(answer("0001"));
	assert_int_equal(r[0].answers, 0);
	csta_exchange_slow(e, true); /* half of five, rounded up */
	assert_false(csta_may_send(e));
	answer("0003");
	assert_true(csta_may_send(e));
	csta_exchange_slow(e, false);
	assert_true(csta_may_send(e));
	answer("0006");
	assert_int_equal(b.answers, 1);
}

static void one_at_a_time_is_one_also_when_slow(void **state)
{
	static struct request r = { .base.type = &counted };

	(void)state;
	begin(1);
	csta_exchange_slow(e, true);
	assert_true(csta_may_send(e));
	assert_int_equal(csta_send(e, &r.base), 0);
	assert_false(csta_may_send(e));
}

static void what_cannot_be_sent_is_not_out(void **state)
{
	static const int results[] = { -ENOTCONN, -ENOBUFS, -ENOMEM };
	static struct request r = { .base.type = &counted };

	(void)state;
	begin(1);
	for (size_t i = 0; i < COUNT_OF(results); i++) {
		send_result = results[i];
		assert_int_equal(csta_send(e, &r.base), results[i]);
		assert_int_equal(csta_in_flight(e), 0);
		assert_int_equal(csta_exchange_deadline(e), INSTANT_NEVER);
	}
	send_result = 0;
	assert_int_equal(csta_send(e, &r.base), 0);
}

/* --- time --------------------------------------------------------------------------------------------------------------------- */

static void who_waits_in_vain_is_told(void **state)
{
	static struct request slow = { .base.type = &counted }, fast = { .base.type = &quick };

	(void)state;
	begin(16);
	assert_int_equal(csta_send(e, &slow.base), 0);
	assert_int_equal(csta_send(e, &fast.base), 0);
	assert_int_equal(csta_exchange_deadline(e), 3000);
	set_time(2999);
	csta_exchange_run(e);
	assert_int_equal(fast.silences, 0);
	set_time(3000);
	csta_exchange_run(e);
	assert_int_equal(fast.silences, 1);
	assert_false(answer("0002")); /* too late */
	assert_int_equal(csta_exchange_deadline(e), 1000 + CSTA_PATIENCE_MS);
	set_time(1000 + CSTA_PATIENCE_MS);
	csta_exchange_run(e);
	csta_exchange_run(e);
	assert_int_equal(slow.silences, 1);
	assert_int_equal(csta_in_flight(e), 0);
}

/* It may be sent again, or end another one, from inside its answer. */
static void requests_may_be_sent_and_ended_inside_an_answer(void **state)
{
	static struct request b = { .base.type = &counted };
	static struct request a = { .base.type = &counted, .again = true },
			      c = { .base.type = &counted, .end_other = true, .other = &b };

	(void)state;
	begin(16);
	csta_send(e, &a.base);
	csta_send(e, &b.base);
	csta_send(e, &c.base);
	assert_true(answer("0001"));
	assert_string_equal(last_id, "0004");
	assert_true(answer("0003"));
	assert_int_equal(b.answers, 0);
	assert_false(answer("0002"));
	a.again = true;
	set_time(20000);
	csta_exchange_run(e); /* silence: sent again, and not told twice in one run */
	assert_int_equal(a.silences, 1);
	assert_int_equal(csta_in_flight(e), 1);
	assert_true(answer("0005"));
	assert_int_equal(a.answers, 2);
}

static void when_the_connection_is_lost_nobody_is_told(void **state)
{
	static struct request r[3] = { { .fill = 0 } };

	(void)state;
	begin(16);
	for (size_t i = 0; i < 3; i++) {
		r[i].base.type = &counted;
		csta_send(e, &r[i].base);
	}
	csta_exchange_slow(e, true);
	csta_exchange_lost(e);
	assert_int_equal(csta_in_flight(e), 0);
	assert_false(answer("0001"));
	set_time(100000);
	csta_exchange_run(e);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(r[i].answers + r[i].silences + r[i].base.id, 0);
	csta_send(e, &r[0].base);
	assert_string_equal(last_id, "0001"); /* a new connection */
}

static void the_time_is_what_was_set(void **state)
{
	(void)state;
	begin(1);
	assert_int_equal(csta_exchange_time(e).mono, 1000);
	set_time(5000);
	assert_int_equal(csta_exchange_time(e).mono, 5000);
	csta_exchange_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_teardown(f, end)
		TEST(a_frame_has_a_head_of_eight_bytes),
		TEST(the_largest_frame_is_65535_bytes),
		TEST(ids_go_round_and_pass_over_those_that_are_out),
		TEST(ids_that_are_none_are_nobodys),
		TEST(what_nobody_waits_for_takes_no_id_of_a_request),
		TEST(so_many_may_be_out),
		TEST(one_at_a_time_is_one_also_when_slow),
		TEST(what_cannot_be_sent_is_not_out),
		TEST(who_waits_in_vain_is_told),
		TEST(requests_may_be_sent_and_ended_inside_an_answer),
		TEST(when_the_connection_is_lost_nobody_is_told),
		TEST(the_time_is_what_was_set),
	};

	return cmocka_run_group_tests_name("csta_exchange", tests, NULL, NULL);
}
