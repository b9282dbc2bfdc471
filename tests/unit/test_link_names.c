/* test_link_names.c: names become addresses by SRV, A and AAAA, from a name server in this test; and probes.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/link_world.h"

#include "connectors/link_attempt.h"

#define TYPE_A	 1
#define TYPE_SRV 33

/* --- a name server ------------------------------------------------------------------------------- */

struct record {
	const char *name;
	uint16_t type;
	const char *data; /* of A: "192.0.2.1"; of SRV: the target */
	uint16_t priority, weight, port;
};

static struct {
	int fd;
	uint16_t port;
	struct loop_event *event;
	struct record records[32];
	size_t count;
	int srv_questions, questions;
	bool silent;
	char place[32], *resolvers[1];
} dns;

static void put16(struct buf *b, unsigned n)
{
	buf_putc(b, (char)(n >> 8));
	buf_putc(b, (char)n);
}

static void put_name(struct buf *b, const char *name)
{
	while (*name != '\0') {
		size_t len = strcspn(name, ".");

		buf_putc(b, (char)len);
		buf_put(b, name, len);
		name += len + (name[len] == '.');
	}
	buf_putc(b, 0);
}

static void put_record(struct buf *b, const struct record *r)
{
	struct buf data;
	struct in_addr address;

	buf_init(&data, 512);
	if (r->type == TYPE_A) {
		inet_pton(AF_INET, r->data, &address);
		buf_put(&data, &address, 4);
	} else {
		put16(&data, r->priority);
		put16(&data, r->weight);
		put16(&data, r->port);
		put_name(&data, r->data);
	}
	put16(b, 0xc00c); /* the name of the question */
	put16(b, r->type);
	put16(b, 1);
	put16(b, 0);
	put16(b, 60);
	put16(b, (unsigned)data.len);
	buf_put(b, data.data, data.len);
	buf_done(&data);
}

/* "a.b" from a question, and how long it was there. */
static size_t read_name(const unsigned char *p, size_t len, char *name, size_t size)
{
	struct buf text;
	size_t at = 0;

	buf_init(&text, size - 1);
	while (at < len && p[at] != 0) {
		buf_printf(&text, "%s%.*s", at == 0 ? "" : ".", p[at], (const char *)p + at + 1);
		at += p[at] + 1u;
	}
	snprintf(name, size, "%s", buf_text(&text));
	buf_done(&text);
	return at + 1;
}

static void answer_question(struct buf *b, const unsigned char *question, size_t len)
{
	char name[512];
	size_t name_len = read_name(question + 12, len - 12, name, sizeof name), found = 0, known = 0;
	unsigned type = (unsigned)question[12 + name_len] << 8 | question[13 + name_len];

	dns.questions++;
	dns.srv_questions += type == TYPE_SRV;
	for (size_t i = 0; i < dns.count; i++) {
		known += strcasecmp(dns.records[i].name, name) == 0;
		found += strcasecmp(dns.records[i].name, name) == 0 && dns.records[i].type == type;
	}
	buf_put(b, question, 2);
	put16(b, known > 0 ? 0x8180 : 0x8183); /* no such name */
	put16(b, 1);
	put16(b, (unsigned)found);
	put16(b, 0);
	put16(b, 0);
	buf_put(b, question + 12, name_len + 4);
	for (size_t i = 0; i < dns.count; i++)
		if (strcasecmp(dns.records[i].name, name) == 0 && dns.records[i].type == type)
			put_record(b, &dns.records[i]);
}

static void on_question(void *arg, short what)
{
	unsigned char question[512];
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	ssize_t n = recvfrom(dns.fd, question, sizeof question, 0, (struct sockaddr *)&from, &size);
	struct buf b;

	(void)arg;
	(void)what;
	if (n < 17 || dns.silent)
		return;
	buf_init(&b, 4096);
	answer_question(&b, question, (size_t)n);
	sendto(dns.fd, b.data, b.len, 0, (const struct sockaddr *)&from, size);
	buf_done(&b);
}

static void add_a(const char *name, const char *address)
{
	dns.records[dns.count++] = (struct record){ .name = name, .type = TYPE_A, .data = address };
}

static void add_srv(const char *name, uint16_t priority, uint16_t weight, const char *target, uint16_t port)
{
	dns.records[dns.count++] = (struct record){
		.name = name, .type = TYPE_SRV, .data = target, .priority = priority, .weight = weight, .port = port
	};
}

static int begin(void **state)
{
	int r = world_begin(state);

	memset(&dns, 0, sizeof dns);
	dns.fd = bound_socket(SOCK_DGRAM, &dns.port);
	dns.event = loop_event_new(w.loop, "dns", dns.fd, EV_READ | EV_PERSIST, on_question, NULL);
	loop_event_arm(dns.event);
	snprintf(dns.place, sizeof dns.place, "127.0.0.1:%u", dns.port);
	dns.resolvers[0] = dns.place;
	w.settings.resolvers = (struct option_list){ dns.resolvers, 1 };
	w.protocol.service = "_sip";
	w.protocol.port = 9; /* nobody listens there; without a port c-ares does not ask */
	return r;
}

static int end(void **state)
{
	int r;

	loop_event_free(dns.event);
	dns.event = NULL;
	r = world_end(state);
	close(dns.fd);
	return r;
}

/* --- names --------------------------------------------------------------------------------------- */

static struct server a, b;

static void check_peer(const char *host, uint16_t port)
{
	char peer[128];

	AWAIT(w.ups == 1);
	snprintf(peer, sizeof peer, "%s:%u (127.0.0.1, tcp)", host, port);
	assert_string_equal(link_peer(w.link), peer);
	assert_string_equal(link_host(w.link), host);
	assert_int_equal(w.downs, 0);
}

static void a_name_with_a_port_has_addresses(void **state)
{
	(void)state;
	server_open(&a);
	add_a("one.test", "127.0.0.1");
	add_srv("_sip._tcp.one.test", 1, 1, "one.test", 9);
	add_place("one.test", a.port);
	start_link();
	check_peer("one.test", a.port);
	assert_int_equal(dns.srv_questions, 0);
	server_close(&a);
}

static void a_name_without_srv_has_the_usual_port(void **state)
{
	(void)state;
	server_open(&a);
	add_a("one.test", "127.0.0.1");
	w.protocol.port = a.port;
	add_place("one.test", 0);
	start_link();
	check_peer("one.test", a.port);
	assert_int_equal(dns.srv_questions, 1);
	server_close(&a);
}

static void port_0_of_srv_is_the_usual_port(void **state)
{
	(void)state;
	server_open(&a);
	add_srv("_sip._tcp.one.test", 1, 1, "a.test", 0);
	add_a("a.test", "127.0.0.1");
	w.protocol.port = a.port;
	add_place("one.test", 0);
	start_link();
	AWAIT(w.ups == 1);
	assert_int_equal(w.downs, 0);
	server_close(&a);
}

static void without_a_service_no_srv_is_asked_for(void **state)
{
	(void)state;
	server_open(&a);
	add_a("one.test", "127.0.0.1");
	w.protocol.port = a.port;
	w.protocol.service = NULL;
	add_place("one.test", 0);
	start_link();
	check_peer("one.test", a.port);
	assert_int_equal(dns.srv_questions, 0);
	server_close(&a);
}

static void two_targets(uint16_t a_priority, uint16_t b_priority)
{
	add_a("a.test", "127.0.0.1");
	add_a("b.test", "127.0.0.1");
	add_srv("_sip._tcp.one.test", b_priority, 5, "b.test", b.port);
	add_srv("_sip._tcp.one.test", a_priority, 0, "a.test", a.port);
	add_place("one.test", 0);
	start_link();
}

static void the_first_priority_comes_first(void **state)
{
	(void)state;
	server_open(&a);
	server_open(&b);
	two_targets(10, 20);
	check_peer("one.test", a.port);
	assert_int_equal(b.connections, 0);
	server_close(&a);
	server_close(&b);
}

static void the_next_priority_comes_when_the_first_refuses(void **state)
{
	(void)state;
	server_reserve(&a);
	server_open(&b);
	two_targets(10, 20);
	check_peer("one.test", b.port);
	server_close(&a);
	server_close(&b);
}

/* At random by weight: 200 to 1, so that ten times the other one do not happen. */
static void weights_count_among_equals(void **state)
{
	int heavy = 0;

	(void)state;
	server_open(&a);
	server_open(&b);
	w.settings.servers.count = 0;
	add_a("a.test", "127.0.0.1");
	add_srv("_sip._tcp.one.test", 1, 0, "a.test", a.port);
	add_srv("_sip._tcp.one.test", 1, 65000, "a.test", b.port);
	add_place("one.test", 0);
	for (int i = 1; i <= 10; i++) {
		start_link();
		AWAIT(w.ups == i);
		free_link();
	}
	AWAIT(a.connections + b.connections == 10);
	heavy = b.connections;
	server_close(&a);
	server_close(&b);
	assert_true(heavy >= 8);
}

/* The priorities count, wherever in a long answer they stand. */
static void the_first_priority_may_stand_last(void **state)
{
	(void)state;
	server_open(&a);
	server_reserve(&b);
	add_a("a.test", "127.0.0.1");
	for (int i = 0; i < 9; i++)
		add_srv("_sip._tcp.one.test", 20, 0, "a.test", b.port);
	add_srv("_sip._tcp.one.test", 10, 0, "a.test", a.port);
	add_place("one.test", 0);
	start_link();
	AWAIT(w.ups + w.downs == 1);
	server_close(&a);
	server_close(&b);
	assert_int_equal(w.ups, 1);
}

static void several_addresses_are_tried(void **state)
{
	char peer[64];

	(void)state;
	server_open(&a);
	add_a("one.test", "127.0.0.9"); /* only 127.0.0.1 is listened at */
	add_a("one.test", "127.0.0.1");
	add_a("one.test", "127.0.0.8");
	add_place("one.test", a.port);
	start_link();
	AWAIT(w.ups == 1);
	snprintf(peer, sizeof peer, "one.test:%u (127.0.0.1, tcp)", a.port);
	assert_string_equal(link_peer(w.link), peer);
	server_close(&a);
}

static void check_no_name(void)
{
	AWAIT(w.downs == 1);
	assert_int_equal(w.fault, LINK_FAULT_NAME);
	if (strstr(w.why, "cannot be resolved") == NULL)
		fail_msg("%s", w.why);
}

static void a_name_that_is_unknown_is_said(void **state)
{
	(void)state;
	add_place("nowhere.test", 0);
	start_link();
	check_no_name();
	assert_non_null(strstr(w.why, "nowhere.test"));
}

static void a_target_without_address_is_said(void **state)
{
	(void)state;
	add_srv("_sip._tcp.one.test", 1, 1, "nowhere.test", 9);
	add_place("one.test", 0);
	start_link();
	check_no_name();
	assert_non_null(strstr(w.why, "nowhere.test"));
}

static void a_target_without_address_is_passed_over(void **state)
{
	(void)state;
	server_open(&a);
	add_srv("_sip._tcp.one.test", 1, 1, "nowhere.test", 9);
	add_srv("_sip._tcp.one.test", 2, 1, "a.test", a.port);
	add_a("a.test", "127.0.0.1");
	add_place("one.test", 0);
	start_link();
	check_peer("one.test", a.port);
	server_close(&a);
}

/* After a name that cannot be resolved the next server has its turn. */
static void the_next_server_is_tried(void **state)
{
	(void)state;
	server_open(&a);
	add_place("nowhere.test", 0);
	add_place("127.0.0.1", a.port);
	start_link();
	AWAIT(w.ups == 1);
	assert_int_equal(w.downs, 0);
	server_close(&a);
}

/* The second of its tries waits longer than the first. */
static void a_name_server_that_is_silent_is_given_up(void **state)
{
	(void)state;
	server_open(&a);
	dns.silent = true;
	add_place("one.test", 9);
	add_place("127.0.0.1", a.port);
	start_link();
	AWAIT(w.ups == 1);
	assert_int_equal(w.downs, 0);
	server_close(&a);
}

static void free_while_it_resolves(void **state)
{
	(void)state;
	add_a("one.test", "127.0.0.1");
	add_place("one.test", 9);
	for (int turns = 0; turns < 6; turns++) {
		start_link();
		for (int i = 0; i < turns; i++) {
			loop_event_arm_in(w.deadline, 20);
			loop_run(w.loop);
		}
		free_link();
	}
	pass(50);
}

/* --- probes -------------------------------------------------------------------------------------- */

static struct buf hops;	     /* "tcp one.test ok\n" */
static struct buf sentences; /* of those that were bad */
static int dones, hop_count;
static bool reached;
static void (*in_hop)(void), (*in_done)(void);

static void hop(void *arg, const char *name, const char *sentence)
{
	(void)arg;
	hop_count++;
	buf_printf(&hops, "%s %s\n", name, sentence == NULL ? "ok" : "bad");
	if (sentence != NULL)
		buf_printf(&sentences, "%s\n", sentence);
	tell(in_hop);
}

static void done(void *arg, bool result)
{
	(void)arg;
	dones++;
	reached = result;
	tell(in_done);
}

static const struct link_probe probe = { .hop = hop, .done = done };

static int begin_probe(void **state)
{
	int r = begin(state);

	buf_init(&hops, 10000);
	buf_init(&sentences, 10000);
	dones = hop_count = 0;
	in_hop = in_done = NULL;
	add_a("one.test", "127.0.0.1");
	add_a("one.test", "127.0.0.2");
	server_open(&a);
	return r;
}

static int end_probe(void **state)
{
	server_close(&a);
	buf_done(&hops);
	buf_done(&sentences);
	return end(state);
}

static void start_probe(void)
{
	add_place("one.test", a.port);
	make_link();
	link_probe(w.link, &probe, NULL);
}

static void a_probe_tells_each_hop(void **state)
{
	(void)state;
	dns.count = 1;
	add_place("nowhere.test", 0);
	server_reserve(&b);
	add_place("127.0.0.1", b.port);
	start_probe();
	AWAIT(dones == 1);
	assert_true(reached);
	assert_string_equal(buf_text(&hops),
	    "dns nowhere.test bad\ndns 127.0.0.1 ok\ntcp 127.0.0.1 bad\ndns one.test ok\ntcp one.test ok\n");
	assert_int_equal(w.ups + w.downs, 0);
	pass(50);
	assert_int_equal(dones, 1);
	server_close(&b);
}

static void a_probe_that_reaches_nobody_says_so(void **state)
{
	(void)state;
	add_place("nowhere.test", 0);
	make_link();
	link_probe(w.link, &probe, NULL);
	AWAIT(dones == 1);
	assert_false(reached);
}

/* What it waits for when its time is over is named. */
static void a_probe_that_ends_in_the_middle_names_the_hop(void **state)
{
	(void)state;
	dns.silent = true;
	add_place("nowhere.test", 0);
	add_place("later.test", 0);
	make_link();
	link_probe(w.link, &probe, NULL);
	AWAIT(dones == 1);
	assert_false(reached);
	assert_string_equal(buf_text(&hops), "dns nowhere.test bad\ndns later.test bad\n");
	assert_string_equal(buf_text(&sentences),
	    "no name server has answered in time: look at resolvers, or at /etc/resolv.conf\n"
	    "no time was left to look at this server: those before it do not answer\n");
}

/* Here it is a server that accepts and then says nothing: no name server is to blame. */
static void a_server_that_does_not_answer_is_told_from_a_name_server(void **state)
{
	static const struct link_attempt_owner owner = { .hop = hop };
	struct link_server servers[] = { { .host = "127.0.0.1", .port = a.port }, { .host = "later.test" } };
	struct link_parts parts = { .loop = w.loop,
		.protocol = &w.protocol,
		.settings = &w.settings,
		.context = SSL_CTX_new(TLS_client_method()),
		.servers = servers,
		.server_count = COUNT_OF(servers) };
	struct link_attempt *attempt = link_attempt_new(&parts, 0, COUNT_OF(servers), &owner, NULL);
	char expected[256];

	(void)state;
	assert_non_null(attempt);
	w.settings.transport = LINK_TLS;
	w.settings.tls_verify = false;
	AWAIT(hop_count == 2 && a.connections == 1);
	link_attempt_tell_pending(attempt);
	link_attempt_cancel(attempt);
	pass(1); /* what is freed at the end of a turn */
	SSL_CTX_free(parts.context);
	assert_string_equal(
	    buf_text(&hops), "dns 127.0.0.1 ok\ntcp 127.0.0.1 ok\ntls 127.0.0.1 bad\ndns later.test bad\n");
	snprintf(expected, sizeof expected,
	    "127.0.0.1:%u (tls): no answer in time\n"
	    "no time was left to look at this server: those before it do not answer\n",
	    a.port);
	assert_string_equal(buf_text(&sentences), expected);
}

/* A name may have more addresses than are kept. */
static void the_first_of_many_addresses_are_tried(void **state)
{
	struct buf expected;

	(void)state;
	server_reserve(&b);
	dns.count = 0;
	for (int i = 0; i < LINK_TARGETS_MAX + 4; i++)
		add_a("one.test", "127.0.0.1");
	add_place("one.test", b.port);
	make_link();
	link_probe(w.link, &probe, NULL);
	AWAIT(dones == 1);
	assert_false(reached);
	buf_init(&expected, 10000);
	buf_puts(&expected, "dns one.test ok\n");
	for (int i = 0; i < LINK_TARGETS_MAX; i++)
		buf_puts(&expected, "tcp one.test bad\n");
	assert_string_equal(buf_text(&hops), buf_text(&expected));
	buf_done(&expected);
	server_close(&b);
}

static void a_probe_does_not_touch_the_link(void **state)
{
	(void)state;
	add_place("127.0.0.1", a.port);
	start_link();
	AWAIT(w.ups == 1);
	link_probe(w.link, &probe, NULL);
	AWAIT(dones == 1 && a.connections == 2);
	assert_int_equal(w.ups, 1);
	assert_int_equal(w.downs, 0);
	assert_true(link_is_up(w.link));
}

static void a_new_probe_ends_the_old_one(void **state)
{
	(void)state;
	start_probe();
	link_probe(w.link, &probe, NULL);
	assert_int_equal(dones, 1);
	assert_false(reached);
	AWAIT(dones == 2);
	assert_true(reached);
}

static void free_inside_done(void **state)
{
	(void)state;
	in_done = free_link;
	start_probe();
	AWAIT(dones == 1);
	pass(50);
}

static void free_inside_the_last_hop(void **state)
{
	(void)state;
	add_place("nowhere.test", 0);
	make_link();
	in_hop = free_link;
	link_probe(w.link, &probe, NULL);
	AWAIT(hop_count == 1);
	pass(50);
	assert_int_equal(dones, 0);
}

/* The hop is "dns ok": an address is next, which nobody wants any more. */
static void free_inside_a_hop(void **state)
{
	(void)state;
	in_hop = free_link;
	start_probe();
	AWAIT(hop_count == 1);
	pass(100);
	assert_int_equal(hop_count, 1);
	assert_int_equal(dones, 0);
}

static void probe_again_once(void)
{
	in_hop = NULL;
	link_probe(w.link, &probe, NULL);
}

static void a_new_probe_may_begin_inside_a_hop(void **state)
{
	(void)state;
	in_hop = probe_again_once;
	start_probe();
	AWAIT(dones == 2);
	pass(100);
	assert_int_equal(dones, 2);
}

/* The new probe ends the old one with done(), and that frees the link. */
static void free_inside_done_of_an_old_probe(void **state)
{
	(void)state;
	start_probe();
	in_done = free_link;
	link_probe(w.link, &probe, NULL);
	pass(100);
	assert_int_equal(dones, 1);
	assert_int_equal(hop_count, 0);
}

#define NAME_TEST(name)	 cmocka_unit_test_setup_teardown(name, begin, end)
#define PROBE_TEST(name) cmocka_unit_test_setup_teardown(name, begin_probe, end_probe)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NAME_TEST(a_name_with_a_port_has_addresses),
		NAME_TEST(a_name_without_srv_has_the_usual_port),
		NAME_TEST(port_0_of_srv_is_the_usual_port),
		NAME_TEST(without_a_service_no_srv_is_asked_for),
		NAME_TEST(the_first_priority_comes_first),
		NAME_TEST(the_next_priority_comes_when_the_first_refuses),
		NAME_TEST(weights_count_among_equals),
		NAME_TEST(the_first_priority_may_stand_last),
		NAME_TEST(several_addresses_are_tried),
		NAME_TEST(a_name_that_is_unknown_is_said),
		NAME_TEST(a_target_without_address_is_said),
		NAME_TEST(a_target_without_address_is_passed_over),
		NAME_TEST(the_next_server_is_tried),
		NAME_TEST(a_name_server_that_is_silent_is_given_up),
		NAME_TEST(free_while_it_resolves),
		PROBE_TEST(a_probe_tells_each_hop),
		PROBE_TEST(a_probe_that_reaches_nobody_says_so),
		PROBE_TEST(a_probe_that_ends_in_the_middle_names_the_hop),
		PROBE_TEST(a_server_that_does_not_answer_is_told_from_a_name_server),
		PROBE_TEST(the_first_of_many_addresses_are_tried),
		PROBE_TEST(a_probe_does_not_touch_the_link),
		PROBE_TEST(a_new_probe_ends_the_old_one),
		PROBE_TEST(free_inside_done),
		PROBE_TEST(free_inside_the_last_hop),
		PROBE_TEST(free_inside_a_hop),
		PROBE_TEST(a_new_probe_may_begin_inside_a_hop),
		PROBE_TEST(free_inside_done_of_an_old_probe),
	};

	return cmocka_run_group_tests_name("link_names", tests, NULL, NULL);
}
