/* raw_state.c: immutable raw states, and the checks of their facts.
 * SPDX-License-Identifier: MIT */
#include "daemon/model/raw_state.h"

#include <stdlib.h>
#include <string.h>

static size_t text_size(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

static size_t texts_size(const struct raw_facts *f)
{
	size_t size = text_size(f->note) + text_size(f->forward_target) + text_size(f->why);

	for (size_t i = 0; i < f->call_count; i++)
		size += text_size(f->calls[i].peer) + text_size(f->calls[i].name);
	return size;
}

/* Copy text to *end, which moves behind it. */
static const char *keep(char **end, const char *text)
{
	char *copy = *end;

	if (text == NULL)
		return NULL;
	memcpy(copy, text, strlen(text) + 1);
	*end += strlen(text) + 1;
	return copy;
}

const struct raw_state *raw_state_new(const struct raw_facts *facts)
{
	size_t calls_size = facts->call_count * sizeof *facts->calls;
	struct raw_state *state = malloc(sizeof *state + calls_size + texts_size(facts));
	struct raw_call *calls;
	char *end;

	if (state == NULL)
		return NULL;
	*state = (struct raw_state){ .refs = 1, .facts = *facts };
	if ((facts->known & RAW_ACTIVITY) == 0) /* so that readers need not look at `known` first */
		state->facts.activity = -1;
	calls = (struct raw_call *)(void *)(state + 1);
	end = (char *)(calls + facts->call_count);
	for (size_t i = 0; i < facts->call_count; i++) {
		calls[i] = facts->calls[i];
		calls[i].peer = keep(&end, facts->calls[i].peer);
		calls[i].name = keep(&end, facts->calls[i].name);
	}
	state->facts.calls = facts->call_count == 0 ? NULL : calls;
	state->facts.note = keep(&end, facts->note);
	state->facts.forward_target = keep(&end, facts->forward_target);
	state->facts.why = keep(&end, facts->why);
	return state;
}

const struct raw_state *raw_state_ref(const struct raw_state *state)
{
	if (state != NULL)
		((struct raw_state *)(uintptr_t)state)->refs++; /* the count is not part of what is immutable */
	return state;
}

const struct raw_state *raw_state_unref(const struct raw_state *state)
{
	struct raw_state *s = (struct raw_state *)(uintptr_t)state;

	if (s != NULL && --s->refs == 0)
		free(s);
	return NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_calls(const struct raw_facts *a, const struct raw_facts *b)
{
	if (a->call_count != b->call_count)
		return false;
	for (size_t i = 0; i < a->call_count; i++) {
		const struct raw_call *x = &a->calls[i], *y = &b->calls[i];

		if (x->state != y->state || x->direction != y->direction || x->since != y->since ||
		    !same_text(x->peer, y->peer) || !same_text(x->name, y->name))
			return false;
	}
	return true;
}

static bool same_forward(const struct raw_facts *a, const struct raw_facts *b)
{
	return a->forwarded == b->forwarded &&
	    (!a->forwarded || (a->forward_kind == b->forward_kind && same_text(a->forward_target, b->forward_target)));
}

bool raw_facts_same(const struct raw_facts *a, const struct raw_facts *b, unsigned which)
{
	unsigned known = a->known & which;

	if (known != (b->known & which))
		return false;
	if ((known & RAW_AVAILABILITY) != 0 && a->availability != b->availability)
		return false;
	if ((known & RAW_ACTIVITY) != 0 && a->activity != b->activity)
		return false;
	if ((known & RAW_NOTE) != 0 && !same_text(a->note, b->note))
		return false;
	if ((known & RAW_IDLE_SINCE) != 0 && a->idle_since != b->idle_since)
		return false;
	if ((known & RAW_LINE) != 0 && a->line != b->line)
		return false;
	if ((known & RAW_DND) != 0 && a->dnd != b->dnd)
		return false;
	if ((known & RAW_FORWARD) != 0 && !same_forward(a, b))
		return false;
	return (known & RAW_CALLS) == 0 || same_calls(a, b);
}

bool raw_state_same_facts(const struct raw_state *a, const struct raw_state *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a == b ||
	    (a->facts.domain == b->facts.domain && a->facts.status == b->facts.status &&
		same_text(a->facts.why, b->facts.why) && raw_facts_same(&a->facts, &b->facts, ~0u));
}

static const char *check_text(const char *text, size_t max)
{
	size_t len = text == NULL ? 0 : strnlen(text, max + 1);

	if (len > max)
		return "a text is too long";
	return utf8_is_valid(text, len) ? NULL : "a text is not UTF-8";
}

static const char *check_calls(const struct raw_facts *f)
{
	if (f->call_count > RAW_MAX_CALLS)
		return "more calls than a line can have";
	for (size_t i = 0; i < f->call_count; i++) {
		const struct raw_call *c = &f->calls[i];
		const char *wrong = check_text(c->peer, RAW_MAX_TEXT_BYTES);

		if (wrong == NULL)
			wrong = check_text(c->name, RAW_MAX_TEXT_BYTES);
		if (wrong != NULL)
			return wrong;
		if (c->state < 0 || c->state >= CALL_STATE_COUNT || c->direction < -1 ||
		    c->direction >= DIRECTION_COUNT)
			return "a call's state or direction is outside the vocabulary";
	}
	return NULL;
}

bool raw_status_may_be_said(int status)
{
	return status == STATE_STATUS_OK || status == STATE_STATUS_ACCESS_DENIED || status == STATE_STATUS_NOT_FOUND ||
	    status == STATE_STATUS_ERROR || status == STATE_STATUS_REQUESTING || status == STATE_STATUS_STALE;
}

const char *raw_facts_check(const struct raw_facts *f)
{
	const char *wrong;

	if (f->domain < 0 || f->domain >= DOMAIN_COUNT)
		return "the domain is outside the vocabulary";
	if (f->status < 0 || f->status >= STATE_STATUS_COUNT)
		return "the status is outside the vocabulary";
	if ((f->known & (f->domain == DOMAIN_RICH ? RAW_TELEPHONY_FACTS : RAW_RICH_FACTS)) != 0)
		return "a fact belongs to the other domain";
	if ((f->known & RAW_AVAILABILITY) != 0 && (f->availability < 0 || f->availability >= AVAILABILITY_COUNT))
		return "the availability is outside the vocabulary";
	if ((f->known & RAW_ACTIVITY) != 0 && (f->activity < -1 || f->activity >= ACTIVITY_COUNT))
		return "the activity is outside the vocabulary";
	if ((f->known & RAW_LINE) != 0 && (f->line < 0 || f->line >= LINE_COUNT))
		return "the line is outside the vocabulary";
	if ((f->known & RAW_FORWARD) != 0 && (f->forward_kind < -1 || f->forward_kind >= FORWARD_KIND_COUNT))
		return "the kind of forward is outside the vocabulary";
	wrong = check_text(f->note, RAW_MAX_NOTE_BYTES);
	if (wrong == NULL)
		wrong = check_text(f->forward_target, RAW_MAX_TEXT_BYTES);
	if (wrong == NULL)
		wrong = check_text(f->why, RAW_MAX_TEXT_BYTES);
	return wrong != NULL ? wrong : check_calls(f);
}
