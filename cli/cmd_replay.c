/* cmd_replay.c: presencectl replay: a recording through the real aggregator, in its own time.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ctl.h"
#include "cli/offline.h"
#include "daemon/aggregator.h"
#include "daemon/base/jsonw.h"
#include "daemon/base/unix_socket.h"
#include "daemon/directory.h"

#define BUDGET 1000000

/* A source of the recording. */
struct replayed {
	char *name;
	struct agg_source *agg;
	const struct config_source *config; /* NULL: not configured; an address is a user's id */
	bool told;			    /* its status was recorded; else it is taken for up from its first word */
};

struct replay {
	const struct ctl *ctl;
	struct config *config;
	struct directory *directory;
	struct aggregator *aggregator;
	struct replayed **sources;
	size_t source_count;
	bool demand_told; /* the recording says who was watched; else everybody is */
	struct option_list demanded;
	uint64_t printed; /* seq */
	struct instant now;
};

/* --- the aggregator's world ---------------------------------------------------------------------- */

static int no_watch(void *owner, const char *address, enum domain domain)
{
	(void)owner;
	(void)address;
	(void)domain;
	return 0;
}

static void nothing(void *owner, const char *address, enum domain domain)
{
	(void)no_watch(owner, address, domain);
}

static bool address_of(void *owner, const struct user_fields *user, enum domain domain, char *buf, size_t size)
{
	const struct replayed *r = owner;

	if (r->config != NULL)
		return r->config->spec->address(r->config->settings, r->name, user, domain, buf, size);
	snprintf(buf, size, "%s", user_field(user, USER_ID));
	return true;
}

static bool is_demanded(void *arg, const struct user *user)
{
	const struct replay *r = arg;

	for (size_t i = 0; i < r->demanded.count; i++)
		if (strcmp(r->demanded.items[i], user_id(user)) == 0)
			return true;
	return !r->demand_told;
}

static const struct aggregator_host host = {
	.watch = no_watch,
	.unwatch = nothing,
	.verify = nothing,
	.address = address_of,
	.demanded = is_demanded,
};

static void on_added(void *arg, struct user *user)
{
	struct replay *r = arg;

	(void)aggregator_user_added(r->aggregator, user, r->now);
}

static void on_changed(
    void *arg, struct user *user, const struct user_fields *old, const char *const *left, size_t left_count)
{
	struct replay *r = arg;

	aggregator_user_changed(r->aggregator, user, old, left, left_count, r->now);
}

static void on_removed(void *arg, struct user *user)
{
	struct replay *r = arg;

	aggregator_user_removed(r->aggregator, user, r->now);
}

static const struct directory_observer observer = { on_added, on_changed, on_removed, NULL };

/* --- output -------------------------------------------------------------------------------------- */

static void print_user(struct replay *r, const struct user *user)
{
	struct published p = aggregator_published(user);
	json_t *value;
	struct buf b;

	if (p.presence->rich.status == STATE_STATUS_NOT_REQUESTED &&
	    p.presence->telephony.status == STATE_STATUS_NOT_REQUESTED)
		return;
	buf_init(&b, 1024 * 1024);
	jsonw_object(&b, NULL);
	jsonw_text(&b, "user", user_id(user));
	jsonw_int(&b, "seq", (int64_t)p.seq);
	jsonw_time(&b, "at", p.at);
	presence_write(&b, p.presence, true);
	jsonw_object_end(&b);
	value = json_loads(buf_text(&b), 0, NULL);
	if (value != NULL)
		print_change(r->ctl, value);
	json_decref(value);
	buf_done(&b);
}

static void run(struct replay *r)
{
	struct changelog *log = aggregator_log(r->aggregator);
	struct changelog_entry e;

	while (aggregator_run(r->aggregator, r->now, BUDGET))
		;
	while (changelog_next(log, r->printed, &e)) {
		if (e.node != NULL)
			print_user(r, aggregator_node_user(e.node));
		r->printed = e.seq;
	}
}

/* Let time pass until `wall`, with everything that falls due on the way. */
static void advance(struct replay *r, int64_t wall)
{
	int64_t deadline;

	while ((deadline = aggregator_deadline(r->aggregator)) != INSTANT_NEVER && deadline < wall) {
		int64_t at = deadline > r->now.mono ? deadline : r->now.mono + 1;

		r->now = (struct instant){ at, at };
		run(r);
	}
	if (wall > r->now.wall)
		r->now = (struct instant){ wall, wall };
}

/* --- lines --------------------------------------------------------------------------------------- */

static struct replayed *source_of(struct replay *r, const char *name, int technology)
{
	const struct config_source *config = offline_source(r->config, name);
	struct replayed **sources, *s;

	for (size_t i = 0; i < r->source_count; i++)
		if (strcmp(r->sources[i]->name, name) == 0)
			return r->sources[i];
	sources = reallocarray(r->sources, r->source_count + 1, sizeof *sources);
	s = calloc(1, sizeof *s);
	if (sources == NULL || s == NULL)
		abort();
	r->sources = sources;
	s->name = strdup(name);
	s->config = config;
	s->agg = aggregator_add_source(r->aggregator, name,
	    config != NULL ? config->technology : (enum technology)(technology < 0 ? TECHNOLOGY_TAPI : technology),
	    config != NULL ? config->position : (int)(r->config->source_count + r->source_count),
	    1u << DOMAIN_RICH | 1u << DOMAIN_TELEPHONY, s);
	r->sources[r->source_count++] = s;
	return s;
}

static unsigned domains_of(const json_t *value)
{
	const json_t *list = json_object_get(value, "domains");
	unsigned domains = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		int d = vocab_find(&vocab_domain, json_string_value(json_array_get(list, i)));

		domains |= d < 0 ? 0 : 1u << d;
	}
	return domains != 0 ? domains : 1u << DOMAIN_RICH | 1u << DOMAIN_TELEPHONY;
}

static void take_status(struct replay *r, const json_t *value)
{
	struct replayed *s =
	    source_of(r, text_of(value, "source"), vocab_find(&vocab_technology, text_of(value, "technology")));
	int status = vocab_find(&vocab_source_status, text_of(value, "source_status"));

	s->told = true;
	if (status >= 0)
		aggregator_source_status(r->aggregator, s->agg, domains_of(value), (enum source_status)status,
		    json_string_value(json_object_get(value, "why")), r->now);
}

static void take_resync(struct replay *r, const json_t *value)
{
	struct replayed *s =
	    source_of(r, text_of(value, "source"), vocab_find(&vocab_technology, text_of(value, "technology")));
	const char *word = text_of(value, "resync");

	if (strcmp(word, "begin") == 0)
		aggregator_resync_begin(r->aggregator, s->agg, domains_of(value), r->now);
	else if (strcmp(word, "end") == 0)
		aggregator_resync_end(r->aggregator, s->agg, domains_of(value), r->now);
	else
		aggregator_source_resumed(r->aggregator, s->agg, domains_of(value), r->now);
}

/* Somebody the configuration doesn't know. */
static void add_user(struct replay *r, const char *id)
{
	struct user_columns columns = { .values = { [USER_ID] = id } };
	char why[256];

	if (directory_find(r->directory, id) == NULL && user_columns_check(&columns, why, sizeof why) == NULL)
		(void)directory_set(r->directory, user_fields_new(&columns));
}

static void take_demand(struct replay *r, const json_t *value)
{
	const char *id = text_of(value, "user");
	struct user *user;

	r->demand_told = true;
	add_user(r, id);
	user = directory_find(r->directory, id);
	for (size_t i = 0; i < r->demanded.count; i++) {
		if (strcmp(r->demanded.items[i], id) == 0) {
			free(r->demanded.items[i]);
			r->demanded.items[i] = r->demanded.items[--r->demanded.count];
			break;
		}
	}
	if (json_is_true(json_object_get(value, "demand")))
		(void)option_list_add(&r->demanded, id, strlen(id));
	if (user != NULL)
		aggregator_demand_changed(r->aggregator, user);
}

static int take_raw(struct replay *r, const json_t *value, struct parse_error *error)
{
	const unsigned both = 1u << DOMAIN_RICH | 1u << DOMAIN_TELEPHONY;
	char address[USER_MAX_FIELD_BYTES + 1];
	struct raw_line line;
	struct replayed *s;
	struct user *user;

	if (raw_json_parse(value, &line, error) < 0)
		return -EBADMSG;
	if (line.source == NULL) {
		snprintf(error->text, sizeof error->text, "source: expected the name of a source");
		return -EBADMSG;
	}
	s = source_of(r, line.source, line.technology);
	if (line.user != NULL || s->config == NULL)
		add_user(r, line.user != NULL ? line.user : line.address);
	if (!s->told) {
		s->told = true;
		aggregator_source_status(r->aggregator, s->agg, both, SOURCE_STATUS_UP, NULL, r->now);
		aggregator_source_resumed(r->aggregator, s->agg, both, r->now);
	}
	run(r);
	user = line.user == NULL ? NULL : directory_find(r->directory, line.user);
	if (line.user != NULL &&
	    (user == NULL || !address_of(s, user->fields, line.facts.domain, address, sizeof address)))
		return 0;
	(void)aggregator_raw_state(
	    r->aggregator, s->agg, line.user != NULL ? address : line.address, &line.facts, r->now);
	return 0;
}

static int take(struct replay *r, const json_t *value, struct parse_error *error)
{
	int64_t at = 0;

	if (instant_parse(text_of(value, "at"), &at) == 0)
		advance(r, at);
	if (json_object_get(value, "source_status") != NULL)
		take_status(r, value);
	else if (json_object_get(value, "resync") != NULL)
		take_resync(r, value);
	else if (json_object_get(value, "demand") != NULL)
		take_demand(r, value);
	else if (json_object_get(value, "lost") != NULL)
		fprintf(stderr, "presencectl: the recording has lost %" JSON_INTEGER_FORMAT " lines here.\n",
		    json_integer_value(json_object_get(value, "lost")));
	else if (take_raw(r, value, error) < 0)
		return -EBADMSG;
	run(r);
	return 0;
}

/* --- offline ------------------------------------------------------------------------------------- */

static int keep_user(void *arg, struct user_fields *fields)
{
	struct replay *r = arg;

	return directory_set(r->directory, fields) < 0 ? -ENOMEM : 0;
}

static int replay_file(struct replay *r, FILE *in, const char *name)
{
	struct parse_error error;
	size_t line = 0;
	json_t *value;
	int failed, bad;

	if (offline_users(r->config, keep_user, r) < 0)
		return EXIT_NO;
	while ((value = offline_line(in, name, &line, &failed)) != NULL) {
		bad = take(r, value, &error);
		json_decref(value);
		if (bad < 0) {
			fprintf(stderr, "presencectl: %s, line %zu: %s.\n", name, line, error.text);
			return EXIT_NO;
		}
	}
	return failed ? EXIT_NO : EXIT_FINE;
}

static void replay_done(struct replay *r)
{
	aggregator_free(r->aggregator);
	directory_free(r->directory);
	for (size_t i = 0; i < r->source_count; i++) {
		free(r->sources[i]->name);
		free(r->sources[i]);
	}
	free(r->sources);
	option_list_clear(&r->demanded);
	config_free(r->config);
}

static int replay_offline(const struct ctl *ctl, const char *config, FILE *in, const char *name)
{
	struct replay r = { .ctl = ctl, .config = offline_config(config) };
	int status = EXIT_NO;

	if (r.config == NULL)
		return EXIT_NO;
	r.directory = directory_new(&observer, &r);
	r.aggregator = aggregator_new(&r.config->aggregator, &host, &r);
	if (r.directory != NULL && r.aggregator != NULL)
		status = replay_file(&r, in, name);
	replay_done(&r);
	return status;
}

/* --- live ---------------------------------------------------------------------------------------- */

/* Wait as long as lay between two lines of the recording, printing what the feed answers meanwhile. */
static int wait_and_listen(int fd, int64_t ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t until = instant_now().mono + ms, left;
	char text[4096];

	while ((left = until - instant_now().mono) >= 0) {
		ssize_t n;

		if (poll(&p, 1, (int)(left > 1000000 ? 1000000 : left)) <= 0)
			continue;
		n = read(fd, text, sizeof text);
		if (n <= 0)
			return -EPIPE;
		fwrite(text, 1, (size_t)n, stderr);
	}
	return 0;
}

static int replay_live(const char *socket, bool fast, FILE *in, const char *name)
{
	int fd = unix_socket_connect(socket), failed = 0, r = 0;
	int64_t before = 0, at = 0;
	size_t line = 0;
	json_t *value;

	if (fd < 0) {
		fprintf(stderr, "presencectl: the feed %s cannot be reached: %s.\n", socket, strerror(-fd));
		return EXIT_UNREACHABLE;
	}
	while (r == 0 && (value = offline_line(in, name, &line, &failed)) != NULL) {
		if (json_object_get(value, "domain") != NULL || json_object_get(value, "resync") != NULL) {
			if (instant_parse(text_of(value, "at"), &at) == 0 && before != 0 && !fast && at > before)
				r = wait_and_listen(fd, at - before);
			before = at;
			json_object_del(value, "at"); /* it happens now */
			if (r == 0 && (json_dumpfd(value, fd, JSON_COMPACT) < 0 || write(fd, "\n", 1) != 1))
				r = -EPIPE;
		}
		json_decref(value);
	}
	if (r == 0)
		r = wait_and_listen(fd, 200); /* errors of the last lines */
	close(fd);
	if (r < 0)
		fputs("presencectl: the feed has closed the connection.\n", stderr);
	return r < 0 || failed ? EXIT_NO : EXIT_FINE;
}

int cmd_replay(const struct ctl *ctl, int argc, char **argv)
{
	const char *config = take_option(&argc, argv, "--config"), *live = take_option(&argc, argv, "--live");
	bool fast = take_flag(&argc, argv, "--fast");
	FILE *in;
	int status;

	if (argc != 2)
		return usage_error(command_find(argv[0]), "replay takes one file.");
	in = strcmp(argv[1], "-") == 0 ? stdin : fopen(argv[1], "re");
	if (in == NULL) {
		fprintf(stderr, "presencectl: %s cannot be read: %s.\n", argv[1], strerror(errno));
		return EXIT_NO;
	}
	status = live != NULL ? replay_live(live, fast, in, argv[1]) : replay_offline(ctl, config, in, argv[1]);
	if (in != stdin)
		fclose(in);
	return status;
}
