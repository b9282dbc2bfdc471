/* fuzz_raw_json.c: a line is refused with a sentence, or its facts are good and survive being written.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

#include "daemon/base/json_in.h"
#include "daemon/base/jsonw.h"
#include "daemon/model/raw_json.h"

static void write_line(struct buf *b, const struct raw_line *line)
{
	jsonw_object(b, NULL);
	jsonw_text(b, line->user != NULL ? "user" : "address", line->user != NULL ? line->user : line->address);
	jsonw_text(b, "domain", vocab_name(&vocab_domain, line->facts.domain));
	raw_json_write_facts(b, &line->facts, true);
	raw_json_write_times(b, &line->facts);
	jsonw_object_end(b);
	assert(!b->failed);
}

static void check_same(const struct raw_facts *a, const struct raw_facts *b)
{
	const struct raw_state *x = raw_state_new(a), *y = raw_state_new(b);

	assert(x != NULL && y != NULL && raw_state_same_facts(x, y));
	assert(a->at == b->at && a->observed_at == b->observed_at && a->valid_until == b->valid_until);
	assert(a->epoch == b->epoch && a->rev == b->rev);
	raw_state_unref(x);
	raw_state_unref(y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct parse_error error = { { 0 } };
	struct raw_line line, again;
	json_t *value, *second;
	char why[256] = "";
	struct buf b;

	if (json_in_object((const char *)data, len, &value, why, sizeof why) < 0) {
		assert(why[0] != '\0');
		return 0;
	}
	buf_init(&b, 1 << 20);
	if (raw_json_parse(value, &line, &error) < 0) {
		assert(error.text[0] != '\0');
	} else {
		assert(raw_facts_check(&line.facts) == NULL);
		write_line(&b, &line);
		assert(json_in_object(buf_text(&b), b.len, &second, why, sizeof why) == 0);
		assert(raw_json_parse(second, &again, &error) == 0);
		check_same(&line.facts, &again.facts);
		json_decref(second);
	}
	buf_done(&b);
	json_decref(value);
	return 0;
}
