/* methods_history.c: history.list.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/jsonw.h"
#include "daemon/console/methods.h"

#define LIST_DEFAULT 100
#define LIST_MAX     1000

/* A page that is read on the store's thread. */
struct reading {
	struct store_job job;	 /* first */
	struct pending *pending; /* NULL: who asked is gone */
	struct history_query query;
	char user[USER_MAX_ID_BYTES + 1];
	struct buf rows;
};

static int run(struct store_job *job, const struct store_files *files)
{
	struct reading *g = (struct reading *)(void *)job;

	return history_table_read(files->db, &g->query, &g->rows);
}

static void answer(struct reading *g, int result, const char *why)
{
	struct request *rq = &g->pending->request;
	const struct daemon *d = rq->connection->daemon;

	if (result < 0) {
		request_fail(rq, RPC_STORE, "why", why, "History cannot be read: %s.", why);
	} else if (result == 0 && directory_find(d->directory, g->user) == NULL) {
		request_fail(
		    rq, RPC_NOT_FOUND, "user", g->user, "There is no user \"%.128s\", and never was.", g->user);
	} else if (g->rows.failed) {
		request_fail(rq, RPC_INTERNAL, NULL, NULL, "No memory.");
	} else {
		buf_put(&rq->result, buf_text(&g->rows), g->rows.len);
		jsonw_time(&rq->result, "now", loop_now(d->loop).wall);
	}
	request_answer(g->pending);
}

static void on_done(struct store_job *job, int result, const char *why)
{
	struct reading *g = (struct reading *)(void *)job;

	if (g->pending != NULL)
		answer(g, result, why);
	buf_done(&g->rows);
	free(g);
}

static void cancel(struct pending *p)
{
	struct reading *g = p->arg;

	if (g != NULL)
		g->pending = NULL;
}

static bool read_time(struct request *rq, const char *field, int64_t *ret)
{
	const char *text = param_text(rq, field);

	*ret = 0;
	if (text == NULL || instant_parse(text, ret) == 0)
		return true;
	request_fail(rq, RPC_PARAMS, "field", field, "%s must be a time like 2026-11-20T12:00:00Z.", field);
	return false;
}

static struct reading *reading_new(struct request *rq)
{
	struct reading *g = calloc(1, sizeof *g);

	if (g == NULL) {
		request_fail(rq, RPC_INTERNAL, NULL, NULL, "No memory.");
		return NULL;
	}
	g->job.run = run;
	g->job.done = on_done;
	g->job.reads = true;
	memcpy(g->user, param_text(rq, "user"), strlen(param_text(rq, "user")) + 1);
	g->query = (struct history_query){ .user = g->user,
		.after = param_int(rq, "after", 0),
		.limit = param_int(rq, "limit", LIST_DEFAULT),
		.secrets = connection_may(rq->connection, PERMISSION_CALLS) };
	buf_init(&g->rows, CONNECTION_LINE_MAX_BYTES);
	if (read_time(rq, "from", &g->query.from) && read_time(rq, "to", &g->query.to))
		return g;
	free(g);
	return NULL;
}

static void begin(struct request *rq, struct reading *g)
{
	struct store *store = durable_store(rq->connection->daemon->durable);
	struct store_stats stats;

	g->pending = request_defer(rq, cancel, g);
	if (g->pending == NULL) {
		free(g);
		return;
	}
	if (store_submit(store, &g->job))
		return;
	store_stats(store, &stats);
	g->pending->arg = NULL;
	answer(g, -EIO, stats.why);
	free(g);
}

static void history_list(struct request *rq)
{
	struct reading *g;

	if (!rq->connection->daemon->config->history.enabled) {
		request_fail(rq, RPC_NOT_NOW, NULL, NULL, "No history is kept: history.enabled is false.");
		return;
	}
	g = reading_new(rq);
	if (g != NULL)
		begin(rq, g);
}

static const struct param list_params[] = {
	{ "user", PARAM_TEXT, true, 1, USER_MAX_ID_BYTES },
	{ "from", PARAM_TEXT, false, 1, 64 },
	{ "to", PARAM_TEXT, false, 1, 64 },
	{ "after", PARAM_INT, false, 0, INT64_MAX },
	{ "limit", PARAM_INT, false, 1, LIST_MAX },
	{ 0 },
};

const struct method methods_history[] = {
	{ "history.list", PERMISSION_READ, list_params, history_list },
	{ 0 },
};
