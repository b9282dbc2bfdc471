/* fuzz_users_csv.c: a file gives the same users and errors however it is cut, and errors iff it is refused.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

#include "daemon/users_csv.h"

#define MAX_USERS 4096

struct result {
	struct user_fields *users[MAX_USERS];
	size_t count, error_count;
	struct buf errors;
	int fed;
};

static int keep(void *arg, struct user_fields *fields)
{
	struct result *r = arg;

	if (r->count < MAX_USERS)
		r->users[r->count++] = fields;
	else
		user_fields_unref(fields);
	return 0;
}

/* Parse in pieces of `step` bytes; 0: whole. */
static void parse(struct result *r, const char *text, size_t len, size_t step)
{
	struct users_csv *csv;

	buf_init(&r->errors, 1 << 20);
	csv = users_csv_new("users.csv", &r->errors, keep, r);
	assert(csv != NULL);
	for (size_t at = 0, n; at < len && r->fed == 0; at += n) {
		n = step == 0 || step > len - at ? len - at : step;
		r->fed = users_csv_feed(csv, text + at, n);
	}
	r->error_count = users_csv_end(csv);
	assert((r->error_count > 0) == (r->errors.len > 0));
	assert(r->fed == 0 || r->error_count > 0);
}

static void done(struct result *r)
{
	for (size_t i = 0; i < r->count; i++)
		free(r->users[i]);
	buf_done(&r->errors);
}

static size_t first_error(const struct result *r)
{
	return strcspn(buf_text(&r->errors), "\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct result whole, cut;

	if (len == 0)
		return 0;
	memset(&whole, 0, sizeof whole);
	memset(&cut, 0, sizeof cut);
	parse(&whole, (const char *)data + 1, len - 1, 0);
	parse(&cut, (const char *)data + 1, len - 1, data[0]);
	assert(whole.fed == cut.fed && whole.count == cut.count);
	assert(first_error(&whole) == first_error(&cut) &&
	    strncmp(buf_text(&whole.errors), buf_text(&cut.errors), first_error(&whole)) == 0);
	if (whole.fed == 0) /* else what stands behind the end of all reading may be told or not */
		assert(strcmp(buf_text(&whole.errors), buf_text(&cut.errors)) == 0);
	for (size_t i = 0; i < whole.count; i++)
		assert(user_fields_equal(whole.users[i], cut.users[i]));
	done(&whole);
	done(&cut);
	return 0;
}
