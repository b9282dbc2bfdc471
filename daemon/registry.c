/* registry.c: which driver runs a source of which spec.
 * SPDX-License-Identifier: MIT */
#include "connectors/connector.h"

#include "connectors/feed/feed.h"
#include "connectors/sip/sip.h"
#include "connectors/tapi/tapi.h"

static const struct connector_type *const types[] = {
	&feed_type,
	&sip_type,
	&tapi_type,
	NULL,
};

const struct connector_type *connector_type_of(const struct connector_spec *spec)
{
	for (size_t i = 0; types[i] != NULL; i++)
		if (types[i]->spec == spec)
			return types[i];
	return NULL;
}
