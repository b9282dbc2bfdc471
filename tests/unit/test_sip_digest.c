/* test_sip_digest.c: challenges are taken or refused, and answered as the examples of RFC 7616 and RFC 2617 are.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include "connectors/sip/digest.h"
#include "connectors/sip/message.h"

#define CNONCE "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
#define NONCE  "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
#define OPAQUE "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
#define RFC7616(algorithm) \
	"WWW-Authenticate: Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=" algorithm \
	", nonce=\"" NONCE "\", opaque=\"" OPAQUE "\"\r\n"
#define MD5_RESPONSE	"8ca523f5e9506fed4657c9700eebdbec"
#define SHA256_RESPONSE "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"

static const struct digest_identity mufasa = { "Mufasa", "Circle of Life" };

/* What digest_take() says of an answer with these headers: NULL if it takes it. */
static const char *take(struct digest_challenge *c, int status, const char *headers)
{
	const char *why = "not set";
	char text[4096];
	bool taken;
	sip_t *sip;
	msg_t *msg;

	snprintf(text, sizeof text,
	    "SIP/2.0 %d X\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
	    "To: <sip:c@d>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 SUBSCRIBE\r\n%sContent-Length: 0\r\n\r\n",
	    status, headers);
	msg = sip_message_parse(text, strlen(text), &sip, &why);
	if (msg == NULL)
		fail_msg("%s: %s", why, text);
	taken = digest_take(c, sip, &why);
	msg_destroy(msg);
	assert_true(taken == (why == NULL));
	return why;
}

static void check_put(struct digest_challenge *c, const struct digest_identity *who, const char *expected)
{
	struct buf b;

	buf_init(&b, 8192);
	digest_put(&b, c, who, "GET", "/dir/index.html", CNONCE);
	assert_string_equal(buf_text(&b), expected);
	buf_done(&b);
}

#define RFC7616_LINE(algorithm, response) \
	"Authorization: Digest username=\"Mufasa\", realm=\"http-auth@example.org\", nonce=\"" NONCE \
	"\", uri=\"/dir/index.html\", response=\"" response "\", algorithm=" algorithm ", opaque=\"" OPAQUE \
	"\", qop=auth, nc=00000001, cnonce=\"" CNONCE "\"\r\n"

static void examples_of_rfc_7616(void **state)
{
	struct digest_challenge c = { 0 };

	(void)state;
	assert_null(take(&c, 401, RFC7616("MD5")));
	check_put(&c, &mufasa, RFC7616_LINE("MD5", MD5_RESPONSE));
	assert_null(take(&c, 401, RFC7616("SHA-256")));
	check_put(&c, &mufasa, RFC7616_LINE("SHA-256", SHA256_RESPONSE));
}

static void the_first_that_is_supported_is_taken(void **state)
{
	struct digest_challenge c = { 0 };

	(void)state;
	assert_null(take(&c, 401, RFC7616("SHA-256") RFC7616("MD5")));
	check_put(&c, &mufasa, RFC7616_LINE("SHA-256", SHA256_RESPONSE));
	assert_null(take(&c, 401, RFC7616("MD5") RFC7616("SHA-256")));
	check_put(&c, &mufasa, RFC7616_LINE("MD5", MD5_RESPONSE));
	assert_null(take(&c, 401, RFC7616("SHA-512-256") "WWW-Authenticate: Basic realm=\"x\"\r\n" RFC7616("sha-256")));
	check_put(&c, &mufasa, RFC7616_LINE("SHA-256", SHA256_RESPONSE));
}

static void example_of_rfc_2617(void **state)
{
	const struct digest_identity who = { "Mufasa", "Circle Of Life" };
	struct digest_challenge c = { 0 };
	struct buf b;

	(void)state;
	assert_null(take(&c, 401,
	    "WWW-Authenticate: Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", "
	    "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"\r\n"));
	buf_init(&b, 8192);
	digest_put(&b, &c, &who, "GET", "/dir/index.html", "0a4f113b");
	assert_non_null(strstr(buf_text(&b), "response=\"6629fae49393a05397450978507c4ef1\""));
	buf_done(&b);
}

static void without_qop_it_is_rfc_2069(void **state)
{
	const struct digest_identity who = { "Mufasa", "Circle Of Life" };
	struct digest_challenge c = { 0 };

	(void)state;
	assert_null(take(&c, 401,
	    "WWW-Authenticate: Digest realm=\"testrealm@host.com\", "
	    "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"\r\n"));
	assert_false(c.qop);
	assert_false(c.has_opaque);
	check_put(&c, &who,
	    "Authorization: Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
	    "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", "
	    "response=\"670fd8c2df070c60b045671b8b24ff02\", algorithm=MD5\r\n");
}

static void uses_of_a_nonce_are_counted(void **state)
{
	struct digest_challenge c = { 0 };
	struct buf b;

	(void)state;
	assert_null(take(&c, 401, RFC7616("MD5")));
	buf_init(&b, 65536);
	for (int i = 0; i < 10; i++)
		digest_put(&b, &c, &mufasa, "GET", "/", CNONCE);
	assert_non_null(strstr(buf_text(&b), "nc=00000001,"));
	assert_non_null(strstr(buf_text(&b), "nc=0000000a,"));
	assert_null(take(&c, 401, RFC7616("MD5")));
	assert_int_equal(c.count, 0);
	buf_done(&b);
}

static void proxies_are_answered_as_such(void **state)
{
	struct digest_challenge c = { 0 };
	struct buf b;

	(void)state;
	assert_null(take(&c, 407,
	    "Proxy-Authenticate: Digest realm=\"p\", nonce=\"n\"\r\n"
	    "WWW-Authenticate: Digest realm=\"w\", nonce=\"n\"\r\n"));
	assert_true(c.proxy);
	assert_string_equal(c.realm, "p");
	buf_init(&b, 1000);
	digest_put(&b, &c, &mufasa, "SUBSCRIBE", "sip:x", "0");
	assert_int_equal(strncmp(buf_text(&b), "Proxy-Authorization: Digest ", 28), 0);
	buf_done(&b);
	assert_null(take(&c, 401,
	    "Proxy-Authenticate: Digest realm=\"p\", nonce=\"n\"\r\n"
	    "WWW-Authenticate: Digest realm=\"w\", nonce=\"n\"\r\n"));
	assert_false(c.proxy);
	assert_string_equal(c.realm, "w");
}

static void stale_is_noticed(void **state)
{
	struct digest_challenge c = { 0 };

	(void)state;
	assert_null(take(&c, 401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", stale=TRUE\r\n"));
	assert_true(c.stale);
	assert_null(take(&c, 401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", stale=\"true\"\r\n"));
	assert_true(c.stale);
	assert_null(take(&c, 401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", stale=false\r\n"));
	assert_false(c.stale);
	assert_null(take(&c, 401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n"));
	assert_false(c.stale);
}

static void what_is_quoted_is_quoted_again(void **state)
{
	const struct digest_identity who = { "a\"b\\c", "p" };
	struct digest_challenge c = { 0 };
	struct buf b;

	(void)state;
	assert_null(take(&c, 401, "WWW-Authenticate: Digest realm=\"r\\\"s\\\\t\", nonce=\"n\\\"o\", opaque=\"\"\r\n"));
	assert_string_equal(c.realm, "r\"s\\t");
	assert_string_equal(c.nonce, "n\"o");
	buf_init(&b, 1000);
	digest_put(&b, &c, &who, "SUBSCRIBE", "sip:x", "0");
	assert_string_equal(buf_text(&b),
	    "Authorization: Digest username=\"a\\\"b\\\\c\", realm=\"r\\\"s\\\\t\", "
	    "nonce=\"n\\\"o\", uri=\"sip:x\", response=\"c749fafe630346be0652393b0ad1852f\", algorithm=MD5, "
	    "opaque=\"\"\r\n");
	buf_done(&b);
}

/* Refused with a sentence, and what was known stays. */
static void check_refused(int status, const char *headers, const char *word)
{
	struct digest_challenge c, before;
	const char *why;

	memset(&c, 0x55, sizeof c);
	before = c;
	why = take(&c, status, headers);
	assert_non_null(why);
	if (strstr(why, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, word);
	assert_memory_equal(&c, &before, sizeof c);
}

static void what_we_cannot_answer_is_refused(void **state)
{
	char text[DIGEST_TEXT_SIZE + 100], nonce[DIGEST_TEXT_SIZE + 1];
	struct digest_challenge c;

	(void)state;
	check_refused(401, "", "without a challenge");
	check_refused(407, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n", "without a challenge");
	check_refused(401, "WWW-Authenticate: Basic realm=\"r\"\r\n", "not Digest");
	check_refused(401, RFC7616("SHA-512-256"), "algorithm");
	check_refused(401, RFC7616("MD5-sess"), "algorithm");
	check_refused(401, RFC7616("\"\""), "algorithm");
	check_refused(
	    401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"\r\n", "other than auth");
	check_refused(
	    401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"xauth,authx\"\r\n", "other than auth");
	check_refused(401, "WWW-Authenticate: Digest realm=\"r\"\r\n", "nonce");
	check_refused(401, "WWW-Authenticate: Digest nonce=\"n\"\r\n", "realm");
	memset(nonce, 'n', DIGEST_TEXT_SIZE);
	nonce[DIGEST_TEXT_SIZE] = '\0';
	snprintf(text, sizeof text, "WWW-Authenticate: Digest realm=\"r\", nonce=\"%s\"\r\n", nonce);
	check_refused(401, text, "nonce");
	snprintf(text, sizeof text, "WWW-Authenticate: Digest realm=\"r\", nonce=\"%s\"\r\n", nonce + 1);
	assert_null(take(&c, 401, text));
	assert_int_equal(strlen(c.nonce), DIGEST_TEXT_SIZE - 1);
}

/* As libsofia-sip might hand it over: an escaped line end inside quotes would become a header of its own. */
static void line_ends_are_never_sent_back(void **state)
{
	static const char *const bad[] = { "realm=\"a\\\r\\\nb\"", "realm=\"a\\\nX: y\"", "realm=a\rb" };
	sip_status_t status = { .st_status = 401 };
	msg_auth_t auth = { .au_scheme = "Digest" };
	sip_t answer = { .sip_status = &status, .sip_www_authenticate = &auth };
	struct digest_challenge c = { 0 };
	const char *why;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const msg_param_t params[] = { bad[i], "nonce=\"n\"", NULL };

		auth.au_params = params;
		assert_false(digest_take(&c, &answer, &why));
		assert_non_null(strstr(why, "realm"));
		assert_false(c.set);
	}
}

/* An algorithm that is too long to be read is one that is not supported, not MD5; so with qop. */
static void what_cannot_be_read_is_not_absent(void **state)
{
	char text[2 * DIGEST_TEXT_SIZE], word[DIGEST_TEXT_SIZE + 1];

	(void)state;
	memset(word, 'x', DIGEST_TEXT_SIZE);
	word[DIGEST_TEXT_SIZE] = '\0';
	snprintf(text, sizeof text, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=%s\r\n", word);
	check_refused(401, text, "algorithm");
	snprintf(text, sizeof text, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"%s\"\r\n", word);
	check_refused(401, text, "other than auth");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_rfc_7616),
		cmocka_unit_test(the_first_that_is_supported_is_taken),
		cmocka_unit_test(example_of_rfc_2617),
		cmocka_unit_test(without_qop_it_is_rfc_2069),
		cmocka_unit_test(uses_of_a_nonce_are_counted),
		cmocka_unit_test(proxies_are_answered_as_such),
		cmocka_unit_test(stale_is_noticed),
		cmocka_unit_test(what_is_quoted_is_quoted_again),
		cmocka_unit_test(what_we_cannot_answer_is_refused),
		cmocka_unit_test(line_ends_are_never_sent_back),
		cmocka_unit_test(what_cannot_be_read_is_not_absent),
	};

	return cmocka_run_group_tests_name("sip_digest", tests, NULL, NULL);
}
