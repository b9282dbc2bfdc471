/* raw_json.h: the line of JSON in which feed, record, replay, decode and compose write a raw state.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_RAW_JSON_H
#define PRESENCED_RAW_JSON_H

#include <jansson.h>

#include "daemon/base/buf.h"
#include "daemon/model/raw_state.h"

struct parse_error {
	char text[256]; /* what is wrong, where, and what was expected; without a full stop */
};

/* What stands on the line beside the facts. The pointers borrow from the JSON value. */
struct raw_line {
	const char *user;    /* NULL if `address` is given */
	const char *address; /* NULL if `user` is given */
	const char *source;  /* NULL not said */
	int technology;	     /* enum technology; -1 not said */
	struct raw_facts facts;
	struct raw_call calls[RAW_MAX_CALLS];
};

/* Read one line; `facts.at` is 0 where it is not said. Unknown keys are ignored (fields are added over time).
 * 0 and *ret, whose pointers live as long as `value`; or -EBADMSG and *reterr. */
int raw_json_parse(const json_t *value, struct raw_line *ret, struct parse_error *reterr);

/* Write the facts as the members of an object that the caller has opened (no braces): `status` unless ok,
 * then the facts known. `calls`: also peers, names and the forward's target. */
void raw_json_write_facts(struct buf *b, const struct raw_facts *facts, bool calls);

/* The parts of it that a composed presence shows as well. */
void raw_json_write_rich(struct buf *b, const struct raw_facts *facts);	 /* availability ... idle_since */
void raw_json_write_calls(struct buf *b, const struct raw_facts *facts); /* "calls": [...] */

/* Write at, observed_at, valid_until, epoch, rev as far as they are said. */
void raw_json_write_times(struct buf *b, const struct raw_facts *facts);

#endif
