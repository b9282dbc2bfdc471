/* test_rules.c: ranks, choices, the trace, and the verdicts of tests/corpus/rules/rules.jsonl.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include <jansson.h>

#include "daemon/base/buf.h"
#include "daemon/model/raw_json.h"
#include "daemon/model/rules.h"

#define CORPUS "tests/corpus/rules/rules.jsonl"

static char *rich_order[] = { (char[]){ "sip" }, (char[]){ "msteams" }, (char[]){ "sfb" }, (char[]){ "webex" },
	(char[]){ "xmpp" }, (char[]){ "broadworks" }, (char[]){ "tapi" }, (char[]){ "calendar" } };
static char *telephony_order[] = { (char[]){ "tapi" }, (char[]){ "broadworks" }, (char[]){ "sip" } };
static char *pilots[] = { (char[]){ "8000" } };

static struct rules default_rules(void)
{
	return (struct rules){ .rich_winning = rich_order[0],
		.rich_order = rich_order,
		.rich_order_count = COUNT_OF(rich_order),
		.telephony_order = telephony_order,
		.telephony_order_count = COUNT_OF(telephony_order),
		.voicemail_pilots = pilots,
		.voicemail_pilot_count = 1,
		.numbers = { .extension_digits = 6 } };
}

/* The sources that the corpus is about, in their order. */
static struct source_id cups = { (char[]){ "cups" }, TECHNOLOGY_SIP, 0, 0, 0 },
			imp = { (char[]){ "imp" }, TECHNOLOGY_XMPP, 1, 0, 0 },
			bw = { (char[]){ "bw" }, TECHNOLOGY_BROADWORKS, 2, 0, 0 },
			sw = { (char[]){ "switch" }, TECHNOLOGY_TAPI, 3, 0, 0 },
			pbx2 = { (char[]){ "pbx2" }, TECHNOLOGY_SIP, 4, 0, 0 };
static struct source_id *const sources[] = { &cups, &imp, &bw, &sw, &pbx2 };

/* --- the corpus ---------------------------------------------------------------------------------- */

struct input {
	const struct raw_state *raws[16];
	struct rules_state states[DOMAIN_COUNT][16];
	struct rules_input input;
	size_t count;
};

static void add_state(struct input *in, struct source_id *source, const struct raw_facts *facts)
{
	struct rules_half *half = &in->input.halves[facts->domain];
	struct rules_state *s = in->states[facts->domain];
	size_t i = 0;

	while (i < half->count && s[i].source != source) /* a later one replaces the earlier */
		i++;
	half->count += i == half->count;
	half->states = s;
	in->raws[in->count] = raw_state_new(facts);
	s[i] = (struct rules_state){ .source = source, .raw = in->raws[in->count++], .status = facts->status };
}

static void done(struct input *in)
{
	for (size_t i = 0; i < in->count; i++)
		raw_state_unref(in->raws[i]);
}

static struct source_id *source_called(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(sources); i++)
		if (strcmp(sources[i]->name, name) == 0)
			return sources[i];
	fail_msg("no source is called %s", name);
	return NULL;
}

/* Every key expected is there with this value; null: absent or null. */
static bool matches(const json_t *expected, const json_t *found)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)expected, key, value)
	{
		const json_t *other = json_object_get(found, key);

		if (json_is_object(value)   ? !matches(value, other) :
			json_is_null(value) ? other != NULL && !json_is_null(other) :
					      !json_equal(value, other))
			return false;
	}
	return true;
}

static json_t *composed_json(const struct rules *rules, const struct rules_input *input)
{
	struct presence presence;
	struct buf b;
	json_t *value;

	rules_compose(rules, input, &presence, NULL);
	buf_init(&b, 100000);
	buf_putc(&b, '{');
	presence_write(&b, &presence, true);
	buf_putc(&b, '}');
	value = json_loads(buf_text(&b), 0, NULL);
	buf_done(&b);
	assert_non_null(value);
	return value;
}

static void judge(const json_t *row, const char *text)
{
	struct rules rules = default_rules();
	struct input in = { .input.voicemail = "8123" };
	json_t *raw, *found;
	size_t i;

	json_array_foreach(json_object_get(row, "raw"), i, raw)
	{
		struct parse_error error = { "" };
		struct raw_line line;

		json_object_set_new(raw, "user", json_string("alice"));
		if (raw_json_parse(raw, &line, &error) < 0)
			fail_msg("%s: %s", error.text, text);
		add_state(&in, source_called(line.source), &line.facts);
	}
	for (int d = 0; d < DOMAIN_COUNT; d++)
		in.input.halves[d].without = STATE_STATUS_NOT_CONFIGURED_FOR_USER;
	found = composed_json(&rules, &in.input);
	if (!matches(json_object_get(row, "expect"), found))
		fail_msg("%s\nbut composed: %s", text, json_dumps(found, 0));
	json_decref(found);
	done(&in);
}

static void verdicts_of_the_corpus(void **state)
{
	struct rules rules = default_rules();
	FILE *file = fopen(CORPUS, "r");
	char text[4000];
	size_t count = 0;

	(void)state;
	if (file == NULL)
		skip(); /* not started at the top of the repository */
	rules_rank(&rules, sources, COUNT_OF(sources));
	for (; next_line(file, text, sizeof text) != NULL; count++) {
		json_t *row = json_loads(text, 0, NULL);

		assert_non_null(row);
		judge(row, text);
		json_decref(row);
	}
	fclose(file);
	assert_true(count > 40);
}

/* --- ranks --------------------------------------------------------------------------------------- */

static void assert_ranked(bool rich, struct source_id *const *order, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		int before = rich ? order[i - 1]->rich_rank : order[i - 1]->telephony_rank;
		int after = rich ? order[i]->rich_rank : order[i]->telephony_rank;

		if (before >= after)
			fail_msg("%s does not rank before %s", order[i - 1]->name, order[i]->name);
	}
}

static void winning_then_the_order_then_the_position(void **state)
{
	struct source_id *const rich[] = { &cups, &pbx2, &imp, &bw, &sw };
	struct source_id *const telephony[] = { &sw, &bw, &cups, &pbx2, &imp };
	struct rules rules = default_rules();

	(void)state;
	rules_rank(&rules, sources, COUNT_OF(sources));
	assert_ranked(true, rich, COUNT_OF(rich));
	assert_ranked(false, telephony, COUNT_OF(telephony));
}

static void name_ranks_before_its_technology(void **state)
{
	char *order[] = { (char[]){ "pbx2" }, (char[]){ "tapi" }, (char[]){ "sip" } };
	struct source_id *const telephony[] = { &pbx2, &sw, &cups, &imp, &bw };
	struct rules rules = default_rules();

	(void)state;
	rules.telephony_order = order;
	rules_rank(&rules, sources, COUNT_OF(sources));
	assert_ranked(false, telephony, COUNT_OF(telephony));
}

static void winning_may_be_a_name_or_nobody(void **state)
{
	struct source_id *const by_name[] = { &imp, &cups, &pbx2, &bw, &sw };
	struct source_id *const by_position[] = { &cups, &imp, &bw, &sw, &pbx2 };
	struct rules rules = default_rules();

	(void)state;
	rules.rich_winning = (char[]){ "imp" };
	rules_rank(&rules, sources, COUNT_OF(sources));
	assert_ranked(true, by_name, COUNT_OF(by_name));
	rules.rich_winning = NULL;
	rules.rich_order_count = 0;
	rules_rank(&rules, sources, COUNT_OF(sources));
	assert_ranked(true, by_position, COUNT_OF(by_position));
}

/* --- halves without a word ----------------------------------------------------------------------- */

static int status_of_rich(const int8_t *statuses, size_t count)
{
	struct rules rules = default_rules();
	struct rules_state states[4];
	struct rules_input input = { 0 };
	struct presence p;

	for (size_t i = 0; i < count; i++)
		states[i] = (struct rules_state){ .source = sources[i], .status = statuses[i] };
	input.halves[DOMAIN_RICH] =
	    (struct rules_half){ .states = states, .count = count, .without = STATE_STATUS_NOT_CONFIGURED_FOR_USER };
	rules_compose(&rules, &input, &p, NULL);
	assert_int_equal(p.overall, OVERALL_UNKNOWN);
	return p.rich.status;
}

static void most_telling_status_of_a_half_is_shown(void **state)
{
	(void)state;
	for (int8_t a = STATE_STATUS_ACCESS_DENIED; a < STATE_STATUS_COUNT; a++) {
		for (int8_t b = STATE_STATUS_ACCESS_DENIED; b < STATE_STATUS_COUNT; b++) {
			const int8_t statuses[] = { a, b };

			if (a != STATE_STATUS_STALE &&
			    b != STATE_STATUS_STALE) /* stale without a state: not possible */
				assert_int_equal(status_of_rich(statuses, 2), a < b ? a : b);
		}
	}
	assert_int_equal(status_of_rich(NULL, 0), STATE_STATUS_NOT_CONFIGURED_FOR_USER);
}

static void usable_state_without_a_word_is_ok_or_stale(void **state)
{
	const struct raw_facts nothing = { .domain = DOMAIN_RICH };
	struct rules rules = default_rules();
	struct input in = { .count = 0 };
	struct presence p;

	(void)state;
	add_state(&in, &cups, &nothing);
	rules_compose(&rules, &in.input, &p, NULL);
	assert_int_equal(p.rich.status, STATE_STATUS_OK);
	assert_int_equal(p.rich.availability, -1);
	in.states[DOMAIN_RICH][0].status = STATE_STATUS_STALE;
	rules_compose(&rules, &in.input, &p, NULL);
	assert_int_equal(p.rich.status, STATE_STATUS_STALE);
	done(&in);
}

static void stale_state_keeps_its_rank_and_an_error_loses_it(void **state)
{
	const struct raw_facts busy = { .domain = DOMAIN_TELEPHONY, .known = RAW_LINE, .line = LINE_BUSY };
	const struct raw_facts idle = { .domain = DOMAIN_TELEPHONY, .known = RAW_LINE, .line = LINE_IDLE };
	struct rules rules = default_rules();
	struct input in = { .count = 0 };
	struct presence p;

	(void)state;
	rules_rank(&rules, sources, COUNT_OF(sources));
	add_state(&in, &cups, &idle);
	add_state(&in, &sw, &busy);
	in.states[DOMAIN_TELEPHONY][1].status = STATE_STATUS_STALE;
	rules_compose(&rules, &in.input, &p, NULL);
	assert_int_equal(p.telephony.status, STATE_STATUS_STALE);
	assert_int_equal(p.telephony.mode, MODE_BUSY);
	assert_ptr_equal(p.telephony.source, &sw);
	in.states[DOMAIN_TELEPHONY][1].status = STATE_STATUS_ERROR;
	rules_compose(&rules, &in.input, &p, NULL);
	assert_int_equal(p.telephony.status, STATE_STATUS_OK);
	assert_int_equal(p.telephony.mode, MODE_AVAILABLE);
	assert_ptr_equal(p.telephony.source, &cups);
	done(&in);
}

/* --- switches and trace -------------------------------------------------------------------------- */

static int overall_of(const struct rules *rules, int availability, int activity, int line)
{
	const struct raw_facts rich = { .domain = DOMAIN_RICH,
		.known = RAW_AVAILABILITY | RAW_ACTIVITY,
		.availability = (int8_t)availability,
		.activity = (int8_t)activity };
	const struct raw_facts telephony = { .domain = DOMAIN_TELEPHONY, .known = RAW_LINE, .line = (int8_t)line };
	struct input in = { .count = 0 };
	struct presence p;

	add_state(&in, &cups, &rich);
	add_state(&in, &sw, &telephony);
	rules_compose(rules, &in.input, &p, NULL);
	done(&in);
	return p.overall;
}

static void switches_change_only_busy(void **state)
{
	struct rules off = default_rules(), phone = off, meeting = off;

	(void)state;
	phone.on_the_phone_is_dnd = meeting.in_a_meeting_is_dnd = true;
	assert_int_equal(overall_of(&off, AVAILABILITY_AVAILABLE, -1, LINE_BUSY), OVERALL_BUSY);
	assert_int_equal(overall_of(&phone, AVAILABILITY_AVAILABLE, -1, LINE_BUSY), OVERALL_DND);
	assert_int_equal(overall_of(&phone, AVAILABILITY_AVAILABLE, -1, LINE_HELD), OVERALL_DND);
	assert_int_equal(overall_of(&phone, AVAILABILITY_AVAILABLE, -1, LINE_RINGING), OVERALL_BUSY);
	assert_int_equal(overall_of(&phone, AVAILABILITY_BUSY, ACTIVITY_ON_THE_PHONE, LINE_IDLE), OVERALL_DND);
	assert_int_equal(overall_of(&phone, AVAILABILITY_AWAY, ACTIVITY_ON_THE_PHONE, LINE_IDLE), OVERALL_AWAY);
	assert_int_equal(overall_of(&meeting, AVAILABILITY_BUSY, ACTIVITY_MEETING, LINE_IDLE), OVERALL_DND);
	assert_int_equal(overall_of(&meeting, AVAILABILITY_BUSY_IDLE, ACTIVITY_APPOINTMENT, LINE_IDLE), OVERALL_DND);
	assert_int_equal(overall_of(&meeting, AVAILABILITY_BUSY, ACTIVITY_PRESENTATION, LINE_IDLE), OVERALL_DND);
	assert_int_equal(overall_of(&meeting, AVAILABILITY_AVAILABLE, ACTIVITY_MEETING, LINE_IDLE), OVERALL_AVAILABLE);
	assert_int_equal(overall_of(&meeting, AVAILABILITY_BUSY, ACTIVITY_LUNCH, LINE_IDLE), OVERALL_BUSY);
	assert_int_equal(overall_of(&meeting, AVAILABILITY_AVAILABLE, -1, LINE_BUSY), OVERALL_BUSY);
}

static void note_row(void *arg, const struct rules_trace_row *row)
{
	buf_printf(arg, "%s %s %s\n", row->about, row->source == NULL ? "-" : row->source->name,
	    vocab_name(&vocab_rules_verdict, (int)row->verdict));
	assert_true(strlen(row->why) > 0);
}

static void trace_tells_who_decided_and_who_lost(void **state)
{
	const struct raw_facts line = { .domain = DOMAIN_TELEPHONY, .known = RAW_LINE };
	const struct raw_facts forward = { .domain = DOMAIN_TELEPHONY,
		.known = RAW_LINE | RAW_FORWARD,
		.forwarded = true,
		.forward_kind = -1,
		.forward_target = "sip:8000@pbx" };
	struct rules rules = default_rules();
	struct input in = { .count = 0 };
	struct presence p;
	struct buf text;
	const struct rules_trace trace = { note_row, &text };

	(void)state;
	buf_init(&text, 10000);
	rules_rank(&rules, sources, COUNT_OF(sources));
	add_state(&in, &cups, &forward);
	add_state(&in, &sw, &line);
	add_state(&in, &bw, &line);
	in.states[DOMAIN_TELEPHONY][2].status = STATE_STATUS_ERROR;
	rules_compose(&rules, &in.input, &p, &trace);
	assert_int_equal(p.telephony.mode, MODE_FORWARDED_TO_VOICEMAIL);
	assert_string_equal(buf_text(&text),
	    "line cups lost\nline switch decided\nline bw not_usable\n"
	    "dnd cups does_not_know\ndnd switch does_not_know\ndnd bw not_usable\n"
	    "forward cups decided\nforward switch does_not_know\nforward bw not_usable\n"
	    "mode cups decided\noverall - decided\n");
	buf_done(&text);
	done(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_of_the_corpus),
		cmocka_unit_test(winning_then_the_order_then_the_position),
		cmocka_unit_test(name_ranks_before_its_technology),
		cmocka_unit_test(winning_may_be_a_name_or_nobody),
		cmocka_unit_test(most_telling_status_of_a_half_is_shown),
		cmocka_unit_test(usable_state_without_a_word_is_ok_or_stale),
		cmocka_unit_test(stale_state_keeps_its_rank_and_an_error_loses_it),
		cmocka_unit_test(switches_change_only_busy),
		cmocka_unit_test(trace_tells_who_decided_and_who_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
