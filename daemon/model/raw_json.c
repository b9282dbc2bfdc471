/* raw_json.c: raw states as lines of JSON, both ways.
 * SPDX-License-Identifier: MIT */
#include "daemon/model/raw_json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/instant.h"
#include "daemon/base/jsonw.h"

static int fail(struct parse_error *reterr, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct parse_error *reterr, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reterr->text, sizeof reterr->text, format, args);
	va_end(args);
	utf8_repair(reterr->text); /* a quoted word may have been cut in the middle of a character */
	return -EBADMSG;
}

/* Each reader: 1 given, 0 absent, -EBADMSG. null is told apart by *ret_null where none is a value. */
static int read_text(const json_t *object, const char *key, const char **ret, struct parse_error *reterr)
{
	const json_t *v = json_object_get(object, key);

	if (v == NULL)
		return 0;
	if (json_is_null(v)) {
		*ret = NULL;
		return 1;
	}
	if (!json_is_string(v))
		return fail(reterr, "%s: expected a text or null", key);
	*ret = json_string_value(v);
	return 1;
}

/* null means the same as absent where a vocabulary has no word for none. */
static int read_word(
    const json_t *object, const char *key, const struct vocab *words, int8_t *ret, struct parse_error *reterr)
{
	const char *name = NULL;
	char list[512];
	int r = read_text(object, key, &name, reterr);

	if (r <= 0)
		return r;
	if (name == NULL) {
		*ret = -1;
		return 1;
	}
	*ret = (int8_t)vocab_find(words, name);
	if (*ret < 0)
		return fail(
		    reterr, "%s: found \"%.40s\", expected %s", key, name, vocab_list(words, list, sizeof list));
	return 1;
}

static int read_time(const json_t *object, const char *key, int64_t *ret, struct parse_error *reterr)
{
	const char *text = NULL;
	int r = read_text(object, key, &text, reterr);

	if (r <= 0)
		return r;
	*ret = 0;
	if (text != NULL && instant_parse(text, ret) < 0)
		return fail(reterr, "%s: found \"%.40s\", expected a time such as 2026-11-20T12:00:00.000Z", key, text);
	return 1;
}

static int read_number(const json_t *object, const char *key, uint32_t *ret, struct parse_error *reterr)
{
	const json_t *v = json_object_get(object, key);

	if (v == NULL)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > UINT32_MAX)
		return fail(reterr, "%s: expected a whole number from 0 to %u", key, UINT32_MAX);
	*ret = (uint32_t)json_integer_value(v);
	return 1;
}

static int read_rich(const json_t *object, struct raw_facts *f, struct parse_error *reterr)
{
	int r = read_word(object, "availability", &vocab_availability, &f->availability, reterr);

	if (r < 0)
		return r;
	f->known |= r > 0 && f->availability >= 0 ? RAW_AVAILABILITY : 0u;
	r = read_word(object, "activity", &vocab_activity, &f->activity, reterr);
	if (r < 0)
		return r;
	f->known |= r > 0 ? RAW_ACTIVITY : 0;
	r = read_text(object, "note", &f->note, reterr);
	if (r < 0)
		return r;
	f->known |= r > 0 ? RAW_NOTE : 0;
	r = read_time(object, "idle_since", &f->idle_since, reterr);
	if (r < 0)
		return r;
	f->known |= r > 0 ? RAW_IDLE_SINCE : 0;
	return 0;
}

static int read_forward(const json_t *object, struct raw_facts *f, struct parse_error *reterr)
{
	const json_t *v = json_object_get(object, "forward");

	if (v == NULL)
		return 0;
	if (!json_is_object(v) && !json_is_null(v))
		return fail(reterr, "forward: expected an object or null");
	f->known |= RAW_FORWARD;
	f->forwarded = json_is_object(v);
	f->forward_kind = -1;
	if (!f->forwarded)
		return 0;
	if (read_word(v, "kind", &vocab_forward_kind, &f->forward_kind, reterr) < 0)
		return -EBADMSG;
	return read_text(v, "target", &f->forward_target, reterr) < 0 ? -EBADMSG : 0;
}

static int read_call(const json_t *v, struct raw_call *call, struct parse_error *reterr)
{
	if (!json_is_object(v))
		return fail(reterr, "calls: expected a list of objects");
	*call = (struct raw_call){ .state = -1, .direction = -1 };
	if (read_word(v, "state", &vocab_call_state, &call->state, reterr) < 0 ||
	    read_word(v, "direction", &vocab_direction, &call->direction, reterr) < 0 ||
	    read_text(v, "peer", &call->peer, reterr) < 0 || read_text(v, "name", &call->name, reterr) < 0 ||
	    read_time(v, "since", &call->since, reterr) < 0)
		return -EBADMSG;
	return call->state < 0 ? fail(reterr, "calls: a call has no state") : 0;
}

static int read_calls(const json_t *object, struct raw_line *line, struct parse_error *reterr)
{
	const json_t *v = json_object_get(object, "calls");
	size_t count = json_array_size(v);

	if (v == NULL)
		return 0;
	if ((!json_is_array(v) && !json_is_null(v)) || count > RAW_MAX_CALLS)
		return fail(reterr, "calls: expected a list of at most %d, or null", RAW_MAX_CALLS);
	for (size_t i = 0; i < count; i++)
		if (read_call(json_array_get(v, i), &line->calls[i], reterr) < 0)
			return -EBADMSG;
	line->facts.known |= RAW_CALLS;
	line->facts.call_count = (uint8_t)count;
	line->facts.calls = line->calls;
	return 0;
}

static int read_telephony(const json_t *object, struct raw_line *line, struct parse_error *reterr)
{
	struct raw_facts *f = &line->facts;
	const json_t *dnd = json_object_get(object, "dnd");
	int r = read_word(object, "line", &vocab_line, &f->line, reterr);

	if (r < 0)
		return r;
	f->known |= r > 0 && f->line >= 0 ? RAW_LINE : 0;
	if (dnd != NULL && !json_is_boolean(dnd) && !json_is_null(dnd))
		return fail(reterr, "dnd: expected true or false");
	f->known |= json_is_boolean(dnd) ? RAW_DND : 0;
	f->dnd = json_is_true(dnd);
	if (read_forward(object, f, reterr) < 0)
		return -EBADMSG;
	return read_calls(object, line, reterr);
}

static int read_times(const json_t *object, struct raw_facts *f, struct parse_error *reterr)
{
	if (read_time(object, "at", &f->at, reterr) < 0 ||
	    read_time(object, "observed_at", &f->observed_at, reterr) < 0 ||
	    read_time(object, "valid_until", &f->valid_until, reterr) < 0 ||
	    read_number(object, "epoch", &f->epoch, reterr) < 0 || read_number(object, "rev", &f->rev, reterr) < 0)
		return -EBADMSG;
	return 0;
}

static int read_who(const json_t *object, struct raw_line *ret, struct parse_error *reterr)
{
	int8_t technology = -1;

	if (read_text(object, "user", &ret->user, reterr) < 0 ||
	    read_text(object, "address", &ret->address, reterr) < 0 ||
	    read_text(object, "source", &ret->source, reterr) < 0 ||
	    read_word(object, "technology", &vocab_technology, &technology, reterr) < 0)
		return -EBADMSG;
	ret->technology = technology;
	if ((ret->user == NULL) == (ret->address == NULL))
		return fail(reterr, "expected either user or address");
	return 0;
}

static bool has_any(const json_t *object, const char *const *keys)
{
	for (; *keys != NULL; keys++)
		if (json_object_get(object, *keys) != NULL)
			return true;
	return false;
}

int raw_json_parse(const json_t *value, struct raw_line *ret, struct parse_error *reterr)
{
	static const char *const rich_keys[] = { "availability", "activity", "note", "idle_since", NULL };
	static const char *const telephony_keys[] = { "line", "dnd", "forward", "calls", NULL };
	struct raw_facts *f = &ret->facts;
	const char *wrong;
	int r;

	memset(ret, 0, sizeof *ret);
	f->status = STATE_STATUS_OK;
	f->activity = f->forward_kind = -1;
	if (read_who(value, ret, reterr) < 0)
		return -EBADMSG;
	r = read_word(value, "domain", &vocab_domain, &f->domain, reterr);
	if (r < 0)
		return r;
	if (r == 0 || f->domain < 0)
		return fail(reterr, "domain: expected rich or telephony");
	if (read_word(value, "status", &vocab_state_status, &f->status, reterr) < 0)
		return -EBADMSG;
	if (f->status < 0)
		f->status = STATE_STATUS_OK;
	if (has_any(value, f->domain == DOMAIN_RICH ? telephony_keys : rich_keys))
		return fail(reterr, "a fact of the other domain stands on a line of domain %s",
		    vocab_name(&vocab_domain, f->domain));
	r = f->domain == DOMAIN_RICH ? read_rich(value, f, reterr) : read_telephony(value, ret, reterr);
	if (r < 0 || read_text(value, "why", &f->why, reterr) < 0 || read_times(value, f, reterr) < 0)
		return -EBADMSG;
	wrong = raw_facts_check(f);
	return wrong != NULL ? fail(reterr, "%s", wrong) : 0;
}

static void write_forward(struct buf *b, const struct raw_facts *f, bool calls)
{
	if (!f->forwarded) {
		jsonw_null(b, "forward");
		return;
	}
	jsonw_object(b, "forward");
	if (f->forward_kind >= 0)
		jsonw_text(b, "kind", vocab_name(&vocab_forward_kind, f->forward_kind));
	if (calls && f->forward_target != NULL)
		jsonw_text(b, "target", f->forward_target);
	jsonw_object_end(b);
}

static void write_call(struct buf *b, const struct raw_call *call)
{
	jsonw_object(b, NULL);
	jsonw_text(b, "state", vocab_name(&vocab_call_state, call->state));
	if (call->direction >= 0)
		jsonw_text(b, "direction", vocab_name(&vocab_direction, call->direction));
	if (call->peer != NULL)
		jsonw_text(b, "peer", call->peer);
	if (call->name != NULL)
		jsonw_text(b, "name", call->name);
	if (call->since != 0)
		jsonw_time(b, "since", call->since);
	jsonw_object_end(b);
}

void raw_json_write_calls(struct buf *b, const struct raw_facts *f)
{
	jsonw_list(b, "calls");
	for (size_t i = 0; i < f->call_count; i++)
		write_call(b, &f->calls[i]);
	jsonw_list_end(b);
}

void raw_json_write_rich(struct buf *b, const struct raw_facts *f)
{
	if ((f->known & RAW_AVAILABILITY) != 0)
		jsonw_text(b, "availability", vocab_name(&vocab_availability, f->availability));
	if ((f->known & RAW_ACTIVITY) != 0)
		jsonw_text(b, "activity", f->activity < 0 ? NULL : vocab_name(&vocab_activity, f->activity));
	if ((f->known & RAW_NOTE) != 0)
		jsonw_text(b, "note", f->note);
	if ((f->known & RAW_IDLE_SINCE) != 0 && f->idle_since == 0)
		jsonw_null(b, "idle_since");
	else if ((f->known & RAW_IDLE_SINCE) != 0)
		jsonw_time(b, "idle_since", f->idle_since);
}

void raw_json_write_facts(struct buf *b, const struct raw_facts *f, bool calls)
{
	if (f->status != STATE_STATUS_OK)
		jsonw_text(b, "status", vocab_name(&vocab_state_status, f->status));
	if (f->why != NULL)
		jsonw_text(b, "why", f->why);
	raw_json_write_rich(b, f);
	if ((f->known & RAW_LINE) != 0)
		jsonw_text(b, "line", vocab_name(&vocab_line, f->line));
	if ((f->known & RAW_DND) != 0)
		jsonw_bool(b, "dnd", f->dnd);
	if ((f->known & RAW_FORWARD) != 0)
		write_forward(b, f, calls);
	if (calls && (f->known & RAW_CALLS) != 0)
		raw_json_write_calls(b, f);
}

void raw_json_write_times(struct buf *b, const struct raw_facts *f)
{
	if (f->at != 0)
		jsonw_time(b, "at", f->at);
	if (f->observed_at != 0)
		jsonw_time(b, "observed_at", f->observed_at);
	if (f->valid_until != 0)
		jsonw_time(b, "valid_until", f->valid_until);
	if (f->epoch != 0 || f->rev != 0) {
		jsonw_int(b, "epoch", f->epoch);
		jsonw_int(b, "rev", f->rev);
	}
}
