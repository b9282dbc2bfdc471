/* test_link.c: a link over UDP and TCP: up, frames, down, limits, its end.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/link_world.h"

static struct server a;

static void send_hello(void)
{
	assert_int_equal(link_send(w.link, "hello\n", 6), 0);
}

/* --- UDP ----------------------------------------------------------------------------------------- */

static void on_datagram(void *arg, short what)
{
	struct server *s = arg;
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	char data[2048];
	ssize_t n = recvfrom(s->fd, data, sizeof data, 0, (struct sockaddr *)&from, &size);

	(void)what;
	if (n >= 0)
		sendto(s->fd, data, (size_t)n, 0, (const struct sockaddr *)&from, size);
}

static void datagrams_go_and_come(void **state)
{
	static char large[70000];
	char host[64], peer[64];
	uint16_t port;
	bool v6;

	(void)state;
	a = (struct server){ .fd = bound_socket(SOCK_DGRAM, &a.port), .port = a.port };
	a.event = loop_event_new(w.loop, "echo", a.fd, EV_READ | EV_PERSIST, on_datagram, &a);
	loop_event_arm(a.event);
	w.settings.transport = LINK_UDP;
	add_place("127.0.0.1", a.port);
	start_link();
	w.on_up = send_hello;
	AWAIT(w.frames == 1);
	assert_string_equal(buf_text(&w.received), "hello\n");
	assert_int_equal(link_send(w.link, large, sizeof large), -EMSGSIZE);
	assert_int_equal(link_send(w.link, "no framing", 10), 0);
	AWAIT(w.frames == 2);
	assert_string_equal(buf_text(&w.received), "hello\nno framing");
	assert_true(link_local(w.link, host, sizeof host, &port, &v6));
	assert_string_equal(host, "127.0.0.1");
	assert_true(port != 0 && !v6);
	assert_true(link_remote(w.link, host, sizeof host, &port, &v6));
	assert_string_equal(host, "127.0.0.1");
	assert_true(port == a.port && !v6);
	assert_int_equal(link_security(w.link), LINK_CLEAR);
	snprintf(peer, sizeof peer, "127.0.0.1:%u (udp)", a.port);
	assert_string_equal(link_peer(w.link), peer);
	server_close(&a);
}

static void a_refused_datagram_takes_the_link_down(void **state)
{
	uint16_t port;
	int fd = bound_socket(SOCK_DGRAM, &port);

	(void)state;
	close(fd);
	w.settings.transport = LINK_UDP;
	add_place("127.0.0.1", port);
	start_link();
	w.on_up = send_hello;
	AWAIT(w.downs == 1);
	check_why(LINK_FAULT_LOST, "refused");
}

/* --- TCP ----------------------------------------------------------------------------------------- */

static void connect_to(struct server *s)
{
	server_open(s);
	add_place("127.0.0.1", s->port);
	start_link();
}

static void frames_go_and_come(void **state)
{
	char peer[64];
	struct buf stats;

	(void)state;
	a.greeting = NULL;
	connect_to(&a);
	a.greeting = "one\ntwo\nthr";
	a.echoes = true;
	assert_false(link_is_up(w.link));
	AWAIT(w.frames == 2);
	assert_true(link_is_up(w.link));
	send_hello();
	AWAIT(w.frames == 3);
	assert_string_equal(buf_text(&w.received), "one\ntwo\nthrhello\n");
	assert_int_equal(link_unsent(w.link), 0);
	snprintf(peer, sizeof peer, "127.0.0.1:%u (tcp)", a.port);
	assert_string_equal(link_peer(w.link), peer);
	assert_string_equal(link_host(w.link), "127.0.0.1");
	buf_init(&stats, 1000);
	link_stats(w.link, &stats);
	assert_non_null(strstr(buf_text(&stats), "\"connections\":1"));
	assert_non_null(strstr(buf_text(&stats), "\"frames_in\":3"));
	assert_non_null(strstr(buf_text(&stats), "\"bytes_out\":6"));
	buf_done(&stats);
	link_start(w.link);
	link_start(w.link);
	assert_int_equal(w.ups, 1);
	assert_int_equal(w.downs, 0);
	server_close(&a);
}

static void a_refusal_is_said(void **state)
{
	(void)state;
	server_reserve(&a);
	add_place("127.0.0.1", a.port);
	start_link();
	AWAIT(w.downs == 1);
	check_why(LINK_FAULT_CONNECT, "(tcp): Connection refused: nothing listens there, or a firewall turns us away");
	assert_int_equal(w.ups, 0);
	pass(NOT_AT_ONCE);
	assert_int_equal(w.downs, 1);
	server_close(&a);
}

static void a_refusal_at_once_comes_from_the_loop(void **state)
{
	(void)state;
	add_place("255.255.255.255", 9);
	start_link();
	assert_int_equal(w.downs, 0);
	AWAIT(w.downs == 1);
	assert_int_equal(w.fault, LINK_FAULT_CONNECT);
	assert_string_not_equal(w.why, "");
}

static void a_server_that_only_closes_is_not_called_at_once(void **state)
{
	(void)state;
	connect_to(&a);
	a.closes = true;
	AWAIT(w.downs == 1);
	check_why(LINK_FAULT_LOST, "closed the connection");
	pass(NOT_AT_ONCE);
	assert_int_equal(a.connections, 1);
	assert_int_equal(w.ups, 1);
	assert_int_equal(w.downs, 1);
	server_close(&a);
}

/* Once: what has broken it may break the next one as well, and for ever. */
static void after_a_good_connection_the_next_comes_at_once(void **state)
{
	(void)state;
	connect_to(&a);
	w.on_up = be_good;
	AWAIT(w.ups == 1 && a.peers[0] != NULL);
	server_hang_up(&a);
	AWAIT(w.ups == 2 && a.peers[1] != NULL);
	server_hang_up(&a);
	AWAIT(w.downs == 2);
	pass(300);
	assert_int_equal(w.ups, 2);
	server_close(&a);
}

static void say_bye_and_fail(void)
{
	assert_int_equal(link_send(w.link, "bye\n", 4), 0);
	fail_once();
}

static void a_dead_peer_is_watched_for(void **state)
{
	char host[64];
	uint16_t port;
	bool v6;

	(void)state;
	connect_to(&a);
	AWAIT(w.ups == 1);
	assert_true(link_local(w.link, host, sizeof host, &port, &v6));
	check_watched(find_socket(getsockname, port));
	server_close(&a);
}

static void what_was_sent_before_goes_out(void **state)
{
	(void)state;
	connect_to(&a);
	w.on_up = say_bye_and_fail;
	AWAIT(a.received.len == 4);
	assert_string_equal(buf_text(&a.received), "bye\n");
	server_close(&a);
}

static void after_fail_no_frame_comes(void **state)
{
	(void)state;
	connect_to(&a);
	a.greeting = "one\ntwo\nthree\n";
	w.on_frame = fail_once;
	AWAIT(w.downs == 1);
	assert_int_equal(w.frames, 1);
	server_close(&a);
}

/* --- limits -------------------------------------------------------------------------------------- */

static void a_frame_must_end(void **state)
{
	(void)state;
	w.protocol.frame_ms = 100;
	connect_to(&a);
	a.greeting = "whole\nnot whole";
	AWAIT(w.downs == 1);
	check_why(LINK_FAULT_FRAMING, "did not end");
	assert_int_equal(w.frames, 1);
	server_close(&a);
}

/* The limit begins with a part, which has come when the frame before it, written with it, has; and ends with its end. */
static void between_frames_there_is_time(void **state)
{
	(void)state;
	w.protocol.frame_ms = 500;
	connect_to(&a);
	a.greeting = "one\npart";
	AWAIT(w.frames == 1);
	server_say(&a, "ed\n");
	AWAIT(w.frames == 2);
	pass(700);
	assert_string_equal(buf_text(&w.received), "one\nparted\n");
	assert_int_equal(w.downs, 0);
	server_close(&a);
}

static void what_came_before_the_end_is_handed_over(void **state)
{
	(void)state;
	connect_to(&a);
	a.closes = true;
	a.greeting = "one\ntwo\nthr";
	AWAIT(w.downs == 1);
	assert_string_equal(buf_text(&w.received), "one\ntwo\n");
	check_why(LINK_FAULT_LOST, "closed the connection");
	server_close(&a);
}

static void a_frame_has_a_length(void **state)
{
	char text[1200];

	(void)state;
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	connect_to(&a);
	a.greeting = text;
	AWAIT(w.downs == 1);
	check_why(LINK_FAULT_FRAMING, "too long");
	server_close(&a);
}

static void silence_is_asked_about_and_then_the_end(void **state)
{
	(void)state;
	w.protocol.quiet_ms = 100;
	w.protocol.answer_ms = 100;
	connect_to(&a);
	AWAIT(w.downs == 1);
	assert_int_equal(w.quiets, 1);
	check_why(LINK_FAULT_LOST, "no answer within 100ms");
	server_close(&a);
}

static void an_answer_is_enough(void **state)
{
	(void)state;
	w.protocol.quiet_ms = 200;
	w.protocol.answer_ms = 200;
	connect_to(&a);
	a.echoes = true;
	w.on_quiet = send_hello;
	AWAIT(w.quiets == 3);
	assert_int_equal(w.downs, 0);
	server_close(&a);
}

static void send_part(void)
{
	assert_int_equal(link_send(w.link, "x", 1), 0);
}

/* Whoever has begun a frame is there; that it ends has a limit of its own. */
static void a_part_of_a_frame_is_an_answer(void **state)
{
	(void)state;
	w.protocol.quiet_ms = 200;
	w.protocol.answer_ms = 200;
	connect_to(&a);
	a.echoes = true;
	w.on_quiet = send_part;
	AWAIT(w.quiets == 3 || w.downs == 1);
	assert_int_equal(w.downs, 0);
	assert_int_equal(w.frames, 0);
	server_close(&a);
}

/* Silence begins with the answer, not when its time is over. */
static void much_time_to_answer_does_not_put_off_the_next_question(void **state)
{
	int quiets;

	(void)state;
	w.protocol.quiet_ms = 50;
	w.protocol.answer_ms = 60000;
	connect_to(&a);
	a.echoes = true;
	w.on_quiet = send_hello;
	pass(1000);
	quiets = w.quiets;
	server_close(&a);
	assert_in_range(quiets, 2, 20);
}

static void what_waits_to_be_sent_has_a_limit(void **state)
{
	static char data[1001];

	(void)state;
	w.protocol.unsent_max = 1000;
	connect_to(&a);
	assert_int_equal(link_send(w.link, data, 1), -ENOTCONN);
	AWAIT(w.ups == 1);
	assert_int_equal(link_send(w.link, data, 1001), -ENOBUFS);
	assert_int_equal(link_send(w.link, data, 600), 0);
	assert_int_equal(link_send(w.link, data, 401), -ENOBUFS);
	assert_int_equal(link_send(w.link, data, 400), 0);
	assert_int_equal(link_unsent(w.link), 1000);
	assert_int_equal(link_send(w.link, data, 1), -ENOBUFS);
	AWAIT(a.received.len == 1000);
	AWAIT(link_unsent(w.link) == 0);
	assert_int_equal(link_send(w.link, data, 1000), 0);
	server_close(&a);
}

/* --- life ---------------------------------------------------------------------------------------- */

static void stop_is_silent_until_start(void **state)
{
	char host[64];
	uint16_t port;
	bool v6;

	(void)state;
	connect_to(&a);
	AWAIT(w.ups == 1);
	assert_true(link_remote(w.link, host, sizeof host, &port, &v6));
	assert_true(strcmp(host, "127.0.0.1") == 0 && port == a.port && !v6);
	link_stop(w.link);
	assert_false(link_local(w.link, host, sizeof host, &port, &v6));
	assert_false(link_remote(w.link, host, sizeof host, &port, &v6));
	assert_int_equal(link_send(w.link, "x", 1), -ENOTCONN);
	server_say(&a, "late\n");
	pass(100);
	assert_int_equal(w.downs, 0);
	assert_int_equal(w.frames, 0);
	assert_int_equal(a.connections, 1);
	link_start(w.link);
	AWAIT(w.ups == 2);
	server_close(&a);
}

static void check_free_in(void (**callback)(void), const int *count)
{
	w.protocol.quiet_ms = 50;
	w.protocol.answer_ms = 50;
	server_open(&a);
	a.greeting = "one\ntwo\n";
	add_place("127.0.0.1", a.port);
	start_link();
	*callback = free_link;
	AWAIT(*count == 1);
	pass(200);
	assert_null(w.link);
	assert_int_equal(*count, 1);
	server_close(&a);
}

static void free_inside_up(void **state)
{
	(void)state;
	check_free_in(&w.on_up, &w.ups);
	assert_int_equal(w.frames + w.quiets + w.downs, 0);
}

static void free_inside_frame(void **state)
{
	(void)state;
	check_free_in(&w.on_frame, &w.frames);
	assert_int_equal(w.quiets + w.downs, 0);
}

static void free_inside_quiet(void **state)
{
	(void)state;
	check_free_in(&w.on_quiet, &w.quiets);
	assert_int_equal(w.downs, 0);
}

static void free_inside_down(void **state)
{
	(void)state;
	check_free_in(&w.on_down, &w.downs);
}

static void free_inside_down_of_an_attempt(void **state)
{
	(void)state;
	server_reserve(&a);
	add_place("127.0.0.1", a.port);
	start_link();
	w.on_down = free_link;
	AWAIT(w.downs == 1);
	pass(50);
	server_close(&a);
}

static void free_inside_down_of_fail(void **state)
{
	(void)state;
	connect_to(&a);
	w.on_up = fail_once;
	w.on_down = free_link;
	AWAIT(w.downs == 1);
	pass(50);
	server_close(&a);
}

/* At each moment of an attempt. */
static void free_while_it_connects(void **state)
{
	(void)state;
	link_free(NULL);
	make_link();
	free_link();
	server_open(&a);
	add_place("127.0.0.1", a.port);
	for (int turns = 0; turns < 6; turns++) {
		start_link();
		for (int i = 0; i < turns; i++) {
			loop_event_arm_in(w.deadline, 20);
			loop_run(w.loop);
		}
		free_link();
	}
	pass(50);
	assert_int_equal(w.downs, 0);
	server_close(&a);
}

static void settings_that_cannot_work_are_refused(void **state)
{
	char err[256] = "";

	(void)state;
	add_place("not a host", 0);
	assert_int_equal(link_new(&w.link, w.loop, &w.protocol, &w.settings, &w.place, NULL, err, sizeof err), -EINVAL);
	assert_non_null(strstr(err, "not a host"));
	w.settings.servers.count = 0;
	w.settings.transport = LINK_TLS;
	w.settings.ca_file = (char *)"/nonexistent/ca.pem";
	assert_int_equal(link_new(&w.link, w.loop, &w.protocol, &w.settings, &w.place, NULL, err, sizeof err), -EINVAL);
	assert_non_null(strstr(err, "/nonexistent/ca.pem"));
	w.settings.ca_file = NULL;
	w.settings.cert_file = (char *)"/nonexistent/cert.pem";
	assert_int_equal(link_new(&w.link, w.loop, &w.protocol, &w.settings, &w.place, NULL, err, sizeof err), -EINVAL);
	assert_non_null(strstr(err, "/nonexistent/cert.pem"));
}

static void the_place_is_used_where_no_server_is_set(void **state)
{
	char peer[64];

	(void)state;
	server_open(&a);
	w.place.server = "127.0.0.1";
	w.protocol.port = a.port;
	start_link();
	AWAIT(w.ups == 1);
	snprintf(peer, sizeof peer, "127.0.0.1:%u (tcp)", a.port);
	assert_string_equal(link_peer(w.link), peer);
	server_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(datagrams_go_and_come),
		TEST(a_refused_datagram_takes_the_link_down),
		TEST(frames_go_and_come),
		TEST(a_refusal_is_said),
		TEST(a_refusal_at_once_comes_from_the_loop),
		TEST(a_server_that_only_closes_is_not_called_at_once),
		TEST(after_a_good_connection_the_next_comes_at_once),
		TEST(a_dead_peer_is_watched_for),
		TEST(what_was_sent_before_goes_out),
		TEST(after_fail_no_frame_comes),
		TEST(a_frame_must_end),
		TEST(between_frames_there_is_time),
		TEST(what_came_before_the_end_is_handed_over),
		TEST(a_frame_has_a_length),
		TEST(silence_is_asked_about_and_then_the_end),
		TEST(an_answer_is_enough),
		TEST(a_part_of_a_frame_is_an_answer),
		TEST(much_time_to_answer_does_not_put_off_the_next_question),
		TEST(what_waits_to_be_sent_has_a_limit),
		TEST(stop_is_silent_until_start),
		TEST(free_inside_up),
		TEST(free_inside_frame),
		TEST(free_inside_quiet),
		TEST(free_inside_down),
		TEST(free_inside_down_of_an_attempt),
		TEST(free_inside_down_of_fail),
		TEST(free_while_it_connects),
		TEST(settings_that_cannot_work_are_refused),
		TEST(the_place_is_used_where_no_server_is_set),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
