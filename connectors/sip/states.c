/* states.c: documents are read by their package, and said in each domain that wants them.
 * SPDX-License-Identifier: MIT */
#include "connectors/sip/states.h"

#include <errno.h>
#include <stdio.h>

#include "connectors/sip/pidf_document.h"
#include "daemon/base/logger.h"
#include "daemon/base/utf8.h"

/* A line that is watched with dialog-info says nothing of the person, and the other way round: no facts then. */
static void say(
    struct states *s, const struct subscribed *who, const struct raw_facts *rich, const struct raw_facts *telephony)
{
	const struct raw_facts *facts[DOMAIN_COUNT] = { [DOMAIN_RICH] = rich, [DOMAIN_TELEPHONY] = telephony };

	for (int d = 0; d < DOMAIN_COUNT; d++)
		if ((who->domains >> d & 1) != 0 && facts[d] != NULL)
			source_raw_state(s->source, who->address, facts[d]);
}

void states_status(struct states *s, const struct subscribed *who, enum state_status status, const char *why)
{
	struct raw_facts facts[DOMAIN_COUNT];
	char text[RAW_MAX_TEXT_BYTES];

	if (why != NULL) { /* it may quote the server, or half a character */
		snprintf(text, sizeof text, "%s", why);
		utf8_repair(text);
		why = text;
	}
	for (int d = 0; d < DOMAIN_COUNT; d++)
		facts[d] = (struct raw_facts){
			.domain = (int8_t)d, .status = (int8_t)status, .activity = -1, .forward_kind = -1, .why = why
		};
	say(s, who, &facts[DOMAIN_RICH], &facts[DOMAIN_TELEPHONY]);
}

/* What the person does now is not known: the lamp must not go on showing what it was. */
static void refuse(struct states *s, const struct subscribed *who, const char *what)
{
	char why[RAW_MAX_TEXT_BYTES];

	s->malformed++;
	snprintf(why, sizeof why, "the server sent a document that cannot be read: %s", what);
	utf8_repair(why);
	snprintf(s->last_error, sizeof s->last_error, "%s", why);
	log_warning("sip", "bad_document", LOG_TEXT("source", source_name(s->source)),
	    LOG_TEXT("address", who->address), LOG_TEXT("why", what));
	states_status(s, who, STATE_STATUS_ERROR, why);
}

static void take_presence(struct states *s, const struct subscribed *who, const char *body, size_t len)
{
	struct pidf_reading reading;
	struct parse_error error = { "no memory" };

	if (pidf_read(s->reader, body, len, &reading, &error) < 0)
		refuse(s, who, error.text);
	else
		say(s, who, &reading.rich, &reading.telephony);
}

static bool take_dialogs(struct states *s, const struct subscribed *who, const char *body, size_t len, int64_t now)
{
	struct line_dialogs own = { 0 };
	struct dialog_info_reading reading;
	struct parse_error error = { "no memory" };
	int r = dialog_info_read(s->reader, body, len, now, who->fetched ? &own : who->dialogs, &reading, &error);

	if (r < 0)
		refuse(s, who, error.text);
	else if (r != DIALOG_INFO_OLD)
		say(s, who, NULL, &reading.facts);
	if (r >= 0 && who->fetched)
		line_dialogs_replace(who->dialogs, &own);
	line_dialogs_done(&own);
	return r != DIALOG_INFO_GAP;
}

bool states_document(
    struct states *s, const struct subscribed *who, const char *type, const char *body, size_t len, int64_t now)
{
	bool presence = who->package == SIP_PRESENCE;
	char what[160];

	s->documents++;
	if (len > 0 && !(presence ? pidf_takes(type) : dialog_info_takes(type))) {
		snprintf(what, sizeof what, "its type is \"%.80s\", expected %s", type,
		    presence ? "application/pidf+xml" : "application/dialog-info+xml");
		refuse(s, who, what);
		return true;
	}
	if (!presence)
		return take_dialogs(s, who, body, len, now);
	take_presence(s, who, body, len);
	return true;
}
