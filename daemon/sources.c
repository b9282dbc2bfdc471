/* sources.c: configured sources and their running connectors.
 * SPDX-License-Identifier: MIT */
#include "daemon/sources_private.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/jsonw.h"
#include "daemon/base/logger.h"

#define RETRY_MS 15000 /* after a start that failed, as after a lost connection */

struct sources *sources_new(struct loop *loop, struct directory *directory)
{
	struct sources *all = calloc(1, sizeof *all);

	if (all == NULL)
		return NULL;
	all->loop = loop;
	all->directory = directory;
	all->changes = changelog_new(0);
	TAILQ_INIT(&all->list);
	if (all->changes == NULL) {
		free(all);
		return NULL;
	}
	return all;
}

void sources_connect(struct sources *all, struct aggregator *aggregator)
{
	all->aggregator = aggregator;
}

/* --- what the aggregator asks -------------------------------------------------------------------- */

/* A source that could not be started has no connector: it is offered everybody anew when it can. */
static int host_watch(void *owner, const char *address, enum domain domain)
{
	struct source *s = owner;

	return s->connector == NULL ? 0 : s->type->watch(s->connector, address, domain);
}

static void host_unwatch(void *owner, const char *address, enum domain domain)
{
	struct source *s = owner;

	if (s->connector != NULL)
		s->type->unwatch(s->connector, address, domain);
}

static void host_verify(void *owner, const char *address, enum domain domain)
{
	struct source *s = owner;

	if (s->connector != NULL)
		s->type->verify(s->connector, address, domain);
}

struct group_search {
	const char *name;
	bool found;
};

static bool compare_group(void *arg, const char *entry, size_t len)
{
	struct group_search *search = arg;

	search->found = strlen(search->name) == len && memcmp(search->name, entry, len) == 0;
	return !search->found;
}

static bool serves(const struct config_source *c, const struct user_fields *user)
{
	if (c->match != NULL && fnmatch(c->match, user_field(user, USER_ID), 0) != 0)
		return false;
	for (size_t i = 0; i < c->groups.count; i++) {
		struct group_search search = { .name = c->groups.items[i] };

		user_list_each(user_field(user, USER_GROUPS), compare_group, &search);
		if (search.found)
			return true;
	}
	return c->groups.count == 0;
}

static bool host_address(void *owner, const struct user_fields *user, enum domain domain, char *buf, size_t size)
{
	const struct source *s = owner;

	buf[0] = '\0';
	return serves(&s->config, user) &&
	    s->config.spec->address(s->config.settings, s->config.name, user, domain, buf, size);
}

const struct aggregator_host sources_host = {
	.watch = host_watch,
	.unwatch = host_unwatch,
	.verify = host_verify,
	.address = host_address,
};

/* --- status -------------------------------------------------------------------------------------- */

void source_changed(struct source *s)
{
	(void)changelog_append(s->all->changes, &s->change); /* without memory nobody is told of this one */
}

void source_log_status(const struct source *s, enum source_status status, const char *why)
{
	static const bool asked_for[SOURCE_STATUS_COUNT] = { [SOURCE_STATUS_DISABLED] = true,
		[SOURCE_STATUS_STOPPED] = true,
		[SOURCE_STATUS_CONNECTING] = true,
		[SOURCE_STATUS_UP] = true,
		[SOURCE_STATUS_UP_CREDENTIALS_NOT_FOUND] = true };

	log_at(asked_for[status] ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "source",
	    vocab_name(&vocab_source_status, (int)status), LOG_TEXT("source", s->config.name), LOG_TEXT("why", why));
}

static void set_idle(struct source *s, enum source_status status, const char *why)
{
	free(s->idle_why);
	s->idle_why = why == NULL ? NULL : strdup(why);
	s->idle_status = status;
	s->idle_since = loop_now(s->all->loop).wall;
	source_changed(s);
	source_log_status(s, status, why);
}

/* Which of two is worse for who looks at the whole: the vocabulary is in this order. */
enum source_status source_status(const struct source *s, const char **ret_why)
{
	enum source_status worst = SOURCE_STATUS_COUNT;
	struct aggregator_source_stats stats;

	*ret_why = s->idle_why;
	if (s->agg == NULL)
		return s->idle_status;
	aggregator_source_stats(s->all->aggregator, s->agg, &stats);
	for (int d = 0; d < DOMAIN_COUNT; d++) {
		if ((s->config.domains >> d & 1) == 0 || stats.status[d] >= worst)
			continue;
		worst = stats.status[d];
		*ret_why = stats.why[d];
	}
	return worst;
}

static void write_domains(const struct source *s, struct buf *b, const struct aggregator_source_stats *stats)
{
	jsonw_object(b, "domains");
	for (int d = 0; d < DOMAIN_COUNT; d++) {
		if ((s->config.domains >> d & 1) == 0)
			continue;
		jsonw_object(b, vocab_name(&vocab_domain, d));
		jsonw_text(
		    b, "status", vocab_name(&vocab_source_status, s->agg == NULL ? s->idle_status : stats->status[d]));
		if (s->agg != NULL && stats->why[d] != NULL)
			jsonw_text(b, "why", stats->why[d]);
		if (s->agg != NULL && stats->since[d] != 0)
			jsonw_time(b, "since", stats->since[d]);
		else if (s->agg == NULL && s->idle_since != 0)
			jsonw_time(b, "since", s->idle_since);
		jsonw_object_end(b);
	}
	jsonw_object_end(b);
}

void source_write(const struct source *s, struct buf *b)
{
	struct aggregator_source_stats stats = { 0 };
	const char *why;
	enum source_status status = source_status(s, &why);

	if (s->agg != NULL)
		aggregator_source_stats(s->all->aggregator, s->agg, &stats);
	jsonw_text(b, "name", s->config.name);
	jsonw_text(b, "type", s->config.spec->type);
	jsonw_text(b, "technology", vocab_name(&vocab_technology, s->config.technology));
	jsonw_bool(b, "enabled", s->config.enabled);
	jsonw_text(b, "status", vocab_name(&vocab_source_status, status));
	if (why != NULL)
		jsonw_text(b, "why", why);
	write_domains(s, b, &stats);
	jsonw_int(b, "watches", (int64_t)stats.watches);
	jsonw_int(b, "stale", s->agg == NULL ? 0 : (int64_t)aggregator_source_stale(s->agg));
	jsonw_int(b, "raw_states", (int64_t)stats.raw_states);
	jsonw_int(b, "unwatched", (int64_t)stats.unwatched);
	jsonw_int(b, "outdated", (int64_t)stats.outdated);
	jsonw_int(b, "verifications", (int64_t)stats.verifications);
	jsonw_int(b, "corrections", (int64_t)stats.corrections);
	jsonw_int(b, "unanswered", (int64_t)stats.unanswered);
	jsonw_object(b, "wrong_lamp");
	jsonw_int(b, "busy_ms", stats.wrong_lamp_busy);
	jsonw_int(b, "any_ms", stats.wrong_lamp_any);
	jsonw_object_end(b);
	if (s->config.directory_use)
		source_write_directory(s, b);
	if (s->connector != NULL && s->type->stats != NULL) {
		jsonw_object(b, "details");
		s->type->stats(s->connector, b);
		jsonw_object_end(b);
	}
}

/* --- starting and stopping ----------------------------------------------------------------------- */

static void run(struct source *s);

static void on_retry(void *arg, short what)
{
	(void)what;
	run(arg);
}

static bool join(struct source *s)
{
	if (s->agg == NULL)
		s->agg = aggregator_add_source(s->all->aggregator, s->config.name, s->config.technology,
		    s->config.position, (unsigned)s->config.domains, s);
	return s->agg != NULL;
}

static void leave(struct source *s)
{
	if (s->agg != NULL)
		aggregator_remove_source(s->all->aggregator, s->agg, loop_now(s->all->loop));
	s->agg = NULL;
}

/* It serves its users all the same, with an error: there is no other source for them because of that. */
static void not_started(struct source *s, const char *why)
{
	if (join(s))
		source_status_changed(s, (unsigned)s->config.domains, SOURCE_STATUS_CONNECTION_ERROR, why);
	else
		set_idle(s, SOURCE_STATUS_CONNECTION_ERROR, why);
	s->retry = loop_event_new(s->all->loop, "source-retry", -1, 0, on_retry, s);
	if (s->retry != NULL)
		loop_event_arm_in(s->retry, RETRY_MS);
}

static void run(struct source *s)
{
	const char *missing = connector_spec_missing(s->config.spec, s->config.settings);
	char err[512] = "";

	loop_event_free(s->retry);
	s->retry = NULL;
	if (!s->config.enabled) {
		set_idle(s, SOURCE_STATUS_DISABLED, NULL);
		return;
	}
	if (missing != NULL) {
		snprintf(err, sizeof err, "%s is missing in the configuration", missing);
		set_idle(s, SOURCE_STATUS_NOT_CONFIGURED, err);
		return;
	}
	if (s->type->start(&s->connector, s, s->config.settings, s->all->loop, err, sizeof err) < 0) {
		s->connector = NULL;
		not_started(s, err[0] != '\0' ? err : "no memory");
		return;
	}
	leave(s); /* users who were watched in vain are offered again */
	if (join(s)) {
		source_changed(s);
		return;
	}
	s->type->stop(s->connector);
	s->connector = NULL;
	not_started(s, "no memory");
}

static void halt(struct source *s)
{
	source_directory_drop(s);
	loop_event_free(s->retry);
	s->retry = NULL;
	if (s->connector != NULL && s->probe.running)
		source_probe_hop(s, "connection", "the source was stopped meanwhile", false);
	leave(s);
	if (s->connector != NULL)
		s->type->stop(s->connector);
	s->connector = NULL;
}

int source_start(struct source *s, char *err, size_t err_size)
{
	const char *missing = connector_spec_missing(s->config.spec, s->config.settings);

	if (!s->config.enabled) {
		snprintf(err, err_size, "source %s is disabled in the configuration", s->config.name);
		return -EINVAL;
	}
	if (missing != NULL) {
		snprintf(err, err_size, "source %s has no %s in the configuration", s->config.name, missing);
		return -EINVAL;
	}
	s->stopped = false;
	if (s->connector == NULL)
		run(s);
	return 0;
}

void source_stop(struct source *s)
{
	s->stopped = true;
	halt(s);
	if (s->config.enabled)
		set_idle(s, SOURCE_STATUS_STOPPED, NULL);
}

static void source_free(struct source *s)
{
	halt(s);
	if (s->probe.running)
		source_probe_over(s);
	changelog_forget(s->all->changes, &s->change);
	TAILQ_REMOVE(&s->all->list, s, link);
	config_source_done(&s->config);
	free(s->taken_why);
	free(s->idle_why);
	free(s);
}

/* Take the source out of the configuration, its settings included. */
static void take(struct source *s, struct config_source *from)
{
	config_source_done(&s->config);
	s->config = *from;
	*from = (struct config_source){ .spec = from->spec };
	s->type = connector_type_of(s->config.spec);
}

static void add(struct sources *all, struct config_source *from)
{
	struct source *s = calloc(1, sizeof *s);

	if (s == NULL)
		return;
	s->all = all;
	TAILQ_INSERT_TAIL(&all->list, s, link);
	s->config.spec = from->spec;
	take(s, from);
	run(s);
}

static bool is_outdated(const struct source *s, struct buf *warnings)
{
	char why[512] = "";
	bool outdated =
	    s->connector != NULL && s->type->outdated != NULL && s->type->outdated(s->connector, why, sizeof why);

	if (why[0] == '\0')
		return outdated;
	log_warning("source", "not_read", LOG_TEXT("source", s->config.name), LOG_TEXT("why", why));
	if (warnings != NULL)
		buf_printf(warnings, "%s: %s; it goes on with what it has, and could not be started anew\n",
		    s->config.name, why);
	return outdated;
}

static void update(struct source *s, struct config_source *from, struct buf *warnings)
{
	bool same = config_source_same(&s->config, from) && !is_outdated(s, warnings);
	bool serves_same = config_source_serves_same(&s->config, from);
	int position = from->position;

	if (!same) {
		halt(s);
		take(s, from);
		if (!s->stopped)
			run(s);
		return;
	}
	if (!serves_same) {
		void *settings = s->config.settings; /* the connector holds on to these */

		s->config.settings = from->settings;
		from->settings = settings;
		take(s, from);
		/* take() freed the new settings with the old config, and moved the old ones in */
		aggregator_readdress(s->all->aggregator);
	}
	s->config.position = position;
	if (s->agg != NULL)
		aggregator_move_source(s->all->aggregator, s->agg, position);
}

static struct config_source *configured(struct config *config, const char *name)
{
	for (size_t i = 0; i < config->source_count; i++)
		if (config->sources[i].name != NULL && strcmp(config->sources[i].name, name) == 0)
			return &config->sources[i];
	return NULL;
}

static int directory_position(void *arg, const char *name)
{
	const struct source *s = sources_find(arg, name);

	return s != NULL && s->config.directory_use ? s->config.position : -1;
}

void sources_keep_directories(struct sources *all)
{
	if (all->durable != NULL)
		durable_keep_sources(all->durable, directory_position, all);
}

void sources_apply(struct sources *all, struct config *config, struct buf *warnings)
{
	struct source *s, *next;

	for (s = TAILQ_FIRST(&all->list); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (configured(config, s->config.name) == NULL)
			source_free(s);
	}
	for (size_t i = 0; i < config->source_count; i++) {
		s = sources_find(all, config->sources[i].name);
		if (s == NULL)
			add(all, &config->sources[i]);
		else
			update(s, &config->sources[i], warnings);
	}
	sources_keep_directories(all);
}

void sources_set_durable(struct sources *all, struct durable *durable)
{
	all->durable = durable;
}

void sources_shutdown(struct sources *all)
{
	while (!TAILQ_EMPTY(&all->list))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it leaves the list */
		source_free(TAILQ_FIRST(&all->list));
}

void sources_free(struct sources *all)
{
	if (all == NULL)
		return;
	changelog_free(all->changes);
	free(all);
}

struct source *sources_find(const struct sources *all, const char *name)
{
	struct source *s;

	TAILQ_FOREACH (s, &all->list, link)
		if (strcmp(s->config.name, name) == 0)
			return s;
	return NULL;
}

struct source *sources_next(const struct sources *all, const struct source *s)
{
	return s == NULL ? TAILQ_FIRST(&all->list) : TAILQ_NEXT(s, link);
}

struct changelog *sources_changes(struct sources *all)
{
	return all->changes;
}

struct source *sources_node_source(struct changelog_node *node)
{
	return hash_entry(node, struct source, change);
}
