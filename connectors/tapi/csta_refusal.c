/* csta_refusal.c: errors of ECMA-269 (their numbers are those of ECMA-285) by name.
 * SPDX-License-Identifier: MIT */
#include "connectors/tapi/csta_refusal.h"

#include <stdio.h>
#include <strings.h>

#include "daemon/base/utf8.h"

static const struct {
	const char *error; /* NULL: any */
	const char *category;
	struct csta_refusal refusal;
} refusals[] = {
#define SWITCH_DOES_NOT_KNOW "the switch does not know this device"
#define NOT_ALLOWED	     "the switch does not let us see this device"
#define NO_MORE_MONITORS     "the switch allows no more monitors: look at its licence"
#define TOO_MUCH	     "the switch has too much to do"
	{ "invalidDeviceID", NULL, { CSTA_NOT_FOUND, SWITCH_DOES_NOT_KNOW, 0 } },
	{ "objectNotKnown", NULL, { CSTA_NOT_FOUND, SWITCH_DOES_NOT_KNOW, 0 } },
	{ "invalidMonitorObject", NULL, { CSTA_NOT_FOUND, SWITCH_DOES_NOT_KNOW, 0 } },
	{ "privilegeViolationSpecifiedDevice", NULL, { CSTA_DENIED, NOT_ALLOWED, 0 } },
	{ "securityViolation", NULL, { CSTA_DENIED, NOT_ALLOWED, 0 } },
	{ NULL, "security", { CSTA_DENIED, NOT_ALLOWED, 0 } },
	{ "serviceNotSupported", NULL, { CSTA_UNSUPPORTED, "the switch does not support this", 60000 } },
	{ "parameterNotSupported", NULL, { CSTA_UNSUPPORTED_HERE, "the switch does not support this here", 60000 } },
	{ "requestIncompatibleWithDevice", NULL,
	    { CSTA_UNSUPPORTED_HERE, "the switch does not support this for this device", 60000 } },
	{ "invalidFeature", NULL, { CSTA_UNSUPPORTED_HERE, "the device has no such feature", 60000 } },
	{ "invalidMonitorCrossRefID", NULL, { CSTA_MONITOR_GONE, "the switch has forgotten the monitor", 1000 } },
	{ "invalidCrossRefID", NULL, { CSTA_MONITOR_GONE, "the switch has forgotten the monitor", 1000 } },
	{ "deviceOutOfService", NULL, { CSTA_OUT_OF_SERVICE, "the device is out of service", 60000 } },
	{ "overallMonitorLimitExceeded", NULL, { CSTA_LIMIT, NO_MORE_MONITORS, 300000 } },
	{ "objectMonitorLimitExceeded", NULL, { CSTA_LIMIT, NO_MORE_MONITORS, 300000 } },
	{ "resourceBusy", NULL, { CSTA_BUSY, TOO_MUCH, 1000 } },
	{ "outstandingReqLimitExceeded", NULL, { CSTA_BUSY, TOO_MUCH, 1000 } },
	{ "performanceLimitExceeded", NULL, { CSTA_BUSY, TOO_MUCH, 1000 } },
	{ NULL, NULL, { CSTA_FAILED, "the switch refuses", 60000 } },
};

const struct csta_refusal *csta_refusal_of(const struct csta_message *m)
{
	size_t i = 0;

	while ((refusals[i].error != NULL && strcasecmp(refusals[i].error, m->error) != 0) ||
	    (refusals[i].category != NULL && strcasecmp(refusals[i].category, m->category) != 0))
		i++;
	return &refusals[i].refusal;
}

const char *csta_refusal_text(const struct csta_message *m, char *buf, size_t size)
{
	snprintf(buf, size, "%s (%.40s/%.80s)", csta_refusal_of(m)->what, m->category, m->error);
	utf8_repair(buf);
	return buf;
}
