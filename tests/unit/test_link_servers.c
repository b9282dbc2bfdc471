/* test_link_servers.c: which of several servers a link takes, when it leaves one, and when it returns.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/link_world.h"

static struct server a, b;

static void two_servers(void)
{
	add_place("127.0.0.1", a.port);
	add_place("127.0.0.1", b.port);
	start_link();
}

static bool peer_is(const struct server *s)
{
	char peer[64];

	snprintf(peer, sizeof peer, "127.0.0.1:%u (%s)", s->port, w.settings.transport == LINK_TLS ? "tls" : "tcp");
	return strcmp(link_peer(w.link), peer) == 0;
}

static void the_next_server_is_tried(void **state)
{
	(void)state;
	server_reserve(&a);
	server_open(&b);
	two_servers();
	AWAIT(w.ups == 1);
	assert_true(peer_is(&b));
	assert_int_equal(w.downs, 0);
	server_close(&a);
	server_close(&b);
}

static void every_server_is_tried_before_down(void **state)
{
	(void)state;
	server_reserve(&a);
	server_reserve(&b);
	two_servers();
	AWAIT(w.downs == 1);
	pass(NOT_AT_ONCE);
	assert_int_equal(w.downs, 1);
	server_close(&a);
	server_close(&b);
}

/* Both only close: each is called once, and then both rest. */
static void two_servers_that_only_close_are_called_once_each(void **state)
{
	(void)state;
	server_open(&a);
	server_open(&b);
	a.closes = b.closes = true;
	two_servers();
	AWAIT(w.downs == 2);
	pass(NOT_AT_ONCE);
	assert_int_equal(a.connections, 1);
	assert_int_equal(b.connections, 1);
	assert_int_equal(w.downs, 2);
	server_close(&a);
	server_close(&b);
}

static void a_useless_server_is_left_for_the_next(void **state)
{
	(void)state;
	server_open(&a);
	server_open(&b);
	w.on_up = fail_once;
	two_servers();
	AWAIT(w.downs == 1);
	check_why(LINK_FAULT_GIVEN_UP, "it is of no use");
	AWAIT(w.ups == 2);
	assert_true(peer_is(&b));
	pass(50);
	assert_int_equal(a.connections, 1);
	server_close(&a);
	server_close(&b);
}

static void pause_once(void)
{
	w.on_up = NULL;
	link_fail(w.link, LINK_NEXT_PAUSE, 200, "later");
}

static void after_a_pause_it_goes_on(void **state)
{
	int64_t began;

	(void)state;
	server_open(&a);
	server_open(&b);
	w.on_up = pause_once;
	two_servers();
	AWAIT(w.downs == 1);
	began = instant_now().mono;
	AWAIT(w.ups == 2);
	assert_true(instant_now().mono - began >= 150);
	assert_true(peer_is(&a));
	assert_int_equal(b.connections, 0);
	server_close(&a);
	server_close(&b);
}

/* --- a better server is back --------------------------------------------------------------------- */

static void move_back(void)
{
	server_reserve(&a);
	server_open(&b);
	w.settings.failback = 300;
	w.on_up = be_good;
	two_servers();
	AWAIT(w.ups == 1);
	assert_true(peer_is(&b));
	server_listen(&a);
	AWAIT(w.downs == 1);
	check_why(LINK_FAULT_MOVED, "preferred");
}

static void a_better_server_is_returned_to(void **state)
{
	(void)state;
	move_back();
	AWAIT(w.ups == 2);
	assert_true(peer_is(&a));
	pass(400);
	assert_int_equal(w.downs, 1);
	assert_int_equal(a.connections, 1);
	server_close(&a);
	server_close(&b);
}

static void without_good_nothing_is_returned_to(void **state)
{
	(void)state;
	server_reserve(&a);
	server_open(&b);
	w.settings.failback = 50;
	two_servers();
	AWAIT(w.ups == 1);
	server_listen(&a);
	pass(NOT_AT_ONCE);
	assert_int_equal(a.connections, 0);
	assert_int_equal(w.downs, 0);
	server_close(&a);
	server_close(&b);
}

static void stop(void)
{
	link_stop(w.link);
}

static void a_link_may_be_stopped_while_it_moves(void **state)
{
	(void)state;
	w.on_down = stop;
	move_back();
	pass(100);
	assert_int_equal(w.ups, 1);
	assert_false(link_is_up(w.link));
	server_close(&a);
	server_close(&b);
}

static void restart(void)
{
	link_stop(w.link);
	link_start(w.link);
}

/* One up() for one down(), and one connection that stays. */
static void a_link_may_be_started_anew_while_it_moves(void **state)
{
	(void)state;
	w.on_down = restart;
	move_back();
	AWAIT(w.ups == 2);
	pass(100);
	assert_int_equal(w.ups, 2);
	assert_int_equal(w.downs, 1);
	server_close(&a);
	server_close(&b);
}

static void free_inside_down_of_a_move(void **state)
{
	(void)state;
	w.on_down = free_link;
	move_back();
	pass(50);
	assert_int_equal(w.ups, 1);
	server_close(&a);
	server_close(&b);
}

/* The time at which it was to return belonged to what was lost. */
static void after_a_loss_nothing_is_returned_to(void **state)
{
	(void)state;
	server_reserve(&a);
	server_open(&b);
	w.settings.failback = 100;
	w.on_up = be_good;
	two_servers();
	AWAIT(w.ups == 1);
	server_close(&b);
	AWAIT(w.downs == 2); /* lost, and then both refuse */
	server_listen(&a);
	pass(NOT_AT_ONCE);
	assert_int_equal(a.connections, 0);
	assert_int_equal(w.downs, 2);
	server_close(&a);
}

/* --- a better server that accepts, but no more ---------------------------------------------------- */

static SSL_CTX *tls; /* with a certificate that nobody looks at */

static void make_tls(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_set_pubkey(certificate, key);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	tls = SSL_CTX_new(TLS_server_method());
	assert_non_null(tls);
	assert_int_equal(SSL_CTX_use_certificate(tls, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(tls, key), 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void two_servers_by_tls(void)
{
	make_tls();
	server_open(&b);
	b.tls = tls;
	w.settings.transport = LINK_TLS;
	w.settings.tls_verify = false;
	w.settings.failback = 50;
	w.on_up = be_good;
	two_servers();
	AWAIT(w.ups == 1);
	assert_true(peer_is(&b));
}

static void close_both(void)
{
	server_close(&a);
	server_close(&b);
	SSL_CTX_free(tls);
}

static void a_return_that_fails_is_tried_again(void **state)
{
	(void)state;
	server_open(&a);
	a.closes = true;
	two_servers_by_tls();
	AWAIT(a.connections == 3); /* the first before b, then two returns */
	assert_int_equal(w.ups, 1);
	assert_int_equal(w.downs, 0);
	a.closes = false;
	a.tls = tls;
	AWAIT(w.ups == 2);
	assert_true(peer_is(&a));
	assert_int_equal(w.downs, 1);
	check_why(LINK_FAULT_MOVED, "preferred");
	close_both();
}

/* It hangs in the handshake, for longer than anything is waited for here. */
static void begin_to_return(void)
{
	w.protocol.connect_ms = 2 * PATIENCE_MS;
	server_reserve(&a);
	two_servers_by_tls();
	server_listen(&a);
	AWAIT(a.connections == 1);
	assert_int_equal(a.goodbyes, 0);
}

static void free_while_it_returns(void **state)
{
	(void)state;
	begin_to_return();
	free_link();
	AWAIT(a.goodbyes == 1);
	close_both();
}

/* Nothing is left that could return: it connects anew. */
static void a_loss_ends_the_return(void **state)
{
	(void)state;
	begin_to_return();
	server_hang_up(&b);
	AWAIT(a.goodbyes == 1);
	AWAIT(a.connections == 2);
	assert_int_equal(w.downs, 1);
	assert_int_equal(a.goodbyes, 1);
	close_both();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_next_server_is_tried),
		TEST(every_server_is_tried_before_down),
		TEST(two_servers_that_only_close_are_called_once_each),
		TEST(a_useless_server_is_left_for_the_next),
		TEST(after_a_pause_it_goes_on),
		TEST(a_better_server_is_returned_to),
		TEST(without_good_nothing_is_returned_to),
		TEST(a_link_may_be_stopped_while_it_moves),
		TEST(a_link_may_be_started_anew_while_it_moves),
		TEST(free_inside_down_of_a_move),
		TEST(after_a_loss_nothing_is_returned_to),
		TEST(a_return_that_fails_is_tried_again),
		TEST(free_while_it_returns),
		TEST(a_loss_ends_the_return),
	};

	return cmocka_run_group_tests_name("link_servers", tests, NULL, NULL);
}
