/* fuzz_request.c: whatever a console says to a whole daemon, each line that comes back is JSON.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/small_daemon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	small_start("on-demand");
	small_talk(small.console, data, len);
	assert(directory_count(small.daemon.directory) == 3);
	return 0;
}
