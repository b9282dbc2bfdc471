/* run.c: what the command line of presenced does.
 * SPDX-License-Identifier: MIT */
#include "daemon/run.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/logger.h"
#include "daemon/daemon.h"
#include "daemon/users_file.h"

static void print_warnings(const char *text)
{
	for (; *text != '\0'; text += strcspn(text, "\n") + 1)
		fprintf(stderr, "warning: %.*s\n", (int)strcspn(text, "\n"), text);
}

int run_check(const char *file)
{
	struct users_file *users = NULL;
	struct config *config = NULL;
	struct buf errors, warnings;
	int r;

	buf_init(&errors, 256 * 1024);
	buf_init(&warnings, 256 * 1024);
	r = config_load(file, &config, &errors, &warnings);
	if (r == 0)
		r = users_file_open(&users, config->users, NULL, &errors);
	if (r == 0)
		while ((r = users_file_parse(users, SIZE_MAX)) > 0)
			;
	fputs(buf_text(&errors), stderr);
	print_warnings(buf_text(&warnings));
	if (r == 0)
		printf("%s is good: %zu sources, %zu console sockets.\n", file, config->source_count,
		    config->console_count);
	users_file_free(users);
	config_free(config);
	buf_done(&errors);
	buf_done(&warnings);
	return r == 0 ? 0 : 1;
}

/* glibc keeps small pieces that were freed apart and joins all of them when a large one is asked for: 30 ms after a
 * hundred thousand (malloc_consolidate(), mallopt(3)). Joined one by one nobody waits. */
static void tame_allocator(void)
{
#ifdef M_MXFAST
	(void)mallopt(M_MXFAST, 0);
#endif
}

int run_daemon(const char *file)
{
	struct daemon d = { 0 };
	struct config *config = NULL;
	struct buf errors, warnings;
	int r;

	tame_allocator();
	buf_init(&errors, 256 * 1024);
	buf_init(&warnings, 256 * 1024);
	r = config_load(file, &config, &errors, &warnings);
	print_warnings(buf_text(&warnings));
	if (r == 0) {
		r = daemon_start(&d, config, &errors);
		if (r == 0) {
			log_info("daemon", "started", LOG_TEXT("version", PRESENCED_VERSION), LOG_TEXT("config", file),
			    LOG_NUMBER("users", (int64_t)directory_count(d.directory)));
			loop_run(d.loop);
		}
		daemon_done(&d);
	}
	if (r < 0) {
		fputs(buf_text(&errors), stderr);
		fprintf(stderr, "presenced cannot start%s%s.\n", errors.len == 0 ? ": " : "",
		    errors.len == 0 ? strerror(-r) : "");
	}
	buf_done(&errors);
	buf_done(&warnings);
	return r == 0 ? 0 : 1;
}
