/* sip_spec.c: what a SIP source is: its options and its addresses.
 * SPDX-License-Identifier: MIT */
#include "connectors/sip/sip_spec.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/base/buf.h"

static const struct vocab_word packages[] = {
	[SIP_PRESENCE] = { "presence", "as presence documents (PIDF): Cisco CUCM and CME" },
	[SIP_DIALOG] = { "dialog", "as dialog-info documents: most other PBXes" },
};
static const struct vocab vocab_sip_package = { "event package", packages, SIP_PACKAGE_COUNT };

#define OPTION(name, kind, member, fallback, min, max, words, flags, help) \
	{ \
		name, kind, offsetof(struct sip_settings, member), fallback, min, max, words, flags, help \
	}

static const struct option options[] = {
	LINK_OPTIONS(struct sip_settings, link, "", OPTION_REQUIRED, "udp"),
	OPTION("uri", OPTION_TEXT, uri, NULL, 0, 0, NULL, OPTION_REQUIRED,
	    "Who we are to the server, sip:user@domain; where it knows us by address any user will do."),
	OPTION("user", OPTION_TEXT, user, NULL, 0, 0, NULL, 0,
	    "Name that goes with the password; the user of uri where not given."),
	OPTION("password", OPTION_TEXT, password, NULL, 0, 0, NULL, OPTION_SECRET,
	    "Password, for servers that ask for one; better in password_file."),
	OPTION("password_file", OPTION_PATH, password_file, NULL, 0, 0, NULL, 0,
	    "File with the password on its first line, or a credential of the service that is called so."),
	OPTION("domain", OPTION_TEXT, domain, NULL, 0, 0, NULL, 0,
	    "Domain of the users, for telephony_uri; the domain of uri where not given."),
	OPTION("telephony", OPTION_WORD, telephony, "dialog", 0, 0, &vocab_sip_package, 0,
	    "Event package that lines are watched with."),
	OPTION("telephony_uri", OPTION_TEXT, telephony_uri, "sip:{extension}@{domain}", 0, 0, NULL, 0,
	    "Address of a user's line; {domain} and the name of a column in braces are replaced."),
	OPTION("expires", OPTION_DURATION, expires, "600s", 30000, 86400000, NULL, 0,
	    "How long a subscription is asked for before it is refreshed."),
	OPTION("in_flight", OPTION_INT, in_flight, "50", 1, 1000, NULL, 0,
	    "Requests that may wait for an answer at a time."),
	OPTION("keepalive", OPTION_DURATION, keepalive, "20s", 5000, 600000, NULL, 0,
	    "How long the server may be silent before it is asked (OPTIONS) whether it is there."),
	OPTION("listen", OPTION_TEXT, listen, NULL, 0, 0, NULL, 0,
	    "Port, or address:port, where the server connects to us, as a PBX trunk does; not needed elsewhere."),
	{ 0 },
};

/* Bytes of the host at the beginning of "host", "host:port;parameters" or "[v6]:port". */
static size_t host_length(const char *text)
{
	size_t len = *text == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":;?>");

	return len <= strlen(text) ? len : 0;
}

/* The part of a SIP URI between scheme and "@", and that behind it up to parameters. False: it has not both. */
static bool split_uri(
    const char *uri, const char **ret_user, size_t *ret_user_len, const char **ret_host, size_t *ret_len)
{
	const char *user = strchr(uri, ':'), *at;

	if (user == NULL || (strncasecmp(uri, "sip:", 4) != 0 && strncasecmp(uri, "sips:", 5) != 0))
		return false;
	*ret_user = ++user;
	at = strchr(user, '@');
	if (at == NULL || at == user)
		return false;
	*ret_user_len = (size_t)(at - user);
	*ret_host = at + 1;
	*ret_len = host_length(at + 1);
	return *ret_len > 0;
}

void sip_domain(const struct sip_settings *s, char *buf, size_t size)
{
	const char *user, *host;
	size_t user_len, len;

	buf[0] = '\0';
	if (s->domain != NULL)
		snprintf(buf, size, "%s", s->domain);
	else if (s->uri != NULL && split_uri(s->uri, &user, &user_len, &host, &len))
		snprintf(buf, size, "%.*s", (int)len, host);
}

void sip_user(const struct sip_settings *s, char *buf, size_t size)
{
	const char *user, *host;
	size_t user_len, len;

	buf[0] = '\0';
	if (s->user != NULL)
		snprintf(buf, size, "%s", s->user);
	else if (s->uri != NULL && split_uri(s->uri, &user, &user_len, &host, &len))
		snprintf(buf, size, "%.*s", (int)user_len, user);
}

bool sip_uri_is_at(const char *uri, const char *domain)
{
	const char *colon = strchr(uri, ':'), *at = strchr(uri, '@');
	const char *host = at != NULL ? at + 1 : colon != NULL ? colon + 1 : uri;
	size_t len = host_length(host);

	return strncasecmp(uri, "tel:", 4) == 0 || (len == host_length(domain) && strncasecmp(host, domain, len) == 0);
}

bool sip_listen_at(const struct sip_settings *s, char *host, size_t size, uint16_t *ret_port)
{
	host[0] = '\0';
	*ret_port = 0;
	return s->listen != NULL && link_listen_split(s->listen, host, size, ret_port);
}

/* --- the address of a line ------------------------------------------------------------------------- */

/* The column called by the `len` bytes at `name`; -1 none. */
static int column_called(const char *name, size_t len)
{
	for (int i = 0; i < USER_COLUMN_COUNT; i++)
		if (strlen(vocab_name(&vocab_user_column, i)) == len &&
		    memcmp(vocab_name(&vocab_user_column, i), name, len) == 0)
			return i;
	return -1;
}

/* False where the user has no such address: "{extension}" of somebody without one. */
static bool expand(const struct sip_settings *s, const char *source, const struct user_fields *user, struct buf *b)
{
	char text[USER_MAX_FIELD_BYTES + 1];

	for (const char *p = s->telephony_uri; *p != '\0';) {
		size_t plain = strcspn(p, "{"), name;

		buf_put(b, p, plain);
		p += plain;
		if (*p == '\0')
			break;
		name = strcspn(++p, "}");
		if (name == 6 && memcmp(p, "domain", 6) == 0)
			sip_domain(s, text, sizeof text);
		else if (!user_address(user, (enum user_column)column_called(p, name), source, text, sizeof text))
			return false;
		buf_puts(b, text);
		p += name + (p[name] == '}');
	}
	return true;
}

/* With a scheme and a domain, since people write addresses without. */
static bool as_uri(const struct sip_settings *s, const char *text, char *buf, size_t size)
{
	char domain[LINK_HOST_SIZE];
	bool scheme = strncasecmp(text, "sip:", 4) == 0 || strncasecmp(text, "sips:", 5) == 0 ||
	    strncasecmp(text, "tel:", 4) == 0;
	bool whole = scheme || strchr(text, '@') != NULL;
	int n;

	sip_domain(s, domain, sizeof domain);
	n = snprintf(buf, size, "%s%s%s%s", scheme ? "" : "sip:", text, whole ? "" : "@", whole ? "" : domain);
	if (n < 0 || (size_t)n >= size)
		buf[0] = '\0';
	return buf[0] != '\0';
}

static bool address(const void *settings, const char *source, const struct user_fields *user, enum domain domain,
    char *buf, size_t size)
{
	char text[USER_MAX_FIELD_BYTES + 1];
	const struct sip_settings *s = settings;
	struct buf line;
	bool found;

	buf[0] = '\0';
	if (domain == DOMAIN_RICH)
		return user_address(user, USER_SIP_URI, source, text, sizeof text) && as_uri(s, text, buf, size);
	buf_init(&line, USER_MAX_FIELD_BYTES);
	found = expand(s, source, user, &line) && !line.failed && as_uri(s, buf_text(&line), buf, size);
	buf_done(&line);
	return found;
}

/* --- checking -------------------------------------------------------------------------------------- */

static void check_template(const char *template, const struct option_critic *critic)
{
	for (const char *p = strchr(template, '{'); p != NULL; p = strchr(p, '{')) {
		size_t len = strcspn(++p, "}");

		if (p[len] == '\0' || ((len != 6 || memcmp(p, "domain", 6) != 0) && column_called(p, len) < 0))
			option_wrong(critic, "telephony_uri",
			    "found {%.*s, expected {domain} or the name of a column of the users in braces",
			    (int)(len > 40 ? 40 : len + (p[len] != '\0')), p);
	}
}

bool sip_uri_has_bad_bytes(const char *uri)
{
	for (; *uri != '\0'; uri++)
		if ((unsigned char)*uri <= ' ' || (unsigned char)*uri >= 0x7f || strchr("<>\"\\^`{|}", *uri) != NULL)
			return true;
	return false;
}

static void check_uri(const char *uri, const struct option_critic *critic)
{
	const char *user, *host;
	size_t user_len, len;

	if (sip_uri_has_bad_bytes(uri))
		option_wrong(critic, "uri",
		    "found a blank, a control character, or one of <>\"\\^`{|} in it, expected sip:user@domain");
	else if (!split_uri(uri, &user, &user_len, &host, &len))
		option_wrong(critic, "uri", "found \"%.80s\", expected sip:user@domain", uri);
}

static void check_user(const char *user, const struct option_critic *critic)
{
	while ((unsigned char)*user >= ' ' && *user != 0x7f)
		user++;
	if (*user != '\0')
		option_wrong(critic, "user", "found a control character in it, expected a name");
}

static void check_domain(const char *domain, const struct option_critic *critic)
{
	char host[LINK_HOST_SIZE];
	uint16_t port;

	/* an address of IPv6 needs its brackets in a URI */
	if (!link_split(domain, host, sizeof host, &port) || (strchr(host, ':') != NULL && *domain != '['))
		option_wrong(critic, "domain", "found \"%.80s\", expected a domain such as example.com", domain);
}

static void check_listen(const struct sip_settings *s, const struct option_critic *critic)
{
	char at[LINK_HOST_SIZE];
	uint16_t port;

	if (!sip_listen_at(s, at, sizeof at, &port))
		option_wrong(
		    critic, "listen", "found \"%.80s\", expected a port, or a numeric address:port", s->listen);
	else if (s->link.transport == LINK_TLS && s->link.cert_file == NULL)
		option_wrong(
		    critic, "listen", "over tls who connects has to be shown a certificate, expected cert_file too");
}

/* What is not given is not wrong. */
static void check(const void *settings, const struct option_critic *critic)
{
	const struct sip_settings *s = settings;

	link_settings_check(&s->link, critic);
	if (s->uri != NULL)
		check_uri(s->uri, critic);
	if (s->user != NULL)
		check_user(s->user, critic);
	if (s->domain != NULL)
		check_domain(s->domain, critic);
	if (s->password != NULL && s->password_file != NULL)
		option_wrong(
		    critic, "password_file", "both password and password_file are given, expected one of them");
	if (s->listen != NULL)
		check_listen(s, critic);
	if (s->telephony_uri != NULL)
		check_template(s->telephony_uri, critic);
}

const struct connector_spec sip_spec = {
	.type = "sip",
	.help = "A SIP/SIMPLE presence server or PBX.",
	.technology = TECHNOLOGY_SIP,
	.domains = 1u << DOMAIN_RICH | 1u << DOMAIN_TELEPHONY,
	.options = options,
	.settings_size = sizeof(struct sip_settings),
	.check = check,
	.address = address,
};
