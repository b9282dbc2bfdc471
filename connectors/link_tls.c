/* link_tls.c: what is believed, and why something was not.
 * SPDX-License-Identifier: MIT */
#include "connectors/link_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/buf.h"
#include "daemon/base/utf8.h"

static const int versions[] = {
	[TLS_VERSION_1_0] = TLS1_VERSION,
	[TLS_VERSION_1_1] = TLS1_1_VERSION,
	[TLS_VERSION_1_2] = TLS1_2_VERSION,
	[TLS_VERSION_1_3] = TLS1_3_VERSION,
};

static void last_reason(char *buf, size_t size)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	snprintf(buf, size, "%s", reason != NULL ? reason : "no reason was given");
	ERR_clear_error();
}

/* OpenSSL opens the file by itself; anything but a regular one might keep it waiting. */
static bool can_read(const char *option, const char *path, char *err, size_t size)
{
	struct stat st;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		snprintf(err, size, "%s: %s cannot be read: it is not a regular file", option, path);
	else if (access(path, R_OK) < 0)
		snprintf(err, size, "%s: %s cannot be read: %s", option, path, strerror(errno));
	else
		return true;
	return false;
}

static bool load_authorities(SSL_CTX *context, const struct link_settings *s, char *err, size_t size)
{
	char reason[128];
	int r;

	if (s->ca_file != NULL && !can_read("ca_file", s->ca_file, err, size))
		return false;
	r = s->ca_file != NULL ? SSL_CTX_load_verify_locations(context, s->ca_file, NULL) :
				 SSL_CTX_set_default_verify_paths(context);

	if (r == 1)
		return true;
	last_reason(reason, sizeof reason);
	snprintf(err, size, "ca_file: %s cannot be used: %s", s->ca_file != NULL ? s->ca_file : "the system's store",
	    reason);
	return false;
}

/* What has a passphrase is refused: the terminal that OpenSSL would ask at is not ours, and it would wait. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	if (arg != NULL)
		*(bool *)arg = true;
	return -1;
}

/* Not in OpenSSL's words: of a file without a key they are "unsupported", and "PEM lib". */
static bool load_key(SSL_CTX *context, const char *option, const char *key, char *err, size_t size)
{
	bool locked = false, other;
	int r;

	if (!can_read(option, key, err, size))
		return false;
	SSL_CTX_set_default_passwd_cb_userdata(context, &locked);
	r = SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM);
	SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
	other = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509;
	ERR_clear_error();
	if (r == 1)
		return true;
	snprintf(err, size, "%s: %s cannot be used: %s", option, key,
	    locked    ? "its key has a passphrase, expected one without" :
		other ? "its key is not that of the certificate" :
			"there is no key in it that can be read");
	return false;
}

static bool load_own(SSL_CTX *context, const struct link_settings *s, char *err, size_t size)
{
	const char *key = s->key_file != NULL ? s->key_file : s->cert_file;
	char reason[128];

	if (s->cert_file == NULL)
		return true;
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	if (!can_read("cert_file", s->cert_file, err, size))
		return false;
	if (SSL_CTX_use_certificate_chain_file(context, s->cert_file) != 1) {
		last_reason(reason, sizeof reason);
		snprintf(err, size, "cert_file: %s cannot be used: %s", s->cert_file, reason);
		return false;
	}
	return load_key(context, s->key_file != NULL ? "key_file" : "cert_file, without key_file", key, err, size);
}

static SSL_CTX *new_context(const SSL_METHOD *method, const struct link_settings *s, char *err, size_t err_size)
{
	SSL_CTX *context = SSL_CTX_new(method);

	if (context == NULL) {
		snprintf(err, err_size, "no memory for TLS");
		return NULL;
	}
	SSL_CTX_set_min_proto_version(context, versions[s->tls_min]);
	SSL_CTX_set_max_proto_version(context, versions[s->tls_max]);
	if (s->tls_min < TLS_VERSION_1_2) /* OpenSSL 3 refuses these at its usual level of security */
		SSL_CTX_set_cipher_list(context, "DEFAULT@SECLEVEL=0");
	SSL_CTX_set_mode(
	    context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	ERR_clear_error();
	return context;
}

SSL_CTX *link_tls_context(const struct link_settings *s, char *err, size_t err_size)
{
	SSL_CTX *context = new_context(TLS_client_method(), s, err, err_size);

	if (context == NULL)
		return NULL;
	SSL_CTX_set_verify(context, s->tls_verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if ((s->tls_verify && !load_authorities(context, s, err, err_size)) || !load_own(context, s, err, err_size)) {
		SSL_CTX_free(context);
		return NULL;
	}
	return context;
}

SSL_CTX *link_tls_server_context(const struct link_settings *s, char *err, size_t err_size)
{
	SSL_CTX *context;

	if (s->cert_file == NULL) {
		snprintf(err, err_size, "cert_file is missing: who connects by TLS has to be shown a certificate");
		return NULL;
	}
	context = new_context(TLS_server_method(), s, err, err_size);
	if (context == NULL || load_own(context, s, err, err_size))
		return context;
	SSL_CTX_free(context);
	return NULL;
}

SSL *link_tls_new(SSL_CTX *context, const struct link_settings *s, const char *name)
{
	SSL *ssl = SSL_new(context);
	bool ok;

	if (ssl == NULL)
		return NULL;
	ok = link_is_numeric(name) || SSL_set_tlsext_host_name(ssl, name) == 1;
	if (s->tls_verify) {
		SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		ok = ok &&
		    (link_is_numeric(name) ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1 :
					     SSL_set1_host(ssl, name) == 1);
	}
	if (!ok) {
		SSL_free(ssl);
		return NULL;
	}
	return ssl;
}

/* --- sentences ------------------------------------------------------------------------------------- */

static void add_name(struct buf *b, const char *text, size_t len)
{
	buf_printf(b, "%s%.*s", b->len == 0 ? "" : ", ", (int)(len > 80 ? 80 : len), text);
}

/* The names that a certificate is for: its DNS names, else its common name. */
static void certificate_names(X509 *certificate, struct buf *b)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	char common[128];

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && b->len < 200; i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

		if (n->type == GEN_DNS)
			add_name(b, (const char *)ASN1_STRING_get0_data(n->d.dNSName),
			    (size_t)ASN1_STRING_length(n->d.dNSName));
	}
	GENERAL_NAMES_free(names);
	if (b->len == 0 &&
	    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common, sizeof common) > 0)
		add_name(b, common, strlen(common));
}

static void wrong_name(SSL *ssl, const char *name, char *buf, size_t size)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl); /* the session has none after a failure */
	X509 *certificate = sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : NULL;
	struct buf names;

	buf_init(&names, 512);
	if (certificate != NULL)
		certificate_names(certificate, &names);
	snprintf(buf, size,
	    "its certificate is for %s and not for %s: correct server, or set cert_host to the right name",
	    names.len > 0 ? buf_text(&names) : "nobody", name);
	buf_done(&names);
}

static bool not_tls(unsigned long error)
{
	int reason = ERR_GET_REASON(error);

	return ERR_GET_LIB(error) == ERR_LIB_SSL &&
	    (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST || reason == SSL_R_BAD_LENGTH ||
		reason == SSL_R_PACKET_LENGTH_TOO_LONG || reason == SSL_R_RECORD_TOO_SMALL);
}

static bool version_refused(unsigned long error)
{
	int reason = ERR_GET_REASON(error);

	return ERR_GET_LIB(error) == ERR_LIB_SSL &&
	    (reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION || reason == SSL_R_UNSUPPORTED_PROTOCOL ||
		reason == SSL_R_NO_PROTOCOLS_AVAILABLE || reason == SSL_R_LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED);
}

void link_tls_why(SSL *ssl, unsigned long error, const char *name, char *buf, size_t size)
{
	long verified = SSL_get_verify_result(ssl);
	const char *reason = error == 0 || ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING ?
	    NULL :
	    ERR_reason_error_string(error);
	bool certificate =
	    ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED;

	if (certificate && (verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH))
		wrong_name(ssl, name, buf, size);
	else if (certificate && (verified == X509_V_ERR_CERT_HAS_EXPIRED || verified == X509_V_ERR_CERT_NOT_YET_VALID))
		snprintf(buf, size, "its certificate is not valid at this time (%s): renew it, or look at the clocks",
		    X509_verify_cert_error_string(verified));
	else if (certificate)
		snprintf(buf, size, "its certificate is not believed (%s): set ca_file to the authority that signed it",
		    X509_verify_cert_error_string(verified));
	else if (not_tls(error))
		snprintf(buf, size, "it does not speak TLS at this port: look at the port and at transport");
	else if (version_refused(error))
		snprintf(buf, size,
		    "it does not speak the versions of TLS that are allowed here: look at tls_min and tls_max");
	else if (reason != NULL)
		snprintf(buf, size, "TLS failed: %s", reason);
	else
		snprintf(buf, size,
		    "it closed the connection during the TLS handshake: look at the port, or whether it asks for a "
		    "certificate of ours");
	utf8_repair(buf);
}
