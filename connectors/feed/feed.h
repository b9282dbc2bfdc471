/* feed.h: the feed's driver.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_FEED_H
#define PRESENCED_FEED_H

#include "connectors/connector.h"

extern const struct connector_type feed_type;

#endif
