/* sources_probe.c: each hop to the peer of a source, one after the other, for doctor.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "daemon/sources_private.h"

/* --- probes -------------------------------------------------------------------------------------- */

void source_probe_over(struct source *s)
{
	void (*hop)(void *arg, const char *hop, const char *sentence, bool ok) = s->probe.hop;

	s->probe.running = false;
	loop_event_free(s->probe.limit);
	s->probe.limit = NULL;
	if (hop != NULL)
		hop(s->probe.arg, NULL, NULL, s->probe.all_ok);
}

void source_probe_hop(struct source *s, const char *hop, const char *sentence, bool more)
{
	if (!s->probe.running)
		return;
	s->probe.all_ok = s->probe.all_ok && sentence == NULL;
	if (s->probe.hop != NULL)
		s->probe.hop(s->probe.arg, hop, sentence, sentence == NULL);
	if (!more)
		source_probe_over(s);
}

static void on_probe_limit(void *arg, short what)
{
	(void)what;
	source_probe_hop(arg, "time", "no answer within 10 seconds", false);
}

/* The first hop is the core's: whether there is anything that could be asked. */
static bool probe_configuration(struct source *s)
{
	const char *missing = connector_spec_missing(s->config.spec, s->config.settings);
	char why[512];

	if (missing != NULL) {
		snprintf(why, sizeof why, "%s is missing: give it under source %s in the configuration, then reload",
		    missing, s->config.name);
		source_probe_hop(s, "configuration", why, false);
		return false;
	}
	if (s->connector == NULL) {
		const char *status_why;
		enum source_status status = source_status(s, &status_why);
		size_t n = (size_t)snprintf(
		    why, sizeof why, "the source does not run (%s): ", vocab_name(&vocab_source_status, (int)status));

		if (status_why != NULL)
			snprintf(why + n, sizeof why - n, "%s", status_why);
		else if (s->stopped)
			snprintf(why + n, sizeof why - n, "start it with: presencectl source %s start", s->config.name);
		else
			snprintf(why + n, sizeof why - n, "set enabled: true in the configuration, then reload");
		source_probe_hop(s, "configuration", why, false);
		return false;
	}
	source_probe_hop(s, "configuration", NULL, true);
	return true;
}

int source_probe(struct source *s, void (*hop)(void *arg, const char *hop, const char *sentence, bool ok), void *arg)
{
	const char *why;
	enum source_status status;

	if (s->probe.running)
		return -EBUSY;
	s->probe = (struct probe){ .hop = hop, .arg = arg, .running = true, .all_ok = true };
	s->probe.limit = loop_event_new(s->all->loop, "probe", -1, 0, on_probe_limit, s);
	if (s->probe.limit != NULL)
		loop_event_arm_in(s->probe.limit, PROBE_LIMIT_MS);
	if (!probe_configuration(s))
		return 0;
	if (s->type->probe != NULL) {
		s->type->probe(s->connector);
		return 0;
	}
	status = source_status(s, &why);
	source_probe_hop(s, "connection", status >= SOURCE_STATUS_UP ? NULL : why, false);
	return 0;
}

void source_probe_forget(struct source *s, const void *arg)
{
	if (s->probe.running && s->probe.arg == arg)
		s->probe.hop = NULL;
}
