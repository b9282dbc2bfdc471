/* tapi.h: the driver for telephone switches.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_TAPI_H
#define PRESENCED_TAPI_H

#include "connectors/connector.h"

extern const struct connector_type tapi_type;

#endif
