/* latency.c: the time from a raw line written to a feed to the notification read by a console.
 * SPDX-License-Identifier: MIT
 *
 * latency FEED CONSOLE USERS RATE COUNT. One console subscribes to everybody; COUNT lines at RATE a second
 * change u000000, u000001, ... in turn, each with a note "~NUMBER~PID" that the notification carries back.
 */
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include "daemon/base/buf.h"
#include "tests/bench/bench.h"

#define READ_BYTES (1024 * 1024)
#define GIVE_UP_NS (20 * NS_PER_SECOND)

static const char subscribe[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"presence.subscribe\","
				"\"params\":{\"all\":true,\"demand\":false}}\n";

struct latency {
	int feed, console;
	struct buf in; /* an unfinished line */
	int64_t *sent, *took;
	size_t count, arrived;
	bool synced, warm, last;
};

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void take_line(struct latency *l, const char *line, int64_t now)
{
	const char *mark = strchr(line, '~');
	size_t i;

	if (mark == NULL) {
		l->synced = l->synced || strstr(line, "\"presence.synced\"") != NULL;
		return;
	}
	if (mark[1] == 'w') {
		l->warm = true;
		return;
	}
	i = strtoul(mark + 1, NULL, 10);
	if (i < l->count && l->sent[i] != 0 && l->took[i] == 0) {
		l->took[i] = now - l->sent[i];
		l->arrived++;
		l->last = i + 1 == l->count;
	}
}

/* Read what has come to the console, waiting until `until`. */
static void receive(struct latency *l, int64_t until)
{
	static char text[READ_BYTES];
	struct pollfd p[2] = { { .fd = l->console, .events = POLLIN }, { .fd = l->feed, .events = POLLIN } };
	struct timespec wait = time_until(until);
	ssize_t n;
	int64_t now;

	if (ppoll(p, 2, &wait, NULL) < 0)
		die("ppoll");
	if (p[1].revents != 0 && read(l->feed, text, sizeof text) <= 0) /* what is to be watched: not asked */
		die("the feed was closed");
	if (p[0].revents == 0)
		return;
	n = read(l->console, text, sizeof text);
	now = now_ns();
	if (n <= 0)
		die("the console was closed");
	for (const char *at = text, *end; at < text + n; at = end + 1) {
		end = memchr(at, '\n', (size_t)(text + n - at));
		if (end == NULL) {
			buf_put(&l->in, at, (size_t)(text + n - at));
			break;
		}
		buf_put(&l->in, at, (size_t)(end - at));
		take_line(l, buf_text(&l->in), now);
		buf_clear(&l->in);
	}
}

static void say(const struct latency *l, size_t user, const char *note)
{
	char line[256];
	int n = snprintf(line, sizeof line,
	    "{\"address\":\"u%06zu\",\"domain\":\"rich\",\"availability\":\"busy\","
	    "\"note\":\"%s\"}\n",
	    user, note);

	if (write(l->feed, line, (size_t)n) != n)
		die("write");
}

static void wait_for(struct latency *l, const bool *done, const char *what)
{
	for (int64_t until = now_ns() + GIVE_UP_NS; !*done; receive(l, until))
		if (now_ns() >= until)
			die(what);
}

static void measure(struct latency *l, size_t users, size_t rate)
{
	int64_t began = now_ns();
	char note[64];

	for (size_t i = 0; i < l->count; i++) {
		int64_t due = began + (int64_t)(i * (size_t)NS_PER_SECOND / rate);

		while (now_ns() < due)
			receive(l, due);
		snprintf(note, sizeof note, "~%zu~%d", i, (int)getpid()); /* new in each run */
		l->sent[i] = now_ns();
		say(l, i % users, note);
	}
	wait_for(l, &l->last, "the last change did not arrive within 20 seconds");
}

int main(int argc, char **argv)
{
	struct latency l = { 0 };

	if (argc != 6)
		return 2;
	l.count = strtoul(argv[5], NULL, 10);
	l.sent = must(calloc(l.count, sizeof *l.sent));
	l.took = must(calloc(l.count, sizeof *l.took));
	buf_init(&l.in, READ_BYTES);
	l.console = connect_or_die(argv[2]);
	l.feed = connect_or_die(argv[1]);
	if (write(l.feed, "{\"resync\":\"resumed\"}\n", 21) != 21 ||
	    write(l.console, subscribe, sizeof subscribe - 1) != sizeof subscribe - 1)
		die("write");
	wait_for(&l, &l.synced, "no synchronisation within 20 seconds");
	say(&l, 0, "~w~"); /* composed after all that the connection of the feed made dirty */
	wait_for(&l, &l.warm, "no answer within 20 seconds");
	measure(&l, strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
	qsort(l.took, l.count, sizeof *l.took, by_time); /* those that a newer one overtook are 0, in front */
	l.took += l.count - l.arrived;
	printf("{\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"overtaken\":%zu}\n",
	    (double)l.took[l.arrived / 2] / 1e3, (double)l.took[l.arrived * 99 / 100] / 1e3,
	    (double)l.took[l.arrived - 1] / 1e3, l.count - l.arrived);
	return 0;
}
