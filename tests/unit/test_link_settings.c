/* test_link_settings.c: where servers are is read, and what is wrong is said with the name of its option.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/heard_wrong.h"
#include "tests/unit/helpers.h"

#include "connectors/link_settings.h"

static void check_split(const char *text, const char *host, uint16_t port)
{
	char found[LINK_HOST_SIZE] = "?";
	uint16_t found_port = 7;

	assert_true(link_split(text, found, sizeof found, &found_port));
	assert_string_equal(found, host);
	assert_int_equal(found_port, port);
}

static void check_refused(const char *const *texts, size_t count)
{
	char host[LINK_HOST_SIZE];
	uint16_t port;

	for (size_t i = 0; i < count; i++)
		if (link_split(texts[i], host, sizeof host, &port))
			fail_msg("\"%s\" was taken as \"%s\" and %u", texts[i], host, port);
}

static void names_and_addresses_are_split(void **state)
{
	(void)state;
	check_split("cups", "cups", 0);
	check_split("cups.example.com", "cups.example.com", 0);
	check_split("cups.example.com:5061", "cups.example.com", 5061);
	check_split("a_b-c.EXAMPLE.:1", "a_b-c.EXAMPLE.", 1);
	check_split("192.0.2.1", "192.0.2.1", 0);
	check_split("192.0.2.1:65535", "192.0.2.1", 65535);
	check_split("h:00001", "h", 1);
}

static void v6_addresses_are_split(void **state)
{
	(void)state;
	check_split("::", "::", 0);
	check_split("::1", "::1", 0);
	check_split("2001:db8::1:5060", "2001:db8::1:5060", 0); /* no port: that needs brackets */
	check_split("2001:db8:0:0:0:0:0:1", "2001:db8:0:0:0:0:0:1", 0);
	check_split("::ffff:192.0.2.1", "::ffff:192.0.2.1", 0);
	check_split("[::1]", "::1", 0);
	check_split("[2001:db8::1]:5060", "2001:db8::1", 5060);
	check_split("[::ffff:192.0.2.1]:1", "::ffff:192.0.2.1", 1);
}

static void what_is_none_of_these_is_refused(void **state)
{
	static const char *const texts[] = { "", ":", ":5060", "host:", "host:0", "host:65536", "host:99999",
		"host:123456", "host:+1", "host:-1", "host: 1", "host:1 ", "host:1x", "host:x", "ho st", " host",
		"host ", "host\n", "host/", "sip:host", "sip:host:5060", "user@host", "h\xc3\xb6st", "[", "]", "[]",
		"[]:5060", "[::1", "::1]", "[::1]5060", "[::1]:", "[::1]:0", "[::1]:x", "[::1]:65536", "[[::1]]",
		"[host]", "[host]:5060", "[192.0.2.1]", "[192.0.2.1]:1", "host:5060:5061", ":::", "fe80::1%eth0",
		"host;lr", "<host>", "*", "host," };

	(void)state;
	check_refused(texts, COUNT_OF(texts));
}

/* "::1:5060" is an address, so "::1:50600" must not become an address with a port. */
static void v6_address_with_a_port_needs_brackets(void **state)
{
	static const char *const texts[] = { "::1:50600", "fe80::1:65535", "1:2:3:4:5:6:7:8:5060" };

	(void)state;
	check_refused(texts, COUNT_OF(texts));
}

static void a_host_has_a_limit(void **state)
{
	char text[LINK_HOST_SIZE + 8], host[LINK_HOST_SIZE];
	uint16_t port;

	(void)state;
	memset(text, 'a', sizeof text);
	snprintf(text + LINK_HOST_SIZE - 1, 9, ":5060");
	assert_true(link_split(text, host, sizeof host, &port));
	assert_int_equal(strlen(host), LINK_HOST_SIZE - 1);
	memset(text, 'a', sizeof text);
	snprintf(text + LINK_HOST_SIZE, 8, ":5060");
	assert_false(link_split(text, host, sizeof host, &port));
	assert_false(link_split("four", host, 4, &port));
	assert_true(link_split("thr", host, 4, &port));
	assert_false(link_split("[::1]", host, 3, &port));
	assert_true(link_split("[::1]", host, 4, &port));
}

static struct link_settings good(void)
{
	return (struct link_settings){ .tls_min = TLS_VERSION_1_2, .tls_max = TLS_VERSION_1_3, .tls_verify = true };
}

static struct heard_wrong heard;

/* How many options are wrong; the last one is remembered. */
static int check(const struct link_settings *s)
{
	heard = (struct heard_wrong){ 0 };
	link_settings_check(s, &(struct option_critic){ hear_wrong, &heard });
	return heard.count;
}

static void good_settings_are_good(void **state)
{
	char *servers[] = { (char *)"cups:5060", (char *)"[::1]", (char *)"192.0.2.1" };
	struct link_settings s = good();

	(void)state;
	assert_int_equal(check(&s), 0);
	s.servers = (struct option_list){ servers, 3 };
	s.resolvers = (struct option_list){ servers + 1, 2 };
	s.tls_min = s.tls_max = TLS_VERSION_1_0;
	s.cert_file = s.key_file = (char *)"x.pem";
	assert_int_equal(check(&s), 0);
	s.key_file = NULL;
	assert_int_equal(check(&s), 0);
}

static void check_wrong(const struct link_settings *s, const char *option, const char *word)
{
	assert_int_equal(check(s), 1);
	assert_string_equal(heard.option, option);
	assert_non_null(strstr(heard.why, word));
	assert_non_null(strstr(heard.why, "expected"));
}

static void what_is_wrong_is_said(void **state)
{
	char *places[] = { (char *)"good", (char *)"not good" };
	struct link_settings s = good();

	(void)state;
	s.servers = (struct option_list){ places, 2 };
	check_wrong(&s, "server", "\"not good\"");
	s.servers.count = 1;
	s.resolvers = (struct option_list){ places + 1, 1 };
	check_wrong(&s, "resolvers", "\"not good\"");
	s = good();
	s.tls_min = TLS_VERSION_1_3;
	s.tls_max = TLS_VERSION_1_2;
	check_wrong(&s, "tls_min", "1.3");
	s = good();
	s.failback = 999;
	check_wrong(&s, "failback", "999 ms");
	s = good();
	s.key_file = (char *)"key.pem";
	check_wrong(&s, "key_file", "cert_file");
	s.servers = (struct option_list){ places + 1, 1 };
	s.resolvers = (struct option_list){ places, 2 };
	assert_int_equal(check(&s), 4); /* all at once */
}

/* c-ares takes name servers by address only; a name would be refused at each attempt to connect. */
static void a_resolver_is_an_address(void **state)
{
	char *name[] = { (char *)"dns.example.com" };
	struct link_settings s = good();

	(void)state;
	s.resolvers = (struct option_list){ name, 1 };
	check_wrong(&s, "resolvers", "\"dns.example.com\"");
}

static void places_to_listen_are_split(void **state)
{
	static const struct {
		const char *text, *host; /* NULL: refused */
		uint16_t port;
	} rows[] = {
		{ "4000", "", 4000 },
		{ "1", "", 1 },
		{ "65535", "", 65535 },
		{ "127.0.0.1:4000", "127.0.0.1", 4000 },
		{ "0.0.0.0:1", "0.0.0.0", 1 },
		{ "[::1]:4000", "::1", 4000 },
		{ "[::]:4000", "::", 4000 },
		{ "", NULL, 0 },
		{ "0", NULL, 0 },
		{ "65536", NULL, 0 },
		{ "-1", NULL, 0 },
		{ "+1", NULL, 0 },
		{ " 4000", NULL, 0 },
		{ "4000 ", NULL, 0 },
		{ ":4000", NULL, 0 },
		{ "127.0.0.1", NULL, 0 },
		{ "127.0.0.1:", NULL, 0 },
		{ "127.0.0.1:0", NULL, 0 },
		{ "localhost:4000", NULL, 0 },
		{ "::1", NULL, 0 },
		{ "::1:4000", NULL, 0 },
		{ "[::1]", NULL, 0 },
		{ "[127.0.0.1]:4000", NULL, 0 },
		{ "4000:4000", NULL, 0 },
		{ "00000000000000000000004000", NULL, 0 },
		{ "99999999999999999999999999", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char host[LINK_HOST_SIZE] = "?";
		uint16_t port = 9;

		if (link_listen_split(rows[i].text, host, sizeof host, &port) != (rows[i].host != NULL))
			fail_msg("\"%s\"", rows[i].text);
		if (rows[i].host == NULL)
			continue;
		assert_string_equal(host, rows[i].host);
		assert_int_equal(port, rows[i].port);
	}
}

static void words_are_those_of_the_enums(void **state)
{
	(void)state;
	assert_string_equal(vocab_name(&vocab_link_transport, LINK_UDP), "udp");
	assert_string_equal(vocab_name(&vocab_link_transport, LINK_TCP), "tcp");
	assert_string_equal(vocab_name(&vocab_link_transport, LINK_TLS), "tls");
	assert_string_equal(vocab_name(&vocab_tls_version, TLS_VERSION_1_0), "1.0");
	assert_string_equal(vocab_name(&vocab_tls_version, TLS_VERSION_1_3), "1.3");
}

struct holder {
	int before;
	struct link_settings link;
};

static const struct option table[] = {
	LINK_OPTIONS(struct holder, link, "x_", OPTION_REQUIRED, "tls"),
	{ NULL, OPTION_TEXT, 0, NULL, 0, 0, NULL, 0, NULL },
};

static void options_have_defaults(void **state)
{
	struct holder h = { 0 };

	(void)state;
	assert_int_equal(options_set_defaults(table, &h), 0);
	assert_int_equal(h.link.transport, LINK_TLS);
	assert_int_equal(h.link.failback, 300000);
	assert_int_equal(h.link.tls_min, TLS_VERSION_1_2);
	assert_int_equal(h.link.tls_max, TLS_VERSION_1_3);
	assert_true(h.link.tls_verify);
	assert_int_equal(check(&h.link), 0);
	assert_string_equal(options_missing(table, &h)->name, "x_server");
	assert_int_equal(option_list_add(&h.link.servers, "cups", 4), 0);
	assert_null(options_missing(table, &h));
	options_done(table, &h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_addresses_are_split),
		cmocka_unit_test(v6_addresses_are_split),
		cmocka_unit_test(what_is_none_of_these_is_refused),
		cmocka_unit_test(v6_address_with_a_port_needs_brackets),
		cmocka_unit_test(a_host_has_a_limit),
		cmocka_unit_test(good_settings_are_good),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(a_resolver_is_an_address),
		cmocka_unit_test(places_to_listen_are_split),
		cmocka_unit_test(words_are_those_of_the_enums),
		cmocka_unit_test(options_have_defaults),
	};

	return cmocka_run_group_tests_name("link_settings", tests, NULL, NULL);
}
