/* methods_sources.c: sources.*, and raw.subscribe, which records what sources say.
 * SPDX-License-Identifier: MIT */
#include "daemon/console/methods.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/jsonw.h"
#include "daemon/console/recorder.h"

static void sources_list(struct request *rq)
{
	const struct source *s = NULL;

	jsonw_list(&rq->result, "sources");
	while ((s = sources_next(rq->connection->daemon->sources, s)) != NULL) {
		jsonw_object(&rq->result, NULL);
		source_write(s, &rq->result);
		jsonw_object_end(&rq->result);
	}
	jsonw_list_end(&rq->result);
}

static struct source *named(struct request *rq)
{
	const char *name = param_text(rq, "name");
	struct source *s = sources_find(rq->connection->daemon->sources, name);

	if (s == NULL)
		request_fail(rq, RPC_NOT_FOUND, "source", name, "There is no source \"%.80s\".", name);
	return s;
}

static void write_status(struct request *rq, const struct source *s)
{
	const char *why;

	jsonw_text(&rq->result, "name", source_name(s));
	jsonw_text(&rq->result, "status", vocab_name(&vocab_source_status, (int)source_status(s, &why)));
}

static void start(struct request *rq, struct source *s)
{
	char why[512];

	if (source_start(s, why, sizeof why) < 0)
		request_fail(rq, RPC_NOT_NOW, NULL, NULL, "%s.", why);
	else
		write_status(rq, s);
}

static void sources_start(struct request *rq)
{
	struct source *s = named(rq);

	if (s != NULL)
		start(rq, s);
}

static void sources_stop(struct request *rq)
{
	struct source *s = named(rq);

	if (s == NULL)
		return;
	source_stop(s);
	write_status(rq, s);
}

static void sources_restart(struct request *rq)
{
	struct source *s = named(rq);

	if (s == NULL)
		return;
	source_stop(s);
	start(rq, s);
}

/* --- probes -------------------------------------------------------------------------------------- */

/* A probe that is under way for a console; p NULL: while it may still answer at once. */
struct probing {
	struct request *request;
	struct pending *pending;
	char *name; /* of the source: it may be gone when the console leaves */
	bool over;
};

static void probing_free(struct probing *g)
{
	free(g->name);
	free(g);
}

static void on_hop(void *arg, const char *hop, const char *sentence, bool ok)
{
	struct probing *g = arg;
	struct request *rq = g->pending != NULL ? &g->pending->request : g->request;
	struct buf *b = &rq->result;

	if (hop != NULL) {
		jsonw_object(b, NULL);
		jsonw_text(b, "hop", hop);
		jsonw_bool(b, "ok", ok);
		if (sentence != NULL)
			jsonw_text(b, "sentence", sentence);
		jsonw_object_end(b);
		return;
	}
	jsonw_list_end(b);
	jsonw_bool(b, "ok", ok);
	g->over = true;
	if (g->pending != NULL) {
		request_answer(g->pending);
		probing_free(g);
	}
}

static void cancel_probe(struct pending *p)
{
	struct probing *g = p->arg;
	struct source *s = sources_find(p->request.connection->daemon->sources, g->name);

	if (s != NULL)
		source_probe_forget(s, g);
	probing_free(g);
}

static void sources_probe(struct request *rq)
{
	struct source *s = named(rq);
	struct probing *g;

	if (s == NULL)
		return;
	g = calloc(1, sizeof *g);
	if (g == NULL || (g->name = strdup(source_name(s))) == NULL) {
		free(g);
		request_fail(rq, RPC_INTERNAL, NULL, NULL, "No memory.");
		return;
	}
	g->request = rq;
	jsonw_text(&rq->result, "name", source_name(s));
	jsonw_list(&rq->result, "hops");
	if (source_probe(s, on_hop, g) == -EBUSY) {
		request_fail(
		    rq, RPC_NOT_NOW, "retry_after", "10", "Source %s is being probed already.", source_name(s));
		g->over = true;
	}
	if (!g->over) {
		g->pending = request_defer(rq, cancel_probe, g);
		if (g->pending != NULL)
			return;
		source_probe_forget(s, g);
	}
	probing_free(g);
}

static void raw_subscribe(struct request *rq)
{
	if (!connection_may(rq->connection, PERMISSION_CALLS))
		request_fail(rq, RPC_PERMISSION, "needs", "calls", "raw.subscribe needs the permission calls as well.");
	else
		recorder_set(rq->connection, param_bool(rq, "on", true));
}

static const struct param name_params[] = { { "name", PARAM_TEXT, true, 1, 64 }, { 0 } };
static const struct param raw_params[] = { { "on", PARAM_BOOL, true, 0, 0 }, { 0 } };

const struct method methods_sources[] = {
	{ "sources.list", PERMISSION_READ, NULL, sources_list },
	{ "sources.start", PERMISSION_ADMIN, name_params, sources_start },
	{ "sources.stop", PERMISSION_ADMIN, name_params, sources_stop },
	{ "sources.restart", PERMISSION_ADMIN, name_params, sources_restart },
	{ "sources.probe", PERMISSION_ADMIN, name_params, sources_probe },
	{ "raw.subscribe", PERMISSION_ADMIN, raw_params, raw_subscribe },
	{ 0 },
};
