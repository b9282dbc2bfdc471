/* rules.c: priority rules. The tables are the specification (presenced rules, section 5).
 * SPDX-License-Identifier: MIT */
#include "daemon/model/rules.h"

#include <string.h>

static const struct vocab_word verdict_words[] = {
	{ "decided", "its word was taken" },
	{ "lost", "another one ranks before it" },
	{ "not_usable", "it is not believed at the moment" },
	{ "does_not_know", "it says nothing about this" },
};
const struct vocab vocab_rules_verdict = { "verdict", verdict_words, RULES_VERDICT_COUNT };

/* --- ranks --------------------------------------------------------------------------------------- */

#define RANK_NOT_WINNING 1000000000
#define RANK_STEP	 1000000 /* more than there are sources: position breaks ties in one entry */

static int place_in(char *const *order, size_t count, const struct source_id *source)
{
	const char *technology = vocab_name(&vocab_technology, source->technology);
	int by_technology = (int)count;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(order[i], source->name) == 0)
			return (int)i;
		if (by_technology == (int)count && strcmp(order[i], technology) == 0)
			by_technology = (int)i;
	}
	return by_technology;
}

void rules_rank(const struct rules *rules, struct source_id *const *sources, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct source_id *s = sources[i];
		char *const winning[] = { rules->rich_winning };
		bool wins = rules->rich_winning != NULL && place_in(winning, 1, s) == 0;

		s->rich_rank = (wins ? 0 : RANK_NOT_WINNING) +
		    place_in(rules->rich_order, rules->rich_order_count, s) * RANK_STEP + s->position;
		s->telephony_rank =
		    place_in(rules->telephony_order, rules->telephony_order_count, s) * RANK_STEP + s->position;
	}
}

/* --- choosing ------------------------------------------------------------------------------------ */

static void trace(const struct rules_trace *t, const char *about, const struct source_id *source,
    enum rules_verdict verdict, const char *why)
{
	if (t != NULL)
		t->row(t->arg, &(struct rules_trace_row){ about, source, verdict, why });
}

static bool usable(const struct rules_state *s)
{
	return s->raw != NULL && (s->status == STATE_STATUS_OK || s->status == STATE_STATUS_STALE);
}

static int rank_of(const struct rules_state *s)
{
	return s->raw->facts.domain == DOMAIN_RICH ? s->source->rich_rank : s->source->telephony_rank;
}

static void trace_choice(const struct rules_trace *t, const char *about, unsigned fact, const struct rules_half *half,
    const struct rules_state *chosen)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < half->count; i++) {
		const struct rules_state *s = &half->states[i];

		if (s == chosen)
			trace(t, about, s->source, RULES_DECIDED,
			    s->status == STATE_STATUS_STALE ? "first in the order that knows it; its "
							      "source is silent, but its word still holds" :
							      "first in the order that knows it");
		else if (!usable(s))
			trace(t, about, s->source, RULES_NOT_USABLE,
			    s->why != NULL ? s->why : vocab_state_status.words[s->status].help);
		else if ((s->raw->facts.known & fact) == 0)
			trace(t, about, s->source, RULES_DOES_NOT_KNOW, "it says nothing about this");
		else
			trace(t, about, s->source, RULES_LOST, "another source ranks before it");
	}
}

/* The first usable state, in rank, that knows the fact; NULL if nobody does. */
static const struct rules_state *choose(
    const struct rules_half *half, unsigned fact, const char *about, const struct rules_trace *t)
{
	const struct rules_state *best = NULL;

	for (size_t i = 0; i < half->count; i++) {
		const struct rules_state *s = &half->states[i];

		if (usable(s) && (s->raw->facts.known & fact) != 0 && (best == NULL || rank_of(s) < rank_of(best)))
			best = s;
	}
	trace_choice(t, about, fact, half, best);
	return best;
}

/* The status of a half in which nothing decided: a usable state without a word, else the most telling status. */
static int8_t status_without_word(const struct rules_half *half)
{
	int8_t telling = half->without;
	bool stale = false;

	for (size_t i = 0; i < half->count; i++) {
		const struct rules_state *s = &half->states[i];

		if (usable(s) && s->status == STATE_STATUS_OK)
			return STATE_STATUS_OK;
		stale = stale || usable(s);
		if (i == 0 || s->status < telling) /* the vocabulary is in the order of priority */
			telling = s->status;
	}
	return stale ? STATE_STATUS_STALE : telling;
}

/* --- the rich half ------------------------------------------------------------------------------- */

static void compose_rich(const struct rules_half *half, struct presence_rich *ret, const struct rules_trace *t)
{
	const struct rules_state *winner = choose(half, RAW_AVAILABILITY, "rich", t);

	*ret = (struct presence_rich){ .availability = -1 };
	if (winner == NULL) {
		ret->status = status_without_word(half);
		return;
	}
	ret->status = winner->status;
	ret->availability = winner->raw->facts.availability;
	ret->winner = winner->raw;
	ret->source = winner->source;
}

/* --- the telephony half -------------------------------------------------------------------------- */

static bool is_voicemail(const struct rules *rules, const char *own, const char *target)
{
	struct number t, mailbox;

	if (target == NULL || !number_normalise(&rules->numbers, target, &t))
		return false;
	if (own != NULL && number_normalise(&rules->numbers, own, &mailbox) &&
	    number_equal(&rules->numbers, &t, &mailbox))
		return true;
	for (size_t i = 0; i < rules->voicemail_pilot_count; i++)
		if (number_normalise(&rules->numbers, rules->voicemail_pilots[i], &mailbox) &&
		    number_equal(&rules->numbers, &t, &mailbox))
			return true;
	return false;
}

/* -1: not forwarded, or not known. */
static int8_t forward_kind(const struct rules *rules, const char *own, const struct rules_state *forward)
{
	const struct raw_facts *f;

	if (forward == NULL || !forward->raw->facts.forwarded)
		return -1;
	f = &forward->raw->facts;
	if (f->forward_kind == FORWARD_KIND_VOICEMAIL || is_voicemail(rules, own, f->forward_target))
		return FORWARD_KIND_VOICEMAIL;
	return FORWARD_KIND_PHONE;
}

static const int8_t mode_of_forward[FORWARD_KIND_COUNT] = {
	[FORWARD_KIND_VOICEMAIL] = MODE_FORWARDED_TO_VOICEMAIL,
	[FORWARD_KIND_PHONE] = MODE_FORWARDED_TO_PHONE,
};
static const int8_t mode_of_line[LINE_COUNT] = {
	[LINE_IDLE] = MODE_AVAILABLE,
	[LINE_RINGING] = MODE_BUSY,
	[LINE_BUSY] = MODE_BUSY,
	[LINE_HELD] = MODE_BUSY,
	[LINE_OFFLINE] = MODE_OFFLINE,
};

static void compose_telephony(const struct rules *rules, const struct rules_input *in, struct presence_telephony *ret,
    const struct rules_trace *t)
{
	const struct rules_half *half = &in->halves[DOMAIN_TELEPHONY];
	const struct rules_state *line = choose(half, RAW_LINE, "line", t);
	const struct rules_state *dnd = choose(half, RAW_DND, "dnd", t);
	const struct rules_state *forward = choose(half, RAW_FORWARD, "forward", t);
	const struct rules_state *decided = NULL;
	const char *why = "nobody knows the line, do-not-disturb or a forward";

	*ret = (struct presence_telephony){ .mode = -1, .forward_kind = forward_kind(rules, in->voicemail, forward) };
	ret->line = line == NULL ? NULL : line->raw;
	ret->dnd = dnd == NULL ? NULL : dnd->raw;
	ret->forward = forward == NULL ? NULL : forward->raw;
	if (dnd != NULL && dnd->raw->facts.dnd) {
		decided = dnd;
		ret->mode = MODE_DND;
		why = "do-not-disturb overrides forwarding and the line";
	} else if (ret->forward_kind >= 0) {
		decided = forward;
		ret->mode = mode_of_forward[ret->forward_kind];
		why = ret->forward_kind == FORWARD_KIND_VOICEMAIL ?
		    "forwarding overrides the line; the target is a mailbox" :
		    "forwarding overrides the line";
	} else if (line != NULL) {
		decided = line;
		ret->mode = mode_of_line[line->raw->facts.line];
		why = "no do-not-disturb and no forward: the line decides";
	}
	ret->status = decided == NULL ? status_without_word(half) : decided->status;
	ret->source = decided == NULL ? NULL : decided->source;
	trace(t, "mode", ret->source, decided == NULL ? RULES_DOES_NOT_KNOW : RULES_DECIDED, why);
}

/* --- overall ------------------------------------------------------------------------------------- */

static const int8_t overall_of_mode[MODE_COUNT] = {
	[MODE_AVAILABLE] = OVERALL_AVAILABLE,
	[MODE_BUSY] = OVERALL_BUSY,
	[MODE_DND] = OVERALL_DND,
	[MODE_OFFLINE] = OVERALL_OFFLINE,
	[MODE_FORWARDED_TO_VOICEMAIL] = OVERALL_FORWARDED_TO_VOICEMAIL,
	[MODE_FORWARDED_TO_PHONE] = OVERALL_FORWARDED_TO_PHONE,
};
static const int8_t overall_of_availability[AVAILABILITY_COUNT] = {
	[AVAILABILITY_AVAILABLE] = OVERALL_AVAILABLE,
	[AVAILABILITY_AVAILABLE_IDLE] = OVERALL_AVAILABLE_IDLE,
	[AVAILABILITY_AWAY] = OVERALL_AWAY,
	[AVAILABILITY_BUSY] = OVERALL_BUSY,
	[AVAILABILITY_BUSY_IDLE] = OVERALL_BUSY,
	[AVAILABILITY_DND] = OVERALL_DND,
	[AVAILABILITY_OFFLINE] = OVERALL_OFFLINE,
};

/* The rows of "overall", first match wins; *ret_why names the row. */
static int8_t overall_by_table(const struct presence *p, const char **ret_why)
{
	int availability = p->rich.availability, mode = p->telephony.mode;

	if (availability == AVAILABILITY_DND || mode == MODE_DND) {
		*ret_why = "one half is do-not-disturb";
		return OVERALL_DND;
	}
	if (mode == MODE_FORWARDED_TO_VOICEMAIL || mode == MODE_FORWARDED_TO_PHONE) {
		*ret_why = "calls are forwarded";
		return overall_of_mode[mode];
	}
	if (availability == AVAILABILITY_BUSY || availability == AVAILABILITY_BUSY_IDLE || mode == MODE_BUSY) {
		*ret_why = "one half is busy";
		return OVERALL_BUSY;
	}
	if (availability >= 0 && availability != AVAILABILITY_OFFLINE) {
		*ret_why = "the rich half says so";
		return overall_of_availability[availability];
	}
	if (mode >= 0) {
		*ret_why = "the telephone says so; a closed chat client does not hide it";
		return overall_of_mode[mode];
	}
	if (availability == AVAILABILITY_OFFLINE) {
		*ret_why = "the person is signed out, and of the telephone nothing is known";
		return OVERALL_OFFLINE;
	}
	*ret_why = "nothing is known";
	return OVERALL_UNKNOWN;
}

/* The two switches; they matter only where the table says busy. */
static bool busy_is_dnd(const struct rules *rules, const struct presence *p, const char **ret_why)
{
	int line = p->telephony.line == NULL ? -1 : p->telephony.line->facts.line;
	int activity = p->rich.winner == NULL ? -1 : p->rich.winner->facts.activity;

	if (rules->on_the_phone_is_dnd &&
	    (line == LINE_BUSY || line == LINE_HELD || activity == ACTIVITY_ON_THE_PHONE)) {
		*ret_why = "rules.on_the_phone_is_dnd";
		return true;
	}
	if (rules->in_a_meeting_is_dnd &&
	    (activity == ACTIVITY_MEETING || activity == ACTIVITY_APPOINTMENT || activity == ACTIVITY_PRESENTATION)) {
		*ret_why = "rules.in_a_meeting_is_dnd";
		return true;
	}
	return false;
}

void rules_compose(
    const struct rules *rules, const struct rules_input *in, struct presence *ret, const struct rules_trace *t)
{
	const char *why;

	compose_rich(&in->halves[DOMAIN_RICH], &ret->rich, t);
	compose_telephony(rules, in, &ret->telephony, t);
	ret->overall = overall_by_table(ret, &why);
	if (ret->overall == OVERALL_BUSY && busy_is_dnd(rules, ret, &why))
		ret->overall = OVERALL_DND;
	trace(t, "overall", NULL, RULES_DECIDED, why);
}
