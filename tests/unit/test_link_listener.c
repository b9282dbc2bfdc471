/* test_link_listener.c: who connects to us by TCP and UDP, by TLS: come, frames, gone, limits, the end.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/link_world.h"

#include <sys/resource.h>

#include "connectors/link_listener.h"

#define AWAIT_LOG(text)	  AWAIT(hear(&a) && strcmp(buf_text(&t.log), text) == 0)
#define AWAIT_END(caller) AWAIT(hear(caller) && (caller)->over)
#define LOUD		  600000 /* bytes: many records of TLS, many pieces of a buffer; a socket takes it at once */

static struct {
	struct link_listener *l; /* NULL: none, or freed */
	struct link_listener_protocol protocol;
	struct link_settings settings;
	struct link_guest *guest; /* the last one we heard of */
	struct loop_event *tick;
	int frames, asked;
	bool refuses;
	struct buf log;
	char host[64]; /* that welcome() was asked about */
	void (*on_welcome)(void), (*on_come)(void), (*on_frame)(void), (*on_gone)(void);
} t;

struct caller {
	int fd;
	bool over; /* the listener has closed */
	struct buf heard;
};

static char folder[] = "/tmp/test-link-listener-XXXXXX";
static char cert_file[64], key_file[64];
static char loud[LOUD];
static struct caller a, b; /* fd -1: nobody */
static struct {
	int before; /* standard error as it was; -1: nothing is kept */
	FILE *file;
} kept;

/* --- the listener -------------------------------------------------------------------------------- */

static bool welcome(void *arg, const char *host)
{
	(void)arg;
	t.asked++;
	snprintf(t.host, sizeof t.host, "%s", host);
	tell(t.on_welcome);
	return !t.refuses;
}

static void come(void *arg, struct link_guest *guest)
{
	(void)arg;
	t.guest = guest;
	buf_puts(&t.log, "come|");
	tell(t.on_come);
}

static void guest_frame(void *arg, struct link_guest *guest, const char *data, size_t len)
{
	(void)arg;
	t.frames++;
	t.guest = guest;
	buf_printf(&t.log, "%.*s|", (int)strcspn(data, "\n") < (int)len ? (int)strcspn(data, "\n") : (int)len, data);
	tell(t.on_frame);
}

static void gone(void *arg, struct link_guest *guest, enum link_fault fault, const char *why)
{
	(void)arg;
	t.guest = guest;
	w.fault = fault;
	snprintf(w.why, sizeof w.why, "%s", why);
	buf_puts(&t.log, "gone|");
	tell(t.on_gone);
}

static void on_tick(void *arg, short what)
{
	(void)arg;
	(void)what;
}

static void free_listener(void)
{
	link_listener_free(t.l);
	t.l = NULL;
}

static void close_guest(void)
{
	link_guest_close(t.guest, "enough");
}

/* What is written to standard error from now on. */
static void keep_errors(void)
{
	kept.file = tmpfile();
	kept.before = dup(STDERR_FILENO);
	assert_true(kept.file != NULL && kept.before >= 0);
	assert_true(dup2(fileno(kept.file), STDERR_FILENO) >= 0);
}

/* The lines that were written with these words in them; the last one stays in `line`. */
static int end_keeping(const char *words, char *line, size_t size)
{
	char text[1000];
	int count = 0;

	if (kept.before < 0)
		return 0;
	dup2(kept.before, STDERR_FILENO);
	close(kept.before);
	kept.before = -1;
	rewind(kept.file);
	while (next_line(kept.file, text, sizeof text) != NULL) {
		if (strstr(text, words) == NULL)
			continue;
		count++;
		snprintf(line, size, "%s", text);
	}
	fclose(kept.file);
	return count;
}

static int begin(void **state)
{
	kept.before = -1;
	if (world_begin(state) != 0)
		return -1;
	memset(&t, 0, sizeof t);
	buf_init(&t.log, 1 << 20);
	t.tick = loop_event_new(w.loop, "tick", -1, 0, on_tick, NULL);
	t.settings = w.settings;
	t.protocol = (struct link_listener_protocol){ .name = "test",
		.framing = { .kind = FRAMING_LINE, .max = 1000 },
		.welcome = welcome,
		.come = come,
		.frame = guest_frame,
		.gone = gone };
	a = b = (struct caller){ .fd = -1 };
	return t.tick == NULL ? -1 : 0;
}

static void hang_up(struct caller *c)
{
	if (c->fd < 0)
		return;
	close(c->fd);
	buf_done(&c->heard);
	c->fd = -1;
}

static int finish(void **state)
{
	end_keeping("", NULL, 0);
	hang_up(&a);
	hang_up(&b);
	free_listener();
	loop_event_free(t.tick);
	buf_done(&t.log);
	return world_end(state);
}

static void listen_at(const char *host, enum link_transport transport)
{
	char err[256] = "";

	t.settings.transport = transport;
	t.settings.cert_file = cert_file;
	t.settings.key_file = key_file;
	if (link_listen(&t.l, w.loop, &t.protocol, &t.settings, host, 0, NULL, err, sizeof err) != 0)
		fail_msg("link_listen: %s", err);
}

static void check_refused(const char *host, uint16_t port, int error, const char *words)
{
	char err[256] = "";

	assert_int_equal(link_listen(&t.l, w.loop, &t.protocol, &t.settings, host, port, NULL, err, sizeof err), error);
	if (strstr(err, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err, words);
	assert_null(t.l);
}

static void check_log(const char *expected)
{
	assert_string_equal(buf_text(&t.log), expected);
}

/* --- callers ------------------------------------------------------------------------------------- */

static void prepare_caller(struct caller *c, int family)
{
	hang_up(c);
	*c = (struct caller){ .fd = socket(family,
				  (t.settings.transport == LINK_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0) };
	assert_true(c->fd >= 0);
	buf_init(&c->heard, 1 << 20);
}

/* The kernel connects it: the loop need not turn. */
static void call(struct caller *c)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(link_listener_port(t.l)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	prepare_caller(c, AF_INET);
	assert_int_equal(connect(c->fd, (const struct sockaddr *)&at, sizeof at), 0);
}

static void speak(struct caller *c, const char *text)
{
	assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Take what has come; true: then look whether it is what is waited for. */
static bool hear(struct caller *c)
{
	char data[4096];
	ssize_t n = 0;

	while (c->fd >= 0 && !c->over && (n = recv(c->fd, data, sizeof data, MSG_DONTWAIT)) > 0)
		buf_put(&c->heard, data, (size_t)n);
	c->over = c->fd < 0 || c->over || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	loop_event_arm_in(t.tick, 5);
	return true;
}

static uint16_t port_of(const struct caller *c)
{
	struct sockaddr_in at;
	socklen_t len = sizeof at;

	assert_int_equal(getsockname(c->fd, (struct sockaddr *)&at, &len), 0);
	return ntohs(at.sin_port);
}

static void listen_and_call(enum link_transport transport)
{
	listen_at("127.0.0.1", transport);
	call(&a);
}

static void begin_again(enum link_transport transport)
{
	free_listener();
	buf_clear(&t.log);
	listen_and_call(transport);
}

/* The link of the world, which knows TLS, as a caller. */
static void call_by_tls(void)
{
	w.settings.transport = LINK_TLS;
	w.settings.ca_file = cert_file;
	w.settings.cert_host = (char *)"listener.test";
	w.settings.servers.count = 0;
	add_place("127.0.0.1", link_listener_port(t.l));
	start_link();
}

/* For callbacks: an assertion would not come back from the loop. */
static void expect(bool right)
{
	buf_puts(&t.log, right ? "" : "wrong|");
}

static void answer(void)
{
	expect(link_guest_send(t.guest, "hi\n", 3) == 0);
}

static void answer_and_close(void)
{
	answer();
	close_guest();
	expect(link_guest_send(t.guest, "x", 1) == -ENOTCONN);
}

static void answer_and_free(void)
{
	answer();
	free_listener();
	expect(link_guest_send(t.guest, "x", 1) == -ENOTCONN);
}

/* --- TCP ----------------------------------------------------------------------------------------- */

static void guests_come_and_speak_and_go(void **state)
{
	(void)state;
	listen_and_call(LINK_TCP);
	check_log("");
	AWAIT_LOG("come|");
	assert_string_equal(t.host, "127.0.0.1");
	assert_string_equal(link_guest_host(t.guest), "127.0.0.1");
	assert_int_equal(link_guest_port(t.guest), port_of(&a));
	t.on_frame = answer;
	speak(&a, "one\ntwo\nthr");
	AWAIT(hear(&a) && a.heard.len == 6);
	assert_string_equal(buf_text(&a.heard), "hi\nhi\n");
	check_log("come|one|two|");
	t.on_frame = NULL;
	speak(&a, "ee\nfour");
	hang_up(&a); /* what came before is handed over */
	AWAIT_LOG("come|one|two|three|gone|");
	check_why(LINK_FAULT_LOST, "closed the connection");
}

static void who_is_not_welcome_is_not_heard(void **state)
{
	(void)state;
	for (int udp = 0; udp < 2; udp++) {
		t.asked = 0;
		t.refuses = true;
		begin_again(udp ? LINK_UDP : LINK_TCP);
		speak(&a, "one\n");
		AWAIT(hear(&a) && t.asked == 1 && (udp || a.over));
		t.refuses = false;
		call(&b);
		speak(&b, "two\n");
		AWAIT_LOG(udp ? "two|" : "come|two|");
	}
}

/* Anybody can fill the log by coming again and again. */
static void strangers_are_told_of_once_in_a_while(void **state)
{
	char line[1000] = "";
	int told;

	(void)state;
	t.refuses = true;
	for (int udp = 0; udp < 2; udp++) {
		t.asked = 0;
		keep_errors();
		logger_set_level("link", LOG_LEVEL_INFO);
		begin_again(udp ? LINK_UDP : LINK_TCP);
		for (int i = 1; i <= 3; i++) {
			if (i > 1)
				call(&a);
			speak(&a, "one\n");
			AWAIT(t.asked == i);
		}
		logger_set_level(NULL, LOG_LEVEL_ERROR);
		told = end_keeping("turned_away", line, sizeof line);
		assert_int_equal(told, 1);
		assert_non_null(strstr(line, "127.0.0.1"));
		assert_non_null(strstr(line, "its address is not allowed"));
	}
}

static void a_dead_guest_is_watched_for(void **state)
{
	(void)state;
	listen_and_call(LINK_TCP);
	AWAIT_LOG("come|");
	check_watched(find_socket(getpeername, port_of(&a)));
}

static void guests_have_a_number(void **state)
{
	(void)state;
	t.protocol.guests_max = 1;
	listen_and_call(LINK_TCP);
	AWAIT_LOG("come|");
	call(&b);
	AWAIT_END(&b);
	hang_up(&a);
	AWAIT_LOG("come|gone|");
	call(&a);
	AWAIT_LOG("come|gone|come|");
	close_guest(); /* there is room at once */
	call(&b);
	AWAIT_LOG("come|gone|come|gone|come|");
}

static void keep_or_check(void)
{
	if (link_guest_data(t.guest) == NULL)
		link_guest_set_data(t.guest, strstr(buf_text(&t.log), "come|come|") == NULL ? &a : &b);
	else
		expect(link_guest_data(t.guest) == (link_guest_port(t.guest) == port_of(&a) ? &a : &b));
}

static void what_is_kept_of_a_guest_is_its_own(void **state)
{
	(void)state;
	t.on_come = t.on_frame = t.on_gone = keep_or_check;
	listen_and_call(LINK_TCP);
	AWAIT_LOG("come|");
	call(&b);
	AWAIT_LOG("come|come|");
	speak(&a, "one\n");
	AWAIT_LOG("come|come|one|");
	hang_up(&b);
	AWAIT_LOG("come|come|one|gone|");
}

/* --- limits -------------------------------------------------------------------------------------- */

static void limits_end_a_guest(void **state)
{
	static const struct {
		int64_t first_ms, idle_ms, frame_ms;
		const char *said, *log, *why;
		enum link_fault fault;
	} cases[] = {
		{ 100, 0, 0, "", "come|gone|", "said nothing", LINK_FAULT_LOST },
		{ 100, 0, 0, "a part", "come|gone|", "said nothing", LINK_FAULT_LOST },
		{ 0, 100, 0, "one\n", "come|one|gone|", "silent for too long", LINK_FAULT_LOST },
		{ 0, 0, 100, "one\ntw", "come|one|gone|", "did not end", LINK_FAULT_FRAMING },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		t.protocol.first_ms = cases[i].first_ms;
		t.protocol.idle_ms = cases[i].idle_ms;
		t.protocol.frame_ms = cases[i].frame_ms;
		begin_again(LINK_TCP);
		speak(&a, cases[i].said);
		AWAIT_LOG(cases[i].log);
		check_why(cases[i].fault, cases[i].why);
		AWAIT_END(&a);
	}
}

static void broken_framing_ends_one_guest(void **state)
{
	(void)state;
	listen_and_call(LINK_TCP);
	call(&b);
	AWAIT_LOG("come|come|");
	memset(loud, 'x', 1200);
	speak(&a, loud);
	AWAIT_LOG("come|come|gone|");
	check_why(LINK_FAULT_FRAMING, "too long");
	speak(&b, "one\n");
	AWAIT_LOG("come|come|gone|one|");
}

/* The limit of silence begins with the first frame, and again with each. */
static void who_speaks_is_not_silent(void **state)
{
	(void)state;
	t.protocol.idle_ms = 1500;
	listen_and_call(LINK_TCP);
	pass(1700);
	for (int i = 1; i <= 4; i++) {
		speak(&a, "x\n");
		AWAIT(t.frames == i);
		pass(500);
	}
	check_log("come|x|x|x|x|");
}

/* The limit of the first frame is not one of silence after it. */
static void without_a_limit_who_has_spoken_may_be_silent(void **state)
{
	(void)state;
	t.protocol.first_ms = 300;
	listen_and_call(LINK_TCP);
	speak(&a, "one\n");
	AWAIT_LOG("come|one|");
	pass(400);
	check_log("come|one|");
	speak(&a, "two\n");
	AWAIT_LOG("come|one|two|");
}

static void what_waits_to_be_sent_has_a_limit(void **state)
{
	(void)state;
	t.protocol.unsent_max = 1000;
	listen_and_call(LINK_TCP);
	AWAIT_LOG("come|");
	assert_int_equal(link_guest_send(t.guest, loud, 1001), -ENOBUFS);
	assert_int_equal(link_guest_send(t.guest, loud, 600), 0);
	assert_int_equal(link_guest_send(t.guest, loud, 401), -ENOBUFS);
	assert_int_equal(link_guest_send(t.guest, loud, 400), 0);
	assert_int_equal(link_guest_send(t.guest, loud, 1), -ENOBUFS);
	AWAIT(hear(&a) && a.heard.len == 1000);
}

/* No descriptor is left: it is tried again after a second, and the loop sleeps until then. */
static void without_descriptors_callers_wait(void **state)
{
	struct rlimit before, none = { .rlim_cur = 3 };
	struct loop_stats began, ended;

	(void)state;
	listen_and_call(LINK_TCP);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	loop_stats(w.loop, &began);
	pass(100);
	loop_stats(w.loop, &ended);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_in_range(ended.turns - began.turns, 1, 10);
	assert_int_equal(t.asked, 0);
	AWAIT_LOG("come|");
}

/* --- ends ---------------------------------------------------------------------------------------- */

/* Each callback ends it in each way: what is called after that, and what the caller has heard. */
static void it_may_end_inside_every_callback(void **state)
{
	static const struct {
		enum link_transport transport;
		void (*on_welcome)(void), (*on_come)(void), (*on_frame)(void), (*on_gone)(void);
		const char *log, *heard;
	} cases[] = {
		{ LINK_TCP, NULL, answer_and_close, NULL, NULL, "come|gone|", "hi\n" },
		{ LINK_TCP, NULL, NULL, answer_and_close, NULL, "come|one|gone|", "hi\n" },
		{ LINK_TCP, NULL, NULL, close_guest, close_guest, "come|one|gone|", "" },
		{ LINK_TCP, NULL, NULL, close_guest, free_listener, "come|one|gone|", "" },
		{ LINK_TCP, NULL, answer_and_free, NULL, NULL, "come|", "hi\n" },
		{ LINK_TCP, NULL, NULL, answer_and_free, NULL, "come|one|", "hi\n" },
		{ LINK_UDP, NULL, NULL, answer_and_free, NULL, "one|", "hi\n" },
		{ LINK_TCP, free_listener, NULL, NULL, NULL, "", "" },
		{ LINK_UDP, free_listener, NULL, NULL, NULL, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		t.on_welcome = cases[i].on_welcome;
		t.on_come = cases[i].on_come;
		t.on_frame = cases[i].on_frame;
		t.on_gone = cases[i].on_gone;
		begin_again(cases[i].transport);
		speak(&a, "one\n");
		speak(&a, "two\n");
		AWAIT(hear(&a) && (a.over || (cases[i].transport == LINK_UDP && t.l == NULL)));
		pass(20);
		check_log(cases[i].log);
		assert_string_equal(buf_text(&a.heard), cases[i].heard);
	}
}

static void answer_much_and_close(void)
{
	for (size_t sent = 0; sent < LOUD; sent += 3000)
		expect(link_guest_send(t.guest, loud, 3000) == 0);
	close_guest();
}

static void much_that_was_sent_goes_out_before_the_end(void **state)
{
	(void)state;
	t.protocol.welcome = NULL;
	t.protocol.come = NULL;
	t.protocol.gone = NULL;
	t.on_frame = answer_much_and_close;
	listen_and_call(LINK_TCP);
	speak(&a, "one\n");
	AWAIT_END(&a);
	assert_int_equal(a.heard.len, LOUD);
	check_log("one|");
}

static void after_free_the_port_is_free(void **state)
{
	uint16_t port;

	(void)state;
	link_listener_free(NULL);
	listen_and_call(LINK_TCP);
	port = link_listener_port(t.l);
	AWAIT_LOG("come|");
	answer_and_close(); /* between turns, and twice */
	check_log("come|gone|");
	check_why(LINK_FAULT_GIVEN_UP, "enough");
	close_guest();
	AWAIT_END(&a);
	call(&b);
	AWAIT_LOG("come|gone|come|");
	free_listener();
	assert_int_equal(
	    link_listen(&t.l, w.loop, &t.protocol, &t.settings, "127.0.0.1", port, NULL, w.why, sizeof w.why), 0);
	assert_int_equal(link_listener_port(t.l), port);
	AWAIT_END(&b);
	check_log("come|gone|come|");
}

/* At each moment of a connection. */
static void free_while_somebody_comes(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		begin_again(i % 2 == 0 ? LINK_TLS : LINK_TCP);
		speak(&a, "x");
		for (int turns = 0; turns < i / 2; turns++) {
			loop_event_arm_in(t.tick, 5);
			loop_run(w.loop);
		}
		free_listener();
		pass(5);
		assert_null(strstr(buf_text(&t.log), "gone"));
	}
}

/* --- TLS ----------------------------------------------------------------------------------------- */

static void a_certificate_is_shown(void **state)
{
	(void)state;
	t.on_frame = answer;
	listen_at("127.0.0.1", LINK_TLS);
	call_by_tls();
	AWAIT(w.ups == 1);
	assert_int_equal(link_send(w.link, "hello\n", 6), 0);
	AWAIT(w.frames == 1);
	assert_string_equal(buf_text(&w.received), "hi\n");
	assert_int_equal(link_security(w.link), LINK_VERIFIED);
	free_link();
	AWAIT_LOG("come|hello|gone|");
}

static void who_does_not_secure_it_has_not_come(void **state)
{
	(void)state;
	t.protocol.first_ms = 500;
	t.protocol.guests_max = 1;
	listen_and_call(LINK_TLS);
	AWAIT_END(&a); /* it was silent */
	call(&a);
	speak(&a, "hello, this is no TLS at all\n");
	AWAIT_END(&a);
	call(&a);
	AWAIT(t.asked == 3);
	hang_up(&a);
	pass(50);
	check_log("");
	call_by_tls(); /* there is room */
	AWAIT_LOG("come|gone|");
	check_why(LINK_FAULT_LOST, "said nothing");
}

/* A little, then more than one record. */
static void what_was_sent_by_tls_goes_out_before_the_end(void **state)
{
	(void)state;
	w.protocol.framing = (struct framing){ .kind = FRAMING_NONE };
	listen_at("127.0.0.1", LINK_TLS);
	for (int i = 0; i < 2; i++) {
		t.on_come = i == 0 ? answer_and_close : answer_much_and_close;
		call_by_tls();
		AWAIT(w.downs == i + 1);
		assert_int_equal(w.fault, LINK_FAULT_LOST);
		assert_int_equal(w.received.len, i == 0 ? 3 : 3 + LOUD);
		free_link();
	}
}

/* --- UDP ----------------------------------------------------------------------------------------- */

static void check_datagram(void)
{
	expect(strcmp(link_guest_host(t.guest), "127.0.0.1") == 0);
	expect(link_guest_port(t.guest) == port_of(t.frames == 1 ? &a : &b));
	link_guest_close(t.guest, "nothing happens");
	expect(link_guest_send(t.guest, loud, 70000) == -EMSGSIZE);
	answer();
}

static void datagrams_are_answered_to_their_senders(void **state)
{
	(void)state;
	listen_and_call(LINK_UDP);
	call(&b);
	t.on_frame = check_datagram;
	speak(&a, "no framing");
	AWAIT(hear(&a) && a.heard.len > 0);
	assert_string_equal(buf_text(&a.heard), "hi\n");
	speak(&b, "two");
	AWAIT(hear(&b) && b.heard.len > 0);
	assert_true(hear(&a) && a.heard.len == 3);
	check_log("no framing|two|");
}

/* --- addresses ----------------------------------------------------------------------------------- */

/* A guest of IPv4 is shown as one. */
static void every_address_is_listened_at(void **state)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	(void)state;
	t.on_frame = answer;
	for (int udp = 0; udp < 2; udp++) {
		listen_at(NULL, udp ? LINK_UDP : LINK_TCP);
		call(&a);
		speak(&a, "one\n");
		AWAIT(hear(&a) && a.heard.len == 3);
		assert_string_equal(t.host, "127.0.0.1");
		at.sin6_port = htons(link_listener_port(t.l));
		prepare_caller(&b, AF_INET6);
		if (connect(b.fd, (const struct sockaddr *)&at, sizeof at) == 0) { /* else there is no IPv6 here */
			speak(&b, "two\n");
			AWAIT(hear(&b) && b.heard.len == 3);
			assert_string_equal(t.host, "::1");
		}
		free_listener();
	}
}

static void addresses_that_cannot_be_had_are_said(void **state)
{
	struct link_listener *first;
	uint16_t port;
	int fd = bound_socket(SOCK_STREAM, &port);

	(void)state;
	assert_int_equal(listen(fd, 1), 0);
	check_refused("127.0.0.1", port, -EADDRINUSE, "in use");
	check_refused(NULL, port, -EADDRINUSE, "any address");
	close(fd);
	fd = bound_socket(SOCK_DGRAM, &port);
	t.settings.transport = LINK_UDP;
	check_refused("127.0.0.1", port, -EADDRINUSE, "in use");
	close(fd);
	listen_at("127.0.0.1", LINK_UDP); /* two of ours would share a port and its datagrams, if they could */
	first = t.l;
	t.l = NULL;
	check_refused("127.0.0.1", link_listener_port(first), -EADDRINUSE, "in use");
	link_listener_free(first);
	check_refused("localhost", 0, -EINVAL, "cannot listen at localhost port 0: not a numeric address");
	check_refused("", 0, -EINVAL, "not a numeric address");
	check_refused("192.0.2.1", 0, -EADDRNOTAVAIL, "192.0.2.1");
}

static void without_a_certificate_there_is_no_tls(void **state)
{
	(void)state;
	t.settings.transport = LINK_TLS;
	check_refused("127.0.0.1", 0, -EINVAL, "cert_file is missing");
	t.settings.cert_file = (char *)"/nonexistent/cert.pem";
	check_refused("127.0.0.1", 0, -EINVAL, "/nonexistent/cert.pem");
}

/* --- the whole ----------------------------------------------------------------------------------- */

static int make_certificate(void **state)
{
	char command[400];

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(cert_file, sizeof cert_file, "%s/cert.pem", folder);
	snprintf(key_file, sizeof key_file, "%s/key.pem", folder);
	snprintf(command, sizeof command,
	    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=listener.test "
	    "-addext subjectAltName=DNS:listener.test -out %s -keyout %s 2> /dev/null",
	    cert_file, key_file);
	return system(command);
}

static int remove_certificate(void **state)
{
	(void)state;
	unlink(cert_file);
	unlink(key_file);
	return rmdir(folder);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(guests_come_and_speak_and_go), TEST(who_is_not_welcome_is_not_heard),
		TEST(strangers_are_told_of_once_in_a_while), TEST(a_dead_guest_is_watched_for),
		TEST(guests_have_a_number), TEST(what_is_kept_of_a_guest_is_its_own), TEST(limits_end_a_guest),
		TEST(broken_framing_ends_one_guest), TEST(who_speaks_is_not_silent),
		TEST(without_a_limit_who_has_spoken_may_be_silent), TEST(what_waits_to_be_sent_has_a_limit),
		TEST(without_descriptors_callers_wait), TEST(it_may_end_inside_every_callback),
		TEST(much_that_was_sent_goes_out_before_the_end), TEST(after_free_the_port_is_free),
		TEST(free_while_somebody_comes), TEST(a_certificate_is_shown),
		TEST(who_does_not_secure_it_has_not_come), TEST(what_was_sent_by_tls_goes_out_before_the_end),
		TEST(datagrams_are_answered_to_their_senders), TEST(every_address_is_listened_at),
		TEST(addresses_that_cannot_be_had_are_said), TEST(without_a_certificate_there_is_no_tls) };

	return cmocka_run_group_tests_name("link_listener", tests, make_certificate, remove_certificate);
}
