/* request.h: JSON-RPC 2.0 requests: parameters, answers, errors. For daemon/console/ only.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_REQUEST_H
#define PRESENCED_REQUEST_H

#include <jansson.h>

#include "daemon/console/connection.h"

enum rpc_error {
	RPC_PARSE = -32700,
	RPC_REQUEST = -32600,
	RPC_METHOD = -32601,
	RPC_PARAMS = -32602,
	RPC_INTERNAL = -32603,
	RPC_PERMISSION = -32001,
	RPC_NOT_FOUND = -32002,
	RPC_LIMIT = -32003,
	RPC_NOT_NOW = -32004,
	RPC_STORE = -32005,
	RPC_CONFLICT = -32006,
};

/* One request while its method runs. */
struct request {
	struct connection *connection;
	const json_t *params;  /* an object, checked against the method's table; never NULL */
	char *id;	       /* JSON text; NULL: is not to be answered */
	struct buf result;     /* members of the result, if it succeeds */
	bool failed, deferred; /* answered with an error; to be answered later */
	struct {
		const char *key; /* a constant */
		char value[256]; /* JSON */
	} data[2];		 /* more members of `data` of an error */
	size_t data_count;
};

enum param_kind { PARAM_TEXT, PARAM_BOOL, PARAM_INT, PARAM_TEXTS, PARAM_OBJECT, PARAM_OBJECTS };
struct param {
	const char *name; /* NULL ends the table */
	enum param_kind kind;
	bool required;
	int64_t min, max; /* INT: value; TEXT: bytes; TEXTS: how many */
};

struct method {
	const char *name;
	int permission; /* enum permission; -1 none */
	const struct param *params;
	void (*run)(struct request *rq);
};
extern const struct method *const method_tables[]; /* ended by NULL; each table by name NULL */

/* Handle one line of a console. */
void request_handle(struct connection *c, const char *line, size_t len);

/* Parameters that passed the table; NULL, -1 or `otherwise` where absent. */
const char *param_text(const struct request *rq, const char *name);
const json_t *param_value(const struct request *rq, const char *name);
int64_t param_int(const struct request *rq, const char *name, int64_t otherwise);
bool param_bool(const struct request *rq, const char *name, bool otherwise);

/* Fail. `data_key` (may be NULL) with a text goes into `data`. */
void request_fail(struct request *rq, enum rpc_error code, const char *data_key, const char *data, const char *format,
    ...) __attribute__((format(printf, 5, 6)));

/* Another member for `data` of the error that is going to be sent: a text, or JSON (too long: left out). `key` is a
 * constant. */
void request_data(struct request *rq, const char *key, const char *text);
void request_data_number(struct request *rq, const char *key, size_t number); /* as a text, like all numbers there */
void request_data_json(struct request *rq, const char *key, const struct buf *json);

/* Fail with a list of sentences, one a line of `text`, as data.errors. */
void request_fail_list(struct request *rq, enum rpc_error code, const char *message, const char *text);

/* Answer later: the request lives on as c->pending until request_answer(). `cancel` frees what belongs to it
 * when the connection closes first. */
struct pending {
	struct request request;
	void (*cancel)(struct pending *p);
	void *arg;
};
struct pending *request_defer(struct request *rq, void (*cancel)(struct pending *p), void *arg);

/* Send the answer of a deferred request (its result, or the failure it has), and free it. */
void request_answer(struct pending *p);
void request_cancel(struct pending *p); /* by the connection that closes */

#endif
