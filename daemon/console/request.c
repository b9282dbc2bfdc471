/* request.c: from a line to a method and back to a line.
 * SPDX-License-Identifier: MIT */
#include "daemon/console/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/json_in.h"
#include "daemon/base/jsonw.h"
#include "daemon/model/raw_state.h"

#define ID_MAX_BYTES 1024 /* it is sent back with every answer */

/* --- answers ------------------------------------------------------------------------------------- */

static void begin_answer(struct buf *b, const char *id)
{
	jsonw_object(b, NULL);
	jsonw_text(b, "jsonrpc", "2.0");
	jsonw_key(b, "id");
	buf_puts(b, id);
}

static void write_data(struct buf *b, const struct request *rq, const char *key, const char *text)
{
	if (key == NULL && (rq == NULL || rq->data_count == 0))
		return;
	jsonw_object(b, "data");
	if (key != NULL)
		jsonw_text(b, key, text);
	for (size_t i = 0; rq != NULL && i < rq->data_count; i++) {
		jsonw_key(b, rq->data[i].key);
		buf_puts(b, rq->data[i].value);
	}
	jsonw_object_end(b);
}

/* `rq` NULL: there was no request that could be read. */
static void send_error(struct connection *c, const struct request *rq, const char *id, enum rpc_error code,
    const char *message, const char *data_key, const char *data)
{
	struct buf b;

	buf_init(&b, CONNECTION_LINE_MAX_BYTES);
	begin_answer(&b, id);
	jsonw_object(&b, "error");
	jsonw_int(&b, "code", code);
	jsonw_text(&b, "message", message);
	write_data(&b, rq, data_key, data);
	jsonw_object_end(&b);
	jsonw_object_end(&b);
	buf_putc(&b, '\n');
	connection_send(c, buf_text(&b), b.len);
	buf_done(&b);
}

void request_data_json(struct request *rq, const char *key, const struct buf *json)
{
	size_t i = rq->data_count;

	if (i == sizeof rq->data / sizeof *rq->data || json->failed || json->len >= sizeof rq->data[i].value)
		return;
	rq->data[i].key = key;
	memcpy(rq->data[i].value, buf_text(json), json->len + 1);
	rq->data_count++;
}

void request_data(struct request *rq, const char *key, const char *text)
{
	struct buf b;

	buf_init(&b, CONNECTION_LINE_MAX_BYTES);
	jsonw_text(&b, NULL, text);
	request_data_json(rq, key, &b);
	buf_done(&b);
}

void request_data_number(struct request *rq, const char *key, size_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%zu", number);
	request_data(rq, key, text);
}

void request_fail(
    struct request *rq, enum rpc_error code, const char *data_key, const char *data, const char *format, ...)
{
	char message[1024];
	va_list args;

	rq->failed = true;
	if (rq->id == NULL)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	utf8_repair(message);
	send_error(rq->connection, rq, rq->id, code, message, data_key, data);
}

void request_fail_list(struct request *rq, enum rpc_error code, const char *message, const char *text)
{
	struct buf b;

	rq->failed = true;
	if (rq->id == NULL)
		return;
	buf_init(&b, CONNECTION_LINE_MAX_BYTES);
	begin_answer(&b, rq->id);
	jsonw_object(&b, "error");
	jsonw_int(&b, "code", code);
	jsonw_text(&b, "message", message);
	jsonw_object(&b, "data");
	jsonw_list(&b, "errors");
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		jsonw_text_len(&b, NULL, text, len);
		text += len + (text[len] == '\n');
	}
	jsonw_list_end(&b);
	jsonw_object_end(&b);
	jsonw_object_end(&b);
	jsonw_object_end(&b);
	buf_putc(&b, '\n');
	connection_send(rq->connection, buf_text(&b), b.len);
	buf_done(&b);
}

static void send_result(struct request *rq)
{
	struct buf b;

	if (rq->id == NULL || rq->failed)
		return;
	buf_init(&b, CONNECTION_LINE_MAX_BYTES);
	begin_answer(&b, rq->id);
	jsonw_object(&b, "result");
	buf_put(&b, buf_text(&rq->result), rq->result.len);
	jsonw_object_end(&b);
	jsonw_object_end(&b);
	buf_putc(&b, '\n');
	if (b.failed || rq->result.failed)
		request_fail(rq, RPC_LIMIT, "limit", "1048576",
		    "The answer would be longer than 1 MiB; ask for fewer at a time.");
	else
		connection_send(rq->connection, buf_text(&b), b.len);
	buf_done(&b);
}

static void request_done(struct request *rq)
{
	buf_done(&rq->result);
	json_decref((json_t *)(uintptr_t)rq->params);
	free(rq->id);
}

/* --- answering later ----------------------------------------------------------------------------- */

struct pending *request_defer(struct request *rq, void (*cancel)(struct pending *p), void *arg)
{
	struct pending *p = malloc(sizeof *p);

	if (p == NULL) {
		request_fail(rq, RPC_INTERNAL, NULL, NULL, "No memory.");
		return NULL;
	}
	*p = (struct pending){ .request = *rq, .cancel = cancel, .arg = arg };
	rq->deferred = true;
	rq->connection->pending = p;
	return p;
}

void request_answer(struct pending *p)
{
	struct connection *c = p->request.connection;

	c->pending = NULL;
	send_result(&p->request);
	request_done(&p->request);
	free(p);
	connection_resume(c);
}

void request_cancel(struct pending *p)
{
	if (p == NULL)
		return;
	p->cancel(p);
	request_done(&p->request);
	free(p);
}

/* --- parameters ---------------------------------------------------------------------------------- */

const json_t *param_value(const struct request *rq, const char *name)
{
	const json_t *v = json_object_get(rq->params, name);

	return json_is_null(v) ? NULL : v;
}

const char *param_text(const struct request *rq, const char *name)
{
	return json_string_value(param_value(rq, name));
}

int64_t param_int(const struct request *rq, const char *name, int64_t otherwise)
{
	const json_t *v = param_value(rq, name);

	return v == NULL ? otherwise : json_integer_value(v);
}

bool param_bool(const struct request *rq, const char *name, bool otherwise)
{
	const json_t *v = param_value(rq, name);

	return v == NULL ? otherwise : json_is_true(v);
}

static bool within(const struct param *p, int64_t n)
{
	return p->max == 0 || (n >= p->min && n <= p->max);
}

static bool fits(const struct param *p, const json_t *v)
{
	switch (p->kind) {
	case PARAM_TEXT:
		return json_is_string(v) && within(p, (int64_t)json_string_length(v));
	case PARAM_BOOL:
		return json_is_boolean(v);
	case PARAM_INT:
		return json_is_integer(v) && within(p, json_integer_value(v));
	case PARAM_OBJECT:
		return json_is_object(v);
	case PARAM_TEXTS:
	case PARAM_OBJECTS:
		break;
	}
	if (!json_is_array(v))
		return false;
	for (size_t i = 0; i < json_array_size(v); i++)
		if (p->kind == PARAM_TEXTS ? !json_is_string(json_array_get(v, i)) :
					     !json_is_object(json_array_get(v, i)))
			return false;
	return true;
}

static const char *expected(const struct param *p, char *buf, size_t size)
{
	static const char *const kinds[] = {
		[PARAM_TEXT] = "a text",
		[PARAM_BOOL] = "true or false",
		[PARAM_INT] = "a whole number",
		[PARAM_TEXTS] = "a list of texts",
		[PARAM_OBJECT] = "an object",
		[PARAM_OBJECTS] = "a list of objects",
	};

	if (p->max > 0 && p->kind != PARAM_TEXTS)
		snprintf(buf, size, "%s%s from %lld to %lld", kinds[p->kind],
		    p->kind == PARAM_TEXT ? " with a length" : "", (long long)p->min, (long long)p->max);
	else
		snprintf(buf, size, "%s", kinds[p->kind]);
	return buf;
}

static const struct param *find_param(const struct param *table, const char *name)
{
	for (; table != NULL && table->name != NULL; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

static bool check_params(struct request *rq, const struct method *m)
{
	const char *name;
	json_t *value;
	char text[128];

	json_object_foreach((json_t *)(uintptr_t)rq->params, name, value)
	{
		const struct param *p = find_param(m->params, name);

		if (p == NULL) {
			request_fail(rq, RPC_PARAMS, "field", name, "%s has no parameter \"%.80s\".", m->name, name);
			return false;
		}
		if (!json_is_null(value) && !fits(p, value)) {
			request_fail(rq, RPC_PARAMS, "field", name, "%s: %s must be %s.", m->name, name,
			    expected(p, text, sizeof text));
			return false;
		}
		if (p->kind == PARAM_TEXTS && p->max > 0 && json_array_size(value) > (size_t)p->max) {
			snprintf(text, sizeof text, "%lld", (long long)p->max);
			request_fail(rq, RPC_LIMIT, "limit", text, "%s: %s holds more than %s.", m->name, name, text);
			return false;
		}
	}
	for (const struct param *p = m->params; p != NULL && p->name != NULL; p++) {
		if (p->required && param_value(rq, p->name) == NULL) {
			request_fail(rq, RPC_PARAMS, "field", p->name, "%s needs %s.", m->name, p->name);
			return false;
		}
	}
	return true;
}

/* --- dispatch ------------------------------------------------------------------------------------ */

static const struct method *find_method(const char *name)
{
	for (size_t t = 0; method_tables[t] != NULL; t++)
		for (const struct method *m = method_tables[t]; m->name != NULL; m++)
			if (strcmp(m->name, name) == 0)
				return m;
	return NULL;
}

static void run(struct request *rq, const char *name)
{
	const struct method *m = find_method(name);
	const char *needs;

	if (m == NULL) {
		request_fail(rq, RPC_METHOD, NULL, NULL, "There is no method \"%.80s\".", name);
		return;
	}
	if (m->permission >= 0 && !connection_may(rq->connection, (enum permission)m->permission)) {
		needs = vocab_name(&vocab_permission, m->permission);
		request_fail(rq, RPC_PERMISSION, "needs", needs, "%s needs the permission %s.", name, needs);
		return;
	}
	if (check_params(rq, m))
		m->run(rq);
}

/* The id as JSON text; NULL: a notification. False: not an id that a request may have. */
static bool read_id(const json_t *object, char **ret)
{
	const json_t *id = json_object_get(object, "id");

	*ret = NULL;
	if (id == NULL)
		return true;
	if (!json_is_null(id) && !json_is_integer(id) && !json_is_string(id) && !json_is_real(id))
		return false;
	if (json_string_length(id) > ID_MAX_BYTES)
		return false;
	*ret = json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT);
	return *ret != NULL;
}

static bool is_request(const json_t *object)
{
	const char *version = json_string_value(json_object_get(object, "jsonrpc"));
	const json_t *params = json_object_get(object, "params");

	return version != NULL && strcmp(version, "2.0") == 0 && json_is_string(json_object_get(object, "method")) &&
	    (params == NULL || json_is_object(params));
}

static void handle_object(struct connection *c, json_t *object)
{
	struct request rq = { .connection = c };
	json_t *params = json_object_get(object, "params");

	if (!read_id(object, &rq.id)) {
		send_error(c, NULL, "null", RPC_REQUEST,
		    "The id of a request is a number, a text of at most 1024 bytes, or null.", NULL, NULL);
		return;
	}
	if (!is_request(object)) {
		send_error(c, NULL, rq.id == NULL ? "null" : rq.id, RPC_REQUEST,
		    "A request is {\"jsonrpc\":\"2.0\",\"id\":..,\"method\":\"..\",\"params\":{..}}.", NULL, NULL);
		free(rq.id);
		return;
	}
	rq.params = params == NULL ? json_object() : json_incref(params);
	buf_init(&rq.result, CONNECTION_LINE_MAX_BYTES);
	run(&rq, json_string_value(json_object_get(object, "method")));
	if (rq.deferred)
		return;
	send_result(&rq);
	request_done(&rq);
}

void request_handle(struct connection *c, const char *line, size_t len)
{
	char why[256], message[320];
	json_t *object;

	if (len == 0)
		return;
	if (json_in_object(line, len, &object, why, sizeof why) < 0) {
		bool not_object = strcmp(why, "not a JSON object") == 0;

		snprintf(message, sizeof message, "The line is %s.", why);
		send_error(c, NULL, "null", not_object ? RPC_REQUEST : RPC_PARSE, message, NULL, NULL);
		return;
	}
	handle_object(c, object);
	json_decref(object);
}
