/* presence.c: comparing, keeping and writing composed presences.
 * SPDX-License-Identifier: MIT */
#include "daemon/model/presence.h"

#include <string.h>

#include "daemon/base/jsonw.h"
#include "daemon/model/raw_json.h"

void presence_ref(const struct presence *p)
{
	raw_state_ref(p->rich.winner);
	raw_state_ref(p->telephony.line);
	raw_state_ref(p->telephony.dnd);
	raw_state_ref(p->telephony.forward);
}

void presence_unref(const struct presence *p)
{
	raw_state_unref(p->rich.winner);
	raw_state_unref(p->telephony.line);
	raw_state_unref(p->telephony.dnd);
	raw_state_unref(p->telephony.forward);
}

static int line_of(const struct presence_telephony *t)
{
	return t->line == NULL ? -1 : t->line->facts.line;
}

bool presence_rich_same_value(const struct presence_rich *a, const struct presence_rich *b)
{
	int activity_a = a->winner == NULL ? -1 : a->winner->facts.activity;
	int activity_b = b->winner == NULL ? -1 : b->winner->facts.activity;

	return a->status == b->status && a->availability == b->availability && activity_a == activity_b;
}

bool presence_telephony_same_value(const struct presence_telephony *a, const struct presence_telephony *b)
{
	return a->status == b->status && a->mode == b->mode && line_of(a) == line_of(b);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_forward(const struct presence_telephony *a, const struct presence_telephony *b)
{
	if ((a->forward == NULL) != (b->forward == NULL) || a->forward_kind != b->forward_kind)
		return false;
	return a->forward == NULL || same_text(a->forward->facts.forward_target, b->forward->facts.forward_target);
}

static bool same_dnd(const struct presence_telephony *a, const struct presence_telephony *b)
{
	if (a->dnd == NULL || b->dnd == NULL)
		return a->dnd == b->dnd;
	return a->dnd->facts.dnd == b->dnd->facts.dnd;
}

/* Of what is shown of a state that decided. */
static bool same_facts(const struct raw_state *a, const struct raw_state *b, unsigned which)
{
	return a == b || (a != NULL && b != NULL && raw_facts_same(&a->facts, &b->facts, which));
}

bool presence_equal(const struct presence *a, const struct presence *b)
{
	const struct presence_telephony *x = &a->telephony, *y = &b->telephony;

	return a->overall == b->overall && a->rich.source == b->rich.source && x->source == y->source &&
	    presence_rich_same_value(&a->rich, &b->rich) && presence_telephony_same_value(x, y) && same_dnd(x, y) &&
	    same_forward(x, y) && same_facts(a->rich.winner, b->rich.winner, RAW_RICH_FACTS) &&
	    same_facts(x->line, y->line, RAW_LINE | RAW_CALLS);
}

static void write_source(struct buf *b, const struct source_id *source)
{
	if (source == NULL)
		return;
	jsonw_text(b, "technology", vocab_name(&vocab_technology, source->technology));
	jsonw_text(b, "source", source->name);
}

static void write_since(struct buf *b, int64_t since)
{
	if (since != 0)
		jsonw_time(b, "since", since);
}

static void write_rich(struct buf *b, const struct presence_rich *r)
{
	jsonw_object(b, "rich");
	jsonw_text(b, "status", vocab_name(&vocab_state_status, r->status));
	if (r->winner != NULL)
		raw_json_write_rich(b, &r->winner->facts);
	write_source(b, r->source);
	write_since(b, r->since);
	jsonw_object_end(b);
}

static void write_forward(struct buf *b, const struct presence_telephony *t, bool calls)
{
	if (t->forward_kind < 0) {
		jsonw_null(b, "forward");
		return;
	}
	jsonw_object(b, "forward");
	jsonw_text(b, "kind", vocab_name(&vocab_forward_kind, t->forward_kind));
	if (calls && t->forward->facts.forward_target != NULL)
		jsonw_text(b, "target", t->forward->facts.forward_target);
	jsonw_object_end(b);
}

static void write_telephony(struct buf *b, const struct presence_telephony *t, bool calls)
{
	jsonw_object(b, "telephony");
	jsonw_text(b, "status", vocab_name(&vocab_state_status, t->status));
	if (t->mode >= 0)
		jsonw_text(b, "mode", vocab_name(&vocab_mode, t->mode));
	if (t->line != NULL)
		jsonw_text(b, "line", vocab_name(&vocab_line, t->line->facts.line));
	if (t->dnd != NULL)
		jsonw_bool(b, "dnd", t->dnd->facts.dnd);
	if (t->forward != NULL)
		write_forward(b, t, calls);
	if (calls && t->line != NULL && (t->line->facts.known & RAW_CALLS) != 0)
		raw_json_write_calls(b, &t->line->facts);
	write_source(b, t->source);
	write_since(b, t->since);
	jsonw_object_end(b);
}

void presence_write(struct buf *b, const struct presence *p, bool calls)
{
	jsonw_text(b, "overall", vocab_name(&vocab_overall, p->overall));
	write_rich(b, &p->rich);
	write_telephony(b, &p->telephony, calls);
}
