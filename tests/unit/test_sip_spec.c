/* test_sip_spec.c: what a SIP source takes from its settings: addresses, its own domain and user, where to listen.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/heard_wrong.h"
#include "tests/unit/helpers.h"

#include "connectors/sip/sip_spec.h"
#include "daemon/model/vocab.h"

/* The options that the tests write; all others have their defaults. */
struct written {
	const char *name, *text;
};

static const struct option *option_of(const char *name)
{
	for (const struct option *o = sip_spec.options; o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	fail_msg("no option %s", name);
	return NULL;
}

static void begin(struct sip_settings *s, const struct written *rows, size_t count)
{
	char err[200];

	memset(s, 0, sizeof *s);
	assert_int_equal(options_set_defaults(sip_spec.options, s), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(option_set_text(option_of(rows[i].name), s, rows[i].text, err, sizeof err), 0);
}

static void check_address(
    const struct sip_settings *s, enum domain domain, const struct user_columns *columns, const char *expected)
{
	char buf[USER_MAX_FIELD_BYTES + 1] = "?";
	struct user_fields *user = make_fields(columns);
	bool found = sip_spec.address(s, "cups", user, domain, buf, sizeof buf);

	assert_int_equal(found, expected != NULL);
	assert_string_equal(buf, expected == NULL ? "" : expected);
	free(user);
}

#define rich_of(s, expected, ...) \
	check_address(s, DOMAIN_RICH, &(struct user_columns){ .values = { [USER_ID] = "u", __VA_ARGS__ } }, expected)
#define line_of(s, expected, ...) \
	check_address( \
	    s, DOMAIN_TELEPHONY, &(struct user_columns){ .values = { [USER_ID] = "u", __VA_ARGS__ } }, expected)

static void a_person_is_watched_by_sip_uri(void **state)
{
	static const struct written rows[] = { { "uri", "sip:presence@example.com" } };
	struct sip_settings s;

	(void)state;
	begin(&s, rows, COUNT_OF(rows));
	rich_of(&s, "sip:ann@x.test", [USER_SIP_URI] = "sip:ann@x.test");
	rich_of(&s, "SIPS:ann@x.test", [USER_SIP_URI] = "SIPS:ann@x.test");
	rich_of(&s, "sip:ann@x.test", [USER_SIP_URI] = "ann@x.test");
	rich_of(&s, "sip:ann@example.com", [USER_SIP_URI] = "ann");
	rich_of(&s, "tel:+4420", [USER_SIP_URI] = "tel:+4420");
	rich_of(&s, NULL, [USER_EXTENSION] = "2001");
	options_done(sip_spec.options, &s);
}

static void a_line_is_watched_by_its_template(void **state)
{
	static const struct {
		const char *domain, *template, *expected; /* of extension 2001, device of another name, id u */
	} rows[] = {
		{ NULL, NULL, "sip:2001@example.com" },
		{ "pbx.test", NULL, "sip:2001@pbx.test" },
		{ "pbx.test", "{extension}", "sip:2001@pbx.test" },
		{ NULL, "tel:{extension}", "tel:2001" },
		{ NULL, "sip:{line}-{id}@{domain};x=1", "sip:SEP1-u@example.com;x=1" },
		{ NULL, "sip:{upn}@{domain}", NULL },
	};
	struct written written[3] = { { "uri", "sips:presence@example.com:5061;transport=tls" } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sip_settings s;
		size_t count = 1;

		if (rows[i].domain != NULL)
			written[count++] = (struct written){ "domain", rows[i].domain };
		if (rows[i].template != NULL)
			written[count++] = (struct written){ "telephony_uri", rows[i].template };
		begin(&s, written, count);
		line_of(&s, rows[i].expected, [USER_EXTENSION] = "2001;2002", [USER_LINE] = "SEP1");
		options_done(sip_spec.options, &s);
	}
}

static void an_address_that_is_too_long_is_none(void **state)
{
	static const struct written rows[] = { { "uri", "sip:p@example.com" },
		{ "telephony_uri", "sip:{extension}{extension}{extension}@{domain}" } };
	char long_text[USER_MAX_FIELD_BYTES / 2 + 1];
	struct sip_settings s;

	(void)state;
	memset(long_text, '1', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	begin(&s, rows, COUNT_OF(rows));
	line_of(&s, NULL, [USER_EXTENSION] = long_text);
	options_done(sip_spec.options, &s);
}

/* Half an address would be somebody else's. */
static void an_address_that_its_scheme_makes_too_long_is_none(void **state)
{
	static const struct written rows[] = { { "uri", "sip:p@example.com" } };
	char long_text[USER_MAX_FIELD_BYTES + 1], whole[USER_MAX_FIELD_BYTES + 1];
	struct sip_settings s;

	(void)state;
	memset(long_text, 'a', sizeof long_text - 1);
	memcpy(long_text + sizeof long_text - sizeof "@x.test", "@x.test", sizeof "@x.test");
	begin(&s, rows, COUNT_OF(rows));
	rich_of(&s, NULL, [USER_SIP_URI] = long_text);
	rich_of(&s, NULL, [USER_SIP_URI] = long_text + 3);
	memcpy(whole, "sip:", 4);
	memcpy(whole + 4, long_text + 4, sizeof long_text - 4);
	rich_of(&s, whole, [USER_SIP_URI] = long_text + 4);
	rich_of(&s, whole, [USER_SIP_URI] = whole);
	options_done(sip_spec.options, &s);
}

static void who_we_are_comes_from_uri_unless_told(void **state)
{
	static const struct {
		const char *uri, *user, *domain, *expected_user, *expected_domain;
	} rows[] = {
		{ "sip:presence@example.com", NULL, NULL, "presence", "example.com" },
		{ "sip:presence@example.com", "watcher", "lan.test", "watcher", "lan.test" },
		{ "SIPS:p@example.com:5061", NULL, NULL, "p", "example.com" },
		{ "sip:p@example.com;transport=tcp", NULL, NULL, "p", "example.com" },
		{ "sip:p@[2001:db8::1]:5060", NULL, NULL, "p", "[2001:db8::1]" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sip_settings s = { .uri = (char *)(uintptr_t)rows[i].uri,
			.user = (char *)(uintptr_t)rows[i].user,
			.domain = (char *)(uintptr_t)rows[i].domain };
		char user[64], domain[64];

		sip_user(&s, user, sizeof user);
		sip_domain(&s, domain, sizeof domain);
		assert_string_equal(user, rows[i].expected_user);
		assert_string_equal(domain, rows[i].expected_domain);
	}
}

static void where_to_listen_is_read(void **state)
{
	static const struct {
		const char *text, *host; /* NULL: refused */
		uint16_t port;
	} rows[] = {
		{ "5064", "", 5064 },
		{ "127.0.0.1:5064", "127.0.0.1", 5064 },
		{ "[::1]:5064", "::1", 5064 },
		{ "0", NULL, 0 },
		{ "65536", NULL, 0 },
		{ "", NULL, 0 },
		{ "127.0.0.1", NULL, 0 },
		{ "localhost:5064", NULL, 0 },
		{ "::1", NULL, 0 },
		{ "99999999999999999999999999", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sip_settings s = { .listen = (char *)(uintptr_t)rows[i].text };
		char host[LINK_HOST_SIZE];
		uint16_t port;

		if (sip_listen_at(&s, host, sizeof host, &port) != (rows[i].host != NULL))
			fail_msg("\"%s\"", rows[i].text);
		if (rows[i].host == NULL)
			continue;
		assert_string_equal(host, rows[i].host);
		assert_int_equal(port, rows[i].port);
	}
}

static void what_is_wrong_is_said_with_its_option(void **state)
{
	static const struct {
		const char *option; /* that is blamed; NULL: nothing is wrong */
		const char *says;
		struct written written[4];
	} rows[] = {
		{ NULL, NULL, { { "uri", "sip:p@example.com" } } },
		{ NULL, NULL,
		    { { "uri", "sip:p@example.com" }, { "user", "J\xc3\xb6rg \"J\"" }, { "domain", "[::1]:5070" } } },
		{ "server", "expected a host", { { "server", "ho st" } } },
		{ "uri", "expected sip:user@domain", { { "uri", "p@example.com" } } },
		{ "uri", "expected sip:user@domain", { { "uri", "sip:example.com" } } },
		{ "uri", "a blank, a control character", { { "uri", "sip:p@example.com\r\nX: y" } } },
		{ "user", "control character", { { "user", "p\r\nX: y" } } },
		{ "domain", "expected a domain", { { "domain", "example.com\r\nX: y" } } },
		{ "domain", "expected a domain", { { "domain", "p@example.com" } } },
		{ "domain", "expected a domain", { { "domain", "example.com;lr" } } },
		{ "domain", "found \"sip:example.com\"", { { "domain", "sip:example.com" } } },
		{ "domain", "found \"::1\"", { { "domain", "::1" } } },
		{ "password_file", "one of them", { { "password", "x" }, { "password_file", "/x" } } },
		{ "listen", "expected a port", { { "listen", "localhost:5064" } } },
		{ "listen", "cert_file", { { "listen", "5064" }, { "transport", "tls" } } },
		{ NULL, NULL, { { "listen", "5064" }, { "transport", "tls" }, { "cert_file", "/x" } } },
		{ "telephony_uri", "found {nobody}", { { "telephony_uri", "sip:{nobody}@{domain}" } } },
		{ "telephony_uri", "found {id", { { "telephony_uri", "sip:{id" } } },
		{ "telephony_uri", "found {}", { { "telephony_uri", "{}" } } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct heard_wrong heard = { 0 };
		struct sip_settings s;
		size_t count = 0;

		while (count < COUNT_OF(rows[i].written) && rows[i].written[count].name != NULL)
			count++;
		begin(&s, rows[i].written, count);
		sip_spec.check(&s, &(struct option_critic){ hear_wrong, &heard });
		if (heard.count != (rows[i].option != NULL))
			fail_msg("row %zu: \"%s\"", i, heard.why);
		if (heard.count > 0) {
			assert_string_equal(heard.option, rows[i].option);
			if (strstr(heard.why, rows[i].says) == NULL)
				fail_msg("row %zu: \"%s\"", i, heard.why);
		}
		options_done(sip_spec.options, &s);
	}
}

static void the_domain_of_a_uri_is_compared(void **state)
{
	static const struct {
		const char *uri, *domain;
		bool is;
	} rows[] = {
		{ "sip:a@example.com", "example.com", true },
		{ "sips:a@EXAMPLE.com:5061;lr", "example.COM", true },
		{ "sip:a@example.com", "example.com:5070", true },
		{ "sip:example.com", "example.com", true },
		{ "sip:a@[::1]:5060", "[::1]", true },
		{ "tel:+4420", "example.com", true },
		{ "sip:a@example.com.evil", "example.com", false },
		{ "sip:a@other.example.com", "example.com", false },
		{ "sip:a@[::1]", "[::2]", false },
		{ "sip:example.com@other", "example.com", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (sip_uri_is_at(rows[i].uri, rows[i].domain) != rows[i].is)
			fail_msg("%s at %s", rows[i].uri, rows[i].domain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_person_is_watched_by_sip_uri),
		cmocka_unit_test(a_line_is_watched_by_its_template),
		cmocka_unit_test(an_address_that_is_too_long_is_none),
		cmocka_unit_test(an_address_that_its_scheme_makes_too_long_is_none),
		cmocka_unit_test(who_we_are_comes_from_uri_unless_told),
		cmocka_unit_test(where_to_listen_is_read),
		cmocka_unit_test(what_is_wrong_is_said_with_its_option),
		cmocka_unit_test(the_domain_of_a_uri_is_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
