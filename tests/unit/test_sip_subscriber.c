/* test_sip_subscriber.c: how subscriptions begin, and what is said of them: challenges, sizes, documents.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/sip_world.h"

#include <errno.h>

/* --- challenges ------------------------------------------------------------------------------------ */

#define OF_PROXY(nonce)	 "Proxy-Authenticate: Digest realm=\"p\", nonce=\"" nonce "\", qop=\"auth\"\r\n"
#define OF_SERVER(nonce) "WWW-Authenticate: Digest realm=\"s\", nonce=\"" nonce "\", qop=\"auth\"\r\n"
#define STALE(nonce)	 "WWW-Authenticate: Digest realm=\"s\", nonce=\"" nonce "\", qop=\"auth\", stale=true\r\n"
#define CHANGED(nonce)	 "WWW-Authenticate: Digest realm=\"s2\", nonce=\"" nonce "\", qop=\"auth\"\r\n"

static void a_proxy_and_the_server_may_both_ask(void **state)
{
	const char *request;

	(void)state;
	request = begin_with("TCP", "secret", SIP_DIALOG);
	assert_false(has_header(request, "Authorization"));
	answer(request, 407, OF_PROXY("n1"));
	request = take_request();
	assert_true(has_header(request, "Proxy-Authorization"));
	assert_false(has_header(request, "Authorization"));
	answer(request, 401, OF_SERVER("n2"));
	request = take_request();
	assert_true(has_header(request, "Proxy-Authorization"));
	assert_true(has_header(request, "Authorization"));
	accept(request);
	assert_said("document sip:a@x idle\n");
	assert_int_equal(stats().established, 1);
	assert_int_equal(forbidden, 0);
	assert_null(next_request());
}

static void a_wrong_password_is_tried_once(void **state)
{
	const char *request;

	(void)state;
	begin("TCP", "wrong", 1);
	subscriber_connected(s);
	watch("sip:a@x", SIP_DIALOG);
	watch("sip:b@x", SIP_DIALOG);
	live(1, NULL);
	answer(take_request(), 401, OF_SERVER("n1"));
	request = take_request();
	assert_true(has_header(request, "Authorization"));
	answer(request, 401, OF_SERVER("n2"));
	assert_int_equal(forbidden, 1);
	assert_non_null(strstr(agent_refusal(ag), "refuses the password of me"));
	assert_false(has_header(take_request(), "Authorization"));
	assert_null(next_request());
}

static void an_expired_nonce_is_no_wrong_password(void **state)
{
	const char *request;

	(void)state;
	answer(begin_with("TCP", "secret", SIP_DIALOG), 401, OF_SERVER("n1"));
	answer(take_request(), 401, STALE("n2"));
	request = take_request();
	assert_non_null(strstr(request, "nonce=\"n2\""));
	accept(request);
	assert_int_equal(forbidden, 0);
	assert_int_equal(stats().established, 1);
}

/* A nonce that is stale when it comes back would else be asked for as long as the server is there. */
static void nonces_that_expire_at_once_are_not_answered_for_ever(void **state)
{
	const char *request;
	size_t answered = 0;

	(void)state;
	answer(begin_with("TCP", "secret", SIP_DIALOG), 401, OF_SERVER("n0"));
	while (answered < 10 && (request = next_request()) != NULL) {
		assert_true(has_header(request, "Authorization"));
		answered++;
		answer(request, 401, STALE("n1"));
	}
	assert_in_range(answered, 1, 3);
	assert_int_equal(forbidden, 1);
	assert_null(next_request());
}

#define OF_PARTNER "WWW-Authenticate: Digest realm=\"partner\", nonce=\"n\", qop=\"auth\"\r\n"

/* Neither is it told what our password makes of its realm, nor is it our server that refuses us. */
static void a_realm_of_somebody_else_is_trouble_of_one_address(void **state)
{
	const char *request;

	(void)state;
	answer(begin_with("TCP", "secret", SIP_DIALOG), 401, OF_SERVER("n1"));
	accept(take_request());
	assert_said("document sip:a@x idle\n");
	watch("sip:b@partner", SIP_DIALOG);
	live(1, NULL);
	answer(take_request(), 401, OF_PARTNER);
	assert_said("access_denied sip:b@partner\n");
	assert_non_null(strstr(agent_refusal(ag), "realm partner"));
	assert_null(next_request());
	watch("sip:c@x", SIP_DIALOG);
	live(1, NULL);
	request = take_request();
	assert_non_null(strstr(request, "realm=\"s\""));
	accept(request);
	assert_int_equal(forbidden, 0);
	assert_int_equal(stats().established, 2);
}

/* Also where our server has let us in without a password: one address must not darken all. */
static void a_realm_of_another_domain_is_trouble_of_one_address(void **state)
{
	static const char *const passwords[] = { "secret", NULL };

	for (size_t i = 0; i < COUNT_OF(passwords); i++) {
		accept(begin_with("TCP", passwords[i], SIP_DIALOG));
		assert_said("document sip:a@x idle\n");
		watch("sip:b@partner", SIP_DIALOG);
		live(1, NULL);
		answer(take_request(), 401, OF_PARTNER);
		assert_said("access_denied sip:b@partner\n");
		assert_null(next_request());
		assert_int_equal(forbidden, 0);
		end(state);
	}
}

static void a_password_that_is_asked_for_first_by_an_address_of_ours_is_given(void **state)
{
	(void)state;
	accept(begin_with("TCP", "secret", SIP_DIALOG));
	watch("sip:b@X:5070", SIP_DIALOG);
	live(1, NULL);
	answer(take_request(), 401, OF_SERVER("n1"));
	assert_true(has_header(take_request(), "Authorization"));
}

/* A proxy of ours may stand before it: then it may be ours as well, and is tried once. */
static void a_realm_behind_our_proxy_is_tried_once(void **state)
{
	const char *request;

	(void)state;
	answer(begin_with("TCP", "secret", SIP_DIALOG), 407, OF_PROXY("n1"));
	accept(take_request());
	for (int i = 0; i < 3; i++) {
		char address[40];

		snprintf(address, sizeof address, "sip:b%d@partner", i);
		watch(address, SIP_DIALOG);
		live(1, NULL);
		request = take_request();
		assert_false(has_header(request, "Authorization"));
		answer(request, 401, OF_PARTNER);
		if (i == 0)
			answer(take_request(), 401, OF_PARTNER);
		assert_null(next_request());
	}
	assert_said("document sip:a@x idle\naccess_denied sip:b0@partner\naccess_denied sip:b1@partner\n"
		    "access_denied sip:b2@partner\n");
	assert_int_equal(forbidden, 0);
}

/* The password was changed at the server: that is our trouble, not somebody's. */
static void our_own_realm_may_refuse_us_later(void **state)
{
	(void)state;
	answer(begin_with("TCP", "secret", SIP_DIALOG), 401, OF_SERVER("n1"));
	accept(take_request());
	watch("sip:b@x", SIP_DIALOG);
	live(1, NULL);
	answer(take_request(), 401, OF_SERVER("n2"));
	answer(take_request(), 401, OF_SERVER("n3"));
	assert_int_equal(forbidden, 1);
}

/* A question to our own server, as the connector asks whether it is there: nobody else can answer it. */
struct question {
	struct agent_call call;
	uint32_t cseq;
	int status; /* 0: not answered */
};

static void compose_question(struct agent_call *call, struct agent_request *r)
{
	*r = (struct agent_request){ .method = "OPTIONS",
		.uri = "sip:x",
		.to = "sip:x",
		.from_tag = "q",
		.call_id = "q@presenced",
		.cseq = &((struct question *)(void *)call)->cseq,
		.route = "",
		.headers = "" };
}

static void on_question_answered(struct agent_call *call, const sip_t *answered, int status)
{
	(void)answered;
	((struct question *)(void *)call)->status = status;
}

static const struct agent_call_type question_type = { .compose = compose_question, .answered = on_question_answered };

/* Else a wrong password would look like a server that is there. */
static void a_question_to_our_own_server_is_refused_by_nobody_else(void **state)
{
	struct question q = { .call.type = &question_type };

	(void)state;
	answer(begin_with("TCP", "secret", SIP_DIALOG), 407, OF_PROXY("n1"));
	accept(take_request());
	assert_int_equal(agent_send(ag, &q.call), 0);
	answer(take_request(), 401, OF_SERVER("n2"));
	answer(take_request(), 401, OF_SERVER("n3"));
	assert_int_equal(q.status, 401);
	assert_non_null(strstr(agent_refusal(ag), "refuses the password of me (realm s)"));
	assert_null(next_request());
}

/* The server was configured anew. What only it can answer says so; whoever else names that realm is not believed. */
static void a_realm_that_has_changed_is_ours_once_it_lets_us_in(void **state)
{
	struct question q = { .call.type = &question_type };
	const char *request, *question;

	(void)state;
	answer(begin_with("TCP", "secret", SIP_DIALOG), 401, OF_SERVER("n1"));
	accept(take_request());
	assert_said("document sip:a@x idle\n");
	assert_int_equal(agent_send(ag, &q.call), 0);
	answer(take_request(), 401, CHANGED("n2"));
	question = take_request();
	assert_non_null(strstr(question, "realm=\"s2\""));
	watch("sip:b@partner", SIP_DIALOG);
	live(1, NULL);
	answer(take_request(), 401, CHANGED("n3"));
	assert_said("access_denied sip:b@partner\n");
	assert_null(next_request());
	answer(question, 200, "");
	assert_int_equal(q.status, 200);
	watch("sip:c@x", SIP_DIALOG);
	live(1, NULL);
	answer(take_request(), 401, CHANGED("n4"));
	request = take_request();
	assert_non_null(strstr(request, "nonce=\"n4\""));
	accept(request);
	assert_said("document sip:c@x idle\n");
	assert_int_equal(forbidden, 0);
}

/* The same, seen first by a refresh: whoever answers for an address of ours is our server. */
static void a_realm_that_changes_while_all_works_is_answered(void **state)
{
	const char *request;

	(void)state;
	answer(begin_with("TCP", "secret", SIP_DIALOG), 401, OF_SERVER("n1"));
	accept(take_request());
	buf_clear(&said);
	answer(await_request(BEAT_MS + SECOND), 401, CHANGED("n2"));
	request = take_request();
	assert_non_null(strstr(request, "realm=\"s2\""));
	accept(request);
	assert_int_equal(stats().established, 1);
	assert_int_equal(forbidden, 0);
	answer(await_request(BEAT_MS + SECOND), 401, OF_SERVER("n3"));
	answer(take_request(), 401, OF_SERVER("n4"));
	assert_int_equal(forbidden, 1);
	assert_non_null(strstr(agent_refusal(ag), "refuses the password of me (realm s)"));
}

/* The new realm has never let us in, so the old one is not somebody else's. */
static void a_realm_that_was_changed_back_is_answered(void **state)
{
	struct question q = { .call.type = &question_type };
	const char *request;

	(void)state;
	answer(begin_with("TCP", "secret", SIP_DIALOG), 401, OF_SERVER("n1"));
	accept(take_request());
	assert_int_equal(agent_send(ag, &q.call), 0);
	answer(take_request(), 401, CHANGED("n2"));
	answer(take_request(), 401, CHANGED("n3"));
	assert_int_equal(q.status, 401);
	watch("sip:b@x", SIP_DIALOG);
	live(1, NULL);
	answer(take_request(), 401, OF_SERVER("n4"));
	request = take_request();
	assert_non_null(strstr(request, "nonce=\"n4\""));
	accept(request);
	assert_int_equal(stats().established, 2);
}

/* --- what does not fit ----------------------------------------------------------------------------- */

static void what_is_too_long_with_credentials_is_trouble_of_one_address(void **state)
{
	char address[400], expected[400 + 40];
	const char *request;

	(void)state;
	begin("UDP", "secret", 50);
	subscriber_connected(s);
	snprintf(address, sizeof address, "sip:%0280d@x", 0);
	watch(address, SIP_DIALOG);
	live(1, NULL);
	answer(take_request(), 401, OF_SERVER("n1"));
	assert_null(next_request());
	snprintf(expected, sizeof expected, "error %s\n", address);
	assert_said(expected);
	assert_int_equal(forbidden + unavailable + forgotten, 0);
	watch("sip:b@x", SIP_DIALOG);
	live(1, NULL);
	request = take_request();
	assert_true(has_header(request, "Authorization"));
	accept(request);
	assert_said("document sip:b@x idle\n");
	live(60 * SECOND, accept);
	assert_int_equal(stats().established, 1);
	subscriber_unwatch(s, address, SIP_DIALOG, DOMAIN_TELEPHONY);
	assert_int_equal(stats().subscriptions, 1);
	assert_int_equal(stats().waiting, 0);
	assert_int_equal(usages(), 1);
}

static void a_goodbye_that_does_not_fit_leaves_nothing(void **state)
{
	(void)state;
	accept(begin_with("UDP", NULL, SIP_DIALOG));
	send_result = -EMSGSIZE;
	subscriber_unwatch(s, "sip:a@x", SIP_DIALOG, DOMAIN_TELEPHONY);
	live(1, NULL);
	assert_int_equal(usages(), 0);
	subscriber_lost(s);
	assert_int_equal(stats().subscriptions + stats().established + stats().waiting, 0);
}

/* --- documents ------------------------------------------------------------------------------------- */

static void a_gap_is_remembered_until_the_whole_state_has_come(void **state)
{
	const char *request, *fetch;

	(void)state;
	request = begin_with("TCP", NULL, SIP_DIALOG);
	answer(request, 200, "Expires: 600\r\n");
	notify(request, "active;expires=600", LINE("1", "full", CALL("x", "confirmed")));
	assert_said("document sip:a@x busy\n");
	notify(request, "active;expires=600", LINE("3", "partial", CALL("y", "early"))); /* 2, the end of x, is lost */
	buf_clear(&said);
	fetch = take_request();
	assert_false(in_dialog(fetch));
	answer(fetch, 200, "Expires: 0\r\n");
	notify(request, "active;expires=600", LINE("4", "partial", CALL("y", "terminated")));
	assert_said("document sip:a@x busy\n");
	notify(fetch, "terminated;reason=timeout", LINE("0", "full", CALL("y", "early")));
	assert_said(""); /* it was overtaken */
	fetch = take_request();
	answer(fetch, 200, "Expires: 0\r\n");
	notify(fetch, "terminated;reason=timeout", LINE("0", "full", ""));
	assert_said("document sip:a@x fetched idle\n");
	notify(request, "active;expires=600", LINE("5", "partial", CALL("z", "confirmed")));
	assert_said("document sip:a@x busy\n");
	assert_null(next_request());
	assert_int_equal(usages(), 1);
}

static void a_pending_subscription_is_proved_in_its_own_dialog(void **state)
{
	const char *request;

	(void)state;
	request = begin_with("TCP", NULL, SIP_PRESENCE);
	answer(request, 200, "Expires: 600\r\n");
	notify(request, "pending;expires=600", "");
	assert_said("requesting sip:a@x\n");
	subscriber_verify(s, "sip:a@x", SIP_PRESENCE);
	live(1, NULL);
	request = take_request();
	assert_true(in_dialog(request));
	assert_null(strstr(request, "Expires: 0\r\n"));
	answer(request, 200, "Expires: 600\r\n");
	notify(request, "pending;expires=600", PERSON); /* what strangers are shown */
	assert_said("requesting sip:a@x\n");
	notify(request, "active;expires=600", PERSON);
	assert_said("document sip:a@x\n");
	subscriber_verify(s, "sip:a@x", SIP_PRESENCE);
	live(1, NULL);
	assert_false(in_dialog(take_request()));
}

/* What is shown of a person has its own place in each domain: the new one must not wait for the next change. */
static void what_is_watched_in_the_other_domain_too_is_fetched_at_once(void **state)
{
	const char *fetch;

	(void)state;
	accept(begin_with("TCP", NULL, SIP_PRESENCE));
	assert_said("document sip:a@x\n");
	assert_int_equal(subscriber_watch(s, "sip:a@x", SIP_PRESENCE, DOMAIN_RICH), 0);
	live(1, NULL);
	fetch = take_request();
	assert_false(in_dialog(fetch));
	assert_asks_for(fetch, "0");
	answer(fetch, 200, "Expires: 0\r\n");
	notify(fetch, "terminated;reason=timeout", PERSON);
	assert_said("document sip:a@x fetched\n");
	assert_null(next_request());
	assert_int_equal(usages(), 1);
	assert_int_equal(stats().subscriptions, 1);
}

static void accept_refreshes_only(const char *request)
{
	assert_true(in_dialog(request));
	accept(request);
}

static void a_fetch_that_is_accepted_and_not_notified_is_given_up(void **state)
{
	const char *fetch;

	(void)state;
	accept(begin_with("TCP", NULL, SIP_DIALOG));
	subscriber_verify(s, "sip:a@x", SIP_DIALOG);
	live(1, NULL);
	answer(take_request(), 200, "Expires: 0\r\n");
	live(31 * SECOND, accept_refreshes_only);
	assert_int_equal(usages(), 2);
	live(2 * SECOND, accept_refreshes_only);
	assert_int_equal(usages(), 1);
	subscriber_verify(s, "sip:a@x", SIP_DIALOG);
	live(1, NULL);
	fetch = take_request();
	assert_false(in_dialog(fetch));
	assert_asks_for(fetch, "0");
}

/* FreeSWITCH ends every fetch so; others refuse them, or have nothing to say in them. */
static void a_fetch_that_says_nothing_is_no_word_about_the_person(void **state)
{
	static const struct {
		int status;
		const char *substate, *body;
	} rows[] = {
		{ 200, "terminated;reason=noresource", "" },
		{ 200, "terminated;reason=noresource", LINE("0", "full", CALL("y", "confirmed")) },
		{ 200, "terminated;reason=rejected", "" },
		{ 200, "terminated;reason=timeout", "" },
		{ 200, "pending;expires=0", LINE("0", "full", CALL("y", "early")) }, /* what strangers are shown */
		{ 403, NULL, NULL },
		{ 404, NULL, NULL },
		{ 481, NULL, NULL },
		{ 603, NULL, NULL },
	};
	const char *request, *fetch;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		request = begin_with("TCP", NULL, SIP_DIALOG);
		accept(request);
		buf_clear(&said);
		subscriber_verify(s, "sip:a@x", SIP_DIALOG);
		live(1, NULL);
		fetch = take_request();
		assert_false(in_dialog(fetch));
		answer(fetch, rows[i].status, "Expires: 0\r\n");
		if (rows[i].substate != NULL)
			notify(fetch, rows[i].substate, rows[i].body);
		assert_said("");
		live(1, NULL);
		request = take_request(); /* the subscription is asked instead */
		assert_true(in_dialog(request));
		assert_non_null(strstr(request, "Expires: 600\r\n"));
		answer(request, 200, "Expires: 600\r\n");
		notify(request, "active;expires=600", LINE("7", "full", CALL("x", "confirmed")));
		assert_said("document sip:a@x busy\n");
		assert_int_equal(usages(), 1);
		assert_null(next_request());
		end(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_proxy_and_the_server_may_both_ask),
		TEST(a_wrong_password_is_tried_once),
		TEST(an_expired_nonce_is_no_wrong_password),
		TEST(nonces_that_expire_at_once_are_not_answered_for_ever),
		TEST(a_realm_of_somebody_else_is_trouble_of_one_address),
		TEST(a_realm_of_another_domain_is_trouble_of_one_address),
		TEST(a_password_that_is_asked_for_first_by_an_address_of_ours_is_given),
		TEST(a_realm_behind_our_proxy_is_tried_once),
		TEST(our_own_realm_may_refuse_us_later),
		TEST(a_question_to_our_own_server_is_refused_by_nobody_else),
		TEST(a_realm_that_has_changed_is_ours_once_it_lets_us_in),
		TEST(a_realm_that_changes_while_all_works_is_answered),
		TEST(a_realm_that_was_changed_back_is_answered),
		TEST(what_is_too_long_with_credentials_is_trouble_of_one_address),
		TEST(a_goodbye_that_does_not_fit_leaves_nothing),
		TEST(a_gap_is_remembered_until_the_whole_state_has_come),
		TEST(a_pending_subscription_is_proved_in_its_own_dialog),
		TEST(what_is_watched_in_the_other_domain_too_is_fetched_at_once),
		TEST(a_fetch_that_is_accepted_and_not_notified_is_given_up),
		TEST(a_fetch_that_says_nothing_is_no_word_about_the_person),
	};

	return cmocka_run_group_tests_name("sip_subscriber", tests, NULL, NULL);
}
