/* daemon.c: wiring of the parts; start, reload, end.
 * SPDX-License-Identifier: MIT */
#include "daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/base/jsonw.h"
#include "daemon/base/logger.h"
#include "daemon/console/console.h"
#include "daemon/model/raw_json.h"
#include "daemon/reload.h"
#include "daemon/service.h"

#define SLICE_USERS 1000 /* composed in one turn: below 10 ms */

/* --- the directory tells the aggregator, the aggregator tells the readers ------------------------ */

static void on_user_added(void *arg, struct user *user)
{
	struct daemon *d = arg;

	if (aggregator_user_added(d->aggregator, user, loop_now(d->loop)) < 0)
		log_error("directory", "no_memory", LOG_TEXT("user", user_id(user)));
}

static void touch(struct daemon *d, const struct user *user, const char *const *left, size_t left_count)
{
	interest_touch(d->interest, user, changelog_last(aggregator_log(d->aggregator)), left, left_count);
}

static void on_user_changed(
    void *arg, struct user *user, const struct user_fields *old, const char *const *left, size_t left_count)
{
	struct daemon *d = arg;

	aggregator_user_changed(d->aggregator, user, old, left, left_count, loop_now(d->loop));
	if (left_count > 0)
		touch(d, user, left, left_count);
}

static void on_user_removed(void *arg, struct user *user)
{
	struct daemon *d = arg;

	history_removed(d->history, user, loop_now(d->loop).wall);
	if (d->durable != NULL)
		durable_user_removed(d->durable, user_id(user));
	aggregator_user_removed(d->aggregator, user, loop_now(d->loop));
	touch(d, user, NULL, 0);
}

static void on_user_renaming(void *arg, struct user *user)
{
	struct daemon *d = arg;

	aggregator_user_renaming(d->aggregator, user);
	touch(d, user, NULL, 0);
}

static const struct directory_observer directory_observer = { on_user_added, on_user_changed, on_user_removed,
	on_user_renaming };

/* --- what is kept -------------------------------------------------------------------------------- */

static void on_note_changed(void *arg, const char *id)
{
	struct daemon *d = arg;
	struct user *user = directory_find(d->directory, id);

	if (user != NULL)
		aggregator_republish(d->aggregator, user);
}

static void on_renamed(void *arg, const char *from, struct user *user)
{
	struct daemon *d = arg;

	history_renamed(d->history, from, user, loop_now(d->loop).wall);
}

static void on_file_replaced(void *arg)
{
	struct daemon *d = arg;

	if (d->history != NULL)
		history_restate(d->history, loop_now(d->loop).wall);
}

/* Where the state is: as configured, the unit's, or the usual place. */
static const char *state_folder(const struct daemon *d, char *buf, size_t size)
{
	const char *unit = getenv("STATE_DIRECTORY");

	if (d->config->state != NULL)
		return d->config->state;
	if (unit == NULL || *unit == '\0')
		return "/var/lib/presenced";
	snprintf(buf, size, "%.*s", (int)strcspn(unit, ":"), unit); /* systemd.exec(5): several are separated by : */
	return buf;
}

/* Late, or at the start. Who has no note is known to have none from now on. */
static void on_loaded(void *arg)
{
	struct daemon *d = arg;

	if (d->history == NULL)
		return; /* at the start */
	sources_keep_directories(d->sources);
	durable_prune_notes(d->durable);
	aggregator_republish_all(d->aggregator);
}

static int start_keeping(struct daemon *d)
{
	char folder[4096];
	const struct durable_config config = { .loop = d->loop,
		.directory = d->directory,
		.folder = state_folder(d, folder, sizeof folder),
		.started = d->started.wall,
		.retention = d->config->history.retention,
		.note_changed = on_note_changed,
		.renamed = on_renamed,
		.replaced = on_file_replaced,
		.loaded = on_loaded,
		.arg = d };
	int r = durable_start(&d->durable, &config);

	if (r < 0)
		return r;
	d->history = history_new(durable_store(d->durable), d->aggregator);
	if (d->history == NULL)
		return -ENOMEM;
	daemon_configure_history(d, (struct instant){ 0 });
	sources_set_durable(d->sources, d->durable);
	return 0;
}

void daemon_configure_history(struct daemon *d, struct instant now)
{
	const struct history_settings settings = { d->config->history.enabled, d->config->history.calls,
		d->config->history.retention };

	history_configure(d->history, &settings, now);
}

/* --- published ----------------------------------------------------------------------------------- */

static bool on_demanded(void *arg, const struct user *user)
{
	const struct daemon *d = arg;

	return d->config->always || interest_demanded(d->interest, user);
}

static void on_demand_changed(void *arg, struct user *user)
{
	struct daemon *d = arg;

	aggregator_demand_changed(d->aggregator, user);
}

static void on_published(void *arg, struct user *user, bool changed)
{
	struct daemon *d = arg;

	if (changed)
		history_published(d->history, user);
	interest_touch(d->interest, user, aggregator_published(user).seq, NULL, 0);
}

static void on_settled(void *arg, struct user *user)
{
	struct daemon *d = arg;

	(void)user;
	console_settled(d->console);
}

/* --- recordings ---------------------------------------------------------------------------------- */

static void on_arrived(void *arg, const struct agg_source *source, const char *address, const struct raw_state *state)
{
	struct daemon *d = arg;
	const struct source_id *id = agg_source_id(source);
	struct buf b;

	if (!console_is_recorded(d->console))
		return;
	buf_init(&b, 64 * 1024);
	jsonw_object(&b, NULL);
	jsonw_text(&b, "source", id->name);
	jsonw_text(&b, "technology", vocab_name(&vocab_technology, id->technology));
	jsonw_text(&b, "domain", vocab_name(&vocab_domain, state->facts.domain));
	jsonw_text(&b, "address", address);
	raw_json_write_facts(&b, &state->facts, true);
	raw_json_write_times(&b, &state->facts);
	jsonw_object_end(&b);
	console_record(d->console, &b);
	buf_done(&b);
}

static void on_watched(void *arg, struct user *user, bool watched)
{
	struct daemon *d = arg;
	struct buf b;

	if (!console_is_recorded(d->console))
		return;
	buf_init(&b, 4096);
	jsonw_object(&b, NULL);
	jsonw_text(&b, "user", user_id(user));
	jsonw_bool(&b, "demand", watched);
	jsonw_time(&b, "at", loop_now(d->loop).wall);
	jsonw_object_end(&b);
	console_record(d->console, &b);
	buf_done(&b);
}

static void on_source_line(void *arg, const struct buf *json)
{
	struct daemon *d = arg;

	if (console_is_recorded(d->console))
		console_record(d->console, json);
}

/* --- turns --------------------------------------------------------------------------------------- */

/* Called by its timer only so that a turn happens. */
static void on_turn_timer(void *arg, short what)
{
	(void)arg;
	(void)what;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The hooks of a turn, in this order, each measured by its own name. */
static bool run_reload(void *arg)
{
	return reload_run(arg);
}

static bool run_durable(void *arg)
{
	struct daemon *d = arg;

	return durable_run(d->durable, loop_now(d->loop));
}

static bool run_aggregator(void *arg)
{
	struct daemon *d = arg;

	d->composing = aggregator_run(d->aggregator, loop_now(d->loop), SLICE_USERS);
	return d->composing;
}

static bool run_history(void *arg)
{
	struct daemon *d = arg;

	return history_run(d->history, !d->composing && d->reload == NULL, loop_now(d->loop));
}

static bool set_timer(void *arg)
{
	struct daemon *d = arg;
	struct instant now = loop_now(d->loop);
	int64_t deadline = earlier(aggregator_deadline(d->aggregator),
	    earlier(durable_deadline(d->durable, now), history_deadline(d->history)));

	if (deadline == INSTANT_NEVER)
		loop_event_disarm(d->turn_timer);
	else
		loop_event_arm_in(d->turn_timer, deadline - now.mono);
	return false;
}

/* --- start and end ------------------------------------------------------------------------------- */

static struct aggregator_host host;

static void make_instance(struct daemon *d)
{
	unsigned char bytes[16];

	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		memcpy(bytes, &d->started, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(d->instance + 2 * i, 3, "%02x", bytes[i]);
}

static int make_parts(struct daemon *d)
{
	host = sources_host;
	host.demanded = on_demanded;
	host.published = on_published;
	host.settled = on_settled;
	host.arrived = on_arrived;
	host.watched = on_watched;
	d->loop = loop_new();
	if (d->loop == NULL)
		return -ENOMEM;
	d->started = loop_now(d->loop);
	make_instance(d);
	d->directory = directory_new(&directory_observer, d);
	if (d->directory == NULL)
		return -ENOMEM;
	d->interest = interest_new(d->directory, on_demand_changed, d);
	d->sources = sources_new(d->loop, d->directory);
	d->aggregator = aggregator_new(&d->config->aggregator, &host, d);
	d->console = console_new(d);
	d->service = service_new(d);
	d->turn_timer = loop_event_new(d->loop, "turn-timer", -1, 0, on_turn_timer, d);
	if (d->interest == NULL || d->sources == NULL || d->aggregator == NULL || d->console == NULL ||
	    d->service == NULL || d->turn_timer == NULL)
		return -ENOMEM;
	sources_connect(d->sources, d->aggregator);
	sources_on_line(d->sources, on_source_line, d);
	loop_add_hook(d->loop, "reload", run_reload, d);
	loop_add_hook(d->loop, "durable", run_durable, d);
	loop_add_hook(d->loop, "aggregator", run_aggregator, d);
	loop_add_hook(d->loop, "history", run_history, d);
	loop_add_hook(d->loop, "timer", set_timer, d);
	loop_add_hook(d->loop, "consoles", console_turn, d->console);
	return 0;
}

int daemon_start(struct daemon *d, struct config *config, struct buf *errors)
{
	int r;

	d->config = config;
	signal(SIGPIPE, SIG_IGN);
	logger_set_level(NULL, (enum log_level)config->log_level);
	r = make_parts(d);
	if (r == 0)
		r = start_keeping(d);
	if (r == 0)
		r = reload_users_at_start(d, errors);
	if (r < 0)
		return r;
	sources_apply(d->sources, config, NULL);
	r = console_apply(d->console, config, errors);
	if (r < 0)
		return r;
	service_ready(d->service);
	return 0;
}

void daemon_done(struct daemon *d)
{
	if (d->service != NULL)
		service_stopping(d->service);
	reload_free(d);
	durable_stop(d->durable, instant_now().wall);
	history_free(d->history);
	d->history = NULL;
	if (d->console != NULL) {
		console_goodbye(d->console);
		loop_run_deferred(d->loop); /* their subscriptions still know the aggregator */
	}
	if (d->sources != NULL && d->aggregator != NULL)
		sources_shutdown(d->sources);
	service_free(d->service);
	loop_event_free(d->turn_timer);
	console_free(d->console);
	aggregator_free(d->aggregator);
	sources_free(d->sources);
	interest_free(d->interest);
	durable_free(d->durable);
	directory_free(d->directory);
	loop_free(d->loop);
	config_free(d->config);
}
