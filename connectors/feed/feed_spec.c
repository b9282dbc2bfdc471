/* feed_spec.c: what a feed is: its options and its addresses.
 * SPDX-License-Identifier: MIT */
#include "connectors/feed/feed_spec.h"

static const struct option options[] = {
	{ "socket", OPTION_PATH, offsetof(struct feed_settings, socket), NULL, 0, 0, NULL, OPTION_REQUIRED,
	    "Path of the Unix socket where the feeding program connects." },
	{ "group", OPTION_TEXT, offsetof(struct feed_settings, group), NULL, 0, 0, NULL, 0,
	    "Group that may connect; one of the daemon's own." },
	{ "mode", OPTION_MODE, offsetof(struct feed_settings, mode), "0660", 0, 0, NULL, 0,
	    "Mode of the socket file." },
	{ "technology", OPTION_WORD, offsetof(struct feed_settings, technology), "tapi", 0, 0, &vocab_technology, 0,
	    "What the rules take it for; what a line says of its technology does not count." },
	{ "addresses", OPTION_WORD, offsetof(struct feed_settings, addresses), "id", 0, 0, &vocab_user_column, 0,
	    "Column of the users that an address on this feed means." },
	{ 0 },
};

static enum technology technology_of(const void *settings)
{
	return (enum technology)((const struct feed_settings *)settings)->technology;
}

static bool address(const void *settings, const char *source, const struct user_fields *user, enum domain domain,
    char *buf, size_t size)
{
	const struct feed_settings *s = settings;

	(void)domain;
	return user_address(user, (enum user_column)s->addresses, source, buf, size);
}

const struct connector_spec feed_spec = {
	.type = "feed",
	.help = "A Unix socket where any program pushes raw states as JSON lines.",
	.technology = -1,
	.technology_of = technology_of,
	.domains = 1u << DOMAIN_RICH | 1u << DOMAIN_TELEPHONY,
	.directory = true,
	.options = options,
	.settings_size = sizeof(struct feed_settings),
	.address = address,
};
