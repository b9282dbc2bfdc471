/* test_link_tls.c: who is believed, what is said when somebody is not, and TLS that begins in the middle.
 * SPDX-License-Identifier: MIT */
#include "tests/unit/link_world.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <time.h>

#define DAY 86400L

static struct server a;
static char folder[] = "/tmp/test-link-tls-XXXXXX";
static char ca_file[64], other_ca_file[64], client_file[64];
static EVP_PKEY *ca_key, *server_key;
static X509 *ca, *good, *numeric, *expired, *future;

/* --- certificates -------------------------------------------------------------------------------- */

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

/* Valid from `from` to `to` seconds from now; `names` NULL: an authority, signed by itself. */
static X509 *make_certificate(const char *common, const char *names, long from, long to, EVP_PKEY *key)
{
	static long serial;
	X509 *x = X509_new(), *issuer = names == NULL ? x : ca;

	assert_non_null(x);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(x), from);
	X509_gmtime_adj(X509_getm_notAfter(x), to);
	X509_NAME_add_entry_by_txt(
	    X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer));
	X509_set_pubkey(x, key);
	add_extension(x, issuer, NID_basic_constraints, names == NULL ? "critical,CA:TRUE" : "CA:FALSE");
	if (names != NULL)
		add_extension(x, issuer, NID_subject_alt_name, names);
	assert_true(X509_sign(x, names == NULL ? key : ca_key, EVP_sha256()) > 0);
	return x;
}

static void write_pem(char *path, size_t size, const char *name, X509 *certificate, EVP_PKEY *key)
{
	FILE *file;

	snprintf(path, size, "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	if (key != NULL)
		assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(file), 0);
}

static int make_certificates(void **state)
{
	EVP_PKEY *other_key = EVP_EC_gen("P-256");
	X509 *other, *client;

	(void)state;
	assert_non_null(mkdtemp(folder));
	ca_key = EVP_EC_gen("P-256");
	server_key = EVP_EC_gen("P-256");
	ca = make_certificate("Test Authority", NULL, -DAY, DAY, ca_key);
	other = make_certificate("Other Authority", NULL, -DAY, DAY, other_key);
	good = make_certificate("common.test", "DNS:good.test,DNS:second.test", -DAY, DAY, server_key);
	numeric = make_certificate("numeric.test", "IP:127.0.0.1", -DAY, DAY, server_key);
	expired = make_certificate("expired.test", "DNS:good.test", -3 * DAY, -DAY, server_key);
	future = make_certificate("future.test", "DNS:good.test", DAY, 2 * DAY, server_key);
	client = make_certificate("client.test", "DNS:client.test", -DAY, DAY, server_key);
	write_pem(ca_file, sizeof ca_file, "ca.pem", ca, NULL);
	write_pem(other_ca_file, sizeof other_ca_file, "other.pem", other, NULL);
	write_pem(client_file, sizeof client_file, "client.pem", client, server_key);
	X509_free(other);
	X509_free(client);
	EVP_PKEY_free(other_key);
	return 0;
}

static int remove_certificates(void **state)
{
	(void)state;
	unlink(ca_file);
	unlink(other_ca_file);
	unlink(client_file);
	rmdir(folder);
	X509_free(ca);
	X509_free(good);
	X509_free(numeric);
	X509_free(expired);
	X509_free(future);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(server_key);
	return 0;
}

/* --- helpers ------------------------------------------------------------------------------------- */

static char asked_for[80]; /* the name that the client asks for before it sees a certificate; "" none */

static int on_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	(void)arg;
	snprintf(asked_for, sizeof asked_for, "%s", name == NULL ? "" : name);
	return SSL_TLSEXT_ERR_OK;
}

static void open_server(X509 *certificate)
{
	server_open(&a);
	a.tls = SSL_CTX_new(TLS_server_method());
	assert_non_null(a.tls);
	assert_int_equal(SSL_CTX_use_certificate(a.tls, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(a.tls, server_key), 1);
	SSL_CTX_set_tlsext_servername_callback(a.tls, on_name);
	snprintf(asked_for, sizeof asked_for, "not yet");
	a.echoes = true;
	w.settings.transport = LINK_TLS;
	w.settings.ca_file = ca_file;
	w.settings.cert_host = (char *)"good.test";
	add_place("127.0.0.1", a.port);
}

static void close_server(void)
{
	server_close(&a);
	SSL_CTX_free(a.tls);
}

static void check_refused(const char *words)
{
	start_link();
	AWAIT(w.downs == 1);
	assert_int_equal(w.ups, 0);
	check_why(LINK_FAULT_TLS, words);
}

static void send_hello(void)
{
	assert_int_equal(link_send(w.link, "hello\n", 6), 0);
}

static void check_echo(enum link_security security)
{
	start_link();
	w.on_up = send_hello;
	AWAIT(w.frames == 1);
	assert_string_equal(buf_text(&w.received), "hello\n");
	assert_int_equal(link_security(w.link), security);
	assert_int_equal(w.downs, 0);
}

/* --- TLS from the start -------------------------------------------------------------------------- */

static void a_good_server_is_believed(void **state)
{
	(void)state;
	open_server(good);
	check_echo(LINK_VERIFIED);
	assert_string_equal(asked_for, "good.test");
	server_hang_up(&a);
	AWAIT(w.downs == 1);
	check_why(LINK_FAULT_LOST, "closed the connection");
	close_server();
}

/* Addresses cannot be asked for (RFC 6066, section 3), and there are servers that refuse it. */
static void a_numeric_server_needs_its_address_in_the_certificate(void **state)
{
	(void)state;
	open_server(numeric);
	w.settings.cert_host = NULL;
	check_echo(LINK_VERIFIED);
	assert_string_equal(asked_for, "");
	close_server();
}

static void the_protocol_may_know_the_name(void **state)
{
	(void)state;
	open_server(good);
	w.settings.cert_host = NULL;
	w.place.identity = "second.test";
	check_echo(LINK_VERIFIED);
	close_server();
}

static void a_wrong_name_is_said_with_the_right_ones(void **state)
{
	(void)state;
	open_server(good);
	w.settings.cert_host = (char *)"other.test";
	check_refused("its certificate is for good.test, second.test and not for other.test");
	close_server();
}

static void open_wild_server(const char *name)
{
	X509 *certificate = make_certificate("wild.test", name, -DAY, DAY, server_key);

	open_server(certificate);
	X509_free(certificate); /* the server's now */
	w.settings.cert_host = (char *)"good.wild.test";
}

/* "*.wild.test" is for all names there, "g*.wild.test" for none (RFC 9525, section 6.3). */
static void a_star_is_a_whole_label(void **state)
{
	(void)state;
	open_wild_server("DNS:g*.wild.test");
	check_refused("its certificate is for g*.wild.test and not for good.wild.test");
	free_link();
	close_server();
	w.downs = 0;
	w.settings.servers.count = 0;
	open_wild_server("DNS:*.wild.test");
	check_echo(LINK_VERIFIED);
	close_server();
}

static void a_wrong_address_is_said(void **state)
{
	(void)state;
	open_server(good);
	w.settings.cert_host = NULL;
	check_refused("and not for 127.0.0.1");
	close_server();
}

static void an_unknown_authority_is_said(void **state)
{
	(void)state;
	open_server(good);
	w.settings.ca_file = other_ca_file;
	check_refused("set ca_file");
	close_server();
}

static void a_certificate_is_valid_for_a_time(void **state)
{
	(void)state;
	open_server(expired);
	check_refused("certificate has expired");
	free_link();
	close_server();
	w.downs = 0;
	w.settings.servers.count = 0;
	open_server(future);
	check_refused("not yet valid");
	close_server();
}

static void a_server_without_tls_is_noticed(void **state)
{
	(void)state;
	open_server(good);
	SSL_CTX_free(a.tls);
	a.tls = NULL;
	a.echoes = false;
	a.greeting = "220 hello, this is not TLS\r\n";
	check_refused("does not speak TLS at this port");
	close_server();
}

static void a_server_that_hangs_up_is_noticed(void **state)
{
	(void)state;
	open_server(good);
	a.closes = true;
	check_refused("handshake");
	close_server();
}

static void a_server_that_does_not_answer_is_given_up(void **state)
{
	(void)state;
	open_server(good);
	SSL_CTX_free(a.tls);
	a.tls = NULL;
	a.echoes = false;
	w.protocol.connect_ms = 200;
	check_refused("no answer in the TLS handshake");
	close_server();
}

static void an_old_version_is_refused(void **state)
{
	(void)state;
	open_server(good);
	SSL_CTX_set_max_proto_version(a.tls, TLS1_2_VERSION);
	w.settings.tls_min = TLS_VERSION_1_3;
	check_refused("look at tls_min and tls_max");
	close_server();
}

static void a_new_version_is_refused(void **state)
{
	(void)state;
	open_server(good);
	SSL_CTX_set_min_proto_version(a.tls, TLS1_3_VERSION);
	w.settings.tls_max = TLS_VERSION_1_2;
	check_refused("look at tls_min and tls_max");
	close_server();
}

static void old_versions_can_be_allowed(void **state)
{
	(void)state;
	open_server(good);
	SSL_CTX_set_cipher_list(a.tls, "DEFAULT@SECLEVEL=0");
	SSL_CTX_set_min_proto_version(a.tls, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(a.tls, TLS1_VERSION);
	w.settings.tls_min = TLS_VERSION_1_0;
	check_echo(LINK_VERIFIED);
	close_server();
}

static void without_verification_all_are_taken(void **state)
{
	(void)state;
	open_server(expired);
	w.settings.tls_verify = false;
	w.settings.ca_file = NULL;
	w.settings.cert_host = (char *)"other.test";
	check_echo(LINK_ENCRYPTED);
	close_server();
}

static void our_certificate_is_shown(void **state)
{
	(void)state;
	open_server(good);
	SSL_CTX_set_verify(a.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	assert_int_equal(SSL_CTX_load_verify_locations(a.tls, ca_file, NULL), 1);
	w.settings.cert_file = client_file;
	check_echo(LINK_VERIFIED);
	close_server();
}

static void check_unusable(const char *cert, const char *key, const char *words)
{
	char err[640] = "";

	w.settings.cert_file = (char *)(uintptr_t)cert;
	w.settings.key_file = (char *)(uintptr_t)key;
	assert_int_equal(link_new(&w.link, w.loop, &w.protocol, &w.settings, NULL, NULL, err, sizeof err), -EINVAL);
	if (strstr(err, words) == NULL)
		fail_msg("\"%s\"", err);
}

static void write_locked_key(const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(PEM_write_PKCS8PrivateKey(file, server_key, EVP_aes_256_cbc(), "secret", 6, NULL, NULL), 1);
	assert_int_equal(fclose(file), 0);
}

static void write_locked_certificate(const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(PEM_ASN1_write((i2d_of_void *)i2d_X509, PEM_STRING_X509, file, good, EVP_aes_256_cbc(),
			     (const unsigned char *)"secret", 6, NULL, NULL),
	    1);
	assert_int_equal(fclose(file), 0);
}

/* Each in the words of whoever wrote the configuration, and none keeps the loop waiting. */
static void files_that_cannot_be_used_are_said(void **state)
{
	char locked[80], fifo[80];

	(void)state;
	snprintf(locked, sizeof locked, "%s/locked.pem", folder);
	snprintf(fifo, sizeof fifo, "%s/fifo", folder);
	write_locked_key(locked);
	w.settings.transport = LINK_TLS;
	w.settings.ca_file = ca_file;
	add_place("127.0.0.1", 1);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	check_unusable(client_file, locked, "key_file: ");
	check_unusable(client_file, locked, "has a passphrase");
	check_unusable(client_file, ca_file, "there is no key in it");
	check_unusable(ca_file, NULL, "cert_file, without key_file: ");
	check_unusable(ca_file, client_file, "not that of the certificate");
	write_locked_certificate(locked);
	check_unusable(locked, NULL, "cert_file: "); /* and nobody is asked for its passphrase */
	check_unusable(fifo, NULL, "not a regular file");
	check_unusable(client_file, fifo, "not a regular file");
	w.settings.ca_file = fifo;
	check_unusable(NULL, NULL, "ca_file: ");
	check_unusable(NULL, NULL, "not a regular file");
	unlink(locked);
	unlink(fifo);
}

static struct buf hops;
static int dones;

static void hop(void *arg, const char *name, const char *sentence)
{
	(void)arg;
	buf_printf(&hops, "%s %s\n", name, sentence == NULL ? "ok" : "bad");
}

static void done(void *arg, bool reached)
{
	(void)arg;
	dones++;
	buf_puts(&hops, reached ? "reached\n" : "not reached\n");
}

static void a_probe_tells_of_tls(void **state)
{
	static const struct link_probe probe = { .hop = hop, .done = done };

	(void)state;
	dones = 0;
	buf_init(&hops, 10000);
	open_server(good);
	make_link();
	link_probe(w.link, &probe, NULL);
	AWAIT(dones == 1);
	free_link();
	w.settings.cert_host = (char *)"other.test";
	make_link();
	link_probe(w.link, &probe, NULL);
	AWAIT(dones == 2);
	assert_string_equal(buf_text(&hops),
	    "dns 127.0.0.1 ok\ntcp 127.0.0.1 ok\ntls 127.0.0.1 ok\nreached\n"
	    "dns 127.0.0.1 ok\ntcp 127.0.0.1 ok\ntls 127.0.0.1 bad\nnot reached\n");
	buf_done(&hops);
	close_server();
}

static void much_is_sent_and_received(void **state)
{
	static char line[900];

	(void)state;
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	open_server(good);
	start_link();
	AWAIT(w.ups == 1);
	for (int i = 0; i < 500; i++)
		assert_int_equal(link_send(w.link, line, sizeof line), 0);
	AWAIT(w.frames == 500);
	assert_int_equal(w.received.len, 500 * sizeof line);
	close_server();
}

/* --- TLS in the middle --------------------------------------------------------------------------- */

static void ask(void)
{
	assert_int_equal(link_send(w.link, "STARTTLS\n", 9), 0);
}

static void begin_tls(void)
{
	if (link_security(w.link) == LINK_CLEAR)
		link_start_tls(w.link, 0);
}

static void open_upgradable(const char *go)
{
	open_server(good);
	a.start_line = "STARTTLS\n";
	a.go = go;
	w.settings.transport = LINK_TCP;
	w.protocol.secured = secured;
	w.on_up = ask;
	w.on_frame = begin_tls;
}

static void tls_begins_in_the_middle(void **state)
{
	(void)state;
	open_upgradable("GO\n");
	w.on_secured = send_hello;
	start_link();
	AWAIT(w.frames == 2);
	assert_string_equal(buf_text(&w.received), "GO\nhello\n");
	assert_int_equal(link_security(w.link), LINK_VERIFIED);
	assert_int_equal(w.ups, 1);
	assert_int_equal(w.secureds, 1);
	assert_int_equal(w.downs, 0);
	close_server();
}

static void check_injection(void)
{
	start_link();
	AWAIT(w.downs == 1);
	check_why(LINK_FAULT_TLS, "in the clear when TLS was to begin");
	assert_int_equal(w.secureds, 0);
	assert_int_equal(w.frames, 1);
	close_server();
}

static void injected_lines_are_refused(void **state)
{
	(void)state;
	open_upgradable("GO\nINJECTED\n");
	check_injection();
}

static void injected_parts_of_lines_are_refused(void **state)
{
	(void)state;
	open_upgradable("GO\nI");
	check_injection();
}

static void begin_with_rest(void)
{
	link_start_tls(w.link, 1);
}

static void injected_parts_of_frames_are_refused(void **state)
{
	(void)state;
	open_upgradable("GO\n");
	w.on_frame = begin_with_rest;
	check_injection();
}

static void say_and_begin(void)
{
	if (link_security(w.link) != LINK_CLEAR)
		return;
	assert_int_equal(link_send(w.link, "READY\n", 6), 0);
	link_start_tls(w.link, 0);
	assert_int_equal(link_send(w.link, "x", 1), -ENOTCONN);
}

/* The server begins TLS after our READY, which goes out in the clear. */
static void clear_text_that_was_sent_goes_out_first(void **state)
{
	(void)state;
	open_upgradable("");
	a.start_line = "READY\n";
	a.greeting = "GO\n";
	w.on_up = NULL;
	w.on_frame = say_and_begin;
	w.on_secured = send_hello;
	start_link();
	AWAIT(w.frames == 2);
	assert_string_equal(buf_text(&a.received), "READY\nhello\n");
	assert_int_equal(w.secureds, 1);
	close_server();
}

static void a_name_counts_in_the_middle_as_well(void **state)
{
	(void)state;
	open_upgradable("GO\n");
	w.settings.cert_host = (char *)"other.test";
	start_link();
	AWAIT(w.downs == 1);
	check_why(LINK_FAULT_TLS, "not for other.test");
	assert_int_equal(w.secureds, 0);
	close_server();
}

static void begin_tls_at_once(void)
{
	link_start_tls(w.link, 0);
}

/* link.h: every function may be called from inside every callback. Nothing waits to be written here. */
static void tls_may_begin_inside_up(void **state)
{
	(void)state;
	open_server(good);
	w.settings.transport = LINK_TCP;
	w.protocol.secured = secured;
	w.protocol.connect_ms = 2000;
	w.on_up = begin_tls_at_once;
	start_link();
	AWAIT(w.secureds == 1);
	assert_int_equal(w.downs, 0);
	close_server();
}

static void tls_may_begin_outside_of_callbacks(void **state)
{
	(void)state;
	open_server(good);
	w.settings.transport = LINK_TCP;
	w.protocol.secured = secured;
	w.protocol.connect_ms = 2000;
	start_link();
	AWAIT(w.ups == 1);
	pass(20);
	link_start_tls(w.link, 0);
	AWAIT(w.secureds == 1);
	assert_int_equal(w.downs, 0);
	close_server();
}

static void say_ready_and_stop(void)
{
	assert_int_equal(link_send(w.link, "READY\n", 6), 0);
	link_start_tls(w.link, 0);
	link_stop(w.link);
}

static void what_was_sent_before_tls_goes_out_at_stop(void **state)
{
	(void)state;
	open_server(good);
	SSL_CTX_free(a.tls);
	a.tls = NULL;
	a.greeting = "GO\n";
	a.echoes = false;
	w.settings.transport = LINK_TCP;
	w.protocol.secured = secured;
	w.on_frame = say_ready_and_stop;
	start_link();
	AWAIT(a.received.len == 6);
	assert_string_equal(buf_text(&a.received), "READY\n");
	close_server();
}

static void free_inside_secured(void **state)
{
	(void)state;
	open_upgradable("GO\n");
	w.on_secured = free_link;
	start_link();
	AWAIT(w.secureds == 1);
	pass(50);
	assert_int_equal(w.downs, 0);
	close_server();
}

static void free_inside_down_of_tls(void **state)
{
	(void)state;
	open_server(expired);
	w.on_down = free_link;
	start_link();
	AWAIT(w.downs == 1);
	pass(50);
	free_link();
	close_server();
}

static void say_bye_and_stop(void)
{
	assert_int_equal(link_send(w.link, "bye\n", 4), 0);
	link_stop(w.link);
}

/* Without a goodbye the server could not tell our end from somebody who has cut the connection. */
static void our_end_is_said(void **state)
{
	(void)state;
	open_server(good);
	check_echo(LINK_VERIFIED);
	assert_int_equal(a.goodbyes, 0);
	link_stop(w.link);
	AWAIT(a.goodbyes == 1);
	close_server();
}

static void what_was_sent_before_stop_goes_out(void **state)
{
	(void)state;
	open_server(good);
	w.on_up = say_bye_and_stop;
	start_link();
	AWAIT(a.received.len == 4);
	assert_string_equal(buf_text(&a.received), "bye\n");
	close_server();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_server_is_believed),
		TEST(a_numeric_server_needs_its_address_in_the_certificate),
		TEST(the_protocol_may_know_the_name),
		TEST(a_wrong_name_is_said_with_the_right_ones),
		TEST(a_star_is_a_whole_label),
		TEST(a_wrong_address_is_said),
		TEST(an_unknown_authority_is_said),
		TEST(a_certificate_is_valid_for_a_time),
		TEST(a_server_without_tls_is_noticed),
		TEST(a_server_that_hangs_up_is_noticed),
		TEST(a_server_that_does_not_answer_is_given_up),
		TEST(an_old_version_is_refused),
		TEST(a_new_version_is_refused),
		TEST(old_versions_can_be_allowed),
		TEST(without_verification_all_are_taken),
		TEST(our_certificate_is_shown),
		TEST(files_that_cannot_be_used_are_said),
		TEST(much_is_sent_and_received),
		TEST(tls_begins_in_the_middle),
		TEST(injected_lines_are_refused),
		TEST(injected_parts_of_lines_are_refused),
		TEST(injected_parts_of_frames_are_refused),
		TEST(clear_text_that_was_sent_goes_out_first),
		TEST(a_name_counts_in_the_middle_as_well),
		TEST(tls_may_begin_inside_up),
		TEST(tls_may_begin_outside_of_callbacks),
		TEST(a_probe_tells_of_tls),
		TEST(what_was_sent_before_tls_goes_out_at_stop),
		TEST(free_inside_secured),
		TEST(free_inside_down_of_tls),
		TEST(our_end_is_said),
		TEST(what_was_sent_before_stop_goes_out),
	};

	return cmocka_run_group_tests_name("link_tls", tests, make_certificates, remove_certificates);
}
