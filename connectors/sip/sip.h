/* sip.h: the driver for SIP/SIMPLE presence servers and PBXes.
 * SPDX-License-Identifier: MIT */
#ifndef PRESENCED_SIP_H
#define PRESENCED_SIP_H

#include "connectors/connector.h"

extern const struct connector_type sip_type;

#endif
