/* link_settings.h: where servers are and how to believe them, as options of a source. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_LINK_SETTINGS_H
#define PRESENCED_LINK_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connectors/option.h"

enum link_transport { LINK_UDP, LINK_TCP, LINK_TLS };
enum tls_version { TLS_VERSION_1_0, TLS_VERSION_1_1, TLS_VERSION_1_2, TLS_VERSION_1_3 };
extern const struct vocab vocab_link_transport, vocab_tls_version;

struct link_settings {
	struct option_list servers;   /* host, host:port, [v6]:port; in order of preference */
	int64_t transport;	      /* enum link_transport */
	struct option_list resolvers; /* name servers to ask, host or host:port; empty: the system's */
	int64_t failback;	      /* ms between attempts to return to a server that is listed before; 0 never */
	char *ca_file;		      /* PEM; NULL: the system's authorities */
	char *cert_host;	      /* name expected in the certificate; NULL: the configured host */
	char *cert_file, *key_file;   /* ours, PEM; NULL: none */
	int64_t tls_min, tls_max;     /* enum tls_version */
	bool tls_verify;
};

/* Rows of an option table: `S` is the settings struct, `M` its member of type struct link_settings, `PREFIX` ("",
 * "cti_") stands before each name, `SERVER_FLAGS` is OPTION_REQUIRED or 0. */
#define LINK_OPTIONS(S, M, PREFIX, SERVER_FLAGS, TRANSPORT) \
	{ PREFIX "server", OPTION_LIST, offsetof(S, M.servers), NULL, 0, 0, NULL, (SERVER_FLAGS) | OPTION_ONE_WILL_DO, \
		"Where to connect: host, host:port, or a list of them in order of preference." }, \
	    { PREFIX "transport", OPTION_WORD, offsetof(S, M.transport), TRANSPORT, 0, 0, &vocab_link_transport, 0, \
		    "How to connect." }, \
	    { PREFIX "resolvers", OPTION_LIST, offsetof(S, M.resolvers), NULL, 0, 0, NULL, OPTION_ONE_WILL_DO, \
		    "Name servers to ask where servers are; those of the system where not given." }, \
	    { PREFIX "failback", OPTION_DURATION, offsetof(S, M.failback), "5m", 0, 86400000, NULL, 0, \
		    "How often to try whether a server listed before the present one is back (not over UDP); 0s " \
		    "never." }, \
	    { PREFIX "ca_file", OPTION_PATH, offsetof(S, M.ca_file), NULL, 0, 0, NULL, 0, \
		    "Certificates of the authorities to believe, PEM; those of the system where not given." }, \
	    { PREFIX "cert_host", OPTION_TEXT, offsetof(S, M.cert_host), NULL, 0, 0, NULL, 0, \
		    "Name expected in the certificate of the server; the host of server where not given." }, \
	    { PREFIX "cert_file", OPTION_PATH, offsetof(S, M.cert_file), NULL, 0, 0, NULL, 0, \
		    "Our own certificate with its chain, PEM, for servers that ask for one." }, \
	    { PREFIX "key_file", OPTION_PATH, offsetof(S, M.key_file), NULL, 0, 0, NULL, 0, \
		    "Key of cert_file, PEM; looked for in cert_file where not given." }, \
	    { PREFIX "tls_min", OPTION_WORD, offsetof(S, M.tls_min), "1.2", 0, 0, &vocab_tls_version, 0, \
		    "Oldest version of TLS that is accepted." }, \
	    { PREFIX "tls_max", OPTION_WORD, offsetof(S, M.tls_max), "1.3", 0, 0, &vocab_tls_version, 0, \
		    "Newest version of TLS that is offered; equal to tls_min: exactly this one." }, \
	{ \
		PREFIX "tls_verify", OPTION_BOOL, offsetof(S, M.tls_verify), "true", 0, 0, NULL, 0, \
		    "Whether the certificate of the server is checked; without, anybody can pose as the server." \
	}

/* Tell of what is wrong in the settings, by the bare names of the options. */
void link_settings_check(const struct link_settings *settings, const struct option_critic *critic);

#define LINK_HOST_SIZE 256

/* Split "host", "host:port", "[v6]", "[v6]:port" or a bare v6 address. *ret_port is 0 where none is given. False
 * if it is none of these. */
bool link_split(const char *server, char *host, size_t size, uint16_t *ret_port);

/* Where to listen: "port" (then host is "": every address) or "address:port", numeric. False if it is neither. */
bool link_listen_split(const char *text, char *host, size_t size, uint16_t *ret_port);

/* Whether a host is an address of IPv4 or IPv6 rather than a name. */
bool link_is_numeric(const char *host);

#endif
