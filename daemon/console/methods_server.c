/* methods_server.c: server.*, config.reload, log.level, events.subscribe.
 * SPDX-License-Identifier: MIT */
#include "daemon/console/methods.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/jsonw.h"
#include "daemon/base/logger.h"
#include "daemon/console/console.h"
#include "daemon/console/events.h"
#include "daemon/console/ring.h"

#define PROTOCOL_VERSION 1

const struct method *const method_tables[] = { methods_server, methods_presence, methods_users, methods_directory,
	methods_import, methods_notes, methods_history, methods_requests, methods_sources, NULL };

static void server_info(struct request *rq)
{
	const struct connection *c = rq->connection;

	jsonw_text(&rq->result, "name", "presenced");
	jsonw_text(&rq->result, "version", PRESENCED_VERSION);
	jsonw_int(&rq->result, "protocol", PROTOCOL_VERSION);
	jsonw_text(&rq->result, "instance", c->daemon->instance);
	jsonw_list(&rq->result, "permissions");
	for (int i = 0; i < PERMISSION_COUNT; i++)
		if (connection_may(c, (enum permission)i))
			jsonw_text(&rq->result, NULL, vocab_name(&vocab_permission, i));
	jsonw_list_end(&rq->result);
	jsonw_time(&rq->result, "time", instant_now().wall);
}

/* Resident memory from /proc, which needs no disk. 0 where it can't be read. */
static int64_t resident_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long pages = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%*s %ld", &pages) != 1)
		pages = 0;
	fclose(f);
	return (int64_t)pages * sysconf(_SC_PAGESIZE) / 1024;
}

static void write_loop(struct buf *b, const struct daemon *d)
{
	struct loop_stats stats;

	loop_stats(d->loop, &stats);
	jsonw_object(b, "loop");
	jsonw_int(b, "turns", (int64_t)stats.turns);
	jsonw_int(b, "stalls", (int64_t)stats.stalls);
	jsonw_int(b, "longest_us", stats.longest_us);
	jsonw_text(b, "longest", stats.longest_name);
	jsonw_object_end(b);
}

static void write_fanout(struct buf *b, struct console *console)
{
	const struct console_counters *counters = console_counters(console);

	jsonw_object(b, "fanout");
	jsonw_int(b, "delivered", (int64_t)counters->delivered);
	jsonw_int(b, "serialised", (int64_t)counters->serialised);
	jsonw_int(b, "ring_bytes", (int64_t)(console_ring(console, false)->size + console_ring(console, true)->size));
	jsonw_object_end(b);
}

static void write_store(struct buf *b, const struct daemon *d)
{
	enum store_status status = durable_status(d->durable);
	struct store_stats stats;

	store_stats(durable_store(d->durable), &stats);
	jsonw_object(b, "store");
	jsonw_text(b, "status", vocab_name(&vocab_store_status, (int)status));
	if (status == STORE_STATUS_UNAVAILABLE)
		jsonw_text(b, "why", stats.why);
	jsonw_time(b, "since", stats.since);
	jsonw_text(b, "file", stats.file);
	jsonw_int(b, "commits", (int64_t)stats.commits);
	jsonw_int(b, "waiting", (int64_t)stats.waiting);
	jsonw_int(b, "rows", (int64_t)stats.records);
	jsonw_int(b, "rows_lost", (int64_t)history_lost(d->history));
	jsonw_object_end(b);
	jsonw_int(b, "notes", (int64_t)notes_count(durable_notes(d->durable)));
	jsonw_int(b, "requests", (int64_t)inbox_count(durable_inbox(d->durable)));
}

static void server_stats(struct request *rq)
{
	struct daemon *d = rq->connection->daemon;
	struct aggregator_stats stats;
	struct buf *b = &rq->result;

	aggregator_stats(d->aggregator, &stats);
	jsonw_int(b, "uptime_ms", loop_now(d->loop).mono - d->started.mono);
	jsonw_int(b, "seq", (int64_t)changelog_last(aggregator_log(d->aggregator)));
	jsonw_int(b, "users", (int64_t)stats.users);
	jsonw_int(b, "watched", (int64_t)stats.watched);
	jsonw_int(b, "watches", (int64_t)stats.watches);
	jsonw_int(b, "dirty", (int64_t)stats.dirty);
	jsonw_int(b, "connections", (int64_t)console_connection_count(rq->connection->console));
	jsonw_int(b, "raw_states", (int64_t)stats.raw_states);
	jsonw_int(b, "composed", (int64_t)stats.composed);
	jsonw_int(b, "published", (int64_t)stats.published);
	write_loop(b, d);
	write_fanout(b, rq->connection->console);
	write_store(b, d);
	jsonw_object(b, "memory");
	jsonw_int(b, "rss_kib", resident_kib());
	jsonw_object_end(b);
}

/* A reload that a console waits for. */
static void cancel_reload(struct pending *p)
{
	daemon_reload_forget(p->request.connection->daemon, p);
}

/* Too many users would go: a slip, until somebody says that it is not. */
static void refuse_users(struct request *rq, const struct reload_result *result)
{
	request_data_number(rq, "removed", result->users->missing);
	request_data_number(rq, "of", result->users->before);
	request_fail(rq, RPC_CONFLICT, NULL, NULL, "%.*s; if that is right, --force does it.",
	    (int)strcspn(result->errors, "\n"), result->errors);
}

static void on_reloaded(void *arg, const struct reload_result *result)
{
	struct pending *p = arg;
	struct request *rq = &p->request;
	const char *warnings = result->warnings;

	if (!result->good && result->users != NULL) {
		refuse_users(rq, result);
	} else if (!result->good) {
		request_fail_list(
		    rq, RPC_PARAMS, "The configuration is not good; nothing was changed.", result->errors);
	} else {
		jsonw_object(&rq->result, "users");
		methods_write_counts(&rq->result, result->users);
		jsonw_object_end(&rq->result);
		jsonw_list(&rq->result, "warnings");
		for (; *warnings != '\0'; warnings += strcspn(warnings, "\n") + 1)
			jsonw_text_len(&rq->result, NULL, warnings, strcspn(warnings, "\n"));
		jsonw_list_end(&rq->result);
	}
	request_answer(p);
}

static void config_reload(struct request *rq)
{
	struct daemon *d = rq->connection->daemon;
	struct pending *p;

	if (d->reload != NULL) {
		request_fail(rq, RPC_NOT_NOW, "retry_after", "1", "Another reload is still under way.");
		return;
	}
	p = request_defer(rq, cancel_reload, NULL);
	if (p != NULL &&
	    !daemon_reload(d, param_bool(&p->request, "force", false), (struct reload_done){ on_reloaded, p })) {
		request_fail(&p->request, RPC_INTERNAL, NULL, NULL, "No memory.");
		request_answer(p);
	}
}

static void log_level(struct request *rq)
{
	int level = logger_level_find(param_text(rq, "level"));

	if (level < 0)
		request_fail(rq, RPC_PARAMS, "field", "level", "level must be error, warning, info or debug.");
	else if (logger_set_level(param_text(rq, "subsystem"), (enum log_level)level) < 0)
		request_fail(rq, RPC_LIMIT, "limit", "16", "At most 16 subsystems can have a level of their own.");
}

static void events_subscribe(struct request *rq)
{
	static const char *const topics[] = { "users", "sources", "requests" };
	const json_t *list = param_value(rq, "topics");
	bool on[3] = { false };

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *topic = json_string_value(json_array_get(list, i));
		size_t t = 0;

		while (t < 3 && strcmp(topics[t], topic) != 0)
			t++;
		if (t == 3) {
			request_fail(rq, RPC_PARAMS, "field", "topics", "topics are users, sources and requests.");
			return;
		}
		on[t] = true;
	}
	if (on[2] && !connection_may(rq->connection, PERMISSION_NOTES) &&
	    !connection_may(rq->connection, PERMISSION_ADMIN)) {
		request_fail(
		    rq, RPC_PERMISSION, "needs", "notes", "The topic requests needs the permission notes or admin.");
		return;
	}
	events_follow(rq->connection, on[0], on[1], on[2]);
	jsonw_list(&rq->result, "topics");
	for (size_t t = 0; t < 3; t++)
		if (on[t])
			jsonw_text(&rq->result, NULL, topics[t]);
	jsonw_list_end(&rq->result);
}

static const struct param level_params[] = {
	{ "level", PARAM_TEXT, true, 1, 16 },
	{ "subsystem", PARAM_TEXT, false, 1, 31 },
	{ 0 },
};
static const struct param reload_params[] = { { "force", PARAM_BOOL, false, 0, 0 }, { 0 } };
static const struct param events_params[] = { { "topics", PARAM_TEXTS, true, 0, 16 }, { 0 } };

const struct method methods_server[] = {
	{ "server.info", -1, NULL, server_info },
	{ "server.stats", PERMISSION_ADMIN, NULL, server_stats },
	{ "config.reload", PERMISSION_ADMIN, reload_params, config_reload },
	{ "log.level", PERMISSION_ADMIN, level_params, log_level },
	{ "events.subscribe", PERMISSION_READ, events_params, events_subscribe },
	{ 0 },
};
