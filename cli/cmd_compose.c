/* cmd_compose.c: presencectl compose: raw states in, composed presence out, by the real rules.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/offline.h"
#include "daemon/base/hashtab.h"
#include "daemon/base/jsonw.h"
#include "daemon/model/rules.h"

/* What one source last said of one user in one domain. */
struct said {
	const struct source_id *source;
	const struct raw_state *raw;
};

struct person {
	struct hash_link link;
	struct person *next; /* in the order of first lines */
	struct said *said[DOMAIN_COUNT];
	size_t count[DOMAIN_COUNT];
	char id[];
};

struct composer {
	struct config *config;
	struct composed_source {
		struct source_id id;
		unsigned served; /* domains */
	} * *sources;
	size_t source_count;
	struct hashtab persons, mailboxes;
	struct person *first, **last;
	int64_t now; /* the largest `at` */
};

/* A user's voicemail number. */
struct mailbox {
	struct hash_link link;
	struct user_fields *fields;
};

static const char *person_key(const struct hash_link *link)
{
	return hash_entry(link, const struct person, link)->id;
}

static const char *mailbox_key(const struct hash_link *link)
{
	return user_field(hash_entry(link, const struct mailbox, link)->fields, USER_ID);
}

static struct source_id *add_source(struct composer *c, const char *name, int technology, unsigned domains)
{
	struct composed_source **sources = reallocarray(c->sources, c->source_count + 1, sizeof *sources);
	struct composed_source *source;

	if (sources == NULL)
		return NULL;
	c->sources = sources;
	source = calloc(1, sizeof *source);
	if (source == NULL)
		return NULL;
	source->id = (struct source_id){
		.name = strdup(name), .technology = (int8_t)technology, .position = (int)c->source_count
	};
	source->served = domains;
	c->sources[c->source_count++] = source;
	return &source->id;
}

/* The source of a line; one that is not configured comes after all others, as the line says it is. */
static struct source_id *source_of(struct composer *c, const struct raw_line *line, struct parse_error *error)
{
	const char *name = line->source;

	if (name == NULL) {
		snprintf(error->text, sizeof error->text, "source: expected the name of a source");
		return NULL;
	}
	for (size_t i = 0; i < c->source_count; i++) {
		if (strcmp(c->sources[i]->id.name, name) == 0) {
			c->sources[i]->served |= 1u << line->facts.domain;
			return &c->sources[i]->id;
		}
	}
	if (line->technology < 0) {
		snprintf(error->text, sizeof error->text,
		    "technology: expected one, since source \"%.60s\" is not configured", name);
		return NULL;
	}
	return add_source(c, name, line->technology, 1u << line->facts.domain);
}

static struct person *person_of(struct composer *c, const char *id)
{
	struct hash_link *link = hashtab_find(&c->persons, id);
	struct person *p;

	if (link != NULL)
		return hash_entry(link, struct person, link);
	p = calloc(1, sizeof *p + strlen(id) + 1);
	if (p == NULL)
		return NULL;
	memcpy(p->id, id, strlen(id) + 1);
	hashtab_insert(&c->persons, &p->link);
	*c->last = p;
	c->last = &p->next;
	return p;
}

static bool is_older(const struct raw_facts *f, const struct raw_state *than)
{
	return (f->epoch != 0 || f->rev != 0) &&
	    (f->epoch < than->facts.epoch || (f->epoch == than->facts.epoch && f->rev < than->facts.rev));
}

static int keep(struct person *p, const struct source_id *source, const struct raw_facts *facts)
{
	int d = facts->domain;
	struct said *said = p->said[d];
	size_t i = 0;

	while (i < p->count[d] && said[i].source != source)
		i++;
	if (i < p->count[d] && is_older(facts, said[i].raw))
		return 0;
	if (i == p->count[d]) {
		struct said *grown = reallocarray(said, i + 1, sizeof *said);

		if (grown == NULL)
			return -ENOMEM;
		p->said[d] = said = grown;
		said[p->count[d]++] = (struct said){ .source = source };
	}
	raw_state_unref(said[i].raw);
	said[i].raw = raw_state_new(facts);
	return said[i].raw == NULL ? -ENOMEM : 0;
}

static int take(struct composer *c, const json_t *value, struct parse_error *error)
{
	const struct source_id *source;
	struct raw_line line;
	struct person *p;

	if (json_object_get(value, "source_status") != NULL || json_object_get(value, "resync") != NULL ||
	    json_object_get(value, "demand") != NULL || json_object_get(value, "lost") != NULL)
		return 0; /* a recording: only what was said counts here */
	if (raw_json_parse(value, &line, error) < 0)
		return -EBADMSG;
	source = source_of(c, &line, error);
	p = source == NULL ? NULL : person_of(c, line.user != NULL ? line.user : line.address);
	if (p == NULL)
		return -EBADMSG;
	if (line.facts.at > c->now)
		c->now = line.facts.at;
	return keep(p, source, &line.facts);
}

/* --- composing ----------------------------------------------------------------------------------- */

/* Freshness without a clock: a stale state is believed for hold after it was said, a valid one until its end. */
static enum state_status status_at(const struct composer *c, const struct raw_state *raw)
{
	const struct raw_facts *f = &raw->facts;
	int64_t hold = c->config->aggregator.hold;

	if (f->status == STATE_STATUS_OK && f->valid_until != 0 && c->now >= f->valid_until)
		return c->now < f->valid_until + hold ? STATE_STATUS_STALE : STATE_STATUS_ERROR;
	if (f->status == STATE_STATUS_STALE && f->at != 0 && c->now - f->at > hold)
		return STATE_STATUS_ERROR;
	return (enum state_status)f->status;
}

static enum state_status without_lines(const struct composer *c, int domain)
{
	for (size_t i = 0; i < c->source_count; i++)
		if ((c->sources[i]->served >> domain & 1) != 0)
			return STATE_STATUS_NOT_REQUESTED;
	return STATE_STATUS_SERVER_NOT_CONFIGURED;
}

static int64_t became(const struct raw_state *raw)
{
	if (raw == NULL)
		return 0;
	return raw->facts.observed_at != 0 ? raw->facts.observed_at : raw->facts.at;
}

static void set_since(struct presence *p)
{
	const struct presence_telephony *t = &p->telephony;

	p->rich.since = became(p->rich.winner);
	p->telephony.since = became(t->mode == MODE_DND ? t->dnd : t->forward_kind >= 0 ? t->forward : t->line);
}

static void print_person(const struct composer *c, const struct person *p)
{
	struct rules_state *states = calloc(p->count[0] + p->count[1] + 1, sizeof *states), *next = states;
	struct hash_link *link = hashtab_find(&c->mailboxes, p->id);
	struct rules_input in = { .voicemail = link == NULL ?
		    NULL :
		    user_field(hash_entry(link, struct mailbox, link)->fields, USER_VOICEMAIL) };
	struct presence presence;
	struct buf b;

	if (states == NULL)
		return;
	for (int d = 0; d < DOMAIN_COUNT; d++) {
		in.halves[d] =
		    (struct rules_half){ .states = next, .count = p->count[d], .without = (int8_t)without_lines(c, d) };
		for (size_t i = 0; i < p->count[d]; i++)
			*next++ = (struct rules_state){ .source = p->said[d][i].source,
				.raw = p->said[d][i].raw,
				.status = (int8_t)status_at(c, p->said[d][i].raw) };
	}
	rules_compose(&c->config->aggregator.rules, &in, &presence, NULL);
	set_since(&presence);
	buf_init(&b, 1024 * 1024);
	jsonw_object(&b, NULL);
	jsonw_text(&b, "user", p->id);
	presence_write(&b, &presence, true);
	jsonw_object_end(&b);
	puts(buf_text(&b));
	buf_done(&b);
	free(states);
}

/* --- the command --------------------------------------------------------------------------------- */

static int keep_mailbox(void *arg, struct user_fields *fields)
{
	struct composer *c = arg;
	struct mailbox *m = *user_field(fields, USER_VOICEMAIL) == '\0' ? NULL : calloc(1, sizeof *m);

	if (m == NULL) {
		user_fields_unref(fields);
		return 0;
	}
	m->fields = fields;
	return hashtab_insert(&c->mailboxes, &m->link);
}

static void composer_done(struct composer *c)
{
	struct hash_link *link;

	while (c->first != NULL) {
		struct person *p = c->first;

		c->first = p->next;
		for (int d = 0; d < DOMAIN_COUNT; d++) {
			for (size_t i = 0; i < p->count[d]; i++)
				raw_state_unref(p->said[d][i].raw);
			free(p->said[d]);
		}
		free(p);
	}
	hashtab_done(&c->persons);
	while ((link = hashtab_next(&c->mailboxes, NULL)) != NULL) {
		struct mailbox *m = hash_entry(link, struct mailbox, link);

		hashtab_remove(&c->mailboxes, link);
		user_fields_unref(m->fields);
		free(m);
	}
	hashtab_done(&c->mailboxes);
	for (size_t i = 0; i < c->source_count; i++) {
		free(c->sources[i]->id.name);
		free(c->sources[i]);
	}
	free(c->sources);
	config_free(c->config);
}

static int compose(struct composer *c)
{
	struct parse_error error = { "no memory" };
	size_t line = 0;
	json_t *value;
	int failed;

	for (size_t i = 0; i < c->config->source_count; i++) {
		const struct config_source *s = &c->config->sources[i];

		add_source(c, s->name, (int)s->technology, s->enabled ? (unsigned)s->domains : 0);
	}
	if (offline_users(c->config, keep_mailbox, c) < 0)
		return EXIT_NO;
	while ((value = offline_line(stdin, "standard input", &line, &failed)) != NULL) {
		int r = take(c, value, &error);

		json_decref(value);
		if (r < 0) {
			fprintf(stderr, "presencectl: standard input, line %zu: %s.\n", line, error.text);
			return EXIT_NO;
		}
	}
	for (size_t i = 0; i < c->source_count; i++) /* ranks do not depend on each other */
		rules_rank(&c->config->aggregator.rules, &(struct source_id *){ &c->sources[i]->id }, 1);
	for (const struct person *p = c->first; p != NULL; p = p->next)
		print_person(c, p);
	return failed ? EXIT_NO : EXIT_FINE;
}

int cmd_compose(const struct ctl *ctl, int argc, char **argv)
{
	struct composer c = { .config = offline_config(take_option(&argc, argv, "--config")) };
	int status;

	(void)ctl; /* JSON in any case */
	if (c.config == NULL)
		return EXIT_NO;
	c.last = &c.first;
	hashtab_init(&c.persons, person_key);
	hashtab_init(&c.mailboxes, mailbox_key);
	status = argc > 1 ? usage_error(command_find(argv[0]), "What is \"%s\"?", argv[1]) : compose(&c);
	composer_done(&c);
	return status;
}
