/* test_link_local.c: who connects to us by a Unix socket: the same frames and limits, the file, who may.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/link_world.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "connectors/link_listener.h"

static struct {
	struct link_listener *l, *second;
	struct link_listener_protocol protocol;
	struct link_guest *guest;
	struct loop_event *tick;
	struct buf log;
	char host[64];
	bool free_in_frame;
} t;

static char folder[] = "/tmp/test-link-local-XXXXXX";
static char path[64];
static int a, b;

static bool welcome(void *arg, const char *host)
{
	(void)arg;
	snprintf(t.host, sizeof t.host, "%s", host);
	return true;
}

static void come(void *arg, struct link_guest *guest)
{
	(void)arg;
	t.guest = guest;
	buf_printf(&t.log, "come|");
}

static void on_guest_frame(void *arg, struct link_guest *guest, const char *data, size_t len)
{
	(void)arg;
	t.guest = guest;
	buf_printf(&t.log, "%.*s|", (int)len - 1, data);
	link_guest_send(guest, "hi\n", 3);
	if (t.free_in_frame) {
		link_listener_free(t.l);
		t.l = NULL;
	}
}

static void gone(void *arg, struct link_guest *guest, enum link_fault fault, const char *why)
{
	(void)arg;
	(void)guest;
	w.fault = fault;
	snprintf(w.why, sizeof w.why, "%s", why);
	buf_puts(&t.log, "gone|");
}

static void on_tick(void *arg, short what)
{
	(void)arg;
	(void)what;
}

static int begin(void **state)
{
	if (world_begin(state) != 0 || mkdtemp(folder) == NULL)
		return -1;
	memset(&t, 0, sizeof t);
	a = b = -1;
	snprintf(path, sizeof path, "%s/socket", folder);
	buf_init(&t.log, 1 << 16);
	t.tick = loop_event_new(w.loop, "tick", -1, 0, on_tick, NULL);
	t.protocol = (struct link_listener_protocol){ .name = "test",
		.framing = { .kind = FRAMING_LINE, .max = 100 },
		.welcome = welcome,
		.come = come,
		.frame = on_guest_frame,
		.gone = gone };
	return t.tick == NULL;
}

static int finish(void **state)
{
	if (a >= 0)
		close(a);
	if (b >= 0)
		close(b);
	link_listener_free(t.l);
	link_listener_free(t.second);
	loop_event_free(t.tick);
	buf_done(&t.log);
	unlink(path);
	rmdir(folder);
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	return world_end(state);
}

static void listen_here(int64_t mode)
{
	char err[256] = "";

	if (link_listen_local(&t.l, w.loop, &t.protocol, path, NULL, mode, NULL, err, sizeof err) != 0)
		fail_msg("%s", err);
}

static int call(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
	return fd;
}

static void speak(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Keeps the loop turning while something outside of it is waited for. */
static bool turning(void)
{
	loop_event_arm_in(t.tick, 5);
	return true;
}

static bool is_over(int fd)
{
	char c;

	turning();
	return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

#define AWAIT_LOG(text) AWAIT(turning() && strcmp(buf_text(&t.log), text) == 0)

/* --- frames ----------------------------------------------------------------------------------------------------------------- */

static void guests_come_and_speak_and_go(void **state)
{
	char answer[16] = "";

	(void)state;
	listen_here(0600);
	a = call();
	AWAIT_LOG("come|");
	assert_string_equal(link_guest_host(t.guest), "local");
	assert_string_equal(t.host, "local");
	speak(a, "one\ntwo\nth");
	AWAIT_LOG("come|one|two|");
	speak(a, "ree\n");
	AWAIT_LOG("come|one|two|three|");
	AWAIT(turning() && recv(a, answer, sizeof answer, MSG_PEEK | MSG_DONTWAIT) == 9);
	assert_string_equal(answer, "hi\nhi\nhi\n");
	close(a);
	a = -1;
	AWAIT_LOG("come|one|two|three|gone|");
	assert_int_equal(w.fault, LINK_FAULT_LOST);
}

static void limits_are_those_of_every_listener(void **state)
{
	char much[200];

	(void)state;
	t.protocol.guests_max = 1;
	t.protocol.first_ms = 200;
	t.protocol.idle_ms = 200;
	listen_here(0600);
	a = call();
	AWAIT_LOG("come|");
	b = call();
	AWAIT(is_over(b)); /* one is enough */
	AWAIT_LOG("come|gone|");
	assert_non_null(strstr(w.why, "said nothing"));
	close(b);
	b = call();
	memset(much, 'x', sizeof much - 1);
	much[sizeof much - 1] = '\0';
	speak(b, much);
	AWAIT_LOG("come|gone|come|gone|");
	assert_int_equal(w.fault, LINK_FAULT_FRAMING);
}

static void it_may_be_freed_inside_a_frame(void **state)
{
	struct stat st;

	(void)state;
	t.free_in_frame = true;
	listen_here(0600);
	a = call();
	speak(a, "one\ntwo\n");
	AWAIT_LOG("come|one|");
	AWAIT(turning() && t.l == NULL);
	assert_int_equal(stat(path, &st), -1);
}

/* --- the file ---------------------------------------------------------------------------------------------------------------- */

static void the_file_has_its_mode_and_goes_with_the_listener(void **state)
{
	struct stat st;

	(void)state;
	listen_here(0620);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0620);
	link_listener_free(t.l);
	t.l = NULL;
	assert_int_equal(stat(path, &st), -1); /* at once, not when the loop turns */
	listen_here(0600);
	a = call();
	AWAIT_LOG("come|");
}

static void what_is_left_of_a_dead_one_is_taken_over(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	assert_int_equal(bind(dead, (const struct sockaddr *)&at, sizeof at), 0);
	close(dead);
	listen_here(0600);
	a = call();
	AWAIT_LOG("come|");
}

static void check_refused(const char *at, const char *group, const char *words)
{
	char err[256] = "";

	assert_true(link_listen_local(&t.second, w.loop, &t.protocol, at, group, 0600, NULL, err, sizeof err) < 0);
	assert_null(t.second);
	if (*err == '\0' || strstr(err, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err, words);
}

static void places_that_cannot_be_had_are_said(void **state)
{
	static char long_path[300];
	int fd;

	(void)state;
	check_refused("/nonexistent/socket", NULL, "/nonexistent/socket");
	memset(long_path, 'x', sizeof long_path - 1);
	long_path[0] = '/';
	check_refused(long_path, NULL, "");
	check_refused(path, "no-such-group-here", "no-such-group-here");
	listen_here(0600);
	check_refused(path, NULL, path); /* in use */
	a = call();
	speak(a, "one\n");
	AWAIT(turning() && strstr(buf_text(&t.log), "one|") != NULL); /* and the first one still works */
	link_listener_free(t.l);
	t.l = NULL;
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	check_refused(path, NULL, path); /* a file of somebody */
	assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LOCAL(f) cmocka_unit_test_setup_teardown(f, begin, finish)
		LOCAL(guests_come_and_speak_and_go),
		LOCAL(limits_are_those_of_every_listener),
		LOCAL(it_may_be_freed_inside_a_frame),
		LOCAL(the_file_has_its_mode_and_goes_with_the_listener),
		LOCAL(what_is_left_of_a_dead_one_is_taken_over),
		LOCAL(places_that_cannot_be_had_are_said),
	};

	return cmocka_run_group_tests_name("link_local", tests, NULL, NULL);
}
