/* sip_spec.h: options of a SIP/SIMPLE presence server or PBX.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_SIP_SPEC_H
#define PRESENCED_SIP_SPEC_H

#include "connectors/link_settings.h"
#include "connectors/spec.h"

/* What telephony is watched with. */
enum sip_package { SIP_PRESENCE, SIP_DIALOG, SIP_PACKAGE_COUNT };

struct sip_settings {
	struct link_settings link;
	char *uri;
	char *user, *password, *password_file;
	char *domain;
	int64_t telephony; /* enum sip_package */
	char *telephony_uri;
	int64_t expires;   /* ms */
	int64_t in_flight; /* requests */
	int64_t keepalive; /* ms */
	char *listen;	   /* port, or address:port; NULL: the server uses our connection */
};

extern const struct connector_spec sip_spec;

/* The domain of our users: `domain`, else that of `uri`; into buf. */
void sip_domain(const struct sip_settings *settings, char *buf, size_t size);

/* Where to listen; host "" is every address. False: `listen` is none, or cannot be read. */
bool sip_listen_at(const struct sip_settings *settings, char *host, size_t size, uint16_t *ret_port);

/* Who we are to a server that asks for a password: `user`, else the user of `uri`; into buf. */
void sip_user(const struct sip_settings *settings, char *buf, size_t size);

/* Whether the host of a URI is that of `domain`, ports aside; a tel URI is at every domain. */
bool sip_uri_is_at(const char *uri, const char *domain);

/* Whether a URI has a byte that must not stand in a request line: a blank, a control character, one that has to be
 * escaped, or none of ASCII. */
bool sip_uri_has_bad_bytes(const char *uri);

#endif
