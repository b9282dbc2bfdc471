/* methods_presence.c: presence.get, subscribe, unsubscribe, explain.
 * SPDX-License-Identifier: MIT */
#include "daemon/console/methods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/jsonw.h"
#include "daemon/console/subscription.h"
#include "daemon/model/raw_json.h"

#define GET_MAX_USERS	1000
#define GET_MAX_WAIT_MS 10000

void methods_write_presence(const struct daemon *d, struct buf *b, const struct user *user, bool calls)
{
	struct published p = aggregator_published(user);

	jsonw_text(b, "user", user_id(user));
	jsonw_int(b, "seq", (int64_t)p.seq);
	jsonw_time(b, "at", p.at);
	presence_write(b, p.presence, calls);
	notes_write(durable_notes(d->durable), user_id(user), b);
}

/* --- presence.get -------------------------------------------------------------------------------- */

/* A get that waits for its users to settle. */
struct waiting_get {
	struct loop_event *limit;
	size_t settled; /* users before this one have */
};

static struct user *user_at(const struct request *rq, const json_t *ids, size_t i)
{
	return directory_find(rq->connection->daemon->directory, json_string_value(json_array_get(ids, i)));
}

static void write_presences(struct request *rq)
{
	struct daemon *d = rq->connection->daemon;
	bool calls = connection_may(rq->connection, PERMISSION_CALLS);
	const json_t *ids = param_value(rq, "users");
	struct user *user;

	jsonw_list(&rq->result, "presences");
	for (size_t i = 0; i < json_array_size(ids); i++) {
		user = user_at(rq, ids, i);
		if (user == NULL)
			continue;
		aggregator_settle(d->aggregator, user, loop_now(d->loop));
		if (aggregator_published(user).presence == NULL)
			continue;
		jsonw_object(&rq->result, NULL);
		methods_write_presence(d, &rq->result, user, calls);
		jsonw_object_end(&rq->result);
	}
	jsonw_list_end(&rq->result);
	jsonw_list(&rq->result, "unknown");
	for (size_t i = 0; i < json_array_size(ids); i++)
		if (user_at(rq, ids, i) == NULL)
			jsonw_text(&rq->result, NULL, json_string_value(json_array_get(ids, i)));
	jsonw_list_end(&rq->result);
}

static void waiting_free(struct pending *p)
{
	struct waiting_get *w = p->arg;

	loop_event_free(w->limit);
	free(w);
}

static void answer_get(struct pending *p)
{
	write_presences(&p->request);
	waiting_free(p);
	request_answer(p);
}

static void on_get_limit(void *arg, short what)
{
	(void)what;
	answer_get(arg);
}

static bool all_settled(const struct request *rq, struct waiting_get *w)
{
	const json_t *ids = param_value(rq, "users");

	for (; w->settled < json_array_size(ids); w->settled++) {
		const struct user *user = user_at(rq, ids, w->settled);

		if (user != NULL && !aggregator_is_settled(user))
			return false;
	}
	return true;
}

void methods_settled(struct connection *c)
{
	struct pending *p = c->pending;

	if (p != NULL && p->cancel == waiting_free && all_settled(&p->request, p->arg))
		answer_get(p);
}

static void wait_for_users(struct request *rq, int64_t wait)
{
	struct daemon *d = rq->connection->daemon;
	const json_t *ids = param_value(rq, "users");
	struct waiting_get *w = calloc(1, sizeof *w);
	struct pending *p = w == NULL ? NULL : request_defer(rq, waiting_free, w);

	if (p == NULL) {
		free(w);
		return;
	}
	for (size_t i = 0; i < json_array_size(ids); i++) {
		struct user *user = user_at(rq, ids, i);

		if (user != NULL)
			aggregator_demand_once(d->aggregator, user, loop_now(d->loop));
	}
	w->limit = loop_event_new(d->loop, "get-wait", -1, 0, on_get_limit, p);
	if (w->limit != NULL)
		loop_event_arm_in(w->limit, all_settled(&p->request, w) ? 0 : wait);
}

static void presence_get(struct request *rq)
{
	int64_t wait = param_int(rq, "wait", 0);

	if (wait > 0)
		wait_for_users(rq, wait);
	else
		write_presences(rq);
}

/* --- presence.subscribe -------------------------------------------------------------------------- */

/* The position to resume from. False: from the beginning. */
static bool read_since(struct request *rq, uint64_t *ret_seq)
{
	struct daemon *d = rq->connection->daemon;
	const json_t *since = param_value(rq, "since");
	const char *instance = json_string_value(json_object_get(since, "instance"));
	const json_t *seq = json_object_get(since, "seq");
	struct changelog *log = aggregator_log(d->aggregator);

	if (since == NULL)
		return false;
	if (instance == NULL || !json_is_integer(seq) || json_integer_value(seq) < 0) {
		request_fail(rq, RPC_PARAMS, "field", "since", "since must be {\"instance\": text, \"seq\": number}.");
		return false;
	}
	*ret_seq = (uint64_t)json_integer_value(seq);
	return strcmp(instance, d->instance) == 0 && *ret_seq >= changelog_forgotten(log) &&
	    *ret_seq <= changelog_last(log);
}

static int add_all(
    struct request *rq, const char *name, struct reader *r, int (*add)(struct reader *r, const char *name))
{
	const json_t *list = param_value(rq, name);

	for (size_t i = 0; i < json_array_size(list); i++)
		if (add(r, json_string_value(json_array_get(list, i))) < 0)
			return -1;
	return 0;
}

static bool may_subscribe(struct request *rq, bool all, bool demand)
{
	const struct daemon *d = rq->connection->daemon;
	size_t size = json_array_size(param_value(rq, "users")) + json_array_size(param_value(rq, "groups"));
	char limit[32];

	if (size > (size_t)d->config->limits.users_per_set) {
		snprintf(limit, sizeof limit, "%lld", (long long)d->config->limits.users_per_set);
		request_fail(rq, RPC_LIMIT, "limit", limit, "A subscription names at most %s users and groups.", limit);
		return false;
	}
	if (!all && size == 0) {
		request_fail(rq, RPC_PARAMS, "field", "users", "presence.subscribe needs users, groups or all.");
		return false;
	}
	if (all && demand && !d->config->always && !connection_may(rq->connection, PERMISSION_ADMIN)) {
		request_fail(rq, RPC_PERMISSION, "needs", "admin",
		    "To demand all users needs the permission admin, or monitoring.mode always; "
		    "with demand: false "
		    "the subscription only observes.");
		return false;
	}
	return true;
}

static void write_subscribed(struct request *rq, uint64_t seq, bool resumed)
{
	const json_t *ids = param_value(rq, "users");

	jsonw_text(&rq->result, "instance", rq->connection->daemon->instance);
	jsonw_int(&rq->result, "seq", (int64_t)seq);
	jsonw_bool(&rq->result, "resumed", resumed);
	jsonw_list(&rq->result, "unknown");
	for (size_t i = 0; i < json_array_size(ids); i++)
		if (user_at(rq, ids, i) == NULL)
			jsonw_text(&rq->result, NULL, json_string_value(json_array_get(ids, i)));
	jsonw_list_end(&rq->result);
}

static void presence_subscribe(struct request *rq)
{
	struct connection *c = rq->connection;
	bool all = param_bool(rq, "all", false), demand = param_bool(rq, "demand", true), resumed;
	struct subscription *s, *old = c->subscription;
	uint64_t since = 0;

	if (!may_subscribe(rq, all, demand))
		return;
	resumed = read_since(rq, &since);
	if (rq->failed)
		return;
	s = subscription_new(c, demand);
	if (s == NULL || add_all(rq, "users", subscription_reader(s), reader_add_user) < 0 ||
	    add_all(rq, "groups", subscription_reader(s), reader_add_group) < 0) {
		subscription_free(s);
		request_fail(rq, RPC_INTERNAL, NULL, NULL, "No memory.");
		return;
	}
	if (all)
		reader_add_all(subscription_reader(s));
	if (param_value(rq, "since") != NULL) { /* the console says what it has; what we sent does not count */
		subscription_free(old);
		old = NULL;
	}
	c->subscription = s;
	write_subscribed(rq, subscription_start(s, resumed, since, old), resumed);
}

static void presence_unsubscribe(struct request *rq)
{
	subscription_free(rq->connection->subscription);
	rq->connection->subscription = NULL;
}

/* --- presence.explain ---------------------------------------------------------------------------- */

static void write_state(void *arg, const struct aggregator_state_row *row)
{
	struct request *rq = arg;
	struct buf *b = &rq->result;

	jsonw_object(b, NULL);
	jsonw_text(b, "source", row->source->name);
	jsonw_text(b, "technology", vocab_name(&vocab_technology, row->source->technology));
	jsonw_text(b, "domain", vocab_name(&vocab_domain, row->domain));
	jsonw_text(b, "address", row->address);
	jsonw_text(b, "status", vocab_name(&vocab_state_status, row->status));
	if (row->why != NULL)
		jsonw_text(b, "why", row->why);
	if (row->age >= 0)
		jsonw_int(b, "age_ms", row->age);
	if (row->raw != NULL) {
		struct raw_facts facts = row->raw->facts;

		facts.status = STATE_STATUS_OK; /* the effective status stands above */
		facts.why = NULL;
		raw_json_write_facts(b, &facts, connection_may(rq->connection, PERMISSION_CALLS));
		raw_json_write_times(b, &row->raw->facts);
	}
	jsonw_object_end(b);
}

static void skip_state(void *arg, const struct aggregator_state_row *row)
{
	(void)arg;
	(void)row;
}

static void write_trace(void *arg, const struct rules_trace_row *row)
{
	struct buf *b = arg;

	jsonw_object(b, NULL);
	jsonw_text(b, "about", row->about);
	if (row->source != NULL)
		jsonw_text(b, "source", row->source->name);
	jsonw_text(b, "verdict", vocab_name(&vocab_rules_verdict, row->verdict));
	jsonw_text(b, "why", row->why);
	jsonw_object_end(b);
}

static void ignore_trace(void *arg, const struct rules_trace_row *row)
{
	(void)arg;
	(void)row;
}

static void write_reader(void *arg, const struct reader *r)
{
	struct buf *b = arg;
	const struct connection *c = connection_of_reader(r);

	if (!r->demand)
		return;
	jsonw_object(b, NULL);
	jsonw_text(b, "by", "console");
	jsonw_int(b, "pid", c->peer.pid);
	jsonw_int(b, "uid", c->peer.uid);
	jsonw_object_end(b);
}

static void write_demand(struct request *rq, const struct user *user)
{
	const struct daemon *d = rq->connection->daemon;
	size_t before;

	jsonw_list(&rq->result, "demand");
	before = rq->result.len;
	if (d->config->always) {
		jsonw_object(&rq->result, NULL);
		jsonw_text(&rq->result, "by", "always");
		jsonw_object_end(&rq->result);
	}
	interest_each_reader(d->interest, user, write_reader, &rq->result);
	if (rq->result.len == before && aggregator_is_watched(user)) {
		jsonw_object(&rq->result, NULL);
		jsonw_text(&rq->result, "by", "linger");
		jsonw_object_end(&rq->result);
	}
	jsonw_list_end(&rq->result);
}

static void presence_explain(struct request *rq)
{
	struct daemon *d = rq->connection->daemon;
	struct user *user = directory_find(d->directory, param_text(rq, "user"));
	const struct rules_trace quiet = { ignore_trace, NULL }, told = { write_trace, &rq->result };
	struct instant now = loop_now(d->loop);

	if (user == NULL) {
		request_fail(rq, RPC_NOT_FOUND, "user", param_text(rq, "user"), "There is no user \"%.128s\".",
		    param_text(rq, "user"));
		return;
	}
	aggregator_settle(d->aggregator, user, now);
	jsonw_text(&rq->result, "user", user_id(user));
	jsonw_bool(&rq->result, "watched", aggregator_is_watched(user));
	jsonw_object(&rq->result, "presence");
	methods_write_presence(d, &rq->result, user, connection_may(rq->connection, PERMISSION_CALLS));
	jsonw_object_end(&rq->result);
	jsonw_list(&rq->result, "states");
	aggregator_explain(d->aggregator, user, now, write_state, &quiet, rq);
	jsonw_list_end(&rq->result);
	jsonw_list(&rq->result, "trace");
	aggregator_explain(d->aggregator, user, now, skip_state, &told, rq);
	jsonw_list_end(&rq->result);
	write_demand(rq, user);
}

static const struct param get_params[] = {
	{ "users", PARAM_TEXTS, true, 0, GET_MAX_USERS },
	{ "wait", PARAM_INT, false, 0, GET_MAX_WAIT_MS },
	{ 0 },
};
static const struct param subscribe_params[] = {
	{ "users", PARAM_TEXTS, false, 0, 0 },
	{ "groups", PARAM_TEXTS, false, 0, 0 },
	{ "all", PARAM_BOOL, false, 0, 0 },
	{ "since", PARAM_OBJECT, false, 0, 0 },
	{ "demand", PARAM_BOOL, false, 0, 0 },
	{ 0 },
};
static const struct param explain_params[] = { { "user", PARAM_TEXT, true, 1, USER_MAX_ID_BYTES }, { 0 } };

const struct method methods_presence[] = {
	{ "presence.get", PERMISSION_READ, get_params, presence_get },
	{ "presence.subscribe", PERMISSION_READ, subscribe_params, presence_subscribe },
	{ "presence.unsubscribe", PERMISSION_READ, NULL, presence_unsubscribe },
	{ "presence.explain", PERMISSION_ADMIN, explain_params, presence_explain },
	{ 0 },
};
