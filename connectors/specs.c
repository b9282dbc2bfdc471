/* specs.c: the list of what connectors there are.
 * SPDX-License-Identifier: MIT */
#include "connectors/spec.h"

#include <string.h>

#include "connectors/feed/feed_spec.h"
#include "connectors/sip/sip_spec.h"

const struct connector_spec *const connector_specs[] = {
	&feed_spec,
	&sip_spec,
	NULL,
};

const struct connector_spec *connector_spec_find(const char *type)
{
	for (size_t i = 0; connector_specs[i] != NULL; i++)
		if (strcmp(connector_specs[i]->type, type) == 0)
			return connector_specs[i];
	return NULL;
}
