/* feed_spec.h: options of the feed, a Unix socket where any program pushes raw states.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_FEED_SPEC_H
#define PRESENCED_FEED_SPEC_H

#include "connectors/spec.h"

struct feed_settings {
	char *socket;
	char *group;
	int64_t mode;
	int64_t technology; /* enum technology */
	int64_t addresses;  /* enum user_column */
};

extern const struct connector_spec feed_spec;

#endif
