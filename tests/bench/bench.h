/* bench.h: what the programs of the bench share: the time, a socket, an end with a sentence.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TESTS_BENCH_H
#define PRESENCED_TESTS_BENCH_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/base/unix_socket.h"

#define NS_PER_SECOND INT64_C(1000000000)

static inline int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SECOND + ts.tv_nsec;
}

static inline struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_SECOND), .tv_nsec = (long)(ns % NS_PER_SECOND) };
}

/* How long it is until then; 0 if that is over. */
static inline struct timespec time_until(int64_t then)
{
	int64_t now = now_ns();

	return timespec_of(then > now ? then - now : 0);
}

__attribute__((noreturn)) static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline void *must(void *memory)
{
	if (memory == NULL)
		die("memory");
	return memory;
}

static inline int connect_or_die(const char *path)
{
	int fd = unix_socket_connect(path);

	if (fd < 0)
		die(path);
	return fd;
}

static inline void make_nonblocking(int fd)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		die("fcntl");
}

#endif
