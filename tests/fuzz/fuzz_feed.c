/* fuzz_feed.c: whatever a program feeds, what it is told is JSON, and every presence can be read.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/small_daemon.h"

#include "daemon/base/jsonw.h"

static void check_presence(const struct user *user)
{
	struct published p = aggregator_published(user);
	char why[256];
	json_t *value;
	struct buf b;

	assert(p.presence != NULL);
	buf_init(&b, 1 << 16);
	jsonw_object(&b, NULL);
	presence_write(&b, p.presence, true);
	jsonw_object_end(&b);
	assert(!b.failed && json_in_object(buf_text(&b), b.len, &value, why, sizeof why) == 0);
	json_decref(value);
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	small_start("always");
	small_talk(small.feed, data, len);
	for (struct user *u = directory_after(small.daemon.directory, ""); u != NULL; u = directory_next(u))
		check_presence(u);
	return 0;
}
