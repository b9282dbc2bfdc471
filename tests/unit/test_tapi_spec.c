/* test_tapi_spec.c: what a telephone switch takes from its settings: defaults, addresses, what is wrong or missing.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/heard_wrong.h"
#include "tests/unit/helpers.h"

#include "connectors/sip/sip_spec.h"
#include "connectors/tapi/tapi_spec.h"

/* The options that the tests write; all others have their defaults. */
struct written {
	const char *name, *text;
};

static const struct option *option_of(const char *name)
{
	for (const struct option *o = tapi_spec.options; o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	fail_msg("no option %s", name);
	return NULL;
}

static void begin(struct tapi_settings *s, const struct written *rows, size_t count)
{
	char err[200];

	memset(s, 0, sizeof *s);
	assert_int_equal(options_set_defaults(tapi_spec.options, s), 0);
	for (size_t i = 0; i < count && rows[i].name != NULL; i++)
		if (option_set_text(option_of(rows[i].name), s, rows[i].text, err, sizeof err) != 0)
			fail_msg("%s: %s", rows[i].name, err);
}

static void defaults_are_those_of_the_contract(void **state)
{
	struct tapi_settings s;

	(void)state;
	begin(&s, NULL, 0);
	assert_int_equal(s.protocol, TAPI_CSTA);
	assert_int_equal(s.link.transport, LINK_TCP);
	assert_int_equal(s.session, TAPI_SESSION_AUTO);
	assert_string_equal(s.session_info, "<user>{user}</user><password>{password}</password>");
	assert_null(s.session_version);
	assert_int_equal(s.session_duration, 180000);
	assert_string_equal(s.xml_namespace, "http://www.ecma-international.org/standards/ecma-323/csta/ed3");
	assert_int_equal(s.in_flight, 16);
	assert_int_equal(s.rate, 100);
	assert_int_equal(s.keepalive, 30000);
	assert_int_equal(s.poll, 0);
	assert_int_equal(s.mode, 0660);
	assert_true(s.listen == NULL && s.socket == NULL && s.group == NULL && s.user == NULL && s.password == NULL);
	options_done(tapi_spec.options, &s);
	assert_string_equal(tapi_spec.type, "tapi");
	assert_int_equal(tapi_spec.technology, TECHNOLOGY_TAPI);
	assert_int_equal(tapi_spec.domains, 1u << DOMAIN_TELEPHONY);
	assert_ptr_equal(connector_spec_find("tapi"), &tapi_spec);
}

static void check_address(const struct user_columns *columns, const char *expected)
{
	char buf[USER_MAX_FIELD_BYTES + 1] = "?";
	struct user_fields *user = make_fields(columns);
	struct tapi_settings s;
	bool found;

	begin(&s, NULL, 0);
	found = tapi_spec.address(&s, "switch2", user, DOMAIN_TELEPHONY, buf, sizeof buf);
	assert_int_equal(found, expected != NULL);
	if (expected != NULL)
		assert_string_equal(buf, expected);
	options_done(tapi_spec.options, &s);
	free(user);
}

#define line_of(expected, ...) \
	check_address(&(struct user_columns){ .values = { [USER_ID] = "u", __VA_ARGS__ } }, expected)

static void a_line_is_the_device_or_the_first_extension(void **state)
{
	(void)state;
	line_of("201", [USER_LINE] = "201");
	line_of("N<201>Ann", [USER_LINE] = "N<201>Ann", [USER_EXTENSION] = "2001");
	line_of("2001", [USER_EXTENSION] = "2001;2002");
	line_of(NULL, [USER_SIP_URI] = "sip:ann@x");
}

static void what_is_missing_depends_on_the_protocol(void **state)
{
	static const struct {
		struct written written[3];
		const char *missing;
	} rows[] = {
		{ { { "protocol", "csta" } }, "server" },
		{ { { "protocol", "csta" }, { "listen", "4000" } }, "server" },
		{ { { "protocol", "csta" }, { "server", "pbx" } }, NULL },
		{ { { "protocol", "bridge" } }, "listen or socket" },
		{ { { "protocol", "bridge" }, { "server", "pbx" } }, "listen or socket" },
		{ { { "protocol", "bridge" }, { "listen", "4000" } }, NULL },
		{ { { "protocol", "bridge" }, { "socket", "/run/x" } }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct tapi_settings s;
		const char *missing;

		begin(&s, rows[i].written, COUNT_OF(rows[i].written));
		missing = connector_spec_missing(&tapi_spec, &s);
		if ((missing == NULL) != (rows[i].missing == NULL) ||
		    (missing != NULL && strcmp(missing, rows[i].missing) != 0))
			fail_msg("row %zu: %s", i, missing == NULL ? "nothing" : missing);
		options_done(tapi_spec.options, &s);
	}
}

/* Those without a function of their own: what is required. */
static void what_is_missing_of_others_is_what_they_require(void **state)
{
	struct sip_settings s = { 0 };
	const char *missing;

	(void)state;
	assert_null(sip_spec.missing);
	assert_int_equal(options_set_defaults(sip_spec.options, &s), 0);
	missing = connector_spec_missing(&sip_spec, &s);
	assert_non_null(missing);
	assert_string_equal(missing, options_missing(sip_spec.options, &s)->name);
	options_done(sip_spec.options, &s);
}

static void what_is_wrong_is_said_with_its_option(void **state)
{
	static const struct {
		const char *option; /* that is blamed; NULL: nothing is wrong */
		const char *says;
		struct written written[5];
	} rows[] = {
		{ NULL, NULL, { { "server", "pbx.example.com" } } },
		{ NULL, NULL, { { "server", "pbx:4721" }, { "transport", "tls" }, { "user", "u" } } },
		{ "server", "expected a host", { { "server", "ho st" } } },
		{ "transport", "expected tcp or tls", { { "server", "pbx" }, { "transport", "udp" } } },
		{ "password_file", "one of them", { { "password", "x" }, { "password_file", "/x" } } },
		{ "session_info", "expected XML", { { "session_info", "<user>{user}</user" } } },
		{ NULL, NULL, { { "session_info", "<a:x xmlns:a=\"b\" y=\"z\"/>" } } },
		{ "session", "user", { { "session", "no" }, { "user", "u" } } },
		{ NULL, NULL, { { "session", "no" } } },
		{ NULL, NULL, { { "protocol", "bridge" }, { "listen", "4000" }, { "password", "t" } } },
		{ NULL, NULL, { { "protocol", "bridge" }, { "listen", "[::1]:4000" }, { "password_file", "/t" } } },
		{ NULL, NULL, { { "protocol", "bridge" }, { "socket", "/run/x" } } },
		{ "listen", "token", { { "protocol", "bridge" }, { "listen", "4000" } } },
		{ "listen", "expected a port",
		    { { "protocol", "bridge" }, { "listen", "localhost:4000" }, { "password", "t" } } },
		{ "listen", "expected a port", { { "protocol", "bridge" }, { "listen", "0" }, { "password", "t" } } },
		{ "listen", "cert_file",
		    { { "protocol", "bridge" }, { "listen", "4000" }, { "password", "t" }, { "transport", "tls" } } },
		{ NULL, NULL,
		    { { "protocol", "bridge" }, { "listen", "4000" }, { "password", "t" }, { "transport", "tls" },
			{ "cert_file", "/c" } } },
		{ "socket", "one of them",
		    { { "protocol", "bridge" }, { "listen", "4000" }, { "password", "t" }, { "socket", "/run/x" } } },
		{ "transport", "expected tcp or tls",
		    { { "protocol", "bridge" }, { "socket", "/run/x" }, { "transport", "udp" } } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct heard_wrong heard = { 0 };
		struct tapi_settings s;

		begin(&s, rows[i].written, COUNT_OF(rows[i].written));
		tapi_spec.check(&s, &(struct option_critic){ hear_wrong, &heard });
		if (heard.count != (rows[i].option != NULL))
			fail_msg("row %zu: %d, \"%s\"", i, heard.count, heard.why);
		if (heard.count > 0) {
			assert_string_equal(heard.option, rows[i].option);
			if (strstr(heard.why, rows[i].says) == NULL)
				fail_msg("row %zu: \"%s\"", i, heard.why);
		}
		options_done(tapi_spec.options, &s);
	}
}

static void values_have_bounds(void **state)
{
	static const struct written bad[] = { { "in_flight", "0" }, { "in_flight", "1001" }, { "in_flight", "-1" },
		{ "rate", "0/s" }, { "rate", "10001/s" }, { "rate", "100" }, { "keepalive", "0s" },
		{ "keepalive", "4s" }, { "session_duration", "9s" }, { "session_duration", "2d" }, { "poll", "-1s" },
		{ "session", "maybe" }, { "protocol", "tapi" }, { "mode", "0999" }, { "tls_verify", "perhaps" } };
	static const struct written good[] = { { "in_flight", "1" }, { "in_flight", "1000" }, { "rate", "1/s" },
		{ "keepalive", "5s" }, { "session_duration", "10s" }, { "session_duration", "1d" }, { "poll", "60s" },
		{ "poll", "0s" }, { "session", "yes" }, { "mode", "0600" } };
	struct tapi_settings s;
	char err[200];

	(void)state;
	begin(&s, good, COUNT_OF(good));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (option_set_text(option_of(bad[i].name), &s, bad[i].text, err, sizeof err) == 0)
			fail_msg("%s: %s", bad[i].name, bad[i].text);
	assert_int_equal(s.in_flight, 1000);
	assert_int_equal(s.poll, 0);
	options_done(tapi_spec.options, &s);
}

static void where_to_listen_is_read(void **state)
{
	struct tapi_settings s;
	char host[LINK_HOST_SIZE];
	uint16_t port;

	(void)state;
	begin(&s, NULL, 0);
	assert_false(tapi_listen_at(&s, host, sizeof host, &port));
	options_done(tapi_spec.options, &s);
	begin(&s, &(const struct written){ "listen", "127.0.0.1:4000" }, 1);
	assert_true(tapi_listen_at(&s, host, sizeof host, &port));
	assert_string_equal(host, "127.0.0.1");
	assert_int_equal(port, 4000);
	options_done(tapi_spec.options, &s);
}

/* Nothing that is printed of the settings shows it. */
static void the_password_is_a_secret(void **state)
{
	(void)state;
	assert_true((option_of("password")->flags & OPTION_SECRET) != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_contract),
		cmocka_unit_test(a_line_is_the_device_or_the_first_extension),
		cmocka_unit_test(what_is_missing_depends_on_the_protocol),
		cmocka_unit_test(what_is_missing_of_others_is_what_they_require),
		cmocka_unit_test(what_is_wrong_is_said_with_its_option),
		cmocka_unit_test(values_have_bounds),
		cmocka_unit_test(where_to_listen_is_read),
		cmocka_unit_test(the_password_is_a_secret),
	};

	return cmocka_run_group_tests_name("tapi_spec", tests, NULL, NULL);
}
