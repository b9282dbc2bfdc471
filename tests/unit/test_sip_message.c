/* test_sip_message.c: messages that torture parsers (after RFC 4475) are taken or refused, and answers are whole.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/helpers.h"

#include "connectors/sip/message.h"

#define VIA    "Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK390skdjuw\r\n"
#define FROM   "From: <sip:c@example.com>;tag=1\r\n"
#define TO     "To: sip:j.user@example.com\r\n"
#define ID     "Call-ID: id@example.com\r\n"
#define CSEQ   "CSeq: 9 NOTIFY\r\n"
#define NOTIFY "NOTIFY sip:user@example.com SIP/2.0\r\n"
#define REST   VIA FROM TO ID
#define END    "Content-Length: 0\r\n\r\n"

static const char *refusal(const char *data, size_t len)
{
	const char *why = "?";
	sip_t *sip;
	msg_t *msg = sip_message_parse(data, len, &sip, &why);

	if (msg != NULL)
		msg_destroy(msg);
	assert_true((msg == NULL) == (why != NULL));
	return why;
}

static const char wsinv[] = /* 3.1.1.1 */
    "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n"
    "TO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n"
    "from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n"
    "MaX-fOrWaRdS: 0068\r\nCall-ID: wsinv.ndaksdj@192.0.2.1\r\nContent-Length   : 0\r\n"
    "cseq: 0009\r\n  INVITE\r\nVia  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\n"
    "s :\r\nNewFangledHeader:   newfangled value\r\n continued newfangled value\r\n"
    "UnknownHeaderWithUnusualValue: ;;,,;;,;\r\nContent-Type: application/sdp\r\n"
    "Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n"
    "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n"
    " SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n"
    "m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n      newvalue ;\r\n"
    "  secondparam ; q = 0.33\r\n\r\n";

static void torture_that_is_taken(void **state)
{
	static const char *const good[] = {
		wsinv,
		NOTIFY REST CSEQ END,
		NOTIFY
		"v: SIP/2.0/UDP h\r\nf: <sip:a@b>;tag=1\r\nt: <sip:c@d>\r\ni: 1\r\nCSeq: 1 NOTIFY\r\nl: 0\r\n\r\n",
		NOTIFY REST CSEQ "\r\n", /* no Content-Length: a datagram */
		NOTIFY REST CSEQ "Content-Length: 3\r\n\r\nabc",
		NOTIFY "Via: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/TCP b;branch=z9hG4bK2\r\n" FROM TO ID CSEQ END,
		"SIP/2.0 200 \r\n" REST CSEQ END,				/* 3.1.1.13 */
		"SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xbe\r\n" REST CSEQ END, /* 3.1.1.12 */
		"NOTIFY sip:sips%3Auser%40example.com@example.net SIP/2.0\r\n" REST CSEQ END,
		"!interesting-Method0123456789_*.%indeed'~ sip:a@b SIP/2.0\r\n" REST
		"CSeq: 1 !interesting-Method0123456789_*.%indeed'~\r\n" END,
		"NOTIFY soap.beep://192.0.2.103:3002 SIP/2.0\r\n" REST CSEQ END,
		"NOTIFY sip:a@b sip/2.0\r\n" REST CSEQ END,
		NOTIFY REST CSEQ "Date: no date\r\nExpires: soon\r\nX: ,,;\r\n" END,
		NOTIFY "Via: SIP/2.0/UDP [2001:db8::9:1]:5060;branch=z9hG4bK1;rport\r\n" FROM TO ID CSEQ END,
		NOTIFY REST "CSeq: 2147483647 NOTIFY\r\n" END,
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		if (refusal(good[i], strlen(good[i])) != NULL)
			fail_msg("%zu: %s: %s", i, refusal(good[i], strlen(good[i])), good[i]);
}

static void torture_that_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"\r\n",
		"\r\n\r\n",
		"NOTIFY\r\n\r\n",
		NOTIFY,
		NOTIFY "\r\n",
		NOTIFY REST CSEQ,
		NOTIFY FROM TO ID CSEQ END,
		NOTIFY VIA TO ID CSEQ END,
		NOTIFY VIA FROM ID CSEQ END,
		NOTIFY VIA FROM TO CSEQ END,
		NOTIFY REST END,
		"SIP/2.0 200 OK\r\n" REST END,
		NOTIFY REST "CSeq: 9 SUBSCRIBE\r\n" END, /* 3.3.? mismatch */
		NOTIFY REST "CSeq: 9 notify\r\n" END,
		"FOO sip:a@b SIP/2.0\r\n" REST
		"CSeq: 1 BAR\r\n" END, /* unknown ones are all of one kind to the parser */
		NOTIFY REST "CSeq: NOTIFY\r\n" END,
		NOTIFY REST "CSeq: 36893488147419103232 NOTIFY\r\n" END, /* 3.1.2.4 */
		NOTIFY REST "CSeq: -1 NOTIFY\r\n" END,
		NOTIFY REST "CSeq: 9\r\n" END,
		NOTIFY REST CSEQ "Content-Length: 9999\r\n\r\nabc",		      /* 3.1.2.2 */
		NOTIFY REST CSEQ "Content-Length: -999\r\n\r\nabc",		      /* 3.1.2.3 */
		"SIP/2.0 4294967301 better not break the receiver\r\n" REST CSEQ END, /* 3.1.2.19 */
		"SIP/7.0 200 OK\r\n" REST CSEQ END,
		"NOTIFY sip:a@b SIP/7.0\r\n" REST CSEQ END, /* 3.1.2.16 */
		"NOTIFY sip:a@b\r\n" REST CSEQ END,
		"NOTIFY sip:a@b HTTP/1.1\r\n" REST CSEQ END,
		"NOTIFY sip:a@b; lr SIP/2.0\r\n" REST CSEQ END, /* 3.1.2.8 */
		"NOTIFY SIP/2.0\r\n" REST CSEQ END,
		"hello world\r\n" REST CSEQ END,
		NOTIFY VIA "From: \"unbalanced <sip:a@b>;tag=1\r\n" TO ID CSEQ END, /* 3.1.2.6 */
		NOTIFY "Via: SIP/2.0/UDP\r\n" FROM TO ID CSEQ END,
		NOTIFY "Via:\r\n" FROM TO ID CSEQ END,
		"NOTIFY sip:a@b SIP/2.0\nVia: SIP/2.0/UDP h\nFrom: <sip:a@b>\nTo: <sip:c@d>\nCall-ID: 1\n"
		"CSeq: 1 NOTIFY\n\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (refusal(bad[i], strlen(bad[i])) == NULL)
			fail_msg("%zu was taken: %s", i, bad[i]);
}

/* In libsofia-sip's list of errors a second header keeps its own type: it has no er_name. */
static void headers_that_count_stand_once(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ NOTIFY REST FROM CSEQ END, "it has two From headers" },
		{ NOTIFY REST TO CSEQ END, "it has two To headers" },
		{ NOTIFY REST ID CSEQ END, "it has two Call-ID headers" },
		{ NOTIFY REST CSEQ CSEQ END, "it has two CSeq headers" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *why = refusal(cases[i].text, strlen(cases[i].text));

		if (why == NULL)
			fail_msg("it was taken: %s", cases[i].text);
		assert_string_equal(why, cases[i].why);
	}
}

/* The short names are the same headers (RFC 3261 7.3.3). */
static void short_names_count_as_well(void **state)
{
	static const char *const twice[] = { "f: <sip:x@y>;tag=2\r\n", "t: <sip:x@y>\r\n", "i: 2\r\n",
		"From : <sip:x@y>\r\n", "FROM: <sip:x@y>\r\n", "From: \"broken\r\n", "To:\r\n <sip:x@y>\r\n" };
	char text[1024];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(twice); i++) {
		snprintf(text, sizeof text, NOTIFY REST CSEQ "%s" END, twice[i]);
		if (refusal(text, strlen(text)) == NULL)
			fail_msg("a second %s was taken", twice[i]);
	}
}

#define GUARD_LINES 8 /* of the head of check_guard() without an X */

/* As many bytes, lines, commas as are allowed, or one more. */
static void check_guard(size_t lines, size_t commas, size_t bytes, const char *word)
{
	const char *why;
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_puts(&b, NOTIFY REST CSEQ);
	for (size_t i = 0; i < lines; i++)
		buf_puts(&b, "X: y\r\n");
	buf_puts(&b, "Y: ");
	for (size_t i = 0; i < commas; i++)
		buf_putc(&b, ',');
	buf_puts(&b, "\r\nZ: ");
	while (b.len + 4 < bytes)
		buf_putc(&b, 'z');
	buf_puts(&b, "\r\n\r\n");
	why = refusal(buf_text(&b), b.len);
	if (word == NULL)
		assert_null(why);
	else
		assert_non_null(why);
	if (word != NULL && strstr(why, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, word);
	buf_done(&b);
}

static void a_guard_stands_before_the_parser(void **state)
{
	const char nul[] = NOTIFY REST CSEQ "X: \0\r\n\r\n";

	(void)state;
	check_guard(0, 0, SIP_HEAD_MAX, NULL);
	check_guard(0, 0, SIP_HEAD_MAX + 1, "16384 bytes");
	check_guard(0, SIP_COMMAS_MAX, 0, NULL);
	check_guard(0, SIP_COMMAS_MAX + 1, 0, "256 commas");
	check_guard(SIP_LINES_MAX - GUARD_LINES, 0, 0, NULL);
	check_guard(SIP_LINES_MAX - GUARD_LINES + 1, 0, 0, "256 lines");
	assert_string_equal(refusal(nul, sizeof nul - 1), "its head holds a NUL");
	assert_null(refusal(NOTIFY REST CSEQ "l: 2\r\n\r\n\0", sizeof(NOTIFY REST CSEQ "l: 2\r\n\r\n\0")));
}

/* RFC 3261 25.1 knows CRLF only; the framing of streams looks for CRLF, so a parser that takes more sees other headers,
 * and a CR in a host would come back in the answer. */
static void line_ends_that_stand_alone_are_refused(void **state)
{
	static const char *const bad[] = {
		NOTIFY VIA "From: <sip:c@exa\rmple.com>;tag=1\r\n" TO ID CSEQ END,
		NOTIFY REST CSEQ "X: y\nContent-Length: 0\r\n\r\n",
		NOTIFY REST CSEQ "X: y\rContent-Length: 0\r\n\r\n",
		NOTIFY REST CSEQ "X: y\r\r\n" END,
		NOTIFY REST CSEQ "X: y\n z\r\n" END,
		"\n" NOTIFY REST CSEQ END,
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (refusal(bad[i], strlen(bad[i])) == NULL)
			fail_msg("%zu was taken: %s", i, bad[i]);
}

/* --- answers ------------------------------------------------------------------------------------- */

static void check_answer(const char *request, const char *tag, const char *received, const char *expected)
{
	const char *why;
	struct buf b;
	sip_t *sip;
	msg_t *msg = sip_message_parse(request, strlen(request), &sip, &why);

	if (msg == NULL)
		fail_msg("%s: %s", why, request);
	buf_init(&b, 65536);
	sip_message_answer(&b, sip, 200, sip_phrase(200), tag, "Allow: NOTIFY\r\n", received, 5070);
	assert_false(b.failed);
	assert_string_equal(buf_text(&b), expected);
	assert_null(refusal(buf_text(&b), b.len));
	buf_done(&b);
	msg_destroy(msg);
}

#define ANSWER(via, to) \
	"SIP/2.0 200 OK\r\n" via FROM "To: " to "\r\n" ID CSEQ "Allow: NOTIFY\r\nContent-Length: 0\r\n\r\n"
#define REQUEST(via, to) NOTIFY via FROM "To: " to "\r\n" ID CSEQ "X: y\r\nContent-Length: 3\r\n\r\nabc"

static void an_answer_repeats_what_identifies_the_request(void **state)
{
	static const char two[] =
	    "Via: SIP/2.0/TCP 192.0.2.2;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP h:5061;branch=z9hG4bK2;x\r\n";
	char request[1024], expected[1024];

	(void)state;
	check_answer(REQUEST(VIA, "<sip:c@d>;tag=7"), "8", NULL, ANSWER(VIA, "<sip:c@d>;tag=7"));
	check_answer(REQUEST(VIA, "<sip:c@d>"), "8", NULL, ANSWER(VIA, "<sip:c@d>;tag=8"));
	check_answer(REQUEST(VIA, "<sip:c@d>"), NULL, NULL, ANSWER(VIA, "<sip:c@d>"));
	check_answer(REQUEST(VIA, "\"A B\" <sip:c@d;x=y>;z"), "8", NULL, ANSWER(VIA, "\"A B\" <sip:c@d;x=y>;z;tag=8"));
	snprintf(request, sizeof request, REQUEST("%s", "<sip:c@d>"), two);
	snprintf(expected, sizeof expected, ANSWER("%s", "<sip:c@d>;tag=8"), two);
	check_answer(request, "8", NULL, expected);
}

/* RFC 3261 18.2.1 and RFC 3581 4. */
static void an_answer_says_where_the_request_came_from(void **state)
{
	(void)state;
	check_answer(REQUEST("Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK1\r\n", "<sip:c@d>;tag=7"), "8",
	    "192.0.2.2", ANSWER("Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK1\r\n", "<sip:c@d>;tag=7"));
	check_answer(REQUEST("Via: SIP/2.0/UDP h:5060;branch=z9hG4bK1\r\n", "<sip:c@d>;tag=7"), "8", "192.0.2.2",
	    ANSWER("Via: SIP/2.0/UDP h:5060;branch=z9hG4bK1;received=192.0.2.2\r\n", "<sip:c@d>;tag=7"));
	check_answer(REQUEST("Via: SIP/2.0/UDP h;rport;branch=z9hG4bK1\r\n", "<sip:c@d>;tag=7"), "8", "192.0.2.2",
	    ANSWER("Via: SIP/2.0/UDP h;branch=z9hG4bK1;received=192.0.2.2;rport=5070\r\n", "<sip:c@d>;tag=7"));
	check_answer(REQUEST("Via: SIP/2.0/UDP h;rport=1;received=9.9.9.9;branch=z9hG4bK1\r\n", "<sip:c@d>;tag=7"), "8",
	    "::1", ANSWER("Via: SIP/2.0/UDP h;branch=z9hG4bK1;received=::1;rport=5070\r\n", "<sip:c@d>;tag=7"));
	check_answer(REQUEST("Via: SIP/2.0/TCP h;rport;received=9.9.9.9;branch=z9hG4bK1\r\n", "<sip:c@d>;tag=7"), "8",
	    NULL, ANSWER("Via: SIP/2.0/TCP h;rport;received=9.9.9.9;branch=z9hG4bK1\r\n", "<sip:c@d>;tag=7"));
}

/* What is folded behind a backslash keeps its CRLF, but not its blank, in libsofia-sip's tree. */
static void no_line_of_a_request_becomes_one_of_the_answer(void **state)
{
	static const char *const requests[] = {
		REQUEST(VIA, "\"a\\\r\n X: y\" <sip:a@b>"),
		REQUEST(VIA, "sip:a@b\\\r\n ;   tag    = 1918181833n"),
		REQUEST(VIA, "\"a\\\r\n b\" <sip:a@b>;tag=7"),
		REQUEST("Via: SIP/2.0/UDP h;branch=z9hG4bK1;x=\"\\\r\n y\"\r\n", "<sip:a@b>;tag=7"),
		REQUEST(
		    "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP h;x=\"\\\r\n y\"\r\n", "<sip:a@b>;tag=7"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(requests); i++) {
		const char *why, *end;
		struct buf b;
		sip_t *sip;
		msg_t *msg = sip_message_parse(requests[i], strlen(requests[i]), &sip, &why);

		if (msg == NULL)
			fail_msg("%zu is not answered: %s", i, why);
		buf_init(&b, 65536);
		sip_message_answer(&b, sip, 200, "OK", "8", "", NULL, 0);
		msg_destroy(msg);
		for (const char *line = strstr(buf_text(&b), "\r\n"); line != NULL; line = end) {
			end = strstr(line + 2, "\r\n");
			if (strchr(" \tVFTCc\r", line[2]) == NULL || line[2] == '\0')
				assert_null(end); /* the end of all */
		}
		buf_done(&b);
	}
}

/* RFC 3261 8.2.6.2: what is not ours to change comes back. */
static void other_parameters_of_via_stay(void **state)
{
	(void)state;
	check_answer(REQUEST("Via: SIP/2.0/UDP h;rportal=1;branch=z9hG4bK1;received-by=x\r\n", "<sip:c@d>;tag=7"), "8",
	    "192.0.2.2",
	    ANSWER("Via: SIP/2.0/UDP h;rportal=1;branch=z9hG4bK1;received-by=x;received=192.0.2.2\r\n",
		"<sip:c@d>;tag=7"));
}

/* Whatever may stand in a head can be answered: who is not answered does not know that he was heard. */
static void a_header_is_answered_whole_however_long(void **state)
{
	static char request[SIP_HEAD_MAX + 1000], filler[SIP_HEAD_MAX + 1];
	int answered = 0, refused = 0;

	(void)state;
	memset(filler, 'x', sizeof filler);
	for (int len = 2000; len < SIP_HEAD_MAX; len += len < SIP_HEAD_MAX - 600 ? 500 : 1) {
		const char *why;
		struct buf b;
		sip_t *sip;
		msg_t *msg;

		snprintf(request, sizeof request,
		    NOTIFY VIA FROM "To: <sip:c@d>;x=%.*s;y=1234567890;tag=7\r\n" ID CSEQ END, len, filler);
		msg = sip_message_parse(request, strlen(request), &sip, &why);
		if (msg == NULL) {
			refused++;
			continue;
		}
		answered++;
		buf_init(&b, SIP_HEAD_MAX + 1024);
		sip_message_answer(&b, sip, 200, "OK", "1", "", NULL, 0);
		assert_false(b.failed);
		assert_non_null(strstr(buf_text(&b), "x;y=1234567890;tag=7\r\n"));
		buf_done(&b);
		msg_destroy(msg);
	}
	assert_true(answered > 100 && refused > 100);
}

static void answers_have_phrases(void **state)
{
	static const int codes[] = { 200, 400, 405, 481, 489, 500 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(codes); i++)
		assert_string_not_equal(sip_phrase(codes[i]), "Answer");
	assert_string_equal(sip_phrase(200), "OK");
	assert_string_equal(sip_phrase(299), "Answer");
}

/* --- URIs ---------------------------------------------------------------------------------------- */

static void good_uris(void **state)
{
	static const char *const good[] = { "sip:example.com", "sip:a@example.com", "sips:a@example.com:5061",
		"SIP:a@example.com", "sip:+4930123@example.com;user=phone", "sip:a%20b@example.com",
		"sip:a@[2001:db8::1]:5060", "sip:a@192.0.2.1;transport=tcp;lr", "tel:+4930123",
		"tel:101;phone-context=example.com", "sip:*8@pbx", "sip:a:b@c", "sip:1;x=y@h" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		if (!sip_uri_is_good(good[i]))
			fail_msg("%s was refused", good[i]);
}

static void bad_uris(void **state)
{
	static const char *const bad[] = { "", "a", "a@b", "example.com", "sip", "sip:", "sips:", "sip:@", "sip:a@",
		":a@b", "sip a@b", "sip:a b@c", "sip:a@b c", " sip:a@b", "sip:a@b ", "sip:a@b\r\n", "sip:a@b\r\nX: y",
		"sip:a@b\t", "sip:a@b\x7f", "sip:a@\xc3\xb6", "<sip:a@b>", "sip:a@b>", "sip:\"a\"@b", "sip:a\\b@c",
		"http://example.com/", "mailto:a@b", "im:a@b", "pres:a@b", "urn:x:y", "sip:a@b?Subject=x", "sip:a@b?",
		"*", "xsip:a@b", "sip:a@b|c" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (sip_uri_is_good(bad[i]))
			fail_msg("\"%s\" was taken", bad[i]);
}

/* What no server can take for a URI of SIP (RFC 3261 25.1) or for a number (RFC 3966). */
static void uris_without_a_sense(void **state)
{
	static const char *const bad[] = { "tel:", "sip:a@b:x", "sip:a@b:99999", "sip:a@[::1", "sip:a@b#c", "sip:a@b/c",
		"sip:a@:5060", "sip:a@b@c", "sip:a@[:g]", "sip:a@b,c", "sip:a@b'c" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (sip_uri_is_good(bad[i]))
			fail_msg("\"%s\" was taken", bad[i]);
}

static void a_uri_has_a_limit(void **state)
{
	char text[520];

	(void)state;
	memset(text, 'a', sizeof text);
	memcpy(text, "sip:", 4);
	text[512] = '\0';
	assert_true(sip_uri_is_good(text));
	text[512] = 'a';
	text[513] = '\0';
	assert_false(sip_uri_is_good(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(torture_that_is_taken),
		cmocka_unit_test(torture_that_is_refused),
		cmocka_unit_test(headers_that_count_stand_once),
		cmocka_unit_test(short_names_count_as_well),
		cmocka_unit_test(a_guard_stands_before_the_parser),
		cmocka_unit_test(line_ends_that_stand_alone_are_refused),
		cmocka_unit_test(an_answer_repeats_what_identifies_the_request),
		cmocka_unit_test(an_answer_says_where_the_request_came_from),
		cmocka_unit_test(no_line_of_a_request_becomes_one_of_the_answer),
		cmocka_unit_test(other_parameters_of_via_stay),
		cmocka_unit_test(a_header_is_answered_whole_however_long),
		cmocka_unit_test(answers_have_phrases),
		cmocka_unit_test(good_uris),
		cmocka_unit_test(bad_uris),
		cmocka_unit_test(uris_without_a_sense),
		cmocka_unit_test(a_uri_has_a_limit),
	};

	return cmocka_run_group_tests_name("sip_message", tests, NULL, NULL);
}
