/* link_settings.c: the vocabularies of the transport, and what can be wrong in its options.
 * SPDX-License-Identifier: MIT */
#include "connectors/link_settings.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct vocab_word transports[] = {
	[LINK_UDP] = { "udp", "datagrams" },
	[LINK_TCP] = { "tcp", "a connection in the clear" },
	[LINK_TLS] = { "tls", "an encrypted connection" },
};
const struct vocab vocab_link_transport = { "transport", transports, 3 };

static const struct vocab_word versions[] = {
	[TLS_VERSION_1_0] = { "1.0", "for old servers only" },
	[TLS_VERSION_1_1] = { "1.1", "for old servers only" },
	[TLS_VERSION_1_2] = { "1.2", "" },
	[TLS_VERSION_1_3] = { "1.3", "" },
};
const struct vocab vocab_tls_version = { "version of TLS", versions, 4 };

static bool read_port(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long n;

	if (*text < '0' || *text > '9' || strlen(text) > 5)
		return false;
	n = strtoul(text, &end, 10);
	*ret = (uint16_t)n;
	return *end == '\0' && n > 0 && n <= UINT16_MAX;
}

static bool is_v6(const char *host)
{
	struct in6_addr v6;

	return inet_pton(AF_INET6, host, &v6) == 1;
}

static bool is_name(const char *host)
{
	return *host != '\0' &&
	    host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")] == '\0';
}

bool link_split(const char *server, char *host, size_t size, uint16_t *ret_port)
{
	bool bracket = *server == '[';
	const char *start = server + bracket, *end = bracket ? strchr(server, ']') : strrchr(server, ':');
	size_t len;

	*ret_port = 0;
	if (!bracket && (end == NULL || is_v6(server)))
		end = server + strlen(server);
	if (end == NULL || end < start || (len = (size_t)(end - start)) >= size)
		return false;
	memcpy(host, start, len);
	host[len] = '\0';
	if (bracket && *++end == '\0')
		return is_v6(host);
	if (*end == ':' && !read_port(end + 1, ret_port))
		return false;
	if (*end != ':' && *end != '\0')
		return false;
	if (bracket || (*end == '\0' && is_v6(host)))
		return is_v6(host);
	return is_name(host);
}

bool link_is_numeric(const char *host)
{
	struct in_addr v4;

	return is_v6(host) || inet_pton(AF_INET, host, &v4) == 1;
}

static void check_places(
    const struct option_list *list, const char *option, bool numeric, const struct option_critic *critic)
{
	char host[LINK_HOST_SIZE];
	uint16_t port;

	for (size_t i = 0; i < list->count; i++)
		if (!link_split(list->items[i], host, sizeof host, &port) || (numeric && !link_is_numeric(host)))
			option_wrong(critic, option, "found \"%.80s\", expected %s, with or without :port",
			    list->items[i], numeric ? "a numeric address" : "a host or [v6 address]");
}

void link_settings_check(const struct link_settings *s, const struct option_critic *critic)
{
	check_places(&s->servers, "server", false, critic);
	check_places(&s->resolvers, "resolvers", true, critic);
	if (s->failback > 0 && s->failback < 1000)
		option_wrong(critic, "failback", "found %d ms, expected 0s, or from 1s to 1d", (int)s->failback);
	if (s->tls_min > s->tls_max)
		option_wrong(critic, "tls_min", "found %s, expected at most tls_max, which is %s",
		    vocab_name(&vocab_tls_version, (int)s->tls_min), vocab_name(&vocab_tls_version, (int)s->tls_max));
	if (s->key_file != NULL && s->cert_file == NULL)
		option_wrong(critic, "key_file", "a key without its certificate, expected cert_file too");
}

bool link_listen_split(const char *text, char *host, size_t size, uint16_t *ret_port)
{
	char any[LINK_HOST_SIZE + 16];

	host[0] = '\0';
	*ret_port = 0;
	if (text[strspn(text, "0123456789")] != '\0')
		return link_split(text, host, size, ret_port) && *ret_port != 0 && link_is_numeric(host);
	snprintf(any, sizeof any, "any:%.16s", text); /* a port alone is read with a host before it */
	if (!link_split(any, host, size, ret_port))
		return false;
	host[0] = '\0';
	return true;
}
