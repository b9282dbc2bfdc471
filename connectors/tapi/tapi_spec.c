/* tapi_spec.c: what a telephone switch is: its options and its addresses.
 * SPDX-License-Identifier: MIT */
#include "connectors/tapi/tapi_spec.h"

#include "connectors/xml.h"
#include "daemon/base/buf.h"

static const struct vocab_word protocols[] = {
	[TAPI_CSTA] = { "csta", "CSTA phase III in XML (ECMA-323) over TCP or TLS: the switch itself" },
	[TAPI_BRIDGE] = { "bridge",
	    "a host with a TAPI service provider connects here and pushes, presenced-bridge(7)" },
};
static const struct vocab vocab_tapi_protocol = { "protocol", protocols, TAPI_PROTOCOLS };

static const struct vocab_word sessions[] = {
	[TAPI_SESSION_AUTO] = { "auto", "with one if the switch has them, else without" },
	[TAPI_SESSION_YES] = { "yes", "only with one" },
	[TAPI_SESSION_NO] = { "no", "without" },
};
static const struct vocab vocab_tapi_session = { "session", sessions, 3 };

#define OPTION(name, kind, member, fallback, min, max, words, flags, help) \
	{ \
		name, kind, offsetof(struct tapi_settings, member), fallback, min, max, words, flags, help \
	}

static const struct option options[] = {
	OPTION("protocol", OPTION_WORD, protocol, "csta", 0, 0, &vocab_tapi_protocol, 0, "What is spoken."),
	LINK_OPTIONS(struct tapi_settings, link, "", 0, "tcp"),
	OPTION("user", OPTION_TEXT, user, NULL, 0, 0, NULL, 0, "csta: name for the application session."),
	OPTION("password", OPTION_TEXT, password, NULL, 0, 0, NULL, OPTION_SECRET,
	    "csta: password for the application session; bridge: token that the host has to show. Better in "
	    "password_file."),
	OPTION("password_file", OPTION_PATH, password_file, NULL, 0, 0, NULL, 0,
	    "File with the password or token on its first line, or a credential of the service that is called so."),
	OPTION("session", OPTION_WORD, session, "auto", 0, 0, &vocab_tapi_session, 0,
	    "csta: whether an application session (ECMA-354) is started."),
	OPTION("application", OPTION_TEXT, application, "presenced", 0, 0, NULL, 0,
	    "csta: what we call ourselves (applicationID); some switches let in those that they know."),
	OPTION("session_info", OPTION_TEXT, session_info, "<user>{user}</user><password>{password}</password>", 0, 0,
	    NULL, 0, "csta: XML that says who we are, in applicationSpecificInfo; {user} and {password} are replaced."),
	OPTION("session_version", OPTION_TEXT, session_version, NULL, 0, 0, NULL, 0,
	    "csta: protocol version that the session is asked for; namespace where not given, and then other editions "
	    "if the switch refuses that."),
	OPTION("session_duration", OPTION_DURATION, session_duration, "180s", 10000, 86400000, NULL, 0,
	    "csta: how long a session is asked for; it is refreshed at half of what the switch grants."),
	OPTION("namespace", OPTION_TEXT, xml_namespace, TAPI_NAMESPACE_PREFIX "ed3", 0, 0, NULL, 0,
	    "csta: XML namespace, and with it the edition, of what we send; what the switch sends may have any."),
	OPTION("in_flight", OPTION_INT, in_flight, "16", 1, 1000, NULL, 0,
	    "csta: requests that may wait for an answer at a time."),
	OPTION("rate", OPTION_RATE, rate, "100/s", 1, 10000, NULL, 0, "csta: monitors that are started in a second."),
	OPTION("keepalive", OPTION_DURATION, keepalive, "30s", 5000, 600000, NULL, 0,
	    "csta: how long the switch may be silent before it is asked (RequestSystemStatus) whether it is there."),
	OPTION("poll", OPTION_DURATION, poll, "0s", 0, 86400000, NULL, 0,
	    "csta: how often do-not-disturb and forwarding of every line are asked, for switches that do not tell "
	    "when they change; 0s never."),
	OPTION("listen", OPTION_TEXT, listen, NULL, 0, 0, NULL, 0,
	    "bridge: port, or address:port, where the host connects."),
	OPTION("socket", OPTION_PATH, socket, NULL, 0, 0, NULL, 0,
	    "bridge: path of a Unix socket where it connects instead."),
	OPTION("group", OPTION_TEXT, group, NULL, 0, 0, NULL, 0, "bridge: group that may connect to socket."),
	OPTION("mode", OPTION_MODE, mode, "0660", 0, 0, NULL, 0, "bridge: mode of the socket file."),
	{ 0 },
};

bool tapi_listen_at(const struct tapi_settings *s, char *host, size_t size, uint16_t *ret_port)
{
	return s->listen != NULL && link_listen_split(s->listen, host, size, ret_port);
}

/* --- checking -------------------------------------------------------------------------------------- */

/* What belongs to the other protocol would not do what whoever wrote it means. */
static void check_absent(
    const void *value, const char *option, enum tapi_protocol other, const struct option_critic *critic)
{
	if (value != NULL)
		option_wrong(critic, option, "it is for protocol %s", protocols[other].name);
}

static void check_info(const char *info, const struct option_critic *critic)
{
	struct xml_reader *x = xml_reader_new();
	struct parse_error error = { "no memory" };
	const struct xml_node *root;
	struct buf b;

	buf_init(&b, XML_MAX_BYTES);
	buf_printf(&b, "<applicationSpecificInfo>%s</applicationSpecificInfo>", info);
	if (x == NULL || b.failed || xml_read(x, buf_text(&b), b.len, &root, &error) < 0)
		option_wrong(critic, "session_info", "expected XML, found: %.120s", error.text);
	buf_done(&b);
	xml_reader_free(x);
}

static void check_csta(const struct tapi_settings *s, const struct option_critic *critic)
{
	check_absent(s->listen, "listen", TAPI_BRIDGE, critic);
	check_absent(s->socket, "socket", TAPI_BRIDGE, critic);
	if (s->session_info != NULL)
		check_info(s->session_info, critic);
	if (s->session == TAPI_SESSION_NO && (s->user != NULL || s->password != NULL || s->password_file != NULL))
		option_wrong(
		    critic, "session", "found no, but there is a user or a password, which only a session has");
}

static void check_listen(const struct tapi_settings *s, const struct option_critic *critic)
{
	char host[LINK_HOST_SIZE];
	uint16_t port;

	if (!tapi_listen_at(s, host, sizeof host, &port))
		option_wrong(
		    critic, "listen", "found \"%.80s\", expected a port, or a numeric address:port", s->listen);
	if (s->password == NULL && s->password_file == NULL)
		option_wrong(
		    critic, "listen", "whoever can reach it can connect, expected a token in password_file too");
	if (s->link.transport == LINK_TLS && s->link.cert_file == NULL)
		option_wrong(
		    critic, "listen", "over tls who connects has to be shown a certificate, expected cert_file too");
}

static void check_bridge(const struct tapi_settings *s, const struct option_critic *critic)
{
	check_absent(s->link.servers.items, "server", TAPI_CSTA, critic);
	check_absent(s->user, "user", TAPI_CSTA, critic);
	if (s->listen != NULL && s->socket != NULL)
		option_wrong(critic, "socket", "both listen and socket are given, expected one of them");
	if (s->socket != NULL && s->link.transport == LINK_TLS)
		option_wrong(critic, "transport", "found tls, but a Unix socket has none");
	if (s->listen != NULL)
		check_listen(s, critic);
}

static void check(const void *settings, const struct option_critic *critic)
{
	const struct tapi_settings *s = settings;

	link_settings_check(&s->link, critic);
	if (s->link.transport == LINK_UDP)
		option_wrong(critic, "transport", "found udp, expected tcp or tls");
	if (s->password != NULL && s->password_file != NULL)
		option_wrong(
		    critic, "password_file", "both password and password_file are given, expected one of them");
	if (s->protocol == TAPI_CSTA)
		check_csta(s, critic);
	else
		check_bridge(s, critic);
}

static const char *missing(const void *settings)
{
	const struct tapi_settings *s = settings;

	if (s->protocol == TAPI_CSTA)
		return s->link.servers.count == 0 ? "server" : NULL;
	return s->listen == NULL && s->socket == NULL ? "listen or socket" : NULL;
}

static bool address(const void *settings, const char *source, const struct user_fields *user, enum domain domain,
    char *buf, size_t size)
{
	(void)settings;
	(void)domain;
	return user_address(user, USER_LINE, source, buf, size);
}

const struct connector_spec tapi_spec = {
	.type = "tapi",
	.help = "A telephone switch, spoken to by CSTA, or by way of a host with TAPI.",
	.technology = TECHNOLOGY_TAPI,
	.domains = 1u << DOMAIN_TELEPHONY,
	.options = options,
	.settings_size = sizeof(struct tapi_settings),
	.check = check,
	.missing = missing,
	.address = address,
};
