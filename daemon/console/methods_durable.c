/* methods_durable.c: requests that are answered when something is on disk.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "daemon/base/jsonw.h"
#include "daemon/console/methods.h"

/* A request that waits for an operation. */
struct waiting_op {
	struct durable_op *op;
	void (*ended)(struct request *rq, const struct durable_result *r);
};

static void cancel(struct pending *p)
{
	struct waiting_op *w = p->arg;

	if (w->op != NULL)
		durable_forget(w->op);
	free(w);
}

struct pending *methods_defer(struct request *rq, void (*ended)(struct request *rq, const struct durable_result *r))
{
	struct waiting_op *w = calloc(1, sizeof *w);
	struct pending *p = w == NULL ? NULL : request_defer(rq, cancel, w);

	if (p == NULL) {
		if (w == NULL)
			request_fail(rq, RPC_INTERNAL, NULL, NULL, "No memory.");
		free(w);
		return NULL;
	}
	w->ended = ended;
	return p;
}

/* Which code an operation that failed is answered with; the sentence is its own. */
static const enum rpc_error codes[] = {
	[DURABLE_UNAVAILABLE] = RPC_STORE,
	[DURABLE_NO_USER] = RPC_NOT_FOUND,
	[DURABLE_EXISTS] = RPC_CONFLICT,
	[DURABLE_ELSEWHERE] = RPC_CONFLICT,
	[DURABLE_WRONG] = RPC_PARAMS,
	[DURABLE_REFUSED] = RPC_CONFLICT,
	[DURABLE_NO_MEMORY] = RPC_INTERNAL,
};

void methods_write_origin_names(struct buf *b, const struct user *user)
{
	const struct entry *e = NULL;

	jsonw_list(b, NULL);
	while (user != NULL && (e = user_entry_next(user, e)) != NULL)
		jsonw_text(b, NULL, origin_name(entry_origin(e)));
	jsonw_list_end(b);
}

static void add_origins(struct request *rq)
{
	const struct user *user = directory_find(rq->connection->daemon->directory, param_text(rq, "user"));
	struct buf b;

	buf_init(&b, 4096);
	methods_write_origin_names(&b, user);
	request_data_json(rq, "origins", &b);
	buf_done(&b);
}

static void fail(struct request *rq, const struct durable_result *r)
{
	const char *key = NULL, *data = NULL;

	if (r->end == DURABLE_REFUSED && r->counts != NULL) {
		request_data_number(rq, "removed", r->counts->missing);
		request_data_number(rq, "of", r->counts->before);
	} else if (r->end == DURABLE_ELSEWHERE) {
		add_origins(rq);
	} else if (r->end == DURABLE_NO_USER || r->end == DURABLE_EXISTS) {
		key = "user";
		data = param_text(rq, r->end == DURABLE_EXISTS ? "to" : "user");
	} else if (r->end == DURABLE_WRONG) {
		key = "field";
		data = r->field;
	} else if (r->end == DURABLE_UNAVAILABLE) {
		key = "why";
		data = r->why;
	}
	request_fail(rq, codes[r->end], key, data,
	    r->end == DURABLE_UNAVAILABLE ? "Nothing was changed, since it cannot be kept: %s." :
		r->end == DURABLE_REFUSED ? "%s; if that is right, --force does it." :
					    "%s.",
	    r->why);
}

static void on_end(void *arg, const struct durable_result *r)
{
	struct pending *p = arg;
	struct waiting_op *w = p->arg;

	if (r->end != DURABLE_DONE)
		fail(&p->request, r);
	else
		w->ended(&p->request, r);
	free(w);
	request_answer(p);
}

struct durable_done methods_done(struct pending *p)
{
	return (struct durable_done){ on_end, p };
}

void methods_begun(struct pending *p, struct durable_op *op)
{
	struct waiting_op *w = p->arg;

	w->op = op;
	if (op != NULL)
		return;
	request_fail(&p->request, RPC_INTERNAL, NULL, NULL, "No memory.");
	free(w);
	request_answer(p);
}

void methods_write_counts(struct buf *b, const struct sync_counts *counts)
{
	jsonw_int(b, "added", (int64_t)counts->added);
	jsonw_int(b, "changed", (int64_t)counts->changed);
	jsonw_int(b, "unchanged", (int64_t)counts->unchanged);
	jsonw_int(b, "removed", (int64_t)counts->removed);
}
