/* spec.h: what a connector is: its name, options and addresses. Pure, so that presencectl knows it too.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_SPEC_H
#define PRESENCED_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "connectors/option.h"
#include "daemon/model/user.h"

struct connector_spec {
	const char *type; /* `sources[].type` */
	const char *help; /* one line */

	/* The technology that the rules rank. -1: the settings say, by technology_of(). */
	int technology;
	enum technology (*technology_of)(const void *settings);

	unsigned domains; /* that it can serve: 1u << DOMAIN_RICH | ... */
	bool directory;	  /* it can name users: `sources[].directory` */

	/* Its own options (the common ones of every source are the core's), and the struct they are kept in. */
	const struct option *options;
	size_t settings_size;

	/* Tell of every option whose value is wrong, alone or beside another one. NULL: no check. */
	void (*check)(const void *settings, const struct option_critic *critic);

	/* The name of an option without which these settings are not enough, beside those that always are required. NULL: none,
	 * as is no function. */
	const char *(*missing)(const void *settings);

	/* The address to watch for a user in the peer's own spelling, into buf; false: none here. `source` is
	 * the name of the source, for overrides (user_address()). */
	bool (*address)(const void *settings, const char *source, const struct user_fields *user, enum domain domain,
	    char *buf, size_t size);
};

/* All specs, ended by NULL. */
extern const struct connector_spec *const connector_specs[];

/* The name of the first option that is missing, or NULL. */
const char *connector_spec_missing(const struct connector_spec *spec, const void *settings);

/* The spec called `type`, or NULL. */
const struct connector_spec *connector_spec_find(const char *type);

#endif
