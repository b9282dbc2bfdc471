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

static const char *field_of(const struct durable_result *r)
{
	return r->field;
}

static const char *why_of(const struct durable_result *r)
{
	return r->why;
}

/* How an operation that failed is answered: with the sentence that it gave. */
static const struct {
	enum rpc_error code;
	const char *key; /* of data; NULL none */
	const char *(*data)(const struct durable_result *r);
} failures[] = {
	[DURABLE_UNAVAILABLE] = { RPC_STORE, "why", why_of },
	[DURABLE_NO_USER] = { RPC_NOT_FOUND, NULL, NULL },
	[DURABLE_EXISTS] = { RPC_CONFLICT, NULL, NULL },
	[DURABLE_ELSEWHERE] = { RPC_CONFLICT, NULL, NULL },
	[DURABLE_WRONG] = { RPC_PARAMS, "field", field_of },
	[DURABLE_REFUSED] = { RPC_CONFLICT, NULL, NULL },
	[DURABLE_NO_MEMORY] = { RPC_INTERNAL, NULL, NULL },
};

static void fail(struct request *rq, const struct durable_result *r)
{
	const char *data = failures[r->end].data == NULL ? NULL : failures[r->end].data(r);

	if (r->end == DURABLE_REFUSED && r->counts != NULL) {
		request_data(rq, "removed", "%zu", r->counts->missing);
		request_data(rq, "of", "%zu", r->counts->before);
	}
	request_fail(rq, failures[r->end].code, failures[r->end].key, data,
	    r->end == DURABLE_UNAVAILABLE ? "Nothing was changed, since it cannot be kept: %s." : "%s.", r->why);
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
