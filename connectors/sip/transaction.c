/* transaction.c: timers E and F, and a table by branch.
 * SPDX-License-Identifier: MIT */
#include "connectors/sip/transaction.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/hashtab.h"
#include "daemon/base/instant.h"
#include "daemon/base/wheel.h"

#define TICK_MS 50

struct transaction {
	struct hash_link link;
	struct wheel_item timer;
	char branch[SIP_BRANCH_SIZE];
	char method[16];
	struct buf request; /* owned; kept for repetition over UDP */
	int64_t interval;   /* of timer E; 0: reliable */
	int64_t deadline;   /* timer F */
	void (*answered)(void *arg, const sip_t *answer, int status);
	void *arg;
};

struct transactions {
	struct transactions_owner owner;
	struct hashtab table;
	struct wheel wheel;
	uint32_t next;
};

static const char *key(const struct hash_link *link)
{
	return hash_entry(link, const struct transaction, link)->branch;
}

struct transactions *transactions_new(const struct transactions_owner *owner, int64_t now)
{
	struct transactions *ts = calloc(1, sizeof *ts);

	if (ts == NULL)
		return NULL;
	ts->owner = *owner;
	hashtab_init(&ts->table, key);
	wheel_init(&ts->wheel, TICK_MS, now);
	return ts;
}

static void drop(struct transactions *ts, struct transaction *t)
{
	hashtab_remove(&ts->table, &t->link);
	wheel_disarm(&ts->wheel, &t->timer);
	buf_done(&t->request);
	free(t);
}

void transaction_cancel(struct transactions *ts, struct transaction *t)
{
	if (t != NULL)
		drop(ts, t);
}

void transactions_free(struct transactions *ts)
{
	struct hash_link *link;

	if (ts == NULL)
		return;
	while ((link = hashtab_next(&ts->table, NULL)) != NULL)
		drop(ts, hash_entry(link, struct transaction, link));
	hashtab_done(&ts->table);
	free(ts);
}

struct transaction *transaction_new(struct transactions *ts, const char *method,
    void (*answered)(void *arg, const sip_t *answer, int status), void *arg)
{
	struct transaction *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	snprintf(t->branch, sizeof t->branch, "z9hG4bK%x.%08x%08x", ++ts->next, arc4random(), arc4random());
	snprintf(t->method, sizeof t->method, "%s", method);
	buf_init(&t->request, SIP_MAX_REQUEST);
	t->answered = answered;
	t->arg = arg;
	if (hashtab_insert(&ts->table, &t->link) < 0) {
		free(t);
		return NULL;
	}
	return t;
}

const char *transaction_branch(const struct transaction *t)
{
	return t->branch;
}

static int64_t soonest(const struct transaction *t, int64_t now)
{
	return t->interval > 0 && now + t->interval < t->deadline ? now + t->interval : t->deadline;
}

int transaction_send(struct transactions *ts, struct transaction *t, const struct buf *request, bool reliable,
    int64_t timeout, int64_t now)
{
	int r = ts->owner.send(ts->owner.arg, buf_text(request), request->len);

	if (r == -ENOBUFS && !reliable)
		r = 0; /* timer E sends it again */
	if (r == 0 && !reliable)
		buf_put(&t->request, buf_text(request), request->len);
	if (r < 0 || t->request.failed) {
		drop(ts, t);
		return r < 0 ? r : -ENOMEM;
	}
	t->interval = reliable ? 0 : SIP_T1_MS;
	t->deadline = now + timeout;
	wheel_arm(&ts->wheel, &t->timer, soonest(t, now));
	return 0;
}

/* The owner is told when the transaction is gone, so that it may begin the next one at once. */
static void end(struct transactions *ts, struct transaction *t, const sip_t *answer, int status)
{
	void (*answered)(void *arg, const sip_t *, int) = t->answered;
	void *arg = t->arg;

	drop(ts, t);
	answered(arg, answer, status);
}

bool transactions_answer(struct transactions *ts, const sip_t *answer, int64_t now)
{
	const sip_via_t *via = answer->sip_via;
	struct hash_link *link = via->v_branch == NULL ? NULL : hashtab_find(&ts->table, via->v_branch);
	struct transaction *t = link == NULL ? NULL : hash_entry(link, struct transaction, link);

	/* exactly one Via: ours; and an answer to nothing else (RFC 3261 17.1.3, 18.1.2) */
	if (t == NULL || via->v_next != NULL || strcmp(answer->sip_cseq->cs_method_name, t->method) != 0)
		return false;
	if (answer->sip_status->st_status >= 200) {
		end(ts, t, answer, answer->sip_status->st_status);
		return true;
	}
	if (t->interval > 0) {
		t->interval = SIP_T2_MS;
		wheel_arm(&ts->wheel, &t->timer, soonest(t, now));
	}
	return true;
}

void transactions_lost(struct transactions *ts)
{
	struct hash_link *link;

	while ((link = hashtab_next(&ts->table, NULL)) != NULL)
		end(ts, hash_entry(link, struct transaction, link), NULL, SIP_LOST);
}

static void repeat(struct transactions *ts, struct transaction *t, int64_t now)
{
	if (now >= t->deadline) {
		end(ts, t, NULL, SIP_TIMEOUT);
		return;
	}
	ts->owner.send(ts->owner.arg, buf_text(&t->request), t->request.len);
	t->interval = t->interval * 2 < SIP_T2_MS ? t->interval * 2 : SIP_T2_MS;
	wheel_arm(&ts->wheel, &t->timer, soonest(t, now));
}

void transactions_run(struct transactions *ts, int64_t now)
{
	struct wheel_item *item;

	while ((item = wheel_pop(&ts->wheel, now)) != NULL)
		repeat(ts, wheel_owner(item, struct transaction, timer), now);
}

int64_t transactions_deadline(const struct transactions *ts)
{
	return wheel_next(&ts->wheel);
}

size_t transactions_count(const struct transactions *ts)
{
	return ts->table.count;
}
