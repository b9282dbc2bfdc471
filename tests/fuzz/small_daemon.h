/* small_daemon.h: a whole daemon in a temporary folder, with a console socket, a feed and three users.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TESTS_SMALL_DAEMON_H
#define PRESENCED_TESTS_SMALL_DAEMON_H

#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/json_in.h"
#include "daemon/base/logger.h"
#include "daemon/base/unix_socket.h"
#include "daemon/daemon.h"

#define SMALL_TURNS 24

static struct {
	struct daemon daemon;
	char folder[64], console[96], feed[96];
	int turns_left;
} small;

static inline bool small_count_turn(void *arg)
{
	(void)arg;
	if (--small.turns_left <= 0)
		loop_stop(small.daemon.loop);
	return true; /* the next turn does not wait */
}

static inline void small_turns(int turns)
{
	small.turns_left = turns;
	loop_run(small.daemon.loop);
}

static inline void small_write(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", small.folder, name);
	f = fopen(path, "we");
	assert(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static inline void small_end(void)
{
	static const char *const files[] = { "users.csv", "presenced.yaml", "state/presenced.db",
		"state/presenced.db-wal", "state/presenced.db-shm", "state/presenced.lock" };
	char path[128];

	daemon_done(&small.daemon);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "%s/%s", small.folder, files[i]);
		unlink(path);
	}
	snprintf(path, sizeof path, "%s/state", small.folder);
	rmdir(path);
	rmdir(small.folder);
}

/* Once for the process; `mode` of monitoring. */
static inline void small_start(const char *mode)
{
	const char *tmp = getenv("TMPDIR");
	char text[1024], path[128];
	struct config *config;
	struct buf errors;

	if (small.folder[0] != '\0')
		return;
	snprintf(small.folder, sizeof small.folder, "%s/presenced-fuzz-XXXXXX", tmp != NULL ? tmp : "/tmp");
	assert(mkdtemp(small.folder) != NULL);
	snprintf(small.console, sizeof small.console, "%s/console", small.folder);
	snprintf(small.feed, sizeof small.feed, "%s/feed", small.folder);
	small_write("users.csv",
	    "id,name,groups,extension,voicemail\nalice,Alice A,sales;all,101,8123\n"
	    "bob,Bob B,all,102,\ncarol,,,103,\n");
	snprintf(text, sizeof text,
	    "users: %s/users.csv\nstate: %s/state\nmonitoring: {mode: %s}\nconsole: [{socket: %s}]\nlog: {level: "
	    "error}\n"
	    "sources: [{name: lab, type: feed, technology: tapi, socket: %s, directory: {use: true, match: "
	    "[extension]}}]\n",
	    small.folder, small.folder, mode, small.console, small.feed);
	small_write("presenced.yaml", text);
	snprintf(path, sizeof path, "%s/presenced.yaml", small.folder);
	buf_init(&errors, 1 << 16);
	assert(config_load(path, &config, &errors, &errors) == 0);
	assert(daemon_start(&small.daemon, config, &errors) == 0);
	assert(loop_add_hook(small.daemon.loop, "fuzz", small_count_turn, NULL) == 0);
	buf_done(&errors);
	atexit(small_end);
	small_turns(SMALL_TURNS);
}

/* Every whole line that waits at `fd` is a JSON object; its text is kept in `all`. */
static inline void small_check_lines(int fd, struct buf *all)
{
	char text[65536], why[256];
	const char *at, *end;
	json_t *value;
	ssize_t n;

	while ((n = recv(fd, text, sizeof text, MSG_DONTWAIT)) > 0)
		buf_put(all, text, (size_t)n);
	for (at = buf_text(all); (end = strchr(at, '\n')) != NULL; at = end + 1) {
		assert(json_in_object(at, (size_t)(end - at), &value, why, sizeof why) == 0);
		json_decref(value);
	}
}

/* Connect, say the input, run some turns, check what comes back, and leave. */
static inline void small_talk(const char *path, const uint8_t *data, size_t len)
{
	int fd = unix_socket_connect(path);
	struct buf all;

	assert(fd >= 0);
	buf_init(&all, 1 << 24);
	if (send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		len = 0;
	small_turns(SMALL_TURNS);
	small_check_lines(fd, &all);
	close(fd);
	small_turns(3);
	buf_done(&all);
	logger_set_level(NULL, LOG_LEVEL_ERROR); /* log.level may have changed it */
}

#endif
