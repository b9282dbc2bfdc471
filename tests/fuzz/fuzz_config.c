/* fuzz_config.c: a configuration is refused with errors, each with file, line and column; else there are none.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

#include <regex.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/config.h"

/* Every line: FILE:LINE:COLUMN: text; the last may count what is left out. */
static void check_lines(const char *text)
{
	static regex_t form;
	static int compiled;

	if (!compiled++)
		assert(regcomp(&form, "^/proc/self/fd/[0-9]+:([0-9]+:[0-9]+:| and [0-9]+ more errors)",
			   REG_EXTENDED | REG_NOSUB) == 0);
	for (; *text != '\0'; text += strcspn(text, "\n") + 1)
		assert(regexec(&form, text, 0, NULL, 0) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int fd = -1;
	struct buf errors, warnings;
	struct config *config = NULL;
	char path[64];
	int r;

	if (fd < 0)
		fd = memfd_create("presenced.yaml", MFD_CLOEXEC);
	assert(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, len, 0) == (ssize_t)len);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	buf_init(&errors, 1 << 20);
	buf_init(&warnings, 1 << 20);
	r = config_load(path, &config, &errors, &warnings);
	assert((r < 0) == (errors.len > 0) && (r == 0) == (config != NULL));
	check_lines(buf_text(&errors));
	check_lines(buf_text(&warnings));
	config_free(config);
	buf_done(&errors);
	buf_done(&warnings);
	return 0;
}
