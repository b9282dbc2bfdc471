/* link_tls.h: contexts of OpenSSL from settings, and what OpenSSL says as sentences. Part of link.h.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_LINK_TLS_H
#define PRESENCED_LINK_TLS_H

#include <openssl/ssl.h>

#include "connectors/link_settings.h"

/* A context for clients; free with SSL_CTX_free(). NULL with a sentence in err. */
SSL_CTX *link_tls_context(const struct link_settings *settings, char *err, size_t err_size);

/* The same for servers, who show cert_file; no certificate is asked of clients. */
SSL_CTX *link_tls_server_context(const struct link_settings *settings, char *err, size_t err_size);

/* A connection that expects `name` (a host, or a numeric address) in the certificate and asks for it by SNI. NULL
 * without memory. */
SSL *link_tls_new(SSL_CTX *context, const struct link_settings *settings, const char *name);

/* Why the handshake failed. `error` is the first error of OpenSSL, 0 if there is none. */
void link_tls_why(SSL *ssl, unsigned long error, const char *name, char *buf, size_t size);

#endif
