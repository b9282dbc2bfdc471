/* history_summary.c: folding rows of history into durations.
 * SPDX-License-Identifier: MIT */
#include "cli/history_summary.h"

#include <string.h>

#include "daemon/base/instant.h"

static const struct {
	const char *name;
	const struct vocab *words;
	const char *half, *key; /* where the word stands in a row; half NULL: at the top */
} fields[SUMMARY_FIELD_COUNT] = {
	[SUMMARY_OVERALL] = { "overall", &vocab_overall, NULL, "overall" },
	[SUMMARY_LINE] = { "line", &vocab_line, "telephony", "line" },
	[SUMMARY_AVAILABILITY] = { "availability", &vocab_availability, "rich", "availability" },
};
_Static_assert((int)LINE_COUNT <= (int)SUMMARY_WORDS && (int)AVAILABILITY_COUNT <= (int)SUMMARY_WORDS,
    "another vocabulary has more words");

#define REASON_NONE (-1)

static const char *reason_name(int reason)
{
	static const struct vocab_word own[] = {
#define X(symbol, name, help) { name, help },
		SUMMARY_REASON_MAP(X)
#undef X
	};

	return reason <= SUMMARY_REASON_FIRST ? vocab_name(&vocab_state_status, reason) :
						own[reason - SUMMARY_REASON_FIRST - 1].name;
}

/* Count up to `until` what is open, or `reason` instead of it. A clock that was set back counts nothing twice. */
static void count(struct history_summary *s, int64_t until, int reason)
{
	int64_t end = until < s->to ? until : s->to;

	if (end <= s->at)
		return;
	for (int i = 0; i < SUMMARY_FIELD_COUNT; i++) {
		const struct summary_word *w = &s->open[i];

		if (reason != REASON_NONE)
			s->unobserved[i][reason] += end - s->at;
		else if (w->observed)
			s->observed[i][w->index] += end - s->at;
		else
			s->unobserved[i][w->index] += end - s->at;
	}
	s->at = end;
}

/* From here on nothing is observed. */
static void nothing(struct history_summary *s, int reason)
{
	for (int i = 0; i < SUMMARY_FIELD_COUNT; i++)
		s->open[i] = (struct summary_word){ false, reason };
}

void history_summary_init(struct history_summary *s, int64_t from, int64_t to, int64_t now)
{
	*s = (struct history_summary){ .from = from, .to = to < now ? to : now, .at = from };
	nothing(s, SUMMARY_REASON_NOT_RECORDED);
}

/* --- what a change says -------------------------------------------------------------------------- */

static int status_of(const json_t *row, const char *half)
{
	const json_t *status = json_object_get(json_object_get(row, half), "status");

	return vocab_find(&vocab_state_status, json_string_value(status));
}

/* The status that tells more of two that are not ok: they are in that order, and one that is not known tells nothing. */
static int more_telling(int a, int b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

/* Of overall: a half that is stale takes part in it, so it is not vouched for. */
static int status_of_both(int rich, int telephony)
{
	int telling = more_telling(rich, telephony); /* ok is the first of them */

	return telling == STATE_STATUS_OK && (rich == STATE_STATUS_STALE || telephony == STATE_STATUS_STALE) ?
	    STATE_STATUS_STALE :
	    telling;
}

static struct summary_word word_of(const json_t *row, enum summary_field field)
{
	const char *half = fields[field].half;
	const json_t *text = json_object_get(half == NULL ? row : json_object_get(row, half), fields[field].key);
	int rich = status_of(row, "rich"), telephony = status_of(row, "telephony"), status, word;

	status = half == NULL ? status_of_both(rich, telephony) : status_of(row, half);
	if (status != STATE_STATUS_OK)
		return (struct summary_word){ false, status < 0 ? SUMMARY_REASON_NOT_UNDERSTOOD : status };
	if (text == NULL || json_is_null(text))
		return (struct summary_word){ false, SUMMARY_REASON_NOT_SAID };
	word = vocab_find(fields[field].words, json_string_value(text));
	if (word < 0)
		return (struct summary_word){ false, SUMMARY_REASON_NOT_UNDERSTOOD };
	return (struct summary_word){ true, word };
}

/* --- rows ---------------------------------------------------------------------------------------- */

static int64_t time_of(const json_t *row, const char *key, int64_t otherwise)
{
	const char *text = json_string_value(json_object_get(row, key));
	int64_t at;

	return text != NULL && instant_parse(text, &at) == 0 ? at : otherwise;
}

static void take_change(struct history_summary *s, const json_t *row)
{
	for (int i = 0; i < SUMMARY_FIELD_COUNT; i++)
		s->open[i] = word_of(row, (enum summary_field)i);
}

static void take_started(struct history_summary *s, const json_t *row)
{
	(void)row;
	nothing(s, SUMMARY_REASON_SINCE_START);
}

static void take_stopped(struct history_summary *s, const json_t *row)
{
	(void)row;
	nothing(s, SUMMARY_REASON_NOT_RUNNING);
}

static void take_removed(struct history_summary *s, const json_t *row)
{
	(void)row;
	nothing(s, SUMMARY_REASON_REMOVED);
}

static void go_on(struct history_summary *s, const json_t *row)
{
	(void)s;
	(void)row;
}

static const struct {
	const char *name;
	void (*take)(struct history_summary *s, const json_t *row);
} kinds[] = {
	{ "change", take_change },
	{ "started", take_started },
	{ "stopped", take_stopped },
	{ "removed", take_removed },
	{ "renamed", go_on },
};

/* The time before a row: what was open, unless the row says that this is not known. */
static void count_before(struct history_summary *s, const json_t *row, const char *kind, int64_t at)
{
	if (json_is_true(json_object_get(row, "gap"))) {
		count(s, at, SUMMARY_REASON_LOST_ROWS);
	} else if (strcmp(kind, "started") == 0) {
		int64_t until = time_of(row, "observed_until", INT64_MIN); /* not known: nothing of it was observed */

		count(s, until < at ? until : at, REASON_NONE);
		count(s, at, SUMMARY_REASON_NOT_RUNNING);
	} else {
		count(s, at, REASON_NONE);
	}
}

void history_summary_row(struct history_summary *s, const json_t *row)
{
	const char *kind = json_string_value(json_object_get(row, "kind"));
	int64_t at = time_of(row, "at", s->at);

	for (size_t i = 0; kind != NULL && i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kinds[i].name, kind) != 0)
			continue;
		count_before(s, row, kind, at);
		kinds[i].take(s, row);
	}
}

void history_summary_end(struct history_summary *s)
{
	count(s, s->to, REASON_NONE);
}

/* --- output -------------------------------------------------------------------------------------- */

static int64_t unobserved(const struct history_summary *s, int field)
{
	int64_t sum = 0;

	for (int i = 0; i < SUMMARY_REASON_COUNT; i++)
		sum += s->unobserved[field][i];
	return sum;
}

static json_t *words_json(const struct history_summary *s, int field)
{
	json_t *object = json_object();

	for (int i = 0; i < fields[field].words->count; i++)
		if (s->observed[field][i] > 0)
			json_object_set_new(
			    object, vocab_name(fields[field].words, i), json_integer(s->observed[field][i]));
	return object;
}

static json_t *reasons_json(const struct history_summary *s, int field)
{
	json_t *object = json_object();

	for (int i = 0; i < SUMMARY_REASON_COUNT; i++)
		if (s->unobserved[field][i] > 0)
			json_object_set_new(object, reason_name(i), json_integer(s->unobserved[field][i]));
	return object;
}

json_t *history_summary_json(const struct history_summary *s)
{
	char from[INSTANT_TEXT_SIZE], to[INSTANT_TEXT_SIZE];
	json_t *summary =
	    json_pack("{s:s, s:s}", "from", instant_format(s->from, from), "to", instant_format(s->at, to));
	json_t *sums = json_object(), *reasons = json_object();

	for (int i = 0; i < SUMMARY_FIELD_COUNT; i++) {
		json_object_set_new(summary, fields[i].name, words_json(s, i));
		json_object_set_new(sums, fields[i].name, json_integer(unobserved(s, i)));
		json_object_set_new(reasons, fields[i].name, reasons_json(s, i));
	}
	json_object_set_new(summary, "unobserved", sums);
	json_object_set_new(summary, "reasons", reasons);
	return summary;
}

static void write_part(struct buf *b, size_t start, const char *word, int64_t ms)
{
	char text[DURATION_TEXT_SIZE];

	if (ms > 0)
		buf_printf(b, "%s%s %s", b->len == start ? "" : ", ", word, duration_format(ms, text));
}

static void write_unobserved(const struct history_summary *s, int field, struct buf *b)
{
	char text[DURATION_TEXT_SIZE];
	size_t start;

	buf_printf(b, "not observed %s (", duration_format(unobserved(s, field), text));
	start = b->len;
	for (int i = 0; i < SUMMARY_REASON_COUNT; i++)
		write_part(b, start, reason_name(i), s->unobserved[field][i]);
	buf_putc(b, ')');
}

void history_summary_write(const struct history_summary *s, struct buf *b)
{
	for (int i = 0; i < SUMMARY_FIELD_COUNT; i++) {
		size_t start;

		buf_printf(b, "%-14s", fields[i].name);
		start = b->len;
		for (int w = 0; w < fields[i].words->count; w++)
			write_part(b, start, vocab_name(fields[i].words, w), s->observed[i][w]);
		if (unobserved(s, i) > 0) {
			buf_puts(b, b->len == start ? "" : "; ");
			write_unobserved(s, i, b);
		} else if (b->len == start) {
			buf_puts(b, "no time has passed");
		}
		buf_putc(b, '\n');
	}
}
