/* feed_lines.c: what the feeding program says: raw states (raw_json.h), and lines of other kinds.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "connectors/feed/feed_private.h"
#include "daemon/base/json_in.h"
#include "daemon/base/jsonw.h"
#include "daemon/model/raw_json.h"
#include "daemon/model/user_json.h"

#define RECALLED_MAX_BYTES (8 * 65536) /* of a value, escaped */

static void refuse(struct connector *c, const char *why)
{
	struct buf b;

	c->errors++;
	snprintf(c->last_error, sizeof c->last_error, "line %llu: %s", (unsigned long long)c->line_number, why);
	if (evbuffer_get_length(c->out) > FEED_OUT_HIGH_BYTES * 4)
		return; /* a peer that sends nonsense and reads nothing need not hear of each */
	buf_init(&b, 4096);
	jsonw_object(&b, NULL);
	jsonw_text(&b, "error", why);
	jsonw_int(&b, "line", (int64_t)c->line_number);
	jsonw_object_end(&b);
	feed_put(c, &b);
	buf_done(&b);
}

static void take_resync(struct connector *c, const char *word)
{
	if (word != NULL && strcmp(word, "begin") == 0)
		source_resync_begin(c->source, FEED_BOTH_DOMAINS);
	else if (word != NULL && strcmp(word, "end") == 0)
		source_resync_end(c->source, FEED_BOTH_DOMAINS);
	else if (word != NULL && strcmp(word, "resumed") == 0)
		source_resumed(c->source, FEED_BOTH_DOMAINS);
	else
		refuse(c, "resync: expected begin, end or resumed");
}

static void take_raw(struct connector *c, const json_t *value)
{
	char address[USER_MAX_FIELD_BYTES + 1], why[400];
	struct parse_error error;
	struct raw_line line;

	if (raw_json_parse(value, &line, &error) < 0) {
		refuse(c, error.text);
		return;
	}
	if (line.user != NULL && !source_address_of(c->source, line.user, line.facts.domain, address, sizeof address)) {
		snprintf(
		    why, sizeof why, "user: nobody with an address at this source is called \"%.128s\"", line.user);
		refuse(c, why);
		return;
	}
	if (source_raw_state(c->source, line.user != NULL ? address : line.address, &line.facts) == -EINVAL)
		refuse(c, "status: not one that a source can say");
}

/* --- directory, requests, memory ----------------------------------------------------------------- */

/* What source_directory_*() and their like answer, as a sentence; NULL: fine. */
static const char *sentence(int result)
{
	switch (result) {
	case 0:
		return NULL;
	case -EPERM:
		return "directory: the configuration does not take users from this source (directory.use)";
	case -EINVAL:
		return "directory: it was not begun";
	case -EEXIST:
		return "entry: this key was named before";
	case -ENOSPC:
		return "there are too many, or it is too long";
	default:
		return "no memory";
	}
}

static void refuse_if(struct connector *c, int result)
{
	const char *why = sentence(result);

	if (why != NULL)
		refuse(c, why);
}

static void take_directory(struct connector *c, const json_t *line, const json_t *word)
{
	const char *text = json_string_value(word);
	const json_t *complete = json_object_get(line, "complete");

	if (text != NULL && strcmp(text, "begin") == 0)
		refuse_if(c, source_directory_begin(c->source));
	else if (text == NULL || strcmp(text, "end") != 0)
		refuse(c, "directory: expected begin or end");
	else if (complete != NULL && !json_is_boolean(complete))
		refuse(c, "complete: expected true or false");
	else
		refuse_if(c, source_directory_end(c->source, complete == NULL || json_is_true(complete)));
}

static void take_entry(struct connector *c, const json_t *line, const json_t *key)
{
	const char *text = json_string_value(key), *id = json_string_value(json_object_get(line, "id")), *field;
	struct user_fields *fields;
	char why[256];
	int r;

	if (text == NULL || *text == '\0' || strlen(text) > USER_MAX_FIELD_BYTES) {
		refuse(c, "entry: expected a text of 1 to 1024 bytes");
		return;
	}
	r = user_json_read(line, id != NULL ? id : text, NULL, &fields, why, sizeof why, &field);
	if (r == 0)
		refuse_if(c, source_directory_entry(c->source, text, fields));
	else
		refuse(c, r == -ENOMEM ? "no memory" : why);
}

/* A member that may be absent, and else is a text of at most `max` bytes. False: refused. */
static bool text_or_nothing(struct connector *c, const json_t *line, const char *key, size_t max, const char **ret)
{
	const json_t *value = json_object_get(line, key);
	char why[128];

	*ret = json_string_value(value);
	if (value == NULL || json_is_null(value) || (*ret != NULL && strlen(*ret) <= max))
		return true;
	snprintf(why, sizeof why, "%s: expected a text of at most %zu bytes", key, max);
	refuse(c, why);
	return false;
}

static void take_request(struct connector *c, const json_t *line, const json_t *address)
{
	const char *who, *name, *text;

	(void)address;
	if (!text_or_nothing(c, line, "request", USER_MAX_FIELD_BYTES, &who) ||
	    !text_or_nothing(c, line, "name", RAW_MAX_TEXT_BYTES, &name) ||
	    !text_or_nothing(c, line, "text", RAW_MAX_NOTE_BYTES, &text))
		return;
	if (who == NULL || *who == '\0')
		refuse(c, "request: expected the address of who asks");
	else
		refuse_if(c, source_request_arrived(c->source, who, name, text));
}

static void take_withdrawn(struct connector *c, const json_t *line, const json_t *address)
{
	(void)line;
	if (json_is_string(address))
		source_request_withdrawn(c->source, json_string_value(address));
	else
		refuse(c, "withdrawn: expected the address of who asked");
}

static void take_remember(struct connector *c, const json_t *line, const json_t *key)
{
	const json_t *value = json_object_get(line, "value");

	if (!json_is_string(key) || (!json_is_string(value) && !json_is_null(value)))
		refuse(c, "remember: expected a text, and value, a text or null");
	else
		refuse_if(c, source_remember(c->source, json_string_value(key), json_string_value(value)));
}

static void take_recall(struct connector *c, const json_t *line, const json_t *key)
{
	const char *value;
	struct buf b;
	bool known;

	(void)line;
	if (!json_is_string(key)) {
		refuse(c, "recall: expected a text");
		return;
	}
	if (evbuffer_get_length(c->out) > FEED_OUT_MAX_BYTES) {
		feed_lose(c, "the feeding program asks and does not read");
		return;
	}
	value = source_recall(c->source, json_string_value(key), &known);
	buf_init(&b, RECALLED_MAX_BYTES);
	jsonw_object(&b, NULL);
	jsonw_text(&b, "recalled", json_string_value(key));
	if (known)
		jsonw_text(&b, "value", value);
	jsonw_object_end(&b);
	feed_put(c, &b);
	buf_done(&b);
}

/* --- lines --------------------------------------------------------------------------------------- */

static void take_resync_line(struct connector *c, const json_t *line, const json_t *word)
{
	(void)line;
	take_resync(c, json_string_value(word));
}

/* A line with one of these members is not a raw state. */
static const struct {
	const char *key;
	void (*take)(struct connector *c, const json_t *line, const json_t *value);
} lines[] = {
	{ "resync", take_resync_line },
	{ "directory", take_directory },
	{ "entry", take_entry },
	{ "request", take_request },
	{ "withdrawn", take_withdrawn },
	{ "remember", take_remember },
	{ "recall", take_recall },
};

static void take_object(struct connector *c, const json_t *line)
{
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		const json_t *value = json_object_get(line, lines[i].key);

		if (value == NULL)
			continue;
		lines[i].take(c, line, value);
		return;
	}
	take_raw(c, line);
}

static void take_line(struct connector *c, const char *text, size_t len)
{
	char why[256];
	json_t *value;
	int r;

	if (len == 0)
		return;
	r = json_in_object(text, len, &value, why, sizeof why);
	if (r < 0) {
		refuse(c, r == -ENOMEM ? "no memory" : why);
		return;
	}
	take_object(c, value);
	json_decref(value);
}

void feed_take_lines(struct connector *c)
{
	enum lines_result r;
	const char *text;
	size_t len;

	while (c->fd >= 0 && (r = lines_next(&c->lines, &text, &len)) != LINES_NONE) {
		c->line_number++;
		if (r == LINES_TOO_LONG)
			refuse(c, "the line is longer than 65536 bytes");
		else
			take_line(c, text, len);
	}
}
