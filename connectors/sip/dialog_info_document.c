/* dialog_info_document.c: a table of dialogs, replaced by full documents and changed by partial ones.
 * SPDX-License-Identifier: MIT
 *
 * A document is first read into a list of its own; only when all of it is good is the table touched.
 */
#include "connectors/sip/dialog_info_document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NS "urn:ietf:params:xml:ns:dialog-info"

enum dialog_state {
	DIALOG_TRYING,
	DIALOG_PROCEEDING,
	DIALOG_EARLY,
	DIALOG_CONFIRMED,
	DIALOG_TERMINATED,
	DIALOG_STATES
};

static const char *const state_names[DIALOG_STATES] = { "trying", "proceeding", "early", "confirmed", "terminated" };

struct line_dialog {
	char *id, *peer, *name; /* one block, at `id`, owned; peer and name may be NULL */
	uint8_t state;
	int8_t direction; /* enum direction; -1 not known */
	bool held;
	int64_t since; /* wall ms; 0 not known */
};

/* A dialog as a document says it; borrowed from its tree. */
struct said {
	const char *id, *peer, *name;
	uint8_t state;
	int8_t direction;
	bool held;
	int64_t since;
};

/* --- reading a document ---------------------------------------------------------------------------- */

static int read_number(const char *text, uint32_t *ret)
{
	uint64_t n = 0;

	if (*text == '\0')
		return -EINVAL;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > UINT32_MAX)
			return -ERANGE;
	}
	*ret = (uint32_t)n;
	return 0;
}

/* A confirmed dialog whose own side does not render media is on hold (RFC 4235 4.1.6.2, RFC 3840). */
static bool is_held(const struct xml_node *dialog)
{
	const struct xml_node *target = xml_child(xml_child(dialog, NS, "local"), NS, "target");

	if (target == NULL)
		return false;
	for (const struct xml_node *p = xml_child(target, NS, "param"); p != NULL; p = xml_sibling(p, NS, "param")) {
		const char *name = xml_attribute(p, "pname"), *value = xml_attribute(p, "pval");

		if (value == NULL)
			value = xml_attribute(p, "pvalue"); /* as Asterisk and FreeSWITCH write it */
		if (name != NULL && value != NULL && strcasecmp(name, "+sip.rendering") == 0 &&
		    strcmp(value, "no") == 0)
			return true;
	}
	return false;
}

static const char *text_or_null(struct xml_reader *x, const char *text)
{
	return text == NULL || *text == '\0' ? NULL : xml_clean(x, text, RAW_MAX_TEXT_BYTES);
}

static void read_peer(struct xml_reader *x, const struct xml_node *dialog, struct said *d)
{
	const struct xml_node *remote = xml_child(dialog, NS, "remote");
	const struct xml_node *identity = xml_child(remote, NS, "identity"), *target = xml_child(remote, NS, "target");

	if (identity != NULL) {
		d->peer = text_or_null(x, identity->text);
		d->name = text_or_null(x, xml_attribute(identity, "display"));
	}
	if (d->peer == NULL && target != NULL)
		d->peer = text_or_null(x, xml_attribute(target, "uri"));
}

static int read_state(const struct xml_node *dialog, struct said *d, struct parse_error *error)
{
	const struct xml_node *state = xml_child(dialog, NS, "state");

	if (state == NULL)
		return xml_fail(dialog, error, "dialog %.60s has no state", d->id);
	for (d->state = 0; d->state < DIALOG_STATES; d->state++)
		if (strcmp(state->text, state_names[d->state]) == 0)
			return 0;
	return xml_fail(state, error,
	    "state: found \"%.40s\", expected trying, proceeding, early, confirmed or terminated", state->text);
}

static int read_dialog(
    struct xml_reader *x, const struct xml_node *dialog, int64_t now, struct said *d, struct parse_error *error)
{
	const char *direction = xml_attribute(dialog, "direction");
	const struct xml_node *duration = xml_child(dialog, NS, "duration");
	uint32_t seconds;

	*d = (struct said){ .id = xml_attribute(dialog, "id"), .direction = -1 };
	if (d->id == NULL || *d->id == '\0')
		return xml_fail(dialog, error, "dialog has no id");
	if (read_state(dialog, d, error) < 0)
		return -EINVAL;
	if (direction != NULL && strcmp(direction, "initiator") == 0)
		d->direction = DIRECTION_OUT;
	else if (direction != NULL && strcmp(direction, "recipient") == 0)
		d->direction = DIRECTION_IN;
	d->held = d->state == DIALOG_CONFIRMED && is_held(dialog);
	if (duration != NULL && read_number(duration->text, &seconds) == 0 && (int64_t)seconds < now / 1000)
		d->since = now - (int64_t)seconds * 1000;
	read_peer(x, dialog, d);
	return 0;
}

struct document {
	bool versioned, full;
	uint32_t version;
	struct said *dialogs;
	size_t count;
};

static int read_head(const struct xml_node *root, struct document *doc, struct parse_error *error)
{
	const char *version = xml_attribute(root, "version"), *state = xml_attribute(root, "state");

	if (!xml_is(root, NS, "dialog-info"))
		return xml_fail(root, error, "found the element %.60s of %.80s, expected dialog-info of " NS,
		    root->name, *root->ns == '\0' ? "no namespace" : root->ns);
	doc->versioned = version != NULL;
	if (version != NULL && read_number(version, &doc->version) < 0)
		return xml_fail(root, error, "version: found \"%.40s\", expected a number up to 4294967295", version);
	doc->full = state == NULL || strcmp(state, "full") == 0;
	if (!doc->full && strcmp(state, "partial") != 0)
		return xml_fail(root, error, "state: found \"%.40s\", expected full or partial", state);
	return 0;
}

static int read_document(
    struct xml_reader *x, const struct xml_node *root, int64_t now, struct document *doc, struct parse_error *error)
{
	size_t count = 0;
	int r = read_head(root, doc, error);

	for (const struct xml_node *n = xml_child(root, NS, "dialog"); n != NULL; n = xml_sibling(n, NS, "dialog"))
		count++;
	doc->dialogs = xml_alloc(x, (count + 1) * sizeof *doc->dialogs);
	if (r == 0 && doc->dialogs == NULL)
		return -ENOMEM;
	for (const struct xml_node *n = xml_child(root, NS, "dialog"); r == 0 && n != NULL;
	     n = xml_sibling(n, NS, "dialog"))
		r = read_dialog(x, n, now, &doc->dialogs[doc->count++], error);
	return r;
}

/* --- the table ------------------------------------------------------------------------------------- */

static void clear(struct line_dialog *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i].id);
	free(list);
}

void line_dialogs_done(struct line_dialogs *dialogs)
{
	clear(dialogs->list, dialogs->count);
	*dialogs = (struct line_dialogs){ 0 };
}

void line_dialogs_replace(struct line_dialogs *dialogs, struct line_dialogs *by)
{
	clear(dialogs->list, dialogs->count);
	dialogs->list = by->list;
	dialogs->count = by->count;
	dialogs->whole = by->whole;
	*by = (struct line_dialogs){ 0 };
}

static size_t size_of(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

static char *place(char **at, const char *text)
{
	char *p = *at;

	if (text == NULL)
		return NULL;
	memcpy(p, text, strlen(text) + 1);
	*at += strlen(text) + 1;
	return p;
}

static int keep(struct line_dialog *d, const struct said *said)
{
	char *at = malloc(strlen(said->id) + 1 + size_of(said->peer) + size_of(said->name));

	if (at == NULL)
		return -ENOMEM;
	*d = (struct line_dialog){
		.state = said->state, .direction = said->direction, .held = said->held, .since = said->since
	};
	d->id = place(&at, said->id);
	d->peer = place(&at, said->peer);
	d->name = place(&at, said->name);
	return 0;
}

static struct said again(const struct line_dialog *d)
{
	return (struct said){ .id = d->id,
		.peer = d->peer,
		.name = d->name,
		.state = d->state,
		.direction = d->direction,
		.held = d->held,
		.since = d->since };
}

/* What the table will be: what stays of the old one, in its order, and then what is new. `rows` has room for both. */
static size_t merge(const struct line_dialogs *dialogs, const struct document *doc, struct said *rows)
{
	size_t count = 0;

	for (size_t i = 0; !doc->full && i < dialogs->count; i++)
		rows[count++] = again(&dialogs->list[i]);
	for (size_t i = 0; i < doc->count; i++) {
		size_t at = 0;

		while (at < count && strcmp(rows[at].id, doc->dialogs[i].id) != 0)
			at++;
		rows[at] = doc->dialogs[i];
		count = at == count ? count + 1 : count;
		if (doc->dialogs[i].state == DIALOG_TERMINATED) {
			memmove(&rows[at], &rows[at + 1], (count - at - 1) * sizeof *rows);
			count--;
		}
	}
	return count;
}

static int keep_all(const struct said *rows, size_t count, struct line_dialog **ret)
{
	struct line_dialog *list = calloc(count + 1, sizeof *list);

	if (list == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (keep(&list[i], &rows[i]) == 0)
			continue;
		clear(list, i);
		return -ENOMEM;
	}
	*ret = list;
	return 0;
}

static int apply(struct xml_reader *x, const struct xml_node *root, struct line_dialogs *dialogs,
    const struct document *doc, struct parse_error *error)
{
	struct said *rows = xml_alloc(x, (dialogs->count + doc->count + 1) * sizeof *rows);
	struct line_dialog *list = NULL;
	size_t count;
	int r;

	if (rows == NULL)
		return -ENOMEM;
	count = merge(dialogs, doc, rows);
	if (count > DIALOGS_MAX)
		return xml_fail(root, error, "the line has %zu dialogs, at most %d are accepted", count, DIALOGS_MAX);
	r = count == 0 ? 0 : keep_all(rows, count, &list);
	if (r < 0)
		return r;
	clear(dialogs->list, dialogs->count);
	dialogs->list = list;
	dialogs->count = (uint8_t)count;
	return 0;
}

/* --- what the line does ---------------------------------------------------------------------------- */

static enum line line_of(const struct line_dialogs *dialogs)
{
	size_t confirmed = 0, held = 0, calling = 0, pending = 0;

	for (size_t i = 0; i < dialogs->count; i++) {
		const struct line_dialog *d = &dialogs->list[i];

		confirmed += d->state == DIALOG_CONFIRMED;
		held += d->held;
		pending += d->state != DIALOG_CONFIRMED;
		calling += d->state != DIALOG_CONFIRMED && d->direction == DIRECTION_OUT;
	}
	if (confirmed > 0)
		return held == confirmed ? LINE_HELD : LINE_BUSY;
	if (pending == 0)
		return LINE_IDLE;
	return calling > 0 ? LINE_BUSY : LINE_RINGING;
}

static int8_t call_state_of(const struct line_dialog *d)
{
	if (d->state == DIALOG_CONFIRMED)
		return d->held ? CALL_STATE_HELD : CALL_STATE_CONNECTED;
	return d->direction == DIRECTION_OUT ? CALL_STATE_DIALING : CALL_STATE_RINGING;
}

static void say(const struct line_dialogs *dialogs, struct dialog_info_reading *ret)
{
	size_t count = dialogs->count < RAW_MAX_CALLS ? dialogs->count : RAW_MAX_CALLS;

	for (size_t i = 0; i < count; i++) {
		const struct line_dialog *d = &dialogs->list[i];

		ret->calls[i] = (struct raw_call){ .state = call_state_of(d),
			.direction = d->direction,
			.peer = d->peer,
			.name = d->name,
			.since = d->since };
	}
	ret->facts.calls = ret->calls;
	ret->facts.call_count = (uint8_t)count;
	ret->facts.line = (int8_t)line_of(dialogs);
	ret->facts.known = RAW_LINE | RAW_CALLS;
}

bool dialog_info_takes(const char *content_type)
{
	static const char *const types[] = { "application/dialog-info+xml", NULL };

	return xml_type_is(content_type, types);
}

int dialog_info_read(struct xml_reader *x, const char *data, size_t len, int64_t now, struct line_dialogs *dialogs,
    struct dialog_info_reading *ret, struct parse_error *error)
{
	struct document doc = { 0 };
	const struct xml_node *root;
	bool gap;
	int r = xml_read(x, data, len, &root, error);

	ret->facts = (struct raw_facts){ .domain = DOMAIN_TELEPHONY, .activity = -1, .forward_kind = -1 };
	if (r < 0)
		return r;
	if (root == NULL) {
		clear(dialogs->list, dialogs->count);
		dialogs->list = NULL;
		dialogs->count = 0;
		dialogs->whole = false;
		return DIALOG_INFO_TAKEN;
	}
	r = read_document(x, root, now, &doc, error);
	if (r < 0)
		return r;
	if (doc.versioned && dialogs->versioned && doc.version <= dialogs->version)
		return DIALOG_INFO_OLD;
	gap = !doc.full &&
	    (!dialogs->whole || (doc.versioned && dialogs->versioned && doc.version != dialogs->version + 1));
	r = apply(x, root, dialogs, &doc, error);
	if (r < 0)
		return r;
	if (doc.versioned) {
		dialogs->versioned = true;
		dialogs->version = doc.version;
	}
	dialogs->whole = !gap;
	say(dialogs, ret);
	return gap ? DIALOG_INFO_GAP : DIALOG_INFO_TAKEN;
}
