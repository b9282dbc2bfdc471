/* test_raw_json.c: lines of raw states: what is read, what is refused with which sentence, and the way back.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <errno.h>

#include "daemon/base/instant.h"
#include "daemon/base/json_in.h"
#include "daemon/base/jsonw.h"
#include "daemon/model/raw_json.h"

static json_t *json(const char *text)
{
	char err[256] = "";
	json_t *value = NULL;

	if (json_in_object(text, strlen(text), &value, err, sizeof err) < 0)
		fail_msg("%s: %s", err, text);
	return value;
}

/* --- errors -------------------------------------------------------------------------------------- */

#define RICH	  "\"user\":\"a\",\"domain\":\"rich\""
#define TELEPHONY "\"user\":\"a\",\"domain\":\"telephony\""
#define CALL	  "{\"state\":\"held\"}"
#define CALLS_4	  CALL "," CALL "," CALL "," CALL

static void each_mistake_has_its_sentence(void **state)
{
	static const struct {
		const char *line, *sentence; /* its beginning */
	} mistakes[] = {
		{ "{\"domain\":\"rich\"}", "expected either user or address" },
		{ "{\"user\":\"a\",\"address\":\"b\",\"domain\":\"rich\"}", "expected either user or address" },
		{ "{\"user\":1,\"domain\":\"rich\"}", "user: expected a text or null" },
		{ "{\"address\":[],\"domain\":\"rich\"}", "address: expected a text or null" },
		{ "{\"user\":\"a\"}", "domain: expected rich or telephony" },
		{ "{\"user\":\"a\",\"domain\":null}", "domain: expected rich or telephony" },
		{ "{\"user\":\"a\",\"domain\":\"both\"}", "domain: found \"both\", expected rich or telephony" },
		{ "{" RICH ",\"technology\":\"smoke\"}", "technology: found \"smoke\", expected sip, xmpp," },
		{ "{" RICH ",\"source\":true}", "source: expected a text or null" },
		{ "{" RICH ",\"status\":\"fine\"}", "status: found \"fine\", expected ok, access_denied," },
		{ "{" RICH ",\"availability\":\"Busy\"}", "availability: found \"Busy\", expected available," },
		{ "{" RICH ",\"availability\":3}", "availability: expected a text or null" },
		{ "{" RICH ",\"activity\":\"sleep\"}", "activity: found \"sleep\", expected appointment," },
		{ "{" RICH ",\"note\":{}}", "note: expected a text or null" },
		{ "{" RICH ",\"idle_since\":\"yesterday\"}", "idle_since: found \"yesterday\", expected a time" },
		{ "{" RICH ",\"line\":\"busy\"}", "a fact of the other domain stands on a line of domain rich" },
		{ "{" TELEPHONY ",\"note\":null}", "a fact of the other domain stands on a line of domain telephony" },
		{ "{" TELEPHONY ",\"line\":\"engaged\"}", "line: found \"engaged\", expected idle, ringing," },
		{ "{" TELEPHONY ",\"dnd\":\"yes\"}", "dnd: expected true or false" },
		{ "{" TELEPHONY ",\"dnd\":0}", "dnd: expected true or false" },
		{ "{" TELEPHONY ",\"forward\":\"8000\"}", "forward: expected an object or null" },
		{ "{" TELEPHONY ",\"forward\":{\"kind\":\"fax\"}}",
		    "kind: found \"fax\", expected voicemail or phone" },
		{ "{" TELEPHONY ",\"forward\":{\"target\":8000}}", "target: expected a text or null" },
		{ "{" TELEPHONY ",\"calls\":{}}", "calls: expected a list of at most 16" },
		{ "{" TELEPHONY ",\"calls\":[1]}", "calls: expected a list of objects" },
		{ "{" TELEPHONY ",\"calls\":[{}]}", "calls: a call has no state" },
		{ "{" TELEPHONY ",\"calls\":[{\"state\":\"on\"}]}", "state: found \"on\", expected dialing," },
		{ "{" TELEPHONY ",\"calls\":[{\"state\":\"held\",\"direction\":\"up\"}]}",
		    "direction: found \"up\", expected in or out" },
		{ "{" TELEPHONY ",\"calls\":[{\"state\":\"held\",\"since\":\"x\"}]}", "since: found \"x\", expected" },
		{ "{" TELEPHONY ",\"calls\":[" CALLS_4 "," CALLS_4 "," CALLS_4 "," CALLS_4 "," CALL "]}",
		    "calls: expected a list of at most 16" },
		{ "{" RICH ",\"at\":5}", "at: expected a text or null" },
		{ "{" RICH ",\"valid_until\":\"2026-13-01T00:00:00Z\"}", "valid_until: found" },
		{ "{" RICH ",\"observed_at\":\"\"}", "observed_at: found \"\", expected a time" },
		{ "{" RICH ",\"epoch\":-1}", "epoch: expected a whole number from 0 to 4294967295" },
		{ "{" RICH ",\"rev\":4294967296}", "rev: expected a whole number from 0 to 4294967295" },
		{ "{" RICH ",\"rev\":1.5}", "rev: expected a whole number" },
		{ "{" RICH ",\"why\":7}", "why: expected a text or null" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
		json_t *value = json(mistakes[i].line);
		struct parse_error error = { "" };
		struct raw_line line;

		if (raw_json_parse(value, &line, &error) != -EBADMSG)
			fail_msg("accepted: %s", mistakes[i].line);
		if (strncmp(error.text, mistakes[i].sentence, strlen(mistakes[i].sentence)) != 0)
			fail_msg("%s: \"%s\", expected \"%s\"", mistakes[i].line, error.text, mistakes[i].sentence);
		json_decref(value);
	}
}

static void long_word_in_an_error_is_cut(void **state)
{
	char text[2000], word[1500];
	struct parse_error error = { "" };
	struct raw_line line;
	json_t *value;

	(void)state;
	memset(word, 'x', sizeof word - 1);
	word[sizeof word - 1] = '\0';
	snprintf(text, sizeof text, "{" RICH ",\"activity\":\"%s\"}", word);
	value = json(text);
	assert_int_equal(raw_json_parse(value, &line, &error), -EBADMSG);
	assert_true(strlen(error.text) < sizeof error.text);
	json_decref(value);
}

/* An error is printed and sent as JSON: it must stay UTF-8 wherever it is cut. */
static void cut_word_in_an_error_is_still_utf8(void **state)
{
	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		char text[400] = "{" RICH ",\"activity\":\"";
		struct parse_error error = { "" };
		struct raw_line line;
		json_t *value;

		for (size_t i = 0; i < shift; i++)
			strcat(text, "x");
		for (int i = 0; i < 30; i++)
			strcat(text, "\xe2\x82\xac");
		strcat(text, "\"}");
		value = json(text);
		assert_int_equal(raw_json_parse(value, &line, &error), -EBADMSG);
		json_decref(value);
		if (!utf8_is_valid(error.text, strlen(error.text)))
			fail_msg("not UTF-8: %s", error.text);
	}
}

static void texts_have_limits(void **state)
{
	static const struct {
		const char *format;
		int max;
	} limits[] = {
		{ "{" RICH ",\"note\":\"%s\"}", RAW_MAX_NOTE_BYTES },
		{ "{" RICH ",\"why\":\"%s\"}", RAW_MAX_TEXT_BYTES },
		{ "{" TELEPHONY ",\"forward\":{\"target\":\"%s\"}}", RAW_MAX_TEXT_BYTES },
		{ "{" TELEPHONY ",\"calls\":[{\"state\":\"held\",\"peer\":\"%s\"}]}", RAW_MAX_TEXT_BYTES },
		{ "{" TELEPHONY ",\"calls\":[{\"state\":\"held\",\"name\":\"%s\"}]}", RAW_MAX_TEXT_BYTES },
	};
	char word[RAW_MAX_NOTE_BYTES + 2], text[RAW_MAX_NOTE_BYTES + 200];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		for (int more = 0; more < 2; more++) {
			struct parse_error error = { "" };
			struct raw_line line;
			json_t *value;

			memset(word, 'x', (size_t)(limits[i].max + more));
			word[limits[i].max + more] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(text, sizeof text, limits[i].format, word);
#pragma GCC diagnostic pop
			value = json(text);
			assert_int_equal(raw_json_parse(value, &line, &error), more == 0 ? 0 : -EBADMSG);
			assert_string_equal(error.text, more == 0 ? "" : "a text is too long");
			json_decref(value);
		}
	}
}

/* --- values -------------------------------------------------------------------------------------- */

static void parse(const char *text, struct raw_line *line, json_t **ret)
{
	struct parse_error error = { "" };

	*ret = json(text);
	if (raw_json_parse(*ret, line, &error) < 0)
		fail_msg("%s: %s", error.text, text);
}

static void absent_is_not_known(void **state)
{
	struct raw_line line;
	json_t *value;

	(void)state;
	parse("{\"address\":\"101\",\"domain\":\"telephony\",\"unheard_of\":[1]}", &line, &value);
	assert_string_equal(line.address, "101");
	assert_null(line.user);
	assert_null(line.source);
	assert_int_equal(line.technology, -1);
	assert_int_equal(line.facts.known, 0);
	assert_int_equal(line.facts.status, STATE_STATUS_OK);
	assert_int_equal(line.facts.at, 0);
	json_decref(value);
}

/* DESIGN section 1: "`null` means known to be none" */
static void null_is_known_to_be_none(void **state)
{
	struct raw_line line;
	json_t *value;

	(void)state;
	parse("{" RICH ",\"activity\":null,\"note\":null,\"idle_since\":null,\"availability\":null}", &line, &value);
	assert_int_equal(line.facts.known, RAW_ACTIVITY | RAW_NOTE | RAW_IDLE_SINCE);
	assert_int_equal(line.facts.activity, -1);
	assert_null(line.facts.note);
	assert_int_equal(line.facts.idle_since, 0);
	json_decref(value);
	parse("{" TELEPHONY ",\"forward\":null,\"dnd\":null,\"line\":null}", &line, &value);
	assert_int_equal(line.facts.known, RAW_FORWARD);
	assert_false(line.facts.forwarded);
	json_decref(value);
}

static void null_calls_are_known_to_be_none(void **state)
{
	struct raw_line line;
	json_t *value;

	(void)state;
	parse("{" TELEPHONY ",\"calls\":[]}", &line, &value);
	assert_int_equal(line.facts.known, RAW_CALLS);
	assert_int_equal(line.facts.call_count, 0);
	json_decref(value);
	parse("{" TELEPHONY ",\"calls\":null}", &line, &value);
	assert_int_equal(line.facts.known, RAW_CALLS);
	assert_int_equal(line.facts.call_count, 0);
	json_decref(value);
}

static void line_of_the_design_is_read(void **state)
{
	struct raw_line line;
	json_t *value;

	(void)state;
	parse("{\"user\":\"alice\",\"source\":\"cups\",\"technology\":\"sip\",\"domain\":\"rich\",\"status\":"
	      "\"ok\","
	      "\"availability\":\"busy\",\"activity\":\"meeting\",\"note\":\"Board room\","
	      "\"idle_since\":\"2026-11-20T11:40:00.000Z\"}",
	    &line, &value);
	assert_string_equal(line.user, "alice");
	assert_string_equal(line.source, "cups");
	assert_int_equal(line.technology, TECHNOLOGY_SIP);
	assert_int_equal(line.facts.known, RAW_RICH_FACTS);
	assert_int_equal(line.facts.availability, AVAILABILITY_BUSY);
	assert_int_equal(line.facts.activity, ACTIVITY_MEETING);
	assert_string_equal(line.facts.note, "Board room");
	assert_int_equal(line.facts.idle_since, 1795174800000);
	json_decref(value);
}

/* --- the way back -------------------------------------------------------------------------------- */

static const char *random_text(char *buf)
{
	static const char *const pieces[] = { "a", "\"", "\\", "\n", "\t", "\x01", "\x7f", "/", "\xc3\xa4",
		"\xe2\x82\xac", "\xf0\x9f\x93\x9e", "\xe2\x80\xa8", " " };

	buf[0] = '\0';
	for (size_t n = random_below(8); n > 0; n--)
		strcat(buf, pieces[random_below(COUNT_OF(pieces))]);
	return random_below(5) == 0 ? NULL : buf;
}

static void random_facts(struct raw_facts *f, struct raw_call *calls, char (*texts)[64])
{
	*f = (struct raw_facts){ .domain = (int8_t)random_below(DOMAIN_COUNT), .activity = -1, .forward_kind = -1 };
	f->known = (uint16_t)random_next() & (f->domain == DOMAIN_RICH ? RAW_RICH_FACTS : RAW_TELEPHONY_FACTS);
	f->status = (int8_t)random_below(STATE_STATUS_COUNT);
	f->availability = (int8_t)random_below(AVAILABILITY_COUNT);
	if ((f->known & RAW_ACTIVITY) != 0)
		f->activity = (int8_t)((int)random_below(ACTIVITY_COUNT + 1) - 1);
	f->note = (f->known & RAW_NOTE) != 0 ? random_text(*texts++) : NULL;
	f->idle_since = random_below(2) == 0 ? 0 : 1 + (int64_t)random_below(2000000000000);
	f->line = (int8_t)random_below(LINE_COUNT);
	f->dnd = random_below(2) == 0;
	f->forwarded = random_below(2) == 0;
	if ((f->known & RAW_FORWARD) != 0 && f->forwarded) {
		f->forward_kind = (int8_t)((int)random_below(FORWARD_KIND_COUNT + 1) - 1);
		f->forward_target = random_text(*texts++);
	}
	f->calls = calls;
	f->call_count = (f->known & RAW_CALLS) == 0 ? 0 : (uint8_t)random_below(RAW_MAX_CALLS + 1);
	for (size_t i = 0; i < f->call_count; i++) {
		calls[i] = (struct raw_call){ .state = (int8_t)random_below(CALL_STATE_COUNT),
			.direction = (int8_t)((int)random_below(DIRECTION_COUNT + 1) - 1),
			.since = (int64_t)random_below(2000000000000) };
		calls[i].peer = random_text(*texts++);
		calls[i].name = random_text(*texts++);
	}
	f->why = random_text(*texts++);
	f->at = (int64_t)random_below(2000000000000);
	f->observed_at = (int64_t)random_below(2000000000000);
	f->valid_until = random_below(2) == 0 ? 0 : (int64_t)random_below(2000000000000);
	f->epoch = (uint32_t)random_next();
	f->rev = (uint32_t)random_next();
}

static void what_is_written_is_read_as_the_same(void **state)
{
	struct raw_call calls[RAW_MAX_CALLS];
	char texts[40][64];
	struct buf b;

	(void)state;
	random_begin(__func__);
	buf_init(&b, 100000);
	for (int i = 0; i < 5000; i++) {
		const struct raw_state *written, *read;
		struct raw_facts f;
		struct raw_line line;
		json_t *value;

		random_facts(&f, calls, texts);
		assert_null(raw_facts_check(&f));
		buf_clear(&b);
		jsonw_object(&b, NULL);
		jsonw_text(&b, "user", "a");
		jsonw_text(&b, "domain", vocab_name(&vocab_domain, f.domain));
		raw_json_write_facts(&b, &f, true);
		raw_json_write_times(&b, &f);
		jsonw_object_end(&b);
		assert_false(b.failed);
		parse(buf_text(&b), &line, &value);
		written = raw_state_new(&f);
		read = raw_state_new(&line.facts);
		if (!raw_state_same_facts(written, read))
			fail_msg("read otherwise than written: %s", buf_text(&b));
		assert_int_equal(line.facts.at, f.at);
		assert_int_equal(line.facts.observed_at, f.observed_at);
		assert_int_equal(line.facts.valid_until, f.valid_until);
		assert_int_equal(line.facts.epoch, f.epoch);
		assert_int_equal(line.facts.rev, f.rev);
		raw_state_unref(written);
		raw_state_unref(read);
		json_decref(value);
	}
	buf_done(&b);
}

static void without_permission_calls_and_target_are_absent(void **state)
{
	const struct raw_call call = { .state = CALL_STATE_HELD, .direction = -1, .peer = "+4420" };
	const struct raw_facts f = { .domain = DOMAIN_TELEPHONY,
		.known = RAW_FORWARD | RAW_CALLS,
		.forwarded = true,
		.forward_kind = FORWARD_KIND_PHONE,
		.forward_target = "2099",
		.calls = &call,
		.call_count = 1 };
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	raw_json_write_facts(&b, &f, false);
	assert_string_equal(buf_text(&b), "\"forward\":{\"kind\":\"phone\"}");
	buf_clear(&b);
	raw_json_write_facts(&b, &f, true);
	assert_string_equal(buf_text(&b),
	    "\"forward\":{\"kind\":\"phone\",\"target\":\"2099\"},"
	    "\"calls\":[{\"state\":\"held\",\"peer\":\"+4420\"}]");
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_has_its_sentence),
		cmocka_unit_test(long_word_in_an_error_is_cut),
		cmocka_unit_test(cut_word_in_an_error_is_still_utf8),
		cmocka_unit_test(texts_have_limits),
		cmocka_unit_test(absent_is_not_known),
		cmocka_unit_test(null_is_known_to_be_none),
		cmocka_unit_test(null_calls_are_known_to_be_none),
		cmocka_unit_test(line_of_the_design_is_read),
		cmocka_unit_test(what_is_written_is_read_as_the_same),
		cmocka_unit_test(without_permission_calls_and_target_are_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
