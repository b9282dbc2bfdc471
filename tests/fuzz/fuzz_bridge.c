/* fuzz_bridge.c: each line of a host with TAPI is refused with a sentence, or what it says makes good facts of a line.
 * SPDX-License-Identifier: MIT */
#include "connectors/tapi/bridge_document.h"
#include "tests/fuzz/fuzz_facts.h"

#include <errno.h>

static const struct instant now = { .mono = 1000000, .wall = INT64_C(1795176000000) };

/* A new sentence must have come if it was refused. */
static bool taken(int r, struct bridge_fault *fault)
{
	assert(r == 0 ||
	    (r == -EINVAL && fault->text[0] != '\0' && memchr(fault->text, '\0', sizeof fault->text) != NULL));
	fault->text[0] = '\0';
	return r == 0;
}

static void check_call(const struct call_said *said)
{
	assert(said->id != NULL && said->id[0] != '\0' && strlen(said->id) <= BRIDGE_TEXT_BYTES);
	assert(said->state < CONNECTION_COUNT && said->answered >= -1 && said->answered <= 1);
	assert(said->direction == -1 || said->direction == DIRECTION_IN || said->direction == DIRECTION_OUT);
	assert(said->peer == NULL || (said->peer[0] != '\0' && strlen(said->peer) <= BRIDGE_TEXT_BYTES));
	assert(said->name == NULL || (said->name[0] != '\0' && strlen(said->name) <= BRIDGE_TEXT_BYTES));
	assert(said->parties_said || (said->peer == NULL && said->name == NULL));
	assert(said->state == CONNECTION_CONNECTED || said->since == 0);
}

static void check_line(const struct tapi_line *line)
{
	struct line_reading reading;

	line_read(line, &reading);
	fuzz_facts(&reading.facts);
}

static void take_call(struct tapi_line *line, const json_t *m, struct bridge_fault *fault)
{
	struct call_said said;

	if (!taken(bridge_call(m, &said, fault), fault))
		return;
	check_call(&said);
	assert(line_call_changed(line, &said, now) >= 0);
	line_calls_believe(line);
	assert(said.state != CONNECTION_NULL || !line_call_find(line, said.id, &said));
}

static void take_forwards(struct tapi_line *line, const json_t *entries, struct bridge_fault *fault)
{
	struct bridge_forwards f;

	if (!taken(bridge_forwards(entries, &f, fault), fault))
		return;
	assert(f.on < 1u << LINE_FORWARDS);
	assert(!f.known || json_is_array(entries));
	for (int kind = 0; kind < LINE_FORWARDS; kind++)
		assert((f.on >> kind & 1) == 0 || f.to[kind] == NULL || strlen(f.to[kind]) <= BRIDGE_TEXT_BYTES);
	line_dnd_changed(line, f.dnd ? 1 : -1);
	assert(line_forwards_answered(line, f.known, f.on, f.to, line_clock(line)) == 0);
}

static void take_state(struct tapi_line *line, const json_t *m, struct bridge_fault *fault)
{
	const json_t *one;
	struct call_said said;
	bool in_service;
	int8_t on;
	size_t i;

	taken(bridge_truth(m, "inService", &in_service, fault), fault);
	if (taken(bridge_truth_or_null(m, "on", &on, fault), fault))
		assert(on >= -1 && on <= 1);
	line_calls_begin(line);
	json_array_foreach(json_object_get(m, "calls"), i, one)
	{
		if (taken(bridge_call(one, &said, fault), fault)) {
			check_call(&said);
			assert(line_call_answered(line, &said, line_clock(line), now) == 0);
		}
	}
	line_calls_end(line, line_clock(line), now);
	take_forwards(line, json_object_get(m, "entries"), fault);
}

static void take_words(const json_t *m, struct bridge_fault *fault)
{
	const char *text;
	unsigned bits;
	int64_t n;

	if (taken(bridge_text(m, "line", BRIDGE_NAME_BYTES, &text, fault), fault))
		assert(text[0] != '\0' && strlen(text) <= BRIDGE_NAME_BYTES);
	if (taken(bridge_text_optional(m, "reason", &text, fault), fault))
		assert(text == NULL || strlen(text) <= BRIDGE_TEXT_BYTES);
	if (taken(bridge_number(m, "n", &n, fault), fault))
		assert(n < INT64_C(1) << 53 && n > -(INT64_C(1) << 53));
	if (taken(bridge_can(m, &bits, fault), fault))
		assert(bits < 4);
	if (taken(bridge_device(m, &bits, fault), fault))
		assert(bits < 16);
	taken(bridge_texts_optional(m, "providers", fault), fault);
}

static void take(struct tapi_line *line, const char *data, size_t len)
{
	struct bridge_fault fault = { "" };
	struct bridge_message m;

	if (!taken(bridge_read(data, len, &m, &fault), &fault)) {
		assert(m.json == NULL && m.seq >= 0);
		return;
	}
	assert(json_is_object(m.json) && m.type <= BRIDGE_UNKNOWN && m.seq >= 0 && m.seq < INT64_C(1) << 53);
	take_words(m.json, &fault);
	take_call(line, m.json, &fault);
	if (m.type == BRIDGE_STATE)
		take_state(line, m.json, &fault);
	else
		take_forwards(line, json_object_get(m.json, "entries"), &fault);
	bridge_message_done(&m); /* the line has copies */
	check_line(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct tapi_line line;
	const char *at = (const char *)data, *end = at + len;

	line_init(&line);
	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((lf == NULL ? end : lf) - at);

		take(&line, at, n);
		at += n + 1;
	}
	line_done(&line);
	return 0;
}
