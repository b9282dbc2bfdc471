/* pidf_document.c: persons, tuples and devices of a PIDF reduced to what one person, or one line, does.
 * SPDX-License-Identifier: MIT
 *
 * Persons and tuples are first collected as elements (tokens, note, priority, idle), then reduced: a person's word
 * comes before that of the devices, and of the devices the most available one of the highest priority counts.
 */
#include "connectors/sip/pidf_document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/sip/pidf_words.h"
#include "daemon/base/instant.h"

#define NS_PIDF	 "urn:ietf:params:xml:ns:pidf"
#define NS_MODEL "urn:ietf:params:xml:ns:pidf:data-model"

/* --- what is collected ----------------------------------------------------------------------------- */

enum basic { BASIC_ABSENT, BASIC_OPEN, BASIC_CLOSED };

struct element {
	pidf_words words;
	enum basic basic;
	bool idle;
	unsigned priority;
	int64_t timestamp;	   /* wall ms; 0 none */
	const char *idle_since;	   /* RFC 3339; NULL none */
	const char *note;	   /* of the person or tuple; NULL none */
	const char *activity_note; /* inside activities; NULL none */
	const char *strange;	   /* the first word that is not known; NULL none */
};

struct document {
	struct xml_reader *reader;
	struct element persons; /* all of them in one: several are several publishers of one person */
	struct element *tuples;
	size_t tuple_count;
	bool device_idle;
	const char *device_idle_since, *root_note;
	enum pbx_word line; /* the strongest of what notes tell of the line */
	const char *number; /* of the note "Talk 101"; NULL none */
	enum pbx_word number_word;
};

static bool is_rpid(const char *ns)
{
	static const char *const namespaces[] = {
		"urn:ietf:params:xml:ns:pidf:rpid",		/* RFC 4480 */
		"urn:ietf:params:xml:ns:pidf:status:rpid",	/* its drafts; Cisco */
		"urn:ietf:params:xml:ns:pidf:rpid:rpid-person", /* its drafts; Asterisk */
		"urn:cisco:params:xml:ns:pidf:rpid",
	};

	for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++)
		if (strcmp(ns, namespaces[i]) == 0)
			return true;
	return false;
}

/* Cisco has its person in its own namespace, Asterisk in one of the drafts. */
static bool is_person(const struct xml_node *node)
{
	return strcmp(node->name, "person") == 0 &&
	    (strcmp(node->ns, NS_MODEL) == 0 || strcmp(node->ns, NS_PIDF ":person") == 0 || is_rpid(node->ns));
}

static bool is_rpid_element(const struct xml_node *node, const char *name)
{
	return strcmp(node->name, name) == 0 && is_rpid(node->ns);
}

static bool is_note(const struct xml_node *node)
{
	return xml_is(node, NS_PIDF, "note") || xml_is(node, NS_MODEL, "note");
}

static bool is_blank(const char *text)
{
	return text[strspn(text, " ")] == '\0';
}

/* A note is the person's own, kept in *note unless NULL, or what the PBX says of the line. The first that is not
 * blank stays. */
static void take_note(struct document *d, const char **note, const struct xml_node *node)
{
	const char *number, *text = xml_clean(d->reader, node->text, RAW_MAX_NOTE_BYTES);
	enum pbx_word word;

	if (text == NULL || is_blank(text))
		return; /* without memory the note is lost, the rest counts */
	word = pbx_word_of(text, &number);
	if (word == PBX_NONE) {
		if (note != NULL && *note == NULL)
			*note = text;
		return;
	}
	/* ringing tells more than holding, holding more than talking, talking more than nothing */
	if (d->line == PBX_NONE || d->line == PBX_IDLE || word == PBX_RINGING ||
	    (word == PBX_HOLDING && d->line == PBX_TALKING))
		d->line = word;
	if (number != NULL && d->number == NULL) {
		d->number = number;
		d->number_word = word;
	}
}

static void take_word(struct element *e, const char *word)
{
	if (!pidf_words_add(&e->words, word) && e->strange == NULL && *word != '\0')
		e->strange = word;
}

static void take_user_input(bool *idle, const char **since, const struct xml_node *input)
{
	int64_t wall;
	const char *last = xml_attribute(input, "last-input");

	if (strcmp(input->text, "idle") != 0)
		return;
	*idle = true;
	if (*since == NULL && last != NULL && instant_parse(last, &wall) == 0)
		*since = last;
}

static void take_activities(struct document *d, struct element *e, const struct xml_node *activities)
{
	for (const struct xml_node *n = activities->first; n != NULL; n = n->next) {
		if (!is_rpid(n->ns))
			continue;
		if (strcmp(n->name, "note") == 0)
			take_note(d, &e->activity_note, n);
		else if (strcmp(n->name, "user-input") == 0) /* Cisco */
			take_user_input(&e->idle, &e->idle_since, n);
		else if (strcmp(n->name, "phone-status") == 0 || strcmp(n->name, "im-status") == 0)
			continue;			   /* Cisco: no activities */
		else if (strcmp(n->name, "activity") == 0) /* old drafts and Lync: the word is text */
			take_word(e, n->text);
		else
			take_word(e, n->name);
	}
}

static int take_basic(enum basic *found, const struct xml_node *basic, struct parse_error *error)
{
	bool open = strcmp(basic->text, "open") == 0;

	if (!open && strcmp(basic->text, "closed") != 0)
		return xml_fail(basic, error, "basic: found \"%.40s\", expected open or closed", basic->text);
	*found = *found == BASIC_ABSENT ? open ? BASIC_OPEN : BASIC_CLOSED : *found;
	return 0;
}

static int take_status(
    struct document *d, struct element *e, enum basic *basic, const struct xml_node *status, struct parse_error *error)
{
	for (const struct xml_node *n = status->first; n != NULL; n = n->next) {
		if (xml_is(n, NS_PIDF, "basic") && take_basic(basic, n, error) < 0)
			return -EINVAL;
		if (is_rpid_element(n, "activities"))
			take_activities(d, e, n);
		else if (is_rpid_element(n, "user-input"))
			take_user_input(&e->idle, &e->idle_since, n);
	}
	return 0;
}

static void take_timestamp(struct element *e, const struct xml_node *node)
{
	int64_t wall;

	if (instant_parse(node->text, &wall) == 0 && wall > e->timestamp)
		e->timestamp = wall;
}

/* RFC 3863 4.1.5: a decimal from 0 to 1 with a few digits, in millionths; what is none counts as 0. */
static unsigned priority_of(const struct xml_node *contact)
{
	const char *text = xml_attribute(contact, "priority");
	size_t whole = text == NULL ? 0 : strspn(text, "0123456789"), part;
	double p;

	if (whole == 0 || whole > 9)
		return 0;
	part = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
	if (text[whole + (part > 0 ? part + 1 : 0)] != '\0')
		return 0;
	p = strtod(text, NULL);
	return p <= 1 ? (unsigned)(p * 1000000 + 0.5) : 0;
}

/* What a person and a tuple have in common. */
static int take_part(struct document *d, struct element *e, const struct xml_node *part, struct parse_error *error)
{
	enum basic basic = BASIC_ABSENT;

	for (const struct xml_node *n = part->first; n != NULL; n = n->next) {
		if (strcmp(n->name, "status") == 0 && (strcmp(n->ns, NS_PIDF) == 0 || strcmp(n->ns, NS_MODEL) == 0)) {
			if (take_status(d, e, &basic, n, error) < 0)
				return -EINVAL;
		} else if (is_rpid_element(n, "activities")) {
			take_activities(d, e, n);
		} else if (is_rpid_element(n, "user-input")) {
			take_user_input(&e->idle, &e->idle_since, n);
		} else if (xml_is(n, NS_PIDF, "timestamp") || xml_is(n, NS_MODEL, "timestamp")) {
			take_timestamp(e, n);
		} else if (xml_is(n, NS_PIDF, "contact")) {
			e->priority = priority_of(n);
		} else if (is_note(n)) {
			take_note(d, &e->note, n);
		}
	}
	if (basic == BASIC_OPEN || e->basic == BASIC_ABSENT) /* of several persons, one that is there counts */
		e->basic = basic;
	return 0;
}

static void take_device(struct document *d, const struct xml_node *device)
{
	for (const struct xml_node *n = device->first; n != NULL; n = n->next) {
		if (is_rpid_element(n, "user-input"))
			take_user_input(&d->device_idle, &d->device_idle_since, n);
		else if (is_note(n))
			take_note(d, NULL, n);
	}
}

static int collect(struct document *d, const struct xml_node *root, struct parse_error *error)
{
	for (const struct xml_node *n = root->first; n != NULL; n = n->next) {
		int r = 0;

		if (xml_is(n, NS_PIDF, "tuple")) {
			r = take_part(d, &d->tuples[d->tuple_count++], n, error);
		} else if (is_person(n)) {
			r = take_part(d, &d->persons, n, error);
		} else if (xml_is(n, NS_MODEL, "device")) {
			take_device(d, n);
		} else if (is_note(n)) {
			take_note(d, &d->root_note, n);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- a person -------------------------------------------------------------------------------------- */

static bool is_device(const struct element *e)
{
	return e->basic != BASIC_ABSENT || e->words != 0 || e->strange != NULL;
}

static bool is_open(const struct element *e)
{
	return e->basic != BASIC_CLOSED && is_device(e);
}

static int device_availability(const struct element *e)
{
	int a = pidf_words_availability(e->words);

	if (!is_open(e))
		return AVAILABILITY_OFFLINE;
	if (a < 0)
		a = AVAILABILITY_AVAILABLE;
	return a == AVAILABILITY_AVAILABLE && e->idle ? AVAILABILITY_AVAILABLE_IDLE : a;
}

static bool better(const struct element *a, const struct element *b)
{
	int ra, rb;

	if (b == NULL || is_open(a) != is_open(b))
		return b == NULL || is_open(a);
	if (a->priority != b->priority)
		return a->priority > b->priority;
	ra = pidf_rank(device_availability(a));
	rb = pidf_rank(device_availability(b));
	if (ra != rb)
		return ra < rb;
	return a->timestamp > b->timestamp;
}

static const struct element *best_tuple(const struct document *d)
{
	const struct element *best = NULL;

	for (size_t i = 0; i < d->tuple_count; i++)
		if (is_device(&d->tuples[i]) && better(&d->tuples[i], best))
			best = &d->tuples[i];
	return best;
}

static const struct element *dnd_tuple(const struct document *d)
{
	for (size_t i = 0; i < d->tuple_count; i++)
		if (is_open(&d->tuples[i]) && pidf_words_say_dnd(d->tuples[i].words))
			return &d->tuples[i];
	return NULL;
}

static const char *newest_tuple_note(const struct document *d)
{
	const struct element *newest = NULL;

	for (size_t i = 0; i < d->tuple_count; i++)
		if (d->tuples[i].note != NULL && (newest == NULL || d->tuples[i].timestamp > newest->timestamp))
			newest = &d->tuples[i];
	return newest == NULL ? NULL : newest->note;
}

/* Who decides: a person, a tuple, or nobody (NULL); and the availability, -1 none. */
static const struct element *winner(const struct document *d, int *ret_availability)
{
	const struct element *tuple = dnd_tuple(d);

	*ret_availability = pidf_words_availability(d->persons.words);
	if (pidf_words_say_dnd(d->persons.words))
		return &d->persons;
	if (tuple != NULL) {
		*ret_availability = AVAILABILITY_DND;
		return tuple;
	}
	if (*ret_availability >= 0)
		return &d->persons;
	tuple = best_tuple(d);
	if (tuple != NULL) {
		*ret_availability = device_availability(tuple);
		return tuple;
	}
	if (d->persons.basic == BASIC_ABSENT)
		return NULL;
	*ret_availability = d->persons.basic == BASIC_OPEN ? AVAILABILITY_AVAILABLE : AVAILABILITY_OFFLINE;
	return &d->persons;
}

static const char *first_of(const char *const *choices, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (choices[i] != NULL)
			return choices[i];
	return NULL;
}

static int reduce_note(
    struct xml_reader *x, const struct document *d, const struct element *won, struct raw_facts *facts)
{
	const char *choices[] = { won == NULL ? NULL : won->note, d->persons.note, newest_tuple_note(d), d->root_note,
		d->persons.activity_note, d->persons.strange, won == NULL ? NULL : won->strange };
	const char *note = first_of(choices, sizeof choices / sizeof *choices);

	if (note == NULL)
		return 0;
	facts->note = xml_clean(x, note, RAW_MAX_NOTE_BYTES);
	facts->known |= RAW_NOTE;
	return facts->note == NULL ? -ENOMEM : 0;
}

static void reduce_idle(const struct document *d, const struct element *won, struct raw_facts *facts)
{
	bool tuple = won != NULL && won != &d->persons;
	const char *choices[] = { d->persons.idle_since, tuple ? won->idle_since : NULL, d->device_idle_since };
	const char *since = first_of(choices, 3);

	if ((d->persons.idle || (tuple && won->idle) || d->device_idle) &&
	    facts->availability == AVAILABILITY_AVAILABLE && (facts->known & RAW_AVAILABILITY) != 0)
		facts->availability = AVAILABILITY_AVAILABLE_IDLE;
	if (since != NULL && instant_parse(since, &facts->idle_since) == 0)
		facts->known |= RAW_IDLE_SINCE;
}

static int reduce_person(struct xml_reader *x, const struct document *d, struct raw_facts *facts)
{
	int availability, activity;
	const struct element *won = winner(d, &availability);

	activity = pidf_words_activity(d->persons.words);
	if (activity < 0 && won != NULL)
		activity = pidf_words_activity(won->words);
	if (availability >= 0) {
		facts->availability = (int8_t)availability;
		facts->known |= RAW_AVAILABILITY;
	}
	if (activity >= 0) {
		facts->activity = (int8_t)activity;
		facts->known |= RAW_ACTIVITY;
	}
	reduce_idle(d, won, facts);
	facts->observed_at = won == NULL ? 0 : won->timestamp;
	return reduce_note(x, d, won, facts);
}

/* --- a line ---------------------------------------------------------------------------------------- */

/* Whether the telephone is signed off: all tuples that say so are closed; without any, the person's word. */
static bool is_out_of_service(const struct document *d)
{
	bool any = false;

	for (size_t i = 0; i < d->tuple_count; i++) {
		if (d->tuples[i].basic == BASIC_OPEN)
			return false;
		any = any || d->tuples[i].basic == BASIC_CLOSED;
	}
	return any || d->persons.basic == BASIC_CLOSED;
}

/* -1: the document says nothing of it. */
static int line_of(const struct document *d, pidf_words set, bool any)
{
	bool in_use = pidf_words_say_call(set) || d->line > PBX_IDLE;

	if (is_out_of_service(d) && !in_use) /* Asterisk shows a telephone in use as closed, with a note */
		return LINE_OFFLINE;
	if (pidf_words_say_ringing(set) || d->line == PBX_RINGING)
		return LINE_RINGING;
	if (d->line == PBX_HOLDING)
		return LINE_HELD;
	if (pidf_words_say_call(set) || d->line == PBX_TALKING)
		return LINE_BUSY;
	return any ? LINE_IDLE : -1;
}

static int reduce_call(struct xml_reader *x, const struct document *d, struct pidf_reading *ret)
{
	static const int8_t states[] = {
		[PBX_NONE] = CALL_STATE_CONNECTED,
		[PBX_IDLE] = CALL_STATE_CONNECTED,
		[PBX_RINGING] = CALL_STATE_RINGING,
		[PBX_TALKING] = CALL_STATE_CONNECTED,
		[PBX_HOLDING] = CALL_STATE_HELD,
	};

	if (d->number == NULL)
		return 0;
	ret->call = (struct raw_call){
		.state = states[d->number_word], .direction = -1, .peer = xml_clean(x, d->number, RAW_MAX_TEXT_BYTES)
	};
	ret->telephony.calls = &ret->call;
	ret->telephony.call_count = 1;
	ret->telephony.known |= RAW_CALLS;
	return ret->call.peer == NULL ? -ENOMEM : 0;
}

static int reduce_line(struct xml_reader *x, const struct document *d, struct pidf_reading *ret)
{
	pidf_words set = d->persons.words;
	bool any = d->persons.basic != BASIC_ABSENT || d->persons.words != 0 || d->persons.strange != NULL;
	int line;

	for (size_t i = 0; i < d->tuple_count; i++) {
		if (is_open(&d->tuples[i]))
			set |= d->tuples[i].words;
		any = any || is_device(&d->tuples[i]);
	}
	line = line_of(d, set, any);
	if (line >= 0) {
		ret->telephony.line = (int8_t)line;
		ret->telephony.known |= RAW_LINE;
	}
	if (pidf_words_say_dnd(set)) { /* its absence says nothing: many a PBX shows it only when told to */
		ret->telephony.dnd = true;
		ret->telephony.known |= RAW_DND;
	}
	return reduce_call(x, d, ret);
}

bool pidf_takes(const char *content_type)
{
	/* the second is what Cisco telephones say */
	static const char *const types[] = { "application/pidf+xml", "application/cpim-pidf+xml", NULL };

	return xml_type_is(content_type, types);
}

/* --- the whole ------------------------------------------------------------------------------------- */

int pidf_read(struct xml_reader *x, const char *data, size_t len, struct pidf_reading *ret, struct parse_error *error)
{
	struct document d = { .reader = x };
	const struct xml_node *root;
	size_t tuples = 0;
	int r = xml_read(x, data, len, &root, error);

	*ret = (struct pidf_reading){ .rich.domain = DOMAIN_RICH,
		.rich.activity = -1,
		.rich.forward_kind = -1,
		.telephony.domain = DOMAIN_TELEPHONY,
		.telephony.activity = -1,
		.telephony.forward_kind = -1 };
	if (r < 0 || root == NULL)
		return r;
	if (!xml_is(root, NS_PIDF, "presence"))
		return xml_fail(root, error, "found the element %.60s of %.80s, expected presence of " NS_PIDF,
		    root->name, *root->ns == '\0' ? "no namespace" : root->ns);
	for (const struct xml_node *n = root->first; n != NULL; n = n->next)
		tuples++;
	d.tuples = xml_alloc(x, (tuples + 1) * sizeof *d.tuples);
	if (d.tuples == NULL)
		return -ENOMEM;
	memset(d.tuples, 0, (tuples + 1) * sizeof *d.tuples);
	r = collect(&d, root, error);
	if (r == 0)
		r = reduce_person(x, &d, &ret->rich);
	if (r == 0)
		r = reduce_line(x, &d, ret);
	return r;
}
