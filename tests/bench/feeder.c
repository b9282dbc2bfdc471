/* feeder.c: sends lines to a feed of presenced, or publishes them at Redis, at a rate or as fast as taken.
 * SPDX-License-Identifier: MIT
 *
 * feeder feed|redis SOCKET FILE. The lines of FILE go round in a circle. Each line "COUNT RATE LAST" of
 * standard input is one run: COUNT lines at RATE a second (0: no limit), then the line LAST. The answer is
 * one line of JSON. What the server says is read and dropped.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include "daemon/base/buf.h"
#include "tests/bench/bench.h"

#define CHUNK_BYTES   (64 * 1024)
#define CHUNK_MAX     (1024 * 1024)
#define COMMAND_BYTES (64 * 1024)

struct feeder {
	int fd;
	bool redis;
	char **lines;
	size_t line_count, next;
	struct buf out;
	size_t written;
};

static void read_lines(struct feeder *f, const char *path)
{
	FILE *in = fopen(path, "re");
	char *line = NULL;
	size_t size = 0, room = 0;
	ssize_t len;

	if (in == NULL)
		die(path);
	while ((len = getline(&line, &size, in)) > 0) {
		line[len - 1] = '\0';
		if (f->line_count == room) {
			room = room == 0 ? 1024 : room * 2;
			f->lines = must(reallocarray(f->lines, room, sizeof *f->lines));
		}
		f->lines[f->line_count++] = must(strdup(line));
	}
	free(line);
	fclose(in);
	if (f->line_count == 0)
		die("no lines");
}

static void put(struct feeder *f, const char *line)
{
	if (f->redis)
		buf_printf(&f->out, "*3\r\n$7\r\nPUBLISH\r\n$1\r\np\r\n$%zu\r\n%s\r\n", strlen(line), line);
	else
		buf_printf(&f->out, "%s\n", line);
}

/* Write and read what goes, waiting until `until` (0: until all is written). */
static void exchange(struct feeder *f, int64_t until)
{
	char dropped[CHUNK_BYTES];

	for (;;) {
		bool full = f->written < f->out.len;
		struct pollfd p = { .fd = f->fd, .events = (short)(POLLIN | (full ? POLLOUT : 0)) };
		struct timespec wait = time_until(until);

		if (ppoll(&p, 1, full && until == 0 ? NULL : &wait, NULL) < 0)
			die("ppoll");
		if ((p.revents & (POLLIN | POLLHUP)) != 0 && read(f->fd, dropped, sizeof dropped) <= 0)
			die("the server has gone");
		if ((p.revents & POLLOUT) != 0) {
			ssize_t n = write(f->fd, buf_text(&f->out) + f->written, f->out.len - f->written);

			if (n < 0 && errno != EAGAIN)
				die("write");
			f->written += n < 0 ? 0 : (size_t)n;
		}
		if (f->written == f->out.len && now_ns() >= until)
			break;
	}
	buf_clear(&f->out);
	f->written = 0;
}

static void run(struct feeder *f, uint64_t count, uint64_t rate, const char *last)
{
	int64_t began = now_ns();

	for (uint64_t sent = 0; sent < count; sent++) {
		if (rate > 0)
			exchange(f, began + (int64_t)(sent * (uint64_t)NS_PER_SECOND / rate));
		else if (f->out.len >= CHUNK_BYTES)
			exchange(f, 0);
		put(f, f->lines[f->next]);
		f->next = (f->next + 1) % f->line_count;
	}
	if (*last != '\0')
		put(f, last);
	exchange(f, 0);
	printf("{\"began_ns\":%lld,\"ended_ns\":%lld}\n", (long long)began, (long long)now_ns());
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct feeder f = { 0 };
	char command[COMMAND_BYTES];
	unsigned long long count, rate;
	int last;

	if (argc != 4)
		return 2;
	buf_init(&f.out, CHUNK_MAX);
	f.redis = strcmp(argv[1], "redis") == 0;
	read_lines(&f, argv[3]);
	f.fd = connect_or_die(argv[2]);
	make_nonblocking(f.fd);
	if (!f.redis)
		buf_puts(&f.out, "{\"resync\":\"resumed\"}\n");
	while (fgets(command, sizeof command, stdin) != NULL) {
		command[strcspn(command, "\n")] = '\0';
		if (sscanf(command, "%llu %llu %n", &count, &rate, &last) < 2)
			return 2;
		run(&f, count, rate, command + last);
	}
	return 0;
}
