/* fuzz_user_json.c: a user is refused with a sentence and a member, or is read again as it was written.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

#include <errno.h>

#include "daemon/base/json_in.h"
#include "daemon/base/jsonw.h"
#include "daemon/model/user_json.h"

/* `f`, written and read: on top of `old`. */
static struct user_fields *there_and_back(const struct user_fields *f, const struct user_fields *old)
{
	struct user_fields *again = NULL;
	const char *field = NULL;
	char why[256];
	json_t *value;
	struct buf b;

	buf_init(&b, 1 << 20);
	jsonw_object(&b, NULL);
	user_json_write(&b, f, true);
	jsonw_object_end(&b);
	assert(!b.failed);
	assert(json_in_object(buf_text(&b), b.len, &value, why, sizeof why) == 0);
	assert(user_json_read(value, user_field(f, USER_ID), old, &again, why, sizeof why, &field) == 0);
	json_decref(value);
	buf_done(&b);
	return again;
}

static void check(const struct user_fields *f)
{
	struct user_fields *again = there_and_back(f, NULL), *twice = there_and_back(f, again);
	struct user_columns columns;
	char why[256];

	user_fields_columns(f, &columns);
	assert(user_columns_check(&columns, why, sizeof why) == NULL);
	assert(user_fields_equal(f, again) && user_fields_equal(f, twice));
	user_fields_unref(again);
	user_fields_unref(twice);
}

/* On top of somebody who has something of everything. */
static struct user_fields *somebody(void)
{
	static const struct user_override overrides[] = { { USER_LINE, "sw", "-" }, { USER_EXTENSION, "pbx", "7" } };

	return user_fields_new(&(struct user_columns){ .values = { "alice", "Alice", "sales;support", "2001;2002" },
	    .overrides = overrides,
	    .override_count = 2 });
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct user_fields *old, *f = NULL;
	const char *field = NULL;
	char why[256] = "";
	json_t *value;
	int r;

	if (json_in_object((const char *)data, len, &value, why, sizeof why) < 0)
		return 0;
	old = somebody();
	assert(old != NULL);
	for (int on_top = 0; on_top < 2; on_top++) {
		why[0] = '\0';
		r = user_json_read(value, "alice", on_top == 1 ? old : NULL, &f, why, sizeof why, &field);
		if (r < 0) {
			assert(r == -EINVAL && why[0] != '\0' && field != NULL);
			continue;
		}
		check(f);
		user_fields_unref(f);
	}
	user_fields_unref(old);
	json_decref(value);
	return 0;
}
