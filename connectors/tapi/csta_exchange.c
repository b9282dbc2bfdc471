/* csta_exchange.c: frames out, answers in (ECMA-323, Annex on TCP without SOAP).
 * SPDX-License-Identifier: MIT */
#include "connectors/tapi/csta_exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LAST_ID 9998 /* 9999 is that of events */

struct csta_exchange {
	struct csta_transport wire;
	size_t in_flight, counted; /* how many may be out; how many are, of those that count */
	bool slow;
	TAILQ_HEAD(requests, csta_request) out; /* by due */
	struct instant now;
	int last_id;
	struct buf frame;
};

struct csta_exchange *csta_exchange_new(const struct csta_transport *wire, size_t in_flight)
{
	struct csta_exchange *e = calloc(1, sizeof *e);

	if (e == NULL)
		return NULL;
	e->wire = *wire;
	e->in_flight = in_flight;
	TAILQ_INIT(&e->out);
	buf_init(&e->frame, CSTA_FRAME_MAX);
	return e;
}

void csta_exchange_free(struct csta_exchange *e)
{
	if (e == NULL)
		return;
	csta_exchange_lost(e);
	buf_done(&e->frame);
	free(e);
}

void csta_exchange_set_time(struct csta_exchange *e, struct instant now)
{
	e->now = now;
}

struct instant csta_exchange_time(const struct csta_exchange *e)
{
	return e->now;
}

/* --- sending --------------------------------------------------------------------------------------- */

static void begin_frame(struct csta_exchange *e)
{
	static const char head[CSTA_HEAD_BYTES] = { 0 };

	buf_clear(&e->frame);
	buf_put(&e->frame, head, sizeof head);
}

/* The head is known when the document is. */
static int send_frame(struct csta_exchange *e, const char id[4])
{
	size_t len = e->frame.len;
	char *head;
	int sent;

	if (e->frame.failed)
		return -EMSGSIZE;
	head = e->frame.data;
	head[2] = (char)(len >> 8);
	head[3] = (char)(len & 0xff);
	memcpy(head + 4, id, 4);
	sent = e->wire.send(e->wire.arg, e->frame.data, len);
	explicit_bzero(e->frame.data, len); /* there may be a password in it */
	return sent;
}

static bool is_out(const struct csta_exchange *e, int id)
{
	const struct csta_request *r;

	TAILQ_FOREACH (r, &e->out, place)
		if (r->id == id)
			return true;
	return false;
}

static int next_id(struct csta_exchange *e)
{
	do
		e->last_id = e->last_id == LAST_ID ? 1 : e->last_id + 1;
	while (is_out(e, e->last_id));
	return e->last_id;
}

static void write_id(char id[4], int number)
{
	for (int i = 3; i >= 0; i--, number /= 10)
		id[i] = (char)('0' + number % 10);
}

static void put_out(struct csta_exchange *e, struct csta_request *r, int id)
{
	struct csta_request *before;

	r->id = id;
	r->due = e->now.mono + (r->type->patience != 0 ? r->type->patience : CSTA_PATIENCE_MS);
	e->counted += !r->type->beside;
	TAILQ_FOREACH_REVERSE(before, &e->out, requests, place)
	if (before->due <= r->due)
		break;
	if (before == NULL)
		TAILQ_INSERT_HEAD(&e->out, r, place);
	else
		TAILQ_INSERT_AFTER(&e->out, before, r, place);
}

static void take_in(struct csta_exchange *e, struct csta_request *r)
{
	if (r->id == 0)
		return;
	r->id = 0;
	e->counted -= !r->type->beside;
	TAILQ_REMOVE(&e->out, r, place);
}

bool csta_may_send(const struct csta_exchange *e)
{
	return e->counted < (e->slow ? (e->in_flight + 1) / 2 : e->in_flight);
}

void csta_exchange_slow(struct csta_exchange *e, bool yes)
{
	e->slow = yes;
}

int csta_send(struct csta_exchange *e, struct csta_request *r)
{
	char id[4];
	int number, sent;

	if (!r->type->beside && !csta_may_send(e))
		return -EAGAIN;
	number = next_id(e);
	write_id(id, number);
	begin_frame(e);
	r->type->compose(r, &e->frame);
	sent = send_frame(e, id);
	if (sent == 0)
		put_out(e, r, number);
	return sent;
}

int csta_tell(struct csta_exchange *e, csta_composer compose, void *arg)
{
	char id[4];

	write_id(id, next_id(e));
	return csta_reply(e, id, compose, arg);
}

int csta_reply(struct csta_exchange *e, const char id[4], csta_composer compose, void *arg)
{
	begin_frame(e);
	compose(arg, &e->frame);
	return send_frame(e, id);
}

void csta_cancel(struct csta_exchange *e, struct csta_request *r)
{
	take_in(e, r);
}

/* --- answers --------------------------------------------------------------------------------------- */

static int number_of(const char id[4])
{
	int number = 0;

	for (size_t i = 0; i < 4; i++) {
		if (id[i] < '0' || id[i] > '9')
			return 0;
		number = number * 10 + (id[i] - '0');
	}
	return number;
}

bool csta_answer(struct csta_exchange *e, const char id[4], const struct csta_message *m)
{
	int number = number_of(id);
	struct csta_request *r;

	TAILQ_FOREACH (r, &e->out, place)
		if (r->id == number)
			break;
	if (r == NULL)
		return false;
	take_in(e, r);
	r->type->answered(r, m);
	return true;
}

void csta_exchange_lost(struct csta_exchange *e)
{
	struct csta_request *r;

	while ((r = TAILQ_FIRST(&e->out)) != NULL)
		take_in(e, r);
	e->last_id = 0;
	e->slow = false;
}

void csta_exchange_run(struct csta_exchange *e)
{
	struct csta_request *r;

	while ((r = TAILQ_FIRST(&e->out)) != NULL && r->due <= e->now.mono) {
		take_in(e, r);
		r->type->answered(r, NULL);
	}
}

int64_t csta_exchange_deadline(const struct csta_exchange *e)
{
	const struct csta_request *r = TAILQ_FIRST(&e->out);

	return r == NULL ? INSTANT_NEVER : r->due;
}

size_t csta_in_flight(const struct csta_exchange *e)
{
	return e->counted;
}
