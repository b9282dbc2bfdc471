/* reader.c: many connections that subscribe to one server and count what arrives.
 * SPDX-License-Identifier: MIT
 *
 * reader SOCKET COUNT MARK REQUEST. Each connection sends REQUEST. A message is what holds the byte MARK; a
 * round ends when each connection has got a '!', and is told as one line of JSON. "ready" is told when each
 * connection has got its first bytes.
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define ROUND_END  '!'
#define READ_BYTES (256 * 1024)
#define MAX_EVENTS 256

struct reader {
	int fd;
	uint64_t bytes, ends;
};

static size_t count_byte(const char *text, size_t len, char byte)
{
	const char *end = text + len;
	size_t n = 0;

	while ((text = memchr(text, byte, (size_t)(end - text))) != NULL) {
		text++;
		n++;
	}
	return n;
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static struct reader *connect_all(const char *path, size_t count, const char *request, int epoll)
{
	struct reader *readers = must(calloc(count, sizeof *readers));

	for (size_t i = 0; i < count; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data.ptr = &readers[i] };

		readers[i].fd = connect_or_die(path);
		if (write(readers[i].fd, request, strlen(request)) != (ssize_t)strlen(request))
			die("write");
		make_nonblocking(readers[i].fd);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, readers[i].fd, &e) < 0)
			die("epoll_ctl");
	}
	return readers;
}

int main(int argc, char **argv)
{
	static char text[READ_BYTES];
	struct epoll_event events[MAX_EVENTS];
	uint64_t messages = 0, bytes = 0, round = 1;
	size_t count, at_end = 0, ready = 0;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 5)
		return 2;
	count = strtoul(argv[2], NULL, 10);
	connect_all(argv[1], count, argv[4], epoll);
	for (;;) {
		int n = epoll_wait(epoll, events, MAX_EVENTS, -1);

		if (n < 0)
			die("epoll_wait");
		for (int i = 0; i < n; i++) {
			struct reader *r = events[i].data.ptr;
			ssize_t got = read(r->fd, text, sizeof text);

			if (got < 0 && errno == EAGAIN)
				continue;
			if (got <= 0)
				die("the server has closed a connection");
			if (r->bytes == 0 && ++ready == count && puts("ready") > 0)
				fflush(stdout);
			r->bytes += (uint64_t)got;
			bytes += (uint64_t)got;
			messages += count_byte(text, (size_t)got, *argv[3]);
			if (memchr(text, ROUND_END, (size_t)got) == NULL)
				continue;
			r->ends += count_byte(text, (size_t)got, ROUND_END);
			at_end += r->ends == round;
			if (at_end < count)
				continue;
			printf("{\"messages\":%llu,\"bytes\":%llu,\"ns\":%lld,\"cpu_s\":%.3f}\n",
			    (unsigned long long)messages, (unsigned long long)bytes, (long long)now_ns(),
			    cpu_seconds());
			fflush(stdout);
			messages = bytes = at_end = 0;
			round++;
		}
	}
}
