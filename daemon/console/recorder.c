/* recorder.c: recordings of raw states, beginning with those that are known.
 * SPDX-License-Identifier: MIT */
#include "daemon/console/recorder.h"

#include <stdio.h>
#include <string.h>

#include "daemon/base/jsonw.h"
#include "daemon/console/console.h"
#include "daemon/model/raw_json.h"

#define USERS_PER_SLICE 200

static void put(struct connection *c, const char *json, size_t len)
{
	static const char head[] = "{\"jsonrpc\":\"2.0\",\"method\":\"raw.line\",\"params\":";

	evbuffer_add(c->out, head, sizeof head - 1);
	evbuffer_add(c->out, json, len);
	evbuffer_add(c->out, "}\n", 2);
}

void recorder_line(struct connection *c, const struct buf *json)
{
	char lost[64];

	if (connection_unsent(c) > CONNECTION_HIGH_BYTES) {
		c->recorder.lost++;
		return;
	}
	if (c->recorder.lost > 0) {
		snprintf(lost, sizeof lost, "{\"lost\":%llu}", (unsigned long long)c->recorder.lost);
		put(c, lost, strlen(lost));
		c->recorder.lost = 0;
	}
	put(c, buf_text(json), json->len);
	connection_flush(c);
}

static void tell_sources(struct connection *c)
{
	const struct source *s = NULL;

	while ((s = sources_next(c->daemon->sources, s)) != NULL) {
		struct buf b;
		const char *why;

		enum source_status status = source_status(s, &why);

		buf_init(&b, 4096);
		source_write_line(
		    s, "source_status", vocab_name(&vocab_source_status, (int)status), source_domains(s), why, &b);
		put(c, buf_text(&b), b.len);
		buf_done(&b);
	}
}

static void tell_state(void *arg, const struct aggregator_state_row *row)
{
	struct connection *c = arg;
	struct buf b;

	if (row->raw == NULL)
		return;
	buf_init(&b, 64 * 1024);
	jsonw_object(&b, NULL);
	jsonw_text(&b, "source", row->source->name);
	jsonw_text(&b, "technology", vocab_name(&vocab_technology, row->source->technology));
	jsonw_text(&b, "domain", vocab_name(&vocab_domain, row->domain));
	jsonw_text(&b, "address", row->address);
	raw_json_write_facts(&b, &row->raw->facts, true);
	raw_json_write_times(&b, &row->raw->facts);
	jsonw_object_end(&b);
	put(c, buf_text(&b), b.len);
	buf_done(&b);
}

static void ignore_trace(void *arg, const struct rules_trace_row *row)
{
	(void)arg;
	(void)row;
}

static void tell_user(struct connection *c, struct user *user)
{
	const struct rules_trace quiet = { ignore_trace, NULL };
	struct instant now = loop_now(c->daemon->loop);
	struct buf b;

	buf_init(&b, 4096);
	jsonw_object(&b, NULL);
	jsonw_text(&b, "user", user_id(user));
	jsonw_bool(&b, "demand", true);
	jsonw_time(&b, "at", now.wall);
	jsonw_object_end(&b);
	put(c, buf_text(&b), b.len);
	buf_done(&b);
	aggregator_explain(c->daemon->aggregator, user, now, tell_state, &quiet, c);
}

bool recorder_run(struct connection *c)
{
	struct user *user = directory_after(c->daemon->directory, c->recorder.after);
	int done = 0;

	for (; user != NULL && done < USERS_PER_SLICE && connection_unsent(c) < CONNECTION_LOW_BYTES; done++) {
		if (aggregator_is_watched(user))
			tell_user(c, user);
		memcpy(c->recorder.after, user_id(user), strlen(user_id(user)) + 1);
		user = directory_next(user);
	}
	c->recorder.snapshot = user != NULL;
	connection_flush(c);
	return !c->closed && c->recorder.snapshot && !c->blocked;
}

void recorder_set(struct connection *c, bool on)
{
	if (on == c->recorder.on)
		return;
	c->recorder = (struct recorder_state){ .on = on, .snapshot = on };
	console_recording_changed(c->console, on ? 1 : -1);
	if (on)
		tell_sources(c);
}
