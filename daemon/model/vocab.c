/* vocab.c: the tables behind vocab.h.
 * SPDX-License-Identifier: MIT */
#include "daemon/model/vocab.h"

#include <stdio.h>
#include <string.h>

#define WORD(symbol, name, help) { name, help },
#define VOCAB(variable, text, MAP) \
	static const struct vocab_word variable##_words[] = { MAP(WORD) }; \
	const struct vocab vocab_##variable = { text, variable##_words, \
		sizeof variable##_words / sizeof *variable##_words }

VOCAB(technology, "technology", TECHNOLOGY_MAP);
VOCAB(domain, "domain", DOMAIN_MAP);
VOCAB(availability, "availability", AVAILABILITY_MAP);
VOCAB(activity, "activity", ACTIVITY_MAP);
VOCAB(line, "line", LINE_MAP);
VOCAB(mode, "mode", MODE_MAP);
VOCAB(overall, "overall", OVERALL_MAP);
VOCAB(forward_kind, "forward kind", FORWARD_KIND_MAP);
VOCAB(call_state, "call state", CALL_STATE_MAP);
VOCAB(direction, "direction", DIRECTION_MAP);
VOCAB(state_status, "status", STATE_STATUS_MAP);
VOCAB(source_status, "source status", SOURCE_STATUS_MAP);
VOCAB(permission, "permission", PERMISSION_MAP);

const char *vocab_name(const struct vocab *v, int value)
{
	return value >= 0 && value < v->count ? v->words[value].name : "?";
}

int vocab_find(const struct vocab *v, const char *name)
{
	for (int i = 0; name != NULL && i < v->count; i++)
		if (strcmp(v->words[i].name, name) == 0)
			return i;
	return -1;
}

const char *vocab_list(const struct vocab *v, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (int i = 0; i < v->count && used < size; i++) {
		const char *before = i == 0 ? "" : i == v->count - 1 ? " or " : ", ";
		int n = snprintf(buf + used, size - used, "%s%s", before, v->words[i].name);

		used += n > 0 ? (size_t)n : 0;
	}
	return buf;
}
