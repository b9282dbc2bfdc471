/* test_bridge_document.c: messages of a host with TAPI: what is read, and what is refused with which sentence.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>

#include "connectors/tapi/bridge_document.h"
#include "daemon/base/json_in.h"

static json_t *json(const char *text)
{
	char err[256] = "";
	json_t *value = NULL;

	if (json_in_object(text, strlen(text), &value, err, sizeof err) < 0)
		fail_msg("%s: %s", err, text);
	return value;
}

/* --- the whole ----------------------------------------------------------------------------------- */

static void each_type_is_known_and_no_other(void **state)
{
	static const char *const names[] = { "hello", "lineOpen", "lineClose", "lineCallState", "lineForward",
		"lineDnd", "lineDevState", "lineState", "resync", "ping", "pong", "error", "bye" };
	struct bridge_fault fault;
	struct bridge_message m;
	char text[64];

	(void)state;
	assert_int_equal(COUNT_OF(names), BRIDGE_TYPES);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		snprintf(text, sizeof text, "{\"type\":\"%s\",\"seq\":%zu}", names[i], i + 1);
		assert_int_equal(bridge_read(text, strlen(text), &m, &fault), 0);
		assert_int_equal(m.type, i);
		assert_int_equal(m.seq, i + 1);
		bridge_message_done(&m);
	}
	snprintf(text, sizeof text, "{\"type\":\"linedevstate\",\"seq\":9007199254740991}");
	assert_int_equal(bridge_read(text, strlen(text), &m, &fault), 0);
	assert_int_equal(m.type, BRIDGE_UNKNOWN);
	assert_int_equal(m.seq, 9007199254740991);
	bridge_message_done(&m);
}

static void a_number_that_is_none_is_nought(void **state)
{
	static const char *const lines[] = { "{\"type\":\"ping\"}", "{\"type\":\"ping\",\"seq\":null}",
		"{\"type\":\"ping\",\"seq\":0}", "{\"type\":\"ping\",\"seq\":-1}", "{\"type\":\"ping\",\"seq\":\"7\"}",
		"{\"type\":\"ping\",\"seq\":7.0}", "{\"type\":\"ping\",\"seq\":true}",
		"{\"type\":\"ping\",\"seq\":9007199254740992}", "{\"type\":\"ping\",\"seq\":9223372036854775807}" };
	struct bridge_fault fault;
	struct bridge_message m;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		assert_int_equal(bridge_read(lines[i], strlen(lines[i]), &m, &fault), 0);
		assert_int_equal(m.seq, 0);
		bridge_message_done(&m);
	}
}

static void what_is_no_message_is_refused(void **state)
{
	static const struct {
		const char *line, *sentence; /* its beginning */
		int64_t seq;
	} lines[] = {
		{ "", "not JSON", 0 },
		{ "{", "not JSON", 0 },
		{ "[1]", "not a JSON object", 0 },
		{ "{\"type\":\"ping\",\"type\":\"ping\",\"seq\":3}", "not JSON", 0 },
		{ "{\"seq\":3}", "type: expected a text", 3 },
		{ "{\"type\":null,\"seq\":3}", "type: expected a text", 3 },
		{ "{\"type\":7,\"seq\":3}", "type: expected a text", 3 },
		{ "{\"type\":\"\",\"seq\":3}", "type: expected a text", 3 },
		{ "{\"type\":\"a\\u0007b\",\"seq\":3}", "type: expected a text without control", 3 },
		{ "{\"type\":\"a\\u0000b\",\"seq\":3}", "not JSON", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		struct bridge_fault fault = { "" };
		struct bridge_message m;

		assert_int_equal(bridge_read(lines[i].line, strlen(lines[i].line), &m, &fault), -EINVAL);
		if (strncmp(fault.text, lines[i].sentence, strlen(lines[i].sentence)) != 0)
			fail_msg("%s: %s", lines[i].line, fault.text);
		assert_int_equal(m.seq, lines[i].seq);
		assert_null(m.json);
	}
}

/* --- members ------------------------------------------------------------------------------------- */

static void members_have_their_types(void **state)
{
	json_t *o = json("{\"text\":\"x\",\"number\":7,\"big\":9007199254740992,\"truth\":true,\"null\":null,"
			 "\"texts\":[\"a\",\"b\"],\"mixed\":[\"a\",1],\"empty\":\"\",\"control\":\"\\n\"}");
	struct bridge_fault fault;
	const char *text;
	int64_t number;
	int8_t tri;
	bool truth;

	(void)state;
	assert_int_equal(bridge_text(o, "text", 1, &text, &fault), 0);
	assert_string_equal(text, "x");
	assert_int_equal(bridge_text(o, "text", 0, &text, &fault), -EINVAL);
	assert_int_equal(bridge_text(o, "empty", 9, &text, &fault), -EINVAL);
	assert_int_equal(bridge_text(o, "control", 9, &text, &fault), -EINVAL);
	assert_int_equal(bridge_text(o, "null", 9, &text, &fault), -EINVAL);
	assert_int_equal(bridge_text_optional(o, "null", &text, &fault), 0);
	assert_null(text);
	assert_int_equal(bridge_text_optional(o, "absent", &text, &fault), 0);
	assert_null(text);
	assert_int_equal(bridge_text_optional(o, "number", &text, &fault), -EINVAL);
	assert_string_equal(fault.text, "number: expected a text of at most 256 bytes");
	assert_int_equal(bridge_number(o, "number", &number, &fault), 0);
	assert_int_equal(number, 7);
	assert_int_equal(bridge_number(o, "big", &number, &fault), -EINVAL);
	assert_int_equal(bridge_number(o, "text", &number, &fault), -EINVAL);
	assert_int_equal(bridge_truth(o, "truth", &truth, &fault), 0);
	assert_true(truth);
	assert_int_equal(bridge_truth(o, "number", &truth, &fault), -EINVAL);
	assert_int_equal(bridge_truth_or_null(o, "null", &tri, &fault), 0);
	assert_int_equal(tri, -1);
	assert_int_equal(bridge_truth_or_null(o, "truth", &tri, &fault), 0);
	assert_int_equal(tri, 1);
	assert_int_equal(bridge_truth_or_null(o, "absent", &tri, &fault), -EINVAL);
	assert_int_equal(bridge_texts_optional(o, "texts", &fault), 0);
	assert_int_equal(bridge_texts_optional(o, "null", &fault), 0);
	assert_int_equal(bridge_texts_optional(o, "mixed", &fault), -EINVAL);
	assert_int_equal(bridge_texts_optional(o, "text", &fault), -EINVAL);
	json_decref(o);
}

static void what_a_line_can(void **state)
{
	static const struct {
		const char *line;
		int r;
		unsigned can;
	} lines[] = {
		{ "{}", 0, 0 },
		{ "{\"can\":null}", 0, 0 },
		{ "{\"can\":[]}", 0, 0 },
		{ "{\"can\":[\"forward\"]}", 0, 1u << BRIDGE_CAN_FORWARD },
		{ "{\"can\":[\"sing\",\"dnd\",\"dnd\",\"DND\"]}", 0, 1u << BRIDGE_CAN_DND },
		{ "{\"can\":\"dnd\"}", -EINVAL, 0 },
		{ "{\"can\":[\"dnd\",null]}", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		json_t *o = json(lines[i].line);
		struct bridge_fault fault;
		unsigned can = 77;

		assert_int_equal(bridge_can(o, &can, &fault), lines[i].r);
		if (lines[i].r == 0)
			assert_int_equal(can, lines[i].can);
		json_decref(o);
	}
}

/* --- calls --------------------------------------------------------------------------------------- */

static const struct call_case {
	const char *members; /* after "call" */
	uint8_t state;
	int8_t direction;
} call_cases[] = {
	{ "\"state\":\"IDLE\"", CONNECTION_NULL, -1 },
	{ "\"state\":\"OFFERING\"", CONNECTION_ALERTING, -1 },
	{ "\"state\":4", CONNECTION_ALERTING, -1 },
	{ "\"state\":\"SPECIALINFO\"", CONNECTION_INITIATED, -1 },
	{ "\"state\":512", CONNECTION_INITIATED, -1 },
	{ "\"state\":\"CONFERENCED\"", CONNECTION_CONFERENCED, -1 },
	{ "\"state\":16384", CONNECTION_QUEUED, -1 },
	{ "\"state\":\"UNKNOWN\"", CONNECTION_UNKNOWN, -1 },
	{ "\"state\":0", CONNECTION_UNKNOWN, -1 },
	{ "\"state\":3", CONNECTION_UNKNOWN, -1 },
	{ "\"state\":4278190336", CONNECTION_CONNECTED, -1 }, /* 0xff000100 */
	{ "\"state\":\"CONNECTED\",\"mode\":\"INACTIVE\"", CONNECTION_QUEUED, -1 },
	{ "\"state\":\"CONNECTED\",\"mode\":8", CONNECTION_QUEUED, -1 },
	{ "\"state\":\"CONNECTED\",\"mode\":20", CONNECTION_CONNECTED, -1 },
	{ "\"state\":\"CONNECTED\",\"mode\":null", CONNECTION_CONNECTED, -1 },
	{ "\"state\":\"CONNECTED\",\"mode\":\"ODD\"", CONNECTION_CONNECTED, -1 },
	{ "\"state\":\"CONNECTED\",\"mode\":[]", CONNECTION_CONNECTED, -1 },
	{ "\"state\":\"OFFERING\",\"mode\":2", CONNECTION_QUEUED, -1 },
	{ "\"state\":\"OFFERING\",\"mode\":8", CONNECTION_ALERTING, -1 },
	{ "\"state\":\"ONHOLD\",\"mode\":2", CONNECTION_HOLD, -1 },
	{ "\"state\":\"ONHOLD\",\"origin\":\"OUTBOUND\"", CONNECTION_HOLD, DIRECTION_OUT },
	{ "\"state\":\"ONHOLD\",\"origin\":128", CONNECTION_HOLD, DIRECTION_IN },
	{ "\"state\":\"ONHOLD\",\"origin\":\"UNKNOWN\"", CONNECTION_HOLD, -1 },
	{ "\"state\":\"ONHOLD\",\"origin\":6", CONNECTION_HOLD, -1 },
	{ "\"state\":\"ONHOLD\",\"origin\":true", CONNECTION_HOLD, -1 },
};

static void states_modes_and_origins_of_calls(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(call_cases); i++) {
		struct bridge_fault fault;
		struct call_said said;
		char text[160];
		json_t *o;

		snprintf(text, sizeof text, "{\"call\":\"c1\",%s}", call_cases[i].members);
		o = json(text);
		if (bridge_call(o, &said, &fault) < 0)
			fail_msg("%s: %s", text, fault.text);
		if (said.state != call_cases[i].state || said.direction != call_cases[i].direction)
			fail_msg("%s: %d %d", text, said.state, said.direction);
		assert_string_equal(said.id, "c1");
		assert_false(said.parties_said);
		json_decref(o);
	}
}

static void parties_and_times_of_calls(void **state)
{
	json_t *o = json("{\"call\":\"c\",\"state\":\"CONNECTED\",\"peer\":\"\",\"peerName\":\"Ann\","
			 "\"connectedSince\":\"2026-11-20T12:01:07Z\"}");
	struct bridge_fault fault;
	struct call_said said;

	(void)state;
	assert_int_equal(bridge_call(o, &said, &fault), 0);
	assert_true(said.parties_said);
	assert_null(said.peer);
	assert_string_equal(said.name, "Ann");
	assert_true(said.since == INT64_C(1795176067000));
	json_object_set_new(o, "state", json_string("ONHOLD"));
	json_object_set_new(o, "peer", json_null());
	json_object_del(o, "peerName");
	assert_int_equal(bridge_call(o, &said, &fault), 0);
	assert_true(said.parties_said);
	assert_null(said.name);
	assert_true(said.since == 0);
	json_decref(o);
}

static void mistakes_of_calls_have_their_sentence(void **state)
{
	static const struct {
		const char *line, *sentence;
	} mistakes[] = {
		{ "{\"state\":\"IDLE\"}", "call: expected a text" },
		{ "{\"call\":\"c\"}", "state: expected the name of a call state or its number" },
		{ "{\"call\":\"c\",\"state\":\"idle\"}", "state: expected the name" },
		{ "{\"call\":\"c\",\"state\":1.0}", "state: expected the name" },
		{ "{\"call\":\"c\",\"state\":1,\"peer\":1}", "peer: expected a text" },
		{ "{\"call\":\"c\",\"state\":1,\"peerName\":false}", "peerName: expected a text" },
		{ "{\"call\":\"c\",\"state\":1,\"connectedSince\":\"soon\"}", "connectedSince: expected a time" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
		struct bridge_fault fault = { "" };
		json_t *o = json(mistakes[i].line);
		struct call_said said;

		assert_int_equal(bridge_call(o, &said, &fault), -EINVAL);
		if (strncmp(fault.text, mistakes[i].sentence, strlen(mistakes[i].sentence)) != 0)
			fail_msg("%s: %s", mistakes[i].line, fault.text);
		json_decref(o);
	}
}

/* --- forwards ------------------------------------------------------------------------------------ */

#define ALL	 1u << LINE_FORWARD_ALL
#define INTERNAL 1u << LINE_FORWARD_INTERNAL
#define EXTERNAL 1u << LINE_FORWARD_EXTERNAL

static void entries_mean_what_the_manual_says(void **state)
{
	static const struct {
		const char *entries;
		bool known, dnd;
		unsigned on;
		const char *to; /* of ALL, else of EXTERNAL, else of INTERNAL */
	} cases[] = {
		{ "null", false, false, 0, NULL },
		{ "[]", true, false, 0, NULL },
		{ "[{\"mode\":\"UNCOND\",\"dest\":\"1\"}]", true, false, ALL, "1" },
		{ "[{\"mode\":1}]", true, false, ALL, NULL },
		{ "[{\"mode\":1,\"dest\":\"\"}]", true, true, 0, NULL },
		{ "[{\"mode\":1,\"dest\":\"\"},{\"mode\":1,\"dest\":\"2\"},{\"mode\":1,\"dest\":\"3\"}]", true, true,
		    ALL, "2" },
		{ "[{\"mode\":6,\"dest\":\"1\"}]", true, false, INTERNAL | EXTERNAL, "1" },
		{ "[{\"mode\":2,\"dest\":\"1\"}]", true, false, INTERNAL, "1" },
		{ "[{\"mode\":4,\"dest\":\"\"},{\"mode\":2,\"dest\":\"1\"}]", true, true, 0, NULL },
		{ "[{\"mode\":4,\"dest\":\"2\"},{\"mode\":2,\"dest\":\"\"}]", true, false, INTERNAL | EXTERNAL, "2" },
		{ "[{\"mode\":6,\"dest\":\"2\"},{\"mode\":1,\"dest\":\"\"}]", true, true, 0, NULL },
		{ "[{\"mode\":\"BUSYNASPECIFIC\",\"dest\":\"\",\"caller\":\"7\"}]", true, false, 0, NULL },
		{ "[{\"mode\":\"UNAVAIL\"},{\"mode\":1,\"dest\":\"1\"}]", false, false, ALL, "1" },
		{ "[{\"mode\":0}]", false, false, 0, NULL },
		{ "[{\"mode\":262144}]", false, false, 0, NULL },
		{ "[{\"mode\":262145,\"dest\":\"1\"}]", false, false, ALL, "1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct bridge_forwards f;
		struct bridge_fault fault;
		char text[256];
		const char *to;
		json_t *o;

		snprintf(text, sizeof text, "{\"entries\":%s}", cases[i].entries);
		o = json(text);
		if (bridge_forwards(json_object_get(o, "entries"), &f, &fault) < 0)
			fail_msg("%s: %s", text, fault.text);
		if (f.known != cases[i].known || f.dnd != cases[i].dnd || f.on != cases[i].on)
			fail_msg("%s: known %d dnd %d on %x", text, f.known, f.dnd, f.on);
		to = f.to[(f.on & ALL) != 0    ? LINE_FORWARD_ALL :
			(f.on & EXTERNAL) != 0 ? LINE_FORWARD_EXTERNAL :
						 LINE_FORWARD_INTERNAL];
		if (f.on != 0 && cases[i].to != NULL)
			assert_string_equal(to, cases[i].to);
		else if (f.on != 0)
			assert_null(to);
		json_decref(o);
	}
}

static void mistakes_of_entries_are_refused(void **state)
{
	static const char *const mistakes[] = { "{}", "{\"entries\":{}}", "{\"entries\":\"UNCOND\"}",
		"{\"entries\":[1]}", "{\"entries\":[{}]}", "{\"entries\":[{\"mode\":null}]}",
		"{\"entries\":[{\"mode\":\"NEVER\"}]}", "{\"entries\":[{\"mode\":1,\"dest\":5}]}",
		"{\"entries\":[{\"mode\":1,\"dest\":\"5\"},{\"mode\":\"\"}]}" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
		struct bridge_fault fault = { "" };
		json_t *o = json(mistakes[i]);
		struct bridge_forwards f;

		if (bridge_forwards(json_object_get(o, "entries"), &f, &fault) != -EINVAL || fault.text[0] == '\0')
			fail_msg("%s is accepted", mistakes[i]);
		json_decref(o);
	}
}

/* --- devices ------------------------------------------------------------------------------------- */

static void states_of_devices(void **state)
{
	static const struct {
		const char *line;
		int r;
		unsigned states;
	} lines[] = {
		{ "{\"state\":\"INSERVICE\"}", 0, BRIDGE_IN_SERVICE },
		{ "{\"state\":256}", 0, BRIDGE_OUT_OF_SERVICE },
		{ "{\"state\":262272}", 0, BRIDGE_REINIT | BRIDGE_OUT_OF_SERVICE },
		{ "{\"state\":\"REMOVED\"}", 0, BRIDGE_REMOVED },
		{ "{\"state\":\"CLOSE\"}", 0, 0 },
		{ "{\"state\":0}", 0, 0 },
		{ "{\"state\":4261412864}", 0, 0 }, /* 0xfe000000 */
		{ "{\"state\":\"AWAY\"}", -EINVAL, 0 },
		{ "{\"state\":null}", -EINVAL, 0 },
		{ "{}", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		json_t *o = json(lines[i].line);
		struct bridge_fault fault;
		unsigned states;

		assert_int_equal(bridge_device(o, &states, &fault), lines[i].r);
		assert_int_equal(states, lines[i].states);
		json_decref(o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_is_known_and_no_other),
		cmocka_unit_test(a_number_that_is_none_is_nought),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(members_have_their_types),
		cmocka_unit_test(what_a_line_can),
		cmocka_unit_test(states_modes_and_origins_of_calls),
		cmocka_unit_test(parties_and_times_of_calls),
		cmocka_unit_test(mistakes_of_calls_have_their_sentence),
		cmocka_unit_test(entries_mean_what_the_manual_says),
		cmocka_unit_test(mistakes_of_entries_are_refused),
		cmocka_unit_test(states_of_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
