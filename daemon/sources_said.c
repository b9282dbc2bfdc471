/* sources_said.c: what connectors say, to the aggregator and to recorders.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "daemon/base/jsonw.h"
#include "daemon/base/logger.h"
#include "daemon/sources_private.h"

/* --- lines for `record` -------------------------------------------------------------------------- */

void sources_on_line(struct sources *all, void (*line)(void *arg, const struct buf *json), void *arg)
{
	all->line = line;
	all->line_arg = arg;
}

void source_write_line(
    const struct source *s, const char *key, const char *word, unsigned domains, const char *why, struct buf *b)
{
	jsonw_object(b, NULL);
	jsonw_text(b, "source", s->config.name);
	jsonw_text(b, "technology", vocab_name(&vocab_technology, s->config.technology));
	jsonw_text(b, key, word);
	jsonw_list(b, "domains");
	for (int d = 0; d < DOMAIN_COUNT; d++)
		if ((domains >> d & 1) != 0)
			jsonw_text(b, NULL, vocab_name(&vocab_domain, d));
	jsonw_list_end(b);
	if (why != NULL)
		jsonw_text(b, "why", why);
	jsonw_time(b, "at", loop_now(s->all->loop).wall);
	jsonw_object_end(b);
}

unsigned source_domains(const struct source *s)
{
	return (unsigned)s->config.domains;
}

static void put_line(struct source *s, const char *key, const char *word, unsigned domains, const char *why)
{
	struct buf b;

	if (s->all->line == NULL)
		return;
	buf_init(&b, 4096);
	source_write_line(s, key, word, domains, why, &b);
	s->all->line(s->all->line_arg, &b);
	buf_done(&b);
}

/* --- what connectors say ------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Whether it was said before: nobody needs to be told. */
static bool is_known(const struct source *s, unsigned domains, enum source_status status, const char *why)
{
	struct aggregator_source_stats stats;

	aggregator_source_stats(s->all->aggregator, s->agg, &stats);
	for (int d = 0; d < DOMAIN_COUNT; d++)
		if ((domains >> d & 1) != 0 &&
		    (stats.since[d] == 0 || stats.status[d] != status || !same_text(stats.why[d], why)))
			return false;
	return true;
}

void source_status_changed(struct source *s, unsigned domains, enum source_status status, const char *why)
{
	const char *old_why;
	enum source_status before = source_status(s, &old_why);

	domains &= (unsigned)s->config.domains;
	if (status != SOURCE_STATUS_UP && status != SOURCE_STATUS_UP_CREDENTIALS_NOT_FOUND)
		source_directory_abort(s);
	if (s->agg == NULL || is_known(s, domains, status, why))
		return;
	put_line(s, "source_status", vocab_name(&vocab_source_status, status), domains, why);
	aggregator_source_status(s->all->aggregator, s->agg, domains, status, why, loop_now(s->all->loop));
	source_changed(s);
	if (before != status)
		source_log_status(s, status, why);
}

void source_resumed(struct source *s, unsigned domains)
{
	put_line(s, "resync", "resumed", domains, NULL);
	aggregator_source_resumed(s->all->aggregator, s->agg, domains, loop_now(s->all->loop));
}

void source_resync_begin(struct source *s, unsigned domains)
{
	put_line(s, "resync", "begin", domains, NULL);
	aggregator_resync_begin(s->all->aggregator, s->agg, domains, loop_now(s->all->loop));
}

void source_resync_end(struct source *s, unsigned domains)
{
	put_line(s, "resync", "end", domains, NULL);
	aggregator_resync_end(s->all->aggregator, s->agg, domains, loop_now(s->all->loop));
}

int source_raw_state(struct source *s, const char *address, const struct raw_facts *facts)
{
	int r = (s->config.domains >> facts->domain & 1) == 0 ?
	    -ENOENT :
	    aggregator_raw_state(s->all->aggregator, s->agg, address, facts, loop_now(s->all->loop));

	if (r == -EINVAL) {
		const char *wrong = raw_facts_check(facts);

		log_warning("source", "state_refused", LOG_TEXT("source", s->config.name), LOG_TEXT("address", address),
		    LOG_TEXT("why", wrong != NULL ? wrong : "the status is not one that a source can say"));
	}
	return r;
}

bool source_address_of(struct source *s, const char *user_id, enum domain domain, char *buf, size_t size)
{
	const struct user *user = directory_find(s->all->directory, user_id);

	buf[0] = '\0';
	return user != NULL && sources_host.address(s, user->fields, domain, buf, size);
}

bool source_same_number(const struct source *s, const char *a, const char *b)
{
	return aggregator_same_number(s->all->aggregator, a, b);
}

bool source_is_own(const struct source *s, const char *address, enum domain domain, const char *number)
{
	return s->agg != NULL && aggregator_is_own(s->all->aggregator, s->agg, domain, address, number);
}

const char *source_name(const struct source *s)
{
	return s->config.name;
}
