/* tapi_spec.h: options of a telephone switch, spoken to by CSTA, or by way of a host with TAPI.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TAPI_SPEC_H
#define PRESENCED_TAPI_SPEC_H

#include "connectors/link_settings.h"
#include "connectors/spec.h"

/* Before the edition of CSTA, "ed3". */
#define TAPI_NAMESPACE_PREFIX "http://www.ecma-international.org/standards/ecma-323/csta/"

enum tapi_protocol { TAPI_CSTA, TAPI_BRIDGE, TAPI_PROTOCOLS };
enum tapi_session { TAPI_SESSION_AUTO, TAPI_SESSION_YES, TAPI_SESSION_NO };

struct tapi_settings {
	int64_t protocol; /* enum tapi_protocol */
	struct link_settings link;
	char *user, *password, *password_file;

	/* csta */
	int64_t session; /* enum tapi_session */
	char *application, *session_info, *session_version;
	int64_t session_duration; /* ms */
	char *xml_namespace;
	int64_t in_flight, rate; /* requests; monitors a second */
	int64_t keepalive, poll; /* ms */

	/* bridge */
	char *listen;	      /* port, or address:port */
	char *socket, *group; /* path of a Unix socket instead */
	int64_t mode;
};

extern const struct connector_spec tapi_spec;

/* Where the bridge listens; host "" is every address. False: `listen` is none, or cannot be read. */
bool tapi_listen_at(const struct tapi_settings *settings, char *host, size_t size, uint16_t *ret_port);

#endif
