/* fuzz_request.c: whatever a console says, each line that comes back is JSON, and users are what their entries say.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/small_daemon.h"

static void check_user(const struct user *user)
{
	struct user_fields *fields[USER_MAX_MERGED], *merged;
	const struct entry *e = NULL;
	size_t count = 0;

	while ((e = user_entry_next(user, e)) != NULL && count < USER_MAX_MERGED)
		fields[count++] = entry_fields(e);
	assert(count > 0);
	merged = user_fields_merge(fields, count);
	assert(merged != NULL && user_fields_equal(merged, user->fields));
	user_fields_unref(merged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	small_start("on-demand");
	small_talk(small.console, data, len);
	for (struct user *u = directory_after(small.daemon.directory, ""); u != NULL; u = directory_next(u))
		check_user(u);
	return 0;
}
